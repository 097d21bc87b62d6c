//! Rows of facts and the findings they make; the same findings wherever the state is put aside; bounds that hold.

use std::net::{IpAddr, Ipv4Addr};

use proptest::prelude::*;

use super::*;
use crate::class::Class;

mod insiders;

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;
const START: i64 = 1_772_409_600 * SECOND;

/// One fact, small enough for proptest to make.
#[derive(Clone, Debug)]
enum Fact {
    Failed { second: i64, host: u8, name: Option<u8>, cause: &'static str, class: Class },
    LoggedIn { second: i64, host: u8, name: u8 },
    Sent { second: i64, host: u8, name: u8, recipients: u32, bounced: u32 },
    Lost { second: i64 },
}

fn address(host: u8) -> IpAddr {
    // Some in one network, some far apart.
    IpAddr::V4(Ipv4Addr::new(if host.is_multiple_of(3) { 203 } else { 60 + host % 90 }, 0, 113, host))
}

fn name(number: u8) -> String {
    format!("user{number}@example.org")
}

fn proof(line: u64) -> Option<Proof> {
    Some(Proof { source: 0, number: line, text: format!("line {line}").into() })
}

fn refuse(
    detector: &mut Detector,
    (line, second): (u64, i64),
    host: u8,
    account: Option<&str>,
    (cause, class): (&'static str, Class),
) {
    let failed = Failed {
        time: START + second * SECOND,
        line,
        host: b"mail",
        service: b"submission",
        client: Some(address(host)),
        account: account.map(str::as_bytes),
        class: Some(class),
        killed: false,
        cause,
        mechanism: b"LOGIN",
        count: 1,
    };
    detector.failed(&failed, proof);
}

fn log_in(detector: &mut Detector, (line, second): (u64, i64), host: u8, account: &str) {
    let login = LoggedIn {
        time: START + second * SECOND,
        line,
        host: b"mail",
        service: b"submission",
        client: Some(address(host)),
        account: Some(account.as_bytes()),
        count: 1,
    };
    detector.logged_in(&login, proof);
}

fn feed(detector: &mut Detector, line: u64, fact: &Fact) {
    match *fact {
        Fact::Failed { second, host, name: number, cause, class } => {
            let account = number.map(name);
            refuse(detector, (line, second), host, account.as_deref(), (cause, class));
        }
        Fact::LoggedIn { second, host, name: number } => log_in(detector, (line, second), host, &name(number)),
        Fact::Sent { second, host, name: number, recipients, bounced } => {
            let (account, time) = (name(number), START + second * SECOND);
            detector.accepted(time, Some(address(host)), account.as_bytes());
            let (client, account) = (Some(address(host)), account.as_bytes());
            detector.mailed(&Mailed {
                time,
                client,
                account,
                queue_id: b"4A",
                recipients,
                bounced,
                sent: recipients - bounced,
            });
        }
        Fact::Lost { second } => detector.lines_lost(START + second * SECOND, 5),
    }
}

fn refused(second: i64, host: u8, name: Option<u8>) -> Fact {
    Fact::Failed { second, host, name, cause: "cred.undifferentiated", class: Class::AuthFailed }
}

fn run(facts: &[Fact]) -> Vec<Finding> {
    let mut detector = Detector::default();
    facts.iter().zip(0..).for_each(|(fact, line)| feed(&mut detector, line, fact));
    detector.findings()
}

fn kinds(facts: &[Fact]) -> Vec<(Kind, bool)> {
    run(facts).iter().map(|finding| (finding.kind, finding.ban)).collect()
}

/// Somebody logs in now and then, so that the log tells people from strangers.
fn town() -> Vec<Fact> {
    (0..5).map(|n| Fact::LoggedIn { second: n * 60, host: 100 + n as u8 * 7, name: 200 + n as u8 }).collect()
}

fn with_town(facts: impl IntoIterator<Item = Fact>) -> Vec<Fact> {
    town().into_iter().chain(facts).collect()
}

#[test]
fn one_source() {
    let check = |facts: Vec<Fact>, expected: &[(Kind, bool)]| assert_eq!(kinds(&facts), expected, "{facts:?}");
    // In a rush, with two names that nobody has, or with one that somebody has.
    check(with_town((0..30).map(|n| refused(1_000 + n, 1, Some((n % 2) as u8)))), &[(Kind::Guessing, true)]);
    check(with_town((0..40).map(|n| refused(1_000 + n, 1, Some(200)))), &[(Kind::Guessing, true)]);
    // With the latter a program set up wrongly is slower; with one name that nobody has it may be as fast: a server of one's own.
    check(with_town((0..40).map(|n| refused(1_000 + n * 4, 1, Some(200)))), &[(Kind::Guessing, false)]);
    check(with_town((0..40).map(|n| refused(1_000 + n, 1, Some(1)))), &[(Kind::Guessing, false)]);
    // The same at leisure and irregularly may be a device.
    check(
        with_town((0..30).map(|n| refused(1_000 + n * 400 + n * n % 7 * 90, 1, Some(1)))),
        &[(Kind::Guessing, false)],
    );
    check(with_town((0..12).map(|n| refused(1_000 + n * 500, 1, Some(n as u8)))), &[(Kind::Spraying, true)]);
    check(with_town((0..60).map(|n| refused(1_000 + n * 5, 1, Some((n % 6) as u8)))), &[(Kind::Guessing, true)]);
    check(with_town((0..9).map(|n| refused(1_000 + n, 1, Some(1)))), &[]);
    check(with_town((0..4).map(|n| refused(1_000 + n, 1, Some(n as u8)))), &[]);
    // Without any login in the log, names at leisure are no reason for a ban.
    check((0..12).map(|n| refused(1_000 + n * 500, 1, Some(n as u8))).collect(), &[(Kind::Spraying, false)]);
}

#[test]
fn real_people() {
    let login = |second, host, name| Fact::LoggedIn { second, host, name };
    // A device that comes back every five minutes, at home.
    let mut facts = vec![login(0, 9, 1)];
    facts.extend((0..40).map(|n| refused(1_000 + n * 300, 9, Some(1))));
    assert_eq!(kinds(&facts), [(Kind::StaleClient, false)]);
    // In the middle of a house with other people.
    let mut office: Vec<Fact> = (0..6).map(|n| login(n * 10, 9, n as u8)).collect();
    office.extend((0..25).map(|n| refused(1_000 + n * 60 + n % 5 * 17, 9, Some(50))));
    assert_eq!(kinds(&office), [(Kind::SharedOffice, false)]);
    // Forgot it, and remembers.
    let mut forgot = vec![login(0, 9, 1)];
    forgot.extend((0..9).map(|n| refused(1_000 + n * 30, 9, Some(1))));
    forgot.push(login(1_500, 9, 1));
    assert_eq!(kinds(&forgot), []);
}

/// Six accounts that fail in turn from one address, twelve times each.
fn office(detector: &mut Detector, from: i64, gap: i64, (domain, cause): (fn(u32) -> u32, &'static str)) {
    for n in 0..72 {
        let account =
            format!("{}@d{}.example", ["anna", "bert", "carl", "dora", "emil", "fritz"][n as usize % 6], domain(n % 6));
        refuse(detector, (u64::from(n), from + i64::from(n) * gap), 1, Some(&account), (cause, Class::AuthFailed));
    }
}

#[test]
fn an_office_that_never_got_in_is_not_banned() {
    const SAID_NOTHING: &str = "cred.undifferentiated";
    let of = |from, gap, names: (fn(u32) -> u32, &'static str)| {
        let mut detector = Detector::default();
        town().iter().for_each(|fact| feed(&mut detector, 1, fact));
        office(&mut detector, from, gap, names);
        detector
    };
    let told = |detector: &Detector| {
        let found = detector.findings();
        let [finding] = &*found else { panic!("{found:?}") };
        (finding.kind, finding.ban, finding.confidence > 0.9, finding.summary.contains("office"))
    };
    let (maybe, surely) = ((Kind::Guessing, false, false, true), (Kind::Guessing, true, true, false));
    assert_eq!(told(&of(1_000, 100, (|_| 1, SAID_NOTHING))), maybe);
    // What speaks against people: the log would have seen them log in, the pace, the domains, the backend.
    assert_eq!(told(&of(5 * 86_400, 100, (|_| 1, SAID_NOTHING))), surely);
    assert_eq!(told(&of(1_000, 5, (|_| 1, SAID_NOTHING))), surely);
    assert_eq!(told(&of(1_000, 100, (|n| n, SAID_NOTHING))), surely);
    assert_eq!(told(&of(1_000, 100, (|_| 1, "cred.unknown_user"))), surely);
    // Somebody far away has the same list.
    let mut shared = of(1_000, 100, (|_| 1, SAID_NOTHING));
    for (name, n) in ["anna", "bert", "carl"].iter().zip(0..) {
        let account = format!("{name}@d1.example");
        refuse(&mut shared, (n, 9_000 + n as i64 * 60), 2, Some(&account), (SAID_NOTHING, Class::AuthFailed));
    }
    assert_eq!(told(&shared), surely);
    // They get in after all: by Postfix, or to their mailboxes, from wherever.
    let mut later = of(1_000, 100, (|_| 1, SAID_NOTHING));
    log_in(&mut later, (1, 20_000), 1, "anna@d1.example");
    assert!(later.findings().iter().all(|finding| !finding.ban));
    let mut read = of(5 * 86_400, 100, (|_| 1, SAID_NOTHING));
    for name in ["anna", "bert", "carl"] {
        read.mailbox_read(START, address(90), Some(format!("{name}@d1.example").as_bytes()));
    }
    assert!(read.findings().iter().all(|finding| !finding.ban));
}

#[test]
fn a_phone_that_moves_is_one_device() {
    // One account that never logs in, from a few providers in turn, every fifteen minutes.
    let phone = |providers: u32, uneven: i64| {
        let mut detector = Detector::default();
        town().iter().for_each(|fact| feed(&mut detector, 1, fact));
        for n in 0..60u32 {
            let ip = Ipv4Addr::new(80 + u8::try_from(n / 4 % providers).unwrap(), 7, u8::try_from(n / 4).unwrap(), 9);
            let second = 1_000 + i64::from(n) * 900 + i64::from(n * n % 7) * uneven;
            let failed = Failed {
                time: START + second * SECOND,
                line: 1,
                host: b"mail",
                service: b"submission",
                client: Some(IpAddr::V4(ip)),
                account: Some(b"anna@example.org"),
                class: Some(Class::AuthFailed),
                killed: false,
                cause: "cred.undifferentiated",
                mechanism: b"PLAIN",
                count: 1,
            };
            detector.failed(&failed, proof);
        }
        detector.findings().iter().map(|f| (f.kind, f.ban, f.clients.len(), f.confidence)).collect::<Vec<_>>()
    };
    assert_eq!(phone(2, 0), [(Kind::StaleClient, false, 15, 0.55)]);
    // From everywhere it may be many attackers; at odd times they are.
    assert_eq!(phone(15, 0), [(Kind::DistributedAttack, false, 15, 0.7)]);
    assert_eq!(phone(2, 290), [(Kind::DistributedAttack, false, 15, 0.85)]);
}

#[test]
fn many_sources() {
    // One account from far apart, one try a day each.
    let slow: Vec<Fact> = (0..60).map(|n| refused(n * 40_000, 1 + n as u8, Some(1))).collect();
    let found = run(&with_town(slow));
    assert_eq!(
        found.iter().map(|f| (f.kind, f.ban, f.clients.len())).collect::<Vec<_>>(),
        [(Kind::DistributedAttack, false, 60)]
    );
    // Many accounts, none of which exists.
    let wide: Vec<Fact> = (0..60).map(|n| refused(n * 4_000, 1 + n as u8, Some(n as u8))).collect();
    let found = run(&with_town(wide));
    assert_eq!(found.iter().map(|f| (f.kind, f.clients.len())).collect::<Vec<_>>(), [(Kind::DistributedAttack, 60)]);
    // A few strangers are none.
    let few: Vec<Fact> = (0..8).map(|n| refused(n * 4_000, 1 + 9 * n as u8, Some(n as u8))).collect();
    assert_eq!(kinds(&with_town(few)), []);
}

#[test]
fn outages() {
    // Ten people who usually get in are refused, and nobody gets in.
    let mut facts: Vec<Fact> =
        (0..10).map(|n| Fact::LoggedIn { second: n, host: 1 + 3 * n as u8 + (n as u8 % 2), name: n as u8 }).collect();
    facts.extend(
        (0..40).map(|n| refused(90_000 + n * 20, 1 + 3 * (n % 10) as u8 + (n as u8 % 2), Some((n % 10) as u8))),
    );
    let found = run(&facts);
    assert_eq!(found.iter().map(|f| (f.kind, f.ban)).collect::<Vec<_>>(), [(Kind::BackendOutage, false)]);
    // The same beside others who do get in.
    let mut partly = facts.clone();
    partly.extend((0..40).map(|n| Fact::LoggedIn { second: 90_001 + n * 20, host: 99, name: 99 }));
    partly.sort_by_key(|fact| match fact {
        Fact::Failed { second, .. }
        | Fact::LoggedIn { second, .. }
        | Fact::Sent { second, .. }
        | Fact::Lost { second } => *second,
    });
    assert!(!kinds(&partly).contains(&(Kind::BackendOutage, false)));
}

#[test]
fn answers_lost_in_bulk_may_be_an_outage_or_a_flood() {
    let lost = |n: i64| Fact::Failed {
        second: 1_000 + n * 3,
        host: 1 + 3 * n as u8,
        name: None,
        cause: "backend.connection_lost",
        class: Class::BackendFault,
    };
    let told = |facts: Vec<Fact>| run(&facts).iter().map(|f| (f.kind, f.confidence, f.ban)).collect::<Vec<_>>();
    let bulk: Vec<Fact> = (0..20).map(lost).collect();
    let possible = [(Kind::BackendOutage, 0.5, false)];
    assert_eq!(told(bulk.clone()), possible);
    // People who log in are known, and these are none; or a few only.
    assert_eq!(told(with_town(bulk.clone())), []);
    assert_eq!(told(bulk[..5].to_vec()), []);
    // It explains nothing away: who guesses meanwhile is told of as ever.
    let guess = (0..40).map(|n| refused(1_000 + n, 250, Some((n % 4) as u8)));
    let both = told(bulk.iter().cloned().chain(guess).collect());
    assert_eq!(both, [possible[0], (Kind::Guessing, 0.95, true)]);
    // They get in afterwards: it was an outage.
    let mut over = bulk;
    over.extend((0..20).map(|n| Fact::LoggedIn { second: 3_000 + n, host: 1 + 3 * n as u8, name: n as u8 }));
    assert!(run(&over)[0].confidence >= 0.7);
}

#[test]
fn takeovers() {
    let mut facts: Vec<Fact> = (0..5).map(|n| Fact::LoggedIn { second: n * 80_000, host: 9, name: 1 }).collect();
    facts.extend((0..20).map(|n| refused(400_000 + n * 2, 70, Some(1))));
    facts.push(Fact::LoggedIn { second: 400_100, host: 70, name: 1 });
    facts.extend((0..30).map(|n| Fact::Sent { second: 400_200 + n * 9, host: 70, name: 1, recipients: 9, bounced: 4 }));
    let found = run(&facts);
    let taken = found.iter().find(|finding| finding.kind == Kind::AccountTakeover).unwrap();
    assert_eq!((taken.messages.len(), taken.ban, taken.accounts.len()), (30, false, 1));
    assert!(!taken.evidence.is_empty() && taken.confidence >= 0.8);
    // The same at home is its owner.
    let home: Vec<Fact> = facts
        .iter()
        .cloned()
        .map(|fact| match fact {
            Fact::Failed { second, name, cause, class, .. } => Fact::Failed { second, host: 9, name, cause, class },
            Fact::LoggedIn { second, name, .. } => Fact::LoggedIn { second, host: 9, name },
            Fact::Sent { second, name, recipients, bounced, .. } => {
                Fact::Sent { second, host: 9, name, recipients, bounced }
            }
            other => other,
        })
        .collect();
    assert!(!kinds(&home).iter().any(|(kind, _)| *kind == Kind::AccountTakeover));
}

#[test]
fn whoever_gets_in_after_guessing_is_told_of() {
    let guess = |count: i64, gap: i64| (0..count).map(move |n| refused(1_000 + n * gap, 70, Some(1)));
    let got_in = |at: i64| Fact::LoggedIn { second: at, host: 70, name: 1 };
    // In a rush; a device that comes back slowly and whose password was corrected is nobody's guess.
    let found = run(&with_town(guess(30, 3).chain([got_in(1_200)])));
    assert!(found.iter().any(|finding| finding.kind == Kind::Guessing && !finding.ban && finding.confidence < 0.8));
    let device = kinds(&with_town(guess(15, 300).chain([got_in(9_000)])));
    assert!(!device.iter().any(|(kind, _)| *kind == Kind::Guessing), "{device:?}");
    // Slowly, of somebody who lives elsewhere.
    let home = (0..5).map(|n| Fact::LoggedIn { second: n * 100, host: 9, name: 1 });
    let kinds = kinds(&home.chain(guess(40, 45)).chain([got_in(4_000)]).collect::<Vec<_>>());
    assert!(kinds.contains(&(Kind::Guessing, false)), "{kinds:?}");
}

/// Mail of an account as nobody sends it, much of which comes back.
fn flood(from: i64, host: u8, name: u8) -> impl Iterator<Item = Fact> {
    (0..100).map(move |n| Fact::Sent { second: from + n * 8, host, name, recipients: 2, bounced: 1 })
}

#[test]
fn stolen_accounts_that_share_an_address_are_no_office() {
    let mut facts = Vec::new();
    for name in 1..6 {
        facts.extend((0..4).map(|n| Fact::LoggedIn { second: n * 80_000 + i64::from(name), host: 9 + name, name }));
    }
    for name in 1..6 {
        let at = 400_000 + i64::from(name) * 3_600;
        facts.push(Fact::LoggedIn { second: at, host: 70, name });
        facts.extend(flood(at + 10, 70, name));
    }
    let taken = run(&facts).into_iter().filter(|finding| finding.kind == Kind::AccountTakeover).count();
    assert_eq!(taken, 5);
}

#[test]
fn a_mailbox_that_wakes_to_flood_is_told_of() {
    let woken = |at: i64, returned: u32| {
        let flood = flood(at + 10, 70, 1).map(move |fact| match fact {
            Fact::Sent { second, host, name, .. } => {
                Fact::Sent { second, host, name, recipients: 2, bounced: returned }
            }
            other => other,
        });
        let facts = with_town([Fact::LoggedIn { second: at, host: 70, name: 1 }].into_iter().chain(flood));
        kinds(&facts).iter().any(|(kind, _)| *kind == Kind::AccountTakeover)
    };
    assert!(woken(400_000, 1));
    // A newsletter that arrives, and an account of which the log is too short to say that it slept.
    assert!(!woken(400_000, 0) && !woken(4_000, 1));
}

#[test]
fn readers_stay_within_bounds_and_the_latest_are_kept() {
    let mut detector = Detector::new(Settings::default(), Bounds { sources: 10, ..Bounds::default() });
    for n in 0..1_000u32 {
        detector.mailbox_read(START + i64::from(n) * SECOND, IpAddr::V4(Ipv4Addr::from_bits(n << 8)), None);
        assert!(detector.readers.len() <= 10);
    }
    assert!(detector.readers.contains_key(&Source::of(IpAddr::V4(Ipv4Addr::from_bits(999 << 8)))));
}

#[test]
fn where_mailboxes_are_read_nobody_is_banned() {
    let mut detector = Detector::default();
    let spray: Vec<Fact> = with_town((0..40).map(|n| refused(1_000 + n, 1, Some(n as u8))));
    spray.iter().zip(0..).for_each(|(fact, line)| feed(&mut detector, line, fact));
    assert!(detector.findings().iter().any(|finding| finding.ban));
    detector.mailbox_read(START, address(1), None);
    let found = detector.findings();
    assert!(found.iter().all(|finding| !finding.ban && finding.confidence < 0.8) && !found.is_empty(), "{found:?}");
}

#[test]
fn losses_make_counts_at_least() {
    let mut facts = with_town((0..30).map(|n| refused(1_000 + n, 1, Some(1))));
    facts.push(Fact::Lost { second: 1_010 });
    let found = run(&facts);
    assert!(found.iter().all(|finding| finding.at_least), "{found:?}");
    assert!(found.iter().any(|finding| finding.kind == Kind::LogLoss));
}

#[test]
fn own_networks_and_monitoring() {
    let facts = with_town((0..30).map(|n| refused(1_000 + n, 1, Some(1))));
    let own = Settings { own_networks: vec!["61.0.0.0/8".parse().unwrap()], ..Settings::default() };
    let watched = Settings { monitoring: vec!["61.0.113.1/32".parse().unwrap()], ..Settings::default() };
    for (settings, expected) in [(own, vec![false]), (watched, vec![])] {
        let mut detector = Detector::new(settings, Bounds::default());
        facts.iter().zip(0..).for_each(|(fact, line)| feed(&mut detector, line, fact));
        assert_eq!(detector.findings().iter().map(|finding| finding.ban).collect::<Vec<_>>(), expected);
    }
}

#[test]
fn a_flood_stays_within_bounds_and_the_loud_are_kept() {
    let bounds = Bounds { sources: 500, names: 500, pairs: 1_000 };
    let mut detector = Detector::new(Settings::default(), bounds);
    let mut fail = |time: i64, ip: u32, account: &str| {
        let failed = Failed {
            time,
            line: 0,
            host: b"mail",
            service: b"smtp",
            client: Some(IpAddr::V4(Ipv4Addr::from_bits(ip))),
            account: Some(account.as_bytes()),
            class: Some(Class::AuthFailed),
            killed: false,
            cause: "cred.undifferentiated",
            mechanism: b"PLAIN",
            count: 1,
        };
        detector.failed(&failed, |_| None);
    };
    for n in 0..40 {
        fail(START + n * SECOND, 0x4000_0001, if n % 2 == 0 { "admin" } else { "root" });
    }
    for n in 0..20_000u32 {
        fail(START + i64::from(n) * 600 * SECOND, 0x5000_0000 + n * 7, &format!("name{n}"));
    }
    assert!(detector.clients.len() <= 500 && detector.accounts.len() <= 500 && detector.pairs.len() <= 1_000);
    assert!(detector.forgotten() > 10_000);
    assert!(detector.findings().iter().any(|finding| finding.id == "attack-64.0.0.1" && finding.ban));
}

#[test]
fn damage_is_told() {
    let bytes = Detector::default().snapshot().unwrap();
    assert!(Detector::restore(&bytes, Settings::default()).is_ok());
    for wrong in [&bytes[..bytes.len() / 2], b"".as_slice(), b"\x63rest".as_slice()] {
        assert!(Detector::restore(wrong, Settings::default()).is_err());
    }
}

fn facts() -> impl Strategy<Value = Vec<Fact>> {
    let cause = prop_oneof![
        4 => Just(("cred.undifferentiated", Class::AuthFailed)),
        1 => Just(("backend.penalty", Class::BackendFault)),
        1 => Just(("backend.socket_missing", Class::BackendFault)),
        1 => Just(("client.mechanism_unsupported", Class::AuthFailed)),
        1 => Just(("tls.auth_before_starttls", Class::AuthRefused)),
    ];
    let step = 0i64..4_000;
    let one = prop_oneof![
        5 => (step.clone(), 0u8..12, proptest::option::of(0u8..12), cause)
            .prop_map(|(second, host, name, (cause, class))| Fact::Failed { second, host, name, cause, class }),
        3 => (step.clone(), 0u8..12, 0u8..8).prop_map(|(second, host, name)| Fact::LoggedIn { second, host, name }),
        2 => (step.clone(), 0u8..12, 0u8..8, 0u32..50)
            .prop_map(|(second, host, name, n)| Fact::Sent { second, host, name, recipients: n, bounced: n / 3 }),
        1 => step.prop_map(|second| Fact::Lost { second }),
    ];
    proptest::collection::vec(one, 0..250).prop_map(|mut facts| {
        let mut now = 0;
        for fact in &mut facts {
            let (Fact::Failed { second, .. }
            | Fact::LoggedIn { second, .. }
            | Fact::Sent { second, .. }
            | Fact::Lost { second }) = fact;
            now += *second;
            *second = now;
        }
        facts
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Put aside anywhere and taken up again, the findings are those of an unbroken run.
    #[test]
    fn wherever_it_is_cut(facts in facts(), cut in 0usize..250) {
        let cut = cut.min(facts.len());
        let mut first = Detector::default();
        for (fact, line) in facts.iter().zip(0..).take(cut) {
            feed(&mut first, line, fact);
        }
        let mut second = Detector::restore(&first.snapshot().unwrap(), Settings::default()).unwrap();
        for (fact, line) in facts.iter().zip(0..).skip(cut) {
            feed(&mut second, line, fact);
        }
        let told = |findings: Vec<Finding>| -> Vec<String> {
            findings
                .into_iter()
                .map(|mut finding| {
                    // Which file an earlier line stood in is not known any more.
                    finding.evidence.iter_mut().for_each(|proof| proof.source = 0);
                    format!("{finding:?}")
                })
                .collect()
        };
        prop_assert_eq!(told(second.findings()), told(run(&facts)));
    }

    /// No ban of an address that anybody ever logged in from, whatever else happened.
    #[test]
    fn nobody_who_got_in_is_banned(facts in facts()) {
        let got_in: Vec<IpAddr> =
            facts.iter().filter_map(|fact| match fact { Fact::LoggedIn { host, .. } => Some(address(*host)), _ => None }).collect();
        for finding in run(&facts).into_iter().filter(|finding| finding.ban) {
            prop_assert!(finding.clients.iter().all(|ip| !got_in.contains(ip)), "{finding:?}");
        }
    }
}

#[test]
fn days_are_days() {
    // One try a day for a year is remembered.
    let mut detector = Detector::default();
    for day in 0..365 {
        let mut fact = refused(0, 1 + (day % 200) as u8, Some(1));
        if let Fact::Failed { second, .. } = &mut fact {
            *second = day * DAY / SECOND;
        }
        feed(&mut detector, 0, &fact);
    }
    let found = detector.findings();
    assert_eq!(
        found.first().map(|finding| (finding.kind, finding.clients.len())),
        Some((Kind::DistributedAttack, 200))
    );
}

/// Somebody sets up a new phone far from home, and finds his name at last; whoever tries other people's names as often does not.
#[test]
fn forms_of_ones_own_name_are_no_guesses() {
    let forms =
        ["anna", "anna.meyer", "ANNA.MEYER@example.org", "anna-meyer@example.org", "anna.meyer@mail.example.org"];
    let others = ["bert", "carl.koch", "dora@example.org", "emil.frank", "fritz@mail.example.org"];
    let told = |tried: &[&str]| {
        let mut detector = Detector::default();
        town().iter().zip(0..).for_each(|(fact, line)| feed(&mut detector, line, fact));
        let (own, day) = ("anna.meyer@mail.example.org", 86_400);
        (0..3).for_each(|n| log_in(&mut detector, (100, n * day), 150, own));
        for (n, account) in (0..20).zip(tried.iter().cycle()) {
            let why = ("cred.undifferentiated", Class::AuthFailed);
            refuse(&mut detector, (200 + n, 3 * day + n as i64 * 5), 1, Some(account), why);
        }
        log_in(&mut detector, (300, 3 * day + 200), 1, own);
        detector.findings().iter().map(|finding| finding.kind).collect::<Vec<_>>()
    };
    assert_eq!(told(&forms), []);
    assert_eq!(told(&others), [Kind::AccountTakeover]);
}

/// Logins `(second, host, name)`, then tries `(second, name)` of host 1; what is told of it.
fn after(logins: &[(i64, u8, &str)], tries: &[(i64, &str)]) -> Vec<(Kind, bool, f32)> {
    let mut detector = Detector::default();
    logins.iter().zip(0..).for_each(|((second, host, name), line)| log_in(&mut detector, (line, *second), *host, name));
    for ((second, name), line) in tries.iter().zip(100..) {
        refuse(&mut detector, (line, *second), 1, Some(name), ("cred.undifferentiated", Class::AuthFailed));
    }
    detector.findings().iter().map(|finding| (finding.kind, finding.ban, finding.confidence)).collect()
}

const PEOPLE: [&str; 12] =
    ["anna", "bert", "carla", "dieter", "eva", "frank", "gerda", "hans", "ines", "jan", "karin", "lars"];

#[test]
fn names_of_accounts_in_another_form_are_no_strangers() {
    let full: Vec<String> = PEOPLE.iter().map(|name| format!("{name}@example.test")).collect();
    let logins: Vec<(i64, u8, &str)> =
        full.iter().zip(10..).map(|(name, n)| (i64::from(n), n, name.as_str())).collect();
    let paced = |names: &[String], gap: i64| {
        let tries: Vec<(i64, &str)> =
            names.iter().chain(names).zip(0..).map(|(name, n)| (500_000 + n * gap, name.as_str())).collect();
        after(&logins, &tries)
    };
    let twice = |names: &[String]| paced(names, 120);
    let named = |of: fn(&str) -> String| PEOPLE.map(of).to_vec();
    let maybe = [(Kind::Spraying, false, 0.6)];
    assert_eq!(twice(&named(|name| name.to_owned())), maybe);
    assert_eq!(twice(&named(|name| format!("{name}@old.test"))), maybe);
    assert_eq!(twice(&named(|name| format!("EXAMPLE\\{name}"))), maybe);
    // All of them come to work.
    assert_eq!(paced(&named(|name| name.to_owned()), 3), maybe);
    // Names that nobody has anywhere, or one name in all domains.
    assert_eq!(twice(&named(|name| format!("x{name}y@example.test"))), [(Kind::Spraying, true, 0.95)]);
    let everywhere: Vec<String> = (0..12).map(|n| format!("anna@d{n}.test")).collect();
    assert_eq!(twice(&everywhere), [(Kind::Spraying, true, 0.95)]);
    // With strangers among them.
    let mut mixed = named(|name| name.to_owned());
    mixed.truncate(4);
    mixed.extend(["admin", "info", "scan", "oracle", "root"].map(str::to_owned));
    assert_eq!(twice(&mixed), [(Kind::Spraying, true, 0.95)]);
}

#[test]
fn forms_of_one_name_are_one_person_who_is_not_banned() {
    let forms = ["anna.meyer", "anna.meyer@example.test", "ameyer", "ameyer@example.test", "a.meyer"];
    let forms = forms.into_iter().chain(["a.meyer@example.test", "anna", "anna@example.test", "meyer", "Meyer@x.test"]);
    let once = |gap: i64| forms.clone().zip(0..).map(move |(name, n)| (4_000 + n * gap, name)).collect::<Vec<_>>();
    let home = [(0, 77, "anna.meyer@example.test")];
    assert_eq!(after(&home, &once(60)), [(Kind::Guessing, false, 0.55)]);
    // In a hurry, and again.
    let hasty: Vec<_> =
        once(6).into_iter().chain(once(6).into_iter().map(|(second, name)| (second + 60, name))).collect();
    let hasty: Vec<_> = hasty.into_iter().map(|(second, name)| (second - 4_000, name)).collect();
    assert!(after(&home, &hasty).iter().all(|(_, ban, _)| !ban));
    // A machine is faster than that.
    let machine: Vec<_> = (0..8).flat_map(|_| once(1)).zip(0..).map(|((_, name), n)| (4_000 + n, name)).collect();
    assert!(after(&home, &machine).iter().any(|(_, ban, _)| *ban));
}

#[test]
fn an_office_at_another_address_is_asked_first() {
    let days = |until: i64, home: fn(usize) -> u8| {
        let day = move |n: i64| (0..12).map(move |who| (n * 86_400 + who as i64 * 60, home(who), PEOPLE[who]));
        (0..until).flat_map(day).collect::<Vec<(i64, u8, &str)>>()
    };
    let tries: Vec<(i64, &str)> = PEOPLE.iter().zip(0..).map(|(name, n)| (3 * 86_400 + n * 90, *name)).collect();
    assert_eq!(after(&days(3, |_| 9), &tries), [(Kind::Spraying, false, 0.6)]);
    // They were never in one place; or still are where they were.
    assert_eq!(after(&days(3, |who| 10 + 10 * who as u8), &tries), [(Kind::Spraying, true, 0.95)]);
    assert_eq!(after(&days(5, |_| 9), &tries), [(Kind::Spraying, true, 0.95)]);
}

/// Names are tried from host 1, and then a session there is logged in of which only the counters tell.
#[test]
fn who_got_in_unnamed_after_many_names_has_a_password() {
    let let_in = |names: &[&str], gap: i64, more: &dyn Fn(&mut Detector)| {
        let mut detector = Detector::default();
        for (name, n) in PEOPLE.iter().zip(0..) {
            log_in(&mut detector, (n, n as i64 * 60), 10 + n as u8 * 7, name);
        }
        let start = 5 * 86_400;
        for (name, n) in names.iter().zip(0..) {
            let line = (100 + n, start + n as i64 * gap);
            refuse(&mut detector, line, 1, Some(name), ("cred.undifferentiated", Class::AuthFailed));
        }
        let time = START + (start + 9_000) * SECOND;
        let login = LoggedIn {
            time,
            line: 200,
            host: b"mail",
            service: b"submission",
            client: Some(address(1)),
            account: None,
            count: 1,
        };
        detector.logged_in(&login, proof);
        more(&mut detector);
        detector.findings()
    };
    let nothing = |_: &mut Detector| ();
    let found = let_in(&PEOPLE, 15, &nothing);
    let [taken] = &*found else { panic!("{found:?}") };
    assert_eq!((taken.kind, taken.ban, taken.accounts.len()), (Kind::AccountTakeover, false, 12));
    assert!(taken.evidence.iter().any(|proof| &*proof.text == "line 200"), "{:?}", taken.evidence);
    assert!(taken.next[0].contains("change the passwords"));
    // Strangers' names are as telling; a few are somebody's own.
    let strange = ["admin", "info", "test", "root", "web", "scan", "sales", "oracle", "git", "ftp"];
    assert_eq!(let_in(&strange, 200, &nothing)[0].kind, Kind::AccountTakeover);
    let kinds = |found: Vec<Finding>| found.iter().map(|finding| finding.kind).collect::<Vec<_>>();
    let own = [
        "anna.meyer",
        "ameyer",
        "a.meyer",
        "meyer",
        "Anna-Meyer",
        "anna.meyer@x",
        "ameyer@x",
        "a.meyer@x",
        "meyer@x",
        "annameyer",
    ];
    assert!(!kinds(let_in(&own, 20, &nothing)).contains(&Kind::AccountTakeover));
    // People are there: they read their mailboxes, got in by name, or one of them lives there.
    let reads = |detector: &mut Detector| detector.mailbox_read(START, address(1), None);
    let by_name = |detector: &mut Detector| {
        for (name, n) in PEOPLE.iter().zip(0..) {
            log_in(detector, (300, 6 * 86_400 + n * 60), 1, name);
        }
    };
    assert!(!kinds(let_in(&PEOPLE, 15, &reads)).contains(&Kind::AccountTakeover));
    assert!(!kinds(let_in(&PEOPLE, 15, &by_name)).contains(&Kind::AccountTakeover));
}
