//! Sources whose times overlap, merged by time; lines that stand in several of them delivered once.
//!
//! Each source keeps its own order: what stands later in it goes later, whatever its stamp says. Among lines of the same time the source
//! that was given first goes first.

use crate::block::{Block, Detail, Kind, LINE_BYTES_MAX, has_text};
use crate::feed::{Course, Desk, Hands, Progress};
use crate::line::{GoOn, Inferred, Line, Worth};
use crate::plan::Planned;
use crate::pool::Stream;
use crate::seen::Seen;

const BLOCKS: usize = 4;
/// All blocks of sources that are read at the same time take about so much.
const BLOCKS_BYTES: usize = 6 << 20;
const BLOCK_BYTES_MAX: usize = 512 << 10;

/// A source being merged, at its next line.
struct Lane {
    stream: Stream,
    course: Course,
    block: Block,
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
    let (mut lanes, mut seen): (Vec<Lane>, Seen) = (Vec::new(), Seen::default());
    while !desk.coverage.stopped {
        // A source is opened when its time has come.
        let turn = lanes.iter().filter_map(Lane::turn).min();
        let starts = |source: &Planned| source.from.unwrap_or(i64::MIN);
        if let Some(source) = waiting.next_if(|source| turn.is_none_or(|(turn, _)| starts(source) <= turn)) {
            lanes.push(Lane::open(desk, hands, source, block_bytes));
            continue;
        }
        let Some(at) = lanes.iter().position(|lane| lane.turn() == turn && turn.is_some()) else { break };
        let others =
            lanes.iter().enumerate().filter(|(other, _)| *other != at).filter_map(|(_, lane)| lane.turn()).min();
        let until = others.into_iter().chain(waiting.peek().map(|source| (starts(source), 0))).min();
        if let Some(lane) = lanes.get_mut(at) {
            lane.deliver(desk, &mut seen, until);
        }
        close_ended(desk, &mut lanes);
    }
    for lane in lanes {
        lane.close(desk);
    }
}

fn close_ended<R: GoOn, S: FnMut(Line<'_>) -> R, P: FnMut(Progress)>(desk: &mut Desk<'_, S, P>, lanes: &mut Vec<Lane>) {
    while let Some(at) = lanes.iter().position(|lane| lane.next.is_none()) {
        lanes.swap_remove(at).close(desk);
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
        let mut lane = Self { stream, course, block: Block::default(), at: 0, next: None, high_us };
        lane.look(desk);
        lane
    }

    /// Time and source of the next line: what decides whose turn it is.
    fn turn(&self) -> Option<(i64, usize)> {
        self.next.map(|next| (next.turn_us, self.course.index))
    }

    /// Delivers lines as long as it is this lane's turn.
    fn deliver<R: GoOn, S: FnMut(Line<'_>) -> R, P: FnMut(Progress)>(
        &mut self,
        desk: &mut Desk<'_, S, P>,
        seen: &mut Seen,
        until: Option<(i64, usize)>,
    ) {
        while let Some(next) = self.next {
            let turn = (next.turn_us, self.course.index);
            if until.is_some_and(|until| turn > until) || !self.deliver_one(desk, seen, next) {
                return;
            }
            self.at += 1;
            self.look(desk);
        }
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
            let Some(block) = self.stream.next(desk.workshop) else { return };
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
