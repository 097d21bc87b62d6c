//! A jail's settings tried on history: who would have been banned, and when.
//!
//! Attempts and logins go in, in the order of time; bans come out. It counts as fail2ban does (`server/failmanager.py`,
//! `server/ticket.py` of 1.0): tries within `findtime` of one another add up; once the first of them is longer ago, the count is
//! scaled down to what that rate makes in one `findtime`; an address silent for a whole `findtime` is forgotten. While an address
//! is banned its tries would not have come: they are counted apart.

use std::net::IpAddr;

use ipnet::IpNet;
use trace::{Attempt, Login, Map};

/// Addresses watched at once, at most. Beyond it, those silent for a `findtime` are forgotten first, then new ones are not taken in.
const ADDRESSES: usize = 200_000;
/// Names remembered per address, at most.
const NAMES: usize = 20;
/// Microseconds in a second.
const SECOND: i64 = 1_000_000;

/// The settings of a jail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jail {
    /// So many failures ban.
    pub maxretry: u32,
    /// Within so many seconds.
    pub findtime: u32,
    /// For so many seconds; `None`: for ever.
    pub bantime: Option<u32>,
    /// Never banned.
    pub ignore: Vec<IpNet>,
    /// A login forgives the failures of its address. fail2ban itself cannot do this.
    pub forgive: bool,
}

/// A ban that would have been.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ban {
    /// Who.
    pub client_ip: IpAddr,
    /// When, microseconds since 1970 UTC.
    pub at: i64,
    /// When it would have ended; `None`: never.
    pub until: Option<i64>,
    /// All failures of the address from its first in the log up to the ban.
    pub failures: u64,
    /// Failures that would not have come to pass.
    pub prevented: u64,
    /// Logins that would have been cut off.
    pub logins_lost: u64,
    /// Names it tried before the ban, the first ones.
    pub accounts: Vec<Box<[u8]>>,
}

/// An address that failed and was never banned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missed {
    /// Who.
    pub client_ip: IpAddr,
    /// Failures the jail would have seen.
    pub failures: u64,
    /// Names it tried, the first ones.
    pub accounts: Vec<Box<[u8]>>,
}

#[derive(Default)]
struct Watched {
    failures: u64,
    /// As fail2ban counts them just now.
    count: u32,
    first: i64,
    last: i64,
    accounts: Vec<Box<[u8]>>,
    /// Its latest ban.
    ban: Option<usize>,
}

/// The trial.
pub struct Rehearsal {
    jail: Jail,
    watched: Map<IpAddr, Watched>,
    bans: Vec<Ban>,
    beyond: u64,
}

impl Rehearsal {
    /// Nothing seen yet.
    #[must_use]
    pub fn new(jail: Jail) -> Self {
        Self { jail, watched: Map::default(), bans: Vec::new(), beyond: 0 }
    }

    /// A login that failed. Others than [`super::filter_matches`] are not counted.
    pub fn failed(&mut self, attempt: &Attempt) {
        let Some(ip) = attempt.at.client_ip.filter(|_| super::filter_matches(attempt)) else { return };
        self.failure(ip, attempt.at.time, attempt.count, attempt.username.as_deref());
    }

    fn failure(&mut self, ip: IpAddr, time: i64, times: u32, username: Option<&[u8]>) {
        if self.jail.ignore.iter().any(|net| net.contains(&ip)) {
            return;
        }
        if self.watched.len() >= ADDRESSES && !self.watched.contains_key(&ip) && !self.make_room(time) {
            self.beyond += 1;
            return;
        }
        let watched = self.watched.entry(ip).or_default();
        if let Some(ban) = holding(&mut self.bans, watched.ban, time) {
            ban.prevented += u64::from(times);
            return;
        }
        watched.failures += u64::from(times);
        if let Some(name) = username
            && watched.accounts.len() < NAMES
            && !watched.accounts.iter().any(|known| known.eq_ignore_ascii_case(name))
        {
            watched.accounts.push(name.into());
        }
        watched.count(time, times, i64::from(self.jail.findtime) * SECOND);
        if watched.count < self.jail.maxretry {
            return;
        }
        watched.count = 0;
        watched.ban = Some(self.bans.len());
        self.bans.push(Ban {
            client_ip: ip,
            at: time,
            until: self.jail.bantime.map(|seconds| time + i64::from(seconds) * SECOND),
            failures: watched.failures,
            prevented: 0,
            logins_lost: 0,
            accounts: watched.accounts.clone(),
        });
    }

    /// A login that succeeded.
    pub fn logged_in(&mut self, login: &Login) {
        let Some(watched) = login.at.client_ip.and_then(|ip| self.watched.get_mut(&ip)) else { return };
        match holding(&mut self.bans, watched.ban, login.at.time) {
            Some(ban) => ban.logins_lost += u64::from(login.count),
            None if self.jail.forgive => watched.count = 0,
            None => {}
        }
    }

    /// Forgets who would be forgotten by now and never was banned. `false`: nobody.
    fn make_room(&mut self, time: i64) -> bool {
        let since = time - i64::from(self.jail.findtime) * SECOND;
        let before = self.watched.len();
        self.watched.retain(|_, watched| watched.last > since || watched.ban.is_some());
        self.watched.len() < before
    }

    /// The bans in the order of time.
    #[must_use]
    pub fn bans(&self) -> &[Ban] {
        &self.bans
    }

