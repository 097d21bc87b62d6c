//! A day written anew, line by line, beside itself; then it takes its own place.
//!
//! Killed at any moment, the next writer finds either the day as it was or the new one: the old one leaves only when the new one is whole.

use std::path::PathBuf;

use tantivy::query::AllQuery;
use tantivy::{DocAddress, TantivyDocument};

use super::day::{Date, Day, DayError};
use super::pseudonym::Pseudonyms;
use super::purge::LEAVING;
use super::writer::{WriteError, Writer};

/// A day's folder that is not whole yet is called so.
const COMING: &str = "rewriting-";

impl Writer {
    /// Hides whom the lines of the days before one are about. Output: the days that were written anew.
    pub fn pseudonymise_before(&mut self, end: Date, pseudonyms: &Pseudonyms) -> Result<Vec<Date>, WriteError> {
        let old: Vec<Date> =
            self.days().into_iter().filter(|date| *date < end && !self.is_pseudonymous(*date)).collect();
        for date in &old {
            let (path, coming) = (self.path(*date), self.beside(COMING, *date));
            self.end(*date)?;
            self.rewrite(*date, pseudonyms).map_err(|why| WriteError::Day { path: path.clone(), why })?;
            let leaving = self.beside(LEAVING, *date);
            let io = |source| WriteError::Io { path: path.clone(), source };
            std::fs::rename(&path, &leaving).map_err(io)?;
            std::fs::rename(&coming, &path).map_err(io)?;
            std::fs::remove_dir_all(&leaving).map_err(io)?;
        }
        Ok(old)
    }

    fn beside(&self, what: &str, date: Date) -> PathBuf {
        self.root().join(format!("{what}{date}"))
    }

    fn rewrite(&mut self, date: Date, pseudonyms: &Pseudonyms) -> Result<(), DayError> {
        let day = Day::open(date, &self.path(date))?;
        let coming = self.beside(COMING, date);
        let mut open = self.create(&coming)?;
        let places = day.places()?;
        let mut cut = false;
        day.each(&AllQuery, |segment, doc| {
            let mut line = day.line(DocAddress::new(segment, doc), &places, self.sources())?;
            let Some(at) = places.get(segment as usize) else { return Ok(true) };
            pseudonyms.hide(&mut line.kept, &mut line.entry);
            let mut document = TantivyDocument::new();
            at.place.first(doc).into_iter().for_each(|place| document.add_u64(open.slots.place, place));
            at.turn.first(doc).into_iter().for_each(|turn| document.add_i64(open.slots.turn, turn));
            document.add_bytes(open.slots.packed, &line.kept.pack(&line.entry)?);
            cut |= open.slots.fill(&mut document, &line.entry);
            open.writer.add_document(document)?;
            Ok(true)
        })?;
        let mut payload = day.payload.clone();
        (payload.pseudonyms, payload.cut) = (true, cut);
        let text = serde_json::to_string(&payload)?;
        let mut prepared = open.writer.prepare_commit()?;
        prepared.set_payload(&text);
        prepared.commit()?;
        open.writer.wait_merging_threads()?;
        self.now_is(date, payload);
        Ok(())
    }

    /// Ends what a writer that was killed had begun: a new day takes its place if the old one has left it, and is dropped if it has not.
    pub(crate) fn settle(&self) -> Result<(), WriteError> {
        let io = |source| WriteError::Io { path: self.root().to_owned(), source };
        for entry in std::fs::read_dir(self.root()).map_err(io)? {
            let entry = entry.map_err(io)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let Some(date) = name.strip_prefix(COMING).and_then(|date| date.parse::<Date>().ok()) else { continue };
            if self.path(date).exists() {
                std::fs::remove_dir_all(entry.path()).map_err(io)?;
            } else {
                std::fs::rename(entry.path(), self.path(date)).map_err(io)?;
            }
        }
        self.sweep()
    }
}
