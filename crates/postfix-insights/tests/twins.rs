//! Lines that stand in two logs, however the logs came in and grew: each is in the store once, and none is lost.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use common::{code, errors, run, text};
use tempfile::TempDir;

/// `mail.log`, and `mail.info` with most of its lines and some of its own, both as far as they are written by now.
struct Two {
    folder: TempDir,
    lines: Vec<String>,
    written: [usize; 2],
}

const NAMES: [&str; 2] = ["mail.log", "mail.info"];

impl Two {
    /// A line every so many seconds.
    fn every(seconds: usize) -> Self {
        let line = |n: usize| {
            let at = n * seconds;
            let (hour, minute, second) = (8 + at / 3600, at / 60 % 60, at % 60);
            format!(
                "2026-06-17T{hour:02}:{minute:02}:{second:02}+00:00 mail postfix/qmgr[3]: 0F5383D{n:02X}: removed\n"
            )
        };
        let lines = (0..200).map(line).collect();
        Self { folder: tempfile::tempdir().unwrap(), lines, written: [0, 0] }
    }

    /// Which of the lines are in a log: `mail.log` lacks every ninth, `mail.info` every fourth.
    fn holds(log: usize, line: usize) -> bool {
        if log == 0 { line % 9 != 5 } else { line % 4 != 3 }
    }

    fn write(&mut self, log: usize, upto: usize) {
        self.written[log] = upto;
        let lines = self.lines.iter().take(upto).enumerate().filter(|(n, _)| Self::holds(log, *n));
        fs::write(self.folder.path().join(NAMES[log]), lines.map(|(_, line)| line.as_str()).collect::<String>())
            .unwrap();
    }

    fn run(&self, words: &[&str], logs: &[usize]) -> String {
        let files = logs.iter().map(|log| self.folder.path().join(NAMES[*log]));
        let state = self.folder.path().join("state");
        let all: Vec<PathBuf> =
            words.iter().map(PathBuf::from).chain([PathBuf::from("--state"), state]).chain(files).collect();
        let output = run(&all);
        assert_eq!(code(&output), 0, "{}", errors(&output));
        text(&output)
    }

    fn ingest(&self, logs: &[usize]) {
        self.run(&["ingest", "--quiet", "--timezone", "UTC"], logs);
    }

    /// The lines in the store are those of both logs.
    fn check(&self, history: &str) {
        let held: Vec<String> = self
            .run(&["entries", "--quiet", "--format", "raw", "--timezone", "UTC"], &[])
            .lines()
            .map(|line| format!("{line}\n"))
            .collect();
        let is_written = |n: &usize| (0..2).any(|log| *n < self.written[log] && Self::holds(log, *n));
        let written: BTreeSet<&String> = (0..self.lines.len()).filter(is_written).map(|n| &self.lines[n]).collect();
        let found: BTreeSet<&String> = held.iter().collect();
        assert_eq!(found, written, "{history}: lost or invented");
        assert_eq!(held.len(), written.len(), "{history}: doubled");
    }
}

/// The second log came in first; then both grow. So it is, too, where both are followed and a line comes to the second one first, less
/// than a minute before a restart.
#[test]
fn what_came_under_the_second_log_is_in_once() {
    for order in [[0, 1], [1, 0]] {
        for first in [0, 1] {
            let mut two = Two::every(1);
            for log in [0, 1] {
                two.write(log, 50);
            }
            two.ingest(&[first]);
            two.ingest(&[1 - first]);
            two.check("one after the other");
            for log in [0, 1] {
                two.write(log, 60);
            }
            two.ingest(&order);
            two.check(&format!("{first} first, then both as {order:?}"));
        }
    }
}

/// One of them came in alone, far ahead or far behind of the other.
#[test]
fn logs_of_which_one_is_behind() {
    for (seconds, first) in [(1, 0), (1, 1), (20, 0), (20, 1)] {
        for order in [[0, 1], [1, 0]] {
            let mut two = Two::every(seconds);
            two.write(first, 100);
            two.ingest(&[first]);
            two.write(1 - first, 30);
            two.ingest(&order);
            two.check(&format!("every {seconds} s, {first} ahead, then both as {order:?}"));
            for log in [0, 1] {
                two.write(log, 130);
            }
            two.ingest(&order);
            two.check(&format!("every {seconds} s, {first} ahead, then both as {order:?}, grown"));
        }
    }
}

/// Any history of growing and ingesting.
#[test]
fn any_history() {
    let mut state = 7_u64;
    let mut random = move |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    for round in 0..12 {
        let mut two = Two::every([1, 3, 20, 70][round % 4]);
        let mut history = format!("round {round}:");
        for _ in 0..6 {
            for log in [0, 1] {
                let upto = two.written[log] + random(40) as usize;
                two.write(log, upto.min(two.lines.len()));
            }
            let logs: &[usize] = [&[0][..], &[1], &[0, 1], &[1, 0]][random(4) as usize];
            history += &format!(" {:?} {logs:?}", two.written);
            two.ingest(logs);
        }
        two.ingest(&[0, 1]);
        two.check(&history);
    }
}
