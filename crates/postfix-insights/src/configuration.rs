//! The configuration file as defaults of options.
//!
//! The command line's own declaration and a file go in; the same command line comes out, with the file's values in place of its defaults
//! and an environment variable for each of them. So an option says what it said before, and flag goes before variable, variable before
//! file. Which options may stand in the file, [`keys`] alone says.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::builder::OsStr;
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, Command};
use config::{Key, Kind, Setting};

/// Where it is looked for.
const USUAL: &str = "/etc/postfix-insights/config.toml";
/// The option that names it, and its variable.
const OPTION: &str = "--config";
const VARIABLE: &str = "POSTFIX_INSIGHTS_CONFIG";

/// A section of the file: options of which commands, besides what stands elsewhere.
struct Section {
    name: &'static str,
    title: &'static str,
    /// The first one's options are its keys; the others take the same values.
    commands: &'static [&'static str],
    /// Only these options; all of the first command if there are none.
    only: &'static [&'static str],
}

const SECTIONS: [Section; 5] = [
    Section { name: "", title: "For every command.", commands: EVERY, only: &["state", "timezone"] },
    Section {
        name: "retention",
        title: "How long lines are kept: for `ingest`, `follow` and `serve`.",
        commands: &["follow", "ingest", "serve"],
        only: &["keep_days", "keep_bytes", "pseudonymise_days"],
    },
    Section { name: "sources", title: "What `follow` and `serve` follow.", commands: &["follow", "serve"], only: &[] },
    Section { name: "serve", title: "The pages and the API.", commands: &["serve"], only: &[] },
    Section {
        name: "findings",
        title: "What a site says about itself: its findings are judged by it.",
        commands: EVERY,
        only: &["own_networks", "monitoring", "ignored", "default_domain", "thresholds"],
    },
];

/// Stands for all commands.
const EVERY: &[&str] = &[];
/// Options of a single question, which belong in no file.
const OF_A_QUESTION: [&str; 14] = [
    "config",
    "help",
    "version",
    "color",
    "mask",
    "quiet",
    "verbose",
    "json",
    "since",
    "until",
    "year",
    "query",
    "no_follow",
    "top",
];
/// Options of `serve` that are called otherwise in `[sources]`.
const CALLED: [(&str, &str); 1] = [("files", "follow")];

/// A key of the file, and what it is a default of.
pub(crate) struct Known {
    pub(crate) key: Key,
    /// Commands and their options' ids.
    targets: Vec<(String, String)>,
    /// The option of the first of them.
    arg: Arg,
}

impl Known {
    /// The variable that goes before the file.
    pub(crate) fn variable(&self) -> String {
        match self.arg.get_env() {
            Some(variable) => variable.to_string_lossy().into_owned(),
            None => format!("POSTFIX_INSIGHTS_{}", self.key.name.to_ascii_uppercase()),
        }
    }

    /// What its section is about.
    pub(crate) fn title(&self) -> &'static str {
        SECTIONS.iter().find(|section| section.name == self.key.section).map_or("", |section| section.title)
    }

    /// What it means.
    pub(crate) fn help(&self) -> String {
        self.arg.get_help().map(ToString::to_string).unwrap_or_default()
    }

    /// What a value of it is.
    pub(crate) fn value_name(&self) -> String {
        let name = self.arg.get_value_names().and_then(|names| names.first()).map(ToString::to_string);
        name.unwrap_or_else(|| "VALUE".to_owned())
    }

    /// What it is without the file.
    pub(crate) fn default(&self) -> Vec<String> {
        self.arg.get_default_values().iter().map(|value| value.to_string_lossy().into_owned()).collect()
    }
}

/// Every key that may stand in the file.
pub(crate) fn keys(command: &Command) -> Vec<Known> {
    let mut known: Vec<Known> = Vec::new();
    for section in &SECTIONS {
        let mut owners: Vec<&Command> =
            section.commands.iter().filter_map(|name| command.find_subcommand(name)).collect();
        if section.commands.is_empty() {
            owners = command.get_subcommands().collect();
        }
        for owner in &owners {
            // The first command says which keys there are, unless they are named.
            let is_first = !section.only.is_empty() || section.commands.first() == Some(&owner.get_name());
            for arg in owner.get_arguments() {
                let Some(name) = name_in(section, is_first, arg, &known) else { continue };
                let target = (owner.get_name().to_owned(), arg.get_id().to_string());
                let is_it = |known: &&mut Known| known.key.section == section.name && known.key.name == name;
                match known.iter_mut().find(is_it) {
                    Some(known) => known.targets.push(target),
                    None => {
                        let key = Key { section: section.name.to_owned(), name, kind: kind(arg) };
                        known.push(Known { key, targets: vec![target], arg: arg.clone() });
                    }
                }
            }
        }
    }
    known
}

