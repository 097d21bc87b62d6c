//! Exit codes, and what is said on standard error before them.

use std::process::ExitCode;

use input::FeedError;

use crate::print;
use answers::reading::Read;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Answered.
    Ok,
    /// Answered, nothing matched.
    NoMatch,
    /// Answered, and the doctor found a fault.
    Fault,
    /// Wrong use.
    Usage,
    /// Nothing readable.
    Unreadable,
    /// Answered from a part.
    Partly,
    /// Our bug.
    Bug,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Ok => 0,
            Exit::NoMatch | Exit::Fault => 1,
            Exit::Usage => 2,
            Exit::Unreadable => 3,
            Exit::Partly => 4,
            Exit::Bug => 70,
        })
    }
}

impl Exit {
    /// Says why there is no answer.
    pub(crate) fn nothing_readable(error: &FeedError) -> Self {
        for line in error.to_string().lines() {
            print::error(line);
        }
        Self::Unreadable
    }

    /// Says what could not be read, and whether anything could.
    pub(crate) fn of_reading(read: &Read, quiet: bool) -> Self {
        let coverage = &read.coverage;
        if let Some(choice) = coverage.choice.as_deref().filter(|_| !quiet) {
            print::note(choice);
        }
        if let (true, Some(from), Some(to)) = (read.misses_what_was_asked() && !quiet, coverage.from, coverage.to) {
            let (from, to) = (query::rfc3339(from), query::rfc3339(to));
            print::note(&format!("no line lies in the time asked for: the log goes from {from} to {to}"));
        }
        for problem in &coverage.problems {
            print::error(&problem.to_string());
        }
        let damaged = coverage.sources.iter().filter_map(|source| source.damage.as_ref());
        let mut partly = !coverage.problems.is_empty() || !read.damaged.is_empty();
        read.damaged.iter().for_each(|damage| print::error(damage));
        for damage in damaged {
            partly = true;
            print::error(&format!(
                "{}: {} after {} bytes of text; what comes before it is in the answer",
                damage.source, damage.what, damage.offset
            ));
        }
        if coverage.lines == 0 && coverage.choice.is_some() {
            print::error(
                "nothing to read: no mail log in the usual places, and none in the journal; name the log files (Postfix: `postconf maillog_file`, Dovecot: `doveadm log find`)",
            );
            return Self::Unreadable;
        }
        if coverage.lines > 0 && coverage.from.is_none() {
            print::error(
                "no line looks like a log: none starts with a time stamp I know (try `postfix-insights explain` on one of them; of the journal give `journalctl -o json` or `-o short-iso`: json-pretty and cat cannot be read)",
            );
            return Self::Unreadable;
        }
        if partly { Self::Partly } else { Self::Ok }
    }

    /// The graver of two.
    pub(crate) fn or_no_match(self, matched: bool) -> Self {
        if self == Self::Ok && !matched { Self::NoMatch } else { self }
    }
}
