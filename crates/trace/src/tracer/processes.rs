//! The processes that serve sessions, and the session that each has open.
//!
//! A process serves one session after the other, and its lines come in runs: its row stays between sessions, and is found again without
//! a look-up in the table most of the time.

use crate::Map;
use crate::session::{Key, Session};

/// Rows of processes without a session kept at least, before room is made.
const IDLE_ROWS: usize = 8_192;
/// Rows lately asked for, by process number; a power of two.
const LATELY: usize = 256;
/// Sessions kept for their buffers at most.
const SPARE: usize = 1_024;

/// The row of a process; good until the next call of [`Processes::row`].
#[derive(Clone, Copy)]
pub(super) struct Row(u32);

struct Process {
    key: Key,
    session: Option<Box<Session>>,
    /// When its last session began, and how many began at that instant.
    begun: (i64, u64),
}

/// All processes. Bounded by the open sessions, which the tracer bounds: rows without one go when they are too many.
#[derive(Default)]
pub(super) struct Processes {
    rows: Map<Key, u32>,
    processes: Vec<Process>,
    lately: Vec<u32>,
    open: usize,
    #[expect(clippy::vec_box, reason = "they come out of the rows boxed, and go back so")]
    spare: Vec<Box<Session>>,
}

impl Processes {
    /// The row of a process, new if it has none.
    pub(super) fn row(&mut self, key: Key) -> Row {
        if let Some(row) = self.known(key) {
            return Row(row);
        }
        if self.processes.len() >= IDLE_ROWS + 2 * self.open {
            self.forget_idle();
        }
        let new = u32::try_from(self.processes.len()).unwrap_or(u32::MAX);
        self.processes.push(Process { key, session: None, begun: (i64::MIN, 0) });
        self.rows.insert(key, new);
        self.remember(key, new);
        Row(new)
    }

    fn known(&mut self, key: Key) -> Option<u32> {
        let late = self.lately.get(late_slot(key)).copied().filter(|row| self.is(*row, key));
        late.or_else(|| {
            let row = *self.rows.get(&key)?;
            self.remember(key, row);
            Some(row)
        })
    }

    #[inline]
    fn is(&self, row: u32, key: Key) -> bool {
        self.processes.get(row as usize).is_some_and(|process| process.key == key)
    }

    fn remember(&mut self, key: Key, row: u32) {
        self.lately.resize(LATELY, u32::MAX);
        if let Some(slot) = self.lately.get_mut(late_slot(key)) {
            *slot = row;
        }
    }

    /// Rows without a session go. Those of the latest instant, where another session of the same process may begin, stay if they are not
    /// most of them.
    fn forget_idle(&mut self) {
        let latest = self.processes.iter().map(|process| process.begun.0).max().unwrap_or(i64::MIN);
        let is_late = |process: &Process| process.begun.0 == latest;
        let few = self.processes.iter().filter(|process| is_late(process)).count() < IDLE_ROWS / 2;
        self.processes.retain(|process| process.session.is_some() || few && is_late(process));
        self.rows.clear();
        self.lately.clear();
        for (row, process) in (0..).zip(&self.processes) {
            self.rows.insert(process.key, row);
        }
    }

    /// Takes out the open session.
    #[inline]
    pub(super) fn take(&mut self, row: Row) -> Option<Box<Session>> {
        let session = self.processes.get_mut(row.0 as usize)?.session.take()?;
        self.open -= 1;
        Some(session)
    }

    /// Puts it back.
    #[inline]
    pub(super) fn put(&mut self, row: Row, session: Box<Session>) {
        if let Some(process) = self.processes.get_mut(row.0 as usize) {
            process.session = Some(session);
            self.open += 1;
        }
    }

    /// Takes out the open session of a process, if it has one.
    pub(super) fn close(&mut self, key: Key) -> Option<Box<Session>> {
        let row = self.known(key)?;
        self.take(Row(row))
    }

    /// The open session of a process.
    pub(super) fn get(&mut self, key: Key) -> Option<&Session> {
        let row = self.known(key)?;
        self.processes.get(row as usize)?.session.as_deref()
    }

    /// How many sessions of the process began at this instant before this one.
    pub(super) fn begins(&mut self, row: Row, time: i64) -> u64 {
        let Some(process) = self.processes.get_mut(row.0 as usize) else { return 0 };
        let (instant, times) = process.begun;
        let before = if instant == time { times } else { 0 };
        process.begun = (time, before + 1);
        before
    }

    /// A session to be used again, or a new one.
    pub(super) fn fresh(&mut self) -> Box<Session> {
        self.spare.pop().unwrap_or_default()
    }

    /// Takes back one that is over.
    pub(super) fn reuse(&mut self, session: Box<Session>) {
        if self.spare.len() < SPARE {
            self.spare.push(session);
        }
    }

    /// How many sessions are open.
    #[inline]
    pub(super) fn open(&self) -> usize {
        self.open
    }

    /// The open sessions.
    pub(super) fn sessions(&self) -> impl Iterator<Item = &Session> {
        self.processes.iter().filter_map(|process| process.session.as_deref())
    }

    /// The processes whose open session is meant, in the order of its first line: the same in every run.
    pub(super) fn with(&self, meant: impl Fn(&Session) -> bool) -> Vec<Key> {
        let open = self.processes.iter().filter_map(|process| Some((process.session.as_deref()?, process.key)));
        let mut found: Vec<(u64, Key)> =
            open.filter(|(session, _)| meant(session)).map(|(session, key)| (session.first_line, key)).collect();
        found.sort_unstable_by_key(|(first, _)| *first);
        found.into_iter().map(|(_, key)| key).collect()
    }
}

#[inline]
fn late_slot(key: Key) -> usize {
    usize::try_from(key.process % LATELY as u64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(process: u64) -> Key {
        Key { host: 0, tag: 0, process }
    }

    #[test]
    fn sessions_stay_with_their_process() {
        let mut processes = Processes::default();
        for process in 0..100_000 {
            let row = processes.row(key(process));
            assert!(processes.take(row).is_none());
            assert_eq!((processes.begins(row, 1), processes.begins(row, 1), processes.begins(row, 2)), (0, 1, 0));
            if process % 1_000 == 7 {
                let mut session = processes.fresh();
                session.restart(process, process, 0);
                processes.put(row, session);
            }
        }
        assert_eq!((processes.open(), processes.sessions().count()), (100, 100));
        assert!(processes.processes.len() < 100_000 && processes.rows.len() == processes.processes.len());
        assert_eq!(processes.with(|session| session.id < 3_000), [key(7), key(1_007), key(2_007)]);
        assert_eq!(processes.get(key(1_007)).map(|session| session.id), Some(1_007));
        assert_eq!(processes.close(key(1_007)).map(|session| session.id), Some(1_007));
        assert!(processes.get(key(1_007)).is_none() && processes.close(key(8)).is_none());
        assert_eq!(processes.open(), 99);
    }

    #[test]
    fn two_at_the_latest_instant_are_told_apart_though_room_was_made() {
        let mut processes = Processes::default();
        let row = processes.row(key(1));
        assert_eq!(processes.begins(row, 5), 0);
        for process in 2..50_000 {
            let row = processes.row(key(process));
            processes.begins(row, 4);
        }
        let row = processes.row(key(1));
        assert_eq!(processes.begins(row, 5), 1);
    }
}
