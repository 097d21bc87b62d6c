//! The reason table, one file per family. Of two that fit the earlier one is taken, so the more exact stand first.

mod door;
mod limit;
mod ours;
mod policy;
mod recipient;
mod reputation;
mod way;

use crate::reason::{Reason, Side};

/// Every reason with a wording or a code of its own, the more exact first.
pub(crate) fn all() -> impl Iterator<Item = &'static Reason> {
    [
        ours::TRANSPORT,
        way::UNDECIDED,
        policy::EXACT,
        limit::REASONS,
        reputation::REASONS,
        recipient::REASONS,
        ours::MAILBOX,
        way::REASONS,
        policy::GENERAL,
    ]
    .into_iter()
    .flatten()
}

/// The row for a refusal of our own, where it differs.
pub(crate) fn at_our_door(id: &str) -> Option<&'static Reason> {
    door::REASONS.iter().find(|reason| reason.id == id)
}

/// What no wording and no code tells.
pub(crate) static OTHER: Reason = Reason {
    id: "other",
    title: "For a reason this program does not know",
    meaning: "Neither the words nor the code of the reply are in the table. The words are shown: judge for yourself.",
    side: Side::Receiver,
    words: &[],
    codes: &[],
    next: &["read the words of the reply"],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_our_door_nothing_of_the_clients_is_ours() {
        assert!(door::REASONS.iter().all(|row| all().any(|reason| reason.id == row.id)));
        for reason in all().map(Reason::at_our_door) {
            assert!(
                !reason.title.starts_with("Our address") && !reason.title.starts_with("The receiver does"),
                "{}",
                reason.id
            );
        }
    }

    #[test]
    fn the_table_is_whole() {
        let mut ids: Vec<&str> = all().map(|reason| reason.id).collect();
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), count);
        let mut words: Vec<&str> = all().flat_map(|reason| reason.words).copied().collect();
        let count = words.len();
        assert!(words.iter().all(|words| words.len() > 2 && *words == words.to_ascii_lowercase()), "{words:?}");
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), count, "a wording stands in two places");
        let mut codes: Vec<(u16, u16)> = all().flat_map(|reason| reason.codes).copied().collect();
        let count = codes.len();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), count, "a code stands in two places");
        for reason in all() {
            assert!(!reason.title.is_empty() && !reason.meaning.is_empty() && !reason.next.is_empty(), "{}", reason.id);
            assert!(!reason.words.is_empty() || !reason.codes.is_empty(), "{}", reason.id);
            assert_eq!(Reason::by_id(reason.id).map(|found| found.id), Some(reason.id));
        }
    }

    #[test]
    fn every_wording_finds_a_reason_at_least_as_exact() {
        let rank = |wanted: &Reason| all().position(|reason| reason.id == wanted.id);
        for reason in all() {
            for words in reason.words {
                let found = Reason::of(format!("550 5.0.0 {words} x").as_bytes(), None);
                assert!(rank(found).is_some_and(|found| Some(found) <= rank(reason)), "{words}: {}", found.id);
            }
        }
    }
}
