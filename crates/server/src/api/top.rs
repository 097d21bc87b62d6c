//! `/api/v1/top/FIELD`: the commonest values of a field.

use answers::questions::top_json;
use axum::response::Response;
use store::TopAsked;

use super::json;
use crate::asked::Asked;
use crate::problem::Problem;

/// Answers.
pub(crate) fn answer(asked: &Asked) -> Result<Response, Problem> {
    let (field, distinct) = (asked.field(&asked.subject)?, asked.distinct()?);
    let limit = asked.params.number("top", 100, store::VALUES_MAX)?;
    let top = asked.top(&asked.query()?, TopAsked { field, distinct, limit })?;
    json(&top_json(&top, field, distinct))
}
