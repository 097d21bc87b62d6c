//! `entries`: every line as a row, with what the lines around it tell.
//!
//! An attempt's class may hang on lines before and after it, so entries wait a while before they are printed: up to a
//! minute of log time, or so many entries. They come out in the order of the input.

use std::collections::VecDeque;
use std::io::{self, BufWriter, IsTerminal as _, Write};

use diagnose::{Diagnoser, Diagnosis};
use input::Line;
use maillog::Event;
use query::{Entry, FIELDS};
use trace::{Attempt, AttemptKind, Login, NameOrigin, Refusal, SessionId, Sink, Story, Where};

use crate::cli::{Entries, Format};
use crate::exit::Exit;
use crate::json;
use crate::mask::Mask;
use crate::reading::{Passing, Reader, Reading};
use crate::screen::{Screen, cut, escape, left};

/// How long an entry waits for what comes after it, in microseconds of log time.
const WAIT: i64 = 60 * 1_000_000;
/// Entries waiting at most.
const WAITING: usize = 20_000;

/// Entries on their way out.
struct Waiting<W: Printer> {
    entries: VecDeque<(u64, Option<i64>, Entry)>,
    now: i64,
    diagnoser: Diagnoser,
    sources: Vec<String>,
    printer: W,
    printed: u64,
    failure: Option<io::Error>,
}

impl<W: Printer> Waiting<W> {
    fn entry(&mut self, id: u64) -> Option<&mut Entry> {
        let first = self.entries.partition_point(|(at, _, _)| *at < id);
        self.entries.get_mut(first).filter(|(at, _, _)| *at == id).map(|(_, _, entry)| entry)
    }

    /// Writes what an outcome says about its own line.
    fn note(&mut self, at: &Where, diagnosis: &Diagnosis) {
        let session = at.session;
        if let Some(entry) = self.entry(at.line) {
            query::diagnosed(entry, diagnosis);
            set_session(entry, session);
        }
    }

    fn flush(&mut self, all: bool) {
        while let Some((_, time, _)) = self.entries.front() {
            let ripe = all || self.entries.len() > WAITING || time.is_some_and(|time| self.now - time > WAIT);
            if !ripe || self.failure.is_some() {
                return;
            }
            let Some((_, _, entry)) = self.entries.pop_front() else { return };
            self.printed += 1;
            self.failure = self.printer.print(&entry).err();
        }
    }
}

fn set_session(entry: &mut Entry, session: Option<SessionId>) {
    if entry.session.is_none() {
        entry.session = session.map(|id| id.to_string());
    }
}

impl<W: Printer> Sink for Waiting<W> {
    fn attempt(&mut self, attempt: &Attempt) {
        let diagnosis = self.diagnoser.attempt(attempt);
        // The fatal line of a killed session keeps its own class: evidence, no login.
        self.note(&attempt.at, &diagnosis);
        if let Some(entry) = self.entry(attempt.at.line) {
            if attempt.kind == AttemptKind::Silent {
                entry.attempts = Some(i64::from(attempt.count));
            }
            if attempt.origin == NameOrigin::Joined {
                entry.username = attempt.username.as_deref().map(|name| String::from_utf8_lossy(name).into_owned());
                entry.username_origin = Some("joined".to_owned());
            }
        }
        for evidence in &attempt.evidence {
            if let Some(entry) = self.entry(evidence.line) {
                set_session(entry, attempt.at.session);
                if entry.cause.is_none() {
                    query::diagnosed(entry, &Diagnosis { class: None, ..diagnosis });
                }
            }
        }
    }

    fn login(&mut self, login: &Login) {
        self.diagnoser.logged_in(login);
    }

    fn refusal(&mut self, refusal: &Refusal) {
        self.note(&refusal.at, &diagnose::refusal(refusal));
    }

    fn message_accepted(&mut self, _at: &Where, _username: &[u8], _queue_id: Option<&[u8]>) {}

    fn story(&mut self, _story: &Story) {}
}

