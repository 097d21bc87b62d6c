//! Who has a right to be where they log in, and who does not: each attack beside the honest people it looks like.

use super::*;

const HOUR: i64 = 3_600;

fn login(second: i64, host: u8, name: u8) -> Fact {
    Fact::LoggedIn { second, host, name }
}

/// Logins every hour.
fn hourly(count: i64, host: u8, name: u8) -> impl Iterator<Item = Fact> {
    (0..count).map(move |n| login(n * HOUR, host, name))
}

/// Failures at even times.
fn failures(from: i64, count: i64, gap: i64, host: u8, name: Option<u8>) -> impl Iterator<Item = Fact> {
    (0..count).map(move |n| refused(from + n * gap, host, name))
}

/// In the order of their times.
fn in_order(mut facts: Vec<Fact>) -> Vec<Fact> {
    facts.sort_by_key(|fact| match fact {
        Fact::Failed { second, .. }
        | Fact::LoggedIn { second, .. }
        | Fact::Sent { second, .. }
        | Fact::Lost { second } => *second,
    });
    facts
}

fn told(facts: impl IntoIterator<Item = Fact>) -> Vec<(Kind, bool)> {
    kinds(&in_order(facts.into_iter().collect()))
}

const GUESSING: [(Kind, bool); 1] = [(Kind::Guessing, false)];
const DEVICE: [(Kind, bool); 1] = [(Kind::StaleClient, false)];

#[test]
fn one_login_of_somebody_else_hides_no_guessing() {
    for name in [Some(8), None] {
        let rush = || failures(60, 600, 1, 1, name);
        assert_eq!(told([login(0, 1, 7)].into_iter().chain(rush())), GUESSING, "{name:?}");
    }
    // Where somebody lives, one name that nobody has is a machine's only in such haste.
    let rush = |gap| told(hourly(10, 1, 7).chain(failures(60, 600, gap, 1, Some(8))));
    assert_eq!(rush(1), GUESSING);
    assert_eq!(rush(6), []);
    // A forgotten device, day and night; and in an office.
    let forgotten = |name| failures(60, 1_700, 150, 1, name);
    assert_eq!(told(hourly(72, 1, 7).chain(forgotten(Some(8)))), DEVICE);
    assert_eq!(told(hourly(72, 1, 7).chain(forgotten(None))), DEVICE);
    let office = || hourly(72, 1, 7).chain(hourly(72, 1, 6)).chain(hourly(72, 1, 5));
    assert!(told(office().chain(forgotten(Some(8)))).iter().all(|(kind, ban)| *kind != Kind::Guessing && !ban));
    // A program there that has an account of its own tries it as fast as it likes.
    assert_eq!(told(office().chain(failures(60, 600, 1, 1, Some(8)))), [(Kind::SharedOffice, false)]);
    // The account of somebody who lives elsewhere it has not.
    let rush_elsewhere = failures(60, 600, 1, 1, Some(8)).chain(hourly(10, 70, 8));
    assert_eq!(told(office().chain(rush_elsewhere)), GUESSING);
}

#[test]
fn who_guessed_a_password_makes_no_office() {
    // Anna lives at host 9. Host 70 has an account of its own, tries hers, and gets in.
    let tries = |name| hourly(40, 9, 1).chain([login(39 * HOUR, 70, 7)]).chain(failures(40 * HOUR, 300, 58, 70, name));
    for name in [Some(1), None] {
        let got_in = || tries(name).chain([login(50 * HOUR, 70, 1)]);
        let found = run(&in_order(got_in().collect()));
        let [finding] = &*found else { panic!("{name:?} {found:?}") };
        assert_eq!((finding.kind, finding.ban), GUESSING[0]);
        assert!(finding.summary.contains("account that logs in elsewhere"), "{}", finding.summary);
        assert!(finding.next[0].contains("ask the owner"), "{:?}", finding.next);
    }
    // It has not got in yet.
    assert_eq!(told(tries(Some(1))), GUESSING);
    // A colleague who works there, too: an office.
    let colleague = hourly(40, 70, 1).chain(hourly(40, 70, 7)).chain(failures(40 * HOUR, 300, 58, 70, Some(1)));
    assert!(told(colleague).iter().all(|(kind, _)| *kind != Kind::Guessing));
}

