//! `count`, `top` and `histogram`: how many lines, of which values, when.

use answers::files::Answered;
use answers::mask::Mask;
use answers::questions::{count_json, field, histogram_json, mask_histogram, mask_top, top_json, width};
use answers::questions_text::{bars, ranking};
use answers::reading::Reading;
use answers::times::Clock;
use anyhow::{Context as _, bail};
use query::Query;
use store::{Answer, HistogramAsked, Question, TopAsked};

use crate::exit::Exit;
use crate::{asked, cli, print};

/// Runs `count`.
pub(crate) fn count(args: &cli::Count) -> anyhow::Result<Exit> {
    let reading = args.input.reading(&args.output, true)?;
    let query = match asked::read("", &args.asked, &reading, &args.output) {
        Ok(query) => query,
        Err(exit) => return Ok(exit),
    };
    let (answer, exit) = match one(reading, &query, Question::Count, args.output.quiet)? {
        Ok(answered) => answered,
        Err(exit) => return Ok(exit),
    };
    let Answer::Count(count) = answer else { bail!("a store answered another question") };
    if args.json {
        print::json(&count_json(count))?;
    } else {
        print::text(&format!("{count}\n"))?;
    }
    Ok(exit.or_no_match(count > 0))
}

/// Runs `top`.
pub(crate) fn top(args: &cli::Top) -> anyhow::Result<Exit> {
    let mask = Mask(args.output.mask);
    let field = field(&args.field, mask)?;
    let distinct = args.distinct.as_deref().map(|name| self::field(name, Mask(false))).transpose()?;
    let reading = args.input.reading(&args.output, true)?;
    let query = match asked::read("", &args.asked, &reading, &args.output) {
        Ok(query) => query,
        Err(exit) => return Ok(exit),
    };
    let limit = args.top.unwrap_or(if args.json { 100 } else { 10 });
    let question = Question::Top(TopAsked { field, distinct, limit });
    let (answer, exit) = match one(reading, &query, question, args.output.quiet)? {
        Ok(answered) => answered,
        Err(exit) => return Ok(exit),
    };
    let Answer::Top(mut top) = answer else { bail!("a store answered another question") };
    mask_top(&mut top, field, mask);
    if args.json {
        print::json(&top_json(&top, field, distinct))?;
    } else {
        print::text(&ranking(&top, field, distinct, args.output.screen()))?;
    }
    Ok(exit.or_no_match(!top.values.is_empty() || top.beyond > 0))
}

/// Runs `histogram`.
pub(crate) fn histogram(args: &cli::Histogram) -> anyhow::Result<Exit> {
    let mask = Mask(args.output.mask);
    let by = args.by.as_deref().map(|name| field(name, mask)).transpose()?;
    let width = width(args.width.as_deref())?;
    let reading = args.input.reading(&args.output, true)?;
    let query = match asked::read("", &args.asked, &reading, &args.output) {
        Ok(query) => query,
        Err(exit) => return Ok(exit),
    };
    let zone = reading.zone();
    let question = Question::Histogram(HistogramAsked { width, zone: zone.clone(), by });
    let (answer, exit) = match one(reading, &query, question, args.output.quiet)? {
        Ok(answered) => answered,
        Err(exit) => return Ok(exit),
    };
    let Answer::Histogram(mut histogram) = answer else { bail!("a store answered another question") };
    mask_histogram(&mut histogram, by, mask);
    if args.json {
        print::json(&histogram_json(&histogram, by))?;
    } else {
        print::text(&bars(&histogram, by, &Clock::new(zone), args.output.screen()))?;
    }
    Ok(exit.or_no_match(!histogram.buckets.is_empty() || histogram.undated > 0))
}

/// Asks one question.
fn one(
    reading: Reading,
    query: &Query,
    question: Question,
    quiet: bool,
) -> anyhow::Result<Result<(Answer, Exit), Exit>> {
    let (Answered { mut answers, .. }, exit) = match asked::ask(reading, query, &[question], quiet)? {
        Ok(answered) => answered,
        Err(exit) => return Ok(Err(exit)),
    };
    let answer = answers.pop().context("a store gave no answer")?;
    Ok(Ok((answer, exit)))
}
