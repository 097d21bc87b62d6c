//! The outside of the program: exit codes, formats, and files as they come.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod common;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::common::{code, entries, errors, program, repository, run, run_with_input, text, triage, triage_lines};

const FAILURE: &str = "Jun 17 10:25:14 mail postfix/smtpd[7]: warning: h.example[203.0.113.9]: SASL LOGIN authentication failed: UGFzc3dvcmQ6";

fn recording(name: &str) -> PathBuf {
    repository().join("corpus").join(name).join("mail.log")
}

#[test]
fn exit_codes() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &str| {
        let path = dir.path().join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (empty, garbage, log) =
        (file("empty.log", ""), file("garbage.log", "no log\nat all\n"), file("mail.log", &format!("{FAILURE}\n")));
    let missing = dir.path().join("missing.log").to_str().unwrap().to_owned();
    assert_eq!(code(&run(["triage", &empty])), 0);
    assert_eq!(code(&run([&log])), 0);
    assert_eq!(code(&run(["triage", &garbage])), 3);
    assert_eq!(code(&run(["triage", &missing])), 3);
    let partly = run(["triage", "--json", &log, &missing]);
    assert_eq!(code(&partly), 4);
    assert!(text(&partly).contains("\"auth_failed\":1") && errors(&partly).contains("missing.log: no such file"));
    assert_eq!(code(&run(["triage", "--nonsense"])), 2);
    assert_eq!(code(&run(["triage", "--timezone", "Mars/Olympus", &log])), 2);
    assert_eq!(code(&run(["client", "192.0.2.77", &log])), 1);
    assert_eq!(code(&run(["client", "no-address", &log])), 2);
    assert_eq!(code(&run(["account", "nobody", &log])), 1);
    assert_eq!(code(&run(["client", "203.0.113.0/24", &log])), 0);
    assert_eq!(code(&run(["--version"])), 0);
    let printed = run(["entries", &garbage]);
    assert_eq!((code(&printed), text(&printed).lines().count()), (3, 2));
}

#[test]
fn a_closed_pipe_is_success() {
    let mut child = program().arg("entries").arg(recording("guessing")).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
}

#[test]
fn copies_archives_and_priority_files_count_once() {
    let dir = tempfile::tempdir().unwrap();
    let log = fs::read(recording("guessing")).unwrap();
    let (plain, packed, warnings) =
        (dir.path().join("mail.log"), dir.path().join("mail.log.1.gz"), dir.path().join("mail.warn"));
    fs::write(&plain, &log).unwrap();
    let gzip = std::process::Command::new("gzip").arg("-c").arg(&plain).output().unwrap();
    fs::write(&packed, gzip.stdout).unwrap();
    let only_warnings: Vec<u8> = log
        .split_inclusive(|b| *b == b'\n')
        .filter(|line| line.windows(8).any(|w| w == b"warning:"))
        .flatten()
        .copied()
        .collect();
    fs::write(&warnings, only_warnings).unwrap();
    let alone = triage(&[&plain]);
    for files in [
        vec![&*plain, &*packed],
        vec![&*packed],
        vec![&*warnings, &*plain],
        vec![&*plain, &*plain, &*warnings, &*packed],
    ] {
        let answer = triage(&files);
        for key in ["classes", "causes", "clients", "recovered"] {
            assert_eq!(answer[key], alone[key], "{files:?} {key}");
        }
        assert_eq!(answer["coverage"]["lines"], alone["coverage"]["lines"], "{files:?}");
    }
}

#[test]
fn a_truncated_archive_is_answered_as_far_as_it_goes() {
    let dir = tempfile::tempdir().unwrap();
    let plain = recording("guessing");
    let gzip = std::process::Command::new("gzip").arg("-c").arg(&plain).output().unwrap().stdout;
    let cut = dir.path().join("mail.log.gz");
    fs::write(&cut, &gzip[..gzip.len() / 2]).unwrap();
    let output = run(["triage", "--json", cut.to_str().unwrap()]);
    assert_eq!(code(&output), 4);
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(answer["classes"]["auth_failed"].as_u64().unwrap() > 0);
    assert!(errors(&output).contains("mail.log.gz"));
}

