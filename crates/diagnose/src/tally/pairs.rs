//! Which clients and accounts were seen together, and what became of it: one row for each two of them.
//!
//! While a log is read, rows are looked up; once it is over, the clients of an account are asked for.

use std::collections::hash_map::Entry;

use trace::Map;

/// Rows at most; beyond them what two had to do with one another is not known.
const PAIRS: usize = 1_000_000;

/// An account and a client: the key of the one, the number of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Pair {
    pub(super) account: u64,
    pub(super) client: u32,
}

/// What became of the logins of an account from a client.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    /// Refused.
    pub(super) failed: u32,
    /// Without success, but refused by nobody.
    pub(super) given_up: u16,
    /// For "ever": what is full stays full.
    pub(super) ok: u16,
}

impl Seen {
    /// Logins that did not succeed, whoever's fault.
    pub(super) fn tried(self) -> u32 {
        self.failed.saturating_add(u32::from(self.given_up))
    }
}

/// All pairs.
#[derive(Default)]
pub(super) struct Pairs {
    rows: Map<Pair, Seen>,
    /// All of them, by account, once nothing is added any more.
    sorted: Vec<(Pair, Seen)>,
}

impl Pairs {
    /// What is known of a pair.
    pub(super) fn get(&self, pair: Pair) -> Option<Seen> {
        self.rows.get(&pair).copied()
    }

    /// Notes something more of a pair. Output: what was known of it before, if anything, and what is now; `None` if it is new and there is
    /// no room.
    pub(super) fn note(&mut self, pair: Pair, change: impl FnOnce(&mut Seen)) -> Option<(Option<Seen>, Seen)> {
        let is_full = self.rows.len() >= PAIRS;
        let (before, row) = match self.rows.entry(pair) {
            Entry::Occupied(known) => (Some(*known.get()), known.into_mut()),
            Entry::Vacant(_) if is_full => return None,
            Entry::Vacant(new) => (None, new.insert(Seen::default())),
        };
        change(row);
        Some((before, *row))
    }

    /// Nothing is added any more: whose clients an account has is found quickly from now on.
    pub(super) fn settle(&mut self) {
        self.sorted.extend(std::mem::take(&mut self.rows));
        self.sorted.sort_unstable_by_key(|(pair, _)| *pair);
    }

    /// The clients of an account.
    pub(super) fn of_account(&self, account: u64) -> impl Iterator<Item = (u32, Seen)> {
        let start = self.sorted.partition_point(|(pair, _)| pair.account < account);
        let sorted = self.sorted.iter().skip(start).take_while(move |(pair, _)| pair.account == account);
        let loose = self.rows.iter().filter(move |(pair, _)| pair.account == account);
        sorted.map(|(pair, seen)| (pair.client, *seen)).chain(loose.map(|(pair, seen)| (pair.client, *seen)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_before_and_after_the_end() {
        let mut pairs = Pairs::default();
        let pair = |account, client| Pair { account, client };
        let fail = |seen: &mut Seen| seen.failed += 1;
        assert!(pairs.note(pair(7, 1), fail).is_some_and(|(before, now)| now.failed == 1 && before.is_none()));
        assert!(pairs.note(pair(7, 1), fail).is_some_and(|(before, now)| now.failed == 2 && before.is_some()));
        for (account, client) in [(7, 2), (9, 1), (7, 0), (u64::MAX, 3)] {
            pairs.note(pair(account, client), |seen| seen.ok += 1);
        }
        let clients = |pairs: &Pairs, account| {
            let mut all: Vec<(u32, u32)> =
                pairs.of_account(account).map(|(client, seen)| (client, seen.tried())).collect();
            all.sort_unstable();
            all
        };
        for _ in 0..2 {
            assert_eq!(clients(&pairs, 7), [(0, 0), (1, 2), (2, 0)]);
            assert_eq!((clients(&pairs, u64::MAX), clients(&pairs, 8)), (vec![(3, 0)], vec![]));
            pairs.settle();
        }
    }
}
