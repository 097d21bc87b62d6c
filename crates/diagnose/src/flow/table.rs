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
    /// Places of rows: a name that is known is looked up once.
    places: Map<Box<[u8]>, u32>,
    rows: Vec<V>,
    others: V,
    merged: u64,
    limit: usize,
}

impl<V: Weigh> Table<V> {
    pub(crate) fn new(limit: usize) -> Self {
        Self { places: Map::default(), rows: Vec::new(), others: V::default(), merged: 0, limit: limit.max(2) }
    }

    /// The row of a name.
    pub(crate) fn row(&mut self, name: &[u8]) -> &mut V {
        let place = match self.places.get(name) {
            Some(place) => *place,
            None => self.add(name),
        };
        // It is there; `others` only pleases the compiler.
        self.rows.get_mut(place as usize).unwrap_or(&mut self.others)
    }

    fn add(&mut self, name: &[u8]) -> u32 {
        if self.rows.len() >= self.limit {
            self.merge_lighter_half();
        }
        let place = u32::try_from(self.rows.len()).unwrap_or(u32::MAX);
        self.rows.push(V::default());
        self.places.insert(name.into(), place);
        place
    }

    fn merge_lighter_half(&mut self) {
        let mut weights: Vec<u64> = self.rows.iter().map(Weigh::weight).collect();
        let middle = weights.len() / 2;
        let (_, median, _) = weights.select_nth_unstable(middle);
        let median = *median;
        let mut room = self.rows.len() - middle;
        let mut kept = Vec::with_capacity(self.rows.len());
        // The new place of each old one.
        let mut moved: Vec<Option<u32>> = Vec::with_capacity(self.rows.len());
        for row in self.rows.drain(..) {
            if row.weight() <= median && room > 0 {
                room -= 1;
                self.others.merge(&row);
                self.merged += 1;
                moved.push(None);
            } else {
                moved.push(u32::try_from(kept.len()).ok());
                kept.push(row);
            }
        }
        self.rows = kept;
        self.places.retain(|_, place| {
            let to = moved.get(*place as usize).copied().flatten();
            *place = to.unwrap_or_default();
            to.is_some()
        });
    }

    /// The heaviest rows first, names in order where they weigh the same.
    #[must_use]
    pub fn heaviest(&self) -> Vec<(&[u8], &V)> {
        let mut rows: Vec<(&[u8], &V)> =
            self.places.iter().filter_map(|(name, place)| Some((&**name, self.rows.get(*place as usize)?))).collect();
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
