//! The rows of the tables: what is known of one destination, relay, sender, reason or warning.

use crate::Reason;
use crate::dsn::StatusCode;
use crate::flow::delays::Delays;
use crate::flow::table::Table;

/// What a bounded table needs to know of its rows.
pub trait Weigh: Default {
    /// How much it matters.
    fn weight(&self) -> u64;
    /// Adds another row.
    fn merge(&mut self, other: &Self);
}

impl Weigh for u64 {
    fn weight(&self) -> u64 {
        *self
    }

    fn merge(&mut self, other: &Self) {
        *self += other;
    }
}

/// Delivery attempts by how they ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attempts {
    /// Taken.
    pub sent: u64,
    /// Put off.
    pub deferred: u64,
    /// Given back.
    pub bounced: u64,
    /// Given back by the delivery agent after the last try.
    pub expired: u64,
}

impl Attempts {
    /// Counts an attempt by its status as logged. Probes (`deliverable`) are no mail: `false`.
    pub(crate) fn add(&mut self, status: &[u8], count: u64) -> bool {
        match status {
            b"sent" => self.sent += count,
            b"deferred" | b"SOFTBOUNCE" => self.deferred += count,
            b"bounced" => self.bounced += count,
            b"expired" => self.expired += count,
            _ => return false,
        }
        true
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> u64 {
        self.sent + self.deferred + self.bounced + self.expired
    }

    fn merge(&mut self, other: &Self) {
        self.sent += other.sent;
        self.deferred += other.deferred;
        self.bounced += other.bounced;
        self.expired += other.expired;
    }
}

impl Weigh for Attempts {
    fn weight(&self) -> u64 {
        self.all()
    }

    fn merge(&mut self, other: &Self) {
        Self::merge(self, other);
    }
}

/// Status codes or reasons told apart of one destination at most.
const FEW: usize = 32;

/// A short list of counts, the first [`FEW`] that occur.
#[derive(Clone, Debug)]
pub struct Few<K>(Vec<(K, u64)>);

impl<K> Default for Few<K> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: Copy + PartialEq> Few<K> {
    pub(crate) fn add(&mut self, key: K, count: u64) {
        if let Some((_, sum)) = self.0.iter_mut().find(|(known, _)| *known == key) {
            *sum += count;
        } else if self.0.len() < FEW {
            self.0.push((key, count));
        }
    }

    /// Most frequent first.
    #[must_use]
    pub fn ranked(&self) -> Vec<(K, u64)> {
        let mut ranked = self.0.clone();
        ranked.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        ranked
    }

    fn merge(&mut self, other: &Self) {
        for (key, count) in &other.0 {
            self.add(*key, *count);
        }
    }
}

/// A domain that mail goes to.
#[derive(Clone, Debug, Default)]
pub struct Destination {
    /// How the attempts ended.
    pub attempts: Attempts,
    /// Delays of what was sent.
    pub delays: Delays,
    /// Sums of the four parts of these delays, in seconds: before the queue manager, in it, connection set-up, transmission.
    pub parts: [f64; 4],
    /// Of what was sent: how many within each limit of [`crate::FlowOptions::sla`].
    pub within: Vec<u64>,
    /// Status codes of what was not sent.
    pub codes: Few<StatusCode>,
    /// Reasons, by id, of what was not sent.
    pub reasons: Few<&'static str>,
}

impl Weigh for Destination {
    fn weight(&self) -> u64 {
        self.attempts.all()
    }

    fn merge(&mut self, other: &Self) {
        self.attempts.merge(&other.attempts);
        self.delays.merge(&other.delays);
        for (sum, more) in self.parts.iter_mut().zip(other.parts) {
            *sum += more;
        }
        self.within.resize(self.within.len().max(other.within.len()), 0);
        for (sum, more) in self.within.iter_mut().zip(&other.within) {
            *sum += more;
        }
        self.codes.merge(&other.codes);
        self.reasons.merge(&other.reasons);
    }
}

impl Destination {
    /// The mean of each of the four parts, in seconds.
    #[must_use]
    pub fn mean_parts(&self) -> [f64; 4] {
        let count = self.delays.count().max(1) as f64;
        self.parts.map(|sum| sum / count)
    }
}

/// An address that mail comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sender {
    /// Messages.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Their recipients.
    pub recipients: u64,
}

impl Weigh for Sender {
    fn weight(&self) -> u64 {
        self.messages
    }

    fn merge(&mut self, other: &Self) {
        self.messages += other.messages;
        self.bytes += other.bytes;
        self.recipients += other.recipients;
    }
}

/// Destinations told apart of one reason at most.
const REASON_DESTINATIONS: usize = 200;

/// Why mail was put off or given back.
#[derive(Clone, Debug)]
pub struct ReasonRow {
    /// The reason.
    pub reason: &'static Reason,
    /// Attempts it put off, or ended.
    pub attempts: Attempts,
    /// To whom.
    pub destinations: Table<u64>,
    /// Status codes.
    pub codes: Few<StatusCode>,
    /// The words of the first reply, secrets redacted. Written by strangers: escape them.
    pub sample: Box<[u8]>,
}

impl ReasonRow {
    pub(crate) fn new(reason: &'static Reason, sample: &[u8]) -> Self {
        Self {
            reason,
            attempts: Attempts::default(),
            destinations: Table::new(REASON_DESTINATIONS),
            codes: Few::default(),
            sample: kept(sample),
        }
    }
}

/// Why commands were refused.
#[derive(Clone, Debug)]
pub struct RejectRow {
    /// How often.
    pub count: u64,
    /// At which commands.
    pub stages: Few<Stage>,
    /// The words of the first reply. Written by strangers, in part: escape them.
    pub sample: Box<[u8]>,
}

/// Where in the SMTP dialogue a command was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stage(pub(crate) &'static str);

impl Stage {
    const ALL: [&'static str; 10] =
        ["CONNECT", "HELO", "EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "END-OF-MESSAGE", "BDAT"];

    pub(crate) fn of(text: &[u8]) -> Self {
        Self(Self::ALL.into_iter().find(|name| name.as_bytes() == text).unwrap_or("other"))
    }

    /// The command, as Postfix names it.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0
    }
}

impl RejectRow {
    pub(crate) fn new(sample: &[u8]) -> Self {
        Self { count: 0, stages: Few::default(), sample: kept(sample) }
    }
}

/// Warnings and worse that look alike.
#[derive(Clone, Debug, Default)]
pub struct Trouble {
    /// `warning`, `error`, `fatal`, `panic`.
    pub level: &'static str,
    /// How often.
    pub count: u64,
    /// Time of the first and the last, microseconds since 1970 UTC.
    pub first: i64,
    /// See `first`.
    pub last: i64,
    /// The first such line, secrets redacted. Written by strangers, in part: escape it.
    pub sample: Box<[u8]>,
}

impl Weigh for Trouble {
    fn weight(&self) -> u64 {
        // A process that died matters more than any number of complaints.
        let grave = if matches!(self.level, "fatal" | "panic") { 1 << 40 } else { 0 };
        grave + self.count
    }

    fn merge(&mut self, other: &Self) {
        self.count += other.count;
    }
}

/// Bytes kept of a sample.
const SAMPLE: usize = 300;

/// A sample without secrets, cut to a bearable length.
pub(crate) fn kept(text: &[u8]) -> Box<[u8]> {
    let text = maillog::redact(text);
    text.get(..SAMPLE).unwrap_or(&text).into()
}
