//! What can go wrong between asking for a result and having it whole.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_sdk_lambda::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_lambda::operation::RequestId;
use aws_sdk_lambda::operation::invoke::InvokeError;
use aws_sdk_lambda::operation::invoke_with_response_stream::InvokeWithResponseStreamError;
use aws_sdk_lambda::types::ThrottleReason;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use bytes::Bytes;

/// The longest text of another party (service, function) that goes into a message, in characters.
const QUOTED_LEN: usize = 1_000;

/// The HTTP status of "too many requests".
const THROTTLED: u16 = 429;

/// The names of errors that mean the same, whatever their status. Source: the throttling errors of
/// the SDK's own classifier (aws-runtime, `retries/classifiers.rs`).
const THROTTLES: [&str; 14] = [
    "BandwidthLimitExceeded",
    "EC2ThrottledException",
    "LimitExceededException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "Throttling",
    "ThrottledException",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionInProgressException",
];

/// An invocation or a download that did not end whole.
///
/// `Display` states this layer's fact in one line; [`source`](std::error::Error::source) has the
/// cause below it, if there is one. Neither `Display` nor `Debug` ever shows payload bytes,
/// credentials or signatures.
pub struct Error {
    inner: Box<Inner>,
}

struct Inner {
    kind: ErrorKind,
    message: Cow<'static, str>,
    request_id: Option<String>,
    retry_after: Option<Duration>,
    unfinished: Option<PathBuf>,
    time_limit: Option<TimeLimit>,
    log_tail: Option<Bytes>,
    in_body: bool,
    unsent: bool,
    source: Option<BoxError>,
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What kind of failure an [`Error`] is; decisions are made on this, never on text.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An argument cannot be sent as it is; nothing was called.
    InvalidInput,
    /// No credentials, no region, or a client that cannot be used; nothing was called.
    Configuration,
    /// No connection to the service, or it broke before an answer came.
    Unreachable,
    /// The service answered with an error, before or in the middle of the stream.
    Refused {
        /// The HTTP status; 200 when the refusal came in the middle of a stream.
        status: u16,
        /// The service's name for the error, such as `ResourceNotFoundException`.
        code: String,
    },
    /// The service has no capacity for this call now.
    Throttled {
        /// The service's reason, such as `ReservedFunctionConcurrentInvocationLimitExceeded`.
        reason: Option<String>,
    },
    /// An endpoint answered with something that is not an event stream.
    NotEventStream,
    /// The function failed: its own error, its exit, or its time limit.
    Function {
        /// The type of the error, such as `Function.OutOfRows` or `Runtime.ExitError`.
        error_type: String,
        /// The function's message.
        message: String,
    },
    /// The function worked and said no: its head has a status that is not 2xx, or it serves no
    /// ranges where one was wanted.
    Answer {
        /// The status, such as 404 or 416; 200 where there are no ranges.
        status: u16,
    },
    /// The stream or the body ended before its proven end.
    Truncated,
    /// Bytes arrived that are not what was sent: a checksum, the framing, or bytes past the end.
    Corrupt,
    /// The answer does not fit the question, or the answers do not fit one another: another range,
    /// or another length than promised.
    Inconsistent,
    /// The object, or the function that makes it, became another version in mid-download.
    Changed,
    /// The service or the function took longer than allowed; [`Error::time_limit`] says for what.
    TimedOut,
    /// A local file could not be created, written or renamed.
    LocalFile,
    /// What is left of an earlier download is none of this one; nothing was called.
    CannotResume,
    /// The caller ended the download.
    Stopped,
}

impl ErrorKind {
    /// The name of the kind, without what is in it: `Truncated`, `Refused`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::InvalidInput => "InvalidInput",
            Self::Configuration => "Configuration",
            Self::Unreachable => "Unreachable",
            Self::Refused { .. } => "Refused",
            Self::Throttled { .. } => "Throttled",
            Self::NotEventStream => "NotEventStream",
            Self::Function { .. } => "Function",
            Self::Answer { .. } => "Answer",
            Self::Truncated => "Truncated",
            Self::Corrupt => "Corrupt",
            Self::Inconsistent => "Inconsistent",
            Self::Changed => "Changed",
            Self::TimedOut => "TimedOut",
            Self::LocalFile => "LocalFile",
            Self::CannotResume => "CannotResume",
            Self::Stopped => "Stopped",
        }
    }
}

