//! What a source is known by: its first bytes, whatever its name, its inode and its packing.
//!
//! Input: the start of a source's unpacked text, without NULs in front of it. Output: short values that the same source gives again after
//! it was renamed, copied or packed, and when it has grown. Strangers choose what is logged, so the hash is one that nobody can aim at.

use serde::{Deserialize, Serialize};

use crate::look::FINGERPRINT_BYTES;

/// Bytes of the hash that are kept.
const HASH_BYTES: usize = 8;

/// So many first bytes of a source, by their BLAKE3 hash, cut to 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "(u32, String)", try_from = "(u32, String)")]
pub struct Fingerprint {
    /// How many bytes are covered, at most 4096.
    length: u16,
    hash: [u8; HASH_BYTES],
}

impl Fingerprint {
    /// The fingerprint of what was read of a source: of its first bytes, or of all if there are less than 4096.
    #[must_use]
    pub fn of(start: &[u8]) -> Self {
        let start = start.get(..start.len().min(FINGERPRINT_BYTES)).unwrap_or_default();
        Self::of_hash(start.len(), &blake3::hash(start))
    }

    fn of_hash(length: usize, all: &blake3::Hash) -> Self {
        let mut hash = [0; HASH_BYTES];
        crate::open::copy_prefix(all.as_bytes(), &mut hash);
        Self { length: u16::try_from(length).unwrap_or(u16::MAX), hash }
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

    fn hex(&self) -> String {
        self.hash.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl From<Fingerprint> for (u32, String) {
    fn from(fingerprint: Fingerprint) -> Self {
        (fingerprint.length.into(), fingerprint.hex())
    }
}

impl TryFrom<(u32, String)> for Fingerprint {
    type Error = String;

    fn try_from((length, digits): (u32, String)) -> Result<Self, String> {
        let wrong = || format!("no fingerprint: {length} {digits:?}");
        let hash = u64::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == 2 * HASH_BYTES);
        let hash = hash.filter(|_| digits.bytes().all(|b| b.is_ascii_hexdigit())).ok_or_else(wrong)?;
        let length = u16::try_from(length).ok().filter(|length| usize::from(*length) <= FINGERPRINT_BYTES);
        Ok(Self { length: length.ok_or_else(wrong)?, hash: hash.to_be_bytes() })
    }
}

/// How a source begins: a fingerprint at each line end of its first bytes. A source that grew has the same and more, so of two identities
/// taken at different times it can be told whether they are of one source, without the source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity(Vec<Fingerprint>);

impl Identity {
    /// Of the first 4096 bytes of a source's text, or all of it if it is shorter. `None` if there is no whole line.
    #[must_use]
    pub fn of(head: &[u8]) -> Option<Self> {
        let head = head.get(..FINGERPRINT_BYTES).unwrap_or(head);
        let mut hasher = blake3::Hasher::new();
        let (mut marks, mut done): (Vec<Fingerprint>, _) = (Vec::new(), 0);
        let full = (head.len() == FINGERPRINT_BYTES).then_some(FINGERPRINT_BYTES);
        for end in memchr::memchr_iter(b'\n', head).map(|at| at + 1).chain(full) {
            hasher.update(head.get(done..end).unwrap_or_default());
            done = end;
            let mark = Fingerprint::of_hash(end, &hasher.finalize());
            if marks.last() != Some(&mark) {
                marks.push(mark);
            }
        }
        (!marks.is_empty()).then_some(Self(marks))
    }

    /// Whether both are the same source, at different sizes perhaps.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        let (Some(own), Some(others)) = (self.0.last(), other.0.last()) else { return false };
        let (shorter, longer) = if own.length <= others.length { (own, other) } else { (others, self) };
        longer.0.contains(shorter)
    }

    /// Whether it says more than the other one of the same source.
    #[must_use]
    pub fn is_longer(&self, other: &Self) -> bool {
        self.0.len() > other.0.len()
    }

    /// In short, for people.
    #[must_use]
    pub fn short(&self) -> String {
        self.0.first().map(Fingerprint::hex).unwrap_or_default()
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
    fn two_identities_tell_whether_they_are_of_one_source() {
        let of = |text: &str| Identity::of(text.as_bytes());
        assert_eq!(of(""), None);
        assert_eq!(of("no line end"), None);
        let (short, long) = (of("a\n").unwrap(), of("a\nb\nhalf").unwrap());
        assert!(short.is_same(&long) && long.is_same(&short) && long.is_longer(&short));
        assert!(!of("b\n").unwrap().is_same(&long));
        assert!(!of("a\nc\n").unwrap().is_same(&long));
        assert!(of("a\nb\nother half\n").unwrap().is_same(&long));
        let big = "x".repeat(FINGERPRINT_BYTES);
        assert!(of(&big).unwrap().is_same(&of(&format!("{big}\nmore\n")).unwrap()));
        let lines = "line\n".repeat(FINGERPRINT_BYTES);
        assert_eq!(of(&lines), of(&format!("{lines}and more\n")));
    }

    #[test]
    fn what_is_no_fingerprint() {
        for text in ["[1,\"\"]", "[1,\"+000000000000000\"]", "[5000,\"0000000000000000\"]", "[1,\"é000000000000000\"]"]
        {
            assert!(serde_json::from_str::<Fingerprint>(text).is_err(), "{text}");
        }
        // As it stands in stores that were written before.
        let kept = r#"[[2,"9ac4d4ee3c2ec28c"]]"#;
        let identity: Identity = serde_json::from_str(kept).unwrap();
        assert_eq!(serde_json::to_string(&identity).unwrap(), kept);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(start in proptest::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..5000)) {
            let Some(identity) = Identity::of(&start) else { return Ok(()) };
            let text = serde_json::to_string(&identity).unwrap();
            prop_assert_eq!(serde_json::from_str::<Identity>(&text).unwrap(), identity);
        }

        /// A mark of an identity is the fingerprint of the bytes up to there.
        #[test]
        fn marks_are_fingerprints(lines in proptest::collection::vec("[a-c]{0,200}", 1..40)) {
            let text = lines.join("\n") + "\n";
            let identity = Identity::of(text.as_bytes()).unwrap();
            prop_assert!(identity.0.iter().all(|mark| mark.matches(text.as_bytes())));
        }
    }
}
