//! `smtpd`: what one SMTP server session logs.
//!
//! Input: the message behind the process tag, severity prefix included. Output: an [`Event`], or `None` for a line we
//! do not know yet. Nothing here reads files or keeps state; joining the lines of a session is `trace`'s work.
//! Source of the wording: Postfix `src/smtpd/smtpd.c`, `smtpd_check.c`, `smtpd_sasl_glue.c`, `smtpd_chat.c`, `src/tls/tls_server.c`.

use crate::client::{Client, client, whole_client};
use crate::content::content_check;
use crate::event::{Event, Gone};
use crate::level::{Level, level};
use crate::policy::{policy, proxy};
use crate::queue_id::{Prefix, QueueId, prefix};
use crate::sasl;
use crate::scan::{contains, number, rsplit_once, split_once, whole_u32, word};
use crate::service::queue_warning;

/// How often a command was given in a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Times it succeeded.
    pub ok: u32,
    /// Times it was tried.
    pub tried: u32,
}

/// The counters of a `disconnect` line that matter to a login or a message. A command that was not given counts 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// AUTH: tried includes what was refused before it reached a backend.
    pub auth: Count,
    /// STARTTLS.
    pub starttls: Count,
    /// DATA: one that went well is a message that was taken.
    pub data: Count,
}

/// A client over one of anvil's limits: `<WHAT> limit exceeded: N from <client> for service S`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit<'a> {
    /// Which limit.
    pub kind: LimitKind,
    /// Who.
    pub client: Client<'a>,
    /// The service as master.cf names it (`submission`, `587`).
    pub service: &'a [u8],
}

/// Which of anvil's limits was exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LimitKind {
    /// `smtpd_client_auth_rate_limit`.
    Auth,
    /// `smtpd_client_connection_rate_limit` or `…_count_limit`.
    Connection,
    /// `smtpd_client_new_tls_session_rate_limit`.
    NewTls,
    /// `smtpd_client_message_rate_limit` or `…_recipient_rate_limit`.
    Message,
}

/// `client=…`: a message was accepted from a client, perhaps after a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acceptance<'a> {
    /// The queue file; `None` for `NOQUEUE` before a proxy.
    pub queue_id: Option<QueueId<'a>>,
    /// From whom.
    pub client: Client<'a>,
    /// Mechanism of the login.
    pub sasl_method: Option<&'a [u8]>,
    /// Account of the login.
    pub sasl_username: Option<&'a [u8]>,
    /// `AUTH=` of MAIL FROM.
    pub sasl_sender: Option<&'a [u8]>,
    /// Queue id before a content filter (XFORWARD IDENT).
    pub orig_queue_id: Option<QueueId<'a>>,
    /// The client before a content filter (XFORWARD NAME and ADDR).
    pub orig_client: Option<Client<'a>>,
}

/// A TLS handshake that went well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TlsEstablished<'a> {
    /// The other end; a server's `host[address]:port` where Postfix is the client.
    pub peer: Client<'a>,
    /// Whether Postfix is the client.
    pub outbound: bool,
    /// `Anonymous`, `Untrusted`, `Trusted`, `Verified`.
    pub level: &'a [u8],
    /// `TLSv1.3`.
    pub version: &'a [u8],
    /// `TLS_AES_256_GCM_SHA384`.
    pub cipher: &'a [u8],
}

/// The counters of a `disconnect` line as logged; taken apart on demand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawCounters<'a>(&'a [u8]);

impl<'a> RawCounters<'a> {
    /// Whether AUTH is among the commands: most sessions try none.
    #[must_use]
    #[inline]
    pub fn has_auth(self) -> bool {
        self.behind_auth().is_some()
    }

    /// The counter of AUTH alone; zeros if it was not given.
    #[must_use]
    #[inline]
    pub fn auth(self) -> Count {
        self.behind_auth().and_then(count).unwrap_or_default()
    }

    #[inline]
    fn behind_auth(self) -> Option<&'a [u8]> {
        // No other command's name has `uth` in it, and few have a `u`.
        self.0.iter().enumerate().filter(|(_, byte)| **byte == b'u').find_map(|(at, _)| {
            let (before, word) = self.0.split_at_checked(at.checked_sub(1)?)?;
            word.strip_prefix(b"auth=").filter(|_| matches!(before.last(), None | Some(b' ')))
        })
    }

    /// The counters as numbers.
    #[must_use]
    pub fn read(self) -> Counters {
        counters(self.0)
    }
}

