//! The invocations that `lambda_runtime` polls come in; the handler's answers go out to the Runtime
//! API by a path of our own.
//!
//! `lambda_runtime` keeps what it is good at: its configuration, its polling, its workers. Our layer
//! stands in front of its own way of answering, which (version 1.5) writes a mid-stream error into the
//! body as text and ends cleanly, ends cleanly after a panic, and waits some 40 ms for the first byte.
//!
//! # What ends a worker, and what does not
//!
//! Nothing that happens to one invocation does: a failure of the handler is reported, and a report or
//! an answer that the Runtime API refuses or does not take is logged. Then the next invocation is
//! polled for. If the Runtime API itself is gone, that poll fails: alone, the function ends with an
//! error; with several workers `lambda_runtime` tries again. (An error given back from here would end
//! a worker for good, and the others would go on as if nothing were missing.)

mod client;
pub(crate) mod environment;

use crate::answer::{Answer, answer};
use crate::body::Body;
use crate::error::{BoxError, Error, ErrorKind};
use crate::failure::Failure;
use crate::request::Request;
use crate::response::Response;
use client::Client;
use environment::Environment;
use futures_util::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue};
use lambda_runtime::{LambdaEvent, LambdaInvocation, Runtime, service_fn};
use std::convert::Infallible;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};
use tokio::time::{Instant, timeout_at};
use tower::{Layer, Service};
use tracing::Instrument;

/// What one invocation of a concurrent environment is told apart by; it must be echoed.
const INVOCATION_ID: HeaderName = HeaderName::from_static("lambda-runtime-invocation-id");

/// How long before the deadline an answer is broken off, so that the caller is told so by the function
/// and not by the end of its sandbox: the trailers have to be sent before that. A guess, of the order
/// of what the graceful shutdown of a sandbox is given (300 to 500 ms). [`crate::Function`] can set it.
const DEADLINE_MARGIN: Duration = Duration::from_millis(300);

/// It is never more than this share of the time there is: one tenth.
const DEADLINE_MARGIN_SHARE: u32 = 10;

/// One that was set is never more than this share: a half, so that there is time to answer at all.
const DEADLINE_MARGIN_SET_SHARE: u32 = 2;

/// Polls for invocations until the Runtime API is gone. `now` is the clock of the deadlines, and
/// `margin` how long before them an answer is broken off.
pub(crate) async fn run<F, W, E>(
    environment: Environment,
    now: fn() -> SystemTime,
    margin: Option<Duration>,
    handler: F,
) -> Result<(), Error>
where
    F: Fn(Request) -> W + Send + Sync + 'static,
    W: Future<Output = Result<Response, E>> + Send + 'static,
    E: Into<BoxError> + 'static,
{
    let client = Client::new(&environment);
    let head_apart = environment.head_apart;
    let layer = Answering { shared: Arc::new(Shared { handler, client, head_apart, now, margin }) };
    // Our layer takes the place of this one, which is never called.
    let unused = service_fn(|_: LambdaEvent<serde_json::Value>| async { Ok::<(), Infallible>(()) });
    Runtime::new(unused).layer(layer).run_concurrent().await.map_err(|error| {
        Error::new(ErrorKind::RuntimeApi, "the runtime api cannot be polled any more")
            .because(error)
    })
}

struct Shared<F> {
    handler: F,
    client: Client,
    head_apart: bool,
    now: fn() -> SystemTime,
    margin: Option<Duration>,
}

struct Answering<F> {
    shared: Arc<Shared<F>>,
}

// Not derived: a handler need not be Clone to be shared.
impl<F> Clone for Answering<F> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<F, S> Layer<S> for Answering<F> {
    type Service = Self;

    fn layer(&self, _unused: S) -> Self {
        self.clone()
    }
}

