//! Lines that strangers wrote and files that something went wrong with.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::string_slice, reason = "a test may panic")]

mod common;

use std::io::Read;

use common::{Folder, all, log, options, read, texts, times};
use input::{Sources, Worth};

const NOW: &str = "2025-12-01T00:00:00Z";

fn from_bytes(text: &[u8]) -> (Vec<common::Seen>, input::Coverage) {
    let folder = Folder::new();
    let path = folder.write("mail.log", text, NOW);
    let file = all(Sources::files([path]), &options("UTC", NOW));
    let (stream, _) = all(Sources::stream("-", std::io::Cursor::new(text.to_vec())), &options("UTC", NOW));
    assert_eq!(file.0, stream, "a stream gives the same");
    file
}

#[test]
fn carriage_returns_nul_runs_and_a_last_line_without_newline() {
    let (found, coverage) = from_bytes(b"Nov 22 10:00:00 mail p[1]: a\r\n\0\0\0\0Nov 22 10:00:01 mail p[1]: b\n\0\0\0\0\n\n  \nNov 22 10:00:02 mail p[1]: c\xff\xfe");
    assert_eq!(texts(&found), ["a", "b", "", "", "", "c\u{fffd}\u{fffd}"]);
    assert_eq!((coverage.lines, coverage.understood, coverage.unknown, coverage.bad_time), (6, 3, 3, 0));
    assert_eq!(found.iter().map(|l| l.line).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
    assert_eq!(found[5].raw, b"Nov 22 10:00:02 mail p[1]: c\xff\xfe");
}

#[test]
fn lines_without_a_time_are_unknown() {
    let (found, coverage) = from_bytes(b"garbage\nNov 22 10:00:00 mail p[1]: a\nXyz 99 10:00:00 mail p[1]: b\n");
    assert_eq!(times(&found), ["-", "2025-11-22T10:00:00Z", "-"]);
    assert_eq!((coverage.understood, coverage.unknown, coverage.bad_time), (1, 2, 2));
}

#[test]
fn long_lines_are_cut() {
    for length in [65_000, 65_535 - 27, 65_536 - 27, 65_537 - 27, 1 << 20, 3 << 20] {
        let long = format!("Nov 22 10:00:00 mail p[1]: {}\n", "y".repeat(length));
        let text = [log(&[("Nov 22 09:59:59", "before")]), long, log(&[("Nov 22 10:00:01", "after")])].concat();
        let (found, coverage) = from_bytes(text.as_bytes());
        assert_eq!(
            (found.len(), found[1].truncated, found[1].raw.len()),
            (3, length + 27 > 65_536, (length + 27).min(65_536)),
            "{length}"
        );
        assert_eq!((texts(&found)[2], coverage.lines, found[2].line), ("after", 3, 3), "{length}");
    }
}

#[test]
fn a_long_line_without_end() {
    let text = [b"Nov 22 10:00:00 mail p[1]: ".to_vec(), vec![b'z'; 5 << 20]].concat();
    let (found, _) = from_bytes(&text);
    assert_eq!((found.len(), found[0].truncated), (1, true));
}

#[test]
fn nasty_shapes() {
    let shapes = [
        ": a".repeat(400_000),
        "[".repeat(1 << 20),
        "{\"a\":".repeat(100_000),
        "<22>".repeat(1000),
        "\u{1b}[".repeat(30_000),
        "a | ".repeat(30_000),
        "last message repeated 3 times".to_owned(),
    ];
    let text: String = shapes
        .iter()
        .flat_map(|s| [format!("Nov 22 10:00:00 mail p[1]: {s}\n"), format!("Nov 22 10:00:00 {s}\n"), format!("{s}\n")])
        .collect();
    let (found, _) = from_bytes(text.as_bytes());
    assert_eq!(found.len(), 3 * shapes.len());
}

#[test]
fn many_repetition_notices_of_hosts_never_seen() {
    let text: String =
        (0..50_000).map(|n| format!("Nov 22 10:00:00 host{n} last message repeated 2 times\n")).collect();
    let (found, _) = from_bytes(text.as_bytes());
    assert_eq!((found.len(), found[7].repeat), (50_000, Some(1)));
}

#[test]
fn last_message_repeated_is_the_line_before_of_that_host() {
    let text = "Nov 22 10:00:00 mail p[1]: a\nNov 22 10:00:00 other p[1]: b\nNov 22 10:00:30 mail last message repeated 3 times\nNov 22 10:01:00 mail last message repeated 2 times\n";
    let (found, coverage) = from_bytes(text.as_bytes());
    assert_eq!(texts(&found), ["a", "b", "a", "a"]);
    assert_eq!(found.iter().map(|l| l.repeat.unwrap()).collect::<Vec<_>>(), [1, 1, 3, 2]);
    assert_eq!((times(&found)[2], coverage.understood), ("2025-11-22T10:00:30Z", 4));
    assert_eq!(found[2].raw, b"Nov 22 10:00:30 mail last message repeated 3 times");
}

/// The line meant may stand in another block, which may hold only lines nobody wants.
#[test]
fn last_message_repeated_across_blocks() {
    let folder = Folder::new();
    let notice = "Nov 22 10:00:30 mail last message repeated 3 times\n";
    for (name, filler) in [("keep", "a"), ("skip", "b")] {
        // Each second line refers to the one before it: some of them across the edge of a block.
        let text: String = (0..30_000)
            .map(|n| format!("Nov 22 10:00:00 mail p[1]: {filler} {}\n{notice}", "x".repeat(n % 97)))
            .collect();
        let path = folder.write(&format!("{name}.log"), text, NOW);
        let worth = |r: &maillog::Record<'_>| if r.text.starts_with(b"b") { Worth::Skip } else { Worth::Keep };
        let (found, coverage) = read(Sources::files([path]), &options("UTC", NOW), worth);
        assert_eq!((coverage.lines, coverage.understood), (60_000, 60_000));
        assert_eq!(found.len(), if name == "keep" { 60_000 } else { 0 });
        assert!(found.iter().skip(1).step_by(2).all(|l| l.repeat == Some(3) && l.text.starts_with('a')));
    }
}

#[test]
fn wrapped_lines() {
    let text = concat!(
        "{\"log\":\"Nov 22 10:00:00 mail p[1]: a\\n\",\"stream\":\"stdout\",\"time\":\"2025-11-22T10:00:00.5Z\"}\n",
        "mail-1  | Nov 22 10:00:01 mail p[1]: b\n",
        "{\"__REALTIME_TIMESTAMP\":\"1763805602000000\",\"_HOSTNAME\":\"mail\",\"SYSLOG_IDENTIFIER\":\"p\",\"SYSLOG_PID\":\"1\",\"MESSAGE\":\"c\"}\n",
        "Nov 22 10:00:03 auth: Info: d\n",
        "mail-1  | Nov 22 10:00:04 auth: Info: e\n",
        "{broken\n",
    );
    let (found, coverage) = from_bytes(text.as_bytes());
    assert_eq!(texts(&found), ["a", "b", "c", "auth: Info: d", "auth: Info: e", ""]);
    assert_eq!(
        (times(&found)[0], times(&found)[2], coverage.bad_time),
        ("2025-11-22T10:00:00.5Z", "2025-11-22T10:00:02Z", 1)
    );
    assert!(found[1].raw.starts_with(b"mail-1  | "));
    let mut tags = Vec::new();
    input::feed(
        Sources::stream("-", text.as_bytes()),
        &options("UTC", NOW),
        |_| Worth::Keep,
        |line| tags.extend(line.record.map(|r| r.tag.0.to_vec())),
    )
    .unwrap();
    assert_eq!(tags, [&b"p"[..], b"p", b"p", b"dovecot", b"dovecot"]);
}

#[test]
fn the_journals_export_format() {
    let entry = |n: u64| {
        format!(
            "__CURSOR=s={n}\n__REALTIME_TIMESTAMP={}\n_HOSTNAME=mail\nSYSLOG_IDENTIFIER=p\n_PID=1\nMESSAGE=line {n}\n\n",
            1_763_805_602_000_000 + n * 1_000_000
        )
    };
    let text: String = (0..5_000).map(entry).collect();
    let (found, coverage) = from_bytes(text.as_bytes());
    assert_eq!(
        (found.len(), texts(&found)[4_999], times(&found)[0], coverage.unknown),
        (5_000, "line 4999", "2025-11-22T10:00:02Z", 0)
    );
}

#[test]
fn the_journal_is_asked_where_there_is_no_file() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let tool = |script: &str| {
        let root = tempfile::tempdir_in(folder.0.path()).unwrap();
        let path = root.path().join("usr/bin/journalctl");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, script).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        root
    };
    let entry = "__REALTIME_TIMESTAMP=1763805602000000\\n_HOSTNAME=mail\\nSYSLOG_IDENTIFIER=p\\nMESSAGE=a\\n\\n";
    let good = tool(&format!("#!/bin/sh\nprintf '{entry}'\n"));
    let (found, coverage) = all(input::discover::<&str>(&[], good.path()), &options("UTC", NOW));
    assert_eq!((texts(&found), coverage.sources[0].damage.is_none()), (vec!["a"], true));
    assert!(coverage.choice.unwrap().starts_with("the journal"));
    let bad = tool(&format!("#!/bin/sh\nprintf '{entry}'\nexit 1\n"));
    let (found, coverage) = all(input::discover::<&str>(&[], bad.path()), &options("UTC", NOW));
    assert_eq!(texts(&found), ["a"]);
    assert!(coverage.sources[0].damage.as_ref().unwrap().what.contains("join group systemd-journal"));
}

