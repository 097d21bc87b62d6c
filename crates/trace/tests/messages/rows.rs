//! Single cases: one row of lines, and what is told of them.

use trace::{Fate, Follow, LinkKind};

use crate::play::{Told, fates, play, row, rows, show};

const STORIES: Follow = Follow::Stories { detail: true };

fn lines(host: &str, rows: &[(&str, &str)]) -> Vec<String> {
    rows.iter().map(|(tag, text)| format!("Jun 17 10:00:00 {host} postfix{tag}[7]: {text}")).collect()
}

fn told(follow: Follow, step: i64, rows: &[(&str, &str)]) -> Told {
    play(follow, step, &lines("mx", rows))
}

const SENT: &str = "relay=mx.b[192.0.2.9]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent";

#[test]
fn forwarded_mail_belongs_to_its_first_message() {
    let told = told(
        STORIES,
        1_000,
        &[
            ("/smtpd", "AAAAA1: client=h[192.0.2.1]"),
            ("/cleanup", "AAAAA1: message-id=<m@a>"),
            ("/qmgr", "AAAAA1: from=<s@a>, size=10, nrcpt=1 (queue active)"),
            ("/cleanup", "AAAAA2: message-id=<m@a>"),
            ("/qmgr", "AAAAA2: from=<s@a>, size=10, nrcpt=1 (queue active)"),
            (
                "/local",
                "AAAAA1: to=<team@mx>, orig_to=<team>, relay=local, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (forwarded as AAAAA2)",
            ),
            ("/qmgr", "AAAAA1: removed"),
            ("/smtp", &format!("AAAAA2: to=<x@b>, {SENT} (250 ok)")),
            ("/qmgr", "AAAAA2: removed"),
        ],
    );
    let [story] = told.stories.as_slice() else { panic!("{} stories", told.stories.len()) };
    assert_eq!(fates(story), [("x@b".to_owned(), Fate::Sent)]);
    assert_eq!(story.first().unwrap().children.iter().map(|l| l.kind).collect::<Vec<_>>(), [LinkKind::Forward]);
    assert_eq!(story.first().unwrap().recipients().next().unwrap().orig_to, Some(b"team".as_slice()));
    assert!(rows(story)[1].starts_with("mx AAAAA2 forward of Some(\"AAAAA1\")"), "{:?}", rows(story));
}

/// To another host of ours; its lines may come before ours, or after.
#[test]
fn a_hop_to_another_host() {
    let here = lines(
        "mx1",
        &[
            ("/smtpd", "AAAAA1: client=h[192.0.2.1], sasl_method=PLAIN, sasl_username=u"),
            ("/cleanup", "AAAAA1: message-id=<m@a>"),
            ("/smtp", &format!("AAAAA1: to=<x@b>, {SENT} (250 2.0.0 Ok: queued as BBBBB2)")),
            ("/qmgr", "AAAAA1: removed"),
        ],
    );
    let there = lines(
        "mx2",
        &[
            ("/smtpd", "BBBBB2: client=mx1[192.0.2.8]"),
            ("/cleanup", "BBBBB2: message-id=<m@a>"),
            (
                "/smtp",
                "BBBBB2: to=<x@b>, relay=mx.b[192.0.2.9]:25, delay=1, delays=0/0/0/1, dsn=5.1.1, status=bounced (no)",
            ),
            ("/qmgr", "BBBBB2: removed"),
        ],
    );
    for lines in
        [[here.clone(), there.clone()].concat(), [there[..2].to_vec(), here.clone(), there[2..].to_vec()].concat()]
    {
        let told = play(STORIES, 1_000, &lines);
        let [story] = told.stories.as_slice() else { panic!("{} stories of {lines:?}", told.stories.len()) };
        assert_eq!(fates(story), [("x@b".to_owned(), Fate::Bounced)], "{lines:?}");
        assert_eq!(story.first().unwrap().children[0].kind, LinkKind::Hop);
        assert_eq!(show(&story.messages().iter().find(|m| m.parent.is_some()).unwrap().host), "mx2");
        // Told one by one, they are tied to each other all the same.
        let told = play(Follow::All, 1_000, &lines);
        let fates: Vec<Fate> = told.messages.iter().flat_map(|m| m.recipients().map(|r| r.fate)).collect();
        assert!(fates.contains(&Fate::HandedOn) && fates.contains(&Fate::Bounced), "{fates:?} of {lines:?}");
        assert_eq!(told.messages.iter().filter(|m| m.parent.is_some()).count(), 1, "{lines:?}");
    }
}

