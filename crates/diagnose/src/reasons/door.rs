//! Reasons seen from the other side: where we are the receiver, "our address" is the client's, and other steps help.

use crate::reason::{Reason, Side};

/// Rows with the ids of the table's, for refusals of our own.
pub(super) static REASONS: &[Reason] = &[
    Reason {
        id: "lookup_trouble",
        title: "A table or policy service of this server does not work",
        meaning: "smtpd could not look something up, and turned the client away for now.",
        side: Side::Ours,
        words: &[],
        codes: &[],
        next: &[
            "look for the warnings of smtpd at that time: they name the table, or the server it could not talk to",
            "is the database or policy service up? postmap -q KEY TABLE; postfix check",
        ],
    },
    Reason {
        id: "verification",
        title: "An address is not verified yet",
        meaning: "reject_unverified_recipient or reject_unverified_sender: Postfix asks the host in charge, and turns the client away until it has an answer.",
        side: Side::Way,
        words: &[],
        codes: &[],
        next: &[
            "wait: the client comes back",
            "again and again? the reply says why the host in charge gives no answer; postconf address_verify_map",
        ],
    },
    Reason {
        id: "blocklisted",
        title: "The client's address is on a blocklist",
        meaning: "A list that this server asks has the client's address down as a sender of spam.",
        side: Side::Client,
        words: &[],
        codes: &[],
        next: &[
            "a sender you want? let it in before the list is asked: check_client_access in front of reject_rbl_client",
            "is everybody refused? a list that does not answer your resolver may list the whole world: dig +short 2.0.0.127.LIST and 1.0.0.127.LIST (the second must have no answer)",
        ],
    },
    Reason {
        id: "reverse_dns",
        title: "The client's address has no fitting reverse DNS",
        meaning: "This server wants the client's address to have a name (PTR) that leads back to it.",
        side: Side::Client,
        words: &[],
        codes: &[],
        next: &[
            "host ADDR, then host NAME: do they lead to each other?",
            "a sender you want? check_client_access in front of reject_unknown_client_hostname; or demand a PTR only: reject_unknown_reverse_client_hostname",
        ],
    },
    Reason {
        id: "helo",
        title: "The client's name in HELO was refused",
        meaning: "The client named itself in a way that this server does not take.",
        side: Side::Client,
        words: &[],
        codes: &[],
        next: &[
            "a user's program? it should log in on 587 or 465, where HELO is not looked at: permit_sasl_authenticated in front of the HELO checks",
            "a sender you want? check_helo_access or check_client_access in front of them",
        ],
    },
    Reason {
        id: "sender_authentication",
        title: "SPF, DKIM or DMARC of the sender says no",
        meaning: "The sender's domain does not let this client send for it, or its signature is broken.",
        side: Side::Client,
        words: &[],
        codes: &[],
        next: &[
            "dig TXT of the sender's domain: is the client in its SPF record?",
            "forwarded mail breaks SPF: let a forwarder you know in before the check",
        ],
    },
    Reason {
        id: "sender_rejected",
        title: "We do not take mail from this sender",
        meaning: "A rule of this server refuses the sender's address.",
        side: Side::Ours,
        words: &[],
        codes: &[],
        next: &["which rule? the reply names the restriction; look at smtpd_sender_restrictions and the maps it names"],
    },
];
