//! `/metrics`: figures for Prometheus. Labels come from fixed tables alone (classes, routes, states of a response), never from the log: whatever
//! strangers log, the number of series stays the same.

use std::fmt::Write as _;

use answers::follow::Phase;
use axum::body::Body;
use axum::http::header;
use axum::response::Response;
use query::Query;
use store::{Answer, Question, TopAsked};

use crate::asked::Asked;
use crate::problem::Problem;
use crate::requests::STATES;
use crate::route;

/// Answers.
pub(crate) fn answer(asked: &Asked) -> Result<Response, Problem> {
    let mut out = String::new();
    store(asked, &mut out)?;
    server(asked, &mut out);
    let response = Response::builder()
        .header(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")
        .body(Body::from(out));
    response.map_err(|error| Problem::ours(&error.into()))
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    // Writing to a string cannot fail.
    let _ = write!(out, "# HELP postfix_insights_{name} {help}\n# TYPE postfix_insights_{name} {kind}\n");
}

fn one(out: &mut String, name: &str, kind: &str, help: &str, value: impl std::fmt::Display) {
    head(out, name, kind, help);
    // As above.
    let _ = writeln!(out, "postfix_insights_{name} {value}");
}

fn store(asked: &Asked, out: &mut String) -> Result<(), Problem> {
    let status = answers::status::status(&asked.app.config.state).map_err(|error| Problem::ours(&error))?;
    one(out, "store_lines", "gauge", "Lines in the store.", status.entries);
    one(out, "store_bytes", "gauge", "Bytes of the store.", status.bytes);
    one(out, "store_days", "gauge", "Days in the store.", status.days.len());
    one(out, "store_damaged_days", "gauge", "Days that cannot be read.", status.damaged.len());
    let latest = status.sources.iter().filter_map(|source| source.last).max().unwrap_or_default();
    one(out, "store_latest_seconds", "gauge", "The latest time of a line, seconds since 1970.", latest / 1_000_000);
    let behind: u64 = status.sources.iter().filter_map(|source| source.lag_bytes).sum();
    one(out, "follow_lag_bytes", "gauge", "Bytes that followed files are ahead of the store.", behind);
    if let Some(status) = asked.app.following() {
        one(out, "follow_commits_total", "counter", "Commits of the following since the start.", status.commits);
        let waits = matches!(status.phase, Phase::Waiting(_) | Phase::Ended(Some(_)));
        one(out, "follow_stuck", "gauge", "1 while something is in the way of the following.", u8::from(waits));
    }
    classes(asked, out)
}

/// Every class, also those that did not occur.
fn classes(asked: &Asked, out: &mut String) -> Result<(), Problem> {
    let field = asked.field("class")?;
    let question = Question::Top(TopAsked { field, distinct: None, limit: 0 });
    let counted = match asked.ask(&Query::all(), &[question])?.pop() {
        Some(Answer::Top(top)) => top.values,
        _ => Vec::new(),
    };
    head(out, "entries", "gauge", "Entries in the store by class, times their repeats.");
    for class in diagnose::Class::ALL {
        let count = counted.iter().find(|row| row.value == class.name()).map_or(0, |row| row.count);
        // As above.
        let _ = writeln!(out, "postfix_insights_entries{{class=\"{}\"}} {count}", class.name());
    }
    Ok(())
}

fn server(asked: &Asked, out: &mut String) {
    let app = &asked.app;
    one(out, "live_viewers", "gauge", "Live views that are open.", app.live.watching());
    one(out, "sign_in_failures_total", "counter", "Sign-ins that failed.", app.requests.failed_sign_ins());
    head(out, "requests_total", "counter", "Requests by route and state of the response.");
    for (at, route) in route::all().enumerate() {
        for (state, word) in STATES.iter().enumerate() {
            let count = app.requests.count(at, state);
            let path = route.path.replace("{*subject}", "*");
            let verb = if route.verb == route::Verb::Post { "POST" } else { "GET" };
            // As above.
            let _ = writeln!(
                out,
                "postfix_insights_requests_total{{method=\"{verb}\",route=\"/{path}\",state=\"{word}\"}} {count}"
            );
        }
    }
}
