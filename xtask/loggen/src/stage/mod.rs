//! Weeks of a mail server with everything that findings tell of, and the truth about it: honest people, offices, broken phones and
//! travellers, beside attacks of every kind and outages.
//!
//! Input: [`Plan`]. Output: a log, and [`Staged`]: who was honest, who attacked what, whose account was taken over. Rates, counts,
//! names, networks and spacing are drawn from wide ranges, so that no figure of a detector can be fitted to them. Shares no code with
//! the detectors.

mod attacks;
mod people;
pub mod score;
mod wire;

use std::collections::BTreeSet;
use std::io::{self, Write};

use serde::{Deserialize, Serialize};

use crate::log::{DAY, Micros};
use crate::rng::Rng;
use wire::Wire;

/// What to stage.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Another seed gives another log.
    pub seed: u64,
    /// People with an account.
    pub accounts: usize,
    /// How many days.
    pub days: u32,
    /// Attacks of each kind.
    pub attacks: usize,
    /// What the mix is made of.
    pub mix: Mix,
}

/// What the log tells, and how loud it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mix {
    /// Postfix logs names; attacks and people.
    Plain,
    /// Postfix logs no names, Dovecot does.
    Dovecot,
    /// No attack at all: people, devices, offices and outages.
    Honest,
    /// Attacks that are slow and wide only.
    Slow,
}

impl Mix {
    /// All mixes.
    pub const ALL: [Self; 4] = [Self::Plain, Self::Dovecot, Self::Honest, Self::Slow];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Dovecot => "dovecot",
            Self::Honest => "honest",
            Self::Slow => "slow",
        }
    }
}

/// An attack that was staged.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Attack {
    /// `guessing`, `spraying` or `distributed_attack`.
    pub kind: String,
    /// How it was done, for whoever looks into a miss.
    pub manner: String,
    /// Where it came from.
    pub clients: Vec<String>,
    /// What it tried.
    pub accounts: Vec<String>,
    /// How many tries.
    pub tries: u64,
}

/// The truth.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Staged {
    /// Attacks with ten tries or more.
    pub attacks: Vec<Attack>,
    /// Accounts that were taken over, and the manner.
    pub takeovers: Vec<(String, String)>,
    /// Every address an honest person ever used.
    pub honest: BTreeSet<String>,
    /// Devices with an old password: address and account.
    pub stale: Vec<(String, String)>,
    /// Offices in which something failed three times or more.
    pub offices: Vec<String>,
    /// Outages: from and to in seconds since 1970, and the manner.
    pub outages: Vec<(u64, u64, String)>,
    /// Kinds of findings that must be there besides.
    pub others: BTreeSet<String>,
    /// People with an account.
    pub accounts: usize,
    /// Days.
    pub days: u32,
}

/// 2026-03-02, a Monday.
const START: Micros = 1_772_409_600_000_000;

/// The stage while it is being set.
struct Stage {
    rng: Rng,
    wire: Wire,
    truth: Staged,
    start: Micros,
    end: Micros,
}

impl Stage {
    /// A moment at random, which leaves room for what lasts so long.
    fn moment(&mut self, lasts: Micros) -> Micros {
        let room = (self.end - self.start).saturating_sub(lasts).max(1);
        self.start + self.rng.below(room)
    }
}

/// Writes the log to `out`.
///
/// # Errors
/// Whatever `out` says.
pub fn stage(plan: &Plan, out: impl Write) -> io::Result<Staged> {
    let names_logged = plan.mix != Mix::Dovecot;
    let mut stage = Stage {
        rng: Rng::new(plan.seed.wrapping_mul(0x9e37_79b9).wrapping_add(plan.mix as u64)),
        wire: Wire::new(names_logged),
        truth: Staged { accounts: plan.accounts, days: plan.days, ..Staged::default() },
        start: START,
        end: START + u64::from(plan.days) * DAY,
    };
    let outages = people::outages(&mut stage, plan);
    let town = people::Town::new(&mut stage, plan.accounts);
    town.live(&mut stage, &outages);
    if plan.mix != Mix::Honest {
        attacks::all(&mut stage, &town, plan);
    }
    people::locked_out_office(&mut stage, plan);
    stage.wire.write(out)?;
    Ok(stage.truth)
}
