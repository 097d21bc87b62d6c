//! Mail logs of a busy server with their truth, made up and repeatable.
//!
//! Input: [`Settings`]. Output: the bytes of a log file, and a [`Truth`] that was counted while the lines were written. The same
//! settings give the same bytes on every machine. Nothing here reads a log: what a line means is known before it is written.
//!
//! A [`world::World`] holds the clock, the hosts and the people; every [`actors`] module adds one kind of client; `session` and
//! `message` know the wording of an SMTP session and of a message's life; `log` stamps and folds; `truth` and `report` keep the
//! books.

mod actors;
mod log;
mod message;
mod people;
mod report;
mod rng;
mod session;
pub mod stage;
mod truth;
mod world;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context as _;
use jiff::civil::Date;

pub use log::Stamp;
pub use report::{Destination, Messages, Ranked, Report};
pub use truth::{Counts, Recovered, Tally, Truth};

/// What to do.
#[derive(clap::Args)]
pub struct Options {
    /// Where to write the log.
    #[arg(long, value_name = "FILE", default_value = "mail.log")]
    pub out: PathBuf,
    /// About how large the log is: a number of bytes, or with K, M, G (powers of 1000).
    #[arg(long, value_name = "SIZE", default_value = "100M", value_parser = parse_size)]
    pub bytes: u64,
    /// How many days it covers.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub days: u32,
    /// How many mail servers log into it.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub hosts: u32,
    /// How lines are stamped.
    #[arg(long, value_enum, default_value = "rfc3164")]
    pub stamp: Stamp,
    /// Another seed gives another log.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// The first day.
    #[arg(long, value_name = "DATE", default_value = "2026-03-02")]
    pub start: Date,
    /// Fold repeated messages as rsyslog does.
    #[arg(long)]
    pub folded: bool,
    /// Where to write the truth (default: the log's name with `.truth.json`).
    #[arg(long, value_name = "FILE")]
    pub truth: Option<PathBuf>,
}

/// What log to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// About how many bytes.
    pub bytes: u64,
    /// How many days.
    pub days: u32,
    /// How many hosts.
    pub hosts: u32,
    /// How lines are stamped.
    pub stamp: Stamp,
    /// Another seed gives another log.
    pub seed: u64,
    /// The first day.
    pub start: Date,
    /// Fold repeated messages.
    pub folded: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            bytes: 100_000_000,
            days: 7,
            hosts: 3,
            stamp: Stamp::Rfc3164,
            seed: 1,
            start: Date::constant(2026, 3, 2),
            folded: false,
        }
    }
}

impl Options {
    fn settings(&self) -> Settings {
        let Self { bytes, days, hosts, stamp, seed, start, folded, .. } = *self;
        Settings { bytes, days, hosts, stamp, seed, start, folded }
    }
}

/// Writes a log and its truth into files.
///
/// # Errors
/// A file cannot be written.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let begun = Instant::now();
    let truth_file = options.truth.clone().unwrap_or_else(|| truth_path(&options.out));
    let truth = write_files(&options.settings(), &options.out, &truth_file)?;
    let seconds = begun.elapsed().as_secs_f64();
    let rate = truth.bytes as f64 / seconds / 1e6;
    println!("{}: {} lines, {} bytes, {} to {}", options.out.display(), truth.lines, truth.bytes, truth.from, truth.to);
    println!("{}: the truth about it ({seconds:.1} s, {rate:.0} MB/s)", truth_file.display());
    Ok(())
}

/// Where the truth about a log lies unless said otherwise: `mail.log.truth.json` beside `mail.log`.
#[must_use]
pub fn truth_path(log: &Path) -> PathBuf {
    let mut name = log.as_os_str().to_owned();
    name.push(".truth.json");
    name.into()
}

