//! One client address: what it did, when, and with which names.

use trace::Where;

use super::counts::Counts;
use super::timeline::Timeline;

/// All that is known of one client address.
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
    /// The first failure of any kind.
    pub first_failure: Option<i64>,
    /// The last one.
    pub last_failure: Option<i64>,
    /// The last success.
    pub last_ok: Option<i64>,
    /// Failures before the first success.
    pub failures_before_ok: u64,
    /// Messages accepted from its logins.
    pub messages: u64,
    /// Accounts that logged in from here, first spelling.
    pub ok_accounts: Vec<Box<[u8]>>,
    /// Failures that name nobody.
    pub unnamed_failures: u64,
    /// Failures for a mechanism that is not offered.
    pub mechanism_refused: u64,
    /// Messages refused for want of a login.
    pub not_logged_in: u64,
    /// Relaying refused.
    pub relay_denied: u64,
    /// Its failures over time.
    pub timeline: Timeline,
    /// Its number among all clients.
    pub(super) number: u32,
    /// Different names it failed with.
    pub(super) usernames: u32,
    /// Accounts whose first login after a failure has been told.
    pub(super) recovered: Vec<(Option<u64>, usize)>,
}

impl ClientTally {
    /// Different names it failed with.
    #[must_use]
    pub fn usernames(&self) -> usize {
        self.usernames as usize
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
}
