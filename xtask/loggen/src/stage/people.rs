//! Honest people: at home, in offices, on phones and travels, who mistype, forget, and own devices that nobody looks after.

use super::wire::{Call, Mail, Outcome};
use super::{Mix, Plan, Stage};
use crate::log::{DAY, HOUR, MINUTE, Micros, SECOND};
use crate::rng::Rng;

const DOMAINS: [&str; 3] = ["example.test", "firma.test", "verein.test"];
const FIRST: [&str; 16] = [
    "anna", "bernd", "carla", "dario", "elena", "fabian", "greta", "henrik", "ines", "jonas", "katrin", "lukas",
    "maria", "niklas", "olga", "paul",
];

/// How the backend fails.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    Killed,
    Lost,
    /// Every password is wrong.
    Denied,
}

/// A time in which nobody gets in.
#[derive(Clone, Copy)]
pub(super) struct Outage {
    pub(super) from: Micros,
    pub(super) to: Micros,
    pub(super) manner: Manner,
}

pub(super) struct Person {
    pub(super) name: String,
    pub(super) home: String,
    /// The first two numbers of the addresses a provider gives the phone.
    carrier: (u64, u64),
    /// Messages on a usual visit, at most.
    mails: u64,
    office: Option<usize>,
}

pub(super) struct Town {
    pub(super) people: Vec<Person>,
    offices: Vec<String>,
}

/// An address that honest people have: 80.0.0.0 to 95.255.255.255 and some of IPv6.
fn address(rng: &mut Rng) -> String {
    if rng.chance(120) {
        return format!("2001:db8:{:x}:{:x}::{:x}", rng.range(0x1000, 0x8000), rng.below(65_536), rng.range(1, 4_000));
    }
    format!("{}.{}.{}.{}", rng.range(80, 96), rng.below(256), rng.below(256), rng.range(1, 255))
}

/// An office whose passwords are all old: several people, each with a program that comes back at its own pace, and nobody gets in within the
/// log, which is young. Of dice of its own, so that a seed's other scenes stay what they were.
pub(super) fn locked_out_office(stage: &mut Stage, plan: &Plan) {
    let mut rng = Rng::new(plan.seed.wrapping_mul(0x51_7cc1).wrapping_add(plan.mix as u64));
    let ip = address(&mut rng);
    let people = rng.range(5, FIRST.len() as u64) as usize;
    let begin = stage.start + rng.below(3 * DAY);
    for first in FIRST.iter().take(people) {
        let name = format!("{first}@kunde.test");
        let (pace, tries) = (rng.range(6 * MINUTE, 40 * MINUTE), rng.range(2, 30));
        let mut at = begin + rng.below(pace);
        for _ in 0..tries {
            let fails = (0..rng.range(1, 3)).map(|_| (name.as_str(), Outcome::Refused { known: true }, 900)).collect();
            if at < stage.end {
                stage.wire.call(&mut rng, &Call { fails, ..Call::at(at, &ip) });
            }
            at += pace / 2 + rng.below(pace);
        }
    }
    stage.truth.honest.insert(ip);
}

pub(super) fn outages(stage: &mut Stage, plan: &Plan) -> Vec<Outage> {
    if plan.mix == Mix::Slow {
        return Vec::new();
    }
    let mut outages: Vec<Outage> = Vec::new();
    for manner in [Manner::Killed, Manner::Lost, Manner::Denied] {
        let lasts = stage.rng.range(20 * MINUTE, 90 * MINUTE);
        // In working hours, or nobody would notice.
        let day = stage.rng.below(u64::from(plan.days)) * DAY;
        let from = stage.start + day + stage.rng.range(8 * HOUR, 15 * HOUR);
        let apart = |other: &Outage| other.from > from + lasts + 2 * HOUR || other.to + 2 * HOUR < from;
        if outages.iter().all(apart) {
            outages.push(Outage { from, to: from + lasts, manner });
            let words = match manner {
                Manner::Killed => "killed",
                Manner::Lost => "lost",
                Manner::Denied => "denied",
            };
            stage.truth.outages.push((from / SECOND, (from + lasts) / SECOND, words.to_owned()));
        }
    }
    outages
}

