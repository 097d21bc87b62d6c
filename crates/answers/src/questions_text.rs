//! `top` and `histogram` as a person reads them: values with bars, spans of time with bars.

use std::fmt::Write as _;

use query::Field;
use store::{Histogram, Top};

use crate::screen::{Ink, Screen, bar, escape, left, number, plural, right};
use crate::times::Clock;

/// Columns of a count.
const COUNT: usize = 12;
/// Columns of a bar in a ranking.
const SHARE: usize = 20;

/// The ranking of a field's values.
pub fn ranking(top: &Top, field: &Field, distinct: Option<&Field>, screen: Screen) -> String {
    let second = distinct.map_or(0, |field| field.name.len().max(COUNT) + 2);
    let room = screen.width.saturating_sub(COUNT + SHARE + second + 6);
    let widest = top.values.iter().map(|row| escape(&row.value).chars().count()).max().unwrap_or_default();
    let width = widest.max(field.name.len()).clamp(8, room.max(8));
    let mut head = format!("{}  {}  {}", left(field.name, width), right("count", COUNT), left("", SHARE));
    if let Some(distinct) = distinct {
        head += &format!("  {}", right(distinct.name, second - 2));
    }
    // Writing to a string cannot fail.
    let mut out = String::new();
    let _ = writeln!(out, "{}", screen.ink(Ink::Heading, head.trim_end()));
    let largest = top.values.first().map_or(0, |row| row.count);
    for row in &top.values {
        let mut line = format!(
            "{}  {}  {}",
            left(&escape(&row.value), width),
            right(&number(row.count), COUNT),
            left(&bar(row.count, largest, SHARE), SHARE)
        );
        if let Some(distinct) = row.distinct {
            line += &format!("  {}", right(&number(distinct), second - 2));
        }
        let _ = writeln!(out, "{}", line.trim_end());
    }
    let _ = writeln!(out, "{}", screen.ink(Ink::Dim, &rest(top)));
    out
}

/// What the rows do not tell.
fn rest(top: &Top) -> String {
    let more = if top.beyond > 0 { "at least " } else { "" };
    let mut said = format!("{more}{} in all", plural(top.distinct, "value", "values"));
    if top.absent > 0 {
        said += &format!(", {} without", plural(top.absent, "line", "lines"));
    }
    if top.beyond > 0 {
        said += &format!(", {} of further values not ranked", plural(top.beyond, "line", "lines"));
    }
    if top.distinct_cut {
        said += "; the last column is a lower bound";
    }
    said
}

/// What a split bar is made of: told apart without colour, too.
const PARTS: [(char, Ink); 4] = [('█', Ink::Bad), ('▓', Ink::Warn), ('▒', Ink::Good), ('░', Ink::Heading)];
/// All other values, and lines without any.
const REST: char = '·';

/// A bar for each span of time.
pub fn bars(histogram: &Histogram, by: Option<&Field>, clock: &Clock, screen: Screen) -> String {
    let mut out = String::new();
    if let Some(field) = by {
        legend(histogram, field, screen, &mut out);
    }
    let largest = histogram.buckets.iter().map(|bucket| bucket.count).max().unwrap_or_default();
    let width = histogram.buckets.iter().map(|bucket| bucket.to - bucket.from).max().unwrap_or_default();
    let room = screen.width.saturating_sub(Clock::SPAN_COLUMNS + COUNT + 4);
    for bucket in &histogram.buckets {
        let drawn = match by {
            None => bar(bucket.count, largest, room),
            Some(_) => split_bar(&bucket.by, bucket.count, largest, room, screen),
        };
        let when = left(&clock.span(bucket.from, width), Clock::SPAN_COLUMNS);
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{when}  {}  {drawn}", right(&number(bucket.count), COUNT));
    }
    if histogram.undated > 0 {
        let lines = plural(histogram.undated, "line", "lines");
        let _ = writeln!(out, "{}", screen.ink(Ink::Dim, &format!("{lines} without a time")));
    }
    out
}

fn legend(histogram: &Histogram, field: &Field, screen: Screen, out: &mut String) {
    let total = |at: usize| histogram.buckets.iter().filter_map(|bucket| bucket.by.get(at)).sum();
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{}", screen.ink(Ink::Heading, field.name));
    for (at, (value, (part, ink))) in histogram.values.iter().zip(PARTS).enumerate() {
        let room = screen.width.saturating_sub(COUNT + 6);
        let value = left(&escape(value), room.min(40));
        let _ = writeln!(out, "  {} {value} {}", screen.ink(ink, &part.to_string()), right(&number(total(at)), COUNT));
    }
    let _ = writeln!(out, "  {REST} everything else");
}

/// Parts one after the other, each ending where it would if the bar were not split.
fn split_bar(by: &[u64], count: u64, largest: u64, room: usize, screen: Screen) -> String {
    let columns =
        |sum: u64| usize::try_from(u128::from(sum) * room as u128 / u128::from(largest.max(1))).unwrap_or_default();
    let (mut out, mut sum, mut drawn) = (String::new(), 0_u64, 0);
    for (part, (piece, ink)) in by.iter().zip(PARTS) {
        sum = sum.saturating_add(*part);
        let end = columns(sum);
        if end > drawn {
            out += &screen.ink(ink, &piece.to_string().repeat(end - drawn));
            drawn = end;
        }
    }
    // Whatever there is shows, be it ever so little.
    let end = columns(count).max(usize::from(count > 0));
    out + &REST.to_string().repeat(end.saturating_sub(drawn))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Screen = Screen { colour: false, width: 80 };

    #[test]
    fn parts_fill_the_bar() {
        assert_eq!(split_bar(&[5, 3], 10, 10, 10, PLAIN), "█████▓▓▓··");
        assert_eq!(split_bar(&[0, 0], 0, 10, 10, PLAIN), "");
        assert_eq!(split_bar(&[], 1, 1_000, 10, PLAIN), "·");
        assert_eq!(split_bar(&[1, 1, 1, 1, 1], 5, 5, 5, PLAIN), "█▓▒░·");
        assert_eq!(split_bar(&[u64::MAX, u64::MAX], u64::MAX, u64::MAX, 4, PLAIN), "████");
    }
}
