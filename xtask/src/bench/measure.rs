//! What one run of a command costs: CPU seconds, wall time and memory, as the kernel counts them for that process alone.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::Context as _;
use wait4::Wait4 as _;

use super::tools::Tool;

/// The cost of a run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    /// CPU seconds outside the kernel.
    pub(crate) user: f64,
    /// CPU seconds inside the kernel.
    pub(crate) system: f64,
    /// Seconds by the clock.
    pub(crate) wall: f64,
    /// The most memory at once. Linux counts from before the command replaced this program, so a few MB are ours.
    pub(crate) peak_bytes: u64,
    /// The command was content.
    pub(crate) success: bool,
}

impl Usage {
    /// All CPU seconds.
    pub(crate) fn cpu(&self) -> f64 {
        self.user + self.system
    }
}

/// Runs a tool on a file, its output thrown away.
pub(crate) fn measure(tool: &Tool, file: &Path) -> anyhow::Result<Usage> {
    measure_command(tool.command(file)).with_context(|| format!("cannot run {}", tool.name))
}

/// Runs a command, its output thrown away.
pub(crate) fn measure_command(mut command: Command) -> anyhow::Result<Usage> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let begun = Instant::now();
    let mut child = command.spawn().context("it does not start")?;
    let end = child.wait4().context("it cannot be waited for")?;
    Ok(Usage {
        user: end.rusage.utime.as_secs_f64(),
        system: end.rusage.stime.as_secs_f64(),
        wall: begun.elapsed().as_secs_f64(),
        peak_bytes: end.rusage.maxrss,
        success: end.status.success(),
    })
}

/// The run in the middle by CPU time, with its own wall time; the most memory of any.
pub(crate) fn median(mut runs: Vec<Usage>) -> Usage {
    runs.sort_by(|a, b| a.cpu().total_cmp(&b.cpu()));
    let peak_bytes = runs.iter().map(|run| run.peak_bytes).max().unwrap_or(0);
    let success = runs.iter().all(|run| run.success);
    let none = Usage { user: 0.0, system: 0.0, wall: 0.0, peak_bytes, success };
    let middle = runs.get(runs.len() / 2).copied().unwrap_or(none);
    Usage { peak_bytes, success, ..middle }
}
