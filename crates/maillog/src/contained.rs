//! The line of a mail program inside the message of whatever runs its container.
//!
//! Docker and podman hand what a container prints to syslog or the journal as messages of their own:
//! `Nov 20 08:00:01 host1 mailserver[4711]: Nov 20 08:00:01 mail postfix/smtpd[7]: warning: …`. The inner envelope names host, program
//! and process; the outer one is only the way it took.
//!
//! A stranger must not be able to write such a line. So it is read only where the outer program has a process id and a name that a
//! runtime, a container id or a mail container has ([`is_container`]), where the inner envelope is the very start of the message, and where
//! it names a mail program with a process id. What a stranger sends to any other program ends up in no login.
//!
//! Source of the names: Docker's log drivers `syslog` and `journald` (the tag is the first twelve digits of the container's id unless `--log-opt tag` says
//! otherwise), podman's `conmon` (the container's name, `conmon` in old versions).

use crate::envelope::{Record, after_stamp, tagged};
use crate::program::Program;
use crate::stamp::{Stamp, stamp};
use crate::tag::Tag;

/// What runs containers and hands on what they print.
const RUNTIMES: [&[u8]; 5] = [b"conmon", b"containerd", b"docker", b"dockerd", b"podman"];

/// What a container with a mail server in it is called, by its last word but for numbers: `mail-1`, `my-postfix`, `dms`.
const MAIL_SERVERS: [&[u8]; 14] = [
    b"dms",
    b"dovecot",
    b"imap",
    b"mail",
    b"mailhost",
    b"mailrelay",
    b"mailserver",
    b"mta",
    b"mx",
    b"postfix",
    b"relay",
    b"smtp",
    b"smtprelay",
    b"submission",
];
/// Docker's ids, short and whole.
const ID_DIGITS: [usize; 2] = [12, 64];
/// What Swarm ends its containers' names with.
const SWARM_ID_LETTERS: usize = 25;

/// The record of the line inside, if there is one; else as it was.
#[inline]
pub(crate) fn unfolded(record: Record<'_>) -> Record<'_> {
    let may = matches!(record.program, Program::Other | Program::PostfixCut) && record.pid.is_some();
    if may { inner(&record).unwrap_or(record) } else { record }
}

/// Whether lines of this tag may hold other lines.
pub(crate) fn may_hold(program: Program, tag: Tag<'_>) -> bool {
    matches!(program, Program::Other | Program::PostfixCut) && is_container(tag)
}

#[cold]
fn inner<'a>(outer: &Record<'a>) -> Option<Record<'a>> {
    let found = line(outer)?;
    if !is_container(outer.tag) || !is_of_mail(&found) {
        return None;
    }
    let host = if found.host.is_empty() { outer.host } else { found.host };
    Some(Record { host, repeat: found.repeat.saturating_mul(outer.repeat), ..found })
}

/// Whether the message begins as the line of a mail server's container does, whoever printed it.
pub(crate) fn begins_as_line(record: &Record<'_>) -> bool {
    line(record).is_some_and(|found| is_of_mail(&found))
}

/// The line that a message begins with: `STAMP HOST TAG[PID]: …`, `STAMP TAG[PID]: …` or `TAG[PID]: …`.
fn line<'a>(outer: &Record<'a>) -> Option<Record<'a>> {
    match outer.text.first()? {
        b'0'..=b'9' | b'J' | b'F' | b'M' | b'A' | b'S' | b'O' | b'N' | b'D' | b'T' | b'W' => {
            let (own, rest) = stamp(outer.text)?;
            Some(after_stamp(better(outer.stamp, own), rest))
        }
        b'a'..=b'z' => tagged(outer.stamp, outer.text).filter(|found| found.tag.0.contains(&b'/')),
        _ => None,
    }
}

/// The one that names an instant; of two, the one of whoever wrote all lines of the log.
fn better(outer: Stamp, inner: Stamp) -> Stamp {
    match (outer, inner) {
        (Stamp::Wall(_), Stamp::Instant(_)) => inner,
        _ => outer,
    }
}

