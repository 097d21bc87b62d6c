//! The report on a terminal of 80 to 200 columns, and in the text part of a mail.

use crate::report_page::{Block, Cell, Chart, Fact, Grid, Pager, Section};
use crate::screen::{Ink, Screen, cut, left, number, right, sparkline, wrap};
use unicode_width::UnicodeWidthStr as _;

/// Draws the page.
pub fn draw(pager: &Pager<'_>, screen: Screen) -> String {
    let (sources, period) = pager.title();
    let mut out = format!("{}  {period}\n\n", screen.ink(Ink::Heading, &cut(&sources, 60)));
    let sections: Vec<String> = pager.sections().iter().map(|part| section(part, screen)).collect();
    out += &sections.join("\n");
    out
}

fn section(section: &Section, screen: Screen) -> String {
    let room = screen.width.saturating_sub(section.title.len() + 2);
    let note = screen.ink(Ink::Dim, &cut(&section.note, room));
    let heading = format!("{}  {note}", screen.ink(Ink::Heading, section.title));
    let mut out = heading.trim_end().to_owned() + "\n";
    for (n, block) in section.blocks.iter().enumerate() {
        if n > 0 && matches!(block, Block::Grid(_) | Block::Chart(_)) {
            out.push('\n');
        }
        out += &match block {
            Block::Lines(lines) => lines.iter().map(|line| sentence(line, screen)).collect(),
            Block::Facts(all) => facts(all, screen),
            Block::Grid(table) => grid(table, screen),
            Block::Chart(picture) => chart(picture, screen),
        };
    }
    out
}

fn sentence(line: &Cell, screen: Screen) -> String {
    wrap(&cut(&line.text, screen.width * 2), screen.width - 2)
        .iter()
        .map(|part| format!("  {}\n", screen.ink(line.ink, part)))
        .collect()
}

/// Figures in two columns, one below the other.
fn facts(all: &[Fact], screen: Screen) -> String {
    let width = all.iter().map(|fact| fact.value.width()).max().unwrap_or_default();
    all.iter()
        .map(|fact| {
            let value = screen.ink(fact.ink, &right(&fact.value, width));
            let change = screen.ink(Ink::Dim, &fact.change);
            format!("  {value}  {} {change}", left(fact.name, 24)).trim_end().to_owned() + "\n"
        })
        .collect()
}

/// Widest first column, and widest last one of words.
const NAME: usize = 44;

/// A table. Where it is too wide, the extra columns are left out.
fn grid(grid: &Grid, screen: Screen) -> String {
    let room = screen.width - 2;
    let mut shown: Vec<usize> = (0..grid.columns.len()).collect();
    let mut widths = column_widths(grid, &shown);
    if total(&widths) > room {
        shown.retain(|at| grid.columns.get(*at).is_some_and(|column| !column.extra));
        widths = column_widths(grid, &shown);
    }
    shrink(&mut widths, room);
    let header: Vec<Cell> = grid.columns.iter().map(|c| Cell { text: c.name.to_owned(), ink: Ink::Dim }).collect();
    let line = |cells: &[Cell]| {
        let parts = shown.iter().zip(&widths).filter_map(|(at, width)| {
            let (cell, column) = (cells.get(*at)?, grid.columns.get(*at)?);
            let text = if column.figures { right(&cell.text, *width) } else { left(&cell.text, *width) };
            Some(screen.ink(cell.ink, &text))
        });
        format!("  {}", parts.collect::<Vec<_>>().join("  ")).trim_end().to_owned() + "\n"
    };
    let mut out = line(&header);
    for row in &grid.rows {
        out += &line(row);
    }
    if grid.more > 0 {
        let more = format!("  … and {} more (--top 0 shows all)", number(grid.more as u64));
        out += &(screen.ink(Ink::Dim, &more) + "\n");
    }
    out
}

/// What each shown column needs.
fn column_widths(grid: &Grid, shown: &[usize]) -> Vec<usize> {
    let widest = |at: &usize| {
        let cells = grid.rows.iter().filter_map(|row| row.get(*at)).map(|cell| cell.text.width()).max();
        let name = grid.columns.get(*at).map_or(0, |column| column.name.width());
        cells.unwrap_or_default().max(name)
    };
    shown.iter().map(widest).collect()
}

fn total(widths: &[usize]) -> usize {
    widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1)
}

/// Makes the last column narrower, then the first, until all fit.
fn shrink(widths: &mut [usize], room: usize) {
    for (last, least) in [(true, 20), (false, NAME), (true, 12), (false, 16)] {
        let excess = total(widths).saturating_sub(room);
        let column = if last { widths.last_mut() } else { widths.first_mut() };
        if let Some(width) = column {
            *width = (*width).min((*width).saturating_sub(excess).max(least));
        }
    }
}

/// A line for each series. Of many values the last ones that fit are shown.
fn chart(chart: &Chart, screen: Screen) -> String {
    let room = screen.width - 34;
    let skipped = chart.labels.len().saturating_sub(room);
    let labels = chart.labels.get(skipped..).unwrap_or_default();
    let span = match (labels.first(), labels.last()) {
        (Some(first), Some(last)) => format!("{first} … {last}"),
        _ => String::new(),
    };
    let mut out = format!("  {}\n", screen.ink(Ink::Dim, &format!("{}: {span}", chart.title)));
    for (name, values) in chart.series.iter().filter(|(_, values)| values.iter().any(|value| *value > 0)) {
        let values = values.get(skipped..).unwrap_or_default();
        let largest = values.iter().copied().max().unwrap_or_default();
        let note = screen.ink(Ink::Dim, &format!("at most {}", number(largest)));
        out += &format!("  {} {}  {note}\n", left(name, 10), sparkline(values));
    }
    out
}
