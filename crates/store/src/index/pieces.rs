//! Days in one piece: what was written bit by bit is put together once nothing more is written to a day for now.
//!
//! A day's lines go to disk in pieces, one for each thread and each time its memory is full, and every piece has dictionaries and lists
//! of its own. In one piece they take less room, and a question looks into one instead of several. Left in pieces a day answers as
//! well: whoever is killed meanwhile, or has no room for it, leaves it so.

use tantivy::index::SegmentId;
use tantivy::{Index, IndexWriter};

use super::day::DayError;

/// A day is put together if its other pieces hold one line of so many besides its largest: a few late lines are not worth writing all
/// of it anew.
const OTHERS: u64 = 8;

/// A day that is being put together, while others are written to.
pub(super) struct Joining(IndexWriter);

impl Joining {
    /// Begins with a day whose every line is committed.
    pub(super) fn begin(mut writer: IndexWriter) -> Self {
        let pieces = worth_joining(writer.index());
        if !pieces.is_empty() {
            // It goes on by itself; whether it succeeds changes no answer.
            drop(writer.merge(&pieces));
        }
        Self(writer)
    }

    /// Waits until it is done, and lets go of the day.
    pub(super) fn end(self) -> Result<(), DayError> {
        Ok(self.0.wait_merging_threads()?)
    }
}

/// Whether it is worth putting the pieces of a day together.
pub(super) fn are_worth_joining(day: &Index) -> bool {
    !worth_joining(day).is_empty()
}

/// The pieces of a day, if it is worth putting them together.
fn worth_joining(day: &Index) -> Vec<SegmentId> {
    let Ok(pieces) = day.searchable_segment_metas() else { return Vec::new() };
    let lines = || pieces.iter().map(|piece| u64::from(piece.num_docs()));
    let (all, largest) = (lines().sum::<u64>(), lines().max().unwrap_or_default());
    if pieces.len() > 1 && (all - largest) * OTHERS >= all {
        pieces.iter().map(tantivy::SegmentMeta::id).collect()
    } else {
        Vec::new()
    }
}
