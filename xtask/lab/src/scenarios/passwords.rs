//! Wrong names and wrong passwords.

use anyhow::Result;

use super::{Scenario, scenario};
use crate::accounts::{address, password};
use crate::daemons::dovecot::Dovecot;
use crate::login::{Expected, Login};
use crate::machine::{Machine, Setup};
use crate::service::{PORTS, SUBMISSION, SUBMISSIONS};
use crate::truth::Fate;

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario(
        "wrong_password_plain",
        "Mail programs log in with AUTH PLAIN and a wrong password, on 587 and 465; one is corrected.",
        Setup::default,
        wrong_password_plain,
    ),
    scenario(
        "wrong_password_login",
        "A mail program logs in with AUTH LOGIN and a wrong password; the log shows client ports too.",
        Setup::default,
        wrong_password_login,
    ),
    scenario("unknown_user", "Somebody logs in with names that do not exist.", Setup::default, unknown_user),
    scenario(
        "domain_missing",
        "A user whose laptop sends mail sets up a phone with the name without its domain, then in full.",
        Setup::default,
        domain_missing,
    ),
    scenario(
        "strange_characters_in_name",
        "User names with characters that Dovecot does not allow.",
        Setup::default,
        strange_characters_in_name,
    ),
    scenario(
        "cause_not_told",
        "Wrong password and unknown user with Dovecot's default of not logging why.",
        silent_dovecot,
        cause_not_told,
    ),
    scenario(
        "password_in_log",
        "Dovecot logs wrong passwords (auth_verbose_passwords=plain): all that begin with SECRET must be redacted.",
        revealing_dovecot,
        password_in_log,
    ),
];

fn revealing_dovecot() -> Setup {
    Setup { dovecot: Some(Dovecot { log_passwords: "plain", ..Dovecot::default() }), ..Setup::default() }
}

fn password_in_log(machine: &mut Machine) -> Result<()> {
    let client = machine.client("203.0.113.36")?;
    let heidi = address("heidi");
    client.login_once(SUBMISSION, Login::plain(&heidi, "SECRET-of-heidi"), Expected::failed(MISMATCH))?;
    client.login_once(SUBMISSION, Login::in_steps(&heidi, "SECRET (with brackets)"), Expected::failed(MISMATCH))?;
    let nobody = Login::in_steps("heide@example.test", "SECRET-of-nobody");
    client.login_once(SUBMISSION, nobody, Expected::failed("cred.unknown_user"))?;
    client.login_once(SUBMISSION, Login::plain(&heidi, &password("heidi")), Expected::ok())
}

const MISMATCH: &str = "cred.password_mismatch";

fn wrong_password_plain(machine: &mut Machine) -> Result<()> {
    let alice = address("alice");
    let laptop = machine.client("203.0.113.20")?;
    laptop.login_once(SUBMISSION, Login::plain(&alice, "alice-likes-coffee"), Expected::failed(MISMATCH))?;
    laptop.login_once(SUBMISSIONS, Login::plain(&alice, "alice-likes-coffee"), Expected::failed(MISMATCH))?;
    let desk = machine.client("2001:db8:1::7")?;
    desk.login_once(SUBMISSION, Login::plain(&alice, "tea").spelled("plain"), Expected::failed(MISMATCH))?;
    desk.login_once(SUBMISSION, Login::plain(&alice, &password("alice")), Expected::ok())
}

fn wrong_password_login(machine: &mut Machine) -> Result<()> {
    let bob = address("bob");
    let phone = machine.client("203.0.113.31")?;
    phone.login_once(SUBMISSION, Login::in_steps(&bob, "bob-likes-coffee"), Expected::failed(MISMATCH))?;
    let mut session = phone.open(PORTS)?;
    session.login(Login::in_steps(&bob, "coffee"), Expected::failed(MISMATCH))?;
    session.login(Login::in_steps(&bob, "cocoa").spelled("Login"), Expected::failed(MISMATCH))?;
    session.quit()?;
    let tablet = machine.client("2001:db8:1::8")?;
    tablet.login_once(PORTS, Login::in_steps(&bob, "cocoa"), Expected::failed(MISMATCH))
}

fn unknown_user(machine: &mut Machine) -> Result<()> {
    let unknown = Expected::failed("cred.unknown_user");
    let client = machine.client("203.0.113.32")?;
    client.login_once(SUBMISSION, Login::plain("alise@example.test", "alice-likes-tea"), unknown)?;
    client.login_once(SUBMISSION, Login::in_steps("scanner@example.test", "scan"), unknown)?;
    client.login_once(SUBMISSIONS, Login::in_steps("alice@example.com", "alice-likes-tea"), unknown)
}

fn domain_missing(machine: &mut Machine) -> Result<()> {
    let (address, password) = (address("grace"), password("grace"));
    // Only a message tells Postfix' log the full name that works.
    let laptop = machine.client("203.0.113.34")?;
    let mut session = laptop.open(SUBMISSION)?;
    session.login(Login::plain(&address, &password), Expected::ok())?;
    session.mail(&address, &["bob@example.test"], Fate { sent: 1, ..Fate::default() })?;
    session.quit()?;
    machine.postfix().drain(0)?;
    let client = machine.client("203.0.113.33")?;
    client.login_once(SUBMISSION, Login::plain("grace", &password), Expected::failed("cred.realm_missing"))?;
    client.login_once(SUBMISSION, Login::in_steps("grace", &password), Expected::failed("cred.realm_missing"))?;
    client.login_once(SUBMISSION, Login::plain(&address, &password), Expected::ok())
}

fn strange_characters_in_name(machine: &mut Machine) -> Result<()> {
    let client = machine.client("203.0.113.34")?;
    for name in ["al ice@example.test", "jürgen@example.test", "alice%example.test", "\"alice\"@example.test"] {
        client.login_once(SUBMISSION, Login::plain(name, "tea"), Expected::failed("cred.bad_characters"))?;
    }
    Ok(())
}

fn silent_dovecot() -> Setup {
    Setup { dovecot: Some(Dovecot { verbose: false, ..Dovecot::default() }), ..Setup::default() }
}

fn cause_not_told(machine: &mut Machine) -> Result<()> {
    let alice = address("alice");
    let unclear = Expected::failed("cred.undifferentiated");
    let client = machine.client("203.0.113.35")?;
    client.login_once(SUBMISSION, Login::plain(&alice, "coffee"), unclear)?;
    client.login_once(SUBMISSION, Login::in_steps("alise@example.test", "coffee"), unclear)?;
    client.login_once(SUBMISSIONS, Login::in_steps(&alice, "coffee"), unclear)
}
