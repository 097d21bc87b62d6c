//! Attacks of every kind, each drawn anew: how many sources and names, how fast, how regular, from where, and whether it gets in.

use std::collections::BTreeSet;

use super::people::Town;
use super::wire::{Call, Mail, Outcome};
use super::{Attack, Mix, Plan, Stage};
use crate::log::{DAY, HOUR, MINUTE, Micros, SECOND};
use crate::people::guessers_word;
use crate::rng::Rng;

/// Everything hostile of a plan.
pub(super) fn all(stage: &mut Stage, town: &Town, plan: &Plan) {
    for _ in 0..plan.attacks {
        if plan.mix != Mix::Slow {
            fast_guess(stage, town);
            spray(stage, town);
            in_one_v6_network(stage, town);
        }
        slow_guess(stage, town);
        one_account(stage, town);
        many_accounts(stage, town);
        let rounds = (plan.accounts / 60).clamp(1, 4);
        for _ in 0..rounds {
            takeover(stage, town);
        }
    }
}

/// An address that nobody honest has.
fn address(rng: &mut Rng) -> String {
    // Neither private nor of the people here.
    let first = match rng.below(6) {
        0 => rng.range(1, 10),
        1 => rng.range(11, 80),
        2 => rng.range(101, 126),
        3 => rng.range(128, 168),
        4 => rng.range(174, 192),
        _ => rng.range(193, 198),
    };
    format!("{first}.{}.{}.{}", rng.below(256), rng.below(256), rng.range(1, 255))
}

fn strange(rng: &mut Rng) -> String {
    let word = guessers_word(rng);
    match rng.below(4) {
        0 => word.to_owned(),
        1 => format!("{word}{}@example.test", rng.below(90)),
        2 => format!("{}{}", rng.pick(&["john", "kim", "lee", "mary"]), rng.below(400)),
        _ => format!("{word}@{}", rng.pick(&["example.test", "firma.test", "verein.test"])),
    }
}

fn victim(stage: &mut Stage, town: &Town) -> String {
    let at = stage.rng.below(town.people.len() as u64) as usize;
    town.people.get(at).map_or_else(String::new, |person| person.name.clone())
}

/// Names: some made up, some of people here.
fn names(stage: &mut Stage, town: &Town, count: u64) -> Vec<String> {
    let real = stage.rng.below(4) * 300;
    let mut names = BTreeSet::new();
    for _ in 0..count * 4 {
        if names.len() as u64 >= count {
            break;
        }
        let name = if stage.rng.chance(real) { victim(stage, town) } else { strange(&mut stage.rng) };
        names.insert(name);
    }
    names.into_iter().collect()
}

/// The time to the next try: regular, jittered, or with long tails.
fn gap(rng: &mut Rng, style: u64, mean: Micros) -> Micros {
    match style {
        0 => mean,
        1 => mean / 2 + rng.below(mean),
        _ => rng.skewed(mean / 20, mean * 3),
    }
    .max(1_000)
}

fn is_real(town: &Town, name: &str) -> bool {
    town.people.iter().any(|person| person.name == name)
}

/// One try, in a session of its own or with others.
fn tries(stage: &mut Stage, town: &Town, at: Micros, ip: &str, names: &[&str]) -> Micros {
    let fails = names.iter().map(|name| (*name, Outcome::Refused { known: is_real(town, name) }, 400)).collect();
    let mechanism = if stage.rng.chance(600) { "LOGIN" } else { "PLAIN" };
    let service = if stage.rng.chance(400) { "smtp" } else { "submission" };
    stage.wire.call(&mut stage.rng, &Call { fails, mechanism, service, ..Call::at(at, ip) })
}

struct Single {
    ip: String,
    names: Vec<String>,
    tries: u64,
    mean: Micros,
    style: u64,
}

