//! The API against its own description: schemathesis makes requests out of `/api/v1/openapi.json`, sound ones and broken ones, and holds every answer against it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};

use crate::program;
use crate::served::Served;

/// The version that was looked at; it comes from PyPI.
const PACKAGE: &str = "schemathesis==4.32.5";
/// Cases for each operation.
const CASES: &str = "40";
/// The recording that is served.
const LOG: &str = "corpus/account_taken_over/mail.log";

/// Whether there is a Python to run it with.
pub(crate) fn available() -> bool {
    let venv = Command::new("python3").args(["-c", "import venv, ensurepip"]).output();
    venv.is_ok_and(|output| output.status.success())
}

/// What to hold.
#[derive(clap::Args, Default)]
pub(crate) struct Options {
    /// The program under test (default: it is built).
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

/// Fetches schemathesis into the target folder, if it is not there, and runs it.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let tool = install()?;
    let program = options.program.clone().map_or_else(program::release, Ok)?;
    let served = Served::start(&program, [LOG])?.ready()?;
    let address = format!("http://{}/api/v1/openapi.json", served.address);
    let mut command = Command::new(&tool);
    // What it keeps for itself it keeps where it works.
    command.current_dir(tool.parent().context("no folder of the tool's")?);
    command.args([
        "run",
        &address,
        "--checks",
        "all",
        "--phases",
        "examples,coverage,fuzzing",
        "--max-examples",
        CASES,
    ]);
    // A stream has no end.
    command.args(["--exclude-path", "/api/v1/stream"]);
    // A query or a time has a grammar of its own, which no schema tells: of texts made at random most are turned away.
    command.args(["--exclude-checks", "positive_data_acceptance"]);
    command.args(["--seed", "1", "--request-timeout", "60", "--generation-database", "none", "--no-color"]);
    let status = command.status().context("schemathesis does not start")?;
    ensure!(status.success(), "the API does not do what its description says");
    Ok(())
}

fn install() -> anyhow::Result<PathBuf> {
    // This very program was built into the same folder.
    let own = std::env::current_exe()?;
    let folder = own.parent().and_then(Path::parent).context("no target folder")?.join("schemathesis");
    let tool = folder.join("bin/schemathesis");
    if !tool.exists() {
        let made = Command::new("python3").args(["-m", "venv"]).arg(&folder).status()?;
        ensure!(made.success(), "python3 -m venv failed");
        let pip = Command::new(folder.join("bin/pip")).args(["install", "--quiet", PACKAGE]).status()?;
        ensure!(pip.success(), "pip could not install {PACKAGE}");
    }
    Ok(tool)
}
