//! The first page: how the logins are, and what to do about it. The verdict comes first.
//!
//! The picture comes from the index at once. What is counted in logins may take longer; until it is there the page says so and comes again.

use std::time::Duration;

use axum::http::{HeaderValue, header};
use axum::response::Response;
use query::Query;
use store::Width;

use super::chart::Chart;
use super::links::address;
use super::told::{self, Triaged};
use super::{Layout, html};
use crate::asked::Asked;
use crate::problem::Problem;

/// How long the page waits for what is counted in logins.
const WAIT: Duration = Duration::from_millis(400);
/// Spans of the picture at most.
const BARS: usize = 60;
/// Rows of each list.
const ROWS: usize = 8;
/// What the picture shows.
const SHOWN: &str =
    "class:(auth_ok OR auth_failed OR auth_refused OR auth_aborted OR backend_fault OR not_logged_in OR relay_denied)";

#[derive(askama::Template)]
#[template(path = "overview.html")]
struct Page {
    layout: Layout,
    chart: Option<Chart>,
    told: Option<Told>,
    /// What is counted in logins is still being made.
    is_late: bool,
    /// The query of the picture.
    shown: &'static str,
}

/// What was counted in logins.
struct Told {
    as_of: String,
    triaged: Triaged,
    verdict: Verdict,
    causes: Vec<Cause>,
}

/// A cause and how often it came.
struct Cause {
    id: String,
    title: String,
    count: u64,
    query: String,
}

/// The page's first sentence.
struct Verdict {
    tone: &'static str,
    text: String,
    more: String,
}

/// Answers.
pub(crate) fn answer(asked: &Asked) -> Result<Response, Problem> {
    let layout = Layout::asked(asked, "", "Overview").with_presets(asked);
    let chart = chart(asked, &layout)?;
    // Whoever sees some domains only sees the picture of these: the rest tells of everybody's logins.
    let whole = asked.viewer.scope.is_none();
    let made = if whole { asked.triage(WAIT)? } else { None };
    let told = made.as_ref().map(told).transpose()?;
    let is_late = whole && told.is_none();
    let mut response = html(&Page { layout, chart, told, is_late, shown: SHOWN })?;
    if is_late || asked.app.progress.so_far().is_some() {
        response.headers_mut().insert(header::REFRESH, HeaderValue::from_static("2"));
    }
    Ok(response)
}

fn chart(asked: &Asked, layout: &Layout) -> Result<Option<Chart>, Problem> {
    let shown = Query::parse(SHOWN, &asked.present()).map_err(|error| Problem::of_query(SHOWN, &error))?;
    let query = asked.query()?.and(shown);
    let histogram = asked.histogram(&query, Width::Auto(BARS), Some(asked.field("class")?))?;
    let href = |from: &str, to: &str| address(&layout.base, &[("since", from), ("until", to)]);
    Ok(Chart::draw("Logins and refusals over time", &histogram, &asked.clock(), &href))
}

fn told(made: &crate::data::Made) -> Result<Told, Problem> {
    let mut triaged: Triaged = told::read(made)?;
    let verdict = verdict(&triaged);
    let causes = causes(&triaged);
    triaged.clients.retain(|row| {
        row.auth_failed + row.backend_fault + row.auth_refused + row.auth_aborted + row.sessions_killed > 0
    });
    triaged.clients.truncate(ROWS);
    triaged.accounts.retain(|row| row.auth_failed + row.backend_fault + row.auth_refused > 0);
    triaged.accounts.truncate(ROWS);
    triaged.recovered.truncate(ROWS);
    Ok(Told { as_of: made.as_of.to_string(), verdict, causes, triaged })
}

/// The commonest causes.
fn causes(triaged: &Triaged) -> Vec<Cause> {
    let mut causes: Vec<(&String, &u64)> = triaged.causes.iter().collect();
    causes.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let cause = |(id, count): (&String, &u64)| Cause {
        id: id.clone(),
        title: diagnose::all().find(|cause| cause.id == id).map_or_else(|| id.clone(), |cause| cause.title.to_owned()),
        count: *count,
        query: super::terms::text("cause", id),
    };
    causes.into_iter().take(ROWS).map(cause).collect()
}

fn verdict(triaged: &Triaged) -> Verdict {
    let plural = answers::screen::plural;
    let (failures, ok) = (triaged.failures(), triaged.class("auth_ok"));
    let logins = format!("{} failed, {} succeeded", plural(failures, "login", "logins"), plural(ok, "login", "logins"));
    let findings = triaged.findings.len() as u64;
    let verdict = |tone, text: String, more: String| Verdict { tone, text, more };
    if triaged.coverage.lines == 0 {
        return verdict(
            "plain",
            "There are no log lines of this time.".to_owned(),
            "Choose a longer time, or see under Sources what was read.".to_owned(),
        );
    }
    if findings > 0 {
        let text = format!("{} you should know.", plural(findings, "thing", "things"));
        return verdict("warn", text, format!("{logins}."));
    }
    if triaged.class("backend_fault") + triaged.sessions_killed > 0 {
        return verdict("fault", "The login backend had faults.".to_owned(), format!("{logins}."));
    }
    if failures > 0 {
        return verdict("plain", "Some logins failed; nothing stands out.".to_owned(), format!("{logins}."));
    }
    verdict("good", "No login failed.".to_owned(), format!("{logins}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn triaged(json: &str) -> Triaged {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn the_verdict_names_the_worst() {
        for (json, tone, begin) in [
            (r#"{"coverage": {"lines": 0}}"#, "plain", "There are no log lines"),
            (r#"{"coverage": {"lines": 9}, "classes": {"auth_ok": 2}}"#, "good", "No login failed"),
            (r#"{"coverage": {"lines": 9}, "classes": {"auth_failed": 2}}"#, "plain", "Some logins failed"),
            (r#"{"coverage": {"lines": 9}, "classes": {"backend_fault": 1}}"#, "fault", "The login backend"),
            (r#"{"coverage": {"lines": 9}, "sessions_killed": 1}"#, "fault", "The login backend"),
            (r#"{"coverage": {"lines": 9}, "findings": [{"id": "a"}]}"#, "warn", "1 thing you"),
        ] {
            let verdict = verdict(&triaged(json));
            assert_eq!(verdict.tone, tone, "{json}");
            assert!(verdict.text.starts_with(begin), "{}", verdict.text);
        }
    }

    #[test]
    fn what_the_picture_shows_is_a_query() {
        let present = query::Present { zone: jiff::tz::TimeZone::UTC, now: jiff::Timestamp::UNIX_EPOCH };
        assert!(Query::parse(SHOWN, &present).unwrap().strangers().is_empty());
    }

    #[test]
    fn the_commonest_cause_comes_first() {
        let causes = causes(&triaged(r#"{"causes": {"cred.unknown_user": 2, "backend.socket_missing": 5}}"#));
        let ids: Vec<_> = causes.iter().map(|cause| (cause.id.as_str(), cause.query.as_str())).collect();
        assert_eq!(
            ids,
            [
                ("backend.socket_missing", "cause:backend.socket_missing"),
                ("cred.unknown_user", "cause:cred.unknown_user")
            ]
        );
        assert_ne!(causes[0].title, causes[0].id);
    }
}
