//! Counts that were made of a segment, kept for whoever asks the same again.
//!
//! A segment never changes but for lines taken out of it, so what was counted of it stays true: a server that is asked for the same
//! picture by many viewers, again and again while lines come in, counts the newest segments only. Kept are at most [`CELLS`] counts,
//! and of one segment and question at most [`CELLS_OF_ONE`]; those not asked for longest go first.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use query::{Entry, Expr, OwnedValue, Query};
use tantivy::SegmentReader;
use tantivy::index::SegmentId;

use super::columns::{Needed, Wanted};
use super::day::DayError;
use super::within::Within;

/// Counts kept at most: about 20 MB.
const CELLS: usize = 150_000;
/// Of one segment and question at most.
const CELLS_OF_ONE: usize = 4_000;
/// What an answer without counts takes, in counts.
const EMPTY: usize = 4;

/// How many lines have these values.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Counted {
    pub(crate) fields: [Option<OwnedValue>; 2],
    pub(crate) ts: Option<i64>,
    pub(crate) times: u64,
}

impl Counted {
    /// An entry that stands for all of them.
    pub(crate) fn entry(&self, needed: &Needed) -> Entry {
        let repeat = Some(i64::try_from(self.times).unwrap_or(i64::MAX));
        let mut entry = Entry { ts: self.ts, repeat, ..Entry::default() };
        for (field, value) in needed.fields.iter().zip(&self.fields) {
            if let Some(field) = field {
                (field.put)(&mut entry, value.clone());
            }
        }
        entry
    }
}

/// The state of a segment, what was searched in it, and what was wanted of that.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    segment: SegmentId,
    /// Lines are only ever taken out, so their number tells one state from all others.
    deleted: u32,
    query: Arc<str>,
    fields: [Option<&'static str>; 2],
    wanted: Wanted,
}

struct Slot {
    counted: Arc<[Counted]>,
    used: u64,
}

impl Slot {
    fn size(&self) -> usize {
        self.counted.len() + EMPTY
    }
}

#[derive(Default)]
struct Slots {
    slots: HashMap<Key, Slot>,
    cells: usize,
    turn: u64,
}

/// Counts of segments, shared by all who ask one store.
#[derive(Default)]
pub struct Ledger {
    slots: Mutex<Slots>,
}

/// The counts of one query.
pub(crate) struct Page<'l> {
    ledger: &'l Ledger,
    query: Arc<str>,
}

impl Ledger {
    /// The page of what is left of a query in a day. `None`: what the query means may change without the segment.
    pub(crate) fn page(&self, within: &Within) -> Option<Page<'_>> {
        let query: Arc<str> = match within {
            Within::All => "".into(),
            Within::Nothing => return None,
            Within::Some(expr) if hangs_on_names(expr) => return None,
            Within::Some(expr) => Query::of(expr.clone()).to_string().into(),
        };
        Some(Page { ledger: self, query })
    }

    fn get(&self, key: &Key) -> Option<Arc<[Counted]>> {
        let mut guard = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        guard.turn += 1;
        let turn = guard.turn;
        let slot = guard.slots.get_mut(key)?;
        slot.used = turn;
        Some(Arc::clone(&slot.counted))
    }

    fn put(&self, key: Key, counted: &Arc<[Counted]>) {
        if counted.len() > CELLS_OF_ONE {
            return;
        }
        let mut guard = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let slots = &mut *guard;
        slots.turn += 1;
        let slot = Slot { counted: Arc::clone(counted), used: slots.turn };
        slots.cells += slot.size();
        if let Some(before) = slots.slots.insert(key, slot) {
            slots.cells -= before.size();
        }
        if slots.cells > CELLS {
            slots.let_go();
        }
    }
}

