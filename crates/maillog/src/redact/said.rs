//! Secrets that clients and servers said to each other, and that Postfix quotes.
//!
//! Input: a message. Output: what stays of it before the secret, and behind.

use std::borrow::Cow;
use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::backend::assemble;
use super::base64::{is_answer, is_response};
use super::{Cuts, Kept, REDACTED, first_of, to_end};
use crate::client::client;
use crate::sasl;
use crate::scan::{contains, find, split_once, word};

/// `improper command pipelining after EHLO from <client>: AUTH PLAIN <credentials>`; after AUTH, all of it.
pub(super) fn pipelined(text: &[u8]) -> Option<Kept<'_>> {
    static PIPELINING: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"improper command pipelining after "));
    let at = PIPELINING.find(text)?;
    let rest = text.get(at + 34..)?;
    let (stage, _) = word(rest);
    // The client may have a port behind its bracket, and the junk may hold any of our separators.
    let (_, junk) = client(split_once(rest, b" from ")?.1)?;
    let junk = junk.strip_prefix(b": ")?;
    let start = text.len() - junk.len();
    if stage == b"AUTH" {
        return to_end(text, start);
    }
    auth_argument(text, start)
}

/// `PREGREET 41 after 0.1 from <client>: AUTH PLAIN …`, `COMMAND PIPELINING from <client> after EHLO: …`, `NON-SMTP COMMAND …`,
/// `BARE NEWLINE from <client> after AUTH PLAIN …`; what came after AUTH, all of it.
///
/// Postfix `src/postscreen/postscreen_early.c`, `postscreen_smtpd.c`; what was sent is quoted like `smtpd` does it.
pub(super) fn screened(text: &[u8]) -> Option<Kept<'_>> {
    if !quotes_client(text) {
        return None;
    }
    let (_, who) = split_once(text, b" from ")?;
    let (_, said) = client(who)?;
    let Some(after) = said.strip_prefix(b" after ") else {
        return auth_argument(text, text.len() - said.strip_prefix(b": ")?.len());
    };
    match split_once(after, b": ") {
        // The stage is a word of the client's own, in his case.
        Some((stage, junk)) if stage.eq_ignore_ascii_case(b"AUTH") => to_end(text, text.len() - junk.len()),
        _ => auth_argument(text, text.len() - after.len()),
    }
}

/// Whether this is one of the few lines of `postscreen` that quote what a client sent.
#[must_use]
pub fn quotes_client(text: &[u8]) -> bool {
    let starts: [&[u8]; 4] =
        [b"PREGREET ", b"COMMAND PIPELINING from ", b"NON-SMTP COMMAND from ", b"BARE NEWLINE from "];
    starts.iter().any(|start| text.starts_with(start))
}

/// The argument of an AUTH command at or behind `from`, whatever its case: everything behind the mechanism.
fn auth_argument(text: &[u8], from: usize) -> Option<Kept<'_>> {
    let area = text.get(from..)?;
    let upper = area.to_ascii_uppercase();
    // A tab will do for the blank, and is logged as `\t`.
    let at = memchr::memmem::find(&upper, b"AUTH ").or_else(|| memchr::memmem::find(&upper, b"AUTH\\T"))?;
    let (mechanism, _) = word(area.get(at + 5..)?);
    let end = mechanism.iter().position(|b| *b == b'\\').unwrap_or(mechanism.len());
    let keep = from + at + 5 + end;
    let rest = text.get(keep..)?;
    let given = !rest.trim_ascii().is_empty() && rest != b"\\r\\n";
    if given { to_end(text, keep) } else { None }
}

/// `request longer than N: <the first bytes of a SASL response>...`.
pub(super) fn too_long(text: &[u8]) -> Option<Kept<'_>> {
    let at = find(text, b": request longer than ")?;
    let (_, junk) = split_once(text.get(at + 22..)?, b": ")?;
    to_end(text, text.len() - junk.len())
}

static REPLACING: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b": replacing command \""));

/// `<client>: replacing command "AUTH PLAIN <credentials>" with "NOOP"`: what `smtpd_command_filter` does, Postfix
/// `src/smtpd/smtpd_chat.c`, `src/postscreen/postscreen_smtpd.c`.
pub(super) fn replaced_command(text: &[u8]) -> Option<Kept<'_>> {
    let (keep, tail) = auth_argument(text, REPLACING.find(text)?)?;
    // Another rule may have been there already.
    (text.get(keep.len()..) != Some(REDACTED)).then_some((keep, tail))
}

/// `warning: non-SMTP command from <client>: AUTH PLAIN <credentials>`, or the answer to a prompt that is asked no more.
pub(super) fn non_smtp(text: &[u8]) -> Option<Kept<'_>> {
    let (_, said) = client(text.strip_prefix(b"warning: non-SMTP command from ")?)?;
    let junk = said.strip_prefix(b": ")?;
    let start = text.len() - junk.len();
    if is_answer(junk.trim_ascii()) { to_end(text, start) } else { auth_argument(text, start) }
}

