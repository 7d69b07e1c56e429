//! One call goes out as an HTTP request to a Function URL, signed or not; the head of its answer and
//! the bytes of its body come in.

mod http_body;
mod http_head;
mod request;
mod signature;

use std::time::Duration;

use ::http_body::Body as _;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_smithy_types::body::SdkBody;
use hyper::body::Incoming;
use tokio::time::Instant;

use super::call::Begun;
use super::events::Events;
use super::silence::{Silence, no_answer};
use super::timeouts::Timeouts;
use super::{Invocation, error_answer};
use crate::error::Error;
use crate::http_client::HttpClient;
use crate::meter::Meter;

pub(super) use http_body::HttpBody;
use signature::Signer;

/// How the Function URLs of functions are called: with which credentials, over which connections.
/// Cheap to clone.
///
/// An [`Invoker`](crate::Invoker) that [has it](crate::Invoker::function_urls) calls functions whose
/// name is an URL. An event of the HTTP API's format 2.0, such as that of an
/// [object](crate::Invoker::object), becomes the request that it tells of; any other payload becomes
/// the body of a `POST`. The entries of `custom` become headers of the same names: so the contract of
/// ranges is that of HTTP. The query of the URL stands before that of the event. A `+` in either is sent
/// as `%20`, which means the same, if the call is signed.
///
/// Whether an answer is whole is told by its length. One without a length is whole, as far as an URL
/// tells, when its last HTTP chunk came: a function that fails in the middle leaves its connection
/// without one, which is [`Truncated`](crate::ErrorKind::Truncated), and has no words of its own. An answer
/// with neither is refused.
///
/// An URL of API Gateway does as well, if what is behind it streams and takes the event's path below that of
/// the stage. It renames some headers of the function (`x-amzn-remapped-...`); of those only
/// `content-length` counts here, and is read under both names.
///
/// ```no_run
/// # async fn run(provider: aws_credential_types::provider::SharedCredentialsProvider) -> Result<(), invoker::Error> {
/// let urls = invoker::FunctionUrls::signed(invoker::HttpClient::builder().build()?, provider);
/// let report = invoker::Invoker::of_function_urls(urls)
///     .object("https://abcdefghij.lambda-url.eu-central-1.on.aws", "2026/data.parquet")
///     .to_file("data.parquet").await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct FunctionUrls {
    http_client: HttpClient,
    signer: Option<Signer>,
}

impl FunctionUrls {
    /// Signs nothing: for functions whose authorization type is `NONE`, and for a service on
    /// loopback.
    pub fn unsigned(http_client: HttpClient) -> Self {
        Self { http_client, signer: None }
    }

    /// Signs each call (SigV4) with the credentials of `provider`, which are kept until shortly before they
    /// expire. It is signed for the service `lambda`; the caller needs `lambda:InvokeFunctionUrl`, and
    /// `lambda:InvokeFunction` for functions that ask for both. An URL of API Gateway's own
    /// (`ID.execute-api.REGION.amazonaws.com`, that of a private API's endpoint, and those of other
    /// partitions) is signed for `execute-api`; the caller needs `execute-api:Invoke`.
    pub fn signed(http_client: HttpClient, provider: impl ProvideCredentials + 'static) -> Self {
        let signer = Signer::new(SharedCredentialsProvider::new(provider));
        Self { http_client, signer: Some(signer) }
    }

    /// The region to sign for, where the URL does not name one: those of AWS itself do.
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.signer = self.signer.map(|signer| signer.with_region(region.into()));
        self
    }

    /// The region that a call of `function`, an URL, is signed for; `None` where nobody names one.
    pub fn region_of<'a>(&'a self, function: &'a str) -> Option<&'a str> {
        signature::region_in(function).or(self.signer.as_ref()?.region())
    }

    /// Calls the function once. Returns when the head of the answer is there.
    pub(crate) async fn call(
        &self,
        invocation: &Invocation,
        timeouts: Timeouts,
        meter: &Meter,
    ) -> Result<(Begun, Events), Error> {
        let mut request = request::of(invocation)?;
        let function = format!("the function at {}", request::origin(request.uri()));
        let started = Instant::now();
        let answered = tokio::time::timeout(timeouts.first_byte, async {
            if let Some(signer) = &self.signer {
                signer.sign(&mut request).await?;
            }
            let (connector, running) =
                (self.http_client.connector(Some(timeouts.connect), None), meter.begin());
            match connector.send(request.map(SdkBody::from)).await {
                Ok(response) => Ok((response, running)),
                Err(error) => {
                    running.refused();
                    Err(Error::from_connector(&error, &function, timeouts.connect))
                }
            }
        });
        let (response, running) = answered.await.map_err(|_| no_answer(timeouts.first_byte))??;
        let (parts, body) = response.into_parts();
        let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
        let request_id = header("x-amzn-requestid").map(str::to_owned);
        if let Some(code) = header("x-amzn-errortype") {
            running.refused();
            let message = message(body).await;
            let wait = header("retry-after").and_then(|seconds| seconds.trim().parse().ok());
            let error = Error::refused(parts.status.as_u16(), code, message.as_deref());
            return Err(error
                .with_retry_after(wait.map(|seconds: u32| Duration::from_secs(seconds.into())))
                .with_request_id(request_id.as_deref()));
        }
        let head = http_head::read(&parts)
            .map_err(|error| error.with_request_id(request_id.as_deref()))?;
        let begun = Begun { executed_version: None, request_id, http_head: Some(head) };
        let silence = Silence::new(timeouts, started.elapsed());
        Ok((begun, Events::Whole(HttpBody::new(body, silence, running))))
    }
}

/// What the service says of a refusal.
async fn message(body: Incoming) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Refusal {
        #[serde(alias = "Message")]
        message: String,
    }
    let mut body = Box::pin(error_answer::bounded(SdkBody::from_body_1_x(body)));
    let frame = std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await?;
    let refusal: Refusal = serde_json::from_slice(&frame.ok()?.into_data().ok()?).ok()?;
    Some(refusal.message)
}
