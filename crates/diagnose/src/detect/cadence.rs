//! How failures are spaced: a device comes back at regular times, a guesser in a rush.

use serde::{Deserialize, Serialize};

/// Tries closer together than this are one visit, in seconds.
const VISIT_S: f32 = 30.0;
/// Visits from which a period can be told.
const VISITS: u32 = 4;
/// A spread of the gaps up to this part of their mean is regular; where nothing else speaks for a device, up to the second.
const REGULAR: f64 = 0.2;
const CLOCKWORK: f64 = 0.12;

/// Spacing of visits: mean and spread of the gaps between them (Welford).
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Cadence {
    gaps: u32,
    mean: f32,
    spread: f32,
    last: i64,
}

impl Cadence {
    /// Notes a failure; microseconds.
    pub fn add(&mut self, time: i64) {
        let before = self.last;
        self.last = before.max(time);
        let gap = (time - before) as f32 / 1e6;
        // Tries of one burst are one visit: what matters is how often it comes back.
        if before == 0 || gap < VISIT_S {
            return;
        }
        self.gaps = self.gaps.saturating_add(1);
        let delta = gap - self.mean;
        self.mean += delta / self.gaps as f32;
        self.spread += delta * (gap - self.mean);
    }

    /// The period in seconds, if failures come back regularly.
    #[must_use]
    pub fn period(&self) -> Option<f64> {
        self.within(REGULAR)
    }

    /// The period in seconds, if failures come back like clockwork.
    #[must_use]
    pub fn clockwork(&self) -> Option<f64> {
        self.within(CLOCKWORK).filter(|_| self.visits() >= 2 * VISITS)
    }

    fn within(&self, spread: f64) -> Option<f64> {
        if self.gaps + 1 < VISITS || self.mean <= 0.0 {
            return None;
        }
        let (mean, deviation) = (f64::from(self.mean), f64::from(self.spread / self.gaps as f32).sqrt());
        (deviation / mean < spread).then_some(mean)
    }

    /// Visits so far.
    #[must_use]
    pub fn visits(&self) -> u32 {
        self.gaps + u32::from(self.last != 0)
    }
}

/// The most failures within a minute and within ten, counted in spans that begin with a failure: at least half of the truth.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Burst {
    minute: Span,
    ten: Span,
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Span {
    start: i64,
    count: u32,
    most: u32,
}

impl Span {
    fn add(&mut self, time: i64, count: u32, length: i64) {
        if self.count == 0 || time - self.start >= length {
            (self.start, self.count) = (time, 0);
        }
        self.count = self.count.saturating_add(count);
        self.most = self.most.max(self.count);
    }
}

impl Burst {
    pub(crate) fn add(&mut self, time: i64, count: u32) {
        self.minute.add(time, count, 60_000_000);
        self.ten.add(time, count, 600_000_000);
    }

    pub(crate) fn per_minute(&self) -> u32 {
        self.minute.most
    }

    pub(crate) fn per_ten_minutes(&self) -> u32 {
        self.ten.most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods() {
        let check = |seconds: &[i64], expected: Option<f64>| {
            let mut cadence = Cadence::default();
            seconds.iter().for_each(|second| cadence.add((1_000 + second) * 1_000_000));
            let found = cadence.period();
            assert!(
                match (found, expected) {
                    (Some(a), Some(b)) => (a - b).abs() < 1.0,
                    (a, b) => a == b,
                },
                "{seconds:?}: {found:?}"
            );
        };
        check(&[0, 300, 600, 900], Some(300.0));
        check(&[0, 1, 2, 300, 301, 600, 900], Some(299.7));
        check(&[0, 300, 600], None);
        check(&[0, 40, 700, 760, 2_000, 2_100], None);
        check(&[], None);
    }

    #[test]
    fn bursts() {
        let mut burst = Burst::default();
        (0..20).for_each(|n| burst.add(n * 2_000_000, 1));
        burst.add(3_600_000_000, 1);
        assert_eq!((burst.per_minute(), burst.per_ten_minutes()), (20, 20));
    }
}
