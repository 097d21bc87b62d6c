//! A line as the tracer takes it.

use maillog::{Event, Record};

/// One understood line with its place in the log.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// The caller's number for the line; outcomes name it as evidence. Grows along the log.
    pub id: u64,
    /// When, in microseconds since 1970 UTC.
    pub time: i64,
    /// The envelope.
    pub record: &'a Record<'a>,
    /// What it says.
    pub event: &'a Event<'a>,
}
