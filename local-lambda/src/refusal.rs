//! The service's errors: in, why an invocation is not started; out, the HTTP answer an SDK turns into
//! its typed error. Status, header and the spelling of the body's members follow the service model.

use crate::answer::{AnswerBody, whole};
use crate::name::BadName;
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Map, Value};

/// Seconds a throttled caller is asked to wait. The service sends no fixed number; its own SDKs
/// back off by themselves.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

/// Why an invocation is not started.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    NoSuchOperation,
    BadName(BadName),
    BadParameter(String),
    NoSuchFunction { arn: String },
    BadPayload(String),
    BadClientContext(String),
    TooLarge { limit: u64 },
    MediaType(String),
    Throttled(Reason),
    Service(&'static str),
}

/// Whose concurrency is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    Function,
    Account,
}

impl Refusal {
    /// Status, error type, and the name of the message's member, which really differs by error.
    fn shape(&self) -> (StatusCode, &'static str, &'static str) {
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
            Self::Throttled(_) => {
                (StatusCode::TOO_MANY_REQUESTS, "TooManyRequestsException", "message")
            }
            Self::Service(_) => (StatusCode::INTERNAL_SERVER_ERROR, "ServiceException", "Message"),
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
            Self::Throttled(_) => "Rate Exceeded.".into(),
            Self::Service(message) => (*message).into(),
        }
    }

    pub(crate) fn into_response(self) -> Response<AnswerBody> {
        let (status, error_type, message_key) = self.shape();
        let side = if status.is_server_error() { "Service" } else { "User" };
        let mut body = Map::new();
        body.insert("Type".into(), side.into());
        body.insert(message_key.into(), self.message().into());
        if let Self::Throttled(reason) = self {
            body.insert("Reason".into(), reason.as_str().into());
        }
        let body = Bytes::from(Value::Object(body).to_string());
        let mut response = Response::new(whole(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert("x-amzn-errortype", HeaderValue::from_static(error_type));
        if status == StatusCode::TOO_MANY_REQUESTS {
            headers.insert(header::RETRY_AFTER, RETRY_AFTER);
        }
        response
    }
}

impl Reason {
    fn as_str(self) -> &'static str {
        match self {
            Self::Function => "ReservedFunctionConcurrentInvocationLimitExceeded",
            Self::Account => "ConcurrentInvocationLimitExceeded",
        }
    }
}
