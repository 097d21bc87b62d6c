//! Logins to mailboxes (IMAP, POP3, ManageSieve), by Dovecot's own login lines: no logins at Postfix, so they add to no count of these, but
//! whoever guesses there is not to be missed.

use std::net::IpAddr;

use maillog::{DovecotLogin, LoginOutcome};
use trace::Map;

use super::by_name::ByName;

/// Clients told apart at most; further ones are only counted.
const CLIENTS: usize = 20_000;
/// Services told apart at most: Dovecot has four.
const SERVICES: usize = 16;

/// What became of them: lines, as `count` counts them.
#[derive(Clone, Debug, Default)]
pub struct Mailboxes {
    /// Succeeded.
    pub ok: u64,
    /// Refused for what was sent as credentials.
    pub failed: u64,
    /// Refused before that: in clear text, or by a mechanism that is not offered.
    pub refused: u64,
    /// Not decided because the backend is broken.
    pub faults: u64,
    /// Services that refused credentials: `imap`, `pop3`.
    pub services: ByName<Box<[u8]>>,
    clients: Map<IpAddr, u64>,
}

impl Mailboxes {
    /// Counts a login line.
    pub fn add(&mut self, login: &DovecotLogin<'_>, count: u64) {
        match login.outcome {
            LoginOutcome::Ok => self.ok += count,
            LoginOutcome::Failed => self.failed(login, count),
            LoginOutcome::Refused => self.refused += count,
            LoginOutcome::BackendFault => self.faults += count,
            LoginOutcome::NoLogin => {}
        }
    }

    fn failed(&mut self, login: &DovecotLogin<'_>, count: u64) {
        self.failed += count;
        if self.services.len() < SERVICES || self.services.has(login.service) {
            self.services.add(login.service, count, || login.service.into());
        }
        if let Some(ip) = login.ip
            && (self.clients.len() < CLIENTS || self.clients.contains_key(&ip))
        {
            *self.clients.entry(ip).or_default() += count;
        }
    }

    /// How many clients failed.
    #[must_use]
    pub fn failing_clients(&self) -> usize {
        self.clients.len()
    }

    /// Clients that failed and how often, those that failed most first.
    #[must_use]
    pub fn clients(&self) -> Vec<(IpAddr, u64)> {
        let mut rows: Vec<(IpAddr, u64)> = self.clients.iter().map(|(ip, count)| (*ip, *count)).collect();
        rows.sort_unstable_by_key(|(ip, count)| (std::cmp::Reverse(*count), *ip));
        rows
    }
}
