//! `trace` against recordings of real daemons, and against what the lab's own client, servers and queue saw.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::string_slice, reason = "a test may panic")]

mod common;

use std::path::{Path, PathBuf};

use common::{code, run, run_with_input, text};
use serde_json::Value;

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../corpus")
}

fn truth(folder: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(folder.join("truth.json")).unwrap()).unwrap()
}

/// Recordings whose truth tells of each queue file.
fn recordings() -> Vec<PathBuf> {
    let folders = std::fs::read_dir(corpus()).unwrap().map(|entry| entry.unwrap().path());
    let mut all: Vec<PathBuf> = folders.filter(|folder| folder.join("truth.json").is_file()).collect();
    all.sort();
    all
}

/// Asks `trace --json` about a file. Output: its exit code and answer.
fn trace(args: &[&str], log: &Path) -> (i32, Value) {
    let log = log.to_str().unwrap();
    let output = run(["trace", "--json"].iter().chain(args).chain([&log]));
    let answer = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    (code(&output), answer)
}

/// Every queue file of an answer.
fn queue_files(answer: &Value) -> Vec<&Value> {
    answer["messages"].as_array().unwrap().iter().flat_map(|mail| mail["queue_files"].as_array().unwrap()).collect()
}

fn traditional(folder: &Path) -> [String; 4] {
    let started = truth(folder)["started"].as_str().unwrap()[..4].to_owned();
    ["--timezone".to_owned(), "UTC".to_owned(), "--year".to_owned(), started]
}

fn string<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// Compares what is told of a queue file with the truth about it.
fn check(told: &Value, truth: &Value, what: &str) {
    assert_eq!(string(&told["parent"], "queue_id"), string(truth, "parent"), "{what}: parent");
    let origin = match (string(&told["origin"], "kind"), string(&told["parent"], "kind")) {
        ("client", "filter" | "hop") => string(&told["parent"], "kind"),
        // A filter in front of the queue has no queue file: told is the client in front of it.
        ("client", "") if truth["origin"] == "filter" => {
            assert_ne!(string(&told["origin"], "client_ip"), "127.0.0.1", "{what}: client");
            "filter"
        }
        ("notice", _) => "notification",
        ("requeue", _) => "requeued",
        (kind, _) => kind,
    };
    assert_eq!(origin, string(truth, "origin"), "{what}: origin");
    assert_eq!(string(told, "from"), string(truth, "sender"), "{what}: sender");
    assert_eq!(format!("<{}>", string(told, "message_id")), string(truth, "message_id"), "{what}: Message-ID");
    assert_eq!(told["active"], truth["active"], "{what}: active");
    let end = match string(told, "end") {
        "expired" => "removed",
        "in_queue" => "queued",
        end => end,
    };
    assert_eq!(end, string(truth, "end"), "{what}: end");
    let mut wanted: Vec<(String, String, String, u64)> = truth["recipients"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|recipient| recipient["status"] != "untried")
        .map(|r| {
            let orig_to = r["orig_to"].as_str().unwrap_or_default();
            (string(r, "to").into(), orig_to.into(), string(r, "status").into(), r["attempts"].as_u64().unwrap())
        })
        .collect();
    let mut found: Vec<(String, String, String, u64)> = told["recipients"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| {
            let status = string(r, "status").replace("handed_on", "sent");
            (string(r, "to").into(), string(r, "orig_to").into(), status, r["attempts"].as_u64().unwrap())
        })
        .collect();
    wanted.sort();
    found.sort();
    assert_eq!(found, wanted, "{what}: recipients");
}

#[test]
fn every_queue_file_is_told_as_it_was() {
    let mut checked = 0;
    for folder in recordings() {
        let truth = truth(&folder);
        for (log, options) in [("mail.log", Vec::new()), ("mail-traditional.log", traditional(&folder).to_vec())] {
            for file in truth["queue_files"].as_array().into_iter().flatten() {
                let what = format!("{} {log} {}", folder.display(), string(file, "queue_id"));
                let mut args: Vec<&str> = options.iter().map(String::as_str).collect();
                args.push(string(file, "queue_id"));
                let (code, answer) = trace(&args, &folder.join(log));
                assert_eq!(code, 0, "{what}");
                let same = |told: &&Value| told["queue_id"] == file["queue_id"] && told["host"] == file["host"];
                let told: Vec<&Value> = queue_files(&answer).into_iter().filter(same).collect();
                assert_eq!(told.len(), 1, "{what}");
                check(told[0], file, &what);
                checked += 1;
            }
        }
    }
    assert!(checked > 0 || !corpus().join("alias_and_forward").exists(), "no recording tells of its queue files");
}

