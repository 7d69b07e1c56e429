//! Bytes in order go in; the same come out as an HTTP body, as an `AsyncRead` and as a `Stream`, for
//! those who know no others.

use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use aws_smithy_types::byte_stream::ByteStream;
use bytes::Bytes;
use futures_core::Stream;
use tokio::io::{AsyncRead, ReadBuf};

use super::ordered_bytes::OrderedBytes;
use crate::body::{ResponseStream, passed_on};
use crate::error::Error;

type Bytewise = Pin<Box<dyn Stream<Item = Result<Bytes, Error>> + Send>>;

/// The bytes of a result, in order, as they arrive: an `http_body::Body`, an `AsyncRead` and a
/// `Stream`. Made by [`OrderedBytes::into_body`].
///
/// Its end is the end of a result that is whole and checked; every other end is an error, and comes
/// before the last bytes. An HTTP server that sends it cuts the connection then, so that its own client
/// sees no end either.
///
/// # Cancel safety
///
/// As [`OrderedBytes`]: dropping it ends the download.
pub struct OrderedBody {
    /// Bodies have to be `Sync`, which what runs in here is not; nobody ever waits for the lock.
    stream: Mutex<Bytewise>,
    /// Bytes that are still to come in.
    left: Option<u64>,
    ended: bool,
    /// The last bytes of a promised length, until the end is proven: who sends them on with that length
    /// asks for nothing after them, and would miss a failure.
    last: Bytes,
    /// The rest of a slice that did not fit into the buffer of an `AsyncRead`.
    unread: Bytes,
}

impl OrderedBody {
    pub(super) fn of(bytes: OrderedBytes) -> Self {
        let left = bytes.left();
        let stream: Bytewise = Box::pin(bytes.into_stream());
        Self {
            stream: Mutex::new(stream),
            left,
            ended: false,
            last: Bytes::new(),
            unread: Bytes::new(),
        }
    }

    fn poll_bytes(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        while !self.ended {
            let stream = self.stream.get_mut().unwrap_or_else(PoisonError::into_inner);
            match ready!(stream.as_mut().poll_next(cx)) {
                Some(Ok(bytes)) => {
                    let len = bytes.len() as u64;
                    self.left = self.left.map(|left| left.saturating_sub(len));
                    let before = std::mem::replace(&mut self.last, bytes);
                    if self.left != Some(0) {
                        return Poll::Ready(Some(Ok(std::mem::take(&mut self.last))));
                    }
                    if !before.is_empty() {
                        return Poll::Ready(Some(Ok(before)));
                    }
                }
                Some(Err(error)) => {
                    self.ended = true;
                    self.last = Bytes::new();
                    return Poll::Ready(Some(Err(error)));
                }
                None => self.ended = true,
            }
        }
        let last = std::mem::take(&mut self.last);
        Poll::Ready((!last.is_empty()).then_some(Ok(last)))
    }
}

impl Stream for OrderedBody {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_bytes(cx)
    }
}

impl http_body::Body for OrderedBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Error>>> {
        self.poll_bytes(cx).map(|next| next.map(|bytes| bytes.map(http_body::Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.ended && self.last.is_empty()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        let left = self.left.map(|left| left + self.last.len() as u64);
        passed_on::size_hint(left, self.is_end_stream())
    }
}

impl AsyncRead for OrderedBody {
    /// The end of the file is the proven end; every other end is an error whose
    /// [`get_ref`](std::io::Error::get_ref) is an [`Error`].
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let mut unread = std::mem::take(&mut self.unread);
        let read = passed_on::poll_read(&mut unread, buf, || self.poll_bytes(cx));
        self.unread = unread;
        read
    }
}

impl std::fmt::Debug for OrderedBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OrderedBody")
            .field("left", &self.left)
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}

/// For an upload while it arrives, with its length where that is promised and not 0. It cannot be sent
/// again: an SDK that retries the upload has to be given a new one.
///
/// An empty result has no length before its end is proven. An upload that needs one, such as S3's,
/// refuses it then: it is to be read to its end before.
impl From<OrderedBytes> for ByteStream {
    fn from(bytes: OrderedBytes) -> Self {
        Self::from_body_1_x(bytes.into_body())
    }
}

/// As that of [`OrderedBytes`], of one invocation.
impl From<ResponseStream> for ByteStream {
    fn from(stream: ResponseStream) -> Self {
        Self::from_body_1_x(stream)
    }
}
