//! An S3 that breaks bodies, ignores ranges, changes objects and refuses, written by hand on sockets,
//! comes in.

use crate::support::{Answer, RuntimeApi};
use crate::{ask, event, start};
use serde_json::json;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

const SIZE: usize = 100_000;

/// What it does with the GETs to come, one after the other; the last one counts for all others.
#[derive(Clone, Copy, Debug)]
enum Deed {
    /// Sends so many bytes of what is asked, and closes the connection.
    Break(usize),
    /// Sends the whole object, whatever is asked.
    IgnoreRange,
    /// Sends the range of another version.
    OtherVersion,
    Refuse(u16, &'static str),
    Serve,
}

/// What it does with a HEAD.
#[derive(Clone, Copy)]
struct Found(u16);

struct Misbehaving {
    endpoint: String,
    /// The ranges that were asked for.
    asked: Arc<Mutex<Vec<String>>>,
    _connections: JoinSet<()>,
}

impl Misbehaving {
    async fn start(found: Found, deeds: &'static [Deed]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::default();
        let shared = Arc::clone(&asked);
        let mut connections = JoinSet::new();
        connections.spawn(async move {
            let mut open = JoinSet::new();
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                open.spawn(connection(socket, found, deeds, Arc::clone(&shared)));
            }
        });
        Self { endpoint, asked, _connections: connections }
    }
}

fn byte_at(offset: usize) -> u8 {
    (offset % 251) as u8
}

/// One request for each connection, so that a broken body breaks nothing else.
async fn connection(
    mut socket: TcpStream,
    found: Found,
    deeds: &'static [Deed],
    asked: Arc<Mutex<Vec<String>>>,
) {
    let mut lines = BufReader::new(&mut socket).lines();
    let (mut method, mut range) = (String::new(), None);
    while let Ok(Some(line)) = lines.next_line().await {
        if line.is_empty() {
            break;
        }
        if method.is_empty() {
            method = line.split(' ').next().unwrap().to_owned();
        }
        if let Some(("range", value)) = line.split_once(": ") {
            range = value.strip_prefix("bytes=").map(str::to_owned);
        }
    }
    let always = "connection: close\r\nlast-modified: Thu, 01 Jan 1970 00:00:01 GMT\r\n";
    if method == "HEAD" {
        let head = format!(
            "HTTP/1.1 {} Scripted\r\n{always}etag: \"v1\"\r\ncontent-length: {SIZE}\r\n\r\n",
            found.0
        );
        let _gone = socket.write_all(head.as_bytes()).await;
        return;
    }
    let range = range.expect("every GET has a range");
    let (first, last) = range.split_once('-').unwrap();
    let (first, last): (usize, usize) = (first.parse().unwrap(), last.parse().unwrap());
    let number = {
        let mut asked = asked.lock().unwrap();
        asked.push(range.clone());
        asked.len() - 1
    };
    let partial = |etag: &str| {
        let length = last + 1 - first;
        format!(
            "HTTP/1.1 206 Scripted\r\n{always}etag: \"{etag}\"\r\ncontent-length: {length}\r\n\
             content-range: bytes {first}-{last}/{SIZE}\r\n\r\n"
        )
    };
    let bytes = |range: std::ops::Range<usize>| range.map(byte_at).collect::<Vec<u8>>();
    let (head, body) = match *deeds.get(number).or(deeds.last()).unwrap() {
        Deed::Serve => (partial("v1"), bytes(first..last + 1)),
        Deed::Break(length) => (partial("v1"), bytes(first..first + length)),
        Deed::OtherVersion => (partial("v2"), bytes(first..last + 1)),
        Deed::IgnoreRange => {
            let head = format!(
                "HTTP/1.1 200 Scripted\r\n{always}etag: \"v1\"\r\ncontent-length: {SIZE}\r\n\r\n"
            );
            (head, bytes(0..SIZE))
        }
        Deed::Refuse(status, code) => {
            let body = format!("<Error><Code>{code}</Code><Message>m</Message></Error>");
            let length = body.len();
            let head = format!(
                "HTTP/1.1 {status} Scripted\r\n{always}content-type: application/xml\r\n\
                 content-length: {length}\r\n\r\n"
            );
            (head, body.into_bytes())
        }
    };
    if socket.write_all(head.as_bytes()).await.is_ok() {
        let _gone = socket.write_all(&body).await;
    }
}

