//! From files to outcomes: opens the sources, feeds the tracer, and hands every line on.

use std::cell::RefCell;
use std::ops::{ControlFlow, RangeInclusive};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;
use diagnose::Class;
use diagnose::detect::Settings;
use input::{Coverage, FeedError, Gap, Line, Progress, Sources, Worth};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use maillog::{Client, Event, QueueId, Record};
use query::Query;
use store::state::State;
use trace::{Follow, Limits, SessionId, Sink, Tracer};

use crate::asked::{Asked, LEAD};
use crate::narrowed::Narrow;
use crate::state;
use crate::stored::{Stored, Stretch};
use crate::{times, worth};

/// Where lines come from, and which of them: what every question takes, as text.
#[derive(Clone, Debug, Default)]
pub struct Input {
    /// Log files, folders and patterns; `-` is standard input.
    pub files: Vec<PathBuf>,
    /// Without files: the store that answers; `None` is the usual one, if there is one.
    pub state: Option<PathBuf>,
    /// Leave out what is older: any form of [`query::Present::instant`].
    pub since: Option<String>,
    /// Leave out what is newer.
    pub until: Option<String>,
    /// Zone of stamps without one, and of the times shown: an IANA name; `None` is this machine's.
    pub timezone: Option<String>,
    /// Year of each file's last line, where stamps have none.
    pub year: Option<i16>,
}

/// Is told how far a reading is.
pub trait Watch: Send + Sync {
    /// So far.
    fn at(&self, progress: Progress);

    /// It is over.
    fn done(&self);
}

/// What to read and which part of it.
#[derive(Clone)]
pub struct Reading {
    files: Vec<PathBuf>,
    /// Without files: the store that answers.
    state: Option<State>,
    options: input::Options,
    since: Option<i64>,
    until: Option<i64>,
    watch: Option<Arc<dyn Watch>>,
    halt: Halt,
    /// Of a store only the lines are read that this hangs on.
    narrow: Option<Narrow>,
    /// Of a store only the lines of some stretch are read.
    stretch: Option<Stretch>,
    settings: Settings,
}

/// Tells a reading to end early, from another thread.
#[derive(Clone, Debug, Default)]
pub struct Halt(Arc<AtomicBool>);

impl Halt {
    /// No more lines are wanted.
    pub fn set(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether that was said.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// What was read, besides the outcomes.
pub struct Read {
    /// Which sources, how many lines, which gaps.
    pub coverage: Coverage,
    /// Lines that were not understood.
    pub unknown: Unknown,
    /// Days of the store that could not be read, and why.
    pub damaged: Vec<String>,
    /// Since when and until when lines were asked for.
    pub asked: (Option<i64>, Option<i64>),
}

impl Read {
    /// Whether all lines are from before or after the time asked for: that nobody failed then is not known.
    #[must_use]
    pub fn misses_what_was_asked(&self) -> bool {
        let (Some(from), Some(to)) = (self.coverage.from, self.coverage.to) else { return false };
        let (since, until) = self.asked;
        since.is_some_and(|since| to < since) || until.is_some_and(|until| until < from)
    }
}

/// Lines not understood, by shape.
#[derive(Default)]
pub struct Unknown {
    /// Shape, how many, and the first line.
    pub shapes: Vec<(String, u64, String)>,
    /// How many of all unknown lines speak of logins.
    pub about_logins: u64,
}

/// Shapes told apart at most.
const SHAPES: usize = 200;

/// A line with all that is known of it when it passes.
pub struct Passing<'a> {
    /// The line.
    pub line: &'a Line<'a>,
    /// The SMTP session it belongs to, if that is known.
    pub session: Option<SessionId>,
}

/// Takes every line that is delivered, besides the tracer's outcomes.
pub trait Reader: Sink {
    /// Before the tracer gets it.
    fn before(&mut self, line: &Line<'_>, event: Option<&Event<'_>>);
    /// After the tracer has had it.
    fn after(&mut self, passing: &Passing<'_>);

    /// How a source begins: its index and its first bytes. Told before the first line.
    fn begins(&mut self, _source: usize, _head: &[u8]) {}

    /// Wants outcomes and counts, not each line: then deliveries come through [`Reader::noted`] alone, and sessions in which
    /// nothing happened do not come at all.
    const TAKES_NOTES: bool = false;

    /// Which messages it wants. With others than those of logins every line about a queue file is read, and
    /// [`Reader::TAKES_NOTES`] must be off.
    const FOLLOW: Follow = Follow::Logins;

    /// It also wants what Postfix says of itself: warnings and worse, and TLS handshakes. Only beside all messages.
    const TAKES_SERVER: bool = false;

    /// No more lines come; what the tracer holds back comes out after this.
    fn ends(&mut self, _tracer: &Tracer) {}

    /// Deliveries of a class that came in no other way. Told once, at the end.
    fn noted(&mut self, _class: Class, _count: u64) {}
}

impl Reading {
    /// Takes the options apart. Errors name the option. `keep_all`: every line is wanted, not those alone that tell of logins.
    pub fn new(input: &Input, keep_all: bool) -> anyhow::Result<Self> {
        let state = if input.files.is_empty() { chosen(input.state.as_deref())? } else { None };
        Self::of(input, keep_all, state)
    }

