//! From what the user typed to sources.
//!
//! Input: arguments (files, `-`, folders, patterns), or none: then the usual places are tried. Output: sources in the order given, and a
//! [`Problem`] for each argument that leads nowhere. Nothing is read here but the first KiB of files in folders, to tell logs from others.
//!
//! Source of the places: where distributions and mail appliances keep the mail log (Debian, Red Hat, SUSE, docker-mailserver, Zimbra).

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use crate::folder;
use crate::problem::Problem;
use crate::rotation;
use crate::source::{Origin, Source, Sources};

/// The usual places, the likeliest first: files whose name starts so, but for the suffixes of rotation.
const PLACES: [&str; 6] = [
    "var/log/mail.log",
    "var/log/maillog",
    "var/log/mail",
    "var/log/mail/mail.log",
    "var/log/postfix.log",
    "var/log/zimbra.log",
];
const JOURNALCTL: [&str; 2] = ["usr/bin/journalctl", "bin/journalctl"];

/// Finds the sources behind the arguments; without arguments, those in the usual places below `root` (`/` but in tests).
pub fn discover<A: AsRef<OsStr>>(arguments: &[A], root: &Path) -> Sources {
    if arguments.is_empty() {
        return usual_places(root);
    }
    let arguments = arguments.iter().map(AsRef::as_ref);
    // Standard input is there once: two readers would tear its lines apart.
    let mut has_input = false;
    let once = arguments.filter(|argument| *argument != "-" || !std::mem::replace(&mut has_input, true));
    once.map(argument_sources).fold(Sources::default(), Sources::and)
}

fn argument_sources(argument: &OsStr) -> Sources {
    if argument == "-" {
        return Sources::stream("-", io::stdin());
    }
    let path = Path::new(argument);
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => folder::logs(path),
        Ok(metadata) if metadata.is_file() => Sources::files([path]),
        // A named pipe, `/dev/stdin`, the shell's `<(…)`.
        Ok(metadata) if metadata.file_type().is_fifo() || metadata.file_type().is_char_device() => {
            one(Source { name: path.display().to_string(), origin: Origin::Pipe(path.to_owned()) })
        }
        Ok(_) => problem(Problem::Io {
            name: path.display().to_string(),
            source: io::Error::other("neither a file nor a folder nor a pipe"),
        }),
        Err(error)
            if error.kind() == io::ErrorKind::NotFound && argument.as_bytes().iter().any(|b| b"*?[".contains(b)) =>
        {
            pattern(path)
        }
        Err(error) => problem(Problem::of(path, error)),
    }
}

fn one(source: Source) -> Sources {
    Sources { list: vec![source], ..Sources::default() }
}

fn problem(problem: Problem) -> Sources {
    Sources { problems: vec![problem], ..Sources::default() }
}

/// A pattern the shell has left alone, e.g. because it was quoted: the files that it means, or if it means folders alone, the logs in them.
fn pattern(path: &Path) -> Sources {
    let text = path.to_string_lossy();
    let matches = glob::glob(&text).map(|paths| paths.flatten().collect::<Vec<_>>()).unwrap_or_default();
    let (folders, files): (Vec<PathBuf>, Vec<PathBuf>) = matches.into_iter().partition(|path| path.is_dir());
    if !files.is_empty() {
        return Sources::files(files);
    }
    let mut found = folders.iter().map(|path| folder::logs(path)).fold(Sources::default(), Sources::and);
    if !found.list.is_empty() {
        found.problems.retain(|problem| !matches!(problem, Problem::NoLogs { .. }));
    }
    if found.list.is_empty() && found.problems.is_empty() {
        return problem(Problem::NoMatch { pattern: text.into_owned() });
    }
    found
}

fn usual_places(root: &Path) -> Sources {
    let mut unreadable = Vec::new();
    let mut empty = None;
    for place in PLACES {
        let first = root.join(place);
        let family = rotation::family(&first).unwrap_or_default();
        let (readable, closed): (Vec<PathBuf>, Vec<PathBuf>) =
            family.into_iter().partition(|path| File::open(path).is_ok());
        unreadable.extend(closed.iter().filter_map(|path| Some(Problem::of(path, File::open(path).err()?))));
        let holds_something = readable.iter().any(|path| fs::metadata(path).is_ok_and(|m| m.len() > 0));
        let Some(newest) = readable.first() else { continue };
        let choice = chosen(newest, readable.len());
        let sources = Sources { choice: Some(choice), ..Sources::files(readable) };
        if holds_something {
            return Sources { problems: unreadable, ..sources };
        }
        empty.get_or_insert(sources);
    }
    if let Some(journal) = journal(root).filter(|_| unreadable.is_empty()) {
        return journal;
    }
    if let Some(sources) = empty {
        return Sources { problems: unreadable, ..sources };
    }
    if unreadable.is_empty() {
        let places = PLACES.map(|place| root.join(place).display().to_string()).join(", ");
        return problem(Problem::NothingFound { places });
    }
    Sources { problems: unreadable, ..Sources::default() }
}

fn chosen(newest: &Path, count: usize) -> String {
    let rotated = match count {
        1 => String::new(),
        2 => " and one rotated file".to_owned(),
        _ => format!(" and {} rotated files", count - 1),
    };
    format!("{}{rotated}: the first of the usual places with a log that can be read", newest.display())
}

