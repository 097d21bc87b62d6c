//! Counts by three numbers: in a table where there are few combinations, else by hash.

use std::collections::HashMap;

use foldhash::quality::RandomState;

/// Counts in a table at most.
const TABLE_MAX: u64 = 1 << 20;

/// What is counted by.
pub(crate) type Key = [u128; 3];

/// For each number one more than its greatest value, where that is known.
pub(crate) struct Shape(pub(crate) [Option<u64>; 3]);

impl Shape {
    /// How many combinations there are, if they are few.
    fn size(&self) -> Option<u64> {
        let size = self.0.iter().try_fold(1_u64, |size, end| size.checked_mul((*end)?))?;
        (size <= TABLE_MAX).then_some(size)
    }
}

/// The counts.
pub(crate) enum Cells {
    Table { ends: [u128; 3], counts: Vec<u64> },
    Hash(HashMap<Key, u64, RandomState>),
}

impl Cells {
    pub(crate) fn new(shape: Shape) -> Self {
        match shape.size().and_then(|size| usize::try_from(size).ok()) {
            Some(size) => Self::Table { ends: shape.0.map(|end| u128::from(end.unwrap_or(1))), counts: vec![0; size] },
            None => Self::Hash(HashMap::default()),
        }
    }

    pub(crate) fn add(&mut self, key: Key, times: u64) {
        let count = match self {
            Self::Table { ends, counts } => place(ends, key).and_then(|at| counts.get_mut(at)),
            Self::Hash(counts) => Some(counts.entry(key).or_default()),
        };
        if let Some(count) = count {
            *count = count.saturating_add(times);
        }
    }

    /// All that was counted.
    pub(crate) fn counted(self) -> Vec<(Key, u64)> {
        match self {
            Self::Table { ends, counts } => {
                let counted = (0_u128..).zip(counts).filter(|(_, count)| *count > 0);
                counted.map(|(at, count)| (key(&ends, at), count)).collect()
            }
            Self::Hash(counts) => counts.into_iter().collect(),
        }
    }
}

/// Where a key stands in the table.
fn place([_, second, third]: &[u128; 3], key: Key) -> Option<usize> {
    usize::try_from((key[0] * second + key[1]) * third + key[2]).ok()
}

/// The key that stands there.
fn key([_, second, third]: &[u128; 3], at: u128) -> Key {
    [at / third / second, at / third % second, at % third]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_counts_as_a_hash_does() {
        let few = || Cells::new(Shape([Some(3), Some(4), Some(25)]));
        let many = || Cells::new(Shape([Some(3), None, Some(25)]));
        assert!(matches!(few(), Cells::Table { .. }) && matches!(many(), Cells::Hash(_)));
        assert!(matches!(Cells::new(Shape([Some(1 << 40), Some(1 << 40), Some(2)])), Cells::Hash(_)));
        let keys = (0..3).flat_map(|a| (0..4).flat_map(move |b| (0..25).map(move |c| [a, b, c])));
        let [table, hash] = [few(), many()].map(|mut cells| {
            for (times, key) in (0..7).cycle().zip(keys.clone()) {
                cells.add(key, times);
                cells.add(key, 0);
            }
            let mut counted = cells.counted();
            counted.retain(|(_, count)| *count > 0);
            counted.sort_unstable();
            counted
        });
        assert_eq!(table, hash);
        assert!(table.len() > 200 && table.contains(&([0, 0, 1], 1)));
    }
}
