//! The feed against a slow, obvious model: read all, split lines, sort, drop what other sources had.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::string_slice, reason = "a test may panic")]

mod common;

use std::collections::HashMap;

use common::{Folder, instant, options, read, syslog_stamp};
use input::{Options, Sources, Worth};
use proptest::prelude::*;

const START: &str = "2025-12-31T23:59:20Z";
const MODIFIED: &str = "2026-01-01T12:00:00Z";
/// A log's lines go back by so much at most. Twice that is what the feed takes two logs' lines to be apart by and still the same lines:
/// one may go back at its end, and the other after its first line.
const BACK_S_MAX: i64 = 5;

/// A line of a random source: a step in time, whose form of stamp, and which text.
#[derive(Clone, Debug)]
enum Row {
    Line { step_s: i64, with_year: bool, text: u8 },
    Blank,
    Garbage(u8),
}

fn row() -> impl Strategy<Value = Row> {
    prop_oneof![
        20 => (-3i64..6, any::<bool>(), 0u8..4).prop_map(|(step_s, with_year, text)| Row::Line { step_s, with_year, text }),
        1 => Just(Row::Blank),
        1 => any::<u8>().prop_map(Row::Garbage),
    ]
}

/// Each line with its time.
fn render(source: usize, start_s: i64, rows: &[Row]) -> Vec<(Vec<u8>, Option<i64>)> {
    let mut now = instant(START) + start_s * 1_000_000;
    let mut latest = instant(START);
    let line = |row: &Row| match row {
        Row::Line { step_s, with_year, text } => {
            now = (now + step_s * 1_000_000).max(instant(START)).max(latest - BACK_S_MAX * 1_000_000);
            latest = latest.max(now);
            let stamp = if *with_year {
                jiff::Timestamp::from_microsecond(now).unwrap().to_string()
            } else {
                syslog_stamp(now)
            };
            (format!("{stamp} mail p[1]: text {text}").into_bytes(), Some(now))
        }
        Row::Blank => (Vec::new(), None),
        Row::Garbage(n) => (format!("garbage {n} of {source}\u{7f}").into_bytes(), None),
    };
    rows.iter().map(line).collect()
}

/// What the feed must deliver: source, line number, time, bytes.
fn model(sources: &[Vec<(Vec<u8>, Option<i64>)>]) -> Vec<(usize, u64, Option<i64>, Vec<u8>)> {
    let mut turns = Vec::new();
    for (index, lines) in sources.iter().enumerate() {
        let mut turn = lines.iter().find_map(|(_, time)| *time).unwrap_or(i64::MAX);
        for (number, (bytes, time)) in lines.iter().enumerate() {
            turn = turn.max(time.unwrap_or(turn));
            turns.push((turn, index, number, *time, bytes.clone()));
        }
    }
    turns.sort_by_key(|(turn, index, number, ..)| (*turn, *index, *number));
    let mut delivered: HashMap<Vec<u8>, u32> = HashMap::new();
    let mut counts: HashMap<(Vec<u8>, usize), u32> = HashMap::new();
    turns.retain(|(turn, index, _, _, bytes)| {
        // Sources without any time follow one another and are no copies of anything.
        let count = counts.entry((bytes.clone(), *index)).or_default();
        *count += 1;
        let most = delivered.entry(bytes.clone()).or_default();
        let new = *count > *most || *turn == i64::MAX;
        *most = (*most).max(*count);
        new
    });
    turns.into_iter().map(|(_, index, number, time, bytes)| (index, number as u64 + 1, time, bytes)).collect()
}

fn worth(record: &maillog::Record<'_>) -> Worth {
    match record.text.last() {
        Some(b'0' | b'1') => Worth::Keep,
        Some(b'2') => Worth::Unknown,
        _ => Worth::Skip,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn feed_is_the_model(sources in prop::collection::vec((0i64..40, prop::collection::vec(row(), 0..25)), 1..4), threads in 1usize..4, keep_all: bool) {
        let folder = Folder::new();
        let rendered: Vec<_> = sources.iter().enumerate().map(|(index, (start, rows))| render(index, *start, rows)).collect();
        // A blank line of one source is none of another's: blank lines would tie sources together that have nothing to do with each other.
        let blanks = rendered.iter().filter(|lines| lines.iter().any(|(bytes, _)| bytes.is_empty())).count();
        prop_assume!(blanks <= 1 || rendered.len() == 1);
        // Copies are another test's matter.
        let texts: Vec<Vec<u8>> = rendered.iter().map(|lines| lines.iter().flat_map(|(bytes, _)| [&bytes[..], b"\n"].concat()).collect()).collect();
        let alike = texts.iter().enumerate().any(|(a, x)| texts.iter().enumerate().any(|(b, y)| a != b && !x.is_empty() && y.starts_with(x)));
        prop_assume!(!alike);
        let paths: Vec<_> = texts.iter().enumerate().map(|(index, text)| folder.write(&format!("source-{}.log", ["a", "b", "c"][index]), text, MODIFIED)).collect();
        let options = Options { threads, keep_all, ..options("UTC", MODIFIED) };
        let (found, coverage) = read(Sources::files(paths), &options, worth);
        let found: Vec<_> = found.into_iter().map(|l| (l.source, l.line, l.micros, l.raw)).collect();
        let expected = model(&rendered);
        prop_assert_eq!(coverage.lines, expected.len() as u64);
        let total: usize = rendered.iter().map(Vec::len).sum();
        prop_assert_eq!(coverage.lines + coverage.duplicates, total as u64);
        let wanted: Vec<_> = expected.into_iter().filter(|(_, _, time, bytes)| keep_all || time.is_none() || maillog::record(bytes).is_none_or(|r| worth(&r) != Worth::Skip)).collect();
        prop_assert_eq!(found, wanted);
        let times = || rendered.iter().flatten().filter_map(|(_, time)| *time);
        prop_assert_eq!((coverage.from, coverage.to), (times().min(), times().max()));
    }

    #[test]
    fn no_bytes_can_break_it(pieces in prop::collection::vec(prop_oneof![any::<Vec<u8>>(), Just(b"Nov 22 10:00:00 mail p[1]: x\n".to_vec()), Just(b"{\"log\":\"".to_vec()), Just(b"__CURSOR=\n".to_vec()), Just(vec![0x1f, 0x8b, 8, 0]), Just(b"BZh9".to_vec()), Just(vec![0x28, 0xb5, 0x2f, 0xfd]), Just(b"last message repeated 2 times\n".to_vec())], 0..12)) {
        let text = pieces.concat();
        let folder = Folder::new();
        let path = folder.write("mail.log", &text, MODIFIED);
        for sources in [Sources::files([path]), Sources::stream("-", std::io::Cursor::new(text))] {
            if let Ok(coverage) = input::feed(sources, &options("Europe/Berlin", MODIFIED), |_| Worth::Keep, |_| ()) {
                prop_assert_eq!(coverage.lines, coverage.understood + coverage.unknown);
            }
        }
    }
}
