//! The remote end of a connection as Postfix writes it: `name[address]` or `name[address]:port`.
//!
//! Source: Postfix `src/smtpd/smtpd_peer.c` (`namaddr`, `SMTP_ADDR…`); the port with `smtpd_client_port_logging`.

use std::net::{IpAddr, Ipv4Addr};

use crate::scan::{number, split_around, split_byte};

/// A client as logged. The name comes from the DNS (checked both ways by Postfix) and holds no bracket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client<'a> {
    /// The verified name, or `unknown`.
    pub name: &'a [u8],
    /// The address as logged: IPv6 bare, or `unknown` when the client was gone before it could be asked.
    pub address: &'a [u8],
    /// The client's port if logged.
    pub port: Option<u16>,
}

impl<'a> Client<'a> {
    /// The client that a `connect from` line names.
    #[must_use]
    #[inline]
    pub fn connecting(text: &'a [u8]) -> Option<Self> {
        whole_client(text.strip_prefix(b"connect from ")?)
    }

    /// The client that a `disconnect from` line names.
    #[must_use]
    pub fn leaving(text: &'a [u8]) -> Option<Self> {
        client(text.strip_prefix(b"disconnect from ")?).map(|(client, _)| client)
    }

    /// A client of whom the line tells the address and no name. `None` if it is no address.
    #[must_use]
    pub fn bare(text: &'a [u8]) -> Option<Self> {
        address(text).map(|_| Self { name: b"", address: text, port: None })
    }

    /// The name, unless it is `unknown`.
    #[must_use]
    pub fn host(&self) -> Option<&'a [u8]> {
        (self.name != b"unknown" && !self.name.is_empty()).then_some(self.name)
    }

    /// Whether it is this machine: a content filter's way back in, say.
    #[must_use]
    #[inline]
    pub fn is_local(&self) -> bool {
        self.address.starts_with(b"127.") || self.address == b"::1"
    }

    /// The address as a value: `::ffff:a.b.c.d` is `a.b.c.d`. `None` for `unknown`.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        address(self.address)
    }
}

/// An address in any text form as one value; a mapped IPv4 address is the IPv4 address.
#[must_use]
pub fn address(text: &[u8]) -> Option<IpAddr> {
    if let Some(v4) = ipv4(text) {
        return Some(v4);
    }
    let text = text.strip_prefix(b"IPv6:").unwrap_or(text);
    let bare = split_byte(text, b'%').map_or(text, |(bare, _scope)| bare);
    let ip: IpAddr = std::str::from_utf8(bare).ok()?.parse().ok()?;
    Some(ip.to_canonical())
}

