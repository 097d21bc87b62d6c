//! Delivery agents: `smtp`, `lmtp`, `local`, `virtual`, `pipe`, `error`, `discard`, and what Postfix logs as SASL client.
//!
//! Input: the message behind the process tag. Output: an [`Event`], or `None`.
//! Source of the wording: Postfix `src/global/log_adhoc.c`, `src/global/defer.c`, `src/smtp/smtp_sasl_glue.c`; what
//! the other server did is [`crate::remote`]'s.

use std::sync::LazyLock;

use memchr::memmem::Finder;

use crate::client::{Client, whole_client};
use crate::content::delivery_check;
use crate::event::Event;
use crate::level::{Level, level};
use crate::queue_id::{QueueId, prefix};
use crate::remote::remote;
use crate::scan::{contains, find, rfind, rsplit_once, split_around, split_byte, split_once, whole_u32, word};
use crate::service::{common, queue_warning};
use crate::smtpd::tls_event;

/// One delivery attempt for one recipient. What is not needed to tell the fate is taken apart on demand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery<'a> {
    /// The message.
    pub queue_id: QueueId<'a>,
    /// The recipient.
    pub to: &'a [u8],
    /// The recipient before aliases and forwarding, if it differs.
    pub orig_to: Option<&'a [u8]>,
    /// `none`, `local`, a transport, or `host[address]:port`.
    pub relay: &'a [u8],
    /// `sent`, `deferred`, `bounced`, `expired`, …, as logged.
    pub status: &'a [u8],
    /// The words in the outer parentheses.
    pub response: &'a [u8],
    /// `delay=…` up to `dsn=…`.
    middle: &'a [u8],
}

/// The parts of a delivery line between relay and status.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Timing<'a> {
    /// Seconds from arrival to this attempt's end.
    pub delay: Option<f64>,
    /// Seconds before the queue manager, in it, for connection set-up, for transmission.
    pub delays: Option<[f64; 4]>,
    /// Enhanced status code.
    pub dsn: Option<&'a [u8]>,
    /// How many deliveries this connection has served, from the second on.
    pub conn_use: Option<u32>,
    /// Postfix's summary of the TLS policy and what came of it, e.g. `dane/!requiretls:nocertmatch` (Postfix 3.11 on).
    pub tls: Option<&'a [u8]>,
}

impl<'a> Delivery<'a> {
    /// Delay, its four parts and the status code.
    #[must_use]
    pub fn timing(&self) -> Timing<'a> {
        // The summary of TLS may hold commas.
        let (items, tls) = match split_once(self.middle, b", tls=") {
            Some((items, rest)) => (items, Some(rest)),
            None => (self.middle, None),
        };
        let mut timing = Timing::default();
        timing.take(items);
        if let Some(rest) = tls {
            let (tls, items) = rsplit_once(rest, b", dsn=").map_or((rest, None), |(tls, dsn)| (tls, Some(dsn)));
            timing.tls = Some(tls);
            timing.dsn = items.map(|dsn| split_byte(dsn, b',').map_or(dsn, |(dsn, _)| dsn)).or(timing.dsn);
        }
        timing
    }

    /// The relay as host and address; `None` for `none`, `local` and transports.
    #[must_use]
    pub fn relay_host(&self) -> Option<Client<'a>> {
        whole_client(self.relay)
    }

    /// The queue id the next hop gave the message: `… queued as NEXT`.
    #[must_use]
    pub fn queued_as(&self) -> Option<QueueId<'a>> {
        queued_as(self.response)
    }

    /// The queue id of the copy that `local` sent on for an alias or a `.forward` file: `forwarded as NEW`.
    ///
    /// Only `local` says so about this host's own queue: another server's reply may say anything.
    #[must_use]
    pub fn forwarded_as(&self) -> Option<QueueId<'a>> {
        let id = self.response.strip_prefix(b"forwarded as ")?;
        QueueId::new(id).filter(|_| self.relay == b"local")
    }

    /// Whether the attempt failed because our own login at the next hop was refused.
    #[must_use]
    pub fn relayhost_login_failed(&self) -> bool {
        is_login_failure(self.response)
    }
}

/// The queue id in the reply of whoever took a message: `… queued as NEXT` (Postfix `src/smtpd/smtpd.c`).
#[must_use]
pub fn queued_as(reply: &[u8]) -> Option<QueueId<'_>> {
    let at = rfind(reply, b"queued as ")?;
    let id = reply.get(at + 10..)?;
    let end = id.iter().position(|b| !b.is_ascii_alphanumeric()).unwrap_or(id.len());
    QueueId::new(id.get(..end)?)
}

