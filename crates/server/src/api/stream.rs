//! `/api/v1/stream`: new entries that a query means, as server-sent events.
//!
//! Each event is what one commit brought: `data` is a JSON array of entries, `id` says how far that is. An entry is known by its `source` and
//! `line`; when more is known of one that was sent, it comes in an event called `again` and takes the place of what came before, whether the query
//! still means it or not. With the last id as `Last-Event-ID` or `after` the stream goes on there: some may come again, none is missed. A comment
//! every few seconds keeps proxies from taking the line for dead.
//!
//! Why a login failed may be known only seconds later. Until then its line is sent as it would be understood alone.

use std::collections::HashMap;
use std::convert::Infallible;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use answers::explain;
use answers::json::entry;
use answers::mask::Mask;
use answers::stream::WAIT;
use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::Response;
use futures_util::stream::{Stream, unfold};
use jiff::Timestamp;
use query::{Entry, Query};
use serde_json::Value;
use store::index::{Arrivals, Marks, MarksError};
use tokio::sync::{OwnedSemaphorePermit, watch};

use crate::asked::Asked;
use crate::data::line;
use crate::live::MOST;
use crate::problem::Problem;

/// A comment after so much silence.
const SILENCE: Duration = Duration::from_secs(15);
/// Then it ends, and the watcher comes again.
const LONGEST: Duration = Duration::from_secs(3600);
/// Milliseconds after which a browser comes back.
const COME_BACK: u32 = 2_000;

