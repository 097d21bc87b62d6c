//! How a packed line begins: one byte that says what follows, and what nearly every line has, in as few bytes as it takes.
//!
//! A line's bytes are its end, so that their length need not be said. Lines are compressed together, and what each of them has of its
//! own is what they take.

use query::{Entry, Field};

/// Says that this is such a byte: packed lines of layouts up to 2 begin with 0 or 1.
const MARK: u8 = 0x80;
/// The session's eight bytes follow.
const SESSION: u8 = 0x01;
/// What few lines have follows.
const REST: u8 = 0x02;
/// The line's own bytes follow.
const RAW: u8 = 0x04;
/// Where the number of what of the time the log did not say stands: 0 for nothing.
const TIME_SHIFT: u8 = 3;
const TIME_BITS: u8 = 0x03;
/// What of the time the log may not say, from number 1 on.
const TIMES: [&str; 3] = ["year,zone", "zone", "year"];

/// What nearly every line has besides what its bytes say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Form {
    session: Option<u64>,
    /// What of its time the log did not say.
    pub(super) time: Option<&'static str>,
}

/// What else a packed line has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Has {
    pub(super) raw: bool,
    pub(super) rest: bool,
}

impl Form {
    /// Takes a field's text, if it can be said here.
    pub(super) fn takes(&mut self, field: &Field, text: &str) -> bool {
        if field.name == "session" {
            self.session = number(text);
            return self.session.is_some();
        }
        if field.name == "time_inferred" {
            self.time = TIMES.into_iter().find(|known| *known == text);
            return self.time.is_some();
        }
        false
    }

    /// Begins a packed line. `length`: that of what will follow, about.
    pub(super) fn begin(self, raw: bool, rest: bool, length: usize) -> Vec<u8> {
        let time = self.time.and_then(|time| (1..).zip(TIMES).find(|(_, known)| *known == time));
        let flag = |is: bool, bit: u8| if is { bit } else { 0 };
        let first = MARK
            | flag(self.session.is_some(), SESSION)
            | flag(rest, REST)
            | flag(raw, RAW)
            | time.map_or(0, |(number, _): (u8, _)| number << TIME_SHIFT);
        let mut packed = Vec::with_capacity(length + 16);
        packed.push(first);
        packed.extend(self.session.map(u64::to_be_bytes).into_iter().flatten());
        packed
    }

    /// Reads what [`Form::begin`] wrote, and gives what follows. `None`: it begins otherwise.
    pub(super) fn read(packed: &[u8]) -> Option<(Self, Has, &[u8])> {
        let (first, mut left) = packed.split_first().filter(|(first, _)| *first & MARK != 0)?;
        let mut form = Self::default();
        if first & SESSION != 0 {
            let (session, behind) = left.split_first_chunk()?;
            (form.session, left) = (Some(u64::from_be_bytes(*session)), behind);
        }
        let time = usize::from(first >> TIME_SHIFT & TIME_BITS);
        form.time = time.checked_sub(1).and_then(|at| TIMES.get(at)).copied();
        Some((form, Has { raw: first & RAW != 0, rest: first & REST != 0 }, left))
    }

    /// Writes it into an entry.
    pub(super) fn put(self, entry: &mut Entry) {
        if let Some(session) = self.session {
            entry.session = Some(format!("{session:016x}"));
        }
        if let Some(time) = self.time {
            entry.time_inferred = Some(time.to_owned());
        }
    }
}

/// A number of sixteen hexadecimal digits, as sessions are called.
fn number(text: &str) -> Option<u64> {
    let digits = text.len() == 16 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if digits { u64::from_str_radix(text, 16).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_come_back() {
        let field = |name: &str| query::FIELDS.iter().find(|field| field.name == name).unwrap();
        let sessions = [None, Some("00000000000000ff"), Some("e83ebd74f69732e9")];
        for session in sessions {
            for time in [None].into_iter().chain(TIMES.map(Some)) {
                for (raw, rest) in [(false, false), (false, true), (true, false), (true, true)] {
                    let mut form = Form::default();
                    assert!(session.is_none_or(|text| form.takes(field("session"), text)));
                    assert!(time.is_none_or(|text| form.takes(field("time_inferred"), text)));
                    let mut packed = form.begin(raw, rest, 0);
                    packed.extend(b"behind");
                    assert_eq!(Form::read(&packed), Some((form, Has { raw, rest }, b"behind".as_slice())));
                    let mut entry = Entry::default();
                    form.put(&mut entry);
                    assert_eq!((entry.session.as_deref(), entry.time_inferred.as_deref()), (session, time));
                }
            }
        }
    }

    #[test]
    fn what_is_otherwise_is_said_otherwise() {
        let field = |name: &str| query::FIELDS.iter().find(|field| field.name == name).unwrap();
        let mut form = Form::default();
        for (name, text) in [
            ("session", "E83EBD74F69732E9"),
            ("session", "+83ebd74f69732e9"),
            ("session", "1"),
            ("time_inferred", "century"),
            ("cause", "year"),
        ] {
            assert!(!form.takes(field(name), text), "{name} {text}");
        }
        for packed in [b"".as_slice(), b"\x00", b"\x01", &[MARK | SESSION, 1, 2, 3]] {
            assert_eq!(Form::read(packed), None);
        }
    }
}
