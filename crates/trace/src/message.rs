//! The messages that logins sent, and what became of them, past a content filter.
//!
//! A message starts at `client=…, sasl_username=…` and ends at `removed`. A short queue id is used again after that, so
//! it names a message only together with its host and only until then.

use std::collections::VecDeque;
use std::rc::Rc;

use foldhash::HashMapExt as _;
use maillog::{Acceptance, Delivery};

use crate::Map;
use crate::attempt::Where;
use crate::names::Symbol;

/// The last word about one recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Handed to the next hop or a mailbox.
    Sent,
    /// Still being tried.
    Deferred,
    /// Returned to the sender.
    Bounced,
    /// Returned after the last try.
    Expired,
    /// Handed to a content filter; what the filter did with it is not known (yet).
    Filtered,
}

/// A message that a login sent.
#[derive(Clone, Debug)]
pub struct Message {
    /// The acceptance: time, client, session.
    pub at: Where,
    /// The account that sent it.
    pub username: Option<Box<[u8]>>,
    /// The first queue id.
    pub queue_id: Box<[u8]>,
    /// `removed` was seen: nothing more will happen.
    pub finished: bool,
    recipients: Map<Box<[u8]>, Fate>,
    /// Queue files of this message that are still there, filters' included.
    open: u32,
    handed_to_filter: bool,
    /// All queue files it ever had.
    files: Vec<Key>,
}

impl Message {
    /// How many recipients it had so far.
    #[must_use]
    pub fn recipients(&self) -> usize {
        self.recipients.len()
    }

    /// How many recipients met this fate.
    #[must_use]
    pub fn count(&self, fate: Fate) -> usize {
        self.recipients.values().filter(|f| **f == fate).count()
    }

    /// Every recipient with its fate, in no order.
    pub fn fates(&self) -> impl Iterator<Item = (&[u8], Fate)> {
        self.recipients.iter().map(|(to, fate)| (&**to, *fate))
    }

    /// Recipients that a filter expanded or dropped stay `Filtered` only if the filter's own deliveries tell nothing.
    fn settle(&mut self) {
        let told = self.recipients.values().any(|fate| *fate != Fate::Filtered);
        if self.handed_to_filter && told {
            self.recipients.retain(|_, fate| *fate != Fate::Filtered);
        }
    }
}

/// Host and queue id, hashed: millions of delivery lines are looked up, and few of them are of a login's message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key(u64);

/// A queue file we follow.
enum File {
    /// It is (a leg of) the message with this number.
    Of(u64),
    /// It came from a filter or another local hop; whose it is may turn out later.
    Unclaimed(Unclaimed),
}

#[derive(Default)]
struct Unclaimed {
    recipients: Vec<(Box<[u8]>, Fate)>,
    since: i64,
    removed: bool,
}

/// How long a filter's copy waits to be claimed, in microseconds of log time.
const CLAIM_WITHIN: i64 = 600 * 1_000_000;
/// Queue files of one message followed at the same time at most.
const LEGS: u32 = 1_000;
/// Recipients of one unclaimed copy kept at most.
const UNCLAIMED_RECIPIENTS: usize = 1_000;

/// Messages under way.
pub(crate) struct Messages {
    files: Map<Key, File>,
    messages: Map<u64, Message>,
    /// Unclaimed copies, oldest first.
    unclaimed: VecDeque<(i64, Key)>,
    /// Messages by age.
    order: VecDeque<u64>,
    next: u64,
    limit: usize,
}

