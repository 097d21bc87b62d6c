//! `/api/v1/triage`, `report`, `findings`, `client/ADDR`, `account/NAME`, `trace/ID`: what is counted in logins and messages.
//!
//! `X-As-Of` says when an answer was made: a large one may be a little older than the store.

use std::time::Duration;

use axum::body::Body;
use axum::http::header;
use axum::response::Response;

use crate::asked::Asked;
use crate::data::Made;
use crate::problem::Problem;

/// How long a request waits for an answer that is being made.
const WAIT: Duration = Duration::from_secs(15);

/// `triage`.
pub(crate) fn triage(asked: &Asked) -> Result<Response, Problem> {
    whole(asked.triage(WAIT)?)
}

/// `report`.
pub(crate) fn report(asked: &Asked) -> Result<Response, Problem> {
    whole(asked.report(WAIT)?)
}

/// `client/ADDR`.
pub(crate) fn client(asked: &Asked) -> Result<Response, Problem> {
    whole(asked.client(&asked.subject, WAIT)?)
}

/// `account/NAME`.
pub(crate) fn account(asked: &Asked) -> Result<Response, Problem> {
    whole(asked.account(&asked.subject, WAIT)?)
}

/// `trace/ID`.
pub(crate) fn trace(asked: &Asked) -> Result<Response, Problem> {
    whole(asked.trace(&asked.subject, WAIT)?)
}

/// `findings`.
pub(crate) fn findings(asked: &Asked) -> Result<Response, Problem> {
    whole(asked.findings(WAIT)?)
}

fn made(made: Option<Made>) -> Result<Made, Problem> {
    made.ok_or_else(|| {
        Problem::busy("this answer is still being made: ask again soon, or for a shorter time (`since`)", 10)
    })
}

fn whole(answer: Option<Made>) -> Result<Response, Problem> {
    let made = made(answer)?;
    let response = Response::builder()
        .header(header::CONTENT_TYPE, "application/json")
        .header("x-as-of", made.as_of.to_string())
        .body(Body::from(axum::body::Bytes::from_owner(made.json)));
    response.map_err(|error| Problem::ours(&error.into()))
}
