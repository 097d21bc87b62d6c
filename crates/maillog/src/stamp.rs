//! The time stamp at the start of a line, in every form the grammar's part 1.1 lists.
//!
//! Input: the bytes of a line. Output: a [`Stamp`] and the rest of the line. A stamp without year or
//! zone stays a wall time here; which year and zone it means is for whoever knows the file.

use crate::scan::two_digits;

/// When a line was written, as far as the line itself tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stamp {
    /// Microseconds since 1970-01-01T00:00:00Z.
    Instant(i64),
    /// What a clock on the wall showed: no zone, and mostly no year.
    Wall(WallTime),
}

/// A local time. Every field is in the range a clock shows (a leap second is second 60).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WallTime {
    /// The year if it was logged.
    pub year: Option<i16>,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 60.
    pub second: u8,
    /// 0 to 999,999.
    pub micros: u32,
}

/// Seconds of the first instant that no form with a four-digit year can name.
const YEAR_10_000: i64 = 253_402_300_800;

/// Reads any stamp a syslog, the journal, Postfix or Dovecot writes; the rest starts after the blank behind it.
pub fn stamp(line: &[u8]) -> Option<(Stamp, &[u8])> {
    match line.first()? {
        b'0'..=b'9' => iso(line, zone).or_else(|| unix(line)),
        b'@' => tai64n(line),
        _ => traditional(line).or_else(|| traditional(weekday(line)?)).or_else(|| full(weekday(line)?)),
    }
}

/// `Jun 17 10:25:14[.123456]`, the day padded with a blank (syslogd) or a zero (postlogd).
fn traditional(line: &[u8]) -> Option<(Stamp, &[u8])> {
    let month = month(line.get(..3)?)?;
    if line.get(3) != Some(&b' ') {
        return None;
    }
    // Some relays squeeze the padding: `Jan 1 00:00:00`.
    let (day, at) = match (line.get(4)?, line.get(5)?) {
        (b' ', d @ b'1'..=b'9') => (d - b'0', 6),
        (d @ b'1'..=b'9', b' ') => (d - b'0', 5),
        _ => (two_digits(line, 4, 32)?, 6),
    };
    if day == 0 || line.get(at) != Some(&b' ') {
        return None;
    }
    let clock = line.get(at + 1..)?;
    let (hour, minute, second) = clock_time(clock)?;
    let (micros, rest) = fraction(clock.get(8..)?);
    let wall = WallTime { year: None, month, day, hour, minute, second, micros };
    Some((Stamp::Wall(wall), end_of_stamp(rest)?))
}

/// `2026-06-17 10:25:14 CET` of journalctl short-full, behind its weekday.
///
/// Source: systemd `format_timestamp_style()`, which ends the stamp with `UTC` or with what the C library calls the local zone.
fn full(line: &[u8]) -> Option<(Stamp, &[u8])> {
    iso(line, full_zone)
}

/// `2026-06-17T10:25:14[.123456][Z|+02:00|+0200|+02]`, or with a blank for the `T` (Dovecot's own files).
fn iso(line: &[u8], zone: impl Fn(&[u8]) -> (Option<i32>, &[u8])) -> Option<(Stamp, &[u8])> {
    let century = two_digits(line, 0, 100)?;
    let year = i16::from(century) * 100 + i16::from(two_digits(line, 2, 100)?);
    let month = two_digits(line, 5, 13)?;
    let day = two_digits(line, 8, 32)?;
    let dashes = line.get(4) == Some(&b'-') && line.get(7) == Some(&b'-');
    if !dashes || !matches!(line.get(10)?, b'T' | b' ') || month == 0 || day == 0 {
        return None;
    }
    let clock = line.get(11..)?;
    let (hour, minute, second) = clock_time(clock)?;
    let (micros, rest) = fraction(clock.get(8..)?);
    let wall = WallTime { year: Some(year), month, day, hour, minute, second, micros };
    match zone(rest) {
        (Some(offset_s), rest) => {
            Some((Stamp::Instant(wall.as_utc_micros()? - i64::from(offset_s) * 1_000_000), end_of_stamp(rest)?))
        }
        (None, rest) => Some((Stamp::Wall(wall), end_of_stamp(rest)?)),
    }
}

