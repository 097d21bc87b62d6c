//! What following looks like from outside.

use std::path::{Path, PathBuf};

use crate::follow::batch::Position;
use crate::follow::tail::Tail;
use crate::problem::Problem;

/// A source being followed, or what keeps one from being followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceStatus {
    /// What it is called.
    pub name: String,
    /// Where it is now; empty for a stream.
    pub path: PathBuf,
    /// How far it was read; `None` before the first line.
    pub position: Option<Position>,
    /// Bytes written and not read yet; `None` where that cannot be known.
    pub lag_bytes: Option<u64>,
    /// Time of the last line that was read, in microseconds since 1970.
    pub last: Option<i64>,
    /// What stands in the way, and how to go on.
    pub problem: Option<String>,
}

impl SourceStatus {
    pub(crate) fn of(tail: &Tail) -> Self {
        Self {
            name: tail.name.to_string(),
            path: tail.path.clone(),
            position: tail.position(),
            lag_bytes: tail.lag_bytes(),
            last: tail.last,
            problem: None,
        }
    }

    pub(crate) fn problem(path: &Path, problem: &Problem) -> Self {
        Self {
            name: path.display().to_string(),
            path: path.to_owned(),
            position: None,
            lag_bytes: None,
            last: None,
            problem: Some(problem.to_string()),
        }
    }
}
