//! `triage`: reads, counts, and hands over to JSON or to the screen.

use std::io::{self, BufWriter, Write as _};

use diagnose::{Class, Tally};
use input::Line;
use maillog::Event;
use trace::{Attempt, Login, Refusal, Sink, Story, Where};

use crate::cli::Triage;
use crate::exit::Exit;
use crate::mask::Mask;
use crate::reading::{Passing, Reader, Reading};
use crate::screen::Screen;
use crate::times::Clock;
use crate::{json, print, triage_text};

/// Counts outcomes, and the lines that are outcomes by themselves.
#[derive(Default)]
pub(crate) struct Counter {
    pub(crate) tally: Tally,
}

impl Counter {
    pub(crate) fn new() -> Self {
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

pub(crate) fn run(args: &Triage) -> anyhow::Result<Exit> {
    crate::asked::refuse(&args.asked, "`client ADDR`, `account NAME` or `--since`")?;
    let reading = Reading::new(&args.input, &args.output, false)?;
    let clock = Clock::new(reading.zone());
    let mut counter = Counter::new();
    let read = match reading.run(&mut counter) {
        Ok(read) => read,
        Err(error) => return Ok(Exit::nothing_readable(&error)),
    };
    counter.tally.settle();
    let findings = diagnose::findings(&counter.tally);
    let mask = Mask(args.output.mask);
    if args.json {
        let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
        json::write_triage(&mut out, &counter.tally, &read, &findings, args.top.unwrap_or(100), mask)?;
        out.flush()?;
    } else {
        let screen = Screen::of_stdout(args.output.color);
        let page = triage_text::Page {
            tally: &counter.tally,
            read: &read,
            findings: &findings,
            top: args.top.unwrap_or(10),
            mask,
            screen,
            clock: &clock,
            verbose: args.output.verbose > 0,
        };
        print::text(&page.draw())?;
    }
    Ok(Exit::of_reading(&read, args.output.quiet))
}
