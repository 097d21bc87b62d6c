//! TLS set up wrongly.

use std::fs;

use anyhow::Result;

use super::host::Host;
use super::{Case, broken, place, weak};
use crate::machine::lab_path;

pub(super) const CASES: &[Case] = &[
    broken(
        "clear_passwords",
        "587 takes AUTH without TLS.",
        clear_passwords,
        &["postfix.tls_auth_only"],
        "in the clear",
    ),
    broken("tls_off", "AUTH after TLS only, and TLS is off.", tls_off, &["postfix.tls_level"], "nobody can log in"),
    broken("no_wrapper", "465 without smtpd_tls_wrappermode.", no_wrapper, &["postfix.tls_level"], "465"),
    broken("expired_certificate", "The certificate ended yesterday.", expired, &["postfix.certificate"], "expired"),
    weak("ending_certificate", "The certificate ends in three days.", ending, &["postfix.certificate"], "expires on"),
    broken(
        "foreign_certificate",
        "The certificate is for another domain.",
        foreign,
        &["postfix.certificate"],
        "www.example.com",
    ),
    broken(
        "other_key",
        "The key belongs to another certificate.",
        other_key,
        &["postfix.certificate"],
        "does not belong",
    ),
    broken(
        "missing_certificate",
        "The certificate's file does not exist.",
        missing,
        &["postfix.certificate"],
        "cannot be read",
    ),
    broken(
        "damaged_certificate",
        "The certificate's file holds something else.",
        damaged,
        &["postfix.certificate"],
        "no certificate",
    ),
    weak(
        "self_signed",
        "The certificate is signed by itself.",
        self_signed,
        &["postfix.certificate"],
        "signed by itself",
    ),
    weak(
        "renewed_not_reloaded",
        "The certificate was renewed and Postfix not reloaded.",
        not_reloaded,
        &["wire.certificate"],
        "not reloaded",
    ),
    broken("old_tls", "Only TLS 1.0 and 1.1 are allowed.", old_tls, &["postfix.tls_protocols"], "TLSv1.1"),
];

fn clear_passwords(host: &mut Host) -> Result<()> {
    host.services(&["587/inet/smtpd_tls_auth_only=no", "587/inet/smtpd_tls_security_level=may"])
}

fn tls_off(host: &mut Host) -> Result<()> {
    host.services(&["587/inet/smtpd_tls_security_level=none"])
}

fn no_wrapper(host: &mut Host) -> Result<()> {
    host.services(&["465/inet/smtpd_tls_wrappermode=no", "465/inet/smtpd_tls_security_level=encrypt"])
}

fn expired(host: &mut Host) -> Result<()> {
    host.certificate("mail.example.test", -1)?;
    host.reload()
}

fn ending(host: &mut Host) -> Result<()> {
    host.certificate("mail.example.test", 3)?;
    host.reload()
}

fn foreign(host: &mut Host) -> Result<()> {
    host.certificate("www.example.com", 90)?;
    host.reload()
}

fn other_key(host: &mut Host) -> Result<()> {
    let old = fs::read(lab_path("postfix/key.pem"))?;
    host.certificate("mail.example.test", 90)?;
    fs::write(lab_path("postfix/key.pem"), old)?;
    host.reload()
}

fn missing(host: &mut Host) -> Result<()> {
    host.main(&[&format!("smtpd_tls_cert_file={}", place("postfix/gone.pem"))])
}

fn damaged(host: &mut Host) -> Result<()> {
    fs::write(lab_path("postfix/cert.pem"), "this is no certificate\n")?;
    host.reload()
}

fn self_signed(host: &mut Host) -> Result<()> {
    let (key, cert) = (place("postfix/key.pem"), place("postfix/cert.pem"));
    let new = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "90"];
    let named = ["-subj", "/CN=mail.example.test", "-keyout", &key, "-out", &cert];
    crate::command::run(std::process::Command::new("openssl").args(new).args(named))?;
    host.reload()
}

fn not_reloaded(host: &mut Host) -> Result<()> {
    use crate::accounts::{address, password};
    use crate::login::{Expected, Login};
    use crate::service::{SUBMISSION, SUBMISSIONS};
    // A process that has served a client keeps the certificate it began with.
    for service in [SUBMISSION, SUBMISSIONS] {
        let client = host.machine.client("203.0.113.20")?;
        client.login_once(service, Login::plain(&address("alice"), &password("alice")), Expected::ok())?;
    }
    host.certificate("mail.example.test", 90)
}

fn old_tls(host: &mut Host) -> Result<()> {
    host.main(&["smtpd_tls_mandatory_protocols=TLSv1, TLSv1.1"])
}
