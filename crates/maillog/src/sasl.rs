//! SASL lines of `smtpd`: the login the backend refused, the one the client gave up, and what the SASL client
//! library inside Postfix says about its backend.
//!
//! Input: message text behind `warning: `. Output: borrowed parts, or `None` for some other line.
//! Source of the wording: Postfix `src/smtpd/smtpd_sasl_glue.c`, `src/xsasl/xsasl_dovecot_server.c`,
//! `src/xsasl/xsasl_cyrus_server.c`, `src/xsasl/xsasl_cyrus_log.c`.

use crate::client::{Client, client};
use crate::redact::{REDACTED, is_response};
use crate::scan::{contains, rsplit_once, split_around, split_once};

/// The login name in a failure line. Typed by the client: hostile until escaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginName<'a> {
    /// Postfix before 3.9 (and before 3.5.22, 3.6.12, 3.7.8, 3.8.3) logs none.
    NotLogged,
    /// `(unavailable)`: the backend never learnt it.
    Unavailable,
    /// The name that was tried, cut at 100 bytes by Postfix.
    Named(&'a [u8]),
}

impl<'a> LoginName<'a> {
    /// The name, if one is there.
    #[must_use]
    pub fn name(self) -> Option<&'a [u8]> {
        match self {
            Self::Named(name) => Some(name),
            Self::NotLogged | Self::Unavailable => None,
        }
    }
}

/// A login the SASL backend refused, or could not decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SaslFailure<'a> {
    /// Who tried.
    pub client: Client<'a>,
    /// As the client spelled it (`LOGIN`, `login`, junk), cut at 100 bytes by Postfix; [`REDACTED`] if it holds a password.
    pub mechanism: &'a [u8],
    /// The backend's words, may be empty; opaque here. [`REDACTED`] if they hold a password.
    pub reason: &'a [u8],
    /// The login name as far as the line tells.
    pub username: LoginName<'a>,
}

const FAILED: &[u8] = b" authentication failed:";
const USERNAME: &[u8] = b", sasl_username=";

/// Reasons that Postfix gives for a mechanism it does not know: the only lines whose mechanism may be any text.
const MECHANISM_REASONS: [&[u8]; 4] = [
    b"Invalid authentication mechanism",
    b"no mechanism available",
    b"Authentication mechanism not available",
    b"bad protocol / cancel",
];

/// Parses `<client>: SASL <mechanism> authentication failed: <reason>[, sasl_username=<name>]`.
///
/// Source: `smtpd_sasl_authenticate`, Postfix `src/smtpd/smtpd_sasl_glue.c`.
pub(crate) fn failure(text: &[u8]) -> Option<SaslFailure<'_>> {
    spelled(text).map(without_secrets)
}

/// Nobody who asks what a line says gets to see a password: it may be sent where nobody expects it.
fn without_secrets(failure: SaslFailure<'_>) -> SaslFailure<'_> {
    let SaslFailure { client, mechanism, reason, username } = failure;
    let username = match username {
        // What only looks like a name.
        LoginName::Named(name) if is_response(name) || name == REDACTED => LoginName::Unavailable,
        other => other,
    };
    if is_response(mechanism) {
        let reason = if quoted_mechanism(reason).is_some() { UNKNOWN_REDACTED } else { reason };
        return SaslFailure { client, mechanism: REDACTED, reason, username };
    }
    let reason = if is_response(reason) { REDACTED } else { reason };
    SaslFailure { client, mechanism, reason, username }
}

/// `Invalid authentication mechanism: 'SECRET'`.
const UNKNOWN_REDACTED: &[u8] = b"Invalid authentication mechanism: '[redacted]'";

/// The mechanism that a reason quotes (Postfix 3.10), and what follows it.
pub(crate) fn quoted_mechanism(reason: &[u8]) -> Option<&[u8]> {
    reason.strip_prefix(b"Invalid authentication mechanism: '")
}

/// The same as the line spells it, secrets and all.
pub(crate) fn spelled(text: &[u8]) -> Option<SaslFailure<'_>> {
    let (client, text) = client(text)?;
    // `non-SMTP command from <client>: SASL …` begins with words, and what follows is the client's.
    let text = text.strip_prefix(b": SASL ").filter(|_| !client.name.contains(&b' '))?;
    let (mechanism, text) = split_mechanism(text)?;
    // Syslog relays cut the blank before an empty reason.
    let text = text.strip_prefix(b" ").unwrap_or(text);
    let (reason, username) = split_username(text, mechanism);
    Some(SaslFailure { client, mechanism, reason, username })
}

