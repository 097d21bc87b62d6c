//! Secrets in log lines (grammar 2.11): where they stand, so that nothing keeps or shows them.
//!
//! Input: a message. Output: the message with each secret replaced by `[redacted]`, borrowed if there is none.
//! Names are no secrets here: whether a tried name may be shown is a question of masking.

use std::borrow::Cow;
use std::sync::LazyLock;

use memchr::memmem::Finder;

use crate::client::client;
use crate::scan::{contains, find, rsplit_once, split_byte, split_once, word};

/// What stands where a secret stood.
pub const REDACTED: &[u8] = b"[redacted]";

/// Replaces what may be a password, a token or a hash of one.
#[must_use]
pub fn redact(text: &[u8]) -> Cow<'_, [u8]> {
    match secret(text) {
        Some((keep, tail)) => Cow::Owned([keep, REDACTED, &tail].concat()),
        None => Cow::Borrowed(text),
    }
}

/// Whether [`redact`] replaces something, or has done so before.
#[must_use]
pub fn holds_secret(text: &[u8]) -> bool {
    static DONE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(REDACTED));
    secret(text).is_some() || DONE.find(text).is_some()
}

/// The first rule that knows a secret in the text: what stays before it, and behind it.
fn secret(text: &[u8]) -> Option<Kept<'_>> {
    // The first byte tells most lines from those that may hold a secret.
    let cut = match text.first() {
        Some(b'i' | b'N') => screened(text).or_else(|| pipelined(text)),
        Some(b'P' | b'C' | b'B') => screened(text),
        Some(b'w') => too_long(text),
        Some(b'<' | b'>') => dialogue(text),
        Some(b'x' | b's') => sasl_debug(text),
        _ => None,
    };
    cut.or_else(|| anywhere(text))
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
type Kept<'a> = (&'a [u8], Cow<'a, [u8]>);

/// All of the text from `at` on is secret; `None` if there is nothing.
fn to_end(text: &[u8], at: usize) -> Option<Kept<'_>> {
    if at < text.len() { Some((text.get(..at)?, Cow::Borrowed(b""))) } else { None }
}

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
        return to_end(text, start);
    }
    auth_argument(text, start)
}

/// `PREGREET 41 after 0.1 from <client>: AUTH PLAIN …`, `COMMAND PIPELINING from <client> after EHLO: …`, `NON-SMTP COMMAND …`,
/// `BARE NEWLINE from <client> after AUTH PLAIN …`; what came after AUTH, all of it.
///
/// Postfix `src/postscreen/postscreen_early.c`, `postscreen_smtpd.c`; what was sent is quoted like `smtpd` does it.
fn screened(text: &[u8]) -> Option<Kept<'_>> {
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
fn too_long(text: &[u8]) -> Option<Kept<'_>> {
    let at = find(text, b": request longer than ")?;
    let (_, junk) = split_once(text.get(at + 22..)?, b": ")?;
    to_end(text, text.len() - junk.len())
}

/// `< name[address]: AUTH PLAIN …` of a verbose `smtpd`, `> name[address]:587: AUTH PLAIN …` of a verbose `smtp`
/// (Postfix `src/smtp/smtp_chat.c`), and the bare base64 answers that follow them.
fn dialogue(text: &[u8]) -> Option<Kept<'_>> {
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
fn sasl_debug(text: &[u8]) -> Option<Kept<'_>> {
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
const SASL_MARKERS: [&[u8]; 9] = [
    b"init_response ",
    b"initial response ",
    b"decoded response ",
    b"decoded response: ",
    b"uncoded server challenge: ",
    b"uncoded initial reply: ",
    b"uncoded client response ",
    b"client_get_passwd: ",
    QUOTED_PASS,
];
const QUOTED_PASS: &[u8] = b"' pass `";

/// The end of the marker that stands first. A secret may hold another marker: what stands first decides.
fn first_of<'m>(text: &[u8], markers: &[&'m [u8]]) -> Option<(usize, &'m [u8])> {
    let found = markers.iter().filter_map(|marker| Some((find(text, marker)?, *marker)));
    found.min_by_key(|(at, _)| *at).map(|(at, marker)| (at + marker.len(), marker))
}

/// Secrets that may stand in any line.
fn anywhere(text: &[u8]) -> Option<Kept<'_>> {
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