/// Answers.
pub(crate) fn answer(asked: &Asked) -> Result<Response, Problem> {
    let live = &asked.app.live;
    let permit = Arc::clone(&live.watchers).try_acquire_owned();
    let permit = permit.map_err(|_| Problem::busy("as many watch already as can be", 30))?;
    let (query, scope) = (asked.query()?, asked.scope());
    let (marks, is_new) = begin(asked)?;
    let watcher = Watcher {
        commits: live.commits(),
        stopping: live.stopping.subscribe(),
        marks,
        early: asked.params.get("seen").map(|text| marks_of("seen", text)).transpose()?.unwrap_or_default(),
        seen: HashMap::new(),
        hashes: RandomState::new(),
        shows: !is_new,
        mask: asked.viewer.mask(),
        began: Instant::now(),
        begun: false,
        behind: true,
        query: query.and(scope.clone()),
        scope,
        asked: asked.clone(),
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
fn begin(asked: &Asked) -> Result<(Marks, bool), Problem> {
    let last = asked.headers.get("last-event-id").and_then(|id| id.to_str().ok());
    match last.filter(|id| !id.is_empty()).or_else(|| asked.params.get("after")) {
        Some(text) => Ok((marks_of("after", text)?, false)),
        None => {
            let marks = answers::state::index(&asked.app.config.state).marks(MOST as u64 / 2);
            Ok((marks.map_err(|error| Problem::ours(&error.into()))?, true))
        }
    }
}

fn marks_of(name: &str, text: &str) -> Result<Marks, Problem> {
    text.parse().map_err(|error: MarksError| Problem::bad(format!("{name}: {error}")))
}

/// Somebody who watches.
struct Watcher {
    asked: Asked,
    query: Query,
    /// What of all entries the watcher may see.
    scope: Query,
    mask: Mask,
    marks: Marks,
    /// Lines that the watcher's page showed before it began to watch.
    early: Marks,
    /// What was seen of what is not settled: hashes, for there are thousands for each of hundreds of watchers.
    seen: HashMap<u64, Seen>,
    /// Seeded at random: strangers write what is hashed.
    hashes: RandomState,
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

/// An entry that may come again.
#[derive(Clone, Copy)]
struct Seen {
    /// A hash of how it looked.
    look: u64,
    /// The watcher has it.
    shown: bool,
}

/// What of a look is sent.
#[derive(Default)]
struct News {
    new: Vec<Value>,
    again: Vec<Value>,
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
                let is_silent = tokio::select! {
                    changed = self.commits.changed() => changed.map(|()| false).ok()?,
                    _ = self.stopping.changed() => return None,
                    () = tokio::time::sleep(SILENCE) => true,
                };
                if is_silent {
                    return self.still_may().await.then(|| ": still here\n\n".to_owned());
                }
            }
            if let Some(event) = self.look().await? {
                return Some(event);
            }
        }
    }

    /// Whether the watcher is still let in, and sees the same: a token may have been taken back, a role changed.
    async fn still_may(&self) -> bool {
        let asked = self.asked.clone();
        let known = tokio::task::spawn_blocking(move || is_known(&asked));
        known.await.unwrap_or(false)
    }

    /// What came in, as an event. `None` within: nothing did.
    async fn look(&mut self) -> Option<Option<String>> {
        let (asked, marks) = (self.asked.clone(), self.marks.clone());
        let look = move || is_known(&asked).then(|| asked.app.live.arrivals(&asked.app, &marks).ok()).flatten();
        let found = tokio::task::spawn_blocking(look).await.ok()??;
        self.behind = found.more;
        let moved = found.marks != self.marks;
        self.marks = found.marks.clone();
        let news = self.news(&found, Timestamp::now().as_microsecond());
        self.shows |= !found.more;
        let again = if news.again.is_empty() {
            String::new()
        } else {
            format!("event: again\ndata: {}\n\n", Value::Array(news.again))
        };
        // An id without data moves the watcher on and shows nothing.
        let text = match (news.new.is_empty(), moved) {
            (true, false) => again,
            (true, true) => format!("{again}id: {}\n\n", self.marks),
            (false, _) => format!("{again}id: {}\ndata: {}\n\n", self.marks, Value::Array(news.new)),
        };
        Some((!text.is_empty()).then_some(text))
    }

    /// What the watcher does not have, or has as it looked before. Remembered is no more than was looked at.
    fn news(&mut self, found: &Arrivals, now: i64) -> News {
        let (mut news, mut seen) = (News::default(), HashMap::with_capacity(found.lines.len()));
        for arrived in found.lines.iter().filter(|arrived| self.scope.matches(&arrived.entry)) {
            let known = &arrived.entry;
            let place = self.hashes.hash_one((&known.source, known.line));
            let look = self.hashes.hash_one((&known.class, &known.cause, &known.username, known.attempts));
            let before = self.seen.get(&place).copied().or_else(|| {
                let shown = self.early.cover(arrived) && self.query.matches(known);
                shown.then_some(Seen { look, shown })
            });
            let is_had = before.is_some_and(|before| before.shown);
            let is_same = before.is_some_and(|before| before.look == look);
            let alone = as_understood_alone(known, now);
            let shown = alone.as_ref().unwrap_or(known);
            let is_meant = is_had || self.query.matches(shown);
            if is_meant && !is_same && (self.shows || before.is_some()) {
                let list = if is_had { &mut news.again } else { &mut news.new };
                list.push(serde_json::json!(entry(shown, self.mask)));
            }
            seen.insert(place, Seen { look, shown: is_meant });
        }
        self.seen = seen;
        news
    }
}

/// Whether whoever asked would be let in now as then.
fn is_known(asked: &Asked) -> bool {
    asked.app.viewer(&asked.headers, &asked.origin).is_ok_and(|viewer| viewer.as_ref() == Some(&asked.viewer))
}

/// A failed login that waits for what other lines tell of it, with the class and cause that it has by itself.
fn as_understood_alone(known: &Entry, now: i64) -> Option<Entry> {
    let waits = known.event.as_deref() == Some("sasl_failed") && known.class.is_none() && known.cause.is_none();
    let is_fresh = known.ts.is_some_and(|ts| now.saturating_sub(ts) < WAIT);
    if !waits || !is_fresh {
        return None;
    }
    let explained = explain::to_json(&explain::explain(&line(known), &explain::Unsaid::default()), Mask(false));
    let word = |name: &str| explained.get(name).and_then(Value::as_str).map(str::to_owned);
    Some(Entry { class: word("class"), cause: word("cause"), ..known.clone() })
}
