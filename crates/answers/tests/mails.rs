//! Mails that did not go the usual way: what their stories and the report say of them, read from files and out of a store.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use answers::mask::Mask;
use answers::reading::{Input, Reading};
use answers::report::{self, Asked};
use answers::retention::Retention;
use answers::screen::Screen;
use answers::story::Wanted;
use answers::story_text::Page;
use answers::times::Clock;
use answers::{ingest, report_json, story, story_json};
use jiff::tz::TimeZone;
use serde_json::Value;
use store::state::State;

/// Lines as a file.
struct Log(tempfile::TempDir);

impl Log {
    fn new(lines: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("mail.log"), lines.join("\n") + "\n").unwrap();
        Self(folder)
    }

    fn input(&self) -> Input {
        let files = vec![self.0.path().join("mail.log")];
        Input { files, timezone: Some("UTC".to_owned()), year: Some(2026), ..Input::default() }
    }

    fn stored(&self) -> Input {
        let root = self.0.path().join("state");
        if !root.exists() {
            let state = State::new(&root);
            let _lock = state.lock().unwrap();
            let reading = Reading::of_files(&self.input()).unwrap();
            assert!(ingest::ingest(&state, reading, &Retention::default(), |_, _| ()).unwrap().is_ok());
        }
        Input { files: Vec::new(), state: Some(root), ..self.input() }
    }

    /// The page and the JSON of the mails that are found; the store must tell the same.
    fn trace(&self, id: Option<&str>, from: Option<&str>, to: Option<&str>) -> (String, Value) {
        let tell = |input: &Input| {
            let wanted = Wanted::new(id, from, to, i64::MIN..=i64::MAX);
            let found = story::find(wanted, Reading::new(input, false).unwrap()).unwrap();
            let clock = Clock::new(TimeZone::UTC);
            let screen = Screen { colour: false, width: 200 };
            let (told, beyond, read) = (&found.told, found.beyond, &found.read);
            let page = Page { told, beyond, read, mask: Mask(false), screen, clock: &clock, verbose: false }.draw();
            let json = story_json::stories(told, beyond, read, Mask(false));
            (page, json["messages"].clone())
        };
        let (page, json) = tell(&self.input());
        let (_, stored) = tell(&self.stored());
        let ends = |mails: &Value| -> Vec<Value> {
            let files = mails.as_array().unwrap().iter().flat_map(|mail| mail["queue_files"].as_array().unwrap());
            files
                .map(|file| {
                    serde_json::json!([
                        file["queue_id"],
                        file["end"],
                        file["stopped"],
                        file["lines"].as_array().unwrap().len()
                    ])
                })
                .collect()
        };
        assert_eq!(ends(&json), ends(&stored), "{page}");
        (page, json)
    }

    /// The only mail.
    fn only(&self, id: &str) -> (String, Value) {
        let (page, json) = self.trace(Some(id), None, None);
        assert_eq!(json.as_array().unwrap().len(), 1, "{page}");
        (page, json[0].clone())
    }

    fn report(&self, since: Option<&str>, until: Option<&str>) -> Value {
        let time = |text: Option<&str>| text.map(str::to_owned);
        let input = Input { since: time(since), until: time(until), ..self.input() };
        let report = report::report(&Asked::default(), Reading::new(&input, false).unwrap()).unwrap().unwrap();
        report_json::report(&report, 100, Mask(false), &Clock::new(TimeZone::UTC))
    }
}

fn has(page: &str, words: &[&str]) {
    for words in words {
        assert!(page.contains(words), "{words}: {page}");
    }
}

const ACCEPTED: &str = "Jun 17 10:00:00 mx postfix/smtpd[7]: 4F2A11B2C3: client=a.example[192.0.2.1]";
const MESSAGE_ID: &str = "Jun 17 10:00:00 mx postfix/cleanup[8]: 4F2A11B2C3: message-id=<m@a.example>";
const MILTER: &str = "Jun 17 10:00:01 mx postfix/cleanup[8]: 4F2A11B2C3: milter-reject: END-OF-MESSAGE from a.example[192.0.2.1]: 5.7.1 Spam message rejected; from=<x@a.example> to=<u@example.org> proto=ESMTP helo=<a.example>";
const GONE: &str = "Jun 17 10:00:02 mx postfix/smtpd[7]: disconnect from a.example[192.0.2.1] ehlo=1 mail=1 rcpt=1 data=0/1 commands=3/4";