/// The text with several secrets cut out of it.
fn assemble<'a>(text: &'a [u8], cuts: &[(usize, usize)]) -> Option<Kept<'a>> {
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
    let markers: [&[u8]; 9] = [
        b"given password: ",
        b"password=",
        b"crypt() password: ",
        b"password comparison: ",
        b"pass=",
        b"(password: ",
        b"Invalid password '",
        b"invalid password field '",
        b"userPassword=",
    ];
    let (head, secret, marker) = markers.iter().find_map(|marker| {
        let (head, secret) = split_once(text, marker)?;
        // A field that Dovecot has hidden.
        let after = secret.strip_prefix(HIDDEN);
        let hidden = after.is_some_and(|after| after.is_empty() || separator(after).is_some_and(|by| by != b" "));
        (!hidden).then_some((head, secret, marker))
    })?;
    // A password may hold a parenthesis: what Dovecot appends behind its own is known.
    let tail = match rsplit_once(secret, b") - trying the next ") {
        Some((hidden, _)) => secret.get(hidden.len()..).unwrap_or_default(),
        None if secret.ends_with(b")") => b")".as_slice(),
        None => b"",
    };
    Some((text.get(..head.len() + marker.len())?, Cow::Borrowed(tail)))
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

    /// Each secret by its place; what else the line says stays.
    #[test]
    fn secrets_of_debug_lines_go() {
        let rows = [
            // Postfix src/xsasl/xsasl_dovecot_server.c, xsasl_cyrus_server.c; src/smtpd/smtpd_sasl_glue.c before 2.3.
            (
                "xsasl_dovecot_server_first: sasl_method PLAIN, init_response AGFsaWNlAHNlY3JldA==",
                "xsasl_dovecot_server_first: sasl_method PLAIN, init_response [redacted]",
            ),
            (
                "xsasl_cyrus_server_first: sasl_method PLAIN, init_response AGFsaWNl",
                "xsasl_cyrus_server_first: sasl_method PLAIN, init_response [redacted]",
            ),
            (
                "smtpd_sasl_authenticate: sasl_method PLAIN, init_response AGFsaWNl",
                "smtpd_sasl_authenticate: sasl_method PLAIN, init_response [redacted]",
            ),
            (
                "xsasl_cyrus_server_next: decoded response: secret99",
                "xsasl_cyrus_server_next: decoded response: [redacted]",
            ),
            (
                "xsasl_cyrus_server_next: decoded response: a initial response b: C(d) != 'e' cache hit: {X}f",
                "xsasl_cyrus_server_next: decoded response: [redacted]",
            ),
            (
                "xsasl_cyrus_server_first: decoded initial response secret 99",
                "xsasl_cyrus_server_first: decoded initial response [redacted]",
            ),
            // Postfix src/xsasl/xsasl_cyrus_client.c, src/smtp/smtp_sasl_glue.c.
            ("xsasl_cyrus_client_get_passwd: secret99", "xsasl_cyrus_client_get_passwd: [redacted]"),
            (
                "xsasl_cyrus_client_first: uncoded initial reply: \\000joe\\000secret99",
                "xsasl_cyrus_client_first: uncoded initial reply: [redacted]",
            ),
            (
                "xsasl_cyrus_client_next: uncoded client response joe 5e1f",
                "xsasl_cyrus_client_next: uncoded client response [redacted]",
            ),
            (
                "smtp_sasl_passwd_lookup: host `r.ex' user `joe' pass `secret'99'",
                "smtp_sasl_passwd_lookup: host `r.ex' user `joe' pass `[redacted]'",
            ),
            // Dovecot src/auth/auth-client-connection.c, with a tab and as syslog daemons write it.
            (
                "auth: Debug: client in: AUTH\t1\tPLAIN\tservice=smtp\tresp=AGFs",
                "auth: Debug: client in: AUTH\t1\tPLAIN\tservice=smtp\tresp=[redacted]",
            ),
            (
                "auth: Debug: client in: AUTH#0111#011PLAIN#011service=smtp#011resp=AGFs (previous base64 data may contain sensitive data)",
                "auth: Debug: client in: AUTH#0111#011PLAIN#011service=smtp#011resp=[redacted] (previous base64 data may contain sensitive data)",
            ),
            ("client in: AUTH\\0111\\011PLAIN\\011resp=AGFs", "client in: AUTH\\0111\\011PLAIN\\011resp=[redacted]"),
            ("auth: Debug: client in: CONT\t1\tc2Vj", "auth: Debug: client in: CONT\t1\t[redacted]"),
            (
                "auth(default): client in: CONT#0111#011c2Vj (previous base64 data may contain sensitive data)",
                "auth(default): client in: CONT#0111#011[redacted] (previous base64 data may contain sensitive data)",
            ),
            ("client in: CONT\\01112\\011c2Vj", "client in: CONT\\01112\\011[redacted]"),
            ("client in: CONT    1       c2Vj", "client in: CONT    1       [redacted]"),
            (
                "auth: Debug: client passdb out: OK\t1\tuser=joe\tpass=hunter2",
                "auth: Debug: client passdb out: OK\t1\tuser=joe\tpass=[redacted]",
            ),
            (
                "auth: Debug: client passdb out: OK#0111#011user=joe#011proxy#011pass=hun ter#2#011host=192.0.2.1#011proxy_pass=x#011master_pass=y#011ssl=any",
                "auth: Debug: client passdb out: OK#0111#011user=joe#011proxy#011pass=[redacted]#011host=192.0.2.1#011proxy_pass=[redacted]#011master_pass=[redacted]#011ssl=any",
            ),
            // Only what separates the fields of this line ends a password.
            (
                "client passdb out: OK\t1\tuser=joe\tpass=a#011b=c d\tpassword=e\tnologin",
                "client passdb out: OK\t1\tuser=joe\tpass=[redacted]\tpassword=[redacted]\tnologin",
            ),
            (
                "client passdb out: OK\\0111\\011user=joe\\011password=e\\011nologin",
                "client passdb out: OK\\0111\\011user=joe\\011password=[redacted]\\011nologin",
            ),
            ("client passdb out: OK 1 user=joe pass=a b", "client passdb out: OK 1 user=joe pass=[redacted]"),
            (
                "auth: Debug: master userdb out: USER\t7\tjoe\tuid=5\tuserdb_pass=x\thome=/h",
                "auth: Debug: master userdb out: USER\t7\tjoe\tuid=5\tuserdb_pass=[redacted]\thome=/h",
            ),
            // Dovecot src/auth/auth-request.c: what was typed, and what is stored, which PLAIN stores as it is.
            (
                "auth: Debug: sql(u@ex.test,192.0.2.1): CRYPT(secret99) != '$1$abc$def'",
                "auth: Debug: sql(u@ex.test,192.0.2.1): CRYPT([redacted]) != '[redacted]'",
            ),
            ("CRYPT(secret99) != '$1$abc$def'", "CRYPT([redacted]) != '[redacted]'"),
            (
                "auth: Error: sql(u,192.0.2.1): Invalid password 'se'cret' in passdb: Not a valid SHA512-CRYPT",
                "auth: Error: sql(u,192.0.2.1): Invalid password '[redacted]",
            ),
            (
                "auth: shadow(u,192.0.2.1): invalid password field '!$6$salt$hash'",
                "auth: shadow(u,192.0.2.1): invalid password field '[redacted]",
            ),
            (
                "auth: Debug: ldap(u): result: uid=u userPassword={CRYPT}x",
                "auth: Debug: ldap(u): result: uid=u userPassword=[redacted]",
            ),
            (
                "auth(u,192.0.2.1,sasl:plain)<x>: Debug: sql: PLAIN(a) != 'b: C(d') != 'e'', try SHA512-CRYPT scheme instead",
                "auth(u,192.0.2.1,sasl:plain)<x>: Debug: sql: PLAIN([redacted]) != '[redacted]', try SHA512-CRYPT scheme instead",
            ),
            (
                "auth: Debug: ldap(u,192.0.2.1): SSHA256.b64(x (y) != 'c2Vj'",
                "auth: Debug: ldap(u,192.0.2.1): SSHA256.b64([redacted]) != '[redacted]'",
            ),
            (
                "auth: Debug: ldap(u,192.0.2.1): crypt(secret99) != '$1$",
                "auth: Debug: ldap(u,192.0.2.1): crypt([redacted]) != '[redacted]",
            ),
            // Dovecot src/auth/passdb-cache.c.
            (
                "auth: Debug: sql(u,192.0.2.1): cache hit: {PLAIN}secret99",
                "auth: Debug: sql(u,192.0.2.1): cache hit: {PLAIN}[redacted]",
            ),
            (
                "auth: Debug: cache(u,192.0.2.1): hit: {SHA512-CRYPT}$6$ab#011user=u#011pass=x#011host=h",
                "auth: Debug: cache(u,192.0.2.1): hit: {SHA512-CRYPT}[redacted]#011user=u#011pass=[redacted]#011host=h",
            ),
            ("cache hit: {PLAIN}a#011b\tuser=u", "cache hit: {PLAIN}[redacted]\tuser=u"),
            ("cache hit: {secret99", "cache hit: [redacted]"),
            // A password that looks like another rule's secret goes with all of it.
            (
                "auth: sql(u,192.0.2.1): unknown user (given password: x: A(b) != 'c cache hit: {D}e)",
                "auth: sql(u,192.0.2.1): unknown user (given password: [redacted])",
            ),
            ("client passdb out: OK\t1\tpass=x\tresp=y resp=z", "client passdb out: OK\t1\tpass=[redacted]"),
            (
                "auth: sql(cache hit: {x}z#011,192.0.2.1): unknown user (given password: y)",
                "auth: sql(cache hit: {x}[redacted]",
            ),
        ];
        for (text, expected) in rows {
            let shown = redact(text.as_bytes()).into_owned();
            assert_eq!(String::from_utf8_lossy(&shown), expected, "{text}");
            assert_eq!(redact(&shown), shown.as_slice(), "twice is not once: {text}");
        }
    }

    #[test]
    fn secrets_of_dialogues_go() {
        let rows = [
            // Postfix src/postscreen/postscreen_early.c, postscreen_smtpd.c.
            (
                "PREGREET 41 after 0.1 from [192.0.2.1]:4711: EHLO x\\r\\nAUTH PLAIN AGFsaWNl\\r\\n",
                "PREGREET 41 after 0.1 from [192.0.2.1]:4711: EHLO x\\r\\nAUTH PLAIN[redacted]",
            ),
            (
                "PREGREET 41 after 0.1 from [2001:db8::1]:4711: EHLO x\\r\\nauth login\\r\\nYWxpY2U=\\r\\nc2VjcmV0\\r\\n",
                "PREGREET 41 after 0.1 from [2001:db8::1]:4711: EHLO x\\r\\nauth login[redacted]",
            ),
            (
                "COMMAND PIPELINING from [192.0.2.1]:4711 after EHLO: AUTH PLAIN AGFsaWNl\\r\\n",
                "COMMAND PIPELINING from [192.0.2.1]:4711 after EHLO: AUTH PLAIN[redacted]",
            ),
            (
                "COMMAND PIPELINING from [192.0.2.1]:4711 after auth: c2VjcmV0\\r\\n",
                "COMMAND PIPELINING from [192.0.2.1]:4711 after auth: [redacted]",
            ),
            (
                "NON-SMTP COMMAND from [192.0.2.1]:4711 after EHLO: AUTH PLAIN AGFsaWNl",
                "NON-SMTP COMMAND from [192.0.2.1]:4711 after EHLO: AUTH PLAIN[redacted]",
            ),
            (
                "BARE NEWLINE from [192.0.2.1]:4711 after AUTH PLAIN AGFsaWNl",
                "BARE NEWLINE from [192.0.2.1]:4711 after AUTH PLAIN[redacted]",
            ),
            // Postfix src/smtp/smtp_chat.c.
            ("> r.ex[198.51.100.1]:587: AUTH PLAIN AGFsaWNl", "> r.ex[198.51.100.1]:587: AUTH PLAIN[redacted]"),
            ("> r.ex[198.51.100.1]:587: YWxpY2U=", "> r.ex[198.51.100.1]:587: [redacted]"),
            ("> r.ex[private/relay]: c2VjcmV0", "> r.ex[private/relay]: [redacted]"),
            ("< [192.0.2.1]:4711: AUTH PLAIN AGFsaWNl", "< [192.0.2.1]:4711: AUTH PLAIN[redacted]"),
        ];
        for (text, expected) in rows {
            let shown = redact(text.as_bytes()).into_owned();
            assert_eq!(String::from_utf8_lossy(&shown), expected, "{text}");
            assert_eq!(redact(&shown), shown.as_slice(), "twice is not once: {text}");
        }
    }

    #[test]
    fn what_only_looks_like_a_secret_stays() {
        for text in [
            "xsasl_dovecot_server_first: sasl_method PLAIN",
            "xsasl_dovecot_server_first: sasl_method PLAIN, init_response ",
            "xsasl_dovecot_server_first: sasl_method PLAIN, init_response",
            "smtpd_sasl_authenticate: decoded initial response ",
            "xsasl_dovecot_handle_reply: auth reply: FAIL?1?user=joe",
            "xsasl_cyrus_client_next: decoded challenge: <1.2@h>",
            "smtp_sasl_passwd_lookup: no auth info found (sender=`a', host=`b')",
            "connect from init_response.example[192.0.2.1]",
            "auth: Debug: client in: AUTH#0111#011PLAIN#011service=smtp#011resp=<hidden>",
            "auth: Debug: client in: AUTH#0111#011LOGIN#011final-resp-ok#011service=smtp",
            "auth: Debug: client in: CONT<hidden>",
            "auth: Debug: client in: CONT#0111#011",
            "auth: Debug: client passdb out: CONT#0111#011UGFzc3dvcmQ6",
            "auth: Debug: client passdb out: OK\t1\tuser=pass\tpass=<hidden>\tnopassword",
            "auth: Debug: client passdb out: OK#0111#011user=joe#011pass=#011nologin",
            "auth: Debug: client passdb out: FAIL\t1\tuser=pass=x",
            "timed out: OK\t1\tpass=x",
            "auth: Debug: sql(u,192.0.2.1): cache hit: <hidden>\tuser={x}",
            "auth: Debug: sql(u,192.0.2.1): userdb cache hit: uid=5\tname={x}",
            "auth: Debug: sql(u,192.0.2.1): hit: {x}y",
            "warning: cache miss: {x}y",
            "auth: Debug: sql(u,192.0.2.1) != 'x'",
            "auth: Debug: shadow(u,192.0.2.1): f(x) != 'x'",
            "fatal: strlen(x) != '0'",
            "0F5383D12: reject: to HELO(x) != 'y'",
            "0F5383D12: reject: (x) != 'y'",
            "PREGREET 14 after 0.04 from [192.0.2.1]:4711: EHLO ylmf-pc\\r\\n",
            "PREGREET 14 after 0.04 from [192.0.2.1]:4711: EHLO x\\r\\nAUTH LOGIN\\r\\n",
            "PREGREET 11 after 0 from [192.0.2.1]:4711: \\026\\003\\001",
            "COMMAND PIPELINING from [192.0.2.1]:4711 after EHLO: QUIT\\r\\n",
            "COMMAND PIPELINING from [192.0.2.1]:4711 after OAUTH: QUIT\\r\\n",
            "NON-SMTP COMMAND from [192.0.2.1]:4711 after CONNECT: GET / HTTP/1.1",
            "BARE NEWLINE from [192.0.2.1]:4711 after EHLO x",
            "PASS NEW [192.0.2.1]:4711",
            "> u[192.0.2.1]: 250-AUTH PLAIN LOGIN",
            "> u[192.0.2.1]: 334 VXNlcm5hbWU6",
            "< r.ex[198.51.100.1]:587: 250-AUTH PLAIN LOGIN",
            "< r.ex[198.51.100.1]:587: 250-PIPELINING",
            "< r.ex[198.51.100.1]:587: 235 2.7.0 Ok",
            "> r.ex[198.51.100.1]:587: AUTH LOGIN",
            "> r.ex[198.51.100.1]:587: STARTTLS",
            "> r.ex[198.51.100.1]:587: MAIL FROM:<a@ex.test> AUTH=<>",
            "> r.ex[private/lmtp]: LHLO mail.ex.test",
            "> r.ex[198.51.100.1]:25: .",
            "> r.ex[198.51.100.1]:587: *",
            "> quoted: text",
        ] {
            assert!(matches!(redact(text.as_bytes()), Cow::Borrowed(kept) if kept == text.as_bytes()), "{text}");
        }
    }
}
