//! Dovecot broken in every way that Postfix can tell, and in some that it cannot.

use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::UnixListener;
use std::thread;
use std::time::Duration;

use anyhow::Result;

use super::{Scenario, scenario, slow};
use crate::accounts::{address, owner_of, password};
use crate::daemons::dovecot::{Dovecot, Passdb, auth_socket};
use crate::login::{Expected, Login};
use crate::machine::{Machine, Setup};
use crate::service::{SUBMISSION, SUBMISSIONS};

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario(
        "backend_socket_missing",
        "Dovecot was never started: its socket does not exist.",
        || Setup { dovecot: None, ..Setup::default() },
        socket_missing,
    ),
    scenario(
        "backend_connection_refused",
        "Dovecot was stopped before the first client came: its socket is there, nobody listens.",
        Setup::default,
        connection_refused,
    ),
    scenario("backend_permission_denied", "Dovecot's socket belongs to root alone.", private_socket, permission_denied),
    scenario(
        "backend_wrong_socket",
        "smtpd_sasl_path names Dovecot's auth-master socket.",
        || Setup { postfix: vec![("smtpd_sasl_path", "private/auth-master")], ..Setup::default() },
        wrong_socket,
    ),
    scenario(
        "backend_lost_under_smtpd",
        "Dovecot is stopped while clients are connected: they are answered 454, newcomers are cut off.",
        Setup::default,
        lost_under_smtpd,
    ),
    slow(scenario(
        "backend_handshake_stall",
        "Something accepts connections on the auth socket and never says a word.",
        || Setup { dovecot: None, ..Setup::default() },
        handshake_stall,
    )),
    slow(scenario(
        "backend_hangs",
        "Dovecot's auth process hangs for a while: logins are lost after ten seconds, then work again.",
        Setup::default,
        hangs,
    )),
    scenario(
        "backend_crash",
        "Dovecot's auth process is killed while a login waits for its answer.",
        slow_answers,
        crash,
    ),
    scenario(
        "backend_password_file_unreadable",
        "Dovecot may not read its password file: right passwords are refused with 535.",
        unreadable,
        password_file_unreadable,
    ),
    scenario(
        "backend_restarted",
        "Dovecot stands still between two attempts of the same users: cut off, then served.",
        Setup::default,
        restarted,
    ),
    scenario(
        "no_mechanisms",
        "smtpd_sasl_security_options forbids all that Dovecot offers.",
        || Setup { postfix: vec![("smtpd_sasl_tls_security_options", "noanonymous, noplaintext")], ..Setup::default() },
        no_mechanisms,
    ),
];

fn private_socket() -> Setup {
    Setup { dovecot: Some(Dovecot { socket: ("0600", "root"), ..Dovecot::default() }), ..Setup::default() }
}

fn slow_answers() -> Setup {
    Setup { dovecot: Some(Dovecot { failure_delay_s: 4, ..Dovecot::default() }), ..Setup::default() }
}

fn unreadable() -> Setup {
    Setup { dovecot: Some(Dovecot { passdb: Passdb::Unreadable, ..Dovecot::default() }), ..Setup::default() }
}

/// Three clients, none of which gets as far as logging in.
fn three_are_cut_off(machine: &Machine, cause: &str) -> Result<()> {
    machine.client("203.0.113.20")?.open_killed(SUBMISSION, cause)?;
    machine.client("203.0.113.51")?.open_killed(SUBMISSIONS, cause)?;
    machine.client("2001:db8:1::7")?.open_killed(SUBMISSION, cause)
}

fn socket_missing(machine: &mut Machine) -> Result<()> {
    three_are_cut_off(machine, "backend.socket_missing")
}

fn connection_refused(machine: &mut Machine) -> Result<()> {
    machine.stop_dovecot()?;
    three_are_cut_off(machine, "backend.refused")
}

fn permission_denied(machine: &mut Machine) -> Result<()> {
    three_are_cut_off(machine, "backend.permission")
}

fn wrong_socket(machine: &mut Machine) -> Result<()> {
    three_are_cut_off(machine, "backend.wrong_socket")
}

fn no_mechanisms(machine: &mut Machine) -> Result<()> {
    three_are_cut_off(machine, "config.no_mechanisms")
}

