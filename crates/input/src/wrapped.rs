//! Lines inside other lines, within bounds.

use crate::block::LINE_BYTES_MAX;

/// The plain line inside a wrapped one. `None`: it is wrapped in nothing known.
pub(crate) fn inner(line: &[u8]) -> Option<Vec<u8>> {
    let mut inner = maillog::unwrap(line)?;
    // Escapes can make the inner line the longer one.
    inner.truncate(LINE_BYTES_MAX);
    Some(inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_deep_as_logs_go() {
        assert_eq!(
            inner(b"mail-1  | Nov 22 09:06:30 a b[1]: x | y").as_deref(),
            Some(&b"Nov 22 09:06:30 a b[1]: x | y"[..])
        );
        assert!(inner("a | ".repeat(10_000).as_bytes()).is_none_or(|line| line.len() <= LINE_BYTES_MAX));
        assert_eq!(inner(b"garbage"), None);
    }
}
