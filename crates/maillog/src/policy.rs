//! Policy decisions: `reject`, `hold`, `warn` and their kin, from `smtpd`, its milters, `cleanup` and `postscreen`.
//!
//! Input: the text behind `<queue id>: ` or `NOQUEUE: `. Output: a [`Policy`] that borrows from it.
//! Addresses, HELO names and even the reply may hold text of the client's choice that looks like our own fields, so the
//! tail is taken apart from the right, as grammar 3.1 says.
//! Source of the wording: Postfix `src/smtpd/smtpd_check.c` (`log_whatsup`), `src/smtpd/smtpd_milter.c`, `src/cleanup/cleanup_milter.c`.

use crate::client::{Client, client};
use crate::scan::{number, rfind, rsplit_once, split_around, split_once, unbracket, word};

/// A decision about a command, a message or a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policy<'a> {
    /// `reject`, `reject_warning`, `milter-reject`, `hold`, `warn`, …
    pub action: &'a [u8],
    /// `CONNECT`, `EHLO`, `MAIL`, `RCPT`, `DATA`, `END-OF-MESSAGE`, …
    pub stage: &'a [u8],
    /// Whom it is about. `None` where the line names nobody.
    pub client: Option<Client<'a>>,
    /// The reply code, e.g. 554. Cleanup's milter lines have none.
    pub code: Option<u16>,
    /// The enhanced status code, e.g. `5.7.1`.
    pub dsn: Option<&'a [u8]>,
    /// The words of the reply, subject included.
    pub reply: &'a [u8],
    /// Envelope sender, as written by the client.
    pub from: Option<&'a [u8]>,
    /// Envelope recipient, as written by the client.
    pub to: Option<&'a [u8]>,
    /// `SMTP`, `ESMTP`, …
    pub proto: Option<&'a [u8]>,
    /// What the client calls itself.
    pub helo: Option<&'a [u8]>,
    /// Mechanism of the session's login (Postfix 3.10 on).
    pub sasl_method: Option<&'a [u8]>,
    /// Account of the session's login (Postfix 3.10 on; milters 3.2 on).
    pub sasl_username: Option<&'a [u8]>,
    /// `AUTH=` of MAIL FROM.
    pub sasl_sender: Option<&'a [u8]>,
}

impl<'a> Policy<'a> {
    /// The words of the reply without their subject: `<u@r>: Relay access denied` is `Relay access denied`.
    ///
    /// The subject is what the client said (HELO name, sender, recipient) and may read like any words of Postfix': what a refusal means must
    /// be read behind it. Source: `smtpd_check_reject` and its callers in Postfix `src/smtpd/smtpd_check.c`.
    #[must_use]
    pub fn words(&self) -> &'a [u8] {
        let Some(inside) = self.reply.strip_prefix(b"<") else { return self.reply };
        let said = [self.helo, self.from, self.to, Some(self.stage)].into_iter().flatten();
        let of_said = said.filter_map(|said| subject_end(inside, said));
        let end = of_said.chain(self.client.and_then(|client| client_end(inside, &client))).max();
        // One that is not among the fields: another name of the client's, or a line that was cut. Then as little as possible is
        // taken for Postfix' own words.
        let end = end.or_else(|| rfind(inside, b">: "));
        end.map_or(self.reply, |end| inside.get(end + b">: ".len()..).unwrap_or_default())
    }
}

/// Postfix cuts the text of a reject at 510 bytes, code and all (`src/smtpd/smtpd_check.c`, `smtpd_check_reject`): a shorter one is whole.
const UNCUT_BYTES_MAX: usize = 480;

/// Where in a reply a subject ends that is this field of the tail; the reply's own end, if that was cut within the subject.
///
/// The tail shows addresses as they were sent (Postfix 3.5 on), the reply without the quotes; where the tail has `?` for what cannot be
/// printed, the reply has a blank.
fn subject_end(inside: &[u8], said: &[u8]) -> Option<usize> {
    let matched = |plain: &mut dyn Iterator<Item = u8>| {
        let mut end = 0;
        for byte in plain {
            match inside.get(end) {
                Some(other) if *other == byte || byte == b'?' && *other == b' ' => end += 1,
                Some(_) => return None,
                None => return (end >= UNCUT_BYTES_MAX).then_some(end),
            }
        }
        let rest = inside.get(end..)?;
        (rest.starts_with(b">: ") || rest.is_empty() && end >= UNCUT_BYTES_MAX).then_some(end)
    };
    matched(&mut said.iter().copied()).max(matched(&mut Unquoted { rest: said, quoted: false }))
}

