//! The envelope of a line: when, which host, which program, which process, and the message itself.
//!
//! Input: one line without its newline, from a file, a pipe or the journal, in any shape of the grammar's part 1.1.
//! Output: a [`Record`] that borrows from the line, or `None` when the line has no stamp we can read.
//! Every line is looked at on its own: one file may hold several shapes.

use std::sync::LazyLock;

use memchr::memmem::Finder;

use crate::contained::unfolded;
use crate::heads::Heads;
use crate::program::{Program, program as program_of};
use crate::scan::{number, split_around, split_byte, two_digits, whole_u32, word};
use crate::stamp::{Stamp, WallTime, stamp};
use crate::tag::Tag;

/// A line taken apart as far as its envelope goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// When it was written.
    pub stamp: Stamp,
    /// The host as logged; empty in Dovecot's own files and other lines that name none.
    pub host: &'a [u8],
    /// The program tag; empty if the line has none.
    pub tag: Tag<'a>,
    /// The program that the tag names.
    pub program: Program,
    /// The process id if logged.
    pub pid: Option<u32>,
    /// How many times the message occurred: 1, or N from `message repeated N times: [ … ]`.
    pub repeat: u32,
    /// The message, severity prefix included, repetition wrapper removed.
    pub text: &'a [u8],
}

/// Takes a line's envelope apart. `None`: no readable stamp at its start. Of a line that a container printed it is the inner envelope.
#[must_use]
#[inline]
pub fn record(line: &[u8]) -> Option<Record<'_>> {
    Stamps::default().record(line)
}

/// Remembers what neighbouring lines share: the minute, and the hosts with their programs.
#[derive(Clone, Debug, Default)]
pub struct Stamps {
    traditional: Option<Minute>,
    /// `2026-06-17T10:25:` and the zone, and what they mean with zero seconds.
    iso: Option<([u8; 17], [u8; 6], i64)>,
    heads: Heads,
}

/// `Jun 17 10:25:`, and what it means with zero seconds.
#[derive(Clone, Copy, Debug)]
struct Minute {
    /// The sixteen bytes `Jun 17 10:25:SS ` as a number, those of the second zero.
    start: u128,
    wall: WallTime,
}

/// Where in [`Minute::start`] the second stands.
const SECOND_AT: u32 = 13 * 8;
const SECOND: u128 = 0xffff << SECOND_AT;

impl Minute {
    /// The stamp of a line of this minute, by the line's first sixteen bytes.
    #[inline]
    fn stamp(&self, start: u128) -> Option<Stamp> {
        let [ten, one, ..] = ((start >> SECOND_AT) as u64).to_le_bytes().map(|digit| digit.wrapping_sub(b'0'));
        let second = ten.wrapping_mul(10).wrapping_add(one);
        let fits = start & !SECOND == self.start && ten < 10 && one < 10 && second < 61;
        fits.then_some(Stamp::Wall(WallTime { second, ..self.wall }))
    }
}

