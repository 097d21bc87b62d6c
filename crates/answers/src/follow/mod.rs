//! Following: what is written now, into the store, until it is told to stop.
//!
//! Files, standard input, syslog and the journal go in; every second all lines that came are committed, so a line can be searched about a
//! second after it was written. It is kept as it looks then, and once more when lines after it have told more of it (up to a minute of log
//! time): what is in the store is at every commit what is known by then.
//!
//! How far each source is in, the store's commits alone say. At the start the logs are read as `ingest` reads them, rotated files
//! included; then the newest file of each is read again for what it tells of the lines to come, and what is known of it is passed over.
//! Lines from elsewhere wait in a spool on disk until they are committed. When the disk is full, nothing is lost: it waits until there is
//! room, and goes on behind the last commit.

mod course;
mod elsewhere;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use diagnose::detect::Settings;
use input::{SourceStatus, Stopper, TlsFiles};
use jiff::Timestamp;
use store::state::{Lock, State};

use crate::ingest;
use crate::reading::Halt;
use crate::retention::Retention;
use course::Course;
use elsewhere::Elsewhere;

/// Where the logs usually are.
const USUAL: [&str; 2] = ["/var/log/mail.log", "/var/log/maillog"];
/// How long it waits for room on a full disk before it tries again.
const ROOM_PAUSE: Duration = Duration::from_secs(5);

/// What to follow.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Logs with their rotated files, or patterns; `-` is standard input.
    pub files: Vec<PathBuf>,
    /// The system's journal, too.
    pub journal: bool,
    /// Addresses for syslog over UDP and TCP.
    pub syslog: Vec<SocketAddr>,
    /// Addresses for syslog over TLS; needs `tls_files`.
    pub syslog_tls: Vec<SocketAddr>,
    /// Certificate and key for them.
    pub tls_files: Option<TlsFiles>,
    /// Zone of stamps without one: an IANA name; `None` is this machine's.
    pub timezone: Option<String>,
    /// What is kept, and how long; looked after once an hour.
    pub retention: Retention,
    /// What the site says about itself: what findings remember is judged by it.
    pub judged: Settings,
}

impl Config {
    /// With the usual logs of this machine, if nothing else is to be followed.
    #[must_use]
    pub fn or_usual(mut self) -> Self {
        if self.files.is_empty() && !self.journal && self.syslog.is_empty() && self.syslog_tls.is_empty() {
            self.files = USUAL.iter().map(PathBuf::from).filter(|file| file.exists()).collect();
        }
        self
    }

    /// Whether there is nothing to follow.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && !self.journal && self.syslog.is_empty() && self.syslog_tls.is_empty()
    }

    /// What was read of standard input cannot be read again.
    fn has_standard_input(&self) -> bool {
        self.files.iter().any(|file| file.as_os_str() == "-")
    }
}

/// What following is at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// It takes in what was written before it began.
    #[default]
    CatchingUp,
    /// Lines are in about a second after they were written.
    Following,
    /// It waits until what is in its way has gone; which is what.
    Waiting(String),
    /// It has ended; why, if that was not asked for.
    Ended(Option<String>),
}

/// How following goes.
#[derive(Clone, Debug, Default)]
pub struct Status {
    /// What it is at.
    pub phase: Phase,
    /// Commits since the start. Whoever shows answers of the store asks again when it has grown.
    pub commits: u64,
    /// When the last of them was.
    pub committed: Option<Timestamp>,
    /// The latest time of a line that is in: microseconds since 1970 UTC.
    pub latest: Option<i64>,
    /// Each source, how far it was read, and what stands in its way.
    pub sources: Vec<SourceStatus>,
    /// What else stands in the way.
    pub problems: Vec<String>,
}

/// Following in threads of its own. It stops when it is dropped.
pub struct Following {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<anyhow::Result<()>>>,
}

/// Tells a following to stop; can be given to other threads.
#[derive(Clone)]
pub struct Stop(Arc<Shared>);

impl Stop {
    /// It commits what was read, and ends.
    pub fn stop(&self) {
        self.0.halt.set();
        if let Some(stopper) = &*lock(&self.0.stopper) {
            stopper.stop();
        }
        self.0.changed.notify_all();
    }
}

