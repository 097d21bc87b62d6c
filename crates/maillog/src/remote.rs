//! What the server we deliver to, or the way to it, did: `smtp` and `lmtp` as client.
//!
//! Input: the message of a delivery agent, or what stands behind its queue id. Output: a [`Remote`], or `None`.
//! The server's host name comes from the DNS and its replies from the server: neither is trusted for more than its own field.
//! Source of the wording: Postfix `src/smtp/smtp_trouble.c`, `smtp_connect.c`, `smtp_proto.c`, `src/tls/tls_client.c`, `tls_misc.c`.

use crate::client::{Client, client};
use crate::policy::is_enhanced_code;
use crate::queue_id::QueueId;
use crate::scan::{number, rsplit_once, split_once, word};

/// Trouble or news from another server, outside a delivery line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remote<'a> {
    /// The message that was being delivered; `None` while no one message is tied to the connection.
    pub queue_id: Option<QueueId<'a>>,
    /// The server; `None` where the line names none.
    pub peer: Option<Client<'a>>,
    /// What happened.
    pub kind: RemoteKind,
    /// The server's reply, the system's error text, or what was being done.
    pub words: &'a [u8],
}

/// What happened at another server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemoteKind {
    /// `host H[A] said: REPLY`.
    Reply,
    /// `host H[A] refused to talk to me: REPLY`: it turned the connection down.
    Refused,
    /// `lost connection with H[A] while …`.
    Lost,
    /// `conversation with H[A] timed out while …`.
    TimedOut,
    /// `connect to H[A]:PORT: ERROR`.
    Connect,
    /// The TLS handshake failed, a certificate did not fit, or TLS was required and not offered.
    Tls,
    /// Nothing went wrong: workarounds, certificates, what is being set up.
    Note,
}

impl RemoteKind {
    /// The event's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Reply => "remote_reply",
            Self::Refused => "remote_refused",
            Self::Lost => "remote_lost",
            Self::TimedOut => "remote_timeout",
            Self::Connect => "connect_failed",
            Self::Tls => "remote_tls_failed",
            Self::Note => "remote_note",
        }
    }
}

impl<'a> Remote<'a> {
    /// The reply's code and enhanced status code, of a reply or a refusal that has them.
    #[must_use]
    pub fn codes(&self) -> (Option<u16>, Option<&'a [u8]>) {
        if !matches!(self.kind, RemoteKind::Reply | RemoteKind::Refused) {
            return (None, None);
        }
        let Some((code, rest)) = number(self.words).filter(|(code, _)| (200..600).contains(code)) else {
            return (None, None);
        };
        let rest = rest.strip_prefix(b" ").or_else(|| rest.strip_prefix(b"-")).unwrap_or_default();
        (u16::try_from(code).ok(), Some(word(rest).0).filter(|dsn| is_enhanced_code(dsn)))
    }
}

/// Reads what a delivery agent says about another server.
pub(crate) fn remote<'a>(queue_id: Option<QueueId<'a>>, text: &'a [u8]) -> Option<Remote<'a>> {
    let of = |(kind, peer, words)| Remote { queue_id, peer, kind, words };
    spoken(text)
        .or_else(|| broken(text))
        .or_else(|| tls(text))
        .or_else(|| required(text))
        .or_else(|| note(text))
        .map(of)
}

/// What is behind [`Remote`] but the queue id.
type Parts<'a> = (RemoteKind, Option<Client<'a>>, &'a [u8]);

/// A server's name and address. A name of the DNS has no blank: words that lead up to a bracket are no name.
fn peer(text: &[u8]) -> Option<(Client<'_>, &[u8])> {
    client(text).filter(|(peer, _)| !peer.name.contains(&b' '))
}

/// `host H[A] said: REPLY`, `host H[A] refused to talk to me: REPLY`.
fn spoken(text: &[u8]) -> Option<Parts<'_>> {
    let (server, rest) = peer(text.strip_prefix(b"host ")?)?;
    let said = rest.strip_prefix(b" said: ").map(|words| (RemoteKind::Reply, Some(server), words));
    said.or_else(|| Some((RemoteKind::Refused, Some(server), rest.strip_prefix(b" refused to talk to me: ")?)))
}

/// Connections that did not come about or did not last.
fn broken(text: &[u8]) -> Option<Parts<'_>> {
    if let Some(rest) = text.strip_prefix(b"connect to ") {
        let (server, rest) = peer(rest)?;
        return Some((RemoteKind::Connect, Some(server), rest.strip_prefix(b": ")?));
    }
    if let Some(rest) = text.strip_prefix(b"lost connection with ") {
        let (server, rest) = peer(rest)?;
        return Some((RemoteKind::Lost, Some(server), rest.strip_prefix(b" ").unwrap_or(rest)));
    }
    let (server, rest) = peer(text.strip_prefix(b"conversation with ")?)?;
    let doing = rest.strip_prefix(b" timed out")?;
    Some((RemoteKind::TimedOut, Some(server), doing.strip_prefix(b" ").unwrap_or(doing)))
}

