//! The state machine: lines in, outcomes out.
//!
//! A session is (host, program tag, process id) from `connect from` to `disconnect from`, or to the process's death, or
//! to the next `connect from` of the same process. Logs begin and end in mid-session; that is normal.

mod backend;
mod nameless;
mod processes;
mod sessions;
mod steps;

use nameless::Newcomers;
use processes::Processes;
pub use sessions::first_session_at;

use std::collections::VecDeque;
use std::net::IpAddr;
use std::rc::Rc;

use maillog::{Acceptance, Client, Event, Program, QueueAction, QueueId, Record};

use crate::Map;
use crate::attempt::{Attempt, Login, Refusal, Where};
use crate::evidence::{AFTER, BEFORE, Window};
use crate::line::Line;
use crate::message::{Arrival, Bounds, Follow, Message, Messages, Place, Story};
use crate::names::{Names, Symbol};
use crate::recent::Recent;
use crate::session::SessionId;

/// Takes the outcomes, in the order in which they happened (refusals, messages and stories when they are complete).
pub trait Sink {
    /// A login that did not succeed.
    fn attempt(&mut self, attempt: &Attempt);
    /// A login that did.
    fn login(&mut self, login: &Login);
    /// A policy decision.
    fn refusal(&mut self, refusal: &Refusal);
    /// A login's message was accepted; its fate comes later.
    fn message_accepted(&mut self, at: &Where, username: &[u8], queue_id: Option<&[u8]>);
    /// A message was accepted without a login, so many times: mail comes in from there. Told at once, as it hangs on nothing else.
    fn came_in(&mut self, _time: i64, _client: Option<IpAddr>, _count: u32) {}
    /// A queue file ended, or the log did. Told with [`Follow::All`] only.
    fn message(&mut self, _message: &Message) {}
    /// A mail with all its queue files is complete, or as complete as the log makes it. Told for mail of logins; with
    /// [`Follow::Stories`] for all.
    fn story(&mut self, story: &Story);
}

/// Bounds of the tracer's memory.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// SMTP sessions open at once. Beyond it, sessions silent for ten minutes end as if the log had lost their end; if
    /// all are busy, all end so.
    pub sessions: usize,
    /// Queue files under way. Beyond it, the oldest is told with the fate it has so far.
    pub messages: usize,
    /// Bytes that queue files under way take, about. Beyond it, the same; one alone may take some more (8 MiB of texts).
    pub message_bytes: usize,
    /// Different host names, tags, mechanisms and reasons remembered by number. Beyond it, further hosts and tags
    /// share one number.
    pub names: usize,
    /// Outcomes held back for evidence that comes late. Beyond it, the oldest go without.
    pub held: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { sessions: 50_000, messages: 50_000, message_bytes: 64 << 20, names: 16_384, held: 20_000 }
    }
}

/// How long an outcome is held back for evidence that comes late, in microseconds of log time.
///
/// A verdict that comes just after an attempt may be that of the next one, whose line follows within [`BEFORE`]: that one
/// must have had its chance before a late verdict is taken for the first.
const HOLD: i64 = AFTER + BEFORE + 100_000;
/// A session silent for so long may be given up when room is short.
const IDLE: i64 = 600 * 1_000_000;
/// Trouble of the backend and the failure it makes are told within so long, in microseconds of log time.
const NEXT: i64 = 60 * 1_000_000;
/// Services (host and tag) of which we remember whether AUTH is answered there.
const SERVICES: usize = 4_096;

/// Outcomes wait together, so that they come out in the order in which they happened.
enum Held {
    Attempt(Box<Attempt>),
    Login(Box<Login>),
    Accepted { at: Box<Where>, username: Box<[u8]>, queue_id: Option<Box<[u8]>> },
    Story(Box<Story>),
}

/// Joins lines into outcomes.
pub struct Tracer {
    limits: Limits,
    names: Names,
    words: Names,
    processes: Processes,
    newcomers: Newcomers,
    window: Window,
    recent: Recent,
    messages: Messages,
    /// With the log's time when each came in.
    held: VecDeque<(i64, Held)>,
    services: Map<(Symbol, Symbol), ()>,
    now: i64,
    dovecot_changed: Option<i64>,
    dovecot_limited: Option<i64>,
    /// The latest error of Dovecot's auth process that is about no one client's login.
    dovecot_error: Option<Said>,
    /// The last words of saslauthd's LDAP module, one for each of its processes.
    saslauthd_said: VecDeque<Said>,
}

