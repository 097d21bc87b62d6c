//! The recordings of real daemons come out as the client saw them: `corpus/*/truth.json` was written by whoever played
//! the scenario, not read from the log. `LAB_RECORDINGS` names another folder of recordings, e.g. fresh ones.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test may panic"
)]

mod common;

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::common::{code, entries, errors, repository, run, text, triage};

fn recordings() -> Vec<PathBuf> {
    let root = std::env::var_os("LAB_RECORDINGS").map_or_else(|| repository().join("corpus"), PathBuf::from);
    let mut found: Vec<PathBuf> = std::fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("truth.json").exists())
        .collect();
    found.sort();
    assert!(!found.is_empty());
    found
}

fn truth(recording: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(recording.join("truth.json")).unwrap()).unwrap()
}

fn number(value: &Value, key: &str) -> u64 {
    value.get(key).and_then(Value::as_u64).unwrap_or_default()
}

/// Each difference between what was played and what the program says, in words.
fn differences(expect: &Value, answer: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for (class, count) in expect["classes"].as_object().unwrap() {
        if number(&answer["classes"], class) != count.as_u64().unwrap() {
            found.push(format!("{class}: played {count}, told {}", answer["classes"][class]));
        }
    }
    for key in ["sessions_killed", "causes", "mechanisms", "services"] {
        if expect[key] != answer[key] {
            found.push(format!("{key}: played {}, told {}", expect[key], answer[key]));
        }
    }
    for client in expect["clients"].as_array().unwrap() {
        let row = answer["clients"].as_array().unwrap().iter().find(|row| row["client_ip"] == client["client_ip"]);
        for (key, count) in client.as_object().unwrap().iter().filter(|(_, value)| value.is_u64()) {
            if row.map(|row| number(row, key)) != count.as_u64() {
                found.push(format!("{} {key}: played {count}, told {row:?}", client["client_ip"]));
            }
        }
    }
    if !same_recovered(expect["recovered"].as_array().unwrap(), answer["recovered"].as_array().unwrap()) {
        found.push(format!("recovered: played {}, told {}", expect["recovered"], answer["recovered"]));
    }
    if answer["coverage"]["unknown"] != 0 {
        found.push(format!("unknown lines: {}", answer["coverage"]["unknown_shapes"]));
    }
    found
}

/// A login that sent nothing leaves no name in Postfix' log: then the row has none, and that is right.
fn same_recovered(played: &[Value], told: &[Value]) -> bool {
    let fits = |played: &Value, told: &Value| {
        let named = played["username"].as_str().map(str::to_lowercase)
            == told["username"].as_str().map(str::to_lowercase)
            && played["failures_same_user"] == told["failures_same_user"];
        played["client_ip"] == told["client_ip"]
            && played["failures"] == told["failures"]
            && (named || told["username"].is_null())
    };
    played.len() == told.len() && played.iter().all(|played| told.iter().any(|told| fits(played, told)))
}

