//! Postfix as a client: its own logins elsewhere. Never one of our users.

use crate::cause::{Cause, With, check};
use crate::class::Class::RelayhostAuthFailed;

pub(super) static CAUSES: &[Cause] = &[Cause {
    id: "outbound.sasl_client",
    class: Some(RelayhostAuthFailed),
    title: "Our own login at another server failed",
    meaning: "Postfix could not log in at its relay host; mail waits or comes back. No user of ours is concerned by a wrong password.",
    confidence: 1.0,
    signatures: &[],
    evidence: "The program is smtp or lmtp, not smtpd.",
    told: "nothing: Postfix is the client here",
    source: "Postfix src/smtp/smtp_sasl_glue.c",
    next: &[
        check(
            With::Postfix,
            "postconf relayhost smtp_sasl_password_maps smtp_sasl_security_options",
            "the password for the relay host, and whether its mechanism is allowed",
        ),
        check(With::Postfix, "postqueue -p", "what is waiting"),
    ],
}];
