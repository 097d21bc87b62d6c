//! `report --json`: CONTRACT's keys, and everything else that was counted.

use diagnose::{
    Attempts, Class, Count, Delays, Few, HandedOn, Reason, Sender, Stage, StatusCode, Table, TlsShare, Totals,
};
use serde_json::{Map, Value, json};

use crate::json;
use crate::mask::Mask;
use crate::report::Report;
use crate::report_page::reject_title;
use crate::report_time::{Hours, Period};
use crate::times::{Clock, rfc3339};

/// The whole report. `limit` bounds the lists.
pub fn report(report: &Report, limit: usize, mask: Mask, clock: &Clock) -> Value {
    let (flow, writer) = (&report.flow, Writer { limit, mask });
    let r = &flow.recipients;
    json!({
        "coverage": json::coverage(&report.read),
        "period": period(report.shown_period()),
        "messages": messages(report),
        "recipients": attempts(&r.last),
        "deferred_then": attempts(&r.deferred_then),
        "withdrawn": { "deleted": r.deleted, "requeued": r.requeued },
        "deliveries": attempts(&flow.deliveries),
        "delivered": {
            "deliveries": flow.delivered(), "recipients": flow.reached(),
        },
        "handed_on": handed_on(&flow.handed_on),
        "to_filters": flow.to_filters,
        "rejects": flow.rejects.iter().map(|(id, row)| ((*id).to_owned(), row.count.into())).collect::<Map<_, _>>(),
        "reject_reasons": writer.rejects(report),
        "actions": flow.actions,
        "delivery_time": writer.delivery_time(report),
        "destinations": writer.destinations(report),
        "reasons": writer.reasons(report),
        "relays": writer.rows(&flow.relays, "relay", attempts),
        "senders": writer.rows(&flow.senders, "sender", sender),
        "sender_domains": writer.rows(&flow.sender_domains, "domain", sender),
        "top_recipients": writer.rows(&flow.addressees, "recipient", |count| json!({"delivered": count})),
        "tls": {"in": tls(&flow.tls_in), "out": tls(&flow.tls_out)},
        "logins": logins(report),
        "hours": hours(report),
        "days": report.days(clock).iter().map(|(day, sums)| json!({"day": day, "counts": totals(sums)})).collect::<Vec<_>>(),
        "levels": flow.levels,
        "warnings": writer.warnings(report),
        "change": change(report),
        "merged": {
            "destinations": flow.destinations.merged(), "relays": flow.relays.merged(), "senders": flow.senders.merged(),
            "sender_domains": flow.sender_domains.merged(), "top_recipients": flow.addressees.merged(),
            "warnings": flow.troubles.merged(), "series_cut": flow.series.cut,
        },
    })
}

fn period(period: Option<Period>) -> Value {
    period.map_or(Value::Null, |(from, until)| json!({"from": rfc3339(from), "to": rfc3339(until)}))
}

fn messages(report: &Report) -> Value {
    let m = &report.flow.messages;
    json!({
        "received": m.received, "removed": m.removed, "expired": m.expired, "in_queue": m.in_queue, "held": m.held,
        "deleted": m.deleted, "requeued": m.requeued, "canceled": m.canceled, "refused": m.refused, "discarded": m.discarded, "never_active": m.never_active, "reinjected": m.reinjected, "forwarded": m.forwarded, "deferred": m.deferred, "bytes_delivered": m.bytes_delivered, "notices": m.notices, "local": m.local,
        "logged_in": m.logged_in, "start_missing": m.start_missing, "end_missing": m.end_missing, "bytes": m.bytes,
    })
}

fn attempts(a: &Attempts) -> Value {
    json!({"sent": a.sent, "deferred": a.deferred, "bounced": a.bounced, "expired": a.expired})
}

fn handed_on(h: &HandedOn) -> Value {
    json!({
        "deliveries": h.deliveries(), "recipients": h.recipients, "filter": h.filter, "hop": h.hop, "forward": h.forward,
    })
}

fn sender(row: &Sender) -> Value {
    json!({"messages": row.messages, "recipients": row.recipients, "bytes": row.bytes})
}

