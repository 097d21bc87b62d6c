//! The feed: every line of all sources, in the order of time, once.
//!
//! Sources that follow one another take the fast path: their blocks are delivered one after the other. Sources whose times overlap are
//! merged ([`crate::merge`]).

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::Scope;

use crossbeam_channel::{Sender, unbounded};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use maillog::Record;

use crate::block::{Block, Detail, Kind, Span};
use crate::clock::Clock;
use crate::coverage::{Count, Coverage, Damage, Silences, SourceCoverage};
use crate::line::{GoOn, Inferred, Line, Worth};
use crate::look;
use crate::open::{self, Opened};
use crate::plan::{self, Input, Planned};
use crate::pool::{self, Job, Manner, Stream, Workshop};
use crate::problem::Problem;
use crate::reader::Broken;
use crate::rotation::with_rotated;
use crate::source::Sources;

const BLOCK_BYTES: usize = 256 << 10;
const BLOCKS: usize = 8;

/// How to read.
#[derive(Clone, Debug)]
pub struct Options {
    /// Zone of stamps without one.
    pub timezone: TimeZone,
    /// Year of a file's last line, if the user says so.
    pub year: Option<i16>,
    /// The present, for streams, which have no time of their own.
    pub now: Timestamp,
    /// Threads that find lines, the caller's among them. Each source being read has one more.
    pub threads: usize,
    /// Deliver also lines that are worth [`Worth::Skip`].
    pub keep_all: bool,
}

/// How far reading is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes read, as they stand on disk.
    pub read: u64,
    /// Bytes to read; `None` if a stream is among the sources.
    pub total: Option<u64>,
}

