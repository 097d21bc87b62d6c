//! The state machine: lines in, outcomes out.
//!
//! A session is (host, program tag, process id) from `connect from` to `disconnect from`, or to the process's death, or
//! to the next `connect from` of the same process. Logs begin and end in mid-session; that is normal.

use std::collections::VecDeque;
use std::hash::{BuildHasher as _, Hasher as _};
use std::net::IpAddr;

use maillog::{
    Acceptance, Client, Counters, DovecotAuth, Event, Gone, LimitKind, LoginName, Policy, Program, QueueId,
    RawCounters, Record, SaslFailure, program,
};

use crate::Map;
use crate::attempt::{Attempt, AttemptKind, Context, Evidence, EvidenceSource, Login, NameOrigin, Refusal, Where};
use crate::evidence::{AFTER, BEFORE, Joined, Verdict, Wanted, Window};
use crate::line::Line;
use crate::message::{Arrival, Bounds, Follow, Message, Messages, Place, Story, nothing};
use crate::names::{Names, Symbol};
use crate::recent::Recent;
use crate::session::{Key, Session, SessionId};

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
    sessions: Map<Key, Box<Session>>,
    #[expect(clippy::vec_box, reason = "they come out of the table boxed, and go back so")]
    spare: Vec<Box<Session>>,
    window: Window,
    recent: Recent,
    messages: Messages,
    /// With the log's time when each came in.
    held: VecDeque<(i64, Held)>,
    services: Map<(Symbol, Symbol), ()>,
    /// The latest time at which a session began, and how often each of its names was given out then.
    begun: (i64, Map<u64, u64>),
    now: i64,
    dovecot_changed: Option<i64>,
    dovecot_limited: Option<i64>,
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
            sessions: Map::default(),
            spare: Vec::new(),
            window: Window::default(),
            recent: Recent::default(),
            messages: Messages::new(follow, Bounds { messages: limits.messages, bytes: limits.message_bytes }),
            held: VecDeque::new(),
            services: Map::default(),
            begun: (i64::MIN, Map::default()),
            now: i64::MIN,
            dovecot_changed: None,
            dovecot_limited: None,
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
            Event::DovecotAuth(_) | Event::DovecotService(_) | Event::Saslauthd(_) | Event::Pam(_) => true,
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

    /// A session of this process came and went, and no line of it can change anything: it only ends the one before, if that is
    /// still open.
    pub fn came_and_went(&mut self, time: i64, record: &Record<'_>, sink: &mut impl Sink) {
        self.tick(time, sink);
        let Some(pid) = record.pid else { return };
        let key = self.process_key(record, pid.into());
        if let Some(mut session) = self.sessions.remove(&key) {
            self.end(key, &mut session, None, sink);
            self.spare.push(session);
        }
    }

    /// Takes the next line. Output: the session it belongs to, if it belongs to one.
    pub fn line(&mut self, line: &Line<'_>, sink: &mut impl Sink) -> Option<SessionId> {
        self.tick(line.time, sink);
        if self.messages.follow().notes(&line.event) {
            self.queue_line(line, sink);
        }
        match line.event {
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
            Event::Accepted(acceptance) if !Self::wants(&line.event) && self.messages.follow().is_all() => {
                self.accepted_from_stranger(line, &acceptance, sink);
                self.session(&line.record)
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
                self.window.add(Verdict {
                    line: line.id,
                    time: line.time,
                    source: EvidenceSource::Saslauthd,
                    ip: None,
                    user: (!found.user.is_empty()).then(|| found.user.into()),
                    realm: Some(found.realm.into()),
                    text: self.words.shared(found.reason),
                });
                None
            }
            Event::Pam(found) => {
                let text = self.words.shared(found.message);
                self.window.add(Verdict {
                    line: line.id,
                    time: line.time,
                    source: EvidenceSource::Pam,
                    ip: found.ip,
                    user: found.user.map(Into::into),
                    realm: None,
                    text,
                });
                None
            }
            _ if matches!(program(line.record.tag), Program::Smtpd | Program::PostfixCut) => self.smtpd(line, sink),
            Event::Policy(_, policy) => {
                self.stray_policy(line, &policy, sink);
                None
            }
            _ => None,
        }
    }

    /// The session an envelope belongs to just now, for lines that are not fed.
    pub fn session(&mut self, record: &Record<'_>) -> Option<SessionId> {
        let process = u64::from(record.pid?);
        let key = self.process_key(record, process);
        self.sessions.get(&key).map(|session| SessionId(session.id))
    }

    /// The log is over: everything held back comes out.
    pub fn finish(&mut self, sink: &mut impl Sink) {
        let mut open: Vec<Key> = self.sessions.keys().copied().collect();
        open.sort_unstable_by_key(|key| self.sessions.get(key).map_or(0, |s| s.first_line));
        for key in open {
            if let Some(mut session) = self.sessions.remove(&key) {
                self.end(key, &mut session, None, sink);
            }
        }
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
        let host = self.names.number(line.record.host);
        let tag = self.names.number(line.record.tag.0);
        let client = acceptance.client;
        let at = Where {
            line: line.id,
            time: line.time,
            session: None,
            host: self.names.string(host),
            tag: self.names.string(tag),
            client_ip: client.ip(),
            client_host: client.host().map(Into::into),
        };
        self.messages.accepted(Arrival { place: Place { host, tag, names: &self.names }, at, acceptance });
        self.tell_messages(sink);
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

    // ---- evidence ----

    fn dovecot_verdict(&mut self, line: &Line<'_>, verdict: &DovecotAuth<'_>) {
        // With a session id the login came through Dovecot's own IMAP or POP3 process, not from Postfix.
        if verdict.own_session {
            return;
        }
        self.window.add(Verdict {
            line: line.id,
            time: line.time,
            source: EvidenceSource::Dovecot,
            ip: Some(verdict.ip),
            user: verdict.user.map(Into::into),
            realm: None,
            text: self.words.shared(verdict.message),
        });
    }

    fn dovecot_service(&mut self, line: &Line<'_>, text: &[u8]) {
        let time = line.time;
        // The only verdict that names neither user nor address.
        if text.starts_with(b"User found from deny passdb") {
            self.window.add(Verdict {
                line: line.id,
                time,
                source: EvidenceSource::Dovecot,
                ip: None,
                user: None,
                realm: None,
                text: self.words.shared(text),
            });
            return;
        }
        let has = |words: &[&str]| words.iter().any(|w| text.windows(w.len()).any(|part| part == w.as_bytes()));
        if has(&["starting up", "illed with signal", "Fatal: ", "Panic: ", "dumped core", "stopping"]) {
            self.dovecot_changed = Some(time);
        }
        if has(&["client_limit", "process_limit", "was queued for", "Aborting auth request", "auth_worker_max_count"]) {
            self.dovecot_limited = Some(time);
        }
    }

    /// Looks for the backend's own lines about a failed login.
    fn join(&mut self, attempt: &mut Attempt) {
        // Postfix itself refuses a mechanism it does not know: no backend was asked, no line of a backend tells of it.
        let own = attempt.reason.starts_with(b"Invalid authentication mechanism")
            || &*attempt.reason == b"no mechanism available";
        let asked = attempt.kind == AttemptKind::Failed
            && !own
            && attempt.context.join_confidence == 0.0
            && attempt.origin != NameOrigin::Ambiguous;
        if !asked || self.window.is_empty() {
            return;
        }
        let cyrus = matches!(&*attempt.reason, b"authentication failure" | b"generic failure");
        let wanted =
            Wanted { time: attempt.at.time, ip: attempt.at.client_ip, user: attempt.username.as_deref(), cyrus };
        match self.window.join(wanted) {
            Joined::Nothing => {}
            Joined::Ambiguous => attempt.origin = NameOrigin::Ambiguous,
            Joined::Found { evidence, user, confidence } => {
                attempt.evidence.extend(evidence);
                attempt.context.join_confidence = confidence;
                if attempt.username.is_none() && user.is_some() {
                    attempt.username = user;
                    attempt.origin = NameOrigin::Joined;
                }
            }
        }
    }

    // ---- smtpd ----

    fn smtpd(&mut self, line: &Line<'_>, sink: &mut impl Sink) -> Option<SessionId> {
        let key = self.key(line)?;
        // Whether lines of no interest are fed or not must not change the outcome.
        if !Self::wants(&line.event) {
            return self.sessions.get(&key).map(|session| SessionId(session.id));
        }
        let mut session = match self.sessions.remove(&key) {
            // A new connection, or somebody else's line: the end of the old session is not in the log.
            Some(mut old)
                if matches!(line.event, Event::Connect(_))
                    || client_of(&line.event).is_some_and(|client| old.is_of_another(client)) =>
            {
                self.end(key, &mut old, None, sink);
                self.spare.push(old);
                self.begin(key, &line.record, line.id, line.time, sink)
            }
            Some(session) => session,
            None => self.begin(key, &line.record, line.id, line.time, sink),
        };
        if let Some(client) = client_of(&line.event) {
            session.meet(client);
        }
        let id = SessionId(session.id);
        let over = self.step(key, &mut session, line, sink);
        session.last_time = line.time;
        if over {
            self.spare.push(session);
        } else {
            self.sessions.insert(key, session);
        }
        Some(id)
    }

    fn key(&mut self, line: &Line<'_>) -> Option<Key> {
        let process = process_of(&line.record, client_of(&line.event))?;
        Some(self.process_key(&line.record, process))
    }

    fn process_key(&mut self, record: &Record<'_>, process: u64) -> Key {
        Key { host: self.names.number(record.host), tag: self.names.number(record.tag.0), process }
    }

    /// A session starts: [`Tracer::line`] for its `connect from` line, which is the commonest of all.
    pub fn connect(&mut self, id: u64, time: i64, record: &Record<'_>, client: &Client<'_>, sink: &mut impl Sink) {
        self.tick(time, sink);
        let process = process_of(record, Some(client)).unwrap_or_default();
        let key = self.process_key(record, process);
        if let Some(mut old) = self.sessions.remove(&key) {
            self.end(key, &mut old, None, sink);
            self.spare.push(old);
        }
        let mut session = self.begin(key, record, id, time, sink);
        session.meet(client);
        self.sessions.insert(key, session);
    }

    fn begin(&mut self, key: Key, record: &Record<'_>, id: u64, time: i64, sink: &mut impl Sink) -> Box<Session> {
        if self.sessions.len() >= self.limits.sessions {
            self.make_room(sink);
        }
        let mut session = self.spare.pop().unwrap_or_default();
        session.restart(self.name_of(record, key.process, time), id, time);
        session
    }

    /// A number that the same session has whatever was read before it: of sessions of one process that begin at the same instant each
    /// has its own.
    fn name_of(&mut self, record: &Record<'_>, process: u64, time: i64) -> u64 {
        let (instant, given) = &mut self.begun;
        if *instant != time {
            *instant = time;
            given.clear();
        }
        let first = session_id(record, process, 0, time);
        let times = given.entry(first).or_default();
        let name = if *times == 0 { first } else { session_id(record, process, *times, time) };
        *times += 1;
        name
    }

    fn make_room(&mut self, sink: &mut impl Sink) {
        let quiet = |s: &Session| self.now - s.last_time > IDLE;
        let mut keys: Vec<Key> = self.sessions.iter().filter(|(_, s)| quiet(s)).map(|(k, _)| *k).collect();
        if keys.is_empty() {
            keys = self.sessions.keys().copied().collect();
        }
        // The same order in every run.
        keys.sort_unstable_by_key(|key| self.sessions.get(key).map_or(0, |session| session.first_line));
        for key in keys {
            if let Some(mut session) = self.sessions.remove(&key) {
                self.end(key, &mut session, None, sink);
            }
        }
    }

    /// One line of a session. Output: whether the session is over.
    fn step(&mut self, key: Key, session: &mut Session, line: &Line<'_>, sink: &mut impl Sink) -> bool {
        match line.event {
            Event::Disconnect(_, counters) => {
                self.end(key, session, Some((line, counters)), sink);
                return true;
            }
            Event::SaslFailed(failure) => self.failed(key, session, line, &failure),
            Event::SaslAborted(_, mechanism) => {
                session.with_line = session.with_line.saturating_add(line.record.repeat);
                session.failed = session.failed.saturating_add(line.record.repeat);
                self.service_answers(key);
                self.hold(key, session, line, AttemptKind::Aborted, mechanism);
            }
            Event::Limited(limit) => {
                if limit.kind == LimitKind::Auth {
                    session.with_line = session.with_line.saturating_add(line.record.repeat);
                    session.failed = session.failed.saturating_add(line.record.repeat);
                }
                self.hold(key, session, line, AttemptKind::Limited(limit.kind), b"");
            }
            // The general limit on a line is another one than that on a SASL response (12288 unless configured).
            Event::TooLong(_, limit, _) if limit != 2048 => {
                session.with_line = session.with_line.saturating_add(line.record.repeat);
                session.failed = session.failed.saturating_add(line.record.repeat);
                self.hold(key, session, line, AttemptKind::TooLong, b"");
            }
            Event::Backend(trouble) => session.add_trouble(line.id, &trouble),
            Event::Fatal(words) => return self.died(key, session, line, words, sink),
            Event::Gone { how, stage: b"AUTH", .. } => self.gone(key, session, line, how),
            Event::TlsAcceptError(_, text) => {
                let text = self.words.shared(text);
                session.tls_failure = Some((line.id, line.time, text));
            }
            Event::TlsServerTrouble(_, text) => {
                let text = self.words.shared(text);
                session.add_tls_evidence(line.id, &text);
                session.tls_failure = Some((line.id, line.time, text));
            }
            Event::TlsLibrary(text) => session.add_tls_evidence(line.id, text),
            Event::Policy(None, Policy { action: b"proxy-accept", reply, .. }) => {
                self.proxied(key, session, line, reply);
            }
            Event::Policy(_, policy) => {
                let refusal = self.refusal(key, session, line, &policy);
                if let Some(refusal) = session.add_refusal(refusal) {
                    sink.refusal(&refusal);
                }
            }
            Event::Accepted(acceptance) => self.accepted(key, session, line, &acceptance),
            _ => {}
        }
        false
    }

    fn place(&self, key: Key, session: &mut Session, line: u64, time: i64) -> Where {
        Where {
            line,
            time,
            session: Some(SessionId(session.id)),
            host: self.names.string(key.host),
            tag: self.names.string(key.tag),
            client_ip: session.ip(),
            client_host: session.client_host(),
        }
    }

    fn service_answers(&mut self, key: Key) {
        if self.services.len() < SERVICES {
            self.services.insert((key.host, key.tag), ());
        }
    }

    fn failed(&mut self, key: Key, session: &mut Session, line: &Line<'_>, failure: &SaslFailure<'_>) {
        let count = line.record.repeat;
        session.with_line = session.with_line.saturating_add(count);
        session.failed = session.failed.saturating_add(count);
        self.service_answers(key);
        let at = self.place(key, session, line.id, line.time);
        let context = self.context(session, line, at.client_ip, count, failure.reason);
        let (username, origin) = match failure.username {
            LoginName::Named(name) => (Some(name.into()), NameOrigin::Logged),
            LoginName::Unavailable => (None, NameOrigin::Unavailable),
            LoginName::NotLogged => (None, NameOrigin::NotLogged),
        };
        let mut attempt = Attempt {
            at,
            kind: AttemptKind::Failed,
            count,
            mechanism: self.words.shared(failure.mechanism),
            username,
            origin,
            reason: self.words.shared(failure.reason),
            evidence: std::mem::take(&mut session.trouble),
            context,
        };
        self.join(&mut attempt);
        self.push(Held::Attempt(Box::new(attempt)));
    }

    fn context(
        &mut self,
        session: &Session,
        line: &Line<'_>,
        ip: Option<IpAddr>,
        count: u32,
        reason: &[u8],
    ) -> Context {
        let lost = reason.starts_with(b"Connection lost to authentication server")
            || reason.starts_with(b"Can't connect to authentication server");
        let since = |then: Option<i64>| then.map(|then| line.time - then);
        Context {
            network_failures: ip.map_or(0, |ip| self.recent.failure(line.time, ip, count)),
            other_networks_lost: if lost { ip.map_or(0, |ip| self.recent.lost(line.time, ip)) } else { 0 },
            waited: Some(line.time - session.last_time),
            tls: session.tls,
            session_ok: session.logins,
            service_has_auth: true,
            since_dovecot_change: since(self.dovecot_changed),
            since_dovecot_limit: since(self.dovecot_limited),
            join_confidence: 0.0,
        }
    }

    /// Holds back an attempt that has no reason of the backend's.
    fn hold(&mut self, key: Key, session: &mut Session, line: &Line<'_>, kind: AttemptKind, mechanism: &[u8]) {
        let at = self.place(key, session, line.id, line.time);
        self.hold_at(at, session, kind, line.record.repeat, mechanism, Context::default());
    }

    fn hold_at(
        &mut self,
        at: Where,
        session: &mut Session,
        kind: AttemptKind,
        count: u32,
        mechanism: &[u8],
        context: Context,
    ) {
        let attempt = Attempt {
            at,
            kind,
            count,
            mechanism: self.words.shared(mechanism),
            username: None,
            origin: NameOrigin::NotLogged,
            reason: nothing(),
            evidence: Vec::new(),
            context: Context { tls: session.tls, session_ok: session.logins, ..context },
        };
        self.push(Held::Attempt(Box::new(attempt)));
    }

    /// The process's last words. Output: whether the session is over.
    fn died(&mut self, key: Key, session: &mut Session, line: &Line<'_>, words: &[u8], sink: &mut impl Sink) -> bool {
        let at = self.place(key, session, line.id, line.time);
        let mut evidence = std::mem::take(&mut session.trouble);
        evidence.push(Evidence { line: line.id, source: EvidenceSource::Fatal, text: self.words.shared(words) });
        let waited = Some(line.time - session.last_time);
        let context = Context {
            waited,
            tls: session.tls,
            since_dovecot_change: self.dovecot_changed.map(|then| line.time - then),
            ..Context::default()
        };
        if words == b"no SASL authentication mechanisms" {
            let attempt = Attempt {
                at,
                kind: AttemptKind::Killed,
                count: line.record.repeat,
                mechanism: nothing(),
                username: None,
                origin: NameOrigin::NotLogged,
                reason: nothing(),
                evidence,
                context,
            };
            self.push(Held::Attempt(Box::new(attempt)));
        }
        self.end(key, session, None, sink);
        true
    }

    fn gone(&mut self, key: Key, session: &mut Session, line: &Line<'_>, how: Gone) {
        if how == Gone::TooManyErrors {
            self.hold(key, session, line, AttemptKind::TooManyErrors, b"");
        } else {
            session.gone_after_auth = Some((line.id, line.time));
        }
    }

    fn accepted(&mut self, key: Key, session: &mut Session, line: &Line<'_>, acceptance: &Acceptance<'_>) {
        let at = self.place(key, session, line.id, line.time);
        let Some(username) = acceptance.sasl_username else {
            if acceptance.orig_queue_id.is_some() || acceptance.client.is_local() {
                self.messages.accepted(Arrival {
                    place: Place { host: key.host, tag: key.tag, names: &self.names },
                    at,
                    acceptance,
                });
            }
            return;
        };
        if session.logins == 0 {
            session.logins = 1;
            session.username = Some(username.into());
            self.service_answers(key);
            let mechanism = self.words.shared(acceptance.sasl_method.unwrap_or_default());
            self.push(Held::Login(Box::new(Login {
                at: at.clone(),
                count: 1,
                further: false,
                mechanism,
                username: Some(username.into()),
            })));
        }
        session.before_queue = session.before_queue.saturating_add(u32::from(acceptance.queue_id.is_none()));
        let queue_id = acceptance.queue_id.map(|id| id.as_bytes().into());
        self.push(Held::Accepted { at: Box::new(at.clone()), username: username.into(), queue_id });
        self.messages.accepted(Arrival {
            place: Place { host: key.host, tag: key.tag, names: &self.names },
            at,
            acceptance,
        });
    }

    /// A filter in front of the queue took a client's message and handed it to us again, under the queue id of its reply.
    fn proxied(&mut self, key: Key, session: &mut Session, line: &Line<'_>, reply: &[u8]) {
        let Some(id) = maillog::queued_as(reply) else { return };
        let at = self.place(key, session, line.id, line.time);
        let username = session.username.as_deref().filter(|_| session.before_queue > 0);
        session.before_queue = session.before_queue.saturating_sub(1);
        self.messages.proxied(key.host, id, at, username);
    }

    fn refusal(&mut self, key: Key, session: &mut Session, line: &Line<'_>, policy: &Policy<'_>) -> Refusal {
        let at = self.place(key, session, line.id, line.time);
        let refusal = self.refusal_at(at, line.record.repeat, policy);
        if session.username.is_none() {
            session.username.clone_from(&refusal.username);
        }
        refusal
    }

    fn refusal_at(&mut self, at: Where, count: u32, policy: &Policy<'_>) -> Refusal {
        let owner = policy.sasl_username.or_else(|| not_owned_by(policy.reply));
        Refusal {
            at,
            action: self.words.shared(policy.action),
            stage: self.words.shared(policy.stage),
            reply: policy.reply.into(),
            code: policy.code,
            from: policy.from.map(Into::into),
            to: policy.to.map(Into::into),
            count,
            logged_in: owner.is_some(),
            username: owner.map(Into::into),
            failed_logins: 0,
        }
    }

    /// A decision of `cleanup` or `postscreen`: no session of ours.
    fn stray_policy(&mut self, line: &Line<'_>, policy: &Policy<'_>, sink: &mut impl Sink) {
        let (host, tag) = (self.names.number(line.record.host), self.names.number(line.record.tag.0));
        let client = policy.client;
        let at = Where {
            line: line.id,
            time: line.time,
            session: None,
            host: self.names.string(host),
            tag: self.names.string(tag),
            client_ip: client.and_then(|c| c.ip()),
            client_host: client.and_then(|c| c.host()).map(Into::into),
        };
        let refusal = self.refusal_at(at, line.record.repeat, policy);
        sink.refusal(&refusal);
    }

    /// Ends a session: by its `disconnect` line and counters, or without them.
    fn end(
        &mut self,
        key: Key,
        session: &mut Session,
        by: Option<(&Line<'_>, Option<RawCounters<'_>>)>,
        sink: &mut impl Sink,
    ) {
        // Most sessions try no login and have nothing to tell.
        if session.is_quiet() && by.is_some_and(|(_, counters)| counters.is_some_and(|raw| !raw.has_auth())) {
            return;
        }
        session.tls |= by.is_some_and(|(line, _)| line.record.tag.is_implicit_tls());
        let counters = by.and_then(|(_, counters)| counters).map(RawCounters::read);
        if let Some(counters) = counters {
            session.tls |= counters.starttls.ok > 0;
        }
        if let (Some((line, _)), Some(counters)) = (by, counters) {
            self.counted_logins(key, session, line, counters);
        }
        self.unexplained(key, session, by.map(|(line, _)| line), counters);
        self.tls_failed(key, session);
        for mut refusal in std::mem::take(&mut session.refusals) {
            refusal.logged_in |= session.logins > 0;
            refusal.failed_logins = session.failed;
            if refusal.username.is_none() && refusal.logged_in {
                refusal.username.clone_from(&session.username);
            }
            sink.refusal(&refusal);
        }
    }

    /// Logins that only the counters tell of.
    fn counted_logins(&mut self, key: Key, session: &mut Session, line: &Line<'_>, counters: Counters) {
        let untold = counters.auth.ok.saturating_sub(session.logins);
        if untold == 0 {
            return;
        }
        let further = session.logins > 0;
        session.logins += untold;
        self.service_answers(key);
        let at = self.place(key, session, line.id, line.time);
        let username = session.username.clone();
        self.push(Held::Login(Box::new(Login { at, count: untold, further, mechanism: nothing(), username })));
    }

    /// AUTH commands of which no line tells: left unanswered, or refused before they reached a backend (grammar 2.8).
    fn unexplained(&mut self, key: Key, session: &mut Session, line: Option<&Line<'_>>, counters: Option<Counters>) {
        let gone = session.gone_after_auth.take();
        let unexplained = match counters {
            Some(c) => c.auth.tried.saturating_sub(c.auth.ok).saturating_sub(session.with_line),
            // Without counters a goodbye after AUTH is an unanswered AUTH only if nothing else tells of one.
            None => u32::from(gone.is_some() && session.with_line == 0 && session.logins == 0),
        };
        let mut silent = unexplained;
        if let (Some((gone_line, time)), true) = (gone, unexplained > 0) {
            silent -= 1;
            session.failed = session.failed.saturating_add(1);
            let at = self.place(key, session, gone_line, time);
            self.hold_at(at, session, AttemptKind::Unanswered, 1, b"", Context::default());
        }
        if let (Some(line), true) = (line, silent > 0) {
            session.failed = session.failed.saturating_add(silent);
            let at = self.place(key, session, line.id, line.time);
            let context =
                Context { service_has_auth: self.services.contains_key(&(key.host, key.tag)), ..Context::default() };
            self.hold_at(at, session, AttemptKind::Silent, silent, b"", context);
        }
    }

    fn tls_failed(&mut self, key: Key, session: &mut Session) {
        let Some((line, time, reason)) = session.tls_failure.take() else { return };
        let at = self.place(key, session, line, time);
        let evidence = std::mem::take(&mut session.tls_evidence);
        let attempt = Attempt {
            at,
            kind: AttemptKind::TlsFailed,
            count: 1,
            mechanism: nothing(),
            username: None,
            origin: NameOrigin::NotLogged,
            reason,
            evidence,
            context: Context::default(),
        };
        self.push(Held::Attempt(Box::new(attempt)));
    }
}

