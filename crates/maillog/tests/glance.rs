//! Whatever a glance knows, reading knows too, and says nothing else.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use maillog::{Event, Glance, Record, Stamp, Tag};
use proptest::prelude::*;

const SHAPES: [&str; 20] = [
    "connect from h.example[192.0.2.1]",
    "disconnect from h.example[192.0.2.1]:4711 ehlo=1 auth=0/1 quit=1 commands=2/3",
    "lost connection after EHLO from h.example[192.0.2.1]",
    "NOQUEUE: lost connection after AUTH from h.example[192.0.2.1]",
    "Anonymous TLS connection established from h[192.0.2.1]: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)",
    "warning: hostname h.example does not resolve to address 192.0.2.1",
    "warning: h[192.0.2.1]: SASL LOGIN authentication failed: UGFzc3dvcmQ6, sasl_username=a",
    "0F5383D12: client=h.example[192.0.2.1], sasl_method=PLAIN, sasl_username=a",
    "0F5383D12: client=localhost[127.0.0.1]",
    "0F5383D12: removed",
    "0F5383D12: from=<a@x>, size=123, nrcpt=1 (queue active)",
    "0F5383D12: message-id=<x@y>",
    "0F5383D12: to=<u@x>, relay=h[192.0.2.9]:25, delay=1, delays=0/0/1/0, dsn=2.0.0, status=sent (250 ok)",
    "auth: passwd-file(a,192.0.2.1): Password mismatch",
    "addr 192.0.2.1 listed by domain list.example as 127.0.0.2",
    "statistics: max auth rate 9/60s for (smtp:192.0.2.1) at Jun 17 10:25:14",
    "CONNECT from [192.0.2.1]:4711",
    "fatal: open lock file: Permission denied",
    "mail postfix/smtpd[7]: connect from h.example[192.0.2.1]",
    "(1-2) Passed CLEAN {RelayedInbound}, [192.0.2.1]:4711 <a@x> -> <b@y>, Queue-ID: 0F5383D12, mail_id: a, queued_as: 1CF582025C, 5 ms",
];

const TAGS: [&str; 14] = [
    "postfix/smtpd",
    "postfix/submission/smtpd",
    "postfix/qmgr",
    "postfix/cleanup",
    "postfix/smtp",
    "postfix/local",
    "postfix/postscreen",
    "postfix/anvil",
    "postfix/tlsproxy",
    "postfix/dnsblog",
    "dovecot",
    "amavis",
    "postfix",
    "",
];

fn record<'a>(tag: &'a str, text: &'a [u8]) -> Record<'a> {
    let (tag, program) = (Tag(tag.as_bytes()), maillog::program(Tag(tag.as_bytes())));
    Record { stamp: Stamp::Instant(0), host: b"mail", tag, program, pid: Some(7), repeat: 1, text }
}

fn agree(record: &Record<'_>) -> Result<(), TestCaseError> {
    let event = maillog::event(record);
    let fits = match maillog::glance(record) {
        None => true,
        Some(Glance::Delivery { status, login_failed }) => {
            matches!(event, Some(Event::Delivery(d)) if d.status == status && d.relayhost_login_failed() == login_failed)
        }
        Some(Glance::Removed) => matches!(event, Some(Event::Removed(_))),
        Some(Glance::Connect) => matches!(event, Some(Event::Connect(_))),
        Some(Glance::Disconnect { auth }) => {
            matches!(event, Some(Event::Disconnect(_, counters)) if counters.is_some_and(|c| c.has_auth()) == auth)
        }
        Some(Glance::MessageId) => matches!(event, Some(Event::MessageId(..))),
        Some(Glance::Taken) => matches!(
            event,
            Some(Event::Accepted(a)) if a.sasl_username.is_none() && a.orig_queue_id.is_none() && !a.client.is_local()
        ),
        Some(Glance::Other) => match event {
            Some(Event::TlsEstablished(_) | Event::Active(..)) => true,
            Some(Event::DnsListed(_) | Event::TlsProxy(..) | Event::Peak(_) | Event::HostnameMismatch(_)) => true,
            Some(Event::QueueNote(..) | Event::QueueWarning(..) | Event::Examined(_)) => true,
            // The death of a helper ends no session.
            Some(Event::Fatal(_)) => !record.tag.0.ends_with(b"smtpd"),
            Some(Event::Other(_) | Event::OtherProgram) => true,
            _ => false,
        },
    };
    prop_assert!(fits, "{:?} {:?}: {event:?}", maillog::glance(record), String::from_utf8_lossy(record.text));
    Ok(())
}

proptest! {
    #[test]
    fn on_damaged_lines(shape in 0..SHAPES.len(), tag in 0..TAGS.len(), cut in 0usize..140, at in 0usize..140, byte: u8, keep in 0u8..4) {
        let mut text = SHAPES[shape].as_bytes().to_vec();
        if keep & 1 == 0 {
            text.truncate(cut);
        }
        if let (Some(place), true) = (text.get_mut(at), keep & 2 == 0) {
            *place = byte;
        }
        agree(&record(TAGS[tag], &text))?;
    }

    #[test]
    fn on_any_text(tag in 0..TAGS.len(), text: Vec<u8>) {
        agree(&record(TAGS[tag], &text))?;
    }
}
