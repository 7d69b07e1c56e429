//! What was found goes in; its bytes come out in order, to be read as they arrive, and a report.

use std::sync::Arc;

use bytes::Bytes;
use futures_core::Stream;
use sha2::{Digest, Sha256};

use super::check::Check;
use super::discovery::{Found, Object};
use super::in_order::InOrder;
use super::ordered_body::OrderedBody;
use super::{Report, not_repeatable};
use crate::body::ResponseStream;
use crate::checksum::Sum;
use crate::deadline::Deadline;
use crate::description::Description;
use crate::error::Error;
use crate::head::Head;
use crate::memory_budget::MemoryBudget;
use crate::piece::Version;
use crate::progress::{self, Progress, Unended};
use crate::segment::{Asking, Segment};

/// The bytes of a result, in order, as they arrive.
///
/// Segments are fetched ahead of the reader into the memory budget; a reader that stops keeps no
/// invocation waiting. A plain stream, or one segment larger than the budget, has no such buffer:
/// there a slow reader holds the function back.
///
/// # Cancel safety
///
/// Dropping it ends the download. Invocations that were started run to their end and are billed.
pub struct OrderedBytes {
    inner: Inner,
    /// Of the first answer.
    head: Option<Head>,
    /// Over the bytes delivered, where no segment has done it.
    sum: Sum,
    /// The same, where it is wanted.
    sha256: Option<Sha256>,
    check: Check,
    deadline: Deadline,
    progress: Progress,
    /// Dropped before its end, the download was stopped.
    _unended: Unended,
    report: Option<Report>,
    /// Bytes handed out.
    delivered: u64,
}

#[expect(clippy::large_enum_variant, reason = "there is one for a download")]
enum Inner {
    Plain {
        stream: ResponseStream,
        _in_flight: progress::InFlight,
    },
    Direct {
        segment: Box<Segment>,
        version: Arc<Version>,
        next: u64,
    },
    Queue(InOrder),
    /// The last item was delivered.
    Ended,
}

impl OrderedBytes {
    pub(super) fn start(
        asking: Arc<Asking>,
        found: Found,
        check: Check,
        segment_size: u64,
        budget: MemoryBudget,
        unended: Unended,
    ) -> Self {
        let (progress, deadline) = (asking.progress.clone(), asking.deadline);
        let head = match &found {
            Found::Plain(stream) => stream.head().cloned(),
            Found::Object(object) => object.head.clone(),
        };
        let inner = match found {
            Found::Plain(stream) => {
                Inner::Plain { stream, _in_flight: progress.start_segment(None) }
            }
            Found::Object(object) => match *object {
                // Too large to be held whole: it cannot but wait for its reader.
                Object { first, version, wanted, .. }
                    if segment_size > budget.limit() as u64
                        && wanted.end - wanted.start > budget.limit() as u64 =>
                {
                    let next = wanted.start;
                    let segment = first.unwrap_or_else(|| {
                        Segment::new(Arc::clone(&asking), Arc::clone(&version), wanted)
                    });
                    Inner::Direct { segment: Box::new(segment), version, next }
                }
                object => Inner::Queue(InOrder::start(asking, object, segment_size, budget)),
            },
        };
        let sha256 = check.sha256().map(|_| Sha256::new());
        Self {
            inner,
            head,
            sum: Sum::default(),
            delivered: 0,
            sha256,
            check,
            deadline,
            progress,
            _unended: unended,
            report: None,
        }
    }

    /// What the first answer told of the result.
    pub fn description(&self) -> &Description {
        self.check.description()
    }

    /// What the function promised before the body of the first answer; `None` if it sent no head. Of
    /// an object that answer is a range of it, of which `content-length` and `content-range` speak.
    pub fn head(&self) -> Option<&Head> {
        self.head.as_ref()
    }

