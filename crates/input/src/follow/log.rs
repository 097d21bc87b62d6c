//! One log and all its files: which of them are read, and from where.
//!
//! Input: the files of the log as they stand in the folder, and what is known of earlier reading. Output: batches, the oldest file first.
//!
//! A file is known by inode while it is open and by its first bytes otherwise. Whatever rotation does, it comes down to these cases:
//! - an open file has another name: it is read on, and what comes late is not lost;
//! - an open file does not hold any more what was read from it: it was truncated. What was not read stands in the copy, if there is one;
//! - a file starts like one that is open: it is a copy (`copytruncate`, an archive being made) and waits until that one is closed;
//! - a file starts like one that was read before: it is read on from there, packed or not;
//! - a file is not known at all: it is new if it is the newest, or if an older one was read.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use crate::clock::{self, Clock};
use crate::follow::batch::Batch;
use crate::follow::config::{Begin, FollowConfig};
use crate::follow::known::{self, Known, Remembered};
use crate::follow::members::{self, Member, Naming};
use crate::follow::tail::{self, Step, Tail};
use crate::follow::text::{Text, WINDOW_BYTES};
use crate::look;
use crate::problem::Problem;
use crate::spool;
use crate::years::{self, DAY_US};

/// What following all logs has in common.
pub(crate) struct Common {
    pub(crate) config: FollowConfig,
    pub(crate) known: Known,
    pub(crate) hasher: foldhash::quality::RandomState,
}

/// A log being followed.
pub(crate) struct Log {
    naming: Naming,
    /// What its sources are called; `None`: by their paths.
    name: Option<Arc<str>>,
    /// Oldest first.
    pub(crate) tails: Vec<Tail>,
    /// Files that are not open and need not be looked at until they change.
    settled: HashMap<(u64, u64), Settled>,
    /// A file that was empty when it was the newest: whatever becomes of it, it is new.
    awaited: Option<(u64, u64)>,
    newest: Option<(u64, u64)>,
    problems: Vec<Problem>,
    scanned: bool,
}

/// Why a file is not open.
struct Settled {
    size: u64,
    modified: (i64, i64),
    /// It was read, or is a copy of what is being read.
    is_ours: bool,
    /// The source it is a copy of.
    copy_of: Option<u64>,
    /// What could not be read of it.
    damage: Option<Problem>,
}

/// What a log has to offer now.
pub(crate) enum Offer {
    Lines(Box<Batch>),
    Busy,
    Quiet,
}

/// What a file is to us.
enum Relation {
    Open,
    /// Need not be looked at; whether it was read.
    Settled(bool),
    New(members::Start),
    NotYet,
}

impl Log {
    pub(crate) fn new(naming: Naming, name: Option<Arc<str>>) -> Self {
        Self {
            naming,
            name,
            tails: Vec::new(),
            settled: HashMap::new(),
            awaited: None,
            newest: None,
            problems: Vec::new(),
            scanned: false,
        }
    }

    pub(crate) fn naming(&self) -> &Naming {
        &self.naming
    }

    /// The path or folder that was asked for.
    pub(crate) fn path(&self) -> &Path {
        match &self.naming {
            Naming::Log(path) | Naming::Spool(path) => path,
        }
    }

    /// What stands in the way.
    pub(crate) fn problems(&self) -> impl Iterator<Item = &Problem> {
        self.problems.iter().chain(self.settled.values().filter_map(|settled| settled.damage.as_ref()))
    }

    fn source_name(&self, path: &Path) -> String {
        self.name.as_ref().map_or_else(|| path.display().to_string(), ToString::to_string)
    }

    /// Looks at the folder: what is new, what was renamed, what has gone. Nothing is concluded from a folder that cannot be read.
    pub(crate) fn scan(&mut self, common: &mut Common) {
        self.problems.clear();
        let members = match members::members(&self.naming) {
            Ok(members) => members,
            Err(error) => return self.problems.push(Problem::of(self.path(), error)),
        };
        if members.is_empty() && self.name.is_none() {
            let missing = std::io::Error::from(std::io::ErrorKind::NotFound);
            self.problems.push(Problem::of(self.path(), missing));
        }
        self.drop_lost(common);
        self.rename(&members);
        let there = |place: &(u64, u64)| members.iter().any(|member| member.place == *place);
        self.settled.retain(|place, _| there(place));
        self.awaited = self.awaited.filter(there);
        self.newest = members.first().map(|member| member.place);
        let relations = self.relations(common, &members);
        self.open_new(common, &members, relations);
        self.sort(&members);
        self.scanned = true;
    }

