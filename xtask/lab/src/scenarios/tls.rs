//! TLS handshakes that fail.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::{Scenario, scenario};
use crate::accounts::{address, password};
use crate::client::Client;
use crate::login::{Expected, Login};
use crate::machine::{Machine, SERVER, Setup};
use crate::service::{SUBMISSION, SUBMISSIONS};
use crate::tls::Trust;
use crate::truth::Happening;

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario(
        "plain_text_to_465",
        "A mail program set to STARTTLS or to nothing speaks plain text to port 465; then it is set right.",
        Setup::default,
        plain_text_to_465,
    ),
    scenario(
        "implicit_tls_on_587",
        "A mail program set to SSL/TLS speaks TLS at once to port 587: no line says so; then it is set right.",
        Setup::default,
        implicit_tls_on_587,
    ),
    scenario(
        "old_tls_version",
        "An old scanner speaks TLS 1.1 at most, on 465 and after STARTTLS.",
        Setup::default,
        old_tls_version,
    ),
    scenario(
        "certificate_distrusted",
        "Mail programs hang up on the server's certificate: unknown issuer, wrong name, expired.",
        Setup::default,
        certificate_distrusted,
    ),
];

fn plain_text_to_465(machine: &mut Machine) -> Result<()> {
    let client = machine.client("203.0.113.100")?;
    for _ in 0..2 {
        let mut session = client.connect(SUBMISSIONS)?;
        session.send(b"EHLO client.example.net")?;
        session.expect_the_end()?;
        client.saw(Happening::TlsFailed, SUBMISSIONS, "tls.plaintext_to_wrapper");
    }
    client.login_once(SUBMISSIONS, Login::plain(&address("alice"), &password("alice")), Expected::ok())
}

fn implicit_tls_on_587(machine: &mut Machine) -> Result<()> {
    let client = machine.client("203.0.113.105")?;
    for _ in 0..2 {
        let mut session = client.connect(SUBMISSION)?;
        // It takes the greeting for the start of a TLS record, and waits for the rest.
        session.patience(Duration::from_secs(2))?;
        ensure!(session.tls(Trust::Anything).is_err(), "port 587 speaks TLS at once");
        let cause = "tls.wrapper_client_on_starttls_port";
        client.saw(Happening::Uncounted, SUBMISSION, cause);
    }
    client.login_once(SUBMISSION, Login::plain(&address("bob"), &password("bob")), Expected::ok())
}

fn old_tls_version(machine: &mut Machine) -> Result<()> {
    let scanner = machine.client("203.0.113.101")?;
    let old = "tls.version_or_cipher";
    openssl(&scanner, 465, &["-tls1_1"])?;
    scanner.saw(Happening::TlsFailed, SUBMISSIONS, old);
    openssl(&scanner, 587, &["-tls1", "-starttls", "smtp"])?;
    scanner.saw(Happening::TlsFailed, SUBMISSION, old);
    Ok(())
}

/// Connects with the `openssl` program, which must not get through.
fn openssl(client: &Client, port: u16, options: &[&str]) -> Result<()> {
    let mut command = Command::new("openssl");
    command.args(["s_client", "-connect", &format!("{SERVER}:{port}"), "-bind", &format!("{}:0", client.ip)]);
    command.args(["-cipher", "ALL:@SECLEVEL=0"]).args(options).stdin(Stdio::null());
    let output = command.output().context("cannot run openssl")?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(!output.status.success() && said.contains("alert protocol version"), "openssl {options:?}: {said}");
    Ok(())
}

fn certificate_distrusted(machine: &mut Machine) -> Result<()> {
    let opinions = [
        ("203.0.113.102", Trust::UnknownIssuer, "tls.cert_rejected"),
        ("203.0.113.103", Trust::WrongName, "tls.cert_rejected"),
        ("203.0.113.104", Trust::Expired, "tls.cert_expired"),
    ];
    for (ip, trust, cause) in opinions {
        let client = machine.client(ip)?;
        let mut session = client.connect(SUBMISSION)?;
        session.greet()?;
        session.command("STARTTLS", 220)?;
        ensure!(session.tls(trust).is_err(), "the client trusts after all");
        client.saw(Happening::TlsFailed, SUBMISSION, cause);
        let mut session = client.connect(SUBMISSIONS)?;
        ensure!(session.tls(trust).is_err(), "the client trusts after all");
        client.saw(Happening::TlsFailed, SUBMISSIONS, cause);
    }
    Ok(())
}
