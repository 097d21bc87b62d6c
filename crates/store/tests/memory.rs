//! The suite on the store that keeps nothing.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod suite;

use query::{Entry, Query, Sight};
use store::{Memory, Question, Source, Store as _, StoreError};

struct Given(Vec<Entry>);

impl Source for Given {
    fn read(
        &self,
        wanted: &dyn Fn(&Sight<'_>) -> bool,
        take: &mut dyn FnMut(&Entry),
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        // An entry without a text comes from no line, so nothing can be said of it beforehand.
        let seen = |entry: &&Entry| match &entry.text {
            Some(text) => wanted(&Sight::new(entry.ts, text.as_bytes())),
            None => true,
        };
        self.0.iter().filter(seen).for_each(take);
        Ok(())
    }
}

#[test]
fn memory_conforms() {
    suite::conforms(|entries| Memory(Given(entries.to_vec())));
}

struct Broken;

impl Source for Broken {
    fn read(
        &self,
        _wanted: &dyn Fn(&Sight<'_>) -> bool,
        _take: &mut dyn FnMut(&Entry),
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        Err("the disk is gone".into())
    }
}

#[test]
fn a_source_that_breaks_is_said_to() {
    let error = Memory(Broken).ask(&Query::all(), &[Question::Count]).unwrap_err();
    assert!(matches!(&error, StoreError::Unreadable(why) if why.to_string() == "the disk is gone"), "{error}");
}
