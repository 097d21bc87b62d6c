//! What holds for every line, whatever is in it. Shared by the property tests and the fuzz targets.
#![allow(dead_code, unreachable_pub, reason = "each user takes what it needs")]

use std::borrow::Cow;
use std::net::IpAddr;

use maillog::{BackendTrouble, Client, Event, QueueId, Record};

/// Everything that borrows from a line, and the client if the event names one.
#[derive(Default)]
pub struct Parts<'a> {
    /// Every slice of the event.
    pub slices: Vec<&'a [u8]>,
    /// Whom the event is about; not relays and not the servers we deliver to.
    pub client: Option<Client<'a>>,
}

impl<'a> Parts<'a> {
    fn text(mut self, text: &'a [u8]) -> Self {
        self.slices.push(text);
        self
    }

    fn texts(self, texts: impl IntoIterator<Item = Option<&'a [u8]>>) -> Self {
        texts.into_iter().flatten().fold(self, Self::text)
    }

    fn id(self, id: Option<QueueId<'a>>) -> Self {
        self.texts([id.map(QueueId::as_bytes)])
    }

    fn host(self, client: Client<'a>) -> Self {
        self.text(client.name).text(client.address)
    }

    fn client(self, client: Client<'a>) -> Self {
        let mut parts = self.host(client);
        parts.client = Some(client);
        parts
    }
}

/// Takes an event apart. No wildcard arm: a new event does not compile until it is listed.
pub fn parts<'a>(event: &Event<'a>) -> Parts<'a> {
    let none = Parts::default();
    match *event {
        Event::Connect(client) | Event::Disconnect(client, _) => none.client(client),
        Event::SaslFailed(f) => none.client(f.client).text(f.mechanism).text(f.reason).texts([f.username.name()]),
        Event::SaslAborted(client, text)
        | Event::TlsAcceptError(client, text)
        | Event::TooLong(client, _, text)
        | Event::NonSmtp(client, text)
        | Event::BadAddress(client, text)
        | Event::TlsProxy(client, text) => none.client(client).text(text),
        Event::HostnameMismatch(client) => none.client(client),
        Event::Postscreen(s) => none.client(s.client).text(s.verdict).text(s.detail).texts([s.stage]),
        Event::DnsListed(l) => none.client(l.client).text(l.domain).text(l.answer),
        Event::Peak(p) => none.client(p.client).text(p.what).text(p.value).text(p.service),
        Event::Gone { how: _, stage, client, queue_id } => none.client(client).text(stage).id(queue_id),
        Event::Limited(limit) => none.client(limit.client).text(limit.service),
        Event::Backend(BackendTrouble::Connect { path, error }) => none.text(path).text(error),
        Event::Backend(
            BackendTrouble::Protocol(text) | BackendTrouble::Cyrus(text) | BackendTrouble::Library(text),
        ) => none.text(text),
        Event::Fatal(text)
        | Event::TlsLibrary(text)
        | Event::Started(text)
        | Event::ServiceTrouble(text)
        | Event::DovecotService(text)
        | Event::ProcessExit(_, text) => none.text(text),
        Event::TlsEstablished(tls) => {
            let parts = if tls.outbound { none.host(tls.peer) } else { none.client(tls.peer) };
            parts.text(tls.level).text(tls.version).text(tls.cipher)
        }
        Event::Remote(r) => {
            let parts = r.peer.map_or(Parts::default(), |peer| Parts::default().host(peer));
            parts.id(r.queue_id).text(r.words).texts([r.codes().1])
        }
        Event::TlsServerTrouble(client, text) => {
            client.map_or(Parts::default(), |c| Parts::default().client(c)).text(text)
        }
        Event::Pipelining(client, stage, text) => none.client(client).text(stage).text(text),
        Event::Policy(id, p) => {
            let parts = p
                .client
                .map_or(Parts::default(), |c| Parts::default().client(c))
                .id(id)
                .text(p.action)
                .text(p.stage)
                .text(p.reply);
            parts.texts([p.dsn, p.from, p.to, p.proto, p.helo, p.sasl_method, p.sasl_username, p.sasl_sender])
        }
        Event::RelayhostSaslFailed(id, text) => {
            let server = maillog::sasl_server(text).map_or(Parts::default(), |server| Parts::default().host(server));
            server.id(id).text(text)
        }
        Event::ContentCheck(c) => {
            let parts = c.client.map_or(Parts::default(), |client| Parts::default().client(client));
            parts.id(c.queue_id).text(c.action).text(c.part).texts([c.from, c.to, c.proto, c.helo, c.reply])
        }
        Event::Accepted(a) => {
            let parts = a.orig_client.map_or(Parts::default(), |client| Parts::default().host(client));
            let parts = parts.client(a.client).id(a.queue_id).id(a.orig_queue_id);
            parts.texts([a.sasl_method, a.sasl_username, a.sasl_sender])
        }
        Event::MessageId(id, text)
        | Event::Active(id, text, ..)
        | Event::QueueWarning(id, text)
        | Event::QueueNote(id, text) => none.id(Some(id)).text(text),
        Event::Expired(id, from, status) => none.id(Some(id)).text(from).text(status),
        Event::Pickup(p) => none.id(Some(p.queue_id)).id(p.orig_queue_id).text(p.from),
        Event::Removed(id) | Event::Queue(id, _) => none.id(Some(id)),
        Event::Delivery(d) => {
            let relay = d.relay_host().map_or(Parts::default(), |relay| Parts::default().host(relay));
            relay
                .id(Some(d.queue_id))
                .id(d.queued_as())
                .id(d.forwarded_as())
                .text(d.to)
                .text(d.relay)
                .text(d.status)
                .text(d.response)
                .texts([d.orig_to, d.timing().dsn, d.timing().tls])
        }
        Event::Notification(id, text, new) => none.id(Some(id)).id(Some(new)).text(text),
        Event::DovecotAuth(a) => none.text(a.message).texts([a.user, a.mechanism]),
        Event::DovecotLogin(l) => none.text(l.service).text(l.message).texts([l.user, l.mechanism]),
        Event::DovecotDelivery(d) => none.text(d.service).text(d.outcome).texts([d.user, d.message_id]),
        Event::Examined(e) => {
            let parts = e.client.map_or(Parts::default(), |client| Parts::default().client(client));
            parts.id(e.queue_id).id(e.next_queue_id).text(e.result).texts([e.message_id, e.from, e.to])
        }
        Event::SaslauthdLdap(t) => none.text(t),
        Event::Saslauthd(f) => none.text(f.user).text(f.realm).text(f.service).text(f.reason),
        Event::Pam(f) => none.text(f.service).text(f.message).texts([f.user]),
        Event::LinesLost(_) | Event::LastRepeated(_) | Event::Other(_) | Event::OtherProgram => none,
    }
}

