//! Everything counted, by CONTRACT's rules: classes, causes, clients, accounts, who got in later, and what they sent.
//!
//! Counts are exact. Tables are bounded: beyond a bound further clients or names are counted in the totals only, and
//! [`Tally::beyond`] says how many outcomes that concerns.

mod account;
mod by_name;
mod client;
mod counts;
mod facts;
mod mailboxes;
mod pairs;
mod proof;
mod recovered;
mod refused;
mod timeline;

use std::collections::BTreeMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;

use foldhash::HashMapExt as _;
use trace::{Attempt, AttemptKind, Login, Map, Refusal, Sink, Story, Where};

pub use self::account::{AccountTally, Accounts};
pub use self::by_name::ByName;
pub use self::client::ClientTally;
pub use self::counts::Counts;
use self::counts::is_failure;
pub use self::mailboxes::Mailboxes;
use self::pairs::{Pair, Pairs, Seen};
use self::proof::Proofs;
pub use self::recovered::{Recovered, SentMessage};
use self::refused::add_refused;
pub use self::refused::{Refused, RelayWhy};
pub use self::timeline::Timeline;
use crate::class::Class;
use crate::detect::{Detector, Finding};
use crate::diagnosis::{Diagnoser, Diagnosis};
use crate::verdict::{Verdict, Verdicts};

/// Clients with a row of their own at most.
const CLIENTS: usize = 100_000;
/// Accounts told apart per client at most.
const PER_ROW: usize = 20_000;
/// Messages listed per recovered login at most; all are counted.
const MESSAGES_LISTED: usize = 1_000;
/// Messages of these whose recipients are listed, and recipients of each, at most.
const WITH_RECIPIENTS: usize = 5;
const RECIPIENTS_LISTED: usize = 5;
/// Mechanisms told apart at most; further ones are counted as [`OTHER_MECHANISMS`].
const MECHANISMS: usize = 1_000;
const OTHER_MECHANISMS: &[u8] = b"(OTHER)";
/// Postfix cuts what a client calls a mechanism at so many bytes (`smtpd_sasl_glue.c`).
const MECHANISM_BYTES: usize = 100;

/// The counts of a log.
#[derive(Default)]
pub struct Tally {
    /// By class.
    pub classes: BTreeMap<Class, u64>,
    /// Sessions that died for want of a SASL backend.
    pub sessions_killed: u64,
    /// Causes of counted failures, silent refusals, policy, limit and TLS lines.
    pub causes: ByName<&'static str>,
    /// Causes of attempts that nobody refused: given up, cut off, too long.
    pub client_causes: ByName<&'static str>,
    /// Causes of killed sessions.
    pub killed_causes: ByName<&'static str>,
    /// Mechanisms of failure lines, upper case.
    pub mechanisms: ByName<Box<[u8]>>,
    /// Services of failure lines.
    pub services: ByName<Box<[u8]>>,
    /// Failures over time.
    pub timeline: Timeline,
    /// By client. Boxed: a table that grows moves its rows.
    pub clients: Map<IpAddr, Box<ClientTally>>,
    /// Their addresses, by number.
    addresses: Vec<IpAddr>,
    /// By account.
    pub accounts: Accounts,
    pairs: Pairs,
    /// Logins after failures, in order.
    pub recovered: Vec<Recovered>,
    /// Relay refusals by client and case.
    pub relay_denied: BTreeMap<(Option<IpAddr>, RelayWhy), Refused>,
    /// Refused for want of a login, by client.
    pub not_logged_in: BTreeMap<Option<IpAddr>, Refused>,
    /// Watches all of it, and tells what a person should know.
    pub detector: Detector,
    /// What it found; filled by [`Tally::settle`].
    pub findings: Vec<Finding>,
    verdicts: Verdicts,
    /// Logins to mailboxes: of no count here.
    pub mailboxes: Mailboxes,
    /// Failures without a known name.
    pub unnamed_failures: u64,
    /// Outcomes of clients and names beyond the tables' bounds.
    pub beyond: u64,
    /// Outcomes go to the detector alone: nothing is counted.
    findings_only: bool,
    /// Gives the causes.
    pub diagnoser: Diagnoser,
    proofs: Proofs,
}

