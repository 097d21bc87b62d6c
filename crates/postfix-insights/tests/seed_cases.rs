//! The user's own sample lines come out as the guide says, although no server writes their reasons.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod common;

use crate::common::{entries, run_with_input, text, triage_lines};

const LINES: [(&str, &str, &str); 8] = [
    (
        "Jun 17 10:25:14 mail postfix/smtpd[12345]: warning: client.example.net[203.0.113.9]: SASL LOGIN authentication failed: Invalid user name or authentication type",
        "auth_failed",
        "cred.undifferentiated",
    ),
    (
        "Jun 17 10:25:20 mail postfix/smtpd[12356]: warning: client.example.net[203.0.113.9]: SASL PLAIN authentication failed: Invalid user name or authentication type",
        "auth_failed",
        "cred.undifferentiated",
    ),
    (
        "Jun 17 10:25:30 mail postfix/smtpd[12357]: warning: client.example.net[203.0.113.10]: SASL PLAIN authentication failed: No such file or directory",
        "backend_fault",
        "backend.socket_missing",
    ),
    (
        "Jun 17 10:25:31 mail postfix/smtpd[12358]: warning: client.example.net[203.0.113.11]: SASL LOGIN authentication failed: Connection refused",
        "backend_fault",
        "backend.refused",
    ),
    (
        "Jun 17 10:25:40 mail postfix/smtpd[12359]: warning: client.example.net[203.0.113.12]: SASL LOGIN authentication failed: Authentication not available",
        "auth_refused",
        "tls.auth_before_starttls",
    ),
    (
        "Jun 17 10:25:50 mail postfix/smtpd[12360]: warning: client.example.net[203.0.113.13]: SASL CRAM-MD5 authentication failed: Authentication mechanism not available",
        "auth_failed",
        "client.mechanism_unsupported",
    ),
    (
        "Jun 17 10:26:00 mail postfix/smtpd[12361]: warning: client.example.net[203.0.113.14]: SASL PLAIN authentication failed: Unknown user or password incorrect",
        "auth_failed",
        "cred.undifferentiated",
    ),
    (
        "Jun 17 10:26:15 mail postfix/smtpd[12346]: NOQUEUE: reject: RCPT from client.example.net[203.0.113.9]: 550 5.7.1 <user@remote.org>: Relay access denied; from=<sender@example.com> to=<user@remote.org>",
        "relay_denied",
        "policy.relay_denied",
    ),
];

#[test]
fn class_and_cause_of_each_line() {
    let lines: Vec<&str> = LINES.iter().map(|(line, ..)| *line).collect();
    let rows = entries(&lines);
    for ((line, class, cause), row) in LINES.iter().zip(&rows) {
        assert_eq!((row["class"].as_str(), row["cause"].as_str()), (Some(*class), Some(*cause)), "{line}");
        assert_eq!(row["client_host"], "client.example.net");
    }
    let explained = run_with_input(["explain", "-"], (lines.join("\n") + "\n").as_bytes());
    for ((line, class, cause), answer) in LINES.iter().zip(text(&explained).lines()) {
        let answer: serde_json::Value = serde_json::from_str(answer).unwrap();
        assert_eq!(
            (answer["class"].as_str(), answer["explain"]["cause"].as_str()),
            (Some(*class), Some(*cause)),
            "{line}"
        );
        assert!(
            !answer["explain"]["next"].as_array().unwrap().is_empty()
                && !answer["explain"]["source"].as_str().unwrap().is_empty()
        );
    }
}

