//! Requests of the SDK go in; answers come out over HTTP/1.1, whose bodies keep little memory.
//!
//! The SDK's own client cannot be told how much to read at once. Its reads grow to 400 KiB, each in
//! a buffer of that size, however little comes; and every slice of a body keeps the buffer it came
//! in. With 32 streams that is most of the memory there is. HTTP/2 would put all streams on one
//! connection, behind one window.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use http::Uri;
use hyper_rustls::{ConfigBuilderExt, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::{Client, Error, connect};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tower::timeout::{Timeout, error::Elapsed};
use tower::util::BoxCloneSyncService;

/// The largest buffer that a connection reads into, in bytes: two records of TLS, and what the
/// service's own sandbox copies a response with. Measured against 80 KiB it costs a tenth more
/// user time, and saves a third of the memory of 32 streams.
const READ_BUFFER: usize = 32 * 1024;

/// How long an unused connection is kept: shorter than the service's own patience.
const POOL_IDLE: Duration = Duration::from_secs(20);

/// An address in; a connection out, or a timeout, or what else kept it from being made.
type Connect = BoxCloneSyncService<Uri, MaybeHttpsStream<TokioIo<TcpStream>>, BoxError>;

type Hyper = Client<Connect, SdkBody>;

/// Whose word is taken for who a server is.
pub(crate) enum Roots {
    /// The root certificates of this system.
    System,
    /// Nobody's: for a service on loopback, which has no certificate.
    None,
}

/// A client for all calls of this process.
pub(crate) fn http_client(roots: Roots) -> std::io::Result<SharedHttpClient> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(std::io::Error::other)?;
    let tls = match roots {
        Roots::System => tls.with_native_roots()?,
        Roots::None => tls.with_root_certificates(RootCertStore::empty()),
    };
    let tls = tls.with_no_client_auth();
    // The SDK asks for a connector by its settings, time and again; there are two or three kinds.
    let connectors = Mutex::new(HashMap::<Option<Duration>, Hyper>::new());
    Ok(http_client_fn(move |settings: &HttpConnectorSettings, _| {
        let mut connectors = connectors.lock().unwrap_or_else(PoisonError::into_inner);
        let hyper = connectors.entry(settings.connect_timeout()).or_insert_with_key(|timeout| {
            let mut tcp = connect::HttpConnector::new();
            tcp.enforce_http(false); // the TLS layer around it sees to https
            tcp.set_nodelay(true);
            tcp.set_connect_timeout(*timeout);
            let https = HttpsConnectorBuilder::new()
                .with_tls_config(tls.clone())
                .https_or_http()
                .enable_http1()
                .wrap_connector(tcp);
            // The limit of `tcp` is for each address of a name; that of the whole covers the name
            // and TLS as well.
            let connect = match timeout {
                Some(limit) => Connect::new(Timeout::new(https, *limit)),
                None => Connect::new(https),
            };
            Client::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .pool_idle_timeout(POOL_IDLE)
                .http1_max_buf_size(READ_BUFFER)
                .build(connect)
        });
        let connector = Connector { hyper: hyper.clone(), answer_within: settings.read_timeout() };
        SharedHttpConnector::new(connector)
    }))
}

#[derive(Debug)]
struct Connector {
    hyper: Hyper,
    answer_within: Option<Duration>,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (hyper, answer_within) = (self.hyper.clone(), self.answer_within);
        HttpConnectorFuture::new(async move {
            let request =
                request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
            let answered = hyper.request(request);
            let response = match answer_within {
                Some(limit) => tokio::time::timeout(limit, answered)
                    .await
                    .map_err(|late| ConnectorError::timeout(late.into()))?,
                None => answered.await,
            };
            let response = response.map_err(classify)?.map(SdkBody::from_body_1_x);
            HttpResponse::try_from(response)
                .map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

fn classify(error: Error) -> ConnectorError {
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
