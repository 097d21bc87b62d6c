//! `/api/v1/explain`: every field of a line, its class, cause, and what to do. By `GET` for short lines, by `POST` for those that are not to stand in
//! an address.

use axum::response::Response;

use super::json;
use crate::asked::Asked;
use crate::data::explained;
use crate::problem::Problem;

/// Answers.
pub(crate) fn answer(asked: &Asked) -> Result<Response, Problem> {
    let line = asked.params.get("line").ok_or_else(|| Problem::bad("`line` is missing: the log line to explain"))?;
    json(&explained(line, asked.viewer.mask()))
}
