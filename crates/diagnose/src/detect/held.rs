//! Rows in their tables.
//!
//! A table is gone through whenever it is full, to see who was silent for long. So when a row was last seen stands in the table itself, and
//! the row, which is large, elsewhere. Rows that were forgotten are filled again: a detector that is full forgets a great many at once,
//! and soon needs as many.

use std::ops::{Deref, DerefMut};

use serde::{Deserialize, Serialize};

/// A row, and when it was last of interest, microseconds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Held<T> {
    pub(crate) seen: i64,
    row: Box<T>,
}

impl<T> Held<T> {
    /// Notes that it is of interest at this time.
    pub(crate) fn see(&mut self, time: i64) {
        self.seen = self.seen.max(time);
    }
}

impl<T> Deref for Held<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.row
    }
}

impl<T> DerefMut for Held<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.row
    }
}

/// Rows that nobody needs any more.
pub(crate) struct Spare<T>(Vec<Box<T>>);

impl<T> Default for Spare<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Default> Spare<T> {
    /// Takes a row that nobody needs any more.
    pub(crate) fn put(&mut self, held: Held<T>) {
        self.0.push(held.row);
    }

    /// An empty row. What one held is let go only now: by then it is touched anyway.
    pub(crate) fn take(&mut self) -> Held<T> {
        let mut row = self.0.pop().unwrap_or_default();
        *row = T::default();
        Held { seen: 0, row }
    }
}
