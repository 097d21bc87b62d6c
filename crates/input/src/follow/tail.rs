//! One source on its way: how far it was read, and its next lines.
//!
//! Input: a [`Text`] that may grow. Output: a [`Batch`] of whole lines, or why there is none. The place only moves over whole lines (and
//! over an unended one that nobody goes on writing), so a source can be taken up again from any place that was ever told.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::block::{Block, Detail, LINE_BYTES_MAX};
use crate::clock::Clock;
use crate::follow::batch::{Batch, Position};
use crate::follow::cut::{Cut, cut};
use crate::follow::head::Head;
use crate::follow::text::Text;
use crate::line::Worth;

/// How many windows without a line (NULs, the rest of a long line) are looked at in one step.
const WINDOWS_MAX: usize = 64;
/// How much of the text before a batch is kept for `last message repeated`.
const BEFORE_BYTES: usize = 8 << 10;

/// Clocks of file systems tick more often than this.
const SETTLED: Duration = Duration::from_secs(1);

/// What came of looking for more lines.
pub(crate) enum Step {
    Lines(Box<Batch>),
    /// On the way to the next line; ask again.
    Busy,
    /// Nothing new.
    Quiet,
    /// The file does not hold any more what was read from it: truncated or written anew.
    Lost,
    /// The system will not have it read.
    Failed(std::io::Error),
}

/// A line longer than a window: its start, and how far its end was looked for.
struct Long {
    kept: Vec<u8>,
    upto: u64,
}

/// A source being followed.
pub(crate) struct Tail {
    pub(crate) source: u64,
    pub(crate) name: Arc<str>,
    pub(crate) path: PathBuf,
    /// Device and inode; `None` for a stream.
    pub(crate) place: Option<(u64, u64)>,
    /// `None`: an archive that is not opened yet.
    pub(crate) text: Option<Text>,
    pub(crate) is_packed: bool,
    pub(crate) is_spool: bool,
    /// The first bytes.
    pub(crate) head: Head,
    pub(crate) offset: u64,
    pub(crate) lines: u64,
    clock: Clock,
    /// Start of the next line: the offset, but for NULs.
    content: u64,
    long: Option<Long>,
    /// Length of the unended line, and since when it has it.
    unended: Option<(usize, Instant)>,
    /// Since when nothing has come.
    pub(crate) quiet_since: Option<Instant>,
    /// The folder was looked at since it fell silent.
    pub(crate) looked_last: bool,
    /// Time of the last line that has one.
    pub(crate) last: Option<i64>,
    before: Vec<u8>,
    from: Option<Position>,
    /// Size and time of the file when its start was last looked at.
    checked: Option<(u64, i64, i64)>,
}

/// Where a source is taken up.
pub(crate) struct Start {
    pub(crate) offset: u64,
    pub(crate) lines: u64,
    pub(crate) from: Option<Position>,
}

impl Tail {
    pub(crate) fn new(source: u64, name: &str, path: PathBuf, text: Option<Text>, start: Start, clock: Clock) -> Self {
        Self {
            source,
            name: name.into(),
            path,
            place: None,
            is_packed: false,
            is_spool: false,
            text,
            head: Head::default(),
            offset: start.offset,
            lines: start.lines,
            clock,
            content: start.offset,
            long: None,
            unended: None,
            quiet_since: None,
            looked_last: false,
            last: None,
            before: Vec::new(),
            from: start.from,
            checked: None,
        }
    }

    /// How far it was read; `None` before the first line.
    pub(crate) fn position(&self) -> Option<Position> {
        Some(Position {
            name: self.name.to_string(),
            fingerprint: self.head.fingerprint(self.offset)?,
            offset: self.offset,
            lines: self.lines,
            finished: self.is_packed
                && self.text.as_ref().is_some_and(|text| text.is_over() && text.failed().is_none()),
        })
    }

    /// Whether there is a line that has no end yet.
    pub(crate) fn has_unended(&self) -> bool {
        self.unended.is_some()
    }

