//! Passwords: from a file descriptor, else from the terminal. Never from an argument, which others can see.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};

use anyhow::Context as _;

/// Longest password that is read, in bytes.
const PASSWORD_MAX: u64 = 4096;

/// Reads one. `what` needs it: it is named in the error.
pub(crate) fn read(what: &str, descriptor: Option<u32>) -> anyhow::Result<String> {
    let Some(number) = descriptor else {
        return rpassword::prompt_password("Password: ")
            .with_context(|| format!("{what}: no terminal to read the password from; use --password-fd"));
    };
    let file = File::open(format!("/proc/self/fd/{number}")).with_context(|| format!("--password-fd {number}"))?;
    let mut line = String::new();
    BufReader::new(file).take(PASSWORD_MAX).read_line(&mut line).with_context(|| format!("--password-fd {number}"))?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
