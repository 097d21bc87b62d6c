//! Lines that name neither a process nor a client, of logs without process ids (mailcow's list): a backend that cannot be reached, and
//! the death it brings.
//!
//! `smtpd` asks for its SASL mechanisms when a client connects or has switched to TLS: the session that dies is one that began just
//! before. Where just one did it is that; otherwise a session of nobody's died, which counts all the same.

use std::collections::VecDeque;

use maillog::Event;

use super::steps::NO_MECHANISMS;
use super::{Sink, Tracer};
use crate::line::Line;
use crate::session::{Key, SessionId};

/// The process that such lines are of. No process id is so great, and no client's hash is without its highest bit.
const NOBODY: u64 = u64::MAX >> 1;
/// How long after its beginning, and after what it says of its backend, such a session dies, in microseconds. Stamps are whole seconds.
const NEAR: i64 = 2_000_000;
/// Sessions that just began, remembered at most.
const NEWCOMERS: usize = 64;

/// Sessions without a process id that began just now, each with its time.
#[derive(Default)]
pub(super) struct Newcomers(VecDeque<(i64, Key)>);

impl Newcomers {
    #[cold]
    pub(super) fn add(&mut self, key: Key, time: i64) {
        self.0.retain(|(then, other)| *other != key && is_near(*then, time));
        if self.0.len() >= NEWCOMERS {
            self.0.pop_front();
        }
        self.0.push_back((time, key));
    }
}

fn is_near(then: i64, now: i64) -> bool {
    now.saturating_sub(then) <= NEAR
}

impl Tracer {
    /// A line of `smtpd` that names no process. Output: the session it belongs to, if it matters.
    #[cold]
    pub(super) fn without_process(&mut self, line: &Line<'_>, sink: &mut impl Sink) -> Option<SessionId> {
        let nobody = self.process_key(line.record, NOBODY);
        let stayed = self.processes.close(nobody).filter(|session| is_near(session.last_time, line.time));
        let row = self.processes.row(nobody);
        match *line.event {
            Event::Backend(trouble) => {
                let mut session = match stayed {
                    Some(session) => session,
                    None => self.begin(nobody, row, line.record, line.id, line.time, sink),
                };
                session.add_trouble(line.id, &trouble);
                session.last_time = line.time;
                let id = SessionId(session.id);
                self.processes.put(row, session);
                Some(id)
            }
            Event::Fatal(words) if words == NO_MECHANISMS => {
                let key = self.only_newcomer(nobody, line.time).unwrap_or(nobody);
                let row = self.processes.row(key);
                let mut session = match self.processes.take(row) {
                    Some(session) => session,
                    None => self.begin(key, row, line.record, line.id, line.time, sink),
                };
                session.trouble.extend(stayed.into_iter().flat_map(|session| session.trouble));
                let id = SessionId(session.id);
                self.died(key, &mut session, line, words, sink);
                self.processes.reuse(session);
                Some(id)
            }
            _ => {
                if let Some(session) = stayed {
                    self.processes.put(row, session);
                }
                None
            }
        }
    }

    /// The one session of the same host and tag that began just now and is still open.
    fn only_newcomer(&mut self, service: Key, now: i64) -> Option<Key> {
        let Self { newcomers, processes, .. } = self;
        let is_of = |key: &Key| (key.host, key.tag) == (service.host, service.tag);
        let near = newcomers.0.iter().filter(|(then, key)| is_of(key) && is_near(*then, now));
        let mut open = near.filter(|(_, key)| processes.get(*key).is_some()).map(|(_, key)| *key);
        let first = open.next();
        first.filter(|_| open.next().is_none())
    }
}

#[cfg(test)]
mod tests {
    use maillog::Record;

    use super::*;
    use crate::attempt::{Attempt, AttemptKind, Login, Refusal, Where};
    use crate::message::Story;
    use crate::tracer::Limits;

    /// The clients of killed sessions, each with the number of its evidence lines.
    #[derive(Default)]
    struct Killed(Vec<(Option<String>, usize)>);

