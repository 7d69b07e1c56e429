//! A request goes to a function, of the service or of one on loopback, by InvokeWithResponseStream; its head and
//! body come back as they arrive.

use aws_sdk_lambda::config::retry::RetryConfig;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use http_body_util::BodyExt as _;
use invoker::{ErrorKind, Head, Invocation, Invoker, ResponseStream};

use super::buffered::Buffered;
#[cfg(feature = "local")]
use super::local;
use super::segments::BySegments;
use super::{Answer, Ending, Failure};
use crate::config::{self, EventFormat, Mode, Prelude, Timeouts};
use crate::event::Shown;

/// The type of a body whose function names none, as Function URLs have it.
const TYPE_DEFAULT: HeaderValue = HeaderValue::from_static("application/octet-stream");

pub(crate) struct Lambda {
    invoker: Invoker,
    invocation: Invocation,
    format: EventFormat,
    prelude: Prelude,
    segments: Option<BySegments>,
    /// For a function that cannot stream.
    buffered: Option<Buffered>,
    /// Where the function runs, if that is here: it ends with those who call it.
    #[cfg(feature = "local")]
    _service: Option<std::sync::Arc<local::Service>>,
}

impl Lambda {
    pub(super) fn new(
        lambda: &config::Lambda,
        timeouts: Timeouts,
        config: aws_sdk_lambda::Config,
        segments: Option<BySegments>,
    ) -> Self {
        let mut invocation = Invocation::new(lambda.function.clone());
        if let Some(qualifier) = &lambda.qualifier {
            invocation = invocation.qualifier(qualifier.clone());
        }
        if let Some(tenant_id) = &lambda.tenant_id {
            invocation = invocation.tenant_id(tenant_id.clone());
        }
        if let Some(context) = &lambda.client_context {
            invocation = invocation.client_context(context.0.clone());
        }
        let buffered = (lambda.mode == Mode::Buffered)
            .then(|| Buffered::new(config.clone(), &lambda.function, Some(lambda), timeouts));
        let invoker = invoker(config, timeouts, lambda.prelude);
        Self {
            invoker,
            invocation,
            format: lambda.event,
            prelude: lambda.prelude,
            segments,
            buffered,
            #[cfg(feature = "local")]
            _service: None,
        }
    }

    #[cfg(feature = "local")]
    pub(super) fn of_local(
        local: &config::Local,
        timeouts: Timeouts,
        service: std::sync::Arc<local::Service>,
        segments: Option<BySegments>,
    ) -> Result<Self, String> {
        let config = service.config()?;
        let buffered = (local.mode == Mode::Buffered)
            .then(|| Buffered::new(config.clone(), local::FUNCTION, None, timeouts));
        Ok(Self {
            invoker: invoker(config, timeouts, local.prelude),
            invocation: Invocation::new(local::FUNCTION),
            format: local.event,
            prelude: local.prelude,
            segments,
            buffered,
            _service: Some(service),
        })
    }

    pub(super) async fn ask(&self, shown: &Shown<'_>) -> Result<Answer, Failure> {
        if let Some(segments) = &self.segments
            && let Some(answer) =
                segments.ask(&self.invoker, &self.invocation, self.format, shown).await?
        {
            return Ok(answer);
        }
        let event = shown.event(self.format)?;
        if let Some(buffered) = &self.buffered {
            return buffered.ask(event, self.format, &shown.request.method).await;
        }
        let stream = self.invoker.invoke(self.invocation.clone().payload(event)).await;
        let stream = stream.map_err(failure)?;
        if self.prelude == Prelude::Always && stream.head().is_none() {
            return Err(no_head(stream.request_id()));
        }
        answer(if shown.request.method == Method::HEAD { stream.without_promise() } else { stream })
    }
}

fn invoker(config: aws_sdk_lambda::Config, timeouts: Timeouts, prelude: Prelude) -> Invoker {
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
    // Calls are repeated by the front alone, which knows what may be: the SDK's own tries would multiply them.
    let config = config.to_builder().retry_config(RetryConfig::disabled()).build();
    Invoker::from_conf(config).timeouts(limits).heads(prelude != Prelude::Never)
}

pub(super) fn no_head(request_id: Option<&str>) -> Failure {
    let detail = "the function sent no head, and this route wants one";
    Failure {
        request_id: request_id.map(str::to_owned),
        ..Failure::new(Ending::Function, StatusCode::BAD_GATEWAY, detail)
    }
}

/// What the head says, for HTTP. Without a head the body is all there is.
fn answer(stream: ResponseStream) -> Result<Answer, Failure> {
    let request_id = stream.request_id().map(str::to_owned);
    let executed_version = stream.executed_version().map(str::to_owned);
    let (status, headers) = head(stream.head())
        .map_err(|failure| Failure { request_id: request_id.clone(), ..failure })?;
    let body = stream.map_err(failure).boxed_unsync();
    Ok(Answer { status, headers, body, request_id, executed_version })
}

/// The status and headers that a head makes, or that there are without one.
pub(super) fn head(head: Option<&Head>) -> Result<(StatusCode, HeaderMap), Failure> {
    match head {
        Some(head) => of_head(head).ok_or_else(|| {
            let detail = "the function's head is none that HTTP knows";
            Failure::new(Ending::Function, StatusCode::BAD_GATEWAY, detail)
        }),
        None => {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, TYPE_DEFAULT);
            Ok((StatusCode::OK, headers))
        }
    }
}

/// Of an answer, as HTTP has them: from 200 to 599 (RFC 9110, section 15).
pub(super) fn is_final(status: &StatusCode) -> bool {
    (200..600).contains(&status.as_u16())
}

fn of_head(head: &Head) -> Option<(StatusCode, HeaderMap)> {
    let status = StatusCode::from_u16(head.status).ok().filter(is_final)?;
    let mut headers = HeaderMap::new();
    for (name, value) in &head.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        // A map of headers has an end.
        headers.try_append(name, HeaderValue::from_str(value).ok()?).ok()?;
    }
    for cookie in &head.cookies {
        headers.try_append(header::SET_COOKIE, HeaderValue::from_str(cookie).ok()?).ok()?;
    }
    let bodiless = [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&status);
    if !bodiless && !headers.contains_key(header::CONTENT_TYPE) {
        headers.insert(header::CONTENT_TYPE, TYPE_DEFAULT);
    }
    Some((status, headers))
}

/// An error of the library as the gateway tells of it.
pub(super) fn failure(error: invoker::Error) -> Failure {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_with_more_than_a_map_holds_is_none() {
        for (count, is_one) in [(10, true), (40_000, false)] {
            let headers = (0..count).map(|n| (format!("x-{n}"), "1".to_owned())).collect();
            let head = Head { status: 200, headers, cookies: Vec::new() };
            assert_eq!(super::head(Some(&head)).is_ok(), is_one);
        }
    }
}
