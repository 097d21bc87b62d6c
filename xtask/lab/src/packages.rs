//! The Debian packages the lab plays with: are they there, and if not, may they be fetched?

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail, ensure};

use crate::command;

/// What the lab runs, and what it needs to build its network.
const PACKAGES: [&str; 16] = [
    "postfix",
    "dovecot-core",
    "dovecot-imapd",
    "dovecot-lmtpd",
    "sasl2-bin",
    "libsasl2-modules",
    "libpam-modules",
    "libpam-runtime",
    "rsyslog",
    "rsyslog-gnutls",
    "systemd-journal-remote",
    "fail2ban",
    "openssl",
    "iproute2",
    "hostname",
    "util-linux",
];

/// Says what stands in the way of playing, without changing anything.
pub(crate) fn check() -> Result<()> {
    ensure!(rustix::process::geteuid().is_root(), "the lab needs root: it makes namespaces and starts daemons");
    command::run(Command::new("unshare").args(NAMESPACES).arg("true"))
        .map_err(|error| error.context("the lab needs private namespaces, and this machine does not allow them"))?;
    let missing = missing();
    if missing.is_empty() || may_install() {
        return Ok(());
    }
    bail!("missing packages; run: apt-get install --no-install-recommends {}", missing.join(" "))
}

/// Fetches what is missing.
pub(crate) fn install() -> Result<()> {
    fetch(&missing())
}

/// Whether packages that are not there may be fetched.
///
/// # Errors
/// If not: what the admin is to run.
pub fn may_fetch(missing: &[&str]) -> Result<()> {
    if missing.is_empty() || rustix::process::geteuid().is_root() && may_install() {
        return Ok(());
    }
    bail!("missing packages; run: apt-get install --no-install-recommends {}", missing.join(" "))
}

/// Fetches packages of Debian's.
///
/// # Errors
/// If apt-get does not install them.
pub fn fetch(missing: &[&str]) -> Result<()> {
    if missing.is_empty() {
        return Ok(());
    }
    println!("installing {}", missing.join(" "));
    command::run(Command::new("apt-get").args(["update", "-qq"]))?;
    let options = ["install", "-y", "-qq", "--no-install-recommends"];
    let mut install = Command::new("apt-get");
    install.args(options).args(missing).env("DEBIAN_FRONTEND", "noninteractive");
    command::run(&mut install)?;
    Ok(())
}

/// A scenario has its own mounts, host name, network, IPC and processes.
pub(crate) const NAMESPACES: [&str; 8] =
    ["--mount", "--uts", "--net", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc"];

/// Under systemd a freshly installed daemon is started at once, on the machine's own ports: there the
/// installation is left to the admin.
fn may_install() -> bool {
    Path::new("/usr/bin/apt-get").exists() && !Path::new("/run/systemd/system").exists()
}

fn missing() -> Vec<&'static str> {
    PACKAGES.into_iter().filter(|package| !is_installed(package)).collect()
}

fn is_installed(package: &str) -> bool {
    let mut query = Command::new("dpkg-query");
    query.args(["-W", "-f", "${db:Status-Status}", package]);
    command::run(&mut query).is_ok_and(|status| status == "installed")
}
