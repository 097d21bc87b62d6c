//! Real users: who mistypes, who forgets a device, who shares an address.

use std::net::Ipv4Addr;
use std::sync::atomic::Ordering;
use std::thread::{self, sleep};
use std::time::Duration;

use anyhow::{Result, bail, ensure};

use super::{Scenario, scenario, slow};
use crate::accounts::{address, password};
use crate::client::Client;
use crate::foreign::{Foreign, Trade};
use crate::login::{Expected, Login};
use crate::machine::{FOREIGN_MX, Machine, Setup};
use crate::service::{SMTPD, SUBMISSION, SUBMISSIONS};
use crate::truth::{Fate, Happening};

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario(
        "busy_hour",
        "Six users and a spammer at the same time: sessions of many processes, interleaved.",
        Setup::default,
        busy_hour,
    ),
    scenario(
        "corrected_then_sent_through_filter",
        "The same behind a content filter: each message passes Postfix twice, some of it bounces at last.",
        || Setup { postfix: vec![("content_filter", "smtp:[127.0.0.1]:10024")], ..Setup::default() },
        through_filter,
    ),
    scenario(
        "corrected_then_sent",
        "A user mistypes twice, logs in with a later session and sends mail that is delivered.",
        Setup::default,
        corrected_then_sent,
    ),
    slow(scenario(
        "stale_device",
        "A forgotten phone goes on with the old password at fixed times, beside a laptop with the new one.",
        Setup::default,
        stale_device,
    )),
    scenario(
        "office_behind_one_address",
        "Five people of an office share one address; one of them mistypes and corrects it (long queue ids).",
        || Setup { postfix: vec![("enable_long_queue_ids", "yes")], ..Setup::default() },
        office,
    ),
];

const MISMATCH: &str = "cred.password_mismatch";

fn corrected_then_sent(machine: &mut Machine) -> Result<()> {
    let laptop = machine.client("203.0.113.20")?;
    laptop.login_once(SUBMISSION, Login::plain("Alice@Example.TEST", "alice-likes-te"), Expected::failed(MISMATCH))?;
    laptop.login_once(SUBMISSION, Login::in_steps(&address("alice"), "alicelikestea"), Expected::failed(MISMATCH))?;
    let mut session = laptop.open(SUBMISSION)?;
    session.login(Login::plain(&address("alice"), &password("alice")), Expected::ok())?;
    session.mail(
        "alice@example.test",
        &["bob@example.test", "carol@example.test"],
        Fate { sent: 2, ..Fate::default() },
    )?;
    session.mail("alice@example.test", &["dave@example.test"], Fate { sent: 1, ..Fate::default() })?;
    session.quit()?;
    machine.postfix().drain(0)?;
    for user in ["bob", "carol", "dave"] {
        ensure!(machine.mailbox(user) == 1, "{user} got no mail");
    }
    Ok(())
}

fn through_filter(machine: &mut Machine) -> Result<()> {
    let foreign = Foreign::start(FOREIGN_MX, 25, Trade::Mail)?;
    let filter = Foreign::start(Ipv4Addr::LOCALHOST, 10024, Trade::Filter)?;
    let phone = machine.client("203.0.113.82")?;
    let (bob, password) = (address("bob"), password("bob"));
    phone.login_once(SUBMISSIONS, Login::in_steps(&bob, "bob-likes-te"), Expected::failed(MISMATCH))?;
    let mut session = phone.open(SUBMISSIONS)?;
    session.login(Login::in_steps(&bob, &password), Expected::ok())?;
    session.mail(&bob, &["carol@example.test", "dave@example.test"], Fate { sent: 2, ..Fate::default() })?;
    session.mail(
        &bob,
        &["friend@example.org", "nobody@example.org"],
        Fate { sent: 1, bounced: 1, ..Fate::default() },
    )?;
    session.quit()?;
    machine.postfix().drain(0)?;
    let (taken, refused) = (foreign.counts.taken.load(Ordering::SeqCst), foreign.counts.refused.load(Ordering::SeqCst));
    ensure!((taken, refused) == (1, 1), "the foreign server took {taken} and refused {refused}");
    let filtered = filter.counts.taken.load(Ordering::SeqCst);
    ensure!(filtered == 4, "{filtered} recipients went through the filter");
    ensure!(machine.mailbox("carol") + machine.mailbox("dave") == 2 && machine.mailbox("bob") == 1, "mail is missing");
    Ok(())
}

