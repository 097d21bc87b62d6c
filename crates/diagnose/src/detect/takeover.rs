//! `account_takeover`: a login that was guessed or stolen, as far as its traces tell.
//!
//! Signs add up: the source tried many names, or many times in a rush; the account was never seen in that network; it is under
//! attack; after the login it sends as it never did; much comes back. Who has a password may use it from several addresses at once: what
//! places new to the account send at about the same time counts as one. And by themselves: logins from more places in a day than anybody
//! travels.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use super::finding::{Finding, Kind, hash_of, plural};
use super::rows::{AccountRow, Home, Name, SUSPECTS, Suspect, WorstDay};
use super::source::Source;
use super::{Detector, Told, insiders, variants};

const DAY: i64 = 86_400_000_000;
/// So many failures in a minute, or in ten, are a rush, where a login follows them.
pub(crate) const RUSH_PER_MINUTE: u32 = 8;
/// See [`RUSH_PER_MINUTE`].
pub(crate) const RUSH_PER_TEN_MINUTES: u32 = 25;
/// So many other forms of the name it got in with are no guesses.
const OWN_FORMS: usize = 2;
/// Where more accounts log in than these, it is an office.
const OFFICE: usize = 2;
/// Signs from which on it is told.
const ENOUGH: u32 = 3;
/// With so many networks in a day nobody need have been seen before.
const PLACES_OF_NOBODY: u32 = 4;
/// Sources of one provider may change with each connection: so many times as many of them count as networks.
const SOURCES_FOR_NETWORKS: u32 = 8;
/// Recipients within an hour that count as much as a flood of messages.
const RECIPIENTS: u32 = 150;
/// The same where much of it comes back.
const RECIPIENTS_RETURNED: u32 = 60;
/// So many times as much as ever is a flood, where nothing else speaks against the login.
pub(crate) const FLOOD_TIMES: u32 = 6;
/// Where everybody sends from one place, so many must be returned, and one in so many of all recipients.
const RETURNED_THROUGH: u32 = 20;
const RETURNED_THROUGH_OF: u32 = 4;
/// Accounts of a source that are looked at for another one that was taken over there.
const NEIGHBOURS: usize = 64;
/// So many returned, and one in so many of all recipients: a list that nobody keeps. Of a list that is kept far fewer come back.
const RETURNED: u32 = 10;
const RETURNED_OF: u32 = 20;
/// Logins from new places are one person's doing if they are so close together, in microseconds.
const TOGETHER: i64 = 3 * 3_600_000_000;
/// For so long an account must be known before a place can be new to it, in microseconds.
pub(crate) const KNOWN_FOR: i64 = 2 * 86_400_000_000;
/// A place that is used for so long without an alarm is the account's own, in microseconds.
const SETTLED: i64 = 3 * 86_400_000_000;

/// Accounts that may have been taken over, and who has been told of by that.
pub(crate) fn findings(detector: &Detector, told: &mut Told, found: &mut Vec<Finding>) {
    let sources = Sources { detector, names: RefCell::default() };
    for (name, row) in detector.ranked_accounts() {
        if row.ok == 0 {
            continue;
        }
        let mut guilty: Vec<(&Suspect, u32)> =
            row.suspects().iter().map(|suspect| (suspect, signs(&sources, row, suspect))).collect();
        guilty.retain(|(suspect, signs)| *signs >= ENOUGH && !detector.settings.leaves_out(suspect.client));
        let wandering = row.worst_day().filter(|worst| is_nobody(detector, worst));
        if guilty.is_empty() && wandering.is_none() {
            continue;
        }
        // Who floods through a gateway is not the gateway.
        for (suspect, _) in guilty.iter().filter(|(suspect, _)| !suspect.flood) {
            told.clients.insert(suspect.client, Kind::AccountTakeover);
        }
        found.push(finding(detector, row, name, &guilty, wandering));
    }
}

