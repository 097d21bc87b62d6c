//! Everything counted, by CONTRACT's rules: classes, causes, clients, accounts, who got in later, and what they sent.
//!
//! Counts are exact. Tables are bounded: beyond a bound further clients or names are counted in the totals only, and
//! [`Tally::beyond`] says how many outcomes that concerns.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::rc::Rc;

use foldhash::HashMapExt as _;
use trace::{Attempt, AttemptKind, Fate, Login, Map, Refusal, Sink, Story, Where};

use crate::class::Class;
use crate::diagnosis::{Diagnoser, Diagnosis};

/// Clients with a row of their own at most.
const CLIENTS: usize = 100_000;
/// Accounts with a row of their own at most.
const ACCOUNTS: usize = 100_000;
/// Names told apart per client, and clients per account, at most.
const PER_ROW: usize = 20_000;
/// Messages listed per recovered login at most; all are counted.
const MESSAGES_LISTED: usize = 1_000;
/// Messages of these whose recipients are listed, and recipients of each, at most.
const WITH_RECIPIENTS: usize = 5;
const RECIPIENTS_LISTED: usize = 5;
/// Evidence lines kept per client, and in all.
const PROOFS_PER_ROW: usize = 3;
const PROOFS: usize = 5_000;
/// Lines remembered for a moment, in case one of them becomes evidence.
const RECENT_LINES: usize = 2_048;
/// Mechanisms told apart at most; further ones are counted as [`OTHER_MECHANISMS`].
const MECHANISMS: usize = 1_000;
const OTHER_MECHANISMS: &[u8] = b"(OTHER)";
/// Postfix cuts what a client calls a mechanism at so many bytes (`smtpd_sasl_glue.c`).
const MECHANISM_BYTES: usize = 100;
/// Rows of refused clients at most.
const REFUSED: usize = 20_000;
/// Backend faults further apart than this are two incidents, in microseconds.
const SAME_INCIDENT: i64 = 600 * 1_000_000;
/// Incidents kept at most.
const INCIDENTS: usize = 1_000;

/// A line that proves something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The caller's number for its source.
    pub source: usize,
    /// Its number there, from 1.
    pub number: u64,
    /// The line, secrets redacted. Written by strangers: escape it.
    pub text: String,
}

/// A line as it passes by, with its message a second time behind it: few lines ever become a proof, so secrets are looked for
/// only then.
struct Passing {
    id: u64,
    source: usize,
    number: u64,
    line_and_message: Vec<u8>,
    line_bytes: usize,
}

impl Passing {
    fn proof(&self) -> Proof {
        let (line, message) = self.line_and_message.split_at_checked(self.line_bytes).unwrap_or_default();
        let shown = maillog::redact_line(line, message);
        Proof { source: self.source, number: self.number, text: String::from_utf8_lossy(&shown).into_owned() }
    }
}

/// Logins and sessions by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Refused by a backend.
    pub auth_failed: u64,
    /// Not decided because the backend is broken.
    pub backend_fault: u64,
    /// Refused before a backend was asked.
    pub auth_refused: u64,
    /// Given up by the client.
    pub auth_aborted: u64,
    /// Succeeded.
    pub auth_ok: u64,
    /// Sessions that died for want of a backend.
    pub sessions_killed: u64,
    /// TLS handshakes that failed.
    pub tls_failed: u64,
    /// Limits exceeded.
    pub rate_limited: u64,
}

impl Counts {
    fn add(&mut self, class: Class, count: u64) {
        match class {
            Class::AuthFailed => self.auth_failed += count,
            Class::BackendFault => self.backend_fault += count,
            Class::AuthRefused => self.auth_refused += count,
            Class::AuthAborted => self.auth_aborted += count,
            Class::AuthOk => self.auth_ok += count,
            Class::TlsFailed => self.tls_failed += count,
            Class::RateLimited => self.rate_limited += count,
            _ => {}
        }
    }

    /// Logins that somebody or something refused. One that the client gave up itself is none.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.auth_failed + self.backend_fault + self.auth_refused
    }
}

/// How often something happened over time, in [`Timeline::BINS`] equal bins that widen as time goes on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Timeline {
    start: i64,
    width: i64,
    /// For the picture only: a bin that is full stays full.
    bins: [u16; Self::BINS],
}

