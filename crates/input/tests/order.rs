//! Several sources: order, copies, logs that hold the same lines, sources that cannot be read.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::string_slice, reason = "a test may panic")]

mod common;

use std::io::Write;
use std::os::unix::fs::MetadataExt;

use common::{Folder, all, options, read, texts};
use input::{Sources, Worth};

const NOW: &str = "2025-12-01T00:00:00Z";

fn stamped(seconds: impl IntoIterator<Item = u32>, text: &str) -> String {
    seconds
        .into_iter()
        .map(|s| format!("2025-11-22T{:02}:{:02}:{:02}Z mail p[1]: {text}{s}\n", s / 3600, s / 60 % 60, s % 60))
        .collect()
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn any_order_of_files_gives_the_same_lines() {
    let folder = Folder::new();
    let mut paths = vec![
        folder.write("mail.log", stamped(2000..3000, "a"), NOW),
        folder.write("mail.log.1", stamped(1000..2000, "b"), NOW),
        folder.write("mail.log.2.gz", gzip(&stamped(0..1000, "c")), NOW),
        folder.write("dovecot.log", stamped((500..2500).step_by(7), "d"), NOW),
    ];
    let lines = |paths: &[std::path::PathBuf]| {
        all(Sources::files(paths), &options("UTC", NOW)).0.into_iter().map(|l| (l.micros, l.text)).collect::<Vec<_>>()
    };
    let first = lines(&paths);
    assert_eq!(first.len(), 3000 + 286);
    assert!(first.is_sorted_by_key(|(time, _)| *time));
    let sorted = |mut lines: Vec<(Option<i64>, String)>| {
        lines.sort();
        lines
    };
    for _ in 0..4 {
        paths.rotate_left(1);
        assert_eq!(sorted(lines(&paths)), sorted(first.clone()));
    }
}

#[test]
fn the_same_content_counts_once() {
    let folder = Folder::new();
    let text = stamped(0..3000, "line ");
    let plain = folder.write("mail.log.1", &text, NOW);
    let packed = folder.write("mail.log.1.gz", gzip(&text), NOW);
    let prefix = folder.write("copied-while-it-grew", &text[..text.len() / 2 + 7], NOW);
    let tiny = folder.write("tiny", &text[..200], NOW);
    let link = folder.path("link");
    std::os::unix::fs::symlink(&plain, &link).unwrap();
    for paths in [
        vec![&plain, &packed],
        vec![&packed, &plain],
        vec![&plain, &plain],
        vec![&tiny, &prefix, &plain],
        vec![&plain, &prefix, &link, &packed, &tiny],
    ] {
        let (found, coverage) = all(Sources::files(&paths), &options("UTC", NOW));
        assert_eq!((found.len(), coverage.lines, coverage.duplicates), (3000, 3000, 0), "{paths:?}");
        assert_eq!(coverage.sources.iter().filter(|s| s.copy_of.is_none()).count(), 1, "{paths:?}");
    }
}

#[test]
fn what_merely_starts_alike_is_no_copy() {
    let folder = Folder::new();
    let start = stamped(0..200, "same ");
    assert!(start.len() > 4096);
    let paths = [
        folder.write("a.log", format!("{start}{}", stamped(200..300, "a")), NOW),
        folder.write("b.log", format!("{start}{}", stamped(200..300, "b")), NOW),
    ];
    let (found, coverage) = all(Sources::files(paths), &options("UTC", NOW));
    assert_eq!((found.len(), coverage.lines, coverage.duplicates), (400, 400, 200));
    assert!(coverage.sources.iter().all(|s| s.copy_of.is_none()));
}

#[test]
fn files_split_by_priority_count_each_line_once() {
    let folder = Folder::new();
    let line = |s: u32| stamped([s], if s.is_multiple_of(5) { "warning: " } else { "info " });
    // The same line twice in one second is two lines.
    let whole: String = (0..1000).map(|s| if s == 500 { line(s).repeat(3) } else { line(s) }).collect();
    let only = |word: &str| whole.lines().filter(|l| l.contains(word)).map(|l| format!("{l}\n")).collect::<String>();
    let log = folder.write("mail.log", &whole, NOW);
    let info = folder.write("mail.info", &whole, NOW);
    let warn = folder.write("mail.warn", only("warning"), NOW);
    for paths in [vec![&log, &warn], vec![&warn, &log], vec![&warn, &info, &log]] {
        let (found, coverage) = all(Sources::files(&paths), &options("UTC", NOW));
        assert_eq!((coverage.lines, coverage.duplicates), (1002, 202), "{paths:?}");
        assert_eq!(found.len(), 1002);
        assert!(found.is_sorted_by_key(|l| l.micros));
        assert_eq!(coverage.sources.iter().map(|s| s.lines - s.duplicates).sum::<u64>(), 1002);
    }
}

#[test]
fn a_source_keeps_its_own_order() {
    let folder = Folder::new();
    let a = folder.write("a.log", stamped([10, 30, 20, 40], "a"), NOW);
    let b = folder.write("b.log", stamped([10, 25, 30, 35], "b"), NOW);
    let (found, _) = all(Sources::files([a, b]), &options("UTC", NOW));
    assert_eq!(texts(&found), ["a10", "b10", "b25", "a30", "a20", "b30", "b35", "a40"]);
}

#[test]
fn skipped_lines_are_counted_in_merged_sources_too() {
    let folder = Folder::new();
    let a = folder.write("a.log", stamped(0..100, "a"), NOW);
    let b = folder.write("b.log", stamped(50..150, "b"), NOW);
    let worth = |r: &maillog::Record<'_>| match r.text {
        [b'a', ..] => Worth::Skip,
        [.., b'7'] => Worth::Unknown,
        _ => Worth::Keep,
    };
    let (found, coverage) = read(Sources::files([&a, &b]), &options("UTC", NOW), worth);
    assert_eq!((found.len(), coverage.lines, coverage.understood, coverage.unknown), (100, 200, 190, 10));
    let everything = input::Options { keep_all: true, ..options("UTC", NOW) };
    assert_eq!(read(Sources::files([&a, &b]), &everything, worth).0.len(), 200);
    assert_eq!(read(Sources::files([&a]), &everything, worth).0.len(), 100);
    assert_eq!(read(Sources::files([&a]), &options("UTC", NOW), worth).0.len(), 0);
}

