//! The journal's export format as plain lines.
//!
//! Input: `FIELD=value` lines, a blank line after each entry, binary values as `FIELD`, a newline, a 64-bit little-endian length and the
//! bytes. Output: one plain line per entry, as [`maillog::journal_fields`] writes it.
//!
//! Source of the format: systemd's JOURNAL_EXPORT_FORMATS.

use std::io::{self, BufRead, BufReader, Read};

/// How much of a stream is looked at to tell the format.
pub(crate) const LOOK_BYTES: usize = 512;
/// Longest value that is kept; the rest of a longer one is dropped.
const VALUE_BYTES_MAX: usize = 64 << 10;
/// Most fields of one entry that are kept.
const FIELDS_MAX: usize = 256;

/// Whether a text starts as the export format does: a field whose name the journal itself makes, `=`, a value, a newline.
pub(crate) fn is_export(start: &[u8]) -> bool {
    let line = start.split(|b| *b == b'\n').next().unwrap_or_default();
    let name = line.split(|b| *b == b'=').next().unwrap_or_default();
    let named = (1..=64).contains(&name.len())
        && name.iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || *b == b'_');
    named
        && name.len() < line.len()
        && (name.starts_with(b"_")
            || [&b"MESSAGE"[..], b"PRIORITY", b"SYSLOG_IDENTIFIER", b"SYSLOG_FACILITY"].contains(&name))
}

/// Reads entries, gives lines.
pub(crate) struct Lines<R> {
    inner: BufReader<R>,
    fields: Vec<(Vec<u8>, Vec<u8>)>,
    line: Vec<u8>,
    /// The place in the journal of the entry that the line was made of.
    cursor: Vec<u8>,
    given: usize,
    ended: bool,
    failed: Option<io::Error>,
}

impl<R: Read> Lines<R> {
    pub(crate) fn new(inner: R) -> Self {
        Self {
            inner: BufReader::with_capacity(64 << 10, inner),
            fields: Vec::new(),
            line: Vec::new(),
            cursor: Vec::new(),
            given: 0,
            ended: false,
            failed: None,
        }
    }

    /// Reads one entry into `self.line`. At the end the line stays empty.
    fn next_entry(&mut self) -> io::Result<()> {
        self.line.clear();
        self.given = 0;
        while !self.ended && self.line.is_empty() {
            match self.field() {
                Ok(true) => {}
                Ok(false) => self.finish_entry(),
                Err(error) => {
                    // What came before the damage is still worth a line; the error comes at the next call.
                    self.ended = true;
                    self.failed = Some(error);
                    self.finish_entry();
                }
            }
        }
        if self.line.is_empty() { self.failed.take().map_or(Ok(()), Err) } else { Ok(()) }
    }

    /// The next whole entry: its line, which ends in a newline, and its cursor. `None` at the end of the stream, also within an entry.
    pub(crate) fn entry(&mut self) -> io::Result<Option<(&[u8], &[u8])>> {
        self.next_entry()?;
        Ok(if self.ended || self.line.is_empty() { None } else { Some((&self.line, &self.cursor)) })
    }

    fn finish_entry(&mut self) {
        if self.fields.is_empty() {
            return;
        }
        let value = |name: &str| self.fields.iter().find(|(n, _)| n == name.as_bytes()).map(|(_, v)| v.clone());
        self.line = maillog::journal_fields(value).unwrap_or_else(|| b"-- journal entry without a time --".to_vec());
        self.line.push(b'\n');
        self.cursor = value("__CURSOR").unwrap_or_default();
        self.fields.clear();
    }

    /// Reads one field. `false` at the end of an entry or of the stream.
    fn field(&mut self) -> io::Result<bool> {
        let (line, ended) = bounded_line(&mut self.inner)?;
        self.ended |= ended;
        if line.is_empty() {
            return Ok(false);
        }
        let (name, value) = match memchr::memchr(b'=', &line).and_then(|at| line.split_at_checked(at)) {
            Some((name, value)) => (name.to_vec(), value.get(1..).unwrap_or_default().to_vec()),
            None if self.ended => return Ok(false),
            None => {
                let value = self.binary_value()?;
                (line, value)
            }
        };
        if self.fields.len() < FIELDS_MAX {
            self.fields.push((name, value));
        }
        Ok(true)
    }

    fn binary_value(&mut self) -> io::Result<Vec<u8>> {
        let mut length = [0; 8];
        self.inner.read_exact(&mut length)?;
        let length = u64::from_le_bytes(length);
        let kept = length.min(u64::try_from(VALUE_BYTES_MAX).unwrap_or(length));
        let mut value = Vec::new();
        (&mut self.inner).take(kept).read_to_end(&mut value)?;
        io::copy(&mut (&mut self.inner).take(length - kept), &mut io::sink())?;
        let mut newline = [0; 1];
        self.inner.read_exact(&mut newline)?;
        Ok(value)
    }
}

