//! The state directory: who may write, which layout it has, what sources are called, how far back lines are kept.
//!
//! A folder goes in. Whoever only asks needs nothing of it but read access; whoever writes holds its lock, which ends with the process
//! however that ends.

mod notes;

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

pub use notes::Notes;

use crate::index::{LAYOUT, OLDEST};

/// What the layout of a folder is called; behind it stands the number of the days' layout.
const LAYOUT_OF: &str = "postfix-insights state ";

/// A state directory.
#[derive(Clone, Debug)]
pub struct State {
    root: PathBuf,
}

/// Why a state directory cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// The folder or a file in it cannot be made, read or written.
    #[error("{path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another process writes.
    #[error("{path} is being written to by another postfix-insights; wait for it, stop it, or use another --state")]
    Busy {
        /// The folder.
        path: PathBuf,
    },
    /// The layout is that of an older version.
    #[error(
        "{path} was written by an older version (layout {found}, this one works with {LAYOUT}); bring it up to date with `postfix-insights reindex --state {path}`"
    )]
    Older {
        /// The folder.
        path: PathBuf,
        /// Its layout.
        found: u32,
    },
    /// The layout is that of another version.
    #[error(
        "{path} has the layout `{found}`, which this version does not know; use the version that wrote it, or another --state"
    )]
    Layout {
        /// The folder.
        path: PathBuf,
        /// What its layout file says.
        found: String,
    },
    /// The folder holds something else.
    #[error("{path} holds other files and is no state directory; name an empty or a new folder with --state")]
    Foreign {
        /// The folder.
        path: PathBuf,
    },
    /// The small database is damaged.
    #[error("{path}: {source}")]
    Notes {
        /// The database.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
}

/// Compression of what is remembered: it takes less than half its size.
const MEMORY_LEVEL: i32 = 3;

/// Held by the one process that writes.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl State {
    /// The state in a folder, which need not be there.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// The folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where the days are.
    #[must_use]
    pub fn index(&self) -> PathBuf {
        self.root.join("index")
    }

    /// Whether anything was ever written.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.layout().exists()
    }

    fn layout(&self) -> PathBuf {
        self.root.join("layout")
    }

    fn io(path: &Path) -> impl FnOnce(io::Error) -> StateError + '_ {
        |source| StateError::Io { path: path.to_owned(), source }
    }

    /// Checks that this version can read it.
    pub fn check(&self) -> Result<(), StateError> {
        match self.found()? {
            LAYOUT => Ok(()),
            found => Err(StateError::Older { path: self.root.clone(), found }),
        }
    }

    /// The number of its layout, if that can be read or written anew.
    fn found(&self) -> Result<u32, StateError> {
        let path = self.layout();
        let found = fs::read_to_string(&path).map_err(Self::io(&path))?;
        let number = found.trim_end().strip_prefix(LAYOUT_OF).and_then(|number| number.parse().ok());
        number.filter(|number| (OLDEST..=LAYOUT).contains(number)).ok_or_else(|| StateError::Layout {
            path: self.root.clone(),
            found: found.trim().chars().take(60).collect(),
        })
    }

    /// Makes the folder if it is not there, readable by its owner alone, and takes the lock.
    pub fn lock(&self) -> Result<Lock, StateError> {
        let lock = self.lock_any()?;
        self.check()?;
        Ok(lock)
    }

    /// Takes the lock of a folder that an older version may have written, to write it anew.
    pub fn lock_to_reindex(&self) -> Result<Lock, StateError> {
        let lock = self.lock_any()?;
        self.found()?;
        Ok(lock)
    }

    /// Says that all days are in the present layout. The caller has the lock.
    pub fn is_up_to_date(&self, _lock: &Lock) -> Result<(), StateError> {
        if self.found()? == LAYOUT { Ok(()) } else { self.write_layout() }
    }

    fn lock_any(&self) -> Result<Lock, StateError> {
        let made = !self.root.exists();
        fs::create_dir_all(&self.root).map_err(Self::io(&self.root))?;
        if made {
            private(&self.root).map_err(Self::io(&self.root))?;
        }
        if !self.exists() && holds_anything(&self.root).map_err(Self::io(&self.root))? {
            return Err(StateError::Foreign { path: self.root.clone() });
        }
        let path = self.root.join("lock");
        let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(Self::io(&path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StateError::Busy { path: self.root.clone() }),
            Err(TryLockError::Error(source)) => return Err(StateError::Io { path, source }),
        }
        if !self.exists() {
            self.write_layout()?;
        }
        Ok(Lock { _file: file })
    }

    /// Appears as a whole or not at all.
    fn write_layout(&self) -> Result<(), StateError> {
        let path = self.root.join("layout.new");
        let write = || -> io::Result<()> {
            let mut file = File::create(&path)?;
            writeln!(file, "{LAYOUT_OF}{LAYOUT}")?;
            file.sync_all()?;
            fs::rename(&path, self.layout())
        };
        write().map_err(Self::io(&path))
    }

    /// The key of pseudonyms, made on first use, readable by the folder's owner alone. Whoever removes it makes sure that nobody can ever
    /// test whom a pseudonym stands for; new ones will be different.
    pub fn key(&self) -> Result<[u8; 32], StateError> {
        let path = self.root.join("pseudonym.key");
        match fs::read(&path) {
            Ok(bytes) => {
                let broken = || io::Error::new(io::ErrorKind::InvalidData, "it is no key of 32 bytes");
                <[u8; 32]>::try_from(bytes).map_err(|_| broken()).map_err(Self::io(&path))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => make_key(&path).map_err(Self::io(&path)),
            Err(error) => Err(StateError::Io { path, source: error }),
        }
    }

    /// What was remembered of the lines; `None` if nothing is, or nothing that can be read.
    #[must_use]
    pub fn remembered(&self) -> Option<Vec<u8>> {
        // One of an earlier version, which was not compressed, is made anew like any that cannot be read.
        zstd::decode_all(fs::File::open(self.memory()).ok()?).ok()
    }

    /// Remembers it in place of what was remembered. It appears as a whole or not at all. The caller holds the lock.
    pub fn remember(&self, bytes: &[u8]) -> Result<(), StateError> {
        let path = self.memory();
        let remember = || write_whole(&path, &zstd::encode_all(bytes, MEMORY_LEVEL)?);
        remember().map_err(Self::io(&path))
    }

    /// Forgets it: before lines are taken out or changed, which it may quote. The caller holds the lock.
    pub fn forget(&self) -> Result<(), StateError> {
        let path = self.memory();
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StateError::Io { path, source: error }),
            _ => Ok(()),
        }
    }

    fn memory(&self) -> PathBuf {
        self.root.join("findings.memory")
    }

    /// The small database, for writing.
    pub fn notes(&self) -> Result<Notes, StateError> {
        let path = self.root.join("state.sqlite");
        Notes::open(&path).map_err(|source| StateError::Notes { path, source })
    }

    /// Path and bytes read of the sources that were followed last, by number.
    pub fn followed(&self) -> Result<BTreeMap<u64, (String, u64)>, StateError> {
        let path = self.root.join("state.sqlite");
        if !path.exists() {
            return Ok(BTreeMap::new());
        }
        let read = || Notes::open_read_only(&path)?.all_followed();
        match read() {
            // Written by a version that did not follow.
            Err(rusqlite::Error::SqliteFailure(_, Some(what))) if what.contains("no such table") => Ok(BTreeMap::new()),
            other => other.map_err(|source| StateError::Notes { path: path.clone(), source }),
        }
    }

    /// What sources are called now; nothing if nothing was ever noted.
    pub fn names(&self) -> Result<Vec<(crate::index::Identity, String)>, StateError> {
        let path = self.root.join("state.sqlite");
        if !path.exists() {
            return Ok(Vec::new());
        }
        let read = || Notes::open_read_only(&path)?.names();
        read().map_err(|source| StateError::Notes { path: path.clone(), source })
    }
}

