//! Which lines belong together? SMTP sessions, login attempts, and the messages that logins sent.
//!
//! Lines go in, in the order of the log; outcomes come out through a [`Sink`]: one [`Attempt`] for each login that did not
//! succeed (whatever number of lines tell of it), one [`Login`] for each that did, one [`Refusal`] for each policy
//! decision, one [`Story`] for each mail a login sent, past content filters; with another [`Follow`], a [`Message`] for
//! each queue file, or the stories of all mail. This is the only place with a time window; no clock and no file is read.
//!
//! Memory is bounded by [`Limits`]; what is given up beyond each bound stands there.

mod attempt;
mod evidence;
mod line;
mod message;
mod names;
mod recent;
mod session;
mod tracer;

pub use attempt::{Attempt, AttemptKind, Context, Evidence, EvidenceSource, Login, NameOrigin, Refusal, Where};
pub use line::Line;
pub use message::{
    End, Fate, Follow, FromClient, Judge, Link, LinkKind, Message, Origin, Recipient, Stop, Story, Try, breaks_off,
    is_foreseen,
};
pub use session::SessionId;
pub use tracer::{Limits, Sink, Tracer, first_session_at};

/// A hash map for keys that strangers choose: seeded at random, quick for short keys.
pub type Map<K, V> = std::collections::HashMap<K, V, foldhash::fast::RandomState>;
