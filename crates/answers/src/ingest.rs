//! `ingest`: log files into the store, each line once, whatever the files are called and however often they are given.
//!
//! All files are read in the order of time, so that lines tell of each other as they do for `entries`; only those not yet in are kept.
//! What the last minute of the store could not know when it went in (what came after it, in the same source or in the one that took its
//! place) is made good: its entries are taken back and come in anew with the lines that follow. With nothing of the newest file in the
//! store, that file is taken in first by itself, so that it can be searched while the older ones follow, and once more in its turn: which
//! one that is, is noted before, so that a kill in between changes nothing.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::hash::BuildHasher as _;
use std::path::{Path, PathBuf};

use input::{FeedError, Line, Seen};
use query::{Entry, Sight};
use store::index::{Date, DayError, Identity, Kept, NewLine, WriteError, Writer};
use store::state::{Notes, State};

use crate::memory;
use crate::reading::{Read, Reading};
use crate::retention::{self, Retention};
use crate::stream::{self, Carried, Carry, Taker, WAIT, WAITING};

/// What lines not yet on disk take at most, about.
const WRITER_BYTES: usize = 192 << 20;
/// New lines after which all that is in is committed: so much is read again at most when the program is killed.
const COMMIT_LINES: u64 = 250_000;

/// Of logs that are followed, one may be so far behind another with the same lines: microseconds of log time.
const SEEN_US: i64 = 24 * 3600 * 1_000_000;

/// Lines on their way into the store.
pub(crate) struct Taking {
    writer: Writer,
    notes: Notes,
    /// Older days were removed and stay so.
    horizon: Option<Date>,
    /// By the source's place in the reading.
    sources: BTreeMap<usize, Source>,
    names: Vec<String>,
    /// Sources that come in anew from their first line, by number.
    anew: BTreeSet<u64>,
    new: u64,
    known: u64,
    failure: Option<anyhow::Error>,
    /// Of lines that are written now.
    live: bool,
    /// Of one file of several, which goes in by itself: which source that is, is noted before any of its lines is in.
    alone: bool,
    /// Which lines came of late, of those that are written now.
    seen: Seen,
    hasher: RandomState,
    /// New lines may tell of lines from this time on, in whatever source they stand.
    told_from: Option<i64>,
}

/// A source as it is being read.
struct Source {
    number: u64,
    identity: Identity,
    /// The latest time of its lines that were in the store before.
    latest: Option<i64>,
    time_before: Option<i64>,
    /// The time of the first line that was read.
    begun: Option<i64>,
    /// Its last minute in the store has begun: from here on every line is looked at.
    in_seam: bool,
    /// Entries of its last minute in the store, as they look now.
    seam: VecDeque<(Entry, Carried)>,
    /// They have taken the place of those in the store.
    rewound: bool,
}

impl Taking {
    fn new(state: &State, threads: usize) -> anyhow::Result<Self> {
        let notes = state.notes()?;
        Ok(Self {
            writer: Writer::new(&state.index(), WRITER_BYTES, threads)?,
            horizon: notes.horizon()?,
            notes,
            sources: BTreeMap::new(),
            names: Vec::new(),
            anew: BTreeSet::new(),
            new: 0,
            known: 0,
            failure: None,
            live: false,
            alone: false,
            told_from: None,
            seen: Seen::within(SEEN_US),
            hasher: RandomState::new(),
        })
    }

    /// For lines that are written now, which come through [`Taker::write`].
    pub(crate) fn live(state: &State) -> anyhow::Result<Self> {
        Ok(Self { live: true, ..Self::new(state, 1)? })
    }

    /// Days whose lines do not go in, in words.
    pub(crate) fn damaged(&self) -> Vec<String> {
        let words = |(date, why): (Date, &DayError)| {
            let folder = self.writer.path(date).display().to_string();
            format!(
                "day {date}: {why}; its lines stay out until its folder is removed and its logs are ingested again: {folder}"
            )
        };
        self.writer.damaged().map(words).collect()
    }

