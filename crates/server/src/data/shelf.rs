//! Answers that need many lines: made beside the requests, one of a kind at a time, kept for those who ask next.
//!
//! A key and what makes its answer go in; the answer comes out, or nothing if it takes longer than the asker waits. An answer is as new as the
//! store if making it is quick; else the last one is given while a new one is being made, from time to time. Kept are at most [`KEPT`] answers of [`KEPT_BYTES`] together.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use store::state::State;

use crate::app::App;
use crate::problem::Problem;

/// Answers kept at most.
const KEPT: usize = 64;
/// Their bytes at most.
const KEPT_BYTES: usize = 32 << 20;
/// An answer that took longer than this is given again while a newer one is made.
const QUICK: Duration = Duration::from_secs(1);
/// So many times as long as it took to make it, such an answer is not made anew: making it takes a tenth of a processor at most.
const REST: u32 = 10;
/// An answer about the last so many hours is made anew after this long, whether lines came in or not.
const MOVES: Duration = Duration::from_secs(60);

/// What an answer is known by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    /// The question: `triage`, `client`.
    pub(crate) question: &'static str,
    /// What it is about, and how it is asked: everything that the answer hangs on but the store.
    pub(crate) about: Vec<Option<String>>,
    /// For somebody who sees names masked.
    pub(crate) masked: bool,
    /// It begins or ends at a time that moves.
    pub(crate) moves: bool,
}

