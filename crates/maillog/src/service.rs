//! The rest of Postfix as far as it speaks of clients, limits and services: `master`, `postscreen`, `anvil` and helpers.
//!
//! Source of the wording: Postfix `src/master/`, `src/postscreen/`, `src/anvil/anvil.c`, `conf/postfix-script`.

use crate::client::client;
use crate::event::Event;
use crate::level::{Level, level};
use crate::policy::policy;
use crate::queue_id::prefix;
use crate::scan::{contains, split_once, word};
use crate::smtpd::process_exit;

/// `master`.
pub(crate) fn master(text: &[u8]) -> Option<Event<'_>> {
    let (severity, rest) = level(text);
    if let Some((pid, how)) = process_exit(rest) {
        return Some(Event::ProcessExit(pid, how));
    }
    if let Some((_, version)) = split_once(rest, b" -- version ") {
        return Some(Event::Started(word(version).0.strip_suffix(b",").unwrap_or(word(version).0)));
    }
    let trouble = contains(rest, b"throttling")
        || contains(rest, b"process limit")
        || contains(rest, b"to avoid this condition")
        || contains(rest, b"see http");
    if trouble {
        return Some(Event::ServiceTrouble(rest));
    }
    let known = ["terminating on signal ", "daemon started", "reload", "stopping", "to avoid "];
    (severity != Level::Info || known.iter().any(|words| rest.starts_with(words.as_bytes())))
        .then_some(Event::Other("master"))
}

/// `postscreen`: clients are `[address]:port`.
pub(crate) fn postscreen(text: &[u8]) -> Option<Event<'_>> {
    if let Some((before, rest)) = prefix(text) {
        return policy(rest).map(|found| Event::Policy(before.queue_id(), found));
    }
    let (_, rest) = level(text);
    if rest.starts_with(b"reject: ") {
        return policy(rest).map(|found| Event::Policy(None, found));
    }
    let at = memchr::memchr(b'[', rest);
    let Some((what, (who, _))) =
        at.and_then(|at| rest.split_at_checked(at)).and_then(|(what, who)| Some((what, client(who)?)))
    else {
        return (level(text).0 != Level::Info
            || rest.starts_with(b"entering STRESS mode")
            || rest.starts_with(b"leaving STRESS mode")
            || rest.starts_with(b"cache ")
            || rest.starts_with(b"close database"))
        .then_some(Event::Other("postscreen_note"));
    };
    let verbs = [
        "CONNECT",
        "PASS ",
        "ALLOWLISTED",
        "DENYLISTED",
        "WHITELISTED",
        "BLACKLISTED",
        "ALLOWLIST VETO",
        "WHITELIST VETO",
        "PREGREET",
        "DNSBLOG",
        "DNSBL",
        "HANGUP",
        "DISCONNECT",
        "COMMAND ",
        "NON-SMTP ",
        "BARE ",
        "DATA ",
        "BDAT ",
    ];
    verbs.iter().any(|verb| what.starts_with(verb.as_bytes())).then(|| Event::Postscreen(who, what.trim_ascii_end()))
}

/// `tlsproxy`, `dnsblog`: they name clients, but decide nothing about logins.
pub(crate) fn screener(text: &[u8]) -> Option<Event<'_>> {
    let known = [
        "CONNECT ",
        "DISCONNECT ",
        "addr ",
        "warning: ",
        "fatal: ",
        "Anonymous TLS ",
        "Untrusted TLS ",
        "Trusted TLS ",
        "Verified TLS ",
        "SSL_accept error ",
        "TLS handshake failed ",
    ];
    known.iter().any(|words| text.starts_with(words.as_bytes())).then_some(Event::Other("screener"))
}

/// Programs whose lines say nothing about a client's login: `anvil`, `scache`, `verify`, `trivial-rewrite`, ….
pub(crate) fn helper(text: &[u8]) -> Option<Event<'_>> {
    (!text.is_empty()).then_some(Event::Other("service_note"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let check = |parse: fn(&[u8]) -> Option<Event<'_>>, text: &str, expected: &str| {
            assert_eq!(parse(text.as_bytes()).map_or("unknown", |e| e.name()), expected, "{text}")
        };
        check(master, "warning: process /usr/lib/postfix/sbin/smtpd pid 13615 exit status 1", "process_exit");
        check(master, "warning: /usr/lib/postfix/sbin/smtpd: bad command startup -- throttling", "service_trouble");
        check(master, "daemon started -- version 3.7.11, configuration /etc/postfix", "started");
        check(postscreen, "PREGREET 14 after 0.04 from [1.2.3.4]:55868: EHLO ylmf-pc\\r\\n", "postscreen");
        check(
            postscreen,
            "NOQUEUE: reject: RCPT from [192.0.2.1]:4711: 450 4.3.2 Service currently unavailable; from=<a@x>, to=<b@y>, proto=ESMTP, helo=<h>",
            "reject",
        );
        check(postscreen, "COMMAND TIME LIMIT from [182.246.250.243]:51799 after AUTH", "postscreen");
        check(postscreen, "what is this", "unknown");
        assert_eq!(
            master(b"daemon started -- version 3.7.11, configuration /etc/postfix"),
            Some(Event::Started(b"3.7.11"))
        );
    }
}
