//! The people of example.test. Their passwords are worth nothing: no machine outside the lab knows them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use anyhow::{Context, Result};

use crate::command::run;
use crate::machine::lab_path;

/// Everybody with a mailbox, as local part.
pub(crate) const USERS: [&str; 10] =
    ["alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "retired", "travel"];

/// Everybody's password in the hashed file is `password`.
const SHA256_OF_PASSWORD: &str = "XohImNooBHFR0OVvjcYpJ3NgPQ1qq73WKhHvch0VQtg=";

/// The address somebody logs in with.
pub(crate) fn address(user: &str) -> String {
    format!("{user}@example.test")
}

/// The right password.
pub(crate) fn password(user: &str) -> String {
    format!("{user}-likes-tea")
}

/// Writes Dovecot's account files: the normal one, the denied, the hashed and the unreadable.
pub(crate) fn write_dovecot_files() -> Result<()> {
    let lines = |scheme: &str, password: &dyn Fn(&str) -> String| -> String {
        let line = |user: &&str| format!("{}:{{{scheme}}}{}{}\n", address(user), password(user), extra(user));
        USERS.iter().map(line).collect()
    };
    let plain = lines("PLAIN", &password);
    let hashed = lines("SHA256", &|_| SHA256_OF_PASSWORD.to_owned());
    fs::write(lab_path("dovecot/users"), &plain)?;
    fs::write(lab_path("dovecot/hashed"), hashed)?;
    fs::write(lab_path("dovecot/unreadable"), plain)?;
    fs::set_permissions(lab_path("dovecot/unreadable"), fs::Permissions::from_mode(0o600))?;
    fs::write(lab_path("dovecot/denied"), "retired@example.test:\n")?;
    Ok(())
}

/// Passwd-file fields after the password: `travel` may log in from one network only.
fn extra(user: &str) -> &'static str {
    if user == "travel" { "::::::allow_nets=192.0.2.0/24" } else { "" }
}

/// The machine's accounts, and the lab's: `alice` and `bob` as they should be, `locked` without a usable
/// password, `expired` with an end date in the past.
pub(crate) fn system_accounts() -> Result<(String, String)> {
    let mut passwd = fs::read_to_string("/etc/passwd")?;
    let mut shadow = fs::read_to_string("/etc/shadow")?;
    for (number, user) in ["alice", "bob", "locked", "expired"].into_iter().enumerate() {
        let uid = 64000 + number;
        let hash = if user == "locked" { "*".to_owned() } else { hash(&password(user))? };
        let expires = if user == "expired" { "15000" } else { "" };
        passwd.push_str(&format!("{user}:x:{uid}:65534::/nonexistent:/usr/sbin/nologin\n"));
        shadow.push_str(&format!("{user}:{hash}:19000:0:99999:7::{expires}:\n"));
    }
    Ok((passwd, shadow))
}

fn hash(password: &str) -> Result<String> {
    run(Command::new("openssl").args(["passwd", "-6", password]))
}

/// User and group number of a system account.
pub(crate) fn owner_of(user: &str) -> Result<(u32, u32)> {
    let passwd = fs::read_to_string("/etc/passwd")?;
    let line = passwd.lines().find(|line| line.split(':').next() == Some(user));
    let fields: Vec<&str> = line.with_context(|| format!("no account {user}"))?.split(':').collect();
    let number = |at: usize| fields.get(at).and_then(|field| field.parse().ok()).context("no number in /etc/passwd");
    Ok((number(2)?, number(3)?))
}
