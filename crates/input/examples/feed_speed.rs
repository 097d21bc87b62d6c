//! How fast is the feed? `feed_speed FILE…` prints CPU and wall seconds per GB of text with a callback that wants one line in ten,
//! and the greatest memory used. The files should be some hundred MB; their text is counted by the sink's own byte count of raw lines
//! when every line is wanted (`ALL=1`).

use std::time::Instant;

use input::{Options, Sources, Worth};

fn cpu_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|f| f.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}

fn main() {
    let files: Vec<String> = std::env::args().skip(1).collect();
    let all = std::env::var_os("ALL").is_some();
    let threads = std::env::var("THREADS").ok().and_then(|t| t.parse().ok()).unwrap_or(2);
    let options = Options {
        timezone: jiff::tz::TimeZone::system(),
        year: None,
        now: jiff::Timestamp::now(),
        threads,
        keep_all: false,
    };
    let (mut wanted, mut bytes) = (0u64, 0u64);
    let worth =
        |record: &maillog::Record<'_>| if all || record.tag.0.ends_with(b"/smtpd") { Worth::Keep } else { Worth::Skip };
    let start = Instant::now();
    let coverage = match input::feed(Sources::files(files), &options, worth, |line| {
        wanted += 1;
        bytes += line.raw.len() as u64 + 1;
    }) {
        Ok(coverage) => coverage,
        Err(error) => return eprintln!("feed_speed: {error}"),
    };
    let (wall, cpu) = (start.elapsed().as_secs_f64(), cpu_s());
    let read: u64 = std::env::args().skip(1).filter_map(|f| std::fs::metadata(f).ok()).map(|m| m.len()).sum();
    let size = if all { bytes } else { read } as f64 / 1e9;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find(|l| l.starts_with("VmHWM")).unwrap_or_default();
    println!(
        "{} lines, {wanted} wanted, {:.3} GB: {:.3} CPU s/GB, {:.3} wall s/GB, {peak}",
        coverage.lines,
        size,
        cpu / size,
        wall / size
    );
}
