//! Messages that belong together: one mail on its way through queue files, and the notices about it.
//!
//! Input: the messages with their links. Output: for each recipient of the mail the last word about it.

use foldhash::HashMapExt as _;

use crate::Map;
use crate::attempt::Where;
use crate::message::parts::{End, Fate, FromClient, LinkKind};
use crate::message::record::Message;

/// An address, and the one before aliases where that tells two recipients apart.
type Addresses<'a> = (&'a [u8], Option<&'a [u8]>);

/// One mail with all its queue files, in the order in which they were first seen.
#[derive(Clone, Debug)]
pub struct Story {
    messages: Vec<Message>,
    first: usize,
}

impl Story {
    /// Puts messages in order. The story is of the first one that was made from none of the others.
    pub(super) fn new(mut messages: Vec<Message>) -> Self {
        messages.sort_by_key(|message| message.number);
        let known = |number: u64| messages.binary_search_by_key(&number, |message| message.number).is_ok();
        let root = |message: &Message| !message.parent.is_some_and(|parent| known(parent.message));
        let first = messages.iter().position(|m| root(m) && m.username().is_some());
        let first = first.or_else(|| messages.iter().position(root)).unwrap_or_default();
        Self { messages, first }
    }

    pub(super) fn into_messages(self) -> Vec<Message> {
        self.messages
    }

    /// All of them; never empty.
    #[must_use]
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// The one that the others were made from.
    #[must_use]
    pub fn first(&self) -> Option<&Message> {
        self.messages.get(self.first)
    }

    /// The one with this number.
    #[must_use]
    pub fn message(&self, number: u64) -> Option<&Message> {
        let at = self.messages.binary_search_by_key(&number, |message| message.number).ok()?;
        self.messages.get(at)
    }

    /// The client it came from, if it came from one.
    #[must_use]
    pub fn client(&self) -> Option<&FromClient> {
        self.first()?.client()
    }

    /// Where and when it was accepted from a client.
    #[must_use]
    pub fn at(&self) -> Option<&Where> {
        self.client().map(|client| &client.at)
    }

    /// The first queue id.
    #[must_use]
    pub fn queue_id(&self) -> &[u8] {
        self.first().map_or(b"", Message::queue_id)
    }

    /// The account that sent it.
    #[must_use]
    pub fn username(&self) -> Option<&[u8]> {
        self.first()?.username()
    }

    /// Whether the end of each of its queue files is in the log: nothing more will happen.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.messages.iter().all(|message| !message.end_missing())
    }

    /// Whether it got into the queue, as far as the log shows: it was not refused, its client did not break off, and nobody else had its
    /// queue id before anything was heard of it.
    #[must_use]
    pub fn got_in(&self) -> bool {
        self.first().is_none_or(|message| match message.end {
            End::Canceled | End::Refused => false,
            End::Missing => message.recipients().len() > 0,
            _ => true,
        })
    }

    /// Every recipient with its last fate, sorted by address: one twice if two aliases lead to it. Where a queue file handed a recipient on, the next one tells.
    /// Recipients that a filter changed or dropped are told as [`Fate::HandedOn`] only if nothing else is known.
    #[must_use]
    pub fn fates(&self) -> Vec<(&[u8], Fate)> {
        let mut last: Map<Addresses<'_>, (i64, Fate)> = Map::new();
        let mut handed_on = false;
        let itself = |message: &&Message| !self.is_notice(message);
        let by_aliases = self.by_aliases();
        for row in self.messages.iter().filter(itself).flat_map(Message::recipients) {
            handed_on |= row.fate == Fate::HandedOn;
            let alias = row.orig_to.filter(|_| by_aliases.contains_key(row.to));
            last.entry((row.to, alias))
                .and_modify(|known| {
                    if later(*known, (row.last, row.fate)) {
                        *known = (row.last, row.fate);
                    }
                })
                .or_insert((row.last, row.fate));
        }
        let mut fates: Vec<(&[u8], Fate)> = last.into_iter().map(|((to, _), (_, fate))| (to, fate)).collect();
        if handed_on && fates.iter().any(|(_, fate)| *fate != Fate::HandedOn) {
            fates.retain(|(_, fate)| *fate != Fate::HandedOn);
        }
        fates.sort_unstable();
        fates
    }

    /// Addresses that are several recipients of one queue file. The others may have been aliases in one queue file and none in the next.
    fn by_aliases(&self) -> Map<&[u8], ()> {
        let mut several = Map::new();
        for message in self.messages.iter().filter(|message| message.recipients().any(|row| row.orig_to.is_some())) {
            let mut seen: Map<&[u8], ()> = Map::new();
            several
                .extend(message.recipients().filter(|row| seen.insert(row.to, ()).is_some()).map(|row| (row.to, ())));
        }
        several
    }

    /// Whether a message is a notice about another one of the story, or a notice on its way.
    #[must_use]
    pub fn is_notice(&self, message: &Message) -> bool {
        let mut parent = message.parent;
        for _ in 0..self.messages.len() {
            match parent {
                Some(link) if link.kind == LinkKind::Notice => return true,
                Some(link) => parent = self.message(link.message).and_then(|above| above.parent),
                None => return false,
            }
        }
        false
    }

    /// How many recipients met this fate at last.
    #[must_use]
    pub fn count(&self, fate: Fate) -> usize {
        self.fates().iter().filter(|(_, last)| *last == fate).count()
    }
}

/// Whether the second word about a recipient replaces the first.
fn later(known: (i64, Fate), new: (i64, Fate)) -> bool {
    match (known.1, new.1) {
        (Fate::HandedOn, _) => new.1 != Fate::HandedOn,
        (_, Fate::HandedOn) => false,
        _ => new.0 >= known.0,
    }
}
