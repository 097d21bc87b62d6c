//! What is wrong with a query, and where.

use std::fmt;
use std::ops::Range;

use crate::present::TimeError;
use crate::vocabulary::Meant;

/// A query that cannot be read: what is wrong, and which characters of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryError {
    /// Which characters, counted from 0. Empty at the end of the query.
    pub at: Range<usize>,
    /// What is wrong with them.
    pub problem: Problem,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// `clinet:`
    #[error("no field is called `{name}`{}; to search for these characters, put them in quotes", nearest.map(|near| format!(", did you mean `{near}`?")).unwrap_or_default())]
    UnknownField {
        /// As it was written.
        name: String,
        /// The field whose name is most like it.
        nearest: Option<&'static str>,
    },
    /// `class:auth_fail`
    #[error("there is no {field} `{value}`{}", meant.told(field))]
    UnknownValue {
        /// The field.
        field: &'static str,
        /// As it was written.
        value: String,
        /// What there is.
        meant: Meant,
    },
    /// `client:` and nothing behind.
    #[error("`{0}:` wants a value: {1}")]
    NoValue(&'static str, &'static str),
    /// `"abc`
    #[error("the quotes are never closed")]
    OpenQuote,
    /// `"abc"def`
    #[error("after closing quotes comes a blank")]
    BehindQuote,
    /// `(a`
    #[error("the parenthesis is never closed")]
    OpenParenthesis,
    /// `a)`
    #[error("no parenthesis is open here")]
    ClosedParenthesis,
    /// `()`
    #[error("there is nothing in the parentheses")]
    EmptyParentheses,
    /// `a OR`
    #[error("`{0}` wants something behind it; to search for the word, put it in quotes")]
    NothingBehind(&'static str),
    /// `OR a`
    #[error("`{0}` wants something before it; to search for the word, put it in quotes")]
    NothingBefore(&'static str),
    /// `client:mail.example.org`
    #[error(
        "`{0}` is neither an address nor a network such as 203.0.113.0/24 or 203.0.113.*; a name is asked for with `client_host:` or `relay_host:`"
    )]
    NoAddress(String),
    /// `pid:abc`
    #[error("`{0}` is no whole number and no range of them: write 25, 25..30, >25, <=25, or 5xx for 500..599")]
    NoInteger(String),
    /// `delay:abc`
    #[error("`{0}` is no number and no range of them: write 1.5, 1..2.5, >1.5 or <=1.5")]
    NoNumber(String),
    /// `truncated:abc`
    #[error("`{0}` is neither yes nor no")]
    NoFlag(String),
    /// `since:noon`
    #[error("`{0}`: {1}")]
    NoTime(String, TimeError),
    /// `5..1`
    #[error("the range ends before it begins")]
    Backwards,
    /// More than [`crate::CHARACTERS_MAX`].
    #[error("a query has at most {} characters", crate::CHARACTERS_MAX)]
    TooLong,
    /// Deeper than [`crate::DEPTH_MAX`].
    #[error("parentheses and NOTs go at most {} deep", crate::DEPTH_MAX)]
    TooDeep,
    /// More than [`crate::TERMS_MAX`].
    #[error("a query has at most {} words and fields", crate::TERMS_MAX)]
    TooManyTerms,
}

impl QueryError {
    /// The query, and under it a mark at what is wrong: two lines, the query's control characters as `·`.
    #[must_use]
    pub fn pointed(&self, query: &str) -> String {
        let shown: String = query.chars().map(|c| if c.is_control() { '·' } else { c }).collect();
        let mark = "^".repeat(self.at.len().max(1));
        format!("{shown}\n{}{mark}", " ".repeat(self.at.start))
    }
}

impl fmt::Display for QueryError {
    /// `character 8: …`, counted from 1.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "character {}: {}", self.at.start + 1, self.problem)
    }
}

impl std::error::Error for QueryError {}
