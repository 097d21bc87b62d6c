//! Where a request comes from: the other end of the connection, or what a proxy that is believed says of it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::http::HeaderMap;
use ipnet::IpNet;

/// The other end of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    /// The connection itself is encrypted.
    pub(crate) tls: bool,
}

/// Where a request comes from.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    /// The client.
    pub(crate) client: IpAddr,
    /// It came over TLS all the way, as far as is known.
    pub(crate) secure: bool,
    /// A proxy that is believed brought it.
    pub(crate) by_proxy: bool,
    /// A proxy brought it of which nothing is known.
    pub(crate) by_stranger: bool,
}

/// Headers that proxies add.
const FORWARDED: [&str; 4] = ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip"];

impl Origin {
    /// `proxies` are believed.
    pub(crate) fn of(peer: Option<Peer>, headers: &HeaderMap, proxies: &[IpNet]) -> Self {
        let peer = peer.unwrap_or(Peer { address: (Ipv4Addr::UNSPECIFIED, 0).into(), tls: false });
        let address = peer.address.ip().to_canonical();
        let is_proxy = |ip: IpAddr| proxies.iter().any(|net| net.contains(&ip));
        if !is_proxy(address) {
            let by_stranger = FORWARDED.iter().any(|name| headers.contains_key(*name));
            return Self { client: address, secure: peer.tls, by_proxy: false, by_stranger };
        }
        // What the client wrote itself stands to the left of what our proxies added.
        let list = headers.get_all("x-forwarded-for").into_iter().filter_map(|value| value.to_str().ok());
        let list = list.flat_map(|value| value.split(',')).map(|text| text.trim().parse::<IpAddr>());
        let list: Vec<_> = list.collect();
        let known = list.into_iter().rev().map_while(Result::ok).map(|ip| ip.to_canonical());
        let client = known.clone().find(|ip| !is_proxy(*ip)).or_else(|| known.last()).unwrap_or(address);
        let scheme = headers.get_all("x-forwarded-proto").into_iter().next_back();
        let secure = scheme.is_some_and(|scheme| scheme.as_bytes().eq_ignore_ascii_case(b"https"));
        Self { client, secure, by_proxy: true, by_stranger: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_proxies_that_are_believed_are() {
        let origin = |address: &str, pairs: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.append(*name, value.parse().unwrap());
            }
            let peer = Peer { address: format!("{address}:1").parse().unwrap(), tls: false };
            let origin =
                Origin::of(Some(peer), &headers, &["127.0.0.1/32".parse().unwrap(), "10.0.0.0/8".parse().unwrap()]);
            (origin.client.to_string(), origin.secure, origin.by_proxy, origin.by_stranger)
        };
        let own = |client: &str, secure, by_proxy, by_stranger| (client.to_owned(), secure, by_proxy, by_stranger);
        assert_eq!(origin("192.0.2.1", &[]), own("192.0.2.1", false, false, false));
        let forged = [("x-forwarded-for", "198.51.100.1"), ("x-forwarded-proto", "https")];
        assert_eq!(origin("192.0.2.1", &forged), own("192.0.2.1", false, false, true));
        assert_eq!(origin("127.0.0.1", &forged), own("198.51.100.1", true, true, false));
        let chain = [("x-forwarded-for", "203.0.113.66, 198.51.100.1, 10.1.2.3"), ("x-forwarded-proto", "http")];
        assert_eq!(origin("127.0.0.1", &chain), own("198.51.100.1", false, true, false));
        let two = [("x-forwarded-for", "203.0.113.66"), ("x-forwarded-for", "198.51.100.2")];
        assert_eq!(origin("127.0.0.1", &two), own("198.51.100.2", false, true, false));
        assert_eq!(
            origin("127.0.0.1", &[("x-forwarded-for", "198.51.100.2, junk")]),
            own("127.0.0.1", false, true, false)
        );
        assert_eq!(origin("127.0.0.1", &[]), own("127.0.0.1", false, true, false));
    }
}