/// How many signs there are that a login was not its owner's. What was done there to another account is one, too.
fn signs(sources: &Sources<'_>, row: &AccountRow, suspect: &Suspect) -> u32 {
    if suspect.flood {
        return if is_flood_through(sources.detector, suspect) { ENOUGH } else { 0 };
    }
    match signs_with(sources, row, suspect, false) {
        alone if alone < ENOUGH && is_with_a_thief(sources, row, suspect) => signs_with(sources, row, suspect, true),
        alone => alone,
    }
}

/// From where everybody sends, far more than ever, and a good part of it comes back. Nothing else can be told of whoever is behind it.
fn is_flood_through(detector: &Detector, suspect: &Suspect) -> bool {
    let gateway = detector.clients.get(&suspect.client);
    gateway.is_some_and(|row| insiders::is_gateway(detector, suspect.client, row))
        && suspect.bounced >= RETURNED_THROUGH
        && suspect.bounced.saturating_mul(RETURNED_THROUGH_OF) >= suspect.recipients
}

/// Whether another account was taken over from the same source within a day, whatever is known of this one.
fn is_with_a_thief(sources: &Sources<'_>, row: &AccountRow, suspect: &Suspect) -> bool {
    let detector = sources.detector;
    let Some(client) = detector.clients.get(&suspect.client) else { return false };
    let stolen = |other: &AccountRow| {
        let there = |theirs: &&Suspect| {
            !theirs.flood && theirs.client == suspect.client && (theirs.time - suspect.time).abs() <= DAY
        };
        other.suspects().iter().filter(there).any(|theirs| signs_with(sources, other, theirs, false) >= ENOUGH)
    };
    let others = client.ok_names.iter().take(NEIGHBOURS).filter_map(|name| detector.accounts.get(name));
    others.filter(|other| !std::ptr::eq::<AccountRow>(&***other, row)).any(|other| stolen(other))
}

/// The signs, `thief`: another account was taken over from there.
fn signs_with(sources: &Sources<'_>, row: &AccountRow, suspect: &Suspect, thief: bool) -> u32 {
    let detector = sources.detector;
    let thresholds = detector.thresholds();
    let Names { forms, people: tried, own } = sources.names(suspect.client);
    let many_names =
        suspect.names + 1 >= thresholds.spray_names && tried >= thresholds.spray_names as usize - 1 && tried > 2 * own;
    if many_names {
        return 3
            + u32::from(suspect.new_place)
            + u32::from(Sent::about(row, suspect).is_flood(thresholds.takeover_burst / 2, 4));
    }
    let place = Place::of(row, suspect);
    // Several people that log in from there are an office, whatever one of them does; not if they all send as they never did.
    if own > OFFICE && innocent(detector, suspect) > OFFICE || place == Place::Home {
        return 0;
    }
    let tries = match suspect.tries {
        // Nobody guesses at forms of one name that he gets in with: that is its owner with a new device.
        _ if forms >= OWN_FORMS && tried == 0 => 0,
        tries if tries < thresholds.takeover_tries => 0,
        tries if suspect.fast && tries >= thresholds.guess_tries => 2,
        _ => 1,
    };
    let under_attack = u32::from(suspect.attackers >= thresholds.distributed_clients);
    let sent = Sent::about(row, suspect);
    let returned = u32::from(sent.is_returned());
    let thief = u32::from(thief);
    // Of an account that is hardly known a new place says little by itself.
    let strange = suspect.new_place
        || tries > 0 && place == Place::Foreign
        || under_attack + returned + thief > 0 && place != Place::Unknown;
    // Who failed before, or has another account already, need not send as much to be noticed.
    let flood = if tries + under_attack + thief > 0 {
        sent.is_flood(thresholds.takeover_burst / 2, 3)
    } else {
        sent.is_flood(2 * thresholds.takeover_burst, FLOOD_TIMES)
            || returned > 0 && sent.is_flood_returned(thresholds.takeover_burst, 3)
    };
    // A mailbox that nobody used for days, and much comes back of what it sends.
    let woken = suspect.dormant && returned > 0;
    let flood = match (flood, strange || suspect.fast || woken) {
        (true, true) => 2,
        // Nothing is known of the account before the log began: a flood alone says less.
        (true, false) => 1,
        _ => 0,
    };
    tries + u32::from(strange) + under_attack + flood + returned + thief
}