impl Stamps {
    /// The same as [`record`], quicker on lines that follow one another.
    #[inline]
    pub fn record<'a>(&mut self, line: &'a [u8]) -> Option<Record<'a>> {
        let Some((stamp, rest)) = self.known(line) else { return self.general(line).map(unfolded) };
        let rest = rest.strip_suffix(b"\r").unwrap_or(rest);
        self.heads.record(stamp, rest).or_else(|| self.new_head(stamp, rest, line))
    }

    /// A line whose stamp is known, but not its host and program.
    #[cold]
    fn new_head<'a>(&mut self, stamp: Stamp, rest: &'a [u8], line: &'a [u8]) -> Option<Record<'a>> {
        // What may stand between stamp and host in rarer shapes is for the general way.
        let is_odd = may_be_another_stamp(rest) || matches!(rest.first(), Some(b's' | b'<'));
        let record = if is_odd { self.general(line)? } else { after_stamp(stamp, rest) };
        self.heads.learn(rest, &record);
        Some(unfolded(record))
    }

    #[inline]
    fn known<'a>(&self, line: &'a [u8]) -> Option<(Stamp, &'a [u8])> {
        let (start, rest) = line.split_first_chunk::<16>()?;
        if start[0].is_ascii_digit() {
            return self.known_iso(line);
        }
        Some((self.traditional.as_ref()?.stamp(u128::from_le_bytes(*start))?, rest))
    }

    /// `SS.uuuuuu+hh:mm ` behind a minute that is known.
    fn known_iso<'a>(&self, line: &'a [u8]) -> Option<(Stamp, &'a [u8])> {
        let (minute, zone, base) = self.iso.as_ref()?;
        let rest = line.strip_prefix(minute)?;
        let second = two_digits(rest, 0, 60)?;
        let fraction = rest.get(2..9)?;
        let mut micros = 0;
        let (b'.', digits) = fraction.split_first().map(|(dot, digits)| (*dot, digits))? else { return None };
        for digit in digits {
            let value = digit.wrapping_sub(b'0');
            if value > 9 {
                return None;
            }
            micros = micros * 10 + i64::from(value);
        }
        let rest = rest.get(9..)?.strip_prefix(zone)?.strip_prefix(b" ")?;
        Some((Stamp::Instant(base + i64::from(second) * 1_000_000 + micros), rest))
    }

    fn general<'a>(&mut self, line: &'a [u8]) -> Option<Record<'a>> {
        let found = general(line)?;
        self.remember(line, found.stamp);
        Some(found)
    }

    fn remember(&mut self, line: &[u8], stamp: Stamp) {
        match stamp {
            Stamp::Wall(wall) if wall.year.is_none() && wall.micros == 0 => {
                let start = line.first_chunk().map(|start| u128::from_le_bytes(*start));
                let whole = line.get(15) == Some(&b' ') && line.get(9) == Some(&b':') && line.get(12) == Some(&b':');
                let wall = WallTime { second: 0, ..wall };
                self.traditional = start.filter(|_| whole).map(|start| Minute { start: start & !SECOND, wall });
            }
            Stamp::Instant(micros) => {
                let head = line.get(..17).and_then(|head| head.try_into().ok());
                let zone = line.get(26..32).and_then(|zone| zone.try_into().ok());
                let seconds = two_digits(line, 17, 60);
                let shape = line.get(10) == Some(&b'T')
                    && line.get(19) == Some(&b'.')
                    && line.get(32) == Some(&b' ')
                    && matches!(line.get(26), Some(b'+' | b'-'));
                self.iso = match (head, zone, seconds) {
                    (Some(head), Some(zone), Some(seconds)) if shape => {
                        Some((head, zone, micros.div_euclid(1_000_000) * 1_000_000 - i64::from(seconds) * 1_000_000))
                    }
                    _ => None,
                };
            }
            Stamp::Wall(_) => {}
        }
    }
}

/// A host name is no month and seldom a number: only then may another stamp follow.
#[inline]
fn may_be_another_stamp(rest: &[u8]) -> bool {
    rest.get(3) == Some(&b' ') || rest.get(4) == Some(&b'-')
}

fn general(line: &[u8]) -> Option<Record<'_>> {
    let line = trim(line);
    let (priority, rest) = if line.first() == Some(&b'<') { priority(line) } else { (false, line) };
    if priority && let Some(rest) = rest.strip_prefix(b"1 ") {
        return rfc5424(rest);
    }
    let (stamp, rest) = stamp(rest)?;
    // `docker logs -t` and CRI runtimes put their own stamp before the program's.
    let rest = if rest.starts_with(b"std") { stream_marker(rest) } else { rest };
    if is_part(rest) {
        let (host, tag) = (b"".as_slice(), Tag(b""));
        return Some(Record { stamp, host, tag, program: Program::Other, pid: None, repeat: 1, text: rest });
    }
    if may_be_another_stamp(rest)
        && let Some((inner, rest)) = crate::stamp::stamp(rest)
    {
        let best = if matches!(stamp, Stamp::Instant(_)) { stamp } else { inner };
        return Some(after_stamp(best, rest));
    }
    Some(after_stamp(stamp, rest))
}

