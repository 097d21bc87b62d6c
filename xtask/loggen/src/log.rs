//! Where every line goes through: stamps, folding of repeated messages, and the counts of lines and bytes.
//!
//! Input: a moment, a host, a program tag, a pid and a message. Output: bytes of a log file in [`Log::bytes`], which the caller
//! drains. Nothing here knows what a line means.

use std::fmt::{self, Write as _};

/// Microseconds since 1970, UTC.
pub(crate) type Micros = u64;
/// One second.
pub(crate) const SECOND: Micros = 1_000_000;
/// One minute.
pub(crate) const MINUTE: Micros = 60 * SECOND;
/// One hour.
pub(crate) const HOUR: Micros = 60 * MINUTE;
/// One day.
pub(crate) const DAY: Micros = 24 * HOUR;

/// Two lines of one file are never closer than this.
const LINE_GAP: Micros = 37;

/// How a line says when it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Stamp {
    /// `Mar  2 09:17:26`: no year, no zone.
    Rfc3164,
    /// `2026-03-02T09:17:26.436140+00:00`.
    Rfc3339,
}

/// The log file as it grows.
pub(crate) struct Log {
    /// What has been written and not yet drained.
    pub(crate) bytes: String,
    /// Lines so far, as they stand in the file.
    pub(crate) lines: u64,
    /// Bytes drained so far.
    drained: u64,
    stamp: Stamp,
    folded: bool,
    hosts: Vec<HostLine>,
    scratch: String,
    cached_minute: u64,
    cached_text: String,
    last: Micros,
    first: Option<Micros>,
    /// `message repeated` lines so far.
    pub(crate) repeat_lines: u64,
}

/// The last message of one host, for folding.
struct HostLine {
    name: String,
    message: String,
    at: Micros,
    repeats: u64,
}

impl Log {
    pub(crate) fn new(stamp: Stamp, folded: bool, hosts: impl Iterator<Item = String>) -> Self {
        let hosts = hosts.map(|name| HostLine { name, message: String::new(), at: 0, repeats: 0 }).collect();
        Self {
            bytes: String::with_capacity(1 << 19),
            lines: 0,
            drained: 0,
            stamp,
            folded,
            hosts,
            scratch: String::new(),
            cached_minute: u64::MAX,
            cached_text: String::new(),
            last: 0,
            first: None,
            repeat_lines: 0,
        }
    }

    /// Writes one line. A pid of 0 means a program that logs without one.
    pub(crate) fn line(&mut self, now: Micros, host: usize, tag: &str, pid: u32, message: fmt::Arguments<'_>) {
        let at = now.max(self.last + LINE_GAP);
        self.last = at;
        self.first.get_or_insert(at);
        if self.folded {
            return self.fold(at, host, tag, pid, message);
        }
        self.begin(at, host);
        put(&mut self.bytes, tag, pid, message);
        self.end();
    }

    /// rsyslog's repeated-message reduction: a message that equals the host's previous one in tag, pid and text is held back;
    /// the next other message of that host brings one line for all of them, with the time of the last. A single one is
    /// written as it was (rsyslog `runtime/ratelimit.c`).
    fn fold(&mut self, at: Micros, host: usize, tag: &str, pid: u32, message: fmt::Arguments<'_>) {
        let mut text = std::mem::take(&mut self.scratch);
        text.clear();
        put(&mut text, tag, pid, message);
        let entry = self.hosts.get_mut(host).expect("a host number comes from the list of hosts");
        if entry.message == text {
            entry.repeats += 1;
            entry.at = at;
            self.scratch = text;
            return;
        }
        self.flush_repeats(host);
        self.begin(at, host);
        self.bytes.push_str(&text);
        self.end();
        let entry = self.hosts.get_mut(host).expect("a host number comes from the list of hosts");
        self.scratch = std::mem::replace(&mut entry.message, text);
    }

    fn flush_repeats(&mut self, host: usize) {
        let entry = self.hosts.get_mut(host).expect("a host number comes from the list of hosts");
        let (repeats, at) = (std::mem::take(&mut entry.repeats), entry.at);
        if repeats == 0 {
            return;
        }
        let message = std::mem::take(&mut entry.message);
        self.begin(at, host);
        match message.split_once(": ") {
            Some((tag, text)) if repeats > 1 => {
                self.repeat_lines += 1;
                put_args(&mut self.bytes, format_args!("{tag}: message repeated {repeats} times: [ {text}]"));
            }
            _ => self.bytes.push_str(&message),
        }
        self.end();
    }

    /// Writes what folding still holds back.
    pub(crate) fn finish(&mut self) {
        for host in 0..self.hosts.len() {
            self.flush_repeats(host);
        }
    }

    fn begin(&mut self, at: Micros, host: usize) {
        let (minute, second) = (at / MINUTE, at % MINUTE / SECOND);
        if minute != self.cached_minute {
            self.cached_minute = minute;
            self.cached_text = up_to_minute(self.stamp, minute);
        }
        self.bytes.push_str(&self.cached_text);
        self.bytes.extend([second / 10, second % 10].map(|digit| char::from(b'0' + digit as u8)));
        if self.stamp == Stamp::Rfc3339 {
            put_args(&mut self.bytes, format_args!(".{:06}+00:00", at % SECOND));
        }
        self.bytes.push(' ');
        self.bytes.push_str(&self.hosts.get(host).expect("a host number comes from the list of hosts").name);
        self.bytes.push(' ');
    }

    fn end(&mut self) {
        self.bytes.push('\n');
        self.lines += 1;
    }

    /// Bytes so far, drained or not.
    pub(crate) fn len(&self) -> u64 {
        self.drained + self.bytes.len() as u64
    }

    /// Forgets the bytes, which the caller has written.
    pub(crate) fn drained(&mut self) {
        self.drained += self.bytes.len() as u64;
        self.bytes.clear();
    }

    /// When the last line was written, folded or not.
    pub(crate) fn last(&self) -> Micros {
        self.last
    }

    /// The first and the last moment, as precise as the stamps are.
    pub(crate) fn span(&self) -> (Micros, Micros) {
        let precision = if self.stamp == Stamp::Rfc3339 { 1 } else { SECOND };
        let cut = |at: Micros| at / precision * precision;
        (cut(self.first.unwrap_or(0)), cut(self.last))
    }
}

fn put(out: &mut String, tag: &str, pid: u32, message: fmt::Arguments<'_>) {
    out.push_str(tag);
    if pid != 0 {
        put_args(out, format_args!("[{pid}]"));
    }
    out.push_str(": ");
    put_args(out, message);
}

fn put_args(out: &mut String, args: fmt::Arguments<'_>) {
    out.write_fmt(args).expect("writing to a string cannot fail");
}

fn up_to_minute(stamp: Stamp, minute: u64) -> String {
    let time = jiff::Timestamp::from_second((minute * 60) as i64).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let format = match stamp {
        Stamp::Rfc3164 => "%b %e %H:%M:",
        Stamp::Rfc3339 => "%Y-%m-%dT%H:%M:",
    };
    time.strftime(format).to_string()
}
