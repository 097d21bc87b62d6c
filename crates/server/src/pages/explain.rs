//! What a log line says: a line is pasted, its fields, class, cause and next steps come out.

use axum::response::Response;
use serde::Deserialize;
use serde_json::Value;

use super::{Layout, html};
use crate::asked::Asked;
use crate::data::explained;
use crate::problem::Problem;

#[derive(askama::Template)]
#[template(path = "explain.html")]
struct Page {
    layout: Layout,
    line: String,
    told: Option<Told>,
}

/// What is said of a line.
struct Told {
    explain: Explain,
    class: Option<String>,
    fields: Vec<(&'static str, &'static str, String)>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Explain {
    title: String,
    cause: Option<String>,
    confidence: f64,
    why: String,
    told: Option<String>,
    next: Vec<String>,
    source: String,
}

impl Explain {
    fn sure(&self) -> u64 {
        (self.confidence * 100.0).round().max(0.0) as u64
    }
}

/// Answers.
pub(crate) fn answer(asked: &Asked) -> Result<Response, Problem> {
    let line = asked.params.get("line").unwrap_or_default();
    let told = if line.trim().is_empty() { None } else { Some(told(explained(line.trim(), asked.viewer.mask()))?) };
    html(&Page { layout: Layout::asked(asked, "explain", "Explain a line"), line: line.to_owned(), told })
}

fn told(mut value: Value) -> Result<Told, Problem> {
    let explain = value.as_object_mut().and_then(|object| object.remove("explain")).unwrap_or_default();
    let explain = serde_json::from_value(explain).map_err(|error| Problem::ours(&error.into()))?;
    let shown = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let field = |field: &'static query::Field| {
        let value = shown(value.get(field.name)?);
        Some((field.name, field.meaning, answers::screen::escape(&value).into_owned()))
    };
    let fields = query::FIELDS.iter().filter_map(field).collect();
    Ok(Told { explain, class: value.get("class").map(shown), fields })
}
