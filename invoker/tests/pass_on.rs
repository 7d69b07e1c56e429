//! Results that are passed on while they arrive: to an upload, to an HTTP client, to a writer. What is
//! not whole never looks whole there either.
#![allow(clippy::unwrap_used)] // clippy sees no test in a function that tests share

mod support;

use std::net::SocketAddr;

use aws_sdk_lambda::primitives::ByteStream;
use axum::Router;
use axum::body::Body;
use axum::response::Response;
use axum::routing::get;
use invoker::{DownloadEvent, Error, ErrorKind, Invocation, Invoker};
use support::{Answer, Service, chunk, complete, head, pattern, range_answer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const ETAG: &str = "\"v1\"";
const BYTES: usize = 100_000;

/// A function with an object, and one whose only fault is told behind its last byte.
async fn service() -> Service {
    Service::start(|asked| match asked.target.contains("/late/") {
        false => range_answer(&pattern(BYTES), ETAG, asked),
        true => Answer::stream([
            chunk(&head(200, &[("content-length", "5")])),
            chunk(b"bytes"),
            complete(r#"{"ErrorCode":"Function.Late","ErrorDetails":"too late"}"#),
        ]),
    })
    .await
}

fn assert_bounds<T: Send + Sync + Unpin + 'static>(_: &T) {}

#[tokio::test]
async fn an_upload_knows_the_length_and_gets_the_bytes() {
    let service = service().await;
    let invoker = service.invoker();
    let ordered = invoker.object("f", "x").segment_size(30_000).in_order().await.unwrap();
    let upload = ByteStream::from(ordered);
    assert_eq!(upload.size_hint(), (BYTES as u64, Some(BYTES as u64)));
    assert!(upload.collect().await.unwrap().to_vec() == pattern(BYTES));

    let stream = invoker.invoke(Invocation::new("f")).await.unwrap();
    let upload = ByteStream::from(stream);
    assert_eq!(upload.size_hint(), (BYTES as u64, Some(BYTES as u64)));
    assert!(upload.collect().await.unwrap().to_vec() == pattern(BYTES));
}

/// An upload asks for nothing behind the promised length: the failure has to come before it.
#[tokio::test]
async fn the_last_bytes_wait_for_the_proof_of_the_end() {
    use http_body::Body as _;
    let service = service().await;
    let late = service.invoker();
    let ordered = late.download(Invocation::new("late")).in_order().await.unwrap().into_body();
    assert_bounds(&ordered);
    let stream = late.invoke(Invocation::new("late")).await.unwrap();
    assert_bounds(&stream);
    let bodies: [Box<dyn http_body::Body<Data = bytes::Bytes, Error = Error> + Unpin>; 2] =
        [Box::new(ordered), Box::new(stream)];
    for mut body in bodies {
        assert_eq!(body.size_hint().exact(), Some(5));
        let next = std::future::poll_fn(|cx| std::pin::Pin::new(&mut body).poll_frame(cx)).await;
        let error = next.unwrap().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Function { .. }), "{error}");
        let next = std::future::poll_fn(|cx| std::pin::Pin::new(&mut body).poll_frame(cx)).await;
        assert!(next.is_none() && body.is_end_stream());
    }
}

/// Who passes bytes on passes on what was said of them as well.
#[tokio::test]
async fn bytes_in_order_have_the_head_of_the_first_answer() {
    let service = service().await;
    let ordered = service.invoker().object("f", "x").segment_size(30_000).in_order().await.unwrap();
    let head = ordered.head().unwrap();
    assert_eq!((head.status, head.content_length()), (206, Some(30_000)));
    assert_eq!(head.header("content-range"), Some(format!("bytes 0-29999/{BYTES}").as_str()));
    let late = service.invoker().download(Invocation::new("late")).in_order().await.unwrap();
    assert_eq!(late.head().and_then(invoker::Head::content_length), Some(5));
}

