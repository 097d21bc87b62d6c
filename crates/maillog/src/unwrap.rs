//! Lines inside other lines: the journal's JSON, Docker's JSON files, compose prefixes, terminal colour.
//!
//! Input: a line whose own envelope could not be read. Output: the plain line inside it, for [`crate::record`] to read.
//! This is the slow path; it may allocate.

use std::fmt::Write as _;

use serde_json::Value;

use crate::envelope::BYTE_ORDER_MARK;
use crate::scan::{rsplit_once, split_once};

/// Wrappers peeled off one line at most: a container's log driver inside compose, with colour, is three.
const DEPTH: u32 = 6;

/// Unwraps a line, or `None` if it is wrapped in nothing we know.
#[must_use]
pub fn unwrap(line: &[u8]) -> Option<Vec<u8>> {
    nested(line, DEPTH)
}

fn nested(line: &[u8], depth: u32) -> Option<Vec<u8>> {
    let depth = depth.checked_sub(1)?;
    let line = line.trim_ascii();
    let line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
    let line = line.strip_prefix(b"\x1e").unwrap_or(line);
    let line = line.strip_prefix(b"data: ").unwrap_or(line);
    if line.starts_with(b"{") {
        return json(line, depth);
    }
    if line.contains(&0x1b) {
        let plain = without_colour(line);
        return Some(nested(&plain, depth).unwrap_or(plain));
    }
    compose(line, depth)
}

fn json(line: &[u8], depth: u32) -> Option<Vec<u8>> {
    let Value::Object(fields) = serde_json::from_slice(line).ok()? else { return None };
    if let Some(Value::String(log)) = fields.get("log") {
        return Some(docker(log, fields.get("time"), depth));
    }
    if fields.contains_key("MESSAGE") || fields.contains_key("__REALTIME_TIMESTAMP") {
        return journal_fields(|name| fields.get(name).and_then(bytes_of));
    }
    mailcow(&fields)
}

/// A journal field's value: a string, a list of byte numbers, or (over-long, without `--all`) null.
fn bytes_of(value: &Value) -> Option<Vec<u8>> {
    match value {
        Value::String(text) => Some(text.as_bytes().to_vec()),
        Value::Array(items) => items
            .iter()
            .map(|item| {
                item.as_u64()
                    .and_then(|b| u8::try_from(b).ok())
                    .or_else(|| item.as_str().and_then(|s| s.bytes().next()))
            })
            .collect(),
        Value::Number(number) => Some(number.to_string().into_bytes()),
        _ => None,
    }
}

/// Makes a plain line out of a journal entry's fields; `get` looks a field up by name. `None` without a time.
///
/// Source of the names: systemd.journal-fields(7), systemd's JOURNAL_EXPORT_FORMATS.
#[must_use]
pub fn journal_fields(get: impl Fn(&str) -> Option<Vec<u8>>) -> Option<Vec<u8>> {
    let micros: i64 = std::str::from_utf8(&get("_SOURCE_REALTIME_TIMESTAMP").or_else(|| get("__REALTIME_TIMESTAMP"))?)
        .ok()?
        .trim()
        .parse()
        .ok()?;
    let mut line = format!("{}.{:06} ", micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000)).into_bytes();
    line.extend(get("_HOSTNAME").unwrap_or_else(|| b"localhost".to_vec()));
    line.push(b' ');
    line.extend(get("SYSLOG_IDENTIFIER").or_else(|| get("_COMM")).unwrap_or_default());
    if let Some(pid) = get("SYSLOG_PID").or_else(|| get("_PID")) {
        line.push(b'[');
        line.extend(pid);
        line.push(b']');
    }
    line.extend_from_slice(b": ");
    for byte in get("MESSAGE").unwrap_or_default() {
        // A message of several lines stays one line, in rsyslog's spelling.
        if byte == b'\n' { line.extend_from_slice(b"#012") } else { line.push(byte) }
    }
    Some(line)
}