impl Tally {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self { clients: Map::new(), ..Self::default() }
    }

    /// One that counts nothing and only watches: for whoever wants no more than findings.
    #[must_use]
    pub fn of_findings_only(detector: Detector) -> Self {
        Self { findings_only: true, detector, ..Self::default() }
    }

    /// Remembers a line for a moment, in case an outcome makes it evidence: its id (as the tracer gets it), where it
    /// stands, its bytes and its message.
    pub fn remember(&mut self, id: u64, source: usize, number: u64, line: &[u8], message: &[u8]) {
        self.proofs.remember(id, source, number, line, message);
    }

    /// Counts a line by its class alone: deliveries and the like, which are no outcome of a session.
    pub fn count_line(&mut self, class: Class, count: u64) {
        *self.classes.entry(class).or_default() += count;
    }

    /// Counts what a client did wrong before any login, by a line that is no outcome of a session.
    pub fn count_client_cause(&mut self, diagnosis: &Diagnosis, count: u64) {
        if let Some(cause) = diagnosis.cause {
            self.client_causes.add(cause.id, count, || cause.id);
        }
    }

    /// Notes a line that holds credentials.
    pub fn secret(&mut self, time: i64, line: u64) {
        let proofs = &self.proofs;
        self.detector.secret(time, line, |line| proofs.line(line));
    }

    /// The log is over: a login that only the counters tell of is dropped where the client's next one names the account, and
    /// clients and accounts get their verdicts.
    pub fn settle(&mut self) {
        self.pairs.settle();
        self.findings = self.detector.findings();
        self.verdicts = Verdicts::of(&self.findings);
        self.tidy();
    }

    /// The same, where the findings are known: those of more lines than were counted here.
    pub fn settle_by(&mut self, findings: &[Finding]) {
        self.pairs.settle();
        self.verdicts = Verdicts::of(findings);
        self.tidy();
    }

    fn tidy(&mut self) {
        let named: std::collections::HashSet<IpAddr> =
            self.recovered.iter().filter(|row| row.username.is_some()).map(|row| row.client_ip).collect();
        self.recovered.retain(|row| row.username.is_some() || !named.contains(&row.client_ip));
        for row in &mut self.recovered {
            row.messages.sort_by_key(|message| (message.time, message.line));
        }
    }

    /// The word for a client, once the log is over.
    #[must_use]
    pub fn client_verdict(&self, ip: IpAddr, client: &ClientTally) -> Verdict {
        self.verdicts.client(ip, client)
    }

    /// The word for an account, once the log is over.
    #[must_use]
    pub fn account_verdict(&self, account: &AccountTally) -> Verdict {
        let failing = self.failing(account).map(|(ip, _)| {
            let client = self.clients.get(&ip)?;
            Some((self.client_verdict(ip, client), client.usernames()))
        });
        self.verdicts.account(account, failing)
    }

    /// Addresses that failed with an account, most failures first.
    #[must_use]
    pub fn failing_clients(&self, account: &AccountTally) -> Vec<IpAddr> {
        let mut failing: Vec<(IpAddr, u32)> = self.failing(account).collect();
        failing.sort_unstable_by_key(|(ip, tried)| (std::cmp::Reverse(*tried), *ip));
        failing.into_iter().map(|(ip, _)| ip).collect()
    }

    /// Addresses that tried an account, successfully or not, in order.
    #[must_use]
    pub fn clients_of(&self, account: &AccountTally) -> Vec<IpAddr> {
        let mut all: Vec<IpAddr> = self.seen_with(account).map(|(ip, _)| ip).collect();
        all.sort_unstable();
        all
    }

    fn failing(&self, account: &AccountTally) -> impl Iterator<Item = (IpAddr, u32)> {
        self.seen_with(account).map(|(ip, seen)| (ip, seen.tried())).filter(|(_, tried)| *tried > 0)
    }

    fn seen_with(&self, account: &AccountTally) -> impl Iterator<Item = (IpAddr, Seen)> {
        let clients = self.pairs.of_account(account.key);
        clients.filter_map(|(number, seen)| Some((*self.addresses.get(number as usize)?, seen)))
    }

    /// How often a class was counted.
    #[must_use]
    pub fn class(&self, class: Class) -> u64 {
        self.classes.get(&class).copied().unwrap_or_default()
    }

    /// Counts an attempt whose cause is known.
    pub fn diagnosed(&mut self, attempt: &Attempt, diagnosis: &Diagnosis) {
        let proofs = &self.proofs;
        self.detector.failed(&facts::failed(attempt, diagnosis), |line| proofs.line(line));
        if self.findings_only {
            return;
        }
        let count = u64::from(attempt.count);
        if attempt.kind == AttemptKind::Killed {
            self.sessions_killed += count;
            self.killed_causes.add(diagnosis.id(), count, || diagnosis.id());
        } else if let Some(cause) = diagnosis.cause {
            let given_up =
                matches!(attempt.kind, AttemptKind::Aborted | AttemptKind::Unanswered | AttemptKind::TooLong);
            let causes = if given_up { &mut self.client_causes } else { &mut self.causes };
            causes.add(cause.id, count, || cause.id);
        }
        if let Some(class) = diagnosis.class {
            self.count_line(class, count);
        }
        if attempt.kind == AttemptKind::Failed {
            self.mechanism(&attempt.mechanism, count);
            let service = service_name(&attempt.at.tag);
            self.services.add(service, count, || service.into());
        }
        if is_failure(diagnosis.class) {
            self.timeline.add(attempt.at.time, attempt.count);
            self.unnamed_failures +=
                if attempt.username.is_none() && attempt.kind == AttemptKind::Failed { count } else { 0 };
        }
        let name = attempt.username.as_deref().map(|name| self.accounts.key(name));
        let seen = self.client_attempt(attempt, diagnosis, name);
        self.account_attempt(attempt, diagnosis, name, seen);
    }

    /// Clients choose what they call a mechanism: a bounded number of names is told apart.
    fn mechanism(&mut self, mechanism: &[u8], count: u64) {
        let mut name = [0; MECHANISM_BYTES];
        let name = name.get_mut(..mechanism.len().min(MECHANISM_BYTES)).unwrap_or_default();
        name.copy_from_slice(mechanism.get(..name.len()).unwrap_or_default());
        name.make_ascii_uppercase();
        let known = self.mechanisms.len() < MECHANISMS || self.mechanisms.has::<[u8]>(name);
        let name = if known { name } else { OTHER_MECHANISMS };
        self.mechanisms.add(name, count, || (*name).into());
    }

    /// Counts a refusal whose cause is known.
    pub fn refused(&mut self, refusal: &Refusal, diagnosis: &Diagnosis) {
        // Not counted, as no counter or message proves it; but whoever is refused as somebody has got in.
        if let Some(login) = facts::shown(refusal) {
            let proofs = &self.proofs;
            self.detector.logged_in(&login, |line| proofs.line(line));
        }
        let Some(class) = diagnosis.class else { return };
        if let Some(away) = facts::turned_away(refusal, class) {
            let proofs = &self.proofs;
            self.detector.turned_away(&away, |line| proofs.line(line));
        }
        if self.findings_only {
            return;
        }
        let count = u64::from(refusal.count);
        self.count_line(class, count);
        if let Some(cause) = diagnosis.cause {
            self.causes.add(cause.id, count, || cause.id);
        }
        let ip = refusal.at.client_ip;
        if let Some(client) = ip.and_then(|ip| self.clients.get_mut(&ip)) {
            match class {
                Class::RelayDenied => client.relay_denied = client.relay_denied.saturating_add(refusal.count),
                Class::NotLoggedIn => client.not_logged_in = client.not_logged_in.saturating_add(refusal.count),
                _ => {}
            }
        }
        let proof = if matches!(class, Class::RelayDenied | Class::NotLoggedIn) {
            self.proofs.proof(refusal.at.line)
        } else {
            None
        };
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

    /// Output: what was known of the client and the name before, and what is now.
    fn client_attempt(
        &mut self,
        attempt: &Attempt,
        diagnosis: &Diagnosis,
        name: Option<u64>,
    ) -> Option<(Option<Seen>, Seen)> {
        let ip = attempt.at.client_ip?;
        let Some(client) = client(&mut self.clients, &mut self.addresses, ip) else {
            self.beyond += 1;
            return None;
        };
        client.seen(&attempt.at);
        if attempt.kind == AttemptKind::Killed {
            client.counts.sessions_killed = client.counts.sessions_killed.saturating_add(attempt.count);
        }
        let class = diagnosis.class?;
        client.counts.add(class, attempt.count);
        if diagnosis.id() == "client.mechanism_unsupported" {
            client.mechanism_refused = client.mechanism_refused.saturating_add(attempt.count);
        }
        let failed = is_failure(Some(class));
        if failed {
            client.failed(attempt.at.time, attempt.count);
        }
        let Some(account) = name else {
            let unnamed = if failed { attempt.count } else { 0 };
            client.unnamed_failures = client.unnamed_failures.saturating_add(unnamed);
            return None;
        };
        let seen = self.pairs.note(Pair { account, client: client.number }, |seen| {
            if failed {
                seen.failed = seen.failed.saturating_add(attempt.count);
            } else {
                seen.given_up = seen.given_up.saturating_add(few(attempt.count));
            }
        });
        match seen {
            Some((before, _)) => client.usernames += u32::from(failed && before.is_none_or(|seen| seen.failed == 0)),
            None => self.beyond += 1,
        }
        seen
    }

    fn account_attempt(
        &mut self,
        attempt: &Attempt,
        diagnosis: &Diagnosis,
        key: Option<u64>,
        seen: Option<(Option<Seen>, Seen)>,
    ) {
        let (Some(name), Some(key), Some(class)) = (attempt.username.as_deref(), key, diagnosis.class) else { return };
        let Some(account) = self.accounts.row(key, name, attempt.at.time) else {
            self.beyond += 1;
            return;
        };
        account.counts.add(class, attempt.count);
        if is_failure(Some(class)) && account.first_failure == 0 {
            account.first_failure = attempt.at.time;
        }
        account.timeline.add(attempt.at.time, attempt.count);
        if let Some((before, now)) = seen {
            account.seen_with(before, now);
        }
    }

    /// Counts a login of a client. Output: what was known of it and the account before, and what is now; `None` if nothing is kept of them.
    fn client_login(&mut self, ip: IpAddr, login: &Login, account: Option<u64>) -> Option<(Option<Seen>, Seen)> {
        let Some(client) = client(&mut self.clients, &mut self.addresses, ip) else {
            self.beyond += 1;
            return None;
        };
        client.seen(&login.at);
        client.counts.add(Class::AuthOk, login.count);
        client.last_ok = login.at.time;
        let pair = Pair { account: account?, client: client.number };
        let seen = self.pairs.note(pair, |seen| seen.ok = seen.ok.saturating_add(few(login.count)));
        self.beyond += u64::from(seen.is_none());
        // The first login of the account from here, as far as is known.
        if let Some(name) = &login.username
            && seen.is_none_or(|(before, _)| before.is_none_or(|before| before.ok == 0))
            && client.ok_accounts().len() < PER_ROW
            && !client.ok_accounts().iter().any(|known| known.eq_ignore_ascii_case(name))
        {
            client.logins_mut().accounts.push(name.clone());
        }
        seen
    }

    /// Counts a login of an account.
    fn account_login(&mut self, login: &Login, key: Option<u64>, seen: Option<(Option<Seen>, Seen)>) {
        let (Some(name), Some(key)) = (login.username.as_deref(), key) else { return };
        let Some(account) = self.accounts.row(key, name, login.at.time) else {
            self.beyond += 1;
            return;
        };
        account.counts.add(Class::AuthOk, login.count);
        account.last_ok = account.last_ok.max(login.at.time);
        if let Some((before, now)) = seen {
            account.seen_with(before, now);
        }
    }

    /// A success after failures of the same client: told once for each account.
    fn recover(&mut self, ip: IpAddr, login: &Login, name: Option<u64>) {
        let index = self.recovered.len();
        // Nearly all logins come from clients that never failed.
        let Some(client) = self.clients.get_mut(&ip) else { return };
        let failures = client.counts.failures();
        let Some(first_failure) = client.first_failure().filter(|_| failures > 0) else { return };
        if client.recovered(name).is_some() {
            return;
        }
        client.logins_mut().recovered.push((name, index));
        let same_user = name.and_then(|account| self.pairs.get(Pair { account, client: client.number }));
        self.recovered.push(Recovered {
            client_ip: ip,
            username: login.username.clone(),
            failures,
            failures_same_user: same_user.map_or(0, |seen| u64::from(seen.failed)) + u64::from(client.unnamed_failures),
            first_failure,
            succeeded: login.at.time,
            messages_total: 0,
            messages: Vec::new(),
        });
    }

    /// A message that had been counted as accepted, and was not.
    fn not_accepted(&mut self, at: &Where, username: Option<&[u8]>) {
        if self.findings_only {
            return;
        }
        if let Some(client) = at.client_ip.and_then(|ip| self.clients.get_mut(&ip)) {
            client.messages = client.messages.saturating_sub(1);
        }
        let Some(username) = username else { return };
        let key = self.accounts.key(username);
        if let Some(account) = self.accounts.row(key, username, at.time) {
            account.messages = account.messages.saturating_sub(1);
        }
    }

    /// The recovered login a message belongs to.
    fn recovered_row(&mut self, at: &Where, username: Option<&[u8]>) -> Option<&mut Recovered> {
        if self.recovered.is_empty() {
            return None;
        }
        let name = username.map(|name| self.accounts.key(name));
        let client = self.clients.get(&at.client_ip?)?;
        let index = client.recovered(name)?;
        self.recovered.get_mut(index).filter(|row| at.time >= row.succeeded)
    }
}

