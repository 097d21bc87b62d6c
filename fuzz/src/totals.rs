//! A tracer's outcomes as sums.

use maillog::Event;
use trace::{Attempt, AttemptKind, Limits, Line, Login, Refusal, Sink, Story, Tracer, Where};

/// What a tracer told, and what it was told.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Failed attempts by their count.
    pub failed: u64,
    /// Aborted attempts.
    pub aborted: u64,
    /// All attempts of any kind.
    pub attempts: u64,
    /// Logins.
    pub logins: u64,
    /// Refusals.
    pub refusals: u64,
    /// Messages accepted.
    pub accepted: u64,
    /// Messages that came to an end.
    pub messages: u64,
    /// Failure lines fed, times their repetition.
    pub failure_lines: u64,
    /// Aborted lines fed, times their repetition.
    pub aborted_lines: u64,
    /// Policy lines fed, times their repetition.
    pub policy_lines: u64,
    /// Lines that accept a login's message.
    pub accepted_lines: u64,
}

impl Sink for Totals {
    fn attempt(&mut self, attempt: &Attempt) {
        let count = u64::from(attempt.count);
        assert!(count > 0, "an attempt that stands for none");
        self.attempts += count;
        match attempt.kind {
            AttemptKind::Failed => self.failed += count,
            AttemptKind::Aborted => self.aborted += count,
            _ => {}
        }
    }

    fn login(&mut self, login: &Login) {
        assert!(login.count > 0, "a login that stands for none");
        self.logins += u64::from(login.count);
    }

    fn refusal(&mut self, refusal: &Refusal) {
        self.refusals += u64::from(refusal.count);
    }

    fn message_accepted(&mut self, _: &Where, _: &[u8], _: Option<&[u8]>) {
        self.accepted += 1;
    }

    fn story(&mut self, _: &Story) {
        self.messages += 1;
    }
}

impl Totals {
    fn feed(&mut self, tag: &[u8], repeat: u32, event: &Event<'_>) {
        // The same words from another program are another thing.
        let smtpd = tag.ends_with(b"smtpd") || tag.ends_with(b"postfix");
        let repeat = u64::from(repeat);
        match event {
            Event::SaslFailed(_) if smtpd => self.failure_lines += repeat,
            Event::SaslAborted(..) if smtpd => self.aborted_lines += repeat,
            Event::Policy(..) => self.policy_lines += repeat,
            Event::Accepted(a) if a.sasl_username.is_some() => self.accepted_lines += 1,
            _ => {}
        }
    }

    /// Nothing is counted that no line tells of.
    pub fn check(&self) {
        assert!(self.failed <= self.failure_lines, "more failed attempts than failure lines: {self:?}");
        assert!(self.aborted <= self.aborted_lines, "more aborted attempts than lines: {self:?}");
        assert!(self.refusals <= self.policy_lines, "more refusals than policy lines: {self:?}");
        assert!(
            self.accepted <= self.accepted_lines && self.messages <= self.accepted,
            "more messages than were accepted: {self:?}"
        );
    }
}

/// Plays lines to a tracer of small limits. Lines without a stamp of their own follow by a tenth of a second.
pub fn play<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Totals {
    let mut totals = Totals::default();
    let mut tracer = Tracer::new(Limits { sessions: 8, messages: 4, message_bytes: 1 << 16, names: 16, held: 8 });
    for (line, id) in lines.zip(1u64..) {
        let Some(record) = maillog::record(line) else { continue };
        let Some(event) = maillog::event(&record) else { continue };
        let time = match record.stamp {
            maillog::Stamp::Instant(micros) => micros,
            maillog::Stamp::Wall(_) => i64::try_from(id).unwrap_or(0) * 100_000,
        };
        totals.feed(record.tag.0, record.repeat, &event);
        tracer.line(&Line { id, time, record: &record, event: &event }, &mut totals);
    }
    tracer.finish(&mut totals);
    totals
}
