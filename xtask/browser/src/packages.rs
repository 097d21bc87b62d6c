//! What the checks run: packages of Debian's, and axe-core from npm, kept in the target folder.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

/// Programs, and the packages they come in.
const PROGRAMS: [(&str, &str); 6] = [
    ("chromium", "chromium"),
    ("chromedriver", "chromium-driver"),
    ("nginx", "nginx-light"),
    ("apache2", "apache2-bin"),
    ("caddy", "caddy"),
    ("npm", "npm"),
];
/// The version of axe-core: a newer one may find more.
const AXE: &str = "axe-core@4.10.3";

/// Says what stands in the way, without changing anything.
pub(crate) fn check() -> Result<()> {
    lab::packages::may_fetch(&missing())
}

/// Fetches what is missing.
pub(crate) fn install() -> Result<()> {
    lab::packages::fetch(&missing())
}

fn missing() -> Vec<&'static str> {
    let is_there = |program: &str| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).chain(["/usr/sbin".into()]).any(|folder| folder.join(program).exists())
    };
    PROGRAMS.into_iter().filter(|(program, _)| !is_there(program)).map(|(_, package)| package).collect()
}

/// axe-core's script, fetched once into a folder.
pub(crate) fn axe(folder: &Path) -> Result<PathBuf> {
    let script = folder.join("node_modules/axe-core/axe.min.js");
    if !script.exists() {
        std::fs::create_dir_all(folder)?;
        let mut npm = Command::new("npm");
        npm.args(["install", "--silent", "--no-audit", "--no-fund", "--no-save", "--ignore-scripts", "--prefix"])
            .arg(folder)
            .arg(AXE);
        let status = npm.status().context("cannot run npm")?;
        ensure!(status.success() && script.exists(), "npm does not install {AXE}");
    }
    Ok(script)
}
