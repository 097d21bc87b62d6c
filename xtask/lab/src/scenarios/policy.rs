//! Mail that is refused as nobody has logged in, or as somebody else has.

use anyhow::Result;

use super::{Scenario, scenario};
use crate::accounts::{address, password};
use crate::login::{Expected, Login};
use crate::machine::{Machine, Setup};
use crate::service::{OWNERS, SMTPD, SUBMISSION, SUBMISSIONS};
use crate::truth::{Fate, Happening};

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario(
        "relay_denied_on_25",
        "A stranger offers mail for other domains on port 25 (554), among it one for here.",
        Setup::default,
        relay_denied,
    ),
    scenario(
        "relay_deferred_on_25",
        "The same with Postfix's stock defer_unauth_destination (454).",
        || Setup { postfix: vec![("smtpd_relay_restrictions", "defer_unauth_destination")], ..Setup::default() },
        relay_deferred,
    ),
    scenario(
        "relay_denied_after_login",
        "A misconfigured submission port refuses to relay for a user who has logged in.",
        || Setup {
            postfix: vec![("submission_recipient_restrictions", "reject_unauth_destination")],
            ..Setup::default()
        },
        relay_denied_after_login,
    ),
    scenario(
        "not_logged_in_recipient",
        "A mail program without a login on 587 and 465: Recipient address rejected.",
        Setup::default,
        not_logged_in,
    ),
    scenario(
        "not_logged_in_client_host",
        "The same where smtpd_client_restrictions says it: Client host rejected.",
        || Setup {
            postfix: vec![("submission_client_restrictions", "permit_sasl_authenticated, reject")],
            ..Setup::default()
        },
        not_logged_in,
    ),
    scenario(
        "sender_mismatch",
        "A user logs in and sends from addresses of somebody else, then from the own one.",
        Setup::default,
        sender_mismatch,
    ),
];

const RELAY: &str = "policy.relay_denied";

fn relay_denied(machine: &mut Machine) -> Result<()> {
    let stranger = machine.client("198.51.100.77")?.helo("mailer.example.com");
    let mut session = stranger.open(SMTPD)?;
    session.command("MAIL FROM:<spam@example.com>", 250)?;
    for to in ["friend@example.org", "enemy@example.org", "friend@example.net"] {
        session.refused_recipient(to, 554, Happening::RelayDenied, RELAY)?;
    }
    session.command("RSET", 250)?;
    session.mail("news@example.com", &["alice@example.test"], Fate { sent: 1, ..Fate::default() })?;
    session.quit()?;
    machine.postfix().drain(0)
}

fn relay_deferred(machine: &mut Machine) -> Result<()> {
    let mut session = machine.client("198.51.100.78")?.open(SMTPD)?;
    session.command("MAIL FROM:<alice@example.test>", 250)?;
    session.refused_recipient("friend@example.org", 454, Happening::RelayDenied, RELAY)?;
    session.quit()
}

fn relay_denied_after_login(machine: &mut Machine) -> Result<()> {
    let mut session = machine.client("203.0.113.20")?.open(SUBMISSION)?;
    session.login(Login::plain(&address("alice"), &password("alice")), Expected::ok())?;
    session.command("MAIL FROM:<alice@example.test>", 250)?;
    session.refused_recipient("friend@example.org", 554, Happening::RelayDenied, RELAY)?;
    session.quit()
}

fn not_logged_in(machine: &mut Machine) -> Result<()> {
    for (ip, service) in [("203.0.113.70", SUBMISSION), ("203.0.113.71", SUBMISSIONS)] {
        let mut session = machine.client(ip)?.open(service)?;
        session.command("MAIL FROM:<alice@example.test>", 250)?;
        for to in ["friend@example.org", "bob@example.test"] {
            session.refused_recipient(to, 554, Happening::NotLoggedIn, "policy.not_authenticated")?;
        }
        session.quit()?;
    }
    Ok(())
}

fn sender_mismatch(machine: &mut Machine) -> Result<()> {
    let mut session = machine.client("203.0.113.72")?.open(OWNERS)?;
    session.login(Login::plain(&address("bob"), &password("bob")), Expected::ok())?;
    for from in ["ceo@example.test", "alice@example.test"] {
        session.command(format!("MAIL FROM:<{from}>"), 250)?;
        let cause = "policy.sender_login_mismatch";
        session.refused_recipient("alice@example.test", 553, Happening::SenderMismatch, cause)?;
        session.command("RSET", 250)?;
    }
    session.mail("bob@example.test", &["alice@example.test"], Fate { sent: 1, ..Fate::default() })?;
    session.quit()?;
    machine.postfix().drain(0)
}
