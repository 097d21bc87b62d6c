//! From stamps, in file order, to instants.
//!
//! One clock per source. It follows the year ([`crate::years::Walk`]) and the zone: an hour that comes twice in autumn is its first
//! coming until the time steps back within it. The zone's rules are asked once per quarter of an hour of log time.

use jiff::Timestamp;
use jiff::tz::{AmbiguousOffset, TimeZone};
use maillog::{Stamp, WallTime};

use crate::line::Inferred;
use crate::years::{self, Walk};

/// Days that every month has.
const COMMON_DAYS: u8 = 28;
/// No zone changes its offset at another place than a quarter of an hour.
const QUARTER_US: i64 = 900_000_000;
/// A step back within the doubled hour by more than this is its second coming.
const FOLD_STEP_US: i64 = 60_000_000;

/// Turns a source's stamps into microseconds UTC.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    zone: TimeZone,
    walk: Walk,
    /// The year last asked for and its start, as if local time were UTC.
    start: Option<(i32, i64)>,
    quarter: i64,
    offset: Offset,
    fold: Fold,
    /// Local time of the line before, if it named its year.
    known_us: Option<i64>,
    /// The year is not known: the first line without one is of the latest that is not after this local time.
    latest_us: Option<i64>,
    has_guessed: bool,
    /// The user said the year: lines that name another one say nothing of those that name none.
    is_said: bool,
    /// The stamp without a year that came last, and its instant: many lines share a second.
    last: Option<(WallTime, i64)>,
}

/// Offsets from UTC in microseconds that a quarter of an hour may have.
#[derive(Clone, Copy, Debug)]
enum Offset {
    Plain(i64),
    /// The hour comes twice: the offset of the first time, and of the second.
    Twice(i64, i64),
}

/// Where we are with regard to a doubled hour.
#[derive(Clone, Copy, Debug, Default)]
struct Fold {
    inside: bool,
    second: bool,
    /// The latest wall time of the current coming, or of the lines before.
    high_us: Option<i64>,
}

impl Clock {
    /// A clock for a source whose first line without a year is of `year`, or, if that is not known, not later than `latest_us`.
    pub(crate) fn new(zone: TimeZone, year: Option<i32>, latest_us: i64) -> Self {
        let (latest_us, year) = if year.is_none() { (Some(latest_us), 1970) } else { (None, year.unwrap_or(1970)) };
        Self {
            zone,
            walk: Walk::new(year),
            start: None,
            quarter: i64::MIN,
            offset: Offset::Plain(0),
            fold: Fold::default(),
            known_us: None,
            latest_us,
            has_guessed: false,
            is_said: false,
            last: None,
        }
    }

    /// The same for a year that the user said, if he did.
    pub(crate) fn said(self, is_said: bool) -> Self {
        Self { is_said, ..self }
    }

    /// The year of the last line that did not name it.
    pub(crate) fn inferred_year(&self) -> Option<i16> {
        if self.has_guessed { i16::try_from(self.walk.year()).ok() } else { None }
    }

    /// The instant of the next stamp.
    #[inline]
    pub(crate) fn resolve(&mut self, stamp: &Stamp) -> (Option<i64>, Inferred) {
        match stamp {
            Stamp::Instant(micros) => {
                self.known_us = Some(*micros);
                self.last = None;
                (Some(*micros), Inferred::default())
            }
            Stamp::Wall(wall) => {
                let inferred = Inferred { year: wall.year.is_none(), zone: true };
                if let Some((last, time)) = &self.last
                    && last == wall
                {
                    return (Some(*time), inferred);
                }
                let time = self.wall(wall).map(|local| local - self.offset_at(local));
                self.last = time.filter(|_| wall.year.is_none()).map(|time| (*wall, time));
                (time, inferred)
            }
        }
    }