/// `1763803046.436140` (journalctl short-unix): ten digits of seconds, then a fraction.
fn unix(line: &[u8]) -> Option<(Stamp, &[u8])> {
    let (seconds, rest) = crate::scan::number(line)?;
    if !(1_000_000_000..10_000_000_000).contains(&seconds) || rest.first() != Some(&b'.') {
        return None;
    }
    let (micros, rest) = fraction(rest);
    Some((Stamp::Instant(i64::try_from(seconds).ok()? * 1_000_000 + i64::from(micros)), end_of_stamp(rest)?))
}

/// `@400000004c91b044077a9e94`: TAI64N of multilog, ten seconds ahead of UTC as multilog counts it.
fn tai64n(line: &[u8]) -> Option<(Stamp, &[u8])> {
    let hex = std::str::from_utf8(line.get(1..25)?).ok()?;
    let seconds = u64::from_str_radix(hex.get(..16)?, 16).ok()?.checked_sub(1 << 62)?.checked_sub(10)?;
    let nanos = u32::from_str_radix(hex.get(16..)?, 16).ok()?;
    let micros = i64::try_from(seconds).ok().filter(|s| *s < YEAR_10_000)? * 1_000_000
        + i64::from(nanos.min(999_999_999) / 1000);
    Some((Stamp::Instant(micros), end_of_stamp(line.get(25..)?)?))
}

/// Skips `Sat ` of journalctl short-full.
fn weekday(line: &[u8]) -> Option<&[u8]> {
    let known: [&[u8]; 7] = [b"Mon ", b"Tue ", b"Wed ", b"Thu ", b"Fri ", b"Sat ", b"Sun "];
    known.iter().find_map(|day| line.strip_prefix(*day))
}

#[inline]
fn month(name: &[u8]) -> Option<u8> {
    let &[a, b, c] = name else { return None };
    Some(match [a, b, c] {
        [b'J', b'a', b'n'] => 1,
        [b'F', b'e', b'b'] => 2,
        [b'M', b'a', b'r'] => 3,
        [b'A', b'p', b'r'] => 4,
        [b'M', b'a', b'y'] => 5,
        [b'J', b'u', b'n'] => 6,
        [b'J', b'u', b'l'] => 7,
        [b'A', b'u', b'g'] => 8,
        [b'S', b'e', b'p'] => 9,
        [b'O', b'c', b't'] => 10,
        [b'N', b'o', b'v'] => 11,
        [b'D', b'e', b'c'] => 12,
        _ => return None,
    })
}

#[inline]
fn clock_time(text: &[u8]) -> Option<(u8, u8, u8)> {
    let colons = text.get(2) == Some(&b':') && text.get(5) == Some(&b':');
    let parts = (two_digits(text, 0, 24)?, two_digits(text, 3, 60)?, two_digits(text, 6, 61)?);
    colons.then_some(parts)
}

/// `.123456789` (or with a comma) as microseconds; no fraction is zero.
#[inline]
fn fraction(text: &[u8]) -> (u32, &[u8]) {
    let digits = match text {
        [b'.' | b',', digits @ ..] => digits,
        _ => return (0, text),
    };
    let count = digits.iter().take_while(|b| b.is_ascii_digit()).count();
    let shown = digits.iter().take(count.min(6)).fold(0u32, |sum, b| sum * 10 + u32::from(b - b'0'));
    let micros = (count..6).fold(shown, |value, _| value * 10);
    (micros, digits.get(count..).unwrap_or_default())
}

/// Seconds east of Greenwich of `Z`, `+02:00`, `+0200`, `+02`, ` UTC`, and what follows. `None`: no zone is named.
fn zone(text: &[u8]) -> (Option<i32>, &[u8]) {
    let found = match text.first() {
        Some(b'Z') => text.get(1..).map(|rest| (0, rest)),
        Some(b' ') => text.strip_prefix(b" UTC").filter(|rest| end_of_stamp(rest).is_some()).map(|rest| (0, rest)),
        _ => offset(text),
    };
    found.map_or((None, text), |(offset_s, rest)| (Some(offset_s), rest))
}

