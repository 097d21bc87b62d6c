//! Right passwords of accounts that may not log in, and system accounts.

use anyhow::Result;

use super::{Scenario, scenario};
use crate::accounts::{address, password};
use crate::daemons::dovecot::{Dovecot, Passdb};
use crate::login::{Expected, Login};
use crate::machine::{Machine, Setup};
use crate::service::SUBMISSION;

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario(
        "denied_account",
        "An account on Dovecot's deny list, with the right password; another user is not affected.",
        || with(Passdb::Denied),
        denied_account,
    ),
    scenario(
        "locked_account",
        "A locked system account, looked up in the shadow file.",
        || with(Passdb::Shadow),
        locked_account,
    ),
    scenario(
        "allow_nets",
        "An account that may log in from one network only, from another one and from its own.",
        Setup::default,
        allow_nets,
    ),
    scenario(
        "scheme_unusable",
        "CRAM-MD5 is offered, but passwords are stored as hashes it cannot use; PLAIN works in the same session.",
        hashed_only,
        scheme_unusable,
    ),
    scenario(
        "dovecot_pam",
        "System accounts by PAM: wrong password, unknown user, expired account, and a login.",
        || with(Passdb::Pam),
        dovecot_pam,
    ),
];

fn with(passdb: Passdb) -> Setup {
    Setup { dovecot: Some(Dovecot { passdb, ..Dovecot::default() }), ..Setup::default() }
}

fn hashed_only() -> Setup {
    let dovecot = Dovecot { passdb: Passdb::Hashed, mechanisms: "plain login cram-md5", ..Dovecot::default() };
    Setup { dovecot: Some(dovecot), ..Setup::default() }
}

fn denied_account(machine: &mut Machine) -> Result<()> {
    let disabled = Expected::failed("cred.user_disabled");
    let client = machine.client("203.0.113.40")?;
    client.login_once(SUBMISSION, Login::plain(&address("retired"), &password("retired")), disabled)?;
    client.login_once(SUBMISSION, Login::in_steps(&address("retired"), &password("retired")), disabled)?;
    let other = machine.client("203.0.113.41")?;
    other.login_once(
        SUBMISSION,
        Login::plain(&address("alice"), "coffee"),
        Expected::failed("cred.password_mismatch"),
    )?;
    other.login_once(SUBMISSION, Login::plain(&address("alice"), &password("alice")), Expected::ok())
}

fn locked_account(machine: &mut Machine) -> Result<()> {
    let client = machine.client("203.0.113.42")?;
    let disabled = Expected::failed("cred.user_disabled");
    client.login_once(SUBMISSION, Login::plain("locked", &password("locked")), disabled)?;
    let other = machine.client("203.0.113.43")?;
    other.login_once(SUBMISSION, Login::plain("bob", &password("bob")), Expected::ok())
}

fn allow_nets(machine: &mut Machine) -> Result<()> {
    let travel = (address("travel"), password("travel"));
    let abroad = machine.client("203.0.113.44")?;
    let refused = Expected::failed("cred.allow_nets");
    abroad.login_once(SUBMISSION, Login::plain(&travel.0, &travel.1), refused)?;
    abroad.login_once(SUBMISSION, Login::in_steps(&travel.0, &travel.1), refused)?;
    let at_home = machine.client("192.0.2.77")?;
    at_home.login_once(SUBMISSION, Login::plain(&travel.0, &travel.1), Expected::ok())
}

fn scheme_unusable(machine: &mut Machine) -> Result<()> {
    let alice = address("alice");
    let client = machine.client("203.0.113.45")?;
    let mut session = client.open(SUBMISSION)?;
    session.login(Login::cram_md5(&alice), Expected::failed("cred.scheme_unusable"))?;
    session.login(Login::plain(&alice, "passwort"), Expected::failed("cred.password_mismatch"))?;
    session.login(Login::plain(&alice, "password"), Expected::ok())?;
    session.quit()
}

fn dovecot_pam(machine: &mut Machine) -> Result<()> {
    let client = machine.client("203.0.113.46")?;
    let mismatch = Expected::failed("cred.password_mismatch");
    client.login_once(SUBMISSION, Login::plain("alice", "coffee"), mismatch)?;
    client.login_once(SUBMISSION, Login::in_steps("alyce", "coffee"), Expected::failed("cred.unknown_user"))?;
    let expired = Expected::failed("cred.password_expired");
    client.login_once(SUBMISSION, Login::plain("expired", &password("expired")), expired)?;
    client.login_once(SUBMISSION, Login::plain("alice", &password("alice")), Expected::ok())
}
