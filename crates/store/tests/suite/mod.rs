//! What every store must answer: compared, question by question, with loops over a list that cannot be wrong.
//!
//! `conforms` takes a way to make a store out of entries and panics where an answer differs. Entries of one source come in
//! the order of its lines; their times need not be in order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::civil::Date;
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, ToSpan as _};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use query::{Entry, FIELDS, Field, Present, Query, field, fold};
use store::{
    Answer, Bucket, Cursor, Distinct, Histogram, HistogramAsked, Order, Page, Place, Question, Row, RowsAsked, Store,
    StoreError, Top, TopAsked, TopValue, Width,
};

const SECOND: i64 = 1_000_000;
const HOUR: i64 = 3_600 * SECOND;
const NOON: i64 = 1_781_697_600 * SECOND;

/// Queries of every kind of field and operator; relative times are from `NOON`.
const QUERIES: [&str; 19] = [
    "",
    "failed",
    "\"login fail*\" -user:bob",
    "user:bob OR user:*@example.org",
    "client:192.0.2.0/24 class:(auth_failed OR auth_ok)",
    "client:?",
    "-client:2001:db8::/32 code:5xx",
    "code:>=535 OR (delay:0.5..2 AND NOT user:*)",
    "since:2h until:1h",
    "on:today mech:plain",
    "qid:A1 OR qid:a1",
    "source:a line:2..4",
    "truncated:no pid:1",
    "nosuchword",
    "ts:? OR text:?",
    "*fail* reason:\"\"",
    "since:2026-06-01 until:2026-06-30 (failed OR ts:?)",
    "-on:today",
    "on:2026-06-16 OR on:2026-06-18 OR user:bob",
];

