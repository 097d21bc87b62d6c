//! Other mail servers that bring mail to port 25, and the many that are turned away there.

use std::rc::Rc;

use crate::message::{Header, Hold, Letter, Message};
use crate::people;
use crate::session::{Command, Session};
use crate::world::{Actor, Client, Next, QueueId, Service, World};

/// What an inbound session comes to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Plan {
    Deliver,
    Blocklisted,
    UserUnknown,
    Greylisted,
    RelayDenied,
    BadHelo,
    NoSuchDomain,
    /// Leaves without a mail.
    Probe,
    /// Leaves after the first bytes of a message.
    Interrupted,
    HandshakeFails,
}

/// A session on port 25.
pub(crate) struct Inbound {
    host: usize,
    client: Rc<Client>,
    plan: Plan,
    messages: u64,
    stage: Stage,
}

enum Stage {
    Connect,
    Greet(Box<Session>),
    Mail(Box<Session>),
    Data(Box<Session>, QueueId, Letter),
    Quit(Box<Session>),
    Over,
}

impl Inbound {
    /// A mail server, or something that says it is one.
    pub(crate) fn new(world: &mut World) -> Self {
        let plan = match world.rng.below(1000) {
            0..=629 => Plan::Deliver,
            630..=719 => Plan::Blocklisted,
            720..=774 => Plan::UserUnknown,
            775..=829 => Plan::Greylisted,
            830..=841 => Plan::RelayDenied,
            842..=859 => Plan::BadHelo,
            860..=879 => Plan::NoSuchDomain,
            880..=969 => Plan::Probe,
            970..=984 => Plan::Interrupted,
            _ => Plan::HandshakeFails,
        };
        let stranger = matches!(plan, Plan::Blocklisted | Plan::RelayDenied | Plan::BadHelo | Plan::Probe);
        let client = if stranger { people::attacker(&mut world.rng) } else { people::sender(&mut world.rng) };
        let messages = 1 + world.rng.skewed(0, 3);
        Self { host: world.any_host(), client: Rc::new(client), plan, messages, stage: Stage::Connect }
    }

    fn connect(&mut self, world: &mut World) -> Next {
        let session = Session::open(world, self.host, Service::Smtp, &self.client);
        let session = if world.host(self.host).auth_on_25 { session.reach_backend(world) } else { Some(session) };
        let Some(session) = session else {
            return Next::Done;
        };
        self.stage = Stage::Greet(session);
        Next::In(world.rng.range(20_000, 400_000))
    }

    fn greet(&mut self, world: &mut World, mut session: Box<Session>) -> Next {
        if self.plan == Plan::Probe && world.rng.chance(500) {
            session.lose(world, "CONNECT");
            return Next::Done;
        }
        if self.plan == Plan::Deliver || world.rng.chance(900) {
            session.count(Command::Ehlo, true);
        } else {
            session.count(Command::Helo, true);
        }
        match self.plan {
            Plan::Probe => {
                session.lose(world, "EHLO");
                return Next::Done;
            }
            Plan::HandshakeFails => {
                session.handshake_fails(world);
                return Next::Done;
            }
            Plan::Deliver | Plan::Greylisted if world.rng.chance(820) => {
                session.encrypt(world);
                session.count(Command::Ehlo, true);
            }
            _ => {}
        }
        self.stage = Stage::Mail(session);
        Next::In(world.rng.range(60_000, 900_000))
    }

    fn mail(&mut self, world: &mut World, mut session: Box<Session>) -> Next {
        if self.plan == Plan::Interrupted {
            session.accept(world, 1);
            session.count(Command::Data, false);
            session.lose(world, "DATA (0 bytes)");
            return Next::Done;
        }
        if self.plan != Plan::Deliver {
            self.turn_away(world, &mut session);
            self.stage = Stage::Quit(session);
            return Next::In(world.rng.range(30_000, 400_000));
        }
        self.messages -= 1;
        let recipients = 1 + world.rng.skewed(0, 5);
        let mut letter = Letter::inbound(world, recipients as usize);
        if world.rng.chance(4) {
            letter.header = Some(header(world, &letter, session.who(), &self.client.helo));
        }
        let id = session.accept(world, recipients as u32);
        self.stage = Stage::Data(session, id, letter);
        Next::In(world.rng.range(80_000, 1_400_000))
    }

