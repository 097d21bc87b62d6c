//! Answers out of a stream: entries go in one by one, answers come out at the end.

use query::{Entry, Query};

use crate::buckets::Buckets;
use crate::question::{Answer, Question, StoreError};
use crate::rows::Rows;
use crate::values::{Different, Values, repeats};

/// Gathers the answers to several questions in one pass. Memory is bounded by what the questions keep, not by the stream.
pub struct Gatherer {
    query: Query,
    parts: Vec<Part>,
}

enum Part {
    Rows(Rows),
    Count(u64),
    Histogram(Buckets),
    Top(Values),
    Distinct(Different),
}

impl Gatherer {
    /// An error tells of a question that asks for more than is allowed.
    pub fn new(query: &Query, questions: &[Question]) -> Result<Self, StoreError> {
        let parts = questions.iter().map(|question| {
            Ok(match question {
                Question::Rows(asked) => Part::Rows(Rows::new(asked)?),
                Question::Count => Part::Count(0),
                Question::Histogram(asked) => Part::Histogram(Buckets::new(asked)?),
                Question::Top(asked) => Part::Top(Values::new(asked)),
                Question::Distinct(field) => Part::Distinct(Different::new(field)),
            })
        });
        Ok(Self { query: query.clone(), parts: parts.collect::<Result<_, StoreError>>()? })
    }

    /// The next entry. Those of one source come in the order of its lines.
    pub fn take(&mut self, entry: &Entry) {
        let meant = self.query.matches(entry);
        for part in &mut self.parts {
            match part {
                Part::Rows(rows) => rows.take(entry, meant),
                _ if !meant => {}
                Part::Count(count) => *count = count.saturating_add(repeats(entry)),
                Part::Histogram(buckets) => buckets.take(entry),
                Part::Top(values) => values.take(entry),
                Part::Distinct(different) => different.take(entry),
            }
        }
    }

    /// The answers, in the order of the questions.
    pub fn finish(self) -> Result<Vec<Answer>, StoreError> {
        let answers = self.parts.into_iter().map(|part| {
            Ok(match part {
                Part::Rows(rows) => Answer::Rows(rows.finish()),
                Part::Count(count) => Answer::Count(count),
                Part::Histogram(buckets) => Answer::Histogram(buckets.finish()?),
                Part::Top(values) => Answer::Top(values.finish()),
                Part::Distinct(different) => Answer::Distinct(different.finish()),
            })
        });
        answers.collect()
    }
}