#[test]
fn files_are_left_as_they_were() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("mail.log");
    fs::write(&log, format!("{FAILURE}\n")).unwrap();
    let before = fs::metadata(&log).unwrap();
    run(["triage", log.to_str().unwrap()]);
    let after = fs::metadata(&log).unwrap();
    assert_eq!(
        (before.len(), before.modified().unwrap(), before.permissions()),
        (after.len(), after.modified().unwrap(), after.permissions())
    );
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn odd_bytes_are_no_trouble() {
    let mut input: Vec<u8> = Vec::new();
    input.extend_from_slice(b"\0\0\0");
    input.extend_from_slice(FAILURE.as_bytes());
    input.extend_from_slice(b"\r\n\n\xff\xfe not utf-8\n");
    input.extend_from_slice("Jun 17 10:25:15 mail postfix/smtpd[7]: warning: h[203.0.113.9]: SASL LOGIN authentication failed: x, sasl_username=\u{1b}[31mred\u{202e}".as_bytes());
    let output = run_with_input(["entries", "--format", "ndjson", "-"], &input);
    let rows: Vec<serde_json::Value> = text(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 4);
    assert_eq!(
        (rows[0]["class"].as_str(), rows[1]["event"].as_str(), rows[2]["event"].as_str(), rows[3]["username"].as_str()),
        (Some("auth_failed"), Some("unknown"), Some("unknown"), Some("\u{1b}[31mred\u{202e}"))
    );
    let shown = run_with_input(["entries", "--format", "table", "-"], &input);
    assert!(!text(&shown).chars().any(|c| c.is_control() && c != '\n' || c == '\u{202e}'));
    let answer: serde_json::Value =
        serde_json::from_slice(&run_with_input(["triage", "--json", "-"], &input).stdout).unwrap();
    assert_eq!(
        (
            answer["coverage"]["lines"].as_u64(),
            answer["coverage"]["unknown"].as_u64(),
            answer["coverage"]["bad_time"].as_u64()
        ),
        (Some(4), Some(2), Some(1))
    );
}

#[test]
fn a_line_without_end_is_cut_and_said_to_be() {
    let input = format!("{FAILURE}{}", "x".repeat(1 << 20));
    let output = run_with_input(["entries", "--format", "ndjson", "-"], input.as_bytes());
    let row: serde_json::Value = serde_json::from_str(text(&output).lines().next().unwrap()).unwrap();
    assert_eq!((row["truncated"].as_bool(), row["class"].as_str()), (Some(true), Some("auth_failed")));
}

#[test]
fn csv_is_safe_and_complete() {
    let line = format!("{}, sasl_username==cmd|' /C calc'!A1", FAILURE.replace("UGFzc3dvcmQ6", "(reason unavailable)"));
    let output = run_with_input(["entries", "--format", "csv", "-"], format!("{line}\n").as_bytes());
    let shown = text(&output);
    let mut rows = csv::Reader::from_reader(shown.as_bytes());
    let header = rows.headers().unwrap().clone();
    let row = rows.records().next().unwrap().unwrap();
    let cell = |name: &str| row.get(header.iter().position(|field| field == name).unwrap()).unwrap().to_owned();
    assert_eq!(
        (cell("username"), cell("class"), cell("line")),
        ("'=cmd|' /C calc'!A1".into(), "auth_failed".into(), "1".into())
    );
}

