//! Prints lines as the programs do, out of parts: envelopes, clients, and what strangers may put into a line.

use std::net::IpAddr;

use maillog::{Client, Event};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// Envelope shapes of part 1.1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Shape {
    Rfc3164,
    Postlogd,
    Rfc3339,
    Rfc5424,
    /// rsyslog cut the tag at its first slash.
    Rfc5424Cut,
    Priority,
    Busybox,
    BsdVerbose,
    Solaris,
    ShortPrecise,
    ShortIso,
    ShortFull,
    ShortFullLocal,
    ShortFullNumeric,
    ShortUnix,
    Tai64n,
    Hostless,
    HostlessIso,
    HostlessFull,
    HostlessTai64n,
    ByteOrderMark,
    Cri,
    DockerStamped,
    Repeated,
    DockerJson,
    Compose,
    JournalJson,
    JournalBytes,
    Mailcow,
}

impl Shape {
    pub(crate) const ALL: &'static [Self] = &[
        Self::Rfc3164,
        Self::Postlogd,
        Self::Rfc3339,
        Self::Rfc5424,
        Self::Rfc5424Cut,
        Self::Priority,
        Self::Busybox,
        Self::BsdVerbose,
        Self::Solaris,
        Self::ShortPrecise,
        Self::ShortIso,
        Self::ShortFull,
        Self::ShortFullLocal,
        Self::ShortFullNumeric,
        Self::ShortUnix,
        Self::Tai64n,
        Self::Hostless,
        Self::HostlessIso,
        Self::HostlessFull,
        Self::HostlessTai64n,
        Self::ByteOrderMark,
        Self::Cri,
        Self::DockerStamped,
        Self::Repeated,
        Self::DockerJson,
        Self::Compose,
        Self::JournalJson,
        Self::JournalBytes,
        Self::Mailcow,
    ];

    /// The whole line.
    pub(crate) fn print(self, tag: &str, pid: u32, text: &str) -> Vec<u8> {
        let traditional = format!("Jun  7 10:25:14 mail {tag}[{pid}]: {text}");
        let journal = |message: serde_json::Value| {
            serde_json::json!({"__REALTIME_TIMESTAMP": "1763803046436140", "_HOSTNAME": "mail", "SYSLOG_IDENTIFIER": tag, "SYSLOG_PID": pid.to_string(), "MESSAGE": message}).to_string()
        };
        let line = match self {
            Self::Rfc3164 => traditional,
            Self::Postlogd => format!("Jun 07 10:25:14 mail {tag}[{pid}]: {text}"),
            Self::Rfc3339 => format!("2025-11-22T09:17:26.436140+00:00 mail {tag}[{pid}]: {text}"),
            Self::Rfc5424 => format!("<22>1 2025-11-22T09:17:26.436140+00:00 mail {tag} {pid} - -  {text}"),
            Self::Rfc5424Cut => format!("<20>1 2025-11-22T09:17:26Z mail postfix {pid} - [x@1 a=\"b\\\"]\"]  {text}"),
            Self::Priority => format!("<22>{traditional}"),
            Self::Busybox => format!("Jun  7 10:25:14 mail mail.warn {tag}[{pid}]: {text}"),
            Self::BsdVerbose => format!("Jun  7 10:25:14 <mail.info> mail {tag}[{pid}]: {text}"),
            Self::Solaris => format!("Jun  7 10:25:14 mail {tag}[{pid}]: [ID 197553 mail.info] {text}"),
            Self::ShortPrecise => format!("Jun 07 10:25:14.123456 mail {tag}[{pid}]: {text}"),
            Self::ShortIso => format!("2025-11-22T09:17:26+0000 mail {tag}[{pid}]: {text}"),
            Self::ShortFull => format!("Sat 2025-11-22 09:17:26 UTC mail {tag}[{pid}]: {text}"),
            Self::ShortFullLocal => format!("Sat 2025-11-22 10:17:26 CET mail {tag}[{pid}]: {text}"),
            Self::ShortFullNumeric => format!("Sat 2025-11-22 12:47:26 +0330 mail {tag}[{pid}]: {text}"),
            Self::ShortUnix => format!("1763803046.436140 mail {tag}[{pid}]: {text}"),
            Self::Tai64n => format!("@400000004c91b044077a9e94 mail {tag}[{pid}]: {text}"),
            Self::Hostless => format!("Jun  7 10:25:14 {tag}[{pid}]: {text}"),
            Self::HostlessIso => format!("2025-11-22T09:17:26.436140+00:00 {tag}[{pid}]: {text}"),
            Self::HostlessFull => format!("Sat 2025-11-22 10:17:26 CET {tag}[{pid}]: {text}"),
            Self::HostlessTai64n => format!("@400000004c91b044077a9e94 {tag}[{pid}]: {text}"),
            Self::ByteOrderMark => format!("\u{feff}{traditional}"),
            Self::Cri => format!("2025-11-22T09:17:26.1Z stdout F {traditional}"),
            Self::DockerStamped => format!("2025-11-22T09:17:26.123456789Z {traditional}"),
            Self::Repeated => format!("Jun  7 10:25:14 mail {tag}[{pid}]: message repeated 3 times: [ {text}]"),
            Self::DockerJson => serde_json::json!({"log": format!("{traditional}\n"), "stream": "stdout", "time": "2025-11-22T09:06:30.1Z"}).to_string(),
            Self::Compose => format!("\u{1b}[36mpostfix-1  |\u{1b}[0m {traditional}"),
            Self::JournalJson => journal(text.into()),
            Self::JournalBytes => journal(text.as_bytes().into()),
            Self::Mailcow => serde_json::json!({"time": "1763803046", "priority": "info", "program": tag, "message": text}).to_string(),
        };
        line.into_bytes()
    }

    /// The host in its lines.
    fn host(self) -> &'static str {
        match self {
            Self::Hostless | Self::HostlessIso | Self::HostlessFull | Self::HostlessTai64n => "",
            Self::Mailcow => "localhost",
            _ => "mail",
        }
    }

    /// Whether the shape may lose blanks at the end of a line.
    fn trims(self) -> bool {
        self == Self::Compose
    }
}

