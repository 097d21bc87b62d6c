//! A line as it is kept: its bytes, secrets redacted, and what of its entry they do not say by themselves.
//!
//! In goes a line with its entry, out comes a packed form, and back. What an entry says that its line does not (session, a joined name,
//! the class an attempt turned out to have) is kept by field name, so that packed lines of older versions can be read.

use std::borrow::Cow;
use std::sync::LazyLock;

use maillog::{Record, Stamp, Stamps, Tag};
use query::{Entry, FIELDS, Field, OwnedValue, Value};
use serde::{Deserialize, Serialize};

use super::packing::Form;
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
    /// What the bytes say by themselves.
    said: Said,
}

/// What is known of what a line's bytes say by themselves.
#[derive(Clone, Debug, Default)]
enum Said {
    /// They have to be read for that.
    #[default]
    Unread,
    /// What its entry says, but for fields that no line says ([`Field::told`]).
    AsIs,
    /// What its entry said before outcomes changed it.
    Before(Box<Entry>),
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
            program: maillog::program(Tag(&self.tag)),
            pid: self.pid,
            repeat: self.repeat,
            text: &self.text,
        }
    }
}

impl Kept {
    #[cfg(test)]
    pub(crate) fn new(raw: &[u8], record: Option<&Record<'_>>) -> Self {
        Self::of(&mut Stamps::default(), raw, record)
    }

    /// Of a line and its envelope, if it has any. `stamps`: what the lines before it had in common.
    #[must_use]
    pub fn of(stamps: &mut Stamps, raw: &[u8], record: Option<&Record<'_>>) -> Self {
        let text = maillog::redact(record.map_or(raw, |record| record.text));
        let (redacted, secret) = match (&text, record) {
            (Cow::Borrowed(_), _) => (Cow::Borrowed(raw), false),
            (Cow::Owned(clean), None) => (Cow::Borrowed(clean.as_slice()), true),
            (Cow::Owned(_), Some(record)) => (maillog::redact_line(raw, record.text), true),
        };
        let said = record.is_some_and(|record| {
            stamps.record(&redacted).is_some_and(|plain| {
                (plain.host, plain.tag.0, plain.pid, plain.repeat, plain.text)
                    == (record.host, record.tag.0, record.pid, record.repeat, &text)
            })
        });
        let redacted = redacted.into_owned();
        let head = record.filter(|_| !said).map(|record| Head::of(record, text));
        Self { raw: Some(redacted), head, secret, said: Said::Unread }
    }

    /// Only an entry: for tests and for entries that come from elsewhere.
    #[must_use]
    pub const fn nothing() -> Self {
        Self { raw: None, head: None, secret: false, said: Said::Unread }
    }

    /// Notes that its entry is what [`query::describe`] made of the line and its envelope, so that packing need not do it again. Where a
    /// secret was taken out, what is left may say something else.
    pub fn is_described(&mut self) {
        if !self.secret {
            self.said = Said::AsIs;
        }
    }

    /// To be told before anything in its entry is changed that lines say.
    pub fn changes(&mut self, entry: &Entry) {
        if matches!(self.said, Said::AsIs) {
            let mut said = Box::new(entry.clone());
            TOLD.iter().for_each(|field| (field.put)(&mut said, None));
            self.said = Said::Before(said);
        }
    }

    /// Whatever its entry says, its bytes say something else by now.
    pub(super) fn is_rewritten(&mut self) {
        self.said = Said::Unread;
    }

