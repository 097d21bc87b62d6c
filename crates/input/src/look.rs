//! A look through a source before it is read: how it starts, how it ends, how often a year turns in it.
//!
//! Small files and archives are looked through as a whole; of a big plain file some places are read; of a big archive and of a stream
//! only the start. The cost is some milliseconds however big the file is.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use maillog::{Client, Stamp};

use crate::block::{Block, LINE_BYTES_MAX};
use crate::fingerprint::Identity;
use crate::open::{self, Opened, Packing, Peeked};
use crate::pace::DISORDER_US_MAX;
use crate::reader::Reader;
use crate::years::{self, Walk, Yearless};

/// How much of the start tells one source from another.
pub(crate) const FINGERPRINT_BYTES: usize = 4 << 10;
/// Plain files up to this size are looked through as a whole.
const WHOLE_PLAIN_BYTES_MAX: u64 = 1 << 20;
/// Archives below this size are looked through as a whole.
const WHOLE_PACKED_BYTES_MAX: u64 = 4 << 20;
/// How much of a text every line is looked at, before only samples are.
const DENSE_BYTES: u64 = 1 << 20;
const SAMPLE_EVERY_BYTES: usize = 4 << 10;
/// How much text of an archive is looked at, at most.
const TEXT_BYTES_MAX: u64 = 256 << 20;
const EDGE_BYTES: usize = 64 << 10;
const SAMPLES_MAX: u64 = 1024;
const SAMPLE_STEP_BYTES_MIN: u64 = 64 << 10;
const SAMPLE_BYTES: usize = 4 << 10;
/// A log is written newest line first if time goes back so many times as often as it goes forth,
const STEPS_BACK_PER_STEP_FORTH: u64 = 10;
/// and so often at least, if a session's end stands before its beginning,
const STEPS_BACK_MIN: u64 = 2;
/// or so often, if not: a few lines may have been picked and put together in any order.
const STEPS_BACK_ALONE_MIN: u64 = 20;
const HALF_YEAR_US: i64 = 183 * years::DAY_US;

/// What a look found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Look {
    /// The first bytes of the text.
    pub(crate) head: Vec<u8>,
    /// The stamp of the first line that has one.
    pub(crate) first: Option<Stamp>,
    /// The latest stamp; `None` if the end was not seen.
    pub(crate) last: Option<Stamp>,
    /// Lines without a year, up to the first that names one.
    pub(crate) yearless: Yearless,
    /// The first stamp that names a year.
    pub(crate) anchor: Option<Stamp>,
    walk: Option<Walk>,
    direction: Direction,
}

/// Which way time goes from line to line.
#[derive(Clone, Debug, Default)]
struct Direction {
    first: Option<Stamp>,
    before: Option<Stamp>,
    up: u64,
    down: u64,
    /// The address of the client whose session ended in the first line that tells of one's beginning or end.
    ended: Option<Vec<u8>>,
    begun: bool,
    /// That session began in a later line.
    ends_before_it_begins: bool,
}

impl Direction {
    fn see(&mut self, stamp: Stamp) {
        self.first.get_or_insert(stamp);
        if let Some(before) = self.before.replace(stamp) {
            let step = step_us(&before, &stamp);
            self.up += u64::from(step > 0);
            self.down += u64::from(step < 0);
        }
    }

    fn see_text(&mut self, text: &[u8]) {
        if let Some(client) = Client::connecting(text) {
            self.begun = true;
            self.ends_before_it_begins |= self.ended.as_deref() == Some(client.address);
        } else if !self.begun
            && self.ended.is_none()
            && let Some(client) = Client::leaving(text)
        {
            self.ended = Some(client.address.to_vec());
        }
    }

    /// Whether it goes back nearly always, and further than mere disorder does, or from a session's end to its beginning. A newer file
    /// in front of an older one makes some steps back among many forth.
    fn is_back(&self) -> bool {
        let far = self.first.zip(self.before).is_some_and(|(first, last)| step_us(&last, &first) > DISORDER_US_MAX);
        let nearly_always = self.down >= STEPS_BACK_MIN && self.up * STEPS_BACK_PER_STEP_FORTH <= self.down;
        nearly_always && (self.ends_before_it_begins || far && self.down >= STEPS_BACK_ALONE_MIN)
    }
}

