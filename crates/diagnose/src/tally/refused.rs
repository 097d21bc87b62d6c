//! Mail that was refused for want of a login, or of the right to relay.

use std::collections::BTreeMap;
use std::rc::Rc;

use trace::Refusal;

use super::proof::Proof;

/// Rows of refused clients at most.
const REFUSED: usize = 20_000;

/// Which of the guide's three cases a relay refusal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RelayWhy {
    /// The session tried no login.
    NoLoginTried,
    /// A login failed in the session.
    LoginFailedBefore,
    /// The session was logged in: a rule refused it all the same.
    LoggedInButRefused,
}

impl RelayWhy {
    /// The name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NoLoginTried => "no_login_tried",
            Self::LoginFailedBefore => "login_failed_before",
            Self::LoggedInButRefused => "logged_in_but_refused",
        }
    }
}

/// Refusals of one kind for one client.
#[derive(Clone, Debug)]
pub struct Refused {
    /// How many.
    pub count: u64,
    /// The first and the last, microseconds.
    pub first: i64,
    /// See `first`.
    pub last: i64,
    /// The reply, of the first.
    pub reply: Box<[u8]>,
    /// Sender and recipient of the first.
    pub from: Option<Box<[u8]>>,
    /// See `from`.
    pub to: Option<Box<[u8]>>,
    /// The account, where it is known.
    pub username: Option<Box<[u8]>>,
    /// The program tag.
    pub tag: Box<[u8]>,
    /// The line.
    pub proof: Option<Rc<Proof>>,
}

pub(super) fn add_refused<K: Ord>(
    table: &mut BTreeMap<K, Refused>,
    key: K,
    refusal: &Refusal,
    proof: Option<Rc<Proof>>,
) {
    if table.len() >= REFUSED && !table.contains_key(&key) {
        return;
    }
    let time = refusal.at.time;
    let new = || Refused {
        count: 0,
        first: time,
        last: time,
        reply: refusal.reply.clone(),
        from: refusal.from.clone(),
        to: refusal.to.clone(),
        username: refusal.username.clone(),
        tag: (*refusal.at.tag).into(),
        proof,
    };
    let row = table.entry(key).or_insert_with(new);
    row.count += u64::from(refusal.count);
    row.last = row.last.max(time);
}
