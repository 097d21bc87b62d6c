//! Where logins are taken, and whether TLS and SASL are set so that they can work.

use super::{Instance, Service};
use crate::check::Check;
use crate::examine::Look;
use crate::kinds::{AUTH_ONLY, AUTH_RATE, LOGIN_SERVICES, PORT_25, SASL_TYPE, TLS_LEVEL};
use crate::mechanisms::words;

pub(super) fn check(look: &Look<'_>, instance: &Instance) -> Vec<Check> {
    let mut checks = vec![enabled(look, instance)];
    checks.extend(port_25(look, instance));
    checks.extend(sasl_type(look, instance));
    for service in instance.login_services() {
        checks.push(auth_only(look, instance, service));
        checks.extend(tls_level(look, instance, service));
        checks.push(auth_rate(look, instance, service));
    }
    checks
}

fn is_submission(service: &Service) -> bool {
    matches!(service.port, Some(587 | 465))
}

fn enabled(look: &Look<'_>, instance: &Instance) -> Check {
    let logins: Vec<String> = instance.login_services().map(Service::label).collect();
    let off: Vec<&Service> = instance
        .smtpds()
        .filter(|service| is_submission(service) && !instance.is_on(service, "smtpd_sasl_auth_enable"))
        .collect();
    let check = if let Some(service) = off.first() {
        Check::fault(&LOGIN_SERVICES, format!("logins are off on {}: smtpd_sasl_auth_enable is no", service.label()))
            .about(service.label())
            .fix(format!("postconf -P '{}/smtpd_sasl_auth_enable=yes' && postfix reload", service.key()))
    } else if logins.is_empty() {
        Check::warn(
            &LOGIN_SERVICES,
            "no service takes logins; right for a host that only takes mail from other servers",
        )
        .look("users need submission (587) or submissions (465) in master.cf, with smtpd_sasl_auth_enable=yes")
    } else {
        Check::ok(&LOGIN_SERVICES, format!("logins are taken on {}", logins.join(", ")))
    };
    check
        .seen(format!("smtpd_sasl_auth_enable = {} in main.cf", instance.main("smtpd_sasl_auth_enable")))
        .command(instance.postconf(look.host, "-P '*/inet/smtpd_sasl_auth_enable'; postconf -Mf"))
}

fn port_25(look: &Look<'_>, instance: &Instance) -> Option<Check> {
    let is_25 = |service: &&Service| service.port == Some(25) || service.kind == "pass";
    let service = instance.smtpds().find(is_25)?;
    let only_port = instance.smtpds().filter(|other| other.port.is_some()).count() <= 1;
    let check = if !instance.is_on(service, "smtpd_sasl_auth_enable") {
        Check::ok(&PORT_25, "logins are off on port 25")
    } else if only_port {
        Check::warn(&PORT_25, "logins are taken on port 25, the only port there is")
            .fix("add submission (587) and submissions (465) to master.cf, and switch AUTH off on port 25")
    } else {
        let check =
            Check::warn(&PORT_25, "logins are taken on port 25, where servers deliver mail and bots guess passwords");
        if service.sets("smtpd_sasl_auth_enable") {
            check.fix(format!("postconf -P '{}/smtpd_sasl_auth_enable=no' && postfix reload", service.key()))
        } else {
            check.fix("postconf -e smtpd_sasl_auth_enable=no, set it to yes under submission and submissions in master.cf, postfix reload")
        }
    };
    Some(
        check
            .about(service.label())
            .seen(format!("smtpd_sasl_auth_enable = {}", instance.value(service, "smtpd_sasl_auth_enable")))
            .command(
                instance.postconf(look.host, "smtpd_sasl_auth_enable; postconf -P '*/inet/smtpd_sasl_auth_enable'"),
            ),
    )
}

