//! The body of an HTTP answer goes in; payload bytes come out, and "no more" only after its last byte
//! or its last HTTP chunk.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::Body as _;
use hyper::body::Incoming;

use crate::error::Error;
use crate::invocation::ending::Completion;
use crate::invocation::silence::Silence;
use crate::meter::Running;

/// The bytes of one answer, as they arrive. Holds none of them.
pub(crate) struct HttpBody {
    body: Incoming,
    /// Bytes so far.
    received: u64,
    /// Of an answer that is whole.
    completion: Option<Completion>,
    failed: bool,
    silence: Silence,
    running: Running,
}

impl HttpBody {
    pub(super) fn new(body: Incoming, silence: Silence, running: Running) -> Self {
        Self { body, received: 0, completion: None, failed: false, silence, running }
    }

    /// The next bytes; `None` when the answer is whole. After the first error comes `None`.
    pub(crate) fn poll_payload(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Error>>> {
        while !self.failed && self.completion.is_none() {
            let frame = match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Ready(frame) => frame,
                Poll::Pending => {
                    let too_long = ready!(self.silence.poll(cx));
                    self.failed = true;
                    return Poll::Ready(Some(Err(too_long.error(self.received))));
                }
            };
            match frame {
                Some(Ok(frame)) => {
                    // Trailers say nothing: a Function URL has none.
                    let bytes = frame.into_data().unwrap_or_default();
                    if !bytes.is_empty() {
                        self.silence.broken(bytes.len());
                        self.received += bytes.len() as u64;
                        self.running.read(bytes.len() as u64);
                        return Poll::Ready(Some(Ok(bytes)));
                    }
                }
                Some(Err(error)) => {
                    self.failed = true;
                    let error = Error::broken_body(self.received, error.into());
                    return Poll::Ready(Some(Err(error)));
                }
                None => {
                    self.running.ended();
                    self.completion = Some(Completion::default());
                }
            }
        }
        Poll::Ready(None)
    }

    /// What the end carried: nothing, but that it came.
    pub(crate) fn completion(&self) -> Option<&Completion> {
        self.completion.as_ref()
    }
}
