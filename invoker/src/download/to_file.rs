//! What was found goes in; a whole file comes out. Segments are fetched side by side and their
//! pieces written at their offsets, in whatever order they arrive.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};

use super::discovery::{Found, Object};
use super::part_file::PartFile;
use super::plan;
use super::{Settings, not_repeatable};
use crate::body::ResponseStream;
use crate::checksum::{Joined, Sum};
use crate::error::{Error, ErrorKind};
use crate::piece::Version;
use crate::progress::Progress;
use crate::segment::{Asking, Segment};

/// How many pieces may wait for the disk. Each keeps the read of the socket that it came in, up to
/// 400 KiB, so a longer queue would cost more memory than it saves time.
const WAITING_PIECES: usize = 8;

/// A file that is being written by a thread of its own, so that no network task waits for a disk.
pub(super) struct FileWriter {
    pieces: mpsc::Sender<(u64, Bytes)>,
    thread: JoinHandle<Result<PartFile, Error>>,
}

impl FileWriter {
    /// Fails at once if the file cannot be written, before anything is called.
    pub(super) async fn create(target: &Path) -> Result<Self, Error> {
        let target = target.to_owned();
        let mut part = on_a_thread(move || PartFile::create(&target)).await?;
        let (pieces, mut waiting) = mpsc::channel::<(u64, Bytes)>(WAITING_PIECES);
        let thread = tokio::task::spawn_blocking(move || {
            while let Some((offset, bytes)) = waiting.blocking_recv() {
                part.write_at(offset, &bytes)?;
            }
            Ok(part)
        });
        Ok(Self { pieces, thread })
    }

    /// Writes what was found from its first byte to its proven end, then gives the file its name.
    /// `accept` is asked before that, with the CRC-64/NVME of the bytes.
    pub(super) async fn write<T>(
        self,
        asking: &Arc<Asking>,
        found: Found,
        settings: &Settings,
        accept: impl FnOnce(u64) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let deadline = asking.deadline;
        let written = deadline.hold(async {
            match found {
                Found::Plain(stream) => write_plain(&self.pieces, stream, &asking.progress).await,
                Found::Object(object) => {
                    write_object(&self.pieces, asking, *object, settings).await
                }
            }
        });
        match written.await.and_then(|sum| accept(sum).map_err(Stopped::Failed)) {
            Ok(accepted) => {
                let part = deadline.hold(self.close()).await?;
                // Whoever drops this future wants no file any more, even while it is synced.
                let given_up = GivenUp::default();
                let wanted = Arc::clone(&given_up.wanted);
                deadline.hold(on_a_thread(move || part.finish(&wanted))).await?;
                Ok(accepted)
            }
            Err(Stopped::Failed(error)) => {
                self.abandon().await;
                Err(error)
            }
            Err(Stopped::WriterGone) => Err(match self.close().await {
                Err(error) => error,
                Ok(_) => Error::new(ErrorKind::LocalFile, "the file was closed too early"),
            }),
        }
    }

    /// Removes the part file.
    pub(super) async fn abandon(self) {
        // What the thread says now is not what stopped the download.
        let _ = self.close().await;
    }

    /// Ends the thread; the part file, or what kept it from being written.
    async fn close(self) -> Result<PartFile, Error> {
        drop(self.pieces);
        self.thread.await.unwrap_or_else(|error| Err(thread_lost(error)))
    }
}

/// Says so when it is dropped.
struct GivenUp {
    wanted: Arc<AtomicBool>,
}

impl Default for GivenUp {
    fn default() -> Self {
        Self { wanted: Arc::new(AtomicBool::new(true)) }
    }
}

impl Drop for GivenUp {
    fn drop(&mut self) {
        self.wanted.store(false, Ordering::Release);
    }
}

/// Why nothing more is written.
enum Stopped {
    Failed(Error),
    /// The thread takes no more pieces; it has the reason.
    WriterGone,
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(thread_lost(error)))
}

fn thread_lost(error: tokio::task::JoinError) -> Error {
    Error::new(ErrorKind::LocalFile, "the thread that writes the file ended").with_source(error)
}

/// Returns the sum of the stream's bytes.
async fn write_plain(
    pieces: &mpsc::Sender<(u64, Bytes)>,
    mut stream: ResponseStream,
    progress: &Progress,
) -> Result<u64, Stopped> {
    let _in_flight = progress.start_segment();
    let mut sum = Sum::default();
    while let Some(bytes) = stream.next_bytes().await {
        let bytes = bytes.map_err(not_repeatable)?;
        let offset = sum.len();
        progress.received(bytes.len() as u64);
        sum.update(&bytes);
        pieces.send((offset, bytes)).await.map_err(|_| Stopped::WriterGone)?;
    }
    Ok(sum.value())
}

/// Returns the sum of the wanted bytes.
async fn write_object(
    pieces: &mpsc::Sender<(u64, Bytes)>,
    asking: &Arc<Asking>,
    object: Object,
    settings: &Settings,
) -> Result<u64, Stopped> {
    let Object { version, wanted, first, .. } = object;
    let planned = first.as_ref().map_or(wanted.start, |segment| segment.range().end);
    let rest = plan::segments(planned..wanted.end, settings.segment_size)
        .map(|range| Segment::new(Arc::clone(asking), Arc::clone(&version), range));
    let mut planned = first.into_iter().chain(rest);
    // Dropped, it ends the segments: that is how an error of one ends them all.
    let mut segments = JoinSet::new();
    let mut joined = Joined::from(wanted.start);
    loop {
        while segments.len() < settings.in_flight
            && let Some(segment) = planned.next()
        {
            let place = Place {
                pieces: pieces.clone(),
                version: Arc::clone(&version),
                file_start: wanted.start,
            };
            segments.spawn(place.fill(segment));
        }
        let Some(filled) = segments.join_next().await else { break };
        let (offset, sum, len) = filled.map_err(|error| {
            Error::new(ErrorKind::Truncated, "the task of a segment ended early").with_source(error)
        })??;
        joined.add(offset, sum, len);
    }
    joined.upto(wanted.end).ok_or_else(|| {
        Error::new(ErrorKind::Truncated, "not all segments of the object were written").into()
    })
}

/// Where a segment's pieces go.
struct Place {
    pieces: mpsc::Sender<(u64, Bytes)>,
    version: Arc<Version>,
    /// The offset in the object that is the start of the file.
    file_start: u64,
}

impl Place {
    /// Writes all of `segment`; its offset, its sum and its length.
    async fn fill(self, mut segment: Segment) -> Result<(u64, u64, u64), Stopped> {
        let start = segment.range().start;
        let mut next = start;
        while let Some(piece) = segment.next().await? {
            let bytes = piece.into_bytes(&self.version, next)?;
            let offset = next - self.file_start;
            next += bytes.len() as u64;
            self.pieces.send((offset, bytes)).await.map_err(|_| Stopped::WriterGone)?;
        }
        Ok((start, segment.sum().value(), segment.sum().len()))
    }
}