/// The reply is a stranger's: one that names a queue id of ours, of another message, joins nothing.
#[test]
fn a_reply_that_lies() {
    let told = told(
        STORIES,
        1_000,
        &[
            ("/smtpd", "AAAAA1: client=h[192.0.2.1]"),
            ("/cleanup", "AAAAA1: message-id=<m@a>"),
            ("/smtpd", "BBBBB2: client=h[192.0.2.2]"),
            ("/cleanup", "BBBBB2: message-id=<other@a>"),
            ("/smtp", &format!("AAAAA1: to=<x@b>, {SENT} (250 2.0.0 Ok: queued as BBBBB2)")),
            ("/smtp", &format!("BBBBB2: to=<y@b>, {SENT} (250 2.0.0 Ok: queued as AAAAA1)")),
            ("/smtp", &format!("BBBBB2: to=<z@b>, {SENT} (250 2.0.0 Ok: queued as BBBBB2)")),
        ],
    );
    assert_eq!(told.stories.len(), 2);
    assert!(told.stories.iter().all(|story| story.messages().len() == 1 && story.count(Fate::HandedOn) == 0));
}

/// A filter that tells no queue id: the Message-ID joins, unless two could be meant.
#[test]
fn a_filter_without_queue_ids() {
    let filtered = |more: bool| {
        let mut rows = vec![
            ("/smtpd", "AAAAA1: client=h[192.0.2.1]"),
            ("/cleanup", "AAAAA1: message-id=<m@a>"),
            ("/smtpd", "AAAAA3: client=h[192.0.2.1]"),
            ("/cleanup", if more { "AAAAA3: message-id=<m@a>" } else { "AAAAA3: message-id=<n@a>" }),
            (
                "/pipe",
                "AAAAA1: to=<x@b>, relay=filter, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (delivered via filter service)",
            ),
            ("/qmgr", "AAAAA1: removed"),
            (
                "/pipe",
                "AAAAA3: to=<x@b>, relay=filter, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (delivered via filter service)",
            ),
            ("/qmgr", "AAAAA3: removed"),
        ];
        rows.extend([("/pickup", "BBBBB1: uid=99 from=<s@a>"), ("/cleanup", "BBBBB1: message-id=<m@a>")]);
        told(STORIES, 1_000_000, &rows).stories
    };
    let stories = filtered(false);
    assert_eq!(
        stories.iter().map(|story| story.messages().len()).collect::<BTreeMultiset>(),
        BTreeMultiset(vec![1, 2])
    );
    assert_eq!(filtered(true).len(), 3);
}

#[derive(Debug, PartialEq)]
struct BTreeMultiset(Vec<usize>);

impl FromIterator<usize> for BTreeMultiset {
    fn from_iter<T: IntoIterator<Item = usize>>(iter: T) -> Self {
        let mut all: Vec<usize> = iter.into_iter().collect();
        all.sort_unstable();
        Self(all)
    }
}

