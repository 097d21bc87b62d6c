//! Findings of a store, from what is remembered of it and what is new, are those of all its lines: however often it grew, whatever came
//! late, and whatever was done to the store or to what is remembered.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use std::io::Write as _;
use std::path::PathBuf;

use answers::findings::Found;
use answers::mask::Mask;
use answers::memory;
use answers::reading::{Input, Reading};
use answers::retention::{self, Retention};
use answers::triage::triage;
use answers::{findings, ingest};
use diagnose::detect::{Settings, Thresholds};
use serde_json::Value;
use store::index::{Date, Index, Writer};
use store::state::State;

/// Lines of some days of a busy server with attacks.
fn lines() -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mail.log");
    let settings = loggen::Settings { bytes: 1_000_000, days: 3, seed: 20_260_617, ..loggen::Settings::default() };
    loggen::write_files(&settings, &path, &folder.path().join("truth.json")).unwrap();
    String::from_utf8_lossy(&std::fs::read(&path).unwrap()).lines().map(|line| line.to_owned() + "\n").collect()
}

/// A log that grows, and its store.
struct Grown {
    folder: tempfile::TempDir,
    settings: Settings,
}

impl Grown {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), settings: Settings::default() }
    }

    fn state(&self) -> State {
        State::new(&self.folder.path().join("state"))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, lines: &[String]) {
        let mut file = std::fs::File::options().create(true).append(true).open(self.file(name)).unwrap();
        file.write_all(lines.concat().as_bytes()).unwrap();
    }

    fn input(&self, files: Vec<PathBuf>) -> Input {
        let state = files.is_empty().then(|| self.state().root().to_owned());
        Input { files, state, timezone: Some("UTC".to_owned()), year: Some(2026), ..Input::default() }
    }

    fn ingest(&self, names: &[&str]) {
        let state = self.state();
        let _lock = state.lock().unwrap();
        let files = names.iter().map(|name| self.file(name)).collect();
        let reading = Reading::of_files(&self.input(files)).unwrap().judged_by(self.settings.clone());
        let ingested = ingest::ingest(&state, reading, &Retention::default(), |_, _| ()).unwrap().unwrap();
        assert!(ingested.failure.is_none(), "{:?}", ingested.failure);
    }

    fn of_store(&self) -> Found {
        let reading = Reading::new(&self.input(Vec::new()), false).unwrap();
        memory::findings(&reading.judged_by(self.settings.clone())).unwrap()
    }

    /// Compares with the files. Output: whether what is remembered was gone on from.
    fn is_remembered(&self, names: &[&str], what: &str) -> bool {
        let files = names.iter().map(|name| self.file(name)).collect();
        let reading = Reading::new(&self.input(files), false).unwrap().judged_by(self.settings.clone());
        let (all, stored) = (Found::from(triage(reading).unwrap()), self.of_store());
        assert!(!all.findings.is_empty(), "{what}: nothing is compared");
        assert_eq!(told(&all), told(&stored), "{what}");
        stored.read.coverage.lines < all.read.coverage.lines
    }
}

fn told(found: &Found) -> Value {
    findings::to_json(found, Mask(false))
}

#[test]
fn a_store_that_grows() {
    let lines = lines();
    let grown = Grown::new();
    // Uneven steps, in the middle of sessions.
    let cuts = [0, lines.len() / 7, lines.len() / 3, lines.len() / 3 + 1, lines.len() * 4 / 5, lines.len()];
    for (step, cut) in cuts.windows(2).enumerate() {
        grown.write("mail.log", &lines[cut[0]..cut[1]]);
        grown.ingest(&["mail.log"]);
        assert!(grown.is_remembered(&["mail.log"], &format!("step {step}")), "step {step}");
    }
}

#[test]
fn what_comes_late_is_not_missed() {
    let lines = lines();
    let grown = Grown::new();
    let third = lines.len() / 3;
    grown.write("mail.log.1", &lines[..third]);
    grown.write("mail.log", &lines[third..]);
    grown.ingest(&["mail.log"]);
    assert!(grown.is_remembered(&["mail.log"], "the newer file"));
    grown.ingest(&["mail.log.1"]);
    assert!(grown.is_remembered(&["mail.log.1", "mail.log"], "with the older one"));
    // What was remembered before the older one came no longer fits.
    let before = grown.state().remembered().unwrap();
    let other = Grown::new();
    other.write("mail.log", &lines[third..]);
    other.ingest(&["mail.log"]);
    let stale = other.state().remembered().unwrap();
    grown.state().remember(&stale).unwrap();
    assert!(!grown.is_remembered(&["mail.log.1", "mail.log"], "something older is remembered"));
    grown.state().remember(&before).unwrap();
    assert!(grown.is_remembered(&["mail.log.1", "mail.log"], "as it was"));
}

#[test]
fn what_is_damaged_or_of_other_figures_is_not_gone_on_from() {
    let mut grown = Grown::new();
    grown.write("mail.log", &lines());
    grown.ingest(&["mail.log"]);
    let bytes = grown.state().remembered().unwrap();
    for (damaged, what) in [(&bytes[..bytes.len() / 2], "cut off"), (&[7; 100], "something else"), (&[], "empty")] {
        grown.state().remember(damaged).unwrap();
        assert!(!grown.is_remembered(&["mail.log"], what));
    }
    grown.state().remember(&bytes).unwrap();
    assert!(grown.is_remembered(&["mail.log"], "whole again"));
    grown.settings.thresholds = Thresholds { takeover_tries: 2, ..Thresholds::default() }.into();
    assert!(!grown.is_remembered(&["mail.log"], "another figure"));
    grown.settings = Settings { default_domain: Some("example.org".to_owned()), ..Settings::default() };
    assert!(!grown.is_remembered(&["mail.log"], "another domain"));
    // Whose a network is, decides afterwards.
    grown.settings = Settings { own_networks: vec!["0.0.0.0/1".parse().unwrap()], ..Settings::default() };
    assert!(grown.is_remembered(&["mail.log"], "networks of one's own"));
}

#[test]
fn nothing_is_remembered_of_what_was_taken_out() {
    let grown = Grown::new();
    grown.write("mail.log", &lines());
    grown.ingest(&["mail.log"]);
    let state = grown.state();
    let days = Index::new(&state.index()).days().unwrap();
    let _lock = state.lock().unwrap();
    assert!(retention::remove_before(&state, days[0]).unwrap().is_empty());
    assert!(state.remembered().is_some(), "nothing was removed");
    assert_eq!(retention::remove_before(&state, days[1]).unwrap(), [days[0]]);
    assert!(state.remembered().is_none());
    memory::refresh(&state, &grown.settings, &answers::reading::Halt::default()).unwrap();
    let kept = grown.of_store();
    assert!(kept.read.coverage.lines > 0 && state.remembered().is_some());
    assert!(kept.findings.iter().all(|finding| Date::of(finding.to) >= days[1]));
    let pseudonyms = Retention { pseudonymise_days: Some(0), ..Retention::default() };
    retention::enforce(&state, &pseudonyms).unwrap();
    assert!(state.remembered().is_none(), "names that are pseudonyms now");
    drop(Writer::new(&state.index(), 32 << 20, 1).unwrap());
}