/// Plays an attack from one source. Output: when it ended.
fn single(stage: &mut Stage, town: &Town, kind: &str, manner: &str, how: &Single) -> Micros {
    let room = how.mean.saturating_mul(how.tries).min(stage.end - stage.start);
    // One name at exact intervals from one place is what a device does: nobody could tell.
    let style = if how.names.len() == 1 { how.style.max(1) } else { how.style };
    let mut at = stage.moment(room);
    let per_session = if how.mean < 20 * SECOND { 1 + stage.rng.below(4) } else { 1 };
    let (mut done, mut used) = (0, BTreeSet::new());
    while done < how.tries && at < stage.end {
        let some: Vec<&str> = (0..per_session.min(how.tries - done))
            .filter_map(|n| how.names.get(((done + n) % how.names.len() as u64) as usize).map(String::as_str))
            .collect();
        used.extend(some.iter().map(|name| (*name).to_owned()));
        done += some.len() as u64;
        let end = tries(stage, town, at, &how.ip, &some);
        at = end.max(at) + gap(&mut stage.rng, style, how.mean);
    }
    if done >= 10 {
        let attack = Attack {
            kind: kind.to_owned(),
            manner: format!(
                "{manner}: {done} tries, {} names, every {} ms, style {}",
                used.len(),
                how.mean / 1_000,
                style
            ),
            clients: vec![how.ip.clone()],
            accounts: used.into_iter().collect(),
            tries: done,
        };
        stage.truth.attacks.push(attack);
    }
    at
}

fn fast_guess(stage: &mut Stage, town: &Town) {
    let count = stage.rng.range(1, 4);
    let how = Single {
        ip: address(&mut stage.rng),
        names: names(stage, town, count),
        tries: stage.rng.skewed(10, 900),
        mean: stage.rng.range(300, 9_000) * 1_000,
        style: stage.rng.below(3),
    };
    single(stage, town, "guessing", "fast", &how);
}

fn slow_guess(stage: &mut Stage, town: &Town) {
    let count = stage.rng.range(1, 5);
    let how = Single {
        ip: address(&mut stage.rng),
        names: names(stage, town, count),
        tries: stage.rng.skewed(12, 150),
        mean: stage.rng.range(30 * SECOND, 25 * MINUTE),
        style: stage.rng.below(3),
    };
    single(stage, town, "guessing", "slow", &how);
}

fn spray(stage: &mut Stage, town: &Town) {
    let count = stage.rng.skewed(10, 120);
    let names = names(stage, town, count);
    let rounds = stage.rng.range(1, 3);
    let how = Single {
        ip: address(&mut stage.rng),
        tries: names.len() as u64 * rounds,
        names,
        mean: stage.rng.range(800, 200_000) * 1_000,
        style: stage.rng.below(3),
    };
    single(stage, town, "spraying", "spray", &how);
}

/// Each try from another address of one /64.
fn in_one_v6_network(stage: &mut Stage, town: &Town) {
    let net = format!("2001:db8:{:x}:{:x}", stage.rng.range(0x9000, 0xffff), stage.rng.below(65_536));
    let count = stage.rng.range(20, 120);
    let how_many = stage.rng.range(1, 30);
    let names = names(stage, town, how_many);
    let mean = stage.rng.range(5 * SECOND, 10 * MINUTE);
    let mut at = stage.moment(mean * count);
    let (mut clients, mut used) = (BTreeSet::new(), BTreeSet::new());
    for n in 0..count {
        let ip = format!("{net}:{:x}::{:x}", stage.rng.range(1, 65_536), stage.rng.range(1, 65_536));
        let Some(name) = names.get((n % names.len() as u64) as usize) else { continue };
        tries(stage, town, at, &ip, &[name]);
        clients.insert(ip);
        used.insert(name.clone());
        at += gap(&mut stage.rng, 1, mean);
    }
    push(stage, "guessing", "one /64", clients, used, count);
}

fn push(stage: &mut Stage, kind: &str, manner: &str, clients: BTreeSet<String>, used: BTreeSet<String>, tries: u64) {
    stage.truth.attacks.push(Attack {
        kind: kind.to_owned(),
        manner: format!("{manner}: {} clients, {} names, {tries} tries", clients.len(), used.len()),
        clients: clients.into_iter().collect(),
        accounts: used.into_iter().collect(),
        tries,
    });
}

