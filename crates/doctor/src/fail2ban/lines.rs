//! The end of a log, and the failed logins in it.
//!
//! Files go in; whether they hold lines of a mail server, and a bounded sample of failure lines, come out.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::process::Stdio;

use maillog::{Event, Program};

/// How much of a log's end is looked at, in bytes.
const TAIL_MAX: u64 = 1 << 20;
/// Lines in a sample, at most.
const SAMPLE_MAX: usize = 50;

fn tail(file: &Path) -> String {
    let read = || -> std::io::Result<Vec<u8>> {
        if !std::fs::metadata(file)?.is_file() {
            return Ok(Vec::new());
        }
        let mut file = File::open(file)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL_MAX)))?;
        let mut bytes = Vec::new();
        file.take(TAIL_MAX).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    String::from_utf8_lossy(&read().unwrap_or_default()).into_owned()
}

/// Whether there are lines of the program the jail is named after: Dovecot, or else Postfix.
pub(super) fn has_mail(file: &Path, jail: &str) -> bool {
    let text = tail(file);
    let of_program = |line: &str| {
        let program = maillog::record(line.as_bytes()).map(|record| record.program);
        match program {
            None | Some(Program::Other | Program::Neighbour | Program::Saslauthd) => false,
            Some(Program::Dovecot) => jail.contains("dovecot"),
            Some(_) => !jail.contains("dovecot"),
        }
    };
    text.lines().any(of_program)
}

/// The latest failures that a filter for logins should match. Lost backends and mechanisms that are not offered are left
/// out, as fail2ban's own filter leaves them out.
pub(super) fn failures(logs: &[&Path]) -> String {
    let mut logs = logs.to_vec();
    logs.sort_unstable();
    logs.dedup();
    let texts: Vec<String> = logs.iter().map(|log| tail(log)).collect();
    let mut lines: Vec<&str> = texts.iter().flat_map(|text| text.lines()).filter(|line| is_failure(line)).collect();
    let from = lines.len().saturating_sub(SAMPLE_MAX);
    lines.drain(..from);
    lines.into_iter().map(|line| format!("{line}\n")).collect()
}

fn is_failure(line: &str) -> bool {
    let Some(record) = maillog::record(line.as_bytes()).filter(|record| record.repeat == 1) else { return false };
    let Some(Event::SaslFailed(failure)) = maillog::event(&record) else { return false };
    !LEFT_OUT.iter().any(|reason| failure.reason.starts_with(reason))
}

/// Reasons that fail2ban's own filter leaves out (`filter.d/postfix.conf`, mode auth).
const LEFT_OUT: [&[u8]; 2] = [b"Connection lost to authentication server", b"Invalid authentication mechanism"];

/// A text as a program's standard input that is an ordinary file, kept in memory.
pub(super) fn as_input(text: &str) -> Option<Stdio> {
    let memory = rustix::fs::memfd_create("sample", rustix::fs::MemfdFlags::CLOEXEC).ok()?;
    let mut file = File::from(memory);
    file.write_all(text.as_bytes()).ok()?;
    file.seek(SeekFrom::Start(0)).ok()?;
    Some(Stdio::from(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_at_the_end_of_a_log() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("mail.log");
        let failure =
            "Nov 22 10:00:00 mail postfix/smtpd[1]: warning: u[192.0.2.1]: SASL LOGIN authentication failed: x\n";
        let lost = "Nov 22 10:00:00 mail postfix/smtpd[1]: warning: u[192.0.2.1]: SASL LOGIN authentication failed: Connection lost to authentication server\n";
        std::fs::write(&log, "\u{fffd}odd\n".to_owned() + &failure.repeat(60) + lost).unwrap();
        assert_eq!(failures(&[&log, &log]).lines().count(), SAMPLE_MAX);
        assert!(has_mail(&log, "postfix") && !has_mail(&log, "dovecot"));
        assert!(!has_mail(Path::new("/nowhere"), "postfix") && !has_mail(Path::new("/dev/zero"), "postfix"));
        assert!(failures(&[Path::new("/nowhere")]).is_empty());
    }
}
