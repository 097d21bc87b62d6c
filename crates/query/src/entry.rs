//! A line as an entry: which event fills which field.

use diagnose::Diagnosis;
use maillog::{
    Client, Event, LoginName, LoginOutcome, Program, QueueId, Record, TlsEstablished, level, program, redact,
};

use crate::fields::Entry;

/// Describes a line by its envelope and what it says. What needs other lines (session, joined names, class of an attempt)
/// is filled in later by [`diagnosed`] and the caller.
#[must_use]
pub fn describe(record: &Record<'_>, event: Option<&Event<'_>>) -> Entry {
    let tag = record.tag;
    let redacted = redact(record.text);
    let postfix = !matches!(program(tag), Program::Dovecot | Program::Saslauthd | Program::Other);
    let mut entry = Entry {
        host: filled(record.host),
        tag: filled(tag.0),
        instance: tag.instance().and_then(filled),
        service: tag.service().and_then(filled),
        daemon: filled(tag.daemon()),
        pid: record.pid.map(i64::from),
        level: postfix.then(|| level(record.text).0.name().to_owned()),
        repeat: (record.repeat > 1).then(|| i64::from(record.repeat)),
        event: Some(event.map_or("unknown", Event::name).to_owned()),
        text: Some(text(&redacted)),
        ..Entry::default()
    };
    if let Some(event) = event {
        fill(&mut entry, event);
        diagnosed(&mut entry, &diagnose::line(event, tag));
    }
    entry
}

/// A line without an envelope that anybody knows.
#[must_use]
pub fn undescribed(raw: &[u8]) -> Entry {
    Entry { event: Some("unknown".to_owned()), text: Some(text(&redact(raw))), ..Entry::default() }
}

