//! Clients that are too fast for Postfix, or too often wrong for Dovecot.

use anyhow::Result;

use super::{Scenario, scenario, slow};
use crate::accounts::{address, password};
use crate::daemons::dovecot::Dovecot;
use crate::login::{Expected, Login};
use crate::machine::{Machine, Setup};
use crate::service::{LIMITED, SUBMISSION};

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario(
        "auth_rate_limit",
        "More AUTH commands of one client than smtpd_client_auth_rate_limit allows; others are not affected.",
        Setup::default,
        auth_rate_limit,
    ),
    slow(scenario(
        "auth_penalty",
        "After failures of changing users from one address Dovecot lets it wait longer than Postfix does.",
        with_penalty,
        auth_penalty,
    )),
];

fn with_penalty() -> Setup {
    Setup { dovecot: Some(Dovecot { penalty: true, failure_delay_s: 0, ..Dovecot::default() }), ..Setup::default() }
}

fn auth_rate_limit(machine: &mut Machine) -> Result<()> {
    let frank = address("frank");
    let client = machine.client("203.0.113.120")?;
    for _ in 0..3 {
        client.login_once(LIMITED, Login::plain(&frank, "coffee"), Expected::failed("cred.password_mismatch"))?;
    }
    let mut session = client.open(LIMITED)?;
    session.login(Login::plain(&frank, &password("frank")), Expected::rate_limited())?;
    session.login(Login::plain(&frank, &password("frank")), Expected::rate_limited())?;
    session.quit()?;
    let other = machine.client("203.0.113.121")?;
    other.login_once(LIMITED, Login::plain(&frank, &password("frank")), Expected::ok())
}

fn auth_penalty(machine: &mut Machine) -> Result<()> {
    let nat = machine.client("203.0.113.122")?;
    for user in ["alice", "bob", "carol"] {
        nat.login_once(SUBMISSION, Login::plain(&address(user), "coffee"), Expected::failed("cred.password_mismatch"))?;
    }
    let lost = Expected::backend_fault(454, "backend.penalty").nameless();
    nat.login_once(SUBMISSION, Login::plain(&address("dave"), "coffee"), lost)?;
    nat.login_once(SUBMISSION, Login::plain(&address("erin"), &password("erin")), lost)?;
    let elsewhere = machine.client("203.0.113.20")?;
    elsewhere.login_once(SUBMISSION, Login::plain(&address("erin"), &password("erin")), Expected::ok())
}
