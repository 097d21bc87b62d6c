//! What comes out: attempts, logins, refusals, each with where it happened and the lines that tell of it.

use std::net::IpAddr;
use std::rc::Rc;

use maillog::{DovecotAuth, LimitKind};

use crate::session::SessionId;

/// Where an outcome belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Where {
    /// The line that tells of it first: the number its caller gave it.
    pub line: u64,
    /// Microseconds since 1970 UTC.
    pub time: i64,
    /// The SMTP session, if one is known.
    pub session: Option<SessionId>,
    /// The mail host as logged.
    pub host: Rc<[u8]>,
    /// The program tag as logged.
    pub tag: Rc<[u8]>,
    /// The client's address; `None` where it was not logged.
    pub client_ip: Option<IpAddr>,
    /// The client's verified name.
    pub client_host: Option<Box<[u8]>>,
}

/// A login that did not succeed, or a session that died before one could be tried.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    /// Where and when.
    pub at: Where,
    /// What happened.
    pub kind: AttemptKind,
    /// How many attempts this stands for: a folded line's count, or the silent refusals of a session.
    pub count: u32,
    /// The mechanism as the client spelled it; empty if not known.
    pub mechanism: Rc<[u8]>,
    /// The login name.
    pub username: Option<Box<[u8]>>,
    /// Where the name comes from, or why there is none.
    pub origin: NameOrigin,
    /// The backend's words; empty if none.
    pub reason: Rc<[u8]>,
    /// Other lines that tell of the same attempt.
    pub evidence: Vec<Evidence>,
    /// What else was going on.
    pub context: Context,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AttemptKind {
    /// A SASL failure line.
    Failed,
    /// The client answered a challenge with `*`.
    Aborted,
    /// The client was gone before it was answered.
    Unanswered,
    /// Refused before it reached a backend: only the counters at disconnect tell.
    Silent,
    /// The session died for want of a SASL backend.
    Killed,
    /// Over one of anvil's limits.
    Limited(LimitKind),
    /// The response was longer than Postfix takes.
    TooLong,
    /// The TLS handshake failed: no login could be tried.
    TlsFailed,
    /// Too many errors after AUTH.
    TooManyErrors,
}

/// Where a login name comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameOrigin {
    /// In the line itself.
    Logged,
    /// From a Dovecot, saslauthd or PAM line that tells of the same attempt.
    Joined,
    /// More than one such line could be meant: none is taken.
    Ambiguous,
    /// Postfix says it never learnt it.
    Unavailable,
    /// Nobody logged it.
    NotLogged,
}

/// Another line that tells of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The line's number.
    pub line: u64,
    /// Who wrote it.
    pub source: EvidenceSource,
    /// Its words.
    pub text: Rc<[u8]>,
}

/// Who wrote an evidence line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EvidenceSource {
    /// Dovecot's auth process about this login.
    Dovecot,
    /// The same, logged as an error: a passdb could not be asked.
    DovecotError,
    /// A passdb said no, and Dovecot asked the next one.
    DovecotPassedOn,
    /// Dovecot about itself.
    DovecotService,
    /// saslauthd.
    Saslauthd,
    /// PAM.
    Pam,
    /// Postfix: `SASL: Connect to … failed: ERRNO`; the text is the errno's.
    Connect,
    /// Postfix: any other trouble with Dovecot's auth protocol.
    Protocol,
    /// The Cyrus library.
    Cyrus,
    /// The SASL library could not be used.
    Library,
    /// The process's last words.
    Fatal,
    /// The TLS library.
    Tls,
}

impl EvidenceSource {
    /// What a line of Dovecot's about a login is.
    #[must_use]
    pub fn of_dovecot(verdict: &DovecotAuth<'_>) -> Self {
        if verdict.is_error {
            Self::DovecotError
        } else if verdict.may_still_succeed {
            Self::DovecotPassedOn
        } else {
            Self::Dovecot
        }
    }
}

/// What else was going on when an attempt failed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Context {
    /// Failures of the same client network (address, or IPv6 /48) in the last minutes, this one not included.
    pub network_failures: u32,
    /// Other client networks that lost the backend in the last minute.
    pub other_networks_lost: u32,
    /// Microseconds since the line before it in its session.
    pub waited: Option<i64>,
    /// STARTTLS or implicit TLS was on in the session when it ended.
    pub tls: bool,
    /// Logins that succeeded in the session.
    pub session_ok: u32,
    /// The service (host and tag) has answered AUTH before: it was enabled there.
    pub service_has_auth: bool,
    /// Microseconds since Dovecot last crashed, started or stopped. `None`: not seen.
    pub since_dovecot_change: Option<i64>,
    /// Microseconds since Dovecot last said it is over a limit.
    pub since_dovecot_limit: Option<i64>,
    /// Confidence that the joined line belongs to this attempt, 0 without one.
    pub join_confidence: f32,
}

/// A login that succeeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// Where and when: the first line that proves it.
    pub at: Where,
    /// How many logins: more than 1 only where the counters say so.
    pub count: u32,
    /// Further logins of a session whose first one was told already.
    pub further: bool,
    /// The mechanism, if logged.
    pub mechanism: Rc<[u8]>,
    /// The account; `None` where only the counters tell of the login.
    pub username: Option<Box<[u8]>>,
}

impl Refusal {
    /// What was said, without the subject: see [`maillog::Policy::words`].
    #[must_use]
    pub fn words(&self) -> &[u8] {
        self.reply.get(self.words_at..).unwrap_or_default()
    }
}

/// A policy decision of `smtpd`, told when its session's end shows whether the client was logged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Where and when.
    pub at: Where,
    /// `reject`, `milter-reject`, `reject_warning`, …
    pub action: Rc<[u8]>,
    /// Which command it answered.
    pub stage: Rc<[u8]>,
    /// The reply, its subject included, which the client may have chosen.
    pub reply: Box<[u8]>,
    /// Where in the reply the words behind its subject start.
    pub words_at: usize,
    /// The reply code.
    pub code: Option<u16>,
    /// Envelope sender.
    pub from: Option<Box<[u8]>>,
    /// Envelope recipient.
    pub to: Option<Box<[u8]>>,
    /// How many.
    pub count: u32,
    /// The session logged in (before or after; a relay check comes after the login).
    pub logged_in: bool,
    /// It is the first sign of a login of which no [`Login`] is told, as the session's counters are missing.
    pub only_sign: bool,
    /// The account, where it is known.
    pub username: Option<Box<[u8]>>,
    /// Logins that failed or were refused in the session.
    pub failed_logins: u32,
}
