//! Bytes and their offsets go in; a file of the given name comes out, only when it is whole.
//!
//! Until then there are `NAME.part`, which nobody takes for a finished file, and beside it the
//! journal that tells what is in it.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::file_identity::is_at;
use super::journal::{Header, Journal, Question, Record};
use super::journal_file::{self, JournalFile};
use super::ledger::{Ledger, Rest};
use super::runs::Run;
use crate::checksum::Sum;
use crate::error::{Error, ErrorKind};

/// How much of a part file is read at once, in bytes.
const READ_BYTES: usize = 256 * 1024;

/// An unfinished file, and its journal if it has one. Dropped unfinished, it is removed, unless it
/// can be continued.
pub(super) struct PartFile {
    file: File,
    part: PathBuf,
    target: PathBuf,
    /// Where the file's cursor stands, to save a system call when pieces are consecutive.
    cursor: u64,
    /// The offset in the object that is the start of the file.
    start: u64,
    record: Option<Recording>,
    /// Whether what is in the file is this download's, to be removed with it.
    ours: bool,
    finished: bool,
}

/// The journal of a file that is being written.
struct Recording {
    journal: JournalFile,
    ledger: Ledger,
    /// Whether there is anything to continue from.
    worth: bool,
}

impl PartFile {
    /// Opens `NAME.part` beside `target`, and makes sure that nobody else writes it. What is in it
    /// stays, until the first byte of this download is there.
    pub(super) fn open(target: &Path) -> Result<Self, Error> {
        let target = resolve(target)?;
        let part = path_beside(&target);
        // A name that has no room for a journal is found out now.
        let journal = journal_file::path_beside(&part);
        if let Err(error) = std::fs::symlink_metadata(&journal)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            return Err(failed("create", &journal, error));
        }
        let (file, ours) = loop {
            let mut options = OpenOptions::new();
            options.read(true).write(true);
            let (opened, created) = match options.clone().create_new(true).open(&part) {
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                    (options.open(&part), false)
                }
                created => (created, true),
            };
            let file = match opened {
                Ok(file) => file,
                // It was given its final name in between.
                Err(error) if !created && error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(failed("create", &part, error)),
            };
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
                break (file, created);
            }
            if std::fs::symlink_metadata(&part).is_ok_and(|there| !there.is_file()) {
                let message = format!("{} is in the way: it is not a plain file", part.display());
                return Err(Error::new(ErrorKind::LocalFile, message));
            }
        };
        Ok(Self { file, part, target, cursor: 0, start: 0, record: None, ours, finished: false })
    }

    /// Empties the file, and removes a journal of something else.
    fn make_ours(&mut self) -> Result<(), Error> {
        if self.ours {
            return Ok(());
        }
        journal_file::remove(&journal_file::path_beside(&self.part))?;
        self.file.set_len(0).map_err(|error| failed("empty", &self.part, error))?;
        self.ours = true;
        Ok(())
    }

    /// What is left of an earlier download that asked the same; `None` if there is nothing.
    pub(super) fn left(&mut self, question: &Question) -> Result<Option<Journal>, Error> {
        // A file of that name that is no journal is nobody's to remove.
        let left = journal_file::read(&journal_file::path_beside(&self.part))?;
        // A journal without its part file tells of nothing.
        match left.filter(|_| !self.ours) {
            Some(journal) if journal.header.question != *question => {
                let message = format!(
                    "{} is the beginning of another download: of another function, payload or range",
                    self.part.display()
                );
                Err(Error::new(ErrorKind::CannotResume, message))
            }
            left => Ok(left),
        }
    }

    /// Begins a journal for what `header` tells of.
    pub(super) fn begin(&mut self, header: &Header) -> Result<(), Error> {
        self.make_ours()?;
        let journal = JournalFile::create(journal_file::path_beside(&self.part), header)?;
        self.record(journal, header, false);
        Ok(())
    }

    /// Goes on with what `journal` tells of. Its runs are read again, and only those stay in it
    /// whose bytes have the sums that were recorded.
    pub(super) fn go_on(
        &mut self,
        journal: &mut Journal,
        wanted: &AtomicBool,
    ) -> Result<(), Error> {
        // Whatever goes wrong from here on, what is there stays there.
        let path = journal_file::path_beside(&self.part);
        let reopened = JournalFile::reopen(path, journal)?;
        self.ours = true;
        self.record(reopened, &journal.header, true);
        let broken = broken_runs(&mut self.file, journal, wanted)
            .map_err(|error| failed("read", &self.part, error))?;
        self.cursor = self.file.stream_position().unwrap_or(u64::MAX);
        for run in broken {
            journal.runs.remove(&run.range);
            self.note(&Record::Not(run.range))?;
        }
        let len = journal.header.wanted.end - self.start;
        let found = self.file.metadata().map_or(0, |metadata| metadata.len());
        if found > len {
            self.file.set_len(len).map_err(|error| failed("shorten", &self.part, error))?;
        }
        Ok(())
    }

    fn record(&mut self, journal: JournalFile, header: &Header, worth: bool) {
        self.start = header.wanted.start;
        let ledger = Ledger::new(header.wanted.end - header.wanted.start);
        self.record = Some(Recording { journal, ledger, worth });
    }

    /// Writes bytes that begin at `offset` of the object.
    pub(super) fn write_at(&mut self, offset: u64, bytes: &Bytes) -> Result<(), Error> {
        self.make_ours()?;
        let offset = offset - self.start;
        let written = (|| {
            if offset != self.cursor {
                self.cursor = u64::MAX;
                self.file.seek(SeekFrom::Start(offset))?;
            }
            self.file.write_all(bytes)
        })();
        match written {
            Ok(()) => {
                self.cursor = offset + bytes.len() as u64;
                Ok(())
            }
            Err(error) => {
                self.cursor = u64::MAX;
                Err(failed("write", &self.part, error))
            }
        }
    }

    /// `segment` is written up to `offset`; `sum` is that of its bytes so far.
    pub(super) fn wrote(
        &mut self,
        segment: &Range<u64>,
        offset: u64,
        sum: u64,
    ) -> Result<(), Error> {
        let run = self.ledger().and_then(|ledger| ledger.wrote(segment, offset, sum));
        run.map_or(Ok(()), |run| self.note(&Record::Run(run)))
    }

    /// The end of the segment that begins at `start` is proven.
    pub(super) fn proven(&mut self, start: u64) -> Result<(), Error> {
        let run = self.ledger().and_then(|ledger| ledger.proven(start));
        run.map_or(Ok(()), |run| self.note(&Record::Run(run)))
    }

    /// What the segment that begins at `start` gave is not to be believed.
    pub(super) fn untrue(&mut self, start: u64) -> Result<(), Error> {
        let range = self.ledger().and_then(|ledger| ledger.untrue(start));
        range.map_or(Ok(()), |range| self.note(&Record::Not(range)))
    }

    /// The function told the sum of the whole object.
    pub(super) fn object_sum(&mut self, sum: u64) -> Result<(), Error> {
        self.note(&Record::ObjectSum(sum))
    }

    fn ledger(&mut self) -> Option<&mut Ledger> {
        self.record.as_mut().map(|record| &mut record.ledger)
    }

    fn note(&mut self, what: &Record) -> Result<(), Error> {
        let Some(record) = &mut self.record else { return Ok(()) };
        record.worth |= matches!(what, Record::Run(_));
        record.journal.append(what)
    }

    /// Records what can still be recorded, and makes it durable: nothing more is written for now.
    /// The target, if its download can be continued.
    pub(super) fn pause(&mut self) -> Option<PathBuf> {
        for rest in self.ledger().map(Ledger::rest).unwrap_or_default() {
            // What is not recorded is fetched again.
            let _ = self.note(&match rest {
                Rest::Run(run) => Record::Run(run),
                Rest::Not(range) => Record::Not(range),
            });
        }
        let record = self.record.as_ref().filter(|record| record.worth)?;
        let _ = self.file.sync_data();
        record.journal.sync();
        Some(self.target.clone())
    }

    /// There is nothing to continue from after all.
    pub(super) fn discard(mut self) {
        if let Some(record) = &mut self.record {
            record.ledger = Ledger::new(0);
            record.worth = false;
        }
    }

    /// SHA-256 of all that is written.
    pub(super) fn sha256(&mut self, wanted: &AtomicBool) -> Result<[u8; 32], Error> {
        let mut sha256 = Sha256::new();
        let read = read_all(&mut self.file, 0..u64::MAX, wanted, |bytes| sha256.update(bytes));
        self.cursor = u64::MAX;
        read.map_err(|error| failed("read", &self.part, error))?;
        Ok(sha256.finalize().into())
    }

    /// Makes the bytes durable, then gives the file its name, if that is still `wanted`.
    pub(super) fn finish(&mut self, wanted: &AtomicBool) -> Result<(), Error> {
        self.make_ours()?;
        self.file.sync_data().map_err(|error| failed("sync", &self.part, error))?;
        if !wanted.load(Ordering::Acquire) {
            return Err(Error::new(ErrorKind::Stopped, "the download was given up"));
        }
        std::fs::rename(&self.part, &self.target)
            .map_err(|error| failed("rename", &self.part, error))?;
        self.finished = true;
        if let Some(record) = self.record.take() {
            // Without its part file a journal is nobody's.
            record.journal.remove();
        }
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
        if !self.finished && self.ours && self.pause().is_none() {
            if let Some(record) = self.record.take() {
                record.journal.remove();
            }
            let _ = std::fs::remove_file(&self.part);
        }
        // A lock ends with the last copy of its descriptor, and a process that this one starts just
        // now has copies of all until it is another program.
        let _ = self.file.unlock();
    }
}

