//! What makes the follower look again before its time: a change in a watched folder, a piece from a stream, a request to stop.
//!
//! Where the system cannot tell of changes (no inotify watch left, a network file system), the follower looks at its own pace.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};

/// Asks a follower to stop; can be given to other threads.
#[derive(Clone)]
pub struct Stopper {
    stopped: Arc<AtomicBool>,
    wake: Sender<()>,
}

impl Stopper {
    /// [`crate::Follower::next`] returns within a second and gives nothing more.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        // A wake-up that is already waiting does as well.
        let _ = self.wake.try_send(());
    }

    /// Whether it was asked to stop.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// Makes the follower look again.
    pub(crate) fn wake(&self) {
        let _ = self.wake.try_send(());
    }
}

/// The follower's side.
pub(crate) struct Wake {
    woken: Receiver<()>,
    pub(crate) stopper: Stopper,
    watcher: Option<RecommendedWatcher>,
    folders: BTreeSet<PathBuf>,
    /// Why changes are not told of.
    pub(crate) problem: Option<String>,
}

impl Wake {
    pub(crate) fn new() -> Self {
        let (wake, woken) = bounded(1);
        let stopper = Stopper { stopped: Arc::default(), wake: wake.clone() };
        let told = move |event: notify::Result<notify::Event>| {
            // Our own reading is no change.
            if event.is_ok_and(|event| !matches!(event.kind, EventKind::Access(_))) {
                let _ = wake.try_send(());
            }
        };
        let (watcher, problem) = match notify::recommended_watcher(told) {
            Ok(watcher) => (Some(watcher), None),
            Err(error) => (None, Some(error.to_string())),
        };
        Self { woken, stopper, watcher, folders: BTreeSet::new(), problem }
    }

    /// Watches a folder from now on, if it exists and is not watched yet.
    pub(crate) fn watch(&mut self, folder: &Path) {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        if !folder.is_dir() {
            // It may come back as another one.
            self.folders.remove(folder);
            return;
        }
        let Some(watcher) = self.watcher.as_mut().filter(|_| !self.folders.contains(folder)) else { return };
        match watcher.watch(folder, RecursiveMode::NonRecursive) {
            Ok(()) => drop(self.folders.insert(folder.to_owned())),
            Err(error) => self.problem = Some(format!("{}: {error}", folder.display())),
        }
    }

    /// Waits for a change, for `pace` at most and not beyond the deadline.
    pub(crate) fn wait(&self, pace: Duration, deadline: Instant) {
        let until = deadline.min(Instant::now() + pace);
        let _ = self.woken.recv_deadline(until);
    }
}