    /// The envelope, with a time of the caller's.
    #[must_use]
    pub fn record(&self, ts: i64) -> Option<Record<'_>> {
        self.record_after(&mut Stamps::default(), ts)
    }

    /// The same; `stamps`: what the lines before it had in common.
    #[must_use]
    pub fn record_after(&self, stamps: &mut Stamps, ts: i64) -> Option<Record<'_>> {
        match &self.head {
            Some(head) => Some(head.record(ts)),
            None => {
                let record = stamps.record(self.raw.as_deref()?)?;
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
        let mut form = Form::default();
        let mut changed = Vec::new();
        let mut differs = |field: &Field, said: Option<Value<'_>>| match (said, (field.get)(entry)) {
            (None, Some(Value::Text(text))) if form.takes(field, text) => {}
            (_, value) => changed.push(Changed { field: field.name, value: value.map(Cell::of) }),
        };
        let mut compare = |said: &Entry| {
            said.differing(entry, |field| {
                if is_packed(field) {
                    differs(field, (field.get)(said));
                }
            });
        };
        match &self.said {
            Said::AsIs => {
                TOLD.iter().filter(|field| (field.get)(entry).is_some()).for_each(|field| differs(field, None))
            }
            Said::Before(said) => compare(said),
            Said::Unread => compare(&self.said()),
        }
        let rest = Rest { head: self.head.as_ref().map(Cow::Borrowed), secret: self.secret, changed };
        let raw = self.raw.as_deref();
        let mut packed = form.begin(raw.is_some(), !rest.is_empty(), raw.map_or(0, <[u8]>::len));
        if !rest.is_empty() {
            packed = postcard::to_extend(&rest, packed)?;
        }
        packed.extend_from_slice(raw.unwrap_or_default());
        Ok(packed)
    }

    /// Unpacks the line, and what it says of its time, without making an entry of it.
    pub(crate) fn unpack_line(bytes: &[u8]) -> Result<Unpacked, postcard::Error> {
        let packed = Packed::of(bytes)?;
        let time_inferred = packed.form.time.map(Cow::Borrowed);
        let mut unpacked = Unpacked { kept: packed.kept(), time_inferred, truncated: false };
        for Changed { field, value } in packed.rest.changed {
            match (field, value) {
                ("time_inferred", Some(Cell::Text(text))) => unpacked.time_inferred = Some(Cow::Owned(text.to_owned())),
                ("truncated", Some(Cell::Flag(flag))) => unpacked.truncated = flag,
                _ => {}
            }
        }
        Ok(unpacked)
    }

    /// Unpacks it. The entry lacks what stands elsewhere: time, source and line.
    pub fn unpack(bytes: &[u8]) -> Result<(Self, Entry), postcard::Error> {
        let packed = Packed::of(bytes)?;
        let kept = packed.kept();
        let mut entry = kept.said();
        packed.form.put(&mut entry);
        for Changed { field, value } in packed.rest.changed {
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
    pub(crate) time_inferred: Option<Cow<'static, str>>,
    pub(crate) truncated: bool,
}

/// What is packed of fields that no line says.
static TOLD: LazyLock<Vec<&Field>> =
    LazyLock::new(|| FIELDS.iter().filter(|field| field.told && is_packed(field)).collect());

/// Whether a field is kept in the packed line, and not outside of it.
fn is_packed(field: &Field) -> bool {
    !in_place(field) && field != query::TS
}

/// A packed line, taken apart.
struct Packed<'a> {
    form: Form,
    rest: Rest<'a>,
    raw: Option<&'a [u8]>,
}

impl<'a> Packed<'a> {
    fn of(bytes: &'a [u8]) -> Result<Self, postcard::Error> {
        let Some((form, has, bytes)) = Form::read(bytes) else {
            let old: Older<'a> = postcard::from_bytes(bytes)?;
            let rest = Rest { head: old.head, secret: old.secret, changed: old.changed };
            return Ok(Self { form: Form::default(), rest, raw: old.raw.map(|raw| raw.as_ref()) });
        };
        let (rest, raw) = if has.rest { postcard::take_from_bytes(bytes)? } else { (Rest::default(), bytes) };
        Ok(Self { form, rest, raw: has.raw.then_some(raw) })
    }

    fn kept(&self) -> Kept {
        Kept {
            raw: self.raw.map(<[u8]>::to_vec),
            head: self.rest.head.as_deref().cloned(),
            secret: self.rest.secret,
            said: Said::Unread,
        }
    }
}

/// What few lines have, kept by name.
#[derive(Default, Serialize, Deserialize)]
struct Rest<'a> {
    head: Option<Cow<'a, Head>>,
    secret: bool,
    #[serde(borrow)]
    changed: Vec<Changed<'a>>,
}

impl Rest<'_> {
    fn is_empty(&self) -> bool {
        self.head.is_none() && !self.secret && self.changed.is_empty()
    }
}

/// A packed line of layouts up to 2.
#[derive(Deserialize)]
struct Older<'a> {
    #[serde(borrow)]
    raw: Option<&'a serde_bytes::Bytes>,
    head: Option<Cow<'a, Head>>,
    secret: bool,
    #[serde(borrow)]
    changed: Vec<Changed<'a>>,
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
    fn what_was_described_is_packed_as_what_is_read() {
        let line = "Jun 17 10:25:14 mail postfix/smtpd[7]: disconnect from h[192.0.2.9] auth=0/1 quit=1 commands=1/2";
        let tell = |entry: &mut Entry| {
            entry.session = Some("e83ebd74f69732e9".to_owned());
            entry.time_inferred = Some("century".to_owned());
            entry.truncated = Some(true);
        };
        let (unread, mut entry) = kept(line);
        let mut described = unread.clone();
        described.is_described();
        tell(&mut entry);
        assert_eq!(described.pack(&entry).unwrap(), unread.pack(&entry).unwrap());
        described.changes(&entry);
        entry.class = Some("auth_refused".to_owned());
        entry.attempts = Some(1);
        entry.client_host = None;
        described.changes(&entry);
        let packed = described.pack(&entry).unwrap();
        assert_eq!(packed, unread.pack(&entry).unwrap());
        assert_eq!(Kept::unpack(&packed).unwrap().1, entry);
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
        let line = "Jun 17 10:25:14 mail postfix/smtpd[7]: connect from h[192.0.2.9]";
        let (kept, mut entry) = kept(line);
        entry.session = Some("e83ebd74f69732e9".to_owned());
        let packed = Kept { secret: true, ..kept }.pack(&entry).unwrap();
        // The document says how long the line's own bytes are.
        for length in 0..packed.len() - line.len() {
            assert!(Kept::unpack(&packed[..length]).is_err(), "{length}");
        }
    }
}
