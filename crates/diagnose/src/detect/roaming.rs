//! A phone with an old password that moves about: one name from many addresses in turn, at regular times.
//!
//! What tells it from many attackers: its tries are those of one program's clock, wherever they come from; its addresses are of a few
//! providers; and nothing else is tried from them.

use std::collections::HashSet;

use super::rows::{AccountRow, ClientRow, History, Name};
use super::source::Source;
use super::{Detector, Told};

/// A phone is with its mobile provider, at home and at work.
const PROVIDERS: usize = 3;
/// Visits from which chance does not make them regular.
const VISITS: u32 = 8;
/// Addresses of one phone that are looked at, at most.
const ADDRESSES: usize = 2_000;
/// See `people`: who does not remember a password is through with it sooner, in microseconds.
const LASTS: i64 = 1_800 * 1_000_000;

/// The sources of a phone whose account never logs in at Postfix within the log; none if it is no such phone.
pub(crate) fn device<'a>(
    detector: &'a Detector,
    told: &Told,
    name: Name,
    account: &AccountRow,
) -> Vec<(Source, &'a ClientRow, History)> {
    let sources = account.clients.as_slice();
    let is_one = account.ok == 0
        && account.clients_beyond == 0
        && (2..=ADDRESSES).contains(&sources.len())
        && account.failed >= detector.thresholds().guess_tries
        && account.last_failure - account.first_failure >= LASTS
        && is_clocked(detector, account, sources)
        && providers(sources) <= PROVIDERS
        && !told.was_out(account.first_failure, account.last_failure);
    let row = |source: &Source| {
        let free = !told.clients.contains_key(source) && !detector.settings.leaves_out(*source);
        Some((*source, &**detector.clients.get(source).filter(|_| free)?, detector.history(*source, name)?))
    };
    let rows: Option<Vec<_>> = sources.iter().filter(|_| is_one).map(row).collect();
    rows.unwrap_or_default()
}

/// One phone that moves about within its provider, with an old password: regular, and it tries nothing else.
pub(crate) fn is_within_its_provider(detector: &Detector, account: &AccountRow, sources: &[Source]) -> bool {
    account.ok > 0 && period(detector, account).is_some() && providers(sources) <= 2 && is_dedicated(detector, sources)
}

/// One name and nothing else, by one clock.
pub(crate) fn is_clocked(detector: &Detector, account: &AccountRow, sources: &[Source]) -> bool {
    account.cadence.visits() >= VISITS && period(detector, account).is_some() && is_dedicated(detector, sources)
}

fn period(detector: &Detector, account: &AccountRow) -> Option<f64> {
    account.cadence.period().filter(|period| *period >= f64::from(detector.thresholds().stale_period))
}

fn providers(sources: &[Source]) -> usize {
    sources.iter().map(|source| source.wide()).collect::<HashSet<_>>().len()
}

fn is_dedicated(detector: &Detector, sources: &[Source]) -> bool {
    let one_name = |source: &Source| detector.clients.get(source).is_none_or(|client| client.names() <= 1);
    sources.iter().all(one_name)
}
