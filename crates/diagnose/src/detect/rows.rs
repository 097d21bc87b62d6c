//! What is remembered of each source, each account, and each pair of them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::cadence::{Burst, Cadence};
use super::finding::SentThen;
use super::source::Source;
use super::takeover;

/// A login name without case, as a keyed hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Name(pub(crate) u64);

/// Names of a source, sources of an account, at most; more are counted only.
pub(crate) const PER_ROW: usize = 20_000;
/// Addresses told apart within a /64 at most.
const ADDRESSES: usize = 500;
/// Networks an account logs in from, remembered at most; the one silent for longest gives way.
pub(crate) const HOMES: usize = 64;
/// Logins of an account that are looked at closer at once, at most.
pub(crate) const SUSPECTS: usize = 12;
/// Logins from one network over so long, in microseconds, make an account known before it was seen for days.
const KNOWN_LOGINS: u32 = 8;
const KNOWN_HOURS: i64 = 6 * 3_600_000_000;
/// Messages listed for each of them at most; all are counted.
pub(crate) const MESSAGES: usize = 100;

/// Evidence lines of a source or an account at most.
pub(crate) const PROOFS_PER_ROW: usize = 3;

/// A name as it was spelled. Findings name it, too.
pub(crate) type Spelled = Arc<[u8]>;

/// Names of a source, or sources of a name: nearly always one or two.
pub(crate) type Few<T> = SmallVec<[T; 2]>;

/// Places among the proofs. Small, as every row has one.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Places([Option<std::num::NonZeroU16>; PROOFS_PER_ROW]);

const _: () = assert!(super::PROOFS < u16::MAX as usize, "a place fits in `Places`");

impl Places {
    /// Keeps one more, if there is room.
    pub(crate) fn push(&mut self, place: u32) {
        let after = u16::try_from(place).ok().and_then(|place| std::num::NonZeroU16::MIN.checked_add(place));
        if let Some(free) = self.0.iter_mut().find(|place| place.is_none()) {
            *free = after;
        }
    }

    /// Keeps one in the last room, whatever was there.
    pub(crate) fn end_with(&mut self, place: Option<u32>) {
        if let (Some(place), [.., last]) = (place, &mut self.0) {
            *last = None;
            self.push(place);
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> {
        self.0.into_iter().flatten().map(|after| u32::from(after.get()) - 1)
    }

    pub(crate) fn len(&self) -> usize {
        self.iter().count()
    }

    pub(crate) fn first(&self) -> Option<u32> {
        self.iter().next()
    }
}

/// One source.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct ClientRow {
    pub(crate) first: i64,
    pub(crate) last: i64,
    pub(crate) first_failure: i64,
    pub(crate) last_failure: i64,
    /// Refused by the backend for what was sent as credentials.
    pub(crate) failed: u32,
    /// Lost to Dovecot's delay for those who keep failing, or over the limit of AUTH commands: tries all the same.
    pub(crate) held_off: u32,
    /// Failures that name nobody.
    pub(crate) unnamed: u32,
    /// Failures for names that the backend says it does not know.
    pub(crate) unknown_user: u32,
    pub(crate) ok: u32,
    pub(crate) last_ok: i64,
    pub(crate) messages: u32,
    /// Names it failed with, and logged in as.
    pub(crate) names: Few<Name>,
    pub(crate) names_beyond: u32,
    pub(crate) ok_names: Few<Name>,
    pub(crate) burst: Burst,
    pub(crate) cadence: Cadence,
    /// What it last tried to log in with: numbers of words.
    pub(crate) mechanism: u8,
    pub(crate) service: u8,
    pub(crate) proofs: Places,
    rare: Option<Box<Rare>>,
}

/// What is known of a source beside its logins: few have any of it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Rare {
    /// Addresses of an IPv6 /64; empty for IPv4.
    pub(crate) addresses: Vec<std::net::Ipv6Addr>,
    /// Answers lost for a reason the log does not tell.
    pub(crate) lost: u32,
    /// Refused before the backend was asked.
    pub(crate) silent: u32,
    /// Of these: for want of STARTTLS.
    pub(crate) no_tls: u32,
    /// Of these: on a service that answers no logins, or that did not answer this one.
    pub(crate) no_auth: u32,
    /// Of these: by a mail user, on port 25.
    pub(crate) wrong_port: u32,
    pub(crate) mechanism_refused: u32,
    /// The last mechanism that was not offered: the number of its word.
    pub(crate) refused_mechanism: u8,
    /// Refused for want of a login; and to relay, though logged in.
    pub(crate) not_logged_in: u32,
    pub(crate) relay_denied: u32,
    /// Refused to relay on port 25, where nobody logs in.
    pub(crate) relaying: Option<Box<Relaying>>,
}