/// Dovecot's own files have no process ids.
fn is_of_mail(found: &Record<'_>) -> bool {
    match found.program {
        Program::Dovecot => true,
        Program::Other | Program::PostfixCut => false,
        _ => found.pid.is_some(),
    }
}

/// Whether a tag is that of a container runtime, a container's id, or the name of a container with a mail server in it.
/// Of `docker/mail` and its like the last part counts.
fn is_container(tag: Tag<'_>) -> bool {
    let name = tag.daemon();
    let is_id = ID_DIGITS.contains(&name.len()) && name.iter().all(u8::is_ascii_hexdigit);
    is_id || RUNTIMES.contains(&name) || is_mail_server(name)
}

fn is_mail_server(name: &[u8]) -> bool {
    let is_serial = |word: &[u8]| word.iter().all(u8::is_ascii_digit) || is_swarm_id(word) || word == b"mailcow";
    let last = name.rsplit(|b| matches!(b, b'-' | b'_' | b'.')).find(|word| !is_serial(word));
    last.is_some_and(|word| {
        let letters = word.iter().rposition(|b| !b.is_ascii_digit()).map_or(0, |at| at + 1);
        let word = word.get(..letters).unwrap_or_default();
        MAIL_SERVERS.iter().any(|known| known.eq_ignore_ascii_case(word))
    })
}

