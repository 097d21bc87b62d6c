//! `stale_client` and `shared_office`: real people, whose addresses must not be banned.

use std::collections::BTreeMap;

use super::finding::{Finding, Kind, hash_of, plural};
use super::rows::{ClientRow, History, Name, Spelled};
use super::source::Source;
use super::{Detector, Told, guessing, insiders, roaming};

/// Somebody who does not remember a password is through with it sooner, in microseconds.
const STALE_LASTS: i64 = 1_800 * 1_000_000;
/// A device of somebody else's, where others live: so many names at most, and visits at least.
const DEVICE_NAMES: u32 = 2;
const VISITS_BESIDE: u32 = 8;

/// Devices with an old password, and offices.
pub(crate) fn findings(detector: &Detector, told: &mut Told, found: &mut Vec<Finding>) {
    // A phone that moves about is one device: told of once for its account.
    let mut devices: BTreeMap<Vec<Spelled>, Vec<Device<'_>>> = BTreeMap::new();
    for (name, account) in detector.ranked_accounts() {
        let moving = roaming::device(detector, told, name, account);
        for (source, row, pair) in &moving {
            told.clients.insert(*source, Kind::StaleClient);
            let device = Device { source: *source, row, names: vec![(name, *pair)] };
            devices.entry(vec![account.name.clone()]).or_default().push(device);
        }
    }
    for (source, row) in detector.ranked() {
        if told.clients.contains_key(&source) || row.tries() == 0 {
            continue;
        }
        if insiders::Sweep::of(detector, source, row).is_some() {
            continue;
        }
        let names = stale_names(detector, told, source, row);
        if !names.is_empty() || is_stale_without_name(detector, source, row) {
            told.clients.insert(source, Kind::StaleClient);
            let accounts = names.iter().filter_map(|(name, _)| detector.spelled(*name)).collect();
            devices.entry(accounts).or_default().push(Device { source, row, names });
        }
        if is_office(detector, source, row) {
            told.clients.entry(source).or_insert(Kind::SharedOffice);
            found.push(office_finding(detector, source, row));
        }
    }
    let mut stale: Vec<Finding> = Vec::new();
    for (accounts, devices) in devices {
        match accounts.is_empty() {
            // Without a name nothing says that two are one.
            true => {
                stale.extend(devices.iter().map(|one| stale_finding(detector, &accounts, std::slice::from_ref(one))))
            }
            false => stale.push(stale_finding(detector, &accounts, &devices)),
        }
    }
    stale.sort_by(|a, b| b.counts.cmp(&a.counts).then_with(|| a.id.cmp(&b.id)));
    found.extend(stale);
}

/// A source that behaves as a device with an old password does.
struct Device<'a> {
    source: Source,
    row: &'a ClientRow,
    names: Vec<(Name, History)>,
}

impl Device<'_> {
    fn failed(&self) -> u64 {
        match self.names.as_slice() {
            [] => u64::from(self.row.failed),
            some => some.iter().map(|(_, pair)| u64::from(pair.failed)).sum(),
        }
    }

    fn span(&self) -> (i64, i64) {
        let from = self.names.iter().map(|(_, pair)| pair.first_failure).min();
        let to = self.names.iter().map(|(_, pair)| pair.last_failure).max();
        (from.unwrap_or(self.row.first_failure), to.unwrap_or(self.row.last_failure))
    }

    fn period(&self) -> Option<f64> {
        self.names.iter().find_map(|(_, pair)| pair.cadence.period()).or_else(|| self.row.cadence.period())
    }

    fn is_at_home(&self, detector: &Detector) -> bool {
        let home = |(name, pair): &(Name, History)| pair.ok > 0 || detector.lives_about(*name, self.source);
        self.row.ok > 0 || self.names.iter().any(home)
    }
}

/// Whether a source tries names that are not its people's: then it is nobody's device.
fn tries_strangers(detector: &Detector, source: Source, row: &ClientRow) -> bool {
    let strange = |name: &&Name| {
        !detector.is_in_use(**name) && detector.pairs.get(&(source, **name)).is_none_or(|pair| !pair.got_in())
    };
    let strange = row.names.iter().filter(strange).count() as u32 + row.names_beyond;
    strange >= detector.thresholds().spray_names && strange as usize > 2 * row.ok_names.len()
}

