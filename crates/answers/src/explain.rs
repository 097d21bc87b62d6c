//! `explain`: one line, everything it says, why, what to do next, and where the wording comes from.

use std::fmt::Write as _;

use diagnose::{Class, Diagnoser, Diagnosis, Reason, StatusCode};
use input::LINE_BYTES_MAX;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use maillog::{Event, Program, Record, Stamp, Tag, WallTime};
use query::{Entry, FIELDS};
use serde_json::{Value, json};
use trace::{Attempt, Limits, Login, Refusal, Sink, Story, Tracer, Where};

use crate::json;
use crate::mask::Mask;
use crate::screen::{Ink, Screen, escape, left, wrap};

/// A line and what it means.
pub struct Explained {
    entry: Entry,
    diagnosis: Diagnosis,
    /// What a deferral, bounce or reject says besides.
    reply: Reply,
    /// The message stood without an envelope: the program was guessed.
    guessed: bool,
}

/// Why mail was put off, returned or refused, where no cause tells; and the status code.
#[derive(Clone, Copy, Default)]
struct Reply {
    reason: Option<&'static Reason>,
    code: Option<StatusCode>,
}

impl Reply {
    fn of(event: &Event<'_>, diagnosis: &Diagnosis) -> Self {
        let (words, code) = match event {
            Event::Delivery(delivery) => (delivery.response, delivery.timing().dsn),
            Event::Policy(_, policy) if event.name() == "reject" => (policy.words(), policy.dsn),
            _ => return Self::default(),
        };
        let code = code.and_then(StatusCode::parse);
        let sent = matches!(event, Event::Delivery(delivery) if delivery.status == b"sent");
        let ours = matches!(event, Event::Policy(..));
        let found = || if ours { Reason::of(words, code).at_our_door() } else { Reason::of(words, code) };
        let reason = (diagnosis.cause.is_none() && !sent).then(found);
        Self { reason, code }
    }

    fn to_json(self) -> Option<Value> {
        let code = self.code.map(|code| {
            let decoded = code.decode();
            json!({"code": code.to_string(), "class": decoded.class, "subject": decoded.subject, "detail": decoded.detail, "next": decoded.next})
        });
        let reason = self.reason.map(|reason| json!({"id": reason.id, "side": reason.side.name()}));
        (code.is_some() || reason.is_some()).then(|| json!({"reason": reason, "status_code": code}))
    }

    fn draw(self, screen: Screen) -> String {
        let mut text = Vec::new();
        if let Some(reason) = self.reason {
            text.push(format!("{} (reason {}, in the hands of {})", reason.meaning, reason.id, reason.side.name()));
        }
        if let Some(code) = self.code {
            let decoded = code.decode();
            let detail = decoded.detail.unwrap_or("a detail that is not registered");
            text.push(format!("{code}: {}; about {}: {detail}", decoded.class, decoded.subject));
        }
        text.iter().flat_map(|text| wrap(text, screen.width - 2)).map(|line| format!("  {line}\n")).collect()
    }
}

/// What a stamp may leave out, as far as it is known.
#[derive(Clone, Debug, Default)]
pub struct Unsaid {
    /// Its zone.
    pub zone: Option<TimeZone>,
    /// Its year.
    pub year: Option<i16>,
}

impl Unsaid {
    /// The instant of a stamp in microseconds since 1970 UTC, if all of it is known.
    fn instant(&self, stamp: Stamp) -> Option<i64> {
        let wall = match stamp {
            Stamp::Instant(micros) => return Some(micros),
            Stamp::Wall(wall) => wall,
        };
        let [month, day, hour, minute] = [wall.month, wall.day, wall.hour, wall.minute].map(u8::cast_signed);
        let date = Date::new(wall.year.or(self.year)?, month, day).ok()?;
        // No clock of a computer shows the 60th second for longer than that.
        let second = wall.second.min(59).cast_signed();
        let time = Time::new(hour, minute, second, i32::try_from(wall.micros).ok()?.checked_mul(1_000)?).ok()?;
        Some(date.to_datetime(time).to_zoned(self.zone.clone()?).ok()?.timestamp().as_microsecond())
    }
}

