//! What a section is made of: sentences, figures, tables and charts.

use crate::screen::{Ink, number};

/// A part of the report.
pub struct Section {
    /// Its heading.
    pub title: &'static str,
    /// A remark beside the title.
    pub note: String,
    /// What it holds.
    pub blocks: Vec<Block>,
}

/// A piece of a section.
pub enum Block {
    /// Sentences, each with its colour.
    Lines(Vec<Cell>),
    /// Named figures.
    Facts(Vec<Fact>),
    /// A table.
    Grid(Grid),
    /// A picture of numbers over time.
    Chart(Chart),
}

/// A named figure.
pub struct Fact {
    /// The number, as it is shown.
    pub value: String,
    /// What it counts.
    pub name: &'static str,
    /// Against the period before.
    pub change: String,
    /// What it is, for colour.
    pub ink: Ink,
}

/// Text that was made harmless, and its colour.
pub struct Cell {
    /// What it says.
    pub text: String,
    /// What it is, for colour.
    pub ink: Ink,
}

/// A table. The first column holds names; the last may hold words.
pub struct Grid {
    /// Their headings.
    pub columns: Vec<Column>,
    /// As many cells each as there are columns.
    pub rows: Vec<Vec<Cell>>,
    /// Rows left out.
    pub more: usize,
}

/// A column's heading.
pub struct Column {
    /// What it counts.
    pub name: &'static str,
    /// Figures stand to the right.
    pub figures: bool,
    /// Left out first where the screen is narrow.
    pub extra: bool,
}

/// Counts over time.
pub struct Chart {
    /// Its heading.
    pub title: String,
    /// What stands below each column.
    pub labels: Vec<String>,
    /// Names, and a number for each label.
    pub series: Vec<(&'static str, Vec<u64>)>,
}

pub(super) const fn words(name: &'static str) -> Column {
    Column { name, figures: false, extra: false }
}

pub(super) const fn figures(name: &'static str) -> Column {
    Column { name, figures: true, extra: false }
}

pub(super) const fn extra(name: &'static str) -> Column {
    Column { name, figures: true, extra: true }
}

pub(super) fn plain(text: impl Into<String>) -> Cell {
    Cell { text: text.into(), ink: Ink::Plain }
}

pub(super) fn count(value: u64) -> Cell {
    Cell { text: number(value), ink: if value == 0 { Ink::Dim } else { Ink::Plain } }
}

pub(super) fn empty(title: &'static str) -> Section {
    Section { title, note: String::new(), blocks: Vec::new() }
}