#[test]
fn raw_keeps_the_bytes_and_drops_the_secrets() {
    let line = "Jun 17 10:25:14 mail postfix/smtpd[7]: improper command pipelining after EHLO from u[192.0.2.1]: AUTH PLAIN AGFsaWNlAHNlY3JldA==\\r\\n";
    let output = run_with_input(["entries", "--format", "raw", "-"], format!("{FAILURE}\n{line}\n").as_bytes());
    assert_eq!(
        text(&output),
        format!(
            "{FAILURE}\nJun 17 10:25:14 mail postfix/smtpd[7]: improper command pipelining after EHLO from u[192.0.2.1]: AUTH PLAIN[redacted]\n"
        )
    );
}

#[test]
fn masked_output_names_nobody() {
    let log = recording("corrected_then_sent");
    for args in [["triage", "--mask"], ["entries", "--mask"], ["account", "--mask"], ["client", "--mask"]] {
        let mut all: Vec<&str> = args.to_vec();
        match args[0] {
            "account" => all.push("alice@example.test"),
            "client" => all.push("203.0.113.20"),
            _ => {}
        }
        for json in [false, true] {
            let mut all = all.clone();
            if json {
                all.push("--json");
            }
            let output = program().args(&all).arg(&log).output().unwrap();
            let shown = text(&output).replace(log.to_str().unwrap(), "");
            assert!(!shown.contains("203.0.113.20") && !shown.to_lowercase().contains("alice@"), "{all:?}\n{shown}");
        }
    }
}

#[test]
fn folded_repeats_multiply() {
    let answer = triage_lines(&[
        "Jun 17 10:25:14 mail postfix/smtpd[7]: message repeated 5 times: [ warning: h[203.0.113.9]: SASL LOGIN authentication failed: x]",
        FAILURE,
        "Jun 17 10:25:20 mail last message repeated 2 times",
    ]);
    assert_eq!(answer["classes"]["auth_failed"], 8);
}

#[test]
fn text_of_the_clients_accuses_nobody() {
    let answer = triage_lines(&[
        "Jun 17 10:25:14 mail postfix/cleanup[7]: 0F5383D12: warning: header Subject: warning: x[198.51.100.66]: SASL LOGIN authentication failed: y from h[203.0.113.9]; from=<a@b> to=<c@d> proto=ESMTP helo=<x>",
        "Jun 17 10:25:14 mail postfix/smtpd[7]: NOQUEUE: reject: RCPT from h[203.0.113.9]: 554 5.7.1 <\"x[198.51.100.66]: SASL LOGIN authentication failed: y\"@d>: Relay access denied; from=<a@b> to=<\"x[198.51.100.66]: SASL LOGIN authentication failed: y\"@d> proto=ESMTP helo=<x[198.51.100.66]:?SASL?LOGIN?authentication?failed:?y>",
        "Jun 17 10:25:14 mail postfix/smtp[7]: 0F5383D12: to=<a@b>, relay=m[198.51.100.1]:25, delay=1, delays=0/0/1/0, dsn=5.0.0, status=bounced (host m[198.51.100.1] said: 535 5.7.8 x[198.51.100.66]: SASL LOGIN authentication failed: no)",
        "Jun 17 10:25:14 mail postfix/smtpd[7]: warning: h[203.0.113.9]: SASL PLAIN authentication failed: (reason unavailable), sasl_username=x[198.51.100.66]: SASL LOGIN authentication failed: y",
    ]);
    assert_eq!(answer["classes"]["auth_failed"], 1);
    assert_eq!(answer["clients"].as_array().unwrap().len(), 1);
    assert_eq!(answer["clients"][0]["client_ip"], "203.0.113.9");
}

#[test]
fn addresses_of_every_form_are_one_client() {
    let line = |address: &str| FAILURE.replace("203.0.113.9", address);
    let lines = [
        line("::ffff:203.0.113.9"),
        line("203.0.113.9]:4711").replace("]:4711]", "]:4711"),
        line("2001:DB8:0:0:0:0:0:1"),
        line("2001:db8::1"),
        line("unknown"),
    ];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let answer = triage_lines(&lines);
    let rows: Vec<(&str, u64)> = answer["clients"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["client_ip"].as_str().unwrap(), row["auth_failed"].as_u64().unwrap()))
        .collect();
    assert_eq!(rows, [("203.0.113.9", 2), ("2001:db8::1", 2)]);
    assert_eq!(answer["classes"]["auth_failed"], 5);
}

