//! `fields`, `causes`, `reasons`, `checks` and `thresholds`: the program's tables as pages of the manual.

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

/// Prints the reason table and the status codes in Markdown.
pub(crate) fn reasons() -> anyhow::Result<Exit> {
    print::text(&reasons_page())?;
    Ok(Exit::Ok)
}

/// Prints the table of the doctor's checks in Markdown.
pub(crate) fn checks() -> anyhow::Result<Exit> {
    print::text(&checks_page())?;
    Ok(Exit::Ok)
}

/// Prints the kinds of findings and the figures that decide them, in Markdown.
pub(crate) fn thresholds() -> anyhow::Result<Exit> {
    print::text(&thresholds_page())?;
    Ok(Exit::Ok)
}

fn thresholds_page() -> String {
    let mut page = String::from("# Findings\n\nA page for each kind, the gravest first:\n\n");
    for kind in diagnose::Kind::ALL {
        // Writing to a string cannot fail.
        let _ = writeln!(page, "- [`{0}`]({0}.md)", kind.name());
    }
    page += "\n## The figures that decide\n\nOf `thresholds` in the section `[findings]` of the configuration file, or of `--threshold NAME=FIGURE`. Each finding says by which of them it was decided.\n\n| name | default | decides |\n|---|---|---|\n";
    for row in diagnose::detect::Thresholds::TABLE {
        let _ = writeln!(page, "| `{}` | {} {} | {} |", row.name, row.default, row.unit, row.meaning);
    }
    page
}

fn checks_page() -> String {
    let mut page = String::from(
        "# Checks\n\nWhat `postfix-insights doctor` looks at. A fault or a warning explains the causes named; a check that is ok rules them out for now.\n\n| check | looks whether | explains |\n|---|---|---|\n",
    );
    for kind in doctor::kinds() {
        let causes = kind.causes.iter().map(|cause| format!("`{cause}`")).collect::<Vec<_>>().join(", ");
        // Writing to a string cannot fail.
        let _ = writeln!(page, "| `{}` | **{}.** {} | {causes} |", kind.id, kind.title, kind.meaning);
    }
    page
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

fn reasons_page() -> String {
    let mut page = String::from(
        "# Reasons\n\nWhy a message was deferred, returned or refused. The words of the reply decide, then its status code; of two\nreasons that fit the earlier one is taken. A name or an address is never a reason.\n",
    );
    for reason in diagnose::reasons() {
        // Writing to a string cannot fail.
        let _ = write!(
            page,
            "\n## {}\n\n`{}`, in the hands of {}\n\n{}\n\n",
            reason.title,
            reason.id,
            reason.side.name(),
            reason.meaning
        );
        for step in reason.next {
            let _ = writeln!(page, "- {step}");
        }
        let door = reason.at_our_door();
        if !std::ptr::eq(door, reason) {
            let _ = write!(page, "\nWhere this server itself refuses: **{}.** {}\n\n", door.title, door.meaning);
            door.next.iter().for_each(|step| page.push_str(&format!("- {step}\n")));
        }
        if !reason.codes.is_empty() {
            let codes: Vec<String> =
                reason.codes.iter().map(|(subject, detail)| format!("`x.{subject}.{detail}`")).collect();
            let _ = write!(page, "\nCodes: {}.\n", codes.join(", "));
        }
        if !reason.words.is_empty() {
            let words: Vec<String> = reason.words.iter().map(|words| format!("`{}`", words.trim())).collect();
            let _ = write!(page, "\nWordings: {}.\n", words.join(", "));
        }
    }
    page.push_str("\n# Status codes\n\n`2.x.x` is delivered, `4.x.x` failed for now, `5.x.x` failed for good (RFC 3463, IANA registry).\n\n| code | about | meaning | what to do |\n|---|---|---|---|\n");
    for known in diagnose::registered() {
        let decoded = diagnose::StatusCode { class: 5, subject: known.subject, detail: known.detail }.decode();
        let _ = writeln!(
            page,
            "| `x.{}.{}` | {} | {} | {} |",
            known.subject, known.detail, decoded.subject, known.meaning, decoded.next
        );
    }
    page
}

#[cfg(test)]
mod tests {
    /// The manual's pages are these tables: `postfix-insights fields > docs/reference/fields.md` renews the one,
    /// the same goes for `causes`, `reasons` and `checks`.
    #[test]
    fn the_manual_has_the_tables() {
        let page = |name: &str| {
            std::fs::read_to_string(format!("{}/../../docs/reference/{name}.md", env!("CARGO_MANIFEST_DIR"))).unwrap()
        };
        assert_eq!(page("fields"), super::fields_page());
        assert_eq!(page("causes"), super::causes_page());
        assert_eq!(page("reasons"), super::reasons_page());
        assert_eq!(page("checks"), super::checks_page());
        // `postfix-insights thresholds > docs/reference/findings/README.md`
        assert_eq!(page("findings/README"), super::thresholds_page());
        for kind in diagnose::Kind::ALL {
            let text = page(&format!("findings/{}", kind.name()));
            for part in ["What it means", "How it is decided", "How it can be wrong", "What to do"] {
                assert!(text.contains(&format!("## {part}\n\n")), "{}: {part}", kind.name());
            }
        }
    }
}
