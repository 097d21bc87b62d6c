//! Where the buckets of a histogram begin and end: by the calendar and the clock of a zone.
//!
//! Input: an instant in microseconds since 1970 UTC, and a width. Output: the bucket it falls in. Whole days are days of the zone,
//! with 23 hours or 25 where its clocks are changed; what divides a day begins anew at each midnight, so that finer buckets always
//! lie within coarser ones. Any other width has no clock to go by: it goes on and on from a Monday.

use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

/// Microseconds of a day on which no clock is changed.
pub(crate) const DAY: i64 = 86_400 * 1_000_000;
/// 5 January 1970, a Monday.
const MONDAY: i64 = 4 * DAY;
/// All offsets of zones are multiples of it, since the last one that was none was given up in 1972.
const QUARTER: i64 = 900 * 1_000_000;

/// A stretch of time: from, and until (exclusive).
pub(crate) type Stretch = (i64, i64);

/// Finds buckets; remembers the day it was last in, as most instants come in order.
#[derive(Clone, Debug)]
pub(crate) struct Local {
    zone: TimeZone,
    day: Stretch,
    /// Days from 1970 to it, in the zone.
    number: i64,
}

impl Local {
    pub(crate) fn new(zone: TimeZone) -> Self {
        Self { zone, day: (0, 0), number: 0 }
    }

    /// The bucket of an instant. Beyond the years that calendars have, days are those of UTC.
    pub(crate) fn bucket(&mut self, ts: i64, width: i64) -> Stretch {
        if width % DAY == 0 {
            return self.days(ts, width / DAY);
        }
        if DAY % width != 0 {
            let shift = offset(&self.zone, 0).saturating_sub(MONDAY);
            let start = floor(ts.saturating_add(shift), width).saturating_sub(shift);
            return (start, start.saturating_add(width));
        }
        self.find(ts);
        let (from, until) = self.day;
        let start = from.saturating_add(floor(ts.saturating_sub(from), width));
        (start, start.saturating_add(width).min(until))
    }

    /// The bucket of so many whole days. Weeks begin on Monday.
    fn days(&mut self, ts: i64, count: i64) -> Stretch {
        self.find(ts);
        if count == 1 {
            return self.day;
        }
        let monday = MONDAY / DAY;
        let first = monday.saturating_add(floor(self.number.saturating_sub(monday), count));
        (self.midnight(first), self.midnight(first.saturating_add(count)))
    }

    /// Makes `day` the one with the instant in it.
    fn find(&mut self, ts: i64) {
        if (self.day.0..self.day.1).contains(&ts) {
            return;
        }
        let today = Timestamp::from_microsecond(ts).ok().map(|at| self.zone.to_datetime(at).date());
        self.number = today.map_or_else(|| ts.div_euclid(DAY), number_of);
        self.day = (self.midnight(self.number), self.midnight(self.number.saturating_add(1)));
        if !(self.day.0..self.day.1).contains(&ts) {
            // The last day of the calendar: it ends as days do, so that there is a bucket for it.
            let start = floor(ts, DAY);
            self.day = (start, start.saturating_add(DAY));
        }
    }

    /// When a day begins. A midnight that a change of clocks leaves out is the first moment after it.
    fn midnight(&self, number: i64) -> i64 {
        let begins = || {
            let days = Span::new().try_days(number.checked_sub(number_of(Date::ZERO))?).ok()?;
            let day = Date::ZERO.checked_add(days).ok()?;
            Some(day.to_zoned(self.zone.clone()).ok()?.timestamp().as_microsecond())
        };
        begins().unwrap_or_else(|| number.saturating_mul(DAY))
    }
}

/// How many buckets of a width there are from the first instant to the last; `most` and one if there are more.
pub(crate) fn length(zone: &TimeZone, first: i64, last: i64, width: i64, most: usize) -> usize {
    let least = last.saturating_sub(first) / width.saturating_add(DAY);
    if usize::try_from(least).unwrap_or(usize::MAX) > most {
        return most + 1;
    }
    stretches(zone, first, last, width).take(most + 1).count()
}

/// The buckets of a width from the one of the first instant to that of the last.
pub(crate) fn stretches(zone: &TimeZone, first: i64, last: i64, width: i64) -> impl Iterator<Item = Stretch> {
    let mut local = Local::new(zone.clone());
    let mut next = Some(first);
    std::iter::from_fn(move || {
        let at = next.filter(|next| *next <= last)?;
        let bucket = local.bucket(at, width);
        // Where time cannot go on, nor do buckets.
        next = Some(bucket.1).filter(|until| *until > at);
        Some(bucket)
    })
}

