//! Entries as they come. The page shows the newest; a script adds what comes after them, and without one the page comes again by itself.

use axum::response::Response;

use super::row::RowView;
use super::{Layout, html};
use crate::asked::Asked;
use crate::problem::Problem;

/// Rows to begin with.
const LIMIT: usize = 40;

/// Lines of each source that are watched for what becomes known of them later: a busy minute's.
const BEHIND: u64 = 1_000;

#[derive(askama::Template)]
#[template(path = "live.html")]
struct Page {
    layout: Layout,
    rows: Vec<RowView>,
    /// Where the script goes on: no line is lost between the page and the stream, and what the page shows comes again when more is known of it.
    after: String,
    /// What the page may show.
    seen: String,
    /// Minutes by which the zone of the pages is east of UTC.
    east: i64,
}

/// Answers.
pub(crate) fn answer(asked: &Asked) -> Result<Response, Problem> {
    let query = asked.query()?;
    let index = answers::state::index(&asked.app.config.state);
    let marks = |lines| index.marks(lines).map_err(|error| Problem::ours(&error.into()));
    // Taken before the rows: what comes in between is on the page and comes again, which is better than not at all.
    let (seen, after) = (marks(0)?.to_string(), marks(BEHIND)?.to_string());
    let found = asked.rows(&query, asked.rows_asked(LIMIT)?)?;
    let layout = Layout::asked(asked, "live", "Live");
    let rows = found.rows.iter().map(|row| RowView::new(asked, &layout, &query, row)).collect();
    let east = answers::questions::offset(&asked.app.config.zone, asked.now) / 60_000_000;
    html(&Page { layout, rows, after, seen, east })
}
