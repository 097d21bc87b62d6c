//! A block of whole lines, and what a worker finds out about them.
//!
//! Input: bytes cut at a newline. Output: a [`Span`] for each line somebody wants, and tallies of all of them. Of lines nobody wants
//! only those are kept that the clock needs (see [`Pace`]). Blocks are recycled.

use std::hash::BuildHasher;

use maillog::{Program, Record, Stamp, Stamps, Tag};

use crate::line::Worth;
use crate::pace::Pace;
use crate::quiet::Quiet;
use crate::repeated::{self, last_message_repeated};

/// Longest line that is kept; a longer one is cut.
pub const LINE_BYTES_MAX: usize = 64 << 10;
/// Offsets from here on point into the side buffer.
const SIDE: u32 = 1 << 31;

/// A piece of a block: offset and length.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Piece {
    start: u32,
    len: u32,
}

/// What is known of one line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) stamp: Option<Stamp>,
    pub(crate) hash: u64,
    raw: Piece,
    host: Piece,
    tag: Piece,
    program: Program,
    text: Piece,
    pid: Option<u32>,
    repeat: u32,
    /// Index of the line in its block, 0-based.
    pub(crate) number: u32,
    pub(crate) kind: Kind,
    pub(crate) truncated: bool,
}

/// What a span stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A line, already counted in the block's tally.
    Line(Worth),
    /// `last message repeated N times` whose line stands in the block before. Not counted yet.
    Orphan(u32),
    /// A line nobody wants, which tells the clock something.
    Mark,
}

/// Counts of the lines of a block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) understood: u64,
    pub(crate) unknown: u64,
    pub(crate) bad_time: u64,
}

impl Tally {
    pub(crate) fn count(&mut self, worth: Worth, bad_time: bool) {
        match worth {
            Worth::Unknown => self.unknown += 1,
            _ => self.understood += 1,
        }
        self.bad_time += u64::from(bad_time);
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.understood += other.understood;
        self.unknown += other.unknown;
        self.bad_time += other.bad_time;
    }
}

/// Which lines get a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detail {
    /// Kept and unknown lines.
    Wanted,
    /// Every line.
    All,
    /// Every line, with a hash of its bytes.
    Hashed,
}

/// A buffer of whole lines with what was found in it.
#[derive(Default)]
pub(crate) struct Block {
    pub(crate) data: Vec<u8>,
    /// How much of `data` is filled.
    pub(crate) filled: usize,
    side: Vec<u8>,
    /// What its lines had in common when it was filled before.
    stamps: Stamps,
    pub(crate) spans: Vec<Span>,
    pub(crate) lines: u64,
    pub(crate) tally: Tally,
}

impl Block {
    /// A block whose first `filled` bytes are whole lines.
    pub(crate) fn of(data: Vec<u8>, filled: usize) -> Self {
        Self { data, filled, ..Self::default() }
    }

    fn clear(&mut self) {
        self.side.clear();
        self.spans.clear();
        self.lines = 0;
        self.tally = Tally::default();
    }

    fn bytes(&self, piece: Piece) -> &[u8] {
        let (buffer, start) =
            if piece.start >= SIDE { (&self.side, piece.start - SIDE) } else { (&self.data, piece.start) };
        let start = start as usize;
        buffer.get(start..start + piece.len as usize).unwrap_or_default()
    }

    pub(crate) fn raw(&self, span: &Span) -> &[u8] {
        self.bytes(span.raw)
    }

    /// Where a line starts in the block.
    pub(crate) fn place(&self, span: &Span) -> u64 {
        span.raw.start.into()
    }

    pub(crate) fn record(&self, span: &Span) -> Option<Record<'_>> {
        let stamp = span.stamp?;
        Some(Record {
            stamp,
            host: self.bytes(span.host),
            tag: Tag(self.bytes(span.tag)),
            program: span.program,
            pid: span.pid,
            repeat: span.repeat,
            text: self.bytes(span.text),
        })
    }

    pub(crate) fn text(&self) -> &[u8] {
        self.data.get(..self.filled).unwrap_or_default()
    }

    /// Finds and reads the lines.
    pub(crate) fn parse(
        &mut self,
        detail: Detail,
        worth: &(impl Fn(&Record<'_>) -> Worth + ?Sized),
        hasher: &foldhash::quality::RandomState,
    ) {
        self.clear();
        let (mut side, mut spans) = (std::mem::take(&mut self.side), std::mem::take(&mut self.spans));
        let text = self.data.get(..self.filled).unwrap_or_default();
        let mut found = Finder {
            text,
            side: &mut side,
            spans: &mut spans,
            tally: Tally::default(),
            pace: Pace::default(),
            quiet: Quiet::new(),
            detail,
            worth,
            hasher,
            number: 0,
            stamps: &mut self.stamps,
        };
        let mut start = 0;
        for newline in memchr::memchr_iter(b'\n', text) {
            found.line(start, newline);
            start = newline + 1;
        }
        if start < text.len() {
            found.line(start, text.len());
        }
        found.pace.close(found.spans);
        (self.lines, self.tally) = (u64::from(found.number), found.tally);
        (self.side, self.spans) = (side, spans);
    }
}

/// The state of going through a block's lines.
struct Finder<'b, W: ?Sized> {
    text: &'b [u8],
    side: &'b mut Vec<u8>,
    spans: &'b mut Vec<Span>,
    tally: Tally,
    pace: Pace,
    quiet: Quiet<'b>,
    detail: Detail,
    worth: &'b W,
    hasher: &'b foldhash::quality::RandomState,
    number: u32,
    stamps: &'b mut Stamps,
}

