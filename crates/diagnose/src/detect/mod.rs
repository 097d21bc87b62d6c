//! What a person should know now, out of single failures and successes.
//!
//! Facts about logins go in, one call each ([`Failed`], [`LoggedIn`], [`Mailed`], [`TurnedAway`], changes, losses); the findings of
//! all of them come out whenever they are asked for. The state is bounded, can be put aside and taken up again
//! ([`Detector::snapshot`]), and is the same whether a log is read once or followed: so are the findings.
//!
//! Bounds: [`Bounds`] sources, names and pairs of both; beyond them those are forgotten first that tried a few times long ago
//! ([`Detector::forgotten`] counts them). [`PROOFS`] lines are kept as evidence.

mod cadence;
mod distributed;
mod finding;
mod forgetting;
mod guessing;
mod held;
mod input;
mod outage;
mod people;
mod rows;
mod seams;
mod settings;
mod source;
mod takeover;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
mod tests;
mod thresholds;
mod trouble;
mod variants;

use std::collections::hash_map::Entry;
use std::hash::BuildHasher as _;
use std::net::IpAddr;

use foldhash::fast::SeedableRandomState;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use trace::Map;

pub use cadence::Cadence;
pub use finding::{Finding, Kind, Proof, SentThen};
use held::{Held, Spare};
pub use input::{Failed, LoggedIn, Mailed, TurnedAway};
pub use outage::Incident;
use outage::{Outages, cause_ids};
use rows::{
    AccountRow, ClientRow, HOMES, History, Home, MESSAGES, Name, Owner, PER_ROW, PROOFS_PER_ROW, Pair, SUSPECTS,
    Suspect,
};
pub use seams::Change;
use seams::Seams;
pub use settings::Settings;
pub use source::Source;
pub use thresholds::{Threshold, Thresholds};
use trouble::Secrets;

use crate::class::Class;

/// Lines kept as evidence at most.
pub const PROOFS: usize = 20_000;
/// After so many tries, or sources, another line is taken as evidence.
const PROOF_AT: [u32; PROOFS_PER_ROW] = [3, 10, 20];
/// Mechanisms and services told apart at most.
const WORDS: usize = 256;
/// The layout of what [`Detector::snapshot`] writes.
const LAYOUT: u8 = 4;

/// How much is remembered at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    /// Sources: addresses, IPv6 /64s.
    pub sources: usize,
    /// Login names, whether they exist or not.
    pub names: usize,
    /// Pairs of a source and a name.
    pub pairs: usize,
}

impl Default for Bounds {
    /// About 250 MB when all are full (`cargo xtask bench --findings`).
    fn default() -> Self {
        Self { sources: 400_000, names: 300_000, pairs: 600_000 }
    }
}

/// A snapshot that cannot be taken up.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// It was written by another version of the program.
    #[error("the memory of findings has another layout ({0}); begin a new one")]
    Layout(u8),
    /// It is cut off or damaged.
    #[error("the memory of findings is damaged")]
    Damaged(#[from] postcard::Error),
}

/// Watches logins, and tells what a person should know of them.
#[derive(Serialize, Deserialize)]
pub struct Detector {
    settings: Settings,
    bounds: Bounds,
    seed: u64,
    clients: Map<Source, Held<ClientRow>>,
    accounts: Map<Name, Held<AccountRow>>,
    pairs: Map<(Source, Name), Pair>,
    outages: Outages,
    seams: Seams,
    secrets: Secrets,
    proofs: Vec<Proof>,
    words: Vec<Box<[u8]>>,
    forgotten: u64,
    logins: u64,
    first: i64,
    last: i64,
    #[serde(skip)]
    lowered: Vec<u8>,
    #[serde(skip)]
    spare_clients: Spare<ClientRow>,
    #[serde(skip)]
    spare_accounts: Spare<AccountRow>,
    /// The hasher of names; made anew from the seed.
    #[serde(skip)]
    hasher: Option<SeedableRandomState>,
}

impl Default for Detector {
    fn default() -> Self {
        Self::new(Settings::default(), Bounds::default())
    }
}

impl Detector {
    /// One that has seen nothing.
    #[must_use]
    pub fn new(settings: Settings, bounds: Bounds) -> Self {
        Self {
            settings,
            bounds,
            // Strangers choose the names: their hashes must not be foreseen.
            seed: foldhash::fast::RandomState::default().hash_one(0u8),
            clients: Map::default(),
            accounts: Map::default(),
            pairs: Map::default(),
            outages: Outages::default(),
            seams: Seams::default(),
            secrets: Secrets::default(),
            proofs: Vec::new(),
            words: Vec::new(),
            forgotten: 0,
            logins: 0,
            first: 0,
            last: 0,
            lowered: Vec::new(),
            spare_clients: Spare::default(),
            spare_accounts: Spare::default(),
            hasher: None,
        }
    }

