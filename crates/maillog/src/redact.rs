//! Secrets in log lines (grammar 2.11): where they stand, so that nothing keeps or shows them.
//!
//! Input: a message. Output: the message with each secret replaced by `[redacted]`, borrowed if there is none.
//! Names are no secrets here: whether a tried name may be shown is a question of masking.

use std::borrow::Cow;
use std::sync::LazyLock;

use memchr::memmem::Finder;

use crate::client::client;
use crate::scan::{find, rsplit_once, split_once, word};

/// What stands where a secret stood.
pub const REDACTED: &[u8] = b"[redacted]";

/// Replaces what may be a password, a token or a hash of one.
#[must_use]
pub fn redact(text: &[u8]) -> Cow<'_, [u8]> {
    // The first byte tells most lines from those that may hold a secret.
    let cut = match text.first() {
        Some(b'i' | b'N') => pipelined(text),
        Some(b'w') => too_long(text),
        Some(b'<') => dialogue(text),
        _ => None,
    };
    match cut.or_else(|| debug(text)) {
        Some((keep, tail)) => Cow::Owned([keep, REDACTED, tail].concat()),
        None => given_password(text),
    }
}

/// The same for a whole line whose message is `message`.
///
/// The message need not end the line (a folded repeat closes with a bracket), nor stand in it as it is (JSON escapes it):
/// then the redacted message alone is what may be shown of a line that holds a secret.
#[must_use]
pub fn redact_line<'a>(line: &'a [u8], message: &[u8]) -> Cow<'a, [u8]> {
    let Cow::Owned(clean) = redact(message) else { return Cow::Borrowed(line) };
    match memchr::memmem::rfind(line, message).and_then(|at| crate::scan::split_around(line, at, message.len())) {
        Some((before, after)) => Cow::Owned([before, &clean, after].concat()),
        None => Cow::Owned(clean),
    }
}

/// What a rule keeps before the secret, and behind it.
type Kept<'a> = (&'a [u8], &'a [u8]);

/// `improper command pipelining after EHLO from <client>: AUTH PLAIN <credentials>`; after AUTH, all of it.
fn pipelined(text: &[u8]) -> Option<Kept<'_>> {
    static PIPELINING: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"improper command pipelining after "));
    let at = PIPELINING.find(text)?;
    let rest = text.get(at + 34..)?;
    let (stage, _) = word(rest);
    // The client may have a port behind its bracket, and the junk may hold any of our separators.
    let (_, junk) = client(split_once(rest, b" from ")?.1)?;
    let junk = junk.strip_prefix(b": ")?;
    let start = text.len() - junk.len();
    if stage == b"AUTH" {
        return Some((text.get(..start)?, b""));
    }
    auth_argument(text, start)
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
    if given { Some((text.get(..keep)?, b"")) } else { None }
}

/// `request longer than N: <the first bytes of a SASL response>...`.
fn too_long(text: &[u8]) -> Option<Kept<'_>> {
    let at = find(text, b": request longer than ")?;
    let (_, junk) = split_once(text.get(at + 22..)?, b": ")?;
    Some((text.get(..text.len() - junk.len())?, b""))
}

/// `< name[address]: AUTH PLAIN …` of a verbose `smtpd`, and the bare base64 answers that follow it.
fn dialogue(text: &[u8]) -> Option<Kept<'_>> {
    let rest = text.strip_prefix(b"< ")?;
    let (_, command) = split_once(rest, b": ")?;
    let start = text.len() - command.len();
    if let Some(cut) = auth_argument(text, start) {
        return Some(cut);
    }
    let verbs: [&[u8]; 16] = [
        b"EHLO",
        b"HELO",
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
    ];
    let verb = word(command).0;
    (!verbs.iter().any(|known| verb.eq_ignore_ascii_case(known)) && !command.contains(&b' '))
        .then_some((text.get(..start)?, b""))
}

/// `xsasl_…: decoded initial response …`, `smtpd_sasl_…: …`, `resp=…` of Dovecot's debug lines, HTTP's `Authorization:`.
fn debug(text: &[u8]) -> Option<Kept<'_>> {
    let of_sasl = text.starts_with(b"xsasl_") || text.starts_with(b"smtpd_sasl");
    let own = SASL_MARKERS.iter().filter(|_| of_sasl);
    // What two markers have in common is looked for first: nearly no line has it.
    let common = ANY_MARKERS.iter().filter(|(common, _)| common.find(text).is_some()).flat_map(|(_, markers)| markers);
    for marker in own.chain(common) {
        if let Some((head, secret)) = split_once(text, marker) {
            if secret.starts_with(b"<hidden>") {
                return None;
            }
            return Some((text.get(..head.len() + marker.len())?, b""));
        }
    }
    None
}

/// What stands before a secret in the debug lines of Postfix's own SASL code.
const SASL_MARKERS: [&[u8]; 3] = [b"initial response ", b"decoded response ", b"uncoded server challenge: "];
/// What the ways to write a marker have in common, and those ways.
type Marker = (Finder<'static>, [&'static [u8]; 2]);

/// What stands before a secret in any line, by what the ways to write it have in common.
static ANY_MARKERS: LazyLock<[Marker; 2]> = LazyLock::new(|| {
    [
        (Finder::new(b"resp="), [b"\tresp=", b" resp="]),
        (Finder::new(b"uthorization: "), [b"Authorization: ", b"authorization: "]),
    ]
});
/// What every line has that tells of a password given.
static PASSWORD: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"assword"));

