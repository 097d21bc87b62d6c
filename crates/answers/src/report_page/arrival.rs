//! How it fared: destinations, why mail was put off, returned or refused, and TLS.

use diagnose::{Attempts, Count, Destination, Reason, TlsShare};

use super::Pager;
use super::block::{Block, Cell, Grid, Section, count, empty, extra, figures, plain, words};
use super::units::{seconds, share};
use crate::screen::{Ink, number, plural, shown};

/// Attempts that were not sent, beside all, above which a destination stands out.
const NOTABLE_SHARE: f64 = 0.2;
/// Fewer attempts than this show nothing.
const NOTABLE_ATTEMPTS: u64 = 10;

impl Pager<'_> {
    /// What a person should look at first.
    pub(super) fn notable(&self) -> Section {
        let flow = &self.report.flow;
        let mut lines: Vec<Cell> = Vec::new();
        for (domain, row) in flow.destinations.heaviest().into_iter().filter(|(_, row)| is_notable(row)).take(5) {
            let why = row.reasons.ranked().into_iter().find(|(id, _)| *id != "greylisted");
            let why = why.and_then(|(id, n)| Some((Reason::by_id(id)?, n)));
            let why = why.map_or_else(String::new, |(reason, n)| format!("; {} times: {}", number(n), reason.title));
            lines.push(Cell {
                text: format!(
                    "{}: {} of {} attempts failed{why}",
                    self.name(domain),
                    number(failed(row)),
                    number(row.attempts.all())
                ),
                ink: Ink::Bad,
            });
        }
        let died: u64 = ["fatal", "panic"].iter().filter_map(|level| flow.levels.get(level)).sum();
        if died > 0 {
            lines.push(Cell {
                text: format!("{} of Postfix died with an error: see WARNINGS", plural(died, "process", "processes")),
                ink: Ink::Bad,
            });
        }
        if let Ok(change) = &self.report.change {
            for (count, what) in [
                (Count::Bounced, "returned mail"),
                (Count::Deferred, "deferrals"),
                (Count::Rejected, "refusals"),
                (Count::AuthFailed, "failed logins"),
            ] {
                if change.has_doubled(count) {
                    let (before, now) = (change.before.get(count), change.now.get(count));
                    let text = format!("more {what} than before: {} after {}", number(now), number(before));
                    lines.push(Cell { text, ink: Ink::Warn });
                }
            }
        }
        let blocks = if lines.is_empty() { Vec::new() } else { vec![Block::Lines(lines)] };
        Section { title: "STANDS OUT", note: String::new(), blocks }
    }

    pub(super) fn destinations(&self) -> Section {
        let table = &self.report.flow.destinations;
        let rows = table
            .heaviest()
            .into_iter()
            .take(self.limit)
            .map(|(domain, row)| {
                let a = &row.attempts;
                let ink = if is_notable(row) { Ink::Bad } else { Ink::Plain };
                let mut cells = vec![Cell { text: self.name(domain), ink }, count(a.sent), count(a.deferred)];
                cells.extend([count(a.bounced), count(a.expired)]);
                cells.extend([0.5, 0.95, 0.99].map(|share| plain(seconds(row.delays.percentile(share)))));
                cells.extend(row.mean_parts().map(|part| plain(seconds(part))));
                cells.push(plain(within(row)));
                cells.push(Cell { text: codes(row), ink });
                cells
            })
            .collect();
        let columns = vec![
            words("domain"),
            figures("sent"),
            figures("put off"),
            figures("returned"),
            extra("given up"),
            figures("p50"),
            figures("p95"),
            extra("p99"),
            extra("before"),
            extra("queue"),
            extra("connect"),
            extra("transfer"),
            extra("in time"),
            words("codes"),
        ];
        self.table("DESTINATIONS", table, columns, rows)
    }

    pub(super) fn reasons(&self) -> Section {
        let mut reasons: Vec<_> = self.report.flow.reasons.values().collect();
        reasons.sort_by_key(|row| std::cmp::Reverse(row.attempts.all()));
        if reasons.is_empty() {
            return empty("WHY NOT DELIVERED");
        }
        let rows = reasons
            .iter()
            .take(self.limit)
            .map(|row| {
                let to: Vec<String> = row.destinations.heaviest().iter().take(2).map(|(d, _)| self.name(d)).collect();
                vec![
                    plain(row.reason.title),
                    count(row.attempts.deferred),
                    count(row.attempts.bounced + row.attempts.expired),
                    plain(to.join(", ")),
                ]
            })
            .collect();
        let columns = vec![words("reason"), figures("put off"), figures("returned"), words("mostly to")];
        let grid = Grid { columns, rows, more: reasons.len().saturating_sub(self.limit) };
        let mut advice: Vec<Cell> = Vec::new();
        for row in reasons.iter().take(3) {
            let next = row.reason.next.first().copied().unwrap_or_default();
            advice.push(plain(format!("{}: {next}", row.reason.title)));
            advice.push(Cell { text: format!("e.g. {}", self.sample(&row.sample)), ink: Ink::Dim });
        }
        Section {
            title: "WHY NOT DELIVERED",
            note: "by attempt".to_owned(),
            blocks: vec![Block::Grid(grid), Block::Lines(advice)],
        }
    }

    pub(super) fn rejects(&self) -> Section {
        let mut rejects: Vec<_> = self.report.flow.rejects.iter().collect();
        rejects.sort_by_key(|(_, row)| std::cmp::Reverse(row.count));
        if rejects.is_empty() {
            return empty("REFUSED AT THE DOOR");
        }
        let rows = rejects
            .iter()
            .take(self.limit)
            .map(|(id, row)| vec![plain(reject_title(id)), count(row.count), plain(self.sample(&row.sample))])
            .collect();
        let columns = vec![words("why"), figures("count"), words("for example")];
        let mut blocks = vec![Block::Grid(Grid { columns, rows, more: rejects.len().saturating_sub(self.limit) })];
        let actions: Vec<String> =
            self.report.flow.actions.iter().map(|(name, n)| format!("{name} {}", number(*n))).collect();
        if !actions.is_empty() {
            blocks.push(Block::Lines(vec![plain(format!("other decisions of rules: {}", actions.join(", ")))]));
        }
        Section { title: "REFUSED AT THE DOOR", note: "rejects by reason".to_owned(), blocks }
    }

    pub(super) fn tls(&self) -> Section {
        let flow = &self.report.flow;
        let line = |what: &str, share: &TlsShare, how: &str| {
            let all: u64 = share.by_version.values().sum::<u64>() + share.clear;
            if !share.told() {
                return Cell { text: format!("{what}: the log does not tell ({how} = 1 makes it)"), ink: Ink::Dim };
            }
            let versions: Vec<String> = share
                .by_version
                .iter()
                .map(|(version, count)| format!("{} {}", shown(version), self::share(*count, all)))
                .chain([format!("in the clear {}", self::share(share.clear, all))])
                .collect();
            let local = Some(share.local).filter(|local| *local > 0);
            let local = local.map(|local| format!(" (and {} within this host)", number(local))).unwrap_or_default();
            plain(format!("{what}: {} of {}{local}", versions.join(", "), number(all)))
        };
        let lines = vec![
            line("messages in", &flow.tls_in, "smtpd_tls_loglevel"),
            line("deliveries out", &flow.tls_out, "smtp_tls_loglevel"),
        ];
        Section { title: "TLS", note: String::new(), blocks: vec![Block::Lines(lines)] }
    }
}