/// The answer to a range, and the ranges that S3 was asked for.
async fn fetch(found: Found, deeds: &'static [Deed]) -> (Answer, Vec<String>) {
    let s3 = Misbehaving::start(found, deeds).await;
    let api = RuntimeApi::start().await;
    let _function = start(&api, &s3.endpoint, "s3://bucket/p");
    let answer = ask(&api, event("GET", "/x", json!({"range": "bytes=10-69999"}))).await;
    let asked = s3.asked.lock().unwrap().clone();
    (answer, asked)
}

#[tokio::test]
async fn a_body_that_breaks_is_taken_up_again() {
    let deeds = &[Deed::Break(20_000), Deed::Break(0), Deed::Break(5), Deed::Serve];
    let (answer, asked) = fetch(Found(200), deeds).await;
    assert!(answer.split().1 == (10..70_000).map(byte_at).collect::<Vec<u8>>());
    assert_eq!(answer.trailers, Some(vec![]));
    assert_eq!(asked, ["10-69999", "20010-69999", "20010-69999", "20015-69999"]);
}

#[tokio::test]
async fn what_cannot_be_mended_is_a_failure() {
    let cases: [(&[Deed], usize, &str, &str); 7] = [
        (&[Deed::Break(100), Deed::Break(0)], 100, "Function.SourceUnavailable", "at byte 110"),
        (&[Deed::IgnoreRange], 0, "Function.SourceUnavailable", "range that was asked"),
        (&[Deed::Break(7), Deed::OtherVersion], 7, "Function.ObjectChanged", "changed or deleted"),
        (
            &[Deed::Break(7), Deed::Refuse(412, "PreconditionFailed")],
            7,
            "Function.ObjectChanged",
            "changed or deleted",
        ),
        (&[Deed::Refuse(404, "NoSuchKey")], 0, "Function.ObjectChanged", "changed or deleted"),
        (&[Deed::Refuse(403, "InvalidObjectState")], 0, "Function.SourceUnavailable", "archived"),
        (&[Deed::Refuse(403, "AccessDenied")], 0, "Function.SourceUnavailable", "AccessDenied"),
    ];
    for (deeds, sent, error_type, words) in cases {
        let (answer, _) = fetch(Found(200), deeds).await;
        assert!(answer.split().1 == (10..10 + sent).map(byte_at).collect::<Vec<u8>>(), "{deeds:?}");
        assert_eq!(answer.trailer("lambda-runtime-function-error-type"), Some(error_type));
        let message = answer.error().unwrap()["errorMessage"].as_str().unwrap().to_owned();
        assert!(message.contains(words), "{message}");
    }
}

#[tokio::test]
async fn what_is_not_found_is_refused_or_fails() {
    for (status, wanted) in [(404, 404), (403, 404)] {
        let (answer, asked) = fetch(Found(status), &[Deed::Serve]).await;
        assert_eq!(answer.split().0["statusCode"], wanted, "{status}");
        assert!(asked.is_empty());
    }
    let (answer, _) = fetch(Found(301), &[Deed::Serve]).await;
    assert!(answer.path.ends_with("/error"));
    let body: serde_json::Value = serde_json::from_slice(&answer.http_chunks.concat()).unwrap();
    assert_eq!(body["errorType"], "Function.SourceUnavailable");
    assert!(body["errorMessage"].as_str().unwrap().contains("AWS_REGION"), "{body}");
}
