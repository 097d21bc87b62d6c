//! Where Postfix logs, and whether the log can tell ports and clients apart.

use std::path::Path;

use super::{Instance, Service};
use crate::check::Check;
use crate::examine::Look;
use crate::kinds::{PORT_LOGGING, POSTFIX_LOG, PROXY, SYSLOG_NAME};

pub(super) fn check(look: &Look<'_>, instance: &Instance) -> Vec<Check> {
    let mut checks = syslog_names(look, instance);
    checks.push(destination(look, instance));
    let logins: Vec<&Service> = instance.login_services().collect();
    if !logins.is_empty() {
        checks.push(port_logging(look, instance, &logins));
        checks.push(proxy(look, instance, &logins));
    }
    checks
}

fn syslog_names(look: &Look<'_>, instance: &Instance) -> Vec<Check> {
    let name = |service: &Service| instance.value(service, "syslog_name").to_owned();
    let check = |service: &Service| {
        let twins: Vec<String> = instance
            .smtpds()
            .filter(|other| other.name != service.name && name(other) == name(service))
            .map(Service::label)
            .collect();
        let own = if service.name.bytes().all(|byte| byte.is_ascii_digit()) { "submission" } else { "$service_name" };
        let check = if twins.is_empty() {
            Check::ok(&SYSLOG_NAME, format!("logged as {}/smtpd", name(service)))
        } else {
            Check::warn(
                &SYSLOG_NAME,
                format!(
                    "logged as {}/smtpd, as {} is: the log cannot tell them apart",
                    name(service),
                    twins.join(", ")
                ),
            )
            .fix(format!("postconf -P '{}/syslog_name=postfix/{own}' && postfix reload", service.key()))
        };
        check
            .about(service.label())
            .seen(format!("syslog_name = {}", name(service)))
            .command(instance.postconf(look.host, "-P '*/inet/syslog_name'"))
    };
    instance.login_services().filter(|service| service.port != Some(25)).map(check).collect()
}

fn destination(look: &Look<'_>, instance: &Instance) -> Check {
    let file = instance.main("maillog_file");
    let check = if file.is_empty() {
        match std::fs::symlink_metadata("/dev/log") {
            Ok(_) => {
                Check::ok(&POSTFIX_LOG, format!("it logs to syslog, facility {}", instance.main("syslog_facility")))
            }
            Err(_) => Check::warn(&POSTFIX_LOG, "there is no /dev/log: what Postfix logs is lost")
                .fix("start a syslog daemon, or set maillog_file (and the postlog service in master.cf)"),
        }
    } else if file == "/dev/stdout" || Path::new(file).is_file() {
        Check::ok(&POSTFIX_LOG, format!("it logs to {file}"))
    } else {
        Check::warn(&POSTFIX_LOG, format!("maillog_file = {file}, and there is no such file"))
            .look("is the postlog service in master.cf, and does maillog_file_prefixes allow the place?")
    };
    check.seen(format!("maillog_file = {file}")).command(instance.postconf(look.host, "maillog_file syslog_facility"))
}

fn port_logging(look: &Look<'_>, instance: &Instance, logins: &[&Service]) -> Check {
    let on: Vec<String> = logins
        .iter()
        .filter(|service| instance.is_on(service, "smtpd_client_port_logging"))
        .map(|service| service.label())
        .collect();
    let summary = if on.is_empty() {
        "the client's port is not logged (the default; needed only where providers share addresses)".to_owned()
    } else {
        format!("the client's port is logged on {}", on.join(", "))
    };
    Check::ok(&PORT_LOGGING, summary).command(instance.postconf(look.host, "smtpd_client_port_logging"))
}

fn proxy(look: &Look<'_>, instance: &Instance, logins: &[&Service]) -> Check {
    let set: Vec<String> = logins
        .iter()
        .filter(|service| !instance.value(service, "smtpd_upstream_proxy_protocol").is_empty())
        .map(|service| service.label())
        .collect();
    let xclient = instance.main("smtpd_authorized_xclient_hosts");
    let summary = match (set.as_slice(), xclient) {
        ([], "") => "clients come directly: no proxy protocol, no XCLIENT".to_owned(),
        ([], hosts) => format!("{hosts} may name the client (XCLIENT)"),
        (services, _) => format!("a proxy in front names the client on {}", services.join(", ")),
    };
    Check::ok(&PROXY, summary)
        .command(instance.postconf(look.host, "smtpd_upstream_proxy_protocol smtpd_authorized_xclient_hosts"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Status;
    use crate::postfix::instance::tests::instance;

    #[test]
    fn services_of_one_name_cannot_be_told_apart() {
        let (host, request) = (crate::Host::default(), crate::Request::default());
        let look = Look { host: &host, request: &request };
        let master = "smtp inet n - n - - smtpd\nsubmission inet n - n - - smtpd\nsmtps inet n - n - - smtpd\n";
        let check = |own: &str, expected: [Status; 2]| {
            let postfix = instance(
                "syslog_name = postfix\n",
                master,
                &format!(
                    "submission/inet/smtpd_sasl_auth_enable = yes\nsmtps/inet/smtpd_sasl_auth_enable = yes\n{own}"
                ),
            );
            let found: Vec<Status> = syslog_names(&look, &postfix).iter().map(|check| check.status).collect();
            assert_eq!(found, expected, "{own}");
        };
        check("", [Status::Warn, Status::Warn]);
        check("submission/inet/syslog_name = postfix/submission", [Status::Ok, Status::Warn]);
        let both = "submission/inet/syslog_name = postfix/submission\nsmtps/inet/syslog_name = postfix/";
        check(&format!("{both}smtps"), [Status::Ok, Status::Ok]);
        check(&format!("{both}submission"), [Status::Warn, Status::Warn]);
    }
}
