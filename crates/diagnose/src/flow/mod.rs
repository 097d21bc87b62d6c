//! What became of the mail: everything the report counts.
//!
//! Lines and the tracer's outcomes go in; totals by quarter of an hour, destinations with their delays and reasons, rejects by
//! reason, TLS shares, the heaviest senders and recipients, and warnings by shape come out. Counts are exact; tables of names are
//! bounded ([`Table`] says how), so that memory does not grow with the log: about 20 MB where every table is full, and 60 MB if
//! every destination shows delays of every length.

mod delays;
mod rows;
mod shape;
mod table;
mod tls;
mod totals;

use std::collections::BTreeMap;
use std::net::IpAddr;

use maillog::{ContentCheck, Delivery, Event, Level, Program, Record};
use trace::{Attempt, End, Fate, Judge, LinkKind, Login, Message, Origin, Refusal};

pub use delays::Delays;
pub use rows::{Attempts, Destination, Few, ReasonRow, RejectRow, Sender, Stage, Trouble, Weigh};
pub use shape::shape;
pub use table::Table;
pub use tls::TlsShare;
pub use totals::{Count, SLOT, Series, Totals};

use crate::class::Class;
use crate::diagnosis::Diagnoser;
use crate::dsn::StatusCode;
use crate::flow::rows::kept;
use crate::reason::Reason;
use crate::tally::Tally;

/// Destinations with a row of their own at most.
const DESTINATIONS: usize = 2_048;
/// Relays, senders, recipients with a row of their own at most.
const NAMES: usize = 20_000;
/// Shapes of warnings told apart at most.
const TROUBLES: usize = 500;

/// Which part of what is fed is asked for, and how quick delivery should be.
#[derive(Clone, Debug)]
pub struct FlowOptions {
    /// The period: from, until (inclusive), microseconds since 1970 UTC.
    pub period: (i64, i64),
    /// The period to compare with, if another; the same way.
    pub before: Option<(i64, i64)>,
    /// Limits in seconds of which the share of deliveries within is told.
    pub sla: Vec<f64>,
}

impl Default for FlowOptions {
    fn default() -> Self {
        Self { period: (i64::MIN, i64::MAX), before: None, sla: vec![60.0, 300.0] }
    }
}

/// Queue files first seen in the period, by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Messages {
    /// Taken up by the queue manager.
    pub received: u64,
    /// Of these: copies that came back from a content filter or from another host of ours, or were put in the queue again.
    pub reinjected: u64,
    /// Of these: notices that Postfix wrote itself.
    pub notices: u64,
    /// Of these: made by an alias or a `.forward` file.
    pub forwarded: u64,
    /// Of these: handed in by a local program.
    pub local: u64,
    /// Of these: sent by somebody who logged in.
    pub logged_in: u64,
    /// Of these: their beginning is not in the log.
    pub start_missing: u64,
    /// Of these: put off at least once, for some recipient.
    pub deferred: u64,
    /// Bytes of the received.
    pub bytes: u64,
    /// Bytes of the received, once for each recipient that was reached, not counting what was handed on.
    pub bytes_delivered: u64,
    /// Done and gone.
    pub removed: u64,
    /// Given back after the last try (and then gone, too).
    pub expired: u64,
    /// Of the received: in the queue at the end of the log.
    pub in_queue: u64,
    /// On hold at the end of the log; those that were never taken up are not among the received.
    pub held: u64,
    /// Of the received: deleted by an administrator.
    pub deleted: u64,
    /// Of the received: put in the queue again, under another queue id.
    pub requeued: u64,
    /// Given up by the client before they were queued.
    pub canceled: u64,
    /// Refused whole before they were queued: by a milter, a header or body check, a limit.
    pub refused: u64,
    /// Thrown away before they were queued, by a rule or a milter.
    pub discarded: u64,
    /// On hold from the start and never taken up, deleted or not.
    pub never_active: u64,
    /// Their end is not in the log, or they had to be given up for want of room.
    pub end_missing: u64,
}