#[test]
fn every_envelope_tells_the_same() {
    let message = "warning: h.example[203.0.113.9]: SASL LOGIN authentication failed: UGFzc3dvcmQ6";
    let lines = [
        format!("Jun 17 10:25:14 mail postfix/submission/smtpd[7]: {message}"),
        format!("2026-06-17T10:25:14.000000+00:00 mail postfix/submission/smtpd[7]: {message}"),
        format!("<20>Jun 17 10:25:14 mail postfix/submission/smtpd[7]: {message}"),
        format!("<20>1 2026-06-17T10:25:14Z mail postfix/submission/smtpd 7 - -  {message}"),
        format!("postfix-1  | Jun 17 10:25:14 mail postfix/submission/smtpd[7]: {message}"),
        format!(
            "{{\"__REALTIME_TIMESTAMP\":\"1781691914000000\",\"_HOSTNAME\":\"mail\",\"SYSLOG_IDENTIFIER\":\"postfix/submission/smtpd\",\"SYSLOG_PID\":\"7\",\"MESSAGE\":\"{message}\"}}"
        ),
        format!(
            "{{\"log\":\"Jun 17 10:25:14 mail postfix/submission/smtpd[7]: {message}\\n\",\"stream\":\"stdout\",\"time\":\"2026-06-17T10:25:14.000000000Z\"}}"
        ),
        format!("Jun 17 10:25:14 host1 3f2ab1cd9e77[81]: Jun 17 08:25:14 mail postfix/submission/smtpd[7]: {message}"),
        format!(
            "Jun 17 10:25:15 host1 mailserver[81]: 2026-06-17T10:25:14.000000+00:00 mail postfix/submission/smtpd[7]: {message}"
        ),
        format!(
            "{{\"__REALTIME_TIMESTAMP\":\"1781691914000000\",\"_HOSTNAME\":\"host1\",\"SYSLOG_IDENTIFIER\":\"mailserver\",\"_PID\":\"81\",\"MESSAGE\":\"Jun 17 10:25:14 mail postfix/submission/smtpd[7]: {message}\"}}"
        ),
    ];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    for row in entries(&lines) {
        assert_eq!(
            (
                row["ts"].as_str(),
                row["client_ip"].as_str(),
                row["service"].as_str(),
                row["class"].as_str(),
                row["pid"].as_u64()
            ),
            (
                Some("2026-06-17T10:25:14.000000Z"),
                Some("203.0.113.9"),
                Some("submission"),
                Some("auth_failed"),
                Some(7)
            ),
            "{row}"
        );
    }
}

/// A line is looked at as far as a line is kept; what comes behind it is not lost.
#[test]
fn explain_cuts_endless_lines() {
    let endless = format!("{FAILURE}{}\n{FAILURE}\n", "x".repeat(200_000));
    let output = run_with_input(["explain", "-"], endless.as_bytes());
    let rows: Vec<serde_json::Value> = text(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 2);
    assert_eq!((&rows[0]["truncated"], &rows[1]["truncated"]), (&true.into(), &serde_json::Value::Null));
    assert!(rows[0]["text"].as_str().unwrap().len() <= 65_536);
}

#[test]
fn a_line_inside_another_program_s_message_is_not_taken_for_granted() {
    let inner = FAILURE.trim_end();
    let told = |outer: &str| {
        let answer = triage_lines(&[&format!("Jun 17 10:25:15 host1 {outer} {inner}")]);
        (answer["classes"]["auth_failed"].as_u64(), answer["coverage"]["unknown_about_logins"].as_u64())
    };
    assert_eq!(told("mailserver[81]:"), (Some(1), Some(0)));
    // Whoever reaches the shop can make it print what he likes.
    for outer in ["shop[81]:", "sshd[81]: Invalid user", "mailserver[81]: x"] {
        assert_eq!(told(outer), (Some(0), Some(1)), "{outer}");
    }
}

