//! The JSON shapes of CONTRACT.

use std::borrow::Cow;
use std::io::{self, Write};
use std::net::IpAddr;

use diagnose::detect::Decided;
use diagnose::{AccountTally, Class, ClientTally, Counts, Finding, Proof, Recovered, Refused, RelayWhy, Tally};
use input::Coverage;
use query::{Entry, FIELDS, Value as FieldValue};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};
use trace::Fate;

use crate::mask::Mask;
use crate::reading::Read;
use crate::times::rfc3339;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn time(micros: Option<i64>) -> Value {
    micros.map_or(Value::Null, |micros| rfc3339(micros).into())
}

/// A name, masked where asked for.
fn name(bytes: &[u8], mask: Mask) -> String {
    mask.name(&text(bytes))
}

/// An entry: absent fields are left out.
pub struct EntryRow<'a>(Cow<'a, Entry>);

/// An entry: absent fields are left out.
pub fn entry(entry: &Entry, mask: Mask) -> EntryRow<'_> {
    EntryRow(mask.entry(entry))
}

impl Serialize for EntryRow<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let present = FIELDS.iter().filter_map(|field| Some((field.name, Cell((field.get)(&self.0)?))));
        serializer.collect_map(present)
    }
}

/// A field's value.
struct Cell<'a>(FieldValue<'a>);

impl Serialize for Cell<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            FieldValue::Time(micros) => serializer.serialize_str(&rfc3339(micros)),
            FieldValue::Text(text) => serializer.serialize_str(text),
            FieldValue::Int(number) => serializer.serialize_i64(number),
            FieldValue::Real(number) => serializer.serialize_f64(number),
            FieldValue::Reals(numbers) => serializer.collect_seq(numbers),
            FieldValue::Flag(flag) => serializer.serialize_bool(flag),
        }
    }
}

/// What was read, and what was not understood: `coverage` of every answer.
pub fn coverage(read: &Read) -> Value {
    let c: &Coverage = &read.coverage;
    let sources: Vec<Value> = c
        .sources
        .iter()
        .map(|source| {
            let mut row =
                json!({"name": source.name, "lines": source.lines, "from": time(source.from), "to": time(source.to)});
            if let Some(object) = row.as_object_mut() {
                if source.duplicates > 0 {
                    object.insert("duplicates".into(), source.duplicates.into());
                }
                if let Some(year) = source.inferred_year {
                    object.insert("inferred_year".into(), year.into());
                }
                if let Some(original) = &source.copy_of {
                    object.insert("copy_of".into(), original.as_str().into());
                }
                if let Some(damage) = &source.damage {
                    object.insert("damage".into(), json!({"offset": damage.offset, "what": damage.what}));
                }
            }
            row
        })
        .collect();
    let gaps: Vec<Value> = c
        .gaps
        .iter()
        .map(|gap| json!({"from": rfc3339(gap.from), "to": rfc3339(gap.to), "lost": gap.lost, "source": gap.source}))
        .collect();
    let shapes: Vec<Value> = read
        .unknown
        .shapes
        .iter()
        .map(|(shape, count, sample)| json!({"shape": shape, "count": count, "sample": sample}))
        .collect();
    let problems: Vec<Value> = c.problems.iter().map(|problem| problem.to_string().into()).collect();
    json!({
        "lines": c.lines, "understood": c.understood, "unknown": c.unknown, "bad_time": c.bad_time, "duplicates": c.duplicates,
        "from": time(c.from), "to": time(c.to), "sources": sources, "gaps": gaps, "unknown_shapes": shapes, "unknown_about_logins": read.unknown.about_logins, "problems": problems,
    })
}

