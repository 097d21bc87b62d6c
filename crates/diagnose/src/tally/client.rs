//! One client address: what it did, when, and with which names.

use trace::Where;

use super::counts::Counts;
use super::timeline::Timeline;

/// All that is known of one client address. Counts that are full stay full; times are 0 where there is none.
#[derive(Clone, Debug, Default)]
pub struct ClientTally {
    /// The verified name last seen.
    pub host: Option<Box<[u8]>>,
    /// Logins and sessions.
    pub counts: Counts,
    /// Times of the first and last of these, microseconds.
    pub first: i64,
    /// See `first`.
    pub last: i64,
    pub(super) first_failure: i64,
    pub(super) last_failure: i64,
    pub(super) last_ok: i64,
    /// Messages accepted from its logins.
    pub messages: u32,
    /// Failures that name nobody.
    pub unnamed_failures: u32,
    /// Failures for a mechanism that is not offered.
    pub mechanism_refused: u32,
    /// Messages refused for want of a login.
    pub not_logged_in: u32,
    /// Relaying refused.
    pub relay_denied: u32,
    /// Its number among all clients.
    pub(super) number: u32,
    /// Different names it failed with.
    pub(super) usernames: u32,
    /// Its failures over time.
    pub timeline: Timeline,
    pub(super) logins: Option<Box<Logins>>,
}

/// What succeeded: nothing does from many clients.
#[derive(Clone, Debug, Default)]
pub(super) struct Logins {
    /// Accounts that logged in from here, first spelling.
    pub(super) accounts: Vec<Box<[u8]>>,
    /// Accounts whose first login after a failure has been told, and where.
    pub(super) recovered: Vec<(Option<u64>, usize)>,
}

impl ClientTally {
    /// The first failure of any kind, microseconds.
    #[must_use]
    pub fn first_failure(&self) -> Option<i64> {
        Some(self.first_failure).filter(|time| *time != 0)
    }

    /// The last one.
    #[must_use]
    pub fn last_failure(&self) -> Option<i64> {
        Some(self.last_failure).filter(|time| *time != 0)
    }

    /// The last success.
    #[must_use]
    pub fn last_ok(&self) -> Option<i64> {
        Some(self.last_ok).filter(|time| *time != 0)
    }

    /// Accounts that logged in from here, first spelling.
    #[must_use]
    pub fn ok_accounts(&self) -> &[Box<[u8]>] {
        self.logins.as_ref().map_or(&[], |logins| &logins.accounts)
    }

    /// Different names it failed with.
    #[must_use]
    pub fn usernames(&self) -> u32 {
        self.usernames
    }

    /// Where a login after a failure was told that is the account's first.
    pub(super) fn recovered(&self, account: Option<u64>) -> Option<usize> {
        let told = &self.logins.as_ref()?.recovered;
        told.iter().find(|(known, _)| *known == account).map(|(_, place)| *place)
    }

    pub(super) fn logins_mut(&mut self) -> &mut Logins {
        self.logins.get_or_insert_default()
    }

    pub(super) fn seen(&mut self, at: &Where) {
        if self.first == 0 || at.time < self.first {
            self.first = at.time;
        }
        self.last = self.last.max(at.time);
        if self.host.is_none() {
            self.host.clone_from(&at.client_host);
        }
    }

    pub(super) fn failed(&mut self, time: i64, count: u32) {
        if self.first_failure == 0 {
            self.first_failure = time;
        }
        self.last_failure = time;
        self.timeline.add(time, count);
    }
}
