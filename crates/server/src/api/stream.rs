//! `/api/v1/stream`: new entries that a query means, as server-sent events.
//!
//! Each event is what one commit brought: `data` is a JSON array of entries, `id` says how far that is. An entry is known by its `source` and
//! `line`; it comes again when more is known of it, and takes the place of what came before. With the last id as `Last-Event-ID` or `after` it goes
//! on there: some may come again, none is missed. A comment every few seconds keeps proxies from taking the line for dead.

use std::collections::HashMap;
use std::convert::Infallible;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use answers::json::entry;
use answers::mask::Mask;
use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::Response;
use futures_util::stream::{Stream, unfold};
use query::Query;
use serde_json::Value;
use store::index::{Arrivals, Marks};
use tokio::sync::{OwnedSemaphorePermit, watch};

use crate::app::App;
use crate::asked::Asked;
use crate::live::MOST;
use crate::problem::Problem;

/// A comment after so much silence.
const SILENCE: Duration = Duration::from_secs(15);
/// Then it ends, and the watcher comes again: with what its sign-in allows by then.
const LONGEST: Duration = Duration::from_secs(3600);
/// Milliseconds after which a browser comes back.
const COME_BACK: u32 = 2_000;

/// Answers.
pub(crate) fn answer(asked: &Asked) -> Result<Response, Problem> {
    let app = Arc::clone(&asked.app);
    let permit = Arc::clone(&app.live.watchers).try_acquire_owned();
    let permit = permit.map_err(|_| Problem::busy("as many watch already as can be", 30))?;
    let query = asked.query()?.and(asked.scope());
    let (marks, is_new) = marks(asked)?;
    let watcher = Watcher {
        commits: app.live.commits(),
        stopping: app.live.stopping.subscribe(),
        marks,
        seen: HashMap::new(),
        shows: !is_new,
        mask: asked.viewer.mask(),
        began: Instant::now(),
        begun: false,
        behind: true,
        query,
        app,
        _permit: permit,
    };
    let response = Response::builder()
        .header(header::CONTENT_TYPE, "text/event-stream")
        // nginx passes on what comes as it comes.
        .header("x-accel-buffering", "no")
        .body(Body::from_stream(events(watcher)));
    response.map_err(|error| Problem::ours(&error.into()))
}

/// Where to begin: where the watcher was; or a little before the end, and that it has not been here before.
fn marks(asked: &Asked) -> Result<(Marks, bool), Problem> {
    let last = asked.headers.get("last-event-id").and_then(|id| id.to_str().ok());
    match last.filter(|id| !id.is_empty()).or_else(|| asked.params.get("after")) {
        Some(text) => {
            let marks =
                text.parse().map_err(|error: store::index::MarksError| Problem::bad(format!("after: {error}")))?;
            Ok((marks, false))
        }
        None => {
            let marks = answers::state::index(&asked.app.config.state).marks(MOST as u64 / 2);
            Ok((marks.map_err(|error| Problem::ours(&error.into()))?, true))
        }
    }
}

/// Somebody who watches.
struct Watcher {
    app: Arc<App>,
    query: Query,
    mask: Mask,
    marks: Marks,
    /// What was seen of what is not settled: how it looked, by source and line.
    seen: HashMap<(Option<String>, Option<i64>), u64>,
    /// False until what is there already was seen.
    shows: bool,
    commits: watch::Receiver<u64>,
    stopping: watch::Receiver<bool>,
    began: Instant,
    begun: bool,
    /// There may be more than was looked at.
    behind: bool,
    _permit: OwnedSemaphorePermit,
}

fn events(watcher: Watcher) -> impl Stream<Item = Result<Bytes, Infallible>> {
    unfold(watcher, |mut watcher| async move {
        let text = watcher.next().await?;
        Some((Ok(Bytes::from(text)), watcher))
    })
}

impl Watcher {
    /// The next piece of the stream; `None` at its end.
    async fn next(&mut self) -> Option<String> {
        if !std::mem::replace(&mut self.begun, true) {
            return Some(format!("retry: {COME_BACK}\nid: {}\n\n", self.marks));
        }
        loop {
            if self.began.elapsed() > LONGEST || *self.stopping.borrow() {
                return None;
            }
            if !self.behind {
                tokio::select! {
                    changed = self.commits.changed() => changed.ok()?,
                    _ = self.stopping.changed() => return None,
                    () = tokio::time::sleep(SILENCE) => return Some(": still here\n\n".to_owned()),
                }
            }
            if let Some(event) = self.look().await? {
                return Some(event);
            }
        }
    }

    /// What came in, as an event. `None` within: nothing did.
    async fn look(&mut self) -> Option<Option<String>> {
        let (app, marks) = (Arc::clone(&self.app), self.marks.clone());
        let found = tokio::task::spawn_blocking(move || app.live.arrivals(&app, &marks)).await.ok()?;
        let found = found.ok()?;
        self.behind = found.more;
        let moved = found.marks != self.marks;
        self.marks = found.marks.clone();
        let shows = self.shows;
        let rows = self.new_rows(&found);
        self.shows |= !found.more;
        if rows.is_empty() || !shows {
            // An id without data moves the watcher on and shows nothing.
            return Some(moved.then(|| format!("id: {}\n\n", self.marks)));
        }
        Some(Some(format!("id: {}\ndata: {}\n\n", self.marks, Value::Array(rows))))
    }

    /// What was not seen, or looked otherwise. Remembered is no more than was looked at.
    fn new_rows(&mut self, found: &Arrivals) -> Vec<Value> {
        let mut seen = HashMap::with_capacity(found.entries.len());
        let mut rows = Vec::new();
        for known in &found.entries {
            let key = (known.source.clone(), known.line);
            let mut hasher = DefaultHasher::new();
            (&known.class, &known.cause, &known.username, known.attempts).hash(&mut hasher);
            let look = hasher.finish();
            if self.seen.get(&key) != Some(&look) && self.query.matches(known) {
                rows.push(entry(known, self.mask));
            }
            seen.insert(key, look);
        }
        self.seen = seen;
        rows
    }
}
