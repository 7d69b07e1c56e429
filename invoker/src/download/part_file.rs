//! Bytes and their offsets go in; a file of the given name comes out, only when it is whole.
//!
//! Until then there is `NAME.part`, which nobody takes for a finished file.

use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;

use crate::error::{Error, ErrorKind};

/// An unfinished file. Dropped unfinished, it is removed.
pub(super) struct PartFile {
    file: File,
    part: PathBuf,
    target: PathBuf,
    /// Where the file's cursor stands, to save a system call when pieces are consecutive.
    cursor: u64,
    finished: bool,
}

impl PartFile {
    /// Creates `NAME.part` beside `target`, and makes sure that nobody else writes it.
    pub(super) fn create(target: &Path) -> Result<Self, Error> {
        let target = resolve(target)?;
        let mut name = target.file_name().unwrap_or_default().to_owned();
        name.push(".part");
        let part = target.with_file_name(name);
        let file = loop {
            let file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(false)
                .open(&part)
                .map_err(|error| failed("create", &part, error))?;
            match file.try_lock() {
                Ok(()) => {}
                Err(std::fs::TryLockError::WouldBlock) => {
                    let message = format!("another process is writing {}", part.display());
                    return Err(Error::new(ErrorKind::LocalFile, message));
                }
                // A file system without locks has one writer by the care of its user.
                Err(std::fs::TryLockError::Error(_)) => {}
            }
            // Between opening and locking, the writer before may have given this very file its
            // final name, or removed it.
            if is_at(&file, &part) {
                break file;
            }
        };
        file.set_len(0).map_err(|error| failed("empty", &part, error))?;
        Ok(Self { file, part, target, cursor: 0, finished: false })
    }

    pub(super) fn write_at(&mut self, offset: u64, bytes: &Bytes) -> Result<(), Error> {
        let written = (|| {
            if offset != self.cursor {
                self.file.seek(SeekFrom::Start(offset))?;
            }
            self.file.write_all(bytes)
        })();
        written.map_err(|error| failed("write", &self.part, error))?;
        self.cursor = offset + bytes.len() as u64;
        Ok(())
    }

    /// Makes the bytes durable, then gives the file its name, if that is still `wanted`.
    pub(super) fn finish(mut self, wanted: &AtomicBool) -> Result<(), Error> {
        self.file.sync_data().map_err(|error| failed("sync", &self.part, error))?;
        if !wanted.load(Ordering::Acquire) {
            return Err(Error::new(ErrorKind::LocalFile, "the download was given up"));
        }
        std::fs::rename(&self.part, &self.target)
            .map_err(|error| failed("rename", &self.part, error))?;
        self.finished = true;
        // The rename itself is durable when the folder is. Not every system can open a folder.
        if let Some(folder) = self.target.parent()
            && let Ok(folder) = File::open(folder)
        {
            let _ = folder.sync_all();
        }
        Ok(())
    }
}

impl Drop for PartFile {
    fn drop(&mut self) {
        if !self.finished {
            let _ = std::fs::remove_file(&self.part);
        }
    }
}

/// Whether `path` still means this open file.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let identity = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(open), Ok(named)) => identity(open) == identity(named),
        _ => false,
    }
}

/// Elsewhere an open file can be neither renamed nor removed.
#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> bool {
    true
}

/// The file that `target` means: through a link to where it points, because the rename would
/// replace the link itself. What is no plain file cannot be replaced.
fn resolve(target: &Path) -> Result<PathBuf, Error> {
    let resolved = match std::fs::canonicalize(target) {
        Ok(resolved) => resolved,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            std::path::absolute(target).map_err(|error| failed("create", target, error))?
        }
        Err(error) => return Err(failed("create", target, error)),
    };
    let plain = std::fs::metadata(&resolved).is_ok_and(|metadata| !metadata.is_file());
    if plain || resolved.file_name().is_none() {
        let message = format!("{} is not a file that can be replaced", target.display());
        return Err(Error::new(ErrorKind::LocalFile, message));
    }
    Ok(resolved)
}

fn failed(what: &str, path: &Path, error: std::io::Error) -> Error {
    Error::new(ErrorKind::LocalFile, format!("cannot {what} {}", path.display())).with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_its_name_only_when_finished() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("out");
        std::fs::write(&target, "before").unwrap();
        let write = |bytes: &'static [u8]| {
            let mut part = PartFile::create(&target).unwrap();
            part.write_at(2, &Bytes::from_static(&bytes[2..])).unwrap();
            part.write_at(0, &Bytes::from_static(&bytes[..2])).unwrap();
            part
        };
        drop(write(b"after"));
        assert_eq!(std::fs::read(&target).unwrap(), b"before");
        let error = write(b"after").finish(&AtomicBool::new(false)).unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::LocalFile);
        assert_eq!(std::fs::read(&target).unwrap(), b"before");
        write(b"after").finish(&AtomicBool::new(true)).unwrap();
        assert_eq!(std::fs::read(&target).unwrap(), b"after");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no part file is left");
    }

    #[test]
    fn two_writers_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("out");
        let first = PartFile::create(&target).unwrap();
        let error = PartFile::create(&target).err().unwrap();
        assert_eq!(*error.kind(), ErrorKind::LocalFile);
        first.finish(&AtomicBool::new(true)).unwrap();
    }

    #[test]
    fn what_is_no_file_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        for target in [folder.path().to_owned(), folder.path().join("no/such/folder")] {
            assert_eq!(*PartFile::create(&target).err().unwrap().kind(), ErrorKind::LocalFile);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let (target, link) = (folder.path().join("real"), folder.path().join("link"));
        std::fs::write(&target, "before").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        PartFile::create(&link).unwrap().finish(&AtomicBool::new(true)).unwrap();
        assert!(link.is_symlink());
        assert_eq!(std::fs::read(&target).unwrap(), b"");
    }
}
