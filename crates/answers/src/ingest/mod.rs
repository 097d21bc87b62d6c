//! `ingest`: log files into the store, each line once, whatever the files are called and however often they are given.
//!
//! All files are read in the order of time, so that lines tell of each other as they do for `entries`; only those not yet in are kept.
//! What the last minute of the store could not know when it went in (what came after it, in the same source or in the one that took its
//! place) is made good: its entries are taken back and come in anew with the lines that follow. With nothing of the newest file in the
//! store, that file is taken in first by itself, so that it can be searched while the older ones follow, and once more in its turn: which
//! one that is, is noted before, so that a kill in between changes nothing.

mod taking;

use std::path::{Path, PathBuf};

use input::FeedError;
use store::index::Date;
use store::state::State;

use crate::memory;
use crate::reading::{Read, Reading};
use crate::retention::{self, Retention};
use crate::stream;

pub(crate) use taking::{Taking, waits_for_room};

/// What came of it.
pub struct Ingested {
    /// Lines that were not in.
    pub new: u64,
    /// Lines that were.
    pub known: u64,
    /// What was read.
    pub read: Read,
    /// What was in the way; what was committed before stays.
    pub failure: Option<anyhow::Error>,
    /// Old days that were removed.
    pub removed: Vec<Date>,
    /// Days that are damaged, in words: their lines were not taken in.
    pub damaged: Vec<String>,
}

/// Takes in what is to be read. The caller holds the state's lock. `early` is told of the newest file once its lines can be searched,
/// with their number.
pub fn ingest(
    state: &State,
    reading: Reading,
    retention: &Retention,
    early: impl Fn(&Path, u64),
) -> anyhow::Result<Result<Ingested, FeedError>> {
    if let Some(newest) = newest(&reading).filter(|newest| is_new(state, newest)) {
        let first = Reading::only(&reading, newest.clone());
        let mut taking = taking(state, &first)?;
        taking.alone = true;
        if stream::read_entries(first, &mut taking).is_ok() && taking.new > 0 {
            early(&newest, taking.new);
        }
        taking.finish(reading.is_halted(), || ())?;
    }
    let mut taking = taking(state, &reading)?;
    taking.anew = taking.notes.alone()?;
    let (halt, settings) = (reading.halt(), reading.settings().clone());
    let read = match stream::read_entries(reading, &mut taking) {
        Ok(read) => read,
        Err(error) => return Ok(Err(error)),
    };
    let read_whole = if halt.is_set() { Vec::new() } else { taking.take_back_copies() };
    let (new, known, damaged) = (taking.new, taking.known, taking.damaged());
    // What findings remember hangs on the lines alone, however many pieces the days are in.
    let failure = taking.finish(halt.is_set(), || memory::refresh_if_possible(state, &settings, &halt)).err();
    if failure.is_none() {
        state.notes()?.forget_alone(&read_whole)?;
    }
    let removed = if failure.is_none() { retention::enforce(state, retention)? } else { Vec::new() };
    if failure.is_none() && !halt.is_set() && retention.is_any() && state.remembered().is_none() {
        memory::refresh_if_possible(state, &settings, &halt);
    }
    Ok(Ok(Ingested { new, known, read, failure, removed, damaged }))
}

/// Whether nothing of a file is in the store.
fn is_new(state: &State, file: &Path) -> bool {
    let Ok(Some(identity)) = input::identify(file) else { return true };
    let sources = crate::state::index(state).sources();
    sources.map_or(true, |sources| sources.find(&identity).is_none())
}

fn taking(state: &State, reading: &Reading) -> anyhow::Result<Taking> {
    // Reading takes about as much time as indexing.
    let mut taking = Taking::new(state, reading.threads() / 2)?;
    taking.names = reading.names();
    Ok(taking)
}

/// The newest of several files.
fn newest(reading: &Reading) -> Option<PathBuf> {
    let sources = reading.sources();
    let files: Vec<PathBuf> = sources.list().iter().map(|source| PathBuf::from(source.name())).collect();
    if files.len() < 2 {
        return None;
    }
    let modified = |file: &PathBuf| std::fs::metadata(file).and_then(|metadata| metadata.modified()).ok();
    files.into_iter().filter(|file| file.is_file()).max_by_key(modified)
}
