//! Listening sockets come in; every client that comes is served, as many at once as the limits say, until
//! the gateway closes and the last connection has ended.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::{Shared, connection};

/// Rest after a failed accept, which happens when the process is out of file descriptors: long enough
/// not to spin, short enough not to be noticed.
const ACCEPT_REST: Duration = Duration::from_millis(50);

/// Ends when `closes` is true and all connections have ended. They end with this future.
pub(super) async fn open(
    listeners: Vec<TcpListener>,
    shared: Arc<Shared>,
    mut closes: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    let mut turn = 0;
    let mut was_full = false;
    let closing = closes.clone();
    loop {
        let limit = shared.generation.load().limits.connections();
        let is_full = connections.len() >= limit;
        if is_full && !was_full {
            tracing::warn!(limit, "no more connections are taken until one ends");
        }
        was_full = is_full;
        let accepted = std::future::poll_fn(|cx| accept(&listeners, &mut turn, cx));
        tokio::select! {
            accepted = accepted, if !is_full => match accepted {
                Ok((stream, peer)) => {
                    let shared = Arc::clone(&shared);
                    connections.spawn(connection::serve(stream, peer, shared, closing.clone()));
                }
                Err(err) => {
                    tracing::warn!(%err, "cannot accept a client");
                    tokio::time::sleep(ACCEPT_REST).await;
                }
            },
            Some(_) = connections.join_next() => {}
            () = super::closed(&mut closes) => break,
        }
    }
    drop(listeners);
    while connections.join_next().await.is_some() {}
}

/// Of the first listener that has a client; `turn` is whose turn it is to be asked first.
fn accept(
    listeners: &[TcpListener],
    turn: &mut usize,
    cx: &mut Context<'_>,
) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
    *turn += 1;
    for place in 0..listeners.len() {
        let listener = &listeners[(*turn + place) % listeners.len()];
        if let Poll::Ready(accepted) = listener.poll_accept(cx) {
            return Poll::Ready(accepted);
        }
    }
    Poll::Pending
}