#[tokio::test]
async fn a_writer_gets_the_bytes() {
    let service = service().await;
    let invoker = service.invoker();
    let mut ordered = invoker.object("f", "x").in_order().await.unwrap().into_body();
    let mut written = Vec::new();
    assert_eq!(tokio::io::copy(&mut ordered, &mut written).await.unwrap(), BYTES as u64);
    assert!(written == pattern(BYTES));
    let mut stream = invoker.invoke(Invocation::new("f")).await.unwrap();
    let mut written = Vec::new();
    assert_eq!(tokio::io::copy(&mut stream, &mut written).await.unwrap(), BYTES as u64);
    assert!(written == pattern(BYTES));
    let mut late = invoker.invoke(Invocation::new("late")).await.unwrap();
    let error = tokio::io::copy(&mut late, &mut tokio::io::sink()).await.unwrap_err();
    assert!(error.get_ref().unwrap().is::<Error>());
}

/// What an axum service answers that passes on what `invoker` gets.
async fn web(invoker: Invoker) -> SocketAddr {
    let (by_segments, in_order, whole) = (invoker.clone(), invoker.clone(), invoker.clone());
    let routes = Router::new()
        .route(
            "/object",
            get(async move || {
                let ordered = by_segments.object("f", "x").segment_size(30_000).in_order().await;
                Response::new(Body::new(ordered.unwrap().into_body()))
            }),
        )
        .route(
            "/late-in-order",
            get(async move || {
                let ordered = in_order.download(Invocation::new("late")).in_order().await;
                Response::new(Body::new(ordered.unwrap().into_body()))
            }),
        )
        .route(
            "/whole",
            get(async move || {
                Response::new(Body::new(whole.invoke(Invocation::new("f")).await.unwrap()))
            }),
        )
        .route(
            "/late",
            get(async move || {
                Response::new(Body::new(invoker.invoke(Invocation::new("late")).await.unwrap()))
            }),
        );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    // Ends with the runtime of the test.
    tokio::spawn(async move { axum::serve(listener, routes).await });
    address
}

async fn ask(address: SocketAddr, path: &str) -> (String, Vec<u8>) {
    let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = socket.read_to_end(&mut answer).await;
    let at = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    let body = answer.split_off(at);
    (String::from_utf8(answer).unwrap(), body)
}

#[tokio::test]
async fn a_web_service_passes_it_on() {
    let service = service().await;
    let address = web(service.invoker()).await;
    let (head, body) = ask(address, "/object").await;
    assert!(head.contains(&format!("content-length: {BYTES}")), "{head}");
    assert!(body == pattern(BYTES));
    let (head, body) = ask(address, "/late").await;
    assert!(head.contains("content-length: 5"), "{head}");
    assert!(body.is_empty(), "what is not whole has no last byte: {body:?}");
}

/// Nobody asks for the bytes of a body that says it has none: an HTTP server would end it well.
#[tokio::test]
async fn an_empty_result_is_passed_on_when_its_end_is_proven() {
    use http_body::Body as _;
    let service = Service::start(|asked| {
        let end = match asked.target.contains("/late/") {
            false => "{}",
            true => r#"{"ErrorCode":"Function.Late","ErrorDetails":"too late"}"#,
        };
        Answer::stream([chunk(&head(200, &[("content-length", "0")])), complete(end)])
    })
    .await;
    let empty = service.invoker();
    let ordered = empty.download(Invocation::new("f")).in_order().await.unwrap().into_body();
    let stream = empty.invoke(Invocation::new("f")).await.unwrap();
    let bodies: [Box<dyn http_body::Body<Data = bytes::Bytes, Error = Error> + Unpin>; 2] =
        [Box::new(ordered), Box::new(stream)];
    for mut body in bodies {
        assert!(body.size_hint().exact().is_none() && !body.is_end_stream());
        let next = std::future::poll_fn(|cx| std::pin::Pin::new(&mut body).poll_frame(cx)).await;
        assert!(next.is_none() && body.is_end_stream());
        assert_eq!(body.size_hint().exact(), Some(0));
    }

    let address = web(service.invoker()).await;
    for path in ["/late", "/late-in-order"] {
        let (head, body) = ask(address, path).await;
        assert!(head.contains("transfer-encoding: chunked"), "{head}");
        assert!(body.is_empty(), "the last chunk says that it is whole: {body:?}");
    }
    let (_, body) = ask(address, "/whole").await;
    assert_eq!(body, b"0\r\n\r\n");
}

