//! What a line of `smtpd` does to its session: attempts, logins and refusals come out of it.

use std::net::IpAddr;

use maillog::{Acceptance, Counters, Event, Gone, LimitKind, LoginName, Policy, RawCounters, SaslFailure};

use super::{Held, Sink, Tracer};
use crate::attempt::{Attempt, AttemptKind, Context, Evidence, EvidenceSource, Login, NameOrigin, Refusal, Where};
use crate::line::Line;
use crate::message::{Arrival, Place, nothing};
use crate::session::{Key, Session};

/// The last words of a process that finds no SASL backend.
pub(super) const NO_MECHANISMS: &[u8] = b"no SASL authentication mechanisms";

impl Tracer {
    /// One line of a session. Output: whether the session is over.
    pub(super) fn step(&mut self, key: Key, session: &mut Session, line: &Line<'_>, sink: &mut impl Sink) -> bool {
        match *line.event {
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

    pub(super) fn failed(&mut self, key: Key, session: &mut Session, line: &Line<'_>, failure: &SaslFailure<'_>) {
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
        if is_lost(failure.reason) {
            attempt.evidence.extend(self.dovecot_said(line));
        }
        self.join(&mut attempt);
        self.push(Held::Attempt(Box::new(attempt)));
    }

    pub(super) fn context(
        &mut self,
        session: &Session,
        line: &Line<'_>,
        ip: Option<IpAddr>,
        count: u32,
        reason: &[u8],
    ) -> Context {
        let lost = is_lost(reason);
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
    pub(super) fn hold(
        &mut self,
        key: Key,
        session: &mut Session,
        line: &Line<'_>,
        kind: AttemptKind,
        mechanism: &[u8],
    ) {
        let at = self.place(key, session, line.id, line.time);
        self.hold_at(at, session, kind, line.record.repeat, mechanism, Context::default());
    }

    pub(super) fn hold_at(
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
    pub(super) fn died(
        &mut self,
        key: Key,
        session: &mut Session,
        line: &Line<'_>,
        words: &[u8],
        sink: &mut impl Sink,
    ) -> bool {
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
        if words == NO_MECHANISMS {
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

    pub(super) fn gone(&mut self, key: Key, session: &mut Session, line: &Line<'_>, how: Gone) {
        if how == Gone::TooManyErrors {
            self.hold(key, session, line, AttemptKind::TooManyErrors, b"");
        } else {
            session.gone_after_auth = Some((line.id, line.time));
        }
    }

    pub(super) fn accepted(&mut self, key: Key, session: &mut Session, line: &Line<'_>, acceptance: &Acceptance<'_>) {
        let at = self.place(key, session, line.id, line.time);
        let Some(username) = acceptance.sasl_username else {
            if acceptance.orig_queue_id.is_some() || acceptance.client.is_local() {
                self.messages.accepted(Arrival {
                    place: Place { host: key.host, tag: key.tag, names: &self.names },
                    at,
                    pid: line.record.pid,
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
            pid: line.record.pid,
            acceptance,
        });
    }

    /// A filter in front of the queue took a client's message and handed it to us again, under the queue id of its reply.
    pub(super) fn proxied(&mut self, key: Key, session: &mut Session, line: &Line<'_>, reply: &[u8]) {
        let Some(id) = maillog::queued_as(reply) else { return };
        let at = self.place(key, session, line.id, line.time);
        let username = session.username.as_deref().filter(|_| session.before_queue > 0);
        session.before_queue = session.before_queue.saturating_sub(1);
        self.messages.proxied(key.host, id, at, username);
    }

    pub(super) fn refusal(&mut self, key: Key, session: &mut Session, line: &Line<'_>, policy: &Policy<'_>) -> Refusal {
        let at = self.place(key, session, line.id, line.time);
        let refusal = self.refusal_at(at, line.record.repeat, policy);
        if session.username.is_none() {
            session.username.clone_from(&refusal.username);
        }
        refusal
    }

    pub(super) fn refusal_at(&mut self, at: Where, count: u32, policy: &Policy<'_>) -> Refusal {
        let words = policy.words();
        let owner = policy.sasl_username.or_else(|| not_owned_by(words));
        Refusal {
            at,
            action: self.words.shared(policy.action),
            stage: self.words.shared(policy.stage),
            reply: policy.reply.into(),
            words_at: policy.reply.len() - words.len(),
            code: policy.code,
            from: policy.from.map(Into::into),
            to: policy.to.map(Into::into),
            count,
            logged_in: owner.is_some(),
            only_sign: false,
            username: owner.map(Into::into),
            failed_logins: 0,
        }
    }

    /// A decision of `cleanup` or `postscreen`: no session of ours.
    pub(super) fn stray_policy(&mut self, line: &Line<'_>, policy: &Policy<'_>, sink: &mut impl Sink) {
        let at = self.outside_sessions(line, policy.client);
        let refusal = self.refusal_at(at, line.record.repeat, policy);
        sink.refusal(&refusal);
    }

    /// Ends a session: by its `disconnect` line and counters, or without them.
    pub(super) fn end(
        &mut self,
        key: Key,
        session: &mut Session,
        by: Option<(&Line<'_>, Option<RawCounters<'_>>)>,
        sink: &mut impl Sink,
    ) {
        // Most sessions try no login, or each try has had its line, and nothing waits for their end.
        let raw = by.and_then(|(_, counters)| counters);
        if session.is_quiet() && raw.is_some_and(|raw| session.explains(raw.auth())) {
            return;
        }
        session.tls |= by.is_some_and(|(line, _)| line.record.tag.is_implicit_tls());
        let counters = raw.map(RawCounters::read);
        if let Some(counters) = counters {
            session.tls |= counters.starttls.ok > 0;
        }
        if let (Some((line, _)), Some(counters)) = (by, counters) {
            self.counted_logins(key, session, line, counters);
        }
        self.unexplained(key, session, by.map(|(line, _)| line), counters);
        self.tls_failed(key, session);
        let mut untold = session.logins == 0;
        for mut refusal in std::mem::take(&mut session.refusals) {
            refusal.only_sign = untold && refusal.logged_in;
            untold &= !refusal.logged_in;
            refusal.logged_in |= session.logins > 0;
            refusal.failed_logins = session.failed;
            if refusal.username.is_none() && refusal.logged_in {
                refusal.username.clone_from(&session.username);
            }
            sink.refusal(&refusal);
        }
    }

    /// Logins that only the counters tell of.
    pub(super) fn counted_logins(&mut self, key: Key, session: &mut Session, line: &Line<'_>, counters: Counters) {
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
    pub(super) fn unexplained(
        &mut self,
        key: Key,
        session: &mut Session,
        line: Option<&Line<'_>>,
        counters: Option<Counters>,
    ) {
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

    pub(super) fn tls_failed(&mut self, key: Key, session: &mut Session) {
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

/// The account in `Sender address rejected: not owned by user U` (Postfix `src/smtpd/smtpd_check.c`): only a client that logged in gets it.
fn not_owned_by(words: &[u8]) -> Option<&[u8]> {
    words.strip_prefix(b"Sender address rejected: not owned by user ")
}

/// Whether Postfix never learnt what the backend decided.
fn is_lost(reason: &[u8]) -> bool {
    reason.starts_with(b"Connection lost to authentication server")
        || reason.starts_with(b"Can't connect to authentication server")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_sender_address_it_is_not() {
        let user = |line: &[u8]| {
            let record = maillog::record(line).unwrap();
            let Some(Event::Policy(_, policy)) = maillog::event(&record) else { panic!() };
            not_owned_by(policy.words()).map(|user| String::from_utf8_lossy(user).into_owned())
        };
        let start = "Jun 17 10:25:14 mail postfix/smtpd[1]: NOQUEUE: reject: RCPT from h[192.0.2.9]: ";
        let owned = format!(
            "{start}553 5.7.1 <b@x>: Sender address rejected: not owned by user a b@x; from=<b@x> to=<c@y> proto=ESMTP helo=<h>"
        );
        assert_eq!(user(owned.as_bytes()).as_deref(), Some("a b@x"));
        let claimed = "x>: Sender address rejected: not owned by user boss@x";
        let claimed = format!(
            "{start}554 5.7.1 <{claimed}@y>: Relay access denied; from=<b@x> to=<\"{claimed}\"@y> proto=ESMTP helo=<h>"
        );
        assert_eq!(user(claimed.as_bytes()), None);
    }
}
