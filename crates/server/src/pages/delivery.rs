//! How the mail fared: how long it took, where it went, what was put off or returned and why, and how much of it was encrypted.

use std::collections::BTreeMap;

use axum::response::Response;
use query::Query;
use serde::Deserialize;
use store::Width;

use super::chart::Chart;
use super::links::address;
use super::told::{self, Told};
use super::{Layout, html};
use crate::asked::Asked;
use crate::problem::Problem;

/// Bars of the picture at most.
const BARS: usize = 60;
/// Rows of each list.
const ROWS: usize = 25;
/// What the picture shows.
const SHOWN: &str = "class:(sent OR deferred OR bounced OR expired)";

#[derive(askama::Template)]
#[template(path = "delivery.html")]
struct Page {
    layout: Layout,
    r: Report,
    chart: Option<Chart>,
    as_of: String,
}

/// What of `report` is shown.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Report {
    messages: Messages,
    deliveries: Fates,
    delivered: Delivered,
    handed_on: HandedOn,
    deferred_then: Fates,
    delivery_time: Times,
    destinations: Vec<Destination>,
    reasons: Vec<Reason>,
    reject_reasons: Vec<Reject>,
    tls: Tls,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Messages {
    received: u64,
    expired: u64,
    in_queue: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Fates {
    sent: u64,
    deferred: u64,
    bounced: u64,
    expired: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Delivered {
    deliveries: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct HandedOn {
    deliveries: u64,
}

impl Fates {
    fn all(&self) -> u64 {
        self.sent + self.deferred + self.bounced + self.expired
    }
}

/// Seconds.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Times {
    count: u64,
    p50: f64,
    p95: f64,
    p99: f64,
    max: f64,
    sla: Vec<Limit>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Limit {
    seconds: f64,
    within: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Destination {
    domain: String,
    sent: u64,
    deferred: u64,
    bounced: u64,
    expired: u64,
    delivery_time: Times,
    codes: Vec<Code>,
}

impl Destination {
    /// Deliveries to it that did not end well, or all of them.
    fn query(&self) -> String {
        let plain = self.domain.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c));
        if plain { format!("to:*@{} {SHOWN}", self.domain) } else { SHOWN.to_owned() }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Code {
    dsn: String,
    count: u64,
    meaning: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Reason {
    title: String,
    meaning: String,
    deferred: u64,
    bounced: u64,
    expired: u64,
    codes: Vec<Code>,
    sample: String,
    next: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Reject {
    title: String,
    count: u64,
    sample: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Tls {
    #[serde(rename = "in")]
    incoming: Share,
    out: Share,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Share {
    told: bool,
    by_version: BTreeMap<String, u64>,
    clear: u64,
}

impl Share {
    fn words(&self) -> String {
        if !self.told {
            return "the log does not tell".to_owned();
        }
        let encrypted: u64 = self.by_version.values().sum();
        let share = answers::report_page::share(encrypted, encrypted + self.clear);
        let versions: Vec<String> = self
            .by_version
            .iter()
            .map(|(version, count)| format!("{} {}", answers::screen::escape(version), answers::screen::number(*count)))
            .collect();
        format!("{share} encrypted ({})", versions.join(", "))
    }
}

/// Answers.
pub(crate) fn answer(asked: &Asked) -> Result<Response, Problem> {
    let (mut r, as_of) = match told::told::<Report>(asked, "delivery", asked.report(told::WAIT)?)? {
        Told::There(report, as_of) => (report, as_of),
        Told::Later(page) => return Ok(*page),
    };
    r.destinations.truncate(ROWS);
    r.reasons.truncate(ROWS);
    r.reject_reasons.truncate(ROWS);
    let layout = Layout::asked(asked, "delivery", "Delivery").with_presets(asked);
    let chart = chart(asked)?;
    html(&Page { layout, r, chart, as_of })
}

fn chart(asked: &Asked) -> Result<Option<Chart>, Problem> {
    let shown = Query::parse(SHOWN, &asked.present()).map_err(|error| Problem::of_query(SHOWN, &error))?;
    let query = asked.query()?.and(shown);
    let histogram = asked.histogram(&query, Width::Auto(BARS), Some(asked.field("class")?))?;
    let href = |from: &str, to: &str| address(asked.uri.path(), &[("since", from), ("until", to)]);
    Ok(Chart::draw("Deliveries over time", &histogram, &asked.clock(), &href))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_in_words() {
        let share = |json: &str| serde_json::from_str::<Share>(json).unwrap().words();
        assert_eq!(share("{}"), "the log does not tell");
        assert_eq!(
            share(r#"{"told": true, "by_version": {"TLSv1.3": 3}, "clear": 1}"#),
            "75.0 % encrypted (TLSv1.3 3)"
        );
    }

    #[test]
    fn a_strange_domain_is_no_query() {
        let query = |domain: &str| Destination { domain: domain.into(), ..Destination::default() }.query();
        assert!(query("example.org").starts_with("to:*@example.org "));
        assert_eq!(query("a\" OR b"), SHOWN);
    }
}
