//! Some lines of a store, picked out step by step and then read as if they were all there is.
//!
//! Queries go in, each telling what further ones to ask for; the lines they mean come out in the order in which all lines would, each
//! once. So whoever knows which lines an answer hangs on need not read the others.

use std::borrow::Cow;
use std::collections::BTreeSet;

use query::{Entry, Query};
use tantivy::DocAddress;

use super::day::{Date, Day, DayError, Places};
use super::replay::{Key, Replayed};
use super::schema::source_and_line;
use super::shelf::Volume;
use super::span::Span;
use super::stored::{Kept, Unpacked};
use super::{Index, Sources};
use crate::question::{Answer, Question, StoreError};

/// Lines picked out of the days of a time. It goes on telling of the store as it was when it was opened.
pub struct Pick<'i> {
    index: &'i Index,
    days: Vec<Opened>,
    sources: Sources,
    lines: usize,
    /// Lines that may still be looked at.
    left: u64,
}

/// To look at a line takes as long as to replay so many.
const PRICE: u64 = 100;
/// So many lines may always be looked at.
const LOOKED_LEAST: u64 = 2_000;

/// A day, and what was picked of it.
struct Opened {
    day: Day,
    places: Vec<Places>,
    picked: BTreeSet<DocAddress>,
}

/// What is counted of one source without its lines being read.
#[derive(Clone, Debug, Default)]
pub struct Counted {
    /// Its lines.
    pub lines: u64,
    /// For each minute in which it wrote: the earliest and the latest time, microseconds since 1970 UTC. From old to new.
    pub minutes: Vec<(i64, i64)>,
    /// The number and time of its last line that has a time.
    pub last: (u64, Option<i64>),
}

impl Index {
    /// Opens the days that a query can mean, with nothing picked yet. Days that cannot be read are told of by [`Index::told`].
    pub fn pick(&self, time: &Query) -> Result<Pick<'_>, StoreError> {
        let span = Span::of(time.expr());
        let days = self.open_all(span)?;
        let sources = match span {
            Span::ALL => self.sources_of(days.iter().map(|day| &day.payload)),
            _ => self.sources().map_err(|why| StoreError::Unreadable(Box::new(why)))?,
        };
        let opened = days.into_iter().filter_map(|day| {
            let places = self.undamaged(day.date, || day.places())?;
            Some(Opened { day, places, picked: BTreeSet::new() })
        });
        let days: Vec<Opened> = opened.collect();
        let all: u64 = days.iter().map(|opened| opened.day.searcher.num_docs()).sum();
        Ok(Pick { index: self, days, sources, lines: 0, left: (all / PRICE).max(LOOKED_LEAST) })
    }
}

