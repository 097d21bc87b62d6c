//! Who gets in at a source by right, and who tries others there: a source and its row go in, answers about its people come out.
//!
//! One login does not make a source somebody's home: whoever guesses may have an account of his own, and whoever guessed right has one more.

use super::finding::plural;
use super::guessing::{HASTY_TRIES, IMPATIENT, is_fast};
use super::rows::{AccountRow, ClientRow, History, Home, Name};
use super::source::Source;
use super::{Detector, Settings};

/// A place that an account uses for longer is its own, in microseconds.
const VISIT: i64 = 2 * 86_400 * 1_000_000;
/// Logins that make a place somebody's, and those over so long, in microseconds.
const AT_HOME: u32 = 3;
const AT_HOME_FOR: i64 = 3_600 * 1_000_000;
/// So many people that log in from one public address, half of all logins, are behind a gateway.
const ALL: usize = 20;
/// Names begin and end together within so long, in microseconds.
const TOGETHER: i64 = 1_800 * 1_000_000;
/// Names that a sweep may begin with, at most.
const LOOKED_AT: usize = 64;
/// Who goes through the names of a server is through in so long, in microseconds; devices with old passwords come every day.
const SWEEP: i64 = 3 * 3_600 * 1_000_000;

/// Whether an account got in at a source only after it had failed there again and again, and logs in elsewhere. Where failures name
/// nobody, any of them may have been at it.
pub(crate) fn got_in_at_last(detector: &Detector, source: Source, row: &ClientRow, name: Name) -> bool {
    let (Some(pair), Some(account)) = (detector.history(source, name), detector.accounts.get(&name)) else {
        return false;
    };
    let (failed, first_failure) = match row.names.is_empty() {
        true => (row.unnamed, row.first_failure),
        false => (pair.failed, pair.first_failure),
    };
    failed >= detector.thresholds().guess_tries && first_failure < pair.first_ok && is_visitor(account, source)
}

/// Who got in so, if anybody did. Where others live and failures name nobody, these may be theirs.
pub(crate) fn guessed<'a>(
    detector: &'a Detector,
    source: Source,
    row: &'a ClientRow,
) -> impl Iterator<Item = Name> + 'a {
    let tried = if row.names.is_empty() { &row.ok_names } else { &row.names };
    let theirs = row.names.is_empty() && (row.unnamed == 0 || is_home(detector, source, row));
    tried.iter().filter(move |name| !theirs && got_in_at_last(detector, source, row, **name)).copied()
}

/// It usually logs in from elsewhere, and has not done so from about here for long.
fn is_visitor(account: &AccountRow, source: Source) -> bool {
    let is_here = |home: &&Home| home.net.wide() == source.wide();
    logins_elsewhere(account, source) >= AT_HOME
        && !account.homes().iter().filter(is_here).any(|home| home.last - home.first >= VISIT)
}

fn logins_elsewhere(account: &AccountRow, source: Source) -> u32 {
    let elsewhere = account.homes().iter().filter(|home| home.net.wide() != source.wide());
    elsewhere.map(|home| home.ok).fold(0, u32::saturating_add)
}

/// How many accounts log in there, without those that may have been guessed there.
pub(crate) fn accounts(detector: &Detector, source: Source, row: &ClientRow) -> usize {
    row.ok_names.iter().filter(|name| !got_in_at_last(detector, source, row, **name)).count()
}

/// Whether somebody logs in there as people do where they live: more than once, and not all at once.
pub(crate) fn is_home(detector: &Detector, source: Source, row: &ClientRow) -> bool {
    let lives = |name: &&Name| {
        let pair = detector.history(source, **name).filter(|_| !got_in_at_last(detector, source, row, **name));
        pair.is_some_and(|pair| pair.ok >= AT_HOME && pair.last_ok - pair.first_ok >= AT_HOME_FOR)
    };
    row.ok_names.iter().any(|name| lives(&name))
}

