//! `ingest`: log files into the store.

use answers::ingest::ingest;
use answers::state;
use anyhow::Context as _;
use serde_json::json;
use store::state::State;

use crate::cli;
use crate::exit::Exit;
use crate::print;

/// Runs the command.
pub(crate) fn run(args: &cli::Ingest) -> anyhow::Result<Exit> {
    let reading = args.input.files_only(&args.output)?;
    let folder = args.input.state.clone().or_else(state::usual);
    let state = State::new(&folder.context("--state: no usual folder for it, because HOME is not set; name one")?);
    let _lock = state.lock()?;
    let quiet = args.output.quiet;
    let early = |file: &std::path::Path, lines: u64| {
        if !quiet {
            print::note(&format!("{}: {lines} lines can be searched; now the older ones", file.display()));
        }
    };
    let ingested = match ingest(&state, reading, &args.retention.kept(), early)? {
        Ok(ingested) => ingested,
        Err(error) => return Ok(Exit::nothing_readable(&error)),
    };
    let exit = Exit::of_reading(&ingested.read, quiet);
    if let Some(error) = &ingested.failure {
        print::error(&format!("{error:#}"));
        return Ok(Exit::Partly);
    }
    let (new, known, removed) = (ingested.new, ingested.known, ingested.removed.len());
    if args.json {
        print::json(
            &json!({"new": new, "known": known, "lines": ingested.read.coverage.lines, "removed_days": removed}),
        )?;
    } else if !quiet {
        let days = if removed == 0 { String::new() } else { format!("; {removed} old days removed") };
        print::text(&format!("{new} lines taken in, {known} were in already{days}: {}\n", state.root().display()))?;
    }
    Ok(exit)
}
