//! Messages that end before they are in the queue: refused whole, thrown away, or broken off by their client.
//!
//! Input: decisions of `smtpd`, `cleanup` and milters about a queue file, warnings about it, and `lost connection` lines. Output: its end,
//! with who did it and the words. A refusal of one recipient ends nothing.
//! Sources: Postfix `src/cleanup/cleanup_milter.c`, `cleanup_message.c`, `cleanup_out.c`, `src/smtpd/smtpd.c`.

use std::net::IpAddr;

use maillog::{Client, ContentCheck, Event, Gone, Policy, Program, QueueAction, QueueId, RawCounters};

use crate::line::Line;
use crate::message::delay::Handle;
use crate::message::files::{State, is};
use crate::message::parts::{End, Judge};
use crate::message::tracker::{Messages, Place};
use crate::names::Symbol;

/// Whose process a message came through: host, program tag, process id.
pub(super) type Process = (Symbol, Symbol, u32);

/// Decisions about messages to come remembered at most.
const FORESEEN: usize = 1_000;
/// How long a decision waits for its message, in microseconds of log time.
const FORESEEN_FOR: i64 = 600 * 1_000_000;

/// What a process is about.
#[derive(Default)]
pub(super) struct Session {
    /// The message that it took last.
    last: Option<Handle>,
    /// How many it took since its last client left.
    taken: u32,
}

/// What a rule decided about a message before it had a queue file.
pub(super) struct Foreseen {
    client: Option<IpAddr>,
    time: i64,
    line: u64,
    end: End,
    by: Judge,
    words: Vec<u8>,
    to: Option<Box<[u8]>>,
}

/// Why a message ends before it is in the queue.
struct Found<'a> {
    end: End,
    by: Judge,
    /// Reply code and status code in front of the words.
    codes: [Option<&'a [u8]>; 2],
    words: &'a [u8],
    to: Option<&'a [u8]>,
}

impl Messages {
    /// A decision about a whole message ends it, if it is not in the queue yet.
    pub(super) fn may_stop(&mut self, slot: u32, line: &Line<'_>) {
        let mut code = String::new();
        let Some(found) = found(line, &mut code) else { return };
        let Some(file) = self.files.get_mut(slot as usize) else { return };
        let queued = file.message.activations > 0 || file.message.recipients().len() > 0;
        if file.state != State::Open || queued || file.unclaimed {
            return;
        }
        file.message.end = found.end;
        let words = found.said();
        self.change(slot, |message| message.set_stop(found.by, &words, found.to));
        self.end_unqueued(slot, line.time);
    }

    /// A rule holds or throws away the message whose first recipient is being named: its queue file comes next.
    pub(super) fn foresee(&mut self, place: Place<'_>, policy: &Policy<'_>, line: &Line<'_>) {
        let Some(pid) = line.record.pid.filter(|_| is_foreseen(policy.action)) else { return };
        let end = if is_hold(policy.action) { End::Held } else { End::Discarded };
        let code = policy.code.map(|code| code.to_string()).unwrap_or_default();
        let by = judge(policy.action);
        let found = Found { end, by, codes: [Some(code.as_bytes()), policy.dsn], words: policy.reply, to: policy.to };
        let client = policy.client.and_then(|client| client.ip());
        let to = policy.to.map(Into::into);
        let foreseen = Foreseen { client, time: line.time, line: line.id, end, by, words: found.said(), to };
        if self.foreseen.len() >= FORESEEN {
            self.foreseen.clear();
        }
        self.foreseen.insert((place.host, place.tag, pid), foreseen);
    }

    /// A queue file has been opened about which a rule has decided before.
    fn fulfil(&mut self, process: Process, slot: u32, time: i64) {
        let Some(foreseen) = self.foreseen.remove(&process) else { return };
        let Some(file) = self.files.get_mut(slot as usize) else { return };
        let client = file.message.client().and_then(|from| from.at.client_ip);
        if client != foreseen.client || time.saturating_sub(foreseen.time) > FORESEEN_FOR {
            return;
        }
        self.touch(slot, foreseen.line, time);
        if foreseen.end == End::Held {
            return self.acted_on(slot, QueueAction::Held, time);
        }
        self.change(slot, |message| {
            message.end = foreseen.end;
            message.set_stop(foreseen.by, &foreseen.words, foreseen.to.as_deref());
        });
        self.end_unqueued(slot, time);
    }

    /// A client leaves: by its counters its last message was taken, if all were whose queue files it had opened.
    pub(super) fn disconnected(&mut self, place: Place<'_>, counters: Option<RawCounters<'_>>, line: &Line<'_>) {
        let Some(pid) = line.record.pid else { return };
        let Some(session) = self.sessions.remove(&(place.host, place.tag, pid)) else { return };
        let Some(counters) = counters.map(RawCounters::read) else { return };
        if counters.data.ok < session.taken {
            return;
        }
        if let Some(last) = session.last.filter(|last| is(&self.files, *last))
            && let Some(file) = self.files.get_mut(last.slot as usize)
        {
            file.taken = true;
        }
    }

    /// A client is gone in the middle of a message: the one named, or else the last one of that process.
    pub(super) fn broke_off(
        &mut self,
        place: Place<'_>,
        id: Option<QueueId<'_>>,
        client: &Client<'_>,
        line: &Line<'_>,
    ) {
        let named = id.and_then(|id| self.find(place.host, id.as_bytes()));
        let of_process = || {
            let session = self.sessions.get(&(place.host, place.tag, line.record.pid?))?;
            session.last.filter(|last| is(&self.files, *last)).map(|last| last.slot)
        };
        let Some(slot) = named.or_else(of_process) else { return };
        let Some(file) = self.files.get_mut(slot as usize) else { return };
        let came_from = file.message.client().and_then(|from| from.at.client_ip);
        let is_open = file.state == State::Open && !file.unclaimed && file.never_queued();
        if !is_open || came_from.is_none() || came_from != client.ip() {
            return;
        }
        file.message.end = End::Canceled;
        self.touch(slot, line.id, line.time);
        self.end_unqueued(slot, line.time);
    }

