//! Files as a store: the questions of [`store`] answered straight from what is read.

use std::cell::RefCell;

use input::FeedError;
use query::{Entry, Query, Sight};
use store::index::Index;
use store::{Answer, Memory, Question, Store as _, StoreError};

use crate::exit::Exit;
use crate::print;
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
    if let Some(state) = reading.state() {
        return ask_index(&state::index(state), &reading.asked_time().and(query.clone()), questions, quiet).map(Ok);
    }
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

/// Asks the store. Says which days could not be read, and that nothing could be looked up where that is so.
fn ask_index(index: &Index, query: &Query, questions: &[Question], quiet: bool) -> anyhow::Result<Answered> {
    let answers = index.ask(query, questions)?;
    let told = index.told();
    if told.scanned > 0 && !quiet {
        print::note("nothing in the query can be looked up in the index: every line of the days asked was looked at");
    }
    told.damaged.iter().for_each(|damaged| print::error(&state::words(damaged)));
    let exit = if told.damaged.is_empty() { Exit::Ok } else { Exit::Partly };
    Ok(Answered { answers, exit })
}
