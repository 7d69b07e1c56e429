//! A scripted service on loopback: what it is asked goes to a closure, what the closure says goes
//! out on the wire. Frames are written by the official crate: the outside hand.
#![allow(dead_code, clippy::unwrap_used)] // each test file uses its own part, and may unwrap

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use aws_sdk_lambda::config::{BehaviorVersion, Credentials, Region};
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use base64::Engine as _;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// One call, as the service saw it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    /// Counted from 0.
    pub(crate) number: usize,
    /// Path and query.
    pub(crate) target: String,
    /// `custom` of the client context.
    pub(crate) custom: BTreeMap<String, String>,
    pub(crate) payload: Vec<u8>,
}

impl Asked {
    /// The range asked, half-open; the end is `u64::MAX` where none was named.
    pub(crate) fn range(&self) -> Option<std::ops::Range<u64>> {
        let (first, last) = self.custom.get("range")?.strip_prefix("bytes=")?.split_once('-')?;
        let end = if last.is_empty() { u64::MAX } else { last.parse::<u64>().unwrap() + 1 };
        Some(first.parse().unwrap()..end)
    }
}

/// What happens on the wire next.
pub(crate) enum Step {
    /// Bytes of the body.
    Bytes(Vec<u8>),
    /// Waits for the other side of the test.
    Wait(Arc<Notify>),
    /// Ends the body without its last HTTP chunk.
    Cut,
}

/// An answer: the HTTP head and what follows.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) steps: Vec<Step>,
}

pub(crate) fn header(name: &str, value: impl Into<String>) -> (String, String) {
    (name.to_owned(), value.into())
}

impl Answer {
    /// A stream of `frames`, and its end.
    pub(crate) fn stream(frames: impl IntoIterator<Item = Vec<u8>>) -> Self {
        Self::steps(frames.into_iter().map(Step::Bytes))
    }

    pub(crate) fn steps(steps: impl IntoIterator<Item = Step>) -> Self {
        let headers = vec![
            header("content-type", "application/vnd.amazon.eventstream"),
            header("x-amz-executed-version", "7"),
            header("x-amzn-requestid", "request-of-a-test"),
        ];
        Self { status: 200, headers, steps: steps.into_iter().collect() }
    }

    /// An error of the service.
    pub(crate) fn error(status: u16, code: &str, body: &str) -> Self {
        let headers = vec![header("x-amzn-errortype", code)];
        Self { status, headers, steps: vec![Step::Bytes(body.as_bytes().to_vec())] }
    }

    pub(crate) fn executed_version(mut self, version: &str) -> Self {
        self.headers.retain(|(name, _)| name != "x-amz-executed-version");
        self.headers.push(header("x-amz-executed-version", version));
        self
    }
}

pub(crate) fn frame(event: &str, content_type: &str, payload: &[u8]) -> Vec<u8> {
    let string = |text: &str| HeaderValue::String(text.to_owned().into());
    raw_frame(
        &[
            (":message-type", string("event")),
            (":event-type", string(event)),
            (":content-type", string(content_type)),
        ],
        payload,
    )
}