    /// Keeps an entry; what is in its way is told at the end.
    fn add(&mut self, entry: &Entry, carried: &Carried) {
        let Carried { source, line, time_before, kept, .. } = carried;
        if carried.twin {
            let passed = self.writer.pass(*source, *line, entry.ts.or(*time_before).unwrap_or_default());
            return self.note(passed);
        }
        let line = NewLine { source: *source, line: *line, time_before: *time_before, entry, kept };
        let added = self.writer.add(line).and_then(|new| {
            self.new += u64::from(new);
            if new && self.new.is_multiple_of(COMMIT_LINES) { self.writer.commit() } else { Ok(()) }
        });
        self.note(added);
    }

    /// Calls a source of that place so from now on.
    pub(crate) fn name(&mut self, at: usize, name: &str) {
        if self.names.len() <= at {
            self.names.resize(at + 1, String::new());
        }
        if let Some(known) = self.names.get_mut(at) {
            name.clone_into(known);
        }
    }

    /// Commits what is in, and tells what was in the way.
    pub(crate) fn commit(&mut self) -> anyhow::Result<()> {
        if self.failure.is_none() {
            let committed = self.writer.commit();
            self.note(committed);
        }
        self.failure.take().map_or(Ok(()), Err)
    }

    /// Ends all writing while something else changes the store, and goes on behind it. All is committed before.
    pub(crate) fn pause(&mut self, state: &State, change: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<()> {
        self.commit()?;
        self.writer.rest().map_err(told)?;
        change()?;
        self.writer = Writer::new(&state.index(), WRITER_BYTES, 1)?;
        self.horizon = self.notes.horizon()?;
        for (at, source) in &mut self.sources {
            // One of which nothing is left may have another number now.
            let name = self.names.get(*at).map_or("", String::as_str);
            source.number = self.writer.source(&source.identity, name);
        }
        Ok(())
    }

    /// Notes how much of the source of that place was read and committed.
    pub(crate) fn followed(&self, at: usize, path: &str, bytes: u64) -> anyhow::Result<()> {
        let Some(source) = self.sources.get(&at) else { return Ok(()) };
        Ok(self.notes.followed(source.number, path, bytes)?)
    }

    /// Whether a line is in under a source that is not being read now: of those that are, a line comes once. Of lines that are
    /// written now, every other source counts.
    fn is_twin(&mut self, number: u64, time: Option<i64>, line: &Line<'_>) -> bool {
        let Some(time) = time else { return false };
        let mut beside = self.writer.meeting(number, time);
        if !self.live {
            beside.retain(|other| self.sources.values().all(|source| source.number != *other));
        }
        !beside.is_empty() && {
            let kept = Kept::new(line.raw, line.record.as_ref());
            self.writer.is_twin(number, time, &kept, &beside)
        }
    }

    /// Whether another log that is followed beside this one just had the same line.
    fn came_already(&mut self, line: &Line<'_>, time: Option<i64>) -> bool {
        let Some(time) = time.filter(|_| self.live && self.sources.len() > 1) else { return false };
        let is_new = self.seen.is_new(self.hasher.hash_one(line.raw), line.source, time);
        !is_new && self.has_company(line.source)
    }

    /// Whether another log is written beside that of this place: one that it took the place of is not, though both may have lines
    /// of the same second.
    fn has_company(&self, at: usize) -> bool {
        let begun = |at: &usize| self.sources.get(at).and_then(|source| source.begun);
        let Some(own) = begun(&at) else { return false };
        let others = self.sources.iter().filter(|(other, _)| **other != at);
        let mut spans = others.filter_map(|(_, source)| source.begun.zip(source.time_before));
        spans.any(|(from, to)| to > own || from >= own)
    }

    fn note(&mut self, result: Result<(), WriteError>) {
        if let Err(error) = result {
            self.failure.get_or_insert(told(error));
        }
    }

    /// What stands in two logs is in under one of them, and goes with its last minute: logs that end together are taken to end where
    /// the first of them ends, so that what one loses the other brings.
    fn align(&mut self) {
        let latest = || self.sources.values().filter_map(|source| source.latest);
        let Some(last) = latest().max() else { return };
        let is_near = |time: &i64| last.saturating_sub(*time) <= WAIT;
        let common = latest().filter(is_near).min();
        for source in self.sources.values_mut() {
            source.latest = source.latest.map(|time| if is_near(&time) { common.unwrap_or(time) } else { time });
        }
    }

    /// Takes a whole source out, to come in anew.
    fn take_back(&mut self, number: u64) {
        let rewound = self.writer.rewind(number, 1);
        self.note(rewound);
    }

    /// Sources of which nothing came again: all their lines stand in others, too. Output: all that were read.
    fn take_back_copies(&mut self) -> Vec<u64> {
        let read: Vec<u64> = self.sources.values().map(|source| source.number).collect();
        for number in &read {
            if self.anew.remove(number) {
                self.take_back(*number);
            }
        }
        read
    }

    fn source_of(&mut self, number: u64) -> Option<&mut Source> {
        self.sources.values_mut().find(|source| source.number == number)
    }

    /// A new line may tell of the last minute of other sources, too: a log that was rotated, another log of the same server.
    fn tells_from(&mut self, number: u64, time: Option<i64>) {
        let Some(source) = self.source_of(number).filter(|source| !source.rewound) else { return };
        let from = source.latest.into_iter().chain(time).min().unwrap_or(i64::MIN).saturating_sub(WAIT);
        if self.told_from.is_none_or(|told| from < told) {
            self.told_from = Some(from);
            let others: Vec<u64> =
                self.sources.values().map(|source| source.number).filter(|other| *other != number).collect();
            others.into_iter().for_each(|other| self.make_good_if_told(other));
        }
    }

    /// What waits of a source takes the place of what is in the store, if new lines may have told of it.
    fn make_good_if_told(&mut self, number: u64) {
        let told = self.told_from;
        let Some(source) = self.source_of(number) else { return };
        let is_told = source.latest.zip(told).is_some_and(|(latest, told)| latest >= told);
        if let Some((_, first)) = source.seam.front().filter(|_| is_told) {
            let line = first.line;
            self.make_good(number, line);
        }
    }

    /// The first line that is not in the store: what of its source's last minute waits takes the place of what is there, and so does
    /// the line itself, of which the beginning may have been taken for the whole.
    fn make_good(&mut self, number: u64, line: u64) {
        let Some(source) = self.source_of(number) else { return };
        let seam = std::mem::take(&mut source.seam);
        if std::mem::replace(&mut source.rewound, true) {
            return;
        }
        let from = seam.front().map_or(line, |(_, first)| first.line);
        let rewound = self.writer.rewind(number, from);
        self.note(rewound);
        // They are new to the store only in what is known of them.
        let new = self.new;
        seam.iter().for_each(|(entry, carried)| self.add(entry, carried));
        self.new = new;
    }
}

/// A full disk is named as such, with the way on.
fn told(error: WriteError) -> anyhow::Error {
    let full = error.is_full();
    let error = anyhow::Error::from(error);
    if full {
        error.context("the disk is full: what was committed before stays and is searched; make room and ingest again")
    } else {
        error
    }
}

impl Taker for Taking {
    fn may_want(&self, _sight: &Sight<'_>) -> bool {
        true
    }

