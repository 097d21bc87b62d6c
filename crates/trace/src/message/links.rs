//! Which queue file was made from which.
//!
//! Input: deliveries that hand a message on, and files that begin. Output: links between them. The next queue id stands in
//! the reply of whoever took the message (`queued as NEXT`, `forwarded as NEXT`), and such a reply may be a stranger's: a
//! file is believed to be the next one only if it was made while the first was there, and has no other Message-ID.

use maillog::{Delivery, QueueId};

use crate::Map;
use crate::message::delay::Handle;
use crate::message::files::State;
use crate::message::parts::{Link, LinkKind, Origin};
use crate::message::record::Message;
use crate::message::tracker::{CLAIM_WITHIN, Messages};
use crate::names::Symbol;

/// Queue files of one story at most.
const LEGS: usize = 1_000;
/// How far the clocks of two hosts of ours may be apart, and how long a message on its way to the other is waited for, in
/// microseconds.
const HOP_WITHIN: i64 = 30 * 1_000_000;
/// Hosts whose queue files may be next at most.
const HOSTS: usize = 64;
/// Messages on their way remembered at most.
const ON_THE_WAY: usize = 10_000;
/// A full table is gone through so often at most, in microseconds of log time.
const PRUNED_EVERY: i64 = 1_000_000;

/// Files that belong together.
#[derive(Default)]
pub(super) struct Joined {
    pub(super) members: Vec<u32>,
    pub(super) open: usize,
}

/// What has been handed on and has not come in yet, and the other way round. Of [`crate::Follow::Logins`] only to commands.
#[derive(Default)]
pub(super) struct Links {
    hosts: Vec<Symbol>,
    /// By the next queue id: the message, and its recipient.
    awaited: OnTheWay,
    /// Handed to a filter that told no queue id, by host and Message-ID.
    handed: OnTheWay,
    /// Come in from this host itself, by host and Message-ID.
    returned: OnTheWay,
}

/// Messages on their way, by what they will be known by; bounded.
#[derive(Default)]
struct OnTheWay {
    by_key: Map<u64, Waiting>,
    /// When those that were late were last forgotten: a full table is not gone through for each new one.
    pruned: i64,
}

#[derive(Clone, Debug)]
struct Waiting {
    since: i64,
    handle: Handle,
    recipients: Vec<usize>,
    /// More than one could be meant: none is.
    ambiguous: bool,
}

impl Links {
    /// A host has queue files.
    pub(super) fn met(&mut self, host: Symbol) {
        if self.hosts.len() < HOSTS && !self.hosts.contains(&host) {
            self.hosts.push(host);
        }
    }
}

impl Messages {
    /// One file was made from another. Output: whether that is so now.
    pub(super) fn link(&mut self, parent: u32, child: u32, kind: LinkKind) -> bool {
        let (Some(from), Some(to)) = (self.files.get(parent as usize), self.files.get(child as usize)) else {
            return false;
        };
        let (above, below) = (from.message.number, to.message.number);
        let full = from.message.children.len() >= LEGS || self.legs(parent) + self.legs(child) > LEGS;
        // All files of a story descend from one that has no parent: if the child is that one, it would descend from itself.
        let around = from.message.parent.is_some_and(|link| link.message == below)
            || (from.story.is_some() && from.story == to.story);
        if parent == child || to.message.parent.is_some() || full || from.unclaimed || around {
            return false;
        }
        let joins = self.follow.joins_all()
            || (kind.carries_on() && (from.story.is_some() || from.message.username().is_some()));
        if let Some(file) = self.files.get_mut(parent as usize) {
            file.message.add_child(Link { kind, message: below });
        }
        let now = self.now;
        if let Some(file) = self.files.get_mut(child as usize) {
            file.message.parent = Some(Link { kind, message: above });
            let waits = std::mem::replace(&mut file.unclaimed, false) && file.state == State::Closing;
            if waits {
                self.close(now, Handle { slot: child, number: below });
            }
        }
        if joins {
            self.join(parent, child);
        }
        true
    }

    fn legs(&self, slot: u32) -> usize {
        let story = self.files.get(slot as usize).and_then(|file| file.story);
        story.and_then(|story| self.stories.get(&story)).map_or(1, |joined| joined.members.len())
    }

    fn join(&mut self, one: u32, other: u32) {
        let (into, from) = (self.story_of(one), self.story_of(other));
        if into == from {
            return;
        }
        let Some(gone) = self.stories.remove(&from) else { return };
        for slot in &gone.members {
            if let Some(file) = self.files.get_mut(*slot as usize) {
                file.story = Some(into);
            }
        }
        let joined = self.stories.entry(into).or_default();
        joined.members.extend(gone.members);
        joined.open += gone.open;
    }

    fn story_of(&mut self, slot: u32) -> u64 {
        let Some(file) = self.files.get_mut(slot as usize) else { return u64::MAX };
        *file.story.get_or_insert_with(|| {
            let open = usize::from(file.state != State::Over);
            self.stories.insert(file.message.number, Joined { members: vec![slot], open });
            file.message.number
        })
    }

