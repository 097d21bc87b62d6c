//! The lines around a row, from the same source, whatever day they belong to.

use std::ops::Bound;
use std::sync::Arc;

use query::Entry;
use tantivy::query::RangeQuery;
use tantivy::{DocAddress, Term};

use super::day::{Day, DayError};
use super::schema;
use super::shelf::{Shelf, Volume};
use super::span::Span;
use super::{Index, Sources};
use crate::question::Row;

impl Index {
    /// Adds to each row the lines before and after it, so many each.
    pub(crate) fn surround(&self, rows: &mut [Row], sources: &Sources, lines: usize) {
        // Lines near a row may belong to another day than those the question was about.
        let Ok(shelf) = Shelf::of(self, Span::ALL) else { return };
        let days = shelf.days();
        let lines = u64::try_from(lines).unwrap_or(u64::MAX);
        for row in rows {
            let name = row.entry.source.clone().unwrap_or_default();
            let line = row.entry.line.and_then(|line| u64::try_from(line).ok()).unwrap_or_default();
            let named = |number: &u64| sources.name(*number) == name;
            for number in sources.numbers().filter(named) {
                row.before.extend(self.between(&days, sources, number, line.saturating_sub(lines), line));
                row.after.extend(self.between(&days, sources, number, line + 1, line.saturating_add(lines) + 1));
            }
            for side in [&mut row.before, &mut row.after] {
                side.sort_by_key(|entry| entry.line);
            }
        }
    }

    /// Lines of a source from one number to before another.
    fn between(&self, days: &[Volume<'_>], sources: &Sources, number: u64, from: u64, to: u64) -> Vec<Arc<Entry>> {
        let touches = |day: &&Volume<'_>| {
            day.payload().sources.get(&number).is_some_and(|part| part.first < to && part.last >= from)
        };
        let found = days
            .iter()
            .filter(touches)
            .filter_map(|day| day.open())
            .filter_map(|day| self.undamaged(day.date, || entries(day, sources, number, from, to)));
        found.flatten().collect()
    }
}

fn entries(day: &Day, sources: &Sources, number: u64, from: u64, to: u64) -> Result<Vec<Arc<Entry>>, DayError> {
    let end = |line| Term::from_field_u64(day.slots.place, schema::place(number, line));
    let search = RangeQuery::new(Bound::Included(end(from)), Bound::Excluded(end(to)));
    let places = day.places()?;
    let mut found = Vec::new();
    day.each(&search, |segment, doc| {
        found.push(Arc::new(day.line(DocAddress::new(segment, doc), &places, sources)?.entry));
        Ok(true)
    })?;
    Ok(found)
}
