//! One machine that tries many passwords, on one account or through a list of names.

use std::rc::Rc;

use super::play::{Act, End, Player, Script};
use crate::log::{HOUR, Micros, SECOND};
use crate::people;
use crate::session::Why;
use crate::world::{Actor, Client, Next, Service, World};

/// A guessing machine.
pub(crate) struct Guesser {
    host: usize,
    service: Service,
    client: Rc<Client>,
    mechanism: &'static str,
    /// The account it is after; without one it goes through names.
    target: Option<Rc<str>>,
    left: u64,
    per_session: u64,
    pause: Micros,
    haste: bool,
    /// Waits for no answer, and so meets the backend's penalty.
    penalised: bool,
    /// Finds a password in the end.
    lucky: Option<usize>,
    tried: u64,
}

impl Guesser {
    /// Sends out a machine that tries `tries` times, after `delay`.
    pub(crate) fn spawn(world: &mut World, tries: u64, delay: Micros) {
        let host = world.any_host();
        let service = port(world, host);
        let vanished = world.rng.chance(20) && !world.host(host).dovecot;
        let client = if vanished { people::vanished() } else { people::attacker(&mut world.rng) };
        let rng = &mut world.rng;
        let number = world.people.any(rng);
        let target = rng.chance(300).then(|| Rc::clone(&world.people.user(number).name));
        let mechanism =
            *rng.pick(&[&"LOGIN", &"LOGIN", &"LOGIN", &"LOGIN", &"LOGIN", &"PLAIN", &"PLAIN", &"login", &"CRAM-MD5"]);
        let haste = rng.chance(400);
        let per_session = match rng.below(20) {
            0 => 20,
            1..=11 if haste => rng.range(3, 12),
            1..=4 => rng.range(2, 6),
            _ => 1,
        };
        let pause = if haste { rng.range(SECOND / 2, 3 * SECOND) } else { rng.range(4 * SECOND, 90 * SECOND) };
        let lucky =
            (rng.chance(25) && !vanished).then(|| world.people.any_of(host, world.host_count(), &mut world.rng));
        let penalised = world.host(host).dovecot && world.rng.chance(150);
        let client = Rc::new(client);
        let left = tries;
        let guesser = Self {
            host,
            service,
            client,
            mechanism,
            target,
            left,
            per_session,
            pause,
            haste,
            penalised,
            lucky,
            tried: 0,
        };
        world.spawn(delay, Box::new(guesser));
    }

    /// Sends out a machine that tries as fast as it can, twenty times in a session, on one account: where no Dovecot lines come
    /// between, its failures stand together and get folded.
    pub(crate) fn hammer(world: &mut World, tries: u64, delay: Micros) {
        let others = world.host_count() as u64 - 1;
        let host = if others == 0 { 0 } else { 1 + world.rng.below(others) as usize };
        let (service, number) = (port(world, host), world.people.any(&mut world.rng));
        let client = Rc::new(people::attacker(&mut world.rng));
        let guesser = Self {
            host,
            service,
            client,
            mechanism: "LOGIN",
            target: Some(Rc::clone(&world.people.user(number).name)),
            left: tries,
            per_session: 20,
            pause: 2 * SECOND,
            haste: true,
            penalised: false,
            lucky: None,
            tried: 0,
        };
        world.spawn(delay, Box::new(guesser));
    }

    fn attempt(&mut self, world: &mut World) -> Act {
        self.tried += 1;
        let (user, known) = match &self.target {
            Some(name) => (Rc::clone(name), true),
            None => (people::guess(&mut world.rng).into(), false),
        };
        let mechanism = self.mechanism;
        let why = if self.penalised && self.tried > 3 {
            Why::Lost
        } else if mechanism == "CRAM-MD5" && known {
            Why::Scheme
        } else {
            Why::Credentials { known }
        };
        Act::Fail { mechanism, user, why }
    }
}

/// Where attackers knock on this host: port 25 where it offers AUTH, else the submission ports.
pub(crate) fn port(world: &mut World, host: usize) -> Service {
    let h = world.host(host);
    let (open, wrapped) = (h.auth_on_25, h.wrapped());
    match world.rng.below(10) {
        0..=5 if open => Service::Smtp,
        0 | 1 => wrapped,
        _ => Service::Submission,
    }
}

impl Actor for Guesser {
    fn step(&mut self, world: &mut World) -> Next {
        if self.left == 0 || world.over() {
            if let (Some(number), false) = (self.lucky, world.over()) {
                intrude(world, self, number);
            }
            return Next::Done;
        }
        let many = self.per_session.min(self.left);
        self.left -= many;
        let acts: Vec<Act> = (0..many).map(|_| self.attempt(world)).collect();
        let end = match world.rng.below(10) {
            _ if many >= 20 => End::TooManyErrors,
            0..=4 => End::Lost("AUTH"),
            _ => End::Quit,
        };
        let tls = self.service != Service::Smtp;
        let script = Script {
            host: self.host,
            service: self.service,
            client: Rc::clone(&self.client),
            tls,
            acts,
            end,
            patience: 0,
            haste: self.haste,
        };
        let busy = if self.penalised { 13 * SECOND * many } else { (4 * SECOND + self.pause / 4) * many };
        Player::spawn(world, 0, script);
        let pause = if world.rng.chance(4) { world.rng.range(HOUR / 4, HOUR) } else { self.pause };
        Next::In(busy + world.rng.range(pause / 2, pause * 3 / 2))
    }
}

/// The password was right at last: the machine sends.
fn intrude(world: &mut World, guesser: &Guesser, number: usize) {
    let user = Rc::clone(&world.people.user(number).name);
    let login = Act::Login { mechanism: "LOGIN", user };
    for n in 0..world.rng.range(2, 12) {
        let mut acts = vec![login.clone()];
        acts.extend((0..world.rng.range(1, 9)).map(|_| Act::Send));
        let script = Script {
            host: guesser.host,
            service: guesser.service,
            client: Rc::clone(&guesser.client),
            tls: guesser.service != Service::Smtp,
            acts,
            end: End::Quit,
            patience: 0,
            haste: true,
        };
        Player::spawn(world, (20 + n * 45) * SECOND, script);
    }
}