    /// Closes what was truncated or written anew: its copy, if there is one, is to be found.
    fn drop_lost(&mut self, common: &mut Common) {
        for at in (0..self.tails.len()).rev() {
            if self.tails.get_mut(at).is_some_and(|tail| !tail.is_still_itself()) {
                self.close(common, at);
            }
        }
    }

    /// Closes a source and remembers how far it was read. Copies of it count from now on.
    fn close(&mut self, common: &mut Common, at: usize) {
        let tail = self.tails.remove(at);
        if let Some(position) = tail.position() {
            common.known.remember(tail.source, position);
        }
        self.settled.retain(|_, settled| settled.copy_of != Some(tail.source));
    }

    fn rename(&mut self, members: &[Member]) {
        let name = self.name.clone();
        for tail in &mut self.tails {
            if let Some(member) = members.iter().find(|member| Some(member.place) == tail.place)
                && tail.path != member.path
            {
                tail.path.clone_from(&member.path);
                tail.name = name.clone().unwrap_or_else(|| member.path.display().to_string().into());
            }
        }
    }

    fn sort(&mut self, members: &[Member]) {
        let age = |tail: &Tail| members.iter().position(|member| Some(member.place) == tail.place);
        // What has gone from the folder is older than what is there.
        self.tails.sort_by_key(|tail| std::cmp::Reverse(age(tail).unwrap_or(usize::MAX)));
    }

    fn relations(&mut self, common: &mut Common, members: &[Member]) -> Vec<Relation> {
        members.iter().enumerate().map(|(index, member)| self.relation(common, index, member)).collect()
    }

    fn relation(&mut self, common: &mut Common, index: usize, member: &Member) -> Relation {
        if self.tails.iter().any(|tail| tail.place == Some(member.place)) {
            return Relation::Open;
        }
        let unchanged = |settled: &&Settled| (settled.size, settled.modified) == (member.size, member.modified);
        if let Some(settled) = self.settled.get(&member.place).filter(unchanged) {
            return Relation::Settled(settled.is_ours);
        }
        let start = match members::start(member) {
            Ok(start) => start,
            // Renamed meanwhile: the next look finds it.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Relation::NotYet,
            Err(error) => {
                self.problems.push(Problem::of(&member.path, error));
                return Relation::NotYet;
            }
        };
        let head = &start.head.bytes;
        if !known::is_telling(head.len(), head) && !is_old(common, member) {
            if index == 0 {
                self.awaited = Some(member.place);
            }
            return Relation::NotYet;
        }
        if head.is_empty() { Relation::NotYet } else { Relation::New(start) }
    }

    /// Plain files before archives, so that an archive in the making waits for its original; the newest first, so that a log goes before
    /// its own copy.
    fn open_new(&mut self, common: &mut Common, members: &[Member], relations: Vec<Relation>) {
        let mut ours: Vec<bool> =
            relations.iter().map(|relation| matches!(relation, Relation::Open | Relation::Settled(true))).collect();
        let mut unknown = Vec::new();
        let mut new: Vec<_> = relations
            .into_iter()
            .zip(members)
            .enumerate()
            .filter_map(|(index, (relation, member))| match relation {
                Relation::New(start) => Some((index, member, start)),
                _ => None,
            })
            .collect();
        new.sort_by_key(|(index, _, start)| (start.plain.is_none(), *index));
        for (index, member, start) in new {
            match self.go_on(common, index, member, start) {
                Ok(()) => ours.iter_mut().skip(index).take(1).for_each(|ours| *ours = true),
                Err(start) => unknown.push((index, member, start)),
            }
        }
        for (index, member, start) in unknown {
            let older_is_ours = ours.iter().skip(index + 1).any(|ours| *ours);
            self.open_unknown(common, index, member, start, older_is_ours);
        }
    }

    /// Takes up a file that is known. Gives the start back if it is not.
    fn go_on(
        &mut self,
        common: &mut Common,
        index: usize,
        member: &Member,
        start: members::Start,
    ) -> Result<(), members::Start> {
        if let Some(at) = self.tails.iter().position(|tail| known::are_alike(&tail.head.bytes, &start.head.bytes)) {
            self.copy_of_open(at, member, start);
            return Ok(());
        }
        let Some(remembered) = common.known.find(&start.head.bytes, &self.source_name(&member.path)).cloned() else {
            return Err(start);
        };
        let position = &remembered.position;
        let nothing_left = match start.plain {
            Some(_) => member.size == position.offset || member.size < position.offset && index > 0,
            None => position.finished,
        };
        if nothing_left {
            self.settle(member, true, None);
        } else {
            self.open_known(common, member, start, remembered);
        }
        Ok(())
    }