/// Prints a line in a shape, reads it back, and hands over what it says.
pub(crate) fn read(shape: Shape, tag: &str, pid: u32, text: &str, check: impl FnOnce(&Event<'_>)) {
    if shape.trims() && text.trim_ascii_end() != text {
        return;
    }
    let line = shape.print(tag, pid, text);
    let inner = maillog::record(&line).is_none().then(|| maillog::unwrap(&line).unwrap());
    let record = maillog::record(inner.as_deref().unwrap_or(&line)).unwrap();
    assert_eq!(String::from_utf8_lossy(record.text), text.strip_prefix(' ').unwrap_or(text), "{shape:?}");
    assert_eq!(String::from_utf8_lossy(record.host), shape.host(), "{shape:?}");
    assert_eq!(record.repeat, if shape == Shape::Repeated { 3 } else { 1 });
    if shape != Shape::Mailcow {
        assert_eq!(record.pid, Some(pid), "{shape:?}");
    }
    let event = maillog::event(&record).unwrap_or_else(|| panic!("{shape:?}: {text}"));
    check(&event);
}

pub(crate) fn same(found: &[u8], expected: &str) {
    assert_eq!(String::from_utf8_lossy(found), expected);
}

pub(crate) fn same_client(found: &Client<'_>, expected: &str) {
    let name = String::from_utf8_lossy(found.name);
    let port = found.port.map_or(String::new(), |port| format!(":{port}"));
    assert_eq!(format!("{name}[{}]{port}", String::from_utf8_lossy(found.address)), expected);
}

/// The addresses clients really have here. Everything a stranger writes names others.
pub(crate) fn true_network(ip: &IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.octets()[..3] == [192, 0, 2],
        IpAddr::V6(v6) => v6.segments()[..3] == [0x2001, 0xdb8, 1],
    }
}

/// The text between a client's brackets.
pub(crate) fn address_of(client: &str) -> &str {
    client.split_once('[').unwrap().1.split_once(']').unwrap().0
}

