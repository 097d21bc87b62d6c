//! Running other programs, and waiting for things to happen, with an end to both.

use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

/// Runs a program to its end and returns what it printed. An error shows what it complained about.
pub(crate) fn run(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot run {command:?}"))?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}: {}: {}", output.status, complaint.trim());
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Asks again and again until the answer is yes.
pub(crate) fn wait_until(what: &str, at_most: Duration, mut yes: impl FnMut() -> bool) -> Result<()> {
    let start = Instant::now();
    while !yes() {
        if start.elapsed() > at_most {
            bail!("waited {at_most:?} in vain: {what}");
        }
        sleep(Duration::from_millis(20));
    }
    Ok(())
}
