//! `rehearse` and `bans` beside a real fail2ban, and what they say of logs by themselves.
//!
//! The real one runs in a folder of its own, with its own socket, reads a log of the test's and has no action: it bans nobody.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod common;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use common::{code, errors, run, text};
use jiff::{Timestamp, ToSpan as _};
use serde_json::Value;

const CONFIG: &str = "/etc/fail2ban";

/// A fail2ban of the test's own; dropped, it is gone.
struct Fail2ban {
    folder: tempfile::TempDir,
}

impl Fail2ban {
    /// `None`: fail2ban is not installed here (`cargo xtask test` installs it).
    fn start(jail: &str) -> Option<Self> {
        let installed = Command::new("fail2ban-client").arg("--version").output().is_ok() && Path::new(CONFIG).is_dir();
        if !installed {
            assert!(std::env::var_os("LAB_PROGRAMS").is_none(), "fail2ban was to be installed");
            eprintln!("skipped: fail2ban is not installed");
            return None;
        }
        let fail2ban = Self { folder: tempfile::tempdir().unwrap() };
        assert!(Command::new("cp").arg("-a").arg(CONFIG).arg(fail2ban.config()).status().unwrap().success());
        let _ = std::fs::remove_dir_all(fail2ban.config().join("jail.d"));
        let log = fail2ban.log();
        std::fs::write(&log, "").unwrap();
        let jail = format!("{jail}backend = polling\nlogpath = {}\naction =\n", log.display());
        std::fs::write(fail2ban.config().join("jail.local"), jail).unwrap();
        let local = format!("[DEFAULT]\nlogtarget = {}\ndbfile = None\n", fail2ban.own_log().display());
        std::fs::write(fail2ban.config().join("fail2ban.local"), local).unwrap();
        let started = fail2ban.client(&["start"]);
        assert!(started.status.success(), "{}", String::from_utf8_lossy(&started.stderr));
        Some(fail2ban)
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("config")
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("mail.log")
    }

    fn own_log(&self) -> PathBuf {
        self.folder.path().join("fail2ban.log")
    }

    fn client(&self, arguments: &[&str]) -> std::process::Output {
        let mut command = Command::new("fail2ban-client");
        // Its log has local time, as ours is read.
        command.env("TZ", "UTC").arg("-c").arg(self.config()).arg("-s").arg(self.folder.path().join("s")).arg("-p");
        command.arg(self.folder.path().join("p")).args(arguments).output().unwrap()
    }

