//! The query language, and everything a query can name: the fields, the classes, the causes. All of it comes from the tables that the program works by.

use std::collections::BTreeMap;

use axum::response::Response;
use query::{FIELDS, Field, Kind};

use super::{Layout, html};
use crate::asked::Asked;
use crate::problem::Problem;

/// Queries to begin with, and what they mean.
const EXAMPLES: [(&str, &str); 12] = [
    ("class:auth_failed", "logins that a backend refused"),
    ("class:(auth_failed OR auth_refused OR backend_fault)", "logins that did not succeed"),
    ("cause:backend.*", "what a broken backend caused"),
    ("user:bob@example.org", "one login name; case does not count"),
    ("client:203.0.113.0/24 -class:auth_ok", "a network, without its good logins"),
    ("user:* -mech:PLAIN", "lines with a login name, the mechanism PLAIN left out"),
    ("\"no such user\"", "words as they stand in the line"),
    ("exampl*", "words that begin so"),
    ("code:5xx", "reply codes from 500 to 599"),
    ("status:sent delay:>600", "delivered after more than ten minutes"),
    ("class:(deferred OR bounced) to:*@example.org", "mail to a domain that was put off or returned"),
    ("event:unknown", "lines that were not understood"),
];

#[derive(askama::Template)]
#[template(path = "help.html")]
struct Page {
    layout: Layout,
    examples: &'static [(&'static str, &'static str)],
    fields: &'static [Field],
    kinds: Vec<(&'static str, &'static str)>,
    classes: Vec<&'static str>,
    /// Causes by family.
    causes: BTreeMap<&'static str, Vec<(&'static str, &'static str)>>,
}

/// Answers.
pub(crate) fn answer(asked: &Asked) -> Result<Response, Problem> {
    let mut causes: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for cause in diagnose::all() {
        let family = cause.id.split('.').next().unwrap_or_default();
        causes.entry(family).or_default().push((cause.id, cause.title));
    }
    html(&Page {
        layout: Layout::asked(asked, "help", "Help"),
        examples: &EXAMPLES,
        fields: FIELDS,
        kinds: Kind::ALL.into_iter().map(Kind::described).collect(),
        classes: diagnose::Class::ALL.iter().map(|class| class.name()).collect(),
        causes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_example_is_a_query_that_can_mean_something() {
        let present = query::Present { zone: jiff::tz::TimeZone::UTC, now: jiff::Timestamp::UNIX_EPOCH };
        for (text, _) in EXAMPLES {
            assert!(query::Query::parse(text, &present).is_ok(), "{text}");
        }
    }
}
