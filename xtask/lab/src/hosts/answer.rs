//! The program's answer about a host, held against what is known of it.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::Case;

/// Whether everything that is wrong was named, and nothing else called a fault.
pub(super) fn compare(case: &Case, code: i32, answer: &Value) -> Result<()> {
    let checks = Checks(answer.get("checks").and_then(Value::as_array).context("no checks in the answer")?);
    let story = || format!("faults\n  {}\nwarnings\n  {}", checks.told("fault"), checks.told("warn"));
    let expected: BTreeSet<&str> = case.faults.iter().copied().collect();
    ensure!(checks.ids("fault") == expected, "the faults should be {expected:?}; {}", story());
    let warnings = checks.ids("warn");
    let unnamed = case.warnings.iter().find(|id| !warnings.contains(**id));
    ensure!(unnamed.is_none(), "no warning {unnamed:?}; {}", story());
    ensure!(checks.say(case), "nobody says {:?}; {}", case.says, story());
    let code_expected = i32::from(!case.faults.is_empty());
    ensure!(code == code_expected, "exit code {code} instead of {code_expected}");
    case.logged.map_or(Ok(()), |(cause, verdict)| compare_log(answer, cause, verdict))
}

fn compare_log(answer: &Value, cause: &str, verdict: &str) -> Result<()> {
    let rows = answer.pointer("/log/causes").and_then(Value::as_array).context("no causes of the log")?;
    let row = rows.iter().find(|row| text(row, "cause") == cause);
    let row = row.with_context(|| format!("the log shows no {cause}: {rows:?}"))?;
    ensure!(text(row, "says") == verdict, "{cause} should be {verdict}: {row}");
    Ok(())
}

struct Checks<'a>(&'a [Value]);

impl<'a> Checks<'a> {
    fn with(&self, status: &str) -> Vec<&'a Value> {
        self.0.iter().filter(|check| text(check, "status") == status).collect()
    }

    fn ids(&self, status: &str) -> BTreeSet<&'a str> {
        self.with(status).into_iter().map(|check| text(check, "id")).collect()
    }

    fn told(&self, status: &str) -> String {
        let line = |check: &Value| format!("{}: {}", text(check, "id"), text(check, "summary"));
        self.with(status).into_iter().map(line).collect::<Vec<_>>().join("\n  ")
    }

    /// Whether one of the expected checks says the expected words.
    fn say(&self, case: &Case) -> bool {
        let named = [case.faults, case.warnings].concat();
        let mut summaries =
            self.0.iter().filter(|check| named.contains(&text(check, "id"))).map(|check| text(check, "summary"));
        case.says.is_empty() || summaries.any(|summary| summary.contains(case.says))
    }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}
