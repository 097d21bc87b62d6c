//! Dovecot: the verdicts of its auth process, and its own login processes.
//!
//! Input: the message behind the tag `dovecot`, or behind the stamp in Dovecot's own files. Output: an [`Event`], or `None`.
//! Prefixes differ by version (grammar 5.1); the parts are the same.
//! Source of the wording: Dovecot `src/auth/auth-request.c`, `src/auth/auth-worker-server.c`, `src/login-common/client-common.c`.

use std::net::IpAddr;

use crate::client::address;
use crate::dovecot_delivery::delivery;
use crate::event::Event;
use crate::scan::{contains, number, rsplit_once, split_around, split_byte, split_once};

/// What Dovecot's auth process says about one login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DovecotAuth<'a> {
    /// The login name; `None` for `?`.
    pub user: Option<&'a [u8]>,
    /// The client's address.
    pub ip: IpAddr,
    /// The SASL mechanism (2.4), or the mechanism of a mechanism-level line (2.3), lower case as logged.
    pub mechanism: Option<&'a [u8]>,
    /// Whether the line has a session id: then the login came through Dovecot's own login process and not from Postfix.
    pub own_session: bool,
    /// Whether a later passdb may still accept the login (`… - trying the next passdb`).
    pub may_still_succeed: bool,
    /// Whether Dovecot logs it as an error: a passdb could not be asked, which says nothing about name or password. Errors of the policy
    /// server are none: the passdbs are asked all the same.
    pub is_error: bool,
    /// The words.
    pub message: &'a [u8],
}

/// The end of a connection to Dovecot's IMAP, POP3, ManageSieve or submission login process, or a login there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DovecotLogin<'a> {
    /// `imap`, `pop3`, `managesieve`, `submission`.
    pub service: &'a [u8],
    /// What happened.
    pub outcome: LoginOutcome,
    /// The login name if one was given.
    pub user: Option<&'a [u8]>,
    /// The client's address.
    pub ip: Option<IpAddr>,
    /// The SASL mechanism.
    pub mechanism: Option<&'a [u8]>,
    /// The words up to the fields.
    pub message: &'a [u8],
}

/// How a connection to a Dovecot login process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginOutcome {
    /// Logged in.
    Ok,
    /// A login was tried and refused.
    Failed,
    /// The login was refused before it reached the auth process (clear text, no such mechanism).
    Refused,
    /// The auth process could not decide.
    BackendFault,
    /// No login was tried, or none was answered.
    NoLogin,
}

/// Parses one message of Dovecot.
pub(crate) fn event(text: &[u8]) -> Option<Event<'_>> {
    let end = text.iter().position(|b| matches!(b, b':' | b'(' | b'<'))?;
    let (process, rest) = text.split_at_checked(end)?;
    if let Some(service) = process.strip_suffix(b"-login") {
        return login(service, rest.strip_prefix(b":")?.trim_ascii_start());
    }
    match process {
        b"auth" => auth(rest),
        b"auth-worker" => auth_worker(rest),
        b"master" | b"anvil" | b"config" | b"log" | b"ssl-params" | b"stats" | b"indexer" | b"doveadm"
        | b"old-stats" => Some(Event::DovecotService(rest.strip_prefix(b":").unwrap_or(rest).trim_ascii_start())),
        b"imap" | b"pop3" | b"lmtp" | b"lda" | b"submission" | b"managesieve" | b"indexer-worker" | b"quota-status"
        | b"dict" | b"replicator" | b"imap-hibernate" | b"imap-urlauth" | b"script" | b"deliver" => {
            Some(delivery(text).map_or(Event::Other("dovecot_mail"), Event::DovecotDelivery))
        }
        b"Dovecot" | b"Killed with signal" => Some(Event::DovecotService(text)),
        _ => text.starts_with(b"Dovecot v").then_some(Event::DovecotService(text)),
    }
}

/// Takes off `Info: ` and its kin, which Dovecot puts behind the prefix in its own files (and for all but info in syslog), and says whether
/// it was `Error: `.
fn without_level(text: &[u8]) -> (bool, &[u8]) {
    let text = text.trim_ascii_start();
    if let Some(words) = text.strip_prefix(b"Error: ") {
        return (true, words);
    }
    let words =
        ["Info: ", "Warning: ", "Fatal: ", "Panic: "].iter().find_map(|level| text.strip_prefix(level.as_bytes()));
    (false, words.unwrap_or(text))
}

