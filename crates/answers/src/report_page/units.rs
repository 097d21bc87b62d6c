//! Numbers as the report shows them: shares, spans of time, sizes, and how they changed.

use diagnose::{Count, Totals};

use crate::report_time::Change;
use crate::times::duration;

/// `98.2 %`; honest at both ends: only all is 100 %, only none is 0 %.
pub fn share(part: u64, all: u64) -> String {
    if all == 0 {
        return "-".to_owned();
    }
    let percent = part as f64 * 100.0 / all as f64;
    match percent {
        p if part < all && p > 99.9 => "> 99.9 %".to_owned(),
        p if part > 0 && p < 0.1 => "< 0.1 %".to_owned(),
        p => format!("{p:.1} %"),
    }
}

/// `0.05 s`, `12 s`, `3.5 h`.
pub fn seconds(seconds: f64) -> String {
    match seconds {
        s if s < 0.005 => "0 s".to_owned(),
        s if s < 10.0 => format!("{s:.2} s"),
        s => duration((s * 1e6) as i64),
    }
}

/// `1.2 GB`.
pub fn size(bytes: u64) -> String {
    let value = bytes as f64;
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", value / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", value / 1e6),
        _ => format!("{:.1} GB", value / 1e9),
    }
}

/// What a total is now and was before, for the page.
impl Change {
    /// `+12 %`, `-3 %`, `new`, or nothing where neither was any.
    pub fn of(&self, count: Count) -> String {
        self.of_value(|totals| totals.get(count))
    }

    /// The same of what is made of several totals.
    pub(super) fn of_value(&self, value: impl Fn(&Totals) -> u64) -> String {
        match (value(&self.before), value(&self.now)) {
            (0, 0) => String::new(),
            (0, _) => "new".to_owned(),
            (before, now) => format!("{:+.0} %", (now as f64 - before as f64) * 100.0 / before as f64),
        }
    }

    /// Whether there was twice as much, and enough to mean something.
    pub(super) fn has_doubled(&self, count: Count) -> bool {
        let of = |totals: &Totals| totals.get(count);
        of(&self.now) >= 20 && of(&self.now) >= of(&self.before) * 2
    }
}
