//! The web pages, the API and the live view: HTTP requests go in, pages and JSON come out.
//!
//! Every page is drawn from what [`data`] answers, and so is the API: whoever is masked or narrowed to some domains is so in one place. What can be
//! asked stands in tables of one kind, [`route::all`]: the router, the OpenAPI description and the tests of access are made from them.

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::string_slice, reason = "a test may panic")
)]

mod access;
mod api;
mod app;
mod asked;
mod assets;
mod connections;
mod data;
mod guard;
mod headers;
mod hosts;
mod live;
mod pages;
mod problem;
mod requests;
mod route;
mod serve;
#[cfg(test)]
mod tests;
mod tls;

pub use access::{AccessError, Role, Token, User, Users};
pub use app::{App, Config};
pub use axum::http::HeaderName;
pub use guard::ServeError;
pub use serve::{router, serve};
pub use tls::TlsError;
