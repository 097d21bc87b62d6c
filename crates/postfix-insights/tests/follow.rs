//! Following: lines are found while they are written, and whatever happens the store ends up as if it had been filled at once.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod common;

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{code, errors, program, run, text};
use tempfile::TempDir;

/// Longer than anything takes.
const DEADLINE: Duration = Duration::from_secs(120);

/// A program that follows; it does not outlive the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Place {
    folder: TempDir,
    lines: Vec<String>,
    written: usize,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = loggen::Settings { bytes: 200_000, days: 1, ..loggen::Settings::default() };
        let whole = folder.path().join("whole.txt");
        loggen::write_files(&settings, &whole, &folder.path().join("truth.json")).unwrap();
        let lines = fs::read_to_string(&whole).unwrap().lines().map(|line| format!("{line}\n")).collect();
        Self { folder, lines, written: 0 }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes up to so many of a hundred parts of all lines.
    fn write_upto(&mut self, percent: usize) {
        let end = self.lines.len() * percent / 100;
        let mut log = OpenOptions::new().append(true).create(true).open(self.path("mail.log")).unwrap();
        self.lines[self.written..end].iter().for_each(|line| log.write_all(line.as_bytes()).unwrap());
        self.written = end;
    }

    fn follow(&self) -> Running {
        self.follow_sources(&[self.path("mail.log")])
    }

    fn follow_sources(&self, sources: &[PathBuf]) -> Running {
        let mut command = program();
        command.args(["follow", "--quiet", "--timezone", "UTC", "--state"]).arg(self.path("state"));
        command.args(sources).stdin(Stdio::piped());
        Running(command.spawn().unwrap())
    }

    /// Waits until so many lines as were written can be searched.
    fn all_found(&self) {
        let begun = Instant::now();
        let mut found = String::new();
        while begun.elapsed() < DEADLINE {
            found = text(&run(args(&["count", "--quiet", "--state"], &self.path("state"))));
            if found.trim() == self.written.to_string() {
                return;
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        panic!("{} lines were written, found: {found}", self.written);
    }

    fn entries(&self, state: &str) -> Vec<String> {
        let output = run(args(&["entries", "--quiet", "--timezone", "UTC", "--state"], &self.path(state)));
        assert_eq!(code(&output), 0, "{}", errors(&output));
        let mut entries: Vec<String> = text(&output).lines().map(str::to_owned).collect();
        entries.sort();
        entries
    }

    /// The store is as if the files had gone in at once.
    fn is_as_ingested(&self) {
        let mut command = args(&["ingest", "--quiet", "--timezone", "UTC", "--state"], &self.path("clean"));
        command.extend(["mail.log.1", "mail.log"].map(|name| self.path(name)).into_iter().filter(|file| file.exists()));
        let output = run(command);
        assert_eq!(code(&output), 0, "{}", errors(&output));
        let (followed, clean) = (self.entries("state"), self.entries("clean"));
        assert_eq!(followed.len(), clean.len());
        // The first that differs says more than all of them.
        let differs = followed.iter().zip(&clean).find(|(one, other)| one != other);
        assert_eq!(differs, None);
    }
}

fn args(words: &[&str], path: &Path) -> Vec<PathBuf> {
    words.iter().map(PathBuf::from).chain([path.to_owned()]).collect()
}

fn terminate(mut running: Running) {
    let kill = Command::new("kill").arg("-TERM").arg(running.0.id().to_string()).status().unwrap();
    assert!(kill.success());
    assert!(running.0.wait().unwrap().success());
}

#[test]
fn what_is_written_is_found_over_rotation_and_restart() {
    let mut place = Place::new();
    place.write_upto(20);
    let running = place.follow();
    place.all_found();
    place.write_upto(40);
    place.all_found();
    fs::rename(place.path("mail.log"), place.path("mail.log.1")).unwrap();
    place.write_upto(60);
    place.all_found();
    terminate(running);
    place.write_upto(80);
    let running = place.follow();
    place.all_found();
    place.write_upto(100);
    place.all_found();
    terminate(running);
    place.is_as_ingested();
}

#[test]
fn what_is_rotated_while_nobody_follows_is_found() {
    let mut place = Place::new();
    place.write_upto(30);
    let running = place.follow();
    place.all_found();
    terminate(running);
    place.write_upto(60);
    fs::rename(place.path("mail.log"), place.path("mail.log.1")).unwrap();
    place.write_upto(100);
    let running = place.follow();
    place.all_found();
    terminate(running);
    place.is_as_ingested();
}

#[test]
fn killed_at_any_moment_each_line_is_in_once() {
    let mut place = Place::new();
    for percent in [15, 30, 45, 60, 75, 90] {
        place.write_upto(percent - 10);
        let running = place.follow();
        std::thread::sleep(Duration::from_millis(percent as u64 * 20));
        place.write_upto(percent);
        // Killed without warning.
        drop(running);
    }
    place.write_upto(100);
    let running = place.follow();
    place.all_found();
    terminate(running);
    place.is_as_ingested();
}

#[test]
fn a_failed_login_is_known_as_one_though_nothing_follows_it() {
    let mut place = Place::new();
    let now = jiff::Timestamp::now();
    let head = format!("{now} mail postfix/smtpd[7]: ");
    place.lines = vec![
        format!("{head}connect from unknown[192.0.2.1]\n"),
        format!("{head}warning: unknown[192.0.2.1]: SASL LOGIN authentication failed: UGFzc3dvcmQ6\n"),
    ];
    place.write_upto(100);
    let running = place.follow();
    let begun = Instant::now();
    let asked = args(&["count", "-q", "class:auth_failed", "--quiet", "--state"], &place.path("state"));
    while text(&run(&asked)).trim() != "1" {
        assert!(begun.elapsed() < DEADLINE, "it is not found by its class");
        std::thread::sleep(Duration::from_millis(200));
    }
    terminate(running);
    place.is_as_ingested();
}

#[test]
fn what_comes_over_the_network_and_on_standard_input_is_found() {
    let mut place = Place::new();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let sources = [format!("--syslog={free}").into(), "-".into()];
    let mut running = place.follow_sources(&sources);
    let begun = Instant::now();
    let mut peer = loop {
        match std::net::TcpStream::connect(free) {
            Ok(peer) => break peer,
            Err(error) => assert!(begun.elapsed() < DEADLINE, "{error}"),
        }
        std::thread::sleep(Duration::from_millis(100));
    };
    let (sent, piped) = (place.lines[..100].concat(), place.lines[100..150].concat());
    peer.write_all(sent.as_bytes()).unwrap();
    running.0.stdin.take().unwrap().write_all(piped.as_bytes()).unwrap();
    place.written = 150;
    place.all_found();
    terminate(running);
    // After a restart they are not taken in again, though the spool still holds them.
    let running = place.follow_sources(&sources[..1]);
    place.all_found();
    terminate(running);
    place.all_found();
}
