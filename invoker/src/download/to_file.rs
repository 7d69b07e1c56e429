//! A download and a path go in; a whole file comes out. Segments are fetched side by side and their
//! pieces written at their offsets, in whatever order they arrive; what an earlier download left is
//! not fetched again.

use std::path::Path;
use std::pin::pin;
use std::sync::Arc;

use tokio::task::JoinSet;

use super::check::Check;
use super::discovery::{Found, Object};
use super::file_writer::{Desk, FileWriter, Work, WriterGone};
use super::journal::{Header, Question};
use super::{Download, Report, Settings, not_repeatable, plan};
use crate::body::ResponseStream;
use crate::checksum::{Joined, Sum};
use crate::error::{Error, ErrorKind};
use crate::piece::Version;
use crate::progress::Progress;
use crate::segment::{Asking, Segment};

/// Fetches into the file `path`, until `stop` ends it.
pub(super) async fn to_file(
    download: Download,
    path: &Path,
    stop: impl Future<Output = ()>,
) -> Result<Report, Error> {
    let mut stop = pin!(stop);
    let deadline = download.invoker.deadline();
    let question = download.question();
    let forget = download.start_over;
    let opened = tokio::select! {
        biased;
        () = &mut stop => return Err(stopped()),
        opened = FileWriter::open(path, question.clone(), forget) => opened,
    };
    let (writer, left) = opened?;
    let desk = writer.desk();
    let fetched = tokio::select! {
        fetched = deadline.hold(async {
            let (asking, found, settings) = match left {
                Some(journal) => download.resume(journal),
                None => download.discover().await?,
            };
            fetch(desk, &asking, found, &settings, question).await
        }) => fetched,
        () = stop => Err(Stopped::Failed(stopped())),
    };
    match fetched {
        Ok(Fetched { check, sum }) => {
            let integrity = match check.crc(sum) {
                Ok(integrity) => integrity,
                Err(error) => {
                    // Whatever of it is wrong, no one can tell which.
                    writer.discard().await;
                    return Err(error);
                }
            };
            deadline.hold(writer.finish(check.sha256())).await?;
            Ok(check.report(integrity, sum))
        }
        Err(Stopped::Failed(error)) => match writer.leave().await {
            Ok(target) => Err(error.with_unfinished(target)),
            // It came later than what stopped the download.
            Err(_) => Err(error),
        },
        Err(Stopped::WriterGone) => Err(match writer.leave().await {
            Err(error) => error,
            Ok(_) => Error::new(ErrorKind::LocalFile, "the file was closed too early"),
        }),
    }
}

fn stopped() -> Error {
    Error::new(ErrorKind::Stopped, "the download was stopped")
}

/// Why nothing more is written.
enum Stopped {
    Failed(Error),
    WriterGone,
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<WriterGone> for Stopped {
    fn from(_: WriterGone) -> Self {
        Self::WriterGone
    }
}

/// All bytes are written.
struct Fetched {
    check: Check,
    /// CRC-64/NVME of them.
    sum: u64,
}

/// Writes what was found from its first byte to its proven end.
async fn fetch(
    desk: Desk,
    asking: &Arc<Asking>,
    found: Found,
    settings: &Settings,
    question: Question,
) -> Result<Fetched, Stopped> {
    let check = Check::of(&found, asking, settings.expected);
    let sum = match found {
        Found::Plain(stream) => write_plain(&desk, stream, &asking.progress).await?,
        Found::Object(object) => {
            if !object.resumed {
                let header = Header {
                    question,
                    version: (*object.version).clone(),
                    wanted: object.wanted.clone(),
                    description: object.description.clone(),
                };
                desk.put(Work::Begin(Box::new(header))).await?;
            }
            write_object(&desk, asking, *object, settings).await?
        }
    };
    Ok(Fetched { check, sum })
}

/// Returns the sum of the stream's bytes.
async fn write_plain(
    desk: &Desk,
    mut stream: ResponseStream,
    progress: &Progress,
) -> Result<u64, Stopped> {
    let _in_flight = progress.start_segment();
    let mut sum = Sum::default();
    while let Some(bytes) = stream.next_bytes().await {
        let bytes = bytes.map_err(not_repeatable)?;
        let offset = sum.len();
        progress.encoded(stream.received_bytes());
        progress.decoded(bytes.len() as u64);
        sum.update(&bytes);
        desk.put(Work::Write { offset, bytes }).await?;
    }
    // An encoding has an end of its own, behind the last bytes.
    progress.encoded(stream.received_bytes());
    Ok(sum.value())
}

/// Returns the sum of the wanted bytes.
async fn write_object(
    desk: &Desk,
    asking: &Arc<Asking>,
    object: Object,
    settings: &Settings,
) -> Result<u64, Stopped> {
    let Object { version, wanted, there, first, .. } = object;
    let mut joined = Joined::from(wanted.start);
    for run in there.iter() {
        joined.add(run.range.start, run.sum, run.len());
    }
    let begun = first.as_ref().map_or(wanted.start, |segment| segment.range().end);
    let segment_size = settings.segment_size;
    let rest = there
        .missing(&(begun..wanted.end))
        .into_iter()
        .flat_map(|missing| plan::segments(missing, segment_size))
        .map(|range| Segment::new(Arc::clone(asking), Arc::clone(&version), range));
    let mut planned = first.into_iter().chain(rest);
    let mut object_sum = None;
    // Dropped, it ends the segments: that is how an error of one ends them all.
    let mut segments = JoinSet::new();
    loop {
        while segments.len() < settings.in_flight
            && let Some(segment) = planned.next()
        {
            segments.spawn(fill(desk.clone(), Arc::clone(&version), segment));
        }
        let Some(filled) = segments.join_next().await else { break };
        let (offset, sum, len) = filled.map_err(|error| {
            Error::new(ErrorKind::Truncated, "the task of a segment ended early").with_source(error)
        })??;
        joined.add(offset, sum, len);
        if object_sum.is_none() {
            object_sum = asking.object_sum();
            if let Some(sum) = object_sum {
                desk.put(Work::ObjectSum(sum)).await?;
            }
        }
    }
    joined.upto(wanted.end).ok_or_else(|| {
        Error::new(ErrorKind::Truncated, "not all segments of the object were written").into()
    })
}

/// Writes all of `segment`; its offset, its sum and its length.
async fn fill(
    desk: Desk,
    version: Arc<Version>,
    mut segment: Segment,
) -> Result<(u64, u64, u64), Stopped> {
    let range = segment.range();
    let start = range.start;
    let mut next = start;
    loop {
        let piece = match segment.next().await {
            Ok(Some(piece)) => piece,
            Ok(None) => break,
            Err(error) => {
                if takes_back(error.kind()) {
                    desk.put(Work::Untrue { start }).await?;
                }
                return Err(error.into());
            }
        };
        let bytes = piece.into_bytes(&version, next)?;
        let (segment_range, offset, sum) = (range.clone(), next, segment.sum().value());
        next += bytes.len() as u64;
        desk.put(Work::Segment { segment: segment_range, offset, bytes, sum }).await?;
    }
    desk.put(Work::Proven { start }).await?;
    Ok((start, segment.sum().value(), segment.sum().len()))
}

/// Whether such an end says that what came before it may be wrong as well. After any other, the
/// bytes that came in intact frames are what the function meant.
fn takes_back(kind: &ErrorKind) -> bool {
    matches!(kind, ErrorKind::Function { .. } | ErrorKind::Inconsistent | ErrorKind::Changed)
}
