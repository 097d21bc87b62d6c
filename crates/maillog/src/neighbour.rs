//! Programs beside Postfix that look at its messages: content filters, signature checkers, SPF and greylisting policies.
//!
//! Input: the tag's last element and the message. Output: an [`Examination`], or `None` for a line that tells of no message.
//! All of them quote senders, recipients and Message-IDs, so each field is taken from where its program writes it: before all
//! such text, behind all of it, or, where it stands between, only if nothing else in the line looks like it.
//! Source of the wording: amavis `amavisd` (`$log_templ`), rspamd `src/libserver/task.c` (default `log_format`), OpenDKIM
//! `opendkim/opendkim.c`, OpenDMARC `opendmarc/opendmarc.c`, `policyd-spf` of pypolicyd-spf and spf-engine, `postgrey`.

use crate::client::{Client, client};
use crate::queue_id::{QueueId, prefix};
use crate::scan::{find, rsplit_once, split_once, unbracket, word};

/// What a program beside Postfix found about a message or a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Examination<'a> {
    /// What kind of program.
    pub by: Examiner,
    /// The message.
    pub queue_id: Option<QueueId<'a>>,
    /// What the message is called from here on: `queued_as` of a content filter.
    pub next_queue_id: Option<QueueId<'a>>,
    /// Without brackets.
    pub message_id: Option<&'a [u8]>,
    /// Where the message came from.
    pub client: Option<Client<'a>>,
    /// `Passed CLEAN`, `Blocked SPAM`, `no action`, `pass`, `greylist`, `Fail`, …
    pub result: &'a [u8],
    /// Envelope sender.
    pub from: Option<&'a [u8]>,
    /// Envelope recipient, the first of several.
    pub to: Option<&'a [u8]>,
}

/// What kind of program looked at a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Examiner {
    /// amavis, rspamd.
    ContentFilter,
    /// opendkim, opendmarc, openarc.
    Signature,
    /// policyd-spf.
    Spf,
    /// postgrey.
    Greylist,
}

impl Examiner {
    /// The event's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ContentFilter => "filter_verdict",
            Self::Signature => "signature_verdict",
            Self::Spf => "spf_verdict",
            Self::Greylist => "greylist_verdict",
        }
    }
}

/// Whether a program's name is one of those here.
#[inline]
pub(crate) fn is_neighbour(daemon: &[u8]) -> bool {
    reader(daemon).is_some()
}

type Reader = for<'a> fn(&'a [u8]) -> Option<Examination<'a>>;

fn reader(daemon: &[u8]) -> Option<Reader> {
    match daemon {
        b"amavis" | b"amavisd" | b"amavisd-new" => Some(amavis),
        b"rspamd" => Some(rspamd),
        b"opendkim" | b"opendmarc" | b"openarc" => Some(signature),
        b"policyd-spf" | b"pyspf-milter" => Some(spf),
        b"postgrey" => Some(postgrey),
        _ => None,
    }
}

/// Reads a line of the program of that name.
pub(crate) fn examination<'a>(daemon: &[u8], text: &'a [u8]) -> Option<Examination<'a>> {
    reader(daemon)?(text)
}

fn nothing(by: Examiner, result: &[u8]) -> Examination<'_> {
    Examination {
        by,
        queue_id: None,
        next_queue_id: None,
        message_id: None,
        client: None,
        result,
        from: None,
        to: None,
    }
}

/// `(PID-NN) Passed CLEAN {…}, [A]:P [A] <S> -> <R>,<R>, Queue-ID: Q, Message-ID: <M>, mail_id: I, Hits: H, size: N, queued_as: NEXT, T ms`.
fn amavis(text: &[u8]) -> Option<Examination<'_>> {
    let (_, rest) = split_once(text.strip_prefix(b"(")?, b") ")?;
    let decided = rest.starts_with(b"Passed ") || rest.starts_with(b"Blocked ");
    let (head, _) = split_once(rest, b" <").filter(|_| decided)?;
    let result = head.get(..head.iter().position(|b| matches!(b, b'{' | b',' | b'('))?)?.trim_ascii_end();
    let found = Examination { next_queue_id: queued_as(rest), ..nothing(Examiner::ContentFilter, result) };
    // The names of banned attachments stand before all else, and may look like it.
    if result.ends_with(b" BANNED") {
        return Some(found);
    }
    Some(amavis_envelope(Examination { client: first_client(head), ..found }, rest.get(head.len() + 1..)?))
}

