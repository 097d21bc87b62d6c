//! What has happened lately, per client network and for the backend as a whole: the context of a failure.
//!
//! Dovecot delays answers to a network that keeps failing until Postfix gives up (grammar 2.6); to tell that from an
//! overloaded or dead backend one must know who else was hit.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv6Addr};

use crate::Map;

/// How long a failure counts against its network. Dovecot forgets a penalty after some quiet minutes.
const MEMORY: i64 = 300 * 1_000_000;
/// How long a lost backend connection counts as happening at the same time.
const AT_ONCE: i64 = 60 * 1_000_000;
/// Networks remembered at most; the longest quiet ones are forgotten.
const NETWORKS: usize = 20_000;
/// Lost connections remembered at most.
const LOST: usize = 1_000;

/// A client network as Dovecot's penalty sees it: an IPv4 address or an IPv6 /48.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Network(IpAddr);

impl Network {
    pub(crate) fn of(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(_) => Self(ip),
            IpAddr::V6(v6) => {
                let [a, b, c, ..] = v6.segments();
                Self(IpAddr::V6(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0)))
            }
        }
    }
}

/// Failures and losses of the last minutes.
#[derive(Default)]
pub(crate) struct Recent {
    failures: Map<Network, Failures>,
    lost: VecDeque<(i64, Network)>,
}

#[derive(Clone, Copy)]
struct Failures {
    count: u32,
    last: i64,
}

impl Recent {
    /// Notes a failure and says how many came before it from the same network.
    pub(crate) fn failure(&mut self, time: i64, ip: IpAddr, count: u32) -> u32 {
        if self.failures.len() >= NETWORKS {
            self.forget(time);
        }
        let known = self.failures.entry(Network::of(ip)).or_insert(Failures { count: 0, last: time });
        if time - known.last > MEMORY {
            known.count = 0;
        }
        let before = known.count;
        *known = Failures { count: before.saturating_add(count), last: time };
        before
    }

    /// Notes a lost backend connection and says how many other networks lost theirs at the same time.
    pub(crate) fn lost(&mut self, time: i64, ip: IpAddr) -> u32 {
        let network = Network::of(ip);
        while self.lost.len() >= LOST || self.lost.front().is_some_and(|(at, _)| time - at > AT_ONCE) {
            self.lost.pop_front();
        }
        let mut others: Vec<Network> =
            self.lost.iter().map(|(_, other)| *other).filter(|other| *other != network).collect();
        others.sort_unstable_by_key(|n| n.0);
        others.dedup();
        self.lost.push_back((time, network));
        u32::try_from(others.len()).unwrap_or(u32::MAX)
    }

    fn forget(&mut self, now: i64) {
        self.failures.retain(|_, f| now - f.last <= MEMORY);
        if self.failures.len() >= NETWORKS {
            // All of them are recent: an attack from everywhere. None of them is a penalty case worth the memory.
            self.failures.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn failures_count_per_network_and_fade() {
        let mut recent = Recent::default();
        assert_eq!(recent.failure(0, ip("192.0.2.1"), 1), 0);
        assert_eq!(recent.failure(1_000_000, ip("192.0.2.1"), 2), 1);
        assert_eq!(recent.failure(2_000_000, ip("192.0.2.2"), 1), 0);
        assert_eq!(recent.failure(MEMORY + 2_000_000, ip("192.0.2.1"), 1), 0);
        assert_eq!(recent.failure(0, ip("2001:db8:1:2::1"), 1), 0);
        assert_eq!(recent.failure(0, ip("2001:db8:1:ffff::1"), 1), 1);
    }

    #[test]
    fn losses_of_others_at_the_same_time() {
        let mut recent = Recent::default();
        assert_eq!(recent.lost(0, ip("192.0.2.1")), 0);
        assert_eq!(recent.lost(1, ip("192.0.2.1")), 0);
        assert_eq!(recent.lost(2, ip("192.0.2.2")), 1);
        assert_eq!(recent.lost(AT_ONCE + 3, ip("192.0.2.3")), 0);
    }

    #[test]
    fn a_flood_of_networks_stays_within_bounds() {
        let mut recent = Recent::default();
        for n in 0..50_000u32 {
            recent.failure(0, IpAddr::from(n.to_be_bytes()), 1);
        }
        assert!(recent.failures.len() <= NETWORKS);
    }
}