/// Many sources, one account, in hours or over the whole time.
fn one_account(stage: &mut Stage, town: &Town) {
    let sources = stage.rng.skewed(15, 200);
    let name = if stage.rng.chance(600) { victim(stage, town) } else { strange(&mut stage.rng) };
    let span = stage.rng.range(HOUR, stage.end - stage.start);
    let begin = stage.moment(span);
    let (mut clients, mut total) = (BTreeSet::new(), 0);
    for _ in 0..sources {
        let ip = address(&mut stage.rng);
        for _ in 0..stage.rng.skewed(1, 3) {
            let at = begin + stage.rng.below(span);
            tries(stage, town, at, &ip, &[&name]);
            total += 1;
        }
        clients.insert(ip);
    }
    push(stage, "distributed_attack", "one account", clients, BTreeSet::from([name]), total);
}

/// Many sources, many accounts, a try or a few each.
fn many_accounts(stage: &mut Stage, town: &Town) {
    let sources = stage.rng.skewed(40, 250);
    let count = stage.rng.range(15, 200);
    let names = names(stage, town, count);
    let span = stage.rng.range(2 * HOUR, (stage.end - stage.start).min(10 * DAY));
    let begin = stage.moment(span);
    let net = stage.rng.chance(300).then(|| address(&mut stage.rng));
    let (mut clients, mut used, mut total) = (BTreeSet::new(), BTreeSet::new(), 0);
    for _ in 0..sources {
        let ip = match &net {
            Some(net) if stage.rng.chance(700) => {
                let near = net.rsplit_once('.').map_or("", |(near, _)| near);
                format!("{near}.{}", stage.rng.range(1, 255))
            }
            _ => address(&mut stage.rng),
        };
        for _ in 0..stage.rng.skewed(1, 4) {
            let Some(name) = names.get(stage.rng.below(names.len() as u64) as usize) else { continue };
            let at = begin + stage.rng.below(span);
            tries(stage, town, at, &ip, &[name]);
            used.insert(name.clone());
            total += 1;
        }
        clients.insert(ip);
    }
    push(stage, "distributed_attack", "many accounts", clients, used, total);
}

/// Gets in, and sends.
fn takeover(stage: &mut Stage, town: &Town) {
    let name = victim(stage, town);
    if stage.truth.takeovers.iter().any(|(known, _)| *known == name) {
        return;
    }
    let manner = stage.rng.below(6);
    let words = match manner {
        0 => "guessed fast",
        1 => "sprayed",
        _ => "guessed slowly",
    };
    let (ip, at) = match manner {
        0 => guessed(stage, town, &name, (10, 200), (300_000, 6 * SECOND)),
        1 => sprayed(stage, town, &name),
        2 => guessed(stage, town, &name, (12, 80), (40 * SECOND, 8 * MINUTE)),
        3 => return known(stage, &name),
        4 => return after_many(stage, &name),
        _ => return stolen(stage, &name),
    };
    let pause = stage.rng.range(SECOND, 3 * HOUR);
    send(stage, &name, &ip, at + pause);
    stage.truth.takeovers.push((name, words.to_owned()));
}

fn guessed(stage: &mut Stage, town: &Town, name: &str, tries: (u64, u64), mean: (Micros, Micros)) -> (String, Micros) {
    let how = Single {
        ip: address(&mut stage.rng),
        names: vec![name.to_owned()],
        tries: stage.rng.skewed(tries.0, tries.1),
        mean: stage.rng.range(mean.0, mean.1),
        style: stage.rng.below(3),
    };
    let at = single(stage, town, "guessing", "before a takeover", &how);
    (how.ip, at)
}

fn sprayed(stage: &mut Stage, town: &Town, name: &str) -> (String, Micros) {
    let count = stage.rng.range(10, 80);
    let mut names = names(stage, town, count);
    names.push(name.to_owned());
    let how = Single {
        ip: address(&mut stage.rng),
        tries: names.len() as u64,
        names,
        mean: stage.rng.range(800, 60_000) * 1_000,
        style: stage.rng.below(3),
    };
    let at = single(stage, town, "spraying", "before a takeover", &how);
    (how.ip, at)
}