/// From one time to the next, in microseconds; 0 if they cannot be compared, or if a year may have turned between them.
fn step_us(before: &Stamp, after: &Stamp) -> i64 {
    match (before, after) {
        (Stamp::Instant(before), Stamp::Instant(after)) => after.saturating_sub(*before),
        (Stamp::Wall(before), Stamp::Wall(after)) if before.year == after.year => {
            let step = years::key_us(after) - years::key_us(before);
            if step.abs() > HALF_YEAR_US { 0 } else { step }
        }
        _ => 0,
    }
}

impl Look {
    fn see(&mut self, stamp: Stamp) {
        self.direction.see(stamp);
        self.first.get_or_insert(stamp);
        let turns = self.yearless.turns;
        match stamp {
            Stamp::Wall(wall) if wall.year.is_none() && self.anchor.is_none() => {
                self.yearless.see(self.walk.get_or_insert(Walk::new(0)), &wall)
            }
            Stamp::Wall(wall) if wall.year.is_none() => {}
            _ => self.anchor = self.anchor.or(Some(stamp)),
        }
        if turns != self.yearless.turns || self.last.is_none_or(|last| !is_later(&last, &stamp)) {
            self.last = Some(stamp);
        }
    }

    fn see_lines(&mut self, text: &[u8]) {
        for line in text.split(|b| *b == b'\n') {
            let stamp = with_record(line, |record| {
                self.direction.see_text(record.text);
                record.stamp
            });
            if let Some(stamp) = stamp {
                self.see(stamp);
            }
        }
    }

    /// Looks at a line in every few KiB, and at the last ones.
    fn see_samples(&mut self, text: &[u8]) {
        let (body, tail) = text.split_at_checked(text.len().saturating_sub(SAMPLE_EVERY_BYTES)).unwrap_or((text, b""));
        for piece in body.chunks(SAMPLE_EVERY_BYTES) {
            self.see_first_line(piece);
        }
        self.see_lines(after_newline(tail));
    }

    fn see_first_line(&mut self, piece: &[u8]) {
        let whole = after_newline(piece);
        if let Some(stamp) = whole.split(|b| *b == b'\n').take(8).find_map(stamp_of) {
            self.see(stamp);
        }
    }

    /// The look itself, unless the newest line stands first: sessions would begin with their ends, and counts would be wrong without a word.
    fn in_order(self) -> io::Result<Self> {
        let advice =
            "it is written newest line first: turn it round (tac FILE, or journalctl without -r) and read that";
        if self.direction.is_back() { Err(io::Error::other(advice)) } else { Ok(self) }
    }

    fn is_yearless(&self) -> bool {
        self.yearless.first.is_some() && self.anchor.is_none()
    }
}

/// Whether `a` is later than `b`, as far as they can be compared.
fn is_later(a: &Stamp, b: &Stamp) -> bool {
    match (a, b) {
        (Stamp::Instant(a), Stamp::Instant(b)) => a > b,
        (Stamp::Wall(a), Stamp::Wall(b)) if a.year == b.year => years::key_us(a) > years::key_us(b),
        _ => false,
    }
}

fn after_newline(text: &[u8]) -> &[u8] {
    memchr::memchr(b'\n', text).and_then(|at| text.get(at + 1..)).unwrap_or_default()
}

/// The stamp of a line, wrapped or not.
pub(crate) fn stamp_of(line: &[u8]) -> Option<Stamp> {
    with_record(line, |record| record.stamp)
}