    /// Puts the state into bytes.
    ///
    /// # Errors
    /// Only for want of memory.
    pub fn snapshot(&self) -> Result<Vec<u8>, RestoreError> {
        Ok(postcard::to_extend(self, vec![LAYOUT])?)
    }

    /// Takes up a state where it was put aside. Settings are those given: what was remembered is judged by them.
    ///
    /// # Errors
    /// The bytes are of another version, or damaged.
    pub fn restore(bytes: &[u8], settings: Settings) -> Result<Self, RestoreError> {
        // The files of today have other numbers than those of then.
        Self::restore_with(bytes, settings, |_| Proof::EARLIER)
    }

    /// The same, where it is known which numbers the sources of evidence have now: `source` is given those of then.
    ///
    /// # Errors
    /// The bytes are of another version, or damaged.
    pub fn restore_with(
        bytes: &[u8],
        settings: Settings,
        source: impl Fn(usize) -> usize,
    ) -> Result<Self, RestoreError> {
        match bytes.split_first() {
            Some((&LAYOUT, rest)) => {
                let mut detector = Self { settings, ..postcard::from_bytes(rest)? };
                detector.proofs.iter_mut().for_each(|proof| proof.source = source(proof.source));
                Ok(detector)
            }
            other => Err(RestoreError::Layout(other.map_or(0, |(layout, _)| *layout))),
        }
    }