/// Accounts in use with which the source fails again and again, as a device does.
fn stale_names(detector: &Detector, told: &Told, source: Source, row: &ClientRow) -> Vec<(Name, History)> {
    let thresholds = detector.thresholds();
    if row.tries() < thresholds.stale_tries || tries_strangers(detector, source, row) {
        return Vec::new();
    }
    let rush = row.ok == 0
        && (row.burst.per_minute() >= thresholds.fast_per_minute
            || row.burst.per_ten_minutes() >= thresholds.fast_per_ten_minutes);
    // People live there, and one name comes back at its times: a device of somebody's who has no other there.
    let shared = row.names() <= DEVICE_NAMES
        && !guessing::is_fast(row, thresholds, 1)
        && insiders::is_home(detector, source, row);
    let device = |name: &Name, pair: &History| {
        let lasts = pair.last_failure - pair.first_failure >= STALE_LASTS;
        let still_failing = pair.last_failure > pair.last_ok;
        let slow = |period: f64| period >= f64::from(thresholds.stale_period);
        let regular = pair.cadence.period().is_some_and(slow);
        let at_home = lived_there(detector, *name, source, pair);
        // A device elsewhere has one account; who tries several there is none.
        let here = at_home && (still_failing || regular || pair.cadence.visits() >= 6);
        let elsewhere = pair.cadence.clockwork().is_some_and(slow) && row.names() == 1 && row.unnamed == 0;
        let beside = shared && regular && pair.ok == 0 && pair.cadence.visits() >= VISITS_BESIDE;
        (detector.is_in_use(*name) && (here || elsewhere) || beside)
            && lasts
            && !rush
            && !told.was_out(pair.first_failure, pair.last_failure)
    };
    let names = row.names.iter().take(64).filter_map(|name| Some((*name, detector.history(source, *name)?)));
    let mut stale: Vec<(Name, History)> =
        names.filter(|(name, pair)| pair.failed >= thresholds.stale_tries && device(name, pair)).collect();
    stale.sort_by_key(|(name, pair)| (std::cmp::Reverse(pair.failed), detector.spelled(*name)));
    stale
}

/// The account logged in from about there before it failed there, or does so for days.
pub(crate) fn lived_there(detector: &Detector, name: Name, source: Source, pair: &History) -> bool {
    const SETTLED: i64 = 86_400 * 1_000_000;
    let before = |since: i64| since > 0 && since < pair.first_failure;
    let homes = detector.accounts.get(&name).map(|account| account.homes()).unwrap_or_default();
    let mut homes = homes.iter().filter(|home| home.net.wide() == source.wide());
    before(pair.first_ok) || homes.any(|home| before(home.first) || home.last - home.first >= SETTLED)
}

/// Logs without names: it comes back at regular times, or fails on after it had got in.
fn is_stale_without_name(detector: &Detector, source: Source, row: &ClientRow) -> bool {
    let thresholds = detector.thresholds();
    let regular = row.cadence.period().is_some_and(|period| period >= f64::from(thresholds.stale_period));
    let one = row.names.is_empty() && row.unnamed >= thresholds.stale_tries;
    one && row.ok > 0
        && (regular || row.last_failure > row.last_ok)
        && !insiders::tries_somebody_else(detector, source, row)
}

