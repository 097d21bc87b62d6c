//! Files as a store: the questions of [`store`] answered straight from what is read.

use std::cell::RefCell;

use query::{Entry, Query, Sight};
use store::index::Index;
use store::{Answer, Memory, Question, Store as _, StoreError};

use crate::reading::{Read, Reading};
use crate::state;
use crate::stream::{self, Taker};

/// Sources to be read, and what the last reading of them was like.
struct Files {
    reading: Reading,
    read: RefCell<Option<Read>>,
}

struct Handing<'t> {
    wanted: &'t dyn Fn(&Sight<'_>) -> bool,
    take: &'t mut dyn FnMut(&Entry),
}

impl Taker for Handing<'_> {
    fn may_want(&self, sight: &Sight<'_>) -> bool {
        (self.wanted)(sight)
    }

    fn take(&mut self, entry: &Entry, _raw: &[u8]) {
        (self.take)(entry);
    }
}

impl store::Source for Files {
    fn read(
        &self,
        wanted: &dyn Fn(&Sight<'_>) -> bool,
        take: &mut dyn FnMut(&Entry),
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let read = stream::read_entries(self.reading.clone(), &mut Handing { wanted, take })?;
        self.read.replace(Some(read));
        Ok(())
    }
}

/// Answers, and what there is to say about them.
pub struct Answered {
    /// One for each question.
    pub answers: Vec<Answer>,
    /// Of files: how the reading went.
    pub read: Option<Read>,
    /// Of a store: days that could not be read, in words.
    pub damaged: Vec<String>,
    /// Of a store: nothing of the query could be looked up, and every line of the days asked was looked at.
    pub scanned: bool,
}

/// Asks what the reading reads.
pub fn ask(reading: Reading, query: &Query, questions: &[Question]) -> Result<Answered, StoreError> {
    if let Some(state) = reading.state() {
        return ask_index(&state::index(state), &reading.asked_time().and(query.clone()), questions);
    }
    let memory = Memory(Files { reading, read: RefCell::new(None) });
    let answers = memory.ask(query, questions)?;
    Ok(Answered { answers, read: memory.0.read.take(), damaged: Vec::new(), scanned: false })
}

/// Asks the store.
pub fn ask_index(index: &Index, query: &Query, questions: &[Question]) -> Result<Answered, StoreError> {
    let answers = index.ask(query, questions)?;
    let told = index.told();
    let damaged = told.damaged.iter().map(state::words).collect();
    Ok(Answered { answers, read: None, damaged, scanned: told.scanned > 0 })
}
