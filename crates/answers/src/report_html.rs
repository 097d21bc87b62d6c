//! The report as one page of HTML: no script, nothing from elsewhere, to be printed or kept.
//!
//! Input: the sections. Output: HTML. The template escapes every value it is given (askama); charts are drawn as SVG from numbers,
//! with the same numbers in words beside them.

use anyhow::Context as _;
use askama::Template as _;

use crate::report_page::{Block, Cell, Chart, Column, Fact, Grid, Pager, Section};
use crate::screen::{Ink, number};

#[derive(askama::Template)]
#[template(path = "report.html")]
struct Page {
    sources: String,
    period: String,
    sections: Vec<SectionView>,
}

struct SectionView {
    title: &'static str,
    note: String,
    blocks: Vec<View>,
}

/// A block as the template takes it.
enum View {
    Lines(Vec<CellView>),
    Facts(Vec<FactView>),
    Grid(GridView),
    Chart(ChartView),
}

struct CellView {
    text: String,
    class: &'static str,
    figures: bool,
}

struct FactView {
    value: String,
    name: &'static str,
    change: String,
    class: &'static str,
}

struct GridView {
    columns: Vec<Column>,
    rows: Vec<Vec<CellView>>,
    more: usize,
}

struct ChartView {
    title: String,
    width: usize,
    series: Vec<SeriesView>,
}

struct SeriesView {
    name: &'static str,
    total: String,
    largest: String,
    /// All values in words, for who cannot see the picture.
    words: String,
    bars: Vec<Bar>,
}

/// Places and sizes in the units of the picture.
struct Bar {
    x: usize,
    y: String,
    width: usize,
    height: String,
    label: String,
}

/// Draws the page.
pub fn draw(pager: &Pager<'_>) -> anyhow::Result<String> {
    let (sources, period) = pager.title();
    let sections = pager.sections().into_iter().map(section).collect();
    Page { sources, period, sections }.render().context("cannot draw the page")
}

fn section(section: Section) -> SectionView {
    let blocks = section.blocks.into_iter().map(block).collect();
    SectionView { title: section.title, note: section.note, blocks }
}

fn block(block: Block) -> View {
    match block {
        Block::Lines(lines) => View::Lines(lines.into_iter().map(|cell_| cell(cell_, false)).collect()),
        Block::Facts(facts) => View::Facts(facts.into_iter().map(fact).collect()),
        Block::Grid(grid_) => View::Grid(grid(grid_)),
        Block::Chart(chart_) => View::Chart(chart(&chart_)),
    }
}

fn class(ink: Ink) -> &'static str {
    match ink {
        Ink::Bad => "bad",
        Ink::Warn => "warn",
        Ink::Good => "good",
        Ink::Dim => "dim",
        Ink::Heading | Ink::Plain => "plain",
    }
}

fn cell(cell: Cell, figures: bool) -> CellView {
    CellView { class: class(cell.ink), text: cell.text, figures }
}

fn fact(fact: Fact) -> FactView {
    FactView { value: fact.value, name: fact.name, change: fact.change, class: class(fact.ink) }
}

fn grid(grid: Grid) -> GridView {
    let row = |row: Vec<Cell>| row.into_iter().zip(&grid.columns).map(|(c, column)| cell(c, column.figures)).collect();
    let rows = grid.rows.into_iter().map(row).collect();
    GridView { rows, columns: grid.columns, more: grid.more }
}

/// Width of a bar and of the gap behind it.
const BAR: usize = 8;
const GAP: usize = 2;
/// Height of the largest bar.
const HEIGHT: f64 = 58.0;

fn chart(chart: &Chart) -> ChartView {
    let series = chart.series.iter().map(|(name, values)| series(name, values, &chart.labels)).collect();
    ChartView { title: chart.title.clone(), width: chart.labels.len() * (BAR + GAP), series }
}

fn series(name: &'static str, values: &[u64], labels: &[String]) -> SeriesView {
    let largest = values.iter().copied().max().unwrap_or_default();
    let labelled: Vec<String> =
        values.iter().zip(labels).map(|(value, label)| format!("{label}: {}", number(*value))).collect();
    let bars = values
        .iter()
        .zip(&labelled)
        .enumerate()
        .filter(|(_, (value, _))| **value > 0)
        .map(|(at, (value, label))| {
            let height = (*value as f64 / largest.max(1) as f64 * HEIGHT).max(1.0);
            Bar {
                x: at * (BAR + GAP),
                y: format!("{:.1}", 59.0 - height),
                width: BAR,
                height: format!("{height:.1}"),
                label: label.clone(),
            }
        })
        .collect();
    SeriesView {
        name,
        total: number(values.iter().sum()),
        largest: number(largest),
        words: format!("{name}, {}", labelled.join(", ")),
        bars,
    }
}
