//! `config`: what may stand in the configuration file, whether it is in order, and what is set.

use std::fmt::Write as _;
use std::path::PathBuf;

use answers::screen::escape;
use anyhow::Context as _;
use clap::CommandFactory as _;
use config::Kind;

use crate::cli::{self, Cli};
use crate::configuration::{self, Known, Loaded};
use crate::exit::Exit;
use crate::print;

/// Runs the command.
pub(crate) fn run(args: &cli::Config, loaded: &Loaded) -> anyhow::Result<Exit> {
    match &args.what {
        cli::ConfigCommand::Check { file } => check(file.as_ref(), loaded),
        cli::ConfigCommand::Show => {
            print::text(&show(loaded))?;
            Ok(Exit::Ok)
        }
        cli::ConfigCommand::Sample => {
            print::text(&sample())?;
            Ok(Exit::Ok)
        }
    }
}

/// Reading it has shown already whether it is in order, unless another one is meant.
fn check(file: Option<&PathBuf>, loaded: &Loaded) -> anyhow::Result<Exit> {
    let (path, count) = match file {
        Some(path) => {
            let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
            (Some(path.clone()), configuration::parse(&Cli::command(), path, &text)?.settings.len())
        }
        None => (loaded.path.clone(), loaded.settings.len()),
    };
    let told = match path {
        Some(path) => format!("{}: in order, {count} set\n", path.display()),
        None => "there is no configuration file; everything is as `config sample` shows it\n".to_owned(),
    };
    print::text(&told)?;
    Ok(Exit::Ok)
}

/// Every key with its value and where that comes from.
fn show(loaded: &Loaded) -> String {
    let path = loaded.path.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
    let mut text = String::new();
    in_sections(&mut text, |known, text| {
        let of_variable = std::env::var(known.variable()).ok().filter(|value| !value.is_empty());
        let (values, from) = match (of_variable, loaded.of(&known.key)) {
            (Some(value), _) => (vec![value], known.variable()),
            (None, Some(setting)) => (setting.values.clone(), format!("{path}:{}", setting.line)),
            (None, None) => (known.default(), "default".to_owned()),
        };
        let hash = if values.is_empty() { "# " } else { "" };
        let _ = writeln!(text, "{hash}{} = {}  # {}", known.key.name, shown(known, &values), escape(&from));
    });
    text
}

/// A file in which everything stands as it is without one.
fn sample() -> String {
    let mut text = "# The configuration of Postfix Insights: /etc/postfix-insights/config.toml, or what --config names.\n\
         # Every key is an option of the same name; the option goes before its variable, the variable before this file.\n"
        .to_owned();
    in_sections(&mut text, |known, text| {
        let _ = writeln!(text, "\n# {}\n# Variable: {}", known.help().replace('\n', "\n# "), known.variable());
        let _ = writeln!(text, "# {} = {}", known.key.name, shown(known, &known.default()));
    });
    text
}

/// Writes of each key under its section.
fn in_sections(text: &mut String, mut write: impl FnMut(&Known, &mut String)) {
    let mut section = String::new();
    for known in configuration::keys(&Cli::command()) {
        if known.key.section != section {
            section.clone_from(&known.key.section);
            let _ = writeln!(text, "\n# {}\n[{section}]", known.title());
        }
        write(&known, text);
    }
}

/// A value as it stands in the file.
fn shown(known: &Known, values: &[String]) -> String {
    let quoted = |value: &String| format!("\"{}\"", value.escape_default());
    let example = known.value_name();
    match (known.key.kind, values) {
        (Kind::Switch, [on]) => on.clone(),
        (Kind::Switch, _) => "false".to_owned(),
        (Kind::List, values) => format!("[{}]", values.iter().map(quoted).collect::<Vec<_>>().join(", ")),
        (Kind::One, [value]) if value.parse::<i64>().is_ok() => value.clone(),
        (Kind::One, [value, ..]) => quoted(value),
        (Kind::One, []) => format!("\"{example}\""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn the_sample_is_that_of_the_manual_and_can_be_read() {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/config.toml");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(&page, sample()).unwrap();
        }
        assert_eq!(std::fs::read_to_string(page).unwrap(), sample(), "UPDATE_DOCS=1 cargo test writes it anew");
        let parse = |text: &str| configuration::parse(&Cli::command(), Path::new("sample"), text);
        assert_eq!(parse(&sample()).unwrap().settings, []);
        // With its defaults set, it is as without them.
        let is_example = |line: &str| line.contains("= \"") && !line.contains(':') && !line.contains("/\"");
        let set: String = sample()
            .lines()
            .map(|line| {
                match line
                    .strip_prefix("# ")
                    .filter(|line| line.split_once(" = ").is_some_and(|(key, _)| !key.contains(' ')))
                {
                    Some(key) if !is_example(key) => format!("{key}\n"),
                    _ => format!("{line}\n"),
                }
            })
            .collect();
        assert!(parse(&set).unwrap().settings.len() > 3, "{set}");
    }
}
