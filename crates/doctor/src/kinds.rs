//! The table of checks: what is looked at, why it matters, and which causes of failed logins it explains.

use crate::check::Kind;

/// Every kind of check, in the order in which they are made.
pub fn all() -> &'static [&'static Kind] {
    ALL
}

macro_rules! kinds {
    ($($name:ident = $id:literal, $title:literal, $meaning:literal, explains $causes:expr, follows $follows:expr;)*) => {
        $(pub(crate) static $name: Kind =
            Kind { id: $id, title: $title, meaning: $meaning, causes: &$causes, follows: &$follows };)*
        static ALL: &[&Kind] = &[$(&$name),*];
    };
}

kinds! {
    POSTFIX_CONFIG = "postfix.config", "Postfix' configuration can be read",
        "A main.cf or master.cf that postconf refuses is refused by the daemons too.",
        explains ["backend.connection_lost"], follows [];
    POSTFIX_RUNNING = "postfix.running", "Postfix runs",
        "Without its master nobody listens on the mail ports.",
        explains [], follows ["postfix.config"];
    LOGIN_SERVICES = "postfix.login_services", "Logins are enabled where mail users connect",
        "smtpd_sasl_auth_enable must be on for submission (587, 465). Where it is off, AUTH is answered with 503 and nothing is logged but auth=0/1.",
        explains ["config.auth_not_enabled", "client.wrong_port_25"], follows ["postfix.config"];
    PORT_25 = "postfix.port25", "No logins on port 25",
        "Port 25 is for mail between servers. With AUTH there, most guessing of passwords goes there, without TLS being demanded.",
        explains ["client.wrong_port_25"], follows [];
    SASL_TYPE = "postfix.sasl_type", "The SASL implementation is built in",
        "smtpd dies at once if smtpd_sasl_type names one that it does not have.",
        explains ["config.sasl_type"], follows ["postfix.config"];
    CHROOT = "postfix.chroot", "The SASL socket is inside the chroot",
        "A chrooted smtpd sees only the queue directory: an absolute path outside it does not exist for it, although ls shows it.",
        explains ["backend.socket_missing"], follows [];
    AUTH_ONLY = "postfix.tls_auth_only", "Passwords are taken over TLS only",
        "Without smtpd_tls_auth_only (or TLS being demanded), a client may send its password in the clear and never notice.",
        explains ["tls.auth_before_starttls"], follows [];
    TLS_LEVEL = "postfix.tls_level", "TLS is switched on where logins need it",
        "With smtpd_tls_auth_only and no TLS at all, AUTH is never offered: no client can log in, and nothing is logged about it.",
        explains ["tls.auth_before_starttls", "config.auth_not_enabled", "tls.server_broken"], follows [];
    SECURITY_OPTIONS = "postfix.security_options", "A mechanism is left after the security options",
        "smtpd_sasl_security_options really removes mechanisms (noplaintext: PLAIN and LOGIN). If none is left, smtpd dies with `no SASL authentication mechanisms`.",
        explains ["config.no_mechanisms", "client.mechanism_unsupported"], follows [];
    MECHANISM_FILTER = "postfix.mechanism_filter", "The mechanism filter leaves something over",
        "smtpd_sasl_mechanism_filter (Postfix 3.6) only hides mechanisms from the EHLO reply: a hidden one still works. A filter that hides all of them kills smtpd.",
        explains ["config.filter_empty", "client.mechanism_unsupported"], follows [];
    RELAY = "postfix.relay", "Users who logged in may send to anywhere",
        "permit_sasl_authenticated must stand in the relay and recipient restrictions, before what refuses.",
        explains ["policy.relay_denied", "policy.not_authenticated"], follows [];
    NETWORKS = "postfix.mynetworks", "Only own networks may relay without a login",
        "permit_mynetworks lets every address of mynetworks send anything to anywhere.",
        explains [], follows [];
    SENDER_LOGIN = "postfix.sender_login", "Sender addresses have owners",
        "reject_sender_login_mismatch without smtpd_sender_login_maps refuses every sender, with `not owned by user`.",
        explains ["policy.sender_login_mismatch", "policy.not_logged_in"], follows [];
    AUTH_RATE = "postfix.auth_rate", "The limit on login attempts leaves room for people",
        "smtpd_client_auth_rate_limit counts all AUTH commands of an address, good ones too: an office shares one address.",
        explains ["limit.auth_rate"], follows [];
    SYSLOG_NAME = "postfix.syslog_name", "The log tells the ports apart",
        "Without a syslog_name of its own, a login on 587 or 465 is logged as postfix/smtpd, as one on port 25 is.",
        explains [], follows [];
    POSTFIX_LOG = "postfix.log", "Postfix' log goes somewhere",
        "Nothing can be said about logins that were not logged.",
        explains [], follows [];
    PORT_LOGGING = "postfix.port_logging", "Client ports are logged where they are needed",
        "Behind a shared address (carrier NAT) only the port tells one customer from another.",
        explains [], follows [];
    PROXY = "postfix.proxy", "The client's own address is known",
        "Behind a proxy, Postfix must be told who the client is (smtpd_upstream_proxy_protocol), or all users have one address: penalties and bans hit everybody.",
        explains ["backend.penalty"], follows [];
    CERTIFICATE = "postfix.certificate", "The certificate is readable, current, ours, and fits its key",
        "Clients refuse an expired certificate and one for another name; without a readable pair no client can start TLS.",
        explains ["tls.cert_expired", "tls.cert_rejected", "tls.server_broken"], follows [];
    TLS_PROTOCOLS = "postfix.tls_protocols", "TLS versions suit today's clients",
        "TLS 1.0 and 1.1 are broken; without TLS 1.2 many clients are shut out.",
        explains ["tls.version_or_cipher"], follows [];
    SOCKET = "backend.socket", "The SASL backend's socket is there",
        "smtpd connects to it when a client may log in; if it cannot, it dies with `no SASL authentication mechanisms`, and no login failure is logged.",
        explains ["backend.socket_missing", "backend.refused"],
        follows ["postfix.chroot", "dovecot.running", "dovecot.config", "dovecot.listener", "cyrus.running"];
    PERMISSION = "backend.permission", "Postfix may open the socket",
        "Connecting needs write permission on the socket and passage through every folder above it, for the user postfix. Computed from owner, mode and groups; ACLs, SELinux and AppArmor are not looked at.",
        explains ["backend.permission"], follows ["postfix.chroot"];
    HANDSHAKE = "backend.handshake", "The backend answers as an auth server",
        "The greeting of Dovecot's auth protocol, as smtpd would speak it; no login is tried.",
        explains ["backend.wrong_socket", "backend.handshake_stall", "backend.refused"],
        follows ["dovecot.running", "dovecot.config", "dovecot.listener"];
    DOVECOT_CONFIG = "dovecot.config", "Dovecot's configuration can be read",
        "A configuration that doveconf refuses is refused by Dovecot at its next start or reload.",
        explains ["backend.refused"], follows [];
    DOVECOT_RUNNING = "dovecot.running", "Dovecot runs",
        "Dovecot leaves its socket behind when it stops: it is there, and nobody listens.",
        explains ["backend.refused", "backend.socket_missing", "backend.crash_or_restart"], follows ["dovecot.config"];
    LISTENER = "dovecot.listener", "Dovecot listens where Postfix asks",
        "The unix_listener of `service auth` and smtpd_sasl_path must be the same socket, and of the client kind.",
        explains ["backend.socket_missing", "backend.wrong_socket"], follows ["postfix.chroot"];
    DOVECOT_MECHANISMS = "dovecot.mechanisms", "Dovecot's mechanisms suit the clients and the passwords",
        "CRAM-MD5 and its like need passwords stored in the clear; some clients know LOGIN only.",
        explains ["client.mechanism_unsupported", "cred.scheme_unusable"], follows [];
    AUTH_VERBOSE = "dovecot.auth_verbose", "Dovecot logs why a login was refused",
        "Postfix is never told why. Without auth_verbose no log on the host says it.",
        explains ["cred.undifferentiated"], follows [];
    LOG_PASSWORDS = "dovecot.log_passwords", "No passwords in Dovecot's log",
        "auth_verbose_passwords and auth_debug_passwords write what users typed into the log.",
        explains [], follows [];
    PENALTY = "dovecot.penalty", "Dovecot's penalty does not hit everybody",
        "Dovecot makes an address wait 4, 8, then 15 s after failures; Postfix gives up after 10 s, right passwords included. Behind one shared address that is everybody.",
        explains ["backend.penalty", "backend.connection_lost"], follows [];
    FAILURE_DELAY = "dovecot.failure_delay", "Refusals come before Postfix gives up",
        "Postfix waits 10 s for an answer: with auth_failure_delay near that, a wrong password looks like a lost backend.",
        explains ["backend.connection_lost"], follows [];
    CLIENT_LIMIT = "dovecot.client_limit", "Dovecot takes as many connections as Postfix opens",
        "Every smtpd keeps a connection to the auth service. Beyond client_limit they are not answered.",
        explains ["backend.overload", "backend.handshake_stall"], follows [];
    CLEARTEXT = "dovecot.cleartext", "Dovecot's own rule about clear-text logins",
        "Concerns IMAP and POP3 only; Postfix has a rule of its own (smtpd_tls_auth_only).",
        explains ["config.cleartext_policy"], follows [];
    PASSDB = "dovecot.passdb", "Dovecot's account databases can be read",
        "A password file that the auth process may not read refuses right passwords, and Postfix logs it as a wrong one.",
        explains ["backend.store_error"], follows [];
    CYRUS_CONFIG = "cyrus.config", "Cyrus SASL finds its configuration for smtpd",
        "Without NAME.conf in cyrus_sasl_config_path the library falls back to sasldb, whatever was meant.",
        explains ["backend.saslauthd_failure", "backend.sasldb_unreadable", "config.no_mechanisms"], follows [];
    CYRUS_MECHANISMS = "cyrus.mechanisms", "Cyrus' mechanisms suit its password check",
        "saslauthd can judge PLAIN and LOGIN only; a challenge-response mechanism that is offered fails always.",
        explains ["client.mechanism_unsupported", "cred.scheme_unusable"], follows [];
    CYRUS_RUNNING = "cyrus.running", "saslauthd runs",
        "It takes its socket along when it stops: every login then fails with `generic failure`.",
        explains ["backend.saslauthd_failure", "backend.socket_missing"], follows ["cyrus.config"];
    SASLDB = "cyrus.sasldb", "Postfix can read sasldb",
        "The library opens it inside smtpd, as the user postfix, and inside the chroot.",
        explains ["backend.sasldb_unreadable"], follows ["cyrus.config"];
    WIRE_GREETING = "wire.greeting", "The port answers",
        "What a client sees first. Asked as a client would, without logging in.",
        explains ["config.no_mechanisms"],
        follows [
            "postfix.config", "postfix.running", "postfix.sasl_type", "postfix.security_options",
            "postfix.mechanism_filter", "postfix.certificate", "postfix.tls_level", "backend.socket", "backend.permission",
            "backend.handshake", "dovecot.running", "dovecot.config", "dovecot.listener", "postfix.chroot",
            "cyrus.config", "cyrus.running", "dovecot.client_limit"
        ];
    WIRE_TLS = "wire.tls", "TLS can be started",
        "STARTTLS on 25 and 587, TLS from the first byte on 465.",
        explains ["tls.server_broken", "tls.version_or_cipher"],
        follows ["postfix.certificate", "postfix.tls_level", "postfix.tls_protocols", "wire.greeting", "postfix.running"];
    WIRE_AUTH = "wire.auth", "AUTH is offered when it should be",
        "Before TLS it should be hidden, after TLS it should be there, with mechanisms that clients know.",
        explains ["config.auth_not_enabled", "config.no_mechanisms", "tls.auth_before_starttls"],
        follows [
            "postfix.tls_auth_only", "postfix.tls_level", "postfix.login_services", "postfix.certificate",
            "postfix.security_options", "postfix.mechanism_filter", "postfix.sasl_type", "backend.socket",
            "backend.permission", "backend.handshake", "dovecot.running", "dovecot.config", "dovecot.listener",
            "postfix.chroot", "cyrus.config", "cyrus.running", "wire.greeting", "wire.tls"
        ];
    WIRE_CERTIFICATE = "wire.certificate", "The certificate that clients are shown",
        "Postfix keeps the old one in memory until it is reloaded.",
        explains ["tls.cert_expired", "tls.cert_rejected"], follows ["postfix.certificate"];
    WIRE_LOGIN = "wire.login", "The login that was asked for works",
        "One AUTH PLAIN over TLS with the name and password given.",
        explains [], follows [
            "postfix.running", "backend.socket", "backend.permission", "backend.handshake", "dovecot.running",
            "dovecot.listener", "dovecot.passdb", "cyrus.running", "cyrus.sasldb", "wire.greeting", "wire.tls", "wire.auth"
        ];
    ACCOUNT_PASSDB = "account.passdb", "The account is known to the password database",
        "This is what decides about a login; `doveadm user` asks another database.",
        explains ["cred.unknown_user", "cred.realm_missing"], follows ["dovecot.running", "dovecot.passdb", "account.form", "account.restrictions"];
    ACCOUNT_FORM = "account.form", "The login name has the form the accounts have",
        "With accounts named user@domain, a bare `user` is unknown, and the other way round.",
        explains ["cred.realm_missing"], follows [];
    ACCOUNT_USERDB = "account.userdb", "The account is known to the user database",
        "Not needed for sending; without it the user's mail cannot be delivered or read.",
        explains [], follows ["dovecot.running"];
    ACCOUNT_LIMITS = "account.restrictions", "Nothing keeps the account from logging in",
        "Deny lists, allow_nets, locked and expired system accounts. A nologin field does not stop Postfix.",
        explains ["cred.user_disabled", "cred.allow_nets", "cred.password_expired"], follows [];
    F2B_RUNNING = "fail2ban.running", "fail2ban runs",
        "Installed and not running, it bans nobody.",
        explains [], follows [];
    F2B_JAILS = "fail2ban.jails", "There are jails for mail logins",
        "fail2ban's mail jails are off unless somebody enables them.",
        explains [], follows [];
    F2B_LOG = "fail2ban.log", "The jails read the log that Postfix writes",
        "A jail on another file, or on a journal unit that Postfix does not use, is blind and says nothing.",
        explains [], follows [];
    F2B_FILTER = "fail2ban.filter", "The jails' filters match this server's lines",
        "Tried with fail2ban-regex on the latest failure lines of the log that the jail reads.",
        explains [], follows ["fail2ban.log"];
    F2B_CLIENT = "fail2ban.client", "The client is not banned",
        "A banned client sees no answer at all, and nothing of it is logged.",
        explains [], follows [];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_and_what_they_name_exists() {
        let mut ids: Vec<&str> = ALL.iter().map(|kind| kind.id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), ALL.len());
        for kind in ALL {
            assert!(!kind.title.is_empty() && !kind.meaning.is_empty(), "{}", kind.id);
            for cause in kind.causes {
                assert!(diagnose::by_id(cause).is_some(), "{}: no cause {cause}", kind.id);
            }
            for root in kind.follows {
                assert!(ids.contains(root) && *root != kind.id, "{}: no kind {root}", kind.id);
            }
        }
    }
}
