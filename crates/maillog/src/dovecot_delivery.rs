//! Dovecot's deliveries: what its LMTP server, `dovecot-lda` and Sieve did with a message.
//!
//! Input: the message behind the tag `dovecot`. Output: a [`DovecotDelivery`], or `None` for any other line of theirs.
//! Source of the wording: Dovecot `src/lib-lda/mail-deliver.c` (`deliver_log_format`), `src/lmtp/`, Pigeonhole
//! `src/lib-sieve/sieve-actions.c`.

use crate::scan::{find, rsplit_once, split_byte, split_once, unbracket};

/// What became of a message at Dovecot, for one user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DovecotDelivery<'a> {
    /// `lmtp` or `lda`.
    pub service: &'a [u8],
    /// Whose mailbox; `None` if the line does not say.
    pub user: Option<&'a [u8]>,
    /// The Message-ID without brackets; `None` where the message has none.
    pub message_id: Option<&'a [u8]>,
    /// `saved mail to INBOX`, `stored mail into mailbox 'Junk'`, `save failed to INBOX: …`, ….
    pub outcome: &'a [u8],
}

/// Reads `lmtp(user)<pid><session>: [sieve: ]msgid=<M>: OUTCOME`, with the older prefixes `lmtp(pid, user): session: ` and
/// `lda(user): `.
pub(crate) fn delivery(text: &[u8]) -> Option<DovecotDelivery<'_>> {
    let (service, rest) = split_byte(text, b'(')?;
    if !matches!(service, b"lmtp" | b"lda" | b"deliver") {
        return None;
    }
    let (inside, rest) = split_byte(rest, b')')?;
    let (_, rest) = split_once(rest, b"msgid=")?;
    let (message_id, outcome) = message_id_and_outcome(rest)?;
    Some(DovecotDelivery { service, user: user(inside), message_id, outcome })
}

/// `user`, `pid, user` or `pid`.
fn user(inside: &[u8]) -> Option<&[u8]> {
    let name = match split_once(inside, b", ") {
        Some((pid, name)) if pid.iter().all(u8::is_ascii_digit) => name,
        _ => inside,
    };
    (!name.is_empty() && !name.iter().all(u8::is_ascii_digit)).then_some(name)
}

/// The sender writes the Message-ID and may put our separator into it: then it is not told, and the outcome is what stands
/// behind the last separator that words of Dovecot's follow.
fn message_id_and_outcome(text: &[u8]) -> Option<(Option<&[u8]>, &[u8])> {
    let (id, outcome) = match find(text, b">: ").filter(|_| text.starts_with(b"<")) {
        Some(at) => (text.get(..=at)?, text.get(at + 3..)?),
        None => split_once(text, b": ")?,
    };
    let (id, outcome) = match rsplit_once(outcome, b">: ") {
        Some((_, last)) => (None, last),
        None => (Some(unbracket(id)), outcome),
    };
    let message_id = id.filter(|id| !id.is_empty() && *id != b"unspecified");
    is_outcome(outcome).then_some((message_id, outcome))
}

/// Dovecot's own words.
fn is_outcome(text: &[u8]) -> bool {
    let known = [
        "saved mail to ",
        "save failed to ",
        "stored mail into mailbox ",
        "failed to store into mailbox ",
        "forwarded to ",
        "failed to redirect message ",
        "redirected message to ",
        "discarded ",
        "marked message to be discarded",
        "rejected ",
        "sent vacation ",
        "sent rejection ",
        "sent notification ",
        "discard action",
        "not storing message",
        "Message ",
        "message ",
        "Couldn't ",
    ];
    known.iter().any(|words| text.starts_with(words.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, service: &str, user: &str, message_id: Option<&str>, outcome: &str) {
        let found = delivery(text.as_bytes()).unwrap_or_else(|| panic!("nothing: {text}"));
        let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert_eq!(
            (shown(found.service), found.user.map(shown), found.message_id.map(shown), shown(found.outcome)),
            (service.into(), Some(user.into()), message_id.map(Into::into), outcome.into()),
            "{text}"
        );
    }

    #[test]
    fn every_prefix() {
        check(
            "lmtp(a@x)<123><sEss>: msgid=<m@y>: saved mail to INBOX",
            "lmtp",
            "a@x",
            Some("m@y"),
            "saved mail to INBOX",
        );
        check(
            "lmtp(a@x)<123><sEss>: Info: sieve: msgid=<m@y>: stored mail into mailbox 'Junk'",
            "lmtp",
            "a@x",
            Some("m@y"),
            "stored mail into mailbox 'Junk'",
        );
        check(
            "lmtp(123, a@x): sEss: msgid=<m@y>: saved mail to INBOX",
            "lmtp",
            "a@x",
            Some("m@y"),
            "saved mail to INBOX",
        );
        check("lda(a@x): msgid=unspecified: saved mail to INBOX", "lda", "a@x", None, "saved mail to INBOX");
        check(
            "lda(a@x)<7><s>: msgid=<m@y>: save failed to INBOX: Quota exceeded (mailbox for user is full)",
            "lda",
            "a@x",
            Some("m@y"),
            "save failed to INBOX: Quota exceeded (mailbox for user is full)",
        );
        check("lda(a): sieve: msgid=m@y: forwarded to <b@z>", "lda", "a", Some("m@y"), "forwarded to <b@z>");
        check("lda(a): msgid=<m: n@y>: saved mail to INBOX", "lda", "a", Some("m: n@y"), "saved mail to INBOX");
    }

    #[test]
    fn a_sender_tells_no_outcome() {
        check(
            "lda(a): msgid=<m>: saved mail to INBOX>: save failed to INBOX: no",
            "lda",
            "a",
            None,
            "save failed to INBOX: no",
        );
        assert_eq!(delivery(b"lda(a): msgid=<m>: hello"), None);
    }

    #[test]
    fn what_is_no_delivery() {
        for text in [
            "lmtp(123): Connect from local",
            "lmtp(123): Disconnect from local: Client has quit the connection (state=READY)",
            "imap(a)<1><s>: msgid=<m>: saved mail to INBOX",
            "lmtp(a)<1><s>: msgid=<m>",
            "lmtp",
        ] {
            assert_eq!(delivery(text.as_bytes()), None, "{text}");
        }
    }
}