/// Recipients of these messages by the last word about them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recipients {
    /// By last status.
    pub last: Attempts,
    /// Of those that were put off at least once: what became of them.
    pub deferred_then: Attempts,
    /// Of those whose last word is `deferred`: an administrator deleted the queue file.
    pub deleted: u64,
    /// An administrator put the queue file in the queue again: another one tells the rest.
    pub requeued: u64,
}

impl Recipients {
    /// Those that are still tried, as far as the log shows.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.last.deferred.saturating_sub(self.deleted + self.requeued)
    }
}

/// What said `sent` and was no delivery: the mail went on as another queue file of ours, whose fate counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HandedOn {
    /// Through a content filter and back in.
    pub filter: u64,
    /// To another host or instance of ours.
    pub hop: u64,
    /// By an alias or `.forward` file.
    pub forward: u64,
    /// Recipients of the period's queue files that were left to another one.
    pub recipients: u64,
}

impl HandedOn {
    fn add(&mut self, kind: LinkKind) {
        match kind {
            LinkKind::Filter => self.filter += 1,
            LinkKind::Hop => self.hop += 1,
            LinkKind::Forward | LinkKind::Requeue | LinkKind::Notice => self.forward += 1,
        }
    }

    /// Delivery lines of all kinds.
    #[must_use]
    pub fn deliveries(&self) -> u64 {
        self.filter + self.hop + self.forward
    }
}

/// Everything that is counted.
pub struct Flow {
    /// What was asked for.
    pub options: FlowOptions,
    /// Sums over the period.
    pub totals: Totals,
    /// Sums over the period before.
    pub before: Totals,
    /// Sums by time, over everything that was fed.
    pub series: Series,
    /// Of these: queue files that came earlier than the log, or than what was read of it, and were only tried again.
    pub earlier: Series,
    /// Logins.
    pub tally: Tally,
    /// Queue files.
    pub messages: Messages,
    /// Recipients.
    pub recipients: Recipients,
    /// Delivery lines.
    pub deliveries: Attempts,
    /// Of those sent: what went on as another queue file of ours.
    pub handed_on: HandedOn,
    /// Of these: handed to a content filter on this host and not counted with destinations and delays.
    pub to_filters: u64,
    /// Where mail went, by domain.
    pub destinations: Table<Destination>,
    /// All destinations in one.
    pub everywhere: Destination,
    /// Delays' four parts over all destinations: before the queue manager, in it, connection set-up, transmission.
    pub parts: [Delays; 4],
    /// Next hops.
    pub relays: Table<Attempts>,
    /// Envelope senders.
    pub senders: Table<Sender>,
    /// Their domains.
    pub sender_domains: Table<Sender>,
    /// Envelope recipients that mail was delivered to.
    pub addressees: Table<u64>,
    /// Why mail was put off or given back, by id.
    pub reasons: BTreeMap<&'static str, ReasonRow>,
    /// Why commands were refused, by reason or class.
    pub rejects: BTreeMap<&'static str, RejectRow>,
    /// What rules did besides refusing: `hold`, `discard`, `redirect`, …
    pub actions: BTreeMap<&'static str, u64>,
    /// Warnings and worse, by shape.
    pub troubles: Table<Trouble>,
    /// Lines by severity: `warning`, `error`, `fatal`, `panic`.
    pub levels: BTreeMap<&'static str, u64>,
    /// Mail in.
    pub tls_in: TlsShare,
    /// Mail out.
    pub tls_out: TlsShare,
    diagnoser: Diagnoser,
    /// The recipient of the line at hand in lower case: kept so that not every line needs a new one.
    lower: Vec<u8>,
}

