//! Archives: every packing, several members, damage.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::string_slice, reason = "a test may panic")]

mod common;

use std::io::Write;

use common::{Folder, all, options, texts};
use input::{FeedError, Problem, Sources};

const NOW: &str = "2025-12-01T00:00:00Z";

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn xz(text: &[u8]) -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn bzip2(text: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn zstd(text: &[u8]) -> Vec<u8> {
    zstd::stream::encode_all(text, 1).unwrap()
}

type Pack = fn(&[u8]) -> Vec<u8>;
const PACKINGS: [(&str, Pack); 4] = [("gz", gzip), ("xz", xz), ("bz2", bzip2), ("zst", zstd)];

fn lines(from: usize, to: usize) -> String {
    (from..to)
        .map(|n| {
            format!(
                "2025-11-22T{:02}:{:02}:{:02}Z mail p[1]: line {n} {}\n",
                n / 3600,
                n / 60 % 60,
                n % 60,
                n.wrapping_mul(2_654_435_761) % 1_000_003
            )
        })
        .collect()
}

#[test]
fn every_packing_whatever_its_name() {
    let text = lines(0, 20_000);
    for (name, pack) in PACKINGS {
        let folder = Folder::new();
        let path = folder.write("mail.log.7", pack(text.as_bytes()), NOW);
        let (found, coverage) = all(Sources::files([path]), &options("UTC", NOW));
        assert_eq!((found.len(), coverage.lines, &coverage.sources[0].damage), (20_000, 20_000, &None), "{name}");
        assert!(found[19_999].text.starts_with("line 19999 "), "{name}");
    }
}

#[test]
fn several_members() {
    for (name, pack) in PACKINGS {
        let folder = Folder::new();
        let packed = [pack(lines(0, 100).as_bytes()), pack(b""), pack(lines(100, 250).as_bytes())].concat();
        let path = folder.write("mail.log.1", packed, NOW);
        let (found, coverage) = all(Sources::files([path]), &options("UTC", NOW));
        assert_eq!((found.len(), &coverage.sources[0].damage), (250, &None), "{name}");
    }
}

#[test]
fn a_gzip_file_padded_with_zeros_is_sound() {
    let folder = Folder::new();
    let path = folder.write("mail.log.1.gz", [gzip(lines(0, 100).as_bytes()), vec![0; 1000]].concat(), NOW);
    let (found, coverage) = all(Sources::files([path]), &options("UTC", NOW));
    assert_eq!((found.len(), &coverage.sources[0].damage), (100, &None));
}

#[test]
fn of_a_truncated_archive_everything_readable_is_delivered_and_reading_goes_on() {
    let text = lines(0, 20_000);
    for (name, pack) in PACKINGS {
        let folder = Folder::new();
        let packed = pack(text.as_bytes());
        let cut = folder.write("mail.log.1", &packed[..packed.len() / 2], NOW);
        let next = folder.write("mail.log", lines(30_000, 30_010), NOW);
        let (found, coverage) = all(Sources::files([cut, next]), &options("UTC", NOW));
        let damage = coverage.sources[0].damage.as_ref().unwrap_or_else(|| panic!("{name}: no damage reported"));
        let from_first: Vec<_> = found.iter().filter(|l| l.source == 0).collect();
        // zstd and bzip2 pack big blocks: half a block is nothing.
        assert!(
            from_first.len() > if name == "gz" || name == "xz" { 5_000 } else { 0 } || name == "bz2",
            "{name}: {}",
            from_first.len()
        );
        assert!(from_first.iter().rev().skip(1).all(|l| l.text.starts_with("line ")), "{name}");
        assert!(
            damage.source.ends_with("mail.log.1") && damage.offset <= text.len() as u64 && !damage.what.is_empty(),
            "{name}: {damage:?}"
        );
        assert_eq!(found.iter().filter(|l| l.source == 1).count(), 10, "{name}");
    }
}

#[test]
fn of_a_corrupt_archive_everything_before_the_damage_is_delivered() {
    let text = lines(0, 20_000);
    let mut packed = gzip(text.as_bytes());
    let middle = packed.len() / 2;
    packed[middle..middle + 64].fill(0xff);
    let folder = Folder::new();
    let path = folder.write("mail.log.1.gz", &packed, NOW);
    let (found, coverage) = all(Sources::files([path]), &options("UTC", NOW));
    let damage = coverage.sources[0].damage.clone().unwrap();
    // As far as a decoder that gets the undamaged half alone comes.
    let half = folder.write("half.gz", &packed[..middle], NOW);
    let (sound, _) = all(Sources::files([half]), &options("UTC", NOW));
    assert!(found.len() + 1 >= sound.len() && sound.len() > 5_000, "{} of {}", found.len(), sound.len());
    assert!(damage.offset >= 100_000, "{damage:?}");
}

#[test]
fn an_archive_that_says_nothing_at_all() {
    let folder = Folder::new();
    let path = folder.write("mail.log.1.gz", [0x1f, 0x8b, 8], NOW);
    let (found, coverage) = all(Sources::files([path]), &options("UTC", NOW));
    assert_eq!(found, []);
    assert!(coverage.sources[0].damage.is_some());
}

#[test]
fn packings_that_are_not_supported_are_named() {
    let folder = Folder::new();
    let path = folder.write("mail.log.1.zip", b"PK\x03\x04xxxxxxxx", NOW);
    let error = input::feed(Sources::files([path]), &options("UTC", NOW), |_| input::Worth::Keep, |_| ()).unwrap_err();
    assert!(
        matches!(&error, FeedError::Unreadable { problems } if matches!(&problems[0], Problem::Unsupported { .. })),
        "{error}"
    );
    assert!(error.to_string().ends_with("packed as zip, which is not supported: unpack it first"));
}

#[test]
fn a_small_archive_of_much_text_takes_little_memory() {
    // 200 MB without a newline, in 200 KB.
    let folder = Folder::new();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(lines(0, 1).as_bytes()).unwrap();
    let piece = vec![b'x'; 1 << 20];
    (0..200).for_each(|_| encoder.write_all(&piece).unwrap());
    encoder.write_all(b"\n").unwrap();
    encoder.write_all(lines(1, 2).as_bytes()).unwrap();
    let path = folder.write("bomb.gz", encoder.finish().unwrap(), NOW);
    let (found, coverage) = all(Sources::files([path]), &options("UTC", NOW));
    assert_eq!((found.len(), found[1].truncated, found[1].raw.len(), coverage.bad_time), (3, true, 64 << 10, 1));
    assert!(texts(&found)[2].starts_with("line 1 "));
}
