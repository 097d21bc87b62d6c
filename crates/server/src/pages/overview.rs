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
use super::told::{self, LockedOut, Logins, Triaged};
use super::{Layout, html};
use crate::asked::Asked;
use crate::problem::Problem;

/// How long the page waits for what is counted in logins.
const WAIT: Duration = Duration::from_millis(100);
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

/// Rows of each of the first answers: all of them fit on a telephone's first screen.
const FIRST: usize = 3;

/// What was counted in logins.
struct Told {
    as_of: String,
    triaged: Triaged,
    locked_out: LockedOut,
    verdict: Verdict,
    causes: Vec<Cause>,
    /// How many findings tell of somebody hostile.
    attacks: u64,
    /// How many findings there are, listed or not.
    findings: u64,
    /// The first of them: id and summary.
    attack_words: Vec<(String, String)>,
    backend: Backend,
}

/// How the login backend is.
enum Backend {
    /// Nobody asked it.
    Unknown,
    /// It answered so many logins, and had no fault.
    Well(u64),
    /// It had so many faults, or kept so many sessions from a login.
    Faulty(u64),
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
    let Logins { locked_out, findings, triage: mut triaged } = told::read(made)?;
    let verdict = verdict(&triaged);
    let causes = causes(&triaged);
    let attacks = triaged.findings.iter().filter(|finding| finding.is_attack());
    let attack_words = attacks.clone().take(FIRST).map(|attack| (attack.id.clone(), attack.summary.clone())).collect();
    let attacks = attacks.count() as u64;
    let backend = backend(&triaged);
    triaged.clients.retain(|row| {
        row.auth_failed + row.backend_fault + row.auth_refused + row.auth_aborted + row.sessions_killed > 0
    });
    triaged.clients.truncate(ROWS);
    triaged.accounts.retain(|row| row.auth_failed + row.backend_fault + row.auth_refused > 0);
    triaged.accounts.truncate(ROWS);
    triaged.recovered.truncate(ROWS);
    Ok(Told {
        as_of: made.as_of.to_string(),
        verdict,
        causes,
        attacks,
        findings,
        attack_words,
        backend,
        locked_out,
        triaged,
    })
}

fn backend(triaged: &Triaged) -> Backend {
    let faults = triaged.class("backend_fault") + triaged.sessions_killed;
    let answered = triaged.class("auth_ok") + triaged.class("auth_failed");
    match (faults, answered) {
        (0, 0) => Backend::Unknown,
        (0, answered) => Backend::Well(answered),
        (faults, _) => Backend::Faulty(faults),
    }
}

/// The commonest causes, of sessions that never came to a login too.
fn causes(triaged: &Triaged) -> Vec<Cause> {
    let mut counts = triaged.causes.clone();
    for (id, count) in &triaged.sessions_killed_causes {
        *counts.entry(id.clone()).or_default() += count;
    }
    let mut causes: Vec<(String, u64)> = counts.into_iter().collect();
    causes.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let cause = |(id, count): (String, u64)| Cause {
        title: diagnose::all().find(|cause| cause.id == id).map_or_else(|| id.clone(), |cause| cause.title.to_owned()),
        query: super::terms::text("cause", &id),
        count,
        id,
    };
    causes.into_iter().take(ROWS).map(cause).collect()
}

fn verdict(triaged: &Triaged) -> Verdict {
    let plural = answers::screen::plural;
    let (failures, ok) = (triaged.failures(), triaged.class("auth_ok"));
    let killed = match triaged.sessions_killed {
        0 => String::new(),
        killed => format!(", {} died before a login", plural(killed, "session", "sessions")),
    };
    let more =
        format!("{} failed, {} succeeded{killed}.", plural(failures, "login", "logins"), plural(ok, "login", "logins"));
    let verdict = |tone, text: String| Verdict { tone, text, more };
    if triaged.coverage.lines == 0 {
        let more = "Choose a longer time, or see under Sources what was read.".to_owned();
        return Verdict { tone: "plain", text: "There are no log lines of this time.".to_owned(), more };
    }
    let has = |kind: &str| triaged.findings.iter().any(|finding| finding.kind == kind);
    let attacks = triaged.findings.iter().filter(|finding| finding.is_attack()).count() as u64;
    let others = triaged.findings.len() as u64 - attacks;
    let under_attack = if attacks > 0 { " Somebody is guessing passwords too." } else { "" };
    if has("account_takeover") {
        return verdict("bad", "An account seems to be in the wrong hands.".to_owned());
    }
    if has("backend_outage") {
        return verdict("fault", format!("The login backend failed: users could not log in.{under_attack}"));
    }
    if attacks > 0 {
        let others = match others {
            0 => "No account fell, as far as the log tells.".to_owned(),
            others => format!("Besides, {} you should know.", plural(others, "thing", "things")),
        };
        return verdict("warn", format!("Somebody is guessing passwords. {others}"));
    }
    if others > 0 {
        return verdict("warn", format!("No attack, but {} you should know.", plural(others, "thing", "things")));
    }
    if triaged.class("backend_fault") + triaged.sessions_killed > 0 {
        return verdict("fault", "The login backend had faults.".to_owned());
    }
    if failures > 0 {
        return verdict("plain", "Some logins failed; no attack, and nothing stands out.".to_owned());
    }
    verdict("good", "No login failed.".to_owned())
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
            (r#"{"coverage": {"lines": 9}, "findings": [{"id": "a"}]}"#, "warn", "No attack, but 1 thing you"),
            (
                r#"{"coverage": {"lines": 9}, "findings": [{"kind": "guessing"}, {"kind": "backend_outage"}]}"#,
                "fault",
                "The login backend failed: users could not log in. Somebody",
            ),
            (r#"{"coverage": {"lines": 9}, "findings": [{"kind": "spraying"}]}"#, "warn", "Somebody is guessing"),
            (r#"{"coverage": {"lines": 9}, "findings": [{"kind": "account_takeover"}]}"#, "bad", "An account seems"),
        ] {
            let verdict = verdict(&triaged(json));
            assert_eq!(verdict.tone, tone, "{json}");
            assert!(verdict.text.starts_with(begin), "{}", verdict.text);
        }
    }

    #[test]
    fn what_the_picture_shows_is_a_query() {
        let present = query::Present { zone: jiff::tz::TimeZone::UTC, now: jiff::Timestamp::UNIX_EPOCH };
        assert!(Query::parse(SHOWN, &present).is_ok());
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
        let both = super::causes(&triaged(
            r#"{"causes": {"backend.hangs": 1}, "sessions_killed_causes": {"backend.hangs": 2, "backend.crash": 1}}"#,
        ));
        let counts: Vec<_> = both.iter().map(|cause| (cause.id.as_str(), cause.count)).collect();
        assert_eq!(counts, [("backend.hangs", 3), ("backend.crash", 1)]);
    }
}
