//! The field table: one declaration of everything an entry can hold.
//!
//! Adding a field is one row here and one line where [`crate::describe`] fills it.

use std::fmt;

use crate::present::rfc3339;

/// What kind of value a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Microseconds since 1970 UTC, shown as RFC 3339.
    Time,
    /// An IP address, IPv4 in IPv6 as IPv4. Asked for as an address or a network.
    Address,
    /// A name, a number or a word of some list, as text: asked for as a whole, with `*` for any part of it.
    Word,
    /// Words of people and programs: asked for by the words in it. Bytes that were no UTF-8 are U+FFFD.
    Text,
    /// A whole number.
    Int,
    /// 0 to 1, or seconds.
    Real,
    /// Four times in seconds.
    Reals,
    /// Yes.
    Flag,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 8] =
        [Self::Time, Self::Address, Self::Word, Self::Text, Self::Int, Self::Real, Self::Reals, Self::Flag];

    /// The kind's name in the manual, and how a query asks for it.
    #[must_use]
    pub fn described(self) -> (&'static str, &'static str) {
        match self {
            Self::Time => ("time", "`2026-06-17`, `today`, `A..B`, `>A`; with the words `since:`, `until:` and `on:`"),
            Self::Address => ("address", "`203.0.113.9`, `203.0.113.0/24`, `203.0.113.*`, `2001:db8::/32`"),
            Self::Word => ("word", "the whole value, `*` for any part of it"),
            Self::Text => ("text", "words that stand in it, `*` to free an end"),
            Self::Int => ("integer", "`25`, `25..30`, `>25`, `<=25`, `5xx`"),
            Self::Real => ("number", "`1.5`, `1..2.5`, `>1.5`"),
            Self::Reals => ("four numbers", "as a number; any of the four"),
            Self::Flag => ("flag", "`yes` or `no`"),
        }
    }
}

/// A value as it leaves an entry.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// Microseconds since 1970 UTC.
    Time(i64),
    /// Text.
    Text(&'a str),
    /// Whole number.
    Int(i64),
    /// Number.
    Real(f64),
    /// Four numbers.
    Reals(&'a [f64; 4]),
    /// Yes.
    Flag(bool),
}

impl Value<'_> {
    /// The same value on its own.
    #[must_use]
    pub fn to_owned(self) -> OwnedValue {
        match self {
            Self::Time(micros) => OwnedValue::Time(micros),
            Self::Text(text) => OwnedValue::Text(text.to_owned()),
            Self::Int(number) => OwnedValue::Int(number),
            Self::Real(number) => OwnedValue::Real(number),
            Self::Reals(numbers) => OwnedValue::Reals(*numbers),
            Self::Flag(flag) => OwnedValue::Flag(flag),
        }
    }
}

/// A value on its way into an entry.
#[derive(Clone, Debug, PartialEq)]
pub enum OwnedValue {
    /// Microseconds since 1970 UTC.
    Time(i64),
    /// Text.
    Text(String),
    /// Whole number.
    Int(i64),
    /// Number.
    Real(f64),
    /// Four numbers.
    Reals([f64; 4]),
    /// Yes.
    Flag(bool),
}

/// As a person reads it: RFC 3339, the text itself, numbers in full, four of them with slashes as Postfix writes them.
impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time(micros) => f.write_str(&rfc3339(*micros)),
            Self::Text(text) => f.write_str(text),
            Self::Int(number) => number.fmt(f),
            Self::Real(number) => number.fmt(f),
            Self::Reals([a, b, c, d]) => write!(f, "{a}/{b}/{c}/{d}"),
            Self::Flag(flag) => f.write_str(if *flag { "yes" } else { "no" }),
        }
    }
}

/// A row of the field table.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Name in queries, JSON and CSV.
    pub name: &'static str,
    /// A shorter name for queries.
    pub alias: Option<&'static str>,
    /// What it holds.
    pub kind: Kind,
    /// What it means, and its unit.
    pub meaning: &'static str,
    /// Strangers can write it: never trust its text.
    pub hostile: bool,
    /// Personal data: masked on demand.
    pub personal: bool,
    /// Values that differ in case are different ones: case counts in queries and when values are counted.
    pub cased: bool,
    /// Its values are few enough to be counted and split by: an index keeps them in a column.
    pub facet: bool,
    /// Its value stands in the line's text, nearly always: an index finds it by the words of the text.
    pub quoted: bool,
    /// No line says it: what is around the line does, or where it stands. [`crate::describe`] leaves it out.
    pub told: bool,
    /// Reads it from an entry.
    pub get: for<'a> fn(&'a Entry) -> Option<Value<'a>>,
    /// Overwrites an address, a word or a text; does nothing to other kinds.
    pub set_text: fn(&mut Entry, String),
    /// Writes a value into an entry, or takes it out. A value of another kind takes it out.
    pub put: fn(&mut Entry, Option<OwnedValue>),
}

