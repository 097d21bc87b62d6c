//! `rehearse`: a jail's settings and a log go in; who would have been banned, who of them is a real user, and which attackers
//! stay below come out.

mod json;
mod text;

use std::collections::HashSet;
use std::net::IpAddr;

use diagnose::fail2ban::{Ban, Jail, Missed, Rehearsal};
use diagnose::{Finding, Kind, Tally, Verdict};
use input::FeedError;
use trace::{Attempt, Login};

use crate::reading::{Read, Reading};
use crate::triage::{Observed, Observer};

pub use json::to_json;
pub use text::Page;

/// A trial that is over.
pub struct Rehearsed {
    /// The settings.
    pub jail: Jail,
    /// Bans in the order of time.
    pub bans: Vec<Judged<Ban>>,
    /// Attackers that were never banned, most failures first.
    pub missed: Vec<Judged<Missed>>,
    /// Failures that nobody watched, for want of room.
    pub beyond: u64,
    /// What was read.
    pub read: Read,
}

/// An address with what else is known of it.
pub struct Judged<T> {
    /// The ban, or what was missed.
    pub what: T,
    /// The word for the address.
    pub verdict: Verdict,
    /// Somebody who has an account here is behind it.
    pub real_user: bool,
    /// Accounts that log in from there.
    pub logs_in: Vec<Box<[u8]>>,
}

impl<T> Judged<T> {
    fn of(what: T, ip: IpAddr, tally: &Tally) -> Self {
        let client = tally.clients.get(&ip);
        let verdict = client.map_or(Verdict::Unclear, |client| tally.client_verdict(ip, client));
        Self {
            what,
            verdict,
            real_user: is_real_user(verdict),
            logs_in: client.map(|client| client.ok_accounts().to_vec()).unwrap_or_default(),
        }
    }
}

/// Whether a person with an account stands behind a client with this word.
#[must_use]
pub fn is_real_user(verdict: Verdict) -> bool {
    match verdict {
        Verdict::StaleClient
        | Verdict::Recovered
        | Verdict::Office
        | Verdict::Outage
        | Verdict::RefusedByPolicy
        | Verdict::Fine => true,
        Verdict::Attack
        | Verdict::Suspicious
        | Verdict::TakenOver
        | Verdict::Mistyped
        | Verdict::Misconfigured
        | Verdict::Unclear => false,
    }
}

impl Observer for Rehearsal {
    fn failed(&mut self, attempt: &Attempt) {
        Self::failed(self, attempt);
    }

    fn logged_in(&mut self, login: &Login) {
        Self::logged_in(self, login);
    }
}

/// Tries the settings on a log.
pub fn rehearse(reading: Reading, jail: Jail) -> Result<Rehearsed, FeedError> {
    let mut trial = Observed::new(&reading, Rehearsal::new(jail.clone()));
    let read = reading.run(&mut trial)?;
    let Observed { mut counter, observer: rehearsal } = trial;
    counter.tally.settle();
    let tally = &counter.tally;
    let attackers = attackers(&tally.findings);
    let bans = rehearsal.bans().iter().map(|ban| Judged::of(ban.clone(), ban.client_ip, tally)).collect();
    let missed = rehearsal.missed().into_iter().map(|missed| Judged::of(missed.clone(), missed.client_ip, tally));
    let is_attacker = |missed: &Judged<Missed>| {
        matches!(missed.verdict, Verdict::Attack | Verdict::Suspicious | Verdict::TakenOver)
            || !missed.real_user && attackers.contains(&missed.what.client_ip)
    };
    let missed = missed.filter(is_attacker).collect();
    Ok(Rehearsed { jail, bans, missed, beyond: rehearsal.beyond(), read })
}

/// Addresses that a finding calls attackers.
fn attackers(findings: &[Finding]) -> HashSet<IpAddr> {
    let hostile = |finding: &&Finding| {
        matches!(finding.kind, Kind::Guessing | Kind::Spraying | Kind::DistributedAttack | Kind::AccountTakeover)
    };
    findings.iter().filter(hostile).flat_map(|finding| finding.clients.iter().copied()).collect()
}
