//! The cause of one attempt, refusal or line: the table's signature first, then the rules of context where the line
//! alone cannot tell.

use std::hash::BuildHasher as _;
use std::net::IpAddr;
use std::rc::Rc;

use foldhash::SharedSeed;
use foldhash::fast::SeedableRandomState;
use maillog::{Event, LimitKind, LoginOutcome, Program, Tag, program};
use serde::{Deserialize, Serialize};
use trace::{Attempt, AttemptKind, Evidence, EvidenceSource, Login, Map, Refusal};

use crate::cause::{Cause, Place};
use crate::causes::{by_id, of_words};
use crate::class::Class;
use crate::evidence::{Weight, place};

/// How something is counted, why it happened, and how sure that is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Diagnosis {
    /// How it is counted; `None` for what is evidence only.
    pub class: Option<Class>,
    /// The cause; `None` where there is none to give.
    pub cause: Option<&'static Cause>,
    /// 0 to 1.
    pub confidence: f32,
    /// What raised or lowered the confidence here.
    pub note: &'static str,
}

impl Diagnosis {
    fn new(class: Option<Class>, id: &str, confidence: Option<f32>, note: &'static str) -> Self {
        let cause = by_id(id);
        Self { class, cause, confidence: confidence.or(cause.map(|c| c.confidence)).unwrap_or_default(), note }
    }

    fn of(cause: &'static Cause, confidence: f32, note: &'static str) -> Self {
        Self { class: cause.class, cause: Some(cause), confidence, note }
    }

    /// The cause's id, or an empty string.
    #[must_use]
    pub fn id(&self) -> &'static str {
        self.cause.map_or("", |cause| cause.id)
    }
}

