//! All checks in their order: Postfix by instance, the backends it asks, the wire, the account, fail2ban.

use std::collections::BTreeSet;

use crate::account;
use crate::check::{Check, Status, settle};
use crate::doveconf::Block;
use crate::host::Host;
use crate::postfix::{self, Instance};
use crate::{cyrus, dovecot, fail2ban, wire};

/// About whom, and how far to go.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// A client's address: is it banned, is it being delayed?
    pub client: Option<std::net::IpAddr>,
    /// A login name: is it known, may it log in?
    pub account: Option<String>,
    /// The host to connect to, where it is not this one by its own addresses.
    pub connect_to: Option<String>,
    /// A login to try, where one was asked for.
    pub login: Option<Login>,
}

/// A login to try, once for each service.
#[derive(Clone)]
pub struct Login {
    /// The name.
    pub user: String,
    /// The password. Never shown.
    pub password: String,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login").field("user", &self.user).finish_non_exhaustive()
    }
}

/// What all checks look with.
pub(crate) struct Look<'a> {
    pub(crate) host: &'a Host,
    pub(crate) request: &'a Request,
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Report {
    /// Every check, in the order in which they were made.
    pub checks: Vec<Check>,
}

impl Report {
    /// The worst of all; a host of which nothing could be seen is `unknown`.
    #[must_use]
    pub fn worst(&self) -> Status {
        let seen = self.checks.iter().map(|check| check.status).filter(|status| *status != Status::Unknown).max();
        match seen {
            Some(Status::Ok) if self.checks.iter().any(|check| check.status == Status::Unknown) => Status::Unknown,
            Some(worst) => worst,
            None => Status::Unknown,
        }
    }

    /// Whether anything at all could be looked at.
    #[must_use]
    pub fn saw_anything(&self) -> bool {
        self.checks.iter().any(|check| check.status != Status::Unknown)
    }
}

/// Makes all checks that apply to this host.
#[must_use]
pub fn examine(host: &Host, request: &Request) -> Report {
    let look = Look { host, request };
    let mut checks = Vec::new();
    let mut instances: Vec<Instance> = Vec::new();
    for read in postfix::instances(host) {
        match read {
            Ok(instance) => instances.push(instance),
            Err(trouble) => checks.push(postfix::unreadable(&look, &trouble)),
        }
    }
    let wants_dovecot = instances.iter().any(asks_dovecot) || instances.is_empty();
    let dovecot = if wants_dovecot { dovecot::read(&look, &mut checks) } else { None };
    for instance in &instances {
        let mut own = postfix::check(&look, instance);
        own.extend(dovecot::check_sockets(&look, instance, dovecot.as_ref()));
        own.extend(cyrus::check(&look, instance));
        own.extend(wire::check(&look, instance));
        own.iter_mut().for_each(|check| check.instance.clone_from(&instance.name));
        checks.extend(own);
    }
    if let (Some(name), true) = (&request.connect_to, instances.is_empty()) {
        checks.extend(wire::check(&look, &Instance::assumed(name)));
    }
    if let Some(config) = &dovecot {
        checks.extend(dovecot::check(&look, config, connections(&instances)));
    }
    checks.extend(account::check(&look, &instances, dovecot.as_ref()));
    checks.extend(fail2ban::check(&look));
    settle(&mut checks);
    Report { checks }
}

fn asks_dovecot(instance: &Instance) -> bool {
    instance.login_services().any(|service| instance.value(service, "smtpd_sasl_type") == "dovecot")
}

/// How many processes of Postfix may hold a connection to Dovecot at a time.
fn connections(instances: &[Instance]) -> u32 {
    let of = |instance: &Instance| {
        let default = instance.main("default_process_limit").parse::<u32>().unwrap_or(100);
        instance.login_services().map(|service| service.limit.unwrap_or(default)).fold(0, u32::saturating_add)
    };
    instances.iter().map(of).fold(0, u32::saturating_add)
}

