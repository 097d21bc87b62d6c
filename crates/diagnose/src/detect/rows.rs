//! What is remembered of each source, each account, and each pair of them.

use serde::{Deserialize, Serialize};

use super::cadence::{Burst, Cadence};
use super::finding::SentThen;
use super::source::Source;

/// A login name without case, as a keyed hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Name(pub(crate) u64);

/// Names of a source, sources of an account, at most; more are counted only.
pub(crate) const PER_ROW: usize = 20_000;
/// Addresses told apart within a /64 at most.
pub(crate) const ADDRESSES: usize = 500;
/// Networks an account logs in from, remembered at most; the one silent for longest gives way.
pub(crate) const HOMES: usize = 64;
/// Logins of an account that are looked at closer at once, at most.
pub(crate) const SUSPECTS: usize = 12;
/// Messages listed for each of them at most; all are counted.
pub(crate) const MESSAGES: usize = 100;

/// One source.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct ClientRow {
    /// Addresses of an IPv6 /64; empty for IPv4.
    pub(crate) addresses: Vec<std::net::Ipv6Addr>,
    pub(crate) first: i64,
    pub(crate) last: i64,
    pub(crate) first_failure: i64,
    pub(crate) last_failure: i64,
    /// Refused by the backend for what was sent as credentials.
    pub(crate) failed: u32,
    /// Lost to Dovecot's delay for those who keep failing, or over the limit of AUTH commands: tries all the same.
    pub(crate) held_off: u32,
    /// Lost for a reason the log does not tell.
    pub(crate) lost: u32,
    /// Refused before the backend was asked.
    pub(crate) silent: u32,
    /// Of these: for want of STARTTLS.
    pub(crate) no_tls: u32,
    /// Of these: on a service that answers no logins.
    pub(crate) no_auth: u32,
    /// Of these: by a mail user, on port 25.
    pub(crate) wrong_port: u32,
    pub(crate) mechanism_refused: u32,
    /// Failures that name nobody.
    pub(crate) unnamed: u32,
    /// Failures for names that the backend says it does not know.
    pub(crate) unknown_user: u32,
    pub(crate) ok: u32,
    pub(crate) last_ok: i64,
    pub(crate) messages: u32,
    /// Refused for want of a login; and to relay, though logged in.
    pub(crate) not_logged_in: u32,
    pub(crate) relay_denied: u32,
    /// Names it failed with, and logged in as.
    pub(crate) names: Vec<Name>,
    pub(crate) names_beyond: u32,
    pub(crate) ok_names: Vec<Name>,
    pub(crate) burst: Burst,
    pub(crate) cadence: Cadence,
    /// What it last tried to log in with: numbers of words.
    pub(crate) mechanism: u16,
    pub(crate) service: u16,
    /// Places among the proofs.
    pub(crate) proofs: Vec<u32>,
}

impl ClientRow {
    /// Tries at credentials, whatever became of them.
    pub(crate) fn tries(&self) -> u32 {
        self.failed.saturating_add(self.held_off)
    }

    pub(crate) fn names(&self) -> u32 {
        u32::try_from(self.names.len()).unwrap_or(u32::MAX).saturating_add(self.names_beyond)
    }

    /// Whether it is of more interest than the many that tried once or twice and never came back.
    pub(crate) fn is_worth_keeping(&self, few: u32) -> bool {
        self.ok > 0 || self.tries() >= few || self.not_logged_in + self.relay_denied + self.mechanism_refused > 0
    }
}

/// One account, or a name that somebody tried.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct AccountRow {
    /// As first spelled.
    pub(crate) name: Box<[u8]>,
    pub(crate) failed: u32,
    pub(crate) ok: u32,
    pub(crate) first_failure: i64,
    pub(crate) last_failure: i64,
    pub(crate) first_ok: i64,
    pub(crate) last_ok: i64,
    /// Sources that failed with it.
    pub(crate) clients: Vec<Source>,
    pub(crate) clients_beyond: u32,
    pub(crate) cadence: Cadence,
    /// Where it logs in from.
    pub(crate) homes: Vec<Home>,
    pub(crate) suspects: Vec<Suspect>,
    pub(crate) sent: Volume,
    pub(crate) spread: Spread,
    pub(crate) proofs: Vec<u32>,
}