/// A cause and how sure it is.
type Sure = (&'static Cause, f32);

/// Accounts remembered for the rule about missing domains.
const KNOWN_ACCOUNTS: usize = 200_000;
/// Addresses remembered for the rules about ports and STARTTLS.
const KNOWN_ADDRESSES: usize = 200_000;
/// So many accounts that log in, all with a domain, make it the form of names here.
const ALL_FULL: usize = 3;
/// Wordings whose cause is remembered.
const REMEMBERED_WORDS: usize = 4_096;

/// Refusals of a name that no backend knew.
#[derive(Clone, Copy, Debug, Default)]
struct Unknown {
    /// Without a domain, and with one.
    short: u64,
    full: u64,
}

/// Gives causes. Remembers who logged in, and the wordings it has looked up. Can be put aside and taken up again: wordings are looked up
/// anew then.
#[derive(Serialize, Deserialize)]
pub struct Diagnoser {
    #[serde(skip)]
    words: Map<(Place, Rc<[u8]>), Option<Sure>>,
    /// Local parts of accounts that logged in as `name@domain`, and names that logged in without a domain.
    full_names: Map<u64, ()>,
    short_names: Map<u64, ()>,
    /// Names that no backend knew, by their local parts: how often without a domain, and with one. The other form may yet log in.
    #[serde(skip)]
    unknown: Map<u64, Unknown>,
    /// Addresses that logged in on a service for mail users.
    mail_users: Map<IpAddr, ()>,
    /// Strangers choose the names: their hashes must not be foreseen.
    seed: u64,
}

impl Default for Diagnoser {
    fn default() -> Self {
        Self {
            words: Map::default(),
            full_names: Map::default(),
            short_names: Map::default(),
            unknown: Map::default(),
            mail_users: Map::default(),
            seed: foldhash::fast::RandomState::default().hash_one(0u8),
        }
    }
}

impl Diagnoser {
    /// Remembers a login that succeeded. Output: how many refusals of a name that no backend knew (`cred.unknown_user`) this shows to have
    /// been for the other form of it (`cred.realm_missing`).
    pub fn logged_in(&mut self, login: &Login) -> u64 {
        if let Some(ip) = login.at.client_ip
            && Tag(&login.at.tag).is_submission()
            && self.mail_users.len() < KNOWN_ADDRESSES
        {
            self.mail_users.insert(ip, ());
        }
        login.username.as_deref().map_or(0, |username| self.account_logged_in(username))
    }

    fn account_logged_in(&mut self, username: &[u8]) -> u64 {
        let (local, domain) = split_name(username);
        let key = self.key(local);
        let names = if domain.is_some() { &mut self.full_names } else { &mut self.short_names };
        if names.len() < KNOWN_ACCOUNTS {
            names.insert(key, ());
        }
        let Some(unknown) = self.unknown.get_mut(&key) else { return 0 };
        // Of a name that logs in in both forms, neither is missing anything.
        match domain.is_some() {
            true if !self.short_names.contains_key(&key) => std::mem::take(&mut unknown.short),
            false if !self.full_names.contains_key(&key) => std::mem::take(&mut unknown.full),
            _ => 0,
        }
    }

    /// The cause of an attempt.
    pub fn attempt(&mut self, attempt: &Attempt) -> Diagnosis {
        match attempt.kind {
            AttemptKind::Failed => self.failed(attempt),
            AttemptKind::Aborted => Diagnosis::new(Some(Class::AuthAborted), "client.abort", None, ""),
            AttemptKind::Unanswered => Diagnosis::new(Some(Class::AuthAborted), "client.lost_mid_auth", None, ""),
            AttemptKind::Silent => self.silent(attempt),
            AttemptKind::Killed => self.killed(attempt),
            AttemptKind::Limited(kind) => limited(kind),
            AttemptKind::TooLong => Diagnosis::new(None, "client.response_too_long", None, ""),
            AttemptKind::TooManyErrors => Diagnosis::new(None, "limit.too_many_errors", None, ""),
            AttemptKind::TlsFailed => self.tls_failed(attempt),
        }
    }

    /// A SASL failure line: what the backend itself wrote about it tells most, then the reason, then what else was going on.
    fn failed(&mut self, attempt: &Attempt) -> Diagnosis {
        let by_reason = self.look_up(Place::Reason, &attempt.reason);
        let by_evidence = self.by_evidence(attempt.evidence.iter().filter(|line| !is_service(line)));
        let lost = by_reason.is_some_and(|(cause, _)| cause.id == "backend.connection_lost");
        let diagnosis = match (by_evidence, by_reason) {
            // Whatever was found out about the password, the answer never came.
            (evidence, _)
                if lost && evidence.is_none_or(|((cause, _), _)| cause.class != Some(Class::BackendFault)) =>
            {
                connection_lost(attempt, self.broken_store(attempt))
            }
            (Some(((cause, confidence), weight)), by_reason) if cause.id != "cred.undifferentiated" => {
                let joined = attempt.context.join_confidence;
                let confidence = if joined > 0.0 { confidence.min(joined) } else { confidence };
                // A line that says what Postfix' own says makes it no less sure.
                let own = by_reason.filter(|(own, _)| own.id == cause.id).map_or(0.0, |(_, confidence)| confidence);
                let confidence = confidence.max(own);
                Diagnosis::of(cause, confidence, weight.note())
            }
            (_, Some((cause, confidence))) => Diagnosis::of(cause, confidence, ""),
            (_, None) => Diagnosis::new(
                Some(Class::AuthFailed),
                "cred.undifferentiated",
                Some(0.4),
                "the reason is in words this program does not know",
            ),
        };
        self.with_known_names(attempt, Diagnosis { class: Some(counted_as(diagnosis.class)), ..diagnosis })
    }

    /// What Dovecot's auth process said of itself at the time, if that is a user database out of order.
    fn broken_store(&mut self, attempt: &Attempt) -> Option<Sure> {
        let (sure, _) = self.by_evidence(attempt.evidence.iter().filter(|line| is_service(line)))?;
        (sure.0.id == "backend.store_error").then_some(sure)
    }

    /// What other lines say: the one that settles most, among equals the surest, then the last.
    fn by_evidence<'e>(&mut self, evidence: impl Iterator<Item = &'e Evidence>) -> Option<(Sure, Weight)> {
        let weighed = evidence.filter_map(|line| {
            let (cause, confidence) = self.look_up(place(line.source), &line.text)?;
            let weight = Weight::of(line.source, cause);
            Some(((cause, weight.temper(confidence)), weight))
        });
        weighed.max_by(|((_, a), weight), ((_, b), than)| weight.cmp(than).then(a.total_cmp(b)))
    }

    /// Refusals of names without a domain that no backend knew, where all who log in have one: clients may leave it out. No cause by
    /// itself, as strangers send such names more often than people.
    #[must_use]
    pub fn without_domain(&self) -> u64 {
        if !self.short_names.is_empty() || self.full_names.len() < ALL_FULL {
            return 0;
        }
        self.unknown.values().map(|unknown| unknown.short).sum()
    }

    /// What a refusal of a name that no backend knew is, now that the other form of it has logged in; `None` if it stays what it was.
    #[must_use]
    pub fn in_hindsight(&self, name: &[u8], diagnosis: &Diagnosis) -> Option<Diagnosis> {
        if diagnosis.id() != "cred.unknown_user" {
            return None;
        }
        let (local, domain) = split_name(name);
        let key = self.key(local);
        let (full, short) = (self.full_names.contains_key(&key), self.short_names.contains_key(&key));
        let is_other = if domain.is_some() { short && !full } else { full && !short };
        is_other
            .then(|| Diagnosis::new(diagnosis.class, "cred.realm_missing", None, "the other form of the name logs in"))
    }

    /// No such user, but the same name is known with a domain (or without): a setting of the client, not a stranger.
    fn with_known_names(&mut self, attempt: &Attempt, diagnosis: Diagnosis) -> Diagnosis {
        let Some(name) = attempt.username.as_deref().filter(|_| diagnosis.id() == "cred.unknown_user") else {
            return diagnosis;
        };
        if let Some(known) = self.in_hindsight(name, &diagnosis) {
            return known;
        }
        let (local, domain) = split_name(name);
        let key = self.key(local);
        if self.unknown.len() < KNOWN_ACCOUNTS || self.unknown.contains_key(&key) {
            let unknown = self.unknown.entry(key).or_default();
            *(if domain.is_some() { &mut unknown.full } else { &mut unknown.short }) += u64::from(attempt.count);
        }
        diagnosis
    }

    fn killed(&mut self, attempt: &Attempt) -> Diagnosis {
        let connect = attempt.evidence.iter().filter(|e| e.source != EvidenceSource::Fatal);
        if let Some(((cause, confidence), _)) = self.by_evidence(connect) {
            return Diagnosis {
                class: None,
                ..Diagnosis::of(cause, confidence, "the same process said so before it died")
            };
        }
        let stalled = attempt.context.waited.is_some_and(|waited| (8_000_000..60_000_000).contains(&waited));
        if stalled {
            return Diagnosis::new(
                None,
                "backend.handshake_stall",
                None,
                "the process waited about ten seconds and had no connect error",
            );
        }
        Diagnosis::new(None, "config.no_mechanisms", None, "no connect error before it")
    }

    fn tls_failed(&mut self, attempt: &Attempt) -> Diagnosis {
        let library = self.by_evidence(attempt.evidence.iter());
        let (cause, confidence) = match library {
            Some((found, _)) => found,
            None => match self.look_up(Place::Tls, &attempt.reason) {
                Some(found) => found,
                None => return Diagnosis::new(Some(Class::TlsFailed), "tls.handshake_other", None, ""),
            },
        };
        let on_starttls_port = cause.id == "tls.plaintext_to_wrapper" && !Tag(&attempt.at.tag).is_implicit_tls();
        let confidence = if on_starttls_port { confidence.min(0.6) } else { confidence };
        Diagnosis { class: Some(Class::TlsFailed), ..Diagnosis::of(cause, confidence, "") }
    }

    /// AUTH refused before it reached a backend. An address that has logged in on a service for mail users belongs to one.
    fn silent(&self, attempt: &Attempt) -> Diagnosis {
        let found = silent(attempt);
        if !attempt.at.client_ip.is_some_and(|ip| self.mail_users.contains_key(&ip)) {
            return found;
        }
        match found.id() {
            "tls.auth_before_starttls" => Diagnosis {
                confidence: 0.9,
                note: "the same address has logged in here before: only STARTTLS was missing",
                ..found
            },
            "config.auth_not_enabled" if !Tag(&attempt.at.tag).is_submission() => Diagnosis::new(
                found.class,
                "client.wrong_port_25",
                None,
                "the same address has logged in on a service for mail users",
            ),
            _ => found,
        }
    }

    fn look_up(&mut self, place: Place, text: &Rc<[u8]>) -> Option<(&'static Cause, f32)> {
        let key = (place, Rc::clone(text));
        if let Some(known) = self.words.get(&key) {
            return *known;
        }
        let found = of_words(place, text);
        if self.words.len() < REMEMBERED_WORDS {
            self.words.insert(key, found);
        }
        found
    }

    fn key(&self, name: &[u8]) -> u64 {
        SeedableRandomState::with_seed(self.seed, SharedSeed::global_fixed()).hash_one(name.to_ascii_lowercase())
    }
}

