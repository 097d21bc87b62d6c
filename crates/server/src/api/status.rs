//! `/api/v1/status`: what the store holds.

use axum::response::Response;

use super::json;
use crate::asked::Asked;
use crate::problem::Problem;

/// Answers.
pub(crate) fn answer(asked: &Asked) -> Result<Response, Problem> {
    let status = answers::status::status(&asked.app.config.state).map_err(|error| Problem::ours(&error))?;
    json(&answers::status::to_json(&status))
}
