//! A fresh set of namespaces per scenario: the same program, called again inside.
//!
//! The first process inside is a shell that passes an interrupt on, and with whose end the kernel ends every
//! process of the scenario, whatever it was. So no daemon outlives its scenario, also where a guard failed.

use std::ffi::OsString;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::command::wait_until;
use crate::packages::NAMESPACES;

/// What a scenario may take at most.
const TIME_MAX: Duration = Duration::from_secs(150);

/// Calls this program again inside, with these arguments.
pub(crate) fn play_inside(arguments: &[OsString]) -> Result<()> {
    let program = std::env::current_exe().context("cannot find the running program")?;
    // Whatever way this program ends, the scenario ends with it.
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "unshare"]).args(NAMESPACES);
    command.args(["sh", "-c", "trap 'exit 130' INT TERM; \"$@\" & wait $!", "sh"]);
    command.arg(program).args(arguments);
    command.env("TZ", "UTC").env("LC_ALL", "C").env("RUST_BACKTRACE", "0");
    command.stdin(Stdio::null()).stderr(Stdio::piped());
    let child = Guard(command.spawn().context("cannot run setpriv")?);
    child.finish()
}

/// Killed when dropped before its end, and all inside with it (`unshare --kill-child`).
struct Guard(Child);

impl Guard {
    fn finish(mut self) -> Result<()> {
        let complaint = self.0.stderr.take();
        // Read beside waiting: a full pipe would stop the scenario.
        let reader = std::thread::spawn(move || complaint.map(std::io::read_to_string));
        let mut ended = None;
        wait_until("the scenario ends", TIME_MAX, || {
            ended = self.0.try_wait().ok().flatten();
            ended.is_some()
        })?;
        let complaint = reader.join().ok().flatten().and_then(Result::ok).unwrap_or_default();
        match ended {
            Some(status) if status.success() => Ok(()),
            _ => bail!("{}", complaint.trim()),
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(None)) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}
