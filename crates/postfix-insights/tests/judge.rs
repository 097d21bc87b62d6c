//! What was staged is told of: attacks, takeovers, outages; and nobody honest is advised to be banned.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod common;

use std::fs::File;

use loggen::stage::score::Score;
use loggen::stage::{Mix, Plan, stage};

use crate::common::triage;

/// Seeds for judging; those for building are below 1000.
#[test]
fn staged_weeks_are_told_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let mut score = Score::default();
    for (seed, mix) in (2_000..).zip(Mix::ALL) {
        let log = folder.path().join(format!("{}.log", mix.name()));
        let plan = Plan { seed, accounts: 60, days: 5, attacks: 2, mix };
        let truth = stage(&plan, File::create(&log).unwrap()).unwrap();
        assert!(mix == Mix::Honest || truth.attacks.len() > 5);
        score.add(&truth, &triage(&[&log]), mix.name());
    }
    assert!(score.complaints().is_empty(), "{:?}\n{}", score.complaints(), score.notes.join("\n"));
}
