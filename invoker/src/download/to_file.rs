//! A download and a path go in; a whole file comes out. Segments are fetched side by side and their
//! pieces written at their offsets, in whatever order they arrive; what an earlier download left is
//! not fetched again.

use std::ops::Range;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::check::Check;
use super::discovery::{Found, Object};
use super::file_writer::{Desk, FileWriter, Work, WriterGone};
use super::journal::{Header, Question};
use super::{Download, Report, not_repeatable, plan};
use crate::body::ResponseStream;
use crate::checksum::{Joined, Sum};
use crate::error::{Error, ErrorKind};
use crate::piece::Version;
use crate::progress::Progress;
use crate::segment::left::Left;
use crate::segment::{Asking, Segment};

/// How often idle slots look for a slow segment to help.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Fetches into the file `path`, until `stop` ends it.
pub(super) async fn to_file(
    download: Download,
    path: &Path,
    stop: impl Future<Output = ()>,
) -> Result<Report, Error> {
    let deadline = download.invoker.deadline();
    // Why it ends before it is done.
    let mut why = pin!(async {
        tokio::select! {
            biased;
            () = stop => Error::new(ErrorKind::Stopped, "the download was stopped"),
            late = deadline.reached() => late,
        }
    });
    let question = download.question();
    let forget = download.start_over;
    let (writer, left) = FileWriter::open(path, question.clone(), forget, why.as_mut()).await?;
    let desk = writer.desk();
    let fetched = tokio::select! {
        fetched = async {
            let segment_size = download.segment_size_to_file();
            let (asking, found) = match left {
                Some(journal) => download.resume(journal),
                None => download.discover(segment_size).await?,
            };
            let check = Check::of(&found, &asking, download.settings.expected);
            let sum = fetch(desk, &asking, found, segment_size, question).await?;
            Ok(Fetched { check, sum })
        } => fetched,
        why = why.as_mut() => Err(Stopped::Failed(why)),
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
            writer.finish(check.sha256(), why).await?;
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

/// Writes what was found from its first byte to its proven end. Returns the sum of the bytes.
async fn fetch(
    desk: Desk,
    asking: &Arc<Asking>,
    found: Found,
    segment_size: u64,
    question: Question,
) -> Result<u64, Stopped> {
    match found {
        Found::Plain(stream) => write_plain(&desk, stream, &asking.progress).await,
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
            write_object(&desk, asking, *object, segment_size).await
        }
    }
}

/// Returns the sum of the stream's bytes.
async fn write_plain(
    desk: &Desk,
    mut stream: ResponseStream,
    progress: &Progress,
) -> Result<u64, Stopped> {
    let _in_flight = progress.start_segment(None);
    let mut sum = Sum::default();
    while let Some(bytes) = stream.next_bytes().await {
        let bytes = bytes.inspect_err(|error| progress.failed(error)).map_err(not_repeatable)?;
        let offset = sum.len();
        progress.encoded(stream.received_bytes());
        progress.decoded(bytes.len() as u64);
        sum.update(&bytes);
        desk.put(Work::Write { offset, bytes }).await?;
    }
    // An encoding has an end of its own, behind the last bytes.
    progress.encoded(stream.received_bytes());
    progress.log_tail(stream.request_id(), stream.log_tail());
    Ok(sum.value())
}

/// Returns the sum of the wanted bytes.
async fn write_object(
    desk: &Desk,
    asking: &Arc<Asking>,
    object: Object,
    segment_size: u64,
) -> Result<u64, Stopped> {
    let Object { version, wanted, there, first, .. } = object;
    let mut joined = Joined::from(wanted.start);
    for run in there.iter() {
        joined.add(run.range.start, run.sum, run.len());
    }
    let begun = first.as_ref().map_or(wanted.start, |segment| segment.range().end);
    let rest = there
        .missing(&(begun..wanted.end))
        .into_iter()
        .flat_map(|missing| plan::segments(missing, segment_size))
        .map(|range| Segment::new(Arc::clone(asking), Arc::clone(&version), range));
    let mut planned = first.into_iter().chain(rest);
    let mut object_sum = None;
    // Dropped, it ends the segments: that is how an error of one ends them all.
    let mut segments = JoinSet::new();
    let mut running: Vec<Left> = Vec::new();
    loop {
        while segments.len() < asking.pace().allowed() {
            let segment = planned.next().or_else(|| {
                let range = half_of_a_slow_one(asking, &mut running)?;
                let half = Segment::new(Arc::clone(asking), Arc::clone(&version), range);
                asking.progress.split();
                Some(half)
            });
            let Some(segment) = segment else { break };
            running.push(segment.left());
            segments.spawn(fill(desk.clone(), Arc::clone(&version), segment));
        }
        if segments.is_empty() {
            break;
        }
        let filled = match timeout(LOOK_EVERY, segments.join_next()).await {
            Ok(None) => break,
            Ok(Some(filled)) => filled,
            // Slots may be idle while the last ones take their time.
            Err(_) => continue,
        };
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

/// Takes half of what is left from the segment that has most left, if that is worth an invocation.
fn half_of_a_slow_one(asking: &Asking, running: &mut Vec<Left>) -> Option<Range<u64>> {
    running.retain(|left| left.bytes() > 0);
    let most = running.iter().max_by_key(|left| left.bytes())?;
    most.split(&asking.pace(), Instant::now())
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
