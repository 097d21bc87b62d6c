//! What the mail host that this server runs on says about itself: the checks of `doctor`, the worst first. Nothing is changed, and no login is tried.

use axum::response::Response;
use doctor::{Check, Host, Report, Request, Status};

use super::{Layout, html};
use crate::asked::Asked;
use crate::problem::Problem;

#[derive(askama::Template)]
#[template(path = "host.html")]
struct Page {
    layout: Layout,
    report: Report,
    /// Worst first, without those that are fine.
    checks: Vec<Check>,
    fine: Vec<Check>,
    verdict: (&'static str, String),
}

/// Answers. For admins alone: what is said of the host may hold addresses of clients, and how it is set up.
pub(crate) fn answer(asked: &Asked) -> Result<Response, Problem> {
    let report = doctor::examine(&Host::default(), &Request::default());
    let (fine, mut checks): (Vec<Check>, Vec<Check>) =
        report.checks.iter().cloned().partition(|check| check.status == Status::Ok);
    checks.sort_by_key(|check| std::cmp::Reverse(check.status));
    let verdict = verdict(&report, &checks);
    html(&Page { layout: Layout::asked(asked, "host", "This host"), report, checks, fine, verdict })
}

fn verdict(report: &Report, checks: &[Check]) -> (&'static str, String) {
    let count = |status| checks.iter().filter(|check| check.status == status).count() as u64;
    let plural = answers::screen::plural;
    if !report.saw_anything() {
        return ("plain", "No mail server was found here that could be looked at.".to_owned());
    }
    match (count(Status::Fault), count(Status::Warn)) {
        (0, 0) => ("good", "Nothing wrong was seen.".to_owned()),
        (0, warnings) => ("warn", format!("{}, no faults.", plural(warnings, "warning", "warnings"))),
        (faults, warnings) => {
            ("bad", format!("{}, {}.", plural(faults, "fault", "faults"), plural(warnings, "warning", "warnings")))
        }
    }
}
