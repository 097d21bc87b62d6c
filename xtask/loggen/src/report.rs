//! What a report about a generated log must show, counted while the log is written.
//!
//! Input: one call for each line that tells of a message's life, and one when nothing more will be said of a message. Output:
//! [`Report`]. Each queue file counts on its own, as the contract's `report` says.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use crate::log::Micros;
use crate::truth::Counts;

/// The relay of hand-overs to the content filter.
pub(crate) const FILTER: &str = "127.0.0.1[127.0.0.1]:10024";

/// So many names of a kind are listed.
const RANKED: usize = 20;

/// The numbers of a report.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Queue files by what became of them.
    pub messages: Messages,
    /// The last status of each queue file's recipients; `expired` for those that were put off until the message was too old.
    pub recipients: Counts,
    /// Delivery lines by status.
    pub deliveries: Counts,
    /// First times a message became active, by hour (`2026-03-02T09`, UTC).
    pub received_by_hour: Counts,
    /// Sizes of received messages, each once.
    pub bytes: u64,
    /// Non-delivery notifications to senders.
    pub notifications: u64,
    /// Messages that a local alias made.
    pub forwarded: u64,
    /// Messages that a header check put on hold.
    pub put_on_hold: u64,
    /// Envelope senders of received messages, most frequent first; the empty sender is among them. Copies that a content
    /// filter hands back or an alias makes are not counted again.
    pub senders: Vec<Ranked>,
    /// Recipients of delivery lines with the status `sent`, without those of hand-overs to the content filter.
    pub receivers: Vec<Ranked>,
    /// Relays of delivery lines with the status `sent`, without address and port.
    pub relays: Vec<Ranked>,
    /// Delivery lines of hand-overs to the content filter.
    pub to_filter: u64,
    /// By recipient domain, without hand-overs to the content filter.
    pub destinations: BTreeMap<String, Destination>,
    /// TLS lines of clients' connections, by version.
    pub tls_in: Counts,
    /// TLS lines of our own connections, by version.
    pub tls_out: Counts,
}

/// Queue files by what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Messages {
    /// Became active at least once; a queue id that comes again after its file was gone is another message.
    pub received: u64,
    /// Of these, removed by the queue manager.
    pub removed: u64,
    /// Of those, too old.
    pub expired: u64,
    /// Became active, and were deleted by an admin.
    pub deleted: u64,
    /// Became active, and are neither removed nor deleted.
    pub in_queue: u64,
    /// On hold in the end.
    pub held: u64,
    /// On hold from the start and never active; deleted or not.
    pub never_active: u64,
}

/// A name and how often it came.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ranked {
    /// An address or a host.
    pub name: String,
    /// How often.
    pub count: u64,
}

/// What was delivered to one domain, and how long that took: `delay=` of the lines with the status `sent`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Destination {
    /// Delivery lines.
    pub sent: u64,
    /// Delivery lines.
    pub deferred: u64,
    /// Delivery lines.
    pub bounced: u64,
    /// Half of all deliveries took no longer, in milliseconds (nearest rank).
    pub p50_ms: u64,
    /// 95 of 100 took no longer.
    pub p95_ms: u64,
    /// 99 of 100 took no longer.
    pub p99_ms: u64,
    /// The slowest.
    pub max_ms: u64,
}

/// How a message leaves the log.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leaving {
    Removed,
    Deleted,
    InQueue,
    Held,
}

/// Keeps a report's books.
#[derive(Default)]
pub(crate) struct Books {
    report: Report,
    recipients: HashMap<&'static str, u64>,
    hours: BTreeMap<Micros, u64>,
    senders: HashMap<String, u64>,
    receivers: HashMap<String, u64>,
    relays: HashMap<String, u64>,
    destinations: HashMap<String, Delays>,
    tls_in: HashMap<&'static str, u64>,
    tls_out: HashMap<&'static str, u64>,
}

/// One domain's deliveries; delays in hundredths of a second, as the log shows them.
#[derive(Default)]
struct Delays {
    counts: Destination,
    delays: BTreeMap<u64, u64>,
}

impl Books {
    /// A message became active for the first time.
    pub(crate) fn queued(&mut self, at: Micros, size: u64) {
        self.report.messages.received += 1;
        self.report.bytes += size;
        *self.hours.entry(at / crate::log::HOUR).or_default() += 1;
    }

    /// Who sent it; not for a copy that a content filter handed back or an alias made.
    pub(crate) fn sender(&mut self, sender: &str) {
        tick(&mut self.senders, sender);
    }

    pub(crate) fn removed(&mut self) {
        self.report.messages.removed += 1;
    }

