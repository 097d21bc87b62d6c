//! The machine a scenario is played on: a private name, network, `/dev`, `/run` and account list, with a
//! mail server on it.
//!
//! All of this runs inside namespaces that [`crate::isolation`] has made. The only network interface is the
//! loopback one, with addresses of the documentation ranges on it, so nothing can leave, nothing of the host
//! is changed, and several machines can run beside each other.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, ensure};

use crate::accounts;
use crate::arrival::Arrival;
use crate::client::Client;
use crate::command::run;
use crate::daemons::dovecot::{Dovecot, RunningDovecot};
use crate::daemons::postfix::{Postfix, Relay};
use crate::daemons::saslauthd::Saslauthd;
use crate::daemons::syslog::Syslog;
use crate::truth::Truth;

/// Where the mail server listens.
pub(crate) const SERVER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 25);
/// Where it listens for IPv6.
pub(crate) const SERVER6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x25);
/// The mail server of example.org, which the lab plays too.
pub(crate) const FOREIGN_MX: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 25);
/// The mail server of example.net.
pub(crate) const OTHER_MX: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 27);
/// A second Postfix of ours.
pub(crate) const SECOND_SERVER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 26);
/// The relay host of example.org.
pub(crate) const FOREIGN_RELAY: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 26);

/// On the loopback interface one address makes its whole network local.
const NETWORKS: [&str; 4] = ["192.0.2.25/24", "192.0.2.26/24", "198.51.100.25/24", "203.0.113.1/24"];
const ADDRESSES6: [&str; 4] = ["2001:db8::25", "2001:db8:1::7", "2001:db8:1::8", "2001:db8:2::9"];
const LAB: &str = "/run/postfix-insights-lab";

/// A file of the lab. The same in every machine, as daemons write such names into the log.
pub(crate) fn lab_path(name: &str) -> PathBuf {
    if name.is_empty() { PathBuf::from(LAB) } else { Path::new(LAB).join(name) }
}

/// What runs on the machine, and how.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    /// `None`: Dovecot is not started.
    pub(crate) dovecot: Option<Dovecot>,
    /// Lines for the end of `main.cf`.
    pub(crate) postfix: Vec<(&'static str, &'static str)>,
    /// Whether `saslauthd` is started.
    pub(crate) saslauthd: bool,
    /// Whether rsyslog folds equal lines, as Ubuntu's does.
    pub(crate) fold_repeats: bool,
}

impl Default for Setup {
    fn default() -> Setup {
        Setup { dovecot: Some(Dovecot::default()), postfix: Vec::new(), saslauthd: false, fold_repeats: false }
    }
}

/// A running mail server. The fields are dropped, and the daemons with them stopped, from first to last:
/// whoever writes the log goes before the log does.
pub(crate) struct Machine {
    relay: Option<Relay>,
    postfix: Postfix,
    dovecot: Option<RunningDovecot>,
    saslauthd: Option<Saslauthd>,
    syslog: Syslog,
    truth: Arc<Truth>,
    setup: Setup,
}

impl Machine {
    /// Furnishes the namespaces and starts the daemons. `number` keeps the process ids of machines apart.
    pub(crate) fn start(setup: Setup, number: usize, work: Option<&Path>) -> Result<Machine> {
        furnish(work).context("cannot furnish the machine")?;
        bring_up_network().context("cannot bring up the machine's network")?;
        start_pids_at(number);
        let syslog = Syslog::start(setup.fold_repeats).context("rsyslogd")?;
        let postfix = Postfix::start(&setup.postfix).with_context(|| format!("Postfix: {}", syslog.last_words()))?;
        let dovecot = setup.dovecot.as_ref().map(Dovecot::start).transpose().context("Dovecot")?;
        let saslauthd = setup.saslauthd.then(Saslauthd::start).transpose().context("saslauthd")?;
        Ok(Machine { relay: None, postfix, dovecot, saslauthd, syslog, truth: Arc::default(), setup })
    }

    /// A client at that address.
    pub(crate) fn client(&self, ip: &str) -> Result<Client> {
        let ip: IpAddr = ip.parse().with_context(|| format!("{ip} is no address"))?;
        Ok(Client::new(ip, Arc::clone(&self.truth)))
    }

    /// What happened so far.
    pub(crate) fn truth(&self) -> &Truth {
        &self.truth
    }

    /// The Postfix of this machine.
    pub(crate) fn postfix(&self) -> &Postfix {
        &self.postfix
    }

    /// Starts a second Postfix at [`SECOND_SERVER`], which relays to example.org.
    pub(crate) fn start_relay(&mut self, name: &str, log: Option<&Path>) -> Result<()> {
        self.relay = Some(Relay::start(name, SECOND_SERVER, "out.example.test", log)?);
        Ok(())
    }

    /// The second Postfix.
    pub(crate) fn relay(&self) -> Result<&Relay> {
        self.relay.as_ref().context("there is no second Postfix")
    }

    /// The log of this machine.
    pub(crate) fn syslog(&mut self) -> &mut Syslog {
        &mut self.syslog
    }

    /// The running Dovecot.
    pub(crate) fn dovecot(&self) -> Result<&RunningDovecot> {
        self.dovecot.as_ref().ok_or_else(|| anyhow!("Dovecot does not run"))
    }

    /// Stops Dovecot.
    pub(crate) fn stop_dovecot(&mut self) -> Result<()> {
        self.dovecot.take().context("Dovecot does not run")?.stop()
    }