#[test]
fn a_guess_that_names_nobody_is_told_of_like_one_that_does() {
    let guessed = |name, home| {
        let tries = hourly(40, home, 1).chain(failures(40 * HOUR, 300, 58, 70, name));
        in_order(tries.chain([login(50 * HOUR, 70, 1)]).collect())
    };
    let told = |name, home| {
        let found = run(&guessed(name, home));
        found.iter().map(|found| (found.kind, found.ban, found.confidence, found.accounts.clone())).collect::<Vec<_>>()
    };
    assert_eq!(told(Some(1), 9).len(), 1);
    assert_eq!(told(Some(1), 9), told(None, 9));
    // At home, or a few slips of a traveller.
    assert!(!kinds(&guessed(None, 70)).contains(&GUESSING[0]));
    let slips = hourly(40, 9, 1).chain(failures(40 * HOUR, 9, 58, 70, None)).chain([login(41 * HOUR, 70, 1)]);
    assert_eq!(kinds(&in_order(slips.collect())), []);
}

#[test]
fn a_device_beside_others_who_get_in_is_one() {
    let beside = |gap, visits| told(hourly(10, 9, 2).chain(failures(1_000, visits, gap, 9, Some(1))));
    assert_eq!(beside(900, 40), DEVICE);
    // A few visits are chance.
    assert_eq!(beside(900, 6), []);
    // Nobody lives there who logged in once.
    assert!(!told([login(0, 9, 2)].into_iter().chain(failures(1_000, 40, 900, 9, Some(1)))).contains(&DEVICE[0]));
    let found = run(&in_order(hourly(10, 9, 2).chain(failures(1_000, 40, 900, 9, Some(1))).collect()));
    assert!(found[0].confidence < 0.7 && found[0].next[0].contains("whether the account exists"), "{found:?}");
}

/// Twenty people who log in and send a message every hour behind one address.
fn town_behind(client: IpAddr) -> Detector {
    let mut detector = Detector::default();
    for n in 0..100 {
        for person in 0..20 {
            let (account, time) = (name(person), START + (n * HOUR + i64::from(person) * 97) * SECOND);
            let login = LoggedIn {
                time,
                line: 0,
                host: b"mail",
                service: b"submission",
                client: Some(client),
                account: Some(account.as_bytes()),
                count: 1,
            };
            detector.logged_in(&login, proof);
            detector.accepted(time, Some(client), account.as_bytes());
        }
    }
    detector
}

/// Failures `(second, name)` behind one address.
fn behind(gateway: &str, tries: impl Iterator<Item = (i64, u8)>) -> Vec<Finding> {
    let client: IpAddr = gateway.parse().unwrap();
    let mut detector = town_behind(client);
    fail_behind(&mut detector, client, tries);
    detector.findings()
}

fn fail_behind(detector: &mut Detector, client: IpAddr, tries: impl Iterator<Item = (i64, u8)>) {
    for (second, person) in tries {
        let account = name(person);
        let failed = Failed {
            time: START + second * SECOND,
            line: 0,
            host: b"mail",
            service: b"submission",
            client: Some(client),
            account: Some(account.as_bytes()),
            class: Some(Class::AuthFailed),
            killed: false,
            cause: "cred.undifferentiated",
            mechanism: b"PLAIN",
            count: 1,
        };
        detector.failed(&failed, proof);
    }
}

