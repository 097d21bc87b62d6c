//! The queue files under way: lines about them in, messages and stories out.

use std::collections::VecDeque;
use std::hash::BuildHasher as _;

use foldhash::HashMapExt as _;
use maillog::{Acceptance, Delivery, Event, Program, QueueId, program};

use crate::Map;
use crate::attempt::Where;
use crate::line::Line;
use crate::message::delay::{Delay, Handle};
use crate::message::links::Links;
use crate::message::record::{End, Fate, FromClient, Link, LinkKind, Message, Origin};
use crate::message::{Follow, Story};
use crate::names::{Names, Symbol};

/// How long an ended queue file waits for lines that come late, in microseconds of log time: stamps of one second, and
/// several programs writing at once, put a `bounce` or delivery line behind `removed`.
const GRACE: i64 = 5 * 1_000_000;
/// How long a copy from this host's own client waits to be claimed by the message it is a copy of.
pub(super) const CLAIM_WITHIN: i64 = 600 * 1_000_000;
/// Queue files of one story at most.
const LEGS: usize = 1_000;
/// Recipients of a copy that nobody has claimed kept at most.
const UNCLAIMED_RECIPIENTS: usize = 1_000;

/// How much is kept: see [`crate::Limits`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Queue files.
    pub(crate) messages: usize,
    /// Their bytes.
    pub(crate) bytes: usize,
}

/// Whose line it is: host and program tag.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) host: Symbol,
    pub(crate) tag: Symbol,
    pub(crate) names: &'a Names,
}

/// An accepted message.
pub(crate) struct Arrival<'a> {
    pub(crate) place: Place<'a>,
    pub(crate) at: Where,
    pub(crate) acceptance: &'a Acceptance<'a>,
}

/// Host and queue id, hashed: millions of lines are looked up by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key(u64);

/// A queue file under way.
pub(super) struct File {
    pub(super) message: Message,
    key: Key,
    pub(super) host: Symbol,
    pub(super) state: State,
    /// The story it belongs to, if it belongs together with others.
    story: Option<u64>,
    /// The queue manager has said that it gives up.
    expired: bool,
    /// `Logins` only: it came from this host itself, and belongs to no followed message so far.
    unclaimed: bool,
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

/// Files that belong together.
#[derive(Default)]
struct Joined {
    members: Vec<u32>,
    open: usize,
}

/// All queue files under way.
pub(crate) struct Messages {
    pub(super) follow: Follow,
    bounds: Bounds,
    keys: Map<Key, u32>,
    pub(super) files: Vec<File>,
    free: Vec<u32>,
    live: usize,
    bytes: usize,
    by_age: VecDeque<Handle>,
    closing: Delay,
    unclaimed: Delay,
    /// Stories whose files have ended, but of which one more may be made; by when that is given up.
    lingering: std::collections::BTreeSet<(i64, u64, u32)>,
    stories: Map<u64, Joined>,
    pub(super) links: Links,
    next: u64,
    pub(super) now: i64,
    /// Nothing is due before.
    due: i64,
    /// Ended, and not told yet.
    over: VecDeque<Handle>,
    ready: VecDeque<Story>,
}

impl Messages {
    pub(crate) fn new(follow: Follow, bounds: Bounds) -> Self {
        Self {
            follow,
            bounds,
            keys: Map::new(),
            files: Vec::new(),
            free: Vec::new(),
            live: 0,
            bytes: 0,
            by_age: VecDeque::new(),
            closing: Delay::of(GRACE),
            unclaimed: Delay::of(CLAIM_WITHIN),
            lingering: std::collections::BTreeSet::new(),
            stories: Map::new(),
            links: Links::default(),
            next: 0,
            now: i64::MIN,
            due: i64::MAX,
            over: VecDeque::new(),
            ready: VecDeque::new(),
        }
    }

    /// Which messages are followed.
    #[inline]
    pub(crate) fn follow(&self) -> Follow {
        self.follow
    }

    /// Whether lines about queue files can be left out: none is followed.
    #[inline]
    pub(crate) fn is_idle(&self) -> bool {
        self.keys.is_empty() && !self.follow.is_all()
    }