/// A filter in front of the queue: the client is the one in front of it.
#[test]
fn a_filter_before_the_queue() {
    for follow in [Follow::Logins, Follow::All, STORIES] {
        let told = told(
            follow,
            1_000,
            &[
                ("/smtpd", "connect from h[192.0.2.1]"),
                ("/smtpd", "NOQUEUE: client=h[192.0.2.1], sasl_method=PLAIN, sasl_username=u"),
                ("/in/smtpd", "AAAAA1: client=localhost[127.0.0.1]"),
                (
                    "/smtpd",
                    "proxy-accept: END-OF-MESSAGE: 250 2.0.0 Ok: queued as AAAAA1; from=<s@a> to=<x@b> proto=ESMTP helo=<h>",
                ),
                ("/smtp", &format!("AAAAA1: to=<x@b>, {SENT} (250 ok)")),
                ("/qmgr", "AAAAA1: removed"),
            ],
        );
        let [story] = told.stories.as_slice() else { panic!("{follow:?}: {} stories", told.stories.len()) };
        assert_eq!(story.username(), Some(b"u".as_slice()));
        assert_eq!(story.at().unwrap().client_ip, Some("192.0.2.1".parse().unwrap()));
        assert_eq!(fates(story), [("x@b".to_owned(), Fate::Sent)]);
    }
}

/// `postsuper -r` puts a message back to the start, under another queue id.
#[test]
fn put_in_the_queue_again() {
    let deferred = "AAAAA1: to=<x@b>, relay=none, delay=1, delays=0/0/0/1, dsn=4.0.0, status=deferred (no)";
    let lines = [
        ("/smtpd", "AAAAA1: client=h[192.0.2.1], sasl_method=PLAIN, sasl_username=u"),
        ("/cleanup", "AAAAA1: message-id=<m@a>"),
        ("/smtp", deferred),
        ("/postsuper", "AAAAA1: requeued"),
        ("/pickup", "AAAAA2: uid=107 from=<s@a> orig_id=AAAAA1"),
        ("/cleanup", "AAAAA2: message-id=<m@a>"),
        ("/smtp", &format!("AAAAA2: to=<x@b>, {SENT} (250 ok)")),
        ("/qmgr", "AAAAA2: removed"),
    ];
    // Pickup comes within a minute, or when Postfix runs again.
    for (follow, step) in
        [(STORIES, 1_000), (STORIES, 60_000_000), (STORIES, 3_000_000_000), (Follow::Logins, 60_000_000)]
    {
        let told = told(follow, step, &lines);
        let [story] = told.stories.as_slice() else { panic!("{} stories", told.stories.len()) };
        assert_eq!(fates(story), [("x@b".to_owned(), Fate::Sent)]);
        assert!(story.is_finished() && story.first().unwrap().end.name() == "requeued");
        assert_eq!(story.first().unwrap().children[0].kind, LinkKind::Requeue);
    }
}

/// A command in a pipe hands a login's mail in again: its copy tells its fate, whichever of them is told of first.
#[test]
fn a_filter_in_a_pipe() {
    let login = ("/smtpd", "AAAAA1: client=h[192.0.2.1], sasl_method=PLAIN, sasl_username=u");
    let id = ("/cleanup", "AAAAA1: message-id=<m@a>");
    let piped = "AAAAA1: to=<x@b>, relay=spamassassin, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (delivered via spamassassin service)";
    let piped = [("/pipe", piped), ("/qmgr", "AAAAA1: removed")];
    let again = [("/pickup", "AAAAA2: uid=7 from=<s@a>"), ("/cleanup", "AAAAA2: message-id=<m@a>")];
    let others = [("/pickup", "AAAAA2: uid=7 from=<s@a>"), ("/cleanup", "AAAAA2: message-id=<other@a>")];
    let bounced = "AAAAA2: to=<x@b>, relay=none, delay=1, delays=0/0/0/1, dsn=5.1.1, status=bounced (no)";
    let bounced = [("/smtp", bounced), ("/qmgr", "AAAAA2: removed")];
    for follow in [STORIES, Follow::Logins] {
        let fate = |parts: [&[(&str, &str)]; 4]| {
            let told = told(follow, 1_000, &parts.concat());
            fates(told.stories.iter().find(|story| story.queue_id() == b"AAAAA1").unwrap())
        };
        let (sent, returned) = ([("x@b".to_owned(), Fate::Sent)], [("x@b".to_owned(), Fate::Bounced)]);
        assert_eq!(fate([&[login, id], &again, &piped, &bounced]), returned, "{follow:?}");
        assert_eq!(fate([&[login, id], &piped, &again, &bounced]), returned, "{follow:?}");
        assert_eq!(fate([&[login, id], &again, &bounced, &piped]), returned, "{follow:?}");
        assert_eq!(fate([&[login, id], &piped, &others, &bounced]), sent, "{follow:?}");
    }
}

