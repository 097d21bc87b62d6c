//! What somebody sends: sender, recipients, where each recipient's mail goes and what will become of it.
//!
//! Nothing here writes a line; the fates are drawn before the message has a queue id.

use std::collections::HashSet;
use std::rc::Rc;

use crate::log::{HOUR, MINUTE, Micros};
use crate::people;
use crate::world::World;

/// What somebody sends.
pub(crate) struct Letter {
    pub(crate) sender: Rc<str>,
    pub(crate) recipients: Vec<Recipient>,
    pub(crate) size: u64,
    /// Goes through the content filter first.
    pub(crate) filtered: bool,
    /// A header line that the header checks act on, with the words about where it came from.
    pub(crate) header: Option<Header>,
}

/// What a header check does.
pub(crate) enum Header {
    /// Warns of a header that quotes a failure.
    Warning(String),
    /// Puts the message on hold.
    Hold(String, Hold),
}

/// What becomes of a message on hold.
#[derive(Clone, Copy)]
pub(crate) enum Hold {
    /// An admin releases it after this long.
    Released(Micros),
    /// An admin deletes it after this long.
    Deleted(Micros),
    /// Nobody looks.
    Kept,
}

/// One recipient and what will become of it.
pub(crate) struct Recipient {
    pub(crate) address: String,
    /// The alias it was addressed to.
    pub(crate) orig_to: Option<String>,
    pub(crate) route: Route,
    pub(crate) fate: Fate,
    /// What became of it last.
    pub(crate) last: Option<&'static str>,
}

/// Where a recipient's mail goes.
#[derive(Clone)]
pub(crate) enum Route {
    /// To a mailbox here.
    Local,
    /// To a server elsewhere, `name[addr]`.
    Remote(Rc<str>),
    /// To the provider's relay, which wants a login of us.
    Relayhost,
    /// To nowhere: a transport map says `discard:`.
    Discard,
}

/// What becomes of a recipient's mail.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Sent,
    Bounced,
    /// Refused by a server whose words quote a failed login.
    BouncedWithDecoy,
    /// Sent after this many deferrals.
    Later(u8),
    /// Returned after this many deferrals.
    LaterBounced(u8),
    /// Deferred until it expires.
    Never,
    /// Our own login at the relay fails this many times, then works.
    NoLogin(u8),
    /// By a local alias to another address.
    Forwarded,
    Done,
    Failed,
}

impl Fate {
    /// Nothing is left to happen.
    pub(crate) fn over(self) -> bool {
        matches!(self, Fate::Done | Fate::Failed)
    }
}

impl Recipient {
    /// A recipient that has not been tried yet.
    pub(crate) fn new(address: String, route: Route, fate: Fate) -> Self {
        Self { address, orig_to: None, route, fate, last: None }
    }

    /// The same recipient in the copy that a content filter hands back; nothing is left to happen to this one.
    pub(crate) fn hand_over(&mut self) -> Self {
        let fate = std::mem::replace(&mut self.fate, Fate::Done);
        Self { address: self.address.clone(), orig_to: None, route: self.route.clone(), fate, last: None }
    }

    /// The domain, as the address spells it.
    pub(crate) fn domain(&self) -> &str {
        self.address.rsplit_once('@').map_or("", |(_, domain)| domain)
    }
}

impl Letter {
    /// Mail from elsewhere to accounts here.
    pub(crate) fn inbound(world: &mut World, recipients: usize) -> Self {
        let sender = if world.rng.chance(40) { String::new() } else { people::stranger(&mut world.rng) };
        let recipients = (0..recipients).map(|_| inbound_recipient(world)).collect();
        let size = world.rng.skewed(1200, 400_000);
        let filtered = world.rng.chance(250);
        Self { sender: sender.into(), recipients: distinct(recipients), size, filtered, header: None }
    }

    /// Mail from an account here to the world, and to colleagues.
    pub(crate) fn outbound(world: &mut World, sender: &Rc<str>) -> Self {
        let count = 1 + world.rng.skewed(0, 7);
        let recipients = (0..count).map(|_| outbound_recipient(world)).collect();
        let size = world.rng.skewed(900, 3_000_000);
        let filtered = world.rng.chance(300);
        Self { sender: Rc::clone(sender), recipients: distinct(recipients), size, filtered, header: None }
    }

