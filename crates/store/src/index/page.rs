//! Pages of rows: the newest (or oldest) lines behind a cursor, without a look at all the others.
//!
//! Days are gone through from the asked end. In a day the places of all lines found are compared in columns, the best of them are read,
//! and more only if the query turns out not to mean some of them. Lines without a time are older than all others, whatever their day.

use std::cell::OnceCell;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;

use query::Query;
use tantivy::DocAddress;

use super::day::{Date, Day, DayError, Line, Places};
use super::narrow::Narrowed;
use super::schema::source_and_line;
use super::shelf::{self, Volume};
use super::{Index, Sources};
use crate::place::{Cursor, Place};
use crate::question::{Answer, Order, Page, Question, Row, RowsAsked, StoreError};
use crate::rows::within_bounds;
use crate::values::repeats;

/// Lines looked at in one go at most, where the query must decide about each.
const BATCH_MAX: usize = 1 << 16;
/// Lines read side by side, of which it is then seen how many are meant.
const READ_AT_ONCE: usize = 128;
/// For fewer lines no further thread is worth it.
const LINES_EACH: usize = 16;
/// Days opened ahead at most.
const AHEAD_MAX: usize = 16;

/// What lines are ordered by: time, the name's place among all names, line.
type Rank = (Option<i64>, usize, i64);

/// A search that goes on where it stopped.
struct Walk<'a> {
    day: &'a Day,
    /// Read once a line was found.
    places: OnceCell<Vec<Places>>,
    narrowed: Narrowed,
    ranks: &'a BTreeMap<u64, usize>,
    order: Order,
    /// Only lines with a time, or only those without.
    dated: bool,
}

impl Walk<'_> {
    fn places(&self) -> Result<&[Places], DayError> {
        if let Some(places) = self.places.get() {
            return Ok(places);
        }
        let places = self.day.places()?;
        Ok(self.places.get_or_init(|| places))
    }

    fn rank(&self, ts: Option<i64>, address: DocAddress) -> Option<Rank> {
        let places = self.places.get()?.get(address.segment_ord as usize)?;
        let (source, line) = source_and_line(places.place.first(address.doc_id)?);
        let rank = self.ranks.get(&source).copied().unwrap_or(usize::MAX);
        Some((ts, rank, i64::try_from(line).unwrap_or(i64::MAX)))
    }

    /// The next lines behind a place, in order, so many at most.
    fn next(&self, behind: Option<Rank>, most: usize) -> Result<Vec<(Rank, DocAddress)>, DayError> {
        match self.order {
            Order::Oldest => {
                let mut best: BinaryHeap<(Rank, DocAddress)> = BinaryHeap::new();
                self.each(|ts, address| {
                    // Its time alone tells most that do not belong to the page.
                    if best.len() == most && best.peek().is_some_and(|((last, ..), _)| ts > *last) {
                        return;
                    }
                    if let Some(rank) = self.rank(ts, address).filter(|rank| behind.is_none_or(|behind| *rank > behind))
                    {
                        push(&mut best, (rank, address), most);
                    }
                })?;
                Ok(best.into_sorted_vec())
            }
            Order::Newest => {
                let mut best: BinaryHeap<Reverse<(Rank, DocAddress)>> = BinaryHeap::new();
                self.each(|ts, address| {
                    if best.len() == most && best.peek().is_some_and(|Reverse(((last, ..), _))| ts < *last) {
                        return;
                    }
                    if let Some(rank) = self.rank(ts, address).filter(|rank| behind.is_none_or(|behind| *rank < behind))
                    {
                        push(&mut best, Reverse((rank, address)), most);
                    }
                })?;
                Ok(best.into_sorted_vec().into_iter().map(|Reverse(found)| found).collect())
            }
        }
    }

    /// Tells of every line found, with its time.
    fn each(&self, mut take: impl FnMut(Option<i64>, DocAddress)) -> Result<(), DayError> {
        self.day.each(self.narrowed.search.as_ref(), |segment, doc| {
            let ts = self.places()?.get(segment as usize).and_then(|places| places.ts.first(doc));
            if ts.is_some() == self.dated {
                take(ts, DocAddress::new(segment, doc));
            }
            Ok(true)
        })
    }
}

