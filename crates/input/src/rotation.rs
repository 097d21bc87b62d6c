//! What the name of a rotated log says about its age.
//!
//! Known: `mail.log.1`, `mail.log.2.gz`, `maillog-20251122`, `maillog-20251122.xz`, `mail.log.20251122-061500.gz` (postlogd),
//! `mail.log-2025-11-22`. Files with the same name but for this, in the same folder, are one log.

use std::io;
use std::path::{Path, PathBuf};

const PACKED: [&str; 7] = ["gz", "xz", "bz2", "zst", "zstd", "z", "lzma"];

/// A file's place in its rotation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rotated {
    /// The path without what tells the age: the same for all files of one log.
    pub(crate) log: PathBuf,
    /// Smaller is newer. `None`: the file that is being written.
    pub(crate) age: Option<Age>,
}

/// How old a rotated file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Age {
    /// `.N`.
    Number(u32),
    /// Day of rotation as days since 1970-01-01, and the digits after it.
    Date(i64, u32),
}

impl Rotated {
    /// Newest first.
    pub(crate) fn rank(&self) -> (u8, i64, i64) {
        match self.age {
            None => (0, 0, 0),
            Some(Age::Number(number)) => (1, i64::from(number), 0),
            Some(Age::Date(day, clock)) => (2, -day, -i64::from(clock)),
        }
    }
}

/// The files of the log that a path belongs to, as they stand in its folder now. A pattern or a folder stands for itself.
#[must_use]
pub fn with_rotated(path: &Path) -> Vec<PathBuf> {
    if path.is_dir() || (path.to_string_lossy().contains(['*', '?', '[']) && !path.exists()) {
        return vec![path.to_owned()];
    }
    let log = rotated(path).log;
    let folder = log.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let named = entries.map(|entry| log.with_file_name(entry.file_name()));
    let mut files: Vec<PathBuf> = named.filter(|file| rotated(file).log == log && file.is_file()).collect();
    files.sort();
    files
}

/// Reads a path. Only the file name counts.
pub(crate) fn rotated(path: &Path) -> Rotated {
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let bare = match name.rsplit_once('.') {
        Some((stem, packed)) if PACKED.contains(&packed.to_ascii_lowercase().as_str()) => stem,
        _ => &name,
    };
    let (base, age) = numbered(bare).or_else(|| dated(bare)).map_or((bare, None), |(base, age)| (base, Some(age)));
    Rotated { log: path.with_file_name(base), age }
}

/// A log and its rotated files, newest first. A folder that does not exist has none.
pub(crate) fn family(log: &Path) -> io::Result<Vec<PathBuf>> {
    let folder = log.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut files: Vec<(Rotated, PathBuf)> = Vec::new();
    for entry in entries {
        // Joined to the name as given, so that `mail.log` stays `mail.log` and does not become `./mail.log`.
        let path = log.with_file_name(entry?.file_name());
        let rotated = rotated(&path);
        if rotated.log == log && path.is_file() {
            files.push((rotated, path));
        }
    }
    files.sort_by_key(|(rotated, _)| rotated.rank());
    Ok(files.into_iter().map(|(_, path)| path).collect())
}

fn numbered(name: &str) -> Option<(&str, Age)> {
    let (base, number) = name.rsplit_once('.')?;
    let plain = (1..=5).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit()) && !base.is_empty();
    plain.then(|| number.parse().ok().map(|n| (base, Age::Number(n)))).flatten()
}

/// The first separator behind which a date stands.
fn dated(name: &str) -> Option<(&str, Age)> {
    name.match_indices(['-', '.', '_']).filter(|(at, _)| *at > 0).find_map(|(at, _)| {
        let (base, rest) = name.split_at_checked(at)?;
        let digits: String = rest.chars().filter(char::is_ascii_digit).collect();
        let only_date = rest.chars().all(|c| c.is_ascii_digit() || matches!(c, '-' | '.' | '_' | 'T'));
        let number = |from: usize, to: usize| digits.get(from..to)?.parse::<i64>().ok();
        let (year, month, day) = (number(0, 4)?, number(4, 6)?, number(6, 8)?);
        let clock = digits.get(8..).filter(|c| c.len() <= 6)?.parse().unwrap_or(0);
        let is_date = only_date && (1980..2200).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
        is_date.then(|| (base, Age::Date(maillog::days_from_civil(year, month, day), clock)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let check = |name: &str, log: &str, age: Option<Age>| {
            assert_eq!(rotated(Path::new(name)), Rotated { log: log.into(), age }, "{name}")
        };
        let date = |clock| Some(Age::Date(maillog::days_from_civil(2025, 11, 22), clock));
        check("/l/mail.log", "/l/mail.log", None);
        check("/l/mail.log.1", "/l/mail.log", Some(Age::Number(1)));
        check("/l/mail.log.12.gz", "/l/mail.log", Some(Age::Number(12)));
        check("/l/mail.log.gz", "/l/mail.log", None);
        check("maillog-20251122", "maillog", date(0));
        check("maillog-20251122.xz", "maillog", date(0));
        check("mail.log.20251122-061500.gz", "mail.log", date(61500));
        check("mail.log-2025-11-22", "mail.log", date(0));
        check("mail-2.log", "mail-2.log", None);
        check("mail.log-20259922", "mail.log-20259922", None);
        check(".1", ".1", None);
    }

    #[test]
    fn newest_first() {
        let names = ["m", "m.1", "m.2.gz", "m.10.gz"];
        let ranks: Vec<_> = names.iter().map(|n| rotated(Path::new(n)).rank()).collect();
        assert!(ranks.is_sorted());
        let dated: Vec<_> = ["m", "m-20251122", "m-20251121.gz"].iter().map(|n| rotated(Path::new(n)).rank()).collect();
        assert!(dated.is_sorted());
    }
}
