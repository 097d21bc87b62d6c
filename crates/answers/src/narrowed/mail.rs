//! The lines of mails: by queue id, and on to what a queue file was made from or into.

use std::collections::BTreeSet;

use query::{Entry, Expr, Query};
use store::index::{Kept, Pick};

use super::parts::{all, any, event, says, word};
use super::sessions::Sessions;
use crate::story::Wanted;

/// Ids asked for in one go.
const AT_ONCE: usize = 500;
/// Fields that name queue files.
const IDS: [&str; 3] = ["queue_id", "orig_queue_id", "next_queue_id"];

/// Queue files and Message-IDs to look for, and those that were.
#[derive(Default)]
pub(super) struct Trail {
    known: BTreeSet<String>,
    next: Vec<String>,
    /// A content filter may hand a mail on without a queue id: then its Message-ID leads on.
    by_message: bool,
    known_messages: BTreeSet<String>,
    messages: Vec<String>,
    /// In which the mails came in: a filter in front of the queue hands them in under its own name.
    sessions: Sessions,
}

impl Trail {
    /// A line of which the queue files are wanted.
    pub(super) fn see(&mut self, entry: &Entry, kept: &Kept) {
        self.sessions.see(entry, kept);
        for id in [&entry.queue_id, &entry.orig_queue_id, &entry.next_queue_id].into_iter().flatten() {
            self.add(id);
        }
        // A filter in front of the queue has taken it.
        let passed_on = entry.response.as_deref().filter(|_| entry.event.as_deref() == Some("policy"));
        if let Some(id) = passed_on.and_then(|reply| maillog::queued_as(reply.as_bytes())) {
            self.add(&String::from_utf8_lossy(id.as_bytes()));
        }
        let message = entry.message_id.as_ref().filter(|id| self.by_message && !id.is_empty());
        if let Some(id) = message
            && self.known_messages.insert(id.clone())
        {
            self.messages.push(id.clone());
        }
    }

    fn add(&mut self, id: &str) {
        if self.known.insert(id.to_owned()) {
            self.next.push(id.to_owned());
        }
    }

    /// Picks the lines of all that was seen, of what that leads to, and of the sessions in which it came in.
    pub(super) fn follow(&mut self, pick: &mut Pick<'_>) {
        while let Some(query) = self.next_query() {
            pick.add_such(&query, |entry, kept| {
                let is_meant = self.means(entry);
                if is_meant {
                    self.see(entry, kept);
                }
                is_meant
            });
        }
        std::mem::take(&mut self.sessions).pick(pick, |_, _| ());
    }

    /// Whether a line that was found names one of the queue files or messages.
    fn means(&self, entry: &Entry) -> bool {
        let ids = [&entry.queue_id, &entry.orig_queue_id, &entry.next_queue_id].into_iter().flatten();
        ids.into_iter().any(|id| self.known.contains(id))
            || entry.message_id.as_ref().is_some_and(|id| self.known_messages.contains(id))
            || entry.event.as_deref() == Some("policy")
    }

    fn next_query(&mut self) -> Option<Query> {
        let take = |list: &mut Vec<String>| list.split_off(list.len().saturating_sub(AT_ONCE));
        let (ids, messages) = (take(&mut self.next), take(&mut self.messages));
        let by_id = IDS.iter().flat_map(|field| ids.iter().map(|id| word(field, id)));
        let passed_on = ids.iter().map(|id| all(vec![event("policy"), says(id)]));
        let parts: Vec<Expr> = by_id.chain(passed_on).chain(messages.iter().map(|id| word("message_id", id))).collect();
        (!parts.is_empty()).then(|| Query::of(any(parts)))
    }
}

/// Picks the lines of the mails that are wanted.
pub(super) fn pick(wanted: &Wanted, pick: &mut Pick<'_>) {
    let mut trail = Trail { by_message: true, ..Trail::default() };
    let words = |fields: &[&str], value: &[u8]| {
        let value = String::from_utf8_lossy(value);
        Query::of(any(fields.iter().map(|field| word(field, &value)).collect()))
    };
    let id = wanted.id().map(|id| words(&["queue_id", "orig_queue_id", "next_queue_id", "message_id"], id));
    let from = wanted.from().map(|from| words(&["from"], from));
    let to = wanted.to().map(|to| words(&["to", "orig_to"], to));
    // Sender and recipient stand in different lines of a mail: what is rarest is looked for, and all of it decided in reading.
    let given = [id, from, to].into_iter().flatten();
    let rarest = given.min_by_key(|query| pick.number(query)).unwrap_or_else(Query::all);
    pick.add(&rarest, |entry, kept| trail.see(entry, kept));
    trail.follow(pick);
}
