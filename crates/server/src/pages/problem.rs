//! Why there is no page.

use axum::response::Response;

use super::{Layout, html};
use crate::app::App;
use crate::problem::Problem;

#[derive(askama::Template)]
#[template(path = "problem.html")]
struct Page<'a> {
    layout: Layout,
    status: u16,

    why: &'a str,
    /// A query with a mark under what is wrong with it.
    pointed: Option<&'a str>,
}

/// The page.
pub(crate) fn page(app: &App, problem: &Problem) -> Result<Response, Problem> {
    let word = problem.status.canonical_reason().unwrap_or("Error");
    let mut layout = Layout::new(app, "", word);
    if let Some(misread) = &problem.query {
        layout.query.clone_from(&misread.text);
    }
    html(&Page {
        layout,
        status: problem.status.as_u16(),

        why: &problem.why,
        pointed: problem.query.as_ref().map(|misread| misread.pointed.as_str()),
    })
}
