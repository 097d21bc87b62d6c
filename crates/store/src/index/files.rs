//! The files of a day as its readers see them: what is looked up is mapped, packed lines are read.
//!
//! An answer that needs all lines goes through all blocks of packed lines once. Mapped, they would count as the process's memory until the
//! day is closed; read, a block is there as long as it is in use.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tantivy::directory::error::{DeleteError, LockError, OpenReadError, OpenWriteError};
use tantivy::directory::{
    Directory, DirectoryLock, FileHandle, Lock, MmapDirectory, OwnedBytes, WatchCallback, WatchHandle, WritePtr,
};
use tantivy::{HasLen, Index};

/// Opens the index of a day for reading.
pub(super) fn open(folder: &Path) -> tantivy::Result<Index> {
    Index::open(Files { folder: folder.to_owned(), mapped: MmapDirectory::open(folder)? })
}

#[derive(Clone, Debug)]
struct Files {
    folder: PathBuf,
    mapped: MmapDirectory,
}

impl Directory for Files {
    fn get_file_handle(&self, path: &Path) -> Result<Arc<dyn FileHandle>, OpenReadError> {
        if path.extension().is_none_or(|end| end != "store") {
            return self.mapped.get_file_handle(path);
        }
        let opened = File::open(self.folder.join(path)).and_then(|file| {
            let length = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
            Ok(ReadFile { file, length })
        });
        match opened {
            Ok(file) => Ok(Arc::new(file)),
            Err(why) if why.kind() == io::ErrorKind::NotFound => Err(OpenReadError::FileDoesNotExist(path.to_owned())),
            Err(why) => Err(OpenReadError::wrap_io_error(why, path.to_owned())),
        }
    }

    fn delete(&self, path: &Path) -> Result<(), DeleteError> {
        self.mapped.delete(path)
    }

    fn exists(&self, path: &Path) -> Result<bool, OpenReadError> {
        self.mapped.exists(path)
    }

    fn open_write(&self, path: &Path) -> Result<WritePtr, OpenWriteError> {
        self.mapped.open_write(path)
    }

    fn atomic_read(&self, path: &Path) -> Result<Vec<u8>, OpenReadError> {
        self.mapped.atomic_read(path)
    }

    fn atomic_write(&self, path: &Path, data: &[u8]) -> io::Result<()> {
        self.mapped.atomic_write(path, data)
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.mapped.sync_directory()
    }

    fn acquire_lock(&self, lock: &Lock) -> Result<DirectoryLock, LockError> {
        // One that the system lets go of when its holder ends.
        self.mapped.acquire_lock(lock)
    }

    fn watch(&self, callback: WatchCallback) -> tantivy::Result<WatchHandle> {
        self.mapped.watch(callback)
    }
}

/// A file of which parts are read where they are needed.
#[derive(Debug)]
struct ReadFile {
    file: File,
    length: usize,
}

impl HasLen for ReadFile {
    fn len(&self) -> usize {
        self.length
    }
}

impl FileHandle for ReadFile {
    fn read_bytes(&self, range: Range<usize>) -> io::Result<OwnedBytes> {
        // Lengths that damage made up must not be made room for.
        if range.end > self.length || range.start > range.end {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut bytes = vec![0; range.len()];
        self.file.read_exact_at(&mut bytes, range.start as u64)?;
        Ok(OwnedBytes::new(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_read_and_nothing_beyond() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("x.store"), b"packed").unwrap();
        let files = Files { folder: folder.path().to_owned(), mapped: MmapDirectory::open(folder.path()).unwrap() };
        let file = files.get_file_handle(Path::new("x.store")).unwrap();
        assert_eq!((file.len(), file.read_bytes(1..4).unwrap().as_slice()), (6, b"ack".as_slice()));
        assert!(file.read_bytes(6..6).unwrap().is_empty());
        assert!(file.read_bytes(4..7).is_err() && file.read_bytes(usize::MAX - 1..usize::MAX).is_err());
        let gone = files.get_file_handle(Path::new("y.store"));
        assert!(matches!(gone, Err(OpenReadError::FileDoesNotExist(_))), "{gone:?}");
    }
}