/// Cuts what relays leave around a line: NUL runs (a file truncated under its writer), the byte order mark of a file saved on Windows,
/// carriage return, trailing blanks of no meaning.
#[inline]
fn trim(line: &[u8]) -> &[u8] {
    let line = match line.first() {
        Some(0) => line.get(line.iter().take_while(|b| **b == 0).count()..).unwrap_or_default(),
        Some(0xef) => line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line),
        _ => line,
    };
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// What begins a text in UTF-8 where somebody thought it should be said: RFC 5424 messages, files saved on Windows.
pub(crate) const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// `<22>`: facility and severity of a forwarded line.
fn priority(line: &[u8]) -> (bool, &[u8]) {
    let inside = line.strip_prefix(b"<").and_then(number);
    match inside {
        Some((0..=191, rest)) => rest.strip_prefix(b">").map_or((false, line), |rest| (true, rest)),
        _ => (false, line),
    }
}

/// `stdout F ` of the Kubernetes log format.
fn stream_marker(rest: &[u8]) -> &[u8] {
    let marked = rest.strip_prefix(b"stdout ").or_else(|| rest.strip_prefix(b"stderr "));
    marked.and_then(|r| r.strip_prefix(b"F ")).unwrap_or(rest)
}

/// `stdout P `: the beginning of a line that was too long for the runtime. What it says is not whole, and who said the rest is not told.
#[inline]
pub(crate) fn is_part(rest: &[u8]) -> bool {
    rest.first() == Some(&b's') && (rest.starts_with(b"stdout P ") || rest.starts_with(b"stderr P "))
}

/// `STAMP HOST APP PROCID MSGID SD  msg`. rsyslog cuts APP at its first slash: the program may then be a bare `postfix`.
fn rfc5424(rest: &[u8]) -> Option<Record<'_>> {
    let (stamp, rest) = stamp(rest)?;
    let (host, rest) = word(rest);
    let (app, rest) = word(rest);
    let (procid, rest) = word(rest);
    let (_msgid, rest) = word(rest);
    let text = structured_data(rest).trim_ascii_start();
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    let tag = if app == b"-" { b"" } else { app };
    Some(repeated(Record {
        stamp,
        host,
        tag: Tag(tag),
        program: program_of(Tag(tag)),
        pid: whole_u32(procid),
        repeat: 1,
        text,
    }))
}

/// Skips `-` or `[id name="value" …]…`; a quoted value may hold `\"` and `\]`.
fn structured_data(rest: &[u8]) -> &[u8] {
    if let Some(rest) = rest.strip_prefix(b"-") {
        return rest;
    }
    let mut at = 0;
    while rest.get(at) == Some(&b'[') {
        let (mut quoted, mut escaped) = (false, false);
        let end = rest.iter().enumerate().skip(at).find(|(_, byte)| {
            let closes = **byte == b']' && !quoted;
            quoted ^= **byte == b'"' && !escaped;
            escaped = **byte == b'\\' && !escaped;
            closes
        });
        match end {
            Some((end, _)) => at = end + 1,
            None => return b"",
        }
    }
    rest.get(at..).unwrap_or_default()
}

