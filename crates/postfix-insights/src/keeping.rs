//! `status` and `purge`: what the store holds, and taking out of it.

use std::path::Path;

use anyhow::{Context as _, bail};
use query::{Present, Query};
use store::index::{Date, Writer};
use store::state::State;

use crate::cli;
use crate::exit::Exit;
use crate::print;
use answers::retention;
use answers::screen::{escape, plural};
use answers::state;
use answers::times::{self, rfc3339};

/// What a purge's lines not yet on disk take at most, about.
const WRITER_BYTES: usize = 64 << 20;

/// A store that there is, in whatever layout.
pub(crate) fn named(folder: Option<&Path>) -> anyhow::Result<State> {
    let folder = folder.map(Path::to_owned).or_else(state::usual);
    let state = State::new(&folder.context("--state: no usual folder for it, because HOME is not set; name one")?);
    if !state.exists() {
        bail!("{}: nothing is stored there yet; fill it with `postfix-insights ingest FILES`", state.root().display());
    }
    Ok(state)
}

pub(crate) fn opened(folder: Option<&Path>) -> anyhow::Result<State> {
    let state = named(folder)?;
    state.check()?;
    Ok(state)
}

/// Runs `status`.
pub(crate) fn status(args: &cli::Status) -> anyhow::Result<Exit> {
    let state = opened(args.state.as_deref())?;
    let held = answers::status::status(&state)?;
    if args.json {
        print::json(&answers::status::to_json(&held))?;
    } else {
        let mut text = format!(
            "{}: {} of {}, {} bytes\n",
            state.root().display(),
            plural(held.entries, "line", "lines"),
            plural(held.days.len() as u64, "day", "days"),
            held.bytes
        );
        for source in &held.sources {
            let last = source.last.map(rfc3339).unwrap_or_default();
            let behind = source.lag_bytes.map(|bytes| format!(", {bytes} bytes behind")).unwrap_or_default();
            text += &format!("  {}: up to line {}, {last}{behind}\n", escape(&source.name), source.position);
        }
        print::text(&text)?;
    }
    held.damaged.iter().for_each(|damaged| print::error(damaged));
    Ok(if held.damaged.is_empty() { Exit::Ok } else { Exit::Partly })
}

/// Runs `purge`.
pub(crate) fn purge(args: &cli::Purge) -> anyhow::Result<Exit> {
    let state = opened(args.state.as_deref())?;
    let _lock = state.lock()?;
    let zone = answers::reading::zone(None)?;
    let present = Present { zone, now: jiff::Timestamp::now() };
    let mut days = Vec::new();
    if let Some(before) = &args.before {
        let instant = times::parse("--before", before, &present.zone, present.now)?;
        days.extend(retention::remove_before(&state, Date::of(instant))?);
    }
    days.extend(retention::enforce(&state, &args.retention.kept())?);
    let mut lines = 0;
    if let Some(text) = &args.query {
        lines += take_out(&state, &Query::parse(text, &present).map_err(|error| anyhow::anyhow!("--query: {error}"))?)?;
    }
    if let Some(person) = &args.person {
        lines += take_out(&state, &Query::naming(person))?;
    }
    print::text(&format!("{lines} lines and {} days removed\n", days.len()))?;
    Ok(Exit::Ok)
}

fn take_out(state: &State, query: &Query) -> anyhow::Result<u64> {
    if *query == Query::all() {
        bail!("--query: it means every line; to remove whole days use --before");
    }
    // It may quote them; the next `ingest` or `follow` makes it anew.
    state.forget()?;
    let mut writer = Writer::new(&state.index(), WRITER_BYTES, 1)?;
    let lines = writer.purge(query)?;
    let left: Vec<String> = writer.damaged().map(|(date, why)| format!("day {date} is left as it is: {why}")).collect();
    writer.finish()?;
    // Whoever asked for it must not believe that nothing is left.
    anyhow::ensure!(left.is_empty(), "{lines} lines removed, but {}; remove its folder", left.join("; "));
    Ok(lines)
}
