//! Queue ids, short and long.

/// Queue id as logged: short (hex, used again once its file is gone) or long (base 52, not used again).
///
/// Invariant: non-empty ASCII alphanumerics. A short id names a message only together with host and time.
/// Source: Postfix `src/global/mail_queue.h` (`MQID_…`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct QueueId<'a>(&'a [u8]);

impl<'a> QueueId<'a> {
    /// Checks that the whole text has the form of a queue id.
    #[must_use]
    pub fn new(text: &'a [u8]) -> Option<Self> {
        (is_short(text) || is_long(text)).then_some(Self(text))
    }

    /// The id as logged.
    #[must_use]
    pub fn as_bytes(self) -> &'a [u8] {
        self.0
    }
}

/// Upper-case hex: five digits of microseconds and an inode number.
fn is_short(text: &[u8]) -> bool {
    (5..=24).contains(&text.len()) && text.iter().all(|b| matches!(b, b'0'..=b'9' | b'A'..=b'F'))
}

/// Postfix writes digits and consonants, a `z` between time and inode. Logs that went through an anonymiser keep
/// the look but not the alphabet, so any letters with a digit among them will do; what follows must fit anyway.
fn is_long(text: &[u8]) -> bool {
    (8..=40).contains(&text.len()) && text.iter().all(u8::is_ascii_alphanumeric) && text.iter().any(u8::is_ascii_digit)
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
    // One pass: an id is alphanumeric up to the colon.
    let at = text.iter().take(41).position(|b| !b.is_ascii_alphanumeric())?;
    let (id, rest) = text.split_at_checked(at)?;
    let rest = rest.strip_prefix(b": ")?;
    Some((Prefix::Queue(QueueId::new(id)?), rest))
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