/// A name that never gets in there, nor lives about there, is tried as no device does. Where people live it takes a machine's haste; and an
/// account that nobody has may be a program's of theirs, if it is an office.
pub(crate) fn tries_somebody_else(detector: &Detector, source: Source, row: &ClientRow) -> bool {
    let thresholds = detector.thresholds();
    if row.tries() < HASTY_TRIES * thresholds.guess_tries || row.ok == 0 {
        return false;
    }
    let office = accounts(detector, source, row) >= thresholds.office_accounts as usize;
    let home = office || is_home(detector, source, row);
    let rush = is_fast(row, thresholds, if home { IMPATIENT } else { 1 });
    let restless = |pair: &History| {
        (pair.last_failure - pair.first_failure) / i64::from(pair.failed.max(1))
            < i64::from(thresholds.stale_period) * 1_000_000
    };
    let tried = |name: &Name| {
        let Some(pair) = detector.history(source, *name) else { return false };
        let elsewhere = detector.accounts.get(name).is_some_and(|row| logins_elsewhere(row, source) >= AT_HOME);
        pair.ok == 0
            && pair.failed >= HASTY_TRIES * thresholds.guess_tries
            && !detector.lives_about(*name, source)
            && (rush && (elsewhere || !office) || !home && elsewhere && restless(&pair))
    };
    // Of failures without names nobody knows: then it takes haste, and that hardly anybody gets in.
    let unnamed = row.names.is_empty()
        && !home
        && is_fast(row, thresholds, IMPATIENT)
        && row.unnamed / HASTY_TRIES >= thresholds.guess_tries.saturating_mul(row.ok);
    unnamed || row.names.iter().any(tried)
}

/// Whether so many people log in there, or it is such an address, that it may be a gateway: a glance, before all logins are known.
pub(crate) fn is_crowded(settings: &Settings, source: Source, row: &ClientRow) -> bool {
    row.ok_names.len() >= ALL
        || row.ok_names.len() >= settings.thresholds.gateway_accounts as usize && settings.protects(source)
}

/// Everybody's logins come from there, so whoever is behind it is not seen: a webmail, a proxy, a container's gateway.
pub(crate) fn is_gateway(detector: &Detector, source: Source, row: &ClientRow) -> bool {
    let most = u64::from(row.ok) * 2 >= detector.logins;
    is_crowded(&detector.settings, source, row) && (detector.settings.protects(source) || most)
}

/// How somebody goes through the names of those who log in at a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sweep {
    names: u64,
    failed: u64,
}

impl Sweep {
    /// Many of its people begin to fail at once and end at once: a device has one name, or two, and fails until its owner sees it.
    pub(crate) fn of(detector: &Detector, source: Source, row: &ClientRow) -> Option<Self> {
        let thresholds = detector.thresholds();
        let enough = row.names.len() >= thresholds.spray_names as usize && row.tries() >= thresholds.guess_tries;
        if !enough || !is_gateway(detector, source, row) {
            return None;
        }
        let tried = row.names.iter().filter_map(|name| detector.history(source, *name));
        let swept: Vec<History> = tried
            .filter(|pair| pair.failed >= thresholds.stale_tries)
            .filter(|pair| pair.last_failure - pair.first_failure <= SWEEP)
            .collect();
        let within = |one: &History| {
            let (from, to) = (one.first_failure, one.last_failure);
            let near = |a: i64, b: i64| (a - b).abs() <= TOGETHER;
            swept.iter().filter(move |pair| near(pair.first_failure, from) && near(pair.last_failure, to))
        };
        let fullest = swept.iter().take(LOOKED_AT).max_by_key(|one| within(one).count())?;
        let names = within(fullest).count();
        let failed = within(fullest).map(|pair| u64::from(pair.failed)).sum();
        (names >= thresholds.spray_names as usize && 2 * names > row.names.len())
            .then_some(Self { names: names as u64, failed })
    }

    /// What is said of it.
    pub(crate) fn summary(self, source: Source) -> String {
        format!(
            "somebody guesses through {}: {} failed {} within three hours, as no device does; everybody logs in there, so the log does not show who it is",
            source,
            plural(self.names, "name", "names"),
            plural(self.failed, "time", "times"),
        )
    }
}