/// How many accounts log in from a suspect's source that nothing is held against: that live there, or do not send more than ever. Counted
/// as far as matters: thousands may log in from one source.
fn innocent(detector: &Detector, suspect: &Suspect) -> usize {
    let burst = detector.thresholds().takeover_burst;
    let floods = |row: &AccountRow| {
        let here =
            row.suspects().iter().find(|other| other.client == suspect.client && other.time <= suspect.time + DAY);
        here.is_some_and(|other| Place::of(row, other) != Place::Home && Sent::about(row, other).is_flood(burst, 3))
    };
    let Some(client) = detector.clients.get(&suspect.client) else { return 0 };
    let innocent = client.ok_names.iter().filter(|name| !detector.accounts.get(name).is_some_and(|row| floods(row)));
    innocent.take(OFFICE + 1).count()
}

/// What a source tried to log in as.
#[derive(Clone, Copy, Default)]
struct Names {
    /// Names it never logged in as.
    forms: usize,
    /// How many people these are, besides those it logged in as.
    people: usize,
    /// Names it logged in as.
    own: usize,
}

/// What sources tried. Many accounts may be suspected of one: its names are looked through once.
struct Sources<'d> {
    detector: &'d Detector,
    names: RefCell<HashMap<Source, Names>>,
}

impl Sources<'_> {
    fn names(&self, source: Source) -> Names {
        *self.names.borrow_mut().entry(source).or_insert_with(|| foreign_names(self.detector, source))
    }
}

fn foreign_names(detector: &Detector, source: Source) -> Names {
    let Some(client) = detector.clients.get(&source) else { return Names::default() };
    let own: HashSet<u64> = client.ok_names.iter().map(|name| name.0).collect();
    let foreign: Vec<Name> = client.names.iter().filter(|name| !own.contains(&name.0)).copied().collect();
    let spelled = |names: &[Name]| names.iter().filter_map(|name| detector.spelled(*name)).collect::<Vec<_>>();
    // Names that are forgotten, or many, count as they are.
    let strange = spelled(&foreign);
    let people = if strange.len() < foreign.len() || foreign.len() > variants::FORMS {
        foreign.len()
    } else {
        variants::strangers(&spelled(&client.ok_names), &strange)
    };
    Names { forms: foreign.len(), people, own: own.len() }
}

/// What was sent from places new to an account at about the same time.
#[derive(Clone, Copy, Debug, Default)]
struct Sent {
    messages_per_hour: u32,
    recipients_per_hour: u32,
    recipients: u32,
    bounced: u32,
    /// Messages of the account in its fullest hour before.
    before: u32,
}

impl Sent {
    fn about(row: &AccountRow, suspect: &Suspect) -> Self {
        let together = row
            .suspects()
            .iter()
            .filter(|other| (other.time - suspect.time).abs() <= TOGETHER && Place::of(row, other) != Place::Home);
        let mut sent = Self { before: suspect.most_per_hour_before, ..Self::default() };
        for other in together {
            sent.messages_per_hour = sent.messages_per_hour.saturating_add(other.volume.most);
            sent.recipients_per_hour = sent.recipients_per_hour.saturating_add(other.recipients_per_hour.most);
            sent.recipients = sent.recipients.saturating_add(other.recipients);
            sent.bounced = sent.bounced.saturating_add(other.bounced);
        }
        sent
    }

    /// It is so many times as much as the account ever sent.
    fn is_flood(self, least: u32, times: u32) -> bool {
        self.is_flood_of(least, times, (RECIPIENTS, 20))
    }

    /// The same where much comes back.
    fn is_flood_returned(self, least: u32, times: u32) -> bool {
        self.is_flood_of(least, times, (RECIPIENTS_RETURNED, 10))
    }

