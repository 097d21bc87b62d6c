//! The sources of all days: their numbers, identities and present names.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use input::Identity;

use super::payload::Payload;

/// Sources by number. A number means the same source in every day.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    known: BTreeMap<u64, Known>,
    /// Their numbers by how their first line is known: two of the same source have that in common.
    begin: HashMap<String, BTreeSet<u64>>,
}

#[derive(Clone, Debug)]
struct Known {
    identity: Identity,
    name: String,
    /// The latest time of its lines.
    latest: i64,
}

impl Sources {
    /// Adds what a day's commit says.
    pub(crate) fn add(&mut self, payload: &Payload) {
        for (number, part) in &payload.sources {
            let known = self.known.entry(*number).or_insert_with(|| {
                self.begin.entry(part.identity.short()).or_default().insert(*number);
                Known { identity: part.identity.clone(), name: part.name.clone(), latest: i64::MIN }
            });
            known.latest = known.latest.max(part.turn);
            if part.identity.is_longer(&known.identity) {
                known.identity.clone_from(&part.identity);
            }
        }
    }

    /// Gives a source the name it has now.
    pub(crate) fn rename(&mut self, number: u64, name: &str) {
        if let Some(known) = self.known.get_mut(&number) {
            name.clone_into(&mut known.name);
        }
    }

    /// What a source is called; empty if nothing is known of it.
    #[must_use]
    pub fn name(&self, number: u64) -> &str {
        self.known.get(&number).map(|known| known.name.as_str()).unwrap_or_default()
    }

    /// How a source begins.
    #[must_use]
    pub fn identity(&self, number: u64) -> Option<&Identity> {
        self.known.get(&number).map(|known| &known.identity)
    }

    /// The number of the source that begins so.
    #[must_use]
    pub fn find(&self, identity: &Identity) -> Option<u64> {
        let is_same = |number: &u64| self.known.get(number).is_some_and(|known| known.identity.is_same(identity));
        self.begin.get(&identity.short())?.iter().copied().find(is_same)
    }

    /// The number of the source that begins so; a new one if it is not known.
    pub(crate) fn find_or_add(&mut self, identity: &Identity, name: &str) -> u64 {
        let number = self.find(identity).unwrap_or_else(|| self.known.last_key_value().map_or(1, |(last, _)| last + 1));
        let known = self.known.entry(number).or_insert_with(|| {
            self.begin.entry(identity.short()).or_default().insert(number);
            Known { identity: identity.clone(), name: name.to_owned(), latest: i64::MIN }
        });
        if identity.is_longer(&known.identity) {
            known.identity.clone_from(identity);
        }
        number
    }

    /// The numbers.
    pub fn numbers(&self) -> impl Iterator<Item = u64> + '_ {
        self.known.keys().copied()
    }

    /// Places of the sources in the order in which they end, by number: a log before the one that took its place.
    pub(crate) fn turns(&self) -> BTreeMap<u64, usize> {
        let mut order: Vec<(i64, &str, u64)> =
            self.known.iter().map(|(number, known)| (known.latest, known.name.as_str(), *number)).collect();
        order.sort_unstable();
        order.into_iter().enumerate().map(|(turn, (.., number))| (number, turn)).collect()
    }

    /// Places of the sources in the order of their names, by number.
    pub(crate) fn ranks(&self) -> BTreeMap<u64, usize> {
        let mut order: Vec<(&str, u64)> =
            self.known.iter().map(|(number, known)| (known.name.as_str(), *number)).collect();
        order.sort_unstable();
        order.into_iter().enumerate().map(|(rank, (_, number))| (number, rank)).collect()
    }
}
