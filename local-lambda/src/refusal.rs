//! The service's errors: in, why an invocation is not started; out, the HTTP answer an SDK turns into
//! its typed error. Status, header and the spelling of the body's members follow the service model.

use crate::answer::{AnswerBody, whole};
use crate::name::BadName;
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Map, Value};

/// Seconds a throttled caller is asked to wait. The service sends no fixed number; its own SDKs
/// back off by themselves.
const RETRY_AFTER_S: u32 = 1;
/// The errors whose message is called `message`, of those that only faults give (the service model).
const SPELLED_SMALL: [&str; 13] = [
    "CodeArtifactUserDeletedException",
    "CodeArtifactUserFailedException",
    "CodeArtifactUserPendingException",
    "InvalidParameterValueException",
    "InvalidRequestContentException",
    "RequestTooLargeException",
    "ResourceConflictException",
    "ResourceNotReadyException",
    "RuntimeAliasDeletedException",
    "RuntimeVersionDeletedException",
    "SerializedRequestEntityTooLargeException",
    "TooManyRequestsException",
    "UnsupportedMediaTypeException",
];

/// Why an invocation is not started.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    NoSuchOperation,
    BadName(BadName),
    BadParameter(String),
    NoSuchFunction {
        arn: String,
    },
    BadPayload(String),
    BadClientContext(String),
    TooLarge {
        limit: u64,
    },
    MediaType(String),
    Throttled {
        reason: ThrottleReason,
        retry_after_s: Option<u32>,
    },
    /// One that a fault asks for.
    Scripted {
        status: StatusCode,
        error_type: String,
    },
    Service(&'static str),
}

/// Why the service throttles: every reason that its model knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ThrottleReason {
    /// `CallerRateLimitExceeded`
    CallerRate,
    /// `ConcurrentInvocationLimitExceeded`: the account's concurrency is used up.
    Concurrency,
    /// `ConcurrentSnapshotCreateLimitExceeded`
    SnapshotCreation,
    /// `FunctionInvocationRateLimitExceeded`
    FunctionRate,
    /// `ReservedFunctionConcurrentInvocationLimitExceeded`: the function's concurrency is used up.
    ReservedConcurrency,
    /// `ReservedFunctionInvocationRateLimitExceeded`
    ReservedRate,
}

impl Refusal {
    /// Too many invocations at once.
    pub(crate) fn throttled(reason: ThrottleReason) -> Self {
        Self::Throttled { reason, retry_after_s: Some(RETRY_AFTER_S) }
    }

    /// Status, error type, and the name of the message's member, which really differs by error.
    fn shape(&self) -> (StatusCode, &str, &'static str) {
        match self {
            Self::NoSuchOperation => {
                (StatusCode::NOT_FOUND, "UnknownOperationException", "message")
            }
            Self::BadName(_) | Self::BadParameter(_) => {
                (StatusCode::BAD_REQUEST, "InvalidParameterValueException", "message")
            }
            Self::NoSuchFunction { .. } => {
                (StatusCode::NOT_FOUND, "ResourceNotFoundException", "Message")
            }
            Self::BadPayload(_) | Self::BadClientContext(_) => {
                (StatusCode::BAD_REQUEST, "InvalidRequestContentException", "message")
            }
            Self::TooLarge { .. } => {
                (StatusCode::PAYLOAD_TOO_LARGE, "RequestTooLargeException", "message")
            }
            Self::MediaType(_) => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaTypeException", "message")
            }
            Self::Throttled { .. } => {
                (StatusCode::TOO_MANY_REQUESTS, "TooManyRequestsException", "message")
            }
            Self::Service(_) => (StatusCode::INTERNAL_SERVER_ERROR, "ServiceException", "Message"),
            Self::Scripted { status, error_type } => {
                let small = SPELLED_SMALL.contains(&error_type.as_str());
                (*status, error_type, if small { "message" } else { "Message" })
            }
        }
    }

    fn message(&self) -> String {
        match self {
            Self::NoSuchOperation => "There is no such operation.".into(),
            Self::BadName(bad) => bad.to_string(),
            Self::BadParameter(message) | Self::BadPayload(message) => message.clone(),
            Self::BadClientContext(message) => message.clone(),
            Self::NoSuchFunction { arn } => format!("Function not found: {arn}"),
            Self::TooLarge { limit } => {
                format!(
                    "Request must be smaller than {limit} bytes for the InvokeFunction operation"
                )
            }
            Self::MediaType(message) => message.clone(),
            Self::Throttled { .. } => "Rate Exceeded.".into(),
            Self::Scripted { error_type, .. } => format!("A fault asked for {error_type}."),
            Self::Service(message) => (*message).into(),
        }
    }

    pub(crate) fn into_response(self) -> Response<AnswerBody> {
        let (status, error_type, message_key) = self.shape();
        let side = if status.is_server_error() { "Service" } else { "User" };
        let mut body = Map::new();
        body.insert("Type".into(), side.into());
        body.insert(message_key.into(), self.message().into());
        if let Self::Throttled { reason, .. } = self {
            body.insert("Reason".into(), reason.as_str().into());
        }
        let body = Bytes::from(Value::Object(body).to_string());
        let mut response = Response::new(whole(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Ok(error_type) = HeaderValue::from_str(error_type) {
            headers.insert("x-amzn-errortype", error_type);
        }
        if let Self::Throttled { retry_after_s: Some(seconds), .. } = self {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

impl ThrottleReason {
    pub(crate) const ALL: [Self; 6] = [
        Self::CallerRate,
        Self::Concurrency,
        Self::SnapshotCreation,
        Self::FunctionRate,
        Self::ReservedConcurrency,
        Self::ReservedRate,
    ];

    /// The service's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CallerRate => "CallerRateLimitExceeded",
            Self::Concurrency => "ConcurrentInvocationLimitExceeded",
            Self::SnapshotCreation => "ConcurrentSnapshotCreateLimitExceeded",
            Self::FunctionRate => "FunctionInvocationRateLimitExceeded",
            Self::ReservedConcurrency => "ReservedFunctionConcurrentInvocationLimitExceeded",
            Self::ReservedRate => "ReservedFunctionInvocationRateLimitExceeded",
        }
    }
}
