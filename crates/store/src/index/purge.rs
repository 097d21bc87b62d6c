//! Taking out: whole days, and lines that a query means, so that no file holds them any more.
//!
//! What was taken out does not come in again: the note in each day's commit still says how far its sources are in.

use std::sync::Arc;

use query::Query;
use tantivy::index::SegmentReader;
use tantivy::query::{BitSetDocSet, ConstScorer, EnableScoring, Explanation, Query as Search, Scorer, Weight};
use tantivy::{DocId, DocSet as _, Score, TERMINATED, TantivyError};

use super::day::{Date, Day, DayError, Places};
use super::schema::{PLACE, TURN};
use super::sources::Sources;
use super::writer::{WriteError, Writer};

/// A day's folder on its way out is called so, that it is no day any more.
pub(super) const LEAVING: &str = "removing-";

impl Writer {
    /// Removes whole days. Output: which.
    pub fn remove_before(&mut self, horizon: Date) -> Result<Vec<Date>, WriteError> {
        let old: Vec<Date> = self.days().into_iter().filter(|date| *date < horizon).collect();
        for date in &old {
            self.forget(*date);
            let (path, leaving) = (self.path(*date), self.root().join(format!("{LEAVING}{date}")));
            std::fs::rename(&path, &leaving).map_err(|source| WriteError::Io { path, source })?;
        }
        self.sweep()?;
        Ok(old)
    }

    /// Removes what a run that was killed had begun to remove.
    pub(crate) fn sweep(&self) -> Result<(), WriteError> {
        let io = |source| WriteError::Io { path: self.root().to_owned(), source };
        for entry in std::fs::read_dir(self.root()).map_err(io)? {
            let entry = entry.map_err(io)?;
            if entry.file_name().to_string_lossy().starts_with(LEAVING) {
                std::fs::remove_dir_all(entry.path()).map_err(io)?;
            }
        }
        Ok(())
    }

    /// Takes out every line that a query means, and writes the days anew in which there were any, so that nothing of them is left on
    /// disk. Output: how many lines.
    pub fn purge(&mut self, query: &Query) -> Result<u64, WriteError> {
        let mut gone = 0;
        for date in self.days() {
            let path = self.path(date);
            let fail = |why: DayError| WriteError::Day { path: path.clone(), why };
            let day = Day::open(date, &path).map_err(fail)?;
            let narrowed = day.narrow(query, self.sources());
            let meant: Meant = Meant {
                query: Arc::new(query.clone()),
                search: Arc::from(narrowed.search),
                sources: Arc::new(self.sources().clone()),
            };
            let mut found = 0;
            day.each(&meant, |_, _| {
                found += 1;
                Ok(true)
            })
            .map_err(fail)?;
            drop(day);
            if found > 0 {
                self.delete(date, Box::new(meant))?;
                self.compact(date)?;
                gone += found;
            }
        }
        Ok(gone)
    }
}

/// Finds exactly what a query means: looked up where that is possible, then read.
#[derive(Clone, Debug)]
struct Meant {
    query: Arc<Query>,
    search: Arc<dyn Search>,
    sources: Arc<Sources>,
}

impl Search for Meant {
    fn weight(&self, scoring: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        Ok(Box::new(MeantWeight { meant: self.clone(), weight: self.search.weight(scoring)? }))
    }
}

struct MeantWeight {
    meant: Meant,
    weight: Box<dyn Weight>,
}

impl Weight for MeantWeight {
    fn scorer(&self, reader: &SegmentReader, boost: Score) -> tantivy::Result<Box<dyn Scorer>> {
        let mut found = tantivy::BitSet::with_max_value(reader.max_doc());
        let columns = reader.fast_fields();
        let places = Places { ts: columns.i64(query::TS.name)?, turn: columns.i64(TURN)?, place: columns.u64(PLACE)? };
        let store = reader.get_store_reader(8)?;
        let mut docs = self.weight.scorer(reader, 1.0)?;
        let mut doc = docs.doc();
        while doc != TERMINATED {
            let line = super::document::packed(&store, doc)
                .and_then(|packed| super::day::line_of(&packed, &places, doc, &self.meant.sources))
                .map_err(|why| TantivyError::InternalError(why.to_string()))?;
            if self.meant.query.matches(&line.entry) {
                let _ = found.insert(doc);
            }
            doc = docs.advance();
        }
        Ok(Box::new(ConstScorer::new(BitSetDocSet::from(found), boost)))
    }

    fn explain(&self, reader: &SegmentReader, doc: DocId) -> tantivy::Result<Explanation> {
        if self.scorer(reader, 1.0)?.seek(doc) == doc {
            Ok(Explanation::new("meant", 1.0))
        } else {
            Err(TantivyError::InvalidArgument(format!("document {doc} is not meant")))
        }
    }
}