/// Writes a diagnosis into an entry.
pub fn diagnosed(entry: &mut Entry, diagnosis: &Diagnosis) {
    if let Some(class) = diagnosis.class {
        entry.class = Some(class.name().to_owned());
    }
    if let Some(cause) = diagnosis.cause {
        entry.cause = Some(cause.id.to_owned());
        // Two digits say all there is to say.
        entry.confidence = Some((f64::from(diagnosis.confidence) * 100.0).round() / 100.0);
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn filled(bytes: &[u8]) -> Option<String> {
    (!bytes.is_empty()).then(|| text(bytes))
}

fn fill(entry: &mut Entry, event: &Event<'_>) {
    match event {
        Event::Connect(who)
        | Event::TlsAcceptError(who, _)
        | Event::TlsServerTrouble(Some(who), _)
        | Event::NonSmtp(who, _)
        | Event::Postscreen(who, _)
        | Event::TooLong(who, ..) => client(entry, who),
        Event::Disconnect(who, counters) => {
            client(entry, who);
            if let Some(c) = counters.map(|raw| raw.read()) {
                entry.auth_ok = (c.auth.tried > 0).then(|| i64::from(c.auth.ok));
                entry.auth_tried = (c.auth.tried > 0).then(|| i64::from(c.auth.tried));
            }
        }
        Event::SaslFailed(failure) => {
            client(entry, &failure.client);
            entry.mechanism = filled(failure.mechanism);
            entry.reason = Some(text(failure.reason));
            if let LoginName::Named(name) = failure.username {
                login_name(entry, name);
            }
        }
        Event::SaslAborted(who, mechanism) => {
            client(entry, who);
            entry.mechanism = filled(mechanism);
        }
        Event::Gone { stage, client: who, queue_id: id, .. } => {
            client(entry, who);
            entry.stage = filled(stage);
            queue_id(entry, *id);
        }
        Event::Limited(limit) => client(entry, &limit.client),
        Event::Backend(trouble) => entry.reason = filled(trouble.words()),
        Event::Fatal(words) => entry.reason = filled(words),
        Event::TlsLibrary(words) | Event::TlsServerTrouble(None, words) => entry.reason = filled(words),
        Event::TlsEstablished(tls) => tls_established(entry, tls),
        Event::Pipelining(who, stage, _) => {
            client(entry, who);
            entry.stage = filled(stage);
        }
        Event::Policy(id, found) => {
            queue_id(entry, *id);
            policy(entry, found);
        }
        Event::ContentCheck(id, _) => queue_id(entry, *id),
        Event::Accepted(found) => {
            queue_id(entry, found.queue_id);
            client(entry, &found.client);
            entry.mechanism = found.sasl_method.and_then(filled);
            entry.sasl_sender = found.sasl_sender.and_then(filled);
            if let Some(name) = found.sasl_username {
                login_name(entry, name);
            }
        }
        Event::MessageId(id, message_id) => {
            queue_id(entry, Some(*id));
            entry.message_id = Some(text(message_id));
        }
        Event::Active(id, from, size, nrcpt) => {
            queue_id(entry, Some(*id));
            entry.from = Some(text(from));
            entry.size = i64::try_from(*size).ok();
            entry.nrcpt = Some(i64::from(*nrcpt));
        }
        Event::Removed(id) => queue_id(entry, Some(*id)),
        Event::Expired(id, from) | Event::Pickup(id, from) => {
            queue_id(entry, Some(*id));
            entry.from = Some(text(from));
            if matches!(event, Event::Expired(..)) {
                entry.status = Some("expired".to_owned());
            }
        }
        Event::Delivery(found) => delivery(entry, found),
        Event::Notification(id, ..) => queue_id(entry, Some(*id)),
        Event::RelayhostSaslFailed(id, words) => {
            queue_id(entry, *id);
            entry.response = filled(words);
        }
        Event::DovecotAuth(found) => {
            entry.client_ip = Some(found.ip.to_string());
            entry.username = found.user.and_then(filled);
            entry.username_origin = entry.username.as_ref().map(|_| "logged".to_owned());
            entry.mechanism = found.mechanism.and_then(filled);
            entry.reason = Some(text(&redact(found.message)));
        }
        Event::DovecotLogin(found) => {
            entry.service = filled(found.service);
            entry.client_ip = found.ip.map(|ip| ip.to_string());
            entry.username = found.user.and_then(filled);
            entry.username_origin = entry.username.as_ref().map(|_| "logged".to_owned());
            entry.mechanism = found.mechanism.and_then(filled);
            if found.outcome != LoginOutcome::Ok {
                entry.reason = filled(found.message);
            }
        }
        Event::DovecotService(words) => entry.reason = filled(&redact(words)),
        Event::Saslauthd(found) => {
            entry.username = filled(found.user);
            entry.username_origin = entry.username.as_ref().map(|_| "logged".to_owned());
            entry.reason = filled(found.reason);
        }
        Event::Pam(found) => {
            entry.username = found.user.and_then(filled);
            entry.username_origin = entry.username.as_ref().map(|_| "logged".to_owned());
            entry.client_ip = found.ip.map(|ip| ip.to_string());
            entry.reason = filled(found.message);
        }
        Event::ProcessExit(..)
        | Event::Started(_)
        | Event::ServiceTrouble(_)
        | Event::LinesLost(_)
        | Event::LastRepeated(_)
        | Event::Other(_)
        | Event::OtherProgram => {}
    }
}

fn queue_id(entry: &mut Entry, id: Option<QueueId<'_>>) {
    entry.queue_id = id.map(|id| text(id.as_bytes()));
}

fn client(entry: &mut Entry, client: &Client<'_>) {
    entry.client_host = client.host().and_then(filled);
    entry.client_ip = client.ip().map(|ip| ip.to_string());
    entry.client_port = client.port.map(i64::from);
}

fn login_name(entry: &mut Entry, name: &[u8]) {
    entry.username = Some(text(name));
    entry.username_origin = Some("logged".to_owned());
}

fn tls_established(entry: &mut Entry, tls: &TlsEstablished<'_>) {
    client(entry, &tls.peer);
    entry.tls_level = filled(tls.level);
    entry.tls_version = filled(tls.version);
    entry.tls_cipher = filled(tls.cipher);
}

fn policy(entry: &mut Entry, found: &maillog::Policy<'_>) {
    if let Some(who) = &found.client {
        client(entry, who);
    }
    entry.status = filled(found.action);
    entry.stage = filled(found.stage);
    entry.code = found.code.map(i64::from);
    entry.dsn = found.dsn.and_then(filled);
    entry.response = filled(found.reply);
    entry.from = found.from.map(text);
    entry.to = found.to.map(text);
    entry.proto = found.proto.and_then(filled);
    entry.helo = found.helo.map(text);
    entry.mechanism = found.sasl_method.and_then(filled);
    entry.sasl_sender = found.sasl_sender.and_then(filled);
    if let Some(name) = found.sasl_username {
        login_name(entry, name);
    }
}

fn delivery(entry: &mut Entry, found: &maillog::Delivery<'_>) {
    queue_id(entry, Some(found.queue_id));
    let timing = found.timing();
    entry.to = Some(text(found.to));
    entry.orig_to = found.orig_to.map(text);
    match found.relay_host() {
        Some(relay) => {
            entry.relay_host = filled(relay.name);
            entry.relay_ip = relay.ip().map(|ip| ip.to_string());
            entry.relay_port = relay.port.map(i64::from);
        }
        None => entry.relay_host = filled(found.relay),
    }
    entry.delay = timing.delay;
    entry.delays = timing.delays;
    entry.dsn = timing.dsn.and_then(filled);
    entry.status = filled(found.status);
    entry.response = filled(found.response);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(line: &str) -> Entry {
        let record = maillog::record(line.as_bytes()).unwrap();
        describe(&record, maillog::event(&record).as_ref())
    }

    #[test]
    fn fields_of_lines() {
        let e = entry(
            "Jun 17 10:25:14 mail postfix-out/submission/smtpd[7]: warning: h.example[::ffff:192.0.2.9]:4711: SASL login authentication failed: (reason unavailable), sasl_username=a b",
        );
        assert_eq!(
            (e.instance.as_deref(), e.service.as_deref(), e.daemon.as_deref(), e.pid),
            (Some("postfix-out"), Some("submission"), Some("smtpd"), Some(7))
        );
        assert_eq!(
            (e.client_ip.as_deref(), e.client_port, e.mechanism.as_deref(), e.username.as_deref()),
            (Some("192.0.2.9"), Some(4711), Some("login"), Some("a b"))
        );
        assert_eq!(
            (e.level.as_deref(), e.event.as_deref(), e.reason.as_deref()),
            (Some("warning"), Some("sasl_failed"), Some("(reason unavailable)"))
        );

        let e = entry(
            "Jun 17 10:25:14 mail postfix/smtp[7]: 0F5383D12: to=<u@example.com>, relay=mx.example.com[198.51.100.1]:25, delay=1.5, delays=0.1/0/0.4/1, dsn=2.0.0, status=sent (250 ok)",
        );
        assert_eq!(
            (e.queue_id.as_deref(), e.class.as_deref(), e.relay_ip.as_deref(), e.relay_port, e.delay),
            (Some("0F5383D12"), Some("sent"), Some("198.51.100.1"), Some(25), Some(1.5))
        );

        let e = entry(
            "Jun 17 10:25:14 mail postfix/smtpd[7]: improper command pipelining after EHLO from u[192.0.2.1]: AUTH PLAIN AGFsaWNlAHNlY3JldA==\\r\\n",
        );
        assert!(!e.text.unwrap().contains("AGFs"));

        let e = entry("Jun 17 10:25:14 mail what[7]: is this");
        assert_eq!((e.event.as_deref(), e.class, e.level), (Some("other_program"), None, None));
    }
}
