//! Which program wrote a line, and whose grammar reads it.

use std::sync::LazyLock;

use memchr::memmem::Finder;

use crate::client::Client;
use crate::contained::begins_as_line;
use crate::envelope::{Record, is_part, last_message_repeated, lines_lost};
use crate::event::Event;
use crate::scan::{contains, number};
use crate::tag::Tag;
use crate::{delivery, dovecot, neighbour, queue, saslauthd, screening, service, smtpd};

/// The programs whose wording is known, by the last element of the tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Program {
    /// The SMTP server.
    Smtpd,
    /// The queue manager.
    Qmgr,
    /// Message clean-up.
    Cleanup,
    /// `smtp`, `lmtp`, `local`, `virtual`, `pipe`, `error`, `discard`, `relay`.
    DeliveryAgent,
    /// Local submission.
    Pickup,
    /// Bounces.
    Bounce,
    /// `postscreen`.
    Postscreen,
    /// `tlsproxy`, `dnsblog`.
    Screener,
    /// `master` of Postfix.
    Master,
    /// `postsuper`.
    Postsuper,
    /// Any other program of Postfix.
    Helper,
    /// Dovecot.
    Dovecot,
    /// `saslauthd`.
    Saslauthd,
    /// A content filter, a signature checker, or an SPF or greylisting policy.
    Neighbour,
    /// rsyslog of the kind `<22>1 …` cut the tag after `postfix`: the message must tell.
    PostfixCut,
    /// Anything else.
    Other,
}

impl Program {
    /// Whether it is a program of Postfix.
    #[must_use]
    pub fn is_postfix(self) -> bool {
        !matches!(self, Self::Dovecot | Self::Saslauthd | Self::Neighbour | Self::Other)
    }

    /// Whether Postfix, Dovecot or saslauthd wrote the line: one we are expected to understand.
    #[must_use]
    pub fn is_ours(self) -> bool {
        !matches!(self, Self::Other | Self::Neighbour)
    }
}

/// Names the program of a tag.
#[must_use]
#[inline]
pub fn program(tag: Tag<'_>) -> Program {
    if let Some(program) = commonest(tag) {
        return program;
    }
    match tag.daemon() {
        b"smtpd" | b"qmqpd" => Program::Smtpd,
        b"qmgr" | b"oqmgr" | b"nqmgr" => Program::Qmgr,
        b"cleanup" => Program::Cleanup,
        b"smtp" | b"lmtp" | b"local" | b"virtual" | b"pipe" | b"error" | b"discard" | b"relay" | b"retry" => {
            Program::DeliveryAgent
        }
        b"pickup" => Program::Pickup,
        b"bounce" | b"defer" | b"trace" => Program::Bounce,
        b"postscreen" => Program::Postscreen,
        b"tlsproxy" | b"dnsblog" => Program::Screener,
        b"master" => Program::Master,
        b"postsuper" => Program::Postsuper,
        b"anvil" | b"scache" | b"verify" | b"trivial-rewrite" | b"proxymap" | b"proxywrite" | b"flush" | b"showq"
        | b"tlsmgr" | b"postlogd" | b"postfix-script" | b"sendmail" | b"postdrop" | b"postqueue" | b"spawn"
        | b"postalias" | b"postmap" | b"postmulti" | b"nbdb_reindexd" | b"postlog" | b"postlock" | b"postcat"
        | b"postconf" | b"postkick" | b"posttls-finger" | b"tlsrpt" => Program::Helper,
        b"dovecot" => Program::Dovecot,
        b"saslauthd" | b"plesk_saslauthd" => Program::Saslauthd,
        b"postfix" => Program::PostfixCut,
        name if name.starts_with(b"dovecot:") => Program::Dovecot,
        name if name.ends_with(b".service") => of_unit(name),
        name if neighbour::is_neighbour(name) => Program::Neighbour,
        _ => Program::Other,
    }
}

