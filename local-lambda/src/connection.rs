//! One accepted socket: in, bytes of HTTP/1.1; out, a future that answers them with bounded buffers
//! until the peer leaves, or until who answers cuts it. The caller owns the future, and so the
//! connection.

mod cut;

pub(crate) use cut::Cut;

use bytes::Bytes;
use cut::Cuttable;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::error::Error as StdError;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// The most bytes read or written ahead on one connection. It bounds a frame's payload too, because
/// what one read brings is one frame. Each read wakes three tasks and a client: with the 32 KiB that
/// AWS's own sandbox copies with (its published runtime interface emulator) a single stream takes 1.5
/// times as long (`benches/relay.rs`). A hundred connections stay under 20 MiB.
const BUFFER_BYTES: usize = 64 * 1024;
/// The kernel's buffer of one direction of one connection. Loopback would grow it to several MiB, and
/// a function could run that far ahead of a caller that does not read.
const SOCKET_BYTES: u32 = 256 * 1024;
/// Connections the kernel holds until they are accepted.
const BACKLOG: u32 = 1024;

/// Binds a listener whose connections have small buffers in the kernel.
pub(crate) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    if cfg!(not(windows)) {
        // To listen again while connections of before are in TIME_WAIT. Windows lets one anyway, and
        // means by this that two may listen at once ("Using SO_REUSEADDR and SO_EXCLUSIVEADDRUSE").
        socket.set_reuseaddr(true)?;
    }
    socket.set_recv_buffer_size(SOCKET_BYTES)?;
    socket.set_send_buffer_size(SOCKET_BYTES)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Answers one connection with `answer` until either side closes it. Who answers may also cut it.
/// `written` counts the bytes that the kernel took.
pub(crate) async fn serve<A, F, B>(stream: TcpStream, written: Arc<AtomicU64>, answer: A)
where
    A: Fn(Request<Incoming>, &Cut) -> F,
    F: Future<Output = Response<B>>,
    B: Body<Data = Bytes, Error: Into<Box<dyn StdError + Send + Sync>>> + 'static,
{
    // Without it the last small frame waits for the peer's delayed acknowledgement, about 40 ms.
    if stream.set_nodelay(true).is_err() {
        return; // the peer is gone already
    }
    let cut = Cut::default();
    let service = service_fn(|request| {
        let answered = answer(request, &cut);
        async move { Ok::<_, Infallible>(answered.await) }
    });
    let served = http1::Builder::new()
        .max_buf_size(BUFFER_BYTES)
        .serve_connection(TokioIo::new(Cuttable::new(stream, cut.clone(), written)), service)
        .await;
    if let Err(err) = served {
        // Peers may leave at any time: what that means is known where the body is read.
        tracing::debug!(%err, "connection ended early");
    }
}