/// Mail of the lab's clients: who sent it, and what became of it at last.
#[test]
fn every_message_of_a_login_has_its_fate() {
    let mut checked = 0;
    for folder in recordings() {
        let truth = truth(&folder);
        for played in truth["messages"].as_array().unwrap().iter().filter(|m| m["message_id"].is_string()) {
            let (code, answer) = trace(&[string(played, "message_id")], &folder.join("mail.log"));
            let what = format!("{} {}", folder.display(), string(played, "message_id"));
            assert_eq!((code, answer["messages"].as_array().unwrap().len()), (0, 1), "{what}");
            let mail = &answer["messages"][0];
            // The truth has the recipients that the client named, a story those that an alias made of them.
            if queue_files(&answer).iter().any(|file| file["origin"]["kind"] == "forward") {
                continue;
            }
            assert_eq!(mail["client_ip"], played["client_ip"], "{what}");
            assert_eq!(mail["username"], played["username"], "{what}");
            let count = |wanted: &[&str]| {
                mail["to"].as_array().unwrap().iter().filter(|to| wanted.contains(&string(to, "status"))).count() as u64
            };
            let fate = &played["fate"];
            let told = [count(&["sent"]), count(&["deferred"]), count(&["bounced", "expired"])];
            let wanted = ["sent", "deferred", "bounced"].map(|key| fate[key].as_u64().unwrap());
            // A recipient of which no line tells was never tried: the truth calls it deferred.
            let untold = played["recipients"].as_u64().unwrap().saturating_sub(mail["recipients"].as_u64().unwrap());
            assert_eq!([told[0], told[1] + untold, told[2]], wanted, "{what}");
            checked += 1;
        }
    }
    assert!(checked > 0 || !corpus().join("alias_and_forward").exists());
}

const FILTERED: &str = "corrected_then_sent_through_filter";

