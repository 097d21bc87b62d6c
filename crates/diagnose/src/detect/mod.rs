//! What a person should know now, out of single failures and successes.
//!
//! Facts about logins go in, one call each ([`Failed`], [`LoggedIn`], [`Mailed`], [`TurnedAway`], changes, losses); the findings of
//! all of them come out whenever they are asked for. The state is bounded, can be put aside and taken up again
//! ([`Detector::snapshot`]), and is the same whether a log is read once or followed: so are the findings.
//!
//! Bounds: [`Bounds`] sources, names and pairs of both; beyond them those are forgotten first that tried a few times long ago
//! ([`Detector::forgotten`] counts them). [`PROOFS`] lines are kept as evidence.

mod cadence;
mod crowd;
mod distributed;
mod finding;
mod forgetting;
mod guessing;
mod held;
mod inbound;
mod input;
mod insiders;
mod outage;
mod owner;
mod people;
mod roaming;
mod rows;
mod seams;
mod settings;
mod source;
mod tables;
mod takeover;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
mod tests;
mod thresholds;
mod told;
mod tried;
mod trouble;
mod unnamed;
mod variants;
mod watching;
mod who;

use std::hash::BuildHasher as _;
use std::net::IpAddr;

use foldhash::fast::SeedableRandomState;
use serde::{Deserialize, Serialize};
use trace::Map;

pub use cadence::Cadence;
pub use finding::{Decided, Finding, Kind, Proof, SentThen};
use held::{Held, Spare};
use inbound::Inbound;
pub use input::{Failed, LoggedIn, Mailed, TurnedAway};
pub use outage::Incident;
use outage::Outages;
pub use owner::Place;
use rows::{AccountRow, ClientRow, Name, Pair};
pub use seams::Change;
use seams::Seams;
pub use settings::Settings;
pub use source::Source;
pub use thresholds::{Threshold, Thresholds};
use told::Told;
use trouble::Secrets;

/// Lines kept as evidence at most.
pub const PROOFS: usize = 20_000;
/// The layout of what [`Detector::snapshot`] writes.
const LAYOUT: u8 = 7;

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
    /// Where mailboxes are read from (IMAP, POP3), and when last; as many as sources at most.
    readers: Map<Source, i64>,
    /// Where mail comes in from without a login, and how much; as many as sources at most.
    inbound: Inbound,
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
            readers: Map::default(),
            inbound: Inbound::default(),
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

    /// All findings, the gravest first; within a kind the largest first.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        let mut found = self.outages.findings(self);
        let mut told = Told::outages(&found);
        takeover::findings(self, &mut told, &mut found);
        people::findings(self, &mut told, &mut found);
        unnamed::findings(self, &mut told, &mut found);
        guessing::findings(self, &mut told, &mut found);
        distributed::findings(self, &mut told, &mut found);
        trouble::findings(self, &told, &mut found);
        self.seams.note(self, &mut found);
        // Sorting is stable: within a kind the order above stands. Of the keys alone: there may be many findings, and they are large.
        found.sort_by_cached_key(|finding| finding.kind);
        found
    }
}
