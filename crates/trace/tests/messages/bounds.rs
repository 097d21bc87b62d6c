//! Floods of messages: memory stays within the limits, and all are told.

use trace::{End, Follow, Limits, Message};

use crate::play::play_within;

const LIMITS: Limits = Limits { sessions: 64, messages: 64, message_bytes: 256 << 10, names: 64, held: 64 };
const FLOOD: usize = 20_000;

#[test]
fn messages_without_an_end_are_given_up_one_by_one() {
    for follow in [Follow::All, Follow::Stories { detail: true }] {
        let lines: Vec<String> = (0..FLOOD)
            .map(|n| {
                format!("Jun 17 10:00:00 mx postfix/qmgr[7]: {n:05X}A: from=<s{n}@a>, size=10, nrcpt=1 (queue active)")
            })
            .collect();
        let told = play_within(follow, LIMITS, 10, &lines);
        let all: Vec<&Message> = match follow {
            Follow::All => told.messages.iter().collect(),
            _ => told.stories.iter().flat_map(|story| story.messages()).collect(),
        };
        let given_up = all.iter().filter(|message| message.end == End::GivenUp).count();
        assert_eq!((all.len(), given_up), (FLOOD, FLOOD - 64), "{follow:?}");
    }
}

#[test]
fn recipients_and_attempts_of_one_message() {
    let deliver = |n: usize, to: usize| {
        format!(
            "Jun 17 10:00:00 mx postfix/smtp[7]: AAAAA1: to=<u{to}@b>, relay=none, delay=1, delays=0/0/1/0, dsn=4.0.0, status=deferred (try {n})"
        )
    };
    let limits = Limits { message_bytes: 64 << 20, ..LIMITS };
    let follow = Follow::Stories { detail: true };
    let lines: Vec<String> = (0..FLOOD).map(|n| deliver(n, n)).collect();
    let told = play_within(follow, limits, 10, &lines);
    let message = told.stories[0].first().unwrap();
    assert_eq!(
        (message.recipients().len(), message.recipients_beyond as usize),
        (Message::RECIPIENTS, FLOOD - Message::RECIPIENTS)
    );
    assert_eq!((message.tries().count(), message.lines().len()), (Message::TRIES, FLOOD));

    // Aliases of one mailbox, above the number from which they are looked up through an index.
    let alias = |n: usize| deliver(n, 0).replace("to=<u0@b>", &format!("to=<u0@b>, orig_to=<a{}@b>", n % 100));
    let lines: Vec<String> = (0..1_000).map(alias).collect();
    let told = play_within(follow, limits, 10, &lines);
    let message = told.stories[0].first().unwrap();
    assert_eq!(message.recipients().map(|recipient| recipient.tries).collect::<Vec<_>>(), [10; 100]);
    assert!(message.tries().all(|one| one.orig_to.is_some()));

    let lines: Vec<String> = (0..FLOOD + 10).map(|n| deliver(n, n % 2)).collect();
    let told = play_within(follow, limits, 10, &lines);
    let message = told.stories[0].first().unwrap();
    let tries: usize = message.recipients().map(|recipient| recipient.tries as usize).sum();
    assert_eq!((message.recipients().len(), tries), (2, FLOOD + 10));
    assert_eq!((message.tries().count(), message.lines().len()), (Message::TRIES, Message::LINES));

    // Alone it may stay, whatever the others' bound.
    assert_eq!(play_within(follow, LIMITS, 10, &lines).stories.len(), 1);
}

/// A chain of hand-overs ends somewhere, and nothing is lost over it.
#[test]
fn stories_do_not_grow_without_end() {
    let id = |n: usize| format!("{n:05X}A");
    let lines: Vec<String> = (0..3_000)
        .flat_map(|n| {
            [
                format!("Jun 17 10:00:00 mx postfix/smtpd[7]: {}: client=localhost[127.0.0.1]", id(n + 1)),
                format!(
                    "Jun 17 10:00:00 mx postfix/smtp[7]: {}: to=<u@b>, relay=127.0.0.1[127.0.0.1]:10024, delay=1, delays=0/0/1/0, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as {})",
                    id(n),
                    id(n + 1)
                ),
            ]
        })
        .collect();
    let told = play_within(Follow::Stories { detail: false }, Limits::default(), 10, &lines);
    let sizes: Vec<usize> = told.stories.iter().map(|story| story.messages().len()).collect();
    assert_eq!(sizes.iter().sum::<usize>(), 3_001);
    assert!(sizes.iter().all(|size| *size <= 1_000), "{sizes:?}");
}
