//! What the fuzz targets share: how bytes become lines, and what must hold of them.
//!
//! Every target takes its bytes twice: as they are, and folded into the tokens of the format, since random bytes rarely
//! get past a time stamp. `cargo xtask fuzz` seeds, runs and reports.

#[path = "../../crates/maillog/tests/checks/mod.rs"]
mod checks;

mod mail;
mod totals;

pub use checks::{check_line, check_record, check_redact, folded, lies_inside};
pub use mail::{Mail, mail};
pub use totals::{Totals, play};

/// The bytes as they are and folded into the alphabet of the format.
pub fn both(data: &[u8], check: impl Fn(&[u8])) {
    check(data);
    // Folding makes a line of every token; a few dozen of them are a line already.
    check(&folded(data.get(..64).unwrap_or(data)));
}
