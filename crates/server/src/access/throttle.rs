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
    /// A sign-in is tried. Output: seconds to wait, if this client or name must; else it counts as failed until [`Throttle::succeeded`].
    pub(crate) fn tries(&self, client: IpAddr, name: &str, now: Instant) -> Option<u32> {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(left) = wait(&failures, client, name, now) {
            return Some(u32::try_from(left.as_secs()).unwrap_or(u32::MAX).saturating_add(1));
        }
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
        None
    }

    /// The sign-in succeeded: the client's failures are forgotten, and the name's are as many as before.
    pub(crate) fn succeeded(&self, client: IpAddr, name: &str) {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        failures.remove(&of(client));
        if let Some(known) = failures.get_mut(&of_name(name)) {
            known.count = known.count.saturating_sub(1);
        }
    }
}

/// How long this client or name must wait.
fn wait(failures: &HashMap<Who, Failures>, client: IpAddr, name: &str, now: Instant) -> Option<Duration> {
    let left = |who: &Who, most: u32| {
        let known = failures.get(who).filter(|known| known.count >= most)?;
        SPAN.checked_sub(now.saturating_duration_since(known.since))
    };
    left(&of(client), BY_CLIENT).max(left(&of_name(name), BY_NAME))
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
            assert_eq!(throttle.tries(ip, &at.to_string(), start), None);
        }
        assert_eq!(throttle.tries(ip, "new", start), Some(301));
        assert_eq!(throttle.tries(neighbour, "new", start), Some(301));
        assert_eq!(throttle.tries(other, "new", start), None);
        let later = start + SPAN + Duration::from_secs(1);
        assert_eq!(throttle.tries(ip, "new", later), None);
        throttle.succeeded(ip, "new");
        for _ in 0..BY_CLIENT {
            assert_eq!(throttle.tries(ip, "new", later), None);
        }
        assert_eq!(throttle.tries(ip, "new", later), Some(301));
    }

    #[test]
    fn a_name_is_guessed_from_many_places() {
        let (throttle, start) = (Throttle::default(), Instant::now());
        let home: IpAddr = "203.0.113.1".parse().unwrap();
        for at in 0..BY_NAME {
            // Its owner signs in meanwhile: that is no guess, and forgives none.
            assert_eq!(throttle.tries(home, "alice", start), None);
            throttle.succeeded(home, "alice");
            let ip = IpAddr::from([192, 0, 2, u8::try_from(at).unwrap()]);
            assert_eq!(throttle.tries(ip, "Alice", start), None);
        }
        assert!(throttle.tries("198.51.100.1".parse().unwrap(), "alice", start).is_some());
        assert!(throttle.tries("198.51.100.1".parse().unwrap(), "bob", start).is_none());
    }

    #[test]
    fn memory_is_bounded() {
        let (throttle, start) = (Throttle::default(), Instant::now());
        for at in 0..u32::try_from(KEPT).unwrap() {
            throttle.tries(IpAddr::from(at.to_be_bytes()), &at.to_string(), start);
        }
        assert!(throttle.0.lock().unwrap().len() <= KEPT);
    }
}
