//! The queue: `qmgr`, `cleanup`, `pickup`, `bounce` and `postsuper`, as far as they speak of a message.
//!
//! Input: the message behind the process tag. Output: an [`Event`], or `None`.
//! Source of the wording: Postfix `src/qmgr/qmgr_active.c`, `src/cleanup/cleanup_message.c`, `cleanup_api.c`, `src/pickup/pickup.c`,
//! `src/bounce/`, `src/postsuper/postsuper.c`.

use crate::content::content_check;
use crate::delivery::queued_delivery;
use crate::event::Event;
use crate::level::{Level, level};
use crate::policy::policy;
use crate::queue_id::{QueueId, prefix};
use crate::scan::{number, rsplit_once, split_byte, split_once, whole_u32};
use crate::service::common;

/// `uid=N from=<S>[ orig_id=OLD]`: a local user's message enters the queue, or one that was sent back to the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pickup<'a> {
    /// The message.
    pub queue_id: QueueId<'a>,
    /// The local user's number.
    pub uid: u32,
    /// Envelope sender.
    pub from: &'a [u8],
    /// Its queue id before `postsuper -r` put it back (Postfix 2.1 on).
    pub orig_queue_id: Option<QueueId<'a>>,
}

/// What was done to a queue file, or not done, outside deliveries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueAction {
    /// `placed on hold`.
    Held,
    /// `released from hold`.
    Released,
    /// `requeued`: it starts again from `pickup`, under a new queue id.
    Requeued,
    /// `expired` (Postfix 3.6 on): marked to be returned at the next attempt.
    MarkedExpired,
    /// `skipped, still being delivered`.
    Skipped,
}

impl QueueAction {
    /// The event's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Released => "released",
            Self::Requeued => "requeued",
            Self::MarkedExpired => "marked_expired",
            Self::Skipped => "skipped",
        }
    }
}

/// `qmgr`, `oqmgr`, `nqmgr`.
pub(crate) fn qmgr(text: &[u8]) -> Option<Event<'_>> {
    let Some((id, rest)) = owned(text) else { return note(text) };
    if rest == b"removed" {
        return Some(Event::Removed(id));
    }
    if let Some(event) = active(id, rest) {
        return Some(event);
    }
    if rest == b"skipped, still being delivered" {
        return Some(Event::Queue(id, QueueAction::Skipped));
    }
    if let Some(event) = expired(id, rest).or_else(|| queued_delivery(id, rest)) {
        return Some(event);
    }
    // Cut or odd inside, but no doubt what it is.
    (rest.starts_with(b"from=") && rest.ends_with(b" (queue active)") || rest.starts_with(b"status="))
        .then_some(Event::QueueNote(id, rest))
}

/// `from=<S>, status=expired, returned to sender`, `status=force-expired` (Postfix 3.6 on).
fn expired<'a>(id: QueueId<'a>, rest: &'a [u8]) -> Option<Event<'a>> {
    let (sender, tail) = rsplit_once(rest.strip_prefix(b"from=<")?, b">, status=")?;
    let status = split_byte(tail, b',').map_or(tail, |(status, _)| status);
    matches!(status, b"expired" | b"force-expired").then_some(Event::Expired(id, sender, status))
}

/// Whether a line says that a queue file is gone.
#[inline]
pub(crate) fn is_removed(text: &[u8]) -> bool {
    owned(text).is_some_and(|(_, rest)| rest == b"removed")
}

/// Whether a line says that a message is active, without taking it apart.
#[inline]
pub(crate) fn is_active(text: &[u8]) -> bool {
    owned(text).is_some_and(|(_, rest)| rest.starts_with(b"from=<"))
}

/// `from=<S>, size=N, nrcpt=N (queue active)`.
fn active<'a>(id: QueueId<'a>, rest: &'a [u8]) -> Option<Event<'a>> {
    let (sender, tail) = match rest.strip_prefix(b"from=<") {
        Some(rest) => rsplit_once(rest, b">, size=")?,
        // Tools that hide addresses take the brackets off.
        None => rsplit_once(rest.strip_prefix(b"from=")?, b", size=")?,
    };
    let (size, tail) = number(tail)?;
    let (recipients, _) = number(tail.strip_prefix(b", nrcpt=")?)?;
    Some(Event::Active(id, sender, size, u32::try_from(recipients).ok()?))
}

/// Whether a line tells a Message-ID, without taking it apart.
#[inline]
pub(crate) fn is_message_id(text: &[u8]) -> bool {
    owned(text).is_some_and(|(_, rest)| rest.starts_with(b"message-id="))
}

