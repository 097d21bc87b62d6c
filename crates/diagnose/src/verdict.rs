//! One word for a client and for an account: what a finding says of it, or else what its counts say.
//!
//! A wrong word gets the boss banned or a stolen account missed, so the rules are careful: whoever logged in here
//! before is no attacker for a handful of failures, and what the log cannot tell is `unclear`.

use std::net::IpAddr;

use trace::Map;

use crate::detect::{Finding, Kind, Source};
use crate::tally::{AccountTally, ClientTally};

/// One word about a client or an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verdict {
    /// Guesses passwords or names.
    Attack,
    /// Might be.
    Suspicious,
    /// Got in after guessing: look at it now.
    TakenOver,
    /// A device with an old password.
    StaleClient,
    /// A wrong password or two.
    Mistyped,
    /// Failed and then got in.
    Recovered,
    /// Several people behind one address.
    Office,
    /// Wrong settings: port, TLS or mechanism.
    Misconfigured,
    /// Hit by trouble of the backend's.
    Outage,
    /// Its logins are fine; rules refused its mail.
    RefusedByPolicy,
    /// Nothing to see.
    Fine,
    /// The log does not tell.
    Unclear,
}

impl Verdict {
    /// The name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Attack => "attack",
            Self::Suspicious => "suspicious",
            Self::TakenOver => "taken_over",
            Self::StaleClient => "stale_client",
            Self::Mistyped => "mistyped",
            Self::Recovered => "recovered",
            Self::Office => "office",
            Self::Misconfigured => "misconfigured",
            Self::Outage => "outage",
            Self::RefusedByPolicy => "refused_by_policy",
            Self::Fine => "fine",
            Self::Unclear => "unclear",
        }
    }
}

/// Failures from which on an address without a finding is worth a look.
const SOME_FAILURES: u32 = 5;

/// Nobody has as many names of his own to fail with.
const MANY_NAMES: u32 = 3;

/// Words that findings give; everybody else's follows from the counts.
#[derive(Default)]
pub(crate) struct Verdicts {
    clients: Map<Source, Verdict>,
    accounts: Map<Box<[u8]>, Verdict>,
}

impl Verdicts {
    pub(crate) fn of(findings: &[Finding]) -> Self {
        let mut verdicts = Self::default();
        // The gravest come first, and stay.
        for finding in findings {
            let sure = finding.confidence >= 0.8;
            let (client, account) = match finding.kind {
                // One of several names, and nobody knows which.
                Kind::AccountTakeover if finding.accounts.len() > 1 => (Some(Verdict::TakenOver), None),
                Kind::AccountTakeover => (Some(Verdict::TakenOver), Some(Verdict::TakenOver)),
                Kind::DistributedAttack => (Some(Verdict::Attack), Some(Verdict::Attack)),
                Kind::Guessing | Kind::Spraying if finding.ban || sure => (Some(Verdict::Attack), None),
                Kind::Guessing | Kind::Spraying => (Some(Verdict::Suspicious), None),
                Kind::StaleClient => (Some(Verdict::StaleClient), Some(Verdict::StaleClient)),
                Kind::SharedOffice => (Some(Verdict::Office), None),
                _ => (None, None),
            };
            if let Some(word) = client {
                for ip in &finding.clients {
                    verdicts.clients.entry(Source::of(*ip)).or_insert(word);
                }
            }
            if let Some(word) = account {
                for name in &finding.accounts {
                    verdicts.accounts.entry(name.to_ascii_lowercase().into()).or_insert(word);
                }
            }
        }
        verdicts
    }

    pub(crate) fn client(&self, ip: IpAddr, client: &ClientTally) -> Verdict {
        self.clients.get(&Source::of(ip)).copied().unwrap_or_else(|| client_by_counts(client))
    }

