//! Requests go in; answers come out over HTTP/1.1, whose bodies keep little memory.
//!
//! The SDK's own client cannot be told how much to read at once. Its reads grow to 400 KiB, each in
//! a buffer of that size, however little comes; and every slice of a body keeps the buffer it came
//! in. HTTP/2 would put all streams on one connection, behind one window.

mod proxies;
mod roots;
mod route;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use http::header::PROXY_AUTHORIZATION;
use http::{Request, Response, Uri};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector as Tcp;
use hyper_util::client::legacy::{self, Client};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;
use tower::timeout::{Timeout, error::Elapsed};
use tower::util::BoxCloneSyncService;

use crate::error::Error;

pub use proxies::Proxies;

use roots::Roots;
use route::{Hop, Route};

/// The largest buffer that a connection reads into, in bytes: two records of TLS. Measured on one stream of
/// frames of 64 KiB, the command takes 0.75 CPU seconds for a GiB with half of it, 0.52 with this, 0.50
/// with twice as much; a thousand streams that are read at once hold 105, 122 and 220 KiB each.
/// Connections begin with 8 KiB, and stay there while little comes (`benches/many_streams.rs`).
const READ_BUFFER: usize = 32 * 1024;

/// How long an unused connection is kept: shorter than the service's own patience.
const POOL_IDLE: Duration = Duration::from_secs(20);

/// An address in; a connection out, or a timeout, or what else kept it from being made.
type Connect = BoxCloneSyncService<Uri, MaybeHttpsStream<Hop>, BoxError>;

type Hyper = Client<Connect, SdkBody>;

/// The HTTP client of an SDK client that reads many streams at once. Cheap to clone; clones share
/// their connections.
///
/// The SDK's crates with `default-features = false` have none of their own, and the one that
/// their default features bring holds 520 KiB for each of a thousand streams that are read side by
/// side; this one holds 110 KiB (`benches/many_streams.rs`). It speaks HTTP/1.1 only, each stream on
/// a connection of its own, so that none waits for the window of another.
///
/// ```no_run
/// # async fn run() -> Result<(), invoker::Error> {
/// let http_client = invoker::HttpClient::builder().build()?;
/// let config = aws_sdk_lambda::Config::builder()
///     .behavior_version(aws_sdk_lambda::config::BehaviorVersion::latest())
///     .region(aws_sdk_lambda::config::Region::new("eu-central-1"))
///     .http_client(http_client)
///     .build();
/// let invoker = invoker::Invoker::from_conf(config);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct HttpClient {
    inner: Arc<Inner>,
}

struct Inner {
    tls: ClientConfig,
    proxies: Arc<Proxies>,
    /// The SDK asks for a connector by its settings, time and again; there are two or three kinds.
    connectors: Mutex<HashMap<Option<Duration>, Hyper>>,
}

/// What an [`HttpClient`] is to be like.
#[derive(Clone, Debug, Default)]
pub struct HttpClientBuilder {
    roots: Roots,
    proxies: Proxies,
}

impl HttpClient {
    /// A client that trusts the root certificates of this system and knows no proxy, until it is
    /// told otherwise.
    pub fn builder() -> HttpClientBuilder {
        HttpClientBuilder::default()
    }

    /// Sends a request that is none of an SDK's, over the same connections, and returns when the head of
    /// its answer is there. `connect` is the time for a connection, if it takes a new one; there is no
    /// limit for the answer, nor for its body, which fails if its connection ends before its last byte
    /// or its last HTTP chunk. An answer that has neither a length nor chunks ends when its connection does.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TimedOut`](crate::ErrorKind::TimedOut) without a connection in time,
    /// [`ErrorKind::Unreachable`](crate::ErrorKind::Unreachable) if there is none, or it broke before an
    /// answer came.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future, or the body, ends the connection.
    pub async fn send(
        &self,
        request: Request<SdkBody>,
        connect: Duration,
    ) -> Result<Response<SdkBody>, Error> {
        let host = request.uri().host().unwrap_or_default().to_owned();
        let sent = self.connector(Some(connect), None).send(request).await;
        match sent {
            Ok(response) => Ok(response.map(SdkBody::from_body_1_x)),
            Err(error) => Err(Error::from_connector(&error, &host, connect)),
        }
    }

