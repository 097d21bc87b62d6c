//! Cutting a stream into blocks of whole lines.
//!
//! Input: a reader of any text. Output: filled blocks, each ending at a newline or at the end of the stream. A line that does not fit is
//! cut, the rest of it is thrown away as it is read: memory is bounded whatever comes.

use std::io::{self, Read};

use crate::block::{Block, LINE_BYTES_MAX};

/// What stopped the reading of a source before its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Broken {
    pub(crate) offset: u64,
    pub(crate) what: String,
}

/// State of reading one stream.
pub(crate) struct Reader<R> {
    inner: R,
    /// A live stream is not held up until a block is full.
    live: bool,
    carry: Vec<u8>,
    skipping: bool,
    offset: u64,
    ended: bool,
    pub(crate) broken: Option<Broken>,
}

impl<R: Read> Reader<R> {
    pub(crate) fn new(inner: R, live: bool) -> Self {
        Self { inner, live, carry: Vec::new(), skipping: false, offset: 0, ended: false, broken: None }
    }

    /// Fills a block of at least twice the longest line. `false`: there is nothing left.
    pub(crate) fn fill(&mut self, block: &mut Block, block_bytes: usize) -> bool {
        debug_assert!(block_bytes >= 2 * LINE_BYTES_MAX, "a block holds a cut line");
        block.data.resize(block_bytes, 0);
        block.filled = crate::open::copy_prefix(&self.carry, &mut block.data);
        self.carry.clear();
        while !self.ended && block.filled < block.data.len() {
            let count = self.read(block);
            if self.skipping {
                self.skip_rest_of_line(block);
            }
            let new = block.data.get(block.filled.saturating_sub(count)..block.filled).unwrap_or_default();
            if self.live && memchr::memrchr(b'\n', new).is_some() {
                break;
            }
        }
        if !self.ended {
            self.cut(block);
        }
        block.filled > 0
    }

    fn read(&mut self, block: &mut Block) -> usize {
        let room = block.data.get_mut(block.filled..).unwrap_or_default();
        match self.inner.read(room) {
            Ok(0) => self.ended = true,
            Ok(count) => {
                block.filled += count;
                self.offset += u64::try_from(count).unwrap_or(0);
                return count;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                self.ended = true;
                self.broken = Some(Broken { offset: self.offset, what: error.to_string() });
            }
        }
        0
    }

    /// Cuts the block after its last newline, or cuts a line that is longer than a block.
    fn cut(&mut self, block: &mut Block) {
        let text = block.data.get(..block.filled).unwrap_or_default();
        match memchr::memrchr(b'\n', text) {
            Some(at) => {
                self.carry.extend_from_slice(text.get(at + 1..).unwrap_or_default());
                block.filled = at + 1;
            }
            None => {
                // One byte more than is kept, so that it is seen to be cut.
                block.filled = block.filled.min(LINE_BYTES_MAX + 1);
                self.skipping = true;
            }
        }
    }

    fn skip_rest_of_line(&mut self, block: &mut Block) {
        let text = block.data.get(..block.filled).unwrap_or_default();
        match memchr::memchr(b'\n', text) {
            Some(at) => {
                block.data.copy_within(at + 1..block.filled, 0);
                block.filled -= at + 1;
                self.skipping = false;
            }
            None => block.filled = 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives out what it has in small pieces.
    struct Drip<'a>(&'a [u8], usize);

    impl Read for Drip<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let count = crate::open::copy_prefix(&self.0[..self.0.len().min(self.1)], out);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    fn blocks(text: &[u8], drip: usize, live: bool) -> Vec<Vec<u8>> {
        let mut reader = Reader::new(Drip(text, drip), live);
        let (mut block, mut found) = (Block::default(), Vec::new());
        while reader.fill(&mut block, 2 * LINE_BYTES_MAX) {
            found.push(block.text().to_vec());
        }
        found
    }

    #[test]
    fn blocks_end_at_newlines() {
        let text = b"0123456789\n".repeat(50_000);
        let found = blocks(&text, 100_000, false);
        assert!(found.len() > 2 && found.iter().all(|b| b.ends_with(b"\n")));
        assert_eq!(found.concat(), text);
    }

    #[test]
    fn the_last_line_needs_no_newline() {
        assert_eq!(blocks(b"a\nb", 10, false), [b"a\nb".to_vec()]);
        assert_eq!(blocks(b"", 10, false), Vec::<Vec<u8>>::new());
        assert_eq!(blocks(b"a\nb\nc", 2, true).concat(), b"a\nb\nc");
        assert_eq!(blocks(b"a\nb\nc", 2, true).len(), 3);
    }

    #[test]
    fn a_line_longer_than_a_block_is_cut() {
        for (length, end) in [
            (10 * LINE_BYTES_MAX, &b"\nnext\n"[..]),
            (3 * LINE_BYTES_MAX, b""),
            (2 * LINE_BYTES_MAX, b"\n"),
            (2 * LINE_BYTES_MAX, b"\nx"),
        ] {
            let text = [&b"before\n"[..], &b"y".repeat(length), end].concat();
            let found = blocks(&text, 50_000, false);
            let joined: Vec<u8> = found
                .iter()
                .flat_map(|b| if b.ends_with(b"\n") { b.clone() } else { [b, &b"\n"[..]].concat() })
                .collect();
            let lengths: Vec<usize> = joined.split(|b| *b == b'\n').map(<[u8]>::len).collect();
            assert!(lengths[0] == 6 && lengths[1] > LINE_BYTES_MAX, "{lengths:?}");
            assert_eq!(
                lengths[2..lengths.len() - 1].to_vec(),
                end.split(|b| *b == b'\n').map(<[u8]>::len).filter(|l| *l > 0).collect::<Vec<_>>()
            );
        }
    }
}