impl Town {
    pub(super) fn new(stage: &mut Stage, accounts: usize) -> Self {
        let rng = &mut stage.rng;
        let offices: Vec<String> = (0..(accounts / 25).max(1)).map(|_| address(rng)).collect();
        let people = (0..accounts)
            .map(|n| {
                let first = FIRST.get(n % FIRST.len()).copied().unwrap_or("x");
                let name = format!("{first}.{}{n}@{}", rng.pick(&["a", "bo", "cel", "dun"]), rng.pick(&DOMAINS));
                let office = rng.chance(350).then(|| rng.below(offices.len() as u64) as usize);
                let home = office.and_then(|at| offices.get(at).cloned()).unwrap_or_else(|| address(rng));
                let carrier = (rng.range(96, 100), rng.below(6) * 40);
                let mails = if rng.chance(15) { rng.range(20, 90) } else { rng.range(1, 5) };
                Person { name, home, carrier, mails, office }
            })
            .collect();
        Self { people, offices }
    }

    /// Everybody's weeks.
    pub(super) fn live(&self, stage: &mut Stage, outages: &[Outage]) {
        for person in &self.people {
            person.live(stage, outages);
        }
        self.offices_fail(stage);
        others(stage, self);
    }

    /// Offices in which people mistype, and some own a broken device.
    fn offices_fail(&self, stage: &mut Stage) {
        for (at, ip) in self.offices.iter().enumerate() {
            let members: Vec<&Person> = self.people.iter().filter(|p| p.office == Some(at)).collect();
            if members.len() < 3 || stage.rng.chance(400) {
                continue;
            }
            let fails = stage.rng.range(4, 40);
            for _ in 0..fails {
                let who = stage.rng.below(members.len() as u64) as usize;
                let Some(person) = members.get(who) else { continue };
                let when = stage.moment(HOUR);
                let fails = vec![(person.name.as_str(), Outcome::Refused { known: true }, 900)];
                let call = Call { fails, login: Some((&person.name, vec![])), ..Call::at(when, ip) };
                stage.wire.call(&mut stage.rng, &call);
            }
            stage.truth.offices.push(ip.clone());
        }
    }
}

impl Person {
    fn live(&self, stage: &mut Stage, outages: &[Outage]) {
        stage.truth.honest.insert(self.home.clone());
        let days = (stage.end - stage.start) / DAY;
        for day in 0..days {
            let visits = stage.rng.range(2, 9);
            let travels = stage.rng.chance(30).then(|| address(&mut stage.rng));
            for _ in 0..visits {
                let at = stage.start + day * DAY + stage.rng.range(6 * HOUR, 23 * HOUR);
                let ip = match (&travels, stage.rng.below(10)) {
                    (Some(hotel), _) => hotel.clone(),
                    (None, 0..=5) => self.home.clone(),
                    _ => self.phone(&mut stage.rng),
                };
                self.visit(stage, at, &ip, outages);
            }
        }
        match stage.rng.below(1_000) {
            0..=29 => self.broken_device(stage, true),
            30..=49 => self.broken_device(stage, false),
            50..=69 => self.forgets(stage),
            _ => {}
        }
    }

    fn phone(&self, rng: &mut Rng) -> String {
        let (a, b) = self.carrier;
        format!("{a}.{}.{}.{}", b + rng.below(3), rng.below(256), rng.range(1, 255))
    }

    fn visit(&self, stage: &mut Stage, at: Micros, ip: &str, outages: &[Outage]) {
        stage.truth.honest.insert(ip.to_owned());
        let name = self.name.as_str();
        if let Some(outage) = outages.iter().find(|outage| (outage.from..outage.to).contains(&at)) {
            return self.shut_out(stage, at, ip, *outage);
        }
        let mut at = at;
        if stage.rng.chance(12) {
            let typed = if stage.rng.chance(150) { name.split('@').next().unwrap_or(name) } else { name };
            for _ in 0..stage.rng.skewed(1, 5) {
                let fails = vec![(typed, Outcome::Refused { known: typed == name }, 2_000)];
                at = stage.wire.call(&mut stage.rng, &Call { fails, ..Call::at(at, ip) })
                    + stage.rng.range(4, 60) * SECOND;
            }
            if stage.rng.chance(80) {
                return;
            }
        }
        let mails = (0..stage.rng.below(self.mails + 1))
            .map(|_| Mail { recipients: stage.rng.skewed(1, 4) as u32, bounced: u32::from(stage.rng.chance(15)) })
            .collect();
        // An outage that begins meanwhile is not waited for.
        let call = Call {
            login: Some((name, mails)),
            mechanism: if name.len().is_multiple_of(3) { "LOGIN" } else { "PLAIN" },
            ..Call::at(at, ip)
        };
        if outages.iter().all(|outage| at < outage.from || at > outage.to) {
            stage.wire.call(&mut stage.rng, &call);
        }
    }

