//! What all requests share: where the store is, how the server was started, how far a reading is.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use answers::follow::{self, Following};
use answers::reading::Watch;
use axum::http::HeaderName;
use diagnose::detect::Settings;
use ipnet::IpNet;
use jiff::tz::TimeZone;
use store::index::Ledger;
use store::state::State;
use tokio::sync::Semaphore;

use crate::access::Access;
use crate::data::{Everybody, Shelf};
use crate::guard::ServeError;
use crate::live::Live;
use crate::requests::Requests;

/// How the server is started.
#[derive(Clone, Debug)]
pub struct Config {
    /// The store that answers.
    pub state: State,
    /// Where it listens.
    pub listen: SocketAddr,
    /// Where its pages begin: `/`, or `/x/` behind a proxy. Begins and ends with a slash.
    pub base: String,
    /// Names under which it may be asked for, besides its own address and this machine's loopback.
    pub hosts: Vec<String>,
    /// Zone of the times shown.
    pub zone: TimeZone,
    /// Where users are kept; `None`: there are none.
    pub users: Option<PathBuf>,
    /// Proxies whose word about clients, schemes and users is taken.
    pub proxies: Vec<IpNet>,
    /// The header in which such a proxy names the user who signed in with it.
    pub name_header: Option<HeaderName>,
    /// Nobody signs in, though a proxy lets others in: it sees to that itself.
    pub no_sign_in: bool,
    /// fail2ban's own logs, in which bans of clients are looked up.
    pub fail2ban_logs: Vec<PathBuf>,
    /// What the site says about itself, by which findings are judged.
    pub judged: Settings,
    /// Certificate chain and key, PEM: the server speaks TLS itself.
    pub tls: Option<(PathBuf, PathBuf)>,
}

impl Config {
    /// Only this machine reaches it.
    pub(crate) fn is_local(&self) -> bool {
        self.listen.ip().is_loopback()
    }
}

/// Light questions answered at once.
const LIGHT: usize = 8;
/// Requests that wait for answers that are being made.
const PATIENT: usize = 64;
/// Answers made at once that need many lines.
const HEAVY: usize = 2;
/// Answers made at once that need all lines of a time: each takes half of the memory that a server should.
const WHOLE: usize = 1;

/// Files written at once.
const EXPORTS: usize = 4;

/// What all requests share.
pub struct App {
    pub(crate) config: Config,
    following: OnceLock<Weak<Following>>,
    pub(crate) access: Access,
    pub(crate) progress: Arc<Progress>,
    pub(crate) light: Arc<Semaphore>,
    pub(crate) patient: Arc<Semaphore>,
    pub(crate) heavy: Arc<Semaphore>,
    pub(crate) whole: Arc<Semaphore>,
    pub(crate) exports: Arc<Semaphore>,
    pub(crate) shelf: Shelf,
    pub(crate) everybody: Everybody,
    /// What was counted of the store's segments.
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) live: Live,
    pub(crate) requests: Requests,
}

impl App {
    /// A server of that configuration.
    #[must_use]
    pub fn new(config: Config) -> Arc<Self> {
        Arc::new(Self {
            following: OnceLock::new(),
            access: Access::new(config.users.clone()),
            config,
            progress: Arc::new(Progress::default()),
            light: Arc::new(Semaphore::new(LIGHT)),
            patient: Arc::new(Semaphore::new(PATIENT)),
            heavy: Arc::new(Semaphore::new(HEAVY)),
            whole: Arc::new(Semaphore::new(WHOLE)),
            exports: Arc::new(Semaphore::new(EXPORTS)),
            shelf: Shelf::default(),
            everybody: Everybody::default(),
            ledger: Arc::default(),
            live: Live::default(),
            requests: Requests::default(),
        })
    }

    /// Refuses what would show the log to others.
    pub fn check(&self) -> Result<(), ServeError> {
        crate::guard::check(self)
    }

    /// The store is filled by this.
    pub fn follows(&self, following: Weak<Following>) {
        // Told once, when the server starts.
        let _ = self.following.set(following);
    }

    /// How the following goes, if this server does it.
    pub(crate) fn following(&self) -> Option<follow::Status> {
        Some(self.following.get()?.upgrade()?.status())
    }

    /// What a reading that fills the store tells its progress to.
    #[must_use]
    pub fn watch(&self) -> Arc<dyn Watch> {
        self.progress.reading.store(true, Ordering::Relaxed);
        Arc::clone(&self.progress) as Arc<dyn Watch>
    }

    /// All that was to be read is in the store.
    pub fn read_whole(&self) {
        self.progress.over();
    }
}

/// How far the reading of named files is.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    reading: AtomicBool,
    read: AtomicU64,
    total: AtomicU64,
}

impl Progress {
    /// Bytes read and all bytes, while it reads. All is 0 where that is not known.
    pub(crate) fn so_far(&self) -> Option<(u64, u64)> {
        let load = |number: &AtomicU64| number.load(Ordering::Relaxed);
        self.reading.load(Ordering::Relaxed).then(|| (load(&self.read), load(&self.total)))
    }

    /// The reading is over.
    pub(crate) fn over(&self) {
        self.reading.store(false, Ordering::Relaxed);
    }
}

impl Watch for Progress {
    fn at(&self, progress: input::Progress) {
        self.read.store(progress.read, Ordering::Relaxed);
        self.total.store(progress.total.unwrap_or_default(), Ordering::Relaxed);
    }

    // One of several readings is over: what fills the store says when all are.
    fn done(&self) {}
}