    impl Sink for Killed {
        fn attempt(&mut self, attempt: &Attempt) {
            assert_eq!(attempt.kind, AttemptKind::Killed);
            self.0.push((attempt.at.client_ip.map(|ip| ip.to_string()), attempt.evidence.len()));
        }
        fn login(&mut self, _: &Login) {}
        fn refusal(&mut self, _: &Refusal) {}
        fn message_accepted(&mut self, _: &Where, _: &[u8], _: Option<&[u8]>) {}
        fn story(&mut self, _: &Story) {}
    }

    /// `SECOND TAG MESSAGE` each.
    fn killed(lines: &[&str]) -> Vec<(Option<String>, usize)> {
        let (mut told, mut tracer) = (Killed::default(), Tracer::new(Limits::default()));
        for (id, line) in (0..).zip(lines) {
            let (second, line) = line.split_once(' ').unwrap();
            let line = format!("1795161600.000000 localhost postfix/{line}");
            let record: Record<'_> = maillog::record(line.as_bytes()).unwrap();
            let event = maillog::event(&record).unwrap();
            let time = second.parse::<i64>().unwrap() * 1_000_000;
            let line = Line { id, time, record: &record, event: &event };
            tracer.line(&line, &mut told);
        }
        tracer.finish(&mut told);
        told.0
    }

    #[test]
    fn sessions_die_without_a_process_id() {
        let connect = |second: u32, n: u32| format!("{second} smtpd: connect from unknown[192.0.2.{n}]");
        let trouble =
            "0 smtpd: warning: SASL: Connect to Dovecot auth socket 'inet:dovecot:10001' failed: Connection refused";
        let fatal = "0 smtpd: fatal: no SASL authentication mechanisms";
        let of = |n: u32| Some(format!("192.0.2.{n}"));
        let (one, two) = (connect(0, 1), connect(0, 2));
        // The only one that just began.
        assert_eq!(killed(&[&one, trouble, fatal]), [(of(1), 2)]);
        assert_eq!(killed(&[&one, trouble, fatal, fatal]), [(of(1), 2), (None, 1)]);
        assert_eq!(killed(&[&one, trouble, fatal, &one, trouble, fatal]), [(of(1), 2), (of(1), 2)]);
        assert_eq!(killed(&[&one, "1 smtpd: disconnect from unknown[192.0.2.1] commands=0/0", fatal]), [(None, 1)]);
        // Nobody, or one of two.
        assert_eq!(killed(&[trouble, fatal]), [(None, 2)]);
        assert_eq!(killed(&[&one, &two, trouble, fatal]), [(None, 2)]);
        // Whoever began long before is not meant.
        let late = [
            "9 smtpd: warning: SASL: Connect to Dovecot auth socket 'x' failed: x",
            "9 smtpd: fatal: no SASL authentication mechanisms",
        ];
        assert_eq!(killed(&[&one, trouble, late[0], late[1]]), [(None, 2)]);
        assert_eq!(killed(&[&one, &connect(8, 2), late[0], late[1]]), [(of(2), 2)]);
        // Another service's.
        assert_eq!(
            killed(&[&one, trouble, "0 submission/smtpd: fatal: no SASL authentication mechanisms"]),
            [(None, 1)]
        );
        // With process ids nothing changes.
        assert_eq!(
            killed(&[
                "0 smtpd[7]: connect from unknown[192.0.2.7]",
                &one,
                trouble,
                "0 smtpd[7]: fatal: no SASL authentication mechanisms"
            ]),
            [(of(7), 1)]
        );
    }

    #[test]
    fn other_deaths_are_nobodys() {
        assert_eq!(killed(&["0 smtpd: connect from unknown[192.0.2.1]", "0 smtpd: fatal: watchdog timeout"]), []);
        let many: Vec<String> = (0..500).map(|n| format!("0 smtpd: connect from unknown[198.51.100.{n}]")).collect();
        let mut lines: Vec<&str> = many.iter().map(String::as_str).collect();
        lines.push("1 smtpd: fatal: no SASL authentication mechanisms");
        assert_eq!(killed(&lines), [(None, 1)]);
    }
}
