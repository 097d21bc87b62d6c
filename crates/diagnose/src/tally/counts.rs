//! Logins and sessions by what became of them.

use crate::class::Class;

/// Logins and sessions by what became of them, of one client or account: there are many of these. What is full stays full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Refused by a backend.
    pub auth_failed: u32,
    /// Not decided because the backend is broken.
    pub backend_fault: u32,
    /// Refused before a backend was asked.
    pub auth_refused: u32,
    /// Given up by the client.
    pub auth_aborted: u32,
    /// Succeeded.
    pub auth_ok: u32,
    /// Sessions that died for want of a backend.
    pub sessions_killed: u32,
    /// TLS handshakes that failed.
    pub tls_failed: u32,
    /// Limits exceeded.
    pub rate_limited: u32,
}

impl Counts {
    pub(super) fn add(&mut self, class: Class, count: u32) {
        let sum = match class {
            Class::AuthFailed => &mut self.auth_failed,
            Class::BackendFault => &mut self.backend_fault,
            Class::AuthRefused => &mut self.auth_refused,
            Class::AuthAborted => &mut self.auth_aborted,
            Class::AuthOk => &mut self.auth_ok,
            Class::TlsFailed => &mut self.tls_failed,
            Class::RateLimited => &mut self.rate_limited,
            _ => return,
        };
        *sum = sum.saturating_add(count);
    }

    /// Logins that somebody or something refused. One that the client gave up itself is none.
    #[must_use]
    pub fn failures(&self) -> u64 {
        [self.auth_failed, self.backend_fault, self.auth_refused].into_iter().map(u64::from).sum()
    }
}

/// Whether a class is a login that was refused: see [`Counts::failures`].
pub(super) fn is_failure(class: Option<Class>) -> bool {
    matches!(class, Some(Class::AuthFailed | Class::BackendFault | Class::AuthRefused))
}
