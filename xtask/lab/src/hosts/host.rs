//! A host under the doctor's eyes: three well-kept ports, an own authority for certificates, and the admin's commands to
//! change things with.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use super::fail2ban::Fail2ban;
use super::{place, replace};
use crate::command::run;
use crate::daemons::syslog;
use crate::machine::{Machine, Setup, lab_path};

/// Ports of the lab's Postfix that a plain mail host does not have.
const OTHER_PORTS: [&str; 7] = ["2525", "1587", "2587", "3587", "4587", "127.0.0.1:10025", ""];

/// A host, and with which options the program is asked about it.
pub(super) struct Host {
    pub(super) machine: Machine,
    pub(super) options: Vec<OsString>,
    pub(super) fail2ban: Option<Fail2ban>,
    /// What stands on the program's standard input.
    pub(super) input: String,
}

impl Host {
    /// Starts the daemons, and closes all ports but 25, 587 and 465.
    pub(super) fn start(setup: Setup, number: usize) -> Result<Host> {
        let machine = Machine::start(setup, number, None)?;
        let mut host = Host { machine, options: Vec::new(), fail2ban: None, input: String::new() };
        for port in OTHER_PORTS.iter().filter(|port| !port.is_empty()) {
            host.postconf(&["-M#", &format!("{port}/inet")])?;
        }
        host.certificate("mail.example.test", 90)?;
        host.reload()?;
        Ok(host)
    }

    /// Runs `postconf` on the host's Postfix.
    pub(super) fn postconf(&mut self, arguments: &[&str]) -> Result<()> {
        run(Command::new("postconf").arg("-c").arg(lab_path("postfix")).args(arguments)).map(drop)
    }

    /// Settings of `main.cf`, taken up at once.
    pub(super) fn main(&mut self, settings: &[&str]) -> Result<()> {
        self.postconf(&[&["-e"], settings].concat())?;
        self.reload()
    }

    /// Settings of services (`587/inet/smtpd_tls_auth_only=no`), taken up at once.
    pub(super) fn services(&mut self, settings: &[&str]) -> Result<()> {
        self.postconf(&[&["-P"], settings].concat())?;
        self.reload()
    }

    /// `postfix reload`.
    pub(super) fn reload(&mut self) -> Result<()> {
        run(Command::new("postfix").arg("-c").arg(lab_path("postfix")).arg("reload")).map(drop)
    }

    /// Changes Dovecot's configuration, taken up at once.
    pub(super) fn dovecot(&mut self, from: &str, to: &str) -> Result<()> {
        let config = lab_path("dovecot/dovecot.conf");
        replace(&config, from, to)?;
        run(Command::new("doveadm").arg("-c").arg(&config).arg("reload")).map(drop)
    }

    /// A certificate of the host's own authority, for that name and so many days; below 0 it has ended.
    pub(super) fn certificate(&mut self, name: &str, days: i32) -> Result<()> {
        let (ca, ca_key) = (place("postfix/ca.pem"), place("postfix/ca.key"));
        let (request, key, leaf) = (place("postfix/request.pem"), place("postfix/key.pem"), place("postfix/leaf.pem"));
        let new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
        let authority =
            ["req", "-x509", "-days", "3650", "-subj", "/CN=Lab Authority", "-keyout", &ca_key, "-out", &ca];
        run(Command::new("openssl").args(authority).args(new_key))?;
        let subject = format!("/CN={name}");
        let asked = ["req", "-subj", &subject, "-keyout", &key, "-out", &request];
        run(Command::new("openssl").args(asked).args(new_key))?;
        let names = place("postfix/names");
        fs::write(&names, format!("subjectAltName = DNS:{name}\n"))?;
        let days = days.to_string();
        let sign = ["x509", "-req", "-in", &request, "-CA", &ca, "-CAkey", &ca_key, "-CAcreateserial", "-days", &days];
        run(Command::new("openssl").args(sign).args(["-extfile", &names, "-out", &leaf]))?;
        let chain = fs::read_to_string(&leaf)? + &fs::read_to_string(&ca)?;
        fs::write(lab_path("postfix/cert.pem"), chain)?;
        Ok(())
    }

    /// Options for the program.
    pub(super) fn with(&mut self, options: &[&str]) {
        self.options.extend(options.iter().map(Into::into));
    }

    /// Has the program try a login.
    pub(super) fn with_login(&mut self, user: &str, password: &str) {
        self.with(&["--login", user, "--password-fd", "0"]);
        self.input = format!("{password}\n");
    }

    /// Asks the program, and returns its exit code and its answer.
    pub(super) fn ask(&mut self, program: &Path) -> Result<(i32, Value)> {
        self.machine.syslog().settle()?;
        let mut command = Command::new(program);
        command.args(["doctor", "--json", "--quiet"]).args(["--postfix-config", &place("postfix")]);
        command.args(["--dovecot-config", &place("dovecot/dovecot.conf")]);
        command.args(["--fail2ban-config", &place("fail2ban"), "--fail2ban-socket", &place("fail2ban.sock")]);
        fs::write(lab_path("input"), &self.input)?;
        command.stdin(fs::File::open(lab_path("input"))?);
        let output = command.args(&self.options).arg(syslog::iso_log()).output().context("cannot run the program")?;
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        let answer = serde_json::from_slice(&output.stdout).with_context(|| format!("no JSON: {complaint}"))?;
        Ok((output.status.code().context("the program was killed")?, answer))
    }
}
