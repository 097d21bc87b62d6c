//! One message from the moment its text is in the queue: cleanup, queue manager, content filter, deliveries, retries, bounces,
//! and what an admin does to it.
//!
//! Wording: log grammar, part 4 (Postfix `src/cleanup/cleanup_message.c`, `src/qmgr/qmgr_active.c`, `src/global/log_adhoc.c`,
//! `src/postsuper/postsuper.c`).

mod delivery;
mod letter;
mod wording;

use std::rc::Rc;

use crate::log::{HOUR, MINUTE, Micros, SECOND};
use crate::people;
use crate::report::Leaving;
use crate::session::{Command, Session};
use crate::world::{Actor, Client, Daemon, Next, QueueId, Service, World};

pub(crate) use letter::{Header, Hold, Letter};

/// After this long in the queue a message goes back to its sender (`maximal_queue_lifetime`).
const LIFETIME: Micros = 8 * HOUR;

/// A message in the queue.
pub(crate) struct Message {
    host: usize,
    id: QueueId,
    message_id: Rc<str>,
    letter: Letter,
    /// When its text was complete.
    arrived: Micros,
    tries: u32,
    /// A recipient has failed, and the sender does not know yet.
    unreported: bool,
    expired: bool,
    /// A content filter handed it back, or an alias made it of another one.
    copy: bool,
    stage: Stage,
}

enum Stage {
    Cleanup,
    Held(Hold),
    Active,
    Filter,
    Filtered(Box<Session>, QueueId),
    Deliver(usize),
    Settle,
    Delete,
    Remove,
}

impl Message {
    /// Starts the life of a message whose text is complete.
    pub(crate) fn spawn(world: &mut World, host: usize, id: QueueId, letter: Letter) {
        let message_id = new_message_id(world);
        Self::new(world, host, id, letter, message_id).begin(world);
    }

    fn begin(self, world: &mut World) {
        let delay = world.rng.range(5_000, 80_000);
        world.spawn(delay, Box::new(self));
    }

    /// Starts the life of a message that another daemon writes: it is through cleanup before that daemon says so.
    fn begin_written(mut self, world: &mut World) {
        self.cleanup(world);
        let delay = world.rng.range(1_000, 30_000);
        world.spawn(delay, Box::new(self));
    }

    fn new(world: &World, host: usize, id: QueueId, letter: Letter, message_id: Rc<str>) -> Self {
        let arrived = world.now;
        let stage = Stage::Cleanup;
        Self { host, id, message_id, letter, arrived, tries: 0, unreported: false, expired: false, copy: false, stage }
    }

    fn cleanup(&mut self, world: &mut World) -> Next {
        let id = &self.id;
        let pid = world.say(self.host, Daemon::Cleanup, format_args!("{id}: message-id={}", self.message_id));
        let mut check =
            |text: &str| world.log.line(world.now, self.host, Daemon::Cleanup.tag(), pid, format_args!("{id}: {text}"));
        self.stage = Stage::Active;
        match self.letter.header.take() {
            Some(Header::Warning(text)) => {
                check(&text);
                world.ledger.decoy();
            }
            Some(Header::Hold(text, hold)) => {
                check(&text);
                world.ledger.books().put_on_hold();
                return self.hold(world, hold);
            }
            None => {}
        }
        Next::In(world.rng.range(4_000, 60_000))
    }

    fn hold(&mut self, world: &mut World, hold: Hold) -> Next {
        match hold {
            Hold::Released(after) | Hold::Deleted(after) if world.now + after < world.end => {
                self.stage = Stage::Held(hold);
                Next::In(after)
            }
            _ => self.leave(world, Leaving::Held),
        }
    }

    /// The admin has looked at it.
    fn held(&mut self, world: &mut World, hold: Hold) -> Next {
        if let Hold::Deleted(_) = hold {
            return self.delete(world);
        }
        world.say(self.host, Daemon::Postsuper, format_args!("{}: released from hold", self.id));
        world.say(self.host, Daemon::Postsuper, format_args!("Released from hold: 1 message"));
        self.stage = Stage::Active;
        Next::In(world.rng.range(SECOND, 5 * MINUTE))
    }

    fn delete(&mut self, world: &mut World) -> Next {
        world.say(self.host, Daemon::Postsuper, format_args!("{}: removed", self.id));
        world.say(self.host, Daemon::Postsuper, format_args!("Deleted: 1 message"));
        world.retire(self.host, &self.id);
        self.leave(world, Leaving::Deleted)
    }

    fn active(&mut self, world: &mut World) -> Next {
        let Letter { sender, size, recipients, .. } = &self.letter;
        let (id, nrcpt) = (&self.id, recipients.len());
        world.say(
            self.host,
            Daemon::Qmgr,
            format_args!("{id}: from=<{sender}>, size={size}, nrcpt={nrcpt} (queue active)"),
        );
        if self.tries == 0 {
            world.ledger.queued(world.log.last(), *size);
            if !self.copy {
                world.ledger.books().sender(sender);
            }
        }
        self.tries += 1;
        if self.letter.filtered {
            self.stage = Stage::Filter;
            return Next::In(world.rng.range(300_000, 1_500_000));
        }
        self.stage = Stage::Deliver(0);
        Next::In(world.rng.range(20_000, 900_000))
    }