impl<F, W, E> Service<LambdaInvocation> for Answering<F>
where
    F: Fn(Request) -> W + Send + Sync + 'static,
    W: Future<Output = Result<Response, E>> + Send + 'static,
    E: Into<BoxError> + 'static,
{
    type Response = ();
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, invocation: LambdaInvocation) -> Self::Future {
        let shared = Arc::clone(&self.shared);
        // Of the level of the gravest lines, so that no filter which lets any through takes it from them.
        let span = tracing::error_span!("invocation", requestId = invocation.context.request_id);
        let serving = async move {
            shared.serve(invocation).await;
            Ok(())
        };
        Box::pin(serving.instrument(span))
    }
}

impl<F, W, E> Shared<F>
where
    F: Fn(Request) -> W + Send + Sync + 'static,
    W: Future<Output = Result<Response, E>> + Send + 'static,
    E: Into<BoxError> + 'static,
{
    async fn serve(&self, invocation: LambdaInvocation) {
        let echo = echo(&invocation.parts.headers);
        let deadline = until((self.now)(), invocation.context.deadline(), self.margin);
        let request_id = invocation.context.request_id.clone();
        let answered = match self.ask(Request::read(invocation), deadline).await {
            Ok(Answer::Buffered(json)) => self.client.buffered(&request_id, echo, json).await,
            Ok(Answer::Streamed { head, promised, body }) => {
                let (body, watch) = Body::new(head, promised, body, deadline);
                let body = if self.head_apart { body.with_the_head_apart() } else { body };
                self.client.streamed(&request_id, echo, body, watch).await
            }
            Err(failure) => {
                tracing::error!(
                    error_type = failure.error_type(),
                    error = %failure,
                    "the invocation failed"
                );
                self.client.failed(&request_id, echo, &failure).await
            }
        };
        if let Err(error) = answered {
            // Lambda has the last word about this invocation: timed out, too large, not known.
            let cause = crate::failure::words_of(&error);
            tracing::error!(cause, "the runtime api did not take the answer");
        }
    }

    /// Never panics, and never takes longer than the invocation may.
    async fn ask(&self, request: Request, deadline: Option<Instant>) -> Result<Answer, Failure> {
        let ask = request.ask();
        let handling = async {
            let response =
                (self.handler)(request).await.map_err(|error| Failure::from(error.into()))?;
            answer(&ask, response).await
        };
        let handling = AssertUnwindSafe(handling).catch_unwind();
        let handled = match deadline {
            None => handling.await,
            Some(deadline) => timeout_at(deadline, handling).await.map_err(|_| {
                Failure::new("DeadlineExceeded", "the deadline came before there was an answer")
            })?,
        };
        handled.unwrap_or_else(|panic| Err(Failure::from_panic(panic.as_ref())))
    }
}

fn echo(headers: &HeaderMap) -> Option<HeaderValue> {
    headers.get(INVOCATION_ID).cloned()
}

/// The moment to break off at. `None` if the deadline has passed already: some emulators send a time
/// of 1970, and a real deadline that has passed ends the sandbox without our doing.
fn until(now: SystemTime, deadline: SystemTime, margin: Option<Duration>) -> Option<Instant> {
    let left = deadline.duration_since(now).ok()?;
    let margin = match margin {
        None => DEADLINE_MARGIN.min(left / DEADLINE_MARGIN_SHARE),
        Some(margin) => margin.min(left / DEADLINE_MARGIN_SET_SHARE),
    };
    Instant::now().checked_add(left - margin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn deadlines_leave_a_margin_and_the_past_is_none() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
        assert_eq!(until(now, now - Duration::from_secs(1), None), None);
        for (left, used) in [(0, 0), (10, 9), (1_000, 900), (3_000, 2_700), (900_000, 899_700)] {
            let until = until(now, now + Duration::from_millis(left), None);
            assert_eq!(until, Some(Instant::now() + Duration::from_millis(used)), "{left} ms");
        }
        for (left, margin, used) in [(60, 2, 58), (60, 50, 30), (60, 0, 60)] {
            let margin = Some(Duration::from_secs(margin));
            let until = until(now, now + Duration::from_secs(left), margin);
            assert_eq!(until, Some(Instant::now() + Duration::from_secs(used)), "{margin:?}");
        }
    }
}