/// `{"log":"…\n","stream":…,"time":…}`: the line inside, with the outer time if it has none of its own.
fn docker(log: &str, time: Option<&Value>, depth: u32) -> Vec<u8> {
    let log = log.trim_end_matches(['\n', '\r']);
    let inner = nested(log.as_bytes(), depth).unwrap_or_else(|| log.as_bytes().to_vec());
    match (crate::stamp::stamp(&inner), time) {
        (None | Some((crate::stamp::Stamp::Wall(_), _)), Some(Value::String(time))) => {
            [time.as_bytes(), b" ", &inner].concat()
        }
        _ => inner,
    }
}

/// mailcow's list of log entries: `time` in seconds, `program`, `message`, no process id.
fn mailcow(fields: &serde_json::Map<String, Value>) -> Option<Vec<u8>> {
    let time = fields.get("time").and_then(bytes_of)?;
    let seconds: i64 = std::str::from_utf8(&time).ok()?.parse().ok()?;
    let (program, message) = (fields.get("program")?.as_str()?, fields.get("message")?.as_str()?);
    let mut line = String::new();
    write!(line, "{seconds}.000000 localhost {program}: {message}").ok()?;
    Some(line.into_bytes())
}

/// Drops `ESC [ … letter` sequences, and nothing else.
fn without_colour(line: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = split_once(rest, b"\x1b[") {
        let end = after.iter().position(u8::is_ascii_alphabetic);
        plain.extend_from_slice(before);
        match end.and_then(|end| after.get(end + 1..)) {
            Some(next) => rest = next,
            None => return plain,
        }
    }
    plain.extend_from_slice(rest);
    plain.retain(|b| *b != 0x1b);
    plain
}

/// `postfix-mailcow-1  | ` of docker compose.
fn compose(line: &[u8], depth: u32) -> Option<Vec<u8>> {
    let (name, rest) = split_once(line, b" | ").or_else(|| rsplit_once(line, b"| "))?;
    let name = name.trim_ascii_end();
    let service = !name.is_empty()
        && name.len() <= 64
        && name.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    service.then(|| nested(rest, depth).unwrap_or_else(|| rest.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: Option<&str>) {
        assert_eq!(
            unwrap(line.as_bytes()).map(|l| String::from_utf8_lossy(&l).into_owned()),
            expected.map(str::to_owned),
            "{line}"
        );
    }

    #[test]
    fn wrappers() {
        check(
            "postfix-mailcow-1  | Nov 22 09:06:30 a postfix/smtpd[1]: x",
            Some("Nov 22 09:06:30 a postfix/smtpd[1]: x"),
        );
        check("\x1b[36mmail-1  |\x1b[0m Nov 22 09:06:30 a b[1]: x", Some("Nov 22 09:06:30 a b[1]: x"));
        check(
            r#"{"log":"Nov 22 09:06:30 a b[1]: x\n","stream":"stdout","time":"2025-11-22T09:06:30.1Z"}"#,
            Some("2025-11-22T09:06:30.1Z Nov 22 09:06:30 a b[1]: x"),
        );
        check(
            r#"{"__REALTIME_TIMESTAMP":"1763803046436140","_HOSTNAME":"mail","SYSLOG_IDENTIFIER":"postfix/smtpd","_PID":"9","SYSLOG_PID":"7","MESSAGE":"x\ny"}"#,
            Some("1763803046.436140 mail postfix/smtpd[7]: x#012y"),
        );
        check(
            r#"{"__REALTIME_TIMESTAMP":"1763803046436140","_HOSTNAME":"mail","SYSLOG_IDENTIFIER":"postfix/smtpd","_PID":"9","MESSAGE":[120,27,121]}"#,
            Some("1763803046.436140 mail postfix/smtpd[9]: x\u{1b}y"),
        );
        check(
            r#"{"__REALTIME_TIMESTAMP":"1763803046436140","SYSLOG_IDENTIFIER":"postfix/smtpd","MESSAGE":null}"#,
            Some("1763803046.436140 localhost postfix/smtpd: "),
        );
        check(
            r#"{"time":"1763803046","priority":"info","program":"postfix/smtpd","message":"x"}"#,
            Some("1763803046.000000 localhost postfix/smtpd: x"),
        );
        check("garbage", None);
        check("{not json", None);
        check("a b | c", None);
    }
}
