//! What the follower hands over: lines of one source that stand one after the other, and the place after them.

use std::sync::Arc;

use crate::block::{Block, Kind, Span};
use crate::fingerprint::Fingerprint;
use crate::line::{Inferred, Line, Worth};
use crate::repeated;
use crate::spool;

/// How far a source was read. What comes after it has not been delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// What the source was called: its path, `-`, `journal`, the address that is listened on. Only a hint; content decides.
    pub name: String,
    /// What was read, known again by its first bytes.
    pub fingerprint: Fingerprint,
    /// Bytes read, in the unpacked text.
    pub offset: u64,
    /// Newlines before the offset.
    pub lines: u64,
    /// It was an archive, which never grows, and was read to its end.
    pub finished: bool,
}

/// Lines of one source, in its own order.
pub struct Batch {
    pub(crate) source: u64,
    pub(crate) name: Arc<str>,
    pub(crate) block: Block,
    pub(crate) times: Vec<(Option<i64>, Inferred)>,
    /// End of the text before, for `last message repeated`.
    pub(crate) before: Vec<u8>,
    /// Where the block stands in the source.
    pub(crate) start: u64,
    pub(crate) lines_before: u64,
    pub(crate) from: Option<Position>,
    pub(crate) position: Position,
    /// How the source starts.
    pub(crate) head: Vec<u8>,
    /// Marks among the lines are left out.
    pub(crate) is_spool: bool,
}

/// A line and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FollowedLine<'a> {
    /// Place of its first byte in the unpacked text of its source.
    pub offset: u64,
    /// The line. Its `source` is always 0 and its `seq` counts from the start of the batch.
    pub line: Line<'a>,
}

impl Batch {
    /// A number for the source that no other one has while this follower runs.
    #[must_use]
    pub fn source(&self) -> u64 {
        self.source
    }

    /// What the source is called now: a followed file changes its name when it is rotated.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The place before the first line: of the batch before, or the one it was resumed from. `None` at the start of a source.
    #[must_use]
    pub fn from(&self) -> Option<&Position> {
        self.from.as_ref()
    }

    /// The place after the last line.
    #[must_use]
    pub fn position(&self) -> &Position {
        &self.position
    }

    /// How the source starts: its first 4 KiB, or as much of them as there was, without NULs in front.
    #[must_use]
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// The lines, in order. A run of NULs in front of a line is left out of it.
    pub fn lines(&self) -> impl Iterator<Item = FollowedLine<'_>> {
        let lines = self.block.spans.iter().zip(&self.times).map(|(span, time)| self.line(span, *time));
        lines.filter(|line| !(self.is_spool && spool::is_mark(line.line.raw)))
    }

    fn line(&self, span: &Span, (time, inferred): (Option<i64>, Inferred)) -> FollowedLine<'_> {
        let record = match span.kind {
            Kind::Orphan(times) => {
                self.block.record(span).map(|own| repeated::meant(&self.before, &own, times).unwrap_or(own))
            }
            _ => self.block.record(span),
        };
        let line = Line {
            source: 0,
            line: self.lines_before + u64::from(span.number) + 1,
            time,
            inferred,
            worth: if record.is_some() { Worth::Keep } else { Worth::Unknown },
            record,
            raw: self.block.raw(span),
            truncated: span.truncated,
            seq: span.number.into(),
        };
        FollowedLine { offset: self.start + self.block.place(span), line }
    }
}

impl std::fmt::Debug for Batch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Batch")
            .field("name", &self.name)
            .field("start", &self.start)
            .field("position", &self.position)
            .finish()
    }
}