/// Whether a line is the backend's about itself: it names nobody, and only tells of an answer that did not come.
fn is_service(line: &Evidence) -> bool {
    line.source == EvidenceSource::DovecotService
}

/// A failure line counts as refused by the backend, as the backend's fault, or (the guide's sample) as refused before it.
fn counted_as(class: Option<Class>) -> Class {
    match class {
        Some(class @ (Class::BackendFault | Class::AuthRefused)) => class,
        _ => Class::AuthFailed,
    }
}

/// Failures of a network after which Dovecot's delay is longer than Postfix waits (grammar 2.6).
const PENALTY_AFTER: u32 = 3;
/// A line that names no client is no surer than this.
const NEARBY: f32 = 0.85;
/// Other networks that must be hit for an overload.
const OVERLOAD_NETWORKS: u32 = 2;

/// `Connection lost to authentication server`: whose fault (grammar 2.6).
fn connection_lost(attempt: &Attempt, store: Option<Sure>) -> Diagnosis {
    let c = &attempt.context;
    let backend = Some(Class::BackendFault);
    let waited = c.waited.is_none_or(|waited| waited >= 8_000_000);
    if c.since_dovecot_change.is_some_and(|since| (-2_000_000..=3_000_000).contains(&since)) {
        return Diagnosis::new(
            backend,
            "backend.crash_or_restart",
            None,
            "Dovecot crashed, stopped or started at that moment",
        );
    }
    if c.since_dovecot_limit.is_some_and(|since| (0..=60_000_000).contains(&since)) {
        return Diagnosis::new(backend, "backend.overload", None, "Dovecot says it is at a limit");
    }
    if c.network_failures >= PENALTY_AFTER && waited && c.other_networks_lost < OVERLOAD_NETWORKS {
        return Diagnosis::new(
            backend,
            "backend.penalty",
            None,
            "this network failed several times shortly before, others are unharmed",
        );
    }
    if let Some((cause, confidence)) = store {
        let note = "Dovecot's user database was out of order while the answer was awaited";
        return Diagnosis::of(cause, confidence.min(NEARBY), note);
    }
    if c.other_networks_lost >= OVERLOAD_NETWORKS && waited {
        return Diagnosis::new(
            backend,
            "backend.overload",
            Some(0.7),
            "several networks lost the backend in the same minute",
        );
    }
    if c.network_failures + 1 == PENALTY_AFTER && waited {
        return Diagnosis::new(
            backend,
            "backend.penalty",
            Some(0.6),
            "the third attempt in a row is a borderline case of Dovecot's delay",
        );
    }
    Diagnosis::new(backend, "backend.connection_lost", None, "nothing else in the log explains it")
}

