//! `triage`: lines go in, counts and findings come out.

use std::net::IpAddr;

use diagnose::detect::{Change, Settings};
use diagnose::{Class, Detector, Finding, Tally};
use input::{FeedError, Line};
use maillog::{Event, LoginOutcome, Record};
use trace::{Attempt, Login, Refusal, Sink, Story, Where};

use crate::reading::{Passing, Read, Reader, Reading};
use crate::worth;

/// Counts outcomes, and the lines that are outcomes by themselves.
#[derive(Default)]
pub struct Counter {
    /// The counts.
    pub tally: Tally,
    /// Lines that hold secrets and nothing else, remembered to be shown.
    secrets: usize,
}

/// So many of them are shown at most: a verbose log must not crowd out what outcomes point to.
const SECRETS: usize = 8;

impl Counter {
    /// Nothing counted yet.
    pub fn new() -> Self {
        Self { tally: Tally::new(), secrets: 0 }
    }

    /// The same, judged by what a site says about itself.
    #[must_use]
    pub fn judged_by(settings: &Settings) -> Self {
        let mut counter = Self::new();
        counter.tally.detector.set_settings(settings.clone());
        counter
    }

    /// Of findings alone: the tally stays empty but for the detector.
    pub(crate) fn of_findings_only(detector: Detector) -> Self {
        Self { tally: Tally::of_findings_only(detector), secrets: 0 }
    }

    /// A line that outcomes may point to.
    pub(crate) fn remember(&mut self, line: &Line<'_>, event: &Event<'_>, record: &Record<'_>) {
        if may_be_evidence(event) {
            self.tally.remember(line.seq, line.source, line.line, line.raw, record.text);
        }
    }

    /// Credentials in a line, of whatever kind.
    pub(crate) fn secret(&mut self, line: &Line<'_>, event: Option<&Event<'_>>, record: &Record<'_>) {
        if !worth::holds_secret(record, event) {
            return;
        }
        if self.secrets < SECRETS && !event.is_some_and(may_be_evidence) {
            self.secrets += 1;
            self.tally.remember(line.seq, line.source, line.line, line.raw, record.text);
        }
        self.tally.secret(line.time.unwrap_or_default(), line.seq);
    }

    /// What a line says by itself.
    pub(crate) fn count(&mut self, line: &Line<'_>, event: &Event<'_>, record: &Record<'_>) {
        self.seam(event, line.time.unwrap_or_default(), record.text);
        if let Event::DovecotLogin(login) = event {
            self.tally.mailboxes.add(login, u64::from(record.repeat));
            if let (LoginOutcome::Ok, Some(ip), Some(time)) = (login.outcome, login.ip, line.time) {
                self.tally.detector.mailbox_read(time, ip, login.user);
            }
        }
        if let Some(wrong) = wrong_kind_of_tls(event, record) {
            self.tally.count_client_cause(&wrong, u64::from(record.repeat));
        }
        if let Event::Delivery(delivery) = event {
            let class = if delivery.relayhost_login_failed() {
                Some(Class::RelayhostAuthFailed)
            } else {
                Class::of_delivery(delivery.status)
            };
            if let Some(class) = class {
                self.tally.count_line(class, u64::from(record.repeat));
            }
        }
    }

    /// What may explain, or spoil, the counts around it: a start, a reload, lines that were dropped.
    fn seam(&mut self, event: &Event<'_>, time: i64, text: &[u8]) {
        let detector = &mut self.tally.detector;
        match event {
            Event::LinesLost(count) => detector.lines_lost(time, *count),
            Event::Started(_) if text.starts_with(b"reload") => detector.changed(time, Change::PostfixReloaded),
            Event::Started(_) => detector.changed(time, Change::PostfixStarted),
            Event::DovecotService(words) if is_start_or_stop(words) => {
                detector.changed(time, Change::DovecotChanged);
            }
            Event::TlsLibrary(words) if contains(words, b"certificate expired") => {
                detector.changed(time, Change::CertificateExpired);
            }
            _ => {}
        }
    }
}

impl Sink for Counter {
    fn attempt(&mut self, attempt: &Attempt) {
        self.tally.attempt(attempt);
    }

    fn login(&mut self, login: &Login) {
        self.tally.login(login);
    }

    fn refusal(&mut self, refusal: &Refusal) {
        self.tally.refusal(refusal);
    }

    fn message_accepted(&mut self, at: &Where, username: &[u8], queue_id: Option<&[u8]>) {
        self.tally.message_accepted(at, username, queue_id);
    }

    fn came_in(&mut self, time: i64, client: Option<IpAddr>, count: u32) {
        self.tally.came_in(time, client, count);
    }

    fn story(&mut self, story: &Story) {
        self.tally.story(story);
    }
}

impl Reader for Counter {
    fn before(&mut self, line: &Line<'_>, event: Option<&Event<'_>>) {
        let Some(record) = line.record else { return };
        if let Some(event) = event {
            self.remember(line, event, &record);
            self.count(line, event, &record);
        }
        self.secret(line, event, &record);
    }

