//! Attackers: guessing, spraying, and what follows when one gets in.

use std::sync::atomic::Ordering;

use anyhow::{Result, ensure};

use super::{Scenario, scenario, slow};
use crate::accounts::{USERS, address, password};
use crate::client::Client;
use crate::daemons::dovecot::Dovecot;
use crate::foreign::{Foreign, Trade};
use crate::login::{Expected, Login};
use crate::machine::{FOREIGN_MX, Machine, Setup};
use crate::service::{SMTPD, SUBMISSION, SUBMISSIONS};
use crate::truth::{Fate, Happening};

pub(super) const SCENARIOS: &[Scenario] = &[
    slow(scenario("guessing", "One source tries many passwords for one account.", Setup::default, guessing)),
    scenario(
        "guessing_folded_lines",
        "The same in few sessions, with Dovecot silent and rsyslog folding equal lines as Ubuntu's does.",
        folding,
        guessing_folded,
    ),
    slow(scenario(
        "spraying",
        "One source tries a password or two for many names, of which most do not exist.",
        Setup::default,
        spraying,
    )),
    scenario(
        "guessing_on_port_25",
        "AUTH is left on for port 25, and found there: the tag is a bare postfix/smtpd.",
        || Setup { postfix: vec![("smtpd_sasl_auth_enable", "yes")], ..Setup::default() },
        on_port_25,
    ),
    slow(scenario(
        "guessing_from_many_sources",
        "Many sources try one account, each only once or twice.",
        Setup::default,
        many_sources,
    )),
    scenario(
        "account_taken_over",
        "An attacker guesses a password and sends many messages, of which some bounce or are put off.",
        Setup::default,
        taken_over,
    ),
];

const MISMATCH: &str = "cred.password_mismatch";
const UNKNOWN: &str = "cred.unknown_user";

fn folding() -> Setup {
    let dovecot = Dovecot { verbose: false, ..Dovecot::default() };
    Setup { dovecot: Some(dovecot), fold_repeats: true, ..Setup::default() }
}

/// One session with a wrong password each time.
fn guess(client: &Client, user: &str, passwords: &[String], cause: &'static str) -> Result<()> {
    let mut session = client.open(SUBMISSION)?;
    for password in passwords {
        session.login(Login::in_steps(user, password), Expected::failed(cause))?;
    }
    session.quit()
}

fn guesses(first: usize, count: usize) -> Vec<String> {
    (first..first + count).map(|number| format!("guess{number}")).collect()
}

fn guessing(machine: &mut Machine) -> Result<()> {
    let attacker = machine.client("198.51.100.200")?.helo("User");
    let user = address("alice");
    for round in 0..8 {
        guess(&attacker, &user, &guesses(round * 3, 3), MISMATCH)?;
    }
    let alice = machine.client("203.0.113.20")?;
    alice.login_once(SUBMISSION, Login::plain(&user, &password("alice")), Expected::ok())
}

fn guessing_folded(machine: &mut Machine) -> Result<()> {
    let attacker = machine.client("198.51.100.201")?.helo("User");
    guess(&attacker, &address("bob"), &guesses(0, 6), "cred.undifferentiated")?;
    guess(&attacker, &address("bob"), &guesses(6, 4), "cred.undifferentiated")
}

fn spraying(machine: &mut Machine) -> Result<()> {
    let attacker = machine.client("198.51.100.202")?.helo("ylmf-pc");
    let strangers = ["admin", "info", "test", "sales", "office", "scanner", "backup", "postmaster", "support", "root"];
    for user in strangers {
        attacker.login_once(SUBMISSIONS, Login::in_steps(&address(user), "Summer2026!"), Expected::failed(UNKNOWN))?;
    }
    for user in USERS.iter().take(6) {
        attacker.login_once(SUBMISSION, Login::in_steps(&address(user), "Summer2026!"), Expected::failed(MISMATCH))?;
    }
    Ok(())
}

fn on_port_25(machine: &mut Machine) -> Result<()> {
    let attacker = machine.client("198.51.100.203")?.helo("User");
    for user in ["admin", "test", "info"] {
        attacker.login_once(SMTPD, Login::in_steps(&address(user), "123456"), Expected::failed(UNKNOWN))?;
    }
    let mut session = attacker.open(SMTPD)?;
    session.login(Login::in_steps(&address("dave"), "123456"), Expected::failed(MISMATCH))?;
    session.command("MAIL FROM:<dave@example.test>", 250)?;
    session.refused_recipient("friend@example.org", 554, Happening::RelayDenied, "policy.relay_denied")?;
    session.quit()
}

fn many_sources(machine: &mut Machine) -> Result<()> {
    let user = address("carol");
    for number in 0..12 {
        let attacker = machine.client(&format!("198.51.100.{}", 210 + number))?.helo("localhost");
        guess(&attacker, &user, &guesses(number * 2, 1 + number % 2), MISMATCH)?;
    }
    Ok(())
}

fn taken_over(machine: &mut Machine) -> Result<()> {
    let foreign = Foreign::start(FOREIGN_MX, 25, Trade::Mail)?;
    let frank = address("frank");
    let owner = machine.client("203.0.113.90")?;
    owner.login_once(SUBMISSION, Login::plain(&frank, &password("frank")), Expected::ok())?;
    let attacker = machine.client("198.51.100.230")?.helo("win-1f2e3d");
    guess(&attacker, &frank, &guesses(0, 4), MISMATCH)?;
    guess(&attacker, &frank, &guesses(4, 3), MISMATCH)?;
    send_spam(&attacker, &frank)?;
    machine.postfix().drain(4)?;
    let seen =
        [&foreign.counts.taken, &foreign.counts.refused, &foreign.counts.put_off].map(|n| n.load(Ordering::SeqCst));
    ensure!(seen == [36, 12, 4], "the foreign server saw {seen:?}");
    ensure!(machine.mailbox("frank") == 12, "frank got {} bounces", machine.mailbox("frank"));
    Ok(())
}

/// Twelve messages to three or four recipients each; every third one also goes to a busy mailbox.
fn send_spam(attacker: &Client, user: &str) -> Result<()> {
    let mut session = attacker.open(SUBMISSION)?;
    session.login(Login::in_steps(user, &password("frank")), Expected::ok())?;
    for number in 0..12 {
        let to = ["one", "two", "three", "nobody", "later"].map(|name| format!("{name}{number}@example.org"));
        let mut to: Vec<&str> = to.iter().map(String::as_str).collect();
        let deferred = u32::from(number % 3 == 0);
        to.truncate(if deferred == 1 { 5 } else { 4 });
        session.mail(user, &to, Fate { sent: 3, bounced: 1, deferred })?;
    }
    session.quit()
}
