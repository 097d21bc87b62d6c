//! `triage`: lines go in, counts and findings come out.

use diagnose::{Class, Finding, Tally};
use input::{FeedError, Line};
use maillog::Event;
use trace::{Attempt, Login, Refusal, Sink, Story, Where};

use crate::reading::{Passing, Read, Reader, Reading};

/// Counts outcomes, and the lines that are outcomes by themselves.
#[derive(Default)]
pub struct Counter {
    /// The counts.
    pub tally: Tally,
}

impl Counter {
    /// Nothing counted yet.
    pub fn new() -> Self {
        Self { tally: Tally::new() }
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

    fn story(&mut self, story: &Story) {
        self.tally.story(story);
    }
}

impl Reader for Counter {
    fn before(&mut self, line: &Line<'_>, event: Option<&Event<'_>>) {
        let (Some(event), Some(record)) = (event, line.record) else { return };
        if may_be_evidence(event) {
            self.tally.remember(line.seq, line.source, line.line, line.raw, record.text);
        }
        if holds_secret(event) {
            self.tally.secret(line.seq);
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

    fn after(&mut self, _passing: &Passing<'_>) {}

    const TAKES_NOTES: bool = true;

    fn noted(&mut self, class: Class, count: u64) {
        self.tally.count_line(class, count);
    }
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
    pub(crate) fn new(observer: O) -> Self {
        Self { counter: Counter::new(), observer }
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
        Event::DovecotAuth(_) | Event::Saslauthd(_) | Event::Pam(_) => true,
        Event::Accepted(accepted) => accepted.sasl_username.is_some(),
        _ => false,
    }
}

/// Lines in which something was redacted.
fn holds_secret(event: &Event<'_>) -> bool {
    match event {
        Event::DovecotAuth(verdict) => {
            verdict.message.ends_with(b")") && matches!(maillog::redact(verdict.message), std::borrow::Cow::Owned(_))
        }
        Event::Pipelining(_, stage, junk) => *stage == b"AUTH" || junk.to_ascii_uppercase().starts_with(b"AUTH "),
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

/// Reads and counts.
pub fn triage(reading: Reading) -> Result<Triaged, FeedError> {
    let mut counter = Counter::new();
    let read = reading.run(&mut counter)?;
    counter.tally.settle();
    let findings = diagnose::findings(&counter.tally);
    Ok(Triaged { tally: counter.tally, read, findings })
}
