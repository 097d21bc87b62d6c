//! The program under test, built in release mode.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, ensure};

/// Builds the program and says where it is.
pub(crate) fn release() -> anyhow::Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--quiet", "--release", "--package", "postfix-insights"])
        .status()
        .context("cannot run cargo")?;
    ensure!(status.success(), "the program does not build");
    // This very program was built into the same folder.
    let own = std::env::current_exe()?;
    Ok(own.with_file_name("postfix-insights"))
}