/// AUTH refused before it reached a backend: the session's shape must tell (grammar 2.8).
fn silent(attempt: &Attempt) -> Diagnosis {
    let tag = Tag(&attempt.at.tag);
    let refused = Some(Class::AuthRefused);
    let c = &attempt.context;
    if c.session_ok > 0 {
        return Diagnosis::new(refused, "client.double_auth", None, "the session was logged in");
    }
    if c.tls && c.service_has_auth {
        return Diagnosis::new(
            refused,
            "client.auth_misplaced",
            None,
            "the service answers other logins, and TLS was on: it may be bad syntax, no EHLO, AUTH inside a mail transaction, or a milter",
        );
    }
    if c.tls {
        return Diagnosis::new(
            refused,
            "config.auth_not_enabled",
            Some(0.5),
            "TLS was on, so that was not what it lacked, and the service has answered nobody so far",
        );
    }
    if tag.is_submission() {
        return Diagnosis::new(
            refused,
            "tls.auth_before_starttls",
            None,
            "a service for mail users, and no STARTTLS in the session",
        );
    }
    if c.service_has_auth {
        return Diagnosis::new(
            refused,
            "tls.auth_before_starttls",
            Some(0.7),
            "the service answers other logins; this session had no STARTTLS",
        );
    }
    Diagnosis::new(refused, "config.auth_not_enabled", None, "the service has never answered a login")
}

