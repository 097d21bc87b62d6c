//! One log and all its files: which of them are read, and from where.
//!
//! Input: the files of the log as they stand in the folder, and what is known of earlier reading. Output: batches, the oldest file first.
//!
//! A file is known by inode while it is open and by its first bytes otherwise. Whatever rotation does, it comes down to these cases:
//! - an open file has another name: it is read on, and what comes late is not lost;
//! - an open file does not hold any more what was read from it: it was truncated. What was not read stands in the copy, if there is one;
//! - a file starts like one that is open: it is a copy (`copytruncate`, an archive being made) and waits until that one is closed;
//! - a file starts like one that was read before: it is read on from there, packed or not;
//! - a file is not known at all: it is new. Only when following begins it may have been there before: then it is new if it is the newest,
//!   or if an older one was read.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use crate::fingerprint::Fingerprint;
use crate::follow::batch::Batch;
use crate::follow::config::FollowConfig;
use crate::follow::known::Known;
use crate::follow::members::{self, Member, Naming};
use crate::follow::tail::{Step, Tail};
use crate::follow::text::Text;
use crate::problem::Problem;

/// What following all logs has in common.
pub(crate) struct Common {
    pub(crate) config: FollowConfig,
    pub(crate) known: Known,
    pub(crate) hasher: foldhash::quality::RandomState,
}

/// A log being followed.
pub(crate) struct Log {
    pub(crate) naming: Naming,
    /// What its sources are called; `None`: by their paths.
    pub(crate) name: Option<Arc<str>>,
    /// Oldest first.
    pub(crate) tails: Vec<Tail>,
    /// Files that are not open and need not be looked at until they change.
    pub(crate) settled: HashMap<(u64, u64), Settled>,
    /// How the files start that were there before us and are not read: packed later, they are not new.
    pub(crate) skipped: Vec<Fingerprint>,
    pub(crate) newest: Option<(u64, u64)>,
    pub(crate) problems: Vec<Problem>,
    pub(crate) scanned: bool,
}

/// Why a file is not open.
pub(crate) struct Settled {
    pub(crate) size: u64,
    pub(crate) modified: (i64, i64),
    /// It was read, or is a copy of what is being read.
    pub(crate) is_ours: bool,
    /// The source it is a copy of.
    pub(crate) copy_of: Option<u64>,
    /// What could not be read of it.
    damage: Option<Problem>,
}

/// What a log has to offer now.
pub(crate) enum Offer {
    Lines(Box<Batch>),
    Busy,
    Quiet,
}

impl Log {
    pub(crate) fn new(naming: Naming, name: Option<Arc<str>>) -> Self {
        Self {
            naming,
            name,
            tails: Vec::new(),
            settled: HashMap::new(),
            skipped: Vec::new(),
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

    pub(crate) fn source_name(&self, path: &Path) -> String {
        self.name.as_ref().map_or_else(|| path.display().to_string(), ToString::to_string)
    }

    /// Closes a source and remembers how far it was read. Copies of it count from now on.
    pub(crate) fn close(&mut self, common: &mut Common, at: usize) {
        let tail = self.tails.remove(at);
        if let Some(position) = tail.position() {
            common.known.remember(tail.source, position);
        }
        self.settled.retain(|_, settled| settled.copy_of != Some(tail.source));
    }

    pub(crate) fn settle(&mut self, member: &Member, is_ours: bool, copy_of: Option<u64>) {
        let settled = Settled { size: member.size, modified: member.modified, is_ours, copy_of, damage: None };
        self.settled.insert(member.place, settled);
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

/// Opens an archive whose turn has come.
fn unpack(tail: &mut Tail) -> std::io::Result<()> {
    let place = tail.place.ok_or(std::io::ErrorKind::NotFound)?;
    tail.text = Some(Text::packed(members::open_archive(&tail.path, place)?));
    Ok(())
}

/// The log that a path belongs to, whichever of its files was named.
pub(crate) fn log_of(path: &Path) -> PathBuf {
    crate::rotation::rotated(path).log
}
