//! What other servers, and our own delivery agents, say when they do not take a mail.
//!
//! `{}` stands for the recipient. Wording: log grammar, part 4.1 (Postfix `src/smtp/smtp_trouble.c`, `src/local/unknown.c`,
//! `src/virtual/mailbox.c`), and the usual texts of large receivers.

/// One answer.
pub(crate) struct Wording {
    /// The enhanced status code (RFC 3463).
    pub(crate) dsn: &'static str,
    /// The answer, or for [`Kind::Own`] the whole text in the parentheses.
    pub(crate) text: &'static str,
    /// How the delivery line puts it.
    pub(crate) kind: Kind,
}

/// How a delivery line puts an answer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `host H said: … (in reply to RCPT TO command)`.
    Said(&'static str),
    /// `connect to H:25: …`, and no relay.
    Connect,
    /// Words of our own after a connection.
    Own,
    /// Words of our own, and no relay.
    NoRelay,
}

const RCPT: Kind = Kind::Said("RCPT TO");
const TEXT: Kind = Kind::Said("end of DATA");

const fn wording(dsn: &'static str, kind: Kind, text: &'static str) -> Wording {
    Wording { dsn, text, kind }
}

/// Refusals for good.
pub(crate) const REFUSALS: &[Wording] = &[
    wording("5.1.1", RCPT, "550 5.1.1 <{}>: Recipient address rejected: User unknown in virtual mailbox table"),
    wording(
        "5.1.1",
        RCPT,
        "550-5.1.1 The email account that you tried to reach does not exist. 550 5.1.1 Please check the address",
    ),
    wording("5.2.2", RCPT, "552 5.2.2 <{}>: mailbox full"),
    wording("5.7.1", TEXT, "554 5.7.1 Message rejected due to content restrictions"),
    wording("5.7.1", Kind::Said("MAIL FROM"), "550 5.7.1 Service unavailable, client host is on our block list"),
    wording("5.7.26", TEXT, "550-5.7.26 This mail has been blocked because the sender is unauthenticated"),
    wording("5.3.4", Kind::Said("MAIL FROM"), "552 5.3.4 Message size exceeds fixed limit"),
    wording(
        "5.4.4",
        Kind::NoRelay,
        "Host or domain name not found. Name service error for name=mail.acme.example type=A: Host not found",
    ),
];

/// Refusals for now.
pub(crate) const DEFERRALS: &[Wording] = &[
    wording("4.2.0", RCPT, "450 4.2.0 <{}>: Recipient address rejected: Greylisted, try again in 300 seconds"),
    wording("4.2.2", RCPT, "452 4.2.2 <{}>: The recipient's mailbox is over its storage quota"),
    wording("4.7.28", TEXT, "421-4.7.28 Our system has detected an unusual rate of mail from your address"),
    wording("4.7.0", Kind::Said("MAIL FROM"), "421 4.7.0 Try again later, closing connection"),
    wording("4.4.1", Kind::Connect, "Connection timed out"),
    wording("4.4.1", Kind::Connect, "Connection refused"),
    wording("4.4.1", Kind::Connect, "No route to host"),
    wording("4.4.2", Kind::Own, "lost connection with {} while receiving the initial server greeting"),
    wording("4.7.4", Kind::Own, "TLS is required, but was not offered by host {}"),
    wording(
        "4.4.3",
        Kind::NoRelay,
        "Host or domain name not found. Name service error for name=acme.example type=MX: Host not found, try again",
    ),
];
