//! The store that keeps nothing: each time it is asked it reads its entries from where they come from.

use query::{Entry, Query, Sight};

use crate::gather::Gatherer;
use crate::question::{Answer, Question, Store, StoreError};

/// Where entries come from.
pub trait Source {
    /// Reads all of them, those of one source in the order of its lines. Lines of which `wanted` is false may be left out.
    fn read(
        &self,
        wanted: &dyn Fn(&Sight<'_>) -> bool,
        take: &mut dyn FnMut(&Entry),
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>>;
}

/// Answers straight from a source.
pub struct Memory<S>(pub S);

impl<S: Source> Store for Memory<S> {
    fn ask(&self, query: &Query, questions: &[Question]) -> Result<Vec<Answer>, StoreError> {
        let mut gatherer = Gatherer::new(query, questions)?;
        // The lines around a row are wanted whatever they hold.
        let context = questions.iter().any(|question| matches!(question, Question::Rows(rows) if rows.context > 0));
        let wanted = |sight: &Sight<'_>| context || query.may_mean(sight);
        self.0.read(&wanted, &mut |entry| gatherer.take(entry)).map_err(StoreError::Unreadable)?;
        gatherer.finish()
    }
}
