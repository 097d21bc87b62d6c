//! Lines that stand in two logs: which of them are in already under the other one.

use std::hash::BuildHasher as _;

use input::{Line, Seen};
use store::index::Kept;

use super::Taking;

/// Of logs that are followed, one may be so far behind another with the same lines: microseconds of log time.
const SEEN_US: i64 = 24 * 3600 * 1_000_000;

/// Remembers what came of late.
pub(super) fn seen() -> Seen {
    Seen::within(SEEN_US)
}

impl Taking {
    /// Whether a line is in under another source, and stays there. Of sources that are being read a line comes once; what they held of it
    /// before stays unless it is of their last minute. Of lines that are written now, every other source counts.
    pub(super) fn is_twin(&mut self, number: u64, time: Option<i64>, line: &Line<'_>, comes: bool) -> bool {
        let Some(time) = time else { return false };
        let mut beside = self.writer.meeting(number, time);
        if !self.live {
            beside.retain(|other| match self.places.get(other).and_then(|at| self.sources.get(at)) {
                None => true,
                Some(read) => comes && !self.anew.contains(other) && read.seam_from().is_some_and(|from| time < from),
            });
        }
        !beside.is_empty() && {
            let kept = Kept::of(&mut self.stamps, line.raw, line.record.as_ref());
            self.writer.is_twin(number, time, &kept, &beside)
        }
    }

    /// Whether another log that is followed beside this one just had the same line.
    pub(super) fn came_already(&mut self, line: &Line<'_>, time: Option<i64>) -> bool {
        let Some(time) = time.filter(|_| self.live && self.sources.len() > 1) else { return false };
        let is_new = self.seen.is_new(self.hasher.hash_one(line.raw), line.source, time);
        !is_new && self.has_company(line.source)
    }

    /// Whether another log is written beside that of this place: one that it took the place of is not, though both may have lines
    /// of the same second.
    fn has_company(&self, at: usize) -> bool {
        let begun = |at: &usize| self.sources.get(at).and_then(|source| source.begun);
        let Some(own) = begun(&at) else { return false };
        let others = self.sources.iter().filter(|(other, _)| **other != at);
        let mut spans = others.filter_map(|(_, source)| source.begun.zip(source.time_before));
        spans.any(|(from, to)| to > own || from >= own)
    }
}
