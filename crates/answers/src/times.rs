//! Times as people write them and read them.

use std::path::Path;

use anyhow::Context as _;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use query::Present;
pub use query::rfc3339;

use crate::screen::plural;

/// Reads a time in any form of [`Present::instant`]. Output: microseconds since 1970 UTC. `flag` names the option in the error.
pub fn parse(flag: &str, text: &str, zone: &TimeZone, now: Timestamp) -> anyhow::Result<i64> {
    Present { zone: zone.clone(), now }.instant(text).with_context(|| format!("{flag} {text}"))
}

/// This machine's zone. Where its link names a zone that one file is read: the general way lists all zones there are first, which takes as
/// long as to open a day of a store.
#[must_use]
pub fn system_zone() -> TimeZone {
    let is_asked_for = std::env::var_os("TZ").is_some();
    let linked = if is_asked_for { None } else { linked_zone(Path::new("/etc/localtime")) };
    linked.unwrap_or_else(TimeZone::system)
}

/// The zone that a link into the system's zones names.
fn linked_zone(link: &Path) -> Option<TimeZone> {
    let target = std::fs::read_link(link).ok()?;
    let (_, name) = target.to_str()?.split_once("/zoneinfo/")?;
    // Other kinds of the same zones, which only the general way tells apart.
    let is_plain = !name.starts_with("posix/") && !name.starts_with("right/");
    is_plain.then(|| TimeZone::tzif(name, &std::fs::read(link).ok()?).ok())?
}

/// How times are shown to people.
#[derive(Clone, Debug)]
pub struct Clock {
    zone: TimeZone,
}

impl Clock {
    /// Times of a zone.
    pub fn new(zone: TimeZone) -> Self {
        Self { zone }
    }

    /// `17 Jun 10:25:14`.
    pub fn short(&self, micros: i64) -> String {
        self.format(micros, "%-d %b %H:%M:%S")
    }

    /// `17 Jun 2026 10:25 CEST`.
    pub fn long(&self, micros: i64) -> String {
        self.format(micros, "%-d %b %Y %H:%M %Z")
    }

    /// A gap in the log, as a sentence.
    pub fn gap(&self, gap: &input::Gap) -> String {
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
    pub fn day(&self, micros: i64) -> String {
        self.format(micros, "%a %-d %b")
    }

    /// `2026-06-17 10:25:14`.
    pub fn full(&self, micros: i64) -> String {
        self.format(micros, "%Y-%m-%d %H:%M:%S")
    }

    /// Columns of [`Clock::span`].
    pub const SPAN_COLUMNS: usize = 19;

    /// When a span of so many microseconds begins, no finer than it is long.
    pub fn span(&self, from: i64, width: i64) -> String {
        let format = match width / 1_000_000 {
            ..60 => "%Y-%m-%d %H:%M:%S",
            // A day on which clocks are changed has 23 hours.
            60..82_800 => "%Y-%m-%d %H:%M",
            _ => "%Y-%m-%d",
        };
        self.format(from, format)
    }

    fn format(&self, micros: i64, format: &str) -> String {
        let zoned = Timestamp::from_microsecond(micros).map(|instant| instant.to_zoned(self.zone.clone()));
        zoned.map(|zoned| zoned.strftime(format).to_string()).unwrap_or_else(|_| "?".to_owned())
    }
}

/// `12 s`, `5 min`, `3.5 h`, `12 days`.
pub fn duration(micros: i64) -> String {
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
    fn a_link_names_the_zone() {
        let folder = tempfile::tempdir().unwrap();
        let zones = folder.path().join("zoneinfo/Europe");
        std::fs::create_dir_all(&zones).unwrap();
        std::fs::copy("/usr/share/zoneinfo/Europe/Berlin", zones.join("Berlin")).unwrap();
        let link = folder.path().join("localtime");
        std::os::unix::fs::symlink(zones.join("Berlin"), &link).unwrap();
        let zone = linked_zone(&link).unwrap();
        assert_eq!(zone.iana_name(), Some("Europe/Berlin"));
        let summer = "2026-06-17T12:00:00Z".parse::<Timestamp>().unwrap().to_zoned(zone);
        assert_eq!(summer.strftime("%H:%M %Z").to_string(), "14:00 CEST");
        assert!(linked_zone(&zones.join("Berlin")).is_none());
        std::fs::write(zones.join("Berlin"), "no zone").unwrap();
        assert!(linked_zone(&link).is_none());
    }

    #[test]
    fn the_option_is_named() {
        let now: Timestamp = "2026-06-17T12:00:00Z".parse().unwrap();
        assert_eq!(parse("--since", "2h", &TimeZone::UTC, now).unwrap(), 1_781_690_400_000_000);
        let error = format!("{:#}", parse("--since", "noon", &TimeZone::UTC, now).unwrap_err());
        assert!(error.starts_with("--since noon: no time I can read"), "{error}");
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