impl Flow {
    /// Nothing counted yet.
    #[must_use]
    pub fn new(options: FlowOptions) -> Self {
        Self {
            options,
            totals: Totals::default(),
            before: Totals::default(),
            series: Series::default(),
            earlier: Series::default(),
            tally: Tally::new(),
            messages: Messages::default(),
            recipients: Recipients::default(),
            deliveries: Attempts::default(),
            handed_on: HandedOn::default(),
            to_filters: 0,
            destinations: Table::new(DESTINATIONS),
            everywhere: Destination::default(),
            parts: Default::default(),
            relays: Table::new(NAMES),
            senders: Table::new(NAMES),
            sender_domains: Table::new(NAMES),
            addressees: Table::new(NAMES),
            reasons: BTreeMap::new(),
            rejects: BTreeMap::new(),
            actions: BTreeMap::new(),
            troubles: Table::new(TROUBLES),
            levels: BTreeMap::new(),
            tls_in: TlsShare::default(),
            tls_out: TlsShare::default(),
            diagnoser: Diagnoser::default(),
            lower: Vec::new(),
        }
    }

    /// Takes a line of the log. `time` is in microseconds since 1970 UTC.
    pub fn line(&mut self, time: i64, record: &Record<'_>, event: &Event<'_>) {
        match event {
            Event::Connect(client) => self.tls_in.connected(record, client),
            Event::TlsEstablished(tls) if record.program == Program::Smtpd => {
                self.tls_in.established(record, tls);
            }
            Event::TlsEstablished(tls) => self.tls_out.established(record, tls),
            Event::Accepted(accepted) if self.asked(time) => {
                self.tls_in.came(record, &accepted.client);
            }
            Event::Delivery(delivery) => self.delivery(time, record, delivery),
            Event::Expired(..) => {
                self.count(time, Count::Expired, 1);
                self.messages.expired += u64::from(self.asked(time));
            }
            Event::Policy(_, policy) => self.action(time, policy.action, record.repeat),
            Event::ContentCheck(check) => {
                self.action(time, check.action, record.repeat);
                self.content_refused(time, record, check);
            }
            _ => {}
        }
        self.trouble(time, record, event);
    }

    /// Deliveries that were the last: to a mailbox, or to somebody else's server.
    #[must_use]
    pub fn delivered(&self) -> u64 {
        self.deliveries.sent.saturating_sub(self.handed_on.deliveries())
    }

    /// Recipients that were reached, each once for a mail however many queue files of ours it went through.
    #[must_use]
    pub fn reached(&self) -> u64 {
        self.recipients.last.sent.saturating_sub(self.handed_on.recipients)
    }

    /// Closes the books. Must be called after the last line and outcome.
    pub fn finish(&mut self) {
        self.series.close();
        self.earlier.close();
        self.tally.settle();
    }

    fn asked(&self, time: i64) -> bool {
        (self.options.period.0..=self.options.period.1).contains(&time)
    }

    /// Counts in the series, and in the period that the time falls in.
    fn count(&mut self, time: i64, count: Count, by: u64) {
        self.series.add(time, count, by);
        if self.asked(time) {
            self.totals.add(count, by);
        } else if self.options.before.is_some_and(|(from, until)| (from..=until).contains(&time)) {
            self.before.add(count, by);
        }
    }

    fn delivery(&mut self, time: i64, record: &Record<'_>, delivery: &Delivery<'_>) {
        let count = u64::from(record.repeat);
        match delivery.status {
            b"sent" => self.count(time, Count::Sent, count),
            b"deferred" | b"SOFTBOUNCE" => self.count(time, Count::Deferred, count),
            b"bounced" => self.count(time, Count::Bounced, count),
            _ => {}
        }
        if !self.asked(time) || !self.deliveries.add(delivery.status, count) {
            return;
        }
        let peer = delivery.relay_host();
        let relay = peer.map_or(delivery.relay, |peer| peer.name);
        self.relays.row(relay).add(delivery.status, count);
        self.lower.clear();
        self.lower.extend(delivery.to.iter().map(u8::to_ascii_lowercase));
        if delivery.status == b"sent"
            && let Some(peer) = peer
        {
            self.tls_out.went(record, &peer);
        }
        let to_filter = peer.is_some_and(|peer| peer.is_local()) && delivery.queued_as().is_some();
        if to_filter {
            self.to_filters += count;
            return;
        }
        if delivery.status == b"sent" {
            self.sent(record, delivery);
        } else {
            self.not_sent(record, delivery);
        }
    }

