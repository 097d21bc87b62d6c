//! What a generated log contains, counted while it is written and never by reading it back.
//!
//! Input: one call for each event that a line (or a `disconnect` line's numbers) tells of. Output: [`Truth`]. How things are
//! counted follows the numbered rules of the project's contract ("How things are counted").

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use crate::log::Micros;
use crate::report::{Books, Leaving, Report};

/// Named counts.
pub type Counts = BTreeMap<String, u64>;

/// Everything that is known about a generated log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Truth {
    /// Lines as they stand in the file.
    pub lines: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// The first line's time, RFC 3339 in UTC with microseconds, as far as the stamps tell them.
    pub from: String,
    /// The latest time of any line.
    pub to: String,
    /// Logins by what became of them, and rejects: the classes that triage counts.
    pub classes: Counts,
    /// Sessions that died of `no SASL authentication mechanisms`.
    pub sessions_killed: u64,
    /// Causes that are certain from the text; triage may know more.
    pub causes: Counts,
    /// Failures `Connection lost to authentication server`; which `backend.*` cause each has is a matter of judgement.
    pub connection_lost_total: u64,
    /// SASL failure lines by mechanism, upper case.
    pub mechanisms: Counts,
    /// SASL failure lines by service.
    pub services: Counts,
    /// Silently refused tries by service, which no failure line tells of.
    pub services_silent: Counts,
    /// Per client address.
    pub clients: BTreeMap<String, Tally>,
    /// Per account, lower case.
    pub accounts: BTreeMap<String, Tally>,
    /// Sessions with at least one silently refused try.
    pub silent_sessions: u64,
    /// Who logged in after a failure, in order of address and account.
    pub recovered: Vec<Recovered>,
    /// Delivery lines by status; `expired` counts the queue manager's own lines.
    pub deliveries: Counts,
    /// Reject lines by kind.
    pub rejects: Counts,
    /// Messages that became active in a queue, each leg of a content filter's trip on its own.
    pub messages_queued: u64,
    /// `removed` lines of the queue manager.
    pub removed: u64,
    /// Lines that hold the text of a failure and are none.
    pub decoys: u64,
    /// Client-less lines that tell of a broken backend, and Cyrus SASL's detail lines.
    pub evidence_lines: u64,
    /// `message repeated` lines.
    pub repeat_lines: u64,
    /// What a report must show.
    #[serde(default)]
    pub report: Report,
}

/// Counts of one client or one account.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Logins that the backend refused.
    pub auth_failed: u64,
    /// Logins that a broken backend refused.
    pub backend_fault: u64,
    /// Tries that were refused without a line.
    pub auth_refused: u64,
    /// Tries that the client gave up.
    pub auth_aborted: u64,
    /// Logins that succeeded.
    pub auth_ok: u64,
    /// Messages accepted from its logins.
    pub messages: u64,
    /// Sessions that died with the backend.
    pub sessions_killed: u64,
}

/// A client and an account that logged in after an earlier failure of that client.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recovered {
    /// The client's address.
    pub client_ip: String,
    /// The account, lower case.
    pub username: String,
    /// The client's failures before the login.
    pub failures: u64,
    /// Those of this account or of no known one.
    pub failures_same_user: u64,
    /// Messages that this client and account sent from that login on.
    pub messages: u64,
}

/// One SASL failure line.
pub(crate) struct Failure<'a> {
    pub(crate) client_ip: Option<&'a str>,
    pub(crate) service: &'a str,
    pub(crate) mechanism: &'a str,
    /// The user as logged; `None` for `(unavailable)` and for releases that log none.
    pub(crate) username: Option<&'a str>,
    pub(crate) fault: bool,
    /// `None` where the text alone does not say.
    pub(crate) cause: Option<&'static str>,
}

/// What one client did so far.
#[derive(Default)]
struct History {
    tally: Tally,
    failures: u64,
    unnamed: u64,
    by_user: HashMap<String, u64>,
    rows: HashMap<String, Recovered>,
}

/// Keeps the books while the log is written.
#[derive(Default)]
pub(crate) struct Ledger {
    truth: Truth,
    classes: HashMap<&'static str, u64>,
    causes: HashMap<&'static str, u64>,
    deliveries: HashMap<&'static str, u64>,
    rejects: HashMap<&'static str, u64>,
    clients: HashMap<String, History>,
    accounts: HashMap<String, Tally>,
    books: Books,
}

impl Ledger {
    pub(crate) fn failure(&mut self, failure: &Failure<'_>) {
        self.class(if failure.fault { "backend_fault" } else { "auth_failed" }, 1);
        match failure.cause {
            Some(cause) => self.cause(cause, 1),
            None => self.truth.connection_lost_total += 1,
        }
        add(&mut self.truth.mechanisms, failure.mechanism.to_ascii_uppercase());
        add(&mut self.truth.services, failure.service.to_owned());
        let username = failure.username.map(str::to_lowercase);
        let tick = |tally: &mut Tally| {
            *(if failure.fault { &mut tally.backend_fault } else { &mut tally.auth_failed }) += 1;
        };
        if let Some(name) = &username {
            tick(self.accounts.entry(name.clone()).or_default());
        }
        if let Some(history) = self.history(failure.client_ip) {
            tick(&mut history.tally);
            history.failures += 1;
            match username {
                Some(name) => *history.by_user.entry(name).or_default() += 1,
                None => history.unnamed += 1,
            }
        }
    }