/// Which of the [`Timeouts`](crate::Timeouts) was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimeLimit {
    /// To a connection.
    Connect,
    /// To the first frame of an answer.
    FirstByte,
    /// Between two reads of an answer.
    Idle,
    /// The stream was slower than its minimum rate.
    MinimumRate,
    /// All waits for one invocation.
    Invocation,
    /// Everything.
    Total,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        let inner = Inner {
            kind,
            message: message.into(),
            request_id: None,
            retry_after: None,
            unfinished: None,
            time_limit: None,
            log_tail: None,
            in_body: false,
            unsent: false,
            source: None,
        };
        Self { inner: Box::new(inner) }
    }

    pub(crate) fn with_time_limit(mut self, limit: TimeLimit) -> Self {
        self.inner.time_limit = Some(limit);
        self
    }

    pub(crate) fn with_log_tail(mut self, log_tail: Option<Bytes>) -> Self {
        self.inner.log_tail = log_tail;
        self
    }

    pub(crate) fn in_body(mut self) -> Self {
        self.inner.in_body = true;
        self
    }

    fn unsent(mut self) -> Self {
        self.inner.unsent = true;
        self
    }

    pub(crate) fn with_retry_after(mut self, wait: Option<Duration>) -> Self {
        self.inner.retry_after = wait;
        self
    }

    /// Says more, before the message and its causes.
    pub(crate) fn with_note(mut self, note: &str) -> Self {
        self.inner.message = format!("{note}: {}", self.inner.message).into();
        self
    }

    pub(crate) fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.inner.source = Some(source.into());
        self
    }

    pub(crate) fn with_request_id(mut self, request_id: Option<&str>) -> Self {
        if self.inner.request_id.is_none() {
            self.inner.request_id = request_id.map(str::to_owned);
        }
        self
    }

    /// The file whose part file and journal are left to continue from.
    pub(crate) fn with_unfinished(mut self, target: Option<PathBuf>) -> Self {
        self.inner.unfinished = target;
        self
    }

    /// The function's own failure; texts are cut and cleaned for a terminal.
    pub(crate) fn function(error_type: &str, message: &str) -> Self {
        let (error_type, message) = (quotable(error_type), quotable(message));
        let text = if message.is_empty() {
            format!("the function failed with {error_type}")
        } else {
            format!("the function failed with {error_type}: {message}")
        };
        Self::new(ErrorKind::Function { error_type, message }, text)
    }

    /// A failure of the connection while a body arrived.
    pub(crate) fn broken_body(received: u64, source: BoxError) -> Self {
        let message = format!("the connection broke after {received} bytes of the result");
        Self::new(ErrorKind::Truncated, message).with_source(Causes::of(source.as_ref()))
    }

    /// What the SDK says of a call to `endpoint` that got no stream; it had `connect` for the
    /// connection.
    pub(crate) fn from_sdk<E: Refusal>(
        error: SdkError<E, HttpResponse>,
        endpoint: Option<&str>,
        connect: Duration,
    ) -> Self {
        let service = match endpoint {
            Some(endpoint) => format!("the service at {endpoint}"),
            None => "the service".to_owned(),
        };
        // The SDK's error owns the raw response, and its `Debug` prints it: keep the words only.
        let causes = Causes::of(&error);
        let (kind, message) = match &error {
            SdkError::ServiceError(refusal) => return from_refusal(refusal.raw(), refusal.err()),
            SdkError::TimeoutError(_) => {
                (ErrorKind::TimedOut, format!("{service} did not answer in time"))
            }
            SdkError::DispatchFailure(failure) if failure.is_timeout() => {
                return Self::unconnected(causes, true, &service, connect);
            }
            _ if causes.mentions_credentials() => {
                (ErrorKind::Configuration, "no usable credentials".to_owned())
            }
            SdkError::DispatchFailure(_) => {
                return Self::unconnected(causes, false, &service, connect);
            }
            SdkError::ResponseError(_) => (
                ErrorKind::NotEventStream,
                format!("the answer of {service} is not one of the Lambda service"),
            ),
            _ => (ErrorKind::InvalidInput, "the call cannot be made as it is".to_owned()),
        };
        Self::new(kind, message).with_source(causes)
    }

    /// What the SDK says of a call by Invoke, whose answer is read as a whole, as this library says it of its
    /// own calls. `connect` is the limit that the SDK had for the connection.
    pub fn of_invoke(error: SdkError<InvokeError, HttpResponse>, connect: Duration) -> Self {
        if matches!(error, SdkError::ResponseError(_)) {
            let message = "the connection broke within the answer";
            return Self::new(ErrorKind::Truncated, message).with_source(Causes::of(&error));
        }
        Self::from_sdk(error, None, connect)
    }

    /// A call that got no answer. Only words tell how far it came.
    fn unconnected(causes: Causes, timeout: bool, service: &str, connect: Duration) -> Self {
        if timeout && causes.text.contains("connect") {
            let message = format!("no connection to {service} in {} s", connect.as_secs_f32());
            return Self::new(ErrorKind::TimedOut, message)
                .with_time_limit(TimeLimit::Connect)
                .unsent();
        }
        let (kind, message) = match timeout {
            // A client may have a limit of its own for the answer.
            true => (ErrorKind::TimedOut, format!("{service} did not answer in time")),
            // It was reached, then: hyper's word for a call that was being sent.
            false if causes.text.contains("(SendRequest)") => {
                let message = format!("{service} broke the connection before it answered");
                (ErrorKind::Unreachable, message)
            }
            false => {
                let message = format!("{service} cannot be reached");
                return Self::new(ErrorKind::Unreachable, message).unsent().with_source(causes);
            }
        };
        Self::new(kind, message).with_source(causes)
    }

    /// What a connection says of a request to `server`.
    #[cfg(feature = "http-client")]
    pub(crate) fn from_connector(
        error: &aws_smithy_runtime_api::client::result::ConnectorError,
        server: &str,
        connect: Duration,
    ) -> Self {
        Self::unconnected(Causes::of(error), error.is_timeout(), server, connect)
    }

    /// The service's own refusal of a call by URL. `code` may have a name space behind a colon.
    #[cfg(feature = "function-url")]
    pub(crate) fn refused(status: u16, code: &str, message: Option<&str>) -> Self {
        let code = quotable(code.split(':').next().unwrap_or_default());
        let text = match message.map(told) {
            Some(text) if !text.is_empty() => format!("the service refused with {code}: {text}"),
            _ => format!("the service refused with {code} (HTTP {status})"),
        };
        Self::new(refusal_kind(status, code), text)
    }

    /// What kind of failure this is.
    pub fn kind(&self) -> &ErrorKind {
        &self.inner.kind
    }

    /// The service's id of the invocation that failed, where one was assigned.
    pub fn request_id(&self) -> Option<&str> {
        self.inner.request_id.as_deref()
    }

    /// Which limit was reached, of an error of the kind [`TimedOut`](ErrorKind::TimedOut) that is
    /// this library's.
    pub fn time_limit(&self) -> Option<TimeLimit> {
        self.inner.time_limit
    }

    /// Whether a function's error was read from the text that some runtimes write into the body,
    /// which then ends as a whole one does, and not from the end of the invocation.
    pub fn is_in_body(&self) -> bool {
        self.inner.in_body
    }

    /// Whether there was no connection, so that nothing was sent and no function was run.
    pub fn is_unsent(&self) -> bool {
        self.inner.unsent
    }

    /// The last 4 KB of the log of the function that failed, if they were asked for.
    pub fn log_tail(&self) -> Option<&Bytes> {
        self.inner.log_tail.as_ref()
    }

    /// How long the service asked to wait before the next try, where it did.
    pub fn retry_after(&self) -> Option<Duration> {
        self.inner.retry_after
    }

    /// The file whose download can be continued: its part file and its journal are there, and the
    /// same [`to_file`](crate::Download::to_file) or an [`Unfinished`](crate::Unfinished) takes
    /// them up. `None` if nothing is left.
    pub fn unfinished(&self) -> Option<&Path> {
        self.inner.unfinished.as_deref()
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.inner.message)
    }
}