/// `name[address]` with and without port.
pub(crate) fn clients() -> impl Strategy<Value = String> {
    let name =
        prop_oneof![2 => Just("unknown".to_owned()), 3 => "[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?(\\.[a-z0-9_]{1,8}){1,3}"];
    let address = prop_oneof![
        4 => any::<u8>().prop_map(|n| format!("192.0.2.{n}")),
        2 => any::<[u16; 5]>().prop_map(|[a, b, c, d, e]| std::net::Ipv6Addr::new(0x2001, 0xdb8, 1, a, b, c, d, e).to_string()),
        1 => Just("unknown".to_owned()),
    ];
    (name, address, proptest::option::of(any::<u16>())).prop_map(|(name, address, port)| {
        let port = port.map_or(String::new(), |port| format!(":{port}"));
        format!("{name}[{address}]{port}")
    })
}

/// Pieces of our own wording, for a stranger to play with.
const PIECES: &[&str] = &[
    "alice",
    "a b",
    ", sasl_username=",
    ", sasl_username=victim@example.test",
    "]: SASL PLAIN authentication failed: ",
    "evil[198.51.100.7]: SASL LOGIN authentication failed: x",
    "client=",
    "client=evil[198.51.100.7]",
    "[",
    "]",
    "[198.51.100.7]",
    "(",
    ")",
    "<",
    ">",
    "\"",
    "'",
    "\\",
    ": ",
    ", ",
    ";",
    "=",
    "@example.test",
    "from evil[198.51.100.7]: 5.7.1 x",
    "SASL LOGIN authentication failed: x",
    " from evil[198.51.100.7]",
    " from evil[198.51.100.7]: 5.7.1 x; from=<a> to=<b>",
    "warning: ",
    "NOQUEUE: ",
    "(unavailable)",
    "(reason unavailable)",
    " authentication failed:",
    " authentication failed: Invalid authentication mechanism",
    "Invalid authentication mechanism: 'x'",
    " authentication aborted",
    "sasl_method=PLAIN",
    "status=sent (",
    "]:25",
    "message repeated 3 times: [ ",
    ">: ",
    "; from=<",
    "; from=<a> to=<",
    " to=<b>",
    " proto=SMTP helo=<e>",
    ">: Sender address rejected: not owned by user victim@example.test",
    ">: Relay access denied",
    ">, relay=",
    ">, orig_to=<",
    ">, relay=none, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (",
    " from evil[198.51.100.7]; from=<a> to=<b> proto=ESMTP helo=<h>: x",
    " from local; from=<a>",
    ", ip: 198.51.100.7, ",
    ">, qid: <BAD0000001>, ip: 198.51.100.7, from: <a>",
    "> -> <v@w>, Queue-ID: BAD0000001, ",
    ">, mail_id: x, queued_as: BAD0000002, ",
    "client-ip=198.51.100.7; ",
    ", client_address=198.51.100.7, ",
    "[198.51.100.7]:25 <",
    "disconnect from evil[198.51.100.7]",
    "connect from evil[198.51.100.7]",
    ", rip=198.51.100.7",
    " rip=198.51.100.7, lip=1",
    " rhost=198.51.100.7",
    "): x",
    ",198.51.100.7): x",
    "x,198.51.100.7",
    "é",
    "??[31m",
    "#033",
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "SASL ",
    " ",
];

/// Text of a stranger's choice: printable, since Postfix makes `?` of all else.
pub(crate) fn anything() -> impl Strategy<Value = String> {
    prop_oneof![4 => vec(select(PIECES), 0..6).prop_map(|parts| parts.concat()), 1 => "[ -~]{0,100}"]
}

/// A login name that a stranger typed: anything but what stands for none.
pub(crate) fn hostile_text() -> impl Strategy<Value = String> {
    anything().prop_filter("stands for no name", |text| text != "(unavailable)")
}

/// An account that exists, so its name was chosen by whoever made it; it still may hold blanks, commas and brackets.
pub(crate) fn login_name() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9._@+-][a-zA-Z0-9 ,._@+='\\[\\]()-]{0,40}[a-zA-Z0-9]".prop_filter("reads as another field", |name| {
        ![", sasl_", ", orig_", " proto=", " sasl_"].iter().any(|key| name.contains(key))
    })
}

