//! Names and addresses made unrecognisable, alike for alike: so that lines can be counted and grouped for longer than people may be named.
//!
//! A line with its entry goes in and comes out with a token in place of each personal value, of everything that looks like a mail address and
//! of every IP address, wherever they stand. A token follows from the value and a key; without the key nobody can test a guess. Tokens stay
//! as they are when they come in again.

use std::net::{IpAddr, Ipv6Addr};

use query::{Entry, FIELDS, Kind, OwnedValue, Phrase, Value, fold};

use super::stored::Kept;

/// What tokens of names begin with.
const NAME: &str = "p-";
/// Hexadecimal digits of a name's token: two of a million names get the same one about once in forty million times.
const NAME_DIGITS: usize = 16;
/// Tokens of addresses are in the network that leads nowhere (RFC 6666).
const NOWHERE: [u16; 4] = [0x100, 0, 0, 0];

/// Makes tokens.
#[derive(Clone)]
pub struct Pseudonyms {
    key: [u8; 32],
}

impl Pseudonyms {
    /// With a key that is kept secret, and kept: another one gives other tokens.
    #[must_use]
    pub fn new(key: [u8; 32]) -> Self {
        Self { key }
    }

    fn hash(&self, value: &str) -> blake3::Hash {
        blake3::keyed_hash(&self.key, fold(value).as_bytes())
    }

    /// The token of a name or an address. Case does not count.
    #[must_use]
    pub fn token(&self, value: &str) -> String {
        match value.parse::<IpAddr>() {
            Ok(ip) => self.address(ip),
            Err(_) if value.is_empty() || is_name_token(value) => value.to_owned(),
            Err(_) => {
                let digits: String = self.hash(value).to_hex().chars().take(NAME_DIGITS).collect();
                format!("{NAME}{digits}")
            }
        }
    }

    fn address(&self, ip: IpAddr) -> String {
        let ip = ip.to_canonical();
        if let IpAddr::V6(v6) = ip
            && v6.segments().starts_with(&NOWHERE)
        {
            return v6.to_string();
        }
        let hash = self.hash(&ip.to_string());
        let [a, b, c, d, e, f, g, h, ..] = *hash.as_bytes();
        let part = |high, low| u16::from_be_bytes([high, low]);
        let [n0, n1, n2, n3] = NOWHERE;
        Ipv6Addr::new(n0, n1, n2, n3, part(a, b), part(c, d), part(e, f), part(g, h)).to_string()
    }

    /// Hides whom a line is about.
    pub(crate) fn hide(&self, kept: &mut Kept, entry: &mut Entry) {
        let mut values: Vec<(String, String)> = Vec::new();
        for field in FIELDS.iter().filter(|field| field.personal || field.kind == Kind::Address) {
            if let Some(Value::Text(value)) = (field.get)(entry) {
                let (value, token) = (value.to_owned(), self.token(value));
                (field.put)(entry, Some(OwnedValue::Text(token.clone())));
                values.push((value, token));
            }
        }
        // The longest first: a name may be part of another one.
        values.sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
        for field in FIELDS.iter().filter(|field| !field.personal && (field.hostile || field.kind == Kind::Text)) {
            if let Some(Value::Text(text)) = (field.get)(entry) {
                let hidden = self.scrub(text, &values);
                (field.put)(entry, Some(OwnedValue::Text(hidden)));
            }
        }
        let scrub = |bytes: &[u8]| self.scrub(&String::from_utf8_lossy(bytes), &values).into_bytes();
        kept.is_rewritten();
        kept.raw = kept.raw.as_deref().map(scrub);
        kept.head = kept.head.take().map(|head| head.with_text(scrub));
    }

    /// A text without the values, without mail addresses and without IP addresses.
    fn scrub(&self, text: &str, values: &[(String, String)]) -> String {
        let mut text = text.to_owned();
        for (value, token) in values.iter().filter(|(value, token)| value != token && !value.is_empty()) {
            let phrase = Phrase::new(value.clone(), false, false);
            let mut end = text.len();
            // From the right, so that what is left of it keeps its place; places that overlap are one.
            for place in phrase.places(&text).into_iter().rev() {
                if place.end <= end {
                    end = place.start;
                    text.replace_range(place, token);
                }
            }
        }
        self.scrub_shapes(&text)
    }

