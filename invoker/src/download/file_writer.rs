//! Bytes with their places go in, from network tasks; a thread of its own writes them, so that no
//! such task waits for a disk.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::journal::{Header, Journal, Question};
use super::part_file::PartFile;
use crate::checksum::Checksum;
use crate::error::{Error, ErrorKind};

/// How many pieces may wait for the disk. Each keeps the read of the socket that it came in, up to
/// 400 KiB, so a longer queue would cost more memory than it saves time.
const WAITING_PIECES: usize = 8;

/// What the thread does next.
pub(super) enum Work {
    /// Begin a journal.
    Begin(Box<Header>),
    /// Write bytes of a stream that has no journal.
    Write { offset: u64, bytes: Bytes },
    /// Write bytes of a segment. `sum` is that of the segment up to their end.
    Segment { segment: Range<u64>, offset: u64, bytes: Bytes, sum: u64 },
    /// The end of the segment that begins there is proven.
    Proven { start: u64 },
    /// What the segment that begins there gave is not to be believed.
    Untrue { start: u64 },
    /// The function told the sum of the whole object.
    ObjectSum(u64),
}

impl Work {
    fn done(self, part: &mut PartFile) -> Result<(), Error> {
        match self {
            Self::Begin(header) => part.begin(&header),
            Self::Write { offset, bytes } => part.write_at(offset, &bytes),
            Self::Segment { segment, offset, bytes, sum } => {
                part.write_at(offset, &bytes)?;
                part.wrote(&segment, offset + bytes.len() as u64, sum)
            }
            Self::Proven { start } => part.proven(start),
            Self::Untrue { start } => part.untrue(start),
            Self::ObjectSum(sum) => part.object_sum(sum),
        }
    }
}

/// The thread takes no more work; it has the reason.
pub(super) struct WriterGone;

/// Where work for the thread goes in.
#[derive(Clone)]
pub(super) struct Desk(mpsc::Sender<Work>);

impl Desk {
    pub(super) async fn put(&self, work: Work) -> Result<(), WriterGone> {
        self.0.send(work).await.map_err(|_| WriterGone)
    }
}

/// A file that is being written.
pub(super) struct FileWriter {
    desk: Desk,
    thread: JoinHandle<Result<PartFile, Error>>,
    /// Whether anybody waits for the file. Whoever drops this wants none any more, not even while
    /// it is read or synced.
    wanted: Wanted,
}

struct Wanted(Arc<AtomicBool>);

impl Drop for Wanted {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl FileWriter {
    /// Fails at once if the file cannot be written, before anything is called. With the writer
    /// comes what is left of an earlier download that asked the same, unless that is to be
    /// forgotten. When `why` is told first, the file is nobody's again when this returns.
    pub(super) async fn open(
        target: &Path,
        question: Question,
        forget: bool,
        why: Pin<&mut impl Future<Output = Error>>,
    ) -> Result<(Self, Option<Journal>), Error> {
        let target = target.to_owned();
        let wanted = Wanted(Arc::new(AtomicBool::new(true)));
        let still = Arc::clone(&wanted.0);
        let mut opening = pin!(on_a_thread(move || {
            let mut part = PartFile::open(&target)?;
            let mut left = if forget { None } else { part.left(&question)? };
            // Without a journal, what is there stays until the first byte has come.
            if let Some(journal) = &mut left {
                part.go_on(journal, &still).map_err(|error| error.with_unfinished(part.pause()))?;
            }
            Ok((part, left))
        }));
        let opened = tokio::select! {
            biased;
            why = why => Err(why),
            opened = &mut opening => Ok(opened?),
        };
        let (mut part, left) = match opened {
            Ok(opened) => opened,
            Err(why) => {
                drop(wanted); // the thread reads no further
                let left = match opening.await {
                    Ok((mut part, _)) => on_a_thread(move || Ok(part.pause())).await.ok().flatten(),
                    Err(error) => error.unfinished().map(Path::to_owned),
                };
                return Err(why.with_unfinished(left));
            }
        };
        let (desk, mut waiting) = mpsc::channel::<Work>(WAITING_PIECES);
        let thread = tokio::task::spawn_blocking(move || {
            while let Some(work) = waiting.blocking_recv() {
                work.done(&mut part).map_err(|error| error.with_unfinished(part.pause()))?;
            }
            Ok(part)
        });
        Ok((Self { desk: Desk(desk), thread, wanted }, left))
    }

    pub(super) fn desk(&self) -> Desk {
        self.desk.clone()
    }

    /// Compares all that is written with what is expected, makes it durable, and gives the file
    /// its name; unless `why` is told first, and it is not too late.
    pub(super) async fn finish(
        self,
        expected: Option<[u8; 32]>,
        why: Pin<&mut impl Future<Output = Error>>,
    ) -> Result<(), Error> {
        let Self { desk, thread, wanted } = self;
        let still = Arc::clone(&wanted.0);
        let mut finishing = pin!(async {
            let mut part = part_of(desk, thread).await?;
            on_a_thread(move || {
                if let Some(expected) = expected {
                    let sha256 =
                        part.sha256(&still).map_err(|error| error.with_unfinished(part.pause()))?;
                    if sha256 != expected {
                        part.discard();
                        return Err(differs(Checksum::Sha256(sha256), Checksum::Sha256(expected)));
                    }
                }
                part.finish(&still).map_err(|error| error.with_unfinished(part.pause()))
            })
            .await
        });
        let why = tokio::select! {
            done = &mut finishing => return done,
            why = why => why,
        };
        drop(wanted); // the thread goes no further
        match finishing.await {
            Ok(()) => Ok(()),
            Err(error) if *error.kind() == ErrorKind::Corrupt => Err(error),
            Err(error) => Err(why.with_unfinished(error.unfinished().map(Path::to_owned))),
        }
    }

    /// Ends without the file. The target, if its download can be continued, or what kept the file
    /// from being written.
    pub(super) async fn leave(self) -> Result<Option<PathBuf>, Error> {
        let mut part = part_of(self.desk, self.thread).await?;
        on_a_thread(move || Ok(part.pause())).await
    }

    /// Ends without the file, and with nothing to continue from.
    pub(super) async fn discard(self) {
        // What the thread says now is not what stopped the download.
        if let Ok(part) = part_of(self.desk, self.thread).await {
            let removed = on_a_thread(move || {
                part.discard();
                Ok(())
            });
            let _ = removed.await;
        }
    }
}

/// Bytes have another sum than they should.
pub(super) fn differs(found: Checksum, expected: Checksum) -> Error {
    Error::new(ErrorKind::Corrupt, format!("the bytes have {found}, expected was {expected}"))
}

/// Ends the thread. No other desk may be left.
async fn part_of(
    desk: Desk,
    thread: JoinHandle<Result<PartFile, Error>>,
) -> Result<PartFile, Error> {
    drop(desk);
    thread.await.unwrap_or_else(|error| Err(thread_lost(error)))
}

pub(super) async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(thread_lost(error)))
}

fn thread_lost(error: tokio::task::JoinError) -> Error {
    Error::new(ErrorKind::LocalFile, "the thread that writes the file ended").with_source(error)
}