    /// Starts Dovecot again, as it was.
    pub(crate) fn start_dovecot(&mut self) -> Result<()> {
        ensure!(self.dovecot.is_none(), "Dovecot runs already");
        self.dovecot = self.setup.dovecot.as_ref().map(Dovecot::start).transpose()?;
        Ok(())
    }

    /// Starts `saslauthd`.
    pub(crate) fn start_saslauthd(&mut self) -> Result<()> {
        self.saslauthd = Some(Saslauthd::start()?);
        Ok(())
    }

    /// How many messages somebody's mailbox holds.
    pub(crate) fn mailbox(&self, user: &str) -> usize {
        fs::read_dir(mailbox(user)).map_or(0, Iterator::count)
    }

    /// The only message in somebody's mailbox.
    pub(crate) fn arrived(&self, user: &str) -> Result<Arrival> {
        let mut mails = self.all_arrived(user)?;
        ensure!(mails.len() == 1, "{user} got {mails:?}");
        mails.pop().context("no mail")
    }

    /// All messages in somebody's mailbox.
    pub(crate) fn all_arrived(&self, user: &str) -> Result<Vec<Arrival>> {
        Arrival::in_maildir(&mailbox(user))
    }
}

fn mailbox(user: &str) -> PathBuf {
    lab_path("mail").join(accounts::address(user)).join("new")
}

fn furnish(work: Option<&Path>) -> Result<()> {
    let (passwd, shadow) = accounts::system_accounts()?;
    mount(&["-t", "tmpfs", "tmpfs", "/run"])?;
    fs::create_dir_all(lab_path("etc/pam.d"))?;
    if let Some(work) = work {
        mount(&["--bind", &work.display().to_string(), LAB])?;
        fs::create_dir_all(lab_path("etc/pam.d"))?;
    }
    private_devices()?;
    cover("/etc/passwd", &passwd)?;
    cover("/etc/shadow", &shadow)?;
    cover("/etc/hosts", HOSTS)?;
    cover("/etc/resolv.conf", "")?;
    cover("/etc/nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\nhosts: files\nservices: files\n")?;
    let pam = "auth required pam_unix.so nodelay\naccount required pam_unix.so\n";
    for service in ["smtp", "dovecot", "other"] {
        fs::write(lab_path("etc/pam.d").join(service), pam)?;
    }
    mount(&["--bind", &lab_path("etc/pam.d").display().to_string(), "/etc/pam.d"])?;
    fs::write("/proc/sys/kernel/hostname", "mail")?;
    Ok(())
}

const HOSTS: &str = "\
127.0.0.1 localhost
192.0.2.25 mail.example.test mail
2001:db8::25 mail.example.test mail
192.0.2.26 out.example.test out
198.51.100.25 mx.example.org
198.51.100.27 mx.example.net
198.51.100.26 relay.example.org
203.0.113.10 office.example.net
203.0.113.20 laptop.example.net
2001:db8:1::7 desk.example.net
";

/// `/dev/log` belongs to the whole host; a machine gets a `/dev` of its own with the few devices needed.
fn private_devices() -> Result<()> {
    let devices = lab_path("dev");
    fs::create_dir_all(&devices)?;
    mount(&["-t", "tmpfs", "tmpfs", &devices.display().to_string()])?;
    for name in ["null", "zero", "full", "random", "urandom", "tty"] {
        let device = devices.join(name);
        if !Path::new("/dev").join(name).exists() {
            continue; // a container may do without some of them
        }
        fs::write(&device, "")?;
        mount(&["--bind", &format!("/dev/{name}"), &device.display().to_string()])?;
    }
    std::os::unix::fs::symlink("/proc/self/fd", devices.join("fd"))?;
    fs::create_dir(devices.join("shm"))?;
    mount(&["--rbind", &devices.display().to_string(), "/dev"])
}

/// Puts another text over a file of the system, for this machine only.
fn cover(file: &str, text: &str) -> Result<()> {
    use std::os::unix::fs::{PermissionsExt, chown};
    let own = lab_path("etc").join(Path::new(file).file_name().context("no file name")?);
    fs::write(&own, text)?;
    if let Ok(metadata) = fs::metadata(file) {
        use std::os::unix::fs::MetadataExt;
        fs::set_permissions(&own, fs::Permissions::from_mode(metadata.mode() & 0o777))?;
        chown(&own, Some(metadata.uid()), Some(metadata.gid()))?;
        mount(&["--bind", &own.display().to_string(), file])?;
    }
    Ok(())
}

fn bring_up_network() -> Result<()> {
    ip(&["link", "set", "lo", "up"])?;
    for network in NETWORKS {
        ip(&["address", "add", network, "dev", "lo"])?;
    }
    for address in ADDRESSES6 {
        ip(&["-6", "address", "add", &format!("{address}/128"), "dev", "lo", "nodad"])?;
    }
    Ok(())
}

/// So that logs of several machines may be put together without two processes of one id.
fn start_pids_at(number: usize) {
    let first = 1000 + number * 400;
    // Only a nicety: not every kernel lets us.
    let _ = fs::write("/proc/sys/kernel/ns_last_pid", first.to_string());
}

fn mount(arguments: &[&str]) -> Result<()> {
    run(Command::new("mount").args(arguments)).map(drop)
}

fn ip(arguments: &[&str]) -> Result<()> {
    run(Command::new("ip").args(arguments)).map(drop)
}