    /// A copy is left alone while its original can be read; one that took the original's place is read in its stead.
    fn copy_of_open(&mut self, at: usize, member: &Member, start: members::Start) {
        let Some(tail) = self.tails.get_mut(at) else { return };
        let replaced = tail.is_unlinked() && tail.is_at_end();
        match start.plain {
            Some(file) if replaced && member.size >= tail.offset => {
                tail.move_to(file, member.place, &member.path);
                if self.name.is_none() {
                    tail.name = member.path.display().to_string().into();
                }
            }
            _ => {
                let source = tail.source;
                self.settle(member, true, Some(source));
            }
        }
    }

    fn settle(&mut self, member: &Member, is_ours: bool, copy_of: Option<u64>) {
        let settled = Settled { size: member.size, modified: member.modified, is_ours, copy_of, damage: None };
        self.settled.insert(member.place, settled);
    }

    fn open_known(&mut self, common: &mut Common, member: &Member, start: members::Start, remembered: Remembered) {
        let position = remembered.position;
        common.known.forget(remembered.source);
        // What was cut off its end is gone; what comes now comes after its new end.
        let offset = if start.plain.is_some() { position.offset.min(member.size) } else { position.offset };
        let begin = tail::Start { offset, lines: position.lines, from: Some(position) };
        self.open(common, remembered.source, member, start, begin);
    }

    fn open_unknown(
        &mut self,
        common: &mut Common,
        index: usize,
        member: &Member,
        start: members::Start,
        older_is_ours: bool,
    ) {
        // Of two files that start alike, the first one opened is read.
        if let Some(at) = self.tails.iter().position(|tail| known::are_alike(&tail.head.bytes, &start.head.bytes)) {
            return self.copy_of_open(at, member, start);
        }
        let begin = common.config.begin;
        let is_new = index == 0 || older_is_ours || self.awaited == Some(member.place) || begin == Begin::Oldest;
        if !is_new && !matches!(self.naming, Naming::Spool(_)) {
            return self.settle(member, false, None);
        }
        let (mut offset, mut lines) = (spool::mark_length(&self.naming, &start.head.bytes), 0);
        if begin == Begin::End
            && !self.scanned
            && !older_is_ours
            && let Some(file) = &start.plain
        {
            (offset, lines) = end_of(file);
        }
        let source = common.known.new_source();
        self.open(common, source, member, start, tail::Start { offset, lines, from: None });
    }

    fn open(&mut self, common: &Common, source: u64, member: &Member, start: members::Start, begin: tail::Start) {
        let clock = clock_of(&common.config, member, begin.offset);
        let is_packed = start.plain.is_none();
        let name = self.source_name(&member.path);
        let mut tail = Tail::new(source, &name, member.path.clone(), start.plain.map(Text::Plain), begin, clock);
        (tail.place, tail.is_packed, tail.head) = (Some(member.place), is_packed, start.head);
        tail.is_spool = matches!(self.naming, Naming::Spool(_));
        self.settled.remove(&member.place);
        self.tails.push(tail);
    }

    /// The next lines of the oldest file that has some.
    pub(crate) fn next(&mut self, common: &mut Common, now: Instant) -> Offer {
        let mut at = 0;
        while let Some(tail) = self.tails.get_mut(at) {
            if tail.text.is_none()
                && let Err(error) = unpack(tail)
            {
                if error.kind() != std::io::ErrorKind::NotFound {
                    self.problems.push(Problem::of(&tail.path, error));
                }
                // The next look finds it under its new name.
                self.close(common, at);
                continue;
            }
            match tail.step(now, common.config.unended_after, &common.hasher) {
                Step::Lines(batch) => return Offer::Lines(batch),
                Step::Busy => return Offer::Busy,
                Step::Quiet if self.is_done(common, at, now) && self.needs_last_look(at) => {
                    // Before a line without its end is let go: it may go on in a file that took this one's place.
                    self.scan(common);
                    return Offer::Busy;
                }
                Step::Quiet if self.is_done(common, at, now) => match self.retire(common, at, now) {
                    Some(batch) => return Offer::Lines(batch),
                    None => continue,
                },
                Step::Quiet => {}
                Step::Lost => {
                    self.close(common, at);
                    self.scan(common);
                    return Offer::Busy;
                }
                Step::Failed(error) => {
                    // One for each source until the next look at the folder is enough.
                    if self.problems.len() <= self.tails.len() {
                        let path = self.tails.get(at).map(|tail| tail.path.clone()).unwrap_or_default();
                        self.problems.push(Problem::of(&path, error));
                    }
                }
            }
            at += 1;
        }
        Offer::Quiet
    }

