//! What an answer covers: how many lines, from when to when, what is missing.

use std::collections::VecDeque;

use crate::block::Tally;
use crate::problem::Problem;

/// A silence is reported only if it is longer than this.
const GAP_US_MIN: i64 = 6 * 3_600_000_000;
/// And this many times the usual distance of two lines.
const GAP_SPACINGS_MIN: i64 = 100;
/// Silences shorter than this are not even remembered.
const SILENCE_US_MIN: i64 = 3_600_000_000;
/// As many of the longest silences as are remembered.
const SILENCES_MAX: usize = 4096;
const DAY_US: i64 = 86_400_000_000;

/// What was read.
#[derive(Debug, Default)]
pub struct Coverage {
    /// Lines counted: `understood + unknown`. Duplicates are not among them.
    pub lines: u64,
    /// Lines whose worth is `Skip` or `Keep`.
    pub understood: u64,
    /// Lines whose worth is `Unknown`, blank lines and lines without a readable stamp included.
    pub unknown: u64,
    /// Of the unknown: lines with text but without a readable stamp.
    pub bad_time: u64,
    /// Lines that another source had already delivered.
    pub duplicates: u64,
    /// Time of the earliest line, microseconds UTC.
    pub from: Option<i64>,
    /// Time of the latest line, microseconds UTC.
    pub to: Option<i64>,
    /// Every source, in the order given.
    pub sources: Vec<SourceCoverage>,
    /// Times in which a log is silent that otherwise is not.
    pub gaps: Vec<Gap>,
    /// What was asked for and could not be read.
    pub problems: Vec<Problem>,
    /// Which logs were chosen and why, when none were named, or a folder of folders was.
    pub choice: Option<String>,
    /// The sink asked to stop before the end.
    pub stopped: bool,
}

/// What was read of one source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceCoverage {
    /// As given.
    pub name: String,
    /// Lines in it, duplicates included.
    pub lines: u64,
    /// Of these: delivered by another source before.
    pub duplicates: u64,
    /// Time of its earliest line.
    pub from: Option<i64>,
    /// Time of its latest line.
    pub to: Option<i64>,
    /// Why reading stopped before its end.
    pub damage: Option<Damage>,
    /// The year of its last line, if the log did not say and it was worked out.
    pub inferred_year: Option<i16>,
    /// Name of the source it is a copy of; then nothing else is counted here.
    pub copy_of: Option<String>,
}

/// A place behind which a source cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Name of the source.
    pub source: String,
    /// Bytes of text that were read before it; of an archive: unpacked.
    pub offset: u64,
    /// What is wrong.
    pub what: String,
}

/// A stretch of time without lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Time of the line before.
    pub from: i64,
    /// Time of the line after.
    pub to: i64,
    /// How many lines are missing, if a line says so. Always `None` here: such lines are for the caller to read.
    pub lost: Option<u64>,
    /// Name of the log that is silent.
    pub source: String,
}

/// How far a source or all of them have been counted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Count {
    pub(crate) tally: Tally,
    pub(crate) duplicates: u64,
    pub(crate) from: Option<i64>,
    pub(crate) to: Option<i64>,
}

impl Count {
    #[inline]
    pub(crate) fn see(&mut self, time: i64) {
        if self.from.is_none_or(|from| time < from) {
            self.from = Some(time);
        }
        if self.to.is_none_or(|to| time > to) {
            self.to = Some(time);
        }
    }

    pub(crate) fn lines(&self) -> u64 {
        self.tally.understood + self.tally.unknown
    }
}

/// Finds the abnormal silences of one log (a file with its rotated ones).
///
/// A silence is a gap if it is longer than 6 hours, longer than 100 times the mean distance of two lines, and silences of at least half its
/// length are rare in this log: at most two, or one in ten days. So quiet nights and week-ends are no gaps.
#[derive(Clone, Debug, Default)]
pub(crate) struct Silences {
    name: String,
    pub(crate) lines: u64,
    first: Option<i64>,
    latest: Option<i64>,
    long: VecDeque<(i64, i64)>,
}

impl Silences {
    pub(crate) fn named(name: String) -> Self {
        Self { name, ..Self::default() }
    }

    #[inline]
    pub(crate) fn see(&mut self, time: i64) {
        let latest = *self.latest.get_or_insert(time);
        if time - latest >= SILENCE_US_MIN && self.long.len() < SILENCES_MAX {
            self.long.push_back((latest, time));
        }
        if time >= latest {
            self.latest = Some(time);
        }
        self.first.get_or_insert(time);
    }

    pub(crate) fn gaps(&self) -> Vec<Gap> {
        let (Some(first), Some(latest)) = (self.first, self.latest) else { return Vec::new() };
        let silent: i64 = self.long.iter().map(|(from, to)| to - from).sum();
        let spacing = (latest - first - silent).max(0) / i64::try_from(self.lines.max(1)).unwrap_or(i64::MAX);
        let usual = 2.max((latest - first) / (10 * DAY_US));
        let rare = |length: i64| {
            i64::try_from(self.long.iter().filter(|(from, to)| to - from >= length / 2).count()).unwrap_or(i64::MAX)
                <= usual
        };
        let gap = |(from, to): &(i64, i64)| {
            let length = to - from;
            length > GAP_US_MIN && length / GAP_SPACINGS_MIN > spacing && self.lines >= 100 && rare(length)
        };
        self.long
            .iter()
            .filter(|silence| gap(silence))
            .map(|(from, to)| Gap { from: *from, to: *to, lost: None, source: self.name.clone() })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000_000;

    fn gaps(times: impl Iterator<Item = i64>) -> Vec<(i64, i64)> {
        let mut silences = Silences::default();
        times.for_each(|time| {
            silences.lines += 1;
            silences.see(time);
        });
        silences.gaps().iter().map(|gap| (gap.from / HOUR, gap.to / HOUR)).collect()
    }

    #[test]
    fn one_outage_is_a_gap() {
        let minutes = |from: i64, to: i64| (from * 60..to * 60).map(|m| m * HOUR / 60);
        assert_eq!(gaps(minutes(0, 48).chain(minutes(60, 90))), [(47, 60)]);
        assert_eq!(gaps(minutes(0, 48).chain(minutes(50, 90))), []);
        assert_eq!(gaps([].into_iter()), []);
    }

    #[test]
    fn quiet_nights_and_sparse_logs_have_none() {
        let days = (0..30).flat_map(|day| (8 * 60..18 * 60).map(move |m| day * 24 * HOUR + m * HOUR / 60));
        assert_eq!(gaps(days), []);
        assert_eq!(gaps((0..300).map(|n| n * 7 * HOUR)), []);
        assert_eq!(gaps([0, 100 * HOUR].into_iter()), []);
    }
}
