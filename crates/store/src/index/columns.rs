//! Counts out of columns: what a question needs of each line, without the line.
//!
//! A search goes in. Out comes how many lines have which of the values that the question asks about, as whoever counted before left it
//! in the ledger, or counted now. Within a segment values are counted by their numbers in its columns; what a number
//! stands for is looked up once for each that occurs.

use std::sync::Arc;

use query::{Entry, Field, Kind, OwnedValue, TS};
use tantivy::columnar::{Cardinality, Column, StrColumn};
use tantivy::query::{EnableScoring, Weight};
use tantivy::{DocId, SegmentReader};

use super::cells::{Cells, Key, Shape};
use super::day::{Day, DayError};
use super::ledger::{Counted, Page};
use super::narrow::Narrowed;
use super::schema::{has_column, of_millionths};
use crate::local::{self, divisor};
use crate::question::{HistogramAsked, Question};
use crate::values::repeats;

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

/// What a question asks of lines.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Needed {
    pub(crate) fields: [Option<&'static Field>; 2],
    pub(crate) wanted: Wanted,
}

/// What of the time of lines is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Wanted {
    /// Nothing: they are counted.
    Count,
    /// They are counted by the stretch of time in which they stand, in microseconds; a day is a whole number of them.
    Stretches(i64),
    /// The earliest and the latest.
    Ends,
}

impl Needed {
    /// The earliest and the latest time.
    pub(crate) const ENDS: Self = Self { fields: [None, None], wanted: Wanted::Ends };

    /// What a question needs, if columns have it.
    pub(crate) fn of(question: &Question) -> Option<Self> {
        let (fields, wanted) = match question {
            Question::Rows(_) => return None,
            Question::Count => ([None, None], Wanted::Count),
            Question::Histogram(asked) => ([asked.by, None], Wanted::Stretches(grain(asked)?)),
            Question::Top(asked) => ([Some(asked.field), asked.distinct], Wanted::Count),
            Question::Distinct(field) => ([Some(*field), None], Wanted::Count),
        };
        let whole_time = |field: &&Field| field.name != TS.name;
        let told = fields.iter().flatten().all(|field| has_column(field) && whole_time(field));
        told.then_some(Self { fields, wanted })
    }
}

/// The longest stretch of time with which all buckets begin and end. None if they do not begin at whole seconds, as where the zone does not.
fn grain(asked: &HistogramAsked) -> Option<i64> {
    let width = match asked.width {
        crate::Width::Fixed(width) => width,
        crate::Width::Auto(_) => SECOND,
    };
    let grain = divisor(local::grain(&asked.zone), width.max(1));
    (grain % SECOND == 0).then_some(grain)
}

/// One field's column in one segment: values as numbers from 1, 0 for none.
enum Values {
    Text(Option<StrColumn>),
    Int(Column<i64>),
    Real(Column<i64>),
}

impl Values {
    fn of(reader: &SegmentReader, field: &Field) -> Result<Self, DayError> {
        let columns = reader.fast_fields();
        Ok(match field.kind {
            Kind::Int | Kind::Time => Self::Int(columns.i64(field.name)?),
            Kind::Real => Self::Real(columns.i64(field.name)?),
            _ => Self::Text(columns.str(field.name)?),
        })
    }

    /// One more than the greatest number, if that is known.
    fn end(&self) -> Option<u64> {
        match self {
            Self::Text(column) => Some(1 + column.as_ref().map_or(0, |column| column.num_terms() as u64)),
            Self::Int(_) | Self::Real(_) => None,
        }
    }

    fn number(&self, doc: DocId) -> u128 {
        let number = match self {
            Self::Text(column) => column.as_ref().and_then(|column| column.ords().first(doc)),
            Self::Int(column) | Self::Real(column) => column.first(doc).map(tantivy::i64_to_u64),
        };
        number.map_or(0, |number| u128::from(number) + 1)
    }