/// `cleanup`.
pub(crate) fn cleanup(text: &[u8]) -> Option<Event<'_>> {
    let Some((id, rest)) = owned(text) else { return note(text) };
    if let Some(value) = rest.strip_prefix(b"message-id=").or_else(|| rest.strip_prefix(b"resent-message-id=")) {
        // A line cut at Postfix's 2000 bytes lacks the second bracket.
        let cut = value.strip_prefix(b"<").unwrap_or(value);
        return Some(Event::MessageId(id, cut.strip_suffix(b">").unwrap_or(cut)));
    }
    // Postfix 3.10 on: `removed (canceled)`, `removed (discarded)`.
    if rest == b"removed" || rest.starts_with(b"removed (") {
        return Some(Event::Removed(id));
    }
    if let Some(found) = content_check(Some(id), rest) {
        return Some(Event::ContentCheck(found));
    }
    policy(rest)
        .map(|found| Event::Policy(Some(id), found))
        .or_else(|| queued_delivery(id, rest))
        .or_else(|| rest.starts_with(b"status=").then_some(Event::QueueNote(id, rest)))
}

/// `pickup`: `<queue id>: uid=N from=<S>[ orig_id=OLD]`.
pub(crate) fn pickup(text: &[u8]) -> Option<Event<'_>> {
    let Some((queue_id, rest)) = owned(text) else { return note(text) };
    let (uid, rest) = split_byte(rest.strip_prefix(b"uid=")?, b' ')?;
    let rest = rest.strip_prefix(b"from=<")?;
    let (from, orig_queue_id) = match rest.strip_suffix(b">") {
        Some(from) => (from, None),
        None => {
            let (from, orig) = rsplit_once(rest, b"> orig_id=")?;
            (from, Some(QueueId::new(orig)?))
        }
    };
    Some(Event::Pickup(Pickup { queue_id, uid: whole_u32(uid)?, from, orig_queue_id }))
}

/// `bounce`, also under the names `defer` and `trace`: `<queue id>: sender non-delivery notification: NEW`.
pub(crate) fn bounce(text: &[u8]) -> Option<Event<'_>> {
    let Some((id, rest)) = owned(text) else { return note(text) };
    if let Some((what, new)) = split_once(rest, b" notification: ") {
        return Some(Event::Notification(id, what, QueueId::new(new)?));
    }
    let starts = [
        // Postfix 3.11 on, with the address it was for.
        "sender notification failed",
        "postmaster notification failed",
        "postmaster notice failed while ",
        "undeliverable postmaster notification discarded",
        "not sending trace/success notification ",
        "no trace file -- ",
        "status=",
    ];
    starts.iter().any(|words| rest.starts_with(words.as_bytes())).then_some(Event::QueueNote(id, rest))
}

/// `postsuper`: one line for each queue file, and totals.
pub(crate) fn postsuper(text: &[u8]) -> Option<Event<'_>> {
    let Some((id, rest)) = owned(text) else { return postsuper_note(text) };
    let action = match rest {
        b"removed" => return Some(Event::Removed(id)),
        b"placed on hold" => QueueAction::Held,
        b"released from hold" => QueueAction::Released,
        b"requeued" => QueueAction::Requeued,
        b"expired" => QueueAction::MarkedExpired,
        _ => return None,
    };
    Some(Event::Queue(id, action))
}

/// `Deleted: N messages` and its kin.
fn postsuper_note(text: &[u8]) -> Option<Event<'_>> {
    let totals = [
        "Deleted",
        "Requeued",
        "Placed on hold",
        "Released from hold",
        "Expired",
        "Force-expired",
        "Renamed to match inode number",
    ];
    let total = split_once(text, b": ").filter(|(_, rest)| number(rest).is_some());
    if total.is_some_and(|(what, _)| totals.iter().any(|known| what == known.as_bytes())) {
        return Some(Event::Other("postsuper"));
    }
    let renamed = text.starts_with(b"renamed file ") || text.starts_with(b"removed file ");
    if renamed { Some(Event::Other("postsuper")) } else { note(text) }
}

fn owned(text: &[u8]) -> Option<(QueueId<'_>, &[u8])> {
    let (before, rest) = prefix(text)?;
    Some((before.queue_id()?, rest))
}