/// What follows the Message-ID is amavis's own, so this is the one behind the last `mail_id`.
fn queued_as(text: &[u8]) -> Option<QueueId<'_>> {
    let (_, own) = rsplit_once(text, b", mail_id: ")?;
    QueueId::new(alphanumeric(split_once(own, b", queued_as: ")?.1))
}

/// The first `[A]` or `[A]:P` behind the category, before all text of the sender's.
fn first_client(head: &[u8]) -> Option<Client<'_>> {
    let at = find(head, b" [")?;
    client(head.get(at + 1..)?).map(|(client, _)| client).filter(|client| client.ip().is_some())
}

/// `<S> -> <R>,<R>[, quarantine: …][, Queue-ID: Q][, Message-ID: <M>]…`.
fn amavis_envelope<'a>(found: Examination<'a>, text: &'a [u8]) -> Examination<'a> {
    let Some((from, rest)) = address(text) else { return found };
    let found = Examination { from: Some(from), ..found };
    let Some((to, rest)) = rest.strip_prefix(b" -> ").and_then(address) else { return found };
    let found = Examination { to: Some(to), ..found };
    let rest = more_addresses(rest);
    let (own, message_id) = match split_once(rest, b", Message-ID: <") {
        Some((own, rest)) => (own, rsplit_once(rest, b">, mail_id: ").map(|(id, _)| id)),
        None => (rest, None),
    };
    let queue_id = split_once(own, b", Queue-ID: ").and_then(|(_, id)| QueueId::new(alphanumeric(id)));
    Examination { queue_id, message_id: message_id.and_then(|id| id.split(|b| *b == b'>').next()), ..found }
}

/// `<address>`, whose local part may be quoted and hold anything.
fn address(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let inside = text.strip_prefix(b"<")?;
    let (mut quoted, mut escaped) = (false, false);
    let end = inside.iter().position(|byte| {
        let plain = !escaped;
        escaped = *byte == b'\\' && plain;
        quoted ^= *byte == b'"' && plain;
        *byte == b'>' && !quoted
    })?;
    Some((inside.get(..end)?, inside.get(end + 1..)?))
}

/// Skips `,<R>` for as long as there are any.
fn more_addresses(mut text: &[u8]) -> &[u8] {
    while let Some((_, rest)) = text.strip_prefix(b",").and_then(address) {
        text = rest;
    }
    text
}

fn alphanumeric(text: &[u8]) -> &[u8] {
    text.get(..text.iter().position(|b| !b.is_ascii_alphanumeric()).unwrap_or(text.len())).unwrap_or_default()
}

/// `… id: <M>, qid: <Q>, ip: A, user: U, from: <F>, (default: F (no action): [s/t] [SYMBOLS…]), len: …`.
fn rspamd(text: &[u8]) -> Option<Examination<'_>> {
    let (_, rest) = split_once(text, b"rspamd_task_write_log: id: <")?;
    let result = only(rest, b", (default: ")
        .and_then(|rest| split_once(rest, b" (").map(|(_, action)| action))
        .and_then(|action| split_once(action, b"): ").map(|(action, _)| action))
        .unwrap_or_default();
    let queue_id = only(rest, b", qid: <").and_then(|id| QueueId::new(alphanumeric(id)));
    let client = only(rest, b", ip: ").and_then(|ip| Client::bare(split_once(ip, b",")?.0));
    // A Message-ID that looks like what follows it ends nobody knows where.
    let message_id = (queue_id.is_some() && client.is_some()).then(|| split_once(rest, b">, qid: <")).flatten();
    let message_id = message_id.map(|(id, _)| id);
    Some(Examination { queue_id, client, message_id, ..nothing(Examiner::ContentFilter, result) })
}

/// What stands behind `key`, if it stands there once.
fn only<'a>(text: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    let (_, rest) = split_once(text, key)?;
    find(rest, key).is_none().then_some(rest)
}

/// `<queue id>: words`: everything opendkim and opendmarc say about a message.
fn signature(text: &[u8]) -> Option<Examination<'_>> {
    let (before, words) = prefix(text)?;
    Some(Examination { queue_id: Some(before.queue_id()?), ..nothing(Examiner::Signature, words) })
}

/// `[prepend Received-SPF: ]Pass; identity=mailfrom; client-ip=A; helo=H; envelope-from=S; receiver=R`.
fn spf(text: &[u8]) -> Option<Examination<'_>> {
    let rest = text.strip_prefix(b"prepend ").unwrap_or(text);
    let rest = rest.strip_prefix(b"Received-SPF: ").unwrap_or(rest);
    let result = rest.get(..rest.iter().position(|b| !b.is_ascii_alphabetic())?)?;
    if !matches!(result, b"Pass" | b"Fail" | b"Softfail" | b"Neutral" | b"None" | b"Temperror" | b"Permerror") {
        return None;
    }
    // Behind it comes what the client said, and before it perhaps a piece of a broken SPF record.
    let ip = only(rest, b"client-ip=")?;
    let client = Client::bare(ip.get(..ip.iter().position(|b| matches!(b, b';' | b' ' | b','))?)?)?;
    Some(Examination { client: Some(client), ..nothing(Examiner::Spf, result) })
}

