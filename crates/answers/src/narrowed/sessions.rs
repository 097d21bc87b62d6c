//! The lines of SMTP sessions.
//!
//! Lines that were picked go in; all lines of their sessions are picked, and what decides how a session is called and where it ends.

use std::collections::{BTreeMap, BTreeSet};

use query::{Entry, Query};
use store::index::{Date, Kept, Pick};

use super::parts::{add_first, all, any, during, missing, number, word};

/// Sessions asked for in one go.
const AT_ONCE: usize = 500;
/// Sessions whose end is looked for at most.
const OPEN_MAX: usize = 200;
const SECOND_US: i64 = 1_000_000;
/// How long before a session's death without a process id lines of no process may tell why, and some.
const LAST_WORDS_US: i64 = 3 * SECOND_US;

/// Sessions that are wanted, by the days in which they were seen.
#[derive(Default)]
pub(super) struct Sessions {
    wanted: BTreeMap<Date, BTreeSet<String>>,
    /// Sessions that do not have the name that the first one of a process at an instant has: process and time.
    further: BTreeSet<(i64, i64)>,
    /// Those whose end was not seen: their last line's time, process, host and tag.
    open: BTreeMap<String, Last>,
    ended: BTreeSet<String>,
    /// Deaths of sessions without a process id: time, host and tag.
    nameless: BTreeSet<(i64, String, String)>,
}

/// Where a session was last seen.
struct Last {
    ts: i64,
    pid: i64,
    host: String,
    tag: String,
}

impl Sessions {
    /// A line whose session is wanted.
    pub(super) fn see(&mut self, entry: &Entry, kept: &Kept) {
        let (Some(session), Some(ts)) = (&entry.session, entry.ts) else { return };
        self.see_end(entry, session, ts);
        // A session may go past midnight.
        let day = Date::of(ts);
        if !self.wanted.entry(day).or_default().insert(session.clone()) {
            return;
        }
        let first = kept.record(ts).and_then(|record| trace::first_session_at(&record, ts));
        let is_start = entry.event.as_deref() == Some("connect");
        if is_start
            && ts % SECOND_US == 0
            && first.is_some_and(|first| first.to_string() != *session)
            && let Some(pid) = entry.pid
        {
            self.further.insert((pid, ts));
        }
    }

    fn see_end(&mut self, entry: &Entry, session: &str, ts: i64) {
        if matches!(entry.event.as_deref(), Some("disconnect" | "fatal")) {
            self.ended.insert(session.to_owned());
            self.open.remove(session);
            if let (None, Some(host), Some(tag)) = (entry.pid, &entry.host, &entry.tag)
                && entry.event.as_deref() == Some("fatal")
            {
                self.nameless.insert((ts, host.clone(), tag.clone()));
            }
        } else if let (Some(pid), Some(host), Some(tag)) = (entry.pid, &entry.host, &entry.tag)
            && !self.ended.contains(session)
        {
            let known = self.open.get(session).map_or(i64::MIN, |last| last.ts);
            let last = Last { ts: ts.max(known), pid, host: host.clone(), tag: tag.clone() };
            self.open.insert(session.to_owned(), last);
        }
    }

    /// Picks all lines of them, and tells of those that were not picked before.
    pub(super) fn pick(mut self, pick: &mut Pick<'_>, mut seen: impl FnMut(&Entry, &Kept)) {
        for (day, sessions) in std::mem::take(&mut self.wanted) {
            let sessions: Vec<String> = sessions.into_iter().collect();
            for part in sessions.chunks(AT_ONCE) {
                let query = Query::of(any(part.iter().map(|session| word("session", session)).collect()));
                let near = |date: Date| date.start().abs_diff(day.start()) <= 86_400_000_000;
                pick.add_within(&query, near, |entry, kept| {
                    self.see(entry, kept);
                    seen(entry, kept);
                });
            }
        }
        // A session without an end lasts until its process begins the next one.
        for last in self.open.values().take(OPEN_MAX) {
            let of_process = vec![number("pid", last.pid), word("host", &last.host), word("tag", &last.tag)];
            let later = Query::of(during(last.ts.saturating_add(1), i64::MAX));
            add_first(pick, &Query::of(all(of_process)).and(later));
        }
        for (ts, host, tag) in &self.nameless {
            let near = during(ts.saturating_sub(LAST_WORDS_US), *ts);
            let of_service = vec![near, word("host", host), word("tag", tag), missing("pid")];
            pick.add(&Query::of(all(of_service)), |_, _| ());
        }
        for (pid, ts) in self.further {
            pick.add(&Query::of(all(vec![during(ts, ts), number("pid", pid)])), |_, _| ());
        }
    }
}
