//! `follow`: what is written now into the store, until it is told to stop.
//!
//! Files, standard input, syslog and the journal go in; every second all lines that came are committed, so a line can be searched about a
//! second after it was written. It is kept as it looks then, and once more when lines after it have told more of it (up to a minute of log
//! time): what is in the store is at every commit what is known by then.
//!
//! How far each source is in, the store's commits alone say. At the start the logs are read as `ingest` reads them, rotated files
//! included; then the newest file of each is read again for what it tells of the lines to come, and what is known of it is passed over.
//! Lines from elsewhere wait in a spool on disk until they are committed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use input::{
    Batch, FollowConfig, Follower, JournalConfig, JournalReader, Position, Spool, SpoolLimits, Stopper, SyslogConfig,
    SyslogServer, TlsFiles, Watch,
};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use store::state::State;
use trace::{Follow, Limits, Tracer};

use crate::cli;
use crate::exit::Exit;
use crate::ingest::{self, Taking};
use crate::print;
use crate::reading;
use crate::state;
use crate::stream::{Taker as _, Waiting};

/// Lines are committed as often.
const COMMIT_EVERY: Duration = Duration::from_secs(1);
/// Half a line is none: its rest would have the same number. Longer than any writer pauses.
const UNENDED: Duration = Duration::from_secs(24 * 3600);
/// A log whose last line is not older is one that is written now, by a clock that goes right.
const LIVE_US: i64 = 600 * 1_000_000;
/// Lines are not later than this.
const LATE_US: i64 = 2 * 1_000_000;
/// Where the logs usually are.
const USUAL: [&str; 2] = ["/var/log/mail.log", "/var/log/maillog"];

/// Runs the command.
pub(crate) fn run(args: &cli::Follow) -> anyhow::Result<Exit> {
    let folder = args.state.clone().or_else(state::usual);
    let state = State::new(&folder.context("--state: no usual folder for it, because HOME is not set; name one")?);
    let _lock = state.lock()?;
    let files = files(args);
    let (elsewhere, mut watches) = Elsewhere::start(args, &state)?;
    watches.extend(files.iter().map(|file| match file.as_os_str() == "-" {
        true => Watch::StandardInput,
        false => Watch::Files(file.clone()),
    }));
    let mut config = FollowConfig::new(watches);
    config.timezone = reading::zone(args.timezone.as_deref())?;
    config.unended_after = UNENDED;
    let mut follower = Follower::new(config, None);
    // The files are held open before the store catches up, so that rotation takes nothing away meanwhile.
    let first = follower.next(Instant::now());
    let written: Vec<PathBuf> = files.iter().flat_map(|file| input::with_rotated(file)).collect();
    if !written.is_empty() {
        ingest::catch_up(&state, written, args)?;
    }
    stop_at_signals(follower.stopper())?;
    let mut taking = Taking::live(&state)?;
    let mut following = Following::new(&mut taking, elsewhere);
    if !args.output.quiet {
        print::note(&format!("following into {}; Ctrl-C ends it", state.root().display()));
    }
    following.follow(&mut follower, first)?;
    ingest::finish(taking)?;
    Ok(Exit::Ok)
}

/// What was named, or the usual places that are there.
fn files(args: &cli::Follow) -> Vec<PathBuf> {
    let others = args.journal || !args.syslog.is_empty() || !args.syslog_tls.is_empty();
    if !args.files.is_empty() || others {
        return args.files.clone();
    }
    USUAL.iter().map(PathBuf::from).filter(|file| file.exists()).collect()
}

/// Lets SIGTERM and SIGINT end the following in good order.
fn stop_at_signals(stopper: Stopper) -> anyhow::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT]).context("signals")?;
    // It ends with the process.
    drop(std::thread::spawn(move || signals.forever().for_each(|_| stopper.stop())));
    Ok(())
}

/// Receivers of what comes from elsewhere, and their spools.
struct Elsewhere {
    spools: Vec<Arc<Mutex<Spool>>>,
    _syslog: Option<SyslogServer>,
    _journal: Option<JournalReader>,
}

impl Elsewhere {
    fn start(args: &cli::Follow, state: &State) -> anyhow::Result<(Self, Vec<Watch>)> {
        let folder = |name: &str| state.root().join("spool").join(name);
        let watch = |name: &str| Watch::Spool { folder: folder(name), name: name.to_owned() };
        let (mut spools, mut watches) = (Vec::new(), Vec::new());
        let syslog = if args.syslog.is_empty() && args.syslog_tls.is_empty() {
            None
        } else {
            let spool = Arc::new(Mutex::new(Spool::open(&folder("syslog"), SpoolLimits::default())?));
            spools.push(Arc::clone(&spool));
            watches.push(watch("syslog"));
            Some(SyslogServer::start(&syslog_config(args), spool)?)
        };
        let journal = if args.journal {
            let journal = JournalReader::start(JournalConfig::default(), &folder("journal"), SpoolLimits::default())?;
            spools.push(journal.spool());
            watches.push(watch("journal"));
            Some(journal)
        } else {
            None
        };
        Ok((Self { spools, _syslog: syslog, _journal: journal }, watches))
    }

