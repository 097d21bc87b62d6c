//! Questions from files: `search`, `count`, `top`, `histogram`, `export` and `entries -q`, as a user and a script see them.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test may panic"
)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;

use crate::common::{code, errors, program, repository, run_with_input, text};

fn recording(name: &str) -> PathBuf {
    repository().join("corpus").join(name).join("mail.log")
}

/// Runs with options that make a run the same everywhere, on one recording.
fn ask(args: &[&str], log: &Path) -> std::process::Output {
    program().args(args).args(["--timezone", "UTC"]).arg(log).stdin(Stdio::null()).output().unwrap()
}

fn json(output: &std::process::Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", errors(output)))
}

fn rows(output: &std::process::Output) -> Vec<Value> {
    text(output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn names(folder: &Path) -> Vec<PathBuf> {
    let mut logs: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path().join("mail.log"))
        .filter(|log| log.is_file())
        .collect();
    logs.sort();
    logs
}

/// Every third recording is enough to hold each kind of line; all of them take long in a debug build.
fn some_recordings() -> Vec<PathBuf> {
    names(&repository().join("corpus"))
        .into_iter()
        .step_by(3)
        .filter(|log| fs::metadata(log).unwrap().len() < 400_000)
        .collect()
}

#[test]
fn all_questions_tell_of_the_same_entries() {
    for log in some_recordings() {
        let all = rows(&ask(&["entries", "--json"], &log));
        let meant = |row: &Value| row["client_ip"].is_string() && row["class"] != "auth_ok";
        let expected: Vec<&Value> = all.iter().filter(|row| meant(row)).collect();
        let times = |row: &Value| row["repeat"].as_u64().unwrap_or(1);
        let count: u64 = expected.iter().map(|row| times(row)).sum();
        let query = ["-q", "client:* NOT class:auth_ok"];

        let shown = rows(&ask(&["entries", "--json", query[0], query[1]], &log));
        assert_eq!(shown.iter().collect::<Vec<_>>(), expected, "{}", log.display());
        assert_eq!(json(&ask(&["count", "--json", query[0], query[1]], &log))["count"], count);

        let mut causes: BTreeMap<&str, u64> = BTreeMap::new();
        for row in &expected {
            if let Some(cause) = row["cause"].as_str() {
                *causes.entry(cause).or_default() += times(row);
            }
        }
        let top = json(&ask(&["top", "cause", "--json", "--top", "0", query[0], query[1]], &log));
        let told: BTreeMap<&str, u64> = top["values"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| (row["value"].as_str().unwrap(), row["count"].as_u64().unwrap()))
            .collect();
        assert_eq!((told, top["distinct"].as_u64()), (causes.clone(), Some(causes.len() as u64)), "{}", log.display());

        let histogram = json(&ask(&["histogram", "--json", "--by", "cause", query[0], query[1]], &log));
        let buckets = histogram["buckets"].as_array().unwrap();
        let sum = |key: &str| buckets.iter().map(|bucket| bucket[key].as_u64().unwrap()).sum::<u64>();
        assert_eq!(sum("count") + histogram["undated"].as_u64().unwrap(), count);
        for (cause, number) in causes {
            let split: u64 = buckets.iter().filter_map(|bucket| bucket["by"][cause].as_u64()).sum();
            assert_eq!(split, number, "{cause}");
        }
        for pair in buckets.windows(2) {
            assert_eq!(pair[0]["to"], pair[1]["from"]);
        }

        let found = rows(&ask(&["search", query[1], "--json", "--limit", "5000", "--quiet"], &log));
        let place = |row: &Value| (row["ts"].as_str().map(str::to_owned), row["line"].as_u64());
        let mut newest: Vec<_> = expected.iter().map(|row| place(row)).collect();
        newest.sort();
        newest.reverse();
        assert_eq!(found.iter().map(place).collect::<Vec<_>>(), newest);
    }
}

/// The clocks went forward on 29 March 2026: that day has 23 hours, and the next begins at its own midnight.
#[test]
fn days_of_a_histogram_are_those_of_the_clock() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("mail.log");
    let line = |day: u32, hour: u32| {
        format!("2026-03-{day}T{hour:02}:30:00Z m postfix/smtpd[1]: connect from h.example[192.0.2.1]\n")
    };
    let lines: String = (28..31).flat_map(|day| (0..24).map(move |hour| line(day, hour))).collect();
    std::fs::write(&log, lines).unwrap();
    let days = |zone: &str| -> Vec<(String, u64)> {
        let args = ["histogram", "--width", "1d", "--json", "--timezone", zone];
        let answer = json(&program().args(args).arg(&log).stdin(Stdio::null()).output().unwrap());
        let rows = answer["buckets"].as_array().unwrap().iter();
        rows.map(|row| (row["from"].as_str().unwrap()[5..16].to_owned(), row["count"].as_u64().unwrap())).collect()
    };
    let rows = |rows: &[(&str, u64)]| rows.iter().map(|(from, count)| ((*from).to_owned(), *count)).collect::<Vec<_>>();
    let berlin = [("03-27T23:00", 23), ("03-28T23:00", 23), ("03-29T22:00", 24), ("03-30T22:00", 2)];
    assert_eq!(days("Europe/Berlin"), rows(&berlin));
    assert_eq!(days("UTC"), rows(&[("03-28T00:00", 24), ("03-29T00:00", 24), ("03-30T00:00", 24)]));
}