#[test]
fn who_goes_through_the_names_behind_a_gateway_is_no_device() {
    let sweep = || (0..200).map(|n| (200 * HOUR + n * 20, (n * 7 % 20) as u8));
    for gateway in ["127.0.0.1", "203.0.113.5"] {
        let found = behind(gateway, sweep());
        let guess = found.iter().find(|finding| finding.kind == Kind::Guessing);
        let guess = guess.unwrap_or_else(|| panic!("{gateway} {found:?}"));
        assert!(!guess.ban && guess.confidence < 0.8 && guess.summary.contains("guesses through"), "{guess:?}");
        assert!(guess.next[0].contains("pass on the client's address") && guess.avoid[0].contains("do not ban"));
        assert!(!found.iter().any(|finding| matches!(finding.kind, Kind::StaleClient | Kind::SharedOffice)));
    }
    // Old passwords of a few people's devices, at their own times, for days.
    let devices = (0..600).map(|n| (200 * HOUR + n * 450, (n % 6) as u8));
    let found = behind("127.0.0.1", devices);
    assert!(found.iter().any(|finding| finding.kind == Kind::StaleClient), "{found:?}");
    assert!(!found.iter().any(|finding| finding.kind == Kind::Guessing));
    // The backend is out: everybody behind the gateway fails at once.
    let client = "127.0.0.1".parse().unwrap();
    let mut detector = town_behind(client);
    for (time, n) in (0..80).map(|n| (200 * HOUR + n * 50, n)) {
        refuse(&mut detector, (1, time), 1 + 3 * (n % 20) as u8, None, ("backend.socket", Class::BackendFault));
    }
    fail_behind(&mut detector, client, sweep());
    let found = kinds_of(&detector);
    assert!(found.contains(&(Kind::BackendOutage, false)) && !found.contains(&GUESSING[0]), "{found:?}");
    // Everybody mistypes now and then.
    let slips = (0..200).map(|n| (n * 3_500 + n * n % 13 * 60, (n % 20) as u8));
    assert!(!behind("127.0.0.1", slips).iter().any(|finding| finding.kind == Kind::Guessing));
}

#[test]
fn a_flood_through_a_gateway_is_told_of_if_it_comes_back() {
    let told = |gateway: &str, messages: i64, one_in: i64| {
        let client: IpAddr = gateway.parse().unwrap();
        let (mut detector, account) = (town_behind(client), name(3));
        for n in 0..messages {
            let time = START + (101 * HOUR + n * 3) * SECOND;
            detector.accepted(time, Some(client), account.as_bytes());
            // Whether it comes back is known a while later.
            if detector.wants_mail_of(account.as_bytes()) {
                let (client, account, bounced) = (Some(client), account.as_bytes(), u32::from(n % one_in == 0));
                let mail = Mailed { time, client, account, queue_id: b"4A", recipients: 1, bounced, sent: 1 - bounced };
                detector.mailed(&mail);
            }
        }
        detector.findings()
    };
    for gateway in ["127.0.0.1", "203.0.113.5"] {
        let found = told(gateway, 800, 3);
        let [taken] = found.iter().filter(|finding| finding.kind == Kind::AccountTakeover).collect::<Vec<_>>()[..]
        else {
            panic!("{gateway} {found:?}")
        };
        assert!(taken.clients.is_empty() && !taken.ban && taken.summary.contains("sends through"), "{taken:?}");
        assert!(taken.avoid[0].contains("do not ban the address"));
        // A newsletter, some of which comes back; a day with much mail.
        for found in [told(gateway, 800, 10), told(gateway, 30, 3)] {
            assert!(!found.iter().any(|finding| finding.kind == Kind::AccountTakeover), "{gateway} {found:?}");
        }
    }
}

/// Messages within an hour, none of which comes back.
fn spam(from: i64, count: i64, host: u8, name: u8) -> impl Iterator<Item = Fact> {
    (0..count).map(move |n| Fact::Sent { second: from + n * 30, host, name, recipients: 1, bounced: 0 })
}

fn taken(facts: impl IntoIterator<Item = Fact>) -> usize {
    told(facts).iter().filter(|(kind, _)| *kind == Kind::AccountTakeover).count()
}

#[test]
fn an_account_is_known_by_many_logins_before_it_is_known_for_days() {
    let stolen = |logins, gap, host, messages| {
        let home = (0..logins).map(move |n| login(n * gap, 9, 1));
        taken(home.chain([login(26 * HOUR, host, 1)]).chain(spam(26 * HOUR + 9, messages, host, 1)))
    };
    assert_eq!(stolen(24, HOUR, 70, 60), 1);
    // Few logins, or all at once, tell little; at home, and of an everyday number, it is its owner.
    assert_eq!(stolen(6, HOUR, 70, 60), 0);
    assert_eq!(stolen(24, 60, 70, 60), 0);
    assert_eq!(stolen(24, HOUR, 9, 60), 0);
    assert_eq!(stolen(24, HOUR, 70, 30), 0);
}

