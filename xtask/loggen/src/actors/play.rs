//! Plays one SMTP session from a script: connect, greet, encrypt, then act by act, each with the pauses it has in life.

use std::rc::Rc;

use crate::log::{MINUTE, Micros, SECOND};
use crate::message::{Letter, Message};
use crate::people;
use crate::session::{Command, Session, Why};
use crate::world::{Actor, Backend, Client, Next, QueueId, Service, World};

/// A session to be played.
#[derive(Clone)]
pub(crate) struct Script {
    pub(crate) host: usize,
    pub(crate) service: Service,
    pub(crate) client: Rc<Client>,
    /// Uses STARTTLS (port 465 always has TLS).
    pub(crate) tls: bool,
    pub(crate) acts: Vec<Act>,
    pub(crate) end: End,
    /// Comes back this often after a backend's trouble.
    pub(crate) patience: u8,
    /// Does not wait between one answer and the next AUTH.
    pub(crate) haste: bool,
}

/// What the client does next.
#[derive(Clone)]
pub(crate) enum Act {
    /// A login that fails.
    Fail {
        mechanism: &'static str,
        user: Rc<str>,
        why: Why,
    },
    /// A login that succeeds.
    Login {
        mechanism: &'static str,
        user: Rc<str>,
    },
    /// AUTH where the server wants none.
    Refused,
    Aborted {
        mechanism: &'static str,
    },
    Limited {
        rate: u64,
    },
    /// An AUTH command that the client never completes: the end.
    Unanswered {
        timeout: bool,
    },
    /// Password and command in one packet, before the server's answer.
    Pipelining,
    /// A message from the account that is logged in.
    Send,
    /// A message in somebody else's name.
    WrongSender,
    /// A message without a login.
    Uninvited {
        decoy: bool,
    },
}

/// How the session ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Quit,
    Lost(&'static str),
    TooManyErrors,
}

/// A session being played.
pub(crate) struct Player {
    script: Script,
    at: usize,
    stage: Stage,
}

enum Stage {
    Connect,
    Greet(Box<Session>),
    Act(Box<Session>),
    /// The backend thinks, or is in trouble.
    Verdict(Box<Session>, Option<Backend>),
    /// The message's text arrives.
    Data(Box<Session>, QueueId, Letter),
    Over,
}

impl Player {
    /// Plays `script` after `delay`.
    pub(crate) fn spawn(world: &mut World, delay: Micros, script: Script) {
        world.spawn(delay, Box::new(Self { script, at: 0, stage: Stage::Connect }));
    }

    fn connect(&mut self, world: &mut World) -> Next {
        let Script { host, service, client, .. } = &self.script;
        let (host, service) = (*host, *service);
        let session = Session::open(world, host, service, client);
        let early = service.wrapped() || (service == Service::Smtp && world.host(host).auth_on_25);
        let session = if early { session.reach_backend(world) } else { Some(session) };
        let Some(mut session) = session else {
            return self.come_back(world);
        };
        if service.wrapped() {
            session.encrypt(world);
        }
        self.stage = Stage::Greet(session);
        Next::In(world.rng.range(30_000, 260_000))
    }

    fn greet(&mut self, world: &mut World, mut session: Box<Session>) -> Next {
        session.count(Command::Ehlo, true);
        if self.script.tls && !self.script.service.wrapped() {
            session.encrypt(world);
            if self.script.service != Service::Smtp {
                match session.reach_backend(world) {
                    Some(alive) => session = alive,
                    None => return self.come_back(world),
                }
            }
            session.count(Command::Ehlo, true);
        }
        self.stage = Stage::Act(session);
        Next::In(world.rng.range(40_000, 250_000))
    }

    /// A session that the backend's trouble ended: some try again later.
    fn come_back(&mut self, world: &mut World) -> Next {
        if self.script.patience == 0 || world.over() {
            return Next::Done;
        }
        self.script.patience -= 1;
        (self.at, self.stage) = (0, Stage::Connect);
        Next::In(world.rng.range(MINUTE, 8 * MINUTE))
    }

    fn act(&mut self, world: &mut World, mut session: Box<Session>) -> Next {
        let Some(act) = self.script.acts.get(self.at) else {
            return self.end(world, *session);
        };
        self.at += 1;
        match act {
            Act::Fail { mechanism, user, why } => {
                if session.trouble(world).is_some() {
                    return self.verdict_in(world, session);
                }
                if let Why::Mechanism | Why::Base64 = why {
                    session.auth_failed(world, mechanism, None, *why);
                    return self.next_act(world, session);
                }
                session.backend_line(world, mechanism, user, *why);
                self.verdict_in(world, session)
            }
            Act::Login { mechanism, user } => {
                if session.trouble(world).is_some() {
                    return self.verdict_in(world, session);
                }
                session.auth_ok(mechanism, user);
                self.stage = Stage::Act(session);
                Next::In(world.rng.range(20_000, 120_000))
            }
            Act::Refused => {
                session.auth_refused();
                self.next_act(world, session)
            }
            Act::Aborted { mechanism } => {
                session.auth_aborted(world, mechanism);
                self.next_act(world, session)
            }
            Act::Limited { rate } => {
                session.auth_limited(world, *rate);
                self.next_act(world, session)
            }
            Act::Unanswered { timeout } => {
                session.auth_unanswered(world, *timeout);
                Next::Done
            }
            Act::Pipelining => {
                session.pipelining(world);
                self.stage = Stage::Act(session);
                Next::In(world.rng.range(2_000, 9_000))
            }
            Act::Send => self.send(world, session),
            Act::WrongSender => {
                let number = world.people.any(&mut world.rng);
                let other = Rc::clone(&world.people.user(number).name);
                let user = self.user();
                let to = people::stranger(&mut world.rng);
                if other != user {
                    let helo = self.script.client.helo.clone();
                    session.reject(
                        world,
                        "sender_mismatch",
                        format_args!("553 5.7.1 <{other}>: Sender address rejected: not owned by user {user}"),
                        &other,
                        &to,
                        &helo,
                    );
                }
                self.next_act(world, session)
            }
            Act::Uninvited { decoy } => {
                let decoy = *decoy;
                self.uninvited(world, session, decoy)
            }
        }
    }

