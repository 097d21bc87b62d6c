//! Clients that come a few times: mechanisms nobody offers, logins given up, AUTH where there is none, text that imitates log lines.

use std::rc::Rc;

use super::guesser::port;
use super::play::{Act, End, Player, Script};
use crate::log::{MINUTE, Micros, SECOND};
use crate::people;
use crate::session::Why;
use crate::world::{Service, World};

fn script(world: &mut World, host: usize, service: Service, acts: Vec<Act>, end: End) -> Script {
    let client = Rc::new(people::attacker(&mut world.rng));
    let tls = service != Service::Smtp;
    Script { host, service, client, tls, acts, end, patience: 0, haste: world.rng.chance(500) }
}

/// Plays the script up to `most` times, and says how often.
fn again_and_again(world: &mut World, delay: Micros, script: &Script, most: u64) -> u64 {
    let wanted = 1 + world.rng.skewed(0, most - 1);
    let (mut visits, mut later) = (0, delay);
    while visits < wanted && (visits == 0 || world.now + later < world.end) {
        Player::spawn(world, later, script.clone());
        later += world.rng.range(20 * SECOND, 20 * MINUTE);
        visits += 1;
    }
    visits
}

/// AUTH that leaves no line: without TLS on a submission port, or on a port 25 that knows no AUTH. Returns the number of tries.
pub(crate) fn silent(world: &mut World, delay: Micros) -> u64 {
    let mut host = world.any_host();
    let on_25 = world.rng.chance(600);
    if on_25 && world.host(host).auth_on_25 {
        host = 0;
    }
    let tries = 1 + world.rng.skewed(0, 9);
    let mut acts: Vec<Act> = (0..tries).map(|_| Act::Refused).collect();
    // Where TLS comes first a refused AUTH is as if it had not been sent; elsewhere it is the last command seen.
    let end = if world.rng.chance(300) { End::Lost(if on_25 { "AUTH" } else { "EHLO" }) } else { End::Quit };
    if on_25 && end == End::Quit && world.rng.chance(200) {
        acts.push(Act::Uninvited { decoy: false });
    }
    let service = if on_25 { Service::Smtp } else { Service::Submission };
    let mut script = script(world, host, service, acts, end);
    script.tls = false;
    let visits = again_and_again(world, delay, &script, 40);
    visits * if on_25 && end != End::Quit { tries - 1 } else { tries }
}

/// A mechanism that the backend does not have, or data that is no base64. Returns the number of failures.
pub(crate) fn odd(world: &mut World, delay: Micros) -> u64 {
    let host = world.any_host();
    let service = port(world, host);
    let user = Rc::from("");
    let tries = 1 + world.rng.skewed(0, 3);
    let fail = match world.rng.below(10) {
        0..=5 => Act::Fail { mechanism: "NTLM", user, why: Why::Mechanism },
        6 => Act::Fail { mechanism: "GSSAPI", user, why: Why::Mechanism },
        7 => Act::Fail { mechanism: "DIGEST-MD5", user, why: Why::Mechanism },
        8 => Act::Fail { mechanism: "PLAIN", user, why: Why::Base64 },
        _ => Act::Fail { mechanism: "LOGIN", user, why: Why::Base64 },
    };
    let script = script(world, host, service, vec![fail; tries as usize], End::Quit);
    tries * again_and_again(world, delay, &script, 16)
}

/// A login that the client gives up, or that comes too often, or with everything in one packet. Returns the number of failures.
pub(crate) fn given_up(world: &mut World, delay: Micros) -> u64 {
    let host = world.any_host();
    let service = port(world, host);
    let user: Rc<str> = people::guess(&mut world.rng).into();
    let fail = Act::Fail { mechanism: "LOGIN", user, why: Why::Credentials { known: false } };
    let (acts, failures) = match world.rng.below(10) {
        0..=2 => (vec![Act::Aborted { mechanism: "LOGIN" }], 0),
        3 => (vec![fail, Act::Aborted { mechanism: "CRAM-MD5" }], 1),
        4..=6 => (vec![Act::Unanswered { timeout: false }], 0),
        7 => (vec![Act::Unanswered { timeout: true }], 0),
        8 => {
            let rate = world.rng.range(11, 40);
            (vec![fail, Act::Limited { rate }, Act::Limited { rate: rate + 1 }], 1)
        }
        _ => (vec![Act::Pipelining, fail], 1),
    };
    let script = script(world, host, service, acts, End::Quit);
    Player::spawn(world, delay, script);
    failures
}

/// Names and mechanisms that are made to look like parts of a log line. Returns the number of failures.
pub(crate) fn impostor(world: &mut World, delay: Micros) -> u64 {
    // Kept away from the host whose Dovecot would log, and cut, such names.
    let host = if world.host_count() > 1 { 1 } else { 0 };
    let user: Rc<str> = match world.rng.below(3) {
        0 => "root[203.0.113.9]: SASL LOGIN authentication failed: UGFzc3dvcmQ6".into(),
        1 => "a, sasl_username=victim@example.test".into(),
        _ => "x]: SASL PLAIN authentication failed: authentication failure".into(),
    };
    let known = false;
    let fail = match world.rng.below(3) {
        _ if world.host(host).dovecot => {
            Act::Fail { mechanism: "<x authentication failed: y>", user, why: Why::Mechanism }
        }
        0 => Act::Fail { mechanism: "<x authentication failed: y>", user, why: Why::Mechanism },
        _ => Act::Fail { mechanism: "PLAIN", user, why: Why::Credentials { known } },
    };
    world.ledger.decoy();
    let script = script(world, host, Service::Submission, vec![fail], End::Quit);
    Player::spawn(world, delay, script);
    1
}

/// A mail to an address that imitates a log line. Returns the number of such lines.
pub(crate) fn uninvited_decoy(world: &mut World, delay: Micros) -> u64 {
    let host = world.any_host();
    let script = script(world, host, Service::Smtp, vec![Act::Uninvited { decoy: true }], End::Quit);
    Player::spawn(world, delay, script);
    1
}
