//! `status`: what a store holds. A state directory goes in; days, sizes, and sources with how far they are in come out.

use anyhow::Context as _;
use serde_json::{Value, json};
use store::index::{DayState, Identity};
use store::state::State;

use crate::state;
use crate::times::rfc3339;

/// What a store holds.
pub struct Status {
    /// Lines.
    pub entries: u64,
    /// Bytes on disk.
    pub bytes: u64,
    /// From old to new.
    pub days: Vec<DayState>,
    /// By their numbers in the store.
    pub sources: Vec<SourceStatus>,
    /// Days that could not be read, in words.
    pub damaged: Vec<String>,
}

/// A source and how far it is in.
pub struct SourceStatus {
    /// What it is called now.
    pub name: String,
    /// What it is known by.
    pub fingerprint: Option<String>,
    /// Its last line that is in.
    pub position: u64,
    /// How many bytes a followed file is ahead of the store; `None` where that is not known.
    pub lag_bytes: Option<u64>,
    /// When that line had its turn, microseconds since 1970 UTC.
    pub last: Option<i64>,
}

/// Looks.
pub fn status(state: &State) -> anyhow::Result<Status> {
    let index = state::index(state);
    let days = index.states().with_context(|| state.index().display().to_string())?;
    let sources = index.sources()?;
    let followed = state.followed()?;
    let rows = sources.numbers().map(|number| {
        let parts = || days.iter().filter_map(move |day| day.payload.sources.get(&number));
        // A file that is gone or shorter has nothing more to give.
        let ahead = |(path, read): &(String, u64)| Some(std::fs::metadata(path).ok()?.len().saturating_sub(*read));
        SourceStatus {
            lag_bytes: followed.get(&number).and_then(ahead),
            name: sources.name(number).to_owned(),
            fingerprint: sources.identity(number).map(Identity::short),
            position: parts().map(|part| part.last).max().unwrap_or_default(),
            last: parts().map(|part| part.turn).max(),
        }
    });
    let rows = rows.collect();
    let sum = |of: fn(&DayState) -> u64| days.iter().map(of).sum::<u64>();
    let damaged = index.told().damaged.iter().map(state::words).collect();
    Ok(Status { entries: sum(|day| day.lines), bytes: sum(|day| day.bytes), sources: rows, damaged, days })
}

/// What `status --json` prints.
#[must_use]
pub fn to_json(status: &Status) -> Value {
    let day = |day: &DayState| json!({"day": day.date.to_string(), "entries": day.lines, "bytes": day.bytes});
    let source = |source: &SourceStatus| {
        json!({
            "name": source.name, "fingerprint": source.fingerprint, "position": source.position, "lag_bytes": source.lag_bytes,
            "last": source.last.map(rfc3339),
        })
    };
    json!({
        "entries": status.entries, "bytes": status.bytes, "days": status.days.iter().map(day).collect::<Vec<_>>(),
        "sources": status.sources.iter().map(source).collect::<Vec<_>>(),
    })
}
