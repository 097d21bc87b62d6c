//! What a client logs in with, and what a scenario has arranged as the answer.

use crate::base64;
use crate::truth::Outcome;

/// What a scenario has arranged for one AUTH command.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expected {
    /// The reply code; `None` if the connection is lost.
    pub(crate) reply: Option<u16>,
    /// What it is.
    pub(crate) class: Outcome,
    /// Why.
    pub(crate) cause: Option<&'static str>,
    /// Whether the log can tell the user name.
    pub(crate) username_in_log: bool,
}

impl Expected {
    /// The login works.
    pub(crate) fn ok() -> Expected {
        Expected { reply: Some(235), class: Outcome::AuthOk, cause: None, username_in_log: true }
    }

    /// The backend says no.
    pub(crate) fn failed(cause: &'static str) -> Expected {
        Expected { reply: Some(535), class: Outcome::AuthFailed, cause: Some(cause), username_in_log: true }
    }

    /// The backend is broken, and the client is told `reply`.
    pub(crate) fn backend_fault(reply: u16, cause: &'static str) -> Expected {
        Expected { reply: Some(reply), class: Outcome::BackendFault, cause: Some(cause), username_in_log: true }
    }

    /// Postfix refuses the command with `reply` and logs nothing about it.
    pub(crate) fn refused(reply: u16, cause: &'static str) -> Expected {
        Expected { reply: Some(reply), class: Outcome::AuthRefused, cause: Some(cause), username_in_log: false }
    }

    /// The client cancels with `*`.
    pub(crate) fn aborted() -> Expected {
        Expected { reply: Some(501), class: Outcome::AuthAborted, cause: Some("client.abort"), username_in_log: false }
    }

    /// Too many AUTH commands.
    pub(crate) fn rate_limited() -> Expected {
        Expected {
            reply: Some(450),
            class: Outcome::RateLimited,
            cause: Some("limit.auth_rate"),
            username_in_log: false,
        }
    }

    /// The answer is `reply`, and the program has no number for it.
    pub(crate) fn uncounted(reply: u16, cause: &'static str) -> Expected {
        Expected { reply: Some(reply), class: Outcome::Uncounted, cause: Some(cause), username_in_log: false }
    }

    /// The same, of which the log does not tell the user name.
    pub(crate) fn nameless(self) -> Expected {
        Expected { username_in_log: false, ..self }
    }
}

/// What a client logs in with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Login<'a> {
    /// As it is sent.
    pub(crate) mechanism: &'a str,
    /// The name, which need not be text.
    pub(crate) user: &'a [u8],
    password: &'a str,
}

impl<'a> Login<'a> {
    /// AUTH PLAIN with an initial response.
    pub(crate) fn plain(user: &'a (impl AsRef<[u8]> + ?Sized), password: &'a str) -> Login<'a> {
        Login { mechanism: "PLAIN", user: user.as_ref(), password }
    }

    /// AUTH LOGIN, name and password asked for one by one.
    pub(crate) fn in_steps(user: &'a (impl AsRef<[u8]> + ?Sized), password: &'a str) -> Login<'a> {
        Login { mechanism: "LOGIN", user: user.as_ref(), password }
    }

    /// AUTH CRAM-MD5, with a digest that is right for no password.
    pub(crate) fn cram_md5(user: &'a (impl AsRef<[u8]> + ?Sized)) -> Login<'a> {
        Login { mechanism: "CRAM-MD5", user: user.as_ref(), password: "0123456789abcdef0123456789abcdef" }
    }

    /// Another spelling of the mechanism (`plain`, `Login`).
    pub(crate) fn spelled(self, mechanism: &'a str) -> Login<'a> {
        Login { mechanism, ..self }
    }

    /// The lines to send, each after the first only when asked for.
    pub(crate) fn lines(&self) -> Vec<Vec<u8>> {
        let command = format!("AUTH {}", self.mechanism);
        if self.mechanism.eq_ignore_ascii_case("LOGIN") {
            let user = base64::encode(self.user);
            let password = base64::encode(self.password.as_bytes());
            return vec![command.into_bytes(), user.into_bytes(), password.into_bytes()];
        }
        if self.mechanism.eq_ignore_ascii_case("CRAM-MD5") {
            let response = [self.user, b" ", self.password.as_bytes()].concat();
            return vec![command.into_bytes(), base64::encode(&response).into_bytes()];
        }
        let response = [b"\0", self.user, b"\0", self.password.as_bytes()].concat();
        vec![format!("{command} {}", base64::encode(&response)).into_bytes()]
    }
}