impl<'a> Timing<'a> {
    /// Takes in `key=value` items with commas between.
    fn take(&mut self, items: &'a [u8]) {
        for item in items.split(|b| *b == b',') {
            let Some((key, value)) = split_byte(item.trim_ascii(), b'=') else { continue };
            match key {
                b"delay" => self.delay = decimal(value),
                b"delays" => self.delays = four(value),
                b"dsn" => self.dsn = Some(value),
                b"conn_use" => self.conn_use = whole_u32(value),
                _ => {}
            }
        }
    }
}

fn is_login_failure(response: &[u8]) -> bool {
    response.starts_with(b"SASL authentication failed") || response.starts_with(b"SASL [CACHED] authentication failed")
}

/// A number that is not negative. Delays are short and come by the million, so the plain ones are read here.
fn decimal(text: &[u8]) -> Option<f64> {
    plain_decimal(text).or_else(|| {
        std::str::from_utf8(text).ok()?.parse().ok().filter(|value: &f64| value.is_finite() && *value >= 0.0)
    })
}

/// `12` or `0.17` of at most 15 digits: both numbers of the quotient are exact, so it is what the library would read.
fn plain_decimal(text: &[u8]) -> Option<f64> {
    let (mut digits, mut scale, mut point) = (0_u64, 1_u64, false);
    if text.is_empty() || text.len() > 16 || !text.first().is_some_and(u8::is_ascii_digit) {
        return None;
    }
    for byte in text {
        match byte {
            b'0'..=b'9' => {
                digits = digits * 10 + u64::from(byte - b'0');
                scale *= if point { 10 } else { 1 };
            }
            b'.' if !point => point = true,
            _ => return None,
        }
    }
    (digits < 1_000_000_000_000_000).then(|| digits as f64 / scale as f64)
}

fn four(text: &[u8]) -> Option<[f64; 4]> {
    let mut parts = text.split(|b| *b == b'/').map(decimal);
    Some([parts.next()??, parts.next()??, parts.next()??, parts.next()??])
}

/// Parses one message of a delivery agent.
pub(crate) fn event(text: &[u8]) -> Option<Event<'_>> {
    if let Some((before, rest)) = prefix(text)
        && let Some(queue_id) = before.queue_id()
    {
        return queued(queue_id, rest);
    }
    let (severity, rest) = level(text);
    match severity {
        Level::Info => unqueued(text),
        Level::Fatal | Level::Panic => common(text),
        // As SASL client; never one of our users.
        Level::Warning | Level::Error if contains(rest, b"SASL ") => Some(Event::RelayhostSaslFailed(None, rest)),
        Level::Warning | Level::Error => Some(severe(rest)),
    }
}

/// Behind `warning: `.
fn severe(text: &[u8]) -> Event<'_> {
    if let Some(library) = text.strip_prefix(b"TLS library problem: ") {
        return Event::TlsLibrary(library);
    }
    queue_warning(text).unwrap_or(Event::Other("warning"))
}

/// The status of a delivery attempt, without taking the line apart further; and whether it failed for our own login.
#[inline]
pub(crate) fn delivery_status(text: &[u8]) -> Option<(&[u8], bool)> {
    let (before, rest) = prefix(text)?;
    before.queue_id()?;
    let (_, _, _, outcome) = fields(rest.starts_with(b"to=<").then_some(rest)?)?;
    let (status, response) = word(outcome);
    Some((status, is_login_failure(response.strip_prefix(b"(").unwrap_or(response))))
}

fn queued<'a>(queue_id: QueueId<'a>, rest: &'a [u8]) -> Option<Event<'a>> {
    if let Some(event) = queued_delivery(queue_id, rest) {
        return Some(event);
    }
    if rest.starts_with(b"SASL authentication failed") || rest.starts_with(b"SASL [CACHED] authentication failed") {
        return Some(Event::RelayhostSaslFailed(Some(queue_id), rest));
    }
    if let Some(found) = remote(Some(queue_id), rest) {
        return Some(Event::Remote(found));
    }
    if let Some(found) = delivery_check(Some(queue_id), rest) {
        return Some(Event::ContentCheck(found));
    }
    let known =
        ["passing <", "status=deferred (", "breaking line ", "message-id=", "replacing ", "mail for ", "DSN", "TLSRPT"];
    known.iter().any(|words| rest.starts_with(words.as_bytes())).then_some(Event::QueueNote(queue_id, rest))
}

/// A delivery line behind its queue id. Other programs write some as well, when they give up on a recipient.
pub(crate) fn queued_delivery<'a>(queue_id: QueueId<'a>, rest: &'a [u8]) -> Option<Event<'a>> {
    if rest.starts_with(b"to=<") {
        return delivery(queue_id, rest).map(Event::Delivery);
    }
    bare_delivery(queue_id, rest.strip_prefix(b"to=")?).map(Event::Delivery)
}

