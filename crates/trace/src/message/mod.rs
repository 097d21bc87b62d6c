//! Messages: every queue file from its first line to its end, and which of them carry on others.
//!
//! Input: lines about queue files, in the order of the log. Output: a [`Message`] for each queue file that ended, and
//! [`Story`]s, which join those that belong together. A short queue id is used again once its file is gone, so it names a
//! message only together with its host, and only until then.

mod delay;
mod ends;
mod files;
mod links;
mod parts;
mod record;
mod stops;
mod story;
mod tracker;

use std::rc::Rc;

use maillog::{Event, QueueAction};

pub use parts::{End, Fate, FromClient, Judge, Link, LinkKind, Origin, Recipient, Stop, Try};
pub use record::Message;
pub use stops::{breaks_off, is_foreseen};
pub use story::Story;
pub(crate) use tracker::{Arrival, Bounds, Messages, Place};

/// Which messages are followed, and how closely.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Follow {
    /// Those that logins sent, their copies past a content filter, and what `postsuper -r` made of them. Told as stories. Of their
    /// lines only where they come from, what stops them, deliveries, expiry and removal are read, so size and sender stay unknown.
    #[default]
    Logins,
    /// All. Each queue file is told at its end; those of logins as stories, too.
    All,
    /// All, told as stories alone: with forwarded mail, notices, and hops to other hosts and instances of ours.
    Stories {
        /// Keep every attempt and the number of every line.
        detail: bool,
    },
}

impl Follow {
    /// Whether a line of this event can change anything about messages. Others need not be fed.
    #[must_use]
    #[inline]
    pub fn wants(self, event: &Event<'_>) -> bool {
        match event {
            Event::Removed(_) | Event::Expired(..) | Event::Delivery(_) => true,
            Event::Accepted(a) => {
                self.is_all() || a.sasl_username.is_some() || a.orig_queue_id.is_some() || a.client.is_local()
            }
            Event::Pickup(_) | Event::Queue(_, QueueAction::Requeued) => true,
            Event::MessageId(..) | Event::Active(..) | Event::Queue(..) | Event::Notification(..) => self.is_all(),
            _ => self.notes(event),
        }
    }

    /// Whether it is an event of another kind that says something about a message besides: it is put on hold, or there is
    /// trouble with it.
    #[inline]
    pub(crate) fn notes(self, event: &Event<'_>) -> bool {
        match event {
            Event::ContentCheck(check) => check.queue_id.is_some() && (self.is_all() || stops::is_final(check.action)),
            Event::Policy(Some(_), _) => true,
            // Before the first recipient is taken a message has no queue file (Postfix `smtpd_delay_open_until_valid_rcpt`).
            Event::Policy(None, policy) => self.is_all() && stops::is_foreseen(policy.action),
            Event::Disconnect(..) => self.is_all(),
            Event::QueueWarning(_, words) => self.keeps_detail() || self.is_all() && stops::of_warning(words).is_some(),
            Event::Gone { how, stage, queue_id, .. } => {
                self.keeps_detail() && queue_id.is_some() || self.is_all() && stops::breaks_off(*how, stage)
            }
            Event::QueueNote(..) | Event::Remote(_) | Event::RelayhostSaslFailed(Some(_), _) => self.keeps_detail(),
            _ => false,
        }
    }

    #[inline]
    pub(crate) fn is_all(self) -> bool {
        self != Self::Logins
    }

    /// Whether all messages are told as stories.
    pub(crate) fn joins_all(self) -> bool {
        matches!(self, Self::Stories { .. })
    }

    pub(crate) fn keeps_detail(self) -> bool {
        matches!(self, Self::Stories { detail: true })
    }
}

/// A shared empty string.
pub(crate) fn nothing() -> Rc<[u8]> {
    Rc::from(b"".as_slice())
}