    /// Waits until it has found so many failures.
    fn has_found(&self, expected: usize) {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let log = std::fs::read_to_string(self.own_log()).unwrap_or_default();
            let found = log.lines().filter(|line| line.contains("] Found ")).count();
            if found >= expected && self.client(&["ping"]).status.success() {
                return;
            }
            assert!(Instant::now() < deadline, "found {found} of {expected}:\n{log}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Waits until it bans nobody more: the last ones found may be about to be banned.
    fn has_banned(&self) {
        let bans = || std::fs::read_to_string(self.own_log()).unwrap_or_default().matches("] Ban ").count();
        let mut known = None;
        while known != Some(bans()) {
            known = Some(bans());
            std::thread::sleep(Duration::from_secs(3));
        }
    }
}

impl Drop for Fail2ban {
    fn drop(&mut self) {
        self.client(&["stop"]);
    }
}

fn failure(time: Timestamp, ip: &str, mechanism: &str, reason: &str) -> String {
    format!(
        "{} mail postfix/submission/smtpd[7]: warning: unknown[{ip}]: SASL {mechanism} authentication failed: {reason}\n",
        time.strftime("%Y-%m-%dT%H:%M:%S.000000+00:00")
    )
}

/// Addresses with failures of every kind, some of them more than the jail takes; and how many of these fail2ban's filter matches.
fn campaign(now: Timestamp) -> (String, usize) {
    let reasons = [
        "authentication failure",
        "UGFzc3dvcmQ6",
        "(reason unavailable), sasl_username=bob",
        "Connection lost to authentication server",
        "Invalid authentication mechanism",
        "generic failure",
        "",
    ];
    let mechanisms = ["LOGIN", "PLAIN", "CRAM-MD5", "XOAUTH2", "login"];
    let mut lines: Vec<(Timestamp, String)> = Vec::new();
    let mut matched = 0;
    for client in 0..30_usize {
        for failure_no in 0..=client % 9 {
            let (n, gap) = (client * 7 + failure_no * 5, [3, 11, 29][client % 3]);
            let seconds = 250 - (client % 40 + failure_no * gap) as i64;
            let time = now - seconds.max(1).seconds();
            let (mechanism, reason) = (mechanisms[n % mechanisms.len()], reasons[(n / 3) % reasons.len()]);
            let is_left_out = reason.starts_with("Connection lost") || reason.starts_with("Invalid");
            matched += usize::from(mechanism != "XOAUTH2" && !is_left_out);
            lines.push((time, failure(time, &format!("203.0.113.{}", client + 1), mechanism, reason)));
        }
    }
    lines.sort();
    (lines.into_iter().map(|(_, line)| line).collect(), matched)
}

fn addresses(answer: &Value, list: &str) -> BTreeSet<String> {
    answer[list].as_array().unwrap().iter().map(|row| row["client_ip"].as_str().unwrap().to_owned()).collect()
}

fn json(args: &[&str]) -> Value {
    let output = run(args);
    assert!(code(&output) < 2, "{args:?}: {}", errors(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn the_rehearsal_bans_whom_fail2ban_bans() {
    let jail = "[postfix-sasl]\nenabled = true\nmaxretry = 4\nfindtime = 5m\nbantime = 1h\nignoreip = 203.0.113.27\n";
    let Some(fail2ban) = Fail2ban::start(jail) else { return };
    let (lines, matched) = campaign(Timestamp::now());
    std::fs::write(fail2ban.log(), lines).unwrap();
    let ignored = 9;
    assert!(matched > 40);
    fail2ban.has_found(matched - ignored);
    fail2ban.has_banned();
    let (log, own_log, config) = (fail2ban.log(), fail2ban.own_log(), fail2ban.config());
    let [log, own_log, config] = [&log, &own_log, &config].map(|path| path.to_str().unwrap());
    let real: BTreeSet<String> = std::fs::read_to_string(own_log)
        .unwrap()
        .lines()
        .filter_map(|line| line.split_once("] Ban "))
        .map(|(_, ip)| ip.trim().to_owned())
        .collect();
    let rehearsed = json(&["rehearse", log, "--jail", "postfix-sasl", "--fail2ban-config", config, "--json"]);
    assert!(real.len() > 3);
    assert_eq!(addresses(&rehearsed, "bans"), real);
    assert_eq!(rehearsed["jail"]["findtime"], 300);

    let bans = json(&["bans", log, "--fail2ban-log", own_log, "--json", "--top", "0", "--timezone", "UTC"]);
    assert_eq!(bans["jails"][0]["sight"], "in_step", "{bans}");
    assert_eq!(addresses(&bans, "bans"), real);
    let unban = bans["bans"][0]["unban"].as_str().unwrap();
    assert!(unban.starts_with("fail2ban-client set postfix-sasl unbanip 203.0.113."), "{unban}");
}

#[test]
fn a_hand_count() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("mail.log");
    let start: Timestamp = "2026-06-17T10:00:00Z".parse().unwrap();
    let mut lines = String::new();
    let mut add = |second: i64, line: &str| {
        let time = start + second.seconds();
        let _ = writeln!(
            lines,
            "{} mail postfix/submission/smtpd[7]: {line}",
            time.strftime("%Y-%m-%dT%H:%M:%S.000000+00:00")
        );
    };
    for second in [0, 10, 20, 30, 40, 50, 60] {
        add(second, "warning: unknown[203.0.113.9]: SASL LOGIN authentication failed: authentication failure");
    }
    // Somebody mistypes three times and gets in.
    for second in [100, 110, 120] {
        add(
            second,
            "warning: unknown[198.51.100.7]: SASL PLAIN authentication failed: (reason unavailable), sasl_username=anna@example.org",
        );
    }
    add(130, "connect from unknown[198.51.100.7]");
    add(131, "0F5383D12: client=unknown[198.51.100.7], sasl_method=PLAIN, sasl_username=anna@example.org");
    add(132, "disconnect from unknown[198.51.100.7] ehlo=1 auth=1 quit=1 commands=3");
    std::fs::write(&log, lines).unwrap();
    let log = log.to_str().unwrap();
    let strict = json(&["rehearse", log, "--maxretry", "3", "--findtime", "60", "--bantime", "25", "--json"]);
    let row = |ban: &Value| {
        let names = ["client_ip", "failures", "real_user", "prevented", "logins_lost"];
        names.map(|name| ban[name].to_string().trim_matches('"').to_owned()).join(" ")
    };
    let bans: Vec<String> = strict["bans"].as_array().unwrap().iter().map(row).collect();
    assert_eq!(bans, ["203.0.113.9 3 false 2 0", "198.51.100.7 3 true 0 1"]);
    assert_eq!(strict["bans"][0]["at"], "2026-06-17T10:00:20.000000Z");
    let usual = json(&["rehearse", log, "--json"]);
    assert_eq!(addresses(&usual, "bans"), BTreeSet::from(["203.0.113.9".to_owned()]));
    let spared = json(&["rehearse", log, "--maxretry", "3", "--ignore", "198.51.100.0/24", "--json"]);
    assert_eq!(addresses(&spared, "bans"), BTreeSet::from(["203.0.113.9".to_owned()]));
    let lax = json(&["rehearse", log, "--maxretry", "9", "--json"]);
    assert_eq!(
        (addresses(&lax, "bans").len(), addresses(&lax, "missed")),
        (0, BTreeSet::from(["203.0.113.9".to_owned()]))
    );
}

#[test]
fn wrong_use_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("mail.log");
    std::fs::write(&log, "").unwrap();
    let (log, empty) = (log.to_str().unwrap(), folder.path().to_str().unwrap());
    for (args, words) in [
        (&["rehearse", log, "--jail", "nobody", "--fail2ban-config", empty][..], "knows no jail of that name"),
        (&["rehearse", log, "--ignore", "here"], "--ignore here"),
        (&["rehearse", log, "--maxretry", "0"], "maxretry"),
        (&["bans", log, "--fail2ban-log", "/nowhere/f.log"], "/nowhere/f.log"),
        (&["bans", log, "--crowdsec", log], "not JSON"),
        (&["blocklist", log, "--mask"], "--mask"),
    ] {
        let output = run(args);
        assert_eq!(code(&output), 2, "{args:?}: {}", text(&output));
        assert!(errors(&output).contains(words), "{args:?}: {}", errors(&output));
    }
}

#[test]
fn a_blind_jail_is_a_fault_and_a_block_list_spares_users() {
    let folder = tempfile::tempdir().unwrap();
    let (log, own_log) = (folder.path().join("mail.log"), folder.path().join("fail2ban.log"));
    let start: Timestamp = "2026-06-17T10:00:00Z".parse().unwrap();
    // Somebody gets in: so it is known whose names the others' are not.
    let mut lines = format!(
        "{} mail postfix/submission/smtpd[7]: 4AAAA: client=unknown[192.0.2.5], sasl_method=PLAIN, sasl_username=anna\n",
        start.strftime("%Y-%m-%dT%H:%M:%S.000000+00:00")
    );
    for client in [8, 9] {
        for n in 0..40 {
            let time = start + (600 + n * 2).seconds();
            let named = format!("(reason unavailable), sasl_username=user{n}");
            lines += &failure(time, &format!("203.0.113.{client}"), "LOGIN", &named);
        }
    }
    std::fs::write(&log, &lines).unwrap();
    let own = "2026-06-17 09:00:00,000 fail2ban.jail [1]: INFO    Jail 'postfix-sasl' started\n2026-06-17 09:00:01,000 fail2ban.actions [1]: NOTICE  [sshd] Ban 203.0.113.8\n2026-06-17 12:00:00,000 fail2ban.actions [1]: NOTICE  [sshd] Unban 192.0.2.1\n";
    std::fs::write(&own_log, own).unwrap();
    let (log, own_log) = (log.to_str().unwrap(), own_log.to_str().unwrap());
    let output = run(["bans", log, "--fail2ban-log", own_log, "--json", "--timezone", "UTC"]);
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((code(&output), answer["jails"][0]["sight"].as_str()), (1, Some("blind")), "{answer}");
    assert_eq!(answer["bans"][0]["failures_during"], 40);

    let story = json(&["client", "203.0.113.8", log, "--fail2ban-log", own_log, "--json", "--timezone", "UTC"]);
    assert_eq!(story["bans"]["fail2ban"][0]["jail"], "sshd");

    let plain = text(&run(["blocklist", log]));
    let nets: Vec<&str> = plain.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(nets, ["203.0.113.8/31"], "{plain}");
    let own = json(&["blocklist", log, "--own-network", "203.0.113.9", "--json"]);
    assert_eq!(own["blocked"][0]["net"], "203.0.113.8/32");
    assert_eq!(own["left_out"][0]["client_ip"], "203.0.113.9");
}

/// The filter in `contrib/` matches every failed login of the recordings, and no other line.
#[test]
fn our_filter_matches_what_servers_write() {
    let Some(fail2ban) = Fail2ban::start("[DEFAULT]\n") else { return };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let filter = root.join("contrib/fail2ban/filter.d/postfix-logins.conf");
    std::fs::copy(&filter, fail2ban.config().join("filter.d/postfix-logins.conf")).unwrap();
    let (mut expected, mut others) = (Vec::new(), Vec::new());
    for recording in std::fs::read_dir(root.join("corpus")).unwrap() {
        let log = recording.unwrap().path().join("mail.log");
        if !log.is_file() {
            continue;
        }
        let output = run([Path::new("entries"), Path::new("--format"), Path::new("ndjson"), &log]);
        let lines = std::fs::read(&log).unwrap();
        let lines: Vec<&[u8]> = lines.split(|byte| *byte == b'\n').collect();
        for entry in text(&output).lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
            let line = String::from_utf8_lossy(lines[usize::try_from(entry["line"].as_u64().unwrap()).unwrap() - 1])
                .into_owned();
            let is_guess = entry["class"] == "auth_failed"
                && entry["event"] == "sasl_failed"
                && entry["cause"] != "client.mechanism_unsupported"
                && entry["client_ip"].is_string()
                && entry.get("repeat").is_none();
            let is_about_it = line.contains("authentication failed:") && !line.contains("message repeated");
            if is_guess {
                expected.push(line);
            } else if !is_about_it {
                others.push(line);
            }
        }
    }
    assert!(expected.len() > 100 && others.len() > 1_000, "{} {}", expected.len(), others.len());
    let matched = |lines: &[String]| {
        let sample = fail2ban.folder.path().join("sample.log");
        std::fs::write(&sample, lines.join("\n") + "\n").unwrap();
        let mut command = Command::new("fail2ban-regex");
        command.arg("-c").arg(fail2ban.config()).args(["--print-all-missed"]).arg(&sample).arg("postfix-logins");
        let output = String::from_utf8(command.output().unwrap().stdout).unwrap();
        let line = output.lines().find(|line| line.starts_with("Lines: ")).unwrap_or_default().to_owned();
        let count = |what: &str| {
            let part = line.split(", ").find(|part| part.trim_end().ends_with(what));
            part.and_then(|part| part.split_whitespace().next()?.parse::<usize>().ok()).unwrap_or_default()
        };
        (count("matched"), output)
    };
    let (found, told) = matched(&expected);
    assert_eq!(found, expected.len(), "{told}");
    let (found, _) = matched(&others);
    assert_eq!(found, 0);
}
