//! Dovecot's password databases: are their files there, and may the auth process read them?
//!
//! Source: Dovecot manual, "Password databases"; a passwd-file is opened by the auth process after it gave up root.

use std::path::Path;

use crate::check::Check;
use crate::doveconf::Block;
use crate::examine::Look;
use crate::kinds::PASSDB;
use crate::permission::{Obstacle, User, Wish, describe};

pub(super) fn check(look: &Look<'_>, config: &Block) -> Vec<Check> {
    let command = look.host.dovecot_words("doveconf", "passdb");
    let mut checks: Vec<Check> = config.all("passdb").map(|passdb| judge(config, passdb)).collect();
    if checks.is_empty() {
        checks.push(
            Check::fault(&PASSDB, "there is no passdb: every login is refused")
                .fix("add a passdb, then: doveadm reload"),
        );
    }
    checks.into_iter().map(|check| check.command(command.clone())).collect()
}

/// `passwd-file`, `sql`, `pam`, …: a setting in 2.3, part of the name in 2.4.
pub(crate) fn driver(passdb: &Block) -> &str {
    passdb.first(&["driver"]).unwrap_or(&passdb.name)
}

/// The file a passwd-file database is kept in.
pub(crate) fn password_file(passdb: &Block) -> &str {
    passdb.first(&["passwd_file_path"]).unwrap_or_else(|| {
        let args = passdb.get("args");
        args.split_whitespace().rfind(|word| !word.contains('=')).unwrap_or_default()
    })
}

fn judge(config: &Block, passdb: &Block) -> Check {
    let driver = driver(passdb);
    match driver {
        "passwd-file" => file(config, password_file(passdb)).about(format!("{driver} {}", password_file(passdb))),
        "sql" | "ldap" | "dict" | "lua" if passdb.get("args").starts_with('/') => {
            let place = Path::new(passdb.get("args"));
            let check = match std::fs::metadata(place) {
                Ok(_) => Check::ok(
                    &PASSDB,
                    format!("{} is there; whether the database answers, `doveadm auth lookup` tells", place.display()),
                ),
                Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => unseen(place),
                Err(_) => missing(place),
            };
            check.about(driver)
        }
        "pam" => {
            let service = passdb
                .get("args")
                .split_whitespace()
                .rfind(|word| !word.contains('='))
                .filter(|word| !word.starts_with('-') && *word != "*")
                .unwrap_or("dovecot");
            let place = Path::new("/etc/pam.d").join(service);
            let check = if place.exists() {
                Check::ok(&PASSDB, format!("PAM service {service}"))
            } else {
                Check::warn(&PASSDB, format!("{} is missing: PAM falls back to its service `other`", place.display()))
            };
            check.about(driver)
        }
        _ => Check::ok(&PASSDB, "nothing on this host to look at; `doveadm auth lookup` tells whether it answers")
            .about(driver),
    }
}

fn missing(place: &Path) -> Check {
    Check::fault(&PASSDB, format!("{} does not exist: logins fail with an internal error", place.display()))
        .fix("correct the path in the passdb block, or put the file there; doveadm reload")
}

fn unseen(place: &Path) -> Check {
    Check::unknown(&PASSDB, format!("{} may not be looked at by this user", place.display())).look("run this as root")
}

fn file(config: &Block, name: &str) -> Check {
    if name.contains('%') || !name.starts_with('/') {
        return Check::ok(&PASSDB, format!("the file depends on the user: {name}"));
    }
    let place = Path::new(name);
    let auth = config.service("auth").map_or("", |auth| auth.get("user"));
    let owner = config.expanded(auth);
    let owner = if owner.is_empty() { "root" } else { owner };
    let Some(mut user) = User::named(owner) else {
        return Check::unknown(&PASSDB, format!("there is no user {owner}"));
    };
    let extra = config.service("auth").map_or("", |auth| auth.get("extra_groups"));
    user.add_groups(crate::mechanisms::words(extra));
    match user.reach(Path::new("/"), place, Wish::Read) {
        Ok(()) => Check::ok(&PASSDB, format!("{name} can be read by the auth process ({owner})")),
        Err(Obstacle::Missing(_)) => missing(place),
        Err(Obstacle::Unseen(_)) => unseen(place),
        Err(Obstacle::Folder(at) | Obstacle::Itself(at)) => Check::fault(
            &PASSDB,
            format!("the auth process ({owner}) may not read {name}: right passwords are refused"),
        )
        .seen(describe(&at))
        .fix(format!("chgrp {owner} {name} && chmod 640 {name}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Status::{Fault, Ok as Fine};
    use crate::doveconf::parse;

    #[test]
    fn files_of_databases() {
        let check = |text: &str, expected| {
            let config = parse(&format!("passdb {{\n{text}\n}}"));
            assert_eq!(judge(&config, &config.blocks[0]).status, expected, "{text}");
        };
        check("driver = passwd-file\nargs = /nowhere/users", Fault);
        check("driver = passwd-file\nargs = scheme=CRYPT username_format=%u /etc/passwd", Fine);
        check("driver = passwd-file\nargs = /etc/auth/%d/passwd", Fine);
        check("driver = sql\nargs = /nowhere/sql.conf", Fault);
        check("driver = static\nargs = nopassword=y", Fine);
        let new = parse("passdb passwd-file {\npasswd_file_path = /nowhere/users\n}");
        assert_eq!(judge(&new, &new.blocks[0]).status, Fault);
        let look = crate::examine::Look { host: &crate::Host::default(), request: &crate::Request::default() };
        assert_eq!(super::check(&look, &parse("")).first().map(|check| check.status), Some(Fault));
    }
}