/// Whether there is anything but what a first run that was killed leaves behind.
fn holds_anything(folder: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        if name != "lock" && name != "layout.new" && name != "lost+found" {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A new key out of the kernel's random numbers.
fn make_key(path: &Path) -> io::Result<[u8; 32]> {
    let mut key = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut key)?;
    write_whole(path, &key)?;
    Ok(key)
}

/// Writes a file that its owner alone may read. It appears as a whole or not at all.
fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let new = path.with_extension("new");
    let write = || {
        let mut file = File::options().create(true).truncate(true).write(true).mode(0o600).open(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, path)
    };
    // Half a file must not fill a disk that is full.
    write().inspect_err(|_| drop(fs::remove_file(&new)))
}

#[cfg(unix)]
fn private(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_writer_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::new(&folder.path().join("state"));
        assert!(!state.exists());
        let lock = state.lock().unwrap();
        assert!(matches!(state.lock(), Err(StateError::Busy { .. })));
        drop(lock);
        drop(state.lock().unwrap());
        state.check().unwrap();
    }

    #[test]
    fn other_folders_are_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("letter.txt"), "x").unwrap();
        assert!(matches!(State::new(folder.path()).lock(), Err(StateError::Foreign { .. })));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_newer_layout_is_never_misread() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::new(&folder.path().join("state"));
        drop(state.lock().unwrap());
        for unknown in [format!("{LAYOUT_OF}{}\n", LAYOUT + 1), format!("{LAYOUT_OF}0\n"), "letter\n".to_owned()] {
            fs::write(state.layout(), unknown).unwrap();
            assert!(matches!(state.check(), Err(StateError::Layout { .. })));
            assert!(matches!(state.lock(), Err(StateError::Layout { .. })));
            assert!(matches!(state.lock_to_reindex(), Err(StateError::Layout { .. })));
        }
    }

    #[test]
    fn an_older_layout_is_told_of_until_it_is_up_to_date() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::new(&folder.path().join("state"));
        drop(state.lock().unwrap());
        fs::write(state.layout(), format!("{LAYOUT_OF}{OLDEST}\n")).unwrap();
        let told = state.check().unwrap_err().to_string();
        assert!(told.contains(&format!("`postfix-insights reindex --state {}`", state.root().display())), "{told}");
        assert!(matches!(state.lock(), Err(StateError::Older { found: OLDEST, .. })));
        let lock = state.lock_to_reindex().unwrap();
        state.is_up_to_date(&lock).unwrap();
        drop(lock);
        drop(state.lock().unwrap());
        state.check().unwrap();
    }
}