    fn of(input: &Input, keep_all: bool, state: Option<State>) -> anyhow::Result<Self> {
        let timezone = zone(input.timezone.as_deref())?;
        let now = Timestamp::now();
        let bound = |flag: &str, text: &Option<String>| {
            text.as_deref().map(|text| times::parse(flag, text, &timezone, now)).transpose()
        };
        let (since, until) = (bound("--since", &input.since)?, bound("--until", &input.until)?);
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(8);
        Ok(Self {
            files: input.files.clone(),
            state,
            options: input::Options { timezone, year: input.year, now, threads, keep_all },
            since,
            until,
            watch: None,
            halt: Halt::default(),
            narrow: None,
            stretch: None,
            settings: Settings::default(),
        })
    }

    /// Tells somebody how far it is.
    #[must_use]
    pub fn watched(self, watch: Option<Arc<dyn Watch>>) -> Self {
        Self { watch, ..self }
    }

    /// Of a store only the lines are read that an answer to this hangs on. Files are read as a whole.
    #[must_use]
    pub(crate) fn narrowed(self, narrow: Narrow) -> Self {
        Self { narrow: Some(narrow), ..self }
    }

    /// Of a store only the lines of a stretch are read, whatever the time asked for.
    #[must_use]
    pub(crate) fn of_stretch(self, stretch: Stretch) -> Self {
        Self { stretch: Some(stretch), narrow: None, since: None, until: None, ..self }
    }

    /// All lines are read.
    #[must_use]
    pub(crate) fn unnarrowed(self) -> Self {
        Self { narrow: None, ..self }
    }

    /// Findings are judged by what a site says about itself.
    #[must_use]
    pub fn judged_by(self, settings: Settings) -> Self {
        Self { settings, ..self }
    }

    /// What the site says about itself.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Ends when it is told to.
    #[must_use]
    pub fn halted_by(self, halt: &Halt) -> Self {
        Self { halt: halt.clone(), ..self }
    }

    /// What tells it to end early.
    pub fn halt(&self) -> Halt {
        self.halt.clone()
    }

    /// Whether it was told to end early.
    #[must_use]
    pub fn is_halted(&self) -> bool {
        self.halt.is_set()
    }

    /// Files only, whatever is stored.
    pub fn of_files(input: &Input) -> anyhow::Result<Self> {
        Self::of(input, true, None)
    }

    /// Threads that parse.
    pub fn threads(&self) -> usize {
        self.options.threads
    }

    /// Since when and until when, as asked for.
    pub fn period(&self) -> (Option<i64>, Option<i64>) {
        (self.since, self.until)
    }

    /// Sets since when and until when lines are read, in microseconds since 1970 UTC.
    pub fn read_from(&mut self, since: Option<i64>, until: Option<i64>) {
        (self.since, self.until) = (since, until);
    }

    /// The moment that relative times refer to.
    pub fn now(&self) -> Timestamp {
        self.options.now
    }

    /// How sources are read: zone, year, threads.
    pub fn options(&self) -> &input::Options {
        &self.options
    }