/// Programs write at the same time: what one says about the other's doing may stand first.
#[test]
fn before_their_first_lines() {
    let forwarded = "AAAAA1: to=<team@mx>, orig_to=<team>, relay=local, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (forwarded as AAAAA2)";
    let bounced = "AAAAA2: to=<x@b>, relay=none, delay=1, delays=0/0/0/1, dsn=5.1.1, status=bounced (no such user)";
    let told_of = told(
        STORIES,
        1_000,
        &[
            ("/smtpd", "AAAAA1: client=h[192.0.2.1]"),
            ("/cleanup", "AAAAA1: message-id=<m@a>"),
            ("/local", forwarded),
            ("/cleanup", "AAAAA2: message-id=<m@a>"),
            ("/qmgr", "AAAAA2: from=<s@a>, size=10, nrcpt=1 (queue active)"),
            ("/smtp", bounced),
            ("/qmgr", "AAAAA2: removed"),
            ("/qmgr", "AAAAA1: removed"),
        ],
    );
    let [story] = told_of.stories.as_slice() else { panic!("{} stories", told_of.stories.len()) };
    assert_eq!(fates(story), [("x@b".to_owned(), Fate::Bounced)]);
    let deferred = "AAAAA1: to=<x@b>, relay=none, delay=1, delays=0/0/0/1, dsn=4.0.0, status=deferred (no)";
    let given_up = ("/qmgr", "AAAAA1: from=<s@a>, status=expired, returned to sender");
    for rows in
        [[("/smtp", deferred), given_up, ("/smtp", deferred)], [given_up, ("/smtp", deferred), ("/smtp", deferred)]]
    {
        let told = told(STORIES, 1_000, &rows);
        assert_eq!(fates(told.stories.first().unwrap()), [("x@b".to_owned(), Fate::Expired)], "{rows:?}");
    }
}

#[test]
fn ends() {
    let check = |rows: &[(&str, &str)], expected: &str| {
        let told = told(Follow::All, 1_000, rows);
        let [message] = told.messages.as_slice() else { panic!("{rows:?}: {} messages", told.messages.len()) };
        assert_eq!(message.end.name(), expected, "{}", row(message, |_| None));
    };
    let accepted = ("/smtpd", "AAAAA1: client=h[192.0.2.1]");
    let active = ("/qmgr", "AAAAA1: from=<s@a>, size=10, nrcpt=1 (queue active)");
    let held = (
        "/cleanup",
        "AAAAA1: hold: header Subject: x from h[192.0.2.1]; from=<s@a> to=<x@b> proto=ESMTP helo=<h>: words",
    );
    check(&[accepted], "end_missing");
    check(&[("/cleanup", "AAAAA1: message-id=<m@a>")], "end_missing");
    check(&[("/pickup", "AAAAA1: uid=0 from=<root>")], "end_missing");
    check(&[accepted, ("/cleanup", "AAAAA1: removed (canceled)")], "canceled");
    check(&[accepted, active], "in_queue");
    check(&[accepted, held], "held");
    check(&[accepted, active, ("/postsuper", "AAAAA1: placed on hold")], "held");
    check(&[accepted, held, ("/postsuper", "AAAAA1: released from hold")], "in_queue");
    check(&[accepted, active, ("/postsuper", "AAAAA1: requeued")], "requeued");
    check(&[accepted, held, active], "in_queue");
    check(&[accepted, active, ("/postsuper", "AAAAA1: removed")], "deleted");
    check(&[accepted, active, ("/qmgr", "AAAAA1: removed")], "removed");
    check(&[("/qmgr", "AAAAA1: removed")], "removed");
}

