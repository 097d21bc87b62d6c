//! What everybody did: the findings of the whole store, made once for all pages that hang on them.
//!
//! A client's page tells what is found of this client, and that hangs on what all others did. It is made out of what is remembered of the
//! store, kept for a while, and made anew when the store has changed and it is old enough for that to be worth it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use answers::findings::Found;
use answers::memory;
use answers::reading::Reading;

use super::shelf::version;
use crate::app::App;
use crate::problem::Problem;

/// So many times as long as it took to make it, it is given though the store has changed.
const REST: u32 = 10;
/// It is let go when it is older: it may take a good part of the server's memory.
const KEPT: Duration = Duration::from_secs(120);

struct Slot {
    made: Arc<Found>,
    store: u64,
    took: Duration,
    at: Instant,
}

/// What is kept of it.
#[derive(Default)]
pub(crate) struct Everybody(Mutex<Option<Slot>>);

impl Everybody {
    /// Findings of what a reading is about. Those of the whole store may be some seconds old. Called where waiting hurts nobody.
    pub(crate) fn of(app: &Arc<App>, reading: &Reading) -> Result<Arc<Found>, Problem> {
        let make = || memory::findings(reading).map(Arc::new).map_err(|error| Problem::ours(&error.into()));
        // Whoever comes meanwhile waits for the same.
        let mut slot = app.everybody.0.lock().unwrap_or_else(PoisonError::into_inner);
        if reading.period() != (None, None) {
            return make();
        }
        let store = version(&app.config.state);
        if let Some(slot) = slot.as_ref().filter(|slot| slot.is_fresh(store)) {
            return Ok(Arc::clone(&slot.made));
        }
        // Both at once would be twice the memory.
        *slot = None;
        let at = Instant::now();
        let made = make()?;
        *slot = Some(Slot { made: Arc::clone(&made), store, took: at.elapsed(), at: Instant::now() });
        Ok(made)
    }

    /// Lets go of it for what takes as much memory, and is not made anew before that is done.
    pub(crate) fn give_way(&self) -> Instead<'_> {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *slot = None;
        Instead { _slot: slot }
    }

    /// Lets go of what is old.
    pub(crate) fn tidy(&self) {
        // Whoever holds it is making a new one.
        if let Ok(mut slot) = self.0.try_lock()
            && slot.as_ref().is_some_and(|slot| slot.at.elapsed() > KEPT)
        {
            *slot = None;
        }
    }
}

/// Something else takes its memory as long as this is there.
#[must_use]
pub(crate) struct Instead<'e> {
    _slot: MutexGuard<'e, Option<Slot>>,
}

impl Slot {
    fn is_fresh(&self, store: u64) -> bool {
        let age = self.at.elapsed();
        age <= KEPT && (self.store == store || age < self.took.saturating_mul(REST))
    }
}
