//! `check`: logs looked at one by one. The name of a log goes in; whether it is there, can be read, looks like a mail log, what stands in
//! it last, and the first reason why nothing may be found in it come out.

use std::collections::BTreeMap;
use std::path::Path;

use input::{Coverage, Line, Options, Sources, Worth};
use maillog::{Event, Program, Shape, redact};
use serde_json::{Value, json};

use crate::screen::{escape, number, plural};
use crate::times::rfc3339;

/// Programs told of in text, those with the most lines.
const PROGRAMS_SHOWN: usize = 6;
/// Different programs kept apart: a file that is no log may name any number.
const PROGRAMS_MAX: usize = 1_000;
/// Characters of the last line in text.
const LAST_CHARACTERS_MAX: usize = 200;

/// What is known of a log.
#[derive(Debug, Default)]
pub struct Checked {
    /// As given.
    pub name: String,
    /// It is there.
    pub exists: bool,
    /// It could be read to its end.
    pub readable: bool,
    /// Lines in it.
    pub lines: u64,
    /// Lines by the shape of their envelope.
    pub shapes: BTreeMap<Shape, u64>,
    /// Lines by the name of the program.
    pub programs: BTreeMap<String, u64>,
    /// Time and message of its last line with a time, secrets redacted. Written by strangers: escape it.
    pub last: Option<(i64, String)>,
    /// Why nothing may be found in it; `None`: nothing is in the way.
    pub obstacle: Option<String>,
    seen: Seen,
}

/// What there is of mail.
#[derive(Debug, Default)]
struct Seen {
    known: bool,
    postfix: bool,
    smtpd: bool,
    login: bool,
}

/// Looks through a log file.
#[must_use]
pub fn check(name: &str, options: &Options) -> Checked {
    let mut checked = Checked { name: name.to_owned(), exists: Path::new(name).exists(), ..Checked::default() };
    let worth =
        |record: &maillog::Record<'_>| if maillog::event(record).is_some() { Worth::Keep } else { Worth::Unknown };
    match input::feed(Sources::files([name]), options, worth, |line| checked.see(&line)) {
        Ok(coverage) => checked.judge(&coverage),
        Err(error) => checked.obstacle = Some(error.to_string()),
    }
    checked
}

impl Checked {
    fn see(&mut self, line: &Line<'_>) {
        self.lines += 1;
        if let Some(shape) = maillog::shape(line.raw) {
            *self.shapes.entry(shape).or_default() += 1;
        }
        let Some(record) = &line.record else { return };
        if let Some(time) = line.time {
            self.last = Some((time, String::from_utf8_lossy(&redact(record.text)).into_owned()));
        }
        let program = String::from_utf8_lossy(record.tag.daemon()).into_owned();
        if self.programs.len() < PROGRAMS_MAX || self.programs.contains_key(&program) {
            *self.programs.entry(program).or_default() += 1;
        }
        self.seen.see(record);
    }

    fn judge(&mut self, coverage: &Coverage) {
        let damage = coverage.sources.iter().find_map(|source| source.damage.as_ref());
        self.readable = coverage.problems.is_empty() && damage.is_none();
        let problem = coverage.problems.first().map(ToString::to_string);
        let damage = damage.map(|damage| format!("{} after {} bytes of text", damage.what, damage.offset));
        self.obstacle = problem.or(damage).or_else(|| self.first_obstacle().map(str::to_owned));
    }

    /// The first thing that is missing for an answer about logins.
    fn first_obstacle(&self) -> Option<&'static str> {
        let Seen { known, postfix, smtpd, login } = self.seen;
        [
            (self.lines > 0, "it is empty: it was rotated just now, or syslog writes elsewhere (Postfix: `postconf maillog_file`)"),
            (
                !self.shapes.is_empty(),
                "no line begins with a time I know: it is no log, or one of a shape that I do not know (`explain` one of its lines)",
            ),
            (known, "no line is of a mail program: mail is logged elsewhere (Postfix: `postconf maillog_file`)"),
            (postfix, "no line is of Postfix, only of programs beside it: Postfix logs elsewhere (`postconf maillog_file`)"),
            (smtpd, "no line is of smtpd, where logins and rejects stand: no mail comes in by SMTP, or smtpd logs elsewhere"),
            (login, "smtpd logs, but no login was tried in these lines: there is mail, and nothing about logins"),
        ]
        .into_iter()
        .find_map(|(is_there, missing)| (!is_there).then_some(missing))
    }

    /// As `check --json` has it, beside `id`, `status` and `summary`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let shapes: BTreeMap<&str, u64> = self.shapes.iter().map(|(shape, count)| (shape.name(), *count)).collect();
        json!({
            "exists": self.exists, "readable": self.readable, "lines": self.lines, "format": shapes, "daemons": self.programs,
            "last": self.last.as_ref().map(|(time, text)| json!({"ts": rfc3339(*time), "text": text})),
            "why_nothing": self.obstacle,
        })
    }

    /// What there is in it, in a line; empty if there is nothing. Escaped.
    #[must_use]
    pub fn told(&self) -> String {
        if self.lines == 0 {
            return String::new();
        }
        let shapes: Vec<&str> = self.shapes.keys().map(|shape| shape.told()).collect();
        let mut programs: Vec<(&String, &u64)> = self.programs.iter().filter(|(name, _)| !name.is_empty()).collect();
        programs.sort_by_key(|(name, count)| (std::cmp::Reverse(**count), name.as_str()));
        let shown: Vec<String> = programs
            .iter()
            .take(PROGRAMS_SHOWN)
            .map(|(name, count)| format!("{} {}", escape(name), number(**count)))
            .collect();
        let more = programs.len().saturating_sub(PROGRAMS_SHOWN);
        let others = if more > 0 { format!(" and {}", plural(more as u64, "other", "others")) } else { String::new() };
        let parts = [plural(self.lines, "line", "lines"), shapes.join(", "), shown.join(", ") + &others];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ")
    }

    /// Its last line, escaped and cut.
    #[must_use]
    pub fn last_told(&self) -> Option<String> {
        let (time, text) = self.last.as_ref()?;
        let cut: String = text.chars().take(LAST_CHARACTERS_MAX).collect();
        Some(format!("{} {}", rfc3339(*time), escape(&cut)))
    }
}

impl Seen {
    fn see(&mut self, record: &maillog::Record<'_>) {
        let program = record.program;
        self.known |= program != Program::Other;
        self.postfix |= program.is_postfix();
        // Of a tag that was cut only the message tells.
        if matches!(program, Program::Smtpd | Program::PostfixCut) {
            self.smtpd = true;
            self.login = self.login || is_login(record);
        }
    }
}

/// Whether a line tells of a login that was tried, well or badly.
fn is_login(record: &maillog::Record<'_>) -> bool {
    match maillog::event(record) {
        Some(Event::SaslFailed(_) | Event::SaslAborted(..) | Event::Backend(_)) => true,
        Some(Event::Accepted(acceptance)) => acceptance.sasl_method.is_some(),
        Some(Event::Disconnect(_, counters)) => counters.is_some_and(|counters| counters.has_auth()),
        _ => false,
    }
}
