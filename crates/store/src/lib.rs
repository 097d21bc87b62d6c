//! What about the entries a query means? A few questions, and stores that answer them.
//!
//! A [`query::Query`] and [`Question`]s go in, one [`Answer`] for each comes out. Every page, command and report asks with
//! these questions alone, so nothing above a [`Store`] knows which one it is. [`Memory`] answers straight from a stream of
//! entries, in one pass and in bounded memory, and keeps nothing.
//!
//! Counts are of entries times their `repeat`. One suite of tests (`tests/suite`) runs on every store.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic"))]

mod buckets;
mod gather;
pub mod index;
mod local;
mod memory;
mod place;
mod question;
mod rows;
pub mod state;
mod values;

pub use gather::Gatherer;
pub use memory::{Memory, Source};
pub use place::{Cursor, CursorError, Place};
pub use question::{
    Answer, Bucket, Distinct, Histogram, HistogramAsked, Order, Page, Question, Row, RowsAsked, Store, StoreError, Top,
    TopAsked, TopValue, Width,
};

/// Rows of a page at most.
pub const ROWS_MAX: usize = 10_000;
/// Rows of a page and the lines around them, together, at most.
pub const LINES_MAX: usize = 100_000;
/// Buckets of a histogram at most.
pub const BUCKETS_MAX: usize = 10_000;
/// Buckets of a histogram whose width follows from its span, at most.
pub const AUTO_BUCKETS_MAX: usize = 1_000;
/// Values a histogram is split by at most; what else there is comes under `other`.
pub const SPLIT_MAX: usize = 100;
/// Values told apart at most when they are counted, and their bytes.
pub const VALUES_MAX: usize = 100_000;
/// Bytes of all values together at most.
pub const VALUE_BYTES_MAX: usize = 64 << 20;
/// Values of a second field (or for a `distinct` question) told apart at most, over all values of the first.
pub const DISTINCT_MAX: usize = 1_000_000;
