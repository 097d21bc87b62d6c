//! Postfix set up wrongly.

use std::fs;
use std::process::Command;

use anyhow::Result;

use super::host::Host;
use super::{Case, broken, place, replace, weak};
use crate::command::run;
use crate::machine::lab_path;

pub(super) const CASES: &[Case] = &[
    broken(
        "wrong_path",
        "smtpd_sasl_path names a socket that nobody makes.",
        wrong_path,
        &["dovecot.listener"],
        "Dovecot listens at",
    ),
    broken(
        "chroot",
        "A chrooted service with an absolute path outside the queue directory.",
        chroot,
        &["postfix.chroot"],
        "cannot see",
    ),
    broken(
        "inner_socket",
        "smtpd_sasl_path names Dovecot's auth-master socket.",
        inner_socket,
        &["dovecot.listener"],
        "Dovecot's own use",
    ),
    broken(
        "filter_empty",
        "smtpd_sasl_mechanism_filter hides every mechanism.",
        filter_empty,
        &["postfix.mechanism_filter"],
        "hides all",
    ),
    broken(
        "filter_of_nothing",
        "smtpd_sasl_mechanism_filter is empty, which lets nothing through.",
        filter_of_nothing,
        &["postfix.mechanism_filter"],
        "hides all",
    ),
    weak(
        "filter_hides",
        "smtpd_sasl_mechanism_filter hides LOGIN, which still works.",
        filter_hides,
        &["postfix.mechanism_filter"],
        "LOGIN",
    ),
    broken(
        "no_plaintext",
        "smtpd_sasl_tls_security_options forbids all that Dovecot offers.",
        no_plaintext,
        &["postfix.security_options"],
        "forbids all",
    ),
    broken(
        "sasl_type",
        "smtpd_sasl_type names what is not built in.",
        sasl_type,
        &["postfix.sasl_type"],
        "not built into",
    ),
    broken("submission_without_auth", "AUTH is off on 587.", without_auth, &["postfix.login_services"], "587"),
    weak("auth_on_25", "AUTH is on for port 25 too.", auth_on_25, &["postfix.port25"], "port 25"),
    broken(
        "relay_refused",
        "reject_unauth_destination stands before permit_sasl_authenticated.",
        relay_refused,
        &["postfix.relay"],
        "reject_unauth_destination",
    ),
    broken(
        "open_networks",
        "mynetworks holds the whole internet.",
        open_networks,
        &["postfix.mynetworks"],
        "0.0.0.0/0",
    ),
    broken(
        "no_owners",
        "reject_sender_login_mismatch without smtpd_sender_login_maps.",
        no_owners,
        &["postfix.sender_login"],
        "every sender",
    ),
    weak("low_rate", "Two login attempts a minute for each address.", low_rate, &["postfix.auth_rate"], "only 2"),
    weak("no_syslog_name", "587 and 465 log as port 25 does.", no_syslog_name, &["postfix.syslog_name"], "cannot tell"),
    broken("stopped_postfix", "Postfix does not run.", stopped, &["postfix.running"], "does not run"),
    broken(
        "broken_main_cf",
        "A line of main.cf without an equals sign.",
        broken_main,
        &["postfix.config"],
        "missing '='",
    ),
    broken(
        "second_instance",
        "A second instance asks at a socket that nobody makes; the first is fine.",
        second_instance,
        &["dovecot.listener"],
        "Dovecot listens at",
    ),
];

fn wrong_path(host: &mut Host) -> Result<()> {
    host.main(&["smtpd_sasl_path=private/auth2"])
}

fn chroot(host: &mut Host) -> Result<()> {
    host.postconf(&["-F", "587/inet/chroot=y", "465/inet/chroot=y"])?;
    host.main(&[&format!("smtpd_sasl_path={}", place("spool/private/auth"))])
}

fn inner_socket(host: &mut Host) -> Result<()> {
    host.main(&["smtpd_sasl_path=private/auth-master"])
}

fn filter_empty(host: &mut Host) -> Result<()> {
    host.main(&["smtpd_sasl_mechanism_filter=gssapi"])
}

