//! A finding: what a person should know now, with who, since when, how sure, the lines that prove it, what to do and what not
//! to do.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Detector;
use super::thresholds::Thresholds;
use crate::cause::Cause;

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// What a finding is about; the gravest first.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Kind { $($(#[$doc])* $variant,)* }

        impl Kind {
            /// Every kind, the gravest first.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name in JSON, in queries and of its page in the manual.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

kinds! {
    /// The SASL backend is or was at fault, or nobody's password was taken.
    BackendOutage = "backend_outage",
    /// A login that was guessed or stolen, as far as its traces tell.
    AccountTakeover = "account_takeover",
    /// Many sources, one or many accounts, however slow.
    DistributedAttack = "distributed_attack",
    /// One source, many tries.
    Guessing = "guessing",
    /// One source, many names, few tries each.
    Spraying = "spraying",
    /// A device with an old password.
    StaleClient = "stale_client",
    /// Several people behind one address.
    SharedOffice = "shared_office",
    /// A client that wants a mechanism we do not offer.
    MechanismMismatch = "mechanism_mismatch",
    /// Logins without TLS where TLS is demanded.
    TlsBeforeAuth = "tls_before_auth",
    /// Mail users on the wrong port, or who never log in.
    WrongPortOrNotLoggedIn = "wrong_port_or_not_logged_in",
    /// Refused to relay though logged in.
    RelayDeniedWhileLoggedIn = "relay_denied_while_logged_in",
    /// A proxy or gateway stands before the clients.
    HiddenSource = "hidden_source",
    /// Credentials stand in the log.
    SecretsInLog = "secrets_in_log",
    /// fail2ban does not see what this log shows.
    Fail2banBlind = "fail2ban_blind",
    /// A setting that makes logins impossible.
    ConfigFault = "config_fault",
    /// Lines are missing from the log, so counts are "at least".
    LogLoss = "log_loss",
}

/// A line that proves something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// The caller's number for its source.
    pub source: usize,
    /// Its number there, from 1.
    pub number: u64,
    /// The line, secrets redacted. Written by strangers: escape it.
    pub text: Arc<str>,
}

impl Proof {
    /// The source of lines that were read in an earlier run: which file it was is not known any more.
    pub const EARLIER: usize = usize::MAX;
}

/// A message of an account that may have been taken over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentThen {
    /// When it was accepted, microseconds.
    pub time: i64,
    /// Its first queue id.
    pub queue_id: Box<[u8]>,
    /// Recipients.
    pub recipients: u32,
    /// Of these: delivered.
    pub sent: u32,
    /// Of these: returned.
    pub bounced: u32,
}

/// The figures that decided a finding.
#[derive(Clone, Debug, Default)]
pub struct Decided {
    names: &'static [&'static str],
    thresholds: Arc<Thresholds>,
}

impl Decided {
    /// Names and figures.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u32)> {
        self.names.iter().map(|name| (*name, self.thresholds.get(name)))
    }
}

/// What a person should know.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Stable name: the subject and what is said of it. The same in every run, and while the finding grows.
    pub id: String,
    /// What it is about.
    pub kind: Kind,
    /// 0 to 1.
    pub confidence: f32,
    /// First and last time, microseconds since 1970 UTC.
    pub from: i64,
    /// See `from`.
    pub to: i64,
    /// Addresses concerned.
    pub clients: Vec<IpAddr>,
    /// Accounts concerned.
    pub accounts: Vec<Arc<[u8]>>,
    /// Numbers that matter.
    pub counts: Vec<(&'static str, u64)>,
    /// One sentence. Holds no text of the log's but addresses.
    pub summary: String,
    /// Banning `clients` is advised.
    pub ban: bool,
    /// Lines were lost meanwhile: the counts are "at least".
    pub at_least: bool,
    /// The figures that decided it.
    pub decided_by: Decided,
    /// Messages sent, of an account that may have been taken over.
    pub messages: Vec<SentThen>,
    /// Lines that prove it.
    pub evidence: Vec<Proof>,
    /// What to do next.
    pub next: Vec<Cow<'static, str>>,
    /// What not to do.
    pub avoid: Vec<Cow<'static, str>>,
}

impl Finding {
    /// How sure what may as well be something else is: it explains nothing else away.
    pub(crate) const NO_MORE_THAN_POSSIBLE: f32 = 0.5;

    /// One without anything but its name, its kind and its time.
    pub(crate) fn new(kind: Kind, id: String, (from, to): (i64, i64)) -> Self {
        Self {
            id,
            kind,
            confidence: 0.0,
            from,
            to,
            clients: Vec::new(),
            accounts: Vec::new(),
            counts: Vec::new(),
            summary: String::new(),
            ban: false,
            at_least: false,
            decided_by: Decided::default(),
            messages: Vec::new(),
            evidence: Vec::new(),
            next: Vec::new(),
            avoid: Vec::new(),
        }
    }

    /// Names the figures that decided it.
    pub(crate) fn decided(mut self, detector: &Detector, names: &'static [&'static str]) -> Self {
        self.decided_by = Decided { names, thresholds: detector.settings.thresholds.clone() };
        self
    }

    /// Says what to do, and what not to do.
    pub(crate) fn advise(mut self, next: &[&'static str], avoid: &[&'static str]) -> Self {
        self.next = next.iter().map(|line| Cow::Borrowed(*line)).collect();
        self.avoid = avoid.iter().map(|line| Cow::Borrowed(*line)).collect();
        self
    }

    /// Takes the next steps from a cause.
    pub(crate) fn steps_of(mut self, cause: Option<&'static Cause>) -> Self {
        self.next = cause
            .map(|cause| cause.next.iter().map(|check| Cow::Owned(check.to_string())).collect())
            .unwrap_or_default();
        self
    }
}

/// `3 logins failed`, `1 login failed`.
pub(crate) fn plural(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// A moment as it stands in names of findings.
pub(crate) fn stamp(micros: i64) -> String {
    // Seconds since 1970 in hexadecimal: short, sortable, the same in every zone.
    format!("{:x}", micros.div_euclid(1_000_000))
}

/// The same in every run: names findings about accounts without showing the name.
pub(crate) fn hash_of(text: &[u8]) -> String {
    use std::hash::BuildHasher as _;
    format!("{:016x}", foldhash::fast::FixedState::default().hash_one(text.to_ascii_lowercase()))
}