/// Every address an event attributes something to.
pub fn addresses(event: &Event<'_>) -> Vec<IpAddr> {
    let own = match event {
        Event::DovecotAuth(a) => Some(a.ip),
        Event::DovecotLogin(l) => l.ip,
        Event::Pam(f) => f.ip,
        _ => None,
    };
    parts(event).client.and_then(|c| c.ip()).into_iter().chain(own).collect()
}

/// Whether `part` is a piece of `whole`, by where it stands in memory. An empty piece may stand anywhere.
pub fn lies_inside(part: &[u8], whole: &[u8]) -> bool {
    let (part_at, whole_at) = (part.as_ptr_range(), whole.as_ptr_range());
    part.is_empty() || whole_at.start <= part_at.start && part_at.end <= whole_at.end
}

/// Reads a line by every entry point and checks what holds for all of them.
pub fn check_line(line: &[u8]) {
    let _ = maillog::address(line);
    let _ = (maillog::looks_stamped(line), maillog::is_filler(line), maillog::lines_lost(line));
    if let Some((_, rest)) = maillog::stamp(line) {
        assert!(rest.len() < line.len() && lies_inside(rest, line));
    }
    let (_, rest) = maillog::level(line);
    assert!(lies_inside(rest, line));
    check_redact(line);
    if let Some(inner) = maillog::unwrap(line)
        && let Some(record) = maillog::record(&inner)
    {
        check_record(&record, &inner);
    }
    if let Some(record) = maillog::record(line) {
        check_record(&record, line);
    }
}

