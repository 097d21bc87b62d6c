//! Refused by a rule: not a failed login, though the user says "I cannot send".

use crate::cause::Pattern::Has;
use crate::cause::Place::{Dovecot, Reject};
use crate::cause::{Cause, With, check, sign};
use crate::class::Class::{AuthFailed, NotLoggedIn, RelayDenied, SenderMismatch};

pub(super) static CAUSES: &[Cause] = &[
    Cause {
        id: "policy.relay_denied",
        class: Some(RelayDenied),
        title: "Relaying refused",
        meaning: "The recipient is elsewhere and the client may not send there: it did not log in, its login failed, or a rule comes before the one that lets logged-in users through. This is not a login failure.",
        confidence: 0.95,
        signatures: &[sign(Reject, Has("Relay access denied"))],
        evidence: "Whether the session logged in, tried and failed, or never tried.",
        told: "454 4.7.1 or 554 5.7.1 Relay access denied",
        source: "Postfix src/smtpd/smtpd_check.c (reject_unauth_destination)",
        next: &[
            check(
                With::Client,
                "switch on authentication for the outgoing server, port 587 or 465",
                "clients often log in for reading only",
            ),
            check(
                With::Postfix,
                "postconf smtpd_relay_restrictions smtpd_recipient_restrictions mynetworks",
                "is permit_sasl_authenticated there, and before the reject?",
            ),
        ],
    },
    Cause {
        id: "policy.not_authenticated",
        class: Some(NotLoggedIn),
        title: "Did not log in on a service that demands it",
        meaning: "The client tried to send without logging in, on a port for mail users. Not a failed login: none was tried.",
        confidence: 0.9,
        signatures: &[
            sign(Reject, Has("Client host rejected: Access denied")),
            sign(Reject, Has("Recipient address rejected: Access denied")),
        ],
        evidence: "No AUTH in the session's counters.",
        told: "554 5.7.1 Access denied",
        source: "Postfix src/smtpd/smtpd_check.c (reject)",
        next: &[check(
            With::Client,
            "switch on authentication for the outgoing server",
            "clients often log in for reading only",
        )],
    },
    Cause {
        id: "policy.sender_login_mismatch",
        class: Some(SenderMismatch),
        title: "Logged in, but not with this sender address",
        meaning: "The login worked; the account may not send as the address in MAIL FROM.",
        confidence: 1.0,
        signatures: &[sign(Reject, Has("Sender address rejected: not owned by user"))],
        evidence: "The account is named in the reply.",
        told: "553 5.7.1 Sender address rejected: not owned by user",
        source: "Postfix src/smtpd/smtpd_check.c (reject_sender_login_mismatch)",
        next: &[
            check(With::Postfix, "postmap -q SENDER $(postconf -h smtpd_sender_login_maps)", "who may use the address"),
            check(With::Client, "the sender address or alias in the client's settings", ""),
        ],
    },
    Cause {
        id: "policy.not_logged_in",
        class: Some(NotLoggedIn),
        title: "Sender address needs a login",
        meaning: "The sender address belongs to an account here and the client did not log in: a user without authentication switched on, or a forged sender.",
        confidence: 0.97,
        signatures: &[sign(Reject, Has("Sender address rejected: not logged in"))],
        evidence: "From outside with a sender of ours: mostly forged.",
        told: "553 5.7.1 Sender address rejected: not logged in",
        source: "Postfix src/smtpd/smtpd_check.c (reject_unauthenticated_sender_login_mismatch)",
        next: &[
            check(With::Client, "switch on authentication for the outgoing server", ""),
            check(With::Postfix, "postmap -q SENDER $(postconf -h smtpd_sender_login_maps)", "whose address is it?"),
        ],
    },
    Cause {
        id: "policy.auth_policy",
        class: Some(AuthFailed),
        title: "Refused by the authentication policy server",
        meaning: "Dovecot's policy server (weakforced and the like) forbade the login.",
        confidence: 0.97,
        signatures: &[sign(Dovecot, Has("policy server refusal"))],
        evidence: "",
        told: "535 5.7.8 Error: authentication failed, perhaps with the policy's message",
        source: "Dovecot src/auth/auth-policy.c",
        next: &[check(
            With::Dovecot,
            "doveconf auth_policy_server_url; the policy server's own log",
            "why did it refuse?",
        )],
    },
];