    pub(crate) fn expired(&mut self) {
        self.report.messages.expired += 1;
    }

    pub(crate) fn put_on_hold(&mut self) {
        self.report.put_on_hold += 1;
    }

    pub(crate) fn notification(&mut self) {
        self.report.notifications += 1;
    }

    pub(crate) fn forwarded(&mut self) {
        self.report.forwarded += 1;
    }

    pub(crate) fn tls_in(&mut self, version: &'static str) {
        *self.tls_in.entry(version).or_default() += 1;
    }

    pub(crate) fn tls_out(&mut self, version: &'static str) {
        *self.tls_out.entry(version).or_default() += 1;
    }

    /// A delivery line. The delay is in hundredths of a second, as shown.
    pub(crate) fn delivery(&mut self, status: &'static str, to: &str, relay: &str, delay: u64) {
        if status == "sent" {
            tick(&mut self.relays, relay.split('[').next().unwrap_or(relay));
        }
        if relay == FILTER {
            self.report.to_filter += 1;
            return;
        }
        let (_, domain) = to.rsplit_once('@').unwrap_or_default();
        if !self.destinations.contains_key(domain) {
            self.destinations.insert(domain.to_owned(), Delays::default());
        }
        if let Some(destination) = self.destinations.get_mut(domain) {
            destination.add(status, delay);
        }
        if status == "sent" {
            tick(&mut self.receivers, to);
        }
    }

    /// Nothing more will be said of a message; with the last status of each recipient that was tried.
    pub(crate) fn leave(&mut self, how: Leaving, active: bool, last: impl Iterator<Item = &'static str>) {
        let messages = &mut self.report.messages;
        messages.held += u64::from(how == Leaving::Held);
        match how {
            _ if !active => messages.never_active += 1,
            Leaving::Removed => {}
            Leaving::Deleted => messages.deleted += 1,
            Leaving::InQueue | Leaving::Held => messages.in_queue += 1,
        }
        for status in last {
            *self.recipients.entry(status).or_default() += 1;
        }
    }

    /// Closes the books; `deliveries` has been counted already.
    pub(crate) fn finish(self, deliveries: &Counts) -> Report {
        let named = |counts: HashMap<&'static str, u64>| counts.into_iter().map(|(k, n)| (k.to_owned(), n)).collect();
        let mut deliveries = deliveries.clone();
        deliveries.remove("expired");
        Report {
            recipients: named(self.recipients),
            deliveries,
            received_by_hour: self.hours.into_iter().map(|(hour, count)| (hour_name(hour), count)).collect(),
            senders: ranked(self.senders),
            receivers: ranked(self.receivers),
            relays: ranked(self.relays),
            destinations: self.destinations.into_iter().map(|(name, delays)| (name, delays.finish())).collect(),
            tls_in: named(self.tls_in),
            tls_out: named(self.tls_out),
            ..self.report
        }
    }
}

impl Delays {
    fn add(&mut self, status: &str, delay: u64) {
        match status {
            "sent" => {
                self.counts.sent += 1;
                *self.delays.entry(delay).or_default() += 1;
            }
            "deferred" => self.counts.deferred += 1,
            _ => self.counts.bounced += 1,
        }
    }

    fn finish(self) -> Destination {
        let rank = |per_cent: u64| {
            let wanted = (self.counts.sent * per_cent).div_ceil(100);
            let mut seen = 0;
            let found = self.delays.iter().find(|(_, count)| {
                seen += **count;
                seen >= wanted
            });
            found.map_or(0, |(delay, _)| delay * 10)
        };
        let max_ms = self.delays.last_key_value().map_or(0, |(delay, _)| delay * 10);
        Destination { p50_ms: rank(50), p95_ms: rank(95), p99_ms: rank(99), max_ms, ..self.counts }
    }
}

/// `2026-03-02T09` for the hours since 1970.
fn hour_name(hour: u64) -> String {
    let time = jiff::Timestamp::from_second((hour * 3600) as i64).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    time.strftime("%Y-%m-%dT%H").to_string()
}

fn tick(counts: &mut HashMap<String, u64>, key: &str) {
    match counts.get_mut(key) {
        Some(count) => *count += 1,
        None => {
            counts.insert(key.to_owned(), 1);
        }
    }
}

/// The most frequent names; of equal ones in the order of the alphabet.
fn ranked(counts: HashMap<String, u64>) -> Vec<Ranked> {
    let mut all: Vec<Ranked> = counts.into_iter().map(|(name, count)| Ranked { name, count }).collect();
    all.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.name.cmp(&b.name)));
    all.truncate(RANKED);
    all
}
