//! Where a login comes from: an address, or all addresses of an IPv6 /64, and the networks around it.
//!
//! An address goes in, keys to count by come out.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// One source of logins: an IPv4 address, or an IPv6 /64, which one machine may use whole.
///
/// In eight bytes, as there are hundreds of thousands: an IPv4 address is a number up to `u32::MAX`, an IPv6 /64 its upper half.
/// The /64s below ::1:0:0:0:0:0, which no client has but `::1`, are one, [`Source::LOOPBACK`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Source(u64);

impl Source {
    /// The /64 of `::1`.
    const LOOPBACK: u64 = 1 << 32;

    /// The source an address belongs to; a mapped IPv4 address is the IPv4 address.
    #[must_use]
    pub fn of(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(v4) => Self(u64::from(v4.to_bits())),
            IpAddr::V6(v6) => Self(upper(v6).max(Self::LOOPBACK)),
        }
    }

    /// Its address, or the first one of its /64.
    #[must_use]
    pub fn ip(self) -> IpAddr {
        match u32::try_from(self.0) {
            Ok(v4) => IpAddr::V4(Ipv4Addr::from_bits(v4)),
            Err(_) if self.0 == Self::LOOPBACK => IpAddr::V6(Ipv6Addr::LOCALHOST),
            Err(_) => IpAddr::V6(Ipv6Addr::from_bits(u128::from(self.0) << 64)),
        }
    }

    /// Whether it is an IPv6 /64.
    pub(crate) fn is_v6(self) -> bool {
        self.0 >= Self::LOOPBACK
    }

    /// Its neighbours in the same network: /24, or /48.
    #[must_use]
    pub fn near(self) -> Self {
        self.cut(24, 48)
    }

    /// About the same provider: /16, or /40. Phones and lines with changing addresses stay within it.
    #[must_use]
    pub fn wide(self) -> Self {
        self.cut(16, 40)
    }

    fn cut(self, v4_bits: u32, v6_bits: u32) -> Self {
        let host_bits = if self.is_v6() { 64 - v6_bits } else { 32 - v4_bits };
        Self(self.0 >> host_bits << host_bits)
    }

    /// The source as a network: /32, or /64.
    #[must_use]
    pub fn net(self) -> IpNet {
        IpNet::new_assert(self.ip(), if self.is_v6() { 64 } else { 32 })
    }

    /// Whether it is ours, or a gateway in front of us: a ban would hit everybody behind it.
    #[must_use]
    pub fn is_inside(self) -> bool {
        self.0 == Self::LOOPBACK || maillog::is_inside(self.ip())
    }
}

/// As a person reads it: the address, or the whole /64, of which no single address may ever have been seen.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_v6() && self.0 != Self::LOOPBACK { self.net().fmt(f) } else { self.ip().fmt(f) }
    }
}

/// The network half of an address.
fn upper(ip: Ipv6Addr) -> u64 {
    u64::try_from(ip.to_bits() >> 64).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source::of(text.parse().unwrap())
    }

    #[test]
    fn sources_and_their_networks() {
        assert_eq!(source("::ffff:192.0.2.9"), source("192.0.2.9"));
        assert_eq!(source("2001:db8:1:2::3"), source("2001:db8:1:2:ffff::"));
        assert_ne!(source("2001:db8:1:2::3"), source("2001:db8:1:3::3"));
        assert_eq!(source("192.0.2.9").near(), source("192.0.2.0"));
        assert_eq!(source("2001:db8:1:2::").near(), source("2001:db8:1::"));
        assert_eq!(source("192.0.2.9").wide(), source("192.0.0.0"));
        assert_eq!(source("2001:db8:1:2::3").net().to_string(), "2001:db8:1:2::/64");
        let shown = ["192.0.2.9", "::1", "2001:db8:1:2::3"].map(|ip| source(ip).to_string());
        assert_eq!(shown, ["192.0.2.9", "::1", "2001:db8:1:2::/64"]);
        assert_ne!(source("::1"), source("0.0.0.0"));
        assert_eq!((source("::1").ip().to_string(), source("::1").near()), ("::1".to_owned(), source("::1")));
        assert!(source("255.255.255.255") < source("::1") && source("::1") < source("2001:db8::1"));
        assert_eq!(["10.1.2.3", "::1", "203.0.113.9"].map(|ip| source(ip).is_inside()), [true, true, false]);
    }
}
