//! What the jails did, as their log tells: who was found, banned and let go.
//!
//! Reports go in, in the order of the log; per jail its bans, what it found, and when it ran come out. Bounded: bans beyond
//! [`BANS`] are counted only.

use std::collections::BTreeMap;
use std::net::IpAddr;

use trace::Map;

use super::line::Action;

/// Bans kept per jail at most, and addresses with a count of findings.
const BANS: usize = 100_000;
/// Hours told apart at most.
const HOURS: usize = 20_000;
/// Jails told apart at most.
const JAILS: usize = 256;
/// Microseconds in an hour.
pub(super) const HOUR: i64 = 3_600 * 1_000_000;

/// A ban that was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Banned {
    /// Who.
    pub client_ip: IpAddr,
    /// Since when, microseconds since 1970 UTC.
    pub at: i64,
    /// When it was lifted; `None`: not yet, as far as the log goes.
    pub lifted: Option<i64>,
}

/// One jail's doings.
#[derive(Clone, Debug, Default)]
pub struct JailHistory {
    /// Bans in the order of time.
    pub bans: Vec<Banned>,
    /// Lines that matched its filter.
    pub found: u64,
    /// Bans in all.
    pub bans_total: u64,
    /// The same by address.
    pub found_by: Map<IpAddr, u64>,
    /// Hours (since 1970) in which something was found.
    pub found_hours: BTreeMap<i64, u64>,
    /// First and last line of it, microseconds since 1970 UTC.
    pub from: i64,
    /// See `from`.
    pub to: i64,
    /// It says that it was stopped, and not that it was started again.
    pub stopped: bool,
    /// Where the ban that holds stands in `bans`.
    open: Map<IpAddr, usize>,
}

impl JailHistory {
    /// Bans that hold, as far as the log goes.
    pub fn holding(&self) -> impl Iterator<Item = &Banned> {
        self.bans.iter().filter(|ban| ban.lifted.is_none())
    }
}

/// All jails.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// By name.
    pub jails: BTreeMap<String, JailHistory>,
    /// First and last line of any jail, microseconds since 1970 UTC.
    pub span: Option<(i64, i64)>,
}

impl History {
    /// Takes the next report, with its time in microseconds since 1970 UTC.
    pub fn add(&mut self, jail: &str, time: i64, action: &Action) {
        let (from, to) = self.span.unwrap_or((time, time));
        self.span = Some((from.min(time), to.max(time)));
        if !self.jails.contains_key(jail) && self.jails.len() >= JAILS {
            return;
        }
        let row = self.jails.entry(jail.to_owned()).or_insert_with(|| JailHistory {
            from: time,
            to: time,
            ..JailHistory::default()
        });
        (row.from, row.to) = (row.from.min(time), row.to.max(time));
        match action {
            Action::Found(ip) => row.find(*ip, time),
            Action::Ban(ip) | Action::Restored(ip) => row.ban(*ip, time),
            Action::Unban(ip) => row.lift(*ip, time),
            Action::AlreadyBanned(_) | Action::Ignored(_) => {}
            Action::Started => row.stopped = false,
            Action::Stopped => {
                row.stopped = true;
                row.open.clear();
                row.bans.iter_mut().for_each(|ban| ban.lifted = ban.lifted.or(Some(time)));
            }
        }
    }

    /// The bans of the addresses that are meant: jail and ban, in the order of time.
    pub fn meant(&self, is_meant: &dyn Fn(IpAddr) -> bool) -> Vec<(&str, &Banned)> {
        let mut found: Vec<(&str, &Banned)> = Vec::new();
        for (name, jail) in &self.jails {
            found.extend(jail.bans.iter().filter(|ban| is_meant(ban.client_ip)).map(|ban| (name.as_str(), ban)));
        }
        found.sort_by_key(|(_, ban)| ban.at);
        found
    }
}

impl JailHistory {
    fn find(&mut self, ip: IpAddr, time: i64) {
        self.found += 1;
        if self.found_by.len() < BANS || self.found_by.contains_key(&ip) {
            *self.found_by.entry(ip).or_default() += 1;
        }
        let hour = time.div_euclid(HOUR);
        if self.found_hours.len() < HOURS || self.found_hours.contains_key(&hour) {
            *self.found_hours.entry(hour).or_default() += 1;
        }
    }

    fn ban(&mut self, ip: IpAddr, time: i64) {
        // After a restart it says again what it had said before.
        if self.open.contains_key(&ip) {
            return;
        }
        self.bans_total += 1;
        if self.bans.len() < BANS {
            self.open.insert(ip, self.bans.len());
            self.bans.push(Banned { client_ip: ip, at: time, lifted: None });
        }
    }

    fn lift(&mut self, ip: IpAddr, time: i64) {
        if let Some(ban) = self.open.remove(&ip).and_then(|at| self.bans.get_mut(at)) {
            ban.lifted = Some(time);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bans_begin_and_end() {
        let ip: IpAddr = "203.0.113.9".parse().unwrap();
        let other: IpAddr = "203.0.113.10".parse().unwrap();
        let mut history = History::default();
        for (time, action) in [
            (1, Action::Started),
            (2, Action::Found(ip)),
            (3, Action::Ban(ip)),
            (4, Action::AlreadyBanned(ip)),
            (5, Action::Ban(ip)),
            (9, Action::Unban(ip)),
            (10, Action::Unban(other)),
            (11, Action::Ban(other)),
            (12, Action::Restored(ip)),
        ] {
            history.add("a", time, &action);
        }
        let jail = &history.jails["a"];
        assert_eq!((jail.found, jail.bans.len(), jail.holding().count(), jail.bans_total), (1, 3, 2, 3));
        assert_eq!(jail.bans[0], Banned { client_ip: ip, at: 3, lifted: Some(9) });
        assert_eq!(history.meant(&|found| found == ip).len(), 2);
        assert_eq!(history.span, Some((1, 12)));
        history.add("a", 20, &Action::Stopped);
        assert_eq!((history.jails["a"].holding().count(), history.jails["a"].stopped), (0, true));
    }
}
