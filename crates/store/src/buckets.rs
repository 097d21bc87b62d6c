//! Counts by time, out of a stream whose span is not known before its end.
//!
//! Where the width is not given, counting begins in seconds; whenever there are too many buckets, they are put together into
//! the next width. Each bucket lies within one of the next width, so nothing is lost by that.

use std::collections::BTreeMap;

use query::Entry;

use crate::local::{DAY, Local, length, stretches};
use crate::question::{Bucket, Histogram, HistogramAsked, StoreError, Width};
use crate::values::{repeats, spellings, value_of};
use crate::{AUTO_BUCKETS_MAX, BUCKETS_MAX, SPLIT_MAX};

const SECOND: i64 = 1_000_000;
/// The widths a histogram chooses from; each lies within the next, and is at least a thirteenth of it, about.
const WIDTHS: [i64; 14] = [
    SECOND,
    5 * SECOND,
    15 * SECOND,
    60 * SECOND,
    300 * SECOND,
    900 * SECOND,
    3_600 * SECOND,
    10_800 * SECOND,
    21_600 * SECOND,
    43_200 * SECOND,
    DAY,
    7 * DAY,
    28 * DAY,
    364 * DAY,
];
/// Buckets while counting. More than thirteen times [`AUTO_BUCKETS_MAX`], so that what is put together is never too wide.
const KEPT_MAX: usize = 16 * AUTO_BUCKETS_MAX;

pub(crate) struct Buckets {
    asked: HistogramAsked,
    local: Local,
    width: i64,
    counts: BTreeMap<i64, Counts>,
    /// Spellings of the split field's values, by number, each with its count.
    split: Vec<(String, u64)>,
    undated: u64,
    too_many: bool,
}

#[derive(Clone, Default)]
struct Counts {
    all: u64,
    other: u64,
    by: Vec<u64>,
}

impl Counts {
    fn add(&mut self, more: &Self) {
        self.all = self.all.saturating_add(more.all);
        self.other = self.other.saturating_add(more.other);
        for (at, count) in more.by.iter().enumerate() {
            self.add_to(at, *count);
        }
    }

    fn add_to(&mut self, value: usize, count: u64) {
        if self.by.len() <= value {
            self.by.resize(value + 1, 0);
        }
        if let Some(slot) = self.by.get_mut(value) {
            *slot = slot.saturating_add(count);
        }
    }
}

impl Buckets {
    pub(crate) fn new(asked: &HistogramAsked) -> Result<Self, StoreError> {
        let width = match asked.width {
            Width::Auto(1..=AUTO_BUCKETS_MAX) => SECOND,
            Width::Fixed(width) if width >= SECOND => width,
            _ => return Err(StoreError::Width),
        };
        Ok(Self {
            asked: asked.clone(),
            local: Local::new(asked.zone.clone()),
            width,
            counts: BTreeMap::new(),
            split: Vec::new(),
            undated: 0,
            too_many: false,
        })
    }

    pub(crate) fn take(&mut self, entry: &Entry) {
        let count = repeats(entry);
        let Some(ts) = entry.ts else {
            self.undated = self.undated.saturating_add(count);
            return;
        };
        let value = self.asked.by.and_then(|field| value_of(field, entry)).map(|value| self.split_value(value, count));
        let (start, _) = self.local.bucket(ts, self.width);
        let counts = self.counts.entry(start).or_default();
        counts.all = counts.all.saturating_add(count);
        match value {
            Some(Some(value)) => counts.add_to(value, count),
            Some(None) => counts.other = counts.other.saturating_add(count),
            None => {}
        }
        if self.counts.len() > KEPT_MAX {
            self.shrink();
        }
    }

    /// The number of a value; `None` if there are too many.
    fn split_value(&mut self, value: String, count: u64) -> Option<usize> {
        if let Some(at) = self.split.iter().position(|(known, _)| *known == value) {
            if let Some((_, known)) = self.split.get_mut(at) {
                *known = known.saturating_add(count);
            }
            return Some(at);
        }
        (self.split.len() < SPLIT_MAX).then(|| {
            self.split.push((value, count));
            self.split.len() - 1
        })
    }

    fn shrink(&mut self) {
        let wider = WIDTHS.into_iter().find(|width| *width > self.width);
        match (self.asked.width, wider) {
            (Width::Auto(_), Some(wider)) => self.widen(wider),
            _ => {
                self.too_many = true;
                // The answer is an error already.
                self.counts.pop_last();
            }
        }
    }

    fn widen(&mut self, width: i64) {
        let fine = std::mem::take(&mut self.counts);
        for (from, counts) in fine {
            let (start, _) = self.local.bucket(from, width);
            self.counts.entry(start).or_default().add(&counts);
        }
        self.width = width;
    }