impl Timeline {
    /// Number of bins.
    pub const BINS: usize = 24;
    const FIRST_WIDTH: i64 = 60 * 1_000_000;

    fn add(&mut self, time: i64, count: u32) {
        if self.width == 0 {
            self.width = Self::FIRST_WIDTH;
            self.start = time.div_euclid(self.width) * self.width;
        }
        let time = time.max(self.start);
        while (time - self.start) / self.width >= Self::BINS as i64 {
            self.widen();
        }
        let at = usize::try_from((time - self.start) / self.width).unwrap_or_default();
        if let Some(bin) = self.bins.get_mut(at) {
            *bin = bin.saturating_add(u16::try_from(count).unwrap_or(u16::MAX));
        }
    }

    fn widen(&mut self) {
        let old = self.bins;
        self.bins = [0; Self::BINS];
        for (at, count) in old.into_iter().enumerate() {
            if let Some(bin) = self.bins.get_mut(at / 2) {
                *bin = bin.saturating_add(count);
            }
        }
        self.width *= 2;
    }

    /// The counts spread over `columns` equal parts of `[from, to]` (microseconds); each bin goes where its middle lies.
    #[must_use]
    pub fn columns(&self, from: i64, to: i64, columns: usize) -> Vec<u64> {
        let mut spread = vec![0; columns];
        let span = (to - from).max(1);
        for (at, count) in self.bins.iter().enumerate().filter(|(_, count)| **count > 0) {
            let middle = self.start + self.width * at as i64 + self.width / 2;
            let column = i128::from((middle - from).clamp(0, span - 1)) * columns as i128 / i128::from(span);
            if let Some(cell) = usize::try_from(column).ok().and_then(|column| spread.get_mut(column)) {
                *cell += u64::from(*count);
            }
        }
        spread
    }
}

/// Spacing of failures: mean and spread of the gaps between them (Welford).
#[derive(Clone, Copy, Debug, Default)]
pub struct Cadence {
    gaps: u32,
    mean: f32,
    spread: f32,
    last: Option<i64>,
}

impl Cadence {
    fn add(&mut self, time: i64) {
        if let Some(last) = self.last.replace(time) {
            let gap = (time - last) as f32 / 1e6;
            // Tries of one burst are one visit: what matters is how often it comes back.
            if gap < 30.0 {
                return;
            }
            self.gaps += 1;
            let delta = gap - self.mean;
            self.mean += delta / self.gaps as f32;
            self.spread += delta * (gap - self.mean);
        }
    }

    /// The period in seconds, if failures come back regularly: at least four visits, spread under a quarter.
    #[must_use]
    pub fn period(&self) -> Option<f64> {
        let deviation = (self.spread / self.gaps.max(1) as f32).sqrt();
        (self.gaps >= 3 && self.mean > 0.0 && deviation / self.mean < 0.25).then_some(f64::from(self.mean))
    }
}

/// All that is known of one client address.
#[derive(Clone, Debug, Default)]
pub struct ClientTally {
    /// The verified name last seen.
    pub host: Option<Box<[u8]>>,
    /// Logins and sessions.
    pub counts: Counts,
    /// Times of the first and last of these, microseconds.
    pub first: i64,
    /// See `first`.
    pub last: i64,
    /// The first failure of any kind.
    pub first_failure: Option<i64>,
    /// The last one.
    pub last_failure: Option<i64>,
    /// The last success.
    pub last_ok: Option<i64>,
    /// Failures before the first success.
    pub failures_before_ok: u64,
    /// Messages accepted from its logins.
    pub messages: u64,
    /// Accounts that logged in from here, first spelling.
    pub ok_accounts: Vec<Box<[u8]>>,
    /// Failures that name nobody.
    pub unnamed_failures: u64,
    /// Failures for a mechanism that is not offered.
    pub mechanism_refused: u64,
    /// Messages refused for want of a login.
    pub not_logged_in: u64,
    /// Relaying refused.
    pub relay_denied: u64,
    /// Spacing of its failures.
    pub cadence: Cadence,
    /// Its failures over time.
    pub timeline: Timeline,
    /// The first lines about it.
    pub proofs: Vec<Rc<Proof>>,
    /// Failures by name (hashed, without case).
    names: Map<u64, u32>,
    /// Accounts whose first login after a failure has been told.
    recovered: Vec<(Option<u64>, usize)>,
}

