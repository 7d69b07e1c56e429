//! One client's connection comes in; each of its requests is answered by the newest configuration, until the
//! client goes, is too slow, or the gateway closes.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response, Version, header};
use http_body::Body as _;
use http_body_util::Either;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::Shared;
use super::activity::{Activity, Exchange, Held};
use super::impatient::Impatient;
use super::socket::{EndsByClose, Socket};
use super::unread::{Bodies, Watched};
use crate::answer::Sent;
use crate::config::Limits;
use crate::event::OverTls;
use crate::hang_up::HangUp;

/// The most bytes read or written ahead on one connection: what a client that does not read costs.
const BUFFER_BYTES: usize = 32 * 1024;

/// How long a connection without an answer may take for its last words once the gateway closes.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How long a connection has nothing to say before its system asks whether the other is still there, how often it
/// asks, and how many times: one whose client is gone without a word ends within two minutes. Many ways between
/// forget a silent connection after five.
const ASKED_AFTER: Duration = Duration::from_secs(60);
const ASKED_EVERY: Duration = Duration::from_secs(15);
const ASKED_TIMES: u32 = 4;

/// What HTTP/2 counts for each field of a head beside its name and value, in bytes (RFC 9113, section 6.5.2).
const FIELD_BYTES: usize = 32;

/// The fewest fields of a head that are taken, which is what hyper takes of itself, and the most: a request
/// has to be told of a larger one in words, and a map of headers has room for 24,576.
const FIELDS_LEAST: usize = 100;
const FIELDS_MOST: usize = 16 * 1024;

/// Who a connection is with.
#[derive(Clone)]
struct Client {
    peer: SocketAddr,
    over_tls: Option<OverTls>,
    ends_by_close: EndsByClose,
}

pub(super) async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    shared: Arc<Shared>,
    mut closes: watch::Receiver<bool>,
) {
    // Without it the last small frame waits for the peer's delayed acknowledgement, about 40 ms.
    if stream.set_nodelay(true).is_err() {
        return; // the peer is gone already
    }
    let asked = TcpKeepalive::new().with_time(ASKED_AFTER).with_interval(ASKED_EVERY);
    if let Err(err) = SockRef::from(&stream).set_tcp_keepalive(&asked.with_retries(ASKED_TIMES)) {
        tracing::debug!(%err, "a client that is gone will be noticed later");
    }
    let (limits, tls) = {
        let generation = shared.generation.load();
        (generation.limits.clone(), generation.tls.clone())
    };
    let ends_by_close = EndsByClose::default();
    let stream = Socket::new(stream, ends_by_close.clone());
    let stream = Impatient::new(stream, limits.write());
    let client = Client { peer, over_tls: tls.as_ref().map(|_| OverTls), ends_by_close };
    let Some(tls) = tls else {
        return talk(stream, client, shared, &limits, closes).await;
    };
    let accepted = tokio::select! {
        accepted = tokio::time::timeout(limits.header_read(), tls.accept(stream)) => accepted,
        () = super::closed(&mut closes) => return,
    };
    match accepted {
        Ok(Ok(stream)) => talk(stream, client, shared, &limits, closes).await,
        Ok(Err(err)) => tracing::debug!(%err, "a client's TLS cannot be"),
        Err(_) => tracing::debug!("a client's TLS took too long"),
    }
}

async fn talk(
    stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
    client: Client,
    shared: Arc<Shared>,
    limits: &Limits,
    mut closes: watch::Receiver<bool>,
) {
    let activity = Activity::new(Some(Arc::clone(&shared.activity)));
    let bodies = Arc::new(Bodies::default());
    let hang_up = HangUp::default();
    let service = service_fn(|mut request: Request<Incoming>| {
        if let Some(over_tls) = client.over_tls {
            request.extensions_mut().insert(over_tls);
        }
        let watching = (request.version() == Version::HTTP_2).then(|| Arc::clone(&bodies));
        request.extensions_mut().insert(hang_up.clone());
        let answered = answer(Arc::clone(&shared), request, client.clone(), activity.begin());
        async move { Ok::<_, Infallible>(watched(answered.await, watching.as_deref())) }
    });
    let builder = builder(limits);
    let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
    let mut unused = std::pin::pin!(activity.unused(limits.header_read()));
    let mut unread = std::pin::pin!(bodies.let_go(limits.write()));
    let mut told = false;
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(err) = ended {
                    tracing::debug!(%err, "a connection ended early");
                }
                return;
            }
            () = super::closed(&mut closes), if !told => {
                told = true;
                connection.as_mut().graceful_shutdown();
                // What has answered may still be sending; what has not would wait for the rest of a head.
                if !activity.has_begun() {
                    unused.set(activity.unused(LAST_WORDS));
                }
            }
            never = unread.as_mut() => match never {},
            () = hang_up.wanted() => return,
            () = unused.as_mut() => {
                // One that was told already does not go by itself.
                if told || !activity.has_begun() {
                    return;
                }
                told = true;
                connection.as_mut().graceful_shutdown();
                unused.set(activity.unused(limits.header_read()));
            }
        }
    }
}

fn builder(limits: &Limits) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_read())
        .max_headers((limits.headers() / FIELD_BYTES).clamp(FIELDS_LEAST, FIELDS_MOST))
        .max_buf_size(BUFFER_BYTES.max(limits.headers()));
    let header_list = u32::try_from(limits.headers()).unwrap_or(u32::MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_send_buf_size(BUFFER_BYTES)
        .keep_alive_interval(limits.header_read())
        .keep_alive_timeout(limits.header_read())
        .max_header_list_size(header_list)
        .max_concurrent_streams(limits.streams_per_connection());
    builder
}

async fn answer(
    shared: Arc<Shared>,
    request: Request<Incoming>,
    client: Client,
    exchange: Exchange,
) -> Response<Held<Sent>> {
    let front = Arc::clone(&shared.generation.load().front);
    let knows_no_chunks = request.version() < Version::HTTP_11;
    let response = front.answer(request, client.peer).await;
    let has_length = response.headers().contains_key(header::CONTENT_LENGTH)
        || response.body().size_hint().exact().is_some();
    if knows_no_chunks && !has_length {
        client.ends_by_close.set();
    }
    response.map(|body| Held::new(body, exchange))
}

/// With its body watched where a client may leave one alone of its connection's.
fn watched(
    response: Response<Held<Sent>>,
    bodies: Option<&Bodies>,
) -> Response<Either<Held<Sent>, Watched>> {
    response.map(|body| match bodies {
        Some(bodies) => Either::Right(bodies.watch(body)),
        None => Either::Left(body),
    })
}
