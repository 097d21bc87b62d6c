//! The daemons of a machine. Each is configured from scratch, started in the foreground or by its own
//! start command, waited for, and stopped by its own process id when its guard is dropped.

pub(crate) mod dovecot;
pub(crate) mod postfix;
pub(crate) mod saslauthd;
pub(crate) mod syslog;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};

use crate::command::wait_until;

/// A daemon in the foreground; dropped, it is gone.
pub(crate) struct Running(Child);

impl Running {
    /// Starts it.
    pub(crate) fn start(command: &mut Command) -> Result<Running> {
        let command = command.stdin(Stdio::null()).stdout(Stdio::null());
        let child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
        Ok(Running(child))
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }

    fn has_ended(&mut self) -> bool {
        !matches!(self.0.try_wait(), Ok(None))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        signal(self.0.id(), Signal::TERM);
        let ended = wait_until("a daemon ends", Duration::from_secs(5), || self.has_ended());
        if ended.is_err() {
            // What is killed here has no data worth keeping.
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}

/// Sends a signal; a process that is gone already is fine.
pub(crate) fn signal(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    if let Some(pid) = pid {
        let _ = kill_process(pid, signal);
    }
}

/// Reads a pid file.
pub(crate) fn pid_of(file: &Path) -> Option<u32> {
    std::fs::read_to_string(file).ok()?.trim().parse().ok()
}

/// Whether a process runs and is no zombie.
pub(crate) fn is_alive(pid: u32) -> bool {
    let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = state.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    state.is_some_and(|state| state != 'Z')
}