#[test]
fn refused_by_a_milter() {
    let log = Log::new(&[ACCEPTED, MESSAGE_ID, MILTER, GONE]);
    let (page, mail) = log.only("4F2A11B2C3");
    has(
        &page,
        &["  refused by a milter: 5.7.1 Spam message rejected\n", "(to <u@example.org>); it never got into the queue"],
    );
    assert!(!page.contains("broke off") && !page.contains("no delivery"), "{page}");
    assert_eq!((&mail["queue_files"][0]["end"], &mail["finished"]), (&"refused".into(), &true.into()));
    assert_eq!(mail["queue_files"][0]["stopped"]["to"], "u@example.org");
    assert_eq!(log.trace(None, None, Some("U@example.org")).1.as_array().unwrap().len(), 1);
    assert_eq!(log.trace(None, Some("x@a.example"), None).1.as_array().unwrap().len(), 1);
    let counted = log.report(None, None);
    let of = |key: &str| counted["messages"][key].as_u64().unwrap();
    assert_eq!(
        [of("refused"), of("canceled"), of("discarded"), of("end_missing"), of("never_active")],
        [1, 0, 0, 0, 0]
    );
    assert_eq!(counted["rejects"]["spam"], 1);
}

#[test]
fn refused_or_thrown_away_by_a_check_or_a_limit() {
    let check = |program: &str, text: &str, words: &[&str], key: &str| {
        let line = format!("Jun 17 10:00:01 mx postfix/{program}[8]: {text}");
        let log = Log::new(&[ACCEPTED, MESSAGE_ID, &line, GONE]);
        let (page, mail) = log.only("4F2A11B2C3");
        has(&page, words);
        assert_eq!(mail["queue_files"][0]["lines"].as_array().unwrap().len(), 3, "{page}");
        assert_eq!(log.report(None, None)["messages"][key], 1, "{text}");
    };
    let fields = "from a.example[192.0.2.1]; from=<x@a.example> to=<u@example.org> proto=ESMTP helo=<a.example>";
    let header = format!("4F2A11B2C3: reject: header Subject: buy {fields}: 5.7.1 no thanks");
    check("cleanup", &header, &["  refused by a header check: 5.7.1 no thanks\n"], "refused");
    let body = format!("4F2A11B2C3: reject: body buy {fields}: 4.7.1 not now");
    check("cleanup", &body, &["  refused for now by a body check: 4.7.1 not now\n"], "refused");
    let thrown = format!("4F2A11B2C3: discard: header Subject: buy {fields}: spam");
    check("cleanup", &thrown, &["  thrown away by a header check: spam\n", "nobody is told of it"], "discarded");
    let size = "warning: 4F2A11B2C3: queue file size limit exceeded";
    check("cleanup", size, &["  refused by the size limit: queue file size limit exceeded\n"], "refused");
    let hops = "warning: 4F2A11B2C3: message rejected: hopcount exceeded";
    check("cleanup", hops, &["  refused by the limit of hops: message rejected: hopcount exceeded\n"], "refused");
}

#[test]
fn cut_off_before_the_queue() {
    let check = |lines: &[&str], words: &str, end: &str| {
        let log = Log::new(lines);
        let (page, mail) = log.only("4F2A11B2C3");
        has(&page, &[words]);
        assert_eq!(mail["queue_files"][0]["end"], end, "{page}");
        let key = if end == "canceled" { end } else { "end_missing" };
        assert_eq!(log.report(None, None)["messages"][key], 1, "{page}");
    };
    let unknown = "no delivery in this log; its end is not in this log";
    check(&[ACCEPTED], unknown, "end_missing");
    check(&[ACCEPTED, MESSAGE_ID], unknown, "end_missing");
    check(&[MESSAGE_ID], unknown, "end_missing");
    let later =
        |time: &str| format!("Jun 17 {time} mx postfix/anvil[9]: statistics: max cache size 1 at Jun 17 10:00:00");
    check(&[ACCEPTED, MESSAGE_ID, &later("10:09:59")], unknown, "end_missing");
    check(&[ACCEPTED, MESSAGE_ID, &later("10:10:00")], "the client broke off", "canceled");
    let lost = "Jun 17 10:00:01 mx postfix/smtpd[7]: lost connection after DATA (123 bytes) from a.example[192.0.2.1]";
    let connect = "Jun 17 10:00:00 mx postfix/smtpd[7]: connect from a.example[192.0.2.1]";
    check(&[connect, ACCEPTED, MESSAGE_ID, lost], "the client broke off", "canceled");
}