/// What a source that never logged in sends as.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Relaying {
    sender: Name,
    /// The sender's domain, without case.
    pub(crate) domain: Box<[u8]>,
    /// It has used others, too.
    pub(crate) others: bool,
    pub(crate) refused: u32,
    pub(crate) first: i64,
    pub(crate) last: i64,
    pub(crate) cadence: Cadence,
}

impl Relaying {
    pub(crate) fn of(sender: Name, domain: Vec<u8>, first: i64) -> Box<Self> {
        let domain = domain.into_boxed_slice();
        Box::new(Self { sender, domain, others: false, refused: 0, first, last: first, cadence: Cadence::default() })
    }

    pub(crate) fn refuse(&mut self, sender: Name, time: i64, count: u32) {
        self.others |= sender != self.sender;
        self.refused = self.refused.saturating_add(count);
        self.last = self.last.max(time);
        self.cadence.add(time);
    }
}

/// A source of which nothing rare is known.
static NOTHING_RARE: Rare = Rare {
    addresses: Vec::new(),
    lost: 0,
    silent: 0,
    no_tls: 0,
    no_auth: 0,
    wrong_port: 0,
    mechanism_refused: 0,
    refused_mechanism: 0,
    not_logged_in: 0,
    relay_denied: 0,
    relaying: None,
};

impl Rare {
    /// One of the addresses of its /64.
    pub(crate) fn add_address(&mut self, address: std::net::Ipv6Addr) {
        let known = self.addresses.last() == Some(&address) || self.addresses.contains(&address);
        if self.addresses.len() < ADDRESSES && !known {
            self.addresses.push(address);
        }
    }
}

impl ClientRow {
    pub(crate) fn rare(&self) -> &Rare {
        self.rare.as_deref().unwrap_or(&NOTHING_RARE)
    }

    pub(crate) fn rare_mut(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// Refusals to relay on port 25, where nobody logs in.
    pub(crate) fn relays(&self) -> u32 {
        self.rare().relaying.as_ref().map_or(0, |relaying| relaying.refused)
    }

    /// Tries at credentials, whatever became of them.
    pub(crate) fn tries(&self) -> u32 {
        self.failed.saturating_add(self.held_off)
    }

    pub(crate) fn names(&self) -> u32 {
        u32::try_from(self.names.len()).unwrap_or(u32::MAX).saturating_add(self.names_beyond)
    }

    /// Whether it is of more interest than the many that tried once or twice and never came back.
    pub(crate) fn is_worth_keeping(&self, few: u32) -> bool {
        let rare = self.rare();
        self.ok > 0 || self.tries() >= few || rare.not_logged_in + rare.relay_denied + rare.mechanism_refused > 0
    }
}

/// One account, or a name that somebody tried.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct AccountRow {
    /// As first spelled.
    pub(crate) name: Spelled,
    pub(crate) failed: u32,
    pub(crate) ok: u32,
    /// Its mailbox is read (IMAP, POP3): somebody has it, if not by a login of Postfix's.
    pub(crate) is_read: bool,
    pub(crate) first_failure: i64,
    pub(crate) last_failure: i64,
    pub(crate) first_ok: i64,
    pub(crate) last_ok: i64,
    /// Sources that failed with it.
    pub(crate) clients: Few<Source>,
    pub(crate) clients_beyond: u32,
    pub(crate) cadence: Cadence,
    pub(crate) proofs: Places,
    owner: Option<Box<Owner>>,
}

/// What those who have the password do with an account: most names that are tried are nobody's.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Owner {
    /// Where it logs in from.
    pub(crate) homes: Vec<Home>,
    pub(crate) suspects: Vec<Suspect>,
    pub(crate) sent: Volume,
    pub(crate) spread: Spread,
}

impl AccountRow {
    pub(crate) fn homes(&self) -> &[Home] {
        self.owner.as_ref().map(|owner| owner.homes.as_slice()).unwrap_or_default()
    }

    pub(crate) fn suspects(&self) -> &[Suspect] {
        self.owner.as_ref().map(|owner| owner.suspects.as_slice()).unwrap_or_default()
    }

    /// The day with most new sources.
    pub(crate) fn worst_day(&self) -> Option<WorstDay> {
        self.owner.as_ref()?.spread.worst
    }