#[test]
fn an_outage_shows_without_process_ids() {
    let line = |time: &str, message: &str| {
        serde_json::json!({"time": time, "program": "postfix/submission/smtpd", "message": message}).to_string()
    };
    let lines = [
        line("1795161600", "connect from unknown[203.0.113.53]"),
        line(
            "1795161600",
            "warning: SASL: Connect to Dovecot auth socket 'inet:dovecot:10001' failed: Connection refused",
        ),
        line("1795161600", "fatal: no SASL authentication mechanisms"),
    ];
    let answer = triage_lines(&lines.each_ref().map(String::as_str));
    let client = &answer["clients"][0];
    assert_eq!(answer["sessions_killed"], 1);
    assert_eq!(
        (client["client_ip"].as_str(), client["sessions_killed"].as_u64(), client["verdict"].as_str()),
        (Some("203.0.113.53"), Some(1), Some("outage"))
    );
}

/// An instant that no calendar here can show is none: the line is counted as one without a readable time.
#[test]
fn the_last_days_of_the_calendar() {
    let line = |stamp: &str| format!("{stamp} mail postfix/smtpd[7]: connect from h[203.0.113.9]\n");
    let log = line("9999-12-31T12:00:00Z") + &line("9999-12-01T12:00:00Z");
    let output = run_with_input(["entries", "--timezone", "UTC", "-"], log.as_bytes());
    let rows: Vec<serde_json::Value> = text(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 2);
    assert_eq!((&rows[0]["ts"], &rows[1]["ts"]), (&serde_json::Value::Null, &"9999-12-01T12:00:00.000000Z".into()));
}

#[test]
fn time_bounds_leave_out_what_is_outside() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("mail.log");
    fs::write(&log, format!("{FAILURE}\n{}\n", FAILURE.replace("10:25:14", "12:25:14"))).unwrap();
    let ask = |args: &[&str]| {
        let output = program()
            .args(["triage", "--json", "--year", "2026", "--timezone", "UTC"])
            .args(args)
            .arg(&log)
            .output()
            .unwrap();
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()["classes"]["auth_failed"].as_u64().unwrap()
    };
    assert_eq!(
        (
            ask(&[]),
            ask(&["--since", "2026-06-17 11:00"]),
            ask(&["--until", "2026-06-17 11:00"]),
            ask(&["--since", "2026-06-18"])
        ),
        (2, 1, 1, 0)
    );
    // That nobody failed in a time without lines is not known.
    for (bounds, known) in
        [(["--since", "2026-06-18"], false), (["--until", "2026-06-16"], false), (["--since", "2026-06-17"], true)]
    {
        let args = ["triage", "--year", "2026", "--timezone", "UTC"];
        let output = program().args(args).args(bounds).arg(&log).output().unwrap();
        assert_eq!(!text(&output).contains("no line lies in the time asked for"), known, "{bounds:?}");
        let said = "no line lies in the time asked for: the log goes from 2026-06-17T10:25:14";
        assert_eq!(!errors(&output).contains(said), known, "{bounds:?}: {}", errors(&output));
    }
}

