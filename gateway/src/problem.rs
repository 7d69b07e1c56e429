//! A status and what went wrong come in; a small answer in JSON goes out (RFC 9457, "Problem Details for HTTP
//! APIs"), with the id of the request.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde_json::json;

use crate::upstream::Failure;

const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

/// What the gateway answers itself.
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    /// One sentence for whoever sent the request; no secrets, no payload.
    pub(crate) detail: String,
    /// The type of the function's own error.
    pub(crate) error_type: Option<String>,
    pub(crate) headers: Vec<(http::HeaderName, HeaderValue)>,
    /// Where the status alone does not say it.
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
    NotSigned,
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

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        let mut problem = Self::new(failure.status, failure.detail);
        problem.error_type = failure.error_type;
        if let Some(wait) = failure.retry_after {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            problem = problem.with_header(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        problem
    }
}
