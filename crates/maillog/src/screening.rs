//! Before the SMTP server: `postscreen`, `dnsblog` and `tlsproxy`. Clients are `[address]:port`, without a name.
//!
//! Input: the message behind the process tag. Output: an [`Event`], or `None`.
//! Source of the wording: Postfix `src/postscreen/postscreen.c`, `postscreen_early.c`, `postscreen_smtpd.c`, `postscreen_misc.c`,
//! `src/dnsblog/dnsblog.c`, `src/tlsproxy/tlsproxy.c`.

use crate::client::{Client, client};
use crate::event::Event;
use crate::level::{Level, level};
use crate::policy::policy;
use crate::queue_id::prefix;
use crate::scan::{contains, rsplit_once, split_once, word};
use crate::service::common;
use crate::smtpd::tls_event;

/// What `postscreen` says about a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Screening<'a> {
    /// Whom it is about.
    pub client: Client<'a>,
    /// `PASS NEW`, `PREGREET`, `DNSBL`, `HANGUP`, `COMMAND TIME LIMIT`, …
    pub verdict: &'a [u8],
    /// Its numbers and conditions: `rank 5`, `14 after 0.04`, `without valid RCPT`; may be empty.
    pub detail: &'a [u8],
    /// The last command before it, where the verdict is about commands.
    pub stage: Option<&'a [u8]>,
}

/// A client found in a DNS list: `addr A listed by domain D as R`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DnsListing<'a> {
    /// Who is listed.
    pub client: Client<'a>,
    /// The list's domain.
    pub domain: &'a [u8],
    /// The list's answer, e.g. `127.0.0.2`.
    pub answer: &'a [u8],
}

/// Longer ones before those they begin with.
const VERDICTS: [&str; 21] = [
    "CONNECT",
    "PASS NEW",
    "PASS OLD",
    "ALLOWLISTED",
    "DENYLISTED",
    "WHITELISTED",
    "BLACKLISTED",
    "ALLOWLIST VETO",
    "WHITELIST VETO",
    "PREGREET",
    "DNSBL",
    "HANGUP",
    "DISCONNECT",
    "COMMAND TIME LIMIT",
    "COMMAND COUNT LIMIT",
    "COMMAND LENGTH LIMIT",
    "COMMAND PIPELINING",
    "NON-SMTP COMMAND",
    "BARE NEWLINE",
    "DATA",
    "BDAT",
];

/// `postscreen`.
pub(crate) fn postscreen(text: &[u8]) -> Option<Event<'_>> {
    if let Some((before, rest)) = prefix(text) {
        return policy(rest).map(|found| Event::Policy(before.queue_id(), found));
    }
    // Postfix 2.8 has no `NOQUEUE: ` here.
    if text.starts_with(b"reject: ") {
        return policy(text).map(|found| Event::Policy(None, found));
    }
    screening(text).map(Event::Postscreen).or_else(|| postscreen_note(text))
}

fn screening(text: &[u8]) -> Option<Screening<'_>> {
    let (before, who) = text.split_at_checked(memchr::memchr(b'[', text)?)?;
    let (client, after) = client(who)?;
    let known = |words: &&str| {
        before.strip_prefix(words.as_bytes()).is_some_and(|rest| matches!(rest.first(), None | Some(b' ')))
    };
    let (verdict, detail) = before.split_at_checked(VERDICTS.iter().find(|words| known(words))?.len())?;
    let detail = detail.trim_ascii();
    let detail = match rsplit_once(detail, b" ") {
        Some((detail, b"from" | b"for")) => detail,
        None if matches!(detail, b"from" | b"for") => b"",
        _ => detail,
    };
    Some(Screening { client, verdict, detail, stage: stage(after) })
}

