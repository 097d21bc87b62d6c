//! Where the store is: the usual folder, and what is wrong with a store's days in words.

use std::path::PathBuf;

use store::index::{Damaged, Index};
use store::state::State;

use crate::times::Clock;

/// Where the system keeps it.
const SYSTEM: &str = "/var/lib/postfix-insights";

/// The usual folder: the system's for root and for whoever may write there, else the user's own. `None`: there is no home.
pub fn usual() -> Option<PathBuf> {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let of_user = std::env::var_os("XDG_STATE_HOME")
        .map(PathBuf::from)
        .filter(|folder| folder.is_absolute())
        .or_else(|| home.filter(|home| home.is_absolute()).map(|home| home.join(".local/state")))
        .map(|folder| folder.join("postfix-insights"));
    let system = PathBuf::from(SYSTEM);
    if State::new(&system).exists() || is_root() { Some(system) } else { of_user }
}

/// Root's own processes belong to user 0.
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

/// The store's days, their sources called by their present names.
pub fn index(state: &State) -> Index {
    // Without the names, sources are called what they were called at first.
    Index::new(&state.index()).with_names(state.names().unwrap_or_default())
}

/// Which store answers, and up to when it knows the log.
pub fn answers(state: &State, clock: &Clock) -> String {
    let last = index(state).latest().ok().flatten();
    let known = last.map_or_else(|| "which is empty".to_owned(), |last| format!("up to {}", clock.long(last)));
    let root = state.root().display();
    format!("the answer is from the store {root}, {known}; for newer lines name the files, or `ingest` them first")
}

/// What is wrong with a day.
pub fn words(damaged: &Damaged) -> String {
    format!("day {}: {}; the other days are in the answer", damaged.day, damaged.why)
}
