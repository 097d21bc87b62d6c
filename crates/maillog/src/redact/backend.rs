//! Secrets that backends log: passwords and hashes of Dovecot's, in whatever line they stand.
//!
//! Input: a message. Output: what stays of it before the secret, and behind.

use std::borrow::Cow;
use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::{Kept, REDACTED, first_of, to_end};
use crate::scan::{contains, find, rsplit_once, split_byte, split_once};

/// Secrets that may stand in any line.
pub(super) fn anywhere(text: &[u8]) -> Option<Kept<'_>> {
    // What lines with such a secret have in common is looked for first: nearly no line has it.
    let named = PASS.find(text).is_some();
    let marked = memchr::memchr2(b'!', b'{', text).is_some();
    let plain = ANY_MARKERS.iter().all(|(common, _)| common.find(text).is_none());
    if !named && !marked && plain && CONTINUED.find(text).is_none() { None } else { first_rule(text) }
}

/// A secret may hold the marker of another rule: the rule that keeps least is right.
#[cold]
fn first_rule(text: &[u8]) -> Option<Kept<'_>> {
    let rules = [debug, continued, reply, given_password, mismatch, cached];
    rules.into_iter().filter_map(|rule| rule(text)).min_by_key(|(keep, _)| keep.len())
}

/// What every line has that names a password or a field of one.
static PASS: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"ass"));

/// `resp=…` of Dovecot's debug lines, HTTP's `Authorization:`.
fn debug(text: &[u8]) -> Option<Kept<'_>> {
    // What the markers have in common is looked for first: nearly no line has it.
    let common = ANY_MARKERS.iter().filter(|(common, _)| common.find(text).is_some());
    let (at, _) = common.filter_map(|(_, markers)| first_of(text, markers)).min()?;
    base64(text, at)
}

/// What the ways to write a marker have in common, and those ways.
type Marker = (Finder<'static>, &'static [&'static [u8]]);

/// What stands before a secret in any line, by what the ways to write it have in common.
static ANY_MARKERS: LazyLock<[Marker; 2]> = LazyLock::new(|| {
    [
        (Finder::new(b"resp="), &[b"\tresp=", b"#011resp=", b"\\011resp=", b"\\tresp=", b" resp="]),
        (Finder::new(b"uthorization: "), &[b"Authorization: ", b"authorization: "]),
    ]
});

/// What Dovecot appends to a line that holds credentials: `src/auth/auth-client-connection.c`.
const SENSITIVE: &[u8] = b" (previous base64 data may contain sensitive data)";

/// All from `at` on but Dovecot's own remark. Where `auth_debug_passwords` is off, Dovecot has hidden it.
fn base64(text: &[u8], at: usize) -> Option<Kept<'_>> {
    let rest = text.get(at..)?;
    let secret = rest.strip_suffix(SENSITIVE).unwrap_or(rest);
    let open = !secret.is_empty() && !secret.starts_with(HIDDEN);
    open.then_some((text.get(..at)?, Cow::Borrowed(rest.get(secret.len()..)?)))
}

/// What Dovecot writes for a password unless told otherwise.
const HIDDEN: &[u8] = b"<hidden>";

/// What stands between the fields of Dovecot's protocol: a tab as it is, as rsyslog, sysklogd and C write it, or gone in a paste.
const SEPARATORS: [&[u8]; 5] = [b"\t", b"#011", b"\\011", b"\\t", b" "];

/// The separator that a text begins with: only this one separates its fields, others may stand in a password.
fn separator(text: &[u8]) -> Option<&'static [u8]> {
    SEPARATORS.into_iter().find(|separator| text.starts_with(separator))
}

static CONTINUED: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"client in: CONT"));

/// `client in: CONT 1 <base64>`: Dovecot `src/auth/auth-client-connection.c`, with `auth_debug_passwords`.
fn continued(text: &[u8]) -> Option<Kept<'_>> {
    let rest = text.get(CONTINUED.find(text)? + CONTINUED.needle().len()..)?;
    let separator = separator(rest)?;
    let (_, secret) = split_once(rest.get(separator.len()..)?.trim_ascii_start(), separator)?;
    base64(text, text.len() - secret.trim_ascii_start().len())
}