/// Handshakes that failed and certificates that did not fit.
fn tls(text: &[u8]) -> Option<Parts<'_>> {
    let starts: [&[u8]; 6] = [
        b"SSL_connect error to ",
        b"certificate verification failed for ",
        b"server certificate verification failed for ",
        b"client certificate verification failed for ",
        b"CA certificate verification failed for ",
        b"certificate peer name verification failed for ",
    ];
    let rest = starts.iter().find_map(|start| text.strip_prefix(*start))?;
    // Postfix up to 2.8 has no blank behind the colon.
    let (server, rest) = peer(rest)?;
    Some((RemoteKind::Tls, Some(server), rest.strip_prefix(b":")?.trim_ascii_start()))
}

/// `TLS is required, but was not offered by host H[A]` and its kin, which are reasons for a delivery as well.
fn required(text: &[u8]) -> Option<Parts<'_>> {
    let starts = [
        "TLS is required, but ",
        "SMTPUTF8 is required, but ",
        "Cannot start TLS: ",
        "Server certificate not ",
        "server certificate ",
    ];
    let known = starts.iter().any(|start| text.starts_with(start.as_bytes()));
    let server = split_once(text, b"host ").and_then(|(_, rest)| peer(rest)).map(|(server, _)| server);
    known.then_some((RemoteKind::Tls, server, text))
}

/// News about a connection that works.
fn note(text: &[u8]) -> Option<Parts<'_>> {
    if let Some(rest) = text.strip_prefix(b"setting up TLS connection to ") {
        return Some((RemoteKind::Note, Some(peer(rest)?.0), text));
    }
    if text.starts_with(b"enabling PIX workarounds: ") {
        let server = rsplit_once(text, b" for ").and_then(|(_, rest)| peer(rest)).map(|(server, _)| server);
        return Some((RemoteKind::Note, server, text));
    }
    if text.starts_with(b"Host offered STARTTLS: [") {
        return Some((RemoteKind::Note, None, text));
    }
    let (server, rest) = peer(text).filter(|(server, _)| !server.name.contains(&b':'))?;
    let words = rest.strip_prefix(b": ")?;
    let starts = [
        "subject_CN=",
        "re-using session with ",
        "replacing server reply ",
        "certificate ",
        "Matched ",
        "depth=",
        "Untrusted",
        "Trusted",
        "Verified",
        "Anonymous",
        "issuer=",
        "subject=",
        "re-negotiation ",
        "TLS cipher list ",
        "TLSA ",
        "DANE ",
    ];
    starts.iter().any(|start| words.starts_with(start.as_bytes())).then_some((RemoteKind::Note, Some(server), words))
}