impl ClientTally {
    /// Different names it failed with.
    #[must_use]
    pub fn usernames(&self) -> usize {
        self.names.len()
    }

    /// Most failures for one name.
    #[must_use]
    pub fn most_for_one_name(&self) -> u64 {
        self.names.values().copied().max().map_or(0, u64::from)
    }
}

/// All that is known of one login name.
#[derive(Clone, Debug, Default)]
pub struct AccountTally {
    /// The name as first spelled.
    pub username: Box<[u8]>,
    /// Logins.
    pub counts: Counts,
    /// Times of the first and last of these, microseconds.
    pub first: i64,
    /// See `first`.
    pub last: i64,
    /// Messages accepted from its logins.
    pub messages: u64,
    /// Its failures over time.
    pub timeline: Timeline,
    clients: Map<IpAddr, Seen>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    /// For the order of a list and for "ever": what is full stays full.
    failed: u16,
    ok: u16,
}

impl AccountTally {
    /// Different addresses that tried it, successfully or not.
    #[must_use]
    pub fn clients(&self) -> usize {
        self.clients.len()
    }

    /// Different addresses that failed with it and never succeeded.
    #[must_use]
    pub fn hostile_clients(&self) -> usize {
        self.clients.values().filter(|seen| seen.failed > 0 && seen.ok == 0).count()
    }

    /// Addresses it logged in from.
    #[must_use]
    pub fn good_clients(&self) -> Vec<IpAddr> {
        let mut good: Vec<IpAddr> = self.clients.iter().filter(|(_, seen)| seen.ok > 0).map(|(ip, _)| *ip).collect();
        good.sort_unstable();
        good
    }

    /// Addresses that failed with it, most failures first.
    #[must_use]
    pub fn failing_clients(&self) -> Vec<(IpAddr, u32)> {
        let mut failing: Vec<(IpAddr, u32)> = self
            .clients
            .iter()
            .filter(|(_, seen)| seen.failed > 0)
            .map(|(ip, seen)| (*ip, u32::from(seen.failed)))
            .collect();
        failing.sort_unstable_by_key(|(ip, failed)| (std::cmp::Reverse(*failed), *ip));
        failing
    }
}

/// A login after an earlier failure of the same client (CONTRACT rule 6).
#[derive(Clone, Debug)]
pub struct Recovered {
    /// The client.
    pub client_ip: IpAddr,
    /// The account; `None` where only the session's counters tell of the login.
    pub username: Option<Box<[u8]>>,
    /// All failures of that client before the login.
    pub failures: u64,
    /// Those of that name, or of no known name.
    pub failures_same_user: u64,
    /// The client's first failure.
    pub first_failure: i64,
    /// The login.
    pub succeeded: i64,
    /// Messages this client and account sent from then on.
    pub messages_total: u64,
    /// The first of them, with their fates.
    pub messages: Vec<SentMessage>,
}

/// A message and its recipients' fates.
#[derive(Clone, Debug)]
pub struct SentMessage {
    /// When it was accepted.
    pub time: i64,
    /// Its first queue id.
    pub queue_id: Box<[u8]>,
    /// Recipients seen.
    pub recipients: usize,
    /// Delivered.
    pub sent: usize,
    /// Still being tried.
    pub deferred: usize,
    /// Returned.
    pub bounced: usize,
    /// Returned after the last try.
    pub expired: usize,
    /// The first recipients with their fates.
    pub to: Box<[(Box<[u8]>, Fate)]>,
}

/// Which of the guide's three cases a relay refusal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RelayWhy {
    /// The session tried no login.
    NoLoginTried,
    /// A login failed in the session.
    LoginFailedBefore,
    /// The session was logged in: a rule refused it all the same.
    LoggedInButRefused,
}

impl RelayWhy {
    /// The name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NoLoginTried => "no_login_tried",
            Self::LoginFailedBefore => "login_failed_before",
            Self::LoggedInButRefused => "logged_in_but_refused",
        }
    }
}

