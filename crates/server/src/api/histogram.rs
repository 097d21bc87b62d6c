//! `/api/v1/histogram`: how many entries in each span of time.

use answers::questions::histogram_json;
use axum::response::Response;

use super::json;
use crate::asked::Asked;
use crate::problem::Problem;

/// Answers.
pub(crate) fn answer(asked: &Asked) -> Result<Response, Problem> {
    let by = asked.by()?;
    let histogram = asked.histogram(&asked.query()?, asked.width()?, by)?;
    json(&histogram_json(&histogram, by))
}