/// Domains that accounts of this host may belong to.
pub(crate) fn domains(instances: &[Instance], dovecot: Option<&Block>) -> BTreeSet<String> {
    let lists = [
        "myhostname",
        "mydomain",
        "mydestination",
        "virtual_mailbox_domains",
        "virtual_alias_domains",
        "smtpd_sasl_local_domain",
    ];
    let of_postfix = instances.iter().flat_map(|instance| lists.iter().map(|list| instance.main(list)));
    let of_dovecot =
        dovecot.into_iter().filter_map(|config| config.first(&["auth_default_realm", "auth_default_domain"]));
    let is_domain = |word: &&str| word.contains('.') && !word.contains([':', '/', '$']);
    of_postfix
        .chain(of_dovecot)
        .flat_map(crate::mechanisms::words)
        .filter(is_domain)
        .map(str::to_ascii_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::{F2B_RUNNING, SOCKET};

    #[test]
    fn a_host_without_any_of_the_programs_is_unknown_and_no_crash() {
        let folder = tempfile::tempdir().unwrap();
        let host = Host {
            programs: vec![folder.path().to_owned()],
            fail2ban_config: folder.path().join("none"),
            ..Host::default()
        };
        let request = Request { account: Some("a".to_owned()), client: "192.0.2.1".parse().ok(), ..Request::default() };
        let report = examine(&host, &request);
        assert_eq!((report.worst(), report.saw_anything()), (Status::Unknown, false));
        assert!(report.checks.iter().all(|check| check.status == Status::Unknown && !check.summary.is_empty()));
    }

    /// A host whose programs all are this script.
    fn host_of(folder: &std::path::Path, script: &str) -> Host {
        use std::os::unix::fs::PermissionsExt as _;
        for name in ["postconf", "doveconf", "doveadm", "fail2ban-client", "fail2ban-regex", "sasldblistusers2"] {
            let program = folder.join(name);
            std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
            std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        Host {
            programs: vec![folder.to_owned()],
            fail2ban_config: folder.join("none"),
            patience: std::time::Duration::from_millis(700),
            ..Host::default()
        }
    }

    #[test]
    fn programs_that_hang_fail_or_talk_nonsense_are_told_and_never_believed() {
        let hostile =
            r"printf '\033[2Jsmtpd_sasl_auth_enable = yes\nsubmission inet n - n - - smtpd\nx {\n}}}\n/ = /\n\377\n'";
        for (script, expected) in [
            ("sleep 60", Status::Unknown),
            ("echo 'fatal: it is broken' >&2; exit 1", Status::Fault),
            ("kill -9 $$", Status::Fault),
            ("exit 0", Status::Fault),
            (hostile, Status::Fault),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let request =
                Request { account: Some("a".to_owned()), client: "192.0.2.1".parse().ok(), ..Request::default() };
            let report = examine(&host_of(folder.path(), script), &request);
            assert_eq!(report.worst(), expected, "{script}: {:#?}", report.checks);
            assert!(report.checks.iter().all(|check| !check.summary.is_empty()), "{script}");
        }
    }

    #[test]
    fn the_worst_counts() {
        let report =
            |list: &[Status]| Report { checks: list.iter().map(|status| Check::new(&SOCKET, *status, "")).collect() };
        assert_eq!(report(&[Status::Ok, Status::Fault, Status::Unknown]).worst(), Status::Fault);
        assert_eq!(report(&[Status::Ok, Status::Unknown]).worst(), Status::Unknown);
        assert_eq!(report(&[Status::Warn, Status::Unknown]).worst(), Status::Warn);
        assert_eq!(report(&[]).worst(), Status::Unknown);
        assert_eq!(Report { checks: vec![Check::ok(&F2B_RUNNING, "")] }.worst(), Status::Ok);
    }

    #[test]
    fn a_password_is_never_printed() {
        let login = Login { user: "alice".to_owned(), password: "secret".to_owned() };
        assert!(!format!("{login:?}").contains("secret"));
    }
}