/// A client's whole business: so many wrong passwords, then a login and a message.
fn works(client: &Client, user: &str, mistakes: usize) -> Result<()> {
    for number in 0..mistakes {
        let wrong = format!("{user}-tries-{number}");
        client.login_once(SUBMISSION, Login::plain(&address(user), &wrong), Expected::failed(MISMATCH))?;
    }
    let mut session = client.open(if mistakes.is_multiple_of(2) { SUBMISSION } else { SUBMISSIONS })?;
    session.login(Login::in_steps(&address(user), &password(user)), Expected::ok())?;
    session.mail(&address(user), &["grace@example.test", "heidi@example.test"], Fate { sent: 2, ..Fate::default() })?;
    session.quit()
}

/// A spammer's: mail for elsewhere on port 25, and names that do not exist.
fn annoys(client: &Client) -> Result<()> {
    for round in 0..3 {
        let mut session = client.open(SMTPD)?;
        session.command("MAIL FROM:<spam@example.com>", 250)?;
        session.refused_recipient("friend@example.org", 554, Happening::RelayDenied, "policy.relay_denied")?;
        session.quit()?;
        let name = format!("user{round}@example.test");
        client.login_once(SUBMISSION, Login::in_steps(&name, "x"), Expected::failed("cred.unknown_user"))?;
    }
    Ok(())
}

fn busy_hour(machine: &mut Machine) -> Result<()> {
    let users = ["alice", "bob", "carol", "dave", "erin", "frank"];
    let spammer = machine.client("198.51.100.150")?.helo("mailer.example.com");
    let mut clients = Vec::new();
    for (number, user) in users.into_iter().enumerate() {
        let client = machine.client(&format!("203.0.113.{}", 150 + number))?;
        clients.push((client, user, number % 4));
    }
    thread::scope(|threads| {
        let spam = threads.spawn(|| annoys(&spammer));
        let work = clients.iter().map(|(client, user, mistakes)| threads.spawn(|| works(client, user, *mistakes)));
        let running: Vec<_> = work.chain([spam]).collect();
        running.into_iter().try_for_each(|one| one.join().unwrap_or_else(|_| bail!("a client panicked")))
    })?;
    machine.postfix().drain(0)?;
    ensure!(machine.mailbox("grace") == 6 && machine.mailbox("heidi") == 6, "mail is missing");
    Ok(())
}

fn stale_device(machine: &mut Machine) -> Result<()> {
    let heidi = address("heidi");
    let (phone, laptop) = (machine.client("203.0.113.80")?.helo("[10.0.0.7]"), machine.client("203.0.113.81")?);
    let round = Duration::from_secs(3);
    for number in 0..8 {
        let start = std::time::Instant::now();
        phone.login_once(SUBMISSIONS, Login::plain(&heidi, "heidi-liked-coffee"), Expected::failed(MISMATCH))?;
        if number % 3 == 1 {
            let mut session = laptop.open(SUBMISSION)?;
            session.login(Login::plain(&heidi, &password("heidi")), Expected::ok())?;
            session.mail(&heidi, &["bob@example.test"], Fate { sent: 1, ..Fate::default() })?;
            session.quit()?;
        }
        sleep(round.saturating_sub(start.elapsed()));
    }
    machine.postfix().drain(0)
}

fn office(machine: &mut Machine) -> Result<()> {
    let office = machine.client("203.0.113.10")?;
    let works = |user: &str| -> Result<()> {
        let mut session = office.open(SUBMISSION)?;
        session.login(Login::plain(&address(user), &password(user)), Expected::ok())?;
        session.mail(&address(user), &["grace@example.test"], Fate { sent: 1, ..Fate::default() })?;
        session.quit()
    };
    works("alice")?;
    works("bob")?;
    for _ in 0..2 {
        office.login_once(
            SUBMISSION,
            Login::in_steps(&address("carol"), "carol-likes-milk"),
            Expected::failed(MISMATCH),
        )?;
    }
    works("dave")?;
    works("carol")?;
    works("erin")?;
    machine.postfix().drain(0)
}
