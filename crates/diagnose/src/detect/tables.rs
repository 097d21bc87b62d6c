//! The tables of sources, accounts and pairs: rows are found or made here, and asked by those who judge.

use std::collections::hash_map::Entry;
use std::hash::BuildHasher as _;
use std::net::IpAddr;

use foldhash::fast::SeedableRandomState;

use super::Detector;
use super::finding::Proof;
use super::input::LoggedIn;
use super::rows::{AccountRow, ClientRow, History, Name, Pair, Spelled};
use super::source::Source;
use super::thresholds::Thresholds;

/// Mechanisms and services told apart at most.
const WORDS: usize = 256;

impl Detector {
    pub(super) fn name(&mut self, account: &[u8]) -> Name {
        self.lowered.clear();
        self.lowered.extend(account.iter().map(u8::to_ascii_lowercase));
        if let Some(domain) = self.settings.default_domain.as_deref()
            && !account.contains(&b'@')
        {
            self.lowered.push(b'@');
            self.lowered.extend(domain.bytes().map(|byte| byte.to_ascii_lowercase()));
        }
        let seed = self.seed;
        let hasher = self
            .hasher
            .get_or_insert_with(|| SeedableRandomState::with_seed(seed, foldhash::SharedSeed::global_fixed()));
        Name(hasher.hash_one(self.lowered.as_slice()))
    }

    pub(super) fn word(&mut self, word: &[u8]) -> u8 {
        let known = self.words.iter().position(|known| known.eq_ignore_ascii_case(word));
        let at = known.unwrap_or_else(|| {
            if self.words.len() < WORDS {
                self.words.push(word.to_ascii_uppercase().into());
            }
            self.words.len() - 1
        });
        u8::try_from(at).unwrap_or(u8::MAX)
    }

    pub(super) fn word_of(&self, number: u8) -> &[u8] {
        self.words.get(usize::from(number)).map_or(b"", |word| word)
    }

    pub(super) fn client(&mut self, ip: IpAddr, source: Source, time: i64) -> &mut ClientRow {
        if self.clients.len() >= self.bounds.sources && !self.clients.contains_key(&source) {
            self.forget();
        }
        let row = self.clients.entry(source).or_insert_with(|| self.spare_clients.take());
        if row.first == 0 {
            row.first = time;
        }
        row.last = row.last.max(time);
        row.see(time);
        if let IpAddr::V6(v6) = ip
            && source.is_v6()
        {
            row.rare_mut().add_address(v6);
        }
        row
    }

    pub(super) fn account(&mut self, name: Name, spelled: &[u8], time: i64) -> &mut AccountRow {
        if self.accounts.len() >= self.bounds.names && !self.accounts.contains_key(&name) {
            self.forget();
        }
        let row = self.accounts.entry(name).or_insert_with(|| {
            let mut row = self.spare_accounts.take();
            row.name = spelled.into();
            row
        });
        row.see(time);
        row
    }

    /// Notes a failure of a pair. Output: what was known of it before.
    pub(super) fn pair_failed(&mut self, pair: (Source, Name), time: i64, count: u32) -> History {
        self.room_for_pair(pair);
        match self.pairs.entry(pair) {
            Entry::Vacant(vacant) => {
                vacant.insert(Pair::once(time, count));
                History::default()
            }
            Entry::Occupied(known) => known.into_mut().change(|history| {
                let before = *history;
                history.fail(time, count);
                before
            }),
        }
    }

    /// Notes a login of a pair. Output: whether it was the first one.
    pub(super) fn pair_logged_in(&mut self, pair: (Source, Name), login: &LoggedIn<'_>) -> bool {
        self.room_for_pair(pair);
        let pair = self.pairs.entry(pair).or_insert_with(|| Pair::Told(Box::default()));
        pair.change(|history| history.log_in(login.time, login.count))
    }

    pub(super) fn room_for_pair(&mut self, pair: (Source, Name)) {
        if self.pairs.len() >= self.bounds.pairs && !self.pairs.contains_key(&pair) {
            self.forget();
        }
    }

    // ---- what the kinds ask ----

    pub(super) fn thresholds(&self) -> &Thresholds {
        &self.settings.thresholds
    }

    pub(super) fn evidence(&self, places: impl IntoIterator<Item = u32>) -> Vec<Proof> {
        places.into_iter().filter_map(|at| self.proofs.get(at as usize).cloned()).collect()
    }

    pub(super) fn history(&self, source: Source, name: Name) -> Option<History> {
        self.pairs.get(&(source, name)).map(Pair::history)
    }

    pub(super) fn spelled(&self, name: Name) -> Option<Spelled> {
        self.accounts.get(&name).map(|row| row.name.clone())
    }

    /// Whether an account by that name logs in or reads its mailbox, from anywhere.
    pub(super) fn is_in_use(&self, name: Name) -> bool {
        self.accounts.get(&name).is_some_and(|row| row.is_in_use())
    }

    pub(super) fn lives_about(&self, name: Name, source: Source) -> bool {
        self.accounts.get(&name).is_some_and(|row| row.lives_about(source))
    }

    pub(super) fn addresses(&self, source: Source, row: &ClientRow) -> Vec<IpAddr> {
        if row.rare().addresses.is_empty() {
            return vec![source.ip()];
        }
        let mut all: Vec<IpAddr> = row.rare().addresses.iter().map(|ip| IpAddr::V6(*ip)).collect();
        all.sort_unstable();
        all
    }

    /// Sources that findings may tell of, those with most tries first; the order is the same every time.
    pub(super) fn ranked(&self) -> Vec<(Source, &ClientRow)> {
        let mut rows: Vec<_> = self
            .clients
            .iter()
            .map(|(source, row)| (*source, &**row))
            .filter(|(source, _)| !self.settings.leaves_out(*source))
            .collect();
        rows.sort_unstable_by_key(|(source, row)| (std::cmp::Reverse(row.tries()), *source));
        rows
    }

    /// Accounts, those that failed most first; the order is the same every time.
    pub(super) fn ranked_accounts(&self) -> Vec<(Name, &AccountRow)> {
        let mut rows: Vec<_> = self.accounts.iter().map(|(name, row)| (*name, &**row)).collect();
        rows.sort_unstable_by(|(_, a), (_, b)| b.failed.cmp(&a.failed).then_with(|| a.name.cmp(&b.name)));
        rows
    }
}