/// What is refused or thrown away whole never gets into the queue: who did it, and with what words.
#[test]
fn stopped_before_the_queue() {
    const FIELDS: &str = "from=<x@a.example> to=<u@example.org> proto=ESMTP helo=<a.example>";
    let check = |tag: &str, text: &str, end: &str, stop: Option<(&str, &str, Option<&str>)>| {
        let text =
            format!("AAAAA1: {text}").replace("FIELDS", FIELDS).replace("AAAAA1: warning: ", "warning: AAAAA1: ");
        let rows =
            [("/smtpd", "AAAAA1: client=a.example[192.0.2.1]"), ("/cleanup", "AAAAA1: message-id=<m@a>"), (tag, &text)];
        for follow in [Follow::All, STORIES] {
            let told = told(follow, 1_000, &rows);
            let message = told.messages.first().or_else(|| told.stories.first()?.first()).unwrap();
            assert_eq!(message.end.name(), end, "{text}");
            let found = message.stop().map(|s| (s.by.name(), show(s.words), s.to.map(show)));
            let wanted = stop.map(|(by, words, to)| (by, words.to_owned(), to.map(str::to_owned)));
            assert_eq!((found, message.ended.is_some()), (wanted, stop.is_some()), "{text}");
        }
    };
    let to = Some("u@example.org");
    let milter = "milter-reject: END-OF-MESSAGE from a.example[192.0.2.1]: 5.7.1 Spam message rejected; FIELDS";
    check("/cleanup", milter, "refused", Some(("milter", "5.7.1 Spam message rejected", to)));
    let discard = "milter-discard: END-OF-MESSAGE from a.example[192.0.2.1]: milter triggers DISCARD action; FIELDS";
    check("/cleanup", discard, "discarded", Some(("milter", "milter triggers DISCARD action", to)));
    let header = "reject: header Subject: x from a.example[192.0.2.1]; FIELDS: 5.7.1 no thanks";
    check("/cleanup", header, "refused", Some(("header_check", "5.7.1 no thanks", to)));
    let body = "reject: body buy from a.example[192.0.2.1]; FIELDS: 5.7.1 no thanks";
    check("/cleanup", body, "refused", Some(("body_check", "5.7.1 no thanks", to)));
    let thrown = "discard: header Subject: x from a.example[192.0.2.1]; FIELDS: spam";
    check("/cleanup", thrown, "discarded", Some(("header_check", "spam", to)));
    let size = "queue file size limit exceeded";
    check("/cleanup", &format!("warning: {size}"), "refused", Some(("size_limit", size, None)));
    let hops = "message rejected: hopcount exceeded";
    check("/cleanup", &format!("warning: {hops}"), "refused", Some(("hop_count", hops, None)));
    let at_end = "reject: END-OF-MESSAGE from a.example[192.0.2.1]: 554 5.7.1 <END-OF-MESSAGE>: End-of-data rejected: no; FIELDS";
    let words = "554 5.7.1 <END-OF-MESSAGE>: End-of-data rejected: no";
    check("/smtpd", at_end, "refused", Some(("restriction", words, to)));
    // One recipient is refused, not the message.
    let one = "reject: RCPT from a.example[192.0.2.1]: 550 5.1.1 <u@example.org>: User unknown; FIELDS";
    check("/smtpd", one, "end_missing", None);
    let warned = "warning: header Subject: x from a.example[192.0.2.1]; FIELDS: odd";
    check("/cleanup", warned, "end_missing", None);
}

