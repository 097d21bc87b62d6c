//! What lines that differ only in names and numbers have in common.

/// The first words of a line with whatever varies (numbers, addresses, quoted text) taken out.
///
/// Output: at most six words, `…` for each that varies. Text of strangers: escape it.
#[must_use]
pub fn shape(text: &[u8]) -> String {
    let varies = |word: &str| word.contains(|c: char| c.is_ascii_digit() || matches!(c, '<' | '[' | '@' | '='));
    String::from_utf8_lossy(text)
        .split_whitespace()
        .take(6)
        .map(|word| if varies(word) { "…" } else { word })
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_go() {
        assert_eq!(
            shape(b"process /usr/lib/postfix/sbin/smtpd pid 13615 exit status 1"),
            "process /usr/lib/postfix/sbin/smtpd pid … exit status"
        );
        assert_eq!(
            shape(b"  hostname h.example does not resolve to address 192.0.2.1"),
            "hostname h.example does not resolve to"
        );
        assert_eq!(shape(b"x <a b> c=1 [d] \xff"), "x … b> … … \u{fffd}");
    }
}
