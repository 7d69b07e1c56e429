//! The body of an upstream's answer comes in; the same bytes go out as they come, observed, and an end that
//! is as good or as bad as the upstream's. A failure is an error of the body, which cuts the connection
//! (HTTP/1.1) or resets the stream (HTTP/2).

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use tokio::task::JoinSet;
use tokio::time::{Instant, Sleep};

use crate::ending::Ending;
use crate::event_stream_end::EventStreamEnd;
use crate::exchange::Exchange;
use crate::hang_up::HangUp;
use crate::upstream::Failure;

/// How long a failed body rests before it says so: a connection drops what it has not sent when it hears of a
/// failure, and nobody says when it has sent it. Enough for a client that reads, wherever it is; the route's
/// place and the upstream are free already.
const LINGER: Duration = Duration::from_millis(200);

/// The type that a client is told of a failure that is not the function's.
const GATEWAY_ERROR: &str = "Gateway";

/// A body on its way. Dropping it drops the upstream's, and ends the exchange.
pub(crate) struct Passage {
    /// Of the connection, which asks, and of the deadline, which does not wait until it does.
    course: Arc<Mutex<Course>>,
    /// Ends with this.
    _deadline: JoinSet<()>,
}

struct Course {
    phase: Phase,
    /// What the head promised, in bytes.
    promised: Option<u64>,
    /// If a failure is to be told by an event.
    events: Option<EventStreamEnd>,
    /// Whether a connection may be told the size ahead.
    tells_size: bool,
    /// Until it is over.
    exchange: Option<Box<Exchange>>,
    /// The connection, while it waits for more.
    waiting: Option<Waker>,
}

enum Phase {
    Passing(UnsyncBoxBody<Bytes, Failure>),
    Failing { last: Option<Bytes>, rest: Pin<Box<Sleep>>, failure: Failure },
    Over,
}

impl Passage {
    /// `promised` is the length that the head names, in bytes, `deadline` when all of it must be there: then
    /// the upstream is dropped, also if the client takes nothing and so is not told.
    pub(crate) fn new(
        body: UnsyncBoxBody<Bytes, Failure>,
        promised: Option<u64>,
        deadline: Option<Instant>,
        events: Option<EventStreamEnd>,
        exchange: Box<Exchange>,
    ) -> Self {
        let hang_up = exchange.hang_up.clone();
        let course = Arc::new(Mutex::new(Course {
            phase: Phase::Passing(body),
            promised,
            events,
            tells_size: true,
            exchange: Some(exchange),
            waiting: None,
        }));
        let mut task = JoinSet::new();
        if let Some(deadline) = deadline {
            task.spawn(overdue(Arc::downgrade(&course), deadline, hang_up));
        }
        Self { course, _deadline: task }
    }

    /// Ends the upstream's, and says so when the connection next asks.
    pub(crate) fn fail(&self, failure: Failure) {
        lock(&self.course).fail(failure);
    }

    /// Lets the connection end the body itself, as if nobody had known its size.
    #[cfg(feature = "local")]
    pub(crate) fn hide_size(&mut self) {
        lock(&self.course).tells_size = false;
    }
}

/// Nothing panics while it is held; if something did, the rest of the body is cut by its own state.
fn lock(course: &Mutex<Course>) -> MutexGuard<'_, Course> {
    course.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Fails what is still passing at `deadline`. A connection of HTTP/1.1 that does not hear of it, because its
/// client takes nothing, is cut; a stream of HTTP/2 is reset when its client takes something.
async fn overdue(course: Weak<Mutex<Course>>, deadline: Instant, hang_up: Option<HangUp>) {
    tokio::time::sleep_until(deadline).await;
    let Some(waiting) = course.upgrade().and_then(|course| lock(&course).is_late()) else { return };
    waiting.wake();
    tokio::time::sleep(LINGER).await;
    if let (Some(hang_up), Some(_)) = (hang_up, course.upgrade()) {
        hang_up.now();
    }
}

impl Course {
    /// Who is to be told that it is too late, if it is.
    fn is_late(&mut self) -> Option<Waker> {
        if !matches!(self.phase, Phase::Passing(_)) || self.is_all() {
            return None;
        }
        self.fail(too_late());
        Some(self.waiting.take().unwrap_or_else(|| Waker::noop().clone()))
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

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        loop {
            match &mut self.phase {
                Phase::Passing(body) => {
                    let polled = Pin::new(body).poll_frame(cx);
                    if let (Poll::Pending, Some(exchange)) = (&polled, &mut self.exchange) {
                        exchange.waits();
                        self.waiting = Some(cx.waker().clone());
                    }
                    match ready!(polled) {
                        Some(Ok(frame)) => {
                            if let (Some(bytes), Some(exchange)) =
                                (frame.data_ref(), &mut self.exchange)
                            {
                                exchange.passed(bytes.len());
                                if let Some(events) = &mut self.events {
                                    events.pass(bytes);
                                }
                            }
                            return Poll::Ready(Some(Ok(frame)));
                        }
                        Some(Err(failure)) => self.fail(failure),
                        None => {
                            if let Some(mut exchange) = self.exchange.take() {
                                exchange.ended(Ending::Whole);
                            }
                            self.phase = Phase::Over;
                        }
                    }
                }
                Phase::Failing { last, rest, .. } => {
                    if let Some(last) = last.take() {
                        return Poll::Ready(Some(Ok(Frame::data(last))));
                    }
                    ready!(rest.as_mut().poll(cx));
                    if let Phase::Failing { failure, .. } =
                        std::mem::replace(&mut self.phase, Phase::Over)
                    {
                        return Poll::Ready(Some(Err(failure)));
                    }
                }
                Phase::Over => return Poll::Ready(None),
            }
        }
    }
}

impl Drop for Course {
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
        lock(&self.get_mut().course).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        match &lock(&self.course).phase {
            Phase::Passing(body) => body.is_end_stream(),
            Phase::Failing { .. } => false,
            Phase::Over => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        let course = lock(&self.course);
        match &course.phase {
            // An event may follow.
            Phase::Passing(body) if course.events.is_none() && course.tells_size => {
                body.size_hint()
            }
            _ => SizeHint::default(),
        }
    }
}

/// The route's total time is over.
fn too_late() -> Failure {
    let detail = "the route's total time is over";
    Failure::new(Ending::TimedOut, StatusCode::GATEWAY_TIMEOUT, detail)
}

/// Waits until `deadline`, if there is one.
pub(crate) async fn in_time<T>(
    deadline: Option<Instant>,
    what: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    match deadline {
        Some(deadline) => {
            tokio::time::timeout_at(deadline, what).await.unwrap_or_else(|_| Err(too_late()))
        }
        None => what.await,
    }
}