impl AccountRow {
    /// Whether it logs in from about there.
    pub(crate) fn lives_about(&self, source: Source) -> bool {
        self.homes.iter().any(|home| home.net.wide() == source.wide())
    }

    pub(crate) fn is_worth_keeping(&self, few: u32) -> bool {
        self.ok > 0 || self.failed >= few || self.clients.len() >= few as usize
    }
}

/// A network (/24, /48) an account logs in from.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Home {
    pub(crate) net: Source,
    pub(crate) ok: u32,
    pub(crate) first: i64,
    pub(crate) last: i64,
}

/// A login that may not have been its owner's: the first one from a network new to the account.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Suspect {
    pub(crate) client: Source,
    pub(crate) time: i64,
    /// Tries of that source before it, and names it had tried.
    pub(crate) tries: u32,
    pub(crate) names: u32,
    /// The source was in a rush.
    pub(crate) fast: bool,
    /// The account had logged in from elsewhere for days, and never from about there.
    pub(crate) new_place: bool,
    /// Sources that had failed with the account and never logged in as it.
    pub(crate) attackers: u32,
    /// Messages of the account in its fullest hour before.
    pub(crate) most_per_hour_before: u32,
    /// Messages since, from that network: in all, in the fullest hour.
    pub(crate) messages: u32,
    pub(crate) volume: Volume,
    pub(crate) recipients: u32,
    pub(crate) recipients_per_hour: Volume,
    pub(crate) bounced: u32,
    pub(crate) listed: Vec<SentThen>,
    pub(crate) proof: Option<u32>,
}

/// Messages or recipients in the hour that began with the first of them, and in the fullest such hour.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Volume {
    start: i64,
    count: u32,
    pub(crate) most: u32,
}

impl Volume {
    pub(crate) fn add(&mut self, time: i64, count: u32) {
        if self.count == 0 || time - self.start >= 3_600_000_000 {
            (self.start, self.count) = (time, 0);
        }
        self.count = self.count.saturating_add(count);
        self.most = self.most.max(self.count);
    }
}

/// Places new to an account, day by day.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Spread {
    day: i64,
    /// Sources and networks of this day.
    today: (u32, u32),
    /// The most of any day before.
    most_before: (u32, u32),
    /// Days before with any.
    days: u32,
    /// The day with most new sources.
    pub(crate) worst: Option<WorstDay>,
}

/// The day on which an account logged in from most places it had not been seen in.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct WorstDay {
    /// When it began, microseconds.
    pub(crate) from: i64,
    pub(crate) sources: u32,
    /// Networks as wide as a provider.
    pub(crate) networks: u32,
    /// The most of both on any day before, and how many such days there were.
    pub(crate) before: (u32, u32),
    pub(crate) days_before: u32,
}

/// A day, in microseconds.
const DAY: i64 = 86_400_000_000;

impl Spread {
    /// A login from a source the account was not seen at before.
    pub(crate) fn add(&mut self, time: i64, new_network: bool) {
        let day = time.div_euclid(DAY);
        if day != self.day {
            self.most_before = (self.most_before.0.max(self.today.0), self.most_before.1.max(self.today.1));
            self.days += u32::from(self.today.0 > 0);
            (self.day, self.today) = (day, (0, 0));
        }
        self.today = (self.today.0 + 1, self.today.1 + u32::from(new_network));
        if self.worst.is_none_or(|worst| self.today.0 > worst.sources) {
            let (sources, networks) = self.today;
            let (before, days_before) = (self.most_before, self.days);
            self.worst = Some(WorstDay { from: day * DAY, sources, networks, before, days_before });
        }
    }
}

/// A source and an account; times are 0 where there is none.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Pair {
    pub(crate) failed: u32,
    pub(crate) ok: u32,
    pub(crate) first_ok: i64,
    pub(crate) last_ok: i64,
    pub(crate) first_failure: i64,
    pub(crate) last_failure: i64,
    pub(crate) cadence: Cadence,
}

impl Pair {
    pub(crate) fn last(&self) -> i64 {
        self.last_ok.max(self.last_failure)
    }
}