/// A stream whose pieces are made one by one, when they are asked for.
struct Pieces<F>(Vec<u8>, F);

impl<F: FnMut() -> std::io::Result<Vec<u8>>> Read for Pieces<F> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        if self.0.is_empty() {
            self.0 = (self.1)()?;
        }
        let count = self.0.len().min(out.len());
        out[..count].copy_from_slice(&self.0[..count]);
        self.0.drain(..count);
        Ok(count)
    }
}

/// A stream that gives a line only after the line before has come out at the other end.
#[test]
fn a_stream_is_not_held_up() {
    let line = |n: usize| format!("2025-11-22T10:00:{n:02}Z mail p[1]: {n}\n").into_bytes();
    let (send, receive) = std::sync::mpsc::channel();
    send.send(line(0)).unwrap();
    let (mut send, mut count) = (Some(send), 0);
    let dialogue =
        Pieces(Vec::new(), move || Ok(receive.recv_timeout(std::time::Duration::from_secs(20)).unwrap_or_default()));
    let coverage = input::feed(
        Sources::stream("-", dialogue),
        &options("UTC", NOW),
        |_| Worth::Keep,
        |_| {
            count += 1;
            if count < 10 {
                send.as_ref().unwrap().send(line(count)).unwrap();
            } else {
                send = None;
            }
        },
    );
    assert_eq!(coverage.unwrap().lines, 10);
}

