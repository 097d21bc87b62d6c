//! The severity prefix Postfix puts before a message.
//!
//! Source: Postfix `src/util/msg_output.c`; information has no prefix.

/// Severity of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// No prefix.
    Info,
    /// `warning: `
    Warning,
    /// `error: `
    Error,
    /// `fatal: `: the process ends.
    Fatal,
    /// `panic: `: a bug, the process ends.
    Panic,
}

impl Level {
    /// Every level.
    pub const ALL: [Self; 5] = [Self::Info, Self::Warning, Self::Error, Self::Fatal, Self::Panic];

    /// The name as the `level` field shows it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Fatal => "fatal",
            Self::Panic => "panic",
        }
    }
}

/// Splits a message into its severity and what follows the prefix.
#[must_use]
pub fn level(text: &[u8]) -> (Level, &[u8]) {
    let prefixes: [(&[u8], Level); 4] = [
        (b"warning: ", Level::Warning),
        (b"error: ", Level::Error),
        (b"fatal: ", Level::Fatal),
        (b"panic: ", Level::Panic),
    ];
    prefixes
        .into_iter()
        .find_map(|(prefix, level)| Some((level, text.strip_prefix(prefix)?)))
        .unwrap_or((Level::Info, text))
}