#[test]
fn mail_of_a_login_stands_in_the_order_in_which_it_came() {
    let client = "client.example.net[203.0.113.7]";
    let mut lines = vec![
        format!("Jun 17 10:00:00 mx postfix/submission/smtpd[7]: connect from {client}"),
        format!(
            "Jun 17 10:00:00 mx postfix/submission/smtpd[7]: warning: {client}: SASL PLAIN authentication failed: (reason unavailable), sasl_username=anna"
        ),
    ];
    let ids = ["A1", "B2", "C3"].map(|id| format!("{id}0000000"));
    for id in &ids {
        lines.push(format!("Jun 17 10:00:01 mx postfix/submission/smtpd[7]: {id}: client={client}, sasl_method=PLAIN, sasl_username=anna"));
        lines.push(format!(
            "Jun 17 10:00:01 mx postfix/qmgr[2]: {id}: from=<anna@a.example>, size=9, nrcpt=1 (queue active)"
        ));
    }
    // They end in another order.
    for id in ids.iter().rev() {
        lines.push(format!("Jun 17 10:00:02 mx postfix/virtual[3]: {id}: to=<b@a.example>, relay=virtual, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (delivered)"));
        lines.push(format!("Jun 17 10:00:02 mx postfix/qmgr[2]: {id}: removed"));
    }
    let log = lines.join("\n");
    let told = |args: &[&str]| -> Value {
        let output = run_with_input(args.iter().copied().chain(["--json", "--year", "2026", "-"]), log.as_bytes());
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let order = |mail: &Value| -> Vec<String> {
        mail.as_array().unwrap().iter().map(|mail| string(mail, "queue_id").to_owned()).collect()
    };
    assert_eq!(order(&told(&["triage"])["recovered"][0]["messages"]), ids);
    assert_eq!(order(&told(&["client", "203.0.113.7"])["messages"]), ids);
    assert_eq!(order(&told(&["account", "anna"])["messages"]), ids);
}

#[test]
fn ways_to_ask() {
    let log = corpus().join(FILTERED).join("mail.log");
    let ids = |args: &[&str]| -> Vec<String> {
        let (_, answer) = trace(args, &log);
        let mails = answer["messages"].as_array().unwrap();
        mails.iter().map(|mail| string(mail, "queue_id").to_owned()).collect()
    };
    // By any of its queue files, by its Message-ID with and without brackets, by its envelope, and by the notice about it.
    for args in [
        vec!["72B6E7A"],
        vec!["7F12A7E"],
        vec!["8C9148C"],
        vec!["2.1795348408@client.example.net"],
        vec!["<2.1795348408@client.example.net>"],
        vec!["--to", "Nobody@example.org"],
    ] {
        assert_eq!(ids(&args), ["72B6E7A"], "{args:?}");
    }
    assert_eq!(ids(&["--from", "bob@example.test"]), ["7264079", "72B6E7A"]);
    assert_eq!(ids(&["--from", "bob@example.test", "--to", "carol@example.test"]), ["7264079"]);
    assert_eq!(ids(&["--from", "bob@example.test", "--until", "2026-11-22T11:53:27Z"]), [""; 0]);
    assert_eq!(ids(&["--from", "bob@example.test", "--since", "2026-11-22T11:53:28.57Z"]), ["72B6E7A"]);
}

#[test]
fn exit_codes() {
    let log = corpus().join(FILTERED).join("mail.log");
    assert_eq!(trace(&["ABCDEF0"], &log).0, 1);
    assert_eq!(code(&run(["trace"])), 2);
    assert_eq!(trace(&["7264079"], Path::new("/nonexistent.log")).0, 3);
    let both = run(["trace", "7264079", log.to_str().unwrap(), "/nonexistent.log"]);
    assert_eq!((code(&both), text(&both).contains("carol@example.test")), (4, true));
}

#[test]
fn a_person_reads_the_story_and_its_lines() {
    let log = corpus().join(FILTERED).join("mail.log");
    let output = run(["trace", "8C9148C", "--timezone", "UTC", log.to_str().unwrap()]);
    let page = text(&output).replace(log.to_str().unwrap(), "mail.log");
    for words in [
        "message 72B6E7A from bob@example.test on mail",
        "2 recipients: 1 delivered, 1 returned; nothing more will happen",
        "logged in as bob@example.test (LOGIN)",
        "handed to the content filter",
        "back from the content filter (localhost [127.0.0.1]), was 72B6E7A",
        "refused for good via mx.example.org[198.51.100.25]:25",
        "550 5.1.1 User unknown",
        "sender non-delivery notification about 7F12A7E",
        "mail.log:",
    ] {
        let flat = page.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.contains(words), "{words}: {page}");
    }
    assert!(page.lines().all(|line| line.chars().count() <= 100), "{page}");
}

#[test]
fn standard_input_tells_the_same() {
    let log = corpus().join(FILTERED).join("mail.log");
    let (_, mut from_file) = trace(&["72B6E7A"], &log);
    let output = common::run_with_input(["trace", "--json", "72B6E7A", "-"], &std::fs::read(&log).unwrap());
    let mut from_input: Value = serde_json::from_slice(&output.stdout).unwrap();
    for answer in [&mut from_file, &mut from_input] {
        answer["coverage"] = Value::Null;
        for file in answer["messages"][0]["queue_files"].as_array_mut().unwrap() {
            for line in file["lines"].as_array_mut().unwrap() {
                line["source"] = Value::Null;
            }
        }
    }
    assert_eq!(from_file, from_input);
    assert!(from_file["messages"][0]["queue_files"][0]["lines"].as_array().unwrap().len() > 4);
}

#[test]
fn masked_stories_name_nobody() {
    let log = corpus().join(FILTERED).join("mail.log");
    for args in [vec!["trace", "--mask"], vec!["trace", "--mask", "--json"]] {
        let output = run(args.iter().copied().chain(["72B6E7A", log.to_str().unwrap()]));
        let shown = text(&output);
        for word in ["bob@", "nobody@", "friend@", "203.0.113.82"] {
            assert!(!shown.contains(word), "{args:?} {word}: {shown}");
        }
        assert!(shown.contains("b***@example.test"), "{shown}");
    }
}

/// Sums over all queue files of a log.
#[derive(Default)]
struct Sums {
    messages: loggen::Messages,
    recipients: std::collections::BTreeMap<&'static str, u64>,
    notices: u64,
    forwarded: u64,
}

