//! Where the queue files under way are kept: places that are used again, found by host and queue id.

use std::hash::BuildHasher as _;

use maillog::QueueId;

use crate::message::delay::Handle;
use crate::message::parts::{End, Origin};
use crate::message::record::Message;
use crate::message::tracker::{Messages, Place};
use crate::names::Symbol;

/// Host and queue id, hashed: millions of lines are looked up by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key(u64);

/// A queue file under way.
pub(super) struct File {
    pub(super) message: Message,
    pub(super) key: Key,
    pub(super) host: Symbol,
    pub(super) state: State,
    /// The story it belongs to, if it belongs together with others.
    pub(super) story: Option<u64>,
    /// Its client's counters say that it was taken.
    pub(super) taken: bool,
    /// It has been on hold: it is in the queue, even if the queue manager has not had it.
    pub(super) held: bool,
    /// `Logins` only: it came from this host itself, and belongs to no followed message so far.
    pub(super) unclaimed: bool,
    /// Until when a message made from it is waited for, after its own end.
    pub(super) awaits: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Open,
    /// Ended; lines may still come late.
    Closing,
    /// Ended, and not told yet.
    Ended,
    /// Told, and kept for the rest of its story.
    Over,
    /// The place is free.
    Free,
}

impl Messages {
    pub(super) fn open(&mut self, place: Place<'_>, id: QueueId<'_>, line: u64, time: i64) -> u32 {
        let key = self.key(place.host, id.as_bytes());
        let number = self.next;
        self.next += 1;
        let slot = self.free.pop().unwrap_or_else(|| {
            self.files.push(File::new());
            u32::try_from(self.files.len() - 1).unwrap_or(u32::MAX)
        });
        let Some(file) = self.files.get_mut(slot as usize) else { return slot };
        let names = (place.names.string(place.host), place.names.string(place.tag));
        file.message.restart(number, names, id.as_bytes());
        file.message.begin(line, time);
        (file.key, file.host, file.state) = (key, place.host, State::Open);
        (file.story, file.held, file.taken) = (None, false, false);
        (file.unclaimed, file.awaits) = (false, i64::MIN);
        self.bytes += file.message.bytes();
        self.live += 1;
        self.keys.insert(key, slot);
        if self.by_age.len() > 2 * self.live + 1_024 {
            let files = &self.files;
            self.by_age.retain(|handle| is(files, *handle));
        }
        self.by_age.push_back(Handle { slot, number });
        if self.follow.is_all() {
            self.links.met(place.host);
        }
        self.touch(slot, line, time);
        slot
    }

    pub(super) fn key(&self, host: Symbol, queue_id: &[u8]) -> Key {
        Key(self.keys.hasher().hash_one((host, queue_id)))
    }

    pub(super) fn find(&self, host: Symbol, queue_id: &[u8]) -> Option<u32> {
        self.keys.get(&self.key(host, queue_id)).copied()
    }

    pub(super) fn file(&self, handle: Handle) -> Option<&File> {
        is(&self.files, handle).then(|| self.files.get(handle.slot as usize))?
    }

    /// Changes a message, keeping count of its bytes.
    pub(super) fn change(&mut self, slot: u32, change: impl FnOnce(&mut Message)) {
        let Some(file) = self.files.get_mut(slot as usize) else { return };
        let before = file.message.bytes();
        change(&mut file.message);
        self.bytes = (self.bytes + file.message.bytes()).saturating_sub(before);
    }
}

/// Whether a place is still that file's own.
pub(super) fn is(files: &[File], handle: Handle) -> bool {
    files
        .get(handle.slot as usize)
        .is_some_and(|file| file.message.number == handle.number && file.state != State::Free)
}

impl File {
    pub(super) fn new() -> Self {
        Self {
            message: Message::new(),
            key: Key(0),
            host: 0,
            state: State::Free,
            story: None,
            held: false,
            taken: false,
            unclaimed: false,
            awaits: i64::MIN,
        }
    }

    /// Whether `Logins` may take it for a copy of one of its messages.
    pub(super) fn is_unclaimed(&self) -> bool {
        self.unclaimed
    }

    /// No line shows that the queue manager has had it.
    pub(super) fn never_queued(&self) -> bool {
        let message = &self.message;
        let untouched =
            message.activations == 0 && message.recipients().len() == 0 && !self.held && !message.is_expired();
        // Without its first line only the Message-ID shows that it has just come in.
        let begun = message.origin != Origin::Unknown || message.message_id().is_some() && message.children.is_empty();
        untouched && begun
    }

    /// It ended before it was in the queue, as far as could be seen.
    pub(super) fn ended_unqueued(&self) -> bool {
        let unqueued = matches!(self.message.end, End::Refused | End::Discarded | End::Canceled);
        self.state == State::Closing && unqueued
    }
}