/// Whether no client on the Internet has such an address: private (RFC 1918, RFC 4193), loopback, link-local, and what providers keep for
/// themselves (RFC 6598). Whoever has it is one of ours, or stands behind a gateway with many others: a ban or a delay hits them all.
#[must_use]
pub fn is_inside(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => {
            let provider = v4.to_bits() >> 22 == Ipv4Addr::new(100, 64, 0, 0).to_bits() >> 22;
            v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_unspecified() || provider
        }
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

/// A dotted quad. The common case by far, so it does not go through the general parser.
fn ipv4(text: &[u8]) -> Option<IpAddr> {
    if text.len() > 15 {
        return None;
    }
    let mut octets = [0u8; 4];
    let mut parts = text.split(|b| *b == b'.');
    for octet in &mut octets {
        let part = parts.next()?;
        if part.is_empty() || part.len() > 3 || (part.len() > 1 && part.first() == Some(&b'0')) {
            return None;
        }
        let value = part.iter().try_fold(0u16, |sum, b| b.is_ascii_digit().then(|| sum * 10 + u16::from(b - b'0')))?;
        *octet = u8::try_from(value).ok()?;
    }
    parts.next().is_none().then(|| IpAddr::from(octets))
}

/// A DNS name has 255 bytes at most; anything longer before the bracket is no client.
const NAME_BYTES_MAX: usize = 300;
/// An IPv6 address with a zone, or a socket's path.
const ADDRESS_BYTES_MAX: usize = 200;

/// Parses a client at the start of `text`; the rest follows directly behind it.
#[must_use]
#[inline]
pub(crate) fn client(text: &[u8]) -> Option<(Client<'_>, &[u8])> {
    let open = memchr::memchr2(b'[', b']', text)?;
    let (name, rest) = split_around(text, open, 1)?;
    let close = memchr::memchr2(b']', b' ', rest.get(..ADDRESS_BYTES_MAX).unwrap_or(rest))?;
    let closed = rest.get(close) == Some(&b']');
    let (address, rest) = split_around(rest, close, 1)?;
    let plausible = text.get(open) == Some(&b'[') && name.len() <= NAME_BYTES_MAX && !address.is_empty() && closed;
    let (port, rest) = port(rest);
    plausible.then_some((Client { name, address, port }, rest))
}

/// `:43839`, but not the `: ` that follows a client without a port.
#[inline]
fn port(rest: &[u8]) -> (Option<u16>, &[u8]) {
    let [b':', b'0'..=b'9', ..] = rest else { return (None, rest) };
    let found = rest.get(1..).and_then(number).and_then(|(port, after)| Some((u16::try_from(port).ok()?, after)));
    found.map_or((None, rest), |(port, after)| (Some(port), after))
}

/// Parses text that is a client and nothing else.
#[must_use]
pub(crate) fn whole_client(text: &[u8]) -> Option<Client<'_>> {
    let (client, rest) = client(text)?;
    rest.trim_ascii().is_empty().then_some(client)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients() {
        let check = |text: &str, name: &str, address: &str, port: Option<u16>, rest: &str| {
            let (found, left) = client(text.as_bytes()).unwrap();
            assert_eq!(found, Client { name: name.as_bytes(), address: address.as_bytes(), port }, "{text}");
            assert_eq!(left, rest.as_bytes());
        };
        check("h.example[192.0.2.9]: x", "h.example", "192.0.2.9", None, ": x");
        check("unknown[2001:db8::1]:55729: x", "unknown", "2001:db8::1", Some(55729), ": x");
        check("unknown[unknown]", "unknown", "unknown", None, "");
        check("[192.0.2.9]:2525", "", "192.0.2.9", Some(2525), "");
        check("a b@c[::1]:99999", "a b@c", "::1", None, ":99999");
    }

    #[test]
    fn addresses_of_ones_own() {
        let insides =
            ["10.1.2.3", "127.0.0.8", "169.254.1.1", "fd00::1", "::1", "fe80::1", "100.64.0.1", "100.127.255.255"];
        let outsides = ["100.63.255.255", "100.128.0.0", "203.0.113.9", "2001:db8::1", "172.32.0.1"];
        for (ip, inside) in insides.map(|ip| (ip, true)).into_iter().chain(outsides.map(|ip| (ip, false))) {
            assert_eq!(is_inside(ip.parse().unwrap()), inside, "{ip}");
        }
    }

    #[test]
    fn what_is_no_client() {
        for text in ["", "h", "h[", "h[]", "h]x[::1]", "h[a b]"] {
            assert_eq!(client(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn addresses_are_values() {
        let ip = |text: &str| address(text.as_bytes()).map(|ip| ip.to_string());
        assert_eq!(ip("::ffff:192.0.2.1"), Some("192.0.2.1".into()));
        assert_eq!(ip("2001:DB8:0:0:0:0:0:5"), Some("2001:db8::5".into()));
        assert_eq!(ip("fe80::1%eth0"), Some("fe80::1".into()));
        assert_eq!(ip("unknown"), None);
        assert_eq!(ip("192.0.2.256"), None);
        assert_eq!(ip("192.0.2.01"), None);
    }
}