/// Mail of this host that a check refuses is returned; and what is active after all has not ended.
#[test]
fn refused_and_gone_on() {
    let refused = ("/cleanup", "AAAAA1: reject: header Subject: x from local; from=<s@a> to=<x@b>: 5.7.1 no");
    let told = told(
        STORIES,
        1_000,
        &[
            ("/pickup", "AAAAA1: uid=0 from=<s@a>"),
            refused,
            ("/cleanup", "AAAAA1: to=<x@b>, relay=none, delay=0, delays=0/0/0/0, dsn=5.7.1, status=bounced (no)"),
            ("/bounce", "AAAAA1: sender non-delivery notification: AAAAA2"),
            ("/qmgr", "AAAAA2: from=<>, size=10, nrcpt=1 (queue active)"),
            ("/qmgr", "AAAAA2: removed"),
        ],
    );
    let [story] = told.stories.as_slice() else { panic!("{} stories", told.stories.len()) };
    assert_eq!((story.first().unwrap().end.name(), fates(story)), ("refused", vec![("x@b".to_owned(), Fate::Bounced)]));
    assert!(story.is_finished());

    let active = ("/qmgr", "AAAAA1: from=<s@a>, size=10, nrcpt=1 (queue active)");
    let told = told_all(&[("/smtpd", "AAAAA1: client=h[192.0.2.1]"), refused, active, ("/qmgr", "AAAAA1: removed")]);
    assert_eq!(told, ["mx AAAAA1 client of None from Some(\"s@a\") id None active 1 removed []"]);
}

fn told_all(rows: &[(&str, &str)]) -> Vec<String> {
    told(Follow::All, 1_000, rows).messages.iter().map(|message| row(message, |_| None)).collect()
}

/// Only the log can show that a client broke off: its session ends in the middle, or ten more minutes pass.
#[test]
fn broken_off_or_cut_off() {
    let check = |rows: &[(&str, &str)], step: i64, expected: &str| {
        for follow in [Follow::All, STORIES] {
            let told = told(follow, step, rows);
            let of_stories = told.stories.iter().flat_map(|story| story.messages());
            let message =
                told.messages.iter().chain(of_stories).find(|message| message.queue_id() == b"AAAAA1").unwrap();
            assert_eq!(message.end.name(), expected, "{rows:?}");
        }
    };
    let accepted = ("/smtpd", "AAAAA1: client=h[192.0.2.1]");
    let lost = "lost connection after DATA (123 bytes) from h[192.0.2.1]";
    check(&[accepted, ("/smtpd", lost)], 1_000, "canceled");
    check(&[accepted, ("/smtpd", &format!("AAAAA1: {lost}"))], 1_000, "canceled");
    check(&[accepted, ("/other/smtpd", lost)], 1_000, "end_missing");
    check(&[accepted, ("/smtpd", "lost connection after DATA from h[192.0.2.2]")], 1_000, "end_missing");
    check(&[accepted, ("/smtpd", "lost connection after END-OF-MESSAGE from h[192.0.2.1]")], 1_000, "end_missing");
    let active = ("/qmgr", "AAAAA1: from=<s@a>, size=10, nrcpt=1 (queue active)");
    check(&[accepted, ("/smtpd", lost), active], 1_000, "in_queue");
    let other = ("/smtpd", "AAAAA2: client=h[192.0.2.1]");
    check(&[accepted, other], 599_000_000, "end_missing");
    check(&[accepted, other], 600_000_000, "canceled");
    check(&[("/pickup", "AAAAA1: uid=0 from=<root>"), other], 600_000_000, "end_missing");
}

