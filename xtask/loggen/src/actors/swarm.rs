//! Many machines that take turns, so that none of them is conspicuous: a distributed, slow attack on a few accounts.

use std::rc::Rc;

use super::guesser::port;
use super::play::{Act, End, Player, Script};
use crate::log::{Micros, SECOND};
use crate::people;
use crate::session::Why;
use crate::world::{Actor, Client, Next, Service, World};

/// The machines and their common list.
pub(crate) struct Swarm {
    host: usize,
    service: Service,
    machines: Vec<Rc<Client>>,
    targets: Vec<(Rc<str>, bool)>,
    mechanism: &'static str,
    turn: usize,
    left: u64,
    pause: Micros,
}

impl Swarm {
    /// Sends out so many machines for so many tries in all, after `delay`.
    pub(crate) fn spawn(world: &mut World, tries: u64, delay: Micros) {
        let host = world.any_host();
        let service = port(world, host);
        let count = (tries / 14).clamp(3, 900);
        let machines = (0..count).map(|_| Rc::new(people::attacker(&mut world.rng))).collect();
        let targets = (0..world.rng.range(4, 60))
            .map(|n| {
                let known = n % 3 != 0;
                let number = world.people.any(&mut world.rng);
                let name = if known {
                    Rc::clone(&world.people.user(number).name)
                } else {
                    people::guess(&mut world.rng).into()
                };
                (name, known)
            })
            .collect();
        let mechanism = if world.rng.chance(750) { "LOGIN" } else { "PLAIN" };
        let left_time = world.end.saturating_sub(world.now);
        let pause = (left_time / 2 / tries.max(1)).clamp(SECOND / 2, 120 * SECOND);
        world.spawn(delay, Box::new(Self { host, service, machines, targets, mechanism, turn: 0, left: tries, pause }));
    }
}

impl Actor for Swarm {
    fn step(&mut self, world: &mut World) -> Next {
        if self.left == 0 || world.over() {
            return Next::Done;
        }
        self.left -= 1;
        self.turn += 1;
        let machine = self.machines.get(self.turn % self.machines.len());
        let target = self.targets.get(world.rng.below(self.targets.len() as u64) as usize);
        if let (Some(client), Some((user, known))) = (machine, target) {
            let why = Why::Credentials { known: *known };
            let fail = Act::Fail { mechanism: self.mechanism, user: Rc::clone(user), why };
            let script = Script {
                host: self.host,
                service: self.service,
                client: Rc::clone(client),
                tls: self.service != Service::Smtp,
                acts: vec![fail],
                end: if world.rng.chance(500) { End::Lost("AUTH") } else { End::Quit },
                patience: 0,
                haste: false,
            };
            Player::spawn(world, 0, script);
        }
        Next::In(world.rng.range(self.pause / 2, self.pause * 3 / 2 + 1))
    }
}
