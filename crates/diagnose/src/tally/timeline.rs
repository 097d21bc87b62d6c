//! When failures happened, and how regularly: a small picture of any length of time, and the spacing.
//!
//! In: times in microseconds since 1970 UTC. Out: counts per column, and the period if there is one. Fixed size.

/// How often something happened over time, in [`Timeline::BINS`] equal bins that widen as time goes on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Timeline {
    start: i64,
    width: i64,
    /// For the picture only: a bin that is full stays full.
    bins: [u16; Self::BINS],
}

impl Timeline {
    /// Number of bins.
    pub const BINS: usize = 24;
    const FIRST_WIDTH: i64 = 60 * 1_000_000;

    pub(super) fn add(&mut self, time: i64, count: u32) {
        if self.width == 0 {
            self.width = Self::FIRST_WIDTH;
            self.start = time.div_euclid(self.width) * self.width;
        }
        let time = time.max(self.start);
        while (time - self.start) / self.width >= Self::BINS as i64 {
            self.widen();
        }
        let at = usize::try_from((time - self.start) / self.width).unwrap_or_default();
        if let Some(bin) = self.bins.get_mut(at) {
            *bin = bin.saturating_add(u16::try_from(count).unwrap_or(u16::MAX));
        }
    }

    pub(super) fn widen(&mut self) {
        let old = self.bins;
        self.bins = [0; Self::BINS];
        for (at, count) in old.into_iter().enumerate() {
            if let Some(bin) = self.bins.get_mut(at / 2) {
                *bin = bin.saturating_add(count);
            }
        }
        self.width *= 2;
    }

    /// The counts spread over `columns` equal parts of `[from, to]` (microseconds); each bin goes where its middle lies.
    #[must_use]
    pub fn columns(&self, from: i64, to: i64, columns: usize) -> Vec<u64> {
        let mut spread = vec![0; columns];
        let span = (to - from).max(1);
        for (at, count) in self.bins.iter().enumerate().filter(|(_, count)| **count > 0) {
            let middle = self.start + self.width * at as i64 + self.width / 2;
            let column = i128::from((middle - from).clamp(0, span - 1)) * columns as i128 / i128::from(span);
            if let Some(cell) = usize::try_from(column).ok().and_then(|column| spread.get_mut(column)) {
                *cell += u64::from(*count);
            }
        }
        spread
    }
}

/// Spacing of failures: mean and spread of the gaps between them (Welford).
#[derive(Clone, Copy, Debug, Default)]
pub struct Cadence {
    gaps: u32,
    mean: f32,
    spread: f32,
    last: Option<i64>,
}

impl Cadence {
    pub(super) fn add(&mut self, time: i64) {
        if let Some(last) = self.last.replace(time) {
            let gap = (time - last) as f32 / 1e6;
            // Tries of one burst are one visit: what matters is how often it comes back.
            if gap < 30.0 {
                return;
            }
            self.gaps += 1;
            let delta = gap - self.mean;
            self.mean += delta / self.gaps as f32;
            self.spread += delta * (gap - self.mean);
        }
    }

    /// The period in seconds, if failures come back regularly: at least four visits, spread under a quarter.
    #[must_use]
    pub fn period(&self) -> Option<f64> {
        let deviation = (self.spread / self.gaps.max(1) as f32).sqrt();
        (self.gaps >= 3 && self.mean > 0.0 && deviation / self.mean < 0.25).then_some(f64::from(self.mean))
    }
}
