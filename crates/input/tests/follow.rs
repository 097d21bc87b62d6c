//! Following, case by case: what an operator would do by hand.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::string_slice, reason = "a test may panic")]

mod common;

use std::fs::{self, File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use common::Folder;
use input::{Begin, FollowConfig, Follower, Position, Watch};

const GENEROUS: Duration = Duration::from_secs(20);

fn config(watches: Vec<Watch>) -> FollowConfig {
    FollowConfig {
        timezone: jiff::tz::TimeZone::UTC,
        retire_after: Duration::from_millis(50),
        poll_every: Duration::from_millis(5),
        ..FollowConfig::new(watches)
    }
}

fn follow(path: &Path, resume: Vec<Position>) -> Follower {
    Follower::new(config(vec![Watch::Files(path.to_owned())]), resume)
}

/// Takes lines until there are `count`, and the position after them.
fn take(follower: &mut Follower, count: usize) -> (Vec<String>, Option<Position>) {
    let (mut lines, mut position) = (Vec::new(), None);
    let deadline = Instant::now() + GENEROUS;
    while lines.len() < count {
        let Some(batch) = follower.next(deadline) else { break };
        lines.extend(batch.lines().map(|line| String::from_utf8_lossy(line.line.raw).into_owned()));
        position = Some(batch.position().clone());
    }
    assert_eq!(lines.len(), count, "{lines:?}");
    (lines, position)
}

fn append(path: &Path, text: &str) {
    OpenOptions::new().append(true).create(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

/// No further line, though there was time for it to come.
fn nothing_more(follower: &mut Follower) {
    let more = follower.next(Instant::now() + Duration::from_millis(150));
    assert!(more.is_none(), "{more:?}");
}

#[test]
fn lines_have_places_times_and_records() {
    let folder = Folder::new();
    let log = folder.path("mail.log");
    append(&log, "Nov 22 09:06:30 mail postfix/smtpd[7]: a\n\nNov 22 09:06:31 mail last message repeated 2 times\nx\n");
    let mut follower = follow(&log, Vec::new());
    let batch = follower.next(Instant::now() + GENEROUS).unwrap();
    let lines: Vec<_> = batch.lines().collect();
    let places: Vec<_> = lines.iter().map(|l| (l.offset, l.line.line)).collect();
    assert_eq!(places, [(0, 1), (41, 2), (42, 3), (93, 4)]);
    assert_eq!(lines.iter().map(|l| l.line.time.is_some()).collect::<Vec<_>>(), [true, false, true, false]);
    assert!(lines[0].line.inferred.year);
    let repeated = lines[2].line.record.unwrap();
    assert_eq!((repeated.text, repeated.repeat), (&b"a"[..], 2));
    assert_eq!((batch.name(), batch.from()), (log.to_str().unwrap(), None));
    assert_eq!((batch.position().offset, batch.position().lines), (95, 4));
}

#[test]
fn a_restart_goes_on_in_the_packed_file_and_then_in_the_newer_ones() {
    let folder = Folder::new();
    let log = folder.path("mail.log");
    append(&log, "one\ntwo\n");
    let (_, position) = take(&mut follow(&log, Vec::new()), 2);
    append(&log, "three\n");
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(&fs::read(&log).unwrap()).unwrap();
    fs::write(folder.path("mail.log.2.gz"), packer.finish().unwrap()).unwrap();
    fs::rename(&log, folder.path("mail.log.1")).unwrap();
    fs::write(folder.path("mail.log.1"), "four\n").unwrap();
    fs::write(folder.path("mail.log.3"), "before our time\n").unwrap();
    append(&log, "five\n");
    let mut follower = follow(&log, position.into_iter().collect());
    assert_eq!(take(&mut follower, 3).0, ["three", "four", "five"]);
    nothing_more(&mut follower);
}

#[test]
fn a_restart_after_all_that_was_read_is_gone() {
    let folder = Folder::new();
    let log = folder.path("mail.log");
    append(&log, "one\n");
    let (_, position) = take(&mut follow(&log, Vec::new()), 1);
    fs::remove_file(&log).unwrap();
    append(&folder.path("mail.log.1"), "two\n");
    append(&log, "three\n");
    let mut follower = follow(&log, position.into_iter().collect());
    assert_eq!(take(&mut follower, 2).0, ["two", "three"]);
    nothing_more(&mut follower);
}

#[test]
fn an_archive_of_what_was_skipped_is_not_new() {
    let folder = Folder::new();
    let log = folder.path("mail.log");
    append(&folder.path("mail.log.1"), "old\n");
    append(&log, "new\n");
    let mut follower = follow(&log, Vec::new());
    assert_eq!(take(&mut follower, 1).0, ["new"]);
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(b"old\n").unwrap();
    fs::write(folder.path("mail.log.1.gz"), packer.finish().unwrap()).unwrap();
    fs::remove_file(folder.path("mail.log.1")).unwrap();
    nothing_more(&mut follower);
}

#[test]
fn where_to_begin() {
    let lines = |begin| {
        let folder = Folder::new();
        let log = folder.path("mail.log");
        append(&folder.path("mail.log.1"), "old\n");
        append(&log, "new\n");
        let mut follower = Follower::new(FollowConfig { begin, ..config(vec![Watch::Files(log.clone())]) }, Vec::new());
        // Known before the line is written: it has looked once.
        let mut seen = Vec::new();
        while let Some(batch) = follower.next(Instant::now() + Duration::from_millis(100)) {
            seen.extend(batch.lines().map(|line| String::from_utf8_lossy(line.line.raw).into_owned()));
        }
        append(&log, "newer\n");
        seen.extend(take(&mut follower, 1).0);
        seen
    };
    assert_eq!(lines(Begin::End), ["newer"]);
    assert_eq!(lines(Begin::Newest), ["new", "newer"]);
    assert_eq!(lines(Begin::Oldest), ["old", "new", "newer"]);
}

#[test]
fn postlogd_rotation_and_a_late_line() {
    let folder = Folder::new();
    let log = folder.path("maillog");
    append(&log, "one\n");
    let mut follower = follow(&log, Vec::new());
    assert_eq!(take(&mut follower, 1).0, ["one"]);
    let mut late = OpenOptions::new().append(true).open(&log).unwrap();
    let rotated = folder.path("maillog.20251122-061500");
    fs::rename(&log, &rotated).unwrap();
    append(&log, "three\n");
    late.write_all(b"two\n").unwrap();
    let mut lines = take(&mut follower, 2).0;
    lines.sort();
    assert_eq!(lines, ["three", "two"]);
    // Later than it was waited for: it is looked at again because it has grown.
    nothing_more(&mut follower);
    late.write_all(b"later\n").unwrap();
    assert_eq!(take(&mut follower, 1).0, ["later"]);
    nothing_more(&mut follower);
}

#[test]
fn an_unended_line_is_delivered_in_the_end() {
    let folder = Folder::new();
    let log = folder.path("mail.log");
    append(&log, "one\ntw");
    let patient = config(vec![Watch::Files(log.clone())]);
    let mut follower = Follower::new(patient.clone(), Vec::new());
    assert_eq!(take(&mut follower, 1).0, ["one"]);
    nothing_more(&mut follower);
    append(&log, "o\n");
    assert_eq!(take(&mut follower, 1).0, ["two"]);
    append(&log, "thr");
    let mut follower = Follower::new(FollowConfig { unended_after: Duration::from_millis(20), ..patient }, Vec::new());
    assert_eq!(take(&mut follower, 3).0, ["one", "two", "thr"]);
    append(&log, "ee\n");
    assert_eq!(take(&mut follower, 1).0, ["ee"]);
}

#[test]
fn nul_runs_and_huge_lines() {
    let folder = Folder::new();
    let log = folder.path("mail.log");
    // A writer that keeps its place while the file is truncated under it.
    let mut writer = File::create(&log).unwrap();
    writer.write_all(b"one\n").unwrap();
    let mut follower = follow(&log, Vec::new());
    assert_eq!(take(&mut follower, 1).0, ["one"]);
    writer.set_len(0).unwrap();
    writer.seek(SeekFrom::Start(3 << 30)).unwrap();
    writer.write_all(b"two\n").unwrap();
    writer.write_all(&vec![b'x'; 3 << 20]).unwrap();
    writer.write_all(b"\nthree\n").unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut seen = Vec::new();
    while seen.len() < 3 {
        let batch = follower.next(deadline).unwrap();
        seen.extend(batch.lines().map(|l| (l.offset, l.line.raw.len(), l.line.truncated, l.line.line)));
    }
    let start = 3 << 30;
    assert_eq!(seen, [(start, 3, false, 1), (start + 4, 64 << 10, true, 2), (start + 5 + (3 << 20), 5, false, 3)]);
}

#[test]
fn a_log_appears_later_and_its_folder_too() {
    let folder = Folder::new();
    let log = folder.path("later/mail.log");
    let mut follower = follow(&log, Vec::new());
    nothing_more(&mut follower);
    let status = follower.status();
    assert!(
        status.iter().any(|s| s.problem.as_deref().is_some_and(|p| p.ends_with("no such file or folder"))),
        "{status:?}"
    );
    fs::create_dir(folder.path("later")).unwrap();
    append(&log, "one\n");
    assert_eq!(take(&mut follower, 1).0, ["one"]);
    append(&log, "two\nthr");
    assert_eq!(take(&mut follower, 1).0, ["two"]);
    nothing_more(&mut follower);
    let status = follower.status();
    let [status] = &status[..] else { panic!("{status:?}") };
    assert_eq!((status.lag_bytes, status.problem.clone()), (Some(3), None));
    assert_eq!(status.position.as_ref().map(|p| (p.offset, p.lines)), Some((8, 2)));
}

#[test]
fn several_logs_and_a_pattern_for_more() {
    let folder = Folder::new();
    append(&folder.path("a.log"), "a\n");
    append(&folder.path("maillog-20251121"), "old\n");
    append(&folder.path("maillog-20251122"), "new\n");
    let watches = vec![Watch::Files(folder.path("*.log")), Watch::Files(folder.path("maillog-*"))];
    let mut follower = Follower::new(FollowConfig { begin: Begin::Oldest, ..config(watches) }, Vec::new());
    let mut lines = take(&mut follower, 3).0;
    lines.sort();
    assert_eq!(lines, ["a", "new", "old"]);
    append(&folder.path("b.log"), "b\n");
    append(&folder.path("maillog-20251123"), "newest\n");
    let mut lines = take(&mut follower, 2).0;
    lines.sort();
    assert_eq!(lines, ["b", "newest"]);
}

#[test]
fn a_damaged_archive_gives_what_can_be_read() {
    let folder = Folder::new();
    let log = folder.path("mail.log");
    let text: String = (0..2000).map(|at| format!("line {at} {}\n", at * 7919)).collect();
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(text.as_bytes()).unwrap();
    let packed = packer.finish().unwrap();
    fs::write(folder.path("mail.log.1.gz"), &packed[..packed.len() / 2]).unwrap();
    append(&log, "new\n");
    let begin = Begin::Oldest;
    let mut follower = Follower::new(
        FollowConfig { begin, unended_after: Duration::from_millis(50), ..config(vec![Watch::Files(log)]) },
        Vec::new(),
    );
    let mut seen: Vec<String> = Vec::new();
    let mut damage = None;
    let deadline = Instant::now() + GENEROUS;
    while (!seen.iter().any(|line| line == "new") || damage.is_none()) && Instant::now() < deadline {
        if let Some(batch) = follower.next(Instant::now() + Duration::from_millis(200)) {
            seen.extend(batch.lines().map(|line| String::from_utf8_lossy(line.line.raw).into_owned()));
        }
        damage = damage.or_else(|| follower.status().into_iter().find_map(|s| s.problem));
        assert!(seen.len() < 2002);
    }
    // The last piece is waited for, as its end may still be written.
    seen.retain(|line| line != "new");
    assert!(seen.len() > 500 && text.starts_with(&seen.join("\n")), "{}", seen.len());
    assert!(damage.unwrap().contains("damaged after byte"));
}

#[test]
fn a_stream_is_a_source_and_ends() {
    let mut follower = Follower::new(config(vec![]), Vec::new());
    follower.stream("-", &b"mail-1  | Nov 22 09:06:30 mail postfix/smtpd[7]: a\nb\nno end"[..]);
    assert_eq!(take(&mut follower, 3).0[1..], ["b", "no end"]);
    let deadline = Instant::now() + GENEROUS;
    while !follower.is_over() && Instant::now() < deadline {
        assert!(follower.next(Instant::now() + Duration::from_millis(10)).is_none());
    }
    assert!(follower.is_over());
}

/// Without looking by itself: the system tells.
#[test]
fn a_change_wakes_the_follower() {
    let folder = Folder::new();
    let log = folder.path("mail.log");
    append(&log, "one\n");
    let config = FollowConfig { poll_every: Duration::from_secs(600), ..config(vec![Watch::Files(log.clone())]) };
    let mut follower = Follower::new(config, Vec::new());
    assert_eq!(take(&mut follower, 1).0, ["one"]);
    if let Some(why) = follower.only_polling() {
        eprintln!("no inotify: {why}: not tried");
        return;
    }
    let writer = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(100));
        append(&log, "two\n");
    });
    assert_eq!(take(&mut follower, 1).0, ["two"]);
    writer.join().unwrap();
}