impl Messages {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            files: Map::new(),
            messages: Map::new(),
            unclaimed: VecDeque::new(),
            order: VecDeque::new(),
            next: 0,
            limit,
        }
    }

    /// Whether any queue file is being followed: if none is, delivery lines need not be looked up.
    pub(crate) fn is_idle(&self) -> bool {
        self.files.is_empty()
    }

    /// Whether a queue file is being followed.
    #[inline]
    pub(crate) fn follows(&self, host: Symbol, queue_id: &[u8]) -> bool {
        !self.files.is_empty() && self.files.contains_key(&self.key(host, queue_id))
    }

    /// A login sent a message. Output: a message given up for want of room.
    pub(crate) fn accepted(&mut self, host: Symbol, acceptance: &Acceptance<'_>, at: Where) -> Option<Message> {
        let queue_id = acceptance.queue_id?.as_bytes();
        let dropped = if self.messages.len() >= self.limit { self.drop_oldest() } else { None };
        let number = self.next;
        self.next += 1;
        let key = self.key(host, queue_id);
        self.files.insert(key, File::Of(number));
        self.order.push_back(number);
        let username = acceptance.sasl_username.map(Into::into);
        self.messages.insert(
            number,
            Message {
                at,
                username,
                queue_id: queue_id.into(),
                finished: false,
                recipients: Map::new(),
                open: 1,
                handed_to_filter: false,
                files: vec![key],
            },
        );
        dropped
    }

    /// A message came in from this host itself, maybe from a content filter.
    pub(crate) fn reinjected(&mut self, host: Symbol, acceptance: &Acceptance<'_>, time: i64) {
        let Some(queue_id) = acceptance.queue_id else { return };
        self.forget_unclaimed(time);
        let key = self.key(host, queue_id.as_bytes());
        let parent = acceptance.orig_queue_id.and_then(|parent| self.number(host, parent.as_bytes()));
        if let Some(number) = parent {
            self.claim(key, number);
        } else {
            self.unclaimed.push_back((time, key));
            self.files.insert(key, File::Unclaimed(Unclaimed { since: time, ..Unclaimed::default() }));
        }
    }

    /// A delivery attempt.
    pub(crate) fn delivered(&mut self, host: Symbol, delivery: &Delivery<'_>) {
        let Some(fate) = fate(delivery.status) else { return };
        let key = self.key(host, delivery.queue_id.as_bytes());
        match self.files.get_mut(&key) {
            Some(File::Unclaimed(copy)) if copy.recipients.len() < UNCLAIMED_RECIPIENTS => {
                copy.recipients.push((delivery.to.into(), fate));
            }
            None | Some(File::Unclaimed(_)) => {}
            Some(File::Of(number)) => {
                let number = *number;
                let child = if fate == Fate::Sent { self.filter_copy(host, delivery) } else { None };
                let fate = if child.is_some() { Fate::Filtered } else { fate };
                if let Some(message) = self.messages.get_mut(&number) {
                    message.handed_to_filter |= fate == Fate::Filtered;
                    message
                        .recipients
                        .entry(delivery.to.into())
                        .and_modify(|old| *old = later(*old, fate))
                        .or_insert(fate);
                }
                if let Some(child) = child {
                    self.claim(child, number);
                }
            }
        }
    }

    /// The queue file a filter on this host made of the message: `queued as NEXT`, if NEXT came in here.
    fn filter_copy(&self, host: Symbol, delivery: &Delivery<'_>) -> Option<Key> {
        let key = self.key(host, delivery.queued_as()?.as_bytes());
        matches!(self.files.get(&key), Some(File::Unclaimed(_))).then_some(key)
    }

    fn claim(&mut self, key: Key, number: u64) {
        let Some(message) = self.messages.get_mut(&number).filter(|message| message.open < LEGS) else { return };
        message.open += 1;
        message.handed_to_filter = true;
        message.files.push(key);
        let Some(File::Unclaimed(copy)) = self.files.insert(key, File::Of(number)) else { return };
        for (to, fate) in copy.recipients {
            message.recipients.insert(to, fate);
        }
        if copy.removed {
            message.open -= 1;
            self.files.remove(&key);
        }
    }

    /// The queue manager refused to try any longer.
    pub(crate) fn expired(&mut self, host: Symbol, queue_id: &[u8]) {
        let Some(number) = self.number(host, queue_id) else { return };
        let Some(message) = self.messages.get_mut(&number) else { return };
        for fate in message.recipients.values_mut().filter(|fate| **fate == Fate::Deferred) {
            *fate = Fate::Expired;
        }
    }

    /// A queue file is gone. Output: the message, if that was its last.
    pub(crate) fn removed(&mut self, host: Symbol, queue_id: &[u8]) -> Option<Message> {
        let key = self.key(host, queue_id);
        match self.files.get_mut(&key)? {
            File::Unclaimed(copy) => {
                copy.removed = true;
                None
            }
            File::Of(number) => {
                let number = *number;
                self.files.remove(&key);
                let message = self.messages.get_mut(&number)?;
                message.open = message.open.saturating_sub(1);
                if message.open > 0 {
                    return None;
                }
                self.finish(number, true)
            }
        }
    }

    /// Everything still under way at the end of the log.
    pub(crate) fn rest(&mut self) -> Vec<Message> {
        let mut numbers: Vec<u64> = self.messages.keys().copied().collect();
        numbers.sort_unstable();
        numbers.into_iter().filter_map(|number| self.finish(number, false)).collect()
    }

    fn finish(&mut self, number: u64, finished: bool) -> Option<Message> {
        let mut message = self.messages.remove(&number)?;
        message.finished = finished;
        message.settle();
        // Numbers of finished messages leave the queue of ages when they come to its front.
        while self.order.front().is_some_and(|front| !self.messages.contains_key(front)) {
            self.order.pop_front();
        }
        Some(message)
    }

    fn key(&self, host: Symbol, queue_id: &[u8]) -> Key {
        use std::hash::BuildHasher as _;
        Key(self.files.hasher().hash_one((host, queue_id)))
    }

    fn number(&self, host: Symbol, queue_id: &[u8]) -> Option<u64> {
        match self.files.get(&self.key(host, queue_id))? {
            File::Of(number) => Some(*number),
            File::Unclaimed(_) => None,
        }
    }

    fn drop_oldest(&mut self) -> Option<Message> {
        while let Some(number) = self.order.pop_front() {
            if let Some(message) = self.finish(number, false) {
                for key in &message.files {
                    if matches!(self.files.get(key), Some(File::Of(n)) if *n == number) {
                        self.files.remove(key);
                    }
                }
                return Some(message);
            }
        }
        None
    }

    fn forget_unclaimed(&mut self, now: i64) {
        while self.unclaimed.len() >= self.limit
            || self.unclaimed.front().is_some_and(|(since, _)| now - since > CLAIM_WITHIN)
        {
            let Some((since, key)) = self.unclaimed.pop_front() else { return };
            if matches!(self.files.get(&key), Some(File::Unclaimed(copy)) if copy.since == since) {
                self.files.remove(&key);
            }
        }
    }
}

