//! The follower: all logs and streams together, one batch at a time.
//!
//! Nothing is read before it is asked for, so whoever cannot keep up holds nothing in memory: what waits, waits in the files. Files are
//! held open meanwhile, so that rotation takes nothing away.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::bounded;

use crate::clock::{self, Clock};
use crate::discover;
use crate::follow::batch::{Batch, Position};
use crate::follow::config::{FollowConfig, Watch};
use crate::follow::known::Known;
use crate::follow::log::{Common, Log, Offer, log_of};
use crate::follow::members::Naming;
use crate::follow::status::SourceStatus;
use crate::follow::tail::{Start, Step, Tail};
use crate::follow::text::Text;
use crate::follow::wake::{Stopper, Wake};
use crate::open;
use crate::problem::Problem;
use crate::source::Origin;
use crate::years::DAY_US;

/// How often folders are listed at the latest.
const SCAN_EVERY: Duration = Duration::from_secs(1);
/// How often at most, however much changes in them.
const SCAN_PAUSE: Duration = Duration::from_millis(50);
/// How often patterns and folders are looked through for new logs.
const FIND_EVERY: Duration = Duration::from_secs(5);
/// Size of the pieces a stream is read in, and how many wait at most.
const PIECE_BYTES: usize = 64 << 10;
const PIECES_MAX: usize = 4;

/// Follows logs, spools and standard input.
///
/// Memory: one batch of at most 256 KiB, per open archive its decoder, per stream 512 KiB, and 4 KiB per open file.
pub struct Follower {
    common: Common,
    /// What was asked for: patterns are looked up again and again.
    watches: Vec<Watch>,
    logs: Vec<Log>,
    streams: Vec<Tail>,
    wake: Wake,
    /// Whose turn it is.
    turn: usize,
    scanned: Option<Instant>,
    found: Option<Instant>,
    problems: Vec<Problem>,
}

impl Follower {
    /// Starts following. What was read before, `resume` says: a source that starts as one of these did is read on from there, whatever
    /// it is called now and however it is packed.
    #[must_use]
    pub fn new(config: FollowConfig, resume: impl IntoIterator<Item = Position>) -> Self {
        let watches = config.watches.clone();
        let common = Common { config, known: Known::new(resume), hasher: foldhash::quality::RandomState::default() };
        let mut follower = Self {
            common,
            logs: Vec::new(),
            streams: Vec::new(),
            wake: Wake::new(),
            turn: 0,
            scanned: None,
            found: None,
            problems: Vec::new(),
            watches,
        };
        if follower.watches.contains(&Watch::StandardInput) {
            follower.stream("-", io::stdin());
        }
        follower
    }

    /// Follows a stream besides, e.g. a test's. Its end is no error.
    pub fn stream(&mut self, name: &str, reader: impl Read + Send + 'static) {
        let (give, pieces) = bounded(PIECES_MAX);
        let stopper = self.wake.stopper.clone();
        // Nobody waits for a stream that may never say anything more.
        drop(std::thread::spawn(move || {
            let Ok(opened) = open::open_stream(Box::new(reader), &Arc::default()) else { return stopper.wake() };
            let mut reader = opened.reader;
            let mut piece = vec![0; PIECE_BYTES];
            while let Ok(count @ 1..) = reader.read(&mut piece) {
                if give.send(piece.get(..count).unwrap_or_default().to_vec()).is_err() {
                    return;
                }
                stopper.wake();
            }
            drop(give);
            stopper.wake();
        }));
        let zone = self.common.config.timezone.clone();
        let now_us = jiff::Timestamp::now().as_microsecond();
        let latest_us = clock::local_us(&zone, now_us).saturating_add(DAY_US);
        let clock = Clock::new(zone, None, latest_us);
        let start = Start { offset: 0, lines: 0, from: None };
        let source = self.common.known.new_source();
        self.streams.push(Tail::new(source, name, PathBuf::new(), Some(Text::stream(pieces)), start, clock));
    }

    /// The next lines; `None` if there are none by the deadline, or after a request to stop.
    ///
    /// To be asked again and again: it also notices here what rotation does.
    pub fn next(&mut self, deadline: Instant) -> Option<Batch> {
        loop {
            if self.wake.stopper.is_stopped() {
                return None;
            }
            let now = Instant::now();
            match self.poll(now) {
                Offer::Lines(batch) => return Some(*batch),
                Offer::Busy if now < deadline => {}
                _ if now >= deadline => return None,
                _ => self.wake.wait(self.common.config.poll_every, deadline),
            }
        }
    }