#[test]
fn distinct_values_of_another_field() {
    let log = recording("spraying");
    let all = rows(&ask(&["entries", "--json", "-q", "class:auth_failed"], &log));
    let mut users: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for row in &all {
        let names = users.entry(row["client_ip"].as_str().unwrap()).or_default();
        names.extend(row["username"].as_str().map(str::to_lowercase));
    }
    let top = json(&ask(&["top", "client", "--distinct", "user", "--json", "-q", "class:auth_failed"], &log));
    assert_eq!((top["field"].as_str(), top["distinct_field"].as_str()), (Some("client_ip"), Some("username")));
    let told: BTreeMap<&str, u64> = top["values"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["value"].as_str().unwrap(), row["distinct"].as_u64().unwrap()))
        .collect();
    assert!(!told.is_empty());
    assert_eq!(told, users.iter().map(|(client, names)| (*client, names.len() as u64)).collect());
}

/// What a refusal is counted as does not hang on how long its session goes on.
#[test]
fn refusals_of_long_sessions_have_their_class() {
    let log = |end: &str| {
        format!(
            "Nov 20 08:00:00 mail postfix/smtpd[7]: connect from unknown[203.0.113.6]\n\
             Nov 20 08:00:01 mail postfix/smtpd[7]: NOQUEUE: reject: RCPT from unknown[203.0.113.6]: 454 4.7.1 <u@r.example>: Relay access denied; from=<a@e.example> to=<u@r.example> proto=ESMTP helo=<c>\n\
             Nov 20 08:00:02 mail postfix/smtpd[7]: NOQUEUE: reject: RCPT from unknown[203.0.113.6]: 550 5.1.1 <v@example.test>: Recipient address rejected: User unknown; from=<a@e.example> to=<v@example.test> proto=ESMTP helo=<c>\n\
             Nov 20 08:{end} mail postfix/smtpd[7]: disconnect from unknown[203.0.113.6] ehlo=1 mail=1 rcpt=0/2 commands=2/4\n"
        )
    };
    for end in ["00:03", "05:02"] {
        for class in ["relay_denied", "other_reject"] {
            let args = ["count", "-q", &format!("class:{class}"), "--timezone", "UTC", "--year", "2026", "-"];
            let output = run_with_input(args, log(end).as_bytes());
            assert_eq!(text(&output).trim(), "1", "{class} {end}: {}", errors(&output));
        }
    }
}

