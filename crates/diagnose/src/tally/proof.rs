//! The lines that prove something, and those that may yet.
//!
//! In: every line somebody may point at. Out: a few of them as proofs, secrets redacted. Bounded both ways.

use std::collections::VecDeque;
use std::rc::Rc;

/// Evidence lines kept in all.
const PROOFS: usize = 5_000;

/// Lines remembered for a moment, in case one of them becomes evidence.
const RECENT_LINES: usize = 2_048;

/// A line that proves something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The caller's number for its source.
    pub source: usize,
    /// Its number there, from 1.
    pub number: u64,
    /// The line, secrets redacted. Written by strangers: escape it.
    pub text: String,
}

/// A line as it passes by, with its message a second time behind it: few lines ever become a proof, so secrets are looked for
/// only then.
struct Passing {
    id: u64,
    source: usize,
    number: u64,
    line_and_message: Vec<u8>,
    line_bytes: usize,
}

impl Passing {
    fn proof(&self) -> Proof {
        let (line, message) = self.line_and_message.split_at_checked(self.line_bytes).unwrap_or_default();
        let shown = maillog::redact_line(line, message);
        Proof { source: self.source, number: self.number, text: String::from_utf8_lossy(&shown).into_owned() }
    }
}

/// The lines that have just passed, and how many of them became proofs.
#[derive(Default)]
pub(super) struct Proofs {
    passing: VecDeque<Passing>,
    kept: usize,
}

impl Proofs {
    /// Remembers a line for a moment, in case an outcome makes it evidence: its id (as the tracer gets it), where it
    /// stands, its bytes and its message.
    pub(super) fn remember(&mut self, id: u64, source: usize, number: u64, line: &[u8], message: &[u8]) {
        // The oldest one's buffer serves the newest.
        let oldest = if self.passing.len() >= RECENT_LINES { self.passing.pop_front() } else { None };
        let mut buffer = oldest.map(|passing| passing.line_and_message).unwrap_or_default();
        buffer.clear();
        buffer.extend_from_slice(line);
        buffer.extend_from_slice(message);
        self.passing.push_back(Passing { id, source, number, line_and_message: buffer, line_bytes: line.len() });
    }

    /// The line of this id, if it has not passed for too long and there is room for one more.
    pub(super) fn proof(&mut self, line: u64) -> Option<Rc<Proof>> {
        if self.kept >= PROOFS {
            return None;
        }
        let at = self.passing.binary_search_by_key(&line, |passing| passing.id).ok()?;
        let found = self.passing.get(at)?.proof();
        self.kept += 1;
        Some(Rc::new(found))
    }
}
