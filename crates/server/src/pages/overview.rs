//! The first page: how the logins are.

use axum::response::Response;

use super::{Layout, html};
use crate::asked::Asked;
use crate::problem::Problem;

#[derive(askama::Template)]
#[template(path = "overview.html")]
struct Page {
    layout: Layout,
    /// Entries of the time asked for.
    entries: u64,
}

/// Answers.
pub(crate) fn answer(asked: &Asked) -> Result<Response, Problem> {
    let entries = asked.count(&asked.query()?)?;
    html(&Page { layout: Layout::asked(asked, "", "Overview"), entries })
}