    /// The zone of stamps without one, and of the times shown.
    pub fn zone(&self) -> TimeZone {
        self.options.timezone.clone()
    }

    /// The same without `--since` and `--until`; and these, for whoever cuts off more than lines.
    pub fn whole(mut self) -> (Self, RangeInclusive<i64>) {
        let bounds = self.since.take().unwrap_or(i64::MIN)..=self.until.take().unwrap_or(i64::MAX);
        (self, bounds)
    }

    /// Whether the same lines can be read twice: standard input and pipes cannot.
    pub fn can_be_repeated(&self) -> bool {
        self.files.iter().all(|path| {
            let is_pipe = std::fs::metadata(path).is_ok_and(|about| !about.is_file() && !about.is_dir());
            path.as_os_str() != "-" && !is_pipe
        })
    }

    /// Reads everything into `reader`.
    pub fn run<R: Reader>(self, reader: &mut R) -> Result<Read, FeedError> {
        self.run_only(reader, &|_| true)
    }

    /// Reads lines for which `only` holds into `reader`; all others are only counted.
    pub fn run_only<R: Reader>(
        self,
        reader: &mut R,
        only: &(dyn Fn(&Record<'_>) -> bool + Sync),
    ) -> Result<Read, FeedError> {
        // Whoever follows all messages cuts off what they were before by himself.
        let lead = if R::FOLLOW == Follow::Logins { LEAD } else { 0 };
        let read_from = self.since.map(|since| since.saturating_sub(lead));
        let stored = self.state.as_ref().map(|state| Stored::open(state, Query::between(read_from, self.until)));
        let sources = if stored.is_some() { Sources::default() } else { self.sources() };
        let heads: RefCell<Vec<(usize, Vec<u8>)>> = RefCell::default();
        let mut unknown = Unknown::default();
        let mut lost: Vec<Gap> = Vec::new();
        // Lines that were taken for understood before they were read.
        let mut misjudged = 0;
        let mut misjudged_is_known = false;
        let mut deliveries = [0; Class::ALL.len()];
        let mut tracer = Tracer::following(R::FOLLOW, Limits::default());
        let (since, until) = (self.since.unwrap_or(i64::MIN), self.until.unwrap_or(i64::MAX));
        let mut asked = Asked { reader, from: if lead == 0 { i64::MIN } else { since } };
        let reader = &mut asked;
        let names: Vec<String> = match &stored {
            Some(stored) => stored.names().to_vec(),
            None => sources.list().iter().map(|source| source.name().to_owned()).collect(),
        };
        let mut each = |line: &Line<'_>| {
            if !heads.borrow().is_empty() {
                heads.take().iter().for_each(|(source, head)| reader.begins(*source, head));
            }
            if let Some(time) = line.time.filter(|time| *time < since || *time > until) {
                if time < since && time >= since.saturating_sub(lead) {
                    let event = line.record.as_ref().and_then(maillog::event);
                    trace_line(&mut tracer, line, event.as_ref(), reader);
                }
                return;
            }
            match line.worth {
                Worth::Noted(worth::CAME_IN) => {
                    let client = line.record.and_then(|record| maillog::stranger_accepted(record.text));
                    return came_in(&mut tracer, line, client, reader);
                }
                Worth::Noted(note) => return noted(&mut tracer, line, deliveries.get_mut(usize::from(note)), reader),
                Worth::Opens => return opens(&mut tracer, line, reader),
                Worth::CameAndWent => return came_and_went(&mut tracer, line, reader),
                _ => {}
            }
            let event = line.record.as_ref().and_then(maillog::event);
            match &event {
                None => {
                    misjudged += u64::from(line.worth != Worth::Unknown);
                    unknown.add(line);
                }
                Some(event) if R::TAKES_NOTES && !worth::is_wanted(event) && !worth::is_secret(line, event) => {
                    if let Event::Accepted(acceptance) = event {
                        return came_in(&mut tracer, line, Some(acceptance.client), reader);
                    }
                    return noted(&mut tracer, line, None, reader);
                }
                Some(_) => {}
            }
            if let Some(Event::LinesLost(count)) = event {
                note_loss(&mut lost, line, count, &names);
            }
            pass(&mut tracer, line, event.as_ref(), reader);
        };
        let halt = self.halt.clone();
        let sink = |line: Line<'_>| {
            each(&line);
            if halt.is_set() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let progress = |state: Progress| {
            if let Some(watch) = &self.watch {
                watch.at(state);
            }
        };
        // What is left out for its time must not be left to be judged when it is read.
        let worth: fn(&Record<'_>) -> Worth = match R::FOLLOW {
            Follow::Logins if R::TAKES_NOTES && self.since.is_none() && self.until.is_none() => worth::of_counts,
            Follow::Logins => worth::of_logins,
            _ if R::TAKES_SERVER => worth::of_server,
            _ => worth::of_messages,
        };
        let worth = |record: &Record<'_>| if only(record) { worth(record) } else { Worth::Skip };
        let mut coverage = match &stored {
            Some(stored) => match (&self.stretch, self.narrow.as_ref().and_then(|narrow| stored.pick(narrow))) {
                (Some(stretch), _) => stored.feed_stretch(stretch, &self.options, worth, sink),
                (None, Some(picked)) => {
                    // Counted without being read.
                    misjudged_is_known = true;
                    stored.feed_picked(&picked, &self.options, worth, sink)
                }
                (None, None) => stored.feed(&self.options, worth, sink),
            },
            None => {
                let head = |source, head: &[u8]| heads.borrow_mut().push((source, head.to_vec()));
                input::feed_with_heads(sources, &self.options, head, worth, sink, progress)?
            }
        };
        reader.ends(&tracer);
        // Lines that were not wanted show how long the log goes on.
        if let Some(to) = coverage.to.filter(|_| R::FOLLOW != Follow::Logins) {
            tracer.tick(to.min(until), reader);
        }
        tracer.finish(reader);
        for (class, count) in Class::ALL.iter().zip(deliveries).filter(|(_, count)| *count > 0) {
            reader.noted(*class, count);
        }
        if let Some(watch) = &self.watch {
            watch.done();
        }
        let misjudged = if misjudged_is_known { 0 } else { misjudged };
        coverage.understood -= misjudged;
        coverage.unknown += misjudged;
        coverage.gaps.extend(lost);
        coverage.gaps.sort_by_key(|gap| gap.from);
        let damaged = stored.map(|stored| stored.damaged()).unwrap_or_default();
        Ok(Read { coverage, unknown, damaged, asked: (self.since, self.until) })
    }

    /// The store that answers, if no files were named.
    pub fn state(&self) -> Option<&State> {
        self.state.as_ref()
    }

    /// Entries of the time asked for, and those without a time.
    pub fn asked_time(&self) -> Query {
        Query::between(self.since, self.until)
    }

    /// Only one of the files.
    pub fn only(&self, file: PathBuf) -> Self {
        Self { files: vec![file], ..self.clone() }
    }

    /// What the sources are called, in the order in which lines name them.
    pub fn names(&self) -> Vec<String> {
        match &self.state {
            Some(state) => Stored::open(state, self.asked_time()).names().to_vec(),
            None => self.sources().list().iter().map(|source| source.name().to_owned()).collect(),
        }
    }

    /// The files that are read.
    pub fn sources(&self) -> Sources {
        input::discover(&self.files, Path::new("/"))
    }
}

/// The store without which there are only files: the one that was named, or the usual one if it is there.
fn chosen(named: Option<&Path>) -> anyhow::Result<Option<State>> {
    let state = match named {
        Some(folder) => State::new(folder),
        None => match state::usual() {
            Some(folder) => State::new(&folder),
            None => return Ok(None),
        },
    };
    match (state.exists(), named) {
        (true, _) => state.check().map(|()| Some(state)).map_err(Into::into),
        (false, Some(folder)) => anyhow::bail!(
            "--state {}: nothing is stored there yet; fill it with `postfix-insights ingest --state {0} FILES`",
            folder.display()
        ),
        (false, None) => Ok(None),
    }
}

/// The zone by its name, or this machine's.
pub fn zone(name: Option<&str>) -> anyhow::Result<TimeZone> {
    match name {
        Some(name) => TimeZone::get(name)
            .with_context(|| format!("--timezone {name}: no such zone; use a name such as Europe/Berlin or UTC")),
        None => Ok(times::system_zone()),
    }
}

/// The start of a session.
fn opens<R: Reader>(tracer: &mut Tracer, line: &Line<'_>, reader: &mut R) {
    if let (Some(time), Some(record)) = (line.time, &line.record)
        && let Some(client) = Client::connecting(record.text)
    {
        tracer.connect(line.seq, time, record, &client, reader);
    }
}

/// The start of a session of which nothing else is wanted.
fn came_and_went<R: Reader>(tracer: &mut Tracer, line: &Line<'_>, reader: &mut R) {
    if let (Some(time), Some(record)) = (line.time, &line.record) {
        tracer.came_and_went(time, record, reader);
    }
}

/// A message without a login: read only if the tracer follows its queue id; otherwise it is enough from where it came.
fn came_in<R: Reader>(tracer: &mut Tracer, line: &Line<'_>, client: Option<Client<'_>>, reader: &mut R) {
    let Some(record) = &line.record else { return };
    if QueueId::of_text(record.text).is_some_and(|id| tracer.follows(record, id)) {
        trace_line(tracer, line, maillog::event(record).as_ref(), reader);
    } else if let Some(time) = line.time {
        tracer.tick(time, reader);
        reader.came_in(time, client.and_then(|client| client.ip()), record.repeat);
    }
}

/// A delivery or the end of a queue file: counted in its class, read only if the tracer follows its message.
fn noted<R: Reader>(tracer: &mut Tracer, line: &Line<'_>, count: Option<&mut u64>, reader: &mut R) {
    let Some(record) = &line.record else { return };
    if let Some(count) = count {
        *count += u64::from(record.repeat);
    }
    match QueueId::of_text(record.text) {
        Some(id) if tracer.follows(record, id) => {
            trace_line(tracer, line, maillog::event(record).as_ref(), reader);
        }
        _ => {
            if let Some(time) = line.time {
                tracer.tick(time, reader);
            }
        }
    }
}

/// A line on its way through the tracer and past whoever takes it.
pub(crate) fn pass<R: Reader>(tracer: &mut Tracer, line: &Line<'_>, event: Option<&Event<'_>>, reader: &mut R) {
    reader.before(line, event);
    let session = trace_line(tracer, line, event, reader);
    reader.after(&Passing { line, session });
}

fn trace_line(
    tracer: &mut Tracer,
    line: &Line<'_>,
    event: Option<&Event<'_>>,
    sink: &mut impl Sink,
) -> Option<SessionId> {
    let record = line.record.as_ref()?;
    match (event, line.time) {
        (Some(event), Some(time)) => tracer.line(&trace::Line { id: line.seq, time, record, event }, sink),
        _ => tracer.session(record),
    }
}

/// A notice that lines were dropped before it.
fn note_loss(gaps: &mut Vec<Gap>, line: &Line<'_>, lost: u64, names: &[String]) {
    let Some(time) = line.time else { return };
    if gaps.len() < 1_000 {
        gaps.push(Gap {
            from: time,
            to: time,
            lost: Some(lost),
            source: names.get(line.source).cloned().unwrap_or_default(),
        });
    }
}

impl Unknown {
    fn add(&mut self, line: &Line<'_>) {
        let raw = line.raw.trim_ascii();
        if raw.is_empty() {
            return;
        }
        let text = line.record.map_or(raw, |record| record.text);
        let lower = text.to_ascii_lowercase();
        if [b"sasl".as_slice(), b"auth"].iter().any(|word| lower.windows(word.len()).any(|part| part == *word)) {
            self.about_logins += 1;
        }
        let program =
            line.record.map(|record| String::from_utf8_lossy(record.tag.daemon()).into_owned()).unwrap_or_default();
        let shape = format!("{program}: {}", diagnose::shape(text));
        let full = self.shapes.len() >= SHAPES;
        match self.shapes.iter_mut().find(|(known, _, _)| *known == shape) {
            Some((_, count, _)) => *count += 1,
            None if full => {}
            None => self.shapes.push((shape, 1, String::from_utf8_lossy(&maillog::redact(text)).into_owned())),
        }
    }
}
