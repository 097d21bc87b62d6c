//! Files as a store: the questions of [`store`] answered straight from what is read.

use std::cell::RefCell;

use input::FeedError;
use query::{Entry, Query, Sight};
use store::{Answer, Memory, Question, Store as _, StoreError};

use crate::exit::Exit;
use crate::reading::{Read, Reading};
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

/// Answers, and how the program ends apart from them: what could not be read has been said.
pub(crate) struct Answered {
    pub(crate) answers: Vec<Answer>,
    pub(crate) exit: Exit,
}

/// Asks what the reading reads. `Err(exit)`: there is no answer, and why has been said.
pub(crate) fn ask(
    reading: Reading,
    query: &Query,
    questions: &[Question],
    quiet: bool,
) -> anyhow::Result<Result<Answered, Exit>> {
    let memory = Memory(Files { reading, read: RefCell::new(None) });
    let answers = match memory.ask(query, questions) {
        Ok(answers) => answers,
        Err(StoreError::Unreadable(why)) => match why.downcast_ref::<FeedError>() {
            Some(error) => return Ok(Err(Exit::nothing_readable(error))),
            None => return Err(StoreError::Unreadable(why).into()),
        },
        Err(error) => return Err(error.into()),
    };
    let exit = memory.0.read.borrow().as_ref().map_or(Exit::Ok, |read| Exit::of_reading(read, quiet));
    Ok(Ok(Answered { answers, exit }))
}