    /// Whether a queue file is being followed.
    #[inline]
    pub(crate) fn follows(&self, host: Symbol, queue_id: &[u8]) -> bool {
        self.follow.is_all() || (!self.keys.is_empty() && self.keys.contains_key(&self.key(host, queue_id)))
    }

    /// Tells the log's time.
    #[inline]
    pub(crate) fn tick(&mut self, now: i64) {
        if now > self.now {
            self.now = now;
        }
        if self.due <= self.now {
            self.release_due();
        }
    }

    /// Whether [`Messages::next_message`] or [`Messages::next_story`] has something.
    #[inline]
    pub(crate) fn has_outcomes(&self) -> bool {
        !self.over.is_empty() || !self.ready.is_empty()
    }

    /// Takes a message that ended: calls `tell` with it, unless only stories are told. Output: whether there was one.
    pub(crate) fn next_message(&mut self, tell: impl FnOnce(&Message)) -> bool {
        let Some(handle) = self.over.pop_front() else { return false };
        if self.follow == Follow::All
            && let Some(file) = self.file(handle)
        {
            tell(&file.message);
        }
        self.put_away(handle);
        true
    }

    /// A story that is complete.
    pub(crate) fn next_story(&mut self) -> Option<Story> {
        self.ready.pop_front()
    }

    /// A client handed in a message.
    pub(crate) fn accepted(&mut self, arrival: Arrival<'_>) {
        let Some(queue_id) = arrival.acceptance.queue_id else { return };
        let Arrival { place, at, acceptance } = arrival;
        let slot = self.begun(place, queue_id, at.line, at.time);
        let login = acceptance.sasl_username.is_some();
        let unclaimed = !login && !self.follow.is_all();
        let Some(file) = self.files.get_mut(slot as usize) else { return };
        file.message.origin = Origin::Client(Box::new(FromClient {
            at,
            port: acceptance.client.port,
            username: acceptance.sasl_username.map(Into::into),
            mechanism: acceptance.sasl_method.map(Into::into),
            orig_queue_id: acceptance.orig_queue_id.map(|id| id.as_bytes().into()),
        }));
        file.unclaimed = unclaimed;
        let handle = Handle { slot, number: file.message.number };
        if unclaimed {
            self.await_claim(handle);
        }
        if let Some(parent) = acceptance.orig_queue_id.and_then(|id| self.find(place.host, id.as_bytes())) {
            self.link(parent, slot, LinkKind::Filter);
        }
        self.came_in(slot);
        self.make_room(slot);
    }

    /// What came back from a filter in front of the queue came from this client in truth.
    pub(crate) fn proxied(&mut self, host: Symbol, id: QueueId<'_>, at: Where, username: Option<&[u8]>) {
        let Some(slot) = self.find(host, id.as_bytes()) else { return };
        if username.is_none() && !self.follow.is_all() {
            return;
        }
        let now = self.now;
        let Some(file) = self.files.get_mut(slot as usize) else { return };
        let is_second =
            file.message.client().is_some_and(|client| client.at.client_ip.is_some_and(|ip| ip.is_loopback()));
        if !is_second || file.message.parent.is_some() {
            return;
        }
        file.message.origin = Origin::Client(Box::new(FromClient {
            at,
            port: None,
            username: username.map(Into::into),
            mechanism: None,
            orig_queue_id: None,
        }));
        let waits = std::mem::replace(&mut file.unclaimed, false) && file.state == State::Closing;
        let handle = Handle { slot, number: file.message.number };
        if waits {
            self.close(now, handle);
        }
    }