/// Finds the end of the mechanism. A client may put blanks and our own wording into it, but only inside quotes or
/// angle brackets, and only an unknown mechanism gets that far: then a reason that says so must follow.
fn split_mechanism(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (first, rest) = split_once(text, FAILED)?;
    if !first.iter().any(|b| matches!(b, b'<' | b'"' | b'(' | b'[')) {
        return Some((first, rest));
    }
    let mut last = None;
    for at in memchr::memmem::find_iter(text, FAILED) {
        let Some((mechanism, rest)) = split_around(text, at, FAILED.len()) else { continue };
        let reason = rest.strip_prefix(b" ").unwrap_or(rest);
        if MECHANISM_REASONS.iter().any(|known| reason.starts_with(known)) {
            last = Some((mechanism, rest));
            if balanced(mechanism) {
                break;
            }
        }
    }
    last.or(Some((first, rest)))
}

fn balanced(mechanism: &[u8]) -> bool {
    let count = |wanted: u8| mechanism.iter().filter(|b| **b == wanted).count();
    count(b'<') == count(b'>') && count(b'"').is_multiple_of(2)
}

/// The name may itself hold the separator, so the first one is the real one; but a reason that quotes the mechanism
/// (Postfix 3.10) may hold it as well, and then the first one behind that quotation is.
fn split_username<'a>(text: &'a [u8], mechanism: &[u8]) -> (&'a [u8], LoginName<'a>) {
    let quoted = quoted_mechanism(text).and_then(|rest| rest.strip_prefix(mechanism));
    let split = match quoted {
        Some(rest) => split_once(rest, USERNAME)
            .and_then(|(end, name)| Some((text.get(..text.len() - rest.len() + end.len())?, name))),
        None => split_once(text, USERNAME),
    };
    match split {
        None => (text, LoginName::NotLogged),
        Some((reason, b"(unavailable)")) => (reason, LoginName::Unavailable),
        Some((reason, name)) => (reason, LoginName::Named(name)),
    }
}

/// Parses `<client>: SASL <mechanism> authentication aborted`: the client answered a challenge with `*`.
pub(crate) fn aborted(text: &[u8]) -> Option<(Client<'_>, &[u8])> {
    let (client, text) = client(text)?;
    let mechanism = text.strip_prefix(b": SASL ")?.strip_suffix(b" authentication aborted")?;
    Some((client, mechanism))
}

/// What the SASL client inside `smtpd` says about its backend. No client is named: only the process id ties it to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackendTrouble<'a> {
    /// `SASL: Connect to [Dovecot auth socket '] PATH ['] failed: ERROR`.
    Connect {
        /// The socket or `inet:` address, as configured.
        path: &'a [u8],
        /// The system's error text.
        error: &'a [u8],
    },
    /// Any other trouble with Dovecot's auth protocol: handshake, version, wrong socket.
    Protocol(&'a [u8]),
    /// `SASL authentication failure: …` / `SASL authentication problem: …` of the Cyrus library.
    Cyrus(&'a [u8]),
    /// `xsasl_cyrus_server_…`, `SASL library …`: the library could not be used at all.
    Library(&'a [u8]),
}

impl<'a> BackendTrouble<'a> {
    /// The words that tell the cause.
    #[must_use]
    pub fn words(&self) -> &'a [u8] {
        match *self {
            Self::Connect { error, .. } => error,
            Self::Protocol(text) | Self::Cyrus(text) | Self::Library(text) => text,
        }
    }
}

/// Parses client-less backend warnings (grammar 2.4 and 2.7).
pub(crate) fn backend_trouble(text: &[u8]) -> Option<BackendTrouble<'_>> {
    if let Some(detail) = text
        .strip_prefix(b"SASL authentication failure: ")
        .or_else(|| text.strip_prefix(b"SASL authentication problem: "))
    {
        return Some(BackendTrouble::Cyrus(detail));
    }
    if let Some(rest) = text.strip_prefix(b"SASL: ") {
        return Some(connect_failed(rest).unwrap_or(BackendTrouble::Protocol(rest)));
    }
    let library = text.starts_with(b"xsasl_cyrus_server")
        || text.starts_with(b"incorrect SASL library")
        || text.starts_with(b"unsupported SASL server implementation")
        || text.starts_with(b"SASL per-")
        || contains(text, b"missing Dovecot server ");
    library.then_some(BackendTrouble::Library(text))
}