impl std::fmt::Debug for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.inner.kind)
            .field("message", &self.inner.message)
            .field("request_id", &self.inner.request_id)
            .field("source", &self.inner.source)
            .finish()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.inner.source.as_deref().map(|source| source as _)
    }
}

/// What the service says when it does not call a function.
pub(crate) trait Refusal: ProvideErrorMetadata + std::error::Error + 'static {
    /// Whether it has no capacity, and which.
    fn throttled(&self) -> Option<Option<&ThrottleReason>>;
}

impl Refusal for InvokeWithResponseStreamError {
    fn throttled(&self) -> Option<Option<&ThrottleReason>> {
        match self {
            Self::TooManyRequestsException(throttled) => Some(throttled.reason()),
            _ => None,
        }
    }
}

impl Refusal for InvokeError {
    fn throttled(&self) -> Option<Option<&ThrottleReason>> {
        match self {
            Self::TooManyRequestsException(throttled) => Some(throttled.reason()),
            _ => None,
        }
    }
}

fn from_refusal<E: Refusal>(raw: &HttpResponse, error: &E) -> Error {
    let status = raw.status().as_u16();
    let code = quotable(error.code().unwrap_or("an error without a name"));
    let message = match error.message().map(told) {
        Some(text) if !text.is_empty() => format!("the service refused with {code}: {text}"),
        _ => format!("the service refused with {code} (HTTP {status})"),
    };
    let kind = match error.throttled() {
        Some(reason) => {
            ErrorKind::Throttled { reason: reason.map(|reason| quotable(reason.as_str())) }
        }
        None => refusal_kind(status, code),
    };
    let wait = |name, unit: Duration| {
        let number: u32 = raw.headers().get(name)?.trim().parse().ok()?;
        Some(unit.saturating_mul(number))
    };
    // The first is what AWS services say in milliseconds, the second what HTTP says in seconds.
    let wait = wait("x-amz-retry-after", Duration::from_millis(1))
        .or_else(|| wait("retry-after", Duration::from_secs(1)));
    Error::new(kind, message).with_request_id(error.meta().request_id()).with_retry_after(wait)
}