    /// Tries a few times while the backend is out.
    fn shut_out(&self, stage: &mut Stage, at: Micros, ip: &str, outage: Outage) {
        let mut at = at;
        for _ in 0..stage.rng.range(1, 12) {
            if at >= outage.to {
                return;
            }
            let outcome = match outage.manner {
                Manner::Killed => {
                    stage.wire.killed(at, ip);
                    None
                }
                Manner::Lost => Some(Outcome::Lost),
                Manner::Denied => Some(Outcome::Refused { known: true }),
            };
            if let Some(outcome) = outcome {
                let call = Call { fails: vec![(self.name.as_str(), outcome, 10_000)], ..Call::at(at, ip) };
                stage.wire.call(&mut stage.rng, &call);
            }
            at += stage.rng.range(20, 400) * SECOND;
        }
    }

    /// A device that comes back at regular times with an old password, at home or on the move.
    fn broken_device(&self, stage: &mut Stage, at_home: bool) {
        let period = stage.rng.range(3 * MINUTE, 60 * MINUTE);
        let visits = stage.rng.range(12, 300).min((stage.end - stage.start) / 2 / period);
        let mut at = stage.moment(period * visits);
        let jitter = period * stage.rng.below(12) / 100 + 1;
        let roams = !at_home && stage.rng.chance(500);
        let mut ip = if at_home { self.home.clone() } else { self.phone(&mut stage.rng) };
        if !roams {
            stage.truth.stale.push((ip.clone(), self.name.clone()));
        }
        for visit in 0..visits {
            if roams && visit % 9 == 8 {
                ip = self.phone(&mut stage.rng);
            }
            stage.truth.honest.insert(ip.clone());
            let tries = if stage.rng.chance(800) { 1 } else { 3 };
            let fails = vec![(self.name.as_str(), Outcome::Refused { known: true }, 3_000); tries];
            stage.wire.call(&mut stage.rng, &Call { fails, ..Call::at(at, &ip) });
            at += period + stage.rng.below(jitter);
        }
    }

    /// Does not remember: many tries by hand, then a new password.
    fn forgets(&self, stage: &mut Stage) {
        let mut at = stage.moment(2 * HOUR);
        for _ in 0..stage.rng.range(5, 14) {
            let fails = vec![(self.name.as_str(), Outcome::Refused { known: true }, 2_000)];
            at = stage.wire.call(&mut stage.rng, &Call { fails, ..Call::at(at, &self.home) })
                + stage.rng.range(8, 90) * SECOND;
        }
        let mails = vec![Mail { recipients: 1, bounced: 0 }; stage.rng.range(1, 6) as usize];
        stage
            .wire
            .call(&mut stage.rng, &Call { login: Some((&self.name, mails)), ..Call::at(at + 5 * MINUTE, &self.home) });
    }
}

/// Settings that are wrong, and lines that are lost.
fn others(stage: &mut Stage, town: &Town) {
    let mut of = |kind: &str, act: &mut dyn FnMut(&mut Stage, Micros, &Person, &str)| {
        if stage.rng.chance(700) {
            stage.truth.others.insert(kind.to_owned());
            let at = stage.rng.below(town.people.len() as u64) as usize;
            let Some(person) = town.people.get(at) else { return };
            for _ in 0..stage.rng.range(3, 20) {
                let when = stage.moment(HOUR);
                act(stage, when, person, &person.home);
            }
        }
    };
    of("mechanism_mismatch", &mut |stage, at, person, ip| {
        let fails = vec![(person.name.as_str(), Outcome::Mechanism, 900)];
        stage.wire.call(&mut stage.rng, &Call { fails, mechanism: "NTLM", ..Call::at(at, ip) });
    });
    of("tls_before_auth", &mut |stage, at, _, ip| stage.wire.unheard(at, ip));
    of("wrong_port_or_not_logged_in", &mut |stage, at, _, ip| stage.wire.turned_away(at, ip, None));
    of("relay_denied_while_logged_in", &mut |stage, at, person, ip| {
        stage.wire.turned_away(at, ip, Some(&person.name));
    });
    of("log_loss", &mut |stage, at, _, _| stage.wire.lost(at, 200));
}
