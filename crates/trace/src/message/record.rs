//! One queue file: where it came from, its envelope, its recipients with what became of them, and its end.
//!
//! Input: what single lines say, one call each. Output: a [`Message`], whose texts stand in one buffer of its own, so that
//! the next message can use it again.

use std::rc::Rc;

use foldhash::HashMapExt as _;
use maillog::{Delivery, Tag};

use crate::Map;
use crate::attempt::Where;
use crate::message::nothing;

/// One queue file from its first line to its end. A message that passes a content filter has several: see [`crate::Story`].
///
/// Texts are as logged, written by strangers: escape them.
#[derive(Clone, Debug)]
pub struct Message {
    /// Names it in [`Link`]s; grows in the order in which messages are first seen.
    pub number: u64,
    /// The mail host as logged.
    pub host: Rc<[u8]>,
    /// The program tag of its first line: names the instance.
    pub tag: Rc<[u8]>,
    /// Where it came from.
    pub origin: Origin,
    /// Bytes, as the queue manager says.
    pub size: Option<u64>,
    /// Recipients in the queue file, as the queue manager first says.
    pub nrcpt: Option<u32>,
    /// How often the queue manager took it up: 0 if that is not in the log, more than 1 after a deferral.
    pub activations: u32,
    /// The number of its first line, as the caller gave it.
    pub first_line: u64,
    /// Time of the first line, microseconds since 1970 UTC.
    pub first: i64,
    /// Time of the last line but its end.
    pub last: i64,
    /// When a recipient was first delivered to.
    pub delivered: Option<i64>,
    /// When it ended; `None` if that is not in the log.
    pub ended: Option<i64>,
    /// How it ended, or why that is not known.
    pub end: End,
    /// The queue file it was made from.
    pub parent: Option<Link>,
    /// Queue files made from it: copies past a filter, forwarded mail, notices to its sender.
    pub children: Vec<Link>,
    /// Recipients beyond [`Message::RECIPIENTS`], which are counted and not kept.
    pub recipients_beyond: u32,
    queue_id: Span,
    sender: Option<Span>,
    message_id: Option<Span>,
    text: Vec<u8>,
    recipients: Vec<Row>,
    /// Rows by recipient, once there are many.
    index: Map<u64, u32>,
    tries: Vec<TryRow>,
    lines: Vec<u64>,
}

/// A piece of the message's own text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Span {
    start: u32,
    end: u32,
}

/// Where a message came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// Its start is not in the log.
    #[default]
    Unknown,
    /// An SMTP client.
    Client(Box<FromClient>),
    /// A local user, through `sendmail`.
    Local {
        /// The user's number.
        uid: Option<u32>,
    },
    /// A notice that Postfix wrote about another message: `sender non-delivery`, `sender delay`, ….
    Notice {
        /// What it says.
        what: Box<[u8]>,
    },
    /// An alias or `.forward` file sent another message on.
    Forward,
    /// `postsuper -r` put another queue file in the queue again.
    Requeue,
    /// Postfix itself; the log does not say why.
    Internal,
}

/// The client a message came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FromClient {
    /// Line, time, host, tag, session (of logins) and client.
    pub at: Where,
    /// The client's port, if logged.
    pub port: Option<u16>,
    /// The account that the client logged in to.
    pub username: Option<Box<[u8]>>,
    /// The mechanism of the login, as the client spelled it.
    pub mechanism: Option<Box<[u8]>>,
    /// The queue id before a content filter, as the filter passed it on (XFORWARD).
    pub orig_queue_id: Option<Box<[u8]>>,
}

/// What became of one recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fate {
    /// Handed to the next hop or a mailbox.
    Sent,
    /// Still being tried.
    Deferred,
    /// Returned to the sender.
    Bounced,
    /// Returned after the last try.
    Expired,
    /// Handed to another queue file of ours (past a content filter, forwarded, on our next host), which tells the rest.
    HandedOn,
}

impl Fate {
    /// What a delivery line's status means for the recipient. Probes (`deliverable`) and unknown words are none.
    #[must_use]
    pub fn of_status(status: &[u8]) -> Option<Self> {
        Some(match status {
            b"sent" => Self::Sent,
            b"deferred" | b"SOFTBOUNCE" => Self::Deferred,
            b"bounced" => Self::Bounced,
            b"expired" => Self::Expired,
            _ => return None,
        })
    }

