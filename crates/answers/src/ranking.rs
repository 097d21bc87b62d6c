//! Which rows come first: the worst clients and accounts.

use std::cmp::Reverse;
use std::net::IpAddr;

use diagnose::{AccountTally, ClientTally, Refused, RelayWhy, Tally, Verdict, client_verdict};

/// Clients with most failures first; then by address, so that the order is the same every time.
pub(crate) fn clients(tally: &Tally) -> Vec<(&IpAddr, &ClientTally)> {
    let mut rows: Vec<(&IpAddr, &ClientTally)> = tally.clients.iter().map(|(ip, client)| (ip, &**client)).collect();
    rows.sort_unstable_by_key(|(ip, client)| {
        (
            Reverse(client.counts.failures()),
            Reverse(client.counts.sessions_killed),
            Reverse(client.counts.auth_ok),
            **ip,
        )
    });
    rows
}

/// Accounts with most failures first.
pub(crate) fn accounts(tally: &Tally) -> Vec<&AccountTally> {
    let mut rows: Vec<_> = tally.accounts.values().collect();
    rows.sort_unstable_by(|a, b| {
        b.counts
            .failures()
            .cmp(&a.counts.failures())
            .then(b.counts.auth_ok.cmp(&a.counts.auth_ok))
            .then_with(|| a.username.cmp(&b.username))
    });
    rows
}

/// Relay refusals, most first.
pub(crate) fn relay_denied(tally: &Tally) -> Vec<(Option<IpAddr>, RelayWhy, &Refused)> {
    let mut rows: Vec<_> = tally.relay_denied.iter().map(|((ip, why), row)| (*ip, *why, row)).collect();
    rows.sort_by_key(|(ip, why, row)| (Reverse(row.count), *ip, *why));
    rows
}

/// The word for an account, with what its clients did.
pub(crate) fn account_verdict(tally: &Tally, account: &AccountTally) -> Verdict {
    diagnose::account_verdict(account, |ip| {
        tally.clients.get(&ip).is_some_and(|client| client_verdict(client) == Verdict::TakenOver)
    })
}