fn sasl_type(look: &Look<'_>, instance: &Instance) -> Option<Check> {
    let mut kinds: Vec<&str> =
        instance.login_services().map(|service| instance.value(service, "smtpd_sasl_type")).collect();
    kinds.sort_unstable();
    kinds.dedup();
    if kinds.is_empty() {
        return None;
    }
    let command = "postconf -a; postconf smtpd_sasl_type";
    let answer = match look.host.run("postconf", &["-a"]) {
        Ok(answer) => answer,
        Err(why) => {
            return Some(Check::unknown(&SASL_TYPE, why.to_string()).command(command));
        }
    };
    let built: Vec<&str> = answer.output.split_whitespace().collect();
    let seen = format!("built in: {}; asked for: {}", built.join(", "), kinds.join(", "));
    let check = match kinds.iter().find(|kind| !built.contains(*kind)) {
        Some(kind) => Check::fault(&SASL_TYPE, format!("smtpd_sasl_type = {kind} is not built into this Postfix"))
            .fix("set smtpd_sasl_type to one that is built in (dovecot or cyrus), postfix reload"),
        None => Check::ok(&SASL_TYPE, format!("{} is built in", kinds.join(", "))),
    };
    Some(check.seen(seen).command(command))
}

fn auth_only(look: &Look<'_>, instance: &Instance, service: &Service) -> Check {
    let level = instance.tls_level(service);
    let demanded = !matches!(level, "none" | "may");
    let only = instance.is_on(service, "smtpd_tls_auth_only");
    let no_plain = words(instance.value(service, "smtpd_sasl_security_options")).any(|option| option == "noplaintext");
    let check = if demanded {
        Check::ok(&AUTH_ONLY, "TLS is demanded before anything else")
    } else if only {
        Check::ok(&AUTH_ONLY, "AUTH is offered after STARTTLS only")
    } else if no_plain {
        Check::ok(&AUTH_ONLY, "without TLS only mechanisms that do not show the password (noplaintext)")
    } else if instance.is_local(service) {
        Check::ok(&AUTH_ONLY, "passwords may come in the clear, from this host alone")
    } else {
        Check::fault(&AUTH_ONLY, "passwords are taken in the clear: smtpd_tls_auth_only is no and TLS is not demanded")
            .fix(format!("postconf -P '{}/smtpd_tls_auth_only=yes' && postfix reload", service.key()))
    };
    check
        .about(service.label())
        .seen(format!("TLS level {level}, smtpd_tls_auth_only = {}", instance.value(service, "smtpd_tls_auth_only")))
        .command(instance.postconf(
            look.host,
            &format!("smtpd_tls_auth_only smtpd_tls_security_level; postconf -P '{}/smtpd_tls_*'", service.key()),
        ))
}

fn tls_level(look: &Look<'_>, instance: &Instance, service: &Service) -> Option<Check> {
    let wrapped = instance.is_on(service, "smtpd_tls_wrappermode");
    let none = instance.tls_level(service) == "none";
    let key = service.key();
    let check = match service.port {
        Some(465) if !wrapped => Check::fault(&TLS_LEVEL, "port 465 without smtpd_tls_wrappermode: clients speak TLS from the first byte and get a greeting in the clear")
            .fix(format!("postconf -P '{key}/smtpd_tls_wrappermode=yes' && postfix reload")),
        Some(587) if wrapped => Check::fault(&TLS_LEVEL, "port 587 with smtpd_tls_wrappermode: clients wait for a greeting and use STARTTLS there")
            .fix(format!("postconf -P '{key}/smtpd_tls_wrappermode=no' && postfix reload")),
        _ if none && instance.is_on(service, "smtpd_tls_auth_only") => {
            Check::fault(&TLS_LEVEL, "AUTH is offered after TLS only, and TLS is switched off: nobody can log in")
                .fix(format!("postconf -P '{key}/smtpd_tls_security_level=encrypt' && postfix reload"))
        }
        _ if none && !instance.is_local(service) => return None, // postfix.tls_auth_only tells
        _ => Check::ok(&TLS_LEVEL, if wrapped { "TLS from the first byte" } else { "STARTTLS is switched on" }),
    };
    Some(
        check
            .about(service.label())
            .seen(format!(
                "smtpd_tls_security_level = {}, smtpd_tls_wrappermode = {}",
                instance.value(service, "smtpd_tls_security_level"),
                instance.value(service, "smtpd_tls_wrappermode")
            ))
            .command(instance.postconf(look.host, &format!("-P '{key}/smtpd_tls_*'"))),
    )
}

/// Fewer tries than this in a minute lock out an office behind one address.
const FEW: u32 = 5;