/// Parses one message of `smtpd`.
pub(crate) fn event(text: &[u8]) -> Option<Event<'_>> {
    // Ordered by how often a busy server writes them.
    match text.first()? {
        b'd' if text.starts_with(b"disconnect from ") => disconnect(text).or(Some(Event::Other("session_note"))),
        b'c' if text.starts_with(b"connect from ") => {
            Client::connecting(text).map(Event::Connect).or(Some(Event::Other("session_note")))
        }
        b'l' if text.starts_with(b"lost connection after ") => gone(text, None),
        // A long queue id may begin with any of the letters above.
        _ => severe(text).or_else(|| queued(text)).or_else(|| plain(text)),
    }
}

/// `disconnect from <client>[ key=ok[/tried] … commands=…]`.
fn disconnect(text: &[u8]) -> Option<Event<'_>> {
    let (client, rest) = client(text.strip_prefix(b"disconnect from ")?)?;
    let rest = rest.trim_ascii();
    let counters = if rest.is_empty() { None } else { Some(RawCounters(rest)) };
    Some(Event::Disconnect(client, counters))
}

/// A command's place among the counters is known by its name before the `=`; there are few, so each `=` is looked at once.
fn counters(text: &[u8]) -> Counters {
    let mut counters = Counters::default();
    for at in memchr::memchr_iter(b'=', text) {
        let (before, value) = text.split_at_checked(at).unwrap_or_default();
        let counter = match before.last() {
            Some(b'h') if is_last_word(before, b"auth") => &mut counters.auth,
            Some(b's') if is_last_word(before, b"starttls") => &mut counters.starttls,
            Some(b'a') if is_last_word(before, b"data") => &mut counters.data,
            _ => continue,
        };
        if let Some(found) = value.get(1..).and_then(count) {
            *counter = found;
        }
    }
    counters
}

/// Whether a blank-separated word is the last one.
fn is_last_word(text: &[u8], word: &[u8]) -> bool {
    text.strip_suffix(word).is_some_and(|before| matches!(before.last(), None | Some(b' ')))
}

/// `ok[/tried]`.
fn count(value: &[u8]) -> Option<Count> {
    let (ok, rest) = number(value)?;
    let tried = rest.strip_prefix(b"/").and_then(number).map_or(ok, |(tried, _)| tried);
    Some(Count { ok: u32::try_from(ok).unwrap_or(u32::MAX), tried: u32::try_from(tried).unwrap_or(u32::MAX) })
}

/// `lost connection|timeout|too many errors|bare <LF> received after STAGE[ (N bytes)] from <client>`.
pub(crate) fn gone<'a>(text: &'a [u8], queue_id: Option<QueueId<'a>>) -> Option<Event<'a>> {
    let (how, rest) = [
        (b"lost connection after ".as_slice(), Gone::Lost),
        (b"timeout after ", Gone::Timeout),
        (b"too many errors after ", Gone::TooManyErrors),
        (b"bare <LF> received after ", Gone::BareLineFeed),
    ]
    .into_iter()
    .find_map(|(words, how)| Some((how, text.strip_prefix(words)?)))?;
    let (stage, rest) = split_once(rest, b" from ")?;
    let stage = split_once(stage, b" (").map_or(stage, |(stage, _bytes)| stage);
    Some(Event::Gone { how, stage, client: whole_client(rest)?, queue_id })
}

/// Lines that begin with `warning: `, `fatal: `, `error: ` or `panic: `.
fn severe(text: &[u8]) -> Option<Event<'_>> {
    match level(text) {
        (Level::Warning, rest) => warning(rest),
        (Level::Fatal | Level::Panic, rest) => Some(fatal(rest)),
        (Level::Error, rest) => warning(rest).or(Some(Event::Other("error"))),
        (Level::Info, _) => None,
    }
}

fn fatal(text: &[u8]) -> Event<'_> {
    match sasl::backend_trouble(text) {
        Some(trouble @ sasl::BackendTrouble::Library(_)) if !text.starts_with(b"SASL per-") => Event::Backend(trouble),
        _ => Event::Fatal(text),
    }
}

