//! The queue files under way: lines about them in, messages and stories out.

use std::collections::VecDeque;

use foldhash::HashMapExt as _;
use maillog::{Acceptance, Delivery, Event, Pickup, Program, QueueAction, QueueId};

use crate::Map;
use crate::attempt::Where;
use crate::line::Line;
use crate::message::delay::{Delay, Handle};
use crate::message::files::{File, Key, State};
use crate::message::links::{Joined, Links};
use crate::message::parts::{End, Fate, FromClient, LinkKind, Origin};
use crate::message::record::Message;
use crate::message::stops::{Foreseen, Process, Session, breaks_off, is_hold};
use crate::message::{Follow, Story};
use crate::names::{Names, Symbol};

/// How long an ended queue file waits for lines that come late, in microseconds of log time: stamps of one second, and
/// several programs writing at once, put a `bounce` or delivery line behind `removed`.
const GRACE: i64 = 5 * 1_000_000;
/// How long a copy from this host's own client waits to be claimed by the message it is a copy of.
pub(super) const CLAIM_WITHIN: i64 = 600 * 1_000_000;
/// How long a queue file that `postsuper -r` put back waits for `pickup`, which takes it at its next waking: a minute by the `master.cf`
/// that Postfix brings along, longer where Postfix was stopped for it.
const PICKED_UP_WITHIN: i64 = 3_600 * 1_000_000;
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
    /// Of the process that took it.
    pub(crate) pid: Option<u32>,
    pub(crate) acceptance: &'a Acceptance<'a>,
}

/// All queue files under way.
pub(crate) struct Messages {
    pub(super) follow: Follow,
    pub(super) bounds: Bounds,
    pub(super) keys: Map<Key, u32>,
    pub(super) files: Vec<File>,
    /// What each process is about. [`Follow::All`] and stories only, as the next two.
    pub(super) sessions: Map<Process, Session>,
    pub(super) foreseen: Map<Process, Foreseen>,
    /// How far each host's log goes.
    pub(super) heard: Map<Symbol, i64>,
    pub(super) free: Vec<u32>,
    pub(super) live: usize,
    pub(super) bytes: usize,
    pub(super) by_age: VecDeque<Handle>,
    pub(super) closing: Delay,
    pub(super) unclaimed: Delay,
    /// Stories whose files have ended, but of which one more may be made; by when that is given up.
    pub(super) lingering: std::collections::BTreeSet<(i64, u64, u32)>,
    pub(super) stories: Map<u64, Joined>,
    pub(super) links: Links,
    pub(super) next: u64,
    pub(super) now: i64,
    /// Nothing is due before.
    pub(super) due: i64,
    /// Ended, and not told yet.
    pub(super) over: VecDeque<Handle>,
    pub(super) ready: VecDeque<Story>,
    /// Messages that have been told, for their buffers.
    pub(super) spare: Vec<Message>,
}

