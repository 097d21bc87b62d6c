//! `fields`: the field table as a page of the manual.

use std::fmt::Write as _;

use query::{FIELDS, Kind};

use crate::exit::Exit;
use crate::print;

/// Prints the field table in Markdown.
pub(crate) fn run() -> anyhow::Result<Exit> {
    print::text(&markdown())?;
    Ok(Exit::Ok)
}

fn markdown() -> String {
    let mut page = String::from("# Fields of an entry\n\nOne log line is one entry. Absent fields are left out. *Hostile* text was written by strangers; *personal* data is masked by `--mask`.\n\n| field | type | meaning | |\n|---|---|---|---|\n");
    for field in FIELDS {
        let alias = field.alias.map(|alias| format!(" (`{alias}`)")).unwrap_or_default();
        let kind = match field.kind {
            Kind::Time => "time",
            Kind::Text => "text",
            Kind::Int => "integer",
            Kind::Real => "number",
            Kind::Reals => "four numbers",
            Kind::Flag => "flag",
        };
        let marks = [(field.hostile, "hostile"), (field.personal, "personal")].into_iter().filter(|(set, _)| *set).map(|(_, mark)| mark).collect::<Vec<_>>().join(", ");
        // Writing to a string cannot fail.
        let _ = writeln!(page, "| `{}`{alias} | {kind} | {} | {marks} |", field.name, field.meaning);
    }
    page
}

#[cfg(test)]
mod tests {
    /// The manual's page is this table: `postfix-insights fields > docs/reference/fields.md` renews it.
    #[test]
    fn the_manual_has_the_table() {
        let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/fields.md")).unwrap();
        assert_eq!(page, super::markdown());
    }
}