/// Whether a line, behind `warning: `, is about a client's name and names no client: seen as often as strangers connect.
#[inline]
pub(crate) fn is_hostname_note(text: &[u8]) -> bool {
    text.starts_with(b"hostname ") && memchr::memchr(b'[', text).is_none()
}

/// `hostname H does not resolve to address A[: why]`, with the name of the reverse look-up, which anybody may claim.
fn hostname_mismatch(text: &[u8]) -> Event<'_> {
    let address = split_once(text, b" does not resolve to address ").map(|(_, rest)| word(rest).0);
    let address = address.map(|address| address.strip_suffix(b":").unwrap_or(address));
    address.and_then(Client::bare).map_or(Event::Other("hostname_mismatch"), Event::HostnameMismatch)
}

fn warning(text: &[u8]) -> Option<Event<'_>> {
    if is_hostname_note(text) {
        return Some(hostname_mismatch(text));
    }
    if let Some(failure) = sasl::failure(text) {
        return Some(Event::SaslFailed(failure));
    }
    if let Some((client, mechanism)) = sasl::aborted(text) {
        return Some(Event::SaslAborted(client, mechanism));
    }
    if let Some(trouble) = sasl::backend_trouble(text) {
        return Some(Event::Backend(trouble));
    }
    limit(text).or_else(|| tls_warning(text)).or_else(|| junk(text)).or_else(|| harmless_warning(text))
}

/// `AUTH command rate limit exceeded: N from <client> for service S` and its kin.
fn limit(text: &[u8]) -> Option<Event<'_>> {
    let (what, rest) = split_once(text, b" limit exceeded: ")?;
    let kind = match what {
        b"AUTH command rate" => LimitKind::Auth,
        b"Connection rate" | b"Connection concurrency" => LimitKind::Connection,
        b"New TLS session rate" => LimitKind::NewTls,
        b"Message delivery request rate" | b"Recipient address rate" => LimitKind::Message,
        _ => return None,
    };
    let (_, rest) = split_once(rest, b" from ")?;
    let (client, rest) = client(rest)?;
    Some(Event::Limited(Limit { kind, client, service: rest.strip_prefix(b" for service ").unwrap_or_default() }))
}

/// Grammar 2.9: TLS trouble that is always logged.
fn tls_warning(text: &[u8]) -> Option<Event<'_>> {
    if let Some(library) = text.strip_prefix(b"TLS library problem: ") {
        return Some(Event::TlsLibrary(library));
    }
    if contains(text, b"request from ") || contains(text, b"request dropped from ") {
        let dropped = text.strip_prefix(b"Wrapper-mode request dropped from ");
        if let Some((who, _)) = dropped.and_then(client) {
            return Some(Event::TlsServerTrouble(Some(who), text));
        }
        // Over smtpd_client_new_tls_session_rate_limit (smtpd.c, starttls_cmd and smtpd_start_tls).
        let limited = ["Refusing STARTTLS request from ", "Refusing TLS service request from "];
        let rest = limited.iter().find_map(|words| text.strip_prefix(words.as_bytes()));
        if let Some((who, rest)) = rest.and_then(client) {
            let service = rest.strip_prefix(b" for service ").unwrap_or_default();
            return Some(Event::Limited(Limit { kind: LimitKind::NewTls, client: who, service }));
        }
    }
    let ours = [
        "No server certs available",
        "cannot get ",
        "error loading ",
        "cannot load ",
        "TLS context initialization failed",
        "No certs for key ",
        "disabling TLS support",
    ];
    ours.iter().any(|words| text.starts_with(words.as_bytes())).then_some(Event::TlsServerTrouble(None, text))
}

/// `non-SMTP command from <client>: …` and `<client>: request longer than N: …`.
fn junk(text: &[u8]) -> Option<Event<'_>> {
    if let Some(rest) = text.strip_prefix(b"non-SMTP command from ") {
        let (who, rest) = client(rest)?;
        return Some(Event::NonSmtp(who, rest.strip_prefix(b": ")?));
    }
    let (who, rest) = client(text)?;
    let (limit, rest) = number(rest.strip_prefix(b": request longer than ")?)?;
    Some(Event::TooLong(who, limit, rest.strip_prefix(b": ").unwrap_or(rest)))
}

