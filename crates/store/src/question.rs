//! The questions, their answers, and what a store is.

use std::sync::Arc;

use jiff::tz::TimeZone;
use query::{Entry, Field, Query};

use crate::place::Cursor;
use crate::{AUTO_BUCKETS_MAX, BUCKETS_MAX, LINES_MAX, ROWS_MAX};

/// Keeps entries, or reads them where they are, and answers questions about those a query means.
pub trait Store {
    /// One answer for each question, in their order. All of them tell of the same entries.
    fn ask(&self, query: &Query, questions: &[Question]) -> Result<Vec<Answer>, StoreError>;
}

/// Why a store does not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// More rows than a page has.
    #[error("a page has at most {ROWS_MAX} rows, and at most {LINES_MAX} lines with those around them")]
    TooManyRows,
    /// A histogram too fine for the time it spans.
    #[error("a histogram has at most {BUCKETS_MAX} buckets: choose wider ones")]
    TooManyBuckets,
    /// A bucket narrower than a second, or too many of a width to be found.
    #[error("buckets are at least one second wide, and at most {AUTO_BUCKETS_MAX} of a width that the store chooses")]
    Width,
    /// The entries cannot be read.
    #[error("the entries cannot be read")]
    Unreadable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// What is asked about the entries a query means.
#[derive(Clone, Debug)]
pub enum Question {
    /// The entries themselves, a page of them.
    Rows(RowsAsked),
    /// How many.
    Count,
    /// How many in each span of time.
    Histogram(HistogramAsked),
    /// The commonest values of a field.
    Top(TopAsked),
    /// How many different values a field has.
    Distinct(&'static Field),
}

/// Which end of time comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The newest entry.
    Newest,
    /// The oldest entry.
    Oldest,
}

/// A page of entries.
#[derive(Clone, Debug)]
pub struct RowsAsked {
    /// Which come first.
    pub order: Order,
    /// How many at most; at most [`ROWS_MAX`].
    pub limit: usize,
    /// The end of the page before.
    pub after: Option<Cursor>,
    /// How many lines of the same source to add before and after each, whether the query means them or not.
    pub context: usize,
}

/// Counts by time.
#[derive(Clone, Debug)]
pub struct HistogramAsked {
    /// How wide a bucket is.
    pub width: Width,
    /// Buckets of a day and more begin at this zone's midnight, those of a week on Monday; a day on which its clocks are changed
    /// has 23 hours or 25.
    pub zone: TimeZone,
    /// A field to split each bucket by.
    pub by: Option<&'static Field>,
}

/// How wide a bucket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// The finest of a second to a year of which so many or fewer cover all; at most [`AUTO_BUCKETS_MAX`].
    Auto(usize),
    /// Microseconds, at least a second.
    Fixed(i64),
}

/// Values by count.
#[derive(Clone, Debug)]
pub struct TopAsked {
    /// Whose values.
    pub field: &'static Field,
    /// Also how many different values of this field each comes with.
    pub distinct: Option<&'static Field>,
    /// How many values at most; 0 is all.
    pub limit: usize,
}

/// What a store says to a [`Question`].
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// To [`Question::Rows`].
    Rows(Page),
    /// To [`Question::Count`]: entries times their repeats.
    Count(u64),
    /// To [`Question::Histogram`].
    Histogram(Histogram),
    /// To [`Question::Top`].
    Top(Top),
    /// To [`Question::Distinct`].
    Distinct(Distinct),
}

/// Some rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// In the order asked for.
    pub rows: Vec<Row>,
    /// Where to go on, if there is more.
    pub next: Option<Cursor>,
}

/// An entry, with the lines around it if they were asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The entry.
    pub entry: Arc<Entry>,
    /// Lines of its source before it, the nearest last.
    pub before: Vec<Arc<Entry>>,
    /// Lines of its source after it, the nearest first.
    pub after: Vec<Arc<Entry>>,
}

/// Counts by time: one bucket after the other, empty ones among them, from the first entry to the last.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Histogram {
    /// What the buckets are split by: values of the field, the commonest first; at most [`crate::SPLIT_MAX`].
    pub values: Vec<String>,
    /// From old to new.
    pub buckets: Vec<Bucket>,
    /// Entries without a time: in no bucket.
    pub undated: u64,
}

/// A span of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Its first microsecond since 1970 UTC.
    pub from: i64,
    /// The first one behind it.
    pub to: i64,
    /// All entries in it.
    pub count: u64,
    /// Those of each value in [`Histogram::values`].
    pub by: Vec<u64>,
    /// Those of values beyond the bound.
    pub other: u64,
}

/// Values by count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Top {
    /// The commonest first, equals in the order of their bytes. Where case does not count, spellings are one value, shown in
    /// the commonest spelling.
    pub values: Vec<TopValue>,
    /// How many different values there are; at least so many if `beyond` is not 0.
    pub distinct: u64,
    /// Entries without a value.
    pub absent: u64,
    /// Entries whose value came after [`crate::VALUES_MAX`] others: in no row. The rows' own counts are exact all the same.
    pub beyond: u64,
    /// A row's `distinct` may be too small: there were more than [`crate::DISTINCT_MAX`].
    pub distinct_cut: bool,
}

/// A value and how often it occurs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopValue {
    /// As a person reads it.
    pub value: String,
    /// Entries times their repeats.
    pub count: u64,
    /// Different values of the second field, if one was asked for.
    pub distinct: Option<u64>,
}

/// How many different values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Distinct {
    /// So many.
    pub count: u64,
    /// Or more: there were more than [`crate::DISTINCT_MAX`].
    pub at_least: bool,
}