/// The server that the words of [`crate::Event::RelayhostSaslFailed`] name: `SASL … authentication failed; server H[A] said: …`.
///
/// Source: Postfix `src/smtp/smtp_sasl_glue.c`, `src/smtp/smtp_sasl_proto.c`.
#[must_use]
pub fn sasl_server(words: &[u8]) -> Option<Client<'_>> {
    let rest = words.strip_prefix(b"SASL ")?;
    let rest = rest.strip_prefix(b"[CACHED] ").unwrap_or(rest);
    let rest = rest.strip_prefix(b"authentication failed; ")?;
    let rest = rest.strip_prefix(b"cannot authenticate to ").unwrap_or(rest);
    peer(rest.strip_prefix(b"server ")?).map(|(server, _)| server)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, kind: RemoteKind, server: &str, words: &str) {
        let found = remote(None, text.as_bytes()).unwrap_or_else(|| panic!("nothing: {text}"));
        let shown = found.peer.map_or(String::new(), |peer| {
            let port = peer.port.map_or(String::new(), |port| format!(":{port}"));
            format!("{}[{}]{port}", String::from_utf8_lossy(peer.name), String::from_utf8_lossy(peer.address))
        });
        assert_eq!(
            (found.kind, shown.as_str(), String::from_utf8_lossy(found.words).as_ref()),
            (kind, server, words),
            "{text}"
        );
    }

    #[test]
    fn smtp_trouble() {
        check(
            "host mx.example.com[192.0.2.40] said: 450 4.7.1 <u@example.com>: Greylisted (in reply to RCPT TO command)",
            RemoteKind::Reply,
            "mx.example.com[192.0.2.40]",
            "450 4.7.1 <u@example.com>: Greylisted (in reply to RCPT TO command)",
        );
        check(
            "host mx.example.com[2001:db8::40] refused to talk to me: 421 4.3.2 All screening ports are busy",
            RemoteKind::Refused,
            "mx.example.com[2001:db8::40]",
            "421 4.3.2 All screening ports are busy",
        );
        check(
            "lost connection with mx.example.com[192.0.2.40] while sending DATA command",
            RemoteKind::Lost,
            "mx.example.com[192.0.2.40]",
            "while sending DATA command",
        );
        check(
            "conversation with mx.example.com[192.0.2.40] timed out while receiving the initial server greeting",
            RemoteKind::TimedOut,
            "mx.example.com[192.0.2.40]",
            "while receiving the initial server greeting",
        );
    }

    #[test]
    fn smtp_connect() {
        check(
            "connect to mx.example.com[192.0.2.40]:25: Connection timed out",
            RemoteKind::Connect,
            "mx.example.com[192.0.2.40]:25",
            "Connection timed out",
        );
        check(
            "connect to mail.example.test[private/dovecot-lmtp]: No such file or directory",
            RemoteKind::Connect,
            "mail.example.test[private/dovecot-lmtp]",
            "No such file or directory",
        );
    }

    #[test]
    fn tls_client() {
        check(
            "SSL_connect error to mx.example.com[192.0.2.40]:25: -1",
            RemoteKind::Tls,
            "mx.example.com[192.0.2.40]:25",
            "-1",
        );
        check(
            "certificate verification failed for mx.example.com[192.0.2.40]:25: self-signed certificate",
            RemoteKind::Tls,
            "mx.example.com[192.0.2.40]:25",
            "self-signed certificate",
        );
        check(
            "TLS is required, but was not offered by host mx.example.com[192.0.2.40]",
            RemoteKind::Tls,
            "mx.example.com[192.0.2.40]",
            "TLS is required, but was not offered by host mx.example.com[192.0.2.40]",
        );
        check("Cannot start TLS: handshake failure", RemoteKind::Tls, "", "Cannot start TLS: handshake failure");
        check("Server certificate not trusted", RemoteKind::Tls, "", "Server certificate not trusted");
        check(
            "enabling PIX workarounds: disable_esmtp delay_dotcrlf for 192.0.2.40[192.0.2.40]:25",
            RemoteKind::Note,
            "192.0.2.40[192.0.2.40]:25",
            "enabling PIX workarounds: disable_esmtp delay_dotcrlf for 192.0.2.40[192.0.2.40]:25",
        );
        check(
            "mx.example.com[192.0.2.40]:25: re-using session with untrusted certificate, look for details earlier in the log",
            RemoteKind::Note,
            "mx.example.com[192.0.2.40]:25",
            "re-using session with untrusted certificate, look for details earlier in the log",
        );
    }

    #[test]
    fn codes_of_replies() {
        let codes = |text: &'static str| remote(None, text.as_bytes()).unwrap().codes();
        assert_eq!(codes("host h[192.0.2.1] said: 550-5.1.1 no such user"), (Some(550), Some(b"5.1.1".as_slice())));
        assert_eq!(codes("host h[192.0.2.1] said: 451 qq write error (#4.3.0)"), (Some(451), None));
        assert_eq!(codes("host h[192.0.2.1] said: nonsense"), (None, None));
        assert_eq!(codes("connect to h[192.0.2.1]:25: 550 5.1.1 x"), (None, None));
    }

    #[test]
    fn servers_that_refused_our_login() {
        let server = |text: &'static str| sasl_server(text.as_bytes()).map(|server| server.address);
        let address = Some(b"192.0.2.1".as_slice());
        assert_eq!(server("SASL authentication failed; server h[192.0.2.1] said: 535 no"), address);
        assert_eq!(server("SASL [CACHED] authentication failed; server h[192.0.2.1] said: 535 no"), address);
        assert_eq!(
            server("SASL authentication failed; cannot authenticate to server h[192.0.2.1]: no mechanism available"),
            address
        );
        assert_eq!(server("SASL authentication failed"), None);
    }

    #[test]
    fn what_is_none_of_it() {
        for text in [
            "host h said: 550 no",
            "connect to subsystem private/scache: Connection refused",
            "connect to h[192.0.2.1]:25",
            "x y[192.0.2.1]: certificate z",
            "h[192.0.2.1]: something else",
            "to=<\"host h[192.0.2.1] said: 550\"@x>",
            "",
        ] {
            assert_eq!(remote(None, text.as_bytes()), None, "{text}");
        }
    }
}
