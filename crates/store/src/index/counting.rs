//! Counts of all that a query means: out of columns where they tell enough, else out of the lines.
//!
//! Days are counted side by side, each by one thread; what was counted is put together as it comes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use query::Query;

use super::columns::{self, Needed, Search};
use super::day::{Day, DayError};
use super::ledger::{Counted, Page};
use super::narrow::Narrowed;
use super::shelf::{self, Volume};
use super::within::Within;
use super::{Index, Sources, undamaged};
use crate::AUTO_BUCKETS_MAX;
use crate::buckets::width_of;
use crate::gather::Gatherer;
use crate::question::{Answer, HistogramAsked, Question, StoreError, Width};

/// Shares that were counted and not looked at yet.
const SHARES_WAITING: usize = 4;

impl Index {
    /// Counts out of columns where they tell enough, else out of the lines.
    pub(super) fn count(
        &self,
        days: &[Volume<'_>],
        sources: &Sources,
        query: &Query,
        question: &Question,
    ) -> Result<Answer, StoreError> {
        let settled = self.settled(days, sources, query, question);
        let question = settled.as_ref().unwrap_or(question);
        let mut gatherer = Gatherer::new(&Query::all(), std::slice::from_ref(question))?;
        let Some(needed) = Needed::of(question) else {
            days.iter().filter_map(|day| day.open()).for_each(|day| {
                let narrowed = day.narrow_within(&day.within(query), sources);
                self.count_lines(day, sources, query, &narrowed, &mut gatherer);
            });
            return one(gatherer);
        };
        // Days are counted side by side, and put together in their order: where there is too much to keep, it is always the same that is kept.
        let mut in_lines = Vec::new();
        let mut take = |share| match share {
            Share::Counted(counted) => counted.iter().for_each(|one| gatherer.take(&one.entry(&needed))),
            Share::InLines(day, narrowed) => in_lines.push((day, narrowed)),
        };
        let next = AtomicUsize::new(0);
        let threads = shelf::threads(days);
        std::thread::scope(|scope| {
            let (told, shares) = std::sync::mpsc::sync_channel(SHARES_WAITING);
            for told in vec![told; threads] {
                scope.spawn(|| {
                    let told = told;
                    loop {
                        let at = next.fetch_add(1, Ordering::Relaxed);
                        let Some(day) = days.get(at) else { return };
                        self.count_day(*day, sources, query, &needed, |share| drop(told.send((at, Some(share)))));
                        drop(told.send((at, None)));
                    }
                });
            }
            in_order(shares.into_iter(), &mut take);
        });
        for (day, narrowed) in in_lines {
            self.count_lines(day, sources, query, &narrowed, &mut gatherer);
        }
        one(gatherer)
    }

    /// Counts a day out of columns, part by part, if they tell enough.
    fn count_day<'d>(
        &self,
        day: Volume<'d>,
        sources: &Sources,
        query: &Query,
        needed: &Needed,
        mut tell: impl FnMut(Share<'d>),
    ) {
        let Some(day) = day.open() else { return };
        let within = day.within(query);
        let narrowed = day.narrow_within(&within, sources);
        if !narrowed.exact {
            return tell(Share::InLines(day, narrowed));
        }
        // What was counted of a day before its damage showed counts; the damage is told of.
        let _ = self.undamaged(day.date, || {
            let search = Search { narrowed: &narrowed, page: self.page_of(&within) };
            columns::count(day, &search, needed, |counted| tell(Share::Counted(counted)))
        });
    }

    /// Counts the lines of a day one by one.
    fn count_lines(&self, day: &Day, sources: &Sources, query: &Query, narrowed: &Narrowed, gatherer: &mut Gatherer) {
        if narrowed.everything {
            self.note_scan();
        }
        let _ = self.undamaged(day.date, || lines(day, sources, query, narrowed, |entry| gatherer.take(entry)));
    }

    /// Where the counts of a query are kept.
    fn page_of(&self, within: &Within) -> Option<Page<'_>> {
        self.ledger.as_deref()?.page(within)
    }