/// The longest stretch that divides the distance of every midnight of the zone from one of UTC, and the day.
pub(crate) fn grain(zone: &TimeZone) -> i64 {
    zone.to_fixed_offset().map_or(QUARTER, |fixed| divisor(DAY, (i64::from(fixed.seconds()) * 1_000_000).abs()))
}

/// The greatest number that divides both.
pub(crate) fn divisor(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { divisor(b, a % b) }
}

/// How far the zone is east of UTC at an instant.
fn offset(zone: &TimeZone, ts: i64) -> i64 {
    Timestamp::from_microsecond(ts).map_or(0, |at| i64::from(zone.to_offset(at).seconds()) * 1_000_000)
}

/// Days from 1970 to a date.
fn number_of(day: Date) -> i64 {
    day.duration_since(date(1970, 1, 1)).as_hours() / 24
}

fn floor(value: i64, step: i64) -> i64 {
    value.div_euclid(step).saturating_mul(step)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600 * 1_000_000;

    fn told(zone: &str, first: &str, last: &str, width: i64) -> Vec<(String, i64)> {
        let at = |text: &str| text.parse::<Timestamp>().unwrap().as_microsecond();
        let zone = TimeZone::get(zone).unwrap();
        stretches(&zone, at(first), at(last), width)
            .map(|(from, until)| (Timestamp::from_microsecond(from).unwrap().to_string(), (until - from) / HOUR))
            .collect()
    }

    #[test]
    fn days_are_those_of_the_clock() {
        let rows = |rows: &[(&str, i64)]| rows.iter().map(|(at, hours)| ((*at).to_owned(), *hours)).collect::<Vec<_>>();
        // The clocks went forward on 29 March 2026, and back on 25 October.
        assert_eq!(
            told("Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29T22:00:00Z", DAY),
            rows(&[("2026-03-27T23:00:00Z", 24), ("2026-03-28T23:00:00Z", 23), ("2026-03-29T22:00:00Z", 24)])
        );
        assert_eq!(
            told("Europe/Berlin", "2026-10-24T22:00:00Z", "2026-10-25T22:59:59Z", DAY),
            rows(&[("2026-10-24T22:00:00Z", 25)])
        );
        assert_eq!(
            told("Europe/Berlin", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z", 12 * HOUR),
            rows(&[("2026-03-28T23:00:00Z", 12), ("2026-03-29T11:00:00Z", 11), ("2026-03-29T22:00:00Z", 12)])
        );
        // Its Monday is the 23rd.
        assert_eq!(
            told("Europe/Berlin", "2026-03-29T12:00:00Z", "2026-03-29T12:00:00Z", 7 * DAY),
            rows(&[("2026-03-22T23:00:00Z", 7 * 24 - 1)])
        );
        // Here it is midnight that is left out: the day begins at one.
        assert_eq!(
            told("America/Santiago", "2026-09-06T05:00:00Z", "2026-09-06T05:00:00Z", DAY),
            rows(&[("2026-09-06T04:00:00Z", 23)])
        );
        assert_eq!(
            told("UTC", "2026-03-29T01:00:00Z", "2026-03-29T01:00:00Z", DAY),
            rows(&[("2026-03-29T00:00:00Z", 24)])
        );
    }

    #[test]
    fn every_instant_has_its_bucket() {
        for zone in ["UTC", "Europe/Berlin", "Pacific/Apia", "Australia/Lord_Howe"] {
            let mut local = Local::new(TimeZone::get(zone).unwrap());
            let ends = [i64::MIN + 40 * DAY, -377_705_116_800_000_000, -1, 0, 253_402_207_200_000_000, i64::MAX - 1];
            let days = (0..800).map(|day| 1_325_000_000_000_000 + day * DAY / 2);
            for ts in ends.into_iter().chain(days) {
                for width in [1_000_000, HOUR, 7 * HOUR, 12 * HOUR, DAY, 7 * DAY, 364 * DAY] {
                    let (from, until) = local.bucket(ts, width);
                    assert!((from..until).contains(&ts), "{zone} {ts} {width}: {from} {until}");
                }
            }
        }
    }
}
