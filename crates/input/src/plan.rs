//! Before reading: which sources can be read, which are copies, which years they are of, and in which order they go.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use maillog::Stamp;

use crate::clock::{self, Clock};
use crate::feed::Options;
use crate::identity::{self, Candidate};
use crate::journal;
use crate::look::{self, Look};
use crate::open::{self, Opened};
use crate::problem::Problem;
use crate::rotation::{self, Age, Rotated};
use crate::source::{Origin, Source};
use crate::years::{self, DAY_US, Limits};

/// A file of a rotation may go on for so long after the next one has begun.
const ROTATION_OVERLAP_US_MAX: i64 = 600_000_000;
/// Lines of other logs may be out of order by so much; they could still be the same lines.
const DISORDER_US: i64 = 10_000_000;

/// A source that can be read, and what is known of it.
pub(crate) struct Planned {
    /// Index among the sources as given.
    pub(crate) index: usize,
    pub(crate) name: String,
    pub(crate) input: Input,
    pub(crate) copy_of: Option<String>,
    /// Time of its first line; `None` if no line has one.
    pub(crate) from: Option<i64>,
    /// Time of its last line, or a bound of it.
    pub(crate) to: i64,
    pub(crate) rotated: Option<Rotated>,
    pub(crate) clock: Clock,
    pub(crate) size: Option<u64>,
    look: Look,
    file: Option<Metadata>,
}

/// 1998-12-01, in seconds since 1970 UTC: no log of Postfix is older.
const POSTFIX_BEGINS: i64 = 912_470_400;

impl Planned {
    /// Its first bytes, unpacked.
    pub(crate) fn head(&self) -> &[u8] {
        &self.look.head
    }
}

/// Where a planned source's text comes from.
pub(crate) enum Input {
    File(PathBuf),
    Stream(Opened),
}

/// The readable sources in the order given, and problems with the others.
pub(crate) fn plan(sources: Vec<Source>, options: &Options, taken: &Arc<AtomicU64>) -> (Vec<Planned>, Vec<Problem>) {
    let (mut planned, mut problems) = (Vec::new(), Vec::new());
    for result in examine_all(sources, options, taken) {
        match result {
            Ok(source) => planned.push(source),
            Err(problem) => problems.push(problem),
        }
    }
    drop_copies(&mut planned);
    date(&mut planned, options);
    (planned, problems)
}

