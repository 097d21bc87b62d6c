//! Who is advised to be banned, and who never is.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod common;

use serde_json::Value;

use crate::common::{code, run, text, triage_lines};

fn triage(lines: &[String]) -> Value {
    triage_lines(&lines.iter().map(String::as_str).collect::<Vec<_>>())
}

fn stamp(second: u32) -> String {
    format!("Jun 17 {:02}:{:02}:{:02} mail postfix/submission/smtpd[7]:", second / 3600, second / 60 % 60, second % 60)
}

fn failure(second: u32, ip: &str, name: &str) -> String {
    format!(
        "{} warning: unknown[{ip}]: SASL LOGIN authentication failed: (reason unavailable), sasl_username={name}",
        stamp(second)
    )
}

/// A connection and a message after a login: two lines.
fn login(second: u32, ip: &str, name: &str) -> String {
    let stamp = stamp(second);
    format!(
        "{stamp} connect from unknown[{ip}]\n{stamp} A{second:05X}: client=unknown[{ip}], sasl_method=PLAIN, sasl_username={name}"
    )
}

fn kinds(answer: &Value, ip: &str) -> Vec<(String, bool)> {
    let of_ip = |finding: &&Value| finding["clients"].as_array().unwrap().iter().any(|client| client == ip);
    let kind = |finding: &Value| (finding["kind"].as_str().unwrap().to_owned(), finding["ban"].as_bool().unwrap());
    answer["findings"].as_array().unwrap().iter().filter(of_ip).map(kind).collect()
}

#[test]
fn a_guesser_is_banned_and_a_sprayer_too() {
    let name = |n: u32| if n.is_multiple_of(2) { "root" } else { "admin" };
    let mut lines: Vec<String> = (0..30).map(|n| failure(n, "203.0.113.66", name(n))).collect();
    // One name alone may be a server of one's own.
    lines.extend((0..30).map(|n| failure(200 + n, "203.0.113.68", "relay")));
    lines.extend((0..12).map(|n| failure(100 + n, "203.0.113.67", &format!("user{n}"))));
    let answer = triage(&lines);
    assert_eq!(kinds(&answer, "203.0.113.66"), [("guessing".to_owned(), true)]);
    assert_eq!(kinds(&answer, "203.0.113.67"), [("spraying".to_owned(), true)]);
    assert_eq!(kinds(&answer, "203.0.113.68"), [("guessing".to_owned(), false)]);
}

/// A client that goes on to another mechanism wanted the first one, not that.
#[test]
fn a_mechanism_that_is_not_offered_is_named() {
    let ntlm =
        "warning: unknown[203.0.113.9]: SASL NTLM authentication failed: Invalid authentication mechanism: 'NTLM'";
    let lines = [format!("{} {ntlm}, sasl_username=(unavailable)", stamp(1)), failure(2, "203.0.113.9", "alice")];
    let answer = triage(&lines);
    let finding =
        answer["findings"].as_array().unwrap().iter().find(|one| one["kind"] == "mechanism_mismatch").unwrap();
    assert!(finding["summary"].as_str().unwrap().contains("(1 failure: NTLM)"), "{finding}");
}

#[test]
fn an_office_whose_people_never_got_in_is_asked_first() {
    let people = ["anna", "bert", "carl", "dora", "emil", "fritz", "gerd", "hans"];
    let office = |n: u32| {
        let at = 3_600 + n / 8 * 300 + n % 8 * 37;
        failure(at, "203.0.113.80", &format!("{}@kunde.example", people[n as usize % 8]))
    };
    let mut lines = vec![login(10, "192.0.2.5", "alice@example.org")];
    lines.extend((0..96).map(office));
    let answer = triage(&lines);
    assert_eq!(kinds(&answer, "203.0.113.80"), [("guessing".to_owned(), false)]);
    let finding = &answer["findings"][0];
    assert!(finding["confidence"].as_f64().unwrap() < 0.7 && finding["next"].as_array().unwrap().len() == 3);
    // Whoever of them gets in takes back what was said.
    lines.push(login(20_000, "203.0.113.80", "carl@kunde.example"));
    assert!(!kinds(&triage(&lines), "203.0.113.80").iter().any(|(_, ban)| *ban));
}

