//! A handler and settings come in; a function goes out that runs with them until its Runtime API is gone.

use crate::error::{BoxError, Error};
use crate::request::Request;
use crate::response::Response;
use crate::runtime_api;
use crate::runtime_api::environment::Environment;
use std::fmt;
use std::future::Future;
use std::time::{Duration, SystemTime};

/// A function that is not running yet: its handler, and what can be set.
///
/// ```no_run
/// # async fn main_() -> Result<(), stream_fn::Error> {
/// use std::time::Duration;
/// use stream_fn::{Function, source::Pattern};
///
/// let function = Function::new(stream_fn::objects(Pattern));
/// function.deadline_margin(Duration::from_secs(2)).run().await
/// # }
/// ```
pub struct Function<F> {
    handler: F,
    deadline_margin: Option<Duration>,
}

impl<F, W, E> Function<F>
where
    F: Fn(Request) -> W + Send + Sync + 'static,
    W: Future<Output = Result<Response, E>> + Send + 'static,
    E: Into<BoxError> + 'static,
{
    /// A function with this handler: one of your own, or what [`http()`](crate::http) or
    /// [`objects`](crate::objects) makes.
    pub fn new(handler: F) -> Self {
        Self { handler, deadline_margin: None }
    }

    /// How long before its deadline an invocation is ended with `Function.DeadlineExceeded`, at most half
    /// of the time there is. If nothing is said it is 300 ms, at most a tenth of the time.
    ///
    /// Without it Lambda would end the execution environment in the middle of an answer, and the next
    /// invocation would start cold. A longer margin is for a handler that cleans up when it is dropped.
    #[must_use]
    pub fn deadline_margin(mut self, margin: Duration) -> Self {
        self.deadline_margin = Some(margin);
        self
    }

    /// Runs it, as [`run`](crate::run) does.
    ///
    /// # Errors
    ///
    /// As [`run`](crate::run).
    ///
    /// # Cancel safety
    ///
    /// As [`run`](crate::run).
    pub async fn run(self) -> Result<(), Error> {
        let environment = Environment::read(|name| std::env::var(name).ok())?;
        runtime_api::run(environment, SystemTime::now, self.deadline_margin, self.handler).await
    }
}

impl<F> fmt::Debug for Function<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Function")
            .field("deadline_margin", &self.deadline_margin)
            .finish_non_exhaustive()
    }
}
