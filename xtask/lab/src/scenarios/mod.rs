//! What is played: one function per scenario, one file per family.
//!
//! A scenario says how the server is set up, what its clients do, and what each of them must see. If a client
//! sees something else, the scenario fails, and nothing it recorded may be used.

mod accounts;
mod attacks;
mod backends;
mod client_faults;
mod cyrus;
mod fates;
mod hostile;
mod limits;
mod neighbours;
mod notices;
mod passwords;
mod people;
mod policy;
mod refused;
mod routes;
mod tls;

use anyhow::Result;

use crate::machine::{Machine, Setup};

/// A scenario.
#[derive(Clone, Copy)]
pub(crate) struct Scenario {
    /// Named by behaviour, in snake case; also the folder's name.
    pub(crate) name: &'static str,
    /// One sentence for an admin.
    pub(crate) about: &'static str,
    /// How the machine is set up.
    pub(crate) setup: fn() -> Setup,
    /// What happens.
    pub(crate) play: fn(&mut Machine) -> Result<()>,
    /// Whether it takes long.
    pub(crate) slow: bool,
}

/// A scenario that takes a few seconds.
const fn scenario(
    name: &'static str,
    about: &'static str,
    setup: fn() -> Setup,
    play: fn(&mut Machine) -> Result<()>,
) -> Scenario {
    Scenario { name, about, setup, play, slow: false }
}

/// A scenario that takes long.
const fn slow(scenario: Scenario) -> Scenario {
    Scenario { slow: true, ..scenario }
}

/// All scenarios.
pub(crate) fn all() -> Vec<Scenario> {
    let families = [
        passwords::SCENARIOS,
        accounts::SCENARIOS,
        backends::SCENARIOS,
        refused::SCENARIOS,
        policy::SCENARIOS,
        people::SCENARIOS,
        attacks::SCENARIOS,
        tls::SCENARIOS,
        client_faults::SCENARIOS,
        limits::SCENARIOS,
        hostile::SCENARIOS,
        cyrus::SCENARIOS,
        neighbours::SCENARIOS,
        fates::SCENARIOS,
        routes::SCENARIOS,
        notices::SCENARIOS,
    ];
    families.concat()
}
