//! Measures the store: how fast lines go in, what they take on disk and in memory, how soon questions are answered.
//!
//! Question: what does it cost to keep a log, and what is saved by that? Each question is a run of the program of its own, with all that it
//! takes to start; `rg` on the same file stands beside it. The number of lines is checked against the file's.

use std::fs;
use std::io::{self, BufRead as _};
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};

use super::measure::{Usage, measure_command};
use super::truth_of;

/// Runs the measurements and prints them.
pub(crate) fn bench(program: &Path, log: &Path, folder: &Path, runs: u32) -> anyhow::Result<()> {
    let state = folder.join("state");
    if state.exists() {
        fs::remove_dir_all(&state).with_context(|| format!("cannot remove {}", state.display()))?;
    }
    // Piece by piece: a program that is started shows the memory of the one that starts it, too.
    let mut text = io::BufReader::new(fs::File::open(log).with_context(|| format!("cannot read {}", log.display()))?);
    let (mut bytes, mut lines) = (0.0, 0_usize);
    loop {
        let piece = text.fill_buf()?;
        let length = piece.len();
        if length == 0 {
            break;
        }
        lines += newlines(piece);
        bytes += length as f64;
        text.consume(length);
    }
    let mut command = Command::new(program);
    command.args(["ingest", "--quiet", "--state"]).arg(&state).arg(log);
    let usage = measure_command(command)?;
    ensure!(usage.success, "ingest failed");
    let kept = size_of(&state)? as f64;
    println!("{lines} lines, {:.0} MB", bytes / 1e6);
    println!(
        "ingest: {:.0} lines/s by the clock, {:.0} lines per CPU second, at most {:.0} MB of memory",
        lines as f64 / usage.wall,
        lines as f64 / usage.cpu(),
        usage.peak_bytes as f64 / 1e6
    );
    println!("disk: {:.0} MB, {:.2} of the text", kept / 1e6, kept / bytes);
    ensure!(answer(program, &state, &["count"])?.trim() == lines.to_string(), "the store does not hold each line once");
    let client = first_value(&answer(program, &state, &["top", "client", "--json", "--top", "1"])?);
    let user = first_value(&answer(program, &state, &["top", "user", "--json", "--top", "1"])?);
    let (of_client, of_user) = (format!("client:{client}"), format!("user:\"{user}\""));
    let (week, month) = (days_before_end(log, 7)?, days_before_end(log, 30)?);
    let questions: [&[&str]; 7] = [
        &["search", &of_client, "--json"],
        &["search", &of_user, "--json"],
        &["search", "nosuchrareword", "--json"],
        &["search", "authentication failed", "--json"],
        &["top", "client", "--json", "--top", "20", "-q", "class:auth_failed", "--since", &week],
        &["histogram", "--json", "--width", "1h", "--by", "cause", "-q", "cause:*", "--since", &month],
        &["triage", "--json"],
    ];
    println!("{:56} {:>10} {:>10} {:>9}", "question", "median ms", "p99 ms", "peak MB");
    for question in questions {
        let mut command = Command::new(program);
        command.args(question).args(["--quiet", "--state"]).arg(&state);
        // Seconds need no eleven runs.
        let runs = if question.contains(&"triage") { runs.min(3) } else { runs };
        row(&question.join(" "), command, runs)?;
    }
    let mut rg = Command::new("rg");
    rg.arg("-c").arg("authentication failed").arg(log);
    // It may not be there.
    let _ = row("rg -c \"authentication failed\" LOG", rg, runs);
    fs::remove_dir_all(&state).with_context(|| format!("cannot remove {}", state.display()))
}

fn row(name: &str, mut command: Command, runs: u32) -> anyhow::Result<()> {
    let mut all: Vec<Usage> = Vec::new();
    for _ in 0..runs.max(1) {
        let mut again = Command::new(command.get_program());
        again.args(command.get_args());
        all.push(measure_command(std::mem::replace(&mut command, again))?);
    }
    all.sort_by(|a, b| a.wall.total_cmp(&b.wall));
    let at = |share: f64| all.get(((all.len() - 1) as f64 * share) as usize).map_or(0.0, |usage| usage.wall * 1e3);
    let peak = all.iter().map(|usage| usage.peak_bytes).max().unwrap_or_default() as f64 / 1e6;
    println!("{name:56} {:10.1} {:10.1} {peak:9.0}", at(0.5), at(0.99));
    Ok(())
}

fn answer(program: &Path, state: &Path, question: &[&str]) -> anyhow::Result<String> {
    let output = Command::new(program).args(question).args(["--quiet", "--state"]).arg(state).output()?;
    ensure!(output.status.success(), "{question:?} failed");
    Ok(String::from_utf8(output.stdout)?)
}

/// So many days before the log's last line, as `--since` takes it.
fn days_before_end(log: &Path, days: i64) -> anyhow::Result<String> {
    let end: jiff::Timestamp = truth_of(log)?.to.parse().context("the truth does not say when the log ends")?;
    Ok((end - jiff::SignedDuration::from_hours(24 * days)).to_string())
}

fn newlines(piece: &[u8]) -> usize {
    piece.iter().filter(|b| **b == b'\n').count()
}

fn first_value(top: &str) -> String {
    let top: serde_json::Value = serde_json::from_str(top).unwrap_or_default();
    top.pointer("/values/0/value").and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
}

fn size_of(folder: &Path) -> anyhow::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { size_of(&entry.path())? } else { metadata.len() };
    }
    Ok(bytes)
}
