//! The system's journal, through its own tool.
//!
//! Input: the path of `journalctl`; no library of systemd's is needed. Output: the entries of the mail facility and of `saslauthd`, and the journal's own notices of lost entries, in the export format.

mod reader;

use std::io::{self, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

pub use reader::{JournalConfig, JournalReader, JournalStatus};

const ARGUMENTS: [&str; 8] = [
    "--output=export",
    "--no-pager",
    "--quiet",
    "SYSLOG_FACILITY=2",
    "+",
    "SYSLOG_IDENTIFIER=saslauthd",
    "+",
    "SYSLOG_IDENTIFIER=systemd-journald",
];

/// Starts the tool; its output ends with an error if the tool does.
pub(crate) fn run(program: &Path) -> io::Result<Box<dyn Read + Send>> {
    let mut child = Command::new(program)
        .args(ARGUMENTS)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let output = child.stdout.take().ok_or_else(|| io::Error::other("no output"))?;
    Ok(Box::new(Journal { child, output, ended: false }))
}

struct Journal {
    child: Child,
    output: ChildStdout,
    ended: bool,
}

impl Read for Journal {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.output.read(out)?;
        if count > 0 || out.is_empty() || self.ended {
            return Ok(count);
        }
        self.ended = true;
        let status = self.child.wait()?;
        if status.success() {
            Ok(0)
        } else {
            Err(io::Error::other(format!(
                "journalctl ended with {status}: join group systemd-journal or run with sudo"
            )))
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        if !self.ended {
            // Whoever stops early does not care how the tool ends.
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}