#[tokio::test]
async fn a_listener_hears_what_happens() {
    let service = Service::start(|asked| match asked.number {
        1 => Answer::error(429, "TooManyRequestsException", "{}"),
        2 => Answer::error(503, "ServiceException", "{}"),
        _ => range_answer(&pattern(3 << 20), ETAG, asked),
    })
    .await;
    let download = service.invoker().object("f", "x").segment_size(1 << 20).in_flight(1);
    let mut events = download.progress().events();
    let mut body = download.in_order().await.unwrap().into_body();
    tokio::io::copy(&mut body, &mut tokio::io::sink()).await.unwrap();
    let mut heard = Vec::new();
    while let Some(event) = events.next().await {
        heard.push(event);
    }
    assert_eq!(heard.first(), Some(&DownloadEvent::Started));
    assert_eq!(heard.last(), Some(&DownloadEvent::Ended { error: None }));
    let count =
        |which: fn(&DownloadEvent) -> bool| heard.iter().filter(|event| which(event)).count();
    assert_eq!(
        count(|event| matches!(event, DownloadEvent::SegmentStarted { .. })),
        3,
        "{heard:?}"
    );
    assert_eq!(count(|event| matches!(event, DownloadEvent::SegmentEnded { .. })), 3, "{heard:?}");
    assert_eq!(count(|event| matches!(event, DownloadEvent::Throttled { .. })), 1, "{heard:?}");
    assert_eq!(count(|event| matches!(event, DownloadEvent::Retried { .. })), 1, "{heard:?}");
    assert!(count(|event| matches!(event, DownloadEvent::Received { .. })) >= 2, "{heard:?}");

    let refused = Service::start(|_| Answer::error(404, "ResourceNotFoundException", "{}")).await;
    let download = refused.invoker().object("f", "x");
    let mut events = download.progress().events();
    download.in_order().await.unwrap_err();
    let kind = ErrorKind::Refused { status: 404, code: "ResourceNotFoundException".into() };
    assert_eq!(events.next().await, Some(DownloadEvent::Started));
    assert_eq!(events.next().await, Some(DownloadEvent::Ended { error: Some(kind) }));
    assert_eq!(events.next().await, None);

    // Who comes after the end of any download hears of it, and of nothing else.
    let whole = Some(DownloadEvent::Ended { error: None });
    let folder = tempfile::tempdir().unwrap();
    let download = service.invoker().object("f", "x");
    let progress = download.progress();
    download.to_file(folder.path().join("x")).await.unwrap();
    assert_eq!(progress.events().next().await, whole);
    let download = service.invoker().object("f", "x");
    let progress = download.progress();
    download.inspect().await.unwrap();
    assert_eq!(progress.events().next().await, whole);
    let download = refused.invoker().object("f", "x");
    let progress = download.progress();
    download.one_stream().await.unwrap_err();
    let mut events = progress.events();
    assert!(matches!(events.next().await, Some(DownloadEvent::Ended { error: Some(_) })));
    assert_eq!(events.next().await, None);
}

/// Whoever drops it has ended it: nothing more is asked, and the connection is gone.
#[tokio::test]
async fn dropping_ends_a_download() {
    let gate = std::sync::Arc::new(tokio::sync::Notify::new());
    let held = std::sync::Arc::clone(&gate);
    let service = Service::start(move |asked| {
        let mut answer = range_answer(&pattern(BYTES), ETAG, asked);
        answer.steps.insert(1, support::Step::Wait(std::sync::Arc::clone(&held)));
        answer
    })
    .await;
    let download = service.invoker().object("f", "x").segment_size(10_000).in_flight(2);
    let (progress, mut events) = (download.progress(), download.progress().events());
    let ordered = download.in_order().await.unwrap();
    drop(ordered);
    let mut last = None;
    while let Some(event) = events.next().await {
        last = Some(event);
    }
    let stopped = Some(DownloadEvent::Ended { error: Some(ErrorKind::Stopped) });
    assert_eq!(last, stopped);
    assert_eq!(progress.events().next().await, stopped, "who comes later is told as well");
    let never_begun = service.invoker().object("f", "x").progress();
    assert_eq!(never_begun.events().next().await, stopped);
    assert!(service.asked().len() <= 2, "{}", service.asked().len());
    gate.notify_waiters();
}
