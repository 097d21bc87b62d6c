//! `count`, `top` and `histogram`: how many lines, of which values, when.

use anyhow::{Context as _, bail};
use query::{Field, Kind, Query};
use serde_json::{Map, Value, json};
use store::{Answer, HistogramAsked, Question, TopAsked, Width};

use crate::asked;
use crate::cli;
use crate::exit::Exit;
use crate::files::{self, Answered};
use crate::mask::Mask;
use crate::print;
use crate::questions_text::{bars, ranking};
use crate::reading::Reading;
use crate::screen::Screen;
use crate::times::{Clock, rfc3339};

/// Buckets of a histogram at most, where the width was left to us: as many as a screen has room for.
const BUCKETS: usize = 60;

/// Runs `count`.
pub(crate) fn count(args: &cli::Count) -> anyhow::Result<Exit> {
    let reading = Reading::new(&args.input, &args.output, true)?;
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
        print::json(&json!({ "count": count }))?;
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
    let reading = Reading::new(&args.input, &args.output, true)?;
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
    if field.personal {
        top.values.iter_mut().for_each(|row| row.value = mask.value(&row.value));
    }
    if args.json {
        print::json(&top_json(&top, field, distinct))?;
    } else {
        print::text(&ranking(&top, field, distinct, Screen::of_stdout(args.output.color)))?;
    }
    Ok(exit.or_no_match(!top.values.is_empty() || top.beyond > 0))
}

fn top_json(top: &store::Top, field: &Field, distinct: Option<&Field>) -> Value {
    let row = |row: &store::TopValue| {
        let mut object = Map::new();
        object.insert("value".to_owned(), row.value.as_str().into());
        object.insert("count".to_owned(), row.count.into());
        if let Some(distinct) = row.distinct {
            object.insert("distinct".to_owned(), distinct.into());
        }
        Value::Object(object)
    };
    let rows: Vec<Value> = top.values.iter().map(row).collect();
    let mut answer = json!({"field": field.name, "values": rows, "distinct": top.distinct, "absent": top.absent, "beyond": top.beyond});
    if let (Some(distinct), Some(object)) = (distinct, answer.as_object_mut()) {
        object.insert("distinct_field".to_owned(), distinct.name.into());
        object.insert("distinct_cut".to_owned(), top.distinct_cut.into());
    }
    answer
}

/// Runs `histogram`.
pub(crate) fn histogram(args: &cli::Histogram) -> anyhow::Result<Exit> {
    let mask = Mask(args.output.mask);
    let by = args.by.as_deref().map(|name| field(name, mask)).transpose()?;
    let width = match args.width.as_deref() {
        None => Width::Auto(BUCKETS),
        Some(text) => Width::Fixed(span(text).with_context(|| format!("--width {text}: write 10m, 1h or 1d"))?),
    };
    let reading = Reading::new(&args.input, &args.output, true)?;
    let query = match asked::read("", &args.asked, &reading, &args.output) {
        Ok(query) => query,
        Err(exit) => return Ok(exit),
    };
    let zone = reading.zone();
    let offset = i64::from(zone.to_offset(reading.now()).seconds()) * 1_000_000;
    let question = Question::Histogram(HistogramAsked { width, offset, by });
    let (answer, exit) = match one(reading, &query, question, args.output.quiet)? {
        Ok(answered) => answered,
        Err(exit) => return Ok(exit),
    };
    let Answer::Histogram(mut histogram) = answer else { bail!("a store answered another question") };
    if by.is_some_and(|field| field.personal) {
        histogram.values.iter_mut().for_each(|value| *value = mask.value(value));
    }
    if args.json {
        print::json(&histogram_json(&histogram, by))?;
    } else {
        print::text(&bars(&histogram, by, &Clock::new(zone), Screen::of_stdout(args.output.color)))?;
    }
    Ok(exit.or_no_match(!histogram.buckets.is_empty() || histogram.undated > 0))
}

fn histogram_json(histogram: &store::Histogram, by: Option<&Field>) -> Value {
    let row = |bucket: &store::Bucket| {
        let mut row = json!({"from": rfc3339(bucket.from), "to": rfc3339(bucket.to), "count": bucket.count});
        if let (Some(_), Some(object)) = (by, row.as_object_mut()) {
            // Masked, two values may look alike: their counts are added.
            let mut split: Map<String, Value> = Map::new();
            for (value, count) in histogram.values.iter().zip(&bucket.by).filter(|(_, count)| **count > 0) {
                let before = split.get(value).and_then(Value::as_u64).unwrap_or_default();
                split.insert(value.clone(), before.saturating_add(*count).into());
            }
            object.insert("by".to_owned(), split.into());
            object.insert("other".to_owned(), bucket.other.into());
        }
        row
    };
    let buckets: Vec<Value> = histogram.buckets.iter().map(row).collect();
    json!({"buckets": buckets, "undated": histogram.undated})
}

/// Asks one question.
fn one(
    reading: Reading,
    query: &Query,
    question: Question,
    quiet: bool,
) -> anyhow::Result<Result<(Answer, Exit), Exit>> {
    let Answered { mut answers, exit } = match files::ask(reading, query, &[question], quiet)? {
        Ok(answered) => answered,
        Err(exit) => return Ok(Err(exit)),
    };
    let answer = answers.pop().context("a store gave no answer")?;
    Ok(Ok((answer, exit)))
}

/// The field of that name. Of masked answers the words of a text are none: any of them may name somebody.
fn field(name: &str, mask: Mask) -> anyhow::Result<&'static Field> {
    let found = query::field(&name.to_ascii_lowercase());
    let Some(field) = found else {
        let nearest = query::nearest(name).map(|near| format!(", did you mean `{near}`?")).unwrap_or_default();
        bail!("no field is called `{name}`{nearest} (`postfix-insights fields` lists them)");
    };
    if mask.0 && field.kind == Kind::Text {
        bail!(
            "--mask: `{}` is what people and programs wrote, and may name anybody; ask for another field",
            field.name
        );
    }
    Ok(field)
}

/// `90s`, `10m`, `1h`, `1d`, `1w` in microseconds.
fn span(text: &str) -> Option<i64> {
    let (count, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds: i64 = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return None,
    };
    count.parse::<u32>().ok().filter(|count| *count > 0)?;
    count.parse::<i64>().ok()?.checked_mul(seconds)?.checked_mul(1_000_000)
}