/// Writes the whole of `triage --json`, row by row: with `--top 0` it is longer than fits in memory twice. `top` bounds
/// the lists; 0 is all. `beside`: a further member, such as what the doctor says.
pub fn write_triage(
    out: &mut impl Write,
    tally: &Tally,
    read: &Read,
    findings: &[Finding],
    top: usize,
    mask: Mask,
    beside: Option<(&str, &Value)>,
) -> io::Result<()> {
    let limit = if top == 0 { usize::MAX } else { top };
    let classes: Map<String, Value> =
        Class::ALL.iter().map(|class| (class.name().to_owned(), tally.class(*class).into())).collect();
    let mut object = Object::begin(out)?;
    object.value("coverage", &coverage(read))?;
    object.value("classes", &classes.into())?;
    object.value("sessions_killed", &tally.sessions_killed.into())?;
    object.value("causes", &json!(tally.causes))?;
    object.value("client_causes", &json!(tally.client_causes))?;
    object.value("sessions_killed_causes", &json!(tally.killed_causes))?;
    object.value("mechanisms", &named_counts(tally.mechanisms.iter()).into())?;
    object.value("services", &named_counts(tally.services.iter()).into())?;
    object.value("unnamed_failures", &tally.unnamed_failures.into())?;
    object.value("mailboxes", &mailboxes(tally, limit, mask))?;
    object.list(
        "clients",
        crate::ranking::clients(tally).into_iter().take(limit).map(|(ip, client)| client_row(tally, *ip, client, mask)),
    )?;
    object.list(
        "accounts",
        crate::ranking::accounts(tally).into_iter().take(limit).map(|account| account_row(tally, account, mask)),
    )?;
    object.list("recovered", tally.recovered.iter().take(limit).map(|row| recovered(row, mask)))?;
    object.list(
        "relay_denied",
        crate::ranking::relay_denied(tally)
            .into_iter()
            .take(limit)
            .map(|(ip, why, row)| relay_denied(ip, why, row, mask)),
    )?;
    object.list("not_logged_in", tally.not_logged_in.iter().take(limit).map(|(ip, row)| refused(*ip, row, mask)))?;
    object.list("findings", findings.iter().take(limit).map(|found| finding(found, read, limit, mask)))?;
    object.value("beyond_bounds", &tally.beyond.into())?;
    if let Some((key, value)) = beside {
        object.value(key, value)?;
    }
    object.end()
}

/// Logins at Dovecot's own services.
fn mailboxes(tally: &Tally, limit: usize, mask: Mask) -> Value {
    let found = &tally.mailboxes;
    let row = |(ip, failed): (IpAddr, u64)| json!({"client_ip": mask.ip(ip), "auth_failed": failed});
    let clients: Vec<Value> = found.clients().into_iter().take(limit).map(row).collect();
    json!({
        "auth_ok": found.ok, "auth_failed": found.failed, "auth_refused": found.refused, "backend_fault": found.faults,
        "services": named_counts(found.services.iter()), "clients": clients,
    })
}

/// An object written member by member, each on its own line.
struct Object<'w, W: Write> {
    out: &'w mut W,
    first: bool,
}

impl<'w, W: Write> Object<'w, W> {
    fn begin(out: &'w mut W) -> io::Result<Self> {
        out.write_all(b"{")?;
        Ok(Self { out, first: true })
    }

    fn key(&mut self, key: &str) -> io::Result<()> {
        self.out.write_all(if std::mem::replace(&mut self.first, false) { b"\n  " } else { b",\n  " })?;
        serde_json::to_writer(&mut *self.out, key)?;
        self.out.write_all(b": ")
    }

    fn value(&mut self, key: &str, value: &Value) -> io::Result<()> {
        self.key(key)?;
        Ok(serde_json::to_writer(&mut *self.out, value)?)
    }

    fn list(&mut self, key: &str, rows: impl Iterator<Item = impl Serialize>) -> io::Result<()> {
        self.key(key)?;
        self.out.write_all(b"[")?;
        for (n, row) in rows.enumerate() {
            self.out.write_all(if n == 0 { b"\n    " } else { b",\n    " })?;
            serde_json::to_writer(&mut *self.out, &row)?;
        }
        self.out.write_all(b"]")
    }

    fn end(self) -> io::Result<()> {
        self.out.write_all(b"\n}\n")
    }
}

fn named_counts<'a>(counts: impl IntoIterator<Item = (&'a Box<[u8]>, &'a u64)>) -> Map<String, Value> {
    counts.into_iter().map(|(name, count)| (text(name), (*count).into())).collect()
}

/// A row of `clients`, written without a map: with `--top 0` there are tens of thousands.
#[derive(Serialize)]
pub struct ClientRow {
    client_ip: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_host: Option<String>,
    auth_failed: u32,
    backend_fault: u32,
    auth_refused: u32,
    auth_aborted: u32,
    auth_ok: u32,
    sessions_killed: u32,
    tls_failed: u32,
    rate_limited: u32,
    usernames: u32,
    first: String,
    last: String,
    messages: u32,
    verdict: &'static str,
}