    /// So many messages and times as many as before; or so many recipients and times as many as messages before.
    fn is_flood_of(self, least: u32, times: u32, (recipients, recipient_times): (u32, u32)) -> bool {
        self.messages_per_hour >= least && self.messages_per_hour >= times.saturating_mul(self.before)
            || self.recipients_per_hour >= recipients
                && self.recipients_per_hour >= recipient_times.saturating_mul(self.before.max(1))
    }

    fn is_returned(self) -> bool {
        self.bounced >= RETURNED && self.bounced.saturating_mul(RETURNED_OF) >= self.recipients
    }
}

/// What a network is to an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// It logged in from about there before, or does so for days.
    Home,
    /// It usually logs in from elsewhere.
    Foreign,
    /// It once or twice logged in from elsewhere.
    Elsewhere,
    /// Nothing else is known of the account.
    Unknown,
}

impl Place {
    fn of(row: &AccountRow, suspect: &Suspect) -> Self {
        let (here, elsewhere): (Vec<&Home>, Vec<&Home>) =
            row.homes().iter().partition(|home| home.net.wide() == suspect.client.wide());
        let settled = here.iter().any(|home| home.last - home.first > SETTLED);
        if settled || here.iter().any(|home| home.first < suspect.time) {
            Self::Home
        } else {
            // What is as new as this login tells nothing of the owner.
            let before = elsewhere.iter().filter(|home| home.first < suspect.time - TOGETHER);
            match before.map(|home| home.ok).sum::<u32>() {
                0 => Self::Unknown,
                1..3 => Self::Elsewhere,
                _ => Self::Foreign,
            }
        }
    }
}

/// More places in a day than one person has, and far more than this account ever had.
fn is_nobody(detector: &Detector, worst: &WorstDay) -> bool {
    let least = detector.thresholds().takeover_networks;
    let (sources_before, networks_before) = worst.before;
    let seen = worst.days_before >= 2;
    let networks = worst.networks >= least && seen && worst.networks >= 4 * networks_before.max(1)
        || worst.networks >= PLACES_OF_NOBODY * least;
    let sources =
        worst.sources >= SOURCES_FOR_NETWORKS / 2 * least && seen && worst.sources >= 6 * sources_before.max(1)
            || worst.sources >= SOURCES_FOR_NETWORKS * least;
    networks || sources
}