/// A field is its name: the table holds each once.
impl PartialEq for Field {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// The line's text: what words without a field name are searched in.
pub static TEXT: &Field = known(FIELDS, "text");
/// When the line was written: what `since:`, `until:` and `on:` ask for.
pub static TS: &Field = known(FIELDS, "ts");

/// The field of a name that the table holds; where it does not, the program does not compile.
const fn known(mut fields: &'static [Field], name: &str) -> &'static Field {
    while let Some((first, rest)) = fields.split_first() {
        if same(first.name.as_bytes(), name.as_bytes()) {
            return first;
        }
        fields = rest;
    }
    panic!("no such field")
}

const fn same(mut a: &[u8], mut b: &[u8]) -> bool {
    while let (Some((x, a_rest)), Some((y, b_rest))) = (a.split_first(), b.split_first()) {
        if *x != *y {
            return false;
        }
        (a, b) = (a_rest, b_rest);
    }
    a.is_empty() && b.is_empty()
}

/// The field of that name or alias.
#[must_use]
pub fn field(name: &str) -> Option<&'static Field> {
    FIELDS.iter().find(|field| field.name == name || field.alias == Some(name))
}

macro_rules! kinds {
    (type Time) => {
        i64
    };
    (type Address) => {
        String
    };
    (type Word) => {
        String
    };
    (type Text) => {
        String
    };
    (type Int) => {
        i64
    };
    (type Real) => {
        f64
    };
    (type Reals) => {
        [f64; 4]
    };
    (type Flag) => {
        bool
    };
    (value Time $value:expr) => {
        Value::Time(*$value)
    };
    (value Address $value:expr) => {
        Value::Text($value)
    };
    (value Word $value:expr) => {
        Value::Text($value)
    };
    (value Text $value:expr) => {
        Value::Text($value)
    };
    (value Int $value:expr) => {
        Value::Int(*$value)
    };
    (value Real $value:expr) => {
        Value::Real(*$value)
    };
    (value Reals $value:expr) => {
        Value::Reals($value)
    };
    (value Flag $value:expr) => {
        Value::Flag(*$value)
    };
    (put Time $slot:expr, $value:expr) => {
        $slot = match $value {
            Some(OwnedValue::Time(value)) => Some(value),
            _ => None,
        }
    };
    (put Int $slot:expr, $value:expr) => {
        $slot = match $value {
            Some(OwnedValue::Int(value)) => Some(value),
            _ => None,
        }
    };
    (put Real $slot:expr, $value:expr) => {
        $slot = match $value {
            Some(OwnedValue::Real(value)) => Some(value),
            _ => None,
        }
    };
    (put Reals $slot:expr, $value:expr) => {
        $slot = match $value {
            Some(OwnedValue::Reals(value)) => Some(value),
            _ => None,
        }
    };
    (put Flag $slot:expr, $value:expr) => {
        $slot = match $value {
            Some(OwnedValue::Flag(value)) => Some(value),
            _ => None,
        }
    };
    (put $text:ident $slot:expr, $value:expr) => {
        $slot = match $value {
            Some(OwnedValue::Text(value)) => Some(value),
            _ => None,
        }
    };
    (set Address $slot:expr, $text:expr) => {
        $slot = Some($text)
    };
    (set Word $slot:expr, $text:expr) => {
        $slot = Some($text)
    };
    (set Text $slot:expr, $text:expr) => {
        $slot = Some($text)
    };
    (set $other:ident $slot:expr, $text:expr) => {
        drop($text)
    };
}

macro_rules! fields {
    ($($name:ident $(($alias:literal))?: $kind:ident, $meaning:literal $(, $mark:ident)*;)*) => {
        /// One log line as a flat row. Every field but `source`, `line` and `text` may be absent.
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct Entry {
            $(#[doc = $meaning] pub $name: Option<kinds!(type $kind)>,)*
        }

        impl Entry {
            /// Tells of each field in which two entries differ.
            pub fn differing(&self, other: &Self, mut tell: impl FnMut(&'static Field)) {
                let mut fields = FIELDS.iter();
                $(if let Some(field) = fields.next() && self.$name != other.$name {
                    tell(field);
                })*
            }
        }

        /// Every field, in the order it is shown.
        pub static FIELDS: &[Field] = &[$(Field {
            name: stringify!($name),
            alias: fields!(@alias $($alias)?),
            kind: Kind::$kind,
            meaning: $meaning,
            hostile: false $(|| fields!(@hostile $mark))*,
            personal: false $(|| fields!(@personal $mark))*,
            cased: false $(|| fields!(@cased $mark))*,
            facet: false $(|| fields!(@facet $mark))*,
            quoted: false $(|| fields!(@quoted $mark))*,
            told: false $(|| fields!(@told $mark))*,
            get: |entry| entry.$name.as_ref().map(|value| kinds!(value $kind value)),
            set_text: |entry, text| { let _ = &entry.$name; kinds!(set $kind entry.$name, text) },
            put: |entry, value| kinds!(put $kind entry.$name, value),
        },)*];
    };
    (@alias) => { None };
    (@alias $alias:literal) => { Some($alias) };
    (@hostile hostile) => { true };
    (@hostile $other:ident) => { false };
    (@personal personal) => { true };
    (@personal $other:ident) => { false };
    (@facet facet) => { true };
    (@facet $other:ident) => { false };
    (@quoted quoted) => { true };
    (@quoted $other:ident) => { false };
    (@told told) => { true };
    (@told $other:ident) => { false };
    (@cased cased) => { true };
    (@cased $other:ident) => { false };
}

fields! {
    ts: Time, "when the line was written, UTC", told;
    time_inferred: Word, "what of the time the log did not say: `year` or `year,zone`", told;
    host: Word, "the mail host as logged", facet;
    tag: Word, "the program tag as logged, e.g. `postfix-out/submission/smtpd`";
    instance: Word, "the tag up to the first slash, unless that is a service";
    service: Word, "the tag between instance and program, or `submission`, `submissions` and `smtps` without an instance; `imap`, `pop3`, `lmtp` … for Dovecot's own lines; what `anvil` counted", facet;
    daemon: Word, "the program", facet;
    pid: Int, "the process id";
    queue_id ("qid"): Word, "the queue id; absent for NOQUEUE", cased, quoted;
    orig_queue_id: Word, "what the message was called before: a content filter's way back in, or `postsuper -r`", cased, quoted;
    next_queue_id: Word, "what the message is called from here on (`queued as`, `forwarded as`), or the notice about it", cased, quoted;
    level: Word, "`info`, `warning`, `error`, `fatal` or `panic`", facet;
    repeat: Int, "how often the line occurred, where syslog folded it; absent means once";
    class: Word, "what the line is counted as", facet;
    event: Word, "what kind of line it is", facet;
    cause: Word, "id of the cause", facet;
    confidence: Real, "how sure the cause is, 0 to 1";
    client_host: Word, "the client's verified name", personal;
    client_ip ("client"): Address, "the client's address", personal, facet;
    client_port: Int, "the client's port";
    mechanism ("mech"): Word, "the SASL mechanism as the client spelled it", hostile, facet;
    username ("user"): Word, "the login name", hostile, personal, facet;
    username_origin: Word, "`logged`, or `joined` from another program's line";
    reason: Text, "why or what, verbatim: a backend's words, an error, a warning, the DNS list", hostile;
    stage: Word, "the SMTP command a reject, loss or timeout belongs to";
    code: Int, "the SMTP reply code";
    dsn: Word, "the enhanced status code", facet;
    from: Word, "envelope sender", hostile, personal, facet;
    to: Word, "envelope recipient", hostile, personal, facet;
    orig_to: Word, "the recipient before aliases", hostile, personal;
    helo: Word, "what the client calls itself", hostile;
    proto: Word, "`SMTP` or `ESMTP`";
    sasl_sender: Word, "AUTH= of MAIL FROM", hostile, personal;
    uid: Int, "the local user who handed in the message";
    relay_host: Word, "the next hop's name", facet;
    relay_ip: Address, "the next hop's address";
    relay_port: Int, "the next hop's port";
    conn_use: Int, "how many deliveries the connection has served, from the second on";
    delay: Real, "seconds from arrival to the end of this delivery attempt";
    delays: Reals, "seconds before the queue manager, in it, for connection set-up, for transmission";
    status: Word, "of a delivery: `sent`, `deferred`, `bounced`, `expired`, …; of a decision, a check or a screening: what it was", facet;
    response: Text, "the words of a reply or of a delivery's outcome", hostile;
    message_id: Word, "the Message-ID", hostile, cased, quoted;
    size: Int, "message size in bytes";
    nrcpt: Int, "number of recipients";
    tls_version: Word, "the TLS version", facet;
    tls_cipher: Word, "the TLS cipher";
    tls_level: Word, "`Anonymous`, `Untrusted`, `Trusted` or `Verified`: of the other side's certificate";
    tls_policy: Word, "of a delivery: TLS policy and what came of it, as Postfix 3.11 logs it (`may`, `dane/!requiretls:nocertmatch`)";
    auth_ok: Int, "logins that succeeded in the session";
    auth_tried: Int, "AUTH commands of the session";
    attempts: Int, "on a `disconnect` line of class `auth_refused`: how many silent refusals it stands for", told;
    session: Word, "the same for all lines of one SMTP session", cased, told;
    source: Word, "the file the line stands in", cased, told;
    line: Int, "its number there, from 1", told;
    text: Text, "the message part, secrets redacted", hostile;
    truncated: Flag, "the line was longer than what is kept", told;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_aliases_are_unique() {
        let mut names: Vec<&str> = FIELDS.iter().flat_map(|f| std::iter::once(f.name).chain(f.alias)).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn a_field_reads_what_was_set() {
        let entry = Entry { username: Some("a".into()), code: Some(535), ..Entry::default() };
        let found: Vec<(&str, Value<'_>)> = FIELDS.iter().filter_map(|f| Some((f.name, (f.get)(&entry)?))).collect();
        assert_eq!(found, [("username", Value::Text("a")), ("code", Value::Int(535))]);
        assert!(FIELDS.iter().any(|f| f.name == "username" && f.hostile && f.personal));
    }
}
