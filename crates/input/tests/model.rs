//! The feed against a slow, obvious model: read all, split lines, sort, drop what other sources had.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::string_slice, reason = "a test may panic")]

mod common;

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

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

/// A line to come: when its turn is, where it stands, what it says.
struct Turn<'l> {
    turn: i64,
    source: usize,
    number: u64,
    time: Option<i64>,
    bytes: &'l [u8],
}

/// What the feed must deliver: source, line number, time, bytes. The sources begin at different times.
fn model(sources: &[Vec<(Vec<u8>, Option<i64>)>]) -> Vec<(usize, u64, Option<i64>, Vec<u8>)> {
    let first = |source: usize| sources[source].iter().find_map(|(_, time)| *time).unwrap_or(i64::MAX);
    let mut turns: Vec<Turn<'_>> = Vec::new();
    for (source, lines) in sources.iter().enumerate() {
        let mut turn = first(source);
        for (number, (bytes, time)) in (1..).zip(lines) {
            turn = turn.max(time.unwrap_or(turn));
            turns.push(Turn { turn, source, number, time: *time, bytes });
        }
    }
    turns.sort_by_key(|line| (line.turn, first(line.source), line.source, line.number));
    let mut seconds: BTreeMap<i64, Vec<Turn<'_>>> = BTreeMap::new();
    for line in turns {
        seconds.entry(line.turn).or_default().push(line);
    }
    // Sources without any time follow one another and are no copies of anything.
    let timeless = seconds.remove(&i64::MAX).unwrap_or_default();
    let mut timed: Vec<Turn<'_>> = seconds.into_values().flat_map(in_turn).collect();
    let mut delivered: HashMap<&[u8], u32> = HashMap::new();
    let mut counts: HashMap<(&[u8], usize), u32> = HashMap::new();
    timed.retain(|line| {
        let count = counts.entry((line.bytes, line.source)).or_default();
        *count += 1;
        let most = delivered.entry(line.bytes).or_default();
        let new = *count > *most;
        *most = (*most).max(*count);
        new
    });
    let told = timed.into_iter().chain(timeless);
    told.map(|line| (line.source, line.number, line.time, line.bytes.to_vec())).collect()
}

/// Each line goes after those before it in any source that holds it.
fn in_turn<'l>(lines: Vec<Turn<'l>>) -> Vec<Turn<'l>> {
    // The n-th of the same lines of a source is the n-th of any other.
    let nth = |at: usize| {
        let is_same = |other: &&Turn<'_>| (other.source, other.bytes) == (lines[at].source, lines[at].bytes);
        (lines[at].bytes, lines[..at].iter().filter(is_same).count())
    };
    let names: Vec<_> = (0..lines.len()).map(nth).collect();
    let mut rest: Vec<usize> = (0..lines.len()).collect();
    let mut told: Vec<usize> = Vec::new();
    while !rest.is_empty() {
        let is_head = |at: usize, rest: &[usize]| {
            rest.iter().all(|other| *other >= at || lines[*other].source != lines[at].source)
        };
        let heads: Vec<usize> = rest.iter().copied().filter(|at| is_head(*at, &rest)).collect();
        let is_free = |head: &usize| rest.iter().all(|other| names[*other] != names[*head] || heads.contains(other));
        let free = heads.iter().copied().find(is_free).unwrap_or(heads[0]);
        // Of several that tell it, it is the one with most lines.
        let length = |at: usize| lines.iter().filter(|line| line.source == lines[at].source).count();
        let mut same: Vec<usize> = heads.iter().copied().filter(|at| names[*at] == names[free]).collect();
        same.sort_by_key(|at| (Reverse(length(*at)), *at));
        rest.retain(|at| !same.contains(at));
        told.extend(same);
    }
    let mut lines: Vec<Option<Turn<'l>>> = lines.into_iter().map(Some).collect();
    told.into_iter().map(|at| lines[at].take().unwrap()).collect()
}

