//! Decides how much of everything there is: follows the hours of the day and aims at the wanted number of bytes.
//!
//! Two loops. Mail follows the clock: so many sessions that the file has its share of bytes at every hour. Failures follow the
//! mail: each kind of attack gets a new campaign whenever the tries planned so far are below its share of the lines.

use super::backend::Outage;
use super::bots;
use super::guesser::Guesser;
use super::inbound::Inbound;
use super::local::LocalMail;
use super::mailbox;
use super::noise::{Screened, Statistics};
use super::sprayer::Sprayer;
use super::stale::Stale;
use super::swarm::Swarm;
use super::user::{self, Mood};
use crate::log::{DAY, HOUR, MINUTE, Micros, SECOND};
use crate::world::{Actor, Next, World};

/// How busy each hour of the day is.
const HOURS: [u64; 24] =
    [38, 34, 32, 32, 35, 42, 60, 85, 120, 135, 138, 132, 120, 126, 132, 128, 120, 108, 92, 80, 70, 62, 54, 46];
/// Bytes of a line, for a start.
const LINE: u64 = 150;
/// Bytes that one more session brings, all told, for a start.
const SESSION: u64 = 2100;

/// A kind of trouble and its share of all lines, in tries per million lines.
struct Share {
    kind: Kind,
    per_million: u64,
    planned: u64,
}

#[derive(Clone, Copy)]
enum Kind {
    Guess,
    Hammer,
    Spray,
    Swarm,
    Stale,
    Odd,
    GivenUp,
    Impostor,
    Silent,
    Mistype,
    NoTls,
    NoLogin,
    Twice,
    WrongSender,
    Decoy,
}

/// The plan of the whole log.
pub(crate) struct Director {
    bytes: u64,
    spawned: u64,
    interval: Micros,
    shares: Vec<Share>,
}

impl Director {
    /// Prepares a log of about `bytes`.
    pub(crate) fn spawn(world: &mut World, bytes: u64) {
        let span = world.end - world.start;
        let interval = (span / 20_000).clamp(SECOND / 5, 60 * SECOND);
        let shares = [
            (Kind::Guess, 27_000),
            (Kind::Hammer, 4_000),
            (Kind::Spray, 12_000),
            (Kind::Swarm, 17_000),
            (Kind::Stale, 6_500),
            (Kind::Odd, 2_500),
            (Kind::GivenUp, 600),
            (Kind::Impostor, 8),
            (Kind::Silent, 13_500),
            (Kind::Mistype, 650),
            (Kind::NoTls, 120),
            (Kind::NoLogin, 120),
            (Kind::Twice, 40),
            (Kind::WrongSender, 150),
            (Kind::Decoy, 25),
        ];
        let shares = shares.map(|(kind, per_million)| Share { kind, per_million, planned: 0 }).into();
        // Ten minutes, or so rarely that a quiet log does not consist of statistics.
        let every = (span * 4 * world.host_count() as u64 / (bytes / LINE / 60).max(1)).max(10 * MINUTE);
        for host in 0..world.host_count() {
            let delay = world.rng.below(600 * SECOND);
            world.spawn(delay, Box::new(Statistics { host, every }));
        }
        // An outage a day, long enough for somebody to notice.
        let least = span / (bytes / SESSION).max(1) * 40;
        for _ in 0..span / DAY {
            let delay = world.rng.below(span);
            Outage::spawn(world, delay, least);
        }
        world.spawn(0, Box::new(Self { bytes, spawned: 0, interval, shares }));
    }

    /// The bytes the file should have at a moment.
    fn wanted(&self, world: &World, at: Micros) -> u64 {
        let done = load(at) - load(world.start);
        let all = load(world.end) - load(world.start);
        (u128::from(self.bytes) * u128::from(done) / u128::from(all.max(1))) as u64
    }