    pub(crate) fn owner_mut(&mut self) -> &mut Owner {
        self.owner.get_or_insert_default()
    }

    /// Whether it logs in from about there.
    pub(crate) fn lives_about(&self, source: Source) -> bool {
        self.homes().iter().any(|home| home.net.wide() == source.wide())
    }

    /// Whether it had been seen for so long, or so often where it lives, that a place may be new to it.
    pub(crate) fn is_known(&self, time: i64) -> bool {
        let lives = |home: &Home| home.ok >= KNOWN_LOGINS && home.last - home.first >= KNOWN_HOURS;
        self.ok > 0 && (time - self.first_ok >= takeover::KNOWN_FOR || self.homes().iter().any(lives))
    }

    /// Whether somebody has the password, from wherever.
    pub(crate) fn is_in_use(&self) -> bool {
        self.ok > 0 || self.is_read
    }

    pub(crate) fn is_worth_keeping(&self, few: u32) -> bool {
        self.is_in_use() || self.failed >= few || self.clients.len() >= few as usize
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
    /// It is no login from a new network, but the hour in which the account began to send as it never did from where everybody does.
    pub(crate) flood: bool,
    /// The source was in a rush.
    pub(crate) fast: bool,
    /// The account was known, and had never logged in from about there.
    pub(crate) new_place: bool,
    /// The account had not logged in from anywhere, in a log of days.
    pub(crate) dormant: bool,
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
    pub(crate) start: i64,
    pub(crate) count: u32,
    pub(crate) most: u32,
    /// The most in any hour before this one.
    pub(crate) before: u32,
}

impl Volume {
    pub(crate) fn add(&mut self, time: i64, count: u32) {
        if self.count == 0 || time - self.start >= 3_600_000_000 {
            (self.start, self.count, self.before) = (time, 0, self.most);
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
    worst: Option<WorstDay>,
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

/// A source and an account. There are more of these than of anything else, and nearly all failed once and never came back.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Pair {
    /// One failure that stands for so many.
    Once { time: i64, count: u32 },
    /// Anything more.
    Told(Box<History>),
}

/// What became of an account's logins from a source; times are 0 where there is none.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct History {
    pub(crate) failed: u32,
    pub(crate) ok: u32,
    pub(crate) first_ok: i64,
    pub(crate) last_ok: i64,
    pub(crate) first_failure: i64,
    pub(crate) last_failure: i64,
    pub(crate) cadence: Cadence,
}

impl Pair {
    /// A pair of which nothing is known but these failures.
    pub(crate) fn once(time: i64, count: u32) -> Self {
        Self::Once { time, count }
    }

    pub(crate) fn history(&self) -> History {
        match *self {
            Self::Once { time, count } => {
                let mut history = History::default();
                history.fail(time, count);
                history
            }
            Self::Told(ref history) => **history,
        }
    }

    /// Something more happened.
    pub(crate) fn change<T>(&mut self, change: impl FnOnce(&mut History) -> T) -> T {
        match self {
            Self::Told(history) => change(history),
            Self::Once { .. } => {
                let mut history = Box::new(self.history());
                let told = change(&mut history);
                *self = Self::Told(history);
                told
            }
        }
    }

    pub(crate) fn last(&self) -> i64 {
        match self {
            Self::Once { time, .. } => *time,
            Self::Told(history) => history.last_ok.max(history.last_failure),
        }
    }

    /// Whether it is of more interest than the many that failed a few times.
    pub(crate) fn is_worth_keeping(&self, few: u32) -> bool {
        match self {
            Self::Once { count, .. } => *count >= few,
            Self::Told(history) => history.ok > 0 || history.failed >= few,
        }
    }

    /// Whether the account ever logged in from there.
    pub(crate) fn got_in(&self) -> bool {
        matches!(self, Self::Told(history) if history.ok > 0)
    }
}

impl History {
    /// A failure.
    pub(crate) fn fail(&mut self, time: i64, count: u32) {
        self.failed = self.failed.saturating_add(count);
        if self.first_failure == 0 {
            self.first_failure = time;
        }
        self.last_failure = self.last_failure.max(time);
        self.cadence.add(time);
    }

    /// A login. Output: whether it was the first one.
    pub(crate) fn log_in(&mut self, time: i64, count: u32) -> bool {
        let first = self.ok == 0;
        if first {
            self.first_ok = time;
        }
        self.ok = self.ok.saturating_add(count);
        self.last_ok = self.last_ok.max(time);
        first
    }
}
