//! Single settings of Dovecot's that hide causes, lose logins, or write passwords down.

use crate::check::Check;
use crate::doveconf::{Block, milliseconds};
use crate::examine::Look;
use crate::kinds::{AUTH_VERBOSE, CLEARTEXT, CLIENT_LIMIT, DOVECOT_MECHANISMS, FAILURE_DELAY, LOG_PASSWORDS};
use crate::mechanisms::{is_plaintext, needs_stored_clear, words};

pub(super) fn check(look: &Look<'_>, config: &Block, connections: u32) -> Vec<Check> {
    let with_command = |check: Check, names: &str| check.command(look.host.dovecot_words("doveconf", names));
    vec![
        with_command(mechanisms(config), "auth_mechanisms"),
        with_command(verbose(config), "auth_verbose"),
        with_command(passwords(config), "auth_verbose_passwords auth_debug_passwords"),
        with_command(failure_delay(config), "auth_failure_delay"),
        with_command(client_limit(config, connections), "service/auth/client_limit default_client_limit"),
        with_command(cleartext(config), "disable_plaintext_auth   (2.4: auth_allow_cleartext)"),
    ]
}

fn mechanisms(config: &Block) -> Check {
    let value = config.get("auth_mechanisms");
    let list: Vec<&str> = words(value).collect();
    let special: Vec<&str> = list.iter().copied().filter(|name| needs_stored_clear(name)).collect();
    let check = if !special.is_empty() {
        Check::warn(
            &DOVECOT_MECHANISMS,
            format!("{} work only with passwords stored in the clear, and clients prefer them", special.join(", ")),
        )
        .fix("auth_mechanisms = plain login, then: doveadm reload; postfix reload")
    } else if !list.iter().any(|name| is_plaintext(name)) {
        Check::warn(&DOVECOT_MECHANISMS, format!("neither plain nor login among {value}: few clients can log in"))
            .fix("auth_mechanisms = plain login, then: doveadm reload; postfix reload")
    } else {
        Check::ok(&DOVECOT_MECHANISMS, value)
    };
    check.seen(format!("auth_mechanisms = {value}"))
}

fn is_on(config: &Block, name: &str) -> bool {
    config.get(name) == "yes"
}

fn verbose(config: &Block) -> Check {
    let check = if is_on(config, "auth_verbose") || is_on(config, "auth_debug") {
        Check::ok(&AUTH_VERBOSE, "refused logins are logged with their reason")
    } else {
        Check::warn(&AUTH_VERBOSE, "refused logins are not logged: nobody can tell why they failed")
            .fix("auth_verbose = yes, then: doveadm reload")
    };
    check.seen(format!("auth_verbose = {}", config.get("auth_verbose")))
}

fn passwords(config: &Block) -> Check {
    let value = config.get("auth_verbose_passwords");
    let check = if value.starts_with("plain") || is_on(config, "auth_debug_passwords") {
        Check::fault(&LOG_PASSWORDS, "what users type as a password is written into the log")
            .fix("auth_verbose_passwords = no, auth_debug_passwords = no, then: doveadm reload; clean the logs")
    } else {
        Check::ok(&LOG_PASSWORDS, format!("auth_verbose_passwords = {value}"))
    };
    check.seen(format!(
        "auth_verbose_passwords = {value}, auth_debug_passwords = {}",
        config.get("auth_debug_passwords")
    ))
}

/// With this delay, in milliseconds, Postfix gives up first (10 s, and the delay is looked at every half second or so).
const LOST: u64 = 9_000;
/// With this one the first step of the penalty (4 s) is too much.
const TIGHT: u64 = 5_000;