impl<W: Printer> Reader for Waiting<W> {
    fn before(&mut self, line: &Line<'_>, event: Option<&Event<'_>>) {
        let mut entry = match &line.record {
            Some(record) => query::describe(record, event),
            None => Entry {
                event: Some("unknown".to_owned()),
                text: Some(String::from_utf8_lossy(&maillog::redact(line.raw)).into_owned()),
                ..Entry::default()
            },
        };
        entry.ts = line.time;
        entry.time_inferred = match (line.inferred.year, line.inferred.zone) {
            (true, true) => Some("year,zone".to_owned()),
            (true, false) => Some("year".to_owned()),
            (false, true) => Some("zone".to_owned()),
            (false, false) => None,
        };
        entry.source = self.sources.get(line.source).cloned();
        entry.line = i64::try_from(line.line).ok();
        entry.truncated = line.truncated.then_some(true);
        self.now = self.now.max(line.time.unwrap_or(i64::MIN));
        self.entries.push_back((line.seq, line.time, entry));
        self.flush(false);
    }

    fn after(&mut self, passing: &Passing<'_>) {
        let session = passing.session;
        if let Some(entry) = self.entry(passing.line.seq) {
            set_session(entry, session);
        }
    }
}

/// A format of entries.
trait Printer {
    fn print(&mut self, entry: &Entry) -> io::Result<()>;
    fn finish(&mut self) -> io::Result<()>;
}

struct Ndjson<W: Write>(W, Mask);

impl<W: Write> Printer for Ndjson<W> {
    fn print(&mut self, entry: &Entry) -> io::Result<()> {
        serde_json::to_writer(&mut self.0, &json::entry(entry, self.1))?;
        self.0.write_all(b"\n")
    }

