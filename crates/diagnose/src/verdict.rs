//! One word for a client and for an account. Thresholds stand here, with their reasons.
//!
//! A wrong word gets the boss banned or a stolen account missed, so the rules are careful: whoever logged in here
//! before is no attacker for a handful of failures, and what the log cannot tell is `unclear`.

use std::net::IpAddr;

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

/// So many names tried from one address are no typing errors.
pub(crate) const MANY_NAMES: usize = 5;
/// So many failures without a success are a guesser, or a device that nobody looks at.
pub(crate) const MANY_FAILURES: u64 = 20;
/// Fewer failures than this are an everyday matter.
pub(crate) const SOME_FAILURES: u64 = 5;
/// So many addresses failing for one account, none of which ever got in, are a distributed attack.
pub(crate) const MANY_CLIENTS: usize = 10;
/// So many accounts that log in from one address are an office (or a gateway).
pub(crate) const OFFICE_ACCOUNTS: usize = 2;

/// So many messages from one address after it got in are a flood.
pub(crate) const BURST_MESSAGES: u64 = 10;
/// Devices ask for mail every few minutes; what comes more often is a machine that guesses.
pub(crate) const DEVICE_PERIOD_S: f64 = 180.0;

/// The word for a client.
#[must_use]
pub fn client_verdict(client: &ClientTally) -> Verdict {
    let counts = &client.counts;
    if counts.auth_ok > 0 {
        return client_with_success(client);
    }
    if counts.auth_failed == 0 {
        return client_without_credentials(client);
    }
    if client.mechanism_refused == counts.auth_failed {
        return if counts.auth_failed >= MANY_FAILURES { Verdict::Suspicious } else { Verdict::Misconfigured };
    }
    if client.usernames() >= MANY_NAMES {
        return Verdict::Attack;
    }
    let one_name = client.usernames() == 1 && client.unnamed_failures == 0;
    if one_name && client.cadence.period().is_some_and(|period| period >= DEVICE_PERIOD_S) {
        // One name, at regular times: a device; a slow guesser tries other names as well.
        return Verdict::StaleClient;
    }
    match counts.auth_failed {
        MANY_FAILURES.. => Verdict::Attack,
        SOME_FAILURES.. => Verdict::Suspicious,
        _ if counts.backend_fault > counts.auth_failed => Verdict::Outage,
        1..=2 => Verdict::Mistyped,
        _ => Verdict::Unclear,
    }
}

/// Somebody logged in from here.
fn client_with_success(client: &ClientTally) -> Verdict {
    let failed = client.counts.auth_failed;
    if failed == 0 {
        return match (client.counts.backend_fault, client.counts.auth_refused, client.counts.auth_aborted) {
            (0, 0, 0) => Verdict::Fine,
            (fault, _, _) if fault > 0 => Verdict::Outage,
            _ => Verdict::Recovered,
        };
    }
    // Many names before the first success: it guessed until one fitted.
    let guessed = client.failures_before_ok >= 10
        && client.usernames() >= MANY_NAMES
        && client.usernames() > 2 * client.ok_accounts.len();
    let forced = client.failures_before_ok >= MANY_FAILURES
        && !comes_back_like_a_device(client)
        && client.ok_accounts.len() <= 1;
    // A handful of tries at one name within a minute, then in, then a flood of mail: nobody types that fast and writes that much.
    let burst = client.failures_before_ok >= SOME_FAILURES
        && client.ok_accounts.len() == 1
        && client.messages >= BURST_MESSAGES
        && client.first_failure.zip(client.last_failure).is_some_and(|(first, last)| last - first < 120 * 1_000_000);
    if guessed || forced || burst {
        return Verdict::TakenOver;
    }
    if client.ok_accounts.len() >= OFFICE_ACCOUNTS {
        return Verdict::Office;
    }
    let still_failing = client.last_failure > client.last_ok;
    if still_failing && failed >= SOME_FAILURES || comes_back_like_a_device(client) {
        return Verdict::StaleClient;
    }
    Verdict::Recovered
}

fn comes_back_like_a_device(client: &ClientTally) -> bool {
    client.cadence.period().is_some_and(|period| period >= DEVICE_PERIOD_S)
}

/// No password was refused: what else was it?
fn client_without_credentials(client: &ClientTally) -> Verdict {
    let counts = &client.counts;
    if counts.backend_fault > 0 || counts.sessions_killed > 0 {
        return Verdict::Outage;
    }
    if counts.auth_refused > 0 {
        return if counts.auth_refused >= MANY_FAILURES { Verdict::Suspicious } else { Verdict::Misconfigured };
    }
    if client.relay_denied + client.not_logged_in > 0 {
        return Verdict::RefusedByPolicy;
    }
    Verdict::Unclear
}

/// The word for an account; `takeover` says whether a client got in as it after guessing.
#[must_use]
pub fn account_verdict(account: &AccountTally, takeover: impl Fn(IpAddr) -> bool) -> Verdict {
    let counts = &account.counts;
    let hostile = account.hostile_clients();
    if account.good_clients().into_iter().any(takeover) {
        return Verdict::TakenOver;
    }
    if hostile >= MANY_CLIENTS {
        return Verdict::Attack;
    }
    match (counts.auth_failed, counts.auth_ok) {
        (0, 0) if counts.backend_fault > 0 => Verdict::Outage,
        (0, 0) => Verdict::Unclear,
        (0, _) => {
            if counts.backend_fault > 0 {
                Verdict::Outage
            } else {
                Verdict::Fine
            }
        }
        (failed, 0) if failed >= MANY_FAILURES => Verdict::Attack,
        (failed, 0) if failed >= SOME_FAILURES => Verdict::Suspicious,
        (1..=2, 0) => Verdict::Mistyped,
        (_, 0) => Verdict::Unclear,
        (failed, _) if hostile == 0 && failed >= SOME_FAILURES => Verdict::StaleClient,
        (failed, _) if hostile > 0 && failed >= MANY_FAILURES => Verdict::Suspicious,
        _ => Verdict::Recovered,
    }
}
