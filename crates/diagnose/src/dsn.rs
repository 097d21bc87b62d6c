//! Enhanced status codes in plain words.
//!
//! Input: a code such as `5.7.26`. Output: its class, subject and detail in words, and what to do about it.
//! Source: RFC 3463 (classes, subjects, details) and the IANA registry of RFC 5248 (codes added since: RFC 3886, 4468, 4865,
//! 4954, 5321, 6531, 6710, 7293, 7372, 7504, 7505, 8689). Gmail's 4.7.23 to 4.7.32 and Microsoft's 5.7.5xx stand in no
//! registry; what they mean is told by [`crate::Reason`].

/// An enhanced status code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StatusCode {
    /// 2, 4 or 5.
    pub class: u8,
    /// What it is about, 0 to 999.
    pub subject: u16,
    /// What exactly, 0 to 999.
    pub detail: u16,
}

/// A status code in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// `delivered`, `failed for now`, `failed for good`.
    pub class: &'static str,
    /// What it is about.
    pub subject: &'static str,
    /// What exactly; `None` for a code that is not registered.
    pub detail: Option<&'static str>,
    /// What to do.
    pub next: &'static str,
}

/// A registered code: subject, detail, what it means, what to do.
#[derive(Debug)]
pub struct Registered {
    /// The second number.
    pub subject: u16,
    /// The third number.
    pub detail: u16,
    /// In words.
    pub meaning: &'static str,
    /// What to do; empty where the subject's advice is all there is.
    pub next: &'static str,
}

impl StatusCode {
    /// Parses `5.7.26`. `None` for anything else: three numbers, the first 2, 4 or 5, the others of 1 to 3 digits.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let mut parts = text.split(|b| *b == b'.');
        let class = match parts.next()? {
            b"2" => 2,
            b"4" => 4,
            b"5" => 5,
            _ => return None,
        };
        let code = Self { class, subject: small(parts.next()?)?, detail: small(parts.next()?)? };
        parts.next().is_none().then_some(code)
    }

    /// The code in words.
    #[must_use]
    pub fn decode(self) -> Decoded {
        let (subject, advice) = SUBJECTS.get(usize::from(self.subject)).copied().unwrap_or(UNKNOWN_SUBJECT);
        let found = REGISTERED.iter().find(|known| known.subject == self.subject && known.detail == self.detail);
        let next = found.map(|known| known.next).filter(|next| !next.is_empty()).unwrap_or(advice);
        let class = match self.class {
            2 => "delivered",
            4 => "failed for now, will be tried again",
            _ => "failed for good",
        };
        let next = if self.class == 2 { "nothing" } else { next };
        Decoded { class, subject, detail: found.map(|known| known.meaning), next }
    }
}

impl std::fmt::Display for StatusCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

fn small(text: &[u8]) -> Option<u16> {
    let digits = (1..=3).contains(&text.len()) && text.iter().all(u8::is_ascii_digit);
    digits.then(|| text.iter().fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0')))
}

/// Every registered detail, in order.
pub fn registered() -> impl Iterator<Item = &'static Registered> {
    REGISTERED.iter()
}

/// The subjects by number, with what to do in general.
static SUBJECTS: [(&str, &str); 8] = [
    ("anything", "read the words of the reply: the code says nothing"),
    ("the address", "check the address for typing errors; take dead ones off lists"),
    ("the mailbox", "the recipient must act: reach them another way"),
    ("the mail system", "wait: the other side's server has trouble; if it is ours, look at disk and load"),
    ("network and routing", "check DNS and the way to the host: postfix-insights trace, dig, nc"),
    ("the mail protocol", "two programs do not agree: look at what was sent, at limits, and at filters in between"),
    ("the message's contents or format", "change the message: format, character set, size of a part"),
    ("security or policy", "read the words of the reply; check SPF, DKIM, DMARC, reverse DNS and blocklists"),
];

const UNKNOWN_SUBJECT: (&str, &str) = ("no registered subject", "read the words of the reply");

const fn row(subject: u16, detail: u16, meaning: &'static str, next: &'static str) -> Registered {
    Registered { subject, detail, meaning, next }
}

