//! `last message repeated N times` of older syslogds: N more of that host's line before.

use maillog::Record;

/// How far back the line meant is looked for.
const LINES_BACK_MAX: usize = 64;

/// The number of times, if this is such a line.
#[inline]
pub(crate) fn last_message_repeated(text: &[u8]) -> Option<u32> {
    let rest = text.strip_prefix(b"last message repeated ")?;
    let digits = rest.strip_suffix(b" times").or_else(|| rest.strip_suffix(b" time"))?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The last line of the same host in the text `before`, as it would read now: with this line's stamp, N times.
pub(crate) fn meant<'a>(before: &'a [u8], notice: &Record<'_>, times: u32) -> Option<Record<'a>> {
    let mut rest = before;
    for _ in 0..LINES_BACK_MAX {
        rest = rest.strip_suffix(b"\n").unwrap_or(rest);
        if rest.is_empty() {
            return None;
        }
        let (head, line) = rest.split_at_checked(memchr::memrchr(b'\n', rest).map_or(0, |at| at + 1))?;
        rest = head;
        let record = maillog::record(line.get(..line.len().min(crate::block::LINE_BYTES_MAX)).unwrap_or_default());
        if let Some(record) = record.filter(|r| r.host == notice.host && last_message_repeated(r.text).is_none()) {
            return Some(Record { stamp: notice.stamp, repeat: times, ..record });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_the_same_host() {
        let before = b"Jun 17 10:25:13 mail a[1]: x\nJun 17 10:25:13 other b[1]: y\nJun 17 10:25:14 mail last message repeated 2 times\n";
        let notice = maillog::record(b"Jun 17 10:25:15 mail last message repeated 3 times").unwrap();
        let found = meant(before, &notice, 3).unwrap();
        assert_eq!((found.text, found.repeat, found.stamp), (&b"x"[..], 3, notice.stamp));
        assert_eq!(meant(b"", &notice, 3), None);
        assert_eq!(meant(b"\n\n", &notice, 3), None);
    }

    #[test]
    fn wording() {
        assert_eq!(last_message_repeated(b"last message repeated 7 times"), Some(7));
        assert_eq!(last_message_repeated(b"last message repeated 1 time"), Some(1));
        assert_eq!(last_message_repeated(b"last message repeated many times"), None);
    }
}