#[test]
fn exit_codes() {
    let log = recording("guessing");
    for command in [&["entries", "-q"][..], &["count", "-q"], &["top", "user", "-q"], &["histogram", "-q"], &["search"]]
    {
        let ask = |query: &str| {
            let mut args = command.to_vec();
            args.push(query);
            code(&ask(&args, &log))
        };
        assert_eq!(
            (ask("class:auth_failed"), ask("event:nothing"), ask("usre:x"), ask("class:nothing")),
            (0, 1, 2, 2),
            "{command:?}"
        );
    }
    assert_eq!(text(&ask(&["count", "-q", "event:nothing"], &log)), "0\n");
    assert_eq!(code(&ask(&["top", "usre"], &log)), 2);
    assert_eq!(code(&ask(&["histogram", "--width", "soon"], &log)), 2);
    assert_eq!(code(&ask(&["histogram", "--width", "0s"], &log)), 2);
    assert_eq!(code(&ask(&["search", "x", "--limit", "10001"], &log)), 2);
    assert_eq!(code(&ask(&["search", "x", "--cursor", "x"], &log)), 2);
    let missing = log.with_file_name("missing.log");
    let partly = program().args(["count", "-q", "class:auth_failed"]).args([&log, &missing]).output().unwrap();
    assert_eq!(code(&partly), 4);
    assert!(!text(&partly).starts_with('0'));
    assert_eq!(code(&ask(&["count"], &missing)), 3);
}

#[test]
fn a_bad_query_is_pointed_at() {
    let output = ask(&["count", "-q", "class:auth_failed usre:bob"], &recording("guessing"));
    let told = errors(&output);
    assert!(told.contains("character 19: no field is called `usre`, did you mean `user`?"), "{told}");
    assert!(told.contains("class:auth_failed usre:bob\n                      ^^^^\n"), "{told}");
    let told = errors(&ask(&["count", "-q", "class:auth_failed,auth_ok"], &recording("guessing")));
    assert!(told.contains("character 7: there is no class `auth_failed,auth_ok`; for any of several write `class:(auth_failed OR auth_ok)`"), "{told}");
    let told = errors(&ask(&["search", "\u{1b}[31m:x \u{202e}OR"], &recording("guessing")));
    assert!(!told.chars().any(|c| c.is_control() && c != '\n' || c == '\u{202e}'), "{told}");
}

#[test]
fn an_empty_answer_says_how_the_query_was_understood() {
    let told = errors(&ask(&["search", "event:nothing -user:*"], &recording("guessing")));
    assert!(told.contains("event is \"nothing\"") && told.contains("not: username is there"), "{told}");
    assert_eq!(errors(&ask(&["search", "event:nothing", "--quiet"], &recording("guessing"))), "");
}

#[test]
fn commands_that_count_logins_name_those_that_take_a_query() {
    let log = recording("guessing");
    for command in
        [&["triage"][..], &["client", "192.0.2.1"], &["account", "bob"], &["report"], &["trace", "0F5383D12"]]
    {
        let mut args = command.to_vec();
        args.extend(["-q", "class:auth_failed"]);
        let output = ask(&args, &log);
        assert_eq!(code(&output), 2);
        assert!(errors(&output).contains("`count -q`"), "{}", errors(&output));
    }
}

#[test]
fn a_query_and_the_time_options_both_hold() {
    let line = |time: &str, user: &str| {
        format!(
            "Jun 17 {time} mail postfix/smtpd[7]: warning: h[203.0.113.9]: SASL LOGIN authentication failed: x, sasl_username={user}\n"
        )
    };
    let log = line("10:00:00", "a") + &line("11:00:00", "b") + &line("12:00:00", "b");
    let count = |args: &[&str]| {
        let mut all = vec!["count", "--year", "2026", "--timezone", "UTC"];
        all.extend(args);
        all.push("-");
        text(&run_with_input(all, log.as_bytes())).trim().to_owned()
    };
    assert_eq!(count(&["-q", "user:b", "--since", "2026-06-17 11:30"]), "1");
    assert_eq!(count(&["-q", "user:b since:\"2026-06-17 11:30\""]), "1");
    assert_eq!(count(&["-q", "user:b until:\"2026-06-17 11:30\""]), "1");
    assert_eq!(count(&["-q", "on:2026-06-17"]), "3");
    assert_eq!(count(&["-q", "on:2026-06-18"]), "0");
    assert_eq!(count(&["-q", "ts:\"2026-06-17 10:00..2026-06-17 11:00\""]), "2");
}