/// A line without its newline, cut at the longest value kept; and whether the stream ended.
fn bounded_line(inner: &mut impl BufRead) -> io::Result<(Vec<u8>, bool)> {
    let mut line = Vec::new();
    loop {
        let bytes = inner.fill_buf()?;
        let end = memchr::memchr(b'\n', bytes);
        let upto = end.unwrap_or(bytes.len());
        let room = (VALUE_BYTES_MAX + 128).saturating_sub(line.len());
        line.extend_from_slice(bytes.get(..upto.min(room)).unwrap_or_default());
        let at_end = bytes.is_empty();
        inner.consume(upto + usize::from(end.is_some()));
        if end.is_some() || at_end {
            return Ok((line, at_end));
        }
    }
}

impl<R: Read> Read for Lines<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut count = 0;
        while count < out.len() {
            if self.given >= self.line.len() {
                // Goes on only with what has already arrived, so that a live stream is not held up.
                if count > 0 && self.inner.buffer().is_empty() {
                    break;
                }
                match self.next_entry() {
                    Ok(()) if self.line.is_empty() => break,
                    Ok(()) => {}
                    Err(error) if count == 0 => return Err(error),
                    Err(error) => {
                        self.failed = Some(error);
                        break;
                    }
                }
            }
            let copied = crate::open::copy_prefix(
                self.line.get(self.given..).unwrap_or_default(),
                out.get_mut(count..).unwrap_or_default(),
            );
            self.given += copied;
            count += copied;
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(export: &[u8]) -> String {
        let mut text = Vec::new();
        let result = Lines::new(export).read_to_end(&mut text);
        String::from_utf8_lossy(&text).into_owned() + if result.is_err() { "!" } else { "" }
    }

    #[test]
    fn entries_become_lines() {
        let first = b"__CURSOR=s=1\n__REALTIME_TIMESTAMP=1763803046436140\n_HOSTNAME=mail\nSYSLOG_IDENTIFIER=postfix/smtpd\nSYSLOG_PID=7\nMESSAGE=a=b\n\n";
        assert!(is_export(first));
        assert_eq!(plain(first), "1763803046.436140 mail postfix/smtpd[7]: a=b\n");
        let twice = [&first[..], &first[..]].concat();
        assert_eq!(plain(&twice).lines().count(), 2);
    }

    #[test]
    fn binary_values() {
        let mut entry =
            b"__REALTIME_TIMESTAMP=1763803046436140\n_HOSTNAME=mail\nSYSLOG_IDENTIFIER=x\nMESSAGE\n".to_vec();
        entry.extend(5u64.to_le_bytes());
        entry.extend(b"a\n\nb\xff\n");
        assert_eq!(plain(&entry), "1763803046.436140 mail x: a#012#012b\u{fffd}\n");
    }

    #[test]
    fn a_cut_entry_is_reported_and_hostile_lengths_are_harmless() {
        let mut entry = b"__REALTIME_TIMESTAMP=1763803046436140\nSYSLOG_IDENTIFIER=x\nMESSAGE\n".to_vec();
        entry.extend(u64::MAX.to_le_bytes());
        entry.extend(b"abc");
        assert_eq!(plain(&entry), "1763803046.436140 localhost x: \n!");
        assert_eq!(plain(b"_A=1\n\n"), "-- journal entry without a time --\n");
        assert_eq!(plain(b""), "");
    }

    #[test]
    fn an_entry_without_its_end_is_none() {
        let stream = b"__CURSOR=s=1;i=2\n__REALTIME_TIMESTAMP=1763803046436140\nSYSLOG_IDENTIFIER=x\nMESSAGE=a\n\n\
            __CURSOR=s=1;i=3\n__REALTIME_TIMESTAMP=1763803046436140\nSYSLOG_IDENTIFIER=x\nMESSAGE=b\n";
        let mut lines = Lines::new(&stream[..]);
        let first = lines.entry().unwrap().map(|(line, cursor)| (line.to_vec(), cursor.to_vec())).unwrap();
        assert_eq!(first, (b"1763803046.436140 localhost x: a\n".to_vec(), b"s=1;i=2".to_vec()));
        assert!(lines.entry().unwrap().is_none());
    }

    #[test]
    fn what_is_no_export() {
        for text in [&b"Jun 17 10:25:14 mail a[1]: x=1\n"[..], b"", b"\n", b"FOO=1\n", b"__CURSOR\n", b"{\"a\":1}"] {
            assert!(!is_export(text), "{text:?}");
        }
    }
}
