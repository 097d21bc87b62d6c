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
    for _ in 0..4 {
        paths.rotate_left(1);
        assert_eq!(lines(&paths), first);
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

/// Lines of one second, as rsyslog writes them by default.
fn in_second(second: u32, texts: &[&str]) -> String {
    texts.iter().map(|text| format!("Nov 22 10:00:{second:02} mail p[1]: {text}\n")).collect()
}

/// The texts in order, whatever the order in which the files are given.
fn in_any_order(paths: &[&std::path::PathBuf]) -> String {
    let told = |paths: &[&std::path::PathBuf]| texts(&all(Sources::files(paths), &options("UTC", NOW)).0).join(",");
    let expected = told(paths);
    let mut paths = paths.to_vec();
    for _ in 0..2 {
        for _ in 0..paths.len() {
            paths.rotate_left(1);
            assert_eq!(told(&paths), expected, "{paths:?}");
        }
        paths.reverse();
    }
    expected
}

#[test]
fn copies_of_a_second_follow_the_log_that_has_more() {
    let folder = Folder::new();
    let write = |name: &str, texts: [&[&str]; 3]| {
        folder.write(name, (1..).zip(texts).map(|(second, texts)| in_second(second, texts)).collect::<String>(), NOW)
    };
    let log = write("mail.log", [&["a", "warn", "b"], &["c", "warn", "d", "warn", "fatal", "e"], &["f"]]);
    let warn = write("mail.warn", [&["warn"], &["warn", "warn", "fatal"], &[]]);
    let err = write("mail.err", [&[], &["fatal"], &[]]);
    let expected = "a,warn,b,c,warn,d,warn,fatal,e,f";
    assert_eq!(in_any_order(&[&warn, &log]), expected);
    assert_eq!(in_any_order(&[&err, &warn, &log]), expected);
    let (found, _) = all(Sources::files([&err, &warn, &log]), &options("UTC", NOW));
    assert!(found.iter().all(|line| line.source == 2), "each line is told of where its neighbours stand: {found:?}");
    // It was rotated later than the log, and goes further back.
    let warn =
        folder.write("warn", format!("{}{}", stamped([0], "older"), in_second(2, &["warn", "warn", "fatal"])), NOW);
    assert_eq!(in_any_order(&[&err, &warn, &log]), format!("older0,{expected}"));
}

#[test]
fn halves_of_a_log_that_meet_within_a_second_follow_each_other() {
    let folder = Folder::new();
    let older = folder.write("b.log", in_second(1, &["a"]) + &in_second(2, &["b", "w", "c"]), NOW);
    let newer = folder.write("a.log", in_second(2, &["d", "x", "e"]) + &in_second(3, &["f"]), NOW);
    let warn = folder.write("mail.warn", in_second(2, &["w", "x"]), NOW);
    assert_eq!(in_any_order(&[&newer, &older]), "a,b,w,c,d,x,e,f");
    assert_eq!(in_any_order(&[&newer, &warn, &older]), "a,b,w,c,d,x,e,f");
    // All of the older one is of that second.
    let short = folder.write("c.log", in_second(2, &["b", "w", "c"]), NOW);
    assert_eq!(in_any_order(&[&newer, &warn, &short]), "b,w,c,d,x,e,f");
}

#[test]
fn a_second_that_fills_many_blocks_keeps_its_order() {
    let folder = Folder::new();
    let kind = |n: u32| if n.is_multiple_of(10) { "warning" } else { "info" };
    let log_of = |count: u32| {
        (0..count).map(|n| in_second(7, &[&format!("{} {n} {}", kind(n), "x".repeat(60))])).collect::<String>()
    };
    let only =
        |text: &str| text.lines().filter(|l| l.contains("warning")).map(|l| format!("{l}\n")).collect::<String>();
    // The second one does not fit into what can be looked at.
    for count in [6000, 30_000] {
        let whole = log_of(count);
        let log = folder.write("mail.log", in_second(6, &["start"]) + &whole + &in_second(8, &["end"]), NOW);
        let warn = folder.write("mail.warn", in_second(1, &["older"]) + &only(&whole), NOW);
        let number = |text: &str| text.split(' ').nth(1).and_then(|n| n.parse::<u32>().ok());
        assert!(in_any_order(&[&warn, &log]).split(',').filter_map(number).eq(0..count));
    }
}

#[test]
fn a_source_keeps_its_own_order() {
    let folder = Folder::new();
    let a = folder.write("a.log", stamped([10, 30, 20, 40], "a"), NOW);
    let b = folder.write("b.log", stamped([10, 25, 30, 45], "b"), NOW);
    let (found, _) = all(Sources::files([a, b]), &options("UTC", NOW));
    assert_eq!(texts(&found), ["a10", "b10", "b25", "a30", "a20", "b30", "a40", "b45"]);
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
