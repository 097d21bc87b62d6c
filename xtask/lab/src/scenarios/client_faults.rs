//! Clients that give up, vanish, or speak SASL badly.

use anyhow::Result;

use super::{Scenario, scenario};
use crate::accounts::{address, password};
use crate::base64;
use crate::login::{Expected, Login};
use crate::machine::{Machine, Setup};
use crate::service::{CLEARTEXT, SUBMISSION};

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario(
        "auth_cancelled",
        "Clients cancel AUTH with a star at the first and at the second question.",
        Setup::default,
        cancelled,
    ),
    scenario("auth_malformed", "Responses that are no base64, or no name and password.", Setup::default, malformed),
    scenario("auth_response_too_long", "A response longer than smtpd_sasl_response_limit.", Setup::default, too_long),
    scenario(
        "connection_lost_mid_auth",
        "Clients hang up in the middle of AUTH, one of them right after a refused attempt.",
        Setup::default,
        lost_mid_auth,
    ),
    scenario(
        "timeout_mid_auth",
        "A client falls silent in the middle of AUTH until smtpd_timeout is over.",
        || Setup { postfix: vec![("smtpd_timeout", "3s")], ..Setup::default() },
        timeout_mid_auth,
    ),
    scenario(
        "pipelined_credentials",
        "A client does not wait for the EHLO reply: its credentials stand in the log (made-up ones).",
        Setup::default,
        pipelined,
    ),
];

fn cancelled(machine: &mut Machine) -> Result<()> {
    let client = machine.client("203.0.113.110")?;
    let mut session = client.open(SUBMISSION)?;
    let name = base64::encode(address("alice").as_bytes()).into_bytes();
    let cancel = [b"AUTH LOGIN".to_vec(), b"*".to_vec()];
    session.attempt(("LOGIN", None), &cancel, Expected::aborted())?;
    let cancel = [b"AUTH LOGIN".to_vec(), name, b"*".to_vec()];
    session.attempt(("LOGIN", Some(b"alice@example.test")), &cancel, Expected::aborted())?;
    session.quit()?;
    let other = machine.client("203.0.113.111")?;
    let mut session = other.open(SUBMISSION)?;
    session.attempt(("PLAIN", None), &[b"AUTH PLAIN".to_vec(), b"*".to_vec()], Expected::aborted())?;
    session.quit()
}

fn malformed(machine: &mut Machine) -> Result<()> {
    let malformed = Expected::failed("client.malformed_base64").nameless();
    let client = machine.client("203.0.113.112")?;
    let mut session = client.open(SUBMISSION)?;
    session.attempt(("PLAIN", None), &[b"AUTH PLAIN !!!!".to_vec()], malformed)?;
    session.quit()?;
    let mut session = client.open(SUBMISSION)?;
    session.attempt(("LOGIN", None), &[b"AUTH LOGIN".to_vec(), b"alice".to_vec()], malformed)?;
    session.quit()?;
    let mut session = client.open(SUBMISSION)?;
    let no_separators = base64::encode(b"alice tea");
    let invalid = Expected::failed("cred.bad_characters").nameless();
    session.attempt(("PLAIN", None), &[format!("AUTH PLAIN {no_separators}").into_bytes()], invalid)?;
    session.quit()
}

fn too_long(machine: &mut Machine) -> Result<()> {
    let client = machine.client("203.0.113.113")?;
    let mut session = client.open(SUBMISSION)?;
    let response = base64::encode(&[b'k'; 12_000]).into_bytes();
    let expected = Expected::uncounted(500, "client.response_too_long");
    session.attempt(("PLAIN", None), &[b"AUTH PLAIN".to_vec(), response], expected)?;
    session.quit()
}

fn lost_mid_auth(machine: &mut Machine) -> Result<()> {
    let client = machine.client("203.0.113.114")?;
    client.open(SUBMISSION)?.vanish("LOGIN")?;
    client.open(SUBMISSION)?.vanish("PLAIN")?;
    // Here the lost connection is only the goodbye.
    let other = machine.client("203.0.113.115")?;
    let mut session = other.open(SUBMISSION)?;
    session.login(Login::plain(&address("bob"), "coffee"), Expected::failed("cred.password_mismatch"))?;
    drop(session);
    let both = machine.client("203.0.113.116")?;
    let mut session = both.open(SUBMISSION)?;
    session.login(Login::plain(&address("bob"), "coffee"), Expected::failed("cred.password_mismatch"))?;
    session.vanish("LOGIN")
}

fn timeout_mid_auth(machine: &mut Machine) -> Result<()> {
    machine.client("203.0.113.118")?.open(SUBMISSION)?.stall("LOGIN")
}

fn pipelined(machine: &mut Machine) -> Result<()> {
    let client = machine.client("203.0.113.117")?;
    let mut session = client.connect(CLEARTEXT)?;
    session.expect_greeting()?;
    session.greet_and_login_at_once(
        &address("carol"),
        "carol-likes-coffee",
        Expected::failed("cred.password_mismatch"),
    )?;
    session.login(Login::plain(&address("carol"), &password("carol")), Expected::ok())?;
    session.quit()
}