/// What lines mean hangs on those before them, also where these are before the time asked for.
#[test]
fn time_bounds_within_a_session_make_nothing_up() {
    let log = [
        "Mar 10 10:00:01 mx postfix/submission/smtpd[5]: connect from c.example[192.0.2.5]",
        "Mar 10 10:00:02 mx postfix/submission/smtpd[5]: warning: c.example[192.0.2.5]: SASL LOGIN authentication failed: x, sasl_username=joe",
        "Mar 10 10:00:09 mx postfix/submission/smtpd[5]: warning: SASL: Connect to Dovecot auth socket 'private/auth' failed: Connection refused",
        "Mar 10 10:00:10 mx postfix/submission/smtpd[5]: warning: c.example[192.0.2.5]: SASL LOGIN authentication failed: x, sasl_username=joe",
        "Mar 10 10:00:30 mx postfix/submission/smtpd[5]: disconnect from c.example[192.0.2.5] ehlo=2 starttls=1 auth=0/2 quit=1 commands=4/6",
    ]
    .join("\n");
    for (since, failed, fault) in [("10:00:00", 1, 1), ("10:00:10", 0, 1), ("10:00:20", 0, 0)] {
        let since = format!("2026-03-10T{since}Z");
        let args = ["triage", "--json", "--timezone", "UTC", "--year", "2026", "--since", &since, "-"];
        let answer: serde_json::Value = serde_json::from_slice(&run_with_input(args, log.as_bytes()).stdout).unwrap();
        let class = |name: &str| answer["classes"][name].as_u64().unwrap();
        assert_eq!(
            (class("auth_failed"), class("backend_fault"), class("auth_refused")),
            (failed, fault, 0),
            "{since}"
        );
    }
}

/// A file of warnings alone has no connections: what was told of the backend is the next client's.
#[test]
fn warnings_alone_keep_clients_apart() {
    let answer = triage_lines(&[
        "Mar 10 09:00:05 mx postfix/smtpd[5]: warning: unknown[192.0.2.9]: SASL LOGIN authentication failed: x, sasl_username=joe",
        "Mar 10 10:20:01 mx postfix/smtpd[5]: warning: SASL: Connect to Dovecot auth socket 'private/auth' failed: Connection refused",
        "Mar 10 10:20:01 mx postfix/smtpd[5]: warning: b.example[192.0.2.2]: SASL LOGIN authentication failed: x",
    ]);
    assert_eq!((&answer["classes"]["auth_failed"], &answer["classes"]["backend_fault"]), (&1.into(), &1.into()));
    assert_eq!(answer["causes"]["backend.refused"], 1);
}

