//! Sources whose times overlap, merged by time; lines that stand in several of them delivered once.
//!
//! Each source keeps its own order: what stands later in it goes later, whatever its stamp says. Of lines of the same time one that
//! stands in several sources goes after what stands before it in any of them ([`crate::tie`]); otherwise those of the source that begins
//! earlier go first. The order in which the sources were given does not matter.

use crate::block::{Block, Detail, Kind, LINE_BYTES_MAX, Span, has_text};
use crate::feed::{Course, Desk, Hands, Progress};
use crate::line::{GoOn, Inferred, Line, Worth};
use crate::plan::Planned;
use crate::pool::{Stream, Workshop};
use crate::seen::Seen;
use crate::tie::Tie;

/// Blocks of each source: the one before the current one, this one, the one after it, one being filled.
const BLOCKS: usize = 4;
/// All blocks of sources that are read at the same time take about so much.
const BLOCKS_BYTES: usize = 6 << 20;
const BLOCK_BYTES_MAX: usize = 512 << 10;

/// A source being merged, at its next line.
struct Lane {
    stream: Stream,
    course: Course,
    block: Block,
    /// The block after it, if it was looked into.
    peeked: Option<Block>,
    at: usize,
    next: Option<Next>,
    /// Merge time of the line before.
    high_us: i64,
}

/// The next line of a lane.
#[derive(Clone, Copy)]
struct Next {
    time: Option<i64>,
    inferred: Inferred,
    /// When its turn is: never before the lines before it.
    turn_us: i64,
}

/// Merges a group of sources, which are sorted by their start.
pub(crate) fn merge<'scope, R: GoOn, S: FnMut(Line<'_>) -> R, P: FnMut(Progress)>(
    desk: &mut Desk<'_, S, P>,
    hands: &Hands<'scope, '_>,
    group: Vec<Planned>,
) {
    let block_bytes = (BLOCKS_BYTES / BLOCKS / most_at_once(&group)).clamp(2 * LINE_BYTES_MAX, BLOCK_BYTES_MAX);
    let mut waiting = group.into_iter().peekable();
    let (mut lanes, mut due): (Vec<Lane>, Vec<usize>) = (Vec::new(), Vec::new());
    let (mut seen, mut tie) = (Seen::default(), Tie::default());
    while !desk.coverage.stopped {
        // A source is opened when its time has come.
        let turn = lanes.iter().filter_map(Lane::turn_us).min();
        let starts = |source: &Planned| source.from.unwrap_or(i64::MIN);
        if let Some(source) = waiting.next_if(|source| turn.is_none_or(|turn| starts(source) <= turn)) {
            lanes.push(Lane::open(desk, hands, source, block_bytes));
            continue;
        }
        let Some(turn) = turn else { break };
        due.clear();
        due.extend((0..).zip(&lanes).filter(|(_, lane)| lane.turn_us() == Some(turn)).map(|(at, _)| at));
        let until = if due.len() > 1 {
            deliver_shared(desk, &mut lanes, &mut seen, &mut tie, &mut due);
            turn
        } else {
            let others = lanes.iter().filter_map(Lane::turn_us).filter(|others| *others > turn);
            others.chain(waiting.peek().map(starts)).min().map_or(i64::MAX, |next| next.saturating_sub(1))
        };
        for at in &due {
            if let Some(lane) = lanes.get_mut(*at) {
                lane.deliver(desk, &mut seen, until);
            }
        }
        close_ended(desk, &mut lanes);
    }
    for lane in lanes {
        lane.close(desk);
    }
}

/// Delivers the lines of lanes whose turn is at the same time, if some stand in several of them. If not, or if there are too many to look
/// at, one lane may follow the other, as `due` then says.
fn deliver_shared<R: GoOn, S: FnMut(Line<'_>) -> R, P: FnMut(Progress)>(
    desk: &mut Desk<'_, S, P>,
    lanes: &mut [Lane],
    seen: &mut Seen,
    tie: &mut Tie,
    due: &mut [usize],
) {
    tie.clear();
    let mut is_whole = true;
    for nth in 0..due.len() {
        let Some((at, lane)) = due.get(nth).and_then(|at| Some((*at, lanes.get_mut(*at)?))) else { continue };
        if !lane.look_ahead(desk.workshop, |hash| tie.add(hash, at)) {
            is_whole = false;
            // What has so many is not the copy.
            due.get_mut(..=nth).unwrap_or_default().rotate_right(1);
        }
    }
    for at in if is_whole { tie.order() } else { &[] } {
        if let Some(lane) = lanes.get_mut(*at) {
            lane.deliver_next(desk, seen);
        }
    }
}

/// The others stay in their order, which is the one of their start.
fn close_ended<R: GoOn, S: FnMut(Line<'_>) -> R, P: FnMut(Progress)>(desk: &mut Desk<'_, S, P>, lanes: &mut Vec<Lane>) {
    while let Some(at) = lanes.iter().position(|lane| lane.next.is_none()) {
        lanes.remove(at).close(desk);
    }
}

