//! What a person should know now, each with what proves it, what to do, and what not to do.

use axum::response::Response;

use super::told::{self, Finding, Told};
use super::{Layout, html};
use crate::asked::Asked;
use crate::problem::Problem;

#[derive(askama::Template)]
#[template(path = "findings.html")]
struct Page {
    layout: Layout,
    as_of: String,
    findings: Vec<Finding>,
    /// Whether this is a later page.
    later: bool,
    /// The address of the next page.
    next: Option<String>,
}

/// `findings`.
#[derive(serde::Deserialize)]
struct Found {
    findings: Vec<Finding>,
}

/// Findings of a page.
const LIMIT: usize = 40;
/// So far findings can be turned over.
const LAST: usize = 1_000_000;

/// Answers.
pub(crate) fn answer(asked: &Asked) -> Result<Response, Problem> {
    let first = asked.params.number("cursor", 0, LAST)?;
    // One more tells whether there are more.
    let made = asked.some_findings((first, LIMIT + 1), told::WAIT)?;
    let (mut found, as_of) = match told::told::<Found>(asked, "findings", made)? {
        Told::There(found, as_of) => (found, as_of),
        Told::Later(page) => return Ok(*page),
    };
    let next = (found.findings.len() > LIMIT).then(|| asked.link_with("cursor", &(first + LIMIT).to_string()));
    found.findings.truncate(LIMIT);
    let layout = Layout::asked(asked, "findings", "Findings").with_presets(asked);
    html(&Page { layout, as_of, findings: found.findings, later: first > 0, next })
}
