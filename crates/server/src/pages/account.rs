//! Everything about one client, network or login name: the verdict, six questions with their answers, what happened when, and what to do.

use axum::response::Response;
use query::Query;
use store::Width;

use super::chart::Chart;
use super::told::{self, Story, Told};
use super::{Layout, html, terms};
use crate::asked::Asked;
use crate::problem::Problem;

/// Bars of the picture at most.
const BARS: usize = 60;
/// Rows of each list: the latest.
const ROWS: usize = 30;
/// Clients listed: those that failed most. A name that every attacker tries has hundreds.
const CLIENTS: usize = 50;

#[derive(askama::Template)]
#[template(path = "subject.html")]
struct Page {
    layout: Layout,
    /// `client` or `account`.
    what: &'static str,
    name: String,
    verdict: String,
    story: Story,
    /// The query that means its entries.
    query: String,
    chart: Option<Chart>,
    as_of: String,
    /// Whether the log says anything about it.
    found: bool,
    totals: Totals,
}

/// How many there are of what the page lists the latest of.
struct Totals {
    attempts: u64,
    logins: u64,
    messages: u64,
    refusals: u64,
    clients: u64,
}

/// A client or a network.
pub(crate) fn client(asked: &Asked) -> Result<Response, Problem> {
    let made = asked.client(&asked.subject, told::WAIT)?;
    answer(asked, "client", "client_ip", made)
}

/// A login name.
pub(crate) fn account(asked: &Asked) -> Result<Response, Problem> {
    let made = asked.account(&asked.subject, told::WAIT)?;
    answer(asked, "account", "username", made)
}

fn answer(
    asked: &Asked,
    what: &'static str,
    field: &str,
    made: Option<crate::data::Made>,
) -> Result<Response, Problem> {
    let (mut story, as_of) = match told::told::<Story>(asked, "-", made)? {
        Told::There(story, as_of) => (story, as_of),
        Told::Later(page) => return Ok(*page),
    };
    let word = if what == "client" { "Client" } else { "Account" };
    let layout = Layout::asked(asked, "-", &format!("{word} {}", asked.subject)).with_presets(asked);
    let query = terms::text(field, &asked.subject);
    let chart = chart(asked, &layout, &query)?;
    let totals = Totals {
        attempts: story.attempts.len() as u64,
        logins: story.logins.len() as u64,
        messages: story.messages.len() as u64,
        refusals: story.refusals.len() as u64,
        clients: story.clients.len() as u64,
    };
    let verdict = verdict(&story);
    let found = !story.classes.is_empty() || !story.clients.is_empty() || chart.is_some();
    story.clients.truncate(CLIENTS);
    latest(&mut story.attempts);
    latest(&mut story.logins);
    latest(&mut story.messages);
    latest(&mut story.refusals);
    html(&Page {
        what,
        name: answers::screen::escape(&asked.subject).into_owned(),
        verdict,
        found,
        query,
        chart,
        as_of,
        totals,
        story,
        layout,
    })
}

/// The newest first, and no more than a page has room for.
fn latest<T>(rows: &mut Vec<T>) {
    rows.reverse();
    rows.truncate(ROWS);
}

/// Of the account, or of the only client.
fn verdict(story: &Story) -> String {
    match (&story.row, story.clients.as_slice()) {
        (Some(row), _) => row.verdict.clone(),
        (None, [only]) => only.verdict.clone(),
        _ => String::new(),
    }
}

fn chart(asked: &Asked, layout: &Layout, query: &str) -> Result<Option<Chart>, Problem> {
    let parsed = Query::parse(query, &asked.present()).map_err(|error| Problem::of_query(query, &error))?;
    let histogram = asked.histogram(&asked.query()?.and(parsed), Width::Auto(BARS), Some(asked.field("class")?))?;
    let href = |from: &str, to: &str| layout.search_in(query, from, to);
    Ok(Chart::draw("Log lines over time", &histogram, &asked.clock(), &href))
}