fn with_record<T>(line: &[u8], tell: impl FnOnce(&maillog::Record<'_>) -> T) -> Option<T> {
    let line = line.get(..line.len().min(LINE_BYTES_MAX)).unwrap_or_default();
    match maillog::record(line) {
        Some(record) => Some(tell(&record)),
        None => maillog::record(&crate::wrapped::inner(line)?).map(|record| tell(&record)),
    }
}

/// Looks at a file that can be opened as often as needed.
pub(crate) fn look_at_file(path: &Path, size: u64) -> io::Result<Look> {
    let opened = open::open_file(path, &Arc::default())?;
    let mut look = Look::default();
    let plain = opened.packing == Packing::Plain && !opened.is_export;
    let limit = if plain { WHOLE_PLAIN_BYTES_MAX } else { WHOLE_PACKED_BYTES_MAX };
    let whole = size <= limit;
    let seen = look_through(&mut look, opened, if whole { TEXT_BYTES_MAX } else { EDGE_BYTES as u64 });
    if !whole || seen >= TEXT_BYTES_MAX {
        look.last = None;
        if plain {
            look_into(&mut look, path, size)?;
        }
    }
    look.in_order()
}

/// What a file is known by, packed or not; `None` if it has no whole line yet.
pub fn identify(path: &Path) -> io::Result<Option<Identity>> {
    Ok(Identity::of(&head_of(path)?))
}

/// Whether a file's text starts so now.
pub(crate) fn starts_with(path: &Path, head: &[u8]) -> bool {
    head_of(path).is_ok_and(|now| now.starts_with(head))
}

fn head_of(path: &Path) -> io::Result<Vec<u8>> {
    let mut look = Look::default();
    look_through(&mut look, open::open_file(path, &Arc::default())?, FINGERPRINT_BYTES as u64);
    Ok(look.head)
}

/// Looks at the first `most` bytes; says how many there were.
fn look_through(look: &mut Look, opened: Opened, most: u64) -> u64 {
    let mut reader = Reader::new(opened.reader.take(most), false);
    let (mut block, mut seen) = (Block::default(), 0);
    while reader.fill(&mut block, 2 * LINE_BYTES_MAX) {
        let text = block.text();
        let room = FINGERPRINT_BYTES.saturating_sub(look.head.len());
        look.head.extend_from_slice(text.get(..text.len().min(room)).unwrap_or_default());
        if seen < DENSE_BYTES {
            look.see_lines(text)
        } else {
            look.see_samples(text)
        }
        seen += text.len() as u64;
    }
    seen
}

/// Reads places of a big plain file, and its end.
fn look_into(look: &mut Look, path: &Path, size: u64) -> io::Result<()> {
    let file = File::open(path)?;
    let edge = EDGE_BYTES as u64;
    let mut piece = vec![0; EDGE_BYTES];
    if look.is_yearless() {
        let step = (size / SAMPLES_MAX).max(SAMPLE_STEP_BYTES_MIN);
        let mut at = edge;
        while at + edge < size && look.anchor.is_none() {
            let count = file.read_at(piece.get_mut(..SAMPLE_BYTES).unwrap_or_default(), at)?;
            look.see_first_line(piece.get(..count).unwrap_or_default());
            at += step;
        }
    }
    let count = file.read_at(&mut piece, size.saturating_sub(edge))?;
    look.last = None;
    look.see_lines(after_newline(piece.get(..count).unwrap_or_default()));
    Ok(())
}

/// Looks at the start of a stream, up to the first line with a time at least. The stream is given back whole.
pub(crate) fn look_at_stream(opened: Opened) -> io::Result<(Look, Opened)> {
    let has_time = |seen: &[u8]| {
        memchr::memrchr(b'\n', seen)
            .and_then(|end| seen.get(..end))
            .is_some_and(|lines| lines.split(|b| *b == b'\n').any(|line| stamp_of(line).is_some()))
    };
    let peeked = Peeked::new(opened.reader, EDGE_BYTES, has_time)?;
    let mut look = Look::default();
    look.see_lines(peeked.seen());
    let mut look = look.in_order()?;
    look.last = None;
    look.head = peeked.seen().get(..peeked.seen().len().min(FINGERPRINT_BYTES)).unwrap_or_default().to_vec();
    Ok((look, Opened { reader: Box::new(peeked), packing: opened.packing, is_export: opened.is_export }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_back(minutes: &[u32]) -> bool {
        let mut look = Look::default();
        let lines: Vec<String> =
            minutes.iter().map(|m| format!("Jun 17 {:02}:{:02}:00 h p: x\n", m / 60, m % 60)).collect();
        look.see_lines(lines.concat().as_bytes());
        look.in_order().is_err()
    }

    #[test]
    fn newest_first_is_more_than_disorder() {
        let down: Vec<u32> = (0..100).rev().collect();
        assert!(is_back(&down));
        // Some lines of it stand in order.
        let mut mostly = down.clone();
        mostly.swap(10, 11);
        mostly.swap(50, 51);
        assert!(is_back(&mostly));
        for lines in [
            &[][..],
            &[1],
            &[2, 1],
            &[3, 2, 1],
            &[9, 8, 7, 6, 5, 4, 3, 2, 1],
            &[1, 2, 3],
            &[3, 2, 3, 2],
            &[3, 2, 1, 4],
            &[50, 51, 52, 1, 2, 3],
        ] {
            assert!(!is_back(lines), "{lines:?}");
        }
        // Two files, the newer in front of the older.
        let two: Vec<u32> = (100..200).chain(0..100).collect();
        assert!(!is_back(&two));
    }
}
