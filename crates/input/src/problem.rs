//! Why a source cannot be read, in words that say how to go on.
//!
//! Source of the advice: the group that may read logs is `adm` on Debian, others elsewhere; it is looked up, never assumed.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A source that was asked for and cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// No such file.
    #[error("{}: no such file or folder", path.display())]
    Missing {
        /// As given.
        path: PathBuf,
    },
    /// A pattern that matches nothing.
    #[error("{pattern}: no file matches this pattern")]
    NoMatch {
        /// As given.
        pattern: String,
    },
    /// The permissions are against it.
    #[error("{}: permission denied ({}): {}", path.display(), access.describe(), access.advice())]
    Denied {
        /// The file, or the folder on the way to it that is closed.
        path: PathBuf,
        /// Who may read it.
        access: Access,
    },
    /// A folder in which nothing looks like a log.
    #[error("{}: no log in this folder", path.display())]
    NoLogs {
        /// The folder.
        path: PathBuf,
    },
    /// Packed in a format that is not read here.
    #[error("{}: packed as {format}, which is not supported: unpack it first", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// The format.
        format: String,
    },
    /// Nothing in the usual places.
    #[error("no mail log found in the usual places ({places}) and no journal: name the log files")]
    NothingFound {
        /// Where was looked.
        places: String,
    },
    /// Anything else the system says.
    #[error("{name}: cannot be read: {source}")]
    Io {
        /// The source.
        name: String,
        /// What the system said.
        source: io::Error,
    },
}

impl Problem {
    /// The problem behind an error met at a path.
    pub(crate) fn of(path: &Path, error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Missing { path: path.to_owned() },
            io::ErrorKind::PermissionDenied => {
                denied(path).unwrap_or_else(|| Self::Io { name: path.display().to_string(), source: error })
            }
            io::ErrorKind::Unsupported => Self::Unsupported { path: path.to_owned(), format: error.to_string() },
            _ => Self::Io { name: path.display().to_string(), source: error },
        }
    }
}

/// The file itself, or the nearest folder above it that can still be looked at: that one is closed.
fn denied(path: &Path) -> Option<Problem> {
    path.ancestors().find_map(|at| {
        let at = if at.as_os_str().is_empty() { Path::new(".") } else { at };
        let access = Access::of(&std::fs::metadata(at).ok()?);
        Some(Problem::Denied { path: at.to_owned(), access })
    })
}

/// Who may read a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// Name of the owner, or the number if it has no name.
    pub owner: String,
    /// Name of the group, or the number if it has no name.
    pub group: String,
    /// Permission bits.
    pub mode: u32,
    /// Whether it is a folder.
    pub is_folder: bool,
}

impl Access {
    /// Reads a file's permissions and looks up the names.
    #[must_use]
    pub fn of(metadata: &Metadata) -> Self {
        Self {
            owner: name_of("/etc/passwd", metadata.uid()),
            group: name_of("/etc/group", metadata.gid()),
            mode: metadata.mode() & 0o7777,
            is_folder: metadata.is_dir(),
        }
    }

    fn describe(&self) -> String {
        format!("owner {}, group {}, mode {:04o}", self.owner, self.group, self.mode)
    }

    /// What to do about it. Joining the group helps only if the group may read, and is no advice for root's own group.
    fn advice(&self) -> String {
        let needed = if self.is_folder { 0o050 } else { 0o040 };
        if self.mode & needed == needed && self.group != "root" {
            format!("add yourself to group {0} (usermod -aG {0} USER, then log in again) or run with sudo", self.group)
        } else {
            "run with sudo, or let a group read it".to_owned()
        }
    }
}

/// Looks a number up in `/etc/passwd` or `/etc/group`.
fn name_of(table: &str, id: u32) -> String {
    let table = std::fs::read_to_string(table).unwrap_or_default();
    let row = table.lines().find(|row| row.split(':').nth(2) == Some(id.to_string().as_str()));
    row.and_then(|row| row.split(':').next()).map_or_else(|| id.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(group: &str, mode: u32) -> Access {
        Access { owner: "syslog".into(), group: group.into(), mode, is_folder: false }
    }

    #[test]
    fn denial_names_owner_group_mode_and_the_way_out() {
        let problem = |group: &str, mode| {
            Problem::Denied { path: "/var/log/mail.log".into(), access: access(group, mode) }.to_string()
        };
        assert_eq!(
            problem("adm", 0o640),
            "/var/log/mail.log: permission denied (owner syslog, group adm, mode 0640): add yourself to group adm (usermod -aG adm USER, then log in again) or run with sudo"
        );
        assert_eq!(
            problem("adm", 0o600),
            "/var/log/mail.log: permission denied (owner syslog, group adm, mode 0600): run with sudo, or let a group read it"
        );
        assert!(problem("root", 0o640).ends_with("run with sudo, or let a group read it"));
    }

    #[test]
    fn system_errors_become_problems() {
        let of = |kind| Problem::of(Path::new("/etc/no/such/file"), io::Error::from(kind));
        assert!(matches!(of(io::ErrorKind::NotFound), Problem::Missing { .. }));
        assert!(
            matches!(of(io::ErrorKind::PermissionDenied), Problem::Denied { path, .. } if path == Path::new("/etc"))
        );
        assert!(matches!(of(io::ErrorKind::Unsupported), Problem::Unsupported { .. }));
        assert!(matches!(of(io::ErrorKind::Other), Problem::Io { .. }));
    }

    #[test]
    fn names_are_looked_up() {
        let access = Access::of(&std::fs::metadata("/etc/passwd").unwrap());
        assert_eq!((access.owner.as_str(), access.is_folder), ("root", false));
        assert_eq!(name_of("/etc/passwd", 4_000_000_000), "4000000000");
    }
}
