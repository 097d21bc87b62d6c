//! `account_takeover` of an account that the log does not name: a source tried the names of many people, and then a session of its was
//! logged in and sent nothing, so that only the counters tell of it.
//!
//! Whoever tries many names is told of as guessing, too; but here one of the passwords is known. Left out is where people may be: where
//! accounts tried live, mailboxes are read, anybody got in by name, the backend was out, or an office may have found its passwords.

use super::finding::{Finding, Kind, plural};
use super::rows::{ClientRow, Name};
use super::source::Source;
use super::tried::{Known, Tried};
use super::{Detector, Told, crowd, guessing};

/// As sure as where the log does name the account.
const CONFIDENCE: f32 = 0.7;

/// What a source did before it was let in.
struct Before {
    names: Vec<Name>,
    people: Tried,
    tries: u32,
}

/// Sources that got in as somebody after they had tried many names.
pub(crate) fn findings(detector: &Detector, told: &mut Told, found: &mut Vec<Finding>) {
    let known = Known::default();
    for (source, row) in candidates(detector, told) {
        let before = Before::of(detector, &known, source, row);
        if before.is_an_attack(detector, row) && !may_be_people(detector, told, source, row, &before) {
            told.clients.insert(source, Kind::AccountTakeover);
            found.push(finding(detector, source, row, &before));
        }
    }
}

/// The few sources that got in, but never by name, and tried many; always in the same order.
fn candidates<'a>(detector: &'a Detector, told: &Told) -> Vec<(Source, &'a ClientRow)> {
    let many = detector.thresholds().spray_names;
    let wanted = |(source, row): &(Source, &ClientRow)| {
        row.ok > 0
            && row.ok_names.is_empty()
            && row.names() >= many
            && !told.clients.contains_key(source)
            && !detector.settings.leaves_out(*source)
    };
    let rows = detector.clients.iter().map(|(source, row)| (*source, &**row));
    let mut rows: Vec<_> = rows.filter(wanted).collect();
    rows.sort_unstable_by_key(|(source, _)| *source);
    rows
}

impl Before {
    fn of(detector: &Detector, known: &Known, source: Source, row: &ClientRow) -> Self {
        let tried = row.names.iter().filter_map(|name| Some((*name, detector.history(source, *name)?)));
        let tried: Vec<_> = tried.filter(|(_, pair)| pair.first_failure <= row.last_ok).collect();
        let tries = tried.iter().fold(0u32, |tries, (_, pair)| tries.saturating_add(pair.failed));
        let names: Vec<Name> = tried.into_iter().map(|(name, _)| name).collect();
        Self { people: Tried::of_names(detector, known, &names, 0), names, tries }
    }

    /// Many people's names, and many tries for each login. Names that lack their domain are no guesses.
    fn is_an_attack(&self, detector: &Detector, row: &ClientRow) -> bool {
        let thresholds = detector.thresholds();
        self.people.strangers + self.people.in_use >= thresholds.spray_names
            && self.tries >= thresholds.guess_tries.saturating_mul(row.ok)
    }
}

fn may_be_people(detector: &Detector, told: &Told, source: Source, row: &ClientRow, before: &Before) -> bool {
    let fast = guessing::is_fast(row, detector.thresholds(), 1);
    detector.settings.protects(source)
        || detector.readers.contains_key(&source)
        || told.was_out(row.first_failure, row.last_failure)
        || guessing::neighbours(detector, source, row) > 0
        || crowd::is_possible(detector, source, row, fast, before.people.people())
        || !fast && crowd::may_have_moved(detector, row)
}

fn finding(detector: &Detector, source: Source, row: &ClientRow, before: &Before) -> Finding {
    let id = format!("takeover-{}", source.ip());
    let mut finding = Finding::new(Kind::AccountTakeover, id, (row.first_failure, row.last_ok));
    finding.confidence = CONFIDENCE;
    finding.clients = detector.addresses(source, row);
    finding.accounts = before.names.iter().filter_map(|name| detector.spelled(*name)).collect();
    finding.accounts.sort_unstable();
    finding.counts = vec![
        ("auth_failed", u64::from(before.tries)),
        ("usernames", before.names.len() as u64),
        ("auth_ok", u64::from(row.ok)),
    ];
    finding.summary = format!(
        "{} failed {} ({}) and then got in; as whom the log does not say, so probably one of these passwords is known there",
        source,
        plural(u64::from(before.tries), "time", "times"),
        plural(before.names.len() as u64, "name", "names"),
    );
    finding.evidence = detector.evidence(row.proofs.iter());
    finding.decided(detector, &["guess_tries", "spray_names"]).advise(
        &[
            "change the passwords of the accounts it tried (client view, findings show), first of those that exist: one of them is known to whoever is there",
            "see whether one of them logs in from new places since, or sends what its owner does not (account view)",
            "then ban the address",
        ],
        &[
            "do not only ban the address: whoever has the password comes back from another",
            "do not take it for somebody's device: it tried the names of many people",
        ],
    )
}
