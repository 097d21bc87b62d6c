//! Lines on their way into the store: what each is, and whether and when it goes in.

mod seam;
mod twins;

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use input::{Line, Seen};
use maillog::Stamps;
use query::{Entry, Sight};
use store::index::{Date, DayError, Identity, Kept, NewLine, WriteError, Writer};
use store::state::{Notes, State};

use crate::stream::{Carried, Carry, Taker, WAITING};

/// What lines not yet on disk take at most, about.
const WRITER_BYTES: usize = 192 << 20;
/// New lines after which all that is in is committed: so much is read again at most when the program is killed.
const COMMIT_LINES: u64 = 250_000;

/// Lines on their way into the store.
pub(crate) struct Taking {
    writer: Writer,
    pub(in crate::ingest) notes: Notes,
    /// Older days were removed and stay so.
    horizon: Option<Date>,
    /// By the source's place in the reading.
    sources: BTreeMap<usize, Source>,
    /// Their places, by number.
    places: HashMap<u64, usize>,
    /// What sources are called, to be noted with the next commit.
    named: Vec<(Identity, String)>,
    pub(in crate::ingest) names: Vec<String>,
    /// Sources that come in anew from their first line, by number.
    pub(in crate::ingest) anew: BTreeSet<u64>,
    pub(in crate::ingest) new: u64,
    pub(in crate::ingest) known: u64,
    failure: Option<anyhow::Error>,
    /// Of lines that are written now.
    live: bool,
    /// Of one file of several, which goes in by itself: which source that is, is noted before any of its lines is in.
    pub(in crate::ingest) alone: bool,
    /// Which lines came of late, of those that are written now.
    seen: Seen,
    hasher: RandomState,
    stamps: Stamps,
    /// New lines may tell of lines from this time on, in whatever source they stand.
    told_from: Option<i64>,
}

/// A source as it is being read.
struct Source {
    number: u64,
    identity: Identity,
    /// The latest time of its lines that were in the store before.
    latest: Option<i64>,
    /// It ends in the store where the newest of the others do, about.
    ends_last: bool,
    time_before: Option<i64>,
    /// The time of the first line that was read.
    begun: Option<i64>,
    /// Its last minute in the store has begun: from here on every line is looked at.
    in_seam: bool,
    /// Entries of its last minute in the store, as they look now.
    seam: VecDeque<(Box<Entry>, Carried)>,
    /// The seam is whole: nothing of it was too much to be kept.
    seam_is_whole: bool,
    /// They have taken the place of those in the store.
    rewound: bool,
}

