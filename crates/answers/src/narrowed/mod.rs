//! Which lines of a store an answer about one client, account or mail hangs on.
//!
//! A question goes in; the lines that matter are picked out of the store, and are then read as all of them would be. Lines too many do no
//! harm (they are true), a line too few would: so every rule of the tracer and of the diagnosis that looks beyond a client's own session
//! has its step here, and a test compares the answers with those of the whole log.

mod mail;
pub(crate) mod parts;
mod sessions;
mod subject;

use query::Query;
use store::index::Pick;

use crate::story::Wanted;
use crate::subject::Subject;
use parts::{all, event, missing};

/// Lines not understood that are read for what they look like; of more, only the number is told.
const UNKNOWN_READ: u64 = 20_000;

/// What is asked about.
#[derive(Clone, Debug)]
pub(crate) enum Narrow {
    /// A client or an account.
    Subject(Subject),
    /// Mails.
    Mail(Wanted),
}

/// Of how many lines what could not be told without reading them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Unread {
    /// Lines not understood.
    pub(crate) unknown: u64,
    /// Of these, those with text but without a time.
    pub(crate) bad_time: u64,
}

impl Narrow {
    /// Picks the lines that matter of a time.
    pub(crate) fn pick(&self, pick: &mut Pick<'_>, time: &Query) {
        match self {
            Self::Subject(asked) => subject::pick(asked, pick, time),
            Self::Mail(wanted) => mail::pick(wanted, pick),
        }
    }
}

/// Picks lines that tell of what is missing or not understood, as far as they are few.
pub(crate) fn pick_unknown(pick: &mut Pick<'_>) -> Unread {
    pick.add(&Query::of(event("lines_lost")), |_, _| ());
    let unknown = Query::of(event("unknown"));
    let mut unread = Unread { unknown: pick.number(&unknown), bad_time: 0 };
    let untimed = Query::of(all(vec![event("unknown"), missing("ts")]));
    pick.add_again(if unread.unknown <= UNKNOWN_READ { &unknown } else { &untimed }, |entry, kept| {
        let raw = kept.raw.as_deref().unwrap_or_default();
        unread.bad_time += u64::from(kept.record(0).is_none() && !raw.trim_ascii().is_empty() && entry.ts.is_none());
    });
    unread
}