impl Messages {
    pub(crate) fn new(follow: Follow, bounds: Bounds) -> Self {
        Self {
            follow,
            bounds,
            keys: Map::new(),
            files: Vec::new(),
            sessions: Map::new(),
            foreseen: Map::new(),
            heard: Map::new(),
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
            spare: Vec::new(),
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
        self.keys.is_empty() && self.lingering.is_empty() && !self.follow.is_all()
    }

    /// When the earliest message under way began whose account is wanted.
    pub(crate) fn earliest(&self, mut wanted: impl FnMut(&[u8]) -> bool) -> Option<i64> {
        let taken = self.files.iter().filter(|file| file.state != State::Free);
        let mut of_wanted = |file: &&File| file.message.username().is_some_and(&mut wanted);
        taken.filter(|file| of_wanted(file)).map(|file| file.message.first).min()
    }

    /// Whether a queue file is being followed.
    #[inline]
    pub(crate) fn follows(&self, host: Symbol, queue_id: &[u8]) -> bool {
        self.follow.is_all() || (!self.keys.is_empty() && self.keys.contains_key(&self.key(host, queue_id)))
    }

    /// Tells how far a host's log goes.
    pub(crate) fn hear(&mut self, host: Symbol, time: i64) {
        let latest = self.heard.entry(host).or_insert(time);
        *latest = time.max(*latest);
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

    /// A client handed in a message.
    pub(crate) fn accepted(&mut self, arrival: Arrival<'_>) {
        let Some(queue_id) = arrival.acceptance.queue_id else { return };
        let Arrival { place, at, pid, acceptance } = arrival;
        let at_time = at.time;
        let slot = self.begun(place, queue_id, at.line, at_time);
        let login = acceptance.sasl_username.is_some();
        let unclaimed = !login && !self.follow.is_all();
        let Some(file) = self.files.get_mut(slot as usize) else { return };
        file.message.origin = Origin::Client(Box::new(FromClient {
            at,
            port: acceptance.client.port,
            username: acceptance.sasl_username.map(Into::into),
            mechanism: acceptance.sasl_method.filter(|_| self.follow.is_all()).map(Into::into),
            orig_queue_id: acceptance.orig_queue_id.map(|id| id.as_bytes().into()),
        }));
        let handle = Handle { slot, number: file.message.number };
        self.took(pid.map(|pid| (place.host, place.tag, pid)), handle, at_time);
        if unclaimed {
            self.is_unclaimed_yet(slot);
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
        match *line.event {
            Event::Delivery(delivery) => {
                // It may be told of before its first line.
                if let Some(next) = delivery.forwarded_as().filter(|_| self.follow.is_all()) {
                    at(self, next);
                }
                if let Some(slot) = at(self, delivery.queue_id) {
                    self.delivered(host, slot, &delivery, line);
                }
            }
            Event::Removed(id) => {
                if let Some(slot) = at(self, id) {
                    self.removed(slot, line);
                }
            }
            Event::Expired(id, sender, _) => {
                if let Some(slot) = at(self, id)
                    && let Some(file) = self.files.get_mut(slot as usize)
                {
                    file.message.set_envelope_sender(sender);
                    file.message.expire();
                }
            }
            Event::Pickup(pickup) => self.picked_up(place, &pickup, line),
            Event::Queue(id, action) => {
                if let Some(slot) = at(self, id) {
                    self.acted_on(slot, action, line.time);
                }
            }
            Event::MessageId(id, message_id) => self.message_id(place, id, message_id, line),
            event if !self.follow.is_all() => self.noted(place, &event, line),
            Event::Active(id, sender, size, nrcpt) => self.activated(place, id, (sender, size, nrcpt), line),
            Event::Notification(id, what, new) => {
                let (Some(parent), Some(child)) = (at(self, id), at(self, new)) else { return };
                self.made_from(parent, child, LinkKind::Notice, Origin::Notice { what: what.into() });
            }
            event => self.noted(place, &event, line),
        }
    }

    /// A line that says something besides. It begins no message: it may be about one that was never there.
    fn noted(&mut self, place: Place<'_>, event: &Event<'_>, line: &Line<'_>) {
        match event {
            Event::Gone { how, stage, client, queue_id } if breaks_off(*how, stage) => {
                self.broke_off(place, *queue_id, client, line);
            }
            Event::Policy(None, policy) => return self.foresee(place, policy, line),
            Event::Disconnect(_, counters) => return self.disconnected(place, *counters, line),
            _ => {}
        }
        let (id, action, sender): (_, &[u8], _) = match event {
            Event::ContentCheck(check) => (check.queue_id, check.action, check.from),
            Event::Policy(id, policy) => (*id, policy.action, policy.from),
            Event::QueueWarning(id, _) | Event::QueueNote(id, _) => (Some(*id), b"", None),
            Event::Remote(remote) => (remote.queue_id, b"", None),
            Event::Gone { queue_id, .. } => (*queue_id, b"", None),
            Event::RelayhostSaslFailed(id, _) => (*id, b"", None),
            _ => (None, b"", None),
        };
        let Some(slot) = id.and_then(|id| self.find(place.host, id.as_bytes())) else { return };
        self.touch(slot, line.id, line.time);
        if let Some(sender) = sender {
            self.change(slot, |message| message.set_sender(sender));
        }
        if is_hold(action) {
            self.acted_on(slot, QueueAction::Held, line.time);
        }
        self.may_stop(slot, line);
    }

    /// `postsuper` and others did something to a queue file.
    pub(super) fn acted_on(&mut self, slot: u32, action: QueueAction, time: i64) {
        let now = self.now;
        let Some(file) = self.files.get_mut(slot as usize).filter(|file| file.state == State::Open) else { return };
        match action {
            QueueAction::Held => (file.message.end, file.held) = (End::Held, true),
            QueueAction::Released if file.message.end == End::Held => file.message.end = End::InQueue,
            QueueAction::Requeued => {
                file.message.end = End::Requeued;
                file.message.ended = Some(time);
                file.state = State::Closing;
                let handle = Handle { slot, number: file.message.number };
                self.linger(now.saturating_add(PICKED_UP_WITHIN), handle);
            }
            QueueAction::Released | QueueAction::MarkedExpired | QueueAction::Skipped => {}
        }
    }

    fn picked_up(&mut self, place: Place<'_>, pickup: &Pickup<'_>, line: &Line<'_>) {
        let before = pickup.orig_queue_id.and_then(|id| self.find(place.host, id.as_bytes()));
        let slot = self.begun(place, pickup.queue_id, line.id, line.time);
        if before.is_none() && !self.follow.is_all() {
            self.is_unclaimed_yet(slot);
        }
        if let Some(file) = self.files.get_mut(slot as usize) {
            let again = pickup.orig_queue_id.is_some();
            file.message.origin = if again { Origin::Requeue } else { Origin::Local { uid: pickup.uid } };
            file.message.set_sender(pickup.from);
        }
        if let Some(before) = before.filter(|before| *before != slot) {
            self.acted_on(before, QueueAction::Requeued, line.time);
            self.link(before, slot, LinkKind::Requeue);
            if let Some(file) = self.files.get(before as usize) {
                let handle = Handle { slot: before, number: file.message.number };
                self.close(self.now, handle);
            }
        }
        self.came_in(slot);
        self.make_room(slot);
    }

    // ---- lives ----

    /// A message that is not followed has this queue id now: whoever had it has ended unseen.
    pub(crate) fn begins_unfollowed(&mut self, host: Symbol, id: QueueId<'_>) {
        if let Some(slot) = self.find(host, id.as_bytes()) {
            self.end_missing(slot);
        }
    }

    /// The file that a line which starts a life is about: a new one, unless one without a start has just been seen.
    fn begun(&mut self, place: Place<'_>, id: QueueId<'_>, line: u64, time: i64) -> u32 {
        if let Some(slot) = self.find(place.host, id.as_bytes()) {
            // Written by another process: it may stand just before the line that says where it came from.
            let young = self.files.get(slot as usize).is_some_and(|file| {
                let untouched = file.message.activations == 0 && file.message.recipients().len() == 0;
                let recent = time.saturating_sub(file.message.first) <= GRACE;
                file.state == State::Open && file.message.origin == Origin::Unknown && untouched && recent
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

    pub(super) fn touch(&mut self, slot: u32, line: u64, time: i64) {
        let detail = self.follow.keeps_detail();
        let Some(file) = self.files.get_mut(slot as usize) else { return };
        file.message.last = file.message.last.max(time);
        if detail {
            file.message.add_line(line);
        }
    }

    // ---- what lines say ----

    fn message_id(&mut self, place: Place<'_>, id: QueueId<'_>, message_id: &[u8], line: &Line<'_>) {
        let behind = line.record.text.get(id.as_bytes().len()..).unwrap_or_default();
        let resent = behind.starts_with(b": resent-message-id=");
        // The queue manager has had it, and here its text is read: another one, whose start has no line of its own.
        if let Some(slot) = self.find(place.host, id.as_bytes())
            && self.files.get(slot as usize).is_some_and(|file| {
                let begun = file.state == State::Closing || file.message.activations > 0;
                begun && file.message.message_id_of(resent).is_some_and(|known| known != message_id)
            })
        {
            self.end_missing(slot);
        }
        let Some(slot) = self.known_or_new(place, id, line) else { return };
        self.change(slot, |message| message.set_message_id(message_id, resent));
        self.match_by_message_id(slot);
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
        self.is_queued_after_all(slot);
        self.change(slot, |message| {
            message.activations = message.activations.saturating_add(line.record.repeat);
            if message.end == End::Held {
                message.end = End::InQueue;
            }
            message.set_envelope_sender(sender);
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
        file.message.end = match line.record.program {
            Program::Postsuper => End::Deleted,
            Program::Cleanup if line.record.text.ends_with(b"removed (discarded)") => End::Discarded,
            Program::Cleanup => End::Canceled,
            _ if file.message.is_expired() => End::Expired,
            _ => End::Removed,
        };
        file.state = State::Closing;
        let handle = Handle { slot, number: file.message.number };
        if file.unclaimed {
            return;
        }
        // Where only logins are followed, the queue id may soon be in use again unseen.
        if self.follow.is_all() || file.message.parent.is_some() {
            self.close(now, handle);
        } else {
            self.over(handle);
        }
    }
}