/// A record and its event borrow from the line and from nothing else.
pub fn check_record(record: &Record<'_>, line: &[u8]) {
    // Dovecot's own files name no program: the tag is ours then.
    let own_file = record.tag.0 == b"dovecot" && record.host.is_empty();
    assert!(lies_inside(record.host, line) && lies_inside(record.text, line), "{record:?}");
    assert!(own_file || lies_inside(record.tag.0, line), "{record:?}");
    assert!(record.repeat >= 1);
    for part in
        [record.tag.daemon(), record.tag.instance().unwrap_or_default(), record.tag.service().unwrap_or_default()]
    {
        assert!(lies_inside(part, record.tag.0), "{record:?}");
    }
    check_redact(record.text);
    if let Some(event) = maillog::event(record) {
        check_event(&event, record);
    }
}

/// Every slice of an event lies inside the message; an address is the one the slices spell.
pub fn check_event(event: &Event<'_>, record: &Record<'_>) {
    let parts = parts(event);
    for part in &parts.slices {
        // Plesk's saslauthd names no service; `smtp` is ours then.
        // A failure's parts that hold a secret are ours as well.
        let ours = match event {
            Event::Saslauthd(_) => *part == b"smtp",
            Event::SaslFailed(_) => part.windows(maillog::REDACTED.len()).any(|word| word == maillog::REDACTED),
            _ => false,
        };
        assert!(ours || lies_inside(part, record.text), "{:?} of {event:?}", String::from_utf8_lossy(part));
    }
    if let Some(client) = parts.client {
        assert!(!client.address.is_empty(), "{event:?}");
    }
    assert!(!event.name().is_empty());
}

/// Redacting changes nothing but secrets: a text is kept as it is, or something of it gives way to the mark.
pub fn check_redact(text: &[u8]) {
    let once = maillog::redact(text);
    match &once {
        Cow::Borrowed(kept) => assert!(kept.len() == text.len() && lies_inside(kept, text)),
        Cow::Owned(cut) => {
            let marks = cut.windows(maillog::REDACTED.len()).filter(|w| *w == maillog::REDACTED).count();
            assert!(marks > 0 && cut.len() <= text.len() + marks * maillog::REDACTED.len());
        }
    }
}

