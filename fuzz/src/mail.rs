//! What a tracer tells of all mail.

use std::collections::HashSet;

use maillog::Event;
use trace::{Attempt, Fate, Follow, Limits, Line, Login, Message, Refusal, Sink, Story, Tracer, Where};

/// Messages told, and what they were told from.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Mail {
    told: Vec<(u64, usize, Option<u64>)>,
    tries: u64,
    delivery_lines: u64,
    queue_lines: u64,
}

impl Mail {
    fn take(&mut self, message: &Message) {
        self.tries += message.recipients().map(|recipient| u64::from(recipient.tries)).sum::<u64>();
        self.told.push((message.number, message.recipients().len(), message.parent.map(|link| link.message)));
        assert!(!message.queue_id().is_empty(), "a message without queue id");
    }

    /// Each message is told once, with no more attempts than lines tell of, and none is its own ancestor.
    pub fn check(&self) {
        let numbers: HashSet<u64> = self.told.iter().map(|(number, ..)| *number).collect();
        assert_eq!(numbers.len(), self.told.len(), "a message told twice: {self:?}");
        assert!(self.told.len() as u64 <= 2 * self.queue_lines, "more messages than lines: {self:?}");
        assert!(self.tries <= self.delivery_lines, "more attempts than lines: {self:?}");
    }
}

impl Sink for Mail {
    fn attempt(&mut self, _: &Attempt) {}
    fn login(&mut self, _: &Login) {}
    fn refusal(&mut self, _: &Refusal) {}
    fn message_accepted(&mut self, _: &Where, _: &[u8], _: Option<&[u8]>) {}

    fn story(&mut self, story: &Story) {
        assert!(story.first().is_some(), "a story of nothing");
        for message in story.messages() {
            self.take(message);
            let mut above = message.parent;
            for _ in story.messages() {
                above = above.and_then(|link| story.message(link.message)).and_then(|parent| parent.parent);
            }
            assert!(above.is_none(), "a message that descends from itself");
        }
        let fates = story.fates();
        let count = |fate: Fate| story.count(fate);
        let all = [Fate::Sent, Fate::Deferred, Fate::Bounced, Fate::Expired, Fate::HandedOn];
        assert_eq!(all.into_iter().map(count).sum::<usize>(), fates.len());
    }
}

/// Plays lines to a tracer of small limits that follows all mail.
pub fn mail<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Mail {
    let mut mail = Mail::default();
    let limits = Limits { sessions: 8, messages: 4, message_bytes: 1 << 14, names: 16, held: 8 };
    let mut tracer = Tracer::following(Follow::Stories { detail: true }, limits);
    for (line, id) in lines.zip(1u64..) {
        let Some(record) = maillog::record(line) else { continue };
        let Some(event) = maillog::event(&record) else { continue };
        let time = match record.stamp {
            maillog::Stamp::Instant(micros) => micros,
            maillog::Stamp::Wall(_) => i64::try_from(id).unwrap_or(0) * 100_000,
        };
        mail.queue_lines += 1;
        mail.delivery_lines += u64::from(matches!(event, Event::Delivery(_)));
        tracer.line(&Line { id, time, record: &record, event: &event }, &mut mail);
    }
    tracer.finish(&mut mail);
    mail
}