/// `R[, orig_to=O], relay=…`: tools that hide addresses take the brackets off.
fn bare_delivery<'a>(queue_id: QueueId<'a>, rest: &'a [u8]) -> Option<Delivery<'a>> {
    let (addresses, rest) = split_once(rest, b", relay=")?;
    let (relay, rest) = split_byte(rest, b',')?;
    let (middle, outcome) = split_once(rest, b", status=")?;
    let (to, orig_to) = match split_once(addresses, b", orig_to=") {
        Some((to, orig_to)) => (to, Some(orig_to)),
        None => (addresses, None),
    };
    Some(with_outcome(Delivery { queue_id, to, orig_to, relay, status: b"", response: b"", middle }, outcome))
}

/// `ST (TEXT)`.
fn with_outcome<'a>(delivery: Delivery<'a>, outcome: &'a [u8]) -> Delivery<'a> {
    let (status, response) = word(outcome);
    let response = response.strip_prefix(b"(").unwrap_or(response);
    Delivery { status, response: response.strip_suffix(b")").unwrap_or(response), ..delivery }
}

fn unqueued(text: &[u8]) -> Option<Event<'_>> {
    if let Some(event) = tls_event(text) {
        return Some(event);
    }
    if let Some(found) = remote(None, text) {
        return Some(Event::Remote(found));
    }
    if text.starts_with(b"SASL authentication failed") {
        return Some(Event::RelayhostSaslFailed(None, text));
    }
    let known = [
        "initializing the client-side TLS",
        "discarding EHLO keywords: ",
        "disabling TLS support",
        "delivery ",
        "SSL_connect:",
    ];
    if known.iter().any(|words| text.starts_with(words.as_bytes())) { Some(Event::Other("note")) } else { common(text) }
}

/// `to=<R>[, orig_to=<O>], relay=REL[, conn_use=N], delay=D, delays=a/b/c/d[, tls=T], dsn=X.Y.Z, status=ST (TEXT)`.
fn delivery<'a>(queue_id: QueueId<'a>, rest: &'a [u8]) -> Option<Delivery<'a>> {
    let (addresses, relay, middle, outcome) = fields(rest)?;
    let (to, orig_to) = match orig_to_at(addresses).and_then(|at| split_around(addresses, at, ORIG_TO.len())) {
        Some((to, orig_to)) => (to, Some(orig_to)),
        None => (addresses, None),
    };
    let to = to.strip_prefix(TO)?;
    Some(with_outcome(Delivery { queue_id, to, orig_to, relay, status: b"", response: b"", middle }, outcome))
}

/// Where a quoted local part ends that starts at `at`: it may hold anything, our own fields included. Without one, `at`.
fn quoted_end(rest: &[u8], at: usize) -> usize {
    let Some(inside) = rest.get(at..).and_then(|text| text.strip_prefix(b"\"")) else { return at };
    let mut escaped = false;
    let end = inside.iter().position(|byte| {
        let ends = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        ends
    });
    end.map_or(at, |end| at + 1 + end + 1)
}

const TO: &[u8] = b"to=<";
const ORIG_TO: &[u8] = b">, orig_to=<";
// Every delivery line is searched for these: built once.
static RELAY: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b">, relay="));
static STATUS: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b", status="));

/// Addresses, relay, timing, outcome.
type Parts<'a> = (&'a [u8], &'a [u8], &'a [u8], &'a [u8]);

/// Where behind the recipient the one before aliases follows.
#[inline]
fn orig_to_at(addresses: &[u8]) -> Option<usize> {
    let from = quoted_end(addresses, TO.len());
    find(addresses.get(from..)?, ORIG_TO).map(|at| from + at)
}