#[test]
fn it_stops_when_asked() {
    let folder = Folder::new();
    let log = folder.path("mail.log");
    append(&log, "one\n");
    let mut follower = follow(&log, Vec::new());
    take(&mut follower, 1);
    let stopper = follower.stopper();
    let waiting = std::thread::spawn(move || follower.next(Instant::now() + Duration::from_secs(600)).is_none());
    stopper.stop();
    assert!(waiting.join().unwrap() && stopper.is_stopped());
}

#[test]
fn files_are_not_touched() {
    use std::os::unix::fs::MetadataExt;
    let folder = Folder::new();
    let log = folder.path("mail.log");
    append(&log, "one\n");
    let state = |path: &Path| fs::metadata(path).map(|m| (m.len(), m.mode(), m.mtime(), m.mtime_nsec())).unwrap();
    let before = state(&log);
    take(&mut follow(&log, Vec::new()), 1);
    assert_eq!(state(&log), before);
}

/// A daemon that opens its log anew every now and then, and a rotation that packs at once what nobody writes to any more: each line comes
/// once, in the order of its file.
#[test]
fn rotation_under_load() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    const REOPENS: usize = 150;
    const LINES: usize = 100;
    let folder = Folder::new();
    let log = folder.path("mail.log");
    append(&log, "begin\n");
    let mut follower = follow(&log, Vec::new());
    take(&mut follower, 1);
    let opened = Arc::new(AtomicUsize::new(0));
    let (writer_log, writer_opened) = (log.clone(), Arc::clone(&opened));
    let writer = std::thread::spawn(move || {
        for reopen in 0..REOPENS {
            let mut file = OpenOptions::new().append(true).create(true).open(&writer_log).unwrap();
            writer_opened.store(reopen + 1, SeqCst);
            for line in 0..LINES {
                // In two pieces: there is an unended line at any moment.
                write!(file, "{reopen} ").unwrap();
                writeln!(file, "{line}").unwrap();
            }
        }
        writer_opened.store(usize::MAX, SeqCst);
    });
    let rotated_log = log.clone();
    let rotation = std::thread::spawn(move || {
        let name = |number: usize, end: &str| PathBuf::from(format!("{}.{number}{end}", rotated_log.display()));
        let mut packed = 0;
        while opened.load(SeqCst) != usize::MAX {
            for number in (1..=packed).rev() {
                fs::rename(name(number + 1, ".gz"), name(number + 2, ".gz")).unwrap();
            }
            if fs::rename(&rotated_log, name(1, "")).is_err() {
                continue;
            }
            // Until the daemon has let go of it.
            let at = opened.load(SeqCst);
            while opened.load(SeqCst) < at.saturating_add(2) && opened.load(SeqCst) != usize::MAX {
                std::thread::sleep(Duration::from_millis(1));
            }
            let mut packer =
                flate2::write::GzEncoder::new(File::create(name(2, ".gz")).unwrap(), flate2::Compression::fast());
            packer.write_all(&fs::read(name(1, "")).unwrap()).unwrap();
            packer.finish().unwrap();
            fs::remove_file(name(1, "")).unwrap();
            packed += 1;
        }
        packed
    });
    let mut seen = vec![0; REOPENS];
    let deadline = Instant::now() + Duration::from_secs(120);
    while seen.iter().sum::<usize>() < REOPENS * LINES && Instant::now() < deadline {
        let Some(batch) = follower.next(Instant::now() + Duration::from_millis(100)) else { continue };
        for line in batch.lines() {
            let text = String::from_utf8_lossy(line.line.raw).into_owned();
            let (reopen, number) = text.split_once(' ').unwrap();
            let next = &mut seen[reopen.parse::<usize>().unwrap()];
            assert_eq!(number.parse::<usize>().unwrap(), *next, "{text}");
            *next += 1;
        }
    }
    writer.join().unwrap();
    assert!(rotation.join().unwrap() > 3);
    assert_eq!(seen, vec![LINES; REOPENS]);
    nothing_more(&mut follower);
}