fn push<T: Ord>(best: &mut BinaryHeap<T>, item: T, most: usize) {
    if best.len() < most {
        best.push(item);
    } else if best.peek().is_some_and(|last| item < *last) {
        best.pop();
        best.push(item);
    }
}

impl Index {
    pub(crate) fn page(
        &self,
        days: &[Volume<'_>],
        sources: &Sources,
        query: &Query,
        asked: &RowsAsked,
    ) -> Result<Page, StoreError> {
        within_bounds(asked)?;
        let ranks = sources.ranks();
        let mut rows: Vec<Row> = Vec::new();
        let undated = || days.iter().filter(|day| day.payload().undated).filter_map(|day| day.open());
        // What has no time is older than all that has, so it is one more day before the first.
        let is_behind =
            |day: &Volume<'_>| asked.after.as_ref().is_none_or(|after| lies_behind(day.date(), after, asked.order));
        let mut parts: Vec<Volume<'_>> = days.iter().copied().filter(is_behind).collect();
        if asked.order == Order::Newest {
            parts.reverse();
        }
        let mut undated_rows = Vec::new();
        if asked.order == Order::Oldest {
            for day in undated() {
                self.part(day, false, sources, &ranks, query, asked, asked.limit + 1, &mut undated_rows);
            }
            merge_undated(&mut undated_rows, asked);
            rows.append(&mut undated_rows);
        }
        let mut opened = 0;
        for (at, day) in parts.iter().enumerate() {
            let wanted = (asked.limit + 1).saturating_sub(rows.len());
            if wanted == 0 {
                break;
            }
            if at == opened {
                opened = at + days_needed(wanted, at, rows.len());
                shelf::open_side_by_side(parts.get(at..parts.len().min(opened)).unwrap_or_default());
            }
            let Some(day) = day.open() else { continue };
            self.part(day, true, sources, &ranks, query, asked, wanted, &mut rows);
        }
        if asked.order == Order::Newest && rows.len() <= asked.limit {
            for day in undated() {
                self.part(day, false, sources, &ranks, query, asked, asked.limit + 1, &mut undated_rows);
            }
            merge_undated(&mut undated_rows, asked);
            rows.append(&mut undated_rows);
        }
        let more = rows.len() > asked.limit;
        rows.truncate(asked.limit);
        if asked.context > 0 {
            self.surround(&mut rows, sources, asked.context);
        }
        let next = rows.last().filter(|_| more).map(|row| Cursor(Place::of(&row.entry)));
        Ok(Page { rows, next })
    }

    /// Adds a day's rows; damage is noted, and what was found before it stays.
    #[expect(clippy::too_many_arguments, reason = "all of a page's question, and the part of it that this is")]
    fn part(
        &self,
        day: &Day,
        dated: bool,
        sources: &Sources,
        ranks: &BTreeMap<u64, usize>,
        query: &Query,
        asked: &RowsAsked,
        wanted: usize,
        rows: &mut Vec<Row>,
    ) {
        let found = self.undamaged(day.date, || {
            let walk = Walk {
                day,
                places: OnceCell::new(),
                narrowed: day.narrow(query, sources),
                ranks,
                order: asked.order,
                dated,
            };
            if walk.narrowed.everything {
                self.note_scan();
            }
            rows_of(&walk, sources, query, asked, wanted)
        });
        rows.extend(found.into_iter().flatten());
    }
}

/// The answer to a question that a page given before tells as well: how many there are, if it holds all of them.
pub(crate) fn told(question: &Question, questions: &[Question], given: &[Answer]) -> Option<Answer> {
    let Question::Count = question else { return None };
    questions.iter().zip(given).find_map(|given| match given {
        (Question::Rows(asked), Answer::Rows(page)) if asked.after.is_none() && page.next.is_none() => {
            let lines = page.rows.iter().map(|row| repeats(&row.entry));
            (asked.limit > 0).then(|| Answer::Count(lines.fold(0, u64::saturating_add)))
        }
        _ => None,
    })
}

/// How many more days a page will take, if they hold as much as those before them: the first often fills it.
fn days_needed(wanted: usize, days: usize, found: usize) -> usize {
    match (days, found) {
        (0, _) => 1,
        (_, 0) => AHEAD_MAX,
        _ => wanted.saturating_mul(days).div_ceil(found).min(AHEAD_MAX),
    }
}

/// Whether dated lines of a day may stand behind a cursor.
fn lies_behind(date: Date, Cursor(place): &Cursor, order: Order) -> bool {
    match (order, place.ts) {
        (Order::Newest, Some(ts)) => date.start() <= ts,
        // What has no time is older than all that has.
        (Order::Newest, None) => false,
        (Order::Oldest, Some(ts)) => date.end() >= ts,
        (Order::Oldest, None) => true,
    }
}

/// Undated rows of all days, in order.
fn merge_undated(rows: &mut Vec<Row>, asked: &RowsAsked) {
    rows.sort_by_key(|row| Place::of(&row.entry));
    if asked.order == Order::Newest {
        rows.reverse();
    }
    rows.truncate(asked.limit + 1);
}

fn rows_of(
    walk: &Walk<'_>,
    sources: &Sources,
    query: &Query,
    asked: &RowsAsked,
    wanted: usize,
) -> Result<Vec<Row>, DayError> {
    let mut rows = Vec::new();
    let mut behind = asked.after.as_ref().map(|Cursor(place)| cursor_rank(place, sources, walk));
    let mut batch = if walk.narrowed.exact { wanted } else { wanted.saturating_mul(4).clamp(256, BATCH_MAX) };
    loop {
        let found = walk.next(behind, batch)?;
        let ended = found.len() < batch;
        for some in found.chunks(READ_AT_ONCE) {
            for line in lines_of(walk.day, walk.places()?, sources, some)? {
                if query.matches(&line.entry) {
                    rows.push(Row { entry: Arc::new(line.entry), before: Vec::new(), after: Vec::new() });
                    if rows.len() == wanted {
                        return Ok(rows);
                    }
                }
            }
        }
        behind = found.last().map(|(rank, _)| *rank).or(behind);
        if ended {
            return Ok(rows);
        }
        batch = batch.saturating_mul(4).min(BATCH_MAX);
    }
}

/// Reads lines, in several threads if there are many: they stand in as many blocks, and to unpack these is most of a search.
fn lines_of(
    day: &Day,
    places: &[Places],
    sources: &Sources,
    found: &[(Rank, DocAddress)],
) -> Result<Vec<Line>, DayError> {
    let read = |part: &[(Rank, DocAddress)]| -> Result<Vec<Line>, DayError> {
        part.iter().map(|(_, address)| day.line(*address, places, sources)).collect()
    };
    let threads = shelf::threads_at_most(found.len() / LINES_EACH).max(1);
    let mut parts = found.chunks(found.len().div_ceil(threads).max(1));
    let own = parts.next().unwrap_or_default();
    std::thread::scope(|scope| {
        let others: Vec<_> = parts.map(|part| scope.spawn(move || read(part))).collect();
        let mut lines = read(own)?;
        for other in others {
            lines.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
        }
        Ok(lines)
    })
}

/// A cursor's place among the ranks. Its source may be gone: then it stands between those whose names are around its own.
fn cursor_rank(place: &Place, sources: &Sources, walk: &Walk<'_>) -> Rank {
    let names = walk.ranks.iter().map(|(number, rank)| (sources.name(*number), *rank));
    let same = names.clone().filter(|(name, _)| *name == place.source).map(|(_, rank)| rank);
    let rank = match walk.order {
        Order::Oldest => same.max(),
        Order::Newest => same.min(),
    };
    if let Some(rank) = rank {
        return (place.ts, rank, place.line);
    }
    let before = names.filter(|(name, _)| *name < place.source.as_str()).count();
    match walk.order {
        // Behind all lines of the sources before it, and before those of the others.
        Order::Oldest => match before.checked_sub(1) {
            Some(last) => (place.ts, last, i64::MAX),
            None => (place.ts, 0, i64::MIN),
        },
        Order::Newest => (place.ts, before, i64::MIN),
    }
}
