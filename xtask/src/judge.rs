//! `cargo xtask judge`: how well findings tell what was staged.
//!
//! Seeds below 1000 are for whoever works on the detectors; those from 1000 on are for judging, and nobody looks into their misses
//! to turn a figure.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail, ensure};
use loggen::stage::score::{Score, Share};
use loggen::stage::{Mix, Plan, stage};

use crate::program;

/// What to judge by.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The first and the last seed, e.g. `1000-1004`.
    #[arg(long, value_name = "FIRST-LAST", default_value = "1000-1004", value_parser = parse_seeds)]
    seeds: (u64, u64),
    /// People with an account on each server.
    #[arg(long, default_value_t = 200)]
    accounts: usize,
    /// Days of each log.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(3..=366))]
    days: u32,
    /// Attacks of each kind in each log.
    #[arg(long, default_value_t = 3)]
    scale: usize,
    /// Only this mix.
    #[arg(long, value_name = "NAME")]
    mix: Option<String>,
    /// Tell of each miss.
    #[arg(short, long)]
    verbose: bool,
    /// Keep the logs in this folder.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Judge this program instead of building the workspace's own.
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

/// Stages, asks, scores, prints, and fails if a figure is not reached.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let program = match &options.program {
        Some(program) => program.clone(),
        None => program::release()?,
    };
    let folder =
        options.keep.clone().unwrap_or_else(|| std::env::temp_dir().join(format!("judge-{}", std::process::id())));
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let score = judge(options, &program, &folder);
    if options.keep.is_none() {
        std::fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    let score = score?;
    print(&score, options.verbose);
    let complaints = score.complaints();
    ensure!(complaints.is_empty(), "{}", complaints.join("; "));
    Ok(())
}

fn judge(options: &Options, program: &Path, folder: &Path) -> anyhow::Result<Score> {
    let mut score = Score::default();
    for seed in options.seeds.0..=options.seeds.1 {
        for mix in Mix::ALL.into_iter().filter(|mix| options.mix.as_deref().is_none_or(|name| name == mix.name())) {
            let plan = Plan { seed, accounts: options.accounts, days: options.days, attacks: options.scale, mix };
            let name = format!("{}-{seed}", mix.name());
            let log = folder.join(format!("{name}.log"));
            let file = File::create(&log).with_context(|| format!("cannot create {}", log.display()))?;
            let truth = stage(&plan, file)?;
            score.add(&truth, &ask(program, &log)?, &name);
        }
    }
    Ok(score)
}

fn ask(program: &Path, log: &Path) -> anyhow::Result<serde_json::Value> {
    let mut command = Command::new(program);
    command.args(["triage", "--json", "--top", "0", "--timezone", "UTC"]).arg(log);
    let output = command.output().with_context(|| format!("cannot run {}", program.display()))?;
    if !output.status.success() {
        bail!("triage: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn print(score: &Score, verbose: bool) {
    let row = |what: &str, share: Option<&Share>| match share {
        Some(share) => format!("{what:>6} {:.3} ({} of {})", share.part(), share.hits, share.of),
        None => format!("{what:>6} -"),
    };
    let kinds: std::collections::BTreeSet<&String> = score.recall.keys().chain(score.precision.keys()).collect();
    for kind in kinds {
        let (recall, precision) = (row("recall", score.recall.get(kind)), row("precision", score.precision.get(kind)));
        println!("{kind:30} {recall:32} {precision}");
    }
    println!("{:30} {}", "attacks with ten tries or more", row("recall", Some(&score.attack_recall())));
    println!("{:30} {}", "lone attackers to be banned", row("", Some(&score.banned)));
    println!("{:30} {}", "account_takeover", row("recall", Some(&score.takeovers)));
    println!(
        "{:30} {:.2} for 1,000 accounts and week ({})",
        "false takeovers",
        score.false_flags(),
        score.false_takeovers
    );
    println!("{:30} {}", "honest addresses to be banned", score.honest_banned);
    for note in score.notes.iter().filter(|_| verbose) {
        println!("  {note}");
    }
}

fn parse_seeds(text: &str) -> Result<(u64, u64), String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let seed = |text: &str| text.parse().map_err(|_| format!("{text} is no seed"));
    Ok((seed(first)?, seed(last)?))
}
