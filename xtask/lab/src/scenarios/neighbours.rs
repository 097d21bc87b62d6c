//! Lines that look like failed submissions and are none: our own relay host, and IMAP.

use std::sync::atomic::Ordering;

use anyhow::{Result, ensure};

use super::{Scenario, scenario};
use crate::accounts::{address, password};
use crate::daemons::dovecot::Dovecot;
use crate::foreign::{Foreign, Trade};
use crate::login::{Expected, Login};
use crate::machine::{FOREIGN_RELAY, Machine, Setup};
use crate::service::{SUBMISSION, Service, Tls};
use crate::truth::{Fate, Happening};

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario(
        "own_login_at_relayhost_fails",
        "Postfix cannot log in at its relay host: mail of users who logged in is put off.",
        through_relay,
        relayhost,
    ),
    scenario(
        "imap_fails_too",
        "A mail program with an old password fails in IMAP as well as on submission.",
        || Setup { dovecot: Some(Dovecot { imap: true, ..Dovecot::default() }), ..Setup::default() },
        imap,
    ),
];

fn through_relay() -> Setup {
    let postfix = vec![
        ("relayhost", "[relay.example.org]:587"),
        ("transport_maps", ""),
        ("smtp_sasl_auth_enable", "yes"),
        ("smtp_sasl_password_maps", "texthash:$config_directory/relay-passwords"),
        ("smtp_sasl_security_options", "noanonymous"),
    ];
    Setup { postfix, ..Setup::default() }
}

fn relayhost(machine: &mut Machine) -> Result<()> {
    let relay = Foreign::start(FOREIGN_RELAY, 587, Trade::Login)?;
    let mut session = machine.client("203.0.113.20")?.open(SUBMISSION)?;
    session.login(Login::plain(&address("alice"), &password("alice")), Expected::ok())?;
    session.mail(&address("alice"), &["friend@example.org"], Fate { deferred: 1, ..Fate::default() })?;
    session.quit()?;
    machine.postfix().drain(1)?;
    let refused = relay.counts.logins_refused.load(Ordering::SeqCst);
    ensure!(refused == 1, "the relay host refused {refused} logins");
    machine.truth().event(Happening::RelayhostAuthFailed, None, "smtp", "outbound.sasl_client");
    Ok(())
}

/// Not a service of Postfix; nothing of it is counted.
const IMAP: Service = Service { tag: "imap", port: 143, tls: Tls::Never };

fn imap(machine: &mut Machine) -> Result<()> {
    let grace = address("grace");
    let client = machine.client("203.0.113.140")?;
    for _ in 0..2 {
        imap_login(&client, &grace, "coffee", "a NO")?;
        client.login_once(SUBMISSION, Login::plain(&grace, "coffee"), Expected::failed("cred.password_mismatch"))?;
    }
    imap_login(&client, &grace, &password("grace"), "a OK")?;
    client.login_once(SUBMISSION, Login::plain(&grace, &password("grace")), Expected::ok())
}

fn imap_login(client: &crate::client::Client, user: &str, password: &str, answer: &str) -> Result<()> {
    let mut session = client.connect(IMAP)?;
    let greeting = session.line()?.unwrap_or_default();
    ensure!(greeting.starts_with("* OK"), "IMAP greeting {greeting:?}");
    session.send(format!("a LOGIN {user} {password}").as_bytes())?;
    let mut line = session.line()?.unwrap_or_default();
    while line.starts_with('*') {
        line = session.line()?.unwrap_or_default();
    }
    ensure!(line.starts_with(answer), "IMAP login: expected {answer}, got {line:?}");
    session.send(b"b LOGOUT")?;
    while session.line()?.is_some() {}
    Ok(())
}
