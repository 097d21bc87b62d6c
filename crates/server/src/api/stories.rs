//! `/api/v1/triage`, `locked-out`, `report`, `findings`, `findings/ID`, `client/ADDR`, `account/NAME`, `trace/ID`: what is counted in logins and messages.
//!
//! `X-As-Of` says when an answer was made: a large one may be a little older than the store.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::header;
use axum::response::Response;
use serde_json::value::RawValue;

use crate::asked::Asked;
use crate::data::{Counted, Made};
use crate::problem::Problem;

/// How long a request waits for an answer that is being made.
const WAIT: Duration = Duration::from_secs(15);

/// `triage`.
pub(crate) fn triage(asked: &Asked) -> Result<Response, Problem> {
    counted(asked, |counted| counted.triage)
}

/// `locked-out`: who tried and did not get in, attackers left out.
pub(crate) fn locked_out(asked: &Asked) -> Result<Response, Problem> {
    counted(asked, |counted| counted.locked_out)
}

/// A part of what is counted in logins.
fn counted(asked: &Asked, part: for<'a> fn(&Counted<'a>) -> &'a RawValue) -> Result<Response, Problem> {
    let mut made = made(asked.triage(WAIT)?)?;
    let counted: Counted<'_> = serde_json::from_slice(&made.json).map_err(|error| Problem::ours(&error.into()))?;
    let json: Arc<[u8]> = part(&counted).get().as_bytes().into();
    made.json = json;
    whole(Some(made))
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

/// `findings/ID`.
pub(crate) fn finding(asked: &Asked) -> Result<Response, Problem> {
    whole(asked.finding(&asked.subject, WAIT)?)
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
