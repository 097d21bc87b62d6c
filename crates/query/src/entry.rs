//! A line as an entry: which event fills which field.

use diagnose::Diagnosis;
use maillog::{
    Client, ContentCheck, Event, Examination, Examiner, LoginName, LoginOutcome, QueueId, Record, Remote, RemoteKind,
    TlsEstablished, level, program, redact, sasl_server,
};

use crate::fields::Entry;

/// Describes a line by its envelope and what it says. What needs other lines (session, joined names, class of an attempt)
/// is filled in later by [`diagnosed`] and the caller.
#[must_use]
pub fn describe(record: &Record<'_>, event: Option<&Event<'_>>) -> Entry {
    let tag = record.tag;
    let redacted = redact(record.text);
    let postfix = program(tag).is_postfix();
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
    // Nearly all of it is, and to check that is quicker than to look for what is not.
    std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes).into_owned(), str::to_owned)
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
        | Event::HostnameMismatch(who)
        | Event::TooLong(who, ..) => client(entry, who),
        Event::BadAddress(who, stage) => {
            client(entry, who);
            entry.stage = filled(stage);
        }
        Event::TlsProxy(who, what) => {
            client(entry, who);
            entry.reason = filled(what);
        }
        Event::Postscreen(found) => {
            client(entry, &found.client);
            entry.status = filled(found.verdict);
            entry.reason = filled(found.detail);
            entry.stage = found.stage.and_then(filled);
        }
        Event::DnsListed(found) => {
            client(entry, &found.client);
            entry.reason = filled(found.domain);
            entry.response = filled(found.answer);
        }
        Event::Peak(found) => {
            client(entry, &found.client);
            entry.service = filled(found.service);
            entry.reason = Some(format!("{} {}", text(found.what), text(found.value)));
        }
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
        Event::Backend(trouble) => entry.reason = filled(&redact(trouble.words())),
        Event::Fatal(words) => entry.reason = filled(&redact(words)),
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
        Event::ContentCheck(found) => content_check(entry, found),
        Event::Accepted(found) => {
            queue_id(entry, found.queue_id);
            entry.orig_queue_id = id_text(found.orig_queue_id);
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
        Event::Removed(id) | Event::Queue(id, _) => queue_id(entry, Some(*id)),
        Event::QueueWarning(id, words) | Event::QueueNote(id, words) => {
            queue_id(entry, Some(*id));
            entry.reason = filled(&redact(words));
        }
        Event::Expired(id, from, status) => {
            queue_id(entry, Some(*id));
            entry.from = Some(text(from));
            entry.status = filled(status);
        }
        Event::Pickup(found) => {
            queue_id(entry, Some(found.queue_id));
            entry.orig_queue_id = id_text(found.orig_queue_id);
            entry.uid = Some(i64::from(found.uid));
            entry.from = Some(text(found.from));
        }
        Event::Remote(found) => remote(entry, found),
        Event::Delivery(found) => delivery(entry, found),
        Event::Notification(id, what, new) => {
            queue_id(entry, Some(*id));
            entry.next_queue_id = id_text(Some(*new));
            entry.reason = filled(what);
        }
        Event::RelayhostSaslFailed(id, words) => {
            queue_id(entry, *id);
            if let Some(server) = sasl_server(words) {
                relay(entry, &server);
            }
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
        Event::DovecotDelivery(found) => {
            entry.service = filled(found.service);
            entry.to = found.user.map(text);
            entry.message_id = found.message_id.map(text);
            entry.response = filled(found.outcome);
        }
        Event::Examined(found) => examined(entry, found),
        Event::DovecotService(words) | Event::SaslauthdLdap(words) => entry.reason = filled(&redact(words)),
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
    entry.queue_id = id_text(id);
}

fn id_text(id: Option<QueueId<'_>>) -> Option<String> {
    id.map(|id| text(id.as_bytes()))
}

fn relay(entry: &mut Entry, server: &Client<'_>) {
    entry.relay_host = filled(server.name);
    // A socket's path is no address.
    entry.relay_ip = server.ip().map(|ip| ip.to_string());
    entry.relay_port = server.port.map(i64::from);
}

fn remote(entry: &mut Entry, found: &Remote<'_>) {
    queue_id(entry, found.queue_id);
    if let Some(server) = &found.peer {
        relay(entry, server);
    }
    let (code, dsn) = found.codes();
    entry.code = code.map(i64::from);
    entry.dsn = dsn.and_then(filled);
    match found.kind {
        RemoteKind::Reply | RemoteKind::Refused => entry.response = filled(found.words),
        _ => entry.reason = filled(found.words),
    }
}

fn content_check(entry: &mut Entry, found: &ContentCheck<'_>) {
    queue_id(entry, found.queue_id);
    if let Some(who) = &found.client {
        client(entry, who);
    }
    entry.status = filled(found.action);
    entry.from = found.from.map(text);
    entry.to = found.to.map(text);
    entry.proto = found.proto.and_then(filled);
    entry.helo = found.helo.map(text);
    entry.response = found.reply.and_then(filled);
}

fn examined(entry: &mut Entry, found: &Examination<'_>) {
    queue_id(entry, found.queue_id);
    entry.next_queue_id = id_text(found.next_queue_id);
    entry.client_ip = found.client.and_then(|client| client.ip()).map(|ip| ip.to_string());
    entry.message_id = found.message_id.map(text);
    match found.by {
        Examiner::Signature => entry.reason = filled(found.result),
        _ => entry.status = filled(found.result),
    }
    entry.from = found.from.map(text);
    entry.to = found.to.map(text);
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
    if tls.outbound {
        relay(entry, &tls.peer);
    } else {
        client(entry, &tls.peer);
    }
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
        Some(server) => relay(entry, &server),
        None => entry.relay_host = filled(found.relay),
    }
    entry.next_queue_id = id_text(found.queued_as().or_else(|| found.forwarded_as()));
    entry.conn_use = timing.conn_use.map(i64::from);
    entry.tls_policy = timing.tls.and_then(filled);
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

    /// Who wrote a line, its message, and the fields that must come out of it as `name=value`, all others absent but those every
    /// line has.
    #[track_caller]
    fn check(tag: &str, message: &str, expected: &[&str]) {
        const COMMON: [&str; 7] = ["host", "tag", "instance", "daemon", "pid", "level", "text"];
        let e = entry(&format!("Jun 17 10:25:14 mail {tag}[7]: {message}"));
        let shown = |value: crate::Value<'_>| match value {
            crate::Value::Text(text) => text.to_owned(),
            crate::Value::Int(number) | crate::Value::Time(number) => number.to_string(),
            crate::Value::Real(number) => number.to_string(),
            crate::Value::Reals(numbers) => format!("{numbers:?}"),
            crate::Value::Flag(flag) => flag.to_string(),
        };
        let found: Vec<String> = crate::FIELDS
            .iter()
            .filter(|field| !COMMON.contains(&field.name))
            .filter_map(|field| Some(format!("{}={}", field.name, shown((field.get)(&e)?))))
            .collect();
        assert!(crate::FIELDS.iter().filter(|field| field.told).all(|field| (field.get)(&e).is_none()), "{message}");
        assert_eq!(found, expected, "{message}");
    }

    #[test]
    fn fields_of_deliveries_and_remote_servers() {
        check(
            "postfix/smtp",
            "0F5383D12: host mx.example[192.0.2.1] said: 450 4.7.1 <u@x>: Greylisted (in reply to RCPT TO command)",
            &[
                "queue_id=0F5383D12",
                "event=remote_reply",
                "code=450",
                "dsn=4.7.1",
                "relay_host=mx.example",
                "relay_ip=192.0.2.1",
                "response=450 4.7.1 <u@x>: Greylisted (in reply to RCPT TO command)",
            ],
        );
        check(
            "postfix/smtp",
            "connect to mx.example[2001:db8::1]:25: Network is unreachable",
            &[
                "event=connect_failed",
                "reason=Network is unreachable",
                "relay_host=mx.example",
                "relay_ip=2001:db8::1",
                "relay_port=25",
            ],
        );
        check(
            "postfix/smtp",
            "Trusted TLS connection established to mx.example[192.0.2.1]:25: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)",
            &[
                "event=tls_established",
                "relay_host=mx.example",
                "relay_ip=192.0.2.1",
                "relay_port=25",
                "tls_version=TLSv1.3",
                "tls_cipher=TLS_AES_256_GCM_SHA384",
                "tls_level=Trusted",
            ],
        );
        check(
            "postfix/smtp",
            "0F5383D12: to=<u@x>, relay=mx.example[192.0.2.1]:25, conn_use=2, delay=3.6, delays=1/0/2/0.6, tls=may?, dsn=2.1.5, status=sent (250 Ok: queued as 153053D)",
            &[
                "queue_id=0F5383D12",
                "next_queue_id=153053D",
                "class=sent",
                "event=delivery",
                "dsn=2.1.5",
                "to=u@x",
                "relay_host=mx.example",
                "relay_ip=192.0.2.1",
                "relay_port=25",
                "conn_use=2",
                "delay=3.6",
                "delays=[1.0, 0.0, 2.0, 0.6]",
                "status=sent",
                "response=250 Ok: queued as 153053D",
                "tls_policy=may?",
            ],
        );
    }

    #[test]
    fn fields_of_the_queue() {
        check(
            "postfix/pickup",
            "0F5383D12: uid=33 from=<www> orig_id=1CF582025C",
            &["queue_id=0F5383D12", "orig_queue_id=1CF582025C", "event=pickup", "from=www", "uid=33"],
        );
        check(
            "postfix/qmgr",
            "0F5383D12: from=<a@x>, status=force-expired, returned to sender",
            &["queue_id=0F5383D12", "event=expired", "from=a@x", "status=force-expired"],
        );
        check("postfix/postsuper", "0F5383D12: released from hold", &["queue_id=0F5383D12", "event=released"]);
        check(
            "postfix/bounce",
            "0F5383D12: sender delay notification: ADD2F8052",
            &["queue_id=0F5383D12", "next_queue_id=ADD2F8052", "event=notification", "reason=sender delay"],
        );
        check(
            "postfix/cleanup",
            "warning: 0F5383D12: message rejected: hopcount exceeded",
            &["queue_id=0F5383D12", "event=queue_warning", "reason=message rejected: hopcount exceeded"],
        );
        check(
            "postfix/cleanup",
            "0F5383D12: hold: header Subject: x from h.example[192.0.2.1]; from=<a@x> to=<b@y> proto=ESMTP helo=<h>: look at it",
            &[
                "queue_id=0F5383D12",
                "event=content_check",
                "client_host=h.example",
                "client_ip=192.0.2.1",
                "from=a@x",
                "to=b@y",
                "helo=h",
                "proto=ESMTP",
                "status=hold",
                "response=look at it",
            ],
        );
    }

    #[test]
    fn fields_of_screeners_and_neighbours() {
        check(
            "postfix/postscreen",
            "COMMAND TIME LIMIT from [192.0.2.1]:4711 after AUTH",
            &["event=postscreen", "client_ip=192.0.2.1", "client_port=4711", "stage=AUTH", "status=COMMAND TIME LIMIT"],
        );
        check(
            "postfix/dnsblog",
            "addr 192.0.2.1 listed by domain list.example as 127.0.0.2",
            &["event=dns_listed", "client_ip=192.0.2.1", "reason=list.example", "response=127.0.0.2"],
        );
        check(
            "postfix/anvil",
            "statistics: max connection rate 5/60s for (submission:192.0.2.1) at Jun 17 10:25:14",
            &["service=submission", "event=anvil_peak", "client_ip=192.0.2.1", "reason=connection rate 5/60s"],
        );
        check(
            "amavis",
            "(1-2) Passed CLEAN {RelayedInbound}, [192.0.2.1]:4711 <a@x> -> <b@y>, Queue-ID: 0F5383D12, Message-ID: <m@x>, mail_id: abc, Hits: -0.1, size: 1234, queued_as: 1CF582025C, 512 ms",
            &[
                "queue_id=0F5383D12",
                "next_queue_id=1CF582025C",
                "event=filter_verdict",
                "client_ip=192.0.2.1",
                "from=a@x",
                "to=b@y",
                "status=Passed CLEAN",
                "message_id=m@x",
            ],
        );
        check(
            "opendkim",
            "0F5383D12: DKIM verification successful",
            &["queue_id=0F5383D12", "event=signature_verdict", "reason=DKIM verification successful"],
        );
        check(
            "dovecot",
            "lmtp(a@x)<123><s>: sieve: msgid=<m@y>: stored mail into mailbox 'Junk'",
            &[
                "service=lmtp",
                "event=dovecot_delivery",
                "to=a@x",
                "response=stored mail into mailbox 'Junk'",
                "message_id=m@y",
            ],
        );
    }
}
