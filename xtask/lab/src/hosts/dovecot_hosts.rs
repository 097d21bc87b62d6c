//! Dovecot set up wrongly, stopped, or asked about accounts.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use anyhow::Result;

use super::host::Host;
use super::{Case, broken, place, replace, weak};
use crate::accounts::address;
use crate::command::run;
use crate::daemons::dovecot::{Dovecot, Passdb, auth_socket};
use crate::login::{Expected, Login};
use crate::machine::{Setup, lab_path};
use crate::service::{SUBMISSION, SUBMISSIONS};

pub(super) const CASES: &[Case] = &[
    broken(
        "stopped_dovecot",
        "Dovecot was stopped; its socket is there, nobody listens.",
        stopped,
        &["dovecot.running"],
        "does not run",
    )
    .logged("backend.refused", "explained"),
    broken(
        "never_started",
        "Dovecot does not run, and its socket is gone.",
        socket_gone,
        &["dovecot.running"],
        "does not run",
    ),
    broken(
        "wrong_listener",
        "Dovecot listens at another place than Postfix asks.",
        wrong_listener,
        &["dovecot.listener"],
        "private/dovecot",
    ),
    broken("no_listener", "Dovecot has no listener for Postfix.", no_listener, &["dovecot.listener"], "no listener"),
    broken(
        "wrong_port",
        "Postfix asks over the network at a port on which Dovecot does not listen.",
        wrong_port,
        &["dovecot.listener"],
        "port 10001",
    ),
    broken(
        "socket_of_root",
        "The socket belongs to root alone.",
        socket_of_root,
        &["backend.permission"],
        "may not connect",
    )
    .on(|| of(Dovecot { socket: ("0600", "root"), ..Dovecot::default() }))
    .logged("backend.permission", "explained"),
    broken(
        "closed_folder",
        "The socket's folder belongs to root alone.",
        closed_folder,
        &["backend.permission"],
        "may not pass",
    ),
    broken("hung", "Dovecot's auth process hangs.", hung, &["backend.handshake"], "does not answer"),
    broken(
        "broken_dovecot_conf",
        "A setting that Dovecot does not know.",
        broken_conf,
        &["dovecot.config"],
        "Unknown setting",
    ),
    broken(
        "unreadable_passwords",
        "Dovecot may not read its password file.",
        nothing,
        &["dovecot.passdb"],
        "may not read",
    )
    .on(|| of(Dovecot { passdb: Passdb::Unreadable, ..Dovecot::default() })),
    broken(
        "missing_passwords",
        "Dovecot's password file does not exist.",
        missing_passwords,
        &["dovecot.passdb"],
        "does not exist",
    ),
    broken(
        "slow_refusal",
        "auth_failure_delay is longer than Postfix waits.",
        slow_refusal,
        &["dovecot.failure_delay"],
        "lost backend",
    ),
    broken(
        "passwords_in_log",
        "auth_verbose_passwords = plain.",
        nothing,
        &["dovecot.log_passwords"],
        "written into the log",
    )
    .on(|| of(Dovecot { log_passwords: "plain", ..Dovecot::default() })),
    weak("not_verbose", "auth_verbose is off.", nothing, &["dovecot.auth_verbose"], "nobody can tell")
        .on(|| of(Dovecot { verbose: false, ..Dovecot::default() })),
    weak("stored_in_clear", "CRAM-MD5 is offered.", nothing, &["dovecot.mechanisms"], "cram-md5")
        .on(|| of(Dovecot { mechanisms: "plain login cram-md5", ..Dovecot::default() })),
    weak(
        "few_connections",
        "client_limit is lower than what Postfix may open.",
        few_connections,
        &["dovecot.client_limit"],
        "takes 10 connections",
    ),
    weak(
        "penalty_of_proxy",
        "Everybody comes from a proxy's address, and Dovecot delays it.",
        penalty_of_proxy,
        &["dovecot.penalty"],
        "10.0.0.7",
    )
    .on(|| of(Dovecot { penalty: true, ..Dovecot::default() })),
    broken(
        "penalty_of_client",
        "The client asked about is being delayed.",
        penalty_of_client,
        &["dovecot.penalty"],
        "203.0.113.20",
    )
    .on(|| of(Dovecot { penalty: true, ..Dovecot::default() })),
    broken(
        "realm_missing",
        "The user logs in as alice, the account is alice@example.test.",
        realm_missing,
        &["account.form"],
        "domain is missing",
    ),
    broken(
        "unknown_account",
        "The account asked about does not exist.",
        unknown_account,
        &["account.passdb"],
        "unknown",
    ),
    broken(
        "denied_account",
        "The account asked about is in a deny database.",
        denied_account,
        &["account.restrictions"],
        "deny database",
    )
    .on(|| of(Dovecot { passdb: Passdb::Denied, ..Dovecot::default() })),
    broken(
        "allow_nets",
        "The account may log in from another network only.",
        allow_nets,
        &["account.restrictions"],
        "192.0.2.0/24",
    ),
    broken("wrong_login", "A login with --login and a wrong password.", wrong_login, &["wire.login"], "cannot log in"),
];