    /// The filter hands the message back under another queue id.
    fn filter(&mut self, world: &mut World) -> Next {
        let localhost = Rc::new(Client {
            text: "localhost[127.0.0.1]".to_owned(),
            ip: Some("127.0.0.1".to_owned()),
            helo: "localhost".to_owned(),
        });
        let mut session = Session::open(world, self.host, Service::Smtp, &localhost);
        session.count(Command::Ehlo, true);
        let next = session.accept_again(world, &self.id);
        let recipients = self.letter.recipients.iter_mut().map(letter::Recipient::hand_over).collect();
        let sender = Rc::clone(&self.letter.sender);
        let again = Letter { sender, recipients, size: self.letter.size + 460, filtered: false, header: None };
        let again = Self::new(world, self.host, Rc::clone(&next), again, Rc::clone(&self.message_id));
        Self { copy: true, ..again }.begin(world);
        self.stage = Stage::Filtered(session, next);
        Next::In(world.rng.range(90_000, 160_000))
    }

    fn filtered(&mut self, world: &mut World, session: Session, next: &str) -> Next {
        session.quit(world);
        let Letter { sender, size, recipients, .. } = &self.letter;
        let id = &self.id;
        let first = recipients.first().map_or("", |r| r.address.as_str());
        let took = (world.now - self.arrived) / 1000;
        let number = world.rng.range(1, 20);
        world.say(self.host, Daemon::Amavis, format_args!(
            "({:05}-{number:02}) Passed CLEAN {{RelayedInbound}}, [127.0.0.1]:10024 <{sender}> -> <{first}>, Queue-ID: {id}, \
             Message-ID: {}, mail_id: {next}, Hits: -0.{number}, size: {size}, queued_as: {next}, {took} ms",
            30_000 + took % 500, self.message_id));
        let mut recipients = std::mem::take(&mut self.letter.recipients);
        for recipient in &mut recipients {
            self.filtered_line(world, recipient, next);
        }
        self.letter.recipients = recipients;
        self.stage = Stage::Remove;
        Next::In(world.rng.range(300, 3_000))
    }

    fn deliver(&mut self, world: &mut World, number: usize) -> Next {
        let Some(recipient) = self.letter.recipients.get(number) else {
            self.stage = Stage::Settle;
            return Next::In(500);
        };
        self.stage = Stage::Deliver(number + 1);
        if recipient.fate.over() {
            return Next::In(0);
        }
        self.try_recipient(world, number);
        let failed = self.letter.recipients.get(number).is_some_and(|r| r.fate == letter::Fate::Failed);
        self.unreported |= failed;
        Next::In(world.rng.range(1_000, 700_000))
    }

    /// All recipients have had their try: done, or again later, or given up.
    fn settle(&mut self, world: &mut World) -> Next {
        if std::mem::take(&mut self.unreported) && !self.letter.sender.is_empty() {
            self.notify(world);
            self.stage = Stage::Settle;
            return Next::In(world.rng.range(300, 4_000));
        }
        if self.expired || self.letter.recipients.iter().all(|r| r.fate.over()) {
            self.stage = Stage::Remove;
            return Next::In(world.rng.range(300, 4_000));
        }
        if world.now - self.arrived > LIFETIME {
            self.expire(world);
            self.stage = Stage::Settle;
            return Next::In(world.rng.range(300, 4_000));
        }
        let wait = ((5 * MINUTE) << self.tries.min(5)).min(66 * MINUTE) + world.rng.below(30 * SECOND);
        if world.now + wait >= world.end {
            return self.leave(world, Leaving::InQueue);
        }
        // Now and then an admin clears the queue.
        self.stage = if world.rng.chance(6) { Stage::Delete } else { Stage::Active };
        Next::In(wait)
    }

    fn expire(&mut self, world: &mut World) {
        let (id, sender) = (&self.id, &self.letter.sender);
        world.say(self.host, Daemon::Qmgr, format_args!("{id}: from=<{sender}>, status=expired, returned to sender"));
        world.ledger.expired();
        for recipient in self.letter.recipients.iter_mut().filter(|r| !r.fate.over()) {
            recipient.last = Some("expired");
        }
        (self.expired, self.unreported) = (true, true);
    }

    fn notify(&self, world: &mut World) {
        let id = world.queue_id(self.host);
        let letter = Letter::notification(world, &self.letter.sender);
        let message_id = new_message_id(world);
        Self::new(world, self.host, id.clone(), letter, message_id).begin_written(world);
        world.ledger.books().notification();
        world.say(self.host, Daemon::Bounce, format_args!("{}: sender non-delivery notification: {id}", self.id));
    }

    fn remove(&self, world: &mut World) -> Next {
        world.say(self.host, Daemon::Qmgr, format_args!("{}: removed", self.id));
        world.ledger.removed();
        world.retire(self.host, &self.id);
        self.leave(world, Leaving::Removed)
    }

    /// Nothing more will be said of it.
    fn leave(&self, world: &mut World, how: Leaving) -> Next {
        let last = self.letter.recipients.iter().filter_map(|recipient| recipient.last);
        world.ledger.leave(how, self.tries > 0, last);
        Next::Done
    }
}

fn new_message_id(world: &mut World) -> Rc<str> {
    let (time, number) = (world.now / 7, world.rng.below(1 << 28));
    format!("<{time:X}.{number:07X}@{}>", people::domain(&mut world.rng)).into()
}

impl Actor for Message {
    fn step(&mut self, world: &mut World) -> Next {
        match std::mem::replace(&mut self.stage, Stage::Remove) {
            Stage::Cleanup => self.cleanup(world),
            Stage::Held(hold) => self.held(world, hold),
            Stage::Active => self.active(world),
            Stage::Filter => self.filter(world),
            Stage::Filtered(session, next) => self.filtered(world, *session, &next),
            Stage::Deliver(number) => self.deliver(world, number),
            Stage::Settle => self.settle(world),
            Stage::Delete => self.delete(world),
            Stage::Remove => self.remove(world),
        }
    }
}