fn filter_of_nothing(host: &mut Host) -> Result<()> {
    host.main(&["smtpd_sasl_mechanism_filter="])
}

fn filter_hides(host: &mut Host) -> Result<()> {
    host.main(&["smtpd_sasl_mechanism_filter=!login, static:rest"])
}

fn no_plaintext(host: &mut Host) -> Result<()> {
    host.main(&["smtpd_sasl_tls_security_options=noanonymous, noplaintext"])
}

fn sasl_type(host: &mut Host) -> Result<()> {
    host.main(&["smtpd_sasl_type=courier"])
}

fn without_auth(host: &mut Host) -> Result<()> {
    host.services(&["587/inet/smtpd_sasl_auth_enable=no"])
}

fn auth_on_25(host: &mut Host) -> Result<()> {
    host.services(&["25/inet/smtpd_sasl_auth_enable=yes", "25/inet/smtpd_tls_auth_only=yes"])
}

fn relay_refused(host: &mut Host) -> Result<()> {
    host.main(&["submission_recipient_restrictions=reject_unauth_destination, permit_sasl_authenticated, reject"])
}

fn open_networks(host: &mut Host) -> Result<()> {
    host.main(&["mynetworks=127.0.0.0/8 0.0.0.0/0"])
}

fn no_owners(host: &mut Host) -> Result<()> {
    host.main(&["smtpd_sender_login_maps="])?;
    host.services(&["587/inet/smtpd_sender_restrictions=reject_sender_login_mismatch"])
}

fn low_rate(host: &mut Host) -> Result<()> {
    host.services(&["587/inet/smtpd_client_auth_rate_limit=2"])
}

fn no_syslog_name(host: &mut Host) -> Result<()> {
    host.services(&["587/inet/syslog_name=postfix", "465/inet/syslog_name=postfix"])
}

fn stopped(_: &mut Host) -> Result<()> {
    run(Command::new("postfix").arg("-c").arg(lab_path("postfix")).arg("stop")).map(drop)
}

fn broken_main(_: &mut Host) -> Result<()> {
    let config = lab_path("postfix/main.cf");
    let text = fs::read_to_string(&config)?;
    Ok(fs::write(&config, text + "smtpd_sasl_auth_enable yes\n")?)
}

fn second_instance(host: &mut Host) -> Result<()> {
    add_instance(host, "private/auth2")
}

/// Starts a second instance with one login port, which asks at that socket of its own queue directory.
pub(super) fn add_instance(host: &mut Host, socket: &str) -> Result<()> {
    let (first, second) = (lab_path("postfix"), lab_path("postfix-out"));
    run(Command::new("cp").arg("-a").arg(&first).arg(&second))?;
    let second = second.display().to_string();
    let main = second.clone() + "/main.cf";
    replace(main.as_ref(), &place("spool"), &place("spool-out"))?;
    replace(main.as_ref(), &place("postfix-data"), &place("postfix-out-data"))?;
    replace(main.as_ref(), "private/auth", socket)?;
    fs::create_dir_all(lab_path("spool-out"))?;
    fs::create_dir_all(lab_path("postfix-out-data"))?;
    let (user, group) = crate::accounts::owner_of("postfix")?;
    std::os::unix::fs::chown(lab_path("postfix-out-data"), Some(user), Some(group))?;
    let of_second = |arguments: &[&str]| run(Command::new("postconf").args(["-c", &second]).args(arguments)).map(drop);
    of_second(&["-e", "multi_instance_name=postfix-out", "multi_instance_enable=yes", "syslog_name=postfix-out"])?;
    of_second(&["-M#", "25/inet", "465/inet"])?;
    of_second(&["-F", "587/inet/service=5587"])?;
    host.main(&[&format!("multi_instance_directories={second}")])?;
    // Each instance is started by its own name; the wrapper would start both.
    let mut start = Command::new("postfix");
    start.args(["-c", &second, "start"]).env("MAIL_CONFIG", &second);
    run(&mut start).map(drop)
}
