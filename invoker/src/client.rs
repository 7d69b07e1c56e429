//! A configured SDK client goes in; streamed results and downloads come out.

use std::ops::Range;

use tracing::Instrument as _;

use crate::body::ResponseStream;
use crate::deadline::Deadline;
use crate::error::Error;
use crate::invocation::{self, Invocation, SdkRetries, Timeouts};
use crate::meter::Meter;
use crate::trace::Teller;

/// Calls streaming functions. Cheap to clone; clones share the SDK client's connections.
#[derive(Clone, Debug)]
pub struct Invoker {
    client: aws_sdk_lambda::Client,
    timeouts: Timeouts,
}

impl Invoker {
    /// Calls through `client`, with its credentials, region, endpoint, HTTP client and retries.
    pub fn new(client: aws_sdk_lambda::Client) -> Self {
        Self { client, timeouts: Timeouts::default() }
    }

    /// As [`new`](Self::new): the client of a service that has one already, whose connections and
    /// credentials are shared.
    pub fn from_client(client: aws_sdk_lambda::Client) -> Self {
        Self::new(client)
    }

    /// Calls through a client of its own, made as `config` says. It needs an HTTP client, such as
    /// `HttpClient` of this library's feature `http-client`, if the SDK's crates have none.
    ///
    /// What `aws-config` has loaded becomes one by `aws_sdk_lambda::Config::from(&sdk_config)`.
    ///
    /// # Panics
    ///
    /// As [`aws_sdk_lambda::Client::from_conf`]: without a behavior version, or without what its
    /// retries or timeouts sleep with.
    pub fn from_conf(config: aws_sdk_lambda::Config) -> Self {
        Self::new(aws_sdk_lambda::Client::from_conf(config))
    }

    /// Waits no longer than this.
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// Calls a function once and returns as soon as its answer has begun.
    ///
    /// The SDK repeats the call as its client is configured to, until an answer begins; nothing is
    /// repeated after that.
    ///
    /// # Errors
    ///
    /// The service refused, could not be reached or was silent; the function failed before its
    /// first byte; its head is malformed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives up waiting. A function that was started runs to its end and is
    /// billed.
    pub async fn invoke(&self, invocation: Invocation) -> Result<ResponseStream, Error> {
        let deadline = self.deadline();
        let (retries, meter) = (SdkRetries::AsConfigured, Meter::default());
        let begun = deadline.hold(self.call(&invocation, None, retries, &meter)).await;
        begun.map(|stream| stream.until(deadline))
    }

    /// The deadline of what begins now.
    pub(crate) fn deadline(&self) -> Deadline {
        Deadline::after(self.timeouts.total)
    }

    /// One call that nobody repeats, for the bytes of `segment`, counted by `meter`.
    pub(crate) async fn call_once(
        &self,
        invocation: &Invocation,
        segment: Option<&Range<u64>>,
        meter: &Meter,
    ) -> Result<ResponseStream, Error> {
        self.call(invocation, segment, SdkRetries::Off, meter).await
    }

    async fn call(
        &self,
        invocation: &Invocation,
        segment: Option<&Range<u64>>,
        retries: SdkRetries,
        meter: &Meter,
    ) -> Result<ResponseStream, Error> {
        let region = self.client.config().region().map(|region| region.as_ref());
        let mut teller = Teller::begin(invocation.function(), region, segment);
        let called = invocation::call(&self.client, invocation, self.timeouts, retries, meter);
        match called.instrument(teller.span()).await {
            Ok((begun, events)) => ResponseStream::begin(begun, events, teller).await,
            Err(error) => {
                teller.failed(&error);
                Err(error)
            }
        }
    }
}

impl From<aws_sdk_lambda::Client> for Invoker {
    fn from(client: aws_sdk_lambda::Client) -> Self {
        Self::new(client)
    }
}
