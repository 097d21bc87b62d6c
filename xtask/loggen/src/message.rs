//! One message from the moment its text is in the queue: cleanup, queue manager, content filter, deliveries, retries, bounces.
//!
//! Wording: log grammar, part 4 (Postfix `src/cleanup/cleanup_message.c`, `src/qmgr/qmgr_active.c`, `src/global/log_adhoc.c`).

use std::fmt;
use std::rc::Rc;

use crate::log::{DAY, MINUTE, Micros, SECOND};
use crate::people;
use crate::session::{Command, Session};
use crate::world::{Actor, Client, Daemon, Next, QueueId, Service, World};

/// After this long in the queue a message goes back to its sender.
const LIFETIME: Micros = DAY;

/// What somebody sends.
pub(crate) struct Letter {
    pub(crate) sender: Rc<str>,
    pub(crate) recipients: Vec<Recipient>,
    pub(crate) size: u64,
    /// Goes through the content filter first.
    pub(crate) filtered: bool,
    /// A header line that the header checks warn of, with the words about where it came from.
    pub(crate) header: Option<String>,
}

/// One recipient and what will become of it.
pub(crate) struct Recipient {
    pub(crate) address: String,
    pub(crate) route: Route,
    pub(crate) fate: Fate,
}

/// Where a recipient's mail goes.
#[derive(Clone)]
pub(crate) enum Route {
    /// To a mailbox here.
    Local,
    /// To a server elsewhere, `name[addr]`.
    Remote(Rc<str>),
    /// To the provider's relay, which wants a login of us.
    Relayhost,
}

/// What becomes of a recipient's mail.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Sent,
    Bounced,
    /// Refused by a server whose words quote a failed login.
    BouncedWithDecoy,
    /// Sent after this many deferrals.
    Later(u8),
    /// Deferred until it expires.
    Never,
    /// Our own login at the relay fails this many times, then works.
    NoLogin(u8),
    Done,
    Failed,
}

impl Letter {
    /// Mail from elsewhere to accounts here.
    pub(crate) fn inbound(world: &mut World, recipients: usize) -> Self {
        let sender = if world.rng.chance(40) { String::new() } else { people::stranger(&mut world.rng) };
        let recipients = (0..recipients)
            .map(|_| {
                let number = world.people.any(&mut world.rng);
                let address = world.people.user(number).name.to_string();
                Recipient { address, route: Route::Local, fate: fate(world, 8, 12) }
            })
            .collect();
        let size = world.rng.skewed(1200, 400_000);
        Self { sender: sender.into(), recipients, size, filtered: world.rng.chance(250), header: None }
    }

    /// Mail from an account here to the world, and to colleagues.
    pub(crate) fn outbound(world: &mut World, sender: &Rc<str>) -> Self {
        let count = 1 + world.rng.skewed(0, 7);
        let recipients = (0..count).map(|_| outbound_recipient(world)).collect();
        let size = world.rng.skewed(900, 3_000_000);
        Self { sender: Rc::clone(sender), recipients, size, filtered: world.rng.chance(300), header: None }
    }

    fn notification(world: &mut World, to: &str) -> Self {
        let ours = to.ends_with(".test");
        let route = if ours { Route::Local } else { remote(world, to) };
        let fate = fate(world, 60, 20);
        let recipients = vec![Recipient { address: to.to_owned(), route, fate }];
        Self { sender: "".into(), recipients, size: world.rng.range(2400, 6000), filtered: false, header: None }
    }
}

fn outbound_recipient(world: &mut World) -> Recipient {
    if world.rng.chance(200) {
        let number = world.people.any(&mut world.rng);
        let address = world.people.user(number).name.to_string();
        return Recipient { address, route: Route::Local, fate: Fate::Sent };
    }
    let address = people::stranger(&mut world.rng);
    if world.rng.chance(40) {
        let fate = if world.rng.chance(60) { Fate::NoLogin(world.rng.range(1, 4) as u8) } else { Fate::Sent };
        return Recipient { address, route: Route::Relayhost, fate };
    }
    let route = remote(world, &address);
    let decoy = world.rng.chance(2);
    Recipient { address, route, fate: if decoy { Fate::BouncedWithDecoy } else { fate(world, 18, 45) } }
}

fn remote(world: &mut World, address: &str) -> Route {
    let domain = address.rsplit_once('@').map_or("acme.example", |(_, domain)| domain);
    Route::Remote(people::exchanger(domain, &mut world.rng).into())
}