/// Tokens of the format: what folded input is made of. Addresses here are never a client's.
pub const TOKENS: &[&str] = &[
    "Jun 17 10:25:14 ",
    "2025-11-22T09:17:26.436140+00:00 ",
    "@400000004c91b044077a9e94 ",
    "1763803046.436140 ",
    "<22>",
    "<22>1 ",
    "Sat ",
    "Sat 2025-11-22 09:17:26 ",
    "CET ",
    "+0330 ",
    "\u{feff}",
    "stdout F ",
    "mail ",
    "mail.warn ",
    "<mail.info> ",
    "[ID 1 mail.info] ",
    "- ",
    "-  ",
    "postfix/smtpd[7]: ",
    "postfix/submission/smtpd[8]: ",
    "postfix/smtp[9]: ",
    "postfix/cleanup[9]: ",
    "postfix/qmgr[9]: ",
    "postfix/bounce[9]: ",
    "postfix/master[1]: ",
    "postfix/postscreen[3]: ",
    "postfix/pickup[4]: ",
    "postfix 42 ",
    "postfix[5]: ",
    "dovecot: ",
    "saslauthd[6]: ",
    "sshd[5]: ",
    "auth: ",
    "auth-worker(12): ",
    "imap-login: ",
    "Info: ",
    "Debug: ",
    "message repeated 3 times: [ ",
    "message repeated 4294967296 times: [ ",
    "last message repeated 7 times",
    "warning: ",
    "fatal: ",
    "error: ",
    "panic: ",
    "NOQUEUE: ",
    "0F5383D12: ",
    "4ABcd12XyzzYw: ",
    "connect from ",
    "disconnect from ",
    "lost connection after ",
    "timeout after ",
    "too many errors after ",
    "AUTH",
    " from ",
    "h.example[198.51.100.9]",
    "unknown[2001:db8:bad::9]:55",
    "unknown[unknown]",
    "[198.51.100.9]:25",
    ": SASL ",
    "SASL ",
    " authentication failed: ",
    " authentication failed:",
    " authentication aborted",
    "Invalid authentication mechanism",
    "Invalid authentication mechanism: '",
    ", sasl_username=",
    "(unavailable)",
    "(reason unavailable)",
    ", sasl_method=",
    ", sasl_sender=",
    ", orig_queue_id=",
    ", orig_client=",
    "client=",
    "LOGIN",
    "PLAIN",
    "alice@example.test",
    " ehlo=1",
    " auth=0/1",
    " auth=2",
    " starttls=1",
    " commands=4/5",
    "reject: ",
    "milter-reject: ",
    "RCPT",
    "DATA",
    "END-OF-MESSAGE",
    "header Subject: ",
    "body ",
    ": 554 5.7.1 ",
    "Relay access denied",
    "; from=<",
    "> to=<",
    "> proto=ESMTP helo=<",
    ">",
    " proto=",
    " helo=",
    " sasl_method=",
    " sasl_username=",
    " sasl_sender=",
    "to=<",
    ">, orig_to=<",
    ">, relay=",
    ", delay=1.5, delays=0.1/0/0.4/1",
    ", dsn=2.0.0",
    ", status=sent (",
    "queued as ",
    ")",
    "removed",
    "from=<",
    ">, size=12, nrcpt=1",
    ">, status=expired",
    "message-id=<",
    "uid=0 ",
    " orig_id=1CF582025C",
    "> -> <",
    ">, Queue-ID: ",
    ", Message-ID: <",
    ">, mail_id: ",
    ", queued_as: ",
    "(1-2) Passed CLEAN {",
    "rspamd_task_write_log: id: <",
    ">, qid: <",
    ", ip: ",
    ", (default: F (no action): ",
    "Pass; client-ip=",
    "action=greylist, ",
    " client_address=",
    ", sender=",
    ", recipient=",
    "lmtp(a@x)<1><s>: ",
    "msgid=<",
    ">: saved mail to INBOX",
    "host ",
    " said: 450 4.7.1 ",
    " refused to talk to me: ",
    "lost connection with ",
    "conversation with ",
    " timed out while ",
    "connect to ",
    ", tls=may?",
    ", conn_use=2",
    "statistics: max connection rate 5/60s for (smtp:",
    "addr ",
    " listed by domain ",
    "amavis[5]: ",
    "rspamd[5]: ",
    "postfix/anvil[5]: ",
    "postfix/dnsblog[5]: ",
    " notification: ",
    "AUTH command rate limit exceeded: 3",
    " for service 587",
    "SASL: Connect to ",
    " failed: ",
    "SASL authentication failure: ",
    "no SASL authentication mechanisms",
    "SSL_accept error from ",
    "TLS library problem: ",
    "Anonymous TLS connection established from ",
    ": TLSv1.3 with cipher X (256/256 bits)",
    "improper command pipelining after ",
    "AUTH PLAIN AGFsaWNlAHNlY3JldA==",
    "\\r\\n",
    ": request longer than 12288: ",
    "non-SMTP command from ",
    "< ",
    "PREGREET 1 after 2 from ",
    "process /x pid 7 exit status 1",
    "-- version 3.7.11",
    "passwd-file(",
    "sql(",
    ",198.51.100.9",
    ",<abc>",
    "): ",
    "Password mismatch",
    " (given password: ",
    "password=",
    " - trying the next passdb",
    "user=<",
    ">, method=PLAIN",
    ", rip=198.51.100.9",
    ", lip=198.51.100.9",
    ", session=<x>",
    "auth failure: [user=",
    "] [service=",
    "] [realm=",
    "] [reason=",
    "pam_unix(",
    "smtp:auth): ",
    "authentication failure; ",
    " rhost=198.51.100.9",
    " user=",
    "{\"log\":\"",
    "{\"MESSAGE\":\"",
    "\",\"time\":\"",
    "\"}",
    "mail-1  | ",
    "| ",
    " | ",
    "\u{1b}[36m",
    "\u{1b}[",
    "data: ",
    "initial response ",
    "resp=",
    "xsasl_",
    " ",
    ",",
    ":",
    "'",
    "\"",
    "[",
    "]",
    "(",
    "<",
    "=",
    "/",
    ".",
    "0",
    "7",
    "4294967295",
    "18446744073709551616",
    "\\",
    "é",
    "\u{0}",
    "\r",
];

/// Folds arbitrary bytes into the format: every byte names a token.
pub fn folded(bytes: &[u8]) -> Vec<u8> {
    bytes
        .iter()
        .filter_map(|byte| TOKENS.get(usize::from(*byte) % TOKENS.len()))
        .flat_map(|token| token.bytes())
        .collect()
}
