//! Logins after earlier failures of the same client, and the mail they sent.

use std::net::IpAddr;

use trace::{Fate, Story, Where};

/// A login after an earlier failure of the same client (CONTRACT rule 6).
#[derive(Clone, Debug)]
pub struct Recovered {
    /// The client.
    pub client_ip: IpAddr,
    /// The account; `None` where only the session's counters tell of the login.
    pub username: Option<Box<[u8]>>,
    /// All failures of that client before the login.
    pub failures: u64,
    /// Those of that name, or of no known name.
    pub failures_same_user: u64,
    /// The client's first failure.
    pub first_failure: i64,
    /// The login.
    pub succeeded: i64,
    /// Messages this client and account sent from then on.
    pub messages_total: u64,
    /// The first of them, with their fates.
    pub messages: Vec<SentMessage>,
}

/// A message and its recipients' fates.
#[derive(Clone, Debug)]
pub struct SentMessage {
    /// When it was accepted.
    pub time: i64,
    /// The line that tells of it first. Messages end in another order than they came.
    pub(super) line: u64,
    /// Its first queue id.
    pub queue_id: Box<[u8]>,
    /// Recipients seen.
    pub recipients: u32,
    /// Delivered.
    pub sent: u32,
    /// Still being tried.
    pub deferred: u32,
    /// Returned.
    pub bounced: u32,
    /// Returned after the last try.
    pub expired: u32,
    /// The first recipients with their fates.
    pub to: Box<[(Box<[u8]>, Fate)]>,
}

impl SentMessage {
    /// A mail's fates; of its recipients at most so many are listed.
    pub(super) fn of(story: &Story, at: &Where, listed: usize) -> Self {
        let fates = story.fates();
        let few = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let count = |wanted: &[Fate]| few(fates.iter().filter(|(_, fate)| wanted.contains(fate)).count());
        Self {
            time: at.time,
            line: at.line,
            queue_id: story.queue_id().into(),
            recipients: few(fates.len()),
            sent: count(&[Fate::Sent, Fate::HandedOn]),
            deferred: count(&[Fate::Deferred]),
            bounced: count(&[Fate::Bounced]),
            expired: count(&[Fate::Expired]),
            to: fates.iter().take(listed).map(|(to, fate)| (Box::from(*to), *fate)).collect(),
        }
    }
}
