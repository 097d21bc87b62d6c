//! Lines that belong to no session and no message: `postscreen` and its helpers, `anvil`, `scache`, the master.

use crate::log::{Micros, SECOND};
use crate::people;
use crate::world::{Actor, Daemon, Next, World};

/// A client that `postscreen` keeps out.
pub(crate) struct Screened {
    host: usize,
    ip: String,
    port: u64,
    rank: u64,
    stage: u8,
}

impl Screened {
    /// A client of a host that has `postscreen`, if there is one.
    pub(crate) fn new(world: &mut World) -> Option<Self> {
        let host = 1;
        if world.host_count() < 2 || !world.host(host).postscreen {
            return None;
        }
        let ip = people::attacker(&mut world.rng).ip?;
        let (port, rank) = (world.rng.range(1025, 65_535), world.rng.range(2, 11));
        Some(Self { host, ip, port, rank, stage: 0 })
    }
}

impl Actor for Screened {
    fn step(&mut self, world: &mut World) -> Next {
        let Self { host, ip, port, rank, stage } = self;
        let host = *host;
        *stage += 1;
        let postscreen = Daemon::Postscreen;
        match *stage {
            1 => {
                world.say(host, postscreen, format_args!("CONNECT from [{ip}]:{port} to [192.0.2.26]:25"));
                Next::In(world.rng.range(20_000, 300_000))
            }
            2 => {
                for list in 0..(*rank).min(3) {
                    world.say(
                        host,
                        Daemon::Dnsblog,
                        format_args!("addr {ip} listed by domain bl{list}.blocklist.example as 127.0.0.{}", list + 2),
                    );
                }
                if world.rng.chance(200) {
                    world.say(
                        host,
                        postscreen,
                        format_args!("PREGREET 14 after 0.07 from [{ip}]:{port}: EHLO User\\r\\n"),
                    );
                }
                Next::In(world.rng.range(5 * SECOND, 6 * SECOND))
            }
            3 => {
                world.say(host, postscreen, format_args!("DNSBL rank {rank} for [{ip}]:{port}"));
                Next::In(world.rng.range(200_000, 2 * SECOND))
            }
            4 if world.rng.chance(600) => {
                let (from, number) = (people::stranger(&mut world.rng), world.people.any(&mut world.rng));
                let to = std::rc::Rc::clone(&world.people.user(number).name);
                world.say(host, postscreen, format_args!(
                    "NOQUEUE: reject: RCPT from [{ip}]:{port}: 550 5.7.1 Service unavailable; client [{ip}] blocked using \
                     zen.blocklist.example; from=<{from}>, to=<{to}>, proto=ESMTP, helo=<User>"));
                world.ledger.reject("postscreen");
                Next::In(world.rng.range(20_000, 300_000))
            }
            4 => {
                world.say(
                    host,
                    postscreen,
                    format_args!("HANGUP after 0.6 from [{ip}]:{port} in tests after SMTP handshake"),
                );
                Next::In(world.rng.range(300, 3_000))
            }
            _ => {
                world.say(host, postscreen, format_args!("DISCONNECT [{ip}]:{port}"));
                Next::Done
            }
        }
    }
}

/// The statistics that a host writes from time to time.
pub(crate) struct Statistics {
    pub(crate) host: usize,
    pub(crate) every: Micros,
}

impl Actor for Statistics {
    fn step(&mut self, world: &mut World) -> Next {
        if world.over() {
            return Next::Done;
        }
        let host = self.host;
        let at = jiff::Timestamp::from_microsecond((world.now - 47 * SECOND) as i64)
            .unwrap_or_default()
            .strftime("%b %e %H:%M:%S");
        let client = people::attacker(&mut world.rng);
        let ip = client.ip.as_deref().unwrap_or("unknown");
        let (rate, size) = (world.rng.range(2, 30), world.rng.range(2, 40));
        let anvil = Daemon::Anvil;
        world.say(host, anvil, format_args!("statistics: max connection rate {rate}/60s for (smtp:{ip}) at {at}"));
        world.say(
            host,
            anvil,
            format_args!("statistics: max connection count {} for (smtp:{ip}) at {at}", 1 + rate / 9),
        );
        if world.rng.chance(300) {
            world.say(host, anvil, format_args!("statistics: max auth rate {rate}/60s for (submission:{ip}) at {at}"));
        }
        world.say(host, anvil, format_args!("statistics: max cache size {size} at {at}"));
        if world.rng.chance(500) {
            world.say(host, Daemon::Scache, format_args!("statistics: start interval {at}"));
            world.say(
                host,
                Daemon::Scache,
                format_args!(
                    "statistics: domain lookup hits={rate} miss={size} success={}%",
                    rate * 100 / (rate + size)
                ),
            );
        }
        if world.rng.chance(5) {
            let version = if world.host(host).long_ids {
                "3.10.2"
            } else if world.host(host).dovecot {
                "3.7.11"
            } else {
                "3.5.18"
            };
            world.say(host, Daemon::Master, format_args!("reload -- version {version}, configuration /etc/postfix"));
        }
        Next::In(self.every + world.rng.below(SECOND))
    }
}