    /// A histogram that is to choose its width, with the width it would choose: to tell seconds apart until then takes longer than to look
    /// first when the first and the last line was. `None`: it has a width, or not every line can be told by columns.
    fn settled(&self, days: &[Volume<'_>], sources: &Sources, query: &Query, question: &Question) -> Option<Question> {
        let Question::Histogram(asked) = question else { return None };
        let Width::Auto(1..=AUTO_BUCKETS_MAX) = asked.width else { return None };
        let ends = |day: &Volume<'_>| self.ends(day.open()?, sources, query).transpose();
        let first = days.iter().find_map(ends)?.ok()?.0;
        let last = days.iter().rev().find_map(ends)?.ok()?.1;
        Some(Question::Histogram(HistogramAsked { width: Width::Fixed(width_of(asked, first, last)), ..asked.clone() }))
    }

    /// The earliest and the latest time of a day's lines that a query means.
    fn ends(&self, day: &Day, sources: &Sources, query: &Query) -> Result<Option<(i64, i64)>, Inexact> {
        let within = day.within(query);
        let narrowed = day.narrow_within(&within, sources);
        if !narrowed.exact {
            return Err(Inexact);
        }
        let mut ends: Option<(i64, i64)> = None;
        // Damage is told of when the day is counted.
        let _ = undamaged(|| {
            let search = Search { narrowed: &narrowed, page: self.page_of(&within) };
            columns::count(day, &search, &Needed::ENDS, |counted| {
                for ts in counted.iter().filter_map(|counted| counted.ts) {
                    ends = Some(ends.map_or((ts, ts), |(from, to)| (from.min(ts), to.max(ts))));
                }
            })
        });
        Ok(ends)
    }
}

/// What there is of a day.
enum Share<'d> {
    /// Counted out of columns.
    Counted(Arc<[Counted]>),
    /// Columns do not tell: its lines are to be read.
    InLines(&'d Day, Narrowed),
}

/// Hands on what comes for several places, each place's in the order in which it comes and ended by `None`, place by place.
fn in_order<T>(coming: impl Iterator<Item = (usize, Option<T>)>, take: &mut impl FnMut(T)) {
    let mut early: BTreeMap<usize, Vec<Option<T>>> = BTreeMap::new();
    let mut turn = 0;
    for (at, what) in coming {
        if at != turn {
            early.entry(at).or_default().push(what);
            continue;
        }
        let mut ended = what.is_none();
        what.into_iter().for_each(&mut *take);
        while ended {
            turn += 1;
            let came = early.remove(&turn).unwrap_or_default();
            ended = came.last().is_some_and(Option::is_none);
            came.into_iter().flatten().for_each(&mut *take);
        }
    }
}

/// The one answer.
fn one(gatherer: Gatherer) -> Result<Answer, StoreError> {
    gatherer.finish()?.pop().ok_or_else(|| StoreError::Unreadable("a question without an answer".into()))
}

/// A search that may find lines that are not meant.
struct Inexact;

/// The entries of a day that a query means.
fn lines(
    day: &Day,
    sources: &Sources,
    query: &Query,
    narrowed: &Narrowed,
    mut take: impl FnMut(&query::Entry),
) -> Result<(), DayError> {
    let places = day.places()?;
    day.each(narrowed.search.as_ref(), |segment, doc| {
        let line = day.line(tantivy::DocAddress::new(segment, doc), &places, sources)?;
        if query.matches(&line.entry) {
            take(&line.entry);
        }
        Ok(true)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_comes_first_has_its_turn() {
        let check = |coming: &[(usize, Option<&'static str>)]| {
            let mut taken = String::new();
            in_order(coming.iter().copied(), &mut |what: &str| taken.push_str(what));
            assert_eq!(taken, "abcde", "{coming:?}");
        };
        let (a, b, c, d, e) = ((0, Some("a")), (0, Some("b")), (2, Some("c")), (3, Some("d")), (3, Some("e")));
        let end = |at| (at, None);
        check(&[a, b, end(0), end(1), c, end(2), d, e, end(3)]);
        check(&[d, e, end(3), c, end(2), end(1), a, b, end(0)]);
        check(&[a, c, end(1), b, end(2), end(0), d, e, end(3)]);
        check(&[d, end(1), a, c, b, end(0), e, end(2), end(3)]);
    }
}
