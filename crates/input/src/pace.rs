//! Which of the unwanted lines the clock must see.
//!
//! Times without a year and without a zone can only be told in order: a year turns, an hour comes twice, a log falls silent. All of
//! these show where the hour changes or the time steps back. So of lines nobody wants, those around such places are kept as marks, and
//! the latest of each stretch. Between marks time moves within one hour and never more than [`DISORDER_US_MAX`] back.

use maillog::Stamp;

use crate::block::{Span, mark};
use crate::years;

/// Steps back up to this long are mere disorder.
pub(crate) const DISORDER_US_MAX: i64 = 30_000_000;
const HOUR_US: i64 = 3_600_000_000;

/// One line of a stretch.
#[derive(Clone, Copy)]
struct Seen {
    key: i64,
    stamp: Stamp,
    number: u32,
    kept: bool,
}

/// A stretch of lines within one hour of one kind of clock.
#[derive(Default)]
pub(crate) struct Pace {
    stretch: Option<Stretch>,
}

struct Stretch {
    clock: Clock,
    hour: i64,
    low: i64,
    high: Seen,
    last: Seen,
}

/// Times of different kinds cannot be compared.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Clock {
    Instant,
    Wall,
    WallWithoutYear,
}

fn key(stamp: &Stamp) -> (Clock, i64) {
    match stamp {
        Stamp::Instant(micros) => (Clock::Instant, *micros),
        Stamp::Wall(wall) => match wall.as_utc_micros() {
            Some(micros) => (Clock::Wall, micros),
            None => (Clock::WallWithoutYear, years::key_us(wall)),
        },
    }
}

impl Pace {
    /// Takes the next line in. `kept` says whether it gets a span of its own anyway.
    #[inline]
    pub(crate) fn see(&mut self, stamp: &Stamp, number: u32, kept: bool, spans: &mut Vec<Span>) {
        if let Some(stretch) = &mut self.stretch
            && stretch.last.number == stretch.high.number
            && stretch.high.stamp == *stamp
        {
            // Many lines share the latest second.
            (stretch.high.number, stretch.high.kept) = (number, kept);
            stretch.last = stretch.high;
            return;
        }
        let (clock, key) = key(stamp);
        let seen = Seen { key, stamp: *stamp, number, kept };
        if let Some(stretch) = &mut self.stretch {
            let goes_on = clock == stretch.clock
                && key >= stretch.hour
                && key < stretch.hour + HOUR_US
                && key >= stretch.high.key - DISORDER_US_MAX;
            if goes_on {
                if key >= stretch.high.key {
                    stretch.high = seen;
                } else if key < stretch.low {
                    stretch.low = key;
                    return self.keep(seen, spans);
                }
                stretch.last = seen;
                return;
            }
        }
        self.close(spans);
        if !kept {
            spans.push(mark(*stamp, number));
        }
        let seen = Seen { kept: true, ..seen };
        self.stretch =
            Some(Stretch { clock, hour: key.div_euclid(HOUR_US) * HOUR_US, low: key, high: seen, last: seen });
    }

    fn keep(&mut self, seen: Seen, spans: &mut Vec<Span>) {
        if !seen.kept {
            spans.push(mark(seen.stamp, seen.number));
        }
        if let Some(stretch) = &mut self.stretch {
            stretch.last = Seen { kept: true, ..seen };
        }
    }

    /// Ends the stretch: its latest and its last line become marks unless they are kept anyway.
    pub(crate) fn close(&mut self, spans: &mut Vec<Span>) {
        let Some(stretch) = self.stretch.take() else { return };
        for seen in [stretch.high, stretch.last] {
            let twice = seen.number == stretch.high.number && spans.last().is_some_and(|s| s.number == seen.number);
            if !seen.kept && !twice {
                spans.push(mark(seen.stamp, seen.number));
            }
        }
    }
}
