//! The field table: one declaration of everything an entry can hold.
//!
//! Adding a field is one row here and one line where [`crate::describe`] fills it.

/// What kind of value a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Microseconds since 1970 UTC, shown as RFC 3339.
    Time,
    /// UTF-8 text; bytes that were none are U+FFFD.
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
    /// Reads it from an entry.
    pub get: for<'a> fn(&'a Entry) -> Option<Value<'a>>,
    /// Overwrites a text; does nothing to other kinds.
    pub set_text: fn(&mut Entry, String),
}

macro_rules! kinds {
    (type Time) => {
        i64
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

        /// Every field, in the order it is shown.
        pub static FIELDS: &[Field] = &[$(Field {
            name: stringify!($name),
            alias: fields!(@alias $($alias)?),
            kind: Kind::$kind,
            meaning: $meaning,
            hostile: false $(|| fields!(@hostile $mark))*,
            personal: false $(|| fields!(@personal $mark))*,
            get: |entry| entry.$name.as_ref().map(|value| kinds!(value $kind value)),
            set_text: |entry, text| { let _ = &entry.$name; kinds!(set $kind entry.$name, text) },
        },)*];
    };
    (@alias) => { None };
    (@alias $alias:literal) => { Some($alias) };
    (@hostile hostile) => { true };
    (@hostile $other:ident) => { false };
    (@personal personal) => { true };
    (@personal $other:ident) => { false };
}

fields! {
    ts: Time, "when the line was written, UTC";
    time_inferred: Text, "what of the time the log did not say: `year` or `year,zone`";
    host: Text, "the mail host as logged";
    tag: Text, "the program tag as logged, e.g. `postfix-out/submission/smtpd`";
    instance: Text, "the tag up to the first slash";
    service: Text, "the tag between instance and program; `imap`, `pop3`, `lmtp` … for Dovecot's own lines; what `anvil` counted";
    daemon: Text, "the program";
    pid: Int, "the process id";
    queue_id ("qid"): Text, "the queue id; absent for NOQUEUE";
    orig_queue_id: Text, "what the message was called before: a content filter's way back in, or `postsuper -r`";
    next_queue_id: Text, "what the message is called from here on (`queued as`, `forwarded as`), or the notice about it";
    level: Text, "`info`, `warning`, `error`, `fatal` or `panic`";
    repeat: Int, "how often the line occurred, where syslog folded it; absent means once";
    class: Text, "what the line is counted as";
    event: Text, "what kind of line it is";
    cause: Text, "id of the cause";
    confidence: Real, "how sure the cause is, 0 to 1";
    client_host: Text, "the client's verified name", personal;
    client_ip ("client"): Text, "the client's address", personal;
    client_port: Int, "the client's port";
    mechanism ("mech"): Text, "the SASL mechanism as the client spelled it", hostile;
    username ("user"): Text, "the login name", hostile, personal;
    username_origin: Text, "`logged`, or `joined` from another program's line";
    reason: Text, "why or what, verbatim: a backend's words, an error, a warning, the DNS list", hostile;
    stage: Text, "the SMTP command a reject, loss or timeout belongs to";
    code: Int, "the SMTP reply code";
    dsn: Text, "the enhanced status code";
    from: Text, "envelope sender", hostile, personal;
    to: Text, "envelope recipient", hostile, personal;
    orig_to: Text, "the recipient before aliases", hostile, personal;
    helo: Text, "what the client calls itself", hostile;
    proto: Text, "`SMTP` or `ESMTP`";
    sasl_sender: Text, "AUTH= of MAIL FROM", hostile, personal;
    uid: Int, "the local user who handed in the message";
    relay_host: Text, "the next hop's name";
    relay_ip: Text, "the next hop's address";
    relay_port: Int, "the next hop's port";
    conn_use: Int, "how many deliveries the connection has served, from the second on";
    delay: Real, "seconds from arrival to the end of this delivery attempt";
    delays: Reals, "seconds before the queue manager, in it, for connection set-up, for transmission";
    status: Text, "of a delivery: `sent`, `deferred`, `bounced`, `expired`, …; of a decision, a check or a screening: what it was";
    response: Text, "the words of a reply or of a delivery's outcome", hostile;
    message_id: Text, "the Message-ID", hostile;
    size: Int, "message size in bytes";
    nrcpt: Int, "number of recipients";
    tls_version: Text, "the TLS version";
    tls_cipher: Text, "the TLS cipher";
    tls_level: Text, "`Anonymous`, `Untrusted`, `Trusted` or `Verified`: of the other side's certificate";
    tls_policy: Text, "of a delivery: TLS policy and what came of it, as Postfix 3.11 logs it (`may`, `dane/!requiretls:nocertmatch`)";
    auth_ok: Int, "logins that succeeded in the session";
    auth_tried: Int, "AUTH commands of the session";
    attempts: Int, "on a `disconnect` line of class `auth_refused`: how many silent refusals it stands for";
    session: Text, "the same for all lines of one SMTP session";
    source: Text, "the file the line stands in";
    line: Int, "its number there, from 1";
    text: Text, "the message part, secrets redacted", hostile;
    truncated: Flag, "the line was longer than what is kept";
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