#[test]
fn one_unreadable_source_does_not_hide_the_others() {
    let folder = Folder::new();
    let good = folder.write("mail.log", stamped(0..10, "a"), NOW);
    let (found, coverage) = all(Sources::files([folder.path("gone.log"), good]), &options("UTC", NOW));
    assert_eq!((found.len(), found[0].source, coverage.problems.len(), coverage.sources.len()), (10, 1, 1, 2));
    assert!(coverage.problems[0].to_string().ends_with("gone.log: no such file or folder"));
    let error = |sources| input::feed(sources, &options("UTC", NOW), |_| Worth::Keep, |_| ()).unwrap_err().to_string();
    assert!(error(Sources::files([folder.path("gone.log")])).ends_with("gone.log: no such file or folder"));
    assert_eq!(error(Sources::default()), "nothing to read");
}

#[test]
fn an_empty_file_is_an_answer() {
    let folder = Folder::new();
    let (found, coverage) = all(Sources::files([folder.write("mail.log", "", NOW)]), &options("UTC", NOW));
    assert_eq!((found.len(), coverage.lines, coverage.from, coverage.problems.len()), (0, 0, None, 0));
}

#[test]
fn logs_are_left_as_they_are() {
    let folder = Folder::new();
    let paths = [
        folder.write("mail.log", stamped(0..10, "a"), NOW),
        folder.write("mail.log.1.gz", gzip(&stamped(0..5, "b")), NOW),
        folder.write("dovecot.log", stamped(0..5, "c"), NOW),
    ];
    let state = || {
        paths
            .iter()
            .map(|p| std::fs::metadata(p).unwrap())
            .map(|m| (m.size(), m.mode(), m.mtime(), m.mtime_nsec(), m.ino()))
            .collect::<Vec<_>>()
    };
    let before = state();
    all(Sources::files(&paths), &options("UTC", NOW));
    assert_eq!(state(), before);
}

#[test]
fn a_silence_is_a_gap_of_its_log() {
    let folder = Folder::new();
    let paths = [
        folder.write("mail.log.1", stamped((0..20_000).step_by(10), "a"), NOW),
        folder.write("mail.log", stamped((60_000..80_000).step_by(10), "b"), NOW),
    ];
    let (_, coverage) = all(Sources::files(&paths), &options("UTC", NOW));
    assert_eq!(coverage.gaps.len(), 1);
    let gap = &coverage.gaps[0];
    assert_eq!((gap.to - gap.from, gap.lost), (40_010_000_000, None));
    assert!(gap.source.ends_with("mail.log"));
}

#[test]
fn the_sink_can_stop() {
    let folder = Folder::new();
    let paths =
        [folder.write("a.log", stamped(0..50_000, "a"), NOW), folder.write("b.log", stamped(40_000..80_000, "b"), NOW)];
    for paths in [&paths[..1], &paths[..]] {
        let mut count = 0;
        let coverage = input::feed(
            Sources::files(paths),
            &options("UTC", NOW),
            |_| Worth::Keep,
            |_| {
                count += 1;
                if count == 3 { std::ops::ControlFlow::Break(()) } else { std::ops::ControlFlow::Continue(()) }
            },
        );
        assert_eq!((count, coverage.unwrap().stopped), (3, true));
    }
}

#[test]
fn progress_reaches_the_total() {
    let folder = Folder::new();
    let path = folder.write("mail.log", stamped(0..50_000, "a"), NOW);
    let size = std::fs::metadata(&path).unwrap().len();
    let mut last = None;
    input::feed_with_progress(
        Sources::files([path]),
        &options("UTC", NOW),
        |_| Worth::Skip,
        |_| (),
        |progress| last = Some(progress),
    )
    .unwrap();
    assert_eq!(last, Some(input::Progress { read: size, total: Some(size) }));
}
