//! Dovecot 2.3 as the judge of logins, and now and then as an IMAP server.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;

use super::{Running, is_alive, signal};
use crate::accounts;
use crate::command::{run, wait_until};
use crate::machine::{SERVER, lab_path};

/// How Dovecot is set up.
#[derive(Clone, Debug)]
pub(crate) struct Dovecot {
    /// `auth_verbose`.
    pub(crate) verbose: bool,
    /// `auth_failure_delay`.
    pub(crate) failure_delay_s: u32,
    /// Whether clients with many failures have to wait (Dovecot's default).
    pub(crate) penalty: bool,
    /// `auth_mechanisms`.
    pub(crate) mechanisms: &'static str,
    /// The account databases.
    pub(crate) passdb: Passdb,
    /// Mode and owner of the socket that Postfix connects to.
    pub(crate) socket: (&'static str, &'static str),
    /// Whether there is an IMAP server too.
    pub(crate) imap: bool,
    /// Whether it takes mail by LMTP, for Postfix to deliver to.
    pub(crate) lmtp: bool,
    /// `auth_verbose_passwords`: whether a wrong password is logged.
    pub(crate) log_passwords: &'static str,
}

/// Where Dovecot looks up passwords.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passdb {
    /// A file.
    File,
    /// A file, behind a file of denied accounts.
    Denied,
    /// A file with hashes only, which challenge-response mechanisms cannot use.
    Hashed,
    /// A file that the auth process may not read.
    Unreadable,
    /// The system's accounts, by the shadow file.
    Shadow,
    /// The system's accounts, by PAM.
    Pam,
}

impl Default for Dovecot {
    fn default() -> Dovecot {
        Dovecot {
            verbose: true,
            failure_delay_s: 1,
            penalty: false,
            mechanisms: "plain login",
            passdb: Passdb::File,
            socket: ("0660", "postfix"),
            imap: false,
            lmtp: false,
            log_passwords: "no",
        }
    }
}

/// A running Dovecot.
pub(crate) struct RunningDovecot {
    daemon: Running,
}

impl Dovecot {
    /// Starts it and waits for its sockets.
    pub(crate) fn start(&self) -> Result<RunningDovecot> {
        fs::create_dir_all(lab_path("dovecot/state"))?;
        accounts::write_dovecot_files()?;
        let config = lab_path("dovecot/dovecot.conf");
        fs::write(&config, self.configuration())?;
        let daemon = Running::start(Command::new("dovecot").arg("-F").arg("-c").arg(&config))?;
        wait_until("Dovecot's auth process answers", Duration::from_secs(10), answers)?;
        Ok(RunningDovecot { daemon })
    }

    fn configuration(&self) -> String {
        let (mode, owner) = self.socket;
        let verbose = if self.verbose { "yes" } else { "no" };
        let protocols = [(self.imap, "imap"), (self.lmtp, "lmtp")];
        let protocols = protocols.into_iter().filter_map(|(on, name)| on.then_some(name)).collect::<Vec<_>>().join(" ");
        let penalty = if self.penalty { "" } else { "unix_listener anvil-auth-penalty {\n    mode = 0\n  }" };
        format!(
            r"base_dir = {run}
state_dir = {state}
log_path = syslog
syslog_facility = mail
protocols = {protocols}
listen = {SERVER}
ssl = no
disable_plaintext_auth = no
auth_mechanisms = {mechanisms}
auth_verbose = {verbose}
auth_verbose_passwords = {log_passwords}
auth_failure_delay = {delay} secs
mail_location = maildir:{lab}/mail/%u
first_valid_uid = 1
{passdb}
userdb {{
  driver = static
  args = uid=65534 gid=65534 home={lab}/mail/%u
}}
service anvil {{
  {penalty}
}}
service auth {{
  unix_listener {socket} {{
    mode = {mode}
    user = {owner}
    group = {owner}
  }}
  unix_listener {master} {{
    mode = 0666
  }}
}}
{lmtp}service stats {{
  unix_listener stats-writer {{
    mode = 0666
  }}
}}
",
            run = lab_path("dovecot/run").display(),
            state = lab_path("dovecot/state").display(),
            mechanisms = self.mechanisms,
            log_passwords = self.log_passwords,
            delay = self.failure_delay_s,
            lab = lab_path("").display(),
            passdb = self.passdb.blocks(),
            socket = auth_socket().display(),
            master = lab_path("spool/private/auth-master").display(),
            lmtp = if self.lmtp { lmtp_service() } else { String::new() },
        )
    }
}

