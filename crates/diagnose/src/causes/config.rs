//! The server is set up so that logins cannot work.

use crate::cause::Pattern::{Has, Is};
use crate::cause::Place::{Fatal, Library, Reason};
use crate::cause::{Cause, With, check, sign, weak};
use crate::class::Class::{AuthRefused, BackendFault};

pub(super) static CAUSES: &[Cause] = &[
    Cause {
        id: "config.no_mechanisms",
        class: Some(BackendFault),
        title: "No login mechanism is left to offer",
        meaning: "The backend offers no mechanism that Postfix' security options allow, so smtpd gives up before a login can be tried.",
        confidence: 0.85,
        signatures: &[
            sign(Fatal, Is("no SASL authentication mechanisms")),
            sign(Library, Has("no applicable SASL mechanisms")),
            weak(Reason, Is("error when parsing configuration file"), 0.8),
        ],
        evidence: "No connect error before it: the backend did answer.",
        told: "the connection drops",
        source: "Postfix src/smtpd/smtpd_sasl_glue.c, src/xsasl/",
        next: &[
            check(
                With::Postfix,
                "postconf -n | grep smtpd_sasl; postconf -P '*/inet/smtpd_sasl*'",
                "noplaintext in smtpd_sasl_security_options forbids PLAIN and LOGIN",
            ),
            check(With::Dovecot, "doveconf -h auth_mechanisms", "what Dovecot offers"),
            check(With::Cyrus, "saslpluginviewer || pluginviewer -s", "which mechanisms are installed"),
        ],
    },
    Cause {
        id: "config.filter_empty",
        class: Some(BackendFault),
        title: "smtpd_sasl_mechanism_filter leaves nothing over",
        meaning: "The filter removes every mechanism from the list that is announced.",
        confidence: 1.0,
        signatures: &[sign(Fatal, Has("discards all mechanisms in"))],
        evidence: "",
        told: "the connection drops",
        source: "Postfix src/smtpd/smtpd_sasl_glue.c",
        next: &[check(
            With::Postfix,
            "postconf smtpd_sasl_mechanism_filter",
            "correct it; its default is !external, static:rest",
        )],
    },
    Cause {
        id: "config.sasl_type",
        class: Some(BackendFault),
        title: "smtpd_sasl_type is not built into this Postfix",
        meaning: "Postfix was told to use a SASL implementation that it does not have.",
        confidence: 1.0,
        signatures: &[sign(Library, Has("unsupported SASL server implementation"))],
        evidence: "",
        told: "the connection drops",
        source: "Postfix src/xsasl/xsasl_server.c",
        next: &[check(
            With::Postfix,
            "postconf -a; postconf smtpd_sasl_type",
            "what is built in, and what is asked for",
        )],
    },
    Cause {
        id: "config.auth_not_enabled",
        class: Some(AuthRefused),
        title: "AUTH is not enabled where the client tried it",
        meaning: "The client sent AUTH to a service that does not do logins, usually port 25. Nothing is logged but the counter at disconnect.",
        confidence: 0.7,
        signatures: &[],
        evidence: "The service never answered an AUTH before; a relay refusal follows in the same session.",
        told: "503 5.5.1 Error: authentication not enabled",
        source: "Postfix src/smtpd/smtpd_sasl_proto.c",
        next: &[
            check(With::Client, "port 587 with STARTTLS, or port 465 with TLS, instead of 25", ""),
            check(
                With::Postfix,
                "postconf -Mf; postconf -P '*/inet/smtpd_sasl_auth_enable'",
                "on which services are logins enabled?",
            ),
        ],
    },
    Cause {
        id: "config.cleartext_policy",
        class: Some(AuthRefused),
        title: "Clear-text login refused by Dovecot",
        meaning: "An IMAP or POP3 client tried to log in without TLS and Dovecot does not allow it. This does not concern Postfix.",
        confidence: 0.95,
        signatures: &[],
        evidence: "",
        told: "an IMAP or POP3 error",
        source: "Dovecot src/login-common/",
        next: &[
            check(With::Client, "switch on TLS (IMAP 993, POP3 995)", ""),
            check(
                With::Dovecot,
                "doveconf disable_plaintext_auth auth_allow_cleartext",
                "2.3 and 2.4 name it differently",
            ),
        ],
    },
];
