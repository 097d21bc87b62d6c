//! Counts of a few names, which are looked up for each outcome.

use std::borrow::Borrow;

use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};

/// Counts by name. Names that come often are found first: there are few, and most outcomes have one of three or four.
#[derive(Clone, Debug)]
pub struct ByName<K>(Vec<(K, u64)>);

impl<K> Default for ByName<K> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: Ord> ByName<K> {
    /// Adds to a count; the name is kept, as `keep` gives it, only the first time.
    pub(super) fn add<Q: Eq + ?Sized>(&mut self, name: &Q, count: u64, keep: impl FnOnce() -> K)
    where
        K: Borrow<Q>,
    {
        match self.0.iter().position(|(known, _)| known.borrow() == name) {
            Some(at) => {
                if let Some((_, sum)) = self.0.get_mut(at) {
                    *sum += count;
                }
                // One step to the front each time it comes.
                if let Some(before) = at.checked_sub(1) {
                    self.0.swap(before, at);
                }
            }
            None => self.0.push((keep(), count)),
        }
    }

    /// Takes so many from one name, as far as it has them, for another; a name that has none left is gone.
    pub(super) fn move_to(&mut self, from: &K, to: K, count: u64)
    where
        K: Eq,
    {
        let Some((_, sum)) = self.0.iter_mut().find(|(known, _)| known == from) else { return };
        let moved = count.min(*sum);
        *sum -= moved;
        self.0.retain(|(_, sum)| *sum > 0);
        match self.0.iter_mut().find(|(known, _)| *known == to) {
            Some((_, sum)) => *sum += moved,
            None => self.0.push((to, moved)),
        }
    }

    /// Whether it was counted.
    pub(super) fn has<Q: Eq + ?Sized>(&self, name: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.0.iter().any(|(known, _)| known.borrow() == name)
    }

    /// How many names there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Names and counts, in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &u64)> {
        let mut rows: Vec<(&K, &u64)> = self.0.iter().map(|(name, count)| (name, count)).collect();
        rows.sort_unstable();
        rows.into_iter()
    }
}

impl<K: Ord + Serialize> Serialize for ByName<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, count) in self.iter() {
            map.serialize_entry(name, count)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_by_name_in_order() {
        let mut counts: ByName<Box<[u8]>> = ByName::default();
        for name in [b"b".as_slice(), b"a", b"c", b"c", b"c", b"a"] {
            counts.add(name, 2, || name.into());
        }
        let rows: Vec<(&[u8], u64)> = counts.iter().map(|(name, count)| (&**name, *count)).collect();
        assert_eq!(rows, [(b"a".as_slice(), 4), (b"b", 2), (b"c", 6)]);
        assert!(counts.has(b"b".as_slice()) && !counts.has(b"d".as_slice()) && counts.len() == 3);
        counts.move_to(&b"c".as_slice().into(), b"d".as_slice().into(), 2);
        counts.move_to(&b"b".as_slice().into(), b"a".as_slice().into(), 9);
        counts.move_to(&b"x".as_slice().into(), b"a".as_slice().into(), 9);
        let rows: Vec<(&[u8], u64)> = counts.iter().map(|(name, count)| (&**name, *count)).collect();
        assert_eq!(rows, [(b"a".as_slice(), 6), (b"c", 4), (b"d", 2)]);
    }
}