fn journal(root: &Path) -> Option<Sources> {
    let program = JOURNALCTL.iter().map(|place| root.join(place)).find(|path| path.is_file())?;
    let choice = "the journal: there is no mail log in the usual places".to_owned();
    let source = Source { name: "journal".to_owned(), origin: Origin::Journal(program) };
    Some(Sources { choice: Some(choice), ..one(source) })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    pub(crate) const LINE: &str = "Jun 17 10:25:14 mail postfix/smtpd[1]: x\n";

    fn names(sources: &Sources, root: &Path) -> Vec<String> {
        sources.list().iter().map(|s| s.name().replace(&format!("{}/", root.display()), "")).collect()
    }

    /// A folder with these files in it.
    pub(crate) fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    fn found(files: &[(&str, &str)], arguments: &[&str]) -> (Vec<String>, Vec<String>, Option<String>) {
        let root = tree(files);
        let arguments: Vec<PathBuf> =
            arguments.iter().map(|a| if *a == "-" { a.into() } else { root.path().join(a) }).collect();
        let sources = discover(&arguments, root.path());
        let problems = sources
            .problems()
            .iter()
            .map(|p| p.to_string().replace(&format!("{}/", root.path().display()), ""))
            .collect();
        (
            names(&sources, root.path()),
            problems,
            sources.choice().map(|c| c.replace(&format!("{}/", root.path().display()), "")),
        )
    }

    #[test]
    fn arguments() {
        let files = [
            ("l/mail.log", LINE),
            ("l/mail.log.1", LINE),
            ("l/README.md", "not a log\n"),
            ("l/.hidden", LINE),
            ("l/sub/mail.log", LINE),
            ("e/README", "x"),
            ("l/broken.gz", "\u{1f}"),
        ];
        assert_eq!(found(&files, &["l/mail.log", "-"]).0, ["l/mail.log", "-"]);
        assert_eq!(found(&files, &["-", "l/mail.log", "-"]).0, ["-", "l/mail.log"]);
        assert_eq!(found(&files, &["l"]).0, ["l/mail.log", "l/mail.log.1"]);
        assert_eq!(found(&files, &["l/mail.log*"]).0, ["l/mail.log", "l/mail.log.1"]);
        assert_eq!(found(&files, &["l/x*"]).1[0].rsplit('/').next().unwrap(), "x*: no file matches this pattern");
        assert_eq!(found(&files, &["l/none", "l/mail.log"]).1, ["l/none: no such file or folder"]);
        assert_eq!(found(&files, &["e"]).1, ["e: no log in this folder"]);
        let hosts = [
            ("r/mx1/mail.log", LINE),
            ("r/mx2/2026/mail.log", LINE),
            ("r/mx3/README", "x"),
            ("s/all.log", LINE),
            ("s/mx1/mail.log", LINE),
        ];
        assert_eq!(found(&hosts, &["r"]).0, ["r/mx1/mail.log", "r/mx2/2026/mail.log"]);
        assert_eq!(
            found(&hosts, &["r/*"]),
            (
                vec!["r/mx1/mail.log".into(), "r/mx2/2026/mail.log".into()],
                Vec::new(),
                Some("r/mx2: one log in one folder below it".into())
            )
        );
        assert_eq!(found(&hosts, &["s/*"]).0, ["s/all.log"]);
        assert_eq!(found(&hosts, &["r/mx3*"]).1, ["r/mx3: no log in this folder"]);
    }

    #[test]
    fn a_damaged_archive_in_a_folder_is_not_passed_over() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("mail.log.2.gz"), [0x1f, 0x8b, 8, 0, 0]).unwrap();
        fs::write(root.path().join("photos.zip"), b"PK\x03\x04....").unwrap();
        assert_eq!(names(&discover(&[root.path()], root.path()), root.path()), ["mail.log.2.gz"]);
    }

    #[test]
    fn a_socket_is_no_source() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        assert!(
            discover(&[path], root.path()).problems()[0]
                .to_string()
                .ends_with("neither a file nor a folder nor a pipe")
        );
    }

    #[test]
    fn the_usual_places() {
        let both = [
            ("var/log/maillog", LINE),
            ("var/log/mail.log", LINE),
            ("var/log/mail.log.2.gz", LINE),
            ("var/log/mail.log.1", LINE),
            ("var/log/mail.logger", LINE),
        ];
        let (names, problems, choice) = found(&both, &[]);
        assert_eq!(names, ["var/log/mail.log", "var/log/mail.log.1", "var/log/mail.log.2.gz"]);
        assert_eq!(
            (problems.len(), choice.as_deref()),
            (
                0,
                Some("var/log/mail.log and 2 rotated files: the first of the usual places with a log that can be read")
            )
        );
        assert_eq!(found(&[("var/log/mail/mail.log", LINE)], &[]).0, ["var/log/mail/mail.log"]);
        assert_eq!(found(&[("var/log/mail", LINE)], &[]).0, ["var/log/mail"]);
        assert_eq!(found(&[("var/log/mail.log", ""), ("var/log/maillog", LINE)], &[]).0, ["var/log/maillog"]);
        assert_eq!(found(&[("var/log/mail.log", "")], &[]).0, ["var/log/mail.log"]);
        assert!(found(&[], &[]).1[0].starts_with("no mail log found in the usual places (var/log/mail.log, "));
    }

    #[test]
    fn the_journal_when_there_is_no_file() {
        let (names, problems, choice) = found(&[("usr/bin/journalctl", "")], &[]);
        assert_eq!((names, problems.len()), (vec!["journal".to_owned()], 0));
        assert!(choice.unwrap().starts_with("the journal: "));
    }

    #[test]
    fn what_may_not_be_read_is_named() {
        let root = tree(&[("var/log/mail.log", LINE)]);
        let path = root.path().join("var/log/mail.log");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
        // Root may read everything.
        if File::open(&path).is_err() {
            for sources in [discover::<&str>(&[], root.path()), discover(&[root.path().join("var/log")], root.path())] {
                assert!(matches!(&sources.problems()[0], Problem::Denied { .. }), "{:?}", sources.problems());
            }
        }
    }
}