    fn sent(&mut self, record: &Record<'_>, delivery: &Delivery<'_>) {
        let timing = delivery.timing();
        let destination = self.destinations.row(domain(&self.lower));
        for row in [destination, &mut self.everywhere] {
            row.attempts.sent += u64::from(record.repeat);
            let Some(delay) = timing.delay else { continue };
            row.delays.add(delay, record.repeat);
            row.within.resize(self.options.sla.len(), 0);
            for (within, limit) in row.within.iter_mut().zip(&self.options.sla) {
                *within += if delay <= *limit { u64::from(record.repeat) } else { 0 };
            }
            for (sum, part) in row.parts.iter_mut().zip(timing.delays.unwrap_or_default()) {
                *sum += part * f64::from(record.repeat);
            }
        }
        for (delays, part) in self.parts.iter_mut().zip(timing.delays.unwrap_or_default()) {
            delays.add(part, record.repeat);
        }
        *self.addressees.row(&self.lower) += u64::from(record.repeat);
    }

    fn not_sent(&mut self, record: &Record<'_>, delivery: &Delivery<'_>) {
        let count = u64::from(record.repeat);
        let code = delivery.timing().dsn.and_then(StatusCode::parse);
        let reason = Reason::of(delivery.response, code);
        let destination = self.destinations.row(domain(&self.lower));
        for row in [destination, &mut self.everywhere] {
            row.attempts.add(delivery.status, count);
            row.reasons.add(reason.id, count);
            if let Some(code) = code {
                row.codes.add(code, count);
            }
        }
        let row = self.reasons.entry(reason.id).or_insert_with(|| ReasonRow::new(reason, delivery.response));
        row.attempts.add(delivery.status, count);
        *row.destinations.row(domain(&self.lower)) += count;
        if let Some(code) = code {
            row.codes.add(code, count);
        }
    }

    /// A rule that did something else than to refuse.
    fn action(&mut self, time: i64, action: &[u8], repeat: u32) {
        const ACTIONS: [&str; 8] =
            ["hold", "discard", "redirect", "filter", "warn", "reject_warning", "warning", "bcc"];
        let plain = action.strip_prefix(b"milter-").unwrap_or(action);
        let named = ACTIONS.into_iter().find(|name| name.as_bytes().eq_ignore_ascii_case(plain));
        if let Some(name) = named.filter(|_| self.asked(time)) {
            *self.actions.entry(name).or_default() += u64::from(repeat);
        }
    }

    /// A warning or worse. A login that failed is none: it is counted with the logins.
    fn trouble(&mut self, time: i64, record: &Record<'_>, event: &Event<'_>) {
        if !matches!(record.text.first(), Some(b'w' | b'e' | b'f' | b'p')) {
            return;
        }
        let (level, text) = maillog::level(record.text);
        let about_logins = matches!(event, Event::SaslFailed(_) | Event::SaslAborted(..));
        if level == Level::Info || record.program == Program::Other {
            return;
        }
        let count = u64::from(record.repeat);
        if self.asked(time) {
            *self.levels.entry(level.name()).or_default() += count;
        }
        if about_logins {
            return;
        }
        self.count(time, Count::Warnings, count);
        if !self.asked(time) {
            return;
        }
        let key = format!("{} {}: {}", level.name(), String::from_utf8_lossy(record.tag.daemon()), shape(text));
        let row = self.troubles.row(key.as_bytes());
        if row.count == 0 {
            *row = Trouble { level: level.name(), count: 0, first: time, last: time, sample: kept(record.text) };
        }
        row.count += count;
        row.last = row.last.max(time);
    }