fn is_notable(row: &Destination) -> bool {
    let all = row.attempts.all();
    all >= NOTABLE_ATTEMPTS && failed(row) as f64 / all as f64 >= NOTABLE_SHARE
}

/// Attempts that were not sent. Greylisting is no failure: it is how that receiver greets strangers.
fn failed(row: &Destination) -> u64 {
    let greylisted = row.reasons.ranked().iter().find(|(id, _)| *id == "greylisted").map_or(0, |(_, count)| *count);
    let Attempts { sent, .. } = row.attempts;
    row.attempts.all().saturating_sub(sent + greylisted)
}

/// Share of deliveries within the first limit.
fn within(row: &Destination) -> String {
    row.within.first().map_or_else(|| "-".to_owned(), |within| share(*within, row.delays.count()))
}

/// `4.4.1 40, 5.1.1 3`.
fn codes(row: &Destination) -> String {
    let codes = row.codes.ranked();
    codes.iter().take(3).map(|(code, n)| format!("{code} {}", number(*n))).collect::<Vec<_>>().join(", ")
}

/// The title of a reject's reason; classes have none in the reason table.
pub fn reject_title(id: &str) -> &'static str {
    match id {
        "postscreen" => "Turned away by postscreen",
        "milter" => "Refused by a milter",
        "not_logged_in" => "Not logged in on a port for mail users",
        id => Reason::by_id(id).map_or("Refused", |reason| reason.at_our_door().title),
    }
}
