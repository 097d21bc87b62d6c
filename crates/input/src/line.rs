//! What the caller gets for each line.

use maillog::Record;

/// What a line is worth to the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Worth {
    /// Understood, of no further interest: counted, not delivered.
    Skip,
    /// Understood and wanted.
    Keep,
    /// Understood and wanted; the number is the caller's own and comes back with the line, so that what was found out
    /// about it need not be found out again.
    Noted(u8),
    /// Starts a session of its process (host, tag, process id), ending the one before. If the feed sees that nothing else is
    /// wanted of the session, it gives [`Worth::CameAndWent`] in its place, or nothing if the one before has ended, too.
    Opens,
    /// Ends a session of its process. Unless it `tells` more than that, it may be left out as said of [`Worth::Opens`].
    Closes {
        /// It is wanted whatever stands before it.
        tells: bool,
    },
    /// Never said by a caller: the start of a session whose end was left out, and of which nothing else is wanted.
    CameAndWent,
    /// Not understood: delivered and counted as unknown.
    Unknown,
}

/// Which parts of a line's time the log did not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Inferred {
    /// The year was worked out from rotation, file time and neighbours.
    pub year: bool,
    /// The zone is the one of the options.
    pub zone: bool,
}

/// One line, in the order of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// Index of its source in [`crate::Coverage::sources`].
    pub source: usize,
    /// Line number in its source, 1-based. Of a packed source: in the unpacked text.
    pub line: u64,
    /// Microseconds since 1970-01-01T00:00:00Z. `None` if the line has no readable stamp.
    pub time: Option<i64>,
    /// What of `time` the log did not say.
    pub inferred: Inferred,
    /// The envelope. For `last message repeated N times` it is the one of the line meant, with `repeat` N and this line's stamp.
    pub record: Option<Record<'a>>,
    /// The line's own bytes, without its newline.
    pub raw: &'a [u8],
    /// What the caller said it is worth.
    pub worth: Worth,
    /// The line was longer than 64 KiB; `raw` is its start.
    pub truncated: bool,
    /// Position among all counted lines of this feed, 0-based; it only grows.
    pub seq: u64,
}

/// Whether to go on after a line: `()` always does, `ControlFlow::Break` stops the feed.
pub trait GoOn {
    /// Whether the next line is wanted.
    fn go_on(self) -> bool;
}

impl GoOn for () {
    fn go_on(self) -> bool {
        true
    }
}

impl GoOn for std::ops::ControlFlow<()> {
    fn go_on(self) -> bool {
        self.is_continue()
    }
}
