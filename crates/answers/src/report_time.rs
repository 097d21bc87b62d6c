//! Periods of a report: which one is asked for, which one it is compared with, and counts by local hour and day.
//!
//! Input: options, the log's quarter-hour slots, the zone. Output: periods in microseconds since 1970 UTC, and sums over them.

use std::collections::BTreeMap;

use anyhow::Context as _;
use diagnose::{Count, SLOT, Series, Totals};
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

use crate::times::Clock;

/// A stretch of time: from, until (inclusive), microseconds since 1970 UTC.
pub type Period = (i64, i64);

/// How much of a day or period the log may lack at an end and still count as whole: a rotated log begins with its first line.
const SLACK: i64 = 3_600 * 1_000_000;

/// Two periods side by side.
pub struct Change {
    /// Of the later period.
    pub now: Totals,
    /// Of the earlier one.
    pub before: Totals,
    /// What is compared: `16 Jun with 15 Jun`.
    pub label: String,
    /// The later and the earlier.
    pub periods: [Period; 2],
}

/// Yesterday and the day before, in the zone.
pub fn yesterday(now: Timestamp, zone: &TimeZone) -> anyhow::Result<[Period; 2]> {
    let today = now.to_zoned(zone.clone()).date();
    let day = |ago: i64| -> anyhow::Result<Period> {
        let date = today.checked_sub(ago.days()).context("--yesterday: too long ago")?;
        whole_day(date, zone).context("--yesterday: no such day")
    };
    Ok([day(1)?, day(2)?])
}

/// A day of the zone, however many hours it has.
fn whole_day(date: Date, zone: &TimeZone) -> Option<Period> {
    let start =
        |date: Date| Some(date.to_datetime(Time::midnight()).to_zoned(zone.clone()).ok()?.timestamp().as_microsecond());
    Some((start(date)?, start(date.tomorrow().ok()?)? - 1))
}

/// The period of the same length just before.
pub fn just_before(period: Period) -> Option<Period> {
    let length = period.1.checked_sub(period.0)?.checked_add(1)?;
    Some((period.0.checked_sub(length)?, period.0.checked_sub(1)?))
}

/// The last day that the log covers, and the day before, if it covers both.
pub fn last_full_days(log: Period, zone: &TimeZone) -> Option<[Period; 2]> {
    let last = Timestamp::from_microsecond(log.1).ok()?.to_zoned(zone.clone()).date();
    let mut date = last;
    let covered = |day: Period| day.0 >= log.0 - SLACK && day.1 <= log.1 + SLACK;
    for _ in 0..2 {
        let (now, before) = (whole_day(date, zone)?, whole_day(date.yesterday().ok()?, zone)?);
        if covered(now) && covered(before) {
            return Some([now, before]);
        }
        date = date.yesterday().ok()?;
    }
    None
}

/// Compares two days of the series, without what came `earlier`.
pub fn compare_days(series: &Series, earlier: &Series, [now, before]: [Period; 2], clock: &Clock) -> Change {
    let sum = |period: Period| {
        let mut sum = series.sum(period.0, period.1 + 1);
        sum.take_off(&earlier.sum(period.0, period.1 + 1));
        sum
    };
    let label = format!("the day before ({} with {})", clock.day(now.0), clock.day(before.0));
    Change { now: sum(now), before: sum(before), label, periods: [now, before] }
}

/// Whether the log reaches back to the beginning of a period.
pub fn reaches(log_from: Option<i64>, period: Period) -> bool {
    let slack = SLACK.min((period.1 - period.0) / 10);
    log_from.is_some_and(|from| from <= period.0.saturating_add(slack))
}

/// Totals by hour of the day, in the zone.
pub struct Hours;

impl Hours {
    /// 24 sums over the slots of the period; empty if there is none.
    pub fn of(series: &Series, period: Period, zone: &TimeZone) -> Vec<Totals> {
        let mut hours = vec![Totals::default(); 24];
        let mut any = false;
        for (start, totals) in within(series, period) {
            let hour = Timestamp::from_microsecond(start).ok().map(|t| t.to_zoned(zone.clone()).hour());
            if let Some(sum) = hour.and_then(|hour| hours.get_mut(usize::try_from(hour).ok()?)) {
                sum.merge(totals);
                any = true;
            }
        }
        if any { hours } else { Vec::new() }
    }