/// Where in a reply a subject ends that is the client, `name[address]`.
fn client_end(inside: &[u8], client: &Client<'_>) -> Option<usize> {
    let rest =
        inside.strip_prefix(client.name)?.strip_prefix(b"[")?.strip_prefix(client.address)?.strip_prefix(b"]")?;
    rest.starts_with(b">: ").then_some(inside.len() - rest.len())
}

/// An address without the quotes of its local part (RFC 5321, section 4.1.2).
struct Unquoted<'a> {
    rest: &'a [u8],
    quoted: bool,
}

impl Iterator for Unquoted<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        loop {
            let (byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            match byte {
                b'"' => self.quoted = !self.quoted,
                b'\\' if self.quoted => {
                    let (escaped, rest) = rest.split_first()?;
                    self.rest = rest;
                    return Some(*escaped);
                }
                byte => return Some(*byte),
            }
        }
    }
}

/// What may be decided; milters put `milter-` before it.
pub(crate) const ACTIONS: [&[u8]; 13] = [
    b"reject",
    b"reject_warning",
    b"warn",
    b"info",
    b"hold",
    b"discard",
    b"filter",
    b"redirect",
    b"bcc",
    b"permit",
    b"hangup",
    b"delay",
    b"prepend",
];

/// Parses `ACTION: STAGE from <client>: REPLY;[ from=<S>][ to=<R>][ proto=P][ helo=<H>][ sasl_…]`.
pub(crate) fn policy(text: &[u8]) -> Option<Policy<'_>> {
    let (action, rest) = split_once(text, b": ")?;
    let milter = action.strip_prefix(b"milter-").unwrap_or(action);
    if !ACTIONS.contains(&milter) {
        return None;
    }
    let (stage, rest) = split_once(rest, b" from ")?;
    let stage_is_a_word =
        !stage.is_empty() && stage.iter().all(|b| b.is_ascii_alphabetic() || matches!(b, b'-' | b'_'));
    let (client, rest) = client(rest)?;
    let rest = rest.strip_prefix(b":")?.trim_ascii_start();
    stage_is_a_word.then(|| reply_and_tail(Policy { action, stage, client: Some(client), ..Policy::default() }, rest))
}

/// Parses the before-queue proxy's `proxy-reject: STAGE: REPLY; from=<S> …`, which names no client.
pub(crate) fn proxy(text: &[u8]) -> Option<Policy<'_>> {
    let (action, rest) = split_once(text, b": ")?;
    let (stage, rest) = split_once(rest, b": ")?;
    matches!(action, b"proxy-reject" | b"proxy-accept")
        .then(|| reply_and_tail(Policy { action, stage, ..Policy::default() }, rest))
}

fn reply_and_tail<'a>(policy: Policy<'a>, text: &'a [u8]) -> Policy<'a> {
    let (policy, text) = after_proto(policy, text);
    let (policy, text) = addresses(policy, text);
    reply(policy, text.strip_suffix(b";").unwrap_or(text))
}

/// Takes ` proto=P[ helo=<H>][ sasl_method=M][ sasl_username=U][ sasl_sender=X]` off the right end.
fn after_proto<'a>(policy: Policy<'a>, text: &'a [u8]) -> (Policy<'a>, &'a [u8]) {
    let Some((head, tail)) = rsplit_once(text, b" proto=") else { return (policy, text) };
    let (proto, tail) = word(tail);
    let (helo, tail) = match tail.strip_prefix(b"helo=") {
        // HELO has no blanks left: Postfix replaces them.
        Some(value) => {
            let (value, rest) = word(value);
            (Some(unbracket(value)), rest)
        }
        None => (None, tail),
    };
    let (tail, sasl_sender) = cut_value(tail, b"sasl_sender=");
    let (tail, sasl_username) = cut_value(tail, b"sasl_username=");
    let (_, sasl_method) = cut_value(tail, b"sasl_method=");
    let proto = Some(proto.strip_suffix(b",").unwrap_or(proto));
    let sasl_username = sasl_username.map(unbracket);
    (Policy { proto, helo, sasl_method, sasl_username, sasl_sender, ..policy }, head)
}

/// Cuts ` KEY=value` off the right end of `text`.
fn cut_value<'a>(text: &'a [u8], key: &[u8]) -> (&'a [u8], Option<&'a [u8]>) {
    match split_once(text, key) {
        Some((head, value)) if head.is_empty() || head.ends_with(b" ") => (head.trim_ascii_end(), Some(value)),
        _ => (text, None),
    }
}