    /// Tries that only the numbers of a `disconnect` line tell of.
    pub(crate) fn refused(&mut self, client_ip: Option<&str>, service: &str, attempts: u64, cause: &'static str) {
        self.class("auth_refused", attempts);
        self.cause(cause, attempts);
        *self.truth.services_silent.entry(service.to_owned()).or_default() += attempts;
        self.truth.silent_sessions += 1;
        if let Some(history) = self.history(client_ip) {
            history.tally.auth_refused += attempts;
            history.failures += attempts;
            history.unnamed += attempts;
        }
    }

    /// A login that the client gave up, by an `aborted` line or by leaving.
    pub(crate) fn aborted(&mut self, client_ip: Option<&str>) {
        self.class("auth_aborted", 1);
        if let Some(history) = self.history(client_ip) {
            history.tally.auth_aborted += 1;
        }
    }

    /// A session that ends with a successful login.
    pub(crate) fn login(&mut self, client_ip: Option<&str>) {
        self.class("auth_ok", 1);
        if let Some(history) = self.history(client_ip) {
            history.tally.auth_ok += 1;
        }
    }

    /// A message accepted from a login; `first` of its session, which is where the log first names the account.
    pub(crate) fn accepted(&mut self, client_ip: Option<&str>, account: &str, first: bool) {
        let account = account.to_lowercase();
        let tally = self.accounts.entry(account.clone()).or_default();
        tally.messages += 1;
        tally.auth_ok += u64::from(first);
        let Some(history) = self.history(client_ip) else {
            return;
        };
        history.tally.messages += 1;
        if history.failures > 0 && first && !history.rows.contains_key(&account) {
            let same = history.unnamed + history.by_user.get(&account).copied().unwrap_or(0);
            let row = Recovered {
                client_ip: client_ip.unwrap_or_default().to_owned(),
                username: account.clone(),
                failures: history.failures,
                failures_same_user: same,
                messages: 0,
            };
            history.rows.insert(account.clone(), row);
        }
        if let Some(row) = history.rows.get_mut(&account) {
            row.messages += 1;
        }
    }

    pub(crate) fn killed(&mut self, client_ip: Option<&str>) {
        self.truth.sessions_killed += 1;
        if let Some(history) = self.history(client_ip) {
            history.tally.sessions_killed += 1;
        }
    }

    pub(crate) fn class(&mut self, class: &'static str, n: u64) {
        *self.classes.entry(class).or_default() += n;
    }

    pub(crate) fn cause(&mut self, cause: &'static str, n: u64) {
        *self.causes.entry(cause).or_default() += n;
    }

    /// A delivery line. The delay is in hundredths of a second, as shown.
    pub(crate) fn delivery(&mut self, status: &'static str, to: &str, relay: &str, delay: u64) {
        *self.deliveries.entry(status).or_default() += 1;
        self.books.delivery(status, to, relay, delay);
    }

    /// The queue manager's line about a message that is too old.
    pub(crate) fn expired(&mut self) {
        *self.deliveries.entry("expired").or_default() += 1;
        self.books.expired();
    }

    /// A reject line: its kind, which also decides its class.
    pub(crate) fn reject(&mut self, kind: &'static str) {
        *self.rejects.entry(kind).or_default() += 1;
        match kind {
            "relay_denied" => self.policy("relay_denied", "policy.relay_denied"),
            "not_logged_in" => self.policy("not_logged_in", "policy.not_authenticated"),
            "sender_mismatch" => self.policy("sender_mismatch", "policy.sender_login_mismatch"),
            _ => self.class("other_reject", 1),
        }
    }

    fn policy(&mut self, class: &'static str, cause: &'static str) {
        self.class(class, 1);
        self.cause(cause, 1);
    }

    /// A message became active for the first time.
    pub(crate) fn queued(&mut self, at: Micros, size: u64) {
        self.truth.messages_queued += 1;
        self.books.queued(at, size);
    }

    pub(crate) fn removed(&mut self) {
        self.truth.removed += 1;
        self.books.removed();
    }

    /// Nothing more will be said of a message; with the last status of each recipient that was tried.
    pub(crate) fn leave(&mut self, how: Leaving, active: bool, last: impl Iterator<Item = &'static str>) {
        self.books.leave(how, active, last);
    }

    /// What only a report counts.
    pub(crate) fn books(&mut self) -> &mut Books {
        &mut self.books
    }

    pub(crate) fn decoy(&mut self) {
        self.truth.decoys += 1;
    }

    pub(crate) fn evidence(&mut self) {
        self.truth.evidence_lines += 1;
    }

    fn history(&mut self, client_ip: Option<&str>) -> Option<&mut History> {
        let ip = client_ip?;
        if !self.clients.contains_key(ip) {
            self.clients.insert(ip.to_owned(), History::default());
        }
        self.clients.get_mut(ip)
    }

    /// Closes the books.
    pub(crate) fn finish(mut self) -> Truth {
        let named = |counts: HashMap<&'static str, u64>| counts.into_iter().map(|(k, n)| (k.to_owned(), n)).collect();
        self.truth.classes = named(self.classes);
        self.truth.causes = named(self.causes);
        self.truth.deliveries = named(self.deliveries);
        self.truth.rejects = named(self.rejects);
        self.truth.report = self.books.finish(&self.truth.deliveries);
        self.truth.accounts = self.accounts.into_iter().collect();
        for (ip, history) in self.clients {
            self.truth.recovered.extend(history.rows.into_values());
            self.truth.clients.insert(ip, history.tally);
        }
        self.truth.recovered.sort_by(|a, b| (&a.client_ip, &a.username).cmp(&(&b.client_ip, &b.username)));
        self.truth
    }
}

fn add(counts: &mut Counts, key: String) {
    *counts.entry(key).or_default() += 1;
}
