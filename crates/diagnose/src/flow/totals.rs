//! What is counted over time: one list of counts, and how often each happened in each quarter of an hour.

use std::collections::BTreeMap;

macro_rules! counts {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// What is counted in every stretch of time.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Count { $($(#[$doc])* $variant,)* }

        impl Count {
            /// All of them, in the order they are shown.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name in JSON.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

counts! {
    /// Queue files that the queue manager took up, each once.
    Received = "received",
    /// Bytes of these.
    Bytes = "bytes",
    /// Delivery lines that say `sent`.
    Sent = "sent",
    /// Of these: the mail went on as another queue file of ours, which tells the rest.
    HandedOn = "handed_on",
    /// Delivery lines that say `deferred`.
    Deferred = "deferred",
    /// Delivery lines that say `bounced`.
    Bounced = "bounced",
    /// Messages given back after the last try.
    Expired = "expired",
    /// Commands refused.
    Rejected = "rejected",
    /// Logins that succeeded.
    AuthOk = "auth_ok",
    /// Logins that did not.
    AuthFailed = "auth_failed",
    /// Lines with a warning, an error, a fatal error or a panic, logins that failed left out.
    Warnings = "warnings",
}

/// One value for each [`Count`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals([u64; Count::ALL.len()]);

impl Totals {
    /// The value of one.
    #[must_use]
    pub fn get(&self, count: Count) -> u64 {
        self.0.get(count as usize).copied().unwrap_or_default()
    }

    /// Deliveries that were the last: what was handed on is not delivered yet.
    #[must_use]
    pub fn delivered(&self) -> u64 {
        self.get(Count::Sent).saturating_sub(self.get(Count::HandedOn))
    }

    /// Adds to one.
    pub fn add(&mut self, count: Count, by: u64) {
        if let Some(value) = self.0.get_mut(count as usize) {
            *value += by;
        }
    }

    /// Takes all of another off.
    pub fn take_off(&mut self, other: &Self) {
        for (value, less) in self.0.iter_mut().zip(other.0) {
            *value = value.saturating_sub(less);
        }
    }

    /// Adds all of another.
    pub fn merge(&mut self, other: &Self) {
        for (value, more) in self.0.iter_mut().zip(other.0) {
            *value += more;
        }
    }
}

/// Length of a slot in microseconds. Every zone's offset is a multiple of it, so that slots add up to anybody's hours and days.
pub const SLOT: i64 = 900 * 1_000_000;
/// Slots kept at most: over 400 days. The oldest go first.
const SLOTS: usize = 40_000;

/// Totals by quarter of an hour.
#[derive(Clone, Debug, Default)]
pub struct Series {
    slots: BTreeMap<i64, Totals>,
    /// The slot of the last line: most lines add to the same one.
    open: Option<(i64, Totals)>,
    /// Slots were dropped for want of room.
    pub cut: bool,
}

impl Series {
    pub(crate) fn add(&mut self, time: i64, count: Count, by: u64) {
        let slot = time.div_euclid(SLOT);
        match &mut self.open {
            Some((open, totals)) if *open == slot => totals.add(count, by),
            _ => {
                self.close();
                let mut totals = Totals::default();
                totals.add(count, by);
                self.open = Some((slot, totals));
            }
        }
    }

    /// Must be called before [`Series::slots`] is read.
    pub(crate) fn close(&mut self) {
        let Some((slot, totals)) = self.open.take() else { return };
        self.slots.entry(slot).or_default().merge(&totals);
        while self.slots.len() > SLOTS {
            self.slots.pop_first();
            self.cut = true;
        }
    }

    /// Start of each slot in microseconds since 1970 UTC, with its totals, in order. Slots without any are left out.
    pub fn slots(&self) -> impl Iterator<Item = (i64, &Totals)> {
        self.slots.iter().map(|(slot, totals)| (slot * SLOT, totals))
    }

    /// The sum over `[from, until)`; both should be the start of a slot.
    #[must_use]
    pub fn sum(&self, from: i64, until: i64) -> Totals {
        let mut sum = Totals::default();
        for (_, totals) in self.slots().filter(|(start, _)| (from..until).contains(start)) {
            sum.merge(totals);
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_add_up() {
        let mut series = Series::default();
        for (time, by) in [(0, 1), (SLOT - 1, 2), (SLOT, 4), (5, 8), (-1, 16)] {
            series.add(time, Count::Sent, by);
        }
        series.close();
        let slots: Vec<(i64, u64)> = series.slots().map(|(start, totals)| (start, totals.get(Count::Sent))).collect();
        assert_eq!(slots, [(-SLOT, 16), (0, 11), (SLOT, 4)]);
        assert_eq!(series.sum(0, SLOT).get(Count::Sent), 11);
        assert_eq!(series.sum(0, SLOT).get(Count::Deferred), 0);
    }

    #[test]
    fn room_for_so_many_and_no_more() {
        let mut series = Series::default();
        for slot in 0..SLOTS as i64 + 10 {
            series.add(slot * SLOT, Count::Received, 1);
        }
        series.close();
        assert_eq!(
            (series.slots().count(), series.slots().next().map(|(start, _)| start / SLOT), series.cut),
            (SLOTS, Some(10), true)
        );
    }
}
