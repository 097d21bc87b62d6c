//! The suite on the store that is on disk.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod suite;

use std::collections::BTreeMap;

use query::{Entry, Query};
use store::index::{Identity, Index, Kept, NewLine, Writer};
use store::{Question, Store, StoreError};
use tempfile::TempDir;

/// An index that goes when it is no longer asked.
struct Kept1 {
    index: Index,
    _folder: TempDir,
}

impl Store for Kept1 {
    fn ask(&self, query: &Query, questions: &[Question]) -> Result<Vec<store::Answer>, StoreError> {
        let answers = self.index.ask(query, questions);
        let damaged = self.index.told().damaged;
        assert!(damaged.is_empty(), "{damaged:?}");
        answers
    }
}

fn write(writer: &mut Writer, entries: &[Entry]) -> usize {
    let mut before: BTreeMap<String, i64> = BTreeMap::new();
    let mut new = 0;
    for entry in entries {
        let name = entry.source.clone().unwrap();
        let source = writer.source(&Identity::of(format!("{name}\n").as_bytes()).unwrap(), &name);
        let time_before = before.get(&name).copied();
        before.extend(entry.ts.map(|ts| (name, ts)));
        let line = u64::try_from(entry.line.unwrap()).unwrap();
        new += usize::from(writer.add(NewLine { source, line, time_before, entry, kept: &Kept::nothing() }).unwrap());
    }
    new
}

fn indexed(entries: &[Entry]) -> Kept1 {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::new(folder.path(), 32 << 20, 1).unwrap();
    // Two commits, so that there are several segments.
    let (first, second) = entries.split_at(entries.len() / 2);
    write(&mut writer, first);
    writer.commit().unwrap();
    assert_eq!(write(&mut writer, entries), second.len());
    writer.finish().unwrap();
    Kept1 { index: Index::new(folder.path()), _folder: folder }
}

#[test]
fn the_index_conforms() {
    suite::conforms(indexed);
}