    /// What numbers stand for. They come sorted, each once.
    fn values(&self, numbers: &[u128]) -> Result<Vec<Option<OwnedValue>>, DayError> {
        let given = || numbers.iter().map(|number| number.checked_sub(1).and_then(|given| u64::try_from(given).ok()));
        Ok(match self {
            Self::Text(None) => numbers.iter().map(|_| None).collect(),
            Self::Text(Some(column)) => {
                let ords: Vec<u64> = given().flatten().collect();
                let mut values: Vec<Option<OwnedValue>> = Vec::with_capacity(numbers.len());
                values.resize(numbers.len() - ords.len(), None);
                let take = |bytes: &[u8]| {
                    values.push(Some(OwnedValue::Text(String::from_utf8_lossy(bytes).into_owned())));
                };
                if !column.dictionary().sorted_ords_to_term_cb(&ords, take)? {
                    return Err(DayError::Broken("a column holds values that its dictionary lacks".to_owned()));
                }
                values
            }
            Self::Int(_) => given().map(|number| Some(OwnedValue::Int(tantivy::u64_to_i64(number?)))).collect(),
            Self::Real(_) => {
                given().map(|number| Some(OwnedValue::Real(of_millionths(tantivy::u64_to_i64(number?))))).collect()
            }
        })
    }
}

/// What of a segment's columns a question needs.
struct Columns {
    fields: [Option<Values>; 2],
    ts: Column<i64>,
    repeat: Column<i64>,
    /// The day's first microsecond.
    day: i64,
    wanted: Wanted,
}

impl Columns {
    fn of(day: &Day, reader: &SegmentReader, needed: &Needed) -> Result<Self, DayError> {
        let repeat = query::field("repeat").map(|field| field.name).unwrap_or_default();
        let of = |field: Option<&'static Field>| field.map(|field| Values::of(reader, field)).transpose();
        let [first, second] = needed.fields;
        Ok(Self {
            fields: [of(first)?, of(second)?],
            ts: reader.fast_fields().i64(TS.name)?,
            repeat: reader.fast_fields().i64(repeat)?,
            day: day.date.start(),
            wanted: needed.wanted,
        })
    }

    /// Whether every line counts once.
    fn is_plain(&self) -> bool {
        self.repeat.get_cardinality() == Cardinality::Optional && self.repeat.values.num_vals() == 0
    }

    fn is_bare(&self) -> bool {
        self.wanted == Wanted::Count && self.fields.iter().all(Option::is_none)
    }

    /// How long the stretches of time are that are told apart.
    fn grain(&self) -> Option<i64> {
        if let Wanted::Stretches(grain) = self.wanted { Some(grain) } else { None }
    }

    fn shape(&self) -> Shape {
        let end = |values: &Option<Values>| values.as_ref().map_or(Some(1), Values::end);
        let [first, second] = &self.fields;
        let slots = self.grain().map_or(1, |grain| u64::try_from(DAY / grain).unwrap_or(u64::MAX).saturating_add(1));
        Shape([end(first), end(second), Some(slots)])
    }

    /// The stretch of the day in which a line stands, from 1; 0 without a time.
    fn slot(&self, doc: DocId) -> u128 {
        let slot = self.grain().and_then(|grain| Some(self.ts.first(doc)?.saturating_sub(self.day).div_euclid(grain)));
        slot.map_or(0, |slot| u128::try_from(slot).unwrap_or_default() + 1)
    }

    /// Everything wanted of the lines that a search finds.
    fn counted(&self, weight: &dyn Weight, reader: &SegmentReader) -> Result<Vec<Counted>, DayError> {
        if self.wanted == Wanted::Ends {
            return self.ends(weight, reader);
        }
        if self.is_bare() && self.is_plain() {
            let times = u64::from(weight.count(reader)?);
            let counted = (times > 0).then(|| Counted { times, ..Counted::default() });
            return Ok(counted.into_iter().collect());
        }
        self.told(self.cells(weight, reader)?)
    }

    /// The earliest and the latest time.
    fn ends(&self, weight: &dyn Weight, reader: &SegmentReader) -> Result<Vec<Counted>, DayError> {
        let mut ends: Option<(i64, i64)> = None;
        weight.for_each_no_score(reader, &mut |docs| {
            let alive = docs.iter().filter(|doc| !reader.is_deleted(**doc));
            for ts in alive.filter_map(|doc| self.ts.first(*doc)) {
                ends = Some(ends.map_or((ts, ts), |(from, to)| (from.min(ts), to.max(ts))));
            }
        })?;
        let end = |ts| Counted { ts: Some(ts), ..Counted::default() };
        Ok(ends.map_or_else(Vec::new, |(from, to)| vec![end(from), end(to)]))
    }

