//! `report`: how the mail of a period fared. Reads, counts, and hands over to a terminal, JSON, HTML or the local sendmail.

use std::fs;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use anyhow::{Context as _, bail};
use diagnose::{Finding, Flow, FlowOptions, Totals};
use input::Line;
use maillog::Event;
use trace::{Attempt, Follow, Login, Message, Refusal, Sink, Story, Where};

use crate::cli;
use crate::exit::Exit;
use crate::mask::Mask;
use crate::reading::{Passing, Read, Reader, Reading};
use crate::report_page::Pager;
use crate::report_time::{self, Change, Hours, Period};
use crate::screen::Screen;
use crate::times::Clock;
use crate::{print, report_html, report_json, report_mail, report_text};

/// Everything a report is made of.
pub(crate) struct Report {
    pub(crate) flow: Flow,
    pub(crate) read: Read,
    pub(crate) findings: Vec<Finding>,
    /// What changed, or why that cannot be told.
    pub(crate) change: Result<Change, String>,
    /// The period that was asked for.
    pub(crate) period: Option<Period>,
    pub(crate) zone: jiff::tz::TimeZone,
}

impl Report {
    /// From when to when, as far as the log goes.
    pub(crate) fn shown_period(&self) -> Option<Period> {
        let log = self.read.coverage.from.zip(self.read.coverage.to);
        match (self.period, log) {
            (Some((from, until)), Some(log)) => Some((from.max(log.0.min(until)), until.min(log.1.max(from)))),
            (None, log) => log,
            (period, None) => period,
        }
    }

    pub(crate) fn hours(&self) -> Vec<Totals> {
        Hours::of(&self.flow.series, self.flow.options.period, &self.zone)
    }

    /// Days by name.
    pub(crate) fn days(&self, clock: &Clock) -> Vec<(String, Totals)> {
        let days = report_time::days(&self.flow.series, self.flow.options.period, &self.zone);
        days.into_iter().map(|(start, totals)| (clock.day(start), totals)).collect()
    }
}

/// Takes lines and outcomes for the report.
struct Counter {
    flow: Flow,
}

impl Sink for Counter {
    fn attempt(&mut self, attempt: &Attempt) {
        self.flow.attempt(attempt);
    }

    fn login(&mut self, login: &Login) {
        self.flow.login(login);
    }

    fn refusal(&mut self, refusal: &Refusal) {
        self.flow.refusal(refusal);
    }

    fn message_accepted(&mut self, _at: &Where, _username: &[u8], _queue_id: Option<&[u8]>) {}

    fn message(&mut self, message: &Message) {
        self.flow.message(message);
    }

    fn story(&mut self, _story: &Story) {}
}

impl Reader for Counter {
    const FOLLOW: Follow = Follow::All;
    const TAKES_SERVER: bool = true;

    fn before(&mut self, line: &Line<'_>, event: Option<&Event<'_>>) {
        if let (Some(time), Some(record), Some(event)) = (line.time, &line.record, event) {
            self.flow.line(time, record, event);
        }
    }

