//! Where to look: a query as a search of one day's index.
//!
//! A query's expression goes in. Out comes a search that finds every line the query means, and whether it finds no other: if it may,
//! each line found is looked at itself. Where no part of a query can be looked up, the search is all of the day.

use std::ops::Bound as RangeEnd;
use std::sync::Arc;

use query::{Expr, Field, Glob, IntRange, Kind, Phrase, RealRange, TEXT, TS, Term as Asked, Test, fold};
use tantivy::index::SegmentReader;
use tantivy::query::{
    AllQuery, BitSetDocSet, BooleanQuery, ConstScorer, EmptyQuery, EnableScoring, ExistsQuery, Explanation, Occur,
    Query as Search, RangeQuery, Scorer, TermQuery, Weight,
};
use tantivy::schema::{Field as Slot, IndexRecordOption};
use tantivy::{DocId, DocSet as _, Score, TantivyError, Term};

use super::schema::{self, Slots, term_of};
use super::tokens;

/// A search, and what it is worth.
pub(crate) struct Narrowed {
    pub(crate) search: Box<dyn Search>,
    /// It finds nothing but what is meant.
    pub(crate) exact: bool,
    /// It is all of the day for want of anything to look up.
    pub(crate) everything: bool,
}

impl Narrowed {
    fn exact(search: impl Search) -> Self {
        Self { search: Box::new(search), exact: true, everything: false }
    }

    fn inexact(mut self) -> Self {
        self.exact = false;
        self
    }

    fn everything() -> Self {
        Self { search: Box::new(AllQuery), exact: false, everything: true }
    }

    pub(crate) fn nothing() -> Self {
        Self::exact(EmptyQuery)
    }
}

/// What narrowing down needs to know of a day.
pub(crate) struct Day<'a> {
    pub(crate) slots: &'a Slots,
    /// Some value was too long to be a term as a whole, or is among the words of the text though it is not there.
    pub(crate) cut: bool,
    /// Numbers and names of the sources.
    pub(crate) sources: &'a [(u64, String)],
}

