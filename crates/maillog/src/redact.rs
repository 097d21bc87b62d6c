//! Secrets in log lines (grammar 2.11): where they stand, so that nothing keeps or shows them.
//!
//! Input: a message. Output: the message with each secret replaced by `[redacted]`, borrowed if there is none.
//! Names are no secrets here: whether a tried name may be shown is a question of masking.

mod backend;
mod base64;
mod said;
mod sql;
mod url;

use std::borrow::Cow;
use std::sync::LazyLock;

use memchr::memmem::Finder;

use self::backend::{anywhere, credentials, rimap};
pub(crate) use self::base64::is_response;
pub use self::said::quotes_client;
use self::said::{dialogue, maps_find, non_smtp, pipelined, refused, replaced_command, sasl_debug, screened, too_long};
use crate::scan::find;

/// What stands where a secret stood.
pub const REDACTED: &[u8] = b"[redacted]";

/// Replaces what may be a password, a token or a hash of one.
#[must_use]
pub fn redact(text: &[u8]) -> Cow<'_, [u8]> {
    let mut shown = Cow::Borrowed(text);
    // What one rule leaves may hold what another knows.
    for rule in RULES {
        if let Some(clean) = rule(&shown) {
            shown = Cow::Owned(clean);
        }
    }
    shown
}

/// The text without the secrets that a rule knows, if there are any.
type Rule = fn(&[u8]) -> Option<Vec<u8>>;

const RULES: [Rule; 4] = [
    |text| secret(text).map(|(keep, tail)| [keep, REDACTED, &tail].concat()),
    |text| replaced_command(text).map(|(keep, tail)| [keep, REDACTED, &tail].concat()),
    |text| without(text, &url::passwords(text)),
    |text| without(text, &sql::literals(text)),
];

/// Whether [`redact`] replaces something, or has done so before.
#[must_use]
pub fn holds_secret(text: &[u8]) -> bool {
    static DONE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(REDACTED));
    DONE.find(text).is_some() || RULES.iter().any(|rule| rule(text).is_some())
}

/// Where secrets stand whose end is known: start and end.
type Cuts = Vec<(usize, usize)>;

/// The text with what stands at these places replaced.
fn without(text: &[u8], cuts: &Cuts) -> Option<Vec<u8>> {
    let (mut out, mut from) = (Vec::new(), 0);
    for (start, end) in cuts {
        out.extend_from_slice(text.get(from..*start)?);
        out.extend_from_slice(REDACTED);
        from = *end;
    }
    out.extend_from_slice(text.get(from..)?);
    (!cuts.is_empty()).then_some(out)
}

/// The first rule that knows a secret in the text: what stays before it, and behind it.
fn secret(text: &[u8]) -> Option<Kept<'_>> {
    // The first byte tells most lines from those that may hold a secret.
    let cut = match text.first() {
        Some(b'i' | b'N') => screened(text).or_else(|| pipelined(text)),
        Some(b'C') => screened(text).or_else(|| credentials(text)),
        Some(b'P' | b'B') => screened(text),
        Some(b'w') => non_smtp(text).or_else(|| too_long(text)).or_else(|| refused(text)),
        Some(b'a') => rimap(text).or_else(|| credentials(text)),
        Some(b'm') => maps_find(text),
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

/// The end of the marker that stands first. A secret may hold another marker: what stands first decides.
fn first_of<'m>(text: &[u8], markers: &[&'m [u8]]) -> Option<(usize, &'m [u8])> {
    let found = markers.iter().filter_map(|marker| Some((find(text, marker)?, *marker)));
    found.min_by_key(|(at, _)| *at).map(|(at, marker)| (at + marker.len(), marker))
}

#[cfg(test)]
mod tests;
