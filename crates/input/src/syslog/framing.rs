//! From the bytes of a connection to messages.
//!
//! Input: pieces of a TCP or TLS stream. Output: one line per message. Both framings of RFC 6587 are understood, told apart message by
//! message as rsyslog does: a digit starts an octet count (`LENGTH SP MESSAGE`), anything else a message that a newline or a NUL ends.
//!
//! A message longer than the bound is cut, and the rest of it thrown away as it comes: memory is bounded whatever a peer sends.

/// Digits of an octet count; more are no count.
const DIGITS_MAX: usize = 7;

/// The state of one connection.
#[derive(Debug)]
pub(crate) struct Frames {
    message_bytes_max: usize,
    kept: Vec<u8>,
    state: State,
    /// How many messages were cut.
    pub(crate) cut: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Start,
    /// In the digits of a count.
    Count,
    /// So many bytes of the message are still to come.
    Counted(usize),
    /// In a message that a newline ends.
    Line,
}

impl Frames {
    pub(crate) fn new(message_bytes_max: usize) -> Self {
        Self { message_bytes_max, kept: Vec::new(), state: State::Start, cut: 0 }
    }

    /// Takes a piece of the stream; appends a line to `lines` for each message that has ended.
    pub(crate) fn push(&mut self, mut bytes: &[u8], lines: &mut Vec<u8>) {
        while let Some((first, rest)) = bytes.split_first() {
            bytes = match self.state {
                State::Start => self.start(*first, bytes, rest),
                State::Count => self.digit(*first, bytes, rest),
                State::Counted(left) => self.counted(left, bytes, lines),
                State::Line => self.line(bytes, lines),
            };
        }
    }

    /// The connection has ended: what there is of an unended message is one all the same.
    pub(crate) fn end(&mut self, lines: &mut Vec<u8>) {
        if self.state != State::Start {
            self.finish(lines);
        }
    }

    fn start<'b>(&mut self, first: u8, bytes: &'b [u8], rest: &'b [u8]) -> &'b [u8] {
        match first {
            // What trails a counted message of senders that do both.
            b'\n' | b'\r' | 0 => return rest,
            b'1'..=b'9' => self.state = State::Count,
            _ => self.state = State::Line,
        }
        bytes
    }

    fn digit<'b>(&mut self, first: u8, bytes: &'b [u8], rest: &'b [u8]) -> &'b [u8] {
        match first {
            b'0'..=b'9' if self.kept.len() < DIGITS_MAX => {
                self.kept.push(first);
                rest
            }
            b' ' => {
                let count = self.kept.iter().fold(0, |count: usize, digit| count * 10 + usize::from(digit - b'0'));
                self.kept.clear();
                self.state = State::Counted(count);
                rest
            }
            // A line that only starts with digits.
            _ => {
                self.state = State::Line;
                bytes
            }
        }
    }

    fn counted<'b>(&mut self, left: usize, bytes: &'b [u8], lines: &mut Vec<u8>) -> &'b [u8] {
        let (now, rest) = bytes.split_at(left.min(bytes.len()));
        self.keep(now);
        self.state = State::Counted(left - now.len());
        if left == now.len() {
            self.finish(lines);
        }
        rest
    }

    fn line<'b>(&mut self, bytes: &'b [u8], lines: &mut Vec<u8>) -> &'b [u8] {
        let Some(end) = memchr::memchr2(b'\n', 0, bytes) else {
            self.keep(bytes);
            return &[];
        };
        self.keep(bytes.get(..end).unwrap_or_default());
        self.finish(lines);
        bytes.get(end + 1..).unwrap_or_default()
    }

    /// One byte more than the bound is kept, so that a message is seen to be cut.
    fn keep(&mut self, bytes: &[u8]) {
        let room = (self.message_bytes_max + 1).saturating_sub(self.kept.len());
        self.kept.extend_from_slice(bytes.get(..bytes.len().min(room)).unwrap_or_default());
    }

    fn finish(&mut self, lines: &mut Vec<u8>) {
        self.state = State::Start;
        let message = std::mem::take(&mut self.kept);
        self.cut += u64::from(push_message(&message, self.message_bytes_max, lines));
        // The room is used again for the next message.
        self.kept = message;
        self.kept.clear();
    }
}

