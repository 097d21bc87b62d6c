//! `stale_client` and `shared_office`: real people, whose addresses must not be banned.

use super::finding::{Finding, Kind, hash_of, plural};
use super::rows::{ClientRow, Name, Pair};
use super::source::Source;
use super::{Detector, Told};

/// Devices with an old password, and offices.
pub(crate) fn findings(detector: &Detector, told: &mut Told, found: &mut Vec<Finding>) {
    for (source, row) in detector.ranked() {
        if told.clients.contains_key(&source) || row.tries() == 0 {
            continue;
        }
        let stale = stale_names(detector, source, row);
        if !stale.is_empty() || is_stale_without_name(detector, row) {
            told.clients.insert(source, Kind::StaleClient);
            found.push(stale_finding(detector, source, row, &stale));
        }
        if is_office(detector, source, row) {
            told.clients.entry(source).or_insert(Kind::SharedOffice);
            found.push(office_finding(detector, source, row));
        }
    }
}

/// Whether a source tries names that are not its people's: then it is nobody's device.
fn tries_strangers(detector: &Detector, source: Source, row: &ClientRow) -> bool {
    let strange =
        |name: &&Name| !detector.is_in_use(**name) && detector.pairs.get(&(source, **name)).is_none_or(|p| p.ok == 0);
    let strange = row.names.iter().filter(strange).count() as u32 + row.names_beyond;
    strange >= detector.thresholds().spray_names && strange as usize > 2 * row.ok_names.len()
}

/// Accounts in use with which the source fails again and again, as a device does.
fn stale_names(detector: &Detector, source: Source, row: &ClientRow) -> Vec<(Name, Pair)> {
    let thresholds = detector.thresholds();
    if row.tries() < thresholds.stale_tries || tries_strangers(detector, source, row) {
        return Vec::new();
    }
    let rush = row.ok == 0
        && (row.burst.per_minute() >= thresholds.fast_per_minute
            || row.burst.per_ten_minutes() >= thresholds.fast_per_ten_minutes);
    let device = |name: &Name, pair: &Pair| {
        let still_failing = pair.last_failure > pair.last.min(row.last_ok) || row.ok == 0;
        let regular = pair.cadence.period().is_some_and(|period| period >= f64::from(thresholds.stale_period));
        let at_home = pair.ok > 0 || detector.lives_about(*name, source);
        let visits = pair.cadence.visits() >= 3;
        detector.is_in_use(*name) && !rush && (regular || at_home && (still_failing || visits))
    };
    let pair = |name: &Name| detector.pairs.get(&(source, *name)).copied();
    let names = row.names.iter().take(64).filter_map(|name| Some((*name, pair(name)?)));
    let mut stale: Vec<(Name, Pair)> =
        names.filter(|(name, pair)| pair.failed >= thresholds.stale_tries && device(name, pair)).collect();
    stale.sort_by_key(|(name, pair)| (std::cmp::Reverse(pair.failed), detector.spelled(*name)));
    stale
}

/// Logs without names: it comes back at regular times, or fails on after it had got in.
fn is_stale_without_name(detector: &Detector, row: &ClientRow) -> bool {
    let thresholds = detector.thresholds();
    let regular = row.cadence.period().is_some_and(|period| period >= f64::from(thresholds.stale_period));
    let one = row.names.is_empty() && row.unnamed >= thresholds.stale_tries;
    one && row.ok > 0 && (regular || row.last_failure > row.last_ok)
}

fn stale_finding(detector: &Detector, source: Source, row: &ClientRow, stale: &[(Name, Pair)]) -> Finding {
    let accounts: Vec<Box<[u8]>> = stale.iter().filter_map(|(name, _)| detector.spelled(*name)).collect();
    let failed: u64 = match stale {
        [] => u64::from(row.failed),
        some => some.iter().map(|(_, pair)| u64::from(pair.failed)).sum(),
    };
    let from = stale.iter().map(|(_, pair)| pair.first).min().unwrap_or(row.first_failure);
    let to = stale.iter().map(|(_, pair)| pair.last_failure).max().unwrap_or(row.last_failure);
    let id = format!("stale-{}-{}", source.ip(), hash_of(accounts.first().map_or(b"", |name| name)));
    let mut finding = Finding::new(Kind::StaleClient, id, (from, to));
    let at_home = row.ok > 0 || stale.iter().any(|(name, pair)| pair.ok > 0 || detector.lives_about(*name, source));
    let period = stale.iter().find_map(|(_, pair)| pair.cadence.period()).or_else(|| row.cadence.period());
    finding.confidence = match (at_home, period) {
        (true, Some(_)) => 0.9,
        (true, None) => 0.75,
        _ => 0.65,
    };
    finding.clients = detector.addresses(source, row);
    finding.counts =
        vec![("auth_failed", failed), ("auth_ok", u64::from(row.ok)), ("usernames", accounts.len() as u64)];
    finding.accounts = accounts;
    let every = period.map_or(String::new(), |period| format!(", about every {}", minutes(period)));
    finding.summary = format!(
        "{} fails again and again with the same name ({}{every}): probably a device with an old password",
        source.ip(),
        plural(failed, "time", "times")
    );
    finding.evidence = detector.evidence(&row.proofs);
    finding.decided(detector.thresholds(), &["stale_tries", "stale_period"]).advise(
        &["ask the user to enter the new password on every device: phone, tablet, printer, old laptop"],
        &["do not ban the address: a real user is behind it"],
    )
}

/// Several accounts log in from there, and it does not try strangers' names.
pub(crate) fn is_office(detector: &Detector, source: Source, row: &ClientRow) -> bool {
    let thresholds = detector.thresholds();
    let accounts = row.ok_names.len();
    accounts >= thresholds.office_accounts as usize
        && row.tries() >= thresholds.office_tries
        && !tries_strangers(detector, source, row)
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
        source.ip(),
        plural(u64::from(row.failed), "login", "logins")
    );
    finding.evidence = detector.evidence(&row.proofs);
    finding.decided(detector.thresholds(), &["office_accounts", "office_tries"]).advise(
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