/// Runs the suite. `make` builds a store that holds exactly these entries.
pub(crate) fn conforms<S: Store>(make: impl Fn(&[Entry]) -> S) {
    let config = Config { cases: 128, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new(config);
    let given = (vec(entry(), 0..24), prop::sample::select(QUERIES.to_vec()), questions());
    runner
        .run(&given, |(entries, text, questions)| {
            let entries = numbered(entries);
            let query = parse(text);
            let answers = make(&entries).ask(&query, &questions).unwrap();
            prop_assert_eq!(answers.len(), questions.len());
            for (question, answer) in questions.iter().zip(answers) {
                prop_assert_eq!(&answer, &model::answer(&entries, &query, question), "{} {:?}", text, question);
            }
            Ok(())
        })
        .unwrap_or_else(|failure| panic!("{failure}"));
    pages_join(&make);
    bounds_are_kept(&make);
}

fn parse(text: &str) -> Query {
    let present = Present { zone: jiff::tz::TimeZone::UTC, now: jiff::Timestamp::from_microsecond(NOON).unwrap() };
    Query::parse(text, &present).unwrap()
}

/// Lines get their number by their place in their source.
fn numbered(mut entries: Vec<Entry>) -> Vec<Entry> {
    let mut lines: BTreeMap<String, i64> = BTreeMap::new();
    for entry in &mut entries {
        let line = lines.entry(entry.source.clone().unwrap()).or_default();
        *line += 1;
        entry.line = Some(*line);
    }
    entries
}

fn some(values: &[&'static str]) -> impl Strategy<Value = Option<String>> + use<> {
    prop::option::of(prop::sample::select(values.to_vec()).prop_map(str::to_owned))
}

fn entry() -> impl Strategy<Value = Entry> {
    let ts =
        prop::option::weighted(0.9, (-5_i64 * HOUR..HOUR).prop_map(|ago| NOON + ago / (600 * SECOND) * 600 * SECOND));
    (
        (ts, prop::sample::select(vec!["a", "b.log", "ä"]), prop::option::of(2_i64..4)),
        some(&["bob", "BOB", "Bob", "alice@example.org", "=1+1"]),
        some(&["192.0.2.1", "192.0.2.77", "2001:db8::1"]),
        some(&["auth_failed", "auth_ok", "sent"]),
        some(&["PLAIN", "plain", "LOGIN"]),
        some(&["A1", "a1", "B2"]),
        some(&["SASL LOGIN failed", "login failed: bob", "relogin fails", ""]),
        (prop::option::of(prop::sample::select(vec![250_i64, 535, 550])), prop::option::of(0_u8..8), 0_i64..3),
    )
        .prop_map(
            |((ts, source, repeat), username, client_ip, class, mechanism, queue_id, text, (code, delay, pid))| Entry {
                ts,
                source: Some(source.to_owned()),
                repeat,
                username,
                client_ip,
                class,
                mechanism,
                queue_id,
                reason: (pid == 0).then(String::new),
                text,
                code,
                delay: delay.map(|delay| f64::from(delay) / 2.0),
                pid: Some(pid),
                truncated: (pid == 2).then_some(true),
                ..Entry::default()
            },
        )
}

fn any_field() -> impl Strategy<Value = &'static Field> {
    let names = [
        "username",
        "client_ip",
        "class",
        "mechanism",
        "queue_id",
        "text",
        "code",
        "delay",
        "ts",
        "truncated",
        "tls_version",
    ];
    prop::sample::select(names.to_vec()).prop_map(|name| field(name).unwrap())
}

/// Zones of every kind: the last one's clocks go forward on the day that entries stand in.
fn zones() -> Vec<TimeZone> {
    let east = |minutes: i32| TimeZone::fixed(Offset::from_seconds(minutes * 60).unwrap());
    let changed = TimeZone::posix("XXX-1YYY,J168/12:30,J300").unwrap();
    vec![TimeZone::UTC, east(120), east(-30), changed]
}

fn questions() -> impl Strategy<Value = Vec<Question>> {
    let order = prop::sample::select(vec![Order::Newest, Order::Oldest]);
    let place = (prop::option::of(-5_i64..1), prop::sample::select(vec!["a", "b.log"]), 0_i64..6).prop_map(
        |(hours, source, line)| {
            Cursor(Place { ts: hours.map(|hours| NOON + hours * HOUR), source: source.to_owned(), line })
        },
    );
    let rows = (order, 0_usize..8, prop::option::of(place), 0_usize..3)
        .prop_map(|(order, limit, after, context)| Question::Rows(RowsAsked { order, limit, after, context }));
    let width = prop_oneof![
        (1_usize..40).prop_map(Width::Auto),
        prop::sample::select(vec![600, 3_600, 86_400, 604_800, 1_000]).prop_map(|width| Width::Fixed(width * SECOND)),
    ];
    let histogram = (width, prop::sample::select(zones()), prop::option::of(any_field()))
        .prop_map(|(width, zone, by)| Question::Histogram(HistogramAsked { width, zone, by }));
    let top = (any_field(), prop::option::of(any_field()), 0_usize..4)
        .prop_map(|(field, distinct, limit)| Question::Top(TopAsked { field, distinct, limit }));
    vec(prop_oneof![rows, Just(Question::Count), histogram, top, any_field().prop_map(Question::Distinct)], 1..4)
}

/// All pages together are all rows, each once, and the last says that nothing follows.
fn pages_join<S: Store>(make: &impl Fn(&[Entry]) -> S) {
    let entries: Vec<Entry> = (0..25)
        .map(|number| Entry {
            ts: (number % 7 != 0).then_some(NOON + number % 5),
            source: Some("a".to_owned()),
            line: Some(number + 1),
            ..Entry::default()
        })
        .collect();
    let store = make(&entries);
    for order in [Order::Newest, Order::Oldest] {
        for limit in [1, 4, 5, 24, 25, 26] {
            let (mut rows, mut after) = (Vec::new(), None);
            loop {
                let asked = RowsAsked { order, limit, after, context: 0 };
                let Answer::Rows(page) = store.ask(&Query::all(), &[Question::Rows(asked)]).unwrap().remove(0) else {
                    panic!("an answer to another question");
                };
                assert_eq!(page.rows.len(), limit.min(25 - rows.len()), "{order:?} {limit}");
                rows.extend(page.rows.into_iter().map(|row| Place::of(&row.entry)));
                match page.next {
                    Some(next) => after = Some(next.to_string().parse().unwrap()),
                    None => break,
                }
            }
            let mut expected: Vec<Place> = entries.iter().map(Place::of).collect();
            expected.sort();
            if order == Order::Newest {
                expected.reverse();
            }
            assert_eq!(rows, expected, "{order:?} {limit}");
        }
    }
}

fn bounds_are_kept<S: Store>(make: &impl Fn(&[Entry]) -> S) {
    let store = make(&[]);
    let rows = |limit, context| Question::Rows(RowsAsked { order: Order::Newest, limit, after: None, context });
    let histogram = |width| Question::Histogram(HistogramAsked { width, zone: TimeZone::UTC, by: None });
    let ask = |question| store.ask(&Query::all(), &[question]);
    assert!(matches!(ask(rows(store::ROWS_MAX + 1, 0)), Err(StoreError::TooManyRows)));
    assert!(matches!(ask(rows(1_000, 50)), Err(StoreError::TooManyRows)));
    assert!(matches!(ask(rows(1, usize::MAX)), Err(StoreError::TooManyRows)));
    assert!(matches!(ask(histogram(Width::Fixed(0))), Err(StoreError::Width)));
    assert!(matches!(ask(histogram(Width::Auto(store::AUTO_BUCKETS_MAX + 1))), Err(StoreError::Width)));
    assert_eq!(ask(rows(store::ROWS_MAX, 0)).unwrap(), [Answer::Rows(Page::default())]);
    assert_eq!(ask(histogram(Width::Auto(60))).unwrap(), [Answer::Histogram(Histogram::default())]);
    assert_eq!(store.ask(&Query::all(), &[]).unwrap(), []);
    assert!(FIELDS.iter().all(|field| {
        let top = Question::Top(TopAsked { field, distinct: Some(field), limit: 0 });
        ask(top).unwrap() == [Answer::Top(Top::default())]
    }));
}

/// The slow answers.
mod model {
    use super::*;

    pub(super) fn answer(entries: &[Entry], query: &Query, question: &Question) -> Answer {
        let meant: Vec<&Entry> = entries.iter().filter(|entry| query.matches(entry)).collect();
        match question {
            Question::Rows(asked) => Answer::Rows(page(entries, &meant, asked)),
            Question::Count => Answer::Count(count(&meant)),
            Question::Histogram(asked) => Answer::Histogram(histogram(&meant, asked)),
            Question::Top(asked) => Answer::Top(top(&meant, asked)),
            Question::Distinct(field) => {
                Answer::Distinct(Distinct { count: groups(&meant, field).len() as u64, at_least: false })
            }
        }
    }

    fn count(entries: &[&Entry]) -> u64 {
        entries.iter().map(|entry| entry.repeat.unwrap_or(1) as u64).sum()
    }

    fn value(field: &Field, entry: &Entry) -> Option<String> {
        (field.get)(entry).map(|value| value.to_string())
    }

    fn page(all: &[Entry], meant: &[&Entry], asked: &RowsAsked) -> Page {
        let mut rows: Vec<&Entry> = meant.to_vec();
        rows.sort_by_key(|entry| Place::of(entry));
        if asked.order == Order::Newest {
            rows.reverse();
        }
        let behind = |entry: &&Entry| match (&asked.after, asked.order) {
            (None, _) => true,
            (Some(Cursor(last)), Order::Newest) => Place::of(entry) < *last,
            (Some(Cursor(last)), Order::Oldest) => Place::of(entry) > *last,
        };
        rows.retain(behind);
        let more = rows.len() > asked.limit;
        rows.truncate(asked.limit);
        let next = rows.last().filter(|_| more).map(|entry| Cursor(Place::of(entry)));
        let near = |entry: &Entry, reach: std::ops::RangeInclusive<i64>| -> Vec<Arc<Entry>> {
            let same = all.iter().filter(|other| other.source == entry.source);
            same.filter(|other| reach.contains(&other.line.unwrap())).cloned().map(Arc::new).collect()
        };
        let context = asked.context as i64;
        let row = |entry: &Entry| {
            let line = entry.line.unwrap();
            Row {
                entry: Arc::new(entry.clone()),
                before: near(entry, line - context..=line - 1),
                after: near(entry, line + 1..=line + context),
            }
        };
        Page { rows: rows.into_iter().map(row).collect(), next }
    }

    /// Values with their entries; where case does not count, spellings are one.
    fn groups<'a>(entries: &[&'a Entry], field: &Field) -> BTreeMap<String, Vec<&'a Entry>> {
        let mut groups: BTreeMap<String, Vec<&Entry>> = BTreeMap::new();
        for entry in entries {
            if let Some(value) = value(field, entry) {
                let key = if field.cased { value } else { fold(&value).into_owned() };
                groups.entry(key).or_default().push(entry);
            }
        }
        groups
    }

    /// The commonest spelling.
    fn shown(entries: &[&Entry], field: &Field) -> String {
        let spellings: BTreeSet<String> = entries.iter().filter_map(|entry| value(field, entry)).collect();
        let times = |spelling: &String| {
            let with: Vec<&Entry> =
                entries.iter().copied().filter(|entry| value(field, entry).as_ref() == Some(spelling)).collect();
            count(&with)
        };
        let most = spellings.iter().map(times).max().unwrap();
        spellings.iter().find(|spelling| times(spelling) == most).unwrap().clone()
    }

    /// Shown value, count, entries; the commonest first.
    fn ranked<'a>(entries: &[&'a Entry], field: &Field) -> Vec<(String, u64, Vec<&'a Entry>)> {
        let rows = groups(entries, field).into_values();
        let mut rows: Vec<_> = rows.map(|group| (shown(&group, field), count(&group), group)).collect();
        rows.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        rows
    }

    fn top(meant: &[&Entry], asked: &TopAsked) -> Top {
        let ranked = ranked(meant, asked.field);
        let without: Vec<&Entry> = meant.iter().copied().filter(|entry| value(asked.field, entry).is_none()).collect();
        let shown = if asked.limit == 0 { ranked.len() } else { asked.limit };
        Top {
            distinct: ranked.len() as u64,
            values: ranked
                .into_iter()
                .take(shown)
                .map(|(value, count, group)| TopValue {
                    value,
                    count,
                    distinct: asked.distinct.map(|other| groups(&group, other).len() as u64),
                })
                .collect(),
            absent: count(&without),
            beyond: 0,
            distinct_cut: false,
        }
    }

    /// Widths a store may choose, in seconds.
    const WIDTHS: [i64; 14] =
        [1, 5, 15, 60, 300, 900, 3_600, 10_800, 21_600, 43_200, 86_400, 604_800, 2_419_200, 31_449_600];

    fn histogram(meant: &[&Entry], asked: &HistogramAsked) -> Histogram {
        let dated: Vec<&Entry> = meant.iter().copied().filter(|entry| entry.ts.is_some()).collect();
        let undated = count(meant) - count(&dated);
        let ranked = asked.by.map(|field| ranked(&dated, field)).unwrap_or_default();
        let values = ranked.iter().map(|(value, ..)| value.clone()).collect();
        let (Some(first), Some(last)) =
            (dated.iter().filter_map(|entry| entry.ts).min(), dated.iter().filter_map(|entry| entry.ts).max())
        else {
            return Histogram { values, buckets: Vec::new(), undated };
        };
        let spans = |width: i64| spans(&asked.zone, first, last, width);
        let spans = match asked.width {
            Width::Fixed(width) => spans(width),
            Width::Auto(most) => {
                // Of a hundred spans and more there is no need to know how many.
                let widths = WIDTHS.iter().map(|width| width * SECOND).filter(|width| (last - first) / width < 100);
                widths.map(spans).find(|spans| spans.len() <= most).unwrap()
            }
        };
        let buckets = spans
            .into_iter()
            .map(|(from, to)| {
                let inside = |entries: &[&Entry]| {
                    let inside: Vec<&Entry> =
                        entries.iter().copied().filter(|entry| (from..to).contains(&entry.ts.unwrap())).collect();
                    count(&inside)
                };
                Bucket {
                    from,
                    to,
                    count: inside(&dated),
                    by: ranked.iter().map(|(.., group)| inside(group)).collect(),
                    other: 0,
                }
            })
            .collect();
        Histogram { values, buckets, undated }
    }

    /// Spans from the one of the first instant to that of the last, gone through one by one from a Monday with which spans of all widths begin.
    fn spans(zone: &TimeZone, first: i64, last: i64, width: i64) -> Vec<(i64, i64)> {
        const DAY: i64 = 24 * HOUR;
        let midnight = |date: Date| date.to_zoned(zone.clone()).unwrap().timestamp().as_microsecond();
        let monday = jiff::civil::date(1970, 1, 5).checked_add((56 * 364).days()).unwrap();
        let steps = if width % DAY == 0 {
            let days = |n: i64| midnight(monday.checked_add((n * (width / DAY)).days()).unwrap());
            (0..1_000).map(days).take_while(|from| *from <= last + 2 * width).collect::<Vec<_>>()
        } else if DAY % width == 0 {
            let eve = Timestamp::from_microsecond(first).unwrap().to_zoned(zone.clone()).date().yesterday().unwrap();
            let days = (0..400)
                .map(|n| eve.checked_add(n.days()).unwrap())
                .take_while(|date| midnight(*date) <= last + 2 * DAY);
            days.flat_map(|date| {
                let end = midnight(date.tomorrow().unwrap());
                (0..).map(move |n| midnight(date) + n * width).take_while(move |from| *from < end).collect::<Vec<_>>()
            })
            .collect()
        } else {
            let epoch = midnight(jiff::civil::date(1970, 1, 5));
            let before = (first - epoch) / width - 1;
            (before..).map(|n| epoch + n * width).take_while(|from| *from <= last + 2 * width).collect()
        };
        let spans = steps.windows(2).map(|pair| (pair[0], pair[1]));
        spans.filter(|(from, to)| *to > first && *from <= last).collect()
    }
}
