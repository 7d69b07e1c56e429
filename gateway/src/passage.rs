//! The body of an upstream's answer comes in; the same bytes go out as they come, observed, and an end that
//! is as good or as bad as the upstream's. A failure is an error of the body, which cuts the connection
//! (HTTP/1.1) or resets the stream (HTTP/2).

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use tokio::time::{Instant, Sleep};

use crate::ending::Ending;
use crate::event_stream_end::EventStreamEnd;
use crate::exchange::Exchange;
use crate::upstream::Failure;

/// How long a failed body rests before it says so: a connection drops what it has not sent when it hears of a
/// failure, and nobody says when it has sent it. Enough for a client that reads, wherever it is; the route's
/// place and the upstream are free already.
const LINGER: Duration = Duration::from_millis(200);

/// The type that a client is told of a failure that is not the function's.
const GATEWAY_ERROR: &str = "Gateway";

/// A body on its way. Dropping it drops the upstream's, and ends the exchange.
pub(crate) struct Passage {
    phase: Phase,
    /// What the head promised, in bytes.
    promised: Option<u64>,
    deadline: Option<Pin<Box<Sleep>>>,
    /// If a failure is to be told by an event.
    events: Option<EventStreamEnd>,
    /// Whether a connection may be told the size ahead.
    tells_size: bool,
    /// Until it is over.
    exchange: Option<Box<Exchange>>,
}

enum Phase {
    Passing(UnsyncBoxBody<Bytes, Failure>),
    Failing { last: Option<Bytes>, rest: Pin<Box<Sleep>>, failure: Failure },
    Over,
}

impl Passage {
    /// `promised` is the length that the head names, in bytes, `deadline` when all of it must be there.
    pub(crate) fn new(
        body: UnsyncBoxBody<Bytes, Failure>,
        promised: Option<u64>,
        deadline: Option<Instant>,
        events: Option<EventStreamEnd>,
        exchange: Box<Exchange>,
    ) -> Self {
        let deadline = deadline.map(|deadline| Box::pin(tokio::time::sleep_until(deadline)));
        let phase = Phase::Passing(body);
        Self { phase, promised, deadline, events, tells_size: true, exchange: Some(exchange) }
    }

    /// Lets the connection end the body itself, as if nobody had known its size.
    #[cfg(feature = "local")]
    pub(crate) fn hide_size(&mut self) {
        self.tells_size = false;
    }

    fn fail(&mut self, failure: Failure) {
        let Some(mut exchange) = self.exchange.take() else { return };
        exchange.failed(&failure);
        let error_type = failure.error_type.clone();
        let error_type =
            error_type.unwrap_or_else(|| format!("{GATEWAY_ERROR}.{}", failure.ending.title()));
        let last = self.events.as_ref().map(|end| end.broken(&error_type, &exchange.request_id));
        // Drops the upstream's body: nothing more is wanted of it.
        let rest = Box::pin(tokio::time::sleep(LINGER));
        self.phase = Phase::Failing { last, rest, failure };
    }

    fn is_all(&self) -> bool {
        match &self.phase {
            Phase::Passing(body) => {
                let bytes = self.exchange.as_ref().map(|exchange| exchange.bytes);
                body.is_end_stream() || self.promised.is_some() && self.promised == bytes
            }
            Phase::Failing { .. } | Phase::Over => false,
        }
    }
}

impl Drop for Passage {
    /// A connection asks for nothing after the last byte of a length. An upstream gives that byte when it
    /// has proven the end.
    fn drop(&mut self) {
        if self.is_all()
            && let Some(exchange) = &mut self.exchange
        {
            exchange.ended(Ending::Whole);
        }
    }
}

impl Body for Passage {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        let this = self.get_mut();
        loop {
            match &mut this.phase {
                Phase::Passing(body) => {
                    let late = this.deadline.as_mut();
                    if late.is_some_and(|deadline| deadline.as_mut().poll(cx).is_ready()) {
                        this.fail(too_late());
                        continue;
                    }
                    let polled = Pin::new(body).poll_frame(cx);
                    if let (Poll::Pending, Some(exchange)) = (&polled, &mut this.exchange) {
                        exchange.waits();
                    }
                    match ready!(polled) {
                        Some(Ok(frame)) => {
                            if let (Some(bytes), Some(exchange)) =
                                (frame.data_ref(), &mut this.exchange)
                            {
                                exchange.passed(bytes.len());
                                if let Some(events) = &mut this.events {
                                    events.pass(bytes);
                                }
                            }
                            return Poll::Ready(Some(Ok(frame)));
                        }
                        Some(Err(failure)) => this.fail(failure),
                        None => {
                            if let Some(mut exchange) = this.exchange.take() {
                                exchange.ended(Ending::Whole);
                            }
                            this.phase = Phase::Over;
                        }
                    }
                }
                Phase::Failing { last, rest, .. } => {
                    if let Some(last) = last.take() {
                        return Poll::Ready(Some(Ok(Frame::data(last))));
                    }
                    ready!(rest.as_mut().poll(cx));
                    if let Phase::Failing { failure, .. } =
                        std::mem::replace(&mut this.phase, Phase::Over)
                    {
                        return Poll::Ready(Some(Err(failure)));
                    }
                }
                Phase::Over => return Poll::Ready(None),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.phase {
            Phase::Passing(body) => body.is_end_stream(),
            Phase::Failing { .. } => false,
            Phase::Over => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.phase {
            // An event may follow.
            Phase::Passing(body) if self.events.is_none() && self.tells_size => body.size_hint(),
            _ => SizeHint::default(),
        }
    }
}

/// The route's total time is over.
pub(crate) fn too_late() -> Failure {
    let detail = "the route's total time is over";
    Failure::new(Ending::TimedOut, StatusCode::GATEWAY_TIMEOUT, detail)
}