/// Looks at all sources, several at a time.
fn examine_all(sources: Vec<Source>, options: &Options, taken: &Arc<AtomicU64>) -> Vec<Result<Planned, Problem>> {
    let count = sources.len();
    let waiting: Vec<Mutex<Option<Source>>> = sources.into_iter().map(|source| Mutex::new(Some(source))).collect();
    let done: Mutex<Vec<(usize, Result<Planned, Problem>)>> = Mutex::new(Vec::with_capacity(count));
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some((index, slot)) = {
            let at = next.fetch_add(1, Ordering::Relaxed);
            waiting.get(at).map(|slot| (at, slot))
        } {
            let source = slot.lock().ok().and_then(|mut source| source.take());
            let result = source.map(|source| examine(index, source, options, taken));
            if let (Some(result), Ok(mut done)) = (result, done.lock()) {
                done.push((index, result));
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..options.threads.clamp(1, count.max(1)) {
            scope.spawn(work);
        }
        work();
    });
    let mut done = done.into_inner().unwrap_or_default();
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

fn examine(index: usize, source: Source, options: &Options, taken: &Arc<AtomicU64>) -> Result<Planned, Problem> {
    let name = source.name;
    let io = |error: std::io::Error| Problem::Io { name: name.clone(), source: error };
    let stream = |opened: Opened| look::look_at_stream(opened).map(|(look, opened)| (Input::Stream(opened), look));
    let (input, look, file, rotated) = match source.origin {
        Origin::File(path) => {
            let file = std::fs::metadata(&path).map_err(|e| Problem::of(&path, e))?;
            let look = look::look_at_file(&path, file.len()).map_err(|e| Problem::of(&path, e))?;
            let rotated = rotation::rotated(&path);
            (Input::File(path), look, Some(file), Some(rotated))
        }
        Origin::Stream(reader) => {
            let (input, look) = open::open_stream(reader, taken).and_then(stream).map_err(io)?;
            (input, look, None, None)
        }
        Origin::Pipe(path) => {
            let opened = std::fs::File::open(&path).and_then(|file| open::open_stream(Box::new(file), taken));
            let (input, look) = opened.and_then(stream).map_err(|e| Problem::of(&path, e))?;
            (input, look, None, None)
        }
        Origin::Journal(program) => {
            let opened = journal::run(&program).and_then(|output| open::open_stream(output, taken));
            let (input, look) = opened.and_then(stream).map_err(io)?;
            (input, look, None, None)
        }
    };
    let clock = Clock::new(options.timezone.clone(), None, 0);
    let size = file.as_ref().map(Metadata::len);
    Ok(Planned { index, name, input, copy_of: None, from: None, to: i64::MAX, rotated, clock, size, look, file })
}

fn drop_copies(planned: &mut [Planned]) {
    let candidates: Vec<_> = planned.iter().map(|source| source.candidate()).collect();
    let copies = identity::copies(&candidates);
    drop(candidates);
    let names: Vec<String> = planned.iter().map(|source| source.name.clone()).collect();
    for (source, of) in planned.iter_mut().zip(copies) {
        source.copy_of = of.and_then(|of| names.get(of).cloned());
    }
}

impl Planned {
    /// Its place among the others, whatever the order in which they were given: the one that begins earlier first, and of those that
    /// begin at the same time the one that ends earlier. Those without any time come last, as given.
    fn place(&self) -> (i64, i64, &[u8]) {
        self.from.map_or((i64::MAX, 0, b""), |from| (from, self.to, self.head()))
    }

    fn candidate(&self) -> Option<Candidate<'_>> {
        match (&self.input, &self.file) {
            (Input::File(path), Some(file)) => {
                Some(Candidate { path, place: (file.dev(), file.ino()), head: &self.look.head })
            }
            _ => None,
        }
    }

    fn path(&self) -> &Path {
        match &self.input {
            Input::File(path) => path,
            Input::Stream(_) => Path::new(""),
        }
    }

    /// When the file was last written to. Archives and images that keep no times give their files the first moment of 1970 or 1980:
    /// that says nothing.
    fn modified_us(&self) -> Option<i64> {
        let file = self.file.as_ref().filter(|file| file.mtime() >= POSTFIX_BEGINS)?;
        Some(file.mtime().saturating_mul(1_000_000).saturating_add(file.mtime_nsec() / 1000))
    }

    /// A local time that none of its lines without a year is later than.
    fn latest_us(&self, options: &Options) -> i64 {
        let local = |instant| clock::local_us(&options.timezone, instant);
        let mut latest = local(self.modified_us().unwrap_or(options.now.as_microsecond())).saturating_add(DAY_US);
        if let Some(Rotated { age: Some(Age::Date(day, _)), .. }) = self.rotated {
            latest = latest.min((day + 2) * DAY_US);
        }
        match &self.look.anchor {
            Some(Stamp::Instant(micros)) => local(*micros).saturating_add(DAY_US),
            Some(Stamp::Wall(wall)) => wall.as_utc_micros().map_or(latest, |us| us.saturating_add(DAY_US)),
            None => latest,
        }
    }

    /// The year that its last line names. If it is the one that the user said, lines that name their year tell that of those before them.
    fn last_year(&self, options: &Options) -> Option<i32> {
        match self.look.last.as_ref()? {
            Stamp::Instant(micros) => Some(clock::year_of(clock::local_us(&options.timezone, *micros))),
            Stamp::Wall(wall) => wall.year.map(i32::from),
        }
    }

    /// Sets the clock to the year of the first line and finds out when the source begins and ends.
    fn set_clock(&mut self, options: &Options, first_us_max: Option<i64>) {
        let said = options.year.map(i32::from).filter(|year| self.last_year(options) != Some(*year));
        let limits = Limits { last_us_max: self.latest_us(options), first_us_max, said };
        let year = years::start_year(&self.look.yearless, &limits, clock::year_of);
        self.clock = Clock::new(options.timezone.clone(), year, limits.last_us_max).said(said.is_some());
        self.from = self.look.first.as_ref().and_then(|first| self.clock.clone().resolve(first).0);
        self.to = self.end(options, year);
    }

    fn end(&self, options: &Options, year: Option<i32>) -> i64 {
        let unknown = || self.modified_us().map_or(i64::MAX, |us| us.saturating_add(1_000_000));
        let resolve = |year: i32, stamp: &Stamp| Clock::new(options.timezone.clone(), Some(year), 0).resolve(stamp).0;
        match (&self.look.last, year) {
            (Some(Stamp::Wall(wall)), Some(year)) if wall.year.is_none() && self.look.anchor.is_none() => {
                resolve(year + self.look.yearless.turns, &Stamp::Wall(*wall)).unwrap_or_else(unknown)
            }
            (Some(Stamp::Wall(wall)), _) if wall.year.is_none() => unknown(),
            (Some(last), _) => resolve(1970, last).unwrap_or_else(unknown),
            (None, _) if self.from.is_none() && self.file.is_some() => i64::MIN,
            (None, _) => unknown(),
        }
    }
}

