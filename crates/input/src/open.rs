//! Opening a source: whatever its packing, what comes out is the text of the log.
//!
//! Input: a path or a stream. Output: a `Read` of plain lines. The packing is told by the first bytes, never by the name.
//! Archives may hold several members one after the other. Nothing is held in memory but the decoders' own windows.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::export;

/// What an archive's dictionary may take. `xz -9` needs 65 MiB.
const XZ_MEMORY_BYTES_MAX: u64 = 128 << 20;
/// Window of a zstd frame, as a power of two: 128 MiB, the tool's own limit.
const ZSTD_WINDOW_LOG_MAX: u32 = 27;
const MAGIC_BYTES: usize = 8;
const PACKED_BUFFER_BYTES: usize = 64 << 10;

/// How the bytes of a source are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    Plain,
    Gzip,
    Xz,
    Bzip2,
    Zstd,
    /// Packed in a way that is not read here; the name of the format.
    Foreign(&'static str),
}

/// Tells the packing by the first bytes.
pub(crate) fn packing(magic: &[u8]) -> Packing {
    match magic {
        [0x1f, 0x8b, ..] => Packing::Gzip,
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Packing::Xz,
        [b'B', b'Z', b'h', b'1'..=b'9', ..] => Packing::Bzip2,
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Packing::Zstd,
        [0x1f, 0x9d, ..] => Packing::Foreign("compress (.Z)"),
        [b'P', b'K', 3, 4, ..] => Packing::Foreign("zip"),
        [b'L', b'Z', b'I', b'P', ..] => Packing::Foreign("lzip"),
        [0x04, 0x22, 0x4d, 0x18, ..] => Packing::Foreign("lz4"),
        [b'L', b'P', b'K', b'S', b'H', b'H', b'R', b'H', ..] => {
            Packing::Foreign("systemd journal (use journalctl -o export)")
        }
        _ => Packing::Plain,
    }
}

/// An opened source.
pub(crate) struct Opened {
    pub(crate) reader: Box<dyn Read + Send>,
    pub(crate) packing: Packing,
    /// The content is the journal's export format, made into plain lines on the way.
    pub(crate) is_export: bool,
}

/// Opens a file, read-only. `taken` counts the bytes read from the disk.
pub(crate) fn open_file(path: &Path, taken: &Arc<AtomicU64>) -> io::Result<Opened> {
    let (decoded, packing) = decoded_file(path, taken)?;
    if packing == Packing::Plain {
        return unpacked(decoded, packing);
    }
    unpacked(Box::new(Salvage { path: path.to_owned(), inner: decoded, delivered: 0, state: Health::Sound }), packing)
}

/// Opens a stream, which can be read only once.
pub(crate) fn open_stream(stream: Box<dyn Read + Send>, taken: &Arc<AtomicU64>) -> io::Result<Opened> {
    let (decoded, packing) = decoder(Box::new(Counted { inner: stream, taken: Arc::clone(taken) }))?;
    unpacked(decoded, packing)
}

fn unpacked(decoded: Box<dyn Read + Send>, packing: Packing) -> io::Result<Opened> {
    let peeked = Peeked::new(decoded, export::LOOK_BYTES, |seen| seen.contains(&b'\n'))?;
    let is_export = export::is_export(peeked.seen());
    let reader: Box<dyn Read + Send> = if is_export { Box::new(export::Lines::new(peeked)) } else { Box::new(peeked) };
    Ok(Opened { reader, packing, is_export })
}

fn decoded_file(path: &Path, taken: &Arc<AtomicU64>) -> io::Result<(Box<dyn Read + Send>, Packing)> {
    let file = File::open(path)?;
    decoder(Box::new(Counted { inner: file, taken: Arc::clone(taken) }))
}

fn decoder(raw: Box<dyn Read + Send>) -> io::Result<(Box<dyn Read + Send>, Packing)> {
    let peeked =
        Peeked::new(raw, MAGIC_BYTES, |seen| seen.len() >= MAGIC_BYTES || seen.contains(&b'\n') && seen.is_ascii())?;
    let packing = packing(peeked.seen());
    let buffered = |inner| BufReader::with_capacity(PACKED_BUFFER_BYTES, inner);
    let decoder: Box<dyn Read + Send> = match packing {
        Packing::Plain => Box::new(peeked),
        Packing::Gzip => Box::new(Unpadded { inner: flate2::bufread::MultiGzDecoder::new(buffered(peeked)) }),
        Packing::Xz => {
            let stream =
                liblzma::stream::Stream::new_stream_decoder(XZ_MEMORY_BYTES_MAX, liblzma::stream::CONCATENATED)?;
            Box::new(liblzma::bufread::XzDecoder::new_stream(buffered(peeked), stream))
        }
        Packing::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(buffered(peeked))),
        Packing::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(buffered(peeked))?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
            Box::new(decoder)
        }
        Packing::Foreign(what) => return Err(io::Error::new(io::ErrorKind::Unsupported, what)),
    };
    Ok((decoder, packing))
}

