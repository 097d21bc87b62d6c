//! Which days a query can mean.

use query::{Expr, TS, Test};

use super::day::Date;

/// A stretch of time, both ends in it, microseconds since 1970 UTC, and whether lines without a time are meant as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    from: i64,
    to: i64,
    /// Lines without a time may be in any day.
    pub(crate) undated: bool,
}

impl Span {
    /// All time.
    pub(crate) const ALL: Self = Self { from: i64::MIN, to: i64::MAX, undated: true };

    /// What an expression says about time: nothing it means lies outside.
    pub(crate) fn of(expr: &Expr) -> Self {
        match expr {
            Expr::Term(term) if term.field == TS => match &term.test {
                Test::Time(range) => {
                    Self { from: range.from.unwrap_or(i64::MIN), to: range.to.unwrap_or(i64::MAX), undated: false }
                }
                Test::Absent => Self { from: i64::MAX, to: i64::MIN, undated: true },
                _ => Self::ALL,
            },
            Expr::And(parts) => parts.iter().map(Self::of).fold(Self::ALL, |a, b| Self {
                from: a.from.max(b.from),
                to: a.to.min(b.to),
                undated: a.undated && b.undated,
            }),
            Expr::Or(parts) => parts
                .iter()
                .map(Self::of)
                .reduce(|a, b| Self { from: a.from.min(b.from), to: a.to.max(b.to), undated: a.undated || b.undated })
                .unwrap_or(Self::ALL),
            _ => Self::ALL,
        }
    }

    /// Whether any of it is in a day.
    pub(crate) fn touches(self, day: Date) -> bool {
        self.from <= self.to && day.start() <= self.to && day.end() >= self.from
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use query::{Present, Query};

    #[test]
    fn time_is_found_in_queries() {
        let present = Present { zone: jiff::tz::TimeZone::UTC, now: "2026-06-17T12:00:00Z".parse().unwrap() };
        let check = |text: &str, day: &str, expected: bool| {
            let query = Query::parse(text, &present).unwrap();
            assert_eq!(Span::of(query.expr()).touches(day.parse().unwrap()), expected, "{text} {day}");
        };
        check("", "1970-01-01", true);
        check("on:2026-06-17 user:bob", "2026-06-17", true);
        check("on:2026-06-17 user:bob", "2026-06-16", false);
        check("on:2026-06-17 user:bob", "2026-06-18", false);
        check("on:2026-06-17 OR on:2026-06-15", "2026-06-15", true);
        check("on:2026-06-17 OR on:2026-06-15", "2026-06-18", false);
        check("on:2026-06-17 OR bob", "2026-06-18", true);
        check("-on:2026-06-17", "2026-06-18", true);
        check("since:2026-06-17 until:2026-06-16", "2026-06-17", false);
        check("on:2026-06-17 OR ts:?", "2026-06-18", false);
        check("on:2026-06-17 OR ts:?", "2026-06-17", true);
        let span = |text: &str| Span::of(Query::parse(text, &present).unwrap().expr());
        assert!(span("bob").undated && span("on:2026-06-17 OR ts:?").undated && !span("on:2026-06-17 bob").undated);
    }
}