static REGISTERED: &[Registered] = &[
    row(0, 0, "no detail given", ""),
    row(1, 0, "something about the address", ""),
    row(1, 1, "no such mailbox", "check the part before the @; take the address off lists"),
    row(1, 2, "the domain takes no mail, or does not exist", "check the part after the @"),
    row(1, 3, "the recipient's address is malformed", "correct the address"),
    row(1, 4, "the address fits more than one recipient", "use the full address"),
    row(1, 5, "the address is fine", "nothing"),
    row(1, 6, "the mailbox has moved, no forwarding address", "ask for the new address"),
    row(1, 7, "the sender's address is malformed", "correct the sender address in the program that sends"),
    row(1, 8, "the sender's domain does not exist or takes no mail", "give the sender domain an A or MX record"),
    row(1, 9, "passed on to a system that sends no reports", ""),
    row(1, 10, "the recipient's domain says that it takes no mail (null MX)", "check the part after the @"),
    row(2, 0, "something about the mailbox", ""),
    row(2, 1, "the mailbox is disabled", "ask the recipient; take the address off lists if it stays so"),
    row(2, 2, "the mailbox is full", "the recipient must make room; it is tried again if the code is 4.2.2"),
    row(2, 3, "the message is too long for this mailbox", "send a link in place of the attachment"),
    row(2, 4, "a mailing list could not be expanded", "tell the list's owner"),
    row(3, 0, "something about the mail system", ""),
    row(3, 1, "the mail system's disk is full", "wait; if it is ours: df -h, queue_minfree"),
    row(3, 2, "the system takes no mail just now", "wait; it comes by itself"),
    row(3, 3, "the system lacks a feature that was asked for", "send without it (8-bit, SMTPUTF8, DSN)"),
    row(3, 4, "the message is too big for the system", "message_size_limit there; send a link"),
    row(3, 5, "the system is configured wrongly", "tell its postmaster; if it is ours: postfix check"),
    row(3, 6, "the priority that was asked for was changed", ""),
    row(4, 0, "something about the network", ""),
    row(4, 1, "no answer from the host", "is port 25 open from here, and is the host up?"),
    row(4, 2, "the connection broke", "wait; if it stays: path MTU, firewalls, TLS inspection in between"),
    row(4, 3, "the directory or name server did not answer", "check the resolver: dig +short MX domain"),
    row(4, 4, "no way to the host: DNS has no address for it", "check the domain's MX and A records"),
    row(4, 5, "the mail system is overloaded", "wait; send slower"),
    row(4, 6, "the mail goes round in a circle", "mydestination, relay_domains, transport_maps, aliases"),
    row(4, 7, "it was tried for too long and given up", "look at why the earlier tries failed"),
    row(5, 0, "something about the protocol", ""),
    row(5, 1, "a command that is not allowed here", "look for a proxy or filter that changes SMTP commands"),
    row(5, 2, "a command that could not be understood", "often a malformed HELO name or address"),
    row(5, 3, "too many recipients at once", "it is tried again in smaller parts; *_destination_recipient_limit"),
    row(5, 4, "wrong parameters of a command", ""),
    row(5, 5, "a wrong version of the protocol", ""),
    row(5, 6, "a login exchange that is too long", "a token that outgrew the limit"),
    row(6, 0, "something about the contents", ""),
    row(6, 1, "a media type that is not taken there", ""),
    row(6, 2, "the contents need a conversion that is not allowed", ""),
    row(6, 3, "the contents need a conversion that is not possible", ""),
    row(6, 4, "converted, with loss", ""),
    row(6, 5, "the conversion failed", ""),
    row(6, 6, "the contents cannot be fetched", ""),
    row(6, 7, "addresses beyond ASCII are not taken there", "use an ASCII address for this recipient"),
    row(6, 8, "a reply beyond ASCII is needed and not allowed", ""),
    row(6, 9, "headers beyond ASCII cannot be passed on", "use ASCII headers for this recipient"),
    row(7, 0, "something about security or policy", ""),
    row(7, 1, "not allowed: a rule of the receiver", ""),
    row(7, 2, "this mailing list takes no mail from this sender", "ask the list's owner"),
    row(7, 3, "the security conversion needed is not possible", ""),
    row(7, 4, "a security feature is not there", ""),
    row(7, 5, "a cryptographic failure", ""),
    row(7, 6, "a cryptographic algorithm is not there", ""),
    row(7, 7, "the message was changed on its way", ""),
    row(7, 8, "the login was refused: wrong credentials", "if it is our relay host: smtp_sasl_password_maps"),
    row(7, 9, "the login mechanism is too weak", "smtp_sasl_mechanism_filter, smtp_sasl_security_options"),
    row(7, 10, "encryption is needed", "smtp_tls_security_level = may or encrypt"),
    row(7, 11, "encryption is needed for this login mechanism", "smtp_tls_security_level = encrypt for the relay host"),
    row(7, 12, "the password must be changed first", "log in on the web page of the provider"),
    row(7, 13, "the account is disabled", "ask the provider"),
    row(7, 14, "trust between servers is needed", ""),
    row(7, 15, "the priority is too low just now", "wait"),
    row(7, 16, "too big for its priority", ""),
    row(7, 17, "the mailbox has changed hands since", "take the address off lists: another person has it now"),
    row(7, 18, "the domain has changed hands since", "take the address off lists"),
    row(7, 19, "the test for a change of hands failed", "wait"),
    row(7, 20, "no DKIM signature that passes", "sign with DKIM: opendkim, rspamd"),
    row(7, 21, "no DKIM signature that is accepted", "sign with the domain of the From header"),
    row(7, 22, "no DKIM signature of the author's domain", "sign with the domain of the From header"),
    row(7, 23, "SPF says that this host may not send for the domain", "add this host to the domain's SPF record"),
    row(7, 24, "SPF could not be checked", "correct the domain's SPF record: at most ten look-ups"),
    row(7, 25, "the address has no reverse DNS that fits", "set the PTR record, and an A record that matches it"),
    row(7, 26, "more than one authentication check failed", "check SPF, DKIM and DMARC of the sender domain"),
    row(7, 27, "the sender's domain says that it takes no mail (null MX)", "use a sender address that can be answered"),
    row(7, 28, "looks like part of a flood of mail", "send slower; look for a hacked account: postfix-insights triage"),
    row(7, 29, "ARC could not be checked", ""),
    row(7, 30, "the way to the recipient lacks REQUIRETLS", "send without the demand, or not at all"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_in_words() {
        let check = |code: &str, subject: &str, detail: Option<&str>| {
            let decoded = StatusCode::parse(code.as_bytes()).unwrap().decode();
            assert_eq!((decoded.subject, decoded.detail), (subject, detail), "{code}");
        };
        check("5.1.1", "the address", Some("no such mailbox"));
        check("4.2.2", "the mailbox", Some("the mailbox is full"));
        check("5.7.25", "security or policy", Some("the address has no reverse DNS that fits"));
        check("5.7.606", "security or policy", None);
        check("4.9.1", "no registered subject", None);
        let code = StatusCode::parse(b"4.7.28").unwrap();
        assert_eq!(
            (code.to_string(), code.decode().class),
            ("4.7.28".to_owned(), "failed for now, will be tried again")
        );
        assert_eq!(StatusCode::parse(b"2.0.0").unwrap().decode().next, "nothing");
    }

    #[test]
    fn what_is_no_code() {
        for text in ["", "5", "5.1", "3.1.1", "5.1.1.1", "5.1.1234", "5..1", "5.a.1", "55.1.1", "-5.1.1", " 5.1.1"] {
            assert_eq!(StatusCode::parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn the_table_is_in_order_and_whole() {
        let keys: Vec<_> = registered().map(|known| (known.subject, known.detail)).collect();
        assert!(keys.is_sorted() && keys.windows(2).all(|pair| pair[0] != pair[1]));
        assert!(registered().all(|known| !known.meaning.is_empty() && usize::from(known.subject) < SUBJECTS.len()));
    }
}