/// The part file of `target`.
pub(super) fn path_beside(target: &Path) -> PathBuf {
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    target.with_file_name(name)
}

/// The runs that the part file does not have, or has not with the sums that were recorded.
pub(super) fn broken_runs(
    part: &mut File,
    journal: &Journal,
    wanted: &AtomicBool,
) -> std::io::Result<Vec<Run>> {
    let start = journal.header.wanted.start;
    let mut broken = Vec::new();
    for run in journal.runs.iter() {
        let mut sum = Sum::default();
        let place = run.range.start - start..run.range.end - start;
        read_all(part, place, wanted, |bytes| sum.update(bytes))?;
        if (sum.len(), sum.value()) != (run.len(), run.sum) {
            broken.push(run);
        }
    }
    Ok(broken)
}

/// Reads what there is of `range`, while that is still `wanted`.
fn read_all(
    file: &mut File,
    range: Range<u64>,
    wanted: &AtomicBool,
    mut each: impl FnMut(&[u8]),
) -> std::io::Result<()> {
    if file.stream_position()? != range.start {
        file.seek(SeekFrom::Start(range.start))?;
    }
    let mut rest = file.take(range.end - range.start);
    let mut buffer = vec![0; READ_BYTES];
    loop {
        if !wanted.load(Ordering::Acquire) {
            return Err(std::io::Error::other("the download was given up"));
        }
        match rest.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(len) => each(&buffer[..len]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The file that `target` means: through a link to where it points, because the rename would
/// replace the link itself. What is no plain file cannot be replaced.
pub(super) fn resolve(target: &Path) -> Result<PathBuf, Error> {
    let resolved = match std::fs::canonicalize(target) {
        Ok(resolved) => resolved,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            std::path::absolute(target).map_err(|error| failed("create", target, error))?
        }
        Err(error) => return Err(failed("create", target, error)),
    };
    let other = std::fs::metadata(&resolved).is_ok_and(|metadata| !metadata.is_file());
    let folder = target
        .as_os_str()
        .as_encoded_bytes()
        .last()
        .is_some_and(|&byte| std::path::is_separator(char::from(byte)));
    if other || folder || resolved.file_name().is_none() {
        let message = format!("{} is not a file that can be replaced", target.display());
        return Err(Error::new(ErrorKind::LocalFile, message));
    }
    Ok(resolved)
}

pub(super) fn failed(what: &str, path: &Path, error: std::io::Error) -> Error {
    Error::new(ErrorKind::LocalFile, format!("cannot {what} {}", path.display())).with_source(error)
}

#[cfg(test)]
mod tests;
