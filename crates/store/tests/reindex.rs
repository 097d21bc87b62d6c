//! Stores that older versions wrote, one of each layout, in `tests/layouts`: written anew they are as if written now.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use std::fs;
use std::path::{Path, PathBuf};

use query::Query;
use store::index::{Index, LAYOUT, OLDEST, Writer};
use tempfile::TempDir;

/// A copy of the days of a store in a layout.
fn copy_of(layout: u32) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/layouts").join(layout.to_string()).join("index");
    for day in fs::read_dir(&from).expect("every older layout has a store in tests/layouts") {
        let day = day.unwrap();
        copy_folder(&day.path(), &folder.path().join(day.file_name()));
    }
    folder
}

fn writer(folder: &Path) -> Writer {
    Writer::new(folder, 32 << 20, 1).unwrap()
}

fn texts(folder: &Path, query: &Query) -> Vec<String> {
    let index = Index::new(folder);
    let mut texts = Vec::new();
    index
        .entries(query, |entry, _| {
            texts.push(entry.text.unwrap_or_default());
            true
        })
        .unwrap();
    assert!(index.told().damaged.is_empty());
    texts
}

#[test]
fn days_of_every_older_layout_are_written_anew() {
    for layout in OLDEST..LAYOUT {
        let folder = copy_of(layout);
        let index = Index::new(folder.path());
        assert!(index.states().unwrap().is_empty(), "nothing is read of them before");
        assert!(index.told().damaged.iter().all(|day| day.why.to_string().contains("postfix-insights reindex")));
        let mut told = Vec::new();
        let done = writer(folder.path()).reindex(|date| told.push(date.to_string())).unwrap();
        assert_eq!(told, ["2026-06-18", "2026-06-17"], "the newest first");
        assert_eq!((done.days.len(), done.lines, done.damaged.len()), (2, 11, 0));
        for state in index.states().unwrap() {
            assert_eq!(state.payload.layout, LAYOUT);
            let part = state.payload.sources.values().next().unwrap();
            assert!(part.from >= state.date.start() && part.from <= part.turn, "{part:?}");
        }
        assert_eq!(texts(folder.path(), &Query::all()).len(), 11);
        assert_eq!(texts(folder.path(), &Query::naming("bob@example.org")).len(), 3);
        let again = writer(folder.path()).reindex(|_| {}).unwrap();
        assert!(again.days.is_empty(), "there is nothing left to do");
    }
}

/// What a run that was killed leaves behind, whatever it had come to.
#[test]
fn a_run_that_was_killed_is_gone_on_with() {
    type Leaves = fn(&Path);
    let half: Leaves = |folder| {
        let coming = folder.join("rewriting-2026-06-17");
        fs::create_dir(&coming).unwrap();
        fs::write(coming.join("meta.json"), "{").unwrap();
    };
    let between: Leaves = |folder| {
        let (day, whole) = (folder.join("2026-06-17"), copy_of(OLDEST));
        drop(writer(whole.path()).reindex(|_| {}).unwrap());
        fs::rename(&day, folder.join("removing-2026-06-17")).unwrap();
        copy_folder(&whole.path().join("2026-06-17"), &folder.join("rewriting-2026-06-17"));
    };
    let behind: Leaves = |folder| {
        drop(writer(folder).reindex(|_| {}).unwrap());
        fs::create_dir(folder.join("removing-2026-06-17")).unwrap();
    };
    for leave in [half, between, behind] {
        let folder = copy_of(OLDEST);
        leave(folder.path());
        let done = writer(folder.path()).reindex(|_| {}).unwrap();
        assert!(done.damaged.is_empty(), "{done:?}");
        assert_eq!(texts(folder.path(), &Query::all()).len(), 11);
        let mut left: Vec<PathBuf> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        left.sort();
        assert_eq!(left, ["2026-06-17", "2026-06-18"].map(|day| folder.path().join(day)));
    }
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

#[test]
fn a_day_that_cannot_be_read_keeps_no_other_from_it() {
    let folder = copy_of(OLDEST);
    let day = folder.path().join("2026-06-17");
    let columns = fs::read_dir(&day).unwrap().map(|file| file.unwrap().path());
    let columns: Vec<PathBuf> = columns.filter(|file| file.extension().is_some_and(|end| end == "fast")).collect();
    fs::write(&columns[0], "x").unwrap();
    let done = writer(folder.path()).reindex(|_| {}).unwrap();
    assert_eq!(done.days.iter().map(ToString::to_string).collect::<Vec<_>>(), ["2026-06-18"]);
    assert_eq!(done.damaged.iter().map(|(date, _)| date.to_string()).collect::<Vec<_>>(), ["2026-06-17"]);
    assert!(day.exists() && !folder.path().join("rewriting-2026-06-17").exists());
}

#[test]
fn a_layout_that_nobody_knows_is_left_alone() {
    let folder = copy_of(OLDEST);
    let meta = folder.path().join("2026-06-17/meta.json");
    let newer = fs::read_to_string(&meta).unwrap().replace(r#"\"layout\":1"#, r#"\"layout\":99"#);
    fs::write(&meta, &newer).unwrap();
    let done = writer(folder.path()).reindex(|_| {}).unwrap();
    assert!(done.damaged.iter().any(|(_, why)| why.to_string().contains("it has layout 99")), "{done:?}");
    assert_eq!(fs::read_to_string(&meta).unwrap(), newer);
}
