//! What a source is known by: its first bytes, whatever its name, its inode and its packing.
//!
//! Input: the start of a source's unpacked text, without NULs in front of it. Output: a short value that the same source gives again after it was renamed, copied or
//! packed. A source that is still short is known by what there is of it; its fingerprint grows with it up to [`FINGERPRINT_BYTES`].

use crate::look::FINGERPRINT_BYTES;

/// How a source starts: how many bytes of it, and their BLAKE3 hash, cut to 128 bits.
///
/// Strangers choose what is logged, so the hash is one that nobody can aim at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint {
    /// How many bytes are covered, at most 4096.
    length: u16,
    hash: [u8; 16],
}

impl Fingerprint {
    /// The fingerprint of what was read of a source: of its first bytes, or of all if there are less than 4096.
    #[must_use]
    pub fn of(start: &[u8]) -> Self {
        let start = start.get(..start.len().min(FINGERPRINT_BYTES)).unwrap_or_default();
        let mut hash = [0; 16];
        crate::open::copy_prefix(blake3::hash(start).as_bytes(), &mut hash);
        Self { length: u16::try_from(start.len()).unwrap_or(u16::MAX), hash }
    }

    /// Whether a source that starts with these bytes is the one this fingerprint was taken of, perhaps grown since.
    ///
    /// Where the fingerprints of several sources match, the longest one is meant.
    #[must_use]
    pub fn matches(&self, start: &[u8]) -> bool {
        self.length > 0 && start.get(..self.length()).is_some_and(|start| Self::of(start) == *self)
    }

    /// How many bytes are covered.
    #[must_use]
    pub fn length(&self) -> usize {
        usize::from(self.length)
    }

    /// As 36 hex digits, to be stored: the length, then the hash.
    #[must_use]
    pub fn to_hex(&self) -> String {
        let digits = self.hash.iter().map(|byte| format!("{byte:02x}"));
        std::iter::once(format!("{:04x}", self.length)).chain(digits).collect()
    }

    /// Reads what [`Fingerprint::to_hex`] wrote; `None` if it is something else.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        let (length, digits) = text.split_at_checked(4).filter(|_| text.len() == 36)?;
        let is_hex = |digits: &str| digits.bytes().all(|b| b.is_ascii_hexdigit());
        let length = u16::from_str_radix(length, 16).ok().filter(|_| is_hex(text))?;
        let mut hash = [0; 16];
        for (at, byte) in hash.iter_mut().enumerate() {
            *byte = u8::from_str_radix(digits.get(2 * at..2 * at + 2)?, 16).ok()?;
        }
        (usize::from(length) <= FINGERPRINT_BYTES).then_some(Self { length, hash })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_source_is_known_again_when_it_has_grown() {
        let short = Fingerprint::of(b"Nov 22 09:06:30 mail x: y\n");
        assert!(short.matches(b"Nov 22 09:06:30 mail x: y\nNov 22"));
        assert!(!short.matches(b"Nov 22 09:06:30 mail x: z\nNov 22") && !short.matches(b"Nov 22"));
        assert!(!Fingerprint::of(b"").matches(b"anything"), "nothing is the start of everything");
        let long = vec![b'a'; 10_000];
        assert_eq!(Fingerprint::of(&long), Fingerprint::of(&long[..4096]));
        assert_ne!(Fingerprint::of(&long), Fingerprint::of(&long[..4095]));
    }

    #[test]
    fn what_is_no_fingerprint() {
        for text in ["", "0001", "+00100000000000000000000000000000000", "ffff00000000000000000000000000000000", "é"] {
            assert_eq!(Fingerprint::from_hex(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn hex_goes_both_ways(start in proptest::collection::vec(any::<u8>(), 0..5000)) {
            let fingerprint = Fingerprint::of(&start);
            prop_assert_eq!(Fingerprint::from_hex(&fingerprint.to_hex()), Some(fingerprint));
        }
    }
}
