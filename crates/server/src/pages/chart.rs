//! Counts over time as a picture: a histogram goes in; bars with their places, words and links come out for `chart.html`.
//!
//! The picture has a title, a description, and the same numbers as a table beside it. It is drawn by attributes alone: the pages' policy forbids
//! styles in the page.

use answers::times::{Clock, rfc3339};
use store::{Bucket, Histogram};

/// Height of the picture in its own units.
const HEIGHT: f64 = 100.0;
/// Width of a bar with the space behind it, and of the bar.
const STEP: f64 = 10.0;
const BAR: f64 = 8.4;
/// With fewer bars than this, each is narrower than its place: one bar is a bar, not a wall.
const FEW: f64 = 16.0;
/// Series with a colour of their own; the rest is drawn as one.
pub(crate) const SERIES: usize = 8;

/// The picture.
pub(crate) struct Chart {
    pub(crate) title: String,
    /// What it shows, in a sentence, for those who do not see it.
    pub(crate) told: String,
    /// Width in the units of the picture, and of a bar.
    pub(crate) width: String,
    pub(crate) bar_width: String,
    pub(crate) bars: Vec<Bar>,
    pub(crate) series: Vec<Series>,
    /// The number at the upper edge.
    pub(crate) most: u64,
    pub(crate) from: String,
    pub(crate) to: String,
    /// How long a bar is.
    pub(crate) each: String,
    /// Entries without a time, in no bar.
    pub(crate) undated: u64,
}

/// What a colour stands for.
pub(crate) struct Series {
    /// Its class in the style sheet.
    pub(crate) colour: String,
    pub(crate) word: String,
    pub(crate) count: u64,
}

/// A span of time.
pub(crate) struct Bar {
    /// Where its place begins, and it itself.
    pub(crate) place: String,
    pub(crate) x: String,
    pub(crate) from: String,
    pub(crate) to: String,
    /// When it begins, for people.
    pub(crate) when: String,
    pub(crate) count: u64,
    /// The counts of each series.
    pub(crate) counts: Vec<u64>,
    pub(crate) pieces: Vec<Piece>,
    /// Where it leads: the same page about this span.
    pub(crate) href: String,
}

/// One colour of a bar.
pub(crate) struct Piece {
    pub(crate) colour: String,
    pub(crate) y: String,
    pub(crate) height: String,
}

impl Chart {
    /// Draws. `order` says which values come first and in which colour; others follow in theirs. `href` leads to a span.
    pub(crate) fn draw(
        title: &str,
        histogram: &Histogram,
        clock: &Clock,
        href: &dyn Fn(&str, &str) -> String,
    ) -> Option<Self> {
        let (first, last) = (histogram.buckets.first()?, histogram.buckets.last()?);
        let each = histogram.buckets.iter().map(|bucket| bucket.to.saturating_sub(bucket.from)).max()?;
        let most = histogram.buckets.iter().map(|bucket| bucket.count).max().unwrap_or_default().max(1);
        let series = series(histogram);
        let bar_width = BAR * (histogram.buckets.len() as f64 / FEW).min(1.0);
        let draw = |(at, bucket): (usize, &Bucket)| {
            let counts = counts(bucket, series.len(), histogram.values.len());
            // The last microsecond is the next bar's first: both ends of a time asked for are in it.
            let (from, to) = (rfc3339(bucket.from), rfc3339(bucket.to.saturating_sub(1)));
            Bar {
                place: figure(at as f64 * STEP),
                x: figure(at as f64 * STEP + (STEP - bar_width) / 2.0),
                when: clock.span(bucket.from, each),
                count: bucket.count,
                pieces: pieces(&counts, &series, most),
                counts,
                href: href(&from, &to),
                from,
                to,
            }
        };
        let all: u64 = histogram.buckets.iter().map(|bucket| bucket.count).sum();
        let busiest = histogram.buckets.iter().max_by_key(|bucket| bucket.count)?;
        let words: Vec<String> =
            series.iter().map(|one| format!("{} {}", one.word, answers::screen::number(one.count))).collect();
        Some(Self {
            title: title.to_owned(),
            told: format!(
                "{} in all, from {} to {}; most, {}, from {} on. {}",
                answers::screen::number(all),
                clock.full(first.from),
                clock.full(last.to),
                answers::screen::number(busiest.count),
                clock.span(busiest.from, each),
                words.join(", ")
            ),
            bar_width: figure(bar_width),
            width: figure(histogram.buckets.len() as f64 * STEP),
            bars: histogram.buckets.iter().enumerate().map(draw).collect(),
            most,
            from: clock.full(first.from),
            to: clock.full(last.to),
            each: answers::times::duration(each),
            undated: histogram.undated,
            series,
        })
    }
}

