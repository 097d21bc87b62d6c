//! One course of following: from opening the sources to the stop, or to what ends it.
//!
//! Batches of the follower go in; entries go into the store, a commit every second, and how it goes is told to whoever asks.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use input::{Batch, FollowConfig, Follower, Position, Watch};
use jiff::Timestamp;
use trace::{Follow, Limits, Tracer};

use super::elsewhere::Elsewhere;
use super::{Phase, Shared};
use crate::ingest::{self, Taking};
use crate::memory;
use crate::reading::{self, Input, Reading};
use crate::retention;
use crate::stream::{Taker as _, Waiting};

/// Lines are committed as often.
const COMMIT_EVERY: Duration = Duration::from_secs(1);
/// How often days beyond their time are looked for.
const RETENTION_EVERY: Duration = Duration::from_secs(3600);
/// Half a line is none: its rest would have the same number. Longer than any writer pauses.
const UNENDED: Duration = Duration::from_secs(24 * 3600);
/// What was rotated no longer ago than this is read again with the newest file: lines to come may tell of its last ones. Twice the time
/// that a line is waited with.
const LOOK_BACK: Duration = Duration::from_secs(120);
/// A log whose last line is not older is one that is written now, by a clock that goes right.
const LIVE_US: i64 = 600 * 1_000_000;
/// Lines are not later than this.
const LATE_US: i64 = 2 * 1_000_000;

/// Lines on their way into the store.
pub(super) struct Course<'c> {
    shared: &'c Shared,
    elsewhere: &'c Elsewhere,
    follower: Follower,
    tracer: Tracer,
    waiting: Waiting<'c, Taking>,
    /// By the follower's number: the source's place, its name, and how much of its start is known.
    sources: BTreeMap<u64, (usize, String, usize)>,
    /// How far sources were read, by place: what to release with the next commit.
    read: BTreeMap<usize, Position>,
    /// Something was read of these since the last commit.
    read_now: BTreeSet<usize>,
    seq: u64,
    /// The latest time of a line.
    latest: Option<i64>,
}

impl<'c> Course<'c> {
    /// Until it is told to stop, or nothing more can come. What was read is in the store then.
    pub(super) fn run(shared: &'c Shared, elsewhere: &'c Elsewhere) -> anyhow::Result<()> {
        let mut config = FollowConfig::new(watches(shared, elsewhere));
        config.timezone = reading::zone(shared.config.timezone.as_deref())?;
        config.unended_after = UNENDED;
        config.look_back = LOOK_BACK;
        let mut follower = Follower::new(config, None);
        shared.stops(follower.stopper());
        // The files are held open before the store catches up, so that rotation takes nothing away meanwhile.
        let first = follower.next(Instant::now());
        catch_up(shared)?;
        if shared.halt.is_set() {
            return Ok(());
        }
        let mut taking = Taking::live(&shared.state)?;
        let mut course = Course {
            shared,
            elsewhere,
            follower,
            tracer: Tracer::following(Follow::Logins, Limits::default()),
            waiting: Waiting::live(&mut taking),
            sources: BTreeMap::new(),
            read: BTreeMap::new(),
            read_now: BTreeSet::new(),
            seq: 0,
            latest: None,
        };
        course.follow(first)
    }

    fn follow(&mut self, mut next: Option<Batch>) -> anyhow::Result<()> {
        let (mut due, mut retention_due) = (Instant::now() + COMMIT_EVERY, Instant::now() + RETENTION_EVERY);
        while !self.shared.halt.is_set() {
            if let Some(batch) = next.take() {
                self.take(&batch);
            }
            if Instant::now() >= due || self.waiting.is_full() {
                self.commit()?;
                due = Instant::now() + COMMIT_EVERY;
            }
            if Instant::now() >= retention_due {
                let (state, kept) = (&self.shared.state, &self.shared.config.retention);
                let (judged, halt) = (&self.shared.config.judged, &self.shared.halt);
                self.waiting.taker.pause(state, || {
                    retention::enforce(state, kept)?;
                    memory::refresh_if_possible(state, judged, halt);
                    Ok(())
                })?;
                retention_due = Instant::now() + RETENTION_EVERY;
            }
            if self.follower.is_over() {
                break;
            }
            next = self.follower.next(due);
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
            reading::pass(&mut self.tracer, &line, event.as_ref(), &mut self.waiting);
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
        let now = Timestamp::now().as_microsecond();
        if self.latest.is_some_and(|latest| (0..=LIVE_US).contains(&now.saturating_sub(latest))) {
            self.tracer.tick(now - LATE_US, &mut self.waiting);
        }
    }

    fn commit(&mut self) -> anyhow::Result<()> {
        self.tick();
        self.waiting.settle();
        self.waiting.taker.commit()?;
        let read_now = std::mem::take(&mut self.read_now);
        for at in &read_now {
            let Some(position) = self.read.get(at) else { continue };
            self.waiting.taker.followed(*at, &position.name, position.offset)?;
        }
        let mut problems = self.waiting.taker.damaged();
        problems.extend(self.elsewhere.problems());
        if !read_now.is_empty() {
            let read: Vec<Position> = self.read.values().cloned().collect();
            problems.extend(self.elsewhere.release(&read));
        }
        self.tell(!read_now.is_empty(), problems);
        Ok(())
    }

    /// Writes down how it goes.
    fn tell(&self, is_new: bool, problems: Vec<String>) {
        let (sources, latest) = (self.follower.status(), self.latest);
        self.shared.note(|status| {
            status.phase = Phase::Following;
            if is_new {
                status.commits += 1;
                status.committed = Some(Timestamp::now());
            }
            status.latest = latest;
            status.sources = sources;
            status.problems = problems;
        });
    }
}

/// All that is to be followed.
fn watches(shared: &Shared, elsewhere: &Elsewhere) -> Vec<Watch> {
    let mut watches = elsewhere.watches();
    watches.extend(shared.config.files.iter().map(|file| match file.as_os_str() == "-" {
        true => Watch::StandardInput,
        false => Watch::Files(file.clone()),
    }));
    watches
}

/// Takes in what stands in the files by now, those of the same rotation included.
fn catch_up(shared: &Shared) -> anyhow::Result<()> {
    let files = shared.config.files.iter().filter(|file| file.as_os_str() != "-");
    let files: Vec<PathBuf> = files.flat_map(|file| input::with_rotated(file)).collect();
    if files.is_empty() {
        memory::refresh_if_possible(&shared.state, &shared.config.judged, &shared.halt);
        return Ok(());
    }
    let input = Input { files, timezone: shared.config.timezone.clone(), ..Input::default() };
    let reading = Reading::of_files(&input)?.halted_by(&shared.halt).judged_by(shared.config.judged.clone());
    match ingest::ingest(&shared.state, reading, &shared.config.retention, |_, _| ())? {
        Ok(ingested) => ingested.failure.map_or(Ok(()), Err),
        // None of them can be read now: what is in the way, the follower tells.
        Err(_) => Ok(()),
    }
}
