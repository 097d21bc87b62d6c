//! Killed without warning, again and again, while lines come and logs are rotated.

use std::time::Duration;

use crate::place::{Place, terminate};

/// How often it is killed. `POSTFIX_INSIGHTS_KILLS` says otherwise.
const KILLS: u64 = 100;

#[test]
fn killed_at_any_moment_each_line_is_in_once() {
    let kills = std::env::var("POSTFIX_INSIGHTS_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(KILLS);
    let mut place = Place::new();
    let mut moment = 1_u64;
    let mut some = |most: u64| {
        // Any numbers do, if they are the same each time (the constants are Knuth's).
        moment = moment.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (moment >> 33) % most
    };
    for kill in 1..=kills {
        let running = place.follow();
        let to = usize::try_from(kill * 100 / (kills + 1)).unwrap();
        // Spread over the time that a start takes, and some commits.
        std::thread::sleep(Duration::from_millis(some(300)));
        place.write_upto(to);
        if some(30) == 0 {
            place.rotate();
        }
        // Once in a while it comes to rest before.
        std::thread::sleep(Duration::from_millis(if some(8) == 0 { 2_500 } else { some(500) }));
        drop(running);
    }
    place.write_upto(100);
    let running = place.follow();
    place.all_found();
    terminate(running);
    place.is_as_ingested();
}
