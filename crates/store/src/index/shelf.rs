//! The days a question may be about, each opened when it is first needed.
//!
//! What the commits say is read of all of them at once, for the sources' names and places; an index is opened only by whoever looks
//! into its lines. So a page that is full after the newest day costs no other.

use std::num::NonZero;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::day::{Date, Day};
use super::payload::Payload;
use super::span::Span;
use super::{Index, Sources};
use crate::question::StoreError;

/// Threads that look into days side by side.
const THREADS_MAX: usize = 4;

/// Some days, from old to new.
pub(crate) struct Shelf<'i> {
    index: &'i Index,
    days: Vec<Unopened>,
    pub(crate) sources: Sources,
}

/// A day of which only the note is read so far.
pub(crate) struct Unopened {
    date: Date,
    payload: Payload,
    day: OnceLock<Option<Day>>,
}

impl<'i> Shelf<'i> {
    /// The days that a span may mean.
    pub(crate) fn of(index: &'i Index, span: Span) -> Result<Self, StoreError> {
        let dates = index.days().map_err(|why| StoreError::Unreadable(Box::new(why)))?;
        let wanted = |date: &Date| span.undated || span.touches(*date);
        let noted = dates.into_iter().filter(wanted).filter_map(|date| {
            let payload = index.note(date)?;
            (span.touches(date) || payload.undated).then(|| Unopened { date, payload, day: OnceLock::new() })
        });
        let days: Vec<Unopened> = noted.collect();
        let sources = index.sources_of(days.iter().map(|day| &day.payload));
        Ok(Self { index, days, sources })
    }

    /// The days, from old to new.
    pub(crate) fn days(&self) -> Vec<Volume<'_>> {
        self.days.iter().map(|day| Volume::Unopened(self.index, day)).collect()
    }

    /// Whether every source of the days that were opened was noted before: a commit may have come in between.
    pub(crate) fn knows_all(&self) -> bool {
        let opened = self.days.iter().filter_map(|unopened| unopened.day.get()?.as_ref());
        let mut numbers = opened.flat_map(|day| day.payload.sources.keys());
        numbers.all(|number| self.sources.identity(*number).is_some())
    }
}

/// How many threads are to look into days side by side.
pub(crate) fn threads(days: &[Volume<'_>]) -> usize {
    threads_at_most(days.len())
}

/// How many threads there are to be for so many pieces of work.
pub(crate) fn threads_at_most(pieces: usize) -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get).min(THREADS_MAX).min(pieces)
}

/// Opens days side by side: most of a rare word's search is opening days.
pub(crate) fn open_side_by_side(days: &[Volume<'_>]) {
    let [_, _, ..] = days else { return };
    let threads = threads(days);
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(day) = days.get(next.fetch_add(1, Ordering::Relaxed)) {
                    day.open();
                }
            });
        }
    });
}

/// A day, opened already or not.
#[derive(Clone, Copy)]
pub(crate) enum Volume<'a> {
    Open(&'a Day),
    Unopened(&'a Index, &'a Unopened),
}

impl<'a> Volume<'a> {
    pub(crate) fn date(self) -> Date {
        match self {
            Self::Open(day) => day.date,
            Self::Unopened(_, unopened) => unopened.date,
        }
    }

    /// What its commit says; of one that is not open, what it said when that was read.
    pub(crate) fn payload(self) -> &'a Payload {
        match self {
            Self::Open(day) => &day.payload,
            Self::Unopened(_, unopened) => &unopened.payload,
        }
    }

    /// The day, opened. `None`: it is damaged, which is noted.
    pub(crate) fn open(self) -> Option<&'a Day> {
        match self {
            Self::Open(day) => Some(day),
            Self::Unopened(index, unopened) => unopened.day.get_or_init(|| index.open(unopened.date)).as_ref(),
        }
    }
}
