//! Runs the program as a user would, and reads what it says.

#![allow(dead_code, reason = "each test file uses a part of this")]
#![allow(
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test may panic"
)]

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_postfix-insights"));
    command.env_remove("NO_COLOR").env("COLUMNS", "100").env("TZ", "UTC");
    command
}

pub fn run<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Output {
    program().args(args).stdin(Stdio::null()).output().unwrap()
}

pub fn run_with_input<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>, input: &[u8]) -> Output {
    let mut child =
        program().args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || {
        // The program may stop reading early; that is its right.
        let _ = stdin.write_all(&input);
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

pub fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

/// `triage --json --top 0` of some files.
pub fn triage(files: &[&Path]) -> Value {
    let mut args: Vec<PathBuf> =
        ["triage", "--json", "--top", "0", "--timezone", "UTC"].iter().map(PathBuf::from).collect();
    args.extend(files.iter().map(|file| file.to_path_buf()));
    let output = run(args);
    assert_eq!(code(&output), 0, "{}", errors(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The same of lines given as text.
pub fn triage_lines(lines: &[&str]) -> Value {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("mail.log");
    std::fs::write(&file, lines.join("\n") + "\n").unwrap();
    triage(&[&file])
}

/// `entries --format ndjson` of lines given as text.
pub fn entries(lines: &[&str]) -> Vec<Value> {
    let output = run_with_input(
        ["entries", "--format", "ndjson", "--timezone", "UTC", "--year", "2026", "-"],
        (lines.join("\n") + "\n").as_bytes(),
    );
    text(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
