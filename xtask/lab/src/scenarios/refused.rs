//! AUTH commands that Postfix itself refuses, mostly without a word in the log.

use anyhow::Result;

use super::{Scenario, scenario};
use crate::accounts::{address, password};
use crate::login::{Expected, Login};
use crate::machine::{Machine, Setup};
use crate::service::{SMTPD, SUBMISSION};
use crate::truth::Happening;

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario(
        "auth_before_starttls_encrypt",
        "A mail program set to no encryption on 587, where TLS is demanded (530); then it is set right.",
        Setup::default,
        before_starttls_encrypt,
    ),
    scenario(
        "auth_before_starttls_may",
        "The same where TLS is offered and AUTH works only inside it (503).",
        || Setup { postfix: vec![("submission_tls_level", "may")], ..Setup::default() },
        before_starttls_may,
    ),
    scenario(
        "auth_on_port_25",
        "A mail program logs in on port 25, where nobody can, and is then refused as a relay.",
        Setup::default,
        on_port_25,
    ),
    scenario(
        "mechanism_not_offered",
        "Old mail programs ask for NTLM and CRAM-MD5, which Dovecot does not offer.",
        Setup::default,
        mechanism_not_offered,
    ),
    scenario("second_auth_in_session", "A client logs in twice in one session.", Setup::default, second_auth),
];

fn before_starttls_encrypt(machine: &mut Machine) -> Result<()> {
    refused_then_right(machine, 530, 530)
}

fn before_starttls_may(machine: &mut Machine) -> Result<()> {
    refused_then_right(machine, 503, 250)
}

fn refused_then_right(machine: &Machine, auth: u16, mail: u16) -> Result<()> {
    let (alice, password) = (address("alice"), password("alice"));
    let refused = Expected::refused(auth, "tls.auth_before_starttls");
    let laptop = machine.client("203.0.113.20")?;
    let mut session = laptop.connect(SUBMISSION)?;
    session.greet()?;
    session.login(Login::plain(&alice, &password), refused)?;
    session.command(format!("MAIL FROM:<{alice}>"), mail)?;
    session.quit()?;
    let printer = machine.client("203.0.113.62")?;
    let mut session = printer.connect(SUBMISSION)?;
    session.greet()?;
    session.login(Login::in_steps("printer@example.test", "toner"), refused)?;
    session.login(Login::plain("printer@example.test", "toner"), refused)?;
    session.quit()?;
    laptop.login_once(SUBMISSION, Login::plain(&alice, &password), Expected::ok())
}

fn on_port_25(machine: &mut Machine) -> Result<()> {
    let bob = address("bob");
    let client = machine.client("203.0.113.63")?;
    let mut session = client.open(SMTPD)?;
    session.login(Login::plain(&bob, &password("bob")), Expected::refused(503, "config.auth_not_enabled"))?;
    session.command(format!("MAIL FROM:<{bob}>"), 250)?;
    session.refused_recipient("friend@example.org", 554, Happening::RelayDenied, "policy.relay_denied")?;
    session.quit()
}

fn mechanism_not_offered(machine: &mut Machine) -> Result<()> {
    let refused = Expected::failed("client.mechanism_unsupported").nameless();
    let old = machine.client("203.0.113.64")?;
    for mechanism in ["NTLM", "CRAM-MD5", "ntlm"] {
        let mut session = old.open(SUBMISSION)?;
        session.attempt((mechanism, None), &[format!("AUTH {mechanism}").into_bytes()], refused)?;
        session.quit()?;
    }
    let other = machine.client("203.0.113.65")?;
    let mut session = other.open(SUBMISSION)?;
    session.attempt(("DIGEST-MD5", None), &[b"AUTH DIGEST-MD5".to_vec()], refused)?;
    session.login(Login::plain(&address("carol"), &password("carol")), Expected::ok())?;
    session.quit()
}

fn second_auth(machine: &mut Machine) -> Result<()> {
    let login = (address("dave"), password("dave"));
    let client = machine.client("203.0.113.66")?;
    let mut session = client.open(SUBMISSION)?;
    session.login(Login::plain(&login.0, &login.1), Expected::ok())?;
    session.login(Login::plain(&login.0, &login.1), Expected::refused(503, "client.double_auth"))?;
    session.quit()
}