fn connect_failed(text: &[u8]) -> Option<BackendTrouble<'_>> {
    let rest = text.strip_prefix(b"Connect to ")?;
    let (path, error) = rsplit_once(rest, b" failed: ")?;
    let path = path.strip_prefix(b"Dovecot auth socket ").unwrap_or(path);
    let path = path.strip_prefix(b"'").and_then(|p| p.strip_suffix(b"'")).unwrap_or(path);
    Some(BackendTrouble::Connect { path, error })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, mechanism: &str, reason: &str, username: LoginName<'_>) {
        let found = failure(line.as_bytes()).unwrap_or_else(|| panic!("no failure: {line}"));
        assert_eq!(String::from_utf8_lossy(found.mechanism), mechanism, "{line}");
        assert_eq!(String::from_utf8_lossy(found.reason), reason, "{line}");
        assert_eq!(found.username, username, "{line}");
    }

    #[test]
    fn the_four_windows_of_part_2_2() {
        use LoginName::{Named, NotLogged, Unavailable};
        check("h[192.0.2.9]: SASL LOGIN authentication failed: UGFzc3dvcmQ6", "LOGIN", "UGFzc3dvcmQ6", NotLogged);
        check("unknown[2001:db8::1]:55729: SASL plain authentication failed:", "plain", "", NotLogged);
        check("h[::1]: SASL PLAIN authentication failed: ", "PLAIN", "", NotLogged);
        check(
            "h[::1]: SASL PLAIN authentication failed: (reason unavailable), sasl_username=alice@example.test",
            "PLAIN",
            "(reason unavailable)",
            Named(b"alice@example.test"),
        );
        check("h[::1]: SASL PLAIN authentication failed: , sasl_username=a", "PLAIN", "", Named(b"a"));
        check(
            "h[::1]: SASL NTLM authentication failed: Invalid authentication mechanism, sasl_username=(unavailable)",
            "NTLM",
            "Invalid authentication mechanism",
            Unavailable,
        );
        check(
            "h[::1]: SASL NTLM authentication failed: Invalid authentication mechanism: 'NTLM', sasl_username=(unavailable)",
            "NTLM",
            "Invalid authentication mechanism: 'NTLM'",
            Unavailable,
        );
    }

    #[test]
    fn text_chosen_by_the_client_stays_in_its_field() {
        use LoginName::{Named, Unavailable};
        check(
            "h[::1]: SASL PLAIN authentication failed: x, sasl_username=a, sasl_username=b",
            "PLAIN",
            "x",
            Named(b"a, sasl_username=b"),
        );
        check(
            "h[::1]: SASL <x authentication failed: y> authentication failed: Invalid authentication mechanism, sasl_username=(unavailable)",
            "<x authentication failed: y>",
            "Invalid authentication mechanism",
            Unavailable,
        );
        check(
            "h[::1]: SASL PLAIN authentication failed: x, sasl_username=u authentication failed: Invalid authentication mechanism",
            "PLAIN",
            "x",
            Named(b"u authentication failed: Invalid authentication mechanism"),
        );
        check(
            "h[::1]: SASL <a, sasl_username=v> authentication failed: Invalid authentication mechanism: '<a, sasl_username=v>', sasl_username=(unavailable)",
            "<a, sasl_username=v>",
            "Invalid authentication mechanism: '<a, sasl_username=v>'",
            Unavailable,
        );
        check(
            "h[::1]: SASL NTLM authentication failed: Invalid authentication mechanism: 'NTLM', sasl_username=a, sasl_username=b",
            "NTLM",
            "Invalid authentication mechanism: 'NTLM'",
            Named(b"a, sasl_username=b"),
        );
        assert_eq!(failure(b"non-SMTP command from h[::1]: SASL LOGIN authentication failed: x"), None);
        let quoted = failure(b"h[192.0.2.1]: SASL PLAIN authentication failed: x, sasl_username=a]: SASL LOGIN authentication failed: y[198.51.100.7]").unwrap();
        assert_eq!(quoted.client.address, b"192.0.2.1");
    }

    #[test]
    fn lines_that_are_no_failure_of_a_client() {
        for line in [
            "SASL authentication failure: Password verification failed",
            "h[::1]: SASL LOGIN authentication aborted",
            "header Subject: SASL LOGIN authentication failed: x",
            "h[::1]: request longer than 12288: AUTH",
        ] {
            assert_eq!(failure(line.as_bytes()), None, "{line}");
        }
        assert_eq!(aborted(b"h[::1]: SASL LOGIN authentication aborted").unwrap().1, b"LOGIN");
    }

    #[test]
    fn backend_trouble_of_parts_2_4_and_2_7() {
        let old = backend_trouble(b"SASL: Connect to private/auth failed: No such file or directory");
        let new =
            backend_trouble(b"SASL: Connect to Dovecot auth socket 'private/auth' failed: No such file or directory");
        assert_eq!(old, Some(BackendTrouble::Connect { path: b"private/auth", error: b"No such file or directory" }));
        assert_eq!(old, new);
        assert_eq!(backend_trouble(b"SASL: Protocol error"), Some(BackendTrouble::Protocol(b"Protocol error")));
        assert_eq!(
            backend_trouble(b"SASL authentication failure: size read failed"),
            Some(BackendTrouble::Cyrus(b"size read failed"))
        );
        assert_eq!(backend_trouble(b"h[::1]: SASL LOGIN authentication aborted"), None);
    }
}
