//! The words in which a message is told: origins, fates, ends, links.

use maillog::ContentCheck;

use crate::attempt::Where;

/// Where a message came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// Its start is not in the log.
    #[default]
    Unknown,
    /// An SMTP client.
    Client(Box<FromClient>),
    /// A local user, through `sendmail`.
    Local {
        /// The user's number.
        uid: u32,
    },
    /// A notice that Postfix wrote about another message: `sender non-delivery`, `sender delay`, ….
    Notice {
        /// What it says.
        what: Box<[u8]>,
    },
    /// An alias or `.forward` file sent another message on.
    Forward,
    /// `postsuper -r` put another queue file in the queue again.
    Requeue,
    /// Postfix itself; the log does not say why.
    Internal,
}

/// The client a message came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FromClient {
    /// Line, time, host, tag, session (of logins) and client.
    pub at: Where,
    /// The client's port, if logged.
    pub port: Option<u16>,
    /// The account that the client logged in to.
    pub username: Option<Box<[u8]>>,
    /// The mechanism of the login, as the client spelled it.
    pub mechanism: Option<Box<[u8]>>,
    /// The queue id before a content filter, as the filter passed it on (XFORWARD).
    pub orig_queue_id: Option<Box<[u8]>>,
}

/// What became of one recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fate {
    /// Handed to the next hop or a mailbox.
    Sent,
    /// Still being tried.
    Deferred,
    /// Returned to the sender.
    Bounced,
    /// Returned after the last try.
    Expired,
    /// Handed to another queue file of ours (past a content filter, forwarded, on our next host), which tells the rest.
    HandedOn,
}

impl Fate {
    /// What a delivery line's status means for the recipient. Probes (`deliverable`) and unknown words are none.
    #[must_use]
    pub fn of_status(status: &[u8]) -> Option<Self> {
        Some(match status {
            b"sent" => Self::Sent,
            b"deferred" | b"SOFTBOUNCE" => Self::Deferred,
            b"bounced" => Self::Bounced,
            b"expired" => Self::Expired,
            _ => return None,
        })
    }

    /// The word for it, as `status=` has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Deferred => "deferred",
            Self::Bounced => "bounced",
            Self::Expired => "expired",
            Self::HandedOn => "handed_on",
        }
    }
}

/// How a message ended, as far as the log shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum End {
    /// The log ends, and it is in the queue.
    #[default]
    InQueue,
    /// The log ends, and it is on hold.
    Held,
    /// All is done: `removed`.
    Removed,
    /// Given back to its sender after the last try.
    Expired,
    /// An admin deleted it (`postsuper -d`).
    Deleted,
    /// An admin put it in the queue again (`postsuper -r`), under another queue id.
    Requeued,
    /// Given up before it was in the queue: the client broke off.
    Canceled,
    /// A rule or a milter refused it before it was in the queue: see [`Stop`].
    Refused,
    /// A rule or a milter threw it away before it was in the queue; the client was told that all is well.
    Discarded,
    /// Its end is not in the log: its queue id is in use again, or the log ends before anybody can know whether it got into the
    /// queue.
    Missing,
    /// Given up here for want of room; what happened to it later is not known.
    GivenUp,
}

impl End {
    /// The name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::InQueue => "in_queue",
            Self::Held => "held",
            Self::Removed => "removed",
            Self::Expired => "expired",
            Self::Deleted => "deleted",
            Self::Requeued => "requeued",
            Self::Canceled => "canceled",
            Self::Refused => "refused",
            Self::Discarded => "discarded",
            Self::Missing => "end_missing",
            Self::GivenUp => "given_up",
        }
    }
}

/// Who refused a message whole, or threw it away, before it was in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Judge {
    /// A milter: rspamd, OpenDKIM, ….
    Milter,
    /// `header_checks`, `mime_header_checks`, `nested_header_checks`, `milter_header_checks`.
    HeaderCheck,
    /// `body_checks`.
    BodyCheck,
    /// The rules for MIME.
    MimeCheck,
    /// A restriction of `smtpd`: an access map, a policy service.
    Restriction,
    /// `message_size_limit`.
    SizeLimit,
    /// `hopcount_limit`: too many `Received:` headers.
    HopCount,
    /// The queue file could not be written.
    QueueFile,
}