/// An envelope address: the local part may be quoted and hold blanks and most of our separators.
pub(crate) fn mail_address() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[a-z0-9.+_-]{0,12}@[a-z0-9.-]{1,12}",
        1 => Just(String::new()),
        2 => "[a-z ,:;=\\[\\]()'-]{0,20}".prop_map(|local| format!("\"{local}\"@example.test")),
        1 => Just("\"]: SASL PLAIN authentication failed: x, sasl_username=v\"@[198.51.100.7]".to_owned()),
    ]
}

/// An envelope address of a stranger's, as he sends it and Postfix logs it (since 3.5), and without its quotes, as replies name it.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    pub(crate) sent: String,
    pub(crate) plain: String,
}

/// The local part may be anything: then it is in quotes.
pub(crate) fn address() -> impl Strategy<Value = Address> {
    prop_oneof![
        1 => "[a-z0-9.+_-]{1,12}@[a-z0-9.-]{1,12}".prop_map(|sent| Address { plain: sent.clone(), sent }),
        1 => Just(Address { sent: String::new(), plain: String::new() }),
        4 => anything().prop_map(|local| Address {
            sent: format!("\"{}\"@example.test", local.replace('\\', "\\\\").replace('"', "\\\"")),
            plain: format!("{local}@example.test"),
        }),
    ]
}

/// HELO: Postfix replaces blanks, brackets, quotes and semicolons.
pub(crate) fn helo() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z0-9.-]{1,20}", Just("[198.51.100.7]".to_owned()), "[!#-'*,./0-9:=?A-Z\\[\\]^_`a-z{|}~-]{1,30}"]
}

/// Junk that holds no command of its own.
pub(crate) fn harmless() -> impl Strategy<Value = String> {
    "[a-z0-9 .:;,<>]{0,20}"
}