    fn after(&mut self, _passing: &Passing<'_>) {}

    const TAKES_NOTES: bool = true;

    fn noted(&mut self, class: Class, count: u64) {
        self.tally.count_line(class, count);
    }
}

/// Dovecot's master about itself.
fn is_start_or_stop(words: &[u8]) -> bool {
    [b"starting up".as_slice(), b"Killed with signal 15", b"stopping", b"SIGHUP received"]
        .iter()
        .any(|part| contains(words, part))
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|here| here == part)
}

/// Is told of logins beside the counting.
pub trait Observer {
    /// One that did not succeed.
    fn failed(&mut self, attempt: &Attempt);
    /// One that did.
    fn logged_in(&mut self, login: &Login);
}

/// Counts, and tells an observer.
pub(crate) struct Observed<O> {
    pub(crate) counter: Counter,
    pub(crate) observer: O,
}

impl<O> Observed<O> {
    pub(crate) fn new(reading: &Reading, observer: O) -> Self {
        Self { counter: Counter::judged_by(reading.settings()), observer }
    }
}

impl<O: Observer> Sink for Observed<O> {
    fn attempt(&mut self, attempt: &Attempt) {
        self.counter.attempt(attempt);
        self.observer.failed(attempt);
    }

    fn login(&mut self, login: &Login) {
        self.counter.login(login);
        self.observer.logged_in(login);
    }

    fn refusal(&mut self, refusal: &Refusal) {
        self.counter.refusal(refusal);
    }

    fn message_accepted(&mut self, at: &Where, username: &[u8], queue_id: Option<&[u8]>) {
        self.counter.message_accepted(at, username, queue_id);
    }

    fn came_in(&mut self, time: i64, client: Option<IpAddr>, count: u32) {
        self.counter.came_in(time, client, count);
    }

    fn story(&mut self, story: &Story) {
        self.counter.story(story);
    }
}

impl<O: Observer> Reader for Observed<O> {
    fn before(&mut self, line: &Line<'_>, event: Option<&Event<'_>>) {
        self.counter.before(line, event);
    }

    fn after(&mut self, _passing: &Passing<'_>) {}

    const TAKES_NOTES: bool = true;

    fn noted(&mut self, class: Class, count: u64) {
        self.counter.noted(class, count);
    }
}

/// TLS where a greeting was awaited, on a service for mail users: a program set to SSL/TLS on port 587. On port 25 it is a scanner's.
pub(crate) fn wrong_kind_of_tls(event: &Event<'_>, record: &Record<'_>) -> Option<diagnose::Diagnosis> {
    if !matches!(event, Event::Pipelining(..) | Event::NonSmtp(..)) || !record.tag.is_submission() {
        return None;
    }
    Some(diagnose::line(event, record.tag)).filter(|found| found.id() == "tls.wrapper_client_on_starttls_port")
}

/// Lines an outcome may point to.
fn may_be_evidence(event: &Event<'_>) -> bool {
    match event {
        Event::Disconnect(_, counters) => counters.is_some_and(|raw| raw.has_auth()),
        Event::SaslFailed(_)
        | Event::SaslAborted(..)
        | Event::Gone { .. }
        | Event::Limited(_)
        | Event::Backend(_)
        | Event::Fatal(_) => true,
        Event::TlsAcceptError(..)
        | Event::TlsLibrary(_)
        | Event::TlsServerTrouble(..)
        | Event::TooLong(..)
        | Event::Pipelining(..)
        | Event::Policy(..) => true,
        Event::DovecotAuth(_) | Event::Saslauthd(_) | Event::SaslauthdLdap(_) | Event::Pam(_) => true,
        Event::DovecotService(words) => words.starts_with(b"Error: "),
        Event::Accepted(accepted) => accepted.sasl_username.is_some(),
        _ => false,
    }
}

/// A log, counted.
pub struct Triaged {
    /// The counts.
    pub tally: Tally,
    /// What was read.
    pub read: Read,
    /// What a person should know now.
    pub findings: Vec<Finding>,
}

impl Triaged {
    /// The log is over.
    pub(crate) fn of(mut counter: Counter, read: Read) -> Self {
        counter.tally.settle();
        let findings = std::mem::take(&mut counter.tally.findings);
        Self { tally: counter.tally, read, findings }
    }
}

/// Reads and counts.
pub fn triage(reading: Reading) -> Result<Triaged, FeedError> {
    triage_after(reading, None)
}

/// The same, after what was remembered of earlier logs: findings are of both, counts of these lines alone.
pub fn triage_after(reading: Reading, remembered: Option<Detector>) -> Result<Triaged, FeedError> {
    let mut counter = Counter::judged_by(reading.settings());
    if let Some(detector) = remembered {
        counter.tally.detector = detector;
    }
    let read = reading.run(&mut counter)?;
    Ok(Triaged::of(counter, read))
}
