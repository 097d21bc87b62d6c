//! A place in the order of the store's lines: what is before it, and whether that is still what it was.
//!
//! Whoever remembers what came of the lines before a place notes the place and [`Index::covered`]; as long as that is the same, the lines
//! behind the place ([`Index::replay_from`]) are all that is new.

use serde::{Deserialize, Serialize};

use super::Index;
use super::day::{Date, Day, DayError};
use super::replay::{MINUTE_US, MINUTES, Replayed, minute, read_ahead, walk};
use crate::question::StoreError;

/// The beginning of a minute, UTC, in the order of [`Index::replay`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Cut(i64);

/// How many lines are before a [`Cut`], day by day.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Covered(Vec<(String, u64)>);

impl Cut {
    /// The minute of an instant in microseconds since 1970 UTC.
    #[must_use]
    pub fn at(time: i64) -> Self {
        Self(time.div_euclid(MINUTE_US))
    }

    /// Its first microsecond.
    #[must_use]
    pub fn start(self) -> i64 {
        self.0.saturating_mul(MINUTE_US)
    }

    /// That of a line which has its turn in a day.
    fn of(day: &Day, turn: i64) -> Self {
        Self::at(day.date.start()).plus(minute(day, turn))
    }

    fn plus(self, minutes: usize) -> Self {
        Self(self.0.saturating_add(i64::try_from(minutes).unwrap_or(i64::MAX)))
    }

    fn date(self) -> Date {
        Date::of(self.start())
    }

    /// The minute of its day.
    fn minute(self) -> usize {
        usize::try_from(self.0.saturating_sub(Self::at(self.date().start()).0)).unwrap_or_default().min(MINUTES)
    }
}

impl Index {
    /// The latest time of a line, microseconds since 1970 UTC.
    pub fn latest(&self) -> std::io::Result<Option<i64>> {
        let days = self.days()?;
        let latest = |date| self.note(date)?.sources.values().map(|part| part.turn).max();
        Ok(days.into_iter().rev().find_map(latest))
    }

    /// How many lines are before a place.
    pub fn covered(&self, cut: Cut) -> std::io::Result<Covered> {
        let days = self.days()?.into_iter().filter(|date| *date <= cut.date());
        let counted = days.filter_map(|date| {
            let day = self.open(date)?;
            let lines = if date < cut.date() {
                day.searcher.num_docs()
            } else {
                self.undamaged(date, || lines_before(&day, cut.minute()))?
            };
            (lines > 0).then(|| (date.to_string(), lines))
        });
        Ok(Covered(counted.collect()))
    }

    /// Hands on every line from a place on, in the order of [`Index::replay`], with its own place. `false` from `take` ends it. Days that
    /// cannot be read are told of by [`Index::told`].
    pub fn replay_from(&self, from: Cut, mut take: impl FnMut(Replayed, Cut) -> bool) -> Result<(), StoreError> {
        self.each_of(
            |date| date >= from.date(),
            |day, sources| {
                let first = if day.date == from.date() { from.minute() } else { 0 };
                walk(day, &tantivy::query::AllQuery, sources, first, &mut |places, keys| {
                    read_ahead(day, places, keys, |line, key| take(line, Cut::of(day, key.0)))
                })
            },
        )
    }
}

/// Lines of a day that have their turn before a minute.
fn lines_before(day: &Day, before: usize) -> Result<u64, DayError> {
    let places = day.places()?;
    let mut lines = 0;
    day.each(&tantivy::query::AllQuery, |segment, doc| {
        let at = places.get(segment as usize);
        let turn = at.and_then(|at| at.turn.first(doc).or_else(|| at.ts.first(doc)));
        lines += u64::from(turn.is_some_and(|turn| minute(day, turn) < before));
        Ok(true)
    })?;
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_of_days() {
        let day = 86_400_000_000;
        for (time, minute) in [(0, 0), (59_999_999, 0), (60_000_000, 1), (day - 1, 1_439), (day, 0), (-1, 1_439)] {
            let cut = Cut::at(time);
            assert_eq!((cut.minute(), cut.date()), (minute, Date::of(time)));
            assert!(cut.start() <= time && time < cut.start() + MINUTE_US);
        }
    }
}
