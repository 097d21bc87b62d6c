//! People with an account who send mail; some mistype their password first, some have a program that is set up wrong.

use std::rc::Rc;

use super::play::{Act, End, Player, Script};
use crate::log::{MINUTE, Micros, SECOND};
use crate::session::Why;
use crate::world::{Service, World};

/// What goes wrong before the user sends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    /// Nothing.
    Fine,
    /// A wrong password, once or a few times.
    Mistypes,
    /// The program tries without TLS until somebody helps.
    NoTls,
    /// The program does not log in at all.
    NoLogin,
    /// The program logs in twice.
    Twice,
    /// Sends in somebody else's name, and then in their own.
    WrongSender,
}

/// One visit of some user after `delay`. Returns how many failures it means.
pub(crate) fn visit(world: &mut World, mood: Mood, delay: Micros) -> u64 {
    let host = world.any_host();
    let number = world.people.any_of(host, world.host_count(), &mut world.rng);
    let on_the_road = world.rng.chance(250);
    let user = world.people.user(number);
    let (name, mechanism) = (Rc::clone(&user.name), user.mechanism);
    let client = Rc::clone(if on_the_road { &user.phone } else { &user.home });
    let mut script = Script {
        host,
        service: user.service,
        client,
        tls: true,
        acts: vec![],
        end: End::Quit,
        patience: 3,
        haste: false,
    };
    let login = Act::Login { mechanism, user: Rc::clone(&name) };
    let fail = Act::Fail { mechanism, user: name, why: Why::Credentials { known: true } };
    let mut later = delay;
    let mut failures = 0;
    match mood {
        Mood::Mistypes => {
            failures = 1 + world.rng.skewed(0, 6);
            // Programs that ask again in the same session, and programs that begin anew.
            if world.rng.chance(400) {
                script.acts = vec![fail; failures as usize];
            } else {
                for _ in 0..failures {
                    let attempt = Script { acts: vec![fail.clone()], patience: 0, ..script.clone() };
                    Player::spawn(world, later, attempt);
                    later += world.rng.range(8 * SECOND, 50 * SECOND);
                }
            }
        }
        Mood::NoTls => {
            script.service = Service::Submission;
            failures = 1 + world.rng.skewed(0, 4);
            for _ in 0..failures {
                let attempt = Script { acts: vec![Act::Refused], tls: false, patience: 0, ..script.clone() };
                Player::spawn(world, later, attempt);
                later += world.rng.range(5 * SECOND, 10 * MINUTE);
            }
        }
        Mood::NoLogin => {
            script.acts = vec![Act::Uninvited { decoy: false }];
            Player::spawn(world, delay, script);
            return 0;
        }
        _ => {}
    }
    script.acts.push(login);
    match mood {
        Mood::Twice => script.acts.push(Act::Refused),
        Mood::WrongSender => script.acts.push(Act::WrongSender),
        _ => {}
    }
    // Some only look whether the login works.
    if mood != Mood::Fine || world.rng.chance(960) {
        let messages = 1 + world.rng.skewed(0, 4);
        script.acts.extend((0..messages).map(|_| Act::Send));
    }
    Player::spawn(world, later, script);
    failures
}
