//! What comes in now, for those who watch: one look into the store after each commit, shared by all watchers.
//!
//! A watcher has its own marks (up to where all it saw is settled), which it also gets as the id of each event: whoever comes back with them goes
//! on there, over cut connections and restarts of the server, and misses nothing. An entry comes again when more is known of it: why a login
//! failed, a line shows that may be seconds later.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use answers::stream::WAIT;
use store::index::{Arrivals, Marks};
use tokio::sync::{Semaphore, watch};

use crate::app::App;
use crate::data::version;

/// How often it is looked whether something was committed, while somebody watches.
const LOOK: Duration = Duration::from_millis(300);
/// Entries looked at in one go.
pub(crate) const MOST: usize = 4_000;
/// Looks that are remembered: watchers who are at the same marks share one.
const REMEMBERED: usize = 8;
/// Watchers at once.
pub(crate) const WATCHERS: usize = 200;

/// What watchers share.
pub(crate) struct Live {
    pub(crate) watchers: Arc<Semaphore>,
    looks: Mutex<VecDeque<(Marks, u64, Arc<Arrivals>)>>,
    version: watch::Sender<u64>,
    /// True once the server is told to stop.
    pub(crate) stopping: watch::Sender<bool>,
}

impl Default for Live {
    fn default() -> Self {
        Self {
            watchers: Arc::new(Semaphore::new(WATCHERS)),
            looks: Mutex::default(),
            version: watch::Sender::new(0),
            stopping: watch::Sender::new(false),
        }
    }
}

impl Live {
    /// How many watch now.
    pub(crate) fn watching(&self) -> usize {
        WATCHERS.saturating_sub(self.watchers.available_permits())
    }

    /// Another number after each commit.
    pub(crate) fn commits(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// What came in since.
    pub(crate) fn arrivals(&self, app: &App, since: &Marks) -> std::io::Result<Arc<Arrivals>> {
        let version = version(&app.config.state);
        // Held while looking: whoever is at the same marks waits for the same look.
        let mut looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((.., known)) = looks.iter().find(|(marks, at, _)| marks == since && *at == version) {
            return Ok(Arc::clone(known));
        }
        let found = Arc::new(answers::state::index(&app.config.state).arrivals(since, MOST, WAIT)?);
        if looks.len() >= REMEMBERED {
            looks.pop_front();
        }
        looks.push_back((since.clone(), version, Arc::clone(&found)));
        Ok(found)
    }
}

/// Looks for commits as long as the server runs.
pub(crate) async fn look(app: Arc<App>) {
    loop {
        tokio::time::sleep(LOOK).await;
        if app.live.watching() == 0 {
            continue;
        }
        let state = app.config.state.clone();
        if let Ok(now) = tokio::task::spawn_blocking(move || version(&state)).await {
            app.live.version.send_if_modified(|known| std::mem::replace(known, now) != now);
        }
    }
}