impl trace::Sink for Sums {
    fn attempt(&mut self, _: &trace::Attempt) {}
    fn login(&mut self, _: &trace::Login) {}
    fn refusal(&mut self, _: &trace::Refusal) {}
    fn message_accepted(&mut self, _: &trace::Where, _: &[u8], _: Option<&[u8]>) {}
    fn story(&mut self, _: &trace::Story) {}

    fn message(&mut self, message: &trace::Message) {
        use trace::{End, Fate, Origin};
        let active = message.activations > 0;
        let sums = &mut self.messages;
        sums.received += u64::from(active);
        sums.removed += u64::from(active && matches!(message.end, End::Removed | End::Expired));
        sums.expired += u64::from(message.end == End::Expired);
        sums.deleted += u64::from(active && message.end == End::Deleted);
        sums.in_queue += u64::from(active && message.ended.is_none());
        sums.held += u64::from(message.end == End::Held);
        sums.never_active += u64::from(!active && matches!(message.end, End::Held | End::Deleted));
        self.notices += u64::from(matches!(message.origin, Origin::Notice { .. }));
        self.forwarded += u64::from(message.origin == Origin::Forward);
        for recipient in message.recipients() {
            let fate = if recipient.fate == Fate::HandedOn { Fate::Sent } else { recipient.fate };
            *self.recipients.entry(fate.name()).or_default() += 1;
        }
    }
}

/// A busy week on three hosts, with queue ids that come again: every queue file ends as the generator says it did.
#[test]
fn every_queue_file_of_a_generated_week() {
    let settings = loggen::Settings { bytes: 8_000_000, stamp: loggen::Stamp::Rfc3339, ..loggen::Settings::default() };
    let mut log = Vec::new();
    let truth = loggen::generate(&settings, &mut log).unwrap().report;
    let mut sums = Sums::default();
    let mut tracer = trace::Tracer::following(trace::Follow::All, trace::Limits::default());
    for (id, line) in log.split(|byte| *byte == b'\n').enumerate() {
        let Some(record) = maillog::record(line) else { continue };
        let (Some(event), maillog::Stamp::Instant(time)) = (maillog::event(&record), record.stamp) else { continue };
        tracer.line(&trace::Line { id: id as u64, time, record: &record, event: &event }, &mut sums);
    }
    tracer.finish(&mut sums);
    assert_eq!(sums.messages, truth.messages);
    let recipients: std::collections::BTreeMap<&str, u64> =
        truth.recipients.iter().map(|(status, count)| (status.as_str(), *count)).collect();
    assert_eq!(sums.recipients, recipients);
    assert_eq!((sums.notices, sums.forwarded), (truth.notifications, truth.forwarded));
}

/// `sent` is the status of what a filter or the `discard` service throws away, too.
#[test]
fn what_is_thrown_away_is_not_delivered() {
    let told = |agent: &str, relay: &str, response: &str| {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("mail.log");
        let lines = [
            "2026-06-15T08:00:00Z m postfix/smtpd[1]: AAAAA1: client=h.example[192.0.2.1]".to_owned(),
            "2026-06-15T08:00:00Z m postfix/qmgr[3]: AAAAA1: from=<a@h.example>, size=10, nrcpt=1 (queue active)"
                .to_owned(),
            format!(
                "2026-06-15T08:00:01Z m postfix/{agent}[4]: AAAAA1: to=<x@b.example>, relay={relay}, delay=1, delays=0/0/0/1, dsn=2.7.0, status=sent ({response})"
            ),
            "2026-06-15T08:00:01Z m postfix/qmgr[3]: AAAAA1: removed".to_owned(),
        ];
        std::fs::write(&file, lines.join("\n") + "\n").unwrap();
        text(&run(["trace", "--timezone", "UTC", "AAAAA1", file.to_str().unwrap()]))
    };
    for (agent, relay, response, expected) in [
        (
            "smtp",
            "127.0.0.1[127.0.0.1]:10024",
            "250 2.7.0 Ok, discarded, id=00200-01 - spam",
            "x@b.example: thrown away via",
        ),
        ("discard", "none", "silently", "x@b.example: thrown away after 1 s: silently"),
        ("smtp", "mx.b.example[192.0.2.9]:25", "250 2.0.0 Ok: queued as 1", "x@b.example: delivered via"),
    ] {
        let page = told(agent, relay, response);
        assert!(page.contains(expected), "{page}");
    }
}

