//! `blocklist`: the addresses whose ban is advised, as networks.

use answers::blocklist::{blocklist, to_json, to_text};
use answers::triage;
use clap::Args;

use crate::cli::{Input, NoQuery, Output};
use crate::exit::Exit;
use crate::{asked, print};

/// Nothing is blocked: this is a list for a firewall or another program.
#[derive(Debug, Args)]
pub(crate) struct Blocklist {
    #[command(flatten)]
    pub(crate) input: Input,
    #[command(flatten)]
    pub(crate) output: Output,
    #[command(flatten)]
    pub(crate) asked: NoQuery,
    /// Machine-readable, with reasons.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Runs the command.
pub(crate) fn run(args: &Blocklist) -> anyhow::Result<Exit> {
    asked::refuse(&args.asked, "`--since` and `--until`")?;
    anyhow::ensure!(!args.output.mask, "--mask: a list of masked addresses would block strangers; leave it out");
    let own = args.input.judged.settings().own_networks;
    let reading = args.input.reading(&args.output, false)?;
    let triaged = match triage::triage(reading) {
        Ok(triaged) => triaged,
        Err(error) => return Ok(Exit::nothing_readable(&error)),
    };
    let list = blocklist(&triaged.findings, &triaged.tally, &own);
    if args.json {
        print::json(&to_json(&list))?;
    } else {
        print::text(&to_text(&list))?;
    }
    Ok(Exit::of_reading(&triaged.read, args.output.quiet))
}
