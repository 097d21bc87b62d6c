//! The store beside its files: the same answers, each line once, whatever happens while they go in.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use common::{code, errors, program, run, text};
use serde_json::Value;
use tempfile::TempDir;

/// A generated log in a folder, whole and as three files of a rotation.
struct Logs {
    folder: TempDir,
}

impl Logs {
    fn new() -> Self {
        Self::of(400_000, 4)
    }

    fn of(bytes: u64, days: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = loggen::Settings { bytes, days, ..loggen::Settings::default() };
        let whole = folder.path().join("whole.log");
        loggen::write_files(&settings, &whole, &folder.path().join("truth.json")).unwrap();
        let bytes = fs::read(&whole).unwrap();
        let ends: Vec<usize> = bytes.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(at, _)| at + 1).collect();
        let (first, second) = (ends[ends.len() / 3], ends[2 * ends.len() / 3]);
        for (name, part) in [("mail.log.2", 0..first), ("mail.log.1", first..second), ("mail.log", second..bytes.len())]
        {
            fs::write(folder.path().join(name), &bytes[part]).unwrap();
        }
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn state(&self) -> PathBuf {
        self.path("state")
    }
}

fn args(words: &[&str], more: &[&Path]) -> Vec<PathBuf> {
    words.iter().map(PathBuf::from).chain(more.iter().map(|path| path.to_path_buf())).collect()
}

