//! Which year a stamp without one belongs to.
//!
//! Within a file the year follows from order alone: a step back of more than half a year is New Year ([`Walk`]). The year the file
//! starts in follows from its last line, which cannot be later than the file's own time, the date in its name, the next newer file of
//! its rotation, or a later line that names its year ([`start_year`]).

use maillog::WallTime;

pub(crate) const DAY_US: i64 = 86_400_000_000;
const YEAR_US: i64 = 366 * DAY_US;
/// Later by more than this is rather a line of last year that came late.
const LATECOMER_US: i64 = 2 * DAY_US;
/// No eight years in a row are without a leap year (1900 is one of the only gaps of eight).
const YEARS_BACK_MAX: i32 = 8;

/// Time since the start of a leap year, in microseconds.
#[inline]
pub(crate) fn key_us(wall: &WallTime) -> i64 {
    const DAYS_BEFORE: [i64; 13] = [0, 0, 31, 60, 91, 121, 152, 182, 213, 244, 274, 305, 335];
    let days = DAYS_BEFORE.get(usize::from(wall.month)).copied().unwrap_or(0) + i64::from(wall.day) - 1;
    let seconds = days * 86_400 + i64::from(wall.hour) * 3600 + i64::from(wall.minute) * 60 + i64::from(wall.second);
    seconds * 1_000_000 + i64::from(wall.micros)
}

/// Follows the years through a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Walk {
    year: i32,
    last_us: Option<i64>,
}

impl Walk {
    pub(crate) fn new(year: i32) -> Self {
        Self { year, last_us: None }
    }

    /// The year of the last line seen.
    pub(crate) fn year(&self) -> i32 {
        self.year
    }

    /// The year of the next line, by its [`key_us`].
    #[inline]
    pub(crate) fn next(&mut self, key_us: i64) -> i32 {
        let step = key_us - self.last_us.unwrap_or(key_us);
        if step > YEAR_US - LATECOMER_US {
            return self.year - 1;
        }
        if step < -YEAR_US / 2 {
            self.year += 1;
        }
        self.last_us = Some(key_us);
        self.year
    }

    /// A line that names its year.
    pub(crate) fn know(&mut self, year: i32, key_us: i64) {
        (self.year, self.last_us) = (year, Some(key_us));
    }
}

/// Whether a year has a Feb 29.
pub(crate) fn is_leap(year: i32) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// A wall time in a year, as if it were UTC. `None` for Feb 29 in another than a leap year.
pub(crate) fn in_year(wall: &WallTime, year: i32) -> Option<i64> {
    WallTime { year: Some(i16::try_from(year).ok()?), ..*wall }.as_utc_micros()
}

/// What a look through a file found out about its lines without a year, up to the first that has one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Yearless {
    pub(crate) first: Option<WallTime>,
    pub(crate) last: Option<WallTime>,
    /// How many times a year turned between them.
    pub(crate) turns: i32,
    /// After how many turns a Feb 29 was seen.
    pub(crate) leap_turns: Vec<i32>,
}

impl Yearless {
    pub(crate) fn see(&mut self, walk: &mut Walk, wall: &WallTime) {
        let turn = walk.next(key_us(wall));
        if self.first.is_none() {
            self.first = Some(*wall);
        }
        if turn >= self.turns {
            (self.turns, self.last) = (turn, Some(*wall));
        }
        if (wall.month, wall.day) == (2, 29) && self.leap_turns.last() != Some(&turn) {
            self.leap_turns.push(turn);
        }
    }
}

/// Limits to the year of a file, as if local time were UTC.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// No line is later.
    pub(crate) last_us_max: i64,
    /// The first line is not later: the next newer file of the rotation starts there.
    pub(crate) first_us_max: Option<i64>,
    /// The year of the last line, as the user said.
    pub(crate) said: Option<i32>,
}