    /// A recipient was handed to somebody; maybe to us.
    pub(super) fn handed_on(&mut self, host: Symbol, slot: u32, recipient: usize, delivery: &Delivery<'_>) {
        if let Some(id) = delivery.forwarded_as() {
            return self.forwarded(host, slot, recipient, id);
        }
        match delivery.queued_as() {
            Some(id) => match self.next_file(host, slot, id) {
                Some(next) => self.carry_on(slot, recipient, next),
                None if self.follow.is_all() => self.await_next(slot, recipient, id),
                None => {}
            },
            None if runs_command(delivery) => self.hand_to_filter(slot, recipient),
            None if self.follow.is_all() && comes_back(delivery) => self.hand_to_filter(slot, recipient),
            None => {}
        }
    }

    /// A file came in from a client or a local user: it may be awaited.
    pub(super) fn came_in(&mut self, slot: u32) {
        if !self.follow.is_all() {
            return;
        }
        let Some(file) = self.files.get(slot as usize) else { return };
        let key = self.hash(0, file.message.queue_id());
        let Some(waiting) = self.links.awaited.by_key.remove(&key) else { return };
        let parent = waiting.handle;
        if self.file(parent).is_some() && self.is_plausible(parent.slot, slot) {
            self.hand_over(&waiting, slot);
        }
    }

    /// A file's Message-ID is known: a filter that tells no queue ids may have made it.
    pub(super) fn match_by_message_id(&mut self, slot: u32) {
        let Some(file) = self.files.get(slot as usize) else { return };
        let from_here = match &file.message.origin {
            Origin::Client(client) => client.at.client_ip.is_some_and(|ip| ip.is_loopback()),
            Origin::Local { .. } => true,
            _ => false,
        };
        if !from_here || file.message.parent.is_some() {
            return;
        }
        let handle = Handle { slot, number: file.message.number };
        let Some(key) = file.message.message_id().filter(|id| !id.is_empty()).map(|id| self.hash(file.host, id)) else {
            return;
        };
        let now = self.now;
        let handed = self.links.handed.sure(key, now);
        match handed.filter(|waiting| self.file(waiting.handle).is_some()) {
            Some(waiting) => self.hand_over(&waiting, slot),
            None => {
                self.links.returned.note(key, now, handle, None);
            }
        }
    }

    /// A file was made from another by Postfix itself, which says so.
    pub(super) fn made_from(&mut self, parent: u32, child: u32, kind: LinkKind, origin: Origin) {
        if let Some(file) = self.files.get_mut(child as usize)
            && matches!(file.message.origin, Origin::Unknown | Origin::Internal)
        {
            file.message.origin = origin;
        }
        if self.follow.is_all() {
            self.link(parent, child, kind);
        }
    }

    fn forwarded(&mut self, host: Symbol, slot: u32, recipient: usize, id: QueueId<'_>) {
        let Some(next) = self.find(host, id.as_bytes()).filter(|next| self.is_plausible(slot, *next)) else { return };
        self.made_from(slot, next, LinkKind::Forward, Origin::Forward);
        self.mark(slot, recipient, next);
    }

    /// The file that took the message: on this host, or on another of ours.
    fn next_file(&self, host: Symbol, slot: u32, id: QueueId<'_>) -> Option<u32> {
        let here = self.find(host, id.as_bytes()).filter(|next| self.is_plausible(slot, *next));
        here.or_else(|| {
            let others = self.links.hosts.iter().filter(|other| **other != host);
            let mut found = others.filter_map(|other| self.find(*other, id.as_bytes()));
            found.find(|next| self.is_plausible(slot, *next))
        })
    }

    fn is_plausible(&self, parent: u32, child: u32) -> bool {
        let (Some(from), Some(to)) = (self.files.get(parent as usize), self.files.get(child as usize)) else {
            return false;
        };
        if !self.follow.is_all() {
            // Several recipients may be handed over in one copy.
            let mine = to.message.parent.is_some_and(|link| link.message == from.message.number);
            return to.is_unclaimed() || mine;
        }
        let other = |known: Option<u64>| known.is_some_and(|number| number != from.message.number);
        let contradicts = match (from.message.message_id(), to.message.message_id()) {
            (Some(one), Some(two)) => one != two,
            _ => false,
        };
        parent != child
            && to.state != State::Free
            && !other(to.message.parent.map(|link| link.message))
            && !contradicts
            && to.message.first >= from.message.first.saturating_sub(HOP_WITHIN)
    }

    fn carry_on(&mut self, slot: u32, recipient: usize, next: u32) {
        let kind = self.kind(slot, next);
        self.link(slot, next, kind);
        self.mark(slot, recipient, next);
    }

    /// A recipient is told by the next file, if that is one of this one's.
    fn mark(&mut self, slot: u32, recipient: usize, next: u32) {
        let Some(number) = self.files.get(slot as usize).map(|file| file.message.number) else { return };
        let Some(child) = self.files.get(next as usize).map(|file| &file.message) else { return };
        let child = child.parent.filter(|link| link.message == number).map(|_| child.number);
        if let Some(child) = child {
            self.change(slot, |message| message.handed_on(recipient, child));
        }
    }