    fn sessions(&mut self, world: &mut World) {
        let written = world.log.len();
        // What a session brings, measured once there is something to measure.
        let each = if written * 50 > self.bytes { written / self.spawned.max(1) } else { SESSION };
        let ahead = (world.now + self.interval).min(world.end);
        let wanted = self.wanted(world, ahead) / each.max(1);
        for _ in self.spawned..wanted {
            self.spawned += 1;
            self.session(world);
        }
    }

    fn session(&mut self, world: &mut World) {
        let delay = world.rng.below(self.interval);
        match world.rng.below(100) {
            0..=59 => {
                let inbound = Inbound::new(world);
                world.spawn(delay, Box::new(inbound));
            }
            60..=82 => {
                user::visit(world, Mood::Fine, delay);
            }
            83..=91 => {
                if let Some(screened) = Screened::new(world) {
                    world.spawn(delay, Box::new(screened));
                }
            }
            92 => world.spawn(delay, Box::new(LocalMail)),
            _ => world.spawn(delay, Box::new(mailbox::Visit)),
        }
    }

    fn troubles(&mut self, world: &mut World) {
        let (lines, total) = (world.log.lines, self.bytes / LINE);
        for share in &mut self.shares {
            // No campaign takes more than a part of what its kind may take in all.
            let most = (total * share.per_million / 1_000_000 / 8).max(3);
            // Small logs come to some of everything too: what is due is never less than something.
            while share.planned < (lines * share.per_million).div_ceil(1_000_000) {
                let delay = world.rng.below(self.interval);
                share.planned += begin(world, share.kind, most, delay).max(1);
            }
        }
    }
}

fn begin(world: &mut World, kind: Kind, most: u64, delay: Micros) -> u64 {
    match kind {
        Kind::Guess => campaign(world, Guesser::spawn, 20, 2400, most, delay),
        Kind::Hammer => campaign(world, Guesser::hammer, 20, 400, most, delay),
        Kind::Spray => campaign(world, Sprayer::spawn, 60, 1200, most, delay),
        Kind::Swarm => campaign(world, Swarm::spawn, 1200, 9000, most, delay),
        Kind::Stale => campaign(world, Stale::spawn, 40, 1500, most, delay),
        Kind::Odd => bots::odd(world, delay),
        Kind::GivenUp => bots::given_up(world, delay).max(1),
        Kind::Impostor => bots::impostor(world, delay),
        Kind::Silent => bots::silent(world, delay),
        Kind::Mistype => user::visit(world, Mood::Mistypes, delay),
        Kind::NoTls => user::visit(world, Mood::NoTls, delay),
        Kind::NoLogin => user::visit(world, Mood::NoLogin, delay),
        Kind::Twice => user::visit(world, Mood::Twice, delay),
        Kind::WrongSender => user::visit(world, Mood::WrongSender, delay),
        Kind::Decoy => bots::uninvited_decoy(world, delay),
    }
}

fn campaign(
    world: &mut World,
    spawn: fn(&mut World, u64, Micros),
    low: u64,
    high: u64,
    most: u64,
    delay: Micros,
) -> u64 {
    let tries = world.rng.skewed(low, high).min(most);
    spawn(world, tries, delay);
    tries
}

/// The load of all hours up to a moment.
fn load(at: Micros) -> u64 {
    let (days, in_day) = (at / DAY, at % DAY);
    let (hour, in_hour) = ((in_day / HOUR) as usize, in_day % HOUR);
    let whole_day: u64 = HOURS.iter().sum();
    let before: u64 = HOURS.iter().take(hour).sum();
    let now = HOURS.get(hour).copied().unwrap_or(0);
    (days * whole_day + before) * 3600 + now * in_hour / SECOND
}

impl Actor for Director {
    fn step(&mut self, world: &mut World) -> Next {
        if world.over() {
            return Next::Done;
        }
        self.sessions(world);
        self.troubles(world);
        Next::In(self.interval)
    }
}
