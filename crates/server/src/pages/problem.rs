//! Why there is no page, and how to go on.

use axum::http::StatusCode;
use axum::response::Response;

use super::{Layout, html};
use crate::access::{Origin, Viewer};
use crate::app::App;
use crate::problem::Problem;

#[derive(askama::Template)]
#[template(path = "problem.html")]
struct Page<'a> {
    layout: Layout,
    status: u16,
    why: String,
    /// A query with a mark under what is wrong with it.
    pointed: Option<&'a str>,
}

/// The page. For somebody who is known it has the places around it that are his.
pub(crate) fn page(app: &App, problem: &Problem, viewer: Option<&(Viewer, Origin)>) -> Result<Response, Problem> {
    let mut layout = Layout::new(app, "-", word(problem));
    if let Some((viewer, origin)) = viewer {
        layout = layout.seen_by(viewer, origin);
    }
    if let Some(misread) = &problem.query {
        layout.query.clone_from(&misread.text);
    }
    html(&Page {
        layout,
        status: problem.status.as_u16(),
        why: answers::screen::escape(&problem.why).into_owned(),
        pointed: problem.query.as_ref().map(|misread| misread.pointed.as_str()),
    })
}

/// What the page is called.
fn word(problem: &Problem) -> &'static str {
    match problem.status {
        StatusCode::BAD_REQUEST if problem.query.is_some() => "The query cannot be read",
        StatusCode::BAD_REQUEST => "This cannot be asked",
        StatusCode::UNAUTHORIZED => "Sign in first",
        StatusCode::FORBIDDEN => "Not allowed",
        StatusCode::NOT_FOUND => "Nothing is here",
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => "Not now",
        _ => problem.status.canonical_reason().unwrap_or("No answer"),
    }
}
