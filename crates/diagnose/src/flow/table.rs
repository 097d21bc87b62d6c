//! A table of names that strangers choose, which stays small.
//!
//! Up to its limit it is exact. When it is full, the lighter half of its rows is merged into one row of others, so that names
//! that matter find room again; a name that was merged and comes back starts anew. [`Table::merged`] says whether that
//! happened: then each row is "at least".

use crate::flow::Weigh;
use trace::Map;

/// Rows by name, bounded.
#[derive(Clone, Debug)]
pub struct Table<V> {
    rows: Map<Box<[u8]>, V>,
    others: V,
    merged: u64,
    limit: usize,
}

impl<V: Weigh> Table<V> {
    pub(crate) fn new(limit: usize) -> Self {
        Self { rows: Map::default(), others: V::default(), merged: 0, limit: limit.max(2) }
    }

    /// The row of a name.
    pub(crate) fn row(&mut self, name: &[u8]) -> &mut V {
        if !self.rows.contains_key(name) {
            if self.rows.len() >= self.limit {
                self.merge_lighter_half();
            }
            self.rows.insert(name.into(), V::default());
        }
        // Just put there, if it was not; `others` only pleases the compiler.
        self.rows.get_mut(name).unwrap_or(&mut self.others)
    }

    fn merge_lighter_half(&mut self) {
        let mut weights: Vec<u64> = self.rows.values().map(Weigh::weight).collect();
        let middle = weights.len() / 2;
        let (_, median, _) = weights.select_nth_unstable(middle);
        let median = *median;
        let mut room = self.rows.len() - middle;
        let (others, merged) = (&mut self.others, &mut self.merged);
        self.rows.retain(|_, row| {
            let goes = row.weight() <= median && room > 0;
            if goes {
                room -= 1;
                others.merge(row);
                *merged += 1;
            }
            !goes
        });
    }

    /// The heaviest rows first, names in order where they weigh the same.
    #[must_use]
    pub fn heaviest(&self) -> Vec<(&[u8], &V)> {
        let mut rows: Vec<(&[u8], &V)> = self.rows.iter().map(|(name, row)| (&**name, row)).collect();
        rows.sort_unstable_by(|a, b| b.1.weight().cmp(&a.1.weight()).then_with(|| a.0.cmp(b.0)));
        rows
    }

    /// How many names have a row.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// How many rows were merged into [`Table::others`]. Where it is 0 every count is exact.
    #[must_use]
    pub fn merged(&self) -> u64 {
        self.merged
    }

    /// All that were merged.
    #[must_use]
    pub fn others(&self) -> &V {
        &self.others
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_up_to_the_limit_and_heavy_names_stay() {
        let mut table: Table<u64> = Table::new(10);
        for name in 0..10_u8 {
            *table.row(&[name]) += u64::from(name) + 1;
        }
        assert_eq!((table.len(), table.merged(), *table.others()), (10, 0, 0));
        for flood in 0..1_000_u32 {
            *table.row(&flood.to_be_bytes()) += 1;
            *table.row(&[9]) += 1;
        }
        let rows = table.heaviest();
        assert!(rows.len() <= 10);
        assert_eq!(rows.first(), Some(&([9].as_slice(), &1_010)));
        let all: u64 = rows.iter().map(|(_, count)| **count).sum::<u64>() + *table.others();
        assert_eq!(all, 55 + 2_000, "nothing is lost");
    }
}
