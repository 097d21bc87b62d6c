//! Which entries, and what about them? Today: the field table, and one flat [`Entry`] per log line.
//!
//! Nothing else in the project lists the fields: JSON, CSV, masking and the field reference are derived from [`FIELDS`].

mod entry;
mod fields;

pub use entry::{describe, diagnosed};
pub use fields::{Entry, FIELDS, Field, Kind, Value};