    /// The word for it, as `status=` has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Deferred => "deferred",
            Self::Bounced => "bounced",
            Self::Expired => "expired",
            Self::HandedOn => "handed_on",
        }
    }
}

/// How a message ended, as far as the log shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum End {
    /// The log ends, and it is in the queue.
    #[default]
    InQueue,
    /// The log ends, and it is on hold.
    Held,
    /// All is done: `removed`.
    Removed,
    /// Given back to its sender after the last try.
    Expired,
    /// An admin deleted it (`postsuper -d`).
    Deleted,
    /// Given up before it was in the queue: the client broke off, or `cleanup` discarded or refused it.
    Canceled,
    /// Its end is not in the log: its queue id is in use again.
    Missing,
    /// Given up here for want of room; what happened to it later is not known.
    GivenUp,
}

impl End {
    /// The name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::InQueue => "in_queue",
            Self::Held => "held",
            Self::Removed => "removed",
            Self::Expired => "expired",
            Self::Deleted => "deleted",
            Self::Canceled => "canceled",
            Self::Missing => "end_missing",
            Self::GivenUp => "given_up",
        }
    }
}

/// One message made from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Link {
    /// How.
    pub kind: LinkKind,
    /// The other's [`Message::number`].
    pub message: u64,
}

/// How one message is made from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LinkKind {
    /// Through a content filter and back in.
    Filter,
    /// To another host or instance of ours.
    Hop,
    /// By an alias or `.forward` file.
    Forward,
    /// Put in the queue again.
    Requeue,
    /// A notice about it to its sender or the postmaster.
    Notice,
}

impl LinkKind {
    /// The name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Filter => "filter",
            Self::Hop => "hop",
            Self::Forward => "forward",
            Self::Requeue => "requeue",
            Self::Notice => "notice",
        }
    }

    /// Whether it is the same mail on its way, and not mail about it.
    #[must_use]
    pub fn carries_on(self) -> bool {
        self != Self::Notice
    }
}

#[derive(Clone, Copy, Debug)]
struct Row {
    to: Span,
    orig_to: Option<Span>,
    fate: Fate,
    tries: u32,
    deferrals: u32,
    first: i64,
    last: i64,
    next: Option<u64>,
}

/// A recipient and what became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recipient<'a> {
    /// The address.
    pub to: &'a [u8],
    /// The address before aliases, if another.
    pub orig_to: Option<&'a [u8]>,
    /// The last word about it.
    pub fate: Fate,
    /// Delivery attempts.
    pub tries: u32,
    /// How many of them were put off.
    pub deferrals: u32,
    /// Time of the first attempt, microseconds since 1970 UTC.
    pub first: i64,
    /// Time of the last.
    pub last: i64,
    /// The message that carries on, where the fate is [`Fate::HandedOn`].
    pub next: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
struct TryRow {
    line: u64,
    time: i64,
    recipient: u32,
    fate: Fate,
    relay: Span,
    dsn: Span,
    response: Span,
    delay: Option<f64>,
    delays: Option<[f64; 4]>,
}

/// One delivery attempt.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Try<'a> {
    /// The line's number.
    pub line: u64,
    /// Microseconds since 1970 UTC.
    pub time: i64,
    /// The recipient's address.
    pub to: &'a [u8],
    /// How it went.
    pub fate: Fate,
    /// `none`, `local`, a transport, or `host[address]:port`.
    pub relay: &'a [u8],
    /// Enhanced status code; empty if not logged.
    pub dsn: &'a [u8],
    /// The words in parentheses.
    pub response: &'a [u8],
    /// Seconds since the message arrived.
    pub delay: Option<f64>,
    /// Seconds before the queue manager, in it, for connection set-up, for transmission.
    pub delays: Option<[f64; 4]>,
}

/// Above so many recipients they are looked up through an index.
const SEARCHED: usize = 16;
/// Bytes kept of one text of a line.
const TEXT: usize = 2_048;

impl Message {
    /// Recipients kept of one message at most.
    pub const RECIPIENTS: usize = 10_000;
    /// Attempts kept of one message at most, where they are kept.
    pub const TRIES: usize = 10_000;
    /// Numbers of lines kept of one message at most, where they are kept.
    pub const LINES: usize = 20_000;

