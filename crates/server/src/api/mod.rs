//! The API: answers as JSON, the same shapes as the command line's `--json`.

pub(crate) mod entries;

use axum::body::Body;
use axum::http::header;
use axum::response::Response;
use serde::Serialize;

use crate::problem::Problem;
use crate::route::{self, Route};

/// What programs can ask.
pub(crate) static ROUTES: &[Route] =
    &[Route::data("api/v1/entries", route::ROWS, entries::answer, "the entries that a query means")];

/// A response that is JSON.
pub(crate) fn json(value: &impl Serialize) -> Result<Response, Problem> {
    let body = serde_json::to_vec(value).map_err(|error| Problem::ours(&error.into()))?;
    let response = Response::builder().header(header::CONTENT_TYPE, "application/json").body(Body::from(body));
    response.map_err(|error| Problem::ours(&error.into()))
}