/// What a line means, whatever it is.
pub fn explain(line: &[u8], unsaid: &Unsaid) -> Explained {
    match line.get(..LINE_BYTES_MAX).filter(|start| start.len() < line.len()) {
        Some(start) => {
            let mut explained = explain_whole(start, unsaid);
            explained.entry.truncated = Some(true);
            explained
        }
        None => explain_whole(line, unsaid),
    }
}

fn explain_whole(line: &[u8], unsaid: &Unsaid) -> Explained {
    let unwrapped = if maillog::record(line).is_none() { maillog::unwrap(line) } else { None };
    let line = unwrapped.as_deref().unwrap_or(line);
    if let Some(record) = maillog::record(line) {
        let mut explained = explain_record(&record, false);
        explained.entry.ts = unsaid.instant(record.stamp);
        return explained;
    }
    match bare(line) {
        Some(record) => explain_record(&record, true),
        None => {
            let text = String::from_utf8_lossy(&maillog::redact(line)).into_owned();
            Explained {
                entry: Entry { event: Some("unknown".to_owned()), text: Some(text), ..Entry::default() },
                diagnosis: Diagnosis::default(),
                reply: Reply::default(),
                guessed: false,
            }
        }
    }
}

/// A message pasted without its envelope, or with the tag only: read as what an `smtpd`, or else Dovecot, would write.
fn bare(line: &[u8]) -> Option<Record<'_>> {
    let wall = WallTime { year: None, month: 1, day: 1, hour: 0, minute: 0, second: 0, micros: 0 };
    let guess = |tag: &'static [u8]| Record {
        stamp: Stamp::Wall(wall),
        host: b"",
        tag: Tag(tag),
        program: maillog::program(Tag(tag)),
        pid: None,
        repeat: 1,
        text: line,
    };
    let tagged = [b"Jan  1 00:00:00 - ".as_slice(), line].concat();
    if let Some(record) = maillog::record(&tagged)
        && record.program != Program::Other
    {
        let (tag_len, text_len) = (record.tag.0.len(), record.text.len());
        let (tag, pid) = (line.get(..tag_len)?, record.pid);
        let program = record.program;
        return Some(Record {
            tag: Tag(tag),
            program,
            pid,
            text: line.get(line.len().checked_sub(text_len)?..)?,
            ..guess(b"")
        });
    }
    let known = |record: &Record<'_>| {
        maillog::event(record).is_some_and(|event| !matches!(event, Event::Other(_) | Event::OtherProgram))
    };
    [
        guess(b"postfix/smtpd"),
        guess(b"postfix/qmgr"),
        guess(b"postfix/smtp"),
        guess(b"postfix/cleanup"),
        guess(b"dovecot"),
    ]
    .into_iter()
    .find(known)
}

/// Keeps the diagnosis of the one outcome a single line has.
#[derive(Default)]
struct Only {
    diagnoser: Diagnoser,
    found: Option<Diagnosis>,
}

impl Sink for Only {
    fn attempt(&mut self, attempt: &Attempt) {
        self.found = Some(self.diagnoser.attempt(attempt));
    }

    fn login(&mut self, _login: &Login) {}

    fn refusal(&mut self, refusal: &Refusal) {
        self.found = Some(diagnose::refusal(refusal));
    }

    fn message_accepted(&mut self, _at: &Where, _username: &[u8], _queue_id: Option<&[u8]>) {}

    fn story(&mut self, _story: &Story) {}
}

