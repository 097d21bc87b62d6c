//! The commands that are measured, and how to get those that are missing.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use serde_json::Value;

/// How the table calls our own summary.
pub(crate) const TRIAGE: &str = "postfix-insights triage";

/// How the table calls our own report.
pub(crate) const REPORT: &str = "postfix-insights report";

/// A command that takes a log file.
pub(crate) struct Tool {
    /// How the table calls it.
    pub(crate) name: String,
    program: OsString,
    before: &'static [&'static str],
    after: &'static [&'static str],
}

impl Tool {
    fn new(
        name: &str,
        program: impl Into<OsString>,
        before: &'static [&'static str],
        after: &'static [&'static str],
    ) -> Self {
        Self { name: name.to_owned(), program: program.into(), before, after }
    }

    /// Counts lines: about what reading the file costs.
    pub(crate) fn lines() -> Self {
        Self::new("wc -l", "wc", &["-l"], &[])
    }

    /// Counts the lines that look like a failure, some of which are none.
    pub(crate) fn ripgrep() -> Self {
        Self::new("rg -c", "rg", &["-c", "SASL .* authentication failed"], &[])
    }

    /// A whole summary, without logins.
    pub(crate) fn pflogsumm() -> Self {
        Self::new("pflogsumm", "pflogsumm", &[], &[])
    }

    /// Failures as fail2ban's own filter finds them.
    pub(crate) fn fail2ban() -> Self {
        Self::new("fail2ban-regex", "fail2ban-regex", &[], &["postfix[mode=auth]"])
    }

    /// Our summary with every client and account.
    pub(crate) fn triage(program: &Path) -> Self {
        Self::new(TRIAGE, program, &["triage", "--json", "--top", "0"], &[])
    }

    /// Our summary of deliveries.
    pub(crate) fn report(program: &Path) -> Self {
        Self::new(REPORT, program, &["report", "--json", "--top", "0"], &[])
    }

    /// The command on a file. Stamps without a zone are in UTC.
    pub(crate) fn command(&self, file: &Path) -> Command {
        let mut command = Command::new(&self.program);
        command.args(self.before).arg(file).args(self.after).env("TZ", "UTC");
        command
    }

    /// Whether it is there to be run.
    pub(crate) fn present(&self) -> bool {
        let mut command = Command::new(&self.program);
        command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok()
    }

    /// Its answer as JSON.
    pub(crate) fn answer(&self, file: &Path) -> anyhow::Result<Value> {
        let output = self.command(file).output().with_context(|| format!("cannot start {}", self.name))?;
        let words = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{} ended with {}: {}", self.name, output.status, words.trim());
        serde_json::from_slice(&output.stdout).with_context(|| format!("the answer of {} is no JSON", self.name))
    }
}

/// Installs what is missing by apt, if this is root on a system that has apt; else the table says what was left out.
pub(crate) fn install() {
    let wanted = [(Tool::ripgrep(), "ripgrep"), (Tool::pflogsumm(), "pflogsumm"), (Tool::fail2ban(), "fail2ban")];
    let missing: Vec<&str> = wanted.iter().filter(|(tool, _)| !tool.present()).map(|(_, package)| *package).collect();
    if missing.is_empty() || !is_root() {
        return;
    }
    println!("installing {}", missing.join(", "));
    let _ = apt(&["update"]);
    // One by one: what is not in the archive must not keep out the rest.
    for package in missing {
        if !apt(&["install", "--yes", "--no-install-recommends", package]).unwrap_or(false) {
            println!("{package} could not be installed");
        }
    }
}

fn apt(arguments: &[&str]) -> Option<bool> {
    let mut command = Command::new("apt-get");
    command.arg("--quiet=2").args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().ok().map(|status| status.success())
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output();
    output.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}