fn lost_under_smtpd(machine: &mut Machine) -> Result<()> {
    let laptop = machine.client("203.0.113.20")?;
    laptop.login_once(SUBMISSION, Login::plain(&address("alice"), &password("alice")), Expected::ok())?;
    let mut waiting = laptop.open(SUBMISSION)?;
    machine.stop_dovecot()?;
    let fault = Expected::backend_fault(454, "backend.refused").nameless();
    waiting.login(Login::plain(&address("alice"), &password("alice")), fault)?;
    waiting.quit()?;
    machine.client("203.0.113.52")?.open_killed(SUBMISSIONS, "backend.refused")?;
    machine.start_dovecot()?;
    laptop.login_once(SUBMISSION, Login::plain(&address("alice"), &password("alice")), Expected::ok())
}

fn handshake_stall(machine: &mut Machine) -> Result<()> {
    let listener = UnixListener::bind(auth_socket())?;
    let (user, group) = owner_of("postfix")?;
    chown(auth_socket(), Some(user), Some(group))?;
    std::fs::set_permissions(auth_socket(), std::fs::Permissions::from_mode(0o660))?;
    // Accepted connections are kept open by the backlog of the listener, which nobody works on.
    machine.client("203.0.113.53")?.open_killed(SUBMISSION, "backend.handshake_stall")?;
    drop(listener);
    Ok(())
}

fn hangs(machine: &mut Machine) -> Result<()> {
    let (bob, carol) = (machine.client("203.0.113.54")?, machine.client("203.0.113.55")?);
    bob.login_once(SUBMISSION, Login::plain(&address("bob"), &password("bob")), Expected::ok())?;
    let mut bobs = bob.open(SUBMISSION)?;
    let mut carols = carol.open(SUBMISSION)?;
    machine.dovecot()?.pause_auth(true);
    let lost = Expected::backend_fault(454, "backend.connection_lost").nameless();
    let (bob_login, carol_login) = ((address("bob"), password("bob")), (address("carol"), password("carol")));
    thread::scope(|threads| {
        let other = threads.spawn(|| carols.login(Login::plain(&carol_login.0, &carol_login.1), lost));
        bobs.login(Login::plain(&bob_login.0, &bob_login.1), lost)?;
        other.join().unwrap_or_else(|_| anyhow::bail!("a client panicked"))
    })?;
    machine.dovecot()?.pause_auth(false);
    bobs.quit()?;
    carols.quit()?;
    bob.login_once(SUBMISSION, Login::plain(&bob_login.0, &bob_login.1), Expected::ok())
}

fn crash(machine: &mut Machine) -> Result<()> {
    let client = machine.client("203.0.113.56")?;
    let mut session = client.open(SUBMISSION)?;
    let lost = Expected::backend_fault(454, "backend.crash_or_restart").nameless();
    let dave = address("dave");
    thread::scope(|threads| {
        let login = threads.spawn(|| session.login(Login::plain(&dave, "coffee"), lost));
        // Long enough for the request to arrive, and shorter than the delay of its answer.
        thread::sleep(Duration::from_secs(1));
        machine.dovecot()?.crash_auth()?;
        login.join().unwrap_or_else(|_| anyhow::bail!("a client panicked"))
    })?;
    session.quit()
}

fn password_file_unreadable(machine: &mut Machine) -> Result<()> {
    let fault = Expected::backend_fault(535, "backend.store_error");
    for (ip, user) in [("203.0.113.57", "alice"), ("203.0.113.58", "bob"), ("203.0.113.59", "carol")] {
        machine.client(ip)?.login_once(SUBMISSION, Login::plain(&address(user), &password(user)), fault)?;
    }
    Ok(())
}

fn restarted(machine: &mut Machine) -> Result<()> {
    let users = [("203.0.113.60", "erin"), ("203.0.113.61", "frank")];
    machine.stop_dovecot()?;
    for (ip, _) in users {
        machine.client(ip)?.open_killed(SUBMISSION, "backend.refused")?;
    }
    machine.start_dovecot()?;
    for (ip, user) in users {
        machine.client(ip)?.login_once(SUBMISSION, Login::plain(&address(user), &password(user)), Expected::ok())?;
    }
    Ok(())
}