fn explain_record(record: &Record<'_>, guessed: bool) -> Explained {
    let event = maillog::event(record);
    let mut entry = query::describe(record, event.as_ref());
    let mut only = Only::default();
    if let Some(event) = event {
        let mut tracer = Tracer::new(Limits::default());
        tracer.line(&trace::Line { id: 0, time: 0, record, event: &event }, &mut only);
        tracer.finish(&mut only);
    }
    let by_itself = event.map(|event| diagnose::line(&event, record.tag)).unwrap_or_default();
    let words = event.and_then(|event| diagnose::backend_line(&event));
    let diagnosis = match (only.found, by_itself.class.or(by_itself.cause.and(None))) {
        (_, Some(_)) => by_itself,
        (Some(found), None) => found,
        (None, None) if by_itself.cause.is_some() => by_itself,
        (None, None) => words.unwrap_or(by_itself),
    };
    let diagnosis = if matches!(event, Some(Event::Disconnect(..))) { without_session(diagnosis) } else { diagnosis };
    query::diagnosed(&mut entry, &diagnosis);
    let reply = event.map(|event| Reply::of(&event, &diagnosis)).unwrap_or_default();
    Explained { entry, diagnosis, reply, guessed }
}

/// The end of a session alone: its failures may have had lines of their own, and mostly have.
fn without_session(found: Diagnosis) -> Diagnosis {
    if found.class != Some(Class::AuthRefused) {
        return found;
    }
    let note = "true only if the session has no failure lines of its own; give triage the log to know";
    Diagnosis { confidence: found.confidence.min(LONE), note, ..found }
}

/// How sure the counters of a session are without its other lines.
const LONE: f32 = 0.4;

/// What `explain --json` prints.
pub fn to_json(explained: &Explained, mask: Mask) -> Value {
    let mut value = json!(json::entry(&explained.entry, mask));
    let d = &explained.diagnosis;
    let reason = explained.reply.reason;
    let next: Vec<String> = match (d.cause, reason) {
        (Some(cause), _) => cause.next.iter().map(ToString::to_string).collect(),
        (None, Some(reason)) => reason.next.iter().map(|step| (*step).to_owned()).collect(),
        (None, None) => Vec::new(),
    };
    let why: Vec<&str> = d
        .cause
        .map(|cause| vec![cause.meaning, cause.evidence, d.note])
        .or_else(|| reason.map(|reason| vec![reason.meaning]))
        .unwrap_or_default()
        .into_iter()
        .filter(|text| !text.is_empty())
        .collect();
    let mut explain = json!({
        "title": headline(explained), "cause": d.cause.map(|cause| cause.id), "confidence": (f64::from(d.confidence) * 100.0).round() / 100.0,
        "why": why.join(" "), "told": d.cause.map(|cause| cause.told), "next": next, "source": d.cause.map_or("", |cause| cause.source), "guessed_program": explained.guessed,
    });
    if let (Some(explain), Some(Value::Object(reply))) = (explain.as_object_mut(), explained.reply.to_json()) {
        explain.extend(reply);
    }
    if let Some(object) = value.as_object_mut() {
        object.insert("explain".into(), explain);
    }
    value
}

fn headline(explained: &Explained) -> String {
    let reason = explained.reply.reason.map(|reason| reason.title);
    let known = explained.diagnosis.cause.map(|cause| cause.title).or(reason);
    known.map_or_else(|| title(&explained.entry), str::to_owned)
}

/// What a line is that has no cause.
fn title(entry: &Entry) -> String {
    match (entry.class.as_deref(), entry.event.as_deref()) {
        (_, Some("unknown")) => "a line this program does not know".to_owned(),
        (_, Some("other_program")) => "a line of another program".to_owned(),
        (Some(class), _) => class.replace('_', " "),
        (None, Some(event)) => format!("{}: neither a login nor a refusal", event.replace('_', " ")),
        (None, None) => String::new(),
    }
}

