//! The pages: each is a module with what its template is filled from, and a template in `templates/`.
//!
//! Templates escape every value (askama). Every link begins with the base path; the address of a page is all of its state.

mod account;
mod chart;
mod complete;
mod delivery;
mod explain;
mod export;
mod find;
mod finding;
mod findings;
mod help;
mod host;
mod layout;
mod links;
mod live;
mod message;
mod overview;
pub(crate) mod problem;
mod row;
mod search;
pub(crate) mod sign_in;
mod sources;
mod terms;
mod told;

use askama::Template;
use axum::body::Body;
use axum::http::header;
use axum::response::{Html, IntoResponse as _, Response};

pub(crate) use layout::Layout;

use crate::asked::Asked;
use crate::assets;
use crate::problem::Problem;
use crate::route::{self, Need, Param, Route};

/// The parameters of pages about a time.
const TIME: &[Param] = &[Param::Since, Param::Until];
/// The parameters of pages of a list.
const LIST: &[Param] = &[Param::Since, Param::Until, Param::Cursor];
/// The parameters of an export: those of the page it is an export of.
const EXPORT: &[Param] = &[Param::Q, Param::Since, Param::Until, Param::Sort, Param::Format];

/// The pages. A new page is a module with an `answer`, a template, and a row here.
pub(crate) static ROUTES: &[Route] = &[
    Route::page("", TIME, overview::answer, "the state of the logins: the first page").patient(),
    Route::page("search", route::ROWS, search::answer, "the entries that a query means"),
    Route::page("export", EXPORT, export::answer, "the same entries as a file"),
    Route::page("live", &[Param::Q], live::answer, "entries as they come"),
    Route::page("findings", LIST, findings::answer, "what a person should know now").patient().needs(Need::Whole),
    Route::page("findings/{*subject}", TIME, finding::answer, "one finding, with tickets to send")
        .patient()
        .needs(Need::Whole),
    Route::page("client/{*subject}", TIME, account::client, "everything about a client or a network")
        .patient()
        .needs(Need::Whole),
    Route::page("account/{*subject}", TIME, account::account, "everything about a login name").patient(),
    Route::page("message/{*subject}", TIME, message::answer, "the story of a message").patient(),
    Route::page("find/{*subject}", &[Param::Q], find::answer, "leads from a name to its page"),
    Route::page("delivery", TIME, delivery::answer, "how the mail fared").patient().needs(Need::Whole),
    Route::page("sources", &[], sources::answer, "what was read, and what was not understood")
        .patient()
        .needs(Need::Whole),
    Route::page("explain", &[Param::Line], explain::answer, "what a log line says, and why"),
    Route::page("explain", &[Param::Line], explain::answer, "the same for a line that is not to stand in an address")
        .post(),
    Route::page("host", &[], host::answer, "what this mail host says about itself").patient().needs(Need::Admin),
    Route::page("help", &[], help::answer, "the query language, the fields, the classes and causes"),
    Route::data("complete", &[Param::Q], complete::answer, "how a query that is being typed may go on"),
    Route::page("sign-in", &[Param::Next], sign_in::page, "where one signs in").needs(Need::Nobody),
    Route::page("sign-in", &[Param::Name, Param::Password, Param::Next], sign_in::sign_in, "signs in")
        .post()
        .needs(Need::Nobody),
    Route::page("sign-out", &[], sign_in::sign_out, "signs out").post().needs(Need::Nobody),
    Route::page("assets/{*subject}", &[], asset, "a file of style or script").needs(Need::Nobody),
];

/// A page as a response.
pub(crate) fn html(page: &impl Template) -> Result<Response, Problem> {
    let text = page.render().map_err(|error| Problem::ours(&error.into()))?;
    Ok(Html(text).into_response())
}

/// A file of style or script.
fn asset(asked: &Asked) -> Result<Response, Problem> {
    let found = assets::named(&asked.subject).ok_or_else(|| Problem::missing("there is no such file"))?;
    let response = Response::builder()
        .header(header::CONTENT_TYPE, found.media)
        .header(header::CACHE_CONTROL, "public, max-age=31536000, immutable")
        .body(Body::from(found.body));
    response.map_err(|error| Problem::ours(&error.into()))
}