    /// Whether the file has no name any more.
    pub(crate) fn is_unlinked(&self) -> bool {
        match &self.text {
            Some(Text::Plain(file)) => file.metadata().is_ok_and(|metadata| metadata.nlink() == 0),
            _ => false,
        }
    }

    /// Goes on in another file that holds the same text.
    pub(crate) fn move_to(&mut self, file: File, place: (u64, u64), path: &std::path::Path) {
        self.text = Some(Text::Plain(file));
        (self.place, self.path, self.checked) = (Some(place), path.to_owned(), None);
        (self.content, self.long, self.unended, self.quiet_since) = (self.offset, None, None, None);
        self.looked_last = false;
    }

    /// Whether there is nothing more to read but an unended line.
    pub(crate) fn is_at_end(&self) -> bool {
        let unended = self.unended.map_or(0, |(length, _)| length as u64);
        self.lag_bytes() == Some(self.content - self.offset + unended)
    }

    /// Bytes not read yet, as far as that is known without unpacking.
    pub(crate) fn lag_bytes(&self) -> Option<u64> {
        match &self.text {
            Some(Text::Plain(file)) => Some(file.metadata().ok()?.len().saturating_sub(self.offset)),
            _ => None,
        }
    }

    /// The next lines. An unended line is one when it has not grown for `patience`.
    pub(crate) fn step(&mut self, now: Instant, patience: Duration, hasher: &foldhash::quality::RandomState) -> Step {
        for _ in 0..WINDOWS_MAX {
            let looked_at = self.long.as_ref().map_or(self.content, |long| long.upto);
            let window = match self.text.as_mut().map(|text| text.window(looked_at)) {
                Some(Ok(Some(window))) => window,
                Some(Ok(None)) | None => return Step::Busy,
                Some(Err(error)) => return Step::Failed(error),
            };
            // After reading, so that what was written anew in between is not taken for a part of this.
            if !self.is_still_itself() {
                return Step::Lost;
            }
            if matches!(self.text, Some(Text::Stream(_))) {
                self.extend_head(looked_at, &window.bytes);
            }
            if self.long.is_some() {
                match self.end_of_long(&window.bytes, hasher) {
                    Some(step) => return step,
                    None if window.at_end => return self.quiet(now),
                    None => continue,
                }
            }
            match cut(&window.bytes, !window.at_end) {
                Cut::Lines(count) => return self.deliver(window.bytes, count, hasher),
                // A hole in front of a file is big, and its end is known.
                Cut::Nuls(count) => self.content = self.head.nuls.max(self.content + count as u64),
                Cut::Long => self.begin_long(window.bytes),
                Cut::Unended if window.bytes.is_empty() => return self.quiet(now),
                Cut::Unended => return self.unended(window.bytes, now, patience, hasher),
            }
        }
        Step::Busy
    }

    fn quiet(&mut self, now: Instant) -> Step {
        self.quiet_since.get_or_insert(now);
        Step::Quiet
    }

    /// An unended line waits for its end; the last one of what cannot grow does not.
    fn unended(
        &mut self,
        bytes: Vec<u8>,
        now: Instant,
        patience: Duration,
        hasher: &foldhash::quality::RandomState,
    ) -> Step {
        let since = match self.unended {
            Some((length, since)) if length == bytes.len() => since,
            _ => {
                self.quiet_since = None;
                self.unended = Some((bytes.len(), now));
                now
            }
        };
        // The rest of a damaged archive may still be written: it waits like the end of a line.
        let is_over = self.text.as_ref().is_some_and(|text| text.is_over() && text.failed().is_none());
        if is_over || now.saturating_duration_since(since) >= patience {
            let count = bytes.len();
            return self.deliver(bytes, count, hasher);
        }
        self.quiet(now)
    }

    fn begin_long(&mut self, bytes: Vec<u8>) {
        let upto = self.content + bytes.len() as u64;
        // One byte more than is kept, so that it is seen to be cut.
        let kept = bytes.get(..LINE_BYTES_MAX + 1).unwrap_or_default().to_vec();
        self.long = Some(Long { kept, upto });
    }