    /// Lets a line that names its year set the year of those after it.
    fn learn(&mut self, local_us: i64) {
        if self.is_said {
            return;
        }
        let date = civil(local_us).date();
        let (month, day) = (date.month().unsigned_abs(), date.day().unsigned_abs());
        let midnight = years::key_us(&WallTime { year: None, month, day, hour: 0, minute: 0, second: 0, micros: 0 });
        self.latest_us = None;
        self.walk.know(date.year().into(), midnight + local_us.rem_euclid(years::DAY_US));
    }

    /// Local time as if it were UTC.
    #[inline]
    fn wall(&mut self, wall: &WallTime) -> Option<i64> {
        if wall.year.is_some() {
            self.known_us = wall.as_utc_micros();
            return self.known_us;
        }
        if let Some(known) = self.known_us.take() {
            self.learn(known);
        }
        if let Some(latest) = self.latest_us.take() {
            let year = year_of(latest);
            let fits = |year: &i32| years::in_year(wall, *year).is_some_and(|us| us <= latest);
            self.walk = Walk::new((year - 9..=year).rev().find(fits).unwrap_or(year));
        }
        self.has_guessed = true;
        let key_us = years::key_us(wall);
        let year = self.walk.next(key_us);
        if wall.day <= COMMON_DAYS {
            return self.in_year(wall, key_us, year);
        }
        // Feb 29 where no look ahead has found it: the last leap year before.
        years::in_year(wall, year).or_else(|| (1..=8).find_map(|back| years::in_year(wall, year - back)))
    }

    /// [`years::in_year`] for the days that every month has, with the year's start remembered.
    #[inline]
    fn in_year(&mut self, wall: &WallTime, key_us: i64, year: i32) -> Option<i64> {
        if self.start.is_none_or(|(known, _)| known != year) {
            let new_year = WallTime { year: None, month: 1, day: 1, hour: 0, minute: 0, second: 0, micros: 0 };
            self.start = Some((year, years::in_year(&new_year, year)?));
        }
        let (_, start_us) = self.start?;
        // The key counts from the start of a leap year.
        let leap_day_us = if wall.month > 2 && !years::is_leap(year) { years::DAY_US } else { 0 };
        Some(start_us + key_us - leap_day_us)
    }

    #[inline]
    fn offset_at(&mut self, local_us: i64) -> i64 {
        let quarter = local_us.div_euclid(QUARTER_US);
        if quarter != self.quarter {
            (self.quarter, self.offset) = (quarter, offset_of(&self.zone, quarter * QUARTER_US));
        }
        match self.offset {
            Offset::Plain(offset) => {
                self.fold.inside = false;
                self.fold.high_us = Some(local_us);
                offset
            }
            Offset::Twice(first, second) => {
                self.fold.step(local_us);
                if self.fold.second { second } else { first }
            }
        }
    }
}

impl Fold {
    fn step(&mut self, local_us: i64) {
        let high = self.high_us.unwrap_or(local_us);
        if !self.inside {
            // From below it is the first coming; from above a straggler of the second.
            let from_above = high > local_us && high - local_us < years::DAY_US / 4;
            (self.inside, self.second) = (true, from_above);
            self.high_us = Some(local_us);
        } else if local_us < high - FOLD_STEP_US {
            self.second = true;
            self.high_us = Some(local_us);
        } else {
            self.high_us = Some(high.max(local_us));
        }
    }
}

/// The offset of a local time. In the hour that spring leaves out, the one before it.
fn offset_of(zone: &TimeZone, local_us: i64) -> Offset {
    let micros = |offset: jiff::tz::Offset| i64::from(offset.seconds()) * 1_000_000;
    match zone.to_ambiguous_timestamp(civil(local_us)).offset() {
        AmbiguousOffset::Unambiguous { offset } => Offset::Plain(micros(offset)),
        AmbiguousOffset::Gap { before, .. } => Offset::Plain(micros(before)),
        AmbiguousOffset::Fold { before, after } => Offset::Twice(micros(before), micros(after)),
    }
}

