//! What came in since: the lines of the days that still grow.
//!
//! How far each source is settled, per day, goes in and comes out again. Settled is what no later line can tell more of: so whoever asks from time
//! to time misses nothing, gets a line as soon as it is in, and again while more may become known of it.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;
use std::str::FromStr;

use query::Entry;
use tantivy::query::RangeQuery;
use tantivy::{DocAddress, Term};

use super::day::{Date, Day, DayError};
use super::{Index, Part, Sources, schema};

/// Days that are looked at: the last of the store's. Older ones do not grow but by an `ingest` of old logs.
const DAYS: usize = 3;

/// How far each source is settled, in each of the last days. As text it is opaque.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks(BTreeMap<(Date, u64), u64>);

/// A text that no arrival gave out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("these marks come from no arrival")]
pub struct MarksError;

impl fmt::Display for Marks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, ((date, source), line)) in self.0.iter().enumerate() {
            let between = if at == 0 { "" } else { "_" };
            write!(f, "{between}{date}.{source}.{line}")?;
        }
        Ok(())
    }
}

impl FromStr for Marks {
    type Err = MarksError;

    fn from_str(text: &str) -> Result<Self, MarksError> {
        let mark = |text: &str| {
            let mut parts = text.split('.');
            let date = parts.next()?.parse().ok()?;
            let (source, line) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
            parts.next().is_none().then_some(((date, source), line))
        };
        let marks = text.split('_').filter(|text| !text.is_empty()).map(mark);
        marks.collect::<Option<_>>().map(Self).ok_or(MarksError)
    }
}

/// A line that came in.
#[derive(Debug)]
pub struct Arrived {
    /// As far as it is known now.
    pub entry: Entry,
    /// Its day, and the number of its source there.
    at: (Date, u64),
}

impl Marks {
    /// Whether a line stood before these marks when they were made.
    #[must_use]
    pub fn cover(&self, arrived: &Arrived) -> bool {
        let line = arrived.entry.line.and_then(|line| u64::try_from(line).ok());
        self.0.get(&arrived.at).zip(line).is_some_and(|(mark, line)| line <= *mark)
    }
}

/// What came in.
#[derive(Debug, Default)]
pub struct Arrivals {
    /// Lines behind the marks that were given, by time.
    pub lines: Vec<Arrived>,
    /// How far the sources are settled now.
    pub marks: Marks,
    /// There is more.
    pub more: bool,
}

impl Index {
    /// Marks so many lines before the end of each source.
    pub fn marks(&self, lines: u64) -> std::io::Result<Marks> {
        let mut marks = Marks::default();
        for day in self.last_days()? {
            let mark = |part: &Part| part.last.saturating_sub(lines).max(part.first.saturating_sub(1));
            marks.0.extend(day.payload.sources.iter().map(|(number, part)| ((day.date, *number), mark(part))));
        }
        Ok(marks)
    }

    /// The entries behind the marks, about so many at most. What is `settles` microseconds older than its source's latest line is settled. Of a
    /// day that has no marks everything is new, unless it is older than all that have some.
    pub fn arrivals(&self, since: &Marks, most: usize, settles: i64) -> std::io::Result<Arrivals> {
        let oldest = since.0.keys().map(|(date, _)| *date).min();
        let days = self.last_days()?;
        let sources = self.sources_of(days.iter().map(|day| &day.payload));
        let mut found = Arrivals::default();
        for day in days.iter().filter(|day| oldest.is_none_or(|oldest| day.date >= oldest)) {
            for (number, part) in &day.payload.sources {
                let key = (day.date, *number);
                let known = since.0.get(&key).copied().unwrap_or_default();
                let room = most.saturating_sub(found.lines.len());
                if part.last <= known {
                    found.marks.0.insert(key, known);
                    continue;
                }
                let new = self.undamaged(day.date, || behind(day, &sources, *number, known, room)).unwrap_or_default();
                let cut = new.len() >= room;
                let settled = |entry: &&Entry| cut || entry.ts.is_some_and(|ts| ts < part.turn.saturating_sub(settles));
                let lines = new.iter().filter(settled).filter_map(|entry| u64::try_from(entry.line?).ok());
                found.more |= cut;
                found.marks.0.insert(key, lines.max().unwrap_or(known));
                found.lines.extend(new.into_iter().map(|entry| Arrived { entry, at: key }));
            }
        }
        found.lines.sort_by(|a, b| order(&a.entry).cmp(&order(&b.entry)));
        Ok(found)
    }

    fn last_days(&self) -> std::io::Result<Vec<Day>> {
        let days = self.days()?;
        let last = days.iter().rev().take(DAYS).rev();
        Ok(last.filter_map(|date| self.open(*date)).collect())
    }
}

fn order(entry: &Entry) -> (Option<i64>, Option<&String>, Option<i64>) {
    (entry.ts, entry.source.as_ref(), entry.line)
}

/// The lines of a source behind a number, the first so many of them.
fn behind(day: &Day, sources: &Sources, number: u64, known: u64, most: usize) -> Result<Vec<Entry>, DayError> {
    let end = |line| Term::from_field_u64(day.slots.place, schema::place(number, line));
    let search = RangeQuery::new(Bound::Included(end(known + 1)), Bound::Excluded(end_of(day, number)));
    let places = day.places()?;
    let mut found: Vec<(u64, DocAddress)> = Vec::new();
    day.each(&search, |segment, doc| {
        let place = places.get(segment as usize).and_then(|at| at.place.first(doc));
        found.extend(place.map(|place| (schema::source_and_line(place).1, DocAddress::new(segment, doc))));
        Ok(true)
    })?;
    found.sort_unstable_by_key(|(line, _)| *line);
    found.truncate(most);
    found.into_iter().map(|(_, address)| Ok(day.line(address, &places, sources)?.entry)).collect()
}

/// Behind the last place of a source.
fn end_of(day: &Day, number: u64) -> Term {
    Term::from_field_u64(day.slots.place, schema::place(number + 1, 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_as_text() {
        let marks = Marks(BTreeMap::from([((Date::of(0), 1), 7), ((Date::of(1_781_691_914_000_000), 12), 99)]));
        assert_eq!(marks.to_string(), "1970-01-01.1.7_2026-06-17.12.99");
        assert_eq!(marks.to_string().parse(), Ok(marks));
        assert_eq!("".parse(), Ok(Marks::default()));
        for text in ["x", "2026-06-17.1", "2026-06-17.1.2.3", "2026-6-17.1.2", "2026-06-17.-1.2", "2026-06-17.1.2_"] {
            let parsed = text.parse::<Marks>();
            assert!(parsed.is_err() || text.ends_with('_'), "{text}");
        }
    }
}