/// The page of text.
pub fn draw(explained: &Explained, mask: Mask, screen: Screen) -> String {
    let row = json!(json::entry(&explained.entry, mask));
    let d = &explained.diagnosis;
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{}", screen.ink(Ink::Heading, &headline(explained)));
    out += &explained.reply.draw(screen);
    if let Some(cause) = d.cause {
        for line in wrap(cause.meaning, screen.width - 2) {
            let _ = writeln!(out, "  {line}");
        }
        let class = d.class.map_or_else(String::new, |class| format!("counted as {}, ", class.name()));
        let _ = writeln!(
            out,
            "  {}",
            screen.ink(
                Ink::Dim,
                &format!(
                    "{class}cause {}, {:.0} % sure{}",
                    cause.id,
                    d.confidence * 100.0,
                    if d.note.is_empty() { String::new() } else { format!(": {}", d.note) }
                )
            )
        );
        if !cause.evidence.is_empty() {
            for line in wrap(&format!("would make it surer: {}", cause.evidence), screen.width - 2) {
                let _ = writeln!(out, "  {}", screen.ink(Ink::Dim, &line));
            }
        }
    }
    if explained.guessed {
        let _ = writeln!(
            out,
            "  {}",
            screen.ink(Ink::Dim, "no time, host or program in front: read as what the wording says")
        );
    }
    let _ = writeln!(out, "\n{}", screen.ink(Ink::Heading, "Fields"));
    for field in FIELDS {
        let Some(value) = row.get(field.name) else { continue };
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        for (n, line) in wrap(&escape(&value), screen.width - 20).iter().enumerate() {
            let _ = writeln!(out, "  {}{line}", left(if n == 0 { field.name } else { "" }, 18));
        }
    }
    if let Some(reason) = explained.reply.reason {
        let _ = writeln!(out, "\n{}", screen.ink(Ink::Heading, "Next"));
        for line in reason.next.iter().flat_map(|step| wrap(step, screen.width - 2)) {
            let _ = writeln!(out, "  {line}");
        }
    }
    let Some(cause) = d.cause else { return out };
    let _ = writeln!(out, "\n{}\n  {}", screen.ink(Ink::Heading, "The client was told"), cause.told);
    let _ = writeln!(out, "\n{}", screen.ink(Ink::Heading, "Next"));
    for check in cause.next {
        let _ = writeln!(out, "  {} {}", left(check.with.name(), 11), check.command);
        if !check.why.is_empty() {
            let _ = writeln!(out, "  {} {}", left("", 11), screen.ink(Ink::Dim, check.why));
        }
    }
    let _ = writeln!(out, "\n{}  {}", screen.ink(Ink::Heading, "Wording"), cause.source);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_say_what_they_can() {
        let told = |stamp: &str, zone: &str, year: Option<i16>| {
            let unsaid = Unsaid { zone: Some(TimeZone::get(zone).unwrap()), year };
            let line = format!("{stamp} m postfix/smtpd[1]: connect from h[192.0.2.1]");
            explain(line.as_bytes(), &unsaid).entry.ts.map(crate::times::rfc3339)
        };
        let ten = Some("2026-06-17T08:00:00.000000Z".to_owned());
        assert_eq!(told("Jun 17 10:00:00", "Europe/Berlin", Some(2026)), ten);
        assert_eq!(told("Jun 17 10:00:00", "Europe/Berlin", None), None);
        assert_eq!(told("2026-06-17T10:00:00+02:00", "UTC", None), ten);
        assert_eq!(told("Feb 29 10:00:00", "UTC", Some(2026)), None);
    }

    #[test]
    fn the_end_of_a_session_alone_is_not_sure() {
        let end = b"disconnect from c.example[192.0.2.5] ehlo=1 auth=0/1 quit=1 commands=2/3";
        let diagnosis = explain(end, &Unsaid::default()).diagnosis;
        assert!(
            diagnosis.class == Some(Class::AuthRefused)
                && diagnosis.confidence < 0.5
                && diagnosis.note.contains("only if")
        );
    }
}
