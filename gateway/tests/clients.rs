//! Clients come in that leave, stop reading, or send slowly; what becomes of their functions, and of everybody else's,
//! comes out.
#![allow(clippy::unwrap_used)] // helpers of tests may unwrap, as tests may

mod support;

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use local_lambda::LocalLambda;
use support::{ANY, Gate, Gateway, PROTOCOLS, function, in_time, service_with, until};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// What a function offers to a client that does not read.
const BYTES: u64 = 128 << 20;

/// More than the buffers of all sockets on the way can hold, by far less than all.
const HELD_BACK: u64 = BYTES / 2;

/// What one stream, and all of a connection, may have on the way to a client of HTTP/2, in bytes.
const STREAM_WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 16 << 20;

/// So that a test need not wait for long; a client that reads is never so slow.
const LIMITED: &str = "limits = { write_timeout = \"500ms\" }";

async fn service() -> LocalLambda {
    service_with(function().concurrent_invocations(8)).await
}

fn taken(file: &Path) -> u64 {
    std::fs::read_to_string(file).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_takes_the_upstream_with_it() {
    let local = service().await;
    let gateway = Gateway::start(&local.endpoint_url(), ANY);
    for (lines, protocol) in (1..).zip(PROTOCOLS) {
        let before = local.stats().bytes_sent;
        let file = gateway.folder().join(format!("count{protocol}"));
        let path = format!("/count?bytes={BYTES}&file={}", file.display());
        // Reads a little and leaves.
        let head = format!("curl --silent {protocol} '{}' | head -c 100000", gateway.url(&path));
        let output = tokio::process::Command::new("sh").args(["-c", &head]).output();
        assert_eq!(in_time(output).await.unwrap().stdout.len(), 100_000);
        let logged = gateway.last_logged(lines).await;
        assert_eq!(logged["ending"], "client-gone", "{protocol}: {logged}");
        assert!(logged["bytes"].as_u64().unwrap() < HELD_BACK, "{logged}");
        // The function runs to its end, as every function of the service, but nobody is sent the rest.
        until("the function has written all", || taken(&file) == BYTES).await;
        until("the invocation is over", || local.stats().invocations_running == 0).await;
        let sent = local.stats().bytes_sent - before;
        assert!(sent < HELD_BACK, "{sent} bytes were sent to a gateway whose client was gone");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_before_the_head_is_seen() {
    let local = service().await;
    local.add_fault("stall=head".parse::<local_lambda::FaultRule>().unwrap()).unwrap();
    let gateway = Gateway::start(&local.endpoint_url(), ANY);
    let mut stream = TcpStream::connect(gateway.address()).await.unwrap();
    stream.write_all(b"GET /size HTTP/1.1\r\nhost: g\r\n\r\n").await.unwrap();
    until("it is called", || local.stats().invocations_started == 1).await;
    drop(stream);
    let logged = gateway.last_logged(1).await;
    assert_eq!(logged["ending"], "client-gone", "{logged}");
    assert!(logged.get("status").is_none(), "{logged}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_holds_back_its_own_function_only() {
    let local = service().await;
    let gateway = Gateway::start(&local.endpoint_url(), ANY);
    let held = gateway.folder().join("held");
    let mut stream = TcpStream::connect(gateway.address()).await.unwrap();
    let path = |file: &Path| format!("/count?bytes={BYTES}&file={}", file.display());
    let request = format!("GET {} HTTP/1.1\r\nhost: g\r\nconnection: close\r\n\r\n", path(&held));
    stream.write_all(request.as_bytes()).await.unwrap();
    until("it begins", || taken(&held) > 0).await;

    // Nobody reads. Meanwhile another stream of that length goes from its first byte to its last: there is
    // time enough for this one too.
    let other = gateway.folder().join("other");
    let curled = gateway.curl("", &path(&other)).await;
    assert_eq!((curled.code, curled.body.len() as u64), (Some(0), BYTES));
    let written = taken(&held);
    assert!(written < HELD_BACK, "the function has written {written} bytes that nobody reads");

    // All of it is there for who reads on.
    let mut buffer = vec![0; 1 << 20];
    let mut received = 0;
    loop {
        match in_time(stream.read(&mut buffer)).await.unwrap() {
            0 => break,
            bytes => received += bytes as u64,
        }
    }
    assert!(received > BYTES);
    assert_eq!(taken(&held), BYTES);
}

/// Two streams on one connection: one is not read, the other goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_not_read_holds_back_no_other_of_its_connection() {
    let local = service().await;
    let gateway = Gateway::start(&local.endpoint_url(), ANY);
    let mut sender = connect(&gateway).await;
    let ask = |path: String| Request::get(gateway.url(&path)).body(Empty::<Bytes>::new()).unwrap();
    let held = gateway.folder().join("held");
    let path = |file: &Path| format!("/count?bytes={BYTES}&file={}", file.display());
    let unread: Response<Incoming> = in_time(sender.send_request(ask(path(&held)))).await.unwrap();

    let other = gateway.folder().join("other");
    let read = in_time(sender.send_request(ask(path(&other)))).await.unwrap();
    assert_eq!(length(read).await, BYTES);
    let written = taken(&held);
    assert!(written < HELD_BACK, "the function has written {written} bytes that nobody reads");
    assert_eq!(length(unread).await, BYTES);
}

/// A client that takes nothing is cut: the connection, or the stream that it leaves alone.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_never_reads_is_cut() {
    let local = service().await;
    let gateway = Gateway::start_with(&local.endpoint_url(), LIMITED, ANY);
    let file = gateway.folder().join("file");
    let path = format!("/count?bytes={BYTES}&file={}", file.display());
    let mut stream = TcpStream::connect(gateway.address()).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: g\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let logged = gateway.last_logged(1).await;
    assert_eq!(logged["ending"], "client-gone", "{logged}");
    assert!(logged["bytes"].as_u64().unwrap() < HELD_BACK, "{logged}");
    until("the function is let go", || local.stats().invocations_running == 0).await;
    // What had been sent before, and no end of the chunks.
    let mut received = Vec::new();
    let _ = in_time(stream.read_to_end(&mut received)).await;
    assert!(!received.ends_with(b"0\r\n\r\n") && (received.len() as u64) < HELD_BACK);

    let mut sender = connect(&gateway).await;
    let ask = |path: &str| Request::get(gateway.url(path)).body(Empty::<Bytes>::new()).unwrap();
    let unread = in_time(sender.send_request(ask(&path))).await.unwrap();
    let logged = gateway.last_logged(2).await;
    assert_eq!(logged["ending"], "client-gone", "{logged}");
    assert_eq!(logged["error"], "the client took nothing for 500ms", "{logged}");
    assert!(logged["bytes"].as_u64().unwrap() < HELD_BACK, "{logged}");
    until("the function is let go", || local.stats().invocations_running == 0).await;
    // Its connection goes on.
    let other = in_time(sender.send_request(ask("/size"))).await.unwrap();
    assert_eq!(length(other).await, 1);
    // The rest is no end.
    let mut body = unread.into_body();
    let broken = loop {
        match in_time(body.frame()).await {
            Some(Ok(_)) => {}
            Some(Err(error)) => break error,
            None => panic!("it looks whole"),
        }
    };
    assert!(format!("{broken:?}").contains("INTERNAL_ERROR"), "{broken:?}");
}

/// However long it waits for its function.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_waits_is_not_cut() {
    let local = service().await;
    let gateway = Gateway::start_with(&local.endpoint_url(), LIMITED, ANY);
    for protocol in PROTOCOLS {
        let gate = Gate::new().await;
        let path = format!("/gate?at={}", gate.address());
        let curled = gateway.curl(protocol, &path);
        let waits = async {
            let function = gate.somebody().await;
            // Another one, who never reads, has been cut meanwhile.
            let mut stream = TcpStream::connect(gateway.address()).await.unwrap();
            let file = gateway.folder().join("file");
            let request = format!(
                "GET /count?bytes={BYTES}&file={} HTTP/1.1\r\nhost: g\r\n\r\n",
                file.display()
            );
            let before = gateway.logged(0).await.len();
            stream.write_all(request.as_bytes()).await.unwrap();
            gateway.logged(before + 1).await;
            drop(function);
        };
        let (curled, ()) = tokio::join!(curled, waits);
        assert_eq!((curled.code, curled.text()), (Some(0), "first\nlast\n"), "{protocol}");
    }
}

/// A reset of one stream is the end of its exchange, and of no other.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_reset_ends_alone() {
    let local = service().await;
    let gateway = Gateway::start(&local.endpoint_url(), ANY);
    let mut sender = connect(&gateway).await;
    let gate = Gate::new().await;
    let ask = || {
        let url = gateway.url(&format!("/gate?at={}", gate.address()));
        Request::get(url).body(Empty::<Bytes>::new()).unwrap()
    };
    let left = in_time(sender.send_request(ask())).await.unwrap();
    let first = gate.somebody().await;
    let kept = in_time(sender.send_request(ask())).await.unwrap();
    let second = gate.somebody().await;
    drop(left);
    assert_eq!(gateway.last_logged(1).await["ending"], "client-gone");
    drop((first, second));
    assert_eq!(length(kept).await, "first\nlast\n".len() as u64);
    assert_eq!(gateway.last_logged(2).await["ending"], "whole");
}