    /// A line about a queue file, other than its acceptance from a client.
    pub(crate) fn line(&mut self, place: Place<'_>, line: &Line<'_>) {
        let host = place.host;
        let at = |this: &mut Self, id: QueueId<'_>| this.known_or_new(place, id, line);
        match line.event {
            Event::Delivery(delivery) => {
                if let Some(slot) = at(self, delivery.queue_id) {
                    self.delivered(host, slot, &delivery, line);
                }
            }
            Event::Removed(id) => {
                if let Some(slot) = at(self, id) {
                    self.removed(slot, line);
                }
            }
            Event::Expired(id, sender) => {
                if let Some(slot) = at(self, id)
                    && let Some(file) = self.files.get_mut(slot as usize)
                {
                    file.expired = true;
                    file.message.set_sender(sender);
                    file.message.expire();
                }
            }
            _ if !self.follow.is_all() => {}
            Event::MessageId(id, message_id) => self.message_id(place, id, message_id, line),
            Event::Active(id, sender, size, nrcpt) => self.activated(place, id, (sender, size, nrcpt), line),
            Event::Pickup(id, sender) => {
                let slot = self.begun(place, id, line.id, line.time);
                if let Some(file) = self.files.get_mut(slot as usize) {
                    file.message.origin = Origin::Local { uid: None };
                    file.message.set_sender(sender);
                }
                self.came_in(slot);
                self.make_room(slot);
            }
            Event::ContentCheck(Some(id), b"hold" | b"HOLD") => {
                if let Some(slot) = at(self, id) {
                    self.change(slot, |message| message.end = End::Held);
                }
            }
            Event::ContentCheck(Some(id), _) => drop(at(self, id)),
            Event::Notification(id, what, new) => {
                let (Some(parent), Some(child)) = (at(self, id), at(self, new)) else { return };
                self.made_from(parent, child, LinkKind::Notice, Origin::Notice { what: what.into() });
            }
            _ => {}
        }
    }

    /// The log is over: everything is told as it is.
    pub(crate) fn finish(&mut self) {
        self.now = i64::MAX;
        self.release_due();
        while let Some(handle) = self.by_age.pop_front() {
            let Some(file) = self.file(handle).filter(|file| file.state == State::Open) else { continue };
            let (never, unclaimed) = (self.follow.is_all() && file.never_queued(), file.unclaimed);
            if unclaimed {
                self.release(handle.slot);
                continue;
            }
            if let Some(file) = self.files.get_mut(handle.slot as usize)
                && never
                && file.message.end == End::InQueue
            {
                file.message.end = End::Canceled;
            }
            self.over(handle);
        }
    }

    // ---- lives ----

    /// The file that a line which starts a life is about: a new one, unless one without a start has just been seen.
    fn begun(&mut self, place: Place<'_>, id: QueueId<'_>, line: u64, time: i64) -> u32 {
        if let Some(slot) = self.find(place.host, id.as_bytes()) {
            let young = self.files.get(slot as usize).is_some_and(|file| {
                file.message.origin == Origin::Unknown && time - file.message.first <= GRACE && !file.unclaimed
            });
            if young {
                self.touch(slot, line, time);
                return slot;
            }
            self.end_missing(slot);
        }
        self.open(place, id, line, time)
    }

    /// The file that any other line is about. `Logins` follows only what it saw start.
    fn known_or_new(&mut self, place: Place<'_>, id: QueueId<'_>, line: &Line<'_>) -> Option<u32> {
        let slot = match self.find(place.host, id.as_bytes()) {
            Some(slot) => slot,
            None if self.follow.is_all() => self.open(place, id, line.id, line.time),
            None => return None,
        };
        self.touch(slot, line.id, line.time);
        Some(slot)
    }

    fn touch(&mut self, slot: u32, line: u64, time: i64) {
        let detail = self.follow.keeps_detail();
        let Some(file) = self.files.get_mut(slot as usize) else { return };
        file.message.last = file.message.last.max(time);
        if detail {
            file.message.add_line(line);
        }
    }

    fn open(&mut self, place: Place<'_>, id: QueueId<'_>, line: u64, time: i64) -> u32 {
        let key = self.key(place.host, id.as_bytes());
        let number = self.next;
        self.next += 1;
        let slot = self.free.pop().unwrap_or_else(|| {
            self.files.push(File::new());
            u32::try_from(self.files.len() - 1).unwrap_or(u32::MAX)
        });
        let Some(file) = self.files.get_mut(slot as usize) else { return slot };
        file.message.restart(number, id.as_bytes(), line, time);
        file.message.host = place.names.string(place.host);
        file.message.tag = place.names.string(place.tag);
        (file.key, file.host, file.state) = (key, place.host, State::Open);
        (file.story, file.expired, file.unclaimed, file.awaits) = (None, false, false, i64::MIN);
        self.bytes += file.message.bytes();
        self.live += 1;
        self.keys.insert(key, slot);
        if self.by_age.len() > 2 * self.live + 1_024 {
            let files = &self.files;
            self.by_age.retain(|handle| is(files, *handle));
        }
        self.by_age.push_back(Handle { slot, number });
        if self.follow.joins_all() {
            self.links.met(place.host);
        }
        self.touch(slot, line, time);
        slot
    }