/// What the threads have in common.
struct Shared {
    state: State,
    config: Config,
    halt: Halt,
    /// Of the follower that is at work.
    stopper: Mutex<Option<Stopper>>,
    status: Mutex<Status>,
    changed: Condvar,
}

impl Following {
    /// Follows from now on, as the one writer of the store. Errors: another process writes, an address or a certificate cannot be had.
    pub fn start(state: &State, config: Config) -> anyhow::Result<Self> {
        let held = state.lock()?;
        crate::reading::zone(config.timezone.as_deref())?;
        let elsewhere = Elsewhere::start(&config, state)?;
        let shared = Arc::new(Shared {
            state: state.clone(),
            config,
            halt: Halt::default(),
            stopper: Mutex::default(),
            status: Mutex::default(),
            changed: Condvar::new(),
        });
        let own = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("follow".to_owned()).spawn(move || own.run(&elsewhere, &held))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// How it goes.
    #[must_use]
    pub fn status(&self) -> Status {
        lock(&self.shared.status).clone()
    }

    /// Waits until there were more commits than `known`, or it has ended, or the time is over.
    #[must_use]
    pub fn wait_for_commit(&self, known: u64, most: Duration) -> Status {
        let status = lock(&self.shared.status);
        let old = |status: &mut Status| status.commits <= known && !matches!(status.phase, Phase::Ended(_));
        let waited = self.shared.changed.wait_timeout_while(status, most, old);
        waited.unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    /// For whoever tells it to stop.
    #[must_use]
    pub fn stopper(&self) -> Stop {
        Stop(Arc::clone(&self.shared))
    }

    /// Stops it: all that was read is in the store then. Errors: what ended it before.
    pub fn stop(self) -> anyhow::Result<()> {
        self.stopper().stop();
        self.wait()
    }

    /// Waits until it has ended by itself or by [`Stop::stop`].
    pub fn wait(mut self) -> anyhow::Result<()> {
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(ended)) => ended,
            Some(Err(_)) => Err(anyhow::anyhow!("following ended with a bug of ours")),
            None => Ok(()),
        }
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            self.stopper().stop();
            // How it ended, its status says.
            drop(thread.join());
        }
    }
}

impl Shared {
    /// The life of the thread. The lock is given back at its end.
    fn run(&self, elsewhere: &Elsewhere, _held: &Lock) -> anyhow::Result<()> {
        let result = self.follow(elsewhere);
        let why = result.as_ref().err().map(|error| format!("{error:#}"));
        self.note(|status| status.phase = Phase::Ended(why));
        result
    }

    fn follow(&self, elsewhere: &Elsewhere) -> anyhow::Result<()> {
        loop {
            self.note(|status| status.phase = Phase::CatchingUp);
            let result = Course::run(self, elsewhere);
            *lock(&self.stopper) = None;
            match result {
                Err(error) if store::index::has_no_room(error.as_ref()) && !self.config.has_standard_input() => {
                    self.note(|status| status.phase = Phase::Waiting(ingest::waits_for_room(&error)));
                    if self.rests() {
                        return Err(error);
                    }
                }
                other => return other,
            }
        }
    }

    /// Waits before it tries again. Output: whether it was told to stop meanwhile.
    fn rests(&self) -> bool {
        let status = lock(&self.status);
        let waited = self.changed.wait_timeout_while(status, ROOM_PAUSE, |_| !self.halt.is_set());
        drop(waited.unwrap_or_else(PoisonError::into_inner));
        self.halt.is_set()
    }

    /// Writes down how it goes, and wakes who waits for that.
    fn note(&self, change: impl FnOnce(&mut Status)) {
        change(&mut lock(&self.status));
        self.changed.notify_all();
    }

    /// From now on this one is told to stop. One that was told before it was known is told now.
    fn stops(&self, stopper: Stopper) {
        *lock(&self.stopper) = Some(stopper.clone());
        if self.halt.is_set() {
            stopper.stop();
        }
    }
}

/// What a thread that died left behind is whole all the same: each change is one assignment.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
