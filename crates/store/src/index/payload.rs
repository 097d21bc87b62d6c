//! What a day's commit says besides its lines: from which sources they are, and how far each of them is in.
//!
//! It is part of the commit itself, so it can never disagree with the lines. A line of a source belongs to a day by its own time (one
//! without a time by that of the line before it), and is new if and only if its number is above [`Part::last`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The layout that this version writes. What it is made of is in `docs/reference/store.md`.
pub const LAYOUT: u32 = 1;

/// Said with each commit of a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payload {
    /// The layout it was written in.
    pub layout: u32,
    /// Lines without a time are among the day's.
    #[serde(default)]
    pub undated: bool,
    /// A value was longer than its term may be.
    #[serde(default)]
    pub cut: bool,
    /// Names and addresses are pseudonyms.
    #[serde(default)]
    pub pseudonyms: bool,
    /// Sources by number.
    #[serde(default)]
    pub sources: BTreeMap<u64, Part>,
}

/// The lines of one source in one day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// What the source is known by, whatever it is called.
    pub identity: Identity,
    /// What it was called when it was first read.
    pub name: String,
    /// The first of its lines here, from 1.
    pub first: u64,
    /// The last of its lines here. All of the day's lines up to it are in.
    pub last: u64,
    /// The latest time of its lines here, microseconds since 1970 UTC.
    pub turn: i64,
}

impl Default for Payload {
    fn default() -> Self {
        Self { layout: LAYOUT, undated: false, cut: false, pseudonyms: false, sources: BTreeMap::new() }
    }
}

/// How a source begins: the hash of its first bytes up to each of its first line ends. A source that grew has the same and more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity(Vec<(u32, String)>);

/// How much of a source's beginning tells it from others.
pub const HEAD_BYTES: usize = 4 << 10;

impl Identity {
    /// Of the first [`HEAD_BYTES`] of a source's text, or all of it if it is shorter. `None` if there is no whole line.
    #[must_use]
    pub fn of(head: &[u8]) -> Option<Self> {
        let head = head.get(..HEAD_BYTES).unwrap_or(head);
        let mut hasher = blake3::Hasher::new();
        let (mut marks, mut done) = (Vec::new(), 0);
        let ends = head.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(at, _)| at + 1);
        let full = (head.len() == HEAD_BYTES).then_some(HEAD_BYTES);
        for end in ends.chain(full) {
            hasher.update(head.get(done..end).unwrap_or_default());
            done = end;
            let hash: String = hasher.finalize().to_hex().chars().take(16).collect();
            if marks.last().is_none_or(|(at, _)| *at as usize != end) {
                marks.push((u32::try_from(end).ok()?, hash));
            }
        }
        (!marks.is_empty()).then_some(Self(marks))
    }

    /// Whether both are the same source, at different sizes perhaps.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        let (Some(own), Some(others)) = (self.0.last(), other.0.last()) else { return false };
        let (shorter, longer) = if own.0 <= others.0 { (own, other) } else { (others, self) };
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
        self.0.first().map(|(_, hash)| hash.clone()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_known_by_how_it_begins() {
        let of = |text: &str| Identity::of(text.as_bytes());
        assert_eq!(of(""), None);
        assert_eq!(of("no line end"), None);
        let (short, long) = (of("a\n").unwrap(), of("a\nb\nhalf").unwrap());
        assert!(short.is_same(&long) && long.is_same(&short) && long.is_longer(&short));
        assert!(!of("b\n").unwrap().is_same(&long));
        assert!(!of("a\nc\n").unwrap().is_same(&long));
        assert!(of("a\nb\nother half\n").unwrap().is_same(&long));
        let big = "x".repeat(HEAD_BYTES);
        assert!(of(&big).unwrap().is_same(&of(&format!("{big}\nmore\n")).unwrap()));
        let lines = "line\n".repeat(HEAD_BYTES);
        assert_eq!(of(&lines), of(&format!("{lines}and more\n")));
    }
}