/// A login's transaction is broken off, and its queue id is a stranger's later: the stranger's mail is not the account's.
#[test]
fn nobody_gets_a_strangers_mail() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("mail.log");
    let lines = [
        "2026-06-15T07:59:50Z m postfix/submission/smtpd[9]: warning: c.example[203.0.113.60]: SASL PLAIN authentication failed: authentication failure, sasl_username=bob@example.test",
        "2026-06-15T08:00:00Z m postfix/submission/smtpd[10]: connect from c.example[203.0.113.60]",
        "2026-06-15T08:00:00Z m postfix/submission/smtpd[10]: AAAAA1: client=c.example[203.0.113.60], sasl_method=PLAIN, sasl_username=bob@example.test",
        "2026-06-15T08:00:09Z m postfix/submission/smtpd[10]: lost connection after DATA (0 bytes) from c.example[203.0.113.60]",
        "2026-06-15T08:00:09Z m postfix/submission/smtpd[10]: disconnect from c.example[203.0.113.60] ehlo=2 starttls=1 auth=1 mail=1 rcpt=1 data=0/1 commands=6/7",
        "2026-06-15T08:20:00Z m postfix/smtpd[11]: connect from d.example[203.0.113.77]",
        "2026-06-15T08:20:00Z m postfix/smtpd[11]: AAAAA1: client=d.example[203.0.113.77]",
        "2026-06-15T08:20:00Z m postfix/qmgr[5]: AAAAA1: from=<other@x.example>, size=800, nrcpt=1 (queue active)",
        "2026-06-15T08:20:01Z m postfix/smtp[12]: AAAAA1: to=<victim@r.example>, relay=mx.r.example[198.51.100.9]:25, delay=2, delays=0/1/0/1, dsn=2.0.0, status=sent (250 ok)",
        "2026-06-15T08:20:01Z m postfix/qmgr[5]: AAAAA1: removed",
    ];
    std::fs::write(&file, lines.join("\n") + "\n").unwrap();
    let file = file.to_str().unwrap();
    for more in [&[][..], &["--since", "2026-06-15T07:00:00Z"]] {
        let args = [&["triage", "--json", "--timezone", "UTC"], more, &[file]].concat();
        let answer: Value = serde_json::from_slice(&run(&args).stdout).unwrap();
        assert_eq!(answer["recovered"][0]["messages"], serde_json::json!([]), "{}", answer["recovered"]);
        assert_eq!(answer["accounts"][0]["messages"], 0);
    }
    let page = text(&run(["account", "--timezone", "UTC", "bob@example.test", file]));
    assert!(!page.contains("victim@r.example"), "{page}");
}

/// A rule holds a message before it has a queue file, and its client's counters say that it was taken: the story tells so, with the line.
#[test]
fn held_before_it_has_a_queue_id() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("mail.log");
    let rule = "2026-06-15T08:00:00Z m postfix/smtpd[1]: NOQUEUE: hold: RCPT from h.example[192.0.2.1]: <s@h.example>: Sender address triggers HOLD action; from=<s@h.example> to=<x@b.example> proto=ESMTP helo=<h>";
    let told = |rule: &str, counters: &str| {
        let lines = [
            rule,
            "2026-06-15T08:00:00Z m postfix/smtpd[1]: AAAAA1: client=h.example[192.0.2.1]",
            "2026-06-15T08:00:00Z m postfix/cleanup[2]: AAAAA1: message-id=<1@h.example>",
            &format!(
                "2026-06-15T08:00:01Z m postfix/smtpd[1]: disconnect from h.example[192.0.2.1] ehlo=1 {counters} quit=1"
            ),
            "2026-06-15T09:30:00Z m postfix/smtpd[3]: connect from h.example[192.0.2.9]",
        ];
        std::fs::write(&file, lines.join("\n") + "\n").unwrap();
        text(&run(["trace", "--timezone", "UTC", "AAAAA1", file.to_str().unwrap()]))
    };
    let connect = "2026-06-15T08:00:00Z m postfix/smtpd[1]: connect from h.example[192.0.2.1]";
    let page = told(rule, "mail=1 rcpt=1 data=1");
    assert!(page.contains("on hold at the end of the log") && page.contains("NOQUEUE: hold"), "{page}");
    let page = told(connect, "mail=1 rcpt=1 data=1");
    assert!(page.contains("still in the queue at the end of the log"), "{page}");
    let page = told(connect, "mail=1 rcpt=1 data=0/1");
    assert!(page.contains("the client broke off"), "{page}");
}