/// Lines that quote what a stranger wrote: who logs it, and the message.
pub(crate) const QUOTING: &[(&str, &str)] = &[
    ("postfix/smtpd", "warning: {client}: SASL PLAIN authentication failed: x, sasl_username={text}"),
    (
        "postfix/smtpd",
        "warning: {client}: SASL <{text}> authentication failed: Invalid authentication mechanism, sasl_username=(unavailable)",
    ),
    ("postfix/smtpd", "warning: non-SMTP command from {client}: {text}"),
    ("postfix/smtpd", "warning: non-SMTP command from {client}: GET {text}"),
    ("postfix/smtpd", "warning: {client}: request longer than 2048: {text}..."),
    ("postfix/smtpd", "warning: Illegal address syntax from {client} in MAIL command: {text}"),
    ("postfix/smtpd", "improper command pipelining after EHLO from {client}: {text}"),
    ("postfix/smtpd", "0F5383D12: client={client}, sasl_method=PLAIN, sasl_username={text}"),
    ("postfix/smtpd", "0F5383D12: client={client}, sasl_method=PLAIN, sasl_username=a, sasl_sender={text}"),
    (
        "postfix/smtpd",
        "NOQUEUE: reject: RCPT from {client}: 554 5.7.1 <{text}>: Relay access denied; from=<{text}> to=<{text}> proto=ESMTP helo=<{text}>",
    ),
    (
        "postfix/smtpd",
        "NOQUEUE: reject: RCPT from {client}: 553 5.7.1 <b@x>: Sender address rejected: not owned by user {text}; from=<b@x> to=<c@y> proto=ESMTP helo=<h> sasl_method=PLAIN sasl_username={text}",
    ),
    (
        "postfix/smtpd",
        "NOQUEUE: milter-reject: END-OF-MESSAGE from {client}: 5.7.1 {text}; from=<{text}> to=<b> proto=ESMTP helo=<h>",
    ),
    (
        "postfix/smtpd",
        "NOQUEUE: filter: RCPT from {client}: <{text}>: Sender address triggers FILTER x; from=<{text}> to=<b> proto=ESMTP helo=<h>",
    ),
    ("postfix/smtpd", "NOQUEUE: warn: HELO from {client}: {text}; proto=SMTP helo=<{text}>"),
    (
        "postfix/cleanup",
        "0F5383D12: reject: header Subject: {text} from {client}; from=<{text}> to=<b> proto=ESMTP helo=<h>: 5.7.1 no",
    ),
    (
        "postfix/cleanup",
        "0F5383D12: reject: body {text} from {client}; from=<{text}> to=<b> proto=ESMTP helo=<h>: 5.7.1 no",
    ),
    ("postfix/cleanup", "0F5383D12: warning: body {text} from {client}; from=<a> to=<b> proto=ESMTP helo=<h>"),
    ("postfix/cleanup", "0F5383D12: hold: header {text}: {text} from {client}; from=<a> to=<b> proto=ESMTP helo=<h>"),
    ("postfix/cleanup", "0F5383D12: message-id=<{text}>"),
    (
        "postfix/cleanup",
        "0F5383D12: milter-reject: END-OF-MESSAGE from {client}: 5.7.1 {text}; from=<{text}> to=<b> proto=ESMTP helo=<h>",
    ),
    ("postfix/qmgr", "0F5383D12: from=<{text}>, size=1, nrcpt=1 (queue active)"),
    (
        "postfix/smtp",
        "0F5383D12: to=<{text}>, relay=mx.example[198.51.100.1]:25, delay=1, delays=0/0/1/0, dsn=5.0.0, status=bounced (host mx.example[198.51.100.1] said: 554 {text})",
    ),
    ("postfix/pickup", "0F5383D12: uid=0 from=<{text}>"),
    ("postfix/smtp", "0F5383D12: host mx.example[198.51.100.1] said: 554 {text} (in reply to DATA command)"),
    ("postfix/smtp", "0F5383D12: host mx.example[198.51.100.1] refused to talk to me: 554 {text}"),
    ("postfix/smtp", "0F5383D12: warning: header Subject: {text}: words"),
    ("postfix/smtp", "0F5383D12: passing <{text}> to transport=local"),
    ("postfix/smtpd", "warning: Illegal address syntax from {client} in RCPT command: <{text}>"),
    (
        "postfix/cleanup",
        "0F5383D12: reject: mime-error bad header: {text} from {client}; from=<a> to=<b> proto=SMTP helo=<h>",
    ),
    ("postfix/cleanup", "0F5383D12: info: header Subject: {text} from local; from=<{text}>"),
    (
        "amavis",
        "(1-2) Blocked SPAM {DiscardedInbound}, [{ip}]:4711 [{ip}] <\"{text}\"@x> -> <b@y>, Queue-ID: 0F5383D12, Message-ID: <{text}>, mail_id: abc, Hits: 9, size: 1, 5 ms",
    ),
    (
        "rspamd",
        "<a1>; task; rspamd_task_write_log: id: <{text}>, qid: <0F5383D12>, ip: {ip}, user: {text}, from: <{text}>, (default: F (no action): [0.1/15.0] [SUBJ{{text};}]), len: 1",
    ),
    (
        "amavis",
        "(1-2) Blocked BANNED (.exe,{text}) {RejectedInbound}, [{ip}]:4711 [{ip}] <a@x> -> <b@y>, Queue-ID: 0F5383D12, mail_id: abc, Hits: -, size: 1, 5 ms",
    ),
    ("opendkim", "0F5383D12: key retrieval failed (s={text}, d={text})"),
    ("policyd-spf", "Permerror (unknown mechanism: {text}) identity=mailfrom; client-ip={ip}; helo=h; receiver=b"),
    ("policyd-spf", "Softfail; identity=mailfrom; client-ip={ip}; helo={text}; envelope-from={text}; receiver={text}"),
    ("postgrey", "action=greylist, reason=new, client_name=h, client_address={ip}, sender={text}, recipient={text}"),
    ("dovecot", "lmtp(a@x)<1><s>: msgid=<{text}>: saved mail to INBOX"),
    ("postfix/postscreen", "PREGREET 14 after 0.04 from {client}: {text}"),
    ("postfix/postscreen", "NON-SMTP COMMAND from {client} after CONNECT: {text}"),
    ("postfix/postscreen", "COMMAND PIPELINING from {client} after EHLO: {text}"),
    (
        "postfix/postscreen",
        "NOQUEUE: reject: RCPT from {client}: 450 4.3.2 Service currently unavailable; from=<{text}>, to=<{text}>, proto=ESMTP, helo=<{text}>",
    ),
    ("dovecot", "auth: passwd-file(alice,{ip}): Password mismatch (given password: {text})"),
    ("dovecot", "auth: passwd-file({text},{ip}): Password mismatch"),
    ("dovecot", "auth-worker(24544): pam({text},{ip}): unknown user"),
    (
        "auth",
        "pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser={text} rhost={ip}  user={text}",
    ),
    ("dovecot", "auth: plain(?,{ip}): Username character disallowed by auth_username_chars: 0x2c (username: {text})"),
    ("dovecot", "auth(alice,{ip},sasl:plain)<7>: Info: sql: Password mismatch (given password: {text})"),
    ("dovecot", "auth({text},{ip},sasl:plain): sql: Password mismatch"),
    ("dovecot", "auth-worker({text},{ip},sasl:plain)<99>: Error: request [3]: sql: Password query failed: x"),
    ("dovecot", "auth(alice,{ip},sasl:plain,{text})<7>: Info: sql: Password mismatch"),
    (
        "dovecot",
        "imap-login: Disconnected (auth failed, 1 attempts in 6 secs): user=<{text}>, method=PLAIN, rip={ip}, lip=192.0.2.7, TLS, session=<azd>",
    ),
    (
        "saslauthd",
        "do_auth         : auth failure: [user={text}] [service=smtp] [realm={text}] [mech=pam] [reason=PAM auth error]",
    ),
    ("sshd", "{text}"),
];

