//! One finding: what it is about, what proves it, what to do, and what can be written to whom about it.

use axum::response::Response;

use super::told::{self, OneFinding, Told};
use super::{Layout, html};
use crate::asked::Asked;
use crate::problem::Problem;

#[derive(askama::Template)]
#[template(path = "finding.html")]
struct Page {
    layout: Layout,
    as_of: String,
    told: OneFinding,
    /// For whom, and the words.
    tickets: Vec<(&'static str, String)>,
}

/// Answers.
pub(crate) fn answer(asked: &Asked) -> Result<Response, Problem> {
    let made = asked.finding(&asked.subject, told::WAIT)?;
    let (mut told, as_of) = match told::told::<OneFinding>(asked, "findings", made)? {
        Told::There(told, as_of) => (told, as_of),
        Told::Later(page) => return Ok(*page),
    };
    let layout = Layout::asked(asked, "findings", "Finding").with_presets(asked);
    let tickets = std::mem::take(&mut told.tickets);
    html(&Page { layout, as_of, told, tickets: tickets.words() })
}
