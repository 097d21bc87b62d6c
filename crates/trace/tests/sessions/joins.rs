//! Verdicts and the attempts they belong to.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;

use crate::sink::play;
use crate::world::{Logged, Taste, merge, print, world};

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    /// Each verdict goes to its own attempt, 2 s later, and to no other; it is evidence, never an attempt.
    #[test]
    fn a_verdict_joins_its_own_attempt(world in world(Taste { verdicts: true }), choices in vec(any::<u8>(), 1..60)) {
        let lines = print(&world, false);
        let merged = merge(&lines, &choices, 0);
        let told = play(merged.iter().copied(), true);
        let verdicts: BTreeSet<u64> = merged.iter().filter_map(|line| line.verdict).collect();
        for line in merged.iter().filter(|line| line.text.contains("authentication failed:")) {
            let joined: Vec<u64> = told.evidence[&line.id].iter().copied().filter(|id| verdicts.contains(id)).collect();
            prop_assert_eq!(joined, line.verdict.into_iter().collect::<Vec<_>>(), "{}", &line.text);
            if line.verdict.is_some() {
                prop_assert_eq!(&told.names[&line.id], &line.verdict_name);
            }
        }
    }

    /// Behind one address nobody can tell who is meant; but a verdict is used once, and a logged name stays.
    #[test]
    fn behind_one_address(world in world(Taste { verdicts: true }), choices in vec(any::<u8>(), 1..60)) {
        let lines = print(&world, true);
        let merged = merge(&lines, &choices, 0);
        let told = play(merged.iter().copied(), true);
        let used: Vec<u64> = told.evidence.values().flatten().copied().collect();
        prop_assert_eq!(used.iter().collect::<BTreeSet<_>>().len(), used.len());
        for line in &merged {
            if let (Some((_, name)), Some(shown)) = (line.text.split_once(", sasl_username="), told.names.get(&line.id)) {
                prop_assert_eq!(shown.as_deref(), Some(name.trim_end_matches(']')));
            }
        }
    }
}

pub(crate) fn log(lines: &[(i64, &str)]) -> Vec<Logged> {
    lines
        .iter()
        .zip(1..)
        .map(|((tenths, text), id)| Logged {
            id,
            time: tenths * 100_000,
            text: format!("1763803046.0 mail {text}"),
            verdict: None,
            verdict_name: None,
        })
        .collect()
}

/// A mechanism that the backend lacks is refused without asking it: the verdict that follows is the next attempt's.
#[test]
fn a_refused_mechanism_takes_no_verdict() {
    let lines = log(&[
        (0, "postfix/smtpd[1]: connect from h[192.0.2.1]"),
        (
            10,
            "postfix/smtpd[1]: warning: h[192.0.2.1]: SASL NTLM authentication failed: Invalid authentication mechanism",
        ),
        (13, "dovecot: auth: passwd-file(alice,192.0.2.1): Password mismatch"),
        (33, "postfix/smtpd[1]: warning: h[192.0.2.1]: SASL PLAIN authentication failed: "),
        (34, "postfix/smtpd[1]: disconnect from h[192.0.2.1] ehlo=1 auth=0/2 quit=1 commands=2/4"),
    ]);
    let told = play(&lines, true);
    assert_eq!((&told.evidence[&2], &told.evidence[&4]), (&vec![], &vec![3]));
    assert_eq!((&told.names[&2], &told.names[&4]), (&None, &Some("alice".to_owned())));
}

fn nameless(client: u8) -> String {
    format!(
        "postfix/smtpd[{client}]: warning: h[192.0.2.{client}]: SASL LOGIN authentication failed: authentication failure"
    )
}

fn saslauthd(service: &str, user: &str) -> String {
    format!(
        "saslauthd[9]: do_auth         : auth failure: [user={user}] [service={service}] [realm=] [mech=pam] [reason=PAM auth error]"
    )
}

