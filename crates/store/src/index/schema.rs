//! The layout of a day's index, derived from the field table.
//!
//! Words, addresses and the line's text are looked up by terms; numbers and what a field table row calls a facet stand in columns.
//! The line itself is kept once, packed by [`super::stored`]. `source` and `line` are in one number, the line's place.

use std::sync::LazyLock;

use query::{FIELDS, Field, Kind, TEXT};
use tantivy::schema::{
    BytesOptions, Field as Slot, IndexRecordOption, NumericOptions, Schema, TextFieldIndexing, TextOptions,
};
use tantivy::tokenizer::TextAnalyzer;
use tantivy::{Index, TantivyDocument};

use super::tokens::{self, Terms};

/// The number of a source and that of a line in it.
pub(crate) const PLACE: &str = "_place";
/// When a line has its turn among those of its day, where that is not its own time.
pub(crate) const TURN: &str = "_turn";
/// The packed line.
pub(crate) const PACKED: &str = "_packed";

/// Lines of a source at most.
const LINE_BITS: u32 = 40;

/// Source and line in one number.
pub(crate) fn place(source: u64, line: u64) -> u64 {
    source << LINE_BITS | line & ((1 << LINE_BITS) - 1)
}

/// The source and the line of a place.
pub(crate) fn source_and_line(place: u64) -> (u64, u64) {
    (place >> LINE_BITS, place & ((1 << LINE_BITS) - 1))
}

/// Whether a field is in the place of a line.
pub(crate) fn in_place(field: &Field) -> bool {
    matches!(field.name, "source" | "line")
}

/// A number as columns hold it: whole millionths take less than half the room, and no log writes smaller ones.
pub(crate) fn millionths(number: f64) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "what is too large becomes the largest there is")]
    let whole = (number * 1e6).round() as i64;
    whole
}

/// The number that a column holds so.
pub(crate) fn of_millionths(whole: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "what a log writes has fewer digits")]
    let number = whole as f64;
    number / 1e6
}

/// How the terms of a field are made, if it has any.
pub(crate) fn term_of(field: &Field) -> Option<fn(&str) -> String> {
    match field.kind {
        _ if in_place(field) || field.quoted => None,
        Kind::Word if field.cased => Some(tokens::cased),
        Kind::Word => Some(tokens::word),
        Kind::Address => Some(tokens::address),
        _ => None,
    }
}

/// Whether a field's values stand in a column.
pub(crate) fn has_column(field: &Field) -> bool {
    !in_place(field) && (field.facet || matches!(field.kind, Kind::Time | Kind::Int | Kind::Real))
}

fn analyzers() -> [(&'static str, Terms); 4] {
    [("words", Terms::words()), ("cased", Terms::cased()), ("addresses", Terms::addresses()), ("texts", Terms::texts())]
}

fn text_options(field: &Field) -> Option<TextOptions> {
    let analyzer = match field.kind {
        _ if field.quoted => return None,
        Kind::Word if field.cased => "cased",
        Kind::Word => "words",
        Kind::Address => "addresses",
        Kind::Text if field == TEXT => "texts",
        _ => return None,
    };
    let indexing = TextFieldIndexing::default()
        .set_tokenizer(analyzer)
        .set_fieldnorms(false)
        .set_index_option(IndexRecordOption::Basic);
    let options = TextOptions::default().set_indexing_options(indexing);
    Some(if field.facet { options.set_fast("raw") } else { options })
}

/// The schema of an index made now.
pub(crate) fn schema() -> Schema {
    let mut builder = Schema::builder();
    let column = NumericOptions::default().set_fast();
    builder.add_u64_field(PLACE, column.clone());
    builder.add_i64_field(TURN, column.clone());
    builder.add_bytes_field(PACKED, BytesOptions::default().set_stored());
    for field in FIELDS.iter().filter(|field| !in_place(field)) {
        match field.kind {
            Kind::Time | Kind::Int | Kind::Real => drop(builder.add_i64_field(field.name, column.clone())),
            _ => {
                if let Some(options) = text_options(field) {
                    builder.add_text_field(field.name, options);
                }
            }
        }
    }
    builder.build()
}

/// Tells an index how terms are made.
pub(crate) fn prepare(index: &Index) {
    for (name, terms) in analyzers() {
        index.tokenizers().register(name, TextAnalyzer::from(terms));
    }
}

/// The fields of one index. An older index may lack some.
pub(crate) struct Slots {
    pub(crate) place: Slot,
    pub(crate) turn: Slot,
    pub(crate) packed: Slot,
    fields: Vec<(&'static Field, Slot)>,
}

impl Slots {
    pub(crate) fn of(schema: &Schema) -> tantivy::Result<Self> {
        let slot = |field: &'static Field| Some((field, schema.get_field(field.name).ok()?));
        Ok(Self {
            place: schema.get_field(PLACE)?,
            turn: schema.get_field(TURN)?,
            packed: schema.get_field(PACKED)?,
            fields: FIELDS.iter().filter_map(slot).collect(),
        })
    }

    pub(crate) fn get(&self, field: &Field) -> Option<Slot> {
        self.fields.iter().find(|(known, _)| *known == field).map(|(_, slot)| *slot)
    }

    /// Fills a document with an entry's values. Output: whether a term does not say all of its value, or is of another one.
    pub(crate) fn fill(&self, document: &mut TantivyDocument, entry: &query::Entry) -> bool {
        let mut was_cut = self.fill_quoted(document, entry);
        for (field, slot) in &self.fields {
            match (field.get)(entry) {
                Some(query::Value::Text(text)) => {
                    was_cut |= field.kind != Kind::Text && text.len() + 4 > tokens::WORD_BYTES_MAX;
                    document.add_text(*slot, text);
                }
                Some(query::Value::Int(number) | query::Value::Time(number)) => document.add_i64(*slot, number),
                Some(query::Value::Real(number)) => document.add_i64(*slot, millionths(number)),
                Some(query::Value::Reals(_) | query::Value::Flag(_)) | None => {}
            }
        }
        was_cut
    }

    /// Values that should stand in the text and do not are looked up as if they did. Output: whether there are any.
    fn fill_quoted(&self, document: &mut TantivyDocument, entry: &query::Entry) -> bool {
        let Some(slot) = self.get(query::TEXT) else { return false };
        let text = entry.text.as_deref().unwrap_or_default();
        let mut is_any = false;
        for field in QUOTED.iter() {
            if let Some(query::Value::Text(value)) = (field.get)(entry)
                && !tokens::holds(text, value)
            {
                document.add_text(slot, value);
                is_any = true;
            }
        }
        is_any
    }
}

/// The fields whose values stand in the text.
static QUOTED: LazyLock<Vec<&Field>> = LazyLock::new(|| FIELDS.iter().filter(|field| field.quoted).collect());
