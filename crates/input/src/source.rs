//! What lines are read from: files, standard input, the journal, any reader.

use std::io::Read;
use std::path::PathBuf;

use crate::problem::Problem;

/// One place lines come from.
pub struct Source {
    pub(crate) name: String,
    pub(crate) origin: Origin,
}

pub(crate) enum Origin {
    /// A regular file: it can be opened again and its size and time are known.
    File(PathBuf),
    /// Anything that can be read once: a pipe, a device, a reader of the caller's.
    Stream(Box<dyn Read + Send>),
    /// Opened once, when its turn comes: a named pipe or a device.
    Pipe(PathBuf),
    /// The journal, through its own tool.
    Journal(PathBuf),
}

impl Source {
    /// What the source is called in answers: the path as given, `-`, `journal`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn file(path: PathBuf) -> Self {
        Self { name: path.display().to_string(), origin: Origin::File(path) }
    }
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Source").field(&self.name).finish()
    }
}

/// The sources of one question, in the order they were given, and what could not be had.
#[derive(Debug, Default)]
pub struct Sources {
    pub(crate) list: Vec<Source>,
    pub(crate) problems: Vec<Problem>,
    pub(crate) choice: Option<String>,
}

impl Sources {
    /// Exactly these files, nothing expanded.
    pub fn files<P: Into<PathBuf>>(paths: impl IntoIterator<Item = P>) -> Self {
        Self { list: paths.into_iter().map(|path| Source::file(path.into())).collect(), ..Self::default() }
    }

    /// One stream, e.g. standard input or a test's bytes.
    pub fn stream(name: &str, reader: impl Read + Send + 'static) -> Self {
        Self {
            list: vec![Source { name: name.to_owned(), origin: Origin::Stream(Box::new(reader)) }],
            ..Self::default()
        }
    }

    /// These sources and then those.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        self.list.extend(others.list);
        self.problems.extend(others.problems);
        self.choice = self.choice.or(others.choice);
        self
    }

    /// The sources, in the order they were given.
    #[must_use]
    pub fn list(&self) -> &[Source] {
        &self.list
    }

    /// What was asked for and cannot be read.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Which logs were chosen and why, when none were named, or a folder of folders was.
    #[must_use]
    pub fn choice(&self) -> Option<&str> {
        self.choice.as_deref()
    }
}