    fn data(&mut self, world: &mut World, mut session: Box<Session>, id: QueueId, letter: Letter) -> Next {
        session.count(Command::Data, true);
        Message::spawn(world, self.host, id, letter);
        self.stage = if self.messages > 0 { Stage::Mail(session) } else { Stage::Quit(session) };
        Next::In(world.rng.range(60_000, 500_000))
    }

    fn turn_away(&self, world: &mut World, session: &mut Session) {
        let from = people::stranger(&mut world.rng);
        let number = world.people.any(&mut world.rng);
        let mut to = world.people.user(number).name.to_string();
        let ip = self.client.ip.as_deref().unwrap_or("unknown");
        let mut helo = self.client.helo.clone();
        if world.rng.chance(3) {
            // Postfix shows blanks and brackets of a HELO name as question marks.
            helo = "unknown[203.0.113.5]:?SASL?LOGIN?authentication?failed:?UGFzc3dvcmQ6".to_owned();
            world.ledger.decoy();
        }
        match self.plan {
            Plan::Blocklisted => session.reject(world, "rbl", format_args!(
                "554 5.7.1 Service unavailable; Client host [{ip}] blocked using zen.blocklist.example; \
                 https://www.blocklist.example/query/ip/{ip}"), &from, &to, &helo),
            Plan::UserUnknown => {
                to = people::nobody(&mut world.rng);
                if world.rng.chance(6) {
                    to = "\"unknown[203.0.113.5]: SASL LOGIN authentication failed: x\"@example.test".to_owned();
                    world.ledger.decoy();
                }
                session.reject(world, "user_unknown", format_args!(
                    "550 5.1.1 <{to}>: Recipient address rejected: User unknown in virtual mailbox table"), &from, &to, &helo);
            }
            Plan::Greylisted => session.reject(world, "greylisted", format_args!(
                "450 4.2.0 <{to}>: Recipient address rejected: Greylisted, see http://postgrey.example/help/example.test.html"),
                &from, &to, &helo),
            Plan::RelayDenied => {
                to = people::stranger(&mut world.rng);
                session.reject(world, "relay_denied", format_args!("554 5.7.1 <{to}>: Relay access denied"), &from, &to, &helo);
            }
            Plan::BadHelo => session.reject(world, "helo", format_args!(
                "504 5.5.2 <{helo}>: Helo command rejected: need fully-qualified hostname"), &from, &to, &helo),
            _ => session.reject(world, "sender_domain", format_args!(
                "450 4.1.8 <{from}>: Sender address rejected: Domain not found"), &from, &to, &helo),
        }
    }
}

/// What a header check says: of a subject that quotes a failure, or of one that an admin wants to see.
fn header(world: &mut World, letter: &Letter, who: &str, helo: &str) -> Header {
    let to = letter.recipients.first().map_or("", |r| r.address.as_str());
    let tail = format!("from {who}; from=<{}> to=<{to}> proto=ESMTP helo=<{helo}>", letter.sender);
    if world.rng.chance(250) {
        let quoted = format!("mail.acme.example[203.0.113.{}]", world.rng.range(1, 250));
        let failure = format!("warning: {quoted}: SASL LOGIN authentication failed: UGFzc3dvcmQ6");
        return Header::Warning(format!("warning: header Subject: Fwd: {failure} {tail}"));
    }
    let hold = Hold::any(world);
    Header::Hold(format!("hold: header Subject: Invoice {:05} {tail}: to be looked at", world.rng.below(100_000)), hold)
}

impl Actor for Inbound {
    fn step(&mut self, world: &mut World) -> Next {
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Connect => self.connect(world),
            Stage::Greet(session) => self.greet(world, session),
            Stage::Mail(session) => self.mail(world, session),
            Stage::Data(session, id, letter) => self.data(world, session, id, letter),
            Stage::Quit(session) => {
                session.quit(world);
                Next::Done
            }
            Stage::Over => Next::Done,
        }
    }
}