/// What was only tried again on the day before came earlier.
#[test]
fn the_day_before() {
    let came = |day: u32, id: &str| {
        let line = |tag: &str, text: &str| format!("Jun {day} 00:00:01 mx postfix/{tag}[7]: {id}: {text}");
        [
            line("smtpd", "client=a.example[192.0.2.1]"),
            line("cleanup", &format!("message-id=<{id}@a.example>")),
            line("qmgr", "from=<x@a.example>, size=10, nrcpt=1 (queue active)"),
        ]
    };
    let again = |day: u32, id: &str| {
        format!("Jun {day} 12:00:01 mx postfix/qmgr[7]: {id}: from=<x@a.example>, size=1000, nrcpt=1 (queue active)")
    };
    let mut lines: Vec<String> = came(15, "4F2A11B2C1").to_vec();
    lines.extend(came(16, "4F2A11B2C2"));
    lines.extend([again(16, "4F2A11B2C1"), again(16, "4F2A11B2C0")]);
    lines.extend(came(17, "4F2A11B2C3"));
    lines.extend([again(17, "4F2A11B2C1"), again(17, "4F2A11B2C2")]);
    lines.push("Jun 17 23:59:59 mx postfix/anvil[9]: statistics: max cache size 1 at Jun 17 10:00:00".to_owned());
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let counts = |lines: &[&str], since: Option<&str>, until: Option<&str>| {
        let change = Log::new(lines).report(since, until)["change"].clone();
        ["now", "before"].map(|side| ["received", "bytes"].map(|key| change[side]["counts"][key].as_u64().unwrap()))
    };
    let one = [[1, 10]; 2];
    assert_eq!(counts(&lines, Some("2026-06-17T00:00:00Z"), Some("2026-06-17T23:59:59Z")), one);
    assert_eq!(counts(&lines, None, None), one);
    // The log begins on the day before.
    assert_eq!(counts(&lines[3..], None, None), one);
}

/// Mail that was sent again has two Message-IDs, in either order.
#[test]
fn two_message_ids() {
    let resent = "Jun 17 10:00:00 mx postfix/cleanup[8]: 4F2A11B2C3: resent-message-id=<rs@a.example>";
    let active = "Jun 17 10:00:01 mx postfix/qmgr[9]: 4F2A11B2C3: from=<x@a.example>, size=10, nrcpt=1 (queue active)";
    for lines in [[ACCEPTED, resent, MESSAGE_ID, active], [ACCEPTED, MESSAGE_ID, resent, active]] {
        let log = Log::new(&lines);
        for id in ["rs@a.example", "<m@a.example>", "4F2A11B2C3"] {
            let (page, mail) = log.only(id);
            assert_eq!(
                (&mail["message_id"], &mail["queue_files"][0]["resent_message_id"]),
                (&"m@a.example".into(), &"rs@a.example".into())
            );
            has(&page, &["Message-ID <m@a.example>, sent again as <rs@a.example>"]);
        }
    }
}

/// What an alias made is no copy from a filter.
#[test]
fn forwarded_is_not_reinjected() {
    let forwarded = "to=<team@mx>, orig_to=<team>, relay=local, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (forwarded as 4F2A11B2C4)";
    let counted = Log::new(&[
        ACCEPTED,
        MESSAGE_ID,
        "Jun 17 10:00:01 mx postfix/qmgr[9]: 4F2A11B2C3: from=<x@a.example>, size=10, nrcpt=1 (queue active)",
        "Jun 17 10:00:01 mx postfix/cleanup[8]: 4F2A11B2C4: message-id=<m@a.example>",
        "Jun 17 10:00:01 mx postfix/qmgr[9]: 4F2A11B2C4: from=<x@a.example>, size=10, nrcpt=1 (queue active)",
        &format!("Jun 17 10:00:01 mx postfix/local[10]: 4F2A11B2C3: {forwarded}"),
        "Jun 17 10:00:01 mx postfix/qmgr[9]: 4F2A11B2C3: removed",
    ])
    .report(None, None);
    let of = |key: &str| counted["messages"][key].as_u64().unwrap();
    assert_eq!([of("received"), of("forwarded"), of("reinjected")], [2, 1, 0]);
}