    pub(super) fn new() -> Self {
        Self {
            number: 0,
            host: nothing(),
            tag: nothing(),
            origin: Origin::Unknown,
            size: None,
            nrcpt: None,
            activations: 0,
            first_line: 0,
            first: 0,
            last: 0,
            delivered: None,
            ended: None,
            end: End::InQueue,
            parent: None,
            children: Vec::new(),
            recipients_beyond: 0,
            queue_id: Span::default(),
            sender: None,
            message_id: None,
            text: Vec::new(),
            recipients: Vec::new(),
            index: Map::new(),
            tries: Vec::new(),
            lines: Vec::new(),
        }
    }

    /// Starts over for another message, keeping the buffers.
    pub(super) fn restart(&mut self, number: u64, queue_id: &[u8], line: u64, time: i64) {
        let mut old = std::mem::replace(self, Self::new());
        old.text.clear();
        old.recipients.clear();
        old.children.clear();
        old.tries.clear();
        old.lines.clear();
        self.text = old.text;
        self.recipients = old.recipients;
        self.children = old.children;
        self.tries = old.tries;
        self.lines = old.lines;
        self.number = number;
        self.queue_id = self.keep(queue_id);
        self.first_line = line;
        self.first = time;
        self.last = time;
    }

    /// The queue id as logged.
    #[must_use]
    pub fn queue_id(&self) -> &[u8] {
        self.get(self.queue_id)
    }

    /// The envelope sender; empty for bounces.
    #[must_use]
    pub fn sender(&self) -> Option<&[u8]> {
        self.sender.map(|span| self.get(span))
    }

    /// The Message-ID without its angle brackets.
    #[must_use]
    pub fn message_id(&self) -> Option<&[u8]> {
        self.message_id.map(|span| self.get(span))
    }

    /// The instance of Postfix, where the tag names another than `postfix`.
    #[must_use]
    pub fn instance(&self) -> Option<&[u8]> {
        Tag(&self.tag).instance()
    }

    /// The client it came from.
    #[must_use]
    pub fn client(&self) -> Option<&FromClient> {
        match &self.origin {
            Origin::Client(client) => Some(client),
            _ => None,
        }
    }

    /// The account whose login sent it.
    #[must_use]
    pub fn username(&self) -> Option<&[u8]> {
        self.client()?.username.as_deref()
    }

    /// Whether its first lines are not in the log.
    #[must_use]
    pub fn start_missing(&self) -> bool {
        self.origin == Origin::Unknown
    }

    /// Whether its end is not in the log.
    #[must_use]
    pub fn end_missing(&self) -> bool {
        self.ended.is_none()
    }