/// Who logged in, and then only failed, has not recovered; and where nobody could log in, nobody is said to have.
#[test]
fn words_say_what_happened() {
    let line = |time: &str, text: &str| format!("Mar 10 {time} mx postfix/submission/smtpd[5]: {text}");
    let lines = [
        line("10:00:01", "connect from c.example[192.0.2.5]"),
        line("10:00:02", "A10000000: client=c.example[192.0.2.5], sasl_method=PLAIN, sasl_username=joe"),
        line(
            "10:00:03",
            "disconnect from c.example[192.0.2.5] ehlo=2 starttls=1 auth=1 mail=1 rcpt=1 data=1 quit=1 commands=8",
        ),
        line("10:10:01", "connect from c.example[192.0.2.5]"),
        line("10:10:02", "warning: c.example[192.0.2.5]: SASL LOGIN authentication failed: x, sasl_username=joe"),
        line("10:10:03", "disconnect from c.example[192.0.2.5] ehlo=2 starttls=1 auth=0/1 quit=1 commands=4/5"),
    ];
    let answer = triage_lines(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(
        (&answer["clients"][0]["verdict"], &answer["accounts"][0]["verdict"]),
        (&"mistyped".into(), &"mistyped".into())
    );
    let fault = [
        line("10:00:09", "warning: SASL: Connect to Dovecot auth socket 'private/auth' failed: Connection refused"),
        line("10:00:10", "warning: c.example[192.0.2.5]: SASL LOGIN authentication failed: x"),
    ]
    .join("\n");
    let page = text(&run_with_input(["--timezone", "UTC", "--year", "2026", "-"], fault.as_bytes()));
    assert!(!page.contains("nobody failed to log in"), "{page}");
}

/// What no program calls a mechanism is a scanner's junk; a real name is an old program's.
#[test]
fn junk_for_a_mechanism_is_no_wrong_setting() {
    let told = |mechanism: &str| {
        let line = format!(
            "Mar 10 10:00:02 mx postfix/smtpd[5]: warning: c.example[192.0.2.5]: SASL {mechanism} authentication failed: Invalid authentication mechanism: '{mechanism}'"
        );
        let answer = triage_lines(&[&line]);
        answer["findings"].as_array().unwrap().iter().any(|finding| finding["kind"] == "mechanism_mismatch")
    };
    assert!(told("NTLM") && !told(&"M".repeat(100)) && !told("?[2J"));
}

#[test]
fn colour_only_where_asked() {
    let log = recording("guessing");
    let shown = |args: &[&str]| text(&program().args(args).arg(&log).output().unwrap());
    assert!(
        !shown(&["triage"]).contains('\u{1b}')
            && shown(&["triage", "--color", "always"]).contains('\u{1b}')
            && !shown(&["triage", "--color", "never"]).contains('\u{1b}')
    );
}

#[test]
fn the_page_fits_the_terminal() {
    for width in [80usize, 120, 200] {
        for log in ["guessing", "hostile_user_names", "backend_socket_missing", "hostile_helo_and_addresses"] {
            // A command to copy is not broken, so the path in it must be short.
            let output = program()
                .current_dir(repository())
                .env("COLUMNS", width.to_string())
                .arg("triage")
                .arg(format!("corpus/{log}/mail.log"))
                .output()
                .unwrap();
            let longest = text(&output).lines().skip(1).map(|line| line.chars().count()).max().unwrap();
            assert!(longest <= width, "{log}: {longest} > {width}\n{}", text(&output));
        }
    }
}

#[test]
fn unreadable_names_owner_mode_and_way_out() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("mail.log");
    fs::write(&log, FAILURE).unwrap();
    fs::set_permissions(&log, std::os::unix::fs::PermissionsExt::from_mode(0o000)).unwrap();
    // Root may read everything: then there is nothing to see here.
    if fs::File::open(&log).is_ok() {
        return;
    }
    let output = run(["triage", log.to_str().unwrap()]);
    assert_eq!(code(&output), 3);
    assert!(errors(&output).contains("mode 0000"), "{}", errors(&output));
}

