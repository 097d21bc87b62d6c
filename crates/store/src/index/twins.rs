//! Lines that are in already under another source: `mail.info` holds what `mail.log` holds.
//!
//! A new line goes in, whether it is one of those comes out. As within one reading, the n-th occurrence of the same bytes in a source is
//! new only if other sources do not hold n of them. Only sources that were in when writing began count, and only where their
//! time and the line's meet: logs that follow one another cost nothing, and have no line in common.

use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher as _;
use std::ops::Bound;
use std::path::Path;

use foldhash::quality::RandomState;
use tantivy::query::RangeQuery;
use tantivy::{DocAddress, Term};

use super::day::{Date, Day, DayError};
use super::payload::{Part, Payload};
use super::schema;
use super::stored::Kept;

/// Lines remembered at most, 24 bytes each, about; of sources beyond that no line is known again.
const LINES_MAX: usize = 4_000_000;

/// How often a line occurs, by its hash.
type Occurrences = HashMap<u64, u32, RandomState>;

/// From when to when the lines of a source go, microseconds since 1970 UTC.
#[derive(Clone, Copy)]
struct Span {
    from: i64,
    turn: i64,
}

impl Span {
    /// Whether a source that began at `begun` has nothing in common with it but that instant: stamps of whole seconds may be the
    /// same at the end of a log and at the beginning of the one that took its place, and so may whole lines.
    fn only_touches(self, begun: i64, time: i64) -> bool {
        time == self.turn && begun >= self.turn || time == self.from && begun < self.from
    }
}

/// What was in when writing began.
#[derive(Default)]
pub(super) struct Twins {
    before: BTreeMap<Date, BTreeMap<u64, Part>>,
    /// From when to when each source goes, over all days.
    spans: HashMap<u64, Span, RandomState>,
    /// When each source begins that is written.
    begun: HashMap<u64, i64, RandomState>,
    /// By day and source.
    loaded: BTreeMap<(Date, u64), Occurrences>,
    /// By source and hash: how often it came.
    came: HashMap<(u64, u64), u32, RandomState>,
    lines: usize,
    hasher: RandomState,
}

impl Twins {
    /// With the days as they are now.
    pub(super) fn new(days: &BTreeMap<Date, Payload>) -> Self {
        let before = days.iter().map(|(date, payload)| (*date, payload.sources.clone())).collect();
        let mut spans: HashMap<u64, Span, RandomState> = HashMap::default();
        for (number, part) in days.values().flat_map(|payload| &payload.sources) {
            let span = spans.entry(*number).or_insert(Span { from: part.from, turn: part.turn });
            *span = Span { from: span.from.min(part.from), turn: span.turn.max(part.turn) };
        }
        Self { before, spans, ..Self::default() }
    }

    /// Sources in which a line of that time may stand as well. To be asked for each line of a source, in order.
    pub(super) fn meeting(&mut self, source: u64, time: i64) -> Vec<u64> {
        let known = self.spans.get(&source).map_or(time, |span| span.from.min(time));
        let begun = *self.begun.entry(source).or_insert(known);
        let parts = self.before.get(&Date::of(time)).into_iter().flatten();
        let meets = |number: &u64, part: &Part| {
            (part.from..=part.turn).contains(&time)
                && self.spans.get(number).is_none_or(|span| !span.only_touches(begun, time))
        };
        parts.filter(|(number, part)| **number != source && meets(number, part)).map(|(number, _)| *number).collect()
    }

    /// Whether the line stands in one of these sources. To be asked once for each line of a source, in order. `root` is the folder of days.
    pub(super) fn is_in(&mut self, root: &Path, source: u64, time: i64, kept: &Kept, beside: &[u64]) -> bool {
        let Some(raw) = &kept.raw else { return false };
        let (date, hash) = (Date::of(time), self.hasher.hash_one((time, raw)));
        let mut held = 0_u32;
        for other in beside {
            self.load(root, date, *other);
            let count = self.loaded.get(&(date, *other)).and_then(|lines| lines.get(&hash));
            held = held.saturating_add(count.copied().unwrap_or_default());
        }
        if held == 0 {
            return false;
        }
        let came = self.came.entry((source, hash)).or_default();
        *came = came.saturating_add(1);
        *came <= held
    }

    fn load(&mut self, root: &Path, date: Date, source: u64) {
        if self.loaded.contains_key(&(date, source)) {
            return;
        }
        let last = self.before.get(&date).and_then(|parts| parts.get(&source)).map_or(0, |part| part.last);
        let mut lines = Occurrences::default();
        let room = LINES_MAX.saturating_sub(self.lines);
        let mut take = |time: i64, kept: &Kept| {
            if let Some(raw) = &kept.raw {
                *lines.entry(self.hasher.hash_one((time, raw))).or_default() += 1;
            }
            lines.len() < room
        };
        // What cannot be read is not known again; the day's damage is told elsewhere.
        if each(&root.join(date.to_string()), date, source, last, &mut take).is_err() || lines.len() >= room {
            lines.clear();
        }
        self.lines += lines.len();
        self.loaded.insert((date, source), lines);
    }
}

/// Tells of the lines of a source in a day up to a number, with their times, until it is told to stop.
fn each(
    path: &Path,
    date: Date,
    source: u64,
    last: u64,
    take: &mut dyn FnMut(i64, &Kept) -> bool,
) -> Result<(), DayError> {
    let day = Day::open(date, path)?;
    let end = |line| Term::from_field_u64(day.slots.place, schema::place(source, line));
    let search = RangeQuery::new(Bound::Included(end(0)), Bound::Included(end(last)));
    let places = day.places()?;
    day.each(&search, |segment, doc| {
        let Some(ts) = places.get(segment as usize).and_then(|places| places.ts.first(doc)) else { return Ok(true) };
        let unpacked = Kept::unpack_line(&day.packed(DocAddress::new(segment, doc))?)?;
        Ok(take(ts, &unpacked.kept))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_that_follow_one_another_only_touch() {
        let span = Span { from: 100, turn: 200 };
        // What took its place, what it took the place of, a copy, one that began with it, and one that began in its midst.
        for (begun, time, touches) in [
            (200, 200, true),
            (50, 100, true),
            (100, 100, false),
            (100, 200, false),
            (50, 150, false),
            (150, 200, false),
            (201, 201, false),
        ] {
            assert_eq!(span.only_touches(begun, time), touches, "{begun} {time}");
        }
    }
}