/// How many sources are open at the same time, at most.
fn most_at_once(group: &[Planned]) -> usize {
    let at_start_of = |source: &Planned| {
        group
            .iter()
            .filter(|other| other.from <= source.from && source.from.is_none_or(|from| other.to >= from))
            .count()
    };
    group.iter().map(at_start_of).max().unwrap_or(1).max(1)
}

impl Lane {
    fn open<'scope, R: GoOn, S: FnMut(Line<'_>) -> R, P: FnMut(Progress)>(
        desk: &mut Desk<'_, S, P>,
        hands: &Hands<'scope, '_>,
        source: Planned,
        block_bytes: usize,
    ) -> Self {
        let high_us = source.from.unwrap_or(i64::MIN);
        let (stream, course) = desk.start(hands, source, Detail::Hashed, block_bytes, BLOCKS);
        let mut lane = Self { stream, course, block: Block::default(), peeked: None, at: 0, next: None, high_us };
        lane.look(desk);
        lane
    }

    /// What decides whether it is this lane's turn.
    fn turn_us(&self) -> Option<i64> {
        self.next.map(|next| next.turn_us)
    }

    /// Delivers all lines up to this time.
    fn deliver<R: GoOn, S: FnMut(Line<'_>) -> R, P: FnMut(Progress)>(
        &mut self,
        desk: &mut Desk<'_, S, P>,
        seen: &mut Seen,
        until_us: i64,
    ) {
        while self.next.is_some_and(|next| next.turn_us <= until_us) && self.deliver_next(desk, seen) {}
    }

    /// Delivers the next line. `false`: there is none, or the sink wants no more.
    fn deliver_next<R: GoOn, S: FnMut(Line<'_>) -> R, P: FnMut(Progress)>(
        &mut self,
        desk: &mut Desk<'_, S, P>,
        seen: &mut Seen,
    ) -> bool {
        let Some(next) = self.next.filter(|_| !desk.coverage.stopped) else { return false };
        if !self.deliver_one(desk, seen, next) {
            return false;
        }
        self.at += 1;
        self.look(desk);
        true
    }

    /// Tells the hashes of the next line and of those that go with it. `false`: there may be more than stand in this block and the next.
    fn look_ahead(&mut self, workshop: &Workshop<'_>, mut tell: impl FnMut(u64)) -> bool {
        let Some(Next { turn_us, .. }) = self.next else { return true };
        let mut clock = self.course.clock.clone();
        let mut is_later = |span: &Span| {
            let time = span.stamp.as_ref().and_then(|stamp| clock.resolve(stamp).0);
            let later = time.is_some_and(|time| time > turn_us);
            if !later {
                tell(span.hash);
            }
            later
        };
        if self.block.spans.iter().skip(self.at).any(&mut is_later) {
            return true;
        }
        if self.peeked.is_none() {
            self.peeked = self.stream.next(workshop);
        }
        self.peeked.as_ref().is_none_or(|block| block.spans.iter().any(is_later))
    }

    fn deliver_one<R: GoOn, S: FnMut(Line<'_>) -> R, P: FnMut(Progress)>(
        &mut self,
        desk: &mut Desk<'_, S, P>,
        seen: &mut Seen,
        next: Next,
    ) -> bool {
        let Some(span) = self.block.spans.get(self.at) else { return true };
        if !seen.is_new(span.hash, self.course.index, next.turn_us) {
            self.course.count.duplicates += 1;
            return true;
        }
        let worth = match span.kind {
            Kind::Line(worth) => worth,
            Kind::Orphan(times) => self
                .course
                .meant(&self.block, span, times)
                .map_or(Worth::Unknown, |record| (desk.workshop.worth)(&record)),
            Kind::Mark => return true,
        };
        let bad_time = span.stamp.is_none() && has_text(self.block.raw(span));
        self.course.count.tally.count(worth, bad_time);
        let go_on = desk.deliver(&self.course, &self.block, span, worth, next.time, next.inferred);
        desk.seq += 1;
        go_on
    }

    /// Finds the next line and its turn.
    fn look<R: GoOn, S: FnMut(Line<'_>) -> R, P: FnMut(Progress)>(&mut self, desk: &mut Desk<'_, S, P>) {
        self.next = None;
        while self.at >= self.block.spans.len() {
            let Some(block) = self.peeked.take().or_else(|| self.stream.next(desk.workshop)) else { return };
            let done = std::mem::replace(&mut self.block, block);
            self.at = 0;
            if !done.data.is_empty() {
                desk.next_block(&mut self.course, &self.stream, done);
            }
        }
        if let Some(span) = self.block.spans.get(self.at) {
            let (time, inferred) = desk.time(&mut self.course, span);
            let turn_us = time.unwrap_or(self.high_us).max(self.high_us);
            self.high_us = turn_us;
            self.next = Some(Next { time, inferred, turn_us });
        }
    }

    fn close<R: GoOn, S: FnMut(Line<'_>) -> R, P: FnMut(Progress)>(self, desk: &mut Desk<'_, S, P>) {
        let Self { stream, mut course, block, .. } = self;
        if !block.data.is_empty() {
            desk.next_block(&mut course, &stream, block);
        }
        desk.finish(course, stream);
    }
}
