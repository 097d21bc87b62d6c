//! `search --follow`: what a query means, as it comes into the store, until the program is ended.
//!
//! A line is shown once, as soon as the query means it: one that turns out to be a failed login by the lines after it is shown then.

use std::collections::BTreeSet;
use std::time::Duration;

use query::{Entry, Query};
use store::index::{Arrivals, Marks};
use store::state::State;

use crate::exit::Exit;

/// How often the store is looked at; lines are committed as often.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Lines of one look at most, about.
const LINES: usize = 5_000;

/// A line by its source and number.
type At = (Option<String>, Option<i64>);

/// A store that is watched.
pub(super) struct Following {
    state: State,
    marks: Marks,
    /// Lines behind the marks that were shown.
    shown: BTreeSet<At>,
}

impl Following {
    /// From now on. To be begun before the lines that are there are asked for, so that none falls between.
    pub(super) fn begin(state: &State) -> anyhow::Result<Self> {
        let marks = answers::state::index(state).marks(0)?;
        Ok(Self { state: state.clone(), marks, shown: BTreeSet::new() })
    }

    /// These were shown already.
    pub(super) fn skip<'e>(&mut self, entries: impl Iterator<Item = &'e Entry>) {
        self.shown.extend(entries.map(at));
    }

    /// Hands over what comes in, the oldest first. It ends only with an error of `show`, such as a pipe that was closed.
    pub(super) fn run(
        mut self,
        query: &Query,
        mut show: impl FnMut(&[Entry]) -> anyhow::Result<()>,
    ) -> anyhow::Result<Exit> {
        loop {
            let arrivals = answers::state::index(&self.state).arrivals(&self.marks, LINES, answers::stream::WAIT)?;
            let (more, moved) = (arrivals.more, arrivals.marks != self.marks);
            let new = self.new_of(arrivals, query);
            if !new.is_empty() {
                show(&new)?;
            }
            if !(more && moved) {
                std::thread::sleep(LOOK_EVERY);
            }
        }
    }

    /// What a query means of what came in and was not shown.
    fn new_of(&mut self, arrivals: Arrivals, query: &Query) -> Vec<Entry> {
        self.marks = arrivals.marks;
        let mut new: Vec<Entry> = arrivals.lines.into_iter().map(|line| line.entry).collect();
        let all: BTreeSet<At> = new.iter().map(at).collect();
        // What is settled does not come again.
        self.shown.retain(|shown| all.contains(shown));
        new.retain(|entry| query.matches(entry) && !self.shown.contains(&at(entry)));
        self.shown.extend(new.iter().map(at));
        new
    }
}

fn at(entry: &Entry) -> At {
    (entry.source.clone(), entry.line)
}