    /// Addresses that failed and were never banned, most failures first.
    #[must_use]
    pub fn missed(&self) -> Vec<Missed> {
        let never = self.watched.iter().filter(|(_, watched)| watched.ban.is_none() && watched.failures > 0);
        let mut missed: Vec<Missed> = never
            .map(|(ip, watched)| Missed {
                client_ip: *ip,
                failures: watched.failures,
                accounts: watched.accounts.clone(),
            })
            .collect();
        missed.sort_unstable_by_key(|missed| (std::cmp::Reverse(missed.failures), missed.client_ip));
        missed
    }

    /// Failures of addresses beyond the bound, which nobody watched.
    #[must_use]
    pub fn beyond(&self) -> u64 {
        self.beyond
    }
}

impl Watched {
    /// Adds tries to the count that fail2ban has of an address.
    fn count(&mut self, time: i64, times: u32, findtime: i64) {
        if self.count == 0 || self.last <= time - findtime {
            (self.count, self.first) = (0, time);
        } else if self.first < time - findtime {
            let rate = f64::from(self.count) / (time - self.first) as f64;
            // Python rounds a half to the even number.
            self.count = (rate * findtime as f64).round_ties_even() as u32;
            self.first = time - findtime;
        }
        self.count = self.count.saturating_add(times);
        self.last = self.last.max(time);
    }
}

/// The ban, if it holds at that time.
fn holding(bans: &mut [Ban], ban: Option<usize>, time: i64) -> Option<&mut Ban> {
    bans.get_mut(ban?).filter(|ban| ban.until.is_none_or(|until| time < until))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ATTACKER: &str = "203.0.113.9";

    fn jail(maxretry: u32, findtime: u32, bantime: Option<u32>) -> Jail {
        Jail { maxretry, findtime, bantime, ignore: vec!["192.0.2.0/24".parse().unwrap()], forgive: false }
    }

    /// Seconds of failures of one address; seconds of the bans.
    fn bans(jail: &Jail, ip: &str, failures: &[i64]) -> Vec<(i64, u64, u64)> {
        let mut rehearsal = Rehearsal::new(jail.clone());
        for second in failures {
            rehearsal.failure(ip.parse().unwrap(), second * SECOND, 1, Some(b"bob"));
        }
        rehearsal.bans().iter().map(|ban| (ban.at / SECOND, ban.failures, ban.prevented)).collect()
    }

    #[test]
    fn within_findtime_they_add_up() {
        let five = jail(5, 600, Some(600));
        assert_eq!(bans(&five, ATTACKER, &[0, 10, 20, 30]), []);
        assert_eq!(bans(&five, ATTACKER, &[0, 10, 20, 30, 40]), [(40, 5, 0)]);
        // All within the ban, and anew after it.
        assert_eq!(bans(&five, ATTACKER, &[0, 1, 2, 3, 4, 5, 6, 603]), [(4, 5, 3)]);
        assert_eq!(bans(&five, ATTACKER, &[0, 1, 2, 3, 4, 604, 605, 606, 607, 608]), [(4, 5, 0), (608, 10, 0)]);
        assert_eq!(bans(&jail(5, 600, None), ATTACKER, &[0, 1, 2, 3, 4, 99_999, 100_000]), [(4, 5, 2)]);
        // Slower than the window: never.
        assert_eq!(bans(&jail(2, 600, Some(600)), ATTACKER, &[0, 601, 1202, 1803]), []);
        assert_eq!(bans(&jail(2, 600, Some(600)), ATTACKER, &[0, 600, 1200]), []);
        assert_eq!(bans(&jail(2, 600, Some(600)), ATTACKER, &[0, 599]), [(599, 2, 0)]);
        // Three in any ten minutes are no five, however long they go on.
        assert_eq!(bans(&five, ATTACKER, &(0..100).map(|n| n * 250).collect::<Vec<_>>()), []);
        assert_eq!(bans(&five, "192.0.2.7", &[0, 1, 2, 3, 4, 5]), [], "ignored");
    }

    #[test]
    fn logins_forgive_only_if_asked_and_are_lost_under_a_ban() {
        let login = |second: i64| Login {
            at: trace::Where {
                line: 0,
                time: second * SECOND,
                session: None,
                host: b"mail".as_slice().into(),
                tag: b"postfix/smtpd".as_slice().into(),
                client_ip: Some(ATTACKER.parse().unwrap()),
                client_host: None,
            },
            count: 1,
            further: false,
            mechanism: b"PLAIN".as_slice().into(),
            username: None,
        };
        for (forgive, expected) in [(false, vec![(3, 1)]), (true, vec![])] {
            let mut rehearsal = Rehearsal::new(Jail { forgive, ..jail(3, 600, Some(60)) });
            let ip = ATTACKER.parse().unwrap();
            rehearsal.failure(ip, 0, 1, None);
            rehearsal.failure(ip, SECOND, 1, None);
            rehearsal.logged_in(&login(2));
            rehearsal.failure(ip, 3 * SECOND, 1, None);
            rehearsal.logged_in(&login(4));
            rehearsal.logged_in(&login(63));
            let bans: Vec<(i64, u64)> = rehearsal.bans().iter().map(|ban| (ban.at / SECOND, ban.logins_lost)).collect();
            assert_eq!(bans, expected);
            assert_eq!(rehearsal.missed().len(), usize::from(forgive));
        }
    }
}