/// The unit that `journalctl -o with-unit` shows in the program's place. Postfix's has all of its programs: the message must tell.
fn of_unit(name: &[u8]) -> Program {
    match name {
        b"postfix.service" => Program::PostfixCut,
        b"dovecot.service" => Program::Dovecot,
        b"saslauthd.service" => Program::Saslauthd,
        name if name.starts_with(b"postfix@") => Program::PostfixCut,
        _ => Program::Other,
    }
}

/// The programs that write nearly all lines, by the last eight bytes of the tag at once: every line is asked, some of them twice.
#[inline]
fn commonest(tag: Tag<'_>) -> Option<Program> {
    const ENDS: [(End, Program); 8] = [
        (End::new(b"/smtpd"), Program::Smtpd),
        (End::new(b"/qmgr"), Program::Qmgr),
        (End::new(b"/cleanup"), Program::Cleanup),
        (End::new(b"/smtp"), Program::DeliveryAgent),
        (End::new(b"/lmtp"), Program::DeliveryAgent),
        (End::new(b"/local"), Program::DeliveryAgent),
        (End::new(b"/virtual"), Program::DeliveryAgent),
        (End::new(b"/pipe"), Program::DeliveryAgent),
    ];
    let last = u64::from_be_bytes(*tag.0.last_chunk()?);
    ENDS.iter().find(|(end, _)| last & end.mask == end.bytes).map(|(_, program)| *program)
}

/// The end of a tag as a number: its bytes, and which of eight they are.
struct End {
    bytes: u64,
    mask: u64,
}

impl End {
    #[expect(clippy::indexing_slicing, reason = "evaluated when compiled: a wrong index does not compile")]
    const fn new(text: &[u8]) -> Self {
        let (mut bytes, mut mask, mut at) = (0, 0, 0);
        while at < text.len() {
            bytes = bytes << 8 | text[at] as u64;
            mask = mask << 8 | 0xff;
            at += 1;
        }
        Self { bytes, mask }
    }
}

/// Reads a record's message by the grammar of the program that wrote it. `None`: a line of ours that we do not know yet.
#[must_use]
pub fn event<'a>(record: &Record<'a>) -> Option<Event<'a>> {
    let text = record.text;
    match record.program {
        Program::Smtpd => smtpd::event(text),
        Program::Qmgr => queue::qmgr(text),
        Program::Cleanup => queue::cleanup(text),
        Program::DeliveryAgent => delivery::event(text),
        Program::Pickup => queue::pickup(text),
        Program::Bounce => queue::bounce(text),
        Program::Postscreen => screening::postscreen(text),
        Program::Screener => screening::screener(text),
        Program::Master => service::master(text),
        Program::Postsuper => queue::postsuper(text),
        Program::Helper => service::helper(text),
        Program::Dovecot => dovecot::event(text),
        Program::Saslauthd => saslauthd::event(text),
        Program::Neighbour => {
            Some(neighbour::examination(record.tag.daemon(), text).map_or_else(|| foreign(text), Event::Examined))
        }
        Program::PostfixCut => by_content(text),
        Program::Other => of_others(record),
    }
}

/// What a line surely is, by a look at its start and its ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Glance<'a> {
    /// A session starts: `Connect`.
    Connect,
    /// A session ends: `Disconnect`.
    Disconnect {
        /// AUTH is among its counters.
        auth: bool,
    },
    /// A delivery attempt.
    Delivery {
        /// As [`crate::Delivery::status`].
        status: &'a [u8],
        /// As [`crate::Delivery::relayhost_login_failed`].
        login_failed: bool,
    },
    /// A queue file is gone.
    Removed,
    /// A client elsewhere that did not log in hands in a message: `client=`.
    Taken,
    /// `cleanup` tells a message's Message-ID.
    MessageId,
    /// Understood, and neither about a session's ends, a login or a refusal, nor about the fate of a login's message.
    Other,
}

