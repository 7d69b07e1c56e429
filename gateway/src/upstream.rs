//! A request with its body comes in; the head of an answer and a body that is whole or fails go out, from
//! whichever kind of upstream the route has.

mod lambda;

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;

use crate::config::{self, Aws, Route};
pub(crate) use crate::ending::Ending;
use crate::event::Shown;

/// What answers one route.
pub(crate) enum Upstream {
    Lambda(lambda::Lambda),
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

impl Upstream {
    pub(crate) async fn of(route: &Route, aws: &Aws) -> Result<Self, String> {
        match &route.upstream {
            config::Upstream::Lambda(lambda) => {
                lambda::Lambda::new(lambda, route.timeouts, aws).await.map(Self::Lambda)
            }
        }
    }

    /// Asks once, and returns as soon as an answer has begun.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future, or the answer's body, ends the connection to the upstream.
    pub(crate) async fn ask(&self, shown: &Shown<'_>) -> Result<Answer, Failure> {
        match self {
            Self::Lambda(lambda) => lambda.ask(shown).await,
        }
    }
}