    fn kind(&self, slot: u32, next: u32) -> LinkKind {
        match (self.files.get(slot as usize), self.files.get(next as usize)) {
            (Some(from), Some(to)) if from.host != to.host || is_other_instance(&from.message, &to.message) => {
                LinkKind::Hop
            }
            _ => LinkKind::Filter,
        }
    }

    fn await_next(&mut self, slot: u32, recipient: usize, id: QueueId<'_>) {
        let (key, now) = (self.hash(0, id.as_bytes()), self.now);
        let Some(handle) = self.handle(slot) else { return };
        if self.links.awaited.note(key, now, handle, Some(recipient)) {
            self.awaits(slot, HOP_WITHIN);
        }
    }

    fn hand_to_filter(&mut self, slot: u32, recipient: usize) {
        let Some(file) = self.files.get(slot as usize) else { return };
        let Some(key) = file.message.message_id().filter(|id| !id.is_empty()).map(|id| self.hash(file.host, id)) else {
            return;
        };
        let (now, number) = (self.now, file.message.number);
        let returned = self.links.returned.sure(key, now);
        if let Some(child) = returned.map(|waiting| waiting.handle).filter(|child| child.number != number)
            && self.file(child).is_some()
            && self.is_plausible(slot, child.slot)
        {
            return self.carry_on(slot, recipient, child.slot);
        }
        let Some(handle) = self.handle(slot) else { return };
        if self.links.handed.note(key, now, handle, Some(recipient)) {
            self.awaits(slot, CLAIM_WITHIN);
        }
    }

    /// Waits for a file that carries on, after the end of this one.
    fn awaits(&mut self, slot: u32, within: i64) {
        let until = self.now.saturating_add(within);
        if let Some(file) = self.files.get_mut(slot as usize) {
            file.awaits = file.awaits.max(until);
        }
    }

    fn handle(&self, slot: u32) -> Option<Handle> {
        Some(Handle { slot, number: self.files.get(slot as usize)?.message.number })
    }

    fn hand_over(&mut self, waiting: &Waiting, child: u32) {
        if waiting.ambiguous || waiting.handle.slot == child {
            return;
        }
        for recipient in &waiting.recipients {
            self.carry_on(waiting.handle.slot, *recipient, child);
        }
    }

    fn hash(&self, host: Symbol, text: &[u8]) -> u64 {
        use std::hash::BuildHasher as _;
        self.links.awaited.by_key.hasher().hash_one((host, text))
    }
}

impl OnTheWay {
    /// The one that waits under this key, if there is no doubt which.
    fn sure(&self, key: u64, now: i64) -> Option<Waiting> {
        let waiting = self.by_key.get(&key)?;
        (!waiting.ambiguous && now.saturating_sub(waiting.since) <= CLAIM_WITHIN).then(|| waiting.clone())
    }

    /// Remembers one that waits, if there is room. A second one under the same key makes it ambiguous.
    fn note(&mut self, key: u64, now: i64, handle: Handle, recipient: Option<usize>) -> bool {
        if self.by_key.len() >= ON_THE_WAY && !self.by_key.contains_key(&key) && !self.prune(now) {
            return false;
        }
        let fresh = Waiting { since: now, handle, recipients: Vec::new(), ambiguous: false };
        let waiting = self.by_key.entry(key).or_insert_with(|| fresh.clone());
        if now.saturating_sub(waiting.since) > CLAIM_WITHIN {
            *waiting = fresh;
        }
        waiting.ambiguous |= waiting.handle != handle;
        if waiting.recipients.len() < Message::RECIPIENTS {
            waiting.recipients.extend(recipient);
        }
        true
    }

    /// Forgets those that are late. Output: whether there is room.
    fn prune(&mut self, now: i64) -> bool {
        if now.saturating_sub(self.pruned) < PRUNED_EVERY {
            return false;
        }
        self.pruned = now;
        self.by_key.retain(|_, waiting| now.saturating_sub(waiting.since) <= HOP_WITHIN);
        self.by_key.len() < ON_THE_WAY
    }
}

/// Whether the message may come back to us from there: a filter on this host, or a command.
fn comes_back(delivery: &Delivery<'_>) -> bool {
    runs_command(delivery) || delivery.relay_host().is_some_and(|relay| relay.is_local())
}

/// Whether a command took it, which may hand it in again (`pipe`(8), `local`(8)).
fn runs_command(delivery: &Delivery<'_>) -> bool {
    delivery.response.starts_with(b"delivered via ") || delivery.response.starts_with(b"delivered to command")
}

/// Instances of Postfix have names that begin with `postfix-` (Postfix `postmulti`(1)); any other first part of a tag is
/// a service's.
fn is_other_instance(one: &Message, other: &Message) -> bool {
    let instance = |message: &Message| {
        message.instance().filter(|name| name.starts_with(b"postfix-")).unwrap_or(b"postfix").to_vec()
    };
    instance(one) != instance(other)
}