/// `Illegal address syntax from <client> in MAIL command: …`.
fn bad_address(text: &[u8]) -> Option<Event<'_>> {
    let (who, rest) = client(text.strip_prefix(b"Illegal address syntax from ")?)?;
    let (stage, _) = split_once(rest.strip_prefix(b" in ")?, b" command")?;
    Some(Event::BadAddress(who, stage))
}

/// Warnings that say nothing about a login.
fn harmless_warning(text: &[u8]) -> Option<Event<'_>> {
    let starts = |words: &[&str]| words.iter().any(|w| text.starts_with(w.as_bytes()));
    if let Some(event) = bad_address(text).or_else(|| queue_warning(text)) {
        return Some(event);
    }
    if starts(&["hostname "]) || contains(text, b": hostname ") || contains(text, b"verification failed: ") {
        return Some(Event::Other("hostname_mismatch"));
    }
    if starts(&["reject: ETRN ", "Unable to look up ", "malformed domain name ", "numeric domain name "]) {
        return Some(Event::Other("bad_address"));
    }
    if starts(&["connect to Milter service ", "milter "]) {
        return Some(Event::Other("milter_trouble"));
    }
    if starts(&[
        "problem talking to ",
        "timeout on ",
        "connect to ",
        "access table ",
        "unknown smtpd restriction",
        "don't know if EHLO feature AUTH",
        "table ",
        "dict_",
        "haproxy ",
        "open database ",
        "database ",
        "unreasonable ",
    ]) || contains(text, b"lookup error")
        || contains(text, b"table lookup")
    {
        return Some(Event::Other("lookup_trouble"));
    }
    starts(&[
        "getpeername: ",
        "TLS ",
        "network_biopair",
        "restriction ",
        "SASL ",
        "smtpd_sasl_auth_enable is true",
        "run-time library vs. compile-time",
        "queue_file ",
        "not enough free space",
        "process ",
        "premature end-of-input",
        "psc_",
        "valid_hostname: ",
        "don't know ",
        "ignoring non-empty ",
        "support for restriction ",
        "relay_clientcerts: ",
        "received garbage from proxy ",
        "bad IPv",
        "bad TCP ",
        "bad ETRN ",
        "NOQUEUE: ",
        "remove before-queue filter speed-adjust log ",
        "using backwards-compatible default setting ",
        "unable to connect to the ",
        "Both ",
        "mapping DSN status ",
    ])
    .then_some(Event::Other("warning"))
}

/// Lines that belong to a queue file or to `NOQUEUE`.
fn queued(text: &[u8]) -> Option<Event<'_>> {
    let (before, rest) = prefix(text)?;
    let queue_id = before.queue_id();
    if rest.starts_with(b"client=") {
        return acceptance(before, rest);
    }
    // Before the policies: `body` is followed by the sender's text, which may go on like a stage's ` from <client>`.
    if let Some(found) = content_check(queue_id, rest) {
        return Some(Event::ContentCheck(found));
    }
    if let Some(found) = policy(rest).or_else(|| proxy(rest)) {
        return Some(Event::Policy(queue_id, found));
    }
    if let Some(event) = gone(rest, queue_id) {
        return Some(event);
    }
    if rest.starts_with(b"abort: TLS from ") {
        let who = client(rest.strip_prefix(b"abort: TLS from ")?)?.0;
        return Some(Event::TlsAcceptError(who, rsplit_once(rest, b": ")?.1));
    }
    let known = ["reply filter ", "filter: ", "warn: ", "info: ", "trace: "]
        .iter()
        .any(|words| rest.starts_with(words.as_bytes()));
    known.then(|| queue_id.map_or(Event::Other("note"), |id| Event::QueueNote(id, rest)))
}