/// `auth: DRIVER(user,ip,…): MSG` (2.2, 2.3) or `auth(user,ip,sasl:mech)<session>: NAME: MSG` (2.4).
fn auth(rest: &[u8]) -> Option<Event<'_>> {
    if let Some(request) = rest.strip_prefix(b"(") {
        return request_of_24(request);
    }
    let text = rest.strip_prefix(b":")?.trim_ascii_start();
    if text.starts_with(b"Debug: ") {
        return Some(Event::Other("dovecot_debug"));
    }
    let (is_error, words) = without_level(text);
    Some(verdict_of_23(words, is_error).unwrap_or(Event::DovecotService(text)))
}

/// `auth-worker(pid): [conn unix:auth-worker (…): auth-worker<N>: ]DRIVER(user,ip): MSG`, or the 2.4 form.
fn auth_worker(rest: &[u8]) -> Option<Event<'_>> {
    let Some(inside) = rest.strip_prefix(b"(") else { return auth(rest) };
    if number(inside).is_none_or(|(_, after)| after.first() != Some(&b')')) {
        return request_of_24(inside);
    }
    let (_, text) = split_once(inside, b"): ")?;
    if text.starts_with(b"Debug: ") {
        return Some(Event::Other("dovecot_debug"));
    }
    let (is_error, words) = without_level(text);
    let words =
        if words.starts_with(b"conn ") { split_once(words, b">: ").map_or(words, |(_, after)| after) } else { words };
    Some(verdict_of_23(words, is_error).unwrap_or(Event::DovecotService(text)))
}

/// `passwd-file(alice@example.test,203.0.113.1,<session>): Password mismatch`. `None`: not about a login.
fn verdict_of_23(text: &[u8], is_error: bool) -> Option<Event<'_>> {
    let (driver, rest) = split_byte(text, b'(')?;
    let plausible = !driver.is_empty() && driver.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    let (inside, message) = split_once(rest, b"): ").filter(|_| plausible)?;
    // Where `auth_username_chars` allows it, a name may end our parenthesis early: two that could be the end are none, and what
    // stands between is no word of Dovecot's own.
    if ends_again(message) {
        return Some(Event::Other("dovecot_note"));
    }
    let mechanism = is_mechanism(driver).then_some(driver);
    let found = request(inside, message)?;
    Some(Event::DovecotAuth(DovecotAuth { mechanism, is_error: is_error && found.is_of_a_passdb(driver), ..found }))
}

/// Whether an address stands before a later `): `, as it does before the real one.
fn ends_again(message: &[u8]) -> bool {
    let mut rest = message;
    while let Some((head, tail)) = split_once(rest, b"): ") {
        let last = rsplit_once(head, b",").map(|(_, last)| last);
        if last.and_then(address).is_some() {
            return true;
        }
        rest = tail;
    }
    false
}

/// `user,ip,sasl:mech[,master])[<pid>][<session>]: [request [N]: ][NAME: ]MSG`, behind the first parenthesis.
fn request_of_24(text: &[u8]) -> Option<Event<'_>> {
    let mut ends = ends_of_24(text);
    let Some(end) = ends.next() else {
        return contains(text, b": Debug: ").then_some(Event::Other("dovecot_debug"));
    };
    let (inside, rest) = split_around(text, end, 1)?;
    // A name may hold nearly anything, an end like ours as well: of two ends, or two addresses that could be ours, none is.
    let Some(inside) = without_master(inside).filter(|_| ends.next().is_none()) else {
        return Some(Event::Other("dovecot_note"));
    };
    let (own_session, message) = behind_24(rest)?;
    if message.starts_with(b"Debug: ") {
        return Some(Event::Other("dovecot_debug"));
    }
    let (is_error, message) = without_level(message);
    let message =
        message.strip_prefix(b"request [").and_then(|m| split_once(m, b"]: ")).map_or(message, |(_, after)| after);
    let found = request(inside, passdb_message(message))?;
    let (own_session, is_error) = (own_session || found.own_session, is_error && found.is_of_a_passdb(b""));
    Some(Event::DovecotAuth(DovecotAuth { own_session, is_error, ..found }))
}