/// A row of `clients`.
pub fn client_row(tally: &Tally, ip: IpAddr, client: &ClientTally, mask: Mask) -> ClientRow {
    let Counts { auth_failed, backend_fault, auth_refused, auth_aborted, auth_ok, .. } = client.counts;
    let Counts { sessions_killed, tls_failed, rate_limited, .. } = client.counts;
    ClientRow {
        client_ip: mask.ip(ip),
        client_host: client.host.as_deref().map(|host| if mask.0 { "***".to_owned() } else { text(host) }),
        auth_failed,
        backend_fault,
        auth_refused,
        auth_aborted,
        auth_ok,
        sessions_killed,
        tls_failed,
        rate_limited,
        usernames: client.usernames(),
        first: rfc3339(client.first),
        last: rfc3339(client.last),
        messages: client.messages,
        verdict: tally.client_verdict(ip, client).name(),
    }
}

/// A row of `accounts`.
#[derive(Serialize)]
pub struct AccountRow {
    username: String,
    auth_failed: u32,
    backend_fault: u32,
    auth_refused: u32,
    auth_aborted: u32,
    auth_ok: u32,
    sessions_killed: u32,
    tls_failed: u32,
    rate_limited: u32,
    clients: u32,
    first: String,
    last: String,
    messages: u32,
    verdict: &'static str,
}

/// A row of `accounts`.
pub fn account_row(tally: &Tally, account: &AccountTally, mask: Mask) -> AccountRow {
    let Counts { auth_failed, backend_fault, auth_refused, auth_aborted, auth_ok, .. } = account.counts;
    let Counts { sessions_killed, tls_failed, rate_limited, .. } = account.counts;
    AccountRow {
        username: name(&account.username, mask),
        auth_failed,
        backend_fault,
        auth_refused,
        auth_aborted,
        auth_ok,
        sessions_killed,
        tls_failed,
        rate_limited,
        clients: account.clients(),
        first: rfc3339(account.first),
        last: rfc3339(account.last),
        messages: account.messages,
        verdict: tally.account_verdict(account).name(),
    }
}

/// A row of `recovered`.
#[derive(Serialize)]
pub struct RecoveredRow<'a> {
    client_ip: String,
    username: Option<String>,
    failures: u64,
    failures_same_user: u64,
    first_failure: String,
    succeeded: String,
    messages_total: u64,
    messages: Vec<MessageRow<'a>>,
}

/// A row of `recovered`.
pub fn recovered(row: &Recovered, mask: Mask) -> RecoveredRow<'_> {
    RecoveredRow {
        client_ip: mask.ip(row.client_ip),
        username: row.username.as_deref().map(|n| name(n, mask)),
        failures: row.failures,
        failures_same_user: row.failures_same_user,
        first_failure: rfc3339(row.first_failure),
        succeeded: rfc3339(row.succeeded),
        messages_total: row.messages_total,
        messages: row.messages.iter().map(|sent| message(sent, mask)).collect(),
    }
}

/// A message of a login that came after failures.
#[derive(Serialize)]
struct MessageRow<'a> {
    queue_id: Cow<'a, str>,
    ts: String,
    recipients: u32,
    sent: u32,
    deferred: u32,
    bounced: u32,
    expired: u32,
    to: Vec<RecipientRow>,
}

fn message(sent: &diagnose::SentMessage, mask: Mask) -> MessageRow<'_> {
    let diagnose::SentMessage { recipients, sent: delivered, deferred, bounced, expired, .. } = *sent;
    MessageRow {
        queue_id: String::from_utf8_lossy(&sent.queue_id),
        ts: rfc3339(sent.time),
        recipients,
        sent: delivered,
        deferred,
        bounced,
        expired,
        to: sent.to.iter().map(|(to, fate)| recipient(to, *fate, mask)).collect(),
    }
}

/// A recipient with its last fate.
#[derive(Serialize)]
pub struct RecipientRow {
    to: String,
    status: &'static str,
}

/// A recipient with its last fate. Mail handed to a content filter of which nothing more is known was sent, as far as the
/// log shows.
pub fn recipient(to: &[u8], fate: Fate, mask: Mask) -> RecipientRow {
    let status = if fate == Fate::HandedOn { Fate::Sent } else { fate };
    RecipientRow { to: name(to, mask), status: status.name() }
}

fn relay_denied(ip: Option<IpAddr>, why: RelayWhy, row: &Refused, mask: Mask) -> Value {
    let mut value = refused(ip, row, mask);
    if let Some(object) = value.as_object_mut() {
        object.insert("why".into(), why.name().into());
    }
    value
}

