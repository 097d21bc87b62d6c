//! `count`, `top` and `histogram`: how many lines, of which values, when.

use anyhow::{Context as _, bail};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use query::{Field, Kind};
use serde_json::{Map, Value, json};
use store::Width;

use crate::mask::Mask;
use crate::times::rfc3339;

/// Buckets of a histogram at most, where the width was left to us: as many as a screen has room for.
const BUCKETS: usize = 60;

/// What `count --json` prints.
#[must_use]
pub fn count_json(count: u64) -> Value {
    json!({ "count": count })
}

/// Values of a personal field are masked where asked for.
pub fn mask_top(top: &mut store::Top, field: &Field, mask: Mask) {
    if field.personal {
        top.values.iter_mut().for_each(|row| row.value = mask.value(&row.value));
    }
}

/// The same for what a histogram is split by.
pub fn mask_histogram(histogram: &mut store::Histogram, by: Option<&Field>, mask: Mask) {
    if by.is_some_and(|field| field.personal) {
        histogram.values.iter_mut().for_each(|value| *value = mask.value(value));
    }
}

/// What `top --json` prints.
pub fn top_json(top: &store::Top, field: &Field, distinct: Option<&Field>) -> Value {
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

/// How wide buckets are by their text; as it fits a screen without one.
pub fn width(text: Option<&str>) -> anyhow::Result<Width> {
    match text {
        None => Ok(Width::Auto(BUCKETS)),
        Some(text) => span(text).map(Width::Fixed).with_context(|| format!("--width {text}: write 10m, 1h or 1d")),
    }
}

/// How far a zone is east of UTC at a moment, in microseconds: for a script that shows times.
#[must_use]
pub fn offset(zone: &TimeZone, now: Timestamp) -> i64 {
    i64::from(zone.to_offset(now).seconds()) * 1_000_000
}

/// What `histogram --json` prints.
pub fn histogram_json(histogram: &store::Histogram, by: Option<&Field>) -> Value {
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

/// The field of that name. Of masked answers the words of a text are none: any of them may name somebody.
pub fn field(name: &str, mask: Mask) -> anyhow::Result<&'static Field> {
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