/// Two aliases that lead to one mailbox are two recipients.
#[test]
fn two_aliases_of_one_mailbox() {
    let deliver = |orig_to: &str, status: &str| {
        format!(
            "Jun 17 10:00:02 mx postfix/lmtp[10]: 4F2A11B2C3: to=<joe@example.org>, orig_to=<{orig_to}@example.org>, relay=mx[private/dovecot-lmtp], delay=1, delays=0/0/0/1, dsn=2.0.0, status={status} (words)"
        )
    };
    let (page, mail) = Log::new(&[
        ACCEPTED,
        MESSAGE_ID,
        "Jun 17 10:00:01 mx postfix/qmgr[9]: 4F2A11B2C3: from=<x@a.example>, size=10, nrcpt=2 (queue active)",
        &deliver("info", "sent"),
        &deliver("sales", "deferred"),
    ])
    .only("4F2A11B2C3");
    let recipients = mail["queue_files"][0]["recipients"].as_array().unwrap();
    let of = |n: usize| ["orig_to", "status"].map(|key| recipients[n][key].as_str().unwrap());
    assert_eq!((recipients.len(), of(0), of(1)), (2, ["info@example.org", "sent"], ["sales@example.org", "deferred"]));
    has(
        &page,
        &[
            "2 recipients: 1 delivered, 1 deferred",
            "(for info@example.org): delivered",
            "(for sales@example.org): put off",
        ],
    );
    assert_eq!(page.matches("(for info@example.org)").count(), 1, "{page}");
    assert_eq!(mail["recipients"], 2);
}

/// `pickup` names the local user, the queue manager the sender.
#[test]
fn the_sender_of_local_mail() {
    let log = Log::new(&[
        "Jun 17 10:00:00 mx postfix/pickup[7]: 4F2A11B2C3: uid=0 from=<root>",
        MESSAGE_ID,
        "Jun 17 10:00:01 mx postfix/qmgr[9]: 4F2A11B2C3: from=<root@mx1.example.org>, size=10, nrcpt=1 (queue active)",
        "Jun 17 10:00:02 mx postfix/qmgr[9]: 4F2A11B2C3: removed",
    ]);
    for from in ["root", "root@mx1.example.org"] {
        let (page, mails) = log.trace(None, Some(from), None);
        assert_eq!(mails.as_array().unwrap().len(), 1, "{from}");
        assert_eq!(mails[0]["from"], "root@mx1.example.org");
        has(&page, &["message 4F2A11B2C3 from root@mx1.example.org"]);
    }
    let senders = log.report(None, None)["senders"].clone();
    assert_eq!((senders.as_array().unwrap().len(), &senders[0]["sender"]), (1, &"root@mx1.example.org".into()));
}

/// The notice's own state is not the mail's.
#[test]
fn a_notice_that_is_cut_off() {
    let (page, _) = Log::new(&[
        ACCEPTED,
        MESSAGE_ID,
        "Jun 17 10:00:01 mx postfix/qmgr[9]: 4F2A11B2C3: from=<x@a.example>, size=10, nrcpt=1 (queue active)",
        "Jun 17 10:00:02 mx postfix/smtp[10]: 4F2A11B2C3: to=<u@example.org>, relay=none, delay=1, delays=0/0/0/1, dsn=5.1.1, status=bounced (no)",
        "Jun 17 10:00:02 mx postfix/cleanup[8]: 4F2A11B2C4: message-id=<n@mx>",
        "Jun 17 10:00:02 mx postfix/bounce[11]: 4F2A11B2C3: sender non-delivery notification: 4F2A11B2C4",
        "Jun 17 10:00:02 mx postfix/qmgr[9]: 4F2A11B2C3: removed",
    ])
    .only("4F2A11B2C3");
    has(&page, &["1 recipient: 1 returned; all is done but the notice about it"]);
}
