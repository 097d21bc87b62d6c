//! The one who writes: lines into days, each exactly once.
//!
//! Lines with their entries go in. Those of a source come in the order of its numbers; one whose number is not above what the day's last
//! commit says is in already, and is left out. Lines and that number are one commit, so whenever the writer is killed, whoever goes on
//! after it continues behind the last line that is in.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use input::Identity;
use query::Entry;
use tantivy::{Index, IndexSettings, IndexWriter, TantivyDocument};

use super::aside::{Aside, Change};
use super::day::{Date, DayError, payload};
use super::payload::{Part, Payload};
use super::pieces::{self, Joining};
use super::schema::{self, Slots, prepare};
use super::sources::Sources;
use super::stored::Kept;
use super::twins::Twins;

/// Days open for writing at the same time. One more collects its lines in memory, and takes the place of one that is left alone meanwhile.
const OPEN_MAX: usize = 2;
/// One part in so many of the memory is for lines that wait for their day, and as much for writing such a day.
const ASIDE_PART: usize = 12;
/// Lines of other days after which a day is let go of.
const LEFT_AFTER: u64 = 100_000;
/// The file that says what a day is made of.
const META: &str = "meta.json";
/// Bytes that one indexing thread needs at least.
const THREAD_BYTES_MIN: usize = 16 << 20;
/// Compression of packed lines.
const ZSTD_LEVEL: i32 = 6;
/// Bytes of packed lines that are compressed together: of blocks half as large, lines take a sixth more.
const BLOCK_BYTES: usize = 64 << 10;

/// A line to be kept.
#[derive(Clone, Copy, Debug)]
pub struct NewLine<'a> {
    /// The number of its source, from [`Writer::source`].
    pub source: u64,
    /// Its number there, from 1.
    pub line: u64,
    /// The time of the line before it, for a line without one.
    pub time_before: Option<i64>,
    /// What is known of it.
    pub entry: &'a Entry,
    /// The line itself.
    pub kept: &'a Kept,
}

/// Why nothing can be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// A folder cannot be made or read.
    #[error("{path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The day's index does not take the line. What was committed before stays.
    #[error("{path}: {why}")]
    Day {
        /// The day's folder.
        path: PathBuf,
        /// Why.
        #[source]
        why: DayError,
    },
}

impl WriteError {
    /// Whether there was no room.
    #[must_use]
    pub fn is_full(&self) -> bool {
        has_no_room(self)
    }
}

