//! One machine that tries one password on every account, slowly enough to stay below a ban.

use std::rc::Rc;

use super::guesser::port;
use super::play::{Act, End, Player, Script};
use crate::log::{MINUTE, Micros, SECOND};
use crate::people;
use crate::session::Why;
use crate::world::{Actor, Client, Next, Service, World};

/// A spraying machine.
pub(crate) struct Sprayer {
    host: usize,
    service: Service,
    client: Rc<Client>,
    mechanism: &'static str,
    account: usize,
    left: u64,
    capital: bool,
}

impl Sprayer {
    /// Sends out a machine that tries `tries` accounts, after `delay`.
    pub(crate) fn spawn(world: &mut World, tries: u64, delay: Micros) {
        let host = world.any_host();
        let service = port(world, host);
        let client = Rc::new(people::attacker(&mut world.rng));
        let mechanism = if world.rng.chance(600) { "PLAIN" } else { "LOGIN" };
        let account = world.people.any(&mut world.rng);
        // Dovecot turns names into small letters before it refuses them; not every backend does.
        let capital = world.host(host).port_logging && world.rng.chance(300);
        let sprayer = Self { host, service, client, mechanism, account, left: tries, capital };
        world.spawn(delay, Box::new(sprayer));
    }
}

impl Actor for Sprayer {
    fn step(&mut self, world: &mut World) -> Next {
        if self.left == 0 || world.over() {
            return Next::Done;
        }
        self.left -= 1;
        self.account += 1;
        let known = world.rng.chance(850);
        let mut user: Rc<str> = if known {
            Rc::clone(&world.people.user(self.account).name)
        } else {
            people::nobody(&mut world.rng).into()
        };
        if self.capital {
            user = capitalised(&user).into();
        }
        let fail = Act::Fail { mechanism: self.mechanism, user, why: Why::Credentials { known } };
        let script = Script {
            host: self.host,
            service: self.service,
            client: Rc::clone(&self.client),
            tls: self.service != Service::Smtp,
            acts: vec![fail],
            end: if world.rng.chance(300) { End::Lost("AUTH") } else { End::Quit },
            patience: 0,
            haste: false,
        };
        Player::spawn(world, 0, script);
        Next::In(world.rng.range(40 * SECOND, 6 * MINUTE))
    }
}

fn capitalised(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + letters.as_str())
}
