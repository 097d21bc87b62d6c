//! `/api/v1/count`: how many entries, times their repeats.

use answers::questions::count_json;
use axum::response::Response;

use super::json;
use crate::asked::Asked;
use crate::problem::Problem;

/// Answers.
pub(crate) fn answer(asked: &Asked) -> Result<Response, Problem> {
    json(&count_json(asked.count(&asked.query()?)?))
}