/// `client passdb out: OK 1 user=joe pass=…`, `master userdb out: USER …`: Dovecot `src/auth/auth-client-connection.c`
/// (`reply_line_hide_pass`), `auth-master-connection.c`, with `auth_debug_passwords`.
fn reply(text: &[u8]) -> Option<Kept<'_>> {
    let (head, rest) = split_once(text, b" out: ")?;
    let senders: [&[u8]; 4] = [b"passdb", b"userdb", b"client", b"master"];
    if !senders.iter().any(|sender| head.ends_with(sender)) {
        return None;
    }
    let command = rest.iter().position(|b| !b.is_ascii_uppercase())?;
    let separator = separator(rest.get(command..)?)?;
    let mut cuts = Vec::new();
    pass_fields(text, text.len() - rest.len(), separator, &mut cuts);
    assemble(text, &cuts)
}

/// Where the values stand of the fields from `at` on whose names hold `pass`: those that Dovecot itself would hide.
fn pass_fields(text: &[u8], mut at: usize, separator: &[u8], cuts: &mut Vec<(usize, usize)>) {
    while let Some(rest) = text.get(at..) {
        let field = split_once(rest, separator).map_or(rest, |(field, _)| field);
        if let Some((name, value)) = split_byte(field, b'=')
            && contains(name, b"pass")
            && !value.is_empty()
            && value != HIDDEN
        {
            let start = at + name.len() + 1;
            // A password may hold a blank: where tabs were lost, nothing tells its end.
            if separator == b" " {
                cuts.push((start, text.len()));
                return;
            }
            cuts.push((start, at + field.len()));
        }
        at += field.len() + separator.len();
    }
}

/// `CRYPT(<password>) != '<hash>'`, with `PLAIN` two passwords: Dovecot `src/auth/auth-request.c`, with `auth_debug_passwords`.
fn mismatch(text: &[u8]) -> Option<Kept<'_>> {
    static UNEQUAL: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b") != '"));
    let close = UNEQUAL.find(text)?;
    let head = text.get(..close)?;
    let mut from = 0;
    let open = memchr::memchr_iter(b'(', head).find(|open| {
        let before = head.get(from..*open).unwrap_or_default();
        from = open + 1;
        let name = before.rsplit(|b| !(b.is_ascii_alphanumeric() || b"-._+".contains(b))).next().unwrap_or_default();
        let stands = head.get(..open - name.len()).is_some_and(|left| left.is_empty() || left.ends_with(b": "));
        stands && is_scheme(name)
    })?;
    let start = close + UNEQUAL.needle().len();
    let rest = text.get(start..)?;
    let hash = match rsplit_once(rest, b"', try ") {
        Some((hash, advice)) if advice.ends_with(b" scheme instead") => hash,
        _ => rest.strip_suffix(b"'").unwrap_or(rest),
    };
    assemble(text, &[(open + 1, close), (start, start + hash.len())])
}

/// Whether this names how a password is kept. A store may name it in small letters (`{crypt}`), as do programs their parts:
/// then only those count that Dovecot knows (`src/auth/password-scheme.c`).
fn is_scheme(name: &[u8]) -> bool {
    const KNOWN: [&[u8]; 18] = [
        b"crypt",
        b"plain",
        b"cleartext",
        b"md5",
        b"sha1",
        b"sha2",
        b"sha5",
        b"ssha",
        b"smd5",
        b"ldap-md5",
        b"blf-",
        b"des-",
        b"argon2",
        b"pbkdf2",
        b"hmac-",
        b"cram-",
        b"digest-",
        b"scram-",
    ];
    // Behind the point stands how the hash is encoded: `SSHA.b64`.
    let (bare, _) = split_byte(name, b'.').unwrap_or((name, b""));
    let capital = bare.iter().any(u8::is_ascii_uppercase) && !bare.iter().any(u8::is_ascii_lowercase);
    let starts = |known: &&[u8]| bare.get(..known.len()).is_some_and(|start| start.eq_ignore_ascii_case(known));
    capital || bare.eq_ignore_ascii_case(b"sha") || KNOWN.iter().any(starts)
}

/// `cache hit: {PLAIN}<password>` and its fields, before Dovecot 2.3 `cache(joe,…): hit: …`: Dovecot `src/auth/passdb-cache.c`,
/// with `auth_debug_passwords`.
fn cached(text: &[u8]) -> Option<Kept<'_>> {
    static HIT: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"hit: {"));
    let at = HIT.find(text)?;
    let head = text.get(..at)?;
    let known = head.ends_with(b"cache ") || head.ends_with(b"): ") && contains(head, b"cache(");
    if !known {
        return None;
    }
    let rest = text.get(at + 6..)?;
    let start = match split_byte(rest, b'}') {
        Some((scheme, _)) if scheme.iter().all(|b| b.is_ascii_graphic()) => at + 6 + scheme.len() + 1,
        _ => at + 5,
    };
    let secret = text.get(start..)?;
    // A real tab is no part of a password, what stands for one may be.
    let separator = SEPARATORS.into_iter().filter(|known| *known != b" ").find(|known| contains(secret, known));
    let end = start + separator.and_then(|known| find(secret, known)).unwrap_or(secret.len());
    let mut cuts = vec![(start, end)];
    if let Some(separator) = separator {
        pass_fields(text, end + separator.len(), separator, &mut cuts);
    }
    if start < end { assemble(text, &cuts) } else { None }
}

