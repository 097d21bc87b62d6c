//! The page to sign in, signing in and signing out.

use std::time::{Duration, Instant};

use answers::screen::escape;
use axum::body::Body;
use axum::http::{StatusCode, header};
use axum::response::Response;

use super::{Layout, html};
use crate::access::{cookie, cookie_of};
use crate::asked::Asked;
use crate::problem::Problem;

/// A browser forgets the session after this; the server may before.
const REMEMBERED: Duration = Duration::from_secs(7 * 24 * 3600);

#[derive(askama::Template)]
#[template(path = "sign_in.html")]
struct Page {
    layout: Layout,
    /// Where to go then, behind the base path.
    next: String,
}

/// The page.
pub(crate) fn page(asked: &Asked) -> Result<Response, Problem> {
    html(&Page { layout: Layout::new(&asked.app, "sign-in", "Sign in"), next: next(asked) })
}

/// Signs in, and goes to where one wanted to.
pub(crate) fn sign_in(asked: &Asked) -> Result<Response, Problem> {
    let (access, client) = (&asked.app.access, asked.origin.client);
    let name = asked.params.get("name").unwrap_or_default();
    let password = asked.params.get("password").unwrap_or_default();
    // It counts as failed until it is known not to have: many at once get no more tries than one after the other.
    if let Some(seconds) = access.throttle.tries(client, name, Instant::now()) {
        failed(asked, name);
        let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "too many sign-ins failed: wait a while");
        return Err(Problem { retry_after: Some(seconds), ..problem });
    }
    let hash = access.with(|users| users.hash(name))?.flatten();
    if !asked.is_password(password, hash.as_deref())? {
        failed(asked, name);
        return Err(Problem::new(StatusCode::FORBIDDEN, "no user has this name and this password"));
    }
    access.throttle.succeeded(client, name);
    // Whatever session this browser had, maybe one that somebody else gave it, is over.
    if let Some(old) = cookie_of(&asked.headers) {
        access.with(|users| users.end(old))?;
    }
    let secret = access.with(|users| users.begin(name))?.unwrap_or_default();
    let kept = cookie(&secret, &asked.app.config.base, asked.origin.secure, REMEMBERED);
    elsewhere(&format!("{}{}", asked.app.config.base, next(asked)), &kept)
}

/// Ends the session.
pub(crate) fn sign_out(asked: &Asked) -> Result<Response, Problem> {
    if let Some(secret) = cookie_of(&asked.headers) {
        asked.app.access.with(|users| users.end(secret))?;
    }
    let gone = cookie("", &asked.app.config.base, asked.origin.secure, Duration::ZERO);
    elsewhere(&format!("{}sign-in", asked.app.config.base), &gone)
}

/// Says so where fail2ban looks: first the address, then what a stranger wrote. The wording is promised in `docs/guide/serve.md`.
fn failed(asked: &Asked, name: &str) {
    asked.app.requests.sign_in_failed();
    let name: String = name.chars().take(64).collect();
    let name = escape(&name).replace('"', "'");
    eprintln!("postfix-insights: serve: sign-in failed from {} as \"{name}\"", asked.origin.client);
}

/// Where to go then: an address below the base path, and nothing else.
fn next(asked: &Asked) -> String {
    let next = asked.params.get("next").unwrap_or_default();
    // A colon may stand in what is asked, but not in the path's first part: there it would end a scheme.
    let first = next.split(['?', '/']).next().unwrap_or_default();
    let is_own =
        !next.starts_with(['/', '\\']) && !first.contains(':') && next.bytes().all(|byte| byte.is_ascii_graphic());
    if is_own { next.to_owned() } else { String::new() }
}

fn elsewhere(address: &str, cookie: &str) -> Result<Response, Problem> {
    let response = Response::builder()
        .status(StatusCode::SEE_OTHER)
        .header(header::LOCATION, address)
        .header(header::SET_COOKIE, cookie)
        .body(Body::empty());
    response.map_err(|error| Problem::ours(&error.into()))
}