fn failure_delay(config: &Block) -> Check {
    let value = config.get("auth_failure_delay");
    let check = match milliseconds(value) {
        Some(delay) if delay >= LOST => Check::fault(
            &FAILURE_DELAY,
            format!("a refusal takes {value}, and Postfix waits 10 s: every wrong password looks like a lost backend"),
        )
        .fix("auth_failure_delay = 2 secs, then: doveadm reload"),
        Some(delay) if delay >= TIGHT => Check::warn(
            &FAILURE_DELAY,
            format!("a refusal takes {value}; with a penalty on top Postfix gives up before it"),
        )
        .fix("auth_failure_delay = 2 secs, then: doveadm reload"),
        Some(_) => Check::ok(&FAILURE_DELAY, format!("a refusal takes {value}")),
        None => Check::unknown(&FAILURE_DELAY, format!("auth_failure_delay = {value:?}")),
    };
    check.seen(format!("auth_failure_delay = {value}"))
}

fn client_limit(config: &Block, connections: u32) -> Check {
    let own = config.service("auth").map_or("", |auth| auth.get("client_limit"));
    let own = if matches!(own, "" | "0") { config.get("default_client_limit") } else { own };
    let check = match own.parse::<u32>() {
        Ok(limit) if limit < connections => Check::warn(
            &CLIENT_LIMIT,
            format!(
                "the auth service takes {limit} connections, Postfix may open {connections}: logins hang under load"
            ),
        )
        .fix(format!(
            "service auth {{ client_limit = {} }}, then: doveadm reload",
            connections.saturating_mul(2).max(1000)
        )),
        Ok(limit) => Check::ok(&CLIENT_LIMIT, format!("{limit} connections; Postfix may open {connections}")),
        Err(_) if matches!(own, "unlimited") => Check::ok(&CLIENT_LIMIT, "no limit"),
        Err(_) => Check::unknown(&CLIENT_LIMIT, format!("client_limit = {own:?}")),
    };
    check.seen(format!("client_limit = {own}; smtpd processes with logins at most {connections}"))
}

fn cleartext(config: &Block) -> Check {
    let allowed = config.get("disable_plaintext_auth") == "no" || is_on(config, "auth_allow_cleartext");
    let protocols = config.get("protocols");
    let check = if allowed && words(protocols).any(|name| matches!(name, "imap" | "pop3" | "submission")) {
        Check::warn(&CLEARTEXT, format!("{protocols} take passwords without TLS; Postfix is not concerned"))
            .fix("disable_plaintext_auth = yes (2.4: auth_allow_cleartext = no), then: doveadm reload")
    } else {
        Check::ok(&CLEARTEXT, "IMAP and POP3 take no password without TLS, or are not served")
    };
    check.seen(format!("protocols = {protocols}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Status::{Fault, Ok as Fine, Unknown, Warn};
    use crate::doveconf::parse;

    #[test]
    fn settings() {
        let of = |judge: fn(&Block) -> Check, text: &str, expected| {
            assert_eq!(judge(&parse(text)).status, expected, "{text}")
        };
        of(mechanisms, "auth_mechanisms = plain login", Fine);
        of(mechanisms, "auth_mechanisms = plain cram-md5", Warn);
        of(mechanisms, "auth_mechanisms = scram-sha-256", Warn);
        of(mechanisms, "", Warn);
        of(verbose, "auth_verbose = yes", Fine);
        of(verbose, "auth_verbose = no\nauth_debug = yes", Fine);
        of(verbose, "", Warn);
        of(passwords, "auth_verbose_passwords = no", Fine);
        of(passwords, "auth_verbose_passwords = sha1:6", Fine);
        of(passwords, "auth_verbose_passwords = plain:3", Fault);
        of(passwords, "auth_debug_passwords = yes", Fault);
        of(failure_delay, "auth_failure_delay = 2 secs", Fine);
        of(failure_delay, "auth_failure_delay = 6 secs", Warn);
        of(failure_delay, "auth_failure_delay = 12 secs", Fault);
        of(failure_delay, "", Unknown);
        of(|c| client_limit(c, 200), "default_client_limit = 1000\nservice auth {\nclient_limit = 0\n}", Fine);
        of(|c| client_limit(c, 200), "default_client_limit = 1000\nservice auth {\nclient_limit = 20\n}", Warn);
        of(|c| client_limit(c, 200), "", Unknown);
        of(cleartext, "disable_plaintext_auth = no\nprotocols = imap", Warn);
        of(cleartext, "disable_plaintext_auth = no\nprotocols = ", Fine);
    }
}
