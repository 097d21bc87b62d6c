//! `bans`: fail2ban's own log and a mail log go in; for each jail whether it sees what we see, and for each ban the evidence,
//! whether a real user is behind it, and the way back, come out. CrowdSec's decisions are put beside them.
//!
//! fail2ban is only read about: no command is sent to it.

mod crowdsec;
mod json;
mod text;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use diagnose::fail2ban::{Banned, History, InStep, JailStep, in_step, report};
use diagnose::{Tally, Verdict};
use input::{Coverage, FeedError, Line, Worth};
use trace::{Attempt, Login};

use crate::reading::{Read, Reading};
use crate::rehearse::is_real_user;
use crate::triage::{Observed, Observer};

pub use crowdsec::{Decision, decisions};
pub use json::{of_clients, to_json};
pub use text::{Page, draw_clients};

/// Bans beside the mail log.
pub struct Bans {
    /// What the jails did.
    pub history: History,
    /// What was read of fail2ban's log.
    pub log: Coverage,
    /// Each jail for mail beside our own failures.
    pub jails: BTreeMap<String, JailStep>,
    /// All bans of these jails, the latest first.
    pub bans: Vec<JudgedBan>,
    /// CrowdSec's decisions.
    pub decisions: Vec<Decision>,
    /// What was read of the mail log.
    pub read: Read,
}

/// A ban with its evidence.
#[derive(Clone, Debug)]
pub struct JudgedBan {
    /// The jail.
    pub jail: String,
    /// The ban.
    pub ban: Banned,
    /// Failures of that address in the mail log.
    pub failures: u64,
    /// Those that came while it was banned: the ban does not hold, or not on that port.
    pub failures_during: u64,
    /// The word for the address.
    pub verdict: Verdict,
    /// Somebody who has an account here is behind it.
    pub real_user: bool,
    /// Accounts that log in from there.
    pub logs_in: Vec<Box<[u8]>>,
}

/// Reads fail2ban's own log: what the jails did. `timezone` and year are those of the mail log's options.
pub fn history(files: &[PathBuf], reading: &Reading) -> Result<(History, Coverage), FeedError> {
    let mut history = History::default();
    let sources = input::discover(files, std::path::Path::new("/"));
    let sink = |line: Line<'_>| {
        if let (Some(record), Some(time)) = (&line.record, line.time)
            && let Some(told) = report(record)
        {
            history.add(told.jail, time, &told.action);
        }
    };
    let coverage = input::feed(sources, reading.options(), |_| Worth::Keep, sink)?;
    Ok((history, coverage))
}

/// Puts the bans beside a mail log.
pub fn bans(
    reading: Reading,
    (history, log): (History, Coverage),
    decisions: Vec<Decision>,
) -> Result<Bans, FeedError> {
    let mut witness = Observed::new(&reading, Witness::of(&history));
    let read = reading.run(&mut witness)?;
    let Observed { mut counter, observer } = witness;
    counter.tally.settle();
    let span = history.span.unwrap_or_default();
    let logins = history.jails.iter().filter(|(name, _)| is_for_logins(name));
    let jails = logins.map(|(name, jail)| (name.clone(), in_step(&observer.ours, jail, span))).collect();
    let bans = judged(&history, &counter.tally, &observer);
    Ok(Bans { history, log, jails, bans, decisions, read })
}

/// Whether a jail by that name should find failed logins of `smtpd`. Dovecot's own jails read other lines.
fn is_for_logins(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["postfix", "sasl", "smtp", "submission", "mail"].iter().any(|word| name.contains(word))
}

fn judged(history: &History, tally: &Tally, witness: &Witness) -> Vec<JudgedBan> {
    let mut bans: Vec<JudgedBan> = Vec::new();
    for (jail, row) in &history.jails {
        for ban in &row.bans {
            let client = tally.clients.get(&ban.client_ip);
            // Jails for other services ban whom the mail log does not know: they are none of our business.
            if client.is_none() && !is_for_logins(jail) {
                continue;
            }
            let verdict = client.map_or(Verdict::Unclear, |client| tally.client_verdict(ban.client_ip, client));
            bans.push(JudgedBan {
                jail: jail.clone(),
                ban: ban.clone(),
                failures: client.map_or(0, |client| client.counts.failures()),
                failures_during: witness.during(ban),
                verdict,
                real_user: is_real_user(verdict),
                logs_in: client.map(|client| client.ok_accounts().to_vec()).unwrap_or_default(),
            });
        }
    }
    bans.sort_by_key(|ban| std::cmp::Reverse(ban.ban.at));
    bans
}

/// A ban takes a moment to work, in microseconds.
const GRACE: i64 = 10 * 1_000_000;

/// Sees our own failures: for the jails, and under bans.
struct Witness {
    ours: InStep,
    under: BTreeMap<IpAddr, Vec<(Banned, u64)>>,
}

impl Witness {
    fn of(history: &History) -> Self {
        let mut under: BTreeMap<IpAddr, Vec<(Banned, u64)>> = BTreeMap::new();
        for ban in history.jails.values().flat_map(|jail| &jail.bans) {
            under.entry(ban.client_ip).or_default().push((ban.clone(), 0));
        }
        Self { ours: InStep::default(), under }
    }

    fn during(&self, ban: &Banned) -> u64 {
        let bans = self.under.get(&ban.client_ip).map(Vec::as_slice).unwrap_or_default();
        bans.iter().find(|(known, _)| known == ban).map_or(0, |(_, failures)| *failures)
    }
}

impl Observer for Witness {
    fn failed(&mut self, attempt: &Attempt) {
        self.ours.failed(attempt);
        let time = attempt.at.time;
        let holds = |ban: &Banned| time > ban.at + GRACE && ban.lifted.is_none_or(|lifted| time < lifted);
        let bans = attempt.at.client_ip.and_then(|ip| self.under.get_mut(&ip));
        for (_, failures) in bans.into_iter().flatten().filter(|(ban, _)| holds(ban)) {
            *failures += u64::from(attempt.count);
        }
    }

    fn logged_in(&mut self, _login: &Login) {}
}