#[test]
fn standard_input_is_read_as_it_comes() {
    let mut child =
        program().args(["triage", "--json", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    for _ in 0..3 {
        writeln!(stdin, "{FAILURE}").unwrap();
    }
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(text(&output).contains("\"auth_failed\":3"));
}

#[test]
fn a_log_written_newest_line_first_is_not_counted_wrong() {
    let mut lines: Vec<&str> = vec![
        "Jun 17 10:25:12 mail postfix/smtpd[7]: connect from h[203.0.113.9]",
        FAILURE.trim_end(),
        "Jun 17 10:25:16 mail postfix/smtpd[7]: disconnect from h[203.0.113.9] ehlo=1 auth=0/1 quit=1 commands=2/3",
    ];
    let right = triage_lines(&lines);
    lines.reverse();
    let written = lines.join("\n") + "\n";
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("mail.log");
    fs::write(&file, &written).unwrap();
    for output in [run([&file]), run_with_input(["-"], written.as_bytes())] {
        assert_eq!(code(&output), 3);
        assert!(errors(&output).contains("newest line first: turn it round (tac FILE"), "{}", errors(&output));
    }
    // Beside another file, the other is answered.
    let other = dir.path().join("other.log");
    fs::write(&other, format!("{FAILURE}\n")).unwrap();
    let output = run([&file, &other]);
    assert!(code(&output) == 4 && text(&output).contains("1 refused by the backend"), "{}", text(&output));
    assert_eq!(right["classes"]["auth_refused"], 0);
}

#[test]
fn folders_and_patterns() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["mail.log", "mail.log.1"] {
        fs::write(
            dir.path().join(name),
            format!("{}\n", FAILURE.replace("10:25:14", if name == "mail.log" { "10:25:15" } else { "10:25:14" })),
        )
        .unwrap();
    }
    let count = |path: &Path| triage(&[path])["classes"]["auth_failed"].as_u64().unwrap();
    assert_eq!(
        (count(dir.path()), count(&dir.path().join("mail.log*")), count(&dir.path().join("mail.log"))),
        (2, 2, 1)
    );
    // A log server keeps a folder for each host.
    let server = tempfile::tempdir().unwrap();
    for host in ["mx1", "mx2"] {
        fs::create_dir_all(server.path().join(host)).unwrap();
        fs::write(
            server.path().join(host).join("mail.log"),
            format!("{}\n", FAILURE.replace(" mail ", &format!(" {host} "))),
        )
        .unwrap();
    }
    assert_eq!((count(server.path()), count(&server.path().join("*"))), (2, 2));
    assert!(errors(&run([server.path()])).contains("2 logs in 2 folders below it"));
}

#[test]
fn a_failed_login_that_a_long_silence_follows_has_its_class() {
    let lines = b"Jun 17 10:25:14 mail postfix/submission/smtpd[7]: warning: unknown[203.0.113.9]: SASL LOGIN authentication failed: \n\
        Jun 17 10:45:14 mail postfix/qmgr[3]: 0F5383D12: removed\n";
    let output = run_with_input(["entries", "--format", "ndjson", "--year", "2026", "-"], lines);
    let first: serde_json::Value = serde_json::from_str(text(&output).lines().next().unwrap()).unwrap();
    assert_eq!(
        (first["class"].as_str(), first["cause"].as_str()),
        (Some("auth_failed"), Some("cred.undifferentiated"))
    );
}

/// What Debian's rsyslog writes to `mail.log`, and of it to `mail.warn` and `mail.err`; and the end of a session in the second in which the
/// log was cut in two.
#[test]
fn files_that_share_a_second_are_read_as_the_log_in_any_order() {
    let log = [
        "connect from unknown[203.0.113.6]",
        "warning: SASL: Connect to private/auth failed: Connection refused",
        "fatal: no SASL authentication mechanisms",
    ]
    .map(|text| format!("Nov 20 08:01:01 mail postfix/submissions/smtpd[91]: {text}\n"));
    check_any_order(&log.concat(), &[&log.concat(), &log[1..].concat(), &log[2]]);
    let log = [
        "08:24:58 mail postfix/submission/smtpd[58]: connect from unknown[198.51.100.57]",
        "08:25:01 mail postfix/submission/smtpd[58]: warning: unknown[198.51.100.57]: SASL LOGIN authentication failed: (reason unavailable), sasl_username=anna@example.test",
        "08:25:01 mail postfix/submission/smtpd[58]: disconnect from unknown[198.51.100.57] ehlo=2 starttls=1 auth=0/1 commands=3/4",
        "08:25:09 mail postfix/submission/smtpd[58]: connect from unknown[198.51.100.58]",
    ]
    .map(|line| format!("Nov 20 {line}\n"));
    check_any_order(&log.concat(), &[&log[2..].concat(), &log[..2].concat()]);
}

fn check_any_order(log: &str, parts: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let told = |files: &[&Path]| {
        let answer = triage(files);
        let clients: Vec<String> =
            answer["clients"].as_array().unwrap().iter().map(|c| c["client_ip"].to_string()).collect();
        (answer["classes"].clone(), answer["sessions_killed"].clone(), clients)
    };
    let expected = told(&[&write("whole.log", log)]);
    let paths: Vec<_> =
        ["part-a", "part-b", "part-c"].iter().zip(parts).map(|(name, text)| write(name, text)).collect();
    let mut paths: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
    for _ in 0..2 {
        for _ in 0..paths.len() {
            assert_eq!(told(&paths), expected, "{paths:?}");
            paths.rotate_left(1);
        }
        paths.reverse();
    }
}