/// Works out the years, from the newest file of each rotation to its oldest.
fn date(planned: &mut [Planned], options: &Options) {
    let mut order: Vec<usize> = (0..planned.len()).collect();
    let key = |source: &Planned| source.rotated.as_ref().map(|r| (r.log.clone(), r.rank()));
    order.sort_by_key(|at| planned.get(*at).map(key));
    let mut newer: Option<(Rotated, i64, Option<i64>)> = None;
    for at in order {
        let Some(source) = planned.get_mut(at).filter(|source| source.copy_of.is_none()) else { continue };
        let rotated = source.rotated.clone();
        let modified = source.modified_us();
        // File times that contradict the numbers: then the numbers run the other way.
        let in_order = |newer_modified: Option<i64>| {
            modified.zip(newer_modified).is_none_or(|(own, newer)| own <= newer.saturating_add(DAY_US))
        };
        let follows =
            |newer: &Rotated| rotated.as_ref().is_some_and(|own| own.log == newer.log && own.rank() > newer.rank());
        let limit =
            newer.as_ref().filter(|(newer, _, time)| follows(newer) && in_order(*time)).map(|(_, first, _)| *first);
        source.set_clock(options, limit);
        if let (Some(rotated), Some(from)) = (rotated, source.from) {
            newer = Some((rotated, clock::local_us(&options.timezone, from), modified));
        }
    }
}

/// Sources that follow one another are groups of one; those whose times overlap are one group.
pub(crate) fn groups(planned: Vec<Planned>) -> Vec<Vec<Planned>> {
    let mut sorted = planned;
    sorted.retain(|source| source.copy_of.is_none());
    sorted.sort_by(|a, b| a.place().cmp(&b.place()));
    let mut groups: Vec<Vec<Planned>> = Vec::new();
    for source in sorted {
        match groups.last_mut() {
            Some(group) if group.iter().any(|earlier| overlap(earlier, &source)) => group.push(source),
            _ => groups.push(vec![source]),
        }
    }
    groups
}

/// Whether `later`, which does not start before `earlier`, starts before that one's end.
fn overlap(earlier: &Planned, later: &Planned) -> bool {
    let Some(from) = later.from else { return false };
    let rotation = |source: &Planned| {
        source
            .rotated
            .as_ref()
            .filter(|r| source.file.is_some() && !r.log.as_os_str().is_empty())
            .map(|r| r.log.clone())
    };
    let same_log =
        rotation(earlier).is_some() && rotation(earlier) == rotation(later) && earlier.path() != later.path();
    if same_log {
        from < earlier.to.saturating_sub(ROTATION_OVERLAP_US_MAX)
    } else {
        from <= earlier.to.saturating_add(DISORDER_US)
    }
}
