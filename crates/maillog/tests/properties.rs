//! Whatever stands in a line: nothing panics, nothing is taken from elsewhere, what was printed is what is read, and the
//! client's address never comes out of text that the client chose.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::string_slice, reason = "a test may panic")]

mod checks;
mod print;

use checks::{TOKENS, addresses, check_line, folded};
use maillog::{Event, LoginName};
use print::{Shape, clients, hostile_text, read, true_network};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// Real lines to mutate: the forms of the grammar, one of each.
const REAL: &[&str] = &[
    "Jun 17 10:25:14 mail postfix/submission/smtpd[77]: warning: h.example[192.0.2.9]: SASL LOGIN authentication failed: UGFzc3dvcmQ6",
    "2025-11-22T09:17:26.436140+00:00 mail postfix/smtpd[1]: warning: unknown[2001:db8:1::1]:55729: SASL PLAIN authentication failed: (reason unavailable), sasl_username=alice@example.test",
    "<22>1 2025-11-22T09:17:26.436140+00:00 mail postfix 42 - -  warning: h[192.0.2.1]: SASL <x authentication failed: y> authentication failed: Invalid authentication mechanism: '<x authentication failed: y>', sasl_username=(unavailable)",
    "Jun  7 10:25:14 mail postfix/smtpd[1]: message repeated 3 times: [ warning: x[192.0.2.9]: SASL LOGIN authentication aborted]",
    "Jun  7 10:25:14 mail postfix/smtpd[1]: disconnect from unknown[192.0.2.1]:9 ehlo=2 starttls=1 auth=0/1 mail=1 rcpt=0/1 quit=1 commands=4/5",
    "Jun  7 10:25:14 mail postfix/smtpd[1]: NOQUEUE: lost connection after AUTH from unknown[192.0.2.1]",
    "Jun  7 10:25:14 mail postfix/smtpd[1]: warning: AUTH command rate limit exceeded: 3 from unknown[192.0.2.62] for service 587",
    "Jun  7 10:25:14 mail postfix/smtpd[1]: warning: SASL: Connect to Dovecot auth socket 'private/auth' failed: Connection refused",
    "Jun  7 10:25:14 mail postfix/smtpd[1]: NOQUEUE: reject: RCPT from h[192.0.2.20]: 553 5.7.1 <b@x>: Sender address rejected: not owned by user a@x; from=<b@x> to=<c@y> proto=ESMTP helo=<h> sasl_method=PLAIN sasl_username=a b@x",
    "Jun  7 10:25:14 mail postfix/smtpd[1]: 105819B000C: client=unknown[192.0.2.104], sasl_method=PLAIN, sasl_username=a, sasl_sender=foo+3Dbar@x, orig_queue_id=0F5383D, orig_client=h[192.0.2.1]",
    "Jun  7 10:25:14 mail postfix/smtpd[1]: improper command pipelining after EHLO from unknown[192.0.2.111]: AUTH PLAIN AGFsaWNlAHNlY3JldA==\\r\\n",
    "Jun  7 10:25:14 mail postfix/smtpd[1]: Anonymous TLS connection established from h[192.0.2.1] to mail.example: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange X25519",
    "Jun  7 10:25:14 mail postfix/smtp[1]: 0F5383D12: to=<u@example.com>, orig_to=<v@example.com>, relay=mx.example.com[198.51.100.1]:25, conn_use=2, delay=1.5, delays=0.1/0/0.4/1, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 1CF582025C)",
    "Jun  7 10:25:14 mail postfix/cleanup[1]: 0F5383D12: warning: header Subject: x from h[192.0.2.1]; from=<a> to=<b> proto=ESMTP helo=<h>",
    "Jun  7 10:25:14 mail postfix/qmgr[1]: 0F5383D12: from=<a@x>, size=123, nrcpt=1 (queue active)",
    "Jun  7 10:25:14 mail postfix/postscreen[1]: PREGREET 14 after 0.04 from [192.0.2.4]:55868: EHLO ylmf-pc\\r\\n",
    "Jun  7 10:25:14 mail postfix/smtp[1]: 0F5383D12: host mx.example.com[198.51.100.1] said: 450 4.7.1 <u@example.com>: Greylisted (in reply to RCPT TO command)",
    "Jun  7 10:25:14 mail postfix/smtp[1]: Trusted TLS connection established to mx.example.com[198.51.100.1]:25: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)",
    "Jun  7 10:25:14 mail postfix/smtp[1]: 0F5383D12: to=<u@example.com>, relay=h[198.51.100.1]:25, delay=3.6, delays=0.08/0.02/0.85/0.14, tls=dane/!requiretls:nocertmatch, dsn=2.1.5, status=sent (250 ok)",
    "Jun  7 10:25:14 mail postfix/pickup[1]: 0F5383D12: uid=33 from=<www> orig_id=1CF582025C",
    "Jun  7 10:25:14 mail postfix/bounce[1]: 0F5383D12: sender non-delivery notification: ADD2F8052",
    "Jun  7 10:25:14 mail postfix/postsuper[1]: 0F5383D12: released from hold",
    "Jun  7 10:25:14 mail postfix/anvil[1]: statistics: max connection rate 5/60s for (smtp:192.0.2.1) at Jun  7 10:25:14",
    "Jun  7 10:25:14 mail postfix/dnsblog[1]: addr 192.0.2.1 listed by domain list.example as 127.0.0.2",
    "Jun  7 10:25:14 mail amavis[1]: (1-2) Passed CLEAN {RelayedInbound}, [192.0.2.1]:4711 [192.0.2.1] <a@x> -> <b@y>,<c@y>, Queue-ID: 0F5383D12, Message-ID: <m@x>, mail_id: abc, Hits: -0.1, size: 1234, queued_as: 1CF582025C, 512 ms",
    "Jun  7 10:25:14 mail rspamd[1]: <a1>; task; rspamd_task_write_log: id: <m@x>, qid: <0F5383D12>, ip: 192.0.2.1, from: <a@x>, (default: F (no action): [0.10/15.00] []), len: 1234",
    "Jun  7 10:25:14 mail postgrey[1]: action=greylist, reason=new, client_name=h.example, client_address=192.0.2.1, sender=a@x, recipient=b@y",
    "Jun  7 10:25:14 mail policyd-spf[1]: Pass; identity=mailfrom; client-ip=192.0.2.1; helo=h; envelope-from=a@x; receiver=b@y",
    "Jun  7 10:25:14 mail dovecot: lmtp(a@x)<123><s>: sieve: msgid=<m@y>: stored mail into mailbox 'INBOX'",
    "Jun  7 10:25:14 mail dovecot: auth-worker(63712): Info: conn unix:auth-worker (pid=58074,uid=109): auth-worker<4>: sql(contact,2001:db8:1::1): unknown user (given password: a) b) - trying the next passdb",
    "Nov 22 09:06:30 auth(user1@example.org,192.0.2.24,sasl:login)<AbCdEf123>: Info: sql: Password mismatch",
    "Nov 22 09:06:30 mail dovecot: imap-login: Login aborted: Logged out (auth failed, 1 attempts in 2 secs) (auth_failed): user=<a>, method=PLAIN, rip=192.0.2.1, lip=192.0.2.7, session=<x>",
    "Nov 22 09:06:30 mail saslauthd[5]: do_auth         : auth failure: [user=alice] [service=smtp] [realm=example.test] [mech=pam] [reason=PAM auth error]",
    "Nov 22 09:06:30 mail saslauthd[5]: pam_unix(smtp:auth): authentication failure; logname= uid=0 euid=0 tty= ruser= rhost= user=alice",
    "{\"log\":\"Nov 22 09:06:30 a b[1]: x\\n\",\"stream\":\"stdout\",\"time\":\"2025-11-22T09:06:30.1Z\"}",
    "{\"__REALTIME_TIMESTAMP\":\"1763803046436140\",\"_HOSTNAME\":\"mail\",\"SYSLOG_IDENTIFIER\":\"postfix/smtpd\",\"_PID\":\"9\",\"MESSAGE\":[120,27,121]}",
    "\u{1b}[36mmail-1  |\u{1b}[0m Nov 22 09:06:30 a postfix/smtpd[1]: connect from h[192.0.2.1]",
    "@400000004c91b044077a9e94 mail postfix/smtpd[1]: connect from h[192.0.2.1]",
    "@400000004c91b044077a9e94 postfix/smtpd[1]: connect from h[192.0.2.1]",
    "Tue 2026-03-10 11:00:01 CET mx postfix/submission/smtpd[77]: connect from h[192.0.2.1]",
    "Tue 2026-03-10 13:30:01 +0330 postfix/submission/smtpd[77]: connect from h[192.0.2.1]",
    "\u{feff}Jun 17 10:25:14 mail smtps/smtpd[77]: connect from h[192.0.2.1]",
];

