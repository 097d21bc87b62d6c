//! Entries as an Apache Parquet file.
//!
//! Entries go in; a file with one column for each field of the table comes out. All columns may be empty. Times are
//! timestamps in microseconds, UTC; the four delays are one repeated column. Source of the layout: the Parquet format,
//! `LogicalTypes.md` and `Encodings.md`.

use std::io::{self, Write};
use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical, ZstdLevel};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{Type, TypePtr};
use query::{Entry, FIELDS, Field, Kind, Value};

use crate::formats::Printer;
use crate::mask::Mask;

/// Rows of a group at most: so many are kept in memory.
const GROUP_ROWS: usize = 20_000;
/// Bytes of text in a group at most, give or take a line.
const GROUP_BYTES: usize = 32 << 20;

/// Writes a Parquet file.
pub struct Parquet<W: Write + Send> {
    /// Taken when the file is finished.
    writer: Option<SerializedFileWriter<W>>,
    mask: Mask,
    columns: Vec<Column>,
    rows: usize,
    bytes: usize,
}

/// The values of a field in a group of rows, and for each row whether it has one.
struct Column {
    values: Values,
    definition: Vec<i16>,
    /// For four numbers: which of them begins a row.
    repetition: Vec<i16>,
}

enum Values {
    Whole(Vec<i64>),
    Real(Vec<f64>),
    Text(Vec<ByteArray>),
    Flag(Vec<bool>),
}

impl<W: Write + Send> Parquet<W> {
    /// Begins a file.
    pub fn new(out: W, mask: Mask) -> io::Result<Self> {
        let level = ZstdLevel::try_new(3)?;
        let properties = WriterProperties::builder().set_compression(Compression::ZSTD(level)).build();
        let writer = SerializedFileWriter::new(out, schema()?, Arc::new(properties))?;
        Ok(Self { writer: Some(writer), mask, columns: columns(), rows: 0, bytes: 0 })
    }

    fn write_group(&mut self) -> io::Result<()> {
        let columns = std::mem::replace(&mut self.columns, columns());
        (self.rows, self.bytes) = (0, 0);
        let Some(writer) = &mut self.writer else { return Ok(()) };
        let mut group = writer.next_row_group()?;
        for column in columns {
            if let Some(mut open) = group.next_column()? {
                column.write(open.untyped())?;
                open.close()?;
            }
        }
        group.close()?;
        Ok(())
    }
}

impl<W: Write + Send> Printer for Parquet<W> {
    fn print(&mut self, entry: &Entry, _raw: &[u8]) -> io::Result<()> {
        let entry = self.mask.entry(entry);
        for (column, field) in self.columns.iter_mut().zip(FIELDS) {
            self.bytes += column.push((field.get)(&entry));
        }
        self.rows += 1;
        if self.rows >= GROUP_ROWS || self.bytes >= GROUP_BYTES { self.write_group() } else { Ok(()) }
    }

    fn finish(&mut self) -> io::Result<()> {
        if self.rows > 0 {
            self.write_group()?;
        }
        match self.writer.take() {
            Some(writer) => writer.into_inner()?.flush(),
            None => Ok(()),
        }
    }
}

impl Column {
    /// Adds a row. Output: bytes of text that it takes.
    fn push(&mut self, value: Option<Value<'_>>) -> usize {
        if let (Values::Real(values), Some(Value::Reals(four))) = (&mut self.values, value) {
            values.extend(four);
            self.definition.extend([1; 4]);
            self.repetition.extend([0, 1, 1, 1]);
            return 0;
        }
        let bytes = match (&mut self.values, value) {
            (Values::Whole(values), Some(Value::Int(number) | Value::Time(number))) => {
                values.push(number);
                Some(0)
            }
            (Values::Real(values), Some(Value::Real(number))) => {
                values.push(number);
                Some(0)
            }
            (Values::Flag(values), Some(Value::Flag(flag))) => {
                values.push(flag);
                Some(0)
            }
            (Values::Text(values), Some(Value::Text(text))) => {
                values.push(ByteArray::from(text));
                Some(text.len())
            }
            _ => None,
        };
        self.definition.push(i16::from(bytes.is_some()));
        self.repetition.push(0);
        bytes.unwrap_or_default()
    }