fn is_swarm_id(word: &[u8]) -> bool {
    word.len() == SWARM_ID_LETTERS && word.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use crate::{Event, Stamps, event, record};

    const INNER: &str =
        "postfix/submission/smtpd[7]: warning: unknown[203.0.113.9]: SASL PLAIN authentication failed: x";

    /// Host, tag and process id of a line, and what it tells.
    fn read(line: &str) -> String {
        let mut stamps = Stamps::default();
        let found = stamps.record(line.as_bytes()).unwrap();
        // Read again by what is remembered of it.
        assert_eq!(stamps.record(line.as_bytes()), Some(found), "{line}");
        assert_eq!(record(line.as_bytes()), Some(found), "{line}");
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        let pid = found.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string());
        format!("{} {} {pid} {}", text(found.host), text(found.tag.0), event(&found).map_or("unknown", |e| e.name()))
    }

    #[test]
    fn a_container_s_line_is_the_one_inside() {
        let stamps = [
            "Nov 20 08:00:01 host1",
            "2026-11-20T08:00:01.5+00:00 host1",
            "1795161601.000000 host1",
            "<22>Nov 20 08:00:01 host1",
            "Fri 2026-11-20 08:00:01 CET host1",
        ];
        let inside = ["Nov 20 08:00:01 mail", "2026-11-20T08:00:01.123456+00:00 mail", "Nov 07 08:00:01 mail"];
        let tags = [
            "mailserver",
            "3f2ab1cd9e77",
            "conmon",
            "dockerd",
            "docker/mail",
            "docker/3f2ab1cd9e77",
            "mail-1",
            "mx1",
            "my_postfix_1",
            "postfix",
            "MTA",
            "mailcowdockerized-postfix-mailcow-1",
            "mail_mailserver.1.w9uf3k2m1n0p8q7r6s5t4u3v2",
        ];
        for stamp in stamps {
            for tag in tags {
                for inner in inside {
                    let line = format!("{stamp} {tag}[4711]: {inner} {INNER}");
                    assert_eq!(read(&line), "mail postfix/submission/smtpd 7 sasl_failed", "{line}");
                }
                for inner in [INNER.to_owned(), format!("Nov 20 08:00:01 {INNER}")] {
                    let line = format!("{stamp} {tag}[4711]: {inner}");
                    assert_eq!(read(&line), "host1 postfix/submission/smtpd 7 sasl_failed", "{line}");
                }
            }
        }
        assert_eq!(
            read(
                "<22>1 2026-11-20T08:00:01Z host1 3f2ab1cd9e77 4711 m - 2026-11-20T08:00:01Z mail postfix/qmgr[8]: 0F5383D12: removed"
            ),
            "mail postfix/qmgr 8 removed"
        );
        assert_eq!(
            read(
                "Nov 20 08:00:01 host1 mail[1]: message repeated 3 times: [ Nov 20 08:00:01 mail postfix/smtpd[7]: connect from h[192.0.2.1]]"
            ),
            "mail postfix/smtpd 7 connect"
        );
        assert_eq!(
            read("Nov 20 08:00:01 host1 mail[1]: Nov 20 08:00:01 mail dovecot: auth: Error: x"),
            "mail dovecot - dovecot_service"
        );
        assert_eq!(
            read("Nov 20 08:00:01 host1 mail[1]: Nov 20 08:00:01 auth: Error: x"),
            "host1 dovecot - dovecot_service"
        );
    }

    #[test]
    fn the_better_of_two_times() {
        let time = |line: &str| record(format!("{line} mail {INNER}").as_bytes()).unwrap().stamp;
        let of = |line: &str| record(format!("{line} a: b").as_bytes()).unwrap().stamp;
        let (wall, other, instant) = ("Nov 20 09:00:00", "Nov 20 08:00:01", "2026-11-20T08:00:01.123456+00:00");
        assert_eq!(time(&format!("{wall} host1 mail[1]: {instant}")), of(instant));
        assert_eq!(time(&format!("{instant} host1 mail[1]: {wall}")), of(instant));
        assert_eq!(time(&format!("{wall} host1 mail[1]: {other}")), of(wall));
        assert_eq!(time(&format!("2026-11-20T08:00:02Z host1 mail[1]: {instant}")), of("2026-11-20T08:00:02Z"));
    }

    #[test]
    fn nobody_forges_a_line_through_another_program() {
        let whole = format!("Nov 20 08:00:01 mail {INNER}");
        for outer in [
            "sshd[1]:",
            "sudo[1]:",
            "CRON[1]:",
            "kernel:",
            "webapp[1]:",
            "nginx[1]:",
            "php-fpm[1]:",
            "mail-web-1[1]:",
            "webmail[1]:",
            "roundcubemail[1]:",
            "docker/webapp[1]:",
            "3f2ab1cd9e7[1]:",
            "3f2ab1cd9e7g[1]:",
            "-1[1]:",
            "mailserver:",
            "dockerd:",
        ] {
            // Not believed, but seen.
            assert!(read(&format!("Nov 20 08:00:01 host1 {outer} {whole}")).ends_with(" unknown"), "{outer}");
            assert!(read(&format!("Nov 20 08:00:01 host1 {outer} {INNER}")).ends_with(" unknown"), "{outer}");
        }
        for text in [
            format!(" {whole}"),
            format!("x {whole}"),
            format!("user {INNER}"),
            "Nov 20 08:00:01 mail postfix/smtpd: warning: h[192.0.2.1]: SASL PLAIN authentication failed: x".to_owned(),
            "smtpd[7]: warning: h[192.0.2.1]: SASL PLAIN authentication failed: x".to_owned(),
            "Nov 20 08:00:01 mail mailserver[7]: Nov 20 08:00:01 mail postfix/smtpd[7]: connect from h[192.0.2.1]"
                .to_owned(),
        ] {
            let line = format!("Nov 20 08:00:01 host1 mailserver[4711]: {text}");
            let read = read(&line);
            assert!(read.starts_with("host1 mailserver 4711 "), "{line}: {read}");
            let is_told = text.contains("smtpd[") && text.contains("SASL");
            assert_eq!(read.ends_with(" unknown"), is_told, "{line}: {read}");
        }
        for ours in ["postfix/smtpd[1]:", "postfix/smtp[1]:", "dovecot[1]:", "amavis[1]:"] {
            let line = format!("Nov 20 08:00:01 host1 {ours} {whole}");
            let found = record(line.as_bytes()).unwrap();
            assert_eq!(found.host, b"host1", "{line}");
            assert!(!matches!(event(&found), Some(Event::SaslFailed(_))), "{line}");
        }
    }
}
