//! Rows that were forgotten, to be filled again.
//!
//! A detector that is full forgets a great many rows at once, and soon needs as many again: giving each back to the allocator costs
//! more than all else that is done with it.

/// Empty rows.
pub(crate) struct Spare<T>(Vec<Box<T>>);

impl<T> Default for Spare<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Default> Spare<T> {
    /// Takes a row that nobody needs any more; what it holds is let go.
    pub(crate) fn put(&mut self, mut row: Box<T>) {
        *row = T::default();
        self.0.push(row);
    }

    /// An empty row.
    pub(crate) fn take(&mut self) -> Box<T> {
        self.0.pop().unwrap_or_default()
    }
}
