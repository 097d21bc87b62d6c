//! Lines that came from elsewhere, on disk until they are dealt with.
//!
//! Input: whole lines from the network or the journal. Output: numbered files (segments) in a folder, which are followed like any log: so a
//! place in a spool is a place in a file, and nothing is lost or doubled when the program is killed.
//!
//! What was appended survives the end of the program at once, and that of the machine after a second at most ([`SYNC_EVERY`]). A segment
//! is deleted once all of it has been dealt with ([`Spool::release`]); when the segments together have reached their bound, the spool is
//! full and takes no more.
//!
//! A segment starts with a mark that no other one has, so that it is known by its first bytes whatever its lines are. Marks are not
//! delivered. A spool of the journal has a mark with the entry's cursor after each line.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use crate::follow::{Head, Naming, Position};

/// How long a line may wait before it is forced to the disk.
pub const SYNC_EVERY: Duration = Duration::from_secs(1);
const EXTENSION: &str = "spool";
/// No line of a log starts so; lines from the network that do are taken for marks and not delivered.
const MARK: &[u8] = b"-- postfix-insights spool ";
const CURSOR: &[u8] = b"-- postfix-insights spool cursor ";

/// How much a spool may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpoolLimits {
    /// A segment that has reached this size is followed by the next.
    pub segment_bytes: u64,
    /// All segments together; from there on the spool is full. What is appended last may go beyond.
    pub total_bytes: u64,
}

impl Default for SpoolLimits {
    /// Segments of 16 MiB, 512 MiB in all: about three million lines.
    fn default() -> Self {
        Self { segment_bytes: 16 << 20, total_bytes: 512 << 20 }
    }
}

/// Why lines were not taken. None of them was written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpoolError {
    /// What is in it has to be dealt with first.
    #[error("{}: the spool is full ({bytes} bytes)", folder.display())]
    Full {
        /// The spool.
        folder: PathBuf,
        /// How much it holds.
        bytes: u64,
    },
    /// The disk is full, or anything else the system says.
    #[error("{}: cannot be written: {source}", folder.display())]
    Io {
        /// The spool.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// The writing end of a spool. One writer at a time.
#[derive(Debug)]
pub struct Spool {
    folder: PathBuf,
    limits: SpoolLimits,
    number: u64,
    file: File,
    /// Bytes in the current segment.
    written: u64,
    /// Bytes in the segments before.
    before: u64,
    synced: Instant,
    is_dirty: bool,
    /// Where the journal was read up to.
    cursor: Option<Vec<u8>>,
}

impl Spool {
    /// Opens a spool for lines that cannot be asked for again. They go into a new segment.
    ///
    /// # Errors
    /// If the folder cannot be made or written.
    pub fn open(folder: &Path, limits: SpoolLimits) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let segments = segments(folder)?;
        let number = segments.last().map_or(1, |(number, _)| number + 1);
        Self::create(folder, limits, number, None)
    }

    /// Opens a spool of the journal, and tells the cursor of the last entry in it. What was written without its cursor is cut off: the
    /// journal gives the same entries again, and they get the same places again.
    ///
    /// # Errors
    /// If the folder cannot be made or written.
    pub fn open_journal(folder: &Path, limits: SpoolLimits) -> io::Result<(Self, Option<String>)> {
        fs::create_dir_all(folder)?;
        let Some((number, path)) = segments(folder)?.pop() else {
            return Ok((Self::create(folder, limits, 1, None)?, None));
        };
        let text = fs::read(&path)?;
        let Some((end, cursor)) = last_cursor(&text) else {
            // Not even the first line is whole: no place in it was ever told.
            fs::remove_file(&path)?;
            return Ok((Self::create(folder, limits, number, None)?, None));
        };
        let file = OpenOptions::new().append(true).open(&path)?;
        file.set_len(end)?;
        let before = total(folder)?.saturating_sub(end);
        let spool = Self {
            folder: folder.to_owned(),
            limits,
            number,
            file,
            written: end,
            before,
            synced: Instant::now(),
            is_dirty: true,
            cursor: Some(cursor.to_vec()),
        };
        Ok((spool, Some(String::from_utf8_lossy(cursor).into_owned())))
    }

    fn create(folder: &Path, limits: SpoolLimits, number: u64, cursor: Option<Vec<u8>>) -> io::Result<Self> {
        let path = folder.join(format!("{number:016}.{EXTENSION}"));
        let before = total(folder)?;
        let mut file = OpenOptions::new().append(true).create_new(true).open(path)?;
        let mut mark = mark(number);
        if let Some(cursor) = &cursor {
            mark.extend(cursor_mark(cursor));
        }
        file.write_all(&mark)?;
        let folder = folder.to_owned();
        let written = mark.len() as u64;
        Ok(Self { folder, limits, number, file, written, before, synced: Instant::now(), is_dirty: true, cursor })
    }

    /// Appends whole lines, each ending in a newline: all of them, or none.
    ///
    /// # Errors
    /// If the spool or the disk is full.
    pub fn append(&mut self, lines: &[u8]) -> Result<(), SpoolError> {
        let failed = |folder: &Path, source| SpoolError::Io { folder: folder.to_owned(), source };
        // Also when it is full: only what is not the current segment can be released.
        self.turn().map_err(|source| failed(&self.folder, source))?;
        if self.before + self.written >= self.limits.total_bytes {
            return Err(SpoolError::Full { folder: self.folder.clone(), bytes: self.before + self.written });
        }
        self.write(lines).map_err(|source| failed(&self.folder, source))
    }

    /// Appends an entry of the journal: its line, ending in a newline, and its cursor.
    ///
    /// # Errors
    /// If the spool or the disk is full.
    pub fn append_entry(&mut self, line: &[u8], cursor: &[u8]) -> Result<(), SpoolError> {
        self.append(&[line, &cursor_mark(cursor)].concat())?;
        self.cursor = Some(cursor.to_vec());
        Ok(())
    }

    /// Begins the next segment if this one is big enough.
    fn turn(&mut self) -> io::Result<()> {
        if self.written >= self.limits.segment_bytes.min(self.limits.total_bytes) {
            self.file.sync_data()?;
            *self = Self::create(&self.folder, self.limits, self.number + 1, self.cursor.clone())?;
        }
        Ok(())
    }

    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        if let Err(error) = self.file.write_all(lines) {
            // A piece of a line would become one with the next.
            self.file.set_len(self.written)?;
            return Err(error);
        }
        self.written += lines.len() as u64;
        self.is_dirty = true;
        self.sync_if_due()
    }

    /// Forces what was written to the disk, if the last time was a second ago. To be called now and then when nothing is appended.
    ///
    /// # Errors
    /// What the system says.
    pub fn sync_if_due(&mut self) -> io::Result<()> {
        if self.is_dirty && self.synced.elapsed() >= SYNC_EVERY {
            self.file.sync_data()?;
            (self.synced, self.is_dirty) = (Instant::now(), false);
        }
        Ok(())
    }

    /// Deletes segments that were dealt with as a whole, as these positions say. Gives the number of bytes freed.
    ///
    /// # Errors
    /// What the system says.
    pub fn release(&mut self, done: &[Position]) -> io::Result<u64> {
        let mut freed = 0;
        for (_, path) in segments(&self.folder)?.into_iter().filter(|(number, _)| *number < self.number) {
            let file = File::open(&path)?;
            let (head, size) = (Head::of_file(&file)?, file.metadata()?.len());
            let is_done = |position: &Position| position.offset >= size && position.fingerprint.matches(&head.bytes);
            if done.iter().any(is_done) {
                fs::remove_file(&path)?;
                freed += size;
            }
        }
        self.before = self.before.saturating_sub(freed);
        Ok(freed)
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        // Nobody is left to be told.
        drop(self.file.sync_data());
    }
}

