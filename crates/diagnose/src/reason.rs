//! Why was a message deferred, returned or refused? Reasons as data, picked by the words of a reply.
//!
//! Input: the words in a delivery line's parentheses, or of our own reject, and the status code. Output: the [`Reason`] they
//! fit best. The words are a stranger's: they pick a row of this table and do nothing else. Linear time: one automaton holds
//! all wordings and is built once.

use std::borrow::Cow;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use crate::dsn::StatusCode;
use crate::reasons::{OTHER, all, at_our_door};

/// Why a message was not taken.
#[derive(Debug)]
pub struct Reason {
    /// Stable id: `mailbox_full`.
    pub id: &'static str,
    /// In plain words, for a headline.
    pub title: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// Who can change it.
    pub side: Side,
    /// Wordings, in lower case; each counts where a word starts. Of reasons with a wording in the reply the first in the table
    /// is taken.
    pub words: &'static [&'static str],
    /// Codes that show it where no wording does: `x.2.2`, with the class left open.
    pub codes: &'static [(u16, u16)],
    /// What to do.
    pub next: &'static [&'static str],
}

/// Who can do something about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The address is wrong or dead, or its owner must act.
    Recipient,
    /// The receiving server, or whoever keeps its lists.
    Receiver,
    /// This mail host and its domain.
    Ours,
    /// Nobody in particular: network and names on the way.
    Way,
    /// Whoever sends to us.
    Client,
}

impl Side {
    /// In words.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Recipient => "the recipient",
            Self::Receiver => "the receiving server",
            Self::Ours => "this mail host",
            Self::Way => "the way in between",
            Self::Client => "the client that sends",
        }
    }
}

/// Every reason, the more exact first; `other` is the last.
pub fn reasons() -> impl Iterator<Item = &'static Reason> {
    all().chain([&OTHER])
}

/// Of a longer reply only so much is read; Postfix cuts its lines at 2000 bytes anyway.
const READ: usize = 2_000;

/// All wordings, with the place of each one's reason in the table.
struct AllWords {
    automaton: Option<AhoCorasick>,
    reasons: Vec<(usize, &'static Reason)>,
}

static WORDINGS: LazyLock<AllWords> = LazyLock::new(|| {
    let rows =
        || all().enumerate().flat_map(|(rank, reason)| reason.words.iter().map(move |words| (rank, reason, words)));
    let automaton = AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .kind(Some(AhoCorasickKind::ContiguousNFA))
        .build(rows().map(|(_, _, words)| words))
        .ok();
    AllWords { automaton, reasons: rows().map(|(rank, reason, _)| (rank, reason)).collect() }
});

impl Reason {
    /// The reason that words and code show best: a wording first, then the code, else the honest `other`.
    ///
    /// `words` is the text of a delivery line's parentheses or of a reject's reply; `code` the enhanced status code, if any.
    #[must_use]
    pub fn of(words: &[u8], code: Option<StatusCode>) -> &'static Self {
        Self::of_words(words).or_else(|| Self::of_code(code?)).unwrap_or(&OTHER)
    }

    /// The same reason where this server is the one that refuses: the table speaks of receivers elsewhere.
    #[must_use]
    pub fn at_our_door(&'static self) -> &'static Self {
        at_our_door(self.id).unwrap_or(self)
    }

    fn of_words(words: &[u8]) -> Option<&'static Self> {
        let said = said(words);
        let said = &*without_addresses(said.get(..READ).unwrap_or(said));
        let wordings = &*WORDINGS;
        let starts_a_word =
            |at: usize| !at.checked_sub(1).and_then(|before| said.get(before)).is_some_and(u8::is_ascii_alphanumeric);
        wordings
            .automaton
            .as_ref()?
            .find_overlapping_iter(said)
            .filter(|found| starts_a_word(found.start()))
            .filter_map(|found| wordings.reasons.get(found.pattern().as_usize()))
            .min_by_key(|(rank, _)| *rank)
            .map(|(_, reason)| *reason)
    }

    fn of_code(code: StatusCode) -> Option<&'static Self> {
        all().find(|reason| reason.codes.contains(&(code.subject, code.detail)))
    }

    /// The reason with an id.
    #[must_use]
    pub fn by_id(id: &str) -> Option<&'static Self> {
        reasons().find(|reason| reason.id == id)
    }
}

