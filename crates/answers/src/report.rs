//! `report`: how the mail of a period fared. Lines go in, counts come out.

use std::net::IpAddr;

use anyhow::bail;
use diagnose::{Finding, Flow, FlowOptions, Totals};
use input::{FeedError, Line};
use maillog::Event;
use trace::{Attempt, Follow, Login, Message, Refusal, Sink, Story, Where};

use crate::reading::{Passing, Read, Reader, Reading};
use crate::report_time::{self, Change, Hours, Period};
use crate::times::Clock;

/// Everything a report is made of.
pub struct Report {
    /// How the mail fared.
    pub flow: Flow,
    /// What was read.
    pub read: Read,
    /// What a person should know now.
    pub findings: Vec<Finding>,
    /// What changed, or why that cannot be told.
    pub change: Result<Change, String>,
    /// The period that was asked for.
    pub period: Option<Period>,
    /// The zone of its days and hours.
    pub zone: jiff::tz::TimeZone,
}

impl Report {
    /// From when to when, as far as the log goes.
    pub fn shown_period(&self) -> Option<Period> {
        let log = self.read.coverage.from.zip(self.read.coverage.to);
        match (self.period, log) {
            (Some((from, until)), Some(log)) => Some((from.max(log.0.min(until)), until.min(log.1.max(from)))),
            (None, log) => log,
            (period, None) => period,
        }
    }

    /// Sums of each hour of the day, 24 of them.
    pub fn hours(&self) -> Vec<Totals> {
        Hours::of(&self.flow.series, self.flow.options.period, &self.zone)
    }

    /// Days by name, from the first to the last that the log has of the period.
    pub fn days(&self, clock: &Clock) -> Vec<(String, Totals)> {
        let period = self.flow.options.period;
        let days = report_time::days(&self.flow.series, period, self.shown_period(), &self.zone);
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

    fn came_in(&mut self, time: i64, client: Option<IpAddr>, count: u32) {
        self.flow.came_in(time, client, count);
    }

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

/// What a report is asked for.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// The calendar day before today.
    pub yesterday: bool,
    /// Seconds within which deliveries are to be done; without any, the usual ones.
    pub sla: Vec<u32>,
}

/// Reads and counts.
pub fn report(asked: &Asked, mut reading: Reading) -> anyhow::Result<Result<Report, FeedError>> {
    let options = options(asked, &mut reading)?;
    let zone = reading.zone();
    let clock = Clock::new(zone.clone());
    let mut counter = Counter { flow: Flow::new(options.clone()) };
    let read = match reading.run(&mut counter) {
        Ok(read) => read,
        Err(error) => return Ok(Err(error)),
    };
    let mut flow = counter.flow;
    flow.finish();
    let findings = std::mem::take(&mut flow.tally.findings);
    let change = change(&flow, &read, &clock, &zone);
    let period = is_bounded(&options).then_some(options.period);
    Ok(Ok(Report { flow, read, findings, change, period, zone }))
}

fn is_bounded(options: &FlowOptions) -> bool {
    options.period != FlowOptions::default().period
}

/// The period and what to compare it with. The reading is set to begin where the earlier of the two does.
fn options(args: &Asked, reading: &mut Reading) -> anyhow::Result<FlowOptions> {
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
            days.map(|days| report_time::compare_days(&flow.series, &flow.earlier, days, clock))
                .ok_or_else(|| "no comparison: the log does not cover two whole days".to_owned())
        }
    }
}
