//! One SMTP session: what its lines have told so far.

use std::net::IpAddr;
use std::rc::Rc;

use maillog::{BackendTrouble, Client, Count};

use crate::attempt::{Evidence, EvidenceSource, Refusal};
use crate::names::Symbol;

/// Names a session across its lines: the same log gives the same ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(pub u64);

impl std::fmt::Display for SessionId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// What a session is looked up by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) host: Symbol,
    pub(crate) tag: Symbol,
    /// The process id; for logs without one (mailcow's), a hash of the client, marked by the high bit.
    pub(crate) process: u64,
}

/// Evidence and refusals kept per session at most.
const KEPT: usize = 64;

/// The state of a session. Reused for the next one, so that its buffers are.
#[derive(Default)]
pub(crate) struct Session {
    pub(crate) id: u64,
    pub(crate) first_line: u64,
    pub(crate) first_time: i64,
    pub(crate) last_time: i64,
    pub(crate) name: Vec<u8>,
    pub(crate) address: Vec<u8>,
    ip: Option<IpAddr>,
    /// Attempts that have a line of their own.
    pub(crate) with_line: u32,
    /// AUTH attempts that failed, for whoever asks whether the client tried.
    pub(crate) failed: u32,
    pub(crate) logins: u32,
    pub(crate) username: Option<Box<[u8]>>,
    /// Messages of the login that a filter in front of the queue has, and that have no queue id yet.
    pub(crate) before_queue: u32,
    pub(crate) tls: bool,
    /// The client was gone after AUTH: the line, and the time.
    pub(crate) gone_after_auth: Option<(u64, i64)>,
    /// Backend trouble not yet tied to an attempt.
    pub(crate) trouble: Vec<Evidence>,
    /// A failed TLS handshake: its line, time and text.
    pub(crate) tls_failure: Option<(u64, i64, Rc<[u8]>)>,
    pub(crate) tls_evidence: Vec<Evidence>,
    pub(crate) refusals: Vec<Refusal>,
}

impl Session {
    /// Starts over for a new connection, keeping the buffers.
    pub(crate) fn restart(&mut self, id: u64, line: u64, time: i64) {
        (self.id, self.first_line, self.first_time, self.last_time) = (id, line, time, time);
        (self.with_line, self.failed, self.logins, self.before_queue) = (0, 0, 0, 0);
        (self.ip, self.tls, self.gone_after_auth) = (None, false, None);
        (self.username, self.tls_failure) = (None, None);
        self.name.clear();
        self.address.clear();
        self.trouble.clear();
        self.tls_evidence.clear();
        self.refusals.clear();
    }

    /// Whether nothing in it waits for its end.
    pub(crate) fn is_quiet(&self) -> bool {
        self.refusals.is_empty() && self.tls_failure.is_none() && self.gone_after_auth.is_none()
    }

    /// Whether its lines have told of all that the counter of AUTH counts.
    pub(crate) fn explains(&self, auth: Count) -> bool {
        auth.ok <= self.logins && auth.tried.saturating_sub(auth.ok) <= self.with_line
    }

    /// Whether a line that names this client cannot be of this session.
    pub(crate) fn is_of_another(&self, client: &Client<'_>) -> bool {
        !self.address.is_empty() && self.address != client.address
    }

    /// Whether a line that tells of this account's login cannot be of this session: a client logs in once (RFC 4954, section 4: AUTH is
    /// refused with 503 afterwards). So logs without `connect` and `disconnect` show where one session ends.
    pub(crate) fn is_of_another_account(&self, account: &[u8]) -> bool {
        self.logins > 0 && self.username.as_deref().is_some_and(|mine| mine != account)
    }

    /// Remembers who it is. The address becomes a value only when somebody asks.
    pub(crate) fn meet(&mut self, client: &Client<'_>) {
        if self.address.is_empty() || self.address == b"unknown" {
            self.name.clear();
            self.name.extend_from_slice(client.name);
            self.address.clear();
            self.address.extend_from_slice(client.address);
            self.ip = None;
        }
    }

    /// The client's address.
    pub(crate) fn ip(&mut self) -> Option<IpAddr> {
        if self.ip.is_none() && !self.address.is_empty() {
            self.ip = maillog::address(&self.address);
        }
        self.ip
    }

    /// The client's verified name.
    pub(crate) fn client_host(&self) -> Option<Box<[u8]>> {
        (!self.name.is_empty() && self.name != b"unknown").then(|| self.name.as_slice().into())
    }

    /// Keeps backend trouble for the failure or the fatal line that follows it.
    pub(crate) fn add_trouble(&mut self, line: u64, trouble: &BackendTrouble<'_>) {
        if self.trouble.len() < KEPT {
            self.trouble.push(evidence(line, trouble));
        }
    }

    /// Keeps what the TLS library said.
    pub(crate) fn add_tls_evidence(&mut self, line: u64, text: &[u8]) {
        if self.tls_evidence.len() < KEPT {
            self.tls_evidence.push(Evidence { line, source: EvidenceSource::Tls, text: text.into() });
        }
    }

    /// Keeps a refusal until the session's end. Output: it back if there is no room.
    pub(crate) fn add_refusal(&mut self, refusal: Refusal) -> Option<Refusal> {
        if self.refusals.len() >= KEPT {
            return Some(refusal);
        }
        self.refusals.push(refusal);
        None
    }
}

fn evidence(line: u64, trouble: &BackendTrouble<'_>) -> Evidence {
    let source = match trouble {
        BackendTrouble::Connect { .. } => EvidenceSource::Connect,
        BackendTrouble::Protocol(_) => EvidenceSource::Protocol,
        BackendTrouble::Cyrus(_) => EvidenceSource::Cyrus,
        BackendTrouble::Library(_) => EvidenceSource::Library,
    };
    Evidence { line, source, text: trouble.words().into() }
}
