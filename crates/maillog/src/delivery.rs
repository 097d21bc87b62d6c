//! Delivery agents: `smtp`, `lmtp`, `local`, `virtual`, `pipe`, `error`, `discard`, and what Postfix logs as SASL client.
//!
//! Input: the message behind the process tag. Output: an [`Event`], or `None`.
//! Source of the wording: Postfix `src/global/log_adhoc.c`, `src/global/defer.c`, `src/smtp/smtp_sasl_glue.c`, `src/smtp/smtp_connect.c`.

use std::sync::LazyLock;

use memchr::memmem::Finder;

use crate::client::{Client, whole_client};
use crate::event::Event;
use crate::level::{Level, level};
use crate::queue_id::{QueueId, prefix};
use crate::scan::{contains, split_around, split_byte, split_once, word};
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
}

impl<'a> Delivery<'a> {
    /// Delay, its four parts and the status code.
    #[must_use]
    pub fn timing(&self) -> Timing<'a> {
        let mut timing = Timing::default();
        for item in self.middle.split(|b| *b == b',') {
            let Some((key, value)) = split_byte(item.trim_ascii(), b'=') else { continue };
            match key {
                b"delay" => timing.delay = decimal(value),
                b"delays" => timing.delays = four(value),
                b"dsn" => timing.dsn = Some(value),
                _ => {}
            }
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

    /// The queue id of the mail that `local` made of the message for an alias or `.forward` file: `forwarded as NEXT`
    /// (Postfix `src/local/forward.c`).
    #[must_use]
    pub fn forwarded_as(&self) -> Option<QueueId<'a>> {
        QueueId::new(self.response.strip_prefix(b"forwarded as ")?)
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
    let at = memchr::memmem::rfind(reply, b"queued as ")?;
    let id = reply.get(at + 10..)?;
    let end = id.iter().position(|b| !b.is_ascii_alphanumeric()).unwrap_or(id.len());
    QueueId::new(id.get(..end)?)
}

fn is_login_failure(response: &[u8]) -> bool {
    response.starts_with(b"SASL authentication failed") || response.starts_with(b"SASL [CACHED] authentication failed")
}

fn decimal(text: &[u8]) -> Option<f64> {
    std::str::from_utf8(text).ok()?.parse().ok().filter(|value: &f64| value.is_finite() && *value >= 0.0)
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
    if severity == Level::Info {
        return unqueued(text);
    }
    if rest.starts_with(b"SASL authentication ") || contains(rest, b"SASL ") {
        return Some(Event::RelayhostSaslFailed(None, rest));
    }
    Some(Event::Other("warning"))
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
    if rest.starts_with(b"to=<") {
        return delivery(queue_id, rest).map(Event::Delivery);
    }
    if rest.starts_with(b"SASL authentication failed") || rest.starts_with(b"SASL [CACHED] authentication failed") {
        return Some(Event::RelayhostSaslFailed(Some(queue_id), rest));
    }
    let known = [
        "host ",
        "lost connection with ",
        "conversation with ",
        "enabling PIX workarounds",
        "passing <",
        "Cannot start TLS",
        "certificate ",
        "server certificate ",
        "TLS is required",
        "Server certificate ",
        "connect to ",
        "breaking line ",
        "status=deferred (bounce failed)",
        "to=<>",
        "replacing ",
        "message-id=",
    ];
    let listed = known.iter().any(|words| rest.starts_with(words.as_bytes()))
        || contains(rest, b"]: ")
        || contains(rest, b"] refused to talk to me")
        || contains(rest, b"]:");
    listed.then_some(Event::Other("delivery_note"))
}

fn unqueued(text: &[u8]) -> Option<Event<'_>> {
    if let Some(event) = tls_event(text) {
        return Some(event);
    }
    let known = [
        "connect to ",
        "SSL_connect error to ",
        "setting up TLS connection to ",
        "initializing the client-side TLS",
        "statistics: ",
        "name_mask: ",
        "certificate verification ",
        "table ",
        "SASL authentication failed",
        "server certificate ",
        "using backwards-compatible",
        "disabling TLS support",
        "delivery ",
    ];
    (known.iter().any(|words| text.starts_with(words.as_bytes())) || contains(text, b" has changed -- restarting"))
        .then_some(Event::Other("delivery_note"))
}

