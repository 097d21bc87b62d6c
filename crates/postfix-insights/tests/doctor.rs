//! `doctor` from outside: the shape of its answer, its exit codes, and what it refuses. What it finds on hosts with real
//! daemons is checked by `cargo xtask doctor`.

mod common;

use std::path::Path;

use common::{code, errors, run, text};
use serde_json::Value;

/// Folders in which there is nothing to be found, whatever is installed.
fn nowhere(folder: &Path) -> Vec<String> {
    let place = |name: &str| folder.join(name).display().to_string();
    [
        "doctor".to_owned(),
        "--no-log".to_owned(),
        format!("--postfix-config={}", place("postfix")),
        format!("--dovecot-config={}", place("dovecot.conf")),
        format!("--fail2ban-config={}", place("fail2ban")),
        format!("--fail2ban-socket={}", place("socket")),
    ]
    .to_vec()
}

#[test]
fn every_check_is_whole_and_the_exit_code_tells_the_worst() {
    let folder = tempfile::tempdir().unwrap();
    let mut args = nowhere(folder.path());
    args.extend(["--json", "--account", "alice", "--client", "192.0.2.1"].map(str::to_owned));
    let output = run(&args);
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    let checks = answer["checks"].as_array().unwrap();
    assert!(!checks.is_empty());
    for check in checks {
        for key in ["id", "status", "summary", "seen", "command", "meaning", "title"] {
            assert!(check[key].is_string(), "{key}: {check}");
        }
        assert!(check["next"].is_array() && check["summary"] != "", "{check}");
        assert_eq!(check["next"].as_array().unwrap().len(), check["steps"].as_array().unwrap().len());
    }
    let is = |status: &str| checks.iter().any(|check| check["status"] == status);
    let expected = match (is("fault"), is("ok") || is("warn")) {
        (true, _) => 1,
        (false, true) => 0,
        (false, false) => 3,
    };
    assert_eq!(code(&output), expected, "{answer}");
    assert!(answer["log"].is_null());
}

#[test]
fn the_page_fits_and_hides_what_is_to_be_hidden() {
    let folder = tempfile::tempdir().unwrap();
    let mut args = nowhere(folder.path());
    args.extend(["--mask", "--account", "somebody@example.org", "--client", "192.0.2.177"].map(str::to_owned));
    let page = text(&run(&args));
    assert!(page.starts_with("DOCTOR  ") && !page.contains('\u{1b}'));
    assert!(!page.contains("somebody") && !page.contains("192.0.2.177"), "{page}");
}

#[test]
fn a_password_comes_from_a_descriptor_that_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let mut args = nowhere(folder.path());
    assert_eq!(code(&run(args.iter().map(String::as_str).chain(["--password-fd", "0"]))), 2);
    args.extend(["--login", "alice", "--password-fd", "977"].map(str::to_owned));
    let output = run(&args);
    assert_eq!(code(&output), 2);
    assert!(errors(&output).contains("--password-fd 977"), "{}", errors(&output));
    assert_eq!(code(&run(["doctor", "--client", "not-an-address"])), 2);
}

/// The triage cites the doctor: each cause that the log shows beside what the host says of it now.
#[test]
fn the_triage_asks_the_host_too() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("mail.log");
    let line = "Jun 17 10:25:14 mail postfix/smtpd[7]: warning: SASL: Connect to private/auth failed: No such file or directory\nJun 17 10:25:14 mail postfix/smtpd[7]: fatal: no SASL authentication mechanisms\n";
    std::fs::write(&log, line).unwrap();
    let arguments = |more: &'static str| {
        ["triage".as_ref(), "--doctor".as_ref(), log.as_os_str(), more.as_ref()].map(std::ffi::OsStr::to_owned)
    };
    let answer: Value = serde_json::from_slice(&run(arguments("--json")).stdout).unwrap();
    let causes = answer["doctor"].as_array().unwrap();
    assert_eq!(causes[0]["cause"], "backend.socket_missing", "{causes:?}");
    assert!(["explained", "ruled_out", "open"].contains(&causes[0]["says"].as_str().unwrap()));
    assert!(text(&run(arguments("--quiet"))).contains("THE HOST NOW"));
}
