//! What was read before: of sources that are not open now.
//!
//! Input: positions told earlier, by this follower or one before it. Output: the one that a file goes on from. At most
//! [`POSITIONS_MAX`] are kept; beyond, the ones not asked for longest are forgotten.

use crate::follow::batch::Position;
use crate::look::FINGERPRINT_BYTES;

/// Some years of daily rotation.
const POSITIONS_MAX: usize = 4096;

/// Positions of sources that are not open.
#[derive(Default)]
pub(crate) struct Known {
    list: Vec<Remembered>,
    next_source: u64,
}

/// A position and the source it belongs to.
#[derive(Clone)]
pub(crate) struct Remembered {
    pub(crate) source: u64,
    pub(crate) position: Position,
}

impl Known {
    pub(crate) fn new(positions: impl IntoIterator<Item = Position>) -> Self {
        let mut known = Self::default();
        for position in positions {
            let source = known.new_source();
            known.remember(source, position);
        }
        known
    }

    /// A number for a source never seen before.
    pub(crate) fn new_source(&mut self) -> u64 {
        self.next_source += 1;
        self.next_source
    }

    pub(crate) fn remember(&mut self, source: u64, position: Position) {
        self.list.retain(|other| other.source != source);
        if self.list.len() >= POSITIONS_MAX {
            self.list.remove(0);
        }
        self.list.push(Remembered { source, position });
    }

    /// The position of the source that starts so: the one with the longest fingerprint, of several the one of that name, then the
    /// farthest.
    pub(crate) fn find(&self, head: &[u8], name: &str) -> Option<&Remembered> {
        self.list
            .iter()
            .filter(|known| is_telling(known.position.fingerprint.length(), head))
            .filter(|known| known.position.fingerprint.matches(head))
            .max_by_key(|known| {
                let position = &known.position;
                (position.fingerprint.length(), position.name == name, position.offset)
            })
    }

    /// Whether anything was read under a name that is so.
    pub(crate) fn any(&self, is_so: impl Fn(&str) -> bool) -> bool {
        self.list.iter().any(|known| is_so(&known.position.name))
    }

    pub(crate) fn forget(&mut self, source: u64) {
        self.list.retain(|known| known.source != source);
    }
}

/// Whether so many first bytes are enough to tell sources apart: a whole line, or as much as is ever looked at.
pub(crate) fn is_telling(length: usize, head: &[u8]) -> bool {
    length >= FINGERPRINT_BYTES || head.get(..length).is_some_and(|head| head.contains(&b'\n'))
}

/// Whether two starts are of one source, of which one may have more.
pub(crate) fn are_alike(a: &[u8], b: &[u8]) -> bool {
    let common = a.len().min(b.len());
    is_telling(common, a) && a.get(..common) == b.get(..common)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fingerprint::Fingerprint;

    fn position(name: &str, head: &str, offset: u64) -> Position {
        let fingerprint = Fingerprint::of(head.as_bytes());
        Position { name: name.into(), fingerprint, offset, lines: 1, finished: false }
    }

    #[test]
    fn the_longest_fingerprint_is_meant() {
        let known = Known::new([position("a", "one\n", 4), position("b", "one\ntwo\n", 8), position("c", "one\n", 4)]);
        let find = |head: &str, name: &str| known.find(head.as_bytes(), name).map(|k| k.position.name.clone());
        assert_eq!(find("one\ntwo\nthree", "a").as_deref(), Some("b"));
        assert_eq!(find("one\nthree", "a").as_deref(), Some("a"));
        assert_eq!(find("one\nthree", "c").as_deref(), Some("c"));
        assert_eq!(find("one", "a"), None);
    }

    #[test]
    fn a_piece_of_a_line_tells_nothing() {
        let known = Known::new([position("a", "Nov", 3)]);
        assert!(known.find(b"Nov 22 mail x: y\n", "a").is_none());
        assert!(are_alike(b"one\n", b"one\ntwo\n") && !are_alike(b"on", b"one\n") && !are_alike(b"one\n", b"two\n"));
    }

    #[test]
    fn memory_is_bounded() {
        let known = Known::new((0..5000).map(|at| position("a", &format!("{at}\n"), 1)));
        assert_eq!(known.list.len(), POSITIONS_MAX);
        assert!(known.find(b"4999\n", "a").is_some() && known.find(b"0\n", "a").is_none());
    }
}
