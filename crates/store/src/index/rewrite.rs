//! A day written anew, line by line, beside itself; then it takes its own place.
//!
//! Killed at any moment, the next writer finds either the day as it was or the new one: the old one leaves only when the new one is whole.

use std::path::PathBuf;

use query::Entry;
use tantivy::query::AllQuery;
use tantivy::{DocAddress, TantivyDocument};

use super::day::{Date, Day, DayError};
use super::payload::Payload;
use super::pieces::Joining;
use super::pseudonym::Pseudonyms;
use super::purge::LEAVING;
use super::stored::Kept;
use super::writer::{Open, WriteError, Writer};

/// A day's folder that is not whole yet is called so.
const COMING: &str = "rewriting-";

/// Where a line stands: as the day's columns have it.
#[derive(Clone, Copy, Default)]
pub(super) struct Standing {
    pub(super) place: Option<u64>,
    pub(super) turn: Option<i64>,
}

impl Writer {
    /// Hides whom the lines of the days before one are about. Output: the days that were written anew.
    pub fn pseudonymise_before(&mut self, end: Date, pseudonyms: &Pseudonyms) -> Result<Vec<Date>, WriteError> {
        let old: Vec<Date> =
            self.days().into_iter().filter(|date| *date < end && !self.is_pseudonymous(*date)).collect();
        for date in &old {
            let path = self.path(*date);
            self.end(*date)?;
            let day = Day::open(*date, &path).map_err(|why| WriteError::Day { path, why })?;
            let payload = Payload { pseudonyms: true, ..day.payload.clone() };
            self.write_anew(&day, payload, |_, kept, entry| pseudonyms.hide(kept, entry))?;
        }
        Ok(old)
    }

    /// Writes a day anew, each line as it is after the change, with that note, and puts it in place of the old one. Where that fails
    /// the day stays as it was, and nothing of the attempt takes room.
    pub(super) fn write_anew(
        &mut self,
        day: &Day,
        payload: Payload,
        change: impl FnMut(Standing, &mut Kept, &mut Entry),
    ) -> Result<(), WriteError> {
        let (path, coming) = (self.path(day.date), self.beside(COMING, day.date));
        let payload = match self.write_beside(day, payload, change) {
            Ok(payload) => payload,
            Err(why) => {
                // The next writer would remove it, too; but the disk may be full.
                drop(std::fs::remove_dir_all(&coming));
                return Err(WriteError::Day { path, why });
            }
        };
        let leaving = self.beside(LEAVING, day.date);
        let io = |source| WriteError::Io { path: path.clone(), source };
        std::fs::rename(&path, &leaving).map_err(io)?;
        std::fs::rename(&coming, &path).map_err(io)?;
        self.now_is(day.date, payload);
        std::fs::remove_dir_all(&leaving).map_err(io)
    }

    fn beside(&self, what: &str, date: Date) -> PathBuf {
        self.root().join(format!("{what}{date}"))
    }

    fn write_beside(
        &mut self,
        day: &Day,
        mut payload: Payload,
        change: impl FnMut(Standing, &mut Kept, &mut Entry),
    ) -> Result<Payload, DayError> {
        let mut open = self.create(&self.beside(COMING, day.date))?;
        payload.cut = self.copy_lines(day, &mut open, change)?;
        open.commit(&payload)?;
        Joining::begin(open.writer).end()?;
        Ok(payload)
    }

    /// Output: whether a term was cut.
    fn copy_lines(
        &self,
        day: &Day,
        open: &mut Open,
        mut change: impl FnMut(Standing, &mut Kept, &mut Entry),
    ) -> Result<bool, DayError> {
        let places = day.places()?;
        let mut cut = false;
        day.each(&AllQuery, |segment, doc| {
            let Some(at) = places.get(segment as usize) else { return Ok(true) };
            let mut line = day.line(DocAddress::new(segment, doc), &places, self.sources())?;
            let standing = Standing { place: at.place.first(doc), turn: at.turn.first(doc) };
            change(standing, &mut line.kept, &mut line.entry);
            let mut document = TantivyDocument::new();
            standing.place.into_iter().for_each(|place| document.add_u64(open.slots.place, place));
            standing.turn.into_iter().for_each(|turn| document.add_i64(open.slots.turn, turn));
            document.add_bytes(open.slots.packed, &line.kept.pack(&line.entry)?);
            cut |= open.slots.fill(&mut document, &line.entry);
            open.add(document)?;
            Ok(true)
        })?;
        Ok(cut)
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
