//! Requests of whoever looks after the gateway come in; metrics and health go out.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::metrics::Metrics;

/// The most at once: a few scrapers and probes.
const CONNECTIONS: usize = 64;

/// From a connection to the end of its answer. A scrape is given ten seconds by Prometheus
/// (`scrape_timeout`).
const WITHIN: Duration = Duration::from_secs(10);

/// Rest after a failed accept: long enough not to spin.
const ACCEPT_REST: Duration = Duration::from_millis(50);

const OPENMETRICS: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
const PLAIN: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// Answers for ever. `closing` is true from when the gateway takes no new connections.
pub(crate) async fn serve(
    listener: TcpListener,
    metrics: Arc<Metrics>,
    closing: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if connections.len() < CONNECTIONS => {
                let Ok((stream, _)) = accepted else {
                    tokio::time::sleep(ACCEPT_REST).await;
                    continue;
                };
                let (metrics, closing) = (Arc::clone(&metrics), closing.clone());
                let service = service_fn(move |request| {
                    let answer = answer(&request, &metrics, *closing.borrow());
                    async move { Ok::<_, Infallible>(answer) }
                });
                let mut builder = http1::Builder::new();
                builder.timer(TokioTimer::new()).keep_alive(false);
                let connection = builder.serve_connection(TokioIo::new(stream), service);
                // How it ended is nobody's concern.
                connections.spawn(async { drop(tokio::time::timeout(WITHIN, connection).await) });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

fn answer<B>(request: &Request<B>, metrics: &Metrics, closing: bool) -> Response<Full<Bytes>> {
    let ok = StatusCode::OK;
    let (status, kind, text) = match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/metrics") => (ok, OPENMETRICS, metrics.render()),
        (&Method::GET | &Method::HEAD, "/healthz") => (ok, PLAIN, "ok\n".into()),
        (&Method::GET | &Method::HEAD, "/readyz") => match closing {
            false => (ok, PLAIN, "ok\n".into()),
            true => (StatusCode::SERVICE_UNAVAILABLE, PLAIN, "shutting down\n".into()),
        },
        (_, "/metrics" | "/healthz" | "/readyz") => {
            (StatusCode::METHOD_NOT_ALLOWED, PLAIN, "only GET and HEAD\n".into())
        }
        _ => (StatusCode::NOT_FOUND, PLAIN, "here are /metrics, /healthz and /readyz\n".into()),
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