/// A line of saslauthd's names no client: of two that it could mean, none is named.
#[test]
fn one_line_and_two_clients() {
    let names = |lines: &[(i64, &str)]| play(&log(lines), true).names.into_values().collect::<Vec<_>>();
    let (one, two, alice, bob) = (nameless(1), nameless(2), saslauthd("smtp", "alice"), saslauthd("smtp", "bob"));
    let (some_alice, some_bob) = (Some("alice".to_owned()), Some("bob".to_owned()));
    assert_eq!(names(&[(0, &alice), (1, &one)]), vec![some_alice.clone()]);
    assert_eq!(names(&[(0, &alice), (1, &one), (2, &two)]), [None, None]);
    assert_eq!(names(&[(0, &alice), (1, &one), (50, &two)]), [some_alice.clone(), None]);
    assert_eq!(names(&[(0, &alice), (1, &one), (2, &one)]), [some_alice.clone(), None]);
    // Each has its own, in order, the second one's perhaps late.
    assert_eq!(names(&[(0, &alice), (1, &one), (2, &bob), (3, &two)]), [some_alice.clone(), some_bob.clone()]);
    assert_eq!(names(&[(0, &alice), (1, &one), (3, &two), (5, &bob)]), [some_alice, some_bob]);
    // The guess is no evidence either.
    let told = play(&log(&[(0, &alice), (1, &one), (2, &two)]), true);
    assert!(told.evidence.values().all(Vec::is_empty), "{:?}", told.evidence);
}

/// What saslauthd answers others, and PAM says of other logins, is nobody's.
#[test]
fn lines_about_other_services() {
    let (one, imap) = (nameless(1), saslauthd("imap", "alice"));
    let sshd =
        "sshd[5]: pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost= user=root";
    for other in [&*imap, sshd] {
        let told = play(&log(&[(0, other), (1, &one)]), true);
        assert_eq!((&told.names[&2], &told.evidence[&2]), (&None, &vec![]), "{other}");
    }
}

/// A log of repeated lines may claim any number of them.
#[test]
fn huge_repetitions_do_not_overflow() {
    let many = "message repeated 4294967295 times: [ warning: h[192.0.2.1]: SASL PLAIN authentication";
    let lines = log(&[
        (0, "postfix/smtpd[1]: connect from h[192.0.2.1]"),
        (1, &format!("postfix/smtpd[1]: {many} aborted]")),
        (2, &format!("postfix/smtpd[1]: {many} aborted]")),
        (3, &format!("postfix/smtpd[1]: {many} failed: x]")),
        (
            3,
            "postfix/smtpd[1]: message repeated 4294967295 times: [ warning: AUTH command rate limit exceeded: 3 from h[192.0.2.1] for service 587]",
        ),
        (
            3,
            "postfix/smtpd[1]: message repeated 4294967295 times: [ warning: h[192.0.2.1]: request longer than 12288: dGhp...]",
        ),
        (4, "postfix/smtpd[1]: 0F5383D12: client=h[192.0.2.1], sasl_method=PLAIN, sasl_username=a"),
        (4, "postfix/smtpd[1]: lost connection after AUTH from h[192.0.2.1]"),
        (5, "postfix/smtpd[1]: disconnect from h[192.0.2.1] auth=4294967295/4294967295 commands=2/4"),
        (6, "postfix/smtpd[2]: connect from h[192.0.2.1]"),
        (6, &format!("postfix/smtpd[2]: {many} failed: x]").replace("4294967295", "4294967290")),
        (7, "postfix/smtpd[2]: lost connection after AUTH from h[192.0.2.1]"),
        (7, "postfix/smtpd[2]: disconnect from h[192.0.2.1] auth=0/4294967295 commands=2/4"),
    ]);
    let told = play(&lines, true);
    assert_eq!(told.counts["Aborted"], 2 * u64::from(u32::MAX));
}

/// A clock that jumps, back or far ahead, is no reason to stop.
#[test]
fn clocks_that_jump() {
    for (early, late) in [(0, 2_500_000_000_000_000), (-600_000_000_000_000, 2_500_000_000_000_000)] {
        let mut lines = log(&[
            (0, "postfix/smtpd[1]: connect from h[192.0.2.1]"),
            (0, "dovecot: auth: passwd-file(alice,192.0.2.1): Password mismatch"),
            (
                0,
                "postfix/smtpd[1]: warning: h[192.0.2.1]: SASL PLAIN authentication failed: Connection lost to authentication server",
            ),
            (0, "postfix/smtpd[1]: 0F5383D12: client=localhost[127.0.0.1]"),
            (0, "dovecot: master: Dovecot v2.3.19.1 (9b53102964) starting up for imap"),
            (0, "postfix/smtpd[1]: warning: h[192.0.2.1]: SASL PLAIN authentication failed: x"),
        ]);
        for (at, line) in lines.iter_mut().enumerate() {
            line.time = if at % 2 == 0 { late } else { early } * 10;
        }
        assert_eq!(play(&lines, true).counts["Failed"], 2);
    }
}