    /// `failing`: of each client that failed with it the word, and how many names it failed with; `None` if nothing is known of that client.
    pub(crate) fn account(
        &self,
        account: &AccountTally,
        failing: impl Iterator<Item = Option<(Verdict, u32)>>,
    ) -> Verdict {
        let found = self.accounts.get(account.username.to_ascii_lowercase().as_slice());
        let counted = account_by_counts(account);
        found.copied().unwrap_or_else(|| match account_by_clients(failing) {
            Some(Verdict::Unclear) if counted != Verdict::Mistyped => counted,
            found => found.unwrap_or(counted),
        })
    }
}

/// The word for an account whose failures are all the work of somebody who tries names: then its own people have mistyped nothing.
fn account_by_clients(failing: impl Iterator<Item = Option<(Verdict, u32)>>) -> Option<Verdict> {
    let weigh = |client: Option<(Verdict, u32)>| match client? {
        // Whoever got in as somebody else has guessed at this name, too.
        (Verdict::Attack | Verdict::TakenOver, _) => Some(Verdict::Attack),
        (Verdict::Suspicious, _) => Some(Verdict::Suspicious),
        (Verdict::Unclear, names) if names >= MANY_NAMES => Some(Verdict::Unclear),
        _ => None,
    };
    let words: Option<Vec<Verdict>> = failing.map(weigh).collect();
    let words = words?;
    [Verdict::Attack, Verdict::Suspicious, Verdict::Unclear].into_iter().find(|word| words.contains(word))
}

/// The word for a client that no finding tells of.
fn client_by_counts(client: &ClientTally) -> Verdict {
    let counts = &client.counts;
    if counts.auth_ok > 0 {
        return match (counts.auth_failed, counts.backend_fault, counts.auth_refused) {
            (0, 0, 0) => Verdict::Fine,
            (0, fault, _) if fault > 0 => Verdict::Outage,
            (failed, ..) if failed > 0 && client.ok_accounts().len() > 1 => Verdict::Office,
            (failed, ..) if client.last_ok() < client.first_failure() => failed_at_last(failed),
            _ => Verdict::Recovered,
        };
    }
    if counts.auth_failed == 0 {
        return client_without_credentials(client);
    }
    if client.mechanism_refused == counts.auth_failed {
        return if counts.auth_failed >= 4 * SOME_FAILURES { Verdict::Suspicious } else { Verdict::Misconfigured };
    }
    match counts.auth_failed {
        SOME_FAILURES.. => Verdict::Suspicious,
        _ if counts.backend_fault > counts.auth_failed => Verdict::Outage,
        1..=2 => Verdict::Mistyped,
        _ => Verdict::Unclear,
    }
}

/// The word for whoever logged in, and then so many times with no success any more.
fn failed_at_last(failed: u32) -> Verdict {
    match failed {
        0 => Verdict::Misconfigured,
        1..=2 => Verdict::Mistyped,
        _ => Verdict::Unclear,
    }
}

/// No password was refused: what else was it?
fn client_without_credentials(client: &ClientTally) -> Verdict {
    let counts = &client.counts;
    if counts.backend_fault > 0 || counts.sessions_killed > 0 {
        return Verdict::Outage;
    }
    if counts.auth_refused > 0 {
        return if counts.auth_refused >= 4 * SOME_FAILURES { Verdict::Suspicious } else { Verdict::Misconfigured };
    }
    if client.relay_denied > 0 || client.not_logged_in > 0 {
        return Verdict::RefusedByPolicy;
    }
    Verdict::Unclear
}

/// The word for an account that no finding tells of.
fn account_by_counts(account: &AccountTally) -> Verdict {
    let counts = &account.counts;
    match (counts.auth_failed, counts.auth_ok) {
        (0, _) if counts.backend_fault > 0 => Verdict::Outage,
        (0, 0) => Verdict::Unclear,
        (0, _) => Verdict::Fine,
        (failed, 0) if failed >= SOME_FAILURES => Verdict::Suspicious,
        (1..=2, 0) => Verdict::Mistyped,
        (_, 0) => Verdict::Unclear,
        (failed, _) if account.hostile_clients() > 0 && failed >= 4 * SOME_FAILURES => Verdict::Suspicious,
        (failed, _) if account.last_ok < account.first_failure => failed_at_last(failed),
        _ => Verdict::Recovered,
    }
}
