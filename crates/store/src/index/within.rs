//! What is left of a query within one day.
//!
//! An expression goes in; what it says about time comes out decided wherever the whole day lies on one side. So a question about a
//! month looks at no line's time but in the days in which the month begins and ends, and asks the same of every day between.

use query::{Expr, TS, Term, Test};

use super::day::Date;

/// What an expression means in a day.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Within {
    /// Every line.
    All,
    /// No line.
    Nothing,
    /// Those of this expression.
    Some(Expr),
}

/// A day, and whether it has lines without a time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Length {
    pub(crate) date: Date,
    pub(crate) undated: bool,
}

impl Length {
    /// What an expression means in it.
    pub(crate) fn of(self, expr: &Expr) -> Within {
        match expr {
            Expr::All => Within::All,
            Expr::And(parts) => self.and(parts),
            Expr::Or(parts) => self.or(parts),
            Expr::Not(part) => match self.of(part) {
                Within::All => Within::Nothing,
                Within::Nothing => Within::All,
                Within::Some(part) => Within::Some(Expr::Not(Box::new(part))),
            },
            Expr::Term(term) if term.field == TS => self.time(term),
            Expr::Term(term) => Within::Some(Expr::Term(term.clone())),
        }
    }

    fn and(self, parts: &[Expr]) -> Within {
        let mut left = Vec::new();
        for part in parts {
            match self.of(part) {
                Within::All => {}
                Within::Nothing => return Within::Nothing,
                Within::Some(part) => left.push(part),
            }
        }
        if left.is_empty() { Within::All } else { Within::Some(Expr::and(left)) }
    }

    fn or(self, parts: &[Expr]) -> Within {
        let mut left = Vec::new();
        for part in parts {
            match self.of(part) {
                Within::All => return Within::All,
                Within::Nothing => {}
                Within::Some(part) => left.push(part),
            }
        }
        if left.is_empty() { Within::Nothing } else { Within::Some(Expr::or(left)) }
    }

    fn time(self, term: &Term) -> Within {
        match &term.test {
            Test::Time(range) => {
                let (from, to) = (range.from.unwrap_or(i64::MIN), range.to.unwrap_or(i64::MAX));
                let (start, end) = (self.date.start(), self.date.end());
                if from > to || end < from || to < start {
                    Within::Nothing
                } else if from <= start && end <= to {
                    self.dated()
                } else {
                    Within::Some(Expr::Term(term.clone()))
                }
            }
            Test::Present => self.dated(),
            Test::Absent if !self.undated => Within::Nothing,
            _ => Within::Some(Expr::Term(term.clone())),
        }
    }

    /// Lines with a time.
    fn dated(self) -> Within {
        if self.undated { Within::Some(Expr::Term(Term { field: TS, test: Test::Present })) } else { Within::All }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use query::{Present, Query};

    #[test]
    fn a_whole_day_needs_no_look_at_times() {
        let present = Present { zone: jiff::tz::TimeZone::UTC, now: "2026-06-17T12:00:00Z".parse().unwrap() };
        let expr = |text: &str| Query::parse(text, &present).unwrap().expr().clone();
        let check = |text: &str, undated: bool, expected: Within| {
            let day = Length { date: "2026-06-17".parse().unwrap(), undated };
            assert_eq!(day.of(&expr(text)), expected, "{text} {undated}");
        };
        let some = |text: &str| Within::Some(expr(text));
        check("", true, Within::All);
        check("on:2026-06-17", false, Within::All);
        check("on:2026-06-17", true, some("ts:*"));
        check("on:2026-06-18", false, Within::Nothing);
        check("-on:2026-06-18", false, Within::All);
        check("-on:2026-06-17", false, Within::Nothing);
        check("-on:2026-06-17", true, some("-ts:*"));
        check("since:2026-06-10 until:2026-06-20 bob", false, some("bob"));
        check("since:2026-06-10 until:2026-06-12 bob", false, Within::Nothing);
        check("since:2026-06-20 until:2026-06-12 bob", true, Within::Nothing);
        check("since:2026-06-17T08:00:00Z bob", false, some("since:2026-06-17T08:00:00Z bob"));
        check("bob (ts:? OR since:2026-06-10)", false, some("bob"));
        check("bob (ts:? OR since:2026-06-10)", true, some("bob (ts:? OR ts:*)"));
        check("bob OR on:2026-06-18", true, some("bob"));
        check("bob OR on:2026-06-17", false, Within::All);
        check("ts:? bob", false, Within::Nothing);
        check("ts:? bob", true, some("ts:? bob"));
    }
}
