//! Names and addresses made unrecognisable on output, alike for alike.

use std::borrow::Cow;
use std::net::IpAddr;

use query::{Entry, FIELDS, Field, Value};

use crate::names_in_text;

/// Masks on output, or does nothing.
#[derive(Clone, Copy, Debug)]
pub struct Mask(pub bool);

impl Mask {
    /// `a***@example.org`: the first character and the domain stay.
    pub fn name(self, name: &str) -> String {
        if !self.0 {
            return name.to_owned();
        }
        let (local, domain) = name.rsplit_once('@').map_or((name, None), |(local, domain)| (local, Some(domain)));
        let first = local.chars().next().map(String::from).unwrap_or_default();
        domain.map_or_else(|| format!("{first}***"), |domain| format!("{first}***@{domain}"))
    }

    /// `192.0.2.x`, `2001:db8:1::x`: the network stays.
    pub fn ip(self, ip: IpAddr) -> String {
        match ip {
            ip if !self.0 => ip.to_string(),
            IpAddr::V4(v4) => {
                let [a, b, c, _] = v4.octets();
                format!("{a}.{b}.{c}.x")
            }
            IpAddr::V6(v6) => {
                let [a, b, c, ..] = v6.segments();
                format!("{a:x}:{b:x}:{c:x}::x")
            }
        }
    }

    /// A value of a personal field: an address is masked as one, anything else as a name.
    pub fn value(self, value: &str) -> String {
        value.parse().map_or_else(|_| self.name(value), |ip| self.ip(ip))
    }

    /// An entry: its personal fields masked, and their values wherever another field quotes them.
    pub fn entry(self, entry: &Entry) -> Cow<'_, Entry> {
        if !self.0 {
            return Cow::Borrowed(entry);
        }
        let texts: Vec<(&Field, String)> = FIELDS
            .iter()
            .filter_map(|field| match (field.get)(entry) {
                Some(Value::Text(text)) => Some((field, text.to_owned())),
                _ => None,
            })
            .collect();
        let personal: Vec<String> =
            texts.iter().filter(|(field, _)| field.personal).map(|(_, text)| text.clone()).collect();
        let mut masked = entry.clone();
        for (field, text) in texts {
            let shown = if field.personal { self.value(&text) } else { self.within(&text, &personal) };
            (field.set_text)(&mut masked, shown);
        }
        Cow::Owned(masked)
    }

    /// Text that quotes some values: each of them masked, and whatever else stands where names do, or looks like a mail address or
    /// the address of a host.
    pub fn within(self, text: &str, values: &[String]) -> String {
        if !self.0 {
            return text.to_owned();
        }
        values
            .iter()
            .filter(|value| value.len() > 1)
            .fold(self.names(text), |text, value| text.replace(value.as_str(), &self.value(value)))
            .split_inclusive(is_delimiter)
            .map(|part| self.part(part))
            .collect()
    }

    /// Names by the words before them: a line may name somebody whom none of its fields do.
    fn names(self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut end = 0;
        for place in names_in_text::places(text) {
            out += text.get(end..place.start).unwrap_or_default();
            out += &text.get(place.clone()).map(|name| self.value(name)).unwrap_or_default();
            end = place.end;
        }
        out + text.get(end..).unwrap_or_default()
    }

    /// A piece of text up to a delimiter.
    fn part(self, part: &str) -> String {
        let word = part.trim_end_matches(is_delimiter);
        let end = part.strip_prefix(word).unwrap_or_default();
        // A full stop may end the sentence, a colon the address.
        let bare = word.trim_end_matches(['.', ':']);
        // A network is told by its first address.
        let address = bare.split_once('/').map_or(bare, |(address, _)| address);
        match address.parse::<IpAddr>() {
            Ok(ip) => format!("{}{}{end}", self.ip(ip), word.strip_prefix(address).unwrap_or_default()),
            Err(_) if word.contains('@') => self.name(word) + end,
            Err(_) => part.to_owned(),
        }
    }
}

/// What addresses end at.
fn is_delimiter(c: char) -> bool {
    c.is_whitespace() || c.is_control() || "<>()[]{},;=\"'|".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks() {
        let mask = Mask(true);
        assert_eq!((mask.name("alice@example.org"), mask.name("bob")), ("a***@example.org".into(), "b***".into()));
        assert_eq!(
            (mask.value("192.0.2.77"), mask.value("2001:db8:1:2::3")),
            ("192.0.2.x".into(), "2001:db8:1::x".into())
        );
        assert_eq!(
            mask.within("from h[192.0.2.77]: alice", &["192.0.2.77".into(), "alice".into()]),
            "from h[192.0.2.x]: a***"
        );
        let others = "x <bob@example.org>: h[2001:db8:1:2::3]:25 said, rcpt=carol@example.net; from 198.51.100.7. a***@b.example 25:30 1.5";
        assert_eq!(
            mask.within(others, &[]),
            "x <b***@example.org>: h[2001:db8:1::x]:25 said, rcpt=c***@example.net; from 198.51.100.x. a***@b.example 25:30 1.5"
        );
        assert_eq!(mask.within("::ffff:1.2.3.4 @ x@", &[]), "0:0:0::x ***@ x***@");
        assert_eq!(mask.within("2001:db8:1:2::/64 failed", &[]), "2001:db8:1::x/64 failed");
        assert_eq!(Mask(false).value("192.0.2.77"), "192.0.2.77");
    }
}
