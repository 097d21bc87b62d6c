//! The classes that lines and sessions are counted by.

macro_rules! classes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// What a line or a session is counted as.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Class { $($(#[$doc])* $variant,)* }

        impl Class {
            /// Every class, in the order they are shown.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name in queries, JSON and on the screen.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

classes! {
    /// A backend refused the login.
    AuthFailed = "auth_failed",
    /// The backend could not decide: it is gone, overloaded or broken.
    BackendFault = "backend_fault",
    /// AUTH was refused before it reached a backend.
    AuthRefused = "auth_refused",
    /// The client gave up, or was gone before it was answered.
    AuthAborted = "auth_aborted",
    /// A login succeeded.
    AuthOk = "auth_ok",
    /// A line that shows a broken backend and names no client.
    BackendEvidence = "backend_evidence",
    /// The TLS handshake failed.
    TlsFailed = "tls_failed",
    /// Over one of Postfix's limits.
    RateLimited = "rate_limited",
    /// Refused on a service for mail users, for want of a login.
    NotLoggedIn = "not_logged_in",
    /// Refused to relay.
    RelayDenied = "relay_denied",
    /// The login may not use this sender address.
    SenderMismatch = "sender_mismatch",
    /// Any other reject.
    OtherReject = "other_reject",
    /// Postfix's own login at another server failed.
    RelayhostAuthFailed = "relayhost_auth_failed",
    /// Delivered.
    Sent = "sent",
    /// To be tried again.
    Deferred = "deferred",
    /// Returned.
    Bounced = "bounced",
    /// Returned after the last try.
    Expired = "expired",
}

impl Class {
    /// The class of a delivery line's status.
    #[must_use]
    pub fn of_delivery(status: &[u8]) -> Option<Self> {
        Some(match status {
            b"sent" => Self::Sent,
            b"deferred" | b"SOFTBOUNCE" => Self::Deferred,
            b"bounced" => Self::Bounced,
            b"expired" => Self::Expired,
            _ => return None,
        })
    }
}
