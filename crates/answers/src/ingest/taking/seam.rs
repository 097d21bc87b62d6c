//! The last minute of each source in the store: made anew with what follows, in whatever source that stands.

use std::collections::VecDeque;

use query::Entry;

use super::{Source, Taking};
use crate::stream::{Carried, WAIT};

impl Source {
    /// When its last minute in the store begins; `None`: nothing of it is there.
    pub(super) fn seam_from(&self) -> Option<i64> {
        self.latest.map(|latest| latest.saturating_sub(WAIT))
    }
}

impl Taking {
    /// What stands in two logs is in under one of them, and goes with its last minute: logs that end together are taken to end where
    /// the first of them ends, so that what one loses the other brings.
    pub(super) fn align(&mut self) {
        // One that comes in anew ends nowhere yet.
        let stays = |source: &&Source| !self.anew.contains(&source.number);
        let latest = || self.sources.values().filter(stays).filter_map(|source| source.latest);
        let Some(last) = latest().max() else { return };
        let is_near = |time: &i64| last.saturating_sub(*time) <= WAIT;
        let common = latest().filter(is_near).min();
        for source in self.sources.values_mut().filter(|source| !self.anew.contains(&source.number)) {
            source.ends_last = source.latest.as_ref().is_some_and(is_near);
            if source.ends_last {
                source.latest = common.or(source.latest);
            }
        }
    }

    /// Takes a whole source out, to come in anew.
    pub(super) fn take_back(&mut self, number: u64) {
        let rewound = self.writer.rewind(number, 1);
        self.note(rewound);
    }

    /// Sources of which nothing came again: all their lines stand in others, too. Output: all that were read.
    pub(in crate::ingest) fn take_back_copies(&mut self) -> Vec<u64> {
        let read: Vec<u64> = self.sources.values().map(|source| source.number).collect();
        for number in &read {
            if self.anew.remove(number) {
                self.take_back(*number);
            }
        }
        read
    }

    /// A new line may tell of the last minute of other sources, too: a log that was rotated, another log of the same server.
    pub(super) fn tells_from(&mut self, number: u64, time: Option<i64>) {
        let Some(source) = self.source_of(number).filter(|source| !source.rewound) else { return };
        let from = source.latest.into_iter().chain(time).min().unwrap_or(i64::MIN).saturating_sub(WAIT);
        if self.told_from.is_none_or(|told| from < told) {
            self.told_from = Some(from);
            let others: Vec<u64> =
                self.sources.values().map(|source| source.number).filter(|other| *other != number).collect();
            others.into_iter().for_each(|other| self.make_good_if_told(other));
        }
    }

    /// What waits of a source takes the place of what is in the store, if new lines may have told of it.
    pub(super) fn make_good_if_told(&mut self, number: u64) {
        let told = self.told_from;
        let Some(source) = self.source_of(number).filter(|source| !source.rewound) else { return };
        let is_told = source.latest.zip(told).is_some_and(|(latest, told)| latest >= told);
        if !is_told {
            return;
        }
        let has_seam = !source.seam.is_empty();
        if has_seam || self.first_held(number).is_some() {
            self.make_good(number, None);
        }
    }

    /// The first line of a source's last minute that is kept under it, whichever log brings that line now: of lines that stand in two
    /// logs, the one may be kept under this source and come out of the other. `None` where what goes may not all come again.
    fn first_held(&mut self, number: u64) -> Option<u64> {
        if self.sources.len() < 2 {
            return None;
        }
        let source = self.source_of(number).filter(|source| source.ends_last && source.seam_is_whole)?;
        let from = source.seam_from()?;
        self.writer.first_since(number, from).unwrap_or_else(|error| {
            self.note(Err(error));
            None
        })
    }

    /// What of a source's last minute waits takes the place of what is in the store. So does the first line that is not in, `new`, of which
    /// the beginning may have been taken for the whole.
    pub(super) fn make_good(&mut self, number: u64, new: Option<u64>) {
        let Some(source) = self.source_of(number) else { return };
        let seam = std::mem::take(&mut source.seam);
        if std::mem::replace(&mut source.rewound, true) {
            return;
        }
        let held = self.first_held(number);
        let seam = if held.is_some() || self.brings_all(number, &seam) { seam } else { VecDeque::new() };
        let waits = seam.front().map(|(_, first)| first.line);
        let Some(from) = waits.into_iter().chain(held).chain(new).min() else { return };
        let rewound = self.writer.rewind(number, from);
        self.note(rewound);
        // They are new to the store only in what is known of them.
        let new = self.new;
        seam.iter().for_each(|(entry, carried)| self.add(entry, carried));
        self.new = new;
    }

    /// Whether all that is kept of a source's seam came out of the source again: what came out of another log would be lost with it.
    fn brings_all(&mut self, number: u64, seam: &VecDeque<(Box<Entry>, Carried)>) -> bool {
        let (Some((_, first)), Some((_, last))) = (seam.front(), seam.back()) else { return true };
        if self.sources.len() < 2 {
            return true;
        }
        let came = seam.iter().filter(|(_, carried)| !carried.twin).count() as u64;
        self.writer.count(number, first.line..=last.line).is_ok_and(|kept| kept <= came)
    }
}
