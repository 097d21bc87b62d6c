//! How a query that is being typed may go on: its text up to the caret goes in; names of fields, or values of the field that is being typed, come out.
//!
//! `{"from": 12, "words": [{"text", "meaning"}]}`: a word replaces the text from that character on.

use axum::response::Response;
use query::{FIELDS, Field, Glob, Kind, Query, Term, Test};
use serde_json::{Value, json};
use store::TopAsked;

use super::terms;
use crate::api;
use crate::asked::Asked;
use crate::problem::Problem;

/// Words at most.
const WORDS: usize = 9;

/// Answers.
pub(crate) fn answer(asked: &Asked) -> Result<Response, Problem> {
    let text = asked.query_text();
    let (from, word) = last_word(text);
    let words = match word.split_once(':') {
        Some((name, begun)) => values(asked, name, begun)?,
        None => names(word),
    };
    api::json(&json!({"from": from, "words": words}))
}

/// The word at the end, and the character it begins at. A quote that is open is no word of ours.
fn last_word(text: &str) -> (usize, &str) {
    if !text.matches('"').count().is_multiple_of(2) {
        return (text.chars().count(), "");
    }
    let begin = text.rfind([' ', '(', '\t']).map_or(0, |at| at + 1);
    let word = text.get(begin..).unwrap_or_default();
    let word = word.strip_prefix('-').unwrap_or(word);
    (text.chars().count() - word.chars().count(), word)
}

fn names(begun: &str) -> Vec<Value> {
    if begun.is_empty() {
        return Vec::new();
    }
    let fits =
        |field: &&Field| field.name.starts_with(begun) || field.alias.is_some_and(|alias| alias.starts_with(begun));
    let name = |field: &Field| match field.alias {
        Some(alias) if alias.starts_with(begun) => alias,
        _ => field.name,
    };
    let word = |field: &Field| json!({"text": format!("{}:", name(field)), "meaning": field.meaning});
    FIELDS.iter().filter(fits).take(WORDS).map(word).collect()
}

/// The commonest values that begin so.
fn values(asked: &Asked, name: &str, begun: &str) -> Result<Vec<Value>, Problem> {
    let Some(field) = query::field(name).filter(|field| field.facet) else { return Ok(Vec::new()) };
    if field.personal && asked.viewer.is_masked() || begun.contains('"') {
        return Ok(Vec::new());
    }
    let query = match field.kind {
        Kind::Word => {
            let glob = Glob::new(vec![begun.to_owned(), String::new()], field.cased);
            Query::of(query::Expr::Term(Term { field, test: Test::Word(glob) }))
        }
        _ => Query::all(),
    };
    let top = asked
        .top(&query, TopAsked { field, distinct: None, limit: if field.kind == Kind::Word { WORDS } else { 200 } })?;
    let fits = top.values.into_iter().filter(|row| row.value.to_lowercase().starts_with(&begun.to_lowercase()));
    let word = |row: store::TopValue| {
        let text = terms::having(field, &row.value)?.to_string();
        let text = text.split_once(':').map_or(text.clone(), |(_, value)| format!("{name}:{value} "));
        Some(json!({"text": text, "meaning": answers::screen::plural(row.count, "entry", "entries")}))
    };
    Ok(fits.filter_map(word).take(WORDS).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_being_typed() {
        for (text, from, word) in [
            ("", 0, ""),
            ("cl", 0, "cl"),
            ("class:sent us", 11, "us"),
            ("-mech:PL", 1, "mech:PL"),
            ("class:(sent OR bo", 15, "bo"),
            ("user:\"a b", 9, ""),
            ("é us", 2, "us"),
        ] {
            assert_eq!(last_word(text), (from, word), "{text}");
        }
    }

    #[test]
    fn names_by_their_beginning() {
        let texts =
            |begun| names(begun).iter().map(|word| word["text"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
        assert_eq!(texts("us"), ["user:", "username_origin:"]);
        assert!(texts("cl").contains(&"class:".to_owned()) && texts("cl").contains(&"client:".to_owned()));
        assert!(texts("").is_empty() && texts("no_such").is_empty());
    }
}
