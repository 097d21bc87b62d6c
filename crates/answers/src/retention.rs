//! How long lines are kept: days beyond an age or a size are removed as a whole, and their space comes back at once.

use anyhow::Context as _;
use jiff::Timestamp;
use store::index::{Date, Index, Pseudonyms, Writer};
use store::state::State;

/// What is kept, and how long.
#[derive(Clone, Debug, Default)]
pub struct Retention {
    /// Whole days are removed once they are older.
    pub keep_days: Option<u32>,
    /// The oldest days are removed until no more bytes than these are left.
    pub keep_bytes: Option<u64>,
    /// Names and addresses of days older than this are replaced by pseudonyms.
    pub pseudonymise_days: Option<u32>,
}

impl Retention {
    /// Whether anything is ever removed or hidden.
    #[must_use]
    pub fn is_any(&self) -> bool {
        self.keep_days.is_some() || self.keep_bytes.is_some() || self.pseudonymise_days.is_some()
    }
}

const DAY_US: i64 = 86_400_000_000;
/// Removing needs no room for lines.
const WRITER_BYTES: usize = 32 << 20;

/// Removes what is older than asked, and what is remembered of it. The caller holds the lock. Output: the days removed.
pub fn enforce(state: &State, retention: &Retention) -> anyhow::Result<Vec<Date>> {
    let before = |days: u32| {
        let now = Timestamp::now().as_microsecond();
        Date::of(now.saturating_sub(i64::from(days).saturating_mul(DAY_US)))
    };
    let by_age = retention.keep_days.map(before);
    let by_size = match retention.keep_bytes {
        Some(most) => beyond_size(&Index::new(&state.index()), most)?,
        None => None,
    };
    let removed = match by_age.into_iter().chain(by_size).max() {
        Some(horizon) => remove_before(state, horizon)?,
        None => Vec::new(),
    };
    if let Some(days_kept) = retention.pseudonymise_days {
        let pseudonyms = Pseudonyms::new(state.key()?);
        let days = Index::new(&state.index()).states().context("the store's days")?;
        if days.iter().any(|day| day.date < before(days_kept) && !day.payload.pseudonyms) {
            state.forget()?;
        }
        Writer::new(&state.index(), WRITER_BYTES, 1)?.pseudonymise_before(before(days_kept), &pseudonyms)?;
    }
    Ok(removed)
}

/// Removes the days before one with what is remembered of them, and keeps them from coming back.
pub fn remove_before(state: &State, horizon: Date) -> anyhow::Result<Vec<Date>> {
    // First the note: a run that is killed in between must not take them in again.
    state.notes()?.set_horizon(horizon)?;
    if Index::new(&state.index()).days()?.iter().any(|day| *day < horizon) {
        state.forget()?;
    }
    let mut writer = Writer::new(&state.index(), WRITER_BYTES, 1)?;
    Ok(writer.remove_before(horizon)?)
}

/// The first day that stays if no more than so many bytes do. The newest day always stays.
fn beyond_size(index: &Index, most: u64) -> anyhow::Result<Option<Date>> {
    let states = index.states().context("the store's days")?;
    let mut bytes = 0_u64;
    let mut horizon = None;
    for (at, day) in states.iter().rev().enumerate() {
        bytes = bytes.saturating_add(day.bytes);
        if bytes > most && at > 0 {
            break;
        }
        horizon = Some(day.date);
    }
    Ok(horizon)
}