#[test]
fn a_phone_that_moves_about_is_one_device() {
    let phone = |n: u32| {
        let ip = if n % 10 < 6 { format!("80.187.{}.9", n / 4) } else { "91.10.7.4".to_owned() };
        failure(3_600 + n * 900, &ip, "eva@kunde.example")
    };
    let mut lines = vec![login(10, "192.0.2.5", "alice@example.org")];
    lines.extend((0..80).map(phone));
    let answer = triage(&lines);
    assert_eq!(kinds(&answer, "91.10.7.4"), [("stale_client".to_owned(), false)]);
    assert_eq!(answer["findings"].as_array().unwrap().len(), 1, "{}", answer["findings"]);
}

#[test]
fn a_device_with_an_old_password_is_not() {
    let mut lines = vec![login(10, "192.0.2.5", "alice@example.org")];
    // Every five minutes to the second, and every few minutes as it likes.
    lines.extend((0..40).map(|n| failure(300 * n + 20, "203.0.113.5", "alice@example.org")));
    lines.extend((0..40).map(|n| failure(200 * n + 7 * (n * n % 11), "203.0.113.6", "alice@example.org")));
    lines.sort();
    let answer = triage(&lines);
    for ip in ["203.0.113.5", "203.0.113.6"] {
        assert!(kinds(&answer, ip).iter().all(|(_, ban)| !ban), "{ip}: {:?}", kinds(&answer, ip));
    }
    assert_eq!(kinds(&answer, "203.0.113.5")[0].0, "stale_client");
}

#[test]
fn an_office_is_not() {
    let mut lines: Vec<String> = (0..25).map(|n| failure(60 * n, "203.0.113.10", "carol")).collect();
    lines.extend((0..6).map(|n| login(60 * n + 30, "203.0.113.10", &format!("user{n}"))));
    lines.sort();
    let answer = triage(&lines);
    assert_eq!(kinds(&answer, "203.0.113.10"), [("shared_office".to_owned(), false)]);
}

#[test]
fn a_backend_outage_accuses_nobody() {
    let mut lines = Vec::new();
    for n in 0..30u32 {
        let (second, ip) = (10 * n, format!("203.0.113.{}", n % 9));
        lines.push(format!("{} connect from unknown[{ip}]", stamp(second)));
        lines.push(format!(
            "{} warning: SASL: Connect to Dovecot auth socket 'private/auth' failed: Connection refused",
            stamp(second)
        ));
        lines.push(format!("{} fatal: no SASL authentication mechanisms", stamp(second)));
    }
    let answer = triage(&lines);
    assert_eq!((answer["sessions_killed"].as_u64(), answer["classes"]["auth_failed"].as_u64()), (Some(30), Some(0)));
    let findings = answer["findings"].as_array().unwrap();
    assert_eq!(
        (findings.len(), findings[0]["kind"].as_str(), findings[0]["ban"].as_bool()),
        (1, Some("backend_outage"), Some(false))
    );
    assert_eq!(findings[0]["clients"].as_array().unwrap().len(), 9);
    assert!(!findings[0]["evidence"].as_array().unwrap().is_empty());
}

#[test]
fn a_private_address_is_never_banned() {
    // The second is a provider's own, behind which all its customers are (RFC 6598).
    for ip in ["10.0.0.1", "100.64.3.4"] {
        let lines: Vec<String> = (0..12).map(|n| failure(n, ip, &format!("user{n}"))).collect();
        let kinds = kinds(&triage(&lines), ip);
        assert!(!kinds.is_empty() && kinds.iter().all(|(_, ban)| !ban), "{ip}");
    }
}

#[test]
fn a_login_after_guessing_is_a_takeover() {
    let mut lines: Vec<String> = (0..12).map(|n| failure(n, "203.0.113.66", &format!("user{n}"))).collect();
    lines.push(login(20, "203.0.113.66", "user11"));
    let answer = triage(&lines);
    assert_eq!(kinds(&answer, "203.0.113.66"), [("account_takeover".to_owned(), false)]);
    assert_eq!(
        (
            answer["recovered"][0]["failures"].as_u64(),
            answer["recovered"][0]["failures_same_user"].as_u64(),
            answer["recovered"][0]["messages"].as_array().map(Vec::len)
        ),
        (Some(12), Some(1), Some(1))
    );
}

