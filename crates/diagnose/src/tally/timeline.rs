//! When failures happened, and how regularly: a small picture of any length of time, and the spacing.
//!
//! In: times in microseconds since 1970 UTC. Out: counts per column, and the period if there is one. Fixed size.

/// How often something happened over time, in [`Timeline::BINS`] equal bins that widen as time goes on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Timeline {
    /// Minutes since 1970.
    start: i32,
    /// How often the bins were doubled, from a minute.
    doubled: u8,
    /// For the picture only: a bin that is full stays full.
    bins: [u16; Self::BINS],
}

impl Timeline {
    /// Number of bins.
    pub const BINS: usize = 24;
    const MINUTE: i64 = 60 * 1_000_000;

    pub(super) fn add(&mut self, time: i64, count: u32) {
        let minute = i32::try_from(time.div_euclid(Self::MINUTE)).unwrap_or(i32::MAX);
        if self.start == 0 {
            self.start = minute;
        }
        let since = minute.saturating_sub(self.start).max(0);
        while since >> self.doubled >= Self::BINS as i32 {
            self.widen();
        }
        let at = usize::try_from(since >> self.doubled).unwrap_or_default();
        if let Some(bin) = self.bins.get_mut(at) {
            *bin = bin.saturating_add(u16::try_from(count).unwrap_or(u16::MAX));
        }
    }

    fn widen(&mut self) {
        let old = self.bins;
        self.bins = [0; Self::BINS];
        for (at, count) in old.into_iter().enumerate() {
            if let Some(bin) = self.bins.get_mut(at / 2) {
                *bin = bin.saturating_add(count);
            }
        }
        self.doubled += 1;
    }

    /// The counts spread over `columns` equal parts of `[from, to]` (microseconds); each bin goes where its middle lies.
    #[must_use]
    pub fn columns(&self, from: i64, to: i64, columns: usize) -> Vec<u64> {
        let mut spread = vec![0; columns];
        let span = (to - from).max(1);
        let (start, width) = (i64::from(self.start) * Self::MINUTE, Self::MINUTE << self.doubled);
        for (at, count) in self.bins.iter().enumerate().filter(|(_, count)| **count > 0) {
            let middle = start + width * at as i64 + width / 2;
            let column = i128::from((middle - from).clamp(0, span - 1)) * columns as i128 / i128::from(span);
            if let Some(cell) = usize::try_from(column).ok().and_then(|column| spread.get_mut(column)) {
                *cell += u64::from(*count);
            }
        }
        spread
    }
}
