//! Clocks that jump while lines come.

use crate::place::{Place, terminate};

/// A clock that jumps a year ahead and ten years back, lines of before 1970 and of the far end of the calendar, stopped in between.
#[test]
fn clocks_that_jump_lose_nothing() {
    let stamps = [
        "2026-06-17T10:00:00",
        "2027-06-17T10:00:01",
        "2026-06-17T10:00:02",
        "2016-01-01T00:00:00",
        "1969-12-31T23:59:59",
        "2026-06-17T10:00:03",
        "9998-12-31T23:59:59",
    ];
    let mut place = Place::new();
    let line = |n: usize| {
        let stamp = stamps[n % stamps.len()];
        format!("{stamp}+00:00 mail postfix/submission/smtpd[{}]: connect from h[192.0.2.{n}]\n", n / stamps.len())
    };
    place.lines = (0..70).map(line).collect();
    place.write_upto(20);
    let running = place.follow();
    place.all_found();
    place.write_upto(45);
    place.all_found();
    terminate(running);
    place.write_upto(70);
    let running = place.follow();
    place.all_found();
    place.write_upto(100);
    place.all_found();
    terminate(running);
    place.is_as_ingested();
}
