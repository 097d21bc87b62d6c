//! Where a login comes from: an address, or all addresses of an IPv6 /64, and the networks around it.
//!
//! An address goes in, keys to count by come out.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// One source of logins: an IPv4 address, or an IPv6 /64, which one machine may use whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Source(IpAddr);

impl Source {
    /// The source an address belongs to; a mapped IPv4 address is the IPv4 address.
    #[must_use]
    pub fn of(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(v4) => Self(IpAddr::V4(v4)),
            IpAddr::V6(v6) => Self(IpAddr::V6(cut_v6(v6, 64))),
        }
    }

    /// Its address, or the first one of its /64.
    #[must_use]
    pub fn ip(self) -> IpAddr {
        self.0
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

    fn cut(self, v4_bits: u8, v6_bits: u8) -> Self {
        match self.0 {
            IpAddr::V4(v4) => Self(IpAddr::V4(cut_v4(v4, v4_bits))),
            IpAddr::V6(v6) => Self(IpAddr::V6(cut_v6(v6, v6_bits))),
        }
    }

    /// The source as a network: /32, or /64.
    #[must_use]
    pub fn net(self) -> IpNet {
        let bits = if self.0.is_ipv4() { 32 } else { 64 };
        IpNet::new_assert(self.0, bits)
    }

    /// Private, loopback and link-local addresses are ours, or a gateway in front of us: a ban would hit everybody behind it.
    #[must_use]
    pub fn is_inside(self) -> bool {
        match self.0 {
            IpAddr::V4(v4) => v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_unspecified(),
            IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
        }
    }
}

fn cut_v4(ip: Ipv4Addr, bits: u8) -> Ipv4Addr {
    let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
    Ipv4Addr::from_bits(ip.to_bits() & mask)
}

fn cut_v6(ip: Ipv6Addr, bits: u8) -> Ipv6Addr {
    let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
    Ipv6Addr::from_bits(ip.to_bits() & mask)
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
        for (ip, inside) in [("10.1.2.3", true), ("fd00::1", true), ("100.64.0.1", false), ("203.0.113.9", false)] {
            assert_eq!(source(ip).is_inside(), inside, "{ip}");
        }
    }
}