    /// Its queue id is in use again: whatever happened to it is not in the log, unless its end was seen.
    fn end_missing(&mut self, slot: u32) {
        let Some(file) = self.files.get_mut(slot as usize) else { return };
        let handle = Handle { slot, number: file.message.number };
        if file.unclaimed {
            self.release(slot);
            return;
        }
        if file.state == State::Open {
            file.message.end = End::Missing;
        }
        self.over(handle);
    }

    fn make_room(&mut self, except: u32) {
        while self.live > self.bounds.messages.max(1) || self.bytes > self.bounds.bytes {
            let Some(handle) = self.by_age.pop_front() else { return };
            let Some(file) = self.files.get_mut(handle.slot as usize) else { continue };
            if file.message.number != handle.number || file.state == State::Free {
                continue;
            }
            if handle.slot == except && self.by_age.is_empty() {
                self.by_age.push_back(handle);
                return;
            }
            self.give_up(handle);
        }
    }

    fn give_up(&mut self, handle: Handle) {
        let Some(file) = self.files.get_mut(handle.slot as usize) else { return };
        if file.unclaimed {
            self.release(handle.slot);
            return;
        }
        if file.state == State::Open {
            file.message.end = End::GivenUp;
        }
        file.awaits = i64::MIN;
        let (state, story) = (file.state, file.story);
        if matches!(state, State::Open | State::Closing) {
            self.over(handle);
        }
        // Kept for the rest of its story, or over by now: the whole story goes.
        match story {
            Some(story) if state == State::Over => self.tell_story(story),
            None if state == State::Over => self.tell_single(handle.slot),
            _ => {}
        }
    }

    // ---- what lines say ----

    fn message_id(&mut self, place: Place<'_>, id: QueueId<'_>, message_id: &[u8], line: &Line<'_>) {
        // The queue manager has had it, and here its text is read: another one, whose start has no line of its own.
        if let Some(slot) = self.find(place.host, id.as_bytes())
            && self.files.get(slot as usize).is_some_and(|file| {
                let begun = file.state == State::Closing || file.message.activations > 0;
                begun && file.message.message_id().is_some_and(|known| known != message_id)
            })
        {
            self.end_missing(slot);
        }
        let Some(slot) = self.known_or_new(place, id, line) else { return };
        self.change(slot, |message| message.set_message_id(message_id));
        if self.follow.joins_all() {
            self.match_by_message_id(slot);
        }
        self.make_room(slot);
    }

    fn activated(
        &mut self,
        place: Place<'_>,
        id: QueueId<'_>,
        (sender, size, nrcpt): (&[u8], u64, u32),
        line: &Line<'_>,
    ) {
        // After its end nothing becomes active again.
        if let Some(slot) = self.find(place.host, id.as_bytes())
            && self.files.get(slot as usize).is_some_and(|f| f.state == State::Closing && f.message.activations > 0)
        {
            self.end_missing(slot);
        }
        let Some(slot) = self.known_or_new(place, id, line) else { return };
        self.change(slot, |message| {
            message.activations = message.activations.saturating_add(line.record.repeat);
            if message.end == End::Held {
                message.end = End::InQueue;
            }
            message.set_sender(sender);
            message.size.get_or_insert(size);
            message.nrcpt.get_or_insert(nrcpt);
        });
        self.make_room(slot);
    }

