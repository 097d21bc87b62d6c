//! What findings remember of a store: the state of the detector behind a place in the store, kept in the state directory.
//!
//! A store goes in; its findings come out, from what is remembered and the lines behind it: asking costs what is new. What is remembered
//! counts only if every line before its place is there as it was then, and the site's own figures are the same; otherwise all lines are
//! read, as for a time that is asked for. It is made out of the store alone, after a commit, and appears whole or not at all: whatever
//! ends the program, no line counts twice, and none is missed.
//!
//! Bounds: those of [`Detector`] and [`Diagnoser`]. Mail that was under way for more than a day at the place ([`BACK_MOST`]) is not known
//! any more if it is returned later.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use diagnose::detect::{Bounds, Detector, Settings, Thresholds};
use diagnose::{Class, Diagnoser, Proof, Tally};
use input::{FeedError, Line};
use jiff::Timestamp;
use maillog::Event;
use serde::{Deserialize, Serialize};
use store::index::{Covered, Cut, Index};
use store::state::State;
use trace::{Attempt, Login, Refusal, Sink, Story, Tracer, Where};

use crate::findings::Found;
use crate::reading::{Halt, Input, Passing, Reader, Reading};
use crate::state;
use crate::stored::{Stored, Stretch};
use crate::triage::{self, Counter, Triaged};

/// The layout of what is written here.
const LAYOUT: u8 = 1;
/// Lines may come so late, microseconds: nothing younger is remembered, so that what is remembered stays true.
const LATE: i64 = 600 * 1_000_000;
/// It is made anew only when so much is new, microseconds of log time.
const NEW_LEAST: i64 = 600 * 1_000_000;
/// Lines before the place are read so far back at most, microseconds.
const BACK_MOST: i64 = 86_400 * 1_000_000;

/// What is kept.
#[derive(Serialize, Deserialize)]
struct Memory {
    layout: u8,
    program: String,
    default_domain: Option<String>,
    thresholds: Arc<Thresholds>,
    /// All lines before are remembered.
    cut: Cut,
    /// Lines from here on are read again, for what they tell of those behind `cut`.
    from: Cut,
    /// The lines that were before `cut`.
    covered: Covered,
    /// Numbers of the sources that evidence is from, by place.
    sources: Vec<u64>,
    diagnoser: Diagnoser,
    detector: Vec<u8>,
}

impl Memory {
    /// What is remembered, if it can be gone on from.
    fn load(state: &State, index: &Index, settings: &Settings) -> Option<Self> {
        let memory: Self = postcard::from_bytes(&state.remembered()?).ok()?;
        let known = memory.layout == LAYOUT && memory.program == env!("CARGO_PKG_VERSION");
        let same = memory.default_domain == settings.default_domain && memory.thresholds == settings.thresholds;
        (known && same && index.covered(memory.cut).ok()? == memory.covered).then_some(memory)
    }

    /// The counter as it was at the place.
    fn counter(self, names: &Stored, settings: &Settings) -> Option<Counter> {
        let source = |then: usize| self.sources.get(then).and_then(|number| names.place(*number));
        let detector =
            Detector::restore_with(&self.detector, settings.clone(), |then| source(then).unwrap_or(Proof::EARLIER));
        let mut counter = Counter::of_findings_only(detector.ok()?);
        counter.tally.diagnoser = self.diagnoser;
        Some(counter)
    }
}

/// Findings of what is read; of a whole store, from what is remembered of it.
pub fn findings(reading: &Reading) -> Result<Found, FeedError> {
    if reading.period() == (None, None)
        && let Some(state) = reading.state()
        && let Some(triaged) = gone_on(state, reading)?
    {
        return Ok(triaged.into());
    }
    triage::triage(reading.clone().unnarrowed()).map(Found::from)
}

/// Findings from what is remembered and the lines behind it, if that can be had.
fn gone_on(state: &State, reading: &Reading) -> Result<Option<Triaged>, FeedError> {
    let index = state::index(state);
    let Some(memory) = Memory::load(state, &index, reading.settings()) else { return Ok(None) };
    let (cut, from, covered) = (memory.cut, memory.from, memory.covered.clone());
    let names = Stored::open(state, reading.asked_time());
    let Some(counter) = memory.counter(&names, reading.settings()) else { return Ok(None) };
    let mut gate = Gate::new(counter, None);
    let read = reading.clone().of_stretch(gate.stretch(Some((from, cut)), None)).run(&mut gate)?;
    // A late line may have come in meanwhile.
    let is_true = index.covered(cut).is_ok_and(|now| now == covered);
    Ok(is_true.then(|| Triaged::of(gate.counter, read)))
}

/// The same, where nothing else hangs on it: what cannot be written (a full disk) is not remembered, and whoever asks reads all lines.
pub(crate) fn refresh_if_possible(state: &State, settings: &Settings, halt: &Halt) {
    drop(refresh(state, settings, halt));
}

