//! A file's name goes in; what is left of its unfinished download, and whether it is intact, comes
//! out. Nothing is called.

use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use sha2::{Digest, Sha256};

use super::Download;
use super::file_writer::on_a_thread;
use super::journal::Journal;
use super::journal_file;
use super::part_file::{self, broken_runs, failed, resolve};
use crate::checksum::{Checksum, Sum};
use crate::client::Invoker;
use crate::description::Description;
use crate::error::{Error, ErrorKind};

/// How much of a file is read at once, in bytes.
const READ_BYTES: usize = 256 * 1024;

/// What an unfinished download has left beside its file.
#[derive(Clone)]
pub struct Unfinished {
    part: PathBuf,
    journal: Journal,
}

/// What was found in the part file of an unfinished download.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verified {
    /// Bytes that are there, with the checksums that were recorded when they came.
    pub intact: u64,
    /// Half-open ranges of the object that were recorded and are not there, or not as they came.
    pub broken: Vec<Range<u64>>,
}

impl Unfinished {
    /// Reads the journal beside the file `path`: `path` with `.part.journal` behind its name.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::CannotResume`] if there is no journal, or none that can be continued from;
    /// [`ErrorKind::LocalFile`] if it cannot be read.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref().to_owned();
        on_a_thread(move || {
            let part = part_file::path_beside(&resolve(&path)?);
            let at = journal_file::path_beside(&part);
            // Without a part file a journal tells of nothing.
            let left = if part.exists() { journal_file::read(&at)? } else { None };
            match left {
                Some(journal) => Ok(Self { part, journal }),
                None => {
                    let message = format!(
                        "there is no unfinished download of {}: no {} with a journal {} that \
                         records anything",
                        path.display(),
                        part.display(),
                        at.display()
                    );
                    Err(Error::new(ErrorKind::CannotResume, message))
                }
            }
        })
        .await
    }

    /// What the first answer told of the result.
    pub fn description(&self) -> &Description {
        &self.journal.header.description
    }

    /// What was given to [`Download::note`].
    pub fn note(&self) -> &str {
        &self.journal.header.question.note
    }

    /// Bytes that are wanted in all.
    pub fn wanted_bytes(&self) -> u64 {
        let wanted = &self.journal.header.wanted;
        wanted.end - wanted.start
    }

    /// Bytes that were recorded as being there.
    pub fn recorded_bytes(&self) -> u64 {
        self.journal.runs.bytes()
    }

    /// Reads the part file and compares it with the checksums that were recorded.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::LocalFile`] if it cannot be read.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it leaves a thread that reads to the end of the file.
    pub async fn verify(&self) -> Result<Verified, Error> {
        let Self { part, journal } = self.clone();
        on_a_thread(move || {
            let mut broken: Vec<Range<u64>> = Vec::new();
            let found = File::open(&part)
                .and_then(|mut file| broken_runs(&mut file, &journal, &AtomicBool::new(true)))
                .map_err(|error| failed("read", &part, error))?;
            for run in found {
                match broken.last_mut() {
                    Some(before) if before.end == run.range.start => before.end = run.range.end,
                    _ => broken.push(run.range),
                }
            }
            let lost: u64 = broken.iter().map(|range| range.end - range.start).sum();
            Ok(Verified { intact: journal.runs.bytes() - lost, broken })
        })
        .await
    }
}

impl std::fmt::Debug for Unfinished {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unfinished")
            .field("part", &self.part)
            .field("description", self.description())
            .field("wanted_bytes", &self.wanted_bytes())
            .field("recorded_bytes", &self.recorded_bytes())
            .finish_non_exhaustive()
    }
}

impl Invoker {
    /// The download that was not finished, to be continued by [`Download::to_file`] with the same
    /// path. Its settings are the defaults, whatever they were.
    pub fn resume(&self, unfinished: &Unfinished) -> Download {
        let question = &unfinished.journal.header.question;
        self.download(question.invocation.clone())
            .wanted(question.wanted.clone())
            .note(question.note.clone())
    }
}

/// The size of a file and the sums of its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileChecksums {
    /// In bytes.
    pub size: u64,
    /// [`Checksum::Crc64Nvme`].
    pub crc64nvme: Checksum,
    /// [`Checksum::Sha256`].
    pub sha256: Checksum,
}

impl FileChecksums {
    /// Whether the file's bytes have the sum `expected`.
    pub fn has(&self, expected: &Checksum) -> bool {
        *expected == self.crc64nvme || *expected == self.sha256
    }
}

/// Reads a file for its checksums.
///
/// # Errors
///
/// [`ErrorKind::LocalFile`] if it cannot be read.
///
/// # Cancel safety
///
/// Dropped, it leaves a thread that reads to the end of the file.
pub async fn file_checksums(path: impl AsRef<Path>) -> Result<FileChecksums, Error> {
    let path = path.as_ref().to_owned();
    on_a_thread(move || {
        let (mut crc, mut sha256) = (Sum::default(), Sha256::new());
        let mut buffer = vec![0; READ_BYTES];
        let mut read = || -> std::io::Result<()> {
            let mut file = File::open(&path)?;
            loop {
                match file.read(&mut buffer) {
                    Ok(0) => return Ok(()),
                    Ok(len) => {
                        crc.update(&buffer[..len]);
                        sha256.update(&buffer[..len]);
                    }
                    Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
        };
        read().map_err(|error| failed("read", &path, error))?;
        Ok(FileChecksums {
            size: crc.len(),
            crc64nvme: Checksum::Crc64Nvme(crc.value()),
            sha256: Checksum::Sha256(sha256.finalize().into()),
        })
    })
    .await
}