impl Day<'_> {
    pub(crate) fn narrow(&self, expr: &Expr) -> Narrowed {
        match expr {
            Expr::All => Narrowed::exact(AllQuery),
            Expr::And(parts) => self.all(parts),
            Expr::Or(parts) => any(parts.iter().map(|part| self.narrow(part)).collect()),
            Expr::Not(part) => match self.narrow(part) {
                Narrowed { search, exact: true, .. } => {
                    let parts = vec![(Occur::Must, Box::new(AllQuery) as Box<dyn Search>), (Occur::MustNot, search)];
                    Narrowed::exact(BooleanQuery::new(parts))
                }
                _ => Narrowed::everything(),
            },
            Expr::Term(term) => self.term(term),
        }
    }

    fn all(&self, parts: &[Expr]) -> Narrowed {
        every(parts.iter().map(|part| self.narrow(part)).collect())
    }

    fn term(&self, asked: &Asked) -> Narrowed {
        let field = asked.field;
        match &asked.test {
            Test::Word(glob) if field.name == "source" => self.sources_named(glob),
            Test::Word(glob) if field.quoted => self.quoted(glob),
            Test::Word(glob) => self.word(field, glob),
            Test::Phrase(phrase) if field == TEXT => self.phrase(phrase),
            Test::Net(net) => match self.slots.get(field) {
                Some(slot) => {
                    let (from, to) = tokens::network(net);
                    Narrowed::exact(TermsSearch::between(slot, from, to, |_| true))
                }
                None => Narrowed::everything(),
            },
            Test::Int(range) if field.kind == Kind::Int => self.ints(field, *range),
            Test::Time(range) if field == TS => self.ints(field, *range),
            Test::Real(range) if field.kind == Kind::Real => self.reals(field, *range),
            Test::Present => self.present(field),
            Test::Absent => match self.present(field) {
                Narrowed { search, exact: true, .. } => {
                    let parts = vec![(Occur::Must, Box::new(AllQuery) as Box<dyn Search>), (Occur::MustNot, search)];
                    Narrowed::exact(BooleanQuery::new(parts))
                }
                _ => Narrowed::everything(),
            },
            _ => Narrowed::everything(),
        }
    }

    fn sources_named(&self, glob: &Glob) -> Narrowed {
        let of = |number: u64| {
            let end = |line| Term::from_field_u64(self.slots.place, schema::place(number, line));
            let range = RangeQuery::new(RangeEnd::Included(end(0)), RangeEnd::Included(end(u64::MAX)));
            Narrowed::exact(range)
        };
        let named = self.sources.iter().filter(|(_, name)| glob.matches(name)).map(|(number, _)| of(*number));
        any(named.collect())
    }

    fn word(&self, field: &'static Field, glob: &Glob) -> Narrowed {
        let (Some(term_of), Some(slot)) = (term_of(field), self.slots.get(field)) else {
            return Narrowed::everything();
        };
        let cased = field.cased;
        let folded = |piece: &String| if cased { piece.clone() } else { fold(piece).into_owned() };
        let found = match glob.pieces() {
            // What is no address in full is compared as the text it is.
            _ if field.kind == Kind::Address => return Narrowed::everything(),
            [whole] => {
                let term = term_of(whole);
                let search = TermQuery::new(Term::from_field_text(slot, &term), IndexRecordOption::Basic);
                Narrowed { exact: !tokens::is_cut(&term), ..Narrowed::exact(search) }
            }
            pieces => {
                let pieces: Vec<String> = pieces.iter().map(folded).collect();
                let from = pieces.first().map(|first| term_of(first)).unwrap_or_default();
                let to = format!("{from}{}", char::MAX);
                let glob = Glob::new(pieces, true);
                let fits = move |term: &str| tokens::is_cut(term) || glob.matches(term);
                Narrowed::exact(TermsSearch::between(slot, from, to, fits))
            }
        };
        if self.cut { found.inexact() } else { found }
    }

    /// The words of a value that stands in the text.
    fn quoted(&self, glob: &Glob) -> Narrowed {
        let last = glob.pieces().len().saturating_sub(1);
        let pieces = glob.pieces().iter().enumerate().filter(|(_, piece)| !piece.is_empty());
        every(pieces.map(|(at, piece)| self.phrase(&Phrase::new(piece.clone(), at > 0, at < last))).collect()).inexact()
    }

    /// The words of a phrase that cannot be part of longer ones.
    fn phrase(&self, phrase: &Phrase) -> Narrowed {
        let Some(slot) = self.slots.get(TEXT) else { return Narrowed::everything() };
        let folded = fold(phrase.words());
        let (begin_free, end_free) = phrase.free_ends();
        let terms = tokens::terms(&folded).filter(|(run, _)| {
            let free_before = begin_free && run.from == 0;
            let free_behind = end_free && run.to == folded.len();
            // An end that is not free stands at a word's end.
            !free_before && !free_behind
        });
        let searches: Vec<(Occur, Box<dyn Search>)> = terms
            .map(|(_, term)| {
                let term = TermQuery::new(Term::from_field_text(slot, term), IndexRecordOption::Basic);
                (Occur::Must, Box::new(term) as Box<dyn Search>)
            })
            .collect();
        if searches.is_empty() {
            return self.part_of_word(slot, &folded);
        }
        // Only a phrase that is one word means exactly the lines with that word.
        let exact = !self.cut && searches.len() == 1 && folded.len() < 64 && folded.chars().all(char::is_alphanumeric);
        let search: Box<dyn Search> = Box::new(BooleanQuery::new(searches));
        Narrowed { search, exact, everything: false }
    }

    /// A phrase that is part of one word: the words of the day are gone through.
    fn part_of_word(&self, slot: Slot, folded: &str) -> Narrowed {
        let long_enough = folded.chars().count() > 3 || folded.chars().any(|c| !c.is_ascii_digit());
        if folded.is_empty() || !long_enough || !folded.chars().all(char::is_alphanumeric) {
            return Narrowed::everything();
        }
        let part = folded.to_owned();
        let fits = move |term: &str| term.contains(&part) || tokens::is_cut_token(term);
        Narrowed::exact(TermsSearch::all(slot, fits)).inexact()
    }

    fn ints(&self, field: &'static Field, range: IntRange) -> Narrowed {
        let Some(slot) = self.slots.get(field) else { return Narrowed::everything() };
        if range.from.is_none() && range.to.is_none() {
            return self.present(field);
        }
        if range.from.zip(range.to).is_some_and(|(from, to)| from > to) {
            return Narrowed::nothing();
        }
        let end =
            |at: Option<i64>| at.map_or(RangeEnd::Unbounded, |at| RangeEnd::Included(Term::from_field_i64(slot, at)));
        Narrowed::exact(RangeQuery::new(end(range.from), end(range.to)))
    }

    fn reals(&self, field: &'static Field, range: RealRange) -> Narrowed {
        let Some(slot) = self.slots.get(field) else { return Narrowed::everything() };
        if range.from.is_none() && range.to.is_none() {
            return self.present(field);
        }
        // Rounded to what a column holds; whether an end is in the range is looked at in the line.
        let end = |bound: Option<query::Bound>| match bound {
            None => RangeEnd::Unbounded,
            Some(bound) => RangeEnd::Included(Term::from_field_i64(slot, schema::millionths(bound.at))),
        };
        Narrowed::exact(RangeQuery::new(end(range.from), end(range.to))).inexact()
    }

    fn present(&self, field: &'static Field) -> Narrowed {
        match self.slots.get(field) {
            Some(_) if schema::has_column(field) => Narrowed::exact(ExistsQuery::new(field.name.to_owned(), false)),
            Some(slot) if term_of(field).is_some() => Narrowed::exact(TermsSearch::all(slot, |_| true)),
            _ => Narrowed::everything(),
        }
    }
}

