//! How a source starts, so that it is known again.
//!
//! Input: a file or its unpacked text. Output: its first bytes, without the NULs in front of them: those are what `copytruncate` leaves
//! under a writer that keeps its place, they are many, and they are the same in every file.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

use crate::fingerprint::Fingerprint;
use crate::look::FINGERPRINT_BYTES;

/// How many NULs in front are passed over in a plain file, besides holes.
const NULS_MAX: u64 = 1 << 20;
const PIECE_BYTES: usize = 64 << 10;

/// The first bytes of a source that are not NULs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Head {
    /// How many NULs stand before them.
    pub(crate) nuls: u64,
    /// At most as many as are ever looked at.
    pub(crate) bytes: Vec<u8>,
}

impl Head {
    /// Takes in what follows; more than is needed does no harm.
    pub(crate) fn extend(&mut self, mut bytes: &[u8]) {
        if self.bytes.is_empty() {
            let nuls = bytes.iter().take_while(|byte| **byte == 0).count();
            self.nuls += nuls as u64;
            bytes = bytes.get(nuls..).unwrap_or_default();
        }
        let room = FINGERPRINT_BYTES.saturating_sub(self.bytes.len());
        self.bytes.extend_from_slice(bytes.get(..bytes.len().min(room)).unwrap_or_default());
    }

    pub(crate) fn is_full(&self) -> bool {
        self.bytes.len() >= FINGERPRINT_BYTES
    }

    /// Whether a source that started so may start like `other` now: it has only grown.
    pub(crate) fn has_grown_to(&self, other: &Self) -> bool {
        self.bytes.is_empty() || self.nuls == other.nuls && other.bytes.starts_with(&self.bytes)
    }

    /// The fingerprint of what stands before a place; `None` if that is nothing.
    pub(crate) fn fingerprint(&self, offset: u64) -> Option<Fingerprint> {
        let read = usize::try_from(offset.saturating_sub(self.nuls)).unwrap_or(usize::MAX).min(self.bytes.len());
        self.bytes.get(..read).filter(|read| !read.is_empty()).map(Fingerprint::of)
    }

    /// The head of a plain file, which may have a hole in front.
    pub(crate) fn of_file(file: &File) -> io::Result<Self> {
        let mut piece = vec![0; FINGERPRINT_BYTES];
        let starts_with_nul =
            file.read_at(piece.get_mut(..1).unwrap_or_default(), 0)? == 1 && piece.first() == Some(&0);
        let hole = if starts_with_nul { first_data(file)? } else { 0 };
        let (mut head, mut at) = (Self { nuls: hole, bytes: Vec::new() }, hole);
        while !head.is_full() && head.nuls - hole <= NULS_MAX {
            let count = match file.read_at(&mut piece, at) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            head.extend(piece.get(..count).unwrap_or_default());
            at += count as u64;
        }
        Ok(head)
    }

    /// The head of an unpacked text. Of a damaged one what can be read counts; of one that is being written there may be nothing yet.
    pub(crate) fn of_text(mut text: impl Read) -> Self {
        let (mut head, mut piece) = (Self::default(), vec![0; PIECE_BYTES]);
        while !head.is_full() {
            match text.read(&mut piece) {
                Ok(0) => break,
                Ok(count) => head.extend(piece.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        head
    }
}

/// Where a file with a hole in front has its first data.
fn first_data(file: &File) -> io::Result<u64> {
    match rustix::fs::seek(file, rustix::fs::SeekFrom::Data(0)) {
        Ok(at) => Ok(at),
        // No data at all, or a file system that knows nothing of holes.
        Err(rustix::io::Errno::NXIO | rustix::io::Errno::INVAL) => Ok(0),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn nuls_in_front_do_not_count() {
        let mut file = tempfile::tempfile().unwrap();
        file.set_len(5 << 30).unwrap();
        std::io::Seek::seek(&mut file, io::SeekFrom::End(0)).unwrap();
        file.write_all(b"\0\0one\ntwo\n").unwrap();
        let head = Head::of_file(&file).unwrap();
        assert_eq!((head.nuls, head.bytes.as_slice()), ((5 << 30) + 2, &b"one\ntwo\n"[..]));
        assert_eq!(head.fingerprint(head.nuls + 4), Some(Fingerprint::of(b"one\n")));
        assert_eq!(head.fingerprint(head.nuls), None);
        let text = Head::of_text(&b"\0\0\0one\ntwo\n"[..]);
        assert_eq!((text.nuls, &text.bytes), (3, &head.bytes));
        assert!(!text.has_grown_to(&head) && Head::default().has_grown_to(&head));
    }

    #[test]
    fn pieces_make_one_head() {
        let mut head = Head::default();
        [&b"\0"[..], b"\0a", b"\0b", &[b'c'; 9000]].iter().for_each(|piece| head.extend(piece));
        assert_eq!((head.nuls, head.bytes.len(), &head.bytes[..4]), (2, FINGERPRINT_BYTES, &b"a\0bc"[..]));
    }
}