/// `HOST [facility.severity] TAG[PID]: TEXT`, or without a host: in Dovecot's own files and wherever [`is_tag`] tells.
#[inline]
pub(crate) fn after_stamp(stamp: Stamp, rest: &[u8]) -> Record<'_> {
    let rest = if rest.first() == Some(&b'<') { bsd_facility(rest) } else { rest };
    let end = rest.iter().position(|b| *b == b' ').unwrap_or(rest.len());
    let (mut host, mut after_host) = split_around(rest, end, 1).unwrap_or((rest, b""));
    if host.last() == Some(&b':') {
        if dovecot_process(host) {
            let (tag, program) = (Tag(b"dovecot"), Program::Dovecot);
            return Record { stamp, host: b"", tag, program, pid: None, repeat: 1, text: rest };
        }
        if is_tag(host) {
            (host, after_host) = (b"", rest);
        }
    }
    let after_host = if after_host.first() == Some(&b' ') { after_host.trim_ascii_start() } else { after_host };
    let (tag, pid, text) = match program(after_host) {
        // A facility before the tag ends like a line without one: at a blank.
        (b"", ..) => program(busybox_facility(after_host)),
        found => found,
    };
    let text = if text.first() == Some(&b'[') { solaris_id(text) } else { text };
    let record = Record { stamp, host, tag: Tag(tag), program: program_of(Tag(tag)), pid, repeat: 1, text };
    // Nearly no line starts with an `m`: look no further for those that do not.
    if text.first() == Some(&b'm') { repeated(record) } else { record }
}

/// `TAG[PID]: TEXT` of which the time is known from elsewhere. `None`: it has no tag.
pub(crate) fn tagged(stamp: Stamp, rest: &[u8]) -> Option<Record<'_>> {
    let (tag, pid, text) = program(rest);
    let record = Record { stamp, host: b"", tag: Tag(tag), program: program_of(Tag(tag)), pid, repeat: 1, text };
    (!tag.is_empty()).then(|| repeated(record))
}

/// `<mail.info> ` of BSD's `syslogd -v`.
fn bsd_facility(rest: &[u8]) -> &[u8] {
    let inside = rest.strip_prefix(b"<").and_then(|r| split_byte(r, b'>'));
    match inside {
        Some((token, after)) if token.contains(&b'.') && !token.contains(&b' ') => after.trim_ascii_start(),
        _ => rest,
    }
}

/// `mail.warn ` of busybox: a facility, a dot, a severity, between host and tag.
fn busybox_facility(rest: &[u8]) -> &[u8] {
    const FACILITIES: [&[u8]; 9] =
        [b"mail", b"auth", b"authpriv", b"daemon", b"syslog", b"user", b"kern", b"cron", b"local"];
    let (token, after) = word(rest);
    match split_byte(token, b'.') {
        Some((facility, severity))
            if severity.iter().all(u8::is_ascii_lowercase)
                && !severity.is_empty()
                && FACILITIES.iter().any(|f| facility.starts_with(f)) =>
        {
            after
        }
        _ => rest,
    }
}

/// `[ID 197553 mail.info] ` of Solaris.
fn solaris_id(text: &[u8]) -> &[u8] {
    let inside = text.strip_prefix(b"[ID ").and_then(|t| split_byte(t, b']'));
    inside.map_or(text, |(_, after)| after.trim_ascii_start())
}

/// The processes that write Dovecot's own log files, by the word before the first colon.
fn dovecot_process(word: &[u8]) -> bool {
    let name = word.split(|b| matches!(b, b':' | b'(' | b'[')).next().unwrap_or_default();
    matches!(
        name,
        b"auth"
            | b"auth-worker"
            | b"master"
            | b"anvil"
            | b"imap"
            | b"pop3"
            | b"lmtp"
            | b"config"
            | b"imap-login"
            | b"pop3-login"
            | b"submission-login"
            | b"managesieve-login"
            | b"log"
            | b"stats"
    )
}

/// Whether the word in the host's place is a tag: `postfix/smtpd[77]:`, `postfix/smtpd:`, Dovecot's `dovecot:`. An address may end in a
/// colon (`2001:db8::`), and so may a name that a relay wrote, but neither has a process id or a slash.
///
/// Source of such lines: busybox `syslogd -S`, `journalctl --no-hostname`, and what multilog and its like read off `/dev/log`.
#[cold]
fn is_tag(word: &[u8]) -> bool {
    let (tag, _, text) = program(word);
    let has_pid = word.get(tag.len()) == Some(&b'[');
    !tag.is_empty() && text.is_empty() && (has_pid || tag.contains(&b'/') || tag == b"dovecot")
}

