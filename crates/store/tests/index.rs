//! The suite on the store that is on disk.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod suite;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use query::{Entry, Query};
use store::index::{Date, Identity, Index, Kept, NewLine, Writer};
use store::{Answer, Order, Question, RowsAsked, Store, StoreError};
use tempfile::TempDir;

/// An index that goes when it is no longer asked.
struct Kept1 {
    index: Index,
    _folder: TempDir,
}

impl Store for Kept1 {
    fn ask(&self, query: &Query, questions: &[Question]) -> Result<Vec<Answer>, StoreError> {
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

/// In two commits. Output: the writer, too, which has not let go of the days yet.
fn committed(entries: &[Entry]) -> (Kept1, Writer) {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::new(folder.path(), 32 << 20, 1).unwrap();
    let (first, second) = entries.split_at(entries.len() / 2);
    write(&mut writer, first);
    writer.commit().unwrap();
    assert_eq!(write(&mut writer, entries), second.len());
    writer.commit().unwrap();
    (Kept1 { index: Index::new(folder.path()), _folder: folder }, writer)
}

/// Days in several pieces.
fn indexed(entries: &[Entry]) -> Kept1 {
    committed(entries).0
}

/// Pieces of a day on disk.
fn pieces(day: &Path) -> usize {
    std::fs::read_dir(day)
        .unwrap()
        .filter(|file| file.as_ref().unwrap().path().extension() == Some("store".as_ref()))
        .count()
}

#[test]
fn the_index_conforms() {
    suite::conforms(indexed);
}

#[test]
fn an_index_in_whole_days_conforms() {
    suite::conforms(|entries| {
        let (kept, writer) = committed(entries);
        writer.finish().unwrap();
        kept
    });
}

#[test]
fn a_day_that_is_left_is_in_one_piece() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::new(folder.path(), 32 << 20, 1).unwrap();
    let source = writer.source(&Identity::of(b"begin\n").unwrap(), "mail.log");
    let mut number = 0;
    let mut add = |writer: &mut Writer, day: i64, lines: u64| {
        for _ in 0..lines {
            number += 1;
            writer.add(line(source, number, day * DAY, "x").0).unwrap();
        }
        writer.commit().unwrap();
    };
    for _ in 0..3 {
        add(&mut writer, 1, 8);
    }
    let first = writer.path(Date::of(DAY));
    assert_eq!(pieces(&first), 3, "while it is written to");
    // A third day ends the first.
    add(&mut writer, 2, 1);
    add(&mut writer, 3, 1);
    writer.rest().unwrap();
    assert_eq!(pieces(&first), 1);
    // A few late lines are not worth writing all of it anew, a day that grew is.
    add(&mut writer, 1, 3);
    writer.rest().unwrap();
    assert_eq!(pieces(&first), 2);
    add(&mut writer, 1, 8);
    writer.finish().unwrap();
    assert_eq!(pieces(&first), 1);
    let count = Index::new(folder.path()).ask(&Query::all(), &[Question::Count]).unwrap();
    assert_eq!(count, [Answer::Count(37)]);
}

fn counted(folder: &Path) -> u64 {
    match Index::new(folder).ask(&Query::all(), &[Question::Count]).unwrap()[..] {
        [Answer::Count(lines)] => lines,
        _ => panic!(),
    }
}

/// One line for each of so many days, round and round, from that number on. Output: how many of them were new.
fn alternate(writer: &mut Writer, days: i64, numbers: std::ops::RangeInclusive<u64>) -> usize {
    let source = writer.source(&Identity::of(b"begin\n").unwrap(), "mail.log");
    let new = |number: &u64| {
        let day = number.cast_signed() % days;
        writer.add(line(source, *number, day * DAY + number.cast_signed(), "x").0).unwrap()
    };
    numbers.filter(new).count()
}

#[test]
fn days_that_alternate_are_not_opened_for_each_line() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::new(folder.path(), 32 << 20, 1).unwrap();
    assert_eq!(alternate(&mut writer, 5, 1..=500), 500);
    assert_eq!(counted(folder.path()), 0, "nothing had to be committed");
    writer.commit().unwrap();
    assert_eq!(counted(folder.path()), 500);
    for day in 0..5 {
        assert_eq!(pieces(&writer.path(Date::of(day * DAY))), 1, "{day}");
    }
    // Cut off before the next commit: what waited comes in again, and only that.
    assert_eq!(alternate(&mut writer, 5, 1..=600), 100);
    drop(writer);
    assert_eq!(counted(folder.path()), 500);
    let mut writer = Writer::new(folder.path(), 32 << 20, 1).unwrap();
    assert_eq!(alternate(&mut writer, 5, 1..=600), 100);
    writer.finish().unwrap();
    assert_eq!(counted(folder.path()), 600);
    for day in 0..5 {
        let left = Path::new(folder.path()).join(Date::of(day * DAY).to_string());
        assert_eq!(pieces(&left), 1, "{day}: it is put together at the end");
    }
}

