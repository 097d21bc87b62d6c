//! `cargo xtask test`: all tests, with the real daemons where they can be had.
//!
//! Without root, or where packages cannot be installed, it says what is missing and checks the recordings only.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

use crate::{contract, fuzz, peers, program};

/// What to leave out.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Check the recordings only; start no daemons.
    #[arg(long)]
    no_lab: bool,
    /// Do not fuzz.
    #[arg(long)]
    no_fuzz: bool,
    /// Seconds of fuzzing for each target.
    #[arg(long, default_value_t = 5, value_name = "SECONDS")]
    fuzz_seconds: u32,
}

/// Tests so far.
#[derive(Default)]
struct Score {
    passed: u64,
    failed: u64,
    skipped: u64,
    /// The real programs are installed: no test may leave itself out.
    programs: bool,
}

/// Runs everything, and closes with one line: `N passed, N failed, N skipped`.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let mut score = Score::default();
    // Tests that start real programs leave themselves out where these are not installed.
    if !options.no_lab && lab::available().is_ok() {
        lab::install().context("the packages of the lab")?;
        score.programs = true;
    }
    score.cargo_test(&["--workspace"], None)?;
    if options.no_lab {
        score.skip("the lab (--no-lab)");
    } else {
        lab_logs(&mut score)?;
        doctor(&mut score);
        browser(&mut score);
    }
    if contract::available() {
        score.part("the API's description", contract::run(&contract::Options::default()));
    } else {
        score.skip("the API's description (no python3 with venv)");
    }
    if options.no_fuzz {
        score.skip("fuzzing (--no-fuzz)");
    } else {
        score.part("fuzzing", fuzz::run(&fuzz::Options::seconds(options.fuzz_seconds)));
    }
    if peers::available() {
        score.part("other projects' lines", peers::run(&peers::Options::default()));
    } else {
        score.skip("other projects' lines (the folder is not here)");
    }
    println!("{} passed, {} failed, {} skipped", score.passed, score.failed, score.skipped);
    if score.failed > 0 { bail!("{} failed", score.failed) } else { Ok(()) }
}

/// Plays the lab afresh and checks its logs as the recordings are checked.
fn lab_logs(score: &mut Score) -> anyhow::Result<()> {
    if let Err(missing) = lab::available() {
        score.skip(&format!("the lab: {missing}"));
        return Ok(());
    }
    let played = lab::play(&lab::Options::default()).context("the lab")?;
    let Some(folder) = played.first().and_then(|recording| recording.dir.parent()) else {
        bail!("the lab played nothing")
    };
    println!("{} scenarios played afresh", played.len());
    score.cargo_test(&["--package", "postfix-insights", "--test", "corpus"], Some(folder))
}

/// Sets hosts up wrongly and has the doctor look at them.
fn doctor(score: &mut Score) {
    if let Err(missing) = lab::available() {
        score.skip(&format!("the doctor's hosts: {missing}"));
        return;
    }
    let result = program::release().and_then(|program| lab::hosts::run(&lab::hosts::Options::with(program)));
    score.part("the doctor's hosts", result);
}

/// Uses the pages in a real browser.
fn browser(score: &mut Score) {
    if let Err(missing) = browser::available() {
        score.skip(&format!("the pages in a browser: {missing}"));
        return;
    }
    let result = program::release()
        .and_then(|program| browser::run(&browser::Options { program: Some(program), ..browser::Options::default() }));
    score.part("the pages in a browser", result);
}

impl Score {
    fn skip(&mut self, what: &str) {
        println!("skipped: {what}");
        self.skipped += 1;
    }

    fn part(&mut self, what: &str, result: anyhow::Result<()>) {
        match result {
            Ok(()) => self.passed += 1,
            Err(error) => {
                println!("failed: {what}: {error:#}");
                self.failed += 1;
            }
        }
    }

    /// Runs `cargo test`, shows what it says, and adds up its results.
    fn cargo_test(&mut self, args: &[&str], recordings: Option<&Path>) -> anyhow::Result<()> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command.arg("test").arg("--quiet").arg("--no-fail-fast").args(args).stdout(Stdio::piped());
        if let Some(folder) = recordings {
            command.env("LAB_RECORDINGS", std::path::absolute(folder)?);
        }
        if self.programs {
            command.env("LAB_PROGRAMS", "installed");
        }
        let mut child = command.spawn().context("cannot run cargo")?;
        let before = self.failed;
        for line in BufReader::new(child.stdout.take().context("no pipe")?).lines() {
            let line = line?;
            println!("{line}");
            self.add(&line);
        }
        if !child.wait()?.success() && self.failed == before {
            self.failed += 1;
        }
        Ok(())
    }

    /// `test result: ok. 34 passed; 0 failed; 0 ignored; …`.
    fn add(&mut self, line: &str) {
        let Some(counts) = line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". ")) else { return };
        for part in counts.1.split("; ") {
            let Some((count, what)) = part.split_once(' ') else { continue };
            let count: u64 = count.parse().unwrap_or_default();
            match what {
                "passed" => self.passed += count,
                "failed" => self.failed += count,
                "ignored" => self.skipped += count,
                _ => {}
            }
        }
    }
}
