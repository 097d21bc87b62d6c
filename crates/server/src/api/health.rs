//! `/healthz` and `/readyz`: whether the server runs, and whether it has something to answer from.

use axum::response::{IntoResponse as _, Response};

use crate::asked::Asked;
use crate::problem::Problem;

/// It runs.
pub(crate) fn healthz(_asked: &Asked) -> Result<Response, Problem> {
    Ok("ok\n".into_response())
}

/// It can answer: there is a store that can be read, and named files are in it.
pub(crate) fn readyz(asked: &Asked) -> Result<Response, Problem> {
    let app = &asked.app;
    if app.progress.so_far().is_some() {
        return Err(Problem::busy("the files are still being read", 2));
    }
    if let Err(error) = answers::state::index(&app.config.state).days() {
        return Err(Problem::busy(format!("the store cannot be read: {error}"), 10));
    }
    Ok("ok\n".into_response())
}