    fn take(&mut self, _entry: &Entry, _raw: &[u8]) {}

    fn begins(&mut self, at: usize, head: &[u8]) {
        // What has no whole line yet is no source yet.
        let (Some(identity), Some(name)) = (Identity::of(head), self.names.get(at)) else { return };
        let number = self.writer.source(&identity, name);
        let forgotten = if self.live { Ok(()) } else { self.notes.forget_followed(number) };
        let latest = self.writer.latest(number);
        let noted = if self.alone { self.notes.note_alone(number) } else { Ok(()) };
        if let Err(error) = self.notes.name(&identity, name).and(forgotten).and(noted) {
            self.failure.get_or_insert(error.into());
        }
        // Of two copies the first is read.
        if let Some(source) = self.source_of(number) {
            source.identity = identity;
        } else {
            let source = Source {
                number,
                identity,
                latest,
                time_before: None,
                begun: None,
                in_seam: false,
                seam: VecDeque::new(),
                rewound: false,
            };
            self.sources.insert(at, source);
            self.align();
        }
    }

    fn carry(&mut self, line: &Line<'_>) -> Carry {
        let Some(source) = self.sources.get_mut(&line.source).filter(|_| self.failure.is_none()) else {
            return Carry::Skip;
        };
        let time_before = source.time_before;
        let time = line.time.or(time_before);
        source.time_before = time;
        source.begun = source.begun.or(time);
        if self.horizon.is_some_and(|horizon| time.is_some_and(|time| Date::of(time) < horizon)) {
            return Carry::Skip;
        }
        let number = source.number;
        let twin = self.is_twin(number, time, line);
        let known = self.writer.has(number, line.line, time);
        let twin = twin || !known && self.came_already(line, time);
        let Some(source) = self.sources.get_mut(&line.source) else { return Carry::Skip };
        let in_seam = || source.latest.zip(time).is_none_or(|(latest, time)| latest.saturating_sub(time) <= WAIT);
        // Whatever stands behind a line that comes in is taken out with it, and comes in again.
        let begins = !known || in_seam();
        source.in_seam |= begins;
        let anew = self.anew.contains(&number);
        self.known += u64::from(known && !anew || twin && !known);
        if known && !source.in_seam && !anew {
            return Carry::Skip;
        }
        // Of a line that was the last one then, the beginning may have been taken for the whole.
        let known = known && !(self.live && line.line == self.writer.last(number));
        let kept = Kept::new(line.raw, line.record.as_ref());
        Carry::Keep(Carried { source: number, line: line.line, time_before, known, twin, kept })
    }