/// What the colours stand for: the values, the commonest first, and the rest.
fn series(histogram: &Histogram) -> Vec<Series> {
    let sum = |of: &dyn Fn(&Bucket) -> u64| histogram.buckets.iter().map(of).sum::<u64>();
    let mut series: Vec<Series> = histogram
        .values
        .iter()
        .take(SERIES)
        .enumerate()
        .map(|(at, value)| Series {
            colour: colour(value, at),
            word: answers::screen::escape(&value.replace('_', " ")).into_owned(),
            count: sum(&|bucket| bucket.by.get(at).copied().unwrap_or_default()),
        })
        .collect();
    let named: u64 = series.iter().map(|one| one.count).sum();
    let rest = sum(&|bucket| bucket.count).saturating_sub(named);
    if rest > 0 {
        let word = if histogram.values.is_empty() { "entries" } else { "other" };
        series.push(Series { colour: "s-rest".to_owned(), word: word.to_owned(), count: rest });
    }
    series
}

/// A class always has the same colour; other values have that of their place.
fn colour(value: &str, at: usize) -> String {
    let known = diagnose::Class::ALL.iter().find(|class| class.name() == value);
    known.map_or_else(|| format!("s-{at}"), |class| format!("s-{}", class.name()))
}

fn counts(bucket: &Bucket, series: usize, values: usize) -> Vec<u64> {
    let mut counts: Vec<u64> = bucket.by.iter().take(SERIES).copied().collect();
    if series > values.min(SERIES) {
        counts.push(bucket.count.saturating_sub(counts.iter().sum()));
    }
    counts
}

fn pieces(counts: &[u64], series: &[Series], most: u64) -> Vec<Piece> {
    let mut top = HEIGHT;
    let mut pieces = Vec::new();
    for (count, one) in counts.iter().zip(series).filter(|(count, _)| **count > 0) {
        let height = *count as f64 / most as f64 * HEIGHT;
        top -= height;
        // What is there is seen, however little it is.
        let (y, height) = if height < 1.0 { (top + height - 1.0, 1.0) } else { (top, height) };
        pieces.push(Piece { colour: one.colour.clone(), y: figure(y), height: figure(height) });
    }
    pieces
}

/// A number as short as a picture needs it.
fn figure(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or_else(|| text.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(rows: &[(u64, &[u64])], values: &[&str]) -> Histogram {
        let bucket = |(at, (count, by)): (usize, &(u64, &[u64]))| {
            let from = at as i64 * 60_000_000;
            Bucket { from, to: from + 60_000_000, count: *count, by: by.to_vec(), other: 0 }
        };
        let buckets = rows.iter().enumerate().map(bucket).collect();
        Histogram { values: values.iter().map(|value| (*value).to_owned()).collect(), buckets, undated: 0 }
    }

    fn drawn(histogram: &Histogram) -> Option<Chart> {
        let clock = Clock::new(jiff::tz::TimeZone::UTC);
        Chart::draw("t", histogram, &clock, &|from, to| format!("{from} {to}"))
    }

    #[test]
    fn bars_hold_all_that_was_counted() {
        let chart =
            drawn(&histogram(&[(10, &[6, 2]), (0, &[0, 0]), (4, &[4, 0])], &["auth_failed", "strange"])).unwrap();
        let words: Vec<_> =
            chart.series.iter().map(|one| (one.word.as_str(), one.colour.as_str(), one.count)).collect();
        assert_eq!(words, [("auth failed", "s-auth_failed", 10), ("strange", "s-1", 2), ("other", "s-rest", 2)]);
        for bar in &chart.bars {
            assert_eq!(bar.counts.iter().sum::<u64>(), bar.count);
        }
        let sizes: Vec<_> =
            chart.bars[0].pieces.iter().map(|piece| (piece.y.as_str(), piece.height.as_str())).collect();
        assert_eq!(sizes, [("40", "60"), ("20", "20"), ("0", "20")]);
        assert!(chart.bars[1].pieces.is_empty());
        assert_eq!(chart.bars[2].href, "1970-01-01T00:02:00.000000Z 1970-01-01T00:02:59.999999Z");
    }

    #[test]
    fn little_is_seen_and_nothing_is_no_picture() {
        let chart = drawn(&histogram(&[(1, &[]), (1_000_000, &[])], &[])).unwrap();
        assert_eq!((chart.bars[0].pieces[0].y.as_str(), chart.bars[0].pieces[0].height.as_str()), ("99", "1"));
        assert_eq!(chart.series[0].word, "entries");
        assert!(drawn(&histogram(&[], &[])).is_none());
    }
}