fn of(dovecot: Dovecot) -> Setup {
    Setup { dovecot: Some(dovecot), ..Setup::default() }
}

/// Some clients that are cut off, so that the log tells of it too.
fn cut_off(host: &Host, cause: &str) -> Result<()> {
    host.machine.client("203.0.113.20")?.open_killed(SUBMISSION, cause)?;
    host.machine.client("203.0.113.51")?.open_killed(SUBMISSIONS, cause)
}

fn nothing(host: &mut Host) -> Result<()> {
    host.reload()
}

fn stopped(host: &mut Host) -> Result<()> {
    host.machine.stop_dovecot()?;
    cut_off(host, "backend.refused")
}

fn socket_gone(host: &mut Host) -> Result<()> {
    host.machine.stop_dovecot()?;
    Ok(fs::remove_file(auth_socket())?)
}

fn wrong_listener(host: &mut Host) -> Result<()> {
    host.dovecot(
        &format!("unix_listener {} {{", auth_socket().display()),
        &format!("unix_listener {} {{", place("spool/private/dovecot")),
    )?;
    // Dovecot leaves the old one behind.
    let _ = fs::remove_file(auth_socket());
    Ok(())
}

fn no_listener(host: &mut Host) -> Result<()> {
    host.dovecot("mode = 0660\n", "mode = 0\n")?;
    let _ = fs::remove_file(auth_socket());
    Ok(())
}

fn wrong_port(host: &mut Host) -> Result<()> {
    host.dovecot(
        "service auth {",
        "service auth {\n  inet_listener {\n    address = 127.0.0.1\n    port = 10001\n  }",
    )?;
    host.main(&["smtpd_sasl_path=inet:127.0.0.1:10002"])
}

fn socket_of_root(host: &mut Host) -> Result<()> {
    cut_off(host, "backend.permission")
}

fn closed_folder(host: &mut Host) -> Result<()> {
    let folder = lab_path("closed");
    fs::create_dir(&folder)?;
    host.dovecot(
        &format!("unix_listener {} {{", auth_socket().display()),
        &format!("unix_listener {} {{", place("closed/auth")),
    )?;
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700))?;
    crate::command::wait_until("Dovecot makes its socket", std::time::Duration::from_secs(10), || {
        folder.join("auth").exists()
    })?;
    host.main(&[&format!("smtpd_sasl_path={}", place("closed/auth"))])
}

fn hung(host: &mut Host) -> Result<()> {
    host.machine.dovecot()?.pause_auth(true);
    Ok(())
}

fn broken_conf(_: &mut Host) -> Result<()> {
    replace(&lab_path("dovecot/dovecot.conf"), "auth_verbose =", "auth_loud =")
}

fn missing_passwords(host: &mut Host) -> Result<()> {
    host.dovecot(&place("dovecot/users"), &place("dovecot/gone"))
}

fn slow_refusal(host: &mut Host) -> Result<()> {
    host.dovecot("auth_failure_delay = 1 secs", "auth_failure_delay = 12 secs")
}

fn few_connections(host: &mut Host) -> Result<()> {
    host.dovecot("service auth {", "service auth {\n  client_limit = 10")
}

fn fail_from(host: &Host, ip: &str) -> Result<()> {
    let client = host.machine.client(ip)?;
    for user in ["alice", "bob"] {
        client.login_once(
            SUBMISSION,
            Login::plain(&address(user), "coffee"),
            Expected::failed("cred.password_mismatch"),
        )?;
    }
    Ok(())
}

fn penalty_of_proxy(host: &mut Host) -> Result<()> {
    run(std::process::Command::new("ip").args(["address", "add", "10.0.0.7/32", "dev", "lo"]))?;
    fail_from(host, "10.0.0.7")
}

fn penalty_of_client(host: &mut Host) -> Result<()> {
    host.with(&["--client", "203.0.113.20"]);
    fail_from(host, "203.0.113.20")
}

fn realm_missing(host: &mut Host) -> Result<()> {
    host.with(&["--account", "alice"]);
    Ok(())
}

fn unknown_account(host: &mut Host) -> Result<()> {
    host.with(&["--account", "nobody-here@example.test"]);
    Ok(())
}

fn denied_account(host: &mut Host) -> Result<()> {
    host.with(&["--account", &address("retired")]);
    Ok(())
}

fn allow_nets(host: &mut Host) -> Result<()> {
    host.with(&["--account", &address("travel"), "--client", "203.0.113.20"]);
    Ok(())
}

fn wrong_login(host: &mut Host) -> Result<()> {
    host.with_login(&address("alice"), "coffee");
    Ok(())
}