/// `client=<client>[, sasl_method=M][, sasl_username=U][, sasl_sender=X][, orig_queue_id=Q][, orig_client=C]`.
///
/// Values are not quoted and an account name may hold `, `; so the keys behind it are looked for from the right.
fn acceptance<'a>(before: Prefix<'a>, rest: &'a [u8]) -> Option<Event<'a>> {
    let (client, rest) = client(rest.strip_prefix(b"client=")?)?;
    let (rest, orig_client) = cut(rest, b", orig_client=");
    let (rest, orig_queue_id) = cut(rest, b", orig_queue_id=");
    let (rest, sasl_sender) = cut(rest, b", sasl_sender=");
    let (sasl_method, sasl_username) = match rest.strip_prefix(b", sasl_method=") {
        Some(rest) => match split_once(rest, b", sasl_username=") {
            Some((method, username)) => (Some(method), Some(username)),
            None => (Some(rest), None),
        },
        None => (None, rest.strip_prefix(b", sasl_username=")),
    };
    let orig_queue_id = orig_queue_id.and_then(QueueId::new);
    Some(Event::Accepted(Acceptance {
        queue_id: before.queue_id(),
        client,
        sasl_method,
        sasl_username,
        sasl_sender,
        orig_queue_id,
        orig_client: orig_client.and_then(whole_client),
    }))
}

fn cut<'a>(text: &'a [u8], key: &[u8]) -> (&'a [u8], Option<&'a [u8]>) {
    rsplit_once(text, key).map_or((text, None), |(head, value)| (head, Some(value)))
}

/// Information lines without queue id.
fn plain(text: &[u8]) -> Option<Event<'_>> {
    if let Some(event) = gone(text, None) {
        return Some(event);
    }
    if let Some(rest) = text.strip_prefix(b"SSL_accept error from ") {
        let (who, rest) = client(rest)?;
        return Some(Event::TlsAcceptError(who, rest.strip_prefix(b": ").unwrap_or(rest)));
    }
    if let Some(rest) = text.strip_prefix(b"improper command pipelining after ") {
        let (stage, rest) = split_once(rest, b" from ")?;
        let (who, rest) = client(rest)?;
        return Some(Event::Pipelining(who, stage, rest.strip_prefix(b": ").unwrap_or_default()));
    }
    if let Some(event) = tls_event(text) {
        return Some(event);
    }
    if let Some(found) = proxy(text).or_else(|| policy(text)) {
        return Some(Event::Policy(None, found));
    }
    debug(text).or_else(|| {
        let known = [
            "discarding EHLO keywords: ",
            "setting up TLS connection from ",
            "initializing the server-side TLS",
            "name_mask: ",
            "SSL_accept:",
            "reply filter ",
            "statistics: ",
            "<<< ",
            ">>> ",
            "using backwards-compatible default setting ",
            "disabling TLS support",
            "TLS SNI ",
            "restriction ",
            "auto_clnt_",
            "generic_checks: ",
            "certificate verification ",
            "mapping DSN status ",
            "relay_clientcerts: ",
            "Relaying allowed for certified client: ",
        ];
        let listed = known.iter().any(|words| text.starts_with(words.as_bytes()))
            || contains(text, b" has changed -- restarting")
            || contains(text, b": replacing command ")
            || contains(text, b": certificate ")
            || contains(text, b": subject_CN=");
        listed.then_some(Event::Other("note"))
    })
}

/// `< name[address]: COMMAND` and `> name[address]: reply` of a verbose `smtpd`. They may hold passwords.
fn debug(text: &[u8]) -> Option<Event<'_>> {
    let rest = text.strip_prefix(b"< ").or_else(|| text.strip_prefix(b"> "));
    let dialogue = rest.and_then(client).is_some_and(|(_, rest)| rest.starts_with(b": "));
    (dialogue || text.starts_with(b"xsasl_") || text.starts_with(b"smtpd_sasl_") || text.starts_with(b"smtpd_chat_"))
        .then_some(Event::Other("debug"))
}

/// `Anonymous TLS connection established from <client>[ to SNI]: TLSv1.3 with cipher C (256/256 bits)…`; also the
/// client side's `… established to host[address]:port: …` and `… reused to …`.
pub(crate) fn tls_established(text: &[u8]) -> Option<TlsEstablished<'_>> {
    let (level, rest) = word(text);
    if !matches!(level, b"Anonymous" | b"Untrusted" | b"Trusted" | b"Verified") {
        return None;
    }
    let rest = rest.strip_prefix(b"TLS connection ")?;
    let rest = rest.strip_prefix(b"established ").or_else(|| rest.strip_prefix(b"reused "))?;
    let (outbound, rest) = match rest.strip_prefix(b"to ") {
        Some(rest) => (true, rest),
        None => (false, rest.strip_prefix(b"from ")?),
    };
    let (peer, rest) = client(rest)?;
    let (_sni, rest) = split_once(rest, b": ")?;
    let (version, rest) = split_once(rest, b" with cipher ")?;
    Some(TlsEstablished { peer, outbound, level, version, cipher: word(rest).0 })
}