#[test]
fn every_recording_is_told_as_it_was_played() {
    let mut wrong = Vec::new();
    for recording in recordings() {
        let truth = truth(&recording);
        for log in ["mail.log", "mail-traditional.log"] {
            let answer = triage(&[&recording.join(log)]);
            wrong.extend(
                differences(&truth["expect"], &answer)
                    .into_iter()
                    .map(|what| format!("{}/{log}: {what}", recording.file_name().unwrap().to_string_lossy())),
            );
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn both_stamp_forms_give_the_same_classes() {
    for recording in recordings() {
        let (iso, traditional) =
            (triage(&[&recording.join("mail.log")]), triage(&[&recording.join("mail-traditional.log")]));
        for key in ["classes", "causes", "mechanisms", "services", "sessions_killed"] {
            assert_eq!(iso[key], traditional[key], "{} {key}", recording.display());
        }
    }
}

#[test]
fn messages_sent_after_a_failure_have_their_fate() {
    for recording in recordings() {
        let truth = truth(&recording);
        let answer = triage(&[&recording.join("mail.log")]);
        for row in answer["recovered"].as_array().unwrap().iter().filter(|row| row["username"].is_string()) {
            let mine = |message: &&Value| {
                message["client_ip"] == row["client_ip"]
                    && message["username"].as_str().unwrap().eq_ignore_ascii_case(row["username"].as_str().unwrap())
            };
            let played: Vec<&Value> = truth["messages"].as_array().unwrap().iter().filter(mine).collect();
            let sum = |key: &str| played.iter().map(|message| number(&message["fate"], key)).sum::<u64>();
            let told =
                |key: &str| row["messages"].as_array().unwrap().iter().map(|message| number(message, key)).sum::<u64>();
            let name = recording.file_name().unwrap().to_string_lossy();
            assert_eq!(
                (told("sent"), told("bounced"), told("deferred")),
                (sum("sent"), sum("bounced"), sum("deferred")),
                "{name}: {row}"
            );
        }
    }
}

#[test]
fn no_output_holds_a_secret_or_a_raw_control_byte() {
    for recording in recordings() {
        let log = recording.join("mail.log");
        let log = log.to_str().unwrap();
        for args in [
            vec!["triage", log],
            vec!["triage", "--json", log],
            vec!["entries", log],
            vec!["entries", "--format", "csv", log],
            vec!["entries", "--format", "table", log],
            vec!["entries", "--format", "raw", log],
            vec!["client", "0.0.0.0/0", "-v", log],
            vec!["trace", "--from", "alice@example.test", "-v", log],
            vec!["trace", "--from", "alice@example.test", "--json", log],
        ] {
            let output = run(&args);
            let shown = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(!shown.contains("SECRET"), "{args:?}");
            let raw = args.contains(&"raw");
            assert!(raw || !shown.chars().any(|c| c.is_control() && c != '\n'), "{args:?}");
            // JSON keeps what was logged; what people read shows such marks and does not obey them.
            let for_people = matches!(
                args.as_slice(),
                ["triage", _] | ["client", ..] | ["trace", _, _, "-v", _] | [_, _, "csv" | "table", _]
            );
            assert!(!for_people || !shown.contains('\u{202e}'), "{args:?}");
        }
    }
}

#[test]
fn entries_are_as_many_as_lines_and_agree_with_triage() {
    for recording in recordings() {
        let log = recording.join("mail.log");
        let output = run(["entries", "--format", "ndjson", log.to_str().unwrap()]);
        assert_eq!(code(&output), 0, "{}", errors(&output));
        let rows: Vec<Value> = text(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(rows.len(), std::fs::read_to_string(&log).unwrap().lines().count());
        let answer = triage(&[&log]);
        // Rule 1: one failure line is one failure, times its repeats; Dovecot's own IMAP logins stay out.
        for class in ["auth_failed", "backend_fault"] {
            let lines: u64 = rows
                .iter()
                .filter(|row| row["class"] == class && row["daemon"] == "smtpd")
                .map(|row| row["repeat"].as_u64().unwrap_or(1))
                .sum();
            assert_eq!(lines, number(&answer["classes"], class), "{} {class}", recording.display());
        }
        let silent: u64 = rows
            .iter()
            .filter(|row| row["class"] == "auth_refused" && row["daemon"] == "smtpd")
            .map(|row| row["attempts"].as_u64().unwrap_or(1))
            .sum();
        assert_eq!(silent, number(&answer["classes"], "auth_refused"), "{}", recording.display());
    }
}

#[test]
fn lines_of_a_session_share_its_id() {
    let rows = entries(&[
        "Jun 17 10:25:12 mail dovecot: auth: passwd-file(alice,203.0.113.1): Password mismatch",
        "Jun 17 10:25:12 mail postfix/submission/smtpd[7]: connect from h.example[203.0.113.1]",
        "Jun 17 10:25:14 mail postfix/submission/smtpd[7]: warning: h.example[203.0.113.1]: SASL PLAIN authentication failed: UGFzc3dvcmQ6",
        "Jun 17 10:25:14 mail postfix/submission/smtpd[7]: disconnect from h.example[203.0.113.1] ehlo=2 starttls=1 auth=0/1 quit=1 commands=4/5",
        "Jun 17 10:25:20 mail postfix/submission/smtpd[7]: connect from h.example[203.0.113.1]",
    ]);
    let ids: Vec<Option<&str>> = rows.iter().map(|row| row["session"].as_str()).collect();
    assert!(ids[0].is_some() && ids[..4].iter().all(|id| *id == ids[0]) && ids[4] != ids[0], "{ids:?}");
    assert_eq!(
        (rows[2]["username"].as_str(), rows[2]["username_origin"].as_str(), rows[2]["cause"].as_str()),
        (Some("alice"), Some("joined"), Some("cred.password_mismatch"))
    );
    assert_eq!((rows[0]["cause"].as_str(), rows[0]["class"].as_str()), (Some("cred.password_mismatch"), None));
}