pub(crate) fn raw_frame(headers: &[(&'static str, HeaderValue)], payload: &[u8]) -> Vec<u8> {
    let mut message = Message::new(payload.to_vec());
    for (name, value) in headers {
        message = message.add_header(Header::new(*name, value.clone()));
    }
    let mut encoded = Vec::new();
    aws_smithy_eventstream::frame::write_message_to(&message, &mut encoded).unwrap();
    encoded
}

pub(crate) fn chunk(payload: &[u8]) -> Vec<u8> {
    frame("PayloadChunk", "application/octet-stream", payload)
}

pub(crate) fn complete(json: &str) -> Vec<u8> {
    frame("InvokeComplete", "application/json", json.as_bytes())
}

pub(crate) fn head(status: u16, headers: &[(&str, &str)]) -> Vec<u8> {
    let headers: BTreeMap<_, _> = headers.iter().copied().collect();
    let json = serde_json::json!({"statusCode": status, "headers": headers, "cookies": []});
    [json.to_string().as_bytes(), &[0; 8]].concat()
}

/// A function that keeps the contract, for the object `bytes`.
pub(crate) fn range_answer(bytes: &[u8], etag: &str, asked: &Asked) -> Answer {
    let size = bytes.len() as u64;
    let range = asked.range().unwrap_or(0..u64::MAX);
    let range = range.start..range.end.min(size);
    if range.start >= range.end {
        let content_range = format!("bytes */{size}");
        let refusal = head(416, &[("content-range", &content_range), ("etag", etag)]);
        return Answer::stream([chunk(&refusal), complete("{}")]);
    }
    let part = &bytes[range.start as usize..range.end as usize];
    let content_range = format!("bytes {}-{}/{size}", range.start, range.end - 1);
    let length = part.len().to_string();
    let head = head(
        206,
        &[
            ("content-range", &content_range),
            ("content-length", &length),
            ("etag", etag),
            ("accept-ranges", "bytes"),
        ],
    );
    let frames = [chunk(&head)].into_iter().chain(part.chunks(64 * 1024).map(chunk));
    Answer::stream(frames.chain([complete("{}")]))
}

/// The scripted service. It ends when it is dropped.
pub(crate) struct Service {
    pub(crate) addr: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Service {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Service {
    pub(crate) async fn start(script: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (log, script) = (Arc::clone(&asked), Arc::new(script));
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                connections.spawn(connection(socket, Arc::clone(&log), Arc::clone(&script)));
            }
        });
        Self { addr, asked, task }
    }

    /// All calls so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub(crate) fn invoker(&self) -> invoker::Invoker {
        let config = aws_sdk_lambda::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .region(Region::from_static("eu-west-1"))
            .credentials_provider(Credentials::for_tests())
            .endpoint_url(format!("http://{}", self.addr))
            .build();
        invoker::Invoker::new(aws_sdk_lambda::Client::from_conf(config))
    }
}

async fn connection(
    mut socket: TcpStream,
    log: Arc<Mutex<Vec<Asked>>>,
    script: Arc<impl Fn(&Asked) -> Answer>,
) {
    let Some(mut asked) = read_call(&mut socket).await else { return };
    let answer = {
        let mut log = log.lock().unwrap();
        asked.number = log.len();
        log.push(asked.clone());
        script(&asked)
    };
    // The reader may leave at any time: a failed write is its business.
    let _ = write_answer(&mut socket, answer).await;
}

pub(crate) async fn read_call(socket: &mut TcpStream) -> Option<Asked> {
    let mut received = Vec::new();
    let head_len = loop {
        if let Some(at) = received.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        if socket.read_buf(&mut received).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(received[..head_len].to_vec()).unwrap();
    let value = |name: &str| {
        head.lines().find_map(|line| {
            let (other, value) = line.split_once(": ")?;
            other.eq_ignore_ascii_case(name).then(|| value.to_owned())
        })
    };
    let body_len: usize = value("content-length").map_or(0, |len| len.parse().unwrap());
    while received.len() < head_len + body_len {
        socket.read_buf(&mut received).await.ok()?;
    }
    let custom = value("x-amz-client-context").map(|encoded| {
        let json = base64::engine::general_purpose::STANDARD.decode(encoded).unwrap();
        let context: serde_json::Value = serde_json::from_slice(&json).unwrap();
        serde_json::from_value(context["custom"].clone()).unwrap()
    });
    Some(Asked {
        number: 0,
        target: head.split(' ').nth(1).unwrap().to_owned(),
        custom: custom.unwrap_or_default(),
        payload: received[head_len..].to_vec(),
    })
}

async fn write_answer(socket: &mut TcpStream, answer: Answer) -> std::io::Result<()> {
    let mut head = format!("HTTP/1.1 {} Scripted\r\nconnection: close\r\n", answer.status);
    for (name, value) in &answer.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("transfer-encoding: chunked\r\n\r\n");
    socket.write_all(head.as_bytes()).await?;
    for step in answer.steps {
        match step {
            Step::Bytes(bytes) if bytes.is_empty() => {}
            Step::Bytes(bytes) => {
                socket.write_all(format!("{:x}\r\n", bytes.len()).as_bytes()).await?;
                socket.write_all(&bytes).await?;
                socket.write_all(b"\r\n").await?;
            }
            Step::Wait(gate) => gate.notified().await,
            Step::Cut => return socket.shutdown().await,
        }
    }
    socket.write_all(b"0\r\n\r\n").await?;
    socket.shutdown().await
}

/// Bytes whose values tell their offset.
pub(crate) fn pattern(len: usize) -> Vec<u8> {
    (0..len as u64).map(|at| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect()
}
