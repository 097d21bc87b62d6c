//! What this mail host itself has to put right.
//! Wordings: Postfix `src/smtp/smtp_sasl_glue.c`, `src/qmgr/qmgr_deliver.c`, `src/local/`, `src/virtual/`, `src/pipe/pipe.c`.

use crate::reason::{Reason, Side};

/// Postfix cannot hand its mail on.
pub(super) static TRANSPORT: &[Reason] = &[
    Reason {
        id: "relayhost_login",
        title: "Our own login at the relay host failed",
        meaning: "Postfix could not log in where it hands its mail on. Nothing leaves until that is put right.",
        side: Side::Ours,
        words: &[
            "sasl authentication failed; ",
            "sasl authentication failed: ",
            "sasl [cached] authentication failed",
            "authentication required",
            "client was not authenticated",
            "must be authenticated",
            "smtp authentication is required",
            "5.7.57",
        ],
        codes: &[(7, 8), (7, 9), (7, 11), (7, 12), (7, 13)],
        next: &[
            "check the name and password in smtp_sasl_password_maps, then postmap and postfix reload",
            "postconf relayhost smtp_sasl_auth_enable smtp_sasl_security_options",
        ],
    },
    Reason {
        id: "transport_unavailable",
        title: "A service of our own Postfix is not running",
        meaning: "The queue manager could not hand the message to its delivery program.",
        side: Side::Ours,
        words: &[
            "mail transport unavailable",
            "unknown mail transport error",
            "bad transport type",
            "unable to find primary relay for",
        ],
        codes: &[],
        next: &["look for fatal and panic lines of that service", "postfix check; master.cf: is the service there?"],
    },
];

/// Local delivery failed. What its program says of the recipient is more exact, and stands before these.
pub(super) static MAILBOX: &[Reason] = &[
    Reason {
        id: "lmtp_service",
        title: "The LMTP service cannot be reached",
        meaning: "Postfix could not open the socket of the program that writes the mailboxes: it does not run, listens elsewhere, or lets Postfix not in.",
        side: Side::Ours,
        words: &["lmtp]: "],
        codes: &[],
        next: &[
            "is the LMTP service running? doveadm service status lmtp; look for its lines at that time",
            "do the socket's path, owner and mode fit? ls -l /var/spool/postfix/private/dovecot-lmtp; doveconf service/lmtp; postconf virtual_transport mailbox_transport",
        ],
    },
    Reason {
        id: "mailbox_write",
        title: "The mailbox could not be written",
        meaning: "Postfix or the delivery program lacks the permission, the folder, or the disk.",
        side: Side::Ours,
        words: &[
            "maildir delivery failed",
            "can't create user output file",
            "cannot update mailbox",
            "cannot open mailbox",
            "cannot create maildir",
            "unable to lock for exclusive access",
            "internal error occurred. refer to server log",
        ],
        codes: &[],
        next: &[
            "look at the owner and rights of the mailbox, and at df -h",
            "look for the lines of the delivery program (Dovecot lmtp, local) at that time",
        ],
    },
    Reason {
        id: "delivery_program",
        title: "The delivery program or filter failed",
        meaning: "The command that takes the message over ended with an error.",
        side: Side::Ours,
        words: &[
            "temporary failure. command output",
            "temporary failure",
            "command time limit exceeded",
            "command died with",
            "command output: ",
            "service unavailable - try again later",
            "content filter",
            "virus scanner",
        ],
        codes: &[],
        next: &["run the command by hand as its user", "look at the filter's own log at that time"],
    },
];