    fn end_unqueued(&mut self, slot: u32, time: i64) {
        let now = self.now;
        let Some(file) = self.files.get_mut(slot as usize) else { return };
        file.message.ended = Some(time);
        file.state = State::Closing;
        let handle = Handle { slot, number: file.message.number };
        self.close(now, handle);
        self.make_room(slot);
    }

    /// The queue manager has it: it did not end when it seemed so.
    pub(super) fn is_queued_after_all(&mut self, slot: u32) {
        if let Some(file) = self.files.get_mut(slot as usize).filter(|file| file.ended_unqueued()) {
            file.message.reopen();
            file.state = State::Open;
        }
    }

    /// Remembers which message a process took last.
    pub(super) fn took(&mut self, process: Option<Process>, handle: Handle, time: i64) {
        let Some(process) = process.filter(|_| self.follow.is_all()) else { return };
        if self.sessions.len() > 2 * self.live + 1_024 {
            let files = &self.files;
            self.sessions.retain(|_, session| session.last.is_some_and(|last| is(files, last)));
        }
        let session = self.sessions.entry(process).or_default();
        (session.last, session.taken) = (Some(handle), session.taken.saturating_add(1));
        if !self.foreseen.is_empty() {
            self.fulfil(process, handle.slot, time);
        }
    }
}

impl Found<'_> {
    /// The reply with its codes, or the administrator's words.
    fn said(&self) -> Vec<u8> {
        let mut words = Vec::new();
        for part in self.codes.into_iter().flatten().chain([self.words]).filter(|part| !part.is_empty()) {
            if !words.is_empty() {
                words.push(b' ');
            }
            words.extend_from_slice(part);
        }
        words
    }
}

/// Whether an action of a rule's ends a message for good.
pub(super) fn is_final(action: &[u8]) -> bool {
    end_of(without_milter(action)).is_some()
}

/// Whether an action of a rule's (`hold`, `discard`, also a milter's) is about the whole message, even if none has been opened yet.
#[must_use]
pub fn is_foreseen(action: &[u8]) -> bool {
    is_hold(action) || end_of(without_milter(action)) == Some(End::Discarded)
}

pub(super) fn is_hold(action: &[u8]) -> bool {
    without_milter(action) == b"hold"
}

fn without_milter(action: &[u8]) -> &[u8] {
    action.strip_prefix(b"milter-").unwrap_or(action)
}

fn judge(action: &[u8]) -> Judge {
    if action.starts_with(b"milter-") { Judge::Milter } else { Judge::Restriction }
}

/// Whether a client that left so has broken off the message it was sending. After `END-OF-MESSAGE` it may have been taken.
#[must_use]
pub fn breaks_off(how: Gone, stage: &[u8]) -> bool {
    matches!(how, Gone::Lost | Gone::Timeout) && matches!(stage, b"RCPT" | b"DATA" | b"BDAT" | b"RSET")
}

/// Who stopped a message, where a warning says so.
pub(super) fn of_warning(words: &[u8]) -> Option<Judge> {
    match words {
        b"queue file size limit exceeded" => Some(Judge::SizeLimit),
        b"message rejected: hopcount exceeded" => Some(Judge::HopCount),
        words => words.starts_with(b"write queue file: ").then_some(Judge::QueueFile),
    }
}

/// What a line says about a whole message. `code` is room for its reply code.
fn found<'a>(line: &Line<'a>, code: &'a mut String) -> Option<Found<'a>> {
    match *line.event {
        Event::ContentCheck(check) => of_check(line.record.program, &check),
        Event::Policy(_, policy) => {
            if let Some(number) = policy.code {
                *code = number.to_string();
            }
            of_policy(line.record.program, &policy, code)
        }
        Event::QueueWarning(_, words) => {
            let by = of_warning(words)?;
            Some(Found { end: End::Refused, by, codes: [None; 2], words, to: None })
        }
        _ => None,
    }
}

fn end_of(action: &[u8]) -> Option<End> {
    if action.eq_ignore_ascii_case(b"reject") {
        return Some(End::Refused);
    }
    action.eq_ignore_ascii_case(b"discard").then_some(End::Discarded)
}

/// Delivery agents check headers, too, and cannot refuse anything.
fn of_check<'a>(program: Program, check: &ContentCheck<'a>) -> Option<Found<'a>> {
    let by = Judge::of_check(check);
    let end = end_of(check.action).filter(|_| is_at_the_door(program))?;
    Some(Found { end, by, codes: [None; 2], words: check.reply.unwrap_or_default(), to: check.to })
}

/// `smtpd` refuses single recipients at `RCPT`; only at the end it refuses all. `cleanup` always refuses all.
fn of_policy<'a>(program: Program, policy: &Policy<'a>, code: &'a str) -> Option<Found<'a>> {
    let end = end_of(without_milter(policy.action)).filter(|_| is_at_the_door(program))?;
    let whole = program == Program::Cleanup || matches!(policy.stage, b"DATA" | b"BDAT" | b"END-OF-MESSAGE");
    if end == End::Refused && !whole {
        return None;
    }
    let by = judge(policy.action);
    Some(Found { end, by, codes: [Some(code.as_bytes()), policy.dsn], words: policy.reply, to: policy.to })
}

fn is_at_the_door(program: Program) -> bool {
    matches!(program, Program::Cleanup | Program::Smtpd | Program::PostfixCut)
}