/// ` after CMD[: what was sent]`: Postfix names only commands it knows.
fn stage(after: &[u8]) -> Option<&[u8]> {
    let rest = after.strip_prefix(b" after ")?;
    let stage = split_once(rest, b":").map_or(rest, |(stage, _)| stage);
    let is_command = !stage.is_empty() && stage.iter().all(|b| b.is_ascii_alphabetic() || *b == b'-');
    is_command.then_some(stage)
}

fn postscreen_note(text: &[u8]) -> Option<Event<'_>> {
    let starts = ["entering STRESS mode", "leaving STRESS mode", "cache ", "close database ", "whitelisting "];
    let keywords = text.starts_with(b"[") && contains(text, b": discarding EHLO keywords: ");
    let known =
        level(text).0 != Level::Info || keywords || starts.iter().any(|words| text.starts_with(words.as_bytes()));
    if known { Some(Event::Other("postscreen_note")) } else { common(text) }
}

/// `dnsblog` and `tlsproxy`.
pub(crate) fn screener(text: &[u8]) -> Option<Event<'_>> {
    listing(text)
        .map(Event::DnsListed)
        .or_else(|| tls_proxy(text))
        .or_else(|| tls_event(text))
        .or_else(|| common(text))
        .or_else(|| (level(text).0 != Level::Info).then_some(Event::Other("warning")))
}

fn listing(text: &[u8]) -> Option<DnsListing<'_>> {
    let (address, rest) = word(text.strip_prefix(b"addr ")?);
    let (domain, rest) = word(rest.strip_prefix(b"listed by domain ")?);
    let answer = rest.strip_prefix(b"as ")?;
    Some(DnsListing { client: Client::bare(address)?, domain, answer })
}

