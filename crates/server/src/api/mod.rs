//! The API: answers as JSON, the same shapes as the command line's `--json`.

mod audit;
mod count;
mod entries;
mod explain;
mod health;
mod histogram;
mod metrics;
mod openapi;
mod status;
mod stories;
mod stream;
mod top;

use axum::body::Body;
use axum::http::header;
use axum::response::Response;
use serde::Serialize;

use crate::problem::Problem;
use crate::route::{self, Need, Param, Route};

/// The parameters of counts of entries.
const COUNT: &[Param] = &[Param::Q, Param::Since, Param::Until];
/// The parameters of answers of many lines.
const TIME: &[Param] = &[Param::Since, Param::Until];
/// What `healthz` says.
const PLAIN: &str = "text/plain; charset=utf-8";
const LISTS: &[Param] = &[Param::Since, Param::Until, Param::Top];

/// What programs can ask.
pub(crate) static ROUTES: &[Route] = &[
    Route::data("api/v1/entries", route::ROWS, entries::answer, "the entries that a query means, a page of them"),
    Route::data("api/v1/count", COUNT, count::answer, "how many entries a query means, times their repeats"),
    Route::data(
        "api/v1/top/{*subject}",
        &[Param::Q, Param::Since, Param::Until, Param::Top, Param::Distinct],
        top::answer,
        "the commonest values of a field",
    ),
    Route::data(
        "api/v1/histogram",
        &[Param::Q, Param::Since, Param::Until, Param::By, Param::Width],
        histogram::answer,
        "how many entries in each span of time",
    ),
    Route::data("api/v1/triage", LISTS, stories::triage, "who could not log in, why, and what to do")
        .patient()
        .needs(Need::Whole),
    Route::data(
        "api/v1/locked-out",
        TIME,
        stories::locked_out,
        "who tried to log in and did not get in, attackers left out",
    )
    .patient()
    .needs(Need::Whole),
    Route::data("api/v1/report", LISTS, stories::report, "how the mail of a period fared").patient().needs(Need::Whole),
    Route::data("api/v1/findings", LISTS, stories::findings, "what a person should know now")
        .patient()
        .needs(Need::Whole),
    Route::data("api/v1/findings/{*subject}", TIME, stories::finding, "one finding, and the tickets written of it")
        .patient()
        .needs(Need::Whole),
    Route::data("api/v1/client/{*subject}", TIME, stories::client, "everything about a client or a network")
        .patient()
        .needs(Need::Whole),
    Route::data("api/v1/account/{*subject}", TIME, stories::account, "everything about a login name").patient(),
    Route::data("api/v1/trace/{*subject}", TIME, stories::trace, "a message's story, by queue id or Message-ID")
        .patient(),
    Route::data("api/v1/explain", &[Param::Line], explain::answer, "what a log line says, and why"),
    Route::data(
        "api/v1/explain",
        &[Param::Line],
        explain::answer,
        "the same of a line that is not to stand in an address",
    )
    .post(),
    Route::data(
        "api/v1/stream",
        &[Param::Q, Param::After, Param::Seen],
        stream::answer,
        "new entries that a query means, as they come",
    )
    .media("text/event-stream"),
    Route::data("api/v1/status", &[], status::answer, "what the store holds").needs(Need::Whole),
    Route::data("api/v1/audit", &[Param::Limit, Param::Cursor], audit::answer, "who asked for what, the newest first")
        .needs(Need::Admin),
    Route::data("api/v1/openapi.json", &[], openapi::answer, "this description").needs(Need::Nobody),
    Route::data("metrics", &[], metrics::answer, "figures for Prometheus")
        .needs(Need::Whole)
        .media("text/plain; version=0.0.4; charset=utf-8"),
    Route::data("healthz", &[], health::healthz, "whether the server runs").needs(Need::Nobody).media(PLAIN),
    Route::data("readyz", &[], health::readyz, "whether the server has something to answer from")
        .needs(Need::Nobody)
        .media(PLAIN),
];

/// A response that is JSON.
pub(crate) fn json(value: &impl Serialize) -> Result<Response, Problem> {
    let body = serde_json::to_vec(value).map_err(|error| Problem::ours(&error.into()))?;
    let response = Response::builder().header(header::CONTENT_TYPE, "application/json").body(Body::from(body));
    response.map_err(|error| Problem::ours(&error.into()))
}