    fn cells(&self, weight: &dyn Weight, reader: &SegmentReader) -> Result<Cells, DayError> {
        let mut cells = Cells::new(self.shape());
        let plain = self.is_plain();
        let number = |values: &Option<Values>, doc| values.as_ref().map_or(0, |values| values.number(doc));
        let [first, second] = &self.fields;
        weight.for_each_no_score(reader, &mut |docs| {
            for doc in docs.iter().copied().filter(|doc| !reader.is_deleted(*doc)) {
                let times = if plain { 1 } else { self.times(doc) };
                cells.add([number(first, doc), number(second, doc), self.slot(doc)], times);
            }
        })?;
        Ok(cells)
    }

    fn times(&self, doc: DocId) -> u64 {
        repeats(&Entry { repeat: self.repeat.first(doc), ..Entry::default() })
    }

    /// What was counted, with values for their numbers.
    fn told(&self, cells: Cells) -> Result<Vec<Counted>, DayError> {
        let counted = cells.counted();
        let mut told = Vec::new();
        for (at, values) in self.fields.iter().enumerate() {
            let Some(values) = values else { continue };
            let mut numbers: Vec<u128> = counted.iter().filter_map(|(key, _)| key.get(at).copied()).collect();
            numbers.sort_unstable();
            numbers.dedup();
            let values = values.values(&numbers)?;
            told.push((at, numbers, values));
        }
        let with_values = |(key, times): (Key, u64)| {
            let mut counted = Counted { ts: self.start(key[2]), times, ..Counted::default() };
            for (at, numbers, values) in &told {
                let place = key.get(*at).and_then(|number| numbers.binary_search(number).ok());
                if let Some(field) = counted.fields.get_mut(*at) {
                    *field = place.and_then(|place| values.get(place).cloned()).flatten();
                }
            }
            counted
        };
        Ok(counted.into_iter().map(with_values).collect())
    }

    /// When a stretch of the day begins.
    fn start(&self, slot: u128) -> Option<i64> {
        let before = i64::try_from(slot.checked_sub(1)?).ok()?;
        Some(self.day.saturating_add(before.saturating_mul(self.grain()?)))
    }
}

/// Where to look, and where the counts of it are kept.
pub(crate) struct Search<'a> {
    pub(crate) narrowed: &'a Narrowed,
    pub(crate) page: Option<Page<'a>>,
}

/// Counts what a search finds in a day, or looks up what was counted of it before.
pub(crate) fn count(
    day: &Day,
    search: &Search<'_>,
    needed: &Needed,
    mut take: impl FnMut(Arc<[Counted]>),
) -> Result<(), DayError> {
    let weight = search.narrowed.search.weight(EnableScoring::disabled_from_searcher(&day.searcher))?;
    for reader in day.searcher.segment_readers() {
        let count = || Columns::of(day, reader, needed)?.counted(weight.as_ref(), reader);
        take(match &search.page {
            Some(page) => page.get_or(reader, needed, count)?,
            None => count()?.into(),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Width;
    use jiff::tz::{Offset, TimeZone};

    #[test]
    fn buckets_begin_with_a_grain() {
        let hour = 3_600 * SECOND;
        let quarter = hour / 4;
        let east = |seconds: i64| TimeZone::fixed(Offset::from_seconds(seconds as i32).unwrap());
        for (width, zone, grain) in [
            (Width::Fixed(hour), TimeZone::UTC, Some(hour)),
            (Width::Fixed(hour), east(7_200), Some(hour)),
            (Width::Fixed(hour), east(-1_800), Some(hour / 2)),
            (Width::Fixed(7 * DAY), TimeZone::UTC, Some(DAY)),
            (Width::Fixed(7 * DAY), east(18_000), Some(hour)),
            (Width::Fixed(7 * SECOND), TimeZone::UTC, Some(SECOND)),
            (Width::Fixed(DAY), TimeZone::get("Europe/Berlin").unwrap(), Some(quarter)),
            (Width::Auto(60), TimeZone::UTC, Some(SECOND)),
            (Width::Fixed(SECOND + 1), TimeZone::UTC, None),
        ] {
            let asked = HistogramAsked { width, zone, by: None };
            assert_eq!(super::grain(&asked), grain, "{asked:?}");
        }
    }
}