/// The account in `… not owned by user U` (Postfix `src/smtpd/smtpd_check.c`): only a client that logged in gets it.
fn not_owned_by(reply: &[u8]) -> Option<&[u8]> {
    const WORDS: &[u8] = b": Sender address rejected: not owned by user ";
    let at = reply.windows(WORDS.len()).rposition(|part| part == WORDS)?;
    reply.get(at + WORDS.len()..)
}

/// Whom a line is about.
fn client_of<'a>(event: &'a Event<'a>) -> Option<&'a Client<'a>> {
    Some(match event {
        Event::Connect(client)
        | Event::Disconnect(client, _)
        | Event::SaslAborted(client, _)
        | Event::TlsAcceptError(client, _)
        | Event::TlsServerTrouble(Some(client), _)
        | Event::Pipelining(client, ..)
        | Event::TooLong(client, ..)
        | Event::NonSmtp(client, _) => client,
        Event::Gone { client, .. } => client,
        Event::SaslFailed(failure) => &failure.client,
        Event::Limited(limit) => &limit.client,
        Event::TlsEstablished(tls) => &tls.peer,
        Event::Accepted(acceptance) => &acceptance.client,
        Event::Policy(_, policy) => policy.client.as_ref()?,
        _ => return None,
    })
}

/// What a line's process is known by. Without process ids only lines that name the client can be tied together.
fn process_of(record: &Record<'_>, client: Option<&Client<'_>>) -> Option<u64> {
    match record.pid {
        Some(pid) => Some(pid.into()),
        None => Some(hash(client?.address) | 1 << 63),
    }
}

/// A number made of what tells a session from others. `before`: how many of the same process began at the same instant before it.
fn session_id(record: &Record<'_>, process: u64, before: u64, time: i64) -> u64 {
    let mut hasher = foldhash::fast::FixedState::default().build_hasher();
    hasher.write(record.host);
    hasher.write_u8(0);
    hasher.write(record.tag.0);
    hasher.write_u64(process);
    hasher.write_i64(time);
    hasher.write_u64(before);
    hasher.finish()
}

fn hash(text: &[u8]) -> u64 {
    foldhash::fast::FixedState::default().hash_one(text)
}
