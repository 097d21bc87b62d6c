//! A page out of a stream: the first so many rows behind a cursor, and the lines around them.
//!
//! Entries go in one by one, in the order in which they stand in their sources; no more of them are kept than the page and
//! its context hold.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use query::Entry;

use crate::place::{Cursor, Place};
use crate::question::{Order, Page, Row, RowsAsked, StoreError};
use crate::{LINES_MAX, ROWS_MAX};

pub(crate) struct Rows {
    asked: RowsAsked,
    page: BTreeMap<Place, Row>,
    /// Something that belongs behind the page was left out.
    more: bool,
    neighbours: HashMap<String, Neighbours>,
}

/// What is near the present line of a source.
#[derive(Default)]
struct Neighbours {
    latest: VecDeque<Arc<Entry>>,
    /// Rows that still want lines behind them, and how many.
    waiting: Vec<(Place, usize)>,
}

/// Whether a page is one that may be asked for.
pub(crate) fn within_bounds(asked: &RowsAsked) -> Result<(), StoreError> {
    let lines = asked.context.saturating_mul(2).saturating_add(1).saturating_mul(asked.limit);
    if asked.limit > ROWS_MAX || lines > LINES_MAX { Err(StoreError::TooManyRows) } else { Ok(()) }
}

impl Rows {
    pub(crate) fn new(asked: &RowsAsked) -> Result<Self, StoreError> {
        within_bounds(asked)?;
        Ok(Self { asked: asked.clone(), page: BTreeMap::new(), more: false, neighbours: HashMap::new() })
    }

    pub(crate) fn take(&mut self, entry: &Entry, meant: bool) {
        if self.asked.context == 0 {
            if let Some(place) = Some(entry).filter(|_| meant).map(Place::of).filter(|place| self.wants(place)) {
                self.insert(place, Row { entry: Arc::new(entry.clone()), before: Vec::new(), after: Vec::new() });
            }
            return;
        }
        let entry = Arc::new(entry.clone());
        let source = entry.source.clone().unwrap_or_default();
        let mut near = self.neighbours.remove(&source).unwrap_or_default();
        near.waiting.retain_mut(|(place, left)| {
            let Some(row) = self.page.get_mut(place) else { return false };
            row.after.push(Arc::clone(&entry));
            *left -= 1;
            *left > 0
        });
        if meant {
            let place = Place::of(&entry);
            if self.wants(&place) {
                let before = near.latest.iter().cloned().collect();
                near.waiting.push((place.clone(), self.asked.context));
                self.insert(place, Row { entry: Arc::clone(&entry), before, after: Vec::new() });
            }
        }
        near.latest.push_back(entry);
        if near.latest.len() > self.asked.context {
            near.latest.pop_front();
        }
        self.neighbours.insert(source, near);
    }

    /// Whether the page may hold it, as far as is known by now.
    fn wants(&mut self, place: &Place) -> bool {
        let comes_before = |a: &Place, b: &Place| match self.asked.order {
            Order::Newest => a > b,
            Order::Oldest => a < b,
        };
        if self.asked.after.as_ref().is_some_and(|Cursor(last)| !comes_before(last, place)) {
            return false;
        }
        let last = match self.asked.order {
            Order::Newest => self.page.first_key_value(),
            Order::Oldest => self.page.last_key_value(),
        };
        let full = self.page.len() >= self.asked.limit && last.is_none_or(|(last, _)| !comes_before(place, last));
        self.more |= full;
        !full
    }

    fn insert(&mut self, place: Place, row: Row) {
        self.page.insert(place, row);
        if self.page.len() > self.asked.limit {
            self.more = true;
            match self.asked.order {
                Order::Newest => self.page.pop_first(),
                Order::Oldest => self.page.pop_last(),
            };
        }
    }

    pub(crate) fn finish(self) -> Page {
        let mut rows: Vec<Row> = self.page.into_values().collect();
        if self.asked.order == Order::Newest {
            rows.reverse();
        }
        let next = rows.last().filter(|_| self.more).map(|row| Cursor(Place::of(&row.entry)));
        Page { rows, next }
    }
}