/// Refusals of one kind for one client.
#[derive(Clone, Debug)]
pub struct Refused {
    /// How many.
    pub count: u64,
    /// The first and the last, microseconds.
    pub first: i64,
    /// See `first`.
    pub last: i64,
    /// The reply, of the first.
    pub reply: Box<[u8]>,
    /// Sender and recipient of the first.
    pub from: Option<Box<[u8]>>,
    /// See `from`.
    pub to: Option<Box<[u8]>>,
    /// The account, where it is known.
    pub username: Option<Box<[u8]>>,
    /// The program tag.
    pub tag: Box<[u8]>,
    /// The line.
    pub proof: Option<Rc<Proof>>,
}

/// A time in which the backend was at fault.
#[derive(Clone, Debug, Default)]
pub struct Incident {
    /// First and last fault, microseconds.
    pub from: i64,
    /// See `from`.
    pub to: i64,
    /// Failure lines.
    pub faults: u64,
    /// Sessions that died.
    pub killed: u64,
    /// Logins that succeeded in between.
    pub ok_during: u64,
    /// Clients hit.
    pub clients: Vec<IpAddr>,
    /// Causes with counts.
    pub causes: BTreeMap<&'static str, u64>,
    /// The first lines.
    pub proofs: Vec<Rc<Proof>>,
    ok_since: u64,
}

/// The counts of a log.
#[derive(Default)]
pub struct Tally {
    /// By class.
    pub classes: BTreeMap<Class, u64>,
    /// Sessions that died for want of a SASL backend.
    pub sessions_killed: u64,
    /// Causes of counted failures, silent refusals, policy, limit and TLS lines.
    pub causes: BTreeMap<&'static str, u64>,
    /// Causes of attempts that nobody refused: given up, cut off, too long.
    pub client_causes: BTreeMap<&'static str, u64>,
    /// Causes of killed sessions.
    pub killed_causes: BTreeMap<&'static str, u64>,
    /// Mechanisms of failure lines, upper case.
    pub mechanisms: BTreeMap<Box<[u8]>, u64>,
    /// Services of failure lines.
    pub services: BTreeMap<Box<[u8]>, u64>,
    /// Failures over time.
    pub timeline: Timeline,
    /// By client. Boxed: a table that grows moves its rows.
    pub clients: Map<IpAddr, Box<ClientTally>>,
    /// By account, keyed without case.
    pub accounts: Map<Box<[u8]>, AccountTally>,
    /// Logins after failures, in order.
    pub recovered: Vec<Recovered>,
    /// Relay refusals by client and case.
    pub relay_denied: BTreeMap<(Option<IpAddr>, RelayWhy), Refused>,
    /// Refused for want of a login, by client.
    pub not_logged_in: BTreeMap<Option<IpAddr>, Refused>,
    /// Times of backend trouble.
    pub incidents: Vec<Incident>,
    /// Lines of credentials in the log: how many, and the first of them (redacted).
    pub secrets: (u64, Vec<Rc<Proof>>),
    /// Failures without a known name.
    pub unnamed_failures: u64,
    /// Outcomes of clients and names beyond the tables' bounds.
    pub beyond: u64,
    /// Gives the causes.
    pub diagnoser: Diagnoser,
    recent: VecDeque<Passing>,
    proofs: usize,
    /// A name without case, for a look-up.
    lowered: Vec<u8>,
}