/// Takes ` from=<S>` and ` to=<R>` off the right end; postscreen puts commas between.
fn addresses<'a>(policy: Policy<'a>, text: &'a [u8]) -> (Policy<'a>, &'a [u8]) {
    let text = text.strip_suffix(b",").unwrap_or(text);
    if let Some((head, from, to)) = quoted_addresses(text) {
        return (Policy { from: Some(from), to, ..policy }, head);
    }
    // Before Postfix 3.5, as the client wrote them.
    let (to, text) = cut_address(text, b" to=<");
    let text = text.strip_suffix(b",").unwrap_or(text);
    let (from, text) = cut_address(text, b" from=<");
    (Policy { from, to, ..policy }, text)
}

/// Sender and recipient of `; from=<S> to=<R>`, or of what stands behind the `;`.
pub(crate) fn addresses_of(text: &[u8]) -> (Option<&[u8]>, Option<&[u8]>) {
    let (policy, _) = addresses(Policy::default(), text);
    (policy.from, policy.to)
}

/// What stands before the addresses (with its `;`), the sender, and the recipient if there is one.
type Addresses<'a> = (&'a [u8], &'a [u8], Option<&'a [u8]>);

/// `…; from=<S>[,][ to=<R>]` with addresses as Postfix writes them since 3.5 (`info_log_addr_form`): a local part of odd letters is in
/// quotes. So what looks like fields within the quotes is none, and the rightmost place from which all is read is the tail's.
fn quoted_addresses(text: &[u8]) -> Option<Addresses<'_>> {
    const FROM: &[u8] = b" from=<";
    let mut end = text.len();
    loop {
        let at = rfind(text.get(..end)?, FROM)?;
        let (head, tail) = text.split_at_checked(at)?;
        if matches!(head.last(), None | Some(b';'))
            && let Some((from, to)) = tail.get(FROM.len()..).and_then(sender_and_recipient)
        {
            return Some((head, from, to));
        }
        end = at;
    }
}

/// `S>[,][ to=<R>]` to the end.
fn sender_and_recipient(text: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    let (from, rest) = address(text)?;
    let rest = rest.strip_prefix(b",").unwrap_or(rest);
    let Some(rest) = rest.strip_prefix(b" to=<") else { return rest.is_empty().then_some((from, None)) };
    let (to, rest) = address(rest)?;
    rest.is_empty().then_some((from, Some(to)))
}

/// An address up to its `>`, and what follows. `None`: it has a letter outside of quotes that Postfix would put into them.
fn address(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (mut quoted, mut escaped) = (false, false);
    let end = text.iter().position(|byte| {
        if quoted {
            quoted = escaped || *byte != b'"';
            escaped = *byte == b'\\' && !escaped;
            return false;
        }
        quoted = *byte == b'"';
        matches!(byte, b'>' | b'<' | b'\\' | b';' | b',' | b' ')
    })?;
    let starts_late = text.first() != Some(&b'"') && text.get(..end)?.contains(&b'"');
    (text.get(end) == Some(&b'>') && !starts_late).then(|| split_around(text, end, 1))?
}

/// The rightmost ` KEY=<…>` behind which nothing is left and before which another field or the reply's `;` ends.
fn cut_address<'a>(text: &'a [u8], key: &[u8]) -> (Option<&'a [u8]>, &'a [u8]) {
    let Some(inside) = text.strip_suffix(b">") else { return (None, text) };
    let mut search = inside;
    while let Some((head, _)) = rsplit_once(search, key) {
        if matches!(head.last(), None | Some(b';' | b'>' | b',')) {
            let value = inside.get(head.len() + key.len()..);
            return (value, head);
        }
        search = head;
    }
    (None, text)
}

/// `554 5.7.1 words`, `5.7.1 words`, or words only.
fn reply<'a>(policy: Policy<'a>, text: &'a [u8]) -> Policy<'a> {
    let code = number(text).filter(|(code, rest)| (200..600).contains(code) && rest.first() == Some(&b' '));
    let (code, text) = code.map_or((None, text), |(code, rest)| (u16::try_from(code).ok(), rest.trim_ascii_start()));
    let (first, rest) = word(text);
    if is_enhanced_code(first) {
        Policy { code, dsn: Some(first), reply: rest, ..policy }
    } else {
        Policy { code, reply: text, ..policy }
    }
}