    /// Looks once at everything, as of `now`.
    pub(crate) fn poll(&mut self, now: Instant) -> Offer {
        let offer = self.offer(now);
        let is_quiet = matches!(offer, Offer::Quiet);
        // A busy log must not keep rotation from being noticed.
        let pause = if is_quiet { SCAN_PAUSE } else { SCAN_EVERY };
        if self.scanned.is_some_and(|at| now.saturating_duration_since(at) < pause) {
            return offer;
        }
        self.scan(now);
        if is_quiet { self.offer(now) } else { offer }
    }

    fn offer(&mut self, now: Instant) -> Offer {
        let count = self.logs.len();
        for at in (0..count).map(|step| (self.turn + step) % count) {
            let offer = self.logs.get_mut(at).map_or(Offer::Quiet, |log| log.next(&mut self.common, now));
            if !matches!(offer, Offer::Quiet) {
                self.turn = at + 1;
                return offer;
            }
        }
        for tail in &mut self.streams {
            match tail.step(now, self.common.config.unended_after, &self.common.hasher) {
                Step::Lines(batch) => return Offer::Lines(batch),
                Step::Busy => return Offer::Busy,
                _ => {}
            }
        }
        Offer::Quiet
    }

    fn scan(&mut self, now: Instant) {
        self.scanned = Some(now);
        if self.found.is_none_or(|at| now.saturating_duration_since(at) >= FIND_EVERY) {
            self.found = Some(now);
            self.find();
        }
        for log in &mut self.logs {
            let folder = match log.naming() {
                Naming::Log(path) => path.parent().unwrap_or(Path::new(".")),
                Naming::Spool(folder) => folder,
            };
            self.wake.watch(folder);
            log.scan(&mut self.common);
        }
    }

    fn find(&mut self) {
        self.problems.clear();
        for watch in self.watches.clone() {
            match watch {
                Watch::Files(path) => self.find_logs(&path),
                Watch::Spool { folder, name } => self.add_log(Naming::Spool(folder), Some(name.as_str().into())),
                Watch::StandardInput => {}
            }
        }
    }

    /// The logs a path stands for: itself, or those that a pattern or a folder has now.
    fn find_logs(&mut self, path: &Path) {
        let is_pattern = path.to_string_lossy().contains(['*', '?', '[']) && !path.exists();
        if !is_pattern && !path.is_dir() {
            return self.add_log(Naming::Log(log_of(path)), None);
        }
        let found = discover(&[path], Path::new("/"));
        for source in found.list {
            if let Origin::File(path) = source.origin {
                self.add_log(Naming::Log(log_of(&path)), None);
            }
        }
        self.problems.extend(found.problems);
    }

    fn add_log(&mut self, naming: Naming, name: Option<Arc<str>>) {
        if self.logs.iter().all(|log| *log.naming() != naming) {
            self.logs.push(Log::new(naming, name));
        }
    }

    /// To stop it from another thread, e.g. at a signal.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        self.wake.stopper.clone()
    }

    /// Whether every stream has ended and nothing else is followed.
    #[must_use]
    pub fn is_over(&self) -> bool {
        let ended = |tail: &Tail| tail.text.as_ref().is_some_and(Text::is_over) && tail.quiet_since.is_some();
        self.logs.is_empty()
            && self.watches.iter().all(|watch| *watch == Watch::StandardInput)
            && self.streams.iter().all(ended)
    }

    /// What is followed, how far it was read, and what stands in the way.
    #[must_use]
    pub fn status(&self) -> Vec<SourceStatus> {
        let mut all: Vec<SourceStatus> = Vec::new();
        for log in &self.logs {
            all.extend(log.tails.iter().map(SourceStatus::of));
            all.extend(log.problems().map(|problem| SourceStatus::problem(log.path(), problem)));
        }
        all.extend(self.streams.iter().map(SourceStatus::of));
        all.extend(self.problems.iter().map(|problem| SourceStatus::problem(Path::new(""), problem)));
        all
    }

    /// Why the system does not tell of changes, so that files are only looked at every now and then. `None`: it does.
    #[must_use]
    pub fn only_polling(&self) -> Option<&str> {
        self.wake.problem.as_deref()
    }
}
