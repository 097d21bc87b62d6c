//! Header and body checks of `cleanup`, and `smtpd`'s and a milter's own.
//!
//! Input: the text behind `<queue id>: `. Output: a [`ContentCheck`]. What was checked is the sender's text and may look like
//! our own fields; so may a reply that quotes it. Where the line could be read in two ways, only the action is taken.
//! Source of the wording: Postfix `src/cleanup/cleanup_message.c` (`cleanup_act_log`), `src/cleanup/cleanup_milter.c`.

use crate::client::{Client, whole_client};
use crate::policy::{ACTIONS, addresses_of};
use crate::queue_id::QueueId;
use crate::scan::{find, split_around, split_once, unbracket, word};

/// A header or body check that fired.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ContentCheck<'a> {
    /// The message.
    pub queue_id: Option<QueueId<'a>>,
    /// What was done: `reject`, `warning`, `hold`, `discard`, `redirect`, `filter`, `prepend`, …
    pub action: &'a [u8],
    /// What was looked at: `header`, `body`, `mime-error`, `content`.
    pub part: &'a [u8],
    /// Who sent it; `None` for mail of this host, and where it cannot be told.
    pub client: Option<Client<'a>>,
    /// Envelope sender.
    pub from: Option<&'a [u8]>,
    /// Envelope recipient.
    pub to: Option<&'a [u8]>,
    /// `SMTP`, `ESMTP`.
    pub proto: Option<&'a [u8]>,
    /// What the client calls itself.
    pub helo: Option<&'a [u8]>,
    /// The administrator's words, or the address or transport of the action.
    pub reply: Option<&'a [u8]>,
}

impl ContentCheck<'_> {
    /// Without what a delivery agent would not have logged: for a line whose program is not known.
    pub(crate) fn of_any_program(self) -> Self {
        Self { client: None, from: None, to: None, proto: None, helo: None, reply: None, ..self }
    }
}

/// Parses `ACTION: header CONTENT from <client>; from=<S> to=<R> proto=P helo=<H>: TEXT`.
pub(crate) fn content_check<'a>(queue_id: Option<QueueId<'a>>, text: &'a [u8]) -> Option<ContentCheck<'a>> {
    let (check, content) = action_and_part(queue_id, text)?;
    Some(match origin(content) {
        Some((client, tail)) => with_tail(ContentCheck { client, ..check }, tail),
        None => check,
    })
}

/// Parses a delivery agent's `ACTION: header CONTENT: TEXT`, which names nobody: whatever looks like it is the sender's.
///
/// Source: Postfix `src/smtp/smtp_proto.c` (`smtp_hbc_logger`).
pub(crate) fn delivery_check<'a>(queue_id: Option<QueueId<'a>>, text: &'a [u8]) -> Option<ContentCheck<'a>> {
    action_and_part(queue_id, text).map(|(check, _)| check)
}

/// `ACTION: header `, and what follows.
fn action_and_part<'a>(queue_id: Option<QueueId<'a>>, text: &'a [u8]) -> Option<(ContentCheck<'a>, &'a [u8])> {
    let (action, rest) = split_once(text, b": ")?;
    let action = action.strip_prefix(b"milter-").unwrap_or(action);
    let action = action.strip_prefix(b"header-").or_else(|| action.strip_prefix(b"body-")).unwrap_or(action);
    let known = ACTIONS.contains(&action)
        || matches!(
            action,
            b"warning" | b"replace" | b"strip" | b"ignore" | b"REJECT" | b"HOLD" | b"DISCARD" | b"WARN" | b"INFO"
        );
    let (part, content) = word(rest);
    let part_known = matches!(part, b"header" | b"body" | b"mime-error" | b"content") && part.len() < rest.len();
    (known && part_known).then(|| (ContentCheck { queue_id, action, part, ..ContentCheck::default() }, content))
}

/// How much of a content Postfix logs (200 bytes), its own words about a MIME error, and a client.
const ORIGIN_BYTES_MAX: usize = 1200;

/// ` from ORIGIN;`: the client, and what follows. `None` if none or several could be it.
fn origin(content: &[u8]) -> Option<(Option<Client<'_>>, &[u8])> {
    let mut found = None;
    let mut rest = content.get(..ORIGIN_BYTES_MAX).unwrap_or(content);
    while let Some(at) = find(rest, b" from ") {
        let (_, after) = split_around(rest, at, b" from ".len())?;
        if let Some(client) = split_once(after, b";").and_then(|(who, _)| whole_origin(who)) {
            if found.is_some() {
                return None;
            }
            found = Some((client, content.len() - content.len().min(ORIGIN_BYTES_MAX) + after.len()));
        }
        // One byte of it may begin the next.
        rest = rest.get(at + b" from".len()..)?;
    }
    let (client, left) = found?;
    let (_, tail) = split_once(content.get(content.len() - left..)?, b";")?;
    Some((client, tail))
}

/// `local`, `unknown` or a client, and nothing else.
fn whole_origin(who: &[u8]) -> Option<Option<Client<'_>>> {
    if matches!(who, b"local" | b"unknown") {
        return Some(None);
    }
    whole_client(who).filter(|client| !client.name.contains(&b' ')).map(Some)
}

