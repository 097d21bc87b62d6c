//! `trace`: finds messages and tells their stories.
//!
//! Reads twice: first to find which queue files belong to the stories asked for, then those files' lines alone, with
//! every detail. What cannot be read twice (standard input) is read once, with every detail; then only lines that are still
//! remembered can be shown.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::ops::RangeInclusive;

use input::{FeedError, Line};
use maillog::{Event, Program, QueueId, Record};
use trace::{Attempt, Follow, Login, Message, Refusal, Sink, Story, Where};

use crate::narrowed::Narrow;
use crate::reading::{Passing, Read, Reader, Reading};
use crate::worth::queue_id;

/// Stories told at most; the rest is counted.
const STORIES: usize = 1_000;
/// Bytes of lines remembered at most, until their story is complete.
const REMEMBERED: usize = 64 << 20;

/// Which messages are asked for.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// A queue id or Message-ID.
    id: Option<Box<[u8]>>,
    from: Option<Box<[u8]>>,
    to: Option<Box<[u8]>>,
    /// The message must have been under way at some time in here, microseconds since 1970 UTC.
    during: RangeInclusive<i64>,
}

impl Wanted {
    /// A queue id or Message-ID, a sender and a recipient, with or without `<>`; all of those given must fit.
    pub fn new(id: Option<&str>, from: Option<&str>, to: Option<&str>, during: RangeInclusive<i64>) -> Self {
        let bare = |text: &str| {
            let text = text.trim();
            let inside = text.strip_prefix('<').and_then(|text| text.strip_suffix('>'));
            Box::from(inside.unwrap_or(text).as_bytes())
        };
        Self { id: id.map(bare), from: from.map(bare), to: to.map(bare), during }
    }

    pub(crate) fn id(&self) -> Option<&[u8]> {
        self.id.as_deref()
    }

    pub(crate) fn from(&self) -> Option<&[u8]> {
        self.from.as_deref()
    }

    pub(crate) fn to(&self) -> Option<&[u8]> {
        self.to.as_deref()
    }

    fn is(&self, story: &Story) -> bool {
        story.messages().iter().any(|message| self.is_message(message))
    }

    fn is_message(&self, message: &Message) -> bool {
        let id = |id: &[u8]| {
            message.queue_id() == id || [message.message_id(), message.resent_message_id()].contains(&Some(id))
        };
        let from = |from: &[u8]| {
            let senders = [message.sender(), message.sender_before()];
            senders.into_iter().flatten().any(|sender| sender.eq_ignore_ascii_case(from))
        };
        let to = |to: &[u8]| {
            message.recipients().any(|recipient| {
                recipient.to.eq_ignore_ascii_case(to) || recipient.orig_to.is_some_and(|o| o.eq_ignore_ascii_case(to))
            }) || message.stop().and_then(|stop| stop.to).is_some_and(|known| known.eq_ignore_ascii_case(to))
        };
        let last = message.ended.unwrap_or(message.last);
        message.first <= *self.during.end()
            && last >= *self.during.start()
            && self.id.as_deref().is_none_or(id)
            && self.from.as_deref().is_none_or(from)
            && self.to.as_deref().is_none_or(to)
    }
}

/// The first reading: which queue files the stories have.
struct Finder {
    wanted: Wanted,
    stories: usize,
    queue_ids: HashSet<Box<[u8]>>,
    /// One came through a filter in front of the queue: only its session's lines tell from whom.
    needs_sessions: bool,
    /// One was never seen in the queue: lines of its client's session that name no queue file tell why.
    needs_reasons: bool,
}

impl Sink for Finder {
    fn attempt(&mut self, _attempt: &Attempt) {}
    fn login(&mut self, _login: &Login) {}
    fn refusal(&mut self, _refusal: &Refusal) {}
    fn message_accepted(&mut self, _at: &Where, _username: &[u8], _queue_id: Option<&[u8]>) {}

    fn story(&mut self, story: &Story) {
        if self.wanted.is(story) {
            self.stories += 1;
            if self.stories <= STORIES {
                self.queue_ids.extend(story.messages().iter().map(|message| Box::from(message.queue_id())));
                self.needs_sessions |=
                    story.messages().iter().any(|m| m.client().is_some_and(|c| c.at.line > m.first_line));
                self.needs_reasons |= story.messages().iter().any(|m| m.client().is_some() && m.activations == 0);
            }
        }
    }
}

impl Reader for Finder {
    fn before(&mut self, _line: &Line<'_>, _event: Option<&Event<'_>>) {}
    fn after(&mut self, _passing: &Passing<'_>) {}
    const FOLLOW: Follow = Follow::Stories { detail: false };
}

/// Where a line stands, and the line itself, secrets redacted.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Its source's place among the sources read.
    pub source: usize,
    /// Its number there, from 1.
    pub number: u64,
    /// The line.
    pub text: String,
}

/// A story, and its lines by their ids.
pub struct Told {
    /// The story.
    pub story: Story,
    /// Its lines that are still known, by their ids.
    pub lines: BTreeMap<u64, Shown>,
}

/// The reading that tells.
struct Teller {
    wanted: Wanted,
    told: Vec<Told>,
    beyond: usize,
    recent: VecDeque<(u64, Shown)>,
    bytes: usize,
}

