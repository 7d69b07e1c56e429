//! The name of a file below one directory comes in; the file as an object goes out. No name leads out
//! of the directory, and a file that changes while it is read ends in an error.

mod checksums;
mod read;

use super::{Metadata, Object, OpenError, Opening, Source, content_type};
use crate::error::{Error, ErrorKind};
use crate::failure::Failure;
use crate::version::Version;
use checksums::Checksums;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

const NO_SUCH: &str = "no such object";

/// A ring of links: `ELOOP`, for which the standard library has no stable kind. From each system's
/// `errno.h`; where it is neither of these, such a name is a failure instead of a 404.
const TOO_MANY_LINKS: Option<i32> = match () {
    _ if cfg!(any(target_os = "linux", target_os = "android")) => Some(40),
    _ if cfg!(any(target_vendor = "apple", target_os = "freebsd")) => Some(62),
    _ => None,
};

/// A source of the files below one directory.
///
/// The name of an object is its path below the directory, with `/` between the folders. A name with
/// an empty, a `.` or a `..` segment or a NUL has no object, nor has a folder or a special file.
/// Symbolic links are followed as long as they stay below the directory.
///
/// The **version** of a file is made of its size and the time of its last change, in nanoseconds.
/// Nothing that differs between two machines with the same files is in it (no inode, no device),
/// because every range of one object may be answered by another execution environment. So two files
/// of one name, one size and one time count as the same: do not replace a file by another that has
/// been given the time of the old one.
///
/// A file is **watched while it is read**: if its size or time is another one after the last byte than
/// at the first, or if it ends early, the body ends with `Function.ObjectChanged`. A file that is
/// replaced by renaming another one over it is read to its end as it was. The file system's clock
/// limits this: a change of the same size within the same tick (some milliseconds on Linux) as the
/// one before is not seen.
///
/// The **checksum** of a file, the CRC-64/NVME of all its bytes, is computed and remembered with the
/// version it belongs to, and every answer has it once it is known. An answer that begins at the first
/// byte of a file of at most 160 MiB waits for it (10 ms for 160 MiB in memory); of a larger file it
/// starts a computation beside it, one per process at a time, and the answers after its end have the
/// sum. Between the invocations of a function on Lambda it stands still. To read files twice may be
/// dear: [`without_checksums`](Self::without_checksums) and
/// [`keep_checksums_in`](Self::keep_checksums_in) are for that.
///
/// The directory itself is trusted: who may write into it can, in the moment between a check and the
/// opening, put a link in the place of a folder.
#[derive(Debug, Clone)]
pub struct Directory {
    /// Absolute and without links, so that other such paths can be compared with it.
    root: Arc<Path>,
    checksums: Option<Arc<Checksums>>,
}

impl Directory {
    /// The files below this directory.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Setting`], if it is no directory or cannot be read.
    pub fn new(path: impl AsRef<Path>) -> Result<Self, Error> {
        let root: Arc<Path> = folder(path.as_ref())?.into();
        let checksums = Checksums::new(Arc::clone(&root), None, SystemTime::now);
        Ok(Self { root, checksums: Some(Arc::new(checksums)) })
    }

    /// Reads no file but to answer with it: no answer has a checksum.
    pub fn without_checksums(self) -> Self {
        Self { checksums: None, ..self }
    }

    /// Also looks for checksums in this folder, and keeps there what it computes, for other processes
    /// and later ones. Where it cannot be written, what is there is still found.
    ///
    /// The sum of `a/b.bin` in the version `"file-64-18a0"` is the file
    /// `a/b.bin.file-64-18a0.crc64nvme`: base64 as in the header, and a line feed. It may be made by
    /// somebody else, and deleted at any time. Those of old versions are left behind. Whoever may write
    /// into the folder is trusted: a wrong sum makes callers refuse good bytes.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Setting`], if it is no directory or cannot be read, or if it is in the directory that
    /// is served, or around it: sums must not become objects.
    pub fn keep_checksums_in(self, path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let kept = folder(path)?;
        if kept.starts_with(&self.root) || self.root.starts_with(&kept) {
            let message = format!(
                "checksums cannot be kept in {}: choose a directory that is not in the one that is \
                 served, nor around it",
                path.display()
            );
            return Err(Error::new(ErrorKind::Setting, message));
        }
        let checksums = Checksums::new(Arc::clone(&self.root), Some(kept), SystemTime::now);
        Ok(Self { checksums: Some(Arc::new(checksums)), ..self })
    }
}

