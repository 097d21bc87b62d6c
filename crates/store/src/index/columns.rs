//! Counts out of columns: what a question needs of each line, without the line.
//!
//! A search goes in. Out come entries that hold nothing but what the question asks about, each standing for as many lines as its
//! `repeat` says: counting them counts the lines.

use std::collections::HashMap;

use foldhash::quality::RandomState;
use query::{Entry, Field, Kind, OwnedValue, TS};
use tantivy::DocId;
use tantivy::columnar::{Column, StrColumn};

use super::day::{Day, DayError};
use super::schema::has_column;
use crate::question::Question;
use crate::values::repeats;

const SECOND: i64 = 1_000_000;

/// Fields that a question is about; time in whole seconds, which every bucket begins and ends with.
#[derive(Clone, Copy)]
pub(crate) struct Needed {
    fields: [Option<&'static Field>; 2],
    time: bool,
}

/// What a question needs, if columns have it.
pub(crate) fn needed(question: &Question) -> Option<Needed> {
    let (fields, time) = match question {
        Question::Rows(_) => return None,
        Question::Count => ([None, None], false),
        // Buckets begin at whole seconds only where the zone does.
        Question::Histogram(asked) if asked.offset % SECOND != 0 => return None,
        Question::Histogram(asked) => {
            if let crate::Width::Fixed(width) = asked.width
                && width % SECOND != 0
            {
                return None;
            }
            ([asked.by, None], true)
        }
        Question::Top(asked) => ([Some(asked.field), asked.distinct], false),
        Question::Distinct(field) => ([Some(*field), None], false),
    };
    let whole_time = |field: &&Field| field.name != TS.name;
    let told = fields.iter().flatten().all(|field| has_column(field) && whole_time(field));
    told.then_some(Needed { fields, time })
}

/// A value that is not there.
const ABSENT: u64 = u64::MAX;

/// One field's column in one segment: values as numbers.
enum Values {
    Text(Option<StrColumn>),
    Int(Column<i64>),
    Real(Column<f64>),
}

impl Values {
    fn of(reader: &tantivy::SegmentReader, field: &Field) -> Result<Self, DayError> {
        let columns = reader.fast_fields();
        Ok(match field.kind {
            Kind::Int | Kind::Time => Self::Int(columns.i64(field.name)?),
            Kind::Real => Self::Real(columns.f64(field.name)?),
            _ => Self::Text(columns.str(field.name)?),
        })
    }

    fn number(&self, doc: DocId) -> u64 {
        match self {
            Self::Text(None) => ABSENT,
            Self::Text(Some(column)) => column.ords().first(doc).unwrap_or(ABSENT),
            Self::Int(column) => column.first(doc).map_or(ABSENT, tantivy::i64_to_u64),
            Self::Real(column) => column.first(doc).map_or(ABSENT, tantivy::f64_to_u64),
        }
    }

    fn value(&self, number: u64) -> Result<Option<OwnedValue>, DayError> {
        if number == ABSENT {
            return Ok(None);
        }
        Ok(Some(match self {
            Self::Text(None) => return Ok(None),
            Self::Text(Some(column)) => {
                let mut text = String::new();
                column.ord_to_str(number, &mut text)?;
                OwnedValue::Text(text)
            }
            Self::Int(_) => OwnedValue::Int(tantivy::u64_to_i64(number)),
            Self::Real(_) => OwnedValue::Real(tantivy::u64_to_f64(number)),
        }))
    }
}

/// Two values and a time in seconds.
type Key = (u64, u64, Option<i64>);

/// Counts what a search finds in a day.
pub(crate) fn count(
    day: &Day,
    search: &dyn tantivy::query::Query,
    needed: &Needed,
    mut take: impl FnMut(&Entry),
) -> Result<(), DayError> {
    let segments = day.searcher.segment_readers();
    let repeat = query::field("repeat").map(|field| field.name).unwrap_or_default();
    let mut columns = Vec::new();
    for reader in segments {
        let of = |field: Option<&'static Field>| field.map(|field| Values::of(reader, field)).transpose();
        let [first, second] = needed.fields;
        columns.push((of(first)?, of(second)?, reader.fast_fields().i64(TS.name)?, reader.fast_fields().i64(repeat)?));
    }
    let mut sums: Vec<HashMap<Key, u64, RandomState>> = segments.iter().map(|_| HashMap::default()).collect();
    day.each(search, |segment, doc| {
        let at = segment as usize;
        let (Some((first, second, ts, repeat)), Some(sums)) = (columns.get(at), sums.get_mut(at)) else {
            return Ok(true);
        };
        let number = |values: &Option<Values>| values.as_ref().map_or(ABSENT, |values| values.number(doc));
        let time = if needed.time { ts.first(doc).map(|ts| ts.div_euclid(SECOND)) } else { None };
        let times = repeats(&Entry { repeat: repeat.first(doc), ..Entry::default() });
        let sum = sums.entry((number(first), number(second), time)).or_default();
        *sum = sum.saturating_add(times);
        Ok(true)
    })?;
    for ((first, second, ..), sums) in columns.iter().zip(sums) {
        for ((one, other, time), sum) in sums {
            let mut entry = Entry {
                ts: time.map(|time| time.saturating_mul(SECOND)),
                repeat: Some(i64::try_from(sum).unwrap_or(i64::MAX)),
                ..Entry::default()
            };
            for (field, values, number) in [(needed.fields[0], first, one), (needed.fields[1], second, other)] {
                if let (Some(field), Some(values)) = (field, values) {
                    (field.put)(&mut entry, values.value(number)?);
                }
            }
            take(&entry);
        }
    }
    Ok(())
}
