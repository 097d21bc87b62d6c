//! A store that an older version wrote: refused with the way on, and brought up to date, whatever happens meanwhile.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use common::{code, errors, program, repository, text};
use tempfile::TempDir;

/// Every layout that a store may have and is not of now.
const LAYOUTS: [&str; 2] = ["1", "2"];

/// A folder with a store of an older layout and the log that it was made of.
struct Old {
    folder: TempDir,
}

impl Old {
    fn new() -> Self {
        Self::of(LAYOUTS[0])
    }

    fn of(layout: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let layouts = repository().join("crates/store/tests/layouts");
        copy(&layouts.join(layout), &folder.path().join("state"));
        fs::copy(layouts.join("1.log"), folder.path().join("mail.log")).unwrap();
        Self { folder }
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    fn run(&self, words: &[&str]) -> Output {
        program().args(words).current_dir(self.folder.path()).stdin(Stdio::null()).output().unwrap()
    }

    /// The store says what its log says.
    fn is_whole(&self) {
        for question in [&["entries"][..], &["triage", "--json"], &["count", "-q", "user:bob* exampl*"]] {
            let ask = |from: &[&str]| text(&self.run(&[question, &["--quiet", "--timezone", "UTC"], from].concat()));
            assert_eq!(ask(&["--state", "state"]), ask(&["mail.log"]), "{question:?}");
        }
        assert_eq!(
            text(&self.run(&["ingest", "--timezone", "UTC", "--state", "state", "mail.log"])),
            "0 lines taken in, 11 were in already: state\n"
        );
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.path().is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

#[test]
fn an_older_store_is_refused_and_brought_up_to_date() {
    for layout in LAYOUTS {
        is_refused_and_brought_up_to_date(&Old::of(layout));
    }
}

fn is_refused_and_brought_up_to_date(old: &Old) {
    let commands: [&[&str]; 8] = [
        &["triage"],
        &["count"],
        &["status"],
        &["check"],
        &["ingest", "mail.log"],
        &["follow", "mail.log"],
        &["purge", "--person", "bob"],
        &["serve", "--listen", "127.0.0.1:0"],
    ];
    for command in commands {
        let output = old.run(&[command, &["--state", "state"]].concat());
        assert_eq!((code(&output), text(&output).as_str()), (2, ""), "{command:?}: {}", errors(&output));
        assert!(errors(&output).contains("`postfix-insights reindex --state state`"), "{}", errors(&output));
    }
    let output = old.run(&["reindex", "--state", "state"]);
    assert_eq!(
        (code(&output), text(&output).as_str(), errors(&output).as_str()),
        (
            0,
            "2 days of 11 lines written anew: state\n",
            "postfix-insights: day 2026-06-18, 1 of 2\npostfix-insights: day 2026-06-17, 2 of 2\n"
        )
    );
    old.is_whole();
    let again = old.run(&["reindex", "--json", "--state", "state"]);
    let again: serde_json::Value = serde_json::from_slice(&again.stdout).unwrap();
    assert_eq!(again, serde_json::json!({"days": 0, "lines": 0, "damaged": []}));
}

#[test]
fn a_newer_store_is_left_alone() {
    let old = Old::new();
    fs::write(old.state().join("layout"), "postfix-insights state 99\n").unwrap();
    for command in ["count", "reindex"] {
        let output = old.run(&[command, "--state", "state"]);
        assert_eq!(code(&output), 2);
        let said = errors(&output);
        assert!(
            said.contains("`postfix-insights state 99`") && said.contains("use the version that wrote it"),
            "{said}"
        );
    }
}

#[test]
fn killed_at_any_instant_it_goes_on() {
    let old = Old::new();
    for wait_ms in (0..40).map(|step| step * 4) {
        let mut running = program()
            .args(["reindex", "--quiet", "--state", "state"])
            .current_dir(old.folder.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(wait_ms));
        running.kill().unwrap();
        running.wait().unwrap();
        if wait_ms % 16 == 0 {
            // Days that were done are done anew, too.
            let done = old.run(&["reindex", "--quiet", "--state", "state"]);
            assert_eq!(code(&done), 0, "{}", errors(&done));
            old.is_whole();
            fs::remove_dir_all(old.state()).unwrap();
            copy(&repository().join("crates/store/tests/layouts/1"), &old.state());
        }
    }
}

#[test]
fn without_room_it_stops_as_it_was_and_goes_on() {
    let old = Old::new();
    // No file may grow beyond 4 KiB: what a full disk looks like to whoever writes.
    let output = Command::new("bash")
        .args(["-c", r#"trap '' XFSZ; ulimit -f 4; exec "$0" "$@""#, env!("CARGO_BIN_EXE_postfix-insights")])
        .args(["reindex", "--quiet", "--state", "state"])
        .current_dir(old.folder.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(code(&output), 2);
    let said = errors(&output);
    assert!(said.contains("the disk is full") && said.contains("reindex --state state` again"), "{said}");
    let mut left: Vec<String> = fs::read_dir(old.state().join("index"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(left, ["2026-06-17", "2026-06-18"], "nothing of the attempt takes room");
    assert_eq!(code(&old.run(&["reindex", "--quiet", "--state", "state"])), 0);
    old.is_whole();
}

#[test]
fn a_damaged_day_is_named_and_the_others_are_done() {
    let old = Old::new();
    fs::write(old.state().join("index/2026-06-17/meta.json"), "{").unwrap();
    let output = old.run(&["reindex", "--quiet", "--state", "state"]);
    assert_eq!((code(&output), text(&output).as_str()), (4, "1 day of 6 lines written anew: state\n"));
    assert!(errors(&output).contains("day 2026-06-17"), "{}", errors(&output));
    let counted = old.run(&["count", "--quiet", "--state", "state"]);
    assert_eq!((code(&counted), text(&counted).as_str()), (4, "6\n"), "{}", errors(&counted));
}