/// Its path, absolute and without links.
fn folder(path: &Path) -> Result<PathBuf, Error> {
    let unusable = |error: io::Error| {
        let message = format!("cannot use the directory {}", path.display());
        Error::new(ErrorKind::Setting, message).because(error)
    };
    let found = fs::canonicalize(path).map_err(unusable)?;
    if !fs::metadata(&found).map_err(unusable)?.is_dir() {
        let message = format!("{} is not a directory", path.display());
        return Err(Error::new(ErrorKind::Setting, message));
    }
    Ok(found)
}

impl Source for Directory {
    fn open<'a>(&'a self, name: &'a str) -> Opening<'a> {
        let directory = self.clone();
        let name = name.to_owned();
        Box::pin(async move {
            match tokio::task::spawn_blocking(move || open(&directory, &name)).await {
                Ok(opened) => opened,
                Err(error) => Err(OpenError::Failed(
                    Failure::new("SourceUnavailable", "opening a file did not end").because(error),
                )),
            }
        })
    }
}

/// What tells one state of a file from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    size: u64,
    modified: Option<SystemTime>,
}

impl State {
    fn of(metadata: &fs::Metadata) -> Self {
        Self { size: metadata.len(), modified: metadata.modified().ok() }
    }

    fn version(self) -> Version {
        // Times before 1970 get numbers of their own above all others.
        let nanoseconds = match self.modified.map(|time| time.duration_since(UNIX_EPOCH)) {
            Some(Ok(after)) => after.as_nanos(),
            Some(Err(before)) => u128::MAX - before.duration().as_nanos(),
            None => 0,
        };
        Version::from_numbers("file", &[u128::from(self.size), nanoseconds])
    }
}

fn open(directory: &Directory, name: &str) -> Result<Object, OpenError> {
    let root = &*directory.root;
    let path = below(root, name).ok_or_else(not_found)?;
    // Without links, as the root is: only so does the comparison say anything.
    let path = fs::canonicalize(path).map_err(why_not)?;
    // Asked before opening, because opening a pipe waits for its other end.
    if !path.starts_with(root) || !fs::metadata(&path).map_err(why_not)?.is_file() {
        return Err(not_found());
    }
    let file = File::open(&path).map_err(why_not)?;
    // Asked again of what is open: from here on no name is looked up any more.
    let found = file.metadata().map_err(why_not)?;
    if !found.is_file() {
        return Err(not_found());
    }
    let state = State::of(&found);
    let metadata = Metadata {
        content_type: content_type::of_name(name).to_owned(),
        last_modified: state.modified,
        crc64nvme: directory.checksums.as_ref().and_then(|sums| sums.known(&path, state)),
        ..Metadata::new(state.size, state.version())
    };
    let object = Object::new(metadata, move |range| read::range(file, state, range));
    let Some(checksums) = directory.checksums.clone() else { return Ok(object) };
    Ok(object.with_checksum(move |range| {
        Box::pin(async move {
            // The first answer that a caller asks for. If every one of many processes summed the file
            // for the range that it was asked for, all would be slower than without sums.
            if range.start > 0 {
                return None;
            }
            checksums.wanted(path, state).await
        })
    }))
}

/// The path of a name that has nothing in it but plain segments.
fn below(root: &Path, name: &str) -> Option<PathBuf> {
    let mut path = root.to_owned();
    for segment in name.split('/') {
        let special = matches!(segment, "" | "." | "..") || segment.contains('\0');
        // Separators, drives and streams of Windows; ordinary letters elsewhere.
        let foreign = cfg!(windows) && segment.contains(['\\', ':']);
        if special || foreign {
            return None;
        }
        path.push(segment);
    }
    Some(path)
}

fn not_found() -> OpenError {
    OpenError::NotFound(NO_SUCH.to_owned())
}

/// What the caller may not read, or what cannot be a file, is not there; the rest is a failure. The
/// message has the error of the system and no path.
fn why_not(error: io::Error) -> OpenError {
    use io::ErrorKind::{InvalidFilename, InvalidInput, NotADirectory, NotFound, PermissionDenied};
    match error.kind() {
        NotFound | NotADirectory | PermissionDenied | InvalidFilename | InvalidInput => not_found(),
        _ if error.raw_os_error().is_some() && error.raw_os_error() == TOO_MANY_LINKS => {
            not_found()
        }
        _ => OpenError::Failed(
            Failure::new("SourceUnavailable", "a file cannot be opened").because(error),
        ),
    }
}

#[cfg(test)]
mod tests;