impl Taking {
    pub(in crate::ingest) fn new(state: &State, threads: usize) -> anyhow::Result<Self> {
        let notes = state.notes()?;
        Ok(Self {
            writer: Writer::new(&state.index(), WRITER_BYTES, threads)?,
            horizon: notes.horizon()?,
            notes,
            sources: BTreeMap::new(),
            places: HashMap::new(),
            named: Vec::new(),
            names: Vec::new(),
            anew: BTreeSet::new(),
            new: 0,
            known: 0,
            failure: None,
            live: false,
            alone: false,
            told_from: None,
            seen: twins::seen(),
            hasher: RandomState::new(),
            stamps: Stamps::default(),
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
            self.notes.name(&std::mem::take(&mut self.named))?;
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
        self.places.clear();
        for (at, source) in &mut self.sources {
            // One of which nothing is left may have another number now.
            let name = self.names.get(*at).map_or("", String::as_str);
            source.number = self.writer.source(&source.identity, name);
            self.places.entry(source.number).or_insert(*at);
        }
        Ok(())
    }

    /// Notes how much of the source of that place was read and committed.
    pub(crate) fn followed(&self, at: usize, path: &str, bytes: u64) -> anyhow::Result<()> {
        let Some(source) = self.sources.get(&at) else { return Ok(()) };
        Ok(self.notes.followed(source.number, path, bytes)?)
    }

    /// Commits what is in, and tells what was in the way. `beside` runs while the days are put in good order; whoever is in a hurry waits
    /// for neither.
    pub(in crate::ingest) fn finish(self, is_hurried: bool, beside: impl FnOnce()) -> anyhow::Result<()> {
        let Self { mut writer, failure, notes, named, .. } = self;
        // What is not committed comes in again the next time.
        failure.map_or(Ok(()), Err)?;
        writer.commit().map_err(told)?;
        notes.name(&named)?;
        if is_hurried {
            return Ok(());
        }
        let ordered = std::thread::scope(|scope| {
            let ordering = scope.spawn(|| writer.finish());
            beside();
            ordering.join()
        });
        ordered.unwrap_or_else(|panic| std::panic::resume_unwind(panic)).map_err(told)
    }

    fn note(&mut self, result: Result<(), WriteError>) {
        if let Err(error) = result {
            self.failure.get_or_insert(told(error));
        }
    }

    fn source_of(&mut self, number: u64) -> Option<&mut Source> {
        self.sources.get_mut(self.places.get(&number)?)
    }
}

/// What is said first of a full disk.
const FULL: &str = "the disk is full: what was committed before stays and is searched; make room and ingest again";

/// A full disk is named as such, with the way on.
fn told(error: WriteError) -> anyhow::Error {
    let full = error.is_full();
    let error = anyhow::Error::from(error);
    if full { error.context(FULL) } else { error }
}

/// What is said of a full disk to whoever follows: it goes on by itself. The days' files, the small state and the spool each tell of it in
/// words of their own, which come after.
pub(crate) fn waits_for_room(error: &anyhow::Error) -> String {
    let causes: Vec<String> = error.chain().map(ToString::to_string).filter(|cause| cause != FULL).collect();
    format!("the disk is full; nothing is lost, lines wait until there is room ({})", causes.join(": "))
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
        self.named.push((identity.clone(), name.clone()));
        if let Err(error) = forgotten.and(noted) {
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
                ends_last: false,
                time_before: None,
                begun: None,
                in_seam: false,
                seam: VecDeque::new(),
                seam_is_whole: true,
                rewound: false,
            };
            if let Some(before) = self.sources.insert(at, source) {
                self.places.remove(&before.number);
            }
            self.places.insert(number, at);
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
        let known = self.writer.has(number, line.line, time);
        let in_seam = source.seam_from().zip(time).is_none_or(|(from, time)| time >= from);
        // Whatever stands behind a line that comes in is taken out with it, and comes in again.
        source.in_seam |= !known || in_seam;
        let comes = source.in_seam || self.anew.contains(&number);
        let twin = self.is_twin(number, time, line, comes) || !known && self.came_already(line, time);
        let Some(source) = self.sources.get(&line.source) else { return Carry::Skip };
        let anew = self.anew.contains(&number);
        self.known += u64::from(known && !anew || twin && !known);
        if known && !source.in_seam && !anew {
            return Carry::Skip;
        }
        // Of a line that was the last one then, the beginning may have been taken for the whole.
        let known = known && !(self.live && line.line == self.writer.last(number));
        let kept = Kept::of(&mut self.stamps, line.raw, line.record.as_ref());
        Carry::Keep(Carried { source: number, line: line.line, time_before, known, twin, kept })
    }

    fn keep(&mut self, entry: Box<Entry>, carried: Carried) {
        let number = carried.source;
        if self.anew.remove(&number) {
            self.take_back(number);
            if let Some(source) = self.source_of(number) {
                // Nothing of it is there any more.
                (source.rewound, source.latest) = (true, None);
            }
        }
        let Some(source) = self.source_of(number) else { return };
        if carried.known && !source.rewound {
            source.seam.push_back((entry, carried));
            if source.seam.len() > WAITING {
                source.seam.pop_front();
                source.seam_is_whole = false;
            }
            self.make_good_if_told(number);
            return;
        }
        self.tells_from(number, entry.ts.or(carried.time_before));
        self.make_good(number, Some(carried.line));
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