#[test]
fn what_waits_for_days_is_bounded_and_taken_back_in_order() {
    let folder = tempfile::tempdir().unwrap();
    // Room for some hundred lines.
    let mut writer = Writer::new(folder.path(), 12 << 15, 1).unwrap();
    assert_eq!(alternate(&mut writer, 7, 1..=700), 700);
    assert!(counted(folder.path()) > 0, "what is too much is written before the commit");
    for from in [650, 600, 20, 699] {
        writer.rewind(1, from).unwrap();
        assert_eq!(alternate(&mut writer, 7, from..=700), usize::try_from(701 - from).unwrap());
    }
    // Cut off in the midst of it.
    writer.rewind(1, 300).unwrap();
    assert_eq!(alternate(&mut writer, 7, 300..=400), 101);
    drop(writer);
    let mut writer = Writer::new(folder.path(), 12 << 15, 1).unwrap();
    alternate(&mut writer, 7, 1..=700);
    writer.finish().unwrap();
    assert_eq!(counted(folder.path()), 700);
}

/// An index that keeps its counts, and is always asked twice.
struct Twice(Kept1);

impl Store for Twice {
    fn ask(&self, query: &Query, questions: &[Question]) -> Result<Vec<Answer>, StoreError> {
        let first = self.0.ask(query, questions)?;
        let second = self.0.ask(query, questions)?;
        assert_eq!(first, second, "{query}");
        Ok(second)
    }
}

#[test]
fn an_index_that_keeps_counts_conforms() {
    suite::conforms(|entries| {
        let Kept1 { index, _folder } = indexed(entries);
        Twice(Kept1 { index: index.with_ledger(Arc::default()), _folder })
    });
}

#[test]
fn counts_that_are_kept_follow_the_lines() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::new(folder.path(), 32 << 20, 1).unwrap();
    let source = writer.source(&Identity::of(b"begin\n").unwrap(), "mail.log");
    for number in 1..=4 {
        writer.add(line(source, number, DAY, "x").0).unwrap();
    }
    writer.commit().unwrap();
    let ledger: Arc<store::index::Ledger> = Arc::default();
    let count = || {
        let index = Index::new(folder.path()).with_ledger(Arc::clone(&ledger));
        index.ask(&Query::all(), &[Question::Count]).unwrap()
    };
    assert_eq!((count(), count()), (vec![Answer::Count(4)], vec![Answer::Count(4)]));
    writer.rewind(source, 3).unwrap();
    writer.commit().unwrap();
    assert_eq!(count(), [Answer::Count(2)]);
    writer.add(line(source, 3, DAY, "y").0).unwrap();
    writer.finish().unwrap();
    assert_eq!(count(), [Answer::Count(3)]);
}

fn line(source: u64, number: u64, ts: i64, text: &str) -> (NewLine<'static>, Entry) {
    let entry = Entry { ts: Some(ts), text: Some(text.to_owned()), ..Entry::default() };
    static NOTHING: Kept = Kept::nothing();
    let entry: &'static Entry = Box::leak(Box::new(entry));
    (NewLine { source, line: number, time_before: None, entry, kept: &NOTHING }, entry.clone())
}

fn texts(index: &Index) -> Vec<String> {
    let mut texts = Vec::new();
    index
        .entries(&Query::all(), |entry, _| {
            texts.push(entry.text.unwrap_or_default());
            true
        })
        .unwrap();
    texts
}

const DAY: i64 = 86_400_000_000;

