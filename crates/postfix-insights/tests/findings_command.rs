//! `findings`: the list, one with its proof, tickets, and a memory beyond the logs that are kept.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test may panic"
)]

mod common;

use std::path::Path;

use serde_json::Value;

use crate::common::{code, errors, run, text};

/// A guesser, a device with an old password, and people; day by day in rfc3339.
fn lines() -> Vec<String> {
    let mut lines = Vec::new();
    let mut say = |minute: u32, second: u32, text: String| {
        let (day, hour) = (2 + minute / 1_440, minute / 60 % 24);
        let stamp = format!("2026-03-{day:02}T{hour:02}:{:02}:{second:02}.000000+00:00", minute % 60);
        lines.push(format!("{stamp} mail postfix/submission/smtpd[7]: {text}"));
    };
    let failed = |ip: &str, name: &str| {
        format!("warning: unknown[{ip}]: SASL LOGIN authentication failed: (reason unavailable), sasl_username={name}")
    };
    for n in 0..40u32 {
        say(60 * n, 0, "connect from unknown[192.0.2.5]".to_owned());
        say(
            60 * n,
            1,
            format!("A{n:05X}: client=unknown[192.0.2.5], sasl_method=PLAIN, sasl_username=anna@example.org"),
        );
        say(60 * n + 20, 0, failed("192.0.2.5", "anna@example.org"));
        say(60 * n + 30, 0, failed(&format!("100.{n}.7.7"), "bert@example.org"));
    }
    for n in 0..30 {
        say(600, n, failed("203.0.113.66", if n.is_multiple_of(2) { "root\u{1b}[31m" } else { "admin" }));
    }
    lines.sort();
    lines
}

fn write(folder: &Path, name: &str, lines: &[String]) -> String {
    let file = folder.join(name);
    std::fs::write(&file, lines.join("\n") + "\n").unwrap();
    file.to_str().unwrap().to_owned()
}

fn json(args: &[&str]) -> Value {
    let output = run(args);
    assert!(matches!(code(&output), 0 | 1), "{}", errors(&output));
    serde_json::from_str(&text(&output)).unwrap()
}

fn ids(answer: &Value) -> Vec<String> {
    answer["findings"].as_array().unwrap().iter().map(|finding| finding["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_list_is_that_of_the_triage_and_ids_last() {
    let folder = tempfile::tempdir().unwrap();
    let all = lines();
    let whole = write(folder.path(), "whole.log", &all);
    let part = write(folder.path(), "part.log", &all[..all.len() * 2 / 3]);
    let listed = json(&["findings", "--json", &whole]);
    let triaged = json(&["triage", "--json", "--top", "0", &whole]);
    assert_eq!(listed["findings"], triaged["findings"]);
    let (whole_ids, part_ids) = (ids(&listed), ids(&json(&["findings", "--json", &part])));
    assert!(whole_ids.contains(&"attack-203.0.113.66".to_owned()), "{whole_ids:?}");
    assert!(!part_ids.is_empty() && part_ids.iter().all(|id| whole_ids.contains(id)), "{part_ids:?} {whole_ids:?}");
    let page = text(&run(["findings", &whole]));
    assert!(page.contains("attack-203.0.113.66") && page.contains("[ban]"), "{page}");
    assert_eq!(code(&run(["findings", &write(folder.path(), "quiet.log", &all[..2])])), 1);
}

#[test]
fn one_is_proved_and_written_for_others() {
    let folder = tempfile::tempdir().unwrap();
    let log = write(folder.path(), "mail.log", &lines());
    let page = text(&run(["findings", "show", "attack-203.0.113.66", &log]));
    assert!(page.contains("EVIDENCE") && page.contains("DECIDED BY") && page.contains("ban_tries = 20"), "{page}");
    assert!(!page.contains('\u{1b}'), "a control byte of the log's");
    let masked = text(&run(["findings", "show", "attack-203.0.113.66", "--mask", &log]));
    assert!(!masked.contains("203.0.113.66") && masked.contains("203.0.113.x"), "{masked}");
    let abuse = text(&run(["findings", "show", "attack-203.0.113.66", "--as", "ticket", "--for", "abuse", &log]));
    assert!(abuse.contains("203.0.113.66") && abuse.contains("[account]") && !abuse.contains("root"), "{abuse}");
    let stale = ids(&json(&["findings", "--json", &log])).into_iter().find(|id| id.starts_with("stale-")).unwrap();
    let user = text(&run(["findings", "show", &stale, "--as", "ticket", "--for", "user", &log]));
    assert!(user.contains("anna@example.org") && !user.contains("smtpd"), "{user}");
    let colleague = text(&run(["findings", "show", &stale, "--as", "ticket", &log]));
    assert!(colleague.contains("smtpd") && colleague.contains("Not to do"), "{colleague}");
    assert_eq!(code(&run(["findings", "show", "attack-198.51.100.1", &log])), 1);
}

#[test]
fn what_is_remembered_counts() {
    let folder = tempfile::tempdir().unwrap();
    let all = lines();
    let memory = folder.path().join("memory");
    let memory = memory.to_str().unwrap();
    let whole = write(folder.path(), "whole.log", &all);
    // Cut between two moments: of a moment half read, nothing more is taken.
    let moment = |line: &String| line[..32].to_owned();
    let cut = (all.len() / 2..).find(|at| moment(&all[*at]) != moment(&all[at - 1])).unwrap();
    let (old, new) = (write(folder.path(), "old.log", &all[..cut]), write(folder.path(), "new.log", &all[cut..]));
    json(&["findings", "--json", "--memory", memory, &old]);
    let remembered = json(&["findings", "--json", "--memory", memory, &new]);
    let expected = json(&["findings", "--json", &whole]);
    let numbers = |answer: &Value| -> Vec<(String, Value, Value)> {
        let rows = answer["findings"].as_array().unwrap();
        rows.iter().map(|row| (row["id"].to_string(), row["counts"].clone(), row["clients"].clone())).collect()
    };
    assert_eq!(numbers(&remembered), numbers(&expected));
    // The same lines again change nothing.
    assert_eq!(numbers(&json(&["findings", "--json", "--memory", memory, &whole])), numbers(&expected));
    std::fs::write(memory, "something else").unwrap();
    let damaged = run(["findings", "--memory", memory, &new]);
    assert!(code(&damaged) == 2 && errors(&damaged).contains("--memory"), "{}", errors(&damaged));
}

#[test]
fn a_site_says_what_is_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let log = write(folder.path(), "mail.log", &lines());
    let config = folder.path().join("config.toml");
    let config_file = config.to_str().unwrap();
    std::fs::write(
        &config,
        "[findings]\nown_networks = [\"203.0.113.0/24\"]\nthresholds = [\"distributed_clients=500\"]\n",
    )
    .unwrap();
    let told = json(&["findings", "--json", "--config", config_file, &log]);
    let rows = told["findings"].as_array().unwrap();
    let guess = rows.iter().find(|row| row["id"] == "attack-203.0.113.66").unwrap();
    assert_eq!(guess["ban"], false);
    assert!(rows.iter().all(|row| !row["id"].as_str().unwrap().starts_with("distributed-")));
    std::fs::write(&config, "[findings]\nown_nets = []\n").unwrap();
    let wrong = run(["findings", "--config", config_file, &log]);
    assert!(code(&wrong) == 2 && errors(&wrong).contains("config.toml:2: "), "{}", errors(&wrong));
}