/// The route's total time ends the exchange also where nobody reads, and so nobody asks.
#[tokio::test(flavor = "multi_thread")]
async fn the_total_time_ends_what_nobody_reads() {
    let local = service().await;
    let routes = ANY.to_owned() + "in_flight = 1\ntimeouts = { total = \"1s\" }\n";
    let gateway = Gateway::start(&local.endpoint_url(), &routes);
    let path =
        |name: &str| format!("/count?bytes={BYTES}&file={}", gateway.folder().join(name).display());
    let mut unread = TcpStream::connect(gateway.address()).await.unwrap();
    let request = format!("GET {} HTTP/1.1\r\nhost: g\r\n\r\n", path("one"));
    unread.write_all(request.as_bytes()).await.unwrap();
    let logged = gateway.last_logged(1).await;
    assert_eq!((&logged["ending"], &logged["status"]), (&"timed-out".into(), &200.into()));
    // What is on the way can still be read, and has no end.
    let mut text = Vec::new();
    let _ = in_time(unread.read_to_end(&mut text)).await;
    assert!((text.len() as u64) < HELD_BACK && !text.ends_with(b"\r\n0\r\n\r\n"));

    let mut sender = connect(&gateway).await;
    let ask = |path: String| Request::get(gateway.url(&path)).body(Empty::<Bytes>::new()).unwrap();
    let unread = in_time(sender.send_request(ask(path("two")))).await.unwrap();
    assert_eq!(gateway.last_logged(2).await["ending"], "timed-out");
    // The route's one place is free, on the same connection as well.
    let next = in_time(sender.send_request(ask("/9".into()))).await.unwrap();
    assert_eq!(next.status(), 200);
    assert_eq!(length(next).await, 9);
    let mut unread = unread.into_body();
    while let Some(frame) = in_time(unread.frame()).await {
        if let Err(error) = frame {
            assert!(format!("{error:?}").contains("INTERNAL_ERROR"), "{error:?}");
            return;
        }
    }
    panic!("a stream that was cut looks whole");
}

