//! Whether a source that never got in may be an office whose passwords are all old: names go in, and how their tries are spaced.
//!
//! Of such an office the log shows what it shows of a patient attacker: names that fail, and no login. What speaks for people: accounts of
//! one place, at the pace of mail programs, in a log too young to have seen them log in. What speaks against them: the backend knows no such
//! users, somebody far away tries the same names, or the pace is no device's. Where nothing speaks against people, no ban may be advised.
//! The same holds of an office that did get in, from another address that it has left since.

use std::collections::HashSet;

use trace::Map;

use super::rows::{ClientRow, Home, Name, Spelled};
use super::source::Source;
use super::{Detector, variants};

/// So many people are an office; more names are a list.
const PEOPLE: usize = 50;
/// For so long people of an office are sure to have logged in once before their passwords are old, over a long weekend, in microseconds.
const SURELY_SEEN: i64 = 4 * 86_400 * 1_000_000;
/// Domains of the accounts of one office.
const DOMAINS: usize = 2;
/// Visits with one name that make it a device's.
const VISITS: u32 = 4;
/// Failures of each name within a minute and within ten, of a person's devices.
const PER_NAME_AND_MINUTE: u32 = 3;
const PER_NAME_AND_TEN_MINUTES: u32 = 4;
/// Names that somebody far away tries as well: two people may share an address of their phones' provider.
const SHARED: u32 = 3;
/// Sources looked at for each name.
const SOURCES: usize = 200;

/// Whether people may be behind a source that looks hostile. `fast`: it is faster than one device; `people`: how many the names are.
pub(crate) fn is_possible(detector: &Detector, source: Source, row: &ClientRow, fast: bool, people: u32) -> bool {
    let thresholds = detector.thresholds();
    let names = row.names.as_slice();
    if names.len() < 2 || names.len() > PEOPLE || row.names_beyond > 0 {
        return false;
    }
    if row.unknown_user >= thresholds.ban_strange_names || row.first_failure - detector.first >= SURELY_SEEN {
        return false;
    }
    let few = !fast && people < 2 * thresholds.ban_strange_names;
    let patient = come_back(detector, source, names) && is_at_the_pace_of_people(row, row.names());
    (few || patient) && domains(detector, names) <= DOMAINS && !is_a_list(detector, source, names)
}

/// All names are of accounts that used to log in from one network together, and none of them was seen there since the first failure: their
/// office may have got another address, and something else be wrong with its logins. As soon as one of them logs in from where they were,
/// this is somebody else.
pub(crate) fn may_have_moved(detector: &Detector, row: &ClientRow) -> bool {
    if row.names.len() < 2 || row.names.len() > PEOPLE || row.names_beyond > 0 {
        return false;
    }
    let homes = |name: &Name| detector.accounts.get(name).map(|account| account.homes()).unwrap_or_default();
    let left = |home: &Home| home.last < row.first_failure;
    let Some((first, others)) = row.names.split_first() else { return false };
    let together =
        |home: &Home| others.iter().all(|name| homes(name).iter().any(|other| other.net == home.net && left(other)));
    homes(first).iter().any(|home| left(home) && together(home))
}

/// Most names come back again and again, as devices do.
fn come_back(detector: &Detector, source: Source, names: &[Name]) -> bool {
    let comes_back =
        |name: &&Name| detector.history(source, **name).is_some_and(|pair| pair.cadence.visits() >= VISITS);
    2 * names.iter().filter(comes_back).count() > names.len()
}

/// No more failures of each name than people's devices make.
pub(crate) fn is_at_the_pace_of_people(row: &ClientRow, people: u32) -> bool {
    row.burst.per_minute() <= people.saturating_mul(PER_NAME_AND_MINUTE)
        && row.burst.per_ten_minutes() <= people.saturating_mul(PER_NAME_AND_TEN_MINUTES)
}

/// How many domains the names are of; none is one, too.
fn domains(detector: &Detector, names: &[Name]) -> usize {
    let spelled: Vec<Spelled> = names.iter().filter_map(|name| detector.spelled(*name)).collect();
    spelled.iter().map(|name| variants::domain(name)).collect::<HashSet<_>>().len()
}

/// Somebody far away tries many of the same names: they stand on a list.
fn is_a_list(detector: &Detector, source: Source, names: &[Name]) -> bool {
    let mut shared: Map<Source, u32> = Map::default();
    for account in names.iter().filter_map(|name| detector.accounts.get(name)) {
        for other in account.clients.iter().take(SOURCES).filter(|other| other.wide() != source.wide()) {
            *shared.entry(*other).or_default() += 1;
        }
    }
    shared.values().any(|names_of_ours| *names_of_ours >= SHARED && 2 * *names_of_ours as usize >= names.len())
}