#[test]
fn a_reader_that_fails_in_the_middle() {
    let mut calls = 0;
    let failing = Pieces(Vec::new(), move || {
        calls += 1;
        match calls {
            1 => Err(std::io::ErrorKind::Interrupted.into()),
            2 | 3 => Ok(b"2025-11-22T10:00:00Z mail p[1]: a\n".to_vec()),
            _ => Err(std::io::Error::other("the disk is gone")),
        }
    });
    let (found, coverage) = all(Sources::stream("-", failing), &options("UTC", NOW));
    let damage = coverage.sources[0].damage.clone().unwrap();
    assert_eq!((found.len(), damage.what.as_str(), damage.offset), (2, "the disk is gone", 68));
}

/// The first time may stand far behind the start.
#[test]
fn a_year_for_stamps_behind_a_long_preface() {
    let preface = "no time here\n".repeat(200_000);
    let (found, coverage) = from_bytes(format!("{preface}Nov 22 10:00:00 mail p[1]: a\n").as_bytes());
    assert_eq!((times(&found)[200_000], coverage.sources[0].inferred_year), ("2025-11-22T10:00:00Z", Some(2025)));
}

#[test]
#[should_panic(expected = "panicked")]
fn a_callback_that_panics_does_not_hang_the_feed() {
    let text = log(&[("Nov 22 10:00:00", "a")]).repeat(200_000);
    let folder = Folder::new();
    let path = folder.write("mail.log", text, NOW);
    let main = std::thread::current().id();
    let worth = |_: &maillog::Record<'_>| {
        if std::thread::current().id() == main { Worth::Skip } else { panic!("the callback") }
    };
    let options = input::Options { threads: 3, ..options("UTC", NOW) };
    // Whether a worker gets a block at all is for the scheduler to say.
    drop(input::feed(Sources::files([path]), &options, worth, |_| ()));
    panic!("no worker panicked");
}

/// Whoever stops early does not wait for a silent stream.
#[test]
fn stopping_does_not_wait_for_a_silent_stream() {
    let (_send, receive) = std::sync::mpsc::channel::<Vec<u8>>();
    let mut first = Some(b"2025-11-22T10:00:00Z mail p[1]: a\n".to_vec());
    let silent = Pieces(Vec::new(), move || Ok(first.take().unwrap_or_else(|| receive.recv().unwrap_or_default())));
    let coverage = input::feed(
        Sources::stream("-", silent),
        &options("UTC", NOW),
        |_| Worth::Keep,
        |_| std::ops::ControlFlow::Break(()),
    );
    assert!(coverage.unwrap().stopped);
}
