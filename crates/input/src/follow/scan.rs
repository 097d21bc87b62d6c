//! Looking at a log's folder: what is new there, what has another name, what is a copy.
//!
//! Input: the files as they stand in the folder. Output: open sources in [`Log::tails`], oldest first, and the files that can be left
//! alone in [`Log::settled`].

use std::path::Path;

use crate::clock::{self, Clock};
use crate::fingerprint::Fingerprint;
use crate::follow::config::{Begin, FollowConfig};
use crate::follow::known::{self, Remembered};
use crate::follow::log::{Common, Log, Settled, log_of};
use crate::follow::members::{self, Member, Naming};
use crate::follow::tail::{self, Tail};
use crate::follow::text::{Text, WINDOW_BYTES};
use crate::look;
use crate::problem::Problem;
use crate::spool;
use crate::years::{self, DAY_US};

/// What a file is to us.
enum Relation {
    Open,
    /// Need not be looked at; whether it was read.
    Settled(bool),
    New(members::Start),
    NotYet,
}

impl Log {
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
        self.newest = members.first().map(|member| member.place);
        let relations = self.relations(common, &members);
        // Seen in the middle of a rotation, a file may be missing on which it depends what is new.
        let is_still = || members::members(&self.naming).is_ok_and(|again| places(&again).eq(places(&members)));
        if !self.scanned && !is_still() {
            return;
        }
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

    fn relations(&mut self, common: &Common, members: &[Member]) -> Vec<Relation> {
        members.iter().map(|member| self.relation(common, member)).collect()
    }

    fn relation(&mut self, common: &Common, member: &Member) -> Relation {
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
        // What was read of this log before is all gone: then whatever is there is newer.
        let of_this_log = |name: &str| *self.path() == *log_of(Path::new(name));
        let all_gone = !self.scanned && !ours.contains(&true) && common.known.any(of_this_log);
        for (index, member, start) in unknown {
            let older_is_ours = all_gone || ours.iter().skip(index + 1).any(|ours| *ours);
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
        let head = &start.head.bytes;
        let is_new = if self.scanned {
            !self.skipped.iter().any(|skipped| skipped.matches(head))
        } else {
            let is_wanted = begin == Begin::Oldest || is_younger(member, common.config.look_back);
            index == 0 || older_is_ours || is_wanted || matches!(self.naming, Naming::Spool(_))
        };
        if !is_new {
            self.skipped.extend(Some(Fingerprint::of(head)).filter(|_| !self.scanned));
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
}

fn places(members: &[Member]) -> impl Iterator<Item = (u64, u64)> + '_ {
    members.iter().map(|member| member.place)
}

/// A file that has been left as it is for longer than a line is waited for.
fn is_old(common: &Common, member: &Member) -> bool {
    !is_younger(member, common.config.unended_after)
}

/// Whether something was written to a file no longer ago.
fn is_younger(member: &Member, most: std::time::Duration) -> bool {
    let now_us = jiff::Timestamp::now().as_microsecond();
    let most_us = i64::try_from(most.as_micros()).unwrap_or(i64::MAX);
    most_us > 0 && now_us.saturating_sub(member.modified_us()) <= most_us
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