/// `warning: <client>: SASL PLAIN authentication failed: <response>`: what stands there is the last that the other side said,
/// and whatever a client sends for a mechanism or a name.
pub(super) fn refused(text: &[u8]) -> Option<Kept<'_>> {
    let failure = sasl::spelled(text.strip_prefix(b"warning: ")?)?;
    let quoted = sasl::quoted_mechanism(failure.reason).map(|word| word.strip_suffix(b"'").unwrap_or(word));
    let parts = [Some(failure.mechanism), Some(failure.reason), quoted, failure.username.name()];
    let secrets = parts.into_iter().flatten().filter(|part| is_response(part));
    let cuts: Cuts = secrets.filter_map(|part| place(text, part)).collect();
    assemble(text, &cuts)
}

/// Where a part of a text stands in it.
fn place(text: &[u8], part: &[u8]) -> Option<(usize, usize)> {
    let start = part.as_ptr().addr().checked_sub(text.as_ptr().addr())?;
    (start + part.len() <= text.len()).then_some((start, start + part.len()))
}

/// `maps_find: smtp_sasl_password_maps: hash:/etc/postfix/sasl_passwd(0,lock): [r.ex]:587 = joe:secret` of a verbose `smtp`:
/// Postfix `src/global/maps.c`.
pub(super) fn maps_find(text: &[u8]) -> Option<Kept<'_>> {
    let found = text.strip_prefix(b"maps_find: ")?;
    let (table, _) = split_once(found, b" = ")?;
    let of_passwords = contains(table, b"passw") || contains(table, b"sasl_");
    if of_passwords { to_end(text, text.len() - found.len() + table.len() + 3) } else { None }
}

/// `< name[address]: AUTH PLAIN …` of a verbose `smtpd`, `> name[address]:587: AUTH PLAIN …` of a verbose `smtp`
/// (Postfix `src/smtp/smtp_chat.c`), and the bare base64 answers that follow them.
pub(super) fn dialogue(text: &[u8]) -> Option<Kept<'_>> {
    let command = match text.strip_prefix(b"> ") {
        // Other programs begin lines with `>`, too.
        Some(rest) => client(rest)?.1.strip_prefix(b": ")?,
        None => split_once(text.strip_prefix(b"< ")?, b": ")?.1,
    };
    // What a server says runs the other way: `250-AUTH PLAIN LOGIN` holds no secret, `250-PIPELINING` is no base64.
    if let [a, b, c, b' ' | b'-', ..] = command
        && [a, b, c].iter().all(|digit| digit.is_ascii_digit())
    {
        return None;
    }
    let start = text.len() - command.len();
    if let Some(cut) = auth_argument(text, start) {
        return Some(cut);
    }
    let verbs: [&[u8]; 19] = [
        b"EHLO",
        b"HELO",
        b"LHLO",
        b"MAIL",
        b"RCPT",
        b"DATA",
        b"QUIT",
        b"RSET",
        b"NOOP",
        b"STARTTLS",
        b"VRFY",
        b"ETRN",
        b"HELP",
        b"BDAT",
        b"XCLIENT",
        b"XFORWARD",
        b"AUTH",
        // The end of a message, and of a login.
        b".",
        b"*",
    ];
    let verb = word(command).0;
    let known = verbs.iter().any(|known| verb.eq_ignore_ascii_case(known));
    if known || command.contains(&b' ') { None } else { to_end(text, start) }
}

/// `xsasl_…: decoded initial response …`, `smtpd_sasl_…: sasl_method PLAIN, init_response …` and the like of a verbose Postfix.
pub(super) fn sasl_debug(text: &[u8]) -> Option<Kept<'_>> {
    let starts: [&[u8]; 3] = [b"xsasl_", b"smtpd_sasl", b"smtp_sasl"];
    if !starts.iter().any(|start| text.starts_with(start)) {
        return None;
    }
    let (at, marker) = first_of(text, &SASL_MARKERS)?;
    let secret = text.get(at..)?;
    let tail = if marker == QUOTED_PASS && secret.ends_with(b"'") { b"'".as_slice() } else { b"" };
    // The response may be absent, or begin with NUL and be cut there.
    (secret.len() > tail.len()).then_some((text.get(..at)?, Cow::Borrowed(tail)))
}

/// What stands before a secret in the debug lines of Postfix's own SASL code: `src/xsasl/xsasl_cyrus_server.c`,
/// `xsasl_dovecot_server.c`, `xsasl_cyrus_client.c`, `src/smtp/smtp_sasl_glue.c`.
const SASL_MARKERS: [&[u8]; 10] = [
    b"init_response ",
    b"initial response ",
    b"decoded response ",
    b"decoded response: ",
    b"uncoded server challenge: ",
    b"uncoded initial reply: ",
    b"uncoded client response ",
    b"client_get_passwd: ",
    // What Dovecot sends for Postfix to go on with, its tabs as Postfix shows them.
    b"?pass=",
    QUOTED_PASS,
];
const QUOTED_PASS: &[u8] = b"' pass `";
