//! The lines of the store, handed on as if they were read from their files: so what is counted from them is the same.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use input::{Coverage, Dated, GoOn, Inferred, Line, Options, Summed, Worth};
use maillog::{Record, Stamps};
use query::Query;
use store::StoreError;
use store::index::{Counted, Cut, Index, Pick, Replayed};
use store::state::State;

use crate::narrowed::{self, Narrow, Unread};
use crate::state;

/// The lines from a place in the store on.
#[derive(Clone, Debug)]
pub(crate) struct Stretch {
    /// The first place; `None` is the beginning.
    pub(crate) from: Option<Cut>,
    /// Lines before are read for what they tell of those behind; `None` are none.
    pub(crate) counts_from: Option<Cut>,
    /// Lines from there on are left out; `None` are none.
    pub(crate) until: Option<Cut>,
    /// Says whether the line that is handed on, or what comes out behind the last one, counts.
    pub(crate) counts: Arc<AtomicBool>,
}

impl Stretch {
    /// A line of this place is next. Output: whether it is read.
    fn passes(&self, place: Cut) -> bool {
        let within = self.until.is_none_or(|until| place < until);
        let counts = within && self.counts_from.is_none_or(|from| place >= from);
        self.counts.store(counts, Ordering::Release);
        within
    }
}

/// The lines that an answer hangs on.
pub(crate) struct Picked<'i> {
    pick: Pick<'i>,
    unread: Unread,
}

/// The lines of a time.
pub(crate) struct Stored {
    index: Index,
    time: Query,
    names: Vec<String>,
    /// Numbers of the sources, by place.
    numbers: Vec<u64>,
    /// Places among the names, by a source's number.
    places: HashMap<u64, usize>,
    failure: std::cell::RefCell<Option<String>>,
    /// What the lines handed on so far had in common.
    stamps: std::cell::RefCell<Stamps>,
}

impl Stored {
    /// What cannot be read is told of by [`Stored::damaged`].
    pub(crate) fn open(state: &State, time: Query) -> Self {
        let index = state::index(state);
        let (mut failure, mut listed) = (None, Vec::new());
        match index.sources() {
            Ok(sources) => {
                listed = sources.numbers().map(|number| (sources.name(number).to_owned(), number)).collect();
            }
            Err(error) => failure = Some(format!("{}: {error}", state.index().display())),
        }
        listed.sort();
        let places = listed.iter().enumerate().map(|(at, (_, number))| (*number, at)).collect();
        let (names, numbers) = listed.into_iter().unzip();
        Self { index, time, names, numbers, places, failure: failure.into(), stamps: std::cell::RefCell::default() }
    }

    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// Numbers of the sources, in the order of the names.
    pub(crate) fn numbers(&self) -> &[u64] {
        &self.numbers
    }

    /// The place of a source among the names, by its number.
    pub(crate) fn place(&self, number: u64) -> Option<usize> {
        self.places.get(&number).copied()
    }

    /// Hands on every line.
    pub(crate) fn feed<R: GoOn>(
        &self,
        options: &Options,
        worth: impl Fn(&Record<'_>) -> Worth,
        sink: impl FnMut(Line<'_>) -> R,
    ) -> Coverage {
        input::feed_dated(&self.names, options, worth, sink, |take| {
            self.note(self.index.replay(&self.time, |line| self.hand_on(&line, take)));
        })
    }

    /// Hands on the lines of a stretch. The coverage is theirs.
    pub(crate) fn feed_stretch<R: GoOn>(
        &self,
        stretch: &Stretch,
        options: &Options,
        worth: impl Fn(&Record<'_>) -> Worth,
        sink: impl FnMut(Line<'_>) -> R,
    ) -> Coverage {
        let from = stretch.from.unwrap_or(Cut::at(i64::MIN));
        input::feed_dated(&self.names, options, worth, sink, |take| {
            self.note(self.index.replay_from(from, |line, place| stretch.passes(place) && self.hand_on(&line, take)));
        })
    }

    /// Picks the lines that an answer hangs on. `None`: they are so many that to read all is quicker, or none can be read.
    pub(crate) fn pick(&self, narrow: &Narrow) -> Option<Picked<'_>> {
        let mut pick = match self.index.pick(&self.time) {
            Ok(pick) => pick,
            Err(error) => {
                self.note(Err(error));
                return None;
            }
        };
        narrow.pick(&mut pick, &self.time);
        let unread = narrowed::pick_unknown(&mut pick);
        (!pick.is_too_much()).then_some(Picked { pick, unread })
    }

    /// Hands on the lines that were picked. The coverage is that of all lines.
    pub(crate) fn feed_picked<R: GoOn>(
        &self,
        Picked { pick, unread }: &Picked<'_>,
        options: &Options,
        worth: impl Fn(&Record<'_>) -> Worth,
        sink: impl FnMut(Line<'_>) -> R,
    ) -> Coverage {
        let read = input::feed_dated(&self.names, options, worth, sink, |take| {
            pick.replay(|line| self.hand_on(&line, take));
        });
        let counted: HashMap<u64, Counted> = pick.count_sources().into_iter().collect();
        let summed: Vec<Summed> = self.summed(pick, counted);
        let coverage = input::coverage_of(&summed, options, unread.unknown, unread.bad_time);
        Coverage { stopped: read.stopped, ..coverage }
    }

    /// What was counted, in the order of the names.
    fn summed(&self, pick: &Pick<'_>, mut counted: HashMap<u64, Counted>) -> Vec<Summed> {
        let mut summed: Vec<Summed> =
            self.names.iter().map(|name| Summed { name: name.clone(), ..Summed::default() }).collect();
        for (number, at) in &self.places {
            let (Some(source), Some(counted)) = (summed.get_mut(*at), counted.remove(number)) else { continue };
            source.guessed_year_at = counted.last.1.filter(|_| pick.last_has_no_year(*number, &counted));
            (source.lines, source.minutes) = (counted.lines, counted.minutes);
        }
        summed
    }

    fn hand_on(&self, line: &Replayed, take: &mut dyn FnMut(Dated<'_>) -> bool) -> bool {
        let Some(source) = self.places.get(&line.source).copied() else { return true };
        // As every line is asked, what nearly all of them say is not searched.
        let (year, zone) = match line.time_inferred.as_deref() {
            None => (false, false),
            Some("year,zone") => (true, true),
            Some(said) => (said.contains("year"), said.contains("zone")),
        };
        take(Dated {
            source,
            line: line.line,
            time: line.ts,
            inferred: Inferred { year, zone },
            record: line.kept.record_after(&mut self.stamps.borrow_mut(), line.ts.unwrap_or_default()),
            raw: line.kept.raw.as_deref().unwrap_or_default(),
            truncated: line.truncated,
        })
    }

    fn note(&self, result: Result<(), StoreError>) {
        if let Err(error) = result {
            self.failure.replace(Some(format!("{:#}", anyhow::Error::from(error))));
        }
    }

    /// What could not be read, in words.
    pub(crate) fn damaged(&self) -> Vec<String> {
        let told = self.index.told();
        self.failure.take().into_iter().chain(told.damaged.iter().map(state::words)).collect()
    }
}