#[test]
fn what_a_thief_did_to_one_account_counts_for_another() {
    let day = 24 * HOUR;
    let ann =
        || (0..4).map(move |n| login(n * day, 9, 1)).chain([login(4 * day, 70, 1)]).chain(spam(4 * day, 60, 70, 1));
    let bob = |messages| {
        let home = (0..4).map(move |n| login(3 * day + n * 3_600, 12, 2));
        home.chain([login(4 * day + 300, 70, 2)]).chain(spam(4 * day + 300, messages, 70, 2))
    };
    assert_eq!(taken(ann().chain(bob(60))), 2);
    // By itself it tells too little; and who is there, too, and sends as ever, may be anybody.
    assert_eq!(taken(bob(60)), 0);
    assert_eq!(taken(ann().chain(bob(5))), 1);
}

/// Somebody of example.org logs in elsewhere; host 5 is refused to relay on port 25 with these senders, and its AUTH unheard besides.
fn relaying(senders: &[&str], visits: i64, gap: i64) -> Vec<(Kind, bool)> {
    let mut detector = Detector::default();
    feed(&mut detector, 0, &login(0, 12, 1));
    for (n, sender) in (0..visits).zip(senders.iter().cycle()) {
        let (time, client) = (START + (n + 1) * gap * SECOND, Some(address(5)));
        refuse(&mut detector, (1, (n + 1) * gap), 5, None, ("config.auth_not_enabled", Class::AuthRefused));
        let away = TurnedAway {
            time,
            line: 2,
            client,
            account: None,
            relay: true,
            logged_in: false,
            port_25: true,
            sender: Some(sender.as_bytes()),
            count: 1,
        };
        detector.turned_away(&away, proof);
    }
    kinds_of(&detector)
}

fn kinds_of(detector: &Detector) -> Vec<(Kind, bool)> {
    detector.findings().iter().map(|finding| (finding.kind, finding.ban)).collect()
}

#[test]
fn a_printer_on_port_25_does_not_guess() {
    let printer = [(Kind::WrongPortOrNotLoggedIn, false)];
    assert_eq!(relaying(&["scanner@Example.org"], 12, HOUR), printer);
    // Who looks for an open relay does not come back, has several senders, or one of somewhere else.
    let stranger = [(Kind::Guessing, false)];
    assert_eq!(relaying(&["scanner@example.org"], 3, HOUR), []);
    assert_eq!(relaying(&["scanner@example.org"], 12, 60), stranger);
    assert_eq!(relaying(&["scanner@example.org", "root@example.org"], 12, HOUR), stranger);
    assert_eq!(relaying(&["scanner@example.com"], 12, HOUR), stranger);
    // As fast as no device, unheard or not.
    assert_eq!(relaying(&["a@example.com"], 60, 1), stranger);
    assert_eq!(relaying(&["scanner@example.org"], 60, 1), stranger);
}

#[test]
fn where_mail_comes_in_nobody_is_banned() {
    let told = |messages: u32| {
        let mut detector = Detector::default();
        let spray: Vec<Fact> = with_town((0..40).map(|n| refused(1_000 + n * 60, 1, Some(n as u8))));
        spray.iter().zip(0..).for_each(|(fact, line)| feed(&mut detector, line, fact));
        // Others deliver more.
        detector.came_in(address(99), 5_000);
        (0..messages).for_each(|_| detector.came_in(address(1), 1));
        let found = detector.findings();
        let [finding] = &*found else { panic!("{found:?}") };
        (finding.kind, finding.ban, finding.confidence < 0.8, finding.summary.contains("comes in from there"))
    };
    assert_eq!(told(20), (Kind::Spraying, false, true, true));
    // Who guesses may send a little, too.
    assert_eq!(told(9), (Kind::Spraying, true, false, false));
}
