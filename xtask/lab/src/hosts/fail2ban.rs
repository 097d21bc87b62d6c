//! fail2ban beside Postfix: well set up, blind, deaf, or holding the very client.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use super::host::Host;
use super::{Case, broken, weak};
use crate::accounts::address;
use crate::command::run;
use crate::daemons::syslog;
use crate::login::{Expected, Login};
use crate::machine::lab_path;
use crate::service::SUBMISSION;

pub(super) const CASES: &[Case] = &[
    broken("fail2ban_blind", "The jail reads a file in which Postfix does not log.", blind, &["fail2ban.log"], "blind"),
    broken(
        "fail2ban_deaf",
        "Only the jail [postfix] is on, whose filter matches no failed login.",
        deaf,
        &["fail2ban.filter"],
        "no filter matches",
    ),
    broken("banned_client", "The client asked about is banned.", banned, &["fail2ban.client"], "postfix-sasl"),
    weak("no_mail_jail", "fail2ban runs without a jail for mail.", no_mail_jail, &["fail2ban.jails"], "no jail"),
    weak("fail2ban_stopped", "fail2ban is installed and does not run.", stopped, &["fail2ban.running"], "does not run"),
];

/// A jail as Debian's documentation has it, without firewall.
pub(super) const MAIL_JAIL: &str = "[postfix-sasl]\nenabled = true\nbackend = polling\nlogpath = LOG\naction =\n";

/// A running fail2ban; dropped, it is gone.
pub(super) struct Fail2ban;

impl Fail2ban {
    /// Starts it with these jails; `LOG` stands for the host's mail log.
    pub(super) fn start(jails: &str) -> Result<Fail2ban> {
        configure(jails)?;
        client(&["start"])?;
        Ok(Fail2ban)
    }
}

impl Drop for Fail2ban {
    fn drop(&mut self) {
        // Its namespace ends soon in any case.
        let _ = client(&["stop"]);
    }
}

fn configure(jails: &str) -> Result<()> {
    run(Command::new("cp").arg("-a").arg("/etc/fail2ban").arg(folder()))?;
    // Debian switches sshd on, and there is none here.
    let _ = fs::remove_dir_all(folder().join("jail.d"));
    fs::write(folder().join("jail.local"), jails.replace("LOG", &syslog::iso_log().display().to_string()))?;
    let own = |name: &str| lab_path(name).display().to_string();
    let local = format!("[DEFAULT]\nlogtarget = {}\ndbfile = None\n", own("fail2ban.log"));
    Ok(fs::write(folder().join("fail2ban.local"), local)?)
}

fn folder() -> PathBuf {
    lab_path("fail2ban")
}

fn client(arguments: &[&str]) -> Result<String> {
    let mut command = Command::new("fail2ban-client");
    command.arg("-c").arg(folder()).arg("-s").arg(lab_path("fail2ban.sock")).arg("-p").arg(lab_path("fail2ban.pid"));
    run(command.args(arguments))
}

fn fail(host: &mut Host) -> Result<()> {
    let client = host.machine.client("203.0.113.20")?;
    client.login_once(
        SUBMISSION,
        Login::plain(&address("alice"), "coffee"),
        Expected::failed("cred.password_mismatch"),
    )?;
    host.machine.syslog().settle()
}

fn blind(host: &mut Host) -> Result<()> {
    fail(host)?;
    let other = lab_path("syslog/other.log");
    fs::write(&other, "Nov 22 10:00:00 mail cron[1]: nothing\n")?;
    host.fail2ban = Some(Fail2ban::start(&MAIL_JAIL.replace("LOG", &other.display().to_string()))?);
    Ok(())
}

fn deaf(host: &mut Host) -> Result<()> {
    fail(host)?;
    host.fail2ban = Some(Fail2ban::start("[postfix]\nenabled = true\nbackend = polling\nlogpath = LOG\naction =\n")?);
    Ok(())
}

fn banned(host: &mut Host) -> Result<()> {
    fail(host)?;
    host.fail2ban = Some(Fail2ban::start(MAIL_JAIL)?);
    client(&["set", "postfix-sasl", "banip", "203.0.113.20"])?;
    host.with(&["--client", "203.0.113.20"]);
    Ok(())
}

fn no_mail_jail(host: &mut Host) -> Result<()> {
    host.fail2ban = Some(Fail2ban::start("")?);
    Ok(())
}

fn stopped(_: &mut Host) -> Result<()> {
    configure(MAIL_JAIL)
}
