//! What the report says, in order: sections of facts, tables and charts. How they look is the business of `report_text` and
//! `report_html`.
//!
//! Input: what [`diagnose::Flow`] counted. Output: [`Section`]s. Log text is made harmless here, by [`shown`], and masked.

mod arrival;
mod block;
mod server;
mod traffic;
mod units;

use diagnose::Table;

pub use self::arrival::reject_title;
use self::block::empty;
pub use self::block::{Block, Cell, Chart, Column, Fact, Grid, Section};
pub use self::units::{seconds, share, size};
use crate::mask::Mask;
use crate::report::Report;
use crate::screen::{escape, plural, shown};
use crate::times::Clock;

/// Makes the sections.
pub struct Pager<'a> {
    /// What it tells of.
    pub report: &'a Report,
    /// Whether names and addresses are masked.
    pub mask: Mask,
    /// How times are shown.
    pub clock: &'a Clock,
    /// Rows per list.
    pub limit: usize,
}

impl Pager<'_> {
    /// The title: which log, which period.
    pub fn title(&self) -> (String, String) {
        let coverage = &self.report.read.coverage;
        let sources = match coverage.sources.as_slice() {
            [one] => escape(&one.name).into_owned(),
            many => plural(many.len() as u64, "source", "sources"),
        };
        let period = match self.report.shown_period() {
            Some((from, until)) => format!("{} to {}", self.clock.long(from), self.clock.long(until)),
            None => "no time".to_owned(),
        };
        (sources, period)
    }

    /// All sections that have something to say.
    pub fn sections(&self) -> Vec<Section> {
        let sections = [
            self.mail(),
            self.notable(),
            self.times(),
            self.destinations(),
            self.reasons(),
            self.rejects(),
            self.tls(),
            self.logins(),
            self.by_time(),
            self.names(),
            self.troubles(),
            self.covers(),
        ];
        sections.into_iter().filter(|section| !section.blocks.is_empty()).collect()
    }

    fn name(&self, name: &[u8]) -> String {
        escape(&self.mask.name(&String::from_utf8_lossy(name))).into_owned()
    }

    /// A reply's words; they may quote anybody's address.
    fn sample(&self, words: &[u8]) -> String {
        if self.mask.0 { "[masked]".to_owned() } else { shown(words) }
    }

    fn table<V: diagnose::Weigh>(
        &self,
        title: &'static str,
        table: &Table<V>,
        columns: Vec<Column>,
        rows: Vec<Vec<Cell>>,
    ) -> Section {
        if rows.is_empty() {
            return empty(title);
        }
        let more = table.len().saturating_sub(self.limit);
        Section { title, note: String::new(), blocks: vec![Block::Grid(Grid { columns, rows, more })] }
    }
}