    fn keep(&mut self, entry: Entry, carried: Carried) {
        let number = carried.source;
        if self.anew.remove(&number) {
            self.take_back(number);
            if let Some(source) = self.source_of(number) {
                source.rewound = true;
            }
        }
        let Some(source) = self.source_of(number) else { return };
        if carried.known && !source.rewound {
            source.seam.push_back((entry, carried));
            if source.seam.len() > WAITING {
                source.seam.pop_front();
            }
            self.make_good_if_told(number);
            return;
        }
        self.tells_from(number, entry.ts.or(carried.time_before));
        self.make_good(number, carried.line);
        self.add(&entry, &carried);
    }

    fn again(&mut self, source: u64, line: u64) {
        let rewound = self.writer.rewind(source, line);
        self.note(rewound);
    }

    fn write(&mut self, entry: &Entry, carried: &Carried) {
        self.add(entry, carried);
    }
}

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
        let mut taking = Taking { alone: true, ..taking(state, &first)? };
        if stream::read_entries(first, &mut taking).is_ok() && taking.new > 0 {
            early(&newest, taking.new);
        }
        finish(taking, reading.is_halted())?;
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
    let failure = finish(taking, halt.is_set()).err();
    if failure.is_none() {
        state.notes()?.forget_alone(&read_whole)?;
    }
    let removed = if failure.is_none() { retention::enforce(state, retention)? } else { Vec::new() };
    if failure.is_none() && !halt.is_set() {
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

/// Commits what is in, and tells what was in the way. Whoever is in a hurry does not wait until it is in good order, too.
fn finish(taking: Taking, is_hurried: bool) -> anyhow::Result<()> {
    let Taking { mut writer, failure, .. } = taking;
    match failure {
        // What is not committed comes in again the next time.
        Some(failure) => Err(failure),
        None if is_hurried => writer.commit().map_err(told),
        None => writer.finish().map_err(told),
    }
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