/// `to=<R>[, orig_to=<O>], relay=REL[, conn_use=N], delay=D, delays=a/b/c/d[, tls=T], dsn=X.Y.Z, status=ST (TEXT)`.
fn delivery<'a>(queue_id: QueueId<'a>, rest: &'a [u8]) -> Option<Delivery<'a>> {
    let (addresses, relay, middle, outcome) = fields(rest)?;
    let addresses = addresses.strip_prefix(b"to=<")?;
    let (to, orig_to) = match split_once(addresses, b">, orig_to=<") {
        Some((to, orig_to)) => (to, Some(orig_to)),
        None => (addresses, None),
    };
    let (status, response) = word(outcome);
    let response = response.strip_prefix(b"(").unwrap_or(response);
    let response = response.strip_suffix(b")").unwrap_or(response);
    Some(Delivery { queue_id, to, orig_to, relay, status, response, middle })
}

/// Where a quoted local part of the recipient ends: it may hold anything, our own fields included.
fn quoted_end(rest: &[u8]) -> usize {
    let Some(inside) = rest.strip_prefix(b"to=<\"") else { return 0 };
    let mut escaped = false;
    let end = inside.iter().position(|byte| {
        let ends = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        ends
    });
    end.map_or(0, |end| end + 5)
}

// Every delivery line is searched for these: built once.
static RELAY: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b">, relay="));
static STATUS: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b", status="));

/// Addresses, relay, timing, outcome.
type Parts<'a> = (&'a [u8], &'a [u8], &'a [u8], &'a [u8]);

/// A delivery line in four: addresses, relay, timing, outcome.
#[inline]
fn fields(rest: &[u8]) -> Option<Parts<'_>> {
    let quoted = quoted_end(rest);
    let at = quoted + RELAY.find(rest.get(quoted..)?)?;
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
    fn deliveries() {
        let d = parse(
            "0F5383D12: to=<u@example.com>, orig_to=<v@example.com>, relay=mx.example.com[198.51.100.1]:25, conn_use=2, delay=1.5, delays=0.1/0/0.4/1, dsn=2.0.0, status=sent (250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as 1CF582025C)",
        );
        assert_eq!(
            (d.to, d.orig_to, d.status),
            (b"u@example.com".as_slice(), Some(b"v@example.com".as_slice()), b"sent".as_slice())
        );
        assert_eq!(d.timing(), Timing { delay: Some(1.5), delays: Some([0.1, 0.0, 0.4, 1.0]), dsn: Some(b"2.0.0") });
        assert_eq!(d.queued_as().map(|q| q.as_bytes()), Some(b"1CF582025C".as_slice()));
        assert_eq!(d.relay_host().unwrap().address, b"198.51.100.1");
    }

    #[test]
    fn a_quoted_recipient_tells_no_fate() {
        let d = parse(
            "0F5383D12: to=<\"a>, relay=none, delay=1, delays=0/0/0/0, dsn=2.0.0, status=sent (ok)\"@x>, relay=h[192.0.2.9]:25, delay=1, delays=0/0/1/0, dsn=5.0.0, status=bounced (no)",
        );
        assert_eq!((d.status, d.relay_host().unwrap().address), (b"bounced".as_slice(), b"192.0.2.9".as_slice()));
    }

    #[test]
    fn our_own_login_at_a_relay() {
        let d = parse(
            "4ABcd12XyzzYw: to=<u@example.com>, relay=smart.example.net[198.51.100.1]:587, delay=1, delays=0/0/1/0, dsn=4.7.8, status=deferred (SASL authentication failed; server smart.example.net[198.51.100.1] said: 535 5.7.8 no)",
        );
        assert!(d.relayhost_login_failed());
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
