//! `check`: what a log is like, and the first reason why nothing is found in it.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod common;

use std::fs;
use std::path::Path;

use common::{code, errors, run, text};
use serde_json::{Value, json};

fn checked(words: &[&Path]) -> (i32, Vec<Value>) {
    let output = run([Path::new("check"), Path::new("--json")].iter().chain(words));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", errors(&output)));
    (code(&output), answer["checks"].as_array().unwrap().clone())
}

fn of(lines: &[&str]) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("mail.log");
    fs::write(&log, lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    let (code, rows) = checked(&[&log]);
    assert_eq!((code, rows.len()), (0, 1), "{rows:?}");
    rows[0].clone()
}

#[test]
fn the_first_reason_is_named() {
    const CRON: &str = "2026-06-17T10:00:00Z mail CRON[1]: (root) CMD (x)";
    const DOVECOT: &str = "2026-06-17T10:00:01Z mail dovecot: master: Dovecot v2.3.19.1 starting up";
    const QMGR: &str = "2026-06-17T10:00:02Z mail postfix/qmgr[3]: 0F5383D12: removed";
    const CONNECT: &str = "2026-06-17T10:00:03Z mail postfix/smtpd[7]: connect from h[192.0.2.9]";
    const LOGIN: &str =
        "2026-06-17T10:00:04Z mail postfix/smtpd[7]: disconnect from h[192.0.2.9] ehlo=1 auth=0/1 commands=1/2";
    for (lines, reason) in [
        (&[][..], "it is empty"),
        (&["a letter", "of two lines"], "no line begins with a time I know"),
        (&[CRON], "no line is of a mail program"),
        (&[CRON, DOVECOT], "no line is of Postfix"),
        (&[CRON, QMGR], "no line is of smtpd"),
        (&[QMGR, CONNECT], "no login was tried"),
    ] {
        let row = of(lines);
        assert_eq!(row["status"], "warn", "{row}");
        assert!(row["why_nothing"].as_str().unwrap().contains(reason), "{row}");
        assert_eq!(row["summary"], row["why_nothing"]);
    }
    let row = of(&[CRON, QMGR, CONNECT, LOGIN]);
    assert_eq!((&row["status"], &row["why_nothing"], &row["lines"]), (&json!("ok"), &Value::Null, &json!(4)));
    assert_eq!(row["daemons"], json!({"CRON": 1, "qmgr": 1, "smtpd": 2}));
    assert_eq!(row["format"], json!({"instant": 4}));
    assert_eq!(row["last"]["ts"], "2026-06-17T10:00:04.000000Z");
    assert!(row["last"]["text"].as_str().unwrap().starts_with("disconnect from h[192.0.2.9]"));
}

#[test]
fn what_is_not_there_is_a_fault() {
    let folder = tempfile::tempdir().unwrap();
    let (missing, packed) = (folder.path().join("none.log"), folder.path().join("mail.log.2.gz"));
    fs::write(&packed, [0x1f, 0x8b, 8, 0, 0]).unwrap();
    let (code, rows) = checked(&[&missing, &packed]);
    assert_eq!(code, 4);
    assert_eq!(rows[0]["status"], "fault");
    assert!(rows[0]["summary"].as_str().unwrap().contains("no such file or folder"));
    assert_eq!(
        (&rows[1]["exists"], &rows[1]["readable"], &rows[1]["status"]),
        (&json!(true), &json!(false), &json!("warn"))
    );
}

/// What strangers wrote into the last line is shown, not obeyed; passwords are not shown.
#[test]
fn the_last_line_is_harmless() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("mail.log");
    let line = "Jun 17 10:25:14 mail postfix/smtpd[7]: improper command pipelining after EHLO from u[192.0.2.1]: \x1b[31mAUTH PLAIN AGFsaWNlAHNlY3JldA==";
    fs::write(&log, format!("{line}\n")).unwrap();
    let output = run([Path::new("check"), &log]);
    let shown = text(&output);
    assert!(shown.contains("1 line; times without a year and a zone (Jun 17 10:25:14); smtpd 1\n"), "{shown}");
    assert!(shown.contains("last: ") && !shown.contains('\u{1b}') && !shown.contains("AGFs"), "{shown}");
}

#[test]
fn the_sources_of_a_store_are_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let (log, state) = (folder.path().join("mail.log"), folder.path().join("state"));
    fs::write(&log, "2026-06-17T10:00:02Z mail postfix/qmgr[3]: 0F5383D12: removed\n").unwrap();
    assert_eq!(code(&run([Path::new("ingest"), Path::new("--quiet"), Path::new("--state"), &state, &log])), 0);
    let (code, rows) = checked(&[Path::new("--state"), &state]);
    assert_eq!((code, rows.len()), (0, 2), "{rows:?}");
    assert_eq!((&rows[0]["id"], &rows[0]["status"]), (&json!("day 2026-06-17"), &json!("ok")));
    assert_eq!((&rows[1]["id"], &rows[1]["daemons"]), (&json!(log), &json!({"qmgr": 1})));
    fs::remove_file(&log).unwrap();
    let (code, rows) = checked(&[Path::new("--state"), &state]);
    assert_eq!((code, &rows[1]["status"]), (0, &json!("warn")));
    assert!(rows[1]["summary"].as_str().unwrap().contains("the file is gone"));
}