/// Local time of an instant, as if it were UTC.
pub(crate) fn local_us(zone: &TimeZone, instant_us: i64) -> i64 {
    let offset = Timestamp::from_microsecond(instant_us).map_or(0, |t| i64::from(zone.to_offset(t).seconds()));
    instant_us + offset * 1_000_000
}

/// The year of a local time that is given as if it were UTC.
pub(crate) fn year_of(local_us: i64) -> i32 {
    civil(local_us).year().into()
}

fn civil(local_us: i64) -> jiff::civil::DateTime {
    let clamped =
        Timestamp::from_microsecond(local_us).unwrap_or(if local_us < 0 { Timestamp::MIN } else { Timestamp::MAX });
    TimeZone::UTC.to_datetime(clamped)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(zone: &str, year: i32) -> Clock {
        Clock::new(TimeZone::get(zone).unwrap(), Some(year), 0)
    }

    fn at(clock: &mut Clock, text: &str) -> String {
        let stamp = maillog::record(format!("{text} h p: x").as_bytes()).unwrap().stamp;
        let micros = clock.resolve(&stamp).0.unwrap();
        Timestamp::from_microsecond(micros).unwrap().to_string()
    }

    #[test]
    fn the_doubled_hour_keeps_file_order() {
        let mut clock = clock("Europe/Berlin", 2025);
        assert_eq!(at(&mut clock, "Oct 26 01:59:59"), "2025-10-25T23:59:59Z");
        assert_eq!(at(&mut clock, "Oct 26 02:10:00"), "2025-10-26T00:10:00Z");
        assert_eq!(at(&mut clock, "Oct 26 02:09:58"), "2025-10-26T00:09:58Z");
        assert_eq!(at(&mut clock, "Oct 26 02:59:59"), "2025-10-26T00:59:59Z");
        assert_eq!(at(&mut clock, "Oct 26 02:00:01"), "2025-10-26T01:00:01Z");
        assert_eq!(at(&mut clock, "Oct 26 02:59:59"), "2025-10-26T01:59:59Z");
        assert_eq!(at(&mut clock, "Oct 26 03:00:01"), "2025-10-26T02:00:01Z");
        assert_eq!(at(&mut clock, "Oct 26 02:59:58"), "2025-10-26T01:59:58Z");
    }

    #[test]
    fn the_hour_left_out() {
        let mut clock = clock("Europe/Berlin", 2025);
        assert_eq!(at(&mut clock, "Mar 30 01:59:59"), "2025-03-30T00:59:59Z");
        assert_eq!(at(&mut clock, "Mar 30 02:30:00"), "2025-03-30T01:30:00Z");
        assert_eq!(at(&mut clock, "Mar 30 03:00:00"), "2025-03-30T01:00:00Z");
    }

    #[test]
    fn zones_that_change_by_half_an_hour() {
        let mut clock = clock("Australia/Lord_Howe", 2025);
        assert_eq!(at(&mut clock, "Apr  6 01:45:00"), "2025-04-05T14:45:00Z");
        assert_eq!(at(&mut clock, "Apr  6 01:30:00"), "2025-04-05T15:00:00Z");
        assert_eq!(at(&mut clock, "Apr  6 02:00:00"), "2025-04-05T15:30:00Z");
    }

    #[test]
    fn feb_29_lands_in_a_leap_year() {
        assert_eq!(at(&mut clock("UTC", 2027), "Feb 29 12:00:00"), "2024-02-29T12:00:00Z");
    }

    #[test]
    fn a_named_year_holds_for_what_follows() {
        let mut clock = clock("UTC", 1999);
        clock.resolve(&Stamp::Instant(1_763_803_046_000_000));
        assert_eq!(at(&mut clock, "Nov 23 00:00:00"), "2025-11-23T00:00:00Z");
        assert_eq!(at(&mut clock, "Jan  1 00:00:00"), "2026-01-01T00:00:00Z");
    }
}
