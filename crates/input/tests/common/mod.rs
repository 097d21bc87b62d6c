//! What the tests of the feed share: folders, clocks, lines as text.
#![allow(dead_code, reason = "each test file uses some of it")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::string_slice, reason = "a test may panic")]

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use input::{Coverage, Options, Sources, Worth};

pub(crate) fn instant(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>().unwrap().as_microsecond()
}

pub(crate) fn options(zone: &str, now: &str) -> Options {
    Options {
        timezone: jiff::tz::TimeZone::get(zone).unwrap(),
        year: None,
        now: now.parse().unwrap(),
        threads: 2,
        keep_all: false,
    }
}

/// A folder of its own.
pub(crate) struct Folder(pub(crate) tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file whose time is `modified`.
    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>, modified: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, bytes).unwrap();
        set_modified(&path, modified);
        path
    }
}

pub(crate) fn set_modified(path: &Path, modified: &str) {
    let time = SystemTime::UNIX_EPOCH + Duration::from_micros(u64::try_from(instant(modified)).unwrap());
    File::options().append(true).open(path).unwrap().set_modified(time).unwrap();
}

/// A line as a test sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) source: usize,
    pub(crate) line: u64,
    pub(crate) time: Option<String>,
    pub(crate) micros: Option<i64>,
    pub(crate) year_inferred: bool,
    pub(crate) repeat: Option<u32>,
    pub(crate) text: String,
    pub(crate) raw: Vec<u8>,
    pub(crate) worth: Worth,
    pub(crate) truncated: bool,
    pub(crate) seq: u64,
}

/// Everything a feed delivers.
pub(crate) fn read(
    sources: Sources,
    options: &Options,
    worth: impl Fn(&maillog::Record<'_>) -> Worth + Sync,
) -> (Vec<Seen>, Coverage) {
    let mut lines = Vec::new();
    let coverage = input::feed(sources, options, worth, |line| {
        lines.push(Seen {
            source: line.source,
            line: line.line,
            time: line.time.map(|t| jiff::Timestamp::from_microsecond(t).unwrap().to_string()),
            micros: line.time,
            year_inferred: line.inferred.year,
            repeat: line.record.map(|r| r.repeat),
            text: line.record.map(|r| String::from_utf8_lossy(r.text).into_owned()).unwrap_or_default(),
            raw: line.raw.to_vec(),
            worth: line.worth,
            truncated: line.truncated,
            seq: line.seq,
        });
    })
    .unwrap();
    assert_eq!(coverage.lines, coverage.understood + coverage.unknown);
    assert!(lines.windows(2).all(|w| w[0].seq < w[1].seq), "seq grows");
    (lines, coverage)
}

/// The same with every line wanted.
pub(crate) fn all(sources: Sources, options: &Options) -> (Vec<Seen>, Coverage) {
    read(sources, options, |_| Worth::Keep)
}

pub(crate) fn times(lines: &[Seen]) -> Vec<&str> {
    lines.iter().map(|l| l.time.as_deref().unwrap_or("-")).collect()
}

pub(crate) fn texts(lines: &[Seen]) -> Vec<&str> {
    lines.iter().map(|l| l.text.as_str()).collect()
}

/// `Jun 17 10:25:14 mail p[1]: TEXT` for each stamp.
pub(crate) fn log(rows: &[(&str, &str)]) -> String {
    rows.iter().map(|(stamp, text)| format!("{stamp} mail p[1]: {text}\n")).collect()
}

/// The instant as syslog would write it, in UTC.
pub(crate) fn syslog_stamp(micros: i64) -> String {
    jiff::Timestamp::from_microsecond(micros).unwrap().strftime("%b %e %H:%M:%S").to_string()
}
