//! A request goes to a function of the service by InvokeWithResponseStream; its head and body come back as
//! they arrive.

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use http_body_util::BodyExt as _;
use invoker::{ErrorKind, Head, HttpClient, Invocation, Invoker, ResponseStream};

use super::{Answer, Ending, Failure};
use crate::config::{self, Aws, EventFormat, Timeouts};
use crate::event::Shown;

/// The type of a body whose function names none, as Function URLs have it.
const TYPE_DEFAULT: HeaderValue = HeaderValue::from_static("application/octet-stream");

pub(crate) struct Lambda {
    invoker: Invoker,
    invocation: Invocation,
    format: EventFormat,
}

impl Lambda {
    pub(super) async fn new(
        lambda: &config::Lambda,
        timeouts: Timeouts,
        aws: &Aws,
    ) -> Result<Self, String> {
        let http_client = HttpClient::builder().build().map_err(|error| error.to_string())?;
        // Calls are repeated by the front alone, which knows what may be: the SDK's own tries would
        // multiply them.
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(http_client.clone())
            .retry_config(RetryConfig::disabled());
        if let Some(profile) = &aws.profile {
            loader = loader.profile_name(profile);
        }
        if let Some(region) = &aws.region {
            loader = loader.region(Region::new(region.clone()));
        }
        if let Some(url) = &aws.endpoint_url {
            loader = loader.endpoint_url(url);
        }
        let loaded = loader.load().await;
        let invoker = Invoker::from_conf(aws_sdk_lambda::Config::from(&loaded));
        let mut limits = invoker::Timeouts::default();
        if let Some(limit) = timeouts.connect {
            limits = limits.connect(limit);
        }
        if let Some(limit) = timeouts.first_byte {
            limits = limits.first_byte(limit);
        }
        if let Some(limit) = timeouts.idle {
            limits = limits.idle(limit);
        }
        if let Some(limit) = timeouts.total {
            limits = limits.total(limit);
        }
        let mut invocation = Invocation::new(lambda.function.clone());
        if let Some(qualifier) = &lambda.qualifier {
            invocation = invocation.qualifier(qualifier.clone());
        }
        Ok(Self { invoker: invoker.timeouts(limits), invocation, format: lambda.event })
    }

    pub(super) async fn ask(&self, shown: &Shown<'_>) -> Result<Answer, Failure> {
        let invocation = self.invocation.clone().payload(shown.event(self.format));
        let stream = self.invoker.invoke(invocation).await.map_err(failure)?;
        answer(if shown.request.method == Method::HEAD { stream.without_promise() } else { stream })
    }
}

/// What the head says, for HTTP. Without a head the body is all there is.
fn answer(stream: ResponseStream) -> Result<Answer, Failure> {
    let request_id = stream.request_id().map(str::to_owned);
    let executed_version = stream.executed_version().map(str::to_owned);
    let (status, headers) = match stream.head() {
        Some(head) => of_head(head).ok_or_else(|| Failure {
            ending: Ending::Function,
            status: StatusCode::BAD_GATEWAY,
            detail: "the function's head is none that HTTP knows".into(),
            error_type: None,
            retry_after: None,
            request_id: request_id.clone(),
        })?,
        None => {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, TYPE_DEFAULT);
            (StatusCode::OK, headers)
        }
    };
    let body = stream.map_err(failure).boxed_unsync();
    Ok(Answer { status, headers, body, request_id, executed_version })
}

fn of_head(head: &Head) -> Option<(StatusCode, HeaderMap)> {
    let status = StatusCode::from_u16(head.status).ok().filter(|s| !s.is_informational())?;
    let mut headers = HeaderMap::new();
    for (name, value) in &head.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        headers.append(name, HeaderValue::from_str(value).ok()?);
    }
    for cookie in &head.cookies {
        headers.append(header::SET_COOKIE, HeaderValue::from_str(cookie).ok()?);
    }
    let bodiless = [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&status);
    if !bodiless && !headers.contains_key(header::CONTENT_TYPE) {
        headers.insert(header::CONTENT_TYPE, TYPE_DEFAULT);
    }
    Some((status, headers))
}

/// An error of the library as the gateway tells of it.
fn failure(error: invoker::Error) -> Failure {
    let (ending, status) = match error.kind() {
        ErrorKind::Throttled { .. } => (Ending::Throttled, StatusCode::TOO_MANY_REQUESTS),
        ErrorKind::TimedOut if error.is_unsent() => {
            (Ending::Unreachable, StatusCode::GATEWAY_TIMEOUT)
        }
        ErrorKind::TimedOut => (Ending::TimedOut, StatusCode::GATEWAY_TIMEOUT),
        ErrorKind::Function { .. } => (Ending::Function, StatusCode::BAD_GATEWAY),
        ErrorKind::Refused { status: 404, .. } => (Ending::Refused, StatusCode::NOT_FOUND),
        ErrorKind::Refused { status: 413, .. } => (Ending::Refused, StatusCode::PAYLOAD_TOO_LARGE),
        // A failure of the service's own, which passes.
        ErrorKind::Refused { status: 500 | 502 | 503 | 504, code } if is_passing(code) => {
            (Ending::Refused, StatusCode::SERVICE_UNAVAILABLE)
        }
        ErrorKind::Refused { .. } => (Ending::Refused, StatusCode::BAD_GATEWAY),
        ErrorKind::Unreachable if error.is_unsent() => {
            (Ending::Unreachable, StatusCode::SERVICE_UNAVAILABLE)
        }
        // It may have been run.
        ErrorKind::Unreachable | ErrorKind::Truncated => {
            (Ending::Truncated, StatusCode::BAD_GATEWAY)
        }
        ErrorKind::Corrupt | ErrorKind::Inconsistent => (Ending::Corrupt, StatusCode::BAD_GATEWAY),
        // No credentials, no region, no Lambda service there.
        _ => (Ending::Unreachable, StatusCode::BAD_GATEWAY),
    };
    let error_type = match error.kind() {
        ErrorKind::Function { error_type, .. } => Some(error_type.clone()),
        _ => None,
    };
    Failure {
        ending,
        status,
        detail: error.to_string(),
        error_type,
        retry_after: error.retry_after(),
        request_id: error.request_id().map(str::to_owned),
    }
}

/// The service says 502 for much that stays as it is until somebody changes it: only its own failures and
/// a function that is being made ready pass (API reference of InvokeWithResponseStream, "Errors").
fn is_passing(code: &str) -> bool {
    matches!(
        code,
        "ServiceException"
            | "ResourceNotReadyException"
            | "SnapStartNotReadyException"
            | "EC2UnexpectedException"
            | "EFSIOException"
            | "EFSMountTimeoutException"
            | "SnapStartTimeoutException"
    )
}