/// Lines that leak: `{auth}{secret}` is what the client sent.
pub(crate) const LEAKING: &[&str] = &[
    "improper command pipelining after EHLO from {client}: {auth}{secret}\\r\\n",
    "improper command pipelining after EHLO from {client}: EHLO {junk}\\r\\n{auth}{secret}\\r\\n{junk}",
    "improper command pipelining after STARTTLS from {client}: {junk}{auth}{secret}",
    "improper command pipelining after EHLO from {client}: {junk}AUTH\\tPLAIN\\t{secret}\\r\\n",
    "improper command pipelining after AUTH from {client}: {secret}\\r\\n",
    "improper command pipelining after AUTH from {client}: {junk}{secret}{junk}",
    "improper command pipelining after EHLO from {client}: AUTH LOGIN\\r\\n{secret}\\r\\n{secret}\\r\\n",
    "warning: {client}: request longer than 12288: {secret}...",
    "warning: {client}: request longer than 2048: {auth}{secret}...",
    "< {client}: {auth}{secret}",
    "< {client}: {secret}",
    "xsasl_dovecot_server_first: sasl_method PLAIN, initial response {secret}",
    "xsasl_cyrus_server_next: decoded response {secret}",
    "xsasl_cyrus_server_next: decoded response: {junk}{secret}",
    "xsasl_cyrus_server_first: sasl_method PLAIN, init_response {secret}",
    "PREGREET 41 after 0.1 from {client}: EHLO {junk}\\r\\n{auth}{secret}\\r\\n{junk}",
    "COMMAND PIPELINING from {client} after EHLO: {junk}{auth}{secret}",
    "COMMAND PIPELINING from {client} after AUTH: {secret}\\r\\n{junk}",
    "> {client}: {auth}{secret}",
    "> {client}: {secret}",
    "auth: Debug: client in: AUTH#0111#011PLAIN#011service=smtp#011resp={secret}",
    "auth: Debug: client in: CONT#0111#011{secret} (previous base64 data may contain sensitive data)",
    "auth: Debug: client passdb out: OK\t1\tuser=alice\tpass={junk}{secret}\tproxy_pass={secret}{junk}",
    "auth: Debug: sql(alice,192.0.2.1): CRYPT({junk}{secret}) != '{secret}'",
    "auth: Debug: sql(alice,192.0.2.1): cache hit: {PLAIN}{junk}{secret}",
    "{client}: replacing command \"{auth}{secret}\" with \"NOOP\"",
    "warning: non-SMTP command from {client}: {junk}{auth}{secret}",
    "maps_find: smtp_sasl_password_maps: hash:/etc/postfix/sasl_passwd(0,lock): {client} = alice:{junk}{secret}",
    "auth_rimap: sending saslauthd LOGIN \"alice\" \"{junk}{secret}\"",
    "auth: Debug: sql(alice,192.0.2.1): query: SELECT u FROM users WHERE u = 'alice' AND p = '{secret}'",
    "auth: Debug: sql(alice,192.0.2.1): query: select * from check_login('{junk}', '{secret}')",
    "sql plugin doing query UPDATE users SET p = MD5(\"{secret}\"), n = '{junk}'",
    "Password query failed: near 'SELECT u FROM users WHERE p = \"{secret}\" AND n = '{junk}''",
    "warning: connect to pgsql server postgresql://joe:x{secret}@192.0.2.1/mail: {junk}",
    "auth: Debug: ldap(alice,192.0.2.1): result: uid(user)=alice userPassword(password)={SSHA}{secret}",
    "auth: Debug: passwd-file(alice,192.0.2.1): Credentials: {secret}",
    "auth: passwd-file(alice,192.0.2.1): Password mismatch (given password: {secret})",
    "auth: passwd-file(alice,192.0.2.1): Password mismatch (given password: {junk}{secret}) - trying the next passdb",
    "auth: passwd-file(alice,192.0.2.1): Password mismatch (SHA1 of given password: {secret})",
    "auth: sql(alice,192.0.2.1): unknown user (given password: {junk}) {secret})",
];