/// The bytes a tag ends at.
#[expect(clippy::indexing_slicing, reason = "evaluated when compiled: a wrong index does not compile")]
static ENDS_TAG: [bool; 256] = {
    let mut table = [false; 256];
    table[b'[' as usize] = true;
    table[b':' as usize] = true;
    table[b' ' as usize] = true;
    table
};

/// `TAG[PID]: TEXT` or `TAG: TEXT`. A line whose next word ends with neither has no tag.
#[inline]
fn program(rest: &[u8]) -> (&[u8], Option<u32>, &[u8]) {
    let untagged = (b"".as_slice(), None, rest);
    // A tag is short: a plain loop beats a vectorised search.
    let Some(at) = rest.iter().position(|b| ENDS_TAG.get(usize::from(*b)) == Some(&true)) else { return untagged };
    let Some((tag, after)) = split_around(rest, at, 1) else { return untagged };
    match rest.get(at) {
        Some(b'[') => match number(after) {
            Some((pid, after)) => match after.strip_prefix(b"]:").or_else(|| after.strip_prefix(b"]")) {
                Some(text) => (tag, u32::try_from(pid).ok(), text.strip_prefix(b" ").unwrap_or(text)),
                None => untagged,
            },
            None => untagged,
        },
        Some(b':') if matches!(after.first(), None | Some(b' ')) => {
            (tag, None, after.strip_prefix(b" ").unwrap_or(after))
        }
        _ => untagged,
    }
}

/// Unfolds rsyslog's `message repeated N times: [ original]`.
fn repeated(record: Record<'_>) -> Record<'_> {
    let Some(rest) = record.text.strip_prefix(b"message repeated ") else { return record };
    let unfolded = number(rest).and_then(|(times, rest)| Some((times, rest.strip_prefix(b" times: [")?)));
    let Some((times, text)) = unfolded else { return record };
    let text = text.strip_prefix(b" ").unwrap_or(text);
    let repeat = u32::try_from(times).unwrap_or(u32::MAX).max(1);
    Record { repeat, text: text.strip_suffix(b"]").unwrap_or(text), ..record }
}

/// `last message repeated N times` of older syslogds: N more of the line before. Output: N.
#[must_use]
pub(crate) fn last_message_repeated(text: &[u8]) -> Option<u32> {
    let (times, rest) = number(text.strip_prefix(b"last message repeated ")?)?;
    let ends = rest == b" times" || rest == b" time";
    if ends { u32::try_from(times).ok() } else { None }
}

/// How many lines a notice says were lost before it, e.g. to a rate limit. Output: the number lost.
///
/// Sources of the wording: rsyslog `imuxsock` and `imjournal`, systemd-journald.
#[must_use]
pub fn lines_lost(text: &[u8]) -> Option<u64> {
    // Every line of every other program is asked: what all wordings share is looked for first.
    static MESSAGES: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b" messages "));
    MESSAGES.find(text)?;
    let after = ["imuxsock lost ", "imjournal: ", "Suppressed "].iter().find_map(|prefix| {
        let at = memchr::memmem::find(text, prefix.as_bytes())?;
        text.get(at + prefix.len()..)
    })?;
    let (lost, rest) = number(after)?;
    rest.starts_with(b" messages ").then_some(lost)
}

/// Whether a line that has no envelope of its own is the journal's or a program's filler, such as `-- Boot … --`.
#[must_use]
pub fn is_filler(line: &[u8]) -> bool {
    let line = trim(line);
    line.starts_with(b"-- ") && line.ends_with(b"--")
        || line.starts_with(b"-- Logs begin at ")
        || line.starts_with(b"-- Journal begins at ")
}