impl Sink for Tally {
    fn attempt(&mut self, attempt: &Attempt) {
        let diagnosis = self.diagnoser.attempt(attempt);
        self.diagnosed(attempt, &diagnosis);
    }

    fn login(&mut self, login: &Login) {
        let count = u64::from(login.count);
        let proofs = &self.proofs;
        self.detector.logged_in(&facts::logged_in(login), |line| proofs.line(line));
        let other_form = self.diagnoser.logged_in(login);
        if self.findings_only {
            return;
        }
        if other_form > 0 {
            self.causes.move_to(&"cred.unknown_user", "cred.realm_missing", other_form);
        }
        self.count_line(Class::AuthOk, count);
        let name = login.username.as_deref().map(|name| self.accounts.key(name));
        let ip = login.at.client_ip;
        if let Some(ip) = ip.filter(|_| !login.further) {
            self.recover(ip, login, name);
        }
        let seen = ip.and_then(|ip| self.client_login(ip, login, name));
        self.account_login(login, name, seen);
    }

    fn refusal(&mut self, refusal: &Refusal) {
        let diagnosis = crate::diagnosis::refusal(refusal);
        self.refused(refusal, &diagnosis);
    }

    fn message_accepted(&mut self, at: &Where, username: &[u8], _queue_id: Option<&[u8]>) {
        self.detector.accepted(at.time, at.client_ip, username);
        if self.findings_only {
            return;
        }
        if let Some(client) = at.client_ip.and_then(|ip| self.clients.get_mut(&ip)) {
            client.messages = client.messages.saturating_add(1);
        }
        let key = self.accounts.key(username);
        if let Some(account) = self.accounts.row(key, username, at.time) {
            account.messages = account.messages.saturating_add(1);
        }
    }

