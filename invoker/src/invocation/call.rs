//! An invocation goes out through the SDK; the raw body of its answer comes in, before the SDK's own
//! receiver gets to it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_sdk_lambda::config::retry::RetryConfig;
use aws_sdk_lambda::config::timeout::TimeoutConfig;
use aws_sdk_lambda::operation::RequestId;
use aws_sdk_lambda::operation::invoke_with_response_stream::builders::InvokeWithResponseStreamFluentBuilder;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{LogType, ResponseStreamingInvocationType};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeDeserializationInterceptorContextMut, BeforeTransmitInterceptorContextRef,
};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::ConfigBag;
use tokio::time::Instant;

use super::events::Events;
use super::frames::Frames;
use super::silence::{Silence, no_answer};
use super::timeouts::Timeouts;
use super::{HttpHead, Invocation, error_answer};
use crate::error::{Error, ErrorKind};
use crate::meter::Meter;

/// The media type of a body made of frames.
const EVENT_STREAM: &str = "application/vnd.amazon.eventstream";

/// Who repeats a call that got no stream.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum SdkRetries {
    /// The SDK, as its client is configured.
    AsConfigured,
    /// Nobody: the caller of [`call`] decides itself.
    Off,
}

/// Of an answer that has begun: what its HTTP head says.
#[derive(Clone, Default)]
pub(crate) struct Begun {
    pub(crate) executed_version: Option<String>,
    pub(crate) request_id: Option<String>,
    /// The function's own, where it is that of an HTTP answer and not of the payload.
    pub(crate) http_head: Option<HttpHead>,
}

/// Calls the function once. Returns when the service's HTTP head is there.
pub(crate) async fn call(
    client: &aws_sdk_lambda::Client,
    invocation: &Invocation,
    timeouts: Timeouts,
    retries: SdkRetries,
    meter: &Meter,
) -> Result<(Begun, Events), Error> {
    let tap = Tap::default();
    let mut config = connecting(client, timeouts);
    if retries == SdkRetries::Off {
        config = config.retry_config(RetryConfig::disabled());
    }
    let operation = operation(client, invocation)?
        .set_log_type(invocation.log_tail.then_some(LogType::Tail))
        .customize()
        .interceptor(tap.clone())
        .config_override(config);

    let (started, running) = (Instant::now(), meter.begin());
    let answer = tokio::time::timeout(timeouts.first_byte, operation.send())
        .await
        .map_err(|_| no_answer(timeouts.first_byte))?;
    let output = match answer {
        Ok(output) => output,
        Err(error) => {
            running.refused();
            let seen = tap.seen();
            return Err(Error::from_sdk(error, seen.endpoint.as_deref(), timeouts.connect));
        }
    };
    let Seen { endpoint, body } = std::mem::take(&mut *tap.seen());
    let Some(body) = body else {
        let found = output.response_stream_content_type().unwrap_or("without a Content-Type");
        let message = format!(
            "the answer of {} is {}, not an event stream: that is not the Lambda service",
            endpoint.as_deref().unwrap_or("the endpoint"),
            crate::error::quotable(found)
        );
        return Err(Error::new(ErrorKind::NotEventStream, message));
    };
    let begun = Begun {
        executed_version: output.executed_version().map(str::to_owned),
        request_id: output.request_id().map(str::to_owned),
        http_head: None,
    };
    let frames = Frames::new(body, Silence::new(timeouts, started.elapsed()), running);
    Ok((begun, Events::Framed(frames)))
}

/// Asks the service whether the function could be called so; nothing is run.
pub(crate) async fn dry_run(
    client: &aws_sdk_lambda::Client,
    invocation: &Invocation,
    timeouts: Timeouts,
) -> Result<(), Error> {
    let tap = Tap::default();
    let operation = operation(client, invocation)?
        .invocation_type(ResponseStreamingInvocationType::DryRun)
        .customize()
        .interceptor(tap.clone())
        .config_override(connecting(client, timeouts));
    let answer = tokio::time::timeout(timeouts.first_byte, operation.send())
        .await
        .map_err(|_| no_answer(timeouts.first_byte))?;
    let seen = tap.seen();
    match answer {
        Ok(_) if seen.body.is_none() => Ok(()),
        Ok(_) => {
            let endpoint = seen.endpoint.as_deref().unwrap_or("the endpoint");
            let message = format!("{endpoint} knows no dry run: it has run the function");
            Err(Error::new(ErrorKind::Inconsistent, message))
        }
        Err(error) => Err(Error::from_sdk(error, seen.endpoint.as_deref(), timeouts.connect)),
    }
}

fn operation(
    client: &aws_sdk_lambda::Client,
    invocation: &Invocation,
) -> Result<InvokeWithResponseStreamFluentBuilder, Error> {
    let operation = client
        .invoke_with_response_stream()
        .function_name(&invocation.function)
        .set_qualifier(invocation.qualifier.clone())
        .payload(Blob::from_maybe_shared(invocation.payload.clone()))
        .set_client_context(invocation.encoded_client_context()?)
        .set_tenant_id(invocation.tenant_id.clone());
    Ok(operation)
}

/// What the client sets beside the connection stays.
fn connecting(
    client: &aws_sdk_lambda::Client,
    timeouts: Timeouts,
) -> aws_sdk_lambda::config::Builder {
    let set = client.config().timeout_config().map(TimeoutConfig::to_builder).unwrap_or_default();
    aws_sdk_lambda::config::Builder::new()
        .timeout_config(set.connect_timeout(timeouts.connect).build())
}

/// Looks at a call as it goes over the wire: which endpoint it is sent to, and the raw body of its
/// answer, taken before the SDK wraps its own receiver around it.
///
/// Only of an answer that is a stream: error answers are left for the SDK to read and type, as far
/// as there is an error to read.
#[derive(Clone, Debug, Default)]
struct Tap {
    seen: Arc<Mutex<Seen>>,
}

#[derive(Debug, Default)]
struct Seen {
    /// Scheme and authority of the last attempt.
    endpoint: Option<String>,
    body: Option<SdkBody>,
}

impl Tap {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Intercept for Tap {
    fn name(&self) -> &'static str {
        "Tap"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // `https://host/path`: the third slash begins the path.
        let uri = context.request().uri();
        let path = uri.match_indices('/').nth(2).map_or(uri.len(), |(at, _)| at);
        // Nor the user and the password that some write before the host.
        let endpoint = match (uri[..path].split_once("://"), uri[..path].rsplit_once('@')) {
            (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
            _ => uri[..path].to_owned(),
        };
        self.seen().endpoint = Some(endpoint);
        Ok(())
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response_mut();
        let content_type = response.headers().get("content-type").unwrap_or_default();
        if response.status().as_u16() == 200 && content_type.starts_with(EVENT_STREAM) {
            self.seen().body = Some(std::mem::replace(response.body_mut(), SdkBody::empty()));
        } else {
            let body = std::mem::replace(response.body_mut(), SdkBody::empty());
            *response.body_mut() = error_answer::bounded(body);
        }
        Ok(())
    }
}
