//! What the report says, in order: sections of facts, tables and charts. How they look is the business of `report_text` and
//! `report_html`.
//!
//! Input: what [`diagnose::Flow`] counted. Output: [`Section`]s. Log text is made harmless here, by [`shown`], and masked.

use diagnose::{Attempts, Class, Count, Destination, Reason, Table, TlsShare, Totals};

use crate::mask::Mask;
use crate::report::Report;
use crate::report_time::{Change, Hours};
use crate::screen::{Ink, escape, number, plural, shown};
use crate::times::{Clock, duration};

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

const fn words(name: &'static str) -> Column {
    Column { name, figures: false, extra: false }
}

const fn figures(name: &'static str) -> Column {
    Column { name, figures: true, extra: false }
}

const fn extra(name: &'static str) -> Column {
    Column { name, figures: true, extra: true }
}

fn plain(text: impl Into<String>) -> Cell {
    Cell { text: text.into(), ink: Ink::Plain }
}

fn count(value: u64) -> Cell {
    Cell { text: number(value), ink: if value == 0 { Ink::Dim } else { Ink::Plain } }
}

/// Attempts that were not sent, beside all, above which a destination stands out.
const NOTABLE_SHARE: f64 = 0.2;
/// Fewer attempts than this show nothing.
const NOTABLE_ATTEMPTS: u64 = 10;

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

    fn mail(&self) -> Section {
        let flow = &self.report.flow;
        let (m, r) = (&flow.messages, &flow.recipients);
        let change = |count: Count| self.report.change.as_ref().map(|c| c.of(count)).unwrap_or_default();
        let fact = |value: u64, name: &'static str, change: String, ink: Ink| Fact {
            value: number(value),
            name,
            change,
            ink: if value == 0 { Ink::Dim } else { ink },
        };
        let facts = vec![
            fact(m.received, "messages received", change(Count::Received), Ink::Plain),
            fact(flow.deliveries.sent, "deliveries", change(Count::Sent), Ink::Good),
            fact(flow.deliveries.deferred, "put off (tries)", change(Count::Deferred), Ink::Warn),
            fact(flow.deliveries.bounced, "returned", change(Count::Bounced), Ink::Bad),
            fact(m.expired, "given up after days", change(Count::Expired), Ink::Bad),
            fact(flow.totals.get(Count::Rejected), "refused at the door", change(Count::Rejected), Ink::Plain),
            fact(m.in_queue, "still in the queue", String::new(), Ink::Warn),
        ];
        let mut lines = vec![plain(format!(
            "{} received: {} from logins, {} local, {} notices of our own, {} copies from filters",
            size(m.bytes),
            number(m.logged_in),
            number(m.local),
            number(m.notices),
            number(m.reinjected)
        ))];
        let all = r.last.all();
        if all > 0 {
            lines.push(plain(format!(
                "{}: {} reached, {} waiting, {} returned, {} given up",
                plural(all, "recipient", "recipients"),
                share(r.last.sent, all),
                number(r.last.deferred),
                number(r.last.bounced),
                number(r.last.expired)
            )));
        }
        let then = &r.deferred_then;
        if then.all() > 0 {
            lines.push(plain(format!(
                "{} at least once put off: then {} delivered, {} returned, {} given up, {} still waiting",
                plural(then.all(), "recipient", "recipients"),
                number(then.sent),
                number(then.bounced),
                number(then.expired),
                number(then.deferred)
            )));
        }
        for (value, what) in [
            (m.held, "on hold"),
            (m.deleted, "deleted by an administrator"),
            (m.canceled, "given up by the client before they were queued"),
            (m.start_missing, "whose beginning is not in the log"),
            (m.end_missing, "whose end is not in the log"),
        ] {
            if value > 0 {
                lines.push(Cell { text: format!("{} {what}", plural(value, "message", "messages")), ink: Ink::Dim });
            }
        }
        let note = match &self.report.change {
            Ok(change) => format!("changes against {}", change.label),
            Err(why) => why.clone(),
        };
        Section { title: "MAIL", note, blocks: vec![Block::Facts(facts), Block::Lines(lines)] }
    }

    /// What a person should look at first.
    fn notable(&self) -> Section {
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

    fn times(&self) -> Section {
        let flow = &self.report.flow;
        let all = &flow.everywhere;
        let delays = &all.delays;
        if delays.count() == 0 {
            return empty("DELIVERY TIME");
        }
        let mut lines = vec![plain(format!(
            "half within {}, 95 % within {}, 99 % within {}; longest {}",
            seconds(delays.percentile(0.5)),
            seconds(delays.percentile(0.95)),
            seconds(delays.percentile(0.99)),
            seconds(delays.longest())
        ))];
        for (limit, within) in flow.options.sla.iter().zip(&all.within) {
            let met = *within as f64 / delays.count() as f64;
            let ink = if met >= 0.95 { Ink::Good } else { Ink::Warn };
            lines.push(Cell {
                text: format!("{} of deliveries within {}", share(*within, delays.count()), seconds(*limit)),
                ink,
            });
        }
        let names = ["before the queue manager", "in the queue manager", "connection set-up", "transmission"];
        let rows = names
            .iter()
            .zip(&flow.parts)
            .map(|(name, part)| {
                let mut row = vec![plain(*name), plain(seconds(part.mean()))];
                row.extend([0.5, 0.95, 0.99].map(|share| plain(seconds(part.percentile(share)))));
                row
            })
            .collect();
        let columns =
            vec![words("where the time went"), figures("mean"), figures("p50"), figures("p95"), figures("p99")];
        let grid = Grid { columns, rows, more: 0 };
        Section { title: "DELIVERY TIME", note: String::new(), blocks: vec![Block::Lines(lines), Block::Grid(grid)] }
    }

    fn destinations(&self) -> Section {
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

    fn reasons(&self) -> Section {
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

    fn rejects(&self) -> Section {
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

    fn tls(&self) -> Section {
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
            plain(format!("{what}: {} of {}", versions.join(", "), number(all)))
        };
        let lines = vec![
            line("messages in", &flow.tls_in, "smtpd_tls_loglevel"),
            line("deliveries out", &flow.tls_out, "smtp_tls_loglevel"),
        ];
        Section { title: "TLS", note: String::new(), blocks: vec![Block::Lines(lines)] }
    }

    fn logins(&self) -> Section {
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

    fn by_time(&self) -> Section {
        let hours = self.report.hours();
        let days = self.report.days(self.clock);
        let mut blocks = Vec::new();
        let counts = [Count::Received, Count::Sent, Count::Deferred, Count::Bounced, Count::Rejected];
        if !hours.is_empty() {
            let labels = (0..24).map(|hour| format!("{hour:02}")).collect();
            let series = counts.map(|count| (chart_name(count), Hours::column(&hours, count))).to_vec();
            blocks.push(Block::Chart(Chart { title: "by hour of the day".to_owned(), labels, series }));
        }
        if days.len() > 1 {
            let labels = days.iter().map(|(day, _)| day.clone()).collect();
            let column = |count: Count| days.iter().map(|(_, totals)| totals.get(count)).collect();
            let series = counts.map(|count| (chart_name(count), column(count))).to_vec();
            blocks.push(Block::Chart(Chart { title: "by day".to_owned(), labels, series }));
        }
        Section { title: "WHEN", note: String::new(), blocks }
    }

    fn names(&self) -> Section {
        let flow = &self.report.flow;
        let mut blocks = Vec::new();
        let mut sender = |title: &'static str, table: &Table<diagnose::Sender>| {
            let rows = table.heaviest().into_iter().take(self.limit).map(|(name, row)| {
                let name = if name.is_empty() { "<> (notices)".to_owned() } else { self.name(name) };
                vec![plain(name), count(row.messages), count(row.recipients), plain(size(row.bytes))]
            });
            let columns = vec![words(title), figures("messages"), figures("recipients"), figures("size")];
            let rows: Vec<_> = rows.collect();
            if !rows.is_empty() {
                blocks.push(Block::Grid(Grid { columns, rows, more: table.len().saturating_sub(self.limit) }));
            }
        };
        sender("sender", &flow.senders);
        sender("sender domain", &flow.sender_domains);
        if !flow.addressees.is_empty() {
            let rows = flow.addressees.heaviest().into_iter().take(self.limit);
            let rows = rows.map(|(name, n)| vec![plain(self.name(name)), count(*n)]).collect();
            let columns = vec![words("recipient"), figures("delivered")];
            let more = flow.addressees.len().saturating_sub(self.limit);
            blocks.push(Block::Grid(Grid { columns, rows, more }));
        }
        if !flow.relays.is_empty() {
            let rows = flow.relays.heaviest().into_iter().take(self.limit).map(|(name, a)| {
                vec![plain(relay(name)), count(a.sent), count(a.deferred), count(a.bounced + a.expired)]
            });
            let rows = rows.collect();
            let columns = vec![words("next hop"), figures("sent"), figures("put off"), figures("returned")];
            blocks.push(Block::Grid(Grid { columns, rows, more: flow.relays.len().saturating_sub(self.limit) }));
        }
        Section { title: "MOST MAIL", note: String::new(), blocks }
    }

    fn troubles(&self) -> Section {
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

    fn covers(&self) -> Section {
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

fn empty(title: &'static str) -> Section {
    Section { title, note: String::new(), blocks: Vec::new() }
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

/// The next hop's name; `none` is Postfix's word where none was reached.
fn relay(name: &[u8]) -> String {
    if name == b"none" { "(none was reached)".to_owned() } else { shown(name) }
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

fn chart_name(count: Count) -> &'static str {
    match count {
        Count::Received => "received",
        Count::Sent => "delivered",
        Count::Deferred => "put off",
        Count::Bounced => "returned",
        Count::Rejected => "refused",
        other => other.name(),
    }
}

/// `98.2 %`; honest at both ends: only all is 100 %, only none is 0 %.
pub fn share(part: u64, all: u64) -> String {
    if all == 0 {
        return "-".to_owned();
    }
    let percent = part as f64 * 100.0 / all as f64;
    match percent {
        p if part < all && p > 99.9 => "> 99.9 %".to_owned(),
        p if part > 0 && p < 0.1 => "< 0.1 %".to_owned(),
        p => format!("{p:.1} %"),
    }
}

/// `0.05 s`, `12 s`, `3.5 h`.
pub fn seconds(seconds: f64) -> String {
    match seconds {
        s if s < 0.005 => "0 s".to_owned(),
        s if s < 10.0 => format!("{s:.2} s"),
        s => duration((s * 1e6) as i64),
    }
}

/// `1.2 GB`.
pub fn size(bytes: u64) -> String {
    let value = bytes as f64;
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", value / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", value / 1e6),
        _ => format!("{:.1} GB", value / 1e9),
    }
}

/// What a total is now and was before, for the page.
impl Change {
    /// `+12 %`, `-3 %`, `new`, or nothing where neither was any.
    pub fn of(&self, count: Count) -> String {
        let (before, now) = (self.before.get(count), self.now.get(count));
        match (before, now) {
            (0, 0) => String::new(),
            (0, _) => "new".to_owned(),
            (before, now) => format!("{:+.0} %", (now as f64 - before as f64) * 100.0 / before as f64),
        }
    }

    /// Whether there was twice as much, and enough to mean something.
    fn has_doubled(&self, count: Count) -> bool {
        let of = |totals: &Totals| totals.get(count);
        of(&self.now) >= 20 && of(&self.now) >= of(&self.before) * 2
    }
}
