//! The body of an upstream's answer goes in; the same comes out, and fails if it is cut, silent for too long or
//! not whole in time. Holds no bytes: who does not read holds the upstream back.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http::StatusCode;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep};

use crate::upstream::{Ending, Failure};

/// A body whose waits have limits.
pub(super) struct Answered {
    body: Pin<Box<SdkBody>>,
    /// The longest wait for the next bytes. A reader who is away is not held against the sender.
    idle: Duration,
    deadline: Option<Pin<Box<Sleep>>>,
    /// Runs while there is a wait.
    silence: Option<Pin<Box<Sleep>>>,
    /// Bytes so far.
    received: u64,
    failed: bool,
    request_id: Option<String>,
}

impl Answered {
    pub(super) fn new(
        body: SdkBody,
        idle: Duration,
        deadline: Option<Instant>,
        request_id: Option<String>,
    ) -> Self {
        let deadline = deadline.map(|deadline| Box::pin(tokio::time::sleep_until(deadline)));
        let body = Box::pin(body);
        Self { body, idle, deadline, silence: None, received: 0, failed: false, request_id }
    }

    fn fail(
        &mut self,
        ending: Ending,
        detail: String,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        self.failed = true;
        let status = match ending {
            Ending::TimedOut => StatusCode::GATEWAY_TIMEOUT,
            _ => StatusCode::BAD_GATEWAY,
        };
        let request_id = self.request_id.take();
        Poll::Ready(Some(Err(Failure { request_id, ..Failure::new(ending, status, detail) })))
    }
}

impl Body for Answered {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        let this = &mut *self;
        if this.failed {
            return Poll::Ready(None);
        }
        if this.deadline.as_mut().is_some_and(|deadline| deadline.as_mut().poll(cx).is_ready()) {
            let received = this.received;
            let detail =
                format!("the upstream's answer was not whole in time, after {received} bytes");
            return this.fail(Ending::TimedOut, detail);
        }
        match this.body.as_mut().poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                this.silence = None;
                this.received += frame.data_ref().map_or(0, |bytes| bytes.len() as u64);
                Poll::Ready(Some(Ok(frame)))
            }
            // Its words are left out: they are of the connection, and say no more.
            Poll::Ready(Some(Err(_))) => {
                let received = this.received;
                let detail = format!("the upstream's answer was cut after {received} bytes");
                this.fail(Ending::Truncated, detail)
            }
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => {
                let idle = this.idle;
                let sleep = || Box::pin(tokio::time::sleep(idle));
                if this.silence.get_or_insert_with(sleep).as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                let (received, idle) = (this.received, humantime::format_duration(idle));
                let detail = format!("the upstream was silent for {idle}, after {received} bytes");
                this.fail(Ending::TimedOut, detail)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        Body::size_hint(&*self.body)
    }
}
