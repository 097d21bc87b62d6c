//! Entries as they come. The page shows the newest; a script adds what comes after them, and without one the page comes again by itself.

use axum::response::Response;

use super::row::RowView;
use super::{Layout, html};
use crate::asked::Asked;
use crate::problem::Problem;

/// Rows to begin with.
const LIMIT: usize = 40;

#[derive(askama::Template)]
#[template(path = "live.html")]
struct Page {
    layout: Layout,
    rows: Vec<RowView>,
    /// Where the script goes on: no line is lost between the page and the stream.
    after: String,
    /// Minutes by which the zone of the pages is east of UTC.
    east: i64,
}

/// Answers.
pub(crate) fn answer(asked: &Asked) -> Result<Response, Problem> {
    let query = asked.query()?;
    let marks = answers::state::index(&asked.app.config.state).marks(0);
    let after = marks.map_err(|error| Problem::ours(&error.into()))?.to_string();
    let found = asked.rows(&query, asked.rows_asked(LIMIT)?)?;
    let layout = Layout::asked(asked, "live", "Live");
    let rows = found.rows.iter().map(|row| RowView::new(asked, &layout, &query, row)).collect();
    let east = answers::questions::offset(&asked.app.config.zone, asked.now) / 60_000_000;
    html(&Page { layout, rows, after, east })
}
