//! A configuration comes in; an address that answers requests goes out, until its owner ends it or drops it.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::config::Config;
use crate::front::Front;
use crate::upstream::Lasting;

/// The most bytes read or written ahead on one connection: what a client that does not read costs.
const BUFFER_BYTES: usize = 64 * 1024;

/// Rest after a failed accept, which happens when the process is out of file descriptors: long enough
/// not to spin, short enough not to be noticed.
const ACCEPT_REST: Duration = Duration::from_millis(50);

/// A running gateway. Dropping it ends its connections.
pub struct Gateway {
    address: SocketAddr,
    door: JoinHandle<()>,
}

/// Why a gateway does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// An upstream cannot be made ready.
    #[error("{0}")]
    Upstream(String),
}

impl Gateway {
    /// Listens as `config` says, and answers.
    ///
    /// # Errors
    ///
    /// The address is taken; an upstream cannot be made ready.
    pub async fn start(config: Config) -> Result<Self, Error> {
        let front =
            Arc::new(Front::new(&config, &Lasting::default()).await.map_err(Error::Upstream)?);
        let cannot_listen = |source| Error::Listen { address: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(cannot_listen)?;
        let address = listener.local_addr().map_err(cannot_listen)?;
        let door = tokio::spawn(accept(listener, front));
        Ok(Self { address, door })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.door.abort();
    }
}

/// Accepts whoever comes, for ever. Their connections end with this future.
async fn accept(listener: TcpListener, front: Arc<Front>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    connections.spawn(serve(stream, peer, Arc::clone(&front)));
                }
                Err(err) => {
                    tracing::warn!(%err, "cannot accept a client");
                    tokio::time::sleep(ACCEPT_REST).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(stream: TcpStream, peer: SocketAddr, front: Arc<Front>) {
    // Without it the last small frame waits for the peer's delayed acknowledgement, about 40 ms.
    if stream.set_nodelay(true).is_err() {
        return; // the peer is gone already
    }
    let service = service_fn(move |request| {
        let answered = Arc::clone(&front).answer(request, peer);
        async move { Ok::<_, Infallible>(answered.await) }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).max_buf_size(BUFFER_BYTES);
    builder.http2().timer(TokioTimer::new()).max_send_buf_size(BUFFER_BYTES);
    if let Err(err) = builder.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(%err, "a connection ended early");
    }
}
