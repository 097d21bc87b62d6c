//! The store on disk: a tantivy index for each UTC day of the lines' own time.
//!
//! Lines with their entries go in through a [`Writer`], each exactly once. Questions come in through [`Index`], which opens only the
//! days that a query can mean, looks up what can be looked up, and lets the query itself decide about every line it is not sure of: so
//! the answers are those of [`crate::Memory`] over the same lines. A day that is damaged is left out and named; the others answer.
//!
//! The layout is described in `docs/reference/store.md`.

mod arrivals;
mod aside;
mod cells;
mod columns;
mod context;
mod counting;
mod cut;
mod day;
mod document;
mod files;
mod ledger;
mod narrow;
mod packing;
mod page;
mod payload;
mod pick;
mod pieces;
mod pseudonym;
mod purge;
mod reindex;
mod replay;
mod rewind;
mod rewrite;
mod schema;
mod shelf;
mod sources;
mod span;
mod stored;
mod tokens;
mod twins;
mod within;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

pub use arrivals::{Arrivals, Arrived, Marks, MarksError};
pub use cut::{Covered, Cut};
pub use day::{Date, DayError};
pub use input::Identity;
pub use ledger::Ledger;
pub use payload::{LAYOUT, OLDEST, Part, Payload};
pub use pick::{Counted, Pick};
pub use pseudonym::Pseudonyms;
use query::Query;
pub use reindex::Reindexed;
pub use replay::Replayed;
pub use sources::Sources;
pub use stored::{Head, Kept};
pub use writer::{NewLine, WriteError, Writer, has_no_room};

use crate::question::{Answer, Question, Store, StoreError};
use day::Day;
use shelf::{Shelf, Volume};
use span::Span;

/// Days on disk, for whoever asks.
pub struct Index {
    root: PathBuf,
    names: Vec<(Identity, String)>,
    ledger: Option<Arc<Ledger>>,
    told: Mutex<Told>,
}

/// What an answer does not say by itself.
#[derive(Debug, Default)]
pub struct Told {
    /// Days that could not be read, and why.
    pub damaged: Vec<Damaged>,
    /// Days whose every line was looked at, because nothing of the query can be looked up.
    pub scanned: usize,
}

/// A day that could not be read.
#[derive(Debug)]
pub struct Damaged {
    /// The folder's name.
    pub day: String,
    /// What is wrong.
    pub why: DayError,
}

/// What is known of a day without a question.
#[derive(Clone, Debug)]
pub struct DayState {
    /// Which day.
    pub date: Date,
    /// Lines in it.
    pub lines: u64,
    /// Bytes on disk.
    pub bytes: u64,
    /// What its last commit said.
    pub payload: Payload,
}

