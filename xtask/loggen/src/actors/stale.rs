//! A phone or scanner with an old password that asks again and again at the same interval; some are set right in the end.

use std::rc::Rc;

use super::play::{Act, End, Player, Script};
use crate::log::{MINUTE, Micros, SECOND};
use crate::session::Why;
use crate::world::{Actor, Client, Next, Service, World};

/// A device with an old password.
pub(crate) struct Stale {
    host: usize,
    service: Service,
    client: Rc<Client>,
    user: Rc<str>,
    mechanism: &'static str,
    why: Why,
    period: Micros,
    left: u64,
    repaired: bool,
}

impl Stale {
    /// Puts a device in place that will ask `tries` times, after `delay`.
    pub(crate) fn spawn(world: &mut World, tries: u64, delay: Micros) {
        let host = world.any_host();
        let number = world.people.any_of(host, world.host_count(), &mut world.rng);
        let (minutes, at_home, modern) = (world.rng.below(3), world.rng.chance(500), world.rng.chance(120));
        let user = world.people.user(number);
        let client = Rc::clone(if at_home { &user.home } else { &user.phone });
        let period = match minutes {
            0 => 5 * MINUTE,
            1 => 15 * MINUTE,
            _ => 30 * MINUTE,
        };
        let mechanism = if modern { "XOAUTH2" } else { user.mechanism };
        let why = if modern { Why::Token } else { Why::Credentials { known: true } };
        let (service, user) = (user.service, Rc::clone(&user.name));
        let repaired = world.rng.chance(400);
        let device = Self { host, service, client, user, mechanism, why, period, left: tries, repaired };
        world.spawn(delay, Box::new(device));
    }
}

impl Actor for Stale {
    fn step(&mut self, world: &mut World) -> Next {
        if world.over() {
            return Next::Done;
        }
        let (user, mechanism) = (Rc::clone(&self.user), self.mechanism);
        let acts = if self.left > 0 {
            vec![Act::Fail { mechanism, user, why: self.why }]
        } else if self.repaired {
            vec![Act::Login { mechanism, user }, Act::Send]
        } else {
            return Next::Done;
        };
        let script = Script {
            host: self.host,
            service: self.service,
            client: Rc::clone(&self.client),
            tls: true,
            acts,
            end: End::Quit,
            patience: 0,
            haste: false,
        };
        Player::spawn(world, 0, script);
        if self.left == 0 {
            return Next::Done;
        }
        self.left -= 1;
        Next::In(self.period + world.rng.below(2 * SECOND))
    }
}
