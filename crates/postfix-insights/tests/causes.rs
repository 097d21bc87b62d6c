//! Causes that only other lines of the log tell, in what the program answers.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod common;

use serde_json::{Value, json};

use crate::common::{run_with_input, text, triage_lines};

const GRACE: [&str; 4] = [
    "Nov 22 12:31:16 mail postfix/submission/smtpd[7]: connect from unknown[203.0.113.33]",
    "Nov 22 12:31:16 mail dovecot: auth: passwd-file(grace,203.0.113.33): unknown user",
    "Nov 22 12:31:17 mail postfix/submission/smtpd[7]: warning: unknown[203.0.113.33]: SASL PLAIN authentication failed: (reason unavailable), sasl_username=grace",
    "Nov 22 12:31:17 mail postfix/submission/smtpd[7]: disconnect from unknown[203.0.113.33] ehlo=2 starttls=1 auth=0/1 quit=1 commands=4/5",
];

fn login(second: u32, name: &str) -> String {
    let at = format!("Nov 22 12:40:{second:02} mail postfix/submission/smtpd[9]:");
    format!(
        "{at} connect from c[192.0.2.1]\n{at} A{second:04}: client=c[192.0.2.1], sasl_method=PLAIN, sasl_username={name}"
    )
}

fn ask(command: &[&str], lines: &[&str]) -> String {
    let arguments = [command, &["--timezone", "UTC", "--year", "2026", "-"]].concat();
    text(&run_with_input(arguments, (lines.join("\n") + "\n").as_bytes()))
}

#[test]
fn a_name_without_its_domain_is_known_by_who_logs_in_later() {
    let logins = [login(1, "anna@example.test"), login(2, "bert@example.test"), login(3, "carl@example.test")];
    let mut lines: Vec<&str> = GRACE.to_vec();
    lines.extend(logins.iter().map(String::as_str));
    assert_eq!(triage_lines(&lines)["causes"], json!({"cred.unknown_user": 1}));
    assert!(ask(&["triage"], &lines).contains("had a name without a domain"));
    let later = login(9, "grace@example.test");
    lines.push(&later);
    assert_eq!(triage_lines(&lines)["causes"], json!({"cred.realm_missing": 1}));
    assert!(!ask(&["triage"], &lines).contains("had a name without a domain"));
    let client: Value = serde_json::from_str(&ask(&["client", "203.0.113.33", "--json"], &lines)).unwrap();
    assert_eq!(client["causes"], json!({"cred.realm_missing": 1}));
}

#[test]
fn a_database_that_is_down_is_why_answers_are_lost() {
    let down = "Nov 22 12:31:10 mail dovecot: auth: Error: LDAP /etc/dovecot/ldap.conf: Can't connect to server: ldap.example.test";
    let lost = |pid: u32| {
        format!(
            "Nov 22 12:31:17 mail postfix/submission/smtpd[{pid}]: warning: c[198.51.100.{pid}]: SASL PLAIN authentication failed: Connection lost to authentication server, sasl_username=(unavailable)"
        )
    };
    let (one, other) = (lost(1), lost(2));
    let answer = triage_lines(&[down, &one, &other]);
    assert_eq!(answer["causes"], json!({"backend.store_error": 2}));
    assert_eq!(answer["findings"][0]["kind"], "backend_outage");
    let refused = GRACE[2];
    assert_eq!(triage_lines(&[down, refused])["causes"], json!({"cred.undifferentiated": 1}));
}

#[test]
fn tls_from_the_start_on_a_starttls_port_is_told() {
    let at = "Nov 22 12:31:16 mail postfix/submission/smtpd[7]:";
    let connect = format!("{at} connect from c[203.0.113.33]");
    let record = "\\026\\003\\001\\002\\000\\001";
    for line in [
        format!("{at} improper command pipelining after CONNECT from c[203.0.113.33]: {record}"),
        format!("{at} warning: non-SMTP command from c[203.0.113.33]: {record}"),
    ] {
        let answer = triage_lines(&[&connect, &line]);
        assert_eq!(answer["client_causes"], json!({"tls.wrapper_client_on_starttls_port": 1}), "{line}");
        assert_eq!((&answer["causes"], &answer["classes"]["tls_failed"]), (&json!({}), &json!(0)));
        assert!(ask(&["client", "203.0.113.33"], &[&connect, &line]).contains("TLS from the start on a STARTTLS port"));
        // On port 25 such things are scanners'.
        let there = line.replace("submission/", "");
        assert_eq!(triage_lines(&[&connect, &there])["client_causes"], json!({}));
    }
}

#[test]
fn logins_to_mailboxes_are_seen_and_add_to_no_count() {
    let imap = |words: &str, ip: &str| {
        format!(
            "Nov 22 12:31:16 mail dovecot: imap-login: {words}: user=<grace>, method=PLAIN, rip={ip}, lip=192.0.2.1, TLS, session=<x>"
        )
    };
    let failed = imap("Aborted login (auth failed, 3 attempts in 6 secs)", "203.0.113.33");
    let other = imap("Disconnected (auth failed, 1 attempts in 2 secs)", "203.0.113.34").replace("imap", "pop3");
    let ok = imap("Login", "192.0.2.7");
    let lines = [failed.as_str(), &failed, &other, &ok];
    let answer = triage_lines(&lines);
    assert_eq!(
        answer["mailboxes"],
        json!({"auth_ok": 1, "auth_failed": 3, "auth_refused": 0, "backend_fault": 0, "services": {"imap": 2, "pop3": 1},
            "clients": [{"client_ip": "203.0.113.33", "auth_failed": 2}, {"client_ip": "203.0.113.34", "auth_failed": 1}]})
    );
    assert_eq!((&answer["classes"]["auth_failed"], &answer["classes"]["auth_ok"]), (&json!(0), &json!(0)));
    assert_eq!((&answer["services"], &answer["clients"], &answer["accounts"]), (&json!({}), &json!([]), &json!([])));
    let page = ask(&["triage"], &lines).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(page.contains("nobody failed to log in at Postfix; to mailboxes 3 logins were refused"), "{page}");
    assert!(page.contains("Dovecot refused 3 logins to mailboxes"), "{page}");
    assert!(page.contains("most from 203.0.113.33: 2"), "{page}");
}

#[test]
fn saslauthd_without_its_directory_refuses_nobody() {
    let lines = [
        "Nov 22 12:31:16 mail saslauthd[9]: ldap_simple_bind() failed -1 (Can't contact LDAP server).",
        "Nov 22 12:31:16 mail saslauthd[9]: do_auth         : auth failure: [user=grace] [service=smtp] [realm=] [mech=ldap] [reason=Unknown]",
        "Nov 22 12:31:17 mail postfix/submission/smtpd[7]: warning: unknown[203.0.113.33]: SASL LOGIN authentication failed: authentication failure, sasl_username=grace",
    ];
    let answer = triage_lines(&lines);
    assert_eq!(
        (&answer["classes"]["backend_fault"], &answer["classes"]["auth_failed"], &answer["causes"]),
        (&json!(1), &json!(0), &json!({"backend.store_error": 1}))
    );
}