/// What all of some searches find.
fn every(parts: Vec<Narrowed>) -> Narrowed {
    let exact = parts.iter().all(|part| part.exact);
    let everything = parts.iter().all(|part| part.everything);
    let searches = parts.into_iter().filter(|part| !part.everything).map(|part| (Occur::Must, part.search));
    let searches: Vec<_> = searches.collect();
    if searches.is_empty() {
        return Narrowed { everything, ..Narrowed::everything() };
    }
    Narrowed { search: Box::new(BooleanQuery::new(searches)), exact, everything: false }
}

/// What any of some searches finds.
fn any(parts: Vec<Narrowed>) -> Narrowed {
    if parts.is_empty() {
        return Narrowed::nothing();
    }
    if parts.iter().any(|part| part.everything) {
        return Narrowed::everything();
    }
    let exact = parts.iter().all(|part| part.exact);
    let searches = parts.into_iter().map(|part| (Occur::Should, part.search)).collect();
    Narrowed { search: Box::new(BooleanQuery::new(searches)), exact, everything: false }
}

type Fits = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// Finds what has any of some terms: those of a range that fit.
#[derive(Clone)]
struct TermsSearch {
    slot: Slot,
    range: Option<(String, String)>,
    fits: Fits,
}

impl TermsSearch {
    fn between(slot: Slot, from: String, to: String, fits: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        Self { slot, range: Some((from, to)), fits: Arc::new(fits) }
    }

    fn all(slot: Slot, fits: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        Self { slot, range: None, fits: Arc::new(fits) }
    }
}

impl std::fmt::Debug for TermsSearch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TermsSearch").field("range", &self.range).finish_non_exhaustive()
    }
}

impl Search for TermsSearch {
    fn weight(&self, _: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        Ok(Box::new(self.clone()))
    }
}

impl Weight for TermsSearch {
    fn scorer(&self, reader: &SegmentReader, boost: Score) -> tantivy::Result<Box<dyn Scorer>> {
        let inverted = reader.inverted_index(self.slot)?;
        let mut found = tantivy::BitSet::with_max_value(reader.max_doc());
        let mut terms = inverted.terms().range();
        if let Some((from, to)) = &self.range {
            terms = terms.ge(from).le(to);
        }
        let mut terms = terms.into_stream()?;
        while terms.advance() {
            if !std::str::from_utf8(terms.key()).is_ok_and(|term| (self.fits)(term)) {
                continue;
            }
            let mut postings = inverted.read_block_postings_from_terminfo(terms.value(), IndexRecordOption::Basic)?;
            while !postings.docs().is_empty() {
                for doc in postings.docs() {
                    let _ = found.insert(*doc);
                }
                postings.advance();
            }
        }
        Ok(Box::new(ConstScorer::new(BitSetDocSet::from(found), boost)))
    }

    fn explain(&self, reader: &SegmentReader, doc: DocId) -> tantivy::Result<Explanation> {
        if self.scorer(reader, 1.0)?.seek(doc) == doc {
            Ok(Explanation::new("one of the terms", 1.0))
        } else {
            Err(TantivyError::InvalidArgument(format!("document {doc} has none of the terms")))
        }
    }
}