/// Where Postfix finds it as `private/dovecot-lmtp`.
fn lmtp_service() -> String {
    let socket = lab_path("spool/private/dovecot-lmtp");
    let socket = socket.display();
    format!("service lmtp {{\n  unix_listener {socket} {{\n    mode = 0600\n    user = postfix\n  }}\n}}\n")
}

impl Passdb {
    fn blocks(self) -> String {
        let users =
            |file: &str| format!("passdb {{\n  driver = passwd-file\n  args = {}\n}}", lab_path(file).display());
        let driver = |driver: &str| format!("passdb {{\n  driver = {driver}\n}}");
        match self {
            Passdb::File => users("dovecot/users"),
            Passdb::Denied => {
                let denied = lab_path("dovecot/denied");
                let denied =
                    format!("passdb {{\n  driver = passwd-file\n  deny = yes\n  args = {}\n}}\n", denied.display());
                denied + &users("dovecot/users")
            }
            Passdb::Hashed => users("dovecot/hashed"),
            Passdb::Unreadable => users("dovecot/unreadable"),
            Passdb::Shadow => driver("shadow"),
            Passdb::Pam => driver("pam"),
        }
    }
}

impl RunningDovecot {
    /// Stops it and all its processes, so that nobody listens any more.
    pub(crate) fn stop(self) -> Result<()> {
        let auth = self.processes("auth");
        drop(self.daemon);
        // A master that ends leaves an auth process with open connections running.
        auth.iter().for_each(|pid| signal(*pid, Signal::TERM));
        wait_until("Dovecot's auth process ends", Duration::from_secs(10), || !auth.iter().any(|pid| is_alive(*pid)))
    }

    /// Kills the auth process as a crash would.
    pub(crate) fn crash_auth(&self) -> Result<()> {
        let auth = self.processes("auth");
        ensure!(!auth.is_empty(), "Dovecot has no auth process to crash");
        auth.iter().for_each(|pid| signal(*pid, Signal::KILL));
        Ok(())
    }

    /// Holds the auth process, or lets it go on.
    pub(crate) fn pause_auth(&self, paused: bool) {
        let order = if paused { Signal::STOP } else { Signal::CONT };
        self.processes("auth").iter().for_each(|pid| signal(*pid, order));
    }

    fn processes(&self, name: &str) -> Vec<u32> {
        let master = self.daemon.pid();
        let numbers = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = numbers.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        pids.filter(|pid| is_child(*pid, master, name)).collect()
    }
}

fn is_child(pid: u32, parent: u32, name: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let Some((start, rest)) = stat.rsplit_once(") ") else {
        return false;
    };
    start.ends_with(&format!("({name}")) && rest.split(' ').nth(1) == Some(parent.to_string().as_str())
}

/// Whether the auth process shakes hands. The first to connect makes the master start it, and a master that is
/// stopped meanwhile leaves half a Dovecot behind.
fn answers() -> bool {
    let Ok(stream) = UnixStream::connect(auth_socket()) else {
        return false;
    };
    let patient = stream.set_read_timeout(Some(Duration::from_secs(5))).is_ok();
    patient && BufReader::new(stream).lines().map_while(Result::ok).any(|line| line == "DONE")
}

/// The socket that Postfix asks, as `private/auth` in its queue directory.
pub(crate) fn auth_socket() -> PathBuf {
    lab_path("spool/private/auth")
}

/// Its version, without the hash of the build.
pub(crate) fn version() -> Result<String> {
    let version = run(Command::new("dovecot").arg("--version"))?;
    let number = version.split(' ').next().context("no version")?;
    Ok(number.to_owned())
}
