//! What can be said of a line before it is made an entry: most lines of a log are not meant, and need not become one.

use std::cell::OnceCell;

use crate::expr::{Expr, Term, Test};
use crate::fields::{TEXT, TS};

/// A line of which only time and message are known.
pub struct Sight<'a> {
    ts: Option<i64>,
    message: &'a [u8],
    text: OnceCell<String>,
}

impl<'a> Sight<'a> {
    /// Of a line written at `ts` (microseconds since 1970 UTC) with this message, secrets and all.
    #[must_use]
    pub fn new(ts: Option<i64>, message: &'a [u8]) -> Self {
        Self { ts, message, text: OnceCell::new() }
    }

    /// The text its entry will have.
    fn text(&self) -> &str {
        self.text.get_or_init(|| String::from_utf8_lossy(&maillog::redact(self.message)).into_owned())
    }
}

/// Whether an expression can mean the line, and whether it can fail to, whatever its other fields will hold.
pub(crate) fn possible(expr: &Expr, sight: &Sight<'_>) -> (bool, bool) {
    match expr {
        Expr::All => (true, false),
        Expr::And(parts) => parts
            .iter()
            .map(|part| possible(part, sight))
            .fold((true, false), |(can, may_not), (part_can, part_may_not)| (can && part_can, may_not || part_may_not)),
        Expr::Or(parts) => parts
            .iter()
            .map(|part| possible(part, sight))
            .fold((false, true), |(can, may_not), (part_can, part_may_not)| (can || part_can, may_not && part_may_not)),
        Expr::Not(part) => {
            let (can, may_not) = possible(part, sight);
            (may_not, can)
        }
        Expr::Term(term) => known(term, sight).map_or((true, true), |is| (is, !is)),
    }
}

/// The outcome of a test of the time or the text.
fn known(term: &Term, sight: &Sight<'_>) -> Option<bool> {
    match &term.test {
        Test::Time(range) if term.field == TS => Some(sight.ts.is_some_and(|ts| range.contains(ts))),
        Test::Phrase(phrase) if term.field == TEXT => Some(phrase.matches(sight.text())),
        _ => None,
    }
}