fn auth_rate(look: &Look<'_>, instance: &Instance, service: &Service) -> Check {
    let limit = instance.value(service, "smtpd_client_auth_rate_limit");
    let check = match limit.parse::<u32>() {
        Ok(0) => Check::ok(&AUTH_RATE, "no limit"),
        Ok(few) if few < FEW => Check::warn(
            &AUTH_RATE,
            format!(
                "only {few} login attempts in {} for each address, good ones too",
                instance.main("anvil_rate_time_unit")
            ),
        )
        .fix(format!("postconf -P '{}/smtpd_client_auth_rate_limit=20' && postfix reload", service.key())),
        Ok(limit) => Check::ok(&AUTH_RATE, format!("{limit} attempts in {}", instance.main("anvil_rate_time_unit"))),
        Err(_) => Check::unknown(&AUTH_RATE, format!("smtpd_client_auth_rate_limit = {limit}")),
    };
    check
        .about(service.label())
        .command(instance.postconf(look.host, "smtpd_client_auth_rate_limit anvil_rate_time_unit"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Status::{self, Fault, Ok as Fine, Warn};
    use crate::postfix::instance::tests::instance;

    const MASTER: &str = "smtp inet n - n - - smtpd\nsubmission inet n - n - - smtpd\nsmtps inet n - n - - smtpd\n";

    fn of(main: &str, own: &str, id: &str, about: &str) -> Option<Status> {
        let host = crate::Host { programs: Vec::new(), ..crate::Host::default() };
        let request = crate::Request::default();
        let look = Look { host: &host, request: &request };
        let all = check(&look, &instance(main, MASTER, own));
        let found: Vec<&Check> =
            all.iter().filter(|check| check.kind.id == id && check.about.starts_with(about)).collect();
        assert!(found.len() <= 1, "{found:?}");
        found.first().map(|check| check.status)
    }

    #[test]
    fn logins_and_tls() {
        let good = "submission/inet/smtpd_sasl_auth_enable = yes\nsubmission/inet/smtpd_tls_security_level = encrypt\nsmtps/inet/smtpd_sasl_auth_enable = yes\nsmtps/inet/smtpd_tls_wrappermode = yes\n";
        let check = |main: &str, own: &str, id: &str, about: &str, expected| {
            assert_eq!(of(main, &(good.to_owned() + own), id, about), expected, "{id} {about} {main} {own}");
        };
        let (services, only, level) = ("postfix.login_services", "postfix.tls_auth_only", "postfix.tls_level");
        check("", "", services, "", Some(Fine));
        check("", "smtps/inet/smtpd_sasl_auth_enable = no", services, "smtps", Some(Fault));
        check("", "", "postfix.port25", "", Some(Fine));
        check("smtpd_sasl_auth_enable = yes", "", "postfix.port25", "", Some(Warn));
        check("", "", only, "submission", Some(Fine));
        check("", "submission/inet/smtpd_tls_security_level = may", only, "submission", Some(Fault));
        let may_only = "submission/inet/smtpd_tls_security_level = may\nsubmission/inet/smtpd_tls_auth_only = yes";
        check("", may_only, only, "submission", Some(Fine));
        check(
            "inet_interfaces = loopback-only",
            "submission/inet/smtpd_tls_security_level = may",
            only,
            "submission",
            Some(Fine),
        );
        let options = "submission/inet/smtpd_tls_security_level = may\nsubmission/inet/smtpd_sasl_security_options = noanonymous, noplaintext";
        check("", options, only, "submission", Some(Fine));
        check("", "", level, "smtps", Some(Fine));
        check("", "smtps/inet/smtpd_tls_wrappermode = no", level, "smtps", Some(Fault));
        check("", "submission/inet/smtpd_tls_wrappermode = yes", level, "submission", Some(Fault));
        let off = "submission/inet/smtpd_tls_security_level = none\nsubmission/inet/smtpd_tls_auth_only = yes";
        check("", off, level, "submission", Some(Fault));
        check("", "submission/inet/smtpd_client_auth_rate_limit = 2", "postfix.auth_rate", "submission", Some(Warn));
        check("smtpd_client_auth_rate_limit = 0", "", "postfix.auth_rate", "submission", Some(Fine));
        check("", "", "postfix.sasl_type", "", Some(Status::Unknown)); // no postconf there
    }
}
