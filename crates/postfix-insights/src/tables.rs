//! `fields` and `causes`: the program's tables as pages of the manual.

use std::fmt::Write as _;

use query::{FIELDS, Kind};

use crate::exit::Exit;
use crate::print;

/// Prints the field table in Markdown.
pub(crate) fn fields() -> anyhow::Result<Exit> {
    print::text(&fields_page())?;
    Ok(Exit::Ok)
}

/// Prints the cause table in Markdown.
pub(crate) fn causes() -> anyhow::Result<Exit> {
    print::text(&causes_page())?;
    Ok(Exit::Ok)
}

fn fields_page() -> String {
    let mut page = String::from(
        "# Fields of an entry\n\nOne log line is one entry. Absent fields are left out. *Hostile* text was written by strangers; *personal* data is masked by `--mask`; in *cased* fields upper and lower case are different values.\n\n| field (short name) | type | meaning | |\n|---|---|---|---|\n",
    );
    for field in FIELDS {
        let alias = field.alias.map(|alias| format!(" (`{alias}`)")).unwrap_or_default();
        let marks = [(field.hostile, "hostile"), (field.personal, "personal"), (field.cased, "cased")]
            .into_iter()
            .filter(|(set, _)| *set)
            .map(|(_, mark)| mark)
            .collect::<Vec<_>>()
            .join(", ");
        let kind = field.kind.described().0;
        // Writing to a string cannot fail.
        let _ = writeln!(page, "| `{}`{alias} | {kind} | {} | {marks} |", field.name, field.meaning);
    }
    page.push_str(
        "\n## How a query asks for them\n\nSee [the query language](query.md).\n\n| type | behind the colon |\n|---|---|\n",
    );
    for kind in Kind::ALL {
        let (name, asked) = kind.described();
        let _ = writeln!(page, "| {name} | {asked} |");
    }
    page
}

fn causes_page() -> String {
    let mut page = String::from(
        "# Causes\n\nWhy a login did not succeed, or a message was refused. The confidence is that of the wording alone; other lines raise or lower it.\n",
    );
    for cause in diagnose::all() {
        let class = cause.class.map_or("none of its own", diagnose::Class::name);
        // Writing to a string cannot fail.
        let _ = write!(
            page,
            "\n## {}\n\n`{}`, counted as {class}, {:.0} % sure by its wording\n\n{}\n",
            cause.title,
            cause.id,
            cause.confidence * 100.0,
            cause.meaning
        );
        if !cause.evidence.is_empty() {
            let _ = write!(page, "\nSurer with: {}\n", cause.evidence);
        }
        let _ = write!(page, "\nThe client is told: {}. Wording: {}.\n\n", cause.told, cause.source);
        for check in cause.next {
            let why = if check.why.is_empty() { String::new() } else { format!(": {}", check.why) };
            let _ = writeln!(page, "- {}: `{}`{why}", check.with.name(), check.command);
        }
    }
    page
}

#[cfg(test)]
mod tests {
    /// The manual's pages are these tables: `postfix-insights fields > docs/reference/fields.md` renews the one,
    /// `postfix-insights causes > docs/reference/causes.md` the other.
    #[test]
    fn the_manual_has_the_tables() {
        let page = |name: &str| {
            std::fs::read_to_string(format!("{}/../../docs/reference/{name}.md", env!("CARGO_MANIFEST_DIR"))).unwrap()
        };
        assert_eq!(page("fields"), super::fields_page());
        assert_eq!(page("causes"), super::causes_page());
    }
}
