//! What lies in the time that was asked for.
//!
//! What a line means may hang on those before it: a session's own failures explain its counters, trouble of the backend the failure that
//! follows. So lines before the time asked for are read, too, and only what they tell of themselves is left out.

use std::net::IpAddr;

use input::Line;
use maillog::Event;
use trace::{Attempt, Follow, Login, Message, Refusal, Sink, Story, Tracer, Where};

use crate::reading::{Passing, Reader};
use diagnose::Class;

/// Lines are read from so long before, in microseconds of log time.
pub(crate) const LEAD: i64 = 3_600_000_000;

/// Hands on outcomes from a time on; those before it are none of the reader's.
pub(crate) struct Asked<'r, R> {
    pub(crate) reader: &'r mut R,
    pub(crate) from: i64,
}

impl<R: Sink> Sink for Asked<'_, R> {
    fn attempt(&mut self, attempt: &Attempt) {
        if attempt.at.time >= self.from {
            self.reader.attempt(attempt);
        }
    }

    fn login(&mut self, login: &Login) {
        if login.at.time >= self.from {
            self.reader.login(login);
        }
    }

    fn refusal(&mut self, refusal: &Refusal) {
        if refusal.at.time >= self.from {
            self.reader.refusal(refusal);
        }
    }

    fn message_accepted(&mut self, at: &Where, username: &[u8], queue_id: Option<&[u8]>) {
        if at.time >= self.from {
            self.reader.message_accepted(at, username, queue_id);
        }
    }

    fn came_in(&mut self, time: i64, client: Option<IpAddr>, count: u32) {
        if time >= self.from {
            self.reader.came_in(time, client, count);
        }
    }

    fn message(&mut self, message: &Message) {
        self.reader.message(message);
    }

    fn story(&mut self, story: &Story) {
        if story.at().is_none_or(|at| at.time >= self.from) {
            self.reader.story(story);
        }
    }
}

impl<R: Reader> Reader for Asked<'_, R> {
    const TAKES_NOTES: bool = R::TAKES_NOTES;
    const FOLLOW: Follow = R::FOLLOW;
    const TAKES_SERVER: bool = R::TAKES_SERVER;

    fn before(&mut self, line: &Line<'_>, event: Option<&Event<'_>>) {
        self.reader.before(line, event);
    }

    fn after(&mut self, passing: &Passing<'_>) {
        self.reader.after(passing);
    }

    fn begins(&mut self, source: usize, head: &[u8]) {
        self.reader.begins(source, head);
    }

    fn ends(&mut self, tracer: &Tracer) {
        self.reader.ends(tracer);
    }

    fn noted(&mut self, class: Class, count: u64) {
        self.reader.noted(class, count);
    }
}