impl Tally {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self { clients: Map::new(), ..Self::default() }
    }

    /// Remembers a line for a moment, in case an outcome makes it evidence: its id (as the tracer gets it), where it
    /// stands, its bytes and its message.
    pub fn remember(&mut self, id: u64, source: usize, number: u64, line: &[u8], message: &[u8]) {
        // The oldest one's buffer serves the newest.
        let oldest = if self.recent.len() >= RECENT_LINES { self.recent.pop_front() } else { None };
        let mut buffer = oldest.map(|passing| passing.line_and_message).unwrap_or_default();
        buffer.clear();
        buffer.extend_from_slice(line);
        buffer.extend_from_slice(message);
        self.recent.push_back(Passing { id, source, number, line_and_message: buffer, line_bytes: line.len() });
    }

    /// Counts a line by its class alone: deliveries and the like, which are no outcome of a session.
    pub fn count_line(&mut self, class: Class, count: u64) {
        *self.classes.entry(class).or_default() += count;
    }

    /// Notes a line that holds credentials.
    pub fn secret(&mut self, line: u64) {
        self.secrets.0 += 1;
        if self.secrets.1.len() < PROOFS_PER_ROW
            && let Some(proof) = self.proof(line)
        {
            self.secrets.1.push(proof);
        }
    }

    /// The log is over: a login that only the counters tell of is dropped where the client's next one names the account.
    pub fn settle(&mut self) {
        let named: std::collections::HashSet<IpAddr> =
            self.recovered.iter().filter(|row| row.username.is_some()).map(|row| row.client_ip).collect();
        self.recovered.retain(|row| row.username.is_some() || !named.contains(&row.client_ip));
        for row in &mut self.recovered {
            row.messages.sort_by_key(|message| message.time);
        }
    }

    /// How often a class was counted.
    #[must_use]
    pub fn class(&self, class: Class) -> u64 {
        self.classes.get(&class).copied().unwrap_or_default()
    }

    /// Counts an attempt whose cause is known.
    pub fn diagnosed(&mut self, attempt: &Attempt, diagnosis: &Diagnosis) {
        let count = u64::from(attempt.count);
        if attempt.kind == AttemptKind::Killed {
            self.sessions_killed += count;
            *self.killed_causes.entry(diagnosis.id()).or_default() += count;
        } else if let Some(cause) = diagnosis.cause {
            let given_up =
                matches!(attempt.kind, AttemptKind::Aborted | AttemptKind::Unanswered | AttemptKind::TooLong);
            let causes = if given_up { &mut self.client_causes } else { &mut self.causes };
            *causes.entry(cause.id).or_default() += count;
        }
        if let Some(class) = diagnosis.class {
            self.count_line(class, count);
        }
        if attempt.kind == AttemptKind::Failed {
            self.mechanism(&attempt.mechanism, count);
            add_to(&mut self.services, service_name(&attempt.at.tag), count);
        }
        if is_failure(diagnosis.class) {
            self.timeline.add(attempt.at.time, attempt.count);
            self.unnamed_failures +=
                if attempt.username.is_none() && attempt.kind == AttemptKind::Failed { count } else { 0 };
        }
        self.incident(attempt, diagnosis);
        self.client_attempt(attempt, diagnosis);
        self.account_attempt(attempt, diagnosis);
    }

    /// Clients choose what they call a mechanism: a bounded number of names is told apart.
    fn mechanism(&mut self, mechanism: &[u8], count: u64) {
        let mut name = [0; MECHANISM_BYTES];
        let name = name.get_mut(..mechanism.len().min(MECHANISM_BYTES)).unwrap_or_default();
        name.copy_from_slice(mechanism.get(..name.len()).unwrap_or_default());
        name.make_ascii_uppercase();
        let known = self.mechanisms.len() < MECHANISMS || self.mechanisms.contains_key(&*name);
        add_to(&mut self.mechanisms, if known { name } else { OTHER_MECHANISMS }, count);
    }

    /// Counts a refusal whose cause is known.
    pub fn refused(&mut self, refusal: &Refusal, diagnosis: &Diagnosis) {
        let Some(class) = diagnosis.class else { return };
        let count = u64::from(refusal.count);
        self.count_line(class, count);
        if let Some(cause) = diagnosis.cause {
            *self.causes.entry(cause.id).or_default() += count;
        }
        let ip = refusal.at.client_ip;
        if let Some(client) = ip.and_then(|ip| self.clients.get_mut(&ip)) {
            match class {
                Class::RelayDenied => client.relay_denied += count,
                Class::NotLoggedIn => client.not_logged_in += count,
                _ => {}
            }
        }
        let proof =
            if matches!(class, Class::RelayDenied | Class::NotLoggedIn) { self.proof(refusal.at.line) } else { None };
        match class {
            Class::RelayDenied => {
                let why = match refusal {
                    r if r.logged_in => RelayWhy::LoggedInButRefused,
                    r if r.failed_logins > 0 => RelayWhy::LoginFailedBefore,
                    _ => RelayWhy::NoLoginTried,
                };
                add_refused(&mut self.relay_denied, (ip, why), refusal, proof);
            }
            Class::NotLoggedIn => add_refused(&mut self.not_logged_in, ip, refusal, proof),
            _ => {}
        }
    }

    fn client_attempt(&mut self, attempt: &Attempt, diagnosis: &Diagnosis) {
        let Some(ip) = attempt.at.client_ip else { return };
        let name = attempt.username.as_deref().map(|name| self.name_key(name));
        let wants_proof = self.clients.get(&ip).is_none_or(|c| c.proofs.len() < PROOFS_PER_ROW);
        let proof = if wants_proof { self.proof(attempt.at.line) } else { None };
        let Some(client) = row(&mut self.clients, ip, CLIENTS) else {
            self.beyond += 1;
            return;
        };
        let time = attempt.at.time;
        client.seen(&attempt.at);
        client.proofs.extend(proof);
        if attempt.kind == AttemptKind::Killed {
            client.counts.sessions_killed += u64::from(attempt.count);
        }
        let Some(class) = diagnosis.class else { return };
        client.counts.add(class, u64::from(attempt.count));
        if diagnosis.id() == "client.mechanism_unsupported" {
            client.mechanism_refused += u64::from(attempt.count);
        }
        if !is_failure(Some(class)) {
            return;
        }
        client.first_failure.get_or_insert(time);
        client.last_failure = Some(time);
        client.cadence.add(time);
        client.timeline.add(time, attempt.count);
        match name {
            Some(name) if client.names.len() < PER_ROW || client.names.contains_key(&name) => {
                *client.names.entry(name).or_default() += attempt.count
            }
            Some(_) => {}
            None => client.unnamed_failures += u64::from(attempt.count),
        }
    }

    fn account_attempt(&mut self, attempt: &Attempt, diagnosis: &Diagnosis) {
        let (Some(name), Some(class)) = (attempt.username.as_deref(), diagnosis.class) else { return };
        let Some(account) = account(&mut self.accounts, &mut self.lowered, name, attempt.at.time) else {
            self.beyond += 1;
            return;
        };
        account.counts.add(class, u64::from(attempt.count));
        account.timeline.add(attempt.at.time, attempt.count);
        if let Some(ip) = attempt.at.client_ip
            && let Some(seen) = row(&mut account.clients, ip, PER_ROW)
        {
            seen.failed = seen.failed.saturating_add(u16::try_from(attempt.count).unwrap_or(u16::MAX));
        }
    }

    /// Groups backend faults into incidents. A client that Dovecot makes wait is no incident of the backend's.
    fn incident(&mut self, attempt: &Attempt, diagnosis: &Diagnosis) {
        let at_fault = attempt.kind == AttemptKind::Killed || diagnosis.class == Some(Class::BackendFault);
        if !at_fault || diagnosis.id() == "backend.penalty" {
            return;
        }
        let time = attempt.at.time;
        let proof =
            if self.incidents.last().is_none_or(|i| time - i.to > SAME_INCIDENT || i.proofs.len() < PROOFS_PER_ROW) {
                self.proof_of(attempt)
            } else {
                None
            };
        if self.incidents.last().is_none_or(|last| time - last.to > SAME_INCIDENT) {
            if self.incidents.len() >= INCIDENTS {
                return;
            }
            self.incidents.push(Incident { from: time, to: time, ..Incident::default() });
        }
        let Some(incident) = self.incidents.last_mut() else { return };
        incident.to = incident.to.max(time);
        incident.ok_during += std::mem::take(&mut incident.ok_since);
        if attempt.kind == AttemptKind::Killed {
            incident.killed += u64::from(attempt.count);
        } else {
            incident.faults += u64::from(attempt.count);
        }
        *incident.causes.entry(diagnosis.id()).or_default() += u64::from(attempt.count);
        incident.proofs.extend(proof);
        if let Some(ip) = attempt.at.client_ip
            && incident.clients.len() < PER_ROW
            && !incident.clients.contains(&ip)
        {
            incident.clients.push(ip);
        }
    }

    /// The line that says most about a backend's fault: its own evidence before the failure line.
    fn proof_of(&mut self, attempt: &Attempt) -> Option<Rc<Proof>> {
        let own = attempt.evidence.first().map(|e| e.line);
        own.and_then(|line| self.proof(line)).or_else(|| self.proof(attempt.at.line))
    }

    fn proof(&mut self, line: u64) -> Option<Rc<Proof>> {
        if self.proofs >= PROOFS {
            return None;
        }
        let at = self.recent.binary_search_by_key(&line, |passing| passing.id).ok()?;
        let found = self.recent.get(at)?.proof();
        self.proofs += 1;
        Some(Rc::new(found))
    }

    fn name_key(&mut self, name: &[u8]) -> u64 {
        use std::hash::BuildHasher as _;
        self.accounts.hasher().hash_one(lowered(&mut self.lowered, name))
    }

    /// A success after failures of the same client: told once for each account.
    fn recover(&mut self, ip: IpAddr, login: &Login) {
        // Nearly all logins come from clients that never failed.
        if self.clients.get(&ip).is_none_or(|client| client.first_failure.is_none()) {
            return;
        }
        let name = login.username.as_deref().map(|name| self.name_key(name));
        let index = self.recovered.len();
        let Some(client) = self.clients.get_mut(&ip) else { return };
        let failures = client.counts.failures();
        let Some(first_failure) = client.first_failure.filter(|_| failures > 0) else { return };
        if client.recovered.iter().any(|(known, _)| *known == name) {
            return;
        }
        client.recovered.push((name, index));
        let same_user = name.and_then(|name| client.names.get(&name)).copied().unwrap_or_default();
        self.recovered.push(Recovered {
            client_ip: ip,
            username: login.username.clone(),
            failures,
            failures_same_user: u64::from(same_user) + client.unnamed_failures,
            first_failure,
            succeeded: login.at.time,
            messages_total: 0,
            messages: Vec::new(),
        });
    }

    /// The recovered login a message belongs to.
    fn recovered_row(&mut self, at: &Where, username: Option<&[u8]>) -> Option<&mut Recovered> {
        if self.recovered.is_empty() {
            return None;
        }
        let name = username.map(|name| self.name_key(name));
        let client = self.clients.get(&at.client_ip?)?;
        let index = client.recovered.iter().find(|(known, _)| *known == name)?.1;
        self.recovered.get_mut(index).filter(|row| at.time >= row.succeeded)
    }
}

