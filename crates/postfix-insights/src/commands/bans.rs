//! `bans`: what fail2ban (and CrowdSec) did, beside the mail log.

use std::path::{Path, PathBuf};

use answers::bans::{self, Decision, Page};
use answers::mask::Mask;
use answers::reading::Reading;
use answers::times::Clock;
use anyhow::Context as _;
use clap::Args;
use diagnose::fail2ban::{History, Sight};
use input::Coverage;

use crate::cli::{Input, NoQuery, Output};
use crate::exit::Exit;
use crate::{asked, print};

/// Where fail2ban logs unless told otherwise (`fail2ban.conf`, logtarget).
pub(crate) const LOG: &str = "/var/log/fail2ban.log";

/// Where bans are read about.
#[derive(Clone, Debug, Args)]
pub(crate) struct Sources {
    /// fail2ban's own log; may be given several times, rotated ones too.
    #[arg(long, value_name = "FILE")]
    pub(crate) fail2ban_log: Vec<PathBuf>,
    /// CrowdSec's decisions, as `cscli decisions list -o json` prints them.
    #[arg(long, value_name = "FILE")]
    pub(crate) crowdsec: Option<PathBuf>,
}

impl Sources {
    /// Whether bans were asked for.
    pub(crate) fn are_named(&self) -> bool {
        !self.fail2ban_log.is_empty() || self.crowdsec.is_some()
    }

    /// What fail2ban's logs say; without any, nothing.
    pub(crate) fn history(&self, reading: &Reading) -> anyhow::Result<(History, Coverage)> {
        if self.fail2ban_log.is_empty() {
            return Ok((History::default(), Coverage::default()));
        }
        bans::history(&self.fail2ban_log, reading).map_err(|error| anyhow::anyhow!("--fail2ban-log: {error}"))
    }

    /// CrowdSec's decisions; without a file, none.
    pub(crate) fn decisions(&self) -> anyhow::Result<Vec<Decision>> {
        let Some(file) = &self.crowdsec else { return Ok(Vec::new()) };
        let named = || format!("--crowdsec {}", file.display());
        let text = std::fs::read_to_string(file).with_context(named)?;
        bans::decisions(&text).with_context(named)
    }
}

/// Nothing is sent to fail2ban: its log is read, and commands that would change something are only shown.
#[derive(Debug, Args)]
pub(crate) struct Bans {
    #[command(flatten)]
    pub(crate) input: Input,
    #[command(flatten)]
    pub(crate) output: Output,
    #[command(flatten)]
    pub(crate) asked: NoQuery,
    #[command(flatten)]
    pub(crate) sources: Sources,
    /// Machine-readable.
    #[arg(long)]
    pub(crate) json: bool,
    /// Rows per list; 0 is all (default: 10, with --json 100).
    #[arg(long, value_name = "N")]
    pub(crate) top: Option<usize>,
}

/// Runs the command. A blind jail is a fault.
pub(crate) fn run(args: &Bans) -> anyhow::Result<Exit> {
    asked::refuse(&args.asked, "`--since` and `--until`")?;
    let mut sources = args.sources.clone();
    if !sources.are_named() {
        anyhow::ensure!(
            Path::new(LOG).exists(),
            "no ban to read about: there is no {LOG}; name it with --fail2ban-log FILE (`fail2ban-client get logtarget` tells where it is)"
        );
        sources.fail2ban_log.push(LOG.into());
    }
    let reading = args.input.reading(&args.output, false)?;
    let clock = Clock::new(reading.zone());
    let (history, decisions) = (sources.history(&reading)?, sources.decisions()?);
    let bans = match bans::bans(reading, history, decisions) {
        Ok(bans) => bans,
        Err(error) => return Ok(Exit::nothing_readable(&error)),
    };
    for problem in &bans.log.problems {
        print::error(&problem.to_string());
    }
    let mask = Mask(args.output.mask);
    if args.json {
        print::json(&bans::to_json(&bans, args.top.unwrap_or(100), mask))?;
    } else {
        let (top, screen) = (args.top.unwrap_or(10), args.output.screen());
        print::text(&Page { bans: &bans, top, mask, screen, clock: &clock }.draw())?;
    }
    let blind = bans.jails.values().any(|jail| matches!(jail.sight, Sight::Blind | Sight::PartlyBlind));
    let exit = Exit::of_reading(&bans.read, args.output.quiet);
    Ok(if exit == Exit::Ok && blind { Exit::Fault } else { exit })
}
