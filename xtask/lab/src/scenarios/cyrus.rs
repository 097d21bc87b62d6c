//! Cyrus SASL: Postfix asks `saslauthd`, and that asks PAM.

use std::os::unix::fs::PermissionsExt;

use anyhow::Result;

use super::{Scenario, scenario};
use crate::accounts::{address, password};
use crate::base64;
use crate::daemons::saslauthd;
use crate::login::{Expected, Login};
use crate::machine::{Machine, Setup};
use crate::service::CYRUS;

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario(
        "saslauthd_wrong_password",
        "saslauthd over PAM: wrong password with PLAIN and LOGIN, unknown user, then a login.",
        with_saslauthd,
        wrong_password,
    ),
    scenario(
        "saslauthd_down",
        "saslauthd does not run: right passwords are answered 454; then it is started.",
        || Setup { dovecot: None, ..Setup::default() },
        down,
    ),
    scenario(
        "saslauthd_permission_denied",
        "saslauthd runs, but Postfix may not enter the folder of its socket.",
        with_saslauthd,
        permission_denied,
    ),
    scenario(
        "cyrus_client_faults",
        "Cyrus SASL and a mechanism it does not have, a cancelled AUTH, and broken base64.",
        with_saslauthd,
        client_faults,
    ),
];

fn with_saslauthd() -> Setup {
    Setup { dovecot: None, saslauthd: true, ..Setup::default() }
}

fn wrong_password(machine: &mut Machine) -> Result<()> {
    let alice = address("alice");
    let mismatch = Expected::failed("cred.password_mismatch");
    let client = machine.client("203.0.113.20")?;
    client.login_once(CYRUS, Login::plain(&alice, "coffee"), mismatch)?;
    client.login_once(CYRUS, Login::in_steps(&alice, "coffee"), mismatch)?;
    let other = machine.client("203.0.113.131")?;
    other.login_once(
        CYRUS,
        Login::plain("nobody-here@example.test", "coffee"),
        Expected::failed("cred.unknown_user"),
    )?;
    client.login_once(CYRUS, Login::plain(&alice, &password("alice")), Expected::ok())
}

fn down(machine: &mut Machine) -> Result<()> {
    let bob = address("bob");
    let fault = Expected::backend_fault(454, "backend.socket_missing");
    let client = machine.client("203.0.113.132")?;
    client.login_once(CYRUS, Login::plain(&bob, &password("bob")), fault)?;
    client.login_once(CYRUS, Login::in_steps(&bob, &password("bob")), fault)?;
    machine.start_saslauthd()?;
    client.login_once(CYRUS, Login::plain(&bob, &password("bob")), Expected::ok())
}

fn permission_denied(machine: &mut Machine) -> Result<()> {
    std::fs::set_permissions(saslauthd::folder(), std::fs::Permissions::from_mode(0o700))?;
    let alice = address("alice");
    let fault = Expected::backend_fault(454, "backend.permission");
    let client = machine.client("203.0.113.134")?;
    client.login_once(CYRUS, Login::plain(&alice, &password("alice")), fault)?;
    client.login_once(CYRUS, Login::in_steps(&alice, &password("alice")), fault)
}

fn client_faults(machine: &mut Machine) -> Result<()> {
    let client = machine.client("203.0.113.133")?;
    let mut session = client.open(CYRUS)?;
    let unsupported = Expected::failed("client.mechanism_unsupported").nameless();
    session.attempt(("NTLM", None), &[b"AUTH NTLM".to_vec()], unsupported)?;
    session.quit()?;
    let mut session = client.open(CYRUS)?;
    session.attempt(("LOGIN", None), &[b"AUTH LOGIN".to_vec(), b"*".to_vec()], Expected::aborted())?;
    session.quit()?;
    let malformed = Expected::failed("client.malformed_base64").nameless();
    let mut session = client.open(CYRUS)?;
    session.attempt(("PLAIN", None), &[b"AUTH PLAIN !!!!".to_vec()], malformed)?;
    let no_separators = base64::encode(b"alice tea");
    session.attempt(("PLAIN", None), &[format!("AUTH PLAIN {no_separators}").into_bytes()], malformed)?;
    session.quit()
}
