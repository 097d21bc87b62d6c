//! Lines of a source taken back, so that they can come in anew, and from where on.

use std::ops::{Bound, RangeInclusive};

use tantivy::Term;
use tantivy::query::RangeQuery;

use super::aside::Change;
use super::day::{Date, Day, DayError};
use super::payload::{Part, Payload};
use super::schema::{self, Slots, source_and_line};
use super::writer::{WriteError, Writer};

/// Lines of a source by their numbers.
fn lines(slots: &Slots, source: u64, numbers: RangeInclusive<u64>) -> RangeQuery {
    let end = |line: &u64| Term::from_field_u64(slots.place, schema::place(source, *line));
    RangeQuery::new(Bound::Included(end(numbers.start())), Bound::Included(end(numbers.end())))
}

impl Writer {
    /// Takes out the lines of a source from a number on, so that they can come in anew. The next commit says so.
    pub fn rewind(&mut self, source: u64, from: u64) -> Result<(), WriteError> {
        let touched = |payload: &Payload| payload.sources.get(&source).is_some_and(|part| part.last >= from);
        let dates: Vec<Date> =
            self.payloads.iter().filter(|(_, payload)| touched(payload)).map(|(date, _)| *date).collect();
        for date in dates {
            self.ready(date)?;
            let Some(slots) = self.slots(date) else { continue };
            let range = Box::new(lines(slots, source, from..=u64::MAX));
            // The note before the change, which may be written at once, note and all.
            let Some(payload) = self.payloads.get_mut(&date) else { continue };
            match payload.sources.get_mut(&source) {
                Some(part) if part.first < from => part.last = from - 1,
                _ => drop(payload.sources.remove(&source)),
            }
            self.put(date, Change::Gone(range))?;
        }
        Ok(())
    }

    /// The number of the first line that is kept under a source and is of a time or later.
    pub fn first_since(&self, source: u64, time: i64) -> Result<Option<u64>, WriteError> {
        let mut least: Option<u64> = None;
        self.each_day(
            source,
            |part| part.turn >= time,
            |day| {
                least = least.into_iter().chain(first_since(day, source, time)?).min();
                Ok(())
            },
        )?;
        Ok(least)
    }

    /// How many lines are kept under a source, of those numbers.
    pub fn count(&self, source: u64, numbers: RangeInclusive<u64>) -> Result<u64, WriteError> {
        let mut count = 0;
        self.each_day(
            source,
            |part| part.last >= *numbers.start(),
            |day| {
                day.each(&lines(&day.slots, source, numbers.clone()), |_, _| {
                    count += 1;
                    Ok(true)
                })
            },
        )?;
        Ok(count)
    }

    /// Reads the days that hold lines of a source, as their last commits left them.
    fn each_day(
        &self,
        source: u64,
        wanted: impl Fn(&Part) -> bool,
        mut read: impl FnMut(&Day) -> Result<(), DayError>,
    ) -> Result<(), WriteError> {
        for (date, payload) in &self.payloads {
            let path = self.path(*date);
            // A day that was not committed yet holds nothing from before.
            if payload.sources.get(&source).is_some_and(&wanted) && path.join("meta.json").exists() {
                let read = Day::open(*date, &path).and_then(|day| read(&day));
                read.map_err(|why| WriteError::Day { path, why })?;
            }
        }
        Ok(())
    }
}

fn first_since(day: &Day, source: u64, time: i64) -> Result<Option<u64>, DayError> {
    let places = day.places()?;
    let mut first: Option<u64> = None;
    day.each(&lines(&day.slots, source, 0..=u64::MAX), |segment, doc| {
        let Some(at) = places.get(segment as usize) else { return Ok(true) };
        let is_late = at.ts.first(doc).is_some_and(|ts| ts >= time);
        if let Some(place) = at.place.first(doc).filter(|_| is_late) {
            let (_, line) = source_and_line(place);
            first = first.into_iter().chain([line]).min();
        }
        Ok(true)
    })?;
    Ok(first)
}