/// A fate with so many bounces and deferrals in a thousand.
fn fate(world: &mut World, bounced: u64, deferred: u64) -> Fate {
    let roll = world.rng.below(1000);
    if roll < bounced {
        Fate::Bounced
    } else if roll < bounced + deferred {
        if world.rng.chance(30) { Fate::Never } else { Fate::Later(1 + world.rng.skewed(0, 3) as u8) }
    } else {
        Fate::Sent
    }
}

/// A message in the queue.
pub(crate) struct Message {
    host: usize,
    id: QueueId,
    message_id: Rc<str>,
    letter: Letter,
    /// When its text was complete.
    arrived: Micros,
    tries: u32,
    stage: Stage,
}

enum Stage {
    Cleanup,
    Active,
    Filter,
    Filtered(Box<Session>, QueueId),
    Deliver(usize),
    Settle,
    Notify,
    Remove,
}

impl Message {
    /// Starts the life of a message whose text is complete.
    pub(crate) fn spawn(world: &mut World, host: usize, id: QueueId, letter: Letter) {
        let message_id =
            format!("<{:X}.{:07X}@{}>", world.now / 7, world.rng.below(1 << 28), people::domain(&mut world.rng));
        Self::spawn_as(world, host, id, letter, message_id.into());
    }

    fn spawn_as(world: &mut World, host: usize, id: QueueId, letter: Letter, message_id: Rc<str>) {
        let delay = world.rng.range(5_000, 80_000);
        let arrived = world.now;
        let message = Self { host, id, message_id, letter, arrived, tries: 0, stage: Stage::Cleanup };
        world.spawn(delay, Box::new(message));
    }

    fn cleanup(&mut self, world: &mut World) -> Next {
        let id = &self.id;
        let pid = world.say(self.host, Daemon::Cleanup, format_args!("{id}: message-id={}", self.message_id));
        if let Some(header) = self.letter.header.take() {
            world.log.line(world.now, self.host, Daemon::Cleanup.tag(), pid, format_args!("{id}: {header}"));
            world.ledger.decoy();
        }
        self.stage = Stage::Active;
        Next::In(world.rng.range(4_000, 60_000))
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
            world.ledger.queued();
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
        let recipients = self
            .letter
            .recipients
            .iter_mut()
            .map(|r| Recipient {
                address: r.address.clone(),
                route: r.route.clone(),
                fate: std::mem::replace(&mut r.fate, Fate::Done),
            })
            .collect();
        let sender = Rc::clone(&self.letter.sender);
        let again = Letter { sender, recipients, size: self.letter.size + 460, filtered: false, header: None };
        Self::spawn_as(world, self.host, Rc::clone(&next), again, Rc::clone(&self.message_id));
        self.stage = Stage::Filtered(session, next);
        Next::In(world.rng.range(90_000, 160_000))
    }

    fn filtered(&mut self, world: &mut World, session: Session, next: &str) -> Next {
        session.quit(world);
        let Letter { sender, size, recipients, .. } = &self.letter;
        let (id, host) = (&self.id, self.host);
        let first = recipients.first().map_or("", |r| r.address.as_str());
        let took = (world.now - self.arrived) / 1000;
        let number = world.rng.range(1, 20);
        world.say(host, Daemon::Amavis, format_args!(
            "({:05}-{number:02}) Passed CLEAN {{RelayedInbound}}, [127.0.0.1]:10024 <{sender}> -> <{first}>, Queue-ID: {id}, \
             Message-ID: {}, mail_id: {next}, Hits: -0.{number}, size: {size}, queued_as: {next}, {took} ms",
            30_000 + took % 500, self.message_id));
        for recipient in recipients {
            let delays = Delays::of(world, self.arrived, 400);
            world.ledger.delivery("sent");
            world.say(
                host,
                Daemon::Smtp,
                format_args!(
                    "{id}: to=<{}>, relay=127.0.0.1[127.0.0.1]:10024, {delays}, dsn=2.0.0, status=sent (250 2.0.0 from \
                 MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as {next})",
                    recipient.address
                ),
            );
        }
        self.stage = Stage::Remove;
        Next::In(world.rng.range(300, 3_000))
    }

    fn deliver(&mut self, world: &mut World, number: usize) -> Next {
        let Some(recipient) = self.letter.recipients.get_mut(number) else {
            self.stage = Stage::Settle;
            return Next::In(500);
        };
        self.stage = Stage::Deliver(number + 1);
        if matches!(recipient.fate, Fate::Done | Fate::Failed) {
            return Next::In(0);
        }
        recipient.fate = deliver(world, self.host, &self.id, recipient, self.arrived);
        Next::In(world.rng.range(1_000, 700_000))
    }

