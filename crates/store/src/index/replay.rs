//! The lines of a time, in the order in which they would be read from their files.
//!
//! Day by day; in a day by time, where a line whose own time is before that of an earlier line of its source has its turn right after it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use query::{Entry, Query};
use tantivy::DocAddress;
use tantivy::query::{AllQuery, Query as Search};

use super::day::{Date, Day, DayError, Places};
use super::schema::source_and_line;
use super::span::Span;
use super::stored::Kept;
use super::{Index, Sources};
use crate::question::StoreError;

/// Lines put in order at the same time, about.
const CHUNK_LINES: u64 = 200_000;
/// Lines that are handed on together, and how often so many are read ahead.
const PART_LINES: usize = 256;
const PARTS_AHEAD: usize = 4;
pub(super) const MINUTE_US: i64 = 60_000_000;
pub(super) const MINUTES: usize = 24 * 60;

/// A line that was kept.
#[derive(Debug)]
pub struct Replayed {
    /// The number of its source.
    pub source: u64,
    /// Its number there.
    pub line: u64,
    /// Its time, microseconds since 1970 UTC.
    pub ts: Option<i64>,
    /// What of its time the log did not say: as in an entry.
    pub time_inferred: Option<Cow<'static, str>>,
    /// It was longer than what is kept.
    pub truncated: bool,
    /// The line.
    pub kept: Kept,
}

/// When its turn is, the rank of its source, its number, and where it is.
pub(super) type Key = (i64, usize, u64, u64, DocAddress);

/// The key of a line.
pub(super) fn key(places: &[Places], turns: &BTreeMap<u64, usize>, address: DocAddress) -> Option<Key> {
    let at = places.get(address.segment_ord as usize)?;
    let (source, line) = source_and_line(at.place.first(address.doc_id)?);
    let turn = at.turn.first(address.doc_id).or_else(|| at.ts.first(address.doc_id))?;
    let rank = turns.get(&source).copied().unwrap_or(usize::MAX);
    Some((turn, rank, source, line, address))
}

impl Index {
    /// Hands on every line of the days that a query can mean, whether it means the line or not. `false` from `take` ends it. Days that
    /// cannot be read are told of by [`Index::told`].
    pub fn replay(&self, query: &Query, mut take: impl FnMut(Replayed) -> bool) -> Result<(), StoreError> {
        self.each_day(query, |day, sources| {
            walk(day, &AllQuery, sources, 0, &mut |places, keys| read_ahead(day, places, keys, |line, _| take(line)))
        })
    }

    /// Hands on every entry that a query means, with its line, in the order of [`Index::replay`].
    pub fn entries(&self, query: &Query, mut take: impl FnMut(Entry, &Kept) -> bool) -> Result<(), StoreError> {
        self.each_day(query, |day, sources| {
            let narrowed = day.narrow(query, sources);
            walk(day, narrowed.search.as_ref(), sources, 0, &mut |places, keys| {
                for key in keys {
                    let line = day.line(key.4, places, sources)?;
                    if query.matches(&line.entry) && !take(line.entry, &line.kept) {
                        return Ok(false);
                    }
                }
                Ok(true)
            })
        })
    }

    fn each_day(
        &self,
        query: &Query,
        run: impl FnMut(&Day, &Sources) -> Result<bool, DayError>,
    ) -> Result<(), StoreError> {
        let span = Span::of(query.expr());
        self.each_of(|date| self.may_hold(date, span), run)
    }

    /// Runs something on the days that are wanted, from old to new, as long as it says `true`.
    pub(super) fn each_of(
        &self,
        wanted: impl Fn(Date) -> bool,
        mut run: impl FnMut(&Day, &Sources) -> Result<bool, DayError>,
    ) -> Result<(), StoreError> {
        let unreadable = |why| StoreError::Unreadable(Box::new(why));
        let sources = self.sources().map_err(unreadable)?;
        for date in self.days().map_err(unreadable)?.into_iter().filter(|date| wanted(*date)) {
            let Some(day) = self.open(date) else { continue };
            if self.undamaged(date, || run(&day, &sources)) == Some(false) {
                break;
            }
        }
        Ok(())
    }
}

/// Takes lines where they stand, in order; says whether more is wanted.
pub(super) type Take<'t> = dyn FnMut(&[Places], &[Key]) -> Result<bool, DayError> + 't;

