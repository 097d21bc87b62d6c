//! A line as it is kept: its bytes, secrets redacted, and what of its entry they do not say by themselves.
//!
//! In goes a line with its entry, out comes a packed form, and back. What an entry says that its line does not (session, a joined name,
//! the class an attempt turned out to have) is kept by field name, so that packed lines of older versions can be read.

use std::borrow::Cow;
use std::sync::LazyLock;

use maillog::{Record, Stamp, Tag};
use query::{Entry, FIELDS, Field, OwnedValue, Value};
use serde::{Deserialize, Serialize};

use super::schema::in_place;

/// A line to be kept.
#[derive(Clone, Debug)]
pub struct Kept {
    /// The line's own bytes, secrets redacted. `None`: only the entry is known.
    pub raw: Option<Vec<u8>>,
    /// The envelope, where the bytes do not say it (lines within other lines, `last message repeated`).
    pub head: Option<Head>,
    /// There was a secret in it.
    pub secret: bool,
    /// What the bytes say by themselves, if whoever made it knows.
    pub(super) said: Option<Box<Entry>>,
}

/// An envelope on its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    #[serde(with = "serde_bytes")]
    host: Vec<u8>,
    #[serde(with = "serde_bytes")]
    tag: Vec<u8>,
    pid: Option<u32>,
    repeat: u32,
    #[serde(with = "serde_bytes")]
    text: Vec<u8>,
}

impl Head {
    fn of(record: &Record<'_>, text: Cow<'_, [u8]>) -> Self {
        Self {
            host: record.host.to_vec(),
            tag: record.tag.0.to_vec(),
            pid: record.pid,
            repeat: record.repeat,
            text: text.into_owned(),
        }
    }

    /// The same with another text.
    pub(crate) fn with_text(self, change: impl Fn(&[u8]) -> Vec<u8>) -> Self {
        Self { text: change(&self.text), ..self }
    }

    fn record(&self, ts: i64) -> Record<'_> {
        Record {
            stamp: Stamp::Instant(ts),
            host: &self.host,
            tag: Tag(&self.tag),
            pid: self.pid,
            repeat: self.repeat,
            text: &self.text,
        }
    }
}

impl Kept {
    /// Of a line and its envelope, if it has any.
    #[must_use]
    pub fn new(raw: &[u8], record: Option<&Record<'_>>) -> Self {
        let redacted = maillog::redact_line(raw, record.map_or(raw, |record| record.text));
        let text = record.map(|record| maillog::redact(record.text));
        let secret = matches!(redacted, Cow::Owned(_)) || matches!(text, Some(Cow::Owned(_)));
        let said = record.zip(text.as_deref()).is_some_and(|(record, text)| {
            maillog::record(&redacted).is_some_and(|plain| {
                (plain.host, plain.tag.0, plain.pid, plain.repeat, plain.text)
                    == (record.host, record.tag.0, record.pid, record.repeat, text)
            })
        });
        let head = record.zip(text).filter(|_| !said).map(|(record, text)| Head::of(record, text));
        Self { raw: Some(redacted.into_owned()), head, secret, said: None }
    }

    /// Only an entry: for tests and for entries that come from elsewhere.
    #[must_use]
    pub const fn nothing() -> Self {
        Self { raw: None, head: None, secret: false, said: None }
    }

    /// Notes what [`query::describe`] made of the line and its envelope, so that packing need not do it again. Where a secret was taken
    /// out, what is left may say something else.
    pub fn says(&mut self, entry: &Entry) {
        self.said = (!self.secret).then(|| Box::new(entry.clone()));
    }

    /// The envelope, with a time of the caller's.
    #[must_use]
    pub fn record(&self, ts: i64) -> Option<Record<'_>> {
        match &self.head {
            Some(head) => Some(head.record(ts)),
            None => {
                let record = maillog::record(self.raw.as_deref()?)?;
                Some(Record { stamp: Stamp::Instant(ts), ..record })
            }
        }
    }

    /// What the bytes say by themselves.
    fn said(&self) -> Entry {
        match (self.record(0), &self.raw) {
            (Some(record), _) => query::describe(&record, maillog::event(&record).as_ref()),
            (None, Some(raw)) => query::undescribed(raw),
            (None, None) => Entry::default(),
        }
    }

    /// Packs it with its entry.
    pub fn pack(&self, entry: &Entry) -> Result<Vec<u8>, postcard::Error> {
        let said = self.said.as_deref().map_or_else(|| Cow::Owned(self.said()), Cow::Borrowed);
        let changed = PACKED
            .iter()
            .filter_map(|field| {
                let value = (field.get)(entry);
                (value != (field.get)(&said)).then(|| Changed { field: field.name, value: value.map(Cell::of) })
            })
            .collect();
        let raw = self.raw.as_deref().map(serde_bytes::Bytes::new);
        postcard::to_stdvec(&Packed { raw, head: self.head.as_ref().map(Cow::Borrowed), secret: self.secret, changed })
    }

    /// Unpacks the line, and what it says of its time, without making an entry of it.
    pub(crate) fn unpack_line(bytes: &[u8]) -> Result<Unpacked, postcard::Error> {
        let packed: Packed<'_> = postcard::from_bytes(bytes)?;
        let mut unpacked = Unpacked { kept: packed.kept(), time_inferred: None, truncated: false };
        for Changed { field, value } in packed.changed {
            match (field, value) {
                ("time_inferred", Some(Cell::Text(text))) => unpacked.time_inferred = Some(text.to_owned()),
                ("truncated", Some(Cell::Flag(flag))) => unpacked.truncated = flag,
                _ => {}
            }
        }
        Ok(unpacked)
    }

    /// Unpacks it. The entry lacks what stands elsewhere: time, source and line.
    pub fn unpack(bytes: &[u8]) -> Result<(Self, Entry), postcard::Error> {
        let packed: Packed<'_> = postcard::from_bytes(bytes)?;
        let kept = packed.kept();
        let mut entry = kept.said();
        for Changed { field, value } in packed.changed {
            // A field that is no more is left out.
            if let Some(field) = FIELDS.iter().find(|known| known.name == field) {
                (field.put)(&mut entry, value.map(Cell::owned));
            }
        }
        Ok((kept, entry))
    }
}