#[test]
fn a_mail_user_on_port_25_is_told_apart_from_a_stranger() {
    let refused = |ip: &str| {
        let stamp = "Jun 17 10:00:00 mail postfix/smtpd[8]:";
        format!(
            "{stamp} connect from unknown[{ip}]\n{stamp} disconnect from unknown[{ip}] ehlo=1 auth=0/1 quit=1 commands=2/3"
        )
    };
    let stranger = triage(&[refused("192.0.2.5")]);
    assert_eq!(stranger["causes"], serde_json::json!({"config.auth_not_enabled": 1}));
    let user = triage(&[login(10, "192.0.2.5", "alice@example.org"), refused("192.0.2.5"), refused("192.0.2.6")]);
    assert_eq!(user["causes"], serde_json::json!({"client.wrong_port_25": 1, "config.auth_not_enabled": 1}));
}

#[test]
fn an_attackers_failures_are_no_persons_mistakes() {
    let mut lines: Vec<String> = (0..12).map(|n| failure(100 + n, "203.0.113.67", &format!("user{n}"))).collect();
    lines
        .extend(["anna", "root", "info"].iter().zip(200..).map(|(name, second)| failure(second, "203.0.113.68", name)));
    // These two have mistyped: one gave up, one got in.
    lines.push(failure(300, "192.0.2.5", "bob"));
    lines.push(failure(310, "192.0.2.6", "carol"));
    lines.push(login(320, "192.0.2.6", "carol"));
    let answer = triage(&lines);
    let verdict = |name: &str| {
        let rows = answer["accounts"].as_array().unwrap();
        rows.iter().find(|row| row["username"] == name).unwrap()["verdict"].as_str().unwrap().to_owned()
    };
    let names = ["user3", "anna", "bob", "carol"];
    assert_eq!(names.map(verdict), ["attack", "unclear", "mistyped", "recovered"]);
}