    fn after(&mut self, _passing: &Passing<'_>) {}
}

pub(crate) fn run(args: &cli::Report) -> anyhow::Result<Exit> {
    crate::asked::refuse(&args.asked, "`--since`")?;
    let mut reading = Reading::new(&args.input, &args.output, false)?;
    let options = options(args, &mut reading)?;
    // Before hours of reading: an address that cannot be written to is an error of use.
    let letter = report_mail::Letter::new(args)?;
    let zone = reading.zone();
    let clock = Clock::new(zone.clone());
    let mut counter = Counter { flow: Flow::new(options.clone()) };
    let read = match reading.run(&mut counter) {
        Ok(read) => read,
        Err(error) => return Ok(Exit::nothing_readable(&error)),
    };
    let mut flow = counter.flow;
    flow.finish();
    let exit = Exit::of_reading(&read, args.output.quiet);
    let findings = diagnose::findings(&flow.tally);
    let change = change(&flow, &read, &clock, &zone);
    let period = is_bounded(&options).then_some(options.period);
    let report = Report { flow, read, findings, change, period, zone };
    write(args, &report, &clock, letter)?;
    Ok(exit)
}

fn is_bounded(options: &FlowOptions) -> bool {
    options.period != FlowOptions::default().period
}

/// The period and what to compare it with. The reading is set to begin where the earlier of the two does.
fn options(args: &cli::Report, reading: &mut Reading) -> anyhow::Result<FlowOptions> {
    let mut options = FlowOptions::default();
    if !args.sla.is_empty() {
        options.sla = args.sla.iter().map(|limit| f64::from(*limit)).collect();
    }
    let (since, until) = reading.period();
    if args.yesterday {
        let [day, before] = report_time::yesterday(reading.now(), &reading.zone())?;
        options.period = day;
        options.before = Some(before);
    } else if since.is_some() || until.is_some() {
        let until = until.unwrap_or_else(|| reading.now().as_microsecond());
        options.period = (since.unwrap_or(i64::MIN), until);
        if options.period.0 > options.period.1 {
            bail!("--since is later than --until");
        }
        options.before = since.and_then(|_| report_time::just_before(options.period));
    }
    if is_bounded(&options) {
        let from = options.before.map_or(options.period.0, |before| before.0);
        reading.read_from(Some(from), Some(options.period.1));
    }
    Ok(options)
}

/// What changed against the period before, or why that cannot be told.
fn change(flow: &Flow, read: &Read, clock: &Clock, zone: &jiff::tz::TimeZone) -> Result<Change, String> {
    let coverage = &read.coverage;
    match flow.options.before {
        Some(before) if report_time::reaches(coverage.from, before) => {
            let label = format!("{} to {}", clock.short(before.0), clock.short(before.1));
            let periods = [flow.options.period, before];
            Ok(Change { now: flow.totals, before: flow.before, label, periods })
        }
        Some(before) => Err(format!("no comparison: the log does not reach back to {}", clock.short(before.0))),
        None if is_bounded(&flow.options) => Err("no comparison: the period has no beginning".to_owned()),
        None => {
            let days = coverage.from.zip(coverage.to).and_then(|log| report_time::last_full_days(log, zone));
            days.map(|days| report_time::compare_days(&flow.series, days, clock))
                .ok_or_else(|| "no comparison: the log does not cover two whole days".to_owned())
        }
    }
}

fn write(
    args: &cli::Report,
    report: &Report,
    clock: &Clock,
    letter: Option<report_mail::Letter>,
) -> anyhow::Result<()> {
    let mask = Mask(args.output.mask);
    let top = |default: usize| match args.top.unwrap_or(default) {
        0 => usize::MAX,
        top => top,
    };
    let pager = |limit: usize| Pager { report, mask, clock, limit };
    if args.json {
        let value = report_json::report(report, top(100), mask, clock);
        let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
        serde_json::to_writer_pretty(&mut out, &value).map_err(io::Error::from)?;
        out.write_all(b"\n")?;
        out.flush()?;
        return Ok(());
    }
    let text = |screen: Screen| report_text::draw(&pager(top(10)), screen);
    if let Some(letter) = letter {
        let plain = Screen { colour: false, width: 80 };
        return letter.send(&pager(top(10)), &text(plain), &report_html::draw(&pager(top(20)))?);
    }
    match &args.html {
        Some(file) => write_html(file, &report_html::draw(&pager(top(20)))?),
        None => Ok(print::text(&text(Screen::of_stdout(args.output.color)))?),
    }
}

fn write_html(file: &Path, page: &str) -> anyhow::Result<()> {
    if file.as_os_str() == "-" {
        return Ok(print::text(page)?);
    }
    fs::write(file, page).with_context(|| format!("cannot write {}", file.display()))
}