#[test]
fn a_backend_fault_is_shown_and_never_counted_as_a_wrong_password() {
    let lines: Vec<&str> = LINES.iter().map(|(line, ..)| *line).collect();
    let answer = triage_lines(&lines);
    assert_eq!(
        (
            answer["classes"]["auth_failed"].as_u64(),
            answer["classes"]["backend_fault"].as_u64(),
            answer["classes"]["auth_refused"].as_u64(),
            answer["classes"]["relay_denied"].as_u64()
        ),
        (Some(4), Some(2), Some(1), Some(1))
    );
    let client =
        |ip: &str| answer["clients"].as_array().unwrap().iter().find(|row| row["client_ip"] == ip).unwrap().clone();
    assert_eq!(
        (
            client("203.0.113.10")["auth_failed"].as_u64(),
            client("203.0.113.10")["backend_fault"].as_u64(),
            client("203.0.113.10")["verdict"].as_str()
        ),
        (Some(0), Some(1), Some("outage"))
    );
    assert_eq!(answer["mechanisms"], serde_json::json!({"CRAM-MD5": 1, "LOGIN": 3, "PLAIN": 3}));
    assert_eq!(answer["services"], serde_json::json!({"smtpd": 7}));
    assert!(answer["findings"].as_array().unwrap().iter().all(|finding| finding["ban"] == false));
}

#[test]
fn the_sample_of_a_refused_auth_and_its_counter_are_one() {
    let answer = triage_lines(&[
        "Jun 17 10:25:39 mail postfix/submission/smtpd[12359]: connect from client.example.net[203.0.113.12]",
        "Jun 17 10:25:40 mail postfix/submission/smtpd[12359]: warning: client.example.net[203.0.113.12]: SASL LOGIN authentication failed: Authentication not available",
        "Jun 17 10:25:41 mail postfix/submission/smtpd[12359]: disconnect from client.example.net[203.0.113.12] ehlo=1 auth=0/1 quit=1 commands=2/3",
    ]);
    assert_eq!(
        (answer["classes"]["auth_refused"].as_u64(), answer["classes"]["auth_failed"].as_u64()),
        (Some(1), Some(0))
    );
}

#[test]
fn the_three_cases_of_a_relay_refusal() {
    let reject = |pid: u32, ip: &str| {
        format!(
            "Jun 17 10:26:15 mail postfix/smtpd[{pid}]: NOQUEUE: reject: RCPT from unknown[{ip}]: 454 4.7.1 <u@remote.org>: Relay access denied; from=<s@example.com> to=<u@remote.org> proto=ESMTP helo=<c>"
        )
    };
    let lines = [
        "Jun 17 10:26:14 mail postfix/smtpd[1]: connect from unknown[203.0.113.1]".to_owned(),
        reject(1, "203.0.113.1"),
        "Jun 17 10:26:16 mail postfix/smtpd[1]: disconnect from unknown[203.0.113.1] ehlo=1 mail=1 rcpt=0/1 quit=1 commands=3/4".to_owned(),
        "Jun 17 10:26:14 mail postfix/smtpd[2]: connect from unknown[203.0.113.2]".to_owned(),
        "Jun 17 10:26:14 mail postfix/smtpd[2]: warning: unknown[203.0.113.2]: SASL LOGIN authentication failed: authentication failure".to_owned(),
        reject(2, "203.0.113.2"),
        "Jun 17 10:26:16 mail postfix/smtpd[2]: disconnect from unknown[203.0.113.2] ehlo=1 auth=0/1 mail=1 rcpt=0/1 quit=1 commands=3/5".to_owned(),
        "Jun 17 10:26:14 mail postfix/smtpd[3]: connect from unknown[203.0.113.3]".to_owned(),
        reject(3, "203.0.113.3"),
        "Jun 17 10:26:16 mail postfix/smtpd[3]: disconnect from unknown[203.0.113.3] ehlo=1 auth=1 mail=1 rcpt=0/1 quit=1 commands=4/5".to_owned(),
    ];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let answer = triage_lines(&lines);
    let why = |ip: &str| {
        answer["relay_denied"].as_array().unwrap().iter().find(|row| row["client_ip"] == ip).unwrap()["why"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(
        (why("203.0.113.1"), why("203.0.113.2"), why("203.0.113.3")),
        ("no_login_tried".into(), "login_failed_before".into(), "logged_in_but_refused".into())
    );
}
