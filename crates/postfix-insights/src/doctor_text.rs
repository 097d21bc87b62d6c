//! The doctor's page: the worst first, what it means, how to see it, how to put it right; then what is fine, in a line each.

use std::fmt::Write as _;

use doctor::{Check, Report, Status};

use crate::doctor::Masked;
use crate::doctor_log::{LoggedCause, Says};
use answers::reading::Read;
use answers::screen::{Ink, Screen, cut, escape, left, plural, wrap};
use answers::times::Clock;

/// Columns of the labels.
const LABEL: usize = 9;
/// Columns of a check's id in the list of those that are fine.
const ID: usize = 27;

/// Everything the page is drawn from.
pub(crate) struct Page<'a> {
    pub(crate) report: &'a Report,
    pub(crate) causes: &'a [LoggedCause<'a>],
    pub(crate) read: Option<&'a Read>,
    pub(crate) screen: Screen,
    pub(crate) clock: &'a Clock,
    pub(crate) mask: &'a Masked<'a>,
    pub(crate) verbose: bool,
}

impl Page<'_> {
    /// The whole page.
    pub(crate) fn draw(&self) -> String {
        let mut out = self.title();
        for status in [Status::Fault, Status::Warn] {
            self.of(status).for_each(|check| out += &self.whole(check));
        }
        out += &self.log();
        out += &self.lines(Status::Unknown, "NOT SEEN", Ink::Warn);
        out += &self.lines(Status::Ok, "FINE", Ink::Good);
        out
    }

    fn of(&self, status: Status) -> impl Iterator<Item = &doctor::Check> {
        self.report.checks.iter().filter(move |check| check.status == status)
    }

    fn count(&self, status: Status) -> u64 {
        self.of(status).count() as u64
    }

    fn title(&self) -> String {
        let faults = self.count(Status::Fault);
        let ink = if faults > 0 { Ink::Bad } else { Ink::Good };
        let mut out = format!(
            "{}  {}, {}, {} fine, {} not seen\n",
            self.screen.ink(Ink::Heading, "DOCTOR"),
            self.screen.ink(ink, &plural(faults, "fault", "faults")),
            plural(self.count(Status::Warn), "warning", "warnings"),
            self.count(Status::Ok),
            self.count(Status::Unknown),
        );
        if !rustix::process::geteuid().is_root() {
            out += &self
                .screen
                .ink(Ink::Dim, "not run as root: sockets, keys and Dovecot's databases may be out of sight");
            out.push('\n');
        }
        out
    }

    /// Where a check belongs, if there is more than one place.
    fn place(&self, check: &Check) -> String {
        let several =
            self.report.checks.iter().any(|other| !other.instance.is_empty() && other.instance != check.instance);
        let instance =
            if several && !check.instance.is_empty() { format!("{} ", check.instance) } else { String::new() };
        escape(&self.mask.text(&format!("{instance}{}", check.about))).into_owned()
    }

    fn whole(&self, check: &Check) -> String {
        let (word, ink) = if check.status == Status::Fault { ("FAULT", Ink::Bad) } else { ("WARNING", Ink::Warn) };
        let mut out =
            format!("\n{} {}  {}\n", self.screen.ink(ink, &left(word, LABEL)), check.kind.id, self.place(check))
                .replace("  \n", "\n");
        out += &self.labelled("", &check.summary, Ink::Heading);
        for (at, seen) in check.seen.iter().enumerate() {
            out += &self.labelled(if at == 0 { "seen" } else { "" }, seen, Ink::Plain);
        }
        out += &self.labelled("means", check.kind.meaning, Ink::Dim);
        if !check.command.is_empty() {
            out += &self.labelled("see", &check.command, Ink::Plain);
        }
        for step in &check.next {
            out += &self.labelled(if step.changes { "change" } else { "do" }, &step.text, Ink::Plain);
        }
        out
    }

    fn labelled(&self, label: &str, text: &str, ink: Ink) -> String {
        let text = escape(&self.mask.text(text)).into_owned();
        let mut out = String::new();
        for (at, line) in wrap(&text, self.screen.width - LABEL - 1).iter().enumerate() {
            let label = left(if at == 0 { label } else { "" }, LABEL);
            // Writing to a string cannot fail.
            let _ = writeln!(out, "{} {}", self.screen.ink(Ink::Dim, &label), self.screen.ink(ink, line));
        }
        out
    }

    /// Checks in a line each; what could not be seen with its reason, whole.
    fn lines(&self, status: Status, heading: &str, ink: Ink) -> String {
        let mut out = String::new();
        for check in self.of(status) {
            let place = self.place(check);
            let text = if place.is_empty() {
                self.mask.text(&check.summary)
            } else {
                format!("{place}: {}", self.mask.text(&check.summary))
            };
            let text = escape(&text).into_owned();
            let width = self.screen.width - ID - 1;
            let lines =
                if self.verbose || status == Status::Unknown { wrap(&text, width) } else { vec![cut(&text, width)] };
            for (at, line) in lines.iter().enumerate() {
                let _ = writeln!(
                    out,
                    "{} {line}",
                    self.screen.ink(ink, &left(if at == 0 { check.kind.id } else { "" }, ID))
                );
            }
            if self.verbose && !check.command.is_empty() {
                let _ = writeln!(
                    out,
                    "{} {}",
                    left("", ID),
                    self.screen.ink(Ink::Dim, &escape(&self.mask.text(&check.command)))
                );
            }
        }
        if out.is_empty() { out } else { format!("\n{}\n{out}", self.screen.ink(Ink::Heading, heading)) }
    }

    /// The causes that the log shows, held against the checks.
    fn log(&self) -> String {
        let Some(read) = self.read else { return String::new() };
        let period = match (read.coverage.from, read.coverage.to) {
            (Some(from), Some(to)) => format!("{} to {}", self.clock.long(from), self.clock.long(to)),
            _ => "no line of this time".to_owned(),
        };
        let mut out = format!("\n{}  {period}\n", self.screen.ink(Ink::Heading, "THE LOG SHOWS"));
        if self.causes.is_empty() {
            out += "  no failed login\n";
        }
        out + &draw_causes(self.causes, self.screen, self.clock, &|text| self.mask.text(text))
    }
}