/// One change to a line.
#[derive(Clone, Debug)]
enum Change {
    Flip(usize, u8),
    Drop(usize, usize),
    Repeat(usize, usize),
    Insert(usize, &'static str),
    Cut(usize),
    Graft(usize, &'static str, usize),
}

fn change() -> impl Strategy<Value = Change> {
    let at = 0usize..400;
    prop_oneof![
        (at.clone(), any::<u8>()).prop_map(|(at, byte)| Change::Flip(at, byte)),
        (at.clone(), 1usize..40).prop_map(|(at, len)| Change::Drop(at, len)),
        (at.clone(), 1usize..40).prop_map(|(at, len)| Change::Repeat(at, len)),
        (at.clone(), select(TOKENS)).prop_map(|(at, token)| Change::Insert(at, token)),
        at.clone().prop_map(Change::Cut),
        (at.clone(), select(REAL), at).prop_map(|(at, other, from)| Change::Graft(at, other, from)),
    ]
}

fn apply(mut line: Vec<u8>, change: &Change) -> Vec<u8> {
    let at = |place: usize| if line.is_empty() { 0 } else { place % line.len() };
    match *change {
        Change::Flip(place, byte) => {
            let place = at(place);
            if let Some(old) = line.get_mut(place) {
                *old = byte;
            }
        }
        Change::Drop(place, len) => {
            let (from, to) = (at(place), (at(place) + len).min(line.len()));
            line.drain(from..to);
        }
        Change::Repeat(place, len) => {
            let (from, to) = (at(place), (at(place) + len).min(line.len()));
            let piece = line[from..to].to_vec();
            line.splice(from..from, piece);
        }
        Change::Insert(place, token) => {
            let place = at(place);
            line.splice(place..place, token.bytes());
        }
        Change::Cut(place) => line.truncate(at(place)),
        Change::Graft(place, other, from) => {
            line.truncate(at(place));
            line.extend_from_slice(&other.as_bytes()[from.min(other.len())..]);
        }
    }
    line
}

fn mutated() -> impl Strategy<Value = Vec<u8>> {
    (select(REAL), vec(change(), 0..6)).prop_map(|(line, changes)| changes.iter().fold(line.as_bytes().to_vec(), apply))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes(line in vec(any::<u8>(), 0..400)) {
        check_line(&line);
    }

    #[test]
    fn bytes_folded_into_the_alphabet(bytes in vec(any::<u8>(), 0..40)) {
        check_line(&folded(&bytes));
    }

    #[test]
    fn real_lines_mutated(line in mutated()) {
        check_line(&line);
    }

    #[test]
    fn addresses_of_any_text(text in "[0-9a-fA-F:.%IPv]{0,45}") {
        let found = maillog::address(text.as_bytes());
        if let Ok(ip) = text.parse::<std::net::IpAddr>() {
            prop_assert_eq!(found, Some(ip.to_canonical()));
        }
    }
}

/// Deeply nested wrappers are peeled in bounded depth.
#[test]
fn nesting_without_end() {
    for piece in ["a | ", "a| ", "data: ", "\u{1b}[m", "\u{1b}", "\u{1b}[", "{\"log\":\"", "[", "a | \u{1b}[m"] {
        check_line(&piece.repeat(65_536 / piece.len()).into_bytes());
    }
    let nested = (0..12).fold("Nov 22 09:06:30 a b[1]: x".to_owned(), |line, _| format!("{{\"log\":{line:?}}}"));
    check_line(nested.as_bytes());
}

/// Stamps at the ends of what their form can express.
#[test]
fn extreme_stamps() {
    for stamp in [
        "@400008637bd05af6ffffffff",
        "@400008637bd05b00ffffffff",
        "@7fffffffffffffffffffffff",
        "@3fffffffffffffff00000000",
        "@400000000000000000000000",
        "0000-01-01T00:00:00-23:59",
        "9999-12-31T23:59:60.999999999+23:59",
        "9999999999.999999999",
        "1000000000.",
        "0001-02-29 00:00:00",
        "Feb 31 23:59:60",
    ] {
        check_line(format!("{stamp} mail postfix/smtpd[4294967296]: connect from h[192.0.2.1]").as_bytes());
    }
}

// ---- print, then parse ----

/// What a failure line is printed from.
#[derive(Clone, Debug)]
struct Failure {
    client: String,
    mechanism: String,
    reason: String,
    /// `None`: `(unavailable)`.
    username: Option<String>,
    window: Window,
}

/// Part 2.2: which releases log what.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Window {
    A,
    B,
    C,
    D,
}

fn mechanism() -> impl Strategy<Value = String> {
    prop_oneof![4 => select(vec!["PLAIN", "LOGIN", "login", "CRAM-MD5", "SCRAM-SHA-256", "XOAUTH2", "NTLM", "X", "PLAI?N"]).prop_map(str::to_owned), 1 => "[A-Za-z0-9_-]{1,100}"]
}

/// What a client may type where a mechanism belongs: blanks only inside brackets or quotes, cut at 100 bytes.
fn unknown_mechanism() -> impl Strategy<Value = String> {
    let inner = vec(
        select(vec![
            "x",
            "PLAIN",
            " ",
            " authentication failed: ",
            " authentication failed:",
            ", sasl_username=",
            "victim@example.test",
            "]: SASL PLAIN",
            "h[198.51.100.7]",
            "(reason unavailable)",
            "Invalid base64 data",
            ": ",
        ]),
        0..6,
    )
    .prop_map(|parts| parts.concat());
    (any::<bool>(), inner).prop_map(|(angle, text)| {
        let room: String = text.chars().take(98).collect();
        if angle { format!("<{room}>") } else { format!("\"{room}\"") }
    })
}

fn reason(window: Window) -> BoxedStrategy<String> {
    let words = vec![
        "Connection lost to authentication server",
        "Invalid base64 data in initial response",
        "authentication failure",
        "generic failure",
        "bad protocol / cancel",
        "another step is needed in authentication",
        "Password expired",
        "transient failure (e.g., weak key)",
    ];
    let challenges = vec![
        "UGFzc3dvcmQ6",
        "VXNlcm5hbWU6",
        "Password:",
        "PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2U+",
        "eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIn0=",
    ];
    let none = if matches!(window, Window::A) { "" } else { "(reason unavailable)" };
    let mut all: Vec<String> = [words, vec![none]].concat().into_iter().map(str::to_owned).collect();
    if matches!(window, Window::A | Window::B) {
        all.extend(challenges.into_iter().map(str::to_owned));
    }
    select(all).boxed()
}

fn failure() -> impl Strategy<Value = Failure> {
    let window = select(vec![Window::A, Window::B, Window::C, Window::D]);
    window.prop_flat_map(|window| {
        let refused = unknown_mechanism().prop_map(move |m| {
            let reason = if window == Window::D {
                format!("Invalid authentication mechanism: '{m}'")
            } else {
                "Invalid authentication mechanism".to_owned()
            };
            (m, reason)
        });
        let how = prop_oneof![3 => (mechanism(), reason(window)), 1 => refused];
        (clients(), how, proptest::option::weighted(0.8, hostile_text())).prop_map(
            move |(client, (mechanism, reason), username)| Failure { client, mechanism, reason, username, window },
        )
    })
}

impl Failure {
    fn text(&self) -> String {
        let Self { client, mechanism, reason, .. } = self;
        let head = format!("warning: {client}: SASL {mechanism} authentication failed: {reason}");
        match (self.window, &self.username) {
            (Window::A, _) => head,
            (_, None) => format!("{head}, sasl_username=(unavailable)"),
            (_, Some(name)) => format!("{head}, sasl_username={name}"),
        }
    }

