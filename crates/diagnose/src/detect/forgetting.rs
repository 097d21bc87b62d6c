//! Making room: a detector that is full forgets whoever tried a few times long ago.

use super::Detector;

/// Whoever was silent for longer is forgotten first when room is short, in microseconds. If that does not do, it is a quarter of
/// the time, and so on down to about a minute.
const SILENCE_MAX: i64 = 30 * 86_400_000_000;
const SILENCE_MIN: i64 = 60_000_000;

impl Detector {
    /// Makes room: who tried a few times and was not seen for long goes first; the fuller it stays, the shorter is long.
    pub(super) fn forget(&mut self) {
        let before = self.clients.len() + self.accounts.len() + self.pairs.len();
        let few = self.settings.thresholds.guess_tries;
        let mut idle = self.silence_with_room();
        loop {
            let since = self.last - idle;
            let gone = self.clients.extract_if(|_, row| row.seen < since && !row.is_worth_keeping(few));
            gone.for_each(|(_, row)| self.spare_clients.put(row));
            let gone = self.accounts.extract_if(|_, row| row.seen < since && !row.is_worth_keeping(few));
            gone.for_each(|(_, row)| self.spare_accounts.put(row));
            let (clients, accounts) = (&self.clients, &self.accounts);
            // Of a pair that was seen since, both were.
            self.pairs.retain(|(source, name), pair| {
                pair.last() >= since
                    || pair.is_worth_keeping(few) && clients.contains_key(source) && accounts.contains_key(name)
            });
            if roomy(self.clients.len(), self.bounds.sources)
                && roomy(self.accounts.len(), self.bounds.names)
                && roomy(self.pairs.len(), self.bounds.pairs)
            {
                break;
            }
            if idle < SILENCE_MIN {
                // All of it is worth keeping, and there is no room: the oldest half goes.
                self.forget_half();
                break;
            }
            idle /= 4;
        }
        let clients = &self.clients;
        for row in self.accounts.values_mut() {
            let known = row.clients.len();
            row.clients.retain(|source| clients.contains_key(source));
            row.clients_beyond =
                row.clients_beyond.saturating_add(u32::try_from(known - row.clients.len()).unwrap_or(u32::MAX));
        }
        let accounts = &self.accounts;
        for row in self.clients.values_mut() {
            let known = row.names.len();
            row.names.retain(|name| accounts.contains_key(name));
            row.names_beyond =
                row.names_beyond.saturating_add(u32::try_from(known - row.names.len()).unwrap_or(u32::MAX));
            row.ok_names.retain(|name| accounts.contains_key(name));
        }
        let after = self.clients.len() + self.accounts.len() + self.pairs.len();
        self.forgotten += (before - after) as u64;
    }

    /// How long sources and names may be silent so that they leave room, if none of them is worth keeping; the shortest time if even
    /// that is too long.
    fn silence_with_room(&self) -> i64 {
        let clients: Vec<i64> = self.clients.values().map(|row| self.last - row.seen).collect();
        let accounts: Vec<i64> = self.accounts.values().map(|row| self.last - row.seen).collect();
        // Counted beforehand: going through the tables costs more.
        let fits = |silences: &[i64], len: usize, bound: usize, idle: i64| {
            roomy(len - silences.iter().filter(|silence| **silence > idle).count(), bound)
        };
        let mut idle = SILENCE_MAX;
        while idle >= SILENCE_MIN
            && !(fits(&clients, self.clients.len(), self.bounds.sources, idle)
                && fits(&accounts, self.accounts.len(), self.bounds.names, idle))
        {
            idle /= 4;
        }
        idle
    }

    /// Makes room among those who read mailboxes: the older half goes, so that it is not full again at once.
    pub(super) fn forget_readers(&mut self) {
        let since = middle(self.readers.values().copied().collect());
        self.readers.retain(|_, last| *last > since);
    }

    fn forget_half(&mut self) {
        let clients = middle(self.clients.values().map(|row| row.seen).collect());
        let accounts = middle(self.accounts.values().map(|row| row.seen).collect());
        let pairs = middle(self.pairs.values().map(|pair| pair.last()).collect());
        self.clients.retain(|_, row| row.seen > clients);
        self.accounts.retain(|_, row| row.seen > accounts);
        self.pairs.retain(|_, pair| pair.last() > pairs);
    }
}

/// The time in the middle of these; 0 of none.
fn middle(mut times: Vec<i64>) -> i64 {
    let at = times.len() / 2;
    if times.is_empty() { 0 } else { *times.select_nth_unstable(at).1 }
}

/// Whether a table leaves so much room that it is not full again at once.
fn roomy(len: usize, bound: usize) -> bool {
    len <= bound - bound / 4
}
