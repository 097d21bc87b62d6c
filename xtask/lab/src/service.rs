//! The ports of the lab's Postfix: what each listens on, how it is called in the log, how TLS goes there.

/// How a client gets to TLS on a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tls {
    /// The client stays in clear.
    Never,
    /// After EHLO, with STARTTLS.
    Upgrade,
    /// From the first byte.
    Wrapper,
}

/// One line of `master.cf`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Service {
    /// The service part of the process tag; `smtpd` stands for a bare `postfix/smtpd`.
    pub(crate) tag: &'static str,
    /// What it listens on.
    pub(crate) port: u16,
    /// What a well-behaved client does there.
    pub(crate) tls: Tls,
}

/// Port 25: mail from outside, no login.
pub(crate) const SMTPD: Service = Service { tag: "smtpd", port: 25, tls: Tls::Never };
/// Port 587: STARTTLS is demanded before AUTH.
pub(crate) const SUBMISSION: Service = Service { tag: "submission", port: 587, tls: Tls::Upgrade };
/// Port 465: TLS from the first byte.
pub(crate) const SUBMISSIONS: Service = Service { tag: "submissions", port: 465, tls: Tls::Wrapper };
/// A port that lets clients log in without TLS.
pub(crate) const CLEARTEXT: Service = Service { tag: "cleartext", port: 2525, tls: Tls::Never };
/// A submission port that lets users send from their own addresses only.
pub(crate) const OWNERS: Service = Service { tag: "owners", port: 1587, tls: Tls::Upgrade };
/// A submission port with `smtpd_client_auth_rate_limit`.
pub(crate) const LIMITED: Service = Service { tag: "limited", port: 2587, tls: Tls::Upgrade };
/// A submission port whose logins are judged by Cyrus SASL and `saslauthd`.
pub(crate) const CYRUS: Service = Service { tag: "cyrus", port: 3587, tls: Tls::Upgrade };
/// A submission port that logs the client's port number too.
pub(crate) const PORTS: Service = Service { tag: "ports", port: 4587, tls: Tls::Upgrade };