    /// Takes a login that did not succeed.
    pub fn attempt(&mut self, attempt: &Attempt) {
        let diagnosis = self.diagnoser.attempt(attempt);
        let failed = matches!(diagnosis.class, Some(Class::AuthFailed | Class::BackendFault | Class::AuthRefused));
        if failed {
            self.count(attempt.at.time, Count::AuthFailed, attempt.count.into());
        }
        if self.asked(attempt.at.time) {
            self.tally.diagnosed(attempt, &diagnosis);
        }
    }

    /// Takes a login that succeeded.
    pub fn login(&mut self, login: &Login) {
        use trace::Sink as _;
        self.count(login.at.time, Count::AuthOk, login.count.into());
        self.diagnoser.logged_in(login);
        if self.asked(login.at.time) {
            self.tally.login(login);
        }
    }

    /// Takes a message that was accepted without a login.
    pub fn came_in(&mut self, time: i64, client: Option<IpAddr>, count: u32) {
        use trace::Sink as _;
        if self.asked(time) {
            self.tally.came_in(time, client, count);
        }
    }

    /// Takes a queue file at its end, or at the end of the log. It belongs to the period in which it was first seen.
    pub fn message(&mut self, message: &Message) {
        let received = message.activations > 0;
        if received {
            self.came(message);
        }
        self.went_on(message);
        if !self.asked(message.first) {
            return;
        }
        self.end(message.end, received);
        if received {
            self.received(message);
        } else if !message.start_missing() && is_for_the_queue(message.end) {
            self.messages.never_active += 1;
        }
        let mut deferred = false;
        for recipient in message.recipients() {
            let fate = recipient.fate;
            add_fate(&mut self.recipients.last, fate);
            self.handed_on.recipients += u64::from(fate == Fate::HandedOn);
            if fate == Fate::Sent {
                self.messages.bytes_delivered += message.size.unwrap_or_default();
            }
            match message.end {
                End::Deleted if fate == Fate::Deferred => self.recipients.deleted += 1,
                End::Requeued if fate == Fate::Deferred => self.recipients.requeued += 1,
                _ => {}
            }
            if recipient.deferrals > 0 {
                deferred = true;
                add_fate(&mut self.recipients.deferred_then, fate);
            }
        }
        self.messages.deferred += u64::from(deferred && received);
    }

    /// Counts a queue file when it came. One that is only tried again in the period before came earlier, and is not counted there.
    fn came(&mut self, message: &Message) {
        let only_again = message.start_missing() && message.message_id().is_none();
        for (count, by) in [(Count::Received, 1), (Count::Bytes, message.size.unwrap_or_default())] {
            if only_again {
                self.earlier.add(message.first, count, by);
            }
            if only_again && !self.asked(message.first) {
                self.series.add(message.first, count, by);
            } else {
                self.count(message.first, count, by);
            }
        }
    }

    /// Counts deliveries that were none, each at the time of its line. That is known only when the other queue file is.
    fn went_on(&mut self, message: &Message) {
        for recipient in message.recipients().filter(|recipient| recipient.fate == Fate::HandedOn) {
            self.count(recipient.last, Count::HandedOn, 1);
            if self.asked(recipient.last) {
                let link = message.children.iter().find(|link| Some(link.message) == recipient.next);
                self.handed_on.add(link.map_or(LinkKind::Filter, |link| link.kind));
            }
        }
    }

    fn end(&mut self, end: End, received: bool) {
        let m = &mut self.messages;
        match end {
            End::Removed | End::Expired => m.removed += 1,
            End::InQueue => m.in_queue += u64::from(received),
            End::Held => {
                m.in_queue += u64::from(received);
                m.held += 1;
            }
            End::Deleted => m.deleted += u64::from(received),
            End::Requeued => m.requeued += u64::from(received),
            End::Canceled => m.canceled += 1,
            End::Refused => m.refused += 1,
            End::Discarded => m.discarded += 1,
            End::Missing | End::GivenUp => m.end_missing += 1,
        }
    }