/// The minute of the day in which a line has its turn.
pub(super) fn minute(day: &Day, turn: i64) -> usize {
    let minute = turn.saturating_sub(day.date.start()).div_euclid(MINUTE_US);
    usize::try_from(minute).unwrap_or_default().min(MINUTES - 1)
}

/// Goes through what a search finds in a day from a minute on. Output: whether more is wanted.
pub(super) fn walk(
    day: &Day,
    search: &dyn Search,
    sources: &Sources,
    first: usize,
    take: &mut Take<'_>,
) -> Result<bool, DayError> {
    let (places, turns) = (day.places()?, sources.turns());
    let found = Found::of(day, search, &places)?;
    let mut from = first;
    while from < MINUTES {
        let to = chunk_end(&found.lines, from);
        let mut keys: Vec<Key> = found.within(from..to).filter_map(|address| key(&places, &turns, address)).collect();
        keys.sort_unstable();
        if !take(&places, &keys)? {
            return Ok(false);
        }
        from = to;
    }
    Ok(true)
}

/// What a search finds in a day, by the minute in which each line has its turn: so that lines can be put in order some at a time without
/// going through their columns each time.
struct Found {
    /// The minute of each document, segment by segment; [`Found::NOT`] for those that were not found.
    minutes: Vec<Vec<u16>>,
    /// How many lines there are of each minute.
    lines: Vec<u64>,
}

impl Found {
    const NOT: u16 = u16::MAX;

    fn of(day: &Day, search: &dyn Search, places: &[Places]) -> Result<Self, DayError> {
        let segments = day.searcher.segment_readers().iter();
        let mut minutes: Vec<Vec<u16>> =
            segments.map(|reader| vec![Self::NOT; usize::try_from(reader.max_doc()).unwrap_or_default()]).collect();
        let mut lines = vec![0_u64; MINUTES];
        day.each(search, |segment, doc| {
            let at = places.get(segment as usize);
            let turn = at.and_then(|at| at.turn.first(doc).or_else(|| at.ts.first(doc)));
            let slot = minutes.get_mut(segment as usize).and_then(|minutes| minutes.get_mut(doc as usize));
            if let (Some(turn), Some(slot)) = (turn, slot) {
                let minute = minute(day, turn);
                *slot = u16::try_from(minute).unwrap_or(Self::NOT);
                if let Some(count) = lines.get_mut(minute) {
                    *count += 1;
                }
            }
            Ok(true)
        })?;
        Ok(Self { minutes, lines })
    }

    /// The lines of some minutes.
    fn within(&self, wanted: Range<usize>) -> impl Iterator<Item = DocAddress> + '_ {
        (0..).zip(&self.minutes).flat_map(move |(segment, minutes)| {
            let wanted = wanted.clone();
            let is_wanted = move |(_, minute): &(u32, &u16)| wanted.contains(&usize::from(**minute));
            (0..).zip(minutes).filter(is_wanted).map(move |(doc, _)| DocAddress::new(segment, doc))
        })
    }
}

/// Reads lines in a thread of its own while those before them are taken. Output: whether more is wanted.
pub(super) fn read_ahead(
    day: &Day,
    places: &[Places],
    keys: &[Key],
    mut take: impl FnMut(Replayed, Key) -> bool,
) -> Result<bool, DayError> {
    std::thread::scope(|scope| {
        let (read, taken) = std::sync::mpsc::sync_channel(PARTS_AHEAD);
        let reading = scope.spawn(move || {
            for keys in keys.chunks(PART_LINES) {
                let mut lines = Vec::with_capacity(keys.len());
                let read_all: Result<(), DayError> = keys.iter().try_for_each(|key| {
                    lines.push((Replayed::read(day, places, *key)?, *key));
                    Ok(())
                });
                let is_over = read_all.is_err();
                if read.send((lines, read_all)).is_err() || is_over {
                    return;
                }
            }
        });
        for (lines, read_all) in taken {
            for (line, key) in lines {
                if !take(line, key) {
                    return Ok(false);
                }
            }
            // What was read before the damage showed is taken.
            read_all?;
        }
        // Damage that shows as a panic is told as it would be here.
        reading.join().map_or_else(|why| std::panic::resume_unwind(why), |()| Ok(true))
    })
}

/// The end of a chunk of minutes that hold about [`CHUNK_LINES`] lines.
fn chunk_end(minutes: &[u64], from: usize) -> usize {
    let mut lines = 0;
    for (at, count) in minutes.iter().enumerate().skip(from) {
        if lines > 0 && lines + count > CHUNK_LINES {
            return at;
        }
        lines += count;
    }
    minutes.len()
}
