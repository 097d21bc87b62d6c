//! An entry as a line again: the store keeps the parts of a line, not its bytes.

use query::Entry;

/// The line as syslog writes it, with its time in RFC 3339 and secrets redacted.
pub(crate) fn line(entry: &Entry) -> Vec<u8> {
    let time = entry.ts.map(query::rfc3339).unwrap_or_default();
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let pid = entry.pid.map(|pid| format!("[{pid}]")).unwrap_or_default();
    let mut parts = vec![time, text(&entry.host)];
    if entry.tag.is_some() {
        parts.push(format!("{}{pid}:", text(&entry.tag)));
    }
    parts.push(text(&entry.text));
    parts.retain(|part| !part.is_empty());
    parts.join(" ").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_put_together_again() {
        let entry = Entry {
            ts: Some(0),
            host: Some("mx".into()),
            tag: Some("postfix/smtpd".into()),
            pid: Some(7),
            text: Some("connect from h[192.0.2.1]".into()),
            ..Entry::default()
        };
        let text = String::from_utf8(line(&entry)).unwrap();
        assert_eq!(text, "1970-01-01T00:00:00.000000Z mx postfix/smtpd[7]: connect from h[192.0.2.1]");
        assert_eq!(line(&Entry { text: Some("?".into()), ..Entry::default() }), b"?");
    }
}