impl ClientTally {
    fn seen(&mut self, at: &Where) {
        if self.first == 0 || at.time < self.first {
            self.first = at.time;
        }
        self.last = self.last.max(at.time);
        if self.host.is_none() {
            self.host.clone_from(&at.client_host);
        }
    }
}

impl Sink for Tally {
    fn attempt(&mut self, attempt: &Attempt) {
        let diagnosis = self.diagnoser.attempt(attempt);
        self.diagnosed(attempt, &diagnosis);
    }

    fn login(&mut self, login: &Login) {
        let count = u64::from(login.count);
        self.count_line(Class::AuthOk, count);
        if let Some(incident) = self.incidents.last_mut() {
            incident.ok_since += count;
        }
        if let Some(ip) = login.at.client_ip {
            if !login.further {
                self.recover(ip, login);
            }
            match row(&mut self.clients, ip, CLIENTS) {
                Some(client) => {
                    client.seen(&login.at);
                    if client.counts.auth_ok == 0 {
                        client.failures_before_ok = client.counts.failures();
                    }
                    client.counts.auth_ok += count;
                    client.last_ok = Some(login.at.time);
                    if let Some(name) = &login.username
                        && client.ok_accounts.len() < PER_ROW
                        && !client.ok_accounts.iter().any(|known| known.eq_ignore_ascii_case(name))
                    {
                        client.ok_accounts.push(name.clone());
                    }
                }
                None => self.beyond += 1,
            }
        }
        self.diagnoser.logged_in(login);
        let Some(name) = login.username.as_deref() else { return };
        if let Some(account) = account(&mut self.accounts, &mut self.lowered, name, login.at.time) {
            account.counts.auth_ok += count;
            if let Some(ip) = login.at.client_ip
                && let Some(seen) = row(&mut account.clients, ip, PER_ROW)
            {
                seen.ok = seen.ok.saturating_add(u16::try_from(login.count).unwrap_or(u16::MAX));
            }
        } else {
            self.beyond += 1;
        }
    }

