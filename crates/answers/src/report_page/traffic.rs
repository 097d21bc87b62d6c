//! How much mail there was, when, and from and to whom.

use diagnose::{Count, HandedOn, Table, Totals};

use super::Pager;
use super::block::{Block, Cell, Chart, Fact, Grid, Section, count, empty, figures, plain, words};
use super::units::{seconds, share, size};
use crate::screen::{Ink, number, plural, shown};

impl Pager<'_> {
    pub(super) fn mail(&self) -> Section {
        let flow = &self.report.flow;
        let (m, r) = (&flow.messages, &flow.recipients);
        let change = |count: Count| self.report.change.as_ref().map(|c| c.of(count)).unwrap_or_default();
        let delivered = self.report.change.as_ref().map(|c| c.of_value(Totals::delivered)).unwrap_or_default();
        let fact = |value: u64, name: &'static str, change: String, ink: Ink| Fact {
            value: number(value),
            name,
            change,
            ink: if value == 0 { Ink::Dim } else { ink },
        };
        let facts = vec![
            fact(m.received, "messages received", change(Count::Received), Ink::Plain),
            fact(flow.delivered(), "deliveries", delivered, Ink::Good),
            fact(flow.deliveries.deferred, "put off (tries)", change(Count::Deferred), Ink::Warn),
            fact(flow.deliveries.bounced, "returned", change(Count::Bounced), Ink::Bad),
            fact(m.expired, "given up after days", change(Count::Expired), Ink::Bad),
            fact(flow.totals.get(Count::Rejected), "refused at the door", change(Count::Rejected), Ink::Plain),
            fact(m.in_queue, "still in the queue", String::new(), Ink::Warn),
        ];
        let mut lines = vec![plain(format!(
            "{} received: {} from logins, {} local, {} notices of our own, {} back from filters or put in again",
            size(m.bytes),
            number(m.logged_in),
            number(m.local),
            number(m.notices),
            number(m.reinjected)
        ))];
        lines.extend(handed_on(&flow.handed_on));
        let all = r.last.all().saturating_sub(flow.handed_on.recipients + r.requeued);
        if all > 0 {
            lines.push(plain(format!(
                "{}: {} reached, {} waiting, {} returned, {} given up",
                plural(all, "recipient", "recipients"),
                share(flow.reached(), all),
                number(r.waiting()),
                number(r.last.bounced),
                number(r.last.expired)
            )));
            if r.deleted > 0 {
                let deleted = plural(r.deleted, "recipient", "recipients");
                lines.push(plain(format!("{deleted} of mail that an administrator deleted while it was put off")));
            }
        }
        let then = &r.deferred_then;
        if then.all() > 0 {
            lines.push(plain(format!(
                "{} at least once put off: then {} delivered, {} returned, {} given up, {} still waiting",
                plural(then.all(), "recipient", "recipients"),
                number(then.sent),
                number(then.bounced),
                number(then.expired),
                number(r.waiting())
            )));
        }
        for (value, what) in [
            (m.held, "on hold"),
            (m.deleted, "deleted by an administrator"),
            (m.refused, "refused whole before they were queued (by a milter, a check or a limit)"),
            (m.discarded, "thrown away by a rule before they were queued"),
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

    pub(super) fn times(&self) -> Section {
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

    pub(super) fn by_time(&self) -> Section {
        let hours = self.report.hours();
        let days = self.report.days(self.clock);
        let mut blocks = Vec::new();
        let counts = [Count::Received, Count::Sent, Count::Deferred, Count::Bounced, Count::Rejected];
        if !hours.is_empty() {
            let labels = (0..24).map(|hour| format!("{hour:02}")).collect();
            let series = counts.map(|count| (chart_name(count), column(&mut hours.iter(), count))).to_vec();
            blocks.push(Block::Chart(Chart { title: "by hour of the day".to_owned(), labels, series }));
        }
        if days.len() > 1 {
            let labels = days.iter().map(|(day, _)| day.clone()).collect();
            let series = counts.map(|count| (chart_name(count), column(&mut days.iter().map(|(_, sum)| sum), count)));
            let series = series.to_vec();
            blocks.push(Block::Chart(Chart { title: "by day".to_owned(), labels, series }));
        }
        Section { title: "WHEN", note: String::new(), blocks }
    }

    pub(super) fn names(&self) -> Section {
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
}

/// What said `sent` and is not counted as delivered, where there is any.
fn handed_on(h: &HandedOn) -> Option<Cell> {
    let kinds = [(h.filter, "to filters"), (h.hop, "to other hosts of ours"), (h.forward, "by aliases")];
    let told: Vec<String> =
        kinds.iter().filter(|(n, _)| *n > 0).map(|(n, how)| format!("{} {how}", number(*n))).collect();
    let text = format!("handed on, and no deliveries: {} (other queue files here tell the rest)", told.join(", "));
    (!told.is_empty()).then(|| plain(text))
}

/// What a chart shows of each hour or day: of what was sent, what was delivered in the end.
fn column(sums: &mut dyn Iterator<Item = &Totals>, count: Count) -> Vec<u64> {
    sums.map(|sum| if count == Count::Sent { sum.delivered() } else { sum.get(count) }).collect()
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

/// The next hop's name; `none` is Postfix's word where none was reached.
fn relay(name: &[u8]) -> String {
    if name == b"none" { "(none was reached)".to_owned() } else { shown(name) }
}
