//! A year of failed logins through the detectors alone: what does it cost, and how much memory does it take?
//!
//! Question: thirty million attempts of an attacked server, from a million sources, beside the logins of its people. Corpus: made as
//! it is fed, the same every time. It runs in a process of its own, built as users get the program.

use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use diagnose::detect::{Detector, Failed, LoggedIn};
use diagnose::{Class, Kind};

/// Attempts of a year.
const ATTEMPTS: u64 = 30_000_000;
/// A year, in microseconds.
const YEAR: u64 = 365 * 86_400_000_000;
/// 2026-01-01.
const START: i64 = 1_767_225_600_000_000;
/// Seconds and bytes that it may take at most (processor time).
const SECONDS_MAX: f64 = 30.0;
const MEMORY_MAX: u64 = 512 << 20;

/// Starts the measurement, built for speed.
pub(crate) fn run() -> anyhow::Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["run", "--quiet", "--release", "--package", "xtask", "--", "bench", "--findings", "--inside"])
        .status()
        .context("cannot start cargo")?;
    ensure!(status.success(), "the measurement failed");
    Ok(())
}

/// Replays a year, and says what it took.
pub(crate) fn inside() -> anyhow::Result<()> {
    let mut detector = Detector::default();
    let mut buffer = Vec::new();
    let begun = Instant::now();
    for n in 0..ATTEMPTS {
        let time = START + i64::try_from(YEAR / ATTEMPTS * n)?;
        if n.is_multiple_of(10) {
            login(&mut detector, &mut buffer, time, n);
        }
        attempt(&mut detector, &mut buffer, time, n);
    }
    let (fed, wall) = (cpu()?, begun.elapsed().as_secs_f64());
    let findings = detector.findings();
    let all = cpu()?;
    let snapshot = detector.snapshot()?;
    let peak = peak()?;
    println!(
        "{ATTEMPTS} attempts: {fed:.1} s CPU ({wall:.1} s wall), findings {:.1} s, {} MB at most, {} MB put aside",
        all - fed,
        peak >> 20,
        snapshot.len() >> 20
    );
    println!("{} findings; {} sources and names forgotten", findings.len(), detector.forgotten());
    ensure!(findings.iter().any(|finding| finding.kind == Kind::Guessing), "the guessers were not found");
    ensure!(all <= SECONDS_MAX, "more than {SECONDS_MAX} s");
    ensure!(peak <= MEMORY_MAX, "more than {} MB", MEMORY_MAX >> 20);
    Ok(())
}

/// Half of it is a thousand hammers, the other half comes from everywhere, once or twice each.
fn attempt(detector: &mut Detector, buffer: &mut Vec<u8>, time: i64, n: u64) {
    let mixed = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 16;
    let host = if n.is_multiple_of(2) { 0x1000_0000 + mixed % 1_000 } else { 0x2000_0000 + mixed % 20_000_000 };
    let name = spell(buffer, "name", if n.is_multiple_of(2) { mixed % 300 } else { mixed % 2_000_000 });
    let failed = Failed {
        time,
        line: n,
        host: b"mail",
        service: b"smtpd",
        client: Some(IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(host).unwrap_or_default()))),
        account: Some(name),
        class: Some(Class::AuthFailed),
        killed: false,
        cause: "cred.undifferentiated",
        mechanism: b"LOGIN",
        count: 1,
    };
    detector.failed(&failed, |_| None);
}

fn login(detector: &mut Detector, buffer: &mut Vec<u8>, time: i64, n: u64) {
    let person = n / 10 % 2_000;
    let name = spell(buffer, "person", person);
    let host = 0x5000_0000 + u32::try_from(person * 300 + n / 20_000 % 3).unwrap_or_default();
    let login = LoggedIn {
        time,
        line: n,
        host: b"mail",
        service: b"submission",
        client: Some(IpAddr::V4(Ipv4Addr::from_bits(host))),
        account: Some(name),
        count: 1,
    };
    detector.logged_in(&login, |_| None);
}

/// Spells a login name without the costs of formatting: they would be a tenth of what is measured.
fn spell<'b>(buffer: &'b mut Vec<u8>, kind: &str, number: u64) -> &'b [u8] {
    buffer.clear();
    buffer.extend_from_slice(kind.as_bytes());
    buffer.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    buffer.extend_from_slice(b"@example.test");
    buffer
}

/// CPU seconds of this process so far.
fn cpu() -> anyhow::Result<f64> {
    let text = std::fs::read_to_string("/proc/self/schedstat").context("no CPU time here")?;
    let nanoseconds: f64 = text.split_whitespace().next().context("no CPU time here")?.parse()?;
    Ok(nanoseconds / 1e9)
}

/// Bytes of memory at most so far.
fn peak() -> anyhow::Result<u64> {
    let text = std::fs::read_to_string("/proc/self/status").context("no memory figures here")?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no memory figures here")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse::<u64>()? << 10)
}
