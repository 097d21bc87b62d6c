//! `/api/v1/entries`: a JSON array of entries; `Link: <…>; rel="next"` says where to go on.

use answers::json::entry;
use answers::mask::Mask;
use axum::http::{HeaderValue, header};
use axum::response::Response;

use crate::asked::Asked;
use crate::problem::Problem;

/// Entries without a `limit`.
const LIMIT: usize = 100;

/// Answers.
pub(crate) fn answer(asked: &Asked) -> Result<Response, Problem> {
    let found = asked.rows(&asked.query()?, asked.rows_asked(LIMIT)?)?;
    // Masked already.
    let rows: Vec<_> = found.rows.iter().map(|row| entry(&row.entry, Mask(false))).collect();
    let mut response = super::json(&rows)?;
    if let Some(next) = found.next {
        let link = format!("<{}>; rel=\"next\"", asked.link_with("cursor", &next.to_string()));
        let link = HeaderValue::from_str(&link).map_err(|error| Problem::ours(&error.into()))?;
        response.headers_mut().insert(header::LINK, link);
    }
    Ok(response)
}