fn ingest(state: &Path, files: &[&Path]) -> Value {
    let mut all = args(&["ingest", "--json", "--quiet", "--timezone", "UTC", "--year", "2026", "--state"], &[state]);
    all.extend(files.iter().map(|file| file.to_path_buf()));
    let output = run(&all);
    assert_eq!(code(&output), 0, "{}", errors(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn entries(state: &Path) -> String {
    let output = run(args(&["entries", "--quiet", "--state"], &[state]));
    assert_eq!(code(&output), 0, "{}", errors(&output));
    text(&output)
}

/// Every command says the same from files and from the store.
fn same_answers(state: &Path, files: &[&Path], client: &str) {
    let questions: [&[&str]; 18] = [
        &["triage", "--json", "--top", "0"],
        &["report", "--json"],
        &["trace", "--json", "--from", "info@example.test"],
        &["client", client, "--json"],
        &["account", "info", "--json"],
        &["entries"],
        &["entries", "--format", "csv", "-q", "class:auth_failed OR user:*a*"],
        &["entries", "--format", "raw"],
        &["count", "--json"],
        &["count", "--json", "-q", "authentication -user:*@example.test"],
        &["top", "client", "--json", "--top", "0", "--distinct", "user"],
        &["top", "reason", "--json"],
        &["top", "code", "--json", "-q", "class:(relay_denied OR other_reject)"],
        &["histogram", "--json"],
        &["histogram", "--json", "--by", "cause", "--width", "1h", "-q", "cause:*"],
        &["search", "failed", "--json"],
        &["search", "authent* -code:5xx", "-C", "2", "--sort", "oldest"],
        &["search", "size:>100000 delay:>2 OR status:bounced", "--json"],
    ];
    for question in questions {
        let common = ["--quiet", "--timezone", "UTC"];
        let words: Vec<&str> = question.iter().copied().chain(common).collect();
        let mut from_files = args(&words, files);
        from_files.extend(args(&["--year", "2026"], &[]));
        let (from_files, from_store) = (run(&from_files), run(args(&words, &[Path::new("--state"), state])));
        assert_eq!(code(&from_files), code(&from_store), "{question:?}: {}", errors(&from_store));
        assert_eq!(text(&from_files), text(&from_store), "{question:?}");
    }
}

fn some_client(file: &Path) -> String {
    let output = run(args(&["top", "client", "--json", "-q", "class:auth_failed", "--timezone", "UTC"], &[file]));
    let top: Value = serde_json::from_slice(&output.stdout).unwrap();
    top["values"][0]["value"].as_str().unwrap().to_owned()
}

#[test]
fn the_store_answers_as_its_files_do() {
    let logs = Logs::new();
    let whole = logs.path("whole.log");
    let client = some_client(&whole);
    assert!(ingest(&logs.state(), &[&whole])["new"].as_u64().unwrap() > 1_000);
    same_answers(&logs.state(), &[&whole], &client);
}

#[test]
fn rotated_renamed_and_packed_files_go_in_once() {
    let logs = Logs::new();
    let files: Vec<PathBuf> = ["mail.log", "mail.log.1", "mail.log.2"].iter().map(|name| logs.path(name)).collect();
    let files: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
    let client = some_client(files[0]);
    let new = ingest(&logs.state(), &files)["new"].as_u64().unwrap();
    same_answers(&logs.state(), &files, &client);
    let before = run(args(&["count", "--state"], &[&logs.state()])).stdout;
    let packed = logs.path("old.gz");
    let gzip =
        std::process::Command::new("gzip").arg("-c").arg(files[2]).stdout(fs::File::create(&packed).unwrap()).status();
    assert!(gzip.unwrap().success());
    fs::rename(files[1], logs.path("another")).unwrap();
    let again = ingest(&logs.state(), &[&logs.path("another"), &packed, files[0]]);
    assert_eq!((again["new"].as_u64(), again["known"].as_u64()), (Some(0), Some(new)));
    assert_eq!(run(args(&["count", "--state"], &[&logs.state()])).stdout, before);
}

/// `mail.info` holds most of the lines of `mail.log`: together, one after the other, and the other way round, each line is in once.
#[test]
fn the_same_lines_in_two_logs_are_in_once() {
    let logs = Logs::of(100_000, 1);
    let whole = fs::read_to_string(logs.path("whole.log")).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    let (log, info) = (logs.path("two.log"), logs.path("two.info"));
    let is_info = |line: &&&str| !line.contains("warning:");
    let write = |upto: usize| {
        fs::write(&log, lines[..upto].join("\n") + "\n").unwrap();
        let some: Vec<&str> = lines[3..upto].iter().filter(is_info).copied().collect();
        fs::write(&info, some.join("\n") + "\n").unwrap();
    };
    let orders: [&[&[&Path]]; 4] =
        [&[&[&log, &info]], &[&[&info, &log]], &[&[&log], &[&info]], &[&[&info], &[&log], &[&info, &log]]];
    for (number, order) in orders.into_iter().enumerate() {
        let state = logs.path(&format!("two-{number}"));
        for upto in [lines.len() / 2, lines.len()] {
            write(upto);
            for files in order {
                ingest(&state, files);
            }
            let count = text(&run(args(&["count", "--quiet", "--state"], &[&state])));
            assert_eq!(count.trim(), upto.to_string(), "{order:?}");
        }
    }
}

/// Two failures of the same second, and a rotation between them: whichever log goes in first.
#[test]
fn the_same_line_at_the_end_of_a_log_and_at_the_beginning_of_the_next_is_two() {
    let logs = Logs::of(1_000, 1);
    let (old, new) = (logs.path("mail.log.1"), logs.path("mail.log"));
    let line = |at: &str, text: &str| format!("2026-06-17T{at}+00:00 mail postfix/submission/smtpd[7]: {text}\n");
    let failure = line("10:00:09", "warning: unknown[192.0.2.1]: SASL LOGIN authentication failed: UGFzc3dvcmQ6");
    let connect = line("10:00:01", "connect from unknown[192.0.2.1]");
    fs::write(&old, connect + &failure).unwrap();
    let gone = line("10:00:10", "disconnect from unknown[192.0.2.1] ehlo=1 auth=0/3 commands=1/4");
    fs::write(&new, line("10:00:09", "a line of its own") + &failure + &failure + &gone).unwrap();
    for (number, order) in [[&old, &new], [&new, &old]].into_iter().enumerate() {
        let state = logs.path(&format!("touching-{number}"));
        for file in order {
            ingest(&state, &[file]);
        }
        let asked = args(&["count", "--quiet", "-q", "event:sasl_failed", "--state"], &[&state]);
        assert_eq!(text(&run(asked)).trim(), "3", "{order:?}");
    }
}

#[test]
fn a_log_that_grows_gives_the_entries_of_the_whole() {
    let logs = Logs::new();
    let whole = logs.path("whole.log");
    let bytes = fs::read(&whole).unwrap();
    let (grown, growing) = (logs.path("state"), logs.path("growing.log"));
    for part in [1, 3, 4, 7, 10] {
        // The end is in the middle of a line, as it may be while somebody writes it.
        fs::write(&growing, &bytes[..bytes.len() * part / 10]).unwrap();
        ingest(&grown, &[&growing]);
    }
    fs::rename(&growing, logs.path("whole2.log")).unwrap();
    let clean = logs.path("clean");
    ingest(&clean, &[&logs.path("whole2.log")]);
    let (grown, clean) = (entries(&grown).replace("growing.log", "whole2.log"), entries(&clean));
    assert_eq!(grown.lines().count(), clean.lines().count());
    for (grown, clean) in grown.lines().zip(clean.lines()) {
        assert_eq!(grown, clean);
    }
}

/// Kills the program at different moments of its work. `POSTFIX_INSIGHTS_KILLS` says how often.
#[test]
fn killed_at_any_moment_nothing_is_lost_or_doubled() {
    let rounds: u64 = std::env::var("POSTFIX_INSIGHTS_KILLS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(34);
    let logs = Logs::of(120_000, 4);
    let files: Vec<PathBuf> = ["mail.log", "mail.log.1", "mail.log.2"].iter().map(|name| logs.path(name)).collect();
    let clean = logs.path("clean");
    ingest(&clean, &files.iter().map(PathBuf::as_path).collect::<Vec<_>>());
    let clean = entries(&clean);
    for round in 0..rounds {
        let state = logs.path(&format!("killed-{round}"));
        for moment in 0..3 {
            let mut child = program()
                .args(["ingest", "--quiet", "--timezone", "UTC", "--year", "2026", "--state"])
                .arg(&state)
                .args(&files)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            // Spread over the time that a whole run takes, and a little beyond.
            std::thread::sleep(Duration::from_millis(17 * (round % 13) + 90 * moment + round));
            child.kill().unwrap();
            child.wait().unwrap();
        }
        ingest(&state, &files.iter().map(PathBuf::as_path).collect::<Vec<_>>());
        assert!(entries(&state) == clean, "round {round}");
        fs::remove_dir_all(&state).unwrap();
    }
}

#[test]
fn two_writers_at_once_are_refused_and_readers_are_not() {
    let logs = Logs::new();
    ingest(&logs.state(), &[&logs.path("mail.log")]);
    let lock = fs::File::options().write(true).open(logs.state().join("lock")).unwrap();
    lock.lock().unwrap();
    let second = run(args(&["ingest", "--state"], &[&logs.state(), &logs.path("mail.log.1")]));
    assert_ne!(code(&second), 0);
    assert!(errors(&second).contains("is being written to by another postfix-insights"), "{}", errors(&second));
    assert_eq!(code(&run(args(&["count", "--state"], &[&logs.state()]))), 0);
}

#[test]
fn a_person_who_was_purged_is_in_no_file() {
    let logs = Logs::new();
    let log = logs.path("one.log");
    let line = |second: u32, user: &str| {
        format!(
            "2026-06-17T10:00:{second:02}+00:00 mail postfix/submission/smtpd[7]: warning: h[192.0.2.{second}]: SASL LOGIN authentication failed: x, sasl_username={user}\n"
        )
    };
    let lines: String = (0..40)
        .map(|n| line(n, if n.is_multiple_of(4) { "gudrun.unverwechselbar@example.org" } else { "bob" }))
        .collect();
    fs::write(&log, lines).unwrap();
    ingest(&logs.state(), &[&log]);
    assert!(holds(&logs.state(), "unverwechselbar"), "it would be seen if it were there");
    assert_eq!(count(&logs.state()), "40");
    let purged = run(args(&["purge", "--person", "Gudrun.Unverwechselbar@example.org", "--state"], &[&logs.state()]));
    assert_eq!((code(&purged), text(&purged).starts_with("10 lines")), (0, true), "{}", errors(&purged));
    assert_eq!(count(&logs.state()), "30");
    assert!(!holds(&logs.state(), "unverwechselbar"));
    assert_eq!(ingest(&logs.state(), &[&log])["new"], 0, "it does not come back");
    assert_eq!(count(&logs.state()), "30");
}

#[test]
fn after_their_time_lines_name_nobody_and_are_counted_all_the_same() {
    let logs = Logs::new();
    let log = logs.path("named.log");
    let line = |second: u32| {
        let user = if second.is_multiple_of(3) {
            "Gudrun.Unverwechselbar@example.org"
        } else {
            "gudrun.unverwechselbar@example.org"
        };
        format!(
            "2026-06-17T10:00:{second:02}+00:00 mail postfix/submission/smtpd[7]: warning: einzigartig.example[203.0.113.249]: SASL LOGIN authentication failed: x, sasl_username={user}\n"
        )
    };
    fs::write(&log, (0..40).map(line).collect::<String>()).unwrap();
    ingest(&logs.state(), &[&log]);
    let named = ["unverwechselbar", "einzigartig", "203.0.113.249"];
    let classes = || {
        let output = run(args(&["triage", "--json", "--state"], &[&logs.state()]));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()["classes"].clone()
    };
    let before = classes();
    let hide = ["purge", "--pseudonymise-days", "1", "--state"];
    for _ in 0..2 {
        let output = run(args(&hide, &[&logs.state()]));
        assert_eq!(code(&output), 0, "{}", errors(&output));
        assert!(named.iter().all(|name| !holds(&logs.state(), name)));
    }
    let top = run(args(&["top", "user", "--json", "--distinct", "client", "--state"], &[&logs.state()]));
    let top: Value = serde_json::from_slice(&top.stdout).unwrap();
    assert_eq!((top["distinct"].as_u64(), top["values"][0]["count"].as_u64()), (Some(1), Some(40)));
    assert_eq!(top["values"][0]["distinct"].as_u64(), Some(1));
    assert_eq!(classes(), before);
    assert_eq!(ingest(&logs.state(), &[&log])["new"], 0, "the names do not come back");
}

fn count(state: &Path) -> String {
    text(&run(args(&["count", "--state"], &[state]))).trim().to_owned()
}

/// Whether some bytes stand in any file below a folder.
fn holds(folder: &Path, bytes: &str) -> bool {
    fs::read_dir(folder).unwrap().flatten().any(|entry| {
        let path = entry.path();
        if path.is_dir() {
            return holds(&path, bytes);
        }
        let packed = fs::read(&path).unwrap();
        // What findings remember is one compressed piece.
        let plain = zstd::decode_all(packed.as_slice()).unwrap_or(packed);
        plain.windows(bytes.len()).any(|part| part.eq_ignore_ascii_case(bytes.as_bytes()))
    })
}

#[test]
fn days_beyond_their_time_go_and_stay_away() {
    let logs = Logs::new();
    let log = logs.path("days.log");
    let line = |day: u32| format!("2026-06-{day:02}T10:00:00+00:00 mail postfix/smtpd[7]: connect from h[192.0.2.1]\n");
    fs::write(&log, (10..20).map(line).collect::<String>()).unwrap();
    ingest(&logs.state(), &[&log]);
    let purged = run(args(&["purge", "--before", "2026-06-15", "--state"], &[&logs.state()]));
    assert_eq!(text(&purged), "0 lines and 5 days removed\n", "{}", errors(&purged));
    assert_eq!((count(&logs.state()).as_str(), logs.state().join("index/2026-06-14").exists()), ("5", false));
    assert_eq!(ingest(&logs.state(), &[&log])["new"], 0);
    let small = run(args(&["purge", "--keep-bytes", "1", "--state"], &[&logs.state()]));
    assert_eq!(code(&small), 0, "{}", errors(&small));
    assert_eq!(count(&logs.state()), "1", "the newest day stays");
}

#[test]
fn a_full_disk_is_named_and_what_was_in_stays() {
    let logs = Logs::of(1_500_000, 1);
    ingest(&logs.state(), &[&logs.path("mail.log.2")]);
    let before = count(&logs.state());
    // No file may grow beyond 28 KiB: what a full disk looks like to whoever writes.
    let script = r#"trap '' XFSZ; ulimit -f 28; exec "$0" "$@""#;
    let output = std::process::Command::new("bash")
        .args(["-c", script])
        .arg(env!("CARGO_BIN_EXE_postfix-insights"))
        .args(["ingest", "--quiet", "--timezone", "UTC", "--year", "2026", "--state"])
        .arg(logs.state())
        .arg(logs.path("whole.log"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_ne!(code(&output), 0, "{}", errors(&output));
    assert_eq!(count(&logs.state()), before, "{}", errors(&output));
    assert!(errors(&output).contains("the disk is full"), "{}", errors(&output));
    ingest(&logs.state(), &[&logs.path("whole.log")]);
    assert_eq!(
        count(&logs.state()),
        text(&run(args(&["count", "--timezone", "UTC"], &[&logs.path("whole.log")]))).trim()
    );
}

#[test]
fn an_answer_from_the_store_says_so_and_how_new_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let (log, state) = (folder.path().join("mail.log"), folder.path().join("state"));
    fs::write(&log, "Jun 17 10:25:14 mail postfix/qmgr[3]: 0F5383D12: removed\n").unwrap();
    ingest(&state, &[&log]);
    let asked = args(&["triage", "--timezone", "UTC", "--state"], &[&state]);
    let said = errors(&run(&asked));
    assert!(said.contains("the answer is from the store") && said.contains("up to 17 Jun 2026 10:25 UTC"), "{said}");
    assert_eq!(errors(&run(asked.into_iter().chain(args(&["--quiet"], &[])))), "");
    let from_files = run(args(&["triage", "--timezone", "UTC", "--year", "2026"], &[&log]));
    assert!(!errors(&from_files).contains("from the store"), "{}", errors(&from_files));
}

#[test]
fn a_damaged_day_is_named_and_hides_no_other() {
    let logs = Logs::new();
    let log = logs.path("days.log");
    let line =
        |day: u32, n: u32| format!("2026-06-{day}T10:00:{n:02}+00:00 mail postfix/qmgr[3]: 0F5383D{n:02}: removed\n");
    let lines = |days: &[u32]| days.iter().flat_map(|day| (10..30).map(|n| line(*day, n))).collect::<String>();
    fs::write(&log, lines(&[15, 16, 17])).unwrap();
    ingest(&logs.state(), &[&log]);
    let day = logs.state().join("index/2026-06-16");
    fs::write(day.join("meta.json"), "{").unwrap();
    let counted = run(args(&["count", "--state"], &[&logs.state()]));
    assert_eq!((code(&counted), text(&counted).trim()), (4, "40"), "{}", errors(&counted));
    assert!(errors(&counted).contains("day 2026-06-16"), "{}", errors(&counted));
    let checked = run(args(&["check", "--json", "--state"], &[&logs.state()]));
    assert!(text(&checked).contains(r#""id": "day 2026-06-16""#) || text(&checked).contains("day 2026-06-16"));
    // What comes later goes in all the same.
    fs::write(&log, lines(&[15, 16, 17, 18])).unwrap();
    let again = run(args(&["ingest", "--quiet", "--timezone", "UTC", "--state"], &[&logs.state(), &log]));
    assert_eq!(code(&again), 4, "{}", errors(&again));
    assert!(errors(&again).contains("day 2026-06-16"), "{}", errors(&again));
    assert_eq!(text(&run(args(&["count", "--state"], &[&logs.state()]))).trim(), "60");
    // Its folder removed, its lines come in again.
    fs::remove_dir_all(day).unwrap();
    ingest(&logs.state(), &[&log]);
    assert_eq!(text(&run(args(&["count", "--state"], &[&logs.state()]))).trim(), "80");
}

/// A clock that jumps a year ahead and ten years back, and a line from before 1970: each has its day, none is lost or doubled.
#[test]
fn clocks_that_jump_lose_nothing() {
    let logs = Logs::new();
    let log = logs.path("jumps.log");
    let stamps = [
        "2026-06-17T10:00:00",
        "2027-06-17T10:00:01",
        "2026-06-17T10:00:02",
        "2016-01-01T00:00:00",
        "1969-12-31T23:59:59",
        "2026-06-17T10:00:03",
        "9998-12-31T23:59:59",
    ];
    let lines: Vec<String> = (0..70)
        .map(|n| {
            format!("{}+00:00 mail postfix/submission/smtpd[{}]: connect from h[192.0.2.{n}]\n", stamps[n % 7], n / 7)
        })
        .collect();
    for most in [20, 50, 70] {
        fs::write(&log, lines[..most].concat()).unwrap();
        ingest(&logs.state(), &[&log]);
        assert_eq!(text(&run(args(&["count", "--state"], &[&logs.state()]))).trim(), most.to_string());
    }
    let of_store: BTreeSet<String> = entries(&logs.state()).lines().map(str::to_owned).collect();
    let from_file = run(args(&["entries", "--quiet", "--timezone", "UTC"], &[&log]));
    assert_eq!(of_store, text(&from_file).lines().map(str::to_owned).collect());
}