/// What the other side said, without Postfix's words around it: the host's name and the command are no reason, and the name
/// is whatever its owner likes.
fn said(words: &[u8]) -> &[u8] {
    let words = words.strip_prefix(b"delivery temporarily suspended: ").unwrap_or(words);
    let Some(rest) = words.strip_prefix(b"host ") else { return words };
    let said = memchr::memmem::find(rest, b"] said: ").map(|at| at + 8);
    let refused = || memchr::memmem::find(rest, b"] refused to talk to me: ").map(|at| at + 25);
    said.or_else(refused).and_then(|at| rest.get(at..)).unwrap_or(words)
}

/// An address is no reason, however it is spelled: words that hold an `@` are blanked.
fn without_addresses(said: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'@', said).is_none() {
        return Cow::Borrowed(said);
    }
    let mut kept = Vec::with_capacity(said.len());
    for word in said.split_inclusive(|b| *b == b' ') {
        if memchr::memchr(b'@', word).is_none() {
            kept.extend_from_slice(word);
        } else {
            kept.extend_from_slice(b". ");
        }
    }
    Cow::Owned(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words, code, and the reason they must give.
    fn check(words: &str, code: &str, expected: &str) {
        assert_eq!(Reason::of(words.as_bytes(), StatusCode::parse(code.as_bytes())).id, expected, "{words}");
    }

    #[test]
    fn what_postfix_says_itself() {
        check("connect to mx.example.org[192.0.2.1]:25: Connection timed out", "4.4.1", "connection_timeout");
        check("connect to mx.example.org[192.0.2.1]:25: Connection refused", "4.4.1", "connection_refused");
        check("connect to mx.example.org[2001:db8::1]:25: Network is unreachable", "4.4.1", "unreachable");
        check("delivery temporarily suspended: connect to h[192.0.2.1]:25: No route to host", "4.4.1", "unreachable");
        check(
            "lost connection with mx.example.org[192.0.2.1] while receiving the initial server greeting",
            "4.4.2",
            "connection_lost",
        );
        check(
            "conversation with mx.example.org[192.0.2.1] timed out while sending RCPT TO",
            "4.4.2",
            "connection_timeout",
        );
        check(
            "Host or domain name not found. Name service error for name=example.invalid type=A: Host not found",
            "5.4.4",
            "no_such_domain",
        );
        check(
            "Host or domain name not found. Name service error for name=example.org type=MX: Host not found, try again",
            "4.4.3",
            "dns_trouble",
        );
        check("Domain example.org does not accept mail (nullMX)", "5.1.0", "null_mx");
        check("mail for example.org loops back to myself", "5.4.6", "loop");
        check(
            "Host or domain name not found. Name service error for name=x type=MX: Malformed or unexpected name server reply",
            "4.4.3",
            "dns_trouble",
        );
        check("unable to look up host mx.example.org: No address associated with hostname", "5.4.4", "no_such_domain");
        check("TLS is required, but was not offered by host mx.example.org[192.0.2.1]", "4.7.4", "tls");
        check("Server certificate not trusted", "4.7.5", "tls");
        check(
            "SASL authentication failed; server h[192.0.2.1] said: 535 5.7.8 Error: authentication failed",
            "4.7.8",
            "relayhost_login",
        );
        check("unknown user: \"nobody\"", "5.1.1", "unknown_user");
        check("mail transport unavailable", "4.3.0", "transport_unavailable");
        check("temporary failure. Command output: lock failed", "4.3.0", "delivery_program");
        check("can't create user output file. Quota exceeded (mailbox for user is full)", "5.2.2", "mailbox_full");
        check("maildir delivery failed: create maildir file /var/mail/x: Permission denied", "4.2.0", "mailbox_write");
        check("message size 20000000 exceeds size limit 10240000 of server h[192.0.2.1]", "5.3.4", "too_big");
        check("SMTPUTF8 is required, but was not offered by host h[192.0.2.1]", "5.6.7", "format");
    }

    #[test]
    fn what_big_receivers_say() {
        let host =
            |name: &str, said: &str| format!("host {name}[192.0.2.1] said: {said} (in reply to end of DATA command)");
        let gmail =
            |said: &str, code: &str, expected: &str| check(&host("gmail-smtp-in.l.google.com", said), code, expected);
        gmail(
            "550-5.1.1 The email account that you tried to reach does not exist. Please try",
            "5.1.1",
            "unknown_user",
        );
        gmail("552-5.2.2 The email account that you tried to reach is over quota", "5.2.2", "mailbox_full");
        gmail("452-4.2.2 The recipient's inbox is out of storage space", "4.2.2", "mailbox_full");
        gmail("421-4.7.28 Gmail has detected an unusual rate of unsolicited mail", "4.7.28", "rate");
        gmail(
            "450-4.2.1 The user you are trying to contact is receiving mail at a rate that prevents",
            "4.2.1",
            "rate",
        );
        gmail(
            "550-5.7.26 This mail has been blocked because the sender is unauthenticated. 550-5.7.26 Gmail requires all senders to authenticate with either SPF or DKIM.",
            "5.7.26",
            "sender_authentication",
        );
        gmail(
            "550-5.7.26 Unauthenticated email from example.org is not accepted due to 550-5.7.26 domain's DMARC policy",
            "5.7.26",
            "sender_authentication",
        );
        gmail(
            "550-5.7.1 [192.0.2.1 12] Our system has detected that this message is 550-5.7.1 likely unsolicited mail",
            "5.7.1",
            "spam",
        );
        gmail(
            "550-5.7.25 [192.0.2.1] The IP address sending this message does not have a PTR record setup",
            "5.7.25",
            "reverse_dns",
        );
        gmail(
            "552-5.7.0 This message was blocked because its content presents a potential 552-5.7.0 security issue",
            "5.7.0",
            "dangerous_content",
        );
        let microsoft = |said: &str, code: &str, expected: &str| {
            check(&host("x.mail.protection.outlook.com", said), code, expected)
        };
        microsoft(
            "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient x@y not found by SMTP address lookup",
            "5.1.10",
            "unknown_user",
        );
        microsoft(
            "550 5.4.1 Recipient address rejected: Access denied. [X.prod.protection.outlook.com]",
            "5.4.1",
            "unknown_user",
        );
        microsoft(
            "550 5.7.606 Access denied, banned sending IP [192.0.2.1]. To request removal",
            "5.7.606",
            "blocklisted",
        );
        microsoft(
            "550 5.7.1 Unfortunately, messages from [192.0.2.1] weren't sent. Please contact your Internet service provider since part of their network is on our block list (S3150).",
            "5.7.1",
            "blocklisted",
        );
        microsoft(
            "451 4.7.650 The mail server [192.0.2.1] has been temporarily rate limited due to IP reputation",
            "4.7.650",
            "rate",
        );
        microsoft("451 4.7.500 Server busy. Please try again later from [192.0.2.1]. (S77719)", "4.7.500", "rate");
        microsoft(
            "550 5.7.509 Access denied, sending domain example.org does not pass DMARC verification",
            "5.7.509",
            "sender_authentication",
        );
        microsoft(
            "550 5.7.515 Access denied, sending domain example.org doesn't meet the required authentication level",
            "5.7.515",
            "sender_authentication",
        );
        microsoft("554 5.2.2 mailbox full; STOREDRV.Deliver.Exception:QuotaExceededException", "5.2.2", "mailbox_full");
        let yahoo =
            |said: &str, code: &str, expected: &str| check(&host("mta7.am0.yahoodns.net", said), code, expected);
        yahoo(
            "421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to unexpected volume or user complaints",
            "4.7.0",
            "rate",
        );
        yahoo(
            "553 5.7.1 [BL21] Connections will not be accepted from 192.0.2.1, because the ip is in Spamhaus's list",
            "5.7.1",
            "blocklisted",
        );
        yahoo(
            "554 delivery error: dd This user doesn't have a yahoo.com account (x@yahoo.com) [0]",
            "5.0.0",
            "unknown_user",
        );
        yahoo("554 5.7.9 Message not accepted for policy reasons.", "5.7.9", "refused_by_policy");
        check(
            "host mx00.gmx.net[192.0.2.1] refused to talk to me: 554-gmx.net (mxgmx016) Nemesis ESMTP Service not available 554-No SMTP service 554-IP address is block listed.",
            "4.0.0",
            "blocklisted",
        );
        check(
            "host mx-ha.web.de[192.0.2.1] refused to talk to me: 554-web.de (mxweb) Nemesis ESMTP Service not available 554-No SMTP service 554-Bad DNS PTR resource record.",
            "4.0.0",
            "reverse_dns",
        );
        check(
            &host(
                "mx00.t-online.de",
                "554 IP=192.0.2.1 - A problem occurred. (Ask your postmaster for help or to contact tosa@rx.t-online.de to clarify.) (BL)",
            ),
            "5.0.0",
            "blocklisted",
        );
        check(
            &host("mx01.mail.icloud.com", "550 5.7.1 [CS01] Message rejected due to local policy."),
            "5.7.1",
            "refused_by_policy",
        );
        check(&host("mx01.mail.icloud.com", "552 5.2.2 <x@icloud.com>: user is over quota"), "5.2.2", "mailbox_full");
        check(
            "host mx.example.org[192.0.2.1] refused to talk to me: 554 Blocked - see https://ipcheck.proofpoint.com/?ip=192.0.2.1",
            "4.0.0",
            "blocklisted",
        );
        check(
            &host("eu-smtp-inbound-1.mimecast.com", "550 csi.mimecast.org Poor Reputation Sender."),
            "5.0.0",
            "blocklisted",
        );
        check(
            &host(
                "mx.example.org",
                "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org",
            ),
            "5.7.1",
            "blocklisted",
        );
        check(
            &host(
                "mx.example.org",
                "554 Service unavailable; Client host [x] blocked using Barracuda Reputation; http://www.barracudanetworks.com/reputation/",
            ),
            "5.0.0",
            "blocklisted",
        );
    }

    #[test]
    fn what_other_servers_say() {
        check(
            "host mx.x[192.0.2.1] said: 450 4.2.0 <a@b>: Recipient address rejected: Greylisted, try again in 300 seconds",
            "4.2.0",
            "greylisted",
        );
        check(
            "host mx.x[192.0.2.1] said: 451 4.7.1 Greylisting in action, please come back later",
            "4.7.1",
            "greylisted",
        );
        check(
            "host mx.x[192.0.2.1] said: 550 5.1.1 <a@b>: Recipient address rejected: User unknown in virtual mailbox table",
            "5.1.1",
            "unknown_user",
        );
        check("host mx.x[192.0.2.1] said: 550 sorry, no mailbox here by that name. (#5.1.1)", "5.0.0", "unknown_user");
        check("host mx.x[192.0.2.1] said: 550 Unrouteable address", "5.0.0", "unknown_user");
        check("host mx.x[192.0.2.1] said: 554 5.7.1 <a@b>: Relay access denied", "5.7.1", "relay_denied");
        check("host mx.x[192.0.2.1] said: 550 relay not permitted", "5.0.0", "relay_denied");
        check(
            "host mx.x[192.0.2.1] said: 450 4.1.8 <a@b>: Sender address rejected: Domain not found",
            "4.1.8",
            "sender_domain",
        );
        check("host mx.x[192.0.2.1] said: 550 Sender verify failed", "5.0.0", "sender_rejected");
        check(
            "host mx.x[192.0.2.1] said: 504 5.5.2 <h>: Helo command rejected: need fully-qualified hostname",
            "5.5.2",
            "helo",
        );
        check(
            "host mx.x[192.0.2.1] said: 450 4.7.25 Client host rejected: cannot find your reverse hostname, [192.0.2.9]",
            "4.7.25",
            "reverse_dns",
        );
        check("host mx.x[192.0.2.1] said: 552 5.3.4 Message size exceeds fixed limit", "5.3.4", "too_big");
        check("host mx.x[192.0.2.1] said: 452 4.3.1 Insufficient system storage", "4.3.1", "disk_full");
        check("host mx.x[192.0.2.1] said: 554 5.7.1 Spam message rejected", "5.7.1", "spam");
        check(
            "host mx.x[192.0.2.1] said: 550 Message contains a virus (Eicar-Test-Signature)",
            "5.0.0",
            "dangerous_content",
        );
        check("host mx.x[192.0.2.1] said: 550 5.7.23 SPF check failed", "5.7.23", "sender_authentication");
        check("host mx.x[192.0.2.1] said: 451 4.3.0 Error: queue file write error", "4.3.0", "server_trouble");
    }

    /// What sounds like a refusal and is none: the server cannot tell yet.
    #[test]
    fn what_is_not_decided_yet() {
        for class in
            ["Recipient address", "Sender address", "Client host", "Helo command", "Data command", "End-of-data"]
        {
            for trouble in ["Server configuration problem", "Server configuration error"] {
                check(&format!("{class} rejected: {trouble}"), "4.3.5", "lookup_trouble");
                check(
                    &format!("host mx.x[192.0.2.1] said: 451 4.3.5 <a@b>: {class} rejected: {trouble}"),
                    "4.3.5",
                    "lookup_trouble",
                );
            }
        }
        check("451 4.3.0 <u@example.org>: Temporary lookup failure", "4.3.0", "lookup_trouble");
        check("Temporary lookup failure", "4.3.0", "lookup_trouble");
        let verified = "Recipient address rejected: unverified address: Address verification in progress";
        check(verified, "4.1.1", "verification");
        check(&format!("host mx.x[192.0.2.1] said: 450 4.1.1 <a@b>: {verified}"), "4.1.1", "verification");
        check("Sender address rejected: unverified address: Address verification in progress", "4.1.7", "verification");
        check("Recipient address rejected: undeliverable address: no such user", "5.1.1", "unknown_user");
        let at_our_door = |words: &str| Reason::of(words.as_bytes(), None).at_our_door();
        assert_eq!(at_our_door("Recipient address rejected: Server configuration problem").side, Side::Ours);
    }

    #[test]
    fn sockets_and_tls() {
        for socket in ["private/dovecot-lmtp", "/var/run/dovecot/lmtp", "/var/spool/postfix/private/dovecot-lmtp"] {
            for errno in ["Connection refused", "No such file or directory", "Permission denied"] {
                check(&format!("connect to mx1[{socket}]: {errno}"), "4.4.1", "lmtp_service");
                let suspended = format!("delivery temporarily suspended: connect to mx1[{socket}]: {errno}");
                check(&suspended, "4.4.1", "lmtp_service");
            }
            let lost = format!(
                "lost connection with mx1[{socket}] while sending end of data -- message may be sent more than once"
            );
            check(&lost, "4.4.2", "connection_lost");
        }
        check("host mx1[private/dovecot-lmtp] said: 550 5.1.1 <u@b> User doesn't exist: u@b", "5.1.1", "unknown_user");
        check(
            "host gmail-smtp-in.l.google.com[192.0.2.1] said: 421-4.7.29 Your email has been rate limited because this message wasn't 421-4.7.29 sent over a TLS connection. Gmail requires all bulk email senders to 421-4.7.29 use TLS/SSL for SMTP connections.",
            "4.7.29",
            "tls",
        );
        check("host mx.x[192.0.2.1] said: 450 4.7.1 Session encryption is required", "4.7.1", "tls");
        check("host mx.x[192.0.2.1] said: 530 5.7.0 Must issue a STARTTLS command first", "5.7.0", "tls");
    }

    #[test]
    fn codes_speak_where_words_do_not() {
        check("host mx.x[192.0.2.1] said: 550 5.1.1 xyzzy", "5.1.1", "unknown_user");
        check("host mx.x[192.0.2.1] said: 452 4.2.2 xyzzy", "4.2.2", "mailbox_full");
        check("host mx.x[192.0.2.1] said: 554 5.7.1 xyzzy", "5.7.1", "refused_by_policy");
        check("host mx.x[192.0.2.1] said: 554 xyzzy", "5.0.0", "other");
        check("", "", "other");
    }

    #[test]
    fn a_name_is_no_reason() {
        check("host greylisted.spamhaus.org[192.0.2.1] said: 550 5.1.1 no", "5.1.1", "unknown_user");
        check("host mx.x[192.0.2.1] said: 550 5.1.1 <spam@dmarc.example>", "5.1.1", "unknown_user");
        check("host mx.x[192.0.2.1] said: 550 5.1.1 spam@dmarc.example no", "5.1.1", "unknown_user");
        check("host mx.x[192.0.2.1] said: 550 5.1.1 antispam", "5.1.1", "unknown_user");
    }

    /// Wordings of the table that could be a name.
    const LURES: &[&str] = &["spam", "dmarc", "virus", "blacklist.spamhaus", "timeout", "policy", "dkim", "greylist"];

    proptest::proptest! {
        /// Whatever a stranger writes picks a row, and an address or a host name never changes which.
        #[test]
        fn addresses_and_hosts_pick_nothing(words in "[ -~]{0,200}", local in proptest::sample::select(LURES), host in proptest::sample::select(LURES), bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..3_000)) {
            let plain = words.replace('@', " ");
            let alone = Reason::of(plain.as_bytes(), None).id;
            let with = format!("host {host}[192.0.2.1] said: <{local}@{host}>: {plain}");
            if !plain.contains("] said: ") && !plain.starts_with("host ") && !plain.starts_with("delivery ") {
                proptest::prop_assert_eq!(Reason::of(with.as_bytes(), None).id, alone);
            }
            proptest::prop_assert!(Reason::by_id(Reason::of(&bytes, None).id).is_some());
        }
    }
}
