//! Days that an older version wrote, written anew in the present layout, out of their own lines.
//!
//! Day by day, each beside itself (see [`super::rewrite`]): killed or out of room, what is done stays done, and the next run goes on
//! with the days that are left.

use std::collections::BTreeMap;

use super::day::{Date, Day, DayError};
use super::payload::{ANY_TIME, LAYOUT, Payload};
use super::schema::source_and_line;
use super::writer::{WriteError, Writer};
use super::{has_no_room, undamaged};

/// What came of it.
#[derive(Debug, Default)]
pub struct Reindexed {
    /// The days that were written anew.
    pub days: Vec<Date>,
    /// The lines in them.
    pub lines: u64,
    /// Days that are left as they were, because they cannot be read.
    pub damaged: Vec<(Date, DayError)>,
}

impl Writer {
    /// Days that an older version wrote.
    #[must_use]
    pub fn outdated(&self) -> Vec<Date> {
        self.damaged().filter(|(_, why)| matches!(why, DayError::Older(_))).map(|(date, _)| date).collect()
    }

    /// Writes the days of older versions anew, the newest first. `begins` is told of each before its turn.
    pub fn reindex(&mut self, mut begins: impl FnMut(Date)) -> Result<Reindexed, WriteError> {
        let mut done = Reindexed::default();
        for date in self.outdated().into_iter().rev() {
            begins(date);
            match undamaged(|| Ok(self.renew(date))) {
                Ok(Ok(lines)) => {
                    done.days.push(date);
                    done.lines += lines;
                }
                Ok(Err(WriteError::Day { why, .. })) if !has_no_room(&why) => done.damaged.push((date, why)),
                Ok(Err(error)) => return Err(error),
                Err(why) => done.damaged.push((date, why)),
            }
        }
        let others = self.damaged().filter(|(_, why)| !matches!(why, DayError::Older(_)));
        done.damaged.extend(others.map(|(date, why)| (date, DayError::Broken(why.to_string()))));
        Ok(done)
    }

    /// Output: the lines of the day.
    fn renew(&mut self, date: Date) -> Result<u64, WriteError> {
        let path = self.path(date);
        let read = || {
            let day = Day::open_to_renew(date, &path)?;
            let payload = renewed(&day)?;
            Ok((day, payload))
        };
        let (day, payload) = read().map_err(|why| WriteError::Day { path: path.clone(), why })?;
        self.write_anew(&day, payload, |_, _, _| {})?;
        Ok(day.searcher.num_docs())
    }
}

/// What the day's commit says in the present layout.
fn renewed(day: &Day) -> Result<Payload, DayError> {
    let mut payload = Payload { layout: LAYOUT, ..day.payload.clone() };
    if payload.sources.values().any(|part| part.from == ANY_TIME) {
        let earliest = earliest(day)?;
        for (number, part) in &mut payload.sources {
            if part.from == ANY_TIME {
                part.from = earliest.get(number).copied().unwrap_or(day.date.start());
            }
        }
    }
    Ok(payload)
}

/// The earliest time of each source's lines.
fn earliest(day: &Day) -> Result<BTreeMap<u64, i64>, DayError> {
    let places = day.places()?;
    let mut earliest: BTreeMap<u64, i64> = BTreeMap::new();
    day.each(&tantivy::query::AllQuery, |segment, doc| {
        let Some(at) = places.get(segment as usize) else { return Ok(true) };
        let time = at.ts.first(doc).or_else(|| at.turn.first(doc));
        if let Some((place, time)) = at.place.first(doc).zip(time) {
            let (source, _) = source_and_line(place);
            earliest.entry(source).and_modify(|known| *known = time.min(*known)).or_insert(time);
        }
        Ok(true)
    })?;
    Ok(earliest)
}