    /// One count of each hour.
    pub fn column(hours: &[Totals], count: Count) -> Vec<u64> {
        hours.iter().map(|totals| totals.get(count)).collect()
    }
}

/// Above so many days a span is a stamp gone wrong, and only days with any mail are told.
const DAYS: usize = 1_000;

/// Totals by day of the zone, in order; the day's start in microseconds. Days of `span` without any are told, too: a day
/// without mail is what a person looks for.
pub fn days(series: &Series, period: Period, span: Option<Period>, zone: &TimeZone) -> Vec<(i64, Totals)> {
    let starts = span.map(|span| starts(span, zone)).filter(|starts| starts.len() <= DAYS).unwrap_or_default();
    let mut days: BTreeMap<i64, Totals> = starts.into_iter().map(|start| (start, Totals::default())).collect();
    let mut open: Option<Period> = None;
    for (start, totals) in within(series, period) {
        if open.is_none_or(|(_, end)| start > end) {
            let Some(day) = day_of(start, zone).and_then(|date| whole_day(date, zone)) else { continue };
            open = Some(day);
        }
        if let Some((day, _)) = open {
            days.entry(day).or_default().merge(totals);
        }
    }
    days.into_iter().collect()
}

/// The starts of the days from one time to another, one more than [`DAYS`] at most.
fn starts(span: Period, zone: &TimeZone) -> Vec<i64> {
    let first = day_of(span.0, zone);
    let dates = std::iter::successors(first, |date| date.tomorrow().ok());
    let starts = dates.map_while(|date| Some(whole_day(date, zone)?.0));
    starts.take_while(|start| *start <= span.1).take(DAYS + 1).collect()
}

fn day_of(time: i64, zone: &TimeZone) -> Option<Date> {
    Some(Timestamp::from_microsecond(time).ok()?.to_zoned(zone.clone()).date())
}

/// The slots that overlap the period.
fn within(series: &Series, period: Period) -> impl Iterator<Item = (i64, &Totals)> {
    series.slots().filter(move |(start, _)| start.saturating_add(SLOT) > period.0 && *start <= period.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_microsecond()
    }

    #[test]
    fn days_of_the_zone() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        // The clocks went forward on 29 March 2026: that day has 23 hours.
        let [day, before] = yesterday("2026-03-30T10:00:00Z".parse().unwrap(), &zone).unwrap();
        assert_eq!(day, (at("2026-03-28T23:00:00Z"), at("2026-03-29T22:00:00Z") - 1));
        assert_eq!(before, (at("2026-03-27T23:00:00Z"), at("2026-03-28T23:00:00Z") - 1));
        assert_eq!(just_before((100, 199)), Some((0, 99)));
    }

    #[test]
    fn days_without_mail_are_told() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let told = |from: &str, until: &str| {
            let days = days(&Series::default(), (i64::MIN, i64::MAX), Some((at(from), at(until))), &zone);
            days.into_iter()
                .map(|(start, _)| Timestamp::from_microsecond(start).unwrap().to_string())
                .collect::<Vec<_>>()
        };
        // The clocks went forward on 29 March 2026.
        let expected = ["2026-03-27T23:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"];
        assert_eq!(told("2026-03-28T22:59:00Z", "2026-03-29T22:00:00Z"), expected);
        assert_eq!(told("2026-03-28T23:00:00Z", "2026-03-28T23:00:00Z"), ["2026-03-28T23:00:00Z"]);
        assert!(told("1970-01-01T00:00:00Z", "2026-03-28T23:00:00Z").is_empty());
    }

    #[test]
    fn full_days_of_the_log() {
        let zone = TimeZone::UTC;
        let days =
            |from: &str, until: &str| last_full_days((at(from), at(until)), &zone).map(|days| days.map(|day| day.0));
        let expected = Some([at("2026-06-16T00:00:00Z"), at("2026-06-15T00:00:00Z")]);
        assert_eq!(days("2026-06-15T00:10:00Z", "2026-06-17T12:00:00Z"), expected);
        assert_eq!(days("2026-06-14T00:00:00Z", "2026-06-16T23:59:50Z"), expected);
        assert_eq!(days("2026-06-15T12:00:00Z", "2026-06-17T12:00:00Z"), None);
        assert_eq!(days("2026-06-17T10:00:00Z", "2026-06-17T12:00:00Z"), None);
    }
}