/// A line of every kind that holds a secret, as each daemon writes it.
const SECRETS: &[&str] = &[
    r#"postfix/postscreen[1]: PREGREET 41 after 0.1 from [192.0.2.1]:4711: EHLO x\r\nAUTH PLAIN AGFsaWNl\r\n"#,
    r#"postfix/postscreen[1]: COMMAND PIPELINING from [192.0.2.1]:4711 after EHLO: AUTH PLAIN AGFsaWNl\r\n"#,
    r#"postfix/postscreen[1]: NON-SMTP COMMAND from [192.0.2.1]:4711 after EHLO: AUTH PLAIN AGFsaWNl"#,
    r#"postfix/postscreen[1]: BARE NEWLINE from [192.0.2.1]:4711 after AUTH PLAIN AGFsaWNl"#,
    r#"postfix/smtpd[1]: improper command pipelining after EHLO from u[192.0.2.1]: AUTH PLAIN AGFsaWNl"#,
    r#"postfix/smtpd[1]: improper command pipelining after EHLO from u[192.0.2.1]: EHLO x\r\nAUTH PLAIN AGFsaWNl"#,
    r#"postfix/smtpd[1]: warning: u[192.0.2.1]: request longer than 12288: AGFsaWNlAHNlY3JldA..."#,
    r#"postfix/smtpd[1]: < u[192.0.2.1]: AUTH PLAIN AGFsaWNlAHNlY3JldA=="#,
    r#"postfix/smtp[1]: > r.ex[198.51.100.1]:587: AUTH PLAIN AGFsaWNl"#,
    r#"postfix/smtpd[1]: xsasl_dovecot_server_first: sasl_method PLAIN, initial response AGFs"#,
    r#"postfix/smtp[1]: smtp_sasl_passwd_lookup: host `r.ex' user `joe' pass `secret99'"#,
    r#"dovecot: auth: sql(u,192.0.2.1): unknown user (given password: Password1)"#,
    r#"dovecot: auth: sql(u,192.0.2.1): Password mismatch (given password: a) b) - trying the next passdb"#,
    r#"dovecot: auth: x(u,192.0.2.1): Password mismatch (SHA1 of given password: 21bd12)"#,
    r#"dovecot: auth: Debug: client in: AUTH#0111#011PLAIN#011service=smtp#011resp=AGFs (previous base64 data may contain sensitive data)"#,
    r#"dovecot: auth: Debug: client in: CONT#0111#011c2Vj"#,
    r#"dovecot: auth: Debug: client passdb out: OK#0111#011user=joe#011pass=hunter2"#,
    r#"dovecot: auth: Debug: sql(u@ex.test,192.0.2.1): CRYPT(secret99) != '$1$abc$def'"#,
    r#"dovecot: auth: Error: sql(u,192.0.2.1): Invalid password 'se'cret' in passdb: Not a valid SHA512-CRYPT"#,
    r#"dovecot: auth: shadow(u,192.0.2.1): invalid password field '!$6$salt$hash'"#,
    r#"dovecot: auth: Debug: ldap(u): result: uid=u userPassword={CRYPT}x"#,
    r#"dovecot: auth: Debug: sql(u,192.0.2.1): cache hit: {PLAIN}secret99"#,
    r#"dovecot: auth(u,192.0.2.1,sasl:plain): Debug: sql: PLAIN(a) != 'bcd', try SHA512-CRYPT scheme instead"#,
    r#"dovecot: auth: Debug: sql(u,192.0.2.1): query: SELECT u FROM users WHERE u = 'u' AND password = 'secret99'"#,
    r#"dovecot: auth: Debug: sql(u,192.0.2.1): query: SELECT u FROM users WHERE u = 'u' AND p = PASSWORD("secret99")"#,
    r#"dovecot: auth: Debug: sql(u,192.0.2.1): query: select * from check_login('u','secret99')"#,
    r#"dovecot: auth-worker(1): Error: conn unix:auth-worker (pid=1,uid=1): auth-worker<1>: sql(u,192.0.2.1): Password query failed: near 'SELECT u FROM users WHERE p = "secret99"'"#,
    r#"dovecot: auth: Error: sql(u,192.0.2.1): Password query failed: syntax error: SELECT u WHERE p = "secret99""#,
    r#"dovecot: auth: Error: pgsql(postgresql://joe:secret99@192.0.2.1/mail): Connect failed"#,
    r#"dovecot: auth: Debug: ldap(u,192.0.2.1): result: uid(user)=u userPassword(password)={SSHA}secret99"#,
    r#"dovecot: auth: Debug: passwd-file(u,192.0.2.1): Credentials: 7365637265743939"#,
    r#"saslauthd[1]: auth_rimap: sending saslauthd LOGIN "alice" "secret99""#,
    r#"saslauthd[1]: sql plugin doing query SELECT p FROM users WHERE p = 'secret99';"#,
    r#"postfix/smtpd[1]: sql plugin doing query SELECT p FROM users WHERE p = 'secret99';"#,
    r#"postfix/smtpd[1]: u[192.0.2.1]: replacing command "AUTH PLAIN AGFsaWNlAHNlY3JldA==" with "NOOP""#,
    r#"postfix/postscreen[1]: [192.0.2.1]:4711: replacing command "AUTH PLAIN AGFsaWNlAHNlY3JldA==" with "NOOP""#,
    r#"postfix/smtpd[1]: warning: non-SMTP command from u[192.0.2.1]: AUTH PLAIN AGFsaWNlAHNlY3JldA=="#,
    r#"postfix/smtpd[1]: warning: non-SMTP command from u[192.0.2.1]: 2WVjcmV0OTk="#,
    r#"postfix/smtpd[1]: warning: u[192.0.2.1]: SASL PLAIN authentication failed: AGFsaWNlAHNlY3JldA=="#,
    r#"postfix/smtpd[1]: warning: u[192.0.2.1]: SASL AGFsaWNlAHNlY3JldA== authentication failed: Invalid authentication mechanism"#,
    r#"postfix/smtpd[1]: warning: u[192.0.2.1]: SASL LOGIN authentication failed: UGFzc3dvcmQ6, sasl_username=AGFsaWNlAHNlY3JldA=="#,
    r#"postfix/smtp[1]: maps_find: smtp_sasl_password_maps: hash:/etc/postfix/sasl_passwd(0,lock|fold_fix): [r.ex]:587 = u:secret99"#,
    r#"postfix/proxymap[1]: warning: connect to pgsql server postgresql://joe:secret99@192.0.2.1/mail: refused"#,
    r#"postfix/proxymap[1]: fatal: postgresql://joe:secret99@192.0.2.1/mail: bad"#,
];