    /// Its recipients, in the order of their first attempts.
    pub fn recipients(&self) -> impl ExactSizeIterator<Item = Recipient<'_>> {
        self.recipients.iter().map(|row| self.recipient(row))
    }

    /// How many recipients met this fate.
    #[must_use]
    pub fn count(&self, fate: Fate) -> usize {
        self.recipients.iter().filter(|row| row.fate == fate).count()
    }

    /// Every attempt in order, where they are kept ([`crate::Follow::Stories`] with detail).
    pub fn tries(&self) -> impl Iterator<Item = Try<'_>> {
        self.tries.iter().map(|row| Try {
            line: row.line,
            time: row.time,
            to: self.recipients.get(row.recipient as usize).map_or(b"".as_slice(), |r| self.get(r.to)),
            fate: row.fate,
            relay: self.get(row.relay),
            dsn: self.get(row.dsn),
            response: self.get(row.response),
            delay: row.delay,
            delays: row.delays,
        })
    }

    /// The numbers of its lines in order, where they are kept ([`crate::Follow::Stories`] with detail).
    #[must_use]
    pub fn lines(&self) -> &[u64] {
        &self.lines
    }

    /// Bytes that it takes, about.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>()
            + self.text.len()
            + self.recipients.len() * size_of::<Row>()
            + self.index.len() * 16
            + self.tries.len() * size_of::<TryRow>()
            + self.lines.len() * 8
    }

    fn recipient(&self, row: &Row) -> Recipient<'_> {
        Recipient {
            to: self.get(row.to),
            orig_to: row.orig_to.map(|span| self.get(span)),
            fate: row.fate,
            tries: row.tries,
            deferrals: row.deferrals,
            first: row.first,
            last: row.last,
            next: row.next,
        }
    }

    #[inline]
    fn get(&self, span: Span) -> &[u8] {
        self.text.get(span.start as usize..span.end as usize).unwrap_or_default()
    }

    fn keep(&mut self, text: &[u8]) -> Span {
        let text = text.get(..TEXT).unwrap_or(text);
        let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        let start = place(self.text.len());
        self.text.extend_from_slice(text);
        Span { start, end: place(self.text.len()) }
    }

    pub(super) fn set_sender(&mut self, sender: &[u8]) {
        if self.sender.is_none() {
            self.sender = Some(self.keep(sender));
        }
    }

    /// The first one counts: `resent-message-id` comes second.
    pub(super) fn set_message_id(&mut self, message_id: &[u8]) {
        if self.message_id.is_none() {
            self.message_id = Some(self.keep(message_id));
        }
    }

    pub(super) fn add_line(&mut self, line: u64) {
        if self.lines.len() < Self::LINES && self.lines.last() != Some(&line) {
            self.lines.push(line);
        }
    }

    /// A delivery attempt. Output: the recipient's place.
    pub(super) fn attempted(&mut self, delivery: &Delivery<'_>, fate: Fate, time: i64) -> Option<usize> {
        if fate == Fate::Sent && self.delivered.is_none() {
            self.delivered = Some(time);
        }
        let at = match self.find(delivery.to) {
            Some(at) => at,
            None => self.add(delivery.to, delivery.orig_to, time)?,
        };
        let row = self.recipients.get_mut(at)?;
        row.fate = if row.next.is_some() && fate == Fate::Sent { Fate::HandedOn } else { fate };
        row.tries = row.tries.saturating_add(1);
        row.deferrals = row.deferrals.saturating_add(u32::from(fate == Fate::Deferred));
        row.last = time;
        Some(at)
    }

    /// Keeps an attempt whole.
    pub(super) fn keep_try(&mut self, recipient: usize, delivery: &Delivery<'_>, fate: Fate, line: u64, time: i64) {
        if self.tries.len() >= Self::TRIES {
            return;
        }
        let timing = delivery.timing();
        let row = TryRow {
            line,
            time,
            recipient: u32::try_from(recipient).unwrap_or(u32::MAX),
            fate,
            relay: self.keep(delivery.relay),
            dsn: self.keep(timing.dsn.unwrap_or_default()),
            response: self.keep(delivery.response),
            delay: timing.delay,
            delays: timing.delays,
        };
        self.tries.push(row);
    }

    /// Another queue file carries on for this recipient.
    pub(super) fn handed_on(&mut self, recipient: usize, next: u64) {
        if let Some(row) = self.recipients.get_mut(recipient) {
            row.next = Some(next);
            if row.fate == Fate::Sent {
                row.fate = Fate::HandedOn;
            }
        }
    }

    /// The queue manager tries no longer.
    pub(super) fn expire(&mut self) {
        for row in self.recipients.iter_mut().filter(|row| row.fate == Fate::Deferred) {
            row.fate = Fate::Expired;
        }
    }

    pub(super) fn add_child(&mut self, link: Link) {
        if !self.children.contains(&link) {
            self.children.push(link);
        }
    }

    fn find(&self, to: &[u8]) -> Option<usize> {
        if self.recipients.len() <= SEARCHED {
            return self.recipients.iter().position(|row| self.get(row.to) == to);
        }
        let at = *self.index.get(&self.hash(to))? as usize;
        self.recipients.get(at).is_some_and(|row| self.get(row.to) == to).then_some(at)
    }

    fn add(&mut self, to: &[u8], orig_to: Option<&[u8]>, time: i64) -> Option<usize> {
        let at = self.recipients.len();
        if at >= Self::RECIPIENTS {
            self.recipients_beyond = self.recipients_beyond.saturating_add(1);
            return None;
        }
        let to = self.keep(to);
        let orig_to = orig_to.map(|text| self.keep(text));
        self.recipients.push(Row {
            to,
            orig_to,
            fate: Fate::Deferred,
            tries: 0,
            deferrals: 0,
            first: time,
            last: time,
            next: None,
        });
        if at == SEARCHED {
            for at in 0..at {
                self.enter(at);
            }
        }
        if at >= SEARCHED {
            self.enter(at);
        }
        Some(at)
    }

    fn enter(&mut self, at: usize) {
        let Some(row) = self.recipients.get(at) else { return };
        let hash = self.hash(self.get(row.to));
        self.index.insert(hash, u32::try_from(at).unwrap_or(u32::MAX));
    }

    fn hash(&self, to: &[u8]) -> u64 {
        use std::hash::BuildHasher as _;
        self.index.hasher().hash_one(to)
    }
}
