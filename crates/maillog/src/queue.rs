//! The queue: `qmgr`, `cleanup`, `pickup`, `bounce` and `postsuper`, as far as they speak of a message.
//!
//! Input: the message behind the process tag. Output: an [`Event`], or `None`.
//! Source of the wording: Postfix `src/qmgr/qmgr_active.c`, `src/cleanup/cleanup_message.c`, `src/pickup/pickup.c`, `src/bounce/`.

use crate::event::Event;
use crate::level::{Level, level};
use crate::policy::{content_check, policy};
use crate::queue_id::{QueueId, prefix};
use crate::scan::{contains, number, split_byte, split_once};

/// `qmgr`, `oqmgr`, `nqmgr`.
pub(crate) fn qmgr(text: &[u8]) -> Option<Event<'_>> {
    let Some((id, rest)) = owned(text) else { return note(text) };
    if rest == b"removed" {
        return Some(Event::Removed(id));
    }
    if is_active(text)
        && let Some(event) = active(id, rest)
    {
        return Some(event);
    }
    let Some(sender) = rest.strip_prefix(b"from=<") else {
        return (rest == b"skipped, still being delivered"
            || rest.starts_with(b"status=")
            || rest.starts_with(b"to=<"))
        .then_some(Event::Other("qmgr_note"));
    };
    if rest.ends_with(b" (queue active)") {
        // Cut or odd inside, but no doubt what it is.
        return Some(Event::Other("qmgr_note"));
    }
    let (sender, tail) = split_once(sender, b">, status=")?;
    (tail.starts_with(b"expired") || tail.starts_with(b"force-expired")).then_some(Event::Expired(id, sender))
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
    let (sender, tail) = split_once(rest.strip_prefix(b"from=<")?, b">, size=")?;
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
        return Some(Event::MessageId(id, crate::scan::unbracket(value)));
    }
    if rest.starts_with(b"removed") {
        return Some(Event::Removed(id));
    }
    if let Some(action) = content_check(rest) {
        return Some(Event::ContentCheck(Some(id), action));
    }
    policy(rest).map(|found| Event::Policy(Some(id), found))
}

/// `pickup`: `<queue id>: uid=N from=<S>[ orig_id=OLD]`.
pub(crate) fn pickup(text: &[u8]) -> Option<Event<'_>> {
    let Some((id, rest)) = owned(text) else { return note(text) };
    let (uid, sender) = split_byte(rest.strip_prefix(b"uid=")?, b' ')?;
    let sender = sender.strip_prefix(b"from=<")?;
    let sender = sender.get(..memchr::memrchr(b'>', sender)?)?;
    uid.iter().all(u8::is_ascii_digit).then_some(Event::Pickup(id, sender))
}

/// `bounce`, also under the names `defer` and `trace`: `<queue id>: sender non-delivery notification: NEW`.
pub(crate) fn bounce(text: &[u8]) -> Option<Event<'_>> {
    let Some((id, rest)) = owned(text) else { return note(text) };
    if let Some((what, new)) = split_once(rest, b" notification: ") {
        return Some(Event::Notification(id, what, QueueId::new(new)?));
    }
    (contains(rest, b"notification") || rest.starts_with(b"status=")).then_some(Event::Other("bounce_note"))
}

/// `postsuper`.
pub(crate) fn postsuper(text: &[u8]) -> Option<Event<'_>> {
    match owned(text) {
        Some((id, b"removed")) => Some(Event::Removed(id)),
        _ => Some(Event::Other("postsuper")),
    }
}

fn owned(text: &[u8]) -> Option<(QueueId<'_>, &[u8])> {
    let (before, rest) = prefix(text)?;
    Some((before.queue_id()?, rest))
}

/// Warnings and other lines of these programs that name no queue file of a message.
fn note(text: &[u8]) -> Option<Event<'_>> {
    let severe = level(text).0 != Level::Info;
    let known = ["table ", "name_mask: ", "statistics: ", "using backwards-compatible", "connect to "];
    (severe
        || known.iter().any(|words| text.starts_with(words.as_bytes()))
        || contains(text, b" has changed -- restarting"))
    .then_some(Event::Other("warning"))
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
        check(pickup, "0F5383D12: uid=0 from=<root>", "pickup");
        check(bounce, "0F5383D12: sender non-delivery notification: ADD2F8052", "notification");
        check(postsuper, "Deleted: 1 message", "postsuper");
    }
}