/// Whether an error, or what it came of, says that the disk is full, or the share of it that one may take.
#[must_use]
pub fn has_no_room(error: &(dyn std::error::Error + 'static)) -> bool {
    // Some of those in between tell of the system's error in words alone.
    let says = ["No space left", "StorageFull", "File too large", "Disk quota exceeded", "disk is full"];
    std::iter::successors(Some(error), |error| error.source())
        .any(|error| says.iter().any(|words| error.to_string().contains(words)))
}

/// Writes days.
pub struct Writer {
    root: PathBuf,
    memory_bytes: usize,
    threads: usize,
    sources: Sources,
    pub(super) payloads: BTreeMap<Date, Payload>,
    /// Days that cannot be read: nothing is written to them.
    damaged: BTreeMap<Date, DayError>,
    pub(super) open: BTreeMap<Date, Open>,
    /// What waits for days that are not open.
    aside: BTreeMap<Date, Aside>,
    /// How much that is.
    aside_bytes: usize,
    /// Days that were only opened for what had waited for them: nobody has put them together.
    visited: BTreeSet<Date>,
    /// Days that were let go of, one at a time.
    joining: BTreeMap<Date, Joining>,
    turns: u64,
    twins: Twins,
}

/// A day that is being written to.
pub(super) struct Open {
    pub(super) writer: IndexWriter,
    pub(super) slots: Slots,
    /// Changes since the last commit.
    pub(super) pending: u64,
    used: u64,
}

impl Open {
    pub(super) fn add(&mut self, document: TantivyDocument) -> Result<(), DayError> {
        self.writer.add_document(document).map_err(|why| {
            // A thread that gave up says why only when it is asked to end.
            self.writer.prepare_commit().err().unwrap_or(why)
        })?;
        Ok(())
    }

    fn take(&mut self, change: Change) -> Result<(), DayError> {
        self.pending += 1;
        match change {
            Change::Line(document) => self.add(document),
            Change::Gone(search) => self.writer.delete_query(search).map(|_| ()).map_err(DayError::from),
            Change::Note => Ok(()),
        }
    }

    /// The lines and the note are one commit.
    pub(super) fn commit(&mut self, payload: &Payload) -> Result<(), DayError> {
        let text = serde_json::to_string(payload)?;
        let mut prepared = self.writer.prepare_commit()?;
        prepared.set_payload(&text);
        prepared.commit()?;
        Ok(())
    }
}

impl Writer {
    /// Opens a folder of days, which is made if it is not there. `memory_bytes`: what lines not yet on disk take at most, about.
    pub fn new(root: &Path, memory_bytes: usize, threads: usize) -> Result<Self, WriteError> {
        let io = |source| WriteError::Io { path: root.to_owned(), source };
        std::fs::create_dir_all(root).map_err(io)?;
        let mut writer = Self {
            root: root.to_owned(),
            memory_bytes,
            threads: threads.clamp(1, 4),
            sources: Sources::default(),
            payloads: BTreeMap::new(),
            damaged: BTreeMap::new(),
            open: BTreeMap::new(),
            aside: BTreeMap::new(),
            aside_bytes: 0,
            visited: BTreeSet::new(),
            joining: BTreeMap::new(),
            turns: 0,
            twins: Twins::default(),
        };
        writer.settle()?;
        for date in super::days(root).map_err(io)? {
            let path = writer.path(date);
            let read = || payload(&Index::open_in_dir(&path).map_err(DayError::from)?);
            match read() {
                Ok(payload) => {
                    writer.sources.add(&payload);
                    writer.payloads.insert(date, payload);
                }
                // What such a day holds nobody knows: its lines stay out, and all others go in.
                Err(why) => drop(writer.damaged.insert(date, why)),
            }
        }
        writer.twins = Twins::new(&writer.payloads);
        Ok(writer)
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Forgets a day that is about to go.
    pub(crate) fn forget(&mut self, date: Date) {
        drop(self.open.remove(&date));
        self.aside_bytes -= self.aside.remove(&date).map_or(0, |aside| aside.bytes);
        self.visited.remove(&date);
        // What becomes of its pieces does not matter any more.
        drop(self.joining.remove(&date).map(Joining::end));
        self.payloads.remove(&date);
    }

    /// Whether a day names nobody.
    pub(super) fn is_pseudonymous(&self, date: Date) -> bool {
        self.payloads.get(&date).is_some_and(|payload| payload.pseudonyms)
    }

    /// What a day's commit says now that it was written anew.
    pub(super) fn now_is(&mut self, date: Date, payload: Payload) {
        self.damaged.remove(&date);
        self.payloads.insert(date, payload);
    }

    /// Ends writing to a day.
    pub(super) fn end(&mut self, date: Date) -> Result<(), WriteError> {
        self.write_aside(date)?;
        self.let_go(date)?;
        self.joined(date)
    }

    /// Deletes what a search finds in a day, with the next commit.
    pub(crate) fn delete(&mut self, date: Date, search: Box<dyn tantivy::query::Query>) -> Result<(), WriteError> {
        self.opened(date)?;
        self.put(date, Change::Gone(search))
    }

    /// Commits a day and writes it as one piece, so that what was deleted is in no file any more.
    pub(crate) fn compact(&mut self, date: Date) -> Result<(), WriteError> {
        self.commit_day(date)?;
        let path = self.path(date);
        let Some(open) = self.open.get_mut(&date) else { return Ok(()) };
        let mut compact = || -> Result<(), DayError> {
            let segments = open.writer.index().searchable_segment_ids()?;
            if !segments.is_empty() {
                open.writer.merge(&segments).wait()?;
            }
            open.writer.garbage_collect_files().wait()?;
            Ok(())
        };
        compact().map_err(|why| WriteError::Day { path, why })?;
        self.end(date)
    }

    /// The folder of a day.
    #[must_use]
    pub fn path(&self, date: Date) -> PathBuf {
        self.root.join(date.to_string())
    }

    /// The number of a source.
    pub fn source(&mut self, identity: &Identity, name: &str) -> u64 {
        self.sources.find_or_add(identity, name)
    }

    /// Every source that is known.
    #[must_use]
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// The number of a source's last line that is in, whatever the day; 0 if there is none.
    #[must_use]
    pub fn last(&self, source: u64) -> u64 {
        self.payloads
            .values()
            .filter_map(|day| day.sources.get(&source))
            .map(|part| part.last)
            .max()
            .unwrap_or_default()
    }

    /// The latest time of a source's lines.
    #[must_use]
    pub fn latest(&self, source: u64) -> Option<i64> {
        self.payloads.values().filter_map(|day| day.sources.get(&source)).map(|part| part.turn).max()
    }

    /// Days that cannot be read, and why. Their lines are taken for known.
    pub fn damaged(&self) -> impl Iterator<Item = (Date, &DayError)> {
        self.damaged.iter().map(|(date, why)| (*date, why))
    }

    /// Whether a line is in already. `time`: its own, or that of the line before it.
    #[must_use]
    pub fn has(&self, source: u64, line: u64, time: Option<i64>) -> bool {
        let date = Date::of(time.unwrap_or_default());
        let part = self.payloads.get(&date).and_then(|day| day.sources.get(&source));
        part.is_some_and(|part| line <= part.last) || self.damaged.contains_key(&date)
    }

    /// The days that there are.
    #[must_use]
    pub fn days(&self) -> Vec<Date> {
        self.payloads.keys().copied().collect()
    }

    /// Takes a line in. `false`: it is in already.
    pub fn add(&mut self, line: NewLine<'_>) -> Result<bool, WriteError> {
        let ts = line.entry.ts;
        let time = ts.or(line.time_before);
        let date = Date::of(time.unwrap_or_default());
        if self.has(line.source, line.line, time) {
            return Ok(false);
        }
        self.ready(date)?;
        let turn = self.part(date, line.source, line.line, time.unwrap_or_default()).turn;
        let path = || self.path(date);
        let Some(slots) = self.slots(date) else { return Ok(false) };
        let mut document = TantivyDocument::new();
        document.add_u64(slots.place, schema::place(line.source, line.line));
        if ts != Some(turn) {
            document.add_i64(slots.turn, turn);
        }
        let packed = line.kept.pack(line.entry).map_err(|why| WriteError::Day { path: path(), why: why.into() })?;
        document.add_bytes(slots.packed, &packed);
        let is_cut = slots.fill(&mut document, line.entry);
        let payload = self.payloads.entry(date).or_default();
        payload.cut |= is_cut;
        payload.undated |= ts.is_none();
        // Whoever hides names goes over the day once more.
        payload.pseudonyms = false;
        part_last(payload, line.source, line.line);
        self.put(date, Change::Line(document))?;
        Ok(true)
    }

    /// What a day says of a source, which has a line of that number and time there.
    fn part(&mut self, date: Date, source: u64, line: u64, time: i64) -> &mut Part {
        let identity = self.sources.identity(source);
        let name = self.sources.name(source);
        let parts = &mut self.payloads.entry(date).or_default().sources;
        let part = parts.entry(source).or_insert_with(|| Part {
            identity: identity.cloned().unwrap_or_default(),
            name: name.to_owned(),
            first: line,
            last: 0,
            turn: i64::MIN,
            from: i64::MAX,
        });
        if let Some(identity) = identity.filter(|identity| identity.is_longer(&part.identity)) {
            part.identity.clone_from(identity);
        }
        part.turn = part.turn.max(time);
        part.from = part.from.min(time);
        part
    }

    /// Sources in which a line of that time may stand as well, of those that were in when writing began. To be asked for each line of a
    /// source, in order.
    #[must_use]
    pub fn meeting(&mut self, source: u64, time: i64) -> Vec<u64> {
        self.twins.meeting(source, time)
    }

    /// Whether a line stands in one of these sources, too. To be asked once for each line of a source, in order.
    pub fn is_twin(&mut self, source: u64, time: i64, kept: &Kept, beside: &[u64]) -> bool {
        self.twins.is_in(&self.root, source, time, kept, beside)
    }

    /// Takes note that a line is in, under another source.
    pub fn pass(&mut self, source: u64, line: u64, time: i64) -> Result<(), WriteError> {
        let date = Date::of(time);
        if self.has(source, line, Some(time)) {
            return Ok(());
        }
        self.ready(date)?;
        let part = self.part(date, source, line, time);
        part.last = part.last.max(line);
        self.put(date, Change::Note)
    }

    /// Makes a day ready for [`Writer::put`]: open if there is a place for it.
    pub(super) fn ready(&mut self, date: Date) -> Result<(), WriteError> {
        self.turns += 1;
        if let Some(open) = self.open.get_mut(&date) {
            open.used = self.turns;
        } else if let Some(aside) = self.aside.get_mut(&date) {
            aside.used = self.turns;
        } else {
            let path = self.path(date);
            let slots = slots_of(&path).map_err(|why| WriteError::Day { path, why })?;
            self.aside.insert(date, Aside::new(slots, self.turns));
            if self.open.len() < OPEN_MAX {
                self.write_aside(date)?;
            }
        }
        if self.turns.is_multiple_of(LEFT_AFTER) { self.let_go_of_left() } else { Ok(()) }
    }

    /// The fields of a day that is ready.
    pub(super) fn slots(&self, date: Date) -> Option<&Slots> {
        let open = self.open.get(&date).map(|open| &open.slots);
        open.or_else(|| self.aside.get(&date).map(|aside| &aside.slots))
    }

    /// Has something happen to a day that is ready, now or before the next commit.
    pub(super) fn put(&mut self, date: Date, change: Change) -> Result<(), WriteError> {
        if let Some(open) = self.open.get_mut(&date) {
            return open.take(change).map_err(|why| WriteError::Day { path: self.path(date), why });
        }
        self.aside_bytes += self.aside.get_mut(&date).map_or(0, |aside| aside.take(change));
        while self.aside_bytes > self.memory_bytes / ASIDE_PART {
            let Some(most) = self.aside.iter().max_by_key(|(_, aside)| aside.bytes).map(|(date, _)| *date) else {
                break;
            };
            self.write_aside(most)?;
        }
        Ok(())
    }

    /// Writes what waits for a day. It stays open if there is a place for it, or one whose day was left alone since it waits; else it is
    /// committed and closed again, and those that are written to stay open.
    fn write_aside(&mut self, date: Date) -> Result<(), WriteError> {
        let Some(aside) = self.aside.remove(&date) else { return Ok(()) };
        self.aside_bytes -= aside.bytes;
        let left = self.least_used().filter(|(_, used)| *used < aside.since);
        if let Some((left, _)) = left.filter(|_| self.open.len() >= OPEN_MAX) {
            self.let_go(left)?;
        }
        let stays = self.open.len() < OPEN_MAX;
        self.joined(date)?;
        let path = self.path(date);
        let fail = |why| WriteError::Day { path: path.clone(), why };
        let mut open = if stays { self.create(&path) } else { self.create_small(&path) }.map_err(fail)?;
        open.used = aside.used;
        // Whatever happened, the note may say more.
        open.take(Change::Note).map_err(fail)?;
        aside.changes.into_iter().try_for_each(|change| open.take(change)).map_err(fail)?;
        if stays {
            self.visited.remove(&date);
            self.open.insert(date, open);
            return Ok(());
        }
        open.commit(self.payloads.get(&date).unwrap_or(&Payload::default())).map_err(fail)?;
        self.visited.insert(date);
        open.writer.wait_merging_threads().map_err(|why| fail(why.into()))
    }

    /// The open day that was left alone the longest, and the turn of the last that happened to it.
    fn least_used(&self) -> Option<(Date, u64)> {
        self.open.iter().map(|(date, open)| (*date, open.used)).min_by_key(|(_, used)| *used)
    }

    /// Opens a day for writing, whichever other one has to go.
    fn opened(&mut self, date: Date) -> Result<(), WriteError> {
        while self.open.len() >= OPEN_MAX && !self.open.contains_key(&date) {
            let Some((oldest, _)) = self.least_used() else { break };
            self.let_go(oldest)?;
        }
        self.ready(date)?;
        self.write_aside(date)
    }

    pub(super) fn create(&self, path: &Path) -> Result<Open, DayError> {
        let share = (self.memory_bytes - 2 * (self.memory_bytes / ASIDE_PART)) / OPEN_MAX;
        self.create_with(path, share, self.threads)
    }

    /// For what waited for a day, beside those that are open.
    fn create_small(&self, path: &Path) -> Result<Open, DayError> {
        self.create_with(path, self.memory_bytes / ASIDE_PART, 1)
    }

    fn create_with(&self, path: &Path, share: usize, threads: usize) -> Result<Open, DayError> {
        std::fs::create_dir_all(path)?;
        let index = if path.join(META).exists() {
            Index::open_in_dir(path)?
        } else {
            let settings = IndexSettings {
                docstore_compression: tantivy::store::Compressor::Zstd(tantivy::store::ZstdCompressor {
                    compression_level: Some(ZSTD_LEVEL),
                }),
                docstore_blocksize: BLOCK_BYTES,
                ..IndexSettings::default()
            };
            Index::builder().schema(schema::schema()).settings(settings).create_in_dir(path)?
        };
        prepare(&index);
        let threads = threads.min(share / THREAD_BYTES_MIN).max(1);
        let writer = index.writer_with_num_threads(threads, share.max(THREAD_BYTES_MIN))?;
        // What a writer that was killed left behind may be called as what comes now, and files are never overwritten.
        drop(writer.garbage_collect_files().wait());
        let slots = Slots::of(&index.schema())?;
        Ok(Open { writer, slots, pending: 0, used: self.turns })
    }

    /// Commits every day that was written to. All that was taken in before is on disk then.
    pub fn commit(&mut self) -> Result<(), WriteError> {
        let waiting: Vec<Date> = self.aside.keys().copied().collect();
        waiting.into_iter().try_for_each(|date| self.write_aside(date))?;
        let dates: Vec<Date> = self.open.keys().copied().collect();
        dates.into_iter().try_for_each(|date| self.commit_day(date))
    }

    fn commit_day(&mut self, date: Date) -> Result<(), WriteError> {
        let path = self.path(date);
        let (Some(open), Some(payload)) = (self.open.get_mut(&date), self.payloads.get(&date)) else { return Ok(()) };
        if open.pending == 0 {
            return Ok(());
        }
        open.commit(payload).map_err(|why| WriteError::Day { path, why })?;
        open.pending = 0;
        Ok(())
    }

    /// Lets go of days to which nothing was written for a while.
    fn let_go_of_left(&mut self) -> Result<(), WriteError> {
        let is_left = |open: &Open| open.used + LEFT_AFTER <= self.turns;
        let left: Vec<Date> = self.open.iter().filter(|(_, open)| is_left(open)).map(|(date, _)| *date).collect();
        left.into_iter().try_for_each(|date| self.let_go(date))
    }

    /// Commits a day, which then is put together while others are written to: one at a time.
    fn let_go(&mut self, date: Date) -> Result<(), WriteError> {
        self.commit_day(date)?;
        if let Some(open) = self.open.remove(&date) {
            self.visited.remove(&date);
            self.all_joined()?;
            self.joining.insert(date, Joining::begin(open.writer));
        }
        Ok(())
    }

    /// Waits until a day that was let go of is put together.
    fn joined(&mut self, date: Date) -> Result<(), WriteError> {
        let path = self.path(date);
        let ended = self.joining.remove(&date).map_or(Ok(()), Joining::end);
        ended.map_err(|why| WriteError::Day { path, why })
    }

    fn all_joined(&mut self) -> Result<(), WriteError> {
        let dates: Vec<Date> = self.joining.keys().copied().collect();
        dates.into_iter().try_for_each(|date| self.joined(date))
    }

    /// Commits and ends.
    pub fn finish(mut self) -> Result<(), WriteError> {
        self.rest()
    }

    /// Commits, and lets go of every day until the next line. Each is in one piece then.
    pub fn rest(&mut self) -> Result<(), WriteError> {
        self.commit()?;
        let dates: Vec<Date> = self.open.keys().copied().collect();
        dates.into_iter().try_for_each(|date| self.let_go(date))?;
        for date in std::mem::take(&mut self.visited) {
            let path = self.path(date);
            self.join_visited(&path).map_err(|why| WriteError::Day { path, why })?;
        }
        self.all_joined()
    }

    fn join_visited(&self, path: &Path) -> Result<(), DayError> {
        if pieces::are_worth_joining(&Index::open_in_dir(path)?) {
            Joining::begin(self.create_small(path)?.writer).end()?;
        }
        Ok(())
    }
}

/// The fields of a day, or those that it will have.
fn slots_of(path: &Path) -> Result<Slots, DayError> {
    let schema = if path.join(META).exists() { Index::open_in_dir(path)?.schema() } else { schema::schema() };
    Ok(Slots::of(&schema)?)
}

fn part_last(payload: &mut Payload, source: u64, line: u64) {
    if let Some(part) = payload.sources.get_mut(&source) {
        part.last = part.last.max(line);
    }
}
