//! The hosts and programs that the lines of a log begin with, remembered: nearly all lines have one of a few.
//!
//! Input: a line behind its stamp. Output: its record, if a line that began so was read before. Looked at in words of eight bytes, as every
//! line is asked.

use crate::contained::may_hold;
use crate::envelope::Record;
use crate::program::Program;
use crate::stamp::Stamp;
use crate::tag::Tag;

/// How many heads are remembered; a power of two.
const HEADS: usize = 256;
/// Longest head that is remembered, in words of eight bytes.
const HEAD_WORDS_MAX: usize = 12;

/// Starts of lines behind the stamp, `HOST TAG` before a `[` or a `:`: a log has few, and each of its lines has one of them.
///
/// How a head is read depends on no byte behind its end (no stamp goes on with `[` or `: `), so a line with a known head is read as
/// the first one was.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heads(Vec<Head>);

#[derive(Clone, Debug)]
struct Head {
    /// `mail postfix/smtpd`, filled up with zeros.
    words: [u64; HEAD_WORDS_MAX],
    /// Its length; 0: nothing is remembered here.
    len: usize,
    /// Length of the host, which one blank follows.
    host: usize,
    program: Program,
    /// Lines of other programs may stand in its messages: every line is for the general way.
    holds_lines: bool,
}

impl Heads {
    /// Reads `HOST TAG[PID]: TEXT` or `HOST TAG: TEXT` if the head is known and what follows it is as usual.
    #[inline]
    pub(crate) fn record<'a>(&self, stamp: Stamp, rest: &'a [u8]) -> Option<Record<'a>> {
        let end = HeadEnd::of(rest)?;
        let head = self.0.get(end.slot()).filter(|head| head.len == end.len)?;
        let (words, _) = rest.as_chunks::<8>();
        let mut before = words.get(..end.len / 8)?.iter().zip(&head.words);
        if !before.all(|(word, known)| u64::from_le_bytes(*word) == *known)
            || head.words.get(end.len / 8) != Some(&end.last)
        {
            return None;
        }
        let (bytes, after) = rest.split_at_checked(end.len)?;
        let (pid, text) = behind(after)?;
        // Solaris' message ids and folded repetitions are for the general way.
        if head.holds_lines || matches!(text.first(), Some(b'[' | b'm')) {
            return None;
        }
        Some(Record {
            stamp,
            host: bytes.get(..head.host)?,
            tag: Tag(bytes.get(head.host + 1..)?),
            program: head.program,
            pid,
            repeat: 1,
            text,
        })
    }

    /// Remembers a head that was read in the general way, if it is as plain as [`Heads::record`] takes it to be.
    pub(crate) fn learn(&mut self, rest: &[u8], record: &Record<'_>) {
        let Some(end) = HeadEnd::of(rest) else { return };
        let Some((bytes, after)) = rest.split_at_checked(end.len) else { return };
        let plain = !record.host.is_empty()
            && !record.tag.0.is_empty()
            && behind(after).is_some_and(|(pid, _)| pid == record.pid)
            && bytes.strip_prefix(record.host).and_then(|b| b.strip_prefix(b" ")) == Some(record.tag.0);
        if !plain {
            return;
        }
        let mut words = [0; HEAD_WORDS_MAX];
        for (word, chunk) in words.iter_mut().zip(rest.as_chunks::<8>().0.iter().take(end.len / 8)) {
            *word = u64::from_le_bytes(*chunk);
        }
        if let Some(word) = words.get_mut(end.len / 8) {
            *word = end.last;
        }
        let none = Head { words: [0; HEAD_WORDS_MAX], len: 0, host: 0, program: Program::Other, holds_lines: false };
        self.0.resize(HEADS, none);
        if let Some(head) = self.0.get_mut(end.slot()) {
            let holds_lines = may_hold(record.program, record.tag);
            *head = Head { words, len: end.len, host: record.host.len(), program: record.program, holds_lines };
        }
    }
}

/// Where a head ends: at the first bracket or colon. It nearly always stands within four words of eight bytes, which are looked through
/// here: a call of the general search costs more than that.
struct HeadEnd {
    len: usize,
    /// The head's bytes in the word in which it ends.
    last: u64,
    /// Of all its words.
    hash: u64,
}

impl HeadEnd {
    /// `None`: none is near, or the line ends so soon behind it that it is not worth while.
    #[inline]
    fn of(rest: &[u8]) -> Option<Self> {
        let mut hash = 0u64;
        for (n, word) in rest.as_chunks::<8>().0.iter().take(HEAD_WORDS_MAX).enumerate() {
            let word = u64::from_le_bytes(*word);
            let found = first_of(word, b'[') | first_of(word, b':');
            if found != 0 {
                let bits = found.trailing_zeros() & !7;
                let last = word & ((1 << bits) - 1);
                return Some(Self { len: n * 8 + (bits / 8) as usize, last, hash: mix(hash, last) });
            }
            hash = mix(hash, word);
        }
        None
    }

    #[inline]
    fn slot(&self) -> usize {
        usize::try_from(self.hash >> (64 - HEADS.trailing_zeros())).unwrap_or(0)
    }
}

#[inline]
fn mix(hash: u64, word: u64) -> u64 {
    (hash.rotate_left(23) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// The highest bit of the first byte that is the one meant is set, and none before.
#[inline]
fn first_of(word: u64, byte: u8) -> u64 {
    // A byte that is meant becomes zero, and only a zero byte borrows from its own highest bit.
    let difference = word ^ u64::from_le_bytes([byte; 8]);
    difference.wrapping_sub(0x0101_0101_0101_0101) & !difference & 0x8080_8080_8080_8080
}

/// `[PID]: TEXT` or `: TEXT`, as the general way reads it. `None`: not so, or a number of more than seven digits, or nearly no text.
#[inline]
fn behind(after: &[u8]) -> Option<(Option<u32>, &[u8])> {
    if let Some(text) = after.strip_prefix(b": ") {
        return Some((None, text));
    }
    let after = after.strip_prefix(b"[")?;
    let word = u64::from_le_bytes(*after.first_chunk()?);
    let bits = first_of(word, b']').trailing_zeros() & !7;
    // Nine digits or more have no end among the eight bytes; none at all is no number.
    let digits = word.checked_shl(64 - bits).filter(|_| bits < 64)?;
    let text = after.get((bits / 8) as usize..)?.strip_prefix(b"]: ")?;
    Some((Some(eight_digits(digits | 0x3030_3030_3030_3030u64.checked_shr(bits)?)?), text))
}

/// Eight ASCII digits, the first in the lowest byte, as a number: neighbours are put together, then pairs, then fours.
#[inline]
fn eight_digits(text: u64) -> Option<u32> {
    let digits = text ^ 0x3030_3030_3030_3030;
    // A digit has nothing in its upper half, even after six is added.
    if (digits | digits.wrapping_add(0x0606_0606_0606_0606)) & 0xf0f0_f0f0_f0f0_f0f0 != 0 {
        return None;
    }
    let pairs = (digits.wrapping_mul(10) + (digits >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs.wrapping_mul(100) + (pairs >> 16)) & 0x0000_ffff_0000_ffff;
    let all = fours.wrapping_mul(10_000).wrapping_add(fours >> 32);
    u32::try_from(all & 0xffff_ffff).ok()
}
