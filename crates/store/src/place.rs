//! Where an entry stands among all others: the order of rows, and the cursor that continues a page.

use std::fmt;
use std::str::FromStr;

use query::Entry;

/// By time, then source, then line; what has no time is older than all. Every store orders by it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Microseconds since 1970 UTC.
    pub ts: Option<i64>,
    /// The source's name.
    pub source: String,
    /// The line's number there.
    pub line: i64,
}

impl Place {
    /// An entry's place.
    #[must_use]
    pub fn of(entry: &Entry) -> Self {
        Self { ts: entry.ts, source: entry.source.clone().unwrap_or_default(), line: entry.line.unwrap_or_default() }
    }
}

/// The last row of a page: the next page begins behind it, whatever has been added since. As text it is opaque.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(pub Place);

/// A text that no page gave out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this cursor comes from no page")]
pub struct CursorError;

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.ts {
            Some(ts) => write!(f, "{ts}")?,
            None => f.write_str("none")?,
        }
        write!(f, ".{}.{}", self.0.line, self.0.source)
    }
}

impl FromStr for Cursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        let mut parts = text.splitn(3, '.');
        let (Some(ts), Some(line), Some(source)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(CursorError);
        };
        let ts = if ts == "none" { None } else { Some(ts.parse().map_err(|_| CursorError)?) };
        Ok(Self(Place { ts, source: source.to_owned(), line: line.parse().map_err(|_| CursorError)? }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_survive_being_written() {
        for (ts, source, line) in
            [(Some(-5), "/var/log/mail.log.1", 7), (None, "", 0), (Some(i64::MAX), "a.b c\n", i64::MIN)]
        {
            let cursor = Cursor(Place { ts, source: source.to_owned(), line });
            assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }
        for text in ["", "1", "1.2", "x.1.a", "1.x.a", "none"] {
            assert_eq!(text.parse::<Cursor>(), Err(CursorError), "{text}");
        }
    }
}
