//! Where an account is at home, and which of its logins may not have been its owner's.

use ipnet::IpNet;

use super::input::LoggedIn;
use super::rows::{AccountRow, HOMES, Home, Owner, SUSPECTS, Suspect, Volume};
use super::source::Source;
use super::takeover;

/// A network an account logs in from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The network.
    pub net: IpNet,
    /// Logins from there.
    pub logins: u32,
    /// The first and the last, microseconds.
    pub first: i64,
    /// See `first`.
    pub last: i64,
    /// The account had been known for days when it came up.
    pub new: bool,
}

impl Home {
    pub(super) fn place(&self, row: &AccountRow) -> Place {
        let bits = if self.net.ip().is_ipv4() { 24 } else { 48 };
        Place {
            net: IpNet::new_assert(self.net.ip(), bits),
            logins: self.ok,
            first: self.first,
            last: self.last,
            new: self.first - row.first_ok >= takeover::KNOWN_FOR,
        }
    }
}

impl Owner {
    pub(super) fn come_home(&mut self, source: Source, login: &LoggedIn<'_>) {
        let (net, time) = (source.near(), login.time);
        if let Some(home) = self.homes.iter_mut().find(|home| home.net == net) {
            home.ok = home.ok.saturating_add(login.count);
            home.last = home.last.max(time);
            return;
        }
        if self.homes.len() >= HOMES
            && let Some(oldest) = (0..self.homes.len()).min_by_key(|at| self.homes.get(*at).map_or(0, |home| home.last))
        {
            self.homes.swap_remove(oldest);
        }
        self.homes.push(Home { net, ok: login.count, first: time, last: time });
    }

    /// Keeps an eye on what it sends from a place that says nothing about it, as everybody is there, once it sends `least` messages in an
    /// hour and far more than ever.
    pub(super) fn flood_through(&mut self, source: Source, least: u32) {
        let Volume { start, count, before, .. } = self.sent;
        if before == 0 || count < least || count < takeover::FLOOD_TIMES.saturating_mul(before) {
            return;
        }
        let volume = self.sent;
        self.suspect(Suspect {
            client: source,
            time: start,
            tries: 0,
            names: 0,
            flood: true,
            fast: false,
            new_place: false,
            dormant: false,
            attackers: 0,
            most_per_hour_before: before,
            messages: count,
            volume,
            recipients: 0,
            recipients_per_hour: Volume::default(),
            bounced: 0,
            listed: Vec::new(),
            proof: None,
        });
    }

    /// Keeps an eye on a login; the least interesting one gives way.
    pub(super) fn suspect(&mut self, new: Suspect) {
        if self.suspects.len() >= SUSPECTS
            && let Some(least) = (0..self.suspects.len())
                .min_by_key(|at| self.suspects.get(*at).map_or((0, 0, 0), |s| (s.tries.min(10), s.messages, s.time)))
        {
            self.suspects.remove(least);
        }
        self.suspects.push(new);
    }
}

impl Suspect {
    /// Whether a message may be of this login: it is of its network, and not weeks later.
    pub(super) fn covers(&self, source: Source, time: i64) -> bool {
        const WEEK: i64 = 7 * 86_400_000_000;
        self.client.near() == source.near() && (self.time..self.time + WEEK).contains(&time)
    }
}
