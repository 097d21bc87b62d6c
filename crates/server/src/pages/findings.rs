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
}

/// `findings`.
#[derive(serde::Deserialize)]
struct Found {
    findings: Vec<Finding>,
}

/// Answers.
pub(crate) fn answer(asked: &Asked) -> Result<Response, Problem> {
    let (found, as_of) = match told::told::<Found>(asked, "findings", asked.findings(told::WAIT)?)? {
        Told::There(found, as_of) => (found, as_of),
        Told::Later(page) => return Ok(*page),
    };
    let layout = Layout::asked(asked, "findings", "Findings").with_presets(asked);
    html(&Page { layout, as_of, findings: found.findings })
}