    fn came_in(&mut self, _time: i64, client: Option<IpAddr>, count: u32) {
        if let Some(client) = client {
            self.detector.came_in(client, count);
        }
    }

    fn story(&mut self, story: &Story) {
        let Some(at) = story.at() else { return };
        if !story.got_in() {
            return self.not_accepted(at, story.username());
        }
        if let Some(username) = story.username()
            && self.detector.wants_mail_of(username)
        {
            self.detector.mailed(&facts::mailed(story, at, username));
        }
        let Some(row) = self.recovered_row(at, story.username()) else { return };
        row.messages_total += 1;
        if row.messages.len() < MESSAGES_LISTED {
            let listed = if row.messages.len() < WITH_RECIPIENTS { RECIPIENTS_LISTED } else { 0 };
            row.messages.push(SentMessage::of(story, at, listed));
        }
    }
}

/// The row of a client; `None` when it is new and the table is full.
fn client<'t>(
    clients: &'t mut Map<IpAddr, Box<ClientTally>>,
    addresses: &mut Vec<IpAddr>,
    ip: IpAddr,
) -> Option<&'t mut ClientTally> {
    let number = clients.len();
    match clients.entry(ip) {
        Entry::Occupied(known) => Some(known.into_mut()),
        Entry::Vacant(_) if number >= CLIENTS => None,
        Entry::Vacant(new) => {
            addresses.push(ip);
            Some(new.insert(Box::new(ClientTally { number: u32::try_from(number).ok()?, ..ClientTally::default() })))
        }
    }
}

/// A count where a large one says no more than a small one.
fn few(count: u32) -> u16 {
    u16::try_from(count).unwrap_or(u16::MAX)
}

/// The service a tag names; a bare `postfix/smtpd` is `smtpd`.
fn service_name(tag: &[u8]) -> &[u8] {
    let tag = maillog::Tag(tag);
    tag.service().unwrap_or(tag.daemon())
}