    fn refusal(&mut self, refusal: &Refusal) {
        let diagnosis = crate::diagnosis::refusal(refusal);
        self.refused(refusal, &diagnosis);
    }

    fn message_accepted(&mut self, at: &Where, username: &[u8], _queue_id: Option<&[u8]>) {
        if let Some(client) = at.client_ip.and_then(|ip| self.clients.get_mut(&ip)) {
            client.messages += 1;
        }
        if let Some(account) = account(&mut self.accounts, &mut self.lowered, username, at.time) {
            account.messages += 1;
        }
    }

    fn story(&mut self, story: &Story) {
        let Some(at) = story.at() else { return };
        let Some(row) = self.recovered_row(at, story.username()) else { return };
        row.messages_total += 1;
        if row.messages.len() < MESSAGES_LISTED {
            let listed = if row.messages.len() < WITH_RECIPIENTS { RECIPIENTS_LISTED } else { 0 };
            row.messages.push(SentMessage::of(story, at.time, listed));
        }
    }
}

impl SentMessage {
    /// A mail's fates; of its recipients at most so many are listed.
    fn of(story: &Story, time: i64, listed: usize) -> Self {
        let fates = story.fates();
        let count = |wanted: &[Fate]| fates.iter().filter(|(_, fate)| wanted.contains(fate)).count();
        Self {
            time,
            queue_id: story.queue_id().into(),
            recipients: fates.len(),
            sent: count(&[Fate::Sent, Fate::HandedOn]),
            deferred: count(&[Fate::Deferred]),
            bounced: count(&[Fate::Bounced]),
            expired: count(&[Fate::Expired]),
            to: fates.iter().take(listed).map(|(to, fate)| (Box::from(*to), *fate)).collect(),
        }
    }
}

