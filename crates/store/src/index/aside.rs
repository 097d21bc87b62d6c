//! Lines of days that are not open for writing: they wait in memory until there are enough of them to be worth opening their day.
//!
//! To open and commit a day takes as long as a thousand lines do, and clocks that are wrong make a log go to and fro between days line by
//! line. So a day that finds no place among those that are open collects what happens to it. All that waits goes into its days with the
//! next commit, and what a day has collected goes in before when all of it together is too much: like every line that is not committed,
//! it is read again if the writer is killed.

use tantivy::TantivyDocument;
use tantivy::query::Query;
use tantivy::schema::Value as _;
use tantivy::schema::document::CompactDocValue;

use super::schema::Slots;

/// What a change takes besides the bytes of its values.
const CHANGE_BYTES: usize = 128;
/// What a value takes besides its bytes.
const VALUE_BYTES: usize = 16;

/// Something that happens to a day.
pub(super) enum Change {
    /// A line comes in.
    Line(TantivyDocument),
    /// What a search finds goes.
    Gone(Box<dyn Query>),
    /// Only its note says more than before.
    Note,
}

/// What waits for a day, in the order in which it came.
pub(super) struct Aside {
    pub(super) slots: Slots,
    pub(super) changes: Vec<Change>,
    pub(super) bytes: usize,
    /// The turn of the first of them.
    pub(super) since: u64,
    /// The turn of the last of them.
    pub(super) used: u64,
}

impl Aside {
    pub(super) fn new(slots: Slots, turn: u64) -> Self {
        Self { slots, changes: Vec::new(), bytes: 0, since: turn, used: turn }
    }

    /// Output: the bytes that it takes.
    pub(super) fn take(&mut self, change: Change) -> usize {
        let bytes = match change {
            // The note is written once, whatever it says.
            Change::Note => return 0,
            Change::Line(mut document) => {
                document.shrink_to_fit();
                let bytes = bytes_of(&document);
                self.changes.push(Change::Line(document));
                bytes
            }
            gone @ Change::Gone(_) => {
                self.changes.push(gone);
                0
            }
        };
        self.bytes += bytes + CHANGE_BYTES;
        bytes + CHANGE_BYTES
    }
}

fn bytes_of(document: &TantivyDocument) -> usize {
    let text = |value: CompactDocValue<'_>| value.as_str().map(str::len);
    let bytes = |value| text(value).or_else(|| value.as_bytes().map(<[u8]>::len)).unwrap_or_default();
    document.field_values().map(|(_, value)| bytes(value) + VALUE_BYTES).sum()
}
