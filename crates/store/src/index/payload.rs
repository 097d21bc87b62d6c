//! What a day's commit says besides its lines: from which sources they are, and how far each of them is in.
//!
//! It is part of the commit itself, so it can never disagree with the lines. A line of a source belongs to a day by its own time (one
//! without a time by that of the line before it), and is new if and only if its number is above [`Part::last`].

use std::collections::BTreeMap;

use input::Identity;
use serde::{Deserialize, Serialize};

/// The layout that this version writes. What it is made of is in `docs/reference/store.md`.
///
/// Whoever raises it keeps what `Day::open_to_renew` needs of the layouts from [`OLDEST`] on, and adds a store in the last one to
/// `tests/layouts`.
pub const LAYOUT: u32 = 3;
/// The oldest layout that is written anew; what came before it cannot be read.
pub const OLDEST: u32 = 1;

/// Said with each commit of a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payload {
    /// The layout it was written in.
    pub layout: u32,
    /// Lines without a time are among the day's.
    #[serde(default)]
    pub undated: bool,
    /// A value was longer than its term may be, or was looked for in the text and is not there.
    #[serde(default)]
    pub cut: bool,
    /// Names and addresses are pseudonyms.
    #[serde(default)]
    pub pseudonyms: bool,
    /// Sources by number.
    #[serde(default)]
    pub sources: BTreeMap<u64, Part>,
}

/// The lines of one source in one day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// What the source is known by, whatever it is called.
    pub identity: Identity,
    /// What it was called when it was first read.
    pub name: String,
    /// The first of its lines here, from 1.
    pub first: u64,
    /// The last of its lines here. All of the day's lines up to it are in.
    pub last: u64,
    /// The latest time of its lines here, microseconds since 1970 UTC.
    pub turn: i64,
    /// The earliest time of its lines here. Layout 1 did not always say it: then it may be any.
    #[serde(default = "any_time")]
    pub from: i64,
}

/// The earliest time of lines of which it is not known.
pub(super) const ANY_TIME: i64 = i64::MIN;

fn any_time() -> i64 {
    ANY_TIME
}

impl Default for Payload {
    fn default() -> Self {
        Self { layout: LAYOUT, undated: false, cut: false, pseudonyms: false, sources: BTreeMap::new() }
    }
}