/// Writes a log and its truth into the files given. The log's modification time is that of its last line, from which a reader
/// may infer the year.
///
/// # Errors
/// A file cannot be written.
pub fn write_files(settings: &Settings, log: &Path, truth_file: &Path) -> anyhow::Result<Truth> {
    let file = File::create(log).with_context(|| format!("cannot create {}", log.display()))?;
    let truth = generate(settings, &file).with_context(|| format!("cannot write {}", log.display()))?;
    let last = truth.to.parse::<jiff::Timestamp>().map_or(0, |to| to.as_second().max(0) as u64);
    // A file system without times of modification is no reason to stop.
    let _ = file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(last));
    let out = File::create(truth_file).with_context(|| format!("cannot create {}", truth_file.display()))?;
    let mut out = BufWriter::new(out);
    serde_json::to_writer_pretty(&mut out, &truth)?;
    out.write_all(b"\n")
        .and_then(|()| out.flush())
        .with_context(|| format!("cannot write {}", truth_file.display()))?;
    Ok(truth)
}

/// Writes a log to `out` and returns the truth about it.
///
/// # Errors
/// Whatever `out` says.
pub fn generate(settings: &Settings, mut out: impl Write) -> io::Result<Truth> {
    let start = settings
        .start
        .to_zoned(jiff::tz::TimeZone::UTC)
        .map_or(0, |day| day.timestamp().as_microsecond().max(0) as u64);
    let end = start + u64::from(settings.days.max(1)) * log::DAY;
    let hosts = world::World::host_list(settings.hosts.max(1) as usize);
    let wrapped: Vec<_> = hosts.iter().map(world::Host::wrapped).collect();
    let mut rng = rng::Rng::new(settings.seed ^ 0x70_6f_73_74_66_69_78);
    let users = (settings.bytes / 330_000).clamp(40, 9_600) as usize;
    let people = people::People::new(users.max(wrapped.len() * 10), &wrapped, &mut rng);
    let log = log::Log::new(settings.stamp, settings.folded, hosts.iter().map(|host| host.name.clone()));
    let mut world = world::World::new(start, end, settings.seed, hosts, people, log);
    actors::director::Director::spawn(&mut world, settings.bytes);
    while world.tick() {
        if world.log.bytes.len() >= 1 << 18 {
            out.write_all(world.log.bytes.as_bytes())?;
            world.log.drained();
        }
    }
    world.log.finish();
    out.write_all(world.log.bytes.as_bytes())?;
    world.log.drained();
    out.flush()?;
    let (from, to) = world.log.span();
    let mut truth = world.ledger.finish();
    truth.lines = world.log.lines;
    truth.bytes = world.log.len();
    truth.repeat_lines = world.log.repeat_lines;
    truth.from = moment(from);
    truth.to = moment(to);
    Ok(truth)
}

fn moment(at: log::Micros) -> String {
    format!("{:.6}", jiff::Timestamp::from_microsecond(at as i64).unwrap_or_default())
}

/// Reads `100M`, `1G`, `2500K` or plain bytes.
///
/// # Errors
/// The text is no size.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let plain = text.strip_suffix(['B', 'b']).unwrap_or(text);
    let units = [(['K', 'k'], 1_000), (['M', 'm'], 1_000_000), (['G', 'g'], 1_000_000_000)];
    let with_unit = units.iter().find_map(|(letters, factor)| Some((plain.strip_suffix(*letters)?, *factor)));
    let (digits, factor) = with_unit.unwrap_or((plain, 1u64));
    let number: u64 = digits.parse().map_err(|_| format!("{text} is not a size such as 1G, 100M or 5000"))?;
    number.checked_mul(factor).ok_or_else(|| format!("{text} is too much"))
}

#[cfg(test)]
mod tests {
    use super::parse_size;

    #[test]
    fn sizes() {
        let rows =
            [("1G", 1_000_000_000), ("100M", 100_000_000), ("2500k", 2_500_000), ("20MB", 20_000_000), ("77", 77)];
        for (text, size) in rows {
            assert_eq!(parse_size(text), Ok(size), "{text}");
        }
        for text in ["", "G", "1.5G", "-1", "99999999999G", "ten"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }
}