    /// What sends requests with this limit for a connection.
    pub(crate) fn connector(
        &self,
        connect: Option<Duration>,
        answer: Option<Duration>,
    ) -> Connector {
        let mut connectors = self.inner.connectors.lock().unwrap_or_else(PoisonError::into_inner);
        let hyper = connectors
            .entry(connect)
            .or_insert_with_key(|limit| hyper(&self.inner.tls, &self.inner.proxies, *limit));
        let proxies = Arc::clone(&self.inner.proxies);
        Connector { hyper: hyper.clone(), proxies, answer_within: answer }
    }
}

impl HttpClientBuilder {
    /// Trusts these certificates, PEM, in place of the system's. What else is in the text, such as a
    /// key, is not used.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if it is no PEM, or has no
    /// certificate that can be used.
    pub fn ca_bundle(mut self, pem: &[u8]) -> Result<Self, Error> {
        self.roots = roots::bundle(pem)?;
        Ok(self)
    }

    /// Trusts nobody, and looks for no certificates of the system: for a service on loopback without
    /// TLS.
    pub fn no_roots(mut self) -> Self {
        self.roots = Roots::none();
        self
    }

    /// Whom to ask for connections.
    pub fn proxies(mut self, proxies: Proxies) -> Self {
        self.proxies = proxies;
        self
    }

    /// The client. Reads the certificates of the system if they are what is trusted.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if the system has none.
    pub fn build(self) -> Result<HttpClient, Error> {
        let inner = Inner {
            tls: self.roots.tls()?,
            proxies: Arc::new(self.proxies),
            connectors: Mutex::default(),
        };
        Ok(HttpClient { inner: Arc::new(inner) })
    }
}

fn hyper(tls: &ClientConfig, proxies: &Arc<Proxies>, connect: Option<Duration>) -> Hyper {
    let mut tcp = Tcp::new();
    tcp.enforce_http(false); // the TLS layer around it sees to https
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(connect);
    let https = HttpsConnectorBuilder::new()
        .with_tls_config(tls.clone())
        .https_or_http()
        .enable_http1()
        .wrap_connector(Route::new(tcp, tls, Arc::clone(proxies)));
    // The limit of `tcp` is for each address of a name; that of the whole covers the name, a proxy
    // and TLS as well.
    let connect = match connect {
        Some(limit) => Connect::new(Timeout::new(https, limit)),
        None => Connect::new(https),
    };
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(POOL_IDLE)
        .http1_max_buf_size(READ_BUFFER)
        .build(connect)
}

/// Sends requests over the connections of one kind.
#[derive(Clone, Debug)]
pub(crate) struct Connector {
    hyper: Hyper,
    proxies: Arc<Proxies>,
    answer_within: Option<Duration>,
}

impl Connector {
    /// Returns when the head of the answer is there.
    pub(crate) async fn send(
        self,
        mut request: Request<SdkBody>,
    ) -> Result<Response<Incoming>, ConnectorError> {
        if let Some(authorization) = self.proxies.authorization(request.uri()) {
            request.headers_mut().insert(PROXY_AUTHORIZATION, authorization);
        }
        let answered = self.hyper.request(request);
        let response = match self.answer_within {
            Some(limit) => tokio::time::timeout(limit, answered)
                .await
                .map_err(|late| ConnectorError::timeout(late.into()))?,
            None => answered.await,
        };
        response.map_err(classify)
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let connector = self.clone();
        HttpConnectorFuture::new(async move {
            let request =
                request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
            let response = connector.send(request).await?.map(SdkBody::from_body_1_x);
            HttpResponse::try_from(response)
                .map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

impl aws_smithy_runtime_api::client::http::HttpClient for HttpClient {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let connector = self.connector(settings.connect_timeout(), settings.read_timeout());
        SharedHttpConnector::new(connector)
    }
}

impl std::fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpClient").field("proxies", &self.inner.proxies).finish_non_exhaustive()
    }
}

fn classify(error: legacy::Error) -> ConnectorError {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(link) = cause {
        let io = link.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        if link.is::<Elapsed>() || io == Some(std::io::ErrorKind::TimedOut) {
            // As the SDK's own client words it: the library goes by the word.
            let what = if error.is_connect() { "connect timeout" } else { "timeout" };
            return ConnectorError::timeout(what.into());
        }
        cause = link.source();
    }
    ConnectorError::io(error.into())
}