    /// What a program on the host itself sends, mostly to an admin.
    pub(crate) fn local(world: &mut World, sender: &str) -> Self {
        let recipient = if world.rng.chance(800) { inbound_recipient(world) } else { outbound_recipient(world) };
        let size = world.rng.skewed(500, 20_000);
        Self { sender: sender.into(), recipients: vec![recipient], size, filtered: false, header: None }
    }

    /// What `bounce` tells a sender.
    pub(crate) fn notification(world: &mut World, to: &str) -> Self {
        let ours = to.ends_with(".test");
        let route = if ours { Route::Local } else { remote(world, to) };
        let fate = fate(world, 60, 20);
        let recipients = vec![Recipient::new(to.to_owned(), route, fate)];
        Self { sender: "".into(), recipients, size: world.rng.range(2400, 6000), filtered: false, header: None }
    }

    /// What a local alias makes of a message to it.
    pub(crate) fn forwarded(world: &mut World, sender: &Rc<str>, size: u64, alias: &str) -> Self {
        let mut recipient = outbound_recipient(world);
        recipient.orig_to = Some(alias.to_owned());
        let size = size + 340 + world.rng.below(60);
        Self { sender: Rc::clone(sender), recipients: vec![recipient], size, filtered: false, header: None }
    }
}

impl Hold {
    /// Most are released in the end.
    pub(crate) fn any(world: &mut World) -> Self {
        let after = world.rng.range(10 * MINUTE, 9 * HOUR);
        match world.rng.below(10) {
            0..=5 => Hold::Released(after),
            6..=8 => Hold::Deleted(after),
            _ => Hold::Kept,
        }
    }
}

/// Cleanup drops a recipient that comes twice (Postfix `src/cleanup/cleanup_out_recipient.c`).
fn distinct(recipients: Vec<Recipient>) -> Vec<Recipient> {
    let mut seen = HashSet::new();
    recipients.into_iter().filter(|recipient| seen.insert(recipient.address.clone())).collect()
}

fn inbound_recipient(world: &mut World) -> Recipient {
    let number = world.people.any(&mut world.rng);
    let address = world.people.user(number).name.to_string();
    let alias = world.rng.chance(60).then(|| people::alias(&mut world.rng));
    let forwarded = world.rng.chance(15);
    let fate = if forwarded { Fate::Forwarded } else { fate(world, 8, 12) };
    Recipient { orig_to: alias, ..Recipient::new(address, Route::Local, fate) }
}

fn outbound_recipient(world: &mut World) -> Recipient {
    if world.rng.chance(200) {
        let number = world.people.any(&mut world.rng);
        let address = world.people.user(number).name.to_string();
        return Recipient::new(address, Route::Local, Fate::Sent);
    }
    let address = people::stranger(&mut world.rng);
    if world.rng.chance(40) {
        let fate = if world.rng.chance(60) { Fate::NoLogin(world.rng.range(1, 4) as u8) } else { Fate::Sent };
        return Recipient::new(address, Route::Relayhost, fate);
    }
    if world.rng.chance(4) {
        return Recipient::new(address, Route::Discard, Fate::Sent);
    }
    let route = remote(world, &address);
    let decoy = world.rng.chance(2);
    Recipient::new(address, route, if decoy { Fate::BouncedWithDecoy } else { fate(world, 18, 45) })
}

fn remote(world: &mut World, address: &str) -> Route {
    let domain = address.rsplit_once('@').map_or("acme.example", |(_, domain)| domain);
    Route::Remote(people::exchanger(domain, &mut world.rng).into())
}

/// A fate with so many bounces and deferrals in a thousand.
fn fate(world: &mut World, bounced: u64, deferred: u64) -> Fate {
    let roll = world.rng.below(1000);
    if roll < bounced {
        return Fate::Bounced;
    }
    if roll >= bounced + deferred {
        return Fate::Sent;
    }
    let tries = 1 + world.rng.skewed(0, 5) as u8;
    match world.rng.below(100) {
        0..=9 => Fate::Never,
        10..=17 => Fate::LaterBounced(tries),
        _ => Fate::Later(tries),
    }
}
