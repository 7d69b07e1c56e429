//! A request with its body comes in; the head of an answer and a body that is whole or fails go out, from
//! whichever kind of upstream the route has.

mod lasting;
mod maker;

mod buffered;
mod http;
mod lambda;
#[cfg(feature = "local")]
mod local;
mod plain;
mod proxy_answer;
mod segments;

use std::time::Duration;

use ::http::{HeaderMap, StatusCode};
use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;

use crate::config::{self, Environment};
pub(crate) use crate::ending::Ending;
use crate::event::{NoEvent, Shown};

pub(crate) use lasting::Lasting;
pub(crate) use maker::Maker;
pub(crate) use plain::Plain;

/// What answers one route.
pub(crate) enum Upstream {
    Lambda(lambda::Lambda),
    Http(http::Http),
}

/// An answer that has begun.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// Fails unless the upstream has proven that it was all.
    pub(crate) body: UnsyncBoxBody<Bytes, Failure>,
    /// What the upstream calls this request.
    pub(crate) request_id: Option<String>,
    /// The version of the function that answers.
    pub(crate) executed_version: Option<String>,
}

/// Why there is no answer, or no whole one. No message of it has bytes of a payload.
#[derive(Debug, thiserror::Error)]
#[error("{detail}")]
pub(crate) struct Failure {
    pub(crate) ending: Ending,
    /// What a client is told if nothing was sent yet.
    pub(crate) status: StatusCode,
    pub(crate) detail: String,
    /// Of the function's own error.
    pub(crate) error_type: Option<String>,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) request_id: Option<String>,
}

/// Looks at what a route's upstream needs of files and variables, and starts nothing.
///
/// # Errors
///
/// What keeps it from being made ready.
pub(crate) fn check(upstream: &config::Upstream, environment: &Environment) -> Result<(), String> {
    match upstream {
        config::Upstream::Lambda(_) => Ok(()),
        config::Upstream::Http(http) => http::check(http, environment),
        #[cfg(feature = "local")]
        config::Upstream::Local(local) => check_process(&local.process),
        #[cfg(not(feature = "local"))]
        config::Upstream::Local(_) => Ok(()),
    }
}

/// Looks at where a function is to run.
///
/// # Errors
///
/// It cannot run there.
#[cfg(feature = "local")]
pub(crate) fn check_process(process: &config::Process) -> Result<(), String> {
    local::directory(process).map(drop)
}

impl Upstream {
    /// Asks once, and returns as soon as an answer has begun.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future, or the answer's body, ends the connection to the upstream.
    pub(crate) async fn ask(&self, shown: &Shown<'_>) -> Result<Answer, Failure> {
        match self {
            Self::Lambda(lambda) => lambda.ask(shown).await,
            Self::Http(http) => http.ask(shown).await,
        }
    }
}

impl Failure {
    pub(crate) fn new(ending: Ending, status: StatusCode, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self { ending, status, detail, error_type: None, retry_after: None, request_id: None }
    }
}

impl From<NoEvent> for Failure {
    fn from(NoEvent(reason): NoEvent) -> Self {
        Self::new(Ending::Rejected, StatusCode::BAD_REQUEST, reason)
    }
}
