//! What else happened: changes at the server that may explain what began then, and lines that are missing.
//!
//! Findings go in, and come out with a word about either.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::Detector;
use super::finding::{Finding, Kind, plural};

/// Changes and losses remembered at most; the oldest give way.
const KEPT: usize = 2_000;
/// Lines lost so close to a finding's time are lost to it, in microseconds.
const NEAR: i64 = 60_000_000;

/// A change at the server, as its log tells of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// Postfix was started.
    PostfixStarted,
    /// Postfix read its configuration anew.
    PostfixReloaded,
    /// Dovecot was started, stopped or reloaded.
    DovecotChanged,
    /// A TLS client says that the certificate has expired.
    CertificateExpired,
}

impl Change {
    fn words(self) -> &'static str {
        match self {
            Self::PostfixStarted => "Postfix was started",
            Self::PostfixReloaded => "Postfix was reloaded",
            Self::DovecotChanged => "Dovecot was started, stopped or reloaded",
            Self::CertificateExpired => "clients began to say that the certificate has expired",
        }
    }
}

#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Seams {
    changes: VecDeque<(i64, Change)>,
    losses: VecDeque<(i64, u64)>,
}

impl Seams {
    pub(crate) fn changed(&mut self, time: i64, change: Change) {
        if self.changes.back().is_none_or(|(at, last)| *last != change || time - at > NEAR) {
            push(&mut self.changes, (time, change));
        }
    }

    pub(crate) fn lost(&mut self, time: i64, count: u64) {
        push(&mut self.losses, (time, count));
    }

    /// Adds what is known of changes and losses.
    pub(crate) fn note(&self, detector: &Detector, found: &mut Vec<Finding>) {
        for finding in found.iter_mut() {
            finding.at_least |= self.losses_within(finding.from, finding.to).count() > 0;
            if begins_at_once(finding.kind)
                && let Some((at, change)) = self.before(finding.from, detector)
            {
                finding.summary += &format!("; it began {} after {}", minutes(finding.from - at), change.words());
            }
            if finding.at_least {
                finding.summary += "; lines were lost meanwhile, so all counts are \"at least\"";
            }
        }
        found.extend(self.finding());
    }

    fn losses_within(&self, from: i64, to: i64) -> impl Iterator<Item = &(i64, u64)> {
        self.losses.iter().filter(move |(at, _)| (from - NEAR..=to + NEAR).contains(at))
    }

    fn before(&self, from: i64, detector: &Detector) -> Option<(i64, Change)> {
        let window = i64::from(detector.thresholds().change_window) * 60_000_000;
        self.changes.iter().rev().find(|(at, _)| (0..=window).contains(&(from - at))).copied()
    }

    fn finding(&self) -> Option<Finding> {
        let (first, last) = (self.losses.front()?, self.losses.back()?);
        let lines: u64 = self.losses.iter().map(|(_, count)| count).sum();
        let mut finding = Finding::new(Kind::LogLoss, "log_loss".to_owned(), (first.0, last.0));
        finding.confidence = 0.95;
        finding.at_least = true;
        finding.counts = vec![("lines", lines), ("times", self.losses.len() as u64)];
        finding.summary = format!(
            "{} dropped by a rate limit, {}: what happened then is counted \"at least\"",
            plural(lines, "line was", "lines were"),
            plural(self.losses.len() as u64, "time", "times")
        );
        Some(finding.advise(
            &[
                "rsyslog: module(load=\"imuxsock\" SysSock.RateLimit.Interval=\"0\"); journald: RateLimitIntervalSec=0 in /etc/systemd/journald.conf, then restart it",
            ],
            &["do not trust a quiet minute next to a loss: an attack drops its own lines first"],
        ))
    }
}

/// Trouble that a change may cause; guessers begin when they like.
fn begins_at_once(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::BackendOutage
            | Kind::ConfigFault
            | Kind::MechanismMismatch
            | Kind::TlsBeforeAuth
            | Kind::WrongPortOrNotLoggedIn
            | Kind::RelayDeniedWhileLoggedIn
    )
}

fn minutes(micros: i64) -> String {
    match micros / 60_000_000 {
        0 => "at once".to_owned(),
        minutes => plural(minutes.unsigned_abs(), "minute", "minutes"),
    }
}

fn push<T>(list: &mut VecDeque<T>, item: T) {
    if list.len() >= KEPT {
        list.pop_front();
    }
    list.push_back(item);
}
