//! What a line is worth to whoever reads: told on the reading threads, by a glance where that is enough.
//!
//! Input: a line's envelope. Output: whether it must leave the thread, and what is known of it then.

use diagnose::Class;
use input::{Line, Worth};
use maillog::{Event, Glance, Level, LoginName, LoginOutcome, Program, QueueId, Record, level};
use trace::{Follow, Tracer};

/// To whoever wants to know of logins: nearly half of a log says nothing about them, and need not leave the reading threads.
pub(crate) fn of_logins(record: &Record<'_>) -> Worth {
    match maillog::glance(record) {
        Some(Glance::Other) => Worth::Skip,
        Some(_) => Worth::Keep,
        None => by_event(record),
    }
}

/// The same for whoever follows all messages: every line about a queue file is wanted.
pub(crate) fn of_messages(record: &Record<'_>) -> Worth {
    match maillog::glance(record) {
        Some(Glance::Other) if QueueId::of_text(record.text).is_none() => Worth::Skip,
        Some(_) => Worth::Keep,
        None if queue_id(record).is_none() => match maillog::event(record) {
            Some(event) if Follow::All.wants(&event) => Worth::Keep,
            _ => by_event(record),
        },
        None if maillog::event(record).is_some() => Worth::Keep,
        None => Worth::Unknown,
    }
}

/// The queue file that a line is about, also behind `warning: ` and its kin.
pub(crate) fn queue_id<'a>(record: &Record<'a>) -> Option<QueueId<'a>> {
    QueueId::of_text(record.text).or_else(|| match level(record.text) {
        (Level::Info, _) => None,
        (_, rest) => QueueId::of_text(rest),
    })
}

/// The same for whoever also wants to know how Postfix itself fares. What is not known here is read once it is delivered.
pub(crate) fn of_server(record: &Record<'_>) -> Worth {
    match maillog::glance(record) {
        Some(Glance::Other) if QueueId::of_text(record.text).is_none() && !tells_of_server(record) => Worth::Skip,
        _ => Worth::Keep,
    }
}

/// Warnings and worse, and TLS handshakes.
fn tells_of_server(record: &Record<'_>) -> bool {
    match record.text.first() {
        Some(b'w' | b'e' | b'f' | b'p') => level(record.text).0 != Level::Info && record.program != Program::Other,
        Some(b'A' | b'U' | b'T' | b'V') => ["Anonymous", "Untrusted", "Trusted", "Verified"]
            .iter()
            .any(|level| record.text.strip_prefix(level.as_bytes()).is_some_and(|rest| rest.starts_with(b" TLS "))),
        _ => false,
    }
}

/// The same for whoever wants outcomes and counts alone.
pub(crate) fn of_counts(record: &Record<'_>) -> Worth {
    match maillog::glance(record) {
        Some(Glance::Other) => Worth::Skip,
        Some(Glance::Connect) => Worth::Opens,
        Some(Glance::Disconnect { auth }) => Worth::Closes { tells: auth },
        Some(Glance::Taken) => Worth::Noted(CAME_IN),
        Some(Glance::Removed | Glance::MessageId) => Worth::Noted(UNCOUNTED),
        Some(Glance::Delivery { login_failed: true, .. }) => Worth::Keep,
        Some(Glance::Delivery { status, .. }) => {
            Worth::Noted(Class::of_delivery(status).map_or(UNCOUNTED, |class| class as u8))
        }
        // Read once it is delivered.
        None if maillog::may_matter(record) => Worth::Keep,
        None => by_event(record),
    }
}

/// The note of a line that is counted in no class; others are the class's place in [`Class::ALL`].
const UNCOUNTED: u8 = u8::MAX;

/// The note of a message that was accepted without a login.
pub(crate) const CAME_IN: u8 = u8::MAX - 1;

/// What a line is worth that is not among the commonest.
fn by_event(record: &Record<'_>) -> Worth {
    match maillog::event(record) {
        None => Worth::Unknown,
        Some(event) if is_wanted(&event) || holds_secret(record, Some(&event)) => Worth::Keep,
        Some(_) => Worth::Skip,
    }
}

/// The same of a line that was read.
pub(crate) fn is_secret(line: &Line<'_>, event: &Event<'_>) -> bool {
    line.record.is_some_and(|record| holds_secret(&record, Some(event)))
}

/// Whether something is redacted in a line. Of those that are counted by the million only such are looked at as may.
pub(crate) fn holds_secret(record: &Record<'_>, event: Option<&Event<'_>>) -> bool {
    match event {
        // Somebody else's name may look like a secret; what the backend says of it is told behind it.
        Some(Event::DovecotAuth(verdict)) => {
            verdict.message.iter().any(|b| matches!(b, b'(' | b'\'' | b'"' | b'=' | b':'))
                && maillog::holds_secret(verdict.message)
        }
        // What a reason, a mechanism or a name held is gone from them already.
        Some(Event::SaslFailed(failure)) => {
            [failure.reason, failure.mechanism].contains(&maillog::REDACTED)
                || failure.username == LoginName::Unavailable
                    && !record.text.ends_with(b"(unavailable)")
                    && maillog::holds_secret(record.text)
        }
        Some(Event::Postscreen(_)) => maillog::quotes_client(record.text) && maillog::holds_secret(record.text),
        None
        | Some(
            Event::Pipelining(..)
            | Event::TooLong(..)
            | Event::NonSmtp(..)
            | Event::DovecotService(_)
            | Event::SaslauthdLdap(_)
            | Event::Backend(_)
            | Event::Fatal(_)
            | Event::Other(_),
        ) => maillog::holds_secret(record.text),
        Some(_) => false,
    }
}

pub(crate) fn is_wanted(event: &Event<'_>) -> bool {
    Tracer::wants(event)
        || matches!(
            event,
            Event::LinesLost(_)
                | Event::Started(_)
                | Event::Pipelining(..)
                | Event::NonSmtp(..)
                | Event::RelayhostSaslFailed(..)
        )
        || matches!(event, Event::DovecotLogin(login) if login.outcome != LoginOutcome::NoLogin)
}
