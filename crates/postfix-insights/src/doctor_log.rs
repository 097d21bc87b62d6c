//! The log beside the doctor: which causes of failed logins it shows, and which of them the checks explain or rule out.
//!
//! The counts of a log and the checks go in, a row for each cause comes out.

use std::collections::BTreeMap;

use diagnose::Tally;
use diagnose::detect::Detector;
use doctor::{Check, Status};

/// What the checks say of a cause that the log shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Says {
    /// A fault or warning of now explains it.
    Explained,
    /// All checks that could explain it are fine now.
    RuledOut,
    /// No check speaks of it, or none could look.
    Open,
}

impl Says {
    /// The word used in JSON.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Explained => "explained",
            Self::RuledOut => "ruled_out",
            Self::Open => "open",
        }
    }
}

/// A cause of the log.
#[derive(Clone, Debug)]
pub(crate) struct LoggedCause<'a> {
    pub(crate) cause: &'static str,
    /// Failures, refusals and killed sessions.
    pub(crate) count: u64,
    pub(crate) says: Says,
    /// The checks that say so.
    pub(crate) checks: Vec<&'a Check>,
    /// The latest time of trouble with this cause, microseconds: from and to.
    pub(crate) trouble: Option<(i64, i64)>,
}

/// The causes of a log, most frequent first.
pub(crate) fn causes<'a>(tally: &Tally, checks: &'a [Check]) -> Vec<LoggedCause<'a>> {
    let mut counts: BTreeMap<&'static str, u64> = BTreeMap::new();
    for (cause, count) in tally.causes.iter().chain(tally.killed_causes.iter()) {
        *counts.entry(cause).or_default() += count;
    }
    held_against(counts, &tally.detector, checks)
}

/// Causes with their counts, most frequent first; `detector` knows the times of trouble.
pub(crate) fn held_against<'a>(
    counts: BTreeMap<&'static str, u64>,
    detector: &Detector,
    checks: &'a [Check],
) -> Vec<LoggedCause<'a>> {
    let trouble = |cause: &str| {
        let last = detector.incidents().iter().rev().find(|incident| incident.causes.contains_key(cause));
        last.map(|incident| (incident.from, incident.to))
    };
    let mut rows: Vec<LoggedCause<'a>> =
        counts.into_iter().map(|(cause, count)| judge(cause, count, trouble(cause), checks)).collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.count));
    rows
}

fn judge<'a>(cause: &'static str, count: u64, trouble: Option<(i64, i64)>, checks: &'a [Check]) -> LoggedCause<'a> {
    let speaking: Vec<&Check> = checks.iter().filter(|check| check.kind.causes.contains(&cause)).collect();
    let with = |wanted: &dyn Fn(Status) -> bool| -> Vec<&'a Check> {
        speaking.iter().copied().filter(|check| wanted(check.status)).collect()
    };
    let guilty = with(&|status| matches!(status, Status::Fault | Status::Warn));
    let fine = with(&|status| status == Status::Ok);
    let (says, checks) = if !guilty.is_empty() {
        (Says::Explained, guilty)
    } else if !fine.is_empty() && fine.len() == speaking.len() {
        (Says::RuledOut, fine)
    } else {
        (Says::Open, Vec::new())
    };
    LoggedCause { cause, count, says, checks, trouble }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_of(id: &str, status: Status) -> Check {
        let kind = doctor::kinds().iter().copied().find(|kind| kind.id == id).unwrap();
        Check {
            kind,
            status,
            instance: String::new(),
            about: String::new(),
            summary: String::new(),
            seen: Vec::new(),
            command: String::new(),
            next: Vec::new(),
        }
    }

    #[test]
    fn what_the_checks_say_of_a_cause() {
        let check = |list: &[(&str, Status)], expected| {
            let checks: Vec<Check> = list.iter().map(|(id, status)| check_of(id, *status)).collect();
            assert_eq!(judge("backend.socket_missing", 3, None, &checks).says, expected, "{list:?}");
        };
        check(&[("backend.socket", Status::Fault), ("dovecot.running", Status::Ok)], Says::Explained);
        check(&[("backend.socket", Status::Ok), ("dovecot.running", Status::Ok)], Says::RuledOut);
        check(&[("backend.socket", Status::Ok), ("dovecot.running", Status::Unknown)], Says::Open);
        check(&[("postfix.port25", Status::Fault)], Says::Open);
        check(&[], Says::Open);
    }
}
