//! The text of one followed source, from a place in it on.
//!
//! Input: an opened file, archive or stream. Output: windows of its unpacked bytes. A plain file is read anew from any place, for its end
//! grows and its unended line is looked at more than once; what can be read only once is kept from the place last asked for.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

use crossbeam_channel::{Receiver, TryRecvError};

/// How much is looked at in one go.
pub(crate) const WINDOW_BYTES: usize = 256 << 10;
/// How much of an archive is passed over in one go, on the way to the place asked for.
const PASS_BYTES: u64 = 4 << 20;

/// Bytes of a source from the place asked for on.
pub(crate) struct Window {
    pub(crate) bytes: Vec<u8>,
    /// No more bytes were there.
    pub(crate) at_end: bool,
}

/// Where the bytes come from.
pub(crate) enum Text {
    /// Can be read anywhere and may grow.
    Plain(File),
    /// Is unpacked from its start, and never grows.
    Packed(Kept<Box<dyn Read + Send>>),
    /// Comes in pieces from a thread that reads it.
    Stream(Kept<Receiver<Vec<u8>>>),
}

/// What can be read only once, and what of it is still needed.
pub(crate) struct Kept<R> {
    inner: R,
    bytes: Vec<u8>,
    /// Place of the first byte kept.
    start: u64,
    ended: bool,
    /// What broke the reading.
    failed: Option<String>,
}

impl<R> Kept<R> {
    fn new(inner: R) -> Self {
        Self { inner, bytes: Vec::new(), start: 0, ended: false, failed: None }
    }

    fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    fn forget_before(&mut self, from: u64) {
        let count = usize::try_from(from.saturating_sub(self.start)).unwrap_or(usize::MAX).min(self.bytes.len());
        self.bytes.drain(..count);
        self.start += count as u64;
    }

    fn window(&self) -> Window {
        let kept = self.bytes.len().min(WINDOW_BYTES);
        let bytes = self.bytes.get(..kept).unwrap_or_default().to_vec();
        Window { at_end: kept == self.bytes.len() && kept < WINDOW_BYTES, bytes }
    }
}

impl Text {
    pub(crate) fn packed(reader: Box<dyn Read + Send>) -> Self {
        Self::Packed(Kept::new(reader))
    }

    pub(crate) fn stream(pieces: Receiver<Vec<u8>>) -> Self {
        Self::Stream(Kept::new(pieces))
    }

    /// The bytes from `from` on; places asked for never step back but in plain files. `None`: still on the way there, ask again.
    pub(crate) fn window(&mut self, from: u64) -> io::Result<Option<Window>> {
        match self {
            Self::Plain(file) => plain_window(file, from).map(Some),
            Self::Packed(kept) => Ok(kept.packed_window(from)),
            Self::Stream(kept) => Ok(Some(kept.stream_window(from))),
        }
    }

    /// Whether nothing can follow what was read: the end of an archive, a closed stream.
    pub(crate) fn is_over(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Packed(kept) => kept.ended,
            Self::Stream(kept) => kept.ended,
        }
    }

    /// What broke the reading of an archive.
    pub(crate) fn failed(&self) -> Option<&str> {
        match self {
            Self::Packed(kept) => kept.failed.as_deref(),
            _ => None,
        }
    }
}

fn plain_window(file: &File, from: u64) -> io::Result<Window> {
    let size = file.metadata()?.len();
    let room = usize::try_from(size.saturating_sub(from)).unwrap_or(WINDOW_BYTES).min(WINDOW_BYTES);
    let mut bytes = vec![0; room];
    let mut count = 0;
    while let Some(rest) = bytes.get_mut(count..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, from + count as u64) {
            Ok(0) => break,
            Ok(more) => count += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(count);
    Ok(Window { at_end: count < WINDOW_BYTES, bytes })
}

impl Kept<Box<dyn Read + Send>> {
    fn packed_window(&mut self, from: u64) -> Option<Window> {
        self.forget_before(from);
        if self.start < from && !self.ended {
            self.pass(from);
            return None;
        }
        let mut piece = vec![0; WINDOW_BYTES];
        while !self.ended && self.bytes.len() < WINDOW_BYTES {
            let room = piece.len() - self.bytes.len();
            match self.inner.read(piece.get_mut(..room).unwrap_or_default()) {
                Ok(0) => self.ended = true,
                Ok(count) => self.bytes.extend_from_slice(piece.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => self.fail(&error),
            }
        }
        Some(self.window())
    }

    /// Unpacks some of what lies before the place asked for, for nobody.
    fn pass(&mut self, from: u64) {
        let most = PASS_BYTES.min(from - self.end());
        match io::copy(&mut (&mut self.inner).take(most), &mut io::sink()) {
            Ok(count) => {
                self.start += count;
                self.ended = count < most;
            }
            Err(error) => self.fail(&error),
        }
    }

    fn fail(&mut self, error: &io::Error) {
        self.ended = true;
        self.failed = Some(error.to_string());
    }
}

impl Kept<Receiver<Vec<u8>>> {
    fn stream_window(&mut self, from: u64) -> Window {
        self.forget_before(from);
        while !self.ended && self.bytes.len() < WINDOW_BYTES {
            match self.inner.try_recv() {
                Ok(piece) => self.bytes.extend_from_slice(&piece),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => self.ended = true,
            }
            self.forget_before(from);
        }
        self.window()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_read_once_is_kept_from_the_place_asked_for() {
        let mut text = Text::packed(Box::new(&b"0123456789"[..]));
        assert!(text.window(4).unwrap().is_none(), "on the way");
        assert_eq!(text.window(4).unwrap().unwrap().bytes, b"456789");
        assert_eq!(text.window(4).unwrap().unwrap().bytes, b"456789");
        assert_eq!(text.window(8).unwrap().unwrap().bytes, b"89");
        assert!(text.is_over() && text.failed().is_none());
    }

    #[test]
    fn a_stream_is_over_when_its_reader_is_gone() {
        let (give, pieces) = crossbeam_channel::bounded(4);
        let mut text = Text::stream(pieces);
        give.send(b"abc".to_vec()).unwrap();
        assert_eq!(text.window(0).unwrap().unwrap().bytes, b"abc");
        give.send(b"def".to_vec()).unwrap();
        assert_eq!(text.window(2).unwrap().unwrap().bytes, b"cdef");
        assert!(!text.is_over());
        drop(give);
        assert_eq!(text.window(6).unwrap().unwrap().bytes, b"");
        assert!(text.is_over());
    }
}
