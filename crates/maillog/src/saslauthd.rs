//! Cyrus `saslauthd` and PAM: why a login was refused. Neither knows the client's address when Postfix asks.
//!
//! Source of the wording: Cyrus SASL `saslauthd/auth_*.c`, `saslauthd/saslauthd-main.c` (`do_auth`); Linux-PAM modules.

use std::net::IpAddr;

use crate::client::address;
use crate::event::Event;
use crate::scan::{contains, rsplit_once, split_once};

/// `do_auth : auth failure: [user=U] [service=S] [realm=R] [mech=M] [reason=TEXT]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SaslauthdFailure<'a> {
    /// The login name, without the realm unless saslauthd runs with `-r`.
    pub user: &'a [u8],
    /// What stood behind the `@`; empty if nothing.
    pub realm: &'a [u8],
    /// The asking service, `smtp` for Postfix: see [`Self::is_for_smtp`].
    pub service: &'a [u8],
    /// The words of the mechanism behind saslauthd.
    pub reason: &'a [u8],
}

impl SaslauthdFailure<'_> {
    /// Whether Postfix may have asked: saslauthd answers Cyrus IMAP and others too. `smtp` unless `smtpd_sasl_service` names another.
    #[must_use]
    pub fn is_for_smtp(&self) -> bool {
        matches!(self.service, b"smtp" | b"smtps" | b"submission" | b"submissions" | b"")
    }
}

/// A refusal by a PAM module, asked for mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PamFailure<'a> {
    /// The PAM service: `smtp` or `submission` through saslauthd, `dovecot` through Dovecot; no other is one of ours.
    pub service: &'a [u8],
    /// The login name if named.
    pub user: Option<&'a [u8]>,
    /// The client's address if named (`rhost=`).
    pub ip: Option<IpAddr>,
    /// The words.
    pub message: &'a [u8],
}

/// `saslauthd`, `plesk_saslauthd`.
pub(crate) fn event(text: &[u8]) -> Option<Event<'_>> {
    if let Some(pam) = pam(text) {
        return Some(Event::Pam(pam));
    }
    let Some((_, rest)) = split_once(text, b"auth failure: ") else {
        let own = if is_of_ldap(text) { Event::SaslauthdLdap(text) } else { Event::Other("saslauthd_note") };
        return plesk(text).or(Some(own));
    };
    let user = bracketed(rest, b"[user=", b"] [service=")?;
    let (_, behind) = split_once(rest, b"] [service=")?;
    // Name and realm are the client's: of two services none is to be trusted.
    if contains(behind, b"[service=") {
        return Some(Event::Other("saslauthd_note"));
    }
    let (service, _) = split_once(behind, b"]")?;
    let realm = bracketed(rest, b"[realm=", b"]").unwrap_or_default();
    // The last of them is saslauthd's own: name and realm are the client's.
    let reason = rsplit_once(rest, b"[reason=").and_then(|(_, reason)| reason.strip_suffix(b"]")).unwrap_or_default();
    Some(Event::Saslauthd(SaslauthdFailure { user, realm, service, reason }))
}

/// What its LDAP module says while it works on a login (`lak.c`): `ldap_simple_bind() failed -1 (Can't contact LDAP server).`, `Retrying
/// authentication`. The refusal that may follow does not say why.
fn is_of_ldap(text: &[u8]) -> bool {
    let words = split_once(text, b": ").filter(|(module, _)| !module.contains(&b' ')).map_or(text, |(_, words)| words);
    words.starts_with(b"ldap_") || words.starts_with(b"Retrying authentication")
}

/// `failed mail authenticatication attempt for user 'U' (password len=N)` of Plesk (spelled so).
fn plesk(text: &[u8]) -> Option<Event<'_>> {
    let (_, rest) = split_once(text, b"failed mail authentic")?;
    let (_, rest) = split_once(rest, b"attempt for user '")?;
    let (user, _) = split_once(rest, b"' (")?;
    Some(Event::Saslauthd(SaslauthdFailure { user, realm: b"", service: b"smtp", reason: b"" }))
}

fn bracketed<'a>(text: &'a [u8], open: &[u8], close: &[u8]) -> Option<&'a [u8]> {
    Some(split_once(split_once(text, open)?.1, close)?.0)
}

/// `pam_MODULE(SERVICE:TYPE): words`. `None` for a service that is not mail's (`sshd`, `sudo`): such a line tells of no client of ours.
pub(crate) fn pam(text: &[u8]) -> Option<PamFailure<'_>> {
    let rest = text.strip_prefix(b"pam_").or_else(|| text.strip_prefix(b"auth: pam_"))?;
    let (_module, rest) = split_once(rest, b"(")?;
    let (inside, message) = split_once(rest, b"): ")?;
    let (service, _type) = split_once(inside, b":")?;
    if !matches!(service, b"smtp" | b"submission" | b"dovecot") {
        return None;
    }
    let failed = [
        "authentication failure",
        "user unknown",
        "has expired",
        "expired password",
        "received for user",
        "temporarily locked",
        "Authentication failure",
    ];
    let failed = failed.iter().any(|words| contains(message, words.as_bytes()));
    // The names before and behind it are the client's: a second `rhost=` leaves none to trust.
    let ip = split_once(message, b" rhost=")
        .filter(|(_, rest)| !contains(rest, b" rhost="))
        .and_then(|_| key(message, b" rhost="))
        .and_then(address);
    let user = last_user(message).or_else(|| key(message, b" ruser=")).or_else(|| named(message));
    failed.then_some(PamFailure { service, user, ip, message })
}