    /// Deletes what is in the store.
    fn release(&self, done: &[Position]) {
        for spool in &self.spools {
            let released = spool.lock().map(|mut spool| spool.release(done));
            if let Ok(Err(error)) = released {
                print::error(&format!("spool: {error}"));
            }
        }
    }
}

fn syslog_config(args: &cli::Follow) -> SyslogConfig {
    let files = args.tls_certificate.clone().zip(args.tls_key.clone());
    SyslogConfig {
        udp: args.syslog.clone(),
        tcp: args.syslog.clone(),
        tls: args.syslog_tls.clone(),
        tls_files: files.map(|(certificate, key)| TlsFiles {
            certificate,
            key,
            client_authorities: args.tls_client_ca.clone(),
        }),
        ..SyslogConfig::default()
    }
}

/// Lines on their way into the store.
struct Following<'t> {
    tracer: Tracer,
    waiting: Waiting<'t, Taking>,
    elsewhere: Elsewhere,
    /// By the follower's number: the source's place, its name, and how much of its start is known.
    sources: BTreeMap<u64, (usize, String, usize)>,
    /// How far sources were read, by place: what to release with the next commit.
    read: BTreeMap<usize, Position>,
    /// Something was read since the last commit.
    read_now: BTreeSet<usize>,
    seq: u64,
    /// The latest time of a line.
    latest: Option<i64>,
}

impl<'t> Following<'t> {
    fn new(taking: &'t mut Taking, elsewhere: Elsewhere) -> Self {
        Self {
            tracer: Tracer::following(Follow::Logins, Limits::default()),
            waiting: Waiting::live(taking),
            elsewhere,
            sources: BTreeMap::new(),
            read: BTreeMap::new(),
            read_now: BTreeSet::new(),
            seq: 0,
            latest: None,
        }
    }

    /// Until it is told to stop, or nothing more can come. What was read is in the store then.
    fn follow(&mut self, follower: &mut Follower, mut next: Option<Batch>) -> anyhow::Result<()> {
        let stopper = follower.stopper();
        let mut due = Instant::now() + COMMIT_EVERY;
        while !stopper.is_stopped() {
            if let Some(batch) = next.take() {
                self.take(&batch);
            }
            if Instant::now() >= due || self.waiting.is_full() {
                self.commit()?;
                due = Instant::now() + COMMIT_EVERY;
            }
            if follower.is_over() {
                break;
            }
            next = follower.next(due);
        }
        self.tracer.finish(&mut self.waiting);
        self.commit()
    }

    fn take(&mut self, batch: &Batch) {
        let at = self.source(batch);
        for followed in batch.lines() {
            self.seq += 1;
            let line = input::Line { source: at, seq: self.seq, ..followed.line };
            self.latest = self.latest.max(line.time);
            let event = line.record.as_ref().and_then(maillog::event);
            reading::pass(&mut self.tracer, line, event, &mut self.waiting);
        }
        self.read.insert(at, batch.position().clone());
        self.read_now.insert(at);
    }

    /// The place of a batch's source. Its name and how it begins are told when they have changed.
    fn source(&mut self, batch: &Batch) -> usize {
        let new = self.sources.len();
        let (name, head) = (batch.name(), batch.head());
        let known = self.sources.entry(batch.source()).or_insert((new, String::new(), 0));
        let at = known.0;
        if known.1 != name || known.2 < head.len() {
            (known.1, known.2) = (name.to_owned(), head.len());
            self.waiting.name(at, name);
            self.waiting.taker.name(at, name);
            self.waiting.taker.begins(at, head);
        }
        at
    }

    /// What waits for evidence need not wait for the next line: of a log written now the clock says that no more will come.
    fn tick(&mut self) {
        let now = jiff::Timestamp::now().as_microsecond();
        if self.latest.is_some_and(|latest| (0..=LIVE_US).contains(&now.saturating_sub(latest))) {
            self.tracer.tick(now - LATE_US, &mut self.waiting);
        }
    }

    fn commit(&mut self) -> anyhow::Result<()> {
        let mut is_new = false;
        self.tick();
        self.waiting.settle();
        self.waiting.taker.commit()?;
        for at in std::mem::take(&mut self.read_now) {
            let Some(position) = self.read.get(&at) else { continue };
            self.waiting.taker.followed(at, &position.name, position.offset)?;
            is_new = true;
        }
        if is_new {
            let read: Vec<Position> = self.read.values().cloned().collect();
            self.elsewhere.release(&read);
        }
        Ok(())
    }
}
