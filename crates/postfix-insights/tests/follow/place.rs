//! A log that is written to, a program that follows it, and what its store holds.

use std::fs::{self, OpenOptions};
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::common::{code, errors, program, run, text};

/// Longer than anything takes.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// Rotated logs looked for; more than any test makes.
const ROTATED_MAX: u32 = 30;

/// A program that follows; it does not outlive the test.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) struct Place {
    folder: TempDir,
    pub(crate) lines: Vec<String>,
    pub(crate) written: usize,
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = loggen::Settings { bytes: 200_000, days: 1, ..loggen::Settings::default() };
        let whole = folder.path().join("whole.txt");
        loggen::write_files(&settings, &whole, &folder.path().join("truth.json")).unwrap();
        let lines = fs::read_to_string(&whole).unwrap().lines().map(|line| format!("{line}\n")).collect();
        Self { folder, lines, written: 0 }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes up to so many of a hundred parts of all lines.
    pub(crate) fn write_upto(&mut self, percent: usize) {
        let end = self.lines.len() * percent / 100;
        let mut log = OpenOptions::new().append(true).create(true).open(self.path("mail.log")).unwrap();
        self.lines[self.written..end].iter().for_each(|line| log.write_all(line.as_bytes()).unwrap());
        self.written = end;
    }

    pub(crate) fn follow(&self) -> Running {
        self.follow_sources(&[self.path("mail.log")])
    }

    pub(crate) fn follow_sources(&self, sources: &[PathBuf]) -> Running {
        let mut command = program();
        command.args(["follow", "--quiet", "--timezone", "UTC", "--state"]).arg(self.path("state"));
        command.args(sources).stdin(Stdio::piped());
        Running(command.spawn().unwrap())
    }

    /// Follows with other programs found first, and other options.
    pub(crate) fn follow_with(&self, programs: &Path, options: &[String]) -> Running {
        let path = std::env::var("PATH").unwrap();
        let mut command = program();
        command.args(["follow", "--quiet", "--timezone", "UTC", "--state"]).arg(self.path("state")).args(options);
        command.env("PATH", format!("{}:{path}", programs.display())).stdin(Stdio::null());
        Running(command.spawn().unwrap())
    }

    /// Waits until so many lines as were written can be searched.
    pub(crate) fn all_found(&self) {
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

    pub(crate) fn entries(&self, state: &str) -> Vec<String> {
        let output = run(args(&["entries", "--quiet", "--timezone", "UTC", "--state"], &self.path(state)));
        assert_eq!(code(&output), 0, "{}", errors(&output));
        let mut entries: Vec<String> = text(&output).lines().map(str::to_owned).collect();
        entries.sort();
        entries
    }

    /// The log and what was rotated of it.
    fn logs(&self) -> Vec<PathBuf> {
        let rotated = (1..=ROTATED_MAX).rev().map(|number| format!("mail.log.{number}"));
        let names = rotated.chain(["mail.log".to_owned()]);
        names.map(|name| self.path(&name)).filter(|file| file.exists()).collect()
    }

    /// As `logrotate` does with `create`; the oldest are kept.
    pub(crate) fn rotate(&self) {
        for file in self.logs() {
            let number: u32 = file.extension().and_then(|end| end.to_str()?.parse().ok()).unwrap_or(0);
            fs::rename(&file, self.path(&format!("mail.log.{}", number + 1))).unwrap();
        }
    }

    /// The store is as if the files had gone in at once.
    pub(crate) fn is_as_ingested(&self) {
        let mut command = args(&["ingest", "--quiet", "--timezone", "UTC", "--state"], &self.path("clean"));
        command.extend(self.logs());
        let output = run(command);
        assert_eq!(code(&output), 0, "{}", errors(&output));
        let (followed, clean) = (self.entries("state"), self.entries("clean"));
        assert_eq!(followed.len(), clean.len());
        // The first that differs says more than all of them.
        let differs = followed.iter().zip(&clean).find(|(one, other)| one != other);
        assert_eq!(differs, None);
    }
}

pub(crate) fn args(words: &[&str], path: &Path) -> Vec<PathBuf> {
    words.iter().map(PathBuf::from).chain([path.to_owned()]).collect()
}

pub(crate) fn terminate(mut running: Running) {
    let kill = Command::new("kill").arg("-TERM").arg(running.0.id().to_string()).status().unwrap();
    assert!(kill.success());
    assert!(running.0.wait().unwrap().success());
}

/// What a program says, line by line, as it says it.
pub(crate) fn lines_of(told: impl Read + Send + 'static) -> Receiver<String> {
    let (says, said) = std::sync::mpsc::channel();
    std::thread::spawn(move || BufReader::new(told).lines().map_while(Result::ok).try_for_each(|line| says.send(line)));
    said
}