/// A refusal by its name and status.
pub(crate) fn refusal_kind(status: u16, code: String) -> ErrorKind {
    if status == THROTTLED || THROTTLES.contains(&code.as_str()) {
        return ErrorKind::Throttled { reason: None };
    }
    ErrorKind::Refused { status, code }
}

/// What of a refusal's message may be told.
pub(crate) fn told(message: &str) -> String {
    // The first line: a refused signature is explained below it with the whole request, token and
    // all. And some quote the signature in the first one.
    let line = message.lines().next().unwrap_or_default();
    let signed =
        ["AWS4-", "Signature=", "Credential="].into_iter().filter_map(|mark| line.find(mark));
    match signed.min() {
        Some(at) => format!("{}…", quotable(&line[..at])),
        None => quotable(line),
    }
}

/// A text of another party, fit for one line of a terminal: control characters become spaces, and
/// what is longer than [`QUOTED_LEN`] is cut.
pub(crate) fn quotable(text: &str) -> String {
    let mut quoted: String = text
        .chars()
        .take(QUOTED_LEN)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect::<String>()
        .trim()
        .to_owned();
    if text.chars().nth(QUOTED_LEN).is_some() {
        quoted.push('…');
    }
    quoted
}

/// The words of a chain of errors, without the errors: theirs is a `Debug` that prints too much.
#[derive(Debug)]
pub(crate) struct Causes {
    text: String,
}

impl Causes {
    pub(crate) fn of(error: &(dyn std::error::Error + 'static)) -> Self {
        let mut words: Vec<String> = Vec::new();
        let mut next = Some(error);
        while let Some(error) = next {
            let word = quotable(&error.to_string());
            // Words with braces are the `Debug` of something, and some of the SDK's own messages
            // hold the whole request that way, payload and signature.
            if !word.contains('{') && words.last().is_none_or(|last| !last.contains(&word)) {
                words.push(word);
            }
            next = error.source();
        }
        Self { text: words.join(": ") }
    }

    /// The SDK has no public type for this; its words are the only sign.
    fn mentions_credentials(&self) -> bool {
        let text = self.text.to_ascii_lowercase();
        text.contains("credential") || text.contains("failed to select an auth scheme")
    }
}

impl std::fmt::Display for Causes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Causes {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_others_are_cut_and_cleaned() {
        assert_eq!(quotable("two\nlines\u{1b}[2J"), "two lines [2J");
        let long = quotable(&"x".repeat(QUOTED_LEN + 1));
        assert_eq!((long.chars().count(), long.ends_with('…')), (QUOTED_LEN + 1, true));
    }

    #[test]
    fn a_refusal_quotes_no_signature() {
        let table = [
            ("no such function", "no such function"),
            (
                "The signature does not match.\n\nThe request was\nsecret",
                "The signature does not match.",
            ),
            (
                "'abc' not a valid key=value pair in Authorization header: 'AWS4-HMAC-SHA256 x'",
                "'abc' not a valid key=value pair in Authorization header: '…",
            ),
            ("bad: Credential=AKID/x, Signature=abc", "bad:…"),
        ];
        for (message, expected) in table {
            assert_eq!(told(message), expected);
        }
    }

    #[test]
    fn a_request_in_a_message_is_not_told() {
        let inner = std::io::Error::other("no scheme");
        let error = Error::new(ErrorKind::InvalidInput, "Request { body: b\"secret\" }");
        assert_eq!(Causes::of(&error.with_source(inner)).to_string(), "no scheme");
    }

    #[test]
    fn a_chain_is_told_once() {
        let broken = std::io::Error::other(std::io::Error::other("reset by peer"));
        assert_eq!(Causes::of(&broken).to_string(), "reset by peer");
    }
}