    fn write(&self, writer: &mut ColumnWriter<'_>) -> Result<(), ParquetError> {
        let (definition, repetition) = (Some(self.definition.as_slice()), Some(self.repetition.as_slice()));
        match (writer, &self.values) {
            (ColumnWriter::Int64ColumnWriter(writer), Values::Whole(values)) => {
                writer.write_batch(values, definition, None)
            }
            (ColumnWriter::DoubleColumnWriter(writer), Values::Real(values)) => {
                // Only a repeated column wants to know where rows begin.
                let repeated = writer.get_descriptor().max_rep_level() > 0;
                writer.write_batch(values, definition, repetition.filter(|_| repeated))
            }
            (ColumnWriter::ByteArrayColumnWriter(writer), Values::Text(values)) => {
                writer.write_batch(values, definition, None)
            }
            (ColumnWriter::BoolColumnWriter(writer), Values::Flag(values)) => {
                writer.write_batch(values, definition, None)
            }
            _ => Err(ParquetError::General("a column of another type than its field".to_owned())),
        }
        .map(drop)
    }
}

fn columns() -> Vec<Column> {
    let values = |field: &Field| match field.kind {
        Kind::Time | Kind::Int => Values::Whole(Vec::new()),
        Kind::Real | Kind::Reals => Values::Real(Vec::new()),
        Kind::Address | Kind::Word | Kind::Text => Values::Text(Vec::new()),
        Kind::Flag => Values::Flag(Vec::new()),
    };
    FIELDS
        .iter()
        .map(|field| Column { values: values(field), definition: Vec::new(), repetition: Vec::new() })
        .collect()
}

/// One column for each field.
fn schema() -> Result<TypePtr, ParquetError> {
    let columns: Vec<TypePtr> =
        FIELDS.iter().map(|field| column_type(field).map(Arc::new)).collect::<Result<_, _>>()?;
    Ok(Arc::new(Type::group_type_builder("entry").with_fields(columns).build()?))
}

fn column_type(field: &Field) -> Result<Type, ParquetError> {
    let (physical, logical) = match field.kind {
        Kind::Time => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::MICROS))),
        Kind::Int => (Physical::INT64, None),
        Kind::Real | Kind::Reals => (Physical::DOUBLE, None),
        Kind::Address | Kind::Word | Kind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        Kind::Flag => (Physical::BOOLEAN, None),
    };
    let repetition = if field.kind == Kind::Reals { Repetition::REPEATED } else { Repetition::OPTIONAL };
    Type::primitive_type_builder(field.name, physical).with_repetition(repetition).with_logical_type(logical).build()
}

#[cfg(test)]
mod tests {
    use parquet::file::reader::{FileReader as _, SerializedFileReader};

    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let entry = |number: i64| Entry {
            ts: Some(number),
            code: (number % 2 == 0).then_some(number),
            username: Some(format!("=u{number}\u{1b}é")),
            delay: Some(0.5),
            delays: (number % 3 == 0).then_some([0.1, 0.2, 0.3, number as f64 + 0.5]),
            truncated: (number == 7).then_some(true),
            ..Entry::default()
        };
        let file = tempfile::tempfile().unwrap();
        let rows = GROUP_ROWS as i64 + 5;
        let mut writer = Parquet::new(file.try_clone().unwrap(), Mask(false)).unwrap();
        (0..rows).for_each(|number| writer.print(&entry(number), b"").unwrap());
        writer.finish().unwrap();
        let reader = SerializedFileReader::new(file).unwrap();
        assert_eq!(reader.num_row_groups(), 2);
        let mut read = 0;
        for (number, row) in (0_i64..).zip(reader) {
            let row = row.unwrap();
            let cell = |name: &str| {
                let found = row.get_column_iter().find(|(column, _)| *column == name);
                found.map(|(_, cell)| cell.to_string()).unwrap()
            };
            let entry = entry(number);
            let optional = |value: Option<String>| value.unwrap_or_else(|| "null".to_owned());
            assert_eq!(cell("code"), optional(entry.code.map(|code| code.to_string())));
            assert_eq!(cell("username"), format!("{:?}", entry.username.unwrap()).replace("\\u{1b}", "\u{1b}"));
            assert_eq!(cell("truncated"), optional(entry.truncated.map(|flag| flag.to_string())));
            let delays = entry.delays.map(|[a, b, c, d]| format!("[{a:?}, {b:?}, {c:?}, {d:?}]"));
            assert_eq!(cell("delays"), delays.unwrap_or_else(|| "[]".to_owned()));
            assert_eq!(cell("host"), "null");
            read += 1;
        }
        assert_eq!(read, rows);
    }
}