/// A flood within an hour or so, of which some comes back.
fn send(stage: &mut Stage, name: &str, ip: &str, at: Micros) {
    let mut at = at;
    let mut left = stage.rng.skewed(25, 160);
    while left > 0 {
        let some = stage.rng.range(1, 12).min(left);
        let bounces = stage.rng.below(3);
        let mails = (0..some)
            .map(|_| {
                let recipients = stage.rng.skewed(1, 20) as u32;
                Mail { recipients, bounced: recipients * bounces as u32 / 6 }
            })
            .collect();
        at = stage.wire.call(&mut stage.rng, &Call { login: Some((name, mails)), ..Call::at(at, ip) });
        at += stage.rng.range(5, 180) * SECOND;
        left -= some;
    }
}

/// No failure at all: the password is known, and used for one mailing to a bad list, some days after people have begun to log in.
fn known(stage: &mut Stage, name: &str) {
    let begin = stage.start + 2 * DAY;
    let at = begin + stage.rng.below(stage.end - begin - 6 * HOUR);
    mailing(stage, name, at);
    stage.truth.takeovers.push((name.to_owned(), "password known".to_owned()));
}

/// Many try in vain; then others, never seen before, know the password.
fn after_many(stage: &mut Stage, name: &str) {
    let sources = stage.rng.range(12, 40);
    let span = stage.rng.range(HOUR, 20 * HOUR);
    let begin = stage.start + DAY + stage.rng.below(stage.end - stage.start - DAY - span - 8 * HOUR);
    for _ in 0..sources {
        let ip = address(&mut stage.rng);
        for _ in 0..stage.rng.skewed(1, 3) {
            let call = Call {
                fails: vec![(name, Outcome::Refused { known: true }, 900)],
                ..Call::at(begin + stage.rng.below(span), &ip)
            };
            stage.wire.call(&mut stage.rng, &call);
        }
    }
    let pause = stage.rng.range(SECOND, 2 * HOUR);
    mailing(stage, name, begin + span + pause);
    stage.truth.takeovers.push((name.to_owned(), "after many others".to_owned()));
}

/// A message or a few in each session, to many, from one address or several in turn.
fn mailing(stage: &mut Stage, name: &str, at: Micros) {
    let sources: Vec<String> = (0..stage.rng.range(1, 6)).map(|_| address(&mut stage.rng)).collect();
    let (mut at, mut left) = (at, stage.rng.range(30, 150));
    // Of ten recipients one to four are not there.
    let (most, gone) = (stage.rng.range(4, 30), stage.rng.range(1, 5) as u32);
    while left > 0 {
        let some = stage.rng.range(1, 4).min(left);
        let mails = (0..some)
            .map(|_| {
                let recipients = stage.rng.range(2, most) as u32;
                Mail {
                    recipients,
                    bounced: (0..recipients).filter(|_| stage.rng.chance(u64::from(gone) * 100)).count() as u32,
                }
            })
            .collect();
        let from = stage.rng.below(sources.len() as u64) as usize;
        let ip = sources.get(from).cloned().unwrap_or_default();
        at = stage.wire.call(&mut stage.rng, &Call { login: Some((name, mails)), ..Call::at(at, &ip) });
        at += stage.rng.range(1, 40) * SECOND;
        left -= some;
    }
}

/// No failure at all: the password is known, and used from everywhere.
fn stolen(stage: &mut Stage, name: &str) {
    let sources = stage.rng.range(45, 140);
    let span = stage.rng.range(2 * HOUR, 12 * HOUR);
    // Some days must have passed, so that one knows what is usual; and all of it within one day of the calendar.
    let days = (stage.end - stage.start) / DAY;
    let day = 2 + stage.rng.below(days.saturating_sub(2).max(1));
    let begin = stage.start + day.min(days - 1) * DAY + stage.rng.below(DAY - span);
    for _ in 0..sources {
        let ip = address(&mut stage.rng);
        let at = begin + stage.rng.below(span);
        let mails =
            vec![Mail { recipients: stage.rng.skewed(1, 10) as u32, bounced: 0 }; stage.rng.range(1, 5) as usize];
        stage.wire.call(&mut stage.rng, &Call { login: Some((name, mails)), ..Call::at(at, &ip) });
    }
    stage.truth.takeovers.push((name.to_owned(), "stolen".to_owned()));
}
