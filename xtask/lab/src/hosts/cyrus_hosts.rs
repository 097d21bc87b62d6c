//! Cyrus SASL and saslauthd set up wrongly.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use anyhow::Result;

use super::host::Host;
use super::{Case, broken, place, replace, weak};
use crate::daemons::saslauthd;
use crate::machine::{Setup, lab_path};

pub(super) const CASES: &[Case] = &[
    broken("stopped_saslauthd", "saslauthd does not run.", ask_cyrus, &["cyrus.running"], "does not run")
        .on(without_saslauthd),
    broken(
        "saslauthd_elsewhere",
        "saslauthd has its socket in another folder.",
        elsewhere,
        &["cyrus.running"],
        "saslauthd listens in",
    )
    .on(with_saslauthd),
    broken(
        "saslauthd_closed",
        "Postfix may not enter saslauthd's folder.",
        closed,
        &["backend.permission"],
        "may not pass",
    )
    .on(with_saslauthd),
    broken(
        "saslauthd_outside",
        "A chrooted service cannot see saslauthd's socket.",
        outside,
        &["postfix.chroot"],
        "cannot see",
    )
    .on(with_saslauthd),
    broken(
        "no_smtpd_conf",
        "smtpd.conf is not where the library looks.",
        no_smtpd_conf,
        &["cyrus.config"],
        "smtpd.conf",
    )
    .on(with_saslauthd),
    broken("unreadable_sasldb", "Postfix may not read sasldb.", unreadable_sasldb, &["cyrus.sasldb"], "may not read")
        .on(without_saslauthd),
    weak(
        "saslauthd_and_cram",
        "CRAM-MD5 is offered, which saslauthd cannot judge.",
        and_cram,
        &["cyrus.mechanisms"],
        "CRAM-MD5",
    )
    .on(with_saslauthd),
];

/// saslauthd runs, and no Dovecot.
pub(super) fn with_saslauthd() -> Setup {
    Setup { dovecot: None, saslauthd: true, ..Setup::default() }
}

fn without_saslauthd() -> Setup {
    Setup { dovecot: None, ..Setup::default() }
}

/// Has all services ask Cyrus SASL.
pub(super) fn ask_cyrus(host: &mut Host) -> Result<()> {
    host.main(&["smtpd_sasl_type=cyrus", "smtpd_sasl_path=smtpd"])
}

fn elsewhere(host: &mut Host) -> Result<()> {
    replace(&lab_path("postfix/sasl/smtpd.conf"), &place("saslauthd/mux"), &place("run/mux"))?;
    ask_cyrus(host)
}

fn closed(host: &mut Host) -> Result<()> {
    fs::set_permissions(saslauthd::folder(), fs::Permissions::from_mode(0o700))?;
    ask_cyrus(host)
}

fn outside(host: &mut Host) -> Result<()> {
    host.postconf(&["-F", "587/inet/chroot=y", "465/inet/chroot=y"])?;
    ask_cyrus(host)
}

fn no_smtpd_conf(host: &mut Host) -> Result<()> {
    fs::rename(lab_path("postfix/sasl/smtpd.conf"), lab_path("postfix/sasl/postfix.conf"))?;
    ask_cyrus(host)
}

fn unreadable_sasldb(host: &mut Host) -> Result<()> {
    let database = place("postfix/sasldb2");
    fs::write(&database, "")?;
    fs::set_permissions(&database, fs::Permissions::from_mode(0o600))?;
    fs::write(
        lab_path("postfix/sasl/smtpd.conf"),
        format!("pwcheck_method: auxprop\nmech_list: PLAIN LOGIN\nsasldb_path: {database}\n"),
    )?;
    ask_cyrus(host)
}

fn and_cram(host: &mut Host) -> Result<()> {
    replace(&lab_path("postfix/sasl/smtpd.conf"), "PLAIN LOGIN", "PLAIN LOGIN CRAM-MD5")?;
    ask_cyrus(host)
}