/// Remembers what is new in the store, as `reading` judges it. The caller holds the state's lock, and no line is written meanwhile.
pub fn refresh(state: &State, settings: &Settings, halt: &Halt) -> anyhow::Result<()> {
    let index = state::index(state);
    let Some(latest) = index.latest()? else { return Ok(()) };
    // A line from the future must not keep those of today from being new.
    let latest = latest.min(Timestamp::now().as_microsecond());
    let until = Cut::at(latest.saturating_sub(LATE));
    let memory = Memory::load(state, &index, settings);
    if memory.as_ref().is_some_and(|memory| until.start() - memory.cut.start() < NEW_LEAST) {
        return Ok(());
    }
    let names = Stored::open(state, query::Query::all());
    let back = memory.as_ref().map(|memory| (memory.from, memory.cut));
    let (counter, back) = match memory.and_then(|memory| memory.counter(&names, settings)) {
        Some(counter) => (counter, back),
        None => (Counter::of_findings_only(Detector::new(settings.clone(), Bounds::default())), None),
    };
    let mut gate = Gate::new(counter, Some(until));
    let whole = Input { state: Some(state.root().to_owned()), ..Input::default() };
    let reading = Reading::new(&whole, false)?.halted_by(halt).judged_by(settings.clone());
    reading.of_stretch(gate.stretch(back, Some(until))).run(&mut gate)?;
    if halt.is_set() {
        return Ok(());
    }
    // Each copy takes as much room as what is remembered: what is of no more use goes.
    let (from, Tally { detector, diagnoser, .. }) = (gate.from, gate.counter.tally);
    let snapshot = detector.snapshot()?;
    drop(detector);
    let memory = Memory {
        layout: LAYOUT,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        default_domain: settings.default_domain.clone(),
        thresholds: settings.thresholds.clone(),
        cut: until,
        from,
        covered: index.covered(until)?,
        sources: names.numbers().to_vec(),
        detector: snapshot,
        diagnoser,
    };
    let written = postcard::to_stdvec(&memory)?;
    drop(memory);
    Ok(state.remember(&written)?)
}

/// Lets pass to the counter what comes out behind a place; of lines before it, only what outcomes may point to.
struct Gate {
    counter: Counter,
    counts: Arc<AtomicBool>,
    /// It ends in the middle of the log: what is open then is nobody's.
    until: Option<Cut>,
    /// From where on lines are needed to go on from `until`.
    from: Cut,
}

impl Gate {
    fn new(counter: Counter, until: Option<Cut>) -> Self {
        Self { counter, counts: Arc::default(), until, from: until.unwrap_or(Cut::at(0)) }
    }

    /// What is to be read into it; `back`: lines are read from there, and count from there.
    fn stretch(&self, back: Option<(Cut, Cut)>, until: Option<Cut>) -> Stretch {
        self.counts.store(back.is_none(), Ordering::Release);
        let (from, counts_from) = back.unzip();
        Stretch { from, counts_from, until, counts: Arc::clone(&self.counts) }
    }

    fn counts(&self) -> bool {
        self.counts.load(Ordering::Acquire)
    }
}

impl Sink for Gate {
    fn attempt(&mut self, attempt: &Attempt) {
        if self.counts() {
            self.counter.attempt(attempt);
        }
    }

    fn login(&mut self, login: &Login) {
        if self.counts() {
            self.counter.login(login);
        }
    }

    fn refusal(&mut self, refusal: &Refusal) {
        if self.counts() {
            self.counter.refusal(refusal);
        }
    }

    fn message_accepted(&mut self, at: &Where, username: &[u8], queue_id: Option<&[u8]>) {
        if self.counts() {
            self.counter.message_accepted(at, username, queue_id);
        }
    }

    fn came_in(&mut self, time: i64, client: Option<IpAddr>, count: u32) {
        if self.counts() {
            self.counter.came_in(time, client, count);
        }
    }

    fn story(&mut self, story: &Story) {
        if self.counts() {
            self.counter.story(story);
        }
    }
}

impl Reader for Gate {
    fn before(&mut self, line: &Line<'_>, event: Option<&Event<'_>>) {
        let Some(record) = line.record else { return };
        if let Some(event) = event {
            self.counter.remember(line, event, &record);
        }
        if !self.counts() {
            return;
        }
        if let Some(event) = event {
            self.counter.count(line, event, &record);
        }
        self.counter.secret(line, event, &record);
    }

    fn after(&mut self, _passing: &Passing<'_>) {}

    fn ends(&mut self, tracer: &Tracer) {
        if let Some(until) = self.until {
            let detector = &mut self.counter.tally.detector;
            let most = until.start().saturating_sub(BACK_MOST);
            self.from = until.min(Cut::at(tracer.hangs_on(|account| detector.wants_mail_of(account)).max(most)));
        }
        self.counts.store(self.until.is_none(), Ordering::Release);
    }

    const TAKES_NOTES: bool = true;

    fn noted(&mut self, class: Class, count: u64) {
        self.counter.noted(class, count);
    }
}