    /// What the site said about itself.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Replaces what the site said about itself.
    pub fn set_settings(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// Sources, names and pairs that were forgotten for want of room: what they did counts no more.
    #[must_use]
    pub fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// The latest time seen, microseconds; 0 before the first.
    #[must_use]
    pub fn last(&self) -> i64 {
        self.last
    }

    /// Times in which the backend was at fault.
    #[must_use]
    pub fn incidents(&self) -> &[Incident] {
        self.outages.incidents()
    }

    /// How far apart the failures of a client are, in seconds, if it fails at regular times.
    #[must_use]
    pub fn period(&self, client: IpAddr) -> Option<f64> {
        self.clients.get(&Source::of(client))?.cadence.period()
    }

    /// Where an account logs in from: its networks (/24, /48), those last used first.
    #[must_use]
    pub fn places(&self, account: &[u8]) -> Vec<Place> {
        let Some(row) = self.accounts.values().find(|row| row.name.eq_ignore_ascii_case(account)) else {
            return Vec::new();
        };
        let mut places: Vec<Place> = row.homes().iter().map(|home| home.place(row)).collect();
        places.sort_by_key(|place| (std::cmp::Reverse(place.last), place.net));
        places
    }

    /// A login that did not succeed. `proof` gives a line by its number, if it is still at hand.
    pub fn failed(&mut self, failed: &Failed<'_>, proof: impl Fn(u64) -> Option<Proof>) {
        self.tick(failed.time);
        let what = What::of(failed);
        if what == What::Fault || what == What::Lost {
            let proofs = &mut self.proofs;
            self.outages.fault(failed, &self.settings.thresholds, || keep_proof(proofs, proof(failed.line)));
        }
        let Some(ip) = failed.client else { return };
        let source = Source::of(ip);
        let name = failed.account.map(|account| self.name(account));
        let tried = name.filter(|_| what == What::Credentials);
        let before = tried.map(|name| (name, self.pair_failed((source, name), failed.time, failed.count)));
        self.client_failed(failed, what, (ip, source), before, &proof);
        if let Some((name, before)) = before {
            self.account_failed(failed, source, (name, before), &proof);
        }
    }

    /// Notes it of its source. `tried` is the name, if credentials were tried, and what was known of the two before.
    fn client_failed(
        &mut self,
        failed: &Failed<'_>,
        what: What,
        (ip, source): (IpAddr, Source),
        tried: Option<(Name, History)>,
        proof: &impl Fn(u64) -> Option<Proof>,
    ) {
        let (mechanism, service) = (self.word(failed.mechanism), self.word(failed.service));
        let count = failed.count;
        // While there is much room the first try of each source is kept.
        let early = self.proofs.len() < PROOFS / 4;
        let row = self.client(ip, source, failed.time);
        if what == What::Other {
            return;
        }
        if row.first_failure == 0 {
            row.first_failure = failed.time;
        }
        row.last_failure = row.last_failure.max(failed.time);
        let counter = match what {
            What::Credentials => &mut row.failed,
            What::HeldOff => &mut row.held_off,
            What::Lost => &mut row.rare_mut().lost,
            What::Mechanism => &mut row.rare_mut().mechanism_refused,
            What::Silent => &mut row.rare_mut().silent,
            What::Fault | What::Other => return,
        };
        *counter = counter.saturating_add(count);
        let of_cause = match failed.cause {
            "tls.auth_before_starttls" => Some(&mut row.rare_mut().no_tls),
            "config.auth_not_enabled" => Some(&mut row.rare_mut().no_auth),
            "client.wrong_port_25" => Some(&mut row.rare_mut().wrong_port),
            "cred.unknown_user" => Some(&mut row.unknown_user),
            _ => None,
        };
        if let Some(counter) = of_cause {
            *counter = counter.saturating_add(count);
        }
        if what != What::Lost {
            row.burst.add(failed.time, count);
            row.cadence.add(failed.time);
            (row.mechanism, row.service) = (mechanism, service);
        }
        match tried {
            Some((name, before)) if before.failed == 0 => {
                if row.names.len() < PER_ROW {
                    row.names.push(name)
                } else {
                    row.names_beyond += 1
                }
            }
            None if what == What::Credentials => row.unnamed = row.unnamed.saturating_add(count),
            _ => (),
        }
        let at = row.proofs.len();
        let so_far = row.tries() + row.rare().silent + row.rare().mechanism_refused;
        let early = at == 0 && (early || matches!(what, What::Mechanism | What::Silent));
        if (early || PROOF_AT.get(at).is_some_and(|least| so_far >= *least))
            && let Some(kept) = keep_proof(&mut self.proofs, proof(failed.line))
        {
            self.client(ip, source, failed.time).proofs.push(kept);
        }
    }

    fn account_failed(
        &mut self,
        failed: &Failed<'_>,
        source: Source,
        (name, before): (Name, History),
        proof: &impl Fn(u64) -> Option<Proof>,
    ) {
        let (time, count) = (failed.time, failed.count);
        // Somebody whose login worked the last time, here, with this name.
        let fresh = before.ok > 0 && before.last_failure < before.last_ok;
        if fresh {
            self.outages.fresh_failure(failed, source, &self.settings.thresholds);
        }
        self.outages.refused(failed);
        let row = self.account(name, failed.account.unwrap_or_default(), time);
        row.failed = row.failed.saturating_add(count);
        if row.first_failure == 0 {
            row.first_failure = time;
        }
        row.last_failure = row.last_failure.max(time);
        row.cadence.add(time);
        if before.failed == 0 {
            if row.clients.len() < PER_ROW { row.clients.push(source) } else { row.clients_beyond += 1 }
        }
        let at = row.proofs.len();
        let sources = u32::try_from(row.clients.len()).unwrap_or(u32::MAX);
        if PROOF_AT.get(at).is_some_and(|least| sources >= *least)
            && let Some(kept) = keep_proof(&mut self.proofs, proof(failed.line))
        {
            self.account(name, b"", time).proofs.push(kept);
        }
    }

    /// A login that succeeded.
    pub fn logged_in(&mut self, login: &LoggedIn<'_>, proof: impl Fn(u64) -> Option<Proof>) {
        self.tick(login.time);
        self.logins += u64::from(login.count);
        self.outages.success(login.host, login.count);
        let Some(ip) = login.client else { return };
        let source = Source::of(ip);
        let row = self.client(ip, source, login.time);
        row.ok = row.ok.saturating_add(login.count);
        row.last_ok = row.last_ok.max(login.time);
        let (tries, names) = (row.tries(), row.names());
        let fast = row.burst.per_minute() >= takeover::RUSH_PER_MINUTE
            || row.burst.per_ten_minutes() >= takeover::RUSH_PER_TEN_MINUTES;
        let Some(account) = login.account else { return };
        let name = self.name(account);
        let first_here = self.pair_logged_in((source, name), login);
        if first_here
            && let Some(row) = self.clients.get_mut(&source)
            && row.ok_names.len() < PER_ROW
        {
            row.ok_names.push(name);
        }
        let least = self.settings.thresholds.takeover_tries;
        let row = self.account(name, account, login.time);
        let new_place = row.ok > 0 && login.time - row.first_ok >= takeover::KNOWN_FOR && !row.lives_about(source);
        let attackers = u32::try_from(row.clients.len()).unwrap_or(u32::MAX);
        // Of an account hardly known, too: what it sends then, and what of that comes back, may tell.
        let elsewhere = row.ok > 0 && !row.lives_about(source);
        let suspicious = first_here && (tries >= least || elsewhere || attackers >= least);
        if first_here {
            let new_network = !row.lives_about(source);
            row.owner_mut().spread.add(login.time, new_network);
        }
        if row.ok == 0 {
            row.first_ok = login.time;
        }
        row.ok = row.ok.saturating_add(login.count);
        row.last_ok = row.last_ok.max(login.time);
        let owner = row.owner_mut();
        owner.come_home(source, login);
        if suspicious {
            let suspect = Suspect {
                client: source,
                time: login.time,
                tries,
                names,
                fast,
                new_place,
                attackers,
                most_per_hour_before: owner.sent.most,
                messages: 0,
                volume: rows::Volume::default(),
                recipients: 0,
                recipients_per_hour: rows::Volume::default(),
                bounced: 0,
                listed: Vec::new(),
                proof: None,
            };
            owner.suspect(suspect);
            if tries >= least
                && let Some(kept) = keep_proof(&mut self.proofs, proof(login.line))
                && let Some(last) = self.account(name, b"", login.time).owner_mut().suspects.last_mut()
            {
                last.proof = Some(kept);
            }
        }
    }

    /// A message was accepted from a login; its fate comes later.
    pub fn accepted(&mut self, time: i64, client: Option<IpAddr>, account: &[u8]) {
        let Some(source) = client.map(Source::of) else { return };
        if let Some(row) = self.clients.get_mut(&source) {
            row.messages = row.messages.saturating_add(1);
        }
        let name = self.name(account);
        let Some(row) = self.accounts.get_mut(&name) else { return };
        let owner = row.owner_mut();
        match owner.suspects.iter_mut().rev().find(|s| s.covers(source, time)) {
            Some(suspect) => {
                suspect.messages = suspect.messages.saturating_add(1);
                suspect.volume.add(time, 1);
            }
            None => owner.sent.add(time, 1),
        }
    }

    /// Whether the fate of a message of this account would be of use to [`Detector::mailed`].
    #[must_use]
    pub fn wants_mail_of(&mut self, account: &[u8]) -> bool {
        let name = self.name(account);
        self.accounts.get(&name).is_some_and(|row| !row.suspects().is_empty())
    }

    /// A message of a login, with its fate.
    pub fn mailed(&mut self, mail: &Mailed<'_>) {
        let (Some(source), name) = (mail.client.map(Source::of), self.name(mail.account)) else { return };
        let Some(row) = self.accounts.get_mut(&name).filter(|row| !row.suspects().is_empty()) else { return };
        let Some(suspect) = row.owner_mut().suspects.iter_mut().rev().find(|s| s.covers(source, mail.time)) else {
            return;
        };
        suspect.recipients = suspect.recipients.saturating_add(mail.recipients);
        suspect.recipients_per_hour.add(mail.time, mail.recipients);
        suspect.bounced = suspect.bounced.saturating_add(mail.bounced);
        if suspect.listed.len() < MESSAGES {
            let Mailed { time, queue_id, recipients, sent, bounced, .. } = *mail;
            suspect.listed.push(SentThen { time, queue_id: queue_id.into(), recipients, sent, bounced });
        }
    }

    /// Mail was refused for want of a login, or in spite of one.
    pub fn turned_away(&mut self, away: &TurnedAway<'_>, proof: impl Fn(u64) -> Option<Proof>) {
        self.tick(away.time);
        let Some(ip) = away.client else { return };
        let source = Source::of(ip);
        let name = away.account.map(|account| self.name(account));
        let row = self.client(ip, source, away.time);
        let counter = match (away.relay, away.logged_in) {
            (true, true) => &mut row.rare_mut().relay_denied,
            (false, false) => &mut row.rare_mut().not_logged_in,
            _ => return,
        };
        *counter = counter.saturating_add(away.count);
        let wants = row.proofs.len() < PROOFS_PER_ROW;
        if wants && let Some(kept) = keep_proof(&mut self.proofs, proof(away.line)) {
            self.client(ip, source, away.time).proofs.push(kept);
        }
        if let (Some(name), Some(account)) = (name, away.account) {
            self.account(name, account, away.time);
            if let Some(row) = self.clients.get_mut(&source)
                && row.ok_names.len() < PER_ROW
                && !row.ok_names.contains(&name)
            {
                row.ok_names.push(name);
            }
        }
    }

    /// Something about the server changed: it may explain what begins then.
    pub fn changed(&mut self, time: i64, change: Change) {
        self.seams.changed(time, change);
    }

    /// Lines are missing from the log.
    pub fn lines_lost(&mut self, time: i64, count: u64) {
        self.seams.lost(time, count);
    }

    /// A line holds credentials.
    pub fn secret(&mut self, time: i64, line: u64, proof: impl Fn(u64) -> Option<Proof>) {
        let proofs = &mut self.proofs;
        self.secrets.add(time, || keep_proof(proofs, proof(line)));
    }

    /// All findings, the gravest first; within a kind the largest first.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        let mut found = self.outages.findings(self);
        let mut told = Told::outages(&found);
        takeover::findings(self, &mut told, &mut found);
        people::findings(self, &mut told, &mut found);
        guessing::findings(self, &mut told, &mut found);
        distributed::findings(self, &mut told, &mut found);
        trouble::findings(self, &told, &mut found);
        self.seams.note(self, &mut found);
        // Sorting is stable: within a kind the order above stands. Of the keys alone: there may be many findings, and they are large.
        found.sort_by_cached_key(|finding| finding.kind);
        found
    }

