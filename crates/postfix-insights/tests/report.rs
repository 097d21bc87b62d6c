//! `report`: its numbers against what was played and generated, its pages against hostile text, and the mail it sends.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test may panic"
)]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::common::{code, errors, repository, run, text};

fn report(args: &[&str], files: &[&Path]) -> Value {
    let mut all = vec!["report", "--json", "--timezone", "UTC"];
    all.extend(args);
    let files: Vec<String> = files.iter().map(|file| file.to_str().unwrap().to_owned()).collect();
    all.extend(files.iter().map(String::as_str));
    let output = run(&all);
    assert_eq!(code(&output), 0, "{}", errors(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A report of lines given as text.
fn report_lines(args: &[&str], lines: &[&str]) -> Value {
    let dir = tempfile::tempdir().unwrap();
    let file = log(dir.path(), lines);
    report(args, &[&file])
}

fn log(dir: &Path, lines: &[&str]) -> PathBuf {
    let file = dir.join("mail.log");
    fs::write(&file, lines.join("\n") + "\n").unwrap();
    file
}

fn counts(value: &Value) -> BTreeMap<String, u64> {
    value.as_object().unwrap().iter().filter_map(|(key, n)| Some((key.clone(), n.as_u64()?))).collect()
}

fn generated(dir: &Path, settings: &loggen::Settings) -> (PathBuf, loggen::Truth) {
    let mut log = Vec::new();
    let truth = loggen::generate(settings, &mut log).unwrap();
    let file = dir.join("mail.log");
    fs::write(&file, log).unwrap();
    (file, truth)
}

#[test]
fn generated_logs_come_out_as_they_were_made() {
    let dir = tempfile::tempdir().unwrap();
    let settings = loggen::Settings { bytes: 6_000_000, ..loggen::Settings::default() };
    let (file, truth) = generated(dir.path(), &settings);
    let answer = report(&["--top", "0"], &[&file]);
    let (messages, made) = (counts(&answer["messages"]), &truth.report.messages);
    for (key, count) in [
        ("received", made.received),
        ("removed", made.removed),
        ("expired", made.expired),
        ("deleted", made.deleted),
        ("in_queue", made.in_queue),
        ("never_active", made.never_active),
        ("bytes", truth.report.bytes),
    ] {
        assert_eq!(messages[key], count, "{key}");
    }
    for (key, wanted) in [("recipients", &truth.report.recipients), ("deliveries", &truth.report.deliveries)] {
        let told = counts(&answer[key]);
        for (status, count) in wanted {
            assert_eq!(told[status], *count, "{key} {status}");
        }
    }
    let handed_on = counts(&answer["handed_on"]);
    assert_eq!((handed_on["filter"], handed_on["forward"]), (truth.report.to_filter, truth.report.forwarded));
    let delivered = truth.report.deliveries["sent"] - truth.report.to_filter - truth.report.forwarded;
    assert_eq!(answer["delivered"]["deliveries"], delivered);
    assert_eq!(counts(&answer["rejects"]).values().sum::<u64>(), truth.rejects.values().sum::<u64>());
    assert_eq!(counts(&answer["tls"]["in"]["handshakes"]), truth.report.tls_in);
    assert_eq!(counts(&answer["tls"]["out"]["handshakes"]), truth.report.tls_out);
    let relays = answer["relays"].as_array().unwrap();
    for wanted in &truth.report.relays {
        let row = relays.iter().find(|row| row["relay"] == wanted.name.as_str()).unwrap();
        assert_eq!(row["sent"], wanted.count, "{}", wanted.name);
    }
    let by_day: u64 =
        answer["days"].as_array().unwrap().iter().map(|day| day["counts"]["received"].as_u64().unwrap()).sum();
    let by_hour: u64 = answer["hours"].as_array().unwrap().iter().map(|hour| hour["received"].as_u64().unwrap()).sum();
    assert_eq!((by_day, by_hour), (made.received, made.received));
}

/// Sent and not sent, and the delays of what was sent, by recipient domain, read with plain string functions.
fn destinations(log: &str) -> BTreeMap<String, (Vec<f64>, u64)> {
    let mut found: BTreeMap<String, (Vec<f64>, u64)> = BTreeMap::new();
    let between = |line: &str, start: &str, end: &str| -> Option<String> {
        let rest = &line[line.find(start)? + start.len()..];
        Some(rest[..rest.find(end)?].to_owned())
    };
    for line in log.lines() {
        let Some((_, rest)) = line.split_once(": to=<") else { continue };
        let Some(relay) = between(rest, ">, relay=", ", ") else { continue };
        let Some(status) = between(rest, ", status=", " ") else { continue };
        if relay.starts_with("127.0.0.1") {
            continue;
        }
        let to = &rest[..rest.find(['>']).unwrap()];
        let row = found.entry(to.rsplit('@').next().unwrap().to_lowercase()).or_default();
        match status.as_str() {
            "sent" => row.0.push(between(rest, ", delay=", ",").unwrap().parse().unwrap()),
            _ => row.1 += 1,
        }
    }
    found
}

#[test]
fn delays_are_those_of_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let settings = loggen::Settings { bytes: 4_000_000, seed: 5, ..loggen::Settings::default() };
    let (file, _) = generated(dir.path(), &settings);
    let answer = report(&["--top", "0"], &[&file]);
    let wanted = destinations(&fs::read_to_string(&file).unwrap());
    let rows = answer["destinations"].as_array().unwrap();
    assert_eq!(rows.len(), wanted.len());
    for row in rows {
        let domain = row["domain"].as_str().unwrap();
        let (mut delays, not_sent) = wanted[domain].clone();
        let told = counts(row);
        assert_eq!((told["sent"], told["deferred"] + told["bounced"]), (delays.len() as u64, not_sent), "{domain}");
        delays.sort_by(f64::total_cmp);
        for (key, per_cent) in [("p50", 50), ("p95", 95), ("p99", 99), ("max", 100)] {
            let at = (delays.len() * per_cent).div_ceil(100).max(1) - 1;
            let exact = delays.get(at).copied().unwrap_or_default();
            let told = row["delivery_time"][key].as_f64().unwrap();
            assert!((told - exact).abs() <= (exact * 0.01).max(0.001), "{domain} {key}: {told}, exact {exact}");
        }
        let within = delays.iter().filter(|delay| **delay <= 60.0).count() as u64;
        assert_eq!(row["delivery_time"]["sla"][0]["within"].as_u64().unwrap_or_default(), within, "{domain}");
    }
}

#[test]
fn recordings_come_out_as_they_were_played() {
    let mut compared = 0;
    for recording in fs::read_dir(repository().join("corpus")).unwrap() {
        let folder = recording.unwrap().path();
        let Ok(truth) = fs::read(folder.join("truth.json")) else { continue };
        let truth: Value = serde_json::from_slice(&truth).unwrap();
        let expect = &truth["expect"]["report"];
        if expect.is_null() {
            continue;
        }
        for name in ["mail.log", "mail-traditional.log"] {
            let file = folder.join(name);
            if !file.exists() {
                continue;
            }
            let answer = report(&["--year", "2026"], &[&file]);
            compared += 1;
            for key in ["messages", "recipients", "deliveries"] {
                let told = counts(&answer[key]);
                for (what, count) in &counts(&expect[key]) {
                    assert_eq!(told[what], *count, "{} {key} {what}", file.display());
                }
            }
            let rejects: u64 = counts(&answer["rejects"]).values().sum();
            assert_eq!(Some(rejects), expect["rejects"].as_u64(), "{} rejects", file.display());
        }
    }
    assert!(compared >= 20, "{compared} recordings");
}

const MONDAY: &[&str] = &[
    "2026-06-15T08:00:00Z m postfix/smtpd[1]: connect from h.example[192.0.2.1]",
    "2026-06-15T08:00:00Z m postfix/smtpd[1]: Anonymous TLS connection established from h.example[192.0.2.1]: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)",
    "2026-06-15T08:00:00Z m postfix/smtpd[1]: AAAAA1: client=h.example[192.0.2.1]",
    "2026-06-15T08:00:00Z m postfix/cleanup[2]: AAAAA1: message-id=<1@h.example>",
    "2026-06-15T08:00:00Z m postfix/qmgr[3]: AAAAA1: from=<a@h.example>, size=1000, nrcpt=3 (queue active)",
    "2026-06-15T08:00:01Z m postfix/smtp[4]: AAAAA1: to=<x@slow.example>, relay=none, delay=1, delays=0/0/1/0, dsn=4.4.1, status=deferred (connect to mx.slow.example[192.0.2.9]:25: Connection timed out)",
    "2026-06-15T08:00:01Z m postfix/smtp[5]: AAAAA1: to=<y@gone.example>, relay=mx.gone.example[192.0.2.8]:25, delay=1, delays=0/0/1/0, dsn=5.1.1, status=bounced (host mx.gone.example[192.0.2.8] said: 550 5.1.1 <y@gone.example>: Recipient address rejected: User unknown (in reply to RCPT TO command))",
    "2026-06-15T08:00:01Z m postfix/smtp[6]: Trusted TLS connection established to mx.good.example[192.0.2.7]:25: TLSv1.2 with cipher ECDHE (256/256 bits)",
    "2026-06-15T08:00:01Z m postfix/smtp[6]: AAAAA1: to=<z@good.example>, relay=mx.good.example[192.0.2.7]:25, delay=1, delays=0/0/1/0, dsn=2.0.0, status=sent (250 ok)",
    "2026-06-15T09:00:00Z m postfix/qmgr[3]: AAAAA1: from=<a@h.example>, size=1000, nrcpt=3 (queue active)",
    "2026-06-15T09:00:02Z m postfix/smtp[4]: AAAAA1: to=<x@slow.example>, relay=mx.slow.example[192.0.2.9]:25, delay=3602, delays=3600/0/1/1, dsn=2.0.0, status=sent (250 ok)",
    "2026-06-15T09:00:02Z m postfix/qmgr[3]: AAAAA1: removed",
    "2026-06-15T10:00:00Z m postfix/smtpd[1]: NOQUEUE: reject: RCPT from bad.example[192.0.2.66]: 554 5.7.1 Service unavailable; Client host [192.0.2.66] blocked using zen.spamhaus.org; from=<s@bad.example> to=<z@m.example> proto=ESMTP helo=<bad>",
    "2026-06-15T10:00:00Z m postfix/smtpd[1]: warning: hostname bad.example does not resolve to address 192.0.2.66",
];

#[test]
fn one_message_in_every_number() {
    let answer = report_lines(&[], MONDAY);
    assert_eq!(
        counts(&answer["recipients"]),
        counts(&serde_json::json!({"sent": 2, "deferred": 0, "bounced": 1, "expired": 0}))
    );
    assert_eq!(
        counts(&answer["deliveries"]),
        counts(&serde_json::json!({"sent": 2, "deferred": 1, "bounced": 1, "expired": 0}))
    );
    assert_eq!(answer["deferred_then"]["sent"], 1);
    assert_eq!(answer["messages"]["received"], 1);
    assert_eq!(counts(&answer["rejects"]), [("blocklisted".to_owned(), 1)].into());
    assert_eq!(answer["tls"]["in"]["by_version"]["TLSv1.3"], 1);
    assert_eq!(
        (&answer["tls"]["out"]["by_version"]["TLSv1.2"], &answer["tls"]["out"]["clear"]),
        (&1.into(), &1.into())
    );
    let reasons: Vec<&str> =
        answer["reasons"].as_array().unwrap().iter().map(|row| row["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons, ["connection_timeout", "unknown_user"]);
    assert_eq!(answer["reasons"][1]["codes"][0]["meaning"], "no such mailbox");
    assert_eq!(answer["delivery_time"]["sla"][0]["share"], 0.5);
    assert_eq!(answer["senders"][0]["sender"], "a@h.example");
    assert_eq!(answer["levels"]["warning"], 1);
    assert!(answer["change"]["none"].as_str().unwrap().contains("two whole days"));
}

#[test]
fn periods_are_compared_where_the_log_reaches_back() {
    let (monday, tuesday) = (MONDAY, MONDAY.iter().map(|line| line.replace("06-15", "06-16")).collect::<Vec<_>>());
    let mut lines = monday.to_vec();
    lines.extend(tuesday.iter().map(String::as_str));
    lines.push("2026-06-16T18:00:00Z m postfix/smtpd[9]: NOQUEUE: reject: RCPT from bad.example[192.0.2.66]: 450 4.2.0 <z@m.example>: Recipient address rejected: Greylisted; from=<s@bad.example> to=<z@m.example> proto=ESMTP helo=<bad>");
    let answer = report_lines(&["--since", "2026-06-16 08:00", "--until", "2026-06-17 07:59:59.999999"], &lines);
    let (now, before) = (&answer["change"]["now"]["counts"], &answer["change"]["before"]["counts"]);
    assert_eq!((now["received"].as_u64(), before["received"].as_u64()), (Some(1), Some(1)));
    assert_eq!((now["rejected"].as_u64(), before["rejected"].as_u64()), (Some(2), Some(1)));
    assert_eq!(answer["messages"]["received"], 1, "the period alone");
    assert_eq!(answer["rejects"]["greylisted"], 1);
    let back = report_lines(&["--since", "2026-06-15 00:00", "--until", "2026-06-16 23:59:59"], &lines);
    assert!(back["change"]["none"].as_str().unwrap().contains("does not reach back"));
    assert_eq!(back["deliveries"]["sent"], 4);
}

#[test]
fn yesterday_is_the_day_before() {
    let day = |ago: i64| {
        jiff::Zoned::now().with_time_zone(jiff::tz::TimeZone::UTC).date().checked_sub(jiff::ToSpan::days(ago)).unwrap()
    };
    // Midnight may pass while the program runs: then it is run again.
    let (dated, answer) = loop {
        let today = day(0);
        let lines: Vec<String> = [day(2), day(1), day(0)]
            .iter()
            .flat_map(|date| MONDAY.iter().map(move |line| line.replace("2026-06-15", &date.to_string())))
            .collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let answer = report_lines(&["--yesterday"], &lines);
        if today == day(0) {
            break (day(1), answer);
        }
    };
    assert_eq!(answer["messages"]["received"], 1);
    assert!(answer["period"]["from"].as_str().unwrap().starts_with(&dated.to_string()));
    assert!(!answer["change"]["none"].is_null(), "the log begins at eight: {}", answer["change"]);
    assert_eq!(code(&run(["report", "--yesterday", "--since", "2h", "-"])), 2);
}

#[test]
fn folded_lines_count_as_often_as_they_say() {
    let mut lines = MONDAY.to_vec();
    let folded = "2026-06-15T10:00:05Z m postfix/smtpd[1]: message repeated 4 times: [ NOQUEUE: reject: RCPT from bad.example[192.0.2.66]: 554 5.7.1 Service unavailable; Client host [192.0.2.66] blocked using zen.spamhaus.org; from=<s@bad.example> to=<z@m.example> proto=ESMTP helo=<bad>]";
    lines.push(folded);
    assert_eq!(report_lines(&[], &lines)["rejects"]["blocklisted"], 5);
}

#[test]
fn probes_and_filters_are_no_destinations() {
    let answer = report_lines(
        &[],
        &[
            "2026-06-15T08:00:01Z m postfix/smtp[4]: AAAAA1: to=<x@probe.example>, relay=mx[192.0.2.9]:25, delay=1, delays=0/0/1/0, dsn=2.0.0, status=deliverable (250 ok)",
            "2026-06-15T08:00:02Z m postfix/smtp[4]: AAAAA2: to=<x@through.example>, relay=127.0.0.1[127.0.0.1]:10024, delay=1, delays=0/0/1/0, dsn=2.0.0, status=sent (250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as AAAAA3)",
            "2026-06-15T08:00:03Z m postfix/lmtp[4]: AAAAA4: to=<x@here.example>, relay=127.0.0.1[127.0.0.1]:24, delay=1, delays=0/0/1/0, dsn=2.0.0, status=sent (250 2.0.0 <x@here.example> abc Saved)",
        ],
    );
    let domains: Vec<&str> =
        answer["destinations"].as_array().unwrap().iter().map(|row| row["domain"].as_str().unwrap()).collect();
    assert_eq!(
        (domains, &answer["to_filters"], &answer["deliveries"]["sent"]),
        (vec!["here.example"], &1.into(), &2.into())
    );
}

/// A mail to one recipient that comes in on `host` and is sent on at `sent` with this relay and reply; all at 10:00.
fn passing(host: &str, id: &str, client: &str, seconds: [u32; 2], relay: &str, reply: &str) -> Vec<String> {
    let [came, sent] = seconds;
    let line = |second: u32, tag: &str, text: &str| {
        format!("2026-06-17T10:00:{second:02}Z {host} postfix/{tag}: {id}: {text}")
    };
    let arrival = if client.starts_with("uid=") { "pickup[6]" } else { "smtpd[1]" };
    vec![
        line(came, arrival, client),
        line(came, "cleanup[2]", "message-id=<m@h.example>"),
        line(came, "qmgr[3]", "from=<a@h.example>, size=1000, nrcpt=1 (queue active)"),
        line(
            sent,
            "smtp[4]",
            &format!("to=<u@our.example>, relay={relay}, delay=1, delays=0/0/1/0, dsn=2.0.0, status=sent ({reply})"),
        ),
        line(sent, "qmgr[3]", "removed"),
    ]
}

/// What is handed on to another queue file of ours is delivered once, whatever way it goes and whichever lines come first.
#[test]
fn what_is_handed_on_is_delivered_once() {
    let stranger = "client=h.example[192.0.2.1]";
    let first = |relay: &str, reply: &str| passing("mx1", "4AAAA1", stranger, [0, 2], relay, reply);
    let last = |host: &str, client: &str, seconds: [u32; 2]| {
        passing(host, "4BBBB2", client, seconds, "mx[private/dovecot-lmtp]", "250 2.0.0 <u@our.example> abc Saved")
    };
    let amavis = "250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as 4BBBB2";
    let local = "client=localhost[127.0.0.1]";
    let (next, hop) = ("mx2.our.example[198.51.100.2]:25", "client=mx1.our.example[198.51.100.1]");
    let queued = "250 2.0.0 Ok: queued as 4BBBB2";
    for (kind, first, last) in [
        ("filter", first("127.0.0.1[127.0.0.1]:10024", amavis), last("mx1", local, [1, 3])),
        (
            "filter",
            first("spamassassin", "delivered via spamassassin service"),
            last("mx1", "uid=5001 from=<a>", [2, 3]),
        ),
        (
            "filter",
            first("spamassassin", "delivered via spamassassin service"),
            last("mx1", "uid=5001 from=<a>", [20, 30]),
        ),
        ("hop", first(next, queued), last("mx2", hop, [2, 4])),
        ("hop", first(next, queued), last("mx2", hop, [1, 1])),
        ("hop", first(next, queued), last("mx2", hop, [20, 22])),
    ] {
        for mut lines in [[first.clone(), last.clone()].concat(), [last.clone(), first.clone()].concat()] {
            lines.sort_by_key(|line| line.split_once('Z').map(|(time, _)| time.to_owned()));
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            let answer = report_lines(&[], &lines);
            let context = format!("{kind} {lines:#?}");
            assert_eq!(answer["delivered"], serde_json::json!({"deliveries": 1, "recipients": 1}), "{context}");
            let handed_on = &answer["handed_on"];
            assert_eq!((&handed_on["deliveries"], &handed_on[kind]), (&1.into(), &1.into()), "{context}");
            assert_eq!((&answer["deliveries"]["sent"], &answer["recipients"]["sent"]), (&2.into(), &2.into()));
            assert_eq!(answer["messages"]["reinjected"], 1, "{context}");
            assert_eq!(answer["messages"]["bytes_delivered"], 1000, "{context}");
            assert_eq!(answer["senders"][0]["messages"], 1, "{context}");
            assert_eq!(answer["days"][0]["counts"]["handed_on"], 1, "{context}");
            let (sent, local) = (kind == "hop", &answer["tls"]["out"]["local"]);
            assert_eq!(answer["tls"]["out"]["clear"], u64::from(sent), "a socket is not in the clear: {context}");
            assert!(local.as_u64() >= Some(1), "{context}");
        }
    }
}

/// A tunnel on this host, and a next hop whose log is not here, are no filters.
#[test]
fn what_does_not_come_back_is_delivered() {
    let stranger = "client=h.example[192.0.2.1]";
    for relay in ["127.0.0.1[127.0.0.1]:11125", "mx2.our.example[198.51.100.2]:25"] {
        let lines = passing("mx1", "4AAAA1", stranger, [0, 2], relay, "250 2.0.0 Ok: queued as 4BBBB2");
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        assert_eq!(report_lines(&[], &lines)["delivered"]["deliveries"], 1, "{relay}");
    }
}

#[test]
fn a_day_without_mail_is_a_row() {
    let later = MONDAY.iter().map(|line| line.replace("06-15", "06-18")).collect::<Vec<_>>();
    let lines: Vec<&str> = MONDAY.iter().copied().chain(later.iter().map(String::as_str)).collect();
    let days = |args: &[&str]| -> Vec<(String, u64)> {
        let answer = report_lines(args, &lines);
        let rows = answer["days"].as_array().unwrap().iter();
        rows.map(|row| (row["day"].as_str().unwrap().to_owned(), row["counts"]["received"].as_u64().unwrap())).collect()
    };
    let row = |day: &str, count: u64| (day.to_owned(), count);
    let (tuesday, wednesday) = (row("Tue 16 Jun", 0), row("Wed 17 Jun", 0));
    assert_eq!(days(&[]), [row("Mon 15 Jun", 1), tuesday.clone(), wednesday.clone(), row("Thu 18 Jun", 1)]);
    // What the log does not reach is not known, and no day of 0.
    let asked = ["--since", "2026-06-16", "--until", "2026-06-25"];
    assert_eq!(days(&asked), [tuesday, wednesday, row("Thu 18 Jun", 1)]);
}

/// Text that strangers put into a log: HTML, terminal escapes, marks that turn text around.
const HOSTILE: &[&str] = &[
    "2026-06-15T08:00:00Z m postfix/smtpd[1]: AAAAA1: client=h.example[192.0.2.1]",
    "2026-06-15T08:00:00Z m postfix/qmgr[3]: AAAAA1: from=<\"<script>alert(1)</script>\"@h.example>, size=1000, nrcpt=1 (queue active)",
    "2026-06-15T08:00:01Z m postfix/smtp[5]: AAAAA1: to=<y@<img src=x onerror=alert(2)>>, relay=<b>evil</b>[192.0.2.8]:25, delay=1, delays=0/0/1/0, dsn=5.1.1, status=bounced (host x[192.0.2.8] said: 550 </p><script>alert('3')</script> \u{1b}[31mred \u{202e}turned\" onload=\"x)",
    "2026-06-15T08:00:01Z m postfix/smtp[5]: AAAAA1: to=<\u{1b}]0;t\u{7}@<svg/onload=alert(4)>>, relay=<b>evil</b>[192.0.2.8]:25, delay=1, delays=0/0/1/0, dsn=2.0.0, status=sent (ok)",
    "2026-06-15T10:00:00Z m postfix/smtpd[1]: NOQUEUE: reject: RCPT from bad.example[192.0.2.66]: 554 5.7.1 <'><script>alert(5)</script>>: Relay access denied; from=<s@x> to=<'><script>alert(5)</script>> proto=ESMTP helo=<bad>",
    "2026-06-15T10:00:00Z m postfix/smtpd[1]: warning: <iframe src=//evil.example></iframe> \u{1b}[2J is odd",
    "2026-06-15T10:00:00Z m postfix/smtpd[1]: <object>nobody knows this line</object>",
];

/// Mail that `cleanup` refuses for its contents is refused at the door, as what a milter refuses is.
#[test]
fn header_checks_refuse_too() {
    let answer = report_lines(
        &[],
        &[
            "2026-06-15T08:00:00Z m postfix/smtpd[1]: AAAAA1: client=h.example[192.0.2.1]",
            "2026-06-15T08:00:00Z m postfix/cleanup[2]: AAAAA1: message-id=<1@h.example>",
            "2026-06-15T08:00:00Z m postfix/cleanup[2]: AAAAA1: reject: header Subject: pills from h.example[192.0.2.1]; from=<s@h.example> to=<x@m.example> proto=ESMTP helo=<h>: 5.7.1 no thanks",
            "2026-06-15T08:00:01Z m postfix/smtpd[1]: disconnect from h.example[192.0.2.1] ehlo=1 mail=1 rcpt=1 data=0/1 quit=1 commands=4/5",
            // Told by a delivery agent of its own mail: nobody is refused.
            "2026-06-15T08:00:02Z m postfix/smtp[3]: AAAAA2: reject: header Subject: pills from local; from=<s@h.example> to=<x@m.example>: 5.7.1 no thanks",
        ],
    );
    assert_eq!(counts(&answer["rejects"]), [("header_check".to_owned(), 1)].into());
    assert_eq!((&answer["messages"]["refused"], &answer["messages"]["canceled"]), (&1.into(), &0.into()));
}

/// What an administrator deleted waits no longer, nor does what he put in the queue again: its copy tells the rest.
#[test]
fn withdrawn_mail_waits_no_longer() {
    let put_off = [
        "2026-06-15T08:00:00Z m postfix/smtpd[1]: AAAAA1: client=h.example[192.0.2.1]",
        "2026-06-15T08:00:00Z m postfix/cleanup[2]: AAAAA1: message-id=<1@h.example>",
        "2026-06-15T08:00:00Z m postfix/qmgr[3]: AAAAA1: from=<a@h.example>, size=1000, nrcpt=1 (queue active)",
        "2026-06-15T08:00:01Z m postfix/smtp[4]: AAAAA1: to=<x@slow.example>, relay=none, delay=1, delays=0/0/1/0, dsn=4.4.1, status=deferred (connect to mx.slow.example[192.0.2.9]:25: Connection timed out)",
    ];
    let page = |more: &[&str]| {
        let dir = tempfile::tempdir().unwrap();
        let file = log(dir.path(), &[&put_off, more].concat());
        let all = report(&[], &[&file]);
        let told = text(&run(["report", "--timezone", "UTC", file.to_str().unwrap()]));
        (all, told)
    };
    let (all, told) = page(&["2026-06-15T08:05:00Z m postfix/postsuper[9]: AAAAA1: removed"]);
    assert_eq!(counts(&all["withdrawn"]), [("deleted".to_owned(), 1), ("requeued".to_owned(), 0)].into());
    assert!(told.contains("0 waiting") && told.contains("0 still waiting"), "{told}");
    assert!(told.contains("1 recipient of mail that an administrator deleted while it was put off"), "{told}");
    let (all, told) = page(&[
        "2026-06-15T08:05:00Z m postfix/postsuper[9]: AAAAA1: requeued",
        "2026-06-15T08:05:40Z m postfix/pickup[8]: BBBBB1: uid=107 from=<a@h.example> orig_id=AAAAA1",
        "2026-06-15T08:05:40Z m postfix/cleanup[2]: BBBBB1: message-id=<1@h.example>",
        "2026-06-15T08:05:40Z m postfix/qmgr[3]: BBBBB1: from=<a@h.example>, size=1000, nrcpt=1 (queue active)",
        "2026-06-15T08:05:41Z m postfix/smtp[4]: BBBBB1: to=<x@slow.example>, relay=mx.slow.example[192.0.2.9]:25, delay=1, delays=0/0/1/0, dsn=2.0.0, status=sent (250 ok)",
        "2026-06-15T08:05:41Z m postfix/qmgr[3]: BBBBB1: removed",
    ]);
    assert_eq!(counts(&all["withdrawn"]), [("deleted".to_owned(), 0), ("requeued".to_owned(), 1)].into());
    assert_eq!(all["senders"][0]["messages"], 1, "{}", all["senders"]);
    assert!(told.contains("1 recipient: 100.0 % reached, 0 waiting"), "{told}");
}

#[test]
fn hostile_text_stays_text() {
    let dir = tempfile::tempdir().unwrap();
    let file = log(dir.path(), HOSTILE);
    let page = text(&run(["report", "--timezone", "UTC", "--html", "-", file.to_str().unwrap()]));
    for tag in
        ["<script", "<img", "<svg/", "<b>evil", "<iframe", "<object", "onload=\"x", "\u{1b}", "\u{202e}", "\u{7}"]
    {
        assert!(!page.contains(tag), "{tag}");
    }
    assert!(page.contains("&#60;script&#62;alert(1)") && page.contains("\\x1b"), "it is shown all the same");
    for outside in ["http:", "https:", "src=", "@import", "url(", "<link", "<script"] {
        let own = page.replace("src=x onerror", "").replace("src=//evil", "");
        assert!(!own.contains(outside), "{outside}");
    }
    let shown = text(&run(["report", "--timezone", "UTC", "--color", "never", file.to_str().unwrap()]));
    assert!(!shown.contains(['\u{1b}', '\u{202e}', '\u{7}']) && shown.contains("alert(1)"));
    let masked = text(&run(["report", "--mask", "--html", "-", file.to_str().unwrap()]));
    assert!(!masked.contains("alert(3)") && !masked.contains("alert(1)"));
}

#[test]
fn text_fits_the_screen() {
    let dir = tempfile::tempdir().unwrap();
    let settings = loggen::Settings { bytes: 1_500_000, ..loggen::Settings::default() };
    let (file, _) = generated(dir.path(), &settings);
    for columns in ["80", "120", "200"] {
        let output =
            common::program().env("COLUMNS", columns).args(["report", file.to_str().unwrap()]).output().unwrap();
        let widest = text(&output).lines().map(|line| line.chars().count()).max().unwrap();
        assert!(widest <= columns.parse().unwrap(), "{widest} of {columns}");
    }
}

#[test]
fn exit_codes() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &str| {
        let path = dir.path().join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (empty, garbage, good) =
        (file("empty.log", ""), file("garbage.log", "no log\nat all\n"), file("mail.log", &MONDAY.join("\n")));
    for option in ["--json", "--quiet"] {
        assert_eq!(code(&run(["report", option, &empty])), 0);
        assert_eq!(code(&run(["report", option, &garbage])), 3);
        assert_eq!(code(&run(["report", option, &good])), 0);
        assert_eq!(code(&run(["report", option, &good, "missing.log"])), 4);
    }
    assert_eq!(code(&run(["report", "missing.log"])), 3);
    assert_eq!(code(&run(["report", "--json", "--html", "-", &good])), 2);
    // A log that is named where the page is to go is not lost; an older page gives way.
    for log in [&good, &garbage] {
        let before = fs::read(log).unwrap();
        let output = run(["report", "--html", log]);
        assert_eq!((code(&output), fs::read(log).unwrap()), (2, before));
        assert!(errors(&output).contains("is no page"), "{}", errors(&output));
    }
    let page = file("page.html", "<!DOCTYPE html>\nyesterday");
    for page in [page, file("new.html", "")] {
        assert_eq!(code(&run(["report", "--html", &page, &good])), 0);
        assert!(fs::read_to_string(&page).unwrap().contains("Mail report"));
    }
    assert_eq!(code(&run(["report", "--since", "2026-06-16", "--until", "2026-06-15", &good])), 2);
}

/// A program in sendmail's place: keeps what it was given.
#[cfg(unix)]
fn sendmail(dir: &Path, ends: i32) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let (script, folder) = (dir.join("sendmail"), dir.display());
    fs::write(
        &script,
        format!("#!/bin/sh\nprintf '%s\\n' \"$@\" > '{folder}/args'\ncat > '{folder}/mail'\nexit {ends}\n"),
    )
    .unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    script
}

#[cfg(unix)]
#[test]
fn the_mail_that_is_sent() {
    let dir = tempfile::tempdir().unwrap();
    let (file, script) = (log(dir.path(), HOSTILE), sendmail(dir.path(), 0));
    let send = |to: &str, script: &Path| {
        run([
            "report",
            "--timezone",
            "UTC",
            "--mail-to",
            to,
            "--mail-from",
            "root@m.example",
            "--sendmail",
            script.to_str().unwrap(),
            file.to_str().unwrap(),
        ])
    };
    let output = send("ops@example.org,root", &script);
    assert_eq!((code(&output), text(&output)), (0, String::new()), "{}", errors(&output));
    let args = fs::read_to_string(dir.path().join("args")).unwrap();
    assert_eq!(args.lines().collect::<Vec<_>>(), ["-i", "-f", "root@m.example", "--", "ops@example.org", "root"]);
    let mail = fs::read_to_string(dir.path().join("mail")).unwrap();
    let (head, body) = mail.split_once("\n\n").unwrap();
    let names: Vec<&str> =
        head.lines().filter(|line| !line.starts_with([' ', '\t'])).filter_map(|line| line.split(':').next()).collect();
    for name in ["To", "From", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type", "Auto-Submitted"] {
        assert_eq!(names.iter().filter(|known| **known == name).count(), 1, "{name}");
    }
    assert_eq!(names.len(), 8, "{names:?}");
    assert!(head.contains("multipart/alternative") && body.contains("text/plain") && body.contains("text/html"));
    let (_, html) = body.split_once("text/html").unwrap();
    assert!(!mail.contains(['\r', '\u{1b}', '\u{202e}']) && !html.contains("<script"));
    for hostile in ["a@x\nBcc: b@y", "-oQ/", "<a@x>", "a@x;b@y", "a b@x"] {
        fs::remove_file(dir.path().join("args")).unwrap_or_default();
        assert_eq!(code(&send(hostile, &script)), 2, "{hostile:?}");
        assert!(!dir.path().join("args").exists(), "{hostile:?}");
    }
    let failing = sendmail(dir.path(), 75);
    assert!(code(&send("root", &failing)) != 0 && errors(&send("root", &failing)).contains("did not take the mail"));
    assert!(errors(&send("root", Path::new("/nonexistent/sendmail"))).contains("cannot start"));
}

#[test]
fn a_line_is_explained_by_its_reason_and_code() {
    let explained = |line: &str| -> Value { serde_json::from_slice(&run(["explain", "--json", line]).stdout).unwrap() };
    let bounced = &explained(MONDAY[6])["explain"];
    assert_eq!((&bounced["reason"]["id"], &bounced["title"]), (&"unknown_user".into(), &"No such mailbox".into()));
    assert_eq!(
        (&bounced["status_code"]["code"], &bounced["status_code"]["subject"]),
        (&"5.1.1".into(), &"the address".into())
    );
    assert!(!bounced["next"].as_array().unwrap().is_empty());
    let sent = &explained(MONDAY[8])["explain"];
    assert_eq!((&sent["reason"], &sent["status_code"]["class"]), (&Value::Null, &"delivered".into()));
    let rejected = &explained(MONDAY[12])["explain"];
    assert_eq!(rejected["reason"]["id"], "blocklisted");
    let relay = explained(
        "Jun 17 10:25:14 m postfix/smtpd[7]: NOQUEUE: reject: RCPT from h[192.0.2.9]: 554 5.7.1 <u@x>: Relay access denied; from=<a@y> to=<u@x> proto=ESMTP helo=<h>",
    );
    assert_eq!((&relay["cause"], &relay["explain"]["reason"]), (&"policy.relay_denied".into(), &Value::Null));
    let shown = text(&run(["explain", MONDAY[5]]));
    assert!(
        shown.starts_with("The server does not answer in time") && shown.contains("4.4.1: failed for now"),
        "{shown}"
    );
}

/// Options are options, before the line and behind it, and never part of it.
#[test]
fn explain_knows_its_options() {
    let line = "Jun 17 10:00:00 m postfix/smtpd[1]: warning: h[192.0.2.1]: SASL LOGIN authentication failed: x, sasl_username=alice";
    let json = |args: &[&str]| -> Value {
        let output = run([&["explain"], args].concat());
        assert_eq!(code(&output), 0, "{}", errors(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    for args in [
        &["--timezone", "Europe/Berlin", "--year", "2026", "--mask", "--json", line][..],
        &["--json", line, "--mask", "--timezone=Europe/Berlin", "--year", "2026"],
        &["--json", "--mask", "--timezone", "Europe/Berlin", "--year", "2026", "--", line],
    ] {
        let answer = json(args);
        let told = (answer["class"].as_str(), answer["username"].as_str(), answer["ts"].as_str());
        assert_eq!(told, (Some("auth_failed"), Some("a***"), Some("2026-06-17T08:00:00.000000Z")), "{args:?}");
    }
    let mut words = vec!["--json"];
    words.extend(line.split(' '));
    assert_eq!(json(&words)["username"], "alice", "a line without quotes");
    assert_eq!(json(&["--json", "--", "--timezone is no option here"])["text"], "--timezone is no option here");
    assert_eq!(code(&run(["explain", "--no-such-option", line])), 2);
    assert_eq!(code(&run(["explain", "--timezone", "Nowhere", line])), 2);
}

#[test]
fn the_manual_names_every_key() {
    let manual = fs::read_to_string(repository().join("docs/reference/json.md")).unwrap();
    let answer = report_lines(&[], MONDAY);
    for (key, value) in answer.as_object().unwrap() {
        assert!(manual.contains(&format!("`{key}`")), "{key}");
        for inner in value.as_object().into_iter().flat_map(|object| object.keys()) {
            let listed = ["messages", "recipients", "deliveries", "tls", "delivery_time"].contains(&key.as_str());
            assert!(!listed || manual.contains(&format!("`{inner}`")), "{key}.{inner}");
        }
    }
}
