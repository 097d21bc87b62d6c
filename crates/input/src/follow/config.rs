//! What to follow, and how patiently.

use std::path::PathBuf;
use std::time::Duration;

use jiff::tz::TimeZone;

/// One thing to follow.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Watch {
    /// A log with its rotated files, or a pattern (`*`, `?`, `[…]`) for several logs. It may appear later.
    Files(PathBuf),
    /// Files that a [`crate::Spool`] writes into this folder; what they are called in answers.
    Spool {
        /// The spool's folder.
        folder: PathBuf,
        /// `journal`, `syslog`.
        name: String,
    },
    /// Standard input.
    StandardInput,
}

/// Where to begin with a log of which nothing was read before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Begin {
    /// At the end of the newest file.
    End,
    /// At the start of the newest file.
    #[default]
    Newest,
    /// At the start of the oldest rotated file.
    Oldest,
}

/// How to follow.
#[derive(Clone, Debug)]
pub struct FollowConfig {
    /// What to follow.
    pub watches: Vec<Watch>,
    /// Where to begin with what is new to us.
    pub begin: Begin,
    /// Rotated files of a log new to us are read as well, if something was written to them no longer ago.
    pub look_back: Duration,
    /// Zone of stamps without one.
    pub timezone: TimeZone,
    /// An unended line is delivered as it is when it has not grown for so long.
    pub unended_after: Duration,
    /// A rotated or deleted file to which nothing was written for so long is closed. While it stays in its folder it is looked at again
    /// when it grows.
    pub retire_after: Duration,
    /// How often files are looked at where the system does not tell of changes, and at the latest where it does.
    pub poll_every: Duration,
}

impl FollowConfig {
    /// The usual patience: unended lines 30 s, rotated files 60 s, a look every 250 ms.
    #[must_use]
    pub fn new(watches: Vec<Watch>) -> Self {
        Self {
            watches,
            begin: Begin::default(),
            look_back: Duration::ZERO,
            timezone: TimeZone::system(),
            unended_after: Duration::from_secs(30),
            retire_after: Duration::from_secs(60),
            poll_every: Duration::from_millis(250),
        }
    }
}
