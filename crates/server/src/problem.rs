//! Why there is no answer: as JSON for programs, as a page for people.

use axum::http::StatusCode;
use query::QueryError;
use serde_json::{Value, json};

/// Why there is no answer.
#[derive(Debug)]
pub(crate) struct Problem {
    /// The status of the response.
    pub(crate) status: StatusCode,
    /// What is wrong, and how to go on.
    pub(crate) why: String,
    /// Of a query that cannot be read.
    pub(crate) query: Option<Misread>,
    /// Seconds after which asking again is worth it.
    pub(crate) retry_after: Option<u32>,
}

/// A query that cannot be read.
#[derive(Debug)]
pub(crate) struct Misread {
    /// The query.
    pub(crate) text: String,
    /// Which characters of it are wrong, counted from 0; empty at its end.
    pub(crate) at: std::ops::Range<usize>,
    /// The query with a mark under the wrong characters, on lines.
    pub(crate) pointed: String,
}

impl Problem {
    /// A problem with that status.
    pub(crate) fn new(status: StatusCode, why: impl Into<String>) -> Self {
        Self { status, why: why.into(), query: None, retry_after: None }
    }

    /// What was asked for is asked wrongly.
    pub(crate) fn bad(why: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, why)
    }

    /// There is no such thing.
    pub(crate) fn missing(why: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, why)
    }

    /// Not for this viewer.
    pub(crate) fn forbidden(why: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, why)
    }

    /// Not now.
    pub(crate) fn busy(why: impl Into<String>, seconds: u32) -> Self {
        Self { retry_after: Some(seconds), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, why) }
    }

    /// A query that cannot be read.
    pub(crate) fn of_query(text: &str, error: &QueryError) -> Self {
        let misread = Misread { text: text.to_owned(), at: error.at.clone(), pointed: error.pointed(text) };
        Self { query: Some(misread), ..Self::bad(format!("the query: {error}")) }
    }

    /// An error of ours: what it is stands in the server's own log, not in the answer.
    pub(crate) fn ours(error: &anyhow::Error) -> Self {
        eprintln!("postfix-insights: serve: {error:#}");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the server could not answer; why stands in its own log (`journalctl -u postfix-insights`, or where it was started)",
        )
    }

    /// As the API tells it: `{"error": …, "status": …, "at": {"from", "to"}}`.
    pub(crate) fn to_json(&self) -> Value {
        let mut value = json!({"error": self.why, "status": self.status.as_u16()});
        if let (Some(misread), Some(object)) = (&self.query, value.as_object_mut()) {
            object.insert("at".to_owned(), json!({"from": misread.at.start, "to": misread.at.end}));
        }
        value
    }
}

impl From<store::StoreError> for Problem {
    fn from(error: store::StoreError) -> Self {
        match error {
            store::StoreError::Unreadable(_) => Self::ours(&error.into()),
            other => Self::bad(other.to_string()),
        }
    }
}