impl<'b, W: Fn(&Record<'_>) -> Worth + ?Sized> Finder<'b, W> {
    fn line(&mut self, start: usize, end: usize) {
        let truncated = end - start > LINE_BYTES_MAX;
        let raw = self.text.get(start..end.min(start + LINE_BYTES_MAX)).unwrap_or_default();
        // Looked at where it is: moving a record costs as much as reading a stamp.
        match &self.stamps.record(raw) {
            Some(record) if is_possible(&record.stamp) => self.plain(raw, record, truncated),
            _ => self.wrapped(raw, truncated),
        }
        self.number += 1;
    }

    #[inline]
    fn plain(&mut self, raw: &[u8], record: &Record<'b>, truncated: bool) {
        if record.text.first() == Some(&b'l')
            && let Some(times) = last_message_repeated(record.text)
        {
            return self.repeated(raw, record, times, truncated);
        }
        let worth = (self.worth)(record);
        self.tally.count(worth, false);
        let wanted = self.detail != Detail::Wanted || worth != Worth::Skip && !self.ends_quietly(record, worth);
        self.pace.see(&record.stamp, self.number, wanted, self.spans);
        if wanted {
            self.push(raw, record, Kind::Line(worth), truncated);
        }
    }

    /// Whether a line ends a session of which nothing is wanted. Its start is then left out as well.
    #[inline]
    fn ends_quietly(&mut self, record: &Record<'b>, worth: Worth) -> bool {
        // A start is followed by its span, unless a mark comes in between: then it stays, which does no harm.
        let next = self.spans.len();
        let Some(passed) = self.quiet.see(record, worth, next) else { return false };
        let Some(span) = self.spans.get_mut(passed.start).filter(|span| span.kind == Kind::Line(Worth::Opens)) else {
            return false;
        };
        // Its time still tells the clock something.
        span.kind = if passed.ends_another { Kind::Line(Worth::CameAndWent) } else { Kind::Mark };
        true
    }

    /// The line meant is looked for in this block; if it is not here, whoever has the block before will find it.
    fn repeated(&mut self, raw: &[u8], record: &Record<'_>, times: u32, truncated: bool) {
        let before = self.text.get(..offset(self.text, raw)).unwrap_or_default();
        let (record, kind) = match repeated::meant(before, record, times) {
            Some(meant) => {
                let worth = (self.worth)(&meant);
                self.tally.count(worth, false);
                (meant, Kind::Line(worth))
            }
            None => (*record, Kind::Orphan(times)),
        };
        let wanted = kind != Kind::Line(Worth::Skip) || self.detail != Detail::Wanted;
        self.pace.see(&record.stamp, self.number, wanted, self.spans);
        self.quiet.forget();
        if wanted {
            self.push(raw, &record, kind, truncated);
        }
    }

    /// The slow path: a line without an envelope of its own.
    #[cold]
    fn wrapped(&mut self, raw: &[u8], truncated: bool) {
        let start = self.side.len();
        if let Some(inner) = crate::wrapped::inner(raw) {
            self.side.extend_from_slice(&inner);
        }
        let side = std::mem::take(self.side);
        let inner = side.get(start..).unwrap_or_default();
        let record = maillog::record(inner).filter(|record| is_possible(&record.stamp));
        let worth = record.as_ref().map_or(Worth::Unknown, self.worth);
        self.tally.count(worth, record.is_none() && has_text(raw));
        let wanted = worth != Worth::Skip || self.detail != Detail::Wanted;
        if let Some(record) = &record {
            self.pace.see(&record.stamp, self.number, wanted, self.spans);
        }
        self.quiet.forget();
        let mut span = self.bare(raw, Kind::Line(worth), truncated);
        let mut constant: &[u8] = b"";
        if let Some(record) = &record {
            let place = |part: &[u8]| inside(&side, part).map(|piece| Piece { start: piece.start + SIDE, ..piece });
            (span.stamp, span.pid, span.repeat) = (Some(record.stamp), record.pid, record.repeat);
            span.program = record.program;
            (span.host, span.text) = (place(record.host).unwrap_or_default(), place(record.text).unwrap_or_default());
            match place(record.tag.0) {
                Some(piece) => span.tag = piece,
                None => constant = if record.tag.0 == b"dovecot" { b"dovecot" } else { b"" },
            }
        }
        let useless = record.is_none() || !wanted;
        *self.side = side;
        if useless {
            self.side.truncate(start);
        }
        if !constant.is_empty() {
            span.tag = self.aside(constant);
        }
        if wanted {
            self.spans.push(span);
        }
    }

    fn bare(&self, raw: &[u8], kind: Kind, truncated: bool) -> Span {
        let hash = if self.detail == Detail::Hashed { self.hasher.hash_one(raw) } else { 0 };
        let raw = match inside(self.text, raw) {
            // An empty line stands somewhere, too.
            Some(piece) if piece.len > 0 => piece,
            _ => Piece { start: u32::try_from(offset(self.text, raw)).unwrap_or(0), len: 0 },
        };
        Span {
            stamp: None,
            hash,
            raw,
            host: Piece::default(),
            tag: Piece::default(),
            program: Program::Other,
            text: Piece::default(),
            pid: None,
            repeat: 1,
            number: self.number,
            kind,
            truncated,
        }
    }

    #[inline]
    fn push(&mut self, raw: &[u8], record: &Record<'_>, kind: Kind, truncated: bool) {
        let (host, tag, text) = (self.place(record.host), self.place(record.tag.0), self.place(record.text));
        self.spans.push(Span {
            stamp: Some(record.stamp),
            host,
            tag,
            program: record.program,
            text,
            pid: record.pid,
            repeat: record.repeat,
            ..self.bare(raw, kind, truncated)
        });
    }

    /// Where a part of a record stands. A constant of the grammar stands nowhere in the text and is put aside.
    #[inline]
    fn place(&mut self, part: &[u8]) -> Piece {
        match inside(self.text, part) {
            Some(piece) => piece,
            None => self.aside(part),
        }
    }

    #[cold]
    fn aside(&mut self, part: &[u8]) -> Piece {
        let start = u32::try_from(self.side.len()).unwrap_or(0) + SIDE;
        self.side.extend_from_slice(part);
        Piece { start, len: u32::try_from(part.len()).unwrap_or(0) }
    }
}