#[test]
fn pages_of_a_search_join() {
    let log = recording("guessing");
    let whole = rows(&ask(&["search", "class:auth_failed", "--json", "--limit", "1000", "--quiet"], &log));
    let (mut joined, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let mut args = vec!["search", "class:auth_failed", "--json", "--limit", "7"];
        if let Some(cursor) = &cursor {
            args.extend(["--cursor", cursor]);
        }
        let output = ask(&args, &log);
        joined.extend(rows(&output));
        let told = errors(&output);
        match told.split_once("--cursor '").and_then(|(_, rest)| rest.split_once('\'')) {
            Some((next, _)) => cursor = Some(next.to_owned()),
            None => break,
        }
    }
    assert!(whole.len() > 14);
    assert_eq!(joined, whole);
}

#[test]
fn context_is_what_stands_around_in_the_file() {
    let log: String = (1..=9)
        .map(|number| format!("Jun 17 10:25:0{number} mail postfix/smtpd[7]: line number {number} of nine\n"))
        .collect();
    let search = |args: &[&str]| {
        let mut all = vec!["search", "--year", "2026", "--timezone", "UTC"];
        all.extend(args);
        all.push("-");
        let shown = text(&run_with_input(all, log.as_bytes()));
        let lines = shown.lines().filter(|line| !line.starts_with("    "));
        lines
            .map(|line| line.split("line number ").nth(1).map_or("--", |rest| &rest[..1]))
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(search(&["\"number 3\" OR \"number 8\""]), "8 3");
    assert_eq!(search(&["-C", "1", "\"number 3\" OR \"number 8\""]), "7 8 9 -- 2 3 4");
    // The lines around both touch.
    assert_eq!(search(&["-C", "2", "\"number 3\" OR \"number 8\""]), "1 2 3 4 5 6 7 8 9");
    assert_eq!(search(&["-C", "1", "--sort", "oldest", "\"number 1\" OR \"number 8\""]), "1 2 -- 7 8 9");
}

#[test]
fn colour_marks_what_was_asked_for() {
    let shown =
        text(&ask(&["search", "\"authentication failed\"", "-n", "1", "--color", "always"], &recording("guessing")));
    assert!(shown.contains("\u{1b}[1;31mauthentication failed\u{1b}[0m"), "{shown:?}");
    let plain = text(&ask(&["search", "\"authentication failed\"", "-n", "1"], &recording("guessing")));
    assert!(!plain.contains('\u{1b}') && plain.contains("authentication failed"));
}

#[test]
fn hostile_names_are_shown_and_not_obeyed() {
    for log in ["hostile_user_names", "hostile_helo_and_addresses", "hostile_mechanisms", "strange_characters_in_name"]
    {
        let log = recording(log);
        for args in [
            &["search", "smtpd OR failed OR from"][..],
            &["top", "user"],
            &["top", "text"],
            &["top", "mech"],
            &["histogram", "--by", "helo"],
        ] {
            let shown = text(&ask(args, &log));
            assert!(!shown.chars().any(|c| c.is_control() && c != '\n' || c == '\u{202e}'), "{args:?} {shown:?}");
        }
        let top = json(&ask(&["top", "user", "--json", "--top", "0"], &log));
        for row in top["values"].as_array().unwrap() {
            let name = row["value"].as_str().unwrap();
            let quoted = name.replace('\\', "\\\\").replace('"', "\\\"").replace('*', "\\*");
            let query = format!("user:\"{quoted}\"");
            assert_eq!(json(&ask(&["count", "--json", "-q", &query], &log))["count"], row["count"], "{query}");
        }
    }
}

#[test]
fn masked_answers_name_nobody() {
    let log = recording("corrected_then_sent");
    let source = log.to_str().unwrap().to_owned();
    for args in [
        &["search", "class:auth_failed OR class:auth_ok", "--mask", "-C", "3"][..],
        &["search", "user:alice@*", "--mask", "--color", "always"],
        &["search", "user:*", "--mask", "--json"],
        &["top", "user", "--mask"],
        &["top", "client", "--mask", "--json"],
        &["histogram", "--by", "user", "--mask", "--json"],
        &["histogram", "--by", "client", "--mask"],
    ] {
        let shown = text(&ask(args, &log)).replace(&source, "");
        assert!(!shown.is_empty());
        assert!(!shown.contains("203.0.113.20") && !shown.to_lowercase().contains("alice@"), "{args:?}\n{shown}");
    }
    assert_eq!(code(&ask(&["top", "text", "--mask"], &log)), 2);
    assert_eq!(code(&ask(&["histogram", "--by", "reason", "--mask"], &log)), 2);
}

/// Names that stand in the words of a line and in no field of it, as Dovecot, PAM and Postfix write them.
#[test]
fn masked_lines_name_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("mail.log");
    let rows = [
        r#"2026-06-17T10:00:01Z m dovecot: auth: login(?,192.0.2.77): Username character disallowed by auth_username_chars: 0x20 (username: carolname)"#,
        r#"2026-06-17T10:00:02Z m dovecot: imap-login: Disconnected: Connection closed (auth failed, 1 attempts in 2 secs): user=<carolname>, method=PLAIN, rip=192.0.2.77, lip=192.0.2.1, TLS, session=<abc>"#,
        r#"2026-06-17T10:00:02Z m dovecot: imap(carolname)<5><abd>: Disconnected: Logged out in=1 out=2"#,
        r#"2026-06-17T10:00:02Z m dovecot: lmtp(carolname)<5><abd>: msgid=<x@y>: saved mail to INBOX"#,
        r#"2026-06-17T10:00:03Z m dovecot: auth: Debug: client passdb out: FAIL#0111#011user=carolname#011authz"#,
        r#"2026-06-17T10:00:03Z m saslauthd[9]: pam_unix(smtp:auth): authentication failure; logname= uid=0 euid=0 tty= ruser=carolname rhost=192.0.2.77  user=carolname"#,
        r#"2026-06-17T10:00:03Z m dovecot: auth: Aborted PASSV request for carolname: Shutting down"#,
        r#"2026-06-17T10:00:03Z m postfix/smtpd[1]: NOQUEUE: reject: RCPT from h.example[192.0.2.77]: 553 5.7.1 <bob@x.example>: Sender address rejected: not owned by user carolname; from=<bob@x.example> to=<z@y.example> proto=ESMTP helo=<h>"#,
        r#"2026-06-17T10:00:04Z m postfix/submission/smtpd[1]: warning: SASL authentication failure: Password verification failed for user carolname"#,
        r#"2026-06-17T10:00:04Z m dovecot: auth: pam(carolname,192.0.2.77): pam_authenticate() failed: User not known to the underlying authentication module: user carolname"#,
    ];
    fs::write(&log, rows.join("\n") + "\n").unwrap();
    for args in [
        &["search", "carolname", "--mask"][..],
        &["entries", "--format", "ndjson", "--mask"],
        &["client", "192.0.2.77", "--mask"],
    ] {
        let shown = text(&ask(args, &log));
        assert!(!shown.contains("carolname"), "{args:?} {shown}");
        assert!(args[0] == "client" || shown.matches("c***").count() >= rows.len(), "{args:?} {shown}");
    }
}