/// A body that does not come, or comes in drops, does not keep the route's place.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_come_is_408_and_gives_its_place_back() {
    const REST: Duration = Duration::from_millis(20);
    let local = service().await;
    let quiet = |time: &str| format!("[limits]\nheader_read_timeout = \"{time}\"");
    let total = "timeouts = { total = \"500ms\" }\n";
    // Nothing comes; it comes too slowly; it comes slowly for longer than the route has.
    for (first, more, drops) in
        [(quiet("300ms"), "", false), (quiet("300ms"), "", true), (quiet("10m"), total, true)]
    {
        let routes = format!("{ANY}in_flight = 1\n{more}");
        let gateway = Gateway::start_with(&local.endpoint_url(), &first, &routes);
        let client = TcpStream::connect(gateway.address()).await.unwrap();
        let (mut answer, mut client) = client.into_split();
        let head = b"POST /size HTTP/1.1\r\nhost: g\r\ncontent-length: 6000000\r\n\r\n{";
        client.write_all(head).await.unwrap();
        let sending = tokio::spawn(async move {
            while drops && client.write_all(b" ").await.is_ok() {
                tokio::time::sleep(REST).await;
            }
            client
        });
        let mut text = Vec::new();
        let _ = in_time(answer.read_to_end(&mut text)).await;
        let text = String::from_utf8(text).unwrap();
        assert!(text.starts_with("HTTP/1.1 408 "), "{first} {more} {drops}: {text}");
        assert!(text.contains("the body did not come in time"), "{text}");
        sending.abort();
        let logged = gateway.last_logged(1).await;
        assert_eq!((&logged["ending"], &logged["status"]), (&"rejected".into(), &408.into()));
        assert_eq!(gateway.curl("", "/9").await.status(), 200);
    }
}

/// A client of HTTP/2 that is gone without a word does not answer when it is asked.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_gone_without_a_word_is_noticed() {
    let local = service().await;
    let first = "[limits]\nheader_read_timeout = \"300ms\"";
    let gateway = Gateway::start_with(&local.endpoint_url(), first, ANY);
    let gate = Gate::new().await;
    let text = |name: u8, text: &str| [&[name, text.len() as u8], text.as_bytes()].concat();
    // `:method GET` and `:scheme http` by their places in HPACK's table, `:path` and `:authority` in words.
    let path = text(0x04, &format!("/gate?at={}", gate.address()));
    let head = [&[0x82, 0x86][..], &path, &text(0x01, "g")].concat();
    let mut stream = TcpStream::connect(gateway.address()).await.unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    // HEADERS of the first stream, which end the request. Nothing is said after them.
    let frame = [0, 0, head.len() as u8, 0x01, 0x05, 0, 0, 0, 1];
    stream.write_all(&[&frame[..], &head].concat()).await.unwrap();
    let _waits = gate.somebody().await;
    assert_eq!(gateway.last_logged(1).await["ending"], "client-gone");
}

async fn connect(gateway: &Gateway) -> SendRequest<Empty<Bytes>> {
    let stream = TcpStream::connect(gateway.address()).await.unwrap();
    let (sender, connection) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    sender
}

async fn length(response: Response<Incoming>) -> u64 {
    let mut body = response.into_body();
    let mut length = 0;
    while let Some(frame) = in_time(body.frame()).await {
        length += frame.unwrap().data_ref().map_or(0, Bytes::len) as u64;
    }
    length
}
