//! Lines as entries, with what the lines around them tell.
//!
//! An attempt's class may hang on lines before and after it, so entries wait a while before they are handed on: up to a
//! minute of log time, or so many of them. They come out in the order of the input. A refusal whose session goes on for longer is told as
//! its own line tells it.

use std::collections::{BTreeMap, VecDeque};

use diagnose::{Diagnoser, Diagnosis};
use input::{Coverage, FeedError, Line};
use maillog::Event;
use query::{Entry, Query, Sight};
use store::index::{Index, Kept};
use trace::{Attempt, AttemptKind, Login, NameOrigin, Refusal, SessionId, Sink, Story, Where};

use crate::reading::{Passing, Read, Reader, Reading, Unknown};
use crate::state;

/// How long an entry waits for what comes after it, in microseconds of log time.
pub const WAIT: i64 = 60 * 1_000_000;
/// Entries waiting at most.
pub const WAITING: usize = 20_000;
/// Bytes of waiting lines at most.
const WAITING_BYTES: usize = 64 << 20;

/// Takes entries as they come out.
pub trait Taker {
    /// The line's own bytes are wanted as well, secrets redacted.
    fn wants_raw(&self) -> bool {
        false
    }

    /// Whether a line of which only this is known may be wanted. Others are not made entries.
    fn may_want(&self, sight: &Sight<'_>) -> bool;

    /// An entry, and the line's bytes if they are wanted.
    fn take(&mut self, entry: &Entry, raw: &[u8]);

    /// What of a store's entries it can use at most; all by default.
    fn wanted(&self) -> Query {
        Query::all()
    }

    /// How a source begins.
    fn begins(&mut self, _source: usize, _head: &[u8]) {}

    /// What is to become of a line before anything else is known of it.
    fn carry(&mut self, _line: &Line<'_>) -> Carry {
        Carry::Entry
    }

    /// An entry whose line is to be kept.
    fn keep(&mut self, _entry: Box<Entry>, _carried: Carried) {}

    /// What is kept of a source from a line on comes anew through [`Taker::write`]. Only of [`Waiting::settle`].
    fn again(&mut self, _source: u64, _line: u64) {}

    /// An entry to be kept as it looks now; it may come again.
    fn write(&mut self, _entry: &Entry, _carried: &Carried) {}
}

/// What is to become of a line.
pub enum Carry {
    /// It comes out through [`Taker::take`].
    Entry,
    /// It is only read, for what it tells of others.
    Skip,
    /// It comes out through [`Taker::keep`], with this.
    Keep(Carried),
}

/// What goes with a line that is to be kept.
pub struct Carried {
    /// The number of its source in the store.
    pub source: u64,
    /// Its number there.
    pub line: u64,
    /// The time of the line before it.
    pub time_before: Option<i64>,
    /// It is in the store already, as far as it was known when it went in.
    pub known: bool,
    /// It is in the store under another source.
    pub twin: bool,
    /// The line.
    pub kept: Kept,
}

/// Reads all there is to read, and hands it to `taker`.
pub fn read_entries(reading: Reading, taker: &mut impl Taker) -> Result<Read, FeedError> {
    if let Some(state) = reading.state() {
        return Ok(stored_entries(&state::index(state), &reading.asked_time(), taker));
    }
    let mut waiting = Waiting::new(taker);
    waiting.sources = reading.names();
    let read = reading.run(&mut waiting)?;
    waiting.flush(true);
    Ok(read)
}

/// Hands on the entries of a store as they were found when their lines came in.
fn stored_entries(index: &Index, time: &Query, taker: &mut impl Taker) -> Read {
    let asked = time.clone().and(taker.wanted());
    let read = index.entries(&asked, |entry, kept| {
        taker.take(&entry, kept.raw.as_deref().unwrap_or_default());
        true
    });
    let failed = read.err().map(|error| format!("{:#}", anyhow::Error::from(error)));
    let damaged = failed.into_iter().chain(index.told().damaged.iter().map(state::words)).collect();
    Read { coverage: Coverage::default(), unknown: Unknown::default(), damaged, asked: (None, None) }
}

/// An entry that may still learn something.
struct Open {
    carried: Option<Carried>,
    seq: u64,
    time: Option<i64>,
    /// Boxed: it is large, and moves through the queue.
    entry: Box<Entry>,
    raw: Vec<u8>,
    /// What it was counted with among the waiting bytes.
    bytes: usize,
    /// It looks otherwise than when it was last kept, or was not kept yet.
    changed: bool,
}

/// Entries on their way out.
pub(crate) struct Waiting<'t, T: Taker> {
    entries: VecDeque<Open>,
    bytes: usize,
    now: i64,
    diagnoser: Diagnoser,
    sources: Vec<String>,
    pub(crate) taker: &'t mut T,
    /// Entries go only when [`Waiting::settle`] lets them.
    live: bool,
}

