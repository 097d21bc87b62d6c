//! Checks the program against log lines from other projects, with what those projects expect.
//!
//! The lines are not part of this repository: they are read from a folder beside it. Each line is explained by itself.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

/// Where the lines are.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The folder with `cases-auth.jsonl`, `cases-parse.jsonl` and `cases-groups.jsonl`.
    #[arg(long, value_name = "DIR", default_value = "../shared/corpora")]
    corpora: PathBuf,
}

/// Whether the folder is there.
pub(crate) fn available() -> bool {
    Path::new("../shared/corpora").is_dir()
}

impl Default for Options {
    fn default() -> Self {
        Self { corpora: PathBuf::from("../shared/corpora") }
    }
}

/// Explains every line and prints each disagreement.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let auth = auth_cases(&rows(&options.corpora.join("cases-auth.jsonl"))?)?;
    let parse = parse_cases(&rows(&options.corpora.join("cases-parse.jsonl"))?)?;
    let groups = group_cases(&rows(&options.corpora.join("cases-groups.jsonl"))?)?;
    let wrong: Vec<String> = auth.into_iter().chain(parse).chain(groups).collect();
    for line in &wrong {
        println!("{line}");
    }
    if wrong.is_empty() { Ok(()) } else { bail!("{} disagreements with other projects' lines", wrong.len()) }
}

fn rows(path: &Path) -> anyhow::Result<Vec<Value>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    text.lines()
        .map(|line| serde_json::from_str(line).with_context(|| format!("{}: no JSON", path.display())))
        .collect()
}

/// Runs a command of the program over lines; one JSON object per line comes back.
fn ask(command: &[&str], lines: &[&str]) -> anyhow::Result<Vec<Value>> {
    let mut child = Command::new(crate::program::release()?)
        .args(command)
        .env("TZ", "UTC")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut stdin = child.stdin.take().context("no pipe")?;
    let input = lines.join("\n") + "\n";
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output()?;
    writer.join().map_err(|_| anyhow::anyhow!("the writer stopped"))??;
    let answers: Vec<Value> =
        String::from_utf8(output.stdout)?.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    ensure!(answers.len() == lines.len(), "{} lines asked, {} answered", lines.len(), answers.len());
    Ok(answers)
}

fn text<'v>(value: &'v Value, key: &str) -> Option<&'v str> {
    value.get(key).and_then(Value::as_str)
}

/// On unambiguous rows of Postfix and Dovecot no miss and no false alarm; the address right on every row that has one; a
/// user name never taken from another field.
fn auth_cases(rows: &[Value]) -> anyhow::Result<Vec<String>> {
    let lines: Vec<&str> = rows.iter().filter_map(|row| text(row, "line")).collect();
    let answers = ask(&["explain", "-"], &lines)?;
    let mut wrong = Vec::new();
    let mut right: BTreeMap<&str, u64> = BTreeMap::new();
    for (row, answer) in rows.iter().zip(&answers) {
        let id = text(row, "id").unwrap_or("?");
        let family = text(row, "family").unwrap_or("?");
        let told = matches!(text(answer, "class"), Some("auth_failed" | "backend_fault" | "auth_refused"));
        let expected = row.get("is_auth_failure") == Some(&Value::Bool(true));
        let certain = row.get("ambiguous") == Some(&Value::Bool(false)) && matches!(family, "postfix" | "dovecot");
        if certain && told != expected {
            wrong.push(format!(
                "{id}: failure expected {expected}, told {:?}: {}",
                text(answer, "class"),
                text(row, "line").unwrap_or_default()
            ));
        }
        for field in ["client_ip", "username"] {
            let (theirs, ours) = (text(row, field), text(answer, field));
            let missing = field == "client_ip" && ours.is_none() && family == "postfix";
            if (ours.is_some() || missing) && theirs.is_some() && ours != theirs
                || field == "username" && theirs.is_none() && ours.is_some()
            {
                wrong.push(format!("{id}: {field} expected {theirs:?}, told {ours:?}"));
            }
        }
        *right.entry(family).or_default() += 1;
    }
    println!("logins: {} rows {right:?}", rows.len());
    Ok(wrong)
}

/// Field names there and here, where both mean the same.
const SAME: [(&str, &str); 20] = [
    ("queue_id", "queue_id"),
    ("client_ip", "client_ip"),
    ("client_host", "client_host"),
    ("client_port", "client_port"),
    ("log_host", "host"),
    ("program", "tag"),
    ("pid", "pid"),
    ("to", "to"),
    ("from", "from"),
    ("orig_to", "orig_to"),
    ("dsn", "dsn"),
    ("status", "status"),
    ("username", "username"),
    ("relay_host", "relay_host"),
    ("relay_ip", "relay_ip"),
    ("relay_port", "relay_port"),
    ("message_id", "message_id"),
    ("size", "size"),
    ("nrcpt", "nrcpt"),
    ("smtp_stage", "stage"),
];

/// Fields that both have must be the same. What we do not take apart yet is counted, not wrong.
fn parse_cases(rows: &[Value]) -> anyhow::Result<Vec<String>> {
    let lines: Vec<&str> = rows.iter().filter_map(|row| text(row, "line")).collect();
    let answers = ask(&["explain", "-"], &lines)?;
    let shown = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned).to_lowercase();
    let (mut wrong, mut same, mut absent) = (Vec::new(), 0, 0);
    for (row, answer) in rows.iter().zip(&answers) {
        for (theirs, ours) in SAME {
            match (row.pointer(&format!("/fields/{theirs}")), answer.get(ours)) {
                (Some(expected), Some(told)) if shown(expected).trim_matches(['<', '>']) == shown(told) => same += 1,
                (Some(expected), Some(told)) => {
                    wrong.push(format!("{}: {ours} expected {expected}, told {told}", text(row, "id").unwrap_or("?")))
                }
                (Some(_), None) => absent += 1,
                (None, _) => {}
            }
        }
    }
    println!("fields: {} rows, {same} values the same, {absent} not taken apart here", rows.len());
    Ok(wrong)
}

/// Counts over several lines that both sides make.
fn group_cases(rows: &[Value]) -> anyhow::Result<Vec<String>> {
    let mut wrong = Vec::new();
    for row in rows {
        let Some(lines) = row.get("lines").and_then(Value::as_array) else { continue };
        let lines: Vec<&str> = lines.iter().filter_map(Value::as_str).collect();
        let answers = ask(&["entries", "--quiet", "--format", "ndjson", "--timezone", "UTC", "-"], &lines)?;
        let count = |key: &str, value: &str| answers.iter().filter(|a| text(a, key) == Some(value)).count() as u64;
        let failures = count("class", "auth_failed") + count("class", "backend_fault");
        for (theirs, ours) in [
            ("saslFailedCount", failures),
            ("removedCount", count("event", "removed")),
            ("expiredCount", count("event", "expired")),
            ("bounceNonDelivery", count("event", "notification")),
        ] {
            let expected = row.pointer(&format!("/expected/{theirs}")).and_then(Value::as_u64);
            // The peer's own check passes where it expects 0.
            if expected.is_some_and(|expected| expected > 0 && expected != ours) {
                wrong.push(format!("{}: {theirs} expected {expected:?}, told {ours}", text(row, "id").unwrap_or("?")));
            }
        }
    }
    println!("groups: {} rows", rows.len());
    Ok(wrong)
}
