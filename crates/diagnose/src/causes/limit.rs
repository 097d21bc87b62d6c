//! Over one of Postfix' own limits.

use crate::cause::{Cause, With, check};
use crate::class::Class::RateLimited;

pub(super) static CAUSES: &[Cause] = &[
    Cause {
        id: "limit.auth_rate",
        class: Some(RateLimited),
        title: "Too many login attempts in a short time",
        meaning: "The client sent AUTH more often than smtpd_client_auth_rate_limit allows; its passwords were not looked at.",
        confidence: 1.0,
        signatures: &[],
        evidence: "Which users, which client: an attack, or an office behind one address.",
        told: "450 4.7.1 Error: too many AUTH commands",
        source: "Postfix src/smtpd/smtpd.c",
        next: &[check(
            With::Postfix,
            "postconf smtpd_client_auth_rate_limit anvil_rate_time_unit smtpd_client_event_limit_exceptions",
            "the limit, its time, and who is exempt",
        )],
    },
    Cause {
        id: "limit.connection",
        class: Some(RateLimited),
        title: "Too many connections",
        meaning: "The client opens more connections than Postfix allows: an attack, an office behind one address, or monitoring.",
        confidence: 0.95,
        signatures: &[],
        evidence: "",
        told: "421 4.7.0 Error: too many connections",
        source: "Postfix src/smtpd/smtpd.c",
        next: &[check(
            With::Postfix,
            "postconf smtpd_client_connection_rate_limit smtpd_client_connection_count_limit smtpd_client_event_limit_exceptions",
            "the limits and who is exempt",
        )],
    },
    Cause {
        id: "limit.newtls",
        class: Some(RateLimited),
        title: "Too many new TLS sessions",
        meaning: "The client starts more TLS sessions than smtpd_client_new_tls_session_rate_limit allows.",
        confidence: 0.95,
        signatures: &[],
        evidence: "",
        told: "454 4.7.0 Error: too many new TLS sessions",
        source: "Postfix src/smtpd/smtpd.c",
        next: &[check(With::Postfix, "postconf smtpd_client_new_tls_session_rate_limit", "")],
    },
    Cause {
        id: "limit.too_many_errors",
        class: None,
        title: "Too many errors in one session",
        meaning: "Postfix hung up after smtpd_hard_error_limit errors.",
        confidence: 0.95,
        signatures: &[],
        evidence: "",
        told: "421 4.7.0 Error: too many errors",
        source: "Postfix src/smtpd/smtpd.c",
        next: &[check(With::Postfix, "postconf smtpd_hard_error_limit", "20 unless set; 1 under stress")],
    },
];