/// What is redacted in a line, and what is counted as a secret in the log, is one list: from files and from a store.
#[test]
fn every_secret_is_told_of() {
    let dir = tempfile::tempdir().unwrap();
    let (log, state) = (dir.path().join("mail.log"), dir.path().join("state"));
    let lines: String = SECRETS.iter().map(|row| format!("2026-06-17T10:00:00Z m {row}\n")).collect();
    std::fs::write(&log, lines + "2026-06-17T10:00:00Z m postfix/smtpd[1]: < u[192.0.2.1]: QUIT\n").unwrap();
    let (log, state) = (log.to_str().unwrap(), state.to_str().unwrap());
    let entries = text(&run(["entries", "--format", "ndjson", "--quiet", "--timezone", "UTC", log]));
    assert_eq!(entries.lines().filter(|line| line.contains("[redacted]")).count(), SECRETS.len(), "{entries}");
    assert!(!entries.contains("secret") && !entries.contains("AGFs"), "{entries}");
    assert_eq!(code(&run(["ingest", "--state", state, "--quiet", "--timezone", "UTC", log])), 0);
    for place in [&[log][..], &["--state", state]] {
        let output = run([&["findings", "--json", "--quiet", "--timezone", "UTC"], place].concat());
        let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let found = found["findings"].as_array().unwrap().iter().find(|row| row["kind"] == "secrets_in_log").unwrap();
        assert_eq!(found["counts"]["lines"], SECRETS.len(), "{place:?}");
        assert!(!found["evidence"].as_array().unwrap().is_empty());
    }
}

/// A failure that names nobody may be anybody's: `account` says so, of an account that the log names and of one that it does not.
#[test]
fn an_account_is_told_of_failures_that_name_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let (log, state) = (dir.path().join("mail.log"), dir.path().join("state"));
    let failure = |pid: u32, name: &str| {
        format!(
            "2026-06-17T10:00:00Z m postfix/smtpd[{pid}]: warning: h[192.0.2.{pid}]: SASL LOGIN authentication failed: x{name}\n"
        )
    };
    let lines = [failure(1, ", sasl_username=alice"), failure(2, ""), failure(3, ""), failure(3, "")];
    std::fs::write(&log, lines.concat()).unwrap();
    let (log, state) = (log.to_str().unwrap(), state.to_str().unwrap());
    assert_eq!(code(&run(["ingest", "--state", state, "--quiet", "--timezone", "UTC", log])), 0);
    for place in [&[log][..], &["--state", state]] {
        for name in ["alice", "bob"] {
            let output = run([&["account", name, "--json", "--quiet", "--timezone", "UTC"], place].concat());
            let told: Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!(told["unnamed_failures"], 3, "{name} {place:?}");
            let shown = text(&run([&["account", name, "--quiet", "--timezone", "UTC"], place].concat()));
            assert!(shown.contains("3 failures in the log name nobody") && shown.contains("auth_verbose"), "{shown}");
        }
    }
}

/// Whoever is refused as somebody has got in, even if the session's end is not in the log.
#[test]
fn a_login_that_only_a_refusal_shows_is_a_login() {
    let attack: Vec<String> = (0..11).map(|n| failure(60 * n, "198.51.100.20", &format!("user{n}"))).collect();
    let with = |refusal: &str| {
        let mut lines = vec![login(0, "203.0.113.5", "anna@example.test")];
        lines.extend(attack.clone());
        let stamp = "Jun 17 01:00:00 mail postfix/submission/smtpd[92]:";
        lines.push(format!("{stamp} connect from unknown[198.51.100.20]\n{stamp} NOQUEUE: {refusal}"));
        triage(&lines)
    };
    let tail = "from=<bert@example.test> to=<u@remote.invalid> proto=ESMTP helo=<c>";
    for refusal in [
        format!(
            "reject: RCPT from unknown[198.51.100.20]: 553 5.7.1 <ceo@example.test>: Sender address rejected: not owned by user bert@example.test; {tail}"
        ),
        format!(
            "reject: RCPT from unknown[198.51.100.20]: 550 5.1.1 <u@remote.invalid>: Recipient address rejected: User unknown; {tail} sasl_method=PLAIN sasl_username=bert@example.test"
        ),
        format!(
            "milter-reject: RCPT from unknown[198.51.100.20]: 451 4.7.1 Service unavailable - try again later; {tail} sasl_username=<bert@example.test>"
        ),
    ] {
        let answer = with(&refusal);
        assert_eq!(kinds(&answer, "198.51.100.20"), [("account_takeover".to_owned(), false)], "{refusal}");
        assert_eq!(answer["findings"][0]["accounts"], serde_json::json!(["bert@example.test"]));
        // It is no login by the counters.
        assert_eq!(answer["classes"]["auth_ok"], 1);
    }
    let stranger = with(&format!(
        "reject: RCPT from unknown[198.51.100.20]: 554 5.7.1 <u@remote.invalid>: Relay access denied; {tail}"
    ));
    assert_eq!(kinds(&stranger, "198.51.100.20"), [("spraying".to_owned(), true)]);
}