fn stale_finding(detector: &Detector, accounts: &[Spelled], devices: &[Device<'_>]) -> Finding {
    let failed: u64 = devices.iter().map(Device::failed).sum();
    let from = devices.iter().map(|device| device.span().0).min().unwrap_or_default();
    let to = devices.iter().map(|device| device.span().1).max().unwrap_or_default();
    let first = devices.first().map(|device| device.source.ip());
    let id = match (accounts, first) {
        ([], Some(ip)) => format!("stale-{ip}"),
        _ => format!("stale-{}", hash_of(&accounts.join(b" ".as_slice()))),
    };
    let mut finding = Finding::new(Kind::StaleClient, id, (from, to));
    let names = || devices.iter().flat_map(|device| &device.names).map(|(name, _)| *name);
    let is_used = names().next().is_none() || names().any(|name| detector.is_in_use(name));
    let moving = names().next().filter(|_| devices.len() > 1).and_then(|name| detector.accounts.get(&name));
    let period =
        moving.and_then(|account| account.cadence.period()).or_else(|| devices.iter().find_map(Device::period));
    finding.confidence = match (devices.iter().any(|device| device.is_at_home(detector)), period) {
        // Others live there.
        (true, _) if !is_used => 0.65,
        (true, Some(_)) => 0.9,
        (true, None) => 0.75,
        _ if is_used => 0.65,
        // It may as well be nobody's.
        _ => 0.55,
    };
    finding.clients = devices.iter().flat_map(|device| detector.addresses(device.source, device.row)).collect();
    let ok: u64 = devices.iter().map(|device| u64::from(device.row.ok)).sum();
    finding.counts = vec![("auth_failed", failed), ("auth_ok", ok), ("usernames", accounts.len() as u64)];
    finding.accounts = accounts.to_vec();
    let every = period.map_or(String::new(), |period| format!(", about every {}", minutes(period)));
    let who = match (devices.len(), first) {
        (1, Some(ip)) => format!("{ip} fails"),
        (many, _) => format!("{} fail in turn,", plural(many as u64, "address", "addresses")),
    };
    let (names, what) = match accounts.len() {
        0 | 1 => ("name".to_owned(), "a device with an old password"),
        many if many <= DEVICE_NAMES as usize => (format!("{many} names"), "a device with an old password"),
        many => (format!("{many} names"), "devices with old passwords"),
    };
    finding.summary = format!(
        "{who} again and again with the same {names} ({}{every}): probably {what}",
        plural(failed, "time", "times")
    );
    finding.evidence = detector.evidence(devices.iter().flat_map(|device| device.row.proofs.iter()).take(3));
    let finding = finding.decided(detector, &["stale_tries", "stale_period"]);
    if !is_used {
        return Finding { summary: finding.summary + "; the account never logs in within this log", ..finding }.advise(
            &[
                "see whether the account exists (doveadm user NAME, postmap -q NAME) and is somebody's: then ask the user to enter the new password on the phone",
                "if nobody has it, somebody guesses: add the days before (account view) and see how many networks it comes from",
            ],
            &["do not ban the addresses before you know: they are a provider's, and change"],
        );
    }
    finding.advise(
        &["ask the user to enter the new password on every device: phone, tablet, printer, old laptop"],
        &["do not ban the address: a real user is behind it"],
    )
}

/// Several accounts log in from there, and it does not try strangers' names.
pub(crate) fn is_office(detector: &Detector, source: Source, row: &ClientRow) -> bool {
    let thresholds = detector.thresholds();
    let least = thresholds.office_accounts as usize;
    row.ok_names.len() >= least
        && row.tries() >= thresholds.office_tries
        && insiders::accounts(detector, source, row) >= least
        && !tries_strangers(detector, source, row)
        && !insiders::tries_somebody_else(detector, source, row)
}

fn office_finding(detector: &Detector, source: Source, row: &ClientRow) -> Finding {
    let times = (row.first_failure, row.last_failure);
    let mut finding = Finding::new(Kind::SharedOffice, format!("office-{}", source.ip()), times);
    finding.confidence = if row.ok_names.len() >= 3 { 0.9 } else { 0.75 };
    finding.clients = detector.addresses(source, row);
    finding.accounts = row.ok_names.iter().filter_map(|name| detector.spelled(*name)).collect();
    finding.accounts.sort_unstable();
    finding.counts = vec![
        ("auth_failed", u64::from(row.failed)),
        ("auth_ok", u64::from(row.ok)),
        ("usernames", u64::from(row.names())),
        ("messages", u64::from(row.messages)),
    ];
    finding.summary = format!(
        "{} log in from {}; {} failed",
        plural(row.ok_names.len() as u64, "account", "accounts"),
        source,
        plural(u64::from(row.failed), "login", "logins")
    );
    finding.evidence = detector.evidence(row.proofs.iter());
    finding.decided(detector, &["office_accounts", "office_tries"]).advise(
        &[
            "see which account fails (client view) and talk to that user",
            "put the address on fail2ban's ignoreip list if it is yours",
        ],
        &["do not ban the address: several people work behind it"],
    )
}

fn minutes(seconds: f64) -> String {
    if seconds < 90.0 {
        format!("{seconds:.0} s")
    } else if seconds < 5_400.0 {
        format!("{:.0} min", seconds / 60.0)
    } else {
        format!("{:.1} h", seconds / 3600.0)
    }
}