/// `Credentials: <password or hash, in hex>`: Dovecot `src/auth/auth-request.c`, with `auth_debug_passwords`.
pub(super) fn credentials(text: &[u8]) -> Option<Kept<'_>> {
    const MARKER: &[u8] = b"Credentials: ";
    let at = find(text, MARKER)?;
    let open = at == 0 || text.get(..at)?.ends_with(b": ");
    if open { to_end(text, at + MARKER.len()) } else { None }
}

/// `auth_rimap: sending saslauthd LOGIN "joe" "secret"`: Cyrus `saslauthd/auth_rimap.c`.
pub(super) fn rimap(text: &[u8]) -> Option<Kept<'_>> {
    const MARKER: &[u8] = b"auth_rimap: sending ";
    let said = text.strip_prefix(MARKER)?;
    let name = find(said, b"LOGIN ").map_or(0, |at| at + b"LOGIN ".len());
    // A quote in the name stands behind a backslash.
    let mut escaped = true;
    let end = said.get(name..)?.iter().position(|b| {
        let ends = *b == b'"' && !escaped;
        escaped = !escaped && *b == b'\\';
        ends
    });
    let blank = end.map_or(name, |end| name + end + 1);
    to_end(text, MARKER.len() + blank + usize::from(said.get(blank) == Some(&b' ')))
}

/// The text with several secrets cut out of it.
pub(super) fn assemble<'a>(text: &'a [u8], cuts: &[(usize, usize)]) -> Option<Kept<'a>> {
    let (&(keep, mut from), others) = cuts.split_first()?;
    let mut tail = Vec::new();
    for (start, end) in others {
        tail.extend_from_slice(text.get(from..*start)?);
        tail.extend_from_slice(REDACTED);
        from = *end;
    }
    // Only a stranger's name makes a line look like two kinds: what follows then is not known to be harmless.
    let rest = text.get(from..)?;
    if debug(rest).is_none() && given_password(rest).is_none() {
        tail.extend_from_slice(rest);
    }
    Some((text.get(..keep)?, Cow::Owned(tail)))
}

/// What every line has that tells of a password given.
static PASSWORD: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"assword"));

/// ` (given password: X)` and ` (SHA1 of given password: X)` of Dovecot's `auth_verbose_passwords`, crypt dumps of `auth_debug_passwords`.
fn given_password(text: &[u8]) -> Option<Kept<'_>> {
    PASSWORD.find(text)?;
    // Of the last three (`src/auth/auth-request.c`, `passdb-shadow.c`, `db-ldap.c`) the first two need no more than `auth_verbose`.
    let markers: [&[u8]; 10] = [
        b"given password: ",
        b"password=",
        b"crypt() password: ",
        b"password comparison: ",
        b"pass=",
        b"(password: ",
        b"Invalid password '",
        b"invalid password field '",
        b"userPassword=",
        // `userPassword(password)=`: Dovecot names its own field behind the directory's.
        b"(password)=",
    ];
    let found = markers.iter().filter_map(|marker| {
        let (head, secret) = split_once(text, marker)?;
        // A field that Dovecot has hidden.
        let after = secret.strip_prefix(HIDDEN);
        let hidden = after.is_some_and(|after| after.is_empty() || separator(after).is_some_and(|by| by != b" "));
        (!hidden).then_some((head, secret, marker))
    });
    // A password may hold another marker.
    let (head, secret, marker) = found.min_by_key(|(head, ..)| head.len())?;
    // A password may hold a parenthesis: what Dovecot appends behind its own is known.
    let tail = match rsplit_once(secret, b") - trying the next ") {
        Some((hidden, _)) => secret.get(hidden.len()..).unwrap_or_default(),
        None if secret.ends_with(b")") => b")".as_slice(),
        None => b"",
    };
    Some((text.get(..head.len() + marker.len())?, Cow::Borrowed(tail)))
}