/// ` (given password: X)` and ` (SHA1 of given password: X)` of Dovecot's `auth_verbose_passwords`, crypt dumps of `auth_debug_passwords`.
fn given_password(text: &[u8]) -> Cow<'_, [u8]> {
    if PASSWORD.find(text).is_none() {
        return Cow::Borrowed(text);
    }
    for marker in [
        b"given password: ".as_slice(),
        b"password=",
        b"crypt() password: ",
        b"password comparison: ",
        b"pass=",
        b"(password: ",
    ] {
        let Some((head, secret)) = split_once(text, marker) else { continue };
        // A password may hold a parenthesis: what Dovecot appends behind its own is known.
        let tail = match rsplit_once(secret, b") - trying the next ") {
            Some((hidden, _)) => secret.get(hidden.len()..).unwrap_or_default(),
            None if secret.ends_with(b")") => b")".as_slice(),
            None => b"",
        };
        return Cow::Owned([head, marker, REDACTED, tail].concat());
    }
    Cow::Borrowed(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_wrapping_hides_a_secret() {
        let message = b"improper command pipelining after EHLO from u[192.0.2.1]: AUTH PLAIN AGFsaWNl\\r\\n";
        let folded =
            [b"Jun 17 10:25:14 m postfix/smtpd[7]: message repeated 2 times: [ ".as_slice(), message, b"]"].concat();
        let json = [
            b"{\"log\":\"".as_slice(),
            &message
                .to_vec()
                .iter()
                .flat_map(|b| if *b == b'\\' { vec![b'\\', b'\\'] } else { vec![*b] })
                .collect::<Vec<u8>>(),
            b"\"}",
        ]
        .concat();
        for line in [folded, json] {
            let shown = String::from_utf8_lossy(&redact_line(&line, message)).into_owned();
            assert!(shown.contains("AUTH PLAIN[redacted]") && !shown.contains("AGFs"), "{shown}");
        }
        assert!(matches!(redact_line(b"x: y", b"y"), Cow::Borrowed(b"x: y")));
    }

    #[test]
    fn secrets_go_and_the_rest_stays() {
        let check =
            |text: &str, expected: &str| assert_eq!(String::from_utf8_lossy(&redact(text.as_bytes())), expected);
        check(
            "improper command pipelining after EHLO from u[192.0.2.1]: AUTH PLAIN AGFsaWNlAHNlY3JldA==\\r\\n",
            "improper command pipelining after EHLO from u[192.0.2.1]: AUTH PLAIN[redacted]",
        );
        check(
            "improper command pipelining after EHLO from u[192.0.2.1]: auth login\\r\\nYWxpY2U=\\r\\n",
            "improper command pipelining after EHLO from u[192.0.2.1]: auth login[redacted]",
        );
        check(
            "improper command pipelining after AUTH from u[192.0.2.1]: c2VjcmV0\\r\\n",
            "improper command pipelining after AUTH from u[192.0.2.1]: [redacted]",
        );
        check(
            "improper command pipelining after EHLO from u[192.0.2.1]:43839: AUTH PLAIN AGFsaWNlAHNlY3JldA==\\r\\nMAIL FROM: <a@x>",
            "improper command pipelining after EHLO from u[192.0.2.1]:43839: AUTH PLAIN[redacted]",
        );
        check(
            "improper command pipelining after EHLO from u[192.0.2.1]: AUTH\\tPLAIN\\tAGFsaWNlAHNlY3JldA==",
            "improper command pipelining after EHLO from u[192.0.2.1]: AUTH\\tPLAIN[redacted]",
        );
        check(
            "improper command pipelining after EHLO from u[192.0.2.1]: QUIT\\r\\n",
            "improper command pipelining after EHLO from u[192.0.2.1]: QUIT\\r\\n",
        );
        check(
            "warning: u[192.0.2.1]: request longer than 12288: AGFsaWNlAHNlY3JldA...",
            "warning: u[192.0.2.1]: request longer than 12288: [redacted]",
        );
        check(
            "auth: sql(u,192.0.2.1): unknown user (given password: Pass)word1)",
            "auth: sql(u,192.0.2.1): unknown user (given password: [redacted])",
        );
        check(
            "auth: sql(u,192.0.2.1): Password mismatch (given password: a) b) - trying the next passdb",
            "auth: sql(u,192.0.2.1): Password mismatch (given password: [redacted]) - trying the next passdb",
        );
        check(
            "auth: x(u,192.0.2.1): Password mismatch (SHA1 of given password: 21bd12)",
            "auth: x(u,192.0.2.1): Password mismatch (SHA1 of given password: [redacted])",
        );
        check("auth: x(u,192.0.2.1): Password mismatch", "auth: x(u,192.0.2.1): Password mismatch");
        check("< u[192.0.2.1]: AUTH PLAIN AGFsaWNlAHNlY3JldA==", "< u[192.0.2.1]: AUTH PLAIN[redacted]");
        check("< u[192.0.2.1]: c2VjcmV0", "< u[192.0.2.1]: [redacted]");
        check("< u[192.0.2.1]: QUIT", "< u[192.0.2.1]: QUIT");
        check(
            "xsasl_dovecot_server_first: sasl_method PLAIN, initial response AGFs",
            "xsasl_dovecot_server_first: sasl_method PLAIN, initial response [redacted]",
        );
        check(
            "warning: u[192.0.2.1]: SASL LOGIN authentication failed: UGFzc3dvcmQ6",
            "warning: u[192.0.2.1]: SASL LOGIN authentication failed: UGFzc3dvcmQ6",
        );
    }
}
