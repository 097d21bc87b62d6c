//! What backends write with the statements they run: literals of SQL, any of which may be a password.
//!
//! Input: a message. Output: where the literals stand, without their quotes. The words around them tell what went wrong and stay.

use super::{Cuts, REDACTED};
use crate::QueueId;
use crate::scan::find;

/// Where the literals of a statement stand: Dovecot's `query: SELECT …`, Cyrus' `sql plugin doing query …`, pam_mysql's.
///
/// Which of them is the password only the administrator's query tells (`check_login('joe','secret')`): all of them go.
pub(super) fn literals(text: &[u8]) -> Cuts {
    // What Postfix says of a message or a client quotes strangers; it knows no passwords.
    if memchr::memchr2(b'\'', b'"', text).is_none() || text.starts_with(b"NOQUEUE:") || QueueId::of_text(text).is_some()
    {
        return Cuts::new();
    }
    let begin = statement(text).into_iter().chain(fragment(text)).min();
    begin.map(|begin| quoted(text, begin)).unwrap_or_default()
}

/// Where a statement begins.
fn statement(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let len = rest.iter().position(|b| !is_name(*b)).unwrap_or(rest.len());
        let (word, after) = rest.split_at_checked(len)?;
        if (4..=7).contains(&len) && is_verb(text.get(..at)?, word, after) {
            return Some(at);
        }
        at += len.max(1);
    }
    None
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

/// Whether a word begins a statement. Most of them are words of plain English, too.
fn is_verb(before: &[u8], word: &[u8], after: &[u8]) -> bool {
    let is = |verb: &str| word.eq_ignore_ascii_case(verb.as_bytes());
    if is("select") {
        return if word == b"SELECT" { true } else { starts(before) && is_gap(after) };
    }
    let mut words = after.split(|b| !is_name(*b) && *b != b'.').filter(|word| !word.is_empty());
    let (first, second) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    if is("insert") || is("replace") {
        first.eq_ignore_ascii_case(b"into") && is_gap(after)
    } else if is("delete") {
        first.eq_ignore_ascii_case(b"from") && starts(before)
    } else if is("update") {
        second.eq_ignore_ascii_case(b"set") && is_gap(after)
    } else if is("call") {
        is_gap(after) && after.trim_ascii_start().get(first.len()..).is_some_and(|rest| rest.starts_with(b"("))
    } else {
        word == b"EXEC" || word == b"EXECUTE"
    }
}

/// Whether a blank, a tab or the end of a line stands there, as it is or as syslog daemons write it.
fn is_gap(after: &[u8]) -> bool {
    after.first().is_some_and(|b| b.is_ascii_whitespace() || matches!(b, b'#' | b'\\'))
}

/// Whether a sentence has ended here, or somebody says that a statement follows.
fn starts(before: &[u8]) -> bool {
    let before = before.trim_ascii_end();
    let said = |word: &str| before.len().checked_sub(word.len()).and_then(|at| before.get(at..));
    let said = |word: &str| said(word).is_some_and(|end| end.eq_ignore_ascii_case(word.as_bytes()));
    before.last().is_none_or(|b| b":'\"`(=-[".contains(b)) || said("query") || said("statement")
}

/// `You have an error in your SQL syntax; … near '= 'joe' AND password = 'secret'' at line 1`: a piece of a statement.
fn fragment(text: &[u8]) -> Option<usize> {
    let at = find(text, b"SQL syntax;")?;
    let near = find(text.get(at..)?, b" near '")?;
    let begin = at + near + b" near '".len();
    // What holds no quotes but those around it holds no literal.
    let quotes = memchr::memchr2_iter(b'\'', b'"', text.get(begin..)?).count();
    (quotes > 1).then_some(begin)
}

/// The literals from `begin` on. Where it is not certain where one ends, all of the text is one.
fn quoted(text: &[u8], begin: usize) -> Cuts {
    let mut cuts = Cuts::new();
    let around = begin.checked_sub(1).and_then(|at| text.get(at)).copied();
    let mut from = begin;
    while let Some(open) = text.get(from..).and_then(|rest| memchr::memchr2(b'\'', b'"', rest)).map(|at| from + at) {
        if around == text.get(open).copied() && closes(text, open) {
            break;
        }
        let start = open + 1;
        let end = end(text, open).unwrap_or(text.len());
        let done = text.get(start..end).is_none_or(|literal| literal.is_empty() || literal == REDACTED);
        if !done {
            cuts.push((start, end));
        }
        from = end + 1;
    }
    cuts
}

/// Whether the last quote of a text ends what is quoted, and does not begin a literal that was cut off.
fn closes(text: &[u8], at: usize) -> bool {
    let (Some(before), Some(after)) = (text.get(..at), text.get(at + 1..)) else { return false };
    memchr::memchr2(b'\'', b'"', after).is_none()
        && before.last().is_some_and(|b| b.is_ascii_alphanumeric() || b"'\")];".contains(b))
        && after.first().is_none_or(|b| is_end(*b))
}

/// Where the literal that opens here ends; `None` if that is not certain: a quote behind a backslash ends it for one database and
/// not for another.
fn end(text: &[u8], open: usize) -> Option<usize> {
    let quote = *text.get(open)?;
    let mut from = open + 1;
    loop {
        let at = from + memchr::memchr(quote, text.get(from..)?)?;
        if text.get(at - 1) == Some(&b'\\') {
            return None;
        }
        match text.get(at + 1) {
            // An empty one, or a quote in it.
            Some(next) if *next == quote => from = at + 2,
            Some(next) if !is_end(*next) => return None,
            _ => return Some(at),
        }
    }
}

/// What may stand behind a literal.
fn is_end(byte: u8) -> bool {
    byte.is_ascii_whitespace() || b",;:()'\"=|.]#`<>!+*/".contains(&byte)
}