/// Causes with what the checks say of each. `mask` makes names unrecognisable where that was asked for.
pub(crate) fn draw_causes(
    causes: &[LoggedCause<'_>],
    screen: Screen,
    clock: &Clock,
    mask: &dyn Fn(&str) -> String,
) -> String {
    let mut out = String::new();
    for row in causes {
        let title = diagnose::by_id(row.cause).map_or(row.cause, |cause| cause.title);
        let line = format!("  {}  {title} ({})", left(&row.count.to_string(), 7), row.cause);
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{}", cut(&line, screen.width));
        let ink = if row.says == Says::Explained { Ink::Bad } else { Ink::Dim };
        for line in wrap(&verdict(row, clock, mask), screen.width - 11) {
            let _ = writeln!(out, "{} {}", left("", 10), screen.ink(ink, &line));
        }
    }
    out
}

fn verdict(row: &LoggedCause<'_>, clock: &Clock, mask: &dyn Fn(&str) -> String) -> String {
    let mut ids: Vec<&str> = row.checks.iter().map(|check| check.kind.id).collect();
    ids.dedup();
    match (row.says, row.checks.first()) {
        (Says::Explained, Some(check)) => {
            let since = row.trouble.map(|(from, _)| format!("since {}; ", clock.short(from))).unwrap_or_default();
            let first = row.checks.iter().find(|check| check.status == Status::Fault).unwrap_or(check);
            format!("{since}now: {} ({})", escape(&mask(&first.summary)), ids.join(", "))
        }
        (Says::RuledOut, Some(_)) => {
            let until = row.trouble.map(|(_, to)| format!("last at {}; ", clock.short(to))).unwrap_or_default();
            format!("{until}not the case now: {} fine", ids.join(", "))
        }
        _ => "no check can tell".to_owned(),
    }
}