/// Appends a message as one line; says whether it was cut. Newlines and NULs within it are written as rsyslog does: `#012`, `#000`.
pub(crate) fn push_message(message: &[u8], message_bytes_max: usize, lines: &mut Vec<u8>) -> bool {
    let is_cut = message.len() > message_bytes_max;
    let kept = message.get(..message.len().min(message_bytes_max)).unwrap_or_default();
    let end = kept.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r' | 0)).map_or(0, |last| last + 1);
    let mut rest = kept.get(..end).unwrap_or_default();
    if rest.is_empty() {
        return is_cut;
    }
    while let Some(at) = memchr::memchr2(b'\n', 0, rest) {
        lines.extend_from_slice(rest.get(..at).unwrap_or_default());
        lines.extend_from_slice(if rest.get(at) == Some(&0) { b"#000" } else { b"#012" });
        rest = rest.get(at + 1..).unwrap_or_default();
    }
    lines.extend_from_slice(rest);
    lines.push(b'\n');
    is_cut
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn framed(pieces: &[&[u8]], most: usize) -> (String, u64) {
        let (mut frames, mut lines) = (Frames::new(most), Vec::new());
        pieces.iter().for_each(|piece| frames.push(piece, &mut lines));
        frames.end(&mut lines);
        (String::from_utf8(lines).unwrap(), frames.cut)
    }

    #[test]
    fn both_framings() {
        let check = |stream: &[u8], expected: &str| assert_eq!(framed(&[stream], 100).0, expected, "{stream:?}");
        check(b"<22>a\n<22>b\n", "<22>a\n<22>b\n");
        check(b"5 <22>a6 <22>bc", "<22>a\n<22>bc\n");
        check(b"5 <22>a\n<22>b\n5 <22>c", "<22>a\n<22>b\n<22>c\n");
        check(b"7 <2>a\nbc\n", "<2>a#012bc\n");
        check(b"<22>a\0<22>b\0", "<22>a\n<22>b\n");
        check(b"<22>a\r\n\r\n", "<22>a\n");
        check(b"<22>no end", "<22>no end\n");
        check(b"123", "123\n");
        check(b"2026-11-22T09:06:30Z x\n", "2026-11-22T09:06:30Z x\n");
        check(b"12345678 x\n", "12345678 x\n");
        check(b"", "");
    }

    #[test]
    fn a_long_message_is_cut_and_the_next_one_is_whole() {
        let long = [b"<22>".to_vec(), vec![b'x'; 500], b"\n<22>b\n".to_vec()].concat();
        let (lines, cut) = framed(&[&long], 100);
        assert_eq!((lines.lines().map(str::len).collect::<Vec<_>>(), cut), (vec![100, 5], 1));
        let counted = [b"504 <22>".to_vec(), vec![b'x'; 500], b"5 <22>b".to_vec()].concat();
        assert_eq!(framed(&[&counted], 100), (lines, 1));
        let (mut frames, mut lines) = (Frames::new(100), Vec::new());
        frames.push(b"9999999 ", &mut lines);
        (0..1000).for_each(|_| frames.push(&[b'x'; 4096], &mut lines));
        assert!(frames.kept.capacity() < 1000 && lines.is_empty(), "memory is bounded");
    }

    proptest! {
        /// What comes in pieces is the same as what comes at once.
        #[test]
        fn pieces_do_not_matter(
            stream in "([1-9]{1,2} |<22>|[a-z]{1,9}|\n|\0){0,20}",
            cuts in proptest::collection::vec(0..100usize, 0..6),
        ) {
            let stream = stream.as_bytes();
            let mut at: Vec<usize> = cuts.iter().map(|cut| cut % (stream.len() + 1)).chain([0, stream.len()]).collect();
            at.sort_unstable();
            let pieces: Vec<&[u8]> = at.windows(2).map(|w| &stream[w[0]..w[1]]).collect();
            prop_assert_eq!(framed(&pieces, 20), framed(&[stream], 20));
        }

        /// Messages that were framed by count come out as they went in.
        #[test]
        fn counted_messages(messages in proptest::collection::vec("[ -~]{1,40}", 0..10)) {
            let stream: String = messages.iter().map(|m| format!("{} {m}", m.len())).collect();
            let expected: String = messages.iter().map(|m| format!("{m}\n")).collect();
            prop_assert_eq!(framed(&[stream.as_bytes()], 100).0, expected);
        }
    }
}
