//! What detectors are fed with: plain facts about logins, borrowed from whoever has them.

use std::net::IpAddr;

use crate::class::Class;

/// A login that did not succeed, or a session that died before one.
#[derive(Clone, Copy, Debug)]
pub struct Failed<'a> {
    /// Microseconds since 1970 UTC.
    pub time: i64,
    /// The line that tells of it, as the caller numbers lines.
    pub line: u64,
    /// The mail host as logged.
    pub host: &'a [u8],
    /// The service its tag names.
    pub service: &'a [u8],
    /// The client.
    pub client: Option<IpAddr>,
    /// The login name, if known.
    pub account: Option<&'a [u8]>,
    /// How it is counted; `None` for a killed session.
    pub class: Option<Class>,
    /// The session died for want of a backend.
    pub killed: bool,
    /// The cause's id, or empty.
    pub cause: &'static str,
    /// The mechanism as the client spelled it.
    pub mechanism: &'a [u8],
    /// How many attempts this stands for.
    pub count: u32,
}

/// A login that succeeded.
#[derive(Clone, Copy, Debug)]
pub struct LoggedIn<'a> {
    /// Microseconds since 1970 UTC.
    pub time: i64,
    /// The line that tells of it.
    pub line: u64,
    /// The mail host as logged.
    pub host: &'a [u8],
    /// The service its tag names.
    pub service: &'a [u8],
    /// The client.
    pub client: Option<IpAddr>,
    /// The account, if known.
    pub account: Option<&'a [u8]>,
    /// How many logins.
    pub count: u32,
}

/// A message that a login handed in, when its fate is known.
#[derive(Clone, Copy, Debug)]
pub struct Mailed<'a> {
    /// When it was accepted, microseconds.
    pub time: i64,
    /// The client.
    pub client: Option<IpAddr>,
    /// The account.
    pub account: &'a [u8],
    /// Its first queue id.
    pub queue_id: &'a [u8],
    /// Recipients.
    pub recipients: u32,
    /// Of these: returned.
    pub bounced: u32,
    /// Of these: delivered or handed on.
    pub sent: u32,
}

/// Mail refused for want of a login, or in spite of one.
#[derive(Clone, Copy, Debug)]
pub struct TurnedAway<'a> {
    /// Microseconds since 1970 UTC.
    pub time: i64,
    /// The line.
    pub line: u64,
    /// The client.
    pub client: Option<IpAddr>,
    /// The account, if it had logged in.
    pub account: Option<&'a [u8]>,
    /// Relaying was refused; otherwise a login was wanted on a service for mail users.
    pub relay: bool,
    /// The session was logged in.
    pub logged_in: bool,
    /// It is no service for mail users: other servers deliver there.
    pub port_25: bool,
    /// The envelope sender.
    pub sender: Option<&'a [u8]>,
    /// How many refusals.
    pub count: u32,
}