/// A rough hour of the day out of a stamp-like start, to tell a bad stamp from a line that never had one.
#[must_use]
pub fn looks_stamped(line: &[u8]) -> bool {
    trim(line).windows(8).take(24).any(|w| {
        w.get(2) == Some(&b':')
            && w.get(5) == Some(&b':')
            && two_digits(w, 0, 100).is_some()
            && two_digits(w, 6, 100).is_some()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, host: &str, tag: &str, pid: Option<u32>, repeat: u32, text: &str) {
        let found = record(line.as_bytes()).unwrap_or_else(|| panic!("no record: {line}"));
        let shown = (
            String::from_utf8_lossy(found.host),
            String::from_utf8_lossy(found.tag.0),
            found.pid,
            found.repeat,
            String::from_utf8_lossy(found.text),
        );
        assert_eq!(shown, (host.into(), tag.into(), pid, repeat, text.into()), "{line}");
    }

    #[test]
    fn process_ids_of_any_length() {
        for pid in ["1", "12", "123", "12345", "999999", "4194304", "12345678", "123456789", "4294967295", "4294967296"]
        {
            let lines = ["x", "y"].map(|text| format!("Jun 17 10:25:14 mail postfix/smtpd[{pid}]: some more {text}"));
            let mut stamps = Stamps::default();
            for line in &lines {
                let found = stamps.record(line.as_bytes()).unwrap();
                assert_eq!((found.pid, found.program), (pid.parse().ok(), Program::Smtpd), "{line}");
                assert_eq!(found.text.get(..10), Some(&b"some more "[..]));
            }
        }
        for odd in ["[]: x", "[1a]: x", "[ 1]: x", "[1] x", "[1", "[:1]: x", "[12345/6]: x"] {
            let (known, odd) = ("Jun 17 10:25:14 mail a/smtpd[7]: x", format!("Jun 17 10:25:14 mail a/smtpd{odd}"));
            let mut stamps = Stamps::default();
            stamps.record(known.as_bytes());
            assert_eq!(stamps.record(odd.as_bytes()), record(odd.as_bytes()), "{odd}");
        }
    }

    #[test]
    fn envelopes_of_part_1_1() {
        let smtpd = "postfix/submission/smtpd";
        check(
            "Jun 17 10:25:14 mail postfix/submission/smtpd[12345]: connect from x[::1]",
            "mail",
            smtpd,
            Some(12345),
            1,
            "connect from x[::1]",
        );
        check("Jun 07 10:25:14 mail postfix/submission/smtpd[1]: x", "mail", smtpd, Some(1), 1, "x");
        check("2025-11-22T09:17:26.436140+00:00 mail postfix/submission/smtpd[1]: x", "mail", smtpd, Some(1), 1, "x");
        check("<22>Jun  7 10:25:14 mail postfix/submission/smtpd[1]: x", "mail", smtpd, Some(1), 1, "x");
        check(
            "<22>1 2025-11-22T09:17:26.436140+00:00 mail postfix 42 - -  connect from x[::1]",
            "mail",
            "postfix",
            Some(42),
            1,
            "connect from x[::1]",
        );
        check(
            "<22>1 2025-11-22T09:17:26Z mail postfix/submission/smtpd 42 m [a b=\"c\\\"]\"][d] x",
            "mail",
            smtpd,
            Some(42),
            1,
            "x",
        );
        check("Jun  7 10:25:14 mail mail.warn postfix/submission/smtpd[1]: x", "mail", smtpd, Some(1), 1, "x");
        check("Jun  7 10:25:14 <mail.info> mail postfix/submission/smtpd[1]: x", "mail", smtpd, Some(1), 1, "x");
        check(
            "Jun  7 10:25:14 mail postfix/submission/smtpd[1]: [ID 197553 mail.info] x",
            "mail",
            smtpd,
            Some(1),
            1,
            "x",
        );
        check(
            "2025-11-22T09:17:26.1Z stdout F Nov 22 09:17:26 mail postfix/submission/smtpd[1]: x",
            "mail",
            smtpd,
            Some(1),
            1,
            "x",
        );
        check("Sat 2025-11-22 09:17:26 UTC mail postfix/submission/smtpd[1]: x", "mail", smtpd, Some(1), 1, "x");
        check(
            "Nov 22 09:06:30 auth: Info: passwd-file(a,192.0.2.1): unknown user",
            "",
            "dovecot",
            None,
            1,
            "auth: Info: passwd-file(a,192.0.2.1): unknown user",
        );
        check("2019-10-15 08:08:52 imap-login: Info: x", "", "dovecot", None, 1, "imap-login: Info: x");
        check("Jun 17 10:25:14 mail dovecot: auth: x", "mail", "dovecot", None, 1, "auth: x");
        check("\0\0Jun 17 10:25:14 mail a[1]: x\r", "mail", "a", Some(1), 1, "x");
        check(
            "Jun 17 10:25:14 mail last message repeated 3 times",
            "mail",
            "",
            None,
            1,
            "last message repeated 3 times",
        );
        check("Jun 17 10:25:14 mail", "mail", "", None, 1, "");
    }

    #[test]
    fn lines_without_a_host() {
        let smtpd = "postfix/submission/smtpd";
        for stamp in [
            "Mar 10 10:00:00",
            "Mar  9 10:00:00.123456",
            "2026-03-10T10:00:00+00:00",
            "2026-03-10T10:00:00.123456+00:00",
            "2026-03-10 10:00:00",
            "Tue 2026-03-10 10:00:00 UTC",
            "Tue 2026-03-10 10:00:00 CET",
            "1763803046.436140",
            "@400000004c91b044077a9e94",
            "<22>Mar 10 10:00:00",
            "2025-11-22T09:17:26.1Z stdout F Nov 22 09:17:26",
            "Mar 10 10:00:00 <mail.info>",
        ] {
            check(&format!("{stamp} {smtpd}[77]: warning: x: y"), "", smtpd, Some(77), 1, "warning: x: y");
            check(&format!("{stamp} mx {smtpd}[77]: warning: x: y"), "mx", smtpd, Some(77), 1, "warning: x: y");
        }
        check("Mar 10 10:00:00 postfix/smtpd: x", "", "postfix/smtpd", None, 1, "x");
        check("Mar 10 10:00:00 postfix/smtpd[4294967296]: x", "", "postfix/smtpd", None, 1, "x");
        check("Mar 10 10:00:00 postfix/smtpd[7]:", "", "postfix/smtpd", Some(7), 1, "");
        check("Mar 10 10:00:00 smtpd[7]: x", "", "smtpd", Some(7), 1, "x");
        check("Mar 10 10:00:00 a/smtpd[7]: message repeated 2 times: [ x]", "", "a/smtpd", Some(7), 2, "x");
        check("Mar 10 10:00:00 a/smtpd[7]: [ID 1 mail.info] x", "", "a/smtpd", Some(7), 1, "x");
        check("Mar 10 10:00:00 dovecot: auth: x", "", "dovecot", None, 1, "auth: x");
        check("Mar 10 10:00:00 dovecot[7]: auth: x", "", "dovecot", Some(7), 1, "auth: x");
        // Hosts, however odd.
        for host in ["2001:db8::", "::", "mail:", "[::1]:", "[7]:", "a[x]:", "a[7]b:", "a/b", "a[7]", "CET", "a::b/:"] {
            check(&format!("Mar 10 10:00:00 {host} postfix/smtpd[7]: x"), host, "postfix/smtpd", Some(7), 1, "x");
        }
        check("Mar 10 10:00:00 - postfix/smtpd[7]: x", "-", "postfix/smtpd", Some(7), 1, "x");
    }

    #[test]
    fn a_zone_is_no_host() {
        let (tag, pid) = ("postfix/submission/smtpd", Some(77));
        for zone in ["UTC", "GMT", "CET", "EDT", "AEST", "+03", "+0330", "-03:30"] {
            check(&format!("Tue 2026-03-10 11:00:01 {zone} mx {tag}[77]: x"), "mx", tag, pid, 1, "x");
        }
        for stamp in ["Mar 10 11:00:01", "2026-03-10 11:00:01", "2026-03-10T11:00:01Z", "Tue Mar 10 11:00:01"] {
            check(&format!("{stamp} CET {tag}[77]: x"), "CET", tag, pid, 1, "x");
        }
    }

    #[test]
    fn a_byte_order_mark_is_skipped() {
        for line in
            ["Jun 17 10:25:14 mail a[1]: x", "2025-11-22T09:17:26Z mail a[1]: x", "<22>Jun 17 10:25:14 mail a[1]: x"]
        {
            check(&format!("\u{feff}{line}\r"), "mail", "a", Some(1), 1, "x");
            assert_eq!(record(format!("\u{feff}\u{feff}{line}").as_bytes()), None);
        }
        assert!(is_filler("\u{feff}-- No entries --".as_bytes()) && record("\u{feff}".as_bytes()).is_none());
        assert_eq!(record(b"\xef\xbbJun 17 10:25:14 mail a[1]: x"), None);
    }

    #[test]
    fn remembered_stamps_change_nothing() {
        let mut stamps = Stamps::default();
        for line in [
            "Jun 17 10:25:14 mail a[1]: x",
            "Jun 17 10:25:14 mx1 b[2]: y\r",
            "Jun 17 10:25:14 stdout F x",
            "Jun 17 10:25:14 a[1]: x: y[2]: z",
            "Jun 17 10:25:14 a/b: x: y[2]: z",
            "Jun 17 10:25:14 a: b[2]: z",
            "Jun 17 10:25:14 a[1]: x: y[2]: z",
            "\u{feff}Jun 17 10:25:14 mail a[1]: x",
            "Jun 17 10:25:14.5 mail a[1]: x",
            "Jun 7 10:25:14 mail a[1]: x",
            "Jun 7 10:25:14 mail a[1]: x",
            "2025-11-22T09:17:26.436140+00:00 mail a[1]: x",
            "2025-11-22T09:17:59.000001+00:00 mail a[1]: x",
            "2025-11-22T09:17:60.000001+00:00 mail a[1]: x",
            "2025-11-22T09:17:59.000001+01:00 mail a[1]: x",
            "2025-11-22T09:17:59.0001Z mail a[1]: x",
            "2025-11-22T09:17:59.x00001+01:00 mail a[1]: x",
            "",
            "x",
        ] {
            assert_eq!(stamps.record(line.as_bytes()), record(line.as_bytes()), "{line}");
        }
    }

    #[test]
    fn repetition_is_unfolded() {
        check(
            "Jun 17 10:25:14 mail postfix/smtpd[1]: message repeated 3 times: [ warning: x[192.0.2.9]: SASL a]",
            "mail",
            "postfix/smtpd",
            Some(1),
            3,
            "warning: x[192.0.2.9]: SASL a",
        );
        check(
            "Jun 17 10:25:14 mail postfix/smtpd[1]: message repeated 3 times: cut",
            "mail",
            "postfix/smtpd",
            Some(1),
            1,
            "message repeated 3 times: cut",
        );
        assert_eq!(last_message_repeated(b"last message repeated 7 times"), Some(7));
        assert_eq!(last_message_repeated(b"last message repeated 7 times more"), None);
    }

    #[test]
    fn lines_without_an_envelope() {
        for line in ["", "garbage", "-- Boot 1234 --", "[   12.345678] host x", "<999>x"] {
            assert_eq!(record(line.as_bytes()), None, "{line}");
        }
        assert!(is_filler(b"-- No entries --") && !is_filler(b"--"));
        assert!(looks_stamped(b"Foo 17 10:25:14 m x") && !looks_stamped(b"garbage"));
    }

    #[test]
    fn loss_notices() {
        assert_eq!(lines_lost(b"imuxsock lost 42 messages from pid 7 due to rate-limiting"), Some(42));
        assert_eq!(lines_lost(b"Suppressed 9 messages from postfix.service"), Some(9));
        assert_eq!(lines_lost(b"begin to drop messages due to rate-limiting"), None);
    }
}