/// Where the parenthesis of a 2.4 prefix may end: an address stands in it as a part of its own, behind the end before it.
fn ends_of_24(text: &[u8]) -> impl Iterator<Item = usize> {
    let (mut start, mut in_parts, mut addressed) = (0, false, false);
    memchr::memchr2_iter(b',', b')', text).filter(move |at| {
        let comma = text.get(*at) == Some(&b',');
        let closes = !comma && text.get(at + 1..).and_then(behind_24).is_some();
        if !comma && !closes {
            return false;
        }
        let part = text.get(start..*at).filter(|part| in_parts && part.len() <= ADDRESS_MAX);
        addressed |= part.and_then(address).is_some();
        let ends = closes && addressed;
        (start, in_parts, addressed) = (at + 1, comma, addressed && !ends);
        ends
    })
}

/// The longest text of an address, a zone included.
const ADDRESS_MAX: usize = 64;

/// `[<pid>][<session>]: MSG`: whether a session is there, and the words.
fn behind_24(text: &[u8]) -> Option<(bool, &[u8])> {
    let (mut own_session, mut rest) = (false, text);
    while let Some(inside) = rest.strip_prefix(b"<") {
        let length = inside.iter().position(|b| !b.is_ascii_alphanumeric() && !b"+/=-_:.".contains(b))?;
        let (id, after) = inside.split_at_checked(length)?;
        own_session |= !id.iter().all(u8::is_ascii_digit);
        rest = after.strip_prefix(b">")?;
    }
    Some((own_session, rest.strip_prefix(b": ")?))
}

/// `user,ip,sasl:mech` without the master user behind it, or all of it without a mechanism. `None` if two addresses are followed by a
/// mechanism, as ours is: then user or master user imitate one.
fn without_master(inside: &[u8]) -> Option<&[u8]> {
    let (mut start, mut was_address, mut found) = (0, false, None);
    for part in inside.split(|b| *b == b',') {
        let end = start + part.len();
        if was_address && part.starts_with(b"sasl:") {
            if found.is_some() {
                return None;
            }
            found = inside.get(..end);
        }
        was_address = start > 0 && part.len() <= ADDRESS_MAX && address(part).is_some();
        start = end + 1;
    }
    found.or(Some(inside))
}

/// Cuts the passdb's name, free text of the administrator, off the front: a word before `: `.
fn passdb_message(message: &[u8]) -> &[u8] {
    match split_once(message, b": ") {
        Some((name, rest)) if !name.contains(&b' ') && !name.contains(&b'(') => rest,
        _ => message,
    }
}

/// `user,ip[,master][,sasl:mech][,<session>]`: the address is the last part that is one.
fn request<'a>(inside: &'a [u8], message: &'a [u8]) -> Option<DovecotAuth<'a>> {
    let (mut head, mut own_session, mut mechanism) = (inside, false, None);
    loop {
        let (before, part) = rsplit_once(head, b",")?;
        if let Some(ip) = address(part) {
            let user = if before == b"?" || before.is_empty() { None } else { Some(before) };
            return Some(DovecotAuth {
                user,
                ip,
                mechanism,
                own_session,
                // Dovecot's `auth_request_log_login_failure`, behind the password if that is logged.
                may_still_succeed: message.ends_with(b" - trying the next passdb"),
                is_error: false,
                message,
            });
        }
        own_session |= part.starts_with(b"<");
        mechanism = part.strip_prefix(b"sasl:").or(mechanism);
        head = before;
    }
}

impl DovecotAuth<'_> {
    /// Whether an error is one of a passdb, not of the policy server (Dovecot `src/auth/auth-policy.c`).
    fn is_of_a_passdb(&self, driver: &[u8]) -> bool {
        driver != b"policy" && !self.message.starts_with(b"Policy ")
    }
}

fn is_mechanism(driver: &[u8]) -> bool {
    let known: [&[u8]; 14] = [
        b"plain",
        b"login",
        b"cram-md5",
        b"digest-md5",
        b"scram-sha-1",
        b"scram-sha-256",
        b"xoauth2",
        b"oauthbearer",
        b"ntlm",
        b"gssapi",
        b"gss-spnego",
        b"external",
        b"anonymous",
        b"otp",
    ];
    known.iter().any(|name| driver.eq_ignore_ascii_case(name))
}

