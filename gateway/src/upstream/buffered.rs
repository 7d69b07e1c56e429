//! An event goes to a function that cannot stream, by Invoke; its whole answer comes back.

use std::time::Duration;

use aws_sdk_lambda::config::retry::RetryConfig;
use aws_sdk_lambda::error::{ProvideErrorMetadata as _, SdkError};
use aws_sdk_lambda::operation::RequestId as _;
use aws_sdk_lambda::operation::invoke::{InvokeError, InvokeOutput};
use aws_sdk_lambda::primitives::Blob;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use http::StatusCode;
use http_body_util::{BodyExt as _, Full};
use serde::Deserialize;

use super::{Answer, Ending, Failure, lambda, proxy_answer};
use crate::config::{self, EventFormat, Timeouts};

/// For all of an answer, since it comes at once: as long as the library waits for a first byte.
const ANSWER: Duration = Duration::from_secs(60);

/// The longest text of a function that goes into a message, in characters.
const QUOTED: usize = 1_000;

/// A function that is asked for whole answers.
pub(super) struct Buffered {
    client: aws_sdk_lambda::Client,
    function: String,
    qualifier: Option<String>,
    tenant_id: Option<String>,
    /// In base64, as the service takes it.
    client_context: Option<String>,
    /// The longest wait.
    within: Duration,
}

impl Buffered {
    pub(super) fn new(
        config: aws_sdk_lambda::Config,
        function: &str,
        settings: Option<&config::Lambda>,
        timeouts: Timeouts,
    ) -> Self {
        let context = settings.and_then(|settings| settings.client_context.as_ref());
        let client_context = context.map(|context| {
            BASE64_STANDARD.encode(serde_json::Value::Object(context.0.clone()).to_string())
        });
        let limits = [timeouts.first_byte, timeouts.total].into_iter().flatten();
        // Calls are repeated by the front alone, which knows what may be.
        let mut config = config.to_builder().retry_config(RetryConfig::disabled());
        if let Some(limit) = timeouts.connect {
            let limits = aws_sdk_lambda::config::timeout::TimeoutConfig::builder();
            config = config.timeout_config(limits.connect_timeout(limit).build());
        }
        Self {
            client: aws_sdk_lambda::Client::from_conf(config.build()),
            function: function.to_owned(),
            qualifier: settings.and_then(|settings| settings.qualifier.clone()),
            tenant_id: settings.and_then(|settings| settings.tenant_id.clone()),
            client_context,
            within: limits.min().unwrap_or(ANSWER),
        }
    }

    pub(super) async fn ask(&self, event: Bytes, format: EventFormat) -> Result<Answer, Failure> {
        let call = self
            .client
            .invoke()
            .function_name(&self.function)
            .set_qualifier(self.qualifier.clone())
            .set_tenant_id(self.tenant_id.clone())
            .set_client_context(self.client_context.clone())
            .payload(Blob::new(event))
            .send();
        let output = tokio::time::timeout(self.within, call).await.map_err(|_| {
            let within = humantime::format_duration(self.within);
            let detail = format!("the function did not answer within {within}");
            Failure::new(Ending::TimedOut, StatusCode::GATEWAY_TIMEOUT, detail)
        })?;
        answer(output.map_err(|error| refused(&error))?, format)
    }
}

fn answer(output: InvokeOutput, format: EventFormat) -> Result<Answer, Failure> {
    let request_id = output.request_id().map(str::to_owned);
    let executed_version = output.executed_version().map(str::to_owned);
    let payload = Bytes::from(output.payload.map(Blob::into_inner).unwrap_or_default());
    let bad = |detail: String| Failure {
        request_id: request_id.clone(),
        ..Failure::new(Ending::Function, StatusCode::BAD_GATEWAY, detail)
    };
    if output.function_error.is_some() {
        return Err(function_error(&payload, bad));
    }
    let Some((head, body)) = proxy_answer::read(&payload, format) else {
        return Err(bad("the function's answer is none of a proxy integration".into()));
    };
    let (status, headers) = lambda::head(Some(&head))
        .map_err(|failure| Failure { request_id: request_id.clone(), ..failure })?;
    let body = Full::new(body).map_err(|never| match never {}).boxed_unsync();
    Ok(Answer { status, headers, body, request_id, executed_version })
}

/// The function's own error, which is its payload then.
fn function_error(payload: &[u8], bad: impl FnOnce(String) -> Failure) -> Failure {
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    struct Said {
        error_type: Option<String>,
        error_message: Option<String>,
    }
    let said: Said = serde_json::from_slice(payload).unwrap_or_default();
    let error_type = said.error_type.unwrap_or_else(|| "Unhandled".into());
    let message: String = said.error_message.unwrap_or_default().chars().take(QUOTED).collect();
    let detail = match message.is_empty() {
        true => format!("the function failed with {error_type}"),
        false => format!("the function failed with {error_type}: {message}"),
    };
    Failure { error_type: Some(error_type), ..bad(detail) }
}

/// Why the service did not call it.
fn refused(error: &SdkError<InvokeError>) -> Failure {
    let raw = error.raw_response();
    let status = raw.map_or(0, |response| response.status().as_u16());
    let code = error.code().unwrap_or("an error");
    let (ending, answered, detail) = match (error, status) {
        (SdkError::TimeoutError(_), _) => (
            Ending::TimedOut,
            StatusCode::GATEWAY_TIMEOUT,
            "the service did not answer in time".into(),
        ),
        (_, 429) => (
            Ending::Throttled,
            StatusCode::TOO_MANY_REQUESTS,
            format!("the service has no capacity for the call ({code})"),
        ),
        (SdkError::ServiceError(_), 404) => {
            (Ending::Refused, StatusCode::NOT_FOUND, format!("the service refused with {code}"))
        }
        (SdkError::ServiceError(_), 413) => (
            Ending::Refused,
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the service refused with {code}"),
        ),
        // A failure of the service's own, which passes.
        (SdkError::ServiceError(_), 500..=504) => (
            Ending::Refused,
            StatusCode::SERVICE_UNAVAILABLE,
            format!("the service failed with {code}"),
        ),
        (SdkError::ServiceError(_), _) => {
            (Ending::Refused, StatusCode::BAD_GATEWAY, format!("the service refused with {code}"))
        }
        (SdkError::ConstructionFailure(_), _) => (
            Ending::Unreachable,
            StatusCode::BAD_GATEWAY,
            "the call cannot be made as it is".into(),
        ),
        // It may have been run.
        _ => {
            let detail = "the service cannot be reached, or broke the connection";
            (Ending::Truncated, StatusCode::BAD_GATEWAY, detail.into())
        }
    };
    let header = |name| raw.and_then(|response| response.headers().get(name));
    let wait = header("retry-after").and_then(|seconds| seconds.trim().parse::<u32>().ok());
    Failure {
        retry_after: wait.map(|seconds| Duration::from_secs(seconds.into())),
        request_id: error.request_id().map(str::to_owned),
        ..Failure::new(ending, answered, detail)
    }
}