impl Pick<'_> {
    /// Lines picked so far.
    #[must_use]
    pub fn lines(&self) -> usize {
        self.lines
    }

    /// Whether so many lines were looked at that to replay all of them is quicker. No more are picked then.
    #[must_use]
    pub fn is_too_much(&self) -> bool {
        self.left == 0
    }

    /// Picks every line that a query means, and tells of those that were not picked before.
    pub fn add(&mut self, query: &Query, seen: impl FnMut(&Entry, &Kept)) {
        self.look(query, |_| true, false, &mut meant_by(query, seen));
    }

    /// The same, and tells of those that were picked before, too.
    pub fn add_again(&mut self, query: &Query, seen: impl FnMut(&Entry, &Kept)) {
        self.look(query, |_| true, true, &mut meant_by(query, seen));
    }

    /// The same of a query with many parts: whether it means a line that was found for it, the caller tells more quickly.
    pub fn add_such(&mut self, query: &Query, mut is_meant: impl FnMut(&Entry, &Kept) -> bool) {
        self.look(query, |_| true, false, &mut |entry, kept, _| is_meant(entry, kept));
    }

    /// How many lines a query means, each counted once whatever it says of repeats.
    #[must_use]
    pub fn number(&self, query: &Query) -> u64 {
        let of_day = |opened: &Opened| {
            self.index.undamaged(opened.day.date, || opened.number(query, &self.sources)).unwrap_or_default()
        };
        self.days.iter().map(of_day).sum()
    }

    /// When the lines are that a query means, and maybe some others: no line is read for it. From old to new.
    #[must_use]
    pub fn times(&self, query: &Query) -> Vec<i64> {
        let of_day = |opened: &Opened| {
            self.index.undamaged(opened.day.date, || opened.times(query, &self.sources)).unwrap_or_default()
        };
        let mut times: Vec<i64> = self.days.iter().flat_map(of_day).collect();
        times.sort_unstable();
        times
    }

    /// Picks in some of the days.
    pub fn add_within(&mut self, query: &Query, is_wanted: impl Fn(Date) -> bool, seen: impl FnMut(&Entry, &Kept)) {
        self.look(query, is_wanted, false, &mut meant_by(query, seen));
    }

    fn look(&mut self, query: &Query, is_wanted: impl Fn(Date) -> bool, again: bool, take: &mut Take<'_>) {
        let span = Span::of(query.expr());
        for opened in &mut self.days {
            let date = opened.day.date;
            let may_hold = span.touches(date) || span.undated && opened.day.payload.undated;
            if !may_hold || !is_wanted(date) {
                continue;
            }
            let (sources, left) = (&self.sources, &mut self.left);
            if *left == 0 {
                return;
            }
            // What was picked of a day before its damage showed stays; the damage is told of.
            let new = self.index.undamaged(date, || opened.add(query, sources, again, left, take));
            self.lines += new.unwrap_or_default();
        }
    }

    /// Asks the days that were opened.
    pub fn ask(&self, query: &Query, question: &Question) -> Result<Answer, StoreError> {
        let days: Vec<Volume<'_>> = self.days.iter().map(|opened| Volume::Open(&opened.day)).collect();
        self.index.answer(&days, &self.sources, query, question)
    }

    /// Hands on what was picked, in the order of [`Index::replay`]. `false` from `take` ends it.
    pub fn replay(&self, mut take: impl FnMut(Replayed) -> bool) {
        let turns = self.sources.turns();
        for opened in &self.days {
            let ran = self.index.undamaged(opened.day.date, || {
                let key = |address: &DocAddress| super::replay::key(&opened.places, &turns, *address);
                let mut keys: Vec<Key> = opened.picked.iter().filter_map(key).collect();
                keys.sort_unstable();
                for key in keys {
                    if !take(Replayed::read(&opened.day, &opened.places, key)?) {
                        return Ok(false);
                    }
                }
                Ok(true)
            });
            if ran == Some(false) {
                return;
            }
        }
    }

    /// Counts the lines of every source out of columns, picked or not. Sources by number.
    #[must_use]
    pub fn count_sources(&self) -> Vec<(u64, Counted)> {
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(8);
        let share = self.days.len().div_ceil(threads).max(1);
        let counted: Vec<DayCount> = std::thread::scope(|scope| {
            let parts: Vec<_> = self.days.chunks(share).map(|days| scope.spawn(|| self.count_days(days))).collect();
            // Damage was caught within; nothing else ends a part early.
            parts.into_iter().flat_map(|part| part.join().unwrap_or_default()).collect()
        });
        let mut sources: std::collections::BTreeMap<u64, Counted> = std::collections::BTreeMap::new();
        for (number, day) in counted.into_iter().flatten() {
            let known = sources.entry(number).or_default();
            known.lines += day.lines;
            known.minutes.extend(day.minutes);
            known.last = known.last.max(day.last);
        }
        sources.into_iter().collect()
    }

    /// Whether the log did not say the year of a source's last line.
    #[must_use]
    pub fn last_has_no_year(&self, source: u64, counted: &Counted) -> bool {
        let (line, Some(ts)) = counted.last else { return false };
        let place = super::schema::place(source, line);
        let day = self.days.iter().find(|opened| opened.day.date == Date::of(ts));
        let found = day.and_then(|opened| self.index.undamaged(opened.day.date, || opened.time_inferred(place)));
        found.flatten().is_some_and(|said| said.contains("year"))
    }

    fn count_days(&self, days: &[Opened]) -> Vec<DayCount> {
        let count = |opened: &Opened| self.index.undamaged(opened.day.date, || Ok(opened.count()));
        days.iter().filter_map(count).collect()
    }
}

/// Told of each line found, and whether nothing but what is meant was; says whether the line is meant.
type Take<'t> = dyn FnMut(&Entry, &Kept, bool) -> bool + 't;

/// Takes what a query means.
fn meant_by(query: &Query, mut seen: impl FnMut(&Entry, &Kept)) -> impl FnMut(&Entry, &Kept, bool) -> bool {
    move |entry, kept, exact| {
        let is_meant = exact || query.matches(entry);
        if is_meant {
            seen(entry, kept);
        }
        is_meant
    }
}

/// What is counted of each source of a day.
type DayCount = Vec<(u64, Counted)>;

const MINUTE_US: i64 = 60_000_000;
const MINUTES: usize = 24 * 60;
/// Documents whose columns are read in one go.
const BLOCK: u32 = 1024;

/// The earliest and the latest time of each minute of a day.
struct Minutes {
    lines: u64,
    last: (u64, Option<i64>),
    times: Vec<(i64, i64)>,
}

impl Opened {
    fn add(
        &mut self,
        query: &Query,
        sources: &Sources,
        again: bool,
        left: &mut u64,
        take: &mut Take<'_>,
    ) -> Result<usize, DayError> {
        let narrowed = self.day.narrow(query, sources);
        let mut new = Vec::new();
        self.day.each(narrowed.search.as_ref(), |segment, doc| {
            let address = DocAddress::new(segment, doc);
            if again || !self.picked.contains(&address) {
                new.push(address);
            }
            Ok(true)
        })?;
        let mut count = 0;
        for address in new {
            *left = left.saturating_sub(1);
            if *left == 0 {
                break;
            }
            let line = self.day.line(address, &self.places, sources)?;
            if take(&line.entry, &line.kept, narrowed.exact) {
                count += usize::from(self.picked.insert(address));
            }
        }
        Ok(count)
    }

