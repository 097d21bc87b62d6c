//! Hosts with nothing wrong: whatever is called a fault there is none.

use std::time::Duration;

use anyhow::Result;

use super::cyrus_hosts::{ask_cyrus, with_saslauthd};
use super::fail2ban::{Fail2ban, MAIL_JAIL};
use super::host::Host;
use super::postfix_hosts::add_instance;
use super::{Case, as_it_is, weak};
use crate::accounts::{address, password};
use crate::command::wait_until;
use crate::login::{Expected, Login};
use crate::machine::lab_path;
use crate::service::{SUBMISSION, SUBMISSIONS};

pub(super) const CASES: &[Case] = &[
    weak("healthy_dovecot", "587 and 465, Dovecot, certificate of an authority: nothing wrong.", as_it_is, &[], ""),
    weak(
        "healthy_chroot",
        "The same under the stock names, both services chrooted, a known account asked about, and its login tried.",
        chrooted,
        &[],
        "",
    ),
    weak("healthy_cyrus", "The same with Cyrus SASL and saslauthd.", ask_cyrus, &[], "").on(with_saslauthd),
    weak("healthy_instances", "Two instances of Postfix and one Dovecot, with a socket for each.", instances, &[], ""),
    weak("healthy_fail2ban", "The same with fail2ban, and failed logins in the log.", with_fail2ban, &[], "")
        .logged("cred.password_mismatch", "open"),
];

fn chrooted(host: &mut Host) -> Result<()> {
    host.postconf(&["-F", "587/inet/chroot=y", "465/inet/chroot=y"])?;
    // As the stock master.cf calls them.
    host.postconf(&["-F", "25/inet/service=smtp", "587/inet/service=submission", "465/inet/service=submissions"])?;
    host.reload()?;
    host.with(&["--account", &address("alice"), "--client", "203.0.113.20"]);
    host.with_login(&address("alice"), &password("alice"));
    Ok(())
}

fn instances(host: &mut Host) -> Result<()> {
    add_instance(host, "private/auth")?;
    let socket = lab_path("spool-out/private/auth");
    let listener = format!("unix_listener {} {{\n    mode = 0660\n    user = postfix\n  }}", socket.display());
    host.dovecot("service auth {", &format!("service auth {{\n  {listener}"))?;
    wait_until("Dovecot makes its socket", Duration::from_secs(10), || socket.exists())
}

fn with_fail2ban(host: &mut Host) -> Result<()> {
    let client = host.machine.client("203.0.113.20")?;
    for service in [SUBMISSION, SUBMISSIONS] {
        client.login_once(
            service,
            Login::plain(&address("alice"), "coffee"),
            Expected::failed("cred.password_mismatch"),
        )?;
    }
    host.machine.syslog().settle()?;
    host.fail2ban = Some(Fail2ban::start(MAIL_JAIL)?);
    host.with(&["--client", "203.0.113.20"]);
    Ok(())
}
