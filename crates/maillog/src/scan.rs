//! The few byte-string steps every grammar here is made of. None of them panics or allocates.

/// Where `needle` (short, not empty) first stands in `text`.
///
/// Lines and needles are so short that building a general searcher costs more than the search: this looks for one byte
/// of the needle that is rare in log text, and compares there. Linear, as needles are constants.
#[inline]
pub(crate) fn find(text: &[u8], needle: &[u8]) -> Option<usize> {
    let at = rare(needle);
    let byte = *needle.get(at)?;
    let mut from = at;
    while let Some(found) = memchr::memchr(byte, text.get(from..)?) {
        let start = from + found - at;
        if text.get(start..)?.starts_with(needle) {
            return Some(start);
        }
        from += found + 1;
    }
    None
}

/// Where `needle` (short, not empty) last stands in `text`.
#[inline]
pub(crate) fn rfind(text: &[u8], needle: &[u8]) -> Option<usize> {
    let at = rare(needle);
    let byte = *needle.get(at)?;
    let mut end = text.len();
    while let Some(found) = memchr::memrchr(byte, text.get(..end)?) {
        if let Some(start) = found.checked_sub(at)
            && text.get(start..)?.starts_with(needle)
        {
            return Some(start);
        }
        end = found;
    }
    None
}

/// The place of a byte in the needle that is rarer in log text than letters, digits and blanks; else the first.
#[inline]
fn rare(needle: &[u8]) -> usize {
    needle.iter().position(|b| !b.is_ascii_alphanumeric() && *b != b' ').unwrap_or(0)
}

/// Splits at the first `needle`; neither half holds it.
#[inline]
pub(crate) fn split_once<'a>(text: &'a [u8], needle: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    split_around(text, find(text, needle)?, needle.len())
}

/// Splits at the last `needle`; neither half holds it.
#[inline]
pub(crate) fn rsplit_once<'a>(text: &'a [u8], needle: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    split_around(text, rfind(text, needle)?, needle.len())
}

/// Splits at the first byte `needle`.
#[inline]
pub(crate) fn split_byte(text: &[u8], needle: u8) -> Option<(&[u8], &[u8])> {
    split_around(text, memchr::memchr(needle, text)?, 1)
}

/// The part before `at` and the part after the `skip` bytes found there.
#[inline]
pub(crate) fn split_around(text: &[u8], at: usize, skip: usize) -> Option<(&[u8], &[u8])> {
    let (head, tail) = text.split_at_checked(at)?;
    Some((head, tail.get(skip..)?))
}

/// Whether `needle` stands in `text`.
pub(crate) fn contains(text: &[u8], needle: &[u8]) -> bool {
    find(text, needle).is_some()
}

/// Leading decimal digits as a number, and the rest. `None` without a digit or beyond `u64`.
#[inline]
pub(crate) fn number(text: &[u8]) -> Option<(u64, &[u8])> {
    let (mut value, mut rest) = (0u64, text);
    while let [digit @ b'0'..=b'9', after @ ..] = rest {
        value = value.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
        rest = after;
    }
    (rest.len() < text.len()).then_some((value, rest))
}

/// The whole text as a decimal number that fits `u32`.
pub(crate) fn whole_u32(text: &[u8]) -> Option<u32> {
    let (value, rest) = number(text)?;
    if rest.is_empty() { u32::try_from(value).ok() } else { None }
}

/// Two decimal digits at `at`, below `limit`.
#[inline]
pub(crate) fn two_digits(text: &[u8], at: usize, limit: u8) -> Option<u8> {
    let (a, b) = (text.get(at)?.wrapping_sub(b'0'), text.get(at + 1)?.wrapping_sub(b'0'));
    let value = a.wrapping_mul(10).wrapping_add(b);
    (a < 10 && b < 10 && value < limit).then_some(value)
}

/// The text up to the first blank, and what follows it. The whole text if there is no blank.
pub(crate) fn word(text: &[u8]) -> (&[u8], &[u8]) {
    split_byte(text, b' ').unwrap_or((text, b""))
}

/// `<text>`: what stands inside, or the text itself without brackets.
pub(crate) fn unbracket(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"<").and_then(|t| t.strip_suffix(b">")).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_a_general_search_finds() {
        for text in ["", "a", "abc", "a, b=c, b=d", ">>, relay=", "x>, relay=>, relay=y", ", status", "aaaab", "=,=,="]
        {
            for needle in ["a", "b=", ", b=", ">, relay=", ", status=", "aab", ",=", " x:"] {
                let (text, needle) = (text.as_bytes(), needle.as_bytes());
                assert_eq!(find(text, needle), memchr::memmem::find(text, needle), "{text:?} {needle:?}");
                assert_eq!(rfind(text, needle), memchr::memmem::rfind(text, needle), "{text:?} {needle:?}");
            }
        }
    }
}