/// Tells the commonest lines apart without reading them whole: [`event`] reads every line this knows, and says the same.
#[must_use]
#[inline]
pub fn glance<'a>(record: &Record<'a>) -> Option<Glance<'a>> {
    let text = record.text;
    let other = |is_other: bool| is_other.then_some(Glance::Other);
    match record.program {
        Program::Smtpd => glance_at_smtpd(text),
        Program::DeliveryAgent => match delivery::delivery_status(text) {
            Some((status, login_failed)) => Some(Glance::Delivery { status, login_failed }),
            None => other(smtpd::is_tls_established(text)),
        },
        Program::Qmgr if text.ends_with(b": removed") => queue::is_removed(text).then_some(Glance::Removed),
        Program::Qmgr => other(text.ends_with(b" (queue active)") && queue::is_active(text)),
        Program::Cleanup => queue::is_message_id(text).then_some(Glance::MessageId),
        Program::Screener => other(screening::screener(text).is_some()),
        // The address of a database may hold a password: such a line is looked at.
        Program::Helper => other(!contains(text, b"://") && service::helper(text).is_some()),
        Program::Neighbour => other(is_foreign(text)),
        Program::Other => other(matches!(of_others(record), Some(Event::OtherProgram))),
        _ => None,
    }
}

#[inline]
fn glance_at_smtpd(text: &[u8]) -> Option<Glance<'_>> {
    let is_other = match text.first()? {
        b'c' if Client::connecting(text).is_some() => return Some(Glance::Connect),
        b'd' if text.starts_with(b"disconnect from ") => {
            return smtpd::disconnect_after_auth(text).map(|auth| Glance::Disconnect { auth });
        }
        b'w' => text.strip_prefix(b"warning: ").is_some_and(smtpd::is_hostname_note),
        b'A' | b'U' | b'T' | b'V' if smtpd::is_tls_established(text) => true,
        _ => return smtpd::stranger_accepted(text).map(|_| Glance::Taken),
    };
    is_other.then_some(Glance::Other)
}

/// Whether a line of which [`glance`] knows nothing is most likely a login, a refusal, or a word of the backend's, so that
/// it will have to be read anyway.
#[must_use]
#[inline]
pub fn may_matter(record: &Record<'_>) -> bool {
    let text = record.text;
    match record.program {
        Program::Smtpd => match text.first() {
            Some(b'l') => text.starts_with(b"lost connection after AUTH"),
            first => matches!(first, Some(b'w' | b'N' | b'0'..=b'9' | b'A'..=b'F' | b'f' | b'S')),
        },
        Program::Dovecot => text.starts_with(b"auth"),
        Program::Postscreen => text.starts_with(b"NOQUEUE: "),
        _ => false,
    }
}

/// The line of a Postfix program whose name was cut off: the first grammar that knows the wording.
fn by_content(text: &[u8]) -> Option<Event<'_>> {
    type Grammar = for<'t> fn(&'t [u8]) -> Option<Event<'t>>;
    let vague = |event: &Event<'_>| {
        matches!(event, Event::Other(_) | Event::QueueNote(..) | Event::QueueWarning(..) | Event::Fatal(_))
    };
    let grammars: [Grammar; 10] = [
        smtpd::event,
        queue::qmgr,
        queue::cleanup,
        delivery::event,
        queue::pickup,
        queue::bounce,
        queue::postsuper,
        service::master,
        screening::postscreen,
        screening::screener,
    ];
    let mut second_best = None;
    for parse in grammars {
        match parse(text) {
            Some(Event::ContentCheck(found)) => return Some(Event::ContentCheck(found.of_any_program())),
            Some(event) if !vague(&event) => return Some(event),
            found => second_best = second_best.or(found),
        }
    }
    second_best.or_else(|| service::helper(text))
}

/// Whether another program's line is none of those that matter.
#[inline]
fn is_foreign(text: &[u8]) -> bool {
    matches!(foreign(text), Event::OtherProgram)
}

/// The line of a program beside the mail system, or of none that is named.
///
/// `None`: a part of a line, or one that has an `smtpd`'s in it, without a tag, or about a login, as behind a second stamp or host in a form nobody knows.
/// What it says is not for [`record`](crate::record) to guess, but that it was not understood must show.
#[inline]
fn of_others<'a>(record: &Record<'a>) -> Option<Event<'a>> {
    let found = foreign(record.text);
    let is_part = record.tag.0.is_empty() && is_part(record.text);
    let hides = matches!(found, Event::OtherProgram) && (hides_smtpd(record) || begins_as_line(record) || is_part);
    if hides { None } else { Some(found) }
}

