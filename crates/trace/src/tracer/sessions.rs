//! Which session a line of `smtpd` belongs to: its beginning, its place in the table, and its end for want of room.

use std::hash::{BuildHasher as _, Hasher as _};

use maillog::{Client, Event, Record};

use super::processes::Row;
use super::{IDLE, NEXT, SERVICES, Sink, Tracer};
use crate::attempt::{Evidence, Where};
use crate::line::Line;
use crate::session::{Key, Session, SessionId};

impl Tracer {
    /// A session of this process came and went, and no line of it can change anything: it only ends the one before, if that is
    /// still open.
    pub fn came_and_went(&mut self, time: i64, record: &Record<'_>, sink: &mut impl Sink) {
        self.tick(time, sink);
        let Some(pid) = record.pid else { return };
        let key = self.process_key(record, pid.into());
        if let Some(session) = self.processes.close(key) {
            self.over(key, session, sink);
        }
    }

    /// A session whose end the log does not tell.
    fn over(&mut self, key: Key, mut session: Box<Session>, sink: &mut impl Sink) {
        self.end(key, &mut session, None, sink);
        self.processes.reuse(session);
    }

    /// The session an envelope belongs to just now, for lines that are not fed.
    pub fn session(&mut self, record: &Record<'_>) -> Option<SessionId> {
        let process = u64::from(record.pid?);
        let key = self.process_key(record, process);
        self.processes.get(key).map(|session| SessionId(session.id))
    }

    pub(super) fn smtpd(&mut self, line: &Line<'_>, sink: &mut impl Sink) -> Option<SessionId> {
        let Some(key) = self.key(line) else { return self.without_process(line, sink) };
        // Whether lines of no interest are fed or not must not change the outcome.
        if !Self::wants(line.event) {
            return self.processes.get(key).map(|session| SessionId(session.id));
        }
        let row = self.processes.row(key);
        let client = client_of(line.event);
        let mut session = match self.processes.take(row) {
            // A new connection, or somebody else's line: the end of the old session is not in the log.
            Some(mut old)
                if matches!(line.event, Event::Connect(_))
                    || client.is_some_and(|client| old.is_of_another(client))
                    || account_of(line.event).is_some_and(|account| old.is_of_another_account(account)) =>
            {
                let trouble = self.trouble_of_next(line, &mut old);
                self.over(key, old, sink);
                let mut session = self.begin(key, row, line.record, line.id, line.time, sink);
                session.trouble.extend(trouble);
                session
            }
            Some(session) => session,
            None => self.begin(key, row, line.record, line.id, line.time, sink),
        };
        if let Some(client) = client {
            session.meet(client);
        }
        if line.record.pid.is_none() && matches!(line.event, Event::Connect(_)) {
            self.newcomers.add(key, line.time);
        }
        let id = SessionId(session.id);
        let over = self.step(key, &mut session, line, sink);
        session.last_time = line.time;
        if over {
            self.processes.reuse(session);
        } else {
            self.processes.put(row, session);
        }
        Some(id)
    }

    /// Trouble of the backend that was told just before the line of another client, where neither its connection nor the end of the one
    /// before is in the log (`mail.warn`): it is that client's.
    fn trouble_of_next(&self, line: &Line<'_>, old: &mut Session) -> Vec<Evidence> {
        let connected = matches!(line.event, Event::Connect(_));
        if connected || line.time - old.last_time > NEXT { Vec::new() } else { std::mem::take(&mut old.trouble) }
    }

    pub(super) fn key(&mut self, line: &Line<'_>) -> Option<Key> {
        let process = process_of(line.record, client_of(line.event))?;
        Some(self.process_key(line.record, process))
    }

    pub(super) fn process_key(&mut self, record: &Record<'_>, process: u64) -> Key {
        Key { host: self.names.number(record.host), tag: self.names.number(record.tag.0), process }
    }

    /// A session starts: [`Tracer::line`] for its `connect from` line, which is the commonest of all.
    pub fn connect(&mut self, id: u64, time: i64, record: &Record<'_>, client: &Client<'_>, sink: &mut impl Sink) {
        self.tick(time, sink);
        let process = process_of(record, Some(client)).unwrap_or_default();
        let key = self.process_key(record, process);
        let row = self.processes.row(key);
        if let Some(old) = self.processes.take(row) {
            self.over(key, old, sink);
        }
        let mut session = self.begin(key, row, record, id, time, sink);
        session.meet(client);
        self.processes.put(row, session);
        if record.pid.is_none() {
            self.newcomers.add(key, time);
        }
    }

    /// Starts a session of a process that has none open. It is not among the open ones before it is put there.
    pub(super) fn begin(
        &mut self,
        key: Key,
        row: Row,
        record: &Record<'_>,
        id: u64,
        time: i64,
        sink: &mut impl Sink,
    ) -> Box<Session> {
        if self.processes.open() >= self.limits.sessions {
            self.make_room(sink);
        }
        // The same session has the same number whatever was read before it.
        let before = self.processes.begins(row, time);
        let mut session = self.processes.fresh();
        session.restart(session_id(record, key.process, before, time), id, time);
        session
    }

    /// Whoever goes on later without this tracer needs the lines since then, to be told what it would have told: the earliest beginning of
    /// a session that is not over, and of mail under way whose account is `wanted`; and some minutes for what is remembered across
    /// sessions.
    #[must_use]
    pub fn hangs_on(&self, wanted: impl FnMut(&[u8]) -> bool) -> i64 {
        let alive = self.processes.sessions().filter(|session| self.now - session.last_time <= IDLE);
        let sessions = alive.map(|session| session.first_time).min();
        let mail = self.messages.earliest(wanted);
        sessions.into_iter().chain(mail).chain([self.now.saturating_sub(IDLE)]).min().unwrap_or(self.now)
    }

    pub(super) fn make_room(&mut self, sink: &mut impl Sink) {
        let mut keys = self.processes.with(|session| self.now - session.last_time > IDLE);
        if keys.is_empty() {
            keys = self.processes.with(|_| true);
        }
        self.end_all(keys, sink);
    }

    /// Ends sessions as if the log had lost their ends.
    pub(super) fn end_all(&mut self, keys: Vec<Key>, sink: &mut impl Sink) {
        for key in keys {
            if let Some(session) = self.processes.close(key) {
                self.over(key, session, sink);
            }
        }
    }

    pub(super) fn place(&self, key: Key, session: &mut Session, line: u64, time: i64) -> Where {
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

    pub(super) fn service_answers(&mut self, key: Key) {
        if self.services.len() < SERVICES {
            self.services.insert((key.host, key.tag), ());
        }
    }
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

/// Whose login a line tells of, in the wording that is the same throughout a session.
fn account_of<'a>(event: &Event<'a>) -> Option<&'a [u8]> {
    match event {
        Event::Accepted(acceptance) => acceptance.sasl_username,
        _ => None,
    }
}

/// What a line's process is known by. Without process ids only lines that name the client can be tied together.
fn process_of(record: &Record<'_>, client: Option<&Client<'_>>) -> Option<u64> {
    match record.pid {
        Some(pid) => Some(pid.into()),
        None => Some(hash(client?.address) | 1 << 63),
    }
}

/// What a session is called that begins with this line, if it is the first one of its process at that instant. `None`: the line names no
/// process.
#[must_use]
pub fn first_session_at(record: &Record<'_>, time: i64) -> Option<SessionId> {
    Some(SessionId(session_id(record, record.pid?.into(), 0, time)))
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
