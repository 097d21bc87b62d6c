//! Queue ids, short and long.

/// Queue id as logged: short (hex, used again once its file is gone) or long (base 52, not used again).
///
/// Invariant: non-empty ASCII alphanumerics. A short id names a message only together with host and time.
/// Source: Postfix `src/global/mail_queue.h` (`MQID_…`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct QueueId<'a>(&'a [u8]);

impl<'a> QueueId<'a> {
    /// The queue id that a message starts with, if it belongs to a queue file.
    #[must_use]
    #[inline]
    pub fn of_text(text: &'a [u8]) -> Option<Self> {
        prefix(text)?.0.queue_id()
    }

    /// Checks that the whole text has the form of a queue id.
    #[must_use]
    pub fn new(text: &'a [u8]) -> Option<Self> {
        (run(text) == (text.len(), true)).then_some(Self(text))
    }

    /// The id as logged.
    #[must_use]
    pub fn as_bytes(self) -> &'a [u8] {
        self.0
    }
}

/// What a byte of a queue id may be: see [`run`].
#[expect(clippy::indexing_slicing, reason = "evaluated when compiled: a wrong index does not compile")]
static KINDS: [u8; 256] = {
    let mut kinds = [0; 256];
    let mut byte = 0u8;
    while byte < 128 {
        let alphanumeric = if byte.is_ascii_alphanumeric() { ALPHANUMERIC } else { 0 };
        let digit = if byte.is_ascii_digit() { DIGIT } else { 0 };
        let hex = if matches!(byte, b'0'..=b'9' | b'A'..=b'F') { HEX } else { 0 };
        kinds[byte as usize] = alphanumeric | digit | hex;
        byte += 1;
    }
    kinds
};
const ALPHANUMERIC: u8 = 1;
const DIGIT: u8 = 2;
const HEX: u8 = 4;
/// Longest queue id.
const BYTES_MAX: usize = 40;

/// The alphanumeric run a text starts with: its length, and whether it has the form of a queue id. One pass: every line
/// of a queue file is asked.
#[inline]
fn run(text: &[u8]) -> (usize, bool) {
    let (mut length, mut all, mut any) = (0, !0, 0);
    for byte in text.iter().take(BYTES_MAX + 1) {
        let kind = KINDS.get(usize::from(*byte)).copied().unwrap_or(0);
        if kind == 0 {
            break;
        }
        length += 1;
        all &= kind;
        any |= kind;
    }
    // Short: upper-case hex, five digits of microseconds and an inode number. Long: Postfix writes digits and
    // consonants, a `z` between time and inode. Logs that went through an anonymiser keep the look but not the
    // alphabet, so any letters with a digit among them will do; what follows must fit anyway.
    let short = (5..=24).contains(&length) && all & HEX != 0;
    let long = (8..=BYTES_MAX).contains(&length) && any & DIGIT != 0;
    (length, short || long)
}

/// What stands before the first `: ` of a message that belongs to a queue file, or to none yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Prefix<'a> {
    /// A queue file is open.
    Queue(QueueId<'a>),
    /// `NOQUEUE`: before a queue file exists.
    NoQueue,
}

impl<'a> Prefix<'a> {
    /// The queue id, if there is one.
    #[must_use]
    pub(crate) fn queue_id(self) -> Option<QueueId<'a>> {
        match self {
            Self::Queue(id) => Some(id),
            Self::NoQueue => None,
        }
    }
}

/// Parses `<queue id>: ` or `NOQUEUE: `; the rest follows behind the blank.
#[must_use]
#[inline]
pub(crate) fn prefix(text: &[u8]) -> Option<(Prefix<'_>, &[u8])> {
    if text.first() == Some(&b'N')
        && let Some(rest) = text.strip_prefix(b"NOQUEUE: ")
    {
        return Some((Prefix::NoQueue, rest));
    }
    let (length, is_id) = run(text);
    let (id, rest) = text.split_at_checked(length)?;
    let rest = rest.strip_prefix(b": ")?;
    is_id.then_some((Prefix::Queue(QueueId(id)), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        for id in ["913419B0013", "4jXNwG5j2Gz1TYRZ", "4ABcd12XyzzYw", "0F5383D", "264FE1A18"] {
            assert!(QueueId::new(id.as_bytes()).is_some(), "{id}");
        }
        for id in ["", "1234", "abcdef", "warning", "z1TYRZ", "statistics", "0F53 3D"] {
            assert_eq!(QueueId::new(id.as_bytes()), None, "{id}");
        }
        assert_eq!(prefix(b"NOQUEUE: reject"), Some((Prefix::NoQueue, b"reject".as_slice())));
        assert_eq!(prefix(b"DEFACED1:x"), None);
    }
}