    fn times(&self, query: &Query, sources: &Sources) -> Result<Vec<i64>, DayError> {
        let narrowed = self.day.narrow(query, sources);
        let mut times = Vec::new();
        self.day.each(narrowed.search.as_ref(), |segment, doc| {
            times.extend(self.places.get(segment as usize).and_then(|places| places.ts.first(doc)));
            Ok(true)
        })?;
        Ok(times)
    }

    fn number(&self, query: &Query, sources: &Sources) -> Result<u64, DayError> {
        let narrowed = self.day.narrow(query, sources);
        let mut number = 0;
        self.day.each(narrowed.search.as_ref(), |segment, doc| {
            let is_meant = narrowed.exact || {
                let line = self.day.line(DocAddress::new(segment, doc), &self.places, sources)?;
                query.matches(&line.entry)
            };
            number += u64::from(is_meant);
            Ok(true)
        })?;
        Ok(number)
    }

    /// What of its time a line did not say.
    fn time_inferred(&self, place: u64) -> Result<Option<Cow<'static, str>>, DayError> {
        for (segment, places) in (0..).zip(&self.places) {
            let mut docs = Vec::new();
            let all = 0..places.place.num_docs();
            places.place.get_docids_for_value_range(place..=place, all, &mut docs);
            for doc in docs {
                let reader = self.day.searcher.segment_reader(segment);
                if !reader.is_deleted(doc) {
                    let packed = self.day.packed(DocAddress::new(segment, doc))?;
                    return Ok(Kept::unpack_line(&packed)?.time_inferred);
                }
            }
        }
        Ok(None)
    }

    fn count(&self) -> DayCount {
        let mut sources: Vec<(u64, Minutes)> = Vec::new();
        let start = self.day.date.start();
        for (places, reader) in self.places.iter().zip(self.day.searcher.segment_readers()) {
            let mut block = Block::default();
            for from in (0..reader.max_doc()).step_by(BLOCK as usize) {
                block.read(places, from, reader.max_doc().min(from + BLOCK));
                let rows = block.docs.iter().zip(&block.places).zip(&block.times);
                for ((_, place), ts) in rows.filter(|((doc, _), _)| !reader.is_deleted(**doc)) {
                    let (number, line) = source_and_line(place.unwrap_or_default());
                    let at = sources.iter().position(|(known, _)| *known == number).unwrap_or_else(|| {
                        let times = vec![(i64::MAX, i64::MIN); MINUTES];
                        sources.push((number, Minutes { lines: 0, last: (0, None), times }));
                        sources.len() - 1
                    });
                    if let Some((_, minutes)) = sources.get_mut(at) {
                        minutes.see(line, *ts, start);
                    }
                }
            }
        }
        let done = |minutes: Minutes| Counted {
            lines: minutes.lines,
            minutes: minutes.times.into_iter().filter(|(first, last)| first <= last).collect(),
            last: minutes.last,
        };
        sources.into_iter().map(|(number, minutes)| (number, done(minutes))).collect()
    }
}

impl Minutes {
    fn see(&mut self, line: u64, ts: Option<i64>, start: i64) {
        self.lines += 1;
        let Some(ts) = ts else { return };
        if line >= self.last.0 {
            self.last = (line, Some(ts));
        }
        let minute = usize::try_from(ts.saturating_sub(start).div_euclid(MINUTE_US)).unwrap_or_default();
        if let Some((first, last)) = self.times.get_mut(minute.min(MINUTES - 1)) {
            (*first, *last) = ((*first).min(ts), (*last).max(ts));
        }
    }
}

/// Columns of some documents.
#[derive(Default)]
struct Block {
    docs: Vec<u32>,
    places: Vec<Option<u64>>,
    times: Vec<Option<i64>>,
}

impl Block {
    fn read(&mut self, columns: &Places, from: u32, to: u32) {
        self.docs.clear();
        self.docs.extend(from..to);
        self.places.clear();
        self.places.resize(self.docs.len(), None);
        self.times.clear();
        self.times.resize(self.docs.len(), None);
        columns.place.first_vals(&self.docs, &mut self.places);
        columns.ts.first_vals(&self.docs, &mut self.times);
    }
}

impl Replayed {
    /// A line by its key.
    pub(super) fn read(day: &Day, places: &[Places], key: Key) -> Result<Self, DayError> {
        let (.., source, line, address) = key;
        let ts = places.get(address.segment_ord as usize).and_then(|places| places.ts.first(address.doc_id));
        let packed = day.packed(address)?;
        let Unpacked { kept, time_inferred, truncated } = Kept::unpack_line(&packed)?;
        Ok(Self { source, line, ts, time_inferred, truncated, kept })
    }
}