/// A mark that no other segment has: made of its number, the time and the process.
fn mark(number: u64) -> Vec<u8> {
    let nanos = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    [MARK, format!("{number} {nanos} {} --\n", std::process::id()).as_bytes()].concat()
}

fn cursor_mark(cursor: &[u8]) -> Vec<u8> {
    [CURSOR, cursor, b" --\n"].concat()
}

/// Whether a line is a mark of a spool.
pub(crate) fn is_mark(line: &[u8]) -> bool {
    line.starts_with(MARK)
}

/// The end of the last whole cursor mark, and the cursor.
fn last_cursor(text: &[u8]) -> Option<(u64, &[u8])> {
    let whole = text.get(..=memchr::memrchr(b'\n', text)?)?;
    // At the start of a line: what strangers log may hold the same words.
    let start = memchr::memmem::rfind(whole, &[b"\n", CURSOR].concat())? + 1;
    let rest = whole.get(start + CURSOR.len()..)?;
    let length = memchr::memchr(b'\n', rest)?;
    let cursor = rest.get(..length)?.strip_suffix(b" --")?;
    Some(((start + CURSOR.len() + length + 1) as u64, cursor))
}

/// Numbers and paths of the segments, oldest first. A folder that does not exist has none.
pub(crate) fn segments(folder: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let number = path.file_stem().and_then(|stem| stem.to_str()?.parse().ok());
        if let Some(number) = number.filter(|_| path.extension().is_some_and(|extension| extension == EXTENSION)) {
            found.push((number, path));
        }
    }
    found.sort();
    Ok(found)
}