fn limited(kind: LimitKind) -> Diagnosis {
    let class = Some(Class::RateLimited);
    match kind {
        LimitKind::Auth => Diagnosis::new(class, "limit.auth_rate", None, ""),
        LimitKind::Connection => Diagnosis::new(class, "limit.connection", None, ""),
        LimitKind::NewTls => Diagnosis::new(class, "limit.newtls", None, ""),
        LimitKind::Message => Diagnosis { class, ..Diagnosis::default() },
    }
}

/// The class and cause of a policy decision. Only what was really refused has a class.
#[must_use]
pub fn refusal(refusal: &Refusal) -> Diagnosis {
    decision(&refusal.action, refusal.words(), Tag(&refusal.at.tag), refusal.logged_in)
}

fn decision(action: &[u8], words: &[u8], tag: Tag<'_>, logged_in: bool) -> Diagnosis {
    if !matches!(action, b"reject" | b"milter-reject" | b"proxy-reject" | b"hangup") {
        return Diagnosis::default();
    }
    let other = Diagnosis { class: Some(Class::OtherReject), cause: None, confidence: 1.0, note: "" };
    let Some((cause, confidence)) = of_words(Place::Reject, words) else { return other };
    if cause.id == "policy.relay_denied" && action != b"reject" {
        return other;
    }
    let wants_login = tag.is_submission() && !logged_in;
    if cause.id == "policy.not_authenticated" && !wants_login {
        return other;
    }
    Diagnosis::of(cause, confidence, "")
}

/// The class and cause of a line as far as it tells without others. A policy decision may look otherwise once its session is known:
/// see [`refusal`].
#[must_use]
pub fn line(event: &Event<'_>, tag: Tag<'_>) -> Diagnosis {
    match event {
        Event::Delivery(delivery) if delivery.relayhost_login_failed() => {
            Diagnosis::new(Some(Class::RelayhostAuthFailed), "outbound.sasl_client", None, "")
        }
        Event::RelayhostSaslFailed(..) => {
            Diagnosis::new(Some(Class::RelayhostAuthFailed), "outbound.sasl_client", None, "")
        }
        Event::Policy(_, policy) => decision(policy.action, policy.words(), tag, policy.sasl_username.is_some()),
        Event::Delivery(delivery) => {
            Diagnosis { class: Class::of_delivery(delivery.status), confidence: 1.0, ..Diagnosis::default() }
        }
        Event::Accepted(accepted) if accepted.sasl_username.is_some() || accepted.sasl_method.is_some() => {
            Diagnosis { class: Some(Class::AuthOk), confidence: 1.0, ..Diagnosis::default() }
        }
        Event::Backend(trouble) if matches!(program(tag), Program::Smtpd | Program::PostfixCut) => {
            let (source, text) = match trouble {
                maillog::BackendTrouble::Connect { error, .. } => (Place::Connect, *error),
                maillog::BackendTrouble::Protocol(text) => (Place::Protocol, *text),
                maillog::BackendTrouble::Cyrus(text) => (Place::Cyrus, *text),
                maillog::BackendTrouble::Library(text) => (Place::Library, *text),
            };
            evidence_line(of_words(source, text))
        }
        Event::Fatal(words)
            if words.starts_with(b"no SASL authentication mechanisms")
                || words.starts_with(b"smtpd_sasl")
                || words.starts_with(b"SASL per-") =>
        {
            evidence_line(of_words(Place::Fatal, words))
        }
        Event::TlsServerTrouble(None, text) => Diagnosis {
            class: None,
            ..of_words(Place::Tls, text)
                .map_or(Diagnosis::default(), |(cause, confidence)| Diagnosis::of(cause, confidence, ""))
        },
        // A TLS record where a greeting was awaited.
        Event::Pipelining(_, stage, junk) if *stage == b"CONNECT" && is_tls(junk) => begins_with_tls(),
        // Without a pause after the record it is read as a command.
        Event::NonSmtp(_, junk) if is_tls(junk) => begins_with_tls(),
        Event::Pipelining(..) => Diagnosis::new(None, "client.pipelining", None, ""),
        Event::DovecotLogin(login) => dovecot_login(login.outcome, login.message),
        _ => Diagnosis::default(),
    }
}