/// Whether a class is a login that was refused: see [`Counts::failures`].
fn is_failure(class: Option<Class>) -> bool {
    matches!(class, Some(Class::AuthFailed | Class::BackendFault | Class::AuthRefused))
}

/// A row of a bounded table; `None` when it is new and the table is full.
fn row<K: std::hash::Hash + Eq, V: Default>(table: &mut Map<K, V>, key: K, limit: usize) -> Option<&mut V> {
    if table.len() >= limit && !table.contains_key(&key) {
        return None;
    }
    Some(table.entry(key).or_default())
}

/// The name without case, in a buffer that is used again.
fn lowered<'b>(buffer: &'b mut Vec<u8>, name: &[u8]) -> &'b [u8] {
    buffer.clear();
    buffer.extend(name.iter().map(u8::to_ascii_lowercase));
    buffer
}

fn account<'a>(
    accounts: &'a mut Map<Box<[u8]>, AccountTally>,
    buffer: &mut Vec<u8>,
    name: &[u8],
    time: i64,
) -> Option<&'a mut AccountTally> {
    let key = lowered(buffer, name);
    if !accounts.contains_key(key) {
        if accounts.len() >= ACCOUNTS {
            return None;
        }
        let new = AccountTally { username: name.into(), first: time, last: time, ..AccountTally::default() };
        accounts.insert(key.into(), new);
    }
    let account = accounts.get_mut(key)?;
    account.first = account.first.min(time);
    account.last = account.last.max(time);
    Some(account)
}

fn add_refused<K: Ord>(table: &mut BTreeMap<K, Refused>, key: K, refusal: &Refusal, proof: Option<Rc<Proof>>) {
    if table.len() >= REFUSED && !table.contains_key(&key) {
        return;
    }
    let time = refusal.at.time;
    let new = || Refused {
        count: 0,
        first: time,
        last: time,
        reply: refusal.reply.clone(),
        from: refusal.from.clone(),
        to: refusal.to.clone(),
        username: refusal.username.clone(),
        tag: (*refusal.at.tag).into(),
        proof,
    };
    let row = table.entry(key).or_insert_with(new);
    row.count += u64::from(refusal.count);
    row.last = row.last.max(time);
}

/// The service a tag names; a bare `postfix/smtpd` is `smtpd`.
fn service_name(tag: &[u8]) -> &[u8] {
    let tag = maillog::Tag(tag);
    tag.service().unwrap_or(tag.daemon())
}

/// Adds to a count; its name is copied only the first time.
fn add_to(counts: &mut BTreeMap<Box<[u8]>, u64>, name: &[u8], count: u64) {
    match counts.get_mut(name) {
        Some(sum) => *sum += count,
        None => drop(counts.insert(name.into(), count)),
    }
}
