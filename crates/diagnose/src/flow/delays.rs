//! How long something took, kept small: percentiles of millions of delays in a few hundred counters.
//!
//! Input: delays in seconds. Output: percentiles, off by at most 1 % or half a millisecond, whichever is more. A delay is rounded to
//! milliseconds; each power of two of them is cut into 64 equal parts and only the parts are counted (the way of
//! HdrHistogram). Memory: 8 bytes for each part that occurs, at most 2,112 of them (17 KB).

/// Parts of each power of two, as a power of two itself.
const PARTS: u32 = 6;
/// No delay of mail is longer: 100 days, in milliseconds.
const LONGEST: f64 = 8_640_000_000.0;

/// A distribution of delays.
#[derive(Clone, Debug, Default)]
pub struct Delays {
    /// Part and how many fell into it, in order of the parts.
    parts: Vec<(u16, u32)>,
    count: u64,
    /// Seconds.
    sum: f64,
    /// Seconds.
    longest: f64,
}

impl Delays {
    /// Adds `count` delays of `seconds`.
    pub fn add(&mut self, seconds: f64, count: u32) {
        self.add_part(part(seconds), count);
        self.count += u64::from(count);
        self.sum += seconds * f64::from(count);
        self.longest = self.longest.max(seconds);
    }

    /// Adds all of another.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (part, count) in &other.parts {
            self.add_part(*part, *count);
        }
        self.count += other.count;
        self.sum += other.sum;
        self.longest = self.longest.max(other.longest);
    }

    fn add_part(&mut self, part: u16, count: u32) {
        match self.parts.binary_search_by_key(&part, |(known, _)| *known) {
            Ok(at) => {
                if let Some((_, sum)) = self.parts.get_mut(at) {
                    *sum = sum.saturating_add(count);
                }
            }
            Err(at) => self.parts.insert(at, (part, count)),
        }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Their mean in seconds; 0 of none.
    #[must_use]
    pub fn mean(&self) -> f64 {
        if self.count == 0 { 0.0 } else { self.sum / self.count as f64 }
    }

    /// The longest in seconds, exact.
    #[must_use]
    pub fn longest(&self) -> f64 {
        self.longest
    }

    /// The delay in seconds that `share` (0 to 1) of them do not exceed; 0 of none.
    #[must_use]
    pub fn percentile(&self, share: f64) -> f64 {
        let wanted = ((self.count as f64) * share.clamp(0.0, 1.0)).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (part, count) in &self.parts {
            seen += u64::from(*count);
            if seen >= wanted {
                return middle(*part).min(self.longest);
            }
        }
        0.0
    }
}

/// The part that a delay falls into. Under 64 ms each millisecond is one.
fn part(seconds: f64) -> u16 {
    let millis = (seconds * 1_000.0).clamp(0.0, LONGEST).round() as u64;
    let power = u64::BITS - (millis >> PARTS).leading_zeros();
    let shift = power.saturating_sub(1);
    let within = millis >> shift;
    u16::try_from(u64::from(shift) * (1 << PARTS) + within).unwrap_or(u16::MAX)
}

/// The middle of a part, in seconds.
fn middle(part: u16) -> f64 {
    let part = u32::from(part);
    let (shift, within) =
        if part < (2 << PARTS) { (0, part) } else { (part / (1 << PARTS) - 1, part % (1 << PARTS) + (1 << PARTS)) };
    let width = f64::from(1_u32 << shift.min(31));
    (f64::from(within) * width + (width - 1.0) / 2.0) / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_values() {
        let mut delays = Delays::default();
        assert_eq!((delays.percentile(0.5), delays.mean(), delays.count()), (0.0, 0.0, 0));
        for seconds in [0.05, 0.05, 0.05, 12.0] {
            delays.add(seconds, 1);
        }
        assert_eq!((delays.percentile(0.5), delays.percentile(0.75), delays.longest()), (0.05, 0.05, 12.0));
        assert!((delays.percentile(0.95) - 12.0).abs() < 0.12, "{}", delays.percentile(0.95));
        delays.add(f64::MAX, 1);
        assert!(delays.parts.len() == 3);
    }

    proptest::proptest! {
        /// Against the slow way: sort them all and look.
        #[test]
        fn percentiles_are_off_by_one_percent_at_most(mut all in proptest::collection::vec(0.0_f64..2_000_000.0, 1..200), scale in 0..7_u32, share in 0.0_f64..1.0) {
            let mut delays = Delays::default();
            for seconds in &mut all {
                *seconds /= 10_f64.powi(scale.cast_signed());
                delays.add(*seconds, 1);
            }
            all.sort_by(f64::total_cmp);
            let at = ((all.len() as f64) * share).ceil().max(1.0) as usize - 1;
            let (exact, found) = (all[at], delays.percentile(share));
            proptest::prop_assert!((found - exact).abs() <= (exact * 0.01).max(0.000_501), "{found} for {exact}");
        }
    }
}