    fn check(&self, event: &Event<'_>) {
        let Event::SaslFailed(found) = event else { panic!("{event:?}") };
        let expected = match (self.window, &self.username) {
            (Window::A, _) => LoginName::NotLogged,
            (_, None) => LoginName::Unavailable,
            (_, Some(name)) => LoginName::Named(name.as_bytes()),
        };
        print::same(found.mechanism, &self.mechanism);
        print::same(found.reason, &self.reason);
        assert_eq!(found.username, expected, "{}", self.text());
        print::same_client(&found.client, &self.client);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn failures_read_as_printed(failure in failure(), shape in select(Shape::ALL), pid in any::<u32>()) {
        read(shape, "postfix/submission/smtpd", pid, &failure.text(), |event| failure.check(event));
    }

    /// Relays cut the blank before an empty reason.
    #[test]
    fn failures_without_a_reason(client in clients(), mechanism in mechanism(), shape in select(Shape::ALL)) {
        let text = format!("warning: {client}: SASL {mechanism} authentication failed:");
        let failure = Failure { client, mechanism, reason: String::new(), username: None, window: Window::A };
        read(shape, "postfix/smtpd", 7, &text, |event| failure.check(event));
    }

    #[test]
    fn aborted_logins_read_as_printed(client in clients(), mechanism in mechanism(), shape in select(Shape::ALL)) {
        read(shape, "postfix/smtpd", 7, &format!("warning: {client}: SASL {mechanism} authentication aborted"), |event| {
            let Event::SaslAborted(found, m) = event else { panic!("{event:?}") };
            print::same(m, &mechanism);
            print::same_client(found, &client);
        });
    }

    #[test]
    fn acceptances_read_as_printed(client in clients(), id in "[0-9A-F]{6,12}", mechanism in mechanism(), name in print::login_name(), sender in proptest::option::of("[a-z+0-9A-F@]{1,20}"), orig in proptest::option::of("[0-9A-F]{6,12}"), shape in select(Shape::ALL)) {
        let sender_text = sender.as_ref().map_or(String::new(), |s| format!(", sasl_sender={s}"));
        let orig_text = orig.as_ref().map_or(String::new(), |o| format!(", orig_queue_id={o}, orig_client=h[198.51.100.9]"));
        let text = format!("{id}: client={client}, sasl_method={mechanism}, sasl_username={name}{sender_text}{orig_text}");
        read(shape, "postfix/smtpd", 7, &text, |event| {
            let Event::Accepted(found) = event else { panic!("{event:?}") };
            print::same_client(&found.client, &client);
            assert_eq!(found.queue_id.map(|q| q.as_bytes()), Some(id.as_bytes()));
            assert_eq!((found.sasl_method, found.sasl_username, found.sasl_sender), (Some(mechanism.as_bytes()), Some(name.as_bytes()), sender.as_deref().map(str::as_bytes)));
            assert_eq!(found.orig_queue_id.map(|q| q.as_bytes()), orig.as_deref().map(str::as_bytes));
        });
    }

    #[test]
    fn rejects_read_as_printed(client in clients(), stage in select(vec!["CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "END-OF-MESSAGE"]), code in select(vec![450u16, 454, 550, 553, 554]), from in print::mail_address(), to in print::mail_address(), helo in print::helo(), login in proptest::option::of((mechanism(), print::login_name())), shape in select(Shape::ALL)) {
        let tail = login.as_ref().map_or(String::new(), |(m, u)| format!(" sasl_method={m} sasl_username={u}"));
        let text = format!("NOQUEUE: reject: {stage} from {client}: {code} 5.7.1 <{to}>: Relay access denied; from=<{from}> to=<{to}> proto=ESMTP helo=<{helo}>{tail}");
        read(shape, "postfix/submission/smtpd", 7, &text, |event| {
            let Event::Policy(None, p) = event else { panic!("{event:?}") };
            print::same_client(&p.client.unwrap(), &client);
            assert_eq!((p.action, p.stage, p.code, p.dsn), (b"reject".as_slice(), stage.as_bytes(), Some(code), Some(b"5.7.1".as_slice())));
            print::same(p.reply, &format!("<{to}>: Relay access denied"));
            assert_eq!((p.from, p.to, p.proto, p.helo), (Some(from.as_bytes()), Some(to.as_bytes()), Some(b"ESMTP".as_slice()), Some(helo.as_bytes())));
            assert_eq!((p.sasl_method, p.sasl_username), (login.as_ref().map(|l| l.0.as_bytes()), login.as_ref().map(|l| l.1.as_bytes())));
        });
    }

    /// The reply names its subject without the quotes that the tail has: neither the fields nor what was said are the client's word.
    #[test]
    fn rejects_of_hostile_addresses(client in clients(), from in print::address(), to in print::address(), helo in print::helo(), subject in 0..4usize, said in select(vec!["Relay access denied", "Sender address rejected: not owned by user boss@x", "Recipient address rejected: User unknown in virtual mailbox table", "Helo command rejected: need fully-qualified hostname"]), comma in select(vec!["", ","]), shape in select(Shape::ALL)) {
        let bare = client.rsplit_once("]:").map_or(client.clone(), |(bare, _port)| format!("{bare}]"));
        let subject = [&from.plain, &to.plain, &helo, &bare][subject];
        let reply = format!("<{subject}>: {said}");
        let (from, to) = (&from.sent, &to.sent);
        let text = format!("NOQUEUE: reject: RCPT from {client}: 554 5.7.1 {reply}; from=<{from}>{comma} to=<{to}>{comma} proto=ESMTP{comma} helo=<{helo}>");
        read(shape, "postfix/smtpd", 7, &text, |event| {
            let Event::Policy(None, p) = event else { panic!("{event:?}") };
            assert_eq!((p.from, p.to, p.helo), (Some(from.as_bytes()), Some(to.as_bytes()), Some(helo.as_bytes())));
            print::same(p.reply, &reply);
            print::same(p.words(), said);
        });
    }

    #[test]
    fn deliveries_to_hostile_addresses(to in print::address(), orig in proptest::option::of(print::address()), status in select(vec!["sent", "deferred", "bounced"]), shape in select(Shape::ALL)) {
        let orig_text = orig.as_ref().map_or(String::new(), |orig| format!(", orig_to=<{}>", orig.sent));
        let text = format!("0F5383D12: to=<{}>{orig_text}, relay=mx.example[198.51.100.1]:25, delay=1.5, delays=0.1/0/0.4/1, dsn=4.2.0, status={status} (no)", to.sent);
        read(shape, "postfix/smtp", 7, &text, |event| {
            let Event::Delivery(d) = event else { panic!("{event:?}") };
            assert_eq!((d.to, d.orig_to), (to.sent.as_bytes(), orig.as_ref().map(|orig| orig.sent.as_bytes())));
            assert_eq!((d.relay, d.status), (b"mx.example[198.51.100.1]:25".as_slice(), status.as_bytes()));
        });
    }

    #[test]
    fn what_neighbours_share_changes_nothing(lines in vec((
        select(vec!["Jun 17 10:25:14 ", "Jun 17 10:25:15 ", "Jun  7 10:25:14 ", "2025-11-22T09:17:26.436140+00:00 ", "<22>Jun 17 10:25:14 ", "\u{feff}Jun 17 10:25:14 ", "Tue 2026-03-10 11:00:01 CET "]),
        select(vec!["mail ", "mail.example ", "mx1 ", "fe80::1 ", "2001:db8::1 ", "Jun ", "<mail.info> ", "mail mail.info ", "", "10:25:14 "]),
        select(vec!["postfix/smtpd", "dovecot", "postfix-out/submission/smtpd", "auth", "imap-login", "dovecot: auth", "a:b", "a b", "a", "dovecot:"]),
        select(vec!["[1]: ", "[77]: ", ": ", ":", "[12] ", "[x]: ", "[1234567890]: ", ":25]: ", " "]),
        select(vec!["x", "[ID 197553 mail.info] y", "message repeated 2 times: [ z]", "last message repeated 2 times", "auth: a(b,192.0.2.1): c[7]: d", "25]: q", "\r", ""]),
    ), 1..12)) {
        let mut stamps = maillog::Stamps::default();
        // Twice: the second time all that can be remembered is.
        for (stamp, host, tag, end, text) in lines.iter().chain(&lines) {
            let line = format!("{stamp}{host}{tag}{end}{text}");
            assert_eq!(stamps.record(line.as_bytes()), maillog::record(line.as_bytes()), "{line}");
        }
    }

    #[test]
    fn goodbyes_read_as_printed(client in clients(), auth in (0u32..9, 0u32..9), tls in any::<bool>(), notes in any::<bool>(), shape in select(Shape::ALL)) {
        let (ok, tried) = (auth.0, auth.0 + auth.1);
        let count = if ok == tried { format!("{ok}") } else { format!("{ok}/{tried}") };
        let auth_text = if tried > 0 { format!(" auth={count}") } else { String::new() };
        let text = format!("disconnect from {client} ehlo=1{}{auth_text} quit=1 commands=3/7{}", if tls { " starttls=1" } else { "" }, if notes { " notes=bare_lf" } else { "" });
        read(shape, "postfix/smtpd", 7, &text, |event| {
            let Event::Disconnect(found, Some(counters)) = event else { panic!("{event:?}") };
            let counters = counters.read();
            print::same_client(found, &client);
            assert_eq!((counters.auth.ok, counters.auth.tried, counters.starttls.ok), (ok, tried, u32::from(tls)));
        });
    }

    #[test]
    fn deliveries_read_as_printed(id in "[0-9A-F]{6,12}", to in print::mail_address(), orig in proptest::option::of(print::mail_address()), status in select(vec!["sent", "deferred", "bounced", "expired"]), response in hostile_text(), shape in select(Shape::ALL)) {
        let orig_text = orig.as_ref().map_or(String::new(), |o| format!(", orig_to=<{o}>"));
        let text = format!("{id}: to=<{to}>{orig_text}, relay=mx.example[198.51.100.1]:25, delay=1.5, delays=0.1/0/0.4/1, dsn=4.2.0, status={status} (host said: {response})");
        read(shape, "postfix/smtp", 7, &text, |event| {
            let Event::Delivery(d) = event else { panic!("{event:?}") };
            assert_eq!((d.queue_id.as_bytes(), d.to, d.orig_to), (id.as_bytes(), to.as_bytes(), orig.as_deref().map(str::as_bytes)));
            assert_eq!((d.status, d.timing().dsn, d.timing().delay), (status.as_bytes(), Some(b"4.2.0".as_slice()), Some(1.5)));
            print::same(d.response, &format!("host said: {response}"));
        });
    }

    /// Neighbours quote senders, recipients and Message-IDs; the queue ids stay their own.
    #[test]
    fn queue_ids_are_never_the_senders_word(local in print::quoted_local_part(), message_id in print::message_id_text()) {
        for (tag, form, own) in print::LINKING {
            let message = form.replace("{address}", &format!("\"{local}\"@x")).replace("{id}", &message_id);
            let line = Shape::Rfc3164.print(tag, 7, &message);
            let record = maillog::record(&line).unwrap();
            let ids = maillog::event(&record).map(|event| print::queue_ids(&event)).unwrap_or_default();
            prop_assert!(ids.iter().all(|id| own.contains(&id.as_str())), "{} -> {:?}", message, ids);
        }
    }

    /// Every line that quotes a stranger: whatever he writes, the address is the one the kernel saw.
    #[test]
    fn the_address_is_never_the_clients_word(client in clients(), text in print::anything(), cut_tag in any::<bool>()) {
        let address = print::address_of(&client);
        for (tag, form) in print::QUOTING {
            let message = form.replace("{client}", &client).replace("{ip}", if address == "unknown" { "192.0.2.200" } else { address }).replace("{text}", &text);
            let shape = if cut_tag && tag.starts_with("postfix/") && !tag.ends_with("postscreen") { Shape::Rfc5424Cut } else { Shape::Rfc3164 };
            let line = shape.print(tag, 7, &message);
            let record = maillog::record(&line).unwrap();
            let event = maillog::event(&record);
            let failed = matches!(event, Some(Event::SaslFailed(_)));
            prop_assert_eq!(failed, form.starts_with("warning: {client}: SASL "), "{}", message);
            let found = event.map(|event| addresses(&event)).unwrap_or_default();
            prop_assert!(found.iter().all(true_network), "{} -> {:?}", message, event);
        }
    }

    /// Credentials that a log quotes are gone after redaction, whatever stands around them.
    #[test]
    fn planted_secrets_are_redacted(client in clients(), junk in print::harmless(), secret in "[A-Za-z0-9+/]{16,60}={0,2}", auth in select(vec!["AUTH PLAIN ", "auth plain ", "Auth LOGIN ", "AUTH  XOAUTH2 "])) {
        for form in print::LEAKING {
            let text = form.replace("{client}", &client).replace("{junk}", &junk).replace("{auth}", auth).replace("{secret}", &secret);
            let shown = maillog::redact(text.as_bytes());
            prop_assert!(!String::from_utf8_lossy(&shown).contains(&secret), "{}", String::from_utf8_lossy(&shown));
            prop_assert_eq!(maillog::redact(&shown), shown.clone(), "twice is not once");
        }
    }
}