/// A TLS handshake as Postfix shows what is no text.
fn is_tls(junk: &[u8]) -> bool {
    junk.starts_with(b"\\026\\003")
}

fn begins_with_tls() -> Diagnosis {
    Diagnosis::new(None, "tls.wrapper_client_on_starttls_port", Some(0.95), "a TLS record came before any command")
}

fn evidence_line(found: Option<(&'static Cause, f32)>) -> Diagnosis {
    let class = Some(Class::BackendEvidence);
    found.map_or(Diagnosis { class, ..Diagnosis::default() }, |(cause, confidence)| Diagnosis {
        class,
        ..Diagnosis::of(cause, confidence, "")
    })
}

/// Dovecot's own IMAP and POP3 logins.
fn dovecot_login(outcome: LoginOutcome, message: &[u8]) -> Diagnosis {
    match outcome {
        LoginOutcome::Ok => Diagnosis { class: Some(Class::AuthOk), confidence: 1.0, ..Diagnosis::default() },
        LoginOutcome::Failed => match of_words(Place::Dovecot, message) {
            Some((cause, confidence)) => {
                Diagnosis { class: Some(Class::AuthFailed), ..Diagnosis::of(cause, confidence, "") }
            }
            None => Diagnosis::new(Some(Class::AuthFailed), "cred.undifferentiated", None, ""),
        },
        LoginOutcome::Refused => {
            let found = of_words(Place::Dovecot, message).map_or("config.cleartext_policy", |(cause, _)| cause.id);
            Diagnosis::new(Some(Class::AuthRefused), found, None, "")
        }
        LoginOutcome::BackendFault => Diagnosis::new(Some(Class::BackendFault), "backend.store_error", Some(0.7), ""),
        LoginOutcome::NoLogin => Diagnosis::default(),
    }
}

/// A login name's local part, and its domain if it has one.
fn split_name(name: &[u8]) -> (&[u8], Option<&[u8]>) {
    match memchr_at(name) {
        Some(at) => (name.get(..at).unwrap_or_default(), name.get(at + 1..)),
        None => (name, None),
    }
}

fn memchr_at(name: &[u8]) -> Option<usize> {
    name.iter().rposition(|b| *b == b'@')
}

#[cfg(test)]
mod tests {
    use trace::{Limits, Message, Sink, Story, Tracer, Where};

    use super::*;

    /// The causes of a log's failed logins, in order.
    #[derive(Default)]
    struct Causes(Diagnoser, Vec<(Diagnosis, Attempt)>);

    impl Sink for Causes {
        fn attempt(&mut self, attempt: &Attempt) {
            self.1.push((self.0.attempt(attempt), attempt.clone()));
        }

        fn login(&mut self, _login: &Login) {}

        fn refusal(&mut self, _refusal: &Refusal) {}

        fn message_accepted(&mut self, _at: &Where, _username: &[u8], _queue_id: Option<&[u8]>) {}

        fn message(&mut self, _message: &Message) {}

        fn story(&mut self, _story: &Story) {}
    }

    /// Each line a tenth of a second after the one before it.
    fn causes(lines: &[&str]) -> Vec<(Diagnosis, Attempt)> {
        let (mut tracer, mut sink) = (Tracer::new(Limits::default()), Causes::default());
        for (text, id) in lines.iter().zip(1..) {
            let line = format!("1763803046.0 mail {text}");
            let record = maillog::record(line.as_bytes()).unwrap();
            let event = maillog::event(&record).unwrap();
            let time = i64::try_from(id).unwrap() * 100_000;
            tracer.line(&trace::Line { id, time, record: &record, event: &event }, &mut sink);
        }
        tracer.finish(&mut sink);
        sink.1
    }

    #[test]
    fn dovecots_own_logins() {
        let id = |text: &str| {
            let line = format!("Nov 22 09:06:30 mail dovecot: {text}");
            let record = maillog::record(line.as_bytes()).unwrap();
            let found = super::line(&maillog::event(&record).unwrap(), record.tag);
            (found.class, found.id())
        };
        let fields = "user=<>, method=NTLM, rip=192.0.2.1, lip=198.51.100.7, session=<x>";
        for words in [
            "Aborted login (tried to use unsupported auth mechanism)",
            "Login aborted: Logged out (tried to use unsupported auth mechanism, 1 attempts in 2 secs) (invalid_mech)",
            "Login aborted: Logged out (words to come) (invalid_mech)",
        ] {
            let found = id(&format!("imap-login: {words}: {fields}"));
            assert_eq!(found, (Some(Class::AuthRefused), "client.mechanism_unsupported"), "{words}");
        }
        for words in [
            "Aborted login (tried to use disallowed plaintext auth)",
            "Login aborted: Logged out (tried to use disallowed cleartext auth) (cleartext_auth_disabled)",
        ] {
            let found = id(&format!("imap-login: {words}: {fields}"));
            assert_eq!(found, (Some(Class::AuthRefused), "config.cleartext_policy"), "{words}");
        }
    }

    const FAILED: &str = "postfix/smtpd[1]: warning: h[192.0.2.1]: SASL PLAIN authentication failed: (reason unavailable), sasl_username=user1@ex.org";

    fn check_cause(lines: &[&str], class: Class, id: &str, evidence: usize) {
        let found = causes(lines);
        let [(diagnosis, attempt)] = &*found else { panic!("{found:?}") };
        assert_eq!((diagnosis.class, diagnosis.id(), attempt.evidence.len()), (Some(class), id, evidence), "{lines:?}");
    }

    #[test]
    fn a_database_that_could_not_be_asked_outweighs_the_others() {
        let broken = "dovecot: auth-worker(7): Error: sql(user1@ex.org,192.0.2.1): Password query failed: Not connected to database";
        let unknown = "dovecot: auth: passwd-file(user1@ex.org,192.0.2.1): unknown user";
        let mismatch = "dovecot: auth: passwd-file(user1@ex.org,192.0.2.1): Password mismatch";
        let fault = |lines: &[&str]| check_cause(lines, Class::BackendFault, "backend.store_error", lines.len() - 1);
        fault(&[broken, FAILED]);
        fault(&[broken, unknown, FAILED]);
        fault(&[unknown, broken, FAILED]);
        fault(&[broken, mismatch, FAILED]);
        fault(&[mismatch, broken, FAILED]);
        let ldap = "dovecot: auth: Error: ldap(user1@ex.org,192.0.2.1): ldap_search(base=dc=x filter=(uid=u)) failed: Can't contact LDAP server";
        fault(&[ldap, mismatch, FAILED]);
        check_cause(&[unknown, mismatch, FAILED], Class::AuthFailed, "cred.password_mismatch", 2);
    }

    #[test]
    fn a_database_out_of_order_is_why_an_answer_was_lost() {
        const LOST: &str = "postfix/smtpd[1]: warning: h[192.0.2.1]: SASL PLAIN authentication failed: Connection lost to authentication server, sasl_username=(unavailable)";
        for broken in [
            "dovecot: auth: Error: LDAP /etc/dovecot/dovecot-ldap.conf.ext: Can't connect to server: ldap.example.org",
            "dovecot: auth: Error: mysql(127.0.0.1): Connect failed to database (mail): Connection refused - waiting for 5 seconds before retry",
            "dovecot: auth-worker(7): Error: pgsql(db): Connect failed to database mail: timeout",
        ] {
            check_cause(&[broken, LOST], Class::BackendFault, "backend.store_error", 1);
            // A refusal says nothing of why: it may be a wrong password all the same.
            check_cause(&[broken, FAILED], Class::AuthFailed, "cred.undifferentiated", 0);
        }
        let gave_up = "dovecot: auth: Error: auth client 0 disconnected with 1 pending requests: EOF";
        check_cause(&[gave_up, LOST], Class::BackendFault, "backend.connection_lost", 0);
        let other = "dovecot: auth: Error: something else is odd";
        check_cause(&[other, LOST], Class::BackendFault, "backend.connection_lost", 1);
    }

    #[test]
    fn saslauthd_that_cannot_ask_its_ldap_server_refuses_nobody() {
        const REFUSED: &str = "postfix/smtpd[1]: warning: h[192.0.2.1]: SASL LOGIN authentication failed: authentication failure, sasl_username=user1@ex.org";
        let said = |words: &str| format!("saslauthd[9]: {words}");
        let verdict = |reason: &str| {
            said(&format!(
                "do_auth         : auth failure: [user=user1] [service=smtp] [realm=ex.org] [mech=ldap] [reason={reason}]"
            ))
        };
        let (down, retry, wrong) = (
            said("ldap_simple_bind() failed -1 (Can't contact LDAP server)."),
            said("Retrying authentication"),
            said("ldap_simple_bind() failed 49 (Invalid credentials)."),
        );
        let unknown = verdict("Unknown");
        let fault = |lines: &[&str]| check_cause(lines, Class::BackendFault, "backend.store_error", 2);
        fault(&[&down, &unknown, REFUSED]);
        fault(&[&down, &retry, &down, &unknown, REFUSED]);
        // It came back: what is refused then is a password.
        let refused = |lines: &[&str]| check_cause(lines, Class::AuthFailed, "cred.undifferentiated", 2);
        refused(&[&down, &retry, &wrong, &unknown, REFUSED]);
        refused(&[&down, &retry, &unknown, REFUSED]);
        // Another process, and the module's trouble with somebody else's login.
        check_cause(&[&down.replace("[9]", "[8]"), &unknown, REFUSED], Class::AuthFailed, "cred.undifferentiated", 1);
        check_cause(&[&verdict("PAM start error"), REFUSED], Class::BackendFault, "backend.store_error", 1);
    }

    #[test]
    fn a_second_witness_does_no_harm() {
        let (diagnosis, _) = causes(&[
            "dovecot: auth: login(?,192.0.2.1): Invalid base64 data in continued response",
            "postfix/smtpd[1]: warning: h[192.0.2.1]: SASL LOGIN authentication failed: Invalid base64 data in continued response",
        ])
        .remove(0);
        assert_eq!((diagnosis.id(), diagnosis.confidence), ("client.malformed_base64", 0.9));
    }

    #[test]
    fn a_name_without_its_domain_is_known_by_later_logins() {
        let unknown = "dovecot: auth: passwd-file(user1,192.0.2.1): unknown user";
        let failed = "postfix/smtpd[1]: warning: h[192.0.2.1]: SASL PLAIN authentication failed: (reason unavailable), sasl_username=user1";
        let (diagnosis, attempt) = causes(&[unknown, failed]).remove(0);
        let login = |name: &str| Login {
            at: attempt.at.clone(),
            count: 1,
            further: false,
            mechanism: Rc::clone(&attempt.mechanism),
            username: Some(name.as_bytes().into()),
        };
        let mut diagnoser = Diagnoser::default();
        assert_eq!((diagnosis.id(), diagnoser.attempt(&attempt).id()), ("cred.unknown_user", "cred.unknown_user"));
        assert_eq!(["ann@x", "bob@x", "cy@x"].map(|name| diagnoser.logged_in(&login(name))), [0, 0, 0]);
        assert_eq!((diagnoser.without_domain(), diagnoser.in_hindsight(b"user1", &diagnosis).is_some()), (1, false));
        assert_eq!([diagnoser.logged_in(&login("User1@x")), diagnoser.logged_in(&login("user1@x"))], [1, 0]);
        assert_eq!(diagnoser.without_domain(), 0);
        assert_eq!(diagnoser.in_hindsight(b"user1", &diagnosis).unwrap().id(), "cred.realm_missing");
        assert_eq!(diagnoser.attempt(&attempt).id(), "cred.realm_missing");
    }

    #[test]
    fn a_database_that_passes_on_does_not_decide() {
        let passed_on = "dovecot: auth: sql(user1@ex.org,192.0.2.1): Password mismatch (given password: x) - trying the next passdb";
        let unknown = "dovecot: auth: passwd-file(user1@ex.org,192.0.2.1): unknown user";
        check_cause(&[passed_on, unknown, FAILED], Class::AuthFailed, "cred.unknown_user", 2);
        let (diagnosis, _) = causes(&[passed_on, FAILED]).remove(0);
        assert_eq!((diagnosis.id(), diagnosis.confidence), ("cred.password_mismatch", 0.6));
    }
}