impl Judge {
    /// Whose decision a line of `header_checks` and its kin is.
    #[must_use]
    pub fn of_check(check: &ContentCheck<'_>) -> Self {
        match check.part {
            b"header" => Self::HeaderCheck,
            b"mime-error" => Self::MimeCheck,
            _ => Self::BodyCheck,
        }
    }

    /// The name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Milter => "milter",
            Self::HeaderCheck => "header_check",
            Self::BodyCheck => "body_check",
            Self::MimeCheck => "mime_check",
            Self::Restriction => "restriction",
            Self::SizeLimit => "size_limit",
            Self::HopCount => "hop_count",
            Self::QueueFile => "queue_file",
        }
    }

    /// In words, behind `by`.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Milter => "a milter",
            Self::HeaderCheck => "a header check",
            Self::BodyCheck => "a body check",
            Self::MimeCheck => "the rules for MIME",
            Self::Restriction => "a restriction of smtpd",
            Self::SizeLimit => "the size limit",
            Self::HopCount => "the limit of hops",
            Self::QueueFile => "Postfix: its queue file could not be written",
        }
    }
}

/// Why a message was refused whole, or thrown away, before it was in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop<'a> {
    /// Who did it.
    pub by: Judge,
    /// The words of the line: the reply with its codes, or the administrator's words. Empty where they cannot be told.
    pub words: &'a [u8],
    /// A recipient, where the line names one.
    pub to: Option<&'a [u8]>,
}

/// One message made from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Link {
    /// How.
    pub kind: LinkKind,
    /// The other's `Message::number`.
    pub message: u64,
}

/// How one message is made from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LinkKind {
    /// Through a content filter and back in.
    Filter,
    /// To another host or instance of ours.
    Hop,
    /// By an alias or `.forward` file.
    Forward,
    /// Put in the queue again.
    Requeue,
    /// A notice about it to its sender or the postmaster.
    Notice,
}

impl LinkKind {
    /// The name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Filter => "filter",
            Self::Hop => "hop",
            Self::Forward => "forward",
            Self::Requeue => "requeue",
            Self::Notice => "notice",
        }
    }

    /// Whether it is the same mail on its way, and not mail about it.
    #[must_use]
    pub fn carries_on(self) -> bool {
        self != Self::Notice
    }
}

/// A recipient and what became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recipient<'a> {
    /// The address.
    pub to: &'a [u8],
    /// The address before aliases, if another.
    pub orig_to: Option<&'a [u8]>,
    /// The last word about it.
    pub fate: Fate,
    /// Delivery attempts.
    pub tries: u32,
    /// How many of them were put off.
    pub deferrals: u32,
    /// Time of the first attempt, microseconds since 1970 UTC.
    pub first: i64,
    /// Time of the last.
    pub last: i64,
    /// The message that carries on, where the fate is [`Fate::HandedOn`].
    pub next: Option<u64>,
}

/// One delivery attempt.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Try<'a> {
    /// The line's number.
    pub line: u64,
    /// Microseconds since 1970 UTC.
    pub time: i64,
    /// The recipient's address.
    pub to: &'a [u8],
    /// The address before aliases, if another.
    pub orig_to: Option<&'a [u8]>,
    /// How it went.
    pub fate: Fate,
    /// `none`, `local`, a transport, or `host[address]:port`.
    pub relay: &'a [u8],
    /// Enhanced status code; empty if not logged.
    pub dsn: &'a [u8],
    /// The words in parentheses.
    pub response: &'a [u8],
    /// Seconds since the message arrived.
    pub delay: Option<f64>,
    /// Seconds before the queue manager, in it, for connection set-up, for transmission.
    pub delays: Option<[f64; 4]>,
}
