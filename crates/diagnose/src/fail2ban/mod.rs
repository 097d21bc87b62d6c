//! fail2ban, seen from the mail log: what its jails would do, what they did, and whether they see what we see.
//!
//! Outcomes of [`trace`] and lines of fail2ban's own log go in; bans, and a word for each jail, come out. Nothing here talks to
//! fail2ban, and nothing bans.

mod history;
mod line;
mod rehearsal;
mod step;

use trace::{Attempt, AttemptKind};

pub use history::{Banned, History, JailHistory};
pub use line::{Action, Report, report};
pub use rehearsal::{Ban, Jail, Missed, Rehearsal};
pub use step::{InStep, JailStep, Sight, in_step};

/// Reasons that the filter leaves out: they are no wrong passwords (fail2ban `filter.d/postfix.conf`, `mdre-auth`).
const LEFT_OUT: [&[u8]; 2] = [b"Connection lost to authentication server", b"Invalid authentication mechanism"];
/// Mechanisms that the filter knows; failures of others pass it unseen (`mdre-auth`).
const MECHANISMS: [&[u8]; 4] = [b"LOGIN", b"PLAIN", b"CRAM-MD5", b"DIGEST-MD5"];

/// Whether the filter `postfix[mode=auth]`, as fail2ban brings it, matches the line of an attempt.
#[must_use]
pub fn filter_matches(attempt: &Attempt) -> bool {
    attempt.kind == AttemptKind::Failed
        && attempt.at.client_ip.is_some()
        && MECHANISMS.iter().any(|name| attempt.mechanism.eq_ignore_ascii_case(name))
        && !LEFT_OUT.iter().any(|reason| attempt.reason.starts_with(reason))
}
