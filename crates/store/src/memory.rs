//! The store that keeps nothing: each time it is asked it reads its entries from where they come from.

use query::{Entry, Query};

use crate::gather::Gatherer;
use crate::question::{Answer, Question, Store, StoreError};

/// Where entries come from.
pub trait Source {
    /// Reads all of them, those of one source in the order of its lines.
    fn read(&self, take: &mut dyn FnMut(&Entry)) -> Result<(), Box<dyn std::error::Error + Send + Sync>>;
}

/// Answers straight from a source.
pub struct Memory<S>(pub S);

impl<S: Source> Store for Memory<S> {
    fn ask(&self, query: &Query, questions: &[Question]) -> Result<Vec<Answer>, StoreError> {
        let mut gatherer = Gatherer::new(query, questions)?;
        self.0.read(&mut |entry| gatherer.take(entry)).map_err(StoreError::Unreadable)?;
        gatherer.finish()
    }
}
