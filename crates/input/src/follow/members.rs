//! The files of one log as they stand in their folder.
//!
//! Input: the path of a log, or the folder of a spool. Output: its files with what tells one from another, newest first, and how they start.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::follow::head::Head;
use crate::open::{self, Packing};
use crate::rotation;
use crate::spool;

/// Which files belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Naming {
    /// A log and its rotated files, whatever rotates them.
    Log(PathBuf),
    /// The segments of a spool.
    Spool(PathBuf),
}

/// A file of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) path: PathBuf,
    pub(crate) place: (u64, u64),
    pub(crate) size: u64,
    /// Seconds and nanoseconds.
    pub(crate) modified: (i64, i64),
}

impl Member {
    pub(crate) fn of(path: PathBuf) -> Option<Self> {
        // A file that went away in between is no member any more.
        let metadata = std::fs::metadata(&path).ok().filter(std::fs::Metadata::is_file)?;
        let modified = (metadata.mtime(), metadata.mtime_nsec());
        Some(Self { path, place: (metadata.dev(), metadata.ino()), size: metadata.len(), modified })
    }

    pub(crate) fn modified_us(&self) -> i64 {
        self.modified.0.saturating_mul(1_000_000).saturating_add(self.modified.1 / 1000)
    }
}

/// The files of a log, newest first. One file under two names is listed once.
pub(crate) fn members(naming: &Naming) -> io::Result<Vec<Member>> {
    let paths = match naming {
        Naming::Log(log) => rotation::family(log)?,
        Naming::Spool(folder) => spool::segments(folder)?.into_iter().rev().map(|(_, path)| path).collect(),
    };
    let mut members: Vec<Member> = Vec::new();
    for member in paths.into_iter().filter_map(Member::of) {
        if members.iter().all(|other| other.place != member.place) {
            members.push(member);
        }
    }
    Ok(members)
}

/// How a file starts.
pub(crate) struct Start {
    /// The first bytes of its unpacked text.
    pub(crate) head: Head,
    /// A plain file, opened.
    pub(crate) plain: Option<File>,
}

/// Opens a file and reads its first bytes. An archive is closed again: there may be many.
///
/// Rotation may have given its name to another file since the folder was listed: then it is not found.
pub(crate) fn start(member: &Member) -> io::Result<Start> {
    let file = File::open(&member.path)?;
    let head = Head::of_file(&file)?;
    let found = if head.nuls > 0 || open::packing(&head.bytes) == Packing::Plain {
        let metadata = file.metadata()?;
        let is_it = (metadata.dev(), metadata.ino()) == member.place;
        (Start { head, plain: Some(file) }, is_it)
    } else {
        let opened = open_archive(&member.path, member.place)?;
        (Start { head: Head::of_text(opened), plain: None }, is_at(&member.path, member.place))
    };
    if found.1 { Ok(found.0) } else { Err(io::ErrorKind::NotFound.into()) }
}

/// Opens an archive, if it still stands there.
pub(crate) fn open_archive(path: &Path, place: (u64, u64)) -> io::Result<Box<dyn io::Read + Send>> {
    let opened = open::open_file(path, &Arc::default())?;
    if is_at(path, place) { Ok(opened.reader) } else { Err(io::ErrorKind::NotFound.into()) }
}

fn is_at(path: &Path, place: (u64, u64)) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| (metadata.dev(), metadata.ino()) == place)
}