/// Whether a line tells of a new TLS connection, without taking it apart.
#[inline]
pub(crate) fn is_tls_established(text: &[u8]) -> bool {
    let rest = match text.first() {
        Some(b'A') => text.strip_prefix(b"Anonymous"),
        Some(b'U') => text.strip_prefix(b"Untrusted"),
        Some(b'T') => text.strip_prefix(b"Trusted"),
        Some(b'V') => text.strip_prefix(b"Verified"),
        _ => None,
    };
    rest.is_some_and(|rest| rest.starts_with(b" TLS connection established "))
}

/// A TLS handshake that went well. What is cut or odd behind its first words leaves no doubt what it is.
pub(crate) fn tls_event(text: &[u8]) -> Option<Event<'_>> {
    tls_established(text)
        .map(Event::TlsEstablished)
        .or_else(|| is_tls_established(text).then_some(Event::Other("note")))
}

/// A line that ends a session: whether AUTH was given in it. [`event`] reads it as `Disconnect`.
#[inline]
pub(crate) fn disconnect_after_auth(text: &[u8]) -> Option<bool> {
    let (_, rest) = client(text.strip_prefix(b"disconnect from ")?)?;
    Some(RawCounters(rest).has_auth())
}

/// The client elsewhere that hands in a message without a login and without a filter in between: `ID: client=NAME[ADDRESS]` and no more.
#[must_use]
#[inline]
pub fn stranger_accepted(text: &[u8]) -> Option<Client<'_>> {
    let (_, rest) = prefix(text)?;
    let (client, rest) = client(rest.strip_prefix(b"client=")?)?;
    (rest.is_empty() && !client.is_local()).then_some(client)
}