/// `action=greylist, reason=new, client_name=N, client_address=A, sender=S, recipient=R`.
fn postgrey(text: &[u8]) -> Option<Examination<'_>> {
    let (action, rest) = split_once(text.strip_prefix(b"action=")?, b", ")?;
    let (_, rest) = split_once(rest, b"client_address=")?;
    let (ip, rest) = split_once(rest, b",")?;
    // `/port` may follow the address.
    let client = Client::bare(split_once(ip, b"/").map_or(ip, |(ip, _)| ip))?;
    let envelope = only(rest, b" recipient=");
    let from = envelope.and_then(|to| {
        let sender = rest.get(..rest.len() - to.len() - b", recipient=".len())?;
        sender.trim_ascii_start().strip_prefix(b"sender=")
    });
    let (from, to) = (from.map(unbracket), envelope.map(|to| unbracket(word(to).0)));
    Some(Examination { client: Some(client), from, to, ..nothing(Examiner::Greylist, action) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<'a>(daemon: &str, text: &'a str) -> Examination<'a> {
        examination(daemon.as_bytes(), text.as_bytes()).unwrap_or_else(|| panic!("nothing: {text}"))
    }

    fn shown(found: &Examination<'_>) -> [String; 7] {
        [
            found.queue_id.map(QueueId::as_bytes),
            found.next_queue_id.map(QueueId::as_bytes),
            found.message_id,
            found.client.map(|client| client.address),
            Some(found.result),
            found.from,
            found.to,
        ]
        .map(|part| part.map_or("-".to_owned(), |bytes| String::from_utf8_lossy(bytes).into_owned()))
    }

    #[test]
    fn amavis_lines() {
        let text = "(04711-13) Passed CLEAN {RelayedInbound}, [192.0.2.1]:4711 [192.0.2.1] <a@x> -> <b@y>,<c@y>, Queue-ID: 0F5383D12, Message-ID: <m@x>, mail_id: abc-DE_f, Hits: -0.1, size: 1234, queued_as: 1CF582025C, 512 ms";
        assert_eq!(
            shown(&read("amavis", text)),
            ["0F5383D12", "1CF582025C", "m@x", "192.0.2.1", "Passed CLEAN", "a@x", "b@y"]
        );
        let text = "(04711-13) Blocked INFECTED (Eicar-Test-Signature) {DiscardedInbound,Quarantined}, LOCAL [2001:db8::1] <> -> <b@y>, quarantine: virus-abc, Queue-ID: 0F5383D12, Message-ID: <m@x>, mail_id: abc, Hits: -, size: 1234, 512 ms";
        assert_eq!(
            shown(&read("amavis", text)),
            ["0F5383D12", "-", "m@x", "2001:db8::1", "Blocked INFECTED", "", "b@y"]
        );
    }

    #[test]
    fn amavis_quotes_senders() {
        let text = "(1-2) Passed CLEAN {RelayedInbound}, [192.0.2.1]:4711 <\"s> -> <v@w>, Queue-ID: BAD0000001, \"@x> -> <b@y>, Queue-ID: 0F5383D12, Message-ID: <m>, mail_id: z, queued_as: BAD0000002, 1 ms>, mail_id: abc, Hits: 0, size: 1, queued_as: 1CF582025C, 5 ms";
        assert_eq!(
            shown(&read("amavis", text)),
            [
                "0F5383D12",
                "1CF582025C",
                "m",
                "192.0.2.1",
                "Passed CLEAN",
                "\"s> -> <v@w>, Queue-ID: BAD0000001, \"@x",
                "b@y"
            ]
        );
        let text = "(1-2) Blocked SPAM {RejectedInbound}, [192.0.2.1]:4711 <a@x> -> <b@y>, Message-ID: <m, Queue-ID: BAD0000001, queued_as: BAD0000002>, mail_id: abc, Hits: 9, size: 1, 5 ms";
        assert_eq!(shown(&read("amavis", text))[..2], ["-", "-"]);
        let text = "(1-2) Blocked BANNED (.exe,x [198.51.100.7] <v@w> -> <v@w>, Queue-ID: BAD0000001, .exe) {RejectedInbound}, [192.0.2.1]:4711 <a@x> -> <b@y>, Queue-ID: 0F5383D12, mail_id: abc, size: 1, 5 ms";
        assert_eq!(shown(&read("amavis", text)), ["-", "-", "-", "-", "Blocked BANNED", "-", "-"]);
    }

    #[test]
    fn rspamd_lines() {
        let text = "<a1b2c3>; task; rspamd_task_write_log: id: <m@x>, qid: <0F5383D12>, ip: 192.0.2.1, user: alice@example.test, from: <a@x>, (default: T (add header): [8.10/15.00] [BAYES_SPAM(5.10){99.9%;}]), len: 1234, time: 512.1ms, dns req: 12, digest: <0a>, rcpts: <b@y>, mime_rcpts: <b@y>";
        assert_eq!(shown(&read("rspamd", text)), ["0F5383D12", "-", "m@x", "192.0.2.1", "add header", "-", "-"]);
        let text = "<a1b2c3>; task; rspamd_task_write_log: id: <m>, qid: <BAD0000001>, ip: 198.51.100.7, (default: F (no action): x>, qid: <0F5383D12>, ip: 192.0.2.1, from: <a@x>, (default: T (reject): [8.10/15.00] []), len: 1234";
        assert_eq!(shown(&read("rspamd", text)), ["-", "-", "-", "-", "", "-", "-"]);
    }

    #[test]
    fn signatures() {
        for (daemon, text, result) in [
            ("opendkim", "0F5383D12: DKIM verification successful", "DKIM verification successful"),
            ("opendkim", "0F5383D12: s=sel d=example.com SSL ", "s=sel d=example.com SSL "),
            (
                "opendkim",
                "0F5383D12: DKIM-Signature field added (s=sel, d=example.com)",
                "DKIM-Signature field added (s=sel, d=example.com)",
            ),
            ("opendmarc", "0F5383D12: example.com pass", "example.com pass"),
        ] {
            assert_eq!(shown(&read(daemon, text)), ["0F5383D12", "-", "-", "-", result, "-", "-"]);
        }
    }

    #[test]
    fn policies() {
        let text = "prepend Received-SPF: Pass (mailfrom) identity=mailfrom; client-ip=192.0.2.1; helo=h; envelope-from=a@x; receiver=b@y";
        assert_eq!(shown(&read("policyd-spf", text)), ["-", "-", "-", "192.0.2.1", "Pass", "-", "-"]);
        let text = "Softfail; identity=mailfrom; client-ip=2001:db8::1; helo=h; envelope-from=a@x; receiver=b@y";
        assert_eq!(shown(&read("policyd-spf", text)), ["-", "-", "-", "2001:db8::1", "Softfail", "-", "-"]);
        let text = "action=greylist, reason=new, client_name=h.example, client_address=192.0.2.1/4711, sender=a@x, recipient=b@y";
        assert_eq!(shown(&read("postgrey", text)), ["-", "-", "-", "192.0.2.1", "greylist", "a@x", "b@y"]);
        let text = "action=pass, reason=triplet found, delay=300, client_name=h.example, client_address=192.0.2.1, sender=a, recipient=v@w, recipient=b@y";
        assert_eq!(shown(&read("postgrey", text)), ["-", "-", "-", "192.0.2.1", "pass", "-", "-"]);
    }

    #[test]
    fn what_tells_of_no_message() {
        for (daemon, text) in [
            ("amavis", "(1) starting. amavisd at mail"),
            ("amavis", "starting"),
            ("rspamd", "<x>; main; lua: config loaded"),
            ("opendkim", "OpenDKIM Filter v2.11.0 starting"),
            ("opendkim", "0F5383D1"),
            ("policyd-spf", "550 5.7.23 Message rejected due to: SPF fail - not authorized. client-ip=198.51.100.7;"),
            ("policyd-spf", "Pass; identity=helo"),
            ("policyd-spf", "Pass; identity=helo; client-ip=192.0.2.1; helo=client-ip=198.51.100.7; receiver=b@y"),
            (
                "policyd-spf",
                "Permerror (what is client-ip=198.51.100.7;) identity=mailfrom; client-ip=192.0.2.1; helo=h",
            ),
            ("postgrey", "cleaning up old logs..."),
            ("postgrey", "action=pass, reason=x, client_address=nobody, sender=a, recipient=b"),
            ("sshd", "0F5383D12: words"),
        ] {
            assert_eq!(examination(daemon.as_bytes(), text.as_bytes()), None, "{text}");
        }
    }
}