    fn tick(&mut self, time: i64) {
        if self.first == 0 {
            self.first = time;
        }
        self.last = self.last.max(time);
    }

    fn name(&mut self, account: &[u8]) -> Name {
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

    fn word(&mut self, word: &[u8]) -> u8 {
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

    fn client(&mut self, ip: IpAddr, source: Source, time: i64) -> &mut ClientRow {
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

    fn account(&mut self, name: Name, spelled: &[u8], time: i64) -> &mut AccountRow {
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
    fn pair_failed(&mut self, pair: (Source, Name), time: i64, count: u32) -> History {
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
    fn pair_logged_in(&mut self, pair: (Source, Name), login: &LoggedIn<'_>) -> bool {
        self.room_for_pair(pair);
        let pair = self.pairs.entry(pair).or_insert_with(|| Pair::Told(Box::default()));
        pair.change(|history| history.log_in(login.time, login.count))
    }

    fn room_for_pair(&mut self, pair: (Source, Name)) {
        if self.pairs.len() >= self.bounds.pairs && !self.pairs.contains_key(&pair) {
            self.forget();
        }
    }

    // ---- what the kinds ask ----

    fn thresholds(&self) -> &Thresholds {
        &self.settings.thresholds
    }

    fn evidence(&self, places: impl IntoIterator<Item = u32>) -> Vec<Proof> {
        places.into_iter().filter_map(|at| self.proofs.get(at as usize).cloned()).collect()
    }

    fn history(&self, source: Source, name: Name) -> Option<History> {
        self.pairs.get(&(source, name)).map(Pair::history)
    }

    fn spelled(&self, name: Name) -> Option<Box<[u8]>> {
        self.accounts.get(&name).map(|row| row.name.as_slice().into())
    }

    /// Whether an account by that name logs in, from anywhere.
    fn is_in_use(&self, name: Name) -> bool {
        self.accounts.get(&name).is_some_and(|row| row.ok > 0)
    }

    fn lives_about(&self, name: Name, source: Source) -> bool {
        self.accounts.get(&name).is_some_and(|row| row.lives_about(source))
    }

    fn addresses(&self, source: Source, row: &ClientRow) -> Vec<IpAddr> {
        if row.rare().addresses.is_empty() {
            return vec![source.ip()];
        }
        let mut all: Vec<IpAddr> = row.rare().addresses.iter().map(|ip| IpAddr::V6(*ip)).collect();
        all.sort_unstable();
        all
    }

    /// Sources that findings may tell of, those with most tries first; the order is the same every time.
    fn ranked(&self) -> Vec<(Source, &ClientRow)> {
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
    fn ranked_accounts(&self) -> Vec<(Name, &AccountRow)> {
        let mut rows: Vec<_> = self.accounts.iter().map(|(name, row)| (*name, &**row)).collect();
        rows.sort_unstable_by(|(_, a), (_, b)| b.failed.cmp(&a.failed).then_with(|| a.name.cmp(&b.name)));
        rows
    }
}

impl Owner {
    fn come_home(&mut self, source: Source, login: &LoggedIn<'_>) {
        let (net, time) = (source.near(), login.time);
        if let Some(home) = self.homes.iter_mut().find(|home| home.net == net) {
            home.ok = home.ok.saturating_add(login.count);
            home.last = home.last.max(time);
            return;
        }
        if self.homes.len() >= HOMES
            && let Some(oldest) = (0..self.homes.len()).min_by_key(|at| self.homes.get(*at).map_or(0, |home| home.last))
        {
            self.homes.swap_remove(oldest);
        }
        self.homes.push(Home { net, ok: login.count, first: time, last: time });
    }

    /// Keeps an eye on a login; the least interesting one gives way.
    fn suspect(&mut self, new: Suspect) {
        if self.suspects.len() >= SUSPECTS
            && let Some(least) = (0..self.suspects.len())
                .min_by_key(|at| self.suspects.get(*at).map_or((0, 0, 0), |s| (s.tries.min(10), s.messages, s.time)))
        {
            self.suspects.remove(least);
        }
        self.suspects.push(new);
    }
}

impl Suspect {
    /// Whether a message may be of this login: it is of its network, and not weeks later.
    fn covers(&self, source: Source, time: i64) -> bool {
        const WEEK: i64 = 7 * 86_400_000_000;
        self.client.near() == source.near() && (self.time..self.time + WEEK).contains(&time)
    }
}

/// A network an account logs in from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The network.
    pub net: IpNet,
    /// Logins from there.
    pub logins: u32,
    /// The first and the last, microseconds.
    pub first: i64,
    /// See `first`.
    pub last: i64,
    /// The account had been known for days when it came up.
    pub new: bool,
}

impl Home {
    fn place(&self, row: &AccountRow) -> Place {
        let bits = if self.net.ip().is_ipv4() { 24 } else { 48 };
        Place {
            net: IpNet::new_assert(self.net.ip(), bits),
            logins: self.ok,
            first: self.first,
            last: self.last,
            new: self.first - row.first_ok >= takeover::KNOWN_FOR,
        }
    }
}

/// What a failure says about its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// What it sent as credentials was refused.
    Credentials,
    /// It tried too often to be answered.
    HeldOff,
    /// The answer was lost, and the log does not tell why.
    Lost,
    /// Its mechanism is not offered.
    Mechanism,
    /// Refused before the backend was asked.
    Silent,
    /// The backend's fault.
    Fault,
    /// None of these.
    Other,
}

impl What {
    fn of(failed: &Failed<'_>) -> Self {
        match (failed.class, failed.cause) {
            _ if failed.killed => Self::Fault,
            (Some(Class::BackendFault), "backend.penalty") | (Some(Class::RateLimited), "limit.auth_rate") => {
                Self::HeldOff
            }
            (Some(Class::BackendFault), cause_ids::LOST | cause_ids::OVERLOAD) => Self::Lost,
            (Some(Class::BackendFault), _) => Self::Fault,
            (Some(Class::AuthFailed), "client.mechanism_unsupported") => Self::Mechanism,
            (Some(Class::AuthFailed), _) => Self::Credentials,
            (Some(Class::AuthRefused), _) => Self::Silent,
            _ => Self::Other,
        }
    }
}

/// Puts a line among the proofs, if there is room for it. Output: its place.
fn keep_proof(proofs: &mut Vec<Proof>, proof: Option<Proof>) -> Option<u32> {
    let proof = proof.filter(|_| proofs.len() < PROOFS)?;
    let at = u32::try_from(proofs.len()).ok()?;
    proofs.push(proof);
    Some(at)
}

/// What has been told of already.
#[derive(Default)]
pub(crate) struct Told {
    /// Sources with a finding of their own: what they are.
    pub(crate) clients: Map<Source, Kind>,
    /// Times in which the backend was out.
    outages: Vec<(i64, i64)>,
}

impl Told {
    /// Notes the outages among the findings so far.
    fn outages(found: &[Finding]) -> Self {
        let outages = found.iter().filter(|finding| matches!(finding.kind, Kind::BackendOutage | Kind::ConfigFault));
        Self { outages: outages.map(|finding| (finding.from, finding.to)).collect(), ..Self::default() }
    }

    /// Whether all of it was while the backend was out, or just before or after.
    pub(crate) fn was_out(&self, from: i64, to: i64) -> bool {
        const AROUND: i64 = 600 * 1_000_000;
        self.outages.iter().any(|(since, until)| since - AROUND <= from && to <= until + AROUND)
    }
}
