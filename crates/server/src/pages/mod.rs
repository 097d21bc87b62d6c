//! The pages: each is a module with what its template is filled from, and a template in `templates/`.
//!
//! Templates escape every value (askama). Every link begins with the base path; the address of a page is all of its state.

pub(crate) mod overview;
pub(crate) mod problem;
pub(crate) mod search;

use askama::Template;
use axum::body::Body;
use axum::http::header;
use axum::response::{Html, IntoResponse as _, Response};

use crate::app::App;
use crate::asked::Asked;
use crate::assets;
use crate::problem::Problem;
use crate::route::{self, Param, Route};

/// The pages. A new page is a module with an `answer`, a template, and a row here.
pub(crate) static ROUTES: &[Route] = &[
    Route::page("", &[Param::Since, Param::Until], overview::answer, "the state of the logins: the first page"),
    Route::page("search", route::ROWS, search::answer, "the entries that a query means"),
    Route::page("assets/{*subject}", &[], asset, "a file of style or script"),
];

/// What every page has around it.
pub(crate) struct Layout {
    /// What the window is called.
    pub(crate) title: String,
    /// Where links begin: `/`, or the base path.
    pub(crate) base: String,
    /// Which place of the navigation the page belongs to: the route's first part.
    pub(crate) place: &'static str,
    /// What stands in the query box.
    pub(crate) query: String,
    /// The style sheet's address.
    pub(crate) style: String,
    /// The script's address.
    pub(crate) script: String,
    /// How far the reading of the files is, in per cent, while they are being read.
    pub(crate) reading: Option<String>,
}

/// The places of the navigation: path and word.
pub(crate) const PLACES: [(&str, &str); 3] = [("", "Overview"), ("search", "Search"), ("help", "Help")];

impl Layout {
    pub(crate) fn new(app: &App, place: &'static str, title: &str) -> Self {
        let base = app.config.base.clone();
        let reading = app.progress.so_far().map(|(read, total)| match total {
            0 => format!("{read} bytes"),
            total => format!("{} %", read.saturating_mul(100) / total),
        });
        Self {
            title: title.to_owned(),
            place,
            query: String::new(),
            style: format!("{base}{}", assets::path("style.css")),
            script: format!("{base}{}", assets::path("page.js")),
            base,
            reading,
        }
    }

    /// With what was asked in the query box.
    pub(crate) fn asked(asked: &Asked, place: &'static str, title: &str) -> Self {
        Self { query: asked.query_text().to_owned(), ..Self::new(&asked.app, place, title) }
    }

    /// For the template.
    pub(crate) fn places(&self) -> &'static [(&'static str, &'static str)] {
        &PLACES
    }
}

/// A page as a response.
pub(crate) fn html(page: &impl Template) -> Result<Response, Problem> {
    let text = page.render().map_err(|error| Problem::ours(&error.into()))?;
    Ok(Html(text).into_response())
}

/// A file of style or script.
pub(crate) fn asset(asked: &Asked) -> Result<Response, Problem> {
    let found = assets::named(&asked.subject).ok_or_else(|| Problem::missing("there is no such file"))?;
    let response = Response::builder()
        .header(header::CONTENT_TYPE, found.media)
        .header(header::CACHE_CONTROL, "public, max-age=31536000, immutable")
        .body(Body::from(found.body));
    response.map_err(|error| Problem::ours(&error.into()))
}