/// `CONNECT from [A]:P`, `DISCONNECT [A]:P`, and a handshake that failed there. The session goes on in `postscreen`.
fn tls_proxy(text: &[u8]) -> Option<Event<'_>> {
    let starts: [&[u8]; 6] = [
        b"CONNECT from ",
        b"CONNECT to ",
        b"DISCONNECT ",
        b"SSL_accept error from ",
        b"SSL_connect error to ",
        b"TLS handshake failed for service=",
    ];
    let start = starts.iter().find(|start| text.starts_with(start))?;
    let (verb, rest) = text.split_at_checked(start.len())?;
    let rest = if start.ends_with(b"=") { split_once(rest, b" peer=")?.1 } else { rest };
    let words = verb.trim_ascii_end();
    let words = words.strip_suffix(b" for service=").or_else(|| words.strip_suffix(b" from")).unwrap_or(words);
    Some(Event::TlsProxy(client(rest)?.0, words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, verdict: &str, detail: &str, stage: Option<&str>) {
        let Some(Event::Postscreen(found)) = postscreen(text.as_bytes()) else { panic!("{text}") };
        assert_eq!((found.client.address, found.client.port), (b"192.0.2.1".as_slice(), Some(4711)), "{text}");
        assert_eq!(
            (
                String::from_utf8_lossy(found.verdict).as_ref(),
                String::from_utf8_lossy(found.detail).as_ref(),
                found.stage
            ),
            (verdict, detail, stage.map(str::as_bytes)),
            "{text}"
        );
    }

    #[test]
    fn verdicts() {
        check("CONNECT from [192.0.2.1]:4711 to [198.51.100.1]:25", "CONNECT", "", None);
        for verdict in ["PASS NEW", "PASS OLD", "ALLOWLISTED", "DENYLISTED", "WHITELISTED", "BLACKLISTED", "DISCONNECT"]
        {
            check(&format!("{verdict} [192.0.2.1]:4711"), verdict, "", None);
        }
        check("ALLOWLIST VETO [192.0.2.1]:4711", "ALLOWLIST VETO", "", None);
        check("WHITELIST VETO [192.0.2.1]:4711", "WHITELIST VETO", "", None);
        check("PREGREET 14 after 0.04 from [192.0.2.1]:4711: EHLO ylmf-pc\\r\\n", "PREGREET", "14 after 0.04", None);
        check("DNSBL rank 5 for [192.0.2.1]:4711", "DNSBL", "rank 5", None);
        check("HANGUP after 63 from [192.0.2.1]:4711 in tests after SMTP handshake", "HANGUP", "after 63", None);
        check("COMMAND TIME LIMIT from [192.0.2.1]:4711 after AUTH", "COMMAND TIME LIMIT", "", Some("AUTH"));
        check("COMMAND COUNT LIMIT from [192.0.2.1]:4711 after RCPT", "COMMAND COUNT LIMIT", "", Some("RCPT"));
        check("COMMAND LENGTH LIMIT from [192.0.2.1]:4711 after RCPT", "COMMAND LENGTH LIMIT", "", Some("RCPT"));
        check("COMMAND PIPELINING from [192.0.2.1]:4711 after EHLO: QUIT", "COMMAND PIPELINING", "", Some("EHLO"));
        check(
            "NON-SMTP COMMAND from [192.0.2.1]:4711 after CONNECT: GET [198.51.100.7] after X: HTTP/1.1",
            "NON-SMTP COMMAND",
            "",
            Some("CONNECT"),
        );
        check("BARE NEWLINE from [192.0.2.1]:4711 after EHLO", "BARE NEWLINE", "", Some("EHLO"));
        check("DATA without valid RCPT from [192.0.2.1]:4711", "DATA", "without valid RCPT", None);
    }

    #[test]
    fn rejects_and_notes() {
        let name = |text: &str| postscreen(text.as_bytes()).map_or("unknown", |event| event.name());
        for (text, expected) in [
            (
                "NOQUEUE: reject: RCPT from [192.0.2.1]:4711: 450 4.3.2 Service currently unavailable; from=<a@x>, to=<b@y>, proto=ESMTP, helo=<h>",
                "reject",
            ),
            ("NOQUEUE: reject: CONNECT from [192.0.2.1]:4711: all server ports busy", "reject"),
            ("reject: connect from [192.0.2.1]:4711: all screening ports busy", "reject"),
            ("entering STRESS mode with 90 connections", "postscreen_note"),
            (
                "cache btree:/var/lib/postfix/postscreen_cache full cleanup: retained=2 dropped=7 entries",
                "postscreen_note",
            ),
            ("[192.0.2.1]:4711: discarding EHLO keywords: CHUNKING", "postscreen_note"),
            ("what is this", "unknown"),
            ("PASSED [192.0.2.1]:4711", "unknown"),
            ("PASS NEW 192.0.2.1", "unknown"),
        ] {
            assert_eq!(name(text), expected, "{text}");
        }
    }

    #[test]
    fn lists_and_the_proxy() {
        let Some(Event::DnsListed(found)) = screener(b"addr 2001:db8::1 listed by domain list.example as 127.0.5.1")
        else {
            panic!()
        };
        assert_eq!(
            (found.client.address, found.domain, found.answer),
            (b"2001:db8::1".as_slice(), b"list.example".as_slice(), b"127.0.5.1".as_slice())
        );
        let name = |text: &str| screener(text.as_bytes()).map_or("unknown", |event| event.name());
        for (text, expected) in [
            ("CONNECT from [192.0.2.1]:4711", "tls_proxy"),
            ("DISCONNECT [192.0.2.1]:4711", "tls_proxy"),
            ("TLS handshake failed for service=smtpd peer=[192.0.2.1]:4711", "tls_proxy"),
            (
                "Anonymous TLS connection established from [192.0.2.1]:4711: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)",
                "tls_established",
            ),
            ("warning: dnsblog_query: lookup error for DNS query 1.2.0.192.list.example", "warning"),
            ("addr nobody listed by domain list.example as 127.0.0.2", "unknown"),
            ("addr 192.0.2.1 is fine", "unknown"),
            ("CONNECT from nobody", "unknown"),
        ] {
            assert_eq!(name(text), expected, "{text}");
        }
    }
}