    fn scrub_shapes(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find(|c| !separates(c)) {
            let (before, from) = rest.split_at_checked(start).unwrap_or((rest, ""));
            let end = from.find(separates).unwrap_or(from.len());
            let (run, behind) = from.split_at_checked(end).unwrap_or((from, ""));
            out.push_str(before);
            self.scrub_run(run, &mut out);
            rest = behind;
        }
        out.push_str(rest);
        out
    }

    /// One run without separators: `key=value`, with a full stop or colon behind it perhaps.
    fn scrub_run(&self, run: &str, out: &mut String) {
        let is_key = |key: &str| key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        let value = match run.split_once('=') {
            Some((key, value)) if is_key(key) => value,
            _ => run,
        };
        let bare = value.trim_end_matches(['.', ':', '!', '?']);
        let (key, tail) = (run.strip_suffix(value).unwrap_or_default(), value.strip_prefix(bare).unwrap_or_default());
        out.push_str(key);
        match (bare.parse::<IpAddr>(), bare.rsplit_once(':')) {
            (Ok(ip), _) => out.push_str(&self.address(ip)),
            (Err(_), Some((ip, port))) if ip.parse::<IpAddr>().is_ok() => {
                out.push_str(&self.token(ip));
                out.push(':');
                out.push_str(port);
            }
            _ if bare.contains('@') => out.push_str(&self.token(bare)),
            _ => out.push_str(bare),
        }
        out.push_str(tail);
    }
}

fn separates(c: char) -> bool {
    c.is_whitespace() || matches!(c, '<' | '>' | '(' | ')' | '[' | ']' | '{' | '}' | ',' | ';' | '"' | '\'' | '|' | '/')
}

fn is_name_token(value: &str) -> bool {
    value
        .strip_prefix(NAME)
        .is_some_and(|digits| digits.len() == NAME_DIGITS && digits.bytes().all(|b| b.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_named_and_alike_stays_alike() {
        let pseudonyms = Pseudonyms::new([7; 32]);
        for line in [
            "Jun 17 10:25:14 mail postfix/smtpd[7]: warning: host.bob.example[::ffff:192.0.2.9]:4711: SASL login authentication failed: x, sasl_username=Bob@example.org",
            "Jun 17 10:25:14 mail postfix/smtp[7]: 0F5383D12: to=<bob@example.org>, orig_to=<bounce+bob=x@example.org>, relay=mx[198.51.100.1]:25, delay=1, delays=0/0/0/1, dsn=5.1.1, status=bounced (550 <bob@example.org>: no such user, sent from 192.0.2.9.)",
            "Jun 17 10:25:14 mail dovecot: imap-login: Disconnected: user=<bob@example.org>, method=PLAIN, rip=192.0.2.9, lip=192.0.2.1",
            "no log, but bob@example.org",
        ] {
            let record = maillog::record(line.as_bytes());
            let mut kept = Kept::new(line.as_bytes(), record.as_ref());
            let mut entry = match &record {
                Some(record) => query::describe(record, maillog::event(record).as_ref()),
                None => query::undescribed(line.as_bytes()),
            };
            let event = entry.event.clone();
            pseudonyms.hide(&mut kept, &mut entry);
            let packed = kept.pack(&entry).unwrap();
            for name in ["bob", "Bob", "192.0.2.9", "198.51.100.1"] {
                assert!(!packed.windows(name.len()).any(|part| part == name.as_bytes()), "{name} in {entry:?}");
            }
            let (mut again, mut same) = Kept::unpack(&packed).unwrap();
            assert_eq!(same, entry, "it is read as it was");
            assert_eq!(same.event, event);
            pseudonyms.hide(&mut again, &mut same);
            assert_eq!(same, entry, "tokens stay");
        }
        assert_eq!(pseudonyms.token("Bob"), pseudonyms.token("bob"));
        assert_ne!(pseudonyms.token("bob"), Pseudonyms::new([8; 32]).token("bob"));
        assert_eq!(pseudonyms.token("::ffff:192.0.2.1"), pseudonyms.token("192.0.2.1"));
        assert!(pseudonyms.token("192.0.2.1").starts_with("100::"));
    }
}