/// A line without its entry.
pub(crate) struct Unpacked {
    pub(crate) kept: Kept,
    pub(crate) time_inferred: Option<String>,
    pub(crate) truncated: bool,
}

/// The fields that are not kept outside of the packed line.
static PACKED: LazyLock<Vec<&Field>> =
    LazyLock::new(|| FIELDS.iter().filter(|field| !in_place(field) && *field != query::TS).collect());

#[derive(Serialize, Deserialize)]
struct Packed<'a> {
    #[serde(borrow)]
    raw: Option<&'a serde_bytes::Bytes>,
    head: Option<Cow<'a, Head>>,
    secret: bool,
    #[serde(borrow)]
    changed: Vec<Changed<'a>>,
}

impl Packed<'_> {
    fn kept(&self) -> Kept {
        Kept {
            raw: self.raw.map(|raw| raw.to_vec()),
            head: self.head.as_deref().cloned(),
            secret: self.secret,
            said: None,
        }
    }
}

/// A value that the line does not say, or one that it says and that does not hold.
#[derive(Serialize, Deserialize)]
struct Changed<'a> {
    field: &'a str,
    #[serde(borrow)]
    value: Option<Cell<'a>>,
}

#[derive(Serialize, Deserialize)]
enum Cell<'a> {
    Time(i64),
    Text(&'a str),
    Int(i64),
    Real(f64),
    Reals([f64; 4]),
    Flag(bool),
}

impl<'a> Cell<'a> {
    fn of(value: Value<'a>) -> Self {
        match value {
            Value::Time(micros) => Self::Time(micros),
            Value::Text(text) => Self::Text(text),
            Value::Int(number) => Self::Int(number),
            Value::Real(number) => Self::Real(number),
            Value::Reals(numbers) => Self::Reals(*numbers),
            Value::Flag(flag) => Self::Flag(flag),
        }
    }

    fn owned(self) -> OwnedValue {
        match self {
            Self::Time(micros) => OwnedValue::Time(micros),
            Self::Text(text) => OwnedValue::Text(text.to_owned()),
            Self::Int(number) => OwnedValue::Int(number),
            Self::Real(number) => OwnedValue::Real(number),
            Self::Reals(numbers) => OwnedValue::Reals(numbers),
            Self::Flag(flag) => OwnedValue::Flag(flag),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(line: &str) -> (Kept, Entry) {
        let record = maillog::record(line.as_bytes());
        let kept = Kept::new(line.as_bytes(), record.as_ref());
        let entry = match &record {
            Some(record) => query::describe(record, maillog::event(record).as_ref()),
            None => query::undescribed(line.as_bytes()),
        };
        (kept, entry)
    }

    #[test]
    fn lines_come_back() {
        for line in [
            "Jun 17 10:25:14 mail postfix/submission/smtpd[7]: warning: h[192.0.2.9]: SASL login authentication failed: x, sasl_username=a",
            "Jun 17 10:25:14 mail postfix/smtpd[7]: improper command pipelining after EHLO from u[192.0.2.1]: AUTH PLAIN AGFsaWNlAHNlY3JldA==\\r\\n",
            "no log at all",
            "",
        ] {
            let (kept, mut entry) = kept(line);
            entry.session = Some("x".to_owned());
            entry.class = None;
            entry.delays = Some([0.5; 4]);
            let (back, unpacked) = Kept::unpack(&kept.pack(&entry).unwrap()).unwrap();
            assert_eq!(unpacked, entry, "{line}");
            assert_eq!(back.raw, kept.raw);
            assert!(kept.head.is_none(), "{line}");
            assert_eq!(back.secret, line.contains("AGFs"));
            assert!(!back.raw.unwrap().windows(4).any(|part| part == b"AGFs"));
        }
    }

    #[test]
    fn an_envelope_from_elsewhere_is_kept() {
        let inner = maillog::record(b"Jun 17 10:25:14 mail postfix/smtpd[7]: connect from h[192.0.2.9]").unwrap();
        let repeated = Record { repeat: 3, ..inner };
        let raw = b"Jun 17 10:25:20 mail last message repeated 3 times";
        let kept = Kept::new(raw, Some(&repeated));
        let entry = query::describe(&repeated, maillog::event(&repeated).as_ref());
        let (back, unpacked) = Kept::unpack(&kept.pack(&entry).unwrap()).unwrap();
        assert_eq!((back.record(5).unwrap().repeat, back.record(5).unwrap().text), (3, inner.text));
        assert_eq!((unpacked.repeat, unpacked.client_ip.as_deref()), (Some(3), Some("192.0.2.9")));
    }

    #[test]
    fn damage_is_an_error() {
        let (kept, entry) = kept("Jun 17 10:25:14 mail postfix/smtpd[7]: connect from h[192.0.2.9]");
        let packed = kept.pack(&entry).unwrap();
        for length in 0..packed.len() {
            assert!(Kept::unpack(&packed[..length]).is_err(), "{length}");
        }
    }
}
