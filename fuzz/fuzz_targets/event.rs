//! A message of each program, `TAG: TEXT`: no panic, every part lies inside the message.
#![no_main]

use maillog::{Record, Stamp, Tag};

const TAGS: [&str; 23] = [
    "postfix/smtpd",
    "postfix",
    "postfix/smtp",
    "postfix/qmgr",
    "postfix/cleanup",
    "postfix/pickup",
    "postfix/bounce",
    "postfix/postscreen",
    "postfix/tlsproxy",
    "postfix/master",
    "postfix/postsuper",
    "postfix/anvil",
    "dovecot",
    "saslauthd",
    "sshd",
    "postfix/dnsblog",
    "postfix/postfix-script",
    "amavis",
    "rspamd",
    "opendkim",
    "policyd-spf",
    "postgrey",
    "postfix/submission/smtpd",
];

fn check(tag: &[u8], text: &[u8]) {
    let line = [tag, text].concat();
    let (tag, text) = line.split_at(tag.len());
    fuzz::check_record(
        &Record { stamp: Stamp::Instant(0), host: b"", tag: Tag(tag), program: maillog::program(Tag(tag)), pid: Some(1), repeat: 1, text },
        &line,
    );
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Some(at) = data.windows(2).position(|pair| pair == b": ") {
        check(data.get(..at).unwrap_or_default(), data.get(at + 2..).unwrap_or_default());
    }
    let Some((first, rest)) = data.split_first() else { return };
    let tag = TAGS.get(usize::from(*first) % TAGS.len()).unwrap_or(&"");
    check(tag.as_bytes(), &fuzz::folded(rest.get(..64).unwrap_or(rest)));
});
