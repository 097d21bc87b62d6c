//! Times as people write them and read them.

use anyhow::{Context as _, bail};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ToSpan as _};

use crate::screen::plural;

/// Reads `2026-06-17`, `2026-06-17 10:25[:14]`, an RFC 3339 instant, `today`, `yesterday`, `now`, or how long ago (`90m`, `2h`, `7d`, `3w`).
///
/// Output: microseconds since 1970 UTC. `flag` names the option in the error.
pub(crate) fn parse(flag: &str, text: &str, zone: &TimeZone, now: Timestamp) -> anyhow::Result<i64> {
    let text = text.trim();
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Ok(instant.as_microsecond());
    }
    if let Some(span) = ago(text) {
        let then =
            now.to_zoned(zone.clone()).checked_sub(span).with_context(|| format!("{flag} {text}: too long ago"))?;
        return Ok(then.timestamp().as_microsecond());
    }
    let today = now.to_zoned(zone.clone()).date();
    let civil: DateTime = match text {
        "now" => return Ok(now.as_microsecond()),
        "today" => today.to_datetime(jiff::civil::Time::midnight()),
        "yesterday" => {
            today.yesterday().with_context(|| format!("{flag} {text}"))?.to_datetime(jiff::civil::Time::midnight())
        }
        text => match text.parse::<DateTime>().or_else(|_| text.replace(' ', "T").parse()) {
            Ok(civil) => civil,
            Err(_) => bail!(
                "{flag} {text}: no time I can read; write 2026-06-17, \"2026-06-17 10:25\", today, yesterday, or how long ago: 90m, 2h, 7d"
            ),
        },
    };
    Ok(civil.to_zoned(zone.clone()).with_context(|| format!("{flag} {text}"))?.timestamp().as_microsecond())
}

fn ago(text: &str) -> Option<Span> {
    let (count, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let count: i32 = count.parse().ok().filter(|count| *count >= 0)?;
    Some(match unit {
        "s" => count.seconds(),
        "m" => count.minutes(),
        "h" => count.hours(),
        "d" => count.days(),
        "w" => count.weeks(),
        _ => return None,
    })
}

/// RFC 3339 in UTC with microseconds, as JSON has it.
pub(crate) fn rfc3339(micros: i64) -> String {
    Timestamp::from_microsecond(micros).map(|instant| format!("{instant:.6}")).unwrap_or_default()
}

/// How times are shown to people.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    zone: TimeZone,
}

impl Clock {
    pub(crate) fn new(zone: TimeZone) -> Self {
        Self { zone }
    }

    /// `17 Jun 10:25:14`.
    pub(crate) fn short(&self, micros: i64) -> String {
        self.format(micros, "%-d %b %H:%M:%S")
    }

    /// `17 Jun 2026 10:25 CEST`.
    pub(crate) fn long(&self, micros: i64) -> String {
        self.format(micros, "%-d %b %Y %H:%M %Z")
    }

    /// A gap in the log, as a sentence.
    pub(crate) fn gap(&self, gap: &input::Gap) -> String {
        match gap.lost {
            Some(lost) => format!(
                "{}: {} were dropped here, counts are \"at least\"",
                self.short(gap.from),
                plural(lost, "line", "lines")
            ),
            None => format!("nothing logged from {} to {}", self.short(gap.from), self.short(gap.to)),
        }
    }

    /// `Wed 17 Jun`.
    pub(crate) fn day(&self, micros: i64) -> String {
        self.format(micros, "%a %-d %b")
    }

    fn format(&self, micros: i64, format: &str) -> String {
        let zoned = Timestamp::from_microsecond(micros).map(|instant| instant.to_zoned(self.zone.clone()));
        zoned.map(|zoned| zoned.strftime(format).to_string()).unwrap_or_else(|_| "?".to_owned())
    }
}

/// `12 s`, `5 min`, `3.5 h`, `12 days`.
pub(crate) fn duration(micros: i64) -> String {
    let seconds = (micros.max(0) as f64) / 1e6;
    match seconds {
        s if s < 1.0 => "under 1 s".to_owned(),
        s if s < 90.0 => format!("{s:.0} s"),
        s if s < 5_400.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.1} h", s / 3_600.0),
        s => format!("{:.0} days", s / 86_400.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_people_write() {
        let now: Timestamp = "2026-06-17T12:00:00Z".parse().unwrap();
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let check = |text: &str, expected: &str| {
            assert_eq!(rfc3339(parse("--since", text, &zone, now).unwrap()), expected, "{text}")
        };
        check("2026-06-17", "2026-06-16T22:00:00.000000Z");
        check("2026-06-17 10:25", "2026-06-17T08:25:00.000000Z");
        check("2026-06-17T10:25:14Z", "2026-06-17T10:25:14.000000Z");
        check("2h", "2026-06-17T10:00:00.000000Z");
        check("7d", "2026-06-10T12:00:00.000000Z");
        check("yesterday", "2026-06-15T22:00:00.000000Z");
        let error = parse("--since", "noon", &zone, now).unwrap_err().to_string();
        assert!(error.contains("--since noon"), "{error}");
    }

    #[test]
    fn times_people_read() {
        let clock = Clock::new(TimeZone::get("Europe/Berlin").unwrap());
        assert_eq!(clock.short(1_781_692_514_000_000), "17 Jun 12:35:14");
        assert_eq!(
            (duration(5_000_000), duration(300_000_000), duration(7_200_000_000)),
            ("5 s".into(), "5 min".into(), "2.0 h".into())
        );
    }
}
