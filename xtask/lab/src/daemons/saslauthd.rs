//! `saslauthd` over PAM: the judge of logins where Postfix uses Cyrus SASL.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::Signal;

use super::{is_alive, pid_of, signal};
use crate::command::{run, wait_until};
use crate::machine::lab_path;

/// A running `saslauthd`; dropped, it is gone.
pub(crate) struct Saslauthd {
    pid: u32,
}

impl Saslauthd {
    /// Starts it and waits for its socket.
    pub(crate) fn start() -> Result<Saslauthd> {
        let folder = folder();
        fs::create_dir_all(&folder)?;
        run(Command::new("saslauthd").args(["-a", "pam", "-n", "1", "-m"]).arg(&folder))?;
        let ready = || fs::exists(folder.join("mux")).unwrap_or(false);
        wait_until("saslauthd opens its socket", Duration::from_secs(10), ready)?;
        let pid = pid_of(&folder.join("saslauthd.pid")).context("saslauthd has no pid file")?;
        Ok(Saslauthd { pid })
    }
}

impl Drop for Saslauthd {
    fn drop(&mut self) {
        signal(self.pid, Signal::TERM);
        // Nothing to be done about one that stays: its namespace ends soon.
        let _ = wait_until("saslauthd ends", Duration::from_secs(5), || !is_alive(self.pid));
    }
}

/// Where its socket is.
pub(crate) fn folder() -> PathBuf {
    lab_path("saslauthd")
}

/// Its version.
pub(crate) fn version() -> Option<String> {
    let output = Command::new("saslauthd").arg("-v").output().ok()?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    text.split_whitespace().nth(1).map(str::to_owned)
}