fn refused(ip: Option<IpAddr>, row: &Refused, mask: Mask) -> Value {
    let optional = |bytes: &Option<Box<[u8]>>| bytes.as_deref().map(|b| name(b, mask));
    let reply = if mask.0 {
        row.to
            .iter()
            .chain(&row.from)
            .map(|b| text(b))
            .fold(text(&row.reply), |reply, value| mask.within(&reply, &[value]))
    } else {
        text(&row.reply)
    };
    json!({
        "client_ip": ip.map(|ip| mask.ip(ip)), "count": row.count, "first": rfc3339(row.first), "last": rfc3339(row.last),
        "reply": reply, "from": optional(&row.from), "to": optional(&row.to), "username": optional(&row.username), "tag": text(&row.tag),
    })
}

/// A line that proves something.
#[derive(Serialize)]
struct ProofRow<'a> {
    source: &'a str,
    line: u64,
    text: &'a str,
}

/// A line that proves something. Masked, its text is left out.
fn proof<'a>(proof: &'a Proof, read: &'a Read, mask: Mask) -> ProofRow<'a> {
    let source = read.coverage.sources.get(proof.source).map_or("", |source| source.name.as_str());
    ProofRow { source, line: proof.number, text: if mask.0 { "[masked]" } else { &proof.text } }
}

/// A message of an account that may have been taken over.
#[derive(Serialize)]
struct SentThenRow<'a> {
    queue_id: Cow<'a, str>,
    ts: String,
    recipients: u32,
    sent: u32,
    bounced: u32,
}

fn sent_then(mail: &diagnose::detect::SentThen) -> SentThenRow<'_> {
    let diagnose::detect::SentThen { time, recipients, sent, bounced, .. } = *mail;
    SentThenRow { queue_id: String::from_utf8_lossy(&mail.queue_id), ts: rfc3339(time), recipients, sent, bounced }
}

/// Names with a figure each, as an object.
fn figures<S: Serializer>(counts: &&[(&'static str, u64)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(counts.iter().copied())
}

fn decided<S: Serializer>(by: &&Decided, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(by.iter())
}

/// A finding, written without a map: with `--top 0` there are thousands.
#[derive(Serialize)]
pub struct FindingRow<'a> {
    id: Cow<'a, str>,
    kind: &'static str,
    confidence: f64,
    from: Option<String>,
    to: Option<String>,
    clients: Vec<String>,
    accounts: Vec<String>,
    #[serde(serialize_with = "figures")]
    counts: &'a [(&'static str, u64)],
    summary: Cow<'a, str>,
    ban: bool,
    at_least: bool,
    #[serde(serialize_with = "decided")]
    decided_by: &'a Decided,
    messages: Vec<SentThenRow<'a>>,
    evidence: Vec<ProofRow<'a>>,
    next: &'a [Cow<'static, str>],
    avoid: &'a [Cow<'static, str>],
}

/// A finding; at most so many clients and accounts of it.
pub fn finding<'a>(found: &'a Finding, read: &'a Read, limit: usize, mask: Mask) -> FindingRow<'a> {
    let masked = |text: &'a str| {
        if !mask.0 {
            return Cow::Borrowed(text);
        }
        let ips: Vec<String> = found.clients.iter().map(ToString::to_string).collect();
        Cow::Owned(mask.within(text, &ips))
    };
    // What has no time of its own is true of the whole log.
    let or_all = |at: i64, all: Option<i64>| if at == 0 { all } else { Some(at) }.map(rfc3339);
    FindingRow {
        id: masked(&found.id),
        kind: found.kind.name(),
        confidence: (f64::from(found.confidence) * 100.0).round() / 100.0,
        from: or_all(found.from, read.coverage.from),
        to: or_all(found.to, read.coverage.to),
        clients: found.clients.iter().take(limit).map(|ip| mask.ip(*ip)).collect(),
        accounts: found.accounts.iter().take(limit).map(|account| name(account, mask)).collect(),
        counts: &found.counts,
        summary: masked(&found.summary),
        ban: found.ban,
        at_least: found.at_least,
        decided_by: &found.decided_by,
        messages: found.messages.iter().take(limit).map(sent_then).collect(),
        evidence: found.evidence.iter().map(|p| proof(p, read, mask)).collect(),
        next: &found.next,
        avoid: &found.avoid,
    }
}
