//! Which lines another source has already delivered.
//!
//! Lines with the same bytes are one line if they stand in different sources, and as many lines as there are if they stand in one. So the
//! n-th occurrence in a source is new only if no source had n of them before. Only a window of log time is remembered.

use std::collections::{HashMap, VecDeque};

/// How long a line is remembered, in log time.
const WINDOW_US: i64 = 120_000_000;
/// As many lines as are remembered at most.
const LINES_MAX: usize = 1 << 16;

/// The lines of the window, by hash.
#[derive(Debug)]
pub struct Seen {
    window_us: i64,
    lines: HashMap<u64, Occurrences, foldhash::fast::RandomState>,
    order: VecDeque<(i64, u64)>,
}

/// How often a line occurred.
#[derive(Debug, Default)]
struct Occurrences {
    delivered: u32,
    /// Source and count. Few sources hold the same line.
    by_source: [(usize, u32); 3],
    further: Vec<(usize, u32)>,
}

impl Occurrences {
    fn count(&mut self, source: usize) -> u32 {
        let slot = self.by_source.iter().position(|(s, count)| *count == 0 || *s == source);
        let entry = match slot.and_then(|at| self.by_source.get_mut(at)) {
            Some(entry) => entry,
            None => {
                let at = self.further.iter().position(|(s, _)| *s == source).unwrap_or_else(|| {
                    self.further.push((source, 0));
                    self.further.len() - 1
                });
                match self.further.get_mut(at) {
                    Some(entry) => entry,
                    None => return 1,
                }
            }
        };
        *entry = (source, entry.1.saturating_add(1));
        entry.1
    }
}

impl Default for Seen {
    fn default() -> Self {
        Self::within(WINDOW_US)
    }
}

impl Seen {
    /// Remembers lines for so many microseconds of log time, of the latest 65,536 different ones.
    #[must_use]
    pub fn within(window_us: i64) -> Self {
        Self { window_us, lines: HashMap::default(), order: VecDeque::new() }
    }

    /// Takes a line in, by a hash of its bytes, the number of its source and its time in microseconds; says whether it is new.
    pub fn is_new(&mut self, hash: u64, source: usize, time_us: i64) -> bool {
        self.forget(time_us);
        let line = self.lines.entry(hash).or_insert_with(|| {
            self.order.push_back((time_us, hash));
            Occurrences::default()
        });
        let count = line.count(source);
        let new = count > line.delivered;
        line.delivered = line.delivered.max(count);
        new
    }

    fn forget(&mut self, now_us: i64) {
        while let Some((time, hash)) = self.order.front().copied() {
            if self.order.len() < LINES_MAX && time >= now_us.saturating_sub(self.window_us) {
                return;
            }
            self.order.pop_front();
            self.lines.remove(&hash);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn union_of_multisets() {
        let mut seen = Seen::default();
        let new: Vec<bool> =
            [0, 0, 1, 1, 1, 2, 3, 4, 4, 4, 4].iter().map(|source| seen.is_new(7, *source, 0)).collect();
        assert_eq!(new, [true, true, false, false, true, false, false, false, false, false, true]);
    }

    #[test]
    fn forgets() {
        let mut seen = Seen::default();
        assert!(seen.is_new(7, 0, 0) && !seen.is_new(7, 1, WINDOW_US) && seen.is_new(7, 2, WINDOW_US + 1));
        assert!((0..3 * LINES_MAX as u64).all(|hash| hash == 7 || seen.is_new(hash, 0, 0)));
        assert!(seen.lines.len() <= LINES_MAX + 1);
    }
}