impl Index {
    /// The days in a folder. A folder that does not exist has none.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), names: Vec::new(), ledger: None, told: Mutex::default() }
    }

    /// Calls sources by what they are called now.
    #[must_use]
    pub fn with_names(mut self, names: Vec<(Identity, String)>) -> Self {
        self.names = names;
        self
    }

    /// Keeps what it counts there, and looks there first.
    #[must_use]
    pub fn with_ledger(mut self, ledger: Arc<Ledger>) -> Self {
        self.ledger = Some(ledger);
        self
    }

    /// What there is to say about the answers since it was last asked.
    pub fn told(&self) -> Told {
        std::mem::take(&mut *self.told.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The days, from old to new.
    pub fn days(&self) -> std::io::Result<Vec<Date>> {
        days(&self.root)
    }

    /// Days with their sizes and sources. One that cannot be read is told of by [`Index::told`].
    pub fn states(&self) -> std::io::Result<Vec<DayState>> {
        let mut states = Vec::new();
        for date in self.days()? {
            let folder = self.root.join(date.to_string());
            if let Some(day) = self.open(date) {
                let (lines, payload) = (day.searcher.num_docs(), day.payload);
                states.push(DayState { date, lines, bytes: bytes_of(&folder), payload });
            }
        }
        Ok(states)
    }

    /// Compares every file of a day with its checksum. Output: names of files that are damaged.
    pub fn verify(&self, date: Date) -> Result<Vec<PathBuf>, DayError> {
        let index = tantivy::Index::open_in_dir(self.root.join(date.to_string()))?;
        day::payload(&index)?;
        let mut files: Vec<PathBuf> = index.validate_checksum()?.into_iter().collect();
        files.sort();
        Ok(files)
    }

    /// Sources of all days.
    pub fn sources(&self) -> std::io::Result<Sources> {
        let notes: Vec<Payload> = self.days()?.into_iter().filter_map(|date| self.note(date)).collect();
        Ok(self.sources_of(notes.iter()))
    }

    fn sources_of<'p>(&self, notes: impl Iterator<Item = &'p Payload>) -> Sources {
        let mut sources = Sources::default();
        notes.for_each(|payload| sources.add(payload));
        for (identity, name) in &self.names {
            if let Some(number) = sources.find(identity) {
                sources.rename(number, name);
            }
        }
        sources
    }

    /// Opens a day; damage is noted.
    fn open(&self, date: Date) -> Option<Day> {
        let path = self.root.join(date.to_string());
        self.undamaged(date, || Day::open(date, &path))
    }

    /// What a day's commit says; damage is noted.
    fn note(&self, date: Date) -> Option<Payload> {
        let path = self.root.join(date.to_string());
        self.undamaged(date, || day::note(&path))
    }

    /// Runs something on a day; damage is noted.
    fn undamaged<T>(&self, date: Date, run: impl FnOnce() -> Result<T, DayError>) -> Option<T> {
        let why = match undamaged(run) {
            Ok(answer) => return Some(answer),
            Err(why) => why,
        };
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.damaged.iter().all(|damaged| damaged.day != date.to_string()) {
            told.damaged.push(Damaged { day: date.to_string(), why });
        }
        None
    }

    fn open_all(&self, span: Span) -> Result<Vec<Day>, StoreError> {
        let dates = self.days().map_err(|why| StoreError::Unreadable(Box::new(why)))?;
        let wanted = dates.into_iter().filter(|date| self.may_hold(*date, span));
        Ok(wanted.filter_map(|date| self.open(date)).collect())
    }

    /// Whether anything of a span may be in a day. A day that cannot be read may hold anything.
    fn may_hold(&self, date: Date, span: Span) -> bool {
        let undated = || day::note(&self.root.join(date.to_string())).map(|payload| payload.undated);
        span.touches(date) || span.undated && undated().unwrap_or(true)
    }

    fn note_scan(&self) {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).scanned += 1;
    }

    fn answer(
        &self,
        days: &[Volume<'_>],
        sources: &Sources,
        query: &Query,
        question: &Question,
    ) -> Result<Answer, StoreError> {
        match question {
            Question::Rows(asked) => self.page(days, sources, query, asked).map(Answer::Rows),
            _ => self.count(days, sources, query, question),
        }
    }
}

impl Store for Index {
    fn ask(&self, query: &Query, questions: &[Question]) -> Result<Vec<Answer>, StoreError> {
        loop {
            let shelf = Shelf::of(self, Span::of(query.expr()))?;
            let mut answers = Vec::with_capacity(questions.len());
            for question in questions {
                let told = page::told(question, questions, &answers);
                let answer = || self.answer(&shelf.days(), &shelf.sources, query, question);
                answers.push(told.map_or_else(answer, Ok)?);
            }
            if shelf.knows_all() {
                return Ok(answers);
            }
        }
    }
}

/// The days in a folder, from old to new.
fn days(root: &Path) -> std::io::Result<Vec<Date>> {
    let entries = match std::fs::read_dir(root) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut days = Vec::new();
    for entry in entries {
        let entry = entry?;
        // A folder without a commit is one whose first commit has not come yet.
        if let Some(date) = entry.file_name().to_str().and_then(|name| name.parse().ok())
            && entry.path().join("meta.json").exists()
        {
            days.push(date);
        }
    }
    days.sort_unstable();
    Ok(days)
}

/// Bytes of the files in a folder.
fn bytes_of(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    entries.flatten().filter_map(|entry| entry.metadata().ok()).map(|metadata| metadata.len()).sum()
}

/// Runs something on a day; whatever panics over damaged files is damage.
fn undamaged<T>(run: impl FnOnce() -> Result<T, DayError>) -> Result<T, DayError> {
    let ran = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
    ran.unwrap_or_else(|panic| Err(DayError::Broken(words_of(panic.as_ref()))))
}

/// What a panic said.
fn words_of(panic: &(dyn std::any::Any + Send)) -> String {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(words), _) => (*words).to_owned(),
        (_, Some(words)) => words.clone(),
        _ => "its reader gave up".to_owned(),
    }
}