impl<'t, T: Taker> Waiting<'t, T> {
    fn new(taker: &'t mut T) -> Self {
        let (entries, diagnoser) = (VecDeque::new(), Diagnoser::default());
        Self { entries, bytes: 0, now: i64::MIN, diagnoser, sources: Vec::new(), taker, live: false }
    }

    /// Of lines that are written now: see [`Waiting::settle`].
    pub(crate) fn live(taker: &'t mut T) -> Self {
        Self { live: true, ..Self::new(taker) }
    }

    /// What a source is called, by its place.
    pub(crate) fn name(&mut self, source: usize, name: &str) {
        if self.sources.len() <= source {
            self.sources.resize(source + 1, String::new());
        }
        if let Some(known) = self.sources.get_mut(source) {
            name.clone_into(known);
        }
    }

    /// Whether there are so many entries that [`Waiting::settle`] is due.
    pub(crate) fn is_full(&self) -> bool {
        self.entries.len() > WAITING || self.bytes > WAITING_BYTES
    }

    /// Has every waiting entry kept as it looks now, though it may still learn something: of each source those from the first one on
    /// that looks otherwise than it was kept. Then those go that learn nothing more.
    pub(crate) fn settle(&mut self) {
        let mut from: BTreeMap<u64, u64> = BTreeMap::new();
        for open in self.entries.iter().filter(|open| open.changed) {
            if let Some(carried) = &open.carried {
                let first = from.entry(carried.source).or_insert(carried.line);
                *first = carried.line.min(*first);
            }
        }
        for (source, line) in &from {
            self.taker.again(*source, *line);
        }
        for open in &mut self.entries {
            let Some(carried) = &open.carried else { continue };
            if from.get(&carried.source).is_some_and(|first| carried.line >= *first) {
                self.taker.write(&open.entry, carried);
                open.changed = false;
            }
        }
        self.flush(false);
    }

    fn entry(&mut self, id: u64) -> Option<&mut Entry> {
        let first = self.entries.partition_point(|open| open.seq < id);
        let open = self.entries.get_mut(first).filter(|open| open.seq == id)?;
        open.changed = true;
        if let Some(carried) = &mut open.carried {
            carried.kept.changes(&open.entry);
        }
        Some(&mut open.entry)
    }

    /// Writes what an outcome says about its own line.
    fn note(&mut self, at: &Where, diagnosis: &Diagnosis) {
        let session = at.session;
        if let Some(entry) = self.entry(at.line) {
            query::diagnosed(entry, diagnosis);
            set_session(entry, session);
        }
    }

    fn flush(&mut self, all: bool) {
        while let Some(open) = self.entries.front() {
            let too_many = self.entries.len() > WAITING || self.bytes > WAITING_BYTES;
            let ripe = all || too_many || open.time.is_some_and(|time| self.now - time > WAIT);
            if !ripe {
                return;
            }
            let Some(open) = self.entries.pop_front() else { return };
            self.bytes -= open.bytes;
            match open.carried {
                Some(_) if self.live => {}
                Some(carried) => self.taker.keep(open.entry, carried),
                None => self.taker.take(&open.entry, &open.raw),
            }
        }
    }
}

fn set_session(entry: &mut Entry, session: Option<SessionId>) {
    if entry.session.is_none() {
        entry.session = session.map(|id| id.to_string());
    }
}

