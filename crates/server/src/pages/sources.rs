//! What was read, how far it goes, and what was not understood: can a zero on the other pages be trusted?

use answers::status::{self, Status};
use axum::response::Response;

use super::told::{self, Logins, Told, Triaged};
use super::{Layout, html};
use crate::asked::Asked;
use crate::problem::Problem;

/// Days shown: the newest.
const DAYS: usize = 60;

#[derive(askama::Template)]
#[template(path = "sources.html")]
struct Page {
    layout: Layout,
    as_of: String,
    triaged: Triaged,
    status: Status,
    sources: Vec<Source>,
    days: Vec<Day>,
    days_total: u64,
}

/// A file or the journal, as the store knows it.
struct Source {
    name: String,
    position: u64,
    last: String,
}

/// A day of the store.
struct Day {
    date: String,
    entries: u64,
    bytes: u64,
    /// The search for its lines.
    href: String,
}

/// Answers.
pub(crate) fn answer(asked: &Asked) -> Result<Response, Problem> {
    let (triaged, as_of) = match told::told::<Logins>(asked, "sources", asked.triage(told::WAIT)?)? {
        Told::There(logins, as_of) => (logins.triage, as_of),
        Told::Later(page) => return Ok(*page),
    };
    let status = status::status(&asked.app.config.state).map_err(|error| Problem::ours(&error))?;
    let layout = Layout::asked(asked, "sources", "Sources");
    let source = |source: &status::SourceStatus| Source {
        name: answers::screen::escape(&source.name).into_owned(),
        position: source.position,
        last: source.last.map(query::rfc3339).unwrap_or_default(),
    };
    let day = |day: &store::index::DayState| {
        let date = day.date.to_string();
        Day { href: layout.search_in(format!("on:{date}"), "", ""), entries: day.lines, bytes: day.bytes, date }
    };
    let sources = status.sources.iter().map(source).collect();
    let days = status.days.iter().rev().take(DAYS).map(day).collect();
    let days_total = status.days.len() as u64;
    html(&Page { layout, as_of, triaged, status, sources, days, days_total })
}