#[test]
fn what_is_not_committed_is_not_in_and_comes_again() {
    let folder = tempfile::tempdir().unwrap();
    let identity = Identity::of(b"begin\n").unwrap();
    let mut writer = Writer::new(folder.path(), 32 << 20, 1).unwrap();
    let source = writer.source(&identity, "mail.log");
    assert!(writer.add(line(source, 1, DAY, "one").0).unwrap());
    assert!(writer.add(line(source, 2, 2 * DAY, "two").0).unwrap());
    writer.commit().unwrap();
    assert!(writer.add(line(source, 3, DAY, "three").0).unwrap());
    drop(writer);
    let mut writer = Writer::new(folder.path(), 32 << 20, 1).unwrap();
    let source = writer.source(&Identity::of(b"begin\nand more\n").unwrap(), "mail.log.1");
    let new: Vec<bool> = [(1, DAY, "one"), (2, 2 * DAY, "two"), (3, DAY, "three"), (4, DAY, "four")]
        .map(|(number, ts, text)| writer.add(line(source, number, ts, text).0).unwrap())
        .to_vec();
    assert_eq!(new, [false, false, true, true]);
    writer.finish().unwrap();
    assert_eq!(texts(&Index::new(folder.path())), ["one", "three", "four", "two"]);
}

#[test]
fn lines_that_are_taken_back_can_come_in_anew() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::new(folder.path(), 32 << 20, 1).unwrap();
    let source = writer.source(&Identity::of(b"begin\n").unwrap(), "mail.log");
    for (number, ts) in [(1, DAY), (2, 2 * DAY), (3, DAY), (4, 2 * DAY)] {
        writer.add(line(source, number, ts, &format!("old {number}")).0).unwrap();
    }
    writer.commit().unwrap();
    writer.rewind(source, 3).unwrap();
    assert_eq!(writer.last(source), 2);
    assert!(!writer.add(line(source, 2, 2 * DAY, "new 2").0).unwrap());
    assert!(writer.add(line(source, 3, DAY, "new 3").0).unwrap());
    assert!(writer.add(line(source, 4, 2 * DAY, "new 4").0).unwrap());
    writer.finish().unwrap();
    assert_eq!(texts(&Index::new(folder.path())), ["old 1", "new 3", "old 2", "new 4"]);
}

#[test]
fn a_page_looks_into_no_day_that_it_does_not_need() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::new(folder.path(), 32 << 20, 1).unwrap();
    let source = writer.source(&Identity::of(b"begin\n").unwrap(), "mail.log");
    for day in 1..4 {
        writer.add(line(source, 1, day * DAY, "x").0).unwrap();
    }
    writer.finish().unwrap();
    for file in std::fs::read_dir(folder.path().join("1970-01-02")).unwrap().flatten() {
        if file.path().extension().is_some_and(|ending| ending == "term") {
            std::fs::remove_file(file.path()).unwrap();
        }
    }
    let index = Index::new(folder.path());
    let damaged = |limit, after| {
        let rows = Question::Rows(RowsAsked { order: Order::Newest, limit, after, context: 0 });
        let answers = index.ask(&Query::all(), &[rows]).unwrap();
        let [Answer::Rows(page)] = answers.as_slice() else { panic!("another answer") };
        let damaged: Vec<String> = index.told().damaged.into_iter().map(|damaged| damaged.day).collect();
        (page.rows.len(), damaged, page.next.clone())
    };
    let (rows, none, next) = damaged(1, None);
    assert_eq!((rows, none.len()), (1, 0));
    assert_eq!(damaged(2, None).1, ["1970-01-02"], "whether there is more hangs on it");
    assert_eq!(damaged(1, next).1, ["1970-01-02"]);
}

#[test]
fn a_damaged_day_is_named_and_the_others_answer() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::new(folder.path(), 32 << 20, 1).unwrap();
    let source = writer.source(&Identity::of(b"begin\n").unwrap(), "mail.log");
    for day in 1..4 {
        writer.add(line(source, 1, day * DAY, "x").0).unwrap();
    }
    writer.finish().unwrap();
    std::fs::write(folder.path().join("1970-01-03/meta.json"), "{").unwrap();
    let index = Index::new(folder.path());
    let answers = index.ask(&Query::all(), &[Question::Count]).unwrap();
    assert_eq!(answers, [Answer::Count(2)]);
    let damaged: Vec<String> = index.told().damaged.into_iter().map(|damaged| damaged.day).collect();
    assert_eq!(damaged, ["1970-01-03"]);
    for file in std::fs::read_dir(folder.path().join("1970-01-02")).unwrap().flatten() {
        if file.path().extension().is_some_and(|ending| ending == "store") {
            let mut bytes = std::fs::read(file.path()).unwrap();
            bytes[0] ^= 0xff;
            std::fs::write(file.path(), bytes).unwrap();
        }
    }
    assert_eq!(index.verify("1970-01-02".parse().unwrap()).unwrap().len(), 1);
    assert_eq!(index.verify("1970-01-04".parse().unwrap()).unwrap().len(), 0);
}
