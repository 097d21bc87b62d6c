//! The authentication backend of a host goes away for some minutes, or stops answering, and comes back.

use crate::log::{MINUTE, Micros};
use crate::world::{Actor, Backend, Next, World};

/// One outage.
pub(crate) struct Outage {
    host: usize,
    kind: Backend,
    lasts: Micros,
    begun: bool,
}

impl Outage {
    /// Lets a host's backend fail after `delay`, for at least so long.
    pub(crate) fn spawn(world: &mut World, delay: Micros, least: Micros) {
        let host = world.any_host();
        let kind = match world.rng.below(4) {
            0 => Backend::Refused,
            1 | 2 => Backend::Missing,
            _ => Backend::Hung,
        };
        let lasts = world.rng.range(2 * MINUTE, 14 * MINUTE).max(least);
        world.spawn(delay, Box::new(Self { host, kind, lasts, begun: false }));
    }

    fn dovecot_says(&self, world: &mut World, text: &str) {
        if world.host(self.host).dovecot && self.kind != Backend::Hung {
            world.dovecot(self.host, format_args!("{text}"));
        }
    }
}

impl Actor for Outage {
    fn step(&mut self, world: &mut World) -> Next {
        if self.begun {
            world.host_mut(self.host).backend = Backend::Up;
            self.dovecot_says(
                world,
                "master: Dovecot v2.3.19.1 (9b53102964) starting up for imap, lmtp, pop3 (core dumps disabled)",
            );
            return Next::Done;
        }
        self.begun = true;
        world.host_mut(self.host).backend = self.kind;
        self.dovecot_says(world, "master: Warning: Killed with signal 15 (by pid=1 uid=0 code=kill)");
        Next::In(self.lasts)
    }
}