    fn end_of_long(&mut self, bytes: &[u8], hasher: &foldhash::quality::RandomState) -> Option<Step> {
        let long = self.long.as_mut()?;
        let Some(at) = memchr::memchr(b'\n', bytes) else {
            long.upto += bytes.len() as u64;
            return None;
        };
        let end = long.upto + at as u64 + 1;
        let kept = std::mem::take(&mut long.kept);
        self.long = None;
        let count = kept.len();
        Some(self.deliver_upto(kept, count, end, 1, hasher))
    }

    fn deliver(&mut self, bytes: Vec<u8>, count: usize, hasher: &foldhash::quality::RandomState) -> Step {
        let newlines = memchr::memchr_iter(b'\n', bytes.get(..count).unwrap_or_default()).count() as u64;
        let end = self.content + count as u64;
        self.deliver_upto(bytes, count, end, newlines, hasher)
    }

    fn deliver_upto(
        &mut self,
        bytes: Vec<u8>,
        count: usize,
        end: u64,
        newlines: u64,
        hasher: &foldhash::quality::RandomState,
    ) -> Step {
        let mut block = Block::of(bytes, count);
        block.parse(Detail::All, &|_: &maillog::Record<'_>| Worth::Keep, hasher);
        let times: Vec<_> = block
            .spans
            .iter()
            .map(|span| span.stamp.as_ref().map_or_else(Default::default, |stamp| self.clock.resolve(stamp)))
            .collect();
        self.last = times.iter().rev().find_map(|(time, _)| *time).or(self.last);
        let (start, lines_before) = (self.content, self.lines);
        (self.offset, self.content, self.lines) = (end, end, self.lines + newlines);
        (self.unended, self.quiet_since, self.looked_last) = (None, None, false);
        self.extend_head_of_file();
        let text = block.text();
        let before = text.get(text.len().saturating_sub(BEFORE_BYTES)..).unwrap_or_default().to_vec();
        let before = std::mem::replace(&mut self.before, before);
        // The head holds what was just read, so there is a position.
        let Some(position) = self.position() else { return Step::Busy };
        let from = self.from.replace(position.clone());
        let (source, name, head) = (self.source, Arc::clone(&self.name), self.head.bytes.clone());
        Step::Lines(Box::new(Batch {
            source,
            name,
            block,
            times,
            before,
            start,
            lines_before,
            from,
            position,
            is_spool: self.is_spool,
            head,
        }))
    }

    fn extend_head(&mut self, at: u64, bytes: &[u8]) {
        if at == self.head.nuls + self.head.bytes.len() as u64 {
            self.head.extend(bytes);
        }
    }

    /// A plain file that was short when it was first seen has grown.
    fn extend_head_of_file(&mut self) {
        if !self.head.is_full()
            && let Some(Text::Plain(file)) = &self.text
            && let Ok(head) = Head::of_file(file)
            && self.head.has_grown_to(&head)
        {
            self.head = head;
        }
    }

    /// Whether the file still starts as it did and has not become shorter than what was read. Asked of the disk only after a change.
    pub(crate) fn is_still_itself(&mut self) -> bool {
        let Some(Text::Plain(file)) = &self.text else { return true };
        let Ok(metadata) = file.metadata() else { return true };
        let state = (metadata.size(), metadata.mtime(), metadata.mtime_nsec());
        if self.checked == Some(state) {
            return true;
        }
        let read = self.long.as_ref().map_or(self.content, |long| long.upto);
        let same = metadata.size() >= read && Head::of_file(file).is_ok_and(|head| self.head.has_grown_to(&head));
        // A file that changed a moment ago may change again without another time of change.
        let settled = metadata.modified().ok().and_then(|time| time.elapsed().ok()).is_some_and(|age| age > SETTLED);
        self.checked = Some(state).filter(|_| same && settled);
        same
    }
}