    /// Whether nothing more is to be expected of a source: an archive at its end; what was rotated or deleted and fell silent.
    fn is_done(&self, common: &Common, at: usize, now: Instant) -> bool {
        let Some(tail) = self.tails.get(at) else { return false };
        if tail.is_packed {
            return !tail.has_unended();
        }
        let quiet =
            tail.quiet_since.is_some_and(|since| now.saturating_duration_since(since) >= common.config.retire_after);
        quiet && tail.place != self.newest
    }

    fn needs_last_look(&mut self, at: usize) -> bool {
        self.tails.get_mut(at).is_some_and(|tail| tail.has_unended() && !std::mem::replace(&mut tail.looked_last, true))
    }

    /// Closes a source that is done; its unended line, if there is one, comes first.
    fn retire(&mut self, common: &mut Common, at: usize, now: Instant) -> Option<Box<Batch>> {
        let tail = self.tails.get_mut(at)?;
        // The line may have its end in a copy: that one is read on from the line's start.
        let copied = |settled: &Settled| settled.copy_of == Some(tail.source);
        let goes_on = tail.is_unlinked() && self.settled.values().any(copied);
        if tail.has_unended()
            && !goes_on
            && let Step::Lines(batch) = tail.step(now, std::time::Duration::ZERO, &common.hasher)
        {
            return Some(batch);
        }
        let damage = tail.text.as_ref().and_then(Text::failed).map(|what| Problem::Io {
            name: tail.path.display().to_string(),
            source: std::io::Error::other(format!("damaged after byte {} of its text: {what}", tail.offset)),
        });
        let (place, path, offset, is_packed) = (tail.place, tail.path.clone(), tail.offset, tail.is_packed);
        self.close(common, at);
        let same = |member: &Member| Some(member.place) == place && (is_packed || member.size == offset);
        if let Some(member) = Member::of(path).filter(same) {
            self.settle(&member, true, None);
            self.settled.entry(member.place).and_modify(|settled| settled.damage = damage);
        }
        None
    }
}

/// A file that has been left as it is for longer than a line is waited for.
fn is_old(common: &Common, member: &Member) -> bool {
    let now_us = jiff::Timestamp::now().as_microsecond();
    let patience_us = i64::try_from(common.config.unended_after.as_micros()).unwrap_or(i64::MAX);
    now_us.saturating_sub(member.modified_us()) > patience_us
}

/// Opens an archive whose turn has come.
fn unpack(tail: &mut Tail) -> std::io::Result<()> {
    let place = tail.place.ok_or(std::io::ErrorKind::NotFound)?;
    tail.text = Some(Text::packed(members::open_archive(&tail.path, place)?));
    Ok(())
}

/// The place after the last newline of a file, and how many there are. Reads it once, without keeping it.
fn end_of(file: &std::fs::File) -> (u64, u64) {
    let (mut at, mut lines, mut end) = (0, 0, 0);
    let mut text = file.try_clone().ok().map(Text::Plain);
    while let Some(Ok(Some(window))) = text.as_mut().map(|text| text.window(at)) {
        let bytes = &window.bytes;
        lines += memchr::memchr_iter(b'\n', bytes).count() as u64;
        end = memchr::memrchr(b'\n', bytes).map_or(end, |last| at + last as u64 + 1);
        at += bytes.len() as u64;
        if window.at_end || bytes.len() < WINDOW_BYTES {
            break;
        }
    }
    (end, lines)
}

/// A clock for a file: no line is later than its last change, the zones' differences aside. A file read from its start is looked through
/// for the turns of years in it.
fn clock_of(config: &FollowConfig, member: &Member, offset: u64) -> Clock {
    let zone = &config.timezone;
    let last_us_max = clock::local_us(zone, member.modified_us()).saturating_add(DAY_US);
    let look = if offset == 0 { look::look_at_file(&member.path, member.size).ok() } else { None };
    let limits = years::Limits { last_us_max, first_us_max: None, said: None };
    let year = look.and_then(|look| years::start_year(&look.yearless, &limits, clock::year_of));
    Clock::new(zone.clone(), year, last_us_max)
}

/// The log that a path belongs to, whichever of its files was named.
pub(crate) fn log_of(path: &Path) -> PathBuf {
    crate::rotation::rotated(path).log
}
