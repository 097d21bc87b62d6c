//! What a line says: the one list of events, whatever program wrote them.

use crate::anvil::Peak;
use crate::client::Client;
use crate::content::ContentCheck;
use crate::delivery::Delivery;
use crate::dovecot::{DovecotAuth, DovecotLogin};
use crate::dovecot_delivery::DovecotDelivery;
use crate::neighbour::Examination;
use crate::policy::Policy;
use crate::queue::{Pickup, QueueAction};
use crate::queue_id::QueueId;
use crate::remote::Remote;
use crate::sasl::{BackendTrouble, SaslFailure};
use crate::saslauthd::{PamFailure, SaslauthdFailure};
use crate::screening::{DnsListing, Screening};
use crate::smtpd::{Acceptance, Limit, RawCounters, TlsEstablished};

/// A message understood. Everything borrows from the line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event<'a> {
    /// `connect from`: a session starts.
    Connect(Client<'a>),
    /// `disconnect from`: a session ends, since Postfix 3.0 with counters.
    Disconnect(Client<'a>, Option<RawCounters<'a>>),
    /// The backend refused a login, or could not decide it.
    SaslFailed(SaslFailure<'a>),
    /// The client answered a challenge with `*`; with the mechanism.
    SaslAborted(Client<'a>, &'a [u8]),
    /// `lost connection`, `timeout` or `too many errors`, after which command.
    Gone {
        /// What happened.
        how: Gone,
        /// The last command that was processed.
        stage: &'a [u8],
        /// Who is gone.
        client: Client<'a>,
        /// The message in progress (Postfix 3.10 on).
        queue_id: Option<QueueId<'a>>,
    },
    /// A client went over one of anvil's limits.
    Limited(Limit<'a>),
    /// `smtpd`'s SASL library or its connection to Dovecot has trouble; names no client.
    Backend(BackendTrouble<'a>),
    /// A process died; with its words.
    Fatal(&'a [u8]),
    /// The TLS handshake with a client failed; with the error text (`-1`, `0`, `lost connection`, an errno text).
    TlsAcceptError(Client<'a>, &'a [u8]),
    /// What the TLS library said about it; names no client.
    TlsLibrary(&'a [u8]),
    /// A TLS handshake went well (TLS log level 1 and up).
    TlsEstablished(TlsEstablished<'a>),
    /// The server's own TLS set-up is broken, or the client was turned away for want of it.
    TlsServerTrouble(Option<Client<'a>>, &'a [u8]),
    /// Commands sent ahead of the reply; after which command, and what was sent.
    Pipelining(Client<'a>, &'a [u8], &'a [u8]),
    /// `request longer than N`; the text leaks the start of what was sent.
    TooLong(Client<'a>, u64, &'a [u8]),
    /// `non-SMTP command`; with the text.
    NonSmtp(Client<'a>, &'a [u8]),
    /// A reject, hold, warn … decision.
    Policy(Option<QueueId<'a>>, Policy<'a>),
    /// A header or body check.
    ContentCheck(ContentCheck<'a>),
    /// A client's name and address do not fit each other; the address.
    HostnameMismatch(Client<'a>),
    /// An address that is none, and the command it stood in.
    BadAddress(Client<'a>, &'a [u8]),
    /// `client=`: a message was accepted from a client.
    Accepted(Acceptance<'a>),
    /// `cleanup` read the Message-ID.
    MessageId(QueueId<'a>, &'a [u8]),
    /// `qmgr` took a message into the active queue: sender, size, recipients.
    Active(QueueId<'a>, &'a [u8], u64, u32),
    /// A queue file is gone.
    Removed(QueueId<'a>),
    /// `qmgr` returned a message to its sender: sender, and `expired` or `force-expired` (by `postsuper -f`, Postfix 3.6 on).
    Expired(QueueId<'a>, &'a [u8], &'a [u8]),
    /// What was done to a queue file, or not done, outside deliveries.
    Queue(QueueId<'a>, QueueAction),
    /// A warning about a message; with its words.
    QueueWarning(QueueId<'a>, &'a [u8]),
    /// Anything else about a message; with its words.
    QueueNote(QueueId<'a>, &'a [u8]),
    /// One delivery attempt for one recipient.
    Delivery(Delivery<'a>),
    /// The server we deliver to, or the way to it, outside a delivery line.
    Remote(Remote<'a>),
    /// A local user handed in a message.
    Pickup(Pickup<'a>),
    /// A bounce, delay or success notice was made: what about, and the notice's own queue id.
    Notification(QueueId<'a>, &'a [u8], QueueId<'a>),
    /// Postfix as SASL client failed to log in at another server; never one of our users.
    RelayhostSaslFailed(Option<QueueId<'a>>, &'a [u8]),
    /// A process of ours ended: pid, and how.
    ProcessExit(u32, &'a [u8]),
    /// `master` starts or reloads: the version.
    Started(&'a [u8]),
    /// `master` says a service is throttled or at its process limit.
    ServiceTrouble(&'a [u8]),
    /// `postscreen` about an address.
    Postscreen(Screening<'a>),
    /// `dnsblog` found an address in a DNS list.
    DnsListed(DnsListing<'a>),
    /// `tlsproxy` about a connection: `CONNECT`, `DISCONNECT`, what failed.
    TlsProxy(Client<'a>, &'a [u8]),
    /// `anvil`: the most that a client asked of a service.
    Peak(Peak<'a>),
    /// Dovecot's verdict on a login.
    DovecotAuth(DovecotAuth<'a>),
    /// Dovecot's own IMAP, POP3, ManageSieve or submission login ended, well or badly.
    DovecotLogin(DovecotLogin<'a>),
    /// Dovecot delivered a message, or did something else with it.
    DovecotDelivery(DovecotDelivery<'a>),
    /// What a program beside Postfix found about a message or a client.
    Examined(Examination<'a>),
    /// Dovecot trouble that names no user: limits, crashes, starts; with its words, severity included.
    DovecotService(&'a [u8]),
    /// saslauthd refused a login.
    Saslauthd(SaslauthdFailure<'a>),
    /// What saslauthd's LDAP module says before its verdict: the words.
    SaslauthdLdap(&'a [u8]),
    /// PAM refused a login.
    Pam(PamFailure<'a>),
    /// Lines were lost before this one: how many.
    LinesLost(u64),
    /// `last message repeated N times`.
    LastRepeated(u32),
    /// Understood, and of no further use here; with a name for the kind.
    Other(&'static str),
    /// Another program's line.
    OtherProgram,
}

/// How a client left early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    /// The connection broke.
    Lost,
    /// It said nothing for too long.
    Timeout,
    /// It made too many errors.
    TooManyErrors,
    /// It ended a line with a bare line feed (Postfix 3.9 on), and was disconnected.
    BareLineFeed,
}

impl Event<'_> {
    /// The event's name as the `event` field shows it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Connect(_) => "connect",
            Self::Disconnect(..) => "disconnect",
            Self::SaslFailed(_) => "sasl_failed",
            Self::SaslAborted(..) => "sasl_aborted",
            Self::Gone { how: Gone::Lost, .. } => "lost_connection",
            Self::Gone { how: Gone::Timeout, .. } => "timeout",
            Self::Gone { how: Gone::TooManyErrors, .. } => "too_many_errors",
            Self::Gone { how: Gone::BareLineFeed, .. } => "bare_line_feed",
            Self::Limited(_) => "limited",
            Self::Backend(BackendTrouble::Cyrus(_)) => "sasl_detail",
            Self::Backend(_) => "sasl_backend",
            Self::Fatal(_) => "fatal",
            Self::TlsAcceptError(..) => "tls_failed",
            Self::TlsLibrary(_) => "tls_library",
            Self::TlsEstablished(_) => "tls_established",
            Self::TlsServerTrouble(..) => "tls_server",
            Self::Pipelining(..) => "pipelining",
            Self::TooLong(..) => "request_too_long",
            Self::NonSmtp(..) => "non_smtp",
            Self::Policy(_, policy) if matches!(policy.action, b"reject" | b"milter-reject" | b"proxy-reject") => {
                "reject"
            }
            Self::Policy(..) => "policy",
            Self::ContentCheck(_) => "content_check",
            Self::HostnameMismatch(_) => "hostname_mismatch",
            Self::BadAddress(..) => "bad_address",
            Self::Accepted(_) => "client",
            Self::MessageId(..) => "message_id",
            Self::Active(..) => "queued",
            Self::Removed(_) => "removed",
            Self::Expired(..) => "expired",
            Self::Delivery(_) => "delivery",
            Self::Queue(_, action) => action.name(),
            Self::QueueWarning(..) => "queue_warning",
            Self::QueueNote(..) => "queue_note",
            Self::Remote(found) => found.kind.name(),
            Self::Pickup(_) => "pickup",
            Self::Notification(..) => "notification",
            Self::RelayhostSaslFailed(..) => "relayhost_sasl_failed",
            Self::ProcessExit(..) => "process_exit",
            Self::Started(_) => "started",
            Self::ServiceTrouble(_) => "service_trouble",
            Self::Postscreen(_) => "postscreen",
            Self::DnsListed(_) => "dns_listed",
            Self::TlsProxy(..) => "tls_proxy",
            Self::Peak(_) => "anvil_peak",
            Self::DovecotAuth(_) => "dovecot_auth",
            Self::DovecotLogin(_) => "dovecot_login",
            Self::DovecotDelivery(_) => "dovecot_delivery",
            Self::Examined(found) => found.by.name(),
            Self::DovecotService(_) => "dovecot_service",
            Self::Saslauthd(_) => "saslauthd",
            Self::SaslauthdLdap(_) => "saslauthd_ldap",
            Self::Pam(_) => "pam",
            Self::LinesLost(_) => "lines_lost",
            Self::LastRepeated(_) => "repeated",
            Self::Other(name) => name,
            Self::OtherProgram => "other_program",
        }
    }
}