/// ` from=<S> to=<R>[ proto=P][ helo=<H>][: TEXT]`.
fn with_tail<'a>(check: ContentCheck<'a>, tail: &'a [u8]) -> ContentCheck<'a> {
    let Some((before, after)) = split_once(tail, b" proto=") else { return local_tail(check, tail) };
    if find(after, b" proto=").is_some() {
        return check;
    }
    let (from, to) = addresses_of(before);
    // HELO holds no blank: Postfix replaces them.
    let (fields, reply) = split_once(after, b": ").map_or((after, None), |(fields, reply)| (fields, Some(reply)));
    let (proto, helo) = word(fields);
    let helo = helo.strip_prefix(b"helo=").map(unbracket);
    ContentCheck { from, to, proto: Some(proto), helo, reply, ..check }
}

/// Mail of this host has neither protocol nor HELO.
fn local_tail<'a>(check: ContentCheck<'a>, tail: &'a [u8]) -> ContentCheck<'a> {
    let (envelope, reply) = match find(tail, b">: ").and_then(|at| split_around(tail, at + 1, 2)) {
        Some((envelope, reply)) if find(reply, b">: ").is_none() => (envelope, Some(reply)),
        Some(_) => return check,
        None => (tail, None),
    };
    let (from, to) = addresses_of(envelope);
    ContentCheck { from, to, reply, ..check }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(bytes: Option<&[u8]>) -> String {
        bytes.map_or("-".to_owned(), |bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    #[track_caller]
    fn check(text: &str, action: &str, part: &str, client: &str, rest: [&str; 5]) {
        let found = content_check(None, text.as_bytes()).unwrap_or_else(|| panic!("nothing: {text}"));
        assert_eq!((shown(Some(found.action)), shown(Some(found.part))), (action.into(), part.into()), "{text}");
        assert_eq!(shown(found.client.map(|client| client.address)), client, "{text}");
        let fields = [found.from, found.to, found.proto, found.helo, found.reply].map(shown);
        assert_eq!(fields, rest, "{text}");
    }

    #[test]
    fn every_action() {
        check(
            "reject: header Subject: buy from h.example[192.0.2.1]; from=<a@x> to=<b@y> proto=ESMTP helo=<h>: 5.7.1 no: really",
            "reject",
            "header",
            "192.0.2.1",
            ["a@x", "b@y", "ESMTP", "h", "5.7.1 no: really"],
        );
        check(
            "milter-header-redirect: header X-Spam-Status: Yes, score=39.3 tests=ADVANCE_FE from h.example[192.0.2.1]; from=<a@x> to=<b@y> proto=ESMTP helo=<h>: tom@example.com",
            "redirect",
            "header",
            "192.0.2.1",
            ["a@x", "b@y", "ESMTP", "h", "tom@example.com"],
        );
        for action in ["warning", "info", "hold", "discard", "filter", "prepend", "replace", "bcc", "strip", "delay"] {
            let text =
                format!("{action}: body words from unknown[2001:db8::1]:4711; from=<> to=<b@y> proto=SMTP helo=<h>");
            check(&text, action, "body", "2001:db8::1", ["", "b@y", "SMTP", "h", "-"]);
        }
        check(
            "info: header Subject: test from local; from=<a@x> to=<b@y>",
            "info",
            "header",
            "-",
            ["a@x", "b@y", "-", "-", "-"],
        );
        check(
            "warning: header Subject: test from local; from=<a@x>: words: more",
            "warning",
            "header",
            "-",
            ["a@x", "-", "-", "-", "words: more"],
        );
    }

    #[test]
    fn a_sender_who_writes_our_fields_gets_none() {
        let none = ["-", "-", "-", "-", "-"];
        check(
            "warning: header Subject: x from evil[198.51.100.7]; from=<v@x> to=<w@y> proto=ESMTP helo=<z> from h[192.0.2.1]; from=<a@x> to=<b@y> proto=ESMTP helo=<h>",
            "warning",
            "header",
            "-",
            none,
        );
        check(
            "warning: body x from evil[198.51.100.7]; from=<v@x> from local; from=<a@x> to=<b@y>",
            "warning",
            "body",
            "-",
            none,
        );
        check(
            "warning: header Subject: x from evil[198.51.100.7]: from h[192.0.2.1]; from=<\"a proto=ESMTP helo=<q>: \"@x> to=<b@y> proto=ESMTP helo=<h>",
            "warning",
            "header",
            "192.0.2.1",
            none,
        );
    }

    #[test]
    fn delivery_agents_name_nobody() {
        let text =
            b"replace: header Subject: x from evil[198.51.100.7]; from=<a> to=<b> proto=ESMTP helo=<h>: Subject: y";
        let found = delivery_check(None, text).unwrap();
        assert_eq!(found, ContentCheck { action: b"replace", part: b"header", ..ContentCheck::default() });
    }

    #[test]
    fn what_is_no_check() {
        for text in
            ["reject: RCPT from h[192.0.2.1]: 550 no", "header Subject: x", "sneeze: header x", "reject: header", ""]
        {
            assert_eq!(content_check(None, text.as_bytes()), None, "{text}");
        }
    }
}