/// What an option is called in a section, if it stands there.
fn name_in(section: &Section, is_first: bool, arg: &Arg, known: &[Known]) -> Option<String> {
    let id = arg.get_id().as_str();
    if !section.only.is_empty() {
        return section.only.contains(&id).then(|| id.to_owned());
    }
    if arg.is_hide_set() || OF_A_QUESTION.contains(&id) || SECTIONS.iter().any(|section| section.only.contains(&id)) {
        return None;
    }
    let called = CALLED.iter().find(|(_, called)| *called == id).map(|(name, _)| *name);
    let source = || known.iter().any(|known| known.key.section == "sources" && known.key.name == id);
    match section.name {
        "sources" if is_first => Some(id.to_owned()),
        // FILES of others are a question of their own.
        _ if arg.is_positional() => None,
        "sources" => called.map(str::to_owned).or_else(|| source().then(|| id.to_owned())),
        "serve" if called.is_some() || source() => None,
        _ => Some(id.to_owned()),
    }
}

fn kind(arg: &Arg) -> Kind {
    let many = arg.get_num_args().is_some_and(|range| range.max_values() > 1);
    match arg.get_action() {
        ArgAction::SetTrue => Kind::Switch,
        ArgAction::Append => Kind::List,
        _ if many => Kind::List,
        _ => Kind::One,
    }
}

/// A file that was read.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    /// Which; `None`: there is none.
    pub(crate) path: Option<PathBuf>,
    /// What stands in it.
    pub(crate) settings: Vec<Setting>,
}

impl Loaded {
    /// The setting of a key.
    pub(crate) fn of(&self, key: &Key) -> Option<&Setting> {
        self.settings.iter().find(|setting| setting.section == key.section && setting.name == key.name)
    }
}

/// The file that the command line, the environment or the system names, read.
pub(crate) fn load(command: &Command, args: &[OsString]) -> anyhow::Result<Loaded> {
    let named = named(args).or_else(|| std::env::var_os(VARIABLE).filter(|path| !path.is_empty())).map(PathBuf::from);
    let path = named.clone().unwrap_or_else(|| PathBuf::from(USUAL));
    match std::fs::read_to_string(&path) {
        Ok(text) => parse(command, &path, &text),
        // A file that nobody named need not be there, nor be for everybody to read.
        Err(error)
            if named.is_none() && matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) =>
        {
            Ok(Loaded::default())
        }
        Err(error) => Err(error).with_context(|| path.display().to_string()),
    }
}

/// Reads a file's text, values included.
pub(crate) fn parse(command: &Command, path: &Path, text: &str) -> anyhow::Result<Loaded> {
    let known = keys(command);
    let plain: Vec<Key> = known.iter().map(|known| known.key.clone()).collect();
    let settings = config::parse(text, &plain)
        .map_err(|wrong| anyhow::anyhow!("{}:{}: {}", path.display(), wrong.line, wrong.what))?;
    for setting in &settings {
        let known = known.iter().find(|known| known.key.section == setting.section && known.key.name == setting.name);
        if let Some(why) = known.and_then(|known| refusal(command, known, setting)) {
            anyhow::bail!("{}:{}: {}: {why}", path.display(), setting.line, setting.name);
        }
    }
    Ok(Loaded { path: Some(path.to_owned()), settings })
}

/// Why an option does not take a value.
fn refusal(command: &Command, known: &Known, setting: &Setting) -> Option<String> {
    let (name, id) = known.targets.first()?;
    let owner = command.find_subcommand(name)?;
    // Asked of the option alone: the others have no say in it.
    let arg = owner.get_arguments().find(|arg| arg.get_id().as_str() == id)?.clone();
    let alone = Command::new("config").disable_help_flag(true).arg(alone(arg));
    let given = setting.values.iter().map(|value| OsString::from(format!("--value={value}")));
    let given: Vec<OsString> = match known.key.kind {
        Kind::Switch => Vec::new(),
        _ => given.collect(),
    };
    match alone.try_get_matches_from(std::iter::once(OsString::from("config")).chain(given)) {
        Err(error) if !matches!(error.kind(), ErrorKind::MissingRequiredArgument) => {
            Some(error.to_string().lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned())
        }
        _ => None,
    }
}

/// The option as `--value`, without what it says of others.
fn alone(arg: Arg) -> Arg {
    let plain =
        Arg::new("value").long("value").action(arg.get_action().clone()).value_parser(arg.get_value_parser().clone());
    match arg.get_value_delimiter() {
        Some(delimiter) => plain.value_delimiter(delimiter),
        None => plain,
    }
}

/// What `--config` names.
fn named(args: &[OsString]) -> Option<OsString> {
    let mut args = args.iter().skip(1).take_while(|arg| *arg != "--");
    while let Some(arg) = args.next() {
        if arg == OPTION {
            return args.next().cloned();
        }
        if let Some(path) = arg.to_str().and_then(|arg| arg.strip_prefix(OPTION)?.strip_prefix('=')) {
            return Some(path.into());
        }
    }
    None
}

