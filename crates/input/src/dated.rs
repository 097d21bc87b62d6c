//! Lines whose time is known already: those of a store.
//!
//! They come in the order of time, each once. Counting and the search for silences are the feed's own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use maillog::Record;

use crate::block::has_text;
use crate::clock;
use crate::coverage::{Count, Coverage, Silences, SourceCoverage};
use crate::feed::Options;
use crate::line::{GoOn, Inferred, Line, Worth};
use crate::rotation::rotated;

/// A line with its time.
#[derive(Clone, Copy, Debug)]
pub struct Dated<'a> {
    /// Index of its source among the names.
    pub source: usize,
    /// Its number there, from 1.
    pub line: u64,
    /// Microseconds since 1970 UTC.
    pub time: Option<i64>,
    /// What of `time` the log did not say.
    pub inferred: Inferred,
    /// The envelope.
    pub record: Option<Record<'a>>,
    /// The line's own bytes.
    pub raw: &'a [u8],
    /// The line was longer than what is kept.
    pub truncated: bool,
}

/// What was counted of a source without reading its lines.
#[derive(Clone, Debug, Default)]
pub struct Summed {
    /// What it is called.
    pub name: String,
    /// Its lines.
    pub lines: u64,
    /// For each minute in which it wrote, the earliest and the latest time, microseconds since 1970 UTC. From old to new.
    pub minutes: Vec<(i64, i64)>,
    /// The time of its last line, if the log did not say its year.
    pub guessed_year_at: Option<i64>,
}

/// The coverage that [`feed_dated`] gives for the lines of these sources, but for what hangs on the lines' text: those not understood,
/// and those of them without a readable time.
#[must_use]
pub fn coverage_of(sources: &[Summed], options: &Options, unknown: u64, bad_time: u64) -> Coverage {
    let mut coverage = Coverage { unknown, bad_time, ..Coverage::default() };
    let mut logs: BTreeMap<PathBuf, Vec<&Summed>> = BTreeMap::new();
    for source in sources {
        logs.entry(rotated(Path::new(&source.name)).log).or_default().push(source);
        let (from, to) = (source.minutes.first().map(|minute| minute.0), source.minutes.last().map(|minute| minute.1));
        coverage.lines += source.lines;
        coverage.from = coverage.from.into_iter().chain(from).min();
        coverage.to = coverage.to.into_iter().chain(to).max();
        coverage.sources.push(SourceCoverage {
            name: source.name.clone(),
            lines: source.lines,
            from,
            to,
            inferred_year: inferred_year(source.guessed_year_at, options),
            ..SourceCoverage::default()
        });
    }
    coverage.understood = coverage.lines.saturating_sub(unknown);
    for (log, sources) in &logs {
        let mut silences = Silences::named(log.display().to_string());
        silences.lines = sources.iter().map(|source| source.lines).sum();
        let mut minutes: Vec<(i64, i64)> = sources.iter().flat_map(|source| source.minutes.iter().copied()).collect();
        minutes.sort_unstable();
        for (first, last) in minutes {
            silences.see(first);
            silences.see(last);
        }
        coverage.gaps.extend(silences.gaps());
    }
    coverage.gaps.sort_by_key(|gap| gap.from);
    coverage
}

/// The year of a source's last line, if the log did not say it.
fn inferred_year(at: Option<i64>, options: &Options) -> Option<i16> {
    let year = at.map(|time| clock::year_of(clock::local_us(&options.timezone, time)));
    year.and_then(|year| i16::try_from(year).ok())
}

/// What is counted of a source.
struct Counted {
    count: Count,
    /// Which of the silences are its log's.
    silences: usize,
    guessed_year_at: Option<i64>,
}

/// Delivers lines to `sink` as [`crate::feed()`] does. `names` are those of the sources; `lines` calls what it is given with one line after
/// the other, as long as that says `true`.
pub fn feed_dated<R: GoOn>(
    names: &[String],
    options: &Options,
    worth: impl Fn(&Record<'_>) -> Worth,
    mut sink: impl FnMut(Line<'_>) -> R,
    lines: impl FnOnce(&mut dyn FnMut(Dated<'_>) -> bool),
) -> Coverage {
    let mut coverage = Coverage::default();
    let mut silences: Vec<(std::path::PathBuf, Silences)> = Vec::new();
    let mut sources: Vec<Counted> = names
        .iter()
        .map(|name| {
            let log = rotated(Path::new(name)).log;
            let at = silences.iter().position(|(known, _)| *known == log).unwrap_or_else(|| {
                let name = log.display().to_string();
                silences.push((log, Silences::named(name)));
                silences.len() - 1
            });
            Counted { count: Count::default(), silences: at, guessed_year_at: None }
        })
        .collect();
    let mut seq = 0;
    lines(&mut |dated| {
        let Some(source) = sources.get_mut(dated.source) else { return true };
        let worth = dated.record.as_ref().map_or(Worth::Unknown, &worth);
        source.count.tally.count(worth, dated.record.is_none() && has_text(dated.raw));
        if let Some(time) = dated.time {
            source.count.see(time);
            if dated.inferred.year {
                source.guessed_year_at = Some(time);
            }
        }
        if let Some((_, silences)) = silences.get_mut(source.silences) {
            silences.lines += 1;
            dated.time.into_iter().for_each(|time| silences.see(time));
        }
        if worth == Worth::Skip && !options.keep_all {
            seq += 1;
            return true;
        }
        let Dated { source, line, time, inferred, record, raw, truncated } = dated;
        let go_on = sink(Line { source, line, time, inferred, record, raw, worth, truncated, seq }).go_on();
        seq += 1;
        coverage.stopped |= !go_on;
        go_on
    });
    for (name, counted) in names.iter().zip(sources) {
        let Counted { count, guessed_year_at, .. } = counted;
        coverage.understood += count.tally.understood;
        coverage.unknown += count.tally.unknown;
        coverage.bad_time += count.tally.bad_time;
        coverage.from = coverage.from.into_iter().chain(count.from).min();
        coverage.to = coverage.to.into_iter().chain(count.to).max();
        coverage.sources.push(SourceCoverage {
            name: name.clone(),
            lines: count.lines(),
            from: count.from,
            to: count.to,
            inferred_year: inferred_year(guessed_year_at, options),
            ..SourceCoverage::default()
        });
    }
    coverage.lines = coverage.understood + coverage.unknown;
    coverage.gaps = silences.iter().flat_map(|(_, silences)| silences.gaps()).collect();
    coverage.gaps.sort_by_key(|gap| gap.from);
    coverage
}