    fn finish(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

struct JsonArray<W: Write>(W, Mask, bool);

impl<W: Write> Printer for JsonArray<W> {
    fn print(&mut self, entry: &Entry) -> io::Result<()> {
        self.0.write_all(if std::mem::replace(&mut self.2, true) { b",\n" } else { b"[\n" })?;
        Ok(serde_json::to_writer(&mut self.0, &json::entry(entry, self.1))?)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.0.write_all(if self.2 { b"\n]\n" } else { b"[]\n" })?;
        self.0.flush()
    }
}

struct Csv<W: Write>(csv::Writer<W>, Mask, bool);

impl<W: Write> Csv<W> {
    fn header(&mut self) -> io::Result<()> {
        if !std::mem::replace(&mut self.2, true) {
            self.0.write_record(FIELDS.iter().map(|field| field.name)).map_err(io::Error::other)?;
        }
        Ok(())
    }
}

impl<W: Write> Printer for Csv<W> {
    fn print(&mut self, entry: &Entry) -> io::Result<()> {
        self.header()?;
        let row = json::entry(entry, self.1);
        let cell = |name: &str| row.get(name).map(cell_of).unwrap_or_default();
        self.0.write_record(FIELDS.iter().map(|field| cell(field.name))).map_err(io::Error::other)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.header()?;
        self.0.flush()
    }
}

/// A cell that no spreadsheet takes for a formula, and that holds no raw control byte.
fn cell_of(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => {
            let shown = escape(text);
            if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{shown}") } else { shown.into_owned() }
        }
        other => other.to_string(),
    }
}

/// The lines' own bytes with secrets redacted; escaped on a terminal.
struct Raw<W: Write>(W, bool);

impl<W: Write> Printer for Raw<W> {
    fn print(&mut self, _entry: &Entry) -> io::Result<()> {
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl<W: Write> Raw<W> {
    fn line(&mut self, line: &Line<'_>) -> io::Result<()> {
        let message = line.record.map_or(line.raw, |record| record.text);
        let bytes = maillog::redact_line(line.raw, message);
        if self.1 {
            self.0.write_all(escape(&String::from_utf8_lossy(&bytes)).as_bytes())?;
        } else {
            self.0.write_all(&bytes)?;
        }
        self.0.write_all(b"\n")
    }
}

struct Table<W: Write>(W, Screen, Mask, bool);

/// Columns of the table: field and width.
const COLUMNS: [(&str, usize); 6] =
    [("ts", 27), ("daemon", 10), ("class", 16), ("client_ip", 15), ("username", 24), ("cause", 26)];

impl<W: Write> Printer for Table<W> {
    fn print(&mut self, entry: &Entry) -> io::Result<()> {
        if !std::mem::replace(&mut self.3, true) {
            let header: Vec<String> = COLUMNS.iter().map(|(name, width)| left(name, *width)).collect();
            writeln!(self.0, "{}  text", header.join("  "))?;
        }
        let row = json::entry(entry, self.2);
        let cell = |name: &str| {
            row.get(name).and_then(serde_json::Value::as_str).map(|text| escape(text).into_owned()).unwrap_or_default()
        };
        let cells: Vec<String> = COLUMNS.iter().map(|(name, width)| left(&cell(name), *width)).collect();
        let used: usize = COLUMNS.iter().map(|(_, width)| width + 2).sum();
        let room = self.1.width.saturating_sub(used).max(30);
        writeln!(self.0, "{}  {}", cells.join("  "), cut(&cell("text"), room))
    }

    fn finish(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Raw output needs no entries: it hands lines on as they are.
struct RawReader<W: Write> {
    raw: Raw<W>,
    printed: u64,
    failure: Option<io::Error>,
}

impl<W: Write> Sink for RawReader<W> {
    fn attempt(&mut self, _attempt: &Attempt) {}
    fn login(&mut self, _login: &Login) {}
    fn refusal(&mut self, _refusal: &Refusal) {}
    fn message_accepted(&mut self, _at: &Where, _username: &[u8], _queue_id: Option<&[u8]>) {}
    fn story(&mut self, _story: &Story) {}
}

impl<W: Write> Reader for RawReader<W> {
    fn before(&mut self, line: &Line<'_>, _event: Option<&Event<'_>>) {
        if self.failure.is_none() {
            self.printed += 1;
            self.failure = self.raw.line(line).err();
        }
    }

    fn after(&mut self, _passing: &Passing<'_>) {}
}

pub(crate) fn run(args: &Entries) -> anyhow::Result<Exit> {
    let mask = Mask(args.output.mask);
    let terminal = io::stdout().is_terminal();
    let out = BufWriter::with_capacity(1 << 16, io::stdout());
    let format = match (args.format, args.json, terminal) {
        (Some(format), _, _) => format,
        (None, true, _) | (None, false, false) => Format::Ndjson,
        (None, false, true) => Format::Table,
    };
    match format {
        Format::Ndjson => print(args, Ndjson(out, mask)),
        Format::Json => print(args, JsonArray(out, mask, false)),
        Format::Csv => print(args, Csv(csv::Writer::from_writer(out), mask, false)),
        Format::Table => print(args, Table(out, Screen::of_stdout(args.output.color), mask, false)),
        Format::Raw if mask.0 => anyhow::bail!("--mask: raw lines cannot be masked; use another --format"),
        Format::Raw => raw(args, Raw(out, terminal)),
    }
}

fn print(args: &Entries, printer: impl Printer) -> anyhow::Result<Exit> {
    let reading = Reading::new(&args.input, &args.output, true)?;
    let mut waiting = Waiting {
        entries: VecDeque::new(),
        now: i64::MIN,
        diagnoser: Diagnoser::default(),
        sources: reading.names(),
        printer,
        printed: 0,
        failure: None,
    };
    let read = match reading.run(&mut waiting) {
        Ok(read) => read,
        Err(error) => return Ok(Exit::nothing_readable(&error)),
    };
    waiting.flush(true);
    if let Some(failure) = waiting.failure {
        return Err(failure.into());
    }
    waiting.printer.finish()?;
    Ok(Exit::of_reading(&read, args.output.quiet).or_no_match(waiting.printed > 0))
}

fn raw<W: Write>(args: &Entries, raw: Raw<W>) -> anyhow::Result<Exit> {
    let reading = Reading::new(&args.input, &args.output, true)?;
    let mut reader = RawReader { raw, printed: 0, failure: None };
    let read = match reading.run(&mut reader) {
        Ok(read) => read,
        Err(error) => return Ok(Exit::nothing_readable(&error)),
    };
    if let Some(failure) = reader.failure {
        return Err(failure.into());
    }
    reader.raw.finish()?;
    Ok(Exit::of_reading(&read, args.output.quiet).or_no_match(reader.printed > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_no_formulas() {
        let cell = |text: &str| cell_of(&serde_json::Value::from(text));
        assert_eq!(
            (cell("=cmd()"), cell("@x"), cell("-1"), cell("a=b"), cell("\tx")),
            ("'=cmd()".into(), "'@x".into(), "'-1".into(), "a=b".into(), "'\\x09x".into())
        );
        assert_eq!(cell_of(&serde_json::json!(-5)), "-5");
    }
}
