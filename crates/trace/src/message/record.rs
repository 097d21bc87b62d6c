//! One queue file: where it came from, its envelope, its recipients with what became of them, and its end.
//!
//! Input: what single lines say, one call each. Output: a [`Message`], whose texts stand in one buffer of its own, so that
//! the next message can use it again.

use std::hash::BuildHasher as _;
use std::rc::Rc;

use maillog::{Delivery, Tag};

use crate::Map;
use crate::message::nothing;
use crate::message::parts::{End, Fate, FromClient, Judge, Link, Origin, Recipient, Stop, Try};

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
    /// What `sender` was before the queue manager named another.
    sender_before: Option<Span>,
    /// `sender` is the queue manager's word.
    sender_is_sure: bool,
    /// The queue manager tries no longer.
    is_expired: bool,
    message_id: Option<Span>,
    resent_message_id: Option<Span>,
    stop: Option<StopRow>,
    text: Vec<u8>,
    recipients: Vec<Row>,
    /// Rows by recipient, once there are many.
    index: Option<Box<Map<u64, u32>>>,
    tries: Vec<TryRow>,
    lines: Vec<u64>,
}

/// A piece of the message's own text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Span {
    start: u32,
    end: u32,
}

#[derive(Clone, Copy, Debug)]
struct StopRow {
    by: Judge,
    words: Span,
    to: Option<Span>,
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

/// Above so many recipients they are looked up through an index.
const SEARCHED: usize = 16;
/// Bytes kept of one text of a line, and of all texts of a message. What is beyond reads as empty.
const TEXT: usize = 2_048;
const TEXTS: usize = 8 << 20;
const TEXTS_OF_MOST: usize = 128;
/// Bytes of a buffer that is kept for the next message at most, about.
const LARGE: usize = 16 << 10;

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
            sender_before: None,
            sender_is_sure: false,
            is_expired: false,
            message_id: None,
            resent_message_id: None,
            stop: None,
            text: Vec::new(),
            recipients: Vec::new(),
            index: None,
            tries: Vec::new(),
            lines: Vec::new(),
        }
    }

    /// Starts over for another message of this host and tag, keeping the buffers.
    pub(super) fn restart(&mut self, number: u64, (host, tag): (Rc<[u8]>, Rc<[u8]>), queue_id: &[u8]) {
        self.text.clear();
        self.recipients.clear();
        self.children.clear();
        self.tries.clear();
        self.lines.clear();
        (self.number, self.host, self.tag) = (number, host, tag);
        (self.origin, self.parent, self.end) = (Origin::Unknown, None, End::InQueue);
        (self.size, self.nrcpt, self.activations, self.recipients_beyond) = (None, None, 0, 0);
        (self.delivered, self.ended) = (None, None);
        (self.sender, self.message_id, self.index, self.stop) = (None, None, None, None);
        (self.sender_before, self.sender_is_sure, self.resent_message_id) = (None, false, None);
        self.is_expired = false;
        // Enough for the ids and addresses of most, at once.
        self.text.reserve(TEXTS_OF_MOST);
        self.queue_id = self.keep(queue_id);
    }

    /// Its first line.
    pub(super) fn begin(&mut self, line: u64, time: i64) {
        (self.first_line, self.first, self.last) = (line, time, time);
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

    /// The sender as it was handed in (`root`), where the queue manager names another (`root@mx.example.org`).
    #[must_use]
    pub fn sender_before(&self) -> Option<&[u8]> {
        self.sender_before.map(|span| self.get(span))
    }

    /// The Message-ID without its angle brackets; that of the one who sent it again, where it has no other.
    #[must_use]
    pub fn message_id(&self) -> Option<&[u8]> {
        self.message_id.or(self.resent_message_id).map(|span| self.get(span))
    }

    /// The Message-ID of the one who sent it again (`Resent-Message-ID`).
    #[must_use]
    pub fn resent_message_id(&self) -> Option<&[u8]> {
        self.resent_message_id.map(|span| self.get(span))
    }

    /// Of the two kinds of Message-IDs the one that was asked for.
    pub(super) fn message_id_of(&self, resent: bool) -> Option<&[u8]> {
        let span = if resent { self.resent_message_id } else { self.message_id };
        span.map(|span| self.get(span))
    }

    /// Why it was refused whole, or thrown away, before it was in the queue.
    #[must_use]
    pub fn stop(&self) -> Option<Stop<'_>> {
        let stop = self.stop.filter(|_| matches!(self.end, End::Refused | End::Discarded))?;
        Some(Stop { by: stop.by, words: self.get(stop.words), to: stop.to.map(|span| self.get(span)) })
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

    /// Whether the queue manager has said that it gives up.
    pub(super) fn is_expired(&self) -> bool {
        self.is_expired
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
            orig_to: self.recipients.get(row.recipient as usize).and_then(|r| Some(self.get(r.orig_to?))),
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
            + self.index.as_ref().map_or(0, |index| index.len() * 16)
            + self.tries.len() * size_of::<TryRow>()
            + self.lines.len() * 8
    }

    /// Whether its buffers are too large to be kept for the next one.
    pub(super) fn is_large(&self) -> bool {
        let rows = self.recipients.capacity() + self.tries.capacity() + self.children.capacity();
        self.text.capacity() > LARGE || rows > LARGE / 64 || self.lines.capacity() > LARGE / 8
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
        let text = if self.text.len() + text.len() > TEXTS { b"" } else { text };
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

    /// The queue manager's word counts more than any before.
    pub(super) fn set_envelope_sender(&mut self, sender: &[u8]) {
        if std::mem::replace(&mut self.sender_is_sure, true) || self.sender() == Some(sender) {
            return;
        }
        self.sender_before = self.sender;
        self.sender = Some(self.keep(sender));
    }

    /// Of each kind the first one counts.
    pub(super) fn set_message_id(&mut self, message_id: &[u8], resent: bool) {
        if self.message_id_of(resent).is_some() {
            return;
        }
        let span = Some(self.keep(message_id));
        *(if resent { &mut self.resent_message_id } else { &mut self.message_id }) = span;
    }

    /// The first one counts.
    pub(super) fn set_stop(&mut self, by: Judge, words: &[u8], to: Option<&[u8]>) {
        if self.stop.is_none() {
            let (words, to) = (self.keep(words), to.map(|to| self.keep(to)));
            self.stop = Some(StopRow { by, words, to });
        }
    }

    /// It is in the queue all the same.
    pub(super) fn reopen(&mut self) {
        (self.end, self.ended, self.stop) = (End::InQueue, None, None);
    }

    pub(super) fn add_line(&mut self, line: u64) {
        if self.lines.len() >= Self::LINES || self.lines.last() == Some(&line) {
            return;
        }
        // A rule's word may stand before the line that opens the queue file.
        let at = if self.lines.last() > Some(&line) {
            self.lines.partition_point(|known| *known < line)
        } else {
            self.lines.len()
        };
        if self.lines.get(at) != Some(&line) {
            self.lines.insert(at, line);
        }
    }

    /// A delivery attempt. Output: the recipient's place.
    pub(super) fn attempted(&mut self, delivery: &Delivery<'_>, fate: Fate, time: i64) -> Option<usize> {
        if fate == Fate::Sent && self.delivered.is_none() {
            self.delivered = Some(time);
        }
        let at = match self.find(delivery.to, delivery.orig_to) {
            Some(at) => at,
            None => self.add(delivery.to, delivery.orig_to, time)?,
        };
        // Written by two programs, the queue manager's last word may stand before that of the last try.
        let fate = if fate == Fate::Deferred && self.is_expired { Fate::Expired } else { fate };
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
        self.is_expired = true;
        for row in self.recipients.iter_mut().filter(|row| row.fate == Fate::Deferred) {
            row.fate = Fate::Expired;
        }
    }

    pub(super) fn add_child(&mut self, link: Link) {
        if !self.children.contains(&link) {
            self.children.push(link);
        }
    }

    /// Two aliases may lead to one mailbox: then it is two recipients.
    fn find(&self, to: &[u8], orig_to: Option<&[u8]>) -> Option<usize> {
        let is = |row: &Row| self.get(row.to) == to && row.orig_to.map(|span| self.get(span)) == orig_to;
        let Some(index) = &self.index else { return self.recipients.iter().position(is) };
        let at = *index.get(&index.hasher().hash_one((to, orig_to)))? as usize;
        self.recipients.get(at).is_some_and(is).then_some(at)
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
        if at >= SEARCHED {
            let first = if self.index.is_some() { at } else { 0 };
            for at in first..=at {
                self.enter(at);
            }
        }
        Some(at)
    }

    fn enter(&mut self, at: usize) {
        let Some(row) = self.recipients.get(at) else { return };
        let get = |span: Span| self.text.get(span.start as usize..span.end as usize).unwrap_or_default();
        let (to, orig_to) = (get(row.to), row.orig_to.map(get));
        let index = self.index.get_or_insert_default();
        let hash = index.hasher().hash_one((to, orig_to));
        index.insert(hash, u32::try_from(at).unwrap_or(u32::MAX));
    }
}
