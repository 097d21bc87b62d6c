//! The lines that prove something, and those that may yet.
//!
//! In: every line somebody may point at. Out: a few of them as proofs, secrets redacted. Bounded both ways.

use std::collections::VecDeque;
use std::ops::Range;
use std::rc::Rc;

use crate::detect::Proof;

/// Lines kept with refusals, in all.
const PROOFS: usize = 5_000;

/// Lines remembered for a moment, in case one of them becomes evidence.
const RECENT_LINES: usize = 2_048;

/// A line as it passes by: few lines ever become a proof, so secrets are looked for only then.
struct Passing {
    id: u64,
    source: usize,
    number: u64,
    /// The line; behind it its message, unless that is a part of the line.
    texts: Vec<u8>,
    line_bytes: usize,
    message: Range<usize>,
}

impl Passing {
    fn proof(&self) -> Proof {
        let line = self.texts.get(..self.line_bytes).unwrap_or_default();
        let message = self.texts.get(self.message.clone()).unwrap_or_default();
        let shown = maillog::redact_line(line, message).into_owned();
        // Nearly all lines are text, and to see that is quick.
        let text = String::from_utf8(shown).unwrap_or_else(|odd| String::from_utf8_lossy(odd.as_bytes()).into_owned());
        Proof { source: self.source, number: self.number, text: text.into() }
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
        let mut buffer = oldest.map(|passing| passing.texts).unwrap_or_default();
        buffer.clear();
        buffer.extend_from_slice(line);
        let message = part_of(line, message).unwrap_or_else(|| {
            buffer.extend_from_slice(message);
            line.len()..line.len() + message.len()
        });
        self.passing.push_back(Passing { id, source, number, texts: buffer, line_bytes: line.len(), message });
    }

    /// The line of this id, if it has not passed for too long and there is room for one more.
    pub(super) fn proof(&mut self, line: u64) -> Option<Rc<Proof>> {
        if self.kept >= PROOFS {
            return None;
        }
        let found = self.line(line)?;
        self.kept += 1;
        Some(Rc::new(found))
    }

    /// The line of this id, if it has not passed for too long, for whoever bounds what is kept.
    pub(super) fn line(&self, line: u64) -> Option<Proof> {
        let at = self.passing.binary_search_by_key(&line, |passing| passing.id).ok()?;
        self.passing.get(at).map(Passing::proof)
    }
}

/// Where a message stands in its line, if it was cut out of it.
fn part_of(line: &[u8], message: &[u8]) -> Option<Range<usize>> {
    let start = message.as_ptr().addr().checked_sub(line.as_ptr().addr())?;
    let range = start..start + message.len();
    line.get(range.clone()).is_some().then_some(range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_with_and_without_their_message_inside() {
        let line =
            b"Jun 17 10:25:14 mail dovecot: auth: a(b,192.0.2.1): Password mismatch (given password: x)".as_slice();
        let inner = b"auth: a(b,192.0.2.1): Password mismatch (given password: secret)".as_slice();
        let mut proofs = Proofs::default();
        proofs.remember(1, 0, 1, line, line.get(30..).unwrap());
        proofs.remember(
            2,
            0,
            2,
            b"{\"MESSAGE\": \"auth: a(b,192.0.2.1): Password mismatch (given password: secret)\"}",
            inner,
        );
        proofs.remember(3, 0, 3, b"odd \xff", b"");
        let text = |id| proofs.line(id).unwrap().text.to_string();
        assert!(text(1).ends_with("Password mismatch (given password: [redacted])"), "{}", text(1));
        assert!(!text(2).contains("secret") && text(2).starts_with("{\"MESSAGE\""), "{}", text(2));
        assert_eq!(text(3), "odd \u{fffd}");
        assert!(proofs.line(4).is_none());
    }
}