/// What a status means for the recipient. Probes and soft bounces of no consequence are none.
fn fate(status: &[u8]) -> Option<Fate> {
    Some(match status {
        b"sent" => Fate::Sent,
        b"deferred" | b"SOFTBOUNCE" => Fate::Deferred,
        b"bounced" => Fate::Bounced,
        b"expired" => Fate::Expired,
        _ => return None,
    })
}

/// The filter's own delivery of a recipient may be logged before the hand-over to the filter: that one says no more.
fn later(old: Fate, new: Fate) -> Fate {
    match (old, new) {
        (Fate::Sent | Fate::Bounced | Fate::Expired, Fate::Filtered) => old,
        _ => new,
    }
}

/// A shared empty string.
pub(crate) fn nothing() -> Rc<[u8]> {
    Rc::from(b"".as_slice())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at() -> Where {
        Where { line: 1, time: 0, session: None, host: nothing(), tag: nothing(), client_ip: None, client_host: None }
    }

    fn line(text: &'static str) -> maillog::Event<'static> {
        let line: &'static [u8] = text.as_bytes();
        maillog::event(&maillog::record(line).unwrap()).unwrap()
    }

    fn play(lines: &[&'static str]) -> Vec<Message> {
        let mut messages = Messages::new(10);
        let mut done = Vec::new();
        for text in lines {
            match line(text) {
                maillog::Event::Accepted(a) if a.sasl_username.is_some() => done.extend(messages.accepted(0, &a, at())),
                maillog::Event::Accepted(a) => messages.reinjected(0, &a, 0),
                maillog::Event::Delivery(d) => messages.delivered(0, &d),
                maillog::Event::Removed(id) => done.extend(messages.removed(0, id.as_bytes())),
                maillog::Event::Expired(id, ..) => messages.expired(0, id.as_bytes()),
                other => panic!("{other:?}"),
            }
        }
        done.extend(messages.rest());
        done
    }

    #[test]
    fn fates_of_recipients() {
        let done = play(&[
            "Jun 17 10:00:00 m postfix/smtpd[1]: AAAAA1: client=h[192.0.2.1], sasl_method=PLAIN, sasl_username=a",
            "Jun 17 10:00:01 m postfix/smtp[2]: AAAAA1: to=<x@a>, relay=none, delay=1, delays=0/0/1/0, dsn=4.4.1, status=deferred (x)",
            "Jun 17 10:00:01 m postfix/smtp[2]: AAAAA1: to=<y@a>, relay=none, delay=1, delays=0/0/1/0, dsn=5.4.1, status=bounced (x)",
            "Jun 17 10:10:01 m postfix/smtp[2]: AAAAA1: to=<x@a>, relay=h[192.0.2.9]:25, delay=1, delays=0/0/1/0, dsn=2.0.0, status=sent (250 ok)",
            "Jun 17 10:10:01 m postfix/qmgr[3]: AAAAA1: removed",
        ]);
        let [message] = done.as_slice() else { panic!("{done:?}") };
        assert_eq!(
            (message.recipients(), message.count(Fate::Sent), message.count(Fate::Bounced), message.finished),
            (2, 1, 1, true)
        );
    }

    #[test]
    fn through_a_content_filter_in_any_order() {
        let accepted =
            "Jun 17 10:00:00 m postfix/smtpd[1]: AAAAA1: client=h[192.0.2.1], sasl_method=PLAIN, sasl_username=a";
        let back = "Jun 17 10:00:01 m postfix/smtpd[1]: BBBBB2: client=localhost[127.0.0.1]";
        let handed = "Jun 17 10:00:02 m postfix/smtp[2]: AAAAA1: to=<x@a>, relay=127.0.0.1[127.0.0.1]:10024, delay=1, delays=0/0/1/0, dsn=2.0.0, status=sent (250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as BBBBB2)";
        let bounced = "Jun 17 10:00:02 m postfix/smtp[2]: BBBBB2: to=<x@a>, relay=h[192.0.2.9]:25, delay=1, delays=0/0/1/0, dsn=5.0.0, status=bounced (no)";
        let (gone_a, gone_b) = (
            "Jun 17 10:00:02 m postfix/qmgr[3]: AAAAA1: removed",
            "Jun 17 10:00:03 m postfix/qmgr[3]: BBBBB2: removed",
        );
        for lines in [
            [accepted, back, handed, gone_a, bounced, gone_b],
            [accepted, back, bounced, gone_b, handed, gone_a],
            [accepted, back, bounced, handed, gone_b, gone_a],
        ] {
            let done = play(&lines);
            let [message] = done.as_slice() else { panic!("{done:?}") };
            assert_eq!((message.recipients(), message.count(Fate::Bounced)), (1, 1), "{lines:?}");
        }
    }

    #[test]
    fn expired_and_unfinished() {
        let done = play(&[
            "Jun 17 10:00:00 m postfix/smtpd[1]: AAAAA1: client=h[192.0.2.1], sasl_method=PLAIN, sasl_username=a",
            "Jun 17 10:00:01 m postfix/smtp[2]: AAAAA1: to=<x@a>, relay=none, delay=1, delays=0/0/1/0, dsn=4.4.1, status=deferred (x)",
            "Jun 17 10:00:01 m postfix/qmgr[2]: AAAAA1: from=<a>, status=expired, returned to sender",
        ]);
        let [message] = done.as_slice() else { panic!("{done:?}") };
        assert_eq!((message.count(Fate::Expired), message.finished), (1, false));
    }

    #[test]
    fn room_for_so_many_and_no_more() {
        let mut messages = Messages::new(10);
        let maillog::Event::Accepted(a) =
            line("Jun 17 10:00:00 m postfix/smtpd[1]: AAAAA1: client=h[192.0.2.1], sasl_method=PLAIN, sasl_username=a")
        else {
            panic!()
        };
        let dropped = (0..100).filter_map(|host| messages.accepted(host, &a, at())).count();
        assert_eq!((dropped, messages.messages.len(), messages.files.len()), (90, 10, 10));
    }
}
