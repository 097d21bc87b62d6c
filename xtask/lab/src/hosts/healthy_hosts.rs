//! Hosts with nothing wrong: whatever is called a fault there is none.

use anyhow::Result;

use super::cyrus_hosts::{ask_cyrus, with_saslauthd};
use super::fail2ban::{Fail2ban, MAIL_JAIL};
use super::host::Host;
use super::{Case, as_it_is, weak};
use crate::accounts::address;
use crate::login::{Expected, Login};
use crate::service::{SUBMISSION, SUBMISSIONS};

pub(super) const CASES: &[Case] = &[
    weak("healthy_dovecot", "587 and 465, Dovecot, certificate of an authority: nothing wrong.", as_it_is, &[], ""),
    weak(
        "healthy_chroot",
        "The same under the stock names, both services chrooted, with a known account asked about.",
        chrooted,
        &[],
        "",
    ),
    weak("healthy_cyrus", "The same with Cyrus SASL and saslauthd.", ask_cyrus, &[], "").on(with_saslauthd),
    weak("healthy_fail2ban", "The same with fail2ban, and failed logins in the log.", with_fail2ban, &[], "")
        .logged("cred.password_mismatch", "open"),
];

fn chrooted(host: &mut Host) -> Result<()> {
    host.postconf(&["-F", "587/inet/chroot=y", "465/inet/chroot=y"])?;
    // As the stock master.cf calls them.
    host.postconf(&["-F", "25/inet/service=smtp", "587/inet/service=submission", "465/inet/service=submissions"])?;
    host.reload()?;
    host.with(&["--account", &address("alice"), "--client", "203.0.113.20"]);
    Ok(())
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