fn totals(totals: &Totals) -> Value {
    Count::ALL.iter().map(|count| (count.name().to_owned(), totals.get(*count).into())).collect::<Map<_, _>>().into()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// To a millisecond; more is not measured.
fn seconds(value: f64) -> Value {
    json!((value * 1_000.0).round() / 1_000.0)
}

/// A share with four digits; null of nothing.
fn share(part: u64, all: u64) -> Value {
    if all == 0 { Value::Null } else { json!((part as f64 / all as f64 * 10_000.0).round() / 10_000.0) }
}

fn delays(delays: &Delays) -> Map<String, Value> {
    let mut row = Map::new();
    row.insert("count".into(), delays.count().into());
    row.insert("mean".into(), seconds(delays.mean()));
    for (name, share) in [("p50", 0.5), ("p95", 0.95), ("p99", 0.99)] {
        row.insert(name.into(), seconds(delays.percentile(share)));
    }
    row.insert("max".into(), seconds(delays.longest()));
    row
}

/// Names of the four parts, in the order of `delays=a/b/c/d`.
const PARTS: [&str; 4] = ["before_queue_manager", "in_queue_manager", "connection_setup", "transmission"];

fn codes(codes: &Few<StatusCode>) -> Value {
    let row = |(code, count): (StatusCode, u64)| {
        let decoded = code.decode();
        let meaning = decoded.detail.unwrap_or(decoded.subject);
        json!({"dsn": code.to_string(), "count": count, "class": decoded.class, "subject": decoded.subject, "meaning": meaning})
    };
    codes.ranked().into_iter().map(row).collect()
}

fn tls(share: &TlsShare) -> Value {
    let counts = |map: &std::collections::BTreeMap<Box<[u8]>, u64>| {
        map.iter().map(|(version, count)| (text(version), (*count).into())).collect::<Map<_, _>>()
    };
    json!({
        "told": share.told(), "by_version": counts(&share.by_version), "clear": share.clear, "local": share.local, "unknown": share.unknown,
        "handshakes": counts(&share.handshakes),
    })
}

fn logins(report: &Report) -> Value {
    let tally = &report.flow.tally;
    let classes = [Class::AuthOk, Class::AuthFailed, Class::BackendFault, Class::AuthRefused, Class::AuthAborted];
    let mut row: Map<String, Value> =
        classes.into_iter().map(|class| (class.name().to_owned(), tally.class(class).into())).collect();
    row.insert("sessions_killed".into(), tally.sessions_killed.into());
    row.insert("causes".into(), json!(tally.causes));
    row.insert("findings".into(), report.findings.len().into());
    row.into()
}

/// 24 rows, or none.
fn hours(report: &Report) -> Vec<Value> {
    let hours = report.hours();
    let column = |count: Count| Hours::column(&hours, count);
    let columns: Vec<(&str, Vec<u64>)> = Count::ALL.iter().map(|count| (count.name(), column(*count))).collect();
    (0..hours.len())
        .map(|hour| {
            let mut row = Map::new();
            row.insert("hour".into(), hour.into());
            for (name, values) in &columns {
                row.insert((*name).to_owned(), values.get(hour).copied().unwrap_or_default().into());
            }
            row.into()
        })
        .collect()
}

fn change(report: &Report) -> Value {
    match &report.change {
        Err(why) => json!({"none": why}),
        Ok(change) => {
            let [now, before] = change.periods;
            json!({
                "now": {"period": period(Some(now)), "counts": totals(&change.now)},
                "before": {"period": period(Some(before)), "counts": totals(&change.before)},
            })
        }
    }
}

/// What lists need.
struct Writer {
    limit: usize,
    mask: Mask,
}

impl Writer {
    fn name(&self, name: &[u8]) -> String {
        self.mask.name(&text(name))
    }

    /// A reply's words; they may quote anybody's address.
    fn sample(&self, words: &[u8]) -> String {
        if self.mask.0 { "[masked]".to_owned() } else { text(words) }
    }

    /// A table of names, heaviest first: the name under `key`, and what `row` makes of the rest.
    fn rows<V: diagnose::Weigh>(&self, table: &Table<V>, key: &str, row: fn(&V) -> Value) -> Vec<Value> {
        let with_name = |(name, value): (&[u8], &V)| {
            let mut object = Map::new();
            object.insert(key.to_owned(), self.name(name).into());
            if let Value::Object(rest) = row(value) {
                object.extend(rest);
            }
            object.into()
        };
        table.heaviest().into_iter().take(self.limit).map(with_name).collect()
    }

    fn delivery_time(&self, report: &Report) -> Value {
        let flow = &report.flow;
        let all = &flow.everywhere;
        let mut row = delays(&all.delays);
        let parts: Map<String, Value> =
            PARTS.iter().zip(&flow.parts).map(|(name, part)| ((*name).to_owned(), delays(part).into())).collect();
        row.insert("parts".into(), parts.into());
        row.insert("sla".into(), self.sla(report, &all.within, all.delays.count()));
        row.into()
    }

    fn sla(&self, report: &Report, within: &[u64], all: u64) -> Value {
        let limits = report.flow.options.sla.iter().zip(within);
        limits
            .map(|(limit, within)| json!({"seconds": limit, "within": within, "share": share(*within, all)}))
            .collect()
    }

    fn destinations(&self, report: &Report) -> Vec<Value> {
        let row = |(domain, row): (&[u8], &diagnose::Destination)| {
            let mut object = Map::new();
            object.insert("domain".into(), self.name(domain).into());
            if let Value::Object(counts) = attempts(&row.attempts) {
                object.extend(counts);
            }
            let mut delays = delays(&row.delays);
            let parts: Map<String, Value> =
                PARTS.iter().zip(row.mean_parts()).map(|(name, mean)| ((*name).to_owned(), seconds(mean))).collect();
            delays.insert("mean_parts".into(), parts.into());
            delays.insert("sla".into(), self.sla(report, &row.within, row.delays.count()));
            object.insert("delivery_time".into(), delays.into());
            object.insert("codes".into(), codes(&row.codes));
            let reasons = row.reasons.ranked().into_iter().map(|(id, count)| (id.to_owned(), count.into()));
            object.insert("reasons".into(), reasons.collect::<Map<_, _>>().into());
            object.into()
        };
        report.flow.destinations.heaviest().into_iter().take(self.limit).map(row).collect()
    }

    fn reasons(&self, report: &Report) -> Vec<Value> {
        let mut rows: Vec<_> = report.flow.reasons.values().collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.attempts.all()));
        rows.into_iter()
            .take(self.limit)
            .map(|row| {
                let reason: &Reason = row.reason;
                json!({
                    "reason": reason.id, "title": reason.title, "meaning": reason.meaning, "side": reason.side.name(),
                    "deferred": row.attempts.deferred, "bounced": row.attempts.bounced, "expired": row.attempts.expired,
                    "codes": codes(&row.codes), "destinations": self.rows(&row.destinations, "domain", |count| json!({"count": count})),
                    "sample": self.sample(&row.sample), "next": reason.next,
                })
            })
            .collect()
    }

    fn rejects(&self, report: &Report) -> Vec<Value> {
        let mut rows: Vec<_> = report.flow.rejects.iter().collect();
        rows.sort_by_key(|(_, row)| std::cmp::Reverse(row.count));
        rows.into_iter()
            .take(self.limit)
            .map(|(id, row)| {
                let stages = row.stages.ranked().into_iter();
                let stages: Map<String, Value> =
                    stages.map(|(stage, count): (Stage, u64)| (stage.name().to_owned(), count.into())).collect();
                json!({"reason": id, "title": reject_title(id), "count": row.count, "stages": stages, "sample": self.sample(&row.sample)})
            })
            .collect()
    }

    fn warnings(&self, report: &Report) -> Vec<Value> {
        let rows = report.flow.troubles.heaviest().into_iter().take(self.limit);
        rows.map(|(shape, row)| {
            json!({
                "shape": self.sample(shape), "level": row.level, "count": row.count, "first": rfc3339(row.first),
                "last": rfc3339(row.last), "sample": self.sample(&row.sample),
            })
        })
        .collect()
    }
}
