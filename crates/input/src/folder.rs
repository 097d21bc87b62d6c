//! The logs in a folder, or where there is none in it, those in the folders below: a log server keeps one for each host.
//!
//! Which files are logs their first KiB tell, not their names. Below the folder that was named no link is followed: what is read lies in
//! that folder.

use std::fs;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::look;
use crate::open;
use crate::problem::Problem;
use crate::source::{Source, Sources};

/// How much of a file in a folder is looked at.
const LOOK_BYTES: u64 = 16 << 10;
/// Levels of folders below the one that was named: host, year, month, day.
const LEVELS_BELOW: u32 = 4;
/// Files and folders looked at below it, at most.
const ENTRIES_BELOW: usize = 10_000;

/// The logs that a folder stands for. Those that cannot be read are named: they might be.
pub(crate) fn logs(path: &Path) -> Sources {
    let mut search = Search { found: Sources::default(), entries: 0, folders: 0 };
    if let Err(error) = search.folder(path, 0) {
        return Sources { problems: vec![Problem::of(path, error)], ..Sources::default() };
    }
    let Search { mut found, entries, folders } = search;
    if entries > ENTRIES_BELOW {
        let source =
            io::Error::other(format!("more than {ENTRIES_BELOW} files below it: name the folders or the files"));
        found.problems.push(Problem::Io { name: path.display().to_string(), source });
    }
    if found.list.is_empty() && found.problems.is_empty() {
        found.problems.push(Problem::NoLogs { path: path.to_owned() });
    }
    if folders > 0 {
        let (logs, folders) = (counted(found.list.len(), "log"), counted(folders, "folder"));
        found.choice = Some(format!("{}: {logs} in {folders} below it", path.display()));
    }
    found
}

fn counted(number: usize, what: &str) -> String {
    if number == 1 { format!("one {what}") } else { format!("{number} {what}s") }
}

struct Search {
    found: Sources,
    /// Looked at below the first folder.
    entries: usize,
    /// Below the first folder, with a log.
    folders: usize,
}

impl Search {
    fn folder(&mut self, path: &Path, level: u32) -> io::Result<()> {
        let (mut files, mut folders) = (Vec::new(), Vec::new());
        for entry in fs::read_dir(path)?.flatten() {
            let (path, kind) = (entry.path(), entry.file_type());
            if is_hidden(&path) {
                continue;
            }
            match kind {
                Ok(kind) if kind.is_dir() => folders.push(path),
                Ok(kind) if kind.is_file() || level == 0 && path.is_file() => files.push(path),
                _ => {}
            }
        }
        files.sort();
        folders.sort();
        if !self.files(files, level) && level < LEVELS_BELOW {
            for folder in folders {
                if !self.has_room(1) {
                    break;
                }
                if let Err(error) = self.folder(&folder, level + 1) {
                    self.found.problems.push(Problem::of(&folder, error));
                }
            }
        }
        Ok(())
    }

    /// Takes those that are logs. Output: whether there was any, or one that cannot be read.
    fn files(&mut self, files: Vec<PathBuf>, level: u32) -> bool {
        let before = (self.found.list.len(), self.found.problems.len());
        for file in files {
            if level > 0 && !self.has_room(1) {
                break;
            }
            match looks_like_log(&file) {
                Ok(true) => self.found.list.push(Source::file(file)),
                Ok(false) => {}
                Err(error) => self.found.problems.push(Problem::of(&file, error)),
            }
        }
        let has_log = self.found.list.len() > before.0;
        self.folders += usize::from(has_log && level > 0);
        has_log || self.found.problems.len() > before.1
    }

    fn has_room(&mut self, more: usize) -> bool {
        self.entries += more;
        self.entries <= ENTRIES_BELOW
    }
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_bytes().starts_with(b"."))
}

/// Whether one of the first lines has a time, after unpacking. An archive that cannot be unpacked counts: its damage is to be reported.
fn looks_like_log(path: &Path) -> io::Result<bool> {
    let opened = match open::open_file(path, &Arc::default()) {
        Ok(opened) => opened,
        Err(error) if error.kind() == io::ErrorKind::Unsupported => return Ok(false),
        Err(error) => return Err(error),
    };
    let (mut start, packed) = (Vec::new(), opened.packing != open::Packing::Plain);
    match opened.reader.take(LOOK_BYTES).read_to_end(&mut start) {
        Ok(_) => Ok(start.split(|b| *b == b'\n').any(|line| look::stamp_of(line).is_some())),
        Err(_) if packed => Ok(true),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discover::tests::{LINE, tree};

    /// Names, problems and what is told of the choice, without the folder's own name.
    fn found(root: &tempfile::TempDir) -> (Vec<String>, Vec<String>, String) {
        let sources = logs(root.path());
        let bare = |text: &str| text.replace(&root.path().display().to_string(), "").trim_start_matches('/').to_owned();
        (
            sources.list().iter().map(|source| bare(source.name())).collect(),
            sources.problems().iter().map(|problem| bare(&problem.to_string())).collect(),
            bare(sources.choice().unwrap_or_default()),
        )
    }

    #[test]
    fn a_folder_for_each_host() {
        let root = tree(&[
            ("mx1/mail.log", LINE),
            ("mx1/mail.log.1", LINE),
            ("mx1/older/mail.log.2", LINE),
            ("mx2/2026/11/mail.log", LINE),
            ("mx3/README", "no log\n"),
            (".git/log", LINE),
            ("README", "no log\n"),
            ("a/b/c/d/e/mail.log", LINE),
        ]);
        let (names, problems, choice) = found(&root);
        assert_eq!(names, ["mx1/mail.log", "mx1/mail.log.1", "mx2/2026/11/mail.log"]);
        assert_eq!((problems.len(), choice.as_str()), (0, ": 3 logs in 2 folders below it"));
        // Where it has a log of its own, those below are others' business.
        fs::write(root.path().join("mail.log"), LINE).unwrap();
        assert_eq!(found(&root), (vec!["mail.log".to_owned()], Vec::new(), String::new()));
    }

    #[test]
    fn links_lead_nowhere() {
        let elsewhere = tree(&[("mail.log", LINE), ("deep/mail.log", LINE)]);
        let root = tree(&[("mx1/mail.log", LINE)]);
        let link = |from: &str, to: &str| std::os::unix::fs::symlink(from, root.path().join(to)).unwrap();
        link(&elsewhere.path().display().to_string(), "mx2");
        link(&elsewhere.path().join("mail.log").display().to_string(), "mx1/other.log");
        link("..", "mx1/up");
        link(".", "self");
        assert_eq!(found(&root).0, ["mx1/mail.log"]);
        // The folder that was named may hold links, as ever, and be one.
        link(&elsewhere.path().join("mail.log").display().to_string(), "linked.log");
        assert_eq!(found(&root).0, ["linked.log"]);
        assert_eq!(logs(&root.path().join("mx2")).list().len(), 1);
    }

    #[test]
    fn what_is_closed_or_too_much_is_told() {
        let root = tree(&[("mx1/photos.txt", "x"), ("mx2/deep/empty", "")]);
        assert_eq!(found(&root).1, [": no log in this folder"]);
        for n in 0..=ENTRIES_BELOW {
            fs::write(root.path().join(format!("mx1/{n}")), "x").unwrap();
        }
        fs::write(root.path().join("mx1/0.log"), LINE).unwrap();
        let (names, problems, _) = found(&root);
        assert_eq!(names, ["mx1/0.log"]);
        assert!(
            problems.len() == 1
                && problems[0].ends_with("more than 10000 files below it: name the folders or the files")
        );
    }
}