/// `  user=NAME` ends the line, with two blanks before it (Linux-PAM `modules/pam_unix/support.c`, `_unix_verify_password`); others write
/// one. A name may hold blanks.
fn last_user(message: &[u8]) -> Option<&[u8]> {
    let (_, user) = rsplit_once(message, b"  user=").or_else(|| split_once(message, b" user="))?;
    (!user.is_empty()).then_some(user)
}

/// ` key=value` up to a blank; an empty value is none.
fn key<'a>(text: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (_, value) = split_once(text, name)?;
    value.split(|b| *b == b' ').next().filter(|value| !value.is_empty())
}

/// `… for user U: …`, `account U has expired …`.
fn named(text: &[u8]) -> Option<&[u8]> {
    let rest = split_once(text, b"for user ").or_else(|| split_once(text, b"account "))?.1;
    rest.split(|b| matches!(b, b' ' | b':' | b'(')).next().filter(|user| !user.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals() {
        let line = b"do_auth         : auth failure: [user=alice] [service=smtp] [realm=example.test] [mech=pam] [reason=PAM auth error]";
        assert_eq!(
            event(line),
            Some(Event::Saslauthd(SaslauthdFailure {
                user: b"alice",
                realm: b"example.test",
                service: b"smtp",
                reason: b"PAM auth error"
            }))
        );
        assert_eq!(event(b"auth_rimap: x"), Some(Event::Other("saslauthd_note")));
        for ldap in ["ldap_simple_bind() failed -1 (Can't contact LDAP server).", "auth_ldap: Retrying authentication"]
        {
            assert_eq!(event(ldap.as_bytes()), Some(Event::SaslauthdLdap(ldap.as_bytes())));
        }
        let found =
            pam(b"pam_unix(smtp:auth): authentication failure; logname= uid=0 euid=0 tty= ruser= rhost= user=alice")
                .unwrap();
        assert_eq!((found.service, found.user, found.ip), (b"smtp".as_slice(), Some(b"alice".as_slice()), None));
        let found = pam(b"pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser=w@x rhost=192.0.2.9").unwrap();
        assert_eq!(
            (found.user, found.ip.map(|ip| ip.to_string())),
            (Some(b"w@x".as_slice()), Some("192.0.2.9".into()))
        );
        let line = b"pam_unix(smtp:auth): authentication failure; logname= uid=0 euid=0 tty= ruser= rhost=  user=a b";
        assert_eq!(pam(line).unwrap().user, Some(b"a b".as_slice()));
        let line = b": auth failure: [user=a] [reason=x] [service=smtp] [realm=] [mech=pam] [reason=PAM auth error]";
        let Some(Event::Saslauthd(found)) = event(line) else { panic!() };
        assert_eq!(found.reason, b"PAM auth error");
        assert!(pam(b"pam_unix(smtp:auth): check pass; user unknown").unwrap().user.is_none());
        assert_eq!(pam(b"pam_unix(cron:session): session opened for user root"), None);
    }

    #[test]
    fn logins_elsewhere_are_none_of_mail() {
        let failure = "authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.9  user=root";
        for service in ["sshd", "su", "imap", "smtpx", ""] {
            assert_eq!(pam(format!("pam_unix({service}:auth): {failure}").as_bytes()), None, "{service}");
        }
        assert_eq!(pam(b"pam_unix(sudo:account): account alice has expired (account expired)"), None);
        assert!(pam(format!("pam_unix(submission:auth): {failure}").as_bytes()).is_some());
        let for_smtp = |fields: &str| match event(format!("do_auth         : auth failure: {fields}").as_bytes()) {
            Some(Event::Saslauthd(found)) => Some(found.is_for_smtp()),
            _ => None,
        };
        let check = |service: &str, expected: bool| {
            let fields = format!("[user=a] [service={service}] [realm=] [mech=pam] [reason=PAM auth error]");
            assert_eq!(for_smtp(&fields), Some(expected), "{service}");
        };
        for service in ["smtp", "smtps", "submission", "submissions", ""] {
            check(service, true);
        }
        for service in ["imap", "pop", "sieve"] {
            check(service, false);
        }
        let claimed = "[user=a] [service=smtp] [realm=] [service=imap] [realm=x] [mech=pam] [reason=PAM auth error]";
        assert_eq!(for_smtp(claimed), None);
    }
}