/// `5.7.1`: three numbers, the first 2, 4 or 5 (RFC 3463).
pub(crate) fn is_enhanced_code(text: &[u8]) -> bool {
    let mut parts = text.split(|b| *b == b'.');
    let class = matches!(parts.next(), Some(b"2" | b"4" | b"5"));
    let numbers =
        parts.by_ref().take(2).filter(|p| (1..=3).contains(&p.len()) && p.iter().all(u8::is_ascii_digit)).count();
    class && numbers == 2 && parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(bytes: Option<&[u8]>) -> String {
        bytes.map(|b| String::from_utf8_lossy(b).into_owned()).unwrap_or_default()
    }

    #[test]
    fn rejects() {
        let line = b"reject: RCPT from unknown[203.0.113.6]: 454 4.7.1 <u@remote.invalid>: Relay access denied; from=<a@example.test> to=<u@remote.invalid> proto=ESMTP helo=<c>";
        let p = policy(line).unwrap();
        assert_eq!(
            (p.action, p.stage, p.code, p.dsn),
            (b"reject".as_slice(), b"RCPT".as_slice(), Some(454), Some(b"4.7.1".as_slice()))
        );
        assert_eq!(
            (shown(Some(p.reply)), shown(p.from), shown(p.to), shown(p.proto), shown(p.helo)),
            (
                "<u@remote.invalid>: Relay access denied".into(),
                "a@example.test".into(),
                "u@remote.invalid".into(),
                "ESMTP".into(),
                "c".into()
            )
        );
        assert_eq!(p.sasl_username, None);

        let p = policy(b"reject: RCPT from h[192.0.2.20]: 553 5.7.1 <b@x>: Sender address rejected: not owned by user a@x; from=<b@x> to=<c@y> proto=ESMTP helo=<h> sasl_method=PLAIN sasl_username=a b@x").unwrap();
        assert_eq!(
            (shown(p.sasl_method), shown(p.sasl_username), shown(p.helo)),
            ("PLAIN".into(), "a b@x".into(), "h".into())
        );

        let p = policy(b"milter-reject: END-OF-MESSAGE from h[::1]: 5.7.1 Spam; from=<a@x> to=<b@y> proto=ESMTP helo=<h> sasl_username=<u@x>").unwrap();
        assert_eq!((p.code, shown(p.dsn), shown(p.sasl_username)), (None, "5.7.1".into(), "u@x".into()));

        let p = policy(b"reject: CONNECT from h[192.0.2.20]: 421 4.3.0 mail.example Server local data error").unwrap();
        assert_eq!(
            (p.code, shown(Some(p.reply)), p.from),
            (Some(421), "mail.example Server local data error".into(), None)
        );

        let p = policy(b"reject: RCPT from [192.0.2.1]:4711: 450 4.3.2 Service currently unavailable; from=<a@x>, to=<b@y>, proto=ESMTP, helo=<h>").unwrap();
        assert_eq!(
            (shown(p.from), shown(p.to), shown(p.proto), shown(p.helo)),
            ("a@x".into(), "b@y".into(), "ESMTP".into(), "h".into())
        );
        assert_eq!(
            proxy(b"proxy-reject: END-OF-MESSAGE: 554 5.7.0 no; from=<a@x> to=<b@y> proto=ESMTP helo=<h>")
                .unwrap()
                .code,
            Some(554)
        );
    }

    #[test]
    fn client_text_stays_in_its_field() {
        let p = policy(b"reject: RCPT from unknown[203.0.113.6]: 550 5.1.1 <\"a; from=<x> to=<y> proto=ESMTP helo=<z>\"@d>: Recipient address rejected: no; from=<\"q to=<r\"@s> to=<\"a; from=<x> to=<y> proto=ESMTP helo=<z>\"@d> proto=SMTP helo=<from=?x>").unwrap();
        assert_eq!(
            (shown(p.proto), shown(p.helo), shown(p.client.map(|c| c.address))),
            ("SMTP".into(), "from=?x".into(), "203.0.113.6".into())
        );
        // What Postfix 3.7 writes of such a recipient: in the reply without its quotes, in the tail with them.
        let fields = |line: &str| {
            let p = policy(line.as_bytes()).unwrap();
            (shown(Some(p.reply)), shown(p.from), shown(p.to))
        };
        let (from, to) = (r#""a> to=<b"@example.com"#, r#""x; from=<root> to=<y"@example.org"#);
        let reply = "<x; from=<root> to=<y@example.org>: Relay access denied";
        let line = format!(
            "reject: RCPT from unknown[203.0.113.6]: 554 5.7.1 {reply}; from=<{from}> to=<{to}> proto=ESMTP helo=<h>"
        );
        assert_eq!(fields(&line), (reply.to_owned(), from.to_owned(), to.to_owned()));
        for to in [
            r#""x; from=<root> to=<\"y\""@example.org"#,
            r#""x; from=<\\> to=<\"\\"@example.org"#,
            r#""\"@a> to=<b"@example.org"#,
            "",
            "u@[192.0.2.1]",
        ] {
            let line = format!(
                "reject: RCPT from unknown[203.0.113.6]: 554 5.7.1 <u@r>: no; from=<> to=<{to}> proto=ESMTP helo=<h>"
            );
            assert_eq!(fields(&line), ("<u@r>: no".to_owned(), String::new(), to.to_owned()), "{line}");
        }
        // Before Postfix 3.5, without quotes.
        let line = "reject: RCPT from unknown[203.0.113.6]: 554 5.7.1 <u v@r>: no; from=<a b@x> to=<u v@r> proto=SMTP helo=<h>";
        assert_eq!(fields(line), ("<u v@r>: no".to_owned(), "a b@x".to_owned(), "u v@r".to_owned()));
        assert_eq!(
            policy(b"warning: header Subject: reject: RCPT from x[192.0.2.1]: 554 5.7.1 Relay access denied; from=<a>"),
            None
        );
    }

    #[test]
    fn what_a_refusal_says_is_no_word_of_the_clients() {
        let words = |line: &str| String::from_utf8_lossy(policy(line.as_bytes()).unwrap().words()).into_owned();
        let check = |subject: &str, tail: &str, says: &str| {
            let line = format!("reject: RCPT from unknown[192.0.2.9]: 550 5.1.1 {subject}{says}; {tail}");
            assert_eq!(words(&line), says, "{line}");
        };
        let tail = "from=<a@x> to=<u@r> proto=ESMTP helo=<h>";
        check("<u@r>: ", tail, "Relay access denied");
        check("<a@x>: ", tail, "Sender address rejected: not owned by user b@x");
        check("<h>: ", tail, "Helo command rejected: need fully-qualified hostname");
        check("<unknown[192.0.2.9]>: ", tail, "Client host rejected: cannot find your hostname, [192.0.2.9]");
        check("<RCPT>: ", tail, "no");
        check("<>: ", "from=<> to=<u@r> proto=ESMTP helo=<h>", "Sender address rejected: x");
        check("<name.of.another[192.0.2.9]>: ", tail, "Unverified Client host rejected: x");
        check("", tail, "Service unavailable; Client host [192.0.2.9] blocked using zen.example");
        check("<u@r>: ", tail, "Recipient address rejected: unverified address: host mx said: 550 <u@r>: no");
        // As Postfix 3.7 writes it: the subject without quotes, the tail with them.
        let evil = "x>: Sender address rejected: not owned by user boss@x";
        let sent = "from=<a@x> to=<\"x>: Sender address rejected: not owned by user boss@x\"@r> proto=ESMTP helo=<h>";
        check(&format!("<{evil}@r>: "), sent, "Relay access denied");
        check(&format!("<\"{evil}\"@r>: "), sent, "Relay access denied");
        check("<a\"\\b@r>: ", "from=<> to=<\"a\\\"\\\\b\"@r> proto=ESMTP helo=<h>", "Relay access denied");
        check("<a b@r>: ", "from=<> to=<\"a?b\"@r> proto=ESMTP helo=<h>", "Relay access denied");
        // The reply was cut within the subject, or the line before its tail.
        let whole = evil.repeat(10);
        for cut in [500, whole.len()] {
            let shown = whole.get(..cut).unwrap_or_default();
            let line = format!(
                "reject: RCPT from h[192.0.2.9]: 550 5.1.1 <{shown}; from=<a> to=<\"{whole}\"@r> proto=ESMTP helo=<h>"
            );
            assert_eq!(words(&line), "", "{cut}");
        }
        let cut = format!("reject: RCPT from h[192.0.2.9]: 550 5.1.1 <{evil}>: User unknown; from=<aaaaaaa");
        assert!(words(&cut).starts_with("User unknown"), "{}", words(&cut));
    }

    #[test]
    fn enhanced_codes() {
        assert!(is_enhanced_code(b"5.7.1") && is_enhanced_code(b"4.7.25"));
        assert!(
            !is_enhanced_code(b"5.7")
                && !is_enhanced_code(b"3.7.1")
                && !is_enhanced_code(b"5.7.1.2")
                && !is_enhanced_code(b"192.0.2")
        );
    }
}