    fn delivered(&mut self, host: Symbol, slot: u32, delivery: &Delivery<'_>, line: &Line<'_>) {
        let Some(fate) = Fate::of_status(delivery.status) else {
            return self.change(slot, |message| {
                if message.origin == Origin::Unknown {
                    message.origin = Origin::Internal;
                }
            });
        };
        let detail = self.follow.keeps_detail();
        let mut recipient = None;
        let full = self
            .files
            .get(slot as usize)
            .is_some_and(|file| file.unclaimed && file.message.recipients().len() >= UNCLAIMED_RECIPIENTS);
        if full {
            return;
        }
        self.change(slot, |message| {
            recipient = message.attempted(delivery, fate, line.time);
            if let Some(recipient) = recipient.filter(|_| detail) {
                message.keep_try(recipient, delivery, fate, line.id, line.time);
            }
        });
        if let Some(recipient) = recipient.filter(|_| fate == Fate::Sent) {
            self.handed_on(host, slot, recipient, delivery);
        }
        self.make_room(slot);
    }

    fn removed(&mut self, slot: u32, line: &Line<'_>) {
        let now = self.now;
        let Some(file) = self.files.get_mut(slot as usize).filter(|file| file.state == State::Open) else { return };
        file.message.ended = Some(line.time);
        file.message.end = match program(line.record.tag) {
            Program::Postsuper => End::Deleted,
            Program::Cleanup => End::Canceled,
            _ if file.expired => End::Expired,
            _ => End::Removed,
        };
        file.state = State::Closing;
        if !file.unclaimed {
            let handle = Handle { slot, number: file.message.number };
            self.close(now, handle);
        }
    }

    fn close(&mut self, now: i64, handle: Handle) {
        self.closing.push(now, handle);
        self.due = self.due.min(self.closing.due());
    }

    fn await_claim(&mut self, handle: Handle) {
        self.unclaimed.push(self.now, handle);
        self.due = self.due.min(self.unclaimed.due());
        while self.unclaimed.len() > self.bounds.messages.max(1) {
            let Some(oldest) = self.unclaimed.take_first() else { return };
            self.forget_unclaimed(oldest);
        }
    }

    fn forget_unclaimed(&mut self, handle: Handle) {
        if self.file(handle).is_some_and(|file| file.unclaimed) {
            self.release(handle.slot);
        }
    }

    // ---- belonging together ----