/// The latest year the file can have started in. `None` if no line is without a year.
pub(crate) fn start_year(seen: &Yearless, limits: &Limits, year_of: impl Fn(i64) -> i32) -> Option<i32> {
    let (first, last) = (seen.first?, seen.last?);
    let fits = |year: i32| {
        let start = year - seen.turns;
        let leaps = seen.leap_turns.iter().all(|turn| is_leap(start + turn));
        let last_fits = limits.said.is_some() || in_year(&last, year).is_some_and(|us| us <= limits.last_us_max);
        // The newer file starts where this one ends, but for a few stragglers.
        let before_next = limits.first_us_max.is_none_or(|max| {
            in_year(&first, start).is_some_and(|us| us <= max)
                && in_year(&last, year).is_some_and(|us| us <= max + DAY_US)
        });
        leaps && last_fits && before_next
    };
    let latest = limits.said.unwrap_or_else(|| year_of(limits.last_us_max));
    // A rotation may hold a file for each year of a century, but not more than its own neighbour allows.
    let from = limits.first_us_max.map_or(latest, |max| latest.min(year_of(max + DAY_US)));
    let year = (0..=YEARS_BACK_MAX + 1).map(|back| from - back).find(|year| fits(*year)).unwrap_or(from);
    Some(year - seen.turns)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wall(text: &str) -> WallTime {
        match maillog::record(format!("{text} h p: x").as_bytes()).unwrap().stamp {
            maillog::Stamp::Wall(wall) => wall,
            maillog::Stamp::Instant(_) => panic!("{text} names an instant"),
        }
    }

    fn seen(stamps: &[&str]) -> Yearless {
        let (mut found, mut walk) = (Yearless::default(), Walk::new(0));
        stamps.iter().for_each(|s| found.see(&mut walk, &wall(s)));
        found
    }

    fn start(stamps: &[&str], upto: &str, next: Option<&str>, said: Option<i32>) -> i32 {
        let us = |text: &str| wall(text).as_utc_micros().unwrap();
        let year_of = |us: i64| 1970 + i32::try_from(us.div_euclid(DAY_US * 1461 / 4)).unwrap();
        let limits = Limits { last_us_max: us(upto), first_us_max: next.map(us), said };
        start_year(&seen(stamps), &limits, year_of).unwrap()
    }

    #[test]
    fn years_within_a_file() {
        let mut walk = Walk::new(2024);
        let mut year = |text: &str| walk.next(key_us(&wall(text)));
        assert_eq!(
            [year("Dec 31 23:59:59"), year("Jan  1 00:00:01"), year("Dec 31 23:59:59"), year("Jan  1 00:00:02")],
            [2024, 2025, 2024, 2025]
        );
        assert_eq!(
            [year("Jun  1 00:00:00"), year("May 31 23:00:00"), year("Dec 20 00:00:00"), year("Jan  3 00:00:00")],
            [2025, 2025, 2025, 2026]
        );
    }

    #[test]
    fn year_of_the_first_line() {
        assert_eq!(start(&["Nov 20 10:00:00"], "2026-11-23 00:00:00", None, None), 2026);
        assert_eq!(start(&["Nov 24 10:00:00"], "2026-11-23 00:00:00", None, None), 2025);
        assert_eq!(start(&["Dec 31 10:00:00", "Jan  1 00:00:00"], "2026-01-02 00:00:00", None, None), 2025);
        assert_eq!(
            start(
                &["Sep  1 00:00:00", "Jan  1 00:00:00", "Sep  1 00:00:00", "Jan  1 00:00:00"],
                "2026-01-02 00:00:00",
                None,
                None
            ),
            2024
        );
        assert_eq!(start(&["Feb 29 10:00:00"], "2027-11-23 00:00:00", None, None), 2024);
        assert_eq!(start(&["Feb 29 10:00:00", "Jan  5 10:00:00"], "2027-11-23 00:00:00", None, None), 2024);
        assert_eq!(start(&["Nov 20 10:00:00"], "2026-11-23 00:00:00", Some("2026-11-01 00:00:00"), None), 2025);
        assert_eq!(start(&["Nov 20 10:00:00"], "2026-11-23 00:00:00", Some("1996-11-01 00:00:00"), None), 1995);
        assert_eq!(start(&["Dec 31 10:00:00", "Jan  1 00:00:00"], "2026-01-02 00:00:00", None, Some(2020)), 2019);
    }
}