#[test]
fn auth_refused_unheard_where_others_log_in_is_not_switched_off() {
    let refused = |tag: &str, counters: &str| {
        let stamp = format!("Jun 17 10:00:00 mail postfix/{tag}[8]:");
        format!("{stamp} connect from unknown[192.0.2.9]\n{stamp} disconnect from unknown[192.0.2.9] {counters}")
    };
    let tls = "ehlo=2 starttls=1 auth=0/1 quit=1 commands=4/5";
    let causes = |lines: &[String]| triage(lines)["causes"].clone();
    let here = refused("submission/smtpd", tls);
    assert_eq!(causes(std::slice::from_ref(&here)), serde_json::json!({"config.auth_not_enabled": 1}));
    let user = login(10, "192.0.2.5", "alice@example.org");
    assert_eq!(causes(&[user.clone(), here.clone()]), serde_json::json!({"client.auth_misplaced": 1}));
    let failed = failure(10, "192.0.2.5", "alice@example.org");
    let both = serde_json::json!({"client.auth_misplaced": 1, "cred.undifferentiated": 1});
    assert_eq!(causes(&[failed, here]), both);
    // Without TLS that is what it lacks; and another service is another matter.
    let plain = refused("submission/smtpd", "ehlo=1 auth=0/1 quit=1 commands=2/3");
    assert_eq!(causes(&[user.clone(), plain]), serde_json::json!({"tls.auth_before_starttls": 1}));
    assert_eq!(causes(&[user, refused("smtpd", tls)]), serde_json::json!({"config.auth_not_enabled": 1}));
}

/// Whatever way the log is read: only what is needed, all of the time asked for, with every message, from a store.
#[test]
fn a_balancer_that_mail_comes_in_through_is_not_banned() {
    let session = |n: u32, what: &str, counters: &str| {
        let stamp = |second| format!("Jun 17 08:{:02}:{:02} mail postfix", n % 60, n / 60 * 20 + second);
        let (smtpd, ip) = (format!("smtpd[{n}]:"), "lb.example.org[198.51.100.5]");
        let (connect, middle, disconnect) = (stamp(1), stamp(2), stamp(3));
        let middle = match what {
            "" => format!(
                "{middle}/{smtpd} warning: {ip}: SASL LOGIN authentication failed: (reason unavailable), sasl_username=name{n}x"
            ),
            id => format!("{middle}/{smtpd} {id}: client={ip}\n{middle}/cleanup[9]: {id}: message-id=<{n}@r>"),
        };
        format!("{connect}/{smtpd} connect from {ip}\n{middle}\n{disconnect}/{smtpd} disconnect from {ip} {counters}")
    };
    let tries = (0..40).map(|n| session(n, "", "ehlo=1 auth=0/1 quit=1 commands=2/3"));
    let mail = (0..40).map(|n| session(60 + n, &format!("9A{n:08X}"), "ehlo=1 mail=1 rcpt=1 data=1 quit=1 commands=5"));
    let folder = tempfile::tempdir().unwrap();
    let bans = |name: &str, lines: Vec<String>| {
        let file = folder.path().join(name);
        std::fs::write(&file, lines.join("\n") + "\n").unwrap();
        let (file, state) = (file.to_str().unwrap(), folder.path().join(format!("{name}-state")));
        let state = state.to_str().unwrap();
        let zone = ["--timezone", "UTC", "--year", "2026"];
        let filled = run(["ingest", "--state", state].into_iter().chain(zone).chain([file]));
        assert_eq!(code(&filled), 0, "{}", common::errors(&filled));
        let ways: [&[&str]; 5] = [
            &["triage", "--json", file],
            &["triage", "--json", "--since", "2026-06-17 08:00:00", file],
            &["client", "--json", "198.51.100.5", file],
            &["findings", "--json", file],
            &["triage", "--json", "--state", state],
        ];
        let bans = |way: &&[&str]| {
            let zone: &[&str] = if way.contains(&"--state") { &zone[..2] } else { &zone };
            let answer = text(&run(way.iter().chain(zone)));
            assert!(answer.contains("attack-198.51.100.5"), "{way:?} {answer}");
            answer.replace(' ', "").contains("\"ban\":true")
        };
        ways.iter().map(bans).collect::<Vec<_>>()
    };
    let user = || [login(8 * 3_600, "192.0.2.5", "alice@example.org")].into_iter();
    assert_eq!(bans("guessed", user().chain(tries.clone()).collect()), [true; 5]);
    assert_eq!(bans("balanced", user().chain(tries).chain(mail).collect()), [false; 5]);
}
