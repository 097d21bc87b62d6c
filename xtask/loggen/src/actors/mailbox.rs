//! People who fetch their mail: Dovecot's own logins, which are no submission and must not be counted as one.

use crate::log::SECOND;
use crate::people;
use crate::world::{Actor, Next, World};

/// A login that fails, and what Dovecot says of it when the client has gone.
struct Goodbye {
    host: usize,
    text: String,
}

impl Actor for Goodbye {
    fn step(&mut self, world: &mut World) -> Next {
        world.dovecot(self.host, format_args!("{}", self.text));
        Next::Done
    }
}

/// One visit by IMAP or POP3 to the first host, if it logs them.
pub(crate) struct Visit;

impl Actor for Visit {
    fn step(&mut self, world: &mut World) -> Next {
        visit(world);
        Next::Done
    }
}

fn visit(world: &mut World) {
    let host = 0;
    if !world.host(host).dovecot {
        return;
    }
    let number = world.people.any(&mut world.rng);
    let guessing = world.rng.chance(60);
    let stranger = people::attacker(&mut world.rng);
    let rng = &mut world.rng;
    let protocol = if rng.chance(850) { "imap" } else { "pop3" };
    let session = format!("{:011X}", rng.below(1 << 44));
    let pid = rng.range(2_000, 60_000);
    let user = world.people.user(number);
    let name = std::rc::Rc::clone(&user.name);
    let client = if guessing { &stranger } else { user.home.as_ref() };
    let Some(ip) = client.ip.clone() else { return };
    let tail = format!("user=<{name}>, method=PLAIN, rip={ip}, lip=192.0.2.25");
    if !guessing {
        world.dovecot(host, format_args!("{protocol}-login: Login: {tail}, mpid={pid}, TLS, session=<{session}>"));
        return;
    }
    world.dovecot(host, format_args!("auth: passwd-file({name},{ip},<{session}>): Password mismatch"));
    let text =
        format!("{protocol}-login: Disconnected (auth failed, 1 attempts in 2 secs): {tail}, TLS, session=<{session}>");
    world.spawn(2 * SECOND, Box::new(Goodbye { host, text }));
}