impl Key {
    /// Every line of the time is read for it.
    fn reads_all(&self) -> bool {
        matches!(self.question, "triage" | "report")
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    /// JSON.
    pub(crate) json: Arc<[u8]>,
    /// When it was made.
    pub(crate) as_of: Timestamp,
    store: u64,
    took: Duration,
    at: Instant,
}

#[derive(Default)]
struct Slot {
    made: Option<Made>,
    busy: bool,
    failed: Option<(Instant, Problem)>,
    used: Option<Instant>,
}

/// All answers kept.
#[derive(Default)]
pub(crate) struct Shelf {
    slots: Mutex<HashMap<Key, Slot>>,
    changed: Condvar,
}

type Make = Box<dyn FnOnce() -> Result<Vec<u8>, Problem> + Send>;

impl Shelf {
    /// The answer, if it is there within `wait`.
    pub(crate) fn get(app: &Arc<App>, key: &Key, wait: Duration, make: Make) -> Result<Option<Made>, Problem> {
        let shelf = &app.shelf;
        let (began, store) = (Instant::now(), version(&app.config.state));
        let mut make = Some(make);
        let mut slots = shelf.lock();
        loop {
            let slot = slots.entry(key.clone()).or_default();
            slot.used = Some(began);
            if slot.failed.as_ref().is_some_and(|(at, _)| *at >= began)
                && let Some((_, problem)) = slot.failed.take()
            {
                return Err(problem);
            }
            let made = slot.made.clone();
            if let Some(made) = made.as_ref().filter(|made| made.at >= began || made.is_fresh(key, store)) {
                return Ok(Some(made.clone()));
            }
            let rests = made.as_ref().is_some_and(Made::rests);
            if !slot.busy
                && !rests
                && let Some(make) = make.take()
            {
                slot.busy = true;
                start(app, key.clone(), store, make)?;
            }
            let left = wait.saturating_sub(began.elapsed());
            if left.is_zero() || made.as_ref().is_some_and(|made| made.took > QUICK) {
                return Ok(made);
            }
            slots = shelf.changed.wait_timeout(slots, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, key: &Key, result: Result<Made, Problem>) {
        let mut slots = self.lock();
        let slot = slots.entry(key.clone()).or_default();
        slot.busy = false;
        match result {
            Ok(made) => slot.made = Some(made),
            Err(problem) => slot.failed = Some((Instant::now(), problem)),
        }
        tidy(&mut slots);
        self.changed.notify_all();
    }
}

impl Made {
    /// It took long, and is not old enough for that to be worth it again.
    fn rests(&self) -> bool {
        self.took > QUICK && self.at.elapsed() < self.took.saturating_mul(REST)
    }

    fn is_fresh(&self, key: &Key, store: u64) -> bool {
        self.store == store && (!key.moves || self.at.elapsed() < MOVES)
    }
}

/// Makes an answer in a thread of its own, as soon as it is its turn.
fn start(app: &Arc<App>, key: Key, store: u64, make: Make) -> Result<(), Problem> {
    let app = Arc::clone(app);
    let turn = Arc::clone(if key.reads_all() { &app.whole } else { &app.heavy });
    let runtime = tokio::runtime::Handle::current();
    let work = move || {
        let _turn = runtime.block_on(turn.acquire_owned());
        let at = Instant::now();
        let made = std::panic::catch_unwind(std::panic::AssertUnwindSafe(make));
        let made = made.unwrap_or_else(|_| Err(Problem::ours(&anyhow::anyhow!("{} gave up", key.question))));
        let whole = |json: Vec<u8>| Made {
            json: json.into(),
            as_of: Timestamp::now(),
            store,
            took: at.elapsed(),
            at: Instant::now(),
        };
        app.shelf.put(&key, made.map(whole));
    };
    std::thread::Builder::new()
        .name("answering".to_owned())
        .spawn(work)
        .map_err(|error| Problem::ours(&error.into()))?;
    Ok(())
}

/// Lets go of the answers longest not asked for, beyond the bounds.
fn tidy(slots: &mut HashMap<Key, Slot>) {
    let bytes = |slots: &HashMap<Key, Slot>| -> usize {
        slots.values().filter_map(|slot| slot.made.as_ref()).map(|made| made.json.len()).sum()
    };
    while slots.len() > KEPT || bytes(slots) > KEPT_BYTES {
        let idle = slots.iter().filter(|(_, slot)| !slot.busy);
        let Some(oldest) = idle.min_by_key(|(_, slot)| slot.used).map(|(key, _)| key.clone()) else { return };
        slots.remove(&oldest);
    }
}

/// Another number for another state of the store: of the days and when each was committed last.
pub(crate) fn version(state: &State) -> u64 {
    let mut hasher = DefaultHasher::new();
    let mut days: Vec<_> =
        std::fs::read_dir(state.index()).into_iter().flatten().flatten().map(|day| day.path()).collect();
    days.sort();
    for day in days {
        let committed = std::fs::metadata(day.join("meta.json")).and_then(|meta| Ok((meta.modified()?, meta.len())));
        (day, committed.ok()).hash(&mut hasher);
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;

    fn app(folder: &std::path::Path) -> Arc<App> {
        App::new(Config {
            state: State::new(folder),
            listen: "127.0.0.1:0".parse().unwrap(),
            base: "/".to_owned(),
            hosts: Vec::new(),
            zone: jiff::tz::TimeZone::UTC,
            users: None,
            proxies: Vec::new(),
            name_header: None,
            no_sign_in: false,
            fail2ban_logs: Vec::new(),
            judged: diagnose::detect::Settings::default(),
            tls: None,
        })
    }

    fn key(about: usize) -> Key {
        Key { question: "test", about: vec![Some(about.to_string())], masked: false, moves: false }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_answer_is_made_once_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let app = app(folder.path());
        tokio::task::spawn_blocking(move || {
            let long = Duration::from_secs(60);
            let get = |about, text: &'static str| {
                let made = Shelf::get(&app, &key(about), long, Box::new(move || Ok(text.into())));
                String::from_utf8(made.unwrap().unwrap().json.to_vec()).unwrap()
            };
            assert_eq!((get(1, "a"), get(1, "b"), get(2, "c")), ("a".into(), "a".into(), "c".into()));
            // Another state of the store: what was quick to make is made anew.
            std::fs::create_dir_all(folder.path().join("index/2026-06-17")).unwrap();
            assert_eq!(get(1, "d"), "d");
            let failed = Shelf::get(&app, &key(3), long, Box::new(|| Err(Problem::bad("no"))));
            assert_eq!(failed.unwrap_err().why, "no");
            assert_eq!(get(3, "e"), "e");
            // Nobody waits for what takes too long; it is there later.
            let (go, wait) = std::sync::mpsc::channel::<()>();
            let slow = move || {
                let _ = wait.recv();
                Ok("f".into())
            };
            assert!(Shelf::get(&app, &key(4), Duration::ZERO, Box::new(slow)).unwrap().is_none());
            go.send(()).unwrap();
            assert_eq!(get(4, "g"), "f");
            (0..2 * KEPT).for_each(|about| drop(get(about + 10, "x")));
            assert!(app.shelf.lock().len() <= KEPT);
        })
        .await
        .unwrap();
    }
}
