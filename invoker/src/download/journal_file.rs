//! Records go in; they stand in the file `NAME.part.journal`, one behind the other.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::file_identity::is_at;
use super::journal::{Header, Journal, Record, Unreadable};
use super::part_file::failed;
use crate::error::{Error, ErrorKind};

/// The longest journal that is read, in bytes. One of a TiB in segments of 5 MiB has 9 MiB.
const LENGTH_LIMIT: u64 = 1024 * 1024 * 1024;

/// A journal that is being written. Its writer holds the lock of the part file.
pub(super) struct JournalFile {
    file: File,
    path: PathBuf,
    /// A record was not written whole: behind it there must be no other.
    torn: bool,
}

/// Where the journal of a part file is.
pub(super) fn path_beside(part: &Path) -> PathBuf {
    let mut name = OsString::from(part.file_name().unwrap_or_default());
    name.push(".journal");
    part.with_file_name(name)
}

/// What a journal says; `None` where there is none, or one in which nothing was recorded yet.
pub(super) fn read(path: &Path) -> Result<Option<Journal>, Error> {
    let found = std::fs::symlink_metadata(path).and_then(|found| match found.is_file() {
        true => File::open(path),
        false => Err(std::io::Error::other("it is not a plain file")),
    });
    let file = match found {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed("read", path, error)),
    };
    let mut bytes = Vec::new();
    file.take(LENGTH_LIMIT).read_to_end(&mut bytes).map_err(|error| failed("read", path, error))?;
    match Journal::decode(&bytes) {
        Ok(journal) => Ok(Some(journal)),
        Err(Unreadable::Torn) => Ok(None),
        Err(why) => {
            let message = format!("{} cannot be continued from", path.display());
            Err(Error::new(ErrorKind::CannotResume, message).with_source(why))
        }
    }
}

/// Removes whatever is at `path`.
pub(super) fn remove(path: &Path) -> Result<(), Error> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(failed("remove", path, error))
        }
        _ => Ok(()),
    }
}

impl JournalFile {
    /// Begins a journal in place of whatever is there.
    pub(super) fn create(path: PathBuf, header: &Header) -> Result<Self, Error> {
        let bytes = header.encode().map_err(std::io::Error::other);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true); // never through a link
        // It holds the payload, which may be nobody else's business. Elsewhere the folder's rights count.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        remove(&path)?;
        let written = bytes.and_then(|bytes| {
            let mut file = options.open(&path)?;
            file.write_all(&bytes)?;
            Ok(file)
        });
        match written {
            Ok(file) => Ok(Self { file, path, torn: false }),
            Err(error) => Err(failed("write", &path, error)),
        }
    }

    /// Goes on behind what was read.
    pub(super) fn reopen(path: PathBuf, journal: &Journal) -> Result<Self, Error> {
        // Not opened to append: Windows lets no such file be shortened.
        let opened = OpenOptions::new().write(true).open(&path).and_then(|mut file| {
            file.set_len(journal.len)?;
            file.seek(SeekFrom::Start(journal.len))?;
            Ok(file)
        });
        match opened {
            Ok(file) => Ok(Self { file, path, torn: false }),
            Err(error) => Err(failed("write", &path, error)),
        }
    }

    pub(super) fn append(&mut self, record: &Record) -> Result<(), Error> {
        if self.torn {
            return Ok(());
        }
        let written = self.file.write_all(&record.encode());
        self.torn = written.is_err();
        written.map_err(|error| failed("write", &self.path, error))
    }

    /// Removes it, unless another download has put its own in its place.
    pub(super) fn remove(self) {
        if is_at(&self.file, &self.path) {
            let _ = std::fs::remove_file(&self.path);
        }
    }

    pub(super) fn sync(&self) {
        // What did not reach the disk is not there after a crash, which the sums of runs tell.
        let _ = self.file.sync_data();
    }
}