/// An option's id, its variable, and the file's values.
type Given = (String, OsStr, Option<Vec<String>>);

/// The command line with a file's values as its defaults.
pub(crate) fn applied(mut command: Command, loaded: &Loaded) -> Command {
    // Each command is taken up once: every program start pays for it.
    let mut by_command: BTreeMap<String, Vec<Given>> = BTreeMap::new();
    for known in keys(&command) {
        let values = loaded.of(&known.key).map(|setting| setting.values.clone());
        let variable = OsStr::from(known.variable());
        for (name, id) in known.targets {
            by_command.entry(name).or_default().push((id, variable.clone(), values.clone()));
        }
    }
    for (name, args) in by_command {
        command = command.mut_subcommand(name, |owner| {
            args.into_iter().fold(owner, |owner, (id, variable, values)| {
                owner.mut_arg(id, |arg| {
                    let has_own = arg.get_env().is_some() || arg.is_positional();
                    let arg = if has_own { arg } else { arg.env(variable) };
                    match values {
                        Some(values) => arg.default_values(values.into_iter().map(OsStr::from)),
                        None => arg,
                    }
                })
            })
        });
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory as _, FromArgMatches as _};

    use crate::cli::{self, Cli};

    fn load_text(text: &str) -> anyhow::Result<Loaded> {
        parse(&Cli::command(), Path::new("c.toml"), text)
    }

    fn cli(text: &str, args: &[&str]) -> Cli {
        let command = applied(Cli::command(), &load_text(text).unwrap());
        Cli::from_arg_matches(&command.try_get_matches_from(args).unwrap()).unwrap()
    }

    #[test]
    fn a_file_gives_defaults_and_flags_go_before_it() {
        let text = "state = '/srv/mail'\n[sources]\nfiles = ['/a', '/b']\njournal = true\nsyslog = ['127.0.0.1:5140']\n[retention]\nkeep_days = 90\n[serve]\nlisten = '127.0.0.1:1'\n";
        let cli::Command::Follow(follow) = cli(text, &["p", "follow"]).command else { panic!() };
        assert_eq!((follow.state, follow.files), (Some("/srv/mail".into()), vec!["/a".into(), "/b".into()]));
        assert!(follow.journal && follow.syslog.len() == 1 && follow.retention.keep_days == Some(90));
        let cli::Command::Follow(follow) =
            cli(text, &["p", "follow", "--state", "/x", "--keep-days", "7", "/c"]).command
        else {
            panic!()
        };
        assert_eq!((follow.state, follow.files), (Some("/x".into()), vec!["/c".into()]));
        assert_eq!((follow.retention.keep_days, follow.journal), (Some(7), true));
        let cli::Command::Serve(serve) = cli(text, &["p", "serve"]).command else { panic!() };
        assert_eq!((serve.listen.port(), serve.state), (1, Some("/srv/mail".into())));
        let cli::Command::Triage(triage) = cli(text, &["p", "triage", "x.log"]).command else { panic!() };
        assert_eq!((triage.input.state, triage.input.files.len()), (Some("/srv/mail".into()), 1));
        let cli::Command::Ingest(ingest) = cli(text, &["p", "ingest", "x.log"]).command else { panic!() };
        assert_eq!(ingest.retention.keep_days, Some(90));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let check = |text: &str, expected: &str| {
            let told = format!("{:#}", load_text(text).unwrap_err());
            assert!(told.starts_with(expected), "{told}");
        };
        check("[serve]\nlisten = 'nowhere'", "c.toml:2: listen: invalid value 'nowhere'");
        check("[retention]\nkeep_days = 'long'", "c.toml:2: keep_days: invalid value 'long'");
        check("[sources]\nsyslog = ['127.0.0.1']", "c.toml:2: syslog: invalid value '127.0.0.1'");
        check(
            "[retention]\nkeep_day = 1",
            "c.toml:2: there is no key `keep_day` in [retention]; did you mean `keep_days`?",
        );
    }

    #[test]
    fn the_file_is_named_in_any_form() {
        let of = |args: &[&str]| named(&args.iter().map(OsString::from).collect::<Vec<_>>());
        assert_eq!(of(&["p", "follow", "--config", "a"]), Some("a".into()));
        assert_eq!(of(&["p", "--config=b", "follow"]), Some("b".into()));
        assert_eq!(of(&["p", "follow", "--", "--config=b"]), None);
    }

    #[test]
    fn each_key_stands_once_and_tells_what_it_means() {
        let keys = keys(&Cli::command());
        let mut names: Vec<(String, String)> =
            keys.iter().map(|known| (known.key.section.clone(), known.key.name.clone())).collect();
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(keys.iter().all(|known| !known.help().is_empty()));
        for section in ["", "sources", "retention", "serve"] {
            assert!(names.iter().any(|(known, _)| known == section), "{section}");
        }
    }
}
