//! Whether the instance runs.

use std::path::Path;

use super::Instance;
use crate::check::Check;
use crate::examine::Look;
use crate::host::{process_name, read_file};
use crate::kinds::{POSTFIX_CONFIG, POSTFIX_RUNNING};

pub(super) fn check(look: &Look<'_>, instance: &Instance) -> Vec<Check> {
    vec![
        Check::ok(&POSTFIX_CONFIG, format!("Postfix {}, {}", instance.main("mail_version"), instance.config.display()))
            .command(instance.postconf(look.host, "-n")),
        running(look, instance),
    ]
}

fn running(look: &Look<'_>, instance: &Instance) -> Check {
    let file = instance.queue().join("pid/master.pid");
    let command = match &look.host.postfix_config {
        None => "postfix status".to_owned(),
        Some(_) => format!("postfix -c {} status", instance.config.display()),
    };
    let check = match read_file(&file) {
        Ok(text) => of_pid(text.trim(), &file),
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            Check::unknown(&POSTFIX_RUNNING, format!("{} may not be read by this user", file.display()))
                .look("run this as root")
        }
        Err(_) => down(&file, "there is no"),
    };
    check.command(command)
}

fn of_pid(pid: &str, file: &Path) -> Check {
    match process_name(pid).as_deref() {
        Some("master") => Check::ok(&POSTFIX_RUNNING, format!("its master runs (process {pid})"))
            .seen(format!("{}: {pid}", file.display())),
        _ => down(file, "no process belongs to"),
    }
}

fn down(file: &Path, why: &str) -> Check {
    Check::fault(&POSTFIX_RUNNING, "Postfix does not run: nobody listens on its ports")
        .seen(format!("{why} {}", file.display()))
        .fix("systemctl start postfix   (or: postfix start)")
        .look("journalctl -u 'postfix*' -n 50   (why did it stop?)")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Status;

    #[test]
    fn a_pid_must_belong_to_a_master() {
        let check = |pid: &str| assert_eq!(of_pid(pid, Path::new("/q/pid")).status, Status::Fault, "{pid}");
        for pid in ["", "0", "../self", "x", "999999999", &std::process::id().to_string()] {
            check(pid);
        }
    }
}
