//! The few byte-string steps every grammar here is made of. None of them panics or allocates.

use memchr::memmem;

/// Splits at the first `needle`; neither half holds it.
pub(crate) fn split_once<'a>(text: &'a [u8], needle: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    split_around(text, memmem::find(text, needle)?, needle.len())
}

/// Splits at the last `needle`; neither half holds it.
pub(crate) fn rsplit_once<'a>(text: &'a [u8], needle: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    split_around(text, memmem::rfind(text, needle)?, needle.len())
}

/// Splits at the first byte `needle`.
pub(crate) fn split_byte(text: &[u8], needle: u8) -> Option<(&[u8], &[u8])> {
    split_around(text, memchr::memchr(needle, text)?, 1)
}

/// The part before `at` and the part after the `skip` bytes found there.
pub(crate) fn split_around(text: &[u8], at: usize, skip: usize) -> Option<(&[u8], &[u8])> {
    let (head, tail) = text.split_at_checked(at)?;
    Some((head, tail.get(skip..)?))
}

/// Whether `needle` stands in `text`.
pub(crate) fn contains(text: &[u8], needle: &[u8]) -> bool {
    memmem::find(text, needle).is_some()
}

/// Leading decimal digits as a number, and the rest. `None` without a digit or beyond `u64`.
pub(crate) fn number(text: &[u8]) -> Option<(u64, &[u8])> {
    let digits = text.iter().take_while(|b| b.is_ascii_digit()).count();
    let (head, rest) = text.split_at_checked(digits)?;
    if head.is_empty() {
        return None;
    }
    let value = head.iter().try_fold(0u64, |sum, b| sum.checked_mul(10)?.checked_add(u64::from(b - b'0')))?;
    Some((value, rest))
}

/// The whole text as a decimal number that fits `u32`.
pub(crate) fn whole_u32(text: &[u8]) -> Option<u32> {
    let (value, rest) = number(text)?;
    if rest.is_empty() { u32::try_from(value).ok() } else { None }
}

/// Two decimal digits at `at`, below `limit`.
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