    /// The next bytes, never empty; `None` when the result is whole and checked.
    ///
    /// # Errors
    ///
    /// Whatever kept the result from being whole; after it there are no more items.
    ///
    /// # Cancel safety
    ///
    /// Safe: no byte is lost when the future is dropped. One segment larger than the budget that has
    /// to be asked for again is asked for anew each time, so do not drop it often.
    pub async fn next_bytes(&mut self) -> Option<Result<Bytes, Error>> {
        if matches!(self.inner, Inner::Ended) {
            return None;
        }
        let deadline = self.deadline;
        let next = match deadline.hold(self.read()).await {
            Ok(Some(bytes)) => {
                self.delivered += bytes.len() as u64;
                return Some(Ok(bytes));
            }
            Ok(None) => self.finish(),
            Err(error) => Err(error),
        };
        self.inner = Inner::Ended;
        self.progress.end(next.as_ref().err());
        next.err().map(Err)
    }

    /// What was done, once [`next_bytes`](Self::next_bytes) has returned `None` for a whole result.
    pub fn report(&self) -> Option<&Report> {
        self.report.as_ref()
    }

    /// The same bytes as a `Stream`.
    pub fn into_stream(self) -> impl Stream<Item = Result<Bytes, Error>> + Send {
        futures_util::stream::unfold(self, async |mut bytes| {
            bytes.next_bytes().await.map(|item| (item, bytes))
        })
    }

    /// The same bytes as an HTTP body, an `AsyncRead` and a `Stream` at once, with the length that is
    /// promised; and by [`into`](Into::into) a
    /// [`ByteStream`](aws_smithy_types::byte_stream::ByteStream), such as an upload to S3 takes.
    ///
    /// Each ends well only if the result is whole and checked.
    pub fn into_body(self) -> OrderedBody {
        OrderedBody::of(self)
    }

    /// Bytes still to come, where the length of all is known.
    pub(super) fn left(&self) -> Option<u64> {
        let counted = self.progress.snapshot();
        counted.wanted_bytes.map(|wanted| wanted.saturating_sub(self.delivered))
    }

    async fn read(&mut self) -> Result<Option<Bytes>, Error> {
        let bytes = self.read_inner().await?;
        if let (Some(sha256), Some(bytes)) = (&mut self.sha256, &bytes) {
            sha256.update(bytes);
        }
        Ok(bytes)
    }

    async fn read_inner(&mut self) -> Result<Option<Bytes>, Error> {
        let bytes = match &mut self.inner {
            Inner::Plain { stream, .. } => {
                let bytes = stream.next_bytes().await.transpose();
                let bytes = bytes.inspect_err(|error| self.progress.failed(error));
                let bytes = bytes.map_err(not_repeatable)?;
                if bytes.is_none() {
                    self.progress.log_tail(stream.request_id(), stream.log_tail());
                }
                // At the end too: an encoding has one of its own, behind the last bytes.
                self.progress.encoded(stream.received_bytes());
                bytes
            }
            Inner::Direct { segment, version, next } => match segment.next().await? {
                Some(piece) => {
                    let bytes = piece.into_bytes(version, *next)?;
                    *next += bytes.len() as u64;
                    Some(bytes)
                }
                None => None,
            },
            Inner::Queue(queue) => return queue.next().await,
            Inner::Ended => None,
        };
        if let (Inner::Plain { .. }, Some(bytes)) = (&self.inner, &bytes) {
            self.progress.decoded(bytes.len() as u64);
            self.sum.update(bytes);
        }
        Ok(bytes)
    }

    fn finish(&mut self) -> Result<(), Error> {
        let sum = match &self.inner {
            Inner::Plain { .. } => self.sum.value(),
            Inner::Direct { segment, .. } => segment.sum().value(),
            Inner::Queue(queue) => queue.sum(),
            Inner::Ended => return Ok(()),
        };
        // What was in flight is not any more.
        self.inner = Inner::Ended;
        let integrity = self.check.crc(sum)?;
        self.check.compare_sha256(self.sha256.take())?;
        self.report = Some(self.check.report(integrity, sum));
        Ok(())
    }
}

impl std::fmt::Debug for OrderedBytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OrderedBytes")
            .field("description", self.check.description())
            .field("progress", &self.progress.snapshot())
            .finish_non_exhaustive()
    }
}