/// What a rule says about a message before it has a queue file, what its client's counters say, and how far its own host's log goes.
#[test]
fn held_or_taken_without_a_line_of_its_own() {
    let check = |rows: &[(&str, &str)], end: &str, words: Option<&str>| {
        for follow in [Follow::All, STORIES] {
            let told = told(follow, 1_000, rows);
            let of_stories = told.stories.iter().flat_map(|story| story.messages());
            let message =
                told.messages.iter().chain(of_stories).find(|message| message.queue_id() == b"AAAAA1").unwrap();
            assert_eq!(message.end.name(), end, "{rows:?}");
            assert_eq!(message.stop().map(|stop| show(stop.words)).as_deref(), words, "{rows:?}");
        }
    };
    let rule = |action: &str, client: &str| {
        format!(
            "NOQUEUE: {action}: RCPT from {client}: <s@a>: Sender address triggers {action} action; from=<s@a> to=<x@b> proto=ESMTP helo=<h>"
        )
    };
    let accepted = ("/smtpd", "AAAAA1: client=h[192.0.2.1]");
    let (hold, discard) = (rule("hold", "h[192.0.2.1]"), rule("discard", "h[192.0.2.1]"));
    let said = "<s@a>: Sender address triggers discard action";
    check(&[("/smtpd", &hold), accepted], "held", None);
    check(&[("/smtpd", &rule("milter-hold", "h[192.0.2.1]")), accepted], "held", None);
    check(&[("/smtpd", &discard), accepted], "discarded", Some(said));
    let active = ("/qmgr", "AAAAA1: from=<s@a>, size=10, nrcpt=1 (queue active)");
    check(&[("/smtpd", &hold), accepted, active], "in_queue", None);
    check(&[("/smtpd", &discard), accepted, active], "in_queue", None);
    // Another client, another process, another kind of rule; and only the next message.
    check(&[("/smtpd", &rule("hold", "h[192.0.2.2]")), accepted], "end_missing", None);
    check(&[("/other/smtpd", &hold), accepted], "end_missing", None);
    check(&[("/smtpd", &rule("warn", "h[192.0.2.1]")), accepted], "end_missing", None);
    check(&[("/smtpd", &hold), ("/smtpd", "AAAAA0: client=h[192.0.2.1]"), accepted], "end_missing", None);
}

#[test]
fn taken_by_the_counters() {
    let check = |rows: &[(&str, &str)], expected: &str| {
        let later = ("/smtpd", "AAAAA9: client=h[192.0.2.9]");
        let rows: Vec<_> = rows.iter().copied().chain([later]).collect();
        let told = told(Follow::All, 600_000_000, &rows);
        let message = told.messages.iter().find(|message| message.queue_id() == b"AAAAA1").unwrap();
        assert_eq!(message.end.name(), expected, "{rows:?}");
    };
    let accepted = ("/smtpd", "AAAAA1: client=h[192.0.2.1]");
    let left = |counters: &str| format!("disconnect from h[192.0.2.1] {counters}");
    check(&[accepted], "canceled");
    check(&[accepted, ("/smtpd", &left("ehlo=1 mail=1 rcpt=1 data=1 quit=1 commands=5"))], "in_queue");
    check(&[accepted, ("/smtpd", &left("ehlo=1 mail=1 rcpt=1 data=0/1 quit=1 commands=4/5"))], "canceled");
    check(&[accepted, ("/smtpd", &left("ehlo=1 mail=1 rcpt=1 rset=1 quit=1 commands=5"))], "canceled");
    check(&[accepted, ("/other/smtpd", &left("ehlo=1 mail=1 rcpt=1 data=1 quit=1 commands=5"))], "canceled");
    let before = ("/smtpd", "AAAAA0: client=h[192.0.2.1]");
    check(&[before, accepted, ("/smtpd", &left("ehlo=1 mail=2 rcpt=2 data=1 quit=1 commands=5"))], "canceled");
    check(&[before, accepted, ("/smtpd", &left("ehlo=1 mail=2 rcpt=2 data=2 quit=1 commands=5"))], "in_queue");
}

/// Where one host's log ends, its messages are cut off, however long another's goes on.
#[test]
fn the_log_of_its_own_host() {
    let rows = |other: &str| -> Vec<String> {
        lines("mx1", &[("/smtpd", "AAAAA1: client=h[192.0.2.1]")])
            .into_iter()
            .chain(lines(other, &[("/smtpd", "AAAAA2: client=h[192.0.2.1]")]))
            .collect()
    };
    for (other, expected) in [("mx1", "canceled"), ("mx2", "end_missing")] {
        let told = play(Follow::All, 600_000_000, &rows(other));
        let message = told.messages.iter().find(|message| message.queue_id() == b"AAAAA1").unwrap();
        assert_eq!(message.end.name(), expected);
    }
}