/// The same where the local zone is named before the host: ` CET`, ` +03`, ` GMT`. Letters are no offset: `CST` and `IST` are several
/// zones each, so such a time is one of a clock on the wall.
fn full_zone(text: &[u8]) -> (Option<i32>, &[u8]) {
    let Some(named) = text.strip_prefix(b" ") else { return zone(text) };
    let end = named.iter().position(|b| matches!(b, b' ' | b'\t')).unwrap_or(named.len());
    let Some((name, rest)) = named.split_at_checked(end) else { return (None, text) };
    match name {
        b"UTC" | b"GMT" => (Some(0), rest),
        [b'A'..=b'Z', ..] if (2..=5).contains(&end) && name.iter().all(u8::is_ascii_uppercase) => (None, rest),
        _ => match offset(name) {
            Some((offset_s, b"")) => (Some(offset_s), rest),
            _ => (None, text),
        },
    }
}

/// `+02:00`, `+0200`, `+02` in seconds.
fn offset(text: &[u8]) -> Option<(i32, &[u8])> {
    let sign = match text.first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let hours = i32::from(two_digits(text, 1, 24)?);
    let at = match text.get(3) {
        Some(b':') => 4,
        Some(b'0'..=b'9') => 3,
        _ => return Some((sign * hours * 3600, text.get(3..)?)),
    };
    let minutes = i32::from(two_digits(text, at, 60)?);
    Some((sign * (hours * 3600 + minutes * 60), text.get(at + 2..)?))
}

/// A stamp ends at a blank, a tab, or the end of the line.
#[inline]
fn end_of_stamp(rest: &[u8]) -> Option<&[u8]> {
    match rest.first() {
        None => Some(rest),
        Some(b' ' | b'\t') => rest.get(1..),
        Some(_) => None,
    }
}

impl WallTime {
    /// The instant of this wall time were it UTC, in microseconds. `None` without a year or on a day the month has not.
    #[must_use]
    pub fn as_utc_micros(&self) -> Option<i64> {
        let year = i64::from(self.year?);
        if self.day > days_in_month(year, self.month) {
            return None;
        }
        let days = days_from_civil(year, i64::from(self.month), i64::from(self.day));
        let seconds =
            days * 86_400 + i64::from(self.hour) * 3600 + i64::from(self.minute) * 60 + i64::from(self.second);
        Some(seconds * 1_000_000 + i64::from(self.micros))
    }
}

/// Days since 1970-01-01 of a date in the proleptic Gregorian calendar.
#[must_use]
pub fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let year_of_era = shifted.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