    /// All recipients have had their try: done, or again later, or given up.
    fn settle(&mut self, world: &mut World) -> Next {
        let open = self.letter.recipients.iter().any(|r| !matches!(r.fate, Fate::Done | Fate::Failed));
        let failed = self.letter.recipients.iter().any(|r| r.fate == Fate::Failed);
        if !open {
            self.stage = if failed && !self.letter.sender.is_empty() { Stage::Notify } else { Stage::Remove };
            return Next::In(world.rng.range(300, 4_000));
        }
        if world.now - self.arrived > LIFETIME {
            let (id, sender) = (&self.id, &self.letter.sender);
            world.say(
                self.host,
                Daemon::Qmgr,
                format_args!("{id}: from=<{sender}>, status=expired, returned to sender"),
            );
            world.ledger.delivery("expired");
            self.stage = if sender.is_empty() { Stage::Remove } else { Stage::Notify };
            return Next::In(world.rng.range(300, 4_000));
        }
        let wait = ((5 * MINUTE) << self.tries.min(5)).min(66 * MINUTE) + world.rng.below(30 * SECOND);
        if world.now + wait >= world.end {
            return Next::Done;
        }
        self.stage = Stage::Active;
        Next::In(wait)
    }

    fn notify(&mut self, world: &mut World) -> Next {
        let sender = Rc::clone(&self.letter.sender);
        let id = world.queue_id(self.host);
        let letter = Letter::notification(world, &sender);
        world.say(self.host, Daemon::Bounce, format_args!("{}: sender non-delivery notification: {id}", self.id));
        Self::spawn(world, self.host, id, letter);
        self.stage = Stage::Remove;
        Next::In(world.rng.range(300, 4_000))
    }
}

impl Actor for Message {
    fn step(&mut self, world: &mut World) -> Next {
        match std::mem::replace(&mut self.stage, Stage::Remove) {
            Stage::Cleanup => self.cleanup(world),
            Stage::Active => self.active(world),
            Stage::Filter => self.filter(world),
            Stage::Filtered(session, next) => self.filtered(world, *session, &next),
            Stage::Deliver(number) => self.deliver(world, number),
            Stage::Settle => self.settle(world),
            Stage::Notify => self.notify(world),
            Stage::Remove => {
                world.say(self.host, Daemon::Qmgr, format_args!("{}: removed", self.id));
                world.ledger.removed();
                Next::Done
            }
        }
    }
}

const REFUSALS: &[&str] = &[
    "550 5.1.1 <{}>: Recipient address rejected: User unknown in virtual mailbox table (in reply to RCPT TO command)",
    "550-5.1.1 The email account that you tried to reach does not exist. 550 5.1.1 Please check the address (in reply to RCPT TO command)",
    "552 5.2.2 <{}>: mailbox full (in reply to RCPT TO command)",
    "554 5.7.1 Message rejected due to content restrictions (in reply to end of DATA command)",
];

