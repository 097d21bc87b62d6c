//! Addresses of pages: names of strangers go in, percent-encoded addresses come out.

use std::fmt::Write as _;

/// A name as one part of a path (RFC 3986, 2.3: everything but unreserved characters is encoded, the dot too, so that no name is `..`).
pub(crate) fn part(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'~') || byte == b'.' && !is_dots(name) {
            out.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

fn is_dots(name: &str) -> bool {
    name.bytes().all(|byte| byte == b'.')
}

/// `path?a=b&c=d`, without what is empty.
pub(crate) fn address(path: &str, pairs: &[(&str, &str)]) -> String {
    let given = pairs.iter().filter(|(_, value)| !value.is_empty());
    let query = serde_urlencoded::to_string(given.collect::<Vec<_>>()).unwrap_or_default();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_one_part() {
        for (name, encoded) in [
            ("203.0.113.9", "203.0.113.9"),
            ("2001:db8::1", "2001%3Adb8%3A%3A1"),
            ("bob@example.org", "bob%40example.org"),
            ("a/b", "a%2Fb"),
            ("..", "%2E%2E"),
            ("<b>\"'&? #", "%3Cb%3E%22%27%26%3F%20%23"),
            ("é", "%C3%A9"),
        ] {
            assert_eq!(part(name), encoded, "{name}");
        }
    }

    #[test]
    fn empty_parameters_are_left_out() {
        assert_eq!(address("/x", &[("q", ""), ("since", "2h")]), "/x?since=2h");
        assert_eq!(address("/x", &[("q", "")]), "/x");
        assert_eq!(address("/x", &[("q", "a b&c")]), "/x?q=a+b%26c");
    }
}