/// Root may read everything, so as root the test runs itself as nobody.
#[test]
fn permission_lost_and_regained() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let log = folder.path("mail.log");
    append(&log, "one\n");
    let permit = |mode| fs::set_permissions(&log, fs::Permissions::from_mode(mode)).unwrap();
    permit(0o200);
    if File::open(&log).is_ok() {
        let mut again = std::process::Command::new("setpriv");
        again.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(std::env::current_exe().unwrap());
        match again.args(["--exact", "permission_lost_and_regained"]).output() {
            Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout)),
            Err(error) => eprintln!("setpriv: {error}: not tried"),
        }
        return;
    }
    let mut follower = follow(&log, Vec::new());
    nothing_more(&mut follower);
    let problem = |follower: &Follower| follower.status().into_iter().find_map(|status| status.problem);
    assert!(problem(&follower).unwrap().contains("permission denied (owner "), "{:?}", follower.status());
    permit(0o600);
    assert_eq!(take(&mut follower, 1).0, ["one"]);
    // What is open stays readable; what takes its place is not.
    permit(0o200);
    append(&log, "two\n");
    assert_eq!(take(&mut follower, 1).0, ["two"]);
    fs::rename(&log, folder.path("mail.log.1")).unwrap();
    append(&log, "three\n");
    permit(0o200);
    nothing_more(&mut follower);
    assert!(problem(&follower).is_some());
    permit(0o600);
    assert_eq!(take(&mut follower, 1).0, ["three"]);
    nothing_more(&mut follower);
    assert_eq!(problem(&follower), None);
}
