//! The triage as a person reads it: verdict first, then why, who, who got in later, what it covers, what to do.

mod ends;
mod logins;
mod mail;
mod tables;
mod verdict;

use diagnose::{Finding, Tally};

use crate::mask::Mask;
use crate::reading::Read;
use crate::screen::{Ink, Screen, cut, escape, plural};
use crate::times::Clock;

/// Everything the page is drawn from.
pub struct Page<'a> {
    /// The counts.
    pub tally: &'a Tally,
    /// What was read.
    pub read: &'a Read,
    /// What a person should know now.
    pub findings: &'a [Finding],
    /// Rows per list; 0 is all.
    pub top: usize,
    /// Whether names and addresses are masked.
    pub mask: Mask,
    /// What it is drawn on.
    pub screen: Screen,
    /// How times are shown.
    pub clock: &'a Clock,
    /// More detail.
    pub verbose: bool,
}

impl Page<'_> {
    /// The whole page.
    pub fn draw(&self) -> String {
        let parts = [
            self.title(),
            self.verdict(),
            self.logins(),
            self.causes(),
            self.clients(),
            self.accounts(),
            self.recovered(),
            self.refusals(),
            self.coverage(),
            self.next(),
        ];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
    }

    fn limit(&self) -> usize {
        if self.top == 0 { usize::MAX } else { self.top }
    }

    fn span(&self) -> (i64, i64) {
        let coverage = &self.read.coverage;
        (coverage.from.unwrap_or_default(), coverage.to.unwrap_or_default())
    }

    fn heading(&self, text: &str, note: &str) -> String {
        format!(
            "{}  {}\n",
            self.screen.ink(Ink::Heading, text),
            self.screen.ink(Ink::Dim, &cut(note, self.screen.width.saturating_sub(text.len() + 2)))
        )
        .trim_end()
        .to_owned()
            + "\n"
    }

    fn name(&self, name: &[u8]) -> String {
        escape(&self.mask.name(&String::from_utf8_lossy(name))).into_owned()
    }

    fn title(&self) -> String {
        let coverage = &self.read.coverage;
        let sources = match coverage.sources.as_slice() {
            [one] => escape(&one.name).into_owned(),
            many => plural(many.len() as u64, "source", "sources"),
        };
        let period = match (coverage.from, coverage.to) {
            (Some(from), Some(to)) => format!("{} to {}", self.clock.long(from), self.clock.long(to)),
            _ => "no time".to_owned(),
        };
        format!(
            "{}  {period}  {}\n",
            self.screen.ink(Ink::Heading, &cut(&sources, 60)),
            self.screen.ink(Ink::Dim, &plural(coverage.lines, "line", "lines"))
        )
    }
}