    /// One file was made from another. Output: whether that is so now.
    pub(super) fn link(&mut self, parent: u32, child: u32, kind: LinkKind) -> bool {
        let (Some(from), Some(to)) = (self.files.get(parent as usize), self.files.get(child as usize)) else {
            return false;
        };
        let (above, below) = (from.message.number, to.message.number);
        let full = from.message.children.len() >= LEGS || self.legs(parent) + self.legs(child) > LEGS;
        if parent == child || to.message.parent.is_some() || full || from.unclaimed || self.comes_from(parent, below) {
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

    /// Whether a file descends from the one with this number.
    fn comes_from(&self, slot: u32, number: u64) -> bool {
        let mut above = self.files.get(slot as usize).and_then(|file| file.message.parent);
        let members = |story: u64| self.stories.get(&story).map(|joined| joined.members.as_slice());
        let story = self.files.get(slot as usize).and_then(|file| file.story).and_then(members).unwrap_or_default();
        for _ in 0..=story.len() {
            let Some(link) = above else { return false };
            if link.message == number {
                return true;
            }
            above = story
                .iter()
                .filter_map(|slot| self.files.get(*slot as usize))
                .find(|file| file.message.number == link.message)
                .and_then(|file| file.message.parent);
        }
        false
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

    // ---- the end ----

    fn release_due(&mut self) {
        while let Some(handle) = self.closing.pop(self.now) {
            if self.file(handle).is_some_and(|file| file.state == State::Closing) {
                self.over(handle);
            }
        }
        while let Some(handle) = self.unclaimed.pop(self.now) {
            self.forget_unclaimed(handle);
        }
        while let Some((due, number, slot)) = self.lingering.first().copied()
            && due <= self.now
        {
            self.lingering.pop_first();
            let Some(file) = self.file(Handle { slot, number }).filter(|file| file.state == State::Over) else {
                continue;
            };
            match file.story {
                Some(story) => self.complete(story),
                None => self.tell_single(slot),
            }
        }
        let lingering = self.lingering.first().map_or(i64::MAX, |(due, ..)| *due);
        self.due = self.closing.due().min(self.unclaimed.due()).min(lingering);
    }

    /// No more lines are expected of it.
    fn over(&mut self, handle: Handle) {
        let Some(file) = self.files.get_mut(handle.slot as usize) else { return };
        file.state = State::Ended;
        let key = file.key;
        if self.keys.get(&key) == Some(&handle.slot) {
            self.keys.remove(&key);
        }
        self.over.push_back(handle);
    }

    /// It has been told: its place is free, unless its story goes on.
    fn put_away(&mut self, handle: Handle) {
        let now = self.now;
        let Some(file) = self.files.get_mut(handle.slot as usize).filter(|file| file.message.number == handle.number)
        else {
            return;
        };
        file.state = State::Over;
        let (story, awaits) = (file.story, file.awaits);
        let is_told = self.follow.joins_all() || file.message.username().is_some();
        match story {
            Some(story) => {
                if let Some(joined) = self.stories.get_mut(&story) {
                    joined.open = joined.open.saturating_sub(1);
                }
                self.complete(story);
            }
            None if awaits > now => self.linger(awaits, handle),
            None if is_told => self.tell_single(handle.slot),
            None => self.release(handle.slot),
        }
    }

    /// Tells a story if all of its files are over and no other is waited for.
    fn complete(&mut self, story: u64) {
        let Some(joined) = self.stories.get(&story).filter(|joined| joined.open == 0) else { return };
        let waits = joined.members.iter().filter_map(|slot| {
            let file = self.files.get(*slot as usize)?;
            (file.awaits > self.now).then_some((file.awaits, Handle { slot: *slot, number: file.message.number }))
        });
        match waits.max_by_key(|(until, _)| *until) {
            Some((until, handle)) => self.linger(until, handle),
            None => self.tell_story(story),
        }
    }

    fn linger(&mut self, until: i64, handle: Handle) {
        self.lingering.insert((until, handle.number, handle.slot));
        self.due = self.due.min(until);
    }

    fn tell_single(&mut self, slot: u32) {
        if let Some(message) = self.take(slot) {
            self.ready.push_back(Story::new(vec![message]));
        }
    }

    fn tell_story(&mut self, story: u64) {
        let Some(joined) = self.stories.remove(&story) else { return };
        let messages: Vec<Message> = joined.members.iter().filter_map(|slot| self.take(*slot)).collect();
        if !messages.is_empty() {
            self.ready.push_back(Story::new(messages));
        }
    }

    fn take(&mut self, slot: u32) -> Option<Message> {
        let file = self.files.get_mut(slot as usize)?;
        self.bytes = self.bytes.saturating_sub(file.message.bytes());
        let message = std::mem::replace(&mut file.message, Message::new());
        self.bytes += file.message.bytes();
        self.release(slot);
        Some(message)
    }

    fn release(&mut self, slot: u32) {
        let Some(file) = self.files.get_mut(slot as usize).filter(|file| file.state != State::Free) else { return };
        file.state = State::Free;
        self.bytes = self.bytes.saturating_sub(file.message.bytes());
        self.live -= 1;
        let key = file.key;
        if self.keys.get(&key) == Some(&slot) {
            self.keys.remove(&key);
        }
        self.free.push(slot);
    }

    // ---- looking up ----

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
fn is(files: &[File], handle: Handle) -> bool {
    files
        .get(handle.slot as usize)
        .is_some_and(|file| file.message.number == handle.number && file.state != State::Free)
}

impl File {
    fn new() -> Self {
        Self {
            message: Message::new(),
            key: Key(0),
            host: 0,
            state: State::Free,
            story: None,
            expired: false,
            unclaimed: false,
            awaits: i64::MIN,
        }
    }

    /// Whether `Logins` may take it for a copy of one of its messages.
    pub(super) fn is_unclaimed(&self) -> bool {
        self.unclaimed
    }

    /// The client broke off before the queue manager had it.
    fn never_queued(&self) -> bool {
        self.message.activations == 0 && self.message.recipients().len() == 0 && self.message.origin != Origin::Unknown
    }
}
