//! The entries that a query means, newest first, with a count of all.

use axum::response::Response;

use super::{Layout, html};
use crate::asked::Asked;
use crate::problem::Problem;

/// Rows of a page.
const LIMIT: usize = 50;

#[derive(askama::Template)]
#[template(path = "search.html")]
struct Page {
    layout: Layout,
    rows: Vec<RowView>,
    count: u64,
    /// The address of the next page.
    next: Option<String>,
}

/// An entry as the template takes it.
struct RowView {
    time: String,
    host: String,
    tag: String,
    text: String,
    class: Option<String>,
    cause: Option<String>,
}

/// Answers.
pub(crate) fn answer(asked: &Asked) -> Result<Response, Problem> {
    let query = asked.query()?;
    let count = asked.count(&query)?;
    let found = asked.rows(&query, asked.rows_asked(LIMIT)?)?;
    let clock = asked.clock();
    let rows = found.rows.iter().map(|row| {
        let entry = &row.entry;
        RowView {
            time: entry.ts.map_or_else(|| "no time".to_owned(), |ts| clock.full(ts)),
            host: entry.host.clone().unwrap_or_default(),
            tag: entry.tag.clone().unwrap_or_default(),
            text: entry.text.clone().unwrap_or_default(),
            class: entry.class.clone(),
            cause: entry.cause.clone(),
        }
    });
    html(&Page {
        layout: Layout::asked(asked, "search", "Search"),
        rows: rows.collect(),
        count,
        next: found.next.map(|next| asked.link_with("cursor", &next.to_string())),
    })
}
