//! Dovecot as the judge of logins: its configuration, its process, its sockets.

mod passdb;
mod penalty;
mod settings;
mod sockets;

pub(crate) use passdb::{driver, password_file};
pub(crate) use sockets::check as check_sockets;
pub(crate) use sockets::{chroot, permission, reachable};

use std::path::{Path, PathBuf};

use crate::check::Check;
use crate::doveconf::{self, Block};
use crate::examine::Look;
use crate::host::{process_name, read_file};
use crate::kinds::{DOVECOT_CONFIG, DOVECOT_RUNNING};

/// Asks `doveconf`; says so where it cannot.
pub(crate) fn read(look: &Look<'_>, checks: &mut Vec<Check>) -> Option<Block> {
    let command = look.host.dovecot_words("doveconf", "-n");
    let answer = match look.host.run("doveconf", &look.host.dovecot_arguments(&[])) {
        Ok(answer) => answer,
        Err(why) => {
            checks.push(
                Check::unknown(&DOVECOT_CONFIG, format!("nothing to be seen of Dovecot: {why}")).command(command),
            );
            return None;
        }
    };
    if !answer.succeeded() {
        let why = answer.last_complaint();
        let check = if why.contains("Permission denied") {
            Check::unknown(&DOVECOT_CONFIG, format!("doveconf may not read it as this user: {why}"))
                .look("run this as root")
        } else {
            Check::fault(&DOVECOT_CONFIG, format!("doveconf refuses the configuration: {why}"))
                .fix("correct the line named, then: doveadm reload")
        };
        checks.push(check.seen(why).command(command));
        return None;
    }
    let version = answer.output.lines().next().unwrap_or_default().trim_start_matches(['#', ' ']);
    checks.push(Check::ok(&DOVECOT_CONFIG, format!("Dovecot {version}")).command(command));
    Some(doveconf::parse(&answer.output))
}

/// What does not depend on an instance of Postfix. `connections`: how many of its processes may ask at a time.
pub(crate) fn check(look: &Look<'_>, config: &Block, connections: u32) -> Vec<Check> {
    let mut checks = vec![running(look, config)];
    checks.extend(settings::check(look, config, connections));
    checks.push(penalty::check(look, config));
    checks.extend(passdb::check(look, config));
    checks
}

fn running(look: &Look<'_>, config: &Block) -> Check {
    let file = base_dir(config).join("master.pid");
    let check = match read_file(&file) {
        Ok(pid) if process_name(&pid).as_deref() == Some("dovecot") => {
            Check::ok(&DOVECOT_RUNNING, format!("its master runs (process {})", pid.trim()))
        }
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            Check::unknown(&DOVECOT_RUNNING, format!("{} may not be read by this user", file.display()))
                .look("run this as root")
        }
        Ok(_) | Err(_) => Check::fault(&DOVECOT_RUNNING, "Dovecot does not run: no login can be judged")
            .fix("systemctl start dovecot")
            .look("journalctl -u dovecot -n 50   (why did it stop?)"),
    };
    check.seen(format!("{}", file.display())).command(look.host.dovecot_words("doveadm", "service status auth"))
}

/// Where Dovecot's own sockets are.
pub(crate) fn base_dir(config: &Block) -> PathBuf {
    let base = config.get("base_dir");
    Path::new(if base.is_empty() { "/run/dovecot" } else { base }).to_owned()
}