/// `[Info: ]WORDS: user=<u>, method=M, rip=A, lip=B…`.
fn login<'a>(service: &'a [u8], text: &'a [u8]) -> Option<Event<'a>> {
    if text.starts_with(b"Debug: ") {
        return Some(Event::Other("dovecot_debug"));
    }
    let (_, text) = without_level(text);
    let ip = field(text, b"rip=").and_then(address);
    let user = user_field(text);
    let outcome = outcome(text);
    if outcome == LoginOutcome::NoLogin && ip.is_none() && user.is_none() {
        return Some(Event::Other("dovecot_note"));
    }
    let message = split_once(text, b": user=<").map_or(text, |(message, _)| message);
    Some(Event::DovecotLogin(DovecotLogin { service, outcome, user, ip, mechanism: field(text, b"method="), message }))
}

/// The words that tell the outcome stand before the fields; what follows is partly the client's text.
fn outcome(text: &[u8]) -> LoginOutcome {
    let words = split_once(text, b"user=<").map_or(text, |(words, _)| words);
    let any = |list: &[&str]| list.iter().any(|w| contains(words, w.as_bytes()));
    if words.starts_with(b"Login: ") || words.starts_with(b"Logged in") {
        LoginOutcome::Ok
    } else if any(&["temporary failure", "temp_fail", "internal_failure", "auth_process_comm_fail"]) {
        LoginOutcome::BackendFault
    } else if any(&[
        "disallowed plaintext",
        "disabled plaintext",
        "cleartext_auth_disabled",
        "disallowed cleartext",
        "unsupported auth mechanism",
        "invalid_mech",
        "anonymous_auth_disabled",
    ]) {
        LoginOutcome::Refused
    } else if any(&[
        "auth failed",
        "auth_failed",
        "user disabled",
        "user_disabled",
        "password expired",
        "password_expired",
        "authorization_failed",
        "login_disabled",
        "invalid_credentials",
    ]) {
        LoginOutcome::Failed
    } else {
        LoginOutcome::NoLogin
    }
}

/// `user=<…>`: the name may hold nearly anything, the field that follows it ends it.
fn user_field(text: &[u8]) -> Option<&[u8]> {
    let (_, rest) = split_once(text, b"user=<")?;
    let user = split_once(rest, b">, ").map(|(user, _)| user).or_else(|| rest.strip_suffix(b">"))?;
    (!user.is_empty()).then_some(user)
}

