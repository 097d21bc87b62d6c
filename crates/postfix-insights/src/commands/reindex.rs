//! `reindex`: a store that an older version wrote, brought up to date out of its own lines.

use answers::screen::plural;
use serde_json::json;
use store::index::{Reindexed, WriteError, Writer};
use store::state::State;

use crate::cli;
use crate::exit::Exit;
use crate::keeping;
use crate::print;

/// What lines not yet on disk take at most, about.
const WRITER_BYTES: usize = 192 << 20;

/// Runs the command.
pub(crate) fn run(args: &cli::Reindex) -> anyhow::Result<Exit> {
    let state = keeping::named(args.state.as_deref())?;
    let lock = state.lock_to_reindex()?;
    let done = reindex(&state, args.quiet)?;
    state.is_up_to_date(&lock)?;
    for (date, why) in &done.damaged {
        let folder = state.index().join(date.to_string());
        print::error(&format!(
            "day {date}: {why}; it is left as it is, until its folder is removed and its logs are ingested again: {}",
            folder.display()
        ));
    }
    if args.json {
        let damaged: Vec<String> = done.damaged.iter().map(|(date, _)| date.to_string()).collect();
        print::json(&json!({"days": done.days.len(), "lines": done.lines, "damaged": damaged}))?;
    } else {
        let (days, lines) = (plural(done.days.len() as u64, "day", "days"), plural(done.lines, "line", "lines"));
        print::text(&format!("{days} of {lines} written anew: {}\n", state.root().display()))?;
    }
    Ok(if done.damaged.is_empty() { Exit::Ok } else { Exit::Partly })
}

fn reindex(state: &State, quiet: bool) -> anyhow::Result<Reindexed> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut writer = Writer::new(&state.index(), WRITER_BYTES, threads)?;
    let all = writer.outdated().len();
    if all > 0 {
        // It was made of the lines as the older version read them.
        state.forget()?;
    }
    let mut at = 0;
    let begins = |date| {
        at += 1;
        if !quiet {
            print::note(&format!("day {date}, {at} of {all}"));
        }
    };
    writer.reindex(begins).map_err(|error| way_on(error, state))
}

/// A day needs room for itself once more: says so where there was none.
fn way_on(error: WriteError, state: &State) -> anyhow::Error {
    let is_full = error.is_full();
    let told = anyhow::Error::from(error);
    if !is_full {
        return told;
    }
    told.context(format!(
        "the disk is full: the store's days are whole, some of them written anew, and the largest day has to fit beside itself; make room and run `postfix-insights reindex --state {}` again",
        state.root().display()
    ))
}