#[test]
fn secrets_cannot_be_searched_for() {
    let log = recording("pipelined_credentials");
    let secret = fs::read_to_string(&log)
        .unwrap()
        .lines()
        .find_map(|line| {
            line.split_once("AUTH PLAIN ").map(|(_, rest)| rest.split(['\\', ' ']).next().unwrap().to_owned())
        })
        .unwrap();
    let output = ask(&["search", &format!("\"*{secret}*\"")], &log);
    assert_eq!((code(&output), text(&output).as_str()), (1, ""));
}

#[test]
fn a_closed_pipe_is_success() {
    for args in [
        &["search", "class:auth_failed", "-n", "1000"][..],
        &["top", "text", "--top", "0"],
        &["histogram"],
        &["entries", "-q", "smtpd"],
    ] {
        let mut child = program()
            .args(args)
            .arg(recording("guessing"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        assert!(matches!(child.wait().unwrap().code(), Some(0 | 1)), "{args:?}");
    }
}

#[test]
fn exports_hold_what_the_query_means() {
    let log = recording("hostile_user_names");
    let dir = tempfile::tempdir().unwrap();
    let to = |name: &str| dir.path().join(name);
    let export = |name: &str, more: &[&str]| {
        let mut args = vec!["export", "-q", "class:auth_failed", "--to"];
        let path = to(name);
        args.push(path.to_str().unwrap());
        args.extend(more);
        ask(&args, &log)
    };
    let expected = rows(&ask(&["entries", "--json", "-q", "class:auth_failed"], &log));
    for name in ["x.ndjson", "x.jsonl", "x.json", "x.csv", "x.parquet", "x.log"] {
        assert_eq!(code(&export(name, &[])), 0, "{name}");
    }
    let read = |name: &str| fs::read_to_string(to(name)).unwrap();
    assert_eq!(read("x.json").parse::<Value>().unwrap(), Value::from(expected.clone()));
    assert_eq!(read("x.ndjson"), read("x.jsonl"));
    assert_eq!(read("x.ndjson").lines().count(), expected.len());
    let text = fs::read_to_string(&log).unwrap();
    let lines: Vec<&str> =
        expected.iter().map(|row| text.lines().nth(row["line"].as_u64().unwrap() as usize - 1).unwrap()).collect();
    assert_eq!(read("x.log").lines().collect::<Vec<_>>(), lines);
    let table = read("x.csv");
    let mut table = csv::Reader::from_reader(table.as_bytes());
    assert_eq!(table.records().map(Result::unwrap).count(), expected.len());
    let parquet = fs::read(to("x.parquet")).unwrap();
    assert!(parquet.starts_with(b"PAR1") && parquet.ends_with(b"PAR1"));

    assert_eq!(code(&export("x.csv", &[])), 2);
    assert!(errors(&export("x.csv", &[])).contains("exists"));
    assert_eq!(code(&export("x.csv", &["--force"])), 0);
    assert_eq!(code(&export("x.xlsx", &[])), 2);
    assert_eq!(code(&export("x.xlsx", &["--format", "csv"])), 0);
    assert_eq!(code(&export("no/such/folder.csv", &[])), 2);
    let left: BTreeSet<String> =
        fs::read_dir(dir.path()).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    let named = ["x.csv", "x.json", "x.jsonl", "x.log", "x.ndjson", "x.parquet", "x.xlsx"];
    assert_eq!(left, named.map(str::to_owned).into());
}

#[test]
fn formulas_are_none_in_an_export() {
    let line = "Jun 17 10:25:14 mail postfix/smtpd[7]: warning: h[203.0.113.9]: SASL LOGIN authentication failed: x, sasl_username==HYPERLINK(\"http://x\")\n";
    let output = run_with_input(["entries", "--format", "csv", "-q", "user:=*", "-"], line.as_bytes());
    assert!(text(&output).contains("\"'=HYPERLINK(\"\"http://x\"\")\""), "{}", text(&output));
}

#[test]
fn parquet_goes_into_a_pipe() {
    let output = ask(&["entries", "--format", "parquet", "-q", "class:auth_failed"], &recording("guessing"));
    assert_eq!(code(&output), 0);
    assert!(output.stdout.starts_with(b"PAR1") && output.stdout.ends_with(b"PAR1"));
}

/// Every query in the manual is read; where it says what comes out, that comes out.
#[test]
fn the_manuals_queries_are_read() {
    let mut read = 0;
    for page in ["docs/reference/query.md", "docs/guide/search.md"] {
        let text = fs::read_to_string(repository().join(page)).unwrap();
        let (mut fenced, mut queries) = (false, Vec::new());
        for line in text.lines() {
            match line.strip_prefix("```") {
                Some("query") => fenced = true,
                Some(_) => fenced = false,
                None if fenced => queries.push(line.split("  #").next().unwrap().trim().to_owned()),
                None => {}
            }
        }
        for query in queries.iter().filter(|query| !query.is_empty()) {
            let output = run_with_input(["count", "-q", query, "-"], b"");
            assert_ne!(code(&output), 2, "{page}: {query}\n{}", errors(&output));
            read += 1;
        }
    }
    assert!(read > 25, "{read}");
}
