//! What the page covers, and what to do next.

use super::Page;
use crate::ranking;
use crate::screen::{Ink, cut, escape, number, plural, wrap};

impl Page<'_> {
    pub(super) fn coverage(&self) -> String {
        let c = &self.read.coverage;
        let share = if c.lines == 0 { 100.0 } else { c.understood as f64 * 100.0 / c.lines as f64 };
        let mut out = self.heading("COVERS", "");
        let mut facts = vec![format!("{} read, {share:.1} % understood", plural(c.lines, "line", "lines"))];
        for (count, one, many) in [
            (c.unknown, "not understood", "not understood"),
            (c.bad_time, "without a readable time", "without a readable time"),
            (c.duplicates, "counted once that stands in two files", "counted once that stand in two files"),
        ] {
            if count > 0 {
                facts.push(plural(count, one, many));
            }
        }
        if self.read.unknown.about_logins > 0 {
            facts.push(format!("{} of them may be about logins", number(self.read.unknown.about_logins)));
        }
        let years: Vec<String> =
            c.sources.iter().filter_map(|source| source.inferred_year).map(|year| year.to_string()).collect();
        if !years.is_empty() {
            let mut years = years;
            years.sort();
            years.dedup();
            facts.push(format!("the log names no year: taken as {}", years.join(", ")));
        }
        if self.tally.beyond > 0 {
            facts.push(format!("{} beyond the tables' bounds are in the totals only", number(self.tally.beyond)));
        }
        for line in wrap(&facts.join(" · "), self.screen.width - 2) {
            out += &format!("  {line}\n");
        }
        for gap in c.gaps.iter().take(if self.verbose { usize::MAX } else { 3 }) {
            out += &format!("  {}\n", self.screen.ink(Ink::Warn, &self.clock.gap(gap)));
        }
        let shapes = if self.verbose { 20 } else { 2 };
        for (_, count, sample) in self.read.unknown.shapes.iter().take(shapes) {
            out += &format!(
                "  {}\n",
                self.screen.ink(
                    Ink::Dim,
                    &cut(&format!("unknown, {}x: {}", number(*count), escape(sample)), self.screen.width - 2)
                )
            );
        }
        out
    }

    pub(super) fn next(&self) -> String {
        let mut steps: Vec<String> = Vec::new();
        for finding in self.findings.iter().take(3) {
            for step in finding.next.iter().take(2).chain(finding.avoid.iter().take(1)) {
                if !steps.iter().any(|known| known == step) {
                    steps.push(step.clone().into_owned());
                }
            }
        }
        let worst = ranking::clients(self.tally).into_iter().find(|(_, client)| client.counts.failures() > 0);
        if let Some((ip, _)) = worst {
            let files: Vec<&str> = self.read.coverage.sources.iter().map(|source| source.name.as_str()).collect();
            let files = if files.len() <= 2 { files.join(" ") } else { "FILES".to_owned() };
            steps.push(format!("one client's story: postfix-insights client {} {}", self.mask.ip(*ip), escape(&files)));
        }
        if steps.is_empty() {
            return String::new();
        }
        let mut out = self.heading("NEXT", "");
        for step in steps {
            let lines = wrap(&step, self.screen.width - 4);
            out += &lines
                .iter()
                .enumerate()
                .map(|(n, line)| format!("  {} {line}\n", if n == 0 { "·" } else { " " }))
                .collect::<String>();
        }
        out
    }
}
