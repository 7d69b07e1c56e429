//! A status and what went wrong come in; a small answer in JSON goes out (RFC 9457, "Problem Details for HTTP
//! APIs"), with the id of the request.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde_json::json;

use crate::authorization::Refusal;
use crate::config::{Endings, METHODS};
use crate::path::Ambiguous;
use crate::upstream::{Ending, Failure};

const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

/// Of a request that the service does not take, whatever the route's own limit.
const TOO_LARGE: &str = "the request is larger than the upstream takes";

/// What a service that has no capacity is given if it does not say for how long, in seconds.
const RETRY_AFTER: u64 = 1;

/// What the gateway answers itself.
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    /// One sentence for whoever sent the request; no secrets, no payload.
    pub(crate) detail: String,
    /// The type of the function's own error.
    pub(crate) error_type: Option<String>,
    pub(crate) headers: Vec<(http::HeaderName, HeaderValue)>,
    /// Where the status alone does not say it: only the emulation of REST APIs asks.
    #[cfg_attr(not(feature = "local"), allow(dead_code))]
    pub(crate) cause: Option<Cause>,
}

/// Why somebody may not, of those reasons that have one status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// A policy says so, or none says that they may.
    Denied {
        explicitly: bool,
    },
    AuthorizerFailed,
    #[cfg(feature = "local")]
    NotSigned,
    #[cfg(feature = "local")]
    NoKey,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), error_type: None, headers: Vec::new(), cause: None }
    }

    pub(crate) fn because(self, cause: Cause) -> Self {
        Self { cause: Some(cause), ..self }
    }

    pub(crate) fn with_header(mut self, name: http::HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(crate) fn into_response(self, request_id: &str) -> Response<Bytes> {
        let mut said = json!({
            "title": self.status.canonical_reason().unwrap_or("Error"),
            "status": self.status.as_u16(),
            "detail": self.detail,
            "requestId": request_id,
        });
        if let Some(error_type) = self.error_type {
            said["errorType"] = error_type.into();
        }
        let mut response = Response::new(Bytes::from(said.to_string()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, PROBLEM_JSON);
        headers.extend(self.headers);
        response
    }
}

impl Problem {
    /// Of a failure before the first byte. Its words may have secrets, names or addresses, so a client gets
    /// them only where the route exposes them; the log has them.
    pub(crate) fn of(failure: Failure, endings: &Endings) -> Self {
        let missing = failure.ending == Ending::Refused && failure.status == StatusCode::NOT_FOUND;
        let status = if missing { endings.not_found } else { failure.status };
        let detail = match endings.expose_errors {
            true => failure.detail,
            false if failure.ending == Ending::Rejected => failure.detail, // the gateway's own words
            false if status == StatusCode::PAYLOAD_TOO_LARGE => TOO_LARGE.into(),
            false => failure.ending.sentence().into(),
        };
        let mut problem = Self::new(status, detail);
        problem.error_type = failure.error_type;
        let later =
            [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE].contains(&status);
        match failure.retry_after {
            Some(wait) => {
                let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
                problem.with_header(header::RETRY_AFTER, HeaderValue::from(seconds))
            }
            None if later => {
                problem.with_header(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER))
            }
            None => problem,
        }
    }

    /// All places of the route are taken.
    pub(crate) fn busy() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "this route has all the requests it takes at once",
        )
        .with_header(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER))
    }

    /// The body of a request has more than `limit` bytes.
    pub(crate) fn too_large(limit: u64) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body is larger than the {limit} bytes that this route takes"),
        )
    }

    /// The body of a request does not come.
    pub(crate) fn too_slow() -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, "the body did not come in time")
    }

    /// Of a path that a function could read in another way than its route was found by.
    pub(crate) fn ambiguous(why: Ambiguous) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            format!("the path has {why}, so that it could be read in more ways than one"),
        )
    }

    /// Of a method that no policy can be about.
    pub(crate) fn no_method_of_an_api() -> Self {
        let problem = Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "this is no method that somebody could be allowed here",
        );
        match HeaderValue::from_str(&METHODS.join(", ")) {
            Ok(methods) => problem.with_header(header::ALLOW, methods),
            Err(_) => problem,
        }
    }

    pub(crate) fn headers_too_large(limit: usize) -> Self {
        Self::new(
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            format!("the headers are larger than the {limit} bytes that are taken"),
        )
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Unauthenticated(challenge) => {
                let detail = "it is not known who you are: the credentials are missing or not good";
                let problem = Self::new(StatusCode::UNAUTHORIZED, detail);
                match challenge {
                    Some(challenge) => problem.with_header(header::WWW_AUTHENTICATE, challenge),
                    None => problem,
                }
            }
            Refusal::Denied { explicitly } => {
                Self::new(StatusCode::FORBIDDEN, "you may not do this")
                    .because(Cause::Denied { explicitly })
            }
            Refusal::TooLong => Self::new(StatusCode::URI_TOO_LONG, "the path is too long"),
            Refusal::Failed(_) => Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "it could not be found out whether you may do this",
            )
            .because(Cause::AuthorizerFailed),
        }
    }
}