/// A gzip file may be padded with zeros behind its last member (tapes, block devices): no damage.
struct Unpadded<R> {
    inner: flate2::bufread::MultiGzDecoder<R>,
}

impl<R: BufRead> Read for Unpadded<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self.inner.read(out) {
            Err(error) if error.kind() == io::ErrorKind::InvalidInput && only_zeros(self.inner.get_mut()) => Ok(0),
            other => other,
        }
    }
}

fn only_zeros(rest: &mut impl BufRead) -> bool {
    let mut seen_any = false;
    while let Ok(bytes) = rest.fill_buf() {
        if bytes.is_empty() {
            return seen_any;
        }
        if bytes.iter().any(|b| *b != 0) {
            return false;
        }
        seen_any = true;
        let count = bytes.len();
        rest.consume(count);
    }
    false
}

/// Counts what is taken from below, for the progress bar.
struct Counted<R> {
    inner: R,
    taken: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(out)?;
        self.taken.fetch_add(u64::try_from(count).unwrap_or(0), Ordering::Relaxed);
        Ok(count)
    }
}

/// A reader whose first bytes were looked at. An error met while looking comes after the bytes before it.
pub(crate) struct Peeked<R> {
    seen: Vec<u8>,
    given: usize,
    failed: Option<io::Error>,
    inner: R,
}

impl<R: Read> Peeked<R> {
    /// Reads until `enough`, the end, or `most` bytes. Only an error before the first byte is an error here.
    pub(crate) fn new(mut inner: R, most: usize, enough: impl Fn(&[u8]) -> bool) -> io::Result<Self> {
        let (mut seen, mut failed) = (Vec::new(), None);
        let mut piece = vec![0; most];
        while seen.len() < most && !enough(&seen) {
            let room = most - seen.len();
            match inner.read(piece.get_mut(..room).unwrap_or_default()) {
                Ok(0) => break,
                Ok(count) => seen.extend_from_slice(piece.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        Ok(Self { seen, given: 0, failed, inner })
    }

    pub(crate) fn seen(&self) -> &[u8] {
        &self.seen
    }
}

impl<R: Read> Read for Peeked<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let waiting = self.seen.get(self.given..).unwrap_or_default();
        if !waiting.is_empty() {
            let count = copy_prefix(waiting, out);
            self.given += count;
            return Ok(count);
        }
        match self.failed.take() {
            Some(error) => Err(error),
            None => self.inner.read(out),
        }
    }
}

/// Copies as much of `from` as fits; says how much.
pub(crate) fn copy_prefix(from: &[u8], to: &mut [u8]) -> usize {
    let count = from.len().min(to.len());
    if let (Some(from), Some(to)) = (from.get(..count), to.get_mut(..count)) {
        to.copy_from_slice(from);
    }
    count
}

/// Gets every readable byte out of a damaged archive.
///
/// A decoder that meets damage throws away what it had decoded in that call. So the archive is opened again and read up to the same
/// place, and from there byte by byte until the damage.
struct Salvage {
    path: PathBuf,
    inner: Box<dyn Read + Send>,
    delivered: u64,
    state: Health,
}

enum Health {
    Sound,
    Crawling,
    Broken(io::ErrorKind, String),
}

impl Salvage {
    fn reopen(&mut self) -> io::Result<()> {
        let (mut again, _) = decoded_file(&self.path, &Arc::default())?;
        let skipped = io::copy(&mut (&mut again).take(self.delivered), &mut io::sink())?;
        if skipped != self.delivered {
            return Err(io::Error::other("the archive changed while it was read"));
        }
        self.inner = again;
        Ok(())
    }

    fn crawl(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut count = 0;
        for slot in out.iter_mut() {
            match self.inner.read(std::slice::from_mut(slot)) {
                Ok(0) => break,
                Ok(_) => count += 1,
                Err(error) => {
                    self.state = Health::Broken(error.kind(), error.to_string());
                    break;
                }
            }
        }
        match &self.state {
            Health::Broken(kind, what) if count == 0 => Err(io::Error::new(*kind, what.clone())),
            _ => Ok(count),
        }
    }
}

impl Read for Salvage {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match &self.state {
            Health::Crawling => return self.crawl(out),
            Health::Broken(kind, what) => return Err(io::Error::new(*kind, what.clone())),
            Health::Sound => {}
        }
        match self.inner.read(out) {
            Ok(count) => {
                self.delivered += u64::try_from(count).unwrap_or(0);
                Ok(count)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => {
                self.state = Health::Crawling;
                if self.reopen().is_err() {
                    self.state = Health::Broken(error.kind(), error.to_string());
                    return Err(error);
                }
                self.crawl(out)
            }
        }
    }
}
