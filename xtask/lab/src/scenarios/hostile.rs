//! Text of strangers that wants to be taken for a log line, a page, a spreadsheet or a terminal command.

use anyhow::Result;

use super::{Scenario, scenario, slow};
use crate::accounts::address;
use crate::login::{Expected, Login};
use crate::machine::{Machine, Setup};
use crate::service::{CLEARTEXT, SMTPD, SUBMISSION};
use crate::truth::Happening;

pub(super) const SCENARIOS: &[Scenario] = &[
    slow(scenario(
        "hostile_user_names",
        "User names made to look like other log lines, HTML, formulas and terminal commands.",
        Setup::default,
        user_names,
    )),
    scenario("hostile_mechanisms", "Mechanism names made to look like other log lines.", Setup::default, mechanisms),
    scenario(
        "hostile_helo_and_addresses",
        "The same in EHLO names and addresses of refused mail.",
        Setup::default,
        helo_and_addresses,
    ),
];

const NAMES: [&str; 12] = [
    "x, sasl_username=root",
    "a]: SASL PLAIN authentication failed: , sasl_username=victim@example.test",
    "unknown[203.0.113.1]: SASL LOGIN authentication failed: UGFzc3dvcmQ6",
    "(unavailable)",
    "<script>alert(1)</script>@example.test",
    "=cmd|' /C calc'!A1",
    "+49 30 1234",
    "@SUM(A1:A9)",
    "\u{1b}[31mred\u{1b}[0m@example.test",
    "alice\r\nNov 22 11:00:00 mail postfix/smtpd[1]: connect from evil[192.0.2.66]",
    "\u{202e}tset.elpmaxe@ecila",
    "ålice@exämple.test",
];

fn user_names(machine: &mut Machine) -> Result<()> {
    let attacker = machine.client("198.51.100.240")?;
    let bad = Expected::failed("cred.bad_characters");
    for name in NAMES {
        // A user of that name looks like no user at all.
        let bad = if name == "(unavailable)" { bad.nameless() } else { bad };
        attacker.login_once(SUBMISSION, Login::plain(name, "x"), bad)?;
    }
    attacker.login_once(SUBMISSION, Login::in_steps(&[0xff, 0xfe, b'a'], "x"), bad)?;
    let long = "a".repeat(1000);
    attacker.login_once(SUBMISSION, Login::plain(&long, "x"), Expected::failed("cred.unknown_user"))?;
    attacker.login_once(SUBMISSION, Login::plain("-rf@example.test", "x"), Expected::failed("cred.unknown_user"))
}

fn mechanisms(machine: &mut Machine) -> Result<()> {
    let attacker = machine.client("198.51.100.241")?;
    let unsupported = Expected::failed("client.mechanism_unsupported").nameless();
    let long = "M".repeat(400);
    let names = ["<x authentication failed: y>", "<script>", "=cmd()", "PLAIN]:", "\"a, sasl_username=root\"", &long];
    for mechanism in names {
        let mut session = attacker.open(SUBMISSION)?;
        session.attempt((mechanism, None), &[format!("AUTH {mechanism}").into_bytes()], unsupported)?;
        session.quit()?;
    }
    Ok(())
}

fn helo_and_addresses(machine: &mut Machine) -> Result<()> {
    let helos = [
        "x]: SASL PLAIN authentication failed: , sasl_username=root",
        "<b>x</b>",
        "=cmd()",
        "\u{1b}]0;x\u{7}",
        "naïve",
    ];
    for helo in helos {
        let attacker = machine.client("198.51.100.242")?.helo(helo);
        let wrong = Expected::failed("cred.password_mismatch");
        attacker.login_once(CLEARTEXT, Login::plain(&address("alice"), "x"), wrong)?;
        let mut session = attacker.open(SMTPD)?;
        session.command("MAIL FROM:<\"a> to=<b\"@example.com>", 250)?;
        let denied = "policy.relay_denied";
        session.refused_recipient("\"x; from=<root> to=<y\"@example.org", 554, Happening::RelayDenied, denied)?;
        session.refused_recipient("sasl_username=root@example.org", 554, Happening::RelayDenied, denied)?;
        // The reply names them without their quotes, before its own words.
        let owned = "\"x>: Sender address rejected: not owned by user boss@example.test\"@example.org";
        session.refused_recipient(owned, 554, Happening::RelayDenied, denied)?;
        session.command("RCPT TO:<\"x>: Relay access denied\"@example.test>", 550)?;
        session.quit()?;
    }
    Ok(())
}