impl Teller {
    fn new(wanted: Wanted) -> Self {
        Self { wanted, told: Vec::new(), beyond: 0, recent: VecDeque::new(), bytes: 0 }
    }

    fn remembered(&self, id: u64) -> Option<&Shown> {
        let at = self.recent.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        self.recent.get(at).map(|(_, shown)| shown)
    }
}

impl Sink for Teller {
    fn attempt(&mut self, _attempt: &Attempt) {}
    fn login(&mut self, _login: &Login) {}
    fn refusal(&mut self, _refusal: &Refusal) {}
    fn message_accepted(&mut self, _at: &Where, _username: &[u8], _queue_id: Option<&[u8]>) {}

    fn story(&mut self, story: &Story) {
        if !self.wanted.is(story) {
            return;
        }
        if self.told.len() >= STORIES {
            self.beyond += 1;
            return;
        }
        let ids = story.messages().iter().flat_map(|message| message.lines().iter().copied());
        let lines = ids.filter_map(|id| Some((id, self.remembered(id)?.clone()))).collect();
        self.told.push(Told { story: story.clone(), lines });
    }
}

impl Reader for Teller {
    fn before(&mut self, line: &Line<'_>, event: Option<&Event<'_>>) {
        let broke_off = event.is_some_and(tells_of_break);
        let Some(record) = line.record.filter(|record| broke_off || queue_id(record).is_some()) else { return };
        let text = String::from_utf8_lossy(&maillog::redact_line(line.raw, record.text)).into_owned();
        self.bytes += text.len() + size_of::<(u64, Shown)>();
        self.recent.push_back((line.seq, Shown { source: line.source, number: line.line, text }));
        while self.bytes > REMEMBERED
            && let Some((_, gone)) = self.recent.pop_front()
        {
            self.bytes = self.bytes.saturating_sub(gone.text.len() + size_of::<(u64, Shown)>());
        }
    }

    fn after(&mut self, _passing: &Passing<'_>) {}
    const FOLLOW: Follow = Follow::Stories { detail: true };
}

/// Lines without a queue id that tell from whom a filter in front of the queue got a message.
fn tells_of_proxy(record: &Record<'_>) -> bool {
    let starts = [b"connect from ".as_slice(), b"NOQUEUE: client=", b"proxy-accept: "];
    starts.iter().any(|words| record.text.starts_with(words))
}

/// A message taken from a client: which of a session's messages a line about none of them means hangs on all of them.
fn is_taken(record: &Record<'_>, id: QueueId<'_>) -> bool {
    let behind = record.text.get(id.as_bytes().len()..).unwrap_or_default();
    record.program == Program::Smtpd && behind.starts_with(b": client=")
}

/// Whether a line may say what became of a message without naming it: a rule before it had a queue file, or its client's counters.
fn may_tell_of_session(record: &Record<'_>) -> bool {
    let starts = [b"NOQUEUE: ".as_slice(), b"disconnect from "];
    record.program == Program::Smtpd && starts.iter().any(|words| record.text.starts_with(words))
}

/// Whether [`tells_of_break`] may hold.
fn may_tell_of_break(record: &Record<'_>) -> bool {
    let starts = [b"lost connection after ".as_slice(), b"timeout after "];
    record.program == Program::Smtpd && starts.iter().any(|words| record.text.starts_with(words))
}

/// A client is gone in the middle of a message, or a rule has decided about one to come: the line need not name it.
fn tells_of_break(event: &Event<'_>) -> bool {
    match event {
        Event::Gone { how, stage, .. } => trace::breaks_off(*how, stage),
        Event::Policy(None, policy) => trace::is_foreseen(policy.action),
        _ => false,
    }
}

/// Stories, and what was read to tell them.
pub struct Found {
    /// From old to new.
    pub told: Vec<Told>,
    /// How many more there are.
    pub beyond: usize,
    /// What was read.
    pub read: Read,
}

/// Reads the stories that are meant: twice where that is possible, so that only their own lines are kept.
pub fn find(wanted: Wanted, reading: Reading) -> Result<Found, FeedError> {
    let mut teller = Teller::new(wanted.clone());
    let reading = reading.narrowed(Narrow::Mail(wanted.clone()));
    let read = if reading.can_be_repeated() {
        let again = reading.clone();
        let mut finder =
            Finder { wanted, stories: 0, queue_ids: HashSet::new(), needs_sessions: false, needs_reasons: false };
        let read = reading.run(&mut finder)?;
        if finder.stories > 0 {
            let Finder { queue_ids: ids, needs_sessions, needs_reasons, .. } = finder;
            let only = |record: &Record<'_>| match queue_id(record) {
                Some(id) => ids.contains(id.as_bytes()) || needs_reasons && is_taken(record, id),
                None => {
                    needs_sessions && tells_of_proxy(record)
                        || may_tell_of_break(record)
                        || needs_reasons && may_tell_of_session(record)
                }
            };
            // What could not be read has been noted already.
            drop(again.run_only(&mut teller, &only));
            teller.beyond = finder.stories.saturating_sub(teller.told.len());
        }
        read
    } else {
        reading.run(&mut teller)?
    };
    teller.told.sort_by_key(|told| told.story.first().map_or(0, |message| message.first));
    Ok(Found { told: teller.told, beyond: teller.beyond, read })
}
