//! An event goes to a function that cannot stream, by Invoke; its whole answer comes back.

use std::time::Duration;

use aws_sdk_lambda::config::retry::RetryConfig;
use aws_sdk_lambda::config::timeout::TimeoutConfig;
use aws_sdk_lambda::operation::RequestId as _;
use aws_sdk_lambda::operation::invoke::InvokeOutput;
use aws_sdk_lambda::primitives::Blob;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use serde::Deserialize;

use super::{Answer, Ending, Failure, lambda, proxy_answer};
use crate::config::{self, EventFormat, Timeouts};

/// As the library waits for connections.
const CONNECT: Duration = Duration::from_secs(10);

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
    /// The longest wait for a connection.
    connect: Duration,
    /// The longest wait for all of it.
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
        let connect = timeouts.connect.unwrap_or(CONNECT);
        let answer = timeouts.first_byte.unwrap_or(ANSWER);
        // Calls are repeated by the front alone, which knows what may be.
        let config = config
            .to_builder()
            .retry_config(RetryConfig::disabled())
            .timeout_config(TimeoutConfig::builder().connect_timeout(connect).build());
        Self {
            client: aws_sdk_lambda::Client::from_conf(config.build()),
            function: function.to_owned(),
            qualifier: settings.and_then(|settings| settings.qualifier.clone()),
            tenant_id: settings.and_then(|settings| settings.tenant_id.clone()),
            client_context,
            connect,
            within: timeouts.total.map_or(answer, |total| total.min(answer)),
        }
    }

    /// `event` is of a request with this method.
    pub(super) async fn ask(
        &self,
        event: Bytes,
        format: EventFormat,
        method: &Method,
    ) -> Result<Answer, Failure> {
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
        let output = output
            .map_err(|error| lambda::failure(invoker::Error::of_invoke(error, self.connect)))?;
        answer(output, format, method)
    }
}

fn answer(output: InvokeOutput, format: EventFormat, method: &Method) -> Result<Answer, Failure> {
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
    let (status, mut headers) = lambda::head(Some(&head))
        .map_err(|failure| Failure { request_id: request_id.clone(), ..failure })?;
    // All of it is here, so its length is known better than the function says. Without a body the length may be
    // that of another answer (RFC 9110, section 8.6).
    if *method != Method::HEAD && status != StatusCode::NOT_MODIFIED {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_byte_is_waited_for_no_longer_where_only_all_has_a_limit() {
        let config = aws_sdk_lambda::Config::builder()
            .behavior_version(aws_sdk_lambda::config::BehaviorVersion::latest())
            .build();
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        for (first_byte, total, within) in [
            (None, None, 60),
            (None, seconds(900), 60),
            (None, seconds(5), 5),
            (seconds(90), seconds(900), 90),
        ] {
            let timeouts = Timeouts { first_byte, total, ..Timeouts::default() };
            let buffered = Buffered::new(config.clone(), "f", None, timeouts);
            assert_eq!(buffered.within.as_secs(), within);
            assert_eq!(buffered.connect, CONNECT);
        }
    }
}