impl Slots {
    /// Lets go of what was not asked for longest, until there is room for a while.
    fn let_go(&mut self) {
        let mut used: Vec<(u64, usize)> = self.slots.values().map(|slot| (slot.used, slot.size())).collect();
        used.sort_unstable();
        let mut left = self.cells;
        let enough = |(_, size): &(u64, usize)| {
            left -= size;
            left <= CELLS / 4 * 3
        };
        let last = used.iter().position(enough).and_then(|at| used.get(at)).map_or(u64::MAX, |(turn, _)| *turn);
        self.slots.retain(|_, slot| slot.used > last);
        self.cells = self.slots.values().map(Slot::size).sum();
    }
}

impl Page<'_> {
    /// What was counted of a segment, or is counted now.
    pub(crate) fn get_or(
        &self,
        reader: &SegmentReader,
        needed: &Needed,
        count: impl FnOnce() -> Result<Vec<Counted>, DayError>,
    ) -> Result<Arc<[Counted]>, DayError> {
        let key = Key {
            segment: reader.segment_id(),
            deleted: reader.num_deleted_docs(),
            query: Arc::clone(&self.query),
            fields: needed.fields.map(|field| field.map(|field| field.name)),
            wanted: needed.wanted,
        };
        if let Some(counted) = self.ledger.get(&key) {
            return Ok(counted);
        }
        let counted: Arc<[Counted]> = count()?.into();
        self.ledger.put(key, &counted);
        Ok(counted)
    }
}

/// Sources may be called another name tomorrow.
fn hangs_on_names(expr: &Expr) -> bool {
    match expr {
        Expr::All => false,
        Expr::And(parts) | Expr::Or(parts) => parts.iter().any(hangs_on_names),
        Expr::Not(part) => hangs_on_names(part),
        Expr::Term(term) => term.field.name == "source",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(query: usize) -> Key {
        Key {
            segment: SegmentId::generate_random(),
            deleted: 0,
            query: query.to_string().into(),
            fields: [None, None],
            wanted: Wanted::Count,
        }
    }

    fn counted(count: usize) -> Arc<[Counted]> {
        vec![Counted::default(); count].into()
    }

    #[test]
    fn what_was_not_asked_for_longest_goes_first() {
        let ledger = Ledger::default();
        let keys: Vec<Key> = (0..CELLS / 1_000).map(key).collect();
        for key in &keys {
            ledger.put(key.clone(), &counted(1_000));
            assert!(ledger.get(&keys[0]).is_some());
        }
        let last = &keys[keys.len() - 1];
        assert!(ledger.get(&keys[1]).is_none() && ledger.get(last).is_some_and(|counted| counted.len() == 1_000));
        let slots = ledger.slots.lock().unwrap();
        assert!(slots.cells <= CELLS && slots.cells == slots.slots.values().map(Slot::size).sum::<usize>());
    }

    #[test]
    fn what_is_large_is_not_kept() {
        let ledger = Ledger::default();
        let key = key(0);
        ledger.put(key.clone(), &counted(CELLS_OF_ONE + 1));
        assert!(ledger.get(&key).is_none());
        ledger.put(key.clone(), &counted(0));
        ledger.put(key.clone(), &counted(1));
        assert!(ledger.get(&key).is_some_and(|counted| counted.len() == 1));
        assert_eq!(ledger.slots.lock().unwrap().cells, 1 + EMPTY);
    }

    #[test]
    fn names_of_sources_may_change() {
        let present = query::Present { zone: jiff::tz::TimeZone::UTC, now: jiff::Timestamp::UNIX_EPOCH };
        let ledger = Ledger::default();
        for (text, kept) in [("bob", true), ("bob -(class:auth_failed source:mail.log)", false), ("source:*", false)] {
            let expr = Query::parse(text, &present).unwrap().expr().clone();
            assert_eq!(ledger.page(&Within::Some(expr)).is_some(), kept, "{text}");
        }
        assert!(ledger.page(&Within::All).is_some() && ledger.page(&Within::Nothing).is_none());
    }
}
