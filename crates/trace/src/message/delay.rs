//! Things that wait for the same length of log time.

use std::collections::VecDeque;

/// Names a followed file for later: its place, and its number to see whether the place is still its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Handle {
    pub(super) slot: u32,
    pub(super) number: u64,
}

/// A queue in which everything waits equally long, in microseconds.
pub(super) struct Delay {
    wait: i64,
    queue: VecDeque<(i64, Handle)>,
}

impl Delay {
    pub(super) fn of(wait: i64) -> Self {
        Self { wait, queue: VecDeque::new() }
    }

    /// Puts one in at this time of the log, which must not go back.
    pub(super) fn push(&mut self, now: i64, handle: Handle) {
        self.queue.push_back((now.saturating_add(self.wait), handle));
    }

    /// The next that has waited long enough.
    pub(super) fn pop(&mut self, now: i64) -> Option<Handle> {
        if self.due() > now {
            return None;
        }
        self.queue.pop_front().map(|(_, handle)| handle)
    }

    /// When the first is due; never if there is none.
    pub(super) fn due(&self) -> i64 {
        self.queue.front().map_or(i64::MAX, |(due, _)| *due)
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    /// The first in the queue, due or not.
    pub(super) fn take_first(&mut self) -> Option<Handle> {
        self.queue.pop_front().map(|(_, handle)| handle)
    }
}