fn finding(
    detector: &Detector,
    row: &AccountRow,
    name: Name,
    guilty: &[(&Suspect, u32)],
    wandering: Option<WorstDay>,
) -> Finding {
    let from = guilty.iter().map(|(s, _)| s.time).chain(wandering.map(|worst| worst.from)).min().unwrap_or(row.last_ok);
    let last = |client| detector.history(client, name).map(|pair| pair.last_ok);
    let to = guilty.iter().filter_map(|(s, _)| last(s.client)).chain(wandering.map(|worst| worst.from + DAY)).max();
    let to = to.unwrap_or(from).min(row.last_ok).max(from);
    let mut finding = Finding::new(Kind::AccountTakeover, format!("takeover-{}", hash_of(&row.name)), (from, to));
    let most = guilty.iter().map(|(_, signs)| *signs).max().unwrap_or(ENOUGH);
    finding.confidence = match most {
        0..=3 => 0.7,
        4 => 0.8,
        _ => 0.9,
    };
    finding.accounts = vec![row.name.clone()];
    finding.clients = clients(detector, name, guilty, wandering);
    let total = |of: fn(&Suspect) -> u32| guilty.iter().map(|(s, _)| u64::from(of(s))).sum::<u64>();
    let (tries, messages) = (total(|s| s.tries), total(|s| s.messages));
    finding.counts = vec![("auth_failed", tries), ("clients", finding.clients.len() as u64)];
    if !guilty.is_empty() {
        let sent = [("messages", messages), ("recipients", total(|s| s.recipients)), ("bounced", total(|s| s.bounced))];
        finding.counts.extend(sent);
        // Of more places than these nothing is counted.
        finding.at_least = row.suspects().len() >= SUSPECTS;
    }
    finding.summary = summary(guilty, wandering, &finding.clients, (tries, messages));
    finding.messages = guilty.iter().flat_map(|(s, _)| s.listed.iter().cloned()).collect();
    finding.messages.sort_by_key(|message| message.time);
    let rows = guilty.iter().filter_map(|(s, _)| detector.clients.get(&s.client));
    let places: Vec<u32> =
        guilty.iter().filter_map(|(s, _)| s.proof).chain(rows.flat_map(|row| row.proofs.iter())).take(6).collect();
    finding.evidence = detector.evidence(places);
    let finding = finding.decided(detector, &["takeover_tries", "takeover_burst", "takeover_networks", "spray_names"]);
    if !guilty.is_empty() && guilty.iter().all(|(s, _)| s.flood) {
        return finding.advise(
            &[
                "look at the messages it sent (account view), stop what is still queued (postqueue -p)",
                "ask the owner whether these were theirs; if not, change the password and end open sessions",
                "see in the log of the webmail or proxy who was logged in as this account then, and from where",
            ],
            &["do not ban the address: everybody behind it is cut off"],
        );
    }
    finding.advise(
        &[
            "look at the messages it sent (account view), stop what is still queued (postqueue -p)",
            "ask the owner whether the login was theirs; if not, change the password and end open sessions",
            "then ban the address",
        ],
        &["do not only ban the address: whoever has the password comes back from another"],
    )
}

fn clients(detector: &Detector, name: Name, guilty: &[(&Suspect, u32)], wandering: Option<WorstDay>) -> Vec<IpAddr> {
    let mut clients: Vec<IpAddr> = guilty
        .iter()
        .filter(|(s, _)| !s.flood)
        .flat_map(|(s, _)| match detector.clients.get(&s.client) {
            Some(row) => detector.addresses(s.client, row),
            None => vec![s.client.ip()],
        })
        .collect();
    if let Some(worst) = wandering {
        let that_day = worst.from..worst.from + DAY;
        let pairs =
            detector.pairs.iter().filter(|((_, of), pair)| *of == name && that_day.contains(&pair.history().first_ok));
        clients.extend(pairs.map(|((source, _), _)| source.ip()));
    }
    clients.sort_unstable();
    clients.dedup();
    clients
}

fn summary(
    guilty: &[(&Suspect, u32)],
    wandering: Option<WorstDay>,
    clients: &[IpAddr],
    (tries, messages): (u64, u64),
) -> String {
    let mut parts = Vec::new();
    let through = guilty.iter().find(|(s, _)| s.flood).map(|(s, _)| s.client.ip());
    if let Some(gateway) = through {
        parts.push(format!("it sends through {gateway} as it never did, and a good part comes back"));
    }
    match (clients, guilty) {
        (_, []) | ([], _) => {}
        (clients, _) => {
            let who = match clients {
                [ip] => ip.to_string(),
                many => plural(many.len() as u64, "address", "addresses"),
            };
            parts.push(match tries {
                0 => format!("{who} got in without a failure"),
                tries => format!("{who} failed {} and then got in", plural(tries, "time", "times")),
            });
        }
    }
    if guilty.iter().any(|(s, _)| s.new_place) {
        parts.push("from a network new to the account".to_owned());
    }
    if guilty.iter().any(|(s, _)| s.attackers >= 10) {
        parts.push("which others had been trying".to_owned());
    }
    if let Some(worst) = wandering {
        parts.push(format!(
            "logged in from {} within a day",
            plural(u64::from(worst.sources), "new address", "new addresses")
        ));
    }
    // What was sent from each of so many places is not remembered.
    if !guilty.is_empty() {
        parts.push(format!("{} sent since", plural(messages, "message", "messages")));
    }
    parts.join("; ")
}
