//! `/api/v1/audit`: who asked for what, the newest first. For admins.

use axum::http::{HeaderValue, header};
use axum::response::Response;

use super::json;
use crate::asked::Asked;
use crate::problem::Problem;

/// Answers.
pub(crate) fn answer(asked: &Asked) -> Result<Response, Problem> {
    let limit = asked.params.number("limit", 100, 10_000)?;
    let before = asked.params.get("cursor").map(str::parse).transpose();
    let before = before.map_err(|_| Problem::bad("cursor: this comes from no page"))?.unwrap_or(i64::MAX);
    let rows = asked.app.access.with(|users| users.noted(before, limit))?.unwrap_or_default();
    let mut response = json(&rows)?;
    if let Some(last) = rows.last().filter(|_| rows.len() == limit) {
        let link = format!("<{}>; rel=\"next\"", asked.link_with("cursor", &last.id.to_string()));
        let link = HeaderValue::from_str(&link).map_err(|error| Problem::ours(&error.into()))?;
        response.headers_mut().insert(header::LINK, link);
    }
    Ok(response)
}