impl<T: Taker> Sink for Waiting<'_, T> {
    fn attempt(&mut self, attempt: &Attempt) {
        let diagnosis = self.diagnoser.attempt(attempt);
        // The fatal line of a killed session keeps its own class: evidence, no login.
        self.note(&attempt.at, &diagnosis);
        if let Some(entry) = self.entry(attempt.at.line) {
            if attempt.kind == AttemptKind::Silent {
                entry.attempts = Some(i64::from(attempt.count));
            }
            if attempt.origin == NameOrigin::Joined {
                entry.username = attempt.username.as_deref().map(|name| String::from_utf8_lossy(name).into_owned());
                entry.username_origin = Some("joined".to_owned());
            }
        }
        for evidence in &attempt.evidence {
            if let Some(entry) = self.entry(evidence.line) {
                set_session(entry, attempt.at.session);
                if entry.cause.is_none() {
                    query::diagnosed(entry, &Diagnosis { class: None, ..diagnosis });
                }
            }
        }
    }

    fn login(&mut self, login: &Login) {
        self.diagnoser.logged_in(login);
    }

    fn refusal(&mut self, refusal: &Refusal) {
        // Before its session was known it may have looked otherwise.
        if let Some(entry) = self.entry(refusal.at.line) {
            (entry.class, entry.cause, entry.confidence) = (None, None, None);
        }
        self.note(&refusal.at, &diagnose::refusal(refusal));
    }

    fn message_accepted(&mut self, _at: &Where, _username: &[u8], _queue_id: Option<&[u8]>) {}

    fn story(&mut self, _story: &Story) {}
}

impl<T: Taker> Reader for Waiting<'_, T> {
    fn begins(&mut self, source: usize, head: &[u8]) {
        self.taker.begins(source, head);
    }

    fn before(&mut self, line: &Line<'_>, event: Option<&Event<'_>>) {
        self.now = self.now.max(line.time.unwrap_or(i64::MIN));
        let message = line.record.map_or(line.raw, |record| record.text);
        if !self.taker.may_want(&Sight::new(line.time, message)) {
            return;
        }
        let mut carried = match self.taker.carry(line) {
            Carry::Entry => None,
            Carry::Skip => return,
            Carry::Keep(carried) => Some(carried),
        };
        let mut entry = Box::new(match &line.record {
            Some(record) => query::describe(record, event),
            None => query::undescribed(line.raw),
        });
        if let Some(carried) = &mut carried {
            carried.kept.is_described();
        }
        entry.ts = line.time;
        entry.time_inferred = match (line.inferred.year, line.inferred.zone) {
            (true, true) => Some("year,zone".to_owned()),
            (true, false) => Some("year".to_owned()),
            (false, true) => Some("zone".to_owned()),
            (false, false) => None,
        };
        entry.source = self.sources.get(line.source).cloned();
        entry.line = i64::try_from(line.line).ok();
        entry.truncated = line.truncated.then_some(true);
        let raw = if self.taker.wants_raw() { redacted(line) } else { Vec::new() };
        let kept_bytes = carried.as_ref().and_then(|carried| carried.kept.raw.as_ref()).map_or(0, Vec::len);
        let bytes = raw.len() + kept_bytes + entry.text.as_ref().map_or(0, String::len);
        self.bytes += bytes;
        let changed = carried.as_ref().is_none_or(|carried| !carried.known);
        self.entries.push_back(Open { carried, seq: line.seq, time: line.time, entry, raw, bytes, changed });
    }

    fn after(&mut self, passing: &Passing<'_>) {
        // It comes with the line itself, so it is no change of what was kept.
        if let Some(open) = self.entries.back_mut().filter(|open| open.seq == passing.line.seq) {
            set_session(&mut open.entry, passing.session);
        }
        // Not before the tracer has had the line: its time is what lets out the outcomes that waiting entries wait for.
        if !self.live {
            self.flush(false);
        }
    }
}

/// The line's own bytes, secrets redacted.
fn redacted(line: &Line<'_>) -> Vec<u8> {
    let message = line.record.map_or(line.raw, |record| record.text);
    maillog::redact_line(line.raw, message).into_owned()
}