/// What a sender may put into quotes before the `@`.
pub(crate) fn quoted_local_part() -> impl Strategy<Value = String> {
    anything().prop_map(|text| text.replace(['"', '\\'], ""))
}

/// A Message-ID: any text of the sender's.
pub(crate) fn message_id_text() -> impl Strategy<Value = String> {
    anything()
}

/// Lines that link queue ids: who logs it, the message, and the ids that are really told.
pub(crate) const LINKING: &[(&str, &str, &[&str])] = &[
    (
        "amavis",
        "(1-2) Passed CLEAN {RelayedInbound}, [192.0.2.1]:4711 <{address}> -> <{address}>,<{address}>, Queue-ID: 0F5383D12, Message-ID: <{id}>, mail_id: abc, Hits: 0, size: 1, queued_as: 1CF582025C, 5 ms",
        &["0F5383D12", "1CF582025C"],
    ),
    (
        "amavis",
        "(1-2) Blocked SPAM {DiscardedInbound}, [192.0.2.1]:4711 <{address}> -> <{address}>, Message-ID: <{id}>, mail_id: abc, Hits: 9, size: 1, 5 ms",
        &[],
    ),
    (
        "amavis",
        "(1-2) Blocked BANNED (.exe,{id}) {RejectedInbound}, [192.0.2.1]:4711 <{address}> -> <{address}>, Queue-ID: 0F5383D12, Message-ID: <{id}>, mail_id: abc, Hits: -, size: 1, 5 ms",
        &["0F5383D12"],
    ),
    (
        "rspamd",
        "<a1>; task; rspamd_task_write_log: id: <{id}>, qid: <0F5383D12>, ip: 192.0.2.1, from: <{address}>, (default: F (no action): [0.1/15.0] []), len: 1, rcpts: <{address}>",
        &["0F5383D12"],
    ),
    ("postfix/pickup", "0F5383D12: uid=33 from=<{address}>", &["0F5383D12"]),
    ("postfix/qmgr", "0F5383D12: from=<{address}>, status=expired, returned to sender", &["0F5383D12"]),
    ("postfix/cleanup", "0F5383D12: message-id=<{id}>", &["0F5383D12"]),
    ("dovecot", "lda(a): msgid=<{id}>: saved mail to INBOX", &[]),
];

/// Every queue id an event tells.
pub(crate) fn queue_ids(event: &Event<'_>) -> Vec<String> {
    let ids = match event {
        Event::Examined(found) => vec![found.queue_id, found.next_queue_id],
        Event::Pickup(found) => vec![Some(found.queue_id), found.orig_queue_id],
        Event::MessageId(id, _) | Event::Expired(id, ..) | Event::Removed(id) | Event::Active(id, ..) => {
            vec![Some(*id)]
        }
        _ => vec![],
    };
    ids.into_iter().flatten().map(|id| String::from_utf8_lossy(id.as_bytes()).into_owned()).collect()
}