    fn received(&mut self, message: &Message) {
        let (m, size) = (&mut self.messages, message.size.unwrap_or_default());
        m.received += 1;
        m.bytes += size;
        let notice = matches!(message.origin, Origin::Notice { .. });
        let again = message.parent.is_some_and(|parent| parent.kind != LinkKind::Notice);
        let forwarded = message.origin == Origin::Forward;
        m.notices += u64::from(notice);
        m.reinjected += u64::from(again && !forwarded);
        m.forwarded += u64::from(forwarded);
        m.local += u64::from(matches!(message.origin, Origin::Local { .. }));
        m.logged_in += u64::from(message.username().is_some());
        m.start_missing += u64::from(message.start_missing());
        if again {
            return;
        }
        let Some(sender) = message.sender() else { return };
        let sender = sender.to_ascii_lowercase();
        let row = Sender { messages: 1, bytes: size, recipients: message.nrcpt.unwrap_or_default().into() };
        self.senders.row(&sender).merge(&row);
        self.sender_domains.row(domain(&sender)).merge(&row);
    }

    /// Takes a decision of a rule about a command.
    pub fn refusal(&mut self, refusal: &Refusal) {
        let diagnosis = crate::diagnosis::refusal(refusal);
        let Some(class) = diagnosis.class else { return };
        self.count(refusal.at.time, Count::Rejected, refusal.count.into());
        if !self.asked(refusal.at.time) {
            return;
        }
        self.tally.refused(refusal, &diagnosis);
        let why = match class {
            // The classes that have a reason of their own are not judged by words a second time.
            Class::RelayDenied | Class::NotLoggedIn | Class::SenderMismatch => class.name(),
            _ => reject_reason(refusal),
        };
        self.rejected(why, &refusal.reply, &refusal.stage, refusal.count);
    }

    /// A mail that `cleanup` refuses for its contents: its client is told so at the end of the message.
    fn content_refused(&mut self, time: i64, record: &Record<'_>, check: &ContentCheck<'_>) {
        // Delivery agents check headers, too, and refuse nothing.
        if !check.action.eq_ignore_ascii_case(b"reject") || record.program != Program::Cleanup {
            return;
        }
        self.count(time, Count::Rejected, record.repeat.into());
        if self.asked(time) {
            let reply = check.reply.unwrap_or_default();
            self.rejected(Judge::of_check(check).name(), reply, b"END-OF-MESSAGE", record.repeat);
        }
    }

    fn rejected(&mut self, why: &'static str, reply: &[u8], stage: &[u8], count: u32) {
        let row = self.rejects.entry(why).or_insert_with(|| RejectRow::new(reply));
        row.count += u64::from(count);
        row.stages.add(Stage::of(stage), count.into());
    }
}

/// Counts the last word about a recipient. What was handed on says sent, too; [`HandedOn`] tells how many of them.
fn add_fate(attempts: &mut Attempts, fate: Fate) {
    match fate {
        Fate::Sent | Fate::HandedOn => attempts.sent += 1,
        Fate::Deferred => attempts.deferred += 1,
        Fate::Bounced => attempts.bounced += 1,
        Fate::Expired => attempts.expired += 1,
    }
}

/// Whether a message that was never taken up was in the queue all the same, as far as anybody can know.
fn is_for_the_queue(end: End) -> bool {
    !matches!(end, End::Canceled | End::Refused | End::Discarded | End::Missing)
}

/// Why a command was refused, where no class tells.
fn reject_reason(refusal: &Refusal) -> &'static str {
    if refusal.at.tag.ends_with(b"postscreen") {
        return "postscreen";
    }
    let reason = Reason::of(refusal.words(), None).id;
    if reason == "other" && refusal.action.starts_with(b"milter-") { "milter" } else { reason }
}

/// The part behind the last `@`, without a dot at its end; the whole of an address that has none.
fn domain(address: &[u8]) -> &[u8] {
    let domain = memchr::memrchr(b'@', address).and_then(|at| address.get(at + 1..)).unwrap_or(address);
    domain.strip_suffix(b".").unwrap_or(domain)
}