/// The value of the last `key=` up to a comma or blank: the fields come after all text of the client's.
fn field<'a>(text: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    let (head, value) = rsplit_once(text, key)?;
    let end = value.iter().position(|b| matches!(b, b',' | b' ')).unwrap_or(value.len());
    matches!(head.last(), None | Some(b' ')).then(|| value.get(..end)).flatten().filter(|v| !v.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_auth(text: &str, user: Option<&str>, ip: &str, own_session: bool, message: &str) {
        let Some(Event::DovecotAuth(found)) = event(text.as_bytes()) else {
            panic!("{text}: {:?}", event(text.as_bytes()))
        };
        let shown = (
            found.user.map(String::from_utf8_lossy),
            found.ip.to_string(),
            found.own_session,
            String::from_utf8_lossy(found.message),
        );
        assert_eq!(shown, (user.map(Into::into), ip.to_owned(), own_session, message.into()), "{text}");
    }

    #[test]
    fn verdicts_of_every_version() {
        check_auth(
            "auth: passwd-file(alice@example.test,203.0.113.1): Password mismatch",
            Some("alice@example.test"),
            "203.0.113.1",
            false,
            "Password mismatch",
        );
        check_auth(
            "auth: Info: passwd-file(a,192.0.2.23): unknown user (SHA1 of given password: 0a1b2c)",
            Some("a"),
            "192.0.2.23",
            false,
            "unknown user (SHA1 of given password: 0a1b2c)",
        );
        check_auth(
            "auth-worker(24544): pam(toto,192.0.2.1): unknown user",
            Some("toto"),
            "192.0.2.1",
            false,
            "unknown user",
        );
        check_auth(
            "auth-worker(24058): pam(toto,192.0.2.1,<youpi>): pam_authenticate() failed: Authentication failure (password mismatch?)",
            Some("toto"),
            "192.0.2.1",
            true,
            "pam_authenticate() failed: Authentication failure (password mismatch?)",
        );
        check_auth(
            "auth-worker(63712): Info: conn unix:auth-worker (pid=58074,uid=109): auth-worker<4>: sql(contact,2001:db8::1): unknown user",
            Some("contact"),
            "2001:db8::1",
            false,
            "unknown user",
        );
        check_auth(
            "auth(user1@example.org,192.0.2.24,sasl:login)<AbCdEf123>: Info: sql: Password mismatch",
            Some("user1@example.org"),
            "192.0.2.24",
            true,
            "Password mismatch",
        );
        check_auth(
            "auth-worker(u,192.0.2.24,sasl:plain)<99>: request [3]: sql: Password mismatch",
            Some("u"),
            "192.0.2.24",
            false,
            "Password mismatch",
        );
        check_auth("auth: plain(?,192.0.2.24): invalid input", None, "192.0.2.24", false, "invalid input");
    }

    #[test]
    fn names_with_parentheses() {
        for (name, prefix) in
            [("bob (home)", ""), ("bob) (x", ""), ("bob (a): b", ""), ("b,ob)", ""), ("bob)<7>", "<99><Ab/c+1>")]
        {
            let line = format!("auth({name},192.0.2.1,sasl:plain){prefix}: sql: Password mismatch");
            check_auth(&line, Some(name), "192.0.2.1", !prefix.is_empty(), "Password mismatch");
        }
        let line = "auth(a,192.0.2.1,sasl:plain,x,203.0.113.5): sql: Password mismatch";
        check_auth(line, Some("a"), "192.0.2.1", false, "Password mismatch");
        let line = "auth-worker(bob (home),192.0.2.1,sasl:plain)<99>: Error: request [3]: sql: x";
        check_auth(line, Some("bob (home)"), "192.0.2.1", false, "x");
        check_auth("auth(?,192.0.2.1,sasl:plain): invalid input", None, "192.0.2.1", false, "invalid input");
        for text in [
            "auth(a,203.0.113.5): sql: x,192.0.2.1,sasl:plain): sql: Password mismatch",
            "auth(a,203.0.113.5,sasl:plain)<s>: Fatal: stopping,192.0.2.1,sasl:plain)<99>: sql: unknown user",
            "auth(a,192.0.2.1,sasl:plain,x,203.0.113.5,sasl:plain): sql: Password mismatch",
        ] {
            assert_eq!(event(text.as_bytes()), Some(Event::Other("dovecot_note")), "{text}");
        }
    }

    #[test]
    fn errors_are_no_refusals() {
        let is_error = |text: &str| match event(text.as_bytes()) {
            Some(Event::DovecotAuth(found)) => found.is_error,
            other => panic!("{text}: {other:?}"),
        };
        for text in [
            "auth-worker(7): Error: sql(u@x,192.0.2.1): Password query failed: Not connected to database",
            "auth-worker(7): Error: conn unix:auth-worker (pid=1,uid=2): auth-worker<3>: sql(u@x,192.0.2.1): Password query failed: x",
            "auth: Error: ldap(u@x,192.0.2.1): ldap_search(base=dc=x,dc=y filter=(&(a=b)(uid=u))) failed: Can't contact LDAP server",
            "auth: Error: oauth2(u,192.0.2.1): oauth2 failed: connect(192.0.2.9:443) failed: Connection refused",
            "auth: Error: passwd-file(u,192.0.2.1): stat(/etc/dovecot/users) failed: Permission denied",
            "auth-worker(u,192.0.2.1,sasl:plain)<99>: Error: request [3]: sql: Password query failed: x",
        ] {
            assert!(is_error(text), "{text}");
        }
        for text in [
            "auth: oauth2(u,192.0.2.1): oauth2 failed: Introspection failed: invalid_token",
            "auth(u,192.0.2.1,sasl:plain): Info: sql: Password mismatch",
            "auth: passwd-file(Error: u,192.0.2.1): unknown user",
            "auth: Error: policy(u,192.0.2.1): Policy server HTTP error: 500",
            "auth(u,192.0.2.1,sasl:plain): Error: Policy server HTTP error: 500",
        ] {
            assert!(!is_error(text), "{text}");
        }
    }

    #[test]
    fn a_password_is_no_word_of_dovecots() {
        let may_still_succeed = |text: &str| match event(text.as_bytes()) {
            Some(Event::DovecotAuth(found)) => found.may_still_succeed,
            other => panic!("{text}: {other:?}"),
        };
        assert!(may_still_succeed(
            "auth: sql(u,192.0.2.1): Password mismatch (given password: x) - trying the next passdb"
        ));
        assert!(!may_still_succeed(
            "auth: sql(u,192.0.2.1): Password mismatch (given password: - trying the next passdb)"
        ));
    }

    #[test]
    fn logins_of_its_own() {
        let check = |text: &str, service: &str, outcome: LoginOutcome, user: Option<&str>, ip: &str| {
            let Some(Event::DovecotLogin(found)) = event(text.as_bytes()) else {
                panic!("{text}: {:?}", event(text.as_bytes()))
            };
            assert_eq!(
                (
                    String::from_utf8_lossy(found.service).into_owned(),
                    found.outcome,
                    found.user.map(|u| String::from_utf8_lossy(u).into_owned())
                ),
                (service.to_owned(), outcome, user.map(str::to_owned)),
                "{text}"
            );
            assert_eq!(found.ip.map(|ip| ip.to_string()), Some(ip.to_owned()));
        };
        check(
            "imap-login: Disconnected (auth failed, 1 attempts in 6 secs): user=<toto@toto.com>, method=PLAIN, rip=192.0.2.1, lip=198.51.100.7, TLS, session=<azdaDADSqqsvf-za>",
            "imap",
            LoginOutcome::Failed,
            Some("toto@toto.com"),
            "192.0.2.1",
        );
        check(
            "pop3-login: Info: Disconnected: Too many bad commands (no auth attempts in 22 secs): user=<>, rip=192.0.2.1, lip=198.51.100.7, TLS",
            "pop3",
            LoginOutcome::NoLogin,
            None,
            "192.0.2.1",
        );
        check(
            "imap-login: Login: user=<a>, method=PLAIN, rip=192.0.2.1, lip=198.51.100.7, mpid=18, TLS",
            "imap",
            LoginOutcome::Ok,
            Some("a"),
            "192.0.2.1",
        );
        check(
            "imap-login: Login aborted: Logged out (auth failed, 1 attempts in 2 secs) (auth_failed): user=<a>, method=PLAIN, rip=192.0.2.1, lip=198.51.100.7",
            "imap",
            LoginOutcome::Failed,
            Some("a"),
            "192.0.2.1",
        );
        check(
            "imap-login: Aborted login (auth failed, 6 attempts): XYZ rip=192.0.2.6, lip=127.0.0.1",
            "imap",
            LoginOutcome::Failed,
            None,
            "192.0.2.6",
        );
        check(
            "imap-login: Aborted login (auth failed, 1 attempts): user=<a, rip=9.9.9.9>, method=PLAIN, rip=192.0.2.6, lip=127.0.0.1",
            "imap",
            LoginOutcome::Failed,
            Some("a, rip=9.9.9.9"),
            "192.0.2.6",
        );
    }

    #[test]
    fn trouble_without_a_user() {
        for text in [
            "auth: Error: auth client 0 disconnected with 4 pending requests: EOF",
            "master: Dovecot v2.3.19.1 (9b53102964) starting up for imap",
            "master: Warning: service(auth): client_limit (1000) reached, client connections are being dropped",
        ] {
            assert!(matches!(event(text.as_bytes()), Some(Event::DovecotService(_))), "{text}");
        }
        assert_eq!(event(b"auth: Debug: client in: AUTH 1 PLAIN"), Some(Event::Other("dovecot_debug")));
        // A name that could end in two places is no word about Dovecot itself.
        for text in [
            "auth: passwd-file(a,192.0.2.1): Fatal: stopping,203.0.113.5): unknown user",
            "auth-worker(7): conn unix:auth-worker (pid=1,uid=2): auth-worker<3>: sql(a,192.0.2.1): Panic: ,203.0.113.5): unknown user",
        ] {
            assert_eq!(event(text.as_bytes()), Some(Event::Other("dovecot_note")), "{text}");
        }
    }
}