/// Warnings and other lines of these programs that begin with no queue id.
fn note(text: &[u8]) -> Option<Event<'_>> {
    let connecting = text.starts_with(b"connect to ");
    common(text).or_else(|| (level(text).0 != Level::Info || connecting).then_some(Event::Other("warning")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let check = |parse: fn(&[u8]) -> Option<Event<'_>>, text: &str, expected: &str| {
            assert_eq!(parse(text.as_bytes()).map_or("unknown", |e| e.name()), expected, "{text}")
        };
        check(qmgr, "0F5383D12: removed", "removed");
        check(qmgr, "0F5383D12: from=<a@x>, size=123, nrcpt=1 (queue active)", "queued");
        check(qmgr, "0F5383D12: from=<>, status=expired, returned to sender", "expired");
        check(qmgr, "0F5383D12: nothing we know", "unknown");
        check(cleanup, "0F5383D12: message-id=<x@y>", "message_id");
        check(cleanup, "0F5383D12: removed (canceled)", "removed");
        check(
            cleanup,
            "0F5383D12: milter-reject: END-OF-MESSAGE from h[::1]: 5.7.1 Spam; from=<a> to=<b> proto=ESMTP helo=<h>",
            "reject",
        );
        check(
            cleanup,
            "0F5383D12: warning: header Subject: SASL LOGIN authentication failed: x from h[192.0.2.1]; from=<a> to=<b> proto=ESMTP helo=<h>",
            "content_check",
        );
        check(cleanup, "0F5383D12: removed (discarded)", "removed");
        check(cleanup, "0F5383D12: removed things", "unknown");
        check(cleanup, "warning: 0F5383D12: message rejected: hopcount exceeded", "queue_warning");
        check(
            cleanup,
            "0F5383D12: to=<u@x>, relay=none, delay=0, delays=0/0/0/0, dsn=5.1.3, status=bounced (bad address syntax)",
            "delivery",
        );
        check(qmgr, "0F5383D12: skipped, still being delivered", "skipped");
        check(qmgr, "0F5383D12: from=<a@x>, size=12 (queue active)", "queue_note");
        check(
            qmgr,
            "0F5383D12: to=<u@x>, relay=none, delay=9, delays=9/0/0/0, dsn=4.3.0, status=deferred (mail transport unavailable)",
            "delivery",
        );
        check(qmgr, "warning: 0F5383D12: queue file is damaged", "queue_warning");
        check(qmgr, "warning: connect to transport private/lmtp: Connection refused", "warning");
        check(qmgr, "table hash:/etc/aliases(0,lock) has changed -- restarting", "note");
        check(pickup, "0F5383D12: uid=0 from=<root>", "pickup");
        check(pickup, "0F5383D12: uid=x from=<root>", "unknown");
        check(pickup, "warning: 0F5383D12: message has been queued for 2 days", "queue_warning");
        check(pickup, "fatal: open maildrop: Permission denied", "fatal");
        for what in ["sender non-delivery", "sender delay", "sender delivery status", "postmaster non-delivery"] {
            check(bounce, &format!("0F5383D12: {what} notification: ADD2F8052"), "notification");
        }
        check(bounce, "0F5383D12: sender non-delivery notification: what?", "unknown");
        check(bounce, "0F5383D12: sender notification failed to <a@x>: no room", "queue_note");
        check(bounce, "0F5383D12: postmaster notice failed while bouncing to a@x", "queue_note");
        check(bounce, "0F5383D12: undeliverable postmaster notification discarded", "queue_note");
        check(postsuper, "0F5383D12: removed", "removed");
        check(postsuper, "0F5383D12: placed on hold", "held");
        check(postsuper, "0F5383D12: released from hold", "released");
        check(postsuper, "0F5383D12: requeued", "requeued");
        check(postsuper, "0F5383D12: expired", "marked_expired");
        check(postsuper, "0F5383D12: lost", "unknown");
        check(postsuper, "Deleted: 1 message", "postsuper");
        check(postsuper, "Force-expired: 3 messages", "postsuper");
        check(postsuper, "removed file maildrop/x", "postsuper");
        check(postsuper, "Lost: 1 message", "unknown");
    }

    #[test]
    fn senders_write_no_fields() {
        let Some(Event::Pickup(p)) = pickup(b"0F5383D12: uid=33 from=<a> orig_id=DEADBEEF1> orig_id=1CF582025C") else {
            panic!()
        };
        assert_eq!((p.uid, p.from), (33, b"a> orig_id=DEADBEEF1".as_slice()));
        assert_eq!(p.orig_queue_id.map(QueueId::as_bytes), Some(b"1CF582025C".as_slice()));
        let Some(Event::Pickup(p)) = pickup(b"0F5383D12: uid=33 from=<a> orig_id=DEADBEEF1>") else { panic!() };
        assert_eq!((p.from, p.orig_queue_id), (b"a> orig_id=DEADBEEF1".as_slice(), None));
        let Some(Event::Expired(_, from, status)) =
            qmgr(b"0F5383D12: from=<a>, status=expired, x>, status=force-expired, returned to sender")
        else {
            panic!()
        };
        assert_eq!((from, status), (b"a>, status=expired, x".as_slice(), b"force-expired".as_slice()));
        let Some(Event::Active(_, from, size, _)) = qmgr(b"0F5383D12: from=a@x, size=12, nrcpt=1 (queue active)")
        else {
            panic!()
        };
        assert_eq!((from, size), (b"a@x".as_slice(), 12));
        let Some(Event::Active(_, from, size, _)) =
            qmgr(b"0F5383D12: from=<a>, size=1, nrcpt=1 (queue active)>, size=12, nrcpt=1 (queue active)")
        else {
            panic!()
        };
        assert_eq!((from, size), (b"a>, size=1, nrcpt=1 (queue active)".as_slice(), 12));
    }
}