    pub(crate) fn finish(mut self) -> Result<Histogram, StoreError> {
        if let (Some((first, _)), Some((last, _))) = (self.counts.first_key_value(), self.counts.last_key_value()) {
            // What was put together begins at the start of its bucket, which is in the same wider bucket as its end.
            let width = width_of(&self.asked, *first, *last);
            self.widen(width.max(self.width));
        }
        if self.too_many || self.length() > BUCKETS_MAX {
            return Err(StoreError::TooManyBuckets);
        }
        let named = match self.asked.by {
            Some(field) => spellings(field, self.split.iter().map(|(value, count)| (value.as_str(), *count))),
            None => Vec::new(),
        };
        let mut named: Vec<(String, Vec<usize>, u64)> = named
            .into_iter()
            .map(|(value, places)| {
                let count = places.iter().filter_map(|at| self.split.get(*at)).map(|(_, count)| *count).sum();
                (value, places, count)
            })
            .collect();
        named.sort_by(|a, b| b.2.cmp(&a.2).then_with(|| a.0.cmp(&b.0)));
        let buckets = self.all_buckets(&named);
        Ok(Histogram { values: named.into_iter().map(|(value, ..)| value).collect(), buckets, undated: self.undated })
    }

    /// How many buckets there are from the first entry to the last; one more than is allowed if there are more.
    fn length(&self) -> usize {
        let ends = self.counts.first_key_value().zip(self.counts.last_key_value());
        ends.map_or(0, |((first, _), (last, _))| length(&self.asked.zone, *first, *last, self.width, BUCKETS_MAX))
    }

    fn all_buckets(&self, named: &[(String, Vec<usize>, u64)]) -> Vec<Bucket> {
        let ends = self.counts.first_key_value().zip(self.counts.last_key_value());
        let Some(((first, _), (last, _))) = ends else { return Vec::new() };
        let none = Counts::default();
        stretches(&self.asked.zone, *first, *last, self.width)
            .map(|(from, to)| {
                let counts = self.counts.get(&from).unwrap_or(&none);
                let of_value = |places: &[usize]| places.iter().filter_map(|at| counts.by.get(*at)).sum();
                let by = named.iter().map(|(_, places, _)| of_value(places)).collect();
                Bucket { from, to, count: counts.all, by, other: counts.other }
            })
            .collect()
    }
}

/// The width of the buckets, if the entries are from the first instant to the last.
pub(crate) fn width_of(asked: &HistogramAsked, first: i64, last: i64) -> i64 {
    let widest = WIDTHS.last().copied().unwrap_or(DAY);
    match asked.width {
        Width::Fixed(width) => width,
        Width::Auto(most) => {
            WIDTHS.into_iter().find(|width| length(&asked.zone, first, last, *width, most) <= most).unwrap_or(widest)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::TimeZone;

    #[test]
    fn each_width_divides_the_next() {
        for pair in WIDTHS.windows(2) {
            assert!(pair[1] % pair[0] == 0 && pair[1] / pair[0] <= 13, "{pair:?}");
        }
        const { assert!(KEPT_MAX > 13 * (AUTO_BUCKETS_MAX + 1)) };
    }

    fn histogram(times: impl Iterator<Item = i64>, width: Width) -> Result<Histogram, StoreError> {
        let mut buckets = Buckets::new(&HistogramAsked { width, zone: TimeZone::UTC, by: None })?;
        for ts in times {
            buckets.take(&Entry { ts: Some(ts), ..Entry::default() });
        }
        buckets.finish()
    }

    #[test]
    fn a_long_stream_is_counted_whole() {
        let answer = histogram((0..40_000).map(|second| second * SECOND), Width::Auto(60)).unwrap();
        assert_eq!(answer.buckets.iter().map(|bucket| bucket.count).sum::<u64>(), 40_000);
        assert_eq!((answer.buckets.len(), answer.buckets[0].to - answer.buckets[0].from), (45, 900 * SECOND));
    }

    #[test]
    fn times_that_clocks_never_had_do_no_harm() {
        let answer = histogram([i64::MIN, 0, i64::MAX].into_iter(), Width::Auto(60));
        assert!(matches!(answer, Err(StoreError::TooManyBuckets)));
        let far = 253_000_000_000 * SECOND;
        let answer = histogram([0, far].into_iter(), Width::Auto(60)).unwrap();
        assert_eq!(answer.buckets.iter().map(|bucket| bucket.count).sum::<u64>(), 2);
    }

    #[test]
    fn too_fine_a_width_is_refused() {
        assert!(matches!(histogram(std::iter::empty(), Width::Fixed(999_999)), Err(StoreError::Width)));
        assert!(matches!(histogram(std::iter::empty(), Width::Auto(0)), Err(StoreError::Width)));
        assert!(matches!(histogram([0, DAY].into_iter(), Width::Fixed(SECOND)), Err(StoreError::TooManyBuckets)));
        let many = (0..20_000).map(|second| second * SECOND);
        assert!(matches!(histogram(many, Width::Fixed(SECOND)), Err(StoreError::TooManyBuckets)));
    }
}
