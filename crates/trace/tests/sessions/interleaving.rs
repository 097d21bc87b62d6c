//! However the lines of several processes are mixed, as long as each one's own order is kept, the same is told.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::sink::play;
use crate::world::{Taste, merge, print, world};

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    /// Without verdicts to join, time plays no part: any order at all.
    #[test]
    fn any_order_tells_the_same(world in world(Taste { verdicts: false }), choices in vec(any::<u8>(), 1..60)) {
        let lines = print(&world, false);
        let plain = play(lines.iter().flatten(), true);
        let mixed = play(merge(&lines, &choices, i64::MAX), true);
        prop_assert_eq!(plain.rows, mixed.rows);
    }

    /// With verdicts, lines of about the same time may change places: clients differ, so it is clear what belongs together.
    #[test]
    fn lines_of_about_the_same_time_may_change_places(world in world(Taste { verdicts: true }), one in vec(any::<u8>(), 1..60), two in vec(any::<u8>(), 1..60)) {
        let lines = print(&world, false);
        let first = play(merge(&lines, &one, 0), true);
        let second = play(merge(&lines, &two, 400_000), true);
        prop_assert_eq!(first.rows, second.rows);
        prop_assert_eq!(first.evidence, second.evidence);
    }

    /// Lines that the tracer says it does not want change nothing.
    #[test]
    fn unwanted_lines_change_nothing(world in world(Taste { verdicts: true }), choices in vec(any::<u8>(), 1..60)) {
        let lines = print(&world, false);
        let merged = merge(&lines, &choices, 0);
        let (all, wanted) = (play(merged.iter().copied(), true), play(merged.iter().copied(), false));
        prop_assert_eq!(all.rows, wanted.rows);
    }

    /// Two tracers that read the same log tell the same.
    #[test]
    fn the_same_log_twice(world in world(Taste { verdicts: true }), choices in vec(any::<u8>(), 1..60)) {
        let lines = print(&world, true);
        let merged = merge(&lines, &choices, 0);
        let (first, second) = (play(merged.iter().copied(), true), play(merged.iter().copied(), true));
        prop_assert_eq!(first.rows, second.rows);
        prop_assert_eq!(first.counts, second.counts);
    }
}
