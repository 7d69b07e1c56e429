//! A configured SDK client goes in; streamed results and downloads come out.

use std::ops::Range;

use tracing::Instrument as _;

use crate::body::ResponseStream;
use crate::deadline::Deadline;
use crate::error::{Error, ErrorKind};
#[cfg(feature = "function-url")]
use crate::invocation::FunctionUrls;
use crate::invocation::{self, Begun, Events, Invocation, SdkRetries, Timeouts};
use crate::meter::Meter;
use crate::trace::Teller;

/// Calls streaming functions. Cheap to clone; clones share the SDK client's connections.
#[derive(Clone, Debug)]
pub struct Invoker {
    /// For functions that are called by name.
    client: Option<aws_sdk_lambda::Client>,
    /// For those that are called by URL.
    #[cfg(feature = "function-url")]
    urls: Option<FunctionUrls>,
    timeouts: Timeouts,
    /// Whether a payload may begin with a head.
    heads: bool,
}

impl Invoker {
    /// Calls through `client`, with its credentials, region, endpoint, HTTP client and retries.
    pub fn new(client: aws_sdk_lambda::Client) -> Self {
        Self {
            client: Some(client),
            #[cfg(feature = "function-url")]
            urls: None,
            timeouts: Timeouts::default(),
            heads: true,
        }
    }

    /// Calls functions by their URLs only.
    #[cfg(feature = "function-url")]
    pub fn of_function_urls(urls: FunctionUrls) -> Self {
        Self { client: None, urls: Some(urls), timeouts: Timeouts::default(), heads: true }
    }

    /// Calls functions by their URLs as well, where that is how an invocation names them.
    #[cfg(feature = "function-url")]
    pub fn function_urls(mut self, urls: FunctionUrls) -> Self {
        self.urls = Some(urls);
        self
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

    /// Whether a head is looked for at the beginning of a payload; yes if this is not called. Without it
    /// all bytes are body, also those that look like a head. A function that is called by its URL has
    /// the head of its HTTP answer either way.
    pub fn heads(mut self, wanted: bool) -> Self {
        self.heads = wanted;
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
        let call = Box::pin(self.call(&invocation, None, retries, &meter));
        let begun = deadline.hold(call).await;
        begun.map(|stream| stream.until(deadline))
    }

    /// Asks the service whether the function may be called as `invocation` says. Nothing is run.
    ///
    /// # Errors
    ///
    /// The service refused, as it would refuse the call, could not be reached or was silent; a Function
    /// URL has no dry run ([`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput));
    /// [`ErrorKind::Inconsistent`](crate::ErrorKind::Inconsistent) if it knows no dry run and has run
    /// the function.
    ///
    /// # Cancel safety
    ///
    /// Safe: there is nothing to lose.
    pub async fn dry_run(&self, invocation: &Invocation) -> Result<(), Error> {
        invocation.refuse_user()?;
        if invocation.is_by_url() {
            return Err(Error::new(ErrorKind::InvalidInput, "a Function URL has no dry run"));
        }
        let client = self.client(invocation)?;
        self.deadline().hold(invocation::dry_run(client, invocation, self.timeouts)).await
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
        Box::pin(self.call(invocation, segment, SdkRetries::Off, meter)).await
    }

    /// Boxed by its callers: its 6 KiB are needed until the answer begins, and no longer.
    async fn call(
        &self,
        invocation: &Invocation,
        segment: Option<&Range<u64>>,
        retries: SdkRetries,
        meter: &Meter,
    ) -> Result<ResponseStream, Error> {
        invocation.refuse_user()?;
        let function = invocation.shown_function();
        let mut teller = Teller::begin(function, self.region(invocation), segment);
        let called = self.send(invocation, retries, meter);
        match called.instrument(teller.span()).await {
            Ok((begun, events)) => ResponseStream::begin(begun, events, teller, self.heads).await,
            Err(error) => {
                teller.failed(&error);
                Err(error)
            }
        }
    }

    /// By the way that the function's name asks for.
    async fn send(
        &self,
        invocation: &Invocation,
        retries: SdkRetries,
        meter: &Meter,
    ) -> Result<(Begun, Events), Error> {
        #[cfg(feature = "function-url")]
        if let (true, Some(urls)) = (invocation.is_by_url(), &self.urls) {
            return urls.call(invocation, self.timeouts, meter).await;
        }
        let client = self.client(invocation)?;
        invocation::call(client, invocation, self.timeouts, retries, meter).await
    }

    /// What calls the service for this one.
    fn client(&self, invocation: &Invocation) -> Result<&aws_sdk_lambda::Client, Error> {
        let message = match (&self.client, invocation.is_by_url()) {
            (Some(client), false) => return Ok(client),
            (_, true) => {
                "a function named by its URL is called without the service, by a client that has URLs"
            }
            (None, false) => "this client calls functions by their URLs only",
        };
        Err(Error::new(ErrorKind::InvalidInput, message))
    }

    /// The region that is called, where that is known.
    fn region<'a>(&'a self, invocation: &'a Invocation) -> Option<&'a str> {
        #[cfg(feature = "function-url")]
        if let (true, Some(urls)) = (invocation.is_by_url(), &self.urls) {
            return urls.region_of(invocation.function());
        }
        let region = self.client.as_ref()?.config().region()?;
        Some(region.as_ref()).filter(|_| !invocation.is_by_url())
    }
}

impl From<aws_sdk_lambda::Client> for Invoker {
    fn from(client: aws_sdk_lambda::Client) -> Self {
        Self::new(client)
    }
}