/// Whether `smtpd[77]:` stands anywhere, with `SASL` behind it if another program is named: many quote a log.
fn hides_smtpd(record: &Record<'_>) -> bool {
    static SMTPD: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"smtpd["));
    let mut rest = record.text;
    while let Some(at) = SMTPD.find(rest) {
        let after = rest.get(at + SMTPD.needle().len()..).unwrap_or_default();
        if let Some(behind) = number(after).and_then(|(_, after)| after.strip_prefix(b"]:")) {
            return record.tag.0.is_empty() || contains(behind, b"SASL");
        }
        rest = after;
    }
    false
}

/// Lines of other programs that matter all the same: PAM, loss notices, repetition.
fn foreign(text: &[u8]) -> Event<'_> {
    if let Some(pam) = saslauthd::pam(text) {
        return Event::Pam(pam);
    }
    if let Some(lost) = lines_lost(text) {
        return Event::LinesLost(lost);
    }
    last_message_repeated(text).map_or(Event::OtherProgram, Event::LastRepeated)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envelope::record;

    #[test]
    fn a_glance_says_nothing_that_reading_denies() {
        let check = |line: &str, expected: Option<Glance>| {
            let record = record(line.as_bytes()).unwrap();
            assert_eq!(glance(&record), expected, "{line}");
            assert!(expected.is_none() || event(&record).is_some(), "{line}");
        };
        let other = Some(Glance::Other);
        check("Jun 17 10:25:14 mail postfix/smtpd[1]: connect from h[192.0.2.1]", Some(Glance::Connect));
        check("Jun 17 10:25:14 mail postfix/smtpd[1]: connect from h[192.0.2", None);
        check(
            "Jun 17 10:25:14 mail postfix/smtpd[1]: disconnect from h[192.0.2.1]:5 ehlo=1 quit=1 commands=2",
            Some(Glance::Disconnect { auth: false }),
        );
        check(
            "Jun 17 10:25:14 mail postfix/smtpd[1]: disconnect from h[192.0.2.1]",
            Some(Glance::Disconnect { auth: false }),
        );
        check(
            "Jun 17 10:25:14 mail postfix/smtpd[1]: disconnect from h[192.0.2.1] auth=0/1 commands=0/1",
            Some(Glance::Disconnect { auth: true }),
        );
        check("Jun 17 10:25:14 mail postfix/smtpd[1]: disconnect from nobody", None);
        check(
            "Jun 17 10:25:14 mail postfix/smtpd[1]: Anonymous TLS connection established from h[192.0.2.1]: TLSv1.3 with",
            other,
        );
        check(
            "Jun 17 10:25:14 mail postfix/smtpd[1]: warning: hostname h.example does not resolve to address 192.0.2.1",
            other,
        );
        check(
            "Jun 17 10:25:14 mail postfix/smtpd[1]: warning: hostname h[192.0.2.1]: SASL LOGIN authentication failed: x",
            None,
        );
        check("Jun 17 10:25:14 mail postfix/smtpd[1]: 0F5383D12: client=h[192.0.2.1]:25", Some(Glance::Taken));
        check("Jun 17 10:25:14 mail postfix/smtpd[1]: 0F5383D12: client=localhost[127.0.0.1]", None);
        check("Jun 17 10:25:14 mail postfix/smtpd[1]: 0F5383D12: client=h[192.0.2.1], sasl_username=a", None);
        check("Jun 17 10:25:14 mail postfix/qmgr[1]: 0F5383D12: removed", Some(Glance::Removed));
        check("Jun 17 10:25:14 mail postfix/qmgr[1]: 0F5383D12: x: removed", None);
        check("Jun 17 10:25:14 mail postfix/qmgr[1]: 0F5383D12: from=<a@x>, size=123, nrcpt=1 (queue active)", other);
        check("Jun 17 10:25:14 mail postfix/qmgr[1]: 0F5383D12: from=<a@x>, (queue active)", other);
        check("Jun 17 10:25:14 mail postfix/cleanup[1]: 0F5383D12: message-id=<x@y>", Some(Glance::MessageId));
        check(
            "Jun 17 10:25:14 mail postfix/smtp[1]: 0F5383D12: to=<x@y>, relay=none, delay=1, dsn=4.0.0, status=deferred (x)",
            Some(Glance::Delivery { status: b"deferred", login_failed: false }),
        );
        check("Jun 17 10:25:14 mail postfix/smtp[1]: 0F5383D12: to=<x@y>, cut", None);
        check(
            "Jun 17 10:25:14 mail postfix/smtp[1]: Untrusted TLS connection established to h[192.0.2.1]:25: cut",
            other,
        );
        check("Jun 17 10:25:14 mail postfix/dnsblog[1]: addr 192.0.2.1 listed by domain x as 127.0.0.2", other);
        check("Jun 17 10:25:14 mail amavis[1]: (1) Passed CLEAN", other);
        check("Jun 17 10:25:14 mail rsyslogd: imuxsock lost 42 messages from pid 7 due to rate-limiting", None);
        check("Jun 17 10:25:14 mail postfix/smtpd[1]: warning: x", None);
    }

    #[test]
    fn commonest_programs_are_what_their_names_say() {
        for name in ["smtpd", "qmgr", "cleanup", "smtp", "lmtp", "local", "virtual", "pipe"] {
            for prefix in ["postfix/", "/", "postfix-out/submission/", "x/y"] {
                let tag = format!("{prefix}{name}");
                let whole = tag.strip_prefix("x/y").map_or(program(Tag(name.as_bytes())), |_| Program::Other);
                assert_eq!(program(Tag(tag.as_bytes())), whole, "{tag}");
            }
        }
    }

    #[test]
    fn by_tag_and_by_content() {
        let name = |line: &str| event(&record(line.as_bytes()).unwrap()).map_or("unknown", |e| e.name());
        assert_eq!(name("Jun 17 10:25:14 mail postfix/smtpd[1]: connect from h[192.0.2.1]"), "connect");
        assert_eq!(name("Jun 17 10:25:14 mail ingress/smtpd[1]: connect from h[192.0.2.1]"), "connect");
        assert_eq!(name("Jun 17 10:25:14 mail postfix/smtp[1]: connect from h[192.0.2.1]"), "unknown");
        assert_eq!(name("Jun 17 10:25:14 mail sshd[1]: SASL LOGIN authentication failed: x"), "other_program");
        assert_eq!(
            name(
                "<22>1 2025-11-22T09:17:26Z mail postfix 42 - -  warning: h[192.0.2.1]: SASL LOGIN authentication failed: x"
            ),
            "sasl_failed"
        );
        assert_eq!(name("<22>1 2025-11-22T09:17:26Z mail postfix 42 - -  0F5383D: removed"), "removed");
        assert_eq!(
            name("Jun 17 10:25:14 mail rsyslogd: imuxsock lost 42 messages from pid 7 due to rate-limiting"),
            "lines_lost"
        );
        for (line, expected) in [
            (
                "Jun 17 10:25:14 mail postfix/dnsblog[1]: addr 192.0.2.1 listed by domain x.example as 127.0.0.2",
                "dns_listed",
            ),
            (
                "Jun 17 10:25:14 mail postfix/anvil[1]: statistics: max auth rate 9/60s for (smtp:192.0.2.1) at Jun 17",
                "anvil_peak",
            ),
            ("Jun 17 10:25:14 mail postfix/qmqpd[1]: 0F5383D12: client=h[192.0.2.1]", "client"),
            ("Jun 17 10:25:14 mail postfix/verify[1]: what is this", "unknown"),
            (
                "Jun 17 10:25:14 mail postgrey[1]: action=pass, reason=x, client_name=h, client_address=192.0.2.1, sender=a, recipient=b",
                "greylist_verdict",
            ),
            ("Jun 17 10:25:14 mail postgrey[1]: cleaning up", "other_program"),
            ("Jun 17 10:25:14 mail opendkim[1]: 0F5383D12: no signature data", "signature_verdict"),
            (
                "Mar 10 10:00:00 postfix/submission/smtpd[7]: warning: h[192.0.2.1]: SASL LOGIN authentication failed: x",
                "sasl_failed",
            ),
            (
                "Tue 2026-03-10 11:00:01 CET mx smtps/smtpd[7]: warning: h[192.0.2.1]: SASL LOGIN authentication failed: x",
                "sasl_failed",
            ),
            // An envelope nobody knows hides a line of ours.
            ("Mar 10 10:00:00 CET mail postfix/smtpd[7]: connect from h[192.0.2.1]", "unknown"),
            ("Mar 10 10:00:00 mail.info: Mar 10 10:00:00 postfix/smtpd[7]: connect from h[192.0.2.1]", "unknown"),
            ("Mar 10 10:00:00 2026 mail postfix/smtpd[x]: a postfix/smtpd[7]: b", "unknown"),
            ("Mar 10 10:00:00 mail sshd postfix/smtpd[x]: a", "other_program"),
            ("Mar 10 10:00:00 mail sshd[7]: a postfix/smtpd[7]: b", "other_program"),
            ("Mar 10 10:00:00 mail app[7]: a postfix/smtpd[7]: warning: h[192.0.2.1]: SASL x failed", "unknown"),
            ("Mar 10 10:00:00 mail app[7]: SASL of a postfix/smtpd[7]: b", "other_program"),
            ("Mar 10 10:00:00 mail app[7]: smtpd[x]: smtpd[7] SASL smtpd[8]:", "other_program"),
            ("Mar 10 10:00:00 mail -- MARK --", "other_program"),
            (
                "2026-03-10T10:00:00.1Z stdout F Mar 10 10:00:00 mail postfix/smtpd[7]: connect from h[192.0.2.1]",
                "connect",
            ),
            // Only a part of it: the name, too.
            (
                "2026-03-10T10:00:00.1Z stdout P Mar 10 10:00:00 mail postfix/smtpd[7]: warning: h[192.0.2.1]: SASL LOGIN authentication failed: x, sasl_username=bo",
                "unknown",
            ),
            ("2026-03-10T10:00:00.1Z stderr P rspamd says", "unknown"),
            ("2026-03-10T10:00:00.1Z stderr F P rspamd says", "other_program"),
            (
                "Tue 2026-03-10 10:00:00 UTC mx postfix@-.service[7]: warning: h[192.0.2.1]: SASL LOGIN authentication failed: x",
                "sasl_failed",
            ),
            ("Tue 2026-03-10 10:00:00 UTC mx postfix.service[7]: 0F5383D12: removed", "removed"),
            ("Tue 2026-03-10 10:00:00 UTC mx postfix.service[7]: what is this", "unknown"),
            ("Tue 2026-03-10 10:00:00 UTC mx dovecot.service[7]: auth: Error: x", "dovecot_service"),
            ("Tue 2026-03-10 10:00:00 UTC mx postfixadmin.service[7]: 0F5383D12: removed", "other_program"),
            ("Mar 10 10:00:00 mail last message repeated 3 times", "repeated"),
            ("Jun 17 10:25:14 mail dovecot: lda(a): msgid=<m>: saved mail to INBOX", "dovecot_delivery"),
            ("<22>1 2025-11-22T09:17:26Z mail postfix 42 - -  PASS OLD [192.0.2.1]:25", "postscreen"),
            ("<22>1 2025-11-22T09:17:26Z mail postfix 42 - -  0F5383D12: released from hold", "released"),
            (
                "<22>1 2025-11-22T09:17:26Z mail postfix 42 - -  0F5383D12: host h[192.0.2.1] said: 550 no",
                "remote_reply",
            ),
            ("<22>1 2025-11-22T09:17:26Z mail postfix 42 - -  fatal: no SASL authentication mechanisms", "fatal"),
            ("<22>1 2025-11-22T09:17:26Z mail postfix 42 - -  what is this", "unknown"),
        ] {
            assert_eq!(name(line), expected, "{line}");
        }
    }
}