/// From the year 0 to 9999-12-30, in microseconds since 1970 UTC: what can be shown in every zone.
const FIRST_US: i64 = -62_167_219_200_000_000;
const LAST_US: i64 = 253_402_128_000_000_000;

/// Whether a day exists at all. Feb 29 may, without a year.
#[inline]
fn is_possible(stamp: &Stamp) -> bool {
    match stamp {
        Stamp::Instant(micros) => (FIRST_US..=LAST_US).contains(micros),
        Stamp::Wall(wall) if wall.year.is_some() => {
            wall.as_utc_micros().is_some_and(|micros| (FIRST_US..=LAST_US).contains(&micros))
        }
        Stamp::Wall(wall) => {
            wall.day <= 29 || wall.day == 30 && wall.month != 2 || matches!(wall.month, 1 | 3 | 5 | 7 | 8 | 10 | 12)
        }
    }
}

/// Blank lines and NUL runs have none.
pub(crate) fn has_text(line: &[u8]) -> bool {
    line.iter().any(|b| *b != 0 && !b.is_ascii_whitespace())
}

/// The offset of `part`, which was cut out of `whole`, by address.
fn offset(whole: &[u8], part: &[u8]) -> usize {
    part.as_ptr().addr().wrapping_sub(whole.as_ptr().addr())
}

#[inline]
fn inside(whole: &[u8], part: &[u8]) -> Option<Piece> {
    if part.is_empty() {
        return Some(Piece::default());
    }
    let start = offset(whole, part);
    let fits = start < whole.len() && part.len() <= whole.len() - start;
    if fits { Some(Piece { start: u32::try_from(start).ok()?, len: u32::try_from(part.len()).ok()? }) } else { None }
}

/// A line nobody wants whose time matters.
pub(crate) fn mark(stamp: Stamp, number: u32) -> Span {
    let none = Piece::default();
    Span {
        stamp: Some(stamp),
        hash: 0,
        raw: none,
        host: none,
        tag: none,
        program: Program::Other,
        text: none,
        pid: None,
        repeat: 1,
        number,
        kind: Kind::Mark,
        truncated: false,
    }
}
