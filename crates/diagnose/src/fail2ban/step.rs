//! Whether a jail sees what we see.
//!
//! Our own failures go in (those that the filter should match), and what a jail's log says; a word for the jail comes out:
//! in step, partly blind, or blind. Jails go blind after an update of the wording, a move of the log, or a change of the journal's
//! unit, and nobody notices, as nothing is banned and nothing complains.

use std::collections::BTreeMap;
use std::net::IpAddr;

use trace::{Attempt, Map};

use super::history::{HOUR, JailHistory};

/// Addresses counted at most.
const ADDRESSES: usize = 200_000;
/// Hours told apart at most.
const HOURS: usize = 20_000;
/// So many failures that a jail never found are no accident.
const ENOUGH: u64 = 3;
/// An address with so many failures is one that any jail should have found.
const LOUD: u64 = 5;
/// Less than this share of the loud addresses found: partly blind.
const MOST: f64 = 0.9;

/// Our own failures, for a comparison.
#[derive(Default)]
pub struct InStep {
    by: Map<IpAddr, BTreeMap<i64, u64>>,
    hours: BTreeMap<i64, u64>,
}

/// How well a jail sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sight {
    /// It finds what is there.
    InStep,
    /// It misses addresses or whole hours.
    PartlyBlind,
    /// It finds nothing, though there is something.
    Blind,
    /// Too little happened while its log lasts, to tell.
    Unclear,
}

impl Sight {
    /// The name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::InStep => "in_step",
            Self::PartlyBlind => "partly_blind",
            Self::Blind => "blind",
            Self::Unclear => "unclear",
        }
    }
}

/// A jail beside our own failures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JailStep {
    /// The word.
    pub sight: Sight,
    /// Our failures while the log of fail2ban lasts.
    pub ours: u64,
    /// What it found.
    pub found: u64,
    /// Addresses with at least five failures, and how many of these it never found.
    pub loud: usize,
    /// The latter, the first ones in order.
    pub never_found: Vec<IpAddr>,
    /// Hours with at least three failures in which it found nothing: start, microseconds since 1970 UTC.
    pub silent_hours: Vec<i64>,
}

impl InStep {
    /// A login that failed.
    pub fn failed(&mut self, attempt: &Attempt) {
        let Some(ip) = attempt.at.client_ip.filter(|_| super::filter_matches(attempt)) else { return };
        self.failure(ip, attempt.at.time, attempt.count);
    }

    fn failure(&mut self, ip: IpAddr, time: i64, times: u32) {
        let hour = time.div_euclid(HOUR);
        if self.hours.len() < HOURS || self.hours.contains_key(&hour) {
            *self.hours.entry(hour).or_default() += u64::from(times);
        }
        if self.by.len() < ADDRESSES || self.by.contains_key(&ip) {
            *self.by.entry(ip).or_default().entry(hour).or_default() += u64::from(times);
        }
    }
}

/// Compares a jail with our failures over the time that fail2ban's log tells of.
#[must_use]
pub fn in_step(ours: &InStep, jail: &JailHistory, span: (i64, i64)) -> JailStep {
    // The hours at both ends are only half there.
    let hours = span.0.div_euclid(HOUR)..=span.1.div_euclid(HOUR);
    let whole = |hour: &i64| hour * HOUR >= span.0 && (hour + 1) * HOUR <= span.1;
    let total: u64 = ours.hours.range(hours.clone()).map(|(_, count)| count).sum();
    let mut loud = 0;
    let mut never_found: Vec<IpAddr> = Vec::new();
    for (ip, by_hour) in &ours.by {
        let count: u64 = by_hour.iter().filter(|(hour, _)| whole(hour)).map(|(_, count)| count).sum();
        if count < LOUD {
            continue;
        }
        loud += 1;
        if !jail.found_by.contains_key(ip) {
            never_found.push(*ip);
        }
    }
    never_found.sort_unstable();
    let silent = |hour: &i64, count: u64| whole(hour) && count >= ENOUGH && !jail.found_hours.contains_key(hour);
    let silent_hours: Vec<i64> =
        ours.hours.range(hours).filter(|(hour, count)| silent(hour, **count)).map(|(hour, _)| hour * HOUR).collect();
    let found_loud = loud - never_found.len();
    let sight = if total < ENOUGH {
        Sight::Unclear
    } else if jail.found == 0 {
        Sight::Blind
    } else if (found_loud as f64) < loud as f64 * MOST || !silent_hours.is_empty() {
        Sight::PartlyBlind
    } else {
        Sight::InStep
    };
    JailStep { sight, ours: total, found: jail.found, loud, never_found, silent_hours }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fail2ban::{Action, History};

    /// Our failures and the jail's findings as (minute, last byte of the address); the word, loud ones never found, silent hours.
    fn check(ours: &[(i64, u8)], found: &[(i64, u8)], expected: (Sight, usize, usize)) {
        let ip = |last: u8| IpAddr::from([203, 0, 113, last]);
        let time = |minute: i64| minute * 60_000_000;
        let mut mine = InStep::default();
        for (minute, last) in ours {
            mine.failure(ip(*last), time(*minute), 1);
        }
        let mut history = History::default();
        history.add("a", time(0), &Action::Started);
        for (minute, last) in found {
            history.add("a", time(*minute), &Action::Found(ip(*last)));
        }
        history.add("a", time(300), &Action::Started);
        let step = in_step(&mine, &history.jails["a"], history.span.unwrap());
        assert_eq!((step.sight, step.never_found.len(), step.silent_hours.len()), expected, "{ours:?} {found:?}");
    }

    #[test]
    fn sight_of_a_jail() {
        let six = [(1, 1), (2, 1), (3, 1), (4, 1), (5, 1), (6, 1)];
        check(&six, &six, (Sight::InStep, 0, 0));
        check(&six, &six[..5], (Sight::InStep, 0, 0));
        check(&six, &[], (Sight::Blind, 1, 1));
        check(&six[..2], &[], (Sight::Unclear, 0, 0));
        // Another address was found, this one never.
        check(&six, &[(7, 2)], (Sight::PartlyBlind, 1, 0));
        // Two hours later it finds nothing any more.
        let later: Vec<(i64, u8)> = six.iter().map(|(minute, last)| (minute + 120, *last)).collect();
        check(&[&six[..], &later[..]].concat(), &six, (Sight::PartlyBlind, 0, 1));
        // Before and after its log we cannot know.
        check(&[(-9, 3), (-8, 3), (-7, 3), (-6, 3), (-5, 3)], &[], (Sight::Unclear, 0, 0));
        check(&[(400, 3), (401, 3), (402, 3)], &[(1, 1)], (Sight::Unclear, 0, 0));
    }
}
