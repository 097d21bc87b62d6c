//! The lines of a time, in the order in which they would be read from their files.
//!
//! Day by day; in a day by time, where a line whose own time is before that of an earlier line of its source has its turn right after it.

use query::Expr;
use tantivy::schema::Value as _;
use tantivy::query::AllQuery;
use tantivy::{DocAddress, TantivyDocument};

use super::day::{Day, DayError};
use super::schema::source_and_line;
use super::span::Span;
use super::stored::{Kept, Unpacked};
use super::{Index, Sources};
use crate::question::StoreError;

/// Lines put in order at the same time, about.
const CHUNK_LINES: u64 = 200_000;
const MINUTE_US: i64 = 60_000_000;
const MINUTES: usize = 24 * 60;

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
    pub time_inferred: Option<String>,
    /// It was longer than what is kept.
    pub truncated: bool,
    /// The line.
    pub kept: Kept,
}

/// When its turn is, the rank of its source, its number, and where it is.
type Key = (i64, usize, u64, u64, DocAddress);

impl Index {
    /// Hands on every line of the days that a query can mean, whether it means the line or not. `false` from `take` ends it. Output: the
    /// sources. Days that cannot be read are told of by [`Index::told`].
    pub fn replay(
        &self,
        expr: &Expr,
        mut take: impl FnMut(&Sources, Replayed) -> bool,
    ) -> Result<Sources, StoreError> {
        let sources = self.sources().map_err(|why| StoreError::Unreadable(Box::new(why)))?;
        let ranks = sources.ranks();
        let rank = |source: u64| ranks.get(&source).copied().unwrap_or(usize::MAX);
        let span = Span::of(expr);
        let dates = self.days().map_err(|why| StoreError::Unreadable(Box::new(why)))?;
        for date in dates.into_iter().filter(|date| span.touches(*date)) {
            let Some(day) = self.open(date) else { continue };
            let go_on = self.undamaged(date, || replay_day(&day, rank, &mut |line| take(&sources, line)));
            if go_on == Some(false) {
                break;
            }
        }
        Ok(sources)
    }
}

/// The minute of the day in which a line has its turn.
fn minute(day: &Day, turn: i64) -> usize {
    let minute = turn.saturating_sub(day.date.start()).div_euclid(MINUTE_US);
    usize::try_from(minute).unwrap_or_default().min(MINUTES - 1)
}

fn replay_day(
    day: &Day,
    rank: impl Fn(u64) -> usize,
    take: &mut dyn FnMut(Replayed) -> bool,
) -> Result<bool, DayError> {
    let places = day.places()?;
    let key = |segment: u32, doc| -> Option<Key> {
        let at = places.get(segment as usize)?;
        let (source, line) = source_and_line(at.place.first(doc)?);
        let turn = at.turn.first(doc).or_else(|| at.ts.first(doc))?;
        Some((turn, rank(source), source, line, DocAddress::new(segment, doc)))
    };
    let mut minutes = vec![0_u64; MINUTES];
    day.each(&AllQuery, |segment, doc| {
        if let Some(slot) = key(segment, doc).and_then(|key| minutes.get_mut(minute(day, key.0))) {
            *slot += 1;
        }
        Ok(true)
    })?;
    let mut from = 0;
    while from < MINUTES {
        let to = chunk_end(&minutes, from);
        let mut keys: Vec<Key> = Vec::new();
        day.each(&AllQuery, |segment, doc| {
            keys.extend(key(segment, doc).filter(|key| (from..to).contains(&minute(day, key.0))));
            Ok(true)
        })?;
        keys.sort_unstable();
        for (_, _, source, line, address) in keys {
            let ts = places.get(address.segment_ord as usize).and_then(|at| at.ts.first(address.doc_id));
            let document: TantivyDocument = day.searcher.doc(address)?;
            let packed = document.get_first(day.slots.packed).and_then(|value| value.as_bytes()).unwrap_or_default();
            let Unpacked { kept, time_inferred, truncated } = Kept::unpack_line(packed)?;
            if !take(Replayed { source, line, ts, time_inferred, truncated, kept }) {
                return Ok(false);
            }
        }
        from = to;
    }
    Ok(true)
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
