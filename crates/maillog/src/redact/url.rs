//! Addresses of databases and web services that hold a password: `postgresql://joe:secret@host/mail`.
//!
//! Input: a message. Output: where such passwords stand.

use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::{Cuts, REDACTED};

/// Where the passwords of addresses stand.
pub(super) fn passwords(text: &[u8]) -> Cuts {
    static SCHEME: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"://"));
    let (mut cuts, mut from) = (Cuts::new(), 0);
    while let Some(found) = text.get(from..).and_then(|rest| SCHEME.find(rest)) {
        let start = from + found + SCHEME.needle().len();
        let rest = text.get(start..).unwrap_or_default();
        let len = rest.iter().position(|b| b.is_ascii_whitespace() || b"\"<>".contains(b)).unwrap_or(rest.len());
        let (word, _) = rest.split_at(len);
        if let Some((open, close)) = password(word)
            && word.get(open..close).is_some_and(|secret| !secret.is_empty() && secret != REDACTED)
        {
            cuts.push((start + open, start + close));
        }
        from = start + len;
    }
    cuts
}

/// Where the password stands in what follows `://`. It may hold any byte that ends a part of an address.
fn password(word: &[u8]) -> Option<(usize, usize)> {
    let host = word.iter().position(|b| matches!(b, b'/' | b'?' | b'#')).unwrap_or(word.len());
    let colon = memchr::memchr(b':', word.get(..host)?)?;
    // An address of IPv6 holds colons of its own.
    if memchr::memchr2(b'[', b'@', word.get(..colon)?).is_some() {
        return None;
    }
    let close = memchr::memrchr(b'@', word.get(..host)?).or_else(|| {
        // A port is a number.
        let port = word.get(colon + 1..host)?;
        if !port.is_empty() && port.iter().all(u8::is_ascii_digit) { None } else { memchr::memrchr(b'@', word) }
    })?;
    Some((colon + 1, close))
}
