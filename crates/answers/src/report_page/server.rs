//! How the server itself fared: logins, trouble, and what the report covers.

use diagnose::Class;

use super::Pager;
use super::block::{Block, Cell, Grid, Section, count, empty, figures, plain, words};
use crate::screen::{Ink, escape, number, plural};

impl Pager<'_> {
    pub(super) fn logins(&self) -> Section {
        let tally = &self.report.flow.tally;
        let figures = [
            (tally.class(Class::AuthOk), "succeeded"),
            (tally.class(Class::AuthFailed), "refused by the backend"),
            (tally.class(Class::BackendFault), "backend at fault"),
            (tally.class(Class::AuthRefused), "refused before the backend"),
            (tally.class(Class::AuthAborted), "given up by the client"),
            (tally.sessions_killed, "sessions killed, no backend"),
        ];
        let parts: Vec<String> = figures
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{} {what}", number(*count)))
            .collect();
        if parts.is_empty() {
            return empty("LOGINS");
        }
        let mut lines = vec![plain(parts.join(" · "))];
        for finding in self.report.findings.iter().take(3) {
            let ips: Vec<String> = finding.clients.iter().map(ToString::to_string).collect();
            lines.push(Cell { text: escape(&self.mask.within(&finding.summary, &ips)).into_owned(), ink: Ink::Warn });
        }
        let note = "who and why: postfix-insights triage".to_owned();
        Section { title: "LOGINS", note, blocks: vec![Block::Lines(lines)] }
    }

    pub(super) fn troubles(&self) -> Section {
        let flow = &self.report.flow;
        if flow.levels.is_empty() {
            return empty("WARNINGS");
        }
        let levels: Vec<String> = flow.levels.iter().map(|(level, n)| format!("{} {level}", number(*n))).collect();
        let rows = flow
            .troubles
            .heaviest()
            .into_iter()
            .take(self.limit)
            .map(|(_, row)| {
                let ink = if matches!(row.level, "fatal" | "panic") { Ink::Bad } else { Ink::Plain };
                vec![Cell { text: row.level.to_owned(), ink }, count(row.count), plain(self.sample(&row.sample))]
            })
            .collect();
        let columns = vec![words("level"), figures("count"), words("for example")];
        let grid = Grid { columns, rows, more: flow.troubles.len().saturating_sub(self.limit) };
        let note = format!("{}; failed logins are not listed", levels.join(", "));
        Section { title: "WARNINGS", note, blocks: vec![Block::Grid(grid)] }
    }

    pub(super) fn covers(&self) -> Section {
        let read = &self.report.read;
        let c = &read.coverage;
        let understood = if c.lines == 0 { 100.0 } else { c.understood as f64 * 100.0 / c.lines as f64 };
        let mut lines = vec![plain(format!("{} read, {understood:.1} % understood", plural(c.lines, "line", "lines")))];
        for (_, n, sample) in read.unknown.shapes.iter().take(5) {
            let text = format!("unknown, {}x: {}", number(*n), self.sample(sample.as_bytes()));
            lines.push(Cell { text, ink: Ink::Dim });
        }
        for gap in c.gaps.iter().take(3) {
            lines.push(Cell { text: self.clock.gap(gap), ink: Ink::Warn });
        }
        let flow = &self.report.flow;
        let merged = flow.destinations.merged()
            + flow.relays.merged()
            + flow.senders.merged()
            + flow.addressees.merged()
            + flow.troubles.merged();
        if merged > 0 {
            let text = format!(
                "{} of little weight were merged with others: rows of tables are \"at least\", totals are exact",
                plural(merged, "name", "names")
            );
            lines.push(Cell { text, ink: Ink::Dim });
        }
        Section { title: "COVERS", note: String::new(), blocks: vec![Block::Lines(lines)] }
    }
}