/// What a backend said last about itself.
struct Said {
    time: i64,
    host: Symbol,
    pid: Option<u32>,
    line: u64,
    text: Rc<[u8]>,
}

impl Tracer {
    /// A tracer that has seen nothing and follows the messages of logins.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self::following(Follow::Logins, limits)
    }

    /// A tracer that has seen nothing.
    #[must_use]
    pub fn following(follow: Follow, limits: Limits) -> Self {
        Self {
            limits,
            names: Names::new(limits.names),
            // Challenges and library errors never come again: what does fits in a quarter.
            words: Names::new(limits.names / 4),
            processes: Processes::default(),
            newcomers: Newcomers::default(),
            window: Window::default(),
            recent: Recent::default(),
            messages: Messages::new(follow, Bounds { messages: limits.messages, bytes: limits.message_bytes }),
            held: VecDeque::new(),
            services: Map::default(),
            now: i64::MIN,
            dovecot_changed: None,
            dovecot_limited: None,
            dovecot_error: None,
            saslauthd_said: VecDeque::new(),
        }
    }

    /// Whether a line of this event can change anything here, if the messages of logins are followed ([`Follow::wants`]
    /// says what others need). Others need not be fed.
    #[must_use]
    pub fn wants(event: &Event<'_>) -> bool {
        match event {
            Event::Connect(_)
            | Event::Disconnect(..)
            | Event::SaslFailed(_)
            | Event::SaslAborted(..)
            | Event::Limited(_)
            | Event::Backend(_)
            | Event::Fatal(_) => true,
            Event::TlsAcceptError(..)
            | Event::TlsLibrary(_)
            | Event::TlsServerTrouble(Some(_), _)
            | Event::TooLong(..)
            | Event::Policy(..) => true,
            Event::Removed(_) | Event::Expired(..) | Event::Delivery(_) => true,
            Event::Pickup(_) | Event::Queue(_, QueueAction::Requeued) => true,
            Event::ContentCheck(_) => Follow::Logins.notes(event),
            Event::DovecotAuth(_) | Event::DovecotService(_) | Event::Pam(_) => true,
            Event::Saslauthd(_) | Event::SaslauthdLdap(_) => true,
            Event::Accepted(a) => a.sasl_username.is_some() || a.orig_queue_id.is_some() || a.client.is_local(),
            Event::Gone { stage, .. } => *stage == b"AUTH",
            _ => false,
        }
    }

    /// Whether lines about a queue file can change anything here just now: deliveries, and its removal.
    #[must_use]
    pub fn follows(&mut self, record: &Record<'_>, queue_id: QueueId<'_>) -> bool {
        !self.messages.is_idle() && self.messages.follows(self.names.number(record.host), queue_id.as_bytes())
    }

    /// Tells the time of a line that is not fed.
    #[inline]
    pub fn tick(&mut self, time: i64, sink: &mut impl Sink) {
        self.now = self.now.max(time);
        self.messages.tick(self.now);
        self.tell_messages(sink);
        self.release(sink);
    }

    /// Takes the next line. Output: the session it belongs to, if it belongs to one.
    pub fn line(&mut self, line: &Line<'_>, sink: &mut impl Sink) -> Option<SessionId> {
        self.tick(line.time, sink);
        if self.messages.follow().is_all() {
            self.messages.hear(self.names.number(line.record.host), line.time);
        }
        if self.messages.follow().notes(line.event) {
            self.queue_line(line, sink);
        }
        match *line.event {
            Event::Removed(_)
            | Event::Delivery(_)
            | Event::Expired(..)
            | Event::MessageId(..)
            | Event::Active(..)
            | Event::Queue(..)
            | Event::Pickup(_)
            | Event::Notification(..) => {
                self.queue_line(line, sink);
                None
            }
            Event::Accepted(acceptance) if !Self::wants(line.event) => {
                self.accepted_from_stranger(line, &acceptance, sink);
                self.session(line.record)
            }
            Event::DovecotAuth(verdict) => {
                self.dovecot_verdict(line, &verdict);
                None
            }
            Event::DovecotService(text) => {
                self.dovecot_service(line, text);
                None
            }
            Event::Saslauthd(found) => {
                self.saslauthd_verdict(line, &found);
                None
            }
            Event::SaslauthdLdap(words) => {
                self.saslauthd_said(line, words);
                None
            }
            Event::Pam(found) => {
                self.pam_verdict(line, &found);
                None
            }
            _ if matches!(line.record.program, Program::Smtpd | Program::PostfixCut) => self.smtpd(line, sink),
            Event::Policy(_, policy) => {
                self.stray_policy(line, &policy, sink);
                None
            }
            _ => None,
        }
    }

    /// The log is over: everything held back comes out.
    pub fn finish(&mut self, sink: &mut impl Sink) {
        let open = self.processes.with(|_| true);
        self.end_all(open, sink);
        self.messages.finish();
        self.tell_messages(sink);
        self.now = i64::MAX;
        self.release(sink);
    }

    // ---- messages ----

    /// A line about a queue file.
    fn queue_line(&mut self, line: &Line<'_>, sink: &mut impl Sink) {
        if self.messages.is_idle() {
            return;
        }
        let host = self.names.number(line.record.host);
        // Needed only where a line may begin a message.
        let tag = if self.messages.follow().is_all() { self.names.number(line.record.tag.0) } else { host };
        self.messages.line(Place { host, tag, names: &self.names }, line);
        self.tell_messages(sink);
    }

    /// A message without a login: of no interest to its session.
    fn accepted_from_stranger(&mut self, line: &Line<'_>, acceptance: &Acceptance<'_>, sink: &mut impl Sink) {
        sink.came_in(line.time, acceptance.client.ip(), line.record.repeat);
        let host = self.names.number(line.record.host);
        if !self.messages.follow().is_all() {
            if let Some(id) = acceptance.queue_id {
                self.messages.begins_unfollowed(host, id);
            }
            return self.tell_messages(sink);
        }
        let tag = self.names.number(line.record.tag.0);
        let at = self.outside_sessions(line, Some(acceptance.client));
        let pid = line.record.pid;
        self.messages.accepted(Arrival { place: Place { host, tag, names: &self.names }, at, pid, acceptance });
        self.tell_messages(sink);
    }

    /// Where a line stands that belongs to no session of ours.
    fn outside_sessions(&mut self, line: &Line<'_>, client: Option<Client<'_>>) -> Where {
        let (host, tag) = (self.names.number(line.record.host), self.names.number(line.record.tag.0));
        Where {
            line: line.id,
            time: line.time,
            session: None,
            host: self.names.string(host),
            tag: self.names.string(tag),
            client_ip: client.and_then(|client| client.ip()),
            client_host: client.and_then(|client| client.host()).map(Into::into),
        }
    }

    #[inline]
    fn tell_messages(&mut self, sink: &mut impl Sink) {
        while self.messages.has_outcomes() {
            while self.messages.next_message(|message| sink.message(message)) {}
            while let Some(story) = self.messages.next_story() {
                self.push(Held::Story(Box::new(story)));
            }
        }
    }

    /// Lets out what has been held back long enough.
    #[inline]
    fn release(&mut self, sink: &mut impl Sink) {
        while self.held.front().is_some_and(|(since, _)| self.now.saturating_sub(*since) >= HOLD)
            || self.held.len() > self.limits.held
        {
            self.release_one(sink);
        }
    }

    fn release_one(&mut self, sink: &mut impl Sink) {
        match self.held.pop_front() {
            Some((_, Held::Attempt(mut attempt))) => {
                self.join(&mut attempt);
                self.doubt(&mut attempt);
                sink.attempt(&attempt);
            }
            Some((_, Held::Login(login))) => sink.login(&login),
            Some((_, Held::Accepted { at, username, queue_id })) => {
                sink.message_accepted(&at, &username, queue_id.as_deref())
            }
            Some((_, Held::Story(story))) => {
                sink.story(&story);
                self.messages.reuse(*story);
            }
            None => {}
        }
    }

    fn push(&mut self, held: Held) {
        self.held.push_back((self.now, held));
    }
}
