//! Logins and sessions by what became of them.

use crate::class::Class;

/// Logins and sessions by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Refused by a backend.
    pub auth_failed: u64,
    /// Not decided because the backend is broken.
    pub backend_fault: u64,
    /// Refused before a backend was asked.
    pub auth_refused: u64,
    /// Given up by the client.
    pub auth_aborted: u64,
    /// Succeeded.
    pub auth_ok: u64,
    /// Sessions that died for want of a backend.
    pub sessions_killed: u64,
    /// TLS handshakes that failed.
    pub tls_failed: u64,
    /// Limits exceeded.
    pub rate_limited: u64,
}

impl Counts {
    pub(super) fn add(&mut self, class: Class, count: u64) {
        match class {
            Class::AuthFailed => self.auth_failed += count,
            Class::BackendFault => self.backend_fault += count,
            Class::AuthRefused => self.auth_refused += count,
            Class::AuthAborted => self.auth_aborted += count,
            Class::AuthOk => self.auth_ok += count,
            Class::TlsFailed => self.tls_failed += count,
            Class::RateLimited => self.rate_limited += count,
            _ => {}
        }
    }

    /// Logins that somebody or something refused. One that the client gave up itself is none.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.auth_failed + self.backend_fault + self.auth_refused
    }
}

/// Whether a class is a login that was refused: see [`Counts::failures`].
pub(super) fn is_failure(class: Option<Class>) -> bool {
    matches!(class, Some(Class::AuthFailed | Class::BackendFault | Class::AuthRefused))
}
