//! Times as people write them.
//!
//! Text and the present go in; instants come out, as microseconds since 1970 UTC.

use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

/// What relative times are relative to.
#[derive(Clone, Debug)]
pub struct Present {
    /// The zone of times written without one.
    pub zone: TimeZone,
    /// The present.
    pub now: Timestamp,
}

/// Why a text is no time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TimeError {
    /// None of the forms.
    #[error(
        "no time I can read; write 2026-06-17, \"2026-06-17 10:25\", today, yesterday, monday, or how long ago: 90m, 2h, 7d"
    )]
    Unknown,
    /// A form of a time, but no day.
    #[error("no day I can read; write 2026-06-17, today, yesterday or monday")]
    NoDay,
    /// Beyond what a time can be.
    #[error("beyond the calendar")]
    Beyond,
}

const WEEKDAYS: [(&str, Weekday); 7] = [
    ("monday", Weekday::Monday),
    ("tuesday", Weekday::Tuesday),
    ("wednesday", Weekday::Wednesday),
    ("thursday", Weekday::Thursday),
    ("friday", Weekday::Friday),
    ("saturday", Weekday::Saturday),
    ("sunday", Weekday::Sunday),
];

impl Present {
    /// Reads `2026-06-17`, `2026-06-17 10:25[:14]`, an RFC 3339 instant, `today`, `yesterday`, `now`, the name of a weekday
    /// (its latest, today's among them), or how long ago (`90m`, `2h`, `7d`, `3w`). A day is its first instant.
    ///
    /// Output: microseconds since 1970 UTC.
    pub fn instant(&self, text: &str) -> Result<i64, TimeError> {
        let text = text.trim();
        if let Ok(instant) = text.parse::<Timestamp>() {
            return Ok(instant.as_microsecond());
        }
        if text == "now" {
            return Ok(self.now.as_microsecond());
        }
        if let Some(span) = ago(text) {
            let then = self.now.to_zoned(self.zone.clone()).checked_sub(span).map_err(|_| TimeError::Beyond)?;
            return Ok(then.timestamp().as_microsecond());
        }
        match self.day_named(text) {
            Some(day) => self.start(day),
            None => self.civil(&text.replace(' ', "T").parse().map_err(|_| TimeError::Unknown)?),
        }
    }

    /// Reads a day: a date, `today`, `yesterday` or a weekday. Output: its first and its last microsecond.
    pub fn day(&self, text: &str) -> Result<(i64, i64), TimeError> {
        let text = text.trim();
        let named = self.day_named(text).or_else(|| (text.len() <= 10).then(|| text.parse().ok())?);
        let day = named.ok_or(TimeError::NoDay)?;
        let next = day.tomorrow().map_err(|_| TimeError::Beyond)?;
        Ok((self.start(day)?, self.start(next)? - 1))
    }

    fn day_named(&self, text: &str) -> Option<Date> {
        let today = self.now.to_zoned(self.zone.clone()).date();
        let name = text.to_ascii_lowercase();
        match name.as_str() {
            "today" => return Some(today),
            "yesterday" => return today.yesterday().ok(),
            _ => {}
        }
        let (_, weekday) = WEEKDAYS.iter().find(|(full, _)| name == *full || full.get(..3) == Some(name.as_str()))?;
        // The latest one that has begun.
        today.tomorrow().ok()?.nth_weekday(-1, *weekday).ok()
    }

    fn start(&self, day: Date) -> Result<i64, TimeError> {
        self.civil(&day.to_datetime(Time::midnight()))
    }

    fn civil(&self, civil: &DateTime) -> Result<i64, TimeError> {
        let zoned = civil.to_zoned(self.zone.clone()).map_err(|_| TimeError::Beyond)?;
        Ok(zoned.timestamp().as_microsecond())
    }
}

fn ago(text: &str) -> Option<Span> {
    let (count, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let count: i32 = count.parse().ok().filter(|count| *count >= 0)?;
    let span = Span::new();
    match unit {
        "s" => span.try_seconds(count),
        "m" => span.try_minutes(count),
        "h" => span.try_hours(count),
        "d" => span.try_days(count),
        "w" => span.try_weeks(count),
        _ => return None,
    }
    .ok()
}

/// RFC 3339 in UTC with microseconds, as JSON has it. Empty for what no calendar holds.
#[must_use]
pub fn rfc3339(micros: i64) -> String {
    Timestamp::from_microsecond(micros).map(|instant| format!("{instant:.6}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A Wednesday noon.
    fn present() -> Present {
        Present { zone: TimeZone::get("Europe/Berlin").unwrap(), now: "2026-06-17T12:00:00Z".parse().unwrap() }
    }

    #[test]
    fn instants() {
        let check = |text: &str, expected: &str| {
            assert_eq!(rfc3339(present().instant(text).unwrap()), expected, "{text}");
        };
        check("2026-06-17", "2026-06-16T22:00:00.000000Z");
        check("2026-06-17 10:25", "2026-06-17T08:25:00.000000Z");
        check("2026-06-17T10:25:14Z", "2026-06-17T10:25:14.000000Z");
        check("2026-06-17T10:25:14.5+02:00", "2026-06-17T08:25:14.500000Z");
        check("now", "2026-06-17T12:00:00.000000Z");
        check("2h", "2026-06-17T10:00:00.000000Z");
        check("7d", "2026-06-10T12:00:00.000000Z");
        check("Yesterday", "2026-06-15T22:00:00.000000Z");
        check("wednesday", "2026-06-16T22:00:00.000000Z");
        check("thu", "2026-06-10T22:00:00.000000Z");
        check("Monday", "2026-06-14T22:00:00.000000Z");
    }

    #[test]
    fn days() {
        let check = |text: &str, from: &str, to: &str| {
            let (first, last) = present().day(text).unwrap();
            assert_eq!((rfc3339(first).as_str(), rfc3339(last).as_str()), (from, to), "{text}");
        };
        check("today", "2026-06-16T22:00:00.000000Z", "2026-06-17T21:59:59.999999Z");
        check("2026-03-29", "2026-03-28T23:00:00.000000Z", "2026-03-29T21:59:59.999999Z");
        check("sun", "2026-06-13T22:00:00.000000Z", "2026-06-14T21:59:59.999999Z");
    }

    #[test]
    fn no_times() {
        for text in ["noon", "", "-2h", "2x", "h", "2026-13-01", "mo", "2147483647x", "2 h"] {
            assert_eq!(present().instant(text), Err(TimeError::Unknown), "{text}");
        }
        for text in ["2026-06-17 10:25", "2h", "now", "2026-06", "2026-06-17T10:25:14Z"] {
            assert_eq!(present().day(text), Err(TimeError::NoDay), "{text}");
        }
        assert_eq!(present().instant("2147483647w"), Err(TimeError::Unknown));
        assert_eq!(present().instant("1000000w"), Err(TimeError::Beyond));
        assert_eq!(present().day("9999-12-31"), Err(TimeError::Beyond));
    }
}
