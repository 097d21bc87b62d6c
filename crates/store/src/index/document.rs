//! The stored documents of a day, of which each has nothing but a packed line.
//!
//! tantivy's own way to a document reads its bytes one by one; here a packed line is a part of the block it was compressed in.

use std::sync::OnceLock;

use tantivy::directory::OwnedBytes;
use tantivy::store::StoreReader;
use tantivy::{DocAddress, DocId, Searcher};

use super::day::DayError;

/// Blocks of packed lines kept unpacked for each segment.
const CACHED_BLOCKS: usize = 16;
/// What says that a value is bytes.
const BYTES: u8 = 4;
/// The last byte of a number; those before it lack this bit.
const NUMBER_END: u8 = 0x80;

/// The documents of a day. A segment's are opened when the first of them is asked for.
pub(super) struct Documents(Vec<OnceLock<StoreReader>>);

impl Documents {
    pub(super) fn of(searcher: &Searcher) -> Self {
        Self(searcher.segment_readers().iter().map(|_| OnceLock::new()).collect())
    }

    /// The packed line of a document.
    pub(super) fn packed(&self, searcher: &Searcher, address: DocAddress) -> Result<OwnedBytes, DayError> {
        let Some(opened) = self.0.get(address.segment_ord as usize) else {
            return Err(DayError::Broken("a segment that is not there".to_owned()));
        };
        let store = match opened.get() {
            Some(store) => store,
            None => {
                let reader = searcher.segment_reader(address.segment_ord);
                let store = reader.get_store_reader(CACHED_BLOCKS)?;
                opened.get_or_init(|| store)
            }
        };
        packed(store, address.doc_id)
    }
}

/// The packed line of a document of one segment.
pub(super) fn packed(store: &StoreReader, doc: DocId) -> Result<OwnedBytes, DayError> {
    let document = store.get_document_bytes(doc)?;
    let from = value(&document).ok_or_else(|| DayError::Broken("a document that holds no packed line".to_owned()))?;
    Ok(document.slice(from..document.len()))
}

/// Where the one value of a document begins, which is bytes and ends it: how many fields, which, of what kind, how long.
fn value(document: &[u8]) -> Option<usize> {
    let (count, behind) = number(document)?;
    let (_field, behind) = behind.split_first_chunk::<4>()?;
    let (kind, behind) = behind.split_first()?;
    let (length, value) = number(behind)?;
    let is_whole = count == 1 && *kind == BYTES && usize::try_from(length) == Ok(value.len());
    is_whole.then_some(document.len() - value.len())
}

/// A number of seven bits a byte, the lowest first.
fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0;
    for (at, byte) in bytes.iter().enumerate().take(9) {
        number |= u64::from(byte & !NUMBER_END) << (7 * at);
        if byte & NUMBER_END != 0 {
            return Some((number, bytes.get(at + 1..)?));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use tantivy::schema::{BytesOptions, Schema};
    use tantivy::{Index, TantivyDocument};

    use super::*;

    #[test]
    fn packed_lines_are_what_was_stored() {
        let mut schema = Schema::builder();
        let stored = schema.add_bytes_field("stored", BytesOptions::default().set_stored());
        let other = schema.add_u64_field("other", tantivy::schema::FAST);
        let index = Index::create_in_ram(schema.build());
        let mut writer = index.writer_with_num_threads(1, 16 << 20).unwrap();
        let values: Vec<Vec<u8>> = [0, 1, 127, 128, 16_383, 16_384, 200_000].map(|length| vec![b'x'; length]).into();
        for value in &values {
            let mut document = TantivyDocument::new();
            document.add_u64(other, 7);
            document.add_bytes(stored, value);
            writer.add_document(document).unwrap();
        }
        writer.commit().unwrap();
        let searcher = index.reader().unwrap().searcher();
        let documents = Documents::of(&searcher);
        for (doc, value) in (0..).zip(&values) {
            let packed = documents.packed(&searcher, DocAddress::new(0, doc)).unwrap();
            assert_eq!(packed.as_slice(), value);
        }
        assert!(documents.packed(&searcher, DocAddress::new(1, 0)).is_err());
    }

    #[test]
    fn damage_is_seen() {
        let document = [0x81, 2, 0, 0, 0, BYTES, 0x83, b'a', b'b', b'c'];
        assert_eq!(value(&document), Some(7));
        for length in 0..document.len() {
            assert_eq!(value(&document[..length]), None, "{length}");
        }
        assert_eq!(value(&[&document[..], b"d"].concat()), None);
        assert_eq!(number(&[1; 12]), None);
    }
}