/// A delivery line in four: addresses, relay, timing, outcome.
#[inline]
fn fields(rest: &[u8]) -> Option<Parts<'_>> {
    let to = quoted_end(rest, TO.len());
    let mut at = to + RELAY.find(rest.get(to..)?)?;
    if let Some(orig_to) = orig_to_at(rest.get(..at)?) {
        let start = orig_to + ORIG_TO.len();
        let end = quoted_end(rest, start);
        if end > start {
            at = end + RELAY.find(rest.get(end..)?)?;
        }
    }
    let (addresses, rest) = split_around(rest, at, RELAY.needle().len())?;
    let (relay, rest) = split_byte(rest, b',')?;
    let (middle, outcome) = split_around(rest, STATUS.find(rest)?, STATUS.needle().len())?;
    Some((addresses, relay, middle, outcome))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Delivery<'_> {
        match event(text.as_bytes()) {
            Some(Event::Delivery(delivery)) => delivery,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn decimals_are_those_of_the_library() {
        for text in ["0", "0.17", "12", "86400", "0.05", "3602.5", "123456789.123456", "1.", "007.50"] {
            assert_eq!(decimal(text.as_bytes()), text.parse().ok(), "{text}");
        }
        for text in ["", ".", "-1", "1e400", "nan", "inf", "1.2.3", "1,2", " 1", "x"] {
            assert_eq!(decimal(text.as_bytes()), None, "{text}");
        }
        assert_eq!(decimal(b"1234567890123456789"), Some(1_234_567_890_123_456_789.0));
    }

    #[test]
    fn deliveries() {
        let d = parse(
            "0F5383D12: to=<u@example.com>, orig_to=<v@example.com>, relay=mx.example.com[198.51.100.1]:25, conn_use=2, delay=1.5, delays=0.1/0/0.4/1, dsn=2.0.0, status=sent (250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as 1CF582025C)",
        );
        assert_eq!(
            (d.to, d.orig_to, d.status),
            (b"u@example.com".as_slice(), Some(b"v@example.com".as_slice()), b"sent".as_slice())
        );
        assert_eq!(
            d.timing(),
            Timing {
                delay: Some(1.5),
                delays: Some([0.1, 0.0, 0.4, 1.0]),
                dsn: Some(b"2.0.0"),
                conn_use: Some(2),
                tls: None
            }
        );
        assert_eq!(d.queued_as().map(|q| q.as_bytes()), Some(b"1CF582025C".as_slice()));
        assert_eq!(d.relay_host().unwrap().address, b"198.51.100.1");
    }

    #[test]
    fn tls_of_postfix_3_11() {
        for tls in ["may?", "dane/requiretls", "dane/!requiretls:nocertmatch", "secure, or so, dsn=9.9.9"] {
            let text = format!(
                "0F5383D12: to=<u@x>, relay=h[192.0.2.1]:25, conn_use=3, delay=3.6, delays=0.08/0.02/0.85/0.14, tls={tls}, dsn=2.1.5, status=sent (ok)"
            );
            let timing = parse(&text).timing();
            assert_eq!((timing.tls, timing.dsn), (Some(tls.as_bytes()), Some(b"2.1.5".as_slice())), "{text}");
            assert_eq!((timing.delay, timing.conn_use), (Some(3.6), Some(3)));
        }
    }

    #[test]
    fn forwarded_by_local_only() {
        let forwarded = |relay: &str, response: &str| {
            let text = format!(
                "0F5383D12: to=<u@x>, relay={relay}, delay=1, delays=0/0/1/0, dsn=2.0.0, status=sent ({response})"
            );
            parse(&text).forwarded_as().map(|id| id.as_bytes().to_vec())
        };
        assert_eq!(forwarded("local", "forwarded as 1CF582025C"), Some(b"1CF582025C".to_vec()));
        assert_eq!(forwarded("h[192.0.2.1]:25", "forwarded as 1CF582025C"), None);
        assert_eq!(forwarded("local", "forwarded as 1CF582025C and more"), None);
        assert_eq!(forwarded("local", "delivered to command: echo forwarded as 1CF582025C"), None);
    }

    #[test]
    fn addresses_without_brackets() {
        let d = parse(
            "0F5383D12: to=u@example.com, orig_to=root@localhost, relay=local, delay=0.07, delays=0.04/0/0/0.03, dsn=2.0.0, status=sent (delivered to command: procmail -a \"$EXTENSION\")",
        );
        assert_eq!(
            (d.to, d.orig_to, d.relay),
            (b"u@example.com".as_slice(), Some(b"root@localhost".as_slice()), b"local".as_slice())
        );
        assert_eq!(
            (d.status, d.response),
            (b"sent".as_slice(), b"delivered to command: procmail -a \"$EXTENSION\"".as_slice())
        );
    }

    #[test]
    fn other_lines_of_delivery_agents() {
        let name = |text: &str| event(text.as_bytes()).map_or("unknown", |event| event.name());
        for (text, expected) in [
            ("0F5383D12: host h[192.0.2.1] said: 450 4.7.1 later (in reply to RCPT TO command)", "remote_reply"),
            ("0F5383D12: host h[192.0.2.1] refused to talk to me: 421 no", "remote_refused"),
            ("0F5383D12: lost connection with h[192.0.2.1] while sending RCPT TO", "remote_lost"),
            ("0F5383D12: conversation with h[192.0.2.1] timed out while sending RCPT TO", "remote_timeout"),
            ("connect to h[192.0.2.1]:25: Connection refused", "connect_failed"),
            ("SSL_connect error to h[192.0.2.1]:25: lost connection", "remote_tls_failed"),
            ("0F5383D12: Cannot start TLS: handshake failure", "remote_tls_failed"),
            ("0F5383D12: enabling PIX workarounds: disable_esmtp for h[192.0.2.1]:25", "remote_note"),
            ("0F5383D12: passing <u@x> to transport=local", "queue_note"),
            ("0F5383D12: status=deferred (bounce failed)", "queue_note"),
            ("0F5383D12: status=deferred (trace failed)", "queue_note"),
            ("0F5383D12: replace: header Subject: x: Subject: y", "content_check"),
            ("discarding EHLO keywords: CHUNKING", "note"),
            ("warning: 0F5383D12: defer service failure", "queue_warning"),
            ("warning: TLS library problem: error:14082174:SSL routines:dh key too small:", "tls_library"),
            ("warning: numeric domain name in resource data of MX record for x.example: 192.0.2.1", "warning"),
            (
                "Verified TLS connection established to h[192.0.2.1]:25: TLSv1.3 with cipher X (256/256 bits)",
                "tls_established",
            ),
            (
                "Trusted TLS connection reused to h[192.0.2.1]:25: TLSv1.3 with cipher X (256/256 bits)",
                "tls_established",
            ),
            ("fatal: append file defer 0F5383D12: No space left on device", "fatal"),
            ("0F5383D12: from h[192.0.2.1]: what?", "unknown"),
            ("0F5383D12: to=<u@x>, cut", "unknown"),
            ("something nobody wrote", "unknown"),
        ] {
            assert_eq!(name(text), expected, "{text}");
        }
    }

    #[test]
    fn a_quoted_recipient_tells_no_fate() {
        let d = parse(
            "0F5383D12: to=<\"a>, relay=none, delay=1, delays=0/0/0/0, dsn=2.0.0, status=sent (ok)\"@x>, relay=h[192.0.2.9]:25, delay=1, delays=0/0/1/0, dsn=5.0.0, status=bounced (no)",
        );
        assert_eq!((d.status, d.relay_host().unwrap().address), (b"bounced".as_slice(), b"192.0.2.9".as_slice()));
        // A catch-all alias takes any local part.
        let d = parse(
            r#"0F5383D12: to=<u@x>, orig_to=<"a>, relay=none, delay=1, delays=0/0/0/0, dsn=2.0.0, status=sent (\"ok)"@x>, relay=h[192.0.2.9]:25, delay=1, delays=0/0/1/0, dsn=5.0.0, status=bounced (no)"#,
        );
        assert_eq!((d.status, d.relay_host().unwrap().address), (b"bounced".as_slice(), b"192.0.2.9".as_slice()));
        assert!(d.to == b"u@x" && d.orig_to.is_some_and(|orig_to| orig_to.ends_with(b"ok)\"@x")));
    }

    #[test]
    fn our_own_login_at_a_relay() {
        let d = parse(
            "4ABcd12XyzzYw: to=<u@example.com>, relay=smart.example.net[198.51.100.1]:587, delay=1, delays=0/0/1/0, dsn=4.7.8, status=deferred (SASL authentication failed; server smart.example.net[198.51.100.1] said: 535 5.7.8 no)",
        );
        assert!(d.relayhost_login_failed());
        let aliased = parse(
            r#"0F5383D12: to=<"a>, orig_to=<b"@example.com>, orig_to=<"c>, orig_to=<d"@example.com>, relay=local, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (ok)"#,
        );
        let (to, orig_to) =
            (br#""a>, orig_to=<b"@example.com"#.as_slice(), br#""c>, orig_to=<d"@example.com"#.as_slice());
        assert_eq!((aliased.to, aliased.orig_to), (to, Some(orig_to)));
        let quoted = parse(
            "0F5383D12: to=<u@example.com>, relay=h[198.51.100.1]:25, delay=1, delays=0/0/1/0, dsn=5.0.0, status=bounced (host h[198.51.100.1] said: 554 SASL authentication failed (in reply to DATA command))",
        );
        assert!(!quoted.relayhost_login_failed());
        assert_eq!(
            event(b"0F5383D12: SASL authentication failed; server h[192.0.2.1] said: 535 no").unwrap().name(),
            "relayhost_sasl_failed"
        );
        assert_eq!(
            event(b"warning: SASL authentication failure: No worthy mechs found").unwrap().name(),
            "relayhost_sasl_failed"
        );
    }
}
