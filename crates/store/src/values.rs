//! Values and how often they occur, out of a stream.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{BuildHasher as _, Hash};

use foldhash::quality::RandomState;
use query::{Entry, Field, fold};

use crate::question::{Distinct, Top, TopAsked, TopValue};
use crate::{DISTINCT_MAX, VALUE_BYTES_MAX, VALUES_MAX};

/// How often an entry counts.
pub(crate) fn repeats(entry: &Entry) -> u64 {
    entry.repeat.and_then(|repeat| u64::try_from(repeat).ok()).unwrap_or(1).max(1)
}

/// A field's value as a person reads it.
pub(crate) fn value_of(field: &Field, entry: &Entry) -> Option<String> {
    (field.get)(entry).map(|value| value.to_string())
}

/// What makes values of a field one: themselves, or their letters whatever the case.
fn key_of(field: &Field, value: &str) -> String {
    if field.cased { value.to_owned() } else { fold(value).into_owned() }
}

/// Spellings of a value, put together. Input: each spelling with its count. Output: for each value its commonest spelling
/// (of equals the first in the order of bytes) and the places of all its spellings in the input.
pub(crate) fn spellings<'a>(field: &Field, counted: impl Iterator<Item = (&'a str, u64)>) -> Vec<(String, Vec<usize>)> {
    let mut values: BTreeMap<String, (u64, &str, Vec<usize>)> = BTreeMap::new();
    for (at, (spelling, count)) in counted.enumerate() {
        let (best, shown, places) = values.entry(key_of(field, spelling)).or_insert((0, spelling, Vec::new()));
        if count > *best || count == *best && spelling < *shown {
            (*best, *shown) = (count, spelling);
        }
        places.push(at);
    }
    values.into_values().map(|(_, shown, places)| (shown.to_owned(), places)).collect()
}

/// Counts the values of a field.
pub(crate) struct Values {
    asked: TopAsked,
    counts: HashMap<String, Counted, RandomState>,
    bytes: usize,
    pairs: usize,
    top: Top,
}

/// One spelling of a value.
#[derive(Default)]
struct Counted {
    count: u64,
    /// Hashes of the second field's values: of a million, two are taken for one about once in forty million times.
    others: HashSet<u64, RandomState>,
}

impl Values {
    pub(crate) fn new(asked: &TopAsked) -> Self {
        Self { asked: asked.clone(), counts: HashMap::default(), bytes: 0, pairs: 0, top: Top::default() }
    }

    pub(crate) fn take(&mut self, entry: &Entry) {
        let Some(value) = value_of(self.asked.field, entry) else {
            self.top.absent = self.top.absent.saturating_add(repeats(entry));
            return;
        };
        let hash = self.asked.distinct.and_then(|field| {
            let other = value_of(field, entry)?;
            Some(self.counts.hasher().hash_one(key_of(field, &other)))
        });
        let full = self.counts.len() >= VALUES_MAX || self.bytes + value.len() > VALUE_BYTES_MAX;
        let counted = if full {
            match self.counts.get_mut(&value) {
                Some(counted) => counted,
                None => {
                    self.top.beyond = self.top.beyond.saturating_add(repeats(entry));
                    return;
                }
            }
        } else {
            self.counts.entry(value).or_insert_with_key(|value| {
                self.bytes += value.len();
                Counted::default()
            })
        };
        counted.count = counted.count.saturating_add(repeats(entry));
        let Some(hash) = hash.filter(|hash| !counted.others.contains(hash)) else { return };
        if self.pairs < DISTINCT_MAX {
            self.pairs += 1;
            counted.others.insert(hash);
        } else {
            self.top.distinct_cut = true;
        }
    }

    pub(crate) fn finish(self) -> Top {
        let Self { asked, counts, mut top, .. } = self;
        let counted: Vec<(String, Counted)> = counts.into_iter().collect();
        let named = spellings(asked.field, counted.iter().map(|(value, counted)| (value.as_str(), counted.count)));
        top.distinct = named.len() as u64;
        let row = |(value, places): (String, Vec<usize>)| {
            let of_value = || places.iter().filter_map(|at| counted.get(*at)).map(|(_, counted)| counted);
            TopValue {
                value,
                count: of_value().fold(0, |sum: u64, counted| sum.saturating_add(counted.count)),
                distinct: asked.distinct.map(|_| union(of_value().map(|counted| &counted.others))),
            }
        };
        top.values = named.into_iter().map(row).collect();
        top.values.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.value.cmp(&b.value)));
        if asked.limit > 0 {
            top.values.truncate(asked.limit);
        }
        top
    }
}

/// How many members sets have together.
fn union<'a, T: Copy + Eq + Hash + 'a>(sets: impl Iterator<Item = &'a HashSet<T, RandomState>>) -> u64 {
    let mut sets = sets.peekable();
    let Some(first) = sets.next() else { return 0 };
    if sets.peek().is_none() {
        return first.len() as u64;
    }
    sets.fold(first.clone(), |mut all, set| {
        all.extend(set);
        all
    })
    .len() as u64
}

/// Counts different values of a field, by hash: of a million, two are taken for one about once in forty million times.
pub(crate) struct Different {
    field: &'static Field,
    seen: HashSet<u64, RandomState>,
    at_least: bool,
}

impl Different {
    pub(crate) fn new(field: &'static Field) -> Self {
        Self { field, seen: HashSet::default(), at_least: false }
    }

    pub(crate) fn take(&mut self, entry: &Entry) {
        let Some(value) = value_of(self.field, entry) else { return };
        let hash = self.seen.hasher().hash_one(key_of(self.field, &value));
        if self.seen.len() < DISTINCT_MAX {
            self.seen.insert(hash);
        } else {
            self.at_least |= !self.seen.contains(&hash);
        }
    }

    pub(crate) fn finish(self) -> Distinct {
        Distinct { count: self.seen.len() as u64, at_least: self.at_least }
    }
}
