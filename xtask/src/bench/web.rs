//! Measures the server: how soon pages are there and how much they weigh, many requests at once, live views beside a following, memory.
//!
//! Question: can people look at a busy server's log without waiting, while it is being written? Corpus: the generated log, in a store; the live views
//! follow another file that is written meanwhile.

use std::fs::{self, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use super::measure::measure_command;
use crate::served::{Served, get, open};

/// Requests of the load, and how many at once.
const REQUESTS: usize = 10_000;
const AT_ONCE: usize = 64;
/// Live views.
const VIEWERS: usize = 50;
/// Lines that are written while they watch, and how far apart.
const LINES: usize = 20;
const PACE: Duration = Duration::from_millis(500);

/// What is asked: pages, and the API.
const ASKED: [&str; 8] = [
    "/",
    "/search",
    "/search?q=class%3Aauth_failed",
    "/search?q=authentication+failed",
    "/api/v1/entries?q=class%3Aauth_failed",
    "/api/v1/top/client?q=class%3Aauth_failed",
    "/api/v1/histogram?by=class",
    "/api/v1/count",
];

/// Runs the measurements and prints them.
pub(crate) fn bench(program: &Path, log: &Path, folder: &Path, runs: u32) -> anyhow::Result<()> {
    let state = folder.join("web-state");
    if state.exists() {
        fs::remove_dir_all(&state)?;
    }
    let mut ingest = Command::new(program);
    ingest.args(["ingest", "--quiet", "--state"]).arg(&state).arg(log);
    ensure!(measure_command(ingest)?.success, "ingest failed");
    let written = folder.join("written.log");
    fs::write(&written, "")?;
    let args = ["--state".as_ref(), state.as_os_str(), "--follow".as_ref(), written.as_os_str()];
    let served = Served::start(program, args)?.ready()?;
    pages(&served.address, runs.max(5))?;
    println!("memory after the pages: {:.0} MB", served.peak_bytes()? as f64 / 1e6);
    load(&served.address)?;
    println!("memory after the load: {:.0} MB", served.peak_bytes()? as f64 / 1e6);
    live(&served.address, &written)?;
    println!("memory at most: {:.0} MB", served.peak_bytes()? as f64 / 1e6);
    drop(served);
    fs::remove_dir_all(&state).with_context(|| format!("cannot remove {}", state.display()))
}

fn pages(address: &str, runs: u32) -> anyhow::Result<()> {
    println!("{:50} {:>10} {:>10} {:>10} {:>8}", "asked", "first ms", "whole ms", "worst ms", "kB");
    for path in ASKED {
        let mut all = (0..runs).map(|_| get(address, path)).collect::<Result<Vec<_>, _>>()?;
        ensure!(all.iter().all(|got| got.status == 200), "{path} failed");
        all.sort_by(|a, b| a.whole.total_cmp(&b.whole));
        let (Some(middle), Some(worst)) = (all.get(all.len() / 2), all.last()) else { continue };
        println!(
            "{path:50} {:10.1} {:10.1} {:10.1} {:8.1}",
            middle.first * 1e3,
            middle.whole * 1e3,
            worst.whole * 1e3,
            middle.body.len() as f64 / 1e3
        );
    }
    Ok(())
}

/// Many requests at once; every one is answered.
fn load(address: &str) -> anyhow::Result<()> {
    let (next, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(path) = Some(next.fetch_add(1, Ordering::Relaxed))
                    .filter(|at| *at < REQUESTS)
                    .and_then(|at| ASKED.get(at % ASKED.len()))
                {
                    if !get(address, path).is_ok_and(|got| got.status == 200) {
                        failed.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let (seconds, failed) = (began.elapsed().as_secs_f64(), failed.into_inner());
    println!("{REQUESTS} requests, {AT_ONCE} at once: {:.0} a second, {failed} failed", REQUESTS as f64 / seconds);
    ensure!(failed == 0, "{failed} requests failed");
    Ok(())
}

/// Lines are written, and every viewer says when it saw each.
fn live(address: &str, written: &Path) -> anyhow::Result<()> {
    let (told, seen) = mpsc::channel();
    for _ in 0..VIEWERS {
        let mut lines = BufReader::new(open(address, "/api/v1/stream?q=nosuchuser")?).lines();
        // It watches once its first event is there.
        while !lines.next().context("the stream ended")??.starts_with("id: ") {}
        let told = told.clone();
        std::thread::spawn(move || {
            // An entry may come again, and names the sender more than once.
            let mut mine = std::collections::BTreeSet::new();
            for line in lines.map_while(Result::ok).filter(|line| line.starts_with("data: ")) {
                let at = Instant::now();
                let numbers = line.split("nosuchuser").skip(1);
                let numbers: Vec<usize> = numbers.filter_map(|rest| rest.split('@').next()?.parse().ok()).collect();
                for number in numbers.into_iter().filter(|number| mine.insert(*number)) {
                    if told.send((number, at)).is_err() {
                        return;
                    }
                }
            }
        });
    }
    drop(told);
    let mut file = OpenOptions::new().append(true).open(written)?;
    let mut sent = Vec::new();
    for at in 0..LINES {
        let time = jiff::Timestamp::now();
        sent.push(Instant::now());
        writeln!(
            file,
            "{time} mail postfix/qmgr[1]: 3ZqYw0aBc{at:02}: from=<nosuchuser {at}@example.org>, size=1, nrcpt=1 (queue active)"
        )?;
        std::thread::sleep(PACE);
    }
    let mut lags: Vec<f64> = Vec::new();
    let mut known = std::collections::BTreeSet::new();
    while let Ok((number, at)) = seen.recv_timeout(Duration::from_secs(5)) {
        if let Some(sent) = sent.get(number) {
            lags.push(at.saturating_duration_since(*sent).as_secs_f64());
            known.insert(number);
        }
    }
    lags.sort_by(f64::total_cmp);
    let (Some(middle), Some(worst)) = (lags.get(lags.len() / 2), lags.last()) else {
        anyhow::bail!("nobody saw a line")
    };
    println!("{VIEWERS} live views: a line is there after {middle:.2} s, at most {worst:.2} s");
    ensure!(known.len() == LINES && lags.len() >= LINES * VIEWERS, "not everybody saw every line");
    Ok(())
}