/// How a log is cut, beside the lines of it that syslog wrote to other files.
#[derive(Clone, Copy, Debug)]
enum Cut {
    /// It is not, and the same line comes again and again.
    Whole,
    /// Its first lines are missing.
    Behead(usize),
    /// In two, within a second perhaps.
    Halve(usize),
}

fn cut() -> impl Strategy<Value = Cut> {
    prop_oneof![Just(Cut::Whole), (0usize..60).prop_map(Cut::Behead), (0usize..60).prop_map(Cut::Halve)]
}

/// A line of a log: its time, how urgent it is, itself.
type Urgent = (i64, usize, String);

fn one_log(rows: &[(i64, usize)], cut: Cut) -> Vec<Urgent> {
    let mut now = instant(START);
    let line = |(number, (step_s, urgency)): (usize, &(i64, usize))| {
        now += step_s * 1_000_000;
        let number = if matches!(cut, Cut::Whole) { 0 } else { number };
        (now, *urgency, format!("{} mail p[1]: {urgency} {number}\n", syslog_stamp(now)))
    };
    rows.iter().enumerate().map(line).collect()
}

/// The lines that are so urgent.
fn only(lines: &[Urgent], urgency: usize) -> String {
    lines.iter().filter(|(_, own, _)| *own >= urgency).map(|(.., line)| line.as_str()).collect()
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
        // Of sources that begin at the same time any may be the first.
        let firsts: Vec<i64> = rendered.iter().filter_map(|lines| lines.iter().find_map(|(_, time)| *time)).collect();
        prop_assume!((1..firsts.len()).all(|at| !firsts[..at].contains(&firsts[at])));
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

    /// Whatever the order in which they are given: a log and the files its urgent lines were written to as well are that log.
    #[test]
    fn files_cut_out_of_a_log_are_that_log(rows in prop::collection::vec((prop_oneof![4 => Just(0i64), 2 => 1i64..3, 1 => 3i64..40], 0usize..4), 1..60), cut in cut(), names in Just(["a.log", "b.log", "c.log", "d.log"]).prop_shuffle()) {
        let log = one_log(&rows, cut);
        let at = match cut {
            Cut::Whole => 0,
            Cut::Behead(at) | Cut::Halve(at) => at.min(log.len()),
        };
        let (before, after) = log.split_at(at);
        // What begins within the same second, and of which nothing but copies tells what was before: nobody knows which begins first.
        let first_urgent = log.iter().find(|(_, urgency, _)| *urgency >= 2).map(|(time, ..)| *time);
        let is_lost = matches!(cut, Cut::Behead(_)) || before.iter().all(|(_, urgency, _)| *urgency >= 2);
        prop_assume!(before.is_empty() || !is_lost || first_urgent != after.first().map(|(time, ..)| *time));
        let ends = |lines: &[Urgent]| (lines.first().map(|(time, ..)| *time), lines.last().map(|(time, ..)| *time));
        prop_assume!(ends(before) != ends(after));
        let (older, truth) = match cut {
            Cut::Behead(_) => (String::new(), only(before, 2) + &only(after, 0)),
            _ => (only(before, 0), only(&log, 0)),
        };
        let folder = Folder::new();
        let files = [only(after, 0), older, only(&log, 2), only(&log, 3)];
        let mut named: Vec<_> = names.iter().zip(&files).filter(|(_, text)| !text.is_empty()).collect();
        prop_assume!(!named.is_empty());
        named.sort();
        let paths = named.into_iter().map(|(name, text)| folder.write(name, text, MODIFIED));
        let (found, _) = read(Sources::files(paths), &options("UTC", MODIFIED), |_| Worth::Keep);
        let found: String = found.iter().map(|line| String::from_utf8_lossy(&line.raw).into_owned() + "\n").collect();
        prop_assert_eq!(found, truth);
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