fn days_in_month(year: i64, month: u8) -> u8 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instant(line: &str) -> Option<i64> {
        match stamp(line.as_bytes())?.0 {
            Stamp::Instant(micros) => Some(micros),
            Stamp::Wall(_) => None,
        }
    }

    fn wall(line: &str) -> Option<(u8, u8, u8, u32)> {
        match stamp(line.as_bytes())?.0 {
            Stamp::Wall(w) => Some((w.month, w.day, w.second, w.micros)),
            Stamp::Instant(_) => None,
        }
    }

    #[test]
    fn stamps_that_name_an_instant() {
        let base = 1_763_803_046_000_000;
        assert_eq!(instant("2025-11-22T09:17:26+00:00 h"), Some(base));
        assert_eq!(instant("2025-11-22T10:17:26.5+01:00 h"), Some(base + 500_000));
        assert_eq!(instant("2025-11-22T03:47:26.436140-0530 h"), Some(base + 436_140));
        assert_eq!(instant("2025-11-22T09:17:26.123456789Z h"), Some(base + 123_456));
        assert_eq!(instant("2025-11-22T12:17:26+03 h"), Some(base));
        assert_eq!(instant("2025-11-22 09:17:26 UTC host"), Some(base));
        assert_eq!(instant("1763803046.436140 host"), Some(base + 436_140));
        assert_eq!(instant("@400000004c91b044077a9e94 x"), Some(1_284_616_250_125_476));
    }

    #[test]
    fn stamps_of_a_clock_on_the_wall() {
        assert_eq!(wall("Jun 17 10:25:14 mail"), Some((6, 17, 14, 0)));
        assert_eq!(wall("Jun  7 10:25:14 mail"), Some((6, 7, 14, 0)));
        assert_eq!(wall("Jun 07 10:25:14 mail"), Some((6, 7, 14, 0)));
        assert_eq!(wall("Jun 7 10:25:14 mail"), Some((6, 7, 14, 0)));
        assert_eq!(wall("Jun 17 10:25:14.000123 mail"), Some((6, 17, 14, 123)));
        assert_eq!(wall("2019-10-15 08:08:52 imap-login:"), Some((10, 15, 52, 0)));
    }

    #[test]
    fn stamps_of_the_journals_full_form() {
        let base = 1_763_803_046_000_000;
        for (line, rest) in [
            ("Sat 2025-11-22 09:17:26 UTC host", "host"),
            ("Sat 2025-11-22 09:17:26 GMT host", "host"),
            ("Sat 2025-11-22 12:17:26 +03 host", "host"),
            ("Sat 2025-11-22 05:47:26 -0330 host", "host"),
            ("Sat 2025-11-22 14:47:26 +05:30 host", "host"),
            ("Sat 2025-11-22 09:17:26 +00 CET x", "CET x"),
            ("Sat 2025-11-22T10:17:26+01:00 CET x", "CET x"),
            ("Sat 2025-11-22 09:17:26 UTC", ""),
        ] {
            assert_eq!(stamp(line.as_bytes()), Some((Stamp::Instant(base), rest.as_bytes())), "{line}");
        }
        let local = WallTime { year: Some(2026), month: 3, day: 10, hour: 11, minute: 0, second: 1, micros: 0 };
        for (line, rest) in [
            ("Tue 2026-03-10 11:00:01 CET mx x", "mx x"),
            ("Tue 2026-03-10 11:00:01 EDT mx x", "mx x"),
            ("Tue 2026-03-10 11:00:01 ACWST\tmx x", "mx x"),
            ("Tue 2026-03-10 11:00:01 CET", ""),
            ("Tue 2026-03-10 11:00:01 CET EDT x", "EDT x"),
            // No zones.
            ("Tue 2026-03-10 11:00:01 M mx", "M mx"),
            ("Tue 2026-03-10 11:00:01 RELAYS mx", "RELAYS mx"),
            ("Tue 2026-03-10 11:00:01 MX1 mx", "MX1 mx"),
            ("Tue 2026-03-10 11:00:01 CET-relay x", "CET-relay x"),
            ("Tue 2026-03-10 11:00:01 UTC-relay x", "UTC-relay x"),
            ("Tue 2026-03-10 11:00:01 Cet x", "Cet x"),
            ("Tue 2026-03-10 11:00:01 +3 x", "+3 x"),
            ("Tue 2026-03-10 11:00:01 +03x x", "+03x x"),
            ("Tue 2026-03-10 11:00:01 +24 x", "+24 x"),
            ("Tue 2026-03-10 11:00:01 - x", "- x"),
            ("Tue 2026-03-10 11:00:01  CET x", " CET x"),
            ("2026-03-10 11:00:01 CET x", "CET x"),
            ("2026-03-10 11:00:01 GMT x", "GMT x"),
            ("2026-03-10 11:00:01 +03 x", "+03 x"),
            ("2026-03-10 11:00:01 UTC-relay x", "UTC-relay x"),
        ] {
            assert_eq!(stamp(line.as_bytes()), Some((Stamp::Wall(local), rest.as_bytes())), "{line}");
        }
        for line in ["Tue Mar 10 11:00:01 CET x", "Mar 10 11:00:01 CET x"] {
            assert_eq!(stamp(line.as_bytes()).map(|(_, rest)| rest), Some(b"CET x".as_slice()), "{line}");
        }
    }

    #[test]
    fn what_is_no_stamp() {
        for line in [
            "",
            "Jun",
            "Foo 17 10:25:14 m",
            "Jun 32 10:25:14 m",
            "Jun 00 10:25:14 m",
            "Jun 17 24:25:14 m",
            "Jun 17 10:25:1",
            "Jun 17 10:25:14mail",
            "2025-13-22T09:17:26Z h",
            "2025-02-30T09:17:26Z h",
            "Tue 2025-02-30 09:17:26 +03 h",
            "2025-02-03T09:17:26+030 h",
            "Tux 2025-02-03 09:17:26 CET h",
            "[ 12.345678] host",
            "123 host",
        ] {
            assert_eq!(stamp(line.as_bytes()), None, "{line}");
        }
    }
}
