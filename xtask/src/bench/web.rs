//! Measures the server: how soon pages are there and how much they weigh, many requests at once, live views beside a following, memory.
//!
//! A page is asked for once, until its answer is made, and then measured: what people see while it is made is in the first column.
//! Question: can people look at a busy server's log without waiting, while it is being written? Corpus: the generated log, in a store; the live views
//! follow another file that is written meanwhile.

use std::fs::{self, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
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
const ASKED: [&str; 14] = [
    "/",
    "/findings",
    "/delivery",
    "/sources",
    "/live",
    "/help",
    "/explain",
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
    let memory = Memory::of(served.pid());
    let stories = stories(&served.address)?;
    let asked = ASKED.iter().copied().chain(stories.iter().map(String::as_str));
    pages(&served.address, asked, runs.max(5), &memory)?;
    memory.tell("after the pages");
    load(&served.address)?;
    memory.tell("after the load");
    live(&served.address, &written)?;
    memory.tell("at the end");
    drop((memory, served));
    fs::remove_dir_all(&state).with_context(|| format!("cannot remove {}", state.display()))
}

/// The most memory a process took so far: its own, and with the parts of the index's files that are mapped into it, which the system takes back
/// whenever it needs room. Looked at every few milliseconds until it is dropped.
struct Memory {
    /// In all: its own, and with mapped files; its own since it was last asked.
    most: Arc<[AtomicU64; 3]>,
    ended: Arc<AtomicBool>,
}

impl Memory {
    fn of(pid: u32) -> Self {
        let (most, ended) = (Arc::<[AtomicU64; 3]>::default(), Arc::new(AtomicBool::new(false)));
        let (shared, stop) = (Arc::clone(&most), Arc::clone(&ended));
        std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
                for (most, name) in shared.iter().zip(["RssAnon:", "VmHWM:", "RssAnon:"]) {
                    let line = status.lines().find_map(|line| line.strip_prefix(name));
                    let kib = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
                    most.fetch_max(kib.unwrap_or_default() * 1024, Ordering::Relaxed);
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        Self { most, ended }
    }

    /// The most of its own since this was last asked, MB.
    fn lap(&self) -> f64 {
        let [.., since] = &*self.most;
        since.swap(0, Ordering::Relaxed) as f64 / 1e6
    }

    fn tell(&self, when: &str) {
        let [own, all, _] = &*self.most;
        let mb = |bytes: &AtomicU64| bytes.load(Ordering::Relaxed) as f64 / 1e6;
        println!("memory at most, {when}: {:.0} MB, with files that are mapped {:.0} MB", mb(own), mb(all));
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
    }
}

/// Pages about the worst client, the account most failed with, and the newest message.
fn stories(address: &str) -> anyhow::Result<Vec<String>> {
    let first = |path: &str, place: &str| -> anyhow::Result<String> {
        let json: serde_json::Value = serde_json::from_slice(&get(address, path)?.body)?;
        Ok(json.pointer(place).and_then(|value| value.as_str()).with_context(|| path.to_owned())?.to_owned())
    };
    let failed = |field: &str| first(&format!("/api/v1/top/{field}?q=class%3Aauth_failed"), "/values/0/value");
    let newest = first("/api/v1/entries?q=status%3Asent&limit=1", "/0/queue_id")?;
    Ok(vec![
        format!("/client/{}", failed("client")?),
        format!("/account/{}", failed("user")?.replace('@', "%40")),
        format!("/message/{newest}"),
    ])
}

/// Asks for a page until its answer is made. Output: how long a person waited for the first thing to see, seconds.
fn warm(address: &str, path: &str) -> anyhow::Result<f64> {
    let first = get(address, path)?;
    let mut again = first.status == 200 && is_later(&first.body);
    while again {
        std::thread::sleep(Duration::from_millis(200));
        again = is_later(&get(address, path)?.body);
    }
    Ok(first.whole)
}

/// Whether a page says that its answer is being made.
fn is_later(body: &[u8]) -> bool {
    let words = b"comes again by itself";
    body.windows(words.len()).any(|part| part == words)
}

fn pages<'a>(address: &str, asked: impl Iterator<Item = &'a str>, runs: u32, memory: &Memory) -> anyhow::Result<()> {
    println!(
        "{:50} {:>10} {:>10} {:>10} {:>10} {:>8} {:>8}",
        "asked", "once ms", "first ms", "whole ms", "worst ms", "kB", "own MB"
    );
    for path in asked {
        let once = warm(address, path)?;
        let mut all = (0..runs).map(|_| get(address, path)).collect::<Result<Vec<_>, _>>()?;
        ensure!(all.iter().all(|got| got.status == 200), "{path} failed");
        all.sort_by(|a, b| a.whole.total_cmp(&b.whole));
        let (Some(middle), Some(worst)) = (all.get(all.len() / 2), all.last()) else { continue };
        println!(
            "{path:50} {:10.1} {:10.1} {:10.1} {:10.1} {:8.1} {:8.0}",
            once * 1e3,
            middle.first * 1e3,
            middle.whole * 1e3,
            worst.whole * 1e3,
            middle.body.len() as f64 / 1e3,
            memory.lap()
        );
    }
    Ok(())
}

/// Many requests at once; every one is answered.
fn load(address: &str) -> anyhow::Result<()> {
    let (next, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let waited = Mutex::new(Vec::with_capacity(REQUESTS));
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(path) = Some(next.fetch_add(1, Ordering::Relaxed))
                    .filter(|at| *at < REQUESTS)
                    .and_then(|at| ASKED.get(at % ASKED.len()))
                {
                    let got = get(address, path);
                    if let Ok(got) = &got {
                        waited.lock().unwrap_or_else(PoisonError::into_inner).push(got.whole);
                    }
                    if !got.is_ok_and(|got| got.status == 200) {
                        failed.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let (seconds, failed) = (began.elapsed().as_secs_f64(), failed.into_inner());
    let mut waited = waited.into_inner().unwrap_or_else(PoisonError::into_inner);
    waited.sort_by(f64::total_cmp);
    let after = |share: usize| waited.get(waited.len() * share / 100).copied().unwrap_or_default();
    println!(
        "{REQUESTS} requests, {AT_ONCE} at once: {:.0} a second, {failed} failed; half after {:.2} s, 99 of 100 after {:.2} s",
        REQUESTS as f64 / seconds,
        after(50),
        after(99)
    );
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
                let numbers: Vec<usize> =
                    numbers.filter_map(|rest| rest.split('@').next()?.trim().parse().ok()).collect();
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
