//! One login name: what became of its logins, and where they came from.

use std::hash::BuildHasher as _;

use trace::Map;

use super::counts::Counts;
use super::pairs::Seen;
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
    pub messages: u32,
    /// Its failures over time.
    pub timeline: Timeline,
    /// Its first failure and its last login, microseconds; 0: none.
    pub(crate) first_failure: i64,
    /// See `first_failure`.
    pub(crate) last_ok: i64,
    /// What it is known by.
    pub(super) key: u64,
    clients: u32,
    /// Of these: those that never succeeded.
    hostile: u32,
}

impl AccountTally {
    /// Different addresses that tried it, successfully or not.
    #[must_use]
    pub fn clients(&self) -> u32 {
        self.clients
    }

    /// Different addresses that failed with it and never succeeded.
    #[must_use]
    pub fn hostile_clients(&self) -> u32 {
        self.hostile
    }

    /// Something more is known of it and a client.
    pub(super) fn seen_with(&mut self, before: Option<Seen>, now: Seen) {
        let is_hostile = |seen: Seen| seen.tried() > 0 && seen.ok == 0;
        self.clients += u32::from(before.is_none());
        self.hostile += u32::from(is_hostile(now));
        self.hostile -= u32::from(before.is_some_and(is_hostile));
    }
}

/// The accounts, by name without case.
#[derive(Default)]
pub struct Accounts {
    /// By the name's hash, which strangers cannot foresee: they choose the names.
    rows: Map<u64, AccountTally>,
    /// A name without case, for a look-up.
    lowered: Vec<u8>,
}

impl Accounts {
    /// The account of this name, however it is spelled.
    #[must_use]
    pub fn get(&self, name: &[u8]) -> Option<&AccountTally> {
        self.rows.get(&self.rows.hasher().hash_one(name.to_ascii_lowercase().as_slice()))
    }

    /// All of them, in no order.
    pub fn values(&self) -> impl ExactSizeIterator<Item = &AccountTally> {
        self.rows.values()
    }

    /// What an account is known by here.
    pub(super) fn key(&mut self, name: &[u8]) -> u64 {
        self.lowered.clear();
        self.lowered.extend(name.iter().map(u8::to_ascii_lowercase));
        self.rows.hasher().hash_one(self.lowered.as_slice())
    }

    /// The row of an account with its key; `None`: it is new, and there is no room for more.
    pub(super) fn row(&mut self, key: u64, name: &[u8], time: i64) -> Option<&mut AccountTally> {
        if self.rows.len() >= ACCOUNTS && !self.rows.contains_key(&key) {
            return None;
        }
        let account = self.rows.entry(key).or_insert_with(|| AccountTally {
            username: name.into(),
            key,
            first: time,
            last: time,
            ..AccountTally::default()
        });
        account.first = account.first.min(time);
        account.last = account.last.max(time);
        Some(account)
    }
}
