//! Where do lines come from, and how far have we read?
//!
//! Files, archives, standard input and the journal go in; their lines come out in the order of time, each once, with an instant in UTC,
//! whatever the packing, the rotation, the form of the stamps and the order of the arguments. This crate alone opens logs. It does not know
//! Postfix: what a line is worth, a callback says.
//!
//! ```
//! use input::{Options, Sources, Worth};
//!
//! let options = Options { timezone: jiff::tz::TimeZone::UTC, year: None, now: "2026-01-02T00:00:00Z".parse().unwrap(), threads: 2, keep_all: false };
//! let log = &b"Dec 31 23:59:59 mail postfix/smtpd[1]: a\nJan  1 00:00:01 mail postfix/smtpd[1]: b\n"[..];
//! let mut times = Vec::new();
//! let coverage = input::feed(Sources::stream("-", log), &options, |_| Worth::Keep, |line| times.push(line.time.unwrap() / 1_000_000)).unwrap();
//! assert_eq!(times, [1_767_225_599, 1_767_225_601]);
//! assert_eq!((coverage.lines, coverage.understood), (2, 2));
//! ```
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::string_slice, reason = "a test may panic")
)]

mod block;
mod clock;
mod coverage;
mod dated;
mod discover;
mod export;
mod feed;
mod fingerprint;
mod folder;
mod follow;
mod identity;
mod journal;
mod line;
mod look;
mod merge;
mod open;
mod pace;
mod plan;
mod pool;
mod problem;
mod quiet;
mod reader;
mod repeated;
mod rotation;
mod seen;
mod source;
mod spool;
mod syslog;
mod tie;
mod wrapped;
mod years;

pub use block::LINE_BYTES_MAX;
pub use coverage::{Coverage, Damage, Gap, SourceCoverage};
pub use dated::{Dated, Summed, coverage_of, feed_dated};
pub use discover::discover;
pub use feed::{FeedError, Options, Progress, feed, feed_with_heads, feed_with_progress};
pub use fingerprint::{Fingerprint, Identity};
pub use follow::{Batch, Begin, FollowConfig, FollowedLine, Follower, Position, SourceStatus, Stopper, Watch};
pub use journal::{JournalConfig, JournalReader, JournalStatus};
pub use line::{GoOn, Inferred, Line, Worth};
pub use look::identify;
pub use problem::{Access, Problem};
pub use rotation::with_rotated;
pub use seen::Seen;
pub use source::{Source, Sources};
pub use spool::{SYNC_EVERY, Spool, SpoolError, SpoolLimits};
pub use syslog::{Addresses, SyslogConfig, SyslogCounts, SyslogLimits, SyslogServer, TlsFiles};
