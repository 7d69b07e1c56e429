//! A head and a body of unknown manners come in; an HTTP body goes out that begins with the head and
//! never ends cleanly unless the body did: an error, a panic, a wrong length or the deadline end it
//! with real trailers.

use crate::failure::Failure;
use crate::head::DELIMITER;
use crate::promise::Promise;
use crate::source::{ByteStream, READ_BYTES};
use bytes::Bytes;
use http_body::Frame;
use std::fmt;
use std::future::Future;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::oneshot;
use tokio::time::{Instant, Sleep, sleep_until};
use tracing::Span;

/// How many bytes of the body are copied to stand behind the head in one write. One frame of the
/// sources; what a larger first frame has more follows without a copy.
const JOINED_MAX_BYTES: usize = READ_BYTES;

/// The body of a `/response`.
pub(crate) struct Body {
    /// Until it is sent.
    head: Option<Vec<u8>>,
    /// Whether nothing may stand behind it in its frame.
    apart: bool,
    /// Of the frame that was joined to the head; or the delimiter.
    rest: Option<Bytes>,
    /// Until its end.
    stream: Option<ByteStream>,
    /// What is sent is held to it.
    promise: Promise,
    /// Why the trailers are next.
    failure: Option<Failure>,
    deadline: Option<Pin<Box<Sleep>>>,
    /// The invocation, for what is logged while the HTTP client polls this.
    span: Span,
    /// Resolves (to an error) once nobody waits for this body any more.
    unwanted: oneshot::Receiver<()>,
    /// Dropped with the body; that is the message.
    _ended: oneshot::Sender<()>,
}

/// Held by the one who waits for the answer to be sent. Dropped early, it cuts the body off.
pub(crate) struct Watch {
    _wanted: oneshot::Sender<()>,
    ended: oneshot::Receiver<()>,
}

impl Watch {
    /// Waits until the body has been sent to its end, or dropped.
    pub(crate) async fn ended(self) {
        let _dropped = self.ended.await;
    }
}

impl Body {
    pub(crate) fn new(
        head: Vec<u8>,
        promised: Option<u64>,
        stream: ByteStream,
        deadline: Option<Instant>,
    ) -> (Self, Watch) {
        let (wanted, unwanted) = oneshot::channel();
        let (ending, ended) = oneshot::channel();
        let body = Self {
            head: Some(head),
            apart: false,
            rest: None,
            stream: Some(stream),
            promise: Promise::of(promised),
            failure: None,
            deadline: deadline.map(|deadline| Box::pin(sleep_until(deadline))),
            span: Span::current(),
            unwanted,
            _ended: ending,
        };
        (body, Watch { _wanted: wanted, ended })
    }

    /// The same body, with the head, its delimiter and the first bytes in frames of their own.
    pub(crate) fn with_the_head_apart(mut self) -> Self {
        self.apart = true;
        self
    }

    /// Bytes, the clean end, or the failure that ends the body.
    fn poll_stream(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Failure>> {
        if let Some(deadline) = &mut self.deadline
            && deadline.as_mut().poll(context).is_ready()
        {
            let sent = self.promise.kept();
            let words = format!("the deadline came after {sent} bytes of the answer");
            return Poll::Ready(Err(Failure::new("DeadlineExceeded", words)));
        }
        loop {
            let Some(stream) = &mut self.stream else { return Poll::Ready(Ok(None)) };
            // After a panic the stream is dropped and not looked at again.
            let polled = catch_unwind(AssertUnwindSafe(|| stream.as_mut().poll_next(context)));
            return match polled {
                Err(panic) => Poll::Ready(Err(Failure::from_panic(panic.as_ref()))),
                Ok(Poll::Pending) => Poll::Pending,
                Ok(Poll::Ready(Some(Ok(bytes)))) if bytes.is_empty() => continue,
                Ok(Poll::Ready(Some(Ok(bytes)))) => {
                    Poll::Ready(self.promise.take(bytes.len()).map(|()| Some(bytes)))
                }
                Ok(Poll::Ready(Some(Err(error)))) => Poll::Ready(Err(error.into())),
                Ok(Poll::Ready(None)) => {
                    self.stream = None;
                    Poll::Ready(self.promise.end().map(|()| None))
                }
            };
        }
    }

    /// The first bytes stand behind the head in one frame, which is one write.
    fn join(&mut self, mut head: Vec<u8>, mut bytes: Bytes) -> Bytes {
        let joined = bytes.split_to(bytes.len().min(JOINED_MAX_BYTES));
        head.extend_from_slice(&joined);
        self.rest = (!bytes.is_empty()).then_some(bytes);
        head.into()
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let span = self.span.clone();
        let _logged = span.enter();
        let this = &mut *self;
        if Pin::new(&mut this.unwanted).poll(context).is_ready() {
            // The connection is closed, which is how a body ends that nobody may take for whole.
            return Poll::Ready(Some(Err(io::ErrorKind::ConnectionAborted.into())));
        }
        if this.apart
            && let Some(mut head) = this.head.take()
        {
            this.rest = Some(head.split_off(head.len() - DELIMITER.len()).into());
            return Poll::Ready(Some(Ok(Frame::data(head.into()))));
        }
        if let Some(rest) = this.rest.take() {
            return Poll::Ready(Some(Ok(Frame::data(rest))));
        }
        if let Some(failure) = this.failure.take() {
            return Poll::Ready(Some(Ok(Frame::trailers(failure.to_trailers()))));
        }
        let polled = this.poll_stream(context);
        let head = this.head.take();
        let frame = match (polled, head) {
            (Poll::Pending, None) => return Poll::Pending,
            // Nothing is ready: the head goes ahead. The stream has been told whom to wake.
            (Poll::Pending, Some(head)) => head.into(),
            (Poll::Ready(Ok(Some(bytes))), None) => bytes,
            (Poll::Ready(Ok(Some(bytes))), Some(head)) => this.join(head, bytes),
            (Poll::Ready(Ok(None)), None) => return Poll::Ready(None),
            (Poll::Ready(Ok(None)), Some(head)) => head.into(),
            (Poll::Ready(Err(failure)), head) => {
                tracing::error!(
                    error_type = failure.error_type(),
                    sent = this.promise.kept(),
                    error = %failure,
                    "the answer failed"
                );
                this.stream = None;
                this.deadline = None;
                match head {
                    None => return Poll::Ready(Some(Ok(Frame::trailers(failure.to_trailers())))),
                    Some(head) => {
                        this.failure = Some(failure);
                        head.into()
                    }
                }
            }
        };
        Poll::Ready(Some(Ok(Frame::data(frame))))
    }
}

/// Without the bytes, which are not ours to print.
impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").field("promise", &self.promise).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