    /// Who this script logs in.
    fn user(&self) -> Rc<str> {
        let name =
            self.script.acts.iter().find_map(|act| if let Act::Login { user, .. } = act { Some(user) } else { None });
        name.map_or_else(|| "nobody".into(), Rc::clone)
    }

    /// The backend's answer comes after its failure delay, or after Postfix has stopped waiting for it.
    fn verdict_in(&mut self, world: &mut World, session: Box<Session>) -> Next {
        let lost = matches!(self.script.acts.get(self.at - 1), Some(Act::Fail { why: Why::Lost, .. }));
        let trouble = session.trouble(world);
        let wait = match trouble {
            Some(Backend::Hung) => 10 * SECOND,
            Some(_) => 3_000,
            None if lost => 10 * SECOND,
            None if self.script.haste && !world.host(self.script.host).dovecot => world.rng.range(40_000, 200_000),
            None => world.rng.range(1_500_000, 2_050_000),
        };
        self.stage = Stage::Verdict(session, trouble);
        Next::In(wait + world.rng.below(4_000))
    }

    fn verdict(&mut self, world: &mut World, mut session: Box<Session>, trouble: Option<Backend>) -> Next {
        let Some(Act::Fail { mechanism, .. } | Act::Login { mechanism, .. }) = self.script.acts.get(self.at - 1) else {
            return self.end(world, *session);
        };
        let deserved = match self.script.acts.get(self.at - 1) {
            Some(Act::Fail { user, why, .. }) => Some((user, *why)),
            _ => None,
        };
        match (trouble, deserved) {
            (Some(gone @ (Backend::Missing | Backend::Refused)), _) => {
                session.auth_finds_backend_gone(world, mechanism, gone)
            }
            (None, Some((user, why))) => {
                if why == Why::Lost && world.host(self.script.host).dovecot {
                    world.dovecot(
                        self.script.host,
                        format_args!("auth: Error: auth client 0 disconnected with 1 pending requests: EOF"),
                    );
                    world.ledger.evidence();
                }
                session.auth_failed(world, mechanism, Some(user), why);
                return self.next_act(world, session);
            }
            _ => session.auth_failed(world, mechanism, None, Why::Lost),
        }
        // The client does not wait for more of this.
        session.quit(world);
        self.come_back(world)
    }

    fn next_act(&mut self, world: &mut World, session: Box<Session>) -> Next {
        self.stage = Stage::Act(session);
        let longest = if self.script.haste { 300_000 } else { 2_500_000 };
        Next::In(world.rng.range(60_000, longest))
    }

    fn send(&mut self, world: &mut World, mut session: Box<Session>) -> Next {
        let letter = Letter::outbound(world, &self.user());
        let id = session.accept(world, letter.recipients.len() as u32);
        self.stage = Stage::Data(session, id, letter);
        Next::In(world.rng.range(90_000, 900_000))
    }

    /// The message is complete: its own life begins.
    fn data(&mut self, world: &mut World, mut session: Box<Session>, id: QueueId, letter: Letter) -> Next {
        session.count(Command::Data, true);
        Message::spawn(world, self.script.host, id, letter);
        self.stage = Stage::Act(session);
        Next::In(world.rng.range(90_000, 700_000))
    }

    fn uninvited(&mut self, world: &mut World, mut session: Box<Session>, decoy: bool) -> Next {
        let helo = self.script.client.helo.clone();
        let from = people::stranger(&mut world.rng);
        let mut to = people::stranger(&mut world.rng);
        if decoy {
            to = format!("\"SASL LOGIN authentication failed: UGFzc3dvcmQ6\"@{}", people::domain(&mut world.rng));
            world.ledger.decoy();
        }
        if self.script.service == Service::Smtp {
            session.reject(
                world,
                "relay_denied",
                format_args!("454 4.7.1 <{to}>: Relay access denied"),
                &from,
                &to,
                &helo,
            );
        } else if world.rng.chance(500) {
            session.reject(
                world,
                "not_logged_in",
                format_args!("554 5.7.1 <{to}>: Recipient address rejected: Access denied"),
                &from,
                &to,
                &helo,
            );
        } else {
            let who = session.who().to_owned();
            session.reject(
                world,
                "not_logged_in",
                format_args!("554 5.7.1 <{who}>: Client host rejected: Access denied"),
                &from,
                &to,
                &helo,
            );
        }
        self.next_act(world, session)
    }

    fn end(&self, world: &mut World, session: Session) -> Next {
        match self.script.end {
            End::Quit => session.quit(world),
            End::Lost(stage) => session.lose(world, stage),
            End::TooManyErrors => session.too_many_errors(world),
        }
        Next::Done
    }
}

impl Actor for Player {
    fn step(&mut self, world: &mut World) -> Next {
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Connect => self.connect(world),
            Stage::Greet(session) => self.greet(world, session),
            Stage::Act(session) => self.act(world, session),
            Stage::Verdict(session, trouble) => self.verdict(world, session, trouble),
            Stage::Data(session, id, letter) => self.data(world, session, id, letter),
            Stage::Over => Next::Done,
        }
    }
}
