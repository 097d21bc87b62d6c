//! Sign-ins that fail too often are not looked at for a while: by client, and by name.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Failures within [`SPAN`] after which a client has to wait.
const BY_CLIENT: u32 = 5;
/// The same for a name, from wherever: more, as strangers can cause them.
const BY_NAME: u32 = 20;
/// Failures are forgotten after this.
const SPAN: Duration = Duration::from_secs(300);
/// Clients and names remembered at most.
const KEPT: usize = 20_000;

#[derive(Debug, PartialEq, Eq, Hash)]
enum Who {
    /// An address; of IPv6 its network of /64, which one customer has to himself.
    Client(IpAddr),
    Name(String),
}

struct Failures {
    count: u32,
    since: Instant,
}

/// Who failed lately.
#[derive(Default)]
pub(crate) struct Throttle(Mutex<HashMap<Who, Failures>>);

impl Throttle {
    /// Seconds to wait, if this client or name must.
    pub(crate) fn wait(&self, client: IpAddr, name: &str, now: Instant) -> Option<u32> {
        let failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let left = |who: &Who, most: u32| {
            let known = failures.get(who).filter(|known| known.count >= most)?;
            SPAN.checked_sub(now.saturating_duration_since(known.since))
        };
        let left = left(&of(client), BY_CLIENT).max(left(&of_name(name), BY_NAME))?;
        Some(u32::try_from(left.as_secs()).unwrap_or(u32::MAX).saturating_add(1))
    }

    /// A sign-in failed.
    pub(crate) fn failed(&self, client: IpAddr, name: &str, now: Instant) {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.len() >= KEPT {
            failures.retain(|_, known| now.saturating_duration_since(known.since) < SPAN);
        }
        for who in [of(client), of_name(name)] {
            // Full of those who failed just now: who is known stays known, and nobody new is remembered.
            if failures.len() >= KEPT && !failures.contains_key(&who) {
                continue;
            }
            let known = failures.entry(who).or_insert(Failures { count: 0, since: now });
            if now.saturating_duration_since(known.since) >= SPAN {
                *known = Failures { count: 0, since: now };
            }
            known.count += 1;
        }
    }

    /// A sign-in succeeded: the client's failures are forgotten.
    pub(crate) fn succeeded(&self, client: IpAddr) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&of(client));
    }
}

fn of(client: IpAddr) -> Who {
    Who::Client(match client.to_canonical() {
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        ip => ip,
    })
}

fn of_name(name: &str) -> Who {
    Who::Name(name.chars().take(64).collect::<String>().to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_fails_too_often_waits() {
        let (throttle, start) = (Throttle::default(), Instant::now());
        let ip: IpAddr = "2001:db8::1".parse().unwrap();
        let neighbour: IpAddr = "2001:db8::ffff".parse().unwrap();
        let other: IpAddr = "2001:db8:0:1::1".parse().unwrap();
        for at in 0..BY_CLIENT {
            assert_eq!(throttle.wait(ip, &at.to_string(), start), None);
            throttle.failed(ip, &at.to_string(), start);
        }
        assert_eq!(throttle.wait(ip, "new", start), Some(301));
        assert_eq!(throttle.wait(neighbour, "new", start), Some(301));
        assert_eq!(throttle.wait(other, "new", start), None);
        assert_eq!(throttle.wait(ip, "new", start + SPAN + Duration::from_secs(1)), None);
        throttle.succeeded(ip);
        assert_eq!(throttle.wait(ip, "new", start), None);
    }

    #[test]
    fn a_name_is_guessed_from_many_places() {
        let (throttle, start) = (Throttle::default(), Instant::now());
        for at in 0..BY_NAME {
            let ip = IpAddr::from([192, 0, 2, u8::try_from(at).unwrap()]);
            assert_eq!(throttle.wait(ip, "alice", start), None);
            throttle.failed(ip, "Alice", start);
        }
        assert!(throttle.wait("198.51.100.1".parse().unwrap(), "alice", start).is_some());
        assert!(throttle.wait("198.51.100.1".parse().unwrap(), "bob", start).is_none());
    }

    #[test]
    fn memory_is_bounded() {
        let (throttle, start) = (Throttle::default(), Instant::now());
        for at in 0..u32::try_from(KEPT).unwrap() {
            throttle.failed(IpAddr::from(at.to_be_bytes()), "x", start);
        }
        assert!(throttle.0.lock().unwrap().len() <= KEPT + 1);
    }
}
