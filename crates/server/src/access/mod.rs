//! Who may see what: users with roles and domains, their passwords, tokens and sessions, and what they asked for.
//!
//! All of it stands in `access.sqlite` in the state directory, readable by its owner alone. Passwords are kept as argon2id hashes, tokens and sessions
//! as hashes of 256 random bits. Where there are no users nobody signs in, and the server answers this machine alone.

mod audit;
mod origin;
mod peer;
mod secret;
mod throttle;
mod users;
mod viewer;

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Semaphore;

pub(crate) use origin::is_foreign;
pub(crate) use peer::{Origin, Peer};
pub(crate) use secret::is_password;
use throttle::Throttle;
pub use users::{AccessError, Role, Token, User, Users};
pub(crate) use viewer::{Scope, Viewer, cookie, cookie_of, may};

/// Passwords checked at once: each takes 19 MiB for a moment.
const CHECKS: usize = 2;

/// Access of a running server.
pub(crate) struct Access {
    folder: Option<PathBuf>,
    users: Mutex<Option<Users>>,
    pub(crate) throttle: Throttle,
    pub(crate) checks: Semaphore,
}

impl Access {
    /// With the users kept in a folder, if there are some or come some; without a folder there are none.
    pub(crate) fn new(folder: Option<PathBuf>) -> Self {
        Self { folder, users: Mutex::default(), throttle: Throttle::default(), checks: Semaphore::new(CHECKS) }
    }

    /// Runs something on the users; `None` if there is no user yet.
    pub(crate) fn with<T>(&self, run: impl FnOnce(&Users) -> Result<T, AccessError>) -> Result<Option<T>, AccessError> {
        let mut users: MutexGuard<'_, Option<Users>> = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        if users.is_none() {
            let Some(folder) = self.folder.as_deref().filter(|folder| Users::are_in(folder)) else { return Ok(None) };
            *users = Some(Users::open(folder)?);
        }
        match users.as_ref() {
            Some(users) if users.any()? => run(users).map(Some),
            _ => Ok(None),
        }
    }

    /// Whether somebody must sign in.
    pub(crate) fn is_required(&self) -> Result<bool, AccessError> {
        Ok(self.with(|_| Ok(()))?.is_some())
    }
}