/// Why there is no answer at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FeedError {
    /// No source was given.
    #[error("nothing to read")]
    NoSources,
    /// None of the sources can be read.
    #[error("{}", lines(problems))]
    Unreadable {
        /// One for each of them.
        problems: Vec<Problem>,
    },
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// Delivers every line of the sources, in the order of time, to `sink`; `worth` says which ones are wanted and runs on several threads.
pub fn feed<R: GoOn>(
    sources: Sources,
    options: &Options,
    worth: impl Fn(&Record<'_>) -> Worth + Sync,
    sink: impl FnMut(Line<'_>) -> R,
) -> Result<Coverage, FeedError> {
    feed_with_progress(sources, options, worth, sink, |_| ())
}

/// As [`feed`]; `progress` is called now and then, on the caller's thread.
pub fn feed_with_progress<R: GoOn>(
    sources: Sources,
    options: &Options,
    worth: impl Fn(&Record<'_>) -> Worth + Sync,
    sink: impl FnMut(Line<'_>) -> R,
    progress: impl FnMut(Progress),
) -> Result<Coverage, FeedError> {
    feed_with_heads(sources, options, |_, _| (), worth, sink, progress)
}

/// As [`feed_with_progress`]; before the first line, `head` is told how each readable source begins: its index, and its text's first 4 KiB
/// (all of it if it is shorter), by which it is known under whatever name.
pub fn feed_with_heads<R: GoOn>(
    sources: Sources,
    options: &Options,
    mut head: impl FnMut(usize, &[u8]),
    worth: impl Fn(&Record<'_>) -> Worth + Sync,
    sink: impl FnMut(Line<'_>) -> R,
    progress: impl FnMut(Progress),
) -> Result<Coverage, FeedError> {
    let taken = Arc::new(AtomicU64::new(0));
    let mut coverage = Coverage { problems: sources.problems, choice: sources.choice, ..Coverage::default() };
    coverage.sources = sources
        .list
        .iter()
        .map(|source| SourceCoverage { name: source.name.clone(), ..SourceCoverage::default() })
        .collect();
    let (planned, problems) = plan::plan(sources.list, options, &taken);
    coverage.problems.extend(problems);
    if planned.is_empty() {
        let problems = coverage.problems;
        return Err(if problems.is_empty() { FeedError::NoSources } else { FeedError::Unreadable { problems } });
    }
    planned.iter().for_each(|source| head(source.index, source.head()));
    for source in planned.iter().filter(|source| source.copy_of.is_some()) {
        if let Some(slot) = coverage.sources.get_mut(source.index) {
            slot.copy_of.clone_from(&source.copy_of);
        }
    }
    let total = planned.iter().filter(|source| source.copy_of.is_none()).map(|source| source.size).sum();
    let (jobs, waiting) = unbounded();
    let (open, closing) = unbounded();
    let workshop =
        Workshop { jobs: waiting, closing, worth: &worth, hasher: foldhash::quality::RandomState::default() };
    let mut desk = Desk {
        options,
        workshop: &workshop,
        sink,
        progress,
        taken,
        total,
        coverage,
        silences: Vec::new(),
        seq: 0,
        spare: Vec::new(),
    };
    std::thread::scope(|scope| {
        for _ in 1..options.threads.max(1) {
            scope.spawn(|| workshop.work());
        }
        let hands = Hands { scope, jobs, _open: open };
        for group in plan::groups(planned) {
            desk.group(&hands, group);
            if desk.coverage.stopped {
                break;
            }
        }
    });
    Ok(desk.close())
}

/// Opens a file that was looked at before. Rotation may have given its name to another one meanwhile: then it has another name.
fn open_again(path: &Path, head: &[u8], taken: &Arc<AtomicU64>) -> io::Result<Opened> {
    let opened = open::open_file(path, taken);
    if head.is_empty() || look::starts_with(path, head) {
        return opened;
    }
    let renamed = with_rotated(path).into_iter().find(|other| look::starts_with(other, head));
    match renamed {
        Some(other) => open::open_file(&other, taken),
        None => Err(io::Error::other("it was replaced by another file meanwhile; read the logs again")),
    }
}

/// What is needed to start reading a source. Workers end when it is dropped.
pub(crate) struct Hands<'scope, 'env> {
    scope: &'scope Scope<'scope, 'env>,
    jobs: Sender<Job>,
    _open: Sender<()>,
}

/// Where the lines come together: the caller's side of the feed.
pub(crate) struct Desk<'d, S, P> {
    pub(crate) options: &'d Options,
    pub(crate) workshop: &'d Workshop<'d>,
    sink: S,
    progress: P,
    taken: Arc<AtomicU64>,
    total: Option<u64>,
    pub(crate) coverage: Coverage,
    silences: Vec<(std::path::PathBuf, Silences)>,
    pub(crate) seq: u64,
    spare: Vec<Block>,
}

/// A source on its way: what its next line depends on.
pub(crate) struct Course {
    pub(crate) index: usize,
    pub(crate) clock: Clock,
    /// Lines of the blocks before the current one.
    pub(crate) lines_before: u64,
    pub(crate) count: Count,
    silences: usize,
    /// The block before, for `last message repeated`.
    previous: Option<Block>,
}

impl<R: GoOn, S: FnMut(Line<'_>) -> R, P: FnMut(Progress)> Desk<'_, S, P> {
    fn group<'scope>(&mut self, hands: &Hands<'scope, '_>, mut group: Vec<Planned>) {
        match group.pop() {
            Some(only) if group.is_empty() => self.follow(hands, only),
            Some(last) => {
                group.push(last);
                crate::merge::merge(self, hands, group);
            }
            None => {}
        }
    }

    /// The fast path: one source, block by block.
    fn follow<'scope>(&mut self, hands: &Hands<'scope, '_>, source: Planned) {
        let detail = if self.options.keep_all { Detail::All } else { Detail::Wanted };
        let (mut stream, mut course) = self.start(hands, source, detail, BLOCK_BYTES, BLOCKS);
        while let Some(block) = stream.next(self.workshop) {
            self.deliver_block(&mut course, &block);
            self.next_block(&mut course, &stream, block);
            if self.coverage.stopped {
                break;
            }
        }
        self.finish(course, stream);
    }

    /// Starts reading a source.
    pub(crate) fn start<'scope>(
        &mut self,
        hands: &Hands<'scope, '_>,
        source: Planned,
        detail: Detail,
        block_bytes: usize,
        blocks: usize,
    ) -> (Stream, Course) {
        let live = matches!(source.input, Input::Stream(_));
        let (feeder, mut stream) =
            pool::stream(Manner { live, detail, block_bytes, blocks }, hands.jobs.clone(), &mut self.spare);
        let course = self.course(&source);
        let head = source.head().to_vec();
        let opened = match source.input {
            Input::Stream(opened) => Ok(opened),
            Input::File(path) => open_again(&path, &head, &self.taken),
        };
        match opened {
            // Nobody waits for a stream that may never say anything more.
            Ok(opened) if live => drop(std::thread::spawn(move || feeder.run(opened.reader))),
            Ok(opened) => drop(hands.scope.spawn(move || feeder.run(opened.reader))),
            Err(error) => stream.broken = Some(Broken { offset: 0, what: error.to_string() }),
        }
        (stream, course)
    }

    fn course(&mut self, source: &Planned) -> Course {
        let log = source.rotated.as_ref().map_or_else(|| source.name.clone().into(), |rotated| rotated.log.clone());
        let silences = self.silences.iter().position(|(path, _)| *path == log).unwrap_or_else(|| {
            let name = log.display().to_string();
            self.silences.push((log, Silences::named(name)));
            self.silences.len() - 1
        });
        Course {
            index: source.index,
            clock: source.clock.clone(),
            lines_before: 0,
            count: Count::default(),
            silences,
            previous: None,
        }
    }

    fn deliver_block(&mut self, course: &mut Course, block: &Block) {
        let seq = self.seq;
        for span in &block.spans {
            let (time, inferred) = self.time(course, span);
            self.seq = seq + u64::from(span.number);
            if let Some(worth) = self.worth_of(course, block, span)
                && !self.deliver(course, block, span, worth, time, inferred)
            {
                return;
            }
        }
        self.seq = seq + block.lines;
        course.count.tally.add(block.tally);
    }

    /// The time of a span's line. To be asked once for each span, in order.
    #[inline]
    pub(crate) fn time(&mut self, course: &mut Course, span: &Span) -> (Option<i64>, Inferred) {
        let Some(stamp) = &span.stamp else { return (None, Inferred::default()) };
        let (time, inferred) = course.clock.resolve(stamp);
        if let Some(time) = time {
            course.count.see(time);
            if let Some((_, silences)) = self.silences.get_mut(course.silences) {
                silences.see(time);
            }
        }
        (time, inferred)
    }

    /// What a span's line is worth; `None` if it is a mere mark. Counts lines that no worker could count.
    #[inline]
    fn worth_of(&self, course: &mut Course, block: &Block, span: &Span) -> Option<Worth> {
        match span.kind {
            Kind::Line(worth) => Some(worth),
            Kind::Mark => None,
            Kind::Orphan(times) => {
                let record = course.meant(block, span, times)?;
                let worth = (self.workshop.worth)(&record);
                course.count.tally.count(worth, false);
                Some(worth)
            }
        }
    }

    /// Hands a line to the sink if it is wanted. `false`: the sink wants no more.
    #[inline]
    pub(crate) fn deliver(
        &mut self,
        course: &Course,
        block: &Block,
        span: &Span,
        worth: Worth,
        time: Option<i64>,
        inferred: Inferred,
    ) -> bool {
        if worth == Worth::Skip && !self.options.keep_all {
            return true;
        }
        let record = match span.kind {
            Kind::Orphan(times) => course.meant(block, span, times),
            _ => block.record(span),
        };
        let line = course.lines_before + u64::from(span.number) + 1;
        let line = Line {
            source: course.index,
            line,
            time,
            inferred,
            record,
            raw: block.raw(span),
            worth,
            truncated: span.truncated,
            seq: self.seq,
        };
        let go_on = (self.sink)(line).go_on();
        self.coverage.stopped |= !go_on;
        go_on
    }

    /// A block is done: the one before it can be filled again.
    pub(crate) fn next_block(&mut self, course: &mut Course, stream: &Stream, done: Block) {
        course.lines_before += done.lines;
        if let Some(block) = course.previous.replace(done) {
            stream.recycle(block);
        }
        (self.progress)(Progress { read: self.taken.load(Ordering::Relaxed), total: self.total });
    }

    /// A source is done.
    pub(crate) fn finish(&mut self, mut course: Course, stream: Stream) {
        self.spare.extend(course.previous.take());
        stream.reclaim(&mut self.spare);
        if let Some((_, silences)) = self.silences.get_mut(course.silences) {
            silences.lines += course.count.lines();
        }
        let (count, coverage) = (course.count, &mut self.coverage);
        coverage.understood += count.tally.understood;
        coverage.unknown += count.tally.unknown;
        coverage.bad_time += count.tally.bad_time;
        coverage.duplicates += count.duplicates;
        coverage.from = coverage.from.into_iter().chain(count.from).min();
        coverage.to = coverage.to.into_iter().chain(count.to).max();
        let Some(source) = coverage.sources.get_mut(course.index) else { return };
        source.lines = count.lines() + count.duplicates;
        source.duplicates = count.duplicates;
        (source.from, source.to) = (count.from, count.to);
        source.inferred_year = course.clock.inferred_year();
        source.damage = stream.broken.map(|broken| Damage {
            source: source.name.clone(),
            offset: broken.offset,
            what: broken.what,
        });
    }

    fn close(mut self) -> Coverage {
        self.coverage.lines = self.coverage.understood + self.coverage.unknown;
        self.coverage.gaps = self.silences.iter().flat_map(|(_, silences)| silences.gaps()).collect();
        self.coverage.gaps.sort_by_key(|gap| gap.from);
        self.coverage
    }
}

impl Course {
    /// The record of a `last message repeated` whose line stands in the block before; its own if it is not there.
    pub(crate) fn meant<'b>(&'b self, block: &'b Block, span: &Span, times: u32) -> Option<Record<'b>> {
        let own = block.record(span)?;
        let before = self.previous.as_ref().map(Block::text).unwrap_or_default();
        Some(crate::repeated::meant(before, &own, times).unwrap_or(own))
    }
}