fn total(folder: &Path) -> io::Result<u64> {
    segments(folder)?.iter().map(|(_, path)| Ok(fs::metadata(path)?.len())).sum()
}

/// Where the lines of a file start: behind the mark, if it is a segment.
pub(crate) fn mark_length(naming: &Naming, head: &[u8]) -> u64 {
    match naming {
        Naming::Spool(_) if is_mark(head) => memchr::memchr(b'\n', head).map_or(0, |at| at as u64 + 1),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fingerprint::Fingerprint;

    fn contents(folder: &Path) -> Vec<String> {
        let read = |(_, path): (u64, PathBuf)| fs::read_to_string(path).unwrap();
        let lines = |text: String| text.lines().filter(|line| !is_mark(line.as_bytes())).collect::<Vec<_>>().join(",");
        segments(folder).unwrap().into_iter().map(read).map(lines).collect()
    }

    fn all_read(folder: &Path) -> Vec<Position> {
        let position = |(_, path): (u64, PathBuf)| {
            let text = fs::read(path).unwrap();
            let (fingerprint, offset) = (Fingerprint::of(&text), text.len() as u64);
            Position { name: String::new(), fingerprint, offset, lines: 0, finished: false }
        };
        segments(folder).unwrap().into_iter().map(position).collect()
    }

    #[test]
    fn segments_are_bounded_and_released() {
        let folder = tempfile::tempdir().unwrap();
        let limits = SpoolLimits { segment_bytes: 100, total_bytes: 400 };
        let mut spool = Spool::open(folder.path(), limits).unwrap();
        let mut count = 0;
        let full = loop {
            match spool.append(format!("line {count}\n").as_bytes()) {
                Ok(()) => count += 1,
                Err(error) => break error,
            }
        };
        assert!(matches!(full, SpoolError::Full { .. }), "{full}");
        assert!(total(folder.path()).unwrap() < 400 + 100);
        let expected: Vec<String> = (0..count).map(|at| format!("line {at}")).collect();
        assert_eq!(contents(folder.path()).join(","), expected.join(","));
        let partly: Vec<Position> =
            all_read(folder.path()).into_iter().map(|p| Position { offset: p.offset - 1, ..p }).collect();
        assert_eq!(spool.release(&partly).unwrap(), 0, "not all of any segment was read");
        assert!(spool.release(&all_read(folder.path())).unwrap() > 0);
        assert_eq!(segments(folder.path()).unwrap().len(), 1, "the current segment stays");
        spool.append(b"more\n").unwrap();
    }

    #[test]
    fn what_is_bigger_than_the_bound_passes_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = Spool::open(folder.path(), SpoolLimits { segment_bytes: 100, total_bytes: 400 }).unwrap();
        for _ in 0..3 {
            spool.append(&b"line\n".repeat(1000)).unwrap();
            assert!(matches!(spool.append(b"more\n"), Err(SpoolError::Full { .. })));
            assert!(spool.release(&all_read(folder.path())).unwrap() >= 5000);
        }
    }

    #[test]
    fn a_journal_goes_on_after_its_last_whole_entry() {
        let folder = tempfile::tempdir().unwrap();
        let limits = SpoolLimits { segment_bytes: 200, ..SpoolLimits::default() };
        let (mut spool, cursor) = Spool::open_journal(folder.path(), limits).unwrap();
        assert_eq!(cursor, None);
        for at in 0..5 {
            spool.append_entry(format!("entry {at}\n").as_bytes(), format!("s=1;i={at}").as_bytes()).unwrap();
        }
        drop(spool);
        let whole = contents(folder.path());
        let (_, last) = segments(folder.path()).unwrap().pop().unwrap();
        for torn in [
            "entry 5 -- postfix-insights spool cursor s=2;i=9 --\n",
            "entry 5\n",
            "entry 5\n-- postfix-insights spool cursor s=1;i=5",
            "ent",
        ] {
            OpenOptions::new().append(true).open(&last).unwrap().write_all(torn.as_bytes()).unwrap();
            let (_, cursor) = Spool::open_journal(folder.path(), limits).unwrap();
            assert_eq!((cursor.as_deref(), contents(folder.path())), (Some("s=1;i=4"), whole.clone()), "{torn:?}");
        }
    }

    #[test]
    fn the_cursor_is_known_though_its_segment_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let limits = SpoolLimits { segment_bytes: 50, ..SpoolLimits::default() };
        let (mut spool, _) = Spool::open_journal(folder.path(), limits).unwrap();
        for at in 0..4 {
            spool.append_entry(format!("entry {at}\n").as_bytes(), format!("{at}").as_bytes()).unwrap();
        }
        spool.release(&all_read(folder.path())).unwrap();
        drop(spool);
        assert_eq!(Spool::open_journal(folder.path(), limits).unwrap().1.as_deref(), Some("3"));
    }
}