/// A login's message that never got in is not the one that has its queue id later.
#[test]
fn a_strangers_message_under_the_same_queue_id() {
    let login = ("/smtpd", "AAAAA1: client=h[192.0.2.1], sasl_method=PLAIN, sasl_username=u");
    let sent = format!("AAAAA1: to=<x@b>, {SENT} (250 ok)");
    let check = |rows: &[(&str, &str)], got_in: bool, expected: &[(&str, Fate)]| {
        let told = told(Follow::Logins, 1_000_000, rows);
        let [story] = told.stories.as_slice() else { panic!("{} stories of {rows:?}", told.stories.len()) };
        let expected: Vec<_> = expected.iter().map(|(to, fate)| ((*to).to_owned(), *fate)).collect();
        assert_eq!((story.got_in(), fates(story)), (got_in, expected), "{rows:?}");
    };
    let (strangers, local) = (("/smtpd", "AAAAA1: client=x[192.0.2.7]"), ("/pickup", "AAAAA1: uid=7 from=<r>"));
    check(&[login, ("/smtp", &sent), ("/qmgr", "AAAAA1: removed")], true, &[("x@b", Fate::Sent)]);
    check(&[login, strangers, ("/smtp", &sent), ("/qmgr", "AAAAA1: removed")], false, &[]);
    check(&[login, local, ("/smtp", &sent), ("/qmgr", "AAAAA1: removed")], false, &[]);
    check(&[login, ("/smtp", &sent), strangers, ("/qmgr", "AAAAA1: removed")], true, &[("x@b", Fate::Sent)]);
    let milter =
        "AAAAA1: milter-reject: END-OF-MESSAGE from h[192.0.2.1]: 5.7.1 Spam; from=<s@a> to=<x@b> proto=ESMTP helo=<h>";
    check(&[login, ("/cleanup", milter)], false, &[]);
    let check =
        "AAAAA1: reject: header Subject: x from h[192.0.2.1]; from=<s@a> to=<x@b> proto=ESMTP helo=<h>: 5.7.1 no";
    let told = told(Follow::Logins, 1_000, &[login, ("/cleanup", check)]);
    assert!(told.stories.iter().all(|story| !story.got_in()) && told.stories.len() == 1);
}

/// Lines that come just after the end still belong to it; a new life under the same id does not.
#[test]
fn late_lines_and_new_lives() {
    let told = told(
        Follow::All,
        1_000,
        &[
            ("/smtpd", "AAAAA1: client=h[192.0.2.1]"),
            ("/qmgr", "AAAAA1: from=<s@a>, size=10, nrcpt=1 (queue active)"),
            ("/qmgr", "AAAAA1: removed"),
            ("/smtp", &format!("AAAAA1: to=<x@b>, {SENT} (250 ok)")),
            ("/cleanup", "AAAAA1: message-id=<m@a>"),
            ("/cleanup", "AAAAA1: message-id=<second@a>"),
            ("/qmgr", "AAAAA1: from=<t@a>, size=11, nrcpt=1 (queue active)"),
            ("/smtpd", "AAAAA1: client=h[192.0.2.1]"),
        ],
    );
    let rows: Vec<String> = told.messages.iter().map(|message| row(message, |_| None)).collect();
    assert_eq!(
        rows,
        [
            "mx AAAAA1 client of None from Some(\"s@a\") id Some(\"m@a\") active 1 removed [(\"x@b\", \"Sent\", 1, 0)]",
            "mx AAAAA1 unknown of None from Some(\"t@a\") id Some(\"second@a\") active 1 end_missing []",
            "mx AAAAA1 client of None from None id None active 0 end_missing []",
        ]
    );
}