/// One try for one recipient: the line, and what is left to happen.
fn deliver(world: &mut World, host: usize, id: &str, recipient: &Recipient, arrived: Micros) -> Fate {
    let to = recipient.address.as_str();
    let (daemon, relay) = match &recipient.route {
        Route::Local => local(world, host),
        Route::Remote(name) => (Daemon::Smtp, name.to_string()),
        Route::Relayhost => (Daemon::Smtp, "smarthost.provider.example[198.18.250.25]".to_owned()),
    };
    let port = if matches!(recipient.route, Route::Local) {
        ""
    } else if matches!(recipient.route, Route::Relayhost) {
        ":587"
    } else {
        ":25"
    };
    let remote = !port.is_empty();
    let slow = if remote { 2_500 } else { 60 };
    let delays = Delays::of(world, arrived, slow);
    let say = |world: &mut World, relay: &str, dsn: &str, status: &'static str, text: fmt::Arguments<'_>| {
        world.ledger.delivery(status);
        world.say(
            host,
            daemon,
            format_args!("{id}: to=<{to}>, relay={relay}{port}, {delays}, dsn={dsn}, status={status} ({text})"),
        );
    };
    match recipient.fate {
        Fate::Sent | Fate::Later(0) | Fate::NoLogin(0) => {
            let number = world.rng.below(1 << 40);
            match daemon {
                Daemon::Smtp => {
                    if world.rng.chance(350) {
                        world.say(host, daemon, format_args!(
                            "Untrusted TLS connection established to {relay}{port}: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)"));
                    }
                    say(world, &relay, "2.0.0", "sent", format_args!("250 2.0.0 Ok: queued as {number:X}"));
                }
                Daemon::Lmtp => {
                    say(world, &relay, "2.0.0", "sent", format_args!("250 2.0.0 <{to}> {number:x}+mZg Saved"))
                }
                Daemon::Virtual => say(world, &relay, "2.0.0", "sent", format_args!("delivered to maildir")),
                Daemon::Pipe => say(world, &relay, "2.0.0", "sent", format_args!("delivered via dovecot service")),
                _ => say(world, &relay, "2.0.0", "sent", format_args!("delivered to mailbox")),
            }
            Fate::Done
        }
        Fate::Bounced if remote => {
            let text = world.rng.pick(REFUSALS).replace("{}", to);
            say(world, &relay, "5.1.1", "bounced", format_args!("host {relay} said: {text}"));
            Fate::Failed
        }
        Fate::Bounced => {
            say(
                world,
                &relay,
                "5.2.2",
                "bounced",
                format_args!("can't create user output file. Quota exceeded (mailbox for user is full)"),
            );
            Fate::Failed
        }
        Fate::BouncedWithDecoy => {
            world.ledger.decoy();
            say(
                world,
                &relay,
                "5.7.1",
                "bounced",
                format_args!(
                    "host {relay} said: 554 5.7.1 forwarding failed, next host said: 535 5.7.8 Error: authentication failed: \
                 UGFzc3dvcmQ6 (in reply to end of DATA command)"
                ),
            );
            Fate::Failed
        }
        Fate::NoLogin(left) => {
            world.ledger.decoy();
            world.ledger.class("relayhost_auth_failed", 1);
            say(
                world,
                &relay,
                "4.7.8",
                "deferred",
                format_args!(
                    "SASL authentication failed; server {relay} said: 535 5.7.8 Error: authentication failed: UGFzc3dvcmQ6"
                ),
            );
            Fate::NoLogin(left - 1)
        }
        fate => {
            if !remote {
                say(world, &relay, "4.2.0", "deferred", format_args!("temporary failure. Command output: lock failed"));
            } else if world.rng.chance(450) {
                say(
                    world,
                    &relay,
                    "4.2.0",
                    "deferred",
                    format_args!(
                        "host {relay} said: 450 4.2.0 <{to}>: Recipient address rejected: Greylisted, try again in 300 seconds \
                     (in reply to RCPT TO command)"
                    ),
                );
            } else {
                world.ledger.delivery("deferred");
                world.say(host, daemon, format_args!(
                    "{id}: to=<{to}>, relay=none, {delays}, dsn=4.4.1, status=deferred (connect to {relay}{port}: Connection timed out)"));
            }
            if let Fate::Later(left) = fate { Fate::Later(left - 1) } else { fate }
        }
    }
}

/// How a host delivers to its own mailboxes.
fn local(world: &mut World, host: usize) -> (Daemon, String) {
    let h = world.host(host);
    if h.dovecot {
        return (Daemon::Lmtp, format!("{}.example.test[private/dovecot-lmtp]", h.name));
    }
    if h.long_ids {
        return (Daemon::Virtual, "virtual".to_owned());
    }
    if world.rng.chance(300) { (Daemon::Pipe, "dovecot".to_owned()) } else { (Daemon::Local, "local".to_owned()) }
}

/// `delay=` and `delays=`, in hundredths of a second.
struct Delays {
    parts: [u64; 4],
}

impl Delays {
    fn of(world: &mut World, arrived: Micros, slow_ms: u64) -> Self {
        let total = (world.now - arrived) / 10_000;
        let (setup, sending) = (world.rng.skewed(0, slow_ms / 20), world.rng.skewed(1, slow_ms / 10 + 2));
        let received = world.rng.range(3, 40).min(total);
        let queued = total.saturating_sub(received + setup + sending);
        Self { parts: [received, queued, setup, sending] }
    }
}

impl fmt::Display for Delays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d] = self.parts;
        f.write_str("delay=")?;
        hundredths(f, a + b + c + d)?;
        for (before, part) in [(", delays=", a), ("/", b), ("/", c), ("/", d)] {
            f.write_str(before)?;
            hundredths(f, part)?;
        }
        Ok(())
    }
}

/// Two digits are significant.
fn hundredths(f: &mut fmt::Formatter<'_>, n: u64) -> fmt::Result {
    match n {
        0 => f.write_str("0"),
        1..=99 if n.is_multiple_of(10) => write!(f, "0.{}", n / 10),
        1..=99 => write!(f, "0.{n:02}"),
        100..=999 if n % 100 < 10 => write!(f, "{}", n / 100),
        100..=999 => write!(f, "{}.{}", n / 100, n % 100 / 10),
        _ => write!(f, "{}", n / 100),
    }
}
