//! An address goes in; a connection that leads there comes out: its own, a tunnel through a proxy,
//! or one to a proxy that forwards.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use aws_smithy_runtime_api::box_error::BoxError;
use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::client::proxy::matcher::Intercept;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tower::Service;

use super::proxies::Proxies;

/// The way to any address, as far as it is not protected from end to end.
#[derive(Clone)]
pub(super) struct Route {
    tcp: HttpConnector,
    /// To a proxy, which may want TLS as well.
    to_proxy: HttpsConnector<HttpConnector>,
    proxies: Arc<Proxies>,
}

impl Route {
    pub(super) fn new(tcp: HttpConnector, tls: &ClientConfig, proxies: Arc<Proxies>) -> Self {
        let to_proxy = HttpsConnectorBuilder::new()
            .with_tls_config(tls.clone())
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp.clone());
        Self { tcp, to_proxy, proxies }
    }
}

impl Service<Uri> for Route {
    type Response = Hop;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Hop, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.tcp.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, address: Uri) -> Self::Future {
        let Some(proxy) = self.proxies.of(&address) else {
            let connecting = self.tcp.call(address);
            return Box::pin(async move {
                Ok(Hop { stream: MaybeHttpsStream::Http(connecting.await?), forwards: false })
            });
        };
        let mut to_proxy = self.to_proxy.clone();
        if address.scheme_str() != Some("https") {
            let connecting = to_proxy.call(proxy.uri().clone());
            return Box::pin(async move {
                let stream = connecting.await.map_err(|error| unreachable(&proxy, error))?;
                Ok(Hop { stream, forwards: true })
            });
        }
        let mut tunnel = Tunnel::new(proxy.uri().clone(), to_proxy);
        if let Some(authorization) = proxy.basic_auth() {
            tunnel = tunnel.with_auth(authorization.clone());
        }
        let connecting = tunnel.call(address);
        Box::pin(async move {
            let stream = connecting.await.map_err(|error| unreachable(&proxy, error.into()))?;
            Ok(Hop { stream, forwards: false })
        })
    }
}

/// Names the proxy: nobody would look for the fault there.
fn unreachable(proxy: &Intercept, error: BoxError) -> BoxError {
    Box::new(ProxyError { proxy: proxy.uri().to_string(), error })
}

#[derive(Debug, thiserror::Error)]
#[error("the proxy {proxy} made no connection")]
struct ProxyError {
    /// Without its user and password.
    proxy: String,
    #[source]
    error: BoxError,
}

/// A connection to the next machine on the way.
pub(super) struct Hop {
    stream: MaybeHttpsStream<TokioIo<TcpStream>>,
    /// Whether a proxy is there that is to be told the whole address.
    forwards: bool,
}

impl Connection for Hop {
    fn connected(&self) -> Connected {
        self.stream.connected().proxy(self.forwards)
    }
}

impl Read for Hop {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl Write for Hop {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }
}