/// `process PATH pid N exit status S|killed by signal S` of `master`: pid, and how it ended.
pub(crate) fn process_exit(text: &[u8]) -> Option<(u32, &[u8])> {
    let (_, rest) = split_once(text.strip_prefix(b"process ")?, b" pid ")?;
    let (pid, how) = word(rest);
    Some((whole_u32(pid)?, how))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> &'static str {
        event(text.as_bytes()).map_or("unknown", |event| event.name())
    }

    #[test]
    fn names_of_part_2() {
        for (text, expected) in [
            ("connect from h[192.0.2.1]", "connect"),
            ("connect from unknown[unknown]", "connect"),
            ("connect from h[192.0.2.1]:4711", "connect"),
            ("disconnect from h[192.0.2.1]", "disconnect"),
            ("lost connection after AUTH from h[192.0.2.1]", "lost_connection"),
            ("NOQUEUE: lost connection after AUTH from h[192.0.2.1]", "lost_connection"),
            ("ABCDEF1234: lost connection after DATA (12 bytes) from h[192.0.2.1]", "lost_connection"),
            ("timeout after AUTH from h[192.0.2.1]:43839", "timeout"),
            ("too many errors after AUTH from h[192.0.2.1]", "too_many_errors"),
            ("warning: h[192.0.2.1]: SASL LOGIN authentication failed: x", "sasl_failed"),
            ("warning: h[192.0.2.1]: SASL LOGIN authentication aborted", "sasl_aborted"),
            ("warning: AUTH command rate limit exceeded: 3 from h[192.0.2.1] for service 587", "limited"),
            ("warning: Connection concurrency limit exceeded: 51 from h[192.0.2.1] for service smtp", "limited"),
            ("warning: SASL: Connect to Dovecot auth socket 'private/auth' failed: Connection refused", "sasl_backend"),
            ("warning: SASL authentication failure: Password verification failed", "sasl_detail"),
            ("fatal: no SASL authentication mechanisms", "fatal"),
            ("fatal: unsupported SASL server implementation: foo", "sasl_backend"),
            ("SSL_accept error from h[192.0.2.1]: -1", "tls_failed"),
            ("warning: TLS library problem: error:0A00010B:SSL routines::wrong version number:", "tls_library"),
            (
                "warning: Wrapper-mode request dropped from h[192.0.2.1] for service smtps. TLS context initialization failed. For details see earlier warnings in your logs.",
                "tls_server",
            ),
            (
                "Anonymous TLS connection established from h[192.0.2.1] to mail.example: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange X25519",
                "tls_established",
            ),
            (
                "improper command pipelining after EHLO from h[192.0.2.1]: AUTH PLAIN AGFsaWNlAHNlY3JldA==\\r\\n",
                "pipelining",
            ),
            ("warning: h[192.0.2.1]: request longer than 12288: dGhp...", "request_too_long"),
            ("warning: non-SMTP command from h[192.0.2.1]: GET / HTTP/1.1", "non_smtp"),
            ("warning: hostname x.example does not resolve to address 192.0.2.1", "hostname_mismatch"),
            (
                "NOQUEUE: reject: RCPT from h[192.0.2.1]: 554 5.7.1 <u@r>: Relay access denied; from=<a> to=<u@r> proto=ESMTP helo=<c>",
                "reject",
            ),
            (
                "NOQUEUE: reject_warning: RCPT from h[192.0.2.1]: 554 5.7.1 <u@r>: Relay access denied; from=<a>",
                "policy",
            ),
            ("0F5383D: client=h[192.0.2.1], sasl_method=PLAIN, sasl_username=a", "client"),
            (
                "warning: hostname x.example does not resolve to address 2001:db8::1: Name or service not known",
                "hostname_mismatch",
            ),
            ("bare <LF> received after CONNECT from h[192.0.2.1]", "bare_line_feed"),
            ("warning: Illegal address syntax from h[192.0.2.1] in MAIL command: <a b>", "bad_address"),
            ("warning: 0F5383D12: queue file size limit exceeded", "queue_warning"),
            ("0F5383D12: reply filter in: 250 ok", "queue_note"),
            ("0F5383D12: warn: header Subject: x from h[192.0.2.1]; from=<a>", "content_check"),
            ("discarding EHLO keywords: AUTH", "note"),
            ("< h[192.0.2.1]: AUTH PLAIN x", "debug"),
            ("something nobody wrote", "unknown"),
            ("warning: something nobody wrote", "unknown"),
        ] {
            assert_eq!(name(text), expected, "{text}");
        }
    }

    #[test]
    fn counters_of_a_session() {
        let Some(Event::Disconnect(_, Some(c))) = event(b"disconnect from h[192.0.2.1]:5 helo=1 ehlo=2/3 starttls=1 auth=0/4 mail=1 rcpt=0/1 quit=1 commands=5/12 notes=bare_lf") else { panic!() };
        let c = c.read();
        assert_eq!((c.auth, c.starttls), (Count { ok: 0, tried: 4 }, Count { ok: 1, tried: 1 }));
        let odd = RawCounters(b"auth=2 xauth=5 x=auth starttls=a");
        assert_eq!(odd.read(), Counters { auth: Count { ok: 2, tried: 2 }, ..Counters::default() });
        assert_eq!(
            event(b"disconnect from h[192.0.2.1]"),
            Some(Event::Disconnect(whole_client(b"h[192.0.2.1]").unwrap(), None))
        );
    }

    #[test]
    fn acceptance_fields() {
        let Some(Event::Accepted(a)) = event(b"105819B000C: client=unknown[203.0.113.104], sasl_method=PLAIN, sasl_username=a, b@x, sasl_sender=foo+3Dbar@x, orig_queue_id=0F5383D, orig_client=h[192.0.2.1]") else { panic!() };
        assert_eq!(
            (a.sasl_method, a.sasl_username, a.sasl_sender),
            (Some(b"PLAIN".as_slice()), Some(b"a, b@x".as_slice()), Some(b"foo+3Dbar@x".as_slice()))
        );
        assert_eq!(a.orig_queue_id.map(|q| q.as_bytes()), Some(b"0F5383D".as_slice()));
        assert_eq!(a.orig_client.map(|client| client.address), Some(b"192.0.2.1".as_slice()));
        let Some(Event::Accepted(a)) = event(b"NOQUEUE: client=h[192.0.2.1]") else { panic!() };
        assert_eq!((a.queue_id, a.sasl_username), (None, None));
    }
}
