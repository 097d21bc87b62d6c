//! One login name: what became of its logins, and where they came from.

use std::net::IpAddr;

use trace::Map;

use super::counts::Counts;
use super::timeline::Timeline;

/// Accounts with a row of their own at most.
const ACCOUNTS: usize = 100_000;

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
    pub(super) clients: Map<IpAddr, Seen>,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    /// For the order of a list and for "ever": what is full stays full.
    pub(super) failed: u16,
    pub(super) ok: u16,
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

/// The name without case, in a buffer that is used again.
pub(super) fn lowered<'b>(buffer: &'b mut Vec<u8>, name: &[u8]) -> &'b [u8] {
    buffer.clear();
    buffer.extend(name.iter().map(u8::to_ascii_lowercase));
    buffer
}

pub(super) fn account<'a>(
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
